//! The builders of predictors: what is read of a profile, what is learned, and the settings of training.

use super::parts::{ObjectFields, builder, definition, named, word};
use super::rule::Rule;
use crate::definitions::predictor::{ANALYZERS, SIMILARITIES};
use crate::definitions::{Analyzer, Similarity};
use crate::records::{Identifier, Value};

/// A class of many for each profile, or the likelihood that an event follows.
///
/// A cohort predictor reads texts; its classes are learned from a label, described, or follow from rules. A propensity
/// predictor reads features. Names and defaults of the settings are those of scikit-learn, except for `C` of cohorts.
///
/// ```
/// use cdp_core::define::{Predictor, Rule};
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let cohort = Predictor::cohort("interest_cohort")
///     .text_trait("interests")
///     .text_event("Order Completed", "products.*.name")
///     .label_trait("cohort")
///     .rule("big spender", Rule::feature("total_spend").gte(1000))
///     .ngram_range(1, 2)
///     .threshold(0.3);
/// assert_eq!(Definition::from_value(&Value::from(cohort))?.name, "interest_cohort");
///
/// let propensity = Predictor::propensity("buys_soon", "Order Completed", "7d").feature("total_spend").feature("orders");
/// assert_eq!(Definition::from_value(&Value::from(propensity))?.name, "buys_soon");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a predictor exists when it is defined"]
pub struct Predictor(ObjectFields);

definition!(Predictor);

impl Predictor {
    /// A predictor of classes. It needs texts with a label or described cohorts, or rules.
    pub fn cohort(name: impl Into<String>) -> Predictor {
        Predictor(named("predictor", name).with("task", "cohort"))
    }

    /// A predictor of whether an event follows in `(t, t + horizon]`; it reads the features that [`Predictor::feature`]
    /// adds.
    pub fn propensity(name: impl Into<String>, event: impl Into<String>, horizon: impl Into<Value>) -> Predictor {
        let label = ObjectFields::new().with("event", event.into()).with("horizon", horizon);
        let parts = named("predictor", name).with("task", "propensity").with("label", label);
        Predictor(parts.with("features", Value::List(Vec::new())))
    }

    /// Of a propensity: one more feature, by its name.
    pub fn feature(self, name: impl Into<String>) -> Predictor {
        Predictor(self.0.push("features", name.into()))
    }

    /// Of a cohort: one more trait that holds a text or a list of texts.
    pub fn text_trait(self, path: impl Into<String>) -> Predictor {
        Predictor(self.0.push("text", ObjectFields::new().with("trait", path.into())))
    }

    /// Of a cohort: one more property that holds text, of every event of a name.
    pub fn text_event(self, event: impl Into<String>, property: impl Into<String>) -> Predictor {
        Predictor(
            self.0.push("text", ObjectFields::new().with("event", event.into()).with("property", property.into())),
        )
    }

    /// Of a cohort: the class to learn stands in a trait.
    pub fn label_trait(self, path: impl Into<String>) -> Predictor {
        Predictor(self.0.insert("label", "trait", path.into()))
    }

    /// Of a cohort: the class to learn is the name of an audience for its members, and `other` for everybody else.
    pub fn label_audience(self, name: impl Into<String>) -> Predictor {
        Predictor(self.0.insert("label", "audience", name.into()))
    }

    /// Of a cohort: one more class to learn and its people, each by one identifier. It needs two classes at least.
    ///
    /// ```
    /// use cdp_core::define::Predictor;
    /// use cdp_core::definitions::Definition;
    /// use cdp_core::records::Value;
    /// let predictor = Predictor::cohort("p")
    ///     .text_trait("interests")
    ///     .label_list("sports", [("user_id", "u1"), ("user_id", "u2")])
    ///     .label_list("books", [("email", "b@example.com")]);
    /// assert_eq!(Definition::from_value(&Value::from(predictor))?.name, "p");
    /// # Ok::<(), cdp_core::Error>(())
    /// ```
    pub fn label_list(
        mut self,
        class: impl Into<String>,
        people: impl IntoIterator<Item = impl Into<Identifier>>,
    ) -> Predictor {
        let label = match self.0.0.remove("label") {
            Some(Value::Object(fields)) => ObjectFields(fields),
            _ => ObjectFields::new(),
        };
        let people: Value = people.into_iter().map(Into::into).collect();
        Predictor(self.0.with("label", label.insert("list", class, people)))
    }

    /// Of a cohort: one more class that follows from a rule, with score 1, before a model is asked. The first rule that
    /// holds decides.
    pub fn rule(self, class: impl Into<String>, when: impl Into<Rule>) -> Predictor {
        Predictor(self.0.push("rules", ObjectFields::new().with("cohort", class.into()).with("when", when.into())))
    }

