//! What waits to be sent: read from the feed, a batch at a time, from where the receiver is.
//!
//! Of each lane only a position is held. An event lane's is the last event that was acknowledged; the track's is the first
//! window that was not. A window of the track, a minute by the clock of its points, is sent once it is over: a later point
//! exists, or the clock says so by another minute. Points that come later for a window that was sent are not sent. A first
//! window that lies ahead of a clock that a receiver sets was found when that clock was wrong: from now on it is this minute's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::envelope::{self, WINDOW_US};
use super::lanes::{BATCH, BATCH_BYTES, Lane, Turns, fit};
use super::settings::Settings;
use super::{Message, budget::Budget};
use crate::clock::{Stamp, TimeSource, Wall};
use crate::event::{EventId, Kind};
use crate::feed::{Cursor, Feed, Filter, Stored, TrackPoint, Unavailable};
use crate::vehicle::Vin;

/// Nothing moves when the track gets longer, so it is looked at again after this.
const TRACK_AGAIN: Duration = Duration::from_secs(10);

/// A window that no later point ends is over so long after its end.
const WINDOW_GRACE_US: i64 = 60_000_000;

/// So many points are read at once: more than a window has.
const POINTS: usize = 256;

/// What goes together: messages of one lane, and what each of them brings the receiver to.
#[derive(Debug)]
pub struct Batch {
    /// The lane.
    pub lane: Lane,
    /// In order.
    pub messages: Vec<Message>,
    marks: Vec<Mark>,
}

/// How far a receiver is that has a message.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Event(EventId),
    /// So many were forgotten, ever, and perhaps more, all of them up to here.
    Gap(u64, EventId),
    /// The window, in minutes since the Unix epoch.
    Window(i64),
}

/// How far a receiver is with a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to here is the receiver's.
    pub position: EventId,
    /// It was told of so many that it will never get.
    pub told: u64,
    /// Up to here nothing else of the kind is there.
    looked: EventId,
    /// The journal is known to have the position, which goes on from there whatever else memory gives.
    settled: bool,
    /// What lay between the position and here may have gone uncounted, with a file that could not be read any more.
    lost: EventId,
    /// Up to here the receiver was told of that.
    lost_told: EventId,
}

/// See the module.
pub struct Backlog {
    feed: Arc<dyn Feed>,
    vin: Vin,
    reader: String,
    settings: Settings,
    turns: Turns,
    kinds: BTreeMap<Kind, Progress>,
    /// The first window that was not acknowledged.
    window: i64,
    track_from: Instant,
    /// Events that were acknowledged, for [`Settings::drops`].
    acknowledged: u64,
}

impl Progress {
    /// Nothing of the kind that is not the receiver's lies up to here.
    pub fn reach(&self) -> EventId {
        self.position.max(self.looked)
    }
}

impl Backlog {
    /// What waits for the upstream of `settings`, whose cursors are those of `reader`, and whose track goes on at the
    /// window `window`.
    pub fn new(feed: Arc<dyn Feed>, vin: Vin, reader: String, settings: Settings, window: i64) -> Backlog {
        let turns = Turns::new(&settings.kinds, settings.track);
        let kinds = settings.kinds.iter().map(|kind| (*kind, Progress::default())).collect();
        Backlog { feed, vin, reader, settings, turns, kinds, window, track_from: Instant::now(), acknowledged: 0 }
    }

    /// The receiver is there, as far as the journal can tell.
    pub fn place(&mut self, cursor: &Cursor) {
        if let Some(progress) = self.kinds.get_mut(&cursor.kind) {
            let Cursor { position, told, .. } = *cursor;
            *progress = Progress { position, told, looked: position, settled: false, ..*progress };
        }
    }

    /// The journal has it for sure that the receiver is there.
    pub fn settle(&mut self, cursor: &Cursor) {
        self.place(cursor);
        if let Some(progress) = self.kinds.get_mut(&cursor.kind) {
            progress.settled = true;
        }
    }

    /// The receiver has the track up to the window `window`, whatever of it was sent from memory.
    pub fn place_track(&mut self, window: i64) {
        self.window = window;
    }

