//! The rows of the verb table for profiles, links and decisions of operators.

use crate::error::Error;
use crate::verbs::parameter::{
    AFTER, AS_OF, COLUMNS, DRY_RUN, IDENTIFIER, LIMIT, ORDER_BY, Parameter, ParameterType, WHERE,
};
use crate::verbs::request::Request;
use crate::verbs::unify::decisions::DecisionOptions;
use crate::verbs::unify::link::LinkOptions;
use crate::verbs::unify::profile::EventsQuery;
use crate::verbs::unify::suggestions::ReviewOptions;
use crate::verbs::verb::{Response, Verb};

const A: Parameter = Parameter::required("a", ParameterType::Identifier, "One identifier of the pair.").by_position();
const B: Parameter = Parameter::required("b", ParameterType::Identifier, "The other identifier.").by_position();
const REASON: Parameter = Parameter::optional("reason", ParameterType::Text, "The reason, kept with the decision.");
const DECISION: &[Parameter] = &[
    A,
    B,
    Parameter::optional("timestamp", ParameterType::Time, "The instant from which the decision holds; now by default."),
    REASON,
    DRY_RUN,
];

fn decision(request: &Request<'_>) -> Result<DecisionOptions, Error> {
    Ok(DecisionOptions {
        timestamp: request.time("timestamp")?,
        reason: request.owned_text("reason")?,
        dry_run: request.truth("dry_run")?,
    })
}

pub(crate) const ROWS: &[Verb] = &[
    Verb::read(
        "profile",
        "The profile of the person with this identifier; null if there is none.",
        &[IDENTIFIER, AS_OF],
        |cdp, request| Response::maybe(cdp.profile(request.need("identifier")?, request.as_of()?)?),
    )
    .point(),
    Verb::read(
        "profiles",
        "A table with one row per profile.",
        &[WHERE, ORDER_BY, COLUMNS, LIMIT, AFTER, AS_OF],
        |cdp, request| Ok(cdp.profiles(&request.query()?)?.into()),
    ),
    Verb::read(
        "events",
        "The events of one person in the order of their event time.",
        &[
            IDENTIFIER,
            Parameter::optional("event", ParameterType::Text, "Only events of this name."),
            LIMIT,
            AFTER,
            AS_OF,
        ],
        |cdp, request| {
            let (after, limit) = (request.size("after")?, request.size("limit")?);
            let query = EventsQuery { event: request.owned_text("event")?, limit, after, as_of: request.as_of()? };
            Ok(cdp.events(request.need("identifier")?, &query)?.into())
        },
    ),
    Verb::read(
        "resolve",
        "The present id of each profile id; null for an id that never belonged to a profile.",
        &[Parameter::required("profile_ids", ParameterType::Texts, "Profile ids, of any age.").by_position()],
        |cdp, request| Response::of(cdp.resolve(&request.texts("profile_ids")?.unwrap_or_default())?),
    )
    .point()
    .verbatim(),
    Verb::read(
        "explain_link",
        "The evidence that joins two identifiers, or that keeps them apart.",
        &[A, B],
        |cdp, request| Response::of(cdp.explain_link(request.need("a")?, request.need("b")?)?),
    ),
    Verb::write("merge", "Makes two identifiers one person from an instant on.", DECISION, |cdp, request| {
        Response::of(cdp.merge(request.need("a")?, request.need("b")?, &decision(request)?)?)
    }),
    Verb::write("unlink", "Removes the direct evidence between two identifiers.", DECISION, |cdp, request| {
        Response::of(cdp.unlink(request.need("a")?, request.need("b")?, &decision(request)?)?)
    }),
    Verb::write("separate", "Keeps two people apart whatever links them.", DECISION, |cdp, request| {
        Response::of(cdp.separate(request.need("a")?, request.need("b")?, &decision(request)?)?)
    }),
    Verb::write(
        "link",
        "Compares all profiles and records the pairs that are probably one person.",
        &[Parameter::optional("seed", ParameterType::Count, "The seed of the random sample; 0 by default."), DRY_RUN],
        |cdp, request| {
            let seed = request.count("seed")?.unwrap_or(0);
            Response::of(cdp.link(&LinkOptions { seed, dry_run: request.truth("dry_run")? })?)
        },
    ),
    Verb::read(
        "link_suggestions",
        "Pairs of profiles that are probably one person and wait for a review.",
        &[LIMIT, AFTER],
        |cdp, request| Ok(cdp.link_suggestions(&request.page()?)?.into()),
    ),
    Verb::write(
        "review_link",
        "Accepts or refuses a suggestion.",
        &[
            Parameter::required("suggestion", ParameterType::Text, "The id of the suggestion.").by_position(),
            Parameter::required("accept", ParameterType::Boolean, "True joins the two, false keeps them apart.")
                .by_position(),
            REASON,
            DRY_RUN,
        ],
        |cdp, request| {
            let options = ReviewOptions { reason: request.owned_text("reason")?, dry_run: request.truth("dry_run")? };
            Response::of(cdp.review_link(request.need_text("suggestion")?, request.truth("accept")?, &options)?)
        },
    ),
    Verb::read(
        "evaluate_links",
        "Precision and recall of the links against labelled pairs.",
        &[Parameter::required("labels", ParameterType::Objects, "Pairs `{a, b, same}`.").by_position()],
        |cdp, request| Response::of(cdp.evaluate_links(request.need_list("labels")?)?),
    ),
    Verb::read(
        "identity_report",
        "Counts of identifiers, links and refusals, and the largest profiles.",
        &[],
        |cdp, _| Response::of(cdp.identity_report()?),
    ),
];
