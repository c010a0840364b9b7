//! The simulated car's ECUs: what answers when somebody asks the car what is wrong with it.
//!
//! They promise to be the car's side of diagnosis as the standards lay it out, written from these and not from this
//! project's own decoders, so that each tests the other:
//!
//! - **On-board diagnostics** (SAE J1979, ISO 15031-5): modes 01 with up to six PIDs a request, 02, 03, 04, 07, 09, 0A, by
//!   11 and 29 bit ids (ISO 15765-4); every ECU that has something to say answers a functional request.
//! - **Unified diagnostic services** (ISO 14229-1:2020): 10 01 and 03, 14, 19 01, 02, 04, 06 and 0A, 22, 3E. What cannot be
//!   done is answered by 7F and a reason; to a functional request not with 11, 12, 31, 7E or 7F (8.7.5).
//! - **Trucks** (SAE J1939-21, -73, -81): [`Truck`], an engine at address 0: DM1 each second while a code is active, DM2
//!   and the VIN when requested, broadcast or by connection; [`Rival`] wants the address that somebody else has claimed.
//! - **Others at the same plug**: [`Tester`] asks what a [`Script`] says, when it says so, and clears codes (mode 04, 14),
//!   which nothing else in this program can write down.
//!
//! A [`Bus`] has all of them on one wire. It is pure: it hears frames, gives frames, and says when the next is due; no
//! clock is read and nothing waits. Frames are 250 µs apart at least, as on a wire at 500 kbit/s.
//!
//! What they measure is the car's own truth of that moment ([`Live`]). What goes wrong is a [`Fault`]; how badly they
//! behave is a [`Manner`]: late, twice, in pieces, never, busy, pending, with wrong flow control.
//!
//! Bounded: 1,000 codes an ECU, 16 answers in waiting, 4,095 bytes an answer.

mod bus;
mod ecu;
mod fault;
mod live;
mod manner;
mod memory;
mod node;
mod obd;
mod script;
mod setups;
mod tester;
#[cfg(test)]
mod tests;
mod truck;
mod uds;

pub use bus::Bus;
pub use ecu::Ecu;
pub use fault::Fault;
pub use live::Live;
pub use manner::{FlowManner, Manner};
pub use script::{Ask, CLEARS, LOOKS_ON, SESSION_AND_CLEARS, Script};
pub use setups::{SETUPS, Setup, setup};
pub use tester::Tester;
pub use truck::{Rival, Truck, TruckFault};
