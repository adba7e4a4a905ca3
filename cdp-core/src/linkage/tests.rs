//! Linkage as a caller meets it: labelled people, and every kind of table that is not one.

use std::path::Path;

use super::*;

pub(super) fn linked(records: &Records) -> Links {
    link(records, &ColumnRoles::new(), &LinkageDefinition::default(), 0).unwrap()
}

fn people() -> Option<(Records, Labels)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/persons/splink_fake_1000.csv");
    let file =
        std::env::var_os("CDP_DATA").map_or(file, |folder| Path::new(&folder).join("persons/splink_fake_1000.csv"));
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

/// Made-up people: everyone different, in households of three that share surname, address and phone.
fn made_up(n: usize, copies: usize) -> (Records, Labels) {
    const GIVEN: [&str; 16] = [
        "olivia", "noah", "amelia", "george", "isla", "arthur", "ava", "muhammad", "freya", "leo", "lily", "oscar",
        "grace", "theo", "ivy", "harry",
    ];
    const SURNAMES: [&str; 12] = [
        "smith", "jones", "taylor", "brown", "williams", "wilson", "johnson", "davies", "patel", "robinson", "wright",
        "thompson",
    ];
    let mut records = Records::new(["rec", "first_name", "last_name", "birthday", "telephone", "street", "zip"]);
    let mut truth = Vec::new();
    let mut state = 12_345_u64;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut home = (String::new(), String::new(), String::new(), String::new());
    for person in 0..n {
        if person % 3 == 0 {
            home = (
                format!("{}{}", SURNAMES[below(12)], ["", "er", "son", "ley"][below(4)]),
                format!("0{}", 200_000_000 + below(700_000_000)),
                format!(
                    "{} {} street",
                    1 + below(90),
                    ["mill", "church", "station", "park", "high", "london"][below(6)]
                ),
                format!("{:05}", 10_000 + below(400)),
            );
        }
        let born = format!("{}-{:02}-{:02}", 1940 + below(70), 1 + below(12), 1 + below(28));
        let given = GIVEN[below(16)];
        for copy in 0..copies {
            // Every second copy has a typing error in its given name.
            let given =
                if copy % 2 == 1 { given.replacen(|c: char| "aeiou".contains(c), "", 1) } else { given.to_owned() };
            let id = format!("{person}-{copy}");
            let row = [id.as_str(), given.as_str(), &home.0, &born, &home.1, &home.2, &home.3];
            records.push(&id, row).unwrap();
            truth.push((id.clone(), person.to_string()));
        }
    }
    (records, Labels::Persons(truth))
}

#[test]
fn people_of_one_household_are_not_linked() {
    let (records, labels) = made_up(900, 2);
    let links = linked(&records);
    let found = links.evaluate(&labels).unwrap();
    assert!(
        found.clusters.precision > 0.99 && found.clusters.recall > 0.99,
        "{:?}\n{:#?}",
        found.clusters,
        links.model().describe()
    );
    assert!(found.largest_clusters.0 <= 4);
}

#[test]
fn nothing_is_linked_where_each_person_occurs_once() {
    for n in [10, 100, 900] {
        let (records, _) = made_up(n, 1);
        let links = linked(&records);
        let alone = links.labels().iter().enumerate().filter(|(row, label)| *row == **label as usize).count();
        assert!(alone * 100 >= n * 98, "{alone} of {n}");
    }
}

#[test]
fn everything_is_linked_where_all_are_copies() {
    for n in [1, 2, 10, 40] {
        let (records, labels) = made_up(n, 5);
        let found = linked(&records).evaluate(&labels).unwrap();
        assert!(found.clusters.f1 > 0.95, "{n}: {:?}", found.clusters);
    }
    let mut records = Records::new(["name", "surname", "email"]);
    for row in 0..400 {
        records.push(&row.to_string(), ["jane", "doe", "jane@e.com"]).unwrap();
    }
    linked(&records);
}

#[test]
fn equal_seeds_give_equal_bits_and_the_model_survives_as_bytes() {
    let (records, _) = made_up(300, 2);
    let (one, two) = (linked(&records), linked(&records));
    assert_eq!(one.pair_weights(), two.pair_weights());
    assert_eq!(one.labels(), two.labels());
    let bytes = one.model().to_bytes();
    assert_eq!(bytes, two.model().to_bytes());
    assert_eq!(&LinkageModel::from_bytes(&bytes).unwrap(), one.model());
    for cut in [0, 7, 11, 43, bytes.len() - 1] {
        assert!(LinkageModel::from_bytes(&bytes[..cut]).is_err());
    }
    let mut damaged = bytes;
    damaged[60] ^= 1;
    assert!(LinkageModel::from_bytes(&damaged).is_err());
}

