//! SAE J1939, as trucks, buses and machines speak it, as far as diagnosis needs it.
//!
//! Promised:
//!
//! - **Heard without a word of ours**: DM1 (SAE J1939-73, 5.7.1) and, where somebody asks for them, DM2, DM6, DM12, DM23
//!   and DM28; vehicle, component and software identification (SAE J1939-71); all of them in one frame or in the up to 255
//!   packets of the transport protocol (SAE J1939-21, 5.10), broadcast or between two others.
//! - **Asked, where sending is allowed**: a claimed address (SAE J1939-81; 249 first, then 128 to 247) that is left to
//!   whoever contests it with right, and requests for what is on a short list. What can be sent is [`Emission`] and nothing
//!   else: no request that changes the vehicle (DM3, DM11) can be written down in its terms, and no data can.
//! - Everything here is a function of what was heard and when: no clock, no socket, and memory with a bound.
//!
//! Of 29 bit ids, ISO 15765-2 has PDU formats 218 and 219 (`18DAxxxx`, `18DBxxxx`) and ISO 15765-3 the data page with both
//! page bits set. Those are nothing of J1939 and pass by.

mod claim;
mod describe;
mod emission;
mod id;
mod identification;
mod listener;
mod name;
pub mod pgn;
mod transport;
mod trouble;
mod witness;

pub use claim::Claim;
pub use describe::Describer;
pub use emission::{Emission, Outgoing, Own, Reason, Requestable};
pub use id::{GLOBAL, Id, NULL};
pub use identification::{Component, component, software, vin};
pub use listener::{Acknowledgement, Listener, Told};
pub use name::Name;
pub use transport::{Counts, MOST_BYTES, MOST_SESSIONS, Message, Transport};
pub use trouble::{Conversion, Diagnostic, Lamps, Light, Record, Report};

pub use witness::survives;

#[cfg(test)]
mod tests;
