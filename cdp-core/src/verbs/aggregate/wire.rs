//! The rows of the verb table for features.

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
            let names = request.texts("names")?;
            Response::maybe(cdp.features(request.need("identifier")?, names.as_deref(), request.as_of()?)?)
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
            Ok(cdp.feature_table(names.as_deref(), request.as_of()?, request.get("where").cloned())?.into())
        },
    ),
];
