//! A recording of a receiver, read as fast as it goes.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::fault::Fault;
use super::reader::{Heard, Reader};
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

/// The fixes of a recording, in its order. Memory: 16 KiB, and what a piece of that size holds.
#[derive(Debug)]
pub struct Log<R> {
    input: Option<R>,
    piece: Vec<u8>,
    reader: Reader,
    last: Boot,
    ready: VecDeque<Entry>,
}

const PIECE: usize = 16 * 1024;

impl<R: Read> Log<R> {
    /// Reads `input`; one unit of HDOP is `uere` metres of error.
    pub fn new(input: R, uere: f64) -> Log<R> {
        let (piece, reader) = (vec![0; PIECE], Reader::new(uere));
        Log { input: Some(input), piece, reader, last: Boot::default(), ready: VecDeque::new() }
    }

    fn read(&mut self) -> io::Result<()> {
        let Some(input) = &mut self.input else { return Ok(()) };
        let count = match input.read(&mut self.piece) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => {
                self.input = None;
                return Err(error);
            }
        };
        let (last, ready) = (&mut self.last, &mut self.ready);
        let tell = |heard| match heard {
            Heard::Sentence => {}
            Heard::Fault(number, fault) => ready.push_back(Entry::Malformed(number, fault)),
            Heard::Fix(fix) => {
                *last = fix.time.map_or(*last, |time| Boot::from_micros(time.micros()));
                ready.push_back(Entry::Fix(Fix { at: *last, ..fix }));
            }
        };
        if count > 0 {
            self.reader.take(Boot::default(), self.piece.get(..count).unwrap_or_default(), tell);
        } else {
            self.reader.finish(Boot::default(), tell);
            self.input = None;
        }
        Ok(())
    }
}

impl<R: Read> Iterator for Log<R> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        while self.ready.is_empty() && self.input.is_some() {
            if let Err(error) = self.read() {
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_runs_on_its_own_clock() {
        let text = b"$GPGGA,235958.00,4807.038,N,01131.324,E,1,08,0.9,545.4,M,46.9,M,,*61\n\
            $GPRMC,235959.00,A,4807.038,N,01131.324,E,022.4,084.4,230394,003.1,W*4D\n\
            $GPGGA,000000.00,4807.038,N,01131.324,E,1,08,0.9,545.4,M,46.9,M,,*61\n";
        let fixes: Vec<Fix> = Log::new(text.as_slice(), 5.0)
            .map(|entry| match entry.unwrap() {
                Entry::Fix(fix) => fix,
                Entry::Malformed(number, fault) => panic!("line {number}: {fault}"),
            })
            .collect();
        let midnight = 764_467_200_000_000;
        let at: Vec<i64> = fixes.iter().map(|fix| fix.at.micros()).collect();
        assert_eq!(at, [0, midnight - 1_000_000, midnight], "the first has no date yet; the last carries it over midnight");
        assert_eq!((fixes[0].time, fixes[2].time.map(|time| time.micros())), (None, Some(midnight)));
    }
}
