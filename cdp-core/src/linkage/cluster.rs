//! Clusters of records: average linkage inside connected components, every pair of a component scored again.
//!
//! Components alone chain strangers through one wrong pair; an average over all pairs does not (IDs of people who share a
//! household are the usual chain). Links that must or must not be are kept hard. The result does not depend on pair order.

use rustc_hash::FxHashMap;

/// Groups of numbers that are linked: union by size, paths halved.
#[derive(Clone, Debug, Default)]
pub struct Components {
    parents: Vec<u32>,
    sizes: Vec<u32>,
}

impl Components {
    /// This many numbers, each a group of its own.
    pub fn new(n: usize) -> Components {
        Components { parents: (0..n as u32).collect(), sizes: vec![1; n] }
    }

    /// The number that stands for the group of `of`; a number beyond the last stands for itself.
    pub fn find(&mut self, mut of: u32) -> u32 {
        loop {
            let parent = self.parent(of);
            if parent == of {
                return of;
            }
            let grandparent = self.parent(parent);
            if let Some(place) = self.parents.get_mut(of as usize) {
                *place = grandparent;
            }
            of = grandparent;
        }
    }

    fn parent(&self, of: u32) -> u32 {
        self.parents.get(of as usize).copied().unwrap_or(of)
    }

    /// Links two numbers; whether they were apart before.
    pub fn link(&mut self, left: u32, right: u32) -> bool {
        let (left, right) = (self.find(left), self.find(right));
        if left == right {
            return false;
        }
        let size = |of: u32| self.sizes.get(of as usize).copied().unwrap_or(0);
        let (large, small) = if size(left) >= size(right) { (left, right) } else { (right, left) };
        let total = size(left) + size(right);
        if let (Some(parent), Some(size)) = (self.parents.get_mut(small as usize), self.sizes.get_mut(large as usize)) {
            *parent = large;
            *size = total;
        }
        true
    }

    /// For each number the least one of its group.
    pub fn labels(&mut self) -> Vec<u32> {
        let mut least = vec![u32::MAX; self.parents.len()];
        (0..self.parents.len() as u32)
            .map(|number| {
                let root = self.find(number);
                match least.get_mut(root as usize) {
                    Some(first) => {
                        *first = (*first).min(number);
                        *first
                    }
                    None => number,
                }
            })
            .collect()
    }
}

/// What must hold whatever the weights say, as pairs of rows with the smaller first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Constraints {
    pub(crate) must: Vec<(u32, u32)>,
    pub(crate) cannot: Vec<(u32, u32)>,
}

const LARGEST_SCORED: usize = 150;
const HIGHEST_SPLIT: f64 = 48.0;
const STEP: f64 = 2.0;
// One strange pair does not outvote a cluster.
pub(crate) const MOST: f64 = 25.0;
const HARD: f64 = 1e7;

/// For each of `n` records the least record of its cluster.
///
/// `edges` are pairs with their weights; `weight` scores any pair, `may_match` says which pairs are possible at all.
pub(crate) fn clusters(
    n: usize,
    edges: &[(u32, u32, f64)],
    threshold: f64,
    constraints: &Constraints,
    weight: impl Fn(u32, u32) -> f64,
    may_match: impl Fn(u32, u32) -> bool,
) -> Vec<u32> {
    let mut hard: FxHashMap<(u32, u32), f64> = FxHashMap::default();
    hard.extend(constraints.must.iter().map(|pair| (*pair, HARD)));
    hard.extend(constraints.cannot.iter().map(|pair| (*pair, -HARD)));
    let final_weight = |left: u32, right: u32| {
        let pair = (left.min(right), left.max(right));
        match hard.get(&pair) {
            Some(hard) => *hard,
            None if !may_match(left, right) => -HARD,
            None => weight(left, right).clamp(-MOST, MOST),
        }
    };
    let mut whole: Vec<(u32, u32, f64)> = edges.iter().copied().filter(|(_, _, weight)| *weight >= threshold).collect();
    whole.extend(constraints.must.iter().map(|(left, right)| (*left, *right, HARD)));
    let mut result = Components::new(n);
    let mut open = vec![(whole, threshold)];
    while let Some((edges, level)) = open.pop() {
        for (members, edges) in parts(n, edges) {
            if members.len() == 2 {
                if let [left, right] = members.as_slice()
                    && final_weight(*left, *right) >= threshold
                {
                    result.link(*left, *right);
                }
            } else if members.len() <= LARGEST_SCORED {
                average_linkage(&members, threshold, &final_weight, &mut result);
            } else if level >= HIGHEST_SPLIT {
                // Hundreds of records that agree in everything: what the pairs say holds.
                for (left, right, _) in edges {
                    if final_weight(left, right) >= threshold {
                        result.link(left, right);
                    }
                }
            } else {
                let level = level + STEP;
                open.push((edges.into_iter().filter(|(_, _, weight)| *weight >= level).collect(), level));
            }
        }
    }
    result.labels()
}

type Edges = Vec<(u32, u32, f64)>;

