//! Extracts the identifiers and accounts that a message names, and the node that the message belongs to.

use std::borrow::Cow;

use super::normalize::normalize;
use crate::definitions::{IdentifierType, IdentityDefinition, Role};
use crate::records::{Json, JsonObject, Message, MessageType, Reject, RejectReason};

/// An identifier: its type and value, borrowed from the definition and the message where possible.
pub(crate) type FoundIdentifier<'m> = (Cow<'m, str>, Cow<'m, str>);

/// The identity evidence of a message.
#[derive(Clone, PartialEq)]
pub(crate) struct Identified<'m> {
    /// The kept identifiers (type, value): the first is the message's node, the others are linked to it.
    pub(crate) kept: Vec<FoundIdentifier<'m>>,
    /// The types of blocked values.
    pub(crate) blocked: Vec<String>,
    /// The identifier that an alias declares to be of the person that the message's user is.
    pub(crate) alias: Option<FoundIdentifier<'m>>,
}

/// Shows the number of identifiers, never one of them.
impl std::fmt::Debug for Identified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} kept, {} blocked", self.kept.len(), self.blocked.len())
    }
}

impl Identified<'_> {
    /// Whether the link from the message's node to this identifier is the one that an alias declares.
    pub(crate) fn is_alias_link(&self, identifier_type: &str, value: &str) -> bool {
        let Some((alias_type, alias)) = &self.alias else { return false };
        let is_alias = |of_type: &str, of_value: &str| of_type == alias_type && of_value == alias;
        let node_is_alias = || self.kept.first().is_some_and(|(of_type, of_value)| is_alias(of_type, of_value));
        // The alias is the other end; or it is the node itself, and the other end is the message's user.
        is_alias(identifier_type, value) || (identifier_type == "user_id" && node_is_alias())
    }
}

/// Extracts the identifiers of a message. A message without a kept identifier is a reject, and so is an undeclared
/// type.
pub(crate) fn identify<'m>(definition: &'m IdentityDefinition, message: &'m Message) -> Result<Identified<'m>, Reject> {
    let mut found = Extractor { definition, named: Vec::with_capacity(4), blocked: Vec::new() };
    let (mut context, mut traits, mut previous_id, mut own_anonymous_id) = (None, None, None, None);
    for (name, value) in message.fields.members() {
        match name {
            "userId" => found.take("user_id", scalar(value)),
            "anonymousId" => {
                own_anonymous_id = scalar(value);
                found.take("anonymous_id", own_anonymous_id.clone());
            }
            "groupId" => found.take("group_id", scalar(value)),
            "previousId" => previous_id = scalar(value),
            "context" => context = Some(value),
            "traits" => traits = Some(value),
            _ => {}
        }
    }
    found.take("group_id", context.and_then(|context| context.get("groupId")).and_then(scalar));
    for (identifier_type, value) in &message.ids {
        if definition.identifier(identifier_type).is_none() {
            return Err(undeclared(identifier_type));
        }
        found.take(identifier_type, Some(Cow::Borrowed(value)));
    }
    if message.kind == MessageType::Identify {
        found.take_from_traits(traits);
    }
    found.take_from_traits(context.and_then(|context| context.get("traits")));
    found.take_external_ids(context.and_then(|context| context.get("externalIds")));
    let mut alias = None;
    if message.kind == MessageType::Alias
        && let Some(previous) = previous_id
    {
        // `previousId` is an anonymous id if it equals the message's own, else a user id.
        let is_own = own_anonymous_id.as_ref() == Some(&previous);
        let identifier_type = if is_own { "anonymous_id" } else { "user_id" };
        if let Some((identifier, value)) = found.normalized(identifier_type, previous) {
            alias = Some((name_of(&identifier), value.clone()));
            found.keep(identifier, value);
        }
    }
    found.into_identified(alias)
}

