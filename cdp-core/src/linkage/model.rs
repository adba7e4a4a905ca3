//! The trained model: what each level is worth, how common each text is, and the weight of a pair as a sum of parts.
//!
//! Fellegi and Sunter (1969) with a third class beside matches and strangers: people of one household, who share surname,
//! address and phone and differ in given name and birth date. The weight is log2 of the odds of a match against both others.
//! Scoring is a pure function of model and records; sums are made in one order, so that equal input gives equal bits.

use libm::{exp2, log2};
use smallvec::SmallVec;

use super::compare::{Comparison, Pattern, SWAPPED, level_of};
use super::parsed::{Slot, Slots};
use super::table::{Table, hash_text};

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

// The bits that a rare text may add and a common one take away; rarity counts for less because typing errors are rare texts too.
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
    pub(crate) fn weights(&self) -> Weights {
        let strangers = 1.0 - self.match_share - self.household_share;
        let of_field = |field: &Field| -> Vec<(f64, f64)> {
            (1..=field.m.len()).map(|level| (field.weight(level), field.household_weight(level))).collect()
        };
        Weights {
            prior: log2(self.match_share / strangers),
            household: if self.household_share > 0.0 {
                log2(self.household_share / strangers)
            } else {
                f64::NEG_INFINITY
            },
            fields: self.fields.iter().map(of_field).collect(),
        }
    }

    /// What the text of a slot adds, its count looked up by its hash; of two texts that of the more common one.
    pub(crate) fn live_bits<S: Slots>(&self, left: &S, right: &S, slot: Slot) -> f64 {
        let Some(known) = self.frequencies_of(slot) else { return 0.0 };
        let count = |record: &S| {
            let hash = hash_text(record.text(slot));
            let place = known.counts.binary_search_by_key(&hash, |(hash, _)| *hash);
            place.ok().and_then(|place| known.counts.get(place)).map_or(1, |(_, count)| *count)
        };
        let count = if left.is_same(right, slot) { count(left) } else { count(left).max(count(right)) };
        known.bits(count, self.records_per_person)
    }
}

/// The weights of a model's levels, for matches and for households.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    prior: f64,
    household: f64,
    fields: Vec<Vec<(f64, f64)>>,
}

/// What the levels of a pair add up to, before the texts that both have are looked at.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    weight: f64,
    household: f64,
    /// The comparisons whose text counts by its frequency: place, slot, and whether a household shares it.
    frequencies: SmallVec<[(u8, Slot, bool); 6]>,
}

impl Base {
    /// The most that the weight can become.
    pub(crate) fn most(&self) -> f64 {
        self.weight + MOST_FOR_RARE * self.frequencies.len() as f64
    }
}

impl Weights {
    /// Shows the parts of a pattern in order and returns their sum.
    pub(crate) fn base(&self, model: &LinkageModel, pattern: Pattern, mut show: impl FnMut(Part, f64)) -> Base {
        let mut base = Base { weight: self.prior, household: self.household, frequencies: SmallVec::new() };
        show(Part::Prior, base.weight);
        for (place, (field, weights)) in model.fields.iter().zip(&self.fields).enumerate() {
            let level = level_of(pattern, place);
            let Some((bits, household_bits)) = level.checked_sub(1).and_then(|level| weights.get(level)).copied()
            else {
                continue;
            };
            show(Part::Level { field: place, level }, bits);
            base.weight += bits;
            base.household += household_bits;
            if let Some(slot) = field.comparison.frequency_slot(level) {
                base.frequencies.push((place as u8, slot, field.comparison.is_shared_at_home()));
            }
        }
        for dependence in &model.dependences {
            let (left, right) = (usize::from(dependence.left), usize::from(dependence.right));
            let agree = |place: usize| {
                model.fields.get(place).is_some_and(|field| agrees(field.comparison, level_of(pattern, place)))
            };
            if agree(left) && agree(right) {
                show(Part::Dependence { left, right }, -dependence.bits);
                base.weight -= dependence.bits;
                base.household -= dependence.bits;
            }
        }
        base
    }

