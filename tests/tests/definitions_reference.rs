//! The reference of definitions, held to the readers: every example reads, every default is the one that is read, every word,
//! bound and field name is the one that the readers know, and the page is the one that the reference makes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must say where")]

use std::collections::BTreeSet;

use cdp_core::Error;
use cdp_core::definitions::{Body, Definition, LinkageDefinition, Rule, reference};
use cdp_core::records::{Object, Value};
use cdp_tests::json;
use cdp_tests::reference_page::{Entry, page, path_of_page};

/// Objects with their place in the reference.
fn shapes(reference: &Value) -> Vec<Entry<'_>> {
    let parts = ["kinds", "objects", "nodes", "leaves", "expressions"];
    parts.iter().flat_map(|part| Entry::list(reference, part)).collect()
}

/// The definition in which an object stands.
fn place(shape: &Entry<'_>, object: &Value) -> Value {
    fn fill(template: &Value, object: &Value) -> Value {
        match template {
            Value::Text(text) if text == "$" => object.clone(),
            Value::List(items) => Value::List(items.iter().map(|item| fill(item, object)).collect()),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, value)| (name.clone(), fill(value, object))).collect())
            }
            other => other.clone(),
        }
    }
    fill(shape.get("stands_in"), object)
}

/// Reads an object where it stands; the settings of `link` are no definition and have a reader of their own.
fn read(shape: &Entry<'_>, object: &Value) -> Result<Body, Error> {
    if shape.text("of") == "tables" {
        return LinkageDefinition::from_json(&object.to_json()).map(|linkage| {
            let text = linkage.to_json().unwrap();
            Definition::parse(&format!(
                r#"{{"kind": "policy", "name": "p", "purpose": "x", "choose": [], "otherwise": {text}}}"#
            ))
            .unwrap()
            .body
        });
    }
    Definition::from_value(&place(shape, object)).map(|definition| definition.body)
}

/// What a definition states, without the text of its rules.
fn meaning(mut body: Body) -> Body {
    fn strip(rule: &mut Rule) {
        match rule {
            Rule::All(rules) | Rule::Any(rules) | Rule::AtLeast { of: rules, .. } => rules.iter_mut().for_each(strip),
            Rule::Not(rule) => strip(rule),
            Rule::Leaf(leaf) => leaf.json = Value::Null,
        }
    }
    match &mut body {
        Body::Audience(audience) => strip(&mut audience.rule),
        Body::Policy(policy) => policy.choose.iter_mut().for_each(|choice| strip(&mut choice.when)),
        Body::Predictor(predictor) => predictor.rules.iter_mut().for_each(|cohort| strip(&mut cohort.when)),
        _ => {}
    }
    body
}

