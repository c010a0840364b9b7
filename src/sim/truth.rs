//! What is true of the simulated car.

use super::story::{Door, Key, Seat};
use crate::geo::Point;

/// What is true of the car at one moment; what its sensors and its receiver make of it comes later.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// The ignition.
    pub key: Key,
    /// Whether the engine runs.
    pub engine: bool,
    /// Which doors are open, by [`Truth::is_open`].
    pub(super) open: u8,
    /// Whether every door is locked.
    pub locked: bool,
    /// Which seats are taken, by [`Truth::is_taken`].
    pub(super) taken: u8,
    /// Which belts are closed, by [`Truth::is_belted`].
    pub(super) belted: u8,
    /// Whether the body bus is awake.
    pub awake: bool,
    /// Where it is.
    pub point: Point,
    /// True, degrees from north.
    pub heading: f64,
    /// Over ground, km/h.
    pub speed: f64,
    /// Of the left and the right wheels, km/h.
    pub wheels: [f64; 2],
    /// Whether the receiver sees the sky.
    pub sky: bool,
    /// rpm.
    pub engine_speed: f64,
    /// °C.
    pub coolant: f64,
    /// °C.
    pub cabin: f64,
    /// °C.
    pub outside: f64,
    /// V.
    pub battery: f64,
    /// A, positive when charging.
    pub current: f64,
    /// km.
    pub odometer: f64,
    /// Whether somebody is in the back for the cabin sensor to see.
    pub occupant: bool,
    /// Whether that somebody moves.
    pub stirs: bool,
    /// Whether the cabin sensor works.
    pub sensor_works: bool,
}

impl Truth {
    /// Whether this door is open.
    pub fn is_open(&self, door: Door) -> bool {
        self.open & (1 << door as u8) != 0
    }

    /// Whether somebody sits there.
    pub fn is_taken(&self, seat: Seat) -> bool {
        self.taken & (1 << seat as u8) != 0
    }

    /// Whether this belt is closed.
    pub fn is_belted(&self, seat: Seat) -> bool {
        self.belted & (1 << seat as u8) != 0
    }
}
