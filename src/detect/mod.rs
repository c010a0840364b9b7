//! What the vehicle's state means: one pure state machine a file, and the engine that runs them.
//!
//! A detector is a function: no clock, no I/O, no logging, no await, no global. The same observations give the same
//! events at any speed, and however often it is asked: what takes time is told at the moment it is due, not when somebody
//! happens to look.

mod child;
mod codes;
mod diagnosis;
mod engine;
pub mod geofence;
#[cfg(test)]
mod gliding;
mod heat;
mod kept;
mod later;
mod outbox;
mod settings;
#[cfg(test)]
mod testcar;
mod trip;

pub use codes::CodesNow;
pub use engine::{Engine, Saved};
pub use later::Later;
pub use outbox::Outbox;
pub use settings::{ChildSettings, DiagnosisSettings, Settings, TripSettings};
