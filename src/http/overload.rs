//! Places for streams: 64 in all, 8 a token.
//!
//! An `EventSource` that meets an error gives up for good, so one too many is answered 200 with nothing but a `retry:` of
//! 10 to 20 s, at random, so that those sent away do not all come back at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hyper::Response;

use super::body::Body;
use super::locked;
use super::stream;
use crate::feed::TokenHash;
use crate::metrics::Gauge;

/// The open streams, counted. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct StreamPlaces(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    most: usize,
    most_a_token: usize,
    open: Mutex<HashMap<TokenHash, usize>>,
    gauge: Gauge,
}

impl StreamPlaces {
    pub(super) fn new(most: usize, most_a_token: usize, gauge: Gauge) -> StreamPlaces {
        StreamPlaces(Arc::new(Counted { most, most_a_token, open: Mutex::default(), gauge }))
    }

    /// A place for one more stream of this token; `None` where there is none.
    pub(super) fn take(&self, hash: TokenHash) -> Option<StreamPlace> {
        let mut open = locked(&self.0.open);
        let all: usize = open.values().sum();
        let own = open.get(&hash).copied().unwrap_or(0);
        if all >= self.0.most || own >= self.0.most_a_token {
            return None;
        }
        open.insert(hash, own + 1);
        self.0.gauge.inc();
        Some(StreamPlace { hash, places: self.clone() })
    }
}

/// A stream's place, until it is gone.
#[derive(Debug)]
pub(super) struct StreamPlace {
    hash: TokenHash,
    places: StreamPlaces,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = locked(&self.places.0.open);
        match open.get_mut(&self.hash) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.hash);
            }
        }
        self.places.0.gauge.dec();
    }
}

/// Come back later.
pub(super) fn come_back_later() -> Response<Body> {
    let wait = 10_000 + getrandom::u32().unwrap_or(5_000) % 10_001;
    stream::response(Body::whole(format!("retry: {wait}\n:\n\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_when_streams_end() {
        let places = StreamPlaces::new(3, 2, Gauge::default());
        let (one, two) = ([1; 32], [2; 32]);
        let first = places.take(one).unwrap();
        let _second = places.take(one).unwrap();
        assert!(places.take(one).is_none(), "two a token");
        let _third = places.take(two).unwrap();
        assert!(places.take(two).is_none(), "three in all");
        drop(first);
        assert!(places.take(two).is_some());
    }
}
