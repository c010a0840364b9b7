//! An engine that glides over what changes nothing, beside one that is stepped after every frame: no sequence of inputs
//! may tell them apart, neither by what they tell nor by what they would leave to a restart.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::testcar::{
    BELT, BODY, CABIN, CABIN_CELSIUS, DRIVER, IGNITION, LOCK, OUTSIDE, REAR_LEFT, SEAT, SENSOR, SPEED, VOLTS, spec,
};
use super::{Engine, Outbox, Settings};
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::event::{Event, EventId};
use crate::geo::{Fence, FenceSource, Point, Schedule, Shape};
use crate::request::Request;
use crate::vehicle::Signal::{
    CabinRearOccupantIsMoving as MOVING, PowertrainCombustionEngineEngineCoolantTemperature as COOLANT,
    PowertrainCombustionEngineSpeed as REVOLUTIONS,
};
use crate::vehicle::{
    BusCondition, BusId, Fix, Layout, Mode, Observation, Reading, Signal, SourceId, SourceSpec, Value, Vin, Word,
};

/// The wall time at second 0, one minute before midnight.
const EPOCH: i64 = 1_771_545_540_000_000;
const HERE: Point = Point { latitude: 37.5, longitude: 127.0 };

/// What goes on from here on.
#[derive(Clone, Debug)]
enum Act {
    /// A source says this in each of its frames.
    Say(usize, Reading),
    /// A source's frames come no more, or again.
    Silence(usize, bool),
    /// A bus sleeps, or is awake.
    Sleep(bool, bool),
    /// The speed changes with each frame by so much, km/h.
    Gain(f64),
    /// A speed by GNSS, km/h, and how accurate; or no fixes.
    Receiver(Option<(f64, f64)>),
    /// A controller's condition.
    Bus(bool, BusCondition),
    /// Whether the journal can be written.
    Journal(bool),
    /// The wall clock is set by so many seconds, and by whom.
    Clock(i64, TimeSource),
    /// The newest alert is answered.
    Answer(bool),
    /// Time goes by, ms.
    Wait(i64),
}

/// What the sources are: of a signal two that need not agree, commands, limits that are said and such that are learnt.
fn layout() -> Layout {
    let one = |signal, bus| spec(signal, bus);
    let other = |signal, bus: BusId| SourceSpec { name: format!("OTHER.{signal}"), ..spec(signal, bus) };
    // In one message with sources of other limits.
    let mixed = |spec: SourceSpec, seconds| SourceSpec {
        name: format!("MIXED.{}", spec.signal),
        stale_after: Some(Duration::from_secs(seconds)),
        ..spec
    };
    let sources = vec![
        one(IGNITION, BODY),
        one(SPEED, BODY),
        one(VOLTS, BODY),
        one(DRIVER, BODY),
        one(REAR_LEFT, BODY),
        other(REAR_LEFT, CABIN),
        SourceSpec { latched: true, ..one(LOCK, BODY) },
        other(LOCK, CABIN),
        one(BELT, BODY),
        mixed(one(SEAT, CABIN), 20),
        mixed(one(MOVING, CABIN), 3),
        SourceSpec { covers_rear: true, ..one(SENSOR, CABIN) },
        one(CABIN_CELSIUS, CABIN),
        SourceSpec { always: true, ..one(COOLANT, BODY) },
        one(OUTSIDE, BODY),
        one(REVOLUTIONS, BODY),
        other(VOLTS, CABIN),
    ];
    Layout { buses: vec!["body".to_owned(), "cabin".to_owned()], sources }
}

fn fences() -> Vec<Fence> {
    let circle = |id: &str, north: f64, radius| {
        let centre = Point { latitude: HERE.latitude + north / 111_000.0, ..HERE };
        Fence::new(id, FenceSource::File, Shape::circle(centre, radius).unwrap())
    };
    let night = Schedule::new([], "00:00", "00:02", "UTC").unwrap();
    vec![
        Fence { speed_limit: Some(30.0), dwell: Some(Duration::from_secs(40)), ..circle("slow", 0.0, 400.0) },
        Fence { speed_limit: Some(3.0), ..circle("walk", 300.0, 150.0) },
        Fence { schedule: Some(night), tell_at_start: true, ..circle("night", 0.0, 2000.0) },
    ]
}

