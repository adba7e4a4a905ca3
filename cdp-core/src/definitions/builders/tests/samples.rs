//! Definitions by the builders, which together use every method; `coverage` compares them with the reference.

use crate::define::{
    Audience, Compared, Condition, ConsentPolicy, DescribedCohort, Destination, Emit, EventSchema, Expr, Feature,
    FieldMap, Gate, IdentifierType, Identity, Linkage, Policy, Predictor, Rule, Source, Step,
};
use crate::definitions::{
    Aggregate, Analyzer, ColumnRole, ConsentStatus, Encoding, Format, GateType, Normalize, NullTrait, OnConflict,
    Otherwise, Population, Role, Severity, Similarity, TraitStrategy, UnknownConsent,
};
use crate::records::{MessageType, Value};

/// Definitions of every kind.
pub(super) fn all() -> Vec<Value> {
    let mut samples = Vec::new();
    samples.extend(small());
    samples.extend(features());
    samples.extend(rules().into_iter().map(|rule| Audience::new("a", rule).into()));
    samples.extend(sources().into_iter().map(Value::from));
    samples.extend(
        expressions().into_iter().map(|value| Source::new("s").id("user_id", "id").property("p", value).into()),
    );
    samples.extend(identities().into_iter().map(Value::from));
    samples.extend(predictors().into_iter().map(Value::from));
    samples
}

fn small() -> Vec<Value> {
    let types = ["text", "number", "integer", "boolean", "timestamp", "list", "object"];
    let schema = EventSchema::new("e", "Order").description("d").owner("o").tag("t").required("a", "text");
    let schema = types.into_iter().fold(schema, |schema, word| schema.optional(word, word));
    let choice = Rule::current("properties.total").gte(10);
    vec![
        schema.into(),
        Audience::new("a", Rule::known()).description("d").owner("o").tag("t").population(Population::Known).into(),
        Audience::new("a", Rule::known()).population(Population::Everybody).into(),
        Policy::new("p", "service").description("d").owner("o").tag("t").choose(choice, 1).otherwise(2).into(),
        ConsentPolicy::new("c")
            .description("d")
            .owner("o")
            .tag("t")
            .purpose("ads", UnknownConsent::Deny)
            .purpose("analytics", UnknownConsent::Allow)
            .into(),
        Destination::new("d", "a", "marketing")
            .description("d")
            .owner("o")
            .tag("t")
            .channel("email")
            .column("E-mail", "email")
            .into(),
    ]
}

fn features() -> Vec<Value> {
    let sum = || Feature::sum("f", "Order", "revenue");
    let mut features = vec![
        sum().description("d").owner("o").tag("t").filter(Rule::property("a").eq(1)).within("1d").default(0).ttl("1d"),
        sum().between_ago("2d", "1d"),
        sum().since("2024-01-01"),
        sum().between("2024-01-01", "2024-02-01"),
        Feature::count("f", "*"),
        Feature::count_distinct("f", ["a", "b"], "p"),
        Feature::distinct_days("f", "a"),
        Feature::avg("f", "a", "p"),
        Feature::min("f", "a", "p"),
        Feature::max("f", "a", "p"),
        Feature::stddev("f", "a", "p"),
        Feature::first("f", "a", "p"),
        Feature::last("f", "a", "p"),
        Feature::first_at("f", "a"),
        Feature::last_at("f", "a"),
        Feature::exists("f", "a"),
    ];
    features.extend(Aggregate::rows().map(|(_, aggregate, _)| {
        let feature = Feature::of("f", "a", aggregate);
        if aggregate.needs_property() { feature.property("p") } else { feature }
    }));
    features.into_iter().map(Value::from).collect()
}

