//! The trained model: what each level is worth, how common each text is, and the weight of a pair as a sum of parts.
//!
//! Fellegi and Sunter (1969) with a third class beside matches and strangers: people of one household, who share surname,
//! address and phone and differ in given name and birth date. The weight is log2 of the odds of a match against both others.
//! Scoring is a pure function of model and records; sums are made in one order, so that equal input gives equal bits.

use libm::{exp2, log2};

use super::compare::{Comparison, Pattern, SWAPPED, level_of};
use super::parsed::{Slot, Slots, Table, hash_text};

/// What is known about one comparison; the vectors hold one share for each level, beginning with level 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) comparison: Comparison,
    /// Among pairs of one person.
    pub(crate) m: Vec<f64>,
    /// Among strangers.
    pub(crate) u: Vec<f64>,
    /// Among people of one household.
    pub(crate) h: Vec<f64>,
}

/// Two comparisons that agree together more often among strangers than chance: `log2` of how much more often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dependence {
    pub(crate) left: u8,
    pub(crate) right: u8,
    pub(crate) bits: f64,
}

/// How often each text of a slot occurs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frequencies {
    pub(crate) slot: Slot,
    /// How many records have a text there.
    pub(crate) n_filled: u64,
    /// The chance that two strangers have the same text.
    pub(crate) same_by_chance: f64,
    /// Hash and count of texts that occur more than once, by hash.
    pub(crate) counts: Vec<(u64, u32)>,
}

/// Version of normalization, comparisons and the layout of a stored model.
pub(crate) const MODEL_VERSION: u32 = 1;

/// A trained model. It scores pairs in about a microsecond and is stored as bytes with a version.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkageModel {
    pub(crate) fields: Vec<Field>,
    /// Share of matches among all pairs.
    pub(crate) match_share: f64,
    /// Share of people of one household among all pairs.
    pub(crate) household_share: f64,
    /// How many records of one person there are on average, seen from a record.
    pub(crate) records_per_person: f64,
    pub(crate) n_records: u64,
    pub(crate) seed: u64,
    pub(crate) dependences: Vec<Dependence>,
    pub(crate) frequencies: Vec<Frequencies>,
}

/// What a part of a weight comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Prior,
    Level { field: usize, level: usize },
    Frequency { field: usize, slot: Slot },
    Dependence { left: usize, right: usize },
    Household,
}

// A rare text may add, a common one take away so many bits; rarity counts for less because typing errors are rare texts too.
const MOST_FOR_RARE: f64 = 5.0;
const SHARE_FOR_RARE: f64 = 0.7;
const MOST_FOR_COMMON: f64 = 14.0;
const FEW: f64 = 50.0;

impl Frequencies {
    /// What the count of a text adds to the weight of agreeing on it.
    pub(crate) fn bits(&self, count: u32, records_per_person: f64) -> f64 {
        let others = (f64::from(count) - records_per_person).max(0.5);
        // A short table says little about what is common.
        let share = (others + FEW * self.same_by_chance) / (self.n_filled as f64 + FEW);
        let bits = log2(self.same_by_chance / share);
        if bits > 0.0 { (bits * SHARE_FOR_RARE).min(MOST_FOR_RARE) } else { bits.max(-MOST_FOR_COMMON) }
    }
}

/// The chance of a weight: `2^w / (1 + 2^w)`.
pub(crate) fn probability(weight: f64) -> f64 {
    1.0 / (1.0 + exp2(-weight))
}

/// The weight of a chance.
pub(crate) fn weight_of(probability: f64) -> f64 {
    log2(probability / (1.0 - probability))
}

/// Whether a level counts as agreement where dependence is measured.
pub(crate) fn agrees(comparison: Comparison, level: usize) -> bool {
    match comparison {
        Comparison::Area | Comparison::Street => (1..=3).contains(&level),
        _ => level == 1,
    }
}

impl Field {
    fn ratio(of: &[f64], to: &[f64], level: usize) -> f64 {
        let at = |shares: &[f64]| level.checked_sub(1).and_then(|place| shares.get(place)).copied().unwrap_or(1.0);
        log2(at(of) / at(to))
    }

    /// Weight of a level in bits: never above that of full agreement, disagreement never in favor.
    pub(crate) fn weight(&self, level: usize) -> f64 {
        let weight = Field::ratio(&self.m, &self.u, level);
        match level {
            1 => weight.max(0.0),
            // Both names at once: it may weigh as much as both.
            SWAPPED if self.comparison == Comparison::Given => weight,
            level if level == self.comparison.different() => weight.clamp(-10.0, 0.0),
            _ => weight.min(Field::ratio(&self.m, &self.u, 1).max(0.0)),
        }
    }

    pub(crate) fn household_weight(&self, level: usize) -> f64 {
        Field::ratio(&self.h, &self.u, level)
    }
}

impl LinkageModel {
    /// The model in words, a line for each level of each comparison with its shares and its weight in bits.
    pub fn describe(&self) -> Vec<String> {
        let strangers = 1.0 - self.match_share - self.household_share;
        let mut lines = vec![format!(
            "prior {:.2} bits, household {:.2} bits, {:.2} records a person",
            log2(self.match_share / strangers),
            log2(self.household_share / strangers),
            self.records_per_person
        )];
        for field in &self.fields {
            let shares = field.m.iter().zip(&field.u).zip(&field.h).zip(field.comparison.level_names()).enumerate();
            lines.extend(shares.map(|(place, (((m, u), h), level))| {
                format!(
                    "{} / {level}: m {m:.5} u {u:.7} household {h:.5} weight {:.2}",
                    field.comparison.name(),
                    field.weight(place + 1)
                )
            }));
        }
        let name =
            |place: u8| self.fields.get(usize::from(place)).map(|field| field.comparison.name()).unwrap_or_default();
        lines.extend(
            self.dependences.iter().map(|d| format!("both {} and {}: -{:.2}", name(d.left), name(d.right), d.bits)),
        );
        lines
    }

