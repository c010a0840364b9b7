//! Where a vehicle's observations come from: buses and receivers, or the simulated car.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::{Vehicle, named};
use crate::can::{
    self, Decoder, Intake, Listeners,
    profile::{Diagnosis, Profile},
};
use crate::clock::{Boot, Clock};
use crate::config;
use crate::diagnostics::port::Permission;
use crate::diagnostics::{self, Asker, IsoTp, Listener};
use crate::gnss::{self, Heard, Vouch};
use crate::health::{Condition, Health};
use crate::metrics::Metrics;
use crate::sim;
use crate::vehicle::{BusId, Frame, Layout, Observation};

/// What a vehicle is read from.
pub enum Sources {
    /// A car: its buses, in the order of the profile's layout, and its receivers.
    Car {
        /// What its frames mean.
        profile: Profile,
        /// Where they come from.
        buses: Vec<config::Bus>,
        /// Where it is; behind the car's own, those of its trailers.
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

/// What stands around the sources of a vehicle.
#[derive(Clone)]
pub(super) struct Surroundings {
    vehicle: Vehicle,
    clock: Clock,
    health: Health,
    frames: can::Counters,
    sentences: gnss::Counters,
    answers: diagnostics::Counters,
    asking: diagnostics::Settings,
}

impl Surroundings {
    /// Those of `vehicle`, with counters of their own among `metrics`.
    pub(super) fn new(
        vehicle: Vehicle,
        clock: Clock,
        health: Health,
        metrics: &Metrics,
        asking: diagnostics::Settings,
    ) -> Surroundings {
        let (frames, sentences) = (can::Counters::register(metrics), gnss::Counters::register(metrics));
        let answers = diagnostics::Counters::register(metrics);
        Surroundings { vehicle, clock, health, frames, sentences, answers, asking }
    }

    /// What stands around whoever asks.
    fn of_asker(&self) -> diagnostics::Surroundings {
        let Surroundings { clock, health, answers, .. } = self.clone();
        diagnostics::Surroundings { clock, health, counters: answers }
    }
}

impl Sources {
    /// Which sources feed which signals.
    pub fn layout(&self) -> Layout {
        match self {
            Sources::Car { profile, .. } | Sources::Simulated { profile, .. } => diagnostics::layout(profile),
        }
    }

    /// Starts a task a source.
    pub(super) fn start(self, tasks: &mut JoinSet<&'static str>, around: Surroundings) -> Readers {
        match self {
            Sources::Car { profile, buses, receivers } => {
                let asked = Asked::new(&profile.diagnosis, &around);
                let listeners = asked.listeners(profile.diagnosis);
                let decoder = Arc::new(profile.decoder);
                let mut readers = Readers { decoder, around, listeners, asked, wires: Vec::new(), receivers: Vec::new() };
                readers.renew(buses, receivers, tasks);
                readers
            }
            Sources::Simulated { profile, car, files } => {
                let asked = Asked::new(&profile.diagnosis, &around);
                let (out, heard) = mpsc::channel(MOST_FRAMES);
                let asked = Asked { buses: asked.on_wire(&out), ..asked };
                for (_, asker) in &asked.buses {
                    let (asker, beside, vehicle) = (asker.clone(), around.of_asker(), around.vehicle.clone());
                    tasks.spawn(named("who asks the simulated ECUs", async move {
                        let (ignition, deliver) = (|| vehicle.ignition_is_on(), |at, seen: &[Observation]| vehicle.see(at, seen));
                        match diagnostics::run_on_wire(asker, beside, ignition, deliver).await {}
                    }));
                }
                let listeners = asked.listeners(profile.diagnosis.clone());
                tasks.spawn(named("the simulated car", simulate(profile, *car, files, heard, listeners.clone(), around.clone())));
                let (decoder, asked) = (Arc::default(), Asked::default());
                Readers { decoder, around, listeners, asked, wires: Vec::new(), receivers: Vec::new() }
            }
        }
    }
}

/// Frames that may be on their way to the simulated ECUs.
const MOST_FRAMES: usize = 64;

/// The buses on which ECUs are asked.
#[derive(Default)]
struct Asked {
    buses: Vec<(BusId, Asker)>,
    /// By which interface, and the task.
    tasks: Vec<(BusId, String, AbortHandle)>,
}

impl Asked {
    /// Those that the profile names, where that is allowed.
    fn new(diagnosis: &Diagnosis, around: &Surroundings) -> Asked {
        let named: BTreeSet<BusId> = [diagnosis.obd, diagnosis.j1939].into_iter().flatten().collect();
        let identity = around.vehicle.identity();
        let asker = |bus: BusId| Asker::of(diagnosis, bus, identity).map(|asker| (bus, asker));
        let buses = named.into_iter().filter(|_| around.asking.transmit).filter_map(asker).collect();
        Asked { buses, tasks: Vec::new() }
    }

    /// The same ones, whose requests leave by `out`.
    fn on_wire(&self, out: &mpsc::Sender<Frame>) -> Vec<(BusId, Asker)> {
        self.buses.iter().map(|(bus, asker)| (*bus, asker.clone().on_wire(out.clone()))).collect()
    }

    /// Who listens to which bus: who asks there, else who only listens.
    fn listeners(&self, diagnosis: Diagnosis) -> Listeners {
        let (asked, silent) = (self.buses.clone(), Listener::all(diagnosis));
        Listeners::new(move |bus| match asked.iter().find(|(asked, _)| *asked == bus) {
            Some((_, asker)) => Some(asker.listener()),
            None => silent.of(bus),
        })
    }

    /// Asks by these interfaces from now on. A log answers nobody.
    fn renew(&mut self, wires: &[Vec<can::Bus>], around: &Surroundings, tasks: &mut JoinSet<&'static str>) {
        let Some(permission) = Permission::granted(around.asking.transmit) else { return };
        let interface = |bus: BusId| {
            let wire = wires.iter().flatten().find(|wire| wire.id == bus && wire.candump.is_none());
            wire.map(|wire| wire.interface.clone())
        };
        self.tasks.retain(|(bus, known, task)| {
            let stays = interface(*bus).as_ref() == Some(known);
            if !stays {
                task.abort();
            }
            stays
        });
        for (bus, asker) in &self.buses {
            let Some(interface) = interface(*bus).filter(|_| self.tasks.iter().all(|(known, ..)| known != bus)) else { continue };
            let task = tasks.spawn(ask(asker.clone(), interface.clone(), around.asking.isotp, permission, around.clone()));
            self.tasks.push((*bus, interface, task));
        }
    }
}

async fn ask(asker: Asker, interface: String, isotp: IsoTp, permission: Permission, around: Surroundings) -> &'static str {
    let (beside, vehicle) = (around.of_asker(), around.vehicle);
    let (ignition, deliver) = (|| vehicle.ignition_is_on(), |at, seen: &[Observation]| vehicle.see(at, seen));
    match diagnostics::run(asker, &interface, isotp, permission, beside, ignition, deliver).await {}
}

/// The tasks that read a car's sources, and what they need.
pub(super) struct Readers {
    decoder: Arc<Decoder>,
    around: Surroundings,
    listeners: Listeners,
    asked: Asked,
    wires: Vec<(Vec<can::Bus>, AbortHandle)>,
    /// Each by its place: the first is the car's own.
    receivers: Vec<(usize, gnss::Settings, AbortHandle)>,
}

impl Readers {
    /// Reads these from now on: whatever is read already goes on undisturbed, the rest is begun or ended.
    pub(super) fn renew(&mut self, buses: Vec<config::Bus>, receivers: Vec<gnss::Settings>, tasks: &mut JoinSet<&'static str>) {
        let numbered = buses.into_iter().enumerate();
        let numbered = numbered.map(|(at, config::Bus { name, interface, candump, listen_only })| can::Bus {
            id: bus_id(at),
            name,
            interface,
            candump,
            listen_only,
        });
        let wanted = can::wires(numbered.collect());
        self.asked.renew(&wanted, &self.around, tasks);
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
        let Surroundings { vehicle, health, .. } = &self.around;
        self.receivers.retain(|(place, known, task)| {
            let stays = receivers.get(*place) == Some(known);
            if !stays {
                task.abort();
                health.forget(&known.name);
                if let Some(further) = place.checked_sub(1) {
                    vehicle.forget_further(further);
                }
            }
            stays
        });
        for (place, settings) in receivers.into_iter().enumerate() {
            if self.receivers.iter().all(|(known, ..)| *known != place) {
                let task = self.receive(place, settings.clone(), tasks);
                self.receivers.push((place, settings, task));
            }
        }
    }

