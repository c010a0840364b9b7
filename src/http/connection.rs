//! Connections: how many there may be, and how long each may take for what.
//!
//! At most 256, 64 of them of strangers (nobody has signed in on them yet); a stranger too many closes the oldest stranger.
//! When all places are taken by clients that have signed in, the one idle for longest makes room; while none is idle the
//! newcomer is closed. A head has 5 s, counted from the connection or the end of the answer before, and with a signed-in
//! client from the head's first byte after up to 60 s of idling; whoever takes nothing of what is sent for 30 s is closed.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::locked;
use super::settings::Limits;

/// What a connection does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since the last answer.
    Idle,
    /// A head is on its way, or should be.
    Head,
    /// A request is being worked on; that has time-outs of its own.
    Request,
    /// An answer is on its way.
    Answer,
    /// A stream is open.
    Stream,
}

/// Why a connection was closed.
pub(super) type Why = &'static str;

/// A whole answer must be out within this, however slowly its receiver takes it.
const ANSWER: Duration = Duration::from_secs(120);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    stalled: Option<Instant>,
    signed_in: bool,
    /// Several requests at once (HTTP/2), each with time-outs of its own. Only the pauses between them are judged here.
    multiplexed: bool,
    /// Requests being worked on, and answers on their way.
    open: usize,
}

/// One connection, as seen by those who judge it.
#[derive(Debug)]
pub(super) struct Watch {
    state: Mutex<State>,
    limits: Limits,
    evicted: Notify,
    /// Somebody wants to know what the peer's TCP has.
    accountable: AtomicBool,
    drained: AtomicU64,
}

impl Watch {
    fn new(limits: Limits) -> Watch {
        let state =
            State { phase: Phase::Head, since: Instant::now(), stalled: None, signed_in: false, multiplexed: false, open: 0 };
        let (accountable, drained) = (AtomicBool::new(false), AtomicU64::new(0));
        Watch { state: Mutex::new(state), limits, evicted: Notify::new(), accountable, drained }
    }

    /// How often all that was sent so far was found to have arrived. Whoever asks once is told the truth from then on: once
    /// the number has risen, what was given to the connection before it was asked for has been acknowledged by the peer's TCP.
    pub(super) fn arrivals(&self) -> u64 {
        self.accountable.store(true, Ordering::Relaxed);
        self.drained.load(Ordering::Relaxed)
    }

    /// Whether anybody asked for [`Watch::arrivals`], and they can be told: in HTTP/2 what a stream was given may wait for
    /// its window above the socket, so that an empty socket says nothing of it.
    pub(super) fn is_accountable(&self) -> bool {
        self.accountable.load(Ordering::Relaxed) && !locked(&self.state).multiplexed
    }

    /// Everything that was sent has arrived.
    pub(super) fn arrived(&self) {
        self.drained.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, phase: Phase) {
        let mut state = locked(&self.state);
        state.phase = phase;
        state.since = Instant::now();
    }

    /// Bytes came in.
    pub(super) fn heard(&self) {
        let mut state = locked(&self.state);
        if state.phase == Phase::Idle && !state.multiplexed {
            state.phase = Phase::Head;
            state.since = Instant::now();
        }
    }

    /// A head is complete.
    pub(super) fn asked(&self) {
        self.enter(Phase::Request);
    }

    /// It speaks HTTP/2.
    pub(super) fn multiplexed(&self) {
        locked(&self.state).multiplexed = true;
    }

    /// One of several requests is being worked on, until what this returns is gone.
    pub(super) fn working(self: &Arc<Watch>) -> Answering {
        locked(&self.state).open += 1;
        Answering(self.clone())
    }

    /// The client has shown a valid credential.
    pub(super) fn signed_in(&self) {
        locked(&self.state).signed_in = true;
    }

    /// The answer begins; it ends when what this returns is gone.
    pub(super) fn answering(self: &Arc<Watch>, stream: bool) -> Answering {
        self.enter(if stream { Phase::Stream } else { Phase::Answer });
        self.working()
    }

