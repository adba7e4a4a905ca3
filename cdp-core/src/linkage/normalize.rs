//! One way of writing for names, dates, phones, emails and addresses, so that equal things are equal texts.
//!
//! Pure functions, each idempotent. What stands for "nothing known" becomes the empty text, which is never compared.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Texts that mean that nothing is known, folded.
const MISSING: [&str; 19] = [
    "null",
    "none",
    "nan",
    "n a",
    "unknown",
    "unk",
    "nil",
    "missing",
    "undefined",
    "not available",
    "not known",
    "test",
    "xxx",
    "xx",
    "blank",
    "nat",
    "not applicable",
    "no value",
    "tbd",
];

/// Lower case, no diacritics, words of letters and digits with one space between.
pub(crate) fn fold(raw: &str) -> String {
    let mut folded = String::with_capacity(raw.len());
    let mut put = |letter: char| {
        if letter.is_alphanumeric() {
            folded.push(letter);
        } else if !matches!(letter, '\'' | '’' | '`' | '.') && !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    };
    if raw.is_ascii() {
        raw.bytes().for_each(|byte| put(byte.to_ascii_lowercase().into()));
    } else {
        for letter in raw.nfkd().filter(|letter| !is_combining_mark(*letter)) {
            match letter {
                'ß' => "ss".chars().for_each(&mut put),
                'ø' | 'Ø' => put('o'),
                'æ' | 'Æ' => "ae".chars().for_each(&mut put),
                'œ' | 'Œ' => "oe".chars().for_each(&mut put),
                'ł' | 'Ł' => put('l'),
                'đ' | 'Đ' => put('d'),
                'ı' => put('i'),
                other => other.to_lowercase().filter(|lower| !is_combining_mark(*lower)).for_each(&mut put),
            }
        }
    }
    let end = folded.trim_end().len();
    folded.truncate(end);
    folded
}

/// Folded, and empty if it means that nothing is known.
pub(crate) fn known(raw: &str) -> String {
    if raw.is_empty() || raw == "NA" || raw == "N/A" {
        return String::new();
    }
    let folded = fold(raw);
    if MISSING.contains(&folded.as_str()) { String::new() } else { folded }
}

const TITLES: [&str; 24] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "dr",
    "prof",
    "sir",
    "lady",
    "lord",
    "rev",
    "hon",
    "herr",
    "frau",
    "mme",
    "mlle",
    "jr",
    "sr",
    "ii",
    "iii",
    "iv",
    "phd",
    "md",
    "esq",
    "professor",
];

/// A name without titles and suffixes.
pub(crate) fn name(raw: &str) -> String {
    let folded = known(raw);
    if !folded.contains(' ') {
        return folded;
    }
    let kept: Vec<&str> = folded.split(' ').filter(|word| !TITLES.contains(word)).collect();
    if kept.is_empty() { folded } else { kept.join(" ") }
}

const PARTICLES: [&str; 18] = [
    "van", "von", "de", "der", "den", "di", "da", "la", "le", "del", "du", "dos", "el", "al", "bin", "ibn", "mac", "st",
];

/// A whole name as given names and surname: `Doe, Jane` and `Jane van Doe`.
pub(crate) fn split_full_name(raw: &str) -> (String, String) {
    if let Some((last, first)) = raw.split_once(',') {
        let (given, surname) = (name(first), name(last));
        if !given.is_empty() && !surname.is_empty() {
            return (given, surname);
        }
    }
    let whole = name(raw);
    let words: Vec<&str> = whole.split(' ').filter(|word| !word.is_empty()).collect();
    let Some(last) = words.len().checked_sub(1) else { return (String::new(), String::new()) };
    if last == 0 {
        return (String::new(), whole);
    }
    let mut cut = last;
    while cut > 1 && words.get(cut - 1).is_some_and(|word| PARTICLES.contains(word)) {
        cut -= 1;
    }
    let (given, surname) = words.split_at(cut);
    (given.join(" "), surname.join(" "))
}

/// An email in lower case; empty if it has no `@` or no name before it.
pub(crate) fn email(raw: &str) -> String {
    let lower = raw.trim().trim_start_matches("mailto:").to_lowercase();
    let Some((local, domain)) = lower.split_once('@') else { return String::new() };
    const NOBODY: [&str; 10] =
        ["noreply", "no-reply", "test", "none", "null", "na", "unknown", "nobody", "donotreply", "example"];
    if local.is_empty() || domain.is_empty() || NOBODY.contains(&local) { String::new() } else { lower }
}

/// The digits of a telephone number without its extension, trunk and international prefix zeros; empty below six digits
/// and for placeholders.
pub(crate) fn phone(raw: &str) -> String {
    let lower = raw.to_lowercase();
    let without_extension = lower.split(['x', '#', ';']).next().unwrap_or("");
    let digits: String = without_extension.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    if digits.len() < 6 || is_monotonous(digits) { String::new() } else { digits.to_owned() }
}

/// Letters and digits of a code, upper and lower case the same; empty for placeholders.
pub(crate) fn code(raw: &str) -> String {
    let known = known(raw);
    let code: String = known.chars().filter(|letter| *letter != ' ').collect();
    if code.len() > 3 && is_monotonous(&code) { String::new() } else { code }
}

