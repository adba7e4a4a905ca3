//! Random sequences of verbs against a naive model: plain vectors, the partition from scratch, features by scanning.
//!
//! The model keeps the limits of the definitions below in mind and nothing else, so a difference is a defect of one of
//! them. After every failed operation the store is as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cdp_core::cdp::{AsOf, Data, IngestOptions};
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, Durability, ErrorKind, OpenOptions};
use cdp_tests::history::{HOUR_MS, at, faults, members, slot, texts};
use cdp_tests::{json, number_of_cases};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: number_of_cases(100),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..ProptestConfig::default()
    }
}

/// A message: user, device, slot, amount; its place in the history makes its id.
#[derive(Clone, Debug)]
struct Sent {
    kind: Kind,
    user: Option<u8>,
    device: Option<u8>,
    hour: u8,
    amount: i8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Identify,
    Track,
    Alias,
}

#[derive(Clone, Debug)]
enum Op {
    Send(Sent),
    /// Rows, each perhaps without an identifier, and how many of the messages before are sent again.
    Ingest(Vec<(Sent, bool)>, u8),
    Feature(u8),
    Audience(u8),
    Identity(u8),
    Advance(u8),
    Reopen,
    /// The next operations go through the other handle.
    Switch,
    /// A write while another process holds the lock.
    Locked(Sent),
    /// A definition that is refused as a whole.
    Refused,
    ReadOnly,
    Backup,
}

fn sent() -> impl Strategy<Value = Sent> {
    let kind = prop_oneof![2 => Just(Kind::Identify), 5 => Just(Kind::Track), 1 => Just(Kind::Alias)];
    (kind, proptest::option::weighted(0.7, 0..4u8), proptest::option::weighted(0.6, 0..4u8), 0..12u8, -5..20i8)
        .prop_map(|(kind, user, device, hour, amount)| Sent { kind, user, device, hour, amount })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => sent().prop_map(Op::Send),
        4 => (proptest::collection::vec((sent(), proptest::bool::weighted(0.2)), 0..6), 0..4u8)
            .prop_map(|(rows, again)| Op::Ingest(rows, again)),
        1 => (0..3u8).prop_map(Op::Feature),
        1 => (0..3u8).prop_map(Op::Audience),
        1 => (0..3u8).prop_map(Op::Identity),
        2 => (0..30u8).prop_map(Op::Advance),
        1 => Just(Op::Reopen),
        3 => Just(Op::Switch),
        1 => sent().prop_map(Op::Locked),
        1 => Just(Op::Refused),
        1 => Just(Op::ReadOnly),
        1 => Just(Op::Backup),
    ]
}

const IDENTITIES: [&str; 3] = [
    r#"{"kind": "identity", "name": "default", "identifiers": [
        {"type": "user_id", "role": "person", "priority": 1, "limit": 1},
        {"type": "anonymous_id", "role": "device", "priority": 9}]}"#,
    r#"{"kind": "identity", "name": "default", "identifiers": [
        {"type": "user_id", "role": "person", "priority": 1, "limit": 2},
        {"type": "anonymous_id", "role": "device", "priority": 9, "limit": 2}]}"#,
    r#"{"kind": "identity", "name": "default", "identifiers": [
        {"type": "anonymous_id", "role": "person", "priority": 1},
        {"type": "user_id", "role": "person", "priority": 2}]}"#,
];

/// The limits of the definitions above: (of user ids, of devices).
fn limits(identity: u8) -> (usize, usize) {
    [(1, usize::MAX), (2, 2), (usize::MAX, usize::MAX)][usize::from(identity)]
}

const FEATURES: [&str; 3] = [
    r#"{"kind": "feature", "name": "f", "event": "Bought", "agg": "count"}"#,
    r#"{"kind": "feature", "name": "f", "event": "Bought", "agg": "sum", "property": "amount", "default": 0}"#,
    r#"{"kind": "feature", "name": "f", "event": "Bought", "agg": "count", "within": "3h"}"#,
];

const AUDIENCES: [&str; 3] = [
    r#"{"kind": "audience", "name": "a", "rule": {"event": "Bought", "count": {"gte": 2}, "within": "4h"}}"#,
    r#"{"kind": "audience", "name": "a", "rule": {"not": {"event": "Bought", "within": "3h"}}}"#,
    r#"{"kind": "audience", "name": "a", "rule": {"feature": "f", "op": "gte", "value": 2}}"#,
];

