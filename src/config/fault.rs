//! What is wrong with a configuration: where it stands, which key it is, and what would be right.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A line of a file. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<Path>,
    /// From 1.
    pub line: usize,
}

impl Place {
    /// Line `line` of `file`.
    pub fn new(file: impl AsRef<Path>, line: usize) -> Place {
        Place { file: Arc::from(file.as_ref()), line }
    }
}

/// One thing that is wrong. Shown as `FILE:LINE: KEY: what is wrong; cure`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// The dotted key, or what stands for one in a file that has no keys (a feature and vertex, a message and signal).
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What would be right; empty where the message says it already.
    pub cure: String,
}

impl Fault {
    /// `key` at `place` is wrong in this way, and this is what would be right.
    pub fn new(place: &Place, key: impl Into<String>, message: impl Into<String>, cure: impl Into<String>) -> Fault {
        Fault { place: place.clone(), key: key.into(), message: message.into(), cure: cure.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { place, key, message, cure } = self;
        write!(f, "{}:{}: ", place.file.display(), place.line)?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        f.write_str(message)?;
        if cure.is_empty() { Ok(()) } else { write!(f, "; {cure}") }
    }
}

/// Everything found in one reading: a configuration with faults is not run; one with warnings is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What has to be mended.
    pub faults: Vec<Fault>,
    /// What may be meant, and probably is not.
    pub warnings: Vec<Fault>,
}

impl Findings {
    /// Notes what has to be mended.
    pub fn fault(&mut self, place: &Place, key: impl Into<String>, message: impl Into<String>, cure: impl Into<String>) {
        self.faults.push(Fault::new(place, key, message, cure));
    }

    /// Notes what is probably not meant.
    pub fn warn(&mut self, place: &Place, key: impl Into<String>, message: impl Into<String>, cure: impl Into<String>) {
        self.warnings.push(Fault::new(place, key, message, cure));
    }

    /// Notes a sentence that says both what is wrong and, after a semicolon or colon, what would be right; `otherwise` is
    /// the cure where it does not.
    pub fn said(&mut self, place: &Place, key: impl Into<String>, sentence: &str, otherwise: &str) {
        let halves = sentence.split_once("; ").or_else(|| sentence.split_once(": "));
        let (message, cure) = halves.unwrap_or((sentence, otherwise));
        self.fault(place, key, message, cure);
    }

    /// By file and line, each said once.
    #[must_use]
    pub fn sorted(mut self) -> Findings {
        for list in [&mut self.faults, &mut self.warnings] {
            list.sort();
            list.dedup();
        }
        self
    }
}

impl fmt::Display for Findings {
    /// One line a finding, warnings marked as such.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once_by_file_and_line() {
        let mut findings = Findings::default();
        for line in [7, 3, 7] {
            findings.fault(&Place::new("t", line), "k", "is wrong", "right it");
            findings.warn(&Place::new("t", line), "k", "is odd", "");
        }
        let told = "t:3: k: is wrong; right it\nt:7: k: is wrong; right it\nwarning: t:3: k: is odd\nwarning: t:7: k: is odd\n";
        assert_eq!(findings.sorted().to_string(), told);
    }
}
