//! What is known of the vehicle now.

use crate::clock::Boot;

use super::Fix;

/// What is known of one vehicle.
#[derive(Clone, Debug, Default)]
pub struct State {
    fix: Option<Fix>,
}

impl State {
    /// The last fix ever, however old.
    pub fn fix(&self) -> Option<&Fix> {
        self.fix.as_ref()
    }

    /// Whether the car is parked.
    pub fn parked(&self, _now: Boot) -> bool {
        false
    }

    /// Speed by CAN, else by GNSS, km/h.
    pub fn speed(&self, _now: Boot) -> Option<f64> {
        self.fix.and_then(|fix| fix.speed)
    }
}
