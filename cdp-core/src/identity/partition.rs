//! The partition of nodes into people, the same for every order of arrival: its committed state in RAM.
//!
//! Nodes are dense numbers, components numbers of a slab; both lie in arrays. A transaction changes an overlay, which is
//! folded in after COMMIT or dropped.

use rustc_hash::{FxHashMap, FxHashSet};

use super::chunked::Chunked;
use super::component::Component;
use super::hub::{Hub, HubKey};
use super::overlay::PartitionOverlay;
use super::profiles::Standing;
use super::spans::Holders;
use super::view::PartitionView;

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
    pub(crate) fn overlay(&self) -> PartitionOverlay {
        PartitionOverlay::default()
    }

    /// Whether no evidence is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.component_of.len() == 0 && self.holders.is_empty() && self.parked.is_empty()
    }

    /// Takes in what a committed transaction has changed.
    pub(crate) fn fold(&mut self, overlay: PartitionOverlay) {
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
