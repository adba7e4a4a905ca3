//! What the benches define in a store: identity as the preset has it, five features, and audiences.

use cdp_core::Cdp;
use cdp_core::records::Value;

/// Five features over five event names.
const FEATURES: [&str; 5] = [
    r#"{"kind":"feature","name":"spend","event":"Order Completed","agg":"sum","property":"revenue","default":0}"#,
    r#"{"kind":"feature","name":"cart_value_7d","event":"cart.add","agg":"sum","property":"price","within":"7d","default":0}"#,
    r#"{"kind":"feature","name":"views_30d","event":"Product Viewed","agg":"count","within":"30d"}"#,
    r#"{"kind":"feature","name":"last_search_at","event":"Products Searched","agg":"last_at"}"#,
    r#"{"kind":"feature","name":"largest_checkout","event":"Checkout Started","agg":"max","property":"value"}"#,
];

/// The audience that every table rebuilds.
pub const FOUR_CONDITIONS: &str = "four_conditions";

const INGEST_AUDIENCES: [&str; 2] = [
    r#"{"kind":"audience","name":"four_conditions","rule":{"all":[
        {"event":"Order Completed","agg":"sum","property":"revenue","op":"gte","value":100},
        {"event":"*","count":{"gte":1},"within":"30d"},
        {"event":"cart.add","count":{"gte":2},"within":"7d","where":[{"property":"price","op":"gt","value":20}]},
        {"event":"Order Completed","count":{"eq":0},"within":"14d"}]}}"#,
    r#"{"kind":"audience","name":"engaged","rule":{"feature":"views_30d","op":"gte","value":5}}"#,
];

const MORE_AUDIENCES: [&str; 3] = [
    r#"{"kind":"audience","name":"buyers","rule":{"feature":"spend","op":"gt","value":0}}"#,
    r#"{"kind":"audience","name":"filling_cart","rule":{"event":"cart.add","count":{"gte":1},"within":"7d"}}"#,
    r#"{"kind":"audience","name":"lapsed","rule":{"all":[
        {"event":"Order Completed","count":{"gte":1}},{"event":"Order Completed","count":{"eq":0},"within":"30d"}]}}"#,
];

const WINDOWS: [(&str, &str); 5] = [("1h", "1h"), ("24h", "24h"), ("7d", "7d"), ("30d", "30d"), ("ever", "")];
const AGGREGATES: [&str; 5] = ["count", "sum", "min", "max", "last_at"];

fn define(db: &Cdp, definitions: impl IntoIterator<Item = String>) {
    let parsed: Vec<Value> =
        definitions.into_iter().map(|text| Value::parse(text.as_bytes()).expect("definitions are JSON")).collect();
    db.define(&parsed).expect("the definitions are valid");
}

/// Five features and two audiences: what stands while messages are taken in.
pub fn define_for_ingest(db: &Cdp) {
    define(db, FEATURES.into_iter().chain(INGEST_AUDIENCES).map(str::to_owned));
}

/// Three audiences more, so that a profile shows five.
pub fn define_five_audiences(db: &Cdp) {
    define(db, MORE_AUDIENCES.map(str::to_owned));
}

/// The names of the 25 window features, in the order of the peers' columns.
pub fn window_feature_names() -> Vec<String> {
    WINDOWS.iter().flat_map(|(name, _)| AGGREGATES.map(|aggregate| format!("{aggregate}_{name}"))).collect()
}

/// Count, sum, least and greatest price and last instant of `cart.add` over five windows.
pub fn define_window_features(db: &Cdp) {
    let definitions = WINDOWS.iter().flat_map(|(name, within)| {
        AGGREGATES.map(|aggregate| {
            let property = if matches!(aggregate, "count" | "last_at") { "" } else { r#","property":"price""# };
            let window = if within.is_empty() { String::new() } else { format!(r#","within":"{within}""#) };
            format!(
                r#"{{"kind":"feature","name":"{aggregate}_{name}","event":"cart.add","agg":"{aggregate}"{property}{window}}}"#
            )
        })
    });
    define(db, definitions);
}
