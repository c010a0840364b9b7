//! Diagnosis: what the car's own ECUs say is wrong with it, from whichever protocol the car speaks.

pub mod isotp;
pub mod j1939;
pub mod port;
mod settings;

pub use settings::{IsoTp, Settings};
