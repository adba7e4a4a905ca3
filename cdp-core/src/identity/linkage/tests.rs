//! Linkage as a caller meets it: labelled people, and every kind of table that is not one.

use std::path::Path;

use super::*;

fn linked(records: &Records) -> Links {
    link(records, &ColumnRoles::new(), &LinkageDefinition::default(), 0).unwrap()
}

fn people() -> Option<(Records, Labels)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/persons/splink_fake_1000.csv");
    let file = std::env::var_os("CDP_DATA").map_or(file, |folder| Path::new(&folder).join("persons/splink_fake_1000.csv"));
    let Ok(mut reader) = csv::Reader::from_path(&file) else {
        println!("SKIPPED: {} is not there", file.display());
        return None;
    };
    let header = reader.headers().unwrap().clone();
    let mut records = Records::new(header.iter().skip(1));
    let mut truth = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        records.push(&row[0], row.iter().skip(1)).unwrap();
        truth.push((row[0].to_owned(), row[row.len() - 1].to_owned()));
    }
    Some((records, Labels::Persons(truth)))
}

#[test]
fn labelled_people_are_found_with_defaults() {
    let Some((records, labels)) = people() else { return };
    let links = linked(&records);
    let found = links.evaluate(&labels).unwrap();
    println!("{:?}\n{:?}\n{:?}", found.clusters, found.b_cubed, found.thresholds);
    println!("{:?}", links.quality());
    assert!(found.clusters.f1 > 0.925, "{:?}", found.clusters);
    assert!(found.largest_clusters.0 <= 3 * found.largest_clusters.1);
}
