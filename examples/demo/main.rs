//! The main job of the platform on real data: collect, unify, aggregate, segment, predict, decide, export.
//!
//! `cargo run --example demo [folder]` writes a store, the made-up stream and an export into the folder (build/demo).

mod stream;

use std::error::Error;
use std::path::{Path, PathBuf};

use cdp_core::cdp::{
    AsOf, ChangesQuery, Data, DecideOptions, ExportRequest, IngestOptions, PageOptions, PredictOptions, Query, Subject,
    TrainOptions,
};
use cdp_core::records::{Object, Receipt, Timestamp, Value};
use cdp_core::{Cdp, OpenOptions};
use cdp_examples::{WIDTH, aligned, at, labelled, list, show, thousands};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::args().nth(1).map_or_else(|| here.join("../build/demo"), PathBuf::from);
    print!("{}", run(here, &folder)?);
    print!("{}", next_steps(&folder));
    Ok(())
}

/// What to open after the demo; outside `run`, whose text is the same for every folder.
fn next_steps(folder: &Path) -> String {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    format!(
        "\nOPEN NEXT\n\n  \
         examples/demo/definitions/  the definitions of this run: change one and run the demo again\n  \
         examples/demo/main.rs       this program\n  \
         examples/README.md          quickstarts in three languages, a notebook, linkage, cohorts\n  \
         README.md                   what it does, its limits, and the guides\n  \
         {}\n                              the store, its input stream.ndjson, its export newsletter.csv\n",
        folder.display()
    )
}

/// What the demo prints. It begins anew: a store that the folder holds from before is removed.
fn run(examples: &Path, folder: &Path) -> Outcome<String> {
    std::fs::create_dir_all(folder)?;
    for old in ["shop.db", "shop.db-wal", "shop.db-shm"] {
        let _ = std::fs::remove_file(folder.join(old));
    }
    // A clock that stands still and a seed for profile ids: the same output on every machine.
    let noon = Timestamp::parse("1998-07-15T12:00:00Z")?;
    let options = OpenOptions::file(folder.join("shop.db")).clock(noon).id_seed("demo");
    let db = Cdp::open(options)?;
    let defined = db.define_path(examples.join("demo/definitions"))?;

    let mut out = String::from("AN EMBEDDED CUSTOMER DATA PLATFORM: one process, one file, no server\n");
    heading(&mut out, "1. COLLECT", "an order book from 1997 and a fortnight of web, app and mail events");
    let orders = db.ingest(
        Data::Path(examples.join("data/cdnow/CDNOW_master.txt.gz")),
        &IngestOptions::from_source("cdnow"),
        None,
    )?;
    let start = Timestamp::parse("1998-07-01T00:00:00Z")?;
    let stream = folder.join("stream.ndjson");
    std::fs::write(&stream, stream::lines(start, &regulars(&db, start)?).join("\n"))?;
    let before_stream = db.audience_changes(&ChangesQuery::new())?.next;
    let events = db.ingest(Data::Path(stream.clone()), &IngestOptions::default(), None)?;
    out += &format!("  {} definitions hold, from demo/definitions\n\n", defined.len());
    out += &receipts(&[("CDNOW_master.txt.gz", &orders), ("stream.ndjson", &events)]);
    for warning in &orders.warnings {
        out += &labelled("  warning: ", warning);
    }
    for sample in &events.first_rejects {
        let (row, reject) = (sample.row.unwrap_or(0), &sample.reject);
        out += &labelled(
            &format!("  kept as reject: row {row}, "),
            &format!("{}: {}", reject.reason.as_str(), reject.detail),
        );
    }
    let again = db.ingest(Data::Path(stream), &IngestOptions::default(), None)?;
    out += &format!("  the same stream once more: {} accepted, {} duplicates\n", again.accepted, again.duplicates);

    heading(&mut out, "2. UNIFY", "who is who, and the evidence for it");
    let report = db.identity_report()?;
    out += &format!(
        "  {} people: {} known, {} anonymous; the largest has {} identifiers\n\n",
        thousands(&report.profiles.to_string()),
        thousands(&report.known.to_string()),
        report.anonymous,
        report.largest_profile,
    );
    let person = best_known(&db)?;
    out += &profile(&db, &person)?;

    heading(&mut out, "3. SEGMENT", "active_collectors: spent 200 in all and ordered within 30 days");
    out += &segment(&db, before_stream)?;

    heading(&mut out, "4. PREDICT", "the shelf a person belongs to, from what they write about themselves");
    out += &predict(&db)?;

    heading(&mut out, "5. DECIDE", "what the checkout offers, asked while the order waits");
    out += &decide(&db)?;

    heading(&mut out, "6. EXPORT", "newsletter: active_collectors who allow marketing, for a mail tool");
    out += &export(&db, &folder.join("newsletter.csv"))?;

    heading(&mut out, "7. TRUST", "everything derived equals what the facts give");
    out += &format!("  fingerprint  {}\n", db.fingerprint(None)?);
    let verified = db.verify()?;
    let verdict = if verified.ok { "every check holds" } else { "FAULTS" };
    out += &format!("  verify       {verdict}, over {} messages\n", thousands(&verified.messages.to_string()));
    out += "\n  Look further: the store is one SQLite file, shop.db.\n";
    db.close()?;
    Ok(out)
}

