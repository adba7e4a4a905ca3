//! The parts of a rule about events: their names, window, aggregate and order.
//!
//! It takes the event leaves of a rule (and the same words in a feature) and leaves them typed. It never looks at an
//! event: that is `rules::measure`, `rules::sequence` and `rules::lifecycle`.

use super::super::aggregate::Aggregate;
use super::super::fields::behavior::{
    event, filtered, measure, named_event, property_filter, regularly, restarted, sequence, step, stopped,
};
use super::super::reader::{Fields, Node};
use super::super::schema::Field;
use super::super::window::FeatureWindow;
use super::comparison::{Comparison, Operand, Operator, Place};
use crate::records::{Duration, Number, Path};

/// A condition on a property of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyFilter {
    /// Where the property is.
    pub property: Path,
    /// What it is compared with.
    pub comparison: Comparison,
}

/// Which events are meant: by name and by their properties.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSelection {
    /// Their names; empty for any event.
    pub events: Vec<String>,
    /// What all must hold for their properties.
    pub filters: Vec<PropertyFilter>,
}

/// A value computed from the events of one profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Which events.
    pub selection: EventSelection,
    /// In which window of time.
    pub window: FeatureWindow,
    /// How they become a value.
    pub aggregate: Aggregate,
    /// The property that is aggregated, where the aggregate needs one.
    pub property: Option<Path>,
}

/// The leaf `event`.
#[derive(Clone, Debug, PartialEq)]
pub enum EventTest {
    /// A measure over events compares like this.
    Measured {
        /// What is measured.
        measure: Measure,
        /// What it is compared with.
        comparison: Comparison,
    },
    /// The first event of its kind ever lies in `(t - within, t]`.
    FirstTime {
        /// Which events.
        selection: EventSelection,
        /// How far back.
        within: Duration,
    },
}

/// One step of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceStep {
    /// Which events.
    pub selection: EventSelection,
    /// Whether the step is that the event did *not* happen for the length of `within_previous`.
    pub absent: bool,
    /// The step comes less than this after the end of the step before. A `not` step ends when this time is over.
    pub within_previous: Option<Duration>,
    /// Properties with the same value as in the event before.
    pub same: Vec<Path>,
}

/// The leaf `sequence`: one thing after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceTest {
    /// The steps, in order; the first is never a `not`.
    pub steps: Vec<SequenceStep>,
    /// All events of the sequence lie in `(t - within, t]`.
    pub within: Option<Duration>,
}

/// The lifecycle leaves. Every length looks back from the instant of the question.
#[derive(Clone, Debug, PartialEq)]
pub enum LifecycleTest {
    /// Some in `(t - active, t - silent]`, none in `(t - silent, t]`.
    Stopped {
        /// Which events.
        selection: EventSelection,
        /// Since when there was some.
        active: Duration,
        /// Since when there is none.
        silent: Duration,
    },
    /// Some at `t - silent` or before, none in `(t - silent, t - within]`, some in `(t - within, t]`.
    Restarted {
        /// Which events.
        selection: EventSelection,
        /// Since when there was none.
        silent: Duration,
        /// Since when there is some.
        within: Duration,
    },
    /// Enough of the last periods `(t - (k+1) p, t - k p]` hold enough events.
    Regularly {
        /// Which events.
        selection: EventSelection,
        /// The length of a period.
        period: Duration,
        /// How many events make a period count.
        min_count: u32,
        /// How many periods must count.
        min_periods: u32,
        /// Of how many.
        of: u32,
    },
}

const MAX_PERIODS: i64 = 400;
const MAX_STEPS: usize = 16;

impl EventSelection {
    /// Reads a field with names of events, and `where`; without names, any event is meant.
    pub(crate) fn read(fields: &mut Fields<'_>, event: &'static Field) -> Option<EventSelection> {
        let named = fields.has("event");
        let events = fields.optional(event, read_names);
        let filtered = fields.has("where");
        let filters = fields.optional(&filtered::WHERE, |node| node.list(read_filter));
        Some(EventSelection {
            events: if named { events? } else { Vec::new() },
            filters: if filtered { filters? } else { Vec::new() },
        })
    }

