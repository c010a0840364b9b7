//! The doors, from outside: real sockets on port 0, a feed in memory behind them, clients that speak raw bytes.

mod client;
mod door;
mod feed;
mod judge;

mod answers;
mod cookies;
mod limits;
mod resume;
mod rules;
mod sessions;
mod sign_in;
mod streams;
mod tickets;