fn heading(out: &mut String, title: &str, about: &str) {
    let line = format!("\n--- {title}: {about} ");
    out.push_str(&format!("{line:-<width$}\n\n", width = WIDTH + 1));
}

fn receipts(receipts: &[(&str, &Receipt)]) -> String {
    let heads = ["", "rows", "accepted", "duplicates", "rejected", "new profiles", "merges"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for (name, receipt) in receipts {
        let mut row = vec![(*name).to_owned()];
        let counts = [
            receipt.rows,
            receipt.accepted,
            receipt.duplicates,
            receipt.rejected,
            receipt.new_profiles,
            receipt.merges,
        ];
        row.extend(counts.map(|count| count.to_string()));
        rows.push(row);
    }
    aligned(rows)
}

/// Who the stream takes its customers from: those who were good customers when it began.
fn regulars(db: &Cdp, start: Timestamp) -> Outcome<Vec<String>> {
    let query = Query::new().columns(["user_id"]).as_of(start);
    let members = db.members("active_collectors", &query)?;
    Ok(members
        .column("user_id")
        .map(|ids| (0..ids.len()).map(|row| show(&ids.value(row))).collect())
        .unwrap_or_default())
}

/// The customer with the greatest spend among those who opened a mail and say what they like.
fn best_known(db: &Cdp) -> Outcome<String> {
    let columns = ["user_id", "features.spend", "features.orders", "features.mails_opened"];
    let rule = r#"{"all": [{"identity": "has", "type": "email"}, {"feature": "orders", "op": "gte", "value": 3},
        {"feature": "mails_opened", "op": "gte", "value": 1}, {"trait": "interests", "op": "exists"}]}"#;
    let query = Query::new().columns(columns).filter(parse(rule)?).order_by("-features.spend").limit(1usize);
    let people = db.profiles(&query)?;
    Ok(people.column("user_id").map(|column| show(&column.value(0))).unwrap_or_default())
}

