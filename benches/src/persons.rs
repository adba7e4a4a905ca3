//! Made-up records of people with the errors of real ones, and the truth beside them: CSV of any size from a seed.
//!
//! Typing errors, short names, swapped names and dates, missing fields, moves, new phones and emails. In `households` people
//! live together and share surname, address and phone, some an email, and half of them use the tablet of the house: what must
//! not be linked.

use std::fs::File;
use std::io::{BufWriter, Write};

use crate::arguments::Arguments;

/// SplitMix64: the same people everywhere.
pub struct Chance(pub u64);

impl Chance {
    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(mixed ^ (mixed >> 31)) * n as u128) >> 64) as usize
    }

    fn unit(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }

    fn is(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// A place among `n`, the first ones much more often: as names are.
    fn ranked(&mut self, n: usize) -> usize {
        (((n as f64 + 1.0).powf(self.unit()) - 1.0) as usize).min(n - 1)
    }
}

const GIVEN: &str = "james mary john patricia robert jennifer michael linda william elizabeth david barbara richard susan joseph \
jessica thomas sarah charles karen christopher nancy daniel lisa matthew betty anthony margaret mark sandra donald ashley steven \
kimberly paul emily andrew donna joshua michelle kenneth dorothy kevin carol brian amanda george melissa edward deborah ronald \
stephanie timothy rebecca jason sharon jeffrey laura ryan cynthia jacob kathleen gary amy nicholas angela eric shirley jonathan \
anna stephen brenda larry pamela justin emma scott nicole brandon helen benjamin samantha samuel katherine gregory christine \
frank debra alexander rachel raymond carolyn patrick janet jack catherine dennis maria jerry heather tyler diane aaron ruth jose \
julie adam olivia nathan joyce henry virginia douglas victoria zachary kelly peter lauren kyle christina ethan joan walter evelyn \
noah judith jeremy megan christian andrea keith cheryl roger hannah terry jacqueline gerald martha harold gloria sean teresa \
austin ann carl sara arthur madison lawrence frances dylan kathryn jesse janice jordan jean bryan abigail billy alice joe sophia \
bruce grace gabriel denise logan judy albert theresa willie beverly alan amber juan marilyn wayne danielle elijah brittany randy \
diana roy natalie vincent isabella ralph charlotte eugene rose russell alexis bobby kayla mason lori philip louis harper ivan";
const SURNAMES: &str = "smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson \
anderson thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson walker young \
allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell mitchell carter roberts gomez \
phillips evans turner diaz parker cruz edwards collins reyes stewart morris morales murphy cook rogers gutierrez ortiz morgan \
cooper peterson bailey reed kelly howard ramos kim cox ward richardson watson brooks chavez wood james bennett gray mendoza ruiz \
hughes price alvarez castillo sanders patel myers long ross foster jimenez";
const STREETS: &str = "main oak pine maple cedar elm washington lake hill walnut park spring north ridge church willow mill sunset \
railroad jackson highland forest river meadow franklin chestnut center lincoln cherry dogwood hickory jefferson college madison";
const KINDS: [&str; 6] = ["street", "avenue", "road", "drive", "lane", "court"];
const SHORT: [(&str, &str); 14] = [
    ("robert", "bob"),
    ("william", "bill"),
    ("james", "jim"),
    ("michael", "mike"),
    ("elizabeth", "liz"),
    ("richard", "rick"),
    ("thomas", "tom"),
    ("jennifer", "jen"),
    ("christopher", "chris"),
    ("matthew", "matt"),
    ("patricia", "pat"),
    ("daniel", "dan"),
    ("susan", "sue"),
    ("joseph", "joe"),
];
const SYLLABLES: [&str; 40] = [
    "ba", "ben", "ber", "bo", "ca", "car", "cor", "da", "del", "den", "do", "er", "fa", "fer", "ga", "gar", "ha",
    "hol", "in", "ka", "kin", "la", "len", "lo", "ma", "mar", "mer", "mo", "na", "nor", "pa", "per", "ra", "ro", "sa",
    "sel", "ta", "ter", "van", "wel",
];
const ENDINGS: [&str; 10] = ["son", "man", "er", "ley", "ton", "ski", "ez", "ini", "berg", "ford"];

