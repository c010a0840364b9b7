//! Numbers, times and angles as NMEA 0183 writes them between two commas.
//!
//! A field that is empty or cannot be read is `None`: the receiver did not say.

/// Microseconds of a day; up to a second more than a day has, for the leap second 23:59:60.
pub type TimeOfDay = i64;

/// Days since 1970-01-01.
pub type Day = i64;

/// µs of a day without a leap second.
pub const DAY_US: i64 = 86_400_000_000;

/// Digits kept after the point: 10⁻¹¹ of a minute of arc is less than a nanometre.
const DECIMALS: usize = 11;
/// Digits taken before the point.
const INTEGERS: usize = 7;
const POWERS: [u64; DECIMALS + 1] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 100_000_000_000];

/// The fields of a sentence, one after the other; empty ones after the last.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `data`: what stands between the sentence's formatter and its `*`.
    pub fn new(data: &'a [u8]) -> Fields<'a> {
        Fields { rest: data }
    }

    /// The next field.
    pub fn take(&mut self) -> &'a [u8] {
        match self.rest.iter().position(|b| *b == b',') {
            Some(comma) => {
                let (field, rest) = self.rest.split_at(comma);
                self.rest = rest.get(1..).unwrap_or_default();
                field
            }
            None => std::mem::take(&mut self.rest),
        }
    }

    /// Passes over `count` fields.
    pub fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.take();
        }
    }

    /// Whether all fields are taken.
    pub fn done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next two fields as a number with its unit.
    pub fn number_with(&mut self, unit: &[u8]) -> Option<f64> {
        let number = decimal(self.take());
        let given = self.take();
        number.filter(|_| given.is_empty() || given == unit)
    }
}

