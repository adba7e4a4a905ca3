//! Dates of birth in any common form as eight places, `YYYYMMDD`, with `-` for what is not known.
//!
//! A date that cannot be (month 13) keeps its digits: it is a typing error that the comparison can still use.

/// In which order a column writes day and month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum DateOrder {
    /// Day before month.
    #[default]
    DayFirst,
    /// Month before day.
    MonthFirst,
}

impl DateOrder {
    /// The order that fits most of these texts.
    pub(crate) fn of<'t>(texts: impl Iterator<Item = &'t str>) -> DateOrder {
        let (mut day_first, mut month_first) = (0, 0);
        for text in texts {
            let parts = numbers(text);
            if let [(first, 1..=2), (second, 1..=2), (_, 2 | 4)] = parts.as_slice() {
                day_first += usize::from(*first > 12 && *first <= 31 && *second <= 12);
                month_first += usize::from(*second > 12 && *second <= 31 && *first <= 12);
            }
        }
        if month_first > day_first { DateOrder::MonthFirst } else { DateOrder::DayFirst }
    }
}

/// Runs of digits with how many digits they have.
fn numbers(text: &str) -> Vec<(u32, usize)> {
    text.split(|letter: char| !letter.is_ascii_digit())
        .filter(|run| !run.is_empty())
        .map(|run| (run.parse().unwrap_or(u32::MAX), run.len()))
        .collect()
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

fn month_word(text: &str) -> Option<u32> {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphabetic()).filter(|word| word.len() >= 3);
    words
        .filter_map(|word| MONTHS.iter().position(|month| word.starts_with(month)))
        .next()
        .map(|place| place as u32 + 1)
}

fn full_year(year: u32, n_digits: usize) -> u32 {
    match n_digits {
        2 if year <= 25 => 2000 + year,
        2 => 1900 + year,
        _ => year,
    }
}

/// The date as eight places; empty if the text holds none.
pub(crate) fn date(raw: &str, order: DateOrder) -> String {
    let raw = super::normalize::whole_number(raw);
    // The time of a timestamp says nothing about a birth.
    let day = raw.split('T').next().unwrap_or("");
    let day = if day.len() > 10 && day.contains(':') { day.get(..10).unwrap_or(day) } else { day };
    let parts = numbers(day);
    let text = match (month_word(day), parts.as_slice()) {
        (Some(month), [(year, 4), (day, 1..=2)] | [(day, 1..=2), (year, 4)]) => format!("{year:04}{month:02}{day:02}"),
        (Some(month), [(day, 1..=2), (year, 2)]) => format!("{:04}{month:02}{day:02}", full_year(*year, 2)),
        (Some(month), [(year, 4)]) => format!("{year:04}{month:02}--"),
        (None, [(year, 4), (month, 1..=2), (day, 1..=2)]) => format!("{year:04}{month:02}{day:02}"),
        (None, [(first, 1..=2), (second, 1..=2), (year, n @ (2 | 4))]) => {
            let year = full_year(*year, *n);
            let month_first = match order {
                DateOrder::DayFirst => *second > 12 && *first <= 12,
                DateOrder::MonthFirst => *first <= 12 || *second > 12,
            };
            let (day, month) = if month_first { (second, first) } else { (first, second) };
            format!("{year:04}{month:02}{day:02}")
        }
        (None, [(_, 8)]) => {
            let digits: String = day.chars().filter(char::is_ascii_digit).collect();
            let (begin, end) = digits.split_at_checked(4).unwrap_or(("", ""));
            let is_year = |text: &str| text.starts_with("19") || text.starts_with("20") || text.starts_with("18");
            match end.split_at_checked(2) {
                // `31121980`: day, month, year in one.
                Some(_) if is_year(end) && !is_year(begin) => {
                    let (first, second) = begin.split_at_checked(2).unwrap_or(("", ""));
                    if order == DateOrder::MonthFirst {
                        format!("{end}{begin}")
                    } else {
                        format!("{end}{second}{first}")
                    }
                }
                _ => digits,
            }
        }
        (None, [(year, 4)]) => format!("{year:04}----"),
        (None, [(year, 4), (month, 1..=2)]) => format!("{year:04}{month:02}--"),
        _ => String::new(),
    };
    let placeholder = text.starts_with("0000") || matches!(text.as_str(), "19000101" | "99999999" | "99991231");
    if text.len() != 8 || placeholder { String::new() } else { text }
}

/// A date from three columns; empty without a year, a month and a day.
pub(crate) fn date_of_parts(year: &str, month: &str, day: &str) -> String {
    let number = |raw: &str, width: usize| -> String {
        let raw = super::normalize::whole_number(raw);
        match raw.parse::<u32>() {
            Ok(number) if width == 4 => format!("{:04}", full_year(number, raw.len())),
            Ok(number) => format!("{number:02}"),
            Err(_) => {
                month_word(raw).filter(|_| width == 2).map_or_else(|| "-".repeat(width), |month| format!("{month:02}"))
            }
        }
    };
    let text = format!("{}{}{}", number(year, 4), number(month, 2), number(day, 2));
    if text.len() != 8 || text.bytes().all(|byte| byte == b'-') { String::new() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_form_is_one_date() {
        for raw in [
            "1980-12-31",
            "31/12/1980",
            "31.12.1980",
            "19801231",
            "31 Dec 1980",
            "Dec 31, 1980",
            "12/31/1980",
            "1980-12-31T00:00:00Z",
            "31121980",
            "19801231.0",
            "31-Dec-80",
            "1980-12-31 00:00:00",
        ] {
            assert_eq!(date(raw, DateOrder::DayFirst), "19801231", "{raw}");
        }
        assert_eq!(date("01/02/1980", DateOrder::MonthFirst), "19800102");
        assert_eq!(date("1980", DateOrder::DayFirst), "1980----");
        assert_eq!(date("19381339", DateOrder::DayFirst), "19381339");
        assert_eq!(date("soon", DateOrder::DayFirst), "");
        assert_eq!(date_of_parts("1960", "7", "3.0"), "19600703");
        assert_eq!(DateOrder::of(["01/31/1980", "02/03/1981"].into_iter()), DateOrder::MonthFirst);
    }
}