    /// It is `now`: nothing of the track waits for a time that only a wrong clock knew.
    pub fn tick(&mut self, now: Stamp) {
        let this = now.wall.micros().div_euclid(WINDOW_US);
        if now.source == TimeSource::Gnss && self.window > this.saturating_add(1) {
            self.window = this;
        }
    }

    /// Whether what lies above `position` can be read now.
    pub async fn can_read_after(&self, position: EventId) -> bool {
        self.feed.events_after(&self.vin, position, &Filter::of(&self.settings.kinds), 1).await.is_ok()
    }

    /// How far the receiver is with `kind`.
    pub fn progress(&self, kind: Kind) -> Progress {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// The first window of the track that the receiver may not have.
    pub fn window(&self) -> i64 {
        self.window
    }

    /// What goes next of the lanes that are not `held`; `None` while nothing waits that may be sent.
    ///
    /// # Errors
    /// When nothing could be read, and something could not.
    pub async fn next(
        &mut self,
        budget: &Budget,
        stamp: Stamp,
        held: impl Fn(Lane) -> bool,
    ) -> Result<Option<Batch>, Unavailable> {
        let mut failed = None;
        for lane in self.turns.order().into_iter().filter(|lane| !held(*lane)) {
            let (room, anyway) = match budget.left().filter(|_| lane.is_metered()) {
                Some(0) => continue,
                Some(left) => (left.min(BATCH_BYTES), budget.is_whole()),
                None => (BATCH_BYTES, true),
            };
            let found = match lane {
                Lane::Events(kind) => self.events(kind).await,
                Lane::Track => self.track(stamp).await,
            };
            match found {
                Ok(Some(batch)) => match batch.fitting(room, anyway) {
                    Some(batch) => return Ok(Some(batch)),
                    None => continue,
                },
                Ok(None) => {}
                Err(unavailable) => failed = Some(unavailable),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// The message after the one of `lane` that is called `id`, alone.
    ///
    /// # Errors
    /// When nothing could be read.
    pub async fn after(&mut self, lane: Lane, id: &str, stamp: Stamp) -> Result<Option<Batch>, Unavailable> {
        let found = match lane {
            Lane::Events(kind) => {
                let page = self.page(kind, BATCH).await?;
                Some(self.batch(kind, &page))
            }
            Lane::Track => self.track(stamp).await?,
        };
        let Some(mut batch) = found else { return Ok(None) };
        // A gap goes before all of them.
        let at = batch.messages.iter().position(|message| message.id == id).map_or(0, |at| at + 1);
        if at >= batch.messages.len() {
            return Ok(None);
        }
        batch.messages.drain(..at);
        batch.marks.drain(..at);
        Ok(Some(batch.first(1)))
    }

    /// The first `count` of `batch` are the receiver's.
    pub fn acknowledge(&mut self, batch: &Batch, count: usize) {
        self.turns.went(batch.lane);
        for mark in batch.marks.iter().take(count) {
            match (*mark, batch.lane) {
                (Mark::Window(window), _) => self.window = window.saturating_add(1),
                (Mark::Event(id), Lane::Events(kind)) => {
                    self.acknowledged = self.acknowledged.saturating_add(1);
                    let progress = self.kinds.entry(kind).or_default();
                    progress.position = id;
                    progress.looked = progress.looked.max(id);
                }
                (Mark::Gap(forgotten, up_to), Lane::Events(kind)) => {
                    let progress = self.kinds.entry(kind).or_default();
                    progress.told = forgotten;
                    progress.lost_told = progress.lost_told.max(up_to);
                    if progress.looked >= up_to {
                        // Nothing else is left below, so that the next start need not tell of it again.
                        progress.position = progress.position.max(up_to);
                    }
                }
                (Mark::Event(_) | Mark::Gap(..), Lane::Track) => {}
            }
        }
    }

    /// The oldest event that was not acknowledged.
    ///
    /// # Errors
    /// When nothing could be read.
    pub async fn oldest(&mut self) -> Result<Option<Arc<Stored>>, Unavailable> {
        let mut oldest: Option<Arc<Stored>> = None;
        for kind in self.settings.kinds.clone() {
            let first = self.page(kind, 1).await?.into_iter().next();
            oldest = [oldest, first].into_iter().flatten().min_by_key(|event| event.id);
        }
        Ok(oldest)
    }

    /// The id of the last event that may be shown.
    pub fn head(&self) -> EventId {
        self.feed.head(&self.vin).map(|head| *head.borrow()).unwrap_or_default()
    }

    /// A child's event above `after`, or how far was looked.
    ///
    /// # Errors
    /// When that cannot be read.
    pub async fn child_after(&self, after: EventId) -> Result<(bool, EventId), Unavailable> {
        if !self.kinds.contains_key(&Kind::Child) {
            return Ok((false, after));
        }
        let page = self.feed.events_after(&self.vin, after, &Filter::of(&[Kind::Child]), 1).await?;
        Ok((!page.events.is_empty(), page.next))
    }

    /// Whether a child's event waits.
    ///
    /// # Errors
    /// When that cannot be read.
    pub async fn child_waits(&mut self) -> Result<bool, Unavailable> {
        if !self.kinds.contains_key(&Kind::Child) {
            return Ok(false);
        }
        self.page(Kind::Child, 1).await.map(|events| !events.is_empty())
    }

    /// Events of `kind` that were not acknowledged, `limit` at most.
    async fn page(&mut self, kind: Kind, limit: usize) -> Result<Vec<Arc<Stored>>, Unavailable> {
        let head = self.head();
        let filter = Filter::of(&[kind]);
        let progress = self.kinds.entry(kind).or_default();
        loop {
            let from = progress.reach();
            if from >= head {
                return Ok(Vec::new());
            }
            let page = self.feed.events_after(&self.vin, from, &filter, limit).await?;
            if from == EventId(0) && progress.settled {
                // From the very beginning a journal that has lost its disk gives what memory has, which would lead past
                // what is on the disk. From anywhere else it says that it cannot.
                self.feed.events_after(&self.vin, EventId(1), &filter, 1).await?;
            }
            // Asked after the read, which fails while there is no file: meanwhile everything counts as pruned that is in it.
            let pruned = self.feed.pruned(&self.vin, &filter).unwrap_or_default();
            if progress.position > EventId(0) && pruned > from {
                progress.lost = progress.lost.max(pruned);
            }
            if !page.events.is_empty() || page.next <= from {
                return Ok(page.events);
            }
            progress.looked = page.next;
        }
    }

    async fn events(&mut self, kind: Kind) -> Result<Option<Batch>, Unavailable> {
        let lane = Lane::Events(kind);
        loop {
            let page = self.page(kind, BATCH).await;
            if let Some((message, mark)) = self.gap(kind) {
                return Ok(Some(Batch { lane, messages: vec![message], marks: vec![mark] }));
            }
            let page = page?;
            let Some(last) = page.last().map(|last| last.id) else { return Ok(None) };
            let batch = self.batch(kind, &page);
            let sent = self.acknowledged;
            let dropped = (1..).zip(&batch.messages).position(|(nth, _)| self.settings.drops(sent.saturating_add(nth)));
            match dropped {
                Some(0) => self.acknowledge(&batch, 1),
                Some(at) => return Ok(Some(batch.first(at))),
                None if batch.messages.is_empty() => self.kinds.entry(kind).or_default().looked = last,
                None => return Ok(Some(batch)),
            }
        }
    }

    fn batch(&self, kind: Kind, page: &[Arc<Stored>]) -> Batch {
        let made = page.iter().filter_map(|stored| Some((envelope::event(&self.vin, stored)?, Mark::Event(stored.id))));
        let (messages, marks) = made.unzip();
        Batch { lane: Lane::Events(kind), messages, marks }
    }

    /// What the receiver will never get, where it was not told yet.
    fn gap(&self, kind: Kind) -> Option<(Message, Mark)> {
        let Progress { told, lost, lost_told, .. } = self.progress(kind);
        let cursor = self.feed.cursors(&self.reader).into_iter().find(|cursor| cursor.kind == kind)?;
        if cursor.forgotten <= told.max(cursor.told) && lost <= lost_told {
            return None;
        }
        let up_to = self.feed.pruned(&self.vin, &Filter::of(&[kind])).unwrap_or_default().max(lost);
        Some((envelope::gap(&self.vin, kind, cursor.forgotten, up_to), Mark::Gap(cursor.forgotten, up_to)))
    }

    async fn track(&mut self, stamp: Stamp) -> Result<Option<Batch>, Unavailable> {
        let now = Instant::now();
        // Points carry a receiver's time: before a clock shows it too, nobody can tell which of them are over.
        if now < self.track_from || stamp.source == TimeSource::Unset {
            return Ok(None);
        }
        let from = Wall::from_micros(self.window.saturating_mul(WINDOW_US));
        let points = self.feed.track(&self.vin, from, stamp.wall, POINTS).await?;
        let windows = over(&points, stamp.wall);
        if windows.is_empty() {
            self.track_from = now + TRACK_AGAIN;
            return Ok(None);
        }
        let messages = windows.iter().map(|(window, points)| envelope::track(&self.vin, *window, points)).collect();
        let marks = windows.iter().map(|(window, _)| Mark::Window(*window)).collect();
        Ok(Some(Batch { lane: Lane::Track, messages, marks }))
    }
}

impl Batch {
    /// Without messages: to stay in touch.
    pub fn nothing() -> Batch {
        Batch { lane: Lane::Track, messages: Vec::new(), marks: Vec::new() }
    }

    /// What of it may be sent in `room` bytes.
    fn fitting(self, room: u64, anyway: bool) -> Option<Batch> {
        let lengths = self.messages.iter().map(|message| u64::try_from(message.json.len()).unwrap_or(u64::MAX));
        let count = fit(lengths, room, anyway);
        (count > 0).then(|| self.first(count))
    }

    fn first(mut self, count: usize) -> Batch {
        self.messages.truncate(count);
        self.marks.truncate(count);
        self
    }
}

/// The windows of `points` that are over at `now`, oldest first.
fn over(points: &[TrackPoint], now: Wall) -> Vec<(i64, &[TrackPoint])> {
    let window = |point: &TrackPoint| point.time.micros().div_euclid(WINDOW_US);
    let mut windows: Vec<_> =
        points.chunk_by(|a, b| window(a) == window(b)).filter_map(|of| Some((window(of.first()?), of))).collect();
    let is_over = |window: i64| {
        let end = window.saturating_add(1).saturating_mul(WINDOW_US);
        now.micros() >= end.saturating_add(WINDOW_GRACE_US)
    };
    // The last may go on after the last point that was read.
    let cut = points.len() >= POINTS && windows.len() > 1;
    if windows.last().is_some_and(|(last, _)| cut || !is_over(*last)) {
        windows.pop();
    }
    windows.truncate(BATCH);
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Point;

    const MINUTE: i64 = WINDOW_US;

    fn points(times: &[i64]) -> Vec<TrackPoint> {
        let point = Point { latitude: 1.0, longitude: 2.0 };
        let at = |time: &i64| TrackPoint {
            time: Wall::from_micros(*time),
            point,
            altitude: None,
            speed: None,
            heading: None,
            accuracy: 1.0,
        };
        times.iter().map(at).collect()
    }

    fn ended(times: &[i64], now: i64) -> Vec<(i64, usize)> {
        over(&points(times), Wall::from_micros(now)).iter().map(|(window, points)| (*window, points.len())).collect()
    }

    #[test]
    fn a_window_is_over_when_a_later_point_exists_or_another_minute_has_passed() {
        assert_eq!(ended(&[], 9 * MINUTE), []);
        assert_eq!(ended(&[0, 5], MINUTE), []);
        assert_eq!(ended(&[0, 5], 2 * MINUTE - 1), []);
        assert_eq!(ended(&[0, 5], 2 * MINUTE), [(0, 2)]);
        assert_eq!(ended(&[0, 5, MINUTE], MINUTE + 1), [(0, 2)]);
        assert_eq!(ended(&[0, MINUTE - 1, 7 * MINUTE, 8 * MINUTE], 8 * MINUTE), [(0, 2), (7, 1)]);
    }

    #[test]
    fn a_window_that_was_not_read_to_its_end_waits() {
        let times: Vec<i64> = (0..POINTS as i64).map(|at| at * 1_000_000).collect();
        let windows = ended(&times, 99 * MINUTE);
        assert_eq!(windows, [(0, 60), (1, 60), (2, 60), (3, 60)]);
        assert_eq!(ended(&vec![5; POINTS], 99 * MINUTE), [(0, POINTS)], "no receiver tells so many");
    }
}
