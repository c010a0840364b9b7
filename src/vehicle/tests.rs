//! Values, their age, sleep and the ignition, by [`State`] alone. What the child watch makes of them is its own tests'.

use std::time::Duration;

use super::Signal::{
    CabinDoorRow1DriverSideIsLocked as DOOR_LOCK, CabinDoorRow1DriverSideIsOpen as DOOR,
    CabinDoorRow1PassengerSideIsLocked as OTHER_LOCK, CabinIsLocked as LOCK, CabinRearOccupantIsDetected as SENSOR,
    CabinSeatRow2MiddleIsBelted as BELT, LowVoltageBatteryCurrentVoltage as VOLTS, LowVoltageSystemState as IGNITION, Speed,
};
use super::*;
use crate::clock::Boot;
use crate::geo::Point;

const A: BusId = BusId(0);
const B: BusId = BusId(1);

fn spec(signal: Signal, bus: Option<BusId>) -> SourceSpec {
    SourceSpec {
        signal,
        bus,
        name: format!("M.{signal}"),
        latched: false,
        stale_after: None,
        period: None,
        covers_rear: false,
        always: false,
        polled: false,
    }
}

fn state(sources: Vec<SourceSpec>) -> State {
    let buses = vec!["a".to_owned(), "b".to_owned()];
    State::new(Layout { buses, sources }, StateSettings::default())
}

fn at(seconds: f64) -> Boot {
    Boot::from_micros((seconds * 1e6).round() as i64)
}

fn flag(yes: bool) -> Reading {
    Reading::Value(Value::Bool(yes))
}

fn number(value: f64) -> Reading {
    Reading::Value(Value::Number(value))
}

fn word(text: &str) -> Reading {
    Reading::Value(Value::Word(Word::try_from(text).unwrap()))
}

fn say(state: &mut State, seconds: f64, source: u16, reading: Reading) {
    state.observe(at(seconds), &Observation::Reading(SourceId(source), reading));
    state.settle(at(seconds));
}

fn fix(state: &mut State, seconds: f64, kmh: f64) {
    let point = Point { latitude: 0.0, longitude: 0.0 };
    let (at, speed) = (at(seconds), Some(kmh));
    let nothing = (None, None, None, None);
    let (altitude, heading, satellites, hdop) = nothing;
    let fix = Fix { at, time: None, mode: Mode::TwoD, point, accuracy: 3.0, altitude, speed, heading, satellites, hdop };
    state.observe(at, &Observation::Fix(fix));
    state.settle(at);
}

#[test]
fn a_value_is_unknown_before_it_is_seen_when_it_is_invalid_and_when_it_is_stale() {
    let mut state = state(vec![spec(Speed, Some(A))]);
    assert_eq!(state.number(at(0.0), Speed), None);
    say(&mut state, 1.0, 0, number(50.0));
    assert_eq!(state.number(at(5.999), Speed), Some(50.0));
    assert_eq!(state.number(at(6.0), Speed), None, "5 s before four gaps are known");
    say(&mut state, 7.0, 0, number(51.0));
    say(&mut state, 8.0, 0, Reading::Invalid);
    assert_eq!(state.number(at(8.0), Speed), None);
    assert_eq!(state.ever(Speed), Some((&Value::Number(51.0), at(7.0), SourceId(0))), "and still the last ever");
}

#[test]
fn the_limit_is_three_periods_and_at_least_two_seconds() {
    for (period, limit) in [(0.1, 2.0), (0.5, 2.0), (1.0, 3.0), (4.0, 12.0)] {
        let mut state = state(vec![spec(Speed, Some(A))]);
        for n in 0..5 {
            say(&mut state, f64::from(n) * period, 0, number(1.0));
        }
        let last = 4.0 * period;
        assert_eq!(state.number(at(last + limit - 0.001), Speed), Some(1.0), "period {period}");
        assert_eq!(state.number(at(last + limit), Speed), None, "period {period}");
        assert_eq!(state.deadline(at(last)), Some(at(last + limit)));
    }
}

#[test]
fn a_period_from_the_database_and_a_limit_from_the_profile_come_first() {
    let of_database = SourceSpec { period: Some(Duration::from_secs(1)), ..spec(Speed, Some(A)) };
    let mut car = state(vec![of_database.clone()]);
    say(&mut car, 0.0, 0, number(1.0));
    assert_eq!((car.number(at(2.9), Speed), car.number(at(3.0), Speed)), (Some(1.0), None));
    let mut car = state(vec![SourceSpec { stale_after: Some(Duration::from_millis(700)), ..of_database }]);
    say(&mut car, 0.0, 0, number(1.0));
    assert_eq!((car.number(at(0.6), Speed), car.number(at(0.7), Speed)), (Some(1.0), None));
}

