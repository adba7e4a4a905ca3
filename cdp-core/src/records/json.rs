//! Canonical JSON text that is read in place: a message flows as one text with the places of its members.
//!
//! It takes bytes and leaves canonical text (keys sorted, numbers as normalized decimals, no white space), exactly what
//! [`Value::to_json`] gives, without building the value. What is unusual (an escaped key, a broken text) it leaves to
//! [`Value::parse`], which alone decides what is a fault.

mod canonical;

use std::borrow::Cow;
use std::fmt;

use super::value::{write_json_object, write_json_text};
use super::{Number, Object, Path, Value};

/// An object as canonical JSON text.
#[derive(Clone)]
pub struct JsonObject {
    text: String,
    /// The members; behind them those of the values that are objects, one value after the other, by their places in the value.
    places: Box<[Member]>,
    n_members: u32,
}

impl PartialEq for JsonObject {
    fn eq(&self, other: &JsonObject) -> bool {
        self.text == other.text
    }
}

impl Eq for JsonObject {}

/// Where a member stands in the text. Its value begins behind `":`.
#[derive(Clone, Copy, Debug)]
struct Member {
    key_start: u32,
    key_end: u32,
    value_end: u32,
    /// Which of the object's inner members are those of the value; none where they were not noted.
    inner_start: u32,
    inner_end: u32,
}

impl Member {
    fn new(key_start: u32, key_end: u32, value_end: u32) -> Member {
        Member { key_start, key_end, value_end, inner_start: 0, inner_end: 0 }
    }

    fn key(self, text: &str) -> &str {
        text.get(self.key_start as usize..self.key_end as usize).unwrap_or_default()
    }

    fn value(self, text: &str) -> &str {
        text.get((self.key_end + BEHIND_KEY) as usize..self.value_end as usize).unwrap_or_default()
    }
}

/// What stands between a key and its value: `":`.
const BEHIND_KEY: u32 = 2;

/// One value of canonical JSON text.
#[derive(Clone, Copy)]
pub struct Json<'a> {
    text: &'a str,
    /// Where the members of an object stand, if that is known: then none is looked for.
    places: &'a [Member],
}

impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Json<'_> {}

/// Shows the names of the members, never a value.
impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members().map(|(key, _)| key)).finish()
    }
}

/// Shows the kind of the value, never the value.
impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl JsonObject {
    /// The canonical text of an object in memory.
    pub fn of(object: &Object) -> JsonObject {
        let mut text = String::with_capacity(256);
        write_json_object(object, &mut text);
        JsonObject::from_canonical(text).unwrap_or_else(|| JsonObject::from_places("{}".to_owned(), Vec::new()))
    }

    /// The object of a text that is canonical already; `None` if it is no object.
    pub fn from_canonical(text: String) -> Option<JsonObject> {
        let members = member_places(&text)?;
        Some(JsonObject::from_places(text, members))
    }

    fn from_places(text: String, members: Vec<Member>) -> JsonObject {
        let n_members = members.len() as u32;
        JsonObject { text, places: members.into_boxed_slice(), n_members }
    }

    /// The canonical text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The member of this name.
    pub fn get(&self, key: &str) -> Option<Json<'_>> {
        self.members().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Every member in the order of its key; keys as they stand in the text, escaped where JSON escapes.
    pub fn members(&self) -> impl Iterator<Item = (&str, Json<'_>)> {
        let (members, inner) = self.places.split_at_checked(self.n_members as usize).unwrap_or_default();
        members.iter().map(move |member| {
            let places = inner.get(member.inner_start as usize..member.inner_end as usize).unwrap_or_default();
            (member.key(&self.text), Json { text: member.value(&self.text), places })
        })
    }

    /// The object as a value.
    pub fn to_object(&self) -> Object {
        match Value::parse(self.text.as_bytes()) {
            Ok(Value::Object(object)) => object,
            _ => Object::new(),
        }
    }

    /// The object with one more member, or another value for one.
    #[must_use]
    pub fn with_text(&self, key: &str, value: &str) -> JsonObject {
        let mut literal = String::with_capacity(value.len() + 2);
        write_json_text(value, &mut literal);
        let mut edit = JsonObjectBuilder::with_capacity(self.text.len() + literal.len() + key.len() + 4);
        let mut pending = Some(Json::from_canonical(&literal));
        for (name, value) in self.members() {
            if name >= key
                && let Some(literal) = pending.take()
            {
                edit.push(key, literal);
            }
            if name != key {
                edit.push(name, value);
            }
        }
        if let Some(literal) = pending {
            edit.push(key, literal);
        }
        edit.finish()
    }
}

