//! Whole loops of every scenario, held against physics, against the decoders and against the promises of the module.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use nmea::{ParseResult, parse_str};

use super::route::metres;
use super::*;
use crate::can::Outcome;
use crate::clock::Wall;
use crate::geo::Point;
use crate::vehicle::{BusId, Reading, Signal, Value};

const START: Wall = Wall::from_micros(1_771_545_600_000_000);

fn car(scenario: &Scenario) -> Car {
    Car::new(scenario, 7, Place::beginning(START)).unwrap()
}

fn loop_of(scenario: &Scenario) -> Duration {
    Duration::from_secs_f64(Timeline::new(scenario, 7).length())
}

/// Everything that the car sends within `time`.
fn sent(car: Car, time: Duration) -> Vec<(Duration, Output)> {
    car.take_while(|(after, _)| *after < time).collect()
}

fn metres_between(one: Point, other: Point) -> f64 {
    let ((east, north), (other_east, other_north)) = (metres(one), metres(other));
    (east - other_east).hypot(north - other_north)
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap()
}

/// How far inside the fence a point is, m; negative outside. Enough for a circle and a rectangle.
fn depth(fence: &str, point: Point) -> f64 {
    let fences: serde_json::Value = serde_json::from_str(FENCES).unwrap();
    let feature = fences["features"].as_array().unwrap().iter().find(|feature| feature["id"] == fence).unwrap();
    let coordinates = &feature["geometry"]["coordinates"];
    let at = |pair: &serde_json::Value| metres(Point { longitude: number(&pair[0]), latitude: number(&pair[1]) });
    if feature["geometry"]["type"] == "Point" {
        let (center, place) = (at(coordinates), metres(point));
        return number(&feature["properties"]["radius"]) - (center.0 - place.0).hypot(center.1 - place.1);
    }
    let ring: Vec<(f64, f64)> = coordinates[0].as_array().unwrap().iter().map(at).collect();
    let (east, north) = metres(point);
    let sides = ring.windows(2).map(|side| {
        let (along, up) = (side[1].0 - side[0].0, side[1].1 - side[0].1);
        (along * (north - side[0].1) - up * (east - side[0].0)) / along.hypot(up)
    });
    sides.fold(f64::MAX, f64::min)
}

#[test]
fn every_message_comes_at_its_period_and_no_two_at_once() {
    let database = Database::parse(DBC.as_bytes());
    for scenario in SCENARIOS {
        let (mut last, mut pauses) = (HashMap::<u32, Duration>::new(), HashMap::<u32, u32>::new());
        let mut bus_last = HashMap::<&str, Duration>::new();
        for (after, output) in sent(car(scenario), loop_of(scenario)) {
            let Output::Frame { bus, frame } = output else { continue };
            assert_eq!(frame.at.micros(), after.as_micros() as i64);
            let message = database.message(frame.id, frame.extended).unwrap();
            assert_eq!(frame.data.len(), message.length);
            if let Some(before) = bus_last.insert(bus, after) {
                assert!(after >= before + Duration::from_micros(500), "{bus} {after:?} {before:?}");
            }
            let Some(before) = last.insert(frame.id, after) else { continue };
            let late = (after - before).as_secs_f64() - message.period.unwrap().as_secs_f64();
            if late > 1.0 {
                *pauses.entry(frame.id).or_default() += 1;
            } else {
                assert!(late.abs() <= 0.001, "{} {after:?}: {late}", message.name());
            }
        }
        assert_eq!(last.len(), database.messages().len(), "every message of the database is sent");
        assert!(pauses.values().all(|count| *count <= 3), "the bus sleeps when the car does: {pauses:?}");
    }
}

