//! What an open reads first: timelines, identifiers and evidence, the latter two on a thread of their own where there are many.
//!
//! It takes the file and leaves links for a state to take in. It never changes the partition.

use crate::error::Result;
use crate::identity::{Joined, Link};
use crate::records::{Path, StoredLink};
use crate::store::{Facts, Memory, MemoryOptions, Meta, NodeTable, Store};

/// Links of evidence for a state to take in.
pub(in crate::engine) struct Evidence {
    /// The last message whose links it has already.
    pub(crate) after: u64,
    /// In the order of the log.
    pub(crate) links: Vec<Link>,
    /// The nodes that these links join, if they are all the evidence.
    pub(crate) joined: Option<Joined>,
}

impl Evidence {
    /// All links of the messages up to one.
    pub(crate) fn all(facts: Facts<'_>, up_to: u64) -> Result<Evidence> {
        // A list that grows is copied from place to place; what is reserved in vain is never touched.
        let mut links = Vec::with_capacity(facts.estimated_links()?);
        facts.visit_all_links(up_to, |link| links.push(link_of(&link)))?;
        let joined = Some(Joined::of(&links));
        Ok(Evidence { after: 0, links, joined })
    }

    /// Those of the messages in `(after, up_to]`.
    pub(crate) fn after(facts: Facts<'_>, after: u64, up_to: u64) -> Result<Evidence> {
        let links = facts.links_after(after, up_to)?.iter().map(link_of).collect();
        Ok(Evidence { after, links, joined: None })
    }
}

/// The state of the store up to the last run, and all evidence; `None` if the runs lack a column. Where there are many
/// identifiers a second thread reads them, and the evidence, beside the runs.
pub(in crate::engine) fn load_beside(
    facts: Facts<'_>,
    store: Option<&Store>,
    meta: &Meta,
    paths: &[Path],
    options: MemoryOptions,
) -> Result<Option<(Memory, Evidence)>> {
    let n_nodes = facts.n_nodes()?;
    let beside = store.filter(|_| n_nodes >= options.many_nodes).and_then(|store| store.reader_beside(facts));
    let read = |facts: Facts<'_>| -> Result<(NodeTable, Evidence)> {
        Ok((NodeTable::load(facts, n_nodes)?, Evidence::all(facts, meta.log_sequence)?))
    };
    std::thread::scope(|scope| {
        let beside = beside.and_then(|reader| {
            let thread = std::thread::Builder::new().name("cdp-open".to_owned());
            thread.spawn_scoped(scope, move || read(reader.facts()?)).ok()
        });
        let Some(mut memory) = Memory::load(facts, n_nodes, paths, options)? else { return Ok(None) };
        let (nodes, evidence) = match beside {
            Some(beside) => beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?,
            None => read(facts)?,
        };
        memory.set_nodes(nodes);
        Ok(Some((memory, evidence)))
    })
}

pub(crate) fn link_of(link: &StoredLink) -> Link {
    Link { node: link.node, other: link.other, occurred_at: link.occurred_at, sequence: link.sequence, rule: link.rule }
}
