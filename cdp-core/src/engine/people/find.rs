//! Finds the people that match a filter, with the values that a table shows, by one pass over the columns of all events.
//!
//! A timeline is read only where the columns do not decide. Definitions, people and values come from one snapshot.

use std::num::NonZero;

use crate::audiences::is_member;
use crate::definitions::{AudienceDefinition, FeatureDefinition, Rule};
use crate::engine::people::person::Person;
use crate::engine::people::profile::Profile;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::identity::Profiles;
use crate::records::{Timestamp, Value};
use crate::rules::{Plan, PlannedFeature, PlannedRule, Tallies, Verdicts, evaluate};
use crate::store::{EventColumns, Facts, Part};

/// A pass over fewer events is over before a second thread would have helped.
const LEAST_EVENTS_FOR_THREADS: u64 = 200_000;

/// A library leaves the other processors to its host.
const MOST_THREADS: usize = 2;

/// The people that a read selects.
#[derive(Clone, Copy)]
pub(crate) enum Filter<'q> {
    All,
    Matching(&'q Rule),
    Members(&'q AudienceDefinition),
}

/// A value of each selected person that a pass over events may give.
#[derive(Clone, Copy)]
pub(crate) enum Projection<'q> {
    Feature(&'q FeatureDefinition),
    Membership(&'q AudienceDefinition),
}

/// A selected profile.
pub(crate) struct Found<'a> {
    pub(crate) profile: Profile<'a>,
    /// The requested values in order; `None` where the timeline must be read.
    pub(crate) values: Vec<Option<Value>>,
}

enum PlannedProjection {
    Feature(PlannedFeature),
    Membership(PlannedRule),
    Unplanned,
}

impl PlannedProjection {
    fn values(&self, tallies: &Tallies<'_>, verdicts: &Verdicts, profile: u32) -> Option<Value> {
        match self {
            PlannedProjection::Feature(feature) => tallies.feature(*feature, profile),
            PlannedProjection::Membership(rule) => verdict(verdicts, *rule, profile).map(Value::Bool),
            PlannedProjection::Unplanned => None,
        }
    }
}

fn verdict(verdicts: &Verdicts, rule: PlannedRule, profile: u32) -> Option<bool> {
    verdicts.of(rule).get(profile as usize).copied().flatten()
}

impl<'a> Snapshot<'a> {
    /// The members of an audience at `at`, from all facts, in the order of their first nodes.
    pub(crate) fn members_at(&'a self, audience: &AudienceDefinition, at: Timestamp) -> Result<Vec<Profile<'a>>> {
        let found = self.find(Filter::Members(audience), &[], at)?;
        Ok(found.into_iter().map(|found| found.profile).collect())
    }

    /// The people of a read at `at`, in the order of their first nodes.
    pub(crate) fn find(
        &'a self,
        filter: Filter<'_>,
        wanted: &[Projection<'_>],
        at: Timestamp,
    ) -> Result<Vec<Found<'a>>> {
        let is_worth_threads = self.memory.n_events_in_runs() >= LEAST_EVENTS_FOR_THREADS;
        let n_processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let n_threads = if is_worth_threads { n_processors().min(MOST_THREADS) } else { 1 };
        self.find_on_threads(filter, wanted, at, n_threads)
    }

    /// The people of a read by a pass over the events on at most `threads` threads; their number changes no result.
    fn find_on_threads(
        &'a self,
        filter: Filter<'_>,
        wanted: &[Projection<'_>],
        at: Timestamp,
        n_threads: usize,
    ) -> Result<Vec<Found<'a>>> {
        let mut plan = Plan::new(self.catalog, at);
        let planned = match filter {
            Filter::All => None,
            Filter::Matching(rule) => Some(plan.add_rule(rule)?),
            Filter::Members(audience) => Some(plan.add_audience(audience)?),
        };
        let mut wishes = Vec::with_capacity(wanted.len());
        for wish in wanted {
            wishes.push(match wish {
                Projection::Feature(feature) => {
                    plan.add_feature(feature).map_or(PlannedProjection::Unplanned, PlannedProjection::Feature)
                }
                Projection::Membership(audience) => PlannedProjection::Membership(plan.add_audience(audience)?),
            });
        }
        let profiles = self.profiles_at(at);
        // A property that no definition keeps has no column: then every timeline is read.
        let has_columns = self.memory.missing_columns(plan.columns()).is_empty();
        let tallies = match has_columns {
            true => self.tally(&plan, &profiles, n_threads)?,
            false => plan.start(0, &|name| self.memory.name_id(name)),
        };
        let verdicts = tallies.verdicts();
        let mut found = Vec::new();
        for (number, nodes) in (0u32..).zip(profiles.iter()) {
            let held = self.people.partition.held_with(nodes, at, self)?;
            let holds = match planned {
                // Columns know nothing of values that are theirs for a time.
                Some(_) if !held.is_empty() => None,
                Some(planned) => verdict(&verdicts, planned, number),
                None => Some(true),
            };
            if holds == Some(false) {
                continue;
            }
            let profile = Profile { snapshot: self, nodes: nodes.to_vec(), held };
            let Some(profile) = meant(profile, filter, holds, at)? else { continue };
            let values = match has_columns && profile.held.is_empty() {
                true => wishes.iter().map(|wish| wish.values(&tallies, &verdicts, number)).collect(),
                false => vec![None; wishes.len()],
            };
            found.push(Found { profile, values });
        }
        found.sort_by_cached_key(|found| found.profile.order());
        Ok(found)
    }

    /// The result of a pass over the events for every profile, on at most `threads` threads.
    pub(crate) fn tally<'p>(&self, plan: &'p Plan<'p>, profiles: &Profiles, n_threads: usize) -> Result<Tallies<'p>> {
        let start = || plan.start(profiles.len(), &|name| self.memory.name_id(name));
        let mut tallies = start();
        if !plan.reads_events() {
            return Ok(tallies);
        }
        let mut readers = Vec::new();
        while let Some(store) = self.store.filter(|_| readers.len() + 1 < n_threads) {
            let Some(reader) = store.scan_reader(&self.memory) else { break };
            readers.push(reader);
        }
        let profile_of = profiles.number_of();
        let asked = EventColumns { paths: plan.columns(), since_ms: plan.since_ms(), profile_of };
        let (memory, of) = (self.memory, readers.len() + 1);
        let gather = |facts: Facts<'_>, number: usize, tallies: &mut Tallies<'_>| {
            memory.visit_event_blocks(facts, asked, Part { number, of }, &mut |block| tallies.add(block))
        };
        std::thread::scope(|scope| {
            let mut others = Vec::with_capacity(readers.len());
            for (reader, number) in readers.into_iter().zip(1..) {
                let (mut own, gather) = (start(), &gather);
                let work = move || gather(reader.facts()?, number, &mut own).map(|()| own);
                match std::thread::Builder::new().name("cdp-scan".to_owned()).spawn_scoped(scope, work) {
                    Ok(other) => others.push(other),
                    // Without a thread it takes longer, no more.
                    Err(_) => gather(self.facts, number, &mut tallies)?,
                }
            }
            gather(self.facts, 0, &mut tallies)?;
            for other in others {
                tallies.take_in(&other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok(tallies)
        })
    }

    /// How many people there are at `at`.
    pub(crate) fn n_people(&self, at: Timestamp) -> Result<usize> {
        let mut n_people = 0;
        for nodes in self.profiles_at(at).iter() {
            let profile = Profile::new(self, nodes.to_vec(), at)?;
            n_people += usize::from(meant(profile, Filter::All, Some(true), at)?.is_some());
        }
        Ok(n_people)
    }
}

/// A person, if one existed at `at` and matches the read. The timeline is read only where nothing else decides.
fn meant<'a>(
    profile: Profile<'a>,
    filter: Filter<'_>,
    holds: Option<bool>,
    at: Timestamp,
) -> Result<Option<Profile<'a>>> {
    let existed = profile.existed_at(at);
    if existed == Some(false) {
        return Ok(None);
    }
    if holds == Some(true) && existed == Some(true) {
        return Ok(Some(profile));
    }
    let person = Person::of(profile)?;
    let is_meant = person.exists_at(at)?
        && match (holds, filter) {
            (Some(holds), _) => holds,
            (None, Filter::All) => true,
            (None, Filter::Matching(rule)) => evaluate(rule, &person, at)?,
            (None, Filter::Members(audience)) => is_member(audience, &person, at)?,
        };
    Ok(is_meant.then(|| person.into_profile()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cdp;
    use crate::audiences::is_member;
    use crate::cdp::{Data, IngestOptions, OpenOptions};
    use crate::engine::state::State;
    use crate::rules::feature_value;
    use crate::stop::Never;
    use crate::verbs::collect::accept::accept;

    const DEFINITIONS: [&str; 4] = [
        r#"{"kind": "feature", "name": "spend", "event": "Bought", "agg": "sum", "property": "price"}"#,
        r#"{"kind": "feature", "name": "dearest", "event": "Bought", "agg": "max", "property": "price", "within": "2h"}"#,
        r#"{"kind": "feature", "name": "last", "agg": "last_at"}"#,
        r#"{"kind": "audience", "name": "buyers", "rule": {"all": [
            {"event": "Bought", "agg": "sum", "property": "price", "op": "gte", "value": 30},
            {"event": "*", "count": {"gte": 3}, "within": "3h"},
            {"event": "Seen", "count": {"lt": 2}, "within": "1h", "where": [{"property": "price", "op": "gt", "value": 20}]}]}}"#,
    ];
    const END: i64 = 1_700_000_000_000 + 600 * 60_000;

    /// Messages of 60 people, each under two identifiers that one of them joins.
    fn messages(numbers: std::ops::Range<u64>) -> String {
        let message = |n: u64| {
            let (mixed, at) = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20, 1_700_000_000_000 + n * 60_000);
            let person = mixed % 60;
            let who = match (mixed / 60) % 8 {
                0 => format!(r#""userId": "u{person}", "anonymousId": "a{person}""#),
                1..=4 => format!(r#""anonymousId": "a{person}""#),
                _ => format!(r#""userId": "u{person}""#),
            };
            let event = if mixed % 7 < 3 { "Bought" } else { "Seen" };
            let price = match mixed % 11 {
                0 => "\"12.5\"".to_owned(),
                1 => "1e20".to_owned(),
                price => format!("{price}.25"),
            };
            format!(
                r#"{{"type": "track", "messageId": "m{n}", "event": "{event}", {who}, "timestamp": {at}, "properties": {{"price": {price}}}}}"#
            )
        };
        numbers.map(|n| message(n) + "\n").collect()
    }

    fn ingest(db: &Cdp, numbers: std::ops::Range<u64>) {
        let text = messages(numbers);
        let receipt = db.ingest(Data::Bytes(text.as_bytes()), &IngestOptions::default(), None).unwrap();
        assert_eq!(receipt.rejected, 0);
    }

    fn said_of(nodes: &[u32], values: &[Option<Value>]) -> String {
        let values =
            values.iter().map(|values| values.as_ref().map_or_else(|| "not values".to_owned(), Value::to_json));
        format!("{nodes:?} {}", values.collect::<Vec<String>>().join(" "))
    }

    /// All people with the result of a pass over the events, and the members of the audience that the pass finds.
    fn found(snapshot: &Snapshot<'_>, n_threads: usize, at: Timestamp) -> (Vec<String>, Vec<Vec<u32>>) {
        let audience = snapshot.catalog.audience("buyers").unwrap();
        let mut wanted: Vec<Projection<'_>> = snapshot.catalog.features().map(Projection::Feature).collect();
        wanted.push(Projection::Membership(audience));
        let everybody = snapshot.find_on_threads(Filter::All, &wanted, at, n_threads).unwrap();
        let values = everybody.iter().map(|found| said_of(&found.profile.nodes, &found.values)).collect();
        let members = snapshot.find_on_threads(Filter::Members(audience), &[], at, n_threads).unwrap();
        (values, members.into_iter().map(|found| found.profile.nodes).collect())
    }

    fn check(snapshot: &Snapshot<'_>) -> usize {
        let mut n_members = 0;
        for minutes in [0, 40, 300, 600] {
            let at = Timestamp::from_millis(END - minutes * 60_000);
            let alone = found(snapshot, 1, at);
            for n_threads in [2, 3, 7] {
                assert_eq!(found(snapshot, n_threads, at), alone, "{n_threads} threads");
            }
            // The result of a pass equals the result of each timeline.
            let audience = snapshot.catalog.audience("buyers").unwrap();
            let (mut shown, mut members) = (Vec::new(), Vec::new());
            for person in snapshot.people(at).unwrap() {
                let is_member = is_member(audience, &person, at).unwrap();
                members.extend(is_member.then(|| person.nodes.clone()));
                let features = snapshot.catalog.features();
                let values = features.map(|feature| feature_value(feature, &person, at).unwrap());
                let values: Vec<Option<Value>> = values.chain([Value::Bool(is_member)]).map(Some).collect();
                shown.push(said_of(&person.nodes, &values));
            }
            n_members += members.len();
            assert_eq!(alone.0, shown);
            assert_eq!(alone.1, members);
        }
        n_members
    }

    #[test]
    fn every_number_of_threads_finds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions { flush_messages: 70, ..OpenOptions::file(folder.path().join("store.db")) };
        let db = Cdp::open(options).unwrap();
        let definitions: Vec<Value> = DEFINITIONS.iter().map(|text| Value::parse(text.as_bytes()).unwrap()).collect();
        db.define(&definitions).unwrap();
        for first in (0..560).step_by(20) {
            ingest(&db, first..first + 20);
        }
        let readers_there_are = |snapshot: &Snapshot<'_>| {
            let reader = snapshot.store.and_then(|store| store.scan_reader(&snapshot.memory));
            reader.is_some()
        };
        let committed = db.read(|snapshot| {
            assert!(snapshot.memory.n_events_in_runs() > 300);
            assert!(readers_there_are(snapshot));
            Ok(check(snapshot))
        });
        assert!(committed.unwrap() > 20);

        // What a transaction has added stands in RAM, which every thread sees.
        db.write(|tx| {
            for line in messages(560..600).lines() {
                let (message, _) = db.read_message(&Value::parse(line.as_bytes()).unwrap())?;
                accept(tx, "default", message, false)?;
            }
            tx.derive()?;
            let snapshot = tx.snapshot();
            assert!(readers_there_are(&snapshot));
            check(&snapshot);
            Ok(())
        })
        .unwrap();

        // Runs that it has written are seen by no other transaction.
        db.try_out(&Never, |tx| {
            let state = State::rebuild(tx.facts, db.inner.memory_options, false)?;
            let snapshot = Snapshot { store: Some(&db.inner.store), ..state.snapshot(tx.facts) };
            assert!(snapshot.memory.n_events_in_runs() > 300);
            assert!(!readers_there_are(&snapshot));
            check(&snapshot);
            Ok(())
        })
        .unwrap();
        assert!(db.read(|snapshot| Ok(readers_there_are(snapshot))).unwrap());
    }
}