#[test]
fn the_decoder_reads_what_was_meant() {
    for scenario in SCENARIOS {
        let Profile { layout, decoder, .. } = profile().unwrap();
        let bus_id = |name: &str| BusId(layout.buses.iter().position(|bus| bus == name).unwrap() as u8);
        let truths = car(scenario);
        let mut seen = HashSet::new();
        for (after, output) in sent(car(scenario), loop_of(scenario)) {
            let Output::Frame { bus, frame } = output else { continue };
            let truth = truths.truth(after);
            let outcome = decoder.decode(bus_id(bus), &frame, |source, reading| {
                let spec = layout.source(source).unwrap();
                seen.insert(source);
                let sensor_fails = !truth.sensor_works && spec.name.starts_with("CABIN_SENSOR");
                match (reading, meant(&truth, spec.signal)) {
                    (Reading::Invalid, _) => assert!(sensor_fails, "{} {after:?}", spec.name),
                    (Reading::Value(Value::Number(is)), Value::Number(meant)) => {
                        assert!((is - meant).abs() <= resolution(spec.signal) + 1e-9, "{} {after:?}: {is}, {meant}", spec.name);
                    }
                    (Reading::Value(is), meant) => assert_eq!(is, meant, "{} {after:?}", spec.name),
                    (Reading::Unlisted, _) => panic!("{} {after:?}", spec.name),
                }
            });
            assert_eq!(outcome, Outcome::Mapped { short: 0 }, "{}: nothing is sent that the profile does not read", frame.id);
        }
        assert_eq!(seen.len(), layout.sources.len(), "{}: everything that the profile reads is sent", scenario.name);
    }
}

/// What a signal is to say, told in other words than the car's own.
fn meant(truth: &Truth, signal: Signal) -> Value {
    use Signal::*;
    Value::Bool(match signal {
        Speed => return Value::Number(truth.wheels[0]),
        LowVoltageSystemState => {
            let word = match truth.key {
                Key::Off => "OFF",
                Key::Accessory => "ACC",
                Key::On => "ON",
                Key::Start => "START",
            };
            return Value::Word(word.try_into().unwrap());
        }
        LowVoltageBatteryCurrentVoltage => return Value::Number(truth.battery),
        ExteriorAirTemperature => return Value::Number(truth.outside),
        PowertrainCombustionEngineEngineCoolantTemperature => return Value::Number(truth.coolant),
        PowertrainCombustionEngineSpeed => return Value::Number(truth.engine_speed),
        TraveledDistance => return Value::Number(truth.odometer),
        CabinHVACAmbientAirTemperature => return Value::Number(truth.cabin),
        CabinDoorRow1DriverSideIsOpen => truth.is_open(Door::Driver),
        CabinDoorRow1PassengerSideIsOpen => truth.is_open(Door::Passenger),
        CabinDoorRow2DriverSideIsOpen => truth.is_open(Door::RearLeft),
        CabinDoorRow2PassengerSideIsOpen => truth.is_open(Door::RearRight),
        BodyTrunkRearIsOpen => truth.is_open(Door::Trunk),
        BodyHoodIsOpen => false,
        CabinSeatRow1DriverSideIsOccupied => truth.is_taken(Seat::Driver),
        CabinSeatRow1DriverSideIsBelted => truth.is_belted(Seat::Driver),
        CabinSeatRow1PassengerSideIsOccupied => truth.is_taken(Seat::Passenger),
        CabinSeatRow1PassengerSideIsBelted => truth.is_belted(Seat::Passenger),
        CabinSeatRow2DriverSideIsOccupied => truth.is_taken(Seat::RearLeft),
        CabinSeatRow2DriverSideIsBelted => truth.is_belted(Seat::RearLeft),
        CabinSeatRow2MiddleIsOccupied => truth.is_taken(Seat::RearMiddle),
        CabinSeatRow2MiddleIsBelted => truth.is_belted(Seat::RearMiddle),
        CabinSeatRow2PassengerSideIsOccupied => truth.is_taken(Seat::RearRight),
        CabinSeatRow2PassengerSideIsBelted => truth.is_belted(Seat::RearRight),
        CabinRearOccupantIsDetected => truth.occupant,
        CabinRearOccupantIsMoving => truth.stirs,
        lock if lock.path().ends_with("IsLocked") => truth.locked,
        other => panic!("{other} is mapped and not expected"),
    })
}

/// Half a step of its signal.
fn resolution(signal: Signal) -> f64 {
    match signal {
        Signal::Speed => 0.005,
        Signal::LowVoltageBatteryCurrentVoltage => 0.0005,
        Signal::ExteriorAirTemperature => 0.25,
        Signal::PowertrainCombustionEngineEngineCoolantTemperature => 0.5,
        Signal::PowertrainCombustionEngineSpeed => 0.125,
        Signal::TraveledDistance => 0.05,
        _ => 1e-5,
    }
}

/// One epoch as an independent parser reads it.
#[derive(Default)]
struct Epoch {
    types: Vec<String>,
    time: String,
    point: Option<Point>,
    /// km/h.
    speed: f64,
    hdop: Option<f64>,
}