#[test]
fn a_raw_value_not_listed_changes_nothing_and_the_last_one_ages() {
    let mut state = state(vec![spec(DOOR, Some(A))]);
    for n in 0..10 {
        say(&mut state, f64::from(n) * 0.2, 0, flag(true));
    }
    for n in 10..19 {
        say(&mut state, f64::from(n) * 0.2, 0, Reading::Unlisted);
    }
    assert_eq!(state.flag(at(3.7), DOOR), Some(true));
    assert_eq!(state.flag(at(3.8), DOOR), None, "two seconds after 1.8");
}

#[test]
fn of_several_sources_the_newest_that_knows_counts() {
    let mut state = state(vec![spec(Speed, Some(A)), spec(Speed, Some(B))]);
    say(&mut state, 1.0, 0, number(10.0));
    say(&mut state, 1.1, 1, number(20.0));
    assert_eq!(state.number(at(1.1), Speed), Some(20.0));
    say(&mut state, 1.2, 0, number(11.0));
    assert_eq!(state.number(at(1.2), Speed), Some(11.0));
    say(&mut state, 1.3, 0, Reading::Invalid);
    assert_eq!(state.number(at(1.3), Speed), Some(20.0), "the other still knows");
}

#[test]
fn a_latched_command_holds_until_another_whatever_its_age() {
    let latched = |signal| SourceSpec { latched: true, ..spec(signal, Some(A)) };
    let mut state = state(vec![latched(LOCK), latched(LOCK), spec(DOOR, Some(A))]);
    say(&mut state, 0.0, 0, flag(true));
    assert_eq!(state.locked(at(1e6)), Some(true));
    say(&mut state, 10.0, 1, flag(false));
    assert_eq!(state.locked(at(11.0)), Some(false));
    say(&mut state, 12.0, 0, flag(true));
    say(&mut state, 13.0, 2, flag(false));
    assert_eq!(state.locked(at(13.0)), Some(true));
    say(&mut state, 14.0, 2, flag(true));
    assert_eq!(state.locked(at(14.0)), None, "a door opened");
    say(&mut state, 15.0, 0, flag(true));
    say(&mut state, 15.1, 2, flag(true));
    assert_eq!(state.locked(at(15.1)), Some(true), "it was open already");
}

#[test]
fn the_newest_word_takes_the_hold_from_an_older_command() {
    let command = SourceSpec { latched: true, ..spec(LOCK, Some(A)) };
    let mut state = state(vec![command, spec(LOCK, Some(B))]);
    say(&mut state, 0.0, 0, flag(true));
    say(&mut state, 1.0, 1, flag(false));
    assert_eq!(state.locked(at(60.0)), None, "stale, and the command before it does not come back");
}

#[test]
fn locked_is_the_cars_own_word_else_every_doors() {
    let mut state = state(vec![spec(DOOR_LOCK, Some(A)), spec(OTHER_LOCK, Some(A)), spec(LOCK, Some(B))]);
    assert_eq!(state.locked(at(0.0)), None);
    say(&mut state, 0.0, 0, flag(true));
    assert_eq!(state.locked(at(0.0)), None, "of the other door nobody knows");
    say(&mut state, 0.0, 1, flag(true));
    assert_eq!(state.locked(at(0.0)), Some(true));
    say(&mut state, 0.1, 1, flag(false));
    assert_eq!(state.locked(at(0.1)), Some(false));
    say(&mut state, 0.2, 2, flag(true));
    assert_eq!(state.locked(at(0.2)), Some(true));
}

#[test]
fn a_silent_bus_with_the_ignition_off_sleeps_and_keeps_what_a_sleeper_may_keep() {
    let mut state = state(vec![
        spec(IGNITION, Some(A)),
        spec(DOOR, Some(A)),
        spec(BELT, Some(A)),
        spec(Speed, Some(A)),
        spec(SENSOR, Some(A)),
    ]);
    for n in 0..10 {
        let now = f64::from(n) * 0.2;
        say(&mut state, now, 0, word("OFF"));
        say(&mut state, now, 1, flag(false));
        say(&mut state, now, 2, flag(true));
        say(&mut state, now, 3, number(0.0));
        say(&mut state, now, 4, flag(false));
    }
    let later = at(90_000.0);
    state.settle(later);
    assert_eq!((state.flag(later, DOOR), state.flag(later, BELT)), (Some(false), Some(true)));
    assert_eq!((state.ignition().on, state.ignition().degraded), (Some(false), false));
    assert_eq!((state.number(later, Speed), state.flag(later, SENSOR)), (None, None));
    // It wakes: one message comes, the door's does not, and is given its time.
    say(&mut state, 90_000.0, 0, word("OFF"));
    say(&mut state, 90_001.9, 0, word("OFF"));
    assert_eq!(state.flag(at(90_001.9), DOOR), Some(false));
    say(&mut state, 90_002.0, 0, word("OFF"));
    assert_eq!(state.flag(at(90_002.0), DOOR), None, "awake for two seconds without it");
}

