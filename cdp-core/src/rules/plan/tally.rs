//! Counts, sums and dates for every profile in one pass over blocks of events.
//!
//! It takes the selections and tallies of a [`Plan`] and leaves one plain vector for each tally, indexed by profile.
//! Block by block it chooses the events of every selection by name and window at once (see [`choice`](super::choice)),
//! then by the filters of each, and feeds them to every tally of that selection. Every tally is the same in whatever order
//! the events come (law 6).

use super::block::{EventBlock, LARGE_NUMBER, NO_NUMBER};
use super::choice::Choice;
use super::{AskedTally, Plan, Selection, TallyKind};
use crate::definitions::{Operand, Operator, PropertyFilter};
use crate::records::{Number, Timestamp, Value};
use crate::rules::operators::{decimal, matches_at};

/// One value for each profile.
pub(super) enum Tally {
    Counts(Vec<u32>),
    /// Nano-units; [`OVERFLOWN`] once a sum has left 128 bits.
    Totals(Vec<i128>),
    /// `i128::MAX` where there is none.
    Least(Vec<i128>),
    /// `i128::MIN` where there is none.
    Greatest(Vec<i128>),
    /// `i64::MAX` where there is none.
    Earliest(Vec<i64>),
    /// `i64::MIN` where there is none.
    Latest(Vec<i64>),
}

pub(super) const OVERFLOWN: i128 = i128::MIN;

/// The sum of this many numbers, none greater than the other constant, fits 128 bits in every order. A sum of more or greater
/// numbers is left undecided: whether it overflows on the way would depend on the order.
pub(super) const MOST_SUMMANDS: u32 = 1 << 26;
const GREATEST_SUMMAND: u128 = 1 << 100;

/// Everything that is done with the events of one selection.
struct Step<'p> {
    filters: Vec<FilterStep<'p>>,
    groups: Vec<Group>,
    needs_times: bool,
}

/// The tallies of one selection that look at the same property, or at none.
struct Group {
    column: Option<usize>,
    tallies: Vec<usize>,
}

struct FilterStep<'p> {
    filter: &'p PropertyFilter,
    column: usize,
    /// The least and greatest number that pass, if the filter asks for an order of numbers.
    range: Option<(i64, i64)>,
    by_code: Vec<Option<bool>>,
}

// How many codes a filter remembers its answer for: 4 MiB. Beyond that a column is hardly worth a code.
const MAX_REMEMBERED_CODES: usize = 1 << 22;

/// What the events say of every profile, as far as the blocks have been added.
pub struct Tallies<'p> {
    pub(super) plan: &'p Plan<'p>,
    pub(super) n_profiles: usize,
    pub(super) tallies: Vec<Tally>,
    steps: Vec<Step<'p>>,
    // One for as many steps as a word has bits.
    choices: Vec<Choice>,
    columns: BlockColumns,
    scratch: Scratch,
}

/// The columns of a block that were asked for.
#[derive(Default)]
struct BlockColumns {
    profiles: Vec<u32>,
    occurred_at_ms: Vec<i64>,
}

/// What a step works on.
#[derive(Default)]
struct Scratch {
    chosen: Vec<u32>,
    numbers: Vec<i64>,
    contributing: Vec<u32>,
    nanos: Vec<i128>,
}

impl<'p> Tallies<'p> {
    pub(super) fn new(plan: &'p Plan<'p>, n_profiles: usize, number: &dyn Fn(&str) -> Option<u32>) -> Tallies<'p> {
        let mut steps: Vec<Step<'p>> = plan.selections.iter().map(Step::new).collect();
        for (index, asked) in plan.tallies.iter().enumerate() {
            if let Some(step) = steps.get_mut(asked.selection) {
                step.add(index, asked);
            }
        }
        let tallies = plan.tallies.iter().map(|asked| Tally::new(asked.kind, n_profiles)).collect();
        let choices = plan.selections.chunks(Choice::MOST).map(|selections| Choice::new(selections, number)).collect();
        let (columns, scratch) = (BlockColumns::default(), Scratch::default());
        Tallies { plan, n_profiles, tallies, steps, choices, columns, scratch }
    }

    /// Adds the events of a block. Cost grows with its events, and with those among them that a selection means.
    pub fn add(&mut self, block: &dyn EventBlock) {
        let Tallies { plan, tallies, steps, choices, columns, scratch, .. } = self;
        columns.profiles.clear();
        columns.occurred_at_ms.clear();
        for (choice, steps) in choices.iter_mut().zip(steps.chunks_mut(Choice::MOST)) {
            choice.choose(block, &mut columns.occurred_at_ms);
            for (place, step) in steps.iter_mut().enumerate() {
                scratch.chosen.clear();
                choice.append_chosen_by(place, &mut scratch.chosen);
                step.filters.iter_mut().for_each(|filter| filter.retain(block, scratch));
                if scratch.chosen.is_empty() {
                    continue;
                }
                if columns.profiles.is_empty() {
                    block.append_profiles(&mut columns.profiles);
                }
                if columns.occurred_at_ms.is_empty() && step.needs_times {
                    block.append_occurred_at_ms(&mut columns.occurred_at_ms);
                }
                for group in &step.groups {
                    let indices = match group.column {
                        None => &scratch.chosen,
                        Some(column) => {
                            let is_multiple = plan.columns.get(column).is_some_and(|path| path.is_multiple());
                            collect_numbers(block, column, is_multiple, scratch);
                            &scratch.contributing
                        }
                    };
                    for tally in &group.tallies {
                        if let Some(tally) = tallies.get_mut(*tally) {
                            tally.add(columns, indices, &scratch.nanos);
                        }
                    }
                }
            }
        }
    }
}

