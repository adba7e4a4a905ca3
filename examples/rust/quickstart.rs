//! From events in a file to a decision and an export; the same in Python and Node, with the same output.

use cdp_core::cdp::{Data, DecideOptions, ExportRequest, IngestOptions, Query};
use cdp_core::records::{AsOf, Timestamp, Track};
use cdp_core::{Cdp, OpenOptions};

#[derive(serde::Deserialize)]
struct Features {
    spend: f64,
}

#[derive(serde::Deserialize)]
struct Choice {
    offer: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("quickstart");
    // A clock that stands still makes the output repeatable; leave both options out in your own application.
    let options = OpenOptions::in_memory().clock(Timestamp::parse("2024-06-01T12:00:00Z")?).id_seed("quickstart");
    let db = Cdp::open(options)?;
    db.define_path(here.join("definitions"))?;

    let receipt = db.ingest(Data::Path(here.join("events.ndjson")), &IngestOptions::default(), None)?;
    println!("accepted {}, duplicates {}, rejected {}", receipt.accepted, receipt.duplicates, receipt.rejected);
    for sample in &receipt.first_rejects {
        println!("row {} was kept as a reject: {}", sample.row.unwrap_or(0), sample.reject.reason.as_str());
    }

    let ada = db.profile(("user_id", "ada"), AsOf::NOW)?.ok_or("ada was seen")?;
    println!("ada is also {} and {}", ada.ids["email"].join(", "), ada.ids["anonymous_id"].join(", "));
    println!("ada spent {} and is in {}", ada.features_as::<Features>()?.spend, ada.audiences.join(", "));

    let query = Query::new().columns(["user_id", "features.spend"]).order_by("-features.spend");
    for row in db.members("good_customers", &query)?.rows() {
        println!("member {} spent {}", row.get::<&str>("user_id")?, row.get::<f64>("features.spend")?);
    }

    let event = Track::new("Checkout Started").property("amount", 80);
    for user in ["ada", "bob", "somebody new"] {
        let decision = db.decide("checkout", ("user_id", user), &DecideOptions::new().event(event.clone()))?;
        println!("{user} is offered {}: {}", decision.choice_as::<Choice>()?.offer, decision.reasons[0]);
    }

    let path = std::env::temp_dir().join(format!("good_customers_{}.csv", std::process::id()));
    let request = ExportRequest::new()
        .audience("good_customers")
        .path(path.to_string_lossy())
        .purpose("marketing")
        .channel("email")
        .columns(["email", "features.spend"]);
    let sent = db.export(&request)?;
    let (unknown, denied) = (sent.withheld.consent_unknown, sent.withheld.consent_denied);
    println!("exported {}, withheld {unknown} who never chose and {denied} who said no", sent.rows);
    print!("{}", std::fs::read_to_string(&path)?);
    std::fs::remove_file(&path)?;
    println!("verified: {}", db.verify()?.ok);
    Ok(())
}
