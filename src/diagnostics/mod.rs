//! Diagnosis: what the car's own ECUs say is wrong with it, from whichever protocol the car speaks.

pub mod isotp;
pub mod j1939;
pub mod negative;
pub mod obd;
mod overheard;
pub mod poller;
pub mod port;
mod reading;
pub mod request;
mod settings;
pub mod uds;

pub use settings::{IsoTp, Settings};
