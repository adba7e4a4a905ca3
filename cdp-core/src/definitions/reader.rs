//! Reads a definition out of JSON and reports every fault at once, each at its JSON pointer.
//!
//! serde stops at the first fault; a person who writes a definition by hand wants all of them, with the allowed words
//! and the nearest one to a misspelt field.

use std::cell::RefCell;

use super::schema::{Field, Words};
use crate::error::Fault;
use crate::records::{Duration, Number, Object, Path, Timestamp, Value};

/// How deep a definition may nest, and of how many values it may consist.
pub const MAX_DEFINITION_DEPTH: usize = 32;
/// How many objects a rule tree or expression may consist of.
pub const MAX_DEFINITION_NODES: usize = 256;

/// Why a definition is refused before it is read: too deep or too large.
pub(super) fn too_large(value: &Value) -> Option<String> {
    fn measure(value: &Value, depth: usize, nodes: &mut usize) -> usize {
        match value {
            Value::Object(object) => {
                *nodes += 1;
                object.values().map(|inner| measure(inner, depth + 1, nodes)).max().unwrap_or(depth)
            }
            Value::List(items) => items.iter().map(|inner| measure(inner, depth + 1, nodes)).max().unwrap_or(depth),
            _ => depth,
        }
    }
    let mut nodes = 0;
    let depth = measure(value, 0, &mut nodes);
    if depth > MAX_DEFINITION_DEPTH {
        Some(format!("nested {depth} levels deep; at most {MAX_DEFINITION_DEPTH} are allowed"))
    } else if nodes > MAX_DEFINITION_NODES {
        Some(format!("made of {nodes} objects; at most {MAX_DEFINITION_NODES} are allowed"))
    } else {
        None
    }
}

/// Collects the faults of one document.
#[derive(Debug, Default)]
pub(crate) struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    /// Notes a fault at a pointer.
    pub(crate) fn add(&self, pointer: &str, message: impl Into<String>) {
        let pointer = if pointer.is_empty() { "/" } else { pointer };
        self.0.borrow_mut().push(Fault { pointer: pointer.to_owned(), message: message.into() });
    }

    /// The faults, in the order they were found.
    pub(crate) fn into_vec(self) -> Vec<Fault> {
        self.0.into_inner()
    }

    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// A value of a document and where it stands; `Copy`, so that a check can look twice.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    /// The value.
    pub(crate) value: &'a Value,
    /// Where faults go.
    pub(crate) faults: &'a Faults,
    pointer: PointerLink<'a>,
}

// A pointer is built only when there is a fault to report: each node knows its parent on the stack.
#[derive(Clone, Copy)]
enum PointerLink<'a> {
    Root,
    Text(&'a str),
}

