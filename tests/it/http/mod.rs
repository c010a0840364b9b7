//! The doors, from outside: real sockets on port 0, a feed in memory behind them, clients that speak raw bytes.

mod client;
mod door;
pub mod feed;
mod judge;
pub mod secure;

mod answers;
mod attacks;
mod cookies;
mod destiny;
mod discovery;
mod fieldpine;
mod limits;
mod notifications;
mod resume;
mod rules;
mod sessions;
mod sign_in;
mod streams;
mod tickets;
mod tls;
mod two;
