//! Scorers that the host registers, by predictor, for as long as this process has the store open.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::predict::zero_shot::{Patience, Scorer};

/// A scorer and how it is asked.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(crate) scorer: Arc<dyn Scorer + Send + Sync>,
    pub(crate) patience: Patience,
}

/// The scorers of a store, by predictor.
#[derive(Default)]
pub(crate) struct Scorers(pub(crate) RwLock<BTreeMap<String, Registered>>);

impl Scorers {
    /// Lets all of them go.
    pub(crate) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Scorers {
    /// Registers a scorer for a predictor, or takes it away.
    pub(crate) fn set(&self, predictor: &str, scorer: Option<(Arc<dyn Scorer + Send + Sync>, Patience)>) {
        let mut scorers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match scorer {
            Some((scorer, patience)) => {
                scorers.insert(predictor.to_owned(), Registered { scorer, patience });
            }
            None => {
                scorers.remove(predictor);
            }
        }
    }

    /// The scorer of a predictor.
    pub(crate) fn get(&self, predictor: &str) -> Option<Registered> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(predictor).cloned()
    }
}