fn reading(signal: Signal) -> BoxedStrategy<Reading> {
    let number = |numbers: Vec<f64>| proptest::sample::select(numbers).prop_map(Value::Number).boxed();
    let value = match signal {
        IGNITION => {
            let words = proptest::sample::select(vec!["ON", "ON", "OFF", "ACC", "UNDEFINED"]);
            words.prop_map(|word| Value::Word(Word::try_from(word).unwrap())).boxed()
        }
        SPEED => number(vec![0.0, 0.4, 0.5, 2.0, 4.9, 5.0, 19.0, 20.0, 25.0, 26.0, 30.0, 31.0, 60.0]),
        VOLTS => number(vec![11.7, 11.8, 11.9, 12.6, 13.1, 13.2, 14.2]),
        COOLANT => number(vec![90.0, 110.0, 112.0, 115.0, 116.0]),
        CABIN_CELSIUS | OUTSIDE => number(vec![15.0, 24.0, 29.9, 31.0, 34.0, 36.0]),
        REVOLUTIONS => number(vec![800.0, 2000.0]),
        _ => any::<bool>().prop_map(Value::Bool).boxed(),
    };
    prop_oneof![12 => value.prop_map(Reading::Value), 1 => Just(Reading::Invalid), 1 => Just(Reading::Unlisted)].boxed()
}

fn act() -> impl Strategy<Value = Act> {
    let sources = layout().sources;
    let count = sources.len();
    let conditions = vec![BusCondition::Active, BusCondition::Passive, BusCondition::Off, BusCondition::Down];
    let speeds = proptest::sample::select(vec![0.0, 2.0, 10.0, 25.0, 40.0]);
    let fix = (speeds, prop_oneof![4 => Just(4.0), 1 => Just(150.0)]);
    let waits = vec![70, 300, 900, 1_100, 2_500, 3_100, 6_000, 11_000, 31_000, 65_000, 130_000];
    prop_oneof![
        14 => (0..count).prop_flat_map(move |at| reading(sources[at].signal).prop_map(move |says| Act::Say(at, says))),
        2 => (0..count, any::<bool>()).prop_map(|(at, silent)| Act::Silence(at, silent)),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(body, asleep)| Act::Sleep(body, asleep)),
        2 => proptest::sample::select(vec![0.0, 0.0, 0.01, -0.01, 0.3]).prop_map(Act::Gain),
        2 => proptest::option::of(fix).prop_map(Act::Receiver),
        1 => (any::<bool>(), proptest::sample::select(conditions)).prop_map(|(body, condition)| Act::Bus(body, condition)),
        1 => any::<bool>().prop_map(Act::Journal),
        1 => (-90_i64..90, prop_oneof![Just(TimeSource::Gnss), Just(TimeSource::Unset)])
            .prop_map(|(seconds, source)| Act::Clock(seconds, source)),
        1 => any::<bool>().prop_map(Act::Answer),
        12 => proptest::sample::select(waits).prop_map(Act::Wait),
    ]
}

/// What a story of people leads to: a drive, and a child left behind.
fn story() -> Vec<Act> {
    let flag = |yes| Reading::Value(Value::Bool(yes));
    let number = |number| Reading::Value(Value::Number(number));
    let word = |word: &str| Reading::Value(Value::Word(Word::try_from(word).unwrap()));
    vec![
        Act::Say(4, flag(true)),
        Act::Wait(4_000),
        Act::Say(4, flag(false)),
        Act::Say(11, flag(true)),
        Act::Say(0, word("ON")),
        Act::Say(2, number(14.2)),
        Act::Say(16, number(14.2)),
        Act::Say(1, number(8.0)),
        Act::Receiver(Some((25.0, 4.0))),
        Act::Gain(0.02),
        Act::Wait(45_000),
        Act::Gain(0.0),
        Act::Say(1, number(0.0)),
        Act::Receiver(Some((0.0, 4.0))),
        Act::Wait(3_000),
        Act::Say(0, word("OFF")),
        Act::Say(3, flag(true)),
        Act::Wait(3_000),
        Act::Say(3, flag(false)),
        Act::Say(6, flag(true)),
        Act::Wait(90_000),
    ]
}

/// A car whose frames are seen by two engines.
struct Pair {
    gliding: (Engine, Outbox),
    stepped: (Engine, Outbox),
    /// ms.
    now: i64,
    lead: i64,
    source: TimeSource,
    says: Vec<(Reading, bool)>,
    asleep: [bool; 2],
    /// The sources of each bus.
    body: Vec<usize>,
    cabin: Vec<usize>,
    gain: f64,
    receiver: Option<(f64, f64)>,
    place: f64,
    glided: u32,
    frames: u32,
    told: usize,
}

