//! The loop of one upstream: decide what goes next, send it, remember how far the receiver is, and wait after a failure.
//!
//! Every batch is decided anew, so what is urgent overtakes what is not, and a batch that failed is not held on to: the
//! journal has it. Nothing waits for the loop, and the loop waits for nothing but the receiver.
//!
//! | the receiver | the loop |
//! |---|---|
//! | acknowledged | the cursor moves; the next wait is short again |
//! | cannot be reached, or refuses the vehicle | waits 1 s to 300 s, longer and longer |
//! | asks to be left alone | does, for so long; while a child's event waits, for a minute at most |
//! | will never take a message | is asked three times, a second apart, then whether it takes the one after it: if so, the first is passed over, counted and told; if not, the lane waits as after any failure, and the others go on ([`super::rejected`]) |
//!
//! A new route ends a wait, and a child's alert shortens it to a second ([`super::backoff`]).

mod housekeeping;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, Batch, Progress};
use super::backoff::{Backoff, SHORTEST};
use super::budget::Budget;
use super::counters::{Counters, Of, OfReason, REJECTED};
use super::lanes::Lane;
use super::ledger::Ledger;
use super::rejected::Rejected;
use super::settings::Settings;
use super::status::View;
use super::{Fleet, Sent, Trouble};
use crate::clock::{Boot, Stamp};
use crate::event::{EventId, Kind};
use crate::feed::{Feed, Unavailable};
use crate::health::{Health, Pulse};
use crate::vehicle::Vin;

/// A receiver that says nothing, whatever its way promises, is given up after this.
const SILENCE: Duration = Duration::from_secs(600);

/// The loop looks around at least this often, and stays in touch with the receiver.
const LOOK: Duration = Duration::from_secs(10);

/// While a child's event waits, who asks to be left alone is asked again after this.
const ALERTS_WAIT: Duration = Duration::from_secs(60);

/// What the journal has at the start is waited for so long.
const START: Duration = Duration::from_secs(2);

/// The good-bye, and what is left to be written.
const FAREWELL: Duration = Duration::from_secs(1);

/// What was spent of a budget is written down when it is so much, so that what keeps a silent link open wears no flash.
const BOOKED_EVERY: u64 = 1 << 10;

/// Tells the vehicle's time.
pub type Now = Arc<dyn Fn() -> Stamp + Send + Sync>;

/// Tells what is wrong with what the site keeps, if something is.
pub type Complaint = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What the loop of one upstream needs.
pub struct Way {
    /// What is to be sent.
    pub feed: Arc<dyn Feed>,
    /// The vehicle.
    pub vin: Vin,
    /// What the site says, with a name.
    pub settings: Settings,
    /// The receiver.
    pub fleet: Box<dyn Fleet>,
    /// The vehicle's clock.
    pub now: Now,
    /// Where the receiver takes the status document from.
    pub status: watch::Sender<Arc<str>>,
    /// Moves when there is a new route; without a sender there never is.
    pub route: watch::Receiver<u64>,
    /// Where it says how it is, under `upstream.NAME`.
    pub health: Health,
    /// What it counts.
    pub counters: Counters,
    /// What is wrong with the files by which it is reached, while what was read before goes on.
    pub complaint: Complaint,
    /// What waits are drawn from.
    pub seed: u64,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Sends until it is to stop, then says good-bye.
pub async fn run(way: Way) {
    let (stop, pulse) = (way.stop.clone(), way.health.pulse(&part(&way.settings.name)));
    let mut going = Loop::new(way, pulse);
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = going.go() => {}
    }
    going.leave().await;
}

/// Its line in `/healthz`.
pub fn part(name: &str) -> String {
    format!("upstream.{name}")
}

struct Loop {
    way: Way,
    pulse: Pulse,
    of: Of,
    backlog: Backlog,
    ledger: Ledger,
    budget: Budget,
    /// Spent, and not written down yet.
    unbooked: u64,
    backoff: Backoff,
    started: Boot,
    /// What the journal was told of each kind. A kind whose cursor is not known to be durable has none: to move it could
    /// pass over what a file that comes late holds.
    noted: BTreeMap<Kind, Progress>,
    settling: JoinSet<Result<Kind, Unavailable>>,
    /// It was told that cursors are not kept.
    told_unkept: bool,
    /// The window of the track that the journal was told of.
    marked: i64,
    head: watch::Receiver<EventId>,
    /// Child events up to here are known of.
    alerted: EventId,
    /// Why what waits cannot be read.
    unreadable: Option<String>,
    trouble: Option<Trouble>,
    /// The last success; at first the start.
    succeeded: Instant,
    waiting: bool,
    rejected: Rejected,
    /// What was passed over, in words.
    passed_over: Option<String>,
    passed: u64,
    view: View,
    viewed: Option<Instant>,
    looked: Option<Instant>,
    touched: Option<Instant>,
}

