//! Numbers that do not depend on order: decimals with nine places in a 128-bit integer.
//!
//! A price that arrives as text stays the decimal it was; sums are exact, so no order of addition changes a result
//! (law 6). A number outside ±1e20 is refused at intake.

use std::fmt;

use crate::error::Error;

/// Why a text is not a [`Number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberFault {
    /// Not a decimal number.
    #[error("not a decimal number")]
    NotANumber,
    /// Further from zero than 1e20.
    #[error("a number further from zero than 1e20")]
    TooLarge,
}

/// A decimal, rounded half-even to nine places: the count of nano-units (1e-9).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Number(i128);

const NANO: i128 = 1_000_000_000;
/// The largest magnitude a fact may carry: 1e20 (law 6).
const LIMIT: i128 = 100_000_000_000_000_000_000 * NANO;

/// Every integer up to here is a float of its own: 2^53.
const EXACT_IN_FLOAT: u128 = 1 << 53;

impl Number {
    /// Zero.
    pub const ZERO: Number = Number(0);

    /// The number with this many nano-units; sums may exceed the 1e20 that facts may carry.
    pub const fn from_nanos(nanos: i128) -> Number {
        Number(nanos)
    }

    /// How many nano-units (1e-9) this number is.
    pub const fn nanos(self) -> i128 {
        self.0
    }

    /// An integer as a number.
    pub const fn from_i64(integer: i64) -> Number {
        Number(integer as i128 * NANO)
    }

    /// A float by its shortest decimal form, as Python and JavaScript print it.
    pub fn from_f64(float: f64) -> Result<Number, NumberFault> {
        if !float.is_finite() {
            return Err(NumberFault::NotANumber);
        }
        Number::parse(&float.to_string())
    }

    /// Parses a decimal (`-12.50`, `1e3`, `.5`, `17850.0`), rounding half-even to nine places.
    ///
    /// Cost grows with the length of the text, whatever its exponent.
    ///
    /// ```
    /// use cdp_core::records::Number;
    /// assert_eq!(Number::parse("2.5500").unwrap().to_string(), "2.55");
    /// assert_eq!(Number::parse("0.0000000005").unwrap().to_string(), "0"); // half-even
    /// assert!(Number::parse("1e21").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Number, NumberFault> {
        let text = text.trim_ascii();
        let (negative, unsigned) = match text.as_bytes() {
            [b'-', ..] => (true, text.get(1..).unwrap_or("")),
            [b'+', ..] => (false, text.get(1..).unwrap_or("")),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (unsigned.get(..at).unwrap_or(""), parse_exponent(unsigned.get(at + 1..).unwrap_or(""))?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits_only = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !digits_only || whole.len() + fraction.len() == 0 {
            return Err(NumberFault::NotANumber);
        }
        let mut digits = whole.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0'));
        // How many of the digits count in nano-units; those behind decide the rounding only.
        let kept = (whole.len() as i64).saturating_add(exponent).saturating_add(9);
        if kept < 0 {
            return Ok(Number::ZERO);
        }
        let mut nanos: i128 = 0;
        let mut taken: i64 = 0;
        while taken < kept {
            let Some(digit) = digits.next() else { break };
            nanos = nanos * 10 + digit;
            taken += 1;
            if nanos > LIMIT {
                return Err(NumberFault::TooLarge);
            }
        }
        if nanos != 0 {
            for _ in taken..kept {
                nanos *= 10;
                if nanos > LIMIT {
                    return Err(NumberFault::TooLarge);
                }
            }
        }
        if let Some(next) = digits.next() {
            let beyond = digits.any(|digit| digit != 0);
            if next > 5 || (next == 5 && (beyond || nanos % 2 == 1)) {
                nanos += 1;
            }
        }
        if nanos > LIMIT {
            return Err(NumberFault::TooLarge);
        }
        Ok(Number(if negative { -nanos } else { nanos }))
    }

    /// The sum, or `None` beyond 128 bits (more than 1e8 facts of the largest size).
    pub fn checked_add(self, other: Number) -> Option<Number> {
        self.0.checked_add(other.0).map(Number)
    }

    /// The difference, or `None` beyond 128 bits.
    pub fn checked_sub(self, other: Number) -> Option<Number> {
        self.0.checked_sub(other.0).map(Number)
    }

    /// The product, rounded half-even to nine places; an error beyond 1e20.
    pub fn multiply(self, other: Number) -> Result<Number, NumberFault> {
        let product = self.0.checked_mul(other.0).ok_or(NumberFault::TooLarge)?;
        let nanos = divide_half_even(product, NANO);
        if nanos.abs() > LIMIT { Err(NumberFault::TooLarge) } else { Ok(Number(nanos)) }
    }

    /// This number divided by a count, rounded half-even to nine places; `None` for a count of zero.
    pub fn divide_by_count(self, count: u64) -> Option<Number> {
        (count > 0).then(|| Number(divide_half_even(self.0, i128::from(count))))
    }

    /// The integer, if there is nothing behind the point and it fits 64 bits.
    pub fn as_i64(self) -> Option<i64> {
        // Dividing 128 bits costs ten times as much, and few numbers have that many.
        if let Ok(nanos) = i64::try_from(self.0) {
            return (nanos % NANO as i64 == 0).then_some(nanos / NANO as i64);
        }
        if self.0 % NANO == 0 { i64::try_from(self.0 / NANO).ok() } else { None }
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        // Both sides of this division are exact, so it rounds once.
        if self.0.unsigned_abs() <= EXACT_IN_FLOAT {
            return self.0 as f64 / NANO as f64;
        }
        // The parser of the standard library rounds a decimal text correctly; dividing rounded floats would round twice.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Whether the number is within the ±1e20 that a fact may carry.
    pub fn is_within_limit(self) -> bool {
        self.0.abs() <= LIMIT
    }
}

fn parse_exponent(text: &str) -> Result<i64, NumberFault> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberFault::NotANumber);
    }
    // An exponent beyond 18 digits cannot be distinguished from infinity here: it is zero or too large either way.
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    Ok(if text.starts_with('-') { -magnitude } else { magnitude })
}