type Node = (&'static str, u8);

/// What the store should hold.
#[derive(Clone, Debug, Default)]
struct Model {
    facts: Vec<(String, Sent)>,
    rejects: BTreeSet<String>,
    identity: u8,
    feature: u8,
    audience: u8,
}

/// One person of the model at an instant.
struct Person {
    ids: BTreeSet<Node>,
    bought: Vec<(i64, i64)>,
}

impl Model {
    /// The nodes of a message, its own first.
    fn nodes(&self, sent: &Sent) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        nodes.extend(sent.user.map(|user| ("user_id", user)));
        nodes.extend(sent.device.map(|device| ("anonymous_id", device)));
        if sent.kind == Kind::Alias {
            nodes.push(("user_id", previous(sent)));
        }
        let devices_first = self.identity == 2;
        nodes.sort_by_key(|(kind, value)| ((*kind == "user_id") == devices_first, *value));
        nodes.dedup();
        nodes
    }

    fn people(&self, hour: i64) -> Vec<Person> {
        let mut facts: Vec<&(String, Sent)> =
            self.facts.iter().filter(|(_, sent)| i64::from(sent.hour) <= hour).collect();
        facts.sort_by_key(|(id, sent)| (sent.hour, id.clone()));
        let mut groups: Vec<BTreeSet<Node>> = Vec::new();
        let mut identified: BTreeSet<Node> = BTreeSet::new();
        for (_, sent) in &facts {
            let nodes = self.nodes(sent);
            if sent.kind == Kind::Identify {
                identified.extend(nodes.iter().copied());
            }
            for node in &nodes {
                if !groups.iter().any(|group| group.contains(node)) {
                    groups.push(BTreeSet::from([*node]));
                }
            }
            let own = nodes[0];
            for other in &nodes[1..] {
                let of = |node: &Node| groups.iter().position(|group| group.contains(node)).unwrap();
                let (left, right) = (of(&own), of(other));
                if left == right {
                    continue;
                }
                let alias = ("user_id", previous(sent));
                let is_alias = sent.kind == Kind::Alias && (*other == alias || (own == alias && other.0 == "user_id"));
                let refused = if is_alias {
                    // Both ends must be persons, and each must have been identified by then.
                    let is_person = |node: &Node| node.0 == "user_id" || self.identity == 2;
                    [own, *other].iter().all(|node| is_person(node) && identified.contains(node))
                } else {
                    let count = |group: usize, kind| groups[group].iter().filter(|node| node.0 == kind).count();
                    let (users, devices) = limits(self.identity);
                    [("user_id", users), ("anonymous_id", devices)].iter().any(|(kind, limit)| {
                        let (left, right) = (count(left, *kind), count(right, *kind));
                        left > 0 && right > 0 && left + right > *limit
                    })
                };
                if !refused {
                    let joined = groups.remove(left.max(right));
                    groups[left.min(right)].extend(joined);
                }
            }
        }
        let mut people = Vec::new();
        for ids in groups {
            let own: Vec<&Sent> =
                facts.iter().map(|(_, sent)| sent).filter(|sent| ids.contains(&self.nodes(sent)[0])).collect();
            if own.is_empty() {
                continue;
            }
            let bought = own.iter().filter(|sent| sent.kind == Kind::Track);
            let bought = bought.map(|sent| (i64::from(sent.hour), i64::from(sent.amount))).collect();
            people.push(Person { ids, bought });
        }
        people
    }

    fn feature(&self, person: &Person, hour: i64) -> i64 {
        let within = |hours: i64| person.bought.iter().filter(move |(at, _)| *at > hour - hours && *at <= hour);
        match self.feature {
            0 => person.bought.len() as i64,
            1 => person.bought.iter().map(|(_, amount)| amount).sum(),
            _ => within(3).count() as i64,
        }
    }

    fn is_member(&self, person: &Person, hour: i64) -> bool {
        let within = |hours: i64| person.bought.iter().filter(move |(at, _)| *at > hour - hours && *at <= hour);
        match self.audience {
            0 => within(4).count() >= 2,
            1 => within(3).count() == 0,
            _ => self.feature(person, hour) >= 2,
        }
    }

    /// Identifiers, feature and membership of everybody, as one text each.
    fn dump(&self, hour: i64) -> Vec<String> {
        let mut dump: Vec<String> = self
            .people(hour)
            .iter()
            .map(|person| {
                let ids: Vec<String> = person.ids.iter().map(|(kind, value)| format!("{kind}:{value}")).collect();
                format!("{} f={} a={}", ids.join(" "), self.feature(person, hour), self.is_member(person, hour))
            })
            .collect();
        dump.sort();
        dump
    }
}