impl Tallies<'_> {
    /// Takes in what was gathered by the same plan from other events of the same profiles.
    pub fn take_in(&mut self, other: &Tallies<'_>) {
        for (tally, other) in self.tallies.iter_mut().zip(&other.tallies) {
            tally.take_in(other);
        }
    }
}

impl<'p> Step<'p> {
    fn new(selection: &'p Selection<'p>) -> Step<'p> {
        let filters = selection.asked.filters.iter().zip(&selection.columns);
        Step {
            filters: filters
                .map(|(filter, column)| FilterStep {
                    filter,
                    column: *column,
                    range: passing_range(filter),
                    by_code: Vec::new(),
                })
                .collect(),
            groups: Vec::new(),
            needs_times: false,
        }
    }

    fn add(&mut self, tally: usize, asked: &AskedTally) {
        self.needs_times |= matches!(asked.kind, TallyKind::Earliest | TallyKind::Latest);
        match self.groups.iter_mut().find(|group| group.column == asked.column) {
            Some(group) => group.tallies.push(tally),
            None => self.groups.push(Group { column: asked.column, tallies: vec![tally] }),
        }
    }
}

impl FilterStep<'_> {
    /// Leaves those of the chosen events that pass.
    fn retain(&mut self, block: &dyn EventBlock, scratch: &mut Scratch) {
        let Scratch { chosen, numbers, .. } = scratch;
        if chosen.is_empty() {
            return;
        }
        let passes = |filter: &PropertyFilter, index: u32| {
            let value = block.value(self.column, index as usize);
            // A filter never depends on the instant of the question: such operators are refused when it is read.
            matches_at(&filter.property, &filter.comparison, value.as_deref(), Timestamp::default())
        };
        numbers.clear();
        if let Some((least, greatest)) = self.range
            && block.append_numbers(self.column, chosen, numbers)
        {
            let mut numbers = numbers.iter();
            chosen.retain(|index| match numbers.next() {
                Some(&LARGE_NUMBER) | None => passes(self.filter, *index),
                Some(number) => least <= *number && *number <= greatest,
            });
        } else if let Some(codes) = block.codes(self.column) {
            chosen.retain(|index| {
                let Some(code) = codes.get(*index as usize).map(|code| *code as usize) else { return false };
                if let Some(Some(known)) = self.by_code.get(code) {
                    return *known;
                }
                let passes = passes(self.filter, *index);
                if code < MAX_REMEMBERED_CODES {
                    if self.by_code.len() <= code {
                        self.by_code.resize(code + 1, None);
                    }
                    if let Some(known) = self.by_code.get_mut(code) {
                        *known = Some(passes);
                    }
                }
                passes
            });
        } else {
            chosen.retain(|index| passes(self.filter, *index));
        }
    }
}

/// The numbers that pass a filter, where it asks for nothing but their order. Neither [`NO_NUMBER`]
/// nor [`LARGE_NUMBER`] lies in the range.
fn passing_range(filter: &PropertyFilter) -> Option<(i64, i64)> {
    if filter.property.is_multiple() {
        return None;
    }
    let (least, greatest) = match (filter.comparison.operator, &filter.comparison.operand) {
        (Operator::Lt, Operand::Number(limit)) => (i128::MIN, limit.nanos().saturating_sub(1)),
        (Operator::Lte, Operand::Number(limit)) => (i128::MIN, limit.nanos()),
        (Operator::Gt, Operand::Number(limit)) => (limit.nanos().saturating_add(1), i128::MAX),
        (Operator::Gte, Operand::Number(limit)) => (limit.nanos(), i128::MAX),
        (Operator::Between, Operand::Numbers(low, high)) => (low.nanos(), high.nanos()),
        _ => return None,
    };
    let smallest = i128::from(LARGE_NUMBER) + 1;
    let (least, greatest) = (least.max(smallest), greatest.min(i128::from(i64::MAX)));
    Some((i64::try_from(least).ok()?, i64::try_from(greatest).ok()?))
}

