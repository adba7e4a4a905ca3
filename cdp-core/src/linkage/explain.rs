//! Why two records were linked or not: the parts of the weight, which add up to it exactly.

use super::blocking::{RULES, keys_of};
use super::model::{LinkageModel, Part, Scorer, probability};
use super::parsed::{Slot, Slots};

/// One part of a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightPart {
    /// `prior`, the name of a comparison, `frequency of ...`, `both ... and ...`, or `household`.
    pub part: String,
    /// The level that was reached, for comparisons.
    pub level: Option<&'static str>,
    /// Share of pairs of one person that reach the level.
    pub m: Option<f64>,
    /// Share of pairs of strangers that reach it.
    pub u: Option<f64>,
    /// What it adds, in bits.
    pub weight: f64,
}

/// Why two records are or are not one person.
#[derive(Clone, Debug, PartialEq)]
pub struct PairExplanation {
    /// The parts in the order of their sum.
    pub parts: Vec<WeightPart>,
    /// Their sum: log2 of the odds that both are one person.
    pub weight: f64,
    /// The weight as a probability.
    pub probability: f64,
    /// The blocking rules that propose the pair; none if it was never looked at.
    pub rules: Vec<&'static str>,
}

fn slot_name(slot: Slot) -> &'static str {
    match slot {
        Slot::Given => "given name",
        Slot::Surname => "surname",
        Slot::Middle => "middle name",
        Slot::Birth => "birth date",
        Slot::Email => "email",
        Slot::Phone => "phone",
        Slot::NationalId => "national id",
        Slot::Number => "house number",
        Slot::Street => "street",
        Slot::Door => "address",
        Slot::Postcode => "postcode",
        Slot::City => "town",
        Slot::State => "state",
        Slot::BirthPlace => "birth place",
        Slot::Category0 | Slot::Category1 | Slot::Category2 | Slot::Category3 => "category",
        Slot::Text0 | Slot::Text1 => "text",
        Slot::Device => "device",
    }
}

pub(crate) fn explain(scorer: &Scorer<'_>, left: u32, right: u32) -> PairExplanation {
    let (left, right) = (left.min(right), left.max(right));
    let pattern = scorer.pattern(left, right);
    explanation(scorer.model, &scorer.table.row(left), &scorer.table.row(right), |show| {
        scorer.parts(left, right, pattern, show)
    })
}

/// `weigh` shows the parts in order and returns their sum.
pub(crate) fn explanation<S: Slots>(
    model: &LinkageModel,
    left: &S,
    right: &S,
    weigh: impl FnOnce(&mut dyn FnMut(Part, f64)) -> f64,
) -> PairExplanation {
    let mut parts = Vec::new();
    let name = |field: usize| model.fields.get(field).map(|field| field.comparison.name()).unwrap_or_default();
    let weight = weigh(&mut |part, weight| {
        let (mut level_name, mut shares) = (None, None);
        let part = match part {
            Part::Prior => "prior".to_owned(),
            Part::Level { field, level } => {
                if let Some(of) = model.fields.get(field) {
                    level_name = of.comparison.level_names().get(level - 1).copied();
                    shares = of.m.get(level - 1).copied().zip(of.u.get(level - 1).copied());
                }
                name(field)
            }
            Part::Frequency { slot, .. } => format!("frequency of the {}", slot_name(slot)),
            Part::Dependence { left, right } => format!("both {} and {}", name(left), name(right)),
            Part::Household => "household".to_owned(),
        };
        parts.push(WeightPart {
            part,
            level: level_name,
            m: shares.map(|(m, _)| m),
            u: shares.map(|(_, u)| u),
            weight,
        });
    });
    let mut keys = Vec::new();
    keys_of(right, |rule, key| keys.push((rule, key)));
    let mut rules: Vec<&'static str> = Vec::new();
    keys_of(left, |rule, key| {
        if keys.contains(&(rule, key)) {
            rules.extend(RULES.get(usize::from(rule)));
        }
    });
    rules.dedup();
    PairExplanation { parts, weight, probability: probability(weight), rules }
}