impl Pair {
    fn new() -> Pair {
        let vin = Vin::try_from("TESTCAR1".to_owned()).unwrap();
        let stamp = Stamp { boot: Boot::from_micros(0), wall: Wall::from_micros(EPOCH), source: TimeSource::Gnss };
        let engine = || {
            let mut engine = Engine::new(Settings::default(), vin.clone(), layout(), fences());
            engine.restore(&[], stamp, "boot 0");
            let out = engine.outbox(EventId(0));
            (engine, out)
        };
        let sources = layout().sources;
        let on = |bus| (0..sources.len()).filter(|at| sources[*at].bus == Some(bus)).collect();
        let says = sources.iter().map(|spec| (first_word(spec.signal), true)).collect();
        Pair {
            gliding: engine(),
            stepped: engine(),
            now: 0,
            lead: EPOCH,
            source: TimeSource::Gnss,
            says,
            asleep: [false; 2],
            body: on(BODY),
            cabin: on(CABIN),
            gain: 0.0,
            receiver: None,
            place: 0.0,
            glided: 0,
            frames: 0,
            told: 0,
        }
    }

    fn stamp(&self, boot: Boot) -> Stamp {
        Stamp { boot, wall: Wall::from_micros(self.lead + boot.micros()), source: self.source }
    }

    fn perform(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Say(at, reading) => {
                self.says[*at].0 = reading.clone();
                Ok(())
            }
            Act::Silence(at, silent) => {
                self.says[*at].1 = !silent;
                Ok(())
            }
            Act::Sleep(body, asleep) => {
                self.asleep[usize::from(!body)] = *asleep;
                Ok(())
            }
            Act::Gain(gain) => {
                self.gain = *gain;
                Ok(())
            }
            Act::Receiver(receiver) => {
                self.receiver = *receiver;
                Ok(())
            }
            Act::Bus(body, condition) => self.see(&[Observation::Bus(BusId(u8::from(!body)), *condition)]),
            Act::Journal(writable) => self.see(&[Observation::Journal { writable: *writable }]),
            Act::Clock(seconds, source) => {
                (self.lead, self.source) = (self.lead + seconds * 1_000_000, *source);
                Ok(())
            }
            Act::Answer(safe) => self.answer(*safe),
            Act::Wait(time) => {
                let end = self.now + time;
                while self.now < end {
                    self.now += 10;
                    if self.asleep == [true; 2] && self.now % 500 != 0 {
                        continue;
                    }
                    self.tick()?;
                }
                self.alike()
            }
        }
    }

    /// The body's first half comes every 50 ms, its second every 200 ms, the cabin's sources in turn every 90 ms.
    fn tick(&mut self) -> Result<(), TestCaseError> {
        if self.now % 1_000 == 0 {
            self.fix()?;
        }
        if self.now % 500 == 0 {
            self.rows()?;
        }
        let half = self.body.len() / 2;
        if self.now % 50 == 0 && !self.asleep[0] {
            if let Reading::Value(Value::Number(speed)) = &mut self.says[1].0 {
                *speed = (*speed + self.gain).clamp(0.0, 70.0);
            }
            let frame = self.body[..half].to_vec();
            self.frame(&frame)?;
        }
        if self.now % 200 == 20 && !self.asleep[0] {
            let frame = self.body[half..].to_vec();
            self.frame(&frame)?;
        }
        if self.now % 90 == 0 && !self.asleep[1] {
            let nth = (self.now / 90) as usize % self.cabin.len();
            self.frame(&[self.cabin[nth]])?;
        }
        Ok(())
    }

    fn frame(&mut self, sources: &[usize]) -> Result<(), TestCaseError> {
        let said = sources.iter().filter(|at| self.says[**at].1);
        let seen: Vec<Observation> =
            said.map(|at| Observation::Reading(SourceId(*at as u16), self.says[*at].0.clone())).collect();
        if seen.is_empty() { Ok(()) } else { self.see(&seen) }
    }

    fn fix(&mut self) -> Result<(), TestCaseError> {
        let Some((speed, accuracy)) = self.receiver else { return Ok(()) };
        self.place += speed / 3.6;
        let at = Boot::from_micros(self.now * 1_000);
        let point = Point { latitude: HERE.latitude + self.place / 111_000.0, ..HERE };
        let nothing = (None, None, None, None);
        let (altitude, heading, satellites, hdop) = nothing;
        let (time, speed) = (Some(self.stamp(at).wall), Some(speed));
        let fix = Fix { at, time, mode: Mode::ThreeD, point, accuracy, altitude, speed, heading, satellites, hdop };
        self.see(&[Observation::Fix(fix)])
    }

    fn see(&mut self, seen: &[Observation]) -> Result<(), TestCaseError> {
        let now = self.stamp(Boot::from_micros(self.now * 1_000));
        self.catch_up(now.boot);
        for (engine, _) in [&mut self.gliding, &mut self.stepped] {
            seen.iter().for_each(|observation| engine.observe(now, observation));
        }
        let (engine, out) = &mut self.gliding;
        self.frames += 1;
        if engine.glide(now) {
            self.glided += 1;
        } else {
            engine.step(now, out);
        }
        let (engine, out) = &mut self.stepped;
        engine.step(now, out);
        self.told()
    }

    fn catch_up(&mut self, now: Boot) {
        let (lead, source) = (self.lead, self.source);
        for (engine, out) in [&mut self.gliding, &mut self.stepped] {
            while let Some(due) = engine.deadline().filter(|due| *due < now) {
                engine.step(Stamp { boot: due, wall: Wall::from_micros(lead + due.micros()), source }, out);
            }
        }
    }

    fn answer(&mut self, safe: bool) -> Result<(), TestCaseError> {
        let now = self.stamp(Boot::from_micros(self.now * 1_000));
        self.catch_up(now.boot);
        let event = self.stepped.0.child_now(now).event_id.unwrap_or(EventId(1));
        let by = "Kim".to_owned();
        let request = if safe { Request::Safe { event, by } } else { Request::Snooze { event, seconds: 60, by } };
        let answers =
            [&mut self.gliding, &mut self.stepped].map(|(engine, out)| format!("{:?}", engine.answer(now, &request, out)));
        prop_assert_eq!(&answers[0], &answers[1]);
        self.told()
    }

    fn told(&mut self) -> Result<(), TestCaseError> {
        let [gliding, stepped] = [&mut self.gliding.1, &mut self.stepped.1].map(Outbox::take);
        let json = |events: &[Event]| events.iter().map(Event::to_json).collect::<Vec<_>>();
        prop_assert_eq!(json(&gliding), json(&stepped), "at {} ms", self.now);
        self.told += stepped.len();
        Ok(())
    }

    fn rows(&mut self) -> Result<(), TestCaseError> {
        let now = self.stamp(Boot::from_micros(self.now * 1_000));
        self.catch_up(now.boot);
        self.told()?;
        let [gliding, stepped] = [&mut self.gliding.0, &mut self.stepped.0].map(|engine| engine.rows(now));
        prop_assert_eq!(gliding, stepped, "at {} ms", self.now);
        Ok(())
    }

    /// Everything that either would save but when it wants to be stepped, and when it was.
    fn alike(&mut self) -> Result<(), TestCaseError> {
        let now = self.stamp(Boot::from_micros(self.now * 1_000));
        self.catch_up(now.boot);
        self.told()?;
        let saved = |engine: &Engine| -> Json {
            let mut saved = serde_json::to_value(engine.save()).unwrap();
            saved["deadline"] = Json::Null;
            saved["geofences"]["last"] = Json::Null;
            saved
        };
        prop_assert_eq!(saved(&self.gliding.0), saved(&self.stepped.0), "at {} ms", self.now);
        let shown =
            [&self.gliding.0, &self.stepped.0].map(|engine| format!("{:?}", (engine.child_now(now), engine.signals_now(now))));
        prop_assert_eq!(&shown[0], &shown[1]);
        Ok(())
    }
}

