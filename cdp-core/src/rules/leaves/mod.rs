//! The leaves of a rule at work: what each one says of itself, and what it can ask of a profile.
//!
//! The file of a leaf says whether the leaf holds for a [`ProfileView`], what it reads, when its outcome can change, and
//! what can be decided without a timeline. This file has the one list of leaves. A method that a leaf does not implement
//! errs towards more work: the leaf is evaluated where it could have been decided, never the other way round.

mod account;
mod audience;
mod bucket;
mod cohort;
mod consent;
mod current;
mod event;
mod feature;
mod identity;
mod lifecycle;
mod sequence;
mod trait_value;

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::TimelineEvent;
use super::dependencies::Lookbacks;
use super::operators;
use super::plan::{Node, Plan};
use super::reach::Triggers;
use super::watch::Followed;
use crate::definitions::{Catalog, ConsentStatus, EventSelection, Kind, Leaf, Measure, Test};
use crate::error::Result;
use crate::records::{Number, Path, TieOrder, Timestamp, Value};

/// What a rule can ask of one profile. Every answer is at the instant `at`: facts that happened after it do not count.
pub trait ProfileView {
    /// The value at a path into the traits; null and absent are `None`.
    fn trait_value(&self, path: &Path, at: Timestamp) -> Result<Option<Value>>;

    /// Every event of the profile, whenever it happened, in the order of (occurred_at, sequence). Only tracks, pages
    /// and screens are events.
    fn events(&self) -> &[TimelineEvent];

    /// The number of an event name; `None` if no event of that name was ever seen.
    fn event_number(&self, name: &str) -> Option<u32>;

    /// The value of a property of an event of this view; null and absent are `None`, a path with `*` gives the list of
    /// values found.
    fn property(&self, event: &TimelineEvent, path: &Path) -> Option<Cow<'_, Value>>;

    /// The number at a path without `*`, decimal text included; `None` where there is none. A view that keeps numbers
    /// as such can answer without making a value.
    fn number_property(&self, event: &TimelineEvent, path: &Path) -> Option<Number> {
        self.property(event, path).and_then(|value| operators::decimal(&value))
    }

    /// The place of an event among the facts of its millisecond. Whatever depends on the order of events within a millisecond
    /// compares these.
    fn tie_order(&self, sequence: u64) -> Result<TieOrder>;

    /// The value of a defined feature.
    fn feature(&self, name: &str, at: Timestamp) -> Result<Value>;

    /// Whether the profile is in a defined audience.
    fn in_audience(&self, name: &str, at: Timestamp) -> Result<bool>;

    /// The class and score that a predictor gives the profile; `None` if it is unassigned.
    fn cohort(&self, predictor: &str, at: Timestamp) -> Result<Option<(String, Number)>>;

    /// The state of consent for a purpose, on one channel or on all.
    fn consent(&self, purpose: &str, channel: Option<&str>, at: Timestamp) -> Result<ConsentStatus>;

    /// Whether the profile holds an identifier of this type.
    fn has_identifier(&self, identifier_type: &str, at: Timestamp) -> bool;

    /// Whether the profile holds a person or contact identifier.
    fn is_known(&self, at: Timestamp) -> bool;

    /// The type and value of the profile's first node: the identifier that was named first, then by priority, then by
    /// value. `None` for a profile without identifiers.
    fn first_identifier(&self) -> Option<(&str, &str)>;

    /// Whether the profile belongs to an account.
    fn in_account(&self, account_type: &str, account: &str, at: Timestamp) -> Result<bool>;

    /// A value of the message a decision is about (`properties.amount`, `context.page.url`); `None` outside a decision.
    fn current(&self, path: &Path) -> Option<Value>;

    /// The instants in `(from, to]` at which anything but the events may change: traits, identifiers, consents, scores,
    /// memberships that are not derived from events. More than needed does no harm; one too few loses a flip.
    fn other_changes(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>>;
}

/// What a leaf says of itself, wherever rules are at work.
pub(crate) trait LeafRule {
    /// Whether the leaf holds for a profile at an instant, and what it looked at.
    fn test(&self, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome>;

    /// Adds what the leaf reads itself. A property that is left out has no column; a definition that is left out is neither
    /// checked nor followed.
    fn reads<'r>(&'r self, reads: &mut Reads<'r>);

    /// The definitions to which the leaf refers.
    fn references(&self) -> Vec<Reference<'_>> {
        let mut reads = Reads::default();
        self.reads(&mut reads);
        reads.definitions
    }