/// The words that people are made of.
struct Words {
    given: Vec<String>,
    surnames: Vec<String>,
    streets: Vec<String>,
    towns: Vec<(String, String, &'static str)>,
}

fn made_up(chance: &mut Chance, n_syllables: usize) -> String {
    let mut word: String = (0..n_syllables).map(|_| SYLLABLES[chance.below(SYLLABLES.len())]).collect();
    word.push_str(ENDINGS[chance.below(ENDINGS.len())]);
    word
}

impl Words {
    fn new(chance: &mut Chance) -> Words {
        let list = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
        let (mut given, mut surnames, mut streets) = (list(GIVEN), list(SURNAMES), list(STREETS));
        given.extend((0..1_500).map(|_| made_up(chance, 1)));
        surnames.extend((0..12_000).map(|n| made_up(chance, 1 + n % 2)));
        streets.extend((0..3_000).map(|_| made_up(chance, 1)));
        const STATES: [&str; 8] = ["nsw", "vic", "qld", "wa", "sa", "tas", "act", "nt"];
        let towns =
            (0..2_500).map(|n| (made_up(chance, 2), format!("{:05}", 10_000 + n * 31), STATES[chance.ranked(8)]));
        Words { given, surnames, streets, towns: towns.collect() }
    }
}

/// The fields of a record, in the order of the CSV.
pub const FIELDS: [&str; 11] = [
    "given_name",
    "surname",
    "date_of_birth",
    "email",
    "phone",
    "street_number",
    "address_1",
    "suburb",
    "postcode",
    "state",
    "device_id",
];
type Person = [String; 11];

struct Home {
    surname: String,
    phone: String,
    email: String,
    device: String,
    place: [String; 5],
}

fn home(words: &Words, chance: &mut Chance) -> Home {
    let (town, postcode, state) = &words.towns[chance.ranked(words.towns.len())];
    let street = format!("{} {}", words.streets[chance.ranked(words.streets.len())], KINDS[chance.below(KINDS.len())]);
    let surname = words.surnames[chance.ranked(words.surnames.len())].clone();
    let email = format!("{surname}.family{}@mail{}.com", chance.below(1000), chance.below(6));
    let place = [(1 + chance.below(400)).to_string(), street, town.clone(), postcode.clone(), (*state).to_owned()];
    Home { surname, phone: phone(chance), email, device: device(chance), place }
}

fn device(chance: &mut Chance) -> String {
    format!("{:016x}", (chance.below(1 << 31) as u64) << 32 | chance.below(1 << 32) as u64)
}

fn phone(chance: &mut Chance) -> String {
    format!("0{}{:08}", 2 + chance.below(7), chance.below(100_000_000))
}

fn email(given: &str, surname: &str, chance: &mut Chance) -> String {
    let domain = format!("{}.com", ["gmail", "yahoo", "outlook", "mail", "webpost", "inbox"][chance.ranked(6)]);
    match chance.below(3) {
        0 => format!("{given}.{surname}{}@{domain}", chance.below(100)),
        1 => format!("{}{surname}{}@{domain}", &given[..1], chance.below(1000)),
        _ => format!("{given}{}@{domain}", chance.below(10_000)),
    }
}

fn person(home: &Home, shares: bool, words: &Words, chance: &mut Chance) -> Person {
    let given = words.given[chance.ranked(words.given.len())].clone();
    let surname = if !shares || chance.is(0.12) {
        words.surnames[chance.ranked(words.surnames.len())].clone()
    } else {
        home.surname.clone()
    };
    let born = format!("{}{:02}{:02}", 1935 + chance.below(75), 1 + chance.below(12), 1 + chance.below(28));
    let own_email = email(&given, &surname, chance);
    let email = if shares && chance.is(0.06) { home.email.clone() } else { own_email };
    let phone = if shares && chance.is(0.55) { home.phone.clone() } else { phone(chance) };
    let device = if shares && chance.is(0.5) { home.device.clone() } else { device(chance) };
    let [number, street, town, postcode, state] = home.place.clone();
    [given, surname, born, email, phone, number, street, town, postcode, state, device]
}

fn mistyped(word: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 2 {
        return word.to_owned();
    }
    let place = chance.below(letters.len() - 1);
    let is_digit = letters[place].is_ascii_digit();
    let other =
        if is_digit { char::from(b'0' + chance.below(10) as u8) } else { char::from(b'a' + chance.below(26) as u8) };
    match chance.below(4) {
        0 => letters.swap(place, place + 1),
        1 => letters[place] = other,
        2 if !is_digit => letters.insert(place, other),
        _ if !is_digit => {
            letters.remove(place);
        }
        _ => letters[place] = other,
    }
    letters.into_iter().collect()
}

fn record_of(person: &Person, words: &Words, chance: &mut Chance) -> Person {
    let mut record = person.clone();
    if chance.is(0.06)
        && let Some((_, short)) = SHORT.iter().find(|(long, _)| *long == record[0])
    {
        record[0] = (*short).to_owned();
    }
    if chance.is(0.02) {
        record[0] = record[0][..1].to_owned();
    }
    if chance.is(0.015) {
        record[1] = words.surnames[chance.ranked(words.surnames.len())].clone();
    }
    if chance.is(0.12) {
        record[3] = email(&person[0], &record[1], chance);
    }
    if chance.is(0.12) {
        record[4] = phone(chance);
    }
    if chance.is(0.3) {
        record[10] = device(chance);
    }
    if chance.is(0.08) {
        let [number, street, town, postcode, state] = home(words, chance).place;
        (record[5], record[6], record[7], record[8], record[9]) = (number, street, town, postcode, state);
    }
    if chance.is(0.02) {
        let born = &record[2];
        record[2] = format!("{}{}{}", &born[..4], &born[6..], &born[4..6]);
    }
    for (field, share) in
        [(0, 0.08), (1, 0.08), (2, 0.05), (3, 0.05), (4, 0.04), (5, 0.03), (6, 0.08), (7, 0.06), (8, 0.03)]
    {
        if chance.is(share) {
            record[field] = mistyped(&record[field], chance);
        }
    }
    if chance.is(0.02) {
        record.swap(0, 1);
    }
    for (field, share) in [
        (0, 0.02),
        (1, 0.01),
        (2, 0.08),
        (3, 0.2),
        (4, 0.2),
        (5, 0.03),
        (6, 0.03),
        (7, 0.03),
        (8, 0.03),
        (9, 0.03),
        (10, 0.25),
    ] {
        if chance.is(share) {
            record[field].clear();
        }
    }
    record
}

/// Writes `n_records` records to a CSV file: `rec_id`, `cluster`, and [`FIELDS`], in an order that tells nothing.
pub fn write(file: &std::path::Path, n_records: usize, households: bool, seed: u64) {
    let mut chance = Chance(seed);
    let words = Words::new(&mut chance);
    let mut records: Vec<(usize, Person)> = Vec::with_capacity(n_records);
    let mut n_people = 0;
    while records.len() < n_records {
        let home = home(&words, &mut chance);
        let n_members = if households { [1, 1, 2, 2, 3, 4, 5][chance.below(7)] } else { 1 };
        for _ in 0..n_members {
            let person = person(&home, households, &words, &mut chance);
            let n_copies = [1, 1, 1, 1, 1, 2, 2, 2, 3, 4][chance.below(10)];
            for _ in 0..n_copies {
                records.push((n_people, record_of(&person, &words, &mut chance)));
            }
            n_people += 1;
        }
    }
    records.truncate(n_records);
    for place in (1..records.len()).rev() {
        records.swap(place, chance.below(place + 1));
    }
    let mut out = BufWriter::new(File::create(file).expect("the file can be written"));
    let mut say = |line: String| writeln!(out, "{line}").expect("the file can be written");
    say(format!("rec_id,cluster,{}", FIELDS.join(",")));
    for (id, (cluster, record)) in records.iter().enumerate() {
        say(format!("{id},{cluster},{}", record.join(",")));
    }
    out.flush().expect("the file can be written");
}

/// `cdp-benches persons --out file [--records n] [--households yes] [--seed n]`.
pub fn run(arguments: &Arguments) {
    let households = arguments.text("households", "no") == "yes";
    write(
        &arguments.path("out"),
        arguments.number("records", 10_000) as usize,
        households,
        arguments.number("seed", 42),
    );
}
