//! Why two identifiers belong together: the shortest path of evidence between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::links::Link;

/// One step of a path of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathStep {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) link: Link,
}

/// Up to `n` paths from one node to another over links within `profile`, no two of which share a link: the shortest
/// first, then the shortest over the remaining links.
pub(crate) fn evidence_paths(
    links: &[Link],
    profile: &BTreeSet<u32>,
    from: u32,
    to: u32,
    n: usize,
) -> Vec<Vec<PathStep>> {
    let mut left = links.to_vec();
    let mut paths = Vec::new();
    while paths.len() < n && from != to {
        let Some(path) = evidence_path(&left, profile, from, to) else { break };
        left.retain(|link| !path.iter().any(|step| step.link.pair() == link.pair()));
        paths.push(path);
    }
    paths
}

/// The shortest path from one node to another over links within `profile`; of equally short ones that of the earliest
/// evidence.
fn evidence_path(links: &[Link], profile: &BTreeSet<u32>, from: u32, to: u32) -> Option<Vec<PathStep>> {
    let mut neighbours: BTreeMap<u32, Vec<(u32, Link)>> = BTreeMap::new();
    let mut in_time: Vec<&Link> =
        links.iter().filter(|link| profile.contains(&link.node) && profile.contains(&link.other)).collect();
    in_time.sort_by_key(|link| (link.occurred_at, link.sequence));
    for link in in_time {
        neighbours.entry(link.node).or_default().push((link.other, *link));
        neighbours.entry(link.other).or_default().push((link.node, *link));
    }
    let mut came_from: BTreeMap<u32, PathStep> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            break;
        }
        for (next, link) in neighbours.get(&at).map_or(&[][..], Vec::as_slice) {
            if *next != from && !came_from.contains_key(next) {
                came_from.insert(*next, PathStep { from: at, to: *next, link: *link });
                queue.push_back(*next);
            }
        }
    }
    let mut path = Vec::new();
    let mut at = to;
    while at != from {
        let step = came_from.get(&at)?;
        path.push(*step);
        at = step.from;
    }
    path.reverse();
    Some(path)
}