/// Puts an object together from members in the order of their keys.
pub struct JsonObjectBuilder {
    text: String,
    members: Vec<Member>,
}

impl JsonObjectBuilder {
    /// A builder for a text of about this many bytes.
    pub fn with_capacity(bytes: usize) -> JsonObjectBuilder {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        JsonObjectBuilder { text, members: Vec::with_capacity(16) }
    }

    /// Adds a member whose key comes after all before; the key as it stands in canonical text.
    pub fn push(&mut self, key: &str, value: Json<'_>) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push('"');
        let place = |text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let key_start = place(&self.text);
        self.text.push_str(key);
        let key_end = place(&self.text);
        self.text.push_str("\":");
        self.text.push_str(value.text);
        self.members.push(Member::new(key_start, key_end, place(&self.text)));
    }

    /// The object.
    pub fn finish(mut self) -> JsonObject {
        self.text.push('}');
        JsonObject::from_places(self.text, self.members)
    }
}

impl<'a> Json<'a> {
    /// A value of text that is canonical already.
    pub fn from_canonical(text: &'a str) -> Json<'a> {
        Json { text, places: &[] }
    }

    /// The canonical text.
    pub fn text(self) -> &'a str {
        self.text
    }

    fn first(self) -> u8 {
        self.text.as_bytes().first().copied().unwrap_or(b'n')
    }

    /// Whether this is null.
    pub fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// The word for this kind of value in messages, as [`Value::kind`] has it.
    pub fn kind(self) -> &'static str {
        match self.first() {
            b'n' => "null",
            b't' | b'f' => "boolean",
            b'"' => "text",
            b'[' => "list",
            b'{' => "object",
            _ => "number",
        }
    }

    /// The text, if this is text.
    pub fn as_text(self) -> Option<Cow<'a, str>> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        if inner.as_bytes().contains(&b'\\') {
            return serde_json::from_str(self.text).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(inner))
    }

    /// The number, if this is a number.
    pub fn as_number(self) -> Option<Number> {
        matches!(self.first(), b'-' | b'0'..=b'9').then(|| Number::parse(self.text).ok()).flatten()
    }

    /// Whether this is plainly true.
    pub fn is_true(self) -> bool {
        self.text == "true"
    }

    /// The members, if this is an object; keys unescaped.
    pub fn members(self) -> Option<impl Iterator<Item = (Cow<'a, str>, Json<'a>)>> {
        let mut rest = Members::of(self.text)?;
        let mut places = self.places.iter();
        let has_places = !self.places.is_empty();
        Some(std::iter::from_fn(move || {
            let (key, value) = if has_places { self.member(places.next()?) } else { rest.next()? };
            Some((unescaped(key), value))
        }))
    }

    fn member(self, place: &Member) -> (&'a str, Json<'a>) {
        (place.key(self.text), Json::from_canonical(place.value(self.text)))
    }

    /// The member of this name, if this is an object that has it.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        // A key with something to escape is rare; then all keys are compared unescaped.
        let plain = !key.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
        let is_it = |name: &str| if plain { name == key } else { unescaped(name) == key };
        if self.places.is_empty() {
            return Members::of(self.text)?.find(|(name, _)| is_it(name)).map(|(_, value)| value);
        }
        self.places.iter().find(|place| is_it(place.key(self.text))).map(|place| self.member(place).1)
    }

    /// The items, if this is an array.
    pub fn items(self) -> Option<impl Iterator<Item = Json<'a>>> {
        let mut rest = self.text.strip_prefix('[')?;
        Some(std::iter::from_fn(move || {
            rest = rest.strip_prefix(',').unwrap_or(rest);
            let end = value_end(rest.as_bytes())?;
            let (value, behind) = rest.split_at_checked(end)?;
            rest = behind;
            Some(Json::from_canonical(value))
        }))
    }

    /// The value in memory.
    pub fn to_value(self) -> Value {
        match self.first() {
            b'n' => Value::Null,
            b't' => Value::Bool(true),
            b'f' => Value::Bool(false),
            b'"' => self.as_text().map_or(Value::Null, |text| Value::Text(text.into_owned())),
            b'[' | b'{' => Value::parse(self.text.as_bytes()).unwrap_or_default(),
            _ => self.as_number().map_or(Value::Null, Value::Number),
        }
    }

    /// What [`Path::find`] finds in the value.
    pub fn find(self, path: &Path) -> Option<Value> {
        if path.is_multiple() {
            return path.find(&self.to_value());
        }
        if let Some(direct) = self.get(path.as_str()) {
            return Some(direct.to_value());
        }
        let mut at = self;
        for step in path.steps() {
            at = match at.first() {
                b'[' => at.items()?.nth(step.parse().ok()?)?,
                _ => at.get(step)?,
            };
        }
        Some(at.to_value())
    }
}

