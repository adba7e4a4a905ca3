//! Tables of made-up people as they come from other places: languages, formats, gaps, sizes. Defaults must do with all.

use super::tests::linked;
use super::*;

/// SplitMix64.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(mixed ^ (mixed >> 31)) * n as u128) >> 64) as usize
    }

    pub(super) fn is(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Below `n`, small numbers more often, as names are.
    fn ranked(&mut self, n: usize) -> usize {
        self.below(n).min(self.below(n)).min(self.below(n))
    }

    fn of<'t>(&mut self, words: &[&'t str]) -> &'t str {
        let place = self.ranked(words.len());
        words[place]
    }
}

const ENGLISH: (&str, &str) = (
    "james mary robert patricia john jennifer michael linda david elizabeth william barbara richard susan joseph jessica thomas \
     sarah charles karen christopher nancy daniel lisa matthew betty anthony margaret mark sandra donald ashley steven kimberly",
    "son ton ley field man wood er well ford burn",
);
const FRENCH: (&str, &str) = (
    "jean-pierre françois hélène josé rené chloé zoé andré thérèse benoît jérôme éric cécile noël gaël anaïs joël loïc maëlle \
     marie-claire élodie sébastien frédéric mathéo léa rémi solène geneviève aurélie raphaël",
    "eau ard ière ont eville eux in oît ème ette",
);
const GERMAN: (&str, &str) = (
    "jürgen björn käthe günther jörg bärbel lukas anna-lena sören rüdiger götz uwe klaus heike steffen matthias ulrike dörte \
     hans-peter karl-heinz friederike änne hannelore wolfgang ingrid torsten annegret volker silke",
    "müller mann bäck er stein häuser berg schmidt köhler meier",
);
const BEGINNINGS: &str = "ash bar bel bor bran cal car dal den dor fal fen gar glen ham hol kel kin lam lin mal mar mor nor \
     pel ram ros sel sher tal thorn tor van wal wes whit win yar";
const SHORT: [(&str, &str); 8] = [
    ("robert", "bob"),
    ("william", "bill"),
    ("james", "jim"),
    ("michael", "mike"),
    ("elizabeth", "liz"),
    ("richard", "rick"),
    ("thomas", "tom"),
    ("jennifer", "jenny"),
];

/// A person; the columns of a table are made from it.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) given: String,
    pub(super) middle: String,
    pub(super) surname: String,
    pub(super) born: (usize, usize, usize),
    pub(super) phone: String,
    pub(super) email: String,
    pub(super) street: String,
    pub(super) number: usize,
    pub(super) city: String,
    pub(super) zip: String,
    pub(super) sex: &'static str,
}

/// How a table is made.
#[derive(Clone, Copy)]
pub(super) struct Making {
    pub(super) people: usize,
    /// Each person has a number of records from this list.
    pub(super) copies: &'static [usize],
    pub(super) names: (&'static str, &'static str),
    /// Per hundred fields.
    pub(super) errors: usize,
    pub(super) missing: usize,
    pub(super) households: bool,
    pub(super) seed: u64,
}

pub(super) const PLAIN: Making = Making {
    people: 600,
    copies: &[1, 1, 1, 2, 2, 3],
    names: ENGLISH,
    errors: 7,
    missing: 6,
    households: false,
    seed: 7,
};

pub(super) fn mistyped(text: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 3 {
        return text.to_owned();
    }
    let place = chance.below(letters.len() - 1);
    let other = char::from(if letters[place].is_ascii_digit() {
        b'0' + chance.below(10) as u8
    } else {
        b'a' + chance.below(26) as u8
    });
    match chance.below(4) {
        0 => letters.swap(place, place + 1),
        1 => letters.insert(place, other),
        2 => drop(letters.remove(place)),
        _ => letters[place] = other,
    }
    letters.into_iter().collect()
}

