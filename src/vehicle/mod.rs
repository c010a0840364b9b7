//! What there is to know about a vehicle: signals and their values with an age, where it is, what wires and receivers
//! deliver.
//!
//! *Missing is not false.* A value that was never seen, is invalid or too old is unknown: `None` wherever it is asked
//! for. What to do about it is the asker's business.

pub mod cabin;
mod ignition;
mod keep;
mod layout;
mod period;
mod position;
mod raw;
mod settings;
mod signal;
mod sources;
mod state;
#[cfg(test)]
mod tests;
pub mod trouble;

pub use ignition::Ignition;
pub use keep::{IgnitionKept, LastWord};
pub use layout::{BusId, Layout, Reading, SourceId, SourceSpec};
pub use position::{Fix, Mode};
pub use raw::{BusCondition, Frame, FrameKind, MAX_SENTENCE, Sentence};
pub use settings::{StateSettings, seconds, within};
pub use signal::{Datatype, Signal};
pub use state::{Change, Memory, State};

use std::fmt;

use serde::{Deserialize, Serialize};

/// A word of a signal's value, such as `START`.
pub type Word = heapless::String<24>;

/// A signal's value, in the unit of the signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A physical value; never NaN or infinite (those are invalid readings).
    Number(f64),
    /// One of some words.
    Word(Word),
}

impl Value {
    /// The value as a yes or no.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self { Some(*value) } else { None }
    }

    /// The value as a number.
    pub fn as_number(&self) -> Option<f64> {
        if let Value::Number(value) = self { Some(*value) } else { None }
    }

    /// The value as a word.
    pub fn as_word(&self) -> Option<&str> {
        if let Value::Word(value) = self { Some(value) } else { None }
    }
}

/// A vehicle identification number (ISO 3779), or what stands for one: 1 to 17 characters `A`–`Z`, `0`–`9`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Vin(heapless::String<17>);

impl Vin {
    /// What stands for a vehicle of which nobody has told the number yet.
    pub fn unnamed() -> Vin {
        // Seven of seventeen characters.
        Vin(heapless::String::try_from("UNNAMED").unwrap_or_default())
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Vin {
    type Error = String;

    fn try_from(text: String) -> Result<Vin, String> {
        let wrong = || format!("a VIN has 1 to 17 characters A to Z and 0 to 9, and `{}` has not", text.escape_debug());
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return Err(wrong());
        }
        heapless::String::try_from(text.as_str()).map(Vin).map_err(|()| wrong())
    }
}

impl fmt::Display for Vin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that a source saw, in the field's own terms: what goes into the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A frame that carries this source arrived, and this is what it says.
    Reading(SourceId, Reading),
    /// The receiver's fix of one epoch.
    Fix(Fix),
    /// A receiver speaks, or speaks no longer, whether or not it has a fix.
    Receiver {
        /// Whether sentences come.
        speaks: bool,
    },
    /// A bus changed its condition.
    Bus(BusId, BusCondition),
    /// The journal can be written, or no longer.
    Journal {
        /// Whether it can.
        writable: bool,
    },
    /// What diagnosis heard of ECUs.
    Diagnosis(trouble::Heard),
    /// The engine's state came out of the journal: this is a new start of the daemon.
    Restarted,
}
