//! The members of each audience at `advanced_to`, by the first node of the profile: the fold of the outbox.
//!
//! It takes the changes of the outbox in order and holds the members. The file stores the outbox, and from time to time
//! the members as of one change, so that an open need not fold all changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, ErrorKind, Result};
use crate::records::Timestamp;
use crate::store::{ChangeType, Facts, StoredChange};

/// Audience -> node -> member since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memberships(BTreeMap<String, BTreeMap<u32, Timestamp>>);

/// The changes of a transaction: audience -> node -> member since, `None` for no member.
#[derive(Debug, Default)]
pub(crate) struct MembershipsChanges(BTreeMap<String, BTreeMap<u32, Option<Timestamp>>>);

impl MembershipsChanges {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn set(&mut self, audience: &str, node: u32, since: Option<Timestamp>) {
        if let Some(changes) = self.0.get_mut(audience) {
            changes.insert(node, since);
        } else {
            self.0.insert(audience.to_owned(), BTreeMap::from([(node, since)]));
        }
    }

    /// Takes in the next change of the outbox.
    pub(crate) fn replay(&mut self, change: &StoredChange) {
        set_by(change).for_each(|(node, since)| self.set(&change.audience, node, since));
    }
}

/// What a change of the outbox sets, in order: node, member since.
fn set_by(change: &StoredChange) -> impl Iterator<Item = (u32, Option<Timestamp>)> {
    let merged = (change.entered == ChangeType::MergedInto).then_some((change.node, None));
    merged.into_iter().chain([(change.merged_into.unwrap_or(change.node), change.since)])
}

/// Sets since when a node is a member; `None` for no member.
fn set(members: &mut BTreeMap<u32, Timestamp>, node: u32, since: Option<Timestamp>) {
    match since {
        Some(since) => members.insert(node, since),
        None => members.remove(&node),
    };
}

impl Memberships {
    /// Reads the members from the file.
    pub(crate) fn load(facts: Facts<'_>) -> Result<Memberships> {
        let mut memberships = Memberships::default();
        let mut known_to = BTreeMap::new();
        for (audience, change, data) in facts.membership_snapshots()? {
            memberships.0.insert(audience.clone(), decode(&data)?);
            known_to.insert(audience, change);
        }
        let from = known_to.values().copied().min().unwrap_or(0);
        for change in facts.changes(None, from, usize::MAX)? {
            if known_to.get(&change.audience).is_none_or(|known_to| *known_to < change.change) {
                let members = memberships.0.entry(change.audience.clone()).or_default();
                set_by(&change).for_each(|(node, since)| set(members, node, since));
            }
        }
        Ok(memberships)
    }

    pub(crate) fn fold(&mut self, changes: MembershipsChanges) {
        for (audience, changes) in changes.0 {
            let members = self.0.entry(audience).or_default();
            changes.into_iter().for_each(|(node, since)| set(members, node, since));
        }
    }

    /// Stores the members of every audience, with these changes, as of a change of the outbox; an audience that is not
    /// stored has no earlier change.
    pub(crate) fn save(&self, facts: Facts<'_>, changes: &MembershipsChanges, change: i64) -> Result<()> {
        let audiences: BTreeSet<&str> = self.0.keys().chain(changes.0.keys()).map(String::as_str).collect();
        for audience in audiences {
            let members = MembershipsView::of(audience, self, Some(changes));
            let mut data = Vec::new();
            for node in members.nodes() {
                let since = members.since(node).unwrap_or_default();
                data.extend_from_slice(&node.to_le_bytes());
                data.extend_from_slice(&since.millis().to_le_bytes());
            }
            facts.put_membership_snapshot(audience, change, &data)?;
        }
        Ok(())
    }
}

const MEMBER_BYTES: usize = 12;

fn decode(data: &[u8]) -> Result<BTreeMap<u32, Timestamp>> {
    let (members, rest) = data.as_chunks::<MEMBER_BYTES>();
    let read = |member: &[u8; MEMBER_BYTES]| -> Option<(u32, Timestamp)> {
        let node = u32::from_le_bytes(*member.first_chunk()?);
        Some((node, Timestamp::from_millis(i64::from_le_bytes(*member.last_chunk()?))))
    };
    if !rest.is_empty() {
        return Err(Error::new(ErrorKind::Corrupt, "the members of an audience are not readable")
            .with_hint("restore the store from a backup"));
    }
    Ok(members.iter().filter_map(read).collect())
}

/// The members of one audience as a transaction sees them.
#[derive(Clone, Copy)]
pub(crate) struct MembershipsView<'m> {
    committed: Option<&'m BTreeMap<u32, Timestamp>>,
    changes: Option<&'m BTreeMap<u32, Option<Timestamp>>>,
}

impl<'m> MembershipsView<'m> {
    pub(crate) fn of(
        audience: &str,
        committed: &'m Memberships,
        changes: Option<&'m MembershipsChanges>,
    ) -> MembershipsView<'m> {
        MembershipsView {
            committed: committed.0.get(audience),
            changes: changes.and_then(|changes| changes.0.get(audience)),
        }
    }

    /// Since when a node is a member; `None` if it is none.
    pub(crate) fn since(&self, node: u32) -> Option<Timestamp> {
        match self.changes.and_then(|changes| changes.get(&node)) {
            Some(changed) => *changed,
            None => self.committed.and_then(|members| members.get(&node)).copied(),
        }
    }

    pub(crate) fn contains(&self, node: u32) -> bool {
        self.since(node).is_some()
    }

    /// The nodes of all members.
    pub(crate) fn nodes(&self) -> BTreeSet<u32> {
        let committed = self.committed.into_iter().flat_map(|members| members.keys().copied());
        let changed = self.changes.into_iter().flat_map(|changes| changes.keys().copied());
        committed.chain(changed).filter(|node| self.contains(*node)).collect()
    }
}