fn person(making: &Making, home: Option<&Person>, chance: &mut Chance) -> Person {
    let given: Vec<&str> = making.names.0.split_whitespace().collect();
    let (starts, ends): (Vec<&str>, Vec<&str>) =
        (BEGINNINGS.split_whitespace().collect(), making.names.1.split_whitespace().collect());
    let surname = format!("{}{}", chance.of(&starts), chance.of(&ends));
    let town = chance.ranked(60);
    let given = chance.of(&given).to_owned();
    let own = Person {
        middle: given_initial(chance),
        email: format!(
            "{}{}@{}",
            super::normalize::fold(&given).replace(' ', ""),
            chance.below(900),
            chance.of(&["mail.com", "web.de", "post.fr"])
        ),
        given,
        surname,
        born: (1930 + chance.below(75), 1 + chance.below(12), 1 + chance.below(28)),
        phone: format!("{:09}", 200_000_000 + chance.below(700_000_000)),
        street: format!(
            "{} {}",
            chance.of(&[
                "mill", "church", "station", "park", "high", "oak", "lake", "king", "bridge", "victoria", "green",
                "north"
            ]),
            chance.of(&["street", "road", "lane", "avenue"])
        ),
        number: 1 + chance.below(150),
        city: format!("{}{}", starts[town % 37], ["ville", "ham", "burg"][town % 3]),
        zip: format!("{:05}", 10_000 + town * 37 + chance.below(4)),
        sex: if chance.is(50) { "F" } else { "M" },
    };
    match home {
        Some(home) => Person {
            surname: if chance.is(85) { home.surname.clone() } else { own.surname },
            phone: if chance.is(50) { home.phone.clone() } else { own.phone },
            street: home.street.clone(),
            number: home.number,
            city: home.city.clone(),
            zip: home.zip.clone(),
            ..own
        },
        None => own,
    }
}

fn given_initial(chance: &mut Chance) -> String {
    char::from(b'a' + chance.below(26) as u8).to_string()
}

/// What happens to a person between two records.
fn changed(person: &Person, making: &Making, chance: &mut Chance) -> Person {
    let mut record = person.clone();
    if chance.is(making.errors)
        && let Some((_, short)) = SHORT.iter().find(|(long, _)| *long == record.given)
    {
        record.given = (*short).to_owned();
    }
    if chance.is(making.errors / 2) {
        (record.born.1, record.born.2) = (record.born.2, record.born.1);
    }
    if chance.is(making.errors / 3) {
        record.born.0 += 1;
    }
    if chance.is(making.errors) {
        let moved = self::person(making, None, chance);
        (record.street, record.number, record.city, record.zip) = (moved.street, moved.number, moved.city, moved.zip);
    }
    if chance.is(making.errors / 4) {
        std::mem::swap(&mut record.given, &mut record.surname);
    }
    for text in [
        &mut record.given,
        &mut record.surname,
        &mut record.phone,
        &mut record.email,
        &mut record.street,
        &mut record.city,
    ] {
        if chance.is(making.errors) {
            *text = mistyped(text, chance);
        }
    }
    record
}

/// The table with the truth; `columns` writes a record as texts.
pub(super) fn table(
    making: &Making,
    names: &[&str],
    columns: impl Fn(&Person, &mut Chance) -> Vec<String>,
) -> (Records, Labels) {
    let mut chance = Chance(making.seed);
    let mut rows: Vec<(usize, Vec<String>)> = Vec::new();
    let mut home = None;
    for number in 0..making.people {
        if making.households && number % 3 == 0 {
            home = Some(person(making, None, &mut chance));
        }
        let person = person(making, home.as_ref(), &mut chance);
        for _ in 0..making.copies[chance.below(making.copies.len())] {
            let record = changed(&person, making, &mut chance);
            let mut texts = columns(&record, &mut chance);
            for text in &mut texts {
                if chance.is(making.missing) {
                    text.clear();
                }
            }
            rows.push((number, texts));
        }
    }
    for place in (1..rows.len()).rev() {
        rows.swap(place, chance.below(place + 1));
    }
    let mut records = Records::new(names.iter().copied());
    let mut truth = Vec::new();
    for (id, (person, texts)) in rows.iter().enumerate() {
        records.push(&id.to_string(), texts.iter().map(String::as_str)).unwrap();
        truth.push((id.to_string(), person.to_string()));
    }
    (records, Labels::Persons(truth))
}

pub(super) const COLUMNS: [&str; 8] = ["first_name", "last_name", "dob", "phone", "email", "street", "city", "zip"];

pub(super) fn usual(of: &Person, _: &mut Chance) -> Vec<String> {
    let (year, month, day) = of.born;
    vec![
        of.given.clone(),
        of.surname.clone(),
        format!("{year}-{month:02}-{day:02}"),
        format!("0{}", of.phone),
        of.email.clone(),
        format!("{} {}", of.number, of.street),
        of.city.clone(),
        of.zip.clone(),
    ]
}

fn some(columns: &'static [usize]) -> impl Fn(&Person, &mut Chance) -> Vec<String> {
    move |of, chance| {
        let all = usual(of, chance);
        columns.iter().map(|column| all[*column].clone()).collect()
    }
}

