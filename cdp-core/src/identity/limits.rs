//! Whether two profiles may become one: the limits of a profile, the conditions of an alias, and operator decisions.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::links::{KeptLink, Link};
use super::node_rules::{NodeRules, compare};
use super::types::TypeRule;
use crate::definitions::{Limit, Role};
use crate::error::Result;
use crate::records::{LinkRule, Timestamp};

/// The reason why a link was refused; types by the number of their name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Reason {
    /// A profile would hold too many values of this type.
    Limit(u32),
    /// Too many values of this type within the window.
    WindowLimit(u32),
    /// A value of this type has too many neighbours.
    LinkLimit(u32),
    /// An alias names two users that were both identified.
    Identified,
    /// The profile would hold too many identifiers.
    Size,
    /// A value of this type, which joins no two people, would join two.
    Conflict(u32),
    /// An operator keeps two of their identifiers apart.
    Separated,
}

impl Reason {
    pub(super) fn text(self, rules: &dyn NodeRules) -> String {
        match self {
            Reason::Limit(number) => format!("limit_exceeded:{}", rules.type_name(number)),
            Reason::WindowLimit(number) => format!("window_limit_exceeded:{}", rules.type_name(number)),
            Reason::LinkLimit(number) => format!("link_limit_exceeded:{}", rules.type_name(number)),
            Reason::Identified => "merge_refused_identified".to_owned(),
            Reason::Size => "profile_size_exceeded".to_owned(),
            Reason::Conflict(number) => format!("conflict_refused:{}", rules.type_name(number)),
            Reason::Separated => "separated".to_owned(),
        }
    }
}

/// A profile of several nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct CountedProfile {
    pub(super) nodes: Vec<u32>,
    // each value of a limited type with the instant since when it is live, sorted: what windows count
    live_since: Vec<(u32, Timestamp)>,
}

impl CountedProfile {
    pub(super) fn add(&mut self, node: u32, since: Timestamp, rules: &dyn NodeRules) {
        self.nodes.push(node);
        let type_number = rules.type_of(node);
        if rules.types().rule(type_number).limit.is_some() {
            self.count(type_number, since);
        }
    }

    fn count(&mut self, type_number: u32, since: Timestamp) {
        let place = self.live_since.partition_point(|known| *known <= (type_number, since));
        self.live_since.insert(place, (type_number, since));
    }

    pub(super) fn take_in(&mut self, other: CountedProfile) {
        self.nodes.extend(other.nodes);
        other.live_since.into_iter().for_each(|(type_number, since)| self.count(type_number, since));
    }

    /// The limited types of its values.
    pub(super) fn limited_types(&self) -> impl Iterator<Item = u32> {
        let mut rest = self.live_since.as_slice();
        std::iter::from_fn(move || {
            let (type_number, _) = *rest.first()?;
            rest = rest.get(rest.partition_point(|(of_type, _)| *of_type <= type_number)..)?;
            Some(type_number)
        })
    }

    /// The number of values of a limited type that are live at an instant.
    pub(super) fn n_live(&self, type_number: u32, at: Timestamp) -> usize {
        let before = self.live_since.partition_point(|(of_type, _)| *of_type < type_number);
        self.live_since.partition_point(|known| *known <= (type_number, at)).saturating_sub(before)
    }
}

/// One side of a link that would join two.
pub(super) enum Side<'a> {
    /// A node without live links.
    Alone(u32),
    /// A whole component in which no link was refused.
    Whole(&'a [u32], &'a [KeptLink]),
    /// A profile with counted values.
    Profile(&'a CountedProfile),
}

impl Side<'_> {
    pub(super) fn nodes(&self) -> &[u32] {
        match self {
            Side::Alone(node) => std::slice::from_ref(node),
            Side::Whole(nodes, _) => nodes,
            Side::Profile(profile) => &profile.nodes,
        }
    }

    /// Visits the values of each limited type that count at an instant.
    fn count_limited(&self, at: Timestamp, rules: &dyn NodeRules, mut count: impl FnMut(u32, Limit, u32)) {
        let mut count_node = |node: u32, first_live_at: &dyn Fn() -> Timestamp| {
            let type_number = rules.type_of(node);
            let Some(limit) = rules.types().rule(type_number).limit else { return };
            if limit.window.is_none() || counts(limit, first_live_at(), at) {
                count(type_number, limit, 1);
            }
        };
        match self {
            Side::Alone(node) => count_node(*node, &|| at),
            Side::Whole(nodes, links) => {
                for node in *nodes {
                    let touching = links.iter().filter(|link| link.touches(*node));
                    count_node(*node, &|| touching.clone().map(|link| link.occurred_at).min().unwrap_or(at));
                }
            }
            Side::Profile(profile) => {
                for type_number in profile.limited_types() {
                    let Some(limit) = rules.types().rule(type_number).limit else { continue };
                    let start = limit.window.map(|window| at.plus_millis(-window.millis()));
                    let up_to = if start.is_some() { at } else { Timestamp::MAX };
                    let before = start.map_or(0, |start| profile.n_live(type_number, start));
                    let n = profile.n_live(type_number, up_to).saturating_sub(before);
                    count(type_number, limit, n as u32);
                }
            }
        }
    }
}

/// Whether a value that is live since an instant lies in the window that ends at `at`.
fn counts(limit: Limit, first_live_at: Timestamp, at: Timestamp) -> bool {
    limit.window.is_none_or(|window| first_live_at > at.plus_millis(-window.millis()) && first_live_at <= at)
}

