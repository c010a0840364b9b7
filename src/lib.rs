//! Telltale: the daemon of a vehicle's telematics unit.

pub mod can;
pub mod clock;
pub mod commands;
pub mod config;
pub mod detect;
pub mod event;
pub mod feed;
pub mod geo;
pub mod gnss;
pub mod health;
pub mod http;
pub mod journal;
pub mod metrics;
pub mod request;
pub mod sim;
pub mod vehicle;