fn check(what: &str, (records, labels): (Records, Labels), least: f64) {
    let links = linked(&records);
    let found = links.evaluate(&labels).unwrap();
    let quality = links.quality();
    println!("{what}: {:?}, {:?} {:?} {:?}", found.clusters, quality.verdict, quality.held_out, quality.reasons);
    assert!(found.clusters.f1 >= least, "{what}: {:?}", found.clusters);
    assert!(quality.verdict != V::Red, "{what}: {:?}", quality.reasons);
    // What is called certain is.
    let (_, certain) = found.thresholds.iter().find(|(at, _)| *at == 0.99).unwrap();
    assert!(certain.precision >= 0.99, "{what}: {certain:?}");
}

#[test]
fn tables_of_many_kinds_are_linked_with_defaults() {
    check("usual", table(&PLAIN, &COLUMNS, usual), 0.98);
    check("households", table(&Making { households: true, ..PLAIN }, &COLUMNS, usual), 0.98);
    check("many errors", table(&Making { errors: 20, missing: 15, ..PLAIN }, &COLUMNS, usual), 0.96);
    check("half missing", table(&Making { missing: 45, ..PLAIN }, &COLUMNS, usual), 0.75);
    check("few errors", table(&Making { errors: 1, missing: 0, ..PLAIN }, &COLUMNS, usual), 0.99);
    for (name, names) in [("french", FRENCH), ("german", GERMAN)] {
        let plainly = |of: &Person, chance: &mut Chance| {
            let texts = usual(of, chance);
            match chance.below(3) {
                0 => texts
                    .iter()
                    .map(|text| text.replace('ü', "ue").replace('ö', "oe").replace('ä', "ae").replace('-', " "))
                    .collect(),
                1 => texts.iter().map(|text| text.to_uppercase()).collect(),
                _ => texts,
            }
        };
        check(
            name,
            table(
                &Making { names, ..PLAIN },
                &["vorname", "nachname", "geburtsdatum", "telefon", "email", "strasse", "ort", "plz"],
                plainly,
            ),
            0.97,
        );
    }
    let in_one = |of: &Person, chance: &mut Chance| {
        let (given, surname, (year, month, day)) = (&of.given, &of.surname, of.born);
        let name = match chance.below(4) {
            0 => format!("{surname}, {given}"),
            1 => format!("{} {given}", surname.to_uppercase()),
            2 => format!("{given} {}. {surname}", of.middle),
            _ => format!("{given} {surname}"),
        };
        vec![name, format!("{day:02}.{month:02}.{year}"), of.city.clone()]
    };
    check("names in one column", table(&PLAIN, &["name", "born", "city"], in_one), 0.93);
    let dates = |of: &Person, chance: &mut Chance| {
        let mut texts = usual(of, chance);
        let (year, month, day) = of.born;
        texts[2] = match chance.below(3) {
            0 => format!("{month:02}/{day:02}/{year}"),
            1 => format!("{month}/{day}/{:02}", year % 100),
            _ => format!("{year}-{month:02}-{day:02}"),
        };
        let phone = &of.phone;
        texts[3] = match chance.below(4) {
            0 => format!("+1 ({}) {}-{}", &phone[..3], &phone[3..6], &phone[6..]),
            1 => format!("001{phone}"),
            2 => format!("{}.{}.{}", &phone[..3], &phone[3..6], &phone[6..]),
            _ => phone.clone(),
        };
        texts
    };
    check("dates and phones in any form", table(&PLAIN, &COLUMNS, dates), 0.98);
    let voters = |of: &Person, _: &mut Chance| {
        vec![
            of.given.to_uppercase(),
            of.middle.to_uppercase(),
            of.surname.to_uppercase(),
            of.sex.to_owned(),
            (2024 - of.born.0).to_string(),
            of.born.0.to_string(),
            format!("{} {}", of.number, of.street).to_uppercase(),
            of.city.to_uppercase(),
            "NC".to_owned(),
            of.zip.clone(),
        ]
    };
    let names = [
        "first_name",
        "midl_name",
        "last_name",
        "sex_code",
        "age",
        "birth_year",
        "res_street_address",
        "res_city_desc",
        "state_cd",
        "zip_code",
    ];
    check("voters", table(&PLAIN, &names, voters), 0.95);
    check("voters in households", table(&Making { households: true, people: 1500, ..PLAIN }, &names, voters), 0.94);
    check("name and email", table(&PLAIN, &["first_name", "last_name", "email"], some(&[0, 1, 4])), 0.84);
    check("name and phone", table(&PLAIN, &["first_name", "last_name", "phone"], some(&[0, 1, 3])), 0.93);
    check("name and birth", table(&PLAIN, &["first_name", "last_name", "dob"], some(&[0, 1, 2])), 0.93);
    check(
        "name and address",
        table(&PLAIN, &["first_name", "last_name", "street", "city", "zip"], some(&[0, 1, 5, 6, 7])),
        0.88,
    );
    check("unknown columns", table(&PLAIN, &["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"], usual), 0.9);
    check("fifty", table(&Making { people: 30, ..PLAIN }, &COLUMNS, usual), 0.95);
    check(
        "two hundred, few twice",
        table(&Making { people: 200, copies: &[1, 1, 1, 1, 1, 1, 1, 1, 1, 2], ..PLAIN }, &COLUMNS, usual),
        0.95,
    );
    check("twenty records each", table(&Making { people: 60, copies: &[20], ..PLAIN }, &COLUMNS, usual), 0.98);
    check("two copies of all", table(&Making { people: 1000, copies: &[2], ..PLAIN }, &COLUMNS, usual), 0.98);
    check("nobody twice", table(&Making { people: 1000, copies: &[1], ..PLAIN }, &COLUMNS, usual), 0.99);
    check(
        "nobody twice, households",
        table(&Making { people: 1000, copies: &[1], households: true, ..PLAIN }, &COLUMNS, usual),
        0.99,
    );
    check("five thousand", table(&Making { people: 4000, households: true, ..PLAIN }, &COLUMNS, usual), 0.98);
}

