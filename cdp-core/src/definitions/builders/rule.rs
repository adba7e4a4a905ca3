//! The builder of rules: conditions on traits, features and events, joined by `all`, `any` and `not`.

use super::parts::{ObjectFields, builder, selects_events};
use crate::definitions::{Aggregate, ConsentStatus};
use crate::records::Value;

/// A rule of an audience, a policy or a predictor.
///
/// A method that does not belong to the condition it is called on (a window of time on a trait) is a fault that `define`
/// reports.
///
/// ```
/// use cdp_core::define::Rule;
/// use cdp_core::records::Value;
/// let rule = Rule::all([
///     Rule::trait_("country").is_in(["FR", "BE"]),
///     Rule::event("Order Completed").filter(Rule::property("revenue").gte(50)).at_least(2).within("30d"),
///     Rule::not(Rule::audience("employees")),
/// ]);
/// assert!(cdp_core::definitions::Rule::from_value(&Value::from(rule)).is_ok());
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a rule is a part of a definition"]
pub struct Rule(ObjectFields);

/// A value that is to be compared; an operator makes it a [`Rule`].
#[derive(Clone, PartialEq)]
#[must_use = "an operator makes it a rule"]
pub struct Compared(ObjectFields);

/// One step of [`Rule::sequence`].
///
/// ```
/// use cdp_core::define::{Rule, Step};
/// use cdp_core::records::Value;
/// let rule = Rule::sequence([
///     Step::event("Product Added"),
///     Step::absent("Order Completed").within_previous("2h").same("cart_id"),
/// ]);
/// assert!(cdp_core::definitions::Rule::from_value(&Value::from(rule.within("7d"))).is_ok());
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a step is a part of a sequence"]
pub struct Step(ObjectFields);

builder!(Rule);
builder!(Compared);
builder!(Step);
selects_events!(Compared);

/// The leaves whose fields stand in an object of their own.
const LIFECYCLE: [&str; 3] = ["stopped", "restarted", "regularly"];

fn list(rules: impl IntoIterator<Item = impl Into<Rule>>) -> Value {
    rules.into_iter().map(Into::into).collect()
}

impl Rule {
    fn leaf(word: &str, value: impl Into<Value>) -> Rule {
        Rule(ObjectFields::new().with(word, value))
    }

    /// Every rule holds; true of none.
    pub fn all(rules: impl IntoIterator<Item = impl Into<Rule>>) -> Rule {
        Rule::leaf("all", list(rules))
    }

    /// One rule holds at least; false of none.
    pub fn any(rules: impl IntoIterator<Item = impl Into<Rule>>) -> Rule {
        Rule::leaf("any", list(rules))
    }

    /// The rule does not hold.
    pub fn not(rule: impl Into<Rule>) -> Rule {
        Rule::leaf("not", rule.into())
    }

    /// At least `n` of the rules hold.
    pub fn n_of(n: usize, rules: impl IntoIterator<Item = impl Into<Rule>>) -> Rule {
        Rule::leaf("at_least", Value::object([("n", Value::from(n)), ("of", list(rules))]))
    }

    /// A trait by its path: `country`, `address.city`.
    pub fn trait_(path: impl Into<String>) -> Compared {
        Compared(ObjectFields::new().with("trait", path.into()))
    }

    /// A feature by its name.
    pub fn feature(name: impl Into<String>) -> Compared {
        Compared(ObjectFields::new().with("feature", name.into()))
    }

    /// A value of the message that a decision is about; only rules of a policy have one.
    pub fn current(path: impl Into<String>) -> Compared {
        Compared(ObjectFields::new().with("current", path.into()))
    }

    /// A property of an event, for [`Rule::filter`].
    pub fn property(path: impl Into<String>) -> Compared {
        Compared(ObjectFields::new().with("property", path.into()))
    }

    /// The event happened, once at least unless a count is given. One name, a list of names, or `*` for any.
    pub fn event(event: impl Into<Value>) -> Rule {
        Rule::leaf("event", event)
    }

    /// A value that is aggregated over events, to be compared; `property` where the aggregate needs one.
    pub fn measure(event: impl Into<Value>, aggregate: Aggregate, property: Option<&str>) -> Compared {
        let parts = ObjectFields::new().with("event", event).with("agg", aggregate.as_str());
        Compared(match property {
            Some(property) => parts.with("property", property),
            None => parts,
        })
    }

    /// The steps happened in their order; with [`Rule::within`], all in one window of time.
    pub fn sequence(steps: impl IntoIterator<Item = Step>) -> Rule {
        Rule::leaf("sequence", steps.into_iter().collect::<Value>())
    }

    /// Some events in `(t - active, t - silent]`, none since.
    pub fn stopped(event: impl Into<Value>, active: impl Into<Value>, silent: impl Into<Value>) -> Rule {
        Rule::leaf("stopped", ObjectFields::new().with("event", event).with("active", active).with("silent", silent))
    }