impl Loop {
    fn new(way: Way, pulse: Pulse) -> Loop {
        let Way { feed, vin, settings, now, .. } = &way;
        let ledger = Ledger::new(feed.clone(), &settings.name);
        let budget = Budget::new(settings.budget_bytes, ledger.row(BUDGET).as_deref());
        let backlog = Backlog::new(feed.clone(), vin.clone(), ledger.reader(), settings.clone(), window_of(&ledger));
        // A vehicle that the feed does not know has nothing to send.
        let head = feed.head(vin).unwrap_or_else(|_| watch::channel(EventId(0)).1);
        Loop {
            of: Of { upstream: settings.name.clone() },
            started: now().boot,
            unbooked: 0,
            backoff: Backoff::new(way.seed),
            alerted: EventId(0),
            marked: backlog.window(),
            noted: BTreeMap::new(),
            settling: JoinSet::new(),
            told_unkept: false,
            unreadable: None,
            trouble: None,
            succeeded: Instant::now(),
            waiting: false,
            rejected: Rejected::new(way.seed),
            passed_over: None,
            passed: 0,
            view: View::default(),
            viewed: None,
            looked: None,
            touched: None,
            way,
            pulse,
            backlog,
            ledger,
            budget,
            head,
        }
    }

    async fn go(&mut self) {
        self.settle().await;
        loop {
            self.take_settled();
            let now = (self.way.now)();
            self.budget.tick(now);
            self.look_around(now).await;
            let head = *self.head.borrow_and_update();
            self.hurry_child().await;
            self.alerted = self.alerted.max(head);
            let rejected = &self.rejected;
            let next = self.pulse.rest(self.backlog.next(&self.budget, now, |lane| rejected.holds(lane))).await;
            self.unreadable = next.as_ref().err().map(ToString::to_string);
            match next {
                Ok(Some(batch)) => {
                    self.waiting = true;
                    self.send(batch).await;
                    self.note(false);
                }
                Ok(None) => {
                    self.rejected.let_go();
                    self.waiting = self.rejected.is_any();
                    self.note(true);
                    self.stay_in_touch().await;
                }
                Err(_) => self.wait(LOOK).await,
            }
        }
    }

    async fn leave(&mut self) {
        self.book();
        let farewell = async { tokio::join!(self.way.fleet.leave(), self.ledger.close()) };
        // Who does not take it in time has a last will.
        let _ = self.pulse.rest(timeout(FAREWELL, farewell)).await;
        self.count(&self.way.counters.connected, 0);
    }

    /// Makes the cursors where there are none, so that nothing goes uncounted from now on, and goes on where they are.
    async fn settle(&mut self) {
        self.place_by_what_can_be_read().await;
        self.begin_settling();
        // Of a journal that cannot be written what memory holds is sent all the same, and sent again once it can.
        let start = Instant::now() + START;
        while !self.settling.is_empty() {
            let settled = timeout_at(start, self.settling.join_next());
            match self.pulse.rest(settled).await {
                Ok(Some(Ok(settled))) => self.settled(settled),
                Ok(Some(Err(_)) | None) => {}
                Err(_) => break,
            }
        }
    }

    /// Where the disk can be read and not written, the cursors that it has count, though they cannot be moved: else all of it
    /// would be sent again at each start.
    async fn place_by_what_can_be_read(&mut self) {
        let start = Instant::now() + START;
        for cursor in self.way.feed.cursors(&self.ledger.reader()) {
            let read = timeout_at(start, self.backlog.can_read_after(cursor.position));
            if !self.pulse.rest(read).await.unwrap_or(false) {
                // A disk that hangs is not waited for again.
                return;
            }
            self.backlog.place(&cursor);
        }
    }

    fn take_settled(&mut self) {
        while let Some(settled) = self.settling.try_join_next() {
            if let Ok(settled) = settled {
                self.settled(settled);
            }
        }
        if self.settling.is_empty() && self.looked.is_none_or(|last| last.elapsed() >= LOOK) {
            self.begin_settling();
        }
    }

    fn begin_settling(&mut self) {
        for kind in self.way.settings.kinds.iter().copied().filter(|kind| !self.noted.contains_key(kind)) {
            let (feed, reader) = (self.way.feed.clone(), self.ledger.reader());
            self.settling.spawn(async move { feed.advance(&reader, kind, EventId(0), 0).await.map(|()| kind) });
        }
    }

