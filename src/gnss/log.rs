//! A recording of a receiver, read as fast as it goes.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::epoch::Epochs;
use super::line::{Lines, Spoilt};
use super::sentence::{Refused, decode};
use crate::clock::Boot;
use crate::vehicle::Fix;

/// What stands in a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry {
    /// The fix of an epoch. Its `at` is the epoch's own time as µs of Unix time: the recording's clock. One without a
    /// date stands at the time of the fix before it, or at 0.
    Fix(Fix),
    /// A line that is no sentence, by its number from 1.
    Malformed(u64, Fault),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It holds no sentence.
    #[error("no NMEA sentence: one begins with `$` and is printable ASCII")]
    Garbage,
    /// It is too long for one.
    #[error("longer than any NMEA sentence: at most 256 characters are taken")]
    Overlong,
    /// It cannot be trusted.
    #[error("no checksum: a sentence ends with `*` and two hexadecimal digits")]
    NoChecksum,
    /// It is damaged.
    #[error("the checksum is not that of the sentence")]
    Checksum,
    /// It cannot be read.
    #[error("the checksum is right, but the fields are not those of this sentence")]
    Malformed,
}

impl From<Spoilt> for Fault {
    fn from(spoilt: Spoilt) -> Fault {
        match spoilt {
            Spoilt::Garbage => Fault::Garbage,
            Spoilt::Overlong => Fault::Overlong,
        }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        match refused {
            Refused::NoChecksum => Fault::NoChecksum,
            Refused::Checksum => Fault::Checksum,
            Refused::Malformed => Fault::Malformed,
        }
    }
}

/// The fixes of a recording, in its order. Memory: 16 KiB, and what a piece of that size holds.
#[derive(Debug)]
pub struct Log<R> {
    reader: Option<R>,
    piece: Vec<u8>,
    lines: Lines,
    epochs: Epochs,
    last: Boot,
    ready: VecDeque<Entry>,
}

const PIECE: usize = 16 * 1024;

impl<R: Read> Log<R> {
    /// Reads `reader`; one unit of HDOP is `uere` metres of error.
    pub fn new(reader: R, uere: f64) -> Log<R> {
        let (lines, epochs) = (Lines::default(), Epochs::new(uere));
        Log { reader: Some(reader), piece: vec![0; PIECE], lines, epochs, last: Boot::from_micros(0), ready: VecDeque::new() }
    }

    fn read(&mut self) -> io::Result<()> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let count = match reader.read(&mut self.piece) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => {
                self.reader = None;
                return Err(error);
            }
        };
        let (epochs, last, ready) = (&mut self.epochs, &mut self.last, &mut self.ready);
        let mut tell = |mut fix: Fix| {
            *last = fix.time.map_or(*last, |time| Boot::from_micros(time.micros()));
            fix.at = *last;
            ready.push_back(Entry::Fix(fix));
        };
        // A recording does not say when its lines came, so no pause ends an epoch in it.
        let now = Boot::from_micros(0);
        let mut faults = Vec::new();
        let take = |number: u64, line: Result<&crate::vehicle::Sentence, Spoilt>| match line {
            Ok(sentence) => match decode(sentence) {
                Ok(Some(said)) => epochs.push(now, &said, &mut tell),
                Ok(None) => {}
                Err(refused) => faults.push((number, refused.into())),
            },
            Err(spoilt) => faults.push((number, spoilt.into())),
        };
        if count > 0 {
            self.lines.push(self.piece.get(..count).unwrap_or_default(), take);
        } else {
            self.lines.finish(take);
            epochs.finish(&mut tell);
            self.reader = None;
        }
        ready.extend(faults.into_iter().map(|(number, fault)| Entry::Malformed(number, fault)));
        Ok(())
    }
}

impl<R: Read> Iterator for Log<R> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        while self.ready.is_empty() && self.reader.is_some() {
            if let Err(error) = self.read() {
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
