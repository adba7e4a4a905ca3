//! Small random histories over a handful of identifiers and instants: few enough that everything collides.
//!
//! Event times tie, limits are hit, hubs overflow and facts come late, because the laws must hold exactly there.

use cdp_core::cdp::{AsOf, ChangesQuery, Data, IngestOptions, Query};
use cdp_core::records::{Cells, Receipt, Timestamp, Value};
use cdp_core::{Cdp, OpenOptions, Result};

use crate::json;

/// The instant of slot 0: 2024-01-01T00:00:00Z.
pub const START_MS: i64 = 1_704_067_200_000;
/// One slot.
pub const HOUR_MS: i64 = 3_600_000;
/// How many slots facts lie in.
pub const SLOTS: i64 = 8;

/// The instant of a slot.
pub fn slot(slot: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + slot * HOUR_MS)
}

/// A store in RAM whose clock stands, and whose random ids are the same each time.
pub fn in_memory(clock: Timestamp) -> Cdp {
    Cdp::open(OpenOptions::in_memory().clock(clock).id_seed("laws")).unwrap()
}

/// What a fact says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// `identify` with traits.
    Identify,
    /// `track` of `Bought` or `Seen`.
    Track,
    /// `page`.
    Page,
    /// `alias`.
    Alias,
    /// A choice about marketing.
    Consent,
}

/// One message of a history.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What it says.
    pub says: Says,
    /// Its user id, if any.
    pub user: Option<u8>,
    /// Its anonymous id, if any.
    pub device: Option<u8>,
    /// Its email in `context.traits`, if any.
    pub email: Option<u8>,
    /// The slot of its event time.
    pub slot: u8,
    /// What its value is made of.
    pub value: u8,
    /// The beginning of its message id, so that the order of ids is not the order of the history.
    pub id: u8,
}

/// Amounts in all the ways in which a number arrives.
const AMOUNTS: [&str; 8] = ["10", "0.1", "\"2.5\"", "-3", "1e2", "0.000000001", "null", "\"no number\""];

impl Fact {
    /// The Segment message, `index` making its id unique.
    pub fn message(&self, index: usize) -> Value {
        let value = usize::from(self.value);
        let mut fields = vec![
            format!("\"messageId\": \"{}-{index}\"", self.id),
            format!("\"timestamp\": \"{}\"", slot(i64::from(self.slot))),
        ];
        // Somebody is always named.
        let device = self.device.or_else(|| (self.user.is_none() && self.email.is_none()).then_some(0));
        fields.extend(self.user.map(|user| format!("\"userId\": \"u{user}\"")));
        fields.extend(device.map(|device| format!("\"anonymousId\": \"a{device}\"")));
        let email = self.email.map_or(String::new(), |email| format!("\"traits\": {{\"email\": \"E{email}@x.org\"}}"));
        let choice = ["{\"marketing\": true}", "{\"marketing\": false}", "{}"];
        let consent = match self.says {
            Says::Consent => format!(
                "\"consent\": {{\"categoryPreferences\": {}}}",
                choice.get(value % choice.len()).copied().unwrap_or_default()
            ),
            _ => String::new(),
        };
        let context: Vec<String> = [email, consent].into_iter().filter(|part| !part.is_empty()).collect();
        fields.push(format!("\"context\": {{{}}}", context.join(", ")));
        fields.push(match self.says {
            Says::Identify => {
                let plan = ["\"a\"", "\"b\"", "null"].get(value % 3).copied().unwrap_or_default();
                format!("\"type\": \"identify\", \"traits\": {{\"plan\": {plan}, \"n\": {value}}}")
            }
            Says::Track | Says::Consent => {
                let event = if value.is_multiple_of(3) { "Seen" } else { "Bought" };
                let amount = AMOUNTS.get(value % AMOUNTS.len()).copied().unwrap_or("0");
                format!(
                    "\"type\": \"track\", \"event\": \"{event}\", \"properties\": {{\"amount\": {amount}, \"sku\": \"s{}\"}}",
                    value % 3
                )
            }
            Says::Page => format!("\"type\": \"page\", \"name\": \"p{value}\""),
            // Without a user there is nothing to alias to: then the user is u0.
            Says::Alias => {
                let user = if self.user.is_none() { "\"userId\": \"u0\", " } else { "" };
                let previous = if value.is_multiple_of(4) && device.is_some() {
                    format!("a{}", device.unwrap_or(0))
                } else {
                    format!("u{}", value % 4)
                };
                format!("{user}\"type\": \"alias\", \"previousId\": \"{previous}\"")
            }
        });
        json(&format!("{{{}}}", fields.join(", ")))
    }
}

/// The messages of a history.
pub fn messages(history: &[Fact]) -> Vec<Value> {
    history.iter().enumerate().map(|(index, fact)| fact.message(index)).collect()
}

