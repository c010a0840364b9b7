//! Logs of `candump -L`: read at once for a replay ([`Reader`]), or as they come in place of an interface.
//!
//! Lines are bounded, malformed ones are told with their number (read as they come: counted) and passed over.

mod lines;
mod live;

use std::io::{self, BufRead};

use super::candump::{Line, Malformed};
use lines::Assembler;

pub(super) use live::follow;

/// A log, line by line. Blank lines are passed over.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    lines: Assembler,
}

/// A line of a log.
#[derive(Debug, PartialEq)]
pub enum Entry<'a> {
    /// A frame; its `at` is the log's own time, µs.
    Frame(Line<'a>),
    /// Not a line of `candump -L`.
    Malformed {
        /// Its number, from 1.
        number: u64,
        /// What is wrong with it.
        why: Malformed,
    },
}

impl<R: BufRead> Reader<R> {
    /// Reads `input` from its beginning.
    pub fn new(input: R) -> Reader<R> {
        Reader { input, lines: Assembler::default() }
    }

    /// The number of the line that was read last, from 1; 0 before the first.
    pub fn number(&self) -> u64 {
        self.lines.number()
    }

    /// The next line; `None` at the end. Nothing is allocated for it.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry<'_>>> {
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let ended = chunk.is_empty();
            let (used, whole) = if ended { (0, self.lines.finish()) } else { self.lines.push(chunk) };
            self.input.consume(used);
            if whole && !self.lines.is_blank() {
                break;
            }
            if ended {
                return Ok(None);
            }
        }
        let number = self.lines.number();
        Ok(Some(match Line::parse(self.lines.line()) {
            Ok(line) => Entry::Frame(line),
            Err(why) => Entry::Malformed { number, why },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_and_malformed_ones_told() {
        let long = format!("(1.0) can0 {}", "0".repeat(100_000));
        let text = format!("(1.0) can0 123#00\n\nnonsense\r\n{long}\n(2.0) can1 123#01");
        for capacity in [1, 7, 4096] {
            let mut reader = Reader::new(io::BufReader::with_capacity(capacity, text.as_bytes()));
            let mut seen = Vec::new();
            while let Some(entry) = reader.next_entry().unwrap() {
                seen.push(match entry {
                    Entry::Frame(line) => format!("{} {}", line.interface, line.frame.at.micros()),
                    Entry::Malformed { number, why } => format!("{number} {why:?}"),
                });
            }
            assert_eq!(seen, ["can0 1000000", "3 Time", "4 Long", "can1 2000000"]);
        }
    }
}
