//! What the doors read: the one trait between what is remembered and those who are told.
//!
//! A stream asks for events after a position and waits for the head to move; it never holds a queue. SQLite is one
//! feed; the fleet's engine can be another, so everything goes by VIN.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize, Serializer};
use tokio::sync::watch;

use crate::clock::{Stamp, Wall};
use crate::event::{Cabin, ChildStage, Confidence, EventId, Kind, Location, Row, Severity};
use crate::geo::{Fence, Point};
use crate::health::Condition;
use crate::request::{Answer, Refusal, Request};
use crate::vehicle::trouble::{CodeRecord, Identified, Readiness};
use crate::vehicle::{Fix, Signal, Value, Vin};

/// A future of a trait object.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How many surfaces may keep their own encoding of an event beside it.
pub const SURFACES: usize = 8;

/// A committed event, encoded once.
#[derive(Debug)]
pub struct Stored {
    /// Its id.
    pub id: EventId,
    /// Its kind.
    pub kind: Kind,
    /// The type's name on the wire.
    pub event_type: Arc<str>,
    /// How much it matters.
    pub severity: Severity,
    /// For whom, when it was published to one member.
    pub member: Option<Arc<str>>,
    /// Of an alert's event: the alert's first event.
    pub alert: Option<EventId>,
    /// Of a `CHILD_LEFT_BEHIND` whose alert has ended: the event that ended it, as known when this was read. It goes
    /// into the JSON of a replay as `ended`.
    pub ended: Option<EventId>,
    /// One line of JSON, without `ended`.
    pub json: Arc<str>,
    /// Each surface's own bytes of it, made by the first stream that needs them.
    pub encoded: [OnceLock<Arc<[u8]>>; SURFACES],
}

/// Which events a stream shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The kinds, one bit each by discriminant.
    kinds: u8,
    /// Whose published events; without a member none are shown.
    pub member: Option<Arc<str>>,
}

impl Filter {
    /// Exactly these kinds.
    pub fn of(kinds: &[Kind]) -> Filter {
        Filter { kinds: kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8), member: None }
    }

    /// Whether it shows `kind` at all.
    pub fn shows(&self, kind: Kind) -> bool {
        self.kinds & 1 << kind as u8 != 0
    }

    /// Whether it shows this event.
    pub fn matches(&self, event: &Stored) -> bool {
        self.shows(event.kind) && (event.kind != Kind::Published || (self.member.is_some() && event.member == self.member))
    }

    /// The kinds it shows.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        Kind::ALL.into_iter().filter(|kind| self.shows(*kind))
    }
}

/// A page of events, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The events.
    pub events: Vec<Arc<Stored>>,
    /// Everything up to here has been looked at: the position from which the next page goes on.
    pub next: EventId,
}

/// What cannot be had now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No such vehicle here.
    #[error("this unit knows no vehicle {0}")]
    Vehicle(Vin),
    /// The journal cannot be read; why.
    #[error("the journal cannot be read: {0}")]
    Journal(String),
    /// Nobody answered in time, or the daemon is stopping.
    #[error("the vehicle's engine did not answer in time; try again")]
    Engine,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The engine said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody could say anything.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What an accepted request led to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The engine's answer.
    pub answer: Answer,
    /// The event it made or had made, as told.
    pub event: Option<Arc<Stored>>,
}

/// One signal as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalNow {
    /// Which.
    pub signal: Signal,
    /// Its value; `None` while unknown.
    pub value: Option<Value>,
    /// Seconds since it was last said; `None` when it never was.
    pub age: Option<f64>,
    /// The source that said it; empty where none did.
    pub source: String,
}

/// The fences in force.
pub type Fences = Arc<Vec<Arc<Fence>>>;

/// The vehicle in relation to one fence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FenceNow {
    /// The fence; as JSON its id and its name.
    #[serde(flatten, serialize_with = "by_name")]
    pub fence: Arc<Fence>,
    /// Inside or not; `None` before the first fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<bool>,
    /// Since when; ISO 8601 as JSON.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub since: Option<Wall>,
}

fn by_name<S: Serializer>(fence: &Fence, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Named<'a> {
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
    }
    Named { id: &fence.id, name: fence.name.as_deref() }.serialize(serializer)
}

fn as_text<S: Serializer>(since: &Option<Wall>, serializer: S) -> Result<S::Ok, S::Error> {
    match since {
        Some(since) => serializer.collect_str(since),
        None => serializer.serialize_none(),
    }
}

/// The child watch as it is now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildNow {
    /// `parked`, `driving`, `alert`, `snoozed` or `answered`.
    pub state: String,
    /// Of an alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<ChildStage>,
    /// The strongest evidence now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// Since when in this state, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The alert's latest event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// The heat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cabin: Option<Cabin>,
}

