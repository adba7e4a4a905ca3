//! How much each profile lacks to be in an audience, or has to spare in it, as upkeep saw it last: enough to pass most
//! profiles by unread.
//!
//! It takes what upkeep found and leaves, of who is not in an audience, how many more events of which names it takes; of who
//! is, how many may leave a window. It is in RAM alone and may forget everything at any time: then profiles are looked at
//! once more.

use std::collections::{BTreeMap, HashMap};

use rustc_hash::FxBuildHasher;

/// What a profile lacks at least, or what a member has to spare: so many events that one requirement of the audience names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shortfall {
    /// The place of the requirement in the audience.
    pub(super) requirement: u8,
    events: u8,
}

const NOT_KNOWN: Shortfall = Shortfall { requirement: 0, events: 0 };
// What all audiences together may take, in bytes.
const MOST_BYTES: usize = 64 << 20;

impl Shortfall {
    /// `None` where there is nothing that is worth keeping.
    pub(super) fn new(requirement: usize, events: u64) -> Option<Shortfall> {
        let requirement = u8::try_from(requirement).ok()?;
        (events > 0).then(|| Shortfall { requirement, events: u8::try_from(events).unwrap_or(u8::MAX) })
    }

    /// What is lacking after so many events of the requirement's names, or to spare after so many have left.
    pub(super) fn after(self, n_events: usize) -> Option<Shortfall> {
        let events = usize::from(self.events).checked_sub(n_events).filter(|left| *left > 0)?;
        Shortfall::new(usize::from(self.requirement), events as u64)
    }

    /// What is lacking once so many events that counted have left.
    pub(super) fn without(self, n_events: usize) -> Shortfall {
        let n_events = u8::try_from(n_events).unwrap_or(u8::MAX);
        Shortfall { events: self.events.saturating_add(n_events), ..self }
    }

    /// Whether so many may leave.
    pub(super) fn spares(self, n_events: usize) -> bool {
        usize::from(self.events) >= n_events
    }
}

/// Audience -> the least node of a profile -> what it lacks.
#[derive(Clone, Debug, Default)]
pub(super) struct Shortfalls(BTreeMap<String, Vec<Shortfall>>);

/// What a transaction changes of them; `None`: nothing is known any more.
#[derive(Debug, Default)]
pub(super) struct ShortfallChanges(BTreeMap<String, HashMap<u32, Option<Shortfall>, FxBuildHasher>>);

impl ShortfallChanges {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The shortfalls of one audience as a transaction sees them.
pub(super) struct KnownShortfalls<'s> {
    committed: &'s [Shortfall],
    changes: &'s mut HashMap<u32, Option<Shortfall>, FxBuildHasher>,
}

impl<'s> KnownShortfalls<'s> {
    pub(super) fn of(audience: &str, committed: &'s Shortfalls, changes: &'s mut ShortfallChanges) -> Self {
        let committed = committed.0.get(audience).map_or(&[][..], Vec::as_slice);
        KnownShortfalls { committed, changes: changes.0.entry(audience.to_owned()).or_default() }
    }

    /// What the profile with this least node lacks.
    pub(super) fn get(&self, node: u32) -> Option<Shortfall> {
        match self.changes.get(&node) {
            Some(changed) => *changed,
            None => self.committed.get(node as usize).copied().filter(|known| *known != NOT_KNOWN),
        }
    }

    /// Keeps what a profile lacks, or that this is not known.
    pub(super) fn set(&mut self, node: u32, shortfall: Option<Shortfall>) {
        if self.get(node) != shortfall {
            self.changes.insert(node, shortfall);
        }
    }
}

impl Shortfalls {
    /// What a transaction has found; behind what RAM may take, nothing is kept.
    pub(super) fn apply(&mut self, changes: ShortfallChanges) {
        let mut n_kept: usize = self.0.values().map(Vec::len).sum();
        for (audience, changes) in changes.0 {
            let kept = self.0.entry(audience).or_default();
            for (node, shortfall) in changes {
                let place = node as usize;
                if place >= kept.len() && shortfall.is_some() {
                    let longer = place + 1 - kept.len();
                    if (n_kept + longer) * size_of::<Shortfall>() > MOST_BYTES {
                        continue;
                    }
                    kept.resize(place + 1, NOT_KNOWN);
                    n_kept += longer;
                }
                if let Some(known) = kept.get_mut(place) {
                    *known = shortfall.unwrap_or(NOT_KNOWN);
                }
            }
        }
    }
}
