//! A TOML document whose every value still knows the line it came from, and how one document is laid over another.
//!
//! Tables are merged key by key; everything else, lists included, is replaced whole: a site that names one receiver has
//! one receiver, whatever its board has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::fault::{Findings, Place};

/// A value and the line of its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// The values of TOML. No key takes a date, so one is kept as a date and refused by whoever asks.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are TOML's")]
pub enum Value {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Date,
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    /// A table without anything in it.
    pub fn empty(place: Place) -> Node {
        Node { place, value: Value::Table(BTreeMap::new()) }
    }

    /// Reads `text`. `None` when it is no TOML, which is then noted line by line: what is left of such a file is not
    /// judged, since half of it may be missing.
    pub fn parse(file: &Path, text: &str, findings: &mut Findings) -> Option<Node> {
        let source = Source::new(file, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Some(source.table(source.place(0), document.get_ref(), "", findings));
        }
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let place = source.place(span.start);
            let duplicate = error.message() == "duplicate key";
            let cure = if duplicate { "keep one of the two" } else { "mend the TOML of this line" };
            let message = if duplicate { "stands twice".to_owned() } else { format!("no TOML: {}", error.message()) };
            findings.fault(&place, source.key_near(&place), message, cure);
        }
        None
    }

    /// What stands under the dotted `path`.
    pub fn find(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.table()?.get(key))
    }

    /// What stands under `path`, whose keys may hold dots themselves.
    pub fn get(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.table()?.get(key))
    }

    /// Its keys, if it is a table.
    pub fn table(&self) -> Option<&BTreeMap<String, Node>> {
        if let Value::Table(table) = &self.value { Some(table) } else { None }
    }

    /// Lays this over `lower`.
    #[must_use]
    pub fn over(self, lower: Node) -> Node {
        match (self.value, lower.value) {
            (Value::Table(upper), Value::Table(mut merged)) => {
                for (key, node) in upper {
                    let node = match merged.remove(&key) {
                        Some(below) => node.over(below),
                        None => node,
                    };
                    merged.insert(key, node);
                }
                Node { place: self.place, value: Value::Table(merged) }
            }
            (value, _) => Node { place: self.place, value },
        }
    }

    /// Puts `node` under `path`, making the tables on the way.
    pub fn graft(&mut self, path: &[String], node: Node) {
        let (Some((key, rest)), Value::Table(table)) = (path.split_first(), &mut self.value) else { return };
        if rest.is_empty() {
            table.insert(key.clone(), node);
        } else {
            table.entry(key.clone()).or_insert_with(|| Node::empty(node.place.clone())).graft(rest, node);
        }
    }

    /// Takes what stands under `path` away.
    pub fn prune(&mut self, path: &[String]) {
        let (Some((key, rest)), Value::Table(table)) = (path.split_first(), &mut self.value) else { return };
        if rest.is_empty() {
            table.remove(key);
        } else if let Some(below) = table.get_mut(key) {
            below.prune(rest);
        }
    }

    /// Every value that is no table, with its path from here.
    pub fn leaves(&self) -> Vec<(Vec<String>, &Node)> {
        let Some(table) = self.table() else { return vec![(Vec::new(), self)] };
        let mut all = Vec::new();
        for (key, node) in table {
            for (mut path, leaf) in node.leaves() {
                path.insert(0, key.clone());
                all.push((path, leaf));
            }
        }
        all
    }

    /// What kind of value it is, for a sentence.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Bool(_) => "true or false",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::Date => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// A text and where its lines begin.