fn divide_half_even(dividend: i128, divisor: i128) -> i128 {
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    let twice = remainder.unsigned_abs() * 2;
    let away = twice > divisor.unsigned_abs() || (twice == divisor.unsigned_abs() && quotient % 2 != 0);
    if away { quotient + if (dividend < 0) == (divisor < 0) { 1 } else { -1 } } else { quotient }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (whole, fraction) = (magnitude / NANO as u128, magnitude % NANO as u128);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if fraction > 0 {
            let digits = format!("{fraction:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

impl From<NumberFault> for Error {
    fn from(fault: NumberFault) -> Error {
        Error::invalid(fault.to_string())
    }
}

/// Shows nothing of the number: it may be a person's salary.
impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Number(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &str) -> String {
        Number::parse(input).map_or_else(|fault| fault.to_string(), |number| number.to_string())
    }

    #[test]
    fn a_decimal_is_kept_exactly_and_rounded_half_even() {
        assert_eq!(text("8911407.904"), "8911407.904");
        assert_eq!(text("-611342.09"), "-611342.09");
        assert_eq!(text("17850.0"), "17850");
        assert_eq!(text("0.1234567895"), "0.12345679");
        assert_eq!(text("0.1234567885"), "0.123456788");
        assert_eq!(text("0.12345678850000000000000001"), "0.123456789");
        assert_eq!(text("1e-999999999999999999999"), "0");
        assert_eq!(text("9007199254740993"), "9007199254740993");
        assert_eq!(text("1e20"), "100000000000000000000");
        assert_eq!(text("-0"), "0");
        assert_eq!(text("5e-10"), "0");
        assert_eq!(text("15e-10"), "0.000000002");
    }

    #[test]
    fn what_is_no_number_or_too_large_is_refused() {
        for input in ["", "-", ".", "1e", "1e+", "NaN", "inf", "0x10", "1_000", "1,5", "１"] {
            assert_eq!(Number::parse(input), Err(NumberFault::NotANumber), "{input}");
        }
        for input in ["1e21", "-1e400", "100000000000000000000.000000001", "1e999999999999999999999"] {
            assert_eq!(Number::parse(input), Err(NumberFault::TooLarge), "{input}");
        }
        assert_eq!(Number::parse("0e999999999999999999999"), Ok(Number::ZERO));
    }

    #[test]
    fn the_nearest_float_and_the_integer_are_those_of_the_text() {
        let edges =
            [0, 1, 10, 123_456_789, 15_300_000_000, 1 << 53, (1 << 53) + 1, i128::from(i64::MAX), LIMIT, 7 * NANO];
        for nanos in edges.into_iter().chain((0..2000).map(|n| n * 4_503_599_627_371 + 7)) {
            for number in [Number(nanos), Number(-nanos), Number(nanos / NANO * NANO)] {
                let text = number.to_string();
                assert_eq!(number.to_f64(), text.parse::<f64>().unwrap(), "{text}");
                assert_eq!(number.as_i64(), text.parse::<i64>().ok(), "{text}");
            }
        }
    }

    #[test]
    fn products_and_averages_round_half_even() {
        let product = Number::parse("6.0").unwrap().multiply(Number::parse("2.55").unwrap()).unwrap();
        assert_eq!(product.to_string(), "15.3");
        assert_eq!(Number::from_nanos(5).divide_by_count(2), Some(Number::from_nanos(2)));
        assert_eq!(Number::from_nanos(-15).divide_by_count(2), Some(Number::from_nanos(-8)));
        assert_eq!(Number::from_i64(1).divide_by_count(0), None);
        assert!(Number::parse("1e20").unwrap().multiply(Number::parse("1e20").unwrap()).is_err());
    }
}