    /// The socket took nothing of what it was given.
    pub(super) fn stalled(&self) {
        locked(&self.state).stalled.get_or_insert_with(Instant::now);
    }

    /// The socket took something.
    pub(super) fn flowing(&self) {
        locked(&self.state).stalled = None;
    }

    /// When to close, and why, if nothing changes until then.
    fn deadline(&self) -> Option<(Instant, Why)> {
        let State { phase, since, stalled, signed_in, multiplexed, open } = *locked(&self.state);
        let own = match phase {
            _ if multiplexed && open > 0 => None,
            Phase::Idle if signed_in => Some((since + self.limits.idle(), "idle")),
            Phase::Idle | Phase::Head => Some((since + self.limits.head(), "slow_head")),
            Phase::Answer => Some((since + ANSWER, "slow_reader")),
            Phase::Request | Phase::Stream => None,
        };
        let stalled = stalled.map(|at| (at + self.limits.stalled(), "slow_reader"));
        own.into_iter().chain(stalled).min_by_key(|(at, _)| *at)
    }

    /// Resolves once the connection has taken too long for something.
    ///
    /// What changes the deadline happens while the same task drives the connection, so that this is polled after it; no
    /// other wake-up is needed.
    pub(super) async fn overdue(&self) -> Why {
        let mut sleep = pin!(sleep_until(Instant::now()));
        poll_fn(|cx| {
            let Some((at, why)) = self.deadline() else { return Poll::Pending };
            if sleep.deadline() != at {
                sleep.as_mut().reset(at);
            }
            sleep.as_mut().poll(cx).map(|()| why)
        })
        .await
    }

    /// Resolves once another connection needs the place.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn is_stranger(&self) -> bool {
        !locked(&self.state).signed_in
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = locked(&self.state);
        (state.phase == Phase::Idle).then_some(state.since)
    }
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Answering(Arc<Watch>);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = locked(&self.0.state);
        state.open = state.open.saturating_sub(1);
        if state.open == 0 {
            state.phase = Phase::Idle;
            state.since = Instant::now();
        }
    }
}

/// All open connections. Cheap to clone; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Registry>);

#[derive(Debug)]
struct Registry {
    limits: Limits,
    open: Mutex<Open>,
}

/// By order of arrival.
#[derive(Debug, Default)]
struct Open {
    next: u64,
    watches: BTreeMap<u64, Arc<Watch>>,
}

/// A connection's place among the open ones, until it is gone.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    pub(super) watch: Arc<Watch>,
    connections: Connections,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Connections {
        Connections(Arc::new(Registry { limits, open: Mutex::default() }))
    }

    /// A place for a newcomer, and why another had to go for it; `None` where nobody could.
    pub(super) fn admit(&self) -> (Option<Place>, Option<Why>) {
        let limits = &self.0.limits;
        let mut open = locked(&self.0.open);
        let strangers = open.watches.values().filter(|watch| watch.is_stranger()).count();
        let mut evicted = None;
        if strangers >= limits.strangers || open.watches.len() >= limits.connections {
            match open.expendable() {
                Some((number, why)) => {
                    evicted = Some(why);
                    if let Some(watch) = open.watches.remove(&number) {
                        watch.evicted.notify_one();
                    }
                }
                None => return (None, Some("connections")),
            }
        }
        let number = open.next;
        open.next += 1;
        let watch = Arc::new(Watch::new(limits.clone()));
        open.watches.insert(number, watch.clone());
        (Some(Place { number, watch, connections: self.clone() }), evicted)
    }
}

impl Open {
    /// The oldest stranger, else whoever has been idle for longest.
    fn expendable(&self) -> Option<(u64, Why)> {
        let stranger = self.watches.iter().find(|(_, watch)| watch.is_stranger());
        let idle = || self.watches.iter().filter_map(|(number, watch)| Some((watch.idle_since()?, *number))).min();
        stranger.map(|(number, _)| (*number, "stranger")).or_else(|| idle().map(|(_, number)| (number, "crowded_out")))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.connections.0.open).watches.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(connections: usize, strangers: usize) -> Connections {
        Connections::new(Limits { connections, strangers, ..Limits::default() })
    }

