//! Times as a source writes them, read by the format and time zone that its definition names.

use chrono::format::{Item, Parsed};
use chrono::{DateTime, Datelike, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike};
use chrono_tz::Tz;

use crate::definitions::{TimeForm, TimeFormat};
use crate::records::{Number, Timestamp, TimestampFault};

use super::Found;

/// Reads a time that is there.
pub(super) fn read_time(found: &Found<'_>, format: &TimeFormat) -> Result<Timestamp, TimestampFault> {
    if let Some(text) = found.as_text() {
        return match &format.form {
            TimeForm::Any if format.tz == Tz::UTC => Timestamp::parse(text),
            TimeForm::Any => read_any(text, format.tz),
            TimeForm::Rfc3339 => {
                let time = DateTime::parse_from_rfc3339(text.trim_ascii()).map_err(|_| TimestampFault::Unparsable)?;
                Timestamp::checked_from_millis(time.timestamp_millis())
            }
            TimeForm::EpochSeconds => read_epoch(Number::parse(text).ok(), 1000),
            TimeForm::EpochMillis => read_epoch(Number::parse(text).ok(), 1),
            TimeForm::Strptime(items) => read_strptime(text.trim_ascii(), items, format.tz),
        };
    }
    let number = found.as_value().and_then(|value| value.as_number());
    match format.form {
        TimeForm::EpochSeconds => read_epoch(number, 1000),
        TimeForm::Any | TimeForm::EpochMillis => read_epoch(number, 1),
        TimeForm::Rfc3339 | TimeForm::Strptime(_) => Err(TimestampFault::Unparsable),
    }
}

/// A time in an unnamed form, in a time zone unless it carries an offset.
fn read_any(text: &str, tz: Tz) -> Result<Timestamp, TimestampFault> {
    let text = text.trim_ascii();
    let time = Timestamp::parse(text)?;
    // Behind the date, only an offset has a sign or a Z.
    let has_offset = text.get(10..).is_some_and(|clock| clock.contains(['Z', 'z', '+', '-']));
    if has_offset {
        return Ok(time);
    }
    let naive = DateTime::from_timestamp_millis(time.millis()).ok_or(TimestampFault::OutOfRange)?.naive_utc();
    Timestamp::checked_from_millis(in_zone(naive, tz))
}

fn read_epoch(number: Option<Number>, millis_per_unit: i128) -> Result<Timestamp, TimestampFault> {
    let nanos = number.ok_or(TimestampFault::Unparsable)?.nanos();
    // A fact's number is at most 1e29 nano-units, so the product stays within 128 bits.
    let millis = (nanos * millis_per_unit).div_euclid(1_000_000_000);
    Timestamp::checked_from_millis(i64::try_from(millis).map_err(|_| TimestampFault::OutOfRange)?)
}

fn read_strptime(text: &str, items: &[Item<'static>], tz: Tz) -> Result<Timestamp, TimestampFault> {
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, text, items.iter()).map_err(|_| TimestampFault::Unparsable)?;
    let millis = millis_of(&mut parsed, tz).ok_or(TimestampFault::Unparsable)?;
    Timestamp::checked_from_millis(millis)
}

fn millis_of(parsed: &mut Parsed, tz: Tz) -> Option<i64> {
    if let Some(seconds) = parsed.timestamp() {
        return seconds.checked_mul(1000);
    }
    let has_hour = parsed.hour_mod_12().is_some();
    if has_hour && parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    let time = if has_hour { parsed.to_naive_time().ok()? } else { NaiveTime::MIN };
    let naive = parsed.to_naive_date().ok()?.and_time(time);
    match parsed.offset() {
        Some(offset) => Some(naive.and_utc().timestamp_millis() - i64::from(offset) * 1000),
        None => Some(in_zone(naive, tz)),
    }
}

/// The instant of a local time: of two the earlier, in a gap by the offset that held before it.
fn in_zone(naive: NaiveDateTime, tz: Tz) -> i64 {
    if tz == Tz::UTC {
        return naive.and_utc().timestamp_millis();
    }
    match tz.from_local_datetime(&naive).earliest() {
        Some(time) => time.timestamp_millis(),
        None => {
            let before = naive.checked_sub_signed(TimeDelta::days(1)).unwrap_or(naive);
            let offset_s = tz.offset_from_utc_datetime(&before).fix().local_minus_utc();
            naive.and_utc().timestamp_millis() - i64::from(offset_s) * 1000
        }
    }
}