/// Identity definitions under which small histories hit every limit; the empty one is the preset.
pub const IDENTITIES: [&str; 5] = [
    "",
    r#"{"kind": "identity", "name": "tight", "identifiers": [
        {"type": "user_id", "role": "person", "priority": 1, "limit": 1},
        {"type": "email", "role": "contact", "priority": 2, "limit": 2, "normalize": "email", "max_links_from": {"*": 2}},
        {"type": "anonymous_id", "role": "device", "priority": 9, "limit": {"n": 2, "window": "2h"}, "max_links_from": {"*": 1}}]}"#,
    r#"{"kind": "identity", "name": "tight", "identifiers": [
        {"type": "user_id", "role": "person", "priority": 1, "limit": 2, "max_links_from": {"anonymous_id": 1, "*": 2}},
        {"type": "email", "role": "contact", "priority": 2, "limit": 1, "normalize": "email"},
        {"type": "anonymous_id", "role": "device", "priority": 9, "max_links_from": {"user_id": 1, "*": 1}}]}"#,
    r#"{"kind": "identity", "name": "tight", "identifiers": [
        {"type": "anonymous_id", "role": "device", "priority": 1, "limit": {"n": 1, "window": "3h"}},
        {"type": "user_id", "role": "person", "priority": 2},
        {"type": "email", "role": "contact", "priority": 2, "limit": 1, "normalize": "email"}]}"#,
    r#"{"kind": "identity", "name": "tight", "max_identifiers": 4, "traits": {"n": "sum"}, "identifiers": [
        {"type": "user_id", "role": "person", "priority": 1, "limit": 2},
        {"type": "email", "role": "contact", "priority": 2, "normalize": "email", "on_conflict": "refuse"},
        {"type": "anonymous_id", "role": "device", "priority": 9, "on_conflict": "latest_link_wins"}]}"#,
];

/// A consent policy, features of every aggregate and audiences over every kind of fact.
pub const DERIVED: &str = r#"[
  {"kind": "consent_policy", "name": "default", "purposes": {"marketing": {"unknown": "deny"}, "service": {"unknown": "allow"}}},
  {"kind": "feature", "name": "bought", "event": "Bought", "agg": "count"},
  {"kind": "feature", "name": "bought_2h", "event": "Bought", "agg": "count", "within": "2h"},
  {"kind": "feature", "name": "spend", "event": "Bought", "agg": "sum", "property": "amount"},
  {"kind": "feature", "name": "mean", "event": "Bought", "agg": "avg", "property": "amount"},
  {"kind": "feature", "name": "least", "event": "Bought", "agg": "min", "property": "amount"},
  {"kind": "feature", "name": "most", "event": "Bought", "agg": "max", "property": "amount"},
  {"kind": "feature", "name": "spread", "event": "Bought", "agg": "stddev", "property": "amount"},
  {"kind": "feature", "name": "skus", "event": "Bought", "agg": "count_distinct", "property": "sku"},
  {"kind": "feature", "name": "first_sku", "event": "Bought", "agg": "first", "property": "sku"},
  {"kind": "feature", "name": "last_sku", "event": "Bought", "agg": "last", "property": "sku"},
  {"kind": "feature", "name": "first_at", "event": "Bought", "agg": "first_at"},
  {"kind": "feature", "name": "last_at", "event": "Bought", "agg": "last_at", "ttl": "3h"},
  {"kind": "audience", "name": "busy", "rule": {"event": "Bought", "count": {"gte": 2}, "within": "2h"}},
  {"kind": "audience", "name": "rich", "rule": {"feature": "spend", "op": "gte", "value": 10}},
  {"kind": "audience", "name": "quiet", "rule": {"not": {"event": "Bought", "within": "3h"}}},
  {"kind": "audience", "name": "plan_a", "population": "known", "rule": {"trait": "plan", "op": "eq", "value": "a"}},
  {"kind": "audience", "name": "willing", "rule": {"consent": "marketing", "status": "granted"}},
  {"kind": "audience", "name": "reachable", "rule": {"all": [{"identity": "has", "type": "email"}, {"not": {"audience": "busy"}}]}},
  {"kind": "audience", "name": "keen", "rule": {"all": [{"event": "Bought", "count": {"gte": 3}, "within": "4h"},
    {"event": "Bought", "agg": "sum", "property": "amount", "op": "gte", "value": 5},
    {"not": {"event": "Seen", "within": "2h"}}]}},
  {"kind": "audience", "name": "choosy", "rule": {"any": [
    {"event": "Bought", "count": {"gte": 2}, "within": "3h", "where": [{"property": "amount", "op": "gte", "value": 1}]},
    {"event": "*", "count": {"gt": 3}, "within": "2h"}]}},
  {"kind": "audience", "name": "once", "rule": {"at_least": {"n": 2, "of": [
    {"event": "Bought", "count": {"eq": 1}, "within": "4h", "where": [{"property": "sku", "op": "ne", "value": "s1"}]},
    {"event": "Seen", "count": {"lte": 1}, "within": "2h"}, {"feature": "bought", "op": "between", "value": [1, 3]}]}}},
  {"kind": "audience", "name": "plan_unseen", "rule": {"all": [{"trait": "plan", "op": "eq", "value": "a"}, {"not": {"event": "Seen"}}]}},
  {"kind": "audience", "name": "known_busy", "population": "known", "rule": {"event": "Bought", "within": "3h"}},
  {"kind": "audience", "name": "fresh", "rule": {"not": {"event": "Bought"}}},
  {"kind": "audience", "name": "half", "rule": {"bucket": {"seed": "half", "from": 0, "to": 5000}}},
  {"kind": "audience", "name": "held_out", "rule": {"all": [{"event": "Bought", "within": "3h"},
    {"not": {"bucket": {"seed": "holdout", "from": 2500, "to": 7500}}}]}},
  {"kind": "audience", "name": "steps", "rule": {"sequence": [{"event": "Seen"}, {"event": "Bought"}], "within": "4h"}}
]"#;

