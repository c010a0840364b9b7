//! What is asked next.
//!
//! Each task has a time at which it is due again. Of those that are due the one that stands first in [`Task`] goes first.

use std::time::Duration;

use crate::can::ArbitrationId;
use crate::can::profile::Addressing;
use crate::clock::Boot;
use crate::diagnostics::isotp::Address;
use crate::diagnostics::obd::{self, Response, item};
use crate::diagnostics::overheard::To;
use crate::diagnostics::request::Request;
use crate::vehicle::trouble::{Classes, Code, Ecu, Heard, Protocol};

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
/// PIDs of a freeze frame that are read.
const MOST_FROZEN: usize = 20;
/// Codes of one reading of which snapshots are read.
const MOST_SNAPSHOTS: usize = 8;
/// The ECU's word for OBDonUDS (SAE J1979-2, identifier F810).
const PROTOCOL: u16 = 0xF810;
/// UDS status bits asked for: failing now, pending, confirmed.
const STATUS: u8 = 0x0D;
/// The number of the vehicle, of UDS.
const VIN: u16 = 0xF190;

/// Values that are asked for: coolant, engine speed, speed, intake, fuel, voltage, ambient, distance with the lamp lit.
const LIVE: [u8; 8] = [0x0D, 0x0C, 0x05, 0x42, 0x2F, 0x46, 0x0F, 0x21];
/// PIDs of a freeze frame, the more telling first; of others those with the smallest numbers.
const TELLING: [u8; 12] = [0x04, 0x05, 0x0C, 0x0D, 0x03, 0x06, 0x07, 0x0B, 0x0F, 0x10, 0x11, 0x1F];

/// Something to ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// Who is there: supported PIDs.
    Find(To),
    /// Who is there that speaks OBDonUDS alone.
    FindUds(To),
    /// Lamp, count and readiness.
    Status,
    /// Mode 03.
    Stored,
    /// Mode 07.
    Pending,
    /// 19 42 to those of OBDonUDS.
    EmissionCodes,
    /// 19 02 to an ECU that the profile names.
    Codes(Ecu),
    /// Mode 0A.
    Permanent,
    /// 19 55.
    EmissionPermanent,
    /// Supported PIDs from this one on.
    Pids(Ecu, u8),
    /// The number, by mode 09.
    Vin,
    /// The number, by UDS.
    VinByUds(Ecu),
    /// Whose freeze frame it is.
    FrozenCode(Ecu),
    /// PIDs of the freeze frame, from this one on.
    FrozenPids(Ecu, u8),
    /// A PID of the freeze frame.
    Frozen(Ecu, u8),
    /// What was measured when this code was set.
    Snapshot(Ecu, [u8; 3]),
    /// Values.
    Live(Ecu),
    /// An identifier of the profile.
    Identifier(Ecu, u16),
}

