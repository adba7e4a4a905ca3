//! The rows of the verb table for features.

use crate::verbs::aggregate::features::FeatureQuery;
use crate::verbs::parameter::{AS_OF, IDENTIFIER, Parameter, ParameterType, WHERE};
use crate::verbs::verb::{Response, Verb};

const NAMES: Parameter =
    Parameter::optional("names", ParameterType::Texts, "Names of features; all by default.").by_position();

pub(crate) const ROWS: &[Verb] = &[
    Verb::read(
        "features",
        "The features of one person; null if there is no such person.",
        &[IDENTIFIER, NAMES, AS_OF],
        |cdp, request| {
            let (identifier, as_of) = (request.need("identifier")?, request.as_of()?);
            Response::maybe(match request.texts("names")? {
                Some(names) => cdp.features_named(identifier, &names, as_of)?,
                None => cdp.features(identifier, as_of)?,
            })
        },
    )
    .point()
    .verbatim(),
    Verb::read(
        "feature_table",
        "A table of features with one row per profile.",
        &[NAMES, AS_OF, WHERE],
        |cdp, request| {
            let names = request.texts("names")?;
            Ok(cdp
                .feature_table(&FeatureQuery { names, as_of: request.as_of()?, filter: request.get("where").cloned() })?
                .into())
        },
    ),
];
