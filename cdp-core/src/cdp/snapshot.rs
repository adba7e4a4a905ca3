//! One moment of the store: facts, timelines, partition and definitions that agree with each other, and the people in it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use super::profile_ids::{ProfileId, ProfileIds, read_profile_id};
use super::somebody::Somebody;
use super::state::{LoadedModel, State, link_of};
use crate::audiences;
use crate::definitions::{Catalog, TextField};
use crate::error::{Error, Result};
use crate::features;
use crate::identity::{
    Decisions, Link, NodeRules, PartitionView, ProbableView, Profiles, TypeRule, TypeRules, decision_number,
    declared_type, is_within, probable_number,
};
use crate::predict::{Prediction, TrainedModel};
use crate::privacy::{self, Choice, ConsentState};
use crate::records::{Number, Path, StoredLink, TieOrder, Timestamp, Value};
use crate::rules::{ConsentStatus, ProfileView, TimelineEvent, evaluate};
use crate::store::{Annex, ConsentWrite, Facts, Gathered, MemoryView, Store, hex};

/// About so many messages of the log are read in a row in the time of one look-up.
const MESSAGES_PER_LOOK_UP: u64 = 8;

/// Everything that a read needs, at one sequence of the log.
#[derive(Clone, Copy)]
pub(super) struct Snapshot<'a> {
    pub(super) facts: Facts<'a>,
    /// Gives connections to further threads of a scan; without it there are none.
    pub(super) store: Option<&'a Store>,
    pub(super) memory: MemoryView<'a>,
    pub(super) partition: PartitionView<'a>,
    pub(super) catalog: &'a Catalog,
    pub(super) types: &'a TypeRules,
    pub(super) decisions: &'a Decisions,
    pub(super) probable: ProbableView<'a>,
    pub(super) models: &'a BTreeMap<String, LoadedModel>,
    pub(super) salt: &'a [u8; 32],
    pub(super) links_to: u64,
    pub(super) committed_sequence: u64,
    pub(super) committed_nodes: u32,
    pub(super) profile_ids: &'a ProfileIds,
}

