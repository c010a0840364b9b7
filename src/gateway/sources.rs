//! Where a vehicle's observations come from: buses and receivers, or the simulated car.

use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};

use super::{Vehicle, named};
use crate::can::{self, Decoder, Intake, profile::Profile};
use crate::clock::{Boot, Clock};
use crate::config;
use crate::gnss::{self, Heard};
use crate::health::{Condition, Health};
use crate::metrics::Metrics;
use crate::sim;
use crate::vehicle::{BusId, Frame, Layout, Observation};

/// What a vehicle is read from.
pub enum Sources {
    /// A car: its buses, in the order of the profile's layout, and its receiver.
    Car {
        /// What its frames mean.
        profile: Profile,
        /// Where they come from.
        buses: Vec<config::Bus>,
        /// Where it is.
        receiver: Option<gnss::Settings>,
    },
    /// The simulated car: its frames and sentences go through the same decoders.
    Simulated {
        /// What its frames mean.
        profile: Profile,
        /// The car.
        car: Box<sim::Car>,
        /// What it leaves on disk.
        files: sim::Files,
    },
}

/// What stands around the sources of a vehicle.
#[derive(Clone)]
pub(super) struct Surroundings {
    vehicle: Vehicle,
    clock: Clock,
    health: Health,
    frames: can::Counters,
    sentences: gnss::Counters,
}

impl Surroundings {
    /// Those of `vehicle`, with counters of their own among `metrics`.
    pub(super) fn new(vehicle: Vehicle, clock: Clock, health: Health, metrics: &Metrics) -> Surroundings {
        let (frames, sentences) = (can::Counters::register(metrics), gnss::Counters::register(metrics));
        Surroundings { vehicle, clock, health, frames, sentences }
    }
}

impl Sources {
    /// Which sources feed which signals.
    pub fn layout(&self) -> Layout {
        match self {
            Sources::Car { profile, .. } | Sources::Simulated { profile, .. } => profile.layout.clone(),
        }
    }

    /// Starts a task a source.
    pub(super) fn start(self, tasks: &mut JoinSet<&'static str>, around: Surroundings) -> Readers {
        match self {
            Sources::Car { profile, buses, receiver } => {
                let mut readers = Readers { decoder: Arc::new(profile.decoder), around, wires: Vec::new(), receiver: None };
                readers.renew(buses, receiver, tasks);
                readers
            }
            Sources::Simulated { profile, car, files } => {
                tasks.spawn(named("the simulated car", simulate(profile, *car, files, around.clone())));
                Readers { decoder: Arc::default(), around, wires: Vec::new(), receiver: None }
            }
        }
    }
}

/// The tasks that read a car's sources, and what they need.
pub(super) struct Readers {
    decoder: Arc<Decoder>,
    around: Surroundings,
    wires: Vec<(Vec<can::Bus>, AbortHandle)>,
    receiver: Option<(gnss::Settings, AbortHandle)>,
}

impl Readers {
    /// Reads these from now on: whatever is read already goes on undisturbed, the rest is begun or ended.
    pub(super) fn renew(&mut self, buses: Vec<config::Bus>, receiver: Option<gnss::Settings>, tasks: &mut JoinSet<&'static str>) {
        let numbered = buses.into_iter().enumerate();
        let numbered = numbered.map(|(at, config::Bus { name, interface, candump, listen_only })| can::Bus {
            id: bus_id(at),
            name,
            interface,
            candump,
            listen_only,
        });
        let wanted = can::wires(numbered.collect());
        self.wires.retain(|(wire, task)| {
            let stays = wanted.contains(wire);
            if !stays {
                task.abort();
            }
            stays
        });
        for wire in wanted {
            if self.wires.iter().all(|(known, _)| *known != wire) {
                let task = self.listen(wire.clone(), tasks);
                self.wires.push((wire, task));
            }
        }
        if self.receiver.as_ref().map(|(known, _)| known) != receiver.as_ref() {
            if let Some((known, task)) = self.receiver.take() {
                task.abort();
                self.around.health.forget(&known.name);
            }
            self.receiver = receiver.map(|settings| (settings.clone(), self.receive(settings, tasks)));
        }
    }

    fn listen(&self, wire: Vec<can::Bus>, tasks: &mut JoinSet<&'static str>) -> AbortHandle {
        let Surroundings { vehicle, clock, health, frames, .. } = self.around.clone();
        let beside = can::Surroundings { decoder: self.decoder.clone(), clock, health, counters: frames };
        tasks.spawn(named("the source of a bus", async move {
            match can::run(wire, beside, |at, seen| vehicle.see(at, seen)).await {}
        }))
    }

    fn receive(&self, receiver: gnss::Settings, tasks: &mut JoinSet<&'static str>) -> AbortHandle {
        let Surroundings { vehicle, clock, health, sentences, .. } = self.around.clone();
        tasks.spawn(named("the source of a receiver", async move {
            gnss::run(&receiver, &clock, &health, &sentences, |at, seen| vehicle.see(at, seen)).await;
            std::future::pending().await
        }))
    }
}

/// Drives the simulated car through the decoders that a real car's data goes through.
async fn simulate(profile: Profile, car: sim::Car, files: sim::Files, around: Surroundings) {
    let Surroundings { vehicle, clock, health, frames, sentences } = around;
    let Profile { layout, decoder, .. } = profile;
    for bus in &layout.buses {
        health.set(&format!("can.{bus}"), Condition::Ok, "");
    }
    health.set("gnss", Condition::Ok, "");
    let decoder = Arc::new(decoder);
    let intake = |(at, name): (usize, &String)| (name.clone(), Intake::new(bus_id(at), name, decoder.clone(), frames.clone()));
    let mut intakes: Vec<(String, Intake)> = layout.buses.iter().enumerate().map(intake).collect();
    let watcher = vehicle.clone();
    let on_frame = |bus: &str, frame: Frame| {
        if let Some((_, intake)) = intakes.iter_mut().find(|(name, _)| name == bus) {
            intake.present(frame.at, |at, seen| watcher.see(at, seen));
            intake.frame(frame.at, &frame, |at, seen| watcher.see(at, seen));
        }
    };
    let mut reader = gnss::Reader::new(gnss::Settings::default().uere);
    let vouched = clock.clone();
    let on_sentence = |at: Boot, bytes: &[u8]| {
        for part in [bytes, b"\r\n"] {
            reader.take(at, part, |heard| match heard {
                Heard::Sentence => {
                    sentences.sentences.inc();
                }
                Heard::Fault(_, fault) => sentences.dropped(fault),
                Heard::Fix(fix) => {
                    sentences.fixes.inc();
                    if let Some(time) = fix.time {
                        vouched.vouch(fix.at, time);
                    }
                    vehicle.see(at, &[Observation::Fix(fix)]);
                }
            });
        }
    };
    let (_, nobody_asks) = tokio::sync::mpsc::channel(1);
    sim::run(car, clock, files, nobody_asks, on_frame, on_sentence).await;
}

/// The bus at this place of the layout.
fn bus_id(at: usize) -> BusId {
    BusId(u8::try_from(at).unwrap_or(u8::MAX))
}