/// The shortest object with other fields over it; null takes a field away.
fn with(shape: &Entry<'_>, more: &[&Object]) -> Value {
    let mut object = shape.get("shortest").as_object().unwrap().clone();
    for (name, value) in more.iter().flat_map(|fields| fields.iter()) {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    Value::Object(object)
}

/// The shortest object that this field can stand in, with a value for it.
fn with_field(shape: &Entry<'_>, field: &Entry<'_>, value: &Value) -> Value {
    let own = Object::from([(field.text("name").to_owned(), value.clone())]);
    with(shape, &[field.get("beside").as_object().unwrap(), &own])
}

fn messages(shape: &Entry<'_>, object: &Value) -> Vec<String> {
    match read(shape, object) {
        Ok(_) => Vec::new(),
        Err(error) if error.faults().is_empty() => vec![error.to_string()],
        Err(error) => error.faults().iter().map(|fault| fault.message.clone()).collect(),
    }
}

fn assert_reads(what: &str, shape: &Entry<'_>, object: &Value) {
    let found = messages(shape, object);
    assert!(found.is_empty(), "{what}: {} is refused: {found:?}", place(shape, object).to_json());
}

#[test]
fn every_example_reads() {
    let reference = reference();
    for shape in shapes(&reference) {
        let name = shape.text("name");
        assert_reads(name, &shape, shape.get("shortest"));
        assert_reads(name, &shape, shape.get("example"));
        assert!(!shape.fields().is_empty(), "{name} has no fields");
        for field in shape.fields() {
            let what = format!("{name}.{}", field.text("name"));
            assert!(!field.get("example").is_null() || field.text("name") == "default", "{what} has no example");
            // The other kinds have examples of their own.
            let is_kind = field.text("name") == "kind";
            let example = if is_kind { shape.get("shortest").get("kind").unwrap() } else { field.get("example") };
            assert_reads(&what, &shape, &with_field(&shape, &field, example));
        }
    }
}

#[test]
fn a_default_is_what_an_absent_field_is_read_as() {
    let reference = reference();
    let (mut tested, mut wrong) = (0, Vec::new());
    for shape in shapes(&reference) {
        for field in shape.fields() {
            let Some(default) = field.find("default") else { continue };
            let what = format!("{}.{}", shape.text("name"), field.text("name"));
            let read_as = |value: &Value| {
                let object = with_field(&shape, &field, value);
                meaning(read(&shape, &object).unwrap_or_else(|error| panic!("{what}: {error:?}")))
            };
            if read_as(&Value::Null) != read_as(default) {
                wrong.push(format!("{what}: absent, it is not read as its default"));
            }
            if read_as(field.get("example")) == read_as(default) {
                wrong.push(format!("{what}: the example is the default"));
            }
            tested += 1;
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(tested > 40, "{tested} defaults");
}

#[test]
fn a_required_field_is_refused_when_it_is_absent_and_no_other_is() {
    let reference = reference();
    let mut wrong = Vec::new();
    for shape in shapes(&reference) {
        for field in shape.fields().into_iter().filter(|field| field.find("required_if").is_none()) {
            let name = field.text("name");
            let found = messages(&shape, &with_field(&shape, &field, &Value::Null));
            // Without the field that names a leaf or form, the object is none.
            let is_refused = found.iter().any(|message| {
                message.contains(&format!("the field `{name}` is missing"))
                    || message.contains(r#"predictor is {"event": name, "horizon": duration}"#)
                    || message.starts_with("not a rule")
                    || message.starts_with("expected an expression")
            });
            let is_right = if field.get("required") == &Value::Bool(true) { is_refused } else { found.is_empty() };
            if !is_right {
                wrong.push(format!("{}.{name} absent: {found:?}", shape.text("name")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Values with an unknown word, each where a type has a word of a list, and the list.
fn unknown_words<'r>(described: &Entry<'r>) -> Vec<(Value, &'r str)> {
    let unknown = Value::from("zzzzzzzz");
    match described.text("type") {
        "word" => vec![(unknown, described.text("words"))],
        "map" => unknown_words(&described.inner("values"))
            .into_iter()
            .map(|(value, words)| (Value::object([("traits.x", value)]), words))
            .collect(),
        "either" => described.list_of("of").iter().flat_map(unknown_words).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_words_of_an_enumeration_are_those_that_the_reader_lists() {
    let reference = reference();
    let mut seen = BTreeSet::new();
    for shape in shapes(&reference) {
        for field in shape.fields() {
            for (value, list) in unknown_words(&field.inner("type")) {
                let words: Vec<&str> = Entry::of(reference.get("words").unwrap())
                    .list_of(list)
                    .iter()
                    .map(|word| word.text("word"))
                    .collect();
                let found = messages(&shape, &with_field(&shape, &field, &value));
                let listed = format!("one of {}", words.join(", "));
                let is_listed = found.iter().any(|message| message.contains(&listed));
                // serde quotes the words of the settings of `link`.
                let is_quoted = shape.text("of") == "tables"
                    && words.iter().all(|word| found.iter().any(|message| message.contains(&format!("`{word}`"))));
                assert!(is_listed || is_quoted, "{}.{}: {found:?}", shape.text("name"), field.text("name"));
                seen.insert(list);
            }
        }
    }
    let all: BTreeSet<&str> = reference.get("words").unwrap().as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(seen, all, "every list of words belongs to a field");
}

#[test]
fn the_fields_of_an_object_are_those_that_the_reader_knows() {
    let reference = reference();
    let mut wrong = Vec::new();
    for shape in shapes(&reference).iter().filter(|shape| shape.text("name") != "field_map") {
        // The label of either task stands in one field and has one reader.
        let is_label =
            |other: &Entry<'_>| shape.text("name").ends_with("_label") && other.text("name").ends_with("_label");
        let documented: BTreeSet<String> = shapes(&reference)
            .iter()
            .filter(|other| other.text("name") == shape.text("name") || is_label(other))
            .flat_map(Entry::fields)
            .map(|field| field.text("name").to_owned())
            .collect();
        let stranger = Object::from([("zzzzzzzzzzzz".to_owned(), Value::integer(1))]);
        let found = messages(shape, &with(shape, &[&stranger])).join("\n");
        if shape.text("of") == "tables" {
            assert!(documented.iter().all(|name| found.contains(&format!("`{name}`"))), "{found}");
            continue;
        }
        let known = found.split("unknown field; allowed: ").nth(1).unwrap_or_else(|| panic!("{found}"));
        let known: BTreeSet<String> = known.lines().next().unwrap().split(", ").map(str::to_owned).collect();
        let undocumented: Vec<&String> = known.difference(&documented).collect();
        wrong.extend(undocumented.into_iter().map(|name| format!("{} reads `{name}`", shape.text("name"))));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_number_out_of_bounds_is_refused() {
    let reference = reference();
    for shape in shapes(&reference).iter().filter(|shape| shape.text("of") != "tables") {
        for field in shape.fields() {
            let (described, what) = (field.inner("type"), format!("{}.{}", shape.text("name"), field.text("name")));
            let refused = |value: &str| messages(shape, &with_field(shape, &field, &json(value)));
            let bound = |word| described.find(word).map(Value::to_json);
            match described.text("type") {
                "integer" => {
                    let (least, greatest) = (bound("at_least").unwrap(), bound("at_most").unwrap());
                    let stated = format!("expected an integer from {least} to {greatest}");
                    assert!(refused("-1").contains(&stated), "{what}: {:?}", refused("-1"));
                    assert!(refused("1.5").contains(&stated), "{what}");
                }
                "number" => {
                    for (word, beyond) in
                        [("above", "0"), ("at_least", "-1"), ("below", "1"), ("at_most", "2000000000")]
                    {
                        if described.find(word).is_some() {
                            assert!(!refused(beyond).is_empty(), "{what} takes {beyond}");
                        }
                    }
                    for word in ["at_least", "at_most"] {
                        if let Some(included) = bound(word) {
                            assert_eq!(refused(&included), Vec::<String>::new(), "{what} takes its bound");
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// The operand of an example, by the type of the operator's value.
fn operand(described: &Entry<'_>, operator: &str) -> Value {
    match described.text("type") {
        _ if operator.starts_with("semver") => Value::from("2.10.0"),
        "list" => Value::List(vec![operand(&described.inner("items"), operator)]),
        "either" => json("[1, 2]"),
        "time" => Value::from("2024-01-01T00:00:00Z"),
        "duration" => Value::from("7d"),
        "number" | "json" => Value::integer(1),
        "text" | "pattern" => Value::from("a"),
        other => panic!("no operand of the type {other}"),
    }
}

#[test]
fn every_operator_reads_where_the_reference_allows_it() {
    let reference = reference();
    let read = |rule: &str| Rule::from_value(&json(rule)).is_ok();
    for operator in Entry::list(&reference, "operators") {
        let name = operator.text("name");
        let value = match operator.get("value") {
            Value::Null => String::new(),
            _ => format!(r#", "value": {}"#, operand(&operator.inner("value"), name).to_json()),
        };
        let test = format!(r#""op": "{name}"{value}"#);
        assert!(read(&format!(r#"{{"trait": "plan", {test}}}"#)), "{name}");
        let in_where = read(&format!(r#"{{"event": "*", "where": [{{"property": "a", {test}}}]}}"#));
        assert_eq!(Value::Bool(in_where), *operator.get("property"), "{name} in `where`");
        let of_number = read(&format!(r#"{{"event": "*", "agg": "sum", "property": "a", {test}}}"#));
        assert_eq!(Value::Bool(of_number), *operator.get("numeric"), "{name} of a number");
        let other = if value.is_empty() { r#", "value": 1"# } else { r#", "value": {}"# };
        let takes_any = ["eq", "ne", "contains", "not_contains"].contains(&name);
        assert!(takes_any || !read(&format!(r#"{{"trait": "plan", "op": "{name}"{other}}}"#)), "{name}{other}");
    }
}

#[test]
fn every_aggregate_reads_with_the_fields_that_it_needs() {
    let reference = reference();
    for aggregate in Entry::list(&reference, "aggregates") {
        let (name, needs) = (aggregate.text("name"), aggregate.get("needs_property") == &Value::Bool(true));
        let feature = |more: &str| {
            Definition::parse(&format!(r#"{{"kind": "feature", "name": "f", "agg": "{name}"{more}}}"#)).is_ok()
        };
        assert_eq!((feature(""), feature(r#", "property": "a""#)), (!needs, needs), "{name}");
        let property = if needs { r#", "property": "a""# } else { "" };
        let compares = |test: &str| {
            Rule::from_value(&json(&format!(r#"{{"event": "*", "agg": "{name}"{property}, {test}}}"#))).is_ok()
        };
        let (number, time) = (compares(r#""op": "gt", "value": 1"#), compares(r#""op": "within_last", "value": "1d""#));
        let text = compares(r#""op": "contains", "value": "a""#);
        let expected = match aggregate.text("gives") {
            "number" => (true, false, false),
            "time" => (true, true, true),
            _ => (true, false, true),
        };
        assert_eq!((number, time, text), expected, "{name}");
    }
}

#[test]
fn every_name_in_a_type_is_described() {
    fn names(described: &Entry<'_>, found: &mut BTreeSet<String>) {
        match described.text("type") {
            "object" => drop(found.insert(described.text("object").to_owned())),
            "list" => names(&described.inner("items"), found),
            "map" => names(&described.inner("values"), found),
            "either" => described.list_of("of").iter().for_each(|one| names(one, found)),
            _ => {}
        }
    }
    let reference = reference();
    let mut used = BTreeSet::from(["linkage".to_owned()]);
    for shape in shapes(&reference) {
        shape.fields().iter().for_each(|field| names(&field.inner("type"), &mut used));
    }
    let described: BTreeSet<String> =
        Entry::list(&reference, "objects").iter().map(|object| object.text("name").to_owned()).collect();
    assert_eq!(used, described);
}

#[test]
fn the_page_is_the_one_that_the_reference_makes() {
    let made = page(&reference());
    let path = path_of_page();
    if std::env::var_os("CDP_WRITE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(stored.lines()).position(|(made, stored)| made != stored);
    assert!(
        made == stored,
        "cdp-core/docs/definitions.md is not the page of today's reference (line {:?}); write it again with\n  \
         CDP_WRITE=1 cargo test -p cdp-tests --test definitions_reference page",
        differs.map(|line| line + 1)
    );
}
