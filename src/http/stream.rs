//! The one stream behind every surface.
//!
//! A stream holds a position, not a queue: it reads pages of events after its position from the feed, writes them, and at
//! the head waits for the head to move. Replay and live are therefore one sequence: no gap, no twin, and a client that
//! stops reading stops only its own stream.
//!
//! It begins with `retry: 2000`, a comment line, and what the surface sends first. Then
//! - a `gap`, only when something this stream shows was pruned after the client's id, or the id lies above the head or
//!   cannot be read: then the last 24 h and 1,000 events at most, never such as the client has acknowledged;
//! - after a gap, and without an id, the alerts active now, each by its latest event under its own id, unless the replay
//!   brings it;
//! - the `position` from which the replay goes on. It comes after those alerts, so that a client cut off between them gets
//!   the rest when it returns.
//!
//! A stream that lags so far behind that something it was still to show is pruned is told so: a `gap`, and all that follows
//! one.
//!
//! Later a comment line every 15 s, and `position` again 45 s after the head moved with nothing to show (60 s are promised).
//! Revoked: `revoked` and the end. Shutdown: the end. A journal that cannot be read is asked again every second.

use std::borrow::Cow;
use std::future::pending;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::Shared;
use super::body::{Body, Teller};
use super::gate::SignedIn;
use super::overload::StreamPlace;
use super::probes::is_ready;
use super::query::Query;
use super::sse;
use super::surface::{Moment, Surface};
use crate::event::{EventId, Kind};
use crate::feed::{Feed, Filter, Page, Pending, Picture, Unavailable};
use crate::vehicle::Vin;

/// Rows of a page. Small, since every stream may hold one.
const PAGE: usize = 64;
const COMMENT_EVERY: Duration = Duration::from_secs(15);
const POSITION_WITHIN: Duration = Duration::from_secs(45);
const LIVE_EVERY: Duration = Duration::from_millis(100);
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How much is replayed after a gap.
const GAP_HOURS: u32 = 24;
const GAP_EVENTS: usize = 1000;

/// From where a client wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// It has no id.
    Fresh,
    /// After this.
    After(EventId),
    /// It has an id that is none of ours.
    Unreadable,
}

impl Resume {
    /// The header wins; an empty one is none (WHATWG HTML, 9.2.3).
    pub(super) fn of(headers: &HeaderMap, query: Query<'_>) -> Resume {
        Resume::id(headers, query).map_or(Resume::Fresh, |id| Resume::read(&id))
    }

    /// The id as it was sent.
    pub(super) fn id<'a>(headers: &'a HeaderMap, query: Query<'a>) -> Option<Cow<'a, str>> {
        let header = headers.get("last-event-id").map(HeaderValue::as_bytes).filter(|id| !id.is_empty());
        header.map(String::from_utf8_lossy).or_else(|| query.any(&["lastEventId", "last_event_id", "rve"]))
    }

    /// What a sent id means.
    pub(super) fn read(id: &str) -> Resume {
        let digits = id.bytes().all(|byte| byte.is_ascii_digit());
        let id = id.parse().ok().map(EventId).filter(|id| digits && *id <= EventId::MAX);
        id.map_or(Resume::Unreadable, Resume::After)
    }
}

/// A stream that is about to begin.
pub(super) struct Stream {
    pub(super) shared: Arc<Shared>,
    pub(super) vin: Vin,
    pub(super) who: SignedIn,
    pub(super) surface: Box<dyn Surface>,
    pub(super) resume: Resume,
    pub(super) place: StreamPlace,
}

