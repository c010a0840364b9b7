//! The doors, from outside: real sockets on port 0, a feed in memory behind them, clients that speak raw bytes.
//!
//! Each module says `cfg(test)` because the lints allow `unwrap` only where that stands.

#[cfg(test)]
mod client;
#[cfg(test)]
mod door;
#[cfg(test)]
mod feed;
#[cfg(test)]
mod judge;

#[cfg(test)]
mod answers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod streams;
