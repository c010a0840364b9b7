//! Signing in: from a request's credential to the device that it belongs to, and who has tried too often.
//!
//! Ten wrong credentials in a minute from one address (IPv6: /64), and for a minute what comes from there without a valid
//! one is answered 429; a valid one always passes. The same wrong token again counts once a minute.
//!
//! A signed-in client may make 100 requests a second, 400 at once; so may an address that has not signed in. Of what is
//! written to flash (a login, a subscription, a stream by a ticket or under a `Device-Id`) a device may ask for 10 a second,
//! 100 at once. What was revoked while it streamed (a device's token, a session, or a ticket of one) is
//! remembered, the last 1,024 of them, so that the stream's return is answered 204 and its `EventSource` stays away.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::credentials::{Credential, Place};
use super::locked;
use super::problem::Problem;
use super::rate::{Buckets, Failures, network};
use super::route::Standing;
use super::sign_in::{Holder, SignIns};
use crate::clock::{TimeSource, Wall};
use crate::feed::{Device, Feed, Scope, TokenHash};
use hyper::StatusCode;

/// Who is asking.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    /// The phone.
    pub(super) device: Arc<Device>,
    /// Its token's hash, by which it can be looked up again: what its requests and streams are counted by.
    pub(super) hash: TokenHash,
    /// The hash of the session by which it has come in, if by one.
    session: Option<TokenHash>,
    /// The hash of what was shown, and where that stood.
    shown: (TokenHash, Place),
    /// The hash of the ticket by which it has come in, if by one: good for a stream, once that is opened.
    ticket: Option<TokenHash>,
}

impl SignedIn {
    pub(super) fn has(&self, scope: Scope) -> bool {
        self.device.scopes.contains(&scope)
    }

    /// The session or, without one, the device's token: the same for a ticket that was asked for by it, over restarts too,
    /// and another one after a new login. No secret, but nobody else's business.
    pub(super) fn sign_in(&self) -> TokenHash {
        self.session.unwrap_or(self.hash)
    }

    /// The session by which it has come in, if by one.
    pub(super) fn session(&self) -> Option<&TokenHash> {
        self.session.as_ref()
    }

    /// The ticket by which it has come in, if by one.
    pub(super) fn ticket(&self) -> Option<&TokenHash> {
        self.ticket.as_ref()
    }

    /// For whom a ticket would be that it asks for.
    pub(super) fn holder(&self) -> Holder {
        Holder::new(self.hash, self.sign_in())
    }

    /// Whether a browser may have signed it in without its page's knowing.
    pub(super) fn by_cookie(&self) -> bool {
        self.shown.1 == Place::Cookie
    }
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Client {
    Device(TokenHash),
    Address(IpAddr),
}

/// The gate.
pub(super) struct Gate {
    failures: Mutex<Failures>,
    rates: Mutex<Buckets<Client>>,
    writes: Mutex<Buckets<TokenHash>>,
    revoked: Mutex<Revoked>,
    guests: HashMap<TokenHash, Arc<Device>>,
    /// Sessions and tickets.
    pub(super) sign_ins: SignIns,
}

const PER_SECOND: u32 = 100;
const BURST: u32 = 400;
const WRITES_PER_SECOND: u32 = 10;
const WRITES_BURST: u32 = 100;
const REVOKED: usize = 1024;

/// What a credential is worth.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is this device's.
    Valid(SignedIn),
    /// It was a device's that was revoked while it streamed.
    Revoked,
    /// There is none, or none that is good.
    Refused(Problem),
}

impl Gate {
    /// One that lets `guests` in, and whoever is paired.
    pub(super) fn new(guests: Vec<(TokenHash, Device)>, sign_ins: SignIns) -> Gate {
        Gate {
            failures: Mutex::default(),
            rates: Mutex::new(Buckets::new(PER_SECOND, BURST)),
            writes: Mutex::new(Buckets::new(WRITES_PER_SECOND, WRITES_BURST)),
            revoked: Mutex::default(),
            guests: guests.into_iter().map(|(hash, device)| (hash, Arc::new(device))).collect(),
            sign_ins,
        }
    }

    /// The device whose token has this hash, if it may come in now.
    pub(super) fn device(&self, feed: &dyn Feed, hash: &TokenHash) -> Option<Arc<Device>> {
        let known = self.guests.get(hash).cloned().or_else(|| feed.device(hash));
        known.filter(|device| !is_expired(feed, device))
    }

    /// Whether somebody who has come in still may; that is a use of what was shown.
    pub(super) fn stands(&self, feed: &dyn Feed, who: &SignedIn) -> bool {
        let session_stands = |session| self.sign_ins.session(session).is_some();
        let stands = self.device(feed, &who.hash).is_some() && who.session.as_ref().is_none_or(session_stands);
        if stands {
            self.note_use(who);
        }
        stands
    }

    /// A ticket is used by opening its stream, not by being shown, so it is not noted here until it has.
    fn note_use(&self, who: &SignedIn) {
        if let Some(session) = &who.session {
            self.sign_ins.use_session(session);
        }
        if let Some(ticket) = &who.ticket {
            self.sign_ins.use_ticket(ticket);
        }
    }