    /// Some events at `t - silent` or before, none in `(t - silent, t - within]`, some since.
    pub fn restarted(event: impl Into<Value>, silent: impl Into<Value>, within: impl Into<Value>) -> Rule {
        Rule::leaf("restarted", ObjectFields::new().with("event", event).with("silent", silent).with("within", within))
    }

    /// At least `min_periods` of the last `of` periods hold `min_count` events each.
    pub fn regularly(
        event: impl Into<Value>,
        period: impl Into<Value>,
        min_count: u32,
        min_periods: u32,
        of: u32,
    ) -> Rule {
        let parts = ObjectFields::new().with("event", event).with("period", period).with("min_count", min_count);
        Rule::leaf("regularly", parts.with("min_periods", min_periods).with("of", of))
    }

    /// The profile is in an audience.
    pub fn audience(name: impl Into<String>) -> Rule {
        Rule::leaf("audience", name.into())
    }

    /// The profile is in an audience, or with `false` outside of it.
    pub fn audience_in(name: impl Into<String>, inside: bool) -> Rule {
        Rule(ObjectFields::new().with("audience", name.into()).with("in", inside))
    }

    /// A predictor gives the profile any class.
    pub fn cohort(predictor: impl Into<String>) -> Rule {
        Rule::leaf("cohort", predictor.into())
    }

    /// Of a cohort: this class.
    pub fn is(self, class: impl Into<String>) -> Rule {
        Rule(self.0.with("is", class.into()))
    }

    /// Of a cohort: a score of at least this, from 0 to 1.
    pub fn score_gte(self, score: f64) -> Rule {
        self.score("gte", score)
    }

    /// Of a cohort: a score, from 0 to 1, that compares like this; the operator is one that takes numbers (`lt`, `between`).
    pub fn score(self, operator: impl Into<String>, value: impl Into<Value>) -> Rule {
        Rule(self.0.with("score", Value::object([(operator.into(), value.into())])))
    }

    /// The profile has an identifier of a type.
    pub fn has_identifier(identifier_type: impl Into<String>) -> Rule {
        Rule(ObjectFields::new().with("identity", "has").with("type", identifier_type.into()))
    }

    /// The profile has a person or contact identifier.
    pub fn known() -> Rule {
        Rule::leaf("identity", "known")
    }

    /// The profile has no person or contact identifier.
    pub fn anonymous() -> Rule {
        Rule::leaf("identity", "anonymous")
    }

    /// Consent for a purpose is granted.
    pub fn consent(purpose: impl Into<String>) -> Rule {
        Rule::leaf("consent", purpose.into())
    }

    /// Of consent: on this channel.
    pub fn channel(self, channel: impl Into<String>) -> Rule {
        Rule(self.0.with("channel", channel.into()))
    }

    /// Of consent: this state in place of granted.
    pub fn status(self, status: ConsentStatus) -> Rule {
        Rule(self.0.with("status", status.as_str()))
    }

    /// The profile belongs to an account.
    pub fn account(account: impl Into<String>) -> Rule {
        Rule::leaf("account", account.into())
    }

    /// Of an account: its identifier type in place of `group_id`.
    pub fn account_type(self, identifier_type: impl Into<String>) -> Rule {
        Rule(self.0.with("type", identifier_type.into()))
    }

    /// The profile's bucket of 10,000 under a seed lies in `from..to`, the end excluded.
    pub fn bucket(seed: impl Into<String>, from: u16, to: u16) -> Rule {
        Rule::leaf("bucket", ObjectFields::new().with("seed", seed.into()).with("from", from).with("to", to))
    }

    /// Of an event: a number of times that compares like this; the operator is one that takes numbers (`gt`, `between`).
    ///
    /// ```
    /// use cdp_core::define::Rule;
    /// use cdp_core::records::Value;
    /// let rule = Rule::event("Order Completed").count("between", [2, 5]).within("30d");
    /// assert!(cdp_core::definitions::Rule::from_value(&Value::from(rule)).is_ok());
    /// ```
    pub fn count(self, operator: impl Into<String>, value: impl Into<Value>) -> Rule {
        Rule(self.0.with("count", Value::object([(operator.into(), value.into())])))
    }

    /// Of an event: `n` times or more.
    pub fn at_least(self, n: u64) -> Rule {
        self.count("gte", n)
    }

    /// Of an event: `n` times or less, never included.
    pub fn at_most(self, n: u64) -> Rule {
        self.count("lte", n)
    }

    /// Of an event: `n` times.
    pub fn exactly(self, n: u64) -> Rule {
        self.count("eq", n)
    }

    /// Of an event: the first one ever lies in `(t - length, t]`.
    pub fn first_time_within(self, length: impl Into<Value>) -> Rule {
        Rule(self.0.with("first_time_within", length))
    }

    /// Only events whose property compares like this; several conditions must all hold.
    pub fn filter(mut self, condition: impl Into<Value>) -> Rule {
        for leaf in LIFECYCLE {
            if let Some(Value::Object(fields)) = self.0.0.get_mut(leaf) {
                *fields = ObjectFields(std::mem::take(fields)).push("where", condition).0;
                return self;
            }
        }
        Rule(self.0.push("where", condition))
    }

