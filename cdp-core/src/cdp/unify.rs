//! Reading people: profiles, their events, why identifiers belong together, and how unification fares.

use std::collections::{BTreeMap, BTreeSet};

use super::snapshot::{Person, Snapshot};
use super::{AsOf, Cdp};
use crate::definitions::{ConsentPolicyDefinition, FeatureDefinition, Role};
use crate::error::{Error, Result};
use crate::features;
use crate::privacy;
use crate::records::{Frame, Number, Object, Timestamp, Value};
use crate::rules::{ConsentStatus, Measurer};

/// How many values the identity report shows of those that most others name.
const SHOWN_HUBS: usize = 10;

/// How a caller names a person: `{type: value}` with one key, or `{profile_id: ...}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Identifier {
    /// The identifier type, or `profile_id`.
    pub identifier_type: String,
    /// The value as the caller wrote it.
    pub value: String,
}

/// Shows the type, never the value.
impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identifier({}: ***)", self.identifier_type)
    }
}

impl Identifier {
    /// An identifier of a type.
    pub fn new(identifier_type: impl Into<String>, value: impl Into<String>) -> Identifier {
        Identifier { identifier_type: identifier_type.into(), value: value.into() }
    }

    pub(super) fn is_profile_id(&self) -> bool {
        self.identifier_type == "profile_id"
    }

    /// Reads `{type: value}`; the value is text or a number.
    pub fn from_value(value: &Value) -> Result<Identifier> {
        let hint = "give one, such as {\"user_id\": \"u1\"}";
        let one = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
        let Some((identifier_type, value)) = one else {
            return Err(Error::invalid("an identifier is an object with one key: its type").with_hint(hint));
        };
        match value {
            Value::Text(text) => Ok(Identifier::new(identifier_type, text)),
            Value::Number(number) => Ok(Identifier::new(identifier_type, number.to_string())),
            other => {
                Err(Error::invalid(format!("the value of `{identifier_type}` must be text, not {}", other.kind()))
                    .with_hint(hint))
            }
        }
    }
}

impl Snapshot<'_> {
    /// The node a caller speaks of; `None` if nobody matches. An undeclared type that was never seen is an error.
    pub(super) fn node_of(&self, identifier: &Identifier) -> Result<Option<u32>> {
        if identifier.is_profile_id() {
            return Ok(self.find_profile_id(&identifier.value));
        }
        self.check_type(identifier)?;
        Ok(self.find_node(&identifier.identifier_type, &identifier.value))
    }

    /// An undeclared type that was never seen is an error.
    pub(super) fn check_type(&self, identifier: &Identifier) -> Result<()> {
        let identifier_type = &identifier.identifier_type;
        if self.catalog.identity().identifier(identifier_type).is_none()
            && self.memory.name_id(identifier_type).is_none()
        {
            let declared: Vec<&str> =
                self.catalog.identity().identifiers.iter().map(|declared| declared.name.as_str()).collect();
            return Err(Error::invalid(format!("the identifier type `{identifier_type}` is not declared"))
                .with_hint(format!("declared: {}, profile_id", declared.join(", "))));
        }
        Ok(())
    }
}

