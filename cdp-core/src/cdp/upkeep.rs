//! Keeps audiences current: after every ingest for the profiles it touched and those for whom a window slid, and on
//! `advance(to)`. Every flip goes to the outbox with its exact instant.

use std::collections::{BTreeMap, BTreeSet};

use super::snapshot::{Person, Snapshot};
use super::state::Members;
use super::write::Writing;
use super::{AsOf, Cdp};
use crate::audiences::{Flip, Said, flips, is_member};
use crate::definitions::AudienceDefinition;
use crate::error::{Error, Result};
use crate::records::{Object, Timestamp, Value};
use crate::rules::{Lookbacks, lookbacks};
use crate::store::{ChangeType, StoredChange};

/// What upkeep found for one profile and audience.
struct Found {
    audience: String,
    // The profile's first node, under which its membership stands.
    node: u32,
    // Nodes of the profile under which it stood before, besides `node`.
    merged: Vec<u32>,
    flips: Vec<Flip>,
    is_member: bool,
}

impl Writing<'_> {
    /// Evaluates the touched profiles, and the others for whom a window slid, up to where the facts reach.
    pub(super) fn keep_audiences(&mut self) -> Result<()> {
        let since = self.meta.advanced_to;
        let greatest = self.memory.view(&self.state.memory).greatest_occurred_at();
        let reached = greatest.map(|greatest| greatest.min(self.now)).max(since);
        self.meta.advanced_to = reached;
        let Some(to) = reached else { return Ok(()) };
        let mut touched = self.memory.touched();
        touched.extend(self.partition.changed());
        self.keep_up(since, to, &touched)
    }

    /// Moves the instant up to which audiences are current.
    fn advance_to(&mut self, to: Timestamp) -> Result<()> {
        let since = self.meta.advanced_to;
        let to = since.map_or(to, |since| since.max(to));
        self.meta.advanced_to = Some(to);
        self.keep_up(since, to, &BTreeSet::new())
    }

    fn keep_up(&mut self, since: Option<Timestamp>, to: Timestamp, touched: &BTreeSet<u32>) -> Result<()> {
        let catalog = self.catalog.clone();
        let mut found = Vec::new();
        // Facts that lay in the future when they came are due when `to` passes them.
        let mut due = BTreeSet::new();
        if let Some(since) = since
            && self.state.memory.view().greatest_occurred_at().is_some_and(|greatest| greatest > since)
        {
            due.extend(self.snapshot().memory.nodes_with_messages(since, to));
        }
        for audience in catalog.audiences() {
            let members = Members::of(&audience.name, &self.state.memberships, &self.memberships);
            let snapshot = self.snapshot();
            let lookbacks = lookbacks(&audience.rule, snapshot.catalog)?;
            let mut nodes: BTreeSet<u32> = touched.union(&due).copied().collect();
            if let Some(since) = since.filter(|since| *since < to) {
                nodes.extend(sliding_nodes(&snapshot, &lookbacks, since, to));
            }
            let upkeep = Upkeep { snapshot: &snapshot, audience, lookbacks, members, since, to };
            let mut seen = BTreeSet::new();
            for node in nodes {
                let nodes = snapshot.partition.nodes_of_at(node, to);
                if seen.insert(nodes.first().copied()) {
                    let reconsider = nodes.iter().any(|node| touched.contains(node));
                    found.extend(upkeep.evaluate(nodes, reconsider)?);
                }
            }
        }
        found.sort_by(|left, right| {
            let first = |found: &Found| found.flips.first().map(|flip| flip.occurred_at);
            (first(left), &left.audience, left.node).cmp(&(first(right), &right.audience, right.node))
        });
        for found in found {
            self.record(found, to)?;
        }
        Ok(())
    }

    fn record(&mut self, found: Found, to: Timestamp) -> Result<()> {
        let mut since = Members::of(&found.audience, &self.state.memberships, &self.memberships).since(found.node);
        for merged in found.merged {
            self.memberships.set(&found.audience, merged, None);
            self.facts.delete_membership(&found.audience, merged)?;
            self.put_change(&found.audience, merged, ChangeType::MergedInto, to, false, Some(found.node))?;
        }
        for flip in &found.flips {
            let change = if flip.entered { ChangeType::Entered } else { ChangeType::Exited };
            self.put_change(&found.audience, found.node, change, flip.occurred_at, flip.late, None)?;
            since = flip.entered.then_some(flip.occurred_at);
        }
        if found.is_member {
            let since = since.unwrap_or(to);
            self.memberships.set(&found.audience, found.node, Some(since));
            self.facts.put_membership(&found.audience, found.node, since)
        } else {
            self.memberships.set(&found.audience, found.node, None);
            self.facts.delete_membership(&found.audience, found.node)
        }
    }

    fn put_change(
        &mut self,
        audience: &str,
        node: u32,
        entered: ChangeType,
        occurred_at: Timestamp,
        late: bool,
        merged_into: Option<u32>,
    ) -> Result<()> {
        self.meta.change_sequence += 1;
        self.facts.put_change(&StoredChange {
            change: self.meta.change_sequence,
            audience: audience.to_owned(),
            node,
            entered,
            occurred_at,
            late,
            merged_into,
            recorded_at: self.meta.recorded_at,
        })
    }

    /// Sets who is in an audience at `advanced_to` from all facts, as a new or changed definition has it.
    pub(super) fn rebuild_audience(&mut self, name: &str) -> Result<u64> {
        let Some(at) = self.meta.advanced_to else { return Ok(0) };
        let catalog = self.catalog.clone();
        let audience = catalog.audience(name)?;
        let mut found = Vec::new();
        {
            let snapshot = self.snapshot();
            let members = Members::of(name, &self.state.memberships, &self.memberships);
            let mut gone = members.nodes();
            for person in snapshot.people(at)? {
                let node = person.first_node();
                for member in &person.nodes {
                    gone.remove(member);
                }
                let was_member = members.contains(node);
                let now_member = is_member(audience, &person, at)?;
                let mut merged = person.nodes.clone();
                merged.retain(|other| *other != node && members.contains(*other));
                if was_member != now_member || !merged.is_empty() {
                    let flip = Flip { entered: now_member, occurred_at: at, late: false };
                    let flips = if was_member == now_member { Vec::new() } else { vec![flip] };
                    found.push(Found { audience: name.to_owned(), node, merged, flips, is_member: now_member });
                }
            }
            // Nodes that are nobody any more, since the identity definition changed.
            for node in gone {
                let flips = vec![Flip { entered: false, occurred_at: at, late: false }];
                found.push(Found { audience: name.to_owned(), node, merged: Vec::new(), flips, is_member: false });
            }
        }
        let changed = found.len() as u64;
        for found in found {
            self.record(found, at)?;
        }
        Ok(changed)
    }

    /// Forgets the memberships of an audience that is no more.
    pub(super) fn drop_audience(&mut self, name: &str) -> Result<()> {
        for node in Members::of(name, &self.state.memberships, &self.memberships).nodes() {
            self.memberships.set(name, node, None);
            self.facts.delete_membership(name, node)?;
        }
        Ok(())
    }
}