impl<'a> Node<'a> {
    /// The root of a document.
    pub(crate) fn root(value: &'a Value, faults: &'a Faults) -> Node<'a> {
        Node { value, faults, pointer: PointerLink::Root }
    }

    /// A value at a known pointer.
    pub(crate) fn at(value: &'a Value, pointer: &'a str, faults: &'a Faults) -> Node<'a> {
        Node { value, faults, pointer: PointerLink::Text(pointer) }
    }

    /// The JSON pointer of this value.
    pub(crate) fn pointer(&self) -> &'a str {
        match self.pointer {
            PointerLink::Root => "",
            PointerLink::Text(text) => text,
        }
    }

    /// Notes a fault here.
    pub(crate) fn fault(&self, message: impl Into<String>) {
        self.faults.add(self.pointer(), message);
    }

    /// Notes that something else was expected here; the message names the kind of the value, never its content.
    pub(crate) fn expected(&self, what: &str) {
        self.fault(format!("expected {what}, found {}", self.value.kind()));
    }

    /// The fields of an object; a fault and `None` for anything else.
    pub(crate) fn fields(&self) -> Option<Fields<'a>> {
        match self.value {
            Value::Object(object) => {
                Some(Fields { object, pointer: self.pointer().to_owned(), faults: self.faults, known: Vec::new() })
            }
            _ => {
                self.expected("an object");
                None
            }
        }
    }

    /// Text that is not empty.
    pub(crate) fn text(&self) -> Option<String> {
        match self.value {
            Value::Text(text) if !text.is_empty() => Some(text.clone()),
            Value::Text(_) => {
                self.fault("expected text that is not empty");
                None
            }
            _ => {
                self.expected("text");
                None
            }
        }
    }

    /// One of the words of a list.
    pub(crate) fn word<T: Clone>(&self, words: &Words<T>) -> Option<T> {
        let found = self.value.as_text().and_then(|text| words.find(text));
        if found.is_none() {
            let allowed: Vec<&str> = words.rows.iter().map(|(word, ..)| *word).collect();
            self.fault(format!("expected one of {}", allowed.join(", ")));
        }
        found
    }

    /// True or false.
    pub(crate) fn boolean(&self) -> Option<bool> {
        let truth = self.value.as_bool();
        if truth.is_none() {
            self.expected("true or false");
        }
        truth
    }

    /// A number.
    pub(crate) fn number(&self) -> Option<Number> {
        let number = self.value.as_number();
        if number.is_none() {
            self.expected("a number");
        }
        number
    }

    /// An integer within bounds, both included.
    pub(crate) fn integer(&self, least: i64, greatest: i64) -> Option<i64> {
        let integer = self.value.as_number().and_then(Number::as_i64).filter(|n| (least..=greatest).contains(n));
        if integer.is_none() {
            self.fault(format!("expected an integer from {least} to {greatest}"));
        }
        integer
    }

    /// A duration such as `24h`.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let duration = self.value.as_text().and_then(Duration::parse);
        if duration.is_none() {
            self.fault("expected a duration: a positive integer and ms, s, m, h, d or w, such as 24h or 30d");
        }
        duration
    }

    /// An instant: RFC 3339 text or milliseconds since 1970.
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        let time = match self.value {
            Value::Text(text) => Timestamp::parse(text).ok(),
            Value::Number(number) => number.as_i64().and_then(|millis| Timestamp::checked_from_millis(millis).ok()),
            _ => None,
        };
        if time.is_none() {
            self.fault("expected a time: RFC 3339 text such as 2024-01-31T00:00:00Z, or milliseconds since 1970");
        }
        time
    }

    /// A path such as `products.*.price`.
    pub(crate) fn path(&self) -> Option<Path> {
        let path = self.value.as_text().and_then(Path::parse);
        if path.is_none() {
            self.fault("expected a path: field names joined by dots, `*` for every item of a list");
        }
        path
    }

    /// Reads each item of an array; faults are noted for the items that do not read.
    pub(crate) fn list<T>(&self, mut read: impl FnMut(Node<'_>) -> Option<T>) -> Option<Vec<T>> {
        let Some(items) = self.value.as_list() else {
            self.expected("a list");
            return None;
        };
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let pointer = format!("{}/{index}", self.pointer());
            list.extend(read(Node::at(item, &pointer, self.faults)));
        }
        (list.len() == items.len()).then_some(list)
    }

    /// Reads each field of an object whose keys are the user's own.
    pub(crate) fn entries<T>(&self, mut read: impl FnMut(&str, Node<'_>) -> Option<T>) -> Option<Vec<(String, T)>> {
        let Some(object) = self.value.as_object() else {
            self.expected("an object");
            return None;
        };
        let mut entries = Vec::with_capacity(object.len());
        for (key, value) in object {
            let pointer = format!("{}/{}", self.pointer(), escape(key));
            entries.extend(read(key, Node::at(value, &pointer, self.faults)).map(|entry| (key.clone(), entry)));
        }
        (entries.len() == object.len()).then_some(entries)
    }
}

