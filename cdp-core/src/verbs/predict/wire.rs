//! The rows of the verb table for predictors.

use crate::error::{Error, Result};
use crate::records::{Identifier, Value, base64};
use crate::verbs::parameter::{AFTER, LIMIT, PREDICTOR, Parameter, ParameterType};
use crate::verbs::predict::judge::{EvaluateOptions, ExplainOptions};
use crate::verbs::predict::predictions::{PredictOptions, Subject};
use crate::verbs::predict::similar::SimilarOptions;
use crate::verbs::predict::training_rows::TrainOptions;
use crate::verbs::request::Request;
use crate::verbs::verb::{Response, Verb};

const IDENTIFIER: Parameter =
    Parameter::optional("identifier", ParameterType::Identifier, "One identifier of the person.").by_position();
const TEXT: Parameter = Parameter::optional("text", ParameterType::Text, "A text to classify instead of a person.");
const TOP_K: Parameter = Parameter::optional("top_k", ParameterType::Count, "The number of entries; all by default.");
const VERSION: Parameter =
    Parameter::optional("version", ParameterType::Count, "The version of the model; the active one by default.")
        .by_position();

fn subject(verb: &str, request: &Request<'_>) -> Result<Subject> {
    match (request.get("identifier"), request.text("text")?) {
        (Some(identifier), None) => Ok(Subject::Person(Identifier::from_value(identifier)?)),
        (None, Some(text)) => Ok(Subject::text(text)),
        _ => Err(Error::invalid(format!("{verb}: give either an identifier or a `text`"))),
    }
}

pub(crate) const ROWS: &[Verb] = &[
    Verb::write(
        "train",
        "Trains a predictor on what the store holds and activates the model.",
        &[
            PREDICTOR,
            Parameter::optional("until", ParameterType::Time, "The end of the label window of a propensity predictor."),
            Parameter::optional("known", ParameterType::Time, "Facts recorded later do not count."),
        ],
        |cdp, request| {
            let options = TrainOptions { until: request.time("until")?, known: request.time("known")? };
            Response::of(cdp.train(request.need_text("predictor")?, &options)?)
        },
    )
    .asking_scorer(),
    Verb::read(
        "predict",
        "The cohort and scores of a person or a text; null if there is no such person.",
        &[PREDICTOR, IDENTIFIER, TEXT, TOP_K],
        |cdp, request| {
            let options = PredictOptions { top_k: request.size("top_k")? };
            Response::maybe(cdp.predict(request.need_text("predictor")?, subject("predict", request)?, &options)?)
        },
    )
    .point()
    .asking_scorer(),
    Verb::read(
        "cohort_members",
        "The people of a cohort by descending score.",
        &[PREDICTOR, Parameter::required("cohort", ParameterType::Text, "The cohort.").by_position(), LIMIT, AFTER],
        |cdp, request| {
            let (predictor, cohort) = (request.need_text("predictor")?, request.need_text("cohort")?);
            Ok(cdp.cohort_members(predictor, cohort, &request.page()?)?.into())
        },
    ),
    Verb::read(
        "models",
        "The trained models with their reports.",
        &[Parameter::optional("predictor", ParameterType::Text, "Only models of this predictor.").by_position()],
        |cdp, request| Response::of(cdp.models(request.text("predictor")?)?),
    )
    .point(),
    Verb::read(
        "evaluate",
        "Quality of a predictor on data that it was not trained on.",
        &[
            PREDICTOR,
            Parameter::optional("folds", ParameterType::Count, "The number of folds of a cross-validation."),
            Parameter::optional("split", ParameterType::Text, "How rows are split into training and test."),
        ],
        |cdp, request| {
            let options = EvaluateOptions { folds: request.size("folds")?, split: request.owned_text("split")? };
            Response::of(cdp.evaluate(request.need_text("predictor")?, &options)?)
        },
    ),
    Verb::read(
        "explain_prediction",
        "The words or features that speak for a prediction and against it.",
        &[
            PREDICTOR,
            IDENTIFIER,
            TEXT,
            Parameter::optional("cohort", ParameterType::Text, "The cohort to explain; the predicted one by default."),
            TOP_K,
        ],
        |cdp, request| {
            let predictor = request.need_text("predictor")?;
            let options = ExplainOptions { cohort: request.owned_text("cohort")?, top_k: request.size("top_k")? };
            Response::maybe(cdp.explain_prediction(predictor, subject("explain_prediction", request)?, &options)?)
        },
    ),
    Verb::read(
        "drift",
        "How far the present population differs from the one the model was trained on.",
        &[PREDICTOR],
        |cdp, request| Response::of(cdp.drift(request.need_text("predictor")?)?),
    ),
    Verb::read(
        "similar",
        "The profiles nearest to the given ones.",
        &[
            Parameter::required("identifiers", ParameterType::Identifiers, "Identifiers of the people to start from.")
                .by_position(),
            Parameter::optional("k", ParameterType::Count, "The number of rows."),
            Parameter::optional("predictor", ParameterType::Text, "The predictor whose texts are compared."),
            Parameter::optional("embedding", ParameterType::Text, "The trait that holds a vector."),
        ],
        |cdp, request| {
            let (predictor, embedding) = (request.owned_text("predictor")?, request.owned_text("embedding")?);
            let options = SimilarOptions { k: request.size("k")?, predictor, embedding };
            Ok(cdp.similar(request.need_list("identifiers")?, &options)?.into())
        },
    ),
    Verb::write(
        "activate_model",
        "Makes an earlier model of a predictor the active one.",
        &[PREDICTOR, VERSION],
        |cdp, request| Response::of(cdp.activate_model(request.need_text("predictor")?, request.small("version")?)?),
    ),
    Verb::read(
        "export_model",
        "A trained model as bytes.",
        &[
            PREDICTOR,
            VERSION,
            Parameter::optional(
                "min_df",
                ParameterType::Count,
                "Leave out words that occur in fewer training texts than this.",
            ),
        ],
        |cdp, request| {
            let (version, min_df) = (request.small("version")?, request.small("min_df")?);
            let bytes = cdp.export_model(request.need_text("predictor")?, version, min_df)?;
            Response::of(Value::Text(base64::encode(&bytes)))
        },
    )
    .bytes(),
    Verb::write(
        "import_model",
        "Stores a model that `export_model` gave, as a new version of a predictor.",
        &[
            PREDICTOR,
            Parameter::required("data", ParameterType::Bytes, "The bytes that `export_model` gave.").by_position(),
        ],
        |cdp, request| {
            let bytes = request.need_bytes("data", "give what export_model gave")?;
            Response::of(cdp.import_model(request.need_text("predictor")?, &bytes)?)
        },
    ),
];
