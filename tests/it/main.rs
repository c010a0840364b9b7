//! Everything that crosses rooms, in one binary, a module a topic.

#![allow(missing_docs, reason = "tests are read, not called")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod allocation;
mod attacks;
mod boards;
mod cli;
mod daemon;
mod demo;
mod desired;
mod diagnosis;
mod doors;
mod drives;
mod feeder;
mod fleet;
mod floors;
mod fuzz;
mod gpsd;
mod http;
mod mqtt;
mod outage;
mod phone;
mod places;
mod power;
mod published;
mod scenarios;
mod secure;
mod signing_in;
mod supervision;
mod unit;
mod units;
mod upstream;
