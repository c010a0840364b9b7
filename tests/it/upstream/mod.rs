//! The loop of an upstream, over a feed in memory and to a receiver that does what a test says, on a clock that stands
//! until everything waits: the same every time.

mod interleavings;
mod waiting;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use telltale::clock::{Boot, Stamp, TimeSource, Wall};
use telltale::feed::{Feed, Pending};
use telltale::health::Health;
use telltale::upstream::{self, Counters, Fleet, Message, Now, Sent, Settings, Way};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::http::feed::MemoryFeed;

/// What the receiver has seen.
#[derive(Default)]
pub struct Seen {
    /// Everything that arrived, twins included, and when.
    pub arrived: Vec<(Instant, Message)>,
    /// When each batch was handed over, and how long it was.
    pub batches: Vec<(Instant, usize)>,
    /// Whether good-bye was said.
    pub left: bool,
}

impl Seen {
    /// The ids of what arrived under `about`, twins dropped.
    pub fn ids(&self, about: &str) -> Vec<String> {
        let mut known = HashSet::new();
        let about = |message: &&Message| subject(message) == about;
        let messages = self.arrived.iter().map(|(_, message)| message).filter(about);
        messages.map(|message| message.id.clone()).filter(|id| known.insert(id.clone())).collect()
    }

    /// Batches that were not only a touch.
    pub fn attempts(&self) -> Vec<Instant> {
        self.batches.iter().filter(|(_, length)| *length > 0).map(|(at, _)| *at).collect()
    }
}

/// A message as a receiver reads it.
pub fn read(message: &Message) -> serde_json::Value {
    serde_json::from_slice(&message.json).unwrap()
}

/// What a message is about: a kind, or the track.
pub fn subject(message: &Message) -> String {
    read(message)["subject"].as_str().unwrap().to_owned()
}

/// A receiver that remembers, and answers as a test says.
pub struct Scripted<F> {
    pub seen: Arc<Mutex<Seen>>,
    pub answer: F,
}

impl<F: FnMut(&[Message]) -> Sent + Send + 'static> Fleet for Scripted<F> {
    fn send<'a>(&'a mut self, messages: &'a [Message]) -> Pending<'a, Sent> {
        let now = Instant::now();
        let sent = (self.answer)(messages);
        let mut seen = self.seen.lock().unwrap();
        seen.batches.push((now, messages.len()));
        seen.arrived.extend(messages.iter().take(sent.acknowledged).map(|message| (now, message.clone())));
        drop(seen);
        Box::pin(std::future::ready(sent))
    }

    fn leave(&mut self) -> Pending<'_, ()> {
        self.seen.lock().unwrap().left = true;
        Box::pin(std::future::ready(()))
    }
}

/// Everything is taken; each message costs its length.
pub fn all(messages: &[Message]) -> Sent {
    let bytes = messages.iter().map(|message| message.json.len() as u64).sum();
    Sent { acknowledged: messages.len(), bytes, trouble: None }
}

/// The name of the cursors of these tests' upstream.
pub const READER: &str = "upstream/fleet";

pub fn settings() -> Settings {
    Settings { name: "fleet".to_owned(), url: "mqtt://localhost".parse().unwrap(), ..Settings::default() }
}

/// The time of the vehicle: `start`, Unix seconds, as of now, and on from there as tokio's does.
pub fn time(start: i64, source: TimeSource) -> Now {
    let began = Instant::now();
    Arc::new(move || {
        let micros = i64::try_from(began.elapsed().as_micros()).unwrap();
        Stamp { boot: Boot::from_micros(micros), wall: Wall::from_micros(start * 1_000_000 + micros), source }
    })
}

/// 2026-02-20T00:00:00Z.
pub const MIDNIGHT: i64 = 1_771_545_600;

/// An upstream that runs.
pub struct Running {
    pub seen: Arc<Mutex<Seen>>,
    pub health: Health,
    pub route: watch::Sender<u64>,
    pub status: watch::Receiver<Arc<str>>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Begins with what the feed has, at midnight by a receiver's clock.
    pub fn start(feed: &Arc<MemoryFeed>, settings: Settings, answer: impl FnMut(&[Message]) -> Sent + Send + 'static) -> Running {
        Running::start_at(feed, settings, time(MIDNIGHT, TimeSource::Gnss), answer)
    }

    pub fn start_at(
        feed: &Arc<MemoryFeed>,
        settings: Settings,
        now: Now,
        answer: impl FnMut(&[Message]) -> Sent + Send + 'static,
    ) -> Running {
        let (seen, health, counters) = (Arc::default(), Health::default(), Counters::default());
        let fleet = Box::new(Scripted { seen: Arc::clone(&seen), answer });
        let (way, status, route) = way(feed, settings, now, fleet, health.clone(), counters);
        let stop = way.stop.clone();
        let task = tokio::spawn(upstream::run(way));
        Running { seen, health, route, status, stop, task }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// The id of what arrived, by kind.
    pub fn ids(&self, about: &str) -> Vec<String> {
        self.seen().ids(about)
    }

    /// Lets so much time pass.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Stops it in good order.
    pub async fn stop(self) -> Arc<Mutex<Seen>> {
        self.stop.cancel();
        self.task.await.unwrap();
        self.seen
    }

    /// As kill -9 does.
    pub async fn kill(self) -> Arc<Mutex<Seen>> {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.seen
    }

    /// What `/healthz` says of it.
    pub fn part(&self) -> telltale::health::Part {
        self.health.parts()["upstream.fleet"].clone()
    }
}

pub fn way(
    feed: &Arc<MemoryFeed>,
    settings: Settings,
    now: Now,
    fleet: Box<dyn Fleet>,
    health: Health,
    counters: Counters,
) -> (Way, watch::Receiver<Arc<str>>, watch::Sender<u64>) {
    let (status, reads) = watch::channel(Arc::from(""));
    let (moves, route) = watch::channel(0);
    let vin = feed.vin.clone();
    let feed: Arc<dyn Feed> = feed.clone();
    let way = Way {
        feed,
        vin,
        settings,
        fleet,
        now,
        status,
        route,
        health,
        counters,
        complaint: Arc::new(|| None),
        seed: 7,
        stop: CancellationToken::new(),
    };
    (way, reads, moves)
}