fn epochs(sentences: &[(Duration, Output)]) -> Vec<(Duration, Epoch)> {
    let mut epochs: Vec<(Duration, Epoch)> = Vec::new();
    for (after, output) in sentences {
        let Output::Sentence(sentence) = output else { continue };
        let text = std::str::from_utf8(sentence).unwrap();
        assert!(text.len() <= 94, "{text}");
        let parsed = parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        if matches!(parsed, ParseResult::RMC(_)) {
            epochs.push((*after, Epoch::default()));
        }
        let Some((_, epoch)) = epochs.last_mut() else { continue };
        epoch.types.push(text[3..6].to_owned());
        match parsed {
            ParseResult::RMC(rmc) => {
                epoch.time = format!("{}T{}", rmc.fix_date.unwrap(), rmc.fix_time.unwrap());
                let valid = rmc.status_of_fix != nmea::sentences::rmc::RmcStatusOfFix::Invalid;
                epoch.point = valid.then(|| Point { latitude: rmc.lat.unwrap(), longitude: rmc.lon.unwrap() });
                epoch.speed = f64::from(rmc.speed_over_ground.unwrap_or(0.0)) * 1.852;
            }
            ParseResult::GGA(gga) => {
                assert_eq!(gga.latitude, epoch.point.map(|point| point.latitude), "{text}");
                assert_eq!(gga.fix_satellites.unwrap() >= 8, epoch.point.is_some(), "{text}");
                epoch.hdop = epoch.point.map(|_| gga.hdop.unwrap().into());
            }
            ParseResult::GST(gst) => assert_eq!(gst.lat_sd.is_some_and(|sd| sd < 3.0), epoch.point.is_some(), "{text}"),
            ParseResult::ZDA(zda) => assert!(zda.utc_date().is_some_and(|date| epoch.time.starts_with(&date.to_string()))),
            ParseResult::VTG(_) | ParseResult::GSA(_) => {}
            other => panic!("{other:?}"),
        }
    }
    epochs
}

#[test]
fn the_receiver_tells_the_truth_within_metres_and_moves_as_the_car_does() {
    for scenario in SCENARIOS {
        let truths = car(scenario);
        let epochs = epochs(&sent(car(scenario), loop_of(scenario)));
        assert!((epochs.len() as f64 - loop_of(scenario).as_secs_f64()).abs() <= 1.0, "{}", scenario.name);
        for (nth, (after, epoch)) in epochs.iter().enumerate() {
            // Counted by the sentence's own time, not by when it came.
            let truth = truths.truth(Duration::from_secs(nth as u64));
            assert!((0.06..0.09).contains(&(after.as_secs_f64() - nth as f64)), "latency {after:?}");
            if nth > 0 {
                assert_eq!(epoch.types, ["RMC", "VTG", "GGA", "GSA", "GSA", "GST", "ZDA"]);
            }
            assert_eq!(epoch.point.is_some(), truth.sky);
            let Some(point) = epoch.point else { continue };
            assert!(metres_between(point, truth.point) < 4.0, "{} {after:?}", scenario.name);
            assert!((epoch.speed - truth.speed).abs() < 0.5);
            assert!(truth.speed > 0.0 || epoch.speed < 1.0, "a parked car's receiver shows a creep at most");
        }
        for pair in epochs.windows(2) {
            let (Some(from), Some(to)) = (pair[0].1.point, pair[1].1.point) else { continue };
            let mean = (pair[0].1.speed + pair[1].1.speed) / 7.2;
            assert!((metres_between(from, to) - mean).abs() < 1.2, "{} {:?}", scenario.name, pair[0].0);
        }
        let hdops: Vec<f64> = epochs.iter().filter_map(|(_, epoch)| epoch.hdop).collect();
        let (least, most) = hdops.iter().fold((f64::MAX, 0.0_f64), |(least, most), hdop| (least.min(*hdop), most.max(*hdop)));
        assert!(most - least > 0.1, "{least} {most}");
    }
    assert!(
        scenario("receiver-lost")
            .is_some_and(|lost| epochs(&sent(car(lost), loop_of(lost))).iter().any(|(_, e)| e.point.is_none()))
    );
}

#[test]
fn a_receiver_may_be_faster() {
    for (rate, fixes) in [(FixRate::Hz5, 50), (FixRate::Hz10, 100)] {
        let epochs = epochs(&sent(car(&SCENARIOS[0]).with_fix_rate(rate), Duration::from_secs(10)));
        assert_eq!(epochs.len(), fixes);
        assert_eq!(epochs[1].1.time, if fixes == 50 { "2026-02-20T00:00:00.200" } else { "2026-02-20T00:00:00.100" });
    }
}

