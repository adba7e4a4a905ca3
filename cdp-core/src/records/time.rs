//! Instants and durations: UTC milliseconds, parsed from what sources write, printed one way.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc, Weekday};

use crate::error::Error;

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Why a text or number is not a [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampFault {
    /// Not a time in any accepted form.
    #[error("not a time; give RFC 3339 text such as 2024-01-31T09:30:00Z or milliseconds since 1970")]
    Unparsable,
    /// Before 1900 or after 2200.
    #[error("a time outside the years 1900 to 2200")]
    OutOfRange,
}

// 1900-01-01T00:00:00Z and 2201-01-01T00:00:00Z, exclusive.
const EARLIEST_MS: i64 = -2_208_988_800_000;
const LATEST_MS: i64 = 7_289_654_400_000;

impl Timestamp {
    /// Before every other instant.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every other instant.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The instant this many milliseconds after 1970-01-01T00:00:00Z, whatever the year.
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// An instant from milliseconds, if its year lies within 1900 to 2200.
    pub fn checked_from_millis(millis: i64) -> Result<Timestamp, TimestampFault> {
        if (EARLIEST_MS..LATEST_MS).contains(&millis) { Ok(Timestamp(millis)) } else { Err(TimestampFault::OutOfRange) }
    }

    /// Parses a time as sources write it: RFC 3339, a blank for the `T`, a date alone, an ISO week date
    /// (`2021-W43-5`), an ordinal date (`2021-302`); without an offset it is UTC.
    ///
    /// ```
    /// use cdp_core::records::Timestamp;
    /// let time = Timestamp::parse("2011-12-10 02:30:00+02:30").unwrap();
    /// assert_eq!(time.to_string(), "2011-12-10T00:00:00.000Z");
    /// ```
    pub fn parse(text: &str) -> Result<Timestamp, TimestampFault> {
        let text = text.trim_ascii();
        let millis = parse_plain(text).or_else(|| parse_other(text)).ok_or(TimestampFault::Unparsable)?;
        Timestamp::checked_from_millis(millis)
    }

    /// This instant moved by `millis`, saturating.
    pub const fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative if it lies after.
    pub const fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The calendar day in UTC, counted from 1970-01-01.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }
}

/// The instant of a text, as [`Timestamp::parse`] reads it.
///
/// ```
/// use cdp_core::records::Timestamp;
/// let time: Timestamp = "2024-01-31".parse()?;
/// assert_eq!(time.to_string(), "2024-01-31T00:00:00.000Z");
/// # Ok::<(), cdp_core::Error>(())
/// ```
impl FromStr for Timestamp {
    type Err = TimestampFault;
    fn from_str(text: &str) -> Result<Timestamp, TimestampFault> {
        Timestamp::parse(text)
    }
}

/// The instant of a text, as [`Timestamp::parse`] reads it.
impl TryFrom<&str> for Timestamp {
    type Error = TimestampFault;
    fn try_from(text: &str) -> Result<Timestamp, TimestampFault> {
        Timestamp::parse(text)
    }
}

/// The instant in UTC; what lies below a millisecond is cut. As with [`Timestamp::from_millis`], any year is taken here, and
/// a fact must lie in the years 1900 to 2200.
impl<Tz: TimeZone> From<DateTime<Tz>> for Timestamp {
    fn from(time: DateTime<Tz>) -> Timestamp {
        Timestamp(time.timestamp_millis())
    }
}

/// The instant as chrono has it; fails with `invalid` beyond the years that chrono knows (262,000 before and after Christ).
///
/// ```
/// use cdp_core::records::Timestamp;
/// let time = chrono::DateTime::<chrono::Utc>::try_from(Timestamp::from_millis(1_000))?;
/// assert_eq!(time.to_rfc3339(), "1970-01-01T00:00:01+00:00");
/// assert_eq!(Timestamp::from(time), Timestamp::from_millis(1_000));
/// assert!(chrono::DateTime::<chrono::Utc>::try_from(Timestamp::MAX).is_err());
/// # Ok::<(), cdp_core::Error>(())
/// ```
impl TryFrom<Timestamp> for DateTime<Utc> {
    type Error = Error;
    fn try_from(time: Timestamp) -> Result<DateTime<Utc>, Error> {
        DateTime::from_timestamp_millis(time.0).ok_or_else(|| Error::invalid("an instant beyond the years of chrono"))
    }
}

impl From<TimestampFault> for Error {
    fn from(fault: TimestampFault) -> Error {
        Error::invalid(fault.to_string())
    }
}

/// The common form `YYYY-MM-DD?HH:MM:SS[.fff][Z]` without chrono's parser, which costs six times as much.
fn parse_plain(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u32> {
        let mut value = 0u32;
        for &byte in bytes.get(from..to)? {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + u32::from(byte - b'0');
        }
        Some(value)
    };
    let is = |at: usize, expected: &[u8]| bytes.get(at).is_some_and(|byte| expected.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"T t") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction_ms, rest) = match bytes.get(19..)? {
        [b'.', a, b, c, rest @ ..] if [a, b, c].iter().all(|digit| digit.is_ascii_digit()) => (number(20, 23)?, rest),
        rest => (0, rest),
    };
    if !matches!(rest, [] | [b'Z'] | [b'z']) {
        return None;
    }
    let days = i64::from(date.num_days_from_ce()) - 719_163;
    Some(
        ((days * 24 + i64::from(hour)) * 60 + i64::from(minute)) * 60_000
            + i64::from(second) * 1000
            + i64::from(fraction_ms),
    )
}

