//! What the examples share: a heading, a table and a few ways to read an answer.

use cdp_core::records::Value;

/// How wide the output may be.
pub const WIDTH: usize = 100;

/// What stands at a path of keys and list places, parted by dots, as a person reads it; `-` if nothing does.
pub fn at(value: &Value, path: &str) -> String {
    let mut here = Some(value);
    for key in path.split('.') {
        here = here.and_then(|value| match value.as_list() {
            Some(list) => key.parse().ok().and_then(|place: usize| list.get(place)),
            None => value.get(key),
        });
    }
    here.map_or_else(|| "-".to_owned(), show)
}

/// The list that stands at a key; nothing if there is none.
pub fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_list).unwrap_or_default()
}

/// A value as a person reads it: text without quotes, lists with commas.
pub fn show(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Text(text) => text.clone(),
        Value::List(items) => items.iter().map(show).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", show(value))).collect::<Vec<_>>().join(" ")
        }
        other => other.to_json(),
    }
}

/// A number with commas between thousands.
pub fn thousands(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 && out != "-" {
            out.push(',');
        }
        out.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{out}.{fraction}"),
        None => out,
    }
}

/// Text after a label, broken at blanks so that it fits the width, the following lines as far in as the first.
pub fn labelled(label: &str, text: &str) -> String {
    let mut out = String::new();
    let mut line = label.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(label.chars().count());
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out + line.trim_end() + "\n"
}

/// Rows of cells in columns, numbers to the right.
pub fn aligned(rows: Vec<Vec<String>>) -> String {
    let n_columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..n_columns).map(|column| width(column).unwrap_or(0)).collect();
    let is_number = |cell: &String| cell.parse::<f64>().is_ok() || cell == "-";
    let right: Vec<bool> = (0..n_columns)
        .map(|column| rows.len() > 1 && rows.iter().skip(1).filter_map(|row| row.get(column)).all(is_number))
        .collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = "  ".to_owned();
        for ((cell, width), right) in row.iter().zip(&widths).zip(&right) {
            match right {
                true => line.push_str(&format!("{cell:>width$}  ")),
                false => line.push_str(&format!("{cell:<width$}  ")),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
