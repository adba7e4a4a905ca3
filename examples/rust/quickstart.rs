//! From events in a file to a decision and an export; the same in Python and Node, with the same output.

use cdp_core::cdp::{Data, ExportRequest, IngestOptions, Query};
use cdp_core::records::{Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};
use cdp_examples::{at, id, show};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("quickstart");
    // A clock that stands still makes the output repeatable; leave both options out in your own application.
    let options =
        OpenOptions::in_memory().with_clock(Timestamp::parse("2024-06-01T12:00:00Z")?).with_id_seed("quickstart");
    let db = Cdp::open(options)?;
    db.define_path(here.join("definitions"), false)?;

    let receipt = db.ingest(Data::Path(here.join("events.ndjson")), &IngestOptions::default(), None)?;
    println!("accepted {}, duplicates {}, rejected {}", receipt.accepted, receipt.duplicates, receipt.rejected);
    for sample in &receipt.first_rejects {
        println!("row {} was kept as a reject: {}", sample.row.unwrap_or(0), sample.reject.reason.as_str());
    }

    let ada = db.profile(&id("user_id", "ada"), None)?.ok_or("ada was seen")?;
    println!("ada is also {} and {}", at(&ada, "ids.email"), at(&ada, "ids.anonymous_id"));
    println!("ada spent {} and is in {}", at(&ada, "features.spend"), at(&ada, "audiences"));

    let columns = ["user_id", "features.spend"].map(str::to_owned).to_vec();
    let query = Query { columns: Some(columns), order_by: Some("-features.spend".to_owned()), ..Query::default() };
    let members = db.members("good_customers", &query)?;
    for row in (0..members.n_rows()).map(|row| Value::Object(members.row(row))) {
        let cell = |name: &str| row.get(name).map_or_else(String::new, show);
        println!("member {} spent {}", cell("user_id"), cell("features.spend"));
    }

    let event = Value::object([
        ("event", Value::from("Checkout Started")),
        ("properties", Value::object([("amount", Value::integer(80))])),
    ]);
    for who in ["ada", "bob", "somebody new"] {
        let decision = db.decide("checkout", &id("user_id", who), Some(&event), None)?;
        println!("{who} is offered {}: {}", at(&decision, "choice.offer"), at(&decision, "reasons.0"));
    }

    let path = std::env::temp_dir().join(format!("good_customers_{}.csv", std::process::id()));
    let sent = db.export(&ExportRequest {
        audience: Some("good_customers".to_owned()),
        path: path.to_string_lossy().into_owned(),
        purpose: Some("marketing".to_owned()),
        channel: Some("email".to_owned()),
        columns: Some(vec!["email".to_owned(), "features.spend".to_owned()]),
        ..ExportRequest::default()
    })?;
    let (unknown, denied) = (at(&sent, "withheld.consent_unknown"), at(&sent, "withheld.consent_denied"));
    println!("exported {}, withheld {unknown} who never chose and {denied} who said no", at(&sent, "rows"));
    print!("{}", std::fs::read_to_string(&path)?);
    std::fs::remove_file(&path)?;
    println!("verified: {}", at(&db.verify()?, "ok"));
    Ok(())
}
