//! A feed in memory: what a journal would do, in the least code, and with levers for what a journal does when it is ill.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telltale::clock::{Boot, Stamp, TimeSource, Wall};
use telltale::event::{EventId, EventType, Kind, Location, Published, Row, Severity};
use telltale::feed::{
    ChildNow, Cursor, DOOR, Device, Failure, Feed, FenceNow, Fences, Filter, Outcome, Page, Pending, Picture, Scope, SignalNow,
    Status, Stored, TokenHash, TrackPoint, Unavailable,
};
use telltale::geo::{Fence, FenceSource, Point, Shape};
use telltale::health::Condition;
use telltale::http::hash_token;
use telltale::request::{Answer, Publish, Refusal, Request};
use telltale::vehicle::{Fix, Mode, Signal, Value, Vin};
use tokio::sync::{Notify, watch};

pub const VIN: &str = "KMHSH81C7LU123456";

pub struct MemoryFeed {
    pub vin: Vin,
    inner: Mutex<Inner>,
    broken: AtomicBool,
    reads_left: AtomicUsize,
    /// Devices are not taken, and nobody is told so.
    devices_held: AtomicBool,
    told_from_memory: AtomicBool,
    device_came: Notify,
    device_went: Notify,
    head: watch::Sender<EventId>,
    picture: watch::Sender<Arc<Picture>>,
    fences: watch::Sender<Fences>,
    devices: watch::Sender<u64>,
    /// Whether cursors are not written.
    cursors_held: watch::Sender<bool>,
}

/// Says that somebody waits no longer.
struct Went<'a>(&'a Notify);

impl Drop for Went<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[derive(Default)]
struct Inner {
    events: Vec<Arc<Stored>>,
    pruned: HashMap<Kind, EventId>,
    active: Vec<EventId>,
    devices: HashMap<TokenHash, Arc<Device>>,
    kept: BTreeMap<String, Arc<[u8]>>,
    cursors: BTreeMap<(String, Kind), Cursor>,
    /// What the disk has of them.
    durable: BTreeMap<(String, Kind), Cursor>,
    /// Without its disk the journal has what lies above.
    diskless: Option<EventId>,
    recent: Option<EventId>,
    track: Vec<TrackPoint>,
    asked: Vec<Request>,
    published: HashMap<[u8; 16], ([u8; 32], EventId)>,
}

impl MemoryFeed {
    pub fn new() -> Arc<MemoryFeed> {
        let vin = Vin::try_from(VIN.to_owned()).unwrap();
        let feed = MemoryFeed {
            inner: Mutex::default(),
            broken: AtomicBool::new(false),
            reads_left: AtomicUsize::new(usize::MAX),
            devices_held: AtomicBool::new(false),
            told_from_memory: AtomicBool::new(false),
            device_came: Notify::new(),
            device_went: Notify::new(),
            head: watch::Sender::new(EventId(0)),
            picture: watch::Sender::new(Arc::new(picture(&vin))),
            fences: watch::Sender::new(Arc::new(
                [("school", FenceSource::File), ("home", FenceSource::Phone)].map(|(id, by)| Arc::new(fence(id, by))).into(),
            )),
            devices: watch::Sender::new(0),
            cursors_held: watch::Sender::new(false),
            vin,
        };
        for (name, scopes) in [
            ("read", vec![Scope::Read]),
            ("control", vec![Scope::Read, Scope::Control]),
            ("admin", vec![Scope::Read, Scope::Control, Scope::Admin]),
            ("publish", vec![Scope::Publish]),
            ("blind", vec![Scope::Control]),
        ] {
            feed.pair(name, scopes);
        }
        Arc::new(feed)
    }

    /// From now on who adds a device waits; until the first one does.
    pub async fn hold_devices(&self) {
        self.devices_held.store(true, Ordering::Relaxed);
        self.device_came.notified().await;
    }

    /// Devices are taken again, once the one that waits has given up.
    pub async fn let_devices_go(&self) {
        self.device_went.notified().await;
        self.devices_held.store(false, Ordering::Relaxed);
    }

    /// A device called `name`, whose token is its name.
    pub fn pair(&self, name: &str, scopes: Vec<Scope>) {
        let device = Device {
            id: format!("id-{name}"),
            name: name.to_owned(),
            member: "mum".to_owned(),
            scopes,
            paired: Wall::from_micros(1_771_546_007_213_000),
            expires: None,
        };
        self.inner.lock().unwrap().devices.insert(hash_token(name), Arc::new(device));
    }

