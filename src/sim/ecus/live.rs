//! What the ECUs measure.

use crate::sim::story::Key;
use crate::sim::truth::Truth;

/// What they measure at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    /// Whether the ignition is on. With it off no ECU answers.
    pub ignition: bool,
    /// Whether the engine runs.
    pub engine: bool,
    /// km/h.
    pub speed: f64,
    /// rpm.
    pub engine_speed: f64,
    /// °C.
    pub coolant: f64,
    /// Of the air that the engine takes in, °C.
    pub intake: f64,
    /// Outside, °C.
    pub ambient: f64,
    /// V.
    pub voltage: f64,
    /// Of the tank, %.
    pub fuel: f64,
    /// km.
    pub odometer: f64,
}

/// A full tank goes so far, km.
const RANGE: f64 = 800.0;
/// What the air gains on its way past a running engine, K.
const INTAKE_GAIN: f64 = 11.0;

impl Live {
    /// A car that stands with its engine idling, warm, half a tank left: for ECUs without a car.
    pub const IDLING: Live = Live {
        ignition: true,
        engine: true,
        speed: 0.0,
        engine_speed: 780.0,
        coolant: 88.0,
        intake: 25.0,
        ambient: 14.0,
        voltage: 14.2,
        fuel: 50.0,
        odometer: 24_680.0,
    };
}

impl From<&Truth> for Live {
    fn from(truth: &Truth) -> Live {
        Live {
            ignition: matches!(truth.key, Key::On | Key::Start),
            engine: truth.engine,
            speed: truth.wheels.iter().sum::<f64>() / 2.0,
            engine_speed: truth.engine_speed,
            coolant: truth.coolant,
            intake: truth.outside + if truth.engine { INTAKE_GAIN } else { 0.0 },
            ambient: truth.outside,
            voltage: truth.battery,
            fuel: 100.0 * (1.0 - (truth.odometer / RANGE).fract()),
            odometer: truth.odometer,
        }
    }
}