/// The accounts that a message names, each once: `groupId`, `context.groupId`, the types with the role `account` among
/// its ids, and external ids of the collection `accounts`.
pub(crate) fn accounts<'m>(definition: &'m IdentityDefinition, fields: &'m JsonObject) -> Vec<FoundIdentifier<'m>> {
    let context = fields.get("context");
    let groups = [fields.get("groupId"), context.and_then(|context| context.get("groupId"))];
    let ids = fields.get("ids").filter(|ids| ids.kind() == "object");
    let external_ids = context.and_then(|context| context.get("externalIds"));
    if groups.iter().all(Option::is_none) && ids.is_none() && external_ids.is_none() {
        return Vec::new();
    }
    let mut found = Extractor { definition, named: Vec::new(), blocked: Vec::new() };
    for group in groups.into_iter().flatten() {
        found.take("group_id", scalar(group));
    }
    for identifier in definition.identifiers.iter().filter(|identifier| identifier.role == Role::Account) {
        found.take(&identifier.name, ids.and_then(|ids| ids.get(&identifier.name)).and_then(scalar));
    }
    found.take_external_ids(external_ids);
    found.named.retain(|(identifier, _)| identifier.role == Role::Account);
    found.named.into_iter().map(|(identifier, value)| (name_of(&identifier), value)).collect()
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

/// Text, or a number as identifiers write it; other values identify no one.
fn scalar(value: Json<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        "text" => value.as_text(),
        "number" => Some(Cow::Borrowed(value.text())),
        _ => None,
    }
}

fn name_of<'d>(identifier: &Cow<'d, IdentifierType>) -> Cow<'d, str> {
    match identifier {
        Cow::Borrowed(identifier) => Cow::Borrowed(&identifier.name),
        Cow::Owned(identifier) => Cow::Owned(identifier.name.clone()),
    }
}

/// A name as Segment's libraries write it: `userId` for `user_id`.
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

struct Extractor<'m> {
    definition: &'m IdentityDefinition,
    named: Vec<(Cow<'m, IdentifierType>, Cow<'m, str>)>,
    blocked: Vec<String>,
}

impl<'m> Extractor<'m> {
    fn normalized(
        &mut self,
        identifier_type: &str,
        raw: Cow<'m, str>,
    ) -> Option<(Cow<'m, IdentifierType>, Cow<'m, str>)> {
        let identifier = self.definition.identifier(identifier_type)?;
        self.normalized_as(Cow::Borrowed(identifier), raw)
    }

    fn normalized_as(
        &mut self,
        identifier: Cow<'m, IdentifierType>,
        raw: Cow<'m, str>,
    ) -> Option<(Cow<'m, IdentifierType>, Cow<'m, str>)> {
        match normalize(&identifier, raw) {
            Some(value) => Some((identifier, value)),
            None => {
                if !self.blocked.contains(&identifier.name) {
                    self.blocked.push(identifier.name.clone());
                }
                None
            }
        }
    }

    fn keep(&mut self, identifier: Cow<'m, IdentifierType>, value: Cow<'m, str>) {
        if !self.named.iter().any(|(kept, kept_value)| kept.name == identifier.name && *kept_value == value) {
            self.named.push((identifier, value));
        }
    }

    fn take(&mut self, identifier_type: &str, raw: Option<Cow<'m, str>>) {
        if let Some((identifier, value)) = raw.and_then(|raw| self.normalized(identifier_type, raw)) {
            self.keep(identifier, value);
        }
    }

    fn take_from_traits(&mut self, traits: Option<Json<'m>>) {
        let Some(traits) = traits.filter(|traits| traits.kind() == "object") else { return };
        let definition = self.definition;
        for identifier in definition.identifiers.iter().filter(|identifier| identifier.role != Role::Account) {
            let value = traits.get(&identifier.name).or_else(|| traits.get(&camel_case(&identifier.name)));
            self.take(&identifier.name, value.and_then(scalar));
        }
    }