/// Connected components of more than one record with their edges, by least member.
fn parts(n: usize, edges: Edges) -> Vec<(Vec<u32>, Edges)> {
    let mut components = Components::new(if edges.len() * 8 > n { n } else { 0 });
    // A few edges of many records: number only those that occur.
    let mut small: FxHashMap<u32, u32> = FxHashMap::default();
    let mut names: Vec<u32> = Vec::new();
    if components.parents.is_empty() {
        let mut ends: Vec<u32> = edges.iter().flat_map(|(left, right, _)| [*left, *right]).collect();
        ends.sort_unstable();
        ends.dedup();
        small.extend(ends.iter().enumerate().map(|(number, end)| (*end, number as u32)));
        components = Components::new(ends.len());
        names = ends;
    }
    let number = |of: u32| if names.is_empty() { of } else { small.get(&of).copied().unwrap_or(0) };
    for (left, right, _) in &edges {
        components.link(number(*left), number(*right));
    }
    let labels = components.labels();
    let label = |of: u32| labels.get(number(of) as usize).copied().unwrap_or(0);
    let mut members: Vec<(u32, u32)> =
        edges.iter().flat_map(|(left, right, _)| [(label(*left), *left), (label(*right), *right)]).collect();
    members.sort_unstable();
    members.dedup();
    let mut keyed: Vec<(u32, (u32, u32, f64))> = edges.into_iter().map(|edge| (label(edge.0), edge)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then((a.1.0, a.1.1).cmp(&(b.1.0, b.1.1))));
    let members = members.chunk_by(|a, b| a.0 == b.0).map(|of| of.iter().map(|(_, member)| *member).collect());
    let edges = keyed.chunk_by(|a, b| a.0 == b.0).map(|of| of.iter().map(|(_, edge)| *edge).collect());
    members.zip(edges).collect()
}

/// Merges the two groups with the highest average weight between them until none reaches the threshold.
fn average_linkage(members: &[u32], threshold: f64, weight: &impl Fn(u32, u32) -> f64, result: &mut Components) {
    let k = members.len();
    let mut between: Vec<Vec<f64>> = members
        .iter()
        .enumerate()
        .map(|(i, left)| {
            let row = members.iter().enumerate();
            row.map(|(j, right)| if j < i { weight(*left, *right) } else { f64::NEG_INFINITY }).collect()
        })
        .collect();
    let mut sizes = vec![1.0; k];
    let mut alive: Vec<usize> = (0..k).collect();
    loop {
        let mut best = (threshold, None);
        for i in &alive {
            let Some(row) = between.get(*i) else { continue };
            for j in alive.iter().take_while(|j| *j < i) {
                let weight = row.get(*j).copied().unwrap_or(f64::NEG_INFINITY);
                if weight > best.0 || (best.1.is_none() && weight >= best.0) {
                    best = (weight, Some((*j, *i)));
                }
            }
        }
        let (_, Some((keep, gone))) = best else { return };
        let at = |between: &[Vec<f64>], a: usize, b: usize| {
            between.get(a.max(b)).and_then(|row| row.get(a.min(b))).copied().unwrap_or(f64::NEG_INFINITY)
        };
        let (size_keep, size_gone) = (sizes.get(keep).copied().unwrap_or(1.0), sizes.get(gone).copied().unwrap_or(1.0));
        alive.retain(|place| *place != gone);
        for other in alive.iter().copied().filter(|other| *other != keep) {
            let mean = (at(&between, keep, other) * size_keep + at(&between, gone, other) * size_gone)
                / (size_keep + size_gone);
            if let Some(place) = between.get_mut(keep.max(other)).and_then(|row| row.get_mut(keep.min(other))) {
                *place = mean;
            }
        }
        if let Some(size) = sizes.get_mut(keep) {
            *size += size_gone;
        }
        if let (Some(left), Some(right)) = (members.get(keep), members.get(gone)) {
            result.link(*left, *right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(n: usize, edges: &[(u32, u32, f64)], constraints: &Constraints) -> Vec<u32> {
        let weight = |a: u32, b: u32| edges.iter().find(|e| (e.0, e.1) == (a.min(b), a.max(b))).map_or(-10.0, |e| e.2);
        clusters(n, edges, 0.0, constraints, weight, |_, _| true)
    }

    #[test]
    fn a_chain_is_cut_at_its_weak_link() {
        let edges = [(0, 1, 9.0), (1, 2, 1.0), (2, 3, 9.0)];
        assert_eq!(of(5, &edges, &Constraints::default()), [0, 0, 2, 2, 4]);
    }

    #[test]
    fn decisions_of_people_are_kept_whatever_the_weights_say() {
        let edges = [(0, 1, 9.0), (2, 3, 9.0)];
        let constraints = Constraints { must: vec![(1, 4)], cannot: vec![(2, 3)] };
        assert_eq!(of(5, &edges, &constraints), [0, 1, 2, 3, 1]);
    }

    #[test]
    fn components_are_those_of_a_flood() {
        let mut components = Components::new(6);
        assert!(components.link(4, 2));
        assert!(components.link(2, 5));
        assert!(!components.link(5, 4));
        assert_eq!(components.labels(), [0, 1, 2, 3, 2, 2]);
    }
}
