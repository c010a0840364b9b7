//! Diagnosis: what the car's own ECUs say is wrong with it, from whichever protocol the car speaks.

pub mod j1939;
mod settings;

pub use settings::{IsoTp, Settings};
