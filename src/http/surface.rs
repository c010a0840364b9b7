//! What makes one surface differ from another: the names it gives, what it sends first, what it sends beside events.
//!
//! Everything else (positions, gaps, resuming, keep-alives, limits) is the one stream's, so a surface is a small file.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::sse;
use crate::event::EventId;
use crate::feed::{Filter, Picture, Stored};

/// Who keeps an encoding of an event beside it ([`Stored::encoded`]).
pub(super) mod slot {
    /// `data:` and `id:`.
    pub(in crate::http) const UNNAMED: usize = 0;
    /// The same with the kind as `event:`.
    pub(in crate::http) const BY_KIND: usize = 1;
}

/// What a surface may look at when it sends something beside events.
#[derive(Debug)]
pub(super) struct Moment {
    /// The vehicle now.
    pub(super) picture: Arc<Picture>,
    /// Whether `/readyz` is 200.
    pub(super) ready: bool,
    /// Real time, for what belongs to HTTP.
    pub(super) now: Instant,
    /// Up to where the stream has told everything; at first, where the client wants to go on.
    pub(super) at: EventId,
}

/// One surface, on one stream.
pub(super) trait Surface: Send + Sync + 'static {
    /// The events it shows.
    fn filter(&self) -> Filter;

    /// What it sends first.
    fn first(&mut self, _moment: &Moment, _wire: &mut Vec<u8>) {}

    /// An event.
    fn event(&self, event: &Stored) -> Bytes {
        sse::encoded(event, slot::UNNAMED, |event| sse::frame(None, &sse::document(event), Some(&event.id.to_string())))
    }

    /// Everything up to `at` has been told.
    fn position(&self, at: EventId) -> Vec<u8> {
        sse::position(at)
    }

    /// Something after `from` cannot be told; what follows begins after `to`.
    fn gap(&self, from: EventId, to: EventId, reason: &str) -> Vec<u8> {
        sse::gap(from, to, reason)
    }

    /// The vehicle has changed: at most ten times a second.
    fn live(&mut self, _moment: &Moment, _wire: &mut Vec<u8>) {}

    /// How often it wants [`Surface::tick`].
    fn period(&self) -> Option<Duration> {
        None
    }

    /// Its time has come again; it may end the stream.
    fn tick(&mut self, _moment: &Moment, _wire: &mut Vec<u8>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// What it wants to be called for, beside the vehicle; asked once, after [`Surface::first`].
    fn calls(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// That has changed; it may end the stream.
    fn called(&mut self, _moment: &Moment, _wire: &mut Vec<u8>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
