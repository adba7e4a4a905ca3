//! The known figures of the UCI Online Retail file: `cargo run --example online_retail -- online_retail.csv.gz`.
//!
//! The file (541,909 order lines; InvoiceNo to Country) is public and not part of this repository.

use cdp_core::cdp::{AsOf, Data, FeatureQuery, IngestOptions, Query};
use cdp_core::records::{Number, Timestamp};
use cdp_core::{Cdp, OpenOptions};
use cdp_examples::{show, thousands};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give the path of online_retail.csv or online_retail.csv.gz")?;
    let definitions = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("online_retail/definitions");
    let db = Cdp::open(OpenOptions::in_memory())?;
    db.define_path(definitions)?;

    let receipt = db.ingest(Data::Path(path.into()), &IngestOptions::from_source("shop_csv"), None)?;
    let counted = [("rows", receipt.rows), ("accepted", receipt.accepted), ("without customer", receipt.rejected)];
    for (name, count) in counted {
        println!("{name:<18}{:>14}", thousands(&count.to_string()));
    }
    println!("{:<18}{:>14}", "customers", thousands(&receipt.new_profiles.to_string()));
    for feature in ["orders", "gross_revenue", "refunds"] {
        let frame = db.feature_table(&FeatureQuery::new().names([feature]))?;
        let values = frame.column(&format!("features.{feature}")).ok_or("the feature is a column")?;
        let sum = (0..frame.n_rows())
            .filter_map(|row| values.value(row).as_number())
            .try_fold(Number::ZERO, Number::checked_add)
            .ok_or("the sum fits")?;
        println!("{feature:<18}{:>14}", thousands(&sum.to_string()));
    }
    for day in ["2011-06-15", "2011-09-15", "2011-12-10"] {
        let query = Query::new().as_of(AsOf::at(Timestamp::parse(&format!("{day}T00:00:00Z"))?));
        println!("high_value_30d on {day} {:>5}", db.members("high_value_30d", &query)?.n_rows());
    }
    let customer = db.profile(("user_id", "14646"), AsOf::NOW)?.ok_or("customer 14646 is in the file")?;
    let (revenue, country) = (&customer.features["gross_revenue"], &customer.traits["country"]);
    println!("customer 14646: {} from {}", show(revenue), show(country));
    Ok(())
}