    /// Whoever this credential stands for.
    fn known(&self, feed: &dyn Feed, credential: &Credential<'_>, standing: Standing) -> Option<SignedIn> {
        let shown = credential.hash();
        let by_token = || Some((shown, None, None));
        let by_session = || Some((self.sign_ins.session(&shown)?, Some(shown), None));
        let by_ticket = || self.sign_ins.ticket(&shown).map(|holder| (holder.token(), holder.session(), Some(shown)));
        let signed_in = |(hash, session, ticket): (TokenHash, Option<TokenHash>, Option<TokenHash>)| {
            let device = self.device(feed, &hash)?;
            let stands = session.is_none_or(|session| self.sign_ins.session(&session) == Some(hash));
            stands.then_some(SignedIn { device, hash, session, shown: (shown, credential.place), ticket })
        };
        match credential.place {
            Place::Key | Place::Query => by_token().and_then(signed_in),
            Place::Cookie => by_session().and_then(signed_in),
            Place::Bearer => by_token().and_then(signed_in).or_else(|| by_session().and_then(signed_in)),
            Place::Token => {
                let by_ticket = || if standing == Standing::Stream { by_ticket() } else { None };
                by_token().and_then(signed_in).or_else(|| by_ticket().and_then(signed_in))
            }
        }
    }

    /// Judges the credentials that came from `address`, the one that is to be looked at first first.
    pub(super) fn judge(&self, feed: &dyn Feed, credentials: &[Credential<'_>], standing: Standing, address: IpAddr) -> Verdict {
        if let Some(who) = credentials.iter().find_map(|credential| self.known(feed, credential, standing)) {
            if who.ticket.is_none() {
                self.note_use(&who);
            }
            return Verdict::Valid(who);
        }
        let hashes: Vec<TokenHash> = credentials.iter().map(Credential::hash).collect();
        if hashes.iter().any(|hash| locked(&self.revoked).0.contains(hash)) {
            return Verdict::Revoked;
        }
        if let Some(problem) = self.closed_out(address) {
            return Verdict::Refused(problem);
        }
        hashes.iter().for_each(|hash| self.wrong(address, Some(hash)));
        Verdict::Refused(Problem::sign_in(match (hashes.is_empty(), standing.takes_query()) {
            (false, _) => "that token is not known here, was revoked or has ended; sign in again, or pair this device again",
            (true, true) => "send a device's token as Authorization: Bearer, as X-Api-Key or as ?token=",
            (true, false) => "send a device's token as Authorization: Bearer or X-Api-Key; this path takes none from the query",
        }))
    }

    /// Why nothing from `address` is believed now, if so.
    pub(super) fn closed_out(&self, address: IpAddr) -> Option<Problem> {
        let seconds = locked(&self.failures).closed_for(address)?;
        Some(Problem::too_many("too many wrong credentials came from this address; wait a minute", seconds))
    }

    /// A wrong credential came from `address`, with this hash where it is a token.
    pub(super) fn wrong(&self, address: IpAddr, hash: Option<&TokenHash>) {
        locked(&self.failures).count(address, hash);
    }

    /// Whether `who`, else `address`, may make one more request now.
    pub(super) fn admits(&self, who: Option<&SignedIn>, address: IpAddr) -> bool {
        let client = who.map_or_else(|| Client::Address(network(address)), |who| Client::Device(who.hash));
        locked(&self.rates).take(&client)
    }

    /// Whether the device whose token has this hash may ask for one more thing now that is written to flash.
    pub(super) fn admits_write(&self, device: &TokenHash) -> bool {
        locked(&self.writes).take(device)
    }

    /// What this one has shown was revoked while it streamed.
    pub(super) fn remember_revoked(&self, who: &SignedIn) {
        locked(&self.revoked).remember(who.shown.0);
    }
}

/// The hashes of what was revoked while it streamed, the oldest first.
#[derive(Debug, Default)]
struct Revoked(VecDeque<TokenHash>);

impl Revoked {
    fn remember(&mut self, hash: TokenHash) {
        if self.0.contains(&hash) {
            return;
        }
        if self.0.len() >= REVOKED {
            self.0.pop_front();
        }
        self.0.push_back(hash);
    }
}

/// The refusal of a request for which the device has not been paired.
pub(super) fn scope_missing(scope: Scope) -> Problem {
    let name = match scope {
        Scope::Read => "read",
        Scope::Control => "control",
        Scope::Publish => "publish",
        Scope::Admin => "admin",
    };
    Problem::new(StatusCode::FORBIDDEN, format!("this device was paired without the scope `{name}`")).with("scope", name)
}

/// Whether a device's time is over. Time counts only while somebody vouches for the clock.
fn is_expired(feed: &dyn Feed, device: &Device) -> bool {
    let ends = |ends: Wall| matches!(wall_now(feed), Some(now) if now >= ends);
    device.expires.is_some_and(ends)
}

/// Wall time as the vehicle has it; `None` while nobody vouches for it.
pub(super) fn wall_now(feed: &dyn Feed) -> Option<Wall> {
    let vin = feed.vehicles().into_iter().next()?;
    let stamp = feed.picture(&vin).ok()?.borrow().stamp;
    (stamp.source != TimeSource::Unset).then_some(stamp.wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_revoked_tokens_are_remembered_and_no_more() {
        let mut revoked = Revoked::default();
        let hash = |n: u16| std::array::from_fn(|at| if at < 2 { n.to_be_bytes()[at] } else { 0 });
        for n in 0..2000 {
            revoked.remember(hash(n));
            revoked.remember(hash(n));
        }
        assert_eq!((revoked.0.len(), revoked.0.front(), revoked.0.back()), (REVOKED, Some(&hash(976)), Some(&hash(1999))));
    }
}