#[test]
fn one_record_at_a_time_weighs_what_the_table_weighs() {
    let (records, _) = made_up(300, 2);
    let links = linked(&records);
    let linker = Linker::new(links.model());
    let live = linker.parse(&records, &links.recognized()[0]);
    assert!(links.pair_weights().len() > 200);
    let mut found = 0;
    for (left, right, weight) in links.pair_weights() {
        let (left, right) = (&live[*left as usize], &live[*right as usize]);
        assert_eq!(linker.weight(left, right).to_bits(), weight.to_bits());
        found += usize::from(left.keys().iter().any(|key| right.keys().contains(key)));
    }
    // What is likely is found by a key, though a small table needs none.
    assert!(found * 100 >= links.pair_weights().len() * 99);
}

#[test]
fn the_parts_of_a_weight_add_up_to_it() {
    let (records, _) = made_up(300, 2);
    let links = linked(&records);
    for (left, right, weight) in links.pair_weights() {
        let why = links.explain(&links.id(*left), &links.id(*right)).unwrap();
        assert_eq!(why.parts.iter().fold(0.0, |sum, part| sum + part.weight).to_bits(), weight.to_bits());
    }
    assert!(links.explain("nobody", "0-0").is_err());
}

#[test]
fn two_tables_are_linked_one_to_one() {
    let (records, _) = made_up(300, 1);
    let links =
        link_two(&records, &records, (&ColumnRoles::new(), &ColumnRoles::new()), &LinkageDefinition::default(), 0)
            .unwrap();
    let right = links.labels().iter().skip(300).enumerate().filter(|(row, label)| *row == **label as usize).count();
    assert!(right >= 297, "{right}");
    assert!(links.pair_weights().iter().all(|(left, right, _)| *left < 300 && *right >= 300));
}

/// Two tables of made-up people whose identifiers both count from 1; the right one has the people in reverse order and one
/// more in front, so that equal identifiers are different people.
fn two_that_count_from_one(n: usize) -> (Records, Records, Vec<(String, String, bool)>) {
    let (records, _) = made_up(n, 1);
    let (mut left, mut right) = (Records::new(records.columns().to_vec()), Records::new(records.columns().to_vec()));
    let texts = |row: usize| (1..records.columns().len()).map(move |column| (row, column));
    let row_of = |row: usize| -> Vec<String> {
        ["".to_owned()]
            .into_iter()
            .chain(texts(row).map(|(row, column)| records.text(row, column).to_owned()))
            .collect()
    };
    let mut pairs = Vec::new();
    for row in 0..n {
        left.push(&(row + 1).to_string(), row_of(row).iter().map(String::as_str)).unwrap();
    }
    right.push("1", ["", "zebedee", "quux", "1901-01-01", "0999999999", "1 nowhere lane", "99999"]).unwrap();
    for row in 0..n {
        let id = right.len() + 1;
        right.push(&id.to_string(), row_of(n - 1 - row).iter().map(String::as_str)).unwrap();
        pairs.push(((n - row).to_string(), id.to_string(), true));
    }
    (left, right, pairs)
}

fn linked_two(left: &Records, right: &Records) -> Links {
    link_two(left, right, (&ColumnRoles::new(), &ColumnRoles::new()), &LinkageDefinition::default(), 0).unwrap()
}

#[test]
fn clusters_of_two_tables_with_equal_identifiers_keep_their_side() {
    let (left, right, pairs) = two_that_count_from_one(300);
    let links = linked_two(&left, &right);
    let frame = links.clusters_frame();
    let texts = |name: &str| match &frame.columns.iter().find(|column| column.name == name).unwrap().cells {
        crate::records::Cells::Text(texts) => texts.iter().map(|text| text.clone().unwrap()).collect::<Vec<_>>(),
        _ => panic!("{name} holds texts"),
    };
    let (clusters, sources) = (texts("cluster_id"), texts("source"));
    // Each `cluster_id` stands for one cluster.
    let mut labels: FxHashMap<&str, u32> = FxHashMap::default();
    for (cluster, label) in clusters.iter().zip(links.labels()) {
        assert_eq!(labels.entry(cluster).or_insert(*label), label);
    }
    // The first record of the right table matches no record, least of all the left record of that identifier.
    assert_eq!((sources[300].as_str(), clusters[300].as_str(), clusters[0].as_str()), ("right", "right:1", "1"));
    let of_pairs = links.evaluate(&Labels::Pairs(pairs.clone())).unwrap();
    assert!(of_pairs.clusters.f1 > 0.99, "{:?}", of_pairs.clusters);
    assert!(of_pairs.best.1.f1 > 0.99, "{:?}", of_pairs.best);
    // Labels of records say which table they are of.
    let mut persons: Vec<(Option<Side>, String, String)> = vec![(Some(Side::Right), "1".into(), "nobody".into())];
    for (left, right, _) in &pairs {
        persons.push((Some(Side::Left), left.clone(), left.clone()));
        persons.push((Some(Side::Right), right.clone(), left.clone()));
    }
    let of_persons = links.evaluate(&Labels::PersonsOf(persons)).unwrap();
    assert_eq!((of_persons.n_true_pairs, of_persons.clusters.f1 > 0.99), (300, true));
    let error = links.evaluate(&Labels::Persons(vec![("1".to_owned(), "a".to_owned())])).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    assert!(links.evaluate(&Labels::Persons(vec![("301".to_owned(), "a".to_owned())])).is_ok());
    assert!(links.evaluate(&Labels::PersonsOf(vec![(Some(Side::Left), "301".into(), "a".into())])).is_err());
}

