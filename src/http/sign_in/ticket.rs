//! A ticket: what a page that can set no header puts behind `?token=`.
//!
//! | a ticket | opens |
//! |---|---|
//! | not yet used | any one stream that its sign-in may read, within 10 minutes |
//! | that has opened a stream | the same path with the same `want` or part of it, whatever else the query says, while no more than 7 days lie between two uses; an open stream is a use |
//! | whose sign-in has ended | nothing |
//!
//! One that is not yet used is in memory only: asking for tickets wears no flash, and its ten minutes are boot time. A restart
//! ends it, and the page asks for another. From the moment that it has opened a stream it outlives restarts.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::credentials::hash_token;
use super::super::problem::Problem;
use super::super::query::Query;
use super::DAY;
use super::shelf::{Hash, Record};
use crate::feed::TokenHash;

/// Whose ticket: the device's token, and the session that it was asked for with, or that token again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Holder {
    token: Hash,
    sign_in: Hash,
}

impl Holder {
    pub(in super::super) fn new(token: TokenHash, sign_in: TokenHash) -> Holder {
        Holder { token: Hash(token), sign_in: Hash(sign_in) }
    }

    /// The device's token.
    pub(in super::super) fn token(&self) -> TokenHash {
        self.token.0
    }

    /// The session, if it was one.
    pub(in super::super) fn session(&self) -> Option<TokenHash> {
        (self.sign_in != self.token).then_some(self.sign_in.0)
    }
}

/// What a stream was asked for with `?want=`: names, in no order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in super::super) struct Want(BTreeSet<String>);

/// So much of `want` is kept with a ticket, in bytes.
const WANT: usize = 512;

impl Want {
    pub(in super::super) fn of(query: Query<'_>) -> Result<Want, Problem> {
        let text = query.get("want").unwrap_or_default();
        if text.len() > WANT {
            return Err(Problem::parameter("want", format!("`want` behind a ticket has at most {WANT} bytes")));
        }
        Ok(Want(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()))
    }
}

/// A ticket as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ticket {
    #[serde(flatten)]
    pub(super) holder: Holder,
    pub(super) opened: Option<Opened>,
}

/// The stream that it has opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Opened {
    /// The path's hash: paths hold VINs, and have any length.
    path: Hash,
    want: Want,
}

/// Not the stream that this ticket has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongStream;

impl Ticket {
    /// Opens a stream, for the first time or again.
    pub(super) fn open(&mut self, path: &str, want: Want) -> Result<(), WrongStream> {
        let path = Hash(hash_token(path));
        match &self.opened {
            Some(opened) if opened.path == path && want.0.is_subset(&opened.want.0) => Ok(()),
            Some(_) => Err(WrongStream),
            None => {
                self.opened = Some(Opened { path, want });
                Ok(())
            }
        }
    }
}

impl Record for Ticket {
    const PREFIX: &'static str = "door/ticket/";
    const EACH: usize = 16;

    fn owner(&self) -> TokenHash {
        self.holder.sign_in.0
    }

    fn lasts(&self) -> Duration {
        if self.opened.is_some() { 7 * DAY } else { Duration::from_secs(600) }
    }

    fn is_durable(&self) -> bool {
        self.opened.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_opened_it_is_for_that_stream_and_parts_of_it() {
        let mut ticket = Ticket { holder: Holder::new([1; 32], [1; 32]), opened: None };
        let want = |text: &str| Want::of(Query::new(Some(text))).unwrap();
        assert_eq!(ticket.open("/eventsource", want("want=child,gps%20,trip")), Ok(()));
        for (path, query, opens) in [
            ("/eventsource", "want=trip,gps,child&rve=7", true),
            ("/eventsource", "want=gps,gps", true),
            ("/eventsource", "", true),
            ("/eventsource", "want=child,debug", false),
            ("/eventsource_1", "want=child", false),
            ("/eventsource/", "want=child", false),
        ] {
            assert_eq!(ticket.open(path, want(query)).is_ok(), opens, "{path} {query}");
        }
        assert!(Want::of(Query::new(Some(&format!("want={}", "x".repeat(513))))).is_err());
    }
}
