//! Decides from event counts alone whether new or expiring events can change an audience membership, so that upkeep need not
//! read timelines.
//!
//! It takes a definition and the events of one profile that arrived or left windows, and returns the possible outcomes
//! of its rule meanwhile and afterwards. It reads no timeline; where counts do not decide, upkeep reads it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use smallvec::SmallVec;

use crate::definitions::{AudienceDefinition, Catalog};
use crate::error::Result;
use crate::records::Timestamp;
use crate::rules::{Follows, Lookbacks, MAX_WATCHED, Range, Ranges, Watch, WatchedLeaf, lookbacks, matches_at, reach};
use crate::store::{MemoryView, event_bit};
use crate::sync::lock;

/// An event that arrived or fell due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// The number of its name.
    pub(crate) event: u32,
    pub(crate) occurred_at: Timestamp,
    /// The row of its properties, if this transaction has added it.
    pub(crate) row: Option<u32>,
}

/// Possible effects of events that leave windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slid {
    pub(crate) may_enter: bool,
    pub(crate) may_exit: bool,
    /// The instants at which the first and the last of them left.
    first_at: Timestamp,
    last_at: Timestamp,
    /// The number of events that left the window of each watched leaf, ignoring filters.
    n_gone: [u8; MAX_WATCHED],
}

impl Default for Slid {
    fn default() -> Slid {
        let (first_at, last_at) = (Timestamp::MAX, Timestamp::MIN);
        Slid { may_enter: false, may_exit: false, first_at, last_at, n_gone: [0; MAX_WATCHED] }
    }
}

impl Slid {
    /// Adds the effects on another node of the profile.
    pub(crate) fn add(&mut self, other: Slid) {
        self.may_enter |= other.may_enter;
        self.may_exit |= other.may_exit;
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
        self.n_gone.iter_mut().zip(other.n_gone).for_each(|(n, more)| *n = n.saturating_add(more));
    }
}

/// Events that leave a window this long after they occurred.
struct Sliding {
    offset_ms: i64,
    names: EventNames,
    may_enter: bool,
    may_exit: bool,
}

/// A watched leaf with event names as numbers of the store.
struct Watched {
    names: EventNames,
    window_ms: Option<i64>,
    has_filters: bool,
}

/// The events that can change the membership of an audience.
pub(crate) struct Trigger {
    pub(crate) lookbacks: Lookbacks,
    pub(crate) watch: Watch,
    watched: Vec<Watched>,
    /// The events that can end a membership by occurring; `None` if every fact may.
    undoing: Option<EventNames>,
    sliding: Vec<Sliding>,
    /// The offsets after which an event can matter once more.
    offsets_ms: BTreeSet<i64>,
    /// A profile without an event in each of these bit sets cannot match.
    needed: Vec<u64>,
}

/// The triggers of all audiences, cached until definitions or names change.
#[derive(Default)]
pub(crate) struct Triggers(Mutex<Option<CachedTriggers>>);

struct CachedTriggers {
    catalog: Arc<Catalog>,
    n_names: u32,
    triggers: Arc<Vec<Trigger>>,
}

impl Triggers {
    /// The trigger of each audience of a catalog, in their order.
    pub(crate) fn of(&self, catalog: &Arc<Catalog>, memory: &MemoryView<'_>) -> Result<Arc<Vec<Trigger>>> {
        let make =
            || catalog.audiences().map(|audience| Trigger::of(audience, catalog, memory)).collect::<Result<Vec<_>>>();
        let n_names = memory.n_committed_names();
        if memory.has_new_names() {
            // The transaction may be rolled back, and its numbers be given to other names.
            return Ok(Arc::new(make()?));
        }
        let mut known = lock(&self.0);
        if let Some(known) =
            known.as_ref().filter(|known| Arc::ptr_eq(&known.catalog, catalog) && known.n_names == n_names)
        {
            return Ok(known.triggers.clone());
        }
        let triggers = Arc::new(make()?);
        *known = Some(CachedTriggers { catalog: catalog.clone(), n_names, triggers: triggers.clone() });
        Ok(triggers)
    }
}

/// The numbers of event names.
enum EventNames {
    Any,
    These(Vec<u32>),
}

impl EventNames {
    fn contains(&self, event: u32) -> bool {
        match self {
            EventNames::Any => true,
            EventNames::These(these) => these.contains(&event),
        }
    }
}

