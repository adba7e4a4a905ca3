//! A made-up fortnight of a CD shop's web site, app and mail tool, as Segment messages, one a line.
//!
//! It takes nothing and leaves the same bytes on every machine: people who look around before they say who they are, use
//! two devices, mistype their mail address, describe their taste in their own words, allow some uses of their data, refuse
//! others or say nothing. A third of them are customers of the order book. No name or address in it belongs to anybody.

use cdp_core::records::Timestamp;

const N_PEOPLE: u64 = 300;
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

const FIRST_NAMES: [&str; 16] = [
    "ada", "ben", "clara", "david", "emma", "felix", "grace", "hugo", "iris", "jonas", "kira", "leo", "mina", "nils",
    "olga", "paul",
];
const LAST_NAMES: [&str; 16] = [
    "abel", "berg", "costa", "duval", "ender", "fox", "garcia", "holm", "ito", "jansen", "kaya", "lind", "moreau",
    "novak", "okafor", "perez",
];
#[rustfmt::skip]
const SHELVES: [(&str, [&str; 10]); 4] = [
    (
        "jazz",
        [
            "bebop", "saxophone", "coltrane", "swing", "big band", "improvisation", "blue note", "trumpet", "jam session",
            "late night clubs",
        ],
    ),
    (
        "classical",
        [
            "string quartets", "opera", "piano sonatas", "baroque", "symphonies", "bach", "lieder", "chamber music",
            "conductors", "cello suites",
        ],
    ),
    (
        "rock",
        [
            "guitar riffs", "garage bands", "loud drums", "stadium shows", "punk", "vinyl singles", "grunge",
            "bass lines", "road trips", "festival mud",
        ],
    ),
    (
        "electronic",
        [
            "synthesizers", "house", "techno", "drum machines", "ambient", "remixes", "warehouse parties", "samplers",
            "trip hop", "twelve inch mixes",
        ],
    ),
];
// Words that speak for no shelf.
const FILLERS: [&str; 8] = [
    "live recordings",
    "good sound",
    "rainy sundays",
    "presents for my sister",
    "old favourites",
    "something new",
    "long train rides",
    "cooking",
];

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; the bias is far below what a demo could show.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let place = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of.get(place).copied().unwrap_or_default()
    }
}

/// The lines, with the time that puts them in order.
struct Stream<'c> {
    customers: &'c [String],
    random: Random,
    start: Timestamp,
    lines: Vec<(Timestamp, String)>,
}