fn profile(db: &Cdp, user_id: &str) -> Outcome<String> {
    let person = db.profile(("user_id", user_id), AsOf::NOW)?.ok_or("the person is in the order book")?;
    let mut out = format!("  profile {}\n", person.id);
    for kind in ["user_id", "email", "anonymous_id"] {
        out += &format!("    {kind:<13}{}\n", person.ids[kind].join(", "));
    }
    let fields = |fields: &Object| show(&Value::Object(fields.clone()));
    let groups = [
        ("traits", fields(&person.traits)),
        ("features", fields(&person.features)),
        ("audiences", person.audiences.join(", ")),
    ];
    for (group, text) in groups {
        out += &labelled(&format!("    {group:<13}"), if text.is_empty() { "-" } else { &text });
    }
    for purpose in ["marketing", "personalization", "analytics"] {
        let consent = &person.consents[purpose];
        out += &format!(
            "    {:<13}{purpose}: {}, {}\n",
            if purpose == "marketing" { "consents" } else { "" },
            consent.status,
            if consent.effective { "allowed" } else { "not allowed" }
        );
    }
    out += &format!("    {:<13}{} to {}\n", "seen", time(person.first_seen), time(person.last_seen));
    let devices = &person.ids["anonymous_id"];
    let mail = devices.iter().find(|device| device.starts_with("mail-")).ok_or("the person opened a mail")?;
    let link = db.explain_link(("user_id", user_id), ("anonymous_id", mail))?;
    out += &format!("\n  why {mail}, which opened a mail, is customer {user_id}:\n");
    let mut rows = vec![["from", "to", "message", "at"].map(str::to_owned).to_vec()];
    for step in link.path {
        let message = step.message_id.unwrap_or_else(|| "-".to_owned());
        rows.push(vec![show(&step.from), show(&step.to), message, step.occurred_at.to_string()]);
    }
    Ok(out + &aligned(rows))
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

fn segment(db: &Cdp, before_stream: Option<String>) -> Outcome<String> {
    let mut out = String::new();
    let mut rows = vec![["as of", "members", "open_cart"].map(str::to_owned).to_vec()];
    for day in ["1997-07-01", "1998-01-01", "1998-07-01", "1998-07-08", "1998-07-15"] {
        let query = Query::new().as_of(AsOf::at(Timestamp::parse(&format!("{day}T00:00:00Z"))?));
        let mut row = vec![day.to_owned()];
        for audience in ["active_collectors", "open_cart"] {
            row.push(db.members(audience, &query)?.n_rows().to_string());
        }
        rows.push(row);
    }
    out += &aligned(rows);
    db.advance(Some(Timestamp::parse("1998-07-16T00:00:00Z")?))?;
    let mut since_stream = ChangesQuery::new();
    since_stream.after = before_stream.as_deref().and_then(|cursor| cursor.parse().ok());
    let changes = db.audience_changes(&since_stream)?;
    let rows: Vec<Vec<String>> = (0..changes.n_rows())
        .map(|row| {
            let row = Value::Object(changes.row(row));
            ["change", "occurred_at", "type", "audience", "profile_id"].map(|name| at(&row, name)).to_vec()
        })
        .collect();
    let of = |row: &&Vec<String>, column: usize, wanted: &str| row.get(column).is_some_and(|cell| cell == wanted);
    let entered = rows.iter().filter(|row| of(row, 2, "Audience Entered")).count();
    out += &format!("\n  the outbox since the stream began: {entered} entered, {} exited\n", rows.len() - entered);
    // A cart that nobody touched again: its exit stands exactly 48 hours after its entry.
    let due = |entry: &Vec<String>| {
        entry.get(1).and_then(|at| Timestamp::parse(at).ok()).map(|at| at.plus_millis(48 * 3_600_000).to_string())
    };
    let carts = || rows.iter().filter(|row| of(row, 3, "open_cart"));
    let left =
        carts().find(|entry| carts().any(|exit| exit.get(4) == entry.get(4) && exit.get(1) == due(entry).as_ref()));
    let profile = left.and_then(|row| row.get(4)).ok_or("a cart was left")?;
    let who = db.profile(("profile_id", profile), AsOf::NOW)?.ok_or("the outbox names profiles")?;
    out += &format!("  customer {}, a cart left for 48 hours to the millisecond:\n", who.ids["user_id"].join(", "));
    let heads = ["change", "at the instant", "what", "audience", "profile"].map(str::to_owned).to_vec();
    let theirs = rows.iter().filter(|row| of(row, 4, profile)).take(6).cloned();
    out += &aligned(std::iter::once(heads).chain(theirs).collect());
    Ok(out)
}

fn predict(db: &Cdp) -> Outcome<String> {
    let report = Value::from(db.train("taste", &TrainOptions::new())?);
    let mut out = format!(
        "  learned from {} people; on {} held-out rows {} of 100 right\n\n",
        at(&report, "rows"),
        at(&report, "held_out.rows"),
        percent(&at(&report, "held_out.accuracy")),
    );
    let mut rows = vec![["shelf", "learned", "assigned", "top terms"].map(str::to_owned).to_vec()];
    for class in list(&report, "classes") {
        let shelf = at(class, "cohort");
        let members = db.cohort_members("taste", &shelf, &PageOptions::new())?.n_rows().to_string();
        let terms: Vec<String> = list(class, "top_terms").iter().take(6).map(show).collect();
        rows.push(vec![shelf, at(class, "rows"), members, terms.join(", ")]);
    }
    out += &aligned(rows);
    out += "\n  members of jazz by score:\n";
    let members = db.cohort_members("taste", "jazz", &PageOptions::new().limit(4usize))?;
    let rounded = (0..members.n_rows()).map(|row| {
        let row = Value::Object(members.row(row));
        vec![
            percent(&at(&row, "score")),
            row.get("user_id").map_or_else(String::new, show),
            row.get("email").map_or_else(String::new, show),
        ]
    });
    let heads = ["score", "user_id", "email"].map(str::to_owned).to_vec();
    out += &aligned(std::iter::once(heads).chain(rounded).collect());
    let text = "a saxophone, a trumpet and a late night";
    let said = db
        .predict("taste", Subject::text(text), &PredictOptions::new().top_k(2usize))?
        .ok_or("a text has a prediction")?;
    let mut scores: Vec<(String, String)> =
        said.scores.into_iter().map(|(shelf, score)| (percent(&score.to_string()), shelf)).collect();
    scores.sort_by(|left, right| right.cmp(left));
    let scores: Vec<String> = scores.into_iter().map(|(score, shelf)| format!("{shelf} {score}")).collect();
    out += &format!("\n  \"{text}\": {}\n", scores.join(", "));
    Ok(out)
}

// A share as a whole percentage: enough to see, and the same on machines whose floats differ in the last bit.
fn percent(share: &str) -> String {
    share.parse::<f64>().map_or_else(|_| "-".to_owned(), |share| format!("{:.0}", share * 100.0))
}

fn decide(db: &Cdp) -> Outcome<String> {
    let event = parse(r#"{"event": "Checkout Started", "properties": {"amount": 64.5}}"#)?;
    let mut out = String::from("  the event at hand, not stored: Checkout Started, amount 64.50\n\n");
    let spenders = |consent: &str| -> Outcome<String> {
        let rule = format!(
            r#"{{"all": [{{"consent": "personalization", "status": "{consent}"}}, {{"feature": "spend", "op": "gte", "value": 200}}]}}"#
        );
        let query = Query::new().columns(["user_id"]).filter(parse(&rule)?).order_by("-features.spend").limit(1usize);
        let people = db.profiles(&query)?;
        Ok(people.column("user_id").map(|column| show(&column.value(0))).unwrap_or_default())
    };
    for who in [spenders("granted")?, spenders("denied")?, spenders("unknown")?, "a stranger".to_owned()] {
        let decision = db.decide("checkout", ("user_id", &who), &DecideOptions::new().event(event.clone()))?;
        out += &format!(
            "  {who:<11}offer {:<14} because {}\n",
            at(&decision.choice, "offer"),
            decision.reasons.join(", ")
        );
        for tree in decision.evaluated.iter().filter(|tree| at(tree, "matched") == "true") {
            for leaf in list(tree, "children") {
                let rule = leaf.get("rule").map_or_else(String::new, show);
                out += &format!("             {}  found {}  {rule}\n", mark(leaf), at(leaf, "found"));
            }
        }
    }
    Ok(out)
}

fn mark(leaf: &Value) -> &'static str {
    if at(leaf, "matched") == "true" { "yes" } else { "no " }
}

fn export(db: &Cdp, path: &Path) -> Outcome<String> {
    let request = ExportRequest::new().destination("newsletter").path(path.to_string_lossy().into_owned());
    let sent = db.export(&request)?;
    let mut out = format!("  {} rows written to newsletter.csv; withheld:\n", sent.rows);
    for (count, words) in [
        (sent.withheld.consent_unknown, "never said whether marketing is welcome"),
        (sent.withheld.consent_denied, "said no"),
        (sent.withheld.no_identifier, "allow it, but have no mail address"),
    ] {
        out += &format!("    {count:>6} {words}\n");
    }
    out.push('\n');
    for line in std::fs::read_to_string(path)?.lines().take(4) {
        out += &format!("    {line}\n");
    }
    Ok(out)
}

fn parse(json: &str) -> Outcome<Value> {
    Value::parse(json.as_bytes()).map_err(|fault| fault.to_string().into())
}