    pub fn set_expiry(&self, name: &str, expires: Option<Wall>) {
        let mut inner = self.inner.lock().unwrap();
        let device = inner.devices.get_mut(&hash_token(name)).unwrap();
        *device = Arc::new(Device { expires, ..(**device).clone() });
    }

    /// Commits an event of this type.
    pub fn tell(&self, id: u64, event_type: EventType) {
        self.commit(stored(id, event_type.kind(), event_type.name(), None, None));
    }

    /// Commits a `CHILD_LEFT_BEHIND` whose alert runs on.
    pub fn alert(&self, id: u64) {
        self.inner.lock().unwrap().active = vec![EventId(id)];
        self.tell(id, EventType::ChildLeftBehind);
    }

    /// Ends the alert that runs.
    pub fn end_alert(&self, id: u64) {
        let mut inner = self.inner.lock().unwrap();
        let active = std::mem::take(&mut inner.active);
        for event in &mut inner.events {
            if active.contains(&event.id) {
                *event = stored(event.id.0, Kind::Child, "CHILD_LEFT_BEHIND", None, Some(EventId(id)));
            }
        }
        drop(inner);
        self.tell(id, EventType::ChildAlertCleared);
    }

    pub fn publish(&self, id: u64, member: &str) {
        self.commit(stored(id, Kind::Published, "ICE_CREAM", Some(member), None));
    }

    fn commit(&self, event: Arc<Stored>) {
        let id = event.id;
        self.inner.lock().unwrap().events.push(event);
        self.head.send_replace(id);
    }

    /// Forgets events of `kind` up to `id`.
    pub fn prune(&self, kind: Kind, id: u64) {
        let mut inner = self.inner.lock().unwrap();
        let Inner { events, cursors, pruned, .. } = &mut *inner;
        let goes = |event: &Stored| event.kind == kind && event.id <= EventId(id);
        for cursor in cursors.values_mut().filter(|cursor| cursor.kind == kind) {
            let missed = events.iter().filter(|event| goes(event) && event.id > cursor.position).count();
            cursor.forgotten += missed as u64;
        }
        events.retain(|event| !goes(event));
        pruned.insert(kind, EventId(id));
    }

    /// The file with what it has up to `id` could not be read any more, and nobody counts what that was.
    pub fn wreck(&self, id: u64) {
        let mut inner = self.inner.lock().unwrap();
        inner.events.retain(|event| event.id > EventId(id));
        inner.pruned.extend(Kind::ALL.map(|kind| (kind, EventId(id))));
    }

    /// The disk with what the journal has up to `floor` is away, or there again.
    pub fn set_diskless(&self, floor: Option<u64>) {
        self.inner.lock().unwrap().diskless = floor.map(EventId);
    }

    /// The disk takes no cursors, or takes them again, with all that memory has.
    pub fn hold_cursors(&self, held: bool) {
        let mut inner = self.inner.lock().unwrap();
        if !held {
            let Inner { cursors, durable, .. } = &mut *inner;
            for (whose, there) in durable.iter() {
                let here = cursors.entry(whose.clone()).or_insert(*there);
                (here.position, here.told) = (here.position.max(there.position), here.told.max(there.told));
            }
            *durable = cursors.clone();
        }
        drop(inner);
        self.cursors_held.send_replace(held);
    }

    /// The daemon begins anew while the disk does not answer.
    pub fn restart_without_disk(&self) {
        self.hold_cursors(true);
        self.inner.lock().unwrap().cursors.clear();
    }

    /// What the disk has of the cursor of `reader`.
    pub fn durable(&self, reader: &str, kind: Kind) -> EventId {
        let inner = self.inner.lock().unwrap();
        inner.durable.get(&(reader.to_owned(), kind)).map(|cursor| cursor.position).unwrap_or_default()
    }

    /// Where the last 24 h begin.
    pub fn set_recent(&self, id: u64) {
        self.inner.lock().unwrap().recent = Some(EventId(id));
    }

    /// The way that the car has gone, oldest first.
    pub fn set_track(&self, track: Vec<TrackPoint>) {
        self.inner.lock().unwrap().track = track;
    }

    /// How many rows the doors keep under keys that begin so.
    pub fn rows(&self, prefix: &str) -> usize {
        self.inner.lock().unwrap().kept.keys().filter(|key| key.starts_with(prefix)).count()
    }