/// The text of [`Timestamp`]'s `Display`, without chrono's formatter, which costs more than mapping a row's cells.
pub(super) fn rfc3339(time: Timestamp) -> String {
    let Some(utc) = DateTime::from_timestamp_millis(time.millis()).filter(|utc| (0..=9999).contains(&utc.year()))
    else {
        return time.to_string();
    };
    let mut out = String::with_capacity(24);
    let mut push = |number: u32, digits: u32, behind: char| {
        for place in (0..digits).rev() {
            let digit = (number / 10u32.pow(place)) % 10;
            out.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
        }
        out.push(behind);
    };
    push(utc.year().unsigned_abs(), 4, '-');
    push(utc.month(), 2, '-');
    push(utc.day(), 2, 'T');
    push(utc.hour(), 2, ':');
    push(utc.minute(), 2, ':');
    push(utc.second(), 2, '.');
    push(utc.timestamp_subsec_millis(), 3, 'Z');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(form: TimeForm, tz: &str) -> TimeFormat {
        TimeFormat { form, tz: tz.parse().unwrap() }
    }

    fn strptime(text: &str) -> TimeForm {
        TimeForm::Strptime(chrono::format::StrftimeItems::new(text).parse_to_owned().unwrap())
    }

    fn read(text: &str, form: TimeForm, tz: &str) -> String {
        match read_time(&Found::Text(text), &format(form, tz)) {
            Ok(time) => time.to_string(),
            Err(fault) => format!("{fault:?}"),
        }
    }

    #[test]
    fn a_time_is_read_by_its_format_in_its_zone() {
        let berlin = "Europe/Berlin";
        assert_eq!(read("31.07.2024 09:30", strptime("%d.%m.%Y %H:%M"), berlin), "2024-07-31T07:30:00.000Z");
        assert_eq!(read("2024-07-31", strptime("%Y-%m-%d"), "America/New_York"), "2024-07-31T04:00:00.000Z");
        assert_eq!(read("2024-01-31 09 +0200", strptime("%Y-%m-%d %H %z"), berlin), "2024-01-31T07:00:00.000Z");
        assert_eq!(read("2024-01-31T09:30:00", TimeForm::Any, berlin), "2024-01-31T08:30:00.000Z");
        assert_eq!(read("2024-01-31T09:30:00+05:00", TimeForm::Any, berlin), "2024-01-31T04:30:00.000Z");
        assert_eq!(read("1700000000.123", TimeForm::EpochSeconds, "UTC"), "2023-11-14T22:13:20.123Z");
        assert_eq!(read("1700000000123", TimeForm::EpochMillis, "UTC"), "2023-11-14T22:13:20.123Z");
        assert_eq!(read("1700000000", strptime("%s"), berlin), "2023-11-14T22:13:20.000Z");
        assert_eq!(read("31/07/2024", strptime("%Y-%m-%d"), "UTC"), "Unparsable");
        assert_eq!(read("2024-07-31", TimeForm::Rfc3339, "UTC"), "Unparsable");
        assert_eq!(read("9999-01-01", strptime("%Y-%m-%d"), "UTC"), "OutOfRange");
        assert_eq!(read("1e20", TimeForm::EpochSeconds, "UTC"), "OutOfRange");
    }

    #[test]
    fn a_local_time_that_is_twice_or_never_still_has_one_instant() {
        // Berlin: clocks go back 2024-10-27 03:00 to 02:00, and forward 2024-03-31 02:00 to 03:00.
        let form = || strptime("%Y-%m-%d %H:%M");
        assert_eq!(read("2024-10-27 02:30", form(), "Europe/Berlin"), "2024-10-27T00:30:00.000Z");
        assert_eq!(read("2024-03-31 02:30", form(), "Europe/Berlin"), "2024-03-31T01:30:00.000Z");
    }

    #[test]
    fn the_fast_text_agrees_with_the_display() {
        for millis in [-2_208_988_800_000, -1, 0, 1_700_000_000_123, 7_289_654_399_999, i64::MAX] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(rfc3339(time), time.to_string());
        }
    }
}