/// The condition of the car and of what Telltale reads from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// Malfunction indicator lamp; `None` while nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mil: Option<bool>,
    /// Trouble codes and self-tests.
    #[serde(flatten)]
    pub diagnosis: Diagnosed,
    /// Buses, receivers and the journal.
    pub sources: BTreeMap<String, Condition>,
}

/// What ECUs say is wrong with the car, shared from picture to picture. As JSON `codes`, a list of [`CodeRecord`]s, and
/// `readiness`, by ECU whether each of its self-tests is complete; each absent while no ECU was heard of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Diagnosed {
    /// Another one for other contents: telling two apart must not take the time of reading a thousand records.
    #[serde(skip)]
    pub revision: u64,
    /// By ECU and code; `None` while no ECU was heard of its codes.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "listed")]
    pub codes: Option<Arc<Vec<CodeRecord>>>,
    /// The self-tests.
    #[serde(skip_serializing_if = "no_readiness", serialize_with = "by_ecu")]
    pub readiness: Arc<Vec<Readiness>>,
    /// What ECUs have under the identifiers of the profile: for who asks, not in every status.
    #[serde(skip)]
    pub identified: Arc<Vec<Identified>>,
}

impl PartialEq for Diagnosed {
    fn eq(&self, other: &Diagnosed) -> bool {
        self.revision == other.revision
    }
}

fn listed<S: Serializer>(codes: &Option<Arc<Vec<CodeRecord>>>, serializer: S) -> Result<S::Ok, S::Error> {
    codes.as_deref().serialize(serializer)
}

fn no_readiness(readiness: &Arc<Vec<Readiness>>) -> bool {
    readiness.is_empty()
}

fn by_ecu<S: Serializer>(readiness: &Arc<Vec<Readiness>>, serializer: S) -> Result<S::Ok, S::Error> {
    let monitors = |of: &Readiness| of.monitors.iter().cloned().collect::<BTreeMap<String, bool>>();
    serializer.collect_map(readiness.iter().map(|of| (of.ecu.to_string(), monitors(of))))
}

/// The vehicle as it is now: the latest of everything, replaced as a whole.
#[derive(Clone, Debug)]
pub struct Picture {
    /// When this was true.
    pub stamp: Stamp,
    /// The vehicle.
    pub vin: Vin,
    /// Every mapped signal.
    pub signals: Vec<SignalNow>,
    /// Where it is.
    pub location: Location,
    /// Where the vehicle's further receivers are (a trailer's), the second of the configuration first; `None` before its
    /// first fix. They are shown, and decide nothing.
    pub further: Vec<Option<Fix>>,
    /// How it stands to each fence; shared from picture to picture, as there may be ten thousand.
    pub fences: Arc<Vec<FenceNow>>,
    /// The child watch.
    pub child: ChildNow,
    /// What works.
    pub status: Status,
}

/// One point of the recorded track.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackPoint {
    /// When.
    pub time: Wall,
    /// Where.
    pub point: Point,
    /// m.
    pub altitude: Option<f64>,
    /// km/h.
    pub speed: Option<f64>,
    /// Degrees.
    pub heading: Option<f64>,
    /// m.
    pub accuracy: f64,
}

impl TrackPoint {
    /// The point of a fix; `None` where it has no date.
    pub fn of(fix: &Fix) -> Option<TrackPoint> {
        let Fix { point, altitude, speed, heading, accuracy, .. } = *fix;
        fix.time.map(|time| TrackPoint { time, point, altitude, speed, heading, accuracy })
    }
}

/// What a device may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Streams, history, state.
    Read,
    /// Answer alerts, change fences.
    Control,
    /// Publish events to members.
    Publish,
    /// Pair and revoke.
    Admin,
}

/// A paired phone of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Names it in lists and for revoking; no secret.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Whose it is.
    pub member: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was paired.
    pub paired: Wall,
    /// When its token ends, if ever.
    pub expires: Option<Wall>,
}

/// SHA-256 of a token: all that is ever stored of one.
pub type TokenHash = [u8; 32];

/// How far a reader has come with one kind, kept by the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Of what.
    pub kind: Kind,
    /// Everything up to here is the receiver's.
    pub position: EventId,
    /// Events above the position that retention took, ever. One that was on its way meanwhile may be among them.
    pub forgotten: u64,
    /// Of those the receiver was told of.
    pub told: u64,
}

/// What the keys of all rows begin with that doors keep for themselves.
pub const DOOR: &str = "door/";

/// The row in which the numbers are kept that the fleet has set, as it set them.
pub const FLEET_SETTINGS: &str = "door/fleet/settings";

