//! What another identity definition makes of the people there are, tried out in a transaction that is rolled back.

use std::collections::{BTreeMap, BTreeSet};

use crate::definitions::Definition;
use crate::engine::snapshot::Snapshot;
use crate::engine::transaction::Transaction;
use crate::error::Result;
use crate::records::Timestamp;
use crate::verbs::define::plan::{PeopleChange, put_definitions};

/// What these definitions would make of the people there are.
pub(super) fn people_after(tx: &mut Transaction<'_>, definitions: Vec<Definition>) -> Result<PeopleChange> {
    put_definitions(tx, definitions)?;
    tx.with_rebuilt(|before, after| {
        let profile_of = |snapshot: &Snapshot<'_>| -> Result<BTreeMap<u32, u32>> {
            let people = snapshot.people(Timestamp::MAX)?;
            let numbered = (0u32..).zip(&people);
            Ok(numbered
                .flat_map(|(number, person)| person.absorbed().map(move |node| (node, number)).collect::<Vec<_>>())
                .collect())
        };
        let (before_of, after_of) = (profile_of(before)?, profile_of(after)?);
        let several = |from: &BTreeMap<u32, u32>, to: &BTreeMap<u32, u32>| {
            let mut parts: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            for (node, number) in from {
                parts.entry(*number).or_default().extend(to.get(node));
            }
            parts.values().filter(|parts| parts.len() > 1).count() as u64
        };
        let n_profiles = |of: &BTreeMap<u32, u32>| of.values().collect::<BTreeSet<&u32>>().len() as u64;
        Ok(PeopleChange {
            profiles_before: n_profiles(&before_of),
            profiles_after: n_profiles(&after_of),
            joined: several(&after_of, &before_of),
            split: several(&before_of, &after_of),
        })
    })
}
