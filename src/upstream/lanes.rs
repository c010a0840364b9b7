//! What goes next.
//!
//! There is a lane for each kind of event and one for the track, and each keeps its own order. A child's events go before
//! everything; then each other kind in turn; then the track. While the others are full, every eighth batch is the track's:
//! however much there is to drain, none of them starves. A batch is of one lane, so that what was acknowledged of it moves
//! one cursor, and it is small, so that a child's alert waits for little.

use crate::event::Kind;

/// So many messages a batch has at most,
pub const BATCH: usize = 16;

/// and so many bytes of JSON, unless its first is longer.
pub const BATCH_BYTES: u64 = 32 << 10;

/// Of so many batches in a row one is the track's.
const TRACK_EVERY: u8 = 8;

/// What is sent in an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The events of a kind.
    Events(Kind),
    /// The track.
    Track,
}

impl Lane {
    /// Whether it waits where a day's budget is used up.
    pub fn is_metered(self) -> bool {
        matches!(self, Lane::Track | Lane::Events(Kind::Trip | Kind::Published))
    }
}

/// Whose turn it is.
#[derive(Debug)]
pub struct Turns {
    /// The kinds after child, the one whose turn is next first.
    others: Vec<Kind>,
    child: bool,
    track: bool,
    /// Batches since the track's last.
    since_track: u8,
}

impl Turns {
    /// The lanes of an upstream that wants `kinds`, and the track or not.
    pub fn new(kinds: &[Kind], track: bool) -> Turns {
        let wanted = |kind: &Kind| kinds.contains(kind);
        let others = [Kind::Geofence, Kind::Diagnosis, Kind::Trip];
        Turns { others: others.into_iter().filter(wanted).collect(), child: kinds.contains(&Kind::Child), track, since_track: 0 }
    }

    /// The lanes, the one that is to be served first first: the next batch is of the first that has something.
    pub fn order(&self) -> Vec<Lane> {
        let track = self.track.then_some(Lane::Track);
        let (early, late) = if self.since_track + 1 >= TRACK_EVERY { (track, None) } else { (None, track) };
        let child = self.child.then_some(Lane::Events(Kind::Child));
        child.into_iter().chain(early).chain(self.others.iter().copied().map(Lane::Events)).chain(late).collect()
    }

    /// A batch of `lane` was sent.
    pub fn went(&mut self, lane: Lane) {
        self.since_track = if lane == Lane::Track { 0 } else { self.since_track.saturating_add(1).min(TRACK_EVERY) };
        if let Some(at) = self.others.iter().position(|kind| lane == Lane::Events(*kind)) {
            self.others.rotate_left(at + 1);
        }
    }
}

/// How many of the messages, which are so long, make a batch of at most `room` bytes: the first, however long, where
/// `anyway`.
pub fn fit(lengths: impl IntoIterator<Item = u64>, room: u64, anyway: bool) -> usize {
    let mut left = room;
    let mut count = 0;
    for length in lengths.into_iter().take(BATCH) {
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None if count == 0 && anyway => left = 0,
            None => break,
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Kind; 4] = [Kind::Child, Kind::Geofence, Kind::Diagnosis, Kind::Trip];

    /// The batches that go while every lane of `full` has more than can be sent.
    fn batches(turns: &mut Turns, full: &[Lane], count: usize) -> Vec<Lane> {
        let one = |_| {
            let lane = turns.order().into_iter().find(|lane| full.contains(lane)).unwrap();
            turns.went(lane);
            lane
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn the_other_kinds_go_in_turn_and_the_track_every_eighth_time() {
        let [geofence, diagnosis, trip] = [Kind::Geofence, Kind::Diagnosis, Kind::Trip].map(Lane::Events);
        let mut turns = Turns::new(&ALL, true);
        let sent = batches(&mut turns, &[geofence, diagnosis, trip, Lane::Track], 9);
        let wanted = [geofence, diagnosis, trip, geofence, diagnosis, trip, geofence, Lane::Track, diagnosis];
        assert_eq!(sent, wanted);
    }

    #[test]
    fn a_child_overtakes_everything() {
        let mut turns = Turns::new(&ALL, true);
        for _ in 0..20 {
            assert_eq!(turns.order()[0], Lane::Events(Kind::Child));
            batches(&mut turns, &[Lane::Track, Lane::Events(Kind::Trip)], 1);
        }
    }

    #[test]
    fn only_what_is_wanted_has_a_lane() {
        assert_eq!(Turns::new(&[Kind::Trip], false).order(), [Lane::Events(Kind::Trip)]);
        assert_eq!(Turns::new(&[], true).order(), [Lane::Track]);
    }

    #[test]
    fn the_first_message_goes_however_long_it_is() {
        assert_eq!(fit([5, 5, 5], 10, true), 2);
        assert_eq!(fit([50, 5], 10, true), 1);
        assert_eq!(fit([50, 5], 10, false), 0);
        assert_eq!(fit([1; 40], 1000, true), BATCH);
        assert_eq!(fit([], 10, true), 0);
    }

    proptest! {
        #[test]
        fn nothing_that_waits_starves(rounds in prop::collection::vec(prop::collection::vec(any::<bool>(), 4), 1..200)) {
            let lanes = [Lane::Events(Kind::Geofence), Lane::Events(Kind::Diagnosis), Lane::Events(Kind::Trip), Lane::Track];
            let mut turns = Turns::new(&ALL, true);
            let mut waits = [0_usize; 4];
            for ready in rounds {
                let ready: Vec<Lane> = lanes.into_iter().zip(&ready).filter(|(_, ready)| **ready).map(|(lane, _)| lane).collect();
                let Some(lane) = turns.order().into_iter().find(|lane| ready.contains(lane)) else { continue };
                turns.went(lane);
                for (at, other) in lanes.iter().enumerate() {
                    waits[at] = if *other != lane && ready.contains(other) { waits[at] + 1 } else { 0 };
                    let longest = if *other == Lane::Track { 8 } else { 4 };
                    prop_assert!(waits[at] < longest, "{other:?} waits for {} batches", waits[at]);
                }
            }
        }

        #[test]
        fn a_batch_fits(lengths in prop::collection::vec(0_u64..1000, 0..40), room in 0_u64..4000) {
            let count = fit(lengths.iter().copied(), room, false);
            let long = |count: usize| lengths.iter().take(count).sum::<u64>();
            prop_assert!(count <= BATCH && long(count) <= room);
            prop_assert!(count == BATCH || count == lengths.len() || long(count + 1) > room, "no more would have fitted");
        }
    }
}