    fn read_required(fields: &mut Fields<'_>, event: &'static Field) -> Option<EventSelection> {
        if !fields.has("event") {
            fields.fault("the field `event` is missing; `*` means any event");
        }
        let named = fields.has("event");
        EventSelection::read(fields, event).filter(|_| named)
    }
}

fn read_names(node: Node<'_>) -> Option<Vec<String>> {
    if node.value.as_text() == Some("*") {
        return Some(Vec::new());
    }
    if node.value.as_list().is_none() {
        return node.text().map(|name| vec![name]);
    }
    let names = node.list(|name| name.text())?;
    if names.is_empty() {
        node.fault("expected one event name at least; `*` means any event");
        return None;
    }
    Some(names)
}

fn read_filter(node: Node<'_>) -> Option<PropertyFilter> {
    let mut fields = node.fields()?;
    let property = fields.required(&property_filter::PROPERTY, |node| node.path());
    let comparison = Comparison::read(&mut fields, Place::Where);
    fields.finish();
    Some(PropertyFilter { property: property?, comparison: comparison? })
}

impl Measure {
    /// Reads `agg` and `property` into a measure; the rest was read before.
    pub(crate) fn read_aggregate(fields: &mut Fields<'_>) -> Option<(Aggregate, Option<Path>)> {
        let aggregate = fields.required(&measure::AGG, Aggregate::read);
        let Some(aggregate) = aggregate else {
            fields.optional(&measure::PROPERTY, |node| node.path());
            return None;
        };
        if aggregate.needs_property() {
            return fields.required(&measure::PROPERTY, |node| node.path()).map(|property| (aggregate, Some(property)));
        }
        let superfluous = fields.optional(&measure::PROPERTY, |node| {
            node.fault(format!("`{}` takes no property; use `where` to choose events", aggregate.as_str()));
            Some(())
        });
        superfluous.is_none().then_some((aggregate, None))
    }
}

impl EventTest {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<EventTest> {
        let selection = EventSelection::read(fields, &event::EVENT);
        let window = FeatureWindow::read(fields);
        if fields.has("first_time_within") {
            for word in ["count", "agg", "property", "op", "value", "within", "between_ago", "since", "between"] {
                if fields.has(word) {
                    fields.fault(format!("`first_time_within` stands without `{word}`"));
                }
            }
            let within = fields.optional(&event::FIRST_TIME_WITHIN, |node| node.duration());
            for word in [&event::COUNT, &event::AGG, &event::PROPERTY, &event::OP, &event::VALUE] {
                fields.optional(word, |_| Some(()));
            }
            return Some(EventTest::FirstTime { selection: selection?, within: within? });
        }
        fields.optional(&event::FIRST_TIME_WITHIN, |_| Some(()));
        let counted = fields.has("count");
        let count = fields.optional(&event::COUNT, |node| Comparison::read_short(node, Place::Number));
        let is_measured = ["agg", "property", "op", "value"].into_iter().any(|word| fields.has(word));
        if is_measured {
            if counted {
                fields.fault("`count` excludes `agg`, `property`, `op` and `value`");
            }
            let aggregate = Measure::read_aggregate(fields);
            let place = aggregate.as_ref().map_or(Place::Any, |(aggregate, _)| Place::Measure(*aggregate));
            let comparison = Comparison::read(fields, place);
            let ((aggregate, property), comparison) = (aggregate?, comparison?);
            let measure = Measure { selection: selection?, window: window?, aggregate, property };
            return (!counted).then_some(EventTest::Measured { measure, comparison });
        }
        for word in [&event::AGG, &event::PROPERTY, &event::OP, &event::VALUE] {
            fields.optional(word, |_| Some(()));
        }
        let once = Comparison { operator: Operator::Gte, operand: Operand::Number(Number::from_i64(1)) };
        let comparison = if counted { count? } else { once };
        let measure = Measure { selection: selection?, window: window?, aggregate: Aggregate::Count, property: None };
        Some(EventTest::Measured { measure, comparison })
    }
}

impl SequenceTest {
    pub(crate) fn read(fields: &mut Fields<'_>) -> Option<SequenceTest> {
        let steps = fields.required(&sequence::SEQUENCE, |node| {
            let mut is_first = true;
            let steps = node.list(|step| {
                let read = read_step(step, is_first);
                is_first = false;
                read
            })?;
            if steps.is_empty() || steps.len() > MAX_STEPS {
                node.fault(format!("expected 1 to {MAX_STEPS} steps"));
                return None;
            }
            Some(steps)
        });
        let limited = fields.has("within");
        let within = fields.optional(&sequence::WITHIN, |node| node.duration());
        Some(SequenceTest { steps: steps?, within: if limited { Some(within?) } else { None } })
    }
}

