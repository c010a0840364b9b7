//! A TOML file whose mistakes are all told, each with its line, its key and what would be right.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::meant;

/// A mistake in a profile, or something in a database that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// The key, with the tables it is in; empty where the whole file is meant.
    pub key: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.what)
    }
}

/// A file that is being read.
pub(super) struct Document<'a> {
    file: &'a Path,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Document<'a> {
        Document { file, text, problems: RefCell::new(Vec::new()) }
    }

    /// Notes a mistake at `span`.
    pub(super) fn problem(&self, span: Range<usize>, key: &str, what: impl Into<String>) {
        let line = Some(self.line(span.start));
        let problem = Problem { file: self.file.to_owned(), line, key: key.to_owned(), what: what.into() };
        self.problems.borrow_mut().push(problem);
    }

    /// The line of the byte at `offset`.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1)
    }

    /// Everything noted, by line.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line);
        problems
    }
}

/// A value, and where it stands.
pub(super) type At<T> = (T, Range<usize>);

/// A table of the file.
pub(super) struct Fields<'d, 'i> {
    document: &'d Document<'d>,
    table: &'d DeTable<'i>,
    /// The tables it is in, for messages.
    path: String,
    span: Range<usize>,
}

impl<'d, 'i> Fields<'d, 'i> {
    /// The table at `span`. Keys other than `known` are mistakes.
    pub(super) fn new(
        document: &'d Document<'d>,
        table: &'d DeTable<'i>,
        path: impl Into<String>,
        span: Range<usize>,
        known: &[&str],
    ) -> Fields<'d, 'i> {
        let fields = Fields { document, table, path: path.into(), span };
        for (key, _) in table.iter() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let keys = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
                let what = match meant(name, known.iter().copied()) {
                    none if none.is_empty() => format!("there is no such key; here may stand {keys}"),
                    meant => format!("there is no such key{meant}"),
                };
                document.problem(key.span(), &fields.key(name), what);
            }
        }
        fields
    }

    /// The full key of `name` in this table.
    pub(super) fn key(&self, name: &str) -> String {
        match (self.path.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{name}", self.path),
        }
    }

    /// Where the table begins.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Notes a mistake in the value of `name`, which stands at `span`.
    pub(super) fn problem(&self, span: Range<usize>, name: &str, what: impl Into<String>) {
        self.document.problem(span, &self.key(name), what);
    }

    /// The value of `name`, where it is there.
    pub(super) fn value(&self, name: &str) -> Option<&'d Spanned<DeValue<'i>>> {
        self.table.get(name)
    }

    fn typed<T>(&self, name: &str, wanted: &str, read: impl FnOnce(&'d DeValue<'i>) -> Option<T>) -> Option<At<T>> {
        let value = self.value(name)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.problem(value.span(), name, format!("this is {wanted}"));
        }
        read.map(|read| (read, value.span()))
    }

    /// A text.
    pub(super) fn text(&self, name: &str, example: &str) -> Option<At<&'d str>> {
        self.typed(name, &format!("a text, as in `{name} = \"{example}\"`"), |value| value.as_str())
    }

    /// A text that must be there.
    pub(super) fn needed_text(&self, name: &str, example: &str) -> Option<At<&'d str>> {
        if self.value(name).is_none() {
            self.problem(self.span(), name, format!("this is missing, as in `{name} = \"{example}\"`"));
        }
        self.text(name, example)
    }

    /// Yes or no, no where it is not there.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.typed(name, "`true` or `false`", DeValue::as_bool).is_some_and(|(flag, _)| flag)
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Option<At<f64>> {
        self.typed(name, "a finite number", number)
    }

    /// A whole number.
    pub(super) fn whole(&self, name: &str) -> Option<At<i128>> {
        self.typed(name, "a whole number", whole)
    }

    /// A table.
    pub(super) fn table(&self, name: &str, example: &str) -> Option<At<&'d DeTable<'i>>> {
        self.typed(name, &format!("a table, as in `{name} = {example}`"), DeValue::as_table)
    }
}

/// `value` as a whole number.
pub(super) fn whole(value: &DeValue<'_>) -> Option<i128> {
    let integer = value.as_integer()?;
    i128::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// `value` as a finite number, whole or not.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    let number = match value.as_float() {
        Some(float) => float.as_str().parse().ok()?,
        None => whole(value)? as f64,
    };
    Some(number).filter(|number| number.is_finite())
}
