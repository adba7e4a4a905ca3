//! The rows of the verb table for messages and rows that come in.

use std::borrow::Cow;

use crate::error::Error;
use crate::intake::input::Data;
use crate::records::{MessageType, Value};
use crate::verbs::collect::ingest::IngestOptions;
use crate::verbs::collect::quarantine::RejectsQuery;
use crate::verbs::collect::send::message_of_type;
use crate::verbs::parameter::{AFTER, LIMIT, Parameter, ParameterType};
use crate::verbs::verb::{Response, Verb};

const MESSAGE: &[Parameter] =
    &[Parameter::required("message", ParameterType::Message, "A Segment message in either case.").by_position()];
const SOURCE: Parameter =
    Parameter::optional("source", ParameterType::Text, "Only rejects of this source; of all by default.");
const REASON: Parameter =
    Parameter::optional("reason", ParameterType::Text, "Only rejects with this reason; with any by default.");

pub(crate) const ROWS: &[Verb] = &[
    Verb::send("identify", "Records identifiers that belong to one person, and traits.", MESSAGE, |request| {
        message_of_type(MessageType::Identify, Cow::Borrowed(request.whole()))
    }),
    Verb::send("track", "Records an event of a person.", MESSAGE, |request| {
        message_of_type(MessageType::Track, Cow::Borrowed(request.whole()))
    }),
    Verb::send("page", "Records a page view.", MESSAGE, |request| {
        message_of_type(MessageType::Page, Cow::Borrowed(request.whole()))
    }),
    Verb::send("screen", "Records a view of a screen in an app.", MESSAGE, |request| {
        message_of_type(MessageType::Screen, Cow::Borrowed(request.whole()))
    }),
    Verb::send(
        "group",
        "Records that a person belongs to an account, and traits of the account.",
        MESSAGE,
        |request| message_of_type(MessageType::Group, Cow::Borrowed(request.whole())),
    ),
    Verb::send("alias", "Records that two identifiers belong to one person.", MESSAGE, |request| {
        message_of_type(MessageType::Alias, Cow::Borrowed(request.whole()))
    }),
    Verb::write(
        "ingest",
        "Takes in a file, a message, or a list of messages or rows; a row that cannot be accepted becomes a reject.",
        &[
            Parameter::required("data", ParameterType::Data, "A path, a message, or a list of messages or rows.")
                .by_position(),
            Parameter::optional(
                "source",
                ParameterType::Text,
                "The source definition that maps the rows; without one, rows are Segment messages.",
            ),
            Parameter::optional(
                "format",
                ParameterType::Text,
                "`json`, `ndjson` or `csv`, where neither the source nor the file name determines it.",
            ),
            Parameter::optional("first_row", ParameterType::Count, "The number of the first row; 1 by default."),
            Parameter::optional(
                "checkpoint",
                ParameterType::Text,
                "A position in the input that commits together with the data.",
            ),
            Parameter::optional("atomic", ParameterType::Boolean, "All rows or none, in one transaction."),
            Parameter::optional("batch_rows", ParameterType::Count, "Rows per transaction."),
        ],
        |cdp, request| {
            // The data is the large argument: it is copied once, below.
            let options = request.object().iter().filter(|(name, _)| *name != "data");
            let options = options.map(|(name, value)| (name.clone(), value.clone())).collect();
            let options = IngestOptions::from_value(&Value::Object(options))?;
            let values = match request.need("data")? {
                Value::Text(path) => {
                    return Response::of(cdp.ingest(Data::Path(path.into()), &options, None)?);
                }
                Value::List(list) => list.clone(),
                one => vec![one.clone()],
            };
            let values = Data::Values(Box::new(values.into_iter().map(Ok::<_, Error>)));
            Response::of(cdp.ingest(values, &options, None)?)
        },
    ),
    Verb::read(
        "rejects",
        "Rows that were not accepted, with the reason and the raw row, oldest first.",
        &[SOURCE, REASON, LIMIT, AFTER],
        |cdp, request| {
            let (source, reason) = (request.owned_text("source")?, request.owned_text("reason")?);
            let (after, limit) = (request.row("after")?, request.size("limit")?);
            Ok(cdp.rejects(&RejectsQuery { source, reason, after, limit })?.into())
        },
    ),
    Verb::write(
        "redrive",
        "Reads rejected rows again under the present source definition; accepted rows leave the rejects.",
        &[SOURCE, REASON],
        |cdp, request| Response::of(cdp.redrive(request.text("source")?, request.text("reason")?)?),
    ),
    Verb::read("checkpoints", "The last checkpoint of each source.", &[], |cdp, _| Response::of(cdp.checkpoints()?))
        .verbatim(),
];
