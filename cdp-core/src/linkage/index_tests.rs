//! An index of records against the whole table: the same weights, nearly the same people, and nothing left of what was removed.

use super::tests::linked;
use super::variants::{COLUMNS, Making, PLAIN, table, usual};
use super::*;

fn index_of(links: &Links) -> LinkageIndex {
    LinkageIndex::new(links.model().clone(), links.quality().verdict, &LinkageDefinition::default())
}

#[test]
fn live_weights_are_those_of_the_table_in_both_directions() {
    let (records, _) = table(&PLAIN, &COLUMNS, usual);
    let links = linked(&records);
    let live = Linker::new(links.model()).parse(&records, &links.recognized()[0]);
    let mut index = index_of(&links);
    for (row, record) in live.iter().enumerate() {
        assert!(!index.insert(row as u64, record));
    }
    let weights: BTreeMap<(u32, u32), f64> = links.pair_weights().iter().map(|(a, b, w)| ((*a, *b), *w)).collect();
    let mut found = 0;
    for (row, record) in live.iter().enumerate() {
        let candidates = index.candidates(record);
        assert!(candidates.is_sorted_by(|a, b| a.weight > b.weight || (a.weight == b.weight && a.id < b.id)));
        for of in candidates.iter().filter(|of| of.id != row as u64) {
            let other = of.id as u32;
            let weight = weights.get(&((row as u32).min(other), (row as u32).max(other)));
            assert_eq!(weight.map(|weight| weight.to_bits()), Some(of.weight.to_bits()));
            assert_eq!(of.band, links.band(of.weight));
            found += 1;
        }
    }
    // Keys that many share are not followed live; what is likely shares others too.
    let likely = weights.values().filter(|weight| **weight >= 0.0).count();
    assert!(found >= likely * 2 * 99 / 100, "{found} of {}", 2 * likely);
}

#[test]
fn parts_of_a_live_explanation_add_up_exactly() {
    let (records, _) = table(&Making { households: true, ..PLAIN }, &COLUMNS, usual);
    let links = linked(&records);
    let linker = Linker::new(links.model());
    let live = linker.parse(&records, &links.recognized()[0]);
    let mut index = index_of(&links);
    live.iter().enumerate().for_each(|(row, record)| {
        index.insert(row as u64, record);
    });
    for (left, right, weight) in links.pair_weights() {
        let (one, two) = (&live[*left as usize], &live[*right as usize]);
        for why in [linker.explain(one, two), linker.explain(two, one), index.explain(one, u64::from(*right)).unwrap()]
        {
            assert_eq!(why.parts.iter().fold(0.0, |sum, part| sum + part.weight).to_bits(), weight.to_bits());
            assert_eq!(why.weight.to_bits(), weight.to_bits());
            assert!(why.parts.iter().all(|part| part.level.is_some() == part.m.is_some()));
        }
    }
    assert!(index.explain(&live[0], 1 << 40).is_none());
}

/// Every record joins the best group it finds when it comes.
fn grouped(index: &mut LinkageIndex, live: &[LiveRecord]) -> Vec<u32> {
    let mut group_of: Vec<u64> = Vec::new();
    let mut members: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (row, record) in live.iter().enumerate() {
        let row = row as u64;
        let found = index.groups(record, |id| group_of[id as usize], |group| members[&group].clone());
        let group = found.first().filter(|found| found.weight >= 0.0).map_or(row, |found| found.group);
        group_of.push(group);
        members.entry(group).or_default().push(row);
        index.insert(row, record);
    }
    group_of.into_iter().map(|group| group as u32).collect()
}

#[test]
fn records_that_come_one_by_one_are_grouped_as_in_the_table() {
    for making in [PLAIN, Making { households: true, people: 1_500, errors: 12, ..PLAIN }] {
        let (records, labels) = table(&making, &COLUMNS, usual);
        let mut links = linked(&records);
        let live = Linker::new(links.model()).parse(&records, &links.recognized()[0]);
        let of_table = links.evaluate(&labels).unwrap().b_cubed.f1;
        links.labels = grouped(&mut index_of(&links), &live);
        let one_by_one = links.evaluate(&labels).unwrap().b_cubed.f1;
        println!("B-cubed {of_table} of the table, {one_by_one} live");
        assert!(one_by_one >= of_table - 0.01, "{one_by_one} {of_table}");
    }
}

#[test]
fn what_is_removed_leaves_nothing() {
    let (records, _) = table(&PLAIN, &COLUMNS, usual);
    let links = linked(&records);
    let live = Linker::new(links.model()).parse(&records, &links.recognized()[0]);
    let (mut index, mut other) = (index_of(&links), index_of(&links));
    for (row, record) in live.iter().enumerate() {
        index.insert(row as u64, record);
        index.insert(row as u64 + 100_000, &live[live.len() - 1 - row]);
        if row % 3 == 0 {
            index.remove(row as u64 + 100_000);
        }
        // The same number again: in place of the one before.
        assert!(index.insert(row as u64, record));
        other.insert(row as u64, record);
    }
    (0..live.len() as u64).for_each(|row| {
        index.remove(row + 100_000);
    });
    assert_eq!(index.len(), other.len());
    for record in &live {
        assert_eq!(index.candidates(record), other.candidates(record));
    }
    (0..live.len() as u64).for_each(|row| assert!(index.remove(row)));
    assert!(index.is_empty() && !index.remove(0));
    assert_eq!(index.n_left(), (0, 0));
}

#[test]
fn a_key_that_all_records_share_is_not_followed() {
    let links = linked(&table(&PLAIN, &COLUMNS, usual).0);
    let mut index = index_of(&links);
    let same = |email: &str| LiveRecord::new([(crate::definitions::ColumnRole::Email, email)]);
    (0..5_000).for_each(|id| {
        index.insert(id, &same("everybody@e.com"));
    });
    index.insert(7_000, &same("jane.roe@e.com"));
    assert!(index.candidates(&same("everybody@e.com")).is_empty());
    assert_eq!(index.candidates(&same("jane.roe@e.com")).first().map(|of| of.id), Some(7_000));
    assert!(index.candidates(&LiveRecord::new([])).is_empty());
}