    /// Of a cohort: one more class by a description, in place of a label.
    pub fn described(self, cohort: DescribedCohort) -> Predictor {
        Predictor(self.0.push("cohorts", cohort))
    }

    /// Of described cohorts: how texts are compared with them; without this by the pieces of words they share.
    pub fn similarity(self, similarity: Similarity) -> Predictor {
        Predictor(self.0.with("similarity", word(&SIMILARITIES, &similarity)))
    }

    /// The inverse of the strength of the L2 penalty; without this 10 for cohorts and 1 for propensities.
    pub fn c(self, c: f64) -> Predictor {
        Predictor(self.0.with("C", c))
    }

    /// The number of iterations after which training stops unfinished; without this 1,000.
    pub fn max_iter(self, n: u32) -> Predictor {
        Predictor(self.0.with("max_iter", n))
    }

    /// Training ends when no entry of the mean gradient is further from zero; without this 0.0001.
    pub fn tol(self, tolerance: f64) -> Predictor {
        Predictor(self.0.with("tol", tolerance))
    }

    /// Every class has the same weight, however many rows it has; without this every row has.
    pub fn balanced(self) -> Predictor {
        Predictor(self.0.with("class_weight", "balanced"))
    }

    /// Of a cohort: the size of the vocabulary; the terms that occur most often are kept. Without this there is no limit.
    pub fn max_features(self, n: u32) -> Predictor {
        Predictor(self.0.with("max_features", n))
    }

    /// Of a cohort: the number of documents in which a term must occur; without this 1.
    pub fn min_df(self, documents: u32) -> Predictor {
        Predictor(self.0.with("min_df", documents))
    }

    /// Of a cohort: the greatest share of documents in which a term may occur; without this 1.
    pub fn max_df(self, share: f64) -> Predictor {
        Predictor(self.0.with("max_df", share))
    }

    /// Of a cohort: the least and the greatest number of words (or characters) in a term; without this one word.
    pub fn ngram_range(self, least: u32, greatest: u32) -> Predictor {
        Predictor(self.0.with("ngram_range", [least, greatest]))
    }

    /// Of a cohort: what a term is made of; without this words.
    pub fn analyzer(self, analyzer: Analyzer) -> Predictor {
        Predictor(self.0.with("analyzer", word(&ANALYZERS, &analyzer)))
    }

    /// Of a cohort: whether repetitions of a term count as `1 + ln(count)`.
    pub fn sublinear_tf(self, is_on: bool) -> Predictor {
        Predictor(self.0.with("sublinear_tf", is_on))
    }

    /// Of a cohort: the words that are left out, whatever their case.
    pub fn stop_words(self, words: impl IntoIterator<Item = impl Into<String>>) -> Predictor {
        Predictor(self.0.texts("stop_words", words))
    }

    /// Of a cohort: below this score a profile has no class; without this 0.
    pub fn threshold(self, score: f64) -> Predictor {
        Predictor(self.0.with("threshold", score))
    }

    /// Of a cohort: how many of five folds are held out in turn to calibrate the probabilities; 0 for no calibration.
    pub fn temperature_folds(self, folds: u32) -> Predictor {
        Predictor(self.0.with("temperature_folds", folds))
    }
}

/// A cohort by a description, without labels: a profile belongs to the one its texts are most like.
///
/// ```
/// use cdp_core::define::{DescribedCohort, Predictor};
/// use cdp_core::definitions::Definition;
/// use cdp_core::records::Value;
/// let predictor = Predictor::cohort("interest_cohort")
///     .text_trait("interests")
///     .described(DescribedCohort::new("sports").description("People who run or cycle").keyword("marathon"))
///     .described(DescribedCohort::new("books"));
/// assert_eq!(Definition::from_value(&Value::from(predictor))?.name, "interest_cohort");
/// # Ok::<(), cdp_core::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "a cohort is a part of a predictor"]
pub struct DescribedCohort(ObjectFields);

builder!(DescribedCohort);

impl DescribedCohort {
    /// A cohort by its name, which counts as a text too.
    pub fn new(name: impl Into<String>) -> DescribedCohort {
        DescribedCohort(ObjectFields::new().with("cohort", name.into()))
    }

    /// What the people of the cohort are about, in a sentence.
    pub fn description(self, description: impl Into<String>) -> DescribedCohort {
        DescribedCohort(self.0.with("description", description.into()))
    }

    /// One more word that is typical of the cohort.
    pub fn keyword(self, keyword: impl Into<String>) -> DescribedCohort {
        DescribedCohort(self.0.push("keywords", keyword.into()))
    }
}