#[test]
fn a_silent_bus_with_the_ignition_on_is_a_fault() {
    let mut state = state(vec![spec(IGNITION, Some(A)), spec(DOOR, Some(A))]);
    say(&mut state, 0.0, 0, word("ON"));
    say(&mut state, 0.0, 1, flag(true));
    state.settle(at(10.0));
    assert_eq!((state.flag(at(10.0), DOOR), state.ignition().on), (None, Some(true)));
    assert_eq!(state.deadline(at(10.0)), Some(at(30.0)));
    state.settle(at(30.0));
    let ignition = state.ignition().clone();
    assert_eq!((ignition.on, ignition.degraded, ignition.since), (Some(false), true, at(0.0)));
    assert_eq!(state.flag(at(30.0), DOOR), None, "unknown, not kept");
    say(&mut state, 40.0, 1, flag(false));
    assert_eq!(state.ignition().on, Some(false), "a door says nothing of the ignition");
    say(&mut state, 40.0, 0, word("ON"));
    assert_eq!((state.ignition().on, state.ignition().degraded), (Some(true), false));
}

#[test]
fn belts_of_a_bus_that_died_with_the_ignition_on_are_kept_and_its_doors_are_not() {
    let mut state = state(vec![spec(IGNITION, Some(A)), spec(BELT, Some(A)), spec(DOOR, Some(A)), spec(DOOR, Some(B))]);
    say(&mut state, 0.0, 0, word("ON"));
    say(&mut state, 0.0, 1, flag(true));
    say(&mut state, 0.0, 2, flag(true));
    say(&mut state, 0.0, 3, flag(false));
    state.settle(at(31.0));
    assert_eq!(state.flag(at(31.0), BELT), Some(true));
    assert_eq!(state.flag(at(31.0), DOOR), Some(false), "the other bus is only asleep");
}

#[test]
fn the_boards_input_comes_before_any_bus() {
    let mut state = state(vec![spec(IGNITION, None), spec(IGNITION, Some(A))]);
    say(&mut state, 0.0, 0, word("OFF"));
    say(&mut state, 0.1, 1, word("ON"));
    assert_eq!(state.ignition().on, Some(false));
    say(&mut state, 0.2, 0, word("ON"));
    for n in 0..300 {
        say(&mut state, 0.4 + f64::from(n) * 0.2, 0, word("ON"));
    }
    assert_eq!(state.ignition().on, Some(true), "a bus silent for a minute is no word against it");
}

#[test]
fn a_voltage_and_a_speed_only_say_on_where_the_ignition_is_mapped() {
    let mut state = state(vec![spec(IGNITION, Some(A)), spec(VOLTS, Some(B))]);
    say(&mut state, 0.0, 1, number(14.0));
    assert_eq!(state.ignition().on, Some(true), "the ignition itself was never heard");
    for n in 1..28 {
        say(&mut state, f64::from(n), 1, number(12.0));
    }
    assert_eq!(state.ignition().on, Some(true), "what was last known stands");
    say(&mut state, 28.0, 0, word("ACC"));
    say(&mut state, 28.1, 1, number(14.0));
    assert_eq!(state.ignition().on, Some(false), "it says itself that it is off");
}

#[test]
fn a_dip_or_a_gap_begins_the_minute_of_low_voltage_anew() {
    let mut state = state(vec![spec(VOLTS, Some(A))]);
    let mut now = 0.0;
    let mut volts = |state: &mut State, value: f64, seconds: u32| {
        for _ in 0..seconds {
            now += 1.0;
            say(state, now, 0, number(value));
        }
    };
    volts(&mut state, 14.0, 10);
    assert_eq!(state.ignition().on, Some(true));
    volts(&mut state, 13.19, 60);
    volts(&mut state, 13.2, 1);
    volts(&mut state, 12.0, 60);
    assert_eq!(state.ignition().on, Some(true));
    volts(&mut state, 12.0, 1);
    assert_eq!((state.ignition().on, state.ignition().since), (Some(false), at(72.0)), "off, as of when it fell");
}

