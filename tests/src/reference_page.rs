//! The page `cdp-core/docs/definitions.md`, made from the reference of definitions.
//!
//! It takes the value of `cdp_core::definitions::reference` and leaves Markdown. It knows no field by name: a fact that is not in
//! the reference cannot stand on the page, except for the texts on durations, times, paths and patterns.

use std::fmt::Write as _;
use std::path::PathBuf;

use cdp_core::records::Value;

use crate::repository;

/// Where the page stands.
pub fn path_of_page() -> PathBuf {
    repository().join("cdp-core/docs/definitions.md")
}

/// One object of the reference: a shape, a field, a type, an operator.
#[derive(Clone, Copy)]
pub struct Entry<'r>(&'r Value);

impl<'r> Entry<'r> {
    /// An object of the reference.
    pub fn of(value: &'r Value) -> Entry<'r> {
        Entry(value)
    }

    /// The objects of a part of the reference.
    pub fn list(reference: &'r Value, part: &str) -> Vec<Entry<'r>> {
        Entry(reference).list_of(part)
    }

    /// The objects in a field.
    pub fn list_of(&self, name: &str) -> Vec<Entry<'r>> {
        self.find(name).and_then(Value::as_list).unwrap_or_default().iter().map(Entry).collect()
    }

    /// The fields of an object description.
    pub fn fields(&self) -> Vec<Entry<'r>> {
        self.list_of("fields")
    }

    /// A field, if it is there.
    pub fn find(&self, name: &str) -> Option<&'r Value> {
        self.0.get(name)
    }

    /// A field; null if it is not there.
    pub fn get(&self, name: &str) -> &'r Value {
        self.find(name).unwrap_or(&Value::Null)
    }

    /// The object in a field.
    pub fn inner(&self, name: &str) -> Entry<'r> {
        Entry(self.get(name))
    }

    /// The text in a field; empty if there is none.
    pub fn text(&self, name: &str) -> &'r str {
        self.find(name).and_then(Value::as_text).unwrap_or("")
    }
}

/// Lists that are short enough to stand in the table of a field.
const FEW_WORDS: usize = 5;

const INTRODUCTION: &str = "\
# Definitions reference

Every kind of definition, with every field, its type, default and meaning.

A definition is one JSON object with a `kind` and a `name`. `define` reads it, reports every fault at once with its JSON pointer, and
refuses unknown fields. Examples on this page are complete and run as tests. In the tables, `t` is the instant of the
question. A field that is null is absent. Where the default is none, an absent field has no effect. A definition may be nested 32 levels deep and consist of 256 objects.

The page is made from the tables by which definitions are read: `cdp_core::definitions::reference()` returns them as data.

";

const FORMS_OF_TEXT: &str = "\
## Forms of text

| form | how it is written |
|---|---|
| duration | a positive integer and `ms`, `s`, `m`, `h`, `d` or `w`: `24h`, `30d` |
| time | RFC 3339 text such as `2024-01-31T00:00:00Z`, or milliseconds since 1970 |
| path | field names joined by dots, `*` for every item of a list: `address.city`, `products.*.price` |
| pattern | a regular expression in the syntax of the Rust crate `regex`, without look-around; it matches anywhere unless anchored |
| number | a JSON number; where numbers are compared, decimal text is a number too |

";

/// The page of a reference.
pub fn page(reference: &Value) -> String {
    let part = |name| Entry::list(reference, name);
    let mut out = INTRODUCTION.to_owned();
    contents(&mut out, &part("kinds"));
    out.push_str(FORMS_OF_TEXT);
    out.push_str("## Common fields\n\nEvery kind has these fields.\n\n");
    fields(&mut out, reference, &part("common"));
    for kind in part("kinds") {
        let name = kind.text("name");
        heading(&mut out, reference, 2, name, &kind);
        let common: Vec<&str> = part("common").iter().map(|field| field.text("name")).collect();
        let own: Vec<Entry<'_>> =
            kind.fields().into_iter().filter(|field| !common.contains(&field.text("name"))).collect();
        fields(&mut out, reference, &own);
        objects(&mut out, reference, name);
    }
    out.push_str(
        "## Rules\n\nA rule is a statement about one profile that is true or false at an instant. It is an object with exactly one \
         of the fields that name a node or leaf. Nodes join rules; leaves test one thing each.\n\n",
    );
    for shape in part("nodes").iter().chain(&part("leaves")) {
        heading(&mut out, reference, 3, &format!("Rule `{}`", shape.text("name")), shape);
        fields(&mut out, reference, &shape.fields());
    }
    objects(&mut out, reference, "rule");
    operators(&mut out, reference);
    out.push_str(
        "## Windows\n\nA feature or an `event` leaf counts the events of one window; without one, all events until t. Events \
         after t never count.\n\n",
    );
    fields(&mut out, reference, &part("windows"));
    aggregates(&mut out, reference);
    out.push_str(
        "## Source expressions\n\nAn expression states where a value of a message comes from. A text is a path in the row; an \
         object is one of these forms.\n\n",
    );
    for shape in part("expressions") {
        heading(&mut out, reference, 3, &format!("Expression `{}`", shape.text("name")), &shape);
        fields(&mut out, reference, &shape.fields());
    }
    out.push_str("## Linkage of tables\n\n");
    objects(&mut out, reference, "tables");
    words(&mut out, reference);
    let trimmed = out.trim_end().len();
    out.truncate(trimmed);
    out.push('\n');
    out
}

