//! The verb table against what the verbs do: arguments are checked as the rows declare, and no verb reads an argument that
//! its row does not declare.

use cdp_core::records::Value;
use cdp_core::wire::{self, Parameter, ParameterType, Verb};
use cdp_core::{Cdp, ErrorKind, OpenOptions};

fn verbs_with_arguments() -> impl Iterator<Item = &'static Verb> {
    wire::verbs().filter(|verb| !verb.takes_message())
}

/// An argument that a parameter of this type takes.
fn fitting(parameter_type: ParameterType) -> Value {
    let identifier = || Value::object([("user_id", Value::from("u1"))]);
    match parameter_type {
        ParameterType::Text | ParameterType::Bytes => Value::from("spend"),
        ParameterType::Boolean => Value::Bool(true),
        ParameterType::Count => Value::count(3),
        ParameterType::Cursor => Value::from("3"),
        ParameterType::Time | ParameterType::AsOf => Value::from("2024-05-01T00:00:00Z"),
        ParameterType::Identifier => identifier(),
        ParameterType::Identifiers => Value::List(vec![identifier()]),
        ParameterType::Texts => Value::List(vec![Value::from("spend")]),
        ParameterType::Objects => Value::List(vec![Value::object([("same", Value::Bool(true))])]),
        ParameterType::Rule => Value::parse(br#"{"trait": "country", "op": "eq", "value": "France"}"#).unwrap(),
        ParameterType::Definitions => {
            Value::parse(br#"{"kind": "feature", "name": "spend", "event": "Order Completed", "agg": "count"}"#)
                .unwrap()
        }
        ParameterType::Message | ParameterType::Event | ParameterType::Data => {
            Value::parse(br#"{"type": "track", "event": "Order Completed", "userId": "u1"}"#).unwrap()
        }
    }
}

/// An argument that no parameter of this type takes; `None` for types whose own readers check them.
fn unfitting(parameter_type: ParameterType) -> Option<Value> {
    match parameter_type {
        ParameterType::Text
        | ParameterType::Bytes
        | ParameterType::Count
        | ParameterType::Cursor
        | ParameterType::Texts
        | ParameterType::Identifiers
        | ParameterType::Objects => Some(Value::Bool(true)),
        ParameterType::Boolean => Some(Value::from("true")),
        ParameterType::Time | ParameterType::AsOf | ParameterType::Identifier | ParameterType::Rule => {
            Some(Value::Bool(true))
        }
        ParameterType::Definitions | ParameterType::Message | ParameterType::Event | ParameterType::Data => None,
    }
}

fn arguments(parameters: &[Parameter], is_wanted: impl Fn(&Parameter) -> bool) -> Vec<(String, Value)> {
    let wanted = parameters.iter().filter(|parameter| is_wanted(parameter));
    wanted.map(|parameter| (parameter.name.to_owned(), fitting(parameter.parameter_type))).collect()
}

fn store() -> Cdp {
    let db = Cdp::open(OpenOptions::in_memory().id_seed("tests")).unwrap();
    wire::call(&db, "track", &fitting(ParameterType::Message)).unwrap();
    db
}

#[test]
fn names_of_verbs_and_parameters_are_unique_and_documented() {
    let names: Vec<&str> = wire::verbs().map(|verb| verb.name).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
    for verb in wire::verbs() {
        assert!(verb.doc.ends_with('.'), "{verb:?}");
        let mut parameters: Vec<&str> = verb.parameter_names().collect();
        parameters.sort_unstable();
        parameters.dedup();
        assert_eq!(parameters.len(), verb.parameters.len(), "{verb:?}");
        assert!(verb.parameters.iter().all(|parameter| parameter.doc.ends_with('.')), "{verb:?}");
    }
}

#[test]
fn a_missing_argument_is_named() {
    let db = store();
    for verb in verbs_with_arguments() {
        for left_out in verb.parameters.iter().filter(|parameter| parameter.is_required) {
            let request: Value = Value::Object(
                arguments(verb.parameters, |parameter| parameter.name != left_out.name).into_iter().collect(),
            );
            let error = wire::call(&db, verb.name, &request).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{verb:?}");
            assert_eq!(error.message(), format!("{}: the argument `{}` is missing", verb.name, left_out.name));
        }
    }
}

#[test]
fn an_argument_of_another_type_is_refused() {
    for verb in verbs_with_arguments() {
        for parameter in verb.parameters {
            let Some(wrong) = unfitting(parameter.parameter_type) else { continue };
            let db = store();
            let mut request = arguments(verb.parameters, |other| other.name != parameter.name);
            // Nothing but the argument in question may be wrong with the call.
            request.retain(|(name, _)| verb.parameters.iter().any(|other| other.name == name && other.is_required));
            request.push((parameter.name.to_owned(), wrong));
            let answer = wire::call(&db, verb.name, &Value::Object(request.into_iter().collect()));
            let error = answer.expect_err(&format!("{verb:?}: {}", parameter.name));
            // A name that is not there may be found first where the argument has a reader of its own.
            let kinds = [ErrorKind::Invalid, ErrorKind::NotFound];
            assert!(kinds.contains(&error.kind()), "{verb:?}: {}: {error}", parameter.name);
        }
    }
}

#[test]
fn verbs_read_their_arguments_as_their_rows_declare_them() {
    for verb in verbs_with_arguments() {
        let called = |request: Vec<(String, Value)>| {
            let folder = tempfile::tempdir().unwrap();
            let mut request: cdp_core::records::Object = request.into_iter().collect();
            if let Some(path) = request.get_mut("path") {
                *path = Value::from(folder.path().join("file.csv").to_str().unwrap());
            }
            let answer = wire::call(&store(), verb.name, &Value::Object(request));
            if let Err(error) = answer {
                assert_ne!(error.kind(), ErrorKind::Internal, "{verb:?}: {error}");
            }
        };
        called(arguments(verb.parameters, |_| true));
        called(arguments(verb.parameters, |parameter| parameter.is_required));
        for one in verb.parameters {
            called(arguments(verb.parameters, |parameter| parameter.is_required || parameter.name == one.name));
        }
    }
}

#[test]
fn the_table_for_the_bindings_holds_every_row() {
    let table = wire::table();
    let rows = table.get("verbs").and_then(Value::as_list).unwrap();
    assert_eq!(rows.len(), wire::verbs().count());
    let profile = rows.iter().find(|row| row.get("name") == Some(&Value::from("profile"))).unwrap();
    assert_eq!(profile.get("effort"), Some(&Value::from("point")));
    assert_eq!(
        profile.get("parameters").and_then(Value::as_list).unwrap()[0].to_json(),
        r#"{"doc":"One identifier of the person.","name":"identifier","positional":true,"required":true,"type":"identifier"}"#
    );
}