impl<'a> Snapshot<'a> {
    /// The committed state.
    pub(super) fn of_state(facts: Facts<'a>, state: &'a State) -> Snapshot<'a> {
        Snapshot {
            facts,
            store: None,
            memory: state.memory.view(),
            partition: state.partition.view(),
            catalog: &state.catalog,
            types: &state.types,
            decisions: &state.decisions,
            probable: state.probable.view(),
            models: &state.models,
            salt: &state.meta.salt,
            links_to: state.meta.links_to,
            committed_sequence: state.memory.sequence,
            committed_nodes: state.memory.n_nodes(),
            profile_ids: &state.profile_ids,
        }
    }

    /// The id of a node for the outside: a keyed hash, so that it tells nothing and resolves for ever.
    pub(super) fn node_hash(&self, node: u32) -> String {
        hex(&self.id_of(node).to_be_bytes())
    }

    fn id_of(&self, node: u32) -> ProfileId {
        let (identifier_type, value) = self.memory.node(node);
        let mut hasher = blake3::Hasher::new_keyed(self.salt);
        hasher.update(identifier_type.as_bytes());
        hasher.update(&[0]);
        hasher.update(value.as_bytes());
        ProfileId::from_be_bytes(hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// The first of the nodes of a person: the one named earliest, then by priority, then by value.
    pub(super) fn first_node(&self, nodes: &[u32]) -> u32 {
        match nodes {
            [only] => *only,
            nodes => nodes.iter().copied().min_by_key(|node| self.node_order(*node)).unwrap_or(0),
        }
    }

    /// What orders people and nodes: (first named at, priority, type, value).
    pub(super) fn node_order(&self, node: u32) -> (Timestamp, u32, &'a str, &'a str) {
        let (identifier_type, value) = self.memory.node(node);
        let first_named_at = self.memory.firsts(node).named_at();
        let priority = self.type_rule(node).priority;
        // Who is only known from a decision comes last.
        (first_named_at.unwrap_or(Timestamp::MAX), priority, identifier_type, value)
    }

    /// What orders a probable link among the evidence of its instant: after every message, before every decision, by
    /// its identifiers whatever their numbers.
    fn probable_order(&self, number: u64) -> String {
        let Some(link) = self.probable.get(number) else { return format!("\u{10fffe}{number:020}") };
        let mut ends = [self.memory.node(link.node), self.memory.node(link.other)];
        ends.sort_unstable();
        let [(left_type, left), (right_type, right)] = ends;
        format!("\u{10fffe}{left_type}\0{left}\0{right_type}\0{right}")
    }

    pub(super) fn type_rule(&self, node: u32) -> &'a TypeRule {
        self.types.rule(self.memory.node_type(node))
    }

    /// The node of a normalized or raw identifier.
    pub(super) fn find_node(&self, identifier_type: &str, raw: &str) -> Option<u32> {
        self.memory.node_id(identifier_type, &self.normalized(identifier_type, raw)?)
    }

    /// A value as the store keeps it; `None` if it is no value of its type.
    pub(super) fn normalized<'v>(&self, identifier_type: &str, raw: &'v str) -> Option<Cow<'v, str>> {
        let declared = declared_type(self.catalog.identity(), identifier_type);
        crate::identity::normalize(&declared, Cow::Borrowed(raw))
    }

    /// The node whose hash is this profile id.
    pub(super) fn find_profile_id(&self, profile_id: &str) -> Option<u32> {
        let wanted = read_profile_id(profile_id)?;
        let found = self.profile_ids.find(wanted, self.committed_nodes, &|node| self.id_of(node));
        // What the transaction that is under way has added is in no index.
        found.or_else(|| (self.committed_nodes..self.memory.n_nodes()).find(|node| self.id_of(*node) == wanted))
    }

    /// The person that a node belongs to at `at`; `None` if no message of theirs happened by then.
    pub(super) fn person(&'a self, node: u32, at: Timestamp) -> Result<Option<Person<'a>>> {
        let node = self.partition.holder_at(node, at, self)?;
        let person = Person::new(self, self.partition.nodes_of_at(node, at), at)?;
        Ok(if person.exists_at(at)? { Some(person) } else { None })
    }

    /// The profiles as they stood at `at`, in no order; some may have had no message by then.
    pub(super) fn profiles_at(&self, at: Timestamp) -> Arc<Profiles> {
        self.partition.profiles_at(self.memory.n_nodes(), at)
    }

    /// Everybody at `at`, in the order of their first nodes.
    pub(super) fn people(&'a self, at: Timestamp) -> Result<Vec<Person<'a>>> {
        let mut people = Vec::new();
        for nodes in self.profiles_at(at).iter() {
            let person = Person::new(self, nodes.to_vec(), at)?;
            if person.exists_at(at)? {
                people.push(person);
            }
        }
        people.sort_by_cached_key(|person| person.order());
        Ok(people)
    }
}

impl NodeRules for Snapshot<'_> {
    fn type_of(&self, node: u32) -> u32 {
        self.memory.node_type(node)
    }

    fn types(&self) -> &TypeRules {
        self.types
    }

    fn type_name(&self, type_number: u32) -> &str {
        self.memory.name(type_number)
    }

    fn tie_order(&self, sequence: u64) -> Result<TieOrder> {
        // A decision comes after every message of its instant.
        if let Some(number) = decision_number(sequence) {
            return Ok(TieOrder::behind_messages(format!("\u{10ffff}{number:020}")));
        }
        if let Some(number) = probable_number(sequence) {
            return Ok(TieOrder::behind_messages(self.probable_order(number)));
        }
        let found = self.facts.message_order(sequence)?;
        found
            .map(|(source, message_id, ordinal)| TieOrder::message(ordinal, &message_id, self.memory.name(source)))
            .ok_or_else(|| Error::internal("a sequence of the timeline is not in the log"))
    }

    fn first_sequence(&self, node: u32) -> Option<u64> {
        self.memory.firsts(node).sequence()
    }

    fn committed_sequence(&self) -> u64 {
        self.committed_sequence
    }

    fn first_identified(&self, node: u32) -> Result<Option<(Timestamp, Vec<u64>)>> {
        let mut gathered = Gathered::default();
        self.memory.gather(self.facts, node, &mut gathered)?;
        Ok(self.memory.annexes(&gathered)?.pop().and_then(|(_, facts)| facts.first_identified))
    }

    fn decisions(&self) -> &Decisions {
        self.decisions
    }

    fn compare_ranks(&self, left: u32, right: u32) -> Ordering {
        let rank = |node: u32| (self.type_rule(node).priority, self.memory.node(node));
        rank(left).cmp(&rank(right))
    }

    /// The only place that knows where the evidence of a message lies.
    fn evidence(&self, nodes: &[u32]) -> Result<Vec<Link>> {
        let mut gathered = Gathered::default();
        for node in nodes {
            self.memory.gather(self.facts, *node, &mut gathered)?;
        }
        let annexes = self.memory.annexes(&gathered)?;
        let others = annexes.iter().flat_map(|(_, facts)| facts.others.iter().map(|(_, sequence)| *sequence));
        let sequences: Vec<u64> = gathered.timeline.iter().map(|event| event.sequence).chain(others).collect();
        let n_messages = sequences.len();
        let mut evidence = Vec::new();
        if n_messages as u64 > self.memory.sequence() / MESSAGES_PER_LOOK_UP {
            let wanted: BTreeSet<u32> = nodes.iter().copied().collect();
            let mut visit = |link: StoredLink| {
                if wanted.contains(&link.node) {
                    evidence.push(link_of(&link));
                }
            };
            self.facts.visit_links(0, self.memory.sequence(), &mut visit)?;
            self.facts.visit_own_links(self.links_to, self.memory.sequence(), &mut visit)?;
        } else {
            for sequence in sequences {
                let mut visit = |link: StoredLink| evidence.push(link_of(&link));
                self.facts.visit_links(sequence.saturating_sub(1), sequence, &mut visit)?;
                if sequence > self.links_to {
                    self.facts.visit_own_links(sequence.saturating_sub(1), sequence, &mut visit)?;
                }
            }
        }
        // The table has links that stand in the columns of their messages too, and says of them by which rule they are; it was
        // read first, and equals stay in order.
        evidence.sort_by_key(|link| (link.sequence, link.other));
        evidence.dedup_by_key(|link| (link.sequence, link.other));
        evidence.extend(self.probable.links_of(nodes));
        evidence.retain(|link| !self.decisions.is_cut(link.pair()));
        evidence.extend(self.decisions.links_of(nodes));
        Ok(evidence)
    }
}