    fn listen(&self, wire: Vec<can::Bus>, tasks: &mut JoinSet<&'static str>) -> AbortHandle {
        let Surroundings { vehicle, clock, health, frames, .. } = self.around.clone();
        let (decoder, listeners) = (self.decoder.clone(), self.listeners.clone());
        let beside = can::Surroundings { decoder, clock, health, counters: frames, listeners };
        tasks.spawn(named("the source of a bus", async move {
            match can::run(wire, beside, |at, seen| vehicle.see(at, seen)).await {}
        }))
    }

    /// Reads the receiver in this place: the engine sees the first one, and the others are shown.
    fn receive(&self, place: usize, receiver: gnss::Settings, tasks: &mut JoinSet<&'static str>) -> AbortHandle {
        let Surroundings { vehicle, clock, health, sentences, .. } = self.around.clone();
        tasks.spawn(named("the source of a receiver", async move {
            match place.checked_sub(1) {
                None => gnss::run(&receiver, &clock, Vouch::Yes, &health, &sentences, |at, seen| vehicle.see(at, seen)).await,
                Some(further) => {
                    let show = |seen: &Observation| {
                        if let Observation::Fix(fix) = seen {
                            vehicle.see_further(further, *fix);
                        }
                    };
                    let deliver = |_, seen: &[Observation]| seen.iter().for_each(show);
                    gnss::run(&receiver, &clock, Vouch::No, &health, &sentences, deliver).await;
                }
            }
            std::future::pending().await
        }))
    }
}

/// Drives the simulated car through the decoders that a real car's data goes through.
async fn simulate(
    profile: Profile,
    car: sim::Car,
    files: sim::Files,
    heard: mpsc::Receiver<Frame>,
    listeners: Listeners,
    around: Surroundings,
) {
    let Surroundings { vehicle, clock, health, frames, sentences, .. } = around;
    let Profile { layout, decoder, .. } = profile;
    for bus in &layout.buses {
        health.set(&format!("can.{bus}"), Condition::Ok, "");
    }
    health.set("gnss", Condition::Ok, "");
    let decoder = Arc::new(decoder);
    let intake = |(at, name): (usize, &String)| {
        let intake = Intake::new(bus_id(at), name, decoder.clone(), frames.clone());
        (name.clone(), intake.heard_by(listeners.of(bus_id(at))))
    };
    let mut intakes: Vec<(String, Intake)> = layout.buses.iter().enumerate().map(intake).collect();
    let watcher = vehicle.clone();
    let on_frame = |bus: &str, frame: Frame| {
        if let Some((_, intake)) = intakes.iter_mut().find(|(name, _)| name == bus) {
            intake.present(frame.at, |at, seen| watcher.see(at, seen));
            intake.frame(frame.at, &frame, |at, seen| watcher.see(at, seen));
        }
    };
    let mut reader = gnss::Reader::new(gnss::Settings::default().uere);
    let mut speaks = false;
    let vouched = clock.clone();
    let on_sentence = |at: Boot, bytes: &[u8]| {
        for part in [bytes, b"\r\n"] {
            reader.take(at, part, |heard| match heard {
                Heard::Sentence => {
                    sentences.sentences.inc();
                    if !std::mem::replace(&mut speaks, true) {
                        vehicle.see(at, &[Observation::Receiver { speaks }]);
                    }
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
    sim::run(car, clock, files, heard, on_frame, on_sentence).await;
}

/// The bus at this place of the layout.
fn bus_id(at: usize) -> BusId {
    BusId(u8::try_from(at).unwrap_or(u8::MAX))
}