fn previous(sent: &Sent) -> u8 {
    sent.amount.unsigned_abs() % 4
}

/// Somebody is named, and an alias has a user.
fn complete(mut sent: Sent) -> Sent {
    if sent.kind == Kind::Alias || sent.device.is_none() {
        sent.user = sent.user.or(Some(0));
    }
    sent
}

fn message(id: &str, sent: &Sent, without_ids: bool) -> Value {
    let mut fields =
        vec![format!("\"messageId\": \"{id}\""), format!("\"timestamp\": \"{}\"", slot(i64::from(sent.hour)))];
    if !without_ids {
        fields.extend(sent.user.map(|user| format!("\"userId\": \"u{user}\"")));
        fields.extend(sent.device.map(|device| format!("\"anonymousId\": \"a{device}\"")));
    }
    fields.push(match sent.kind {
        Kind::Identify => "\"type\": \"identify\", \"traits\": {}".to_owned(),
        Kind::Track => {
            format!("\"type\": \"track\", \"event\": \"Bought\", \"properties\": {{\"amount\": {}}}", sent.amount)
        }
        Kind::Alias => format!("\"type\": \"alias\", \"previousId\": \"u{}\"", previous(sent)),
    });
    json(&format!("{{{}}}", fields.join(", ")))
}

struct Machine {
    folder: tempfile::TempDir,
    handles: [Cdp; 2],
    current: usize,
    model: Model,
    sent: Vec<Value>,
    n: usize,
}

impl Machine {
    fn new() -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.db");
        let handles = [open(&path), open(&path)];
        let definitions = [IDENTITIES[0], FEATURES[0], AUDIENCES[0]].map(json);
        handles[0].define(&definitions).unwrap();
        Machine { folder, handles, current: 0, model: Model::default(), sent: Vec::new(), n: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("m.db")
    }

    fn db(&self) -> &Cdp {
        &self.handles[self.current]
    }

    /// An id whose order is not that of the history.
    fn next_id(&mut self) -> String {
        self.n += 1;
        format!("{}-{}", (self.n * 7) % 10, self.n)
    }

