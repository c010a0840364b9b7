//! ISO-TP (ISO 15765-2:2016): messages of more than one CAN frame.
//!
//! ```text
//!            ┌─ Sender ───► first, consecutive frames ─►┐
//!  Links ────┤                                          ├─ the bus ─► Watcher ─► messages of everybody
//!            └─ Receiver ◄─ frames of an ECU, FC back ─►┘
//! ```
//!
//! - [`Address`]: whose frames are whose (clause 10.3): normal, normal fixed, extended and mixed addressing, 11 and 29 bit.
//! - [`Receiver`]: one sender's frames to messages. An unexpected frame is treated as the table of clause 9.8.3 wants: a
//!   new message ends the old one, anything else that does not belong is passed over. Frames whose lengths cannot be are
//!   ignored (9.6.2, 9.6.3). N_Cr is 1 s. A receiver that only listens gives no flow control and reassembles all the same.
//! - [`Sender`]: a message to frames, as fast as the flow control of the other side lets it (9.6.5): block size, STmin,
//!   at most 10 times WAIT, N_Bs 1 s.
//! - [`Links`]: one exchange, a request and what one or several ECUs answer. Once a first frame says how long its message
//!   will be, STmin is chosen so that what is left of the [`Room`] on the bus holds it.
//! - [`Watcher`]: every diagnostic conversation of a bus, overheard.
//!
//! All of it is pure: no clock is read, nothing waits, nothing is sent. What is due is told by `deadline`, what is to be
//! sent comes out as a [`Frame`](crate::vehicle::Frame).
//!
//! Bounded: a message has at most 4,095 bytes unless told otherwise (65,535 at most), a [`Links`] listens to 16 ECUs at
//! once, a [`Watcher`] follows 64 conversations. After the longest message nothing is allocated any more.
//!
//! Not here: N_As and N_Ar, the time a controller takes to send a frame, which is the socket's to know; CAN XL.

mod address;
mod links;
mod pace;
mod pdu;
mod problem;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;
mod watcher;
mod witness;

pub use address::{Address, Wire};
pub use links::{Event, Links, Settings};
pub use pace::Room;
pub use pdu::{Flow, Pdu, Status};
pub use problem::{Problem, Refused};
pub use receiver::{Heard, Receiver, Reception};
pub use sender::{Pass, Sender, Sending};
pub use watcher::{Message, Watched, Watcher};
pub use witness::survives;

/// Longest message taken or sent unless told otherwise: what 12 bits of length can say (ISO 15765-2, 9.6.3.1).
pub const USUAL_LENGTH: u16 = 4095;
