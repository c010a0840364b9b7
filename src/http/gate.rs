//! Signing in: from a request's credential to the device that it belongs to, and who has tried too often.
//!
//! Ten wrong credentials in a minute from one address (IPv6: /64), and for a minute what comes from there without a valid
//! one is answered 429; a valid one always passes. The same wrong token again counts once a minute. A signed-in client may make 100 requests a second, 400 at once; so may
//! an address that has not signed in. The token of a device that was revoked while it streamed is remembered (the last
//! 1,024 of them), so that the stream's return is answered 204 and its `EventSource` stays away.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::credentials::Credential;
use super::locked;
use super::problem::Problem;
use super::rate::{Buckets, Failures, network};
use super::route::Standing;
use crate::clock::{TimeSource, Wall};
use crate::feed::{Device, Feed, Scope, TokenHash};
use hyper::StatusCode;

/// Who is asking.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    /// The phone.
    pub(super) device: Arc<Device>,
    /// Its token's hash, by which it can be looked up again.
    pub(super) hash: TokenHash,
}

impl SignedIn {
    pub(super) fn has(&self, scope: Scope) -> bool {
        self.device.scopes.contains(&scope)
    }
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Client {
    Device(TokenHash),
    Address(IpAddr),
}

/// The gate.
#[derive(Debug)]
pub(super) struct Gate {
    failures: Mutex<Failures>,
    rates: Mutex<Buckets<Client>>,
    revoked: Mutex<VecDeque<TokenHash>>,
    guests: HashMap<TokenHash, Arc<Device>>,
}

const PER_SECOND: u32 = 100;
const BURST: u32 = 400;
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
    pub(super) fn new(guests: Vec<(TokenHash, Device)>) -> Gate {
        Gate {
            failures: Mutex::default(),
            rates: Mutex::new(Buckets::new(PER_SECOND, BURST)),
            revoked: Mutex::default(),
            guests: guests.into_iter().map(|(hash, device)| (hash, Arc::new(device))).collect(),
        }
    }

    /// The device whose token has this hash, if it may come in now.
    fn device(&self, feed: &dyn Feed, hash: &TokenHash) -> Option<Arc<Device>> {
        let known = self.guests.get(hash).cloned().or_else(|| feed.device(hash));
        known.filter(|device| !is_expired(feed, device))
    }

    /// Whether the token of somebody who has come in is still good.
    pub(super) fn stands(&self, feed: &dyn Feed, who: &SignedIn) -> bool {
        self.device(feed, &who.hash).is_some()
    }

    /// Judges a credential that came from `address`.
    pub(super) fn judge(
        &self,
        feed: &dyn Feed,
        credential: Option<Credential<'_>>,
        standing: Standing,
        address: IpAddr,
    ) -> Verdict {
        let hash = credential.map(|credential| credential.hash());
        let device = hash.and_then(|hash| Some((hash, self.device(feed, &hash)?)));
        if let Some((hash, device)) = device {
            return Verdict::Valid(SignedIn { device, hash });
        }
        if hash.is_some_and(|hash| locked(&self.revoked).contains(&hash)) {
            return Verdict::Revoked;
        }
        Verdict::Refused(match (self.closed_out(address), hash, standing) {
            (Some(problem), ..) => problem,
            (None, Some(_), _) => {
                self.wrong(address, hash.as_ref());
                Problem::sign_in("that token is not known here, was revoked or has ended; pair this device again")
            }
            (None, None, Standing::HeaderOrQuery) => {
                Problem::sign_in("send a device's token as Authorization: Bearer, as X-Api-Key or as ?token=")
            }
            (None, None, Standing::Header) => Problem::sign_in(
                "send a device's token as Authorization: Bearer or X-Api-Key; this path takes none from the query",
            ),
        })
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

    /// This token was revoked while it streamed.
    pub(super) fn remember_revoked(&self, hash: TokenHash) {
        let mut revoked = locked(&self.revoked);
        if revoked.contains(&hash) {
            return;
        }
        if revoked.len() >= REVOKED {
            revoked.pop_front();
        }
        revoked.push_back(hash);
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
        let gate = Gate::new(Vec::new());
        let hash = |n: u16| std::array::from_fn(|at| if at < 2 { n.to_be_bytes()[at] } else { 0 });
        for n in 0..2000 {
            gate.remember_revoked(hash(n));
            gate.remember_revoked(hash(n));
        }
        let revoked = locked(&gate.revoked);
        assert_eq!((revoked.len(), revoked.front(), revoked.back()), (REVOKED, Some(&hash(976)), Some(&hash(1999))));
    }
}