impl Cdp {
    /// The profile of the person with this identifier, `{type: value}`; `None` if nobody matches.
    ///
    /// `{id, ids: type -> values, traits, features, audiences, cohorts, consents, first_seen, last_seen, merged_from}`,
    /// as of an instant of event time (default: now).
    pub fn profile(&self, identifier: &Value, as_of: Option<AsOf>) -> Result<Option<Value>> {
        let identifier = Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |_, person| {
            let Some(person) = person else { return Ok(None) };
            Ok(Some(self.profile_value(&person, at)?))
        })
    }

    fn profile_value(&self, person: &Person<'_>, at: Timestamp) -> Result<Value> {
        let snapshot = person.snapshot;
        let first_node = person.first_node();
        let mut merged: Vec<u32> = person.nodes.iter().copied().filter(|node| *node != first_node).collect();
        merged.sort_by_cached_key(|node| {
            let (time, priority, kind, value) = snapshot.node_order(*node);
            (time, priority, kind.to_owned(), value.to_owned())
        });
        let (first_seen, last_seen) = person.seen(at)?;
        let time = |time: Option<Timestamp>| time.map_or(Value::Null, |time| Value::Text(time.to_string()));
        Ok(Value::Object(Object::from([
            ("id".to_owned(), Value::Text(snapshot.node_hash(first_node))),
            ("ids".to_owned(), person.ids_value(at)),
            ("traits".to_owned(), Value::Object(person.traits(at)?)),
            ("features".to_owned(), Value::Object(feature_values(person, None, at)?)),
            ("audiences".to_owned(), Value::List(Cdp::audiences_of(person, at)?)),
            ("cohorts".to_owned(), Value::Object(cohorts_of(person, at)?)),
            ("consents".to_owned(), Value::Object(self.consents_of(person, at)?)),
            ("first_seen".to_owned(), time(first_seen)),
            ("last_seen".to_owned(), time(last_seen)),
            (
                "merged_from".to_owned(),
                Value::List(merged.into_iter().map(|node| Value::Text(snapshot.node_hash(node))).collect()),
            ),
        ])))
    }

    /// The features of one person: all, or the named ones.
    pub fn features(&self, identifier: &Value, names: Option<&[String]>, as_of: Option<AsOf>) -> Result<Option<Value>> {
        let identifier = Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |_, person| {
            let Some(person) = person else { return Ok(None) };
            Ok(Some(Value::Object(feature_values(&person, names, at)?)))
        })
    }

    /// Purpose -> `{effective, status, channels, since}` for one person.
    pub fn consents(&self, identifier: &Value, as_of: Option<AsOf>) -> Result<Option<Value>> {
        let identifier = Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |_, person| {
            let Some(person) = person else { return Ok(None) };
            Ok(Some(Value::Object(self.consents_of(&person, at)?)))
        })
    }

    pub(super) fn consents_of(&self, person: &Person<'_>, at: Timestamp) -> Result<Object> {
        let policy = person.snapshot.catalog.consent_policy();
        let mut purposes: BTreeSet<&str> = person.purposes(at)?;
        purposes.extend(policy.into_iter().flat_map(|policy| policy.purposes.iter().map(|(name, _)| name.as_str())));
        let mut consents = Object::new();
        for purpose in purposes {
            let state = person.consent_state(purpose, None, at)?;
            let effective = self.allows(state.status, policy, purpose);
            let mut channels = Object::new();
            for channel in person.channels(purpose, at)? {
                let state = person.consent_state(purpose, Some(channel), at)?;
                channels.insert(channel.to_owned(), Value::from(state.status.as_str()));
            }
            let since = state.since.map_or(Value::Null, |since| Value::Text(since.to_string()));
            consents.insert(
                purpose.to_owned(),
                Value::object([
                    ("effective", Value::Bool(effective)),
                    ("status", Value::from(state.status.as_str())),
                    ("channels", Value::Object(channels)),
                    ("since", since),
                ]),
            );
        }
        Ok(consents)
    }

    pub(super) fn allows(
        &self,
        status: ConsentStatus,
        policy: Option<&ConsentPolicyDefinition>,
        purpose: &str,
    ) -> bool {
        privacy::effective(status, policy, purpose, self.inner.strict_consent)
    }

    /// The events of one person in event-time order: `message_id, source, type, event, occurred_at, recorded_at, properties`.
    pub fn events(
        &self,
        identifier: &Value,
        event: Option<&str>,
        after: Option<usize>,
        limit: Option<usize>,
        as_of: Option<AsOf>,
    ) -> Result<Frame> {
        let identifier = Identifier::from_value(identifier)?;
        let at = self.instant(as_of.unwrap_or_default());
        self.read_person(&identifier, as_of, at, |snapshot, person| {
            let mut rows = Vec::new();
            for (occurred_at, sequence) in person.as_ref().map(Person::messages).transpose()?.into_iter().flatten() {
                if occurred_at <= at {
                    let message = snapshot.facts.message(sequence, &snapshot.memory)?;
                    let name = message.event.map(|event| snapshot.memory.name(event));
                    if event.is_none() || name == event {
                        rows.push(message);
                    }
                }
            }
            rows.sort_by(|left, right| {
                (left.occurred_at, left.ordinal, &left.message_id).cmp(&(
                    right.occurred_at,
                    right.ordinal,
                    &right.message_id,
                ))
            });
            let from = after.unwrap_or(0).min(rows.len());
            let to = limit.map_or(rows.len(), |limit| from.saturating_add(limit).min(rows.len()));
            let more = to < rows.len();
            let mut table = super::tables::EventsTable::default();
            for message in rows.drain(from..to) {
                table.push(snapshot, message, None);
            }
            let mut frame = table.into_frame();
            frame.next = more.then(|| to.to_string());
            Ok(frame)
        })
    }

    /// The ids under which profiles live today: profile id -> present profile id, null if it never was one.
    pub fn resolve(&self, profile_ids: &[String]) -> Result<Value> {
        let at = self.now();
        self.read(|snapshot| {
            let mut found = Object::new();
            for id in profile_ids {
                let person = match snapshot.find_profile_id(id) {
                    Some(node) => snapshot.person(node, at)?,
                    None => None,
                };
                found.insert(id.clone(), person.map_or(Value::Null, |person| Value::Text(person.profile_id())));
            }
            Ok(Value::Object(found))
        })
    }

    /// How unification fares: `{profiles, known, anonymous, match_rate, largest_profile, profile_sizes, identifiers,
    /// accounts, refused_links, hubs, decisions, linkage}`.
    ///
    /// `match_rate` is the share of device identifiers that belong to a known profile (null without devices),
    /// `profile_sizes` counts profiles by their number of identifiers, `refused_links` pairs of identifiers by the reason
    /// (the table `links` lists them), `hubs` the ten values that most others name, beyond what their guard lets link:
    /// `{identifier, linked, kept_out}`; `linkage` is null without one, else `{model_version, live}`: `on`, `off`, or `waits`
    /// where single profiles are not compared until the next [`Cdp::link`]. Cost grows with the store.
    pub fn identity_report(&self) -> Result<Value> {
        let at = self.now();
        self.read_at_length(|snapshot| {
            let (mut known, mut anonymous) = (0i64, 0i64);
            let (mut devices, mut matched) = (0i64, 0i64);
            let mut sizes: BTreeMap<usize, i64> = BTreeMap::new();
            let mut types: BTreeMap<&str, i64> = BTreeMap::new();
            let mut accounts: BTreeSet<(String, String)> = BTreeSet::new();
            for person in snapshot.people(at)? {
                let is_known = crate::rules::ProfileView::is_known(&person, at);
                match is_known {
                    true => known += 1,
                    false => anonymous += 1,
                }
                accounts.extend(person.accounts(at)?.map(|(kind, account)| (kind.to_owned(), account.to_owned())));
                let named = person.nodes_named_by(at);
                *sizes.entry(named.len()).or_default() += 1;
                for node in named {
                    if snapshot.type_rule(node).role == Role::Device {
                        devices += 1;
                        matched += i64::from(is_known);
                    }
                    *types.entry(snapshot.memory.node(node).0).or_default() += 1;
                }
            }
            let refused = snapshot.partition.refused(snapshot).into_iter();
            let mut refused: BTreeMap<String, i64> =
                refused.map(|(reason, count)| (reason, i64::try_from(count).unwrap_or(i64::MAX))).collect();
            for (identifier_type, count) in snapshot.facts.blocked_counts()? {
                *refused.entry(format!("blocked_value:{}", snapshot.memory.name(identifier_type))).or_default() +=
                    count;
            }
            let mut hubs = snapshot.partition.hubs();
            hubs.sort_by_key(|(node, _, kept_out)| (std::cmp::Reverse(*kept_out), snapshot.memory.node(*node)));
            let hubs = hubs.into_iter().take(SHOWN_HUBS).map(|(node, linked, kept_out)| {
                Value::object([
                    ("identifier", snapshot.identifier(node)),
                    ("linked", Value::count(linked)),
                    ("kept_out", Value::count(kept_out)),
                ])
            });
            let decisions = snapshot.decisions.counts().into_iter();
            let decisions = decisions.map(|(kind, n)| (kind.as_str().to_owned(), Value::count(n)));
            let counts = |counts: Vec<(String, i64)>| {
                Value::Object(counts.into_iter().map(|(name, n)| (name, Value::integer(n))).collect())
            };
            Ok(Value::object([
                ("profiles", Value::integer(known + anonymous)),
                ("known", Value::integer(known)),
                ("anonymous", Value::integer(anonymous)),
                ("match_rate", if devices == 0 { Value::Null } else { Value::float(matched as f64 / devices as f64) }),
                ("largest_profile", Value::count(sizes.keys().next_back().copied().unwrap_or(0))),
                ("profile_sizes", counts(sizes.into_iter().map(|(size, n)| (size.to_string(), n)).collect())),
                ("identifiers", counts(types.into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect())),
                ("accounts", Value::count(accounts.len())),
                ("refused_links", counts(refused.into_iter().collect())),
                ("hubs", Value::List(hubs.collect())),
                ("decisions", Value::Object(decisions.collect())),
                ("linkage", linkage_of(snapshot)?),
            ]))
        })
    }
}

