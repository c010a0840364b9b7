//! What may be asked of the vehicle from outside, and what it answers.
//!
//! A request comes in at the front like everything else; the engine decides, and the answer leaves once that decision
//! is durable. Nothing here can move or unlock a car, or silence an alert before it was told.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::{EventId, Published};
use crate::geo::Fence;

/// What is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Silence the alert that `event` belongs to, for a while.
    Snooze {
        /// Any event of the alert.
        event: EventId,
        /// 60 to 600.
        seconds: u32,
        /// The member who asks.
        by: String,
    },
    /// The child is safe: end the alert that `event` belongs to.
    Safe {
        /// Any event of the alert.
        event: EventId,
        /// The member who asks.
        by: String,
    },
    /// Make this fence, or put it in the place of the one with its id.
    PutFence(Box<Fence>),
    /// Take the fence with this id away.
    DeleteFence(String),
    /// Let these be all the fences that the fleet has drawn.
    FleetFences(Vec<Fence>),
    /// Let these numbers count before those of the site's file: by section (`child`, `geofence`, `trip`) and key. None at
    /// all takes back what the fleet set before.
    FleetSettings(Map<String, Value>),
    /// Tell a member something, as an event beside the vehicle's own.
    Publish(Box<Publish>),
}

/// What is to be published.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    /// What, and for whom.
    pub event: Published,
    /// How to know it again, so that it is published once however often it is asked for.
    pub once: Option<Once>,
}

/// A publisher's name for one request. For a day another request under the same name is the same one, or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// Whose name it is, and the name: a hash of both.
    pub key: [u8; 16],
    /// SHA-256 of what was asked.
    pub content: [u8; 32],
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It made this event.
    Event(EventId),
    /// An earlier request of the same kind for the same event made this event; nothing new happened.
    Already(EventId),
    /// Done; there was none before.
    Created,
    /// Done; it changed what was there.
    Changed,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The state of things forbids it; the event of the alert that runs instead, where one does.
    #[error("{reason}")]
    Conflict {
        /// A sentence for people.
        reason: String,
        /// The latest event of the running alert.
        running: Option<EventId>,
    },
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// It would be right at another time: while the journal can be written.
    #[error("{0}")]
    NotNow(String),
    /// The request is wrong in itself.
    #[error("{0}")]
    Invalid(String),
    /// Several things are wrong with it; nothing of it was done.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Wrong>),
}

/// One thing that is wrong with a document. Shown as `at: what is wrong; cure`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// The dotted key, the fence or the line; empty where it is about the whole.
    pub at: String,
    /// What is wrong.
    pub message: String,
    /// What would be right; empty where the message says it already.
    pub cure: String,
}

impl Wrong {
    /// This is wrong there, and that would be right.
    pub fn new(at: impl Into<String>, message: impl Into<String>, cure: impl Into<String>) -> Wrong {
        Wrong { at: at.into(), message: message.into(), cure: cure.into() }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { at, message, cure } = self;
        if !at.is_empty() {
            write!(f, "{at}: ")?;
        }
        f.write_str(message)?;
        if cure.is_empty() { Ok(()) } else { write!(f, "; {cure}") }
    }
}
