//! The hub guard: a value that many others name (an office phone, a test address) links only the k earliest of them.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use super::links::{Link, NodeRules, Violation, compare};
use crate::definitions::IdentifierType;
use crate::error::Result;
use crate::records::Timestamp;

/// How many neighbours of a class one value may link: by neighbour type, or for all types not named.
fn hub_limits(identifier: &IdentifierType, neighbour_type: &str) -> Option<(String, u32)> {
    let named = identifier.max_links_from.iter().find(|(name, _)| name == neighbour_type);
    named.or_else(|| identifier.max_links_from.iter().find(|(name, _)| name == "*")).cloned()
}

/// The neighbours of one value that its hub guard lets count: the k earliest.
#[derive(Clone, Debug, Default)]
pub(super) struct Hub {
    // neighbour -> its earliest link
    pub(super) live: HashMap<u32, (Timestamp, u64)>,
    pub(super) violations: BTreeSet<Violation>,
}

impl Hub {
    /// Counts a link from the value of this hub. Gives the neighbour that it displaces.
    pub(super) fn count(
        &mut self,
        value: u32,
        neighbour: u32,
        limit: u32,
        link: &Link,
        rules: &dyn NodeRules,
    ) -> Result<Option<u32>> {
        let found = (link.occurred_at, link.sequence);
        if let Some((at, sequence)) = self.live.get(&neighbour).copied() {
            if compare(found.0, found.1, at, sequence, rules)? == Ordering::Less {
                self.live.insert(neighbour, found);
            }
            return Ok(None);
        }
        let violation = |loser: u32| Violation {
            reason: format!("link_limit_exceeded:{}", rules.identifier_type(value).name),
            pair: (value.min(loser), value.max(loser)),
        };
        let mut displaced = None;
        if self.live.len() >= limit as usize
            && let Some(last) = self.latest(rules)?
        {
            if later((neighbour, found), last, rules)? {
                self.violations.insert(violation(neighbour));
                return Ok(None);
            }
            self.live.remove(&last.0);
            self.violations.insert(violation(last.0));
            displaced = Some(last.0);
        }
        self.violations.remove(&violation(neighbour));
        self.live.insert(neighbour, found);
        Ok(displaced)
    }

    fn latest(&self, rules: &dyn NodeRules) -> Result<Option<(u32, (Timestamp, u64))>> {
        let mut found = None;
        for (neighbour, first) in &self.live {
            let this = (*neighbour, *first);
            if match found {
                None => true,
                Some(last) => later(this, last, rules)?,
            } {
                found = Some(this);
            }
        }
        Ok(found)
    }
}

/// Whether one neighbour was linked later than another, by (event time, message id, rank).
fn later(left: (u32, (Timestamp, u64)), right: (u32, (Timestamp, u64)), rules: &dyn NodeRules) -> Result<bool> {
    let order = compare(left.1.0, left.1.1, right.1.0, right.1.1, rules)?;
    Ok(order.then_with(|| rules.rank(left.0).cmp(&rules.rank(right.0))) == Ordering::Greater)
}

/// The hub of a value that counts a neighbour, and how many it lets live; `None` if the neighbour's type is not guarded.
pub(super) fn hub_of(value: u32, neighbour: u32, rules: &dyn NodeRules) -> Option<((u32, String), u32)> {
    let (class, limit) = hub_limits(&rules.identifier_type(value), &rules.identifier_type(neighbour).name)?;
    Some(((value, class), limit))
}
