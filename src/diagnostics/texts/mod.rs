//! What codes mean, in short words of our own.
//!
//! Generic codes of SAE J2012 (P0, some P2, B0, C0, U0, U3; the failure type has no part in it) and, of SAE J1939, names of
//! common suspect parameters with words for the failure modes. What is not here has no text: a manufacturer's code means
//! something else in each make. An owner can give more, or better, in a JSON file:
//!
//! ```json
//! {"P1234": "Heater of the left mirror", "SPN 520192 FMI 3": "Crane: pressure sensor open", "SPN 110": "Water"}
//! ```
//!
//! A text for an SPN stands before the words of the failure mode; a text for SPN and FMI stands alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};

use crate::vehicle::trouble::Code;

/// Largest file that is read, in bytes.
pub const LARGEST: usize = 1 << 20;
/// Most texts in it.
pub const MOST: usize = 20_000;
/// Longest text, in characters.
const LONGEST: usize = 200;

/// `P0001 text`, a line each, in order.
const CODES: &str = include_str!("codes.txt");
/// `27 text`, a line each, in order.
const SPNS: &str = include_str!("spns.txt");

/// By failure mode identifier (SAE J1939-73, Appendix A).
const FMIS: [&str; 32] = [
    "far too high",
    "far too low",
    "erratic or wrong",
    "voltage too high",
    "voltage too low",
    "current too low or circuit open",
    "current too high or grounded",
    "mechanism does not respond",
    "wrong frequency or pulse width",
    "comes too seldom",
    "changes too fast",
    "cause not known",
    "device or component faulty",
    "not calibrated",
    "see the manual",
    "a little too high",
    "too high",
    "a little too low",
    "too low",
    "wrong data from the network",
    "drifts upwards",
    "drifts downwards",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "is the case",
];

/// What a text of the owner is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Code(u16),
    Spn(u32),
    SpnFmi(u32, u8),
}

/// Why a file of texts cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Larger than [`LARGEST`].
    #[error("{0} bytes; a file of texts has at most {LARGEST}")]
    Large(usize),
    /// Not JSON, not an object of texts, or a key or text that cannot be; says which.
    #[error("{0}")]
    Json(String),
}

/// The texts: ours, and before them the owner's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    own: BTreeMap<Key, String>,
}

impl Texts {
    /// Reads the owner's file.
    ///
    /// # Errors
    /// Names the key that is wrong, or the line and column of what is no JSON.
    pub fn load(json: &[u8]) -> Result<Texts, Unreadable> {
        if json.len() > LARGEST {
            return Err(Unreadable::Large(json.len()));
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let own = reader.deserialize_map(Owners).and_then(|own| reader.end().map(|()| own));
        own.map(|own| Texts { own }).map_err(|error| Unreadable::Json(error.to_string()))
    }

    /// How many are the owner's.
    pub fn own(&self) -> usize {
        self.own.len()
    }

    /// The text of a code; `None` where there is none.
    pub fn of(&self, code: Code) -> Option<Cow<'_, str>> {
        match code {
            Code::Iso { base, .. } => match self.own.get(&Key::Code(base)) {
                Some(own) => Some(Cow::Borrowed(own)),
                None => find(CODES, |key| key.cmp(code.to_string().as_str())).map(Cow::Borrowed),
            },
            Code::J1939 { spn, fmi } => {
                if let Some(own) = self.own.get(&Key::SpnFmi(spn, fmi)) {
                    return Some(Cow::Borrowed(own));
                }
                let name = self.own.get(&Key::Spn(spn)).map(String::as_str);
                let name = name.or_else(|| find(SPNS, |key| key.parse::<u32>().unwrap_or_default().cmp(&spn)))?;
                let words = FMIS.get(usize::from(fmi)).filter(|words| !words.is_empty());
                Some(words.map_or(Cow::Borrowed(name), |words| Cow::Owned(format!("{name}: {words}"))))
            }
        }
    }
}

