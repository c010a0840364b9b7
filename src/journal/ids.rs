//! How ids stay unique for good: the bound that is durable before an id inside it is told.
//!
//! The file holds a *bound*: no id above it has ever been told by anybody. The outbox issues ids inside it; it is raised
//! (in the transaction of some event, or once a minute while nothing happens) long before it is reached. After a
//! start, clean or not, ids go on from the bound, so whatever was told before, written or not, is never issued again.
//!
//! It runs ten minutes ahead of the clock, so that ids can follow the clock, and 10^6 ids ahead of the last one at
//! least, so that a journal that cannot be written any more can still tell that many events. After a power cut ids are
//! therefore up to ten minutes ahead of the clock; a clean stop takes the bound back to what was told.
//!
//! A file may be wrecked, or deleted. So a second, coarser bound stands beside it in a file of a few bytes, written before
//! the first one passes it: once in 50 minutes while the clock runs. Where the journal is made anew, ids go on from there.
//!
//! Where no bound can be read or raised (no journal, or one on a disk that has become read-only), ids begin at the
//! clock's, beyond what a former run on the same clock can have told. A unit with neither disk nor clock begins at the
//! time of its build plus a random number: that is all it has. So ids can go back in three cases only. The whole directory
//! is lost, or cannot be read, while nobody knows the time. It is lost while no daemon runs, and a new one is begun within
//! the hour by which the ids of the former may have been ahead of the clock. A daemon that never had its disk is cut off,
//! and the next one has it again within that hour, or without a clock. Then a client whose id lies above the head is told
//! of a gap (`unknown`); the ids of the two do not rise from one to the other.

use crate::clock::{Stamp, TimeSource, Wall};
use crate::event::EventId;

/// How far the bound runs ahead of the clock: ten minutes, in ids (one a microsecond).
pub(super) const AHEAD: u64 = 600_000_000;

/// Where nothing can be read, ids begin so far after the clock: beyond any bound that it led to, and beyond what that was
/// raised by in a thousand starts in a row.
const BEYOND: u64 = 6 * AHEAD;

/// How many ids are reserved at least.
pub(super) const LEAST: u64 = 1_000_000;

/// A journal without a clock begins somewhere in this many ids after the time of the build.
const SPREAD: u64 = 1_000_000_000;

/// The bound to write, when the one that stands is too near.
pub(super) fn raised(reserved: EventId, last: EventId, now: Stamp) -> Option<EventId> {
    let clock = of_clock(now);
    let near = reserved.0 < last.0.saturating_add(LEAST) || reserved.0 < clock.saturating_add(AHEAD / 2);
    near.then(|| EventId(clock.saturating_add(AHEAD).max(last.0.saturating_add(2 * LEAST))).min(EventId::MAX))
}

/// The bound to keep beside the file, when the one that stands there is passed by `bound`: as far ahead as ids begin where
/// nothing can be read, so that it is written seldom.
pub(super) fn beside(bound: EventId) -> EventId {
    EventId(bound.0.saturating_add(BEYOND - AHEAD)).min(EventId::MAX)
}

/// What a clean stop leaves as the bound: enough for what is still told while everything ends.
pub(super) fn lowered(last: EventId) -> EventId {
    EventId(last.0.saturating_add(LEAST)).min(EventId::MAX)
}

/// The last id of those that may have been told, for a journal that is the first one here.
pub(super) fn first(now: Stamp) -> EventId {
    let clock = of_clock(now);
    EventId(if is_known(now) { clock.saturating_sub(1) } else { clock.saturating_add(random()) })
}

/// The same where a former run may have told ids that nobody can read any more, the highest known being `known`.
pub(super) fn beyond(known: EventId, now: Stamp) -> EventId {
    let clock = of_clock(now);
    let last =
        if is_known(now) { clock.saturating_add(BEYOND).max(known.0) } else { clock.max(known.0).saturating_add(random()) };
    EventId(last).min(EventId::MAX)
}

/// Somebody vouches for the clock, and it shows no time from 2080 on, as a broken one may: ids that followed it would
/// come to their end.
fn is_known(now: Stamp) -> bool {
    now.source != TimeSource::Unset && now.wall < Wall::from_micros(3_471_292_800_000_000)
}

/// The wall clock's milliseconds × 1000; the build's while the clock is not known.
fn of_clock(now: Stamp) -> u64 {
    let wall = if is_known(now) { now.wall } else { Wall::build() };
    u64::try_from(wall.micros().div_euclid(1000).saturating_mul(1000)).unwrap_or(0)
}

fn random() -> u64 {
    // A system without random numbers begins at the build's time alone.
    getrandom::u64().unwrap_or(0) % SPREAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Boot;

    fn at(micros: i64, source: TimeSource) -> Stamp {
        Stamp { boot: Boot::default(), wall: Wall::from_micros(micros), source }
    }

    #[test]
    fn the_bound_is_raised_before_it_is_reached_by_the_clock_or_by_the_ids() {
        let now = at(5_000_000_000_000, TimeSource::Gnss);
        let bound = raised(EventId(0), EventId(0), now).unwrap();
        assert_eq!(bound.0, 5_000_000_000_000 + AHEAD);
        assert_eq!(raised(bound, EventId(5_000_000_000_000), now), None);
        let later = at(5_000_000_000_000 + AHEAD as i64 / 2 + 1000, TimeSource::Gnss);
        assert!(raised(bound, EventId(5_000_000_000_000), later).unwrap() > bound);
        let last = EventId(bound.0 - LEAST + 1);
        assert_eq!(raised(bound, last, now), Some(EventId(last.0 + 2 * LEAST)), "restarts without end cost little");
        assert_eq!(raised(EventId::MAX, EventId::MAX, now), Some(EventId::MAX));
    }

    #[test]
    fn a_first_journal_begins_at_its_clock_and_a_unit_without_clock_somewhere_after_its_build() {
        assert_eq!(first(at(7_000_999, TimeSource::Rtc)), EventId(6_999_999));
        let build = Wall::build().micros() as u64 / 1000 * 1000;
        let broken = at(i64::MAX / 2, TimeSource::Rtc);
        for begin in [first(at(0, TimeSource::Unset)).0, first(broken).0] {
            assert!((build..build + SPREAD).contains(&begin));
        }
        assert!(raised(EventId(0), EventId(5), broken).unwrap().0 <= build + AHEAD, "ids do not follow a broken clock");
    }

    #[test]
    fn where_nothing_can_be_read_ids_begin_beyond_what_the_same_clock_has_led_to() {
        let told = raised(EventId(0), EventId(0), at(1_000_000_000, TimeSource::Rtc)).unwrap();
        assert!(beyond(EventId(0), at(1_000_000_000, TimeSource::Rtc)) >= told);
        let known = EventId(8_000_000_000_000_000);
        assert!(beyond(known, at(0, TimeSource::Unset)) >= known);
    }
}
