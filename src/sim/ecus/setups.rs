//! Cars for tests: ECUs, how they are and behave, and who else is plugged in.

use std::time::Duration;

use super::{Bus, CLEARS, Ecu, Fault, FlowManner, LOOKS_ON, Manner, Rival, SESSION_AND_CLEARS, Script, Truck, TruckFault};
use crate::clock::Boot;

/// A car for tests.
#[derive(Debug)]
pub struct Setup {
    /// What it is called on the command line.
    pub name: &'static str,
    /// In one line.
    pub about: &'static str,
    bus: fn(Boot) -> Bus,
}

impl Setup {
    /// Its wire, from `now` on.
    pub fn bus(&self, now: Boot) -> Bus {
        (self.bus)(now)
    }
}

/// The one of that name.
pub fn setup(name: &str) -> Option<&'static Setup> {
    SETUPS.iter().find(|setup| setup.name == name)
}

/// All of them; the first unless another is asked for.
pub static SETUPS: &[Setup] = &[
    Setup {
        name: "codes",
        about: "the lamp is lit: P0301 and P0420 of the engine, P0741 of the transmission, P0128 pending",
        bus: |_| broken(Manner::default()),
    },
    Setup { name: "whole", about: "nothing is wrong", bus: |_| Bus::car() },
    Setup {
        name: "body",
        about: "only an ECU that speaks UDS alone: B1A01 and U0100",
        bus: |_| Bus::new([Ecu::body().with_faults(&[Fault::SPEAKER, Fault::NO_ENGINE])]),
    },
    Setup {
        name: "late",
        about: "codes; each answer 200 ms after its question, P2 being 50 ms",
        bus: |_| broken(Manner { after: Duration::from_millis(200), ..Manner::default() }),
    },
    Setup {
        name: "twice",
        about: "codes; each answer comes twice",
        bus: |_| broken(Manner { twice: true, ..Manner::default() }),
    },
    Setup {
        name: "pieces",
        about: "codes; 700 ms between the frames of an answer",
        bus: |_| broken(Manner { gap: Duration::from_millis(700), ..Manner::default() }),
    },
    Setup {
        name: "cut",
        about: "codes; 1.5 s between the frames of an answer, more than N_Cr allows",
        bus: |_| broken(Manner { gap: Duration::from_millis(1500), ..Manner::default() }),
    },
    Setup { name: "never", about: "nobody answers", bus: |_| broken(Manner { never: true, ..Manner::default() }) },
    Setup {
        name: "busy",
        about: "codes; the first five questions to each ECU are answered with 21, busyRepeatRequest",
        bus: |_| broken(Manner { busy: 5, ..Manner::default() }),
    },
    Setup {
        name: "pending",
        about: "codes; before each answer comes 78, ResponsePending, and then 2 s nothing",
        bus: |_| broken(Manner { pending: 1, ..Manner::default() }),
    },
    Setup {
        name: "overflow",
        about: "codes; what has more than one frame is too long for the ECUs",
        bus: |_| broken(Manner { flow: FlowManner::Overflow, ..Manner::default() }),
    },
    Setup { name: "clears", about: "codes, which another tester clears after 20 s", bus: |now| played(now, &CLEARS) },
    Setup {
        name: "mixed",
        about: "the same, and on the same wire a truck's engine without a lamp: SPN 110 FMI 0 active, SPN 639 FMI 9 previously",
        bus: |now| played(now, &CLEARS).with_truck(dark()),
    },
    Setup {
        name: "session-and-clears",
        about: "codes; after 20 s a workshop's tester opens an extended session and clears them",
        bus: |now| played(now, &SESSION_AND_CLEARS),
    },
    Setup {
        name: "looks-on",
        about: "codes, which another tester reads each second from 20 s on",
        bus: |now| played(now, &LOOKS_ON),
    },
    Setup {
        name: "truck",
        about: "a truck's engine: SPN 110 FMI 0 and SPN 100 FMI 1 active, SPN 639 FMI 9 previously",
        bus: |_| Bus::default().with_truck(truck()),
    },
    Setup {
        name: "rival",
        about: "the same truck, and somebody with the best NAME who claims the first two addresses that others claim",
        bus: |_| Bus::default().with_truck(truck()).with_rival(Rival::new(1, 2)),
    },
];

const TEMPERATURE: TruckFault = TruckFault { spn: 110, fmi: 0, occurrences: 2 };
const OIL: TruckFault = TruckFault { spn: 100, fmi: 1, occurrences: 1 };
const NETWORK: TruckFault = TruckFault { spn: 639, fmi: 9, occurrences: 5 };

fn broken(manner: Manner) -> Bus {
    Bus::new([
        Ecu::engine().with_faults(&[Fault::MISFIRE, Fault::CATALYST, Fault::THERMOSTAT]).with_manner(manner),
        Ecu::transmission().with_faults(&[Fault::CLUTCH]).with_manner(manner),
        Ecu::body().with_manner(manner),
    ])
}

/// What still failed would come back at once: it is mended before.
fn played(now: Boot, script: &'static Script) -> Bus {
    let mut bus = broken(Manner::default());
    for fault in [Fault::MISFIRE, Fault::CATALYST, Fault::THERMOSTAT, Fault::CLUTCH] {
        bus.mend(fault);
    }
    bus.play(now + Duration::from_secs(20), script);
    bus
}

fn truck() -> Truck {
    Truck::new().with_active(&[TEMPERATURE, OIL]).with_previously(&[NETWORK])
}

/// One whose lamps are not lit.
fn dark() -> Truck {
    let mut truck = Truck::new().with_active(&[TEMPERATURE]).with_previously(&[NETWORK]);
    truck.lamps = Truck::NO_LAMPS;
    truck
}