/// The nodes for whom the rule's outcome may change in `(since, to]` although nothing happened: a window slides over an
/// event of theirs, or a date in a trait comes due.
fn sliding_nodes(snapshot: &Snapshot<'_>, lookbacks: &Lookbacks, since: Timestamp, to: Timestamp) -> BTreeSet<u32> {
    let mut nodes = BTreeSet::new();
    for offset in &lookbacks.event_offsets {
        // An event at e matters at e + offset, which lies in (since, to].
        nodes.extend(snapshot.memory.nodes_with_messages(since.plus_millis(-offset), to.plus_millis(-offset)));
    }
    let a_date_is_due = lookbacks.absolute.iter().any(|instant| *instant > since && *instant <= to);
    if a_date_is_due || !lookbacks.trait_offsets.is_empty() {
        nodes.extend(0..snapshot.memory.n_nodes());
    }
    nodes
}

/// One audience on its way from `since` to `to`.
struct Upkeep<'u> {
    snapshot: &'u Snapshot<'u>,
    audience: &'u AudienceDefinition,
    lookbacks: Lookbacks,
    members: Members<'u>,
    since: Option<Timestamp>,
    to: Timestamp,
}

impl Upkeep<'_> {
    /// What became of the profile that has these nodes at `to`.
    fn evaluate(&self, nodes: Vec<u32>, reconsider: bool) -> Result<Option<Found>> {
        let person = Person::new(self.snapshot, nodes);
        let node = person.first_node();
        let merged: Vec<u32> =
            person.nodes.iter().copied().filter(|other| *other != node && self.members.contains(*other)).collect();
        let was_member = self.members.contains(node);
        // Before the first fact nothing was said: the time of interest begins at the beginning.
        let from = self.since.unwrap_or(Timestamp::from_millis(i64::MIN));
        // Who the person is changes where profiles join: each part of the time is seen by the person of that time.
        let mut joins = self.snapshot.partition.joins_around(node, from, self.to);
        joins.insert(from);
        let mut parts: BTreeMap<Timestamp, Person<'_>> = BTreeMap::new();
        let mut instants = joins.clone();
        instants.remove(&from);
        let starts: Vec<Timestamp> = joins.into_iter().collect();
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(self.to, |next| next.plus_millis(-1));
            let nodes = self.snapshot.partition.nodes_of_at(node, *start);
            let part = Person::new(self.snapshot, nodes);
            instants.extend(self.lookbacks.change_instants(&part, *start, end)?);
            instants.extend(part.seen(end).0.filter(|first_seen| first_seen > start));
            parts.insert(*start, part);
        }
        let is_member_at = |at: Timestamp| match parts.range(..=at).next_back() {
            Some((_, part)) => Ok(part.exists_at(at) && is_member(self.audience, part, at)?),
            None => Ok(false),
        };
        let said = Said { member: was_member, since: self.since, reconsider };
        let flips = flips(said, &instants, self.to, &is_member_at)?;
        if flips.is_empty() && merged.is_empty() {
            return Ok(None);
        }
        let is_member = flips.last().map_or(was_member, |flip| flip.entered);
        Ok(Some(Found { audience: self.audience.name.clone(), node, merged, flips, is_member }))
    }
}