    /// The cursor of `kind` is durable: that is where the receiver is, whatever was sent from memory before.
    fn settled(&mut self, settled: Result<Kind, Unavailable>) {
        let kind = match settled {
            Ok(kind) => kind,
            Err(why) => {
                if !std::mem::replace(&mut self.told_unkept, true) {
                    tracing::warn!(upstream = %self.of.upstream, %why, "how far the fleet is cannot be kept: what is sent is sent again");
                }
                return;
            }
        };
        let cursors = self.way.feed.cursors(&self.ledger.reader());
        if let Some(cursor) = cursors.iter().find(|cursor| cursor.kind == kind) {
            self.backlog.settle(cursor);
            if self.noted.is_empty() {
                self.backlog.place_track(window_of(&self.ledger));
            }
            self.noted.insert(kind, self.backlog.progress(kind));
        }
    }

    /// Lets the ledger have what moved, and then also how far nothing lies of the other kinds: the journal has no list by
    /// kind, and a start that has to read all of it for a kind that is seldom told of holds up the first alert.
    fn note(&mut self, idle: bool) {
        let backlog = &self.backlog;
        let moved = |(kind, noted): (&Kind, &Progress)| {
            let now = backlog.progress(*kind);
            (now.position, now.told) != (noted.position, noted.told)
        };
        if self.noted.iter().any(moved) {
            for (kind, noted) in &mut self.noted {
                let now = self.backlog.progress(*kind);
                if (now.reach(), now.told) != (noted.reach(), noted.told) {
                    self.ledger.note(*kind, now.reach(), now.told);
                }
                *noted = now;
            }
        }
        self.ledger.tick(idle);
    }

    async fn send(&mut self, batch: Batch) {
        let sent = self.hand_over(&batch).await;
        let acknowledged = sent.acknowledged.min(batch.messages.len());
        self.backlog.acknowledge(&batch, acknowledged);
        self.way.counters.sent.get_or_create(&self.of).inc_by(u64::try_from(acknowledged).unwrap_or(0));
        if acknowledged > 0 {
            self.rejected.taken(batch.lane);
            self.mark_track();
        }
        // Some of it without trouble is well: the receiver takes its time, and what goes next is decided anew.
        let missing = || Trouble::Unreachable("it acknowledged nothing; it is sent again".to_owned());
        let trouble = sent.trouble.or_else(|| (acknowledged == 0).then(missing));
        if acknowledged > 0 || trouble.is_none() {
            self.succeed();
        }
        match trouble {
            None => {}
            Some(Trouble::Rejected(why)) => self.was_rejected(&batch, acknowledged, &why).await,
            Some(trouble) => self.fail(trouble).await,
        }
    }

    fn mark_track(&mut self) {
        let window = self.backlog.window();
        // As with events: what a file that comes late has of it is not to be passed over.
        let is_known = self.way.settings.kinds.is_empty() || !self.noted.is_empty();
        if window != self.marked && is_known {
            self.marked = window;
            self.ledger.set(TRACK, window.saturating_mul(60).to_string().into_bytes());
        }
    }

    async fn hand_over(&mut self, batch: &Batch) -> Sent {
        self.touched = Some(Instant::now());
        if self.trouble.is_some() || self.viewed.is_none() {
            // A connection may begin with it.
            self.renew_status().await;
        }
        // What comes from here on is news to this attempt.
        self.way.route.mark_unchanged();
        let sent = self.pulse.rest(timeout(SILENCE, self.way.fleet.send(&batch.messages))).await;
        let silent = |_| Trouble::Unreachable(format!("it said nothing for {} s", SILENCE.as_secs()));
        let sent = sent.map_err(silent).unwrap_or_else(|trouble| Sent { acknowledged: 0, bytes: 0, trouble: Some(trouble) });
        self.spend(sent.bytes);
        sent
    }

    fn spend(&mut self, bytes: u64) {
        self.way.counters.sent_bytes.get_or_create(&self.of).inc_by(bytes);
        self.budget.spend(bytes);
        self.unbooked = self.unbooked.saturating_add(bytes);
        if self.unbooked >= BOOKED_EVERY {
            self.book();
        }
    }

    fn book(&mut self) {
        self.unbooked = 0;
        if let Some(row) = self.budget.row() {
            self.ledger.set(BUDGET, row);
        }
    }

    /// Nothing waits: until something does, the receiver is asked now and then whether it is still there.
    async fn stay_in_touch(&mut self) {
        let due = self.touched.map(|last| last + LOOK);
        if let Some(due) = due.filter(|due| *due > Instant::now()) {
            let until = self.rejected.next().map_or(due, |next| next.min(due));
            let came = async {
                tokio::select! {
                    () = sleep_until(until) => {}
                    () = moved(&mut self.head) => {}
                    () = self.ledger.can_go_on() => {}
                }
            };
            return self.pulse.rest(came).await;
        }
        let nothing = Batch::nothing();
        let Sent { trouble, .. } = self.hand_over(&nothing).await;
        match trouble {
            None => self.succeed(),
            Some(trouble) => self.fail(trouble).await,
        }
    }