/// The head of every stream's answer.
pub(super) fn response(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Stream {
    /// The answer whose body this stream tells.
    pub(super) fn into_response(self) -> Response<Body> {
        response(Body::told(|teller| self.tell(teller)))
    }

    async fn tell(mut self, out: Teller) -> io::Result<()> {
        // Whatever cannot be had ends the stream cleanly: the client comes back in two seconds, from where it was.
        let _ = self.run(&out).await;
        drop(self.place);
        Ok(())
    }

    async fn run(&mut self, out: &Teller) -> Result<(), Unavailable> {
        let feed = Arc::clone(&self.shared.feed);
        let vin = self.vin.clone();
        let filter = self.surface.filter();
        let mut eyes = Eyes::open(&self.shared, &vin)?;
        if !self.shared.gate.stands(&*feed, &self.who) {
            return self.end_revoked(out).await;
        }

        let mut wire = sse::OPENING.to_vec();
        let wanted = match self.resume {
            Resume::Fresh => eyes.newest(),
            Resume::After(id) => id,
            // From where the replay goes on, once the gap has been told.
            Resume::Unreadable => feed.recent(&vin, &filter, GAP_HOURS, GAP_EVENTS).await?,
        };
        self.surface.first(&moment(&self.shared, &mut eyes.picture, wanted), &mut wire);
        eyes.calls = self.surface.calls();
        out.tell(wire).await;

        let mut gone = feed.pruned(&vin, &filter)?;
        let (start, wire) = self.start(&*feed, &filter, self.resume, eyes.newest()).await?;
        out.tell(wire).await;

        let mut place = Progress::at(start);
        self.surface.told(start);
        let mut pulse = Pulse::new(self.surface.period());
        let mut reading: Option<Pending<'_, Result<Page, Unavailable>>> = None;
        loop {
            if reading.is_none() && place.is_behind(eyes.newest()) {
                reading = Some(feed.events_after(&vin, place.looked_at, &filter, PAGE));
            }
            let mut wire = Vec::new();
            match eyes.wake(&self.shared, &mut reading, &place, &mut pulse).await {
                Wake::Shutdown => return Ok(()),
                Wake::Devices if self.shared.gate.stands(&*feed, &self.who) => {}
                Wake::Devices => return self.end_revoked(out).await,
                Wake::Page(page) => {
                    reading = None;
                    let now_gone = feed.pruned(&vin, &filter)?;
                    // A page that could not be read says nothing: the next one is held against the same mark.
                    let before = if page.is_ok() { std::mem::replace(&mut gone, now_gone) } else { now_gone };
                    if gone > before && place.is_overtaken(gone) {
                        let resume = Resume::After(place.looked_at);
                        let (again, said) = self.start(&*feed, &filter, resume, eyes.newest()).await?;
                        (place, wire) = (Progress::at(again), said);
                    } else {
                        self.show(page, &mut place, out).await?;
                    }
                }
                Wake::Head => {}
                Wake::Position => {
                    wire = self.surface.position(place.looked_at);
                    place.told(place.looked_at);
                }
                Wake::Comment if self.shared.gate.stands(&*feed, &self.who) => wire.extend_from_slice(sse::COMMENT),
                Wake::Comment => return self.end_revoked(out).await,
                Wake::Tick => {
                    let moment = moment(&self.shared, &mut eyes.picture, place.looked_at);
                    if let ControlFlow::Break(()) = self.surface.tick(&moment, &mut wire) {
                        out.tell(wire).await;
                        return Ok(());
                    }
                }
                Wake::Call => {
                    let moment = moment(&self.shared, &mut eyes.picture, place.looked_at);
                    if let ControlFlow::Break(()) = self.surface.called(&moment, &mut wire) {
                        out.tell(wire).await;
                        return Ok(());
                    }
                }
                Wake::Picture => {
                    pulse.live_after = Instant::now() + LIVE_EVERY;
                    self.surface.live(&moment(&self.shared, &mut eyes.picture, place.looked_at), &mut wire);
                }
            }
            out.tell(wire).await;
            self.surface.told(place.told);
        }
    }

    /// Where the replay begins, and what is said before it. The head is looked at before the alerts that are active: one
    /// that begins in between comes live.
    async fn start(
        &mut self,
        feed: &dyn Feed,
        filter: &Filter,
        resume: Resume,
        head: EventId,
    ) -> Result<(EventId, Vec<u8>), Unavailable> {
        let vin = self.vin.clone();
        let recent = || feed.recent(&vin, filter, GAP_HOURS, GAP_EVENTS);
        let (at, gap) = match resume {
            Resume::Fresh => (head, None),
            Resume::Unreadable => (recent().await?, Some((EventId(0), "unknown"))),
            Resume::After(id) if id > head => (recent().await?, Some((id, "unknown"))),
            Resume::After(id) if id > EventId(0) && feed.pruned(&vin, filter)? > id => {
                (recent().await?.max(id), Some((id, "pruned")))
            }
            Resume::After(id) => (id, None),
        };
        let (mut wire, mut from_here) = (Vec::new(), at);
        if let Some((from, reason)) = gap {
            wire.extend(self.surface.gap(from, at, reason));
        }
        if (gap.is_some() || resume == Resume::Fresh) && filter.shows(Kind::Child) {
            let mut active = feed.active(&vin)?;
            active.sort_by_key(|event| event.id);
            for event in active.iter().filter(|event| event.id <= at) {
                from_here = from_here.min(EventId(event.id.0.saturating_sub(1)));
                wire.extend_from_slice(&self.surface.event(event));
                self.shared.counters.events.inc();
            }
        }
        wire.extend(self.surface.position(at));
        self.surface.begins(from_here);
        Ok((at, wire))
    }

    /// Tells a page of events.
    async fn show(&mut self, page: Result<Page, Unavailable>, place: &mut Progress, out: &Teller) -> Result<(), Unavailable> {
        let page = match page {
            Ok(page) => page,
            Err(Unavailable::Vehicle(vin)) => return Err(Unavailable::Vehicle(vin)),
            Err(_) => {
                place.rest();
                return Ok(());
            }
        };
        let before = place.looked_at;
        // Each is let go when it has been told, so that a client that stops reading holds no more than it is yet to get.
        for event in page.events.into_iter().filter(|event| event.id > before) {
            out.tell(self.surface.event(&event)).await;
            place.told(event.id);
            self.shared.counters.events.inc();
        }
        place.look_on(before, page.next);
        // A replay out of memory never waits by itself; others have their turn between pages.
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn end_revoked(&self, out: &Teller) -> Result<(), Unavailable> {
        self.shared.gate.remember_revoked(&self.who);
        out.tell(self.surface.revoked()).await;
        Ok(())
    }
}

fn moment(shared: &Shared, picture: &mut watch::Receiver<Arc<Picture>>, at: EventId) -> Moment {
    Moment { picture: picture.borrow_and_update().clone(), ready: is_ready(&shared.health), now: Instant::now(), at }
}

/// How far a stream has come.
#[derive(Debug)]
struct Progress {
    /// Everything up to here was looked at, and told where it is shown.
    looked_at: EventId,
    /// The last id on the wire.
    told: EventId,
    /// When `looked_at` must be told; `None` while it has been.
    position_due: Option<Instant>,
    /// Not to be read before; after a failure.
    read_after: Option<Instant>,
}

impl Progress {
    fn at(start: EventId) -> Progress {
        Progress { looked_at: start, told: start, position_due: None, read_after: None }
    }

    fn is_behind(&self, head: EventId) -> bool {
        head > self.looked_at && self.read_after.is_none_or(|at| at <= Instant::now())
    }

    /// Whether what is gone up to `gone` may have been something that was still to be shown. From the beginning on
    /// whatever there is is what was asked for.
    fn is_overtaken(&self, gone: EventId) -> bool {
        self.looked_at > EventId(0) && gone > self.looked_at
    }

    fn told(&mut self, id: EventId) {
        self.told = id;
        self.looked_at = self.looked_at.max(id);
        self.position_due = None;
    }

    /// A page that was read from `before` on has been told, and leads to `next`.
    fn look_on(&mut self, before: EventId, next: EventId) {
        self.read_after = None;
        self.looked_at = self.looked_at.max(next);
        if self.looked_at == before {
            // It led nowhere: the feed is not there yet.
            self.rest();
        }
        if self.looked_at > self.told {
            self.position_due.get_or_insert_with(|| Instant::now() + POSITION_WITHIN);
        }
    }

    fn rest(&mut self) {
        self.read_after = Some(Instant::now() + RETRY_AFTER);
    }
}

/// The timers of a stream.
#[derive(Debug)]
struct Pulse {
    comment: Interval,
    tick: Option<Interval>,
    live_after: Instant,
}

impl Pulse {
    fn new(period: Option<Duration>) -> Pulse {
        Pulse { comment: every(COMMENT_EVERY), tick: period.map(every), live_after: Instant::now() }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Why a stream woke up.
enum Wake {
    Shutdown,
    Devices,
    Page(Result<Page, Unavailable>),
    Head,
    Position,
    Comment,
    Tick,
    Call,
    Picture,
}

/// What a stream watches.
struct Eyes {
    head: watch::Receiver<EventId>,
    picture: watch::Receiver<Arc<Picture>>,
    devices: watch::Receiver<u64>,
    sessions: watch::Receiver<u64>,
    /// What the surface wants to be called for.
    calls: Option<watch::Receiver<u64>>,
}

impl Eyes {
    fn open(shared: &Shared, vin: &Vin) -> Result<Eyes, Unavailable> {
        let Shared { feed, gate, .. } = shared;
        let (devices, sessions) = (feed.device_changes(), gate.sign_ins.ended());
        Ok(Eyes { head: feed.head(vin)?, picture: feed.picture(vin)?, devices, sessions, calls: None })
    }

    fn newest(&mut self) -> EventId {
        *self.head.borrow_and_update()
    }

    /// Waits for the next thing to do, alerts before telemetry.
    async fn wake(
        &mut self,
        shared: &Shared,
        reading: &mut Option<Pending<'_, Result<Page, Unavailable>>>,
        place: &Progress,
        pulse: &mut Pulse,
    ) -> Wake {
        let live_after = pulse.live_after;
        let is_reading = reading.is_some();
        tokio::select! {
            biased;
            () = shared.shutdown.cancelled() => Wake::Shutdown,
            Ok(()) = self.devices.changed() => Wake::Devices,
            Ok(()) = self.sessions.changed() => Wake::Devices,
            page = finish(reading) => Wake::Page(page),
            Ok(()) = self.head.changed(), if !is_reading && place.read_after.is_none() => Wake::Head,
            () = at(place.read_after), if !is_reading => Wake::Head,
            () = at(place.position_due), if !is_reading => Wake::Position,
            _ = pulse.comment.tick() => Wake::Comment,
            () = tick(&mut pulse.tick) => Wake::Tick,
            () = call(&mut self.calls) => Wake::Call,
            Ok(()) = async { sleep_until(live_after).await; self.picture.changed().await } => Wake::Picture,
        }
    }
}

async fn finish<T>(reading: &mut Option<Pending<'_, T>>) -> T {
    match reading {
        Some(reading) => reading.as_mut().await,
        None => pending().await,
    }
}

async fn call(calls: &mut Option<watch::Receiver<u64>>) {
    if let Some(calls) = calls {
        if calls.changed().await.is_ok() {
            return;
        }
    }
    pending().await
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resume(header: Option<&str>, query: &str) -> Resume {
        let mut headers = HeaderMap::new();
        if let Some(id) = header {
            headers.insert("last-event-id", HeaderValue::from_bytes(id.as_bytes()).unwrap());
        }
        Resume::of(&headers, Query::new(Some(query)))
    }

    #[test]
    fn the_header_wins_and_an_empty_one_is_none() {
        let after = |id| Resume::After(EventId(id));
        assert_eq!(resume(None, ""), Resume::Fresh);
        assert_eq!(resume(Some("7"), "lastEventId=8"), after(7));
        assert_eq!(resume(Some(""), "last_event_id=8"), after(8));
        assert_eq!(resume(None, "rve=9&token=x"), after(9));
        assert_eq!(resume(Some("0"), ""), after(0));
        for strange in ["x", "-1", "+1", "1.5", " 1", "99999999999999999999999", "\u{fc}"] {
            assert_eq!(resume(Some(strange), "rve=9"), Resume::Unreadable, "{strange}");
        }
    }
}
