//! What a unit is told to do: board, vehicle and site, read into each module's own settings.
//!
//! The site's file (`telltale.toml`) is laid over the vehicle's profile, and that over the board's file: a key of the site
//! counts, else the profile's, else the board's, else the default that the module documents. Tables are merged key by key;
//! a list (`[[gnss]]`, `http.trusted`) replaces the one below it. Paths are relative to the file they stand in.
//!
//! Whatever is wrong is found in one reading and told together, each fault with file, line, key and cure:
//!
//! ```text
//! /etc/telltale/telltale.toml:12: gnss.buad: is no known key; the nearest known one is `baud`
//! ```
//!
//! A configuration with a fault is not run, and does not take the place of one that runs (see [`InForce`]). What may be meant, or may come right by itself (a receiver that is not plugged
//! in), is a warning.
//!
//! | key | what |
//! |---|---|
//! | `board` | the unit, one of `telltale boards` |
//! | `vehicle.vin`, `vehicle.profile` | the car, which may tell its number itself where ECUs are asked, and the file that says what its frames mean |
//! | `bus.NAME.interface`, `.candump`, `.listen_only` | where the frames of the profile's bus NAME come from |
//! | `[[gnss]]` | a receiver: its serial port, or a log or FIFO ([`gnss::Settings`]). The first is the car's, by which everything is decided; others are of `[[units]]`, and shown |
//! | `geofences.file` | the fences, GeoJSON |
//! | `places.file` | names of places, as `telltale places build` makes them |
//! | `journal.*` | where and how much is remembered ([`journal::Settings`]) |
//! | `http.*`, `metrics.listen` | who may ask, and where ([`http::Settings`]) |
//! | `diagnostics.*` | whether and how ECUs are asked what is wrong with the car ([`diagnostics::Settings`]); on which bus is in the profile |
//! | `child.*`, `geofence.*`, `trip.*`, `diagnosis.*`, `state.*` | the detectors' numbers ([`detect::Settings`]) |
//! | `[[units]]` `id`, `name`, `gnss` | which receiver goes under which number |
//! | `[[upstream]]` | a broker or collector of the fleet, to which events and the track go ([`upstream::Settings`]); four at most |
//! | `hardware.*` | what differs on this unit from its board; checked, and used by `telltale boards --image` ([`hardware`]) |

mod asking;
mod board;
#[cfg(test)]
mod broken;
mod fault;
mod fences;
mod fleet;
pub mod hardware;
mod listen;
mod paths;
mod places;
mod read;
mod renew;
mod site;
mod sources;
mod summary;
mod tree;
mod typed;
mod upstreams;
mod vehicle;

pub use board::{BOARDS, Board};
pub use fault::{Fault, Findings, Place};
pub use fleet::{SECTIONS as FLEET_SECTIONS, fleet_survives, laid_over};
pub use hardware::Hardware;
pub use read::{LoadError, load, load_for_replay, load_hardware};
pub use renew::InForce;
pub use sources::{Bus, Unit};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::can::profile::Profile;
use crate::geo::Fence;
use crate::places::Places;
use crate::vehicle::Vin;
use crate::{detect, diagnostics, gnss, http, journal, upstream};

/// Where `telltale run` and `telltale check` look when they are not told.
pub const DEFAULT_FILE: &str = "/etc/telltale/telltale.toml";

/// Everything a unit is told, checked and ready to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The site's file.
    pub file: PathBuf,
    /// The unit, where the site names one.
    pub board: Option<Board>,
    /// The car; `None` where the file leaves it to the car to tell its number.
    pub vin: Option<Vin>,
    /// What its frames mean; absent on a unit that only knows where it is.
    pub profile: Option<Profile>,
    /// Where the profile's buses come from, in the order of its layout: `buses[id]` is bus `id`.
    pub buses: Vec<Bus>,
    /// The satellite receivers; the first is the car's own, and those of trailers come after it.
    pub receivers: Vec<gnss::Settings>,
    /// The fences of the site's file.
    pub fences: Vec<Fence>,
    /// The names of places, where there are any.
    pub places: Option<Arc<Places>>,
    /// The detectors' numbers.
    pub detect: detect::Settings,
    /// What is remembered.
    pub journal: journal::Settings,
    /// Who may ask.
    pub http: http::Settings,
    /// Where `/metrics` is served apart from everything else.
    pub metrics: Option<SocketAddr>,
    /// Whether and how ECUs are asked.
    pub diagnostics: diagnostics::Settings,
    /// Which receiver goes under which number; never empty.
    pub units: Vec<Unit>,
    /// Where events go beside the phones, each with a name of its own.
    pub upstreams: Vec<upstream::Settings>,
    /// What is probably not meant.
    pub warnings: Vec<Fault>,
}

/// What a recording is judged by.
#[derive(Clone, Debug)]
pub struct ReplaySite {
    /// The car, where the file names it.
    pub vin: Option<Vin>,
    /// The interfaces that it names, by bus.
    pub interfaces: BTreeMap<String, String>,
    /// Metres of error for one unit of HDOP, of the first receiver.
    pub uere: f64,
    /// The fences.
    pub fences: Vec<Fence>,
    /// The names of places.
    pub places: Option<Arc<Places>>,
    /// The detectors' numbers.
    pub detect: detect::Settings,
}
