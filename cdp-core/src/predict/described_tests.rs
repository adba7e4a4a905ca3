//! What described cohorts promise, seen from outside.

use std::sync::Mutex;

use super::calibrate::SplitMix64;
use super::described::DescribedModel;
use super::zero_shot::{DescribedCohort, Patience, Scorer};
use crate::definitions::{PredictorDefinition, Similarity};
use crate::error::ErrorKind;
use crate::records::Value;

fn definition(similarity: Similarity) -> PredictorDefinition {
    let cohort = |name: &str, description: &str| DescribedCohort {
        cohort: name.to_owned(),
        description: description.to_owned(),
        keywords: vec!["things".to_owned()],
    };
    let cohorts = vec![cohort("coffee", "espresso and filter"), cohort("strings", "violin and cello")];
    PredictorDefinition { cohorts, similarity, ..PredictorDefinition::cohort("taste") }
}

fn documents() -> Vec<Vec<String>> {
    let texts =
        ["espresso grinder", "filter grinder", "violin rosin", "cello rosin", "rosin violin bow", "grinder filter"];
    texts.iter().map(|text| vec![(*text).to_owned()]).collect()
}

/// Gives every text the second cohort, but falls silent after a number of batches of one.
struct Silent {
    rest: Mutex<u32>,
    method: &'static str,
}

impl Scorer for Silent {
    fn method(&self) -> String {
        self.method.to_owned()
    }

    fn score(&self, texts: &[String], cohorts: &[DescribedCohort]) -> std::result::Result<Value, String> {
        let mut rest = self.rest.lock().unwrap();
        *rest = rest.checked_sub(1).ok_or("gone")?;
        let answer =
            || Value::object([("cohort", Value::from(cohorts[1].cohort.as_str())), ("score", Value::float(0.5))]);
        Ok(Value::List(texts.iter().map(|_| answer()).collect()))
    }

    fn pause(&self, _: std::time::Duration) {}
}

fn one_by_one() -> Patience {
    Patience { batch: 1, ..Patience::default() }
}

#[test]
fn answers_before_a_silence_are_kept_and_the_rest_is_asked_the_next_time() {
    let (definition, documents) = (definition(Similarity::Lexical), documents());
    let scorer = Silent { rest: Mutex::new(2), method: "silent/1" };
    let first = DescribedModel::train(&definition, &documents, None, Some((&scorer, one_by_one()))).unwrap();
    assert_eq!((first.n_texts, first.n_unanswered, first.asked.attempts), (6, 6, 7));
    assert_eq!((first.model.answers(), first.asked.last_error.as_deref()), ((2, "silent/1"), Some("gone")));
    assert_eq!(first.model.methods(), ["silent/1", "lexical/1"]);
    let again = Silent { rest: Mutex::new(9), method: "silent/1" };
    let second =
        DescribedModel::train(&definition, &documents, Some(&first.model), Some((&again, one_by_one()))).unwrap();
    assert_eq!((second.n_unanswered, second.model.answers().0), (4, 6));
    // Without a scorer they stay; texts that are gone take theirs along; another scorer begins again.
    let third = DescribedModel::train(&definition, &documents[..3], Some(&second.model), None).unwrap();
    assert_eq!(third.model.answers(), (3, "silent/1"));
    let other = Silent { rest: Mutex::new(9), method: "other/1" };
    let fourth =
        DescribedModel::train(&definition, &documents, Some(&second.model), Some((&other, one_by_one()))).unwrap();
    assert_eq!((fourth.n_unanswered, fourth.model.answers()), (6, (6, "other/1")));
    assert_eq!(fourth.model.predict(&documents[0]).1, "other/1");
    // One that never answers takes nothing away.
    let dumb = Silent { rest: Mutex::new(0), method: "dumb/1" };
    let fifth =
        DescribedModel::train(&definition, &documents, Some(&fourth.model), Some((&dumb, one_by_one()))).unwrap();
    assert_eq!(fifth.model.answers(), (6, "other/1"));
    assert_eq!(fifth.model.without_people(1).unwrap().answers(), (0, ""));
}

#[test]
fn the_order_of_documents_does_not_change_a_byte() {
    let definition = definition(Similarity::LatentSemantic);
    let mut reversed = documents();
    reversed.reverse();
    let bytes = |documents: &[Vec<String>]| {
        let trained = DescribedModel::train(&definition, documents, None, None).unwrap();
        trained.model.to_bytes()
    };
    assert_eq!(bytes(&documents()), bytes(&reversed));
}

#[test]
fn a_model_survives_its_bytes_and_damage_is_refused_without_a_panic() {
    let (definition, documents) = (definition(Similarity::LatentSemantic), documents());
    let scorer = Silent { rest: Mutex::new(2), method: "silent/1" };
    let model = DescribedModel::train(&definition, &documents, None, Some((&scorer, one_by_one()))).unwrap().model;
    let bytes = model.to_bytes();
    let copy = DescribedModel::from_bytes(&bytes).unwrap();
    assert_eq!((copy.content_hash(), copy.to_bytes()), (model.content_hash(), bytes.clone()));
    for document in &documents {
        assert_eq!(copy.predict(document), model.predict(document));
    }
    for place in 0..bytes.len() {
        assert!(DescribedModel::from_bytes(&bytes[..place]).is_err());
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        assert!(DescribedModel::from_bytes(&damaged).is_err());
    }
    assert_eq!(DescribedModel::from_bytes(&[7; 100]).unwrap_err().kind(), ErrorKind::Incompatible);
    let content = &bytes[52..];
    let forge = |content: &[u8]| DescribedModel::from_bytes(&super::bytes::seal(b"CDPdescr", 1, content));
    assert!(forge(content).is_ok());
    let mut random = SplitMix64::new(1);
    let mut forged_ones: Vec<Vec<u8>> = Vec::new();
    for _ in 0..4000 {
        let mut forged = content.to_vec();
        for _ in 0..=random.below(3) {
            let place = random.below(forged.len() as u64) as usize;
            forged[place] = random.next_u64() as u8;
        }
        forged.truncate(forged.len() - random.below(3) as usize);
        forged_ones.push(forged);
    }
    for place in 0..content.len() - 4 {
        let mut forged = content.to_vec();
        forged[place..place + 4].copy_from_slice(&[255; 4]);
        forged_ones.push(forged);
    }
    for forged in forged_ones {
        if let Ok(model) = forge(&forged) {
            let (prediction, _) = model.predict(&documents[0]);
            assert!((0.0..=1.0).contains(&prediction.score));
        }
    }
}

#[test]
fn empty_and_unknown_texts_are_unassigned_by_every_method() {
    for similarity in [Similarity::Lexical, Similarity::LatentSemantic] {
        let model = DescribedModel::train(&definition(similarity), &documents(), None, None).unwrap().model;
        for text in ["", "\u{0}", "xqz", "東京 🏔"] {
            let (prediction, _) = model.predict(&[text.to_owned()]);
            assert_eq!((prediction.cohort, prediction.score), (None, 0.0));
        }
        assert_eq!(model.predict(&[]).0.cohort, None);
        assert!(model.explain(&documents()[0], "sailing").is_err());
        let (parts, _) = model.explain(&documents()[0], "coffee").unwrap();
        let (prediction, _) = model.likeness(&documents()[0]);
        let score = prediction.scores.iter().find(|(cohort, _)| cohort == "coffee").unwrap().1;
        assert!((parts.iter().map(|(_, part)| part).sum::<f64>() - score).abs() < 1e-9);
    }
    // A store without texts teaches no word.
    assert!(DescribedModel::train(&definition(Similarity::Lexical), &[], None, None).is_ok());
}
