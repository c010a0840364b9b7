//! A car for tests: its buses speak at their periods for as long as they are awake, its receiver gives a fix a second, and
//! the engine is stepped as every caller must: after each frame and at each deadline before the next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Engine, Outbox, Settings};
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::event::{Details, Event, EventId, EventType};
use crate::geo::Point;
use crate::request::{Answer, Refusal, Request};
use crate::vehicle::{BusId, Fix, Layout, Mode, Observation, Reading, Signal, SourceId, SourceSpec, Value, Vin, Word};

pub use crate::vehicle::Signal::{
    CabinDoorRow1DriverSideIsOpen as DRIVER, CabinDoorRow1PassengerSideIsOpen as PASSENGER,
    CabinDoorRow2DriverSideIsOpen as REAR_LEFT, CabinDoorRow2PassengerSideIsOpen as REAR_RIGHT,
    CabinHVACAmbientAirTemperature as CABIN_CELSIUS, CabinIsLocked as LOCK, CabinRearOccupantIsDetected as SENSOR,
    CabinSeatRow2DriverSideIsBelted as BELT, CabinSeatRow2PassengerSideIsOccupied as SEAT, ExteriorAirTemperature as OUTSIDE,
    LowVoltageBatteryCurrentVoltage as VOLTS, LowVoltageSystemState as IGNITION, Speed as SPEED,
};

/// The wall time at second 0.
const EPOCH: i64 = 1_771_545_600_000_000;
/// The bus with everything but the rear-occupant sensor, and that sensor's own.
pub const BODY: BusId = BusId(0);
pub const CABIN: BusId = BusId(1);

/// What a car's profile maps. Sources are named after their signal; latched ones are commands.
#[derive(Clone)]
pub struct Plan(pub Layout);

impl Plan {
    /// Ignition, speed, four doors, lock commands, a belt and the voltage on one bus.
    pub fn doors_only() -> Plan {
        let plan = Plan(Layout { buses: vec!["body".to_owned(), "cabin".to_owned()], sources: Vec::new() });
        let signals = [IGNITION, SPEED, DRIVER, PASSENGER, REAR_LEFT, REAR_RIGHT, BELT, VOLTS];
        let plan = signals.into_iter().fold(plan, |plan, signal| plan.with(signal, BODY));
        plan.with_source(SourceSpec { latched: true, ..spec(LOCK, BODY) })
    }

    /// The same with a rear-occupant sensor that sees every rear seat, and the cabin's temperature, on a bus of its own.
    pub fn sensor() -> Plan {
        let sensor = SourceSpec { covers_rear: true, ..spec(SENSOR, CABIN) };
        Plan::doors_only().with_source(sensor).with(CABIN_CELSIUS, CABIN)
    }

    /// The same with a sensor that does not say it sees everything.
    pub fn narrow_sensor() -> Plan {
        Plan::doors_only().with(SENSOR, CABIN).with(CABIN_CELSIUS, CABIN)
    }

    pub fn with(self, signal: Signal, bus: BusId) -> Plan {
        self.with_source(spec(signal, bus))
    }

    pub fn with_source(mut self, spec: SourceSpec) -> Plan {
        self.0.sources.push(spec);
        self
    }

    pub fn without(mut self, signal: Signal) -> Plan {
        self.0.sources.retain(|spec| spec.signal != signal);
        self
    }
}

pub fn spec(signal: Signal, bus: BusId) -> SourceSpec {
    SourceSpec {
        signal,
        bus: Some(bus),
        name: format!("M{}.{signal}", signal as u16),
        latched: false,
        stale_after: None,
        period: None,
        covers_rear: false,
        always: false,
    }
}

/// What a source says in each of its frames.
#[derive(Clone, Debug)]
enum Says {
    Reading(Reading),
    Nothing,
}

pub struct Car {
    pub engine: Engine,
    pub out: Outbox,
    pub told: Vec<Event>,
    plan: Plan,
    /// µs since second 0.
    now: i64,
    says: BTreeMap<u16, Says>,
    asleep: BTreeSet<BusId>,
    receiver: Option<f64>,
    place: f64,
    /// Everything that went in, for playing it again.
    pub inputs: Vec<(Stamp, Observation)>,
}

impl Car {
    /// A car whose daemon has just started: parked, closed, nobody in it, its bus awake. Second 0.
    pub fn new(plan: Plan) -> Car {
        let mut car = Car::unknown(plan);
        car.word(IGNITION, "OFF");
        for signal in [DRIVER, PASSENGER, REAR_LEFT, REAR_RIGHT, BELT, SENSOR, SEAT] {
            car.set(signal, false);
        }
        car.number(VOLTS, 12.6);
        car.number(CABIN_CELSIUS, 24.0);
        car
    }

