//! The process that `tests/kill.py` kills: opens a store, checks it, takes in a file in small batches, says where it is.
#![expect(clippy::print_stdout, reason = "the killer reads what this process says")]

use std::io::Write;

use cdp_core::cdp::{Data, IngestOptions};
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, Error, OpenOptions, Result};
use cdp_tests::{SHOP_CSV, SHOP_DEFINITIONS, json};

fn say(key: &str, value: &Value) {
    println!("{}", Value::object([(key, value.clone())]).to_json());
    // A reader that went away is about to kill this process.
    let _ = std::io::stdout().flush();
}

fn say_verified(db: &Cdp) -> Result<()> {
    if std::env::var_os("CDP_VERIFY").is_none_or(|wanted| wanted != "0") {
        say("ok", &Value::Bool(db.verify()?.ok));
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(store), Some(input), Some(batch_rows)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err(Error::invalid("usage: ingest_worker STORE CSV BATCH_ROWS"));
    };
    let batch_rows = batch_rows.parse().map_err(|_| Error::invalid("BATCH_ROWS must be a number"))?;
    let clock = Timestamp::parse("2012-01-01T00:00:00Z").map_err(|fault| Error::invalid(fault.to_string()))?;
    let db = Cdp::open(OpenOptions::file(store).clock(clock))?;
    say_verified(&db)?;
    let mut definitions = json(SHOP_DEFINITIONS).as_list().unwrap_or_default().to_vec();
    definitions.push(json(SHOP_CSV));
    db.define(&definitions)?;
    say("begin", &Value::from(db.stats()?.messages));
    let options = IngestOptions::from_source("shop_csv").batch_rows(batch_rows).checkpoint("end");
    db.ingest(Data::Path(input.into()), &options, None)?;
    say("end", &Value::from(db.stats()?.messages));
    say("rejects", &Value::from(db.stats()?.rejects));
    say_verified(&db)?;
    say("fingerprint", &Value::Text(db.fingerprint(None)?));
    db.close()
}
