//! From bytes to fixes in one step: lines, sentences and epochs together.

use super::epoch::Epochs;
use super::fault::Fault;
use super::line::Lines;
use super::sentence::decode;
use crate::clock::Boot;
use crate::vehicle::{Fix, Sentence};

/// What a stream held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard {
    /// A sentence with the right checksum, whether or not it says anything here.
    Sentence,
    /// A line that is no sentence, by its number from 1.
    Fault(u64, Fault),
    /// The fix of an epoch.
    Fix(Fix),
}

/// One stream of one receiver. Memory: one sentence and one epoch.
#[derive(Clone, Debug)]
pub struct Reader {
    lines: Lines,
    epochs: Epochs,
}

impl Reader {
    /// For a receiver of which one unit of HDOP is `uere` metres of error.
    pub fn new(uere: f64) -> Reader {
        Reader { lines: Lines::default(), epochs: Epochs::new(uere) }
    }

    /// Takes what was read at `at`, however the stream was cut, and tells what it held. A recording, which does not say
    /// when its lines came, is read at one moment: then no pause ends an epoch.
    pub fn take(&mut self, at: Boot, bytes: &[u8], mut tell: impl FnMut(Heard)) {
        let epochs = &mut self.epochs;
        self.lines.push(bytes, |number, line| sentence(epochs, at, number, line, &mut tell));
    }

    /// The stream has ended.
    pub fn finish(&mut self, at: Boot, mut tell: impl FnMut(Heard)) {
        let epochs = &mut self.epochs;
        self.lines.finish(|number, line| sentence(epochs, at, number, line, &mut tell));
        self.epochs.finish(|fix| tell(Heard::Fix(fix)));
    }

    /// Ends an epoch of which nothing more came.
    pub fn expire(&mut self, now: Boot, mut tell: impl FnMut(Heard)) {
        self.epochs.expire(now, |fix| tell(Heard::Fix(fix)));
    }

    /// When [`Reader::expire`] is due.
    pub fn deadline(&self) -> Option<Boot> {
        self.epochs.deadline()
    }
}

fn sentence(epochs: &mut Epochs, at: Boot, number: u64, line: Result<&Sentence, Fault>, tell: &mut impl FnMut(Heard)) {
    match line.and_then(|text| decode(text)) {
        Ok(said) => {
            tell(Heard::Sentence);
            if let Some(said) = said {
                epochs.push(at, &said, |fix| tell(Heard::Fix(fix)));
            }
        }
        Err(fault) => tell(Heard::Fault(number, fault)),
    }
}