    /// A car that has said nothing yet.
    pub fn unknown(plan: Plan) -> Car {
        Car::with_settings(plan, Settings::default())
    }

    pub fn with_settings(plan: Plan, settings: Settings) -> Car {
        let vin = Vin::try_from("TESTCAR1".to_owned()).unwrap();
        let engine = Engine::new(settings, vin, plan.0.clone(), Vec::new());
        let out = engine.outbox(EventId(0));
        let (says, asleep) = (BTreeMap::new(), BTreeSet::new());
        let (told, inputs) = (Vec::new(), Vec::new());
        Car { engine, out, told, plan, now: 0, says, asleep, receiver: Some(0.0), place: 0.0, inputs }
    }

    pub fn stamp(&self) -> Stamp {
        stamp(self.now)
    }

    /// Seconds since second 0.
    pub fn seconds(&self) -> f64 {
        self.now as f64 / 1e6
    }

    fn sources(&self, signal: Signal) -> Vec<u16> {
        self.plan.0.sources_of(signal).map(|(id, _)| id.0).collect()
    }

    pub fn set(&mut self, signal: Signal, value: bool) {
        self.say(signal, Reading::Value(Value::Bool(value)));
    }

    pub fn number(&mut self, signal: Signal, value: f64) {
        self.say(signal, Reading::Value(Value::Number(value)));
    }

    pub fn word(&mut self, signal: Signal, value: &str) {
        self.say(signal, Reading::Value(Value::Word(Word::try_from(value).unwrap())));
    }

    /// Every source of `signal` says so now and in each of its frames; what the profile does not map says nothing.
    pub fn say(&mut self, signal: Signal, reading: Reading) {
        for id in self.sources(signal) {
            self.says.insert(id, Says::Reading(reading.clone()));
            let bus = self.plan.0.sources[usize::from(id)].bus.unwrap();
            if !self.asleep.contains(&bus) {
                self.put(Observation::Reading(SourceId(id), reading.clone()));
            }
        }
    }

    /// A command on the bus: said once, then nothing that the profile lists.
    pub fn command(&mut self, signal: Signal, value: bool) {
        self.set(signal, value);
        for id in self.sources(signal) {
            self.says.insert(id, Says::Reading(Reading::Unlisted));
        }
    }

    /// The message of `signal` comes no more.
    pub fn silence(&mut self, signal: Signal) {
        for id in self.sources(signal) {
            self.says.insert(id, Says::Nothing);
        }
    }

    pub fn sleep(&mut self, bus: BusId) {
        self.asleep.insert(bus);
    }

    pub fn wake(&mut self, bus: BusId) {
        self.asleep.remove(&bus);
    }

    /// The receiver's speed from here on, km/h; without one it is lost.
    pub fn gnss(&mut self, speed: Option<f64>) {
        self.receiver = speed;
    }

    /// One input now, and a step.
    pub fn put(&mut self, observation: Observation) {
        self.catch_up();
        let now = self.stamp();
        self.engine.observe(now, &observation);
        self.inputs.push((now, observation));
        self.engine.step(now, &mut self.out);
        self.collect();
    }

    fn catch_up(&mut self) {
        while let Some(due) = self.engine.deadline().filter(|due| due.micros() < self.now) {
            self.engine.step(stamp(due.micros()), &mut self.out);
            assert!(self.engine.deadline() > Some(due) || self.engine.deadline().is_none(), "time moves on");
        }
        self.collect();
    }

    fn collect(&mut self) {
        self.told.extend(self.out.take());
    }

    /// Lets so much time pass: frames every 200 ms on the body's bus, every 500 ms on the sensor's, a fix a second.
    pub fn wait(&mut self, seconds: f64) {
        let end = self.now + (seconds * 1e6) as i64;
        while self.now < end {
            let next = (self.now / 100_000 + 1) * 100_000;
            if next > end {
                break;
            }
            self.now = next;
            self.tick();
        }
        self.now = end;
        self.catch_up();
        self.engine.step(self.stamp(), &mut self.out);
        self.collect();
    }

    fn tick(&mut self) {
        if self.now % 1_000_000 == 0 {
            self.fix();
        }
        for (id, says) in self.says.clone() {
            let bus = self.plan.0.sources[usize::from(id)].bus.unwrap();
            let period = if bus == CABIN { 500_000 } else { 200_000 };
            if let (Says::Reading(reading), 0, false) = (says, self.now % period, self.asleep.contains(&bus)) {
                self.put(Observation::Reading(SourceId(id), reading));
            }
        }
    }