    fn is_evicted(place: &Place) -> bool {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        pin!(place.watch.evicted()).poll(&mut cx).is_ready()
    }

    #[tokio::test]
    async fn the_oldest_stranger_goes_for_the_newest() {
        let crowd = crowd(8, 2);
        let (first, _) = crowd.admit();
        let (second, _) = crowd.admit();
        first.as_ref().unwrap().watch.signed_in();
        let (third, evicted) = crowd.admit();
        assert_eq!(evicted, None, "one of the two has signed in");
        let (_fourth, evicted) = crowd.admit();
        assert_eq!(evicted, Some("stranger"));
        assert!(is_evicted(&second.unwrap()) && !is_evicted(&first.unwrap()) && !is_evicted(&third.unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_have_signed_in_the_longest_idle_goes_and_nobody_at_work() {
        let crowd = crowd(2, 2);
        let busy = crowd.admit().0.unwrap();
        let idle = crowd.admit().0.unwrap();
        for place in [&busy, &idle] {
            place.watch.signed_in();
            place.watch.asked();
        }
        assert!(crowd.admit().0.is_none(), "nobody is idle");
        drop(idle.watch.answering(false));
        let (_newest, evicted) = crowd.admit();
        assert_eq!(evicted, Some("crowded_out"));
        assert!(is_evicted(&idle) && !is_evicted(&busy));
    }

    #[tokio::test]
    async fn what_has_arrived_is_told_to_who_asks_and_never_of_several_requests_at_once() {
        let watch = Watch::new(Limits::default());
        assert!(!watch.is_accountable(), "nobody has asked");
        assert_eq!(watch.arrivals(), 0);
        assert!(watch.is_accountable());
        watch.arrived();
        assert_eq!(watch.arrivals(), 1);
        watch.multiplexed();
        assert!(!watch.is_accountable(), "an empty socket says nothing of what waits for a stream's window");
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_time() {
        let limits = Limits::default();
        let watch = Arc::new(Watch::new(limits.clone()));
        let started = Instant::now();
        assert_eq!((watch.overdue().await, started.elapsed().as_secs()), ("slow_head", 5));
        watch.asked();
        assert_eq!(watch.deadline(), None);
        drop(watch.answering(false));
        assert_eq!((watch.overdue().await, started.elapsed().as_secs()), ("slow_head", 10), "a stranger may not idle");
        watch.signed_in();
        drop(watch.answering(false));
        assert_eq!((watch.overdue().await, started.elapsed().as_secs()), ("idle", 70));
        watch.heard();
        watch.heard();
        assert_eq!((watch.overdue().await, started.elapsed().as_secs()), ("slow_head", 75));
        let stream = watch.answering(true);
        assert_eq!(watch.deadline(), None, "a stream may last");
        watch.stalled();
        watch.stalled();
        assert_eq!((watch.overdue().await, started.elapsed().as_secs()), ("slow_reader", 105));
        watch.flowing();
        assert_eq!(watch.deadline(), None);
        drop(stream);
    }

    #[tokio::test(start_paused = true)]
    async fn with_several_requests_at_once_only_the_pauses_between_them_are_judged() {
        let watch = Arc::new(Watch::new(Limits::default()));
        let started = Instant::now();
        watch.multiplexed();
        let (first, second) = (watch.working(), watch.working());
        watch.asked();
        let answer = watch.answering(false);
        drop((first, second));
        assert_eq!(watch.deadline(), None, "an answer is on its way");
        drop(answer);
        watch.heard();
        assert_eq!((watch.overdue().await, started.elapsed().as_secs()), ("slow_head", 5), "a ping is no request");
        watch.signed_in();
        assert_eq!((watch.overdue().await, started.elapsed().as_secs()), ("idle", 60));
    }
}
