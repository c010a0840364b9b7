//! The journal as the doors read it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::Journal;
use super::ask::Asked;
use super::reader::{self, Job, Query};
use super::ring::{is_full, with_end};
use super::state::{Mode, Waiter};
use crate::clock::{TimeSource, Wall};
use crate::event::{EventId, EventType, Kind, Row};
use crate::feed::{
    Cursor, DOOR, Device, Failure, Feed, Fences, Filter, Outcome, Page, Pending, Picture, Stored, TokenHash, TrackPoint,
    Unavailable,
};
use crate::request::Request;
use crate::vehicle::Vin;

/// How long anybody waits for the engine or for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// A page has so many events at most, whoever asks.
const PAGE: usize = 1_024;

/// So many phones may be paired.
const DEVICES: usize = 256;

/// So many rows the doors may keep, and so long.
const KEPT_ROWS: usize = 5_120;
const KEPT_BYTES: usize = 4_096;

impl Journal {
    fn knows(&self, vin: &Vin) -> Result<(), Unavailable> {
        if *vin == self.core.vin { Ok(()) } else { Err(Unavailable::Vehicle(vin.clone())) }
    }

    /// Lets the reader do this.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (slot, answer) = oneshot::channel();
        let query: Query = Box::new(move |conn| {
            let (answer, failed) = match conn.map(read) {
                Ok(Ok(found)) => (Ok(found), Ok(())),
                Ok(Err(error)) => (Err(error.to_string()), Err(error)),
                Err(trouble) => (Err(trouble.to_string()), Ok(())),
            };
            // Who asked may have gone.
            let _ = slot.send(answer);
            failed
        });
        let answered = async {
            self.reads.send(Job::Read(query)).await.ok()?;
            answer.await.ok()
        };
        let nobody = || Err("the disk does not answer".to_owned());
        let answer = tokio::time::timeout(PATIENCE, answered).await.ok().flatten();
        answer.unwrap_or_else(nobody).map_err(Unavailable::Journal)
    }

    /// Up to the floor from the file, from there on out of memory; each piece says where the next begins. Nothing above
    /// the head that watchers have seen. While there is no file, what lies below the floor is told as pruned; who comes
    /// from below nevertheless must not be led past it, except from the beginning, which is wherever there is something.
    async fn page(&self, mut after: EventId, filter: &Filter, limit: usize) -> Result<Page, Unavailable> {
        let limit = limit.clamp(1, PAGE);
        let from_beginning = after == EventId(0);
        let head = *self.core.head.borrow();
        let mut events = Vec::new();
        while after < head && events.len() < limit && !is_full(&events) {
            let floor = {
                let state = self.core.state();
                let floor = state.ring.floor();
                if after >= floor || (from_beginning && state.file.is_none()) {
                    let page = state.ring.page(after, head, filter, limit - events.len());
                    events.extend(page.events);
                    after = page.next;
                    break;
                }
                floor
            };
            let (shown, rest, upto) = (filter.clone(), limit - events.len(), floor.min(head));
            let core = self.core.clone();
            let page = self.read(move |conn| reader::page(conn, after, upto, &shown, rest, &core)).await?;
            events.extend(page.events.into_iter().map(|stored| self.with_end(stored)));
            after = page.next;
        }
        Ok(Page { events, next: after })
    }

    /// The file does not know yet of an end that was told from memory.
    fn with_end(&self, stored: Arc<Stored>) -> Arc<Stored> {
        let left_behind = &*stored.event_type == EventType::ChildLeftBehind.name();
        let alert = stored.alert.filter(|_| left_behind && stored.ended.is_none());
        let end = alert.and_then(|first| self.core.state().end_of(first));
        end.map_or(stored.clone(), |end| with_end(&stored, end))
    }

    /// The position before the oldest of those that are recent, looking back from the head.
    async fn recent_from(&self, filter: &Filter, hours: u32, limit: usize) -> Result<EventId, Unavailable> {
        let now = self.core.now();
        let since = Wall::from_micros(now.wall.micros().saturating_sub(i64::from(hours).saturating_mul(3_600_000_000)));
        let since_id = EventId(u64::try_from(since.micros()).unwrap_or(0));
        // An id is never behind the clock that issued it, unless the journal could not be written then.
        let is_recent = |time: Wall, id: EventId| id >= since_id || (now.source != TimeSource::Unset && time >= since);
        let head = *self.core.head.borrow();
        let mut found = Recent { position: head, left: limit };
        let mut below = {
            let state = self.core.state();
            for entry in state.ring.after(EventId(0)).rev().filter(|entry| entry.id() <= head) {
                if filter.matches(&entry.stored) && !found.take(entry.id(), is_recent(entry.time, entry.id())) {
                    return Ok(found.position);
                }
            }
            state.file.map(|_| state.ring.floor())
        };
        while let Some(from) = below {
            let shown = filter.clone();
            let core = self.core.clone();
            let (entries, next) = self.read(move |conn| reader::backwards(conn, from, &shown, &core)).await?;
            for entry in entries {
                if !found.take(entry.id(), is_recent(entry.time, entry.id())) {
                    return Ok(found.position);
                }
            }
            below = next.filter(|next| *next >= since_id);
        }
        Ok(found.position)
    }

    async fn points(&self, mut from: Wall, to: Wall, limit: usize) -> Result<Vec<TrackPoint>, Unavailable> {
        // First what is not in the file yet: a point that gets there meanwhile is then found twice, never not at all.
        let (waiting, readable) = {
            let state = self.core.state();
            let within = |point: &&TrackPoint| point.time >= from && point.time < to;
            (state.track.iter().filter(within).copied().collect::<Vec<_>>(), state.file.is_some())
        };
        let mut points: BTreeMap<Wall, TrackPoint> = waiting.into_iter().map(|point| (point.time, point)).collect();
        let mut stored = 0;
        while readable && stored < limit {
            let rest = limit - stored;
            let page = self.read(move |conn| reader::track(conn, from, to, rest)).await?;
            let full = page.len() == rest.min(reader::ROWS);
            stored += page.len();
            from = page.last().map_or(to, |last| Wall::from_micros(last.time.micros().saturating_add(1)));
            points.extend(page.into_iter().map(|point| (point.time, point)));
            if !full {
                break;
            }
        }
        Ok(points.into_values().take(limit).collect())
    }

    async fn ask(&self, request: Request) -> Result<Outcome, Failure> {
        let (asked, outcome) = Asked::new(request);
        self.asks.try_send(asked).map_err(|_| Unavailable::Engine)?;
        match tokio::time::timeout(PATIENCE, outcome).await {
            Ok(Ok(outcome)) => outcome,
            _ => Err(Unavailable::Engine.into()),
        }
    }

    /// Puts a device there or takes it away, and waits until that is durable.
    async fn change_device<T>(
        &self,
        token: TokenHash,
        device: Option<Arc<Device>>,
        waiter: impl FnOnce(oneshot::Sender<Result<T, Unavailable>>) -> Waiter,
    ) -> Result<T, Unavailable> {
        let (slot, done) = oneshot::channel();
        let waiter = waiter(slot);
        self.core.change(&self.reads.downgrade(), |state| state.set_device(token, device, waiter, Instant::now()));
        self.core.devices.send_modify(|changes| *changes += 1);
        durable(done).await
    }

    fn why_not_written(&self) -> Option<Unavailable> {
        match &self.core.state().mode {
            Mode::Writing => None,
            Mode::Degraded(why) => Some(Unavailable::Journal(why.clone())),
        }
    }
}