    /// Events in `(t - length, t]`; of a sequence, all of its events.
    pub fn within(self, length: impl Into<Value>) -> Rule {
        Rule(self.0.with("within", length))
    }

    /// Events in `(t - longer, t - shorter]`.
    pub fn between_ago(self, longer: impl Into<Value>, shorter: impl Into<Value>) -> Rule {
        Rule(self.0.with("between_ago", [longer.into(), shorter.into()]))
    }

    /// Events at this instant or later.
    pub fn since(self, time: impl Into<Value>) -> Rule {
        Rule(self.0.with("since", time))
    }

    /// Events between two instants, both included.
    pub fn between(self, first: impl Into<Value>, last: impl Into<Value>) -> Rule {
        Rule(self.0.with("between", [first.into(), last.into()]))
    }
}

macro_rules! operators {
    ($($(#[$doc:meta])+ $name:ident($($argument:ident)?) = $word:literal;)+) => {
        impl Compared {
            $(
                $(#[$doc])+
                pub fn $name(self $(, $argument: impl Into<Value>)?) -> Rule {
                    let parts = self.0.with("op", $word);
                    $(let parts = parts.with("value", $argument);)?
                    Rule(parts)
                }
            )+

            /// A number or time between two, both included.
            pub fn is_between(self, least: impl Into<Value>, greatest: impl Into<Value>) -> Rule {
                Rule(self.0.with("op", "between").with("value", [least.into(), greatest.into()]))
            }
        }
    };
}

operators! {
    /// Equal, without conversion.
    eq(value) = "eq";
    /// Not equal; true when absent.
    ne(value) = "ne";
    /// Equal text, whatever its case.
    eq_ci(text) = "eq_ci";
    /// Equal to one of a list, without conversion.
    is_in(values) = "in";
    /// Equal to none of a list; true when absent.
    not_in(values) = "not_in";
    /// A smaller number.
    lt(number) = "lt";
    /// A smaller or equal number.
    lte(number) = "lte";
    /// A greater number.
    gt(number) = "gt";
    /// A greater or equal number.
    gte(number) = "gte";
    /// A list with this item, or text with this part.
    contains(value) = "contains";
    /// No list with this item, no text with this part; true when absent.
    not_contains(value) = "not_contains";
    /// Text with this beginning.
    starts_with(text) = "starts_with";
    /// Text with this end.
    ends_with(text) = "ends_with";
    /// Text in which this pattern is found.
    regex(pattern) = "regex";
    /// No text in which this pattern is found; true when absent.
    not_regex(pattern) = "not_regex";
    /// There is a value.
    exists() = "exists";
    /// There is no value.
    not_exists() = "not_exists";
    /// Absent, or a text, list or object with nothing in it.
    is_empty() = "is_empty";
    /// True, the boolean.
    is_true() = "is_true";
    /// False, the boolean.
    is_false() = "is_false";
    /// A list with all of these items.
    contains_all(values) = "all";
    /// A list with one of these items at least.
    any_of(values) = "any_of";
    /// A list with none of these items; true when absent.
    none_of(values) = "none_of";
    /// Strictly earlier than an instant.
    before(time) = "before";
    /// Strictly later than an instant.
    after(time) = "after";
    /// On the UTC day of an instant.
    on_day(time) = "on_day";
    /// In `(t - length, t]`.
    within_last(length) = "within_last";
    /// In `(t, t + length]`.
    within_next(length) = "within_next";
    /// At `t - length` or earlier.
    before_last(length) = "before_last";
    /// Later than `t + length`.
    after_next(length) = "after_next";
    /// Equal to this version.
    semver_eq(version) = "semver_eq";
    /// A later version.
    semver_gt(version) = "semver_gt";
    /// This version or a later one.
    semver_gte(version) = "semver_gte";
    /// An earlier version.
    semver_lt(version) = "semver_lt";
    /// This version or an earlier one.
    semver_lte(version) = "semver_lte";
}

impl Step {
    /// The event happened.
    pub fn event(event: impl Into<Value>) -> Step {
        Step(ObjectFields::new().with("event", event))
    }

    /// The event did not happen for the length of [`Step::within_previous`]; never the first step.
    pub fn absent(event: impl Into<Value>) -> Step {
        Step(ObjectFields::new().with("not", ObjectFields::new().with("event", event)))
    }

    /// Only events whose property compares like this; several conditions must all hold.
    pub fn filter(mut self, condition: impl Into<Value>) -> Step {
        if let Some(Value::Object(fields)) = self.0.0.get_mut("not") {
            *fields = ObjectFields(std::mem::take(fields)).push("where", condition).0;
            return self;
        }
        Step(self.0.push("where", condition))
    }

    /// Less than this length after the end of the step before.
    pub fn within_previous(self, length: impl Into<Value>) -> Step {
        Step(self.0.with("within_previous", length))
    }

    /// One more property with the value that it has in the event before.
    pub fn same(self, path: impl Into<String>) -> Step {
        Step(self.0.push("same", path.into()))
    }
}
