//! What holds whatever comes in: buses that fall asleep and wake, sensors that fail, receivers that are lost, daemons
//! that die. The exact times of a car whose signals are always known are [`super::model`]'s business.

use proptest::prelude::*;

use crate::clock::{Boot, Stamp, Wall};
use crate::detect::testcar::*;
use crate::detect::{Engine, Outbox, Saved, Settings};
use crate::event::{Alert, ChildStage, Confidence, Details, Event, EventId, EventType, Severity};
use crate::vehicle::{Observation, Reading, Signal, Vin};

#[derive(Clone, Debug)]
pub enum Act {
    Ignition(&'static str),
    Set(Signal, bool),
    Volts(f64),
    Speed(f64),
    Gnss(Option<f64>),
    Celsius(f64),
    Lock(bool),
    Invalid(Signal),
    Unlisted(Signal),
    Silence(Signal),
    Sleep(bool),
    Wake(bool),
    Wait(f64),
    Snooze(u32),
    Safe,
    Restart(f64, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let doors = [DRIVER, PASSENGER, REAR_LEFT, REAR_RIGHT];
    let door = proptest::sample::select(doors.to_vec());
    let any_signal = proptest::sample::select([&doors[..], &[SENSOR, BELT, SEAT, IGNITION, VOLTS, LOCK]].concat());
    let said = proptest::sample::select(vec![SENSOR, SENSOR, SENSOR, BELT, SEAT]);
    prop_oneof![
        4 => proptest::sample::select(vec!["ON", "OFF", "ACC", "UNDEFINED"]).prop_map(Act::Ignition),
        6 => (door, any::<bool>()).prop_map(|(door, open)| Act::Set(door, open)),
        4 => (said, any::<bool>()).prop_map(|(signal, yes)| Act::Set(signal, yes)),
        2 => any::<bool>().prop_map(Act::Lock),
        1 => prop_oneof![Just(12.4), Just(14.2)].prop_map(Act::Volts),
        1 => prop_oneof![Just(0.0), Just(30.0)].prop_map(Act::Speed),
        1 => prop_oneof![Just(None), Just(Some(0.0)), Just(Some(40.0))].prop_map(Act::Gnss),
        1 => prop_oneof![Just(24.0), Just(34.9), Just(36.0)].prop_map(Act::Celsius),
        1 => any_signal.clone().prop_map(Act::Invalid),
        1 => any_signal.clone().prop_map(Act::Unlisted),
        1 => any_signal.prop_map(Act::Silence),
        1 => any::<bool>().prop_map(Act::Sleep),
        2 => any::<bool>().prop_map(Act::Wake),
        8 => prop_oneof![Just(0.7), Just(2.5), Just(6.0), Just(12.0), Just(35.0), Just(65.0)].prop_map(Act::Wait),
        1 => (60_u32..=600).prop_map(Act::Snooze),
        1 => Just(Act::Safe),
        1 => (0.0..300.0, any::<bool>()).prop_map(|(away, cut)| Act::Restart(away, cut)),
    ]
}

pub fn acts() -> impl Strategy<Value = Vec<Act>> {
    // A child left behind, whole or in pieces, so that there is something to go wrong.
    let left = vec![
        Act::Set(REAR_LEFT, true),
        Act::Wait(6.0),
        Act::Set(REAR_LEFT, false),
        Act::Ignition("ON"),
        Act::Set(SENSOR, true),
        Act::Wait(12.0),
        Act::Ignition("OFF"),
        Act::Set(DRIVER, true),
        Act::Wait(2.5),
        Act::Set(DRIVER, false),
        Act::Lock(true),
        Act::Wait(12.0),
    ];
    let run = prop_oneof![20 => act().prop_map(|act| vec![act]), 1 => Just(left)];
    proptest::collection::vec(run, 1..60).prop_map(|runs| runs.concat())
}

pub fn perform(car: &mut Car, act: &Act) {
    match act {
        Act::Ignition(word) => car.word(IGNITION, word),
        Act::Set(signal, value) => car.set(*signal, *value),
        Act::Volts(volts) => car.number(VOLTS, *volts),
        Act::Speed(kmh) => car.speed(*kmh),
        Act::Gnss(kmh) => car.gnss(*kmh),
        Act::Celsius(celsius) => car.number(CABIN_CELSIUS, *celsius),
        Act::Lock(locked) => car.command(LOCK, *locked),
        Act::Invalid(signal) => car.say(*signal, Reading::Invalid),
        Act::Unlisted(signal) => car.say(*signal, Reading::Unlisted),
        Act::Silence(signal) => car.silence(*signal),
        Act::Sleep(body) => car.sleep(if *body { BODY } else { CABIN }),
        Act::Wake(body) => car.wake(if *body { BODY } else { CABIN }),
        Act::Wait(seconds) => car.wait(*seconds),
        Act::Snooze(_) | Act::Safe => {
            let alert = car.engine.child_now(car.stamp()).event_id.unwrap_or(EventId(1));
            // A refusal is an answer too.
            let _ = if let Act::Snooze(seconds) = act { car.snooze(alert, *seconds) } else { car.safe(alert) };
        }
        Act::Restart(away, power_cut) => car.restart(*away, *power_cut),
    }
}

/// The reader of events, who knows the table's promises and nothing of the engine.
#[derive(Default)]
struct Reader {
    last: EventId,
    running: Option<Running>,
    reminded: bool,
    snoozed: bool,
}

struct Running {
    first: EventId,
    /// From when a minute counts, and when it was last told; µs of wall time, which goes on over a restart.
    from: i64,
    rang: i64,
    escalated: bool,
    count: u32,
}

impl Reader {
    fn read(&mut self, event: &Event) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{what}: {}", event.to_json()));
        if event.id <= self.last {
            return wrong("ids rise");
        }
        self.last = event.id;
        let (Details::Child(child), Some(kind)) = (&event.details, event.event_type) else { return Ok(()) };
        if child.confidence.is_none() {
            return wrong("every event of the watch says what it rests on");
        }
        if kind == EventType::ChildSeatReminder {
            let again = std::mem::replace(&mut self.reminded, true);
            return if again { wrong("one reminder a stop") } else { Ok(()) };
        }
        let Some(Alert { first, ends }) = child.alert else { return wrong("it belongs to an alert") };
        let now = event.stamp.wall.micros();
        if child.stage == Some(ChildStage::Initial) {
            if self.running.is_some() || first != event.id || child.since_closed.is_none() {
                return wrong("initial comes first, alone, and after the doors closed");
            }
            if child.evidence.is_empty() && !child.degraded {
                return wrong("an alert has evidence");
            }
            self.running = Some(Running { first, from: now, rang: now, escalated: false, count: 0 });
            return Ok(());
        }
        let Some(running) = self.running.as_mut().filter(|running| running.first == first) else {
            return wrong("an event of an alert that does not run");
        };
        match (kind, child.stage) {
            (EventType::ChildLeftBehind, Some(ChildStage::Escalated)) => {
                let soon = now.saturating_sub(running.from) < 60_000_000;
                if running.escalated || soon || child.confidence == Some(Confidence::Inferred) {
                    return wrong("escalated once, after a minute, by more than doors");
                }
                if event.severity != Severity::Critical {
                    return wrong("escalated is critical");
                }
                (running.escalated, running.rang) = (true, now);
            }
            (EventType::ChildLeftBehind, Some(ChildStage::Repeated)) => {
                running.count += 1;
                if child.count != Some(running.count) {
                    return wrong("repeats are counted");
                }
                let soon = now.saturating_sub(running.rang) < 45_000_000;
                if soon && running.escalated && !child.resumed {
                    return wrong("45 seconds between repeats");
                }
                running.rang = if child.resumed { i64::MIN } else { now };
            }
            (EventType::ChildAlertSnoozed, _) => {
                if std::mem::replace(&mut self.snoozed, true) {
                    return wrong("one snooze a stop");
                }
                (running.from, running.rang) = (i64::MIN, i64::MIN);
            }
            (EventType::ChildAlertAcknowledged | EventType::ChildAlertCleared, _) => {
                if !ends {
                    return wrong("an end ends");
                }
                self.running = None;
            }
            _ => return wrong("no such event"),
        }
        Ok(())
    }

    fn drives(&mut self) {
        (self.reminded, self.snoozed) = (false, false);
    }
}

fn watched(acts: &[Act]) -> Result<(), TestCaseError> {
    let mut car = Car::new(Plan::sensor().with(SEAT, BODY));
    let mut reader = Reader::default();
    for act in acts {
        let before = car.watch();
        perform(&mut car, act);
        for event in std::mem::take(&mut car.told) {
            if let Err(wrong) = reader.read(&event) {
                prop_assert!(false, "{} after {:?} of {:?}", wrong, act, acts);
            }
        }
        let after = car.watch();
        let alerted = reader.running.is_some();
        prop_assert_eq!(alerted, matches!(after.as_str(), "alert" | "snoozed"), "{} after {:?} of {:?}", after, act, acts);
        if before == "driving" || after == "driving" {
            reader.drives();
        }
        if after == "driving" {
            prop_assert!(!alerted, "no alert while driving");
        }
    }
    Ok(())
}

/// The events of a list of inputs, by an engine of which `between` may do what it likes before each input: it is given
/// that input's number, and when the last step was.
fn play(
    inputs: &[(Stamp, Observation)],
    plan: &Plan,
    mut between: impl FnMut(&mut Engine, &mut Outbox, usize, Stamp),
) -> Vec<String> {
    let vin = Vin::try_from("TESTCAR1".to_owned()).unwrap();
    let mut engine = Engine::new(Settings::default(), vin, plan.0.clone(), Vec::new());
    let mut out = engine.outbox(EventId(0));
    let mut told = Vec::new();
    let mut last = Stamp::default();
    for (n, (now, observation)) in inputs.iter().enumerate() {
        while let Some(due) = engine.deadline().filter(|due| *due < now.boot) {
            last = at(*now, due);
            engine.step(last, &mut out);
        }
        between(&mut engine, &mut out, n, last);
        engine.observe(*now, observation);
        let batch = inputs.get(n + 1).is_some_and(|(next, _)| next.boot == now.boot);
        if !batch {
            last = *now;
            engine.step(last, &mut out);
        }
        told.extend(out.take().iter().map(Event::to_json));
    }
    told
}

/// Another moment on the clock of `now`.
fn at(now: Stamp, boot: Boot) -> Stamp {
    Stamp { boot, wall: Wall::from_micros(now.wall.micros() - now.boot.micros() + boot.micros()), ..now }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_tables_promises_hold(acts in acts()) {
        watched(&acts)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_journal_gives_back_the_engine_goes_on(wrecks in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u8>()), 1..20)) {
        let mut car = Car::new(Plan::doors_only());
        car.leave_child_by_doors();
        car.wait(11.0);
        for (row, at, byte) in wrecks {
            let row = usize::from(row) % car.journal.len();
            let bytes = car.journal.values_mut().nth(row).unwrap();
            // Digits for digits make numbers that nobody wrote; the rest is torn JSON.
            let digits: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
            if byte < 128 && !digits.is_empty() {
                bytes[digits[usize::from(at) % digits.len()]] = b'0' + byte % 10;
            } else {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
        }
        car.restart(30.0, true);
        car.wait(20.0);
        car.restart(1.0, false);
        car.wait(20.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn saved_and_loaded_anywhere_or_stepped_in_between_the_events_are_the_same(acts in acts(), every in 1_usize..40) {
        let plan = Plan::sensor().with(SEAT, BODY);
        let mut car = Car::new(plan.clone());
        // Answers and restarts are no observations.
        let observed = |act: &&Act| !matches!(act, Act::Snooze(_) | Act::Safe | Act::Restart(..));
        acts.iter().filter(observed).for_each(|act| perform(&mut car, act));
        let whole = play(&car.inputs, &plan, |_, _, _, _| {});
        let cut = play(&car.inputs, &plan, |engine, _, n, _| {
            if n % every == 0 {
                let json = serde_json::to_string(&engine.save()).unwrap();
                let vin = Vin::try_from("TESTCAR1".to_owned()).unwrap();
                let mut next = Engine::new(Settings::default(), vin, plan.0.clone(), Vec::new());
                next.load(serde_json::from_str::<Saved>(&json).unwrap()).unwrap();
                assert_eq!(next.deadline(), engine.deadline());
                assert_eq!(serde_json::to_string(&next.save()).unwrap(), json);
                *engine = next;
            }
        });
        prop_assert_eq!(&cut, &whole);
        let stepped = play(&car.inputs, &plan, |engine, out, n, last| {
            // Half way to the next input, where nothing is due.
            let (now, _) = car.inputs[n];
            let half = last.boot.shifted((now.boot.micros() - last.boot.micros()) / 2);
            let first_of_batch = n > 0 && car.inputs[n - 1].0.boot < now.boot;
            if first_of_batch && half > last.boot && engine.deadline().is_none_or(|due| due > half) {
                engine.step(at(now, half), out);
            }
        });
        prop_assert_eq!(&stepped, &whole);
    }
}