/// Links under roles that the caller gives; what is linked wrongly must not be linked automatically.
fn check_bad(what: &str, (records, labels): (Records, Labels), roles: &[(&str, ColumnRole)]) -> Verdict {
    let given: ColumnRoles = roles.iter().map(|(column, role)| ((*column).to_owned(), *role)).collect();
    let links = link(&records, &given, &LinkageDefinition::default(), 0).unwrap();
    let found = links.evaluate(&labels).unwrap();
    let quality = links.quality();
    let linked: usize = links.labels().iter().enumerate().filter(|(row, label)| *row != **label as usize).count();
    println!(
        "{what}: {linked} linked, {:?}, {:?} {:?} {:?}",
        found.clusters, quality.verdict, quality.held_out, quality.reasons
    );
    assert!(linked == 0 || found.clusters.precision >= 0.97, "{what}: {:?}", found.clusters);
    assert!(quality.verdict != V::Red || links.pair_weights().iter().all(|pair| links.band(pair.2) != Band::Auto));
    quality.verdict
}

#[test]
fn names_alone_are_too_little() {
    for copies in [PLAIN.copies, &[1]] {
        let (records, _) = table(&Making { copies, ..PLAIN }, &["first_name", "last_name"], some(&[0, 1]));
        assert_eq!(linked(&records).quality().verdict, V::Red);
    }
}