struct Source<'t> {
    file: Arc<Path>,
    text: &'t str,
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    fn new(file: &Path, text: &'t str) -> Source<'t> {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Source { file: Arc::from(file), text, lines: std::iter::once(0).chain(ends).collect() }
    }

    fn place(&self, offset: usize) -> Place {
        Place { file: self.file.clone(), line: self.lines.partition_point(|start| *start <= offset).max(1) }
    }

    fn table(&self, place: Place, table: &DeTable<'_>, path: &str, findings: &mut Findings) -> Node {
        let entries = table.iter().filter_map(|(key, value)| {
            let name = key.get_ref().to_string();
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            Some((name, self.node(self.place(key.span().start), value, &path, findings)?))
        });
        Node { place, value: Value::Table(entries.collect()) }
    }

    /// The value; `None` for a number that is none, which is noted.
    fn node(&self, place: Place, value: &Spanned<DeValue<'_>>, path: &str, findings: &mut Findings) -> Option<Node> {
        let value = match value.get_ref() {
            DeValue::Table(table) => return Some(self.table(place, table, path, findings)),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Datetime(_) => Value::Date,
            DeValue::Integer(number) => match integer(number) {
                Some(number) => Value::Integer(number),
                None => {
                    findings.fault(&place, path, format!("{number} is out of range"), "give a number below 2^63");
                    return None;
                }
            },
            DeValue::Float(number) => match finite(number.as_str()) {
                Some(number) => Value::Float(number),
                None => {
                    findings.fault(&place, path, format!("{number} is no finite number"), "give a finite number");
                    return None;
                }
            },
            DeValue::Array(items) => {
                let item = |item: &Spanned<DeValue<'_>>| self.node(self.place(item.span().start), item, path, findings);
                Value::List(items.iter().filter_map(item).collect())
            }
        };
        Some(Node { place, value })
    }

    /// The key that a line of broken TOML is about, as far as it can be read.
    fn key_near(&self, place: &Place) -> String {
        let lines: Vec<&str> = self.text.lines().take(place.line).map(str::trim).collect();
        let header = |line: &&str| line.starts_with('[').then(|| line.trim_matches(['[', ']', ' ']).to_owned());
        let Some((last, before)) = lines.split_last() else { return String::new() };
        if last.starts_with('[') {
            return header(last).unwrap_or_default();
        }
        let section = before.iter().rev().find_map(header);
        let key = last.split(['=', '#']).next().unwrap_or_default().trim();
        match section {
            Some(section) => format!("{section}.{key}"),
            None => key.to_owned(),
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> (Option<Node>, Findings) {
        let mut findings = Findings::default();
        (Node::parse(Path::new("t.toml"), text, &mut findings), findings)
    }

    #[test]
    fn every_value_knows_its_line() {
        let (node, findings) = parse("board = 'sim'\n\n[http]\nlisten = 'x'\n[[gnss]]\nbaud = 1\n[[gnss]]\nbaud = [\n2]\n");
        assert_eq!(findings, Findings::default());
        let node = node.unwrap();
        for (path, line) in [("board", 1), ("http", 3), ("http.listen", 4), ("gnss", 5)] {
            assert_eq!(node.find(path).unwrap().place.line, line, "{path}");
        }
        let Value::List(receivers) = &node.find("gnss").unwrap().value else { panic!("no list") };
        assert_eq!((receivers[0].place.line, receivers[1].place.line), (5, 7));
        assert_eq!(receivers[1].find("baud").unwrap().place.line, 8);
    }

    #[test]
    fn broken_toml_names_line_and_key() {
        for (text, line, key, message) in [
            ("[http]\nlisten = \"x\n", 2, "http.listen", "no TOML"),
            ("[http]\nlisten = 1\nlisten = 2\n", 3, "http.listen", "stands twice"),
            ("[http]\nlisten\n", 2, "http.listen", "no TOML"),
            ("[http\n", 1, "http", "no TOML"),
            ("[http]\n[http]\n", 2, "http", "stands twice"),
            ("a = 99999999999999999999", 1, "a", "out of range"),
            ("a = nan", 1, "a", "finite"),
        ] {
            let (_, findings) = parse(text);
            let fault = findings.faults.first().unwrap_or_else(|| panic!("nothing wrong with {text:?}"));
            assert_eq!((fault.place.line, fault.key.as_str()), (line, key), "{text:?}");
            assert!(fault.message.contains(message), "{text:?}: {fault}");
        }
    }

    #[test]
    fn the_upper_file_wins_key_by_key_and_lists_are_replaced() {
        let lower = parse("[http]\nlisten = 'a'\nnames = ['x', 'y']\n[journal]\ndir = 'd'\n").0.unwrap();
        let merged = parse("[http]\nnames = ['z']\n").0.unwrap().over(lower);
        assert_eq!(merged.find("http.listen").unwrap().value, Value::Text("a".to_owned()));
        assert_eq!(merged.find("journal.dir").unwrap().place.line, 5);
        assert!(matches!(&merged.find("http.names").unwrap().value, Value::List(names) if names.len() == 1));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]a-c.=\"' 0-9\n{},#]{0,80}") {
            let (node, findings) = parse(&text);
            prop_assert!(node.is_some() || !findings.faults.is_empty());
        }
    }
}
