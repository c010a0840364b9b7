//! The engine against [`super::model`], a second reading of the table. No sequence of inputs may tell them apart.

use proptest::prelude::*;

use super::model::*;
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::detect::{Engine, Outbox, Settings};
use crate::event::{Details, Event, EventId};
use crate::request::{Answer, Request};
use crate::vehicle::{Layout, Observation, Reading, Signal, SourceId, SourceSpec, Value, Vin, Word};

const SIGNALS: [Signal; 9] = [
    Signal::LowVoltageSystemState,
    Signal::CabinDoorRow1DriverSideIsOpen,
    Signal::CabinDoorRow2DriverSideIsOpen,
    Signal::CabinDoorRow2PassengerSideIsOpen,
    Signal::CabinIsLocked,
    Signal::CabinRearOccupantIsDetected,
    Signal::CabinSeatRow2DriverSideIsBelted,
    Signal::CabinSeatRow2PassengerSideIsOccupied,
    Signal::Speed,
];
fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let waits = [1, 2, 3, 4, 6, 10, 20, 30, 60, 90, 120, 250, 620, 1300, 3100];
    let one = prop_oneof![
        2 => any::<bool>().prop_map(Input::Ignition),
        2 => any::<bool>().prop_map(|open| Input::Set(DRIVER, open)),
        3 => (2_usize..=3, any::<bool>()).prop_map(|(door, open)| Input::Set(door, open)),
        2 => any::<bool>().prop_map(|locked| Input::Set(LOCK, locked)),
        3 => any::<bool>().prop_map(|yes| Input::Set(SENSOR, yes)),
        1 => Just(Input::SensorFault),
        1 => any::<bool>().prop_map(|closed| Input::Set(BELT, closed)),
        1 => any::<bool>().prop_map(|there| Input::Set(SEAT, there)),
        1 => prop_oneof![Just(0.0), Just(15.0), Just(30.0)].prop_map(Input::Speed),
        1 => prop_oneof![Just(60), Just(600)].prop_map(Input::Snooze),
        1 => Just(Input::Safe),
        9 => proptest::sample::select(waits.to_vec()).prop_map(|halves| Input::Wait(halves * TICK)),
    ];
    // What people do comes in runs; single inputs alone seldom leave a child behind.
    let run = prop_oneof![
        12 => one.prop_map(|input| vec![input]),
        2 => Just(drive()),
        2 => Just(leave()),
        1 => Just(open_rear()),
        1 => Just(vec![Input::Safe, Input::Wait(31 * MINUTE)]),
    ];
    proptest::collection::vec(run, 1..40).prop_map(|runs| runs.concat())
}

fn drive() -> Vec<Input> {
    vec![Input::Ignition(true), Input::Wait(30 * SECOND), Input::Ignition(false)]
}

fn leave() -> Vec<Input> {
    let close = [2, 3].map(|door| Input::Set(door, false));
    let leave = [Input::Set(DRIVER, true), Input::Wait(3 * SECOND), Input::Set(DRIVER, false), Input::Set(LOCK, true)];
    [&close[..], &leave, &[Input::Wait(12 * SECOND)]].concat()
}

fn open_rear() -> Vec<Input> {
    vec![Input::Set(2, true), Input::Wait(3 * SECOND), Input::Set(2, false)]
}

/// The engine under the same inputs.
struct Real {
    engine: Engine,
    out: Outbox,
    now: Ms,
    told: Vec<Event>,
}

impl Real {
    fn new(covers: bool) -> Real {
        let month = Some(std::time::Duration::from_secs(30 * 86_400));
        let sources = SIGNALS.iter().map(|signal| SourceSpec {
            signal: *signal,
            bus: None,
            name: signal.path().to_owned(),
            latched: false,
            stale_after: month,
            period: None,
            covers_rear: covers,
            always: false,
            polled: false,
        });
        let layout = Layout { buses: Vec::new(), sources: sources.collect() };
        let engine = Engine::new(Settings::default(), Vin::try_from("M1".to_owned()).unwrap(), layout, Vec::new());
        let out = engine.outbox(EventId(0));
        Real { engine, out, now: 0, told: Vec::new() }
    }

