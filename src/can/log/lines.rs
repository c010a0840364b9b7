//! Lines out of chunks of bytes, in bounded memory.

use crate::can::candump::MAX_LINE;

/// Puts lines together. A line over [`MAX_LINE`] is cut one byte after it, so that the parser sees that it is too long.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    line: heapless::Vec<u8, { MAX_LINE + 1 }>,
    number: u64,
    /// The line was handed out: the next byte begins another.
    whole: bool,
}

impl Assembler {
    /// Takes bytes from the beginning of `chunk` until a line is whole: how many, and whether one is.
    pub(super) fn push(&mut self, chunk: &[u8]) -> (usize, bool) {
        if self.whole {
            self.clear();
        }
        let end = chunk.iter().position(|b| *b == b'\n');
        let taken = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        let room = self.line.capacity() - self.line.len();
        // It was made to fit.
        let _ = self.line.extend_from_slice(taken.get(..room.min(taken.len())).unwrap_or_default());
        self.whole = end.is_some();
        self.number += u64::from(self.whole);
        (taken.len() + usize::from(self.whole), self.whole)
    }

    /// There are no more bytes: whether what has come so far is a last line, without a line end.
    pub(super) fn finish(&mut self) -> bool {
        if self.whole || self.line.is_empty() {
            self.clear();
            return false;
        }
        self.whole = true;
        self.number += 1;
        true
    }

    /// Forgets what has come of the line.
    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.whole = false;
    }

    /// The line that is whole.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Its number, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether it has nothing but blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.line.iter().all(u8::is_ascii_whitespace)
    }
}
