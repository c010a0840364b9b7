//! What may be asked of the vehicle from outside, and what it answers.
//!
//! A request comes in at the front like everything else; the engine decides, and the answer leaves once that decision
//! is durable. Nothing here can move or unlock a car, or silence an alert before it was told.

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
}
