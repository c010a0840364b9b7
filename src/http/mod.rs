//! The doors: what phones and pages see of the vehicle, over HTTP/1.1 and, with TLS, HTTP/2.
//!
//! # What is promised
//!
//! - **Events** come as server-sent events (WHATWG HTML, 9.2), complete, in order, each once: replay and live are one
//!   sequence, and a client that comes back with the last id it saw goes on after it, over a restart too. What cannot be
//!   told any more is told as a `gap`. `retry: 2000`, a comment line every 15 s, a `position` within 60 s.
//! - **A stranger cannot hurt.** 256 connections, 64 of them strangers', the oldest of those closed for the newest; 5 s for
//!   a head of 16 KiB, 10 s for a body, 30 s without taking what is sent; `Host` must be ours; ten wrong credentials a
//!   minute from one address. 64 streams, 8 a token: one too many gets 200 and `retry:` of 10 to 20 s.
//! - **Every error** is RFC 9457 problem JSON with a sentence that says what would be right.
//! - TLS 1.3 and 1.2 with the unit's own certificate or the owner's (`tls`). Plain HTTP is served on trusted interfaces
//!   only; elsewhere it is sent to TLS, and closed unread where there is none.
//! - The log has the route's pattern, never a path, a query or a credential.
//!
//! # How it is laid out
//!
//! `server` accepts, `serve` has the handshake and speaks HTTP, `connection` and `socket` judge how long it may take, `flow`
//! how long a stream of HTTP/2 may be shut, `service` leads a request through `origin`, `route`, `cookie`, `credentials` and
//! `gate` to its handler. `gate` knows whose a credential is, `sign_in` keeps sessions and tickets, which `login` gives and
//! takes. `stream` is the one stream; a surface (`ecarus`, `named`, `destiny`, `fieldpine`,
//! `notifications`) is a small file that says which events it shows and what they look like. All of it knows nothing but [`Feed`], [`Health`]
//! and [`Metrics`].

mod body;
mod connection;
mod cookie;
mod counters;
mod credentials;
mod cursor;
mod destiny;
mod devices;
mod discovery;
mod ecarus;
mod entrance;
mod fences;
mod fieldpine;
mod flow;
mod gate;
mod history;
mod interfaces;
mod live;
mod login;
mod named;
mod notifications;
mod openapi;
mod origin;
mod overload;
mod page;
mod pairing;
mod probes;
mod problem;
mod query;
mod rate;
mod reply;
mod route;
mod serve;
mod server;
mod service;
mod settings;
mod sign_in;
mod socket;
mod sse;
mod stream;
mod surface;
mod telemetry;
mod tls;

pub use credentials::{hash_token, new_token};
pub use entrance::Entrance;
pub use pairing::{Invitation, Label, Pairing};
pub use server::Server;
pub use settings::{Limits, RealTime, Settings, TLS_PORT, Unit};
pub use tls::{Certificates, Given, GivenFault};

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio_util::sync::CancellationToken;

use crate::event::Row;
use crate::feed::{Feed, Pending, Unavailable};
use crate::health::Health;
use crate::metrics::Metrics;

/// What all connections share.
struct Shared {
    settings: Settings,
    feed: Arc<dyn Feed>,
    health: Health,
    metrics: Metrics,
    counters: counters::Counters,
    names: origin::Names,
    gate: gate::Gate,
    streams: overload::StreamPlaces,
    pairing: Pairing,
    publishers: notifications::Publishers,
    /// Where there is TLS.
    tls: Option<tls::Tls>,
    destiny: destiny::Destiny,
    shutdown: CancellationToken,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What a mutex guards, also after a panic elsewhere: everything guarded here is right after each single statement.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands rows to the feed, which has them when this returns, whether or not anybody waits for what is returned: it resolves
/// once they are durable, or cannot be for now.
fn keep(feed: &dyn Feed, rows: Vec<Row>) -> Pending<'_, Result<(), Unavailable>> {
    let mut writing = feed.keep(rows);
    match writing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(written) => Box::pin(ready(written)),
        Poll::Pending => writing,
    }
}

/// For fuzzing: what a stranger writes into a request's target goes through the same parsers as a request's.
pub fn survives(target: &[u8]) {
    let target = String::from_utf8_lossy(target);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query::Query::new(Some(query));
    let headers = hyper::HeaderMap::new();
    if let Some(route) = route::Route::of(path) {
        let _ = (route.pattern(), route.methods());
    }
    let _ = (
        stream::Resume::of(&headers, query),
        destiny::resume(&headers, query),
        named::MyEvents::of(query),
        fieldpine::EventSource::of(query),
        history::is_well_formed(query),
        destiny::is_well_formed(query),
        sign_in::Want::of(query),
    );
    for credential in credentials::find(&headers, query, route::Standing::Stream, Some(path)) {
        let _ = credential.hash();
    }
}

/// For fuzzing: what a publisher writes is refused, or told on streams as it is, on one line.
///
/// # Errors
/// What is told otherwise.
pub fn publication_survives(body: &[u8]) -> Result<(), String> {
    notifications::survives(body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_target_survives(target in "(/|[?&=]|%[0-9a-f]{2}|api|v1|events|names|limit|since|types|lastEventId|token|eventsource|want|child|debug|_1|[ -~]|.){0,60}") {
            super::survives(target.as_bytes());
        }

        #[test]
        fn every_noise_survives(target in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::survives(&target);
        }
    }
}
