//! The nodes of all profiles at an instant, one profile after the other, for a pass over all profiles.
//!
//! It takes the partition of one snapshot and lists the nodes of each profile. If no profile has changed since an
//! instant, the list holds for every later one, and is cached until the partition changes. It uses neither events nor
//! rules.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::records::Timestamp;
use crate::rules::NOBODY;

/// The nodes of profiles, one profile after the other, in no order.
#[derive(Debug)]
pub(crate) struct Profiles {
    n_nodes: u32,
    nodes: Vec<u32>,
    ends: Vec<u32>,
    number_of: OnceLock<Vec<u32>>,
}

impl Profiles {
    pub(super) fn empty(n_nodes: u32) -> Profiles {
        let (nodes, ends) = (Vec::with_capacity(n_nodes as usize), Vec::with_capacity(n_nodes as usize));
        Profiles { n_nodes, nodes, ends, number_of: OnceLock::new() }
    }

    pub(super) fn push(&mut self, nodes: &[u32]) {
        if let [only] = nodes {
            self.nodes.push(*only);
        } else {
            let start = self.nodes.len();
            self.nodes.extend_from_slice(nodes);
            self.nodes.get_mut(start..).unwrap_or_default().sort_unstable();
        }
        self.ends.push(self.nodes.len() as u32);
    }

    /// The number of profiles.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The nodes of each profile, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.nodes.get(start as usize..*end as usize).unwrap_or_default())
    }

    /// The number of each node's profile, counted from 0 in the order of [`Profiles::iter`], or [`NOBODY`].
    pub(crate) fn number_of(&self) -> &[u32] {
        self.number_of.get_or_init(|| {
            let mut number_of = vec![NOBODY; self.n_nodes as usize];
            for (number, nodes) in (0u32..).zip(self.iter()) {
                for node in nodes {
                    if let Some(place) = number_of.get_mut(*node as usize) {
                        *place = number;
                    }
                }
            }
            number_of
        })
    }
}

/// A cache of the profiles that hold since an instant, valid until the partition changes. A clone starts empty.
#[derive(Debug, Default)]
pub(super) struct ProfilesCache(Mutex<Option<CachedProfiles>>);

impl Clone for ProfilesCache {
    fn clone(&self) -> ProfilesCache {
        ProfilesCache::default()
    }
}

#[derive(Debug)]
struct CachedProfiles {
    since: Timestamp,
    profiles: Arc<Profiles>,
}

impl ProfilesCache {
    pub(super) fn find(&self, n_nodes: u32, at: Timestamp) -> Option<Arc<Profiles>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = known.as_ref().filter(|known| known.profiles.n_nodes == n_nodes && known.since <= at);
        fits.map(|known| known.profiles.clone())
    }

    pub(super) fn keep(&self, since: Timestamp, profiles: &Arc<Profiles>) {
        let known = CachedProfiles { since, profiles: profiles.clone() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}
