//! The rows of the verb table for decisions, exports and tables.

use crate::error::Error;
use crate::verbs::activate::decide::DecideOptions;
use crate::verbs::activate::export::ExportRequest;
use crate::verbs::activate::table::TableQuery;
use crate::verbs::parameter::{AS_OF, COLUMNS, IDENTIFIER, LIMIT, Parameter, ParameterType, WHERE};
use crate::verbs::verb::{Response, Verb};

pub(crate) const ROWS: &[Verb] = &[
    Verb::read(
        "decide",
        "The choice of a policy for a person, with its reasons.",
        &[
            Parameter::required("policy", ParameterType::Text, "The name of the policy.").by_position(),
            IDENTIFIER,
            Parameter::optional("event", ParameterType::Event, "An event to take as if it had happened.").by_position(),
            AS_OF,
        ],
        |cdp, request| {
            let as_of = request.as_of()?.unwrap_or_default();
            if as_of.known.is_some() {
                return Err(Error::invalid("decide: a decision uses everything that the store knows")
                    .with_hint("leave `known` out of `as_of`"));
            }
            let options = DecideOptions { event: request.get("event").cloned(), at: as_of.valid };
            Response::of(cdp.decide(request.need_text("policy")?, request.need("identifier")?, &options)?)
        },
    )
    .point(),
    Verb::read(
        "export",
        "Writes the members of an audience who consent to the purpose into a file.",
        &[
            Parameter::optional("audience", ParameterType::Text, "The audience, if no destination is given."),
            Parameter::optional("destination", ParameterType::Text, "The destination definition."),
            Parameter::required("path", ParameterType::Text, "The file to write; an existing file is replaced."),
            Parameter::optional("format", ParameterType::Text, "`csv` or `ndjson`; by the file name by default."),
            Parameter::optional("purpose", ParameterType::Text, "The purpose of use; required with `audience`."),
            Parameter::optional("channel", ParameterType::Text, "The channel, such as `email`."),
            COLUMNS,
        ],
        |cdp, request| {
            Response::of(cdp.export(&ExportRequest {
                audience: request.owned_text("audience")?,
                destination: request.owned_text("destination")?,
                path: request.need_text("path")?.to_owned(),
                format: request.owned_text("format")?,
                purpose: request.owned_text("purpose")?,
                channel: request.owned_text("channel")?,
                columns: request.texts("columns")?,
            })?)
        },
    ),
    Verb::read("tables", "The names of the tables.", &[], |cdp, _| Response::of(cdp.tables())).point(),
    Verb::read(
        "table",
        "One table of the store: events, profiles, traits, links and others.",
        &[
            Parameter::required("name", ParameterType::Text, "The name of the table.").by_position(),
            COLUMNS,
            WHERE,
            AS_OF,
            LIMIT,
        ],
        |cdp, request| {
            let (columns, filter) = (request.texts("columns")?, request.get("where").cloned());
            let query = TableQuery { columns, filter, as_of: request.as_of()?, limit: request.size("limit")? };
            Ok(cdp.table(request.need_text("name")?, &query)?.into())
        },
    ),
];