    fn run(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Send(sent) => {
                let sent = complete(sent.clone());
                let id = self.next_id();
                let message = message(&id, &sent, false);
                let receipt = self.db().send(&message).unwrap();
                prop_assert_eq!(receipt.accepted, 1);
                self.sent.push(message);
                self.model.facts.push((id, sent));
            }
            Op::Ingest(rows, again) => {
                let mut batch: Vec<Value> = self.sent.iter().rev().take(usize::from(*again)).cloned().collect();
                let duplicates = batch.len() as u64;
                let (mut accepted, mut rejected) = (0, 0);
                for (sent, is_bad) in rows {
                    let sent = complete(sent.clone());
                    let id = self.next_id();
                    // An alias names its previous id even without others.
                    let is_bad = *is_bad && sent.kind != Kind::Alias;
                    let message = message(&id, &sent, is_bad);
                    batch.push(message.clone());
                    if is_bad {
                        self.model.rejects.insert(id);
                        rejected += 1;
                    } else {
                        self.sent.push(message);
                        self.model.facts.push((id, sent));
                        accepted += 1;
                    }
                }
                let options = IngestOptions::default().batch_rows(3);
                let receipt =
                    self.db().ingest(Data::Values(Box::new(batch.into_iter().map(Ok))), &options, None).unwrap();
                prop_assert_eq!(
                    (receipt.accepted, receipt.duplicates, receipt.rejected),
                    (accepted, duplicates, rejected)
                );
                prop_assert_eq!(receipt.conflicting, 0);
            }
            Op::Feature(which) => {
                self.db().define(&[json(FEATURES[usize::from(*which)])]).unwrap();
                self.model.feature = *which;
            }
            Op::Audience(which) => {
                self.db().define(&[json(AUDIENCES[usize::from(*which)])]).unwrap();
                self.model.audience = *which;
            }
            Op::Identity(which) => {
                self.db().define(&[json(IDENTITIES[usize::from(*which)])]).unwrap();
                self.model.identity = *which;
            }
            Op::Advance(hour) => {
                self.db().advance(Some(slot(i64::from(*hour)))).unwrap();
            }
            Op::Reopen => {
                self.db().close().unwrap();
                let path = self.path();
                self.handles[self.current] = open(&path);
            }
            Op::Switch => self.current = 1 - self.current,
            Op::Locked(sent) => {
                let before = self.db().fingerprint(None).unwrap();
                let lock = raw(&self.path());
                lock.execute_batch("BEGIN IMMEDIATE").unwrap();
                let id = self.next_id();
                let message = message(&id, &complete(sent.clone()), false);
                prop_assert_eq!(self.db().send(&message).unwrap_err().kind(), ErrorKind::Busy);
                prop_assert_eq!(self.db().fingerprint(None).unwrap(), before, "readers go on beside a writer");
                lock.execute_batch("ROLLBACK").unwrap();
            }
            Op::Refused => {
                let before = self.db().fingerprint(None).unwrap();
                let other = json(r#"{"kind": "feature", "name": "g", "event": "Bought", "agg": "count"}"#);
                let wrong = json(
                    r#"{"kind": "audience", "name": "b", "rule": {"feature": "missing", "op": "gte", "value": 1}}"#,
                );
                prop_assert!(self.db().define(&[other, wrong]).is_err());
                prop_assert_eq!(self.db().fingerprint(None).unwrap(), before);
            }
            Op::ReadOnly => {
                let mut options = OpenOptions::file(self.path()).clock(slot(40)).read_only();
                options.unshared = true;
                // Runs, several blocks each, compactions and colliding keys all the time.
                options.flush_messages = 7;
                let reader = Cdp::open(options).unwrap();
                prop_assert_eq!(reader.fingerprint(None).unwrap(), self.db().fingerprint(None).unwrap());
                let refused = reader.send(message("x", &complete(sent_once()), false)).unwrap_err();
                prop_assert_eq!(refused.kind(), ErrorKind::Invalid);
            }
            Op::Backup => {
                let copy = self.folder.path().join(format!("copy-{}.db", self.n));
                self.n += 1;
                self.db().backup(&copy).unwrap();
                let copy = open(&copy);
                prop_assert_eq!(copy.fingerprint(None).unwrap(), self.db().fingerprint(None).unwrap());
                prop_assert_eq!(faults(&copy).unwrap(), Vec::<String>::new());
            }
        }
        self.compare()
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let db = self.db();
        let stats = db.stats().unwrap();
        prop_assert_eq!(stats.messages, self.model.facts.len() as u64);
        prop_assert_eq!(stats.rejects, self.model.rejects.len() as u64);
        for hour in [5, 12, 14] {
            prop_assert_eq!(dump(db, hour), self.model.dump(hour), "at hour {}", hour);
        }
        prop_assert_eq!(faults(db).unwrap(), Vec::<String>::new());
        Ok(())
    }
}

fn sent_once() -> Sent {
    Sent { kind: Kind::Track, user: Some(0), device: None, hour: 0, amount: 1 }
}

/// The same text as the model's, from what the store says at the last millisecond of an hour.
fn dump(db: &Cdp, hour: i64) -> Vec<String> {
    let time = slot(hour);
    let in_audience = members(db, "a", time).unwrap();
    let mut dump = Vec::new();
    for id in texts(&db.profiles(&at(time)).unwrap(), "profile_id") {
        let identifier = Value::object([("profile_id", Value::from(id.as_str()))]);
        let profile = db.profile(&identifier, Some(AsOf::at(time))).unwrap().unwrap();
        let mut ids: BTreeMap<(String, String), ()> = BTreeMap::new();
        for (kind, values) in &profile.ids {
            for value in values {
                ids.insert((kind.clone(), value[1..].to_owned()), ());
            }
        }
        let ids: Vec<String> = ids.into_keys().map(|(kind, value)| format!("{kind}:{value}")).collect();
        let feature = profile.features.get("f").unwrap().to_json();
        dump.push(format!("{} f={feature} a={}", ids.join(" "), in_audience.contains(&id)));
    }
    dump.sort();
    dump
}

fn open(path: &std::path::Path) -> Cdp {
    let mut options = OpenOptions::file(path).clock(Timestamp::from_millis(slot(14).millis() + HOUR_MS / 2));
    options.durability = Durability::Relaxed;
    options.unshared = true;
    // Runs, several blocks each, compactions and colliding keys all the time.
    options.flush_messages = 7;
    options.busy_timeout_ms = 20;
    Cdp::open(options).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "plays another process that holds the lock")]
fn raw(path: &std::path::Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_sequence_of_verbs_leaves_what_the_model_says(ops in proptest::collection::vec(op(), 1..30)) {
        let mut machine = Machine::new();
        for op in &ops {
            machine.run(op)?;
        }
    }
}
