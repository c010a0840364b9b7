//! From a tree to a settings type: every wrong key is found, not only the first.
//!
//! A settings type is a plain struct with a default for each field. Each value of the document is first tried on its own;
//! those that fit make the settings, the others are faults with the line of their key.

use std::cmp::Reverse;
use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error, Expected, IntoDeserializer, Unexpected, Visitor};

use super::fault::{Findings, Place};
use super::tree::{Node, Value};
use crate::can::profile::nearest;

/// Why a value does not fit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// The type has no such field.
    #[error("unknown key {key}")]
    Unknown {
        /// The field.
        key: String,
        /// Those it has.
        known: &'static [&'static str],
    },
    /// A field that cannot be left out is absent.
    #[error("{0} is absent")]
    Missing(&'static str),
    /// Another kind of value, or one out of range.
    #[error("{found}, not {expected}")]
    Misfit {
        /// What stands there.
        found: String,
        /// What would fit.
        expected: String,
    },
    /// The type's own words.
    #[error("{0}")]
    Said(String),
}

impl Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Wrong {
        Wrong::Said(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Wrong {
        Wrong::Misfit { found: format!("is {}", words_of(found)), expected: plainly(&expected.to_string()) }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Wrong {
        Wrong::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Wrong {
        let known = expected.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        Wrong::Misfit { found: format!("is `{variant}`"), expected: known }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Wrong {
        Wrong::Unknown { key: field.to_owned(), known: expected }
    }

    fn missing_field(field: &'static str) -> Wrong {
        Wrong::Missing(field)
    }
}

fn words_of(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        Unexpected::Unit => "a date".to_owned(),
        other => other.to_string(),
    }
}

/// The names of Rust's types are no help to the owner of a car.
fn plainly(expected: &str) -> String {
    let range = |least: i128, most: i128| format!("a whole number from {least} to {most}");
    match expected {
        "u8" => range(0, u8::MAX.into()),
        "u16" => range(0, u16::MAX.into()),
        "u32" => range(0, u32::MAX.into()),
        "u64" | "usize" => "a whole number from 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" => "a text in quotes".to_owned(),
        "a sequence" => "a list in square brackets".to_owned(),
        "a map" => "a table".to_owned(),
        other => other.strip_prefix("struct ").map_or_else(|| other.to_owned(), |_| "a table".to_owned()),
    }
}

impl<'de> IntoDeserializer<'de, Wrong> for &'de Node {
    type Deserializer = &'de Node;

    fn into_deserializer(self) -> &'de Node {
        self
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Date => visitor.visit_unit(),
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Value::Table(table) => visitor.visit_map(MapDeserializer::new(table.iter().map(|(key, node)| (key.as_str(), node)))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.value {
            Value::Text(text) => {
                IntoDeserializer::<Wrong>::into_deserializer(text.as_str()).deserialize_enum(name, variants, visitor)
            }
            _ => Err(Wrong::unknown_variant(self.kind(), variants)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// Reads settings of type `T` from `node`, which stands under `key`. Whatever does not fit is noted and left at its
/// default.
pub fn settings<T: DeserializeOwned + Default>(node: &Node, key: &str, findings: &mut Findings) -> T {
    checked(node, key, |_| Ok(()), findings)
}

/// The same for a type that can say, in a sentence that names the key, what is out of range. It is asked again without
/// each key it complains of, so that it tells them all.
pub fn checked<T: DeserializeOwned + Default>(
    node: &Node,
    key: &str,
    check: impl Fn(&T) -> Result<(), String>,
    findings: &mut Findings,
) -> T {
    let mut fitting = fitting::<T>(node, key, findings);
    loop {
        let settings = match T::deserialize(&fitting) {
            Ok(settings) => settings,
            Err(wrong) => {
                note(wrong, &node.place, key, &[], findings);
                return T::default();
            }
        };
        let Err(sentence) = check(&settings) else { return settings };
        let path = culprit::<T>(&fitting, &sentence);
        let blamed = fitting.get(&path);
        note(Wrong::Said(sentence), &blamed.unwrap_or(node).place, key, &path, findings);
        if blamed.is_none() || path.is_empty() {
            return T::default();
        }
        fitting.prune(&path);
    }
}

/// Of `node` the values that the type takes, each tried alone; the others are noted.
fn fitting<T: DeserializeOwned>(node: &Node, key: &str, findings: &mut Findings) -> Node {
    let mut fitting = Node::empty(node.place.clone());
    if node.table().is_none() {
        let message = format!("is {} and has to be a table", node.kind());
        findings.fault(&node.place, key, message, format!("write [{key}] and its keys below"));
        return fitting;
    }
    for (path, leaf) in node.leaves() {
        let mut alone = Node::empty(node.place.clone());
        alone.graft(&path, leaf.clone());
        match T::deserialize(&alone) {
            Ok(_) => fitting.graft(&path, leaf.clone()),
            Err(wrong) => note(wrong, &leaf.place, key, &path, findings),
        }
    }
    fitting
}

/// The key that a sentence complains of: the one that stands first in it, be it a value or table of the document or only in
/// the type; of several that stand there the one that is spelt out furthest.
fn culprit<T: DeserializeOwned>(node: &Node, sentence: &str) -> Vec<String> {
    let words: Vec<&str> = sentence.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    let first = |path: &[String]| words.windows(path.len()).position(|run| run == path);
    let present: Vec<Vec<String>> = node.leaves().into_iter().map(|(path, _)| path).collect();
    let full = present.iter().flat_map(|path| (1..=path.len()).rev().filter_map(|length| path.get(..length)));
    let alone = present.iter().filter_map(|path| Some((vec![path.last()?.clone()], path.clone())));
    let absent = fields::<T>().iter().map(|key| (vec![(*key).to_owned()], vec![(*key).to_owned()]));
    let spelt = full.map(|path| (path.to_vec(), path.to_vec())).chain(alone).chain(absent);
    spelt
        .filter_map(|(spelling, path)| Some(((first(&spelling)?, Reverse(spelling.len())), path)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, path)| path)
        .unwrap_or_default()
}

fn note(wrong: Wrong, place: &Place, section: &str, path: &[String], findings: &mut Findings) {
    let dotted = |path: &[String]| path.iter().fold(section.to_owned(), |dotted, key| join(&dotted, key));
    let (key, message, cure) = match wrong {
        Wrong::Unknown { key, known } => {
            let upto = path.iter().position(|part| *part == key).map_or(path.len(), |at| at + 1);
            let full = dotted(path.get(..upto).unwrap_or(path));
            (full, "is no known key".to_owned(), suggest(&key, known.iter().copied()))
        }
        Wrong::Missing(field) => (join(&dotted(path), field), "is absent".to_owned(), format!("add `{field}`")),
        Wrong::Misfit { found, expected } => (dotted(path), found, cure_for(path, &format!("give {expected}"))),
        Wrong::Said(sentence) => {
            let key = dotted(path);
            let sentence = without_key(&sentence, &key);
            return findings.said(place, key, sentence, &cure_for(path, "give another value"));
        }
    };
    findings.fault(place, key, message, cure);
}

/// `section.key`, or the key alone at the top.
pub fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// A sentence that begins with the key, which stands before it already, goes on without it.
fn without_key<'s>(sentence: &'s str, key: &str) -> &'s str {
    let between = [' ', ':', '.'];
    key.split('.').fold(sentence, |rest, part| {
        let after = rest.trim_start_matches(between).trim_start_matches('`').strip_prefix(part);
        let after = after.map(|after| after.strip_prefix('`').unwrap_or(after)).filter(|after| after.starts_with(between));
        after.map_or(rest, |after| after.trim_start_matches(between))
    })
}

/// The cure of an unknown key.
pub fn suggest<'a>(given: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(given, known.clone()) {
        Some(name) => format!("the nearest known one is `{name}`"),
        None => format!("known here: {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// An example says more than the name of a type.
fn cure_for(path: &[String], otherwise: &str) -> String {
    let example = match path.last().map(String::as_str) {
        Some("vin") => "the 17 characters of the registration papers, or a name of up to 17 capitals and digits",
        Some("listen") => "an address and a port in quotes, such as \"127.0.0.1:8080\" or \"[::]:8080\"",
        Some("trusted") => "a list of network interfaces, such as [\"lo\", \"wlan0\"]",
        Some("names") => "a list of host names, such as [\"car.local\"]",
        Some("origins") => "a list of web origins, such as [\"https://fleet.example\"]",
        Some("baud") => "the receiver's bits a second, such as 9600",
        Some("max_bytes") => "a number of bytes, such as 67108864",
        Some("max_days") => "a number of days, such as 30",
        _ => return otherwise.to_owned(),
    };
    format!("give {example}")
}

/// The names of the fields of `T`, as its documents spell them: what it says itself of a key that nobody has.
pub fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut probe = Node::empty(Place::new("", 0));
    probe.graft(&[String::new()], Node { place: Place::new("", 0), value: Value::Bool(true) });
    match T::deserialize(&probe) {
        Err(Wrong::Unknown { known, .. }) => known,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::net::SocketAddr;
    use std::path::Path;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        #[default]
        Red,
        Green,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        limit_c: f64,
        colour: Colour,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Outer {
        listen: Option<SocketAddr>,
        count: u8,
        names: Vec<String>,
        inner: Inner,
    }

    fn read(text: &str) -> (Outer, Vec<String>) {
        let mut findings = Findings::default();
        let node = Node::parse(Path::new("t"), text, &mut findings).unwrap();
        let outer = settings(&node, "o", &mut findings);
        (outer, findings.sorted().faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_fits_is_taken() {
        let (outer, faults) = read("listen = '[::1]:80'\ncount = 3\nnames = ['a']\ninner = { limit_c = 35, colour = 'green' }");
        assert_eq!(faults, Vec::<String>::new());
        let inner = Inner { limit_c: 35.0, colour: Colour::Green };
        assert_eq!(outer, Outer { listen: "[::1]:80".parse().ok(), count: 3, names: vec!["a".to_owned()], inner });
    }

    #[test]
    fn every_misfit_is_told_with_its_line_and_the_rest_is_taken() {
        let (outer, faults) = read(
            "listen = 'here'\ncount = 300\nnames = 'a'\ncuont = 1\n[inner]\nlimit_c = 40\ncolour = 'blue'\nlimit = 2020-01-01",
        );
        assert_eq!(outer.inner.limit_c, 40.0);
        assert_eq!(
            faults,
            [
                "t:1: o.listen: invalid socket address syntax; give an address and a port in quotes, such as \"127.0.0.1:8080\" or \"[::]:8080\"",
                "t:2: o.count: is 300; give a whole number from 0 to 255",
                "t:3: o.names: is the text \"a\"; give a list of host names, such as [\"car.local\"]",
                "t:4: o.cuont: is no known key; the nearest known one is `count`",
                "t:7: o.inner.colour: is `blue`; give `red` or `green`",
                "t:8: o.inner.limit: is no known key; the nearest known one is `limit_c`",
            ]
        );
    }

    #[test]
    fn a_value_in_the_place_of_a_table_and_the_reverse() {
        assert_eq!(read("inner = 3").1, ["t:1: o.inner: is 3; give a table"]);
        assert_eq!(read("[count]\nx = 1").1, ["t:2: o.count.x: is a table; give a whole number from 0 to 255"]);
        assert_eq!(read("[inner]\nlimit_c = 2020-01-01").1, ["t:2: o.inner.limit_c: is a date; give a number"]);
    }

    #[test]
    fn every_value_out_of_range_is_told_where_it_stands() {
        let mut findings = Findings::default();
        let text = "count = 7\n[inner]\nlimit_c = 99\ncolour = 'green'";
        let node = Node::parse(Path::new("t"), text, &mut findings).unwrap();
        let check = |outer: &Outer| match outer {
            Outer { count: 7, .. } => Err("o.count is 7; give fewer".to_owned()),
            Outer { inner: Inner { limit_c: 99.0, .. }, .. } => Err("limit_c above colour: 0 to 50".to_owned()),
            _ => Ok(()),
        };
        let outer = checked(&node, "o", check, &mut findings);
        assert_eq!(outer, Outer { inner: Inner { colour: Colour::Green, limit_c: 0.0 }, ..Outer::default() });
        assert_eq!(findings.to_string(), "t:1: o.count: is 7; give fewer\nt:3: o.inner.limit_c: above colour; 0 to 50\n");
    }

    #[test]
    fn a_type_tells_the_names_of_its_fields() {
        assert_eq!(fields::<Outer>(), ["listen", "count", "names", "inner"]);
    }
}