/// The reason why a link must not join its two sides; `None` if it may.
pub(super) fn refusal(link: &Link, sides: [&Side<'_>; 2], rules: &dyn NodeRules) -> Result<Option<Reason>> {
    if !rules.decisions().has_no_separations() && are_separated(&sides, rules) {
        return Ok(Some(Reason::Separated));
    }
    match link.rule {
        LinkRule::SameMessage | LinkRule::Probable => {}
        LinkRule::Alias => return Ok(alias_refusal(link, rules)?.then_some(Reason::Identified)),
        LinkRule::Operator => return Ok(None),
    }
    if let Some(reason) = conflict(link, &sides, rules) {
        return Ok(Some(reason));
    }
    let n_identifiers: usize = sides.iter().map(|side| side.nodes().len()).sum();
    if rules.types().max_identifiers().is_some_and(|most| n_identifiers > most as usize) {
        return Ok(Some(Reason::Size));
    }
    let mut limited: SmallVec<[(u32, Limit, [u32; 2]); 6]> = SmallVec::new();
    for (index, side) in sides.into_iter().enumerate() {
        side.count_limited(link.occurred_at, rules, |type_number, limit, n| {
            let place = limited.iter().position(|(of_type, ..)| *of_type == type_number).unwrap_or(limited.len());
            if place == limited.len() {
                limited.push((type_number, limit, [0, 0]));
            }
            if let Some(count) = limited.get_mut(place).and_then(|(.., count)| count.get_mut(index)) {
                *count += n;
            }
        });
    }
    let exceeded = limited.iter().filter(|(_, limit, [left, right])| *left > 0 && *right > 0 && left + right > limit.n);
    // By name, so that the reported reason does not depend on the side.
    let first = exceeded.min_by(|(left, ..), (right, ..)| rules.type_name(*left).cmp(rules.type_name(*right)));
    Ok(first.map(|(type_number, limit, _)| match limit.window {
        Some(_) => Reason::WindowLimit(*type_number),
        None => Reason::Limit(*type_number),
    }))
}

/// Whether a value that joins no two people would join two.
fn conflict(link: &Link, sides: &[&Side<'_>; 2], rules: &dyn NodeRules) -> Option<Reason> {
    if !rules.types().refuse_conflicts() {
        return None;
    }
    let numbers = [link.node, link.other].map(|node| rules.type_of(node));
    let refusing = numbers.into_iter().filter(|number| rules.types().rule(*number).refuses_conflicts);
    // By name, so that the reported reason does not depend on the side.
    let number = refusing.min_by_key(|number| rules.type_name(*number))?;
    let is_person = |node: &u32| rules.types().rule(rules.type_of(*node)).role == Role::Person;
    sides.iter().all(|side| side.nodes().iter().any(is_person)).then_some(Reason::Conflict(number))
}

/// Whether two people are among these nodes, and the definition has a type that must not join them: then the order of
/// links at one instant matters, even where no link is refused in the end.
pub(super) fn may_conflict(nodes: &[u32], rules: &dyn NodeRules) -> bool {
    let is_person = |node: &&u32| rules.types().rule(rules.type_of(**node)).role == Role::Person;
    rules.types().refuse_conflicts() && nodes.iter().filter(is_person).take(2).count() > 1
}

/// Whether an operator keeps a node of one side apart from a node of the other.
fn are_separated(sides: &[&Side<'_>; 2], rules: &dyn NodeRules) -> bool {
    let [left, right] = sides.map(Side::nodes);
    let (few, many) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    few.iter().any(|node| rules.decisions().separated_from(*node).iter().any(|other| many.contains(other)))
}

/// An alias is refused if both its user ids were identified at or before it.
fn alias_refusal(link: &Link, rules: &dyn NodeRules) -> Result<bool> {
    let rule_of = |node: u32| -> &TypeRule { rules.types().rule(rules.type_of(node)) };
    for node in [link.node, link.other] {
        if rule_of(node).role != Role::Person {
            return Ok(false);
        }
        let Some((identified_at, sequences)) = rules.first_identified(node)? else { return Ok(false) };
        let mut is_identified = false;
        for sequence in sequences {
            let order = compare(identified_at, sequence, link.occurred_at, link.sequence, rules)?;
            is_identified |= order != Ordering::Greater;
        }
        if !is_identified {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether no order of these links can refuse one: there are no more values of a type than one profile may have.
pub(super) fn cannot_refuse(nodes: &[u32], links: &[KeptLink], rules: &dyn NodeRules) -> bool {
    let decisions = rules.decisions();
    let is_separated = |node: &u32| !decisions.separated_from(*node).is_empty();
    if links.iter().any(|link| link.is_alias()) || (!decisions.has_no_separations() && nodes.iter().any(is_separated)) {
        return false;
    }
    let types = rules.types();
    let is_too_large = types.max_identifiers().is_some_and(|most| nodes.len() > most as usize);
    if is_too_large || may_conflict(nodes, rules) {
        return false;
    }
    let mut limited: SmallVec<[(u32, u32); 6]> = SmallVec::new();
    nodes.iter().all(|node| {
        let type_number = rules.type_of(*node);
        let Some(limit) = rules.types().rule(type_number).limit else { return true };
        match limited.iter_mut().find(|(of_type, _)| *of_type == type_number) {
            Some((_, count)) => {
                *count += 1;
                *count <= limit.n
            }
            None => {
                limited.push((type_number, 1));
                limit.n >= 1
            }
        }
    })
}