impl Trigger {
    fn of(audience: &AudienceDefinition, catalog: &Catalog, memory: &MemoryView<'_>) -> Result<Trigger> {
        let reach = reach(&audience.rule, catalog)?;
        let numbers = |names: &[String]| -> Vec<u32> { names.iter().filter_map(|name| memory.name_id(name)).collect() };
        let names_of = |names: &[String]| match names {
            [] => EventNames::Any,
            names => EventNames::These(numbers(names)),
        };
        let watch = Watch::of(&audience.rule, catalog)?;
        let watched = watch.leaves.iter().map(|leaf| Watched {
            names: names_of(&leaf.selection.events),
            window_ms: match leaf.follows {
                Follows::Count { window_ms } => window_ms,
                Follows::Still => None,
            },
            has_filters: !leaf.selection.filters.is_empty(),
        });
        let sliding = reach.slides.iter().map(|slide| Sliding {
            offset_ms: slide.offset_ms,
            names: names_of(&slide.events),
            may_enter: slide.may_enter,
            may_exit: slide.may_exit,
        });
        let sliding: Vec<Sliding> = sliding.collect();
        let watched: Vec<Watched> = watched.collect();
        let windows = watched.iter().filter_map(|watched| watched.window_ms);
        let offsets_ms = sliding.iter().map(|sliding| sliding.offset_ms).chain(windows).collect();
        let undoing = reach.undoing.map(|names| numbers(&names.into_iter().collect::<Vec<_>>()));
        let bits = |names: &Vec<String>| numbers(names).into_iter().fold(0, |bits, event| bits | event_bit(event));
        Ok(Trigger {
            lookbacks: lookbacks(&audience.rule, catalog)?,
            watched,
            watch,
            undoing: undoing.map(EventNames::These),
            sliding,
            offsets_ms,
            needed: reach.needed.iter().map(bits).collect(),
        })
    }

    /// Whether a profile of these nodes may have the events that the rule needs.
    pub(crate) fn may_mean(&self, memory: &MemoryView<'_>, holds_nothing: bool, nodes: &[u32]) -> bool {
        let had = nodes.iter().fold(0, |bits, node| bits | memory.firsts(*node).events());
        // A profile that holds values for a time may have events of other nodes.
        !holds_nothing || self.needed.iter().all(|needed| had & needed != 0)
    }

    /// Whether one of the events can end a membership by occurring.
    pub(crate) fn may_undo(&self, arrivals: &[Arrival]) -> bool {
        match &self.undoing {
            None => true,
            Some(undoing) => arrivals.iter().any(|arrival| undoing.contains(arrival.event)),
        }
    }

    /// Whether the outcome may change for every profile in `(since, to]`: by a date in the rule, or by a date in a
    /// trait.
    pub(crate) fn is_anybody_due(&self, since: Timestamp, to: Timestamp) -> bool {
        let a_date_is_due = self.lookbacks.absolute.iter().any(|instant| *instant > since && *instant <= to);
        a_date_is_due || !self.lookbacks.trait_offsets.is_empty()
    }

    /// Visits the nodes whose outcome may change in `(since, to]` without a new fact, a node once for each of its
    /// events over which a window slides.
    pub(crate) fn visit_sliding(
        &self,
        memory: &MemoryView<'_>,
        since: Timestamp,
        to: Timestamp,
        mut visit: impl FnMut(u32, Slid),
    ) {
        for offset_ms in self.offsets_ms.iter().copied() {
            // An event at e matters at e + offset, which lies in (since, to].
            let (after, up_to) = (since.plus_millis(-offset_ms), to.plus_millis(-offset_ms));
            memory.visit_times(after, up_to, |node, event, occurred_at| {
                if event == 0 {
                    return;
                }
                let at = occurred_at.plus_millis(offset_ms);
                let mut slid = Slid { first_at: at, last_at: at, ..Slid::default() };
                let mut matters = false;
                let of_offset = self.sliding.iter().filter(|sliding| sliding.offset_ms == offset_ms);
                for sliding in of_offset.filter(|sliding| sliding.names.contains(event)) {
                    matters = true;
                    slid.may_enter |= sliding.may_enter;
                    slid.may_exit |= sliding.may_exit;
                }
                for (watched, n_gone) in self.watched.iter().zip(&mut slid.n_gone) {
                    if watched.window_ms == Some(offset_ms) && watched.names.contains(event) {
                        matters = true;
                        *n_gone = 1;
                    }
                }
                if matters {
                    visit(node, slid);
                }
            });
        }
    }

