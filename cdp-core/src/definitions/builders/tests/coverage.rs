//! The builders against the reference: a field, rule, operator, expression or word that no builder makes is a failure.
//!
//! The samples are read by the readers and then walked by the types of the reference, so that nothing is counted but what
//! stands in a definition that is accepted.

use std::collections::BTreeSet;

use super::samples;
use crate::definitions::{Definition, LinkageDefinition, reference};
use crate::records::{Object, Value};

/// The parts of the reference that describe objects.
const PARTS: [&str; 5] = ["kinds", "objects", "nodes", "leaves", "expressions"];

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_text).unwrap()
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_list).unwrap()
}

/// What the walk has met: `part/object.field`, and `words/list.word`.
struct Walk<'r> {
    reference: &'r Value,
    met: BTreeSet<String>,
}

impl<'r> Walk<'r> {
    fn shape(&self, part: &str, name: &str) -> Option<&'r Value> {
        list(self.reference, part).iter().find(|shape| text(shape, "name") == name)
    }

    /// The shape that one of the keys names, as those of rules and expressions do.
    fn named(&self, part: &str, object: &Object) -> Option<&'r str> {
        list(self.reference, part).iter().map(|shape| text(shape, "name")).find(|name| object.contains_key(*name))
    }

    fn has_every_key(&self, name: &str, object: &Object) -> bool {
        let fields = list(self.shape("objects", name).unwrap(), "fields");
        object.keys().all(|key| fields.iter().any(|field| text(field, "name") == key))
    }

    fn object(&mut self, part: &str, name: &str, object: &Object) {
        let fields = list(self.shape(part, name).unwrap(), "fields");
        for (key, value) in object {
            match fields.iter().find(|field| text(field, "name") == key) {
                Some(field) => {
                    self.met.insert(format!("{part}/{name}.{key}"));
                    self.value(field.get("type").unwrap(), value);
                }
                None => {
                    assert_eq!(name, "field_map", "`{key}` is no field of {part}/{name}");
                    self.expression(value);
                }
            }
        }
    }

    fn value(&mut self, described: &Value, value: &Value) {
        match text(described, "type") {
            "word" => self.word(text(described, "words"), value.as_text().unwrap()),
            "object" => self.object("objects", text(described, "object"), value.as_object().unwrap()),
            "list" => {
                for item in value.as_list().unwrap() {
                    self.value(described.get("items").unwrap(), item);
                }
            }
            "map" => {
                for (key, value) in value.as_object().unwrap() {
                    if text(described, "keys") == "numeric operator" {
                        self.word("operator", key);
                    }
                    self.value(described.get("values").unwrap(), value);
                }
            }
            "either" => {
                let chosen = list(described, "of").iter().find(|one| self.fits(one, value));
                self.value(chosen.unwrap(), value);
            }
            "rule" => {
                let rule = value.as_object().unwrap();
                let (part, name) = ["nodes", "leaves"]
                    .into_iter()
                    .find_map(|part| self.named(part, rule).map(|name| (part, name)))
                    .unwrap();
                self.object(part, name, rule);
            }
            "expression" => self.expression(value),
            _ => {}
        }
    }

    fn fits(&self, described: &Value, value: &Value) -> bool {
        match (text(described, "type"), value) {
            ("list", Value::List(_)) | ("integer", Value::Number(_)) | ("expression", Value::Text(_)) => true,
            ("expression", Value::Object(object)) => self.named("expressions", object).is_some(),
            ("object", Value::Object(object)) => {
                let name = text(described, "object");
                name == "field_map" || self.has_every_key(name, object)
            }
            ("text" | "path" | "word", Value::Text(_)) => true,
            _ => false,
        }
    }

    fn word(&mut self, words: &str, word: &str) {
        self.met.insert(format!("words/{words}.{word}"));
    }

    fn expression(&mut self, value: &Value) {
        if let Value::Object(object) = value {
            let form = self.named("expressions", object).unwrap();
            self.object("expressions", form, object);
        }
    }
}

/// Everything that the reference describes, named as a walk names it.
fn described(reference: &Value) -> BTreeSet<String> {
    let mut described = BTreeSet::new();
    for part in PARTS {
        for shape in list(reference, part) {
            let name = text(shape, "name");
            described
                .extend(list(shape, "fields").iter().map(|field| format!("{part}/{name}.{}", text(field, "name"))));
        }
    }
    for (name, words) in reference.get("words").and_then(Value::as_object).unwrap() {
        let mut meanings = BTreeSet::new();
        for word in words.as_list().unwrap() {
            // A builder makes one of several words that mean one thing.
            let meaning = text(word, "meaning");
            if meanings.insert(meaning) && !meaning.starts_with("Another word for") {
                described.insert(format!("words/{name}.{}", text(word, "word")));
            }
        }
    }
    described
}

#[test]
fn every_field_and_word_of_the_reference_is_made_by_a_builder() {
    let reference = reference();
    let mut walk = Walk { reference: &reference, met: BTreeSet::new() };
    for sample in samples::all() {
        let read = Definition::from_value(&sample);
        assert!(read.is_ok(), "{}: {:?}", sample.to_json(), read.err());
        walk.object("kinds", text(&sample, "kind"), sample.as_object().unwrap());
    }
    // The settings of `link` for plain tables are no definition; their type is their builder.
    let linkage = Value::parse(LinkageDefinition::default().to_json().unwrap().as_bytes()).unwrap();
    walk.object("objects", "linkage", linkage.as_object().unwrap());

    let described = described(&reference);
    let missing: Vec<&String> = described.difference(&walk.met).collect();
    assert!(missing.is_empty(), "no builder makes {missing:#?}");
    assert!(described.len() > 300, "{} fields and words", described.len());
}

#[test]
fn a_field_that_no_sample_has_is_found_missing() {
    let reference = reference();
    let mut walk = Walk { reference: &reference, met: BTreeSet::new() };
    for sample in samples::all() {
        let mut object = sample.as_object().unwrap().clone();
        object.remove("ttl");
        walk.object("kinds", text(&sample, "kind"), &object);
    }
    assert!(!walk.met.contains("kinds/feature.ttl"));
    assert!(described(&reference).contains("kinds/feature.ttl"));
}

#[test]
fn the_words_of_the_reference_are_those_of_its_operators_and_aggregates() {
    let reference = reference();
    let described = described(&reference);
    for (part, words) in [("operators", "operator"), ("aggregates", "aggregate")] {
        for described_word in list(&reference, part).iter().filter(|word| !text(word, "meaning").starts_with("Another"))
        {
            let name = text(described_word, "name");
            assert!(described.contains(&format!("words/{words}.{name}")), "{name}");
        }
    }
    for window in list(&reference, "windows") {
        assert!(described.contains(&format!("kinds/feature.{}", text(window, "name"))));
        assert!(described.contains(&format!("leaves/event.{}", text(window, "name"))));
    }
}