#[test]
fn what_the_car_sends_is_a_function_of_the_moment() {
    for scenario in SCENARIOS {
        let here = loop_of(scenario) * 2 + Duration::from_micros(77_777_777);
        let place = car(scenario).place(here);
        assert_eq!((place.loops, place.within_us), (2, 77_777_777));
        let mut driven = car(scenario);
        driven.skip_to(here);
        let resumed = sent(Car::new(scenario, 7, place).unwrap(), Duration::from_secs(60));
        let driven = driven.take(resumed.len()).map(|(after, output)| (after - here, output));
        for ((there, resumed), (after, driven)) in resumed.into_iter().zip(driven) {
            assert_eq!(there, after);
            match (resumed, driven) {
                (Output::Frame { frame: resumed, .. }, Output::Frame { frame: driven, .. }) => {
                    assert_eq!((resumed.id, resumed.data), (driven.id, driven.data));
                }
                (resumed, driven) => assert_eq!(resumed, driven),
            }
        }
    }
    let other = Car::new(&SCENARIOS[0], 8, Place::beginning(START)).unwrap();
    assert_ne!(
        sent(other, Duration::from_secs(1)),
        sent(car(&SCENARIOS[0]), Duration::from_secs(1)),
        "another seed, another noise"
    );
}

#[test]
fn a_fence_is_crossed_at_least_every_150_seconds_and_where_the_story_says() {
    for scenario in SCENARIOS {
        let timeline = Timeline::new(scenario, 7);
        let parked = |second: f64| timeline.at(second).key == Key::Off;
        // When a gateway has seen it, by the table of detection.md: two fixes, or a minute of them.
        let mut told: Vec<(f64, Telling)> = Vec::new();
        for fence in ["home", "school", "office"] {
            let (mut inside, mut streak) = (fence == "home", 0.0);
            for second in 0..(2.0 * timeline.length()) as u32 {
                let second = f64::from(second);
                let truth = timeline.at(second);
                let margin = match (parked(second), inside) {
                    (true, _) => 50.0,
                    (false, true) => 15.0,
                    (false, false) => 4.0,
                };
                let beyond = if inside { -depth(fence, truth.point) } else { depth(fence, truth.point) } > margin;
                streak = if truth.sky && beyond { streak + 1.0 } else { 0.0 };
                if streak >= if parked(second) { 61.0 } else { 2.0 } {
                    (inside, streak) = (!inside, 0.0);
                    told.push((second, if inside { Telling::Enter(fence) } else { Telling::Exit(fence) }));
                }
            }
        }
        told.sort_by(|one, other| one.0.total_cmp(&other.0));
        for pair in told.windows(2) {
            assert!(pair[1].0 - pair[0].0 < 150.0, "{}: {told:?}", scenario.name);
        }
        assert!(told[0].0 < 120.0 && 2.0 * timeline.length() - told[told.len() - 1].0 < 100.0, "{}: {told:?}", scenario.name);
        let expected =
            timeline.expected().into_iter().filter(|expected| matches!(expected.telling, Telling::Enter(_) | Telling::Exit(_)));
        let expected: Vec<Expected> = expected.collect();
        let first: Vec<_> = told.iter().filter(|(second, _)| *second < timeline.length()).collect();
        assert_eq!(
            first.iter().map(|(_, telling)| *telling).collect::<Vec<_>>(),
            expected.iter().map(|e| e.telling).collect::<Vec<_>>()
        );
        for ((second, _), expected) in first.iter().zip(&expected) {
            assert!((expected.earliest..expected.latest).contains(second), "{}: {second} {expected:?}", scenario.name);
        }
    }
}

#[test]
fn the_demo_tells_of_the_child_within_a_hundred_seconds() {
    let expected = Timeline::new(&SCENARIOS[0], 7).expected();
    let left = expected.iter().find(|expected| matches!(expected.telling, Telling::Left(..))).unwrap();
    // Locked, and 10 s later.
    assert!(left.earliest + 10.0 < 100.0, "{left:?}");
    let end = expected.iter().find(|expected| matches!(expected.telling, Telling::Cleared(_))).unwrap();
    assert!(end.earliest - left.earliest > 80.0, "time to look at it, and to escalate: {end:?}");
}