fn is_monotonous(text: &str) -> bool {
    let first = text.chars().next();
    text.chars().all(|letter| Some(letter) == first) || "0123456789012345".contains(text)
}

/// A number that a data frame wrote as a float: `2010.0` is `2010`.
pub(crate) fn whole_number(raw: &str) -> &str {
    match raw.trim().split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => raw.trim(),
    }
}

const STREET_WORDS: [(&str, &str); 30] = [
    ("st", "street"),
    ("str", "street"),
    ("rd", "road"),
    ("ave", "avenue"),
    ("av", "avenue"),
    ("dr", "drive"),
    ("ln", "lane"),
    ("blvd", "boulevard"),
    ("ct", "court"),
    ("crt", "court"),
    ("pl", "place"),
    ("cres", "crescent"),
    ("cct", "circuit"),
    ("cir", "circle"),
    ("sq", "square"),
    ("tce", "terrace"),
    ("ter", "terrace"),
    ("hwy", "highway"),
    ("pde", "parade"),
    ("cl", "close"),
    ("pkwy", "parkway"),
    ("mt", "mount"),
    ("n", "north"),
    ("s", "south"),
    ("e", "east"),
    ("w", "west"),
    ("apt", "unit"),
    ("flat", "unit"),
    ("strasse", "street"),
    ("trl", "trail"),
];

/// A street as (house number, rest), abbreviations written out.
pub(crate) fn street(raw: &str) -> (String, String) {
    let folded = known(raw);
    let mut number = String::new();
    let mut words: Vec<&str> = Vec::new();
    for word in folded.split(' ').filter(|word| !word.is_empty()) {
        let is_number = word.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
            && word.bytes().filter(u8::is_ascii_alphabetic).count() <= 1
            && word.len() <= 6;
        if number.is_empty() && words.is_empty() && is_number {
            number = word.trim_start_matches('0').to_owned();
        } else {
            words.push(STREET_WORDS.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| *long));
        }
    }
    // `Hauptstrasse 12`: where the number comes last.
    if number.is_empty() && words.len() > 1 {
        let last = words.last().copied().unwrap_or("");
        if last.len() <= 5 && last.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
            number = last.to_owned();
            words.pop();
        }
    }
    (number, words.join(" "))
}

/// American Soundex of the first word, packed; 0 of a text without a Latin letter.
pub(crate) fn soundex(text: &str) -> u32 {
    fn class(letter: u8) -> u32 {
        match letter {
            b'b' | b'f' | b'p' | b'v' => 1,
            b'c' | b'g' | b'j' | b'k' | b'q' | b's' | b'x' | b'z' => 2,
            b'd' | b't' => 3,
            b'l' => 4,
            b'm' | b'n' => 5,
            b'r' => 6,
            b'h' | b'w' => 7,
            _ => 0,
        }
    }
    let mut letters = text.bytes().filter(u8::is_ascii_lowercase);
    let Some(first) = letters.next() else {
        // Other scripts: their first three letters.
        return text.chars().take(3).fold(0, |key, letter| key.wrapping_mul(8_191) ^ letter as u32);
    };
    let (mut key, mut last, mut n) = (u32::from(first), class(first), 0);
    for letter in letters {
        let found = class(letter);
        if (1..=6).contains(&found) && found != last {
            key = key * 8 + found;
            n += 1;
            if n == 3 {
                break;
            }
        }
        // `h` and `w` do not separate equal sounds, vowels do.
        if found != 7 {
            last = found;
        }
    }
    key << (3 * (3 - n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_one_way() {
        assert_eq!(name("Dr. José  O'Neil-Müller Jr."), "jose oneil muller");
        assert_eq!(split_full_name("Doe, Jane A."), ("jane a".to_owned(), "doe".to_owned()));
        assert_eq!(split_full_name("Ludwig van Beethoven"), ("ludwig".to_owned(), "van beethoven".to_owned()));
        assert_eq!(split_full_name(" "), (String::new(), String::new()));
    }

    #[test]
    fn nothing_known_is_nothing() {
        for raw in ["", "NULL", "n/a", "Unknown", "-", "NaN", " ", "NA"] {
            assert_eq!(known(raw), "", "{raw:?}");
        }
        assert_eq!(phone("000-0000000"), "");
        assert_eq!(phone("+1 (555) 010-2030 x4"), "15550102030");
        assert_eq!(email("noreply@shop.com"), "");
        assert_eq!(email(" Jane@E.com "), "jane@e.com");
    }

    #[test]
    fn streets_split_into_number_and_words() {
        assert_eq!(street("12 Main St."), ("12".to_owned(), "main street".to_owned()));
        assert_eq!(street("Hauptstr 12a"), ("12a".to_owned(), "hauptstr".to_owned()));
    }

    #[test]
    fn soundex_is_that_of_the_census() {
        assert_eq!(soundex("robert"), soundex("rupert"));
        assert_eq!(soundex("ashcraft"), soundex("ashcroft"));
        assert_ne!(soundex("robert"), soundex("rubin"));
    }
}
