//! Normalizes identifier values, and blocks placeholders that identify no one.
//!
//! The blocked values are the union of those that Segment, PostHog and Adobe refuse (SEMANTICS, FIELD b).

use std::borrow::Cow;

use crate::definitions::{Blocked, IdentifierType, Normalize};

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
const LONGEST_PLACEHOLDER_BYTES: usize = 17;
/// Longer texts are no telephone numbers: 15 digits, separators, and an extension.
const LONGEST_PHONE_CHARS: usize = 40;
/// Longer values are no identifiers (Adobe's limit).
const LONGEST_CHARS: usize = 1024;

/// The normalized value; `None` if the value is blocked. A value that is normal already is not copied.
pub(crate) fn normalize<'v>(identifier: &IdentifierType, raw: Cow<'v, str>) -> Option<Cow<'v, str>> {
    let value = match identifier.normalize {
        Normalize::Exact => return (!is_blocked_for(identifier, &raw)).then_some(raw),
        Normalize::Email => raw.trim().to_lowercase(),
        Normalize::EmailCanonical => mailbox(&raw.trim().to_lowercase()),
        Normalize::Phone => phone(&raw, identifier.default_region.as_deref()),
    };
    let blocked = is_blocked_for(identifier, &value) || is_blocked(&raw);
    match (blocked, value == raw) {
        (true, _) => None,
        (false, true) => Some(raw),
        (false, false) => Some(Cow::Owned(value)),
    }
}

fn is_blocked_for(identifier: &IdentifierType, value: &str) -> bool {
    is_blocked(value)
        || identifier.blocked.iter().any(|blocked| match blocked {
            Blocked::Value(blocked) => blocked == value,
            Blocked::Pattern(pattern) => pattern.is_match(value),
        })
}

/// The mailbox of a lowercased address: without `+tag`, and without dots where Google ignores them.
fn mailbox(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return address.to_owned() };
    let local = local.split_once('+').map_or(local, |(before, _)| if before.is_empty() { local } else { before });
    match domain {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
        _ => format!("{local}@{domain}"),
    }
}

/// The number in E.164. A text that is no number of the region, or has no region, becomes its digits, with a leading
/// plus if it has one.
fn phone(raw: &str, default_region: Option<&str>) -> String {
    let of_region = |text: &str| {
        let region = default_region.filter(|_| text.chars().count() <= LONGEST_PHONE_CHARS)?;
        crate::definitions::national_number(text, region)
    };
    of_region(raw).unwrap_or_else(|| {
        let digits = digits_of_phone(raw);
        // Odd characters between digits may hide a number, which a second normalization would find.
        of_region(&digits).unwrap_or(digits)
    })
}

fn digits_of_phone(raw: &str) -> String {
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
        || (unquoted.len() <= LONGEST_PLACEHOLDER_BYTES
            && (BLOCKED_EXACT.contains(&unquoted)
                || BLOCKED_ANY_CASE.iter().any(|blocked| blocked.eq_ignore_ascii_case(unquoted))))
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
    fn no_placeholder_is_longer_than_is_looked_for() {
        let longest = BLOCKED_ANY_CASE.iter().chain(&BLOCKED_EXACT).map(|blocked| blocked.len()).max();
        assert_eq!(longest, Some(LONGEST_PLACEHOLDER_BYTES));
    }

    #[test]
    fn placeholders_identify_no_one() {
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
    fn a_national_number_is_at_home_in_the_default_region() {
        let preset = IdentityDefinition::segment();
        let mut german = preset.identifier("phone").unwrap().clone();
        german.default_region = Some("DE".to_owned());
        let normalized = |raw: &str| normalize(&german, raw.into()).map(Cow::into_owned);
        for raw in ["0171 1234567", "+49 171 1234567", "0049 171/1234567", "(0171) 123-4567", "171 1234567"] {
            assert_eq!(normalized(raw).as_deref(), Some("+491711234567"), "{raw}");
        }
        assert_eq!(normalized("+1 202 555 0100").as_deref(), Some("+12025550100"));
        // No number of the region, and still the same value each time.
        assert_eq!(normalized("12").as_deref(), Some("12"));
        assert_eq!(normalized("6900:0"), normalized("69000"));
        assert_eq!(normalized("n/a"), None);
        assert_eq!(normalized(&"9".repeat(2000)), None);
    }

    #[test]
    fn all_spellings_of_a_mailbox_are_one() {
        let preset = IdentityDefinition::crm();
        let email = preset.identifier("email").unwrap();
        let normalized = |raw: &str| normalize(email, raw.into()).map(Cow::into_owned);
        for raw in ["Jane.Doe+news@Gmail.com", "janedoe@googlemail.com", " jane.doe@gmail.com "] {
            assert_eq!(normalized(raw).as_deref(), Some("janedoe@gmail.com"), "{raw}");
        }
        assert_eq!(normalized("Jane.Doe+x@e.com").as_deref(), Some("jane.doe@e.com"));
        assert_eq!(normalized("+x@e.com").as_deref(), Some("+x@e.com"));
        assert_eq!(normalized("no mailbox").as_deref(), Some("no mailbox"));
    }

    #[test]
    fn patterns_block_matching_values() {
        let preset = IdentityDefinition::segment();
        let mut email = preset.identifier("email").unwrap().clone();
        email.blocked = vec![Blocked::Value("a@b.c".to_owned()), Blocked::Pattern("@test\\.".parse().unwrap())];
        for blocked in ["a@b.c", "A@b.c", "x@test.org"] {
            assert_eq!(normalize(&email, blocked.into()), None, "{blocked}");
        }
        assert_eq!(normalize(&email, "x@latest.org".into()).as_deref(), Some("x@latest.org"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_normalizes_without_panic(raw in ".{0,60}", region in proptest::sample::select(vec!["DE", "US", "JP", "GB", "BR"])) {
            let mut phone_type = IdentityDefinition::segment().identifier("phone").unwrap().clone();
            phone_type.default_region = Some(region.to_owned());
            if let Some(once) = normalize(&phone_type, raw.into()) {
                let again = normalize(&phone_type, once.clone());
                proptest::prop_assert_eq!(again.as_deref(), Some(once.as_ref()));
            }
        }
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
