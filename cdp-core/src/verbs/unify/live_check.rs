//! A check for `verify`: the records and keys that live comparison reads against those that all profiles give.

use std::collections::BTreeMap;

use crate::engine::live_linkage::LiveLinkage;
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::linkage::{rule_of_stored, stored_keys};
use crate::store::KeyNodes;
use crate::verbs::unify::compared::compared_profiles;
use crate::verbs::unify::live::{MOST_NODES, record_of};
use crate::verbs::unify::pairs::linkage_of;

/// Where the records and keys that live comparison reads are not those that all profiles give.
pub(crate) fn record_faults(snapshot: &Snapshot<'_>, _: &Snapshot<'_>) -> Result<Vec<String>> {
    let Some(live) = LiveLinkage::load(snapshot.facts, snapshot.catalog, None)? else { return Ok(Vec::new()) };
    let resolver = live.resolver(snapshot.facts, snapshot.catalog)?;
    let waits = |node: u32| snapshot.people.partition.component_nodes(node).len() > MOST_NODES;
    let mut expected = BTreeMap::new();
    for profile in compared_profiles(snapshot, linkage_of(snapshot)?)?.profiles {
        expected.insert(profile.node, (profile.since, live.record(&profile)));
    }
    let mut faults = Vec::new();
    let (mut n_keys, mut knows_all) = (0, true);
    let tables = &mut snapshot.facts.linkage_tables()?;
    for node in snapshot.facts.linkage_record_nodes()? {
        let stored = record_of(tables, node)?;
        if expected.remove(&node) != stored && !waits(node) {
            faults.push(format!("node {node}: its compared record differs from its rebuild"));
        }
        let Some((_, bytes)) = stored else { continue };
        for key in stored_keys(&bytes.texts()?) {
            let mut nodes = Vec::new();
            match tables.key_nodes(key, resolver.most(rule_of_stored(key)), &mut nodes)? {
                KeyNodes::TooMany => {}
                KeyNodes::Some(_) if nodes.contains(&node) => n_keys += 1,
                KeyNodes::Some(_) => faults.push(format!("node {node}: a blocking key is missing")),
            }
        }
    }
    for node in expected.into_keys() {
        match waits(node) {
            true => knows_all = false,
            false => faults.push(format!("node {node}: its compared record is missing")),
        }
    }
    if knows_all && n_keys != snapshot.facts.count_linkage_keys()? {
        faults.push("there are blocking keys without a record".to_owned());
    }
    Ok(faults)
}