    /// Shows the rest of the parts in order and returns the sum of all, which is the weight.
    ///
    /// `bits_of` says what the frequency of the text that both have in a slot adds.
    pub(crate) fn finish(base: &Base, bits_of: impl Fn(Slot) -> f64, mut show: impl FnMut(Part, f64)) -> f64 {
        let (mut weight, mut household) = (base.weight, base.household);
        for (place, slot, is_shared) in &base.frequencies {
            let bits = bits_of(*slot);
            show(Part::Frequency { field: usize::from(*place), slot: *slot }, bits);
            weight += bits;
            household += if *is_shared { bits } else { 0.0 };
        }
        // Matches stand against strangers and household members together.
        let bits = match household {
            // Where 1 + 2^h is 1.
            household if household < -54.0 => 0.0,
            household if household > 60.0 => -household,
            household => -log2(1.0 + exp2(household)),
        };
        show(Part::Household, bits);
        weight + bits
    }

    /// Shows the parts of a pair's weight in order and returns their sum, which is the weight.
    pub(crate) fn parts(
        &self,
        model: &LinkageModel,
        pattern: Pattern,
        bits_of: impl Fn(Slot) -> f64,
        mut show: impl FnMut(Part, f64),
    ) -> f64 {
        let base = self.base(model, pattern, &mut show);
        Weights::finish(&base, bits_of, show)
    }
}

/// What the texts of one slot add, by how often they occur.
struct Bits<'t> {
    known: &'t Frequencies,
    records_per_person: f64,
    of_counts: Vec<f64>,
}

// Counts below this are looked up, others worked out.
const COUNTS_KNOWN: u32 = 4_096;

impl Bits<'_> {
    fn of(&self, count: u32) -> f64 {
        let bits = self.of_counts.get(count as usize).copied();
        bits.unwrap_or_else(|| self.known.bits(count, self.records_per_person))
    }
}

/// A model over a table: what each text adds is worked out once.
pub(crate) struct Scorer<'t> {
    pub(crate) model: &'t LinkageModel,
    pub(crate) weights: Weights,
    pub(crate) table: &'t Table,
    pub(crate) comparisons: Vec<Comparison>,
    bits: Vec<Bits<'t>>,
}

impl<'t> Scorer<'t> {
    pub(crate) fn new(model: &'t LinkageModel, table: &'t Table) -> Scorer<'t> {
        let records_per_person = model.records_per_person;
        let of_slot = |known: &'t Frequencies| Bits {
            known,
            records_per_person,
            of_counts: (0..COUNTS_KNOWN).map(|count| known.bits(count, records_per_person)).collect(),
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

    /// What the text of a slot adds; where two texts count as the same one, what the more common one adds.
    fn bits(&self, left: u32, right: u32, slot: Slot) -> f64 {
        let (left, right) = (self.table.row(left).number(slot), self.table.row(right).number(slot));
        let counts = self.table.dictionary(slot).counts();
        let count = |number: u32| (number as usize).checked_sub(1).and_then(|place| counts.get(place)).copied();
        let count = if left == right { count(left) } else { count(left).max(count(right)) };
        let bits = self.bits.iter().find(|bits| bits.known.slot == slot);
        bits.zip(count).map_or(0.0, |(bits, count)| bits.of(count))
    }

    /// The weight of a pair whose levels were added up.
    pub(crate) fn weight_from(&self, base: &Base, left: u32, right: u32) -> f64 {
        Weights::finish(base, |slot| self.bits(left, right, slot), |_, _| {})
    }

    pub(crate) fn parts(&self, left: u32, right: u32, pattern: Pattern, show: impl FnMut(Part, f64)) -> f64 {
        self.weights.parts(self.model, pattern, |slot| self.bits(left, right, slot), show)
    }

    /// What a record weighs against itself, however rare its texts are.
    pub(crate) fn weight_without_texts(&self, row: u32) -> f64 {
        self.weights.parts(self.model, self.pattern(row, row), |_| 0.0, |_, _| {})
    }

    pub(crate) fn weight(&self, left: u32, right: u32) -> f64 {
        self.parts(left, right, self.pattern(left, right), |_, _| {})
    }
}
