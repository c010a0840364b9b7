//! The journal as a story, and against a model. What the tests share is here: events, a journal in a directory of its
//! own, faults that a real disk has.

mod cursors;
mod faults;
mod kill;
mod model;
mod stories;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::{Boot, TimeSource, Wall};
use crate::event::{
    Alert, Child, ChildStage, Details, Diagnosis, Event, EventType, Kind, Location, Published, Severity, Verdict,
};
use crate::feed::{Feed, Filter, Page, Stored};
use crate::metrics::{Metrics, Reason};

/// The time of all stories: 2026-02-20T00:06:47Z.
pub(super) const THEN: i64 = 1_771_546_007_000_000;

/// An event of `id`, of no alert.
pub(in crate::journal) fn event(id: u64, severity: Severity) -> Event {
    let source = format!("number {id}");
    with(id, severity, EventType::GnssLost, Details::Diagnosis(Diagnosis { source, ..Diagnosis::default() }))
}

/// A `CHILD_LEFT_BEHIND` of the alert that began with `first`.
pub(in crate::journal) fn left_behind(id: u64, first: u64) -> Event {
    let stage = if id == first { ChildStage::Initial } else { ChildStage::Repeated };
    let alert = Some(Alert { first: EventId(first), ends: false });
    let child = Child { stage: Some(stage), alert, ..Child::default() };
    with(id, Severity::Warning, EventType::ChildLeftBehind, Details::Child(child))
}

/// The end of the alert that began with `first`.
pub(super) fn cleared(id: u64, first: u64) -> Event {
    let alert = Some(Alert { first: EventId(first), ends: true });
    let child = Child { reason: Some(Verdict::RearDoorOpened), alert, ..Child::default() };
    with(id, Severity::Info, EventType::ChildAlertCleared, Details::Child(child))
}

/// Something published to `member`, of about `bytes` bytes.
pub(super) fn published(id: u64, member: &str, bytes: usize) -> Event {
    let body = [("text".to_owned(), "x".repeat(bytes).into())].into_iter().collect();
    let published = Published { event_type: "NOTE".to_owned(), member: member.to_owned(), body };
    Event { event_type: None, ..with(id, Severity::Info, EventType::GnssLost, Details::Published(published)) }
}

fn with(id: u64, severity: Severity, event_type: EventType, details: Details) -> Event {
    let stamp = Stamp { boot: Boot::from_micros(1), wall: Wall::from_micros(THEN), source: TimeSource::Gnss };
    let event_type = Some(event_type);
    Event { id: EventId(id), severity, stamp, vin: vin(), location: Location::of(None), event_type, details, durable: true }
}

pub(super) fn vin() -> Vin {
    Vin::try_from("KMHSH81C7LU123456".to_owned()).unwrap()
}

/// A row of the engine's state.
pub(super) fn row(key: &str, value: Option<&str>) -> Row {
    Row { key: key.to_owned(), value: value.map(|text| text.as_bytes().to_vec()) }
}

/// A step with these events.
pub(super) fn step(events: impl IntoIterator<Item = Event>) -> Step {
    Step { events: events.into_iter().collect(), rows: Vec::new() }
}

/// Settings for tests: no long pauses, and patience with a machine that is busy.
pub(super) fn settings(dir: &Path) -> Settings {
    Settings { dir: dir.to_owned(), stall_seconds: 60.0, retry_seconds: 0.64, ..Settings::default() }
}

/// A journal, what it counts and how it says it is.
pub(super) struct Bench {
    pub opened: Opened,
    pub health: Health,
    pub counters: Counters,
}

impl Bench {
    /// On a clock that shows [`THEN`].
    pub fn open(settings: Settings) -> Bench {
        Bench::open_at(settings, Clock::scaled(Wall::build().max(Wall::from_micros(THEN)), 1.0))
    }

    pub fn open_at(settings: Settings, clock: Clock) -> Bench {
        let (health, metrics) = (Health::default(), Metrics::default());
        let counters = Counters::register(&metrics);
        let opened = Journal::open(settings, vin(), clock, health.clone(), counters.clone()).unwrap();
        Bench { opened, health, counters }
    }