/// What a field is asked for by: its row in a table, so that no field is read that the reference does not list.
pub(crate) trait Named: Copy {
    /// The key in the object.
    fn name(self) -> &'static str;
}

impl Named for &'static Field {
    fn name(self) -> &'static str {
        self.name
    }
}

/// Tests of this file read objects that are no definition.
#[cfg(test)]
impl Named for &'static str {
    fn name(self) -> &'static str {
        self
    }
}

/// The fields of an object in a document: ask for each by name, then [`Fields::finish`] refuses the others.
pub(crate) struct Fields<'a> {
    object: &'a Object,
    pointer: String,
    faults: &'a Faults,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Whether a field is there and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| !value.is_null())
    }

    /// Reads a field if it is there and not null. `None` if it is absent, or if `read` noted a fault.
    pub(crate) fn optional<T>(&mut self, field: impl Named, read: impl FnOnce(Node<'_>) -> Option<T>) -> Option<T> {
        let name = field.name();
        self.known.push(name);
        let value = self.object.get(name).filter(|value| !value.is_null())?;
        let pointer = format!("{}/{name}", self.pointer);
        read(Node::at(value, &pointer, self.faults))
    }

    /// Reads a field that must be there.
    pub(crate) fn required<T>(&mut self, field: impl Named, read: impl FnOnce(Node<'_>) -> Option<T>) -> Option<T> {
        let name = field.name();
        if !self.has(name) {
            self.known.push(name);
            self.fault(format!("the field `{name}` is missing"));
            return None;
        }
        self.optional(field, read)
    }

    /// Notes a fault about the object as a whole.
    pub(crate) fn fault(&self, message: impl Into<String>) {
        self.faults.add(&self.pointer, message);
    }

    /// The names of the fields that are there.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.object.keys().map(String::as_str)
    }

    /// Refuses every field that was not asked for, with the nearest known name.
    pub(crate) fn finish(self) {
        for name in self.object.keys() {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let pointer = format!("{}/{}", self.pointer, escape(name));
            self.faults.add(&pointer, format!("unknown field; {}", near_or_all(name, "allowed", &self.known)));
        }
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The candidate nearest to `name` by Levenshtein distance, if it is near enough to be a slip of the keyboard.
pub(crate) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let allowed_edits = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed_edits)
        .min()
        .map(|(_, candidate)| candidate)
}

/// What to say of an unknown name: the known name that was meant, else all of them behind what they are.
pub(crate) fn near_or_all(name: &str, what: &str, known: &[impl AsRef<str>]) -> String {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what}: {}", known.join(", ")),
    }
}

fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, left_char) in left.chars().enumerate() {
        let mut diagonal = row;
        let mut last = row + 1;
        let mut current = vec![last];
        for (above, right_char) in previous.iter().skip(1).zip(&right) {
            last = (last + 1).min(above + 1).min(diagonal + usize::from(left_char != *right_char));
            diagonal = *above;
            current.push(last);
        }
        previous = current;
    }
    previous.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported_with_its_pointer() {
        let document = Value::parse(br#"{"within": "30x", "lable": 1, "rule": {"all": [{"a/b": 1}]}}"#).unwrap();
        let faults = Faults::default();
        let mut fields = Node::root(&document, &faults).fields().unwrap();
        assert_eq!(fields.required("within", |node| node.duration()), None);
        assert_eq!(fields.required("label", |node| node.text()), None);
        fields.optional("rule", |node| {
            let mut rule = node.fields()?;
            rule.required("all", |all| {
                all.list(|item| {
                    item.fields()?.finish();
                    Some(())
                })
            });
            rule.finish();
            Some(())
        });
        fields.finish();
        let found: Vec<String> = faults.into_vec().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(found, ["/within", "/", "/rule/all/0/a~1b", "/lable"]);
    }

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        assert_eq!(nearest("withn", ["within", "where"].into_iter()), Some("within"));
        assert_eq!(nearest("colour", ["within", "where"].into_iter()), None);
    }
}