fn contents(out: &mut String, kinds: &[Entry<'_>]) {
    out.push_str("## Contents\n\n| section | what |\n|---|---|\n");
    let mut line = |title: &str, what: &str| {
        let _ = writeln!(out, "| [{title}](#{}) | {what} |", anchor(title));
    };
    line("Forms of text", "durations, times, paths, patterns");
    line("Common fields", "`kind`, `name` and what else every kind has");
    for kind in kinds {
        let purpose = kind.text("purpose");
        let first = purpose.split_once(". ").map_or_else(|| purpose.trim_end_matches('.'), |(first, _)| first);
        line(kind.text("name"), first);
    }
    line("Rules", "nodes and leaves of audiences, policies and predictors");
    line("Operators", "how a value is compared");
    line("Windows", "which events count, by their time");
    line("Aggregates", "how events become a value");
    line("Source expressions", "where a value of a message comes from");
    line("Linkage of tables", "the settings of `link`");
    line("Words", "the words of enumerations");
    out.push('\n');
}

/// The part of a link that names a heading, as GitHub and rustdoc derive it.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

fn heading(out: &mut String, reference: &Value, level: usize, title: &str, shape: &Entry<'_>) {
    let hashes = "#".repeat(level);
    let _ = write!(
        out,
        "{hashes} {title}\n\n{}\n\n```json\n{}\n```\n\n",
        shape.text("purpose"),
        Json::of(reference).lines(shape.get("example"), 0)
    );
}

fn objects(out: &mut String, reference: &Value, of: &str) {
    for object in Entry::list(reference, "objects").iter().filter(|object| object.text("of") == of) {
        heading(out, reference, 3, &title_of_object(object.text("name")), object);
        fields(out, reference, &object.fields());
    }
}

fn title_of_object(name: &str) -> String {
    format!("Object {}", name.replace('_', " "))
}

/// Writes JSON with the fields of an object in the order of the tables.
struct Json<'r> {
    order: Vec<&'r str>,
}

impl<'r> Json<'r> {
    /// The longest line of an example.
    const WIDTH: usize = 110;

    fn of(reference: &'r Value) -> Json<'r> {
        let names =
            |part: &str| Entry::list(reference, part).into_iter().map(|entry| entry.text("name")).collect::<Vec<_>>();
        let parts = ["kinds", "leaves", "nodes", "objects", "expressions"];
        let tables = parts.iter().flat_map(|part| Entry::list(reference, part)).flat_map(|shape| shape.fields());
        // The name of a leaf or form stands before what belongs to it.
        let heads = ["leaves", "nodes", "expressions"].iter().flat_map(|part| names(part));
        let order = ["kind", "name"].into_iter().chain(heads).chain(tables.map(|field| field.text("name"))).collect();
        Json { order }
    }

    fn fields<'v>(&self, value: &'v Value) -> Vec<(String, &'v Value)> {
        let rank = |name: &str| self.order.iter().position(|known| *known == name).unwrap_or(self.order.len());
        let mut fields: Vec<(&String, &Value)> = value.as_object().into_iter().flatten().collect();
        fields.sort_by_key(|(name, _)| rank(name));
        fields.into_iter().map(|(name, value)| (Value::from(name.as_str()).to_json(), value)).collect()
    }