fn comparisons() -> Vec<Rule> {
    let a = || Rule::trait_("a");
    vec![
        a().eq("x"),
        a().ne("x"),
        a().eq_ci("x"),
        a().is_in(["x"]),
        a().not_in(["x"]),
        a().lt(1),
        a().lte(1),
        a().gt(1),
        a().gte(1.5),
        a().is_between(1, 2),
        a().contains("x"),
        a().not_contains("x"),
        a().starts_with("x"),
        a().ends_with("x"),
        a().regex("^x"),
        a().not_regex("^x"),
        a().exists(),
        a().not_exists(),
        a().is_empty(),
        a().is_true(),
        a().is_false(),
        a().contains_all(["x"]),
        a().any_of(["x"]),
        a().none_of(["x"]),
        a().before("2024-01-01"),
        a().after("2024-01-01"),
        a().on_day("2024-01-01"),
        a().within_last("1d"),
        a().within_next("1d"),
        a().before_last("1d"),
        a().after_next("1d"),
        a().semver_eq("1.0.0"),
        a().semver_gt("1.0.0"),
        a().semver_gte("1.0.0"),
        a().semver_lt("1.0.0"),
        a().semver_lte("1.0.0"),
    ]
}

fn rules() -> Vec<Rule> {
    let sum: fn() -> Compared = || Rule::measure("a", Aggregate::Sum, Some("p"));
    let mut rules = comparisons();
    rules.extend([
        Rule::all([Rule::feature("f").gte(1)]),
        Rule::any([Rule::audience("x")]),
        Rule::n_of(1, [Rule::anonymous(), Rule::has_identifier("email")]),
        Rule::not(Rule::known()),
        Rule::event(["a", "b"]).at_most(3).between_ago("40d", "20d"),
        Rule::event("*").exactly(2).since("2024-01-01"),
        Rule::event("a").at_least(2).within("1d"),
        Rule::event("a").count("between", [2, 5]),
        Rule::event("a").first_time_within("7d"),
        Rule::event("a").filter(Rule::property("p").lt(3)).between("2024-01-01", "2024-02-01"),
        sum().within("30d").gte(100),
        sum().filter(Rule::property("p").is_in([1])).since("2024-01-01").gte(100),
        Rule::sequence([
            Step::event("a").filter(Rule::property("p").exists()),
            Step::absent("b").filter(Rule::property("p").is_true()).within_previous("1h"),
            Step::event("c").same("p"),
        ])
        .within("1d"),
        Rule::stopped("a", "60d", "30d").filter(Rule::property("p").gt(1)),
        Rule::restarted("a", "30d", "7d").filter(Rule::property("p").gt(1)),
        Rule::regularly("a", "7d", 1, 3, 4).filter(Rule::property("p").gt(1)),
        Rule::audience("x"),
        Rule::audience_in("x", false),
        Rule::cohort("p").is("c").score_gte(0.5),
        Rule::cohort("p").score("between", [0.5, 0.75]),
        Rule::account("acme").account_type("group_id"),
        Rule::bucket("s", 0, 1000),
    ]);
    let statuses = [ConsentStatus::Granted, ConsentStatus::Denied, ConsentStatus::Unknown, ConsentStatus::Conflict];
    rules.extend(statuses.map(|status| Rule::consent("marketing").channel("email").status(status)));
    rules
}

