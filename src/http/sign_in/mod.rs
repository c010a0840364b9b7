//! Sign-ins beside a device's own token: sessions and tickets.
//!
//! A **session** comes of a login or a pairing: 256 random bits, good as a cookie or as Bearer for everything in its device's
//! scopes, until 30 days have passed since its last use, it is logged out, or the device's token goes. A device has 8 at
//! most; the one unused for longest makes room.
//!
//! A **ticket** is for a page that can only name an address: 256 random bits, good as `?token=` for one stream ([`ticket`]). A
//! sign-in (a device's token, or one session of it) has 16 at most.
//!
//! Of both only hashes are kept, in rows of the journal, so they outlive a restart ([`shelf`]). While the journal cannot be
//! written, signing in works all the same; a restart ends what was not written by then.
//!
//! **Time** is boot time as long as the daemon runs; a step of the wall clock ends nothing. Over a restart it is wall time,
//! which counts only while it is known, then and now: else the time in between is not counted. All of it is the world's time,
//! also where the car's runs faster.

mod shelf;
mod ticket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::shelf::{Hash, Record, Shelf};
pub(super) use self::ticket::{Holder, Want};
use self::ticket::{Ticket, WrongStream};
use super::credentials::{hash_token, new_token};
use crate::clock::Clock;
use crate::feed::{Feed, TokenHash};

const DAY: Duration = Duration::from_secs(86_400);

/// A session of the device whose token has this hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Session {
    token: Hash,
}

impl Record for Session {
    const PREFIX: &'static str = "door/session/";
    const EACH: usize = 8;

    fn owner(&self) -> TokenHash {
        self.token.0
    }

    fn lasts(&self) -> Duration {
        30 * DAY
    }

    fn is_durable(&self) -> bool {
        true
    }
}

/// Why a ticket opens no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// Its time is over.
    Late,
    /// It has opened another one.
    Other,
}

impl Shut {
    /// What would be right.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Shut::Late => "that ticket's time is over; ask GET /ActiveSession/AboutMe for another",
            Shut::Other => {
                "that ticket is for the stream that it opened first: the same path, and of `want` what it had then or less; \
                 ask GET /ActiveSession/AboutMe for another"
            }
        }
    }
}

/// All sessions and tickets.
pub(super) struct SignIns {
    sessions: Shelf<Session>,
    tickets: Shelf<Ticket>,
    ended: watch::Sender<u64>,
}

impl SignIns {
    pub(super) fn new(feed: Arc<dyn Feed>, clock: Clock) -> SignIns {
        let sessions = Shelf::new(feed.clone(), clock.clone());
        SignIns { sessions, tickets: Shelf::new(feed, clock), ended: watch::Sender::new(0) }
    }

    /// A new session of a device, by its token's hash.
    ///
    /// # Errors
    /// When the operating system gives no random bits.
    pub(super) async fn log_in(&self, token: TokenHash) -> io::Result<String> {
        let session = new_token()?;
        self.sessions.put(hash_token(&session), Session { token: Hash(token) }).await;
        Ok(session)
    }

    /// The device of a session that stands, by its token's hash.
    pub(super) fn session(&self, hash: &TokenHash) -> Option<TokenHash> {
        self.sessions.find(hash).map(|session| session.token.0)
    }

    /// A session is in use.
    pub(super) fn use_session(&self, hash: &TokenHash) {
        self.sessions.touch(hash);
    }

    /// A ticket is in use.
    pub(super) fn use_ticket(&self, hash: &TokenHash) {
        self.tickets.touch(hash);
    }

    /// Ends one session of a device, or all of them, and their streams: at once, and for good when this is done, if
    /// anything can be written.
    pub(super) async fn log_out(&self, token: &TokenHash, session: Option<&TokenHash>) {
        let (ended, sessions) = self.sessions.remove(|hash, of| of.token.0 == *token && session.is_none_or(|one| one == hash));
        let is_theirs = |ticket: &Ticket| ticket.holder.session().is_some_and(|session| ended.contains(&session));
        let (_, tickets) = self.tickets.remove(|_, ticket| is_theirs(ticket));
        self.ended.send_modify(|n| *n = n.wrapping_add(1));
        sessions.await;
        tickets.await;
    }

    /// Wakes whenever a session was ended.
    pub(super) fn ended(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// A new ticket.
    ///
    /// # Errors
    /// When the operating system gives no random bits.
    pub(super) async fn issue(&self, holder: Holder) -> io::Result<String> {
        let ticket = new_token()?;
        self.tickets.put(hash_token(&ticket), Ticket { holder, opened: None }).await;
        Ok(ticket)
    }

    /// Whose ticket this is, while it may open something.
    pub(super) fn ticket(&self, hash: &TokenHash) -> Option<Holder> {
        self.tickets.find(hash).map(|ticket| ticket.holder)
    }

    /// A ticket opens the stream at `path`; durable when this is done, if anything can be.
    ///
    /// # Errors
    /// When it must not.
    pub(super) async fn open(&self, hash: &TokenHash, path: &str, want: Want) -> Result<(), Shut> {
        match self.tickets.change(hash, |ticket| ticket.open(path, want)).await {
            Some(Ok(())) => Ok(()),
            Some(Err(WrongStream)) => Err(Shut::Other),
            None => Err(Shut::Late),
        }
    }
}