fn first_word(signal: Signal) -> Reading {
    Reading::Value(match signal {
        IGNITION => Value::Word(Word::try_from("OFF").unwrap()),
        SPEED => Value::Number(0.0),
        VOLTS => Value::Number(12.6),
        CABIN_CELSIUS | OUTSIDE => Value::Number(24.0),
        COOLANT => Value::Number(90.0),
        REVOLUTIONS => Value::Number(0.0),
        _ => Value::Bool(false),
    })
}

#[test]
fn most_of_a_drive_is_glided_over_and_tells_the_same() {
    let mut pair = Pair::new();
    for act in story() {
        pair.perform(&act).unwrap();
    }
    assert!(pair.told >= 5, "{} events", pair.told);
    assert!(pair.glided > pair.frames / 2, "{} of {} frames", pair.glided, pair.frames);
}

#[test]
fn a_message_that_was_missed_is_back_with_its_first_frame_though_that_says_nothing_new() {
    let mut pair = Pair::new();
    pair.perform(&Act::Say(0, Reading::Value(Value::Word(Word::try_from("ON").unwrap())))).unwrap();
    pair.perform(&Act::Wait(3_000)).unwrap();
    // Of one message: the first is stale after 20 s, the second after 3 s and the last to speak.
    for (at, time) in [(9, 1_000), (10, 12_000)] {
        pair.perform(&Act::Silence(at, true)).unwrap();
        pair.perform(&Act::Wait(time)).unwrap();
    }
    let told = pair.told;
    pair.perform(&Act::Silence(9, false)).unwrap();
    pair.perform(&Act::Wait(1_000)).unwrap();
    assert_eq!(pair.told, told + 1, "it recovered");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gliding_tells_and_keeps_what_stepping_does(
        runs in proptest::collection::vec(prop_oneof![9 => act().prop_map(|act| vec![act]), 1 => Just(story())], 1..40),
    ) {
        let mut pair = Pair::new();
        for act in runs.iter().flatten() {
            pair.perform(act)?;
        }
    }
}