#[test]
fn twenty_four_volts_are_twice_twelve() {
    let settings = StateSettings { nominal_v: 24, ..StateSettings::default() };
    let layout = Layout { buses: vec!["a".to_owned()], sources: vec![spec(VOLTS, Some(A))] };
    let mut state = State::new(layout, settings);
    say(&mut state, 0.0, 0, number(26.3));
    assert_eq!(state.ignition().on, None);
    say(&mut state, 1.0, 0, number(26.4));
    assert_eq!(state.ignition().on, Some(true));
}

#[test]
fn speed_is_by_can_else_by_gnss_and_parked_by_either() {
    let mut state = state(vec![spec(Speed, Some(A))]);
    fix(&mut state, 0.0, 42.0);
    assert_eq!((state.can_speed(at(0.0)), state.speed(at(0.0))), (None, Some(42.0)));
    say(&mut state, 1.0, 0, number(40.0));
    assert_eq!(state.speed(at(1.0)), Some(40.0));
    assert_eq!(state.speed(at(6.0)), None, "both are stale");
    for n in 0..70 {
        fix(&mut state, 10.0 + f64::from(n), 2.9);
    }
    assert!(state.parked(at(79.0)) && !state.parked(at(69.9)));
    say(&mut state, 79.5, 0, number(3.0));
    assert!(!state.parked(at(79.5)), "by CAN it creeps");
}

#[test]
fn what_was_restored_is_believed_for_as_long_as_its_source_would_need() {
    let mut before = state(vec![spec(IGNITION, Some(A)), spec(SENSOR, Some(A)), spec(Speed, Some(A))]);
    say(&mut before, 100.0, 0, word("ON"));
    say(&mut before, 100.0, 1, flag(false));
    say(&mut before, 100.0, 2, number(90.0));
    let mut after = state(before.layout().sources.clone());
    for id in (0..3).map(SourceId) {
        after.restore_word(id, before.last_word(id).unwrap());
    }
    after.restore_ignition(before.ignition_kept());
    after.observe(at(700.0), &Observation::Restarted);
    after.settle(at(700.0));
    assert_eq!((after.ignition().on, after.flag(at(700.0), SENSOR)), (Some(true), Some(false)));
    assert_eq!(after.number(at(700.0), Speed), None, "nobody knows how fast it goes now");
    after.settle(at(729.9));
    assert_eq!((after.ignition().on, after.flag(at(729.9), SENSOR)), (Some(true), None));
    after.settle(at(730.0));
    assert_eq!(after.ignition().on, Some(false), "the silence that was heard");
}

#[test]
fn other_numbers_count_at_once_for_what_was_seen_before() {
    let mut state = state(vec![spec(Speed, Some(A))]);
    say(&mut state, 0.0, 0, number(40.0));
    fix(&mut state, 0.0, 42.0);
    assert_eq!(state.can_speed(at(6.0)), None, "stale after 5 s");
    state.retune(StateSettings { stale_unknown_s: 8, ..StateSettings::default() });
    assert_eq!((state.can_speed(at(6.0)), state.can_speed(at(8.0))), (Some(40.0), None));
}

#[test]
fn what_is_polled_is_stale_after_three_of_its_own_gaps_and_wakes_no_bus() {
    const COOLANT: Signal = Signal::PowertrainCombustionEngineEngineCoolantTemperature;
    let layout = Layout { buses: vec!["a".to_owned()], sources: vec![spec(IGNITION, None)] };
    let mut car = State::new(layout.with_polled(&[COOLANT, IGNITION]), StateSettings::default());
    assert_eq!(car.layout().sources.len(), 2, "the board's own ignition input is fed");
    let off = Reading::Value(Value::Word(Word::try_from("OFF").unwrap()));
    car.observe(at(0.0), &Observation::Reading(SourceId(0), off));
    car.settle(at(0.0));
    let measure = |car: &mut State, seconds| {
        car.observe(at(seconds), &Observation::Diagnosis(trouble::Heard::Measured(COOLANT, 90.0)));
        car.settle(at(seconds));
    };
    measure(&mut car, 10.0);
    assert_eq!((car.number(at(14.9), COOLANT), car.number(at(15.0), COOLANT)), (Some(90.0), None), "no gap is known");
    for seconds in [30.0, 50.0, 70.0, 90.0, 110.0] {
        measure(&mut car, seconds);
        assert_eq!((car.number(at(seconds + 59.9), COOLANT), car.number(at(seconds + 60.0), COOLANT)), (Some(90.0), None));
    }
    measure(&mut car, 4000.0);
    assert_eq!(car.number(at(4060.0), COOLANT), None, "an hour is a pause");
    assert_eq!(car.value(at(4000.0), IGNITION).and_then(Value::as_word), Some("OFF"), "the board sleeps on");
    assert_eq!(car.ignition().on, Some(false));
}
