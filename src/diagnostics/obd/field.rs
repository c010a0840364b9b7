//! How a value lies in bytes, and how it is read out.

use std::borrow::Cow;

use crate::vehicle::Value;

/// A value that an ECU told.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Its path in VSS 5, else a plain name in camelCase.
    pub name: Cow<'static, str>,
    /// The value.
    pub value: Value,
    /// As VSS spells units; empty where there is none.
    pub unit: &'static str,
}

/// One value within the data bytes of a PID.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    name: &'static str,
    unit: &'static str,
    /// First bit, counted from the most significant one of the first byte.
    at: u16,
    bits: u8,
    form: Form,
    /// Bit of the first byte (0 is the least significant) that says whether the ECU has this value.
    needs: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// `raw × mul / div + add`.
    Number { signed: bool, mul: f64, div: f64, add: f64 },
    /// Whether the raw value is not 0.
    Flag,
    /// Whether the raw value is another one than this.
    Not(u32),
    /// A word for each raw value; another raw value is told as a number.
    Words(&'static [(u32, &'static str)]),
}

impl Field {
    /// A number of whole bytes from byte `byte` on, `raw × mul / div + add`.
    pub const fn number(name: &'static str, unit: &'static str, byte: u16, bytes: u8, mul: f64, div: f64, add: f64) -> Field {
        Field { name, unit, at: byte * 8, bits: bytes * 8, form: Form::Number { signed: false, mul, div, add }, needs: None }
    }

    /// The same in two's complement.
    pub const fn signed(name: &'static str, unit: &'static str, byte: u16, bytes: u8, mul: f64, div: f64) -> Field {
        let form = Form::Number { signed: true, mul, div, add: 0.0 };
        Field { name, unit, at: byte * 8, bits: bytes * 8, form, needs: None }
    }

    /// 0 to 100 % in one byte.
    pub const fn percent(name: &'static str, byte: u16) -> Field {
        Field::number(name, "percent", byte, 1, 100.0, 255.0, 0.0)
    }

    /// −100 to 99.2 % in one byte.
    pub const fn trim(name: &'static str, byte: u16) -> Field {
        Field::number(name, "percent", byte, 1, 100.0, 128.0, -100.0)
    }

    /// −40 to 215 °C in one byte.
    pub const fn celsius(name: &'static str, byte: u16) -> Field {
        Field::number(name, "celsius", byte, 1, 1.0, 1.0, -40.0)
    }

    /// −40 to 6513.5 °C in two bytes.
    pub const fn fine_celsius(name: &'static str, byte: u16) -> Field {
        Field::number(name, "celsius", byte, 2, 1.0, 10.0, -40.0)
    }

    /// A plain number of bytes.
    pub const fn plain(name: &'static str, unit: &'static str, byte: u16, bytes: u8) -> Field {
        Field::number(name, unit, byte, bytes, 1.0, 1.0, 0.0)
    }

    /// Some bits as a plain number.
    pub const fn bits(name: &'static str, at: u16, bits: u8) -> Field {
        Field { name, unit: "", at, bits, form: Form::Number { signed: false, mul: 1.0, div: 1.0, add: 0.0 }, needs: None }
    }

    /// One bit, counted from the most significant one of the first byte.
    pub const fn flag(name: &'static str, at: u16) -> Field {
        Field { name, unit: "", at, bits: 1, form: Form::Flag, needs: None }
    }

    /// False where the byte has this value.
    pub const fn not(name: &'static str, byte: u16, value: u32) -> Field {
        Field { name, unit: "", at: byte * 8, bits: 8, form: Form::Not(value), needs: None }
    }

    /// Bits that stand for words.
    pub const fn words(name: &'static str, at: u16, bits: u8, words: &'static [(u32, &'static str)]) -> Field {
        Field { name, unit: "", at, bits, form: Form::Words(words), needs: None }
    }

    /// Only where this bit of the first byte is set.
    pub const fn if_bit(self, bit: u8) -> Field {
        Field { needs: Some(bit), ..self }
    }

    /// The value in the data bytes of a PID; `None` where they end before it, or say that the ECU does not have it.
    pub fn read(&self, bytes: &[u8]) -> Option<Measured> {
        if self.needs.is_some_and(|bit| bytes.first().is_none_or(|byte| byte >> bit & 1 == 0)) {
            return None;
        }
        let raw = self.raw(bytes)?;
        let value = match self.form {
            Form::Number { signed, mul, div, add } => {
                let whole = if signed && raw >> (self.bits - 1) & 1 == 1 {
                    f64::from(raw) - 2f64.powi(self.bits.into())
                } else {
                    raw.into()
                };
                Value::Number(whole * mul / div + add)
            }
            Form::Flag => Value::Bool(raw != 0),
            Form::Not(other) => Value::Bool(raw != other),
            Form::Words(words) => match words.iter().find(|(value, _)| *value == raw) {
                Some((_, word)) => Value::Word(word.parse().unwrap_or_default()),
                None => Value::Number(raw.into()),
            },
        };
        Some(Measured { name: Cow::Borrowed(self.name), value, unit: self.unit })
    }

    /// At most 32 bits.
    fn raw(&self, bytes: &[u8]) -> Option<u32> {
        let end = self.at + u16::from(self.bits);
        let (first, last) = (usize::from(self.at / 8), usize::from(end.div_ceil(8)));
        let all = bytes.get(first..last)?.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
        let shifted = all >> ((8 - end % 8) % 8);
        u32::try_from(shifted & ((1_u64 << self.bits) - 1)).ok()
    }

    /// Every word fits [`crate::vehicle::Word`].
    #[cfg(test)]
    pub fn is_sound(&self, bytes: usize) -> bool {
        let words = if let Form::Words(words) = self.form { words } else { &[] };
        usize::from(self.at) + usize::from(self.bits) <= bytes * 8
            && (1..=32).contains(&self.bits)
            && words.iter().all(|(_, word)| word.parse::<crate::vehicle::Word>().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_most_significant() {
        let number = |field: Field, bytes: &[u8]| field.read(bytes).and_then(|measured| measured.value.as_number());
        assert_eq!(number(Field::bits("a", 4, 8), &[0x0A, 0xB0]), Some(171.0));
        assert_eq!(number(Field::plain("a", "", 0, 4), &[0xFF; 4]), Some(4_294_967_295.0));
        assert_eq!(number(Field::signed("a", "", 0, 2, 1.0, 4.0), &[0xFF, 0xFE]), Some(-0.5));
        assert_eq!(number(Field::plain("a", "", 1, 1), &[1]), None, "cut short");
        assert_eq!(number(Field::celsius("a", 1).if_bit(1), &[1, 50]), None, "not supported");
    }
}
