//! What is asked next.
//!
//! Each task has a time at which it is due again. Of those that are due the one that stands first in [`Task`] goes first.
//!
//! Bounded, whatever ECUs say: 16 of them are kept (those that the profile names besides), of each at most 256 codes, and at
//! most 8 snapshots, as many extended data and 20 PIDs of a freeze frame still to be read.

mod answers;
mod task;

pub(super) use self::answers::Answered;
pub(super) use self::task::{Task, address};

use std::time::Duration;

use crate::can::profile::Addressing;
use crate::clock::Boot;
use crate::diagnostics::overheard::To;
use crate::diagnostics::request::Request;
use crate::vehicle::trouble::{Code, Ecu, Protocol};

/// The longest wait between two attempts.
const MOST_PATIENCE: Duration = Duration::from_secs(60);
/// The first wait after an attempt that failed.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// After so many attempts that failed the ECUs are looked for anew.
const LOST_AFTER: u32 = 3;
/// So often the number is asked for, and after so many attempts in vain in another way.
const MOST_NUMBERS: u32 = 6;
const NO_NUMBER: u32 = 3;
/// ECUs that are asked.
const MOST_ECUS: usize = 16;
/// The ECU's word for OBDonUDS (SAE J1979-2, identifier F810).
const PROTOCOL: u16 = 0xF810;
/// UDS status bits asked for: failing now, pending, confirmed.
const STATUS: u8 = 0x0D;
/// The number of the vehicle, of UDS.
const VIN: u16 = 0xF190;
/// PIDs and info types of OBD-II, where UDS has them.
const PIDS: u16 = 0xF400;
const INFO_TYPES: u16 = 0xF800;

/// Values that are asked for: coolant, engine speed, speed, intake, fuel, voltage, ambient, distance with the lamp lit.
const LIVE: [u8; 8] = [0x0D, 0x0C, 0x05, 0x42, 0x2F, 0x46, 0x0F, 0x21];
/// What is asked once of all: calibration ids, their check sums, the ECU's name (SAE J1979, mode 09; F8xx of OBDonUDS).
const IDENTITIES: [u8; 3] = [0x04, 0x06, 0x0A];

#[derive(Debug)]
struct Entry {
    task: Task,
    due: Boot,
    failed: u32,
    /// How often it was asked.
    asked: u32,
    /// Bits of the last time.
    bits: u32,
}

/// What an exchange took of the bus.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Bits, those included that were announced and refused.
    pub(super) bits: u32,
    /// So long the same is not asked again for the sake of everything else.
    pub(super) rest: Duration,
}

#[derive(Debug)]
struct Known {
    ecu: Ecu,
    pids: Vec<u8>,
    /// Answers several PIDs in one question.
    several: bool,
    /// Where among its values we are.
    turn: usize,
}

/// Everything that is to be asked.
#[derive(Debug)]
pub(super) struct Plan {
    addressing: Addressing,
    identifiers: Vec<(Ecu, u16)>,
    entries: Vec<Entry>,
    known: Vec<Known>,
    /// The confirmed codes of each as read last.
    stored: Vec<(Ecu, Vec<Code>)>,
    /// How those that answered are addressed.
    way: Option<To>,
    /// They speak OBDonUDS alone.
    uds: bool,
    numbered: bool,
}

impl Plan {
    pub(super) fn new(addressing: Addressing, identifiers: impl IntoIterator<Item = (Ecu, u16)>) -> Plan {
        let identifiers = identifiers.into_iter().collect();
        Plan {
            addressing,
            identifiers,
            entries: Vec::new(),
            known: Vec::new(),
            stored: Vec::new(),
            way: None,
            uds: false,
            numbered: false,
        }
    }

    /// The ignition came on: everything anew.
    pub(super) fn start(&mut self, now: Boot) {
        self.entries.clear();
        self.known.clear();
        self.stored.clear();
        self.uds = false;
        let ways = match (self.addressing, self.way.take()) {
            (Addressing::Normal, _) => vec![To::AllNormal],
            (Addressing::Fixed, _) => vec![To::AllFixed],
            (Addressing::Either, Some(To::AllFixed)) => vec![To::AllFixed, To::AllNormal],
            (Addressing::Either, _) => vec![To::AllNormal, To::AllFixed],
        };
        for way in ways {
            self.add(now, Task::Find(way));
            self.add(now, Task::FindUds(way));
        }
        for (ecu, did) in self.identifiers.clone() {
            self.add(now, Task::Format(ecu));
            self.add(now, Task::Codes(ecu));
            self.add(now, Task::Identifier(ecu, did));
        }
    }

