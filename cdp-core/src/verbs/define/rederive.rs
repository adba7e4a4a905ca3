//! Making another catalog hold: what depends on the definitions that changed is derived again.

use std::sync::Arc;

use crate::definitions::Catalog;
use crate::engine::transaction::Transaction;
use crate::error::Result;
use crate::{identity, intake};

/// Makes another catalog hold: re-derives what depends on the definitions that changed.
pub(super) fn apply_catalog(tx: &mut Transaction<'_>, catalog: Catalog) -> Result<()> {
    let identity_changed = catalog.identity() != tx.changes.catalog.identity();
    tx.meta.definitions += 1;
    tx.changes.catalog = Arc::new(catalog);
    if identity_changed {
        // Records were read, and stand under nodes, as the definition before had it: the next run makes them again.
        tx.facts.clear_linkage_live()?;
        tx.changes.people.live = None;
        tx.resolve_types();
        rederive_identity(tx)?;
    }
    tx.reload_at_the_end(identity_changed);
    Ok(())
}

/// Derives every message's node and links again, under the identity definition that holds now.
fn rederive_identity(tx: &mut Transaction<'_>) -> Result<()> {
    tx.facts.clear_evidence()?;
    let catalog = tx.changes.catalog.clone();
    let (facts, last) = (tx.facts, tx.meta.log_sequence);
    tx.meta.links_to = last;
    facts.visit_messages(0, last, |row| {
        let stored = row.read(&tx.memory())?;
        let Ok(read) = intake::read_message(stored.fields.to_object(), usize::MAX) else { return Ok(()) };
        // A message that the new definition gives no identifier stays where it was.
        let Ok(identified) = identity::identify(catalog.identity(), &read.message) else { return Ok(()) };
        relink(tx, &stored, &identified)
    })
}

fn relink(
    tx: &mut Transaction<'_>,
    stored: &crate::store::StoredMessage,
    identified: &identity::Identified<'_>,
) -> Result<()> {
    let evidence = tx.evidence_of(stored.sequence, stored.occurred_at, identified, &stored.fields)?;
    for link in &evidence.links {
        tx.log()?.put_link(link)?;
    }
    let node = evidence.node;
    if node != stored.node {
        tx.facts.set_message_node(stored.sequence, node)?;
    }
    Ok(())
}
