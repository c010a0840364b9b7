//! Diagnosis: what the car's own ECUs say is wrong with it, from whichever protocol the car speaks.
//!
//! - [`Listener`] hears what testers and ECUs say to one another and what trucks tell unasked, without a word of ours.
//! - [`Asker`] asks as well, where the owner allowed it: [`poller`] says what and when, [`port`] is the way out.
//! - [`isotp`], [`obd`], [`uds`] and [`j1939`] are the protocols; [`request`] is all that may be asked.
//! - [`show`] tells messages of a log as JSON, [`texts`] says in words what codes mean.

mod asker;
mod counters;
pub mod isotp;
pub mod j1939;
mod listener;
pub mod negative;
pub mod obd;
mod overheard;
pub mod poller;
pub mod port;
mod reading;
pub mod request;
mod settings;
pub mod show;
pub mod texts;
pub mod uds;

pub use asker::{Asker, Deed, Surroundings, run, run_on_wire};
pub use counters::Counters;
pub use listener::Listener;
pub use settings::{IsoTp, Settings};