/// Waits until a change is durable.
async fn durable<T>(done: oneshot::Receiver<Result<T, Unavailable>>) -> Result<T, Unavailable> {
    match tokio::time::timeout(PATIENCE, done).await {
        Ok(Ok(done)) => done,
        _ => Err(Unavailable::Journal("the disk does not answer".to_owned())),
    }
}

/// Counts back.
struct Recent {
    position: EventId,
    left: usize,
}

impl Recent {
    /// Whether to go on after this one.
    fn take(&mut self, id: EventId, is_recent: bool) -> bool {
        if !is_recent || self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.position = EventId(id.0.saturating_sub(1));
        true
    }
}

impl Feed for Journal {
    fn vehicles(&self) -> Vec<Vin> {
        vec![self.core.vin.clone()]
    }

    fn events_after<'a>(
        &'a self,
        vin: &'a Vin,
        after: EventId,
        filter: &'a Filter,
        limit: usize,
    ) -> Pending<'a, Result<Page, Unavailable>> {
        Box::pin(async move {
            self.knows(vin)?;
            self.page(after, filter, limit).await
        })
    }

    fn recent<'a>(
        &'a self,
        vin: &'a Vin,
        filter: &'a Filter,
        hours: u32,
        limit: usize,
    ) -> Pending<'a, Result<EventId, Unavailable>> {
        Box::pin(async move {
            self.knows(vin)?;
            self.recent_from(filter, hours, limit).await
        })
    }

    fn head(&self, vin: &Vin) -> Result<watch::Receiver<EventId>, Unavailable> {
        self.knows(vin).map(|()| self.core.head.subscribe())
    }

    fn pruned(&self, vin: &Vin, filter: &Filter) -> Result<EventId, Unavailable> {
        self.knows(vin).map(|()| self.core.state().pruned(filter))
    }

    fn active(&self, vin: &Vin) -> Result<Vec<Arc<Stored>>, Unavailable> {
        self.knows(vin).map(|()| self.core.state().alerts.values().map(|entry| entry.told().clone()).collect())
    }

    fn picture(&self, vin: &Vin) -> Result<watch::Receiver<Arc<Picture>>, Unavailable> {
        self.knows(vin).map(|()| self.core.picture.subscribe())
    }

    fn fences(&self, vin: &Vin) -> Result<watch::Receiver<Fences>, Unavailable> {
        self.knows(vin).map(|()| self.core.fences.subscribe())
    }

    fn track<'a>(
        &'a self,
        vin: &'a Vin,
        from: Wall,
        to: Wall,
        limit: usize,
    ) -> Pending<'a, Result<Vec<TrackPoint>, Unavailable>> {
        Box::pin(async move {
            self.knows(vin)?;
            self.points(from, to, limit).await
        })
    }

    fn submit<'a>(&'a self, vin: &'a Vin, request: Request) -> Pending<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            self.knows(vin)?;
            self.ask(request).await
        })
    }

    fn device(&self, token: &TokenHash) -> Option<Arc<Device>> {
        self.core.state().devices.values().get(token).cloned()
    }

    fn devices(&self) -> Vec<Arc<Device>> {
        self.core.state().devices.values().values().cloned().collect()
    }

    fn add_device(&self, token: TokenHash, device: Device) -> Pending<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            if let Some(why) = self.why_not_written() {
                return Err(why);
            }
            if self.core.state().devices.values().len() >= DEVICES {
                let full = format!("{DEVICES} devices are paired, and that is the most; revoke one first");
                return Err(Unavailable::Journal(full));
            }
            self.change_device(token, Some(Arc::new(device)), |slot| Waiter::Added(token, slot)).await
        })
    }

    fn revoke_device<'a>(&'a self, id: &'a str) -> Pending<'a, Result<bool, Unavailable>> {
        Box::pin(async move {
            let tokens: Vec<_> = {
                let state = self.core.state();
                let its = state.devices.values().iter().filter(|(_, device)| device.id == id);
                its.map(|(token, _)| *token).collect()
            };
            let found = !tokens.is_empty();
            for token in tokens {
                self.change_device(token, None, Waiter::Revoked).await?;
            }
            Ok(found)
        })
    }

    fn kept(&self, prefix: &str) -> Vec<(String, Arc<[u8]>)> {
        let state = self.core.state();
        let from = state.rows.values().range(prefix.to_owned()..);
        from.take_while(|(key, _)| key.starts_with(prefix)).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn keep(&self, rows: Vec<Row>) -> Pending<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            let is_ours =
                |row: &Row| row.key.starts_with(DOOR) && row.value.as_ref().is_none_or(|value| value.len() <= KEPT_BYTES);
            if !rows.iter().all(is_ours) {
                let wrong = format!("a door's key begins with `{DOOR}`, and its value has {KEPT_BYTES} bytes at most");
                return Err(Unavailable::Journal(wrong));
            }
            {
                let values = &self.core.state().rows;
                let more = rows.iter().filter(|row| row.value.is_some() && !values.knows(&row.key)).count();
                // What waits for the disk counts as well, so that a disk that is gone does not fill memory.
                if more > 0 && values.count_under(DOOR).max(values.waiting()) + more > KEPT_ROWS {
                    return Err(Unavailable::Journal(format!("{KEPT_ROWS} rows of the doors are kept, and that is the most")));
                }
            }
            let (slot, done) = oneshot::channel();
            self.core.change(&self.reads.downgrade(), |state| state.keep(rows, slot, Instant::now()));
            durable(done).await
        })
    }

    fn cursors(&self, reader: &str) -> Vec<Cursor> {
        self.core.state().cursors.of(reader)
    }

    fn advance<'a>(&'a self, reader: &'a str, kind: Kind, position: EventId, told: u64) -> Pending<'a, Result<(), Unavailable>> {
        Box::pin(async move {
            self.core.state().cursors.admits(reader).map_err(Unavailable::Journal)?;
            let (slot, done) = oneshot::channel();
            let whose = (Arc::from(reader), kind);
            self.core.change(&self.reads.downgrade(), |state| state.advance(whose, position, told, slot, Instant::now()));
            durable(done).await
        })
    }

    fn make_room(&self, needed: &[String]) -> Vec<String> {
        let mut gone = Vec::new();
        self.core.change(&self.reads.downgrade(), |state| {
            gone = state.make_room(needed, Instant::now()).iter().map(|reader| reader.to_string()).collect();
            Vec::new()
        });
        gone
    }

    fn device_changes(&self) -> watch::Receiver<u64> {
        self.core.devices.subscribe()
    }
}
