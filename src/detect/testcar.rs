//! A car for tests: its buses speak at their periods for as long as they are awake, its receiver gives a fix a second, and
//! the engine is stepped as every caller must: after each frame and at each deadline before the next.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Outbox, Settings};
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::event::{Details, Event, EventId, EventType, Row};
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
        let plan = Plan(Layout { buses: vec!["body".to_owned()], sources: Vec::new() });
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
        if spec.bus == Some(CABIN) && self.0.buses.len() == 1 {
            self.0.buses.push("cabin".to_owned());
        }
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
        polled: false,
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
    vin: Vin,
    /// Boot time at second 0, µs; which boot this is; who vouches for the wall time.
    boot: i64,
    boots: u32,
    pub source: TimeSource,
    /// What the journal has, and how many rows were ever written.
    pub journal: BTreeMap<String, Vec<u8>>,
    pub written: usize,
    /// Everything that went in, for playing it again.
    pub inputs: Vec<(Stamp, Observation)>,
}

impl Car {
    /// A car whose daemon has just started: parked, closed, nobody in it, its bus awake. Second 0.
    pub fn new(plan: Plan) -> Car {
        Car::parked(plan, Settings::default())
    }

    /// The same with other numbers.
    pub fn parked(plan: Plan, settings: Settings) -> Car {
        let mut car = Car::with_settings(plan, settings);
        car.word(IGNITION, "OFF");
        for signal in [DRIVER, PASSENGER, REAR_LEFT, REAR_RIGHT, BELT, SENSOR, SEAT] {
            car.set(signal, false);
        }
        car.number(VOLTS, 12.6);
        car.number(CABIN_CELSIUS, 24.0);
        car.say(LOCK, Reading::Unlisted);
        car
    }

    /// A car that has said nothing yet.
    pub fn unknown(plan: Plan) -> Car {
        Car::with_settings(plan, Settings::default())
    }

    pub fn with_settings(plan: Plan, settings: Settings) -> Car {
        let vin = Vin::try_from("TESTCAR1".to_owned()).unwrap();
        let mut engine = Engine::new(settings, vin.clone(), plan.0.clone(), Vec::new());
        let out = engine.outbox(EventId(0));
        let start = Stamp { boot: Boot::from_micros(0), wall: Wall::from_micros(EPOCH), source: TimeSource::Gnss };
        engine.restore(&[], start, "boot 0");
        Car {
            engine,
            out,
            told: Vec::new(),
            plan,
            now: 0,
            says: BTreeMap::new(),
            asleep: BTreeSet::new(),
            receiver: Some(0.0),
            place: 0.0,
            vin,
            boot: 0,
            boots: 0,
            source: TimeSource::Gnss,
            journal: BTreeMap::new(),
            written: 0,
            inputs: Vec::new(),
        }
    }

    pub fn stamp(&self) -> Stamp {
        let wall = Wall::from_micros(EPOCH + self.now);
        Stamp { boot: Boot::from_micros(self.now + self.boot), wall, source: self.source }
    }

    fn at(&self, boot: Boot) -> Stamp {
        let wall = Wall::from_micros(EPOCH + boot.micros() - self.boot);
        Stamp { boot, wall, source: self.source }
    }

    /// The daemon dies now and starts again so many seconds later out of what the journal has; after a power cut that is
    /// another boot.
    pub fn restart(&mut self, away: f64, power_cut: bool) {
        self.stop_dead(away, power_cut);
        self.start_again();
    }

    /// Nothing runs for so many seconds.
    pub fn stop_dead(&mut self, away: f64, power_cut: bool) {
        self.now += (away * 1e6) as i64;
        if power_cut {
            self.boots += 1;
            self.boot = 20_000_000 - self.now;
        }
    }

    pub fn start_again(&mut self) {
        let settings = Settings::default();
        self.engine = Engine::new(settings, self.vin.clone(), self.plan.0.clone(), Vec::new());
        let rows = self.journal.iter().map(|(key, value)| Row { key: key.clone(), value: Some(value.clone()) });
        let rows: Vec<Row> = rows.collect();
        self.engine.restore(&rows, self.stamp(), &format!("boot {}", self.boots));
        self.put(Observation::Restarted);
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
        self.step();
    }

    fn step(&mut self) {
        self.engine.step(self.stamp(), &mut self.out);
        self.collect();
    }

    fn catch_up(&mut self) {
        let now = self.stamp().boot;
        while let Some(due) = self.engine.deadline().filter(|due| *due < now) {
            self.engine.step(self.at(due), &mut self.out);
            assert!(self.engine.deadline() > Some(due) || self.engine.deadline().is_none(), "time moves on");
            self.collect();
        }
    }

    /// What a gateway does with a step: its events and rows go to the journal.
    fn collect(&mut self) {
        self.told.extend(self.out.take());
        let now = self.stamp();
        for Row { key, value } in self.engine.rows(now) {
            self.written += 1;
            match value {
                Some(value) => self.journal.insert(key, value),
                None => self.journal.remove(&key),
            };
        }
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
        self.step();
    }

    fn tick(&mut self) {
        if self.now % 1_000_000 == 0 {
            self.fix();
        }
        for (bus, period) in [(BODY, 200_000), (CABIN, 500_000)] {
            if self.now % period == 0 && !self.asleep.contains(&bus) {
                self.frames(bus);
            }
        }
    }

    /// Everything that the bus carries, in one step as if in one frame.
    fn frames(&mut self, bus: BusId) {
        self.catch_up();
        let now = self.stamp();
        for (id, says) in &self.says {
            let on_this = self.plan.0.sources[usize::from(*id)].bus == Some(bus);
            if let (Says::Reading(reading), true) = (says, on_this) {
                let observation = Observation::Reading(SourceId(*id), reading.clone());
                self.engine.observe(now, &observation);
                self.inputs.push((now, observation));
            }
        }
        self.step();
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
        self.number(SPEED, 0.0);
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

    /// What the child watch told since this was last asked, as `TYPE stage confidence reason severity`, with the seconds
    /// since `origin`.
    pub fn child_story(&mut self, origin: f64) -> Vec<String> {
        let told = std::mem::take(&mut self.told);
        let child = told.iter().filter(|event| matches!(event.details, Details::Child(_)));
        child.map(|event| line(event, origin)).collect()
    }

    /// The same without times.
    pub fn child_events(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.told);
        let child = told.iter().filter(|event| matches!(event.details, Details::Child(_)));
        child.map(|event| line(event, 0.0).split_once(' ').unwrap().1.to_owned()).collect()
    }

    /// What was told of trips and conditions since this was last asked.
    pub fn other_story(&mut self, origin: f64) -> Vec<String> {
        let told = std::mem::take(&mut self.told);
        let others = told.iter().filter(|event| !matches!(event.details, Details::Child(_)));
        others.map(|event| line(event, origin)).collect()
    }

    /// The running alert's latest event.
    pub fn last_alert(&self) -> EventId {
        self.engine.child_now(self.stamp()).event_id.unwrap()
    }

    /// The state of the child watch.
    pub fn watch(&self) -> String {
        self.engine.child_now(self.stamp()).state
    }
}

/// An event in one line.
pub fn line(event: &Event, origin: f64) -> String {
    let mut words =
        vec![format!("{:.1}", (event.stamp.wall.micros() - EPOCH) as f64 / 1e6 - origin), event.type_name().to_owned()];
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
