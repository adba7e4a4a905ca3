//! The rows of the verb table for the store itself: schema, checks, sizes, backup and end.

use std::path::Path;

use crate::engine::handle::Cdp;
use crate::error::Error;
use crate::verbs::parameter::{AS_OF, Parameter, ParameterType};
use crate::verbs::verb::{Response, Verb};

pub(crate) const ROWS: &[Verb] = &[
    Verb::read("schema", "The events with their properties and the traits that the store has seen.", &[], |cdp, _| {
        Response::of(cdp.schema()?)
    })
    .point()
    .verbatim(),
    Verb::read(
        "fingerprint",
        "One hash of everything that holds at an instant; equal for equal facts and definitions.",
        &[AS_OF.by_position()],
        |cdp, request| Response::of(cdp.fingerprint(request.as_of()?)?),
    ),
    Verb::read("verify", "Checks the file, and everything derived against a rebuild.", &[], |cdp, _| {
        Response::of(cdp.verify()?)
    }),
    Verb::read(
        "stats",
        "Sizes and counts of the store.",
        &[Parameter::optional("format", ParameterType::Text, "`prometheus` for its text format.").by_position()],
        |cdp, request| match request.text("format")? {
            None | Some("json") => Response::of(cdp.stats()?),
            Some("prometheus") => Response::of(cdp.stats()?.to_prometheus()),
            Some(other) => {
                Err(Error::invalid(format!("stats: unknown format `{other}`")).with_hint("formats: json, prometheus"))
            }
        },
    ),
    Verb::read(
        "backup",
        "Writes a copy of the store into a new file while it is in use.",
        &[Parameter::required("path", ParameterType::Text, "The file to write; it must not exist.").by_position()],
        |cdp, request| {
            cdp.backup(Path::new(request.need_text("path")?))?;
            Response::none()
        },
    ),
    Verb::read("version", "The versions of this library, of SQLite and of the file format.", &[], |_, _| {
        Response::of(Cdp::version())
    })
    .point(),
    Verb::write("close", "Closes the store; closing twice is fine.", &[], |cdp, _| {
        cdp.close()?;
        Response::none()
    })
    .point(),
];