    /// The journal can be read, or no longer.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Relaxed);
    }

    /// The journal can be read so many times more.
    pub fn break_after(&self, reads: usize) {
        self.reads_left.store(reads, Ordering::Relaxed);
    }

    pub fn change_picture(&self, change: impl FnOnce(&mut Picture)) {
        self.picture.send_modify(|picture| {
            let mut new = (**picture).clone();
            change(&mut new);
            *picture = Arc::new(new);
        });
    }

    /// What was asked of the vehicle.
    pub fn asked(&self) -> Vec<Request> {
        self.inner.lock().unwrap().asked.clone()
    }

    fn known(&self, vin: &Vin) -> Result<(), Unavailable> {
        if *vin == self.vin { Ok(()) } else { Err(Unavailable::Vehicle(vin.clone())) }
    }

    fn readable(&self, vin: &Vin) -> Result<(), Unavailable> {
        self.known(vin)?;
        let left = self.reads_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        let broken = self.broken.load(Ordering::Relaxed) || left.is_err();
        if broken { Err(Unavailable::Journal("disk I/O error".to_owned())) } else { Ok(()) }
    }

    fn decide(&self, request: &Request) -> Result<Outcome, Failure> {
        if let Request::Publish(publish) = request {
            return self.take(publish);
        }
        let inner = self.inner.lock().unwrap();
        let running = inner.active.last().copied();
        let (answer, id) = match request {
            Request::Snooze { event, .. } | Request::Safe { event, .. } if running != Some(*event) => {
                let reason = "that alert has ended".to_owned();
                return Err(Refusal::Conflict { reason, running }.into());
            }
            Request::Snooze { event, .. } | Request::Safe { event, .. } => (Answer::Event(*event), Some(*event)),
            Request::PutFence(fence) if fence.id == "school" => {
                return Err(Refusal::Conflict { reason: "that fence is the file's".to_owned(), running: None }.into());
            }
            Request::PutFence(fence) if fence.id == "home" => (Answer::Changed, None),
            Request::PutFence(_) => (Answer::Created, None),
            Request::DeleteFence(_) | Request::FleetFences(_) | Request::FleetSettings(_) => (Answer::Changed, None),
            Request::Publish(_) => unreachable!("taken above"),
        };
        let event = inner.events.iter().find(|event| Some(event.id) == id).cloned();
        Ok(Outcome { answer, event })
    }

    /// What the engine and its journal do with something published.
    fn take(&self, publish: &Publish) -> Result<Outcome, Failure> {
        let id = EventId(self.head.borrow().0 + 1);
        let before = publish.once.and_then(|once| {
            let inner = self.inner.lock().unwrap();
            let found = inner.published.get(&once.key).copied();
            found.map(|(content, id)| (content == once.content, id))
        });
        match before {
            Some((true, id)) => return Ok(Outcome { answer: Answer::Already(id), event: None }),
            Some((false, _)) => return Err(Refusal::Invalid("that key was used for another event".to_owned()).into()),
            None => {}
        }
        if let Some(once) = publish.once {
            self.inner.lock().unwrap().published.insert(once.key, (once.content, id));
        }
        let Published { event_type, member, body } = &publish.event;
        let mut event = stored(id.0, Kind::Published, event_type, Some(member), None);
        let plain = Arc::get_mut(&mut event).unwrap();
        let mut json: serde_json::Map<_, _> = serde_json::from_str(&plain.json).unwrap();
        json.insert("body".to_owned(), body.clone().into());
        let durable = if self.told_from_memory.load(Ordering::Relaxed) { ",\"durable\":false}" } else { "}" };
        let text = telltale::event::escape_line_ends(serde_json::to_string(&json).unwrap());
        plain.json = format!("{}{durable}", text.strip_suffix('}').unwrap()).into();
        self.commit(event.clone());
        Ok(Outcome { answer: Answer::Event(id), event: Some(event) })
    }

    /// What is committed from now on is told from memory.
    pub fn tell_from_memory(&self) {
        self.told_from_memory.store(true, Ordering::Relaxed);
    }
}

impl Feed for MemoryFeed {
    fn vehicles(&self) -> Vec<Vin> {
        vec![self.vin.clone()]
    }

