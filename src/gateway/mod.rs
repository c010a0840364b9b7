//! The wiring of one vehicle: sources, engine, journal and doors, started, watched and stopped.
//!
//! What it promises:
//!
//! - Everything of a step is decided on one thread, between a frame and the next: no queue stands before the engine.
//! - Whatever is missing at the start (an interface, a receiver, a disk) degrades what needs it, is told in `/healthz`,
//!   and is taken up when it comes. Only what nobody could mean (a wrong setting, a taken port) is an error.
//! - A configuration that changes while it runs ends no stream: numbers, fences and sources are taken over as they go.
//! - A task or thread that hangs is told of, and the watchdog is no more fed.
//! - The end is orderly: streams end, what changed is written, the journal is closed. Cutting the power instead loses
//!   nothing that a client has seen.

mod change;
pub mod control;
mod core;
mod fleet;
mod picture;
mod places;
mod published;
mod sources;
pub mod systemd;
mod track;
mod upstreams;
mod vehicle;

pub use self::change::Change;
pub use self::core::{Core, Late, PlaceNames, Texts};
pub use self::sources::Sources;
use self::sources::Surroundings;
use self::upstreams::Upstreams;
pub use self::vehicle::Vehicle;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::control::Control;
use crate::clock::Clock;
use crate::detect::{Engine, Outbox};
use crate::feed::{FLEET_SETTINGS, Feed};
use crate::geo::Fence;
use crate::health::{Condition, Health, Pulse};
use crate::journal::{Asked, Journal};
use crate::metrics::Metrics;
use crate::places::Places;
use crate::vehicle::{Observation, Vin};
use crate::{detect, diagnostics, http, journal, upstream};

/// Deadlines this long ago, in the car's time, were slept through: a machine that is merely busy catches up.
const LATE: Duration = Duration::from_secs(20);

/// How long the journal has for its last transaction.
const FAREWELL: Duration = Duration::from_secs(10);

/// Everything a vehicle needs to be watched.
pub struct Setup {
    /// The vehicle.
    pub vin: Vin,
    /// The car's time.
    pub clock: Clock,
    /// Tells one boot from another: times of another boot are carried over by the wall clock.
    pub boot_id: String,
    /// Where observations come from.
    pub sources: Sources,
    /// Whether and how ECUs are asked.
    pub diagnostics: diagnostics::Settings,
    /// The detectors' numbers.
    pub detect: detect::Settings,
    /// The fences of the site's file.
    pub fences: Vec<Fence>,
    /// The names of places, where there are any.
    pub places: Option<Arc<Places>>,
    /// What is remembered.
    pub journal: journal::Settings,
    /// Who may ask.
    pub http: http::Settings,
    /// Where events go beside the phones.
    pub upstreams: Vec<upstream::Settings>,
    /// Where `telltale pair` finds the daemon; `None` for nowhere.
    pub control: Option<PathBuf>,
    /// What changes while it runs.
    pub changes: mpsc::Receiver<Change>,
}

/// Why a vehicle cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot even be degraded.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// No door can be opened.
    #[error("{0}")]
    Doors(io::Error),
    /// A part of the daemon came to an end that has none: a fault in the program.
    #[error("{0} ended although it never should; this is a fault in telltale")]
    Ended(String),
}

/// Why a vehicle is watched no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was to stop.
    Stopped,
    /// The car has told its number, which nobody knew: it is to be watched under that one.
    Named(Vin),
}

/// What has been opened, for those who start a daemon.
pub struct Open {
    /// Where phones reach it.
    pub addresses: Vec<SocketAddr>,
    /// Where parts say how they are.
    pub health: Health,
}