    fn succeed(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            tracing::info!(upstream = %self.of.upstream, %trouble, "the fleet is reached again");
        }
        self.backoff.reset();
        self.succeeded = Instant::now();
        self.count(&self.way.counters.connected, 1);
    }

    async fn fail(&mut self, trouble: Trouble) {
        self.way.counters.retries.get_or_create(&self.of).inc();
        let wait = match &trouble {
            Trouble::Busy(wait) => self.respect(*wait).await,
            _ => {
                self.count(&self.way.counters.connected, 0);
                self.backoff.after_failure()
            }
        };
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(upstream = %self.of.upstream, "the fleet is not reached: {trouble}");
        }
        self.trouble = Some(trouble);
        self.note(false);
        self.wait(wait).await;
    }

    /// Who asks to be left alone is, but for a child's alert no longer than a minute.
    async fn respect(&mut self, wait: Duration) -> Duration {
        let alert = self.pulse.rest(self.backlog.child_waits()).await;
        if alert.unwrap_or(false) { wait.min(ALERTS_WAIT) } else { wait }
    }

    /// The first message of `batch` after `acknowledged` of them will never be taken.
    async fn was_rejected(&mut self, batch: &Batch, acknowledged: usize, why: &str) {
        let Some(message) = batch.messages.get(acknowledged) else { return };
        self.way.counters.retries.get_or_create(&self.of).inc();
        if !self.rejected.again(batch.lane, &message.id) {
            return;
        }
        let after = self.pulse.rest(self.backlog.after(batch.lane, &message.id, (self.way.now)())).await;
        let Ok(Some(after)) = after else { return self.rejected.all(batch.lane, why) };
        let sent = self.hand_over(&after).await;
        match sent.trouble {
            None if sent.acknowledged > 0 => {
                tracing::error!(upstream = %self.of.upstream, id = message.id, "the fleet will never take a message, so it is passed over: {why}");
                self.passed += 1;
                self.passed_over = Some(format!("the last was {} {}: {why}", message.event_type, message.id));
                let of = OfReason { upstream: self.of.upstream.clone(), reason: REJECTED };
                self.way.counters.dropped.get_or_create(&of).inc();
                self.way.counters.sent.get_or_create(&self.of).inc();
                self.backlog.acknowledge(batch, acknowledged + 1);
                self.backlog.acknowledge(&after, 1);
                self.rejected.taken(batch.lane);
                self.mark_track();
                self.succeed();
            }
            None | Some(Trouble::Rejected(_)) => self.rejected.all(batch.lane, why),
            Some(trouble) => self.fail(trouble).await,
        }
    }

    /// A child's event that comes up while others are rejected is tried soon.
    async fn hurry_child(&mut self) {
        let lane = Lane::Events(Kind::Child);
        if !self.rejected.holds(lane) {
            return;
        }
        let came = self.pulse.rest(self.backlog.child_after(self.alerted)).await.is_ok_and(|(came, _)| came);
        if let Some(until) = self.rejected.until(lane).filter(|_| came) {
            *until = self.backoff.hurry(Instant::now(), *until);
        }
    }

    /// Waits so long, but no longer than until there is a new route, and only a little when a child's alert comes up.
    async fn wait(&mut self, wait: Duration) {
        let begun = Instant::now();
        let mut end = begun + wait;
        loop {
            let now = Instant::now();
            if now >= end {
                return;
            }
            let child = self.pulse.rest(self.backlog.child_after(self.alerted)).await;
            if let Ok((came, upto)) = child {
                self.alerted = upto;
                if came {
                    end = self.backoff.hurry(now, end);
                }
            }
            self.look_around((self.way.now)()).await;
            let came = async {
                tokio::select! {
                    () = sleep_until(end.min(now + LOOK)) => false,
                    () = moved(&mut self.head) => false,
                    () = moved(&mut self.way.route) => true,
                }
            };
            if self.pulse.rest(came).await {
                self.backoff.reset();
                // A route that flaps is no reason to try oftener than once a second.
                end = end.min((begun + SHORTEST).max(Instant::now()));
            }
        }
    }
}

/// The rows of an upstream: the first second of the track that it does not have, and what was spent of a day.
const TRACK: &str = "track";
const BUDGET: &str = "budget";

/// The first window of the track that the receiver does not have, by an earlier run.
fn window_of(ledger: &Ledger) -> i64 {
    let second = ledger.row(TRACK).and_then(|row| std::str::from_utf8(&row).ok()?.parse::<i64>().ok());
    second.unwrap_or(0) / 60
}

/// Wakes when the value changes; never when nobody can change it any more.
async fn moved<T>(value: &mut watch::Receiver<T>) {
    if value.changed().await.is_err() {
        std::future::pending().await
    }
}
