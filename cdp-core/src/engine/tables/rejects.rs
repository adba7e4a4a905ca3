//! Rejected rows as a table.

use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::records::{Cells, Frame};
use crate::store::StoredReject;

fn rejects_frame(snapshot: &Snapshot<'_>, rejects: &[StoredReject], next: Option<String>) -> Frame {
    let text = |value: &dyn Fn(&StoredReject) -> Option<String>| Cells::Text(rejects.iter().map(value).collect());
    let mut frame = Frame::new(vec![
        ("reject_id", Cells::Int64(rejects.iter().map(|reject| Some(reject.reject_id)).collect())),
        ("source", text(&|reject| Some(snapshot.memory.name(reject.source).to_owned()))),
        (
            "row",
            Cells::Int64(rejects.iter().map(|reject| reject.row.and_then(|row| i64::try_from(row).ok())).collect()),
        ),
        ("reason", text(&|reject| Some(reject.reason.clone()))),
        ("field", text(&|reject| reject.field.clone())),
        ("detail", text(&|reject| Some(reject.detail.clone()))),
        ("raw", text(&|reject| Some(String::from_utf8_lossy(&reject.raw).into_owned()))),
        ("recorded_at", Cells::Timestamp(rejects.iter().map(|reject| Some(reject.recorded_at)).collect())),
    ]);
    frame.next = next;
    frame
}

/// The rejects of a source, or of all, after a cursor.
pub(crate) fn rejects_table(
    snapshot: &Snapshot<'_>,
    source: Option<&str>,
    reason: Option<&str>,
    after: Option<i64>,
    limit: Option<usize>,
) -> Result<Frame> {
    let source_id = match source {
        Some(name) => match snapshot.memory.name_id(name) {
            Some(id) => Some(id),
            None => return Ok(rejects_frame(snapshot, &[], None)),
        },
        None => None,
    };
    let wanted = limit.unwrap_or(usize::MAX);
    let mut rejects = snapshot.facts.rejects(source_id, reason, after.unwrap_or(0), wanted.saturating_add(1))?;
    let more = rejects.len() > wanted;
    rejects.truncate(wanted);
    let next = if more { rejects.last().map(|reject| reject.reject_id.to_string()) } else { None };
    Ok(rejects_frame(snapshot, &rejects, next))
}
