//! To the fleet: what the vehicle told its phones also reaches a broker or a collector, over a link that is gone half of
//! the time.
//!
//! What it promises:
//!
//! - **Nothing lost.** For each upstream and kind the journal keeps a durable cursor, which moves only on the receiver's
//!   acknowledgement. What was on its way when the link, the receiver or the daemon went is sent again: at least once,
//!   and the receiver drops twins by `id`. What the journal must forget before it was sent is counted, and told as a
//!   [gap](Topic::Gap).
//! - **The order of one kind is kept**, and what matters more goes first: a child's alert before everything, events
//!   before track points; none of the rest starves.
//! - **One at a time**: a [`Fleet`] is given a small batch and says how much of it was acknowledged. Nothing is queued
//!   here: the journal is the queue, so memory is the same after an hour and after a month without a link.
//! - Nobody else feels it: no phone, no detector, no disk waits for a broker.

mod backlog;
mod backoff;
mod budget;
mod counters;
pub mod desired;
mod dial;
mod envelope;
pub mod https;
mod lanes;
mod ledger;
pub mod mqtt;
mod rejected;
pub mod route;
mod run;
pub mod settings;
pub mod status;
pub mod tls;

pub use counters::Counters;
pub use ledger::reader;
pub use run::{Complaint, Now, Way, part, run};
pub use settings::Settings;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::event::Kind;
use crate::feed::Pending;

/// Where a message belongs; below `telltale/{vin}/` on a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// `events/{kind}`: an event.
    Event(Kind),
    /// `track`: the points of one window of the track.
    Track,
    /// `gap`: how many events of a kind were forgotten before they could be sent.
    Gap,
}

/// One thing to be sent: a CloudEvent 1.0 in its structured JSON form.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it belongs.
    pub topic: Topic,
    /// The CloudEvent's `id`: the same whenever the same thing is sent again.
    pub id: String,
    /// The CloudEvent's `type`.
    pub event_type: Arc<str>,
    /// The CloudEvent, one line of JSON.
    pub json: Bytes,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Sent {
    /// So many, from the first on, are the receiver's now.
    pub acknowledged: usize,
    /// Bytes that went out for it: payloads with the headers of MQTT or HTTP, without those of TLS, TCP and IP.
    pub bytes: u64,
    /// Why not all of it.
    pub trouble: Option<Trouble>,
}

/// Why a receiver did not take something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No route, no name, no answer, no TLS, a captive portal: a sentence that says which.
    #[error("{0}")]
    Unreachable(String),
    /// It answers, and does not let us in: credentials, a certificate, a topic that is not ours.
    #[error("{0}")]
    Refused(String),
    /// It asks to be left alone for a while.
    #[error("it asks to be left alone for {} s", .0.as_secs())]
    Busy(Duration),
    /// It will never take the first message that it did not acknowledge, as it is.
    #[error("{0}")]
    Rejected(String),
}

/// A way to the fleet: a broker, or a collector.
pub trait Fleet: Send + 'static {
    /// Connects where that is needed, sends these in this order, and resolves when all are acknowledged or when no more
    /// will be. Without messages it only stays in touch. A call that is dropped half-way leaves nothing behind that would
    /// be taken for an acknowledgement later.
    fn send<'a>(&'a mut self, messages: &'a [Message]) -> Pending<'a, Sent>;

    /// Says good-bye where that means something, before the daemon ends. It has a second for it.
    fn leave(&mut self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