    fn events_after<'a>(
        &'a self,
        vin: &'a Vin,
        after: EventId,
        filter: &'a Filter,
        limit: usize,
    ) -> Pending<'a, Result<Page, Unavailable>> {
        Box::pin(async move {
            self.readable(vin)?;
            let inner = self.inner.lock().unwrap();
            let after = match inner.diskless {
                Some(floor) if after == EventId(0) => floor,
                Some(floor) if after < floor => return Err(Unavailable::Journal("there is no file".to_owned())),
                _ => after,
            };
            let from = inner.events.partition_point(|event| event.id <= after);
            let matching = inner.events[from..].iter().filter(|event| filter.matches(event));
            let events: Vec<_> = matching.take(limit).cloned().collect();
            let head = *self.head.borrow();
            let next = if events.len() == limit { events.last().map_or(head, |event| event.id) } else { head };
            Ok(Page { events, next })
        })
    }

    fn recent<'a>(
        &'a self,
        vin: &'a Vin,
        _filter: &'a Filter,
        hours: u32,
        limit: usize,
    ) -> Pending<'a, Result<EventId, Unavailable>> {
        assert_eq!((hours, limit), (24, 1000));
        Box::pin(async move {
            self.readable(vin)?;
            Ok(self.inner.lock().unwrap().recent.unwrap_or_default())
        })
    }

    fn head(&self, vin: &Vin) -> Result<watch::Receiver<EventId>, Unavailable> {
        self.known(vin)?;
        Ok(self.head.subscribe())
    }

    fn pruned(&self, vin: &Vin, filter: &Filter) -> Result<EventId, Unavailable> {
        self.known(vin)?;
        let inner = self.inner.lock().unwrap();
        Ok(filter.kinds().filter_map(|kind| inner.pruned.get(&kind).copied()).max().unwrap_or_default())
    }

    fn active(&self, vin: &Vin) -> Result<Vec<Arc<Stored>>, Unavailable> {
        self.known(vin)?;
        let inner = self.inner.lock().unwrap();
        Ok(inner.events.iter().filter(|event| inner.active.contains(&event.id)).cloned().collect())
    }

    fn picture(&self, vin: &Vin) -> Result<watch::Receiver<Arc<Picture>>, Unavailable> {
        self.known(vin)?;
        Ok(self.picture.subscribe())
    }

    fn fences(&self, vin: &Vin) -> Result<watch::Receiver<Fences>, Unavailable> {
        self.known(vin)?;
        Ok(self.fences.subscribe())
    }

    fn track<'a>(
        &'a self,
        vin: &'a Vin,
        from: Wall,
        to: Wall,
        limit: usize,
    ) -> Pending<'a, Result<Vec<TrackPoint>, Unavailable>> {
        Box::pin(async move {
            self.readable(vin)?;
            let inner = self.inner.lock().unwrap();
            let within = inner.track.iter().filter(|point| point.time >= from && point.time < to);
            Ok(within.take(limit).copied().collect())
        })
    }

    fn submit<'a>(&'a self, vin: &'a Vin, request: Request) -> Pending<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            self.known(vin)?;
            if self.broken.load(Ordering::Relaxed) {
                return Err(Unavailable::Engine.into());
            }
            self.inner.lock().unwrap().asked.push(request.clone());
            self.decide(&request)
        })
    }

    fn device(&self, token: &TokenHash) -> Option<Arc<Device>> {
        self.inner.lock().unwrap().devices.get(token).cloned()
    }

    fn devices(&self) -> Vec<Arc<Device>> {
        let mut devices: Vec<_> = self.inner.lock().unwrap().devices.values().cloned().collect();
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        devices
    }

    fn add_device(&self, token: TokenHash, device: Device) -> Pending<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            self.readable(&self.vin)?;
            if self.devices_held.load(Ordering::Relaxed) {
                let _went = Went(&self.device_went);
                self.device_came.notify_one();
                return std::future::pending().await;
            }
            self.inner.lock().unwrap().devices.insert(token, Arc::new(device));
            self.devices.send_modify(|n| *n += 1);
            Ok(())
        })
    }

    fn revoke_device<'a>(&'a self, id: &'a str) -> Pending<'a, Result<bool, Unavailable>> {
        Box::pin(async move {
            let mut inner = self.inner.lock().unwrap();
            let before = inner.devices.len();
            inner.devices.retain(|_, device| device.id != id);
            let found = inner.devices.len() < before;
            drop(inner);
            self.devices.send_modify(|n| *n += 1);
            Ok(found)
        })
    }

    fn kept(&self, prefix: &str) -> Vec<(String, Arc<[u8]>)> {
        let rows = &self.inner.lock().unwrap().kept;
        let under = rows.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        under.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn keep(&self, rows: Vec<Row>) -> Pending<'_, Result<(), Unavailable>> {
        let kept = &mut self.inner.lock().unwrap().kept;
        for Row { key, value } in rows {
            assert!(key.starts_with(DOOR), "{key}");
            match value {
                Some(value) => kept.insert(key, value.into()),
                None => kept.remove(&key),
            };
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn cursors(&self, reader: &str) -> Vec<Cursor> {
        let cursors = &self.inner.lock().unwrap().cursors;
        cursors.iter().filter(|((name, _), _)| name == reader).map(|(_, cursor)| *cursor).collect()
    }

    fn advance<'a>(&'a self, reader: &'a str, kind: Kind, position: EventId, told: u64) -> Pending<'a, Result<(), Unavailable>> {
        let mut inner = self.inner.lock().unwrap();
        let none = Cursor { kind, position, forgotten: 0, told: 0 };
        let whose = (reader.to_owned(), kind);
        let cursor = inner.cursors.entry(whose.clone()).or_insert(none);
        (cursor.position, cursor.told) = (cursor.position.max(position), cursor.told.max(told));
        let now = *cursor;
        let mut held = self.cursors_held.subscribe();
        if !*held.borrow() {
            inner.durable.insert(whose, now);
        }
        Box::pin(async move {
            let written = tokio::time::timeout(Duration::from_secs(5), held.wait_for(|held| !held)).await;
            written.map(|_| ()).map_err(|_| Unavailable::Journal("the disk does not answer".to_owned()))
        })
    }

    fn make_room(&self, _needed: &[String]) -> Vec<String> {
        Vec::new()
    }

    fn device_changes(&self) -> watch::Receiver<u64> {
        self.devices.subscribe()
    }
}

fn stored(id: u64, kind: Kind, event_type: &str, member: Option<&str>, ended: Option<EventId>) -> Arc<Stored> {
    let json = serde_json::json!({
        "eventId": id, "eventType": event_type, "severity": "info", "timestamp": stamp(0).wall.to_string(), "vin": VIN,
        "lastLocation": {"address": format!("Büro {id}")},
    })
    .to_string();
    Arc::new(Stored {
        id: EventId(id),
        kind,
        event_type: event_type.into(),
        severity: Severity::Info,
        member: member.map(Into::into),
        alert: None,
        ended,
        json: json.into(),
        encoded: Default::default(),
    })
}

fn fence(id: &str, source: FenceSource) -> Fence {
    let shape = Shape::circle(Point { latitude: 37.5, longitude: 127.1 }, 100.0).unwrap();
    Fence { name: Some(id.to_uppercase()), ..Fence::new(id, source, shape) }
}

/// The moment of the picture.
pub fn stamp(seconds: i64) -> Stamp {
    let boot = Boot::from_micros(seconds * 1_000_000);
    Stamp { boot, wall: Wall::from_micros(1_771_546_007_213_000 + seconds * 1_000_000), source: TimeSource::Gnss }
}

/// A fix of that moment.
pub fn fix(seconds: i64) -> Fix {
    Fix {
        at: stamp(seconds).boot,
        time: Some(stamp(seconds).wall),
        mode: Mode::ThreeD,
        point: Point { latitude: 37.5, longitude: 127.1 },
        accuracy: 4.123,
        altitude: Some(30.0),
        speed: Some(12.345),
        heading: Some(182.0),
        satellites: Some(9),
        hdop: None,
    }
}

fn picture(vin: &Vin) -> Picture {
    let home = Fence { name: None, ..fence("home", FenceSource::Phone) };
    let signal = |signal, value, age| SignalNow { signal, value, age, source: "CGW1.X".to_owned() };
    Picture {
        stamp: stamp(0),
        vin: vin.clone(),
        signals: vec![
            signal(Signal::Speed, Some(Value::Number(12.5)), Some(0.1234)),
            signal(Signal::CabinIsLocked, Some(Value::Bool(true)), Some(2.0)),
            signal(Signal::TraveledDistance, None, None),
        ],
        location: Location { address: "Office\u{2028}<b>".to_owned(), ..Location::of(Some(fix(0))) },
        further: Vec::new(),
        fences: Arc::new(vec![FenceNow { fence: Arc::new(home), inside: Some(true), since: None }]),
        child: ChildNow { state: "parked".to_owned(), ..ChildNow::default() },
        status: Status { mil: Some(false), sources: [("can0".to_owned(), Condition::Ok)].into(), ..Status::default() },
    }
}