    /// The outcomes of the rule after each instant in `(since, to]` at which one of these events arrived or left a
    /// window, in order, given that it `was` constant before the first. `None` where the ranges do not decide, where an
    /// event arrived late or has left a window again, and where events left at different instants.
    pub(crate) fn outcomes(
        &self,
        memory: &MemoryView<'_>,
        (was, before): (bool, &Ranges),
        arrivals: &[Arrival],
        slid: Option<&Slid>,
        (since, to): (Timestamp, Timestamp),
    ) -> Option<SmallVec<[(Timestamp, bool); 8]>> {
        let came: SmallVec<[Arrival; 8]> =
            arrivals.iter().copied().filter(|arrival| arrival.occurred_at <= to).collect();
        let is_within = |arrival: &Arrival| {
            arrival.occurred_at > since
                && self.offsets_ms.first().is_none_or(|shortest_ms| arrival.occurred_at.plus_millis(*shortest_ms) > to)
        };
        let is_one_instant = slid.is_none_or(|slid| slid.first_at == slid.last_at);
        if self.watch.decide(before) != Some(was) || !is_one_instant || !came.iter().all(is_within) {
            return None;
        }
        let left_at = slid.map(|slid| slid.first_at);
        let mut instants: SmallVec<[Timestamp; 8]> = came.iter().map(|arrival| arrival.occurred_at).collect();
        instants.extend(left_at);
        instants.sort_unstable();
        instants.dedup();
        let mut ranges = *before;
        let mut after = |at: Timestamp| {
            let came_now: SmallVec<[Arrival; 8]> =
                came.iter().copied().filter(|arrival| arrival.occurred_at == at).collect();
            let left_now = slid.filter(|_| left_at == Some(at));
            (_, ranges) = self.follow(memory, &ranges, &came_now, left_now, to);
            Some((at, self.watch.decide(&ranges)?))
        };
        instants.into_iter().map(&mut after).collect()
    }

    /// The ranges of a profile's leaves meanwhile, and at `to`, when these events arrived and left; the first cover
    /// every instant up to `to`.
    pub(crate) fn follow(
        &self,
        memory: &MemoryView<'_>,
        before: &Ranges,
        arrivals: &[Arrival],
        slid: Option<&Slid>,
        to: Timestamp,
    ) -> (Ranges, Ranges) {
        let (mut meanwhile, mut after) = (*before, *before);
        let ends = meanwhile.iter_mut().zip(&mut after);
        for (place, ((leaf, watched), (meanwhile, after))) in
            self.watch.leaves.iter().zip(&self.watched).zip(ends).enumerate()
        {
            // Events after `to` fall due when it passes them.
            let mine = |arrival: &&Arrival| arrival.occurred_at <= to && watched.names.contains(arrival.event);
            let mut arrivals = arrivals.iter().filter(mine).peekable();
            if leaf.follows == Follows::Still {
                if arrivals.peek().is_some() {
                    (*meanwhile, *after) = (Range::UNKNOWN, Range::UNKNOWN);
                }
                continue;
            }
            let n_gone = slid.and_then(|slid| slid.n_gone.get(place)).copied().map_or(0, usize::from);
            let start = watched.window_ms.map_or(Timestamp::MIN, |window_ms| to.plus_millis(-window_ms));
            let (mut n_certain, mut n_possible, mut n_came) = (0, 0, 0);
            for arrival in arrivals {
                let counts = match arrival.row {
                    _ if !watched.has_filters => Some(true),
                    Some(row) => passes(leaf, memory, arrival, row),
                    None => None,
                };
                if counts == Some(false) {
                    continue;
                }
                n_came += 1;
                if watched.window_ms.is_none() || arrival.occurred_at > start {
                    match counts {
                        Some(_) => n_certain += 1,
                        None => n_possible += 1,
                    }
                }
            }
            *after = meanwhile.minus(n_gone, !watched.has_filters).plus(n_certain, n_possible);
            let lowest = meanwhile.minus(n_gone, false);
            *meanwhile = lowest.or(meanwhile.plus(0, n_came));
        }
        (meanwhile, after)
    }
}

/// Whether an event of this transaction passes the filters of a leaf; `None` if the store has no column for one of
/// them.
fn passes(leaf: &WatchedLeaf, memory: &MemoryView<'_>, arrival: &Arrival, row: u32) -> Option<bool> {
    for filter in &leaf.selection.filters {
        let value = memory.added_property(row, &filter.property)?;
        if !matches_at(&filter.property, &filter.comparison, value.as_deref(), arrival.occurred_at) {
            return Some(false);
        }
    }
    Some(true)
}
