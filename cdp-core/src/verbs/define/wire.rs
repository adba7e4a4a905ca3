//! The rows of the verb table for definitions.

use crate::records::Value;
use crate::verbs::parameter::{DRY_RUN, Parameter, ParameterType};
use crate::verbs::verb::{Response, Verb};

pub(crate) const ROWS: &[Verb] = &[
    Verb::write(
        "define",
        "Stores definitions in one transaction; all of them or none.",
        &[
            Parameter::required(
                "definitions",
                ParameterType::Definitions,
                "One definition, a list of them, or the path of a file or folder.",
            )
            .by_position(),
            DRY_RUN,
        ],
        |cdp, request| {
            let dry_run = request.truth("dry_run")?;
            Response::of(match (request.need("definitions")?, dry_run) {
                // A path is read here and not by a binding, because only the core knows which files must not be opened.
                (Value::Text(path), false) => cdp.define_path(path)?,
                (Value::Text(path), true) => cdp.define_path_dry_run(path)?,
                (definitions, false) => cdp.define(definitions.clone())?,
                (definitions, true) => cdp.define_dry_run(definitions.clone())?,
            })
        },
    ),
    Verb::read("definitions", "All definitions as they stand, in the form that `define` takes.", &[], |cdp, _| {
        Response::of(cdp.definitions()?)
    })
    .point()
    .verbatim(),
    Verb::write(
        "drop_definition",
        "Removes a definition and what was derived from it; facts stay.",
        &[
            Parameter::required("kind", ParameterType::Text, "The kind of the definition.").by_position(),
            Parameter::required("name", ParameterType::Text, "The name of the definition.").by_position(),
        ],
        |cdp, request| {
            cdp.drop_definition(request.need_text("kind")?, request.need_text("name")?)?;
            Response::none()
        },
    ),
];