    /// Another tester is at work: what codes there are is asked at once when it has gone.
    pub(super) fn refresh(&mut self) {
        for entry in &mut self.entries {
            if matches!(
                entry.task,
                Task::Status
                    | Task::Stored
                    | Task::Pending
                    | Task::Permanent
                    | Task::Codes(_)
                    | Task::EmissionCodes
                    | Task::EmissionPermanent
                    | Task::Supported(_)
            ) {
                entry.due = Boot::from_micros(i64::MIN);
            }
        }
    }

    fn add(&mut self, due: Boot, task: Task) {
        if self.entries.iter().all(|entry| entry.task != task) {
            self.entries.push(Entry { task, due, failed: 0, asked: 0, bits: 0 });
        }
    }

    /// The number of the vehicle is known.
    pub(super) fn numbered(&mut self) {
        self.numbered = true;
        self.entries.retain(|entry| !matches!(entry.task, Task::Vin | Task::VinByUds(_)));
    }

    pub(super) fn remembered(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn due(&self) -> Option<Boot> {
        self.entries.iter().map(|entry| entry.due).min()
    }

    pub(super) fn next(&self, now: Boot) -> Option<Task> {
        let due = self.entries.iter().filter(|entry| entry.due <= now);
        due.map(|entry| &entry.task).min().cloned()
    }

    pub(super) fn drop(&mut self, task: &Task) {
        self.entries.retain(|entry| entry.task != *task);
    }

    /// Who may answer a question to all.
    pub(super) fn known(&self, to: To) -> impl Iterator<Item = Ecu> {
        self.known.iter().map(|known| known.ecu).filter(move |ecu| to.includes(*ecu))
    }

    /// Nobody answers any more, or nobody did yet.
    pub(super) fn is_silent(&self) -> bool {
        let failed = |task: &Task| self.entries.iter().find(|entry| entry.task == *task).map(|entry| entry.failed);
        let main = if self.uds { Task::EmissionCodes } else { Task::Status };
        match self.way {
            None => self.entries.iter().filter(|entry| matches!(entry.task, Task::Find(_))).all(|entry| entry.failed >= 1),
            Some(_) => failed(&main).is_some_and(|failed| failed >= LOST_AFTER),
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        if self.uds { Protocol::Uds } else { Protocol::Obd }
    }

    /// The most bits that the exchange is likely to take.
    pub(super) fn cost(&self, task: &Task) -> u32 {
        const FRAME: u32 = 160;
        let last = self.entries.iter().find(|entry| entry.task == *task).map_or(0, |entry| entry.bits);
        let answering = u32::try_from(self.known.len().max(2)).unwrap_or(2);
        let usual = if matches!(task, Task::Identity(_)) {
            // Two calibrations each: three frames to here, one back.
            FRAME * (1 + 6 * answering)
        } else if matches!(task, Task::Supported(_)) {
            // Some hundred codes of four bytes.
            FRAME * 150
        } else if task.is_functional() || matches!(task, Task::Find(_) | Task::FindUds(_)) {
            FRAME * (1 + 2 * answering)
        } else {
            FRAME * 8
        };
        usual.max(last + last / 4)
    }

    /// Whom it is for.
    pub(super) fn to(&self, task: &Task) -> To {
        match *task {
            Task::Find(way) | Task::FindUds(way) => way,
            Task::Format(ecu)
            | Task::Codes(ecu)
            | Task::Supported(ecu)
            | Task::Pids(ecu, _)
            | Task::VinByUds(ecu)
            | Task::FrozenCode(ecu)
            | Task::FrozenPids(ecu, _)
            | Task::Frozen(ecu, _)
            | Task::Snapshot(ecu, _)
            | Task::Extended(ecu, _)
            | Task::Live(ecu)
            | Task::Identifier(ecu, _) => To::One(ecu),
            Task::Status
            | Task::Stored
            | Task::Pending
            | Task::EmissionCodes
            | Task::Permanent
            | Task::EmissionPermanent
            | Task::Vin
            | Task::Identity(_) => self.way.unwrap_or(To::AllNormal),
        }
    }

    /// What is asked.
    pub(super) fn question(&mut self, task: &Task) -> Request {
        match *task {
            Task::Find(_) => Request::current(&[0]),
            Task::FindUds(_) => Request::data(&[PROTOCOL]),
            Task::Status if self.uds => Request::data(&[PIDS | 0x01]),
            Task::Status => Request::current(&[0x01]),
            Task::Stored => Request::Stored,
            Task::Pending => Request::Pending,
            Task::EmissionCodes => Request::EmissionCodes(STATUS),
            Task::Format(_) => Request::CodeCount(STATUS),
            Task::Codes(_) => Request::Codes(STATUS),
            Task::Supported(_) => Request::Supported,
            Task::Permanent => Request::Permanent,
            Task::EmissionPermanent => Request::EmissionPermanent,
            Task::Pids(_, from) => Request::current(&[from]),
            Task::Vin if self.uds => Request::data(&[INFO_TYPES | 0x02]),
            Task::Vin => Request::Info(0x02),
            Task::Identity(kind) if self.uds => Request::data(&[INFO_TYPES | u16::from(kind)]),
            Task::Identity(kind) => Request::Info(kind),
            Task::VinByUds(_) => Request::data(&[VIN]),
            Task::FrozenCode(_) => Request::Freeze(0x02),
            Task::FrozenPids(_, from) => Request::Freeze(from),
            Task::Frozen(_, pid) => Request::Freeze(pid),
            Task::Snapshot(_, code) => Request::Snapshot { code, record: 0xFF },
            Task::Extended(_, code) => Request::Extended { code, record: 0xFF },
            Task::Live(ecu) => Request::current(&self.values(ecu)),
            Task::Identifier(_, did) => Request::data(&[did]),
        }
    }

    /// The next values of this ECU.
    fn values(&mut self, ecu: Ecu) -> Vec<u8> {
        let Some(known) = self.known.iter_mut().find(|known| known.ecu == ecu) else { return Vec::new() };
        let wanted: Vec<u8> = LIVE.into_iter().filter(|pid| known.pids.contains(pid)).collect();
        let count = if known.several { 6 } else { 1 };
        let chosen: Vec<u8> = wanted.iter().cycle().skip(known.turn).take(count.min(wanted.len())).copied().collect();
        known.turn = (known.turn + chosen.len()) % wanted.len().max(1);
        chosen
    }

    /// The exchange is over; `well` when somebody answered and nobody was busy.
    pub(super) fn finished(&mut self, now: Boot, task: &Task, well: bool, cost: Cost) {
        let found = self.way.is_some();
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.task == *task) else { return };
        entry.bits = cost.bits;
        entry.asked = entry.asked.saturating_add(1);
        let asked = entry.asked;
        entry.failed = if well { 0 } else { entry.failed.saturating_add(1) };
        let patience = FIRST_PATIENCE.saturating_mul(1 << entry.failed.saturating_sub(1).min(5)).min(MOST_PATIENCE);
        let failed = entry.failed;
        match task.every() {
            Some(every) => {
                entry.due = now + if well { every.max(cost.rest) } else { every.max(cost.rest).max(patience) };
                if matches!(task, Task::Find(_) | Task::FindUds(_)) && !well {
                    entry.due = now + patience;
                }
            }
            None if well || failed > LOST_AFTER => self.drop(task),
            None => entry.due = now + patience,
        }
        match task {
            Task::Vin if !well && failed == NO_NUMBER => {
                if let Some(first) = self.known.first().map(|known| known.ecu) {
                    self.add(now, Task::VinByUds(first));
                }
            }
            Task::Vin | Task::VinByUds(_) if asked >= MOST_NUMBERS => self.drop(task),
            Task::Live(ecu) if !well && failed == 1 => self.singly(*ecu),
            Task::FindUds(_) if found && !self.uds => self.drop(task),
            _ => {}
        }
        let main = if self.uds { Task::EmissionCodes } else { Task::Status };
        if *task == main && failed == LOST_AFTER {
            // They may have been joined or replaced; who was addressed so before is looked for first.
            if let Some(way) = self.way {
                self.add(now, Task::Find(way));
            }
        }
    }
}
