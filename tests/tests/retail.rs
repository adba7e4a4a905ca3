//! The UCI Online Retail file: half a million real order lines with their known figures, whichever way they come in.

use std::path::Path;

use cdp_core::cdp::{AsOf, Data, IngestOptions, Query};
use cdp_core::records::{Cells, Number, Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};
use cdp_tests::{SHOP_CSV, SHOP_DEFINITIONS, json, shared_data};

fn open(path: &Path) -> Cdp {
    let clock = Timestamp::parse("2012-01-01T00:00:00Z").unwrap();
    Cdp::open(OpenOptions::file(path).with_clock(clock)).unwrap()
}

fn define(db: &Cdp, source: &str) {
    let mut definitions = json(SHOP_DEFINITIONS).as_list().unwrap().to_vec();
    definitions.push(json(source));
    db.define(&definitions, false).unwrap();
}

fn sum(db: &Cdp, feature: &str) -> Number {
    let frame = db.feature_table(Some(&[feature.to_owned()]), None, None).unwrap();
    let column = frame.column(&format!("features.{feature}")).unwrap();
    let values = (0..frame.n_rows()).filter_map(|row| column.value(row).as_number());
    values.fold(Number::ZERO, |sum, value| sum.checked_add(value).unwrap())
}

fn check_figures(db: &Cdp) {
    assert_eq!(db.stats(None).unwrap().get("profiles"), Some(&Value::integer(4372)));
    assert_eq!(sum(db, "gross_revenue").to_string(), "8911407.904");
    assert_eq!(sum(db, "refunds").to_string(), "-611342.09");
    assert_eq!(sum(db, "orders").to_string(), "18536");
    let frame = db.feature_table(Some(&["orders".to_owned()]), None, None).unwrap();
    let Some(Cells::Int64(orders)) = frame.column("features.orders") else { panic!("a column of integers") };
    assert_eq!(orders.iter().flatten().filter(|orders| **orders > 0).count(), 4339);
    let customer = db.profile(&json(r#"{"user_id": "14646"}"#), None).unwrap().unwrap();
    assert_eq!(customer.get("features").unwrap().get("gross_revenue").unwrap().to_json(), "280206.02");
    assert_eq!(customer.get("traits").unwrap().get("country"), Some(&Value::from("Netherlands")));
    for (as_of, members) in [
        ("2011-12-10T00:00:00Z", 964),
        ("2011-10-06T12:56:00Z", 696),
        ("2011-06-14T13:27:00Z", 494),
        ("2011-12-05T14:23:00Z", 971),
    ] {
        let query = Query { as_of: Some(AsOf::at(Timestamp::parse(as_of).unwrap())), ..Query::default() };
        assert_eq!(db.members("high_value_30d", &query).unwrap().n_rows(), members, "{as_of}");
    }
}

#[test]
fn the_file_gives_its_known_figures_however_often_it_comes() {
    let Some(file) = shared_data("retail/online_retail.csv.gz") else { return };
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("shop.db"));
    define(&db, SHOP_CSV);

    let receipt = db.ingest(Data::Path(file.clone()), &IngestOptions::from_source("shop_csv"), None).unwrap();

    assert_eq!((receipt.rows, receipt.accepted, receipt.rejected), (541_909, 406_829, 135_080));
    assert_eq!(receipt.new_profiles, 4372);
    assert!(receipt.first_rejects.iter().all(|sample| sample.reject.field.as_deref() == Some("CustomerID")));
    check_figures(&db);
    let fingerprint = db.fingerprint(None).unwrap();

    let again = db.ingest(Data::Path(file), &IngestOptions::from_source("shop_csv"), None).unwrap();

    assert_eq!((again.accepted, again.duplicates, again.conflicting, again.rejected), (0, 406_829, 0, 135_080));
    assert_eq!(db.fingerprint(None).unwrap(), fingerprint);
    let verified = db.verify().unwrap();
    assert_eq!(verified.get("ok"), Some(&Value::Bool(true)), "{}", verified.to_json());
}
