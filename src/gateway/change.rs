//! What changes while the daemon runs, at a reload.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::geo::Fence;
use crate::places::Places;
use crate::{config, detect, gnss, http, upstream};

/// What a reload may change without ending a stream: the whole of it, as it is to be from now on.
#[derive(Debug)]
pub struct Change {
    /// The detectors' numbers.
    pub detect: detect::Settings,
    /// The fences of the site's file.
    pub fences: Vec<Fence>,
    /// The names of places.
    pub places: Option<Arc<Places>>,
    /// Where the profile's buses come from.
    pub buses: Vec<config::Bus>,
    /// The receivers, the car's own first.
    pub receivers: Vec<gnss::Settings>,
    /// The owner's certificate, where there is one.
    pub given: Option<http::Given>,
    /// The ways to the fleet.
    pub upstreams: Vec<upstream::Settings>,
    /// Hears what of it could not be done, and why, once it is done.
    pub done: oneshot::Sender<Vec<String>>,
}
