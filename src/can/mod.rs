//! CAN: from bytes on a wire, or lines of a log, to what a vehicle profile says they mean.

pub mod candump;
pub mod dbc;
mod decoder;
pub mod log;
pub mod profile;

pub use decoder::{ArbitrationId, Decoder, Outcome};
