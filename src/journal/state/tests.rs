//! Turns, marks and what is due, without a disk.

use super::file::{ROWS_WAIT, TRACK_WAIT, TRACK_WAITING};
use super::*;
use crate::clock::{Stamp, TimeSource, Wall};
use crate::event::Severity;
use crate::journal::core::nothing;
use crate::journal::ids;
use crate::journal::tests::{event, vin};

fn at(micros: i64) -> Stamp {
    Stamp { wall: Wall::from_micros(micros), source: TimeSource::Gnss, ..Stamp::default() }
}

fn state() -> State {
    let (last, reserved) = (EventId(1_000_000_000), EventId(1_000_000_000 + ids::AHEAD));
    let loaded = Loaded::default();
    State::new(Found { loaded, last, reserved, readable: true, trouble: None }, nothing(vin()))
}

#[test]
fn while_nothing_happens_only_the_bound_follows_the_clock() {
    let now = Instant::now();
    let mut state = state();
    assert_eq!(state.due(now), None);
    assert!(state.batch(at(1_000_000_000), now, Extent::Due).is_none());
    let later = state.batch(at(1_400_000_000), now, Extent::Due).unwrap();
    assert_eq!((later.bound, later.events.len(), later.must_last()), (Some(EventId(2_000_000_000)), 0, true));
    state.written(&later, now);
    assert_eq!(state.reserved, EventId(2_000_000_000));
    assert!(state.batch(at(1_400_000_000), now, Extent::Due).is_none());
}

#[test]
fn changed_rows_wait_half_a_second_for_company_and_events_do_not() {
    let now = Instant::now();
    let mut state = state();
    let row = Row { key: "speed".to_owned(), value: Some(vec![1]) };
    state.hand_over(Vec::new(), vec![row], None, now);
    assert_eq!(state.due(now), Some(now + ROWS_WAIT));
    state.hand_over(vec![Entry::of(event(1_000_000_001, Severity::Info))], Vec::new(), None, now);
    assert_eq!(state.due(now), Some(now));
    let batch = state.batch(at(1_000_000_000), now, Extent::Due).unwrap();
    assert_eq!((batch.events.len(), batch.rows.len()), (1, 1));
}

#[test]
fn a_step_told_while_its_transaction_is_under_way_is_neither_told_again_nor_written_again() {
    let now = Instant::now();
    let mut state = state();
    state.hand_over(vec![Entry::of(event(1_000_000_001, Severity::Info))], Vec::new(), None, now);
    let batch = state.batch(at(1_000_000_000), now, Extent::Due).unwrap();
    assert_eq!(state.head, EventId(1_000_000_000));
    state.degrade("the disk hangs");
    assert_eq!((state.head, state.saved), (EventId(1_000_000_001), EventId(1_000_000_000)));
    state.written(&batch, now);
    assert_eq!((state.head, state.saved), (EventId(1_000_000_001), EventId(1_000_000_001)));
    assert!(state.batch(at(1_000_000_000), now, Extent::Due).is_none());
}

#[test]
fn the_track_has_only_so_much_patience_of_memory() {
    let now = Instant::now();
    let mut state = state();
    let point = |at| TrackPoint {
        time: Wall::from_micros(at),
        point: crate::geo::Point { latitude: 0.0, longitude: 0.0 },
        altitude: None,
        speed: None,
        heading: None,
        accuracy: 3.0,
    };
    assert!((0..TRACK_WAITING as i64).all(|at| state.add_point(point(at), now)));
    assert!(!state.add_point(point(-1), now), "the disk is too slow");
    let batch = state.batch(at(1_000_000_000), now, Extent::Due).unwrap();
    assert!(!batch.must_last() && batch.track.len() == TRACK_WAITING);
    state.written(&batch, now);
    assert!(state.add_point(point(-1), now));
    assert_eq!(state.due(now), Some(now + TRACK_WAIT));
}

fn door(n: usize, value: Option<u8>) -> Row {
    Row { key: format!("door/{n}"), value: value.map(|value| vec![value]) }
}

fn heard(result: &mut oneshot::Receiver<Result<(), Unavailable>>) -> Option<Result<(), Unavailable>> {
    result.try_recv().ok()
}

#[test]
fn what_a_door_keeps_is_durable_in_its_turn() {
    let now = Instant::now();
    let mut state = state();
    let (slot, mut result) = oneshot::channel();
    assert!(state.keep(vec![door(1, Some(7))], slot, now).is_empty());
    assert!(heard(&mut result).is_none() && state.rows.values().contains_key("door/1"), "to be read at once");
    let batch = state.batch(at(1_000_000_000), now, Extent::Due).unwrap();
    assert_eq!(batch.rows, [("door/1".to_owned(), Some(Arc::from([7])))]);
    state.written(&batch, now);
    assert_eq!(heard(&mut result), Some(Ok(())));
}

#[test]
fn what_a_door_takes_away_that_nobody_knows_is_no_row() {
    let now = Instant::now();
    let mut state = state();
    let (slot, _result) = oneshot::channel();
    state.keep((0..10_000).map(|n| door(n, None)).collect(), slot, now);
    assert_eq!((state.rows.waiting(), state.rows.values().len()), (0, 0));
    let (slot, _result) = oneshot::channel();
    state.keep(vec![door(1, Some(7)), door(1, None), door(2, None)], slot, now);
    assert_eq!(state.rows.unsaved(), [("door/1".to_owned(), None)], "the file may have it by then");
}

#[test]
fn while_the_disk_is_behind_a_door_does_not_wait_in_the_engines_place() {
    let now = Instant::now();
    let mut state = state();
    let mut waiting = Vec::new();
    for n in 0..STEPS {
        let (slot, result) = oneshot::channel();
        state.keep(vec![door(n, Some(1))], slot, now);
        waiting.push(result);
    }
    let refused = waiting.iter_mut().filter_map(heard).collect::<Vec<_>>();
    assert_eq!(refused.len(), STEPS / 2);
    assert!(refused.iter().all(|told| matches!(told, Err(Unavailable::Journal(why)) if why.contains("behind"))), "{refused:?}");
    assert!(!state.is_full(), "half of the places are the engine's");
    assert_eq!(state.rows.waiting(), STEPS, "what was refused a place is kept all the same, and written");
    let batch = state.batch(at(1_000_000_000), now, Extent::Due).unwrap();
    assert_eq!(batch.rows.len(), STEPS);
    state.written(&batch, now);
    assert_eq!(state.rows.waiting(), 0);
}