/// The text of the line whose key compares as equal; lines are in the order of their keys.
fn find(lines: &'static str, compare: impl Fn(&str) -> std::cmp::Ordering) -> Option<&'static str> {
    let mut left = lines;
    while !left.is_empty() {
        // The line in the middle, and what is before and after it.
        let middle = left.as_bytes().get(..left.len() / 2)?;
        let start = middle.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let (before, rest) = left.split_at_checked(start)?;
        let (line, after) = rest.split_once('\n')?;
        let (key, text) = line.split_once(' ')?;
        left = match compare(key) {
            std::cmp::Ordering::Equal => return Some(text),
            std::cmp::Ordering::Less => after,
            std::cmp::Ordering::Greater => before,
        };
    }
    None
}

/// `P0301`, `SPN 110`, `SPN 110 FMI 3`.
fn key(text: &str) -> Option<Key> {
    if let Some(numbers) = text.strip_prefix("SPN ") {
        let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        let (spn, fmi) = numbers.split_once(" FMI ").map_or((numbers, None), |(spn, fmi)| (spn, Some(fmi)));
        let spn = number(spn).filter(|spn| *spn < 1 << 19)?;
        return match fmi {
            None => Some(Key::Spn(spn)),
            Some(fmi) => {
                number(fmi).and_then(|fmi| u8::try_from(fmi).ok()).filter(|fmi| *fmi < 32).map(|fmi| Key::SpnFmi(spn, fmi))
            }
        };
    }
    let (letter, digits) = text.split_at_checked(1)?;
    let letter = u16::try_from("PCBU".find(letter)?).ok()?;
    if digits.len() != 4 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u16::from_str_radix(digits, 16).ok().filter(|number| *number < 0x4000)?;
    Some(Key::Code(letter << 14 | number))
}

/// Reads pair by pair, so that a file of more than [`MOST`] is refused before it is held.
struct Owners;

impl<'de> Visitor<'de> for Owners {
    type Value = BTreeMap<Key, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts, such as {\"P1234\": \"Heater of the left mirror\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
        use serde::de::Error;
        let mut own = BTreeMap::new();
        while let Some(name) = pairs.next_key::<String>()? {
            let shown = name.chars().take(40).collect::<String>();
            let key = key(&name).ok_or_else(|| {
                A::Error::custom(format_args!("{shown:?} is no code; `P1234`, `SPN 110` and `SPN 110 FMI 3` are"))
            })?;
            let text = pairs.next_value::<serde_json::Value>()?;
            let text = text.as_str().map(str::trim).filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| A::Error::custom(format_args!("{shown}: a text in quotes belongs here")))?;
            if text.chars().count() > LONGEST || text.chars().any(char::is_control) {
                return Err(A::Error::custom(format_args!("{shown}: a text is one line of at most {LONGEST} characters")));
            }
            if own.len() == MOST && !own.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{shown}: at most {MOST} texts are taken")));
            }
            if own.insert(key, text.to_owned()).is_some() {
                return Err(A::Error::custom(format_args!("{shown} is there twice")));
            }
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(texts: &Texts, name: &str) -> Option<String> {
        let code = match key(name).unwrap() {
            Key::Code(base) => Code::Iso { base, failure: Some(0x17) },
            Key::Spn(spn) => Code::J1939 { spn, fmi: 22 },
            Key::SpnFmi(spn, fmi) => Code::J1939 { spn, fmi },
        };
        texts.of(code).map(Cow::into_owned)
    }

    #[test]
    fn every_line_is_found_and_there_are_enough() {
        let texts = Texts::default();
        assert!(CODES.lines().count() >= 400 && SPNS.lines().count() >= 100);
        for line in CODES.lines() {
            let (code, text) = line.split_once(' ').unwrap();
            assert_eq!(of(&texts, code).as_deref(), Some(text), "{code}");
            assert!(text.len() <= 80 && text.is_ascii(), "{text}");
        }
        for line in SPNS.lines() {
            let (spn, text) = line.split_once(' ').unwrap();
            assert_eq!(of(&texts, &format!("SPN {spn}")).as_deref(), Some(text), "{spn}");
        }
        assert_eq!(of(&texts, "P1234"), None);
        assert_eq!(of(&texts, "U3FFF"), None);
        assert_eq!(of(&texts, "SPN 1"), None);
        assert_eq!(of(&texts, "SPN 110 FMI 0").as_deref(), Some("Coolant temperature: far too high"));
    }

    #[test]
    fn the_owners_text_is_told_before_ours() {
        let texts =
            Texts::load(br#"{"P0301": "The first one", "SPN 110": "Water", "SPN 110 FMI 3": "Cable", "P1234": "M"}"#).unwrap();
        let told = ["P0301", "P0302", "SPN 110 FMI 0", "SPN 110 FMI 3", "P1234"].map(|name| of(&texts, name).unwrap());
        assert_eq!(told, ["The first one", "Misfires in cylinder 2", "Water: far too high", "Cable", "M"]);
        assert_eq!(texts.own(), 4);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fault = |json: &str| Texts::load(json.as_bytes()).unwrap_err().to_string();
        for (json, named) in [
            (r#"{"X1234": "a"}"#, "\"X1234\" is no code"),
            (r#"{"P123": "a"}"#, "\"P123\" is no code"),
            (r#"{"P+123": "a"}"#, "is no code"),
            (r#"{"SPN 524288": "a"}"#, "is no code"),
            (r#"{"SPN 1 FMI 32": "a"}"#, "is no code"),
            (r#"{"P1234": 5}"#, "P1234: a text in quotes"),
            (r#"{"P1234": " "}"#, "P1234: a text in quotes"),
            (r#"{"P1234": "a\nb"}"#, "P1234: a text is one line"),
            (r#"{"P1234": "a", "P1234": "b"}"#, "P1234 is there twice"),
            ("[]", "an object of texts"),
            ("{} {}", "trailing"),
            ("{", "EOF"),
        ] {
            assert!(fault(json).contains(named), "{json}: {}", fault(json));
        }
        assert_eq!(Texts::load(&vec![b' '; LARGEST + 1]), Err(Unreadable::Large(LARGEST + 1)));
        let many: Vec<String> = (0..=MOST).map(|spn| format!("\"SPN {spn}\":\"a\"")).collect();
        assert!(fault(&format!("{{{}}}", many.join(","))).contains("at most 20000"));
    }

    proptest! {
        #[test]
        fn no_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "\\{\"(SPN |P)[0-9 FMI]{0,12}\": \"a\"\\}") {
            let _ = (Texts::load(&bytes), Texts::load(text.as_bytes()));
        }
    }
}
