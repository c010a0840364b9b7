//! The car's control units: which message each sends, on which bus, when, and what it puts into the signals.
//!
//! Names, places, ranges and periods are those of `car.dbc`; a period has a jitter of up to 1 ms, and no two messages of
//! a bus are ever due within half a millisecond of one another, so that none has to wait for the other as on a real wire.

use super::story::{Door, Key, Seat};
use super::truth::Truth;

/// A message and its sender.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) bus: &'static str,
    pub(super) message: &'static str,
    pub(super) when: When,
    /// Its signals and what they say. A multiplexer stands first.
    pub(super) says: &'static [(&'static str, Says)],
}

/// The physical value of a signal: what is true, and which frame of its message this is.
pub(super) type Says = fn(&Truth, u64) -> f64;

/// When a message is on its bus at all.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// It has a supply of its own.
    Always,
    /// The body bus is awake.
    Awake,
    /// The ignition is on or the starter turns.
    Ignition,
}

impl When {
    pub(super) fn holds(self, truth: &Truth) -> bool {
        match self {
            When::Always => true,
            When::Awake => truth.awake,
            When::Ignition => matches!(truth.key, Key::On | Key::Start),
        }
    }
}

/// Everything that is on the car's buses.
pub(super) static SENDERS: &[Sender] = &[
    Sender {
        bus: BODY,
        message: "WHEEL_SPEEDS",
        when: When::Ignition,
        says: &[
            ("FrontLeft", |truth, _| truth.wheels[0]),
            ("FrontRight", |truth, _| truth.wheels[1]),
            ("RearLeft", |truth, _| truth.wheels[0]),
            ("RearRight", |truth, _| truth.wheels[1]),
        ],
    },
    Sender {
        bus: BODY,
        message: "ENGINE",
        when: When::Ignition,
        says: &[
            ("EngineSpeed", |truth, _| truth.engine_speed),
            ("CoolantTemperature", |truth, _| truth.coolant),
            ("EngineRunning", |truth, _| yes(truth.engine)),
            ("AliveCounter", |_, nth| (nth % 16) as f64),
        ],
    },
    Sender {
        bus: BODY,
        message: "BODY_GATEWAY",
        when: When::Awake,
        says: &[
            ("IgnitionState", |truth, _| ignition(truth.key)),
            ("DriverDoor", |truth, _| yes(truth.is_open(Door::Driver))),
            ("PassengerDoor", |truth, _| yes(truth.is_open(Door::Passenger))),
            ("RearLeftDoor", |truth, _| yes(truth.is_open(Door::RearLeft))),
            ("RearRightDoor", |truth, _| yes(truth.is_open(Door::RearRight))),
            ("Trunk", |truth, _| yes(truth.is_open(Door::Trunk))),
            ("Hood", |_, _| 0.0),
            ("DriverDoorLock", |truth, _| yes(truth.locked)),
            ("PassengerDoorLock", |truth, _| yes(truth.locked)),
            ("RearLeftDoorLock", |truth, _| yes(truth.locked)),
            ("RearRightDoorLock", |truth, _| yes(truth.locked)),
            ("AliveCounter", |_, nth| (nth % 16) as f64),
        ],
    },
    Sender {
        bus: BODY,
        message: "OCCUPANTS",
        when: When::Awake,
        says: &[
            ("DriverSeat", |truth, _| yes(truth.is_taken(Seat::Driver))),
            ("DriverBelt", |truth, _| yes(truth.is_belted(Seat::Driver))),
            ("PassengerSeat", |truth, _| yes(truth.is_taken(Seat::Passenger))),
            ("PassengerBelt", |truth, _| yes(truth.is_belted(Seat::Passenger))),
            ("RearLeftSeat", |truth, _| yes(truth.is_taken(Seat::RearLeft))),
            ("RearLeftBelt", |truth, _| yes(truth.is_belted(Seat::RearLeft))),
            ("RearMiddleSeat", |truth, _| yes(truth.is_taken(Seat::RearMiddle))),
            ("RearMiddleBelt", |truth, _| yes(truth.is_belted(Seat::RearMiddle))),
            ("RearRightSeat", |truth, _| yes(truth.is_taken(Seat::RearRight))),
            ("RearRightBelt", |truth, _| yes(truth.is_belted(Seat::RearRight))),
        ],
    },
    Sender {
        bus: BODY,
        message: "POWER",
        when: When::Awake,
        says: &[
            ("BatteryVoltage", |truth, _| truth.battery),
            ("BatteryCurrent", |truth, _| truth.current),
            ("OutsideTemperature", |truth, _| truth.outside),
        ],
    },
    Sender {
        bus: BODY,
        message: "CLUSTER",
        when: When::Ignition,
        says: &[("Odometer", |truth, _| truth.odometer.min(999_999.9))],
    },
    Sender {
        bus: CABIN,
        message: "CABIN_SENSOR",
        when: When::Always,
        says: &[
            ("Page", |_, nth| (nth % 2) as f64),
            ("SensorFault", |truth, _| yes(!truth.sensor_works)),
            ("RearOccupantDetected", |truth, _| yes(truth.occupant && truth.sensor_works)),
            ("RearOccupantMoving", |truth, _| yes(truth.stirs && truth.sensor_works)),
            ("Confidence", |truth, _| if truth.occupant && truth.sensor_works { 93.0 } else { 2.0 }),
            ("CabinTemperature", |truth, _| truth.cabin),
            ("CabinHumidity", |truth, _| if truth.occupant { 46.5 } else { 41.0 }),
        ],
    },
];

pub(super) const BODY: &str = "body";
const CABIN: &str = "cabin";

fn yes(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn ignition(key: Key) -> f64 {
    match key {
        Key::Off => 0.0,
        Key::Accessory => 1.0,
        Key::On => 2.0,
        Key::Start => 3.0,
    }
}
