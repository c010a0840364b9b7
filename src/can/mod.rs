//! CAN: from bytes on a wire, or lines of a log, to what a vehicle profile says they mean.
//!
//! ```text
//!  interface ─► socket ─┐
//!                       ├─► intake ─► Decoder (made of a profile and its databases) ─► observations
//!  log, FIFO ─► log ────┘
//! ```
//!
//! - [`run`] reads one bus as long as the daemon lives: kernel filters let through exactly the mapped ids and what one
//!   who [`Listen`]s wants to hear, losses are counted, an interface that is down, absent or back again is told and tried again. Nothing here can send a frame.
//! - [`profile`] reads the integrator's file and the [`dbc`] databases it names; every mistake has file, line, key and
//!   cure.
//! - [`Decoder`] is the path of every frame: no allocation, over ten million mapped frames a second on one core.
//! - [`candump`] and [`log`] read and write what `candump -L` does.
//! - [`error_frame`] says what the kernel's error frames tell of a controller.

pub mod candump;
pub mod dbc;
mod decoder;
pub mod error_frame;
mod intake;
mod link;
pub mod log;
pub mod profile;
mod socket;
mod source;

pub use decoder::{ArbitrationId, Decoder, Outcome};
pub use intake::{Counters, Filter, Intake, Listen, Listeners};
pub use link::can_speak;
pub use source::{Bus, BusSettings, Surroundings, run, wires};
