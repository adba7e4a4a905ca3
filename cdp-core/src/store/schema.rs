//! Compares the schema of a store file with the schema that its version of the library creates.
//!
//! A trigger, view, index or column of another tool could change or hide facts silently, so a file with one is refused
//! before anything else is read from it. It takes an open connection and returns the schema version; it reads
//! `sqlite_schema` alone, and never runs, repairs or removes an object.

use std::sync::OnceLock;

use rusqlite::Connection;

use super::sqlite::{open_sqlite, sql_error};
use crate::error::{Error, ErrorKind, Result};

/// The statements that create the tables of a new store.
pub(super) const SCHEMA: &str = include_str!("schema.sql");
/// The schema version that this library reads and writes. Until a first version is tagged, every change of the file
/// format raises it, and an older file is refused.
pub(crate) const SCHEMA_VERSION: i64 = 2;

/// One object of a schema. The order of fields is that of comparison.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SchemaObject {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

/// The tables of `ANALYZE`: statistics for the query planner, which are no part of the schema of a store.
const STATISTICS: [(&str, &str); 2] = [
    ("sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    ("sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
];

/// The version of a file whose schema is the one of that version; fails with `incompatible` for any other schema. A
/// file without tables has version 0.
pub(super) fn check_schema(connection: &Connection) -> Result<i64> {
    let (version, found) = read_at_once(connection)?;
    let expected = schema_of(version)?;
    let changed = if found == expected { None } else { difference(expected, &found) };
    match changed {
        None => Ok(version),
        Some(what) => Err(Error::new(ErrorKind::Incompatible, format!("the store has a changed schema: {what}"))
            .with_hint("the file was left unchanged; undo the change with the tool that made it, or restore a backup")),
    }
}

/// Version and schema in one snapshot: of the transaction under way, or of a new one.
fn read_at_once(connection: &Connection) -> Result<(i64, Vec<SchemaObject>)> {
    let read = || {
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sql_error)?;
        Ok((version, read_schema(connection)?))
    };
    if !connection.is_autocommit() {
        return read();
    }
    connection.execute_batch("BEGIN").map_err(sql_error)?;
    let found = read();
    let ended = connection.execute_batch("ROLLBACK").map_err(sql_error);
    found.and_then(|found| ended.map(|()| found))
}

fn read_schema(connection: &Connection) -> Result<Vec<SchemaObject>> {
    let mut select = connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema").map_err(sql_error)?;
    let rows = select
        .query_map([], |row| {
            Ok(SchemaObject { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
        })
        .map_err(sql_error)?;
    let mut objects = rows.collect::<rusqlite::Result<Vec<_>>>().map_err(sql_error)?;
    objects.retain(|object| {
        let of_object = (object.name.as_str(), object.sql.as_deref().unwrap_or_default());
        object.kind != "table" || !STATISTICS.contains(&of_object)
    });
    objects.sort_unstable();
    Ok(objects)
}

/// The schema of a version: empty at version 0, else the one that this library creates, determined once in a process.
fn schema_of(version: i64) -> Result<&'static [SchemaObject]> {
    static MADE: OnceLock<Vec<SchemaObject>> = OnceLock::new();
    if version == 0 {
        return Ok(&[]);
    }
    if version != SCHEMA_VERSION {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!("the store has schema version {version}; this library reads version {SCHEMA_VERSION}"),
        )
        .with_hint("the file was left unchanged; use the version of the library that wrote it"));
    }
    if let Some(objects) = MADE.get() {
        return Ok(objects);
    }
    let connection = open_sqlite(None, false)?;
    connection.execute_batch(SCHEMA).map_err(sql_error)?;
    let objects = read_schema(&connection)?;
    // Another thread that was faster has found the same objects.
    Ok(MADE.get_or_init(|| objects))
}