fn read_step(node: Node<'_>, is_first: bool) -> Option<SequenceStep> {
    let mut fields = node.fields()?;
    let absent = fields.has("not");
    let selection = if absent {
        let selection = fields.optional(&step::NOT, |node| {
            let mut denied = node.fields()?;
            let selection = EventSelection::read_required(&mut denied, &named_event::EVENT);
            denied.finish();
            selection
        });
        if is_first {
            fields.fault("a `not` step needs a step before it");
        }
        if !fields.has("within_previous") {
            fields.fault("a `not` step needs `within_previous`: how long it must not happen");
        }
        selection
    } else {
        fields.optional(&step::NOT, |_| Some(()));
        EventSelection::read_required(&mut fields, &step::EVENT)
    };
    let within = fields.optional(&step::WITHIN_PREVIOUS, |node| {
        if is_first {
            node.fault("the first step has no step before it");
            return None;
        }
        node.duration()
    });
    let same = fields.optional(&step::SAME, |node| {
        if is_first {
            node.fault("the first step has no step before it");
            return None;
        }
        node.list(|path| path.path())
    });
    let sound = (within.is_some() == fields.has("within_previous"))
        && (same.is_some() == fields.has("same"))
        && (!absent || (within.is_some() && !is_first));
    fields.finish();
    let step = SequenceStep { selection: selection?, absent, within_previous: within, same: same.unwrap_or_default() };
    sound.then_some(step)
}

impl LifecycleTest {
    pub(crate) fn read_stopped(node: Node<'_>) -> Option<LifecycleTest> {
        let mut fields = node.fields()?;
        let selection = EventSelection::read_required(&mut fields, &named_event::EVENT);
        let active = fields.required(&stopped::ACTIVE, |node| node.duration());
        let silent = fields.required(&stopped::SILENT, |node| node.duration());
        fields.finish();
        let (selection, active, silent) = (selection?, active?, silent?);
        if active <= silent {
            node.fault("`active` must be longer than `silent`: some in (t-active, t-silent], none in (t-silent, t]");
            return None;
        }
        Some(LifecycleTest::Stopped { selection, active, silent })
    }

    pub(crate) fn read_restarted(node: Node<'_>) -> Option<LifecycleTest> {
        let mut fields = node.fields()?;
        let selection = EventSelection::read_required(&mut fields, &named_event::EVENT);
        let silent = fields.required(&restarted::SILENT, |node| node.duration());
        let within = fields.required(&restarted::WITHIN, |node| node.duration());
        fields.finish();
        let (selection, silent, within) = (selection?, silent?, within?);
        if silent <= within {
            node.fault("`silent` must be longer than `within`: none in (t-silent, t-within], some in (t-within, t]");
            return None;
        }
        Some(LifecycleTest::Restarted { selection, silent, within })
    }

    pub(crate) fn read_regularly(node: Node<'_>) -> Option<LifecycleTest> {
        let mut fields = node.fields()?;
        let count = |node: Node<'_>, greatest| node.integer(1, greatest).and_then(|n| u32::try_from(n).ok());
        let selection = EventSelection::read_required(&mut fields, &named_event::EVENT);
        let period = fields.required(&regularly::PERIOD, |node| node.duration());
        let counted = fields.has("min_count");
        let min_count = fields.optional(&regularly::MIN_COUNT, |node| count(node, 1_000_000));
        let min_periods = fields.required(&regularly::MIN_PERIODS, |node| count(node, MAX_PERIODS));
        let of = fields.required(&regularly::OF, |node| count(node, MAX_PERIODS));
        fields.finish();
        let min_count = if counted { min_count? } else { 1 };
        let (selection, period, min_periods, of) = (selection?, period?, min_periods?, of?);
        if min_periods > of {
            node.fault("`min_periods` must not exceed `of`");
            return None;
        }
        Some(LifecycleTest::Regularly { selection, period, min_count, min_periods, of })
    }
}