    /// On one line, with a blank after each comma and colon.
    fn line(&self, value: &Value) -> String {
        match value {
            Value::Object(_) => {
                let fields =
                    self.fields(value).into_iter().map(|(name, value)| format!("{name}: {}", self.line(value)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
            Value::List(items) => {
                format!("[{}]", items.iter().map(|item| self.line(item)).collect::<Vec<_>>().join(", "))
            }
            other => other.to_json(),
        }
    }

    /// On several lines where one would be too long.
    fn lines(&self, value: &Value, indent: usize) -> String {
        let whole = self.line(value);
        let blanks = " ".repeat(indent + 2);
        let parts: Vec<String> = match value {
            _ if whole.len() + indent <= Json::WIDTH => return whole,
            Value::List(items) => {
                items.iter().map(|item| format!("{blanks}{}", self.lines(item, indent + 2))).collect()
            }
            _ => {
                let fields = self.fields(value).into_iter();
                fields.map(|(name, value)| format!("{blanks}{name}: {}", self.lines(value, indent + 2))).collect()
            }
        };
        let (open, close) = if matches!(value, Value::List(_)) { ('[', ']') } else { ('{', '}') };
        format!("{open}\n{}\n{}{close}", parts.join(",\n"), " ".repeat(indent))
    }

    /// As code in a table.
    fn code(&self, value: &Value) -> String {
        format!("`{}`", self.line(value).replace('|', "\\|"))
    }
}

fn fields(out: &mut String, reference: &Value, fields: &[Entry<'_>]) {
    out.push_str("| field | type | default | meaning | example |\n|---|---|---|---|---|\n");
    let json = Json::of(reference);
    for field in fields {
        let required = match field.get("required") {
            Value::Bool(true) => "required".to_owned(),
            _ => field.find("default").map(|value| json.code(value)).unwrap_or_else(|| {
                let text = [field.text("absent"), field.text("required_if")].concat();
                if text.is_empty() { "none".to_owned() } else { text }
            }),
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {required} | {} | {} |",
            field.text("name"),
            type_text(reference, &field.inner("type")),
            field.text("meaning"),
            json.code(field.get("example"))
        );
    }
    out.push('\n');
}

fn type_text(reference: &Value, described: &Entry<'_>) -> String {
    match described.text("type") {
        "any_text" => "text, also empty".to_owned(),
        "true" => "`true`".to_owned(),
        "json" => "any JSON".to_owned(),
        "rule" => "[rule](#rules)".to_owned(),
        "expression" => "[expression](#source-expressions)".to_owned(),
        "operand" => "by the operator".to_owned(),
        "integer" => {
            format!("integer, {} to {}", grouped(described.get("at_least")), grouped(described.get("at_most")))
        }
        "number" => {
            let bounds: Vec<String> =
                [("above", "above"), ("at_least", "at least"), ("below", "below"), ("at_most", "at most")]
                    .into_iter()
                    .filter_map(|(word, text)| described.find(word).map(|bound| format!("{text} {}", bound.to_json())))
                    .collect();
            if bounds.is_empty() { "number".to_owned() } else { format!("number, {}", bounds.join(", ")) }
        }
        "word" => {
            let name = described.text("words");
            let list = Entry(reference).inner("words").list_of(name);
            let linked = format!("[{}](#{})", name.replace('_', " "), anchor(&title_of_words(name)));
            match name {
                "kind" => "text".to_owned(),
                "operator" => "[operator](#operators)".to_owned(),
                "aggregate" => "[aggregate](#aggregates)".to_owned(),
                _ if list.len() > FEW_WORDS => linked,
                _ => {
                    let words: Vec<String> = list.iter().map(|word| format!("`{}`", word.text("word"))).collect();
                    format!("{linked}: {}", words.join(", "))
                }
            }
        }
        "object" => {
            let name = described.text("object");
            format!("[{}](#{})", name.replace('_', " "), anchor(&title_of_object(name)))
        }
        "list" => format!("list of {}", type_text(reference, &described.inner("items"))),
        "map" => {
            format!("object: {} to {}", described.text("keys"), type_text(reference, &described.inner("values")))
        }
        "either" => {
            let types: Vec<String> = described.list_of("of").iter().map(|one| type_text(reference, one)).collect();
            types.join(" or ")
        }
        other => other.to_owned(),
    }
}

/// An integer with a comma after each three digits.
fn grouped(number: &Value) -> String {
    let digits = number.to_json();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn operators(out: &mut String, reference: &Value) {
    out.push_str(
        "## Operators\n\nA value that is null is absent. Counts and scores are numbers; \"in `where`\" states whether an operator may \
         test the property of an event.\n\n| operator | value | holds for | counts and scores | in `where` |\n|---|---|---|---|---|\n",
    );
    for operator in Entry::list(reference, "operators") {
        let value = match operator.get("value") {
            Value::Null => "none".to_owned(),
            described => type_text(reference, &Entry(described)),
        };
        let yes = |name| if operator.get(name) == &Value::Bool(true) { "yes" } else { "no" };
        let (name, meaning) = (operator.text("name"), operator.text("meaning"));
        let _ = writeln!(out, "| `{name}` | {value} | {meaning} | {} | {} |", yes("numeric"), yes("property"));
    }
    out.push('\n');
}

fn aggregates(out: &mut String, reference: &Value) {
    out.push_str(
        "## Aggregates\n\nHow the events of a window become a value.\n\n| aggregate | `property` | gives | meaning |\n|---|---|---|---|\n",
    );
    for aggregate in Entry::list(reference, "aggregates") {
        let needs = if aggregate.get("needs_property") == &Value::Bool(true) { "required" } else { "refused" };
        let (name, meaning) = (aggregate.text("name"), aggregate.text("meaning"));
        let _ = writeln!(out, "| `{name}` | {needs} | {} | {meaning} |", aggregate.text("gives"));
    }
    out.push('\n');
}

fn title_of_words(name: &str) -> String {
    format!("Words of {}", name.replace('_', " "))
}

fn words(out: &mut String, reference: &Value) {
    out.push_str("## Words\n\nThe words that a field with an enumeration takes.\n\n");
    let lists = Entry(reference).get("words").as_object();
    for (name, _) in
        lists.into_iter().flatten().filter(|(name, _)| !["kind", "operator", "aggregate"].contains(&name.as_str()))
    {
        let _ = write!(out, "### {}\n\n| word | meaning |\n|---|---|\n", title_of_words(name));
        for word in Entry(reference).inner("words").list_of(name) {
            let _ = writeln!(out, "| `{}` | {} |", word.text("word"), word.text("meaning"));
        }
        out.push('\n');
    }
}
