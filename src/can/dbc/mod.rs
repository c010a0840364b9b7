//! DBC databases: what messages a bus carries, and which bits of them are which signal.
//!
//! ```text
//! BO_ 1345 CGW1: 8 BCM                                          a message: id (bit 31: 29-bit id), name, bytes, sender
//!  SG_ Speed m2 : 7|12@0+ (0.1,-40) [0|250] "km/h" Vector__XXX   start|bits@order sign (factor,offset) [limits] "unit"
//! ```
//!
//! *Physical value = raw × factor + offset*, in doubles, in that order. Both byte orders, signed values, IEEE floats,
//! multiplexed signals (`mN`) and extended multiplexed ones (`mNM`, `SG_MUL_VAL_`), 29-bit ids, messages of CAN FD, long
//! names. A payload may be shorter or longer than its message: it carries the signals whose bits are all there.
//!
//! The format is Vector's; files as people have them hold lines that do not parse. What the gateway does not need is
//! passed over, and what it needs and cannot parse is a [`Fault`] with the name of what is lost: whether that is an error
//! is for whoever asks for it to say.

mod message;
mod place;
mod read;
mod statements;

use std::collections::HashMap;
use std::path::Path;
use std::{fmt, fs, io};

pub use message::{Message, Payload, Selector, Signal, Unfit};
pub use place::{Encoding, Order, Place};

/// Largest file read, in bytes. The largest public ones have under 1 MB.
const MAX_FILE: u64 = 32 << 20;

/// The messages of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Database {
    messages: Vec<Message>,
    by_id: HashMap<(u32, bool), usize>,
    faults: Vec<Fault>,
}

/// A statement that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line on which it begins.
    pub line: u32,
    /// What went with it.
    pub loss: Loss,
    /// What is wrong, or what would be right.
    pub what: String,
}

/// What a fault takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing that a gateway needs.
    Nothing,
    /// The message of this name.
    Message(String),
    /// A message's signal: both names.
    Signal(String, String),
    /// Something of which it cannot be told what it belongs to.
    Unknown,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl Database {
    /// Reads a file.
    pub fn read(path: &Path) -> io::Result<Database> {
        if fs::metadata(path)?.len() > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("over {} MiB, no database", MAX_FILE >> 20)));
        }
        Ok(Database::parse(&fs::read(path)?))
    }

    /// Reads a file's bytes. Every file is a database; what of it was not taken, [`faults`](Self::faults) says.
    pub fn parse(bytes: &[u8]) -> Database {
        let text = statements::text(bytes);
        let (statements, broken) = statements::split(&text);
        let mut database = read::read(&statements);
        let unclosed = |line| Fault { line, loss: Loss::Nothing, what: "a text in quotes does not end".to_owned() };
        database.faults.extend(broken.into_iter().map(unclosed));
        database.faults.sort_by_key(|fault| fault.line);
        database
    }

    fn new(messages: Vec<Message>, mut faults: Vec<Fault>) -> Database {
        let mut by_id = HashMap::with_capacity(messages.len());
        for (at, message) in messages.iter().enumerate() {
            if by_id.insert((message.id, message.extended), at).is_some() {
                let what = format!("{} has the id {:#X} of a message above, and takes its place", message.name, message.id);
                faults.push(Fault { line: message.line, loss: Loss::Nothing, what });
            }
        }
        Database { messages, by_id, faults }
    }

    /// All messages, in the file's order.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The message with this id; of several the last.
    pub fn message(&self, id: u32, extended: bool) -> Option<&Message> {
        self.by_id.get(&(id, extended)).and_then(|at| self.messages.get(*at))
    }

    /// The message of this name, long or short; of several the first.
    pub fn named(&self, name: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.name == name || message.long_name.as_deref() == Some(name))
    }

    /// What was not taken, by line.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

#[cfg(test)]
mod tests;