    /// Adds when the outcome can change without a new fact. The caller follows the rules of the audiences and predictors to
    /// which the leaf refers.
    fn add_lookbacks(&self, catalog: &Catalog, found: &mut Lookbacks) -> Result<()>;

    /// Faults that only the definitions show, each with the field of the leaf; a missing definition is found without it.
    fn check(&self, _catalog: &Catalog, _note: &mut dyn FnMut(&str, String)) {}

    /// What a pass over columns says of the leaf.
    fn plan<'c>(&'c self, _plan: &mut Plan<'c>) -> Result<Node<'c>> {
        Ok(Node::Unknown)
    }

    /// Which events can change the outcome, and in which direction.
    fn triggers<'c>(&'c self, _catalog: &'c Catalog) -> Result<Triggers<'c>> {
        Ok(Triggers::AnyEvent)
    }

    /// Names of events of which a profile must have had one to satisfy the leaf; empty if there are none such.
    fn needed_events<'c>(&'c self, _catalog: &'c Catalog) -> Result<&'c [String]> {
        Ok(&[])
    }

    /// How the leaf can be followed as events come and leave windows, without a look at the timeline.
    fn follow(&self, _catalog: &Catalog) -> Result<Option<Followed>> {
        Ok(None)
    }
}

/// The list of leaves. Calls a method of the leaf that a test holds; each call is resolved at compile time.
macro_rules! with_leaf {
    ($test:expr, $leaf:ident => $call:expr) => {
        match $test {
            Test::Trait($leaf) => $call,
            Test::Feature($leaf) => $call,
            Test::Event($leaf) => $call,
            Test::Sequence($leaf) => $call,
            Test::Lifecycle($leaf) => $call,
            Test::Audience($leaf) => $call,
            Test::Cohort($leaf) => $call,
            Test::Identity($leaf) => $call,
            Test::Consent($leaf) => $call,
            Test::Account($leaf) => $call,
            Test::Current($leaf) => $call,
            Test::Bucket($leaf) => $call,
        }
    };
}

/// What a leaf says of itself.
pub(crate) fn of(leaf: &Leaf) -> &dyn LeafRule {
    with_leaf!(&leaf.test, leaf => leaf)
}

/// Whether a leaf holds for a profile at an instant, and what it looked at.
pub(crate) fn test(leaf: &Leaf, view: &dyn ProfileView, at: Timestamp) -> Result<Outcome> {
    with_leaf!(&leaf.test, leaf => leaf.test(view, at))
}

/// What a leaf found, and whether it holds.
pub(crate) struct Outcome {
    /// Whether the leaf holds.
    pub(crate) matched: bool,
    /// The value it looked at, where it looks at one; null where that is absent.
    pub(crate) found: Option<Value>,
}

impl Outcome {
    fn of(matched: bool) -> Outcome {
        Outcome { matched, found: None }
    }

    fn with(matched: bool, found: Value) -> Outcome {
        Outcome { matched, found: Some(found) }
    }
}

/// What leaves read.
#[derive(Default)]
pub(crate) struct Reads<'r> {
    /// Properties of events.
    pub(crate) properties: BTreeSet<&'r Path>,
    /// Traits.
    pub(crate) traits: BTreeSet<&'r Path>,
    /// Other definitions.
    pub(crate) definitions: Vec<Reference<'r>>,
}

/// A definition to which a leaf refers.
#[derive(Clone, Copy)]
pub(crate) struct Reference<'r> {
    pub(crate) kind: Kind,
    pub(crate) name: &'r str,
    /// The field of the leaf that has the name.
    pub(crate) field: &'static str,
}

impl<'r> Reads<'r> {
    /// The properties by which a selection filters events.
    pub(crate) fn add_selection(&mut self, selection: &'r EventSelection) {
        self.properties.extend(selection.filters.iter().map(|filter| &filter.property));
    }

    /// The properties that a measure filters by and aggregates.
    pub(crate) fn add_measure(&mut self, measure: &'r Measure) {
        self.add_selection(&measure.selection);
        self.properties.extend(&measure.property);
    }
}