    fn fix(&mut self) {
        let Some(speed) = self.receiver else { return };
        self.place += speed / 3.6;
        let now = self.stamp();
        let point = Point { latitude: 37.5 + self.place / 111_000.0, longitude: 127.0 };
        self.put(Observation::Fix(Fix {
            at: now.boot,
            time: Some(now.wall),
            mode: Mode::ThreeD,
            point,
            accuracy: 4.0,
            altitude: None,
            speed: Some(speed),
            heading: None,
            satellites: None,
            hdop: None,
        }));
    }

    /// Ignition on, and the engine charges.
    pub fn start(&mut self) {
        self.word(IGNITION, "ON");
        self.number(VOLTS, 14.1);
    }

    pub fn stop(&mut self) {
        self.word(IGNITION, "OFF");
        self.number(VOLTS, 12.5);
        self.silence(SPEED);
    }

    /// So fast by wheel and by satellite.
    pub fn speed(&mut self, kmh: f64) {
        self.number(SPEED, kmh);
        self.gnss(Some(kmh));
    }

    /// Opens a door for so long.
    pub fn door(&mut self, door: Signal, seconds: f64) {
        self.set(door, true);
        self.wait(seconds);
        self.set(door, false);
    }

    /// Starts, drives for so long at 40 km/h, stands for 5 s, stops.
    pub fn drive(&mut self, seconds: f64) {
        self.start();
        self.wait(2.0);
        self.speed(40.0);
        self.wait(seconds);
        self.speed(0.0);
        self.wait(5.0);
        self.stop();
    }

    /// The driver leaves by the own door and locks.
    pub fn leave(&mut self) {
        self.wait(1.0);
        self.door(DRIVER, 4.0);
        self.command(LOCK, true);
    }

    /// A child is put in by a rear door, then a drive of a minute, then everybody leaves: the alert is due in 10 s.
    pub fn leave_child_by_doors(&mut self) {
        self.wait(5.0);
        self.door(REAR_LEFT, 8.0);
        self.door(DRIVER, 5.0);
        self.drive(60.0);
        self.leave();
    }

    /// The same with a sensor that sees the child from the start of the drive.
    pub fn leave_child_seen(&mut self) {
        self.wait(5.0);
        self.door(REAR_LEFT, 8.0);
        self.set(SENSOR, true);
        self.door(DRIVER, 5.0);
        self.drive(60.0);
        self.leave();
    }

    pub fn answer(&mut self, request: Request) -> Result<Answer, Refusal> {
        self.catch_up();
        let answer = self.engine.answer(self.stamp(), &request, &mut self.out);
        self.collect();
        answer
    }

    pub fn snooze(&mut self, event: EventId, seconds: u32) -> Result<Answer, Refusal> {
        self.answer(Request::Snooze { event, seconds, by: "Kim".to_owned() })
    }

    pub fn safe(&mut self, event: EventId) -> Result<Answer, Refusal> {
        self.answer(Request::Safe { event, by: "Kim".to_owned() })
    }

    /// The last event of this type.
    pub fn last(&self, event_type: EventType) -> &Event {
        self.told.iter().rev().find(|event| event.event_type == Some(event_type)).unwrap()
    }

    /// What was told since this was last asked, of the child watch, as `second TYPE stage confidence reason severity`.
    pub fn child_story(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.told);
        told.iter().filter(|event| matches!(event.details, Details::Child(_))).map(line).collect()
    }

    /// What was told of everything since this was last asked.
    pub fn story(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told).iter().map(line).collect()
    }
}

/// `micros` after second 0.
pub fn stamp(micros: i64) -> Stamp {
    Stamp { boot: Boot::from_micros(micros), wall: Wall::from_micros(EPOCH + micros), source: TimeSource::Gnss }
}

/// An event in one line.
pub fn line(event: &Event) -> String {
    let mut words = vec![format!("{:.1}", event.stamp.boot.seconds()), event.type_name().to_owned()];
    let json = serde_json::to_value(event).unwrap();
    let about = &json[event.kind().name()];
    for key in ["stage", "confidence", "reason", "source", "cause"] {
        words.extend(about[key].as_str().map(str::to_owned));
    }
    if about["resumed"] == true {
        words.push("resumed".to_owned());
    }
    words.push(json["severity"].as_str().unwrap().to_owned());
    words.join(" ")
}

/// So many seconds.
pub fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