impl Stream<'_> {
    /// One message at `time`; `fields` is the rest of its JSON.
    fn emit(&mut self, kind: &str, time: i64, fields: &str) {
        let at = self.start.plus_millis(time);
        let id = self.lines.len() + 1;
        self.lines.push((at, format!(r#"{{"type":"{kind}","messageId":"m{id:05}","timestamp":"{at}",{fields}}}"#)));
    }

    fn track(&mut self, event: &str, time: i64, who: &str, properties: &str) {
        self.emit("track", time, &format!(r#"{who},"event":"{event}","properties":{{{properties}}}"#));
    }
}

/// The whole stream in order of time; a third of its people are among these customers of the order book. It has, as
/// every real one, lines that were sent twice and lines that cannot be read.
pub(crate) fn lines(start: Timestamp, customers: &[String]) -> Vec<String> {
    let mut stream = Stream { customers, random: Random(1998), start, lines: Vec::new() };
    for number in 0..N_PEOPLE {
        one_person(&mut stream, number);
    }
    let Stream { mut lines, .. } = stream;
    lines.sort();
    let mut lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    let sent_twice: Vec<String> = lines.iter().step_by(400).cloned().collect();
    lines.extend(sent_twice);
    lines.push(
        r#"{"type":"track","messageId":"x1","userId":"w0001","event":"Product Viewed","timestamp":"July 14th"}"#.into(),
    );
    lines.push(
        r#"{"type":"track","messageId":"x2","event":"Product Viewed","timestamp":"1998-07-14T20:00:00Z"}"#.into(),
    );
    lines.push(r#"{"type":"track","messageId":"x3","userId":"w0001","event":"Produ"#.into());
    lines
}

fn one_person(stream: &mut Stream<'_>, number: u64) {
    let shelf = SHELVES[usize::try_from(number % 4).unwrap_or(0)];
    let first_visit = i64::try_from(stream.random.below(9)).unwrap_or(0) * DAY
        + i64::try_from(stream.random.below(14 * 60)).unwrap_or(0) * MINUTE
        + 8 * 60 * MINUTE
        + i64::try_from(stream.random.below(60_000)).unwrap_or(0);
    let browser = format!(r#""anonymousId":"web-{number:04}""#);
    let mut now = first_visit;
    let mut wait = |stream: &mut Stream<'_>, most_minutes: u64| {
        now += i64::try_from(1 + stream.random.below(most_minutes)).unwrap_or(1) * MINUTE;
        now
    };

    // A visit before anybody knows who it is.
    stream.emit("page", first_visit, &format!(r#"{browser},"name":"Home""#));
    for _ in 0..=stream.random.below(3) {
        let time = wait(stream, 6);
        let (product, price) = product(&mut stream.random, shelf.0);
        stream.track("Product Viewed", time, &browser, &format!(r#""product":"{product}","price":{price}"#));
    }
    if stream.random.percent(12) {
        return;
    }

    // Who it is: a customer of the order book, or somebody new.
    let user_id = match number % 3 {
        0 => {
            let place = usize::try_from(stream.random.below(stream.customers.len().max(1) as u64)).unwrap_or(0);
            stream.customers.get(place).cloned().unwrap_or_default()
        }
        _ => format!("w{number:04}"),
    };
    let (first, last) = (stream.random.pick(&FIRST_NAMES), stream.random.pick(&LAST_NAMES));
    let email = format!("{first}.{last}{number}@example.com");
    let mistyped = email.replace("example", "exmaple");
    let is_mistyped = stream.random.percent(8);
    let shown = if is_mistyped { &mistyped } else { &email };
    let mut traits = format!(r#""firstName":"{first}","lastName":"{last}""#);
    let gives_email = stream.random.percent(80);
    if gives_email {
        traits.push_str(&format!(r#","email":"{shown}""#));
    }
    if stream.random.percent(85) {
        traits.push_str(&format!(r#","interests":"{}""#, interests(&mut stream.random, &shelf.1)));
    }
    if stream.random.percent(70) {
        traits.push_str(&format!(r#","cohort":"{}""#, shelf.0));
    }
    let consent = consent(&mut stream.random);
    let known = format!(r#""userId":"{user_id}",{browser}"#);
    let time = wait(stream, 10);
    stream.emit("identify", time, &format!(r#"{known},"traits":{{{traits}}}{consent}"#));
    if gives_email && is_mistyped {
        let time = wait(stream, 30);
        stream.emit("identify", time, &format!(r#"{known},"traits":{{"email":"{email}"}}"#));
    }

    // The cart, and for some the order.
    let (wanted, price) = product(&mut stream.random, shelf.0);
    if stream.random.percent(60) {
        let time = wait(stream, 20);
        stream.track("Product Added", time, &known, &format!(r#""product":"{wanted}","price":{price}"#));
        if stream.random.percent(45) {
            let time = wait(stream, 20);
            let order = format!(r#""order_id":"o{number:04}","revenue":{price},"cds":1"#);
            stream.track("Order Completed", time, &known, &order);
        }
    }

    // The mail tool knows an address and nothing else.
    if gives_email && stream.random.percent(50) {
        let time = wait(stream, 2 * 24 * 60);
        let address = format!(r#""context":{{"traits":{{"email":"{email}"}}}},"anonymousId":"mail-{number:04}""#);
        stream.track("Email Delivered", time, &address, r#""campaign":"summer_sale""#);
        if stream.random.percent(40) {
            let time = wait(stream, 24 * 60);
            stream.track("Email Opened", time, &address, r#""campaign":"summer_sale""#);
        }
    }

    // The app on a second device, first without a name.
    if stream.random.percent(40) {
        let phone = format!(r#""anonymousId":"app-{number:04}""#);
        let time = wait(stream, 24 * 60);
        stream.emit("screen", time, &format!(r#"{phone},"name":"Shelf""#));
        if stream.random.percent(70) {
            let time = wait(stream, 15);
            stream.emit("identify", time, &format!(r#""userId":"{user_id}",{phone}"#));
            if stream.random.percent(50) {
                let time = wait(stream, 15);
                stream.track(
                    "Product Added",
                    time,
                    &format!(r#""userId":"{user_id}",{phone}"#),
                    &format!(r#""product":"{wanted}","price":{price}"#),
                );
            }
        }
    }
}

fn product(random: &mut Random, shelf: &str) -> (String, String) {
    let cents = random.below(100);
    (format!("{shelf}-{:03}", random.below(200)), format!("{}.{cents:02}", 8 + random.below(50)))
}

fn interests(random: &mut Random, words: &[&str; 10]) -> String {
    let mut said = Vec::new();
    for _ in 0..3 {
        // People are not of one piece: some of what they like stands on another shelf.
        let elsewhere = SHELVES[usize::try_from(random.below(4)).unwrap_or(0)].1;
        let from = if random.percent(30) { &elsewhere } else { words };
        said.push(random.pick(from));
    }
    said.push(random.pick(&FILLERS));
    said.join(", ")
}

/// Granted, denied, or not asked.
fn consent(random: &mut Random) -> String {
    let choice = |random: &mut Random| match random.below(10) {
        0..=4 => Some(true),
        5..=6 => Some(false),
        _ => None,
    };
    let preferences: Vec<String> = ["marketing", "personalization"]
        .into_iter()
        .filter_map(|purpose| choice(random).map(|granted| format!(r#""{purpose}":{granted}"#)))
        .collect();
    if preferences.is_empty() {
        return String::new();
    }
    format!(r#","context":{{"consent":{{"categoryPreferences":{{{}}}}}}}"#, preferences.join(","))
}
