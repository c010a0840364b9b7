//! Every interleaving of arrival, acknowledgement, cut and death for a batch of three, and again for what is left of it.
//!
//! The receiver's next step is one of: a message arrives, one that arrived is acknowledged, the link is cut, the daemon is
//! killed while it waits, the link is cut and the daemon killed before it wrote what it heard. Twice a run goes wrong at
//! whatever point; then everything goes well. All of these runs are tried, one after the other.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telltale::clock::TimeSource;
use telltale::event::{EventType, Kind};
use telltale::feed::Pending;
use telltale::health::Health;
use telltale::upstream::{self, Counters, Fleet, Message, Sent, Trouble};
use tokio::sync::Notify;

use super::{MIDNIGHT, READER, settings, time, way};
use crate::http::feed::MemoryFeed;

/// So often a run goes wrong.
const FAULTS: usize = 2;

/// Tries one path through all choices after the other.
#[derive(Default)]
struct Choices {
    path: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    /// One of `width`.
    fn choose(&mut self, width: usize) -> usize {
        if self.at == self.path.len() {
            self.path.push((0, width));
        }
        let (choice, known) = self.path[self.at];
        assert_eq!(known, width, "the same choices lead to the same place");
        self.at += 1;
        choice
    }

    /// On to the next path; whether there is one.
    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, width)) = self.path.pop() {
            if choice + 1 < width {
                self.path.push((choice + 1, width));
                return true;
            }
        }
        false
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Arrive,
    Acknowledge,
    Cut,
    Kill,
    CutAndKill,
}

/// What outlives the daemon.
#[derive(Default)]
struct World {
    choices: Choices,
    faults: usize,
    arrived: Vec<(String, Kind)>,
    /// What this run of the daemon, or one that wrote it, was told to be the receiver's.
    acknowledged: HashSet<String>,
    kill: Arc<Notify>,
    done: Arc<Notify>,
}

struct Receiver(Arc<Mutex<World>>, usize);

impl Fleet for Receiver {
    fn send<'a>(&'a mut self, messages: &'a [Message]) -> Pending<'a, Sent> {
        let mut world = self.0.lock().unwrap();
        let (mut arrived, mut acknowledged) = (0, 0);
        let last = loop {
            let mut steps = Vec::new();
            if arrived < messages.len() {
                steps.push(Step::Arrive);
            }
            if acknowledged < arrived {
                steps.push(Step::Acknowledge);
            }
            if steps.is_empty() {
                break None;
            }
            if world.faults < FAULTS {
                steps.extend([Step::Cut, Step::Kill, Step::CutAndKill]);
            }
            // Once everything goes well it is no matter in which order.
            let width = if world.faults < FAULTS { steps.len() } else { 1 };
            match steps[world.choices.choose(width)] {
                Step::Arrive => {
                    let message = &messages[arrived];
                    assert!(!world.acknowledged.contains(&message.id), "{} is the receiver's already", message.id);
                    let upstream::Topic::Event(kind) = message.topic else { panic!("an event: {message:?}") };
                    world.arrived.push((message.id.clone(), kind));
                    arrived += 1;
                }
                Step::Acknowledge => acknowledged += 1,
                fault => break Some(fault),
            }
        };
        if last == Some(Step::Kill) {
            world.faults += 1;
            world.kill.notify_one();
            return Box::pin(std::future::pending());
        }
        world.acknowledged.extend(messages.iter().take(acknowledged).map(|message| message.id.clone()));
        if last.is_some() {
            world.faults += 1;
        }
        if last == Some(Step::CutAndKill) {
            world.kill.notify_one();
        }
        if world.acknowledged.len() == self.1 {
            world.done.notify_one();
        }
        let trouble = last.map(|_| Trouble::Unreachable("it was cut".to_owned()));
        Box::pin(std::future::ready(Sent { acknowledged, bytes: 1, trouble }))
    }
}

/// Runs daemons until everything is the receiver's.
async fn run_once(told: &[(u64, EventType)], world: &Arc<Mutex<World>>) {
    let feed = MemoryFeed::new();
    for (id, event_type) in told {
        feed.tell(*id, *event_type);
    }
    let (kill, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    {
        let mut world = world.lock().unwrap();
        (world.kill, world.done) = (kill.clone(), done.clone());
    }
    let everything = async {
        loop {
            let durable = |kind| feed.durable(READER, kind).0;
            {
                // Only what was written is not needed again.
                let mut world = world.lock().unwrap();
                let written = told.iter().filter(|(id, event_type)| *id <= durable(event_type.kind()));
                world.acknowledged = written.map(|(id, _)| id.to_string()).collect();
            }
            if told.iter().all(|(id, event_type)| *id <= durable(event_type.kind())) {
                return;
            }
            let fleet = Box::new(Receiver(world.clone(), told.len()));
            let now = time(MIDNIGHT, TimeSource::Gnss);
            let (way, ..) = way(&feed, settings(), now, fleet, Health::default(), Counters::default());
            let stop = way.stop.clone();
            let stopped = async {
                done.notified().await;
                stop.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                () = kill.notified() => {}
                () = upstream::run(way) => {}
                () = stopped => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(3600), everything).await.expect("everything arrives");
}

async fn try_all(told: &[(u64, EventType)]) -> usize {
    let world = Arc::new(Mutex::new(World::default()));
    let mut runs = 0;
    loop {
        run_once(told, &world).await;
        runs += 1;
        let mut world = world.lock().unwrap();
        let mut got: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        let mut known = HashSet::new();
        for (id, kind) in world.arrived.drain(..).filter(|(id, _)| known.insert(id.clone())) {
            got.entry(kind).or_default().push(id);
        }
        let mut wanted: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        for (id, event_type) in told {
            wanted.entry(event_type.kind()).or_default().push(id.to_string());
        }
        assert_eq!(got, wanted, "after {:?}", world.choices.path);
        world.faults = 0;
        if !world.choices.next() {
            return runs;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_three_arrives_once_and_in_order_whatever_is_cut_or_killed_when() {
    let told = [(10, EventType::GeofenceEnter), (20, EventType::GeofenceExit), (30, EventType::GeofenceEnter)];
    let runs = try_all(&told).await;
    println!("{runs} runs");
    assert!(runs > 1_000, "{runs}");
}

#[tokio::test(start_paused = true)]
async fn three_kinds_arrive_once_whatever_is_cut_or_killed_when() {
    let told = [(10, EventType::TripStart), (20, EventType::ChildLeftBehind), (30, EventType::GeofenceEnter)];
    let runs = try_all(&told).await;
    println!("{runs} runs");
    assert!(runs > 50, "{runs}");
}