/// The model of linkage, and whether single profiles are compared with it.
fn linkage_of(snapshot: &Snapshot<'_>) -> Result<Value> {
    let Some(linkage) = &snapshot.catalog.identity().linkage else { return Ok(Value::Null) };
    let live = match snapshot.facts.linkage_live()? {
        _ if !linkage.live => "off",
        Some(_) => "on",
        None => "waits",
    };
    let model = snapshot.facts.linkage_model()?;
    Ok(Value::object([
        ("model_version", model.map_or(Value::Null, |model| Value::integer(model.version))),
        ("live", Value::from(live)),
    ]))
}

/// Feature name -> value.
pub(super) fn feature_values(person: &Person<'_>, names: Option<&[String]>, at: Timestamp) -> Result<Object> {
    let catalog = person.snapshot.catalog;
    let mut measurer = Measurer::new(person, at);
    let mut value = |feature| named_value(feature, &mut measurer, at);
    match names {
        Some(names) => names.iter().map(|name| catalog.feature(name)).map(|feature| value(feature?)).collect(),
        None => catalog.features().map(value).collect(),
    }
}

fn named_value<'v>(
    feature: &'v FeatureDefinition,
    measurer: &mut Measurer<'v>,
    at: Timestamp,
) -> Result<(String, Value)> {
    Ok((feature.name.clone(), features::value_by(feature, measurer, at)?))
}

fn cohorts_of(person: &Person<'_>, at: Timestamp) -> Result<Object> {
    let mut cohorts = Object::new();
    for predictor in person.snapshot.catalog.predictors() {
        let Some((prediction, method)) = person.predicted(&predictor.name, at)? else { continue };
        cohorts.insert(
            predictor.name.clone(),
            Value::object([
                ("cohort", prediction.cohort.map_or(Value::Null, Value::Text)),
                ("score", Number::from_f64(prediction.score).map_or(Value::Null, Value::Number)),
                ("method", Value::from(method)),
            ]),
        );
    }
    Ok(cohorts)
}