    pub fn journal(&self) -> &Arc<Journal> {
        &self.opened.journal
    }

    /// An id `offset` after the last that may have been told.
    pub fn id(&self, offset: u64) -> u64 {
        self.opened.last.0 + offset
    }

    pub fn head(&self) -> EventId {
        *self.journal().head(&vin()).unwrap().borrow()
    }

    /// Waits until the head is at `id`.
    pub async fn shown(&self, id: u64) {
        let mut head = self.journal().head(&vin()).unwrap();
        until(head.wait_for(|head| head.0 >= id)).await.unwrap();
    }

    /// Waits until the journal can be written, or cannot.
    pub async fn writable(&self, writable: bool) {
        let mut now = self.opened.writable.clone();
        until(now.wait_for(|now| *now == writable)).await.unwrap();
    }

    /// Waits until everything is in the file.
    pub async fn saved(&self) {
        until(async {
            loop {
                {
                    let state = self.journal().core.state();
                    let kept = state.rows.is_saved() && state.devices.is_saved() && state.cursors.is_saved();
                    if state.saved == state.issued && kept && state.track.is_empty() {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }

    pub async fn page(&self, after: u64, filter: &Filter, limit: usize) -> Page {
        self.journal().events_after(&vin(), EventId(after), filter, limit).await.unwrap()
    }

    /// Everything after `after`.
    pub async fn all(&self, after: u64) -> Vec<Arc<Stored>> {
        let filter = shown_to(Some("anna"));
        let (mut at, mut events) = (EventId(after), Vec::new());
        while at < self.head() {
            let page = self.page(at.0, &filter, 100).await;
            assert!(page.next > at, "a page that goes nowhere");
            at = page.next;
            events.extend(page.events);
        }
        events
    }

    /// As if the power had gone: nothing is written any more. What the disk has is all there is.
    pub fn crash(self) {
        let Bench { opened, .. } = self;
        opened.journal.end(Stop::Crash, Duration::from_secs(300));
    }

    /// A clean stop; everything has to have been written.
    pub fn close(self) {
        assert!(self.journal().close(Duration::from_secs(300)));
    }

    pub fn dropped(&self, reason: &'static str) -> u64 {
        self.counters.dropped.get_or_create(&Reason { reason }).get()
    }

    pub fn complaint(&self) -> String {
        self.health.parts()["journal"].detail.clone()
    }
}

/// Everything that `member` may see.
pub(super) fn shown_to(member: Option<&str>) -> Filter {
    let mut filter = Filter::of(&Kind::ALL);
    filter.member = member.map(Arc::from);
    filter
}

/// Waits, but not for ever.
pub(super) async fn until<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(300), future).await.expect("it never came")
}

pub(super) fn ids(events: &[Arc<Stored>]) -> Vec<u64> {
    events.iter().map(|event| event.id.0).collect()
}

/// Another connection that holds the file, as somebody does who looks at it with a tool and forgets to finish.
pub(super) struct Holder(rusqlite::Connection);

impl Holder {
    pub fn of(dir: &Path) -> Holder {
        let conn = rusqlite::Connection::open(dir.join("journal.db")).unwrap();
        conn.busy_timeout(Duration::from_secs(300)).unwrap();
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        Holder(conn)
    }

    pub fn let_go(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// A directory that can go and come back, at once: there is no moment in which one could be made in its place.
pub(super) fn movable(parent: &Path) -> PathBuf {
    let dir = parent.join("journal");
    std::fs::create_dir(dir.with_extension("elsewhere")).unwrap();
    bring_back(&dir);
    dir
}

/// Takes it away and puts something there that is no directory, as when a mount is lost.
pub(super) fn take_away(dir: &Path) {
    let none = dir.with_extension("none");
    std::fs::write(&none, "not a directory").unwrap();
    std::fs::rename(none, dir).unwrap();
}

/// Brings it back.
pub(super) fn bring_back(dir: &Path) {
    let link = dir.with_extension("link");
    std::os::unix::fs::symlink(dir.with_extension("elsewhere"), &link).unwrap();
    std::fs::rename(link, dir).unwrap();
}