fn unescaped(key: &str) -> Cow<'_, str> {
    if !key.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(key);
    }
    serde_json::from_str(&format!("\"{key}\"")).map_or(Cow::Borrowed(key), Cow::Owned)
}

/// The members of canonical text, one after the other: key as it stands, value.
struct Members<'a> {
    rest: &'a str,
}

impl<'a> Members<'a> {
    fn of(text: &'a str) -> Option<Members<'a>> {
        text.strip_prefix('{').map(|rest| Members { rest })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Json<'a>);

    fn next(&mut self) -> Option<(&'a str, Json<'a>)> {
        let rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
        let behind_quote = rest.strip_prefix('"')?;
        let key_end = string_end(behind_quote.as_bytes())?;
        let key = behind_quote.get(..key_end)?;
        let value = behind_quote.get(key_end + BEHIND_KEY as usize..)?;
        let (value, rest) = value.split_at_checked(value_end(value.as_bytes())?)?;
        self.rest = rest;
        Some((key, Json::from_canonical(value)))
    }
}

fn member_places(text: &str) -> Option<Vec<Member>> {
    if u32::try_from(text.len()).is_err() || !text.ends_with('}') {
        return None;
    }
    let mut members = Vec::with_capacity(16);
    let base = text.as_ptr() as usize;
    // Both slices lie in `text`, whose length fits 32 bits.
    let place = |part: &str| u32::try_from(part.as_ptr() as usize - base).unwrap_or(u32::MAX);
    for (key, value) in Members::of(text)? {
        let (key_start, value_start) = (place(key), place(value.text));
        members.push(Member::new(key_start, key_start + key.len() as u32, value_start + value.text.len() as u32));
    }
    Some(members)
}

/// Where the string ends whose first byte behind the quote this is: the place of its closing quote.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let found = rest.iter().position(|byte| *byte == b'"' || *byte == b'\\')?;
        if rest.get(found) == Some(&b'"') {
            return Some(at + found);
        }
        at += found + 2;
    }
}