/// The numbers that the chosen events contribute, each item for itself if the path goes through a list.
fn collect_numbers(block: &dyn EventBlock, column: usize, is_multiple: bool, scratch: &mut Scratch) {
    let Scratch { chosen, numbers, contributing, nanos } = scratch;
    contributing.clear();
    nanos.clear();
    numbers.clear();
    let mut add = |index: u32, number: i128| {
        contributing.push(index);
        nanos.push(number);
    };
    let exact = |index: u32| block.value(column, index as usize);
    if !is_multiple && block.append_numbers(column, chosen, numbers) {
        for (index, number) in chosen.iter().zip(numbers) {
            match *number {
                NO_NUMBER => {}
                LARGE_NUMBER => {
                    if let Some(number) = exact(*index).and_then(|value| decimal(&value)) {
                        add(*index, number.nanos());
                    }
                }
                number => add(*index, i128::from(number)),
            }
        }
        return;
    }
    for index in chosen {
        match exact(*index).as_deref() {
            Some(Value::List(items)) if is_multiple => {
                items.iter().filter_map(decimal).for_each(|number| add(*index, number.nanos()));
            }
            Some(value) => decimal(value).into_iter().for_each(|number: Number| add(*index, number.nanos())),
            None => {}
        }
    }
}

impl Tally {
    fn new(kind: TallyKind, n_profiles: usize) -> Tally {
        match kind {
            TallyKind::Count => Tally::Counts(vec![0; n_profiles]),
            TallyKind::Total => Tally::Totals(vec![0; n_profiles]),
            TallyKind::Least => Tally::Least(vec![i128::MAX; n_profiles]),
            TallyKind::Greatest => Tally::Greatest(vec![i128::MIN; n_profiles]),
            TallyKind::Earliest => Tally::Earliest(vec![i64::MAX; n_profiles]),
            TallyKind::Latest => Tally::Latest(vec![i64::MIN; n_profiles]),
        }
    }

    fn take_in(&mut self, other: &Tally) {
        match (self, other) {
            (Tally::Counts(counts), Tally::Counts(others)) => join(counts, others, u32::saturating_add),
            (Tally::Totals(totals), Tally::Totals(others)) => join(totals, others, sum),
            (Tally::Least(least), Tally::Least(others)) => join(least, others, i128::min),
            (Tally::Greatest(greatest), Tally::Greatest(others)) => join(greatest, others, i128::max),
            (Tally::Earliest(earliest), Tally::Earliest(others)) => join(earliest, others, i64::min),
            (Tally::Latest(latest), Tally::Latest(others)) => join(latest, others, i64::max),
            // Tallies of one plan stand in one order, so that these never meet.
            (
                Tally::Counts(_)
                | Tally::Totals(_)
                | Tally::Least(_)
                | Tally::Greatest(_)
                | Tally::Earliest(_)
                | Tally::Latest(_),
                _,
            ) => {}
        }
    }

    fn add(&mut self, columns: &BlockColumns, indices: &[u32], nanos: &[i128]) {
        let (profiles, times) = (columns.profiles.as_slice(), columns.occurred_at_ms.as_slice());
        match self {
            Tally::Counts(counts) => fold(counts, profiles, indices, indices, |n, _| *n = n.saturating_add(1)),
            Tally::Totals(totals) => fold(totals, profiles, indices, nanos, |total, nanos| {
                let summand = Some(*nanos).filter(|nanos| nanos.unsigned_abs() <= GREATEST_SUMMAND);
                *total = sum(*total, summand.unwrap_or(OVERFLOWN));
            }),
            Tally::Least(least) => fold(least, profiles, indices, nanos, |least, nanos| *least = (*least).min(*nanos)),
            Tally::Greatest(greatest) => {
                fold(greatest, profiles, indices, nanos, |greatest, nanos| *greatest = (*greatest).max(*nanos));
            }
            Tally::Earliest(earliest) => fold(earliest, profiles, indices, indices, |earliest, index| {
                if let Some(time) = times.get(*index as usize) {
                    *earliest = (*earliest).min(*time);
                }
            }),
            Tally::Latest(latest) => fold(latest, profiles, indices, indices, |latest, index| {
                if let Some(time) = times.get(*index as usize) {
                    *latest = (*latest).max(*time);
                }
            }),
        }
    }
}

/// Overflown stays overflown: nothing that is added to it may bring it back.
fn sum(left: i128, right: i128) -> i128 {
    let sum = left.checked_add(right).filter(|_| left != OVERFLOWN && right != OVERFLOWN);
    sum.unwrap_or(OVERFLOWN)
}

/// Joins the values of two parts of the events, profile by profile.
fn join<T: Copy>(values: &mut [T], others: &[T], joined: impl Fn(T, T) -> T) {
    for (value, other) in values.iter_mut().zip(others) {
        *value = joined(*value, *other);
    }
}

/// Folds one contribution for each index into the value of the profile that the event belongs to.
fn fold<T, C>(values: &mut [T], profiles: &[u32], indices: &[u32], contributions: &[C], add: impl Fn(&mut T, &C)) {
    for (index, contribution) in indices.iter().zip(contributions) {
        // The number of no profile lies beyond every population.
        let profile = profiles.get(*index as usize).map(|profile| *profile as usize);
        if let Some(value) = profile.and_then(|profile| values.get_mut(profile)) {
            add(value, contribution);
        }
    }
}
