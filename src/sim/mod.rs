//! The simulated car: what stands in for a vehicle in `telltale demo` and in tests.
//!
//! It promises to be a vehicle as far as a gateway can tell. It emits raw CAN frames on two buses, laid out by a database
//! of its own ([`DBC`]), and the NMEA 0183 sentences of a receiver, so that everything goes through the decoders that a
//! real car's data goes through; [`PROFILE`] is its vehicle profile, [`FENCES`] are the fences of its town.
//!
//! - **It obeys physics.** Position, heading, speed over ground, wheel speeds (inner and outer in a bend) and odometer
//!   belong to one motion: at most 1.8 m/s² of gain, 2 m/s² of braking and 2 m/s² sideways. A closed car warms up in the
//!   sun as measured (23 K with a time constant of 18.6 min, McLaren 2005), the battery sags under the starter, the
//!   coolant warms up.
//! - **It obeys its buses.** Every message comes at its `GenMsgCycleTime` with up to 1 ms of jitter. With the ignition
//!   off, what needs the engine is silent; 20 s after the car was locked the body bus falls asleep, and wakes when
//!   somebody comes. The cabin sensor has a bus and a supply of its own.
//! - **Its receiver is a receiver**: noise that wanders by a metre or so, HDOP and satellites that change, a little speed
//!   when standing, a latency, nothing but empty sentences in a tunnel. 1, 5 or 10 Hz.
//! - **Its ECUs can be asked** what is wrong with it ([`ecus`], [`Plugged`]): on the bus that the profile's `[diagnostics]`
//!   names they answer OBD-II and UDS while the ignition is on. In two stories cylinder 1 misfires and a tester clears the
//!   code later ([`Timeline::expected_when_asking`]).
//! - **It is a pure function** of scenario, seed and moment. There is no clock inside: [`Car`] is an iterator of what is
//!   due when. A car that is set down in the middle of its story ([`Place`]) sends, byte for byte, what one that came from
//!   the beginning sends there; so do its ECUs and the testers of its story, as long as nobody else asks them.
//! - **It goes on for ever.** A scenario ends as it begins, without a jump in anything, and starts anew.
//!
//! A [`Scenario`] is a story told in steps ([`SCENARIOS`]); each step says what a gateway must make of it
//! ([`Timeline::expected`]). In the one that `telltale demo` tells by default, `school-run-forgotten`, a trip has begun
//! and ended, fences have been crossed and the child has been told of within 100 s of the car's time, 25 s at the speed of
//! 4; from then on a fence is crossed at least every 150 s, 38 s at that speed, in the other scenarios too.
//!
//! [`run`] drives a car by a scaled [`Clock`](crate::clock::Clock); [`PlaceFile`] keeps its place over a restart;
//! [`Recording`] writes what it sends to files that `telltale replay`, `canplayer` and others can play.

use std::path::Path;

use crate::can::dbc::Database;
use crate::can::profile::{Problem, Profile};

mod car;
pub mod ecus;
mod noise;
mod pace;
mod place_file;
mod plugged;
mod receiver;
mod recording;
mod route;
mod scenarios;
mod story;
#[cfg(test)]
mod tests;
mod timeline;
mod town;
mod truth;
mod wires;

pub use car::{Car, Output, Place, Unknown};
pub use pace::{Files, run};
pub use place_file::PlaceFile;
pub use plugged::Plugged;
pub use receiver::FixRate;
pub use recording::Recording;
pub use scenarios::{SCENARIOS, scenario};
pub use story::{Door, Expected, Key, Scenario, Seat, Telling};
pub use timeline::Timeline;
pub use truth::Truth;

/// The car's database, of both its buses.
pub const DBC: &str = include_str!("car.dbc");

/// The car's vehicle profile. Its `dbc` entries name `car.dbc`, which is [`DBC`].
pub const PROFILE: &str = include_str!("car.toml");

/// The car's vehicle identification number: well formed, and nobody's.
pub const VIN: &str = "TELLTALESAMPLE001";

/// The fences of the car's town, as GeoJSON: `home`, `school` and `office`.
pub const FENCES: &str = include_str!("fences.geojson");

/// [`PROFILE`] with [`DBC`], resolved.
pub fn profile() -> Result<Profile, Vec<Problem>> {
    Profile::parse(Path::new("car.toml"), PROFILE, |_| Ok(Database::parse(DBC.as_bytes())))
}