/// How long the canonical value is that these bytes begin with.
fn value_end(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => Some(string_end(bytes.get(1..)?)? + 2),
        b'{' | b'[' => {
            let (mut at, mut depth) = (0, 0usize);
            loop {
                let rest = bytes.get(at..)?;
                let found = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))?;
                at += found + 1;
                match rest.get(found)? {
                    b'"' => at += string_end(bytes.get(at..)?)? + 1,
                    b'{' | b'[' => depth += 1,
                    _ => depth -= 1,
                }
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        b']' | b'}' => None,
        _ => Some(bytes.iter().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(bytes.len())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_text_is_what_the_value_gives() {
        let cases = [
            r#"{"b": 1.50, "a": {"z": [1, {"y": null, "x": true}], "k": "é\u00e9\n"}}"#,
            r#"{"a":1,"a":2,"b":0.0,"c":-0,"d":-0.50,"e":1e3,"f":12345678901234567890,"g":0.1234567895}"#,
            r#"{"":{},"n":[],"m":[[]],"s":"\"\\"}"#,
            "  {}\n",
            r#"{"b":{},"a":{"c":1,"b":{"z":1,"a":2}}}"#,
        ];
        for text in cases {
            let value = Value::parse(text.as_bytes()).unwrap();
            let object = JsonObject::parse(text.as_bytes()).unwrap();
            assert_eq!(object.text(), value.to_json(), "{text}");
            assert_eq!(JsonObject::from_canonical(value.to_json()), Some(object), "{text}");
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_parser_of_values() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
        for text in [
            "",
            "[]",
            "{",
            r#"{"a"}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":-}"#,
            r#"{"\u0061":1}"#,
            "{} {}",
            r#"{"a":1e21}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\u{1}\"}",
            r#"{"a":tru}"#,
            r#"{"a":1,}"#,
            deep.as_str(),
        ] {
            assert_eq!(JsonObject::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(JsonObject::parse(b"{\"a\":\"\xff\"}"), None);
    }

    #[test]
    fn a_member_is_replaced_or_put_in_its_place() {
        let object = JsonObject::parse(br#"{"b":1,"d":{"e":2}}"#).unwrap();
        assert_eq!(object.with_text("c", "x\"").text(), r#"{"b":1,"c":"x\"","d":{"e":2}}"#);
        assert_eq!(object.with_text("b", "y").text(), r#"{"b":"y","d":{"e":2}}"#);
        assert_eq!(object.with_text("z", "y").get("z").unwrap().as_text().as_deref(), Some("y"));
        assert_eq!(JsonObject::parse(b"{}").unwrap().with_text("a", "b").text(), r#"{"a":"b"}"#);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::integer),
            (-1_000_000_000_000i64..1_000_000_000_000).prop_map(|n| Value::Number(Number::from_nanos(i128::from(n)))),
            "[a-c\"\\\\\n{}\\[\\]:,é ]{0,6}".prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                proptest::collection::btree_map("[a-c.*\"\\\\0-2]{0,3}", inner, 0..4).prop_map(Value::Object),
            ]
        })
    }

    /// An equal value with white space, keys in reverse order, and trailing zeros.
    fn loosely(value: &Value, out: &mut String) {
        match value {
            Value::Object(object) => {
                out.push_str(" {\n");
                for (index, (key, value)) in object.iter().rev().enumerate() {
                    out.push_str(if index > 0 { " , " } else { "" });
                    write_json_text(key, out);
                    out.push_str("\t: ");
                    loosely(value, out);
                }
                out.push('}');
            }
            Value::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    loosely(item, out);
                }
                out.push_str(" ]");
            }
            Value::Number(number) if number.as_i64().is_none() => out.push_str(&format!("{number}0")),
            other => other.write_json(out),
        }
    }

    proptest! {
        #[test]
        fn the_text_read_in_place_says_what_the_value_says(value in values(), path in "[a-c0-2*]{1,2}(\\.[a-c0-2*]{1,2}){0,2}") {
            let Value::Object(object) = Value::object([("a", value.clone()), ("b", Value::List(vec![value]))]) else { unreachable!() };
            let value = Value::Object(object.clone());
            let mut loose = String::new();
            loosely(&value, &mut loose);
            let canonical = JsonObject::of(&object);
            prop_assert_eq!(canonical.text(), value.to_json());
            // An escaped key is left to the parser of values; everything else must be read.
            if let Some(read) = JsonObject::parse(loose.as_bytes()) {
                prop_assert_eq!(&read, &canonical);
            } else {
                prop_assert!(loose.contains('\\'), "{}", loose);
            }
            prop_assert_eq!(&canonical.to_object(), &object);
            for (key, member) in canonical.members() {
                prop_assert_eq!(&member.to_value(), &object[key]);
            }
            let json = Json::from_canonical(canonical.text());
            let path = Path::parse(&path).unwrap();
            prop_assert_eq!(json.find(&path), path.find(&value), "{}", path);
        }

        #[test]
        fn no_text_is_read_otherwise_than_by_the_parser_of_values(text in "[{}\\[\\]\",:a0-9.eE+\\-tfn\\\\ u]{0,24}") {
            let text = format!("{{\"a\":{text}}}");
            if let Some(read) = JsonObject::parse(text.as_bytes()) {
                let value = Value::parse(text.as_bytes());
                prop_assert!(value.is_ok(), "{}", text);
                prop_assert_eq!(read.text(), value.unwrap().to_json());
            }
        }
    }
}
