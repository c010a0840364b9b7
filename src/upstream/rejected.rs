//! What a receiver says it will never take.
//!
//! It may be one message that it cannot read, or a receiver that was put up wrongly and takes nothing. So a message is
//! passed over only when its third rejection is followed by the acceptance of the one after it in its lane. Until then its
//! lane waits, a second at first, then as after any failure, and the other lanes go on.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::backoff::{Backoff, SHORTEST};
use super::lanes::Lane;

/// After so many rejections in a row the message after it is tried.
const TIMES: u8 = 3;

/// See the module.
#[derive(Debug)]
pub struct Rejected {
    lanes: BTreeMap<Lane, Stuck>,
    seed: u64,
}

#[derive(Debug)]
struct Stuck {
    id: String,
    times: u8,
    until: Instant,
    backoff: Backoff,
    /// What the receiver said, once nothing else of the lane was taken either.
    all: Option<String>,
}

impl Rejected {
    /// Nothing; waits are drawn from `seed`.
    pub fn new(seed: u64) -> Rejected {
        Rejected { lanes: BTreeMap::new(), seed }
    }

    /// The message `id`, the next of `lane`, was rejected: whether to try the one after it.
    pub fn again(&mut self, lane: Lane, id: &str) -> bool {
        let now = Instant::now();
        let new = || Stuck { id: id.to_owned(), times: 0, until: now, backoff: Backoff::new(self.seed), all: None };
        let stuck = self.lanes.entry(lane).or_insert_with(new);
        if stuck.id != id {
            (stuck.id, stuck.times) = (id.to_owned(), 0);
        }
        stuck.times = stuck.times.saturating_add(1);
        stuck.until = now + SHORTEST;
        stuck.times >= TIMES
    }

    /// Nothing else of `lane` was taken either, or nothing else is there.
    pub fn all(&mut self, lane: Lane, why: &str) {
        if let Some(stuck) = self.lanes.get_mut(&lane) {
            stuck.all = Some(why.to_owned());
            stuck.until = Instant::now() + stuck.backoff.after_failure();
        }
    }

    /// Something of `lane` was taken.
    pub fn taken(&mut self, lane: Lane) {
        self.lanes.remove(&lane);
    }

    /// Whether `lane` waits now.
    pub fn holds(&self, lane: Lane) -> bool {
        self.lanes.get(&lane).is_some_and(|stuck| stuck.until > Instant::now())
    }

    /// Until when `lane` waits, to be shortened.
    pub fn until(&mut self, lane: Lane) -> Option<&mut Instant> {
        self.lanes.get_mut(&lane).map(|stuck| &mut stuck.until)
    }

    /// When the first lane goes on that waits now. One that may go on and has nothing to send is no reason to wake.
    pub fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        self.lanes.values().map(|stuck| stuck.until).filter(|until| *until > now).min()
    }

    /// Nothing waits that may be sent: a lane that may go on is not stuck any more, be it that what was rejected is gone.
    pub fn let_go(&mut self) {
        let now = Instant::now();
        self.lanes.retain(|_, stuck| stuck.until > now);
    }

    /// Why nothing of a lane is taken.
    pub fn why(&self) -> Option<&str> {
        self.lanes.values().find_map(|stuck| stuck.all.as_deref())
    }

    /// Whether some lane is stuck.
    pub fn is_any(&self) -> bool {
        !self.lanes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::Kind;

    #[tokio::test(start_paused = true)]
    async fn a_lane_that_may_go_on_wakes_nobody() {
        let mut rejected = Rejected::new(1);
        let [trip, track] = [Lane::Events(Kind::Trip), Lane::Track];
        assert!(!rejected.again(trip, "1"));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(!rejected.again(track, "2"));
        assert_eq!(rejected.next(), Some(Instant::now() + Duration::from_millis(500)));
        tokio::time::advance(Duration::from_millis(700)).await;
        assert!(!rejected.holds(trip) && rejected.holds(track));
        assert_eq!(rejected.next(), Some(Instant::now() + Duration::from_millis(300)), "the trip's is over");
        rejected.let_go();
        tokio::time::advance(SHORTEST).await;
        assert_eq!((rejected.next(), rejected.is_any()), (None, true));
        rejected.let_go();
        assert!(!rejected.is_any());
    }
}