fn parse_other(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    for format in
        ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M:%S%.f %#z"]
    {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Some(time.timestamp_millis());
        }
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc().timestamp_millis());
        }
    }
    parse_date(text).and_then(|date| date.and_hms_opt(0, 0, 0)).map(|time| time.and_utc().timestamp_millis())
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    if let Some((year, week_day)) = text.split_once("-W") {
        let (week, day) = week_day.split_once('-').unwrap_or((week_day, "1"));
        let weekday = Weekday::try_from(day.parse::<u8>().ok()?.checked_sub(1)?).ok()?;
        return NaiveDate::from_isoywd_opt(year.parse().ok()?, week.parse().ok()?, weekday);
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").or_else(|_| NaiveDate::parse_from_str(text, "%Y%m%d"));
    match (date, text.split_once('-')) {
        (Ok(date), _) => Some(date),
        (Err(_), Some((year, ordinal))) if year.len() == 4 && ordinal.len() == 3 => {
            NaiveDate::from_yo_opt(year.parse().ok()?, ordinal.parse().ok()?)
        }
        _ => None,
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::milliseconds(self.0)) {
            Some(time) => match print_plain(time) {
                Some(text) => f.write_str(std::str::from_utf8(&text).unwrap_or_default()),
                None => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
            },
            None => write!(f, "{} ms", self.0),
        }
    }
}

/// The years of four digits without chrono's formatter, which costs ten times as much: a table of a million people
/// prints a million times.
fn print_plain(time: DateTime<Utc>) -> Option<[u8; 24]> {
    let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999)?;
    let millis = time.timestamp_subsec_millis();
    let digit = |number: u32, unit: u32| b'0' + (number / unit % 10) as u8;
    let two = |number: u32| [digit(number, 10), digit(number, 1)];
    let [century, years] = [two(year / 100), two(year % 100)];
    let [month, day] = [two(time.month()), two(time.day())];
    let [hour, minute, second] = [two(time.hour()), two(time.minute()), two(time.second())];
    let fraction = [digit(millis, 100), digit(millis, 10), digit(millis, 1)];
    let parts: [&[u8]; 15] =
        [&century, &years, b"-", &month, b"-", &day, b"T", &hour, b":", &minute, b":", &second, b".", &fraction, b"Z"];
    let mut text = [0; 24];
    for (place, byte) in text.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    Some(text)
}

/// A length of time in a definition: a positive integer and `ms`, `s`, `m` (minutes), `h`, `d` (24 hours) or `w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

impl Duration {
    /// A duration of this many milliseconds.
    pub const fn from_millis(millis: i64) -> Duration {
        Duration(millis)
    }

    /// Its length in milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Parses `24h`, `30d`, `1w`, `500ms`; `None` for anything else, zero included.
    ///
    /// ```
    /// use cdp_core::records::Duration;
    /// assert_eq!(Duration::parse("1w"), Duration::parse("7d"));
    /// assert_eq!(Duration::parse("30x"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Duration> {
        let unit_at = text.find(|character: char| !character.is_ascii_digit())?;
        let count: i64 = text.get(..unit_at)?.parse().ok()?;
        let unit_ms = match text.get(unit_at..)? {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        let millis = count.checked_mul(unit_ms)?;
        // A window longer than the years a fact may lie in cannot be meant.
        (millis > 0 && millis <= LATEST_MS - EARLIEST_MS).then_some(Duration(millis))
    }
}

/// The text of a definition, in the largest unit that divides the length: `30d`, `90m`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
        let (length, unit) = UNITS.into_iter().find(|(length, _)| self.0 % length == 0).unwrap_or((1, "ms"));
        write!(f, "{}{unit}", self.0 / length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_sources_write_are_understood() {
        let cases = [
            ("2010-12-01 08:26:00", "2010-12-01T08:26:00.000Z"),
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000Z"),
            ("2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00.123Z"),
            ("2024-01-01T05:30:00+0530", "2024-01-01T00:00:00.000Z"),
            ("2024-01-01T05:30+05:30", "2024-01-01T00:00:00.000Z"),
            ("2021-W43-5", "2021-10-29T00:00:00.000Z"),
            ("2021-302", "2021-10-29T00:00:00.000Z"),
            ("2021-10-29", "2021-10-29T00:00:00.000Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(Timestamp::parse(text).map(|time| time.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_fast_form_agrees_with_the_library() {
        // From before year 0 to after year 9999.
        for day in (-720_000..2_940_000).step_by(37) {
            let time = Timestamp::from_millis(day * 86_400_000 + 45_296_789);
            let printed = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(time.millis());
            assert_eq!(time.to_string(), printed.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
            let is_accepted = Timestamp::checked_from_millis(time.millis()).is_ok();
            assert!(!is_accepted || parse_plain(&time.to_string()) == Some(time.millis()));
        }
    }

    #[test]
    fn a_time_that_cannot_be_meant_is_refused() {
        assert_eq!(Timestamp::parse("9999-01-01T00:00:00Z"), Err(TimestampFault::OutOfRange));
        assert_eq!(Timestamp::parse("1899-12-31T23:59:59.999Z"), Err(TimestampFault::OutOfRange));
        assert!(Timestamp::parse("2200-12-31T23:59:59.999Z").is_ok());
        for text in ["", "yesterday", "2024-13-01", "2024-02-30T00:00:00Z", "12/31/2024"] {
            assert_eq!(Timestamp::parse(text), Err(TimestampFault::Unparsable), "{text}");
        }
    }

    #[test]
    fn durations_are_positive_and_bounded() {
        assert_eq!(Duration::parse("24h").map(Duration::millis), Some(86_400_000));
        for text in ["", "h", "0d", "-1d", "1.5h", "30x", "1 d", "99999999999999w"] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
    }
}
