//! Identity as tables: every pair of identifiers that evidence joins and whether it counts, and what operators decided.

use std::collections::BTreeMap;

use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::records::{Cells, Frame, Timestamp};

/// A table of pairs of identifiers.
#[derive(Default)]
struct Pairs {
    from_types: Vec<Option<String>>,
    from_values: Vec<Option<String>>,
    to_types: Vec<Option<String>>,
    to_values: Vec<Option<String>>,
}

impl Pairs {
    fn push(&mut self, snapshot: &Snapshot<'_>, from: u32, to: u32) {
        let place = |node: u32, types: &mut Vec<Option<String>>, values: &mut Vec<Option<String>>| {
            let (identifier_type, value) = snapshot.memory.node(node);
            types.push(Some(identifier_type.to_owned()));
            values.push(Some(value.to_owned()));
        };
        place(from, &mut self.from_types, &mut self.from_values);
        place(to, &mut self.to_types, &mut self.to_values);
    }

    fn into_columns(self) -> [(&'static str, Cells); 4] {
        [
            ("from_type", Cells::Text(self.from_types)),
            ("from_value", Cells::Text(self.from_values)),
            ("to_type", Cells::Text(self.to_types)),
            ("to_value", Cells::Text(self.to_values)),
        ]
    }
}

/// The earliest link of each pair and rule in the order of the log, then every link of values that belong to whoever was
/// linked last, then the pairs whose evidence a guard or an operator keeps out.
pub(crate) fn links_table(snapshot: &Snapshot<'_>) -> Result<Frame> {
    let mut refused: BTreeMap<(u32, u32), String> = BTreeMap::new();
    for (pair, reason) in snapshot.people.partition.refused_pairs(snapshot) {
        refused.entry(pair).or_insert(reason);
    }
    let mut pairs = Pairs::default();
    let (mut rules, mut classes, mut times) = (Vec::new(), Vec::new(), Vec::<Option<Timestamp>>::new());
    let (mut statuses, mut reasons) = (Vec::new(), Vec::new());
    let kept = snapshot.people.partition.kept_links().into_iter().map(|link| (link, false));
    let held = snapshot.people.partition.held_links().into_iter().map(|link| (link, true));
    for (link, is_held) in kept.chain(held) {
        let pair = link.pair();
        // A refused pair may have come together by another way; then its evidence counts as well.
        let is_live =
            is_held || snapshot.people.partition.profile_of(pair.0) == snapshot.people.partition.profile_of(pair.1);
        let reason = refused.remove(&pair).filter(|_| !is_live);
        pairs.push(snapshot, link.node, link.other);
        rules.push(Some(link.rule.as_str().to_owned()));
        classes.push(Some(link.rule.class().to_owned()));
        times.push(Some(link.occurred_at));
        statuses.push(Some(if is_live { "live" } else { "refused" }.to_owned()));
        reasons.push(reason);
    }
    let cut = snapshot.people.decisions.cut_pairs().map(|pair| (pair, "unlinked", None));
    let kept_out = refused.into_iter().map(|(pair, reason)| (pair, "refused", Some(reason)));
    let mut others: Vec<((u32, u32), &str, Option<String>)> = kept_out.chain(cut).collect();
    others.sort();
    for ((from, to), status, reason) in others {
        pairs.push(snapshot, from, to);
        rules.push(None);
        classes.push(None);
        times.push(None);
        statuses.push(Some(status.to_owned()));
        reasons.push(reason);
    }
    let mut columns: Vec<(&str, Cells)> = pairs.into_columns().into();
    columns.extend([
        ("rule", Cells::Text(rules)),
        ("class", Cells::Text(classes)),
        ("occurred_at", Cells::Timestamp(times)),
        ("status", Cells::Text(statuses)),
        ("reason", Cells::Text(reasons)),
    ]);
    Ok(Frame::new(columns))
}

/// Every decision in the order in which it came; `holds` is false for one that another about the same pair outranks.
pub(crate) fn link_decisions_table(snapshot: &Snapshot<'_>) -> Result<Frame> {
    let stored = snapshot.facts.decisions_after(0)?;
    let mut pairs = Pairs::default();
    let mut holds = Vec::with_capacity(stored.len());
    for stored in &stored {
        let decision = &stored.decision;
        pairs.push(snapshot, decision.node, decision.other);
        let latest = snapshot.people.decisions.between(decision.node, decision.other);
        holds.push(Some(latest.is_some_and(|latest| latest.number == decision.number)));
    }
    let numbers = stored.iter().map(|stored| i64::try_from(stored.decision.number).ok()).collect();
    let types = stored.iter().map(|stored| Some(stored.decision.kind.as_str().to_owned())).collect();
    let mut columns: Vec<(&str, Cells)> = vec![("decision", Cells::Int64(numbers)), ("type", Cells::Text(types))];
    columns.extend(pairs.into_columns());
    columns.extend([
        ("occurred_at", Cells::Timestamp(stored.iter().map(|stored| Some(stored.decision.occurred_at)).collect())),
        ("recorded_at", Cells::Timestamp(stored.iter().map(|stored| Some(stored.recorded_at)).collect())),
        ("reason", Cells::Text(stored.iter().map(|stored| stored.reason.clone()).collect())),
        ("holds", Cells::Bool(holds)),
    ]);
    Ok(Frame::new(columns))
}
