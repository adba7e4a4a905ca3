//! Our side of audiences: a full rebuild, a list of members, and a refresh after new events.

use cdp_core::cdp::{AsOf, Data, IngestOptions, Query};
use cdp_core::records::{Object, Value};

use crate::arguments::{Arguments, stop};
use crate::definitions::FOUR_CONDITIONS;
use crate::measure::{Meter, Spread, Usage, pin_to_processors};
use crate::messages::write_view;
use crate::work_ingest::{as_of, open};
use crate::world::{Truth, mix};

/// The new events of the refresh table.
const NEW_EVENTS: u64 = 10_000;

/// One batch of the refresh table.
pub struct Refresh {
    /// The name of its figure, if it is one.
    pub figure: Option<&'static str>,
    /// Over how many people the new events are spread.
    pub touched: u64,
}

impl Refresh {
    const fn unmeasured(touched: u64) -> Refresh {
        Refresh { figure: None, touched }
    }

    const fn measured(figure: &'static str, touched: u64) -> Refresh {
        Refresh { figure: Some(figure), touched }
    }
}

/// The batches of the refresh table in their order. The first reads what all later ones find in memory; those after it begin
/// with nobody's blocks, the last ones with most of them.
pub const REFRESHES: [Refresh; 10] = [
    Refresh::unmeasured(10),
    Refresh::measured("100, opened just now", 100),
    Refresh::measured("1,000, opened just now", 1_000),
    Refresh::measured("10,000, opened just now", 10_000),
    Refresh::unmeasured(10_000),
    Refresh::unmeasured(10_000),
    Refresh::unmeasured(10_000),
    Refresh::measured("100 others, warm", 100),
    Refresh::measured("1,000 others, warm", 1_000),
    Refresh::measured("10,000 others, warm", 10_000),
];

/// Rebuilds the four-condition audience of `--store` `--repeat` times, and lists its members as often.
pub fn rebuild(arguments: &Arguments) {
    pin_to_processors(arguments.number("threads", 1) as usize);
    let db = open(&arguments.path("store"));
    let query = Query::new().columns(vec!["user_id".to_owned(), "anonymous_id".to_owned()]).as_of(AsOf::at(as_of()));
    let members = || db.members(FOUR_CONDITIONS, &query).expect("members are listed");
    let mut rebuilds = Vec::new();
    let mut lists = Vec::new();
    let frame = members();
    for _ in 0..arguments.number("repeat", 3) {
        let meter = Meter::start();
        let wrong = db.rebuild(Some(FOUR_CONDITIONS)).expect("the audience is rebuilt");
        rebuilds.push(meter.stop());
        if wrong.get(FOUR_CONDITIONS) != Some(&0) {
            stop("the rebuild differs from the kept audience");
        }
        let meter = Meter::start();
        drop(members());
        lists.push(meter.stop());
    }
    let identifiers = (0..frame.n_rows()).map(|row| {
        let cell = |column: &str| frame.column(column).map(|cells| cells.value(row)).filter(|value| !value.is_null());
        cell("user_id").or_else(|| cell("anonymous_id")).unwrap_or_default()
    });
    let mut said: Object = Meter::start().stop().fields().into_iter().collect();
    let median =
        |usages: &[Usage], figure: fn(&Usage) -> f64| Value::float(Spread::of(usages.iter().map(figure)).median);
    said.insert("cpu_seconds".to_owned(), median(&rebuilds, |usage| usage.cpu_seconds));
    said.insert("wall_seconds".to_owned(), median(&rebuilds, |usage| usage.wall_seconds));
    said.insert("members_cpu_seconds".to_owned(), median(&lists, |usage| usage.cpu_seconds));
    said.insert("members".to_owned(), Value::List(identifiers.collect()));
    println!("{}", Value::Object(said).to_json());
    db.close().expect("the store closes");
}

/// Takes 10,000 new events into `--store`, spread over more and more people, and says the CPU seconds of each such batch.
pub fn refresh(arguments: &Arguments) {
    pin_to_processors(1);
    let world = arguments.world();
    let people = Truth::of(&world).people();
    let db = open(&arguments.path("store"));
    let mut said = Object::new();
    for (round, Refresh { figure, touched }) in (0..).zip(REFRESHES) {
        if touched > people.len() as u64 {
            continue;
        }
        let mut text = String::new();
        for number in 0..NEW_EVENTS {
            // Everybody has the same chance, so that the length of a history is the average one.
            let (person, _) = people[(mix((number % touched) ^ (round << 32)) % people.len() as u64) as usize];
            write_view(&world, person, mix(number ^ (round << 40)), &mut text);
        }
        let meter = Meter::start();
        let receipt =
            db.ingest(Data::Bytes(text.as_bytes()), &IngestOptions::default(), None).expect("events are read");
        if let Some(figure) = figure {
            said.insert(figure.to_owned(), Value::float(meter.stop().cpu_seconds));
        }
        if receipt.accepted != NEW_EVENTS {
            stop("new events were not accepted");
        }
    }
    db.close().expect("the store closes");
    println!("{}", Value::Object(said).to_json());
}
