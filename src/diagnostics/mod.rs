//! Diagnosis: what the car's own ECUs say is wrong with it, from whichever protocol the car speaks.

pub mod isotp;
pub mod j1939;
pub mod negative;
pub mod obd;
pub mod port;
pub mod request;
mod settings;
pub mod show;
pub mod texts;
pub mod uds;

pub use settings::{IsoTp, Settings};