/// The first object that differs, described without any text of another tool; `None` if the schemas differ in comments
/// and white space alone.
fn difference(expected: &[SchemaObject], found: &[SchemaObject]) -> Option<String> {
    let place = |objects: &[SchemaObject], wanted: &SchemaObject| {
        let key =
            |object: &SchemaObject| (object.kind.as_str(), object.name.as_str()).cmp(&(&wanted.kind, &wanted.name));
        objects.binary_search_by(key).ok()
    };
    for object in expected {
        let name = format!("the {} `{}`", object.kind, object.name);
        let Some(other) = place(found, object).and_then(|place| found.get(place)) else {
            return Some(format!("{name} is missing"));
        };
        let tokens = |object: &SchemaObject| object.sql.as_deref().map(tokens);
        if other.table != object.table || tokens(other) != tokens(object) {
            return Some(format!("{name} is not as the library made it"));
        }
    }
    if found.len() == expected.len() {
        return None;
    }
    let is_expected = |object: &&SchemaObject| place(expected, object).is_some();
    let Some(added) = found.iter().find(|object| !is_expected(object)) else {
        return Some("an object stands in it twice".to_owned());
    };
    let kind = match added.kind.as_str() {
        "table" => "a table",
        "index" => "an index",
        "trigger" => "a trigger",
        "view" => "a view",
        _ => "an object",
    };
    let table = expected.iter().find(|object| object.kind == "table" && object.name == added.table);
    let on_table = table.map(|table| format!(" on `{}`", table.name)).unwrap_or_default();
    Some(format!("{kind}{on_table} was added to it"))
}

/// A statement without comments, and with one space for any white space.
fn tokens(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '\'' | '"' | '`' => Some(first),
            '[' => Some(']'),
            _ => None,
        };
        let (text, is_kept) = if let Some(close) = close {
            // A doubled quote reads as the end of one text and the beginning of the next, which gives an equal result.
            (end_of(rest, first.len_utf8(), close, true), true)
        } else if rest.starts_with("--") {
            (end_of(rest, 2, '\n', false), false)
        } else if rest.starts_with("/*") {
            (rest.get(2..).and_then(|inner| inner.find("*/")).map_or(rest.len(), |length| length + 4), false)
        } else {
            (first.len_utf8(), !first.is_ascii_whitespace())
        };
        let (token, behind) = rest.split_at_checked(text).unwrap_or((rest, ""));
        if is_kept {
            out.push_str(token);
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
        rest = behind;
    }
    out
}

/// The end of a text: at the first `close` after `from`, or before it.
fn end_of(text: &str, from: usize, close: char, including: bool) -> usize {
    let found = text.get(from..).and_then(|inner| inner.find(close));
    let behind = if including { close.len_utf8() } else { 0 };
    found.map_or(text.len(), |length| from + length + behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_memory(sql: &str) -> Connection {
        let connection = open_sqlite(None, false).unwrap();
        connection.execute_batch(sql).unwrap();
        connection
    }

    #[test]
    fn an_empty_file_and_the_present_schema_are_accepted() {
        for (version, sql) in [(0, ""), (SCHEMA_VERSION, SCHEMA)] {
            let connection = in_memory(sql);
            connection.pragma_update(None, "user_version", version).unwrap();
            assert_eq!(check_schema(&connection).unwrap(), version);
        }
        for version in [-1, SCHEMA_VERSION - 1, SCHEMA_VERSION + 1] {
            let connection = in_memory("");
            connection.pragma_update(None, "user_version", version).unwrap();
            assert_eq!(check_schema(&connection).unwrap_err().kind(), ErrorKind::Incompatible);
        }
    }

    #[test]
    fn another_comment_is_no_other_schema() {
        let sql = SCHEMA;
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        let bare =
            lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(" ");
        assert!(!bare.contains("--") && bare.len() < sql.len());
        let connection = in_memory(&bare);
        connection.pragma_update(None, "user_version", SCHEMA_VERSION).unwrap();
        assert_eq!(check_schema(&connection).unwrap(), SCHEMA_VERSION);
    }

    #[test]
    fn an_object_that_stands_twice_is_a_change() {
        let connection = in_memory(SCHEMA);
        let expected = read_schema(&connection).unwrap();
        assert_eq!(difference(&expected, &read_schema(&connection).unwrap()), None);
        let mut twice = read_schema(&connection).unwrap();
        twice.extend(read_schema(&connection).unwrap().pop());
        twice.sort_unstable();
        assert!(difference(&expected, &twice).is_some());
    }

    #[test]
    fn only_comments_and_white_space_are_left_out() {
        let same = ["a INTEGER, -- the first\n  b TEXT", "a INTEGER, b TEXT", "a  INTEGER,\t/* the\nfirst */ b TEXT"];
        for text in same {
            assert_eq!(tokens(text), "a INTEGER, b TEXT");
        }
        for text in ["'-- no comment'", "\"a  b\"", "[/* a name */]", "`a -- b`", "'it''s  one'", "'never closed"] {
            assert_eq!(tokens(text), text);
        }
        assert_eq!(tokens("a /* never closed"), "a ");
        assert_eq!(tokens("a -- never closed"), "a ");
        assert_eq!(tokens("a - - b"), "a - - b");
    }
}