/// The message that a decision is about: an event that is taken as if it had happened.
struct Hypothetical<'a> {
    message: &'a Value,
    event: &'a str,
}

// What stands for the hypothetical event where stored ones have the numbers of the store; it sorts behind all others.
const HYPOTHETICAL_SEQUENCE: u64 = u64::MAX;
const HYPOTHETICAL_ROW: u64 = u64::MAX;
const HYPOTHETICAL_NAME: u32 = u32::MAX;

/// One person: nodes and their timeline, as rules see it.
pub(super) struct Person<'a> {
    somebody: Somebody<'a>,
    facts: Gathered,
    // Everything but events, by node; most rules never ask.
    annexes: OnceCell<Result<Vec<(u32, Annex)>>>,
    hypothetical: Option<Hypothetical<'a>>,
}

impl<'a> Deref for Person<'a> {
    type Target = Somebody<'a>;

    fn deref(&self) -> &Somebody<'a> {
        &self.somebody
    }
}

impl<'a> Person<'a> {
    pub(super) fn new(snapshot: &'a Snapshot<'a>, nodes: Vec<u32>, at: Timestamp) -> Result<Person<'a>> {
        Person::of(Somebody::new(snapshot, nodes, at)?)
    }

    /// Reads somebody's timeline.
    pub(super) fn of(somebody: Somebody<'a>) -> Result<Person<'a>> {
        let mut facts = Gathered::default();
        for node in &somebody.nodes {
            somebody.snapshot.memory.gather(somebody.snapshot.facts, *node, &mut facts)?;
        }
        for (value, spans) in &somebody.held {
            let n_before = facts.timeline.len();
            somebody.snapshot.memory.gather(somebody.snapshot.facts, *value, &mut facts)?;
            let own = facts.timeline.split_off(n_before);
            facts.timeline.extend(own.into_iter().filter(|event| is_within(spans, event.occurred_at)));
        }
        facts.sort();
        Ok(Person { somebody, facts, annexes: OnceCell::new(), hypothetical: None })
    }

    /// The person without the timeline.
    pub(super) fn into_somebody(self) -> Somebody<'a> {
        self.somebody
    }

    /// The same person with an event that is taken as if it had happened.
    pub(super) fn with_hypothetical(mut self, message: &'a Value, event: &'a str, at: Timestamp) -> Person<'a> {
        self.facts.timeline.push(TimelineEvent {
            occurred_at: at,
            sequence: HYPOTHETICAL_SEQUENCE,
            event: self.snapshot.memory.name_id(event).unwrap_or(HYPOTHETICAL_NAME),
            row: HYPOTHETICAL_ROW,
        });
        self.facts.sort();
        self.hypothetical = Some(Hypothetical { message, event });
        self
    }

    /// Everything but events, by node. One that cannot be read is an error: without it a denial would be no denial.
    pub(super) fn facts(&self) -> Result<impl Iterator<Item = (u32, &Annex)>> {
        let annexes = self.annexes.get_or_init(|| self.read_annexes()).as_ref().map_err(Error::clone)?;
        Ok(annexes.iter().map(|(node, facts)| (*node, facts)))
    }

    fn read_annexes(&self) -> Result<Vec<(u32, Annex)>> {
        let mut annexes = self.snapshot.memory.annexes(&self.facts)?;
        // What is held for a time was gathered last.
        for ((_, annex), (_, spans)) in annexes.iter_mut().skip(self.nodes.len()).zip(&self.held) {
            annex.others.retain(|(occurred_at, _)| is_within(spans, *occurred_at));
            annex.traits.retain(|write| is_within(spans, write.occurred_at));
            annex.consents.retain(|write| is_within(spans, write.occurred_at));
            annex.accounts.retain(|write| is_within(spans, write.occurred_at));
        }
        Ok(annexes)
    }

    /// Whether a message of this person had happened by `at`.
    pub(super) fn exists_at(&self, at: Timestamp) -> Result<bool> {
        let has_event = self.facts.timeline.first().is_some_and(|event| event.occurred_at <= at);
        let is_other = |facts: &Annex| facts.others.iter().any(|(occurred_at, _)| *occurred_at <= at);
        Ok(has_event || self.facts()?.any(|(_, facts)| is_other(facts)))
    }

    /// Every message of this person: (occurred_at, sequence), in no order.
    pub(super) fn messages(&self) -> Result<Vec<(Timestamp, u64)>> {
        let others = self.facts()?.flat_map(|(_, facts)| facts.others.iter().copied());
        Ok(self.facts.timeline.iter().map(|event| (event.occurred_at, event.sequence)).chain(others).collect())
    }

    /// When traits, identifiers and consents changed in `(since, to]`.
    fn instants_of_other_facts(&self, since: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>> {
        let mut instants: Vec<Timestamp> = Vec::new();
        for (_, facts) in self.facts()? {
            instants.extend(facts.others.iter().map(|(occurred_at, _)| *occurred_at));
            instants.extend(facts.traits.iter().map(|write| write.occurred_at));
            instants.extend(facts.consents.iter().map(|write| write.occurred_at));
            instants.extend(facts.accounts.iter().map(|write| write.occurred_at));
            instants.extend(facts.first_named_at);
        }
        instants.retain(|instant| *instant > since && *instant <= to);
        instants.sort_unstable();
        instants.dedup();
        Ok(instants)
    }

    /// The first and last instant of a message by `at`.
    pub(super) fn seen(&self, at: Timestamp) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let others = self.facts()?.flat_map(|(_, facts)| facts.others.iter().map(|(occurred_at, _)| *occurred_at));
        let all = self.facts.timeline.iter().map(|event| event.occurred_at).chain(others);
        Ok(all.filter(|occurred_at| *occurred_at <= at).fold(
            (None, None),
            |(first, last): (Option<Timestamp>, _), time| {
                (Some(first.map_or(time, |first| first.min(time))), last.max(Some(time)))
            },
        ))
    }

    /// When the first message of this person happened, if that was in `(since, to]`.
    pub(super) fn first_seen_in(&self, since: Timestamp, to: Timestamp) -> Result<Option<Timestamp>> {
        // Whose first event was before it needs no further look.
        let was_seen = self.facts.timeline.first().is_some_and(|event| event.occurred_at <= since);
        Ok(if was_seen { None } else { self.seen(to)?.0.filter(|first_seen| *first_seen > since) })
    }

    /// The accounts that messages of this person name by `at`: (type, account), some of them more than once.
    pub(super) fn accounts(&self, at: Timestamp) -> Result<impl Iterator<Item = (&str, &str)>> {
        let writes = self.facts()?.flat_map(|(_, facts)| facts.accounts.iter());
        let writes = writes.filter(move |write| write.occurred_at <= at);
        Ok(writes.map(|write| (write.account_type.as_ref(), write.account.as_ref())))
    }

    /// The purposes that a choice of this person names by `at`.
    pub(super) fn purposes(&self, at: Timestamp) -> Result<BTreeSet<&str>> {
        Ok(self.consent_writes(at)?.filter_map(|(_, write)| write.purpose.as_deref()).collect())
    }

    /// The channels that a choice about a purpose names by `at`.
    pub(super) fn channels(&self, purpose: &str, at: Timestamp) -> Result<BTreeSet<&str>> {
        let about = self.consent_writes(at)?.filter(|(_, write)| write.purpose.as_deref() == Some(purpose));
        Ok(about.filter_map(|(_, write)| write.channel.as_deref()).collect())
    }

    fn consent_writes(&self, at: Timestamp) -> Result<impl Iterator<Item = (u32, &ConsentWrite)>> {
        let writes = self.facts()?.flat_map(|(node, facts)| facts.consents.iter().map(move |write| (node, write)));
        Ok(writes.filter(move |(_, write)| write.occurred_at <= at))
    }

    /// The state of consent for a purpose on one channel, or on all.
    pub(super) fn consent_state(&self, purpose: &str, channel: Option<&str>, at: Timestamp) -> Result<ConsentState> {
        // An empty object denies every purpose "known to policy or profile".
        let policy = self.snapshot.catalog.consent_policy();
        let in_policy = policy.is_some_and(|policy| policy.purposes.iter().any(|(name, _)| name == purpose));
        let is_known = in_policy || self.purposes(at)?.contains(purpose);
        let mut choices = Vec::new();
        for (node, write) in self.consent_writes(at)? {
            let about_purpose = match write.purpose.as_deref() {
                Some(name) => name == purpose,
                None => is_known,
            };
            let about_channel = write.channel.is_none() || write.channel.as_deref() == channel;
            if about_purpose && about_channel {
                choices.push(Choice {
                    node,
                    occurred_at: write.occurred_at,
                    sequence: write.sequence,
                    granted: write.granted,
                    is_of_channel: write.channel.is_some(),
                });
            }
        }
        let joined_at = |left: u32, right: u32| Ok(self.snapshot.partition.joined_at(left, right));
        let ordinal = |sequence| Ok(ProfileView::tie_order(self, sequence)?.ordinal);
        privacy::resolve(&choices, &ordinal, &joined_at)
    }

    /// The texts that a predictor reads of this person.
    pub(super) fn document(&self, fields: &[TextField], at: Timestamp) -> Result<Vec<String>> {
        let mut items = Vec::new();
        for field in fields {
            match field {
                TextField::Trait(path) => add_text(self.trait_value(path, at)?, &mut items),
                TextField::Event { event, property } => {
                    let Some(number) = self.event_number(event) else { continue };
                    for happened in self.facts.timeline.iter().filter(|happened| happened.occurred_at <= at) {
                        if happened.event == number {
                            add_text(self.property(happened, property).map(Cow::into_owned), &mut items);
                        }
                    }
                }
            }
        }
        Ok(items)
    }

    /// What a predictor says of this person, and the method: its rules first, then its model.
    pub(super) fn predicted(&self, predictor: &str, at: Timestamp) -> Result<Option<(Prediction, &'a str)>> {
        let definition = self.snapshot.catalog.predictor(predictor)?;
        for rule in &definition.rules {
            if evaluate(&rule.when, self, at)? {
                return Ok(Some((Prediction::certain(&rule.cohort), "rule")));
            }
        }
        let models: &'a BTreeMap<String, LoadedModel> = self.snapshot.models;
        let Some(loaded) = models.get(predictor) else { return Ok(None) };
        let prediction = match &*loaded.model {
            TrainedModel::Cohort(model) => model.predict(&self.document(&definition.text, at)?),
            TrainedModel::Propensity(model) => {
                let score = model.predict(&self.feature_row(definition, at)?)?;
                Prediction { cohort: None, score, scores: Vec::new() }
            }
            TrainedModel::Described(model) => {
                return Ok(Some(model.predict(&self.document(&definition.text, at)?)));
            }
        };
        Ok(Some((prediction, "model")))
    }
}

