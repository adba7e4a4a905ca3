//! People as tables: profiles, identifiers, traits, features, memberships, scores, accounts, consents.

use std::collections::BTreeSet;

use crate::definitions::Rule;
use crate::engine::handle::Cdp;
use crate::engine::people::consent::{PurposeConsent, consents_of};
use crate::engine::people::person::Person;
use crate::engine::people::table::matching;
use crate::engine::people::values::{audiences_of, feature_values};
use crate::engine::snapshot::Snapshot;
use crate::error::Result;
use crate::records::{Cells, Column, Frame, Timestamp, Value};

pub(crate) fn table_of_people(
    cdp: &Cdp,
    snapshot: &Snapshot<'_>,
    name: &str,
    rule: Option<&Rule>,
    at: Timestamp,
) -> Result<Frame> {
    let mut rows: Rows = Rows::of(match name {
        "profiles" => &["profile_id", "user_id", "email", "first_seen", "last_seen", "n_messages"],
        "identifiers" => &["profile_id", "type", "value"],
        "traits" => &["profile_id", "name", "value"],
        "features" => &["profile_id", "name", "value"],
        "memberships" => &["profile_id", "audience"],
        "cohort_scores" => &["profile_id", "predictor", "cohort", "score", "method", "model_version"],
        "accounts" => &["profile_id", "account_type", "account"],
        _ => &["profile_id", "purpose", "status", "effective", "since"],
    });
    for found in snapshot.find(matching(rule), &[], at)? {
        let person = Person::of(found.profile)?;
        let id = Value::Text(person.profile_id());
        let json = |value: Value| match value {
            Value::Null => Value::Null,
            other => Value::Text(other.to_json()),
        };
        match name {
            "profiles" => {
                let last = |kind: &str| person.last_id(kind, at).map_or(Value::Null, Value::from);
                let (first, latest) = person.seen(at)?;
                let messages = person.messages()?.into_iter().filter(|(occurred_at, _)| *occurred_at <= at).count();
                rows.push([id, last("user_id"), last("email"), first.into(), latest.into(), Value::count(messages)]);
            }
            "identifiers" => {
                for (kind, values) in person.ids(at) {
                    for value in values {
                        rows.push([id.clone(), Value::from(kind), Value::from(value)]);
                    }
                }
            }
            "traits" => {
                for (trait_name, value) in person.traits(at)? {
                    rows.push([id.clone(), Value::Text(trait_name), json(value)]);
                }
            }
            "features" => {
                for (feature, value) in feature_values(&person, at)? {
                    rows.push([id.clone(), Value::Text(feature), json(value)]);
                }
            }
            "memberships" => {
                for audience in audiences_of(&person, at)? {
                    rows.push([id.clone(), Value::Text(audience)]);
                }
            }
            "cohort_scores" => {
                for predictor in snapshot.catalog.predictors() {
                    let Some((prediction, method)) = person.predicted(&predictor.name, at)? else { continue };
                    let cohort = prediction.cohort.map_or(Value::Null, Value::Text);
                    rows.push([
                        id.clone(),
                        Value::from(predictor.name.as_str()),
                        cohort,
                        Value::float(prediction.score),
                        Value::from(method),
                        snapshot.model_version(&predictor.name, method).map_or(Value::Null, Value::integer),
                    ]);
                }
            }
            "accounts" => {
                let accounts: BTreeSet<(&str, &str)> = person.accounts(at)?.collect();
                for (account_type, account) in accounts {
                    rows.push([id.clone(), Value::from(account_type), Value::from(account)]);
                }
            }
            _ => {
                for (purpose, consent) in consents_of(cdp, &person, at)? {
                    let PurposeConsent { effective, status, since, .. } = consent;
                    let (status, effective) = (Value::from(status), Value::Bool(effective));
                    rows.push([id.clone(), Value::Text(purpose), status, effective, Value::from(since)]);
                }
            }
        }
    }
    Ok(rows.into_frame())
}

/// A table that grows by rows.
struct Rows {
    pub(crate) names: &'static [&'static str],
    pub(crate) columns: Vec<Vec<Value>>,
}

impl Rows {
    pub(crate) fn of(names: &'static [&'static str]) -> Rows {
        Rows { names, columns: vec![Vec::new(); names.len()] }
    }

    pub(crate) fn push<const N: usize>(&mut self, row: [Value; N]) {
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
    }

    pub(crate) fn into_frame(self) -> Frame {
        let columns = self.names.iter().zip(self.columns).map(|(name, values)| {
            let cells = match *name {
                "first_seen" | "last_seen" | "since" => Cells::Timestamp(
                    values.iter().map(|value| value.as_text().and_then(|text| Timestamp::parse(text).ok())).collect(),
                ),
                "score" => Cells::Float64(
                    values.iter().map(|value| value.as_number().map(crate::records::Number::to_f64)).collect(),
                ),
                "effective" => Cells::Bool(values.iter().map(Value::as_bool).collect()),
                "n_messages" => Cells::Int64(
                    values.iter().map(|value| value.as_number().and_then(crate::records::Number::as_i64)).collect(),
                ),
                _ => Cells::Text(
                    values
                        .into_iter()
                        .map(|value| match value {
                            Value::Text(text) => Some(text),
                            _ => None,
                        })
                        .collect(),
                ),
            };
            Column { name: (*name).to_owned(), cells }
        });
        Frame { columns: columns.collect(), ..Frame::default() }
    }
}
