//! Where a vehicle's observations come from: buses and receivers, or the simulated car.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Vehicle, named};
use crate::can::{self, Decoder, profile::Profile};
use crate::clock::{Boot, Clock};
use crate::config;
use crate::gnss::{self, Heard};
use crate::health::{Condition, Health};
use crate::metrics::Metrics;
use crate::sim;
use crate::vehicle::{BusId, Frame, Layout, Observation};

/// What a vehicle is read from.
pub enum Sources {
    /// A car: its buses, in the order of the profile's layout, and its receivers, its own first.
    Car {
        /// What its frames mean.
        profile: Profile,
        /// Where they come from.
        buses: Vec<config::Bus>,
        /// Where it is.
        receivers: Vec<gnss::Settings>,
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

impl Sources {
    /// Which sources feed which signals.
    pub fn layout(&self) -> Layout {
        match self {
            Sources::Car { profile, .. } | Sources::Simulated { profile, .. } => profile.layout.clone(),
        }
    }

    /// Starts a task a source.
    pub(super) fn spawn(
        self,
        tasks: &mut JoinSet<&'static str>,
        vehicle: &Vehicle,
        clock: &Clock,
        health: &Health,
        metrics: &Metrics,
    ) {
        let frames = can::Counters::register(metrics);
        let sentences = gnss::Counters::register(metrics);
        match self {
            Sources::Car { profile, buses, receivers } => {
                let decoder = Arc::new(profile.decoder);
                for (at, config::Bus { name, interface, candump, listen_only }) in buses.into_iter().enumerate() {
                    let bus = can::Bus { id: bus_id(at), name, interface, candump, listen_only };
                    let around = can::Surroundings {
                        decoder: decoder.clone(),
                        clock: clock.clone(),
                        health: health.clone(),
                        counters: frames.clone(),
                    };
                    let vehicle = vehicle.clone();
                    tasks.spawn(named("the source of a bus", async move {
                        match can::run(bus, around, |at, seen| vehicle.see(at, seen)).await {}
                    }));
                }
                for receiver in receivers.into_iter().take(1) {
                    let (clock, health, counters) = (clock.clone(), health.clone(), sentences.clone());
                    let vehicle = vehicle.clone();
                    tasks.spawn(named("the source of a receiver", async move {
                        gnss::run(&receiver, &clock, &health, &counters, |at, seen| vehicle.see(at, seen)).await;
                        std::future::pending().await
                    }));
                }
            }
            Sources::Simulated { profile, car, files } => {
                let (clock, health, vehicle) = (clock.clone(), health.clone(), vehicle.clone());
                tasks.spawn(named("the simulated car", simulate(profile, *car, files, clock, health, sentences, frames, vehicle)));
            }
        }
    }
}

/// Drives the simulated car through the decoders that a real car's data goes through.
#[allow(clippy::too_many_arguments, reason = "a list of what is wired together")]
async fn simulate(
    profile: Profile,
    car: sim::Car,
    files: sim::Files,
    clock: Clock,
    health: Health,
    sentences: gnss::Counters,
    frames: can::Counters,
    vehicle: Vehicle,
) {
    let Profile { layout, decoder, .. } = profile;
    for bus in &layout.buses {
        health.set(&format!("can.{bus}"), Condition::Ok, "");
    }
    health.set("gnss", Condition::Ok, "");
    let mut wires = Wires { layout, decoder, frames, seen: Vec::new(), vehicle: vehicle.clone() };
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
    sim::run(car, clock, files, |bus, frame| wires.carry(bus, &frame), on_sentence).await;
}

/// The bus at this place of the layout.
fn bus_id(at: usize) -> BusId {
    BusId(u8::try_from(at).unwrap_or(u8::MAX))
}

/// The simulated car's buses.
struct Wires {
    layout: Layout,
    decoder: Decoder,
    frames: can::Counters,
    seen: Vec<Observation>,
    vehicle: Vehicle,
}

impl Wires {
    fn carry(&mut self, bus: &str, frame: &Frame) {
        let Some(at) = self.layout.buses.iter().position(|name| name == bus) else { return };
        self.seen.clear();
        let seen = &mut self.seen;
        self.decoder.decode(bus_id(at), frame, |source, reading| seen.push(Observation::Reading(source, reading)));
        if !self.seen.is_empty() {
            self.vehicle.see(frame.at, &self.seen);
        }
    }
}
