//! Similar people: exact neighbors by texts, or by numbers in a trait.
//!
//! Takes seeds and what to compare; leaves the nearest people with their cosine. It must never approximate: everybody is
//! compared, so the answer does not depend on an index or its order.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::definitions::PredictorDefinition;
use crate::engine::handle::Cdp;
use crate::engine::people::person::Person;
use crate::engine::people::table::default_columns;
use crate::error::{Error, Result};
use crate::predict::TrainedModel;
use crate::records::options::options;
use crate::records::{Cells, Frame, IntoIdentifier, Path, Timestamp, Value};
use crate::rules::ProfileView;

const DEFAULT_NEIGHBORS: usize = 10;

options! {
    /// What makes people alike.
    pub struct SimilarOptions {
        /// The number of rows; ten without it.
        k: optional usize,
        /// A cohort predictor, whose texts are compared.
        predictor: optional String,
        /// The path of a trait that holds numbers, which are compared.
        embedding: optional String,
    }
}

impl Cdp {
    /// The people most like some others, exactly: by the TF-IDF values of a cohort predictor's texts, or by the numbers in a
    /// trait (`embedding`), the nearest first: `profile_id, user_id, email, score`. Several seeds ask for those like their
    /// mean; the seeds themselves are left out. Compares all people: cost grows with their number.
    pub fn similar<'i, I>(&self, identifiers: &'i [I], options: &SimilarOptions) -> Result<Frame>
    where
        &'i I: IntoIdentifier,
    {
        let at = self.now();
        let identifiers = identifiers.iter().map(IntoIdentifier::into_identifier).collect::<Result<Vec<_>>>()?;
        let SimilarOptions { k, predictor, embedding } = options;
        let (k, predictor, embedding) = (*k, predictor.as_deref(), embedding.as_deref());
        if identifiers.is_empty() || predictor.is_some() == embedding.is_some() {
            return Err(Error::invalid(
                "similar: give at least one identifier, and either a `predictor` or an `embedding`",
            ));
        }
        let embedding = match embedding {
            Some(text) => Some(Path::parse(text).ok_or_else(|| Error::invalid("similar: `embedding` is not a path"))?),
            None => None,
        };
        self.read_at_length(|snapshot| {
            let mut seeds = Vec::new();
            for identifier in &identifiers {
                let person = snapshot.find_person(identifier, at)?;
                seeds.push(person.ok_or_else(|| Error::not_found("nobody has one of the identifiers"))?.first_node());
            }
            let reads = match (predictor, &embedding) {
                (Some(predictor), _) => {
                    let definition = snapshot.catalog.predictor(predictor)?;
                    let model = snapshot.loaded(predictor)?.model.clone();
                    if model.cohort().is_none() {
                        return Err(Error::invalid(format!("the predictor `{predictor}` has learned no words"))
                            .with_hint("use a cohort predictor with a `label`, or an `embedding`"));
                    }
                    Reads::Texts(definition, model)
                }
                (None, Some(path)) => Reads::Numbers(path),
                (None, None) => return Err(Error::internal("similar has nothing to read")),
            };
            let mut vectors = Vec::new();
            for person in snapshot.people(at)? {
                let vector = reads.of(&person, at)?;
                vectors.push((person, vector));
            }
            let mut center: Vec<(u32, f64)> = Vec::new();
            for (person, vector) in &vectors {
                if seeds.contains(&person.first_node()) {
                    center.extend(vector);
                }
            }
            center.sort_unstable_by_key(|(column, _)| *column);
            let center: Vec<(u32, f64)> = center
                .chunk_by(|left, right| left.0 == right.0)
                .filter_map(|same| Some((same.first()?.0, same.iter().map(|(_, value)| value).sum())))
                .collect();
            let length = square(&center).sqrt();
            let mut scored: Vec<(f64, Person<'_>)> = Vec::new();
            for (person, vector) in vectors {
                let product = product(&center, &vector);
                if product > 0.0 && !seeds.contains(&person.first_node()) {
                    scored.push((product / (length * square(&vector).sqrt()), person));
                }
            }
            // Stable: equal scores stay in the order of first nodes.
            scored.sort_by(|(left, _), (right, _)| right.partial_cmp(left).unwrap_or(Ordering::Equal));
            scored.truncate(k.unwrap_or(DEFAULT_NEIGHBORS));
            let people: Vec<&Person<'_>> = scored.iter().map(|(_, person)| person).collect();
            let mut columns = default_columns(&people, at);
            columns.push(("score", Cells::Float64(scored.iter().map(|(score, _)| Some(*score)).collect())));
            Ok(Frame::new(columns))
        })
    }
}

/// What `similar` compares.
enum Reads<'a> {
    Texts(&'a PredictorDefinition, Arc<TrainedModel>),
    Numbers(&'a Path),
}

impl Reads<'_> {
    fn of(&self, person: &Person<'_>, at: Timestamp) -> Result<Vec<(u32, f64)>> {
        match self {
            Reads::Texts(definition, model) => {
                let document = person.document(&definition.text, at)?;
                Ok(model.cohort().map(|model| model.vectorizer().transform(&document)).unwrap_or_default())
            }
            Reads::Numbers(path) => {
                let Some(Value::List(list)) = person.trait_value(path, at)? else { return Ok(Vec::new()) };
                let numbers = list.iter().map(|item| item.as_number().map(|number| number.to_f64()));
                let numbers: Option<Vec<f64>> = numbers.collect();
                Ok((0..).zip(numbers.unwrap_or_default()).collect())
            }
        }
    }
}

fn product(left: &[(u32, f64)], right: &[(u32, f64)]) -> f64 {
    let mut other = right.iter().peekable();
    let mut sum = 0.0;
    for (column, value) in left {
        while other.next_if(|(candidate, _)| candidate < column).is_some() {}
        if let Some((_, other_value)) = other.next_if(|(candidate, _)| candidate == column) {
            sum += value * other_value;
        }
    }
    sum
}

fn square(vector: &[(u32, f64)]) -> f64 {
    vector.iter().map(|(_, value)| value * value).sum()
}