fn sources() -> Vec<Source> {
    let csv = || Source::new("s").format(Format::Csv).id("user_id", "id");
    let text =
        Source::new("s").format(Format::Text).pattern(r"(?P<ip>\S+)").continuation(r"^\s").id("anonymous_id", "ip");
    let mut sources = vec![
        csv()
            .description("d")
            .owner("o")
            .tag("t")
            .delimiter("whitespace")
            .columns(["id", "b"])
            .skip(1)
            .nulls(["", "NULL"]),
        csv().decimal(",").encoding(Encoding::Utf8),
        csv().decimal(".").encoding(Encoding::Latin1),
        csv().encoding(Encoding::Windows1252),
        text,
        Source::new("s").format(Format::Form).id("user_id", "id"),
        Source::new("s").format(Format::Json).records("").each("lines").null(NullTrait::Keep).skew(true),
        Source::new("s").format(Format::Ndjson).records("data.items").null(NullTrait::Delete),
        whole_message(Source::new("s")),
        Source::new("s").id("user_id", "id").traits("t").trait_("a", "b").properties("p").context("c"),
        Source::new("s").id("user_id", "id").emit(Emit::new()).emit(whole_emit(Emit::new())).emit(Emit::default()),
    ];
    let types = MessageType::ALL.map(|message_type| Source::new("s").id("user_id", "id").message_type(message_type));
    sources.extend(types);
    sources.extend(gates().into_iter().map(|gate| Source::new("s").gate(gate)));
    sources.extend(conditions().into_iter().map(|condition| Source::new("s").id("user_id", "id").when(condition)));
    sources
}

fn whole_message(source: Source) -> Source {
    source
        .when(Condition::exists("a"))
        .message_type(MessageType::Track)
        .message_id("id")
        .timestamp("t")
        .original_timestamp("t")
        .sent_at("t")
        .received_at(Expr::received())
        .event(Expr::constant("Order"))
        .group_id("g")
        .previous_id("p")
        .id("user_id", "id")
        .traits(FieldMap::new().rest("attributes").without("password").field("address.city", "city"))
        .property("p", "p")
        .context_field("page.url", "url")
}

fn whole_emit(emit: Emit) -> Emit {
    emit.when(Condition::exists("a"))
        .message_type(MessageType::Track)
        .message_id_parts([Expr::field("id"), Expr::row(), Expr::each()])
        .timestamp("t")
        .original_timestamp("t")
        .sent_at("t")
        .received_at("t")
        .event("name")
        .group_id("g")
        .previous_id("p")
        .id("user_id", "id")
        .trait_("a", "b")
        .properties(FieldMap::default().rest(""))
        .context("c")
}

fn gates() -> Vec<Gate> {
    let types = [
        GateType::Text,
        GateType::Integer,
        GateType::Number,
        GateType::Boolean,
        GateType::Timestamp,
        GateType::List,
        GateType::Object,
    ];
    let mut gates = vec![
        Gate::not_null("a").severity(Severity::Quarantine),
        Gate::not_null("a").mostly(0.99).severity(Severity::Warn),
        Gate::in_set("a", ["x"]),
        Gate::match_regex("a", "^x"),
        Gate::between("a").min(0).max(1.5),
        Gate::length_between("a").max(10),
    ];
    gates.extend(types.map(|value_type| Gate::of_type("a", value_type)));
    gates
}

fn conditions() -> Vec<Condition> {
    vec![
        Condition::eq("a", 1),
        Condition::ne("a", true),
        Condition::is_in("a", ["x"]),
        Condition::not_in("a", ["x"]),
        Condition::starts_with("a", "x"),
        Condition::ends_with("a", "x"),
        Condition::contains("a", "x"),
        Condition::exists("a"),
        Condition::not_exists("a"),
        Condition::gt("a", 1),
        Condition::gte("a", 1),
        Condition::lt("a", 1),
        Condition::lte("a", 1),
        Condition::regex("a", "^x"),
    ]
}

fn expressions() -> Vec<Expr> {
    let a = || Expr::field("a");
    vec![
        a(),
        Expr::from("a"),
        a().trim().strip_prefix("c_").extract(r"^(\w+)").split(";"),
        a().map("f", "female").map("m", 1).unmapped(Otherwise::Keep),
        a().map("f", "female").unmapped(Otherwise::Ignore),
        a().map("f", "female").unmapped(Otherwise::Reject),
        a().text(),
        a().integer(),
        a().number().default(0),
        a().boolean(),
        a().timestamp().format("%d.%m.%Y").tz("Europe/Berlin"),
        a().json(),
        Expr::constant("EUR"),
        Expr::first(["a", "b"]),
        Expr::concat([a(), Expr::constant(" ")]),
        Expr::add(["a", "b"]),
        Expr::sub(["a", "b"]),
        Expr::mul(["a", "b"]),
        Expr::when(Condition::exists("a"), "a").otherwise(Expr::constant(1)),
        Expr::rest("attributes").without("password").without("pin"),
        Expr::row(),
        Expr::each(),
        Expr::received(),
        Expr::content_hash(),
    ]
}

