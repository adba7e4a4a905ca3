//! The identifiers that a message names, and the node it belongs to.

use super::normalize::normalize;
use crate::definitions::{IdentifierType, IdentityDefinition, Role};
use crate::records::{Message, MessageType, Object, Reject, RejectReason, Value};

/// What a message says about identity.
#[derive(Clone, PartialEq)]
pub(crate) struct Identified {
    /// The kept identifiers (type, value): the first is the message's node, the others are linked to it.
    pub(crate) kept: Vec<(String, String)>,
    /// The types of which a value was blocked.
    pub(crate) blocked: Vec<String>,
    /// The identifier that an alias declares to mean the same person as the message's user.
    pub(crate) alias: Option<(String, String)>,
    /// The accounts that the message names.
    pub(crate) accounts: Vec<(String, String)>,
}

/// Shows how many identifiers there are, never one of them.
impl std::fmt::Debug for Identified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} kept, {} blocked", self.kept.len(), self.blocked.len())
    }
}

impl Identified {
    /// Whether the link from the message's node to this identifier is what an alias declares.
    pub(crate) fn is_alias_link(&self, identifier_type: &str, value: &str) -> bool {
        let Some((alias_type, alias)) = &self.alias else { return false };
        let is_alias = |(of_type, of_value): (&str, &str)| of_type == alias_type && of_value == alias;
        let node = self.kept.first().map(|(of_type, of_value)| (of_type.as_str(), of_value.as_str()));
        // The alias is the other end; or it is the node itself, and the other end is the message's user.
        is_alias((identifier_type, value)) || (node.is_some_and(is_alias) && identifier_type == "user_id")
    }
}

/// Finds the identifiers of a message. A message without a kept identifier is a reject, as is an undeclared type.
pub(crate) fn identify(definition: &IdentityDefinition, message: &Message) -> Result<Identified, Reject> {
    let mut found = Found { definition, named: Vec::new(), blocked: Vec::new() };
    let own_anonymous_id = scalar(message.fields.get("anonymousId"));
    found.take("user_id", scalar(message.fields.get("userId")));
    found.take("anonymous_id", own_anonymous_id.clone());
    found.take("group_id", scalar(message.fields.get("groupId")));
    let context = message.object("context");
    found.take("group_id", scalar(context.and_then(|context| context.get("groupId"))));
    let alias = alias_of(message, own_anonymous_id.as_deref());
    for (identifier_type, value) in &message.ids {
        if definition.identifier(identifier_type).is_none() {
            return Err(undeclared(identifier_type));
        }
        found.take(identifier_type, Some(value.clone()));
    }
    if message.kind == MessageType::Identify {
        found.take_from_traits(message.object("traits"));
    }
    found.take_from_traits(context.and_then(|context| context.get("traits")).and_then(Value::as_object));
    found.take_external_ids(context.and_then(|context| context.get("externalIds")));
    let alias = alias.and_then(|(identifier_type, value)| found.normalized(identifier_type, &value));
    if let Some((identifier, value)) = &alias {
        found.keep(identifier.clone(), value.clone());
    }
    found.into_identified(alias.map(|(identifier, value)| (identifier.name, value)))
}

/// `previousId` is an anonymous id if it equals the message's own, else a user id.
fn alias_of(message: &Message, own_anonymous_id: Option<&str>) -> Option<(&'static str, String)> {
    if message.kind != MessageType::Alias {
        return None;
    }
    let previous = scalar(message.fields.get("previousId"))?;
    let identifier_type = if own_anonymous_id == Some(previous.as_str()) { "anonymous_id" } else { "user_id" };
    Some((identifier_type, previous))
}

fn undeclared(identifier_type: &str) -> Reject {
    Reject::at(
        RejectReason::BadValue,
        format!("ids.{identifier_type}"),
        format!(
            "the identifier type `{identifier_type}` is not declared; add to the identity definition: \
             {{\"type\": \"{identifier_type}\", \"role\": \"person\", \"priority\": 4, \"limit\": 5}}"
        ),
    )
}

/// Text or a number as identifiers write it; anything else identifies nobody.
fn scalar(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `user_id` as Segment's libraries write it: `userId`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or("").to_owned();
    words.fold(first, |mut text, word| {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text
    })
}

struct Found<'d> {
    definition: &'d IdentityDefinition,
    named: Vec<(IdentifierType, String)>,
    blocked: Vec<String>,
}

