//! Diagnosis: what the car's own ECUs say is wrong with it, from whichever protocol the car speaks.
//!
//! - [`Listener`] hears what testers and ECUs say to one another and what trucks tell unasked, without a word of ours.
//! - [`Asker`] asks as well, where the owner allowed it: [`poller`] says what and when, [`port`] is the way out.
//! - [`isotp`], [`obd`], [`uds`] and [`j1939`] are the protocols; [`request`] is all that may be asked.
//! - [`show`] tells messages of a log as JSON, [`texts`] says in words what codes mean.

mod asker;
mod bits;
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
mod witness;

pub use asker::{Asker, Deed, Surroundings, run, run_on_wire};
pub use counters::Counters;
pub use listener::Listener;
pub use settings::{IsoTp, Settings};
pub use witness::survives;

use crate::can::profile::Profile;
use crate::vehicle::{Layout, Signal};

/// What the profile maps, and what ECUs say besides where they are heard: of a signal that nothing else feeds.
///
/// A voltage counts so only where something else tells of the ignition: asked only while that is on, it could not say off.
pub fn layout(profile: &Profile) -> Layout {
    if profile.diagnosis.obd.is_none() {
        return profile.layout.clone();
    }
    let told = profile.layout.maps(Signal::LowVoltageSystemState);
    let counts = |signal: &Signal| told || *signal != Signal::LowVoltageBatteryCurrentVoltage;
    let signals: Vec<Signal> = (0..=u8::MAX).filter_map(obd::signal).filter(counts).collect();
    profile.layout.clone().with_polled(&signals)
}
