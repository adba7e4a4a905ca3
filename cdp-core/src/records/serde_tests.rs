//! Values on their way through serde: nothing is lost, and no error shows a value.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

fn read<T: serde::de::DeserializeOwned>(json: &str) -> crate::Result<T> {
    from_value(Value::parse(json.as_bytes()).unwrap())
}

fn message<T: serde::de::DeserializeOwned>(json: &str) -> String {
    read::<T>(json).err().unwrap().message().to_owned()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Empty,
    Wide(u8),
    Pair(i32, i32),
    Named { side: f64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    truth: bool,
    small: i8,
    large: u64,
    huge: i128,
    float: f64,
    narrow: f32,
    letter: char,
    text: String,
    nothing: Option<u8>,
    something: Option<Vec<u8>>,
    unit: (),
    wrapped: Wrapped,
    tuple: (u8, String),
    shapes: Vec<Shape>,
    by_number: BTreeMap<i64, bool>,
    by_truth: BTreeMap<bool, u8>,
    value: Value,
    number: Number,
    time: Timestamp,
    length: Duration,
    json: serde_json::Value,
}

fn everything() -> Everything {
    Everything {
        truth: true,
        small: -128,
        large: u64::MAX,
        huge: -90_000_000_000_000_000_000,
        float: 0.1,
        narrow: 0.1,
        letter: 'é',
        text: "a \"b\"".to_owned(),
        nothing: None,
        something: Some(vec![0, 255]),
        unit: (),
        wrapped: Wrapped(7),
        tuple: (1, "x".to_owned()),
        shapes: vec![Shape::Empty, Shape::Wide(3), Shape::Pair(-1, 1), Shape::Named { side: 1.5 }],
        by_number: BTreeMap::from([(-5, true), (7, false)]),
        by_truth: BTreeMap::from([(true, 1)]),
        value: Value::parse(br#"{"a": [12345678901234567890.123456789, null]}"#).unwrap(),
        number: Number::parse("99999999999999999999.000000001").unwrap(),
        time: Timestamp::parse("2024-01-31T09:30:00Z").unwrap(),
        length: Duration::parse("90m").unwrap(),
        json: serde_json::json!({"a": [1, 2.5, "x", null, true]}),
    }
}

#[test]
fn every_kind_of_type_comes_back_as_it_was() {
    let value = to_value(&everything()).unwrap();
    assert_eq!(from_value::<Everything>(value.clone()).unwrap(), everything());
    let shapes = r#"["empty",{"wide":3},{"pair":[-1,1]},{"named":{"side":1.5}}]"#;
    assert_eq!(value.get("shapes").unwrap().to_json(), shapes);
    assert_eq!(value.get("by_number").unwrap().to_json(), r#"{"-5":true,"7":false}"#);
    assert_eq!(value.get("narrow").unwrap().to_json(), "0.1");
    assert_eq!(value.get("length").unwrap().to_json(), r#""90m""#);
    assert_eq!(value.get("time").unwrap().to_json(), r#""2024-01-31T09:30:00.000Z""#);
}

#[test]
fn an_error_has_the_path_and_nothing_of_the_content() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Person {
        age: u8,
        shape: Option<Shape>,
        born: Option<Timestamp>,
    }
    let cases = [
        (r#"[{"age": 3}, {"age": "jane"}]"#, "the field `1.age` of the value: expected u8, found text"),
        (r#"[{"age": 300}]"#, "the field `0.age` of the value: expected u8, found another number"),
        (r#"[{}]"#, "the field `0.age` of the value: missing"),
        (r#"[{"age": 3, "name": 1}]"#, "the field `0.name` of the value: unknown field; allowed: age, shape, born"),
        (
            r#"[{"age": 3, "shape": "jane"}]"#,
            "the field `0.shape` of the value: expected one of empty, wide, pair, named",
        ),
        (r#"[{"age": 3, "born": "jane"}]"#, "the field `0.born` of the value: expected a time, found another text"),
        (r#"{"age": 3}"#, "the value: expected a sequence, found object"),
    ];
    for (json, expected) in cases {
        assert_eq!(message::<Vec<Person>>(json), expected, "{json}");
    }
    let error = read::<HashMap<String, u8>>(r#"{"a/b": "x"}"#).unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (crate::ErrorKind::Invalid, Some("/a~1b")));
    let refused = message::<std::net::IpAddr>("\"jane\"");
    assert_eq!(refused, "the value: the type refuses this value");
}

#[test]
fn what_a_value_cannot_hold_is_an_error_at_its_field() {
    let cases: [(BTreeMap<&str, f64>, &str); 3] = [
        (BTreeMap::from([("a", f64::NAN)]), "the field `a` of the value: a number that is not finite"),
        (BTreeMap::from([("a", f64::INFINITY)]), "the field `a` of the value: a number that is not finite"),
        (BTreeMap::from([("a", 1e21)]), "the field `a` of the value: a number further from zero than 1e20"),
    ];
    for (map, expected) in cases {
        assert_eq!(to_value(&map).unwrap_err().message(), expected);
    }
    assert!(to_value(&BTreeMap::from([(vec![1], 2)])).unwrap_err().message().contains("a key must be text"));
    assert!(to_value(&serde_json::json!({"a": 1e300})).unwrap_err().message().contains("`a`"));
    assert_eq!(to_value(&u128::MAX).unwrap_err().kind(), crate::ErrorKind::Invalid);
}

#[test]
fn depth_is_an_error_both_ways() {
    #[derive(Serialize, Deserialize)]
    struct Chain(Option<Box<Chain>>);

    let nested = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    assert_eq!(to_value(&nested(64)).unwrap(), nested(64));
    assert_eq!(from_value::<Value>(nested(64)).unwrap(), nested(64));
    for error in [to_value(&nested(65)).unwrap_err(), from_value::<Value>(nested(65)).unwrap_err()] {
        assert!(error.message().ends_with("nested deeper than 64 levels"), "{error}");
    }
    let chain = (0..2_000).fold(Chain(None), |inner, _| Chain(Some(Box::new(inner))));
    assert!(to_value(&chain).is_err());
}

#[test]
fn other_formats_take_integers_and_floats() {
    let value = Value::parse(br#"{"a": 1, "b": 18446744073709551615, "c": 0.1, "d": [true, null]}"#).unwrap();
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(text, r#"{"a":1,"b":18446744073709551615,"c":0.1,"d":[true,null]}"#);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    assert!(serde_json::from_str::<Value>("1e21").is_err());
    assert_eq!(serde_json::from_str::<Number>("12345678901234567890.123456789").unwrap().nanos() % 10, 9);
    assert!(serde_json::from_str::<Timestamp>("\"yesterday\"").is_err());
}

#[test]
fn conversions_lose_nothing_silently() {
    assert_eq!(Value::from(u64::MAX).to_json(), "18446744073709551615");
    assert_eq!(Value::from(i64::MIN).to_json(), "-9223372036854775808");
    assert_eq!(Value::from([Some(1.5), None]).to_json(), "[1.5,null]");
    assert_eq!(Value::from(f64::NEG_INFINITY).to_json(), r#""-inf""#);
    assert_eq!(Value::from(serde_json::json!([1e300])).as_list().unwrap()[0].kind(), "text");
    assert_eq!(Value::from(vec![Value::Null, Value::from("x")]).to_json(), r#"[null,"x"]"#);
    assert_eq!(Value::from(Timestamp::from_millis(0)).to_json(), r#""1970-01-01T00:00:00.000Z""#);
}

#[test]
fn a_row_is_read_by_name_without_showing_a_cell() {
    let frame = Frame::new(vec![
        ("email", Cells::Text(vec![Some("jane@example.com".to_owned()), None])),
        ("spend", Cells::Decimal(vec![Number::parse("12345678901234567890.5").ok(), Some(Number::ZERO)])),
        ("score", Cells::Float64(vec![Some(0.25), None])),
        ("seen", Cells::Timestamp(vec![Some(Timestamp::from_millis(0)), None])),
        ("member", Cells::Bool(vec![Some(true), Some(false)])),
    ]);
    #[derive(Debug, Deserialize)]
    struct Member<'a> {
        email: Option<&'a str>,
        spend: Number,
        score: Option<f64>,
        seen: Option<Timestamp>,
        member: bool,
    }
    let members: Vec<Member<'_>> = frame.rows_as().collect::<Result<_, _>>().unwrap();
    assert_eq!(members[0].email, Some("jane@example.com"));
    assert_eq!(members[0].spend.to_string(), "12345678901234567890.5");
    assert_eq!((members[0].score, members[1].score), (Some(0.25), None));
    assert_eq!((members[0].seen, members[1].member), (Some(Timestamp::from_millis(0)), false));

    let row = frame.rows().next().unwrap();
    let error = row.get::<u8>("email").unwrap_err();
    assert_eq!(error.message(), "row 0, column `email`: expected u8, found text");
    let error = row.get::<u8>("emial").unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::NotFound);
    let error = frame.rows_as::<HashMap<String, u8>>().next().unwrap().unwrap_err();
    assert_eq!(error.message(), "the field `email` of row 0: expected u8, found text");
    assert_eq!(frame.rows().rev().map(|row| row.index()).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(to_value(&frame).unwrap(), frame.to_value());
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i128>().prop_map(|nanos| Value::Number(Number::from_nanos(nanos))),
        any::<i64>().prop_map(|nanos| Value::Number(Number::from_nanos(i128::from(nanos)))),
        any::<String>().prop_map(Value::Text),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::btree_map(any::<String>(), inner, 0..4).prop_map(Value::Object),
        ]
    })
}

fn json_values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        "-?[1-9][0-9]{0,18}\\.[0-9]{0,8}[1-9]".prop_map(|text| serde_json::Value::Number(text.parse().unwrap())),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            proptest::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_comes_back_exactly(value in values()) {
        prop_assert!(to_value(&value).unwrap() == value);
        prop_assert!(from_value::<Value>(value.clone()).unwrap() == value);
        prop_assert_eq!(serde_json::Value::from(value.clone()).to_string(), value.to_json());
    }

    #[test]
    fn a_value_of_serde_json_comes_back_exactly(json in json_values()) {
        let value = Value::from(json.clone());
        prop_assert!(to_value(&json).unwrap() == value);
        prop_assert_eq!(serde_json::Value::from(value), json);
    }
}
