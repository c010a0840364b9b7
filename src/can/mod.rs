//! CAN: from bytes on a wire, or lines of a log, to what a vehicle profile says they mean.

pub mod candump;
pub mod dbc;
pub mod log;