/// What is remembered of vehicles, and the way to ask something of them.
pub trait Feed: Send + Sync + 'static {
    /// The vehicles of this unit.
    fn vehicles(&self) -> Vec<Vin>;

    /// Events with an id above `after` that `filter` shows, oldest first, `limit` at most and fewer where they are large:
    /// the page says where the next begins.
    ///
    /// # Errors
    /// When the vehicle is unknown or the journal cannot be read.
    fn events_after<'a>(
        &'a self,
        vin: &'a Vin,
        after: EventId,
        filter: &'a Filter,
        limit: usize,
    ) -> Pending<'a, Result<Page, Unavailable>>;

    /// The events that `filter` shows which a client may be given after a gap: those of the last `hours`, `limit` at
    /// most, as the position after which they begin.
    ///
    /// # Errors
    /// When the vehicle is unknown or the journal cannot be read.
    fn recent<'a>(
        &'a self,
        vin: &'a Vin,
        filter: &'a Filter,
        hours: u32,
        limit: usize,
    ) -> Pending<'a, Result<EventId, Unavailable>>;

    /// The id of the last event that may be shown, and its changes.
    ///
    /// # Errors
    /// When the vehicle is unknown.
    fn head(&self, vin: &Vin) -> Result<watch::Receiver<EventId>, Unavailable>;

    /// The highest id that was pruned among the events that `filter` shows; 0 when none was.
    ///
    /// # Errors
    /// When the vehicle is unknown.
    fn pruned(&self, vin: &Vin, filter: &Filter) -> Result<EventId, Unavailable>;

    /// The latest `CHILD_LEFT_BEHIND` of each alert that is active now (not cleared, not acknowledged).
    ///
    /// # Errors
    /// When the vehicle is unknown.
    fn active(&self, vin: &Vin) -> Result<Vec<Arc<Stored>>, Unavailable>;

    /// The live picture, and its changes.
    ///
    /// # Errors
    /// When the vehicle is unknown.
    fn picture(&self, vin: &Vin) -> Result<watch::Receiver<Arc<Picture>>, Unavailable>;

    /// The fences in force, and their changes.
    ///
    /// # Errors
    /// When the vehicle is unknown.
    fn fences(&self, vin: &Vin) -> Result<watch::Receiver<Fences>, Unavailable>;

    /// Points of the track from `from` (inclusive) to `to` (exclusive), oldest first, `limit` at most.
    ///
    /// # Errors
    /// When the vehicle is unknown or the journal cannot be read.
    fn track<'a>(&'a self, vin: &'a Vin, from: Wall, to: Wall, limit: usize)
    -> Pending<'a, Result<Vec<TrackPoint>, Unavailable>>;

    /// Asks something of the vehicle; resolves once the decision is durable, or after 5 s with [`Unavailable::Engine`].
    fn submit<'a>(&'a self, vin: &'a Vin, request: Request) -> Pending<'a, Result<Outcome, Failure>>;

    /// The device whose token has this hash, unless revoked.
    fn device(&self, token: &TokenHash) -> Option<Arc<Device>>;

    /// All devices.
    fn devices(&self) -> Vec<Arc<Device>>;

    /// Remembers a device; resolves once durable.
    fn add_device(&self, token: TokenHash, device: Device) -> Pending<'_, Result<(), Unavailable>>;

    /// Forgets a device; whether there was one. Resolves once durable.
    fn revoke_device<'a>(&'a self, id: &'a str) -> Pending<'a, Result<bool, Unavailable>>;

    /// The rows that a door keeps for itself under keys that begin with `prefix`, in the order of their keys.
    fn kept(&self, prefix: &str) -> Vec<(String, Arc<[u8]>)>;

    /// Keeps these rows under their keys, which begin with [`DOOR`]; without a value one is taken away. They can be read
    /// at once. Resolves once durable; a row that cannot be written now is written as soon as the journal can be.
    ///
    /// # Errors
    /// When they are not durable yet, or nothing was kept because a key or value is not one of a door's or there is no
    /// room: 5,120 rows of 4 KiB.
    fn keep(&self, rows: Vec<Row>) -> Pending<'_, Result<(), Unavailable>>;

    /// How far `reader` has come, one cursor for each kind that it ever advanced in. What went with a file that could not
    /// be read any more is in no count: nobody knows how much that was, and [`Feed::pruned`] says up to where.
    fn cursors(&self, reader: &str) -> Vec<Cursor>;

    /// Moves the cursor of `reader` for `kind`, never back, and not beyond the head; makes it where there is none, and from
    /// then on what retention takes is counted for it. It can be read at once. Resolves once durable; one that cannot be
    /// written now is written as soon as the journal can be.
    ///
    /// # Errors
    /// When it is not durable yet, or nothing was kept because the name is empty or longer than 64 bytes, or there is no
    /// room: 32 readers.
    fn advance<'a>(&'a self, reader: &'a str, kind: Kind, position: EventId, told: u64) -> Pending<'a, Result<(), Unavailable>>;

    /// Forgets of the readers beside `needed` as many as it takes that there is room for those, he who came least far first,
    /// with the rows that are kept under his name: who they were.
    fn make_room(&self, needed: &[String]) -> Vec<String>;

    /// Wakes whenever a device was added or revoked.
    fn device_changes(&self) -> watch::Receiver<u64>;
}