/// Watches a vehicle until `shutdown`. `ready` is called once the doors are open.
///
/// # Errors
/// When it cannot start, or a part of it ends.
pub async fn run(setup: Setup, shutdown: CancellationToken, ready: impl AsyncFnOnce(Open)) -> Result<Ended, Error> {
    let Setup {
        vin,
        clock,
        boot_id,
        sources,
        diagnostics,
        detect,
        fences,
        places,
        journal,
        http,
        upstreams,
        control,
        mut changes,
    } = setup;
    let (health, metrics) = (Health::default(), Metrics::default());
    let counters = journal::Counters::register(&metrics);
    let opened = Journal::open(journal, vin.clone(), clock.clone(), health.clone(), counters)?;
    let journal::Opened { journal, rows, last, inbox, writable, .. } = opened;

    let (numbers, dropped) = fleet::Numbers::restore(detect, &journal.kept(FLEET_SETTINGS));
    let mut engine = Engine::new(numbers.in_force().clone(), vin.clone(), sources.layout(), fences);
    let now = clock.stamp(clock.now());
    let known = !rows.is_empty();
    engine.restore(&rows, now, &boot_id);
    journal.settle_alerts(&engine.alert().into_iter().collect::<Vec<_>>());
    let mut outbox = Outbox::new(vin.clone(), last);
    outbox.reserve(journal.reserved());
    let names = places::Maker::new(&metrics, health.clone());
    let core = Core::new(engine, outbox, Late::After(LATE))
        .with_texts(texts(diagnostics.texts.as_deref(), &health))
        .with_places(names.make(places));
    let vehicle = Vehicle::new(vin.clone(), core, clock.clone(), health.clone(), journal.clone());
    vehicle.count(&metrics);
    vehicle.take_numbers(numbers, dropped);
    if known {
        vehicle.see(now.boot, &[Observation::Restarted]);
    }
    vehicle.show_fences();

    let feed: Arc<dyn Feed> = journal.clone();
    let real_time = http.clock.0.clone();
    let server = http::Server::bind(http, feed.clone(), health.clone(), &metrics, shutdown.clone()).map_err(Error::Doors)?;
    let addresses = server.addresses().to_vec();
    let (pairing, entrance, certificates) = (server.pairing(), server.entrance(), server.certificates());
    let mut tasks = JoinSet::new();
    if let Some(path) = control {
        match Control::listen(&path, pairing, feed.clone(), entrance, health.clone()).await {
            Ok(control) => {
                health.set("control", Condition::Ok, "");
                tasks.spawn(named("the control socket", control.run()));
            }
            Err(error) => {
                tracing::warn!(socket = %path.display(), %error, "nobody can be paired");
                let detail = format!(
                    "{}: {error}; nobody can be paired until the daemon is started where it may make this",
                    path.display()
                );
                health.set("control", Condition::Degraded, detail);
            }
        }
    }
    let mut readers =
        sources.start(&mut tasks, Surroundings::new(vehicle.clone(), clock.clone(), health.clone(), &metrics, diagnostics));
    tasks.spawn(named("the clockwork", {
        let vehicle = vehicle.clone();
        async move { vehicle.keep_time().await }
    }));
    tasks.spawn(named("the inbox", answer(vehicle.clone(), inbox, health.pulse("inbox"))));
    tasks.spawn(named(
        "the journal's watch",
        watch_journal(vehicle.clone(), clock.clone(), writable, health.pulse("journal-watch")),
    ));
    tasks.spawn(named("the status line", systemd::keep_status(health.clone())));
    tasks.spawn(named("the watchdog's feeder", systemd::feed_watchdog(health.clone())));
    let mut ways = Upstreams::new(feed.clone(), vin.clone(), clock, real_time, health.clone(), &metrics);
    ways.renew(upstreams);
    ready(Open { addresses, health: health.clone() }).await;

    let mut number = vehicle.number();
    let mut serving = std::pin::pin!(server.run());
    let result = loop {
        tokio::select! {
            () = &mut serving => break Ok(Ended::Stopped),
            Ok(()) = number.changed() => match number.borrow_and_update().clone() {
                Some(told) if vin == Vin::unnamed() => break Ok(Ended::Named(told)),
                Some(told) if told != vin => {
                    tracing::warn!(%vin, %told, "the car's own ECUs tell another number");
                    let cure = format!("its ECUs say that it is {told}, and it is watched as {vin}: set vehicle.vin to the one that is right");
                    health.set("vehicle", Condition::Degraded, cure);
                }
                _ => {}
            },
            ended = ways.first_end() => break Err(Error::Ended(ended)),
            ended = first_end(&mut tasks) => break Err(Error::Ended(ended)),
            Some(Change { detect, fences, places, buses, receivers, given, upstreams, done }) = changes.recv() => {
                vehicle.set_places(names.make(places));
                if let Some(given) = given {
                    certificates.swap(&given);
                }
                let refused = vehicle.renew(detect, fences);
                readers.renew(buses, receivers, &mut tasks);
                ways.renew(upstreams);
                // Who asked may have gone.
                let _ = done.send(refused.iter().map(ToString::to_string).collect());
            }
        }
    };
    shutdown.cancel();
    ways.stop().await;
    tasks.shutdown().await;
    vehicle.save();
    if !journal.close(FAREWELL) {
        tracing::warn!("the journal could not be closed in time; nothing that was told is lost");
    }
    result
}

/// The texts of codes, with the owner's where they can be read.
fn texts(file: Option<&Path>, health: &Health) -> Texts {
    let read = |path: &Path| {
        let json = std::fs::read(path).map_err(|error| error.to_string())?;
        diagnostics::texts::Texts::load(&json).map_err(|error| error.to_string())
    };
    let own = file.map(|path| read(path).map_err(|error| format!("{} cannot be used: {error}", path.display())));
    let own = own.transpose().unwrap_or_else(|error| {
        tracing::warn!("{error}");
        health.set("diagnostics.texts", Condition::Degraded, error);
        None
    });
    Texts::of_codes(own.unwrap_or_default())
}

/// Names a task that never ends, for the day that it does.
async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

/// The first task that ends or panics.
async fn first_end(tasks: &mut JoinSet<&'static str>) -> String {
    loop {
        match tasks.join_next().await {
            Some(Ok(name)) => return name.to_owned(),
            // The source of what is no more read.
            Some(Err(error)) if error.is_cancelled() => {}
            Some(Err(panic)) => return panic.to_string(),
            None => std::future::pending().await,
        }
    }
}

async fn answer(vehicle: Vehicle, mut inbox: mpsc::Receiver<Asked>, pulse: Pulse) {
    while let Some(asked) = pulse.rest(inbox.recv()).await {
        vehicle.answer(asked);
    }
}

async fn watch_journal(vehicle: Vehicle, clock: Clock, mut writable: tokio::sync::watch::Receiver<bool>, pulse: Pulse) {
    let mut told = true;
    loop {
        let now = *writable.borrow_and_update();
        if now != told {
            vehicle.see(clock.now(), &[Observation::Journal { writable: now }]);
            told = now;
        }
        vehicle.take_up_late();
        if pulse.rest(writable.changed()).await.is_err() {
            return;
        }
    }
}

/// The id of this boot of the kernel.
pub fn boot_id() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.map(|text| text.trim().to_owned()).unwrap_or_default()
}