    /// The comparisons, in the order of patterns.
    pub(crate) fn comparisons(&self) -> Vec<Comparison> {
        self.fields.iter().map(|field| field.comparison).collect()
    }

    pub(crate) fn frequencies_of(&self, slot: Slot) -> Option<&Frequencies> {
        self.frequencies.iter().find(|known| known.slot == slot)
    }

    /// The weights of all levels, worked out once.
    pub(crate) fn weights(&self) -> Weights<'_> {
        let strangers = 1.0 - self.match_share - self.household_share;
        let of_field = |field: &Field| -> Vec<(f64, f64)> {
            (1..=field.m.len()).map(|level| (field.weight(level), field.household_weight(level))).collect()
        };
        Weights {
            model: self,
            prior: log2(self.match_share / strangers),
            household: if self.household_share > 0.0 {
                log2(self.household_share / strangers)
            } else {
                f64::NEG_INFINITY
            },
            fields: self.fields.iter().map(of_field).collect(),
        }
    }

    /// The bits of a record's own text, looked up by its hash.
    pub(crate) fn live_bits<S: Slots>(&self, record: &S, slot: Slot) -> f64 {
        self.frequencies_of(slot).map_or(0.0, |known| {
            let hash = hash_text(record.text(slot));
            let count = known.counts.binary_search_by_key(&hash, |(hash, _)| *hash);
            let count = count.ok().and_then(|place| known.counts.get(place)).map_or(1, |(_, count)| *count);
            known.bits(count, self.records_per_person)
        })
    }
}

/// The weights of a model's levels, for matches and for households.
#[derive(Clone, Debug)]
pub(crate) struct Weights<'m> {
    model: &'m LinkageModel,
    prior: f64,
    household: f64,
    fields: Vec<Vec<(f64, f64)>>,
}

impl Weights<'_> {
    /// Shows the parts of a pair's weight in order and returns their sum, which is the weight.
    ///
    /// `bits_of` says what the frequency of the text that both have in a slot adds.
    pub(crate) fn parts(
        &self,
        pattern: Pattern,
        bits_of: impl Fn(Slot) -> f64,
        mut show: impl FnMut(Part, f64),
    ) -> f64 {
        let mut weight = self.prior;
        let mut household = self.household;
        show(Part::Prior, weight);
        for (place, (field, weights)) in self.model.fields.iter().zip(&self.fields).enumerate() {
            let level = level_of(pattern, place);
            let Some((bits, household_bits)) = level.checked_sub(1).and_then(|level| weights.get(level)).copied()
            else {
                continue;
            };
            show(Part::Level { field: place, level }, bits);
            weight += bits;
            household += household_bits;
            if let Some(slot) = field.comparison.frequency_slot(level) {
                let bits = bits_of(slot);
                show(Part::Frequency { field: place, slot }, bits);
                weight += bits;
                if field.comparison.is_shared_at_home() {
                    household += bits;
                }
            }
        }
        for dependence in &self.model.dependences {
            let (left, right) = (usize::from(dependence.left), usize::from(dependence.right));
            let agree = |place: usize| {
                self.model.fields.get(place).is_some_and(|field| agrees(field.comparison, level_of(pattern, place)))
            };
            if agree(left) && agree(right) {
                show(Part::Dependence { left, right }, -dependence.bits);
                weight -= dependence.bits;
                household -= dependence.bits;
            }
        }
        // Matches stand against strangers and household members together.
        let bits = if household > 60.0 { -household } else { -log2(1.0 + exp2(household)) };
        show(Part::Household, bits);
        weight + bits
    }
}

/// A model over a table: what each text adds is worked out once.
pub(crate) struct Scorer<'t> {
    pub(crate) model: &'t LinkageModel,
    weights: Weights<'t>,
    pub(crate) table: &'t Table,
    comparisons: Vec<Comparison>,
    bits: Vec<(Slot, Vec<f64>)>,
}

impl<'t> Scorer<'t> {
    pub(crate) fn new(model: &'t LinkageModel, table: &'t Table) -> Scorer<'t> {
        let of_slot = |known: &Frequencies| {
            let counts = table.dictionary(known.slot).counts();
            (known.slot, counts.iter().map(|count| known.bits(*count, model.records_per_person)).collect())
        };
        Scorer {
            model,
            weights: model.weights(),
            table,
            comparisons: model.comparisons(),
            bits: model.frequencies.iter().map(of_slot).collect(),
        }
    }

    pub(crate) fn pattern(&self, left: u32, right: u32) -> Pattern {
        super::compare::pattern_of(&self.comparisons, &self.table.row(left), &self.table.row(right))
    }

    /// The weight of a pair whose pattern is known.
    pub(crate) fn weight_of_pattern(&self, left: u32, pattern: Pattern) -> f64 {
        self.parts(left, pattern, |_, _| {})
    }

    pub(crate) fn parts(&self, left: u32, pattern: Pattern, show: impl FnMut(Part, f64)) -> f64 {
        let row = self.table.row(left);
        let bits_of = |slot: Slot| {
            let bits = self.bits.iter().find(|(known, _)| *known == slot);
            let number = (row.number(slot) as usize).checked_sub(1);
            bits.zip(number).and_then(|((_, bits), number)| bits.get(number)).copied().unwrap_or(0.0)
        };
        self.weights.parts(pattern, bits_of, show)
    }

    pub(crate) fn weight(&self, left: u32, right: u32) -> f64 {
        let (left, right) = (left.min(right), left.max(right));
        self.weight_of_pattern(left, self.pattern(left, right))
    }
}