    fn take_external_ids(&mut self, external_ids: Option<Json<'m>>) {
        for external in external_ids.and_then(Json::items).into_iter().flatten() {
            let identifier_type = external.get("type").and_then(Json::as_text);
            let raw = external.get("id").and_then(scalar);
            let (Some(name), Some(raw)) = (identifier_type, raw) else { continue };
            let mut identifier = match self.definition.identifier(&name) {
                Some(identifier) => Cow::Borrowed(identifier),
                None => Cow::Owned(IdentifierType::external(&name)),
            };
            if external.get("collection").and_then(Json::as_text).as_deref() == Some("accounts") {
                identifier.to_mut().role = Role::Account;
            }
            if let Some((identifier, value)) = self.normalized_as(identifier, raw) {
                self.keep(identifier, value);
            }
        }
    }

    fn into_identified(self, alias: Option<FoundIdentifier<'m>>) -> Result<Identified<'m>, Reject> {
        let Extractor { mut named, blocked, .. } = self;
        named.sort_by(|(left, left_value), (right, right_value)| {
            (left.priority, &left.name, left_value).cmp(&(right.priority, &right.name, right_value))
        });
        // An account groups people and never merges them: see `accounts`.
        let people = named.into_iter().filter(|(identifier, _)| identifier.role != Role::Account);
        let kept: Vec<FoundIdentifier<'m>> = people.map(|(identifier, value)| (name_of(&identifier), value)).collect();
        if kept.is_empty() {
            let detail = match blocked.is_empty() {
                true => "no identifier; give userId, anonymousId or another declared identifier".to_owned(),
                false => format!("no usable identifier: the value of {} is a placeholder", blocked.join(", ")),
            };
            return Err(Reject::new(RejectReason::NoIdentifier, detail));
        }
        // An alias with two equal ids, or with a blocked previous id, links nothing.
        let alias = alias.filter(|_| kept.len() > 1);
        Ok(Identified { kept, blocked, alias })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn message(json: &str) -> Message {
        let fields = Arc::new(JsonObject::parse(json.as_bytes()).unwrap());
        let kind = MessageType::parse(&fields.get("type").and_then(Json::as_text).unwrap()).unwrap();
        Message {
            kind,
            message_id: None,
            event: None,
            timestamp: None,
            original_timestamp: None,
            sent_at: None,
            received_at: None,
            is_dated_by_receipt: false,
            ids: Vec::new(),
            fields,
        }
    }

    fn kept(json: &str) -> Vec<String> {
        let (definition, message) = (IdentityDefinition::segment(), message(json));
        let identified = identify(&definition, &message).unwrap();
        identified.kept.into_iter().map(|(kind, value)| format!("{kind}:{value}")).collect()
    }

    #[test]
    fn the_strongest_identifier_comes_first() {
        let found = kept(r#"{"type":"identify","anonymousId":"a1","userId":"u1","traits":{"email":" X@e.com"}}"#);
        assert_eq!(found, ["user_id:u1", "email:x@e.com", "anonymous_id:a1"]);
    }

    #[test]
    fn traits_of_a_track_identify_no_one_but_context_traits_do() {
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
        let definition = IdentityDefinition::segment();
        let reject = identify(&definition, &message).unwrap_err();
        assert_eq!(reject.reason, RejectReason::NoIdentifier);
        let found = |json: &str| {
            let fields = JsonObject::parse(json.as_bytes()).unwrap();
            let named = accounts(&definition, &fields);
            named.iter().map(|(kind, value)| format!("{kind}:{value}")).collect::<Vec<String>>()
        };
        assert_eq!(found(r#"{"type":"group","userId":"u","groupId":"g"}"#), ["group_id:g"]);
        assert_eq!(found(r#"{"type":"track","context":{"groupId":"h"},"groupId":"h"}"#), ["group_id:h"]);
        let external = r#"{"context":{"externalIds":[{"id":"7","type":"crm_account","collection":"accounts"}]}}"#;
        assert_eq!(found(external), ["crm_account:7"]);
        assert_eq!(found(r#"{"type":"track","groupId":"null"}"#), Vec::<String>::new());
    }
}
