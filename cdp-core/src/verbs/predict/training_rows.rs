//! The rows that a propensity model learns from: people as of past instants, each with what followed.
//!
//! Takes the people of a snapshot and the event of a label; leaves rows of features and labels, and a report of each instant.
//! A row must never read a fact that happened after its instant or that came to the store too late to be known then.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::definitions::{PredictorDefinition, PredictorLabel, PredictorTask};
use crate::engine::handle::Cdp;
use crate::engine::people::person::Person;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::State;
use crate::error::{Error, Result};
use crate::predict::TimedRow;
use crate::records::options::options;
use crate::records::{Timestamp, Value};
use crate::rules::{ProfileView, TimelineEvent};

/// How many instants a propensity model learns from, each a horizon before the next.
const INSTANTS: i64 = 3;

options! {
    /// How a predictor is trained.
    pub struct TrainOptions {
        /// The end of the last label window of a propensity predictor; the latest fact of the label's event without it.
        until: optional Timestamp,
        /// Facts that were recorded by this instant count as history, known as soon as they had happened; without it, the
        /// end of the history is found by the label's event.
        known: optional Timestamp,
    }
}

impl TrainOptions {
    /// Fails with `invalid` where an option has no meaning for the predictor.
    pub(crate) fn check(&self, definition: &PredictorDefinition) -> Result<()> {
        if definition.task == PredictorTask::Propensity || (self.until.is_none() && self.known.is_none()) {
            return Ok(());
        }
        Err(Error::invalid("train: `until` and `known` are options of propensity predictors")
            .with_hint("a cohort predictor learns from what holds now: leave them out"))
    }
}

/// Rows of features and labels as of instants.
#[derive(Default)]
pub(super) struct TimedRows {
    pub(crate) rows: Vec<TimedRow>,
    /// How many people were left out because they do not allow it.
    pub(crate) withheld: u64,
    /// Where the last label window ends; `None` if the label's event never happened.
    until: Option<Timestamp>,
    /// The latest first.
    instants: Vec<Instant>,
}

/// What the report says of one instant.
struct Instant {
    at: Timestamp,
    rows: usize,
    positives: usize,
    /// How many messages had happened by then and came to the store too late to be known.
    left_out: usize,
}

impl TimedRows {
    /// What a report says of where the rows come from: `until` and `instants`.
    pub(super) fn to_fields(&self) -> [(String, Value); 2] {
        let time = |time: Timestamp| Value::Text(time.to_string());
        let instants = self.instants.iter().map(|instant| {
            Value::object([
                ("at", time(instant.at)),
                ("rows", Value::count(instant.rows)),
                ("positives", Value::count(instant.positives)),
                ("left_out", Value::count(instant.left_out)),
            ])
        });
        [("until".to_owned(), Value::from(self.until)), ("instants".to_owned(), Value::List(instants.collect()))]
    }

    /// An error of training, with a hint at the messages that were left out where there are any.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let left_out = self.instants.iter().map(|instant| instant.left_out).max().unwrap_or(0);
        if left_out == 0 {
            return error;
        }
        error.with_hint(format!(
            "{left_out} message(s) were recorded too late to be known at an instant: if they are history, give the time by \
             which it was recorded as `known`"
        ))
    }
}

/// Up to which sequence of the log the facts were known at an instant.
struct KnownThen {
    /// The history counts at instants before this one; `None`: there is none.
    begins: Option<Timestamp>,
    history_to: u64,
}

impl KnownThen {
    /// Without `known`, history ends with the last fact of the label's event that had happened before the first one was
    /// recorded: what came to the store behind it may have been written with the outcome at hand.
    fn new(snapshot: &Snapshot<'_>, outcomes: &Outcomes, known: Option<Timestamp>) -> Result<KnownThen> {
        if let Some(known) = known {
            let history_to = snapshot.facts.sequence_known_at(known, snapshot.memory.sequence())?;
            return Ok(KnownThen { begins: Some(known), history_to });
        }
        let Some(first) = outcomes.facts.iter().map(|(_, sequence)| *sequence).min() else {
            return Ok(KnownThen { begins: None, history_to: 0 });
        };
        let begins = snapshot.facts.message(first, &snapshot.memory)?.recorded_at;
        let had_happened = outcomes.facts.iter().filter(|(occurred_at, _)| *occurred_at <= begins);
        let history_to = had_happened.map(|(_, sequence)| *sequence).max().unwrap_or(0);
        Ok(KnownThen { begins: Some(begins), history_to })
    }

    /// The last sequence that was known at an instant, and by when that was recorded.
    fn at(&self, snapshot: &Snapshot<'_>, at: Timestamp) -> Result<(u64, Timestamp)> {
        let last = snapshot.memory.sequence();
        if self.begins.is_none_or(|begins| begins <= at) {
            return Ok((snapshot.facts.sequence_known_at(at, last)?, at));
        }
        let recorded_at = match self.history_to {
            0 => at,
            sequence => snapshot.facts.message(sequence, &snapshot.memory)?.recorded_at,
        };
        Ok((self.history_to, recorded_at))
    }
}

/// Every fact of the label's event by now: when it happened, and its sequence.
#[derive(Default)]
struct Outcomes {
    event: Option<u32>,
    facts: Vec<(Timestamp, u64)>,
}