impl Found<'_> {
    fn normalized(&mut self, identifier_type: &str, raw: &str) -> Option<(IdentifierType, String)> {
        let identifier = self.definition.identifier(identifier_type)?.clone();
        self.normalized_as(identifier, raw)
    }

    fn normalized_as(&mut self, identifier: IdentifierType, raw: &str) -> Option<(IdentifierType, String)> {
        match normalize(&identifier, raw) {
            Some(value) => Some((identifier, value)),
            None => {
                if !self.blocked.contains(&identifier.name) {
                    self.blocked.push(identifier.name);
                }
                None
            }
        }
    }

    fn keep(&mut self, identifier: IdentifierType, value: String) {
        if !self.named.iter().any(|(kept, kept_value)| kept.name == identifier.name && *kept_value == value) {
            self.named.push((identifier, value));
        }
    }

    fn take(&mut self, identifier_type: &str, raw: Option<String>) {
        if let Some((identifier, value)) = raw.and_then(|raw| self.normalized(identifier_type, &raw)) {
            self.keep(identifier, value);
        }
    }

    fn take_from_traits(&mut self, traits: Option<&Object>) {
        let Some(traits) = traits else { return };
        let definition = self.definition;
        for identifier in definition.identifiers.iter().filter(|identifier| identifier.role != Role::Account) {
            let snake_case = traits.get(&identifier.name);
            self.take(&identifier.name, scalar(snake_case.or_else(|| traits.get(&camel_case(&identifier.name)))));
        }
    }

    fn take_external_ids(&mut self, external_ids: Option<&Value>) {
        for external in external_ids.and_then(Value::as_list).unwrap_or_default() {
            let identifier_type = external.get("type").and_then(Value::as_text);
            let (Some(name), Some(raw)) = (identifier_type, scalar(external.get("id"))) else { continue };
            let mut identifier =
                self.definition.identifier(name).cloned().unwrap_or_else(|| IdentifierType::external(name));
            if external.get("collection").and_then(Value::as_text) == Some("accounts") {
                identifier.role = Role::Account;
            }
            if let Some((identifier, value)) = self.normalized_as(identifier, &raw) {
                self.keep(identifier, value);
            }
        }
    }

    fn into_identified(self, alias: Option<(String, String)>) -> Result<Identified, Reject> {
        let Found { named, blocked, .. } = self;
        let (accounts, mut people): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|(identifier, _)| identifier.role == Role::Account);
        people.sort_by(|(left, left_value), (right, right_value)| {
            (left.priority, &left.name, left_value).cmp(&(right.priority, &right.name, right_value))
        });
        if people.is_empty() {
            let detail = match blocked.is_empty() {
                true => "no identifier; give userId, anonymousId or another declared identifier".to_owned(),
                false => format!("no usable identifier: the value of {} is a placeholder", blocked.join(", ")),
            };
            return Err(Reject::new(RejectReason::NoIdentifier, detail));
        }
        let plain = |found: Vec<(IdentifierType, String)>| {
            found.into_iter().map(|(identifier, value)| (identifier.name, value)).collect::<Vec<_>>()
        };
        let kept = plain(people);
        // An alias whose two ids are the same, or whose previous id is blocked, links nothing.
        let alias = alias.filter(|_| kept.len() > 1);
        Ok(Identified { kept, blocked, alias, accounts: plain(accounts) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Message {
        let Value::Object(fields) = Value::parse(json.as_bytes()).unwrap() else { panic!("an object") };
        let kind = MessageType::parse(fields.get("type").and_then(Value::as_text).unwrap()).unwrap();
        Message {
            kind,
            message_id: None,
            event: None,
            timestamp: None,
            original_timestamp: None,
            sent_at: None,
            received_at: None,
            ids: Vec::new(),
            fields,
        }
    }

    fn kept(json: &str) -> Vec<String> {
        let identified = identify(&IdentityDefinition::segment(), &message(json)).unwrap();
        identified.kept.into_iter().map(|(kind, value)| format!("{kind}:{value}")).collect()
    }

    #[test]
    fn the_strongest_identifier_comes_first() {
        let found = kept(r#"{"type":"identify","anonymousId":"a1","userId":"u1","traits":{"email":" X@e.com"}}"#);
        assert_eq!(found, ["user_id:u1", "email:x@e.com", "anonymous_id:a1"]);
    }

    #[test]
    fn traits_of_a_track_identify_nobody_but_context_traits_do() {
        let found = kept(
            r#"{"type":"track","userId":"u1","traits":{"email":"a@e.com"},"context":{"traits":{"email":"q@e.com"}},"properties":{"email":"z@e.com"}}"#,
        );
        assert_eq!(found, ["user_id:u1", "email:q@e.com"]);
    }

    #[test]
    fn undeclared_external_ids_are_kept_as_the_weakest() {
        let found = kept(
            r#"{"type":"track","userId":"u1","context":{"externalIds":[{"id":"123","type":"shopify_id","collection":"users","encoding":"none"}]}}"#,
        );
        assert_eq!(found, ["user_id:u1", "shopify_id:123"]);
    }

    #[test]
    fn an_account_is_no_person() {
        let message = message(r#"{"type":"group","groupId":"g"}"#);
        let reject = identify(&IdentityDefinition::segment(), &message).unwrap_err();
        assert_eq!(reject.reason, RejectReason::NoIdentifier);
    }
}