impl Task {
    /// How often; `None` for once.
    fn every(&self) -> Option<Duration> {
        let seconds = match self {
            Task::Find(_) | Task::FindUds(_) => 60,
            Task::Status => 3,
            Task::Stored | Task::Pending | Task::EmissionCodes | Task::Codes(_) => 4,
            Task::Permanent | Task::EmissionPermanent => 8,
            Task::Live(_) => 1,
            Task::Vin | Task::VinByUds(_) => 2,
            Task::Identifier(..) => 60,
            Task::Pids(..) | Task::FrozenCode(_) | Task::FrozenPids(..) | Task::Frozen(..) | Task::Snapshot(..) => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// Whether it is for whoever is there.
    fn is_functional(&self) -> bool {
        matches!(
            self,
            Task::Status
                | Task::Stored
                | Task::Pending
                | Task::Permanent
                | Task::EmissionCodes
                | Task::EmissionPermanent
                | Task::Vin
        )
    }
}

/// What an ECU answered.
pub(super) enum Answered<'a> {
    /// That it does not have it.
    NotThere,
    /// That it cannot now.
    NotNow,
    /// What was asked for.
    Yes { payload: &'a [u8], heard: &'a [Heard] },
}

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
        let usual = if task.is_functional() || matches!(task, Task::Find(_) | Task::FindUds(_)) {
            FRAME * (1 + 2 * answering)
        } else {
            FRAME * 8
        };
        usual.max(last + last / 4)
    }

    /// Whom, and what.
    pub(super) fn question(&mut self, task: &Task) -> (To, Request) {
        let all = self.way.unwrap_or(To::AllNormal);
        match *task {
            Task::Find(way) => (way, Request::current(&[0])),
            Task::FindUds(way) => (way, Request::data(&[PROTOCOL])),
            Task::Status => (all, Request::current(&[0x01])),
            Task::Stored => (all, Request::Stored),
            Task::Pending => (all, Request::Pending),
            Task::EmissionCodes => (all, Request::EmissionCodes(STATUS)),
            Task::Codes(ecu) => (To::One(ecu), Request::Codes(STATUS)),
            Task::Permanent => (all, Request::Permanent),
            Task::EmissionPermanent => (all, Request::EmissionPermanent),
            Task::Pids(ecu, from) => (To::One(ecu), Request::current(&[from])),
            Task::Vin if self.uds => (all, Request::data(&[0xF802])),
            Task::Vin => (all, Request::Info(0x02)),
            Task::VinByUds(ecu) => (To::One(ecu), Request::data(&[VIN])),
            Task::FrozenCode(ecu) => (To::One(ecu), Request::Freeze(0x02)),
            Task::FrozenPids(ecu, from) => (To::One(ecu), Request::Freeze(from)),
            Task::Frozen(ecu, pid) => (To::One(ecu), Request::Freeze(pid)),
            Task::Snapshot(ecu, code) => (To::One(ecu), Request::Snapshot { code, record: 0xFF }),
            Task::Live(ecu) => (To::One(ecu), Request::current(&self.values(ecu))),
            Task::Identifier(ecu, did) => (To::One(ecu), Request::data(&[did])),
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

    /// `ecu` answered.
    pub(super) fn answered(&mut self, now: Boot, task: &Task, ecu: Ecu, answered: Answered<'_>) {
        match (task, answered) {
            (Task::Find(way), Answered::Yes { payload, .. }) => self.meet(now, *way, ecu, false, &supported(payload)),
            (Task::FindUds(way), Answered::Yes { .. }) => self.meet(now, *way, ecu, true, &[]),
            (Task::Pids(_, _), Answered::Yes { payload, .. }) => self.learn(now, ecu, &supported(payload)),
            (Task::Stored, Answered::Yes { heard, .. }) => self.look_at(now, ecu, heard),
            (Task::EmissionCodes | Task::Codes(_), Answered::Yes { heard, .. }) => {
                for code in self.news(ecu, heard).into_iter().take(MOST_SNAPSHOTS) {
                    if let Code::Iso { base, failure } = code {
                        let [high, low] = base.to_be_bytes();
                        self.add(now, Task::Snapshot(ecu, [high, low, failure.unwrap_or_default()]));
                    }
                }
            }
            (Task::FrozenCode(_), Answered::Yes { payload, .. }) if has_frame(payload) => self.add(now, Task::FrozenPids(ecu, 0)),
            (Task::FrozenPids(..), Answered::Yes { payload, .. }) => self.read_frame(now, ecu, &supported(payload)),
            (Task::Live(_), Answered::Yes { payload, .. }) => self.notice_several(ecu, payload),
            (Task::Live(_), Answered::NotThere) => self.singly(ecu),
            (_, Answered::NotThere) if !task.is_functional() => self.drop(task),
            _ => {}
        }
    }

    /// An ECU that answers to all.
    fn meet(&mut self, now: Boot, way: To, ecu: Ecu, uds: bool, pids: &[u8]) {
        if self.way.is_none() {
            self.way = Some(way);
            self.uds = uds;
            self.entries.retain(|entry| !matches!(entry.task, Task::Find(other) | Task::FindUds(other) if other != way));
            let first: &[Task] = if uds {
                &[Task::EmissionCodes, Task::EmissionPermanent]
            } else {
                &[Task::Status, Task::Stored, Task::Pending, Task::Permanent]
            };
            first.iter().for_each(|task| self.add(now, task.clone()));
            if !self.numbered {
                self.add(now, Task::Vin);
            }
        }
        if !uds {
            self.drop(&Task::FindUds(way));
        }
        if self.known.iter().all(|known| known.ecu != ecu) && self.known.len() < MOST_ECUS {
            self.known.push(Known { ecu, pids: Vec::new(), several: true, turn: 0 });
        }
        self.learn(now, ecu, pids);
    }

    /// The ECU has these PIDs.
    fn learn(&mut self, now: Boot, ecu: Ecu, pids: &[u8]) {
        let elsewhere: Vec<u8> =
            self.known.iter().filter(|known| known.ecu != ecu).flat_map(|known| known.pids.clone()).collect();
        let Some(known) = self.known.iter_mut().find(|known| known.ecu == ecu) else { return };
        // A value that another ECU has is asked of that one.
        let news = pids.iter().filter(|pid| !(known.pids.contains(pid) || LIVE.contains(pid) && elsewhere.contains(pid)));
        let news: Vec<u8> = news.copied().collect();
        known.pids.extend(&news);
        let live = LIVE.iter().any(|pid| known.pids.contains(pid));
        for from in news.into_iter().filter(|pid| pid % 0x20 == 0) {
            self.add(now, Task::Pids(ecu, from));
        }
        if live {
            self.add(now, Task::Live(ecu));
        }
    }

    /// The confirmed codes that this ECU did not list before: each has a freeze frame to look at.
    fn news(&mut self, ecu: Ecu, heard: &[Heard]) -> Vec<Code> {
        let lists = heard.iter().filter_map(|heard| if let Heard::Codes(reading) = heard { Some(&reading.lists) } else { None });
        let confirmed = lists.flatten().flat_map(|(_, list)| list).filter(|listed| listed.classes.any(Classes::STORED));
        let listed: Vec<Code> = confirmed.map(|listed| listed.code).collect();
        let known = match self.stored.iter_mut().find(|(whose, _)| *whose == ecu) {
            Some((_, known)) => known,
            None => {
                self.stored.push((ecu, Vec::new()));
                let Some((_, known)) = self.stored.last_mut() else { return Vec::new() };
                known
            }
        };
        let news = listed.iter().copied().filter(|code| !known.contains(code)).collect();
        *known = listed;
        news
    }

    /// New codes may have a freeze frame.
    fn look_at(&mut self, now: Boot, ecu: Ecu, heard: &[Heard]) {
        if !self.news(ecu, heard).is_empty() {
            let is_of_frame = |task: &Task| matches!(task, Task::Frozen(other, _) | Task::FrozenPids(other, _) if *other == ecu);
            self.entries.retain(|entry| !is_of_frame(&entry.task));
            self.add(now, Task::FrozenCode(ecu));
        }
    }

    fn read_frame(&mut self, now: Boot, ecu: Ecu, pids: &[u8]) {
        let more = pids.iter().copied().filter(|pid| pid % 0x20 == 0 && *pid <= 0x60).min();
        if let Some(from) = more {
            self.add(now, Task::FrozenPids(ecu, from));
        }
        let mut wanted: Vec<u8> = pids.iter().copied().filter(|pid| pid % 0x20 != 0 && *pid != 0x02).collect();
        wanted.sort_by_key(|pid| (TELLING.iter().position(|telling| telling == pid).unwrap_or(TELLING.len()), *pid));
        for pid in wanted {
            let open = self.entries.iter().filter(|entry| matches!(entry.task, Task::Frozen(other, _) if other == ecu)).count();
            if open < MOST_FROZEN {
                self.add(now, Task::Frozen(ecu, pid));
            }
        }
    }

    /// An answer with fewer PIDs than were asked for: this ECU takes one at a time.
    fn notice_several(&mut self, ecu: Ecu, payload: &[u8]) {
        let told = obd::decode(payload, None).map_or(0, |response| response.items().len());
        let Some(known) = self.known.iter_mut().find(|known| known.ecu == ecu) else { return };
        let wanted = LIVE.iter().filter(|pid| known.pids.contains(pid)).count().min(6);
        if told < wanted {
            known.several = false;
        }
    }

    fn singly(&mut self, ecu: Ecu) {
        let Some(known) = self.known.iter_mut().find(|known| known.ecu == ecu) else { return };
        if known.several {
            known.several = false;
        } else {
            self.drop(&Task::Live(ecu));
        }
    }

    /// The exchange is over; `well` when somebody answered and nobody was busy.
    pub(super) fn finished(&mut self, now: Boot, task: &Task, well: bool, bits: u32) {
        let found = self.way.is_some();
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.task == *task) else { return };
        entry.bits = bits;
        entry.asked = entry.asked.saturating_add(1);
        let asked = entry.asked;
        entry.failed = if well { 0 } else { entry.failed.saturating_add(1) };
        let patience = FIRST_PATIENCE.saturating_mul(1 << entry.failed.saturating_sub(1).min(5)).min(MOST_PATIENCE);
        let failed = entry.failed;
        match task.every() {
            Some(every) => {
                entry.due = now + if well { every } else { every.max(patience) };
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

fn supported(payload: &[u8]) -> Vec<u8> {
    obd::decode(payload, None).map(|response| response.supported()).unwrap_or_default()
}

fn has_frame(payload: &[u8]) -> bool {
    let frozen =
        |response: &Response| response.items().iter().any(|item| matches!(item.content, item::Content::FrozenBy(Some(_))));
    obd::decode(payload, None).is_some_and(|response| frozen(&response))
}

/// Where requests to them go.
pub(super) fn address(to: To) -> Option<Address> {
    match to {
        To::AllNormal => Some(Address::obd_functional()),
        To::AllFixed => Some(Address::fixed_functional(0x33, 0xF1)),
        To::One(Ecu::Normal(id)) => {
            let of = |id: u16| ArbitrationId { id: u32::from(id), extended: false };
            Some(Address::normal(of(id.checked_sub(8)?), of(id)))
        }
        To::One(Ecu::Fixed(id)) => {
            let [.., address] = id.to_be_bytes();
            Some(Address::fixed(address, 0xF1))
        }
        To::One(Ecu::J1939(_)) => None,
    }
}
