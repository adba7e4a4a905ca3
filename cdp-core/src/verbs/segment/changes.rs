//! The outbox of audiences: flips and merges of memberships, recorded in order and read from a cursor.

use crate::audiences::Flip;
use crate::engine::handle::Cdp;
use crate::engine::transaction::Transaction;
use crate::error::Result;
use crate::records::options::options;
use crate::records::{Cells, Frame, Timestamp};
use crate::store::{ChangeType, StoredChange};

/// What upkeep found for one profile and audience.
pub(crate) struct Found {
    pub(crate) audience: String,
    // The profile's first node, under which its membership stands.
    pub(crate) node: u32,
    // Nodes of the profile under which it stood before, besides `node`.
    pub(crate) merged: Vec<u32>,
    pub(crate) flips: Vec<Flip>,
    pub(crate) is_member: bool,
}

pub(crate) fn record(tx: &mut Transaction<'_>, found: Found, to: Timestamp) -> Result<()> {
    let before = tx.members(&found.audience).since(found.node);
    let entered = found.flips.iter().rev().find(|flip| flip.entered).map(|flip| flip.occurred_at);
    let since = found.is_member.then(|| entered.or(before).unwrap_or(to));
    for merged in &found.merged {
        tx.changes.audiences.memberships.set(&found.audience, *merged, None);
        put_change(tx, &found, *merged, ChangeType::MergedInto, to, false, since)?;
    }
    for flip in &found.flips {
        let change = if flip.entered { ChangeType::Entered } else { ChangeType::Exited };
        put_change(tx, &found, found.node, change, flip.occurred_at, flip.late, since)?;
    }
    tx.changes.audiences.memberships.set(&found.audience, found.node, since);
    Ok(())
}

fn put_change(
    tx: &mut Transaction<'_>,
    found: &Found,
    node: u32,
    entered: ChangeType,
    occurred_at: Timestamp,
    late: bool,
    since: Option<Timestamp>,
) -> Result<()> {
    tx.meta.change_sequence += 1;
    tx.facts.put_change(&StoredChange {
        change: tx.meta.change_sequence,
        audience: found.audience.clone(),
        node,
        entered,
        occurred_at,
        late,
        merged_into: (entered == ChangeType::MergedInto).then_some(found.node),
        recorded_at: tx.meta.recorded_at,
        since,
    })
}

options! {
    /// Which audience changes are read.
    pub struct ChangesQuery {
        /// Only changes of this audience.
        audience: optional String,
        /// The `next` of the page before: the number of the last change that was read.
        after: optional i64,
        /// The largest number of rows; all without it.
        limit: optional usize,
    }
}

impl Cdp {
    /// The flips of memberships after a cursor, in order: `change, audience, profile_id, type, occurred_at, late,
    /// merged_into, recorded_at`. Pass the frame's `next` as `after` to go on; at least once, never out of order.
    ///
    /// ```
    /// use cdp_core::{Cdp, OpenOptions, cdp::ChangesQuery, define::{Audience, Rule}, records::Track};
    ///
    /// let db = Cdp::open(OpenOptions::in_memory())?;
    /// db.define(Audience::new("buyers", Rule::event("Order Completed").at_least(1)))?;
    /// db.track(Track::new("Order Completed").user_id("u1"))?;
    /// let changes = db.audience_changes(&ChangesQuery::new().audience("buyers"))?;
    /// assert_eq!(changes.rows().next().map(|row| row.get::<String>("type")).transpose()?.as_deref(), Some("Audience Entered"));
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn audience_changes(&self, query: &ChangesQuery) -> Result<Frame> {
        let ChangesQuery { audience, after, limit } = query;
        let (audience, after, limit) = (audience.as_deref(), *after, *limit);
        self.read(|snapshot| {
            if let Some(name) = audience {
                snapshot.catalog.audience(name)?;
            }
            let limit = limit.unwrap_or(usize::MAX);
            let changes = snapshot.facts.changes(audience, after.unwrap_or(0), limit)?;
            let text =
                |value: &dyn Fn(&StoredChange) -> Option<String>| Cells::Text(changes.iter().map(value).collect());
            let mut frame = Frame::new(vec![
                ("change", Cells::Int64(changes.iter().map(|change| Some(change.change)).collect())),
                ("audience", text(&|change| Some(change.audience.clone()))),
                ("profile_id", text(&|change| Some(snapshot.node_hash(change.node)))),
                ("type", text(&|change| Some(change.entered.as_str().to_owned()))),
                ("occurred_at", Cells::Timestamp(changes.iter().map(|change| Some(change.occurred_at)).collect())),
                ("late", Cells::Bool(changes.iter().map(|change| Some(change.late)).collect())),
                ("merged_into", text(&|change| change.merged_into.map(|node| snapshot.node_hash(node)))),
                ("recorded_at", Cells::Timestamp(changes.iter().map(|change| Some(change.recorded_at)).collect())),
            ]);
            // The cursor stays usable at the end: later changes come after it.
            frame.next = changes.last().map(|change| change.change.to_string());
            Ok(frame)
        })
    }
}
