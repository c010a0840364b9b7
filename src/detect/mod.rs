//! What the vehicle's state means: one pure state machine a file, and the engine that runs them.
//!
//! A detector is a function: no clock, no I/O, no logging, no await, no global. The same observations give the same
//! events at any speed.

pub mod geofence;
mod outbox;

pub use outbox::Outbox;