fn add_text(value: Option<Value>, items: &mut Vec<String>) {
    match value {
        Some(Value::Text(text)) => items.push(text),
        Some(Value::List(list)) => list.into_iter().for_each(|item| add_text(Some(item), items)),
        Some(Value::Number(number)) => items.push(number.to_string()),
        _ => {}
    }
}

impl ProfileView for Person<'_> {
    fn trait_value(&self, path: &Path, at: Timestamp) -> Result<Option<Value>> {
        if let Some(whole) = self.trait_named(path.as_str(), at)? {
            return Ok(Some(whole.into_owned()));
        }
        let Some((name, _)) = path.as_str().split_once('.') else { return Ok(None) };
        let Some(value) = self.trait_named(name, at)? else { return Ok(None) };
        let holder = Value::object([(name, value.into_owned())]);
        Ok(path.find(&holder).filter(|found| !found.is_null()))
    }

    fn events(&self) -> &[TimelineEvent] {
        &self.facts.timeline
    }

    fn event_number(&self, name: &str) -> Option<u32> {
        let is_hypothetical = || self.hypothetical.as_ref().is_some_and(|current| current.event == name);
        self.snapshot.memory.name_id(name).or_else(|| is_hypothetical().then_some(HYPOTHETICAL_NAME))
    }

    fn property(&self, event: &TimelineEvent, path: &Path) -> Option<Cow<'_, Value>> {
        if event.row != HYPOTHETICAL_ROW {
            return self.snapshot.memory.property(&self.facts, event, path);
        }
        let properties = self.hypothetical.as_ref()?.message.get("properties")?;
        if path.is_multiple() {
            return path.find(properties).map(Cow::Owned);
        }
        path.find_one(properties).filter(|value| !value.is_null()).map(Cow::Borrowed)
    }

    fn other_changes(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>> {
        self.instants_of_other_facts(from, to)
    }

    fn tie_order(&self, sequence: u64) -> Result<TieOrder> {
        // A hypothetical event is no message of the log: it sorts behind every other.
        if sequence == HYPOTHETICAL_SEQUENCE {
            Ok(TieOrder::behind_messages("\u{10ffff}".to_owned()))
        } else {
            NodeRules::tie_order(self.snapshot, sequence)
        }
    }

    fn feature(&self, name: &str, at: Timestamp) -> Result<Value> {
        features::value(self.snapshot.catalog.feature(name)?, self, at)
    }

    fn in_audience(&self, name: &str, at: Timestamp) -> Result<bool> {
        audiences::is_member(self.snapshot.catalog.audience(name)?, self, at)
    }

    fn cohort(&self, predictor: &str, at: Timestamp) -> Result<Option<(String, Number)>> {
        let predicted = self.predicted(predictor, at)?;
        let Some((Prediction { cohort: Some(cohort), score, .. }, _)) = predicted else { return Ok(None) };
        let score = Number::from_f64(score).map_err(|_| Error::internal("a score is no number"))?;
        Ok(Some((cohort, score)))
    }

    fn consent(&self, purpose: &str, channel: Option<&str>, at: Timestamp) -> Result<ConsentStatus> {
        Ok(self.consent_state(purpose, channel, at)?.status)
    }

    fn has_identifier(&self, identifier_type: &str, at: Timestamp) -> bool {
        self.somebody.nodes_named_by(at).into_iter().any(|node| self.snapshot.memory.node(node).0 == identifier_type)
    }

    fn is_known(&self, at: Timestamp) -> bool {
        self.somebody.is_known(at)
    }

    fn first_identifier(&self) -> Option<(&str, &str)> {
        (!self.nodes.is_empty()).then(|| self.snapshot.memory.node(self.somebody.first_node()))
    }

    fn in_account(&self, account_type: &str, account: &str, at: Timestamp) -> Result<bool> {
        Ok(self.accounts(at)?.any(|found| found == (account_type, account)))
    }

    fn current(&self, path: &Path) -> Option<Value> {
        path.find(self.hypothetical.as_ref()?.message).filter(|value| !value.is_null())
    }
}
