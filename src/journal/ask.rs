//! Requests on their way to the engine, and its answers on their way back.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::event::EventId;
use crate::feed::{Failure, Outcome, Stored};
use crate::request::{Answer, Refusal, Request};

/// What somebody asked of the vehicle, for the gateway to put before the engine. One that is dropped unanswered tells
/// the asker that the engine did not answer.
#[derive(Debug)]
pub struct Asked {
    /// What is wanted.
    pub request: Request,
    slot: Slot,
}

/// Where the asker waits.
type Slot = oneshot::Sender<Result<Outcome, Failure>>;

impl Asked {
    /// A request, and where its outcome arrives.
    pub fn new(request: Request) -> (Asked, oneshot::Receiver<Result<Outcome, Failure>>) {
        let (slot, outcome) = oneshot::channel();
        (Asked { request, slot }, outcome)
    }

    /// The engine said no: the asker hears it at once.
    pub fn refuse(self, refusal: Refusal) {
        // An asker who has gone needs no answer.
        let _ = self.slot.send(Err(Failure::Refused(refusal)));
    }

    /// The engine said yes: the reply goes with the step that the answer came out of.
    pub fn accept(self, answer: Answer) -> Reply {
        Reply { answer, slot: self.slot }
    }
}

/// An answer that waits for its step to be durable.
#[derive(Debug)]
pub struct Reply {
    answer: Answer,
    slot: Slot,
}

impl Reply {
    /// The event that the answer speaks of.
    pub(super) fn event(&self) -> Option<EventId> {
        match self.answer {
            Answer::Event(id) | Answer::Already(id) => Some(id),
            Answer::Created | Answer::Changed => None,
        }
    }

    pub(super) fn send(self, event: Option<Arc<Stored>>) {
        // An asker who has gone needs no answer.
        let _ = self.slot.send(Ok(Outcome { answer: self.answer, event }));
    }
}