#[test]
fn bad_models_link_nothing() {
    use ColumnRole as R;
    let noise = |n: usize| {
        move |_: &Person, chance: &mut Chance| -> Vec<String> { (0..8).map(|_| chance.below(n).to_string()).collect() }
    };
    let letters = |n: usize| {
        move |_: &Person, chance: &mut Chance| -> Vec<String> {
            (0..8).map(|_| mistyped("abcdefgh", &mut Chance(chance.below(n) as u64))).collect()
        }
    };
    let as_people = [
        ("first_name", R::GivenName),
        ("last_name", R::Surname),
        ("dob", R::BirthDate),
        ("phone", R::Phone),
        ("email", R::Text),
        ("street", R::Address),
        ("city", R::City),
        ("zip", R::Postcode),
    ];
    for n in [3, 10, 40, 300, 5000] {
        check_bad(&format!("noise of {n} numbers"), table(&PLAIN, &COLUMNS, noise(n)), &as_people);
        check_bad(&format!("noise of {n} words"), table(&PLAIN, &COLUMNS, letters(n)), &as_people);
    }
    assert_eq!(
        check_bad(
            "three columns of noise",
            table(&PLAIN, &COLUMNS, noise(60)),
            &[
                ("first_name", R::GivenName),
                ("last_name", R::Surname),
                ("dob", R::City),
                ("phone", R::Ignore),
                ("email", R::Ignore),
                ("street", R::Ignore),
                ("city", R::Ignore),
                ("zip", R::Ignore)
            ]
        ),
        V::Red
    );
    let constant = |_: &Person, _: &mut Chance| vec!["jane".to_owned(), "doe".to_owned(), "1980-01-02".to_owned()];
    assert_eq!(check_bad("all the same", table(&PLAIN, &["first_name", "last_name", "dob"], constant), &[]), V::Red);
    let nearly = |_: &Person, chance: &mut Chance| {
        vec!["jane".to_owned(), "doe".to_owned(), if chance.is(50) { "1980-01-02" } else { "1980-01-03" }.to_owned()]
    };
    assert_eq!(
        check_bad("nearly all the same", table(&PLAIN, &["first_name", "last_name", "dob"], nearly), &[]),
        V::Red
    );
    let city_constant = |of: &Person, chance: &mut Chance| {
        let mut texts = usual(of, chance);
        texts[6] = "berlin".to_owned();
        texts[3] = "0301234567".to_owned();
        texts
    };
    check_bad("phone and city constant", table(&PLAIN, &COLUMNS, city_constant), &[]);
    assert_eq!(
        check_bad("one constant column", table(&PLAIN, &["city"], |_, _| vec!["berlin".to_owned()]), &[]),
        V::Red
    );
    check_bad("city is the national id", table(&PLAIN, &COLUMNS, usual), &[("city", R::NationalId)]);
    assert_eq!(
        check_bad(
            "zip is the national id, no dob",
            table(&PLAIN, &COLUMNS, usual),
            &[("zip", R::NationalId), ("dob", R::Ignore), ("email", R::Ignore), ("phone", R::Ignore)]
        ),
        V::Red
    );
    check_bad(
        "city is the email",
        table(&PLAIN, &COLUMNS, usual),
        &[("city", R::Phone), ("phone", R::Ignore), ("email", R::Ignore)],
    );
    assert_eq!(
        check_bad(
            "roles turned around",
            table(&PLAIN, &COLUMNS, usual),
            &[
                ("first_name", R::City),
                ("last_name", R::Address),
                ("dob", R::Surname),
                ("phone", R::GivenName),
                ("email", R::BirthPlace),
                ("street", R::Email),
                ("city", R::GivenName),
                ("zip", R::BirthDate)
            ]
        ),
        V::Red
    );
    let shared = [("city", R::NationalId), ("first_name", R::Ignore), ("dob", R::Ignore), ("email", R::Ignore)];
    let households = table(&Making { households: true, ..PLAIN }, &COLUMNS, usual);
    assert_eq!(check_bad("households, a town as the personal number", households, &shared), V::Red);
    assert_eq!(
        check_bad(
            "households, no personal column",
            table(&Making { households: true, ..PLAIN }, &COLUMNS, usual),
            &[("first_name", R::Ignore), ("dob", R::Ignore), ("email", R::Ignore)]
        ),
        V::Red
    );
    assert_eq!(
        check_bad(
            "address alone",
            table(&Making { households: true, ..PLAIN }, &COLUMNS, usual),
            &[
                ("first_name", R::Ignore),
                ("dob", R::Ignore),
                ("email", R::Ignore),
                ("phone", R::Ignore),
                ("last_name", R::Ignore)
            ]
        ),
        V::Red
    );
    let copied = |of: &Person, chance: &mut Chance| {
        let texts = usual(of, chance);
        vec![texts[1].clone(), texts[6].clone(), texts[6].clone(), texts[6].clone(), texts[7].clone()]
    };
    assert_eq!(
        check_bad("copied columns", table(&PLAIN, &["last_name", "city", "birth_place", "state", "zip"], copied), &[]),
        V::Red
    );
    assert_eq!(
        check_bad(
            "shop orders",
            table(&PLAIN, &["sku", "color", "size", "price"], |_, chance| vec![
                format!("A{}", chance.below(300)),
                ["red", "blue", "green"][chance.below(3)].to_owned(),
                ["s", "m", "l"][chance.below(3)].to_owned(),
                (chance.below(30) * 5).to_string()
            ]),
            &[]
        ),
        V::Red
    );
    assert_eq!(
        check_bad(
            "surname and city",
            table(&PLAIN, &COLUMNS, usual),
            &[
                ("first_name", R::Ignore),
                ("dob", R::Ignore),
                ("email", R::Ignore),
                ("phone", R::Ignore),
                ("street", R::Ignore),
                ("zip", R::Ignore)
            ]
        ),
        V::Red
    );
}
