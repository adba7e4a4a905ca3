//! The parts of RAM, listed once: what a state holds, what a transaction adds to it, and what a moment sees of both.
//!
//! The list at the end of this file makes [`Parts`] (the last commit), [`PartsChanges`] (beside it, until COMMIT) and
//! [`PartsView`] (both, borrowed) with one field for each part. A part has a module below this one, and [`Part`] is its
//! protocol. The list never orders the parts: no part is read while another one is folded.

mod audiences;
mod catalog;
mod memory;
mod models;
mod part;
mod people;

use std::sync::Arc;

use crate::definitions::Catalog;
use crate::error::Result;
use crate::store::{Memory, MemoryView};

pub(crate) use audiences::{Audiences, AudiencesView};
pub(crate) use models::{LoadedModels, Models};
pub(crate) use part::{Beginning, Behind, Part};
pub(crate) use people::{People, PeopleView};

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident: $part:ty, seen as $view:ty;)*) => {
        /// Every part of RAM as of the last commit. A clone shares what grows with the store.
        #[derive(Clone)]
        pub(in crate::engine) struct Parts {
            $($(#[$doc])* pub(in crate::engine) $name: $part,)*
        }

        /// What one transaction changes of every part.
        pub(crate) struct PartsChanges {
            $($(#[$doc])* pub(crate) $name: <$part as Part>::Changes,)*
        }

        /// Every part as one moment sees it.
        #[derive(Clone, Copy)]
        pub(crate) struct PartsView<'a> {
            $($(#[$doc])* pub(crate) $name: $view,)*
        }

        impl Parts {
            /// Every part from the file, before the first message is observed.
            pub(in crate::engine) fn load(beginning: &Beginning<'_>) -> Result<Parts> {
                Ok(Parts { $($name: Part::load(beginning)?,)* })
            }

            /// No changes yet.
            pub(in crate::engine) fn changes(&self) -> PartsChanges {
                PartsChanges { $($name: Part::changes(&self.$name),)* }
            }

            /// What the file has of each part behind this state.
            pub(in crate::engine) fn changes_behind(&self, behind: &Behind<'_>) -> Result<PartsChanges> {
                Ok(PartsChanges { $($name: self.$name.changes_behind(behind)?,)* })
            }

            /// The last commit.
            pub(in crate::engine) fn view(&self) -> PartsView<'_> {
                PartsView { $($name: Part::view(&self.$name),)* }
            }

            /// The last commit under these changes.
            pub(in crate::engine) fn view_with<'a>(&'a self, changes: &'a PartsChanges) -> PartsView<'a> {
                PartsView { $($name: self.$name.view_with(&changes.$name),)* }
            }

            /// Takes in what a committed transaction has changed.
            pub(in crate::engine) fn fold(&mut self, changes: PartsChanges) {
                $(Part::fold(&mut self.$name, changes.$name);)*
            }
        }
    };
}

parts! {
    /// The definitions in force.
    catalog: Arc<Catalog>, seen as &'a Catalog;
    /// Identifiers, names and timelines.
    memory: Memory, seen as MemoryView<'a>;
    /// Which identifiers are one profile, and why.
    people: People, seen as PeopleView<'a>;
    /// The members of each audience, and what decides whether they can change.
    audiences: Audiences, seen as AudiencesView<'a>;
    /// The model that answers for each predictor.
    models: Models, seen as &'a LoadedModels;
}