fn identities() -> Vec<Identity> {
    let of = |role| IdentifierType::new("x", role, 1);
    let phone = of(Role::Contact)
        .limit(5)
        .normalize(Normalize::Phone)
        .default_region("DE")
        .on_conflict(OnConflict::LatestLinkWins)
        .max_links_from("*", 2)
        .max_links_from("user_id", 1)
        .blocked("n/a")
        .blocked_pattern("^test");
    let linkage = Linkage::new().max_block(500).pairs_per_record(4.5).least_pairs(1000);
    let linkage = linkage.auto(0.9).review(0.6).cluster(0.7).keep(0.2).auto_link(true).live(false);
    let columns = ColumnRole::ALL
        .into_iter()
        .fold(linkage, |linkage, (word, role)| linkage.column(format!("traits.{word}"), role));
    let strategies = [
        TraitStrategy::Newest,
        TraitStrategy::Oldest,
        TraitStrategy::Min,
        TraitStrategy::Max,
        TraitStrategy::Sum,
        TraitStrategy::Union,
        TraitStrategy::NonEmpty,
        TraitStrategy::SourcePriority(vec!["crm".to_owned()]),
    ];
    let segment = Identity::segment("i").description("d").owner("o").tag("t").max_identifiers(200).linkage(columns);
    let segment =
        (0..).zip(strategies).fold(segment, |identity, (n, strategy)| identity.trait_(format!("t{n}"), strategy));
    vec![
        segment,
        Identity::isolation("i"),
        Identity::crm("i").linkage(Linkage::default()),
        Identity::new("i").identifier(phone),
        Identity::new("i").identifier(of(Role::Person).limit_within(2, "365d").normalize(Normalize::Exact)),
        Identity::new("i").identifier(of(Role::Device).on_conflict(OnConflict::KeepFirst)),
        Identity::new("i").identifier(of(Role::Account).on_conflict(OnConflict::Refuse)),
        Identity::new("i").identifier(of(Role::Contact).normalize(Normalize::Email)),
        Identity::new("i").identifier(of(Role::Contact).normalize(Normalize::EmailCanonical)),
    ]
}

fn predictors() -> Vec<Predictor> {
    let cohort = || Predictor::cohort("p").text_trait("interests");
    let described = |similarity| cohort().described(DescribedCohort::new("books")).similarity(similarity);
    vec![
        Predictor::propensity("p", "Order", "7d").feature("a").feature("b"),
        cohort()
            .description("d")
            .owner("o")
            .tag("t")
            .text_event("Order", "products.*.name")
            .label_trait("cohort")
            .rule("vip", Rule::audience("vip"))
            .c(0.5)
            .max_iter(200)
            .tol(0.001)
            .balanced()
            .max_features(20_000)
            .min_df(2)
            .max_df(0.8)
            .ngram_range(1, 2)
            .analyzer(Analyzer::Character)
            .sublinear_tf(true)
            .stop_words(["the", "and"])
            .threshold(0.3)
            .temperature_folds(5),
        cohort().label_audience("vip").analyzer(Analyzer::Word),
        cohort()
            .label_list("sports", [("user_id", "u1"), ("user_id", "u2")])
            .label_list("books", [("email", "b@example.com")])
            .analyzer(Analyzer::CharacterRun),
        described(Similarity::Lexical).described(DescribedCohort::new("sports").description("d").keyword("bike")),
        described(Similarity::LatentSemantic),
    ]
}