#[test]
fn decisions_about_two_tables_name_the_left_record_first() {
    let (left, right, _) = two_that_count_from_one(30);
    let none = ColumnRoles::new();
    let decide = |must: &[(&str, &str)], cannot: &[(&str, &str)]| {
        let pairs = |of: &[(&str, &str)]| of.iter().map(|(one, two)| ((*one).into(), (*two).into())).collect();
        let decisions = Decisions { must_link: pairs(must), cannot_link: pairs(cannot) };
        link_deciding(&[&left, &right], &[&none, &none], &LinkageDefinition::default(), &decisions, 0)
    };
    let links = decide(&[("1", "1")], &[("30", "2")]).unwrap();
    assert_eq!(links.labels()[30], 0);
    assert_eq!(links.labels()[31], 31);
    // An identifier that only the other table has is found there.
    assert_eq!(decide(&[("31", "30")], &[]).unwrap().labels()[60], 29);
    assert!(decide(&[("1", "32")], &[]).is_err());
}

#[test]
fn a_left_identifier_that_reads_like_a_right_cluster_shares_no_cluster_id() {
    let (mut left, mut right) = (Records::new(["name"]), Records::new(["name"]));
    left.push("right:1", ["ann"]).unwrap();
    right.push("1", ["bob"]).unwrap();
    let frame = linked_two(&left, &right).clusters_frame();
    let crate::records::Cells::Text(clusters) = &frame.columns[1].cells else { panic!("cluster_id holds texts") };
    assert_eq!(clusters, &[Some("right:1".to_owned()), Some("right:right:1".to_owned())]);
}

#[test]
fn decisions_must_name_known_records_and_agree() {
    let (records, _) = made_up(6, 1);
    let decide = |must: (&str, &str), cannot: (&str, &str)| {
        let pair = |(left, right): (&str, &str)| (left.to_owned(), right.to_owned());
        let decisions = Decisions { must_link: vec![pair(must)], cannot_link: vec![pair(cannot)] };
        link_deciding(&[&records], &[&ColumnRoles::new()], &LinkageDefinition::default(), &decisions, 0)
    };
    assert_eq!(decide(("0-0", "3-0"), ("0-0", "1-0")).unwrap().labels()[3], 0);
    assert!(decide(("0-0", "1-0"), ("1-0", "0-0")).is_err());
    assert!(decide(("0-0", "x"), ("1-0", "0-0")).is_err());
}

#[test]
fn empty_and_odd_tables_give_each_record_a_cluster_of_its_own() {
    assert!(linked(&Records::new(["name"])).is_empty());
    let mut records = Records::new(["a", "b"]);
    for (row, texts) in [["", ""], ["?", "null"], ["\u{0}", "🙂"], ["1", "2"]].into_iter().enumerate() {
        records.push(&row.to_string(), texts).unwrap();
    }
    let links = linked(&records);
    assert_eq!(links.labels(), [0, 1, 2, 3]);
    records.push("0", []).unwrap();
    assert!(link(&records, &ColumnRoles::new(), &LinkageDefinition::default(), 0).is_err());
}

proptest::proptest! {
    #[test]
    fn garbage_never_panics_and_gives_a_partition(rows in proptest::collection::vec(proptest::array::uniform5(".{0,12}"), 0..40)) {
        let mut records = Records::new(["first_name", "surname", "dob", "address", "email"]);
        for (row, texts) in rows.iter().enumerate() {
            records.push(&row.to_string(), texts.iter().map(String::as_str)).unwrap();
        }
        let links = linked(&records);
        for (row, label) in links.labels().iter().enumerate() {
            proptest::prop_assert!(*label as usize <= row);
            proptest::prop_assert_eq!(links.labels()[*label as usize], *label);
        }
        proptest::prop_assert!(links.pair_weights().iter().all(|(_, _, weight)| weight.is_finite()));
    }
}
