//! The partition of nodes into profiles: its committed state in RAM, equal for every order of arrival.
//!
//! Nodes are dense numbers, components numbers of a slab; both lie in arrays. A transaction changes
//! [`PartitionChanges`], which are folded in after COMMIT or dropped.

use rustc_hash::{FxHashMap, FxHashSet};

use super::chunked::Chunked;
use super::component::Component;
use super::holders::Holders;
use super::hub::{Hub, HubKey};
use super::profiles::ProfilesCache;

/// In `component_of`: no evidence joins the node with another.
pub(super) const NO_COMPONENT: u32 = u32::MAX;

/// The partition of the last commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partition {
    // by node; a node after the end has no component
    pub(super) component_of: Chunked<u32>,
    // by number; the numbers in `free` are empty
    pub(super) components: Chunked<Component>,
    pub(super) free: Vec<u32>,
    pub(super) hubs: FxHashMap<HubKey, Hub>,
    // pairs that a hub guard keeps out
    pub(super) parked: FxHashSet<(u32, u32)>,
    pub(super) holders: Holders,
    pub(super) standing: ProfilesCache,
}

impl Partition {
    /// A partition of this number of nodes without any link.
    pub(crate) fn of_strangers(n_nodes: u32) -> Partition {
        Partition { component_of: Chunked::of_none(n_nodes as usize, NO_COMPONENT), ..Partition::default() }
    }

    /// Empty changes for a transaction that starts from this partition.
    pub(crate) fn changes(&self) -> PartitionChanges {
        PartitionChanges::default()
    }

    /// Whether it has no evidence.
    pub(crate) fn is_empty(&self) -> bool {
        self.component_of.len() == 0 && self.holders.is_empty() && self.parked.is_empty()
    }

    /// Adds the changes of a committed transaction.
    pub(crate) fn fold(&mut self, overlay: PartitionChanges) {
        self.standing = ProfilesCache::default();
        for (node, id) in overlay.component_of {
            if let Some(place) = self.component_of.get_mut(node as usize) {
                *place = id;
            }
        }
        self.component_of.append(overlay.component_of_new);
        for (id, component) in overlay.components {
            if let Some(place) = self.components.get_mut(id as usize) {
                *place = component;
            }
        }
        self.components.append(overlay.components_new);
        self.free.truncate(self.free.len().saturating_sub(overlay.n_taken));
        self.free.extend(overlay.freed);
        self.hubs.extend(overlay.hubs);
        self.holders.fold(overlay.holders);
        for (pair, is_parked) in overlay.parked {
            if is_parked {
                self.parked.insert(pair);
            } else {
                self.parked.remove(&pair);
            }
        }
    }

    /// A view of this partition without changes.
    pub(crate) fn view(&self) -> PartitionView<'_> {
        PartitionView { base: self, overlay: None }
    }
}

/// The changes of one transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartitionChanges {
    // of nodes in the array of the base, and of those after its end
    pub(super) component_of: FxHashMap<u32, u32>,
    pub(super) component_of_new: Chunked<u32>,
    // likewise for components; a freed one is empty
    pub(super) components: FxHashMap<u32, Component>,
    pub(super) components_new: Chunked<Component>,
    pub(super) freed: Vec<u32>,
    // the number of the base's free numbers in use, from the last
    pub(super) n_taken: usize,
    pub(super) hubs: FxHashMap<HubKey, Hub>,
    // pairs that a hub guard now keeps out, or no longer does
    pub(super) parked: FxHashMap<(u32, u32), bool>,
    // of values under `latest_link_wins`: those that have changed, complete
    pub(super) holders: Holders,
    // component -> the number of earlier profiles that were joined into another
    pub(super) merges: FxHashMap<u32, u64>,
    // nodes whose profile has changed, some of them more than once
    pub(super) changed: Vec<u32>,
    // one node of each larger profile that has changed
    pub(super) grown: Vec<u32>,
}

impl PartitionChanges {
    /// Whether there are no changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.component_of.is_empty()
            && self.component_of_new.len() == 0
            && self.components.is_empty()
            && self.components_new.len() == 0
            && self.freed.is_empty()
            && self.n_taken == 0
            && self.hubs.is_empty()
            && self.parked.is_empty()
            && self.holders.is_empty()
    }

    /// A view of the partition with these changes.
    pub(crate) fn view<'a>(&'a self, base: &'a Partition) -> PartitionView<'a> {
        PartitionView { base, overlay: Some(self) }
    }
}

/// The partition as one transaction sees it.
#[derive(Clone, Copy)]
pub(crate) struct PartitionView<'a> {
    pub(super) base: &'a Partition,
    pub(super) overlay: Option<&'a PartitionChanges>,
}

impl<'a> PartitionView<'a> {
    /// A view of the last commit's partition with these changes instead of those of this view.
    pub(crate) fn with(self, overlay: &'a PartitionChanges) -> PartitionView<'a> {
        PartitionView { base: self.base, overlay: Some(overlay) }
    }
}
