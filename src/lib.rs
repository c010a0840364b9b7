//! Telltale: the daemon of a vehicle's telematics unit.

pub mod clock;
pub mod detect;
pub mod event;
pub mod feed;
pub mod geo;
pub mod health;
pub mod journal;
pub mod metrics;
pub mod request;
pub mod vehicle;