    fn stamp(&self) -> Stamp {
        stamp(self.now * 1000)
    }

    fn catch_up(&mut self) {
        while let Some(due) = self.engine.deadline().filter(|due| due.micros() < self.now * 1000) {
            self.engine.step(stamp(due.micros()), &mut self.out);
        }
    }

    fn put(&mut self, source: usize, reading: Reading) {
        self.catch_up();
        self.engine.observe(self.stamp(), &Observation::Reading(SourceId(source as u16), reading));
        self.step();
    }

    fn step(&mut self) {
        self.engine.step(self.stamp(), &mut self.out);
        self.told.extend(self.out.take());
    }

    fn take(&mut self, input: Input) {
        let flag = |yes| Reading::Value(Value::Bool(yes));
        match input {
            Input::Ignition(on) => {
                let word = Word::try_from(if on { "ON" } else { "OFF" }).unwrap();
                self.put(0, Reading::Value(Value::Word(word)));
            }
            Input::Set(signal, value) => self.put(signal, flag(value)),
            Input::SensorFault => self.put(SENSOR, Reading::Invalid),
            Input::Speed(kmh) => self.put(8, Reading::Value(Value::Number(kmh))),
            Input::Snooze(_) | Input::Safe | Input::Wait(_) => {}
        }
    }

    fn answer(&mut self, input: Input) -> bool {
        self.catch_up();
        let Some(event) = self.engine.child_now(self.stamp()).event_id else { return false };
        let by = "Kim".to_owned();
        let request = match input {
            Input::Snooze(seconds) => Request::Snooze { event, seconds, by },
            _ => Request::Safe { event, by },
        };
        let answer = self.engine.answer(self.stamp(), &request, &mut self.out);
        self.told.extend(self.out.take());
        matches!(answer, Ok(Answer::Event(_)))
    }
}

fn stamp(micros: i64) -> Stamp {
    let wall = Wall::from_micros(1_771_545_600_000_000 + micros);
    Stamp { boot: Boot::from_micros(micros), wall, source: TimeSource::Gnss }
}

fn told(event: &Event) -> Option<Told> {
    let Details::Child(_) = &event.details else { return None };
    let json = serde_json::to_value(event).unwrap();
    let text = |key: &str| json["child"][key].as_str().unwrap_or_default().to_owned();
    let detail = text("stage") + &text("reason");
    Some((event.stamp.boot.micros() / 1000, event.type_name().to_owned(), detail, text("confidence")))
}

fn compare(covers: bool, inputs: &[Input]) -> Result<(), TestCaseError> {
    let (mut model, mut real) = (Model::new(covers), Real::new(covers));
    let begin: Vec<Input> = std::iter::once(Input::Ignition(false))
        .chain((1..8).map(|signal| Input::Set(signal, false)))
        .chain([Input::Speed(0.0)])
        .collect();
    for input in begin.iter().chain(inputs) {
        match input {
            Input::Wait(long) => {
                let end = model.now + long;
                while model.now < end {
                    model.now += TICK;
                    model.rows();
                }
                // What is due at the very moment of the next input is decided with that input.
                real.now = end;
                real.catch_up();
                real.step();
            }
            Input::Snooze(_) | Input::Safe => {
                let seconds = if let Input::Snooze(seconds) = input { *seconds } else { 0 };
                let accepted = real.answer(*input);
                prop_assert_eq!(
                    model.answer(*input == Input::Safe, seconds),
                    accepted,
                    "{:?} at {} of {:?}",
                    input,
                    model.now,
                    inputs
                );
            }
            _ => {
                real.take(*input);
                model.take(*input);
            }
        }
        // Nobody does two things in the same half second.
        model.now += TICK;
        model.rows();
        real.now += TICK;
        real.catch_up();
        real.step();
        let events: Vec<Told> = real.told.iter().filter_map(told).collect();
        prop_assert_eq!(events, model.told.clone(), "after {:?} at {} of {:?}", input, model.now, inputs);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_inputs_tells_the_engine_from_the_table(covers: bool, inputs in inputs()) {
        compare(covers, &inputs)?;
    }
}
