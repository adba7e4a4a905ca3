//! The partition of nodes into people, the same for every order of arrival: its committed state in RAM.
//!
//! Nodes are dense numbers, components numbers of a slab; both lie in arrays. A transaction changes an overlay, which is
//! folded in after COMMIT or dropped.

use rustc_hash::{FxHashMap, FxHashSet};

use super::chunked::Chunked;
use super::component::Component;
use super::holders::Holders;
use super::hub::{Hub, HubKey};
use super::profiles::Standing;

/// In `component_of`: no evidence joins the node with another.
pub(super) const NO_COMPONENT: u32 = u32::MAX;

/// The partition of the last commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partition {
    // by node; a node behind the end has none
    pub(super) component_of: Chunked<u32>,
    // by number; one in `free` is empty
    pub(super) components: Chunked<Component>,
    pub(super) free: Vec<u32>,
    pub(super) hubs: FxHashMap<HubKey, Hub>,
    // pairs that a hub guard keeps out
    pub(super) parked: FxHashSet<(u32, u32)>,
    pub(super) holders: Holders,
    pub(super) standing: Standing,
}

impl Partition {
    /// Of so many nodes none is known to belong to another.
    pub(crate) fn of_strangers(n_nodes: u32) -> Partition {
        Partition { component_of: Chunked::of_none(n_nodes as usize, NO_COMPONENT), ..Partition::default() }
    }

    /// An overlay for a transaction that starts from this partition.
    pub(crate) fn changes(&self) -> PartitionChanges {
        PartitionChanges::default()
    }

    /// Whether no evidence is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.component_of.len() == 0 && self.holders.is_empty() && self.parked.is_empty()
    }

    /// Takes in what a committed transaction has changed.
    pub(crate) fn fold(&mut self, overlay: PartitionChanges) {
        self.standing = Standing::default();
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

    /// This partition without changes.
    pub(crate) fn view(&self) -> PartitionView<'_> {
        PartitionView { base: self, overlay: None }
    }
}

/// What one transaction changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartitionChanges {
    // of nodes that the base has in its array, and of those behind its end
    pub(super) component_of: FxHashMap<u32, u32>,
    pub(super) component_of_new: Chunked<u32>,
    // the same of components; a freed one is empty
    pub(super) components: FxHashMap<u32, Component>,
    pub(super) components_new: Chunked<Component>,
    pub(super) freed: Vec<u32>,
    // how many of the base's free numbers are in use, from the last
    pub(super) n_taken: usize,
    pub(super) hubs: FxHashMap<HubKey, Hub>,
    // pairs that a hub guard keeps out now, or no more
    pub(super) parked: FxHashMap<(u32, u32), bool>,
    // of values that belong to whoever was linked last: those that have changed, whole
    pub(super) holders: Holders,
    // component -> profiles that existed before and were joined into another
    pub(super) merges: FxHashMap<u32, u64>,
    // nodes whose profile has changed, some of them more than once
    pub(super) changed: Vec<u32>,
    // one node of each larger profile that has changed
    pub(super) grown: Vec<u32>,
}

impl PartitionChanges {
    /// Whether it changes nothing.
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

    /// The partition with these changes.
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
    /// The last commit's partition with these changes instead of those of this view.
    pub(crate) fn with(self, overlay: &'a PartitionChanges) -> PartitionView<'a> {
        PartitionView { base: self.base, overlay: Some(overlay) }
    }
}
