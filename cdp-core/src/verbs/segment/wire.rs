//! The rows of the verb table for audiences.

use crate::verbs::parameter::{AFTER, AS_OF, AUDIENCE, COLUMNS, IDENTIFIER, LIMIT, ORDER_BY, Parameter, ParameterType};
use crate::verbs::segment::changes::ChangesQuery;
use crate::verbs::verb::{Response, Verb};

pub(crate) const ROWS: &[Verb] = &[
    Verb::write(
        "advance",
        "Moves the time of the store forward and records the audience changes that fell due.",
        &[Parameter::optional("to", ParameterType::Time, "The new time; now by default.").by_position()],
        |cdp, request| Response::of(cdp.advance(request.time("to")?)?),
    ),
    Verb::read(
        "members",
        "The members of an audience as a table.",
        &[AUDIENCE, AS_OF, COLUMNS, ORDER_BY, LIMIT, AFTER],
        |cdp, request| Ok(cdp.members(request.need_text("audience")?, &request.query()?)?.into()),
    ),
    Verb::read(
        "preview",
        "How many profiles match a rule, with a sample.",
        &[Parameter::required("rule", ParameterType::Rule, "The rule.").by_position(), AS_OF],
        |cdp, request| Response::of(cdp.preview(request.need("rule")?.clone(), request.as_of()?)?),
    ),
    Verb::read(
        "explain_member",
        "Why a person is in an audience or not, leaf by leaf; null if there is no such person.",
        &[AUDIENCE, IDENTIFIER, AS_OF],
        |cdp, request| {
            let (audience, as_of) = (request.need_text("audience")?, request.as_of()?);
            Response::maybe(cdp.explain_member(audience, request.need("identifier")?, as_of)?)
        },
    )
    .point(),
    Verb::read(
        "audience_changes",
        "Entries into and exits from audiences, in the order in which they were recorded.",
        &[
            Parameter::optional("audience", ParameterType::Text, "Only changes of this audience.").by_position(),
            AFTER,
            LIMIT,
        ],
        |cdp, request| {
            let audience = request.owned_text("audience")?;
            let (after, limit) = (request.row("after")?, request.size("limit")?);
            Ok(cdp.audience_changes(&ChangesQuery { audience, after, limit })?.into())
        },
    ),
    Verb::write(
        "rebuild",
        "Evaluates an audience, or all, for every profile and records the differences.",
        &[Parameter::optional("audience", ParameterType::Text, "The audience; all by default.").by_position()],
        |cdp, request| Response::of(cdp.rebuild(request.text("audience")?)?),
    )
    .verbatim(),
];