impl Cdp {
    /// Moves audiences forward to `to` (default: now) and appends the flips that fell due, each with its exact instant.
    /// A manual clock moves along. Gives `{advanced_to, changes}`.
    pub fn advance(&self, to: Option<Timestamp>) -> Result<Value> {
        if let Some(to) = to {
            self.inner.clock.advance_to(to);
        }
        let to = to.unwrap_or_else(|| self.now());
        if to > self.now() {
            return Err(Error::invalid("advance cannot go beyond the present of the system clock")
                .with_hint("open the store with clock=... for a clock that moves by advance"));
        }
        self.write(|writing| {
            let before = writing.meta.change_sequence;
            writing.derive()?;
            writing.advance_to(to)?;
            Ok(Value::Object(Object::from([
                (
                    "advanced_to".to_owned(),
                    writing.meta.advanced_to.map_or(Value::Null, |time| Value::Text(time.to_string())),
                ),
                ("changes".to_owned(), Value::integer(writing.meta.change_sequence - before)),
            ])))
        })
    }

    /// Recomputes the stored memberships of one audience, or of all, from the facts. Gives how many were wrong: none,
    /// unless there is a defect.
    pub fn rebuild(&self, audience: Option<&str>) -> Result<Value> {
        self.write(|writing| {
            let names: Vec<String> = match audience {
                Some(name) => vec![writing.catalog.audience(name)?.name.clone()],
                None => writing.catalog.audiences().map(|audience| audience.name.clone()).collect(),
            };
            let mut rebuilt = Object::new();
            for name in names {
                let changed = writing.rebuild_audience(&name)?;
                rebuilt.insert(name, Value::integer(i64::try_from(changed).unwrap_or(i64::MAX)));
            }
            Ok(Value::Object(rebuilt))
        })
    }

    /// The flips of memberships after a cursor, in order: `change, audience, profile_id, type, occurred_at, late,
    /// merged_into, recorded_at`. Pass the frame's `next` as `after` to go on; at least once, never out of order.
    pub fn audience_changes(
        &self,
        audience: Option<&str>,
        after: Option<i64>,
        limit: Option<usize>,
    ) -> Result<crate::records::Frame> {
        use crate::records::{Cells, Frame};
        self.read(|snapshot| {
            if let Some(name) = audience {
                snapshot.catalog.audience(name)?;
            }
            let limit = limit.unwrap_or(usize::MAX);
            let changes = snapshot.facts.changes(audience, after.unwrap_or(0), limit)?;
            let text =
                |value: &dyn Fn(&StoredChange) -> Option<String>| Cells::Text(changes.iter().map(value).collect());
            let mut frame = Frame::new(vec![
                ("change", Cells::Int64(changes.iter().map(|change| Some(change.change)).collect())),
                ("audience", text(&|change| Some(change.audience.clone()))),
                ("profile_id", text(&|change| Some(snapshot.node_hash(change.node)))),
                ("type", text(&|change| Some(change.entered.as_str().to_owned()))),
                ("occurred_at", Cells::Timestamp(changes.iter().map(|change| Some(change.occurred_at)).collect())),
                ("late", Cells::Bool(changes.iter().map(|change| Some(change.late)).collect())),
                ("merged_into", text(&|change| change.merged_into.map(|node| snapshot.node_hash(node)))),
                ("recorded_at", Cells::Timestamp(changes.iter().map(|change| Some(change.recorded_at)).collect())),
            ]);
            // The cursor stays usable at the end: later changes come after it.
            frame.next = changes.last().map(|change| change.change.to_string());
            Ok(frame)
        })
    }

    pub(super) fn audiences_of(person: &Person<'_>, at: Timestamp) -> Result<Vec<Value>> {
        let mut names = Vec::new();
        for audience in person.snapshot.catalog.audiences() {
            if is_member(audience, person, at)? {
                names.push(Value::from(audience.name.as_str()));
            }
        }
        Ok(names)
    }
}

impl AsOf {
    /// At this instant.
    pub fn at(time: Timestamp) -> AsOf {
        AsOf { valid: Some(time) }
    }
}