/// Digits with at most one point among them: `(mantissa, decimals)`.
fn fixed(digits: &[u8]) -> Option<(u64, usize)> {
    let (mut mantissa, mut integers, mut decimals, mut point) = (0_u64, 0, 0, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' if point && decimals == DECIMALS => {}
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                if point {
                    decimals += 1;
                } else {
                    integers += 1;
                }
                if integers > INTEGERS {
                    return None;
                }
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    (integers + decimals > 0).then_some((mantissa, decimals))
}

fn power(decimals: usize) -> u64 {
    POWERS.get(decimals).copied().unwrap_or(1)
}

/// A decimal number of up to seven digits before the point.
pub fn decimal(field: &[u8]) -> Option<f64> {
    let field = field.trim_ascii();
    let (sign, digits) = match field {
        [b'-', digits @ ..] => (-1.0, digits),
        [b'+', digits @ ..] => (1.0, digits),
        digits => (1.0, digits),
    };
    let (mantissa, decimals) = fixed(digits)?;
    Some(sign * (mantissa as f64 / power(decimals) as f64))
}

/// A whole number below 256.
pub fn small(field: &[u8]) -> Option<u8> {
    let (mantissa, decimals) = fixed(field.trim_ascii())?;
    if decimals == 0 { u8::try_from(mantissa).ok() } else { None }
}

/// Degrees of `dddmm.mmmm` and the letter of its hemisphere; `limit` is 90 for a latitude, 180 for a longitude.
pub fn angle(field: &[u8], hemisphere: &[u8], letters: [u8; 2], limit: u64) -> Option<f64> {
    let [positive, negative] = letters;
    let sign = match hemisphere {
        [letter] if *letter == positive => 1.0,
        [letter] if *letter == negative => -1.0,
        _ => return None,
    };
    let (mantissa, decimals) = fixed(field.trim_ascii())?;
    let minute = power(decimals);
    let (degrees, minutes) = (mantissa / (100 * minute), mantissa % (100 * minute));
    let whole = degrees * 60 * minute + minutes;
    if minutes >= 60 * minute || whole > limit * 60 * minute {
        return None;
    }
    Some(sign * (whole as f64 / (60 * minute) as f64))
}

/// `hhmmss` with or without decimals.
pub fn time_of_day(field: &[u8]) -> Option<TimeOfDay> {
    let (clock, fraction) = field.split_at_checked(6)?;
    let [h1, h2, m1, m2, s1, s2] = clock else { return None };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.'] => 0,
        [b'.', ..] => {
            let (mantissa, decimals) = fixed(fraction)?;
            i64::try_from(mantissa * power(DECIMALS - decimals) / power(DECIMALS - 6)).ok()?
        }
        _ => return None,
    };
    Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// `ddmmyy`; the years 80 to 99 are 19xx.
pub fn date(field: &[u8]) -> Option<Day> {
    let [d1, d2, m1, m2, y1, y2] = field else { return None };
    let year = two(*y1, *y2)?;
    day(two(*d1, *d2)?, two(*m1, *m2)?, if year >= 80 { 1900 + year } else { 2000 + year })
}

/// A day of the Gregorian calendar, 1900 to 2199.
pub fn day(day: i64, month: i64, year: i64) -> Option<Day> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || !(1900..2200).contains(&year) {
        return None;
    }
    // Years that begin in March have their leap day at the end, so the months before it need no table.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469)
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_read_as_they_are_written() {
        assert_eq!(decimal(b"-28.20"), Some(-28.2));
        assert_eq!(decimal(b"00016"), Some(16.0));
        assert_eq!(decimal(b".5"), Some(0.5));
        assert_eq!(decimal(b"1.23456789012345678901"), Some(1.234_567_890_12), "what is too fine is cut");
        for wrong in [b"".as_slice(), b"-", b".", b"1.2.3", b"nan", b"1e5", b"12345678", b"0x1"] {
            assert_eq!(decimal(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
        assert_eq!((small(b"07"), small(b"256"), small(b"1.0")), (Some(7), None, None));
    }

    #[test]
    fn angles_are_degrees_and_minutes() {
        let latitude = |field: &[u8], letter: &[u8]| angle(field, letter, *b"NS", 90);
        assert_eq!(latitude(b"4807.038", b"N"), Some(48.0 + 7.038 / 60.0));
        assert_eq!(latitude(b"9000.0", b"S"), Some(-90.0));
        for (field, letter) in [("9000.1", "N"), ("4860.0", "N"), ("4807.0", "E"), ("4807.0", ""), ("36000.0", "N")] {
            assert_eq!(latitude(field.as_bytes(), letter.as_bytes()), None, "{field},{letter}");
        }
        assert_eq!(angle(b"12131.324", b"W", *b"EW", 180), Some(-(121.0 + 31.324 / 60.0)));
    }

    #[test]
    fn times_are_exact_and_have_a_leap_second() {
        assert_eq!(time_of_day(b"132820.60"), Some(48_500_600_000));
        assert_eq!(time_of_day(b"000000"), Some(0));
        assert_eq!(time_of_day(b"235960.5"), Some(DAY_US + 500_000));
        for wrong in [b"24000".as_slice(), b"240000", b"126000", b"235961", b"12:34:56", b"120000x", b"120000.x"] {
            assert_eq!(time_of_day(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn a_cold_receiver_says_1980() {
        assert_eq!(date(b"060180"), day(6, 1, 1980));
        assert_eq!(date(b"311279"), day(31, 12, 2079));
        for wrong in [b"300223".as_slice(), b"290223", b"001223", b"011323", b"2208-1", b"1122", b""] {
            assert_eq!(date(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn days_are_those_of_the_calendar(y in 1900_i16..2200, m in 1_i8..=12, d in 1_i8..=31) {
            let oracle = jiff::civil::Date::new(y, m, d).ok().map(|date| {
                let zero = jiff::civil::date(1970, 1, 1);
                i64::from(zero.until(date).map(|span| span.get_days()).unwrap_or_default())
            });
            prop_assert_eq!(day(d.into(), m.into(), y.into()), oracle);
        }

        #[test]
        fn numbers_are_those_of_the_standard_library(number in -9_999_999_i64..9_999_999, decimals in 0_usize..=6) {
            let text = format!("{:.*}", decimals, number as f64 / 1000.0);
            prop_assert_eq!(decimal(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn no_field_is_too_strange(field in prop::collection::vec(any::<u8>(), 0..40)) {
            decimal(&field);
            small(&field);
            angle(&field, b"N", *b"NS", 90);
            time_of_day(&field);
            date(&field);
        }
    }
}
