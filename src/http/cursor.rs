//! Where a device is in the sequence of events, for those that come back under their `Device-Id` and without an id.
//!
//! - At least once: a device goes on after the highest id that it has presented, or that was written to it and has been
//!   acknowledged by its TCP. What was on its way when the connection broke is told again; nothing is left out, from the
//!   alerts that were active when it first came on.
//! - Durable: at once when a device first comes, or presents an id; what was acknowledged since with the stream's end, and
//!   every 30 s while it lasts, so that flash is not worn by it. After a power cut the device is told those 30 s again.
//! - 8 devices a token; a ninth takes the place of the one that has not come for longest. Names have 64 bytes at most.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::Shared;
use super::connection::Watch;
use super::gate::SignedIn;
use super::keep;
use super::stream::Resume;
use crate::event::{EventId, Row};
use crate::vehicle::Vin;

/// What the keys of the rows begin with; then the id of the paired device, and a hash of the name that its client gave.
const KEYS: &str = "door/device/";

const DEVICES: usize = 8;
pub(super) const LONGEST_NAME: usize = 64;
const WRITE_EVERY: Duration = Duration::from_secs(30);

/// A device's position, for as long as its stream lasts.
pub(super) struct Cursor {
    shared: Arc<Shared>,
    watch: Arc<Watch>,
    owner: String,
    key: String,
    /// Up to here nothing has to be told any more; `None` before the stream has begun.
    at: Option<EventId>,
    /// The same as it was kept when the stream began.
    kept: Option<EventId>,
    kept_at: Instant,
    has_begun: bool,
    /// When the device came, as the head then was.
    came: EventId,
    told: EventId,
    /// What may be on its way, and the connection's arrivals when that was looked at.
    on_its_way: Option<(EventId, u64)>,
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("at", &self.at).field("told", &self.told).finish_non_exhaustive()
    }
}

/// What is kept of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    at: EventId,
    came: EventId,
}

impl Kept {
    fn read(row: &[u8]) -> Option<Kept> {
        let (at, came) = (row.first_chunk()?, row.last_chunk()?);
        Some(Kept { at: EventId(u64::from_le_bytes(*at)), came: EventId(u64::from_le_bytes(*came)) })
    }

    fn write(self) -> Vec<u8> {
        [self.at.0.to_le_bytes(), self.came.0.to_le_bytes()].concat()
    }
}

impl Cursor {
    /// That of the device which calls itself `name`.
    pub(super) fn new(shared: Arc<Shared>, watch: Arc<Watch>, vin: &Vin, who: &SignedIn, name: &[u8]) -> Cursor {
        let hash: String = Sha256::digest(name).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let owner = who.device.id.clone();
        let came = shared.feed.head(vin).map(|head| *head.borrow()).unwrap_or_default();
        Cursor {
            key: format!("{KEYS}{owner}/{hash}"),
            owner,
            shared,
            watch,
            at: None,
            kept: None,
            kept_at: Instant::now(),
            has_begun: false,
            came,
            told: EventId(0),
            on_its_way: None,
        }
    }

    /// From where its stream goes on: where it says, else where it was.
    pub(super) fn resume(&mut self, said: Resume) -> Resume {
        self.kept = self.row().map(|kept| kept.at);
        // Nobody has what is above the head: such an id is of another journal.
        let sound = |at: &EventId| *at <= self.came;
        let presented = if let Resume::After(at) = said { Some(at).filter(sound) } else { None };
        self.at = presented.max(self.kept.filter(sound));
        match (said, self.kept) {
            (Resume::Fresh, Some(kept)) => Resume::After(kept),
            _ => said,
        }
    }

    /// Its stream begins: everything above `from` will be told.
    pub(super) fn begins(&mut self, from: EventId) {
        self.at.get_or_insert(from);
        if self.has_begun {
            // It had to begin again, as it had fallen behind what is kept of history.
            return;
        }
        self.has_begun = true;
        if self.kept.is_none() {
            self.make_room();
        }
        self.write();
        let _ = self.watch.arrivals();
    }

    /// The connection was given everything up to `at`.
    pub(super) fn told(&mut self, at: EventId) {
        self.told = at;
    }

    /// Looks at what has arrived by now; once a second or so.
    pub(super) fn look(&mut self) {
        let arrivals = self.watch.arrivals();
        if let Some((at, _)) = self.on_its_way.take_if(|(_, before)| arrivals > *before) {
            self.at = self.at.max(Some(at));
        }
        if self.on_its_way.is_none() && Some(self.told) > self.at {
            self.on_its_way = Some((self.told, arrivals));
        }
        if self.kept_at.elapsed() >= WRITE_EVERY {
            self.keep();
        }
    }

    fn row(&self) -> Option<Kept> {
        let rows = self.shared.feed.kept(&self.key);
        rows.iter().find(|(key, _)| *key == self.key).and_then(|(_, row)| Kept::read(row))
    }

    /// Keeps the position, where it has moved. A row that is gone was taken by another device; one that is further along is
    /// that of another stream of the same device.
    fn keep(&mut self) {
        self.kept_at = Instant::now();
        if self.has_begun && self.row().is_some_and(|kept| self.at > Some(kept.at)) {
            self.write();
        }
    }

    fn write(&mut self) {
        let Some(at) = self.at else { return };
        let kept = Kept { at, came: self.came };
        if self.row() != Some(kept) {
            drop(keep(&*self.shared.feed, vec![Row { key: self.key.clone(), value: Some(kept.write()) }]));
        }
    }

    /// Forgets devices of sign-ins that are gone, and of this one those that have not come for longest.
    fn make_room(&self) {
        let paired = self.shared.feed.devices();
        let guests = self.shared.settings.guests.iter().map(|(_, guest)| guest);
        let known: Vec<&str> = paired.iter().map(|device| &**device).chain(guests).map(|device| device.id.as_str()).collect();
        let owner = |key: &str| key.strip_prefix(KEYS).and_then(|key| key.rsplit_once('/')).map(|(owner, _)| owner.to_owned());
        let (mut own, mut gone) = (Vec::new(), Vec::new());
        for (key, row) in self.shared.feed.kept(KEYS) {
            match owner(&key) {
                Some(owner) if owner == self.owner => own.push((Kept::read(&row).map(|kept| kept.came), key)),
                Some(owner) if known.contains(&owner.as_str()) => {}
                _ => gone.push(key),
            }
        }
        own.sort();
        let too_many = (own.len() + 1).saturating_sub(DEVICES);
        gone.extend(own.into_iter().take(too_many).map(|(_, key)| key));
        if !gone.is_empty() {
            drop(keep(&*self.shared.feed, gone.into_iter().map(|key| Row { key, value: None }).collect()));
        }
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.look();
        self.keep();
    }
}