impl Outcomes {
    fn is_one(&self, happened: &TimelineEvent) -> bool {
        Some(happened.event) == self.event
    }

    /// Whether the event happened in `(at, end]`.
    fn follow(&self, person: &Person<'_>, at: Timestamp, end: Timestamp) -> bool {
        let is_within = |happened: &&TimelineEvent| happened.occurred_at > at && happened.occurred_at <= end;
        person.events().iter().filter(is_within).any(|happened| self.is_one(happened))
    }
}

impl Cdp {
    /// All people with an event by then, as of instants that lie one horizon apart, the last of them one horizon before
    /// `until`: features of facts up to the instant that were known then, the label of events strictly after it, by all that
    /// is known today. Consent is that of now.
    pub(super) fn timed_rows(
        &self,
        snapshot: &Snapshot<'_>,
        definition: &PredictorDefinition,
        now: Timestamp,
        options: &TrainOptions,
    ) -> Result<TimedRows> {
        let Some(PredictorLabel::Event { event, horizon }) = &definition.label else {
            return Err(Error::invalid(format!("the predictor `{}` has no event to learn from", definition.name)));
        };
        let people = snapshot.people(now)?;
        let mut outcomes = Outcomes { event: snapshot.memory.name_id(event), facts: Vec::new() };
        let mut found = TimedRows::default();
        let mut withheld = BTreeSet::new();
        for person in &people {
            let own =
                person.events().iter().filter(|happened| happened.occurred_at <= now && outcomes.is_one(happened));
            let own: Vec<(Timestamp, u64)> = own.map(|happened| (happened.occurred_at, happened.sequence)).collect();
            outcomes.facts.extend(own);
            if !self.may_learn_from(person, now)? {
                found.withheld += 1;
                withheld.extend(person.nodes.iter().copied());
            }
        }
        let latest = outcomes.facts.iter().map(|(occurred_at, _)| *occurred_at).max();
        found.until = options.until.or(latest);
        let Some(until) = found.until else { return Ok(found) };
        if until > now {
            return Err(Error::invalid("train: `until` lies in the future, where nothing is known to have happened")
                .with_hint("give an instant by which the label's event was recorded, or none"));
        }
        let known_then = KnownThen::new(snapshot, &outcomes, options.known)?;
        let places =
            people.iter().enumerate().flat_map(|(place, person)| person.nodes.iter().map(move |node| (*node, place)));
        let today_of: FxHashMap<u32, usize> = places.collect();
        let last = snapshot.memory.sequence();
        // Instants of a history that was loaded later share one state.
        let mut earlier: Option<(u64, State)> = None;
        for number in 1..=INSTANTS {
            let at = until.plus_millis(-horizon.millis() * number);
            let end = at.plus_millis(horizon.millis());
            let (up_to, recorded_by) = known_then.at(snapshot, at)?;
            let n_before = found.rows.len();
            let mut left_out = 0;
            // The present profile of a person of then shows what followed, also under identifiers that were linked later.
            let follows = |person: &Person<'_>| {
                let Some(node) = person.nodes.first() else { return Ok(false) };
                if let Some(today) = today_of.get(node).and_then(|place| people.get(*place)) {
                    return Ok(outcomes.follow(today, at, end));
                }
                Ok(snapshot.person(*node, now)?.is_some_and(|today| outcomes.follow(&today, at, end)))
            };
            if up_to >= last {
                add_rows(&mut found.rows, snapshot, definition, at, &withheld, follows)?;
            } else {
                let state = match earlier.take() {
                    Some((of, state)) if of == up_to => state,
                    _ => self.state_up_to(snapshot, up_to, recorded_by)?,
                };
                let past = state.snapshot(snapshot.facts);
                add_rows(&mut found.rows, &past, definition, at, &withheld, follows)?;
                earlier = Some((up_to, state));
                for person in &people {
                    let is_late = |(occurred_at, sequence): &(Timestamp, u64)| *occurred_at <= at && *sequence > up_to;
                    left_out += person.messages()?.iter().filter(|message| is_late(message)).count();
                }
            }
            let rows = found.rows.get(n_before..).unwrap_or_default();
            let positives = rows.iter().filter(|row| row.is_positive).count();
            found.instants.push(Instant { at, rows: rows.len(), positives, left_out });
        }
        Ok(found)
    }
}

/// Adds the rows of one instant from what was known then.
fn add_rows(
    rows: &mut Vec<TimedRow>,
    known: &Snapshot<'_>,
    definition: &PredictorDefinition,
    at: Timestamp,
    withheld: &BTreeSet<u32>,
    follows: impl Fn(&Person<'_>) -> Result<bool>,
) -> Result<()> {
    for person in known.people(at)? {
        let past = person.events().iter().filter(|happened| happened.occurred_at <= at);
        let Some(last) = past.map(|happened| happened.occurred_at).max() else { continue };
        if person.nodes.iter().any(|node| withheld.contains(node)) {
            continue;
        }
        rows.push(TimedRow {
            at: at.millis(),
            values: person.feature_row(definition, at)?,
            is_positive: follows(&person)?,
            quiet_for: (at.millis() - last.millis()) as f64,
        });
    }
    Ok(())
}