/// Every name of an audience in [`DERIVED`].
pub const AUDIENCES: [&str; 15] = [
    "busy",
    "rich",
    "quiet",
    "plan_a",
    "willing",
    "reachable",
    "keen",
    "choosy",
    "once",
    "plan_unseen",
    "known_busy",
    "fresh",
    "half",
    "held_out",
    "steps",
];

/// The distances at which windows of [`DERIVED`] slide, in slots.
pub const WINDOWS: [i64; 3] = [2, 3, 4];

/// Makes the definitions hold, with one of [`IDENTITIES`].
pub fn define(db: &Cdp, identity: usize) -> Result<()> {
    let mut definitions = json(DERIVED).as_list().unwrap_or_default().to_vec();
    definitions.extend(IDENTITIES.get(identity).filter(|text| !text.is_empty()).map(|text| json(text)));
    db.define(&definitions).map(|_| ())
}

/// Takes in messages as one batch.
pub fn ingest(db: &Cdp, messages: &[Value]) -> Result<Receipt> {
    let values = messages.iter().cloned().map(Ok);
    db.ingest(Data::Values(Box::new(values)), &IngestOptions::default(), None)
}

/// A query at an instant.
pub fn at(time: Timestamp) -> Query {
    Query::new().as_of(AsOf::at(time))
}

/// The profile ids of an audience's members at an instant.
pub fn members(db: &Cdp, audience: &str, time: Timestamp) -> Result<Vec<String>> {
    let frame = db.members(audience, &at(time))?;
    let mut ids = texts(&frame, "profile_id");
    ids.sort_unstable();
    Ok(ids)
}

/// A column of text.
pub fn texts(frame: &cdp_core::records::Frame, column: &str) -> Vec<String> {
    match frame.column(column) {
        Some(Cells::Text(cells)) => cells.iter().map(|cell| cell.clone().unwrap_or_default()).collect(),
        _ => Vec::new(),
    }
}

/// Everybody at an instant with all that holds of them, as JSON, sorted.
pub fn people(db: &Cdp, time: Timestamp) -> Result<Vec<String>> {
    let mut people = Vec::new();
    for id in texts(&db.profiles(&at(time))?, "profile_id") {
        let identifier = Value::object([("profile_id", Value::Text(id))]);
        people.push(
            db.profile(&identifier, Some(AsOf::at(time)))?
                .map_or(String::new(), |profile| Value::from(profile).to_json()),
        );
    }
    people.sort_unstable();
    Ok(people)
}

/// The faults that the store finds in itself, and those of its outbox: folded, it must give the members at `advanced_to`.
pub fn faults(db: &Cdp) -> Result<Vec<String>> {
    let mut faults = db.verify()?.faults;
    let Some(advanced_to) = db.stats()?.advanced_to else { return Ok(faults) };
    let defined = db.definitions()?;
    let audiences =
        defined.iter().filter(|definition| definition.get("kind").and_then(Value::as_text) == Some("audience"));
    for audience in audiences.filter_map(|audience| audience.get("name").and_then(Value::as_text)) {
        let changes = db.audience_changes(&ChangesQuery::new().audience(audience))?;
        let mut folded = std::collections::BTreeSet::new();
        for (id, change) in texts(&changes, "profile_id").into_iter().zip(texts(&changes, "type")) {
            match change.as_str() {
                "Audience Entered" => folded.insert(id),
                _ => folded.remove(&id),
            };
        }
        if folded.into_iter().collect::<Vec<String>>() != members(db, audience, advanced_to)? {
            faults.push(format!("audience `{audience}`: the folded outbox differs from the members"));
        }
    }
    Ok(faults)
}
