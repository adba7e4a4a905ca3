//! Normalized identifier values, and the placeholders that never identify anybody.
//!
//! The blocked values are the union of what Segment, PostHog and Adobe refuse (SEMANTICS, FIELD b).

use std::borrow::Cow;

use crate::definitions::{IdentifierType, Normalize};

/// Placeholders in any case.
const BLOCKED_ANY_CASE: [&str; 12] = [
    "anonymous",
    "guest",
    "distinctid",
    "distinct_id",
    "id",
    "not_authenticated",
    "email",
    "undefined",
    "true",
    "false",
    "null",
    "invalid",
];
/// Placeholders in exactly this case: in another one they can be names.
const BLOCKED_EXACT: [&str; 5] = ["[object Object]", "NaN", "None", "none", "-1"];
/// Longer values are no identifiers (Adobe's limit).
const LONGEST_CHARS: usize = 1024;

/// The normalized value; `None` if the value is blocked. What is normal already is not copied.
pub(crate) fn normalize<'v>(identifier: &IdentifierType, raw: Cow<'v, str>) -> Option<Cow<'v, str>> {
    let value = match identifier.normalize {
        Normalize::Exact => return (!is_blocked_for(identifier, &raw)).then_some(raw),
        Normalize::Email => raw.trim().to_lowercase(),
        Normalize::Phone => phone(&raw),
    };
    let blocked = is_blocked_for(identifier, &value) || is_blocked(&raw);
    match (blocked, value == raw) {
        (true, _) => None,
        (false, true) => Some(raw),
        (false, false) => Some(Cow::Owned(value)),
    }
}

fn is_blocked_for(identifier: &IdentifierType, value: &str) -> bool {
    is_blocked(value) || identifier.blocked.iter().any(|entry| entry == value)
}

/// Digits with a leading plus. Without a region a national number stays as its digits.
fn phone(raw: &str) -> String {
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    let trimmed = raw.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    if trimmed.starts_with('+') {
        format!("+{digits}")
    } else if let Some(international) = digits.strip_prefix("00") {
        format!("+{international}")
    } else {
        digits
    }
}

fn is_blocked(value: &str) -> bool {
    let unquoted = value.trim().trim_matches(['\'', '"', '`']).trim();
    unquoted.is_empty()
        || unquoted.bytes().all(|byte| byte == b'0' || byte == b'-')
        || (value.len() > LONGEST_CHARS && value.chars().count() > LONGEST_CHARS)
        || BLOCKED_EXACT.contains(&unquoted)
        || BLOCKED_ANY_CASE.iter().any(|blocked| blocked.eq_ignore_ascii_case(unquoted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::IdentityDefinition;

    fn normalized(identifier_type: &str, raw: &str) -> Option<String> {
        let preset = IdentityDefinition::segment();
        normalize(preset.identifier(identifier_type).unwrap(), raw.into()).map(Cow::into_owned)
    }

    #[test]
    fn placeholders_never_identify_anybody() {
        let placeholders = [
            "null",
            "undefined",
            "anonymous",
            "guest",
            "0",
            "-1",
            "00000000-0000-0000-0000-000000000000",
            "[object Object]",
            "NaN",
            "None",
            "true",
            "'null'",
            "\"undefined\"",
            " ",
            "",
            "GUEST",
            "\t",
            "---",
        ];
        for placeholder in placeholders {
            assert_eq!(normalized("user_id", placeholder), None, "{placeholder:?}");
            assert_eq!(normalized("email", placeholder), None, "{placeholder:?}");
        }
        assert_eq!(normalized("user_id", "nan").as_deref(), Some("nan"));
        assert_eq!(normalized("user_id", "10").as_deref(), Some("10"));
    }

    #[test]
    fn emails_and_phones_are_written_one_way() {
        assert_eq!(normalized("email", " Jane@E.com ").as_deref(), Some("jane@e.com"));
        assert_eq!(normalized("phone", "+1 (202) 555-0100").as_deref(), Some("+12025550100"));
        assert_eq!(normalized("phone", "0012025550100").as_deref(), Some("+12025550100"));
        assert_eq!(normalized("phone", "n/a"), None);
        assert_eq!(normalized("user_id", "U1 ").as_deref(), Some("U1 "));
    }

    #[test]
    fn normalizing_twice_is_normalizing_once() {
        for (kind, raw) in [("email", " A@B.c "), ("phone", "(00) 49-171-1"), ("phone", "0049 171"), ("user_id", " x ")]
        {
            let once = normalized(kind, raw).unwrap();
            assert_eq!(normalized(kind, &once).as_deref(), Some(once.as_str()));
        }
    }
}
