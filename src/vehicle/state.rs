//! What is known of the vehicle now.

use crate::clock::Boot;

use super::{Fix, Layout, Observation};

/// The numbers by which values age.
#[derive(Clone, Debug, Default)]
pub struct StateSettings {}

/// What is known of one vehicle.
#[derive(Clone, Debug, Default)]
pub struct State {
    fix: Option<Fix>,
}

impl State {
    /// A vehicle of which nothing is known yet.
    pub fn new(_layout: Layout, _settings: StateSettings) -> State {
        State::default()
    }

    /// Takes in what a source saw.
    pub fn observe(&mut self, _now: Boot, observation: &Observation) {
        if let Observation::Fix(fix) = observation {
            self.fix = Some(*fix);
        }
    }

    /// The last fix ever, however old.
    pub fn fix(&self) -> Option<&Fix> {
        self.fix.as_ref()
    }

    /// Whether the car is parked.
    pub fn parked(&self, _now: Boot) -> bool {
        false
    }

    /// Speed by CAN, km/h.
    pub fn can_speed(&self, _now: Boot) -> Option<f64> {
        None
    }
}
