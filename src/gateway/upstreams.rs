//! The ways to the fleet: one task each, begun anew when its settings change.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::feed::Feed;
use crate::health::{Condition, Health};
use crate::metrics::Metrics;
use crate::upstream::desired::Desired;
use crate::upstream::https::Collector;
use crate::upstream::mqtt::Broker;
use crate::upstream::tls::Tls;
use crate::upstream::{self, Counters, Fleet, Settings, Way};
use crate::vehicle::Vin;

/// Documents of the fleet that wait for the engine.
const WISHES: usize = 4;

/// All of them.
pub struct Upstreams {
    feed: Arc<dyn Feed>,
    vin: Vin,
    /// The vehicle's time, for stamps.
    clock: Clock,
    /// The world's, for certificates.
    real_time: Clock,
    health: Health,
    counters: Counters,
    route: watch::Receiver<u64>,
    running: BTreeMap<String, Running>,
    tasks: JoinSet<()>,
}

struct Running {
    settings: Settings,
    stop: CancellationToken,
    /// It has said good-bye.
    gone: CancellationToken,
}

impl Upstreams {
    /// None yet.
    pub fn new(feed: Arc<dyn Feed>, vin: Vin, clock: Clock, real_time: Clock, health: Health, metrics: &Metrics) -> Upstreams {
        let counters = Counters::register(metrics);
        let route = upstream::route::watch().unwrap_or_else(|error| {
            tracing::warn!(%error, "new routes are not heard of: an upstream that waits is tried again when its wait is over");
            watch::channel(0).1
        });
        Upstreams { feed, vin, clock, real_time, health, counters, route, running: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// From now on there are these. One that is as it was goes on.
    pub fn renew(&mut self, wanted: Vec<Settings>) {
        if self.vin == Vin::unnamed() {
            for settings in wanted {
                let cure =
                    "waits until the car has told its number, as a fleet could not tell it from others; or set vehicle.vin";
                self.health.set(&upstream::part(&settings.name), Condition::Absent, cure);
            }
            return;
        }
        self.make_room(&wanted);
        let mut before = std::mem::take(&mut self.running);
        for settings in wanted {
            match before.remove(&settings.name) {
                Some(running) if running.settings == settings => drop(self.running.insert(settings.name.clone(), running)),
                old => self.begin(settings, old.map(|old| old.stopped())),
            }
        }
        for (name, old) in before {
            let (gone, health, counters) = (old.stopped(), self.health.clone(), self.counters.clone());
            self.tasks.spawn(async move {
                gone.cancelled().await;
                health.forget(&upstream::part(&name));
                counters.forget(&name);
            });
        }
    }

    /// How far an upstream is that nobody names any more is kept, in case that it is named again; but not for ever.
    fn make_room(&self, wanted: &[Settings]) {
        let needed: Vec<String> = wanted.iter().map(|settings| upstream::reader(&settings.name)).collect();
        for gone in self.feed.make_room(&needed) {
            tracing::info!(
                reader = gone,
                "no upstream is called so any more: how far it was is forgotten to make room for another"
            );
        }
    }

    /// Begins one, once the `old` one of that name is gone: a broker takes each vehicle once.
    fn begin(&mut self, settings: Settings, old: Option<CancellationToken>) {
        let (stop, gone, clock) = (CancellationToken::new(), CancellationToken::new(), self.clock.clone());
        let (status, reads) = watch::channel(Arc::from(""));
        let tls = Tls::new(&settings, self.real_time.clone());
        let (wishes, wished) = mpsc::channel(WISHES);
        let wishes = settings.desired.then_some(wishes);
        let obeys = upstream::desired::obey(self.feed.clone(), self.vin.clone(), wished);
        let way = Way {
            feed: self.feed.clone(),
            vin: self.vin.clone(),
            fleet: self.fleet_of(&settings, tls.clone(), reads, wishes),
            complaint: Arc::new(move || tls.complaint().map(|fault| format!("{fault}; what was read before goes on"))),
            settings: settings.clone(),
            now: Arc::new(move || clock.stamp(clock.now())),
            status,
            route: self.route.clone(),
            health: self.health.clone(),
            counters: self.counters.clone(),
            // Where there is no chance the name has to do.
            seed: getrandom::u64().unwrap_or(settings.name.len() as u64),
            stop: stop.clone(),
        };
        let done = gone.clone().drop_guard();
        self.tasks.spawn(async move {
            if let Some(old) = old {
                old.cancelled().await;
            }
            tokio::select! {
                () = upstream::run(way) => {}
                // It ends at once where the fleet may wish for nothing.
                () = async { obeys.await; std::future::pending().await } => {}
            }
            drop(done);
        });
        self.running.insert(settings.name.clone(), Running { settings, stop, gone });
    }

    fn fleet_of(
        &self,
        settings: &Settings,
        tls: Tls,
        status: watch::Receiver<Arc<str>>,
        wishes: Option<mpsc::Sender<Desired>>,
    ) -> Box<dyn Fleet> {
        if settings.url.scheme.is_mqtt() {
            let too_long = self.counters.too_long(&settings.name);
            Box::new(Broker::new(settings.clone(), tls, self.vin.clone(), status, wishes, too_long))
        } else {
            Box::new(Collector::new(settings, &self.vin, tls, self.real_time.clone()))
        }
    }

    /// The first one that panics.
    pub async fn first_end(&mut self) -> String {
        loop {
            match self.tasks.join_next().await {
                Some(Err(panic)) if panic.is_panic() => return format!("an upstream: {panic}"),
                // One that was to stop.
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Lets each of them say good-bye, for which it has a second.
    pub async fn stop(mut self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Running {
    /// Tells it to stop; what is given says when it has.
    fn stopped(self) -> CancellationToken {
        self.stop.cancel();
        self.gone
    }
}
