//! Trouble codes: one record a fault, told once when it is set and once when it is gone, over restarts too.
//!
//! | event | when |
//! |---|---|
//! | `DTC_SET` | a reading lists codes as stored, pending or active that no fault here has; one event a reading |
//! | `DTC_CLEARED` | an ECU that answered lists a fault in none of these twice running, each list by itself; or it told a tester that its codes are cleared |
//! | `MIL_ON`, `MIL_OFF` | the first ECU says that the lamp is lit; the last one that said so says that it is not, or was cleared |
//!
//! - A fault is an ECU and a code. Protocols without a failure type (OBD-II) mean those faults of that ECU with the same
//!   code that another protocol holds, else all of them; a fault first heard without one keeps being itself when UDS adds it.
//! - Each protocol has its own lists: what OBD-II does not list, because it is no matter of emissions, UDS still holds.
//! - Permanent and previously active codes are shown, and neither set nor hold a fault: the ECU itself says it is gone.
//! - What was measured when a fault was set comes in pieces and by more than one protocol: each adds to what is shown, until
//!   the fault is set anew.
//! - Silence clears nothing, as a reading has no list of an ECU that did not answer. So it is with the lamp: one that an ECU
//!   said is lit stays lit, over restarts too, until that ECU says otherwise or confirms a tester's clear. Missing is not
//!   false, and who replaces an ECU has one that answers in its place.
//! - What flickers is told with a bound: of one ECU at most 10 times a minute, of all 60 times, of the lamp 10 times. What is
//!   held back is shown all the same, is counted, and is told with that ECU's next reading for which there is room, unless it is as
//!   it was by then: a few events that are true rather than a flood.
//! - At most 256 records are kept. What is not held makes room, listed longest ago first, and goes after 30 days anyway;
//!   a code for which there is no room then is counted and not told.

mod keep;
mod pace;
mod record;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::keep::Written;
pub(super) use self::keep::{LAMPS, RECORD};
use self::pace::Pace;
use self::record::Fault;
use super::Outbox;
use crate::clock::{Boot, Stamp, Wall};
use crate::event::{Details, Diagnosis, EventType, Severity};
use crate::vehicle::trouble::{
    Code, CodeReading, CodeRecord, Ecu, Extended, FreezeFrame, Heard, Identified, Listed, Protocol, Readiness,
};

/// Most records kept: a picture of them all is told to every phone.
const MOST_RECORDS: usize = 256;
/// Most ECUs of which lamp and self-tests are kept: J1939 has 254 addresses.
const MOST_ECUS: usize = 256;
/// Most values of a freeze frame.
const MOST_VALUES: usize = 64;
/// Most records of extended data of a code, and most bytes of one.
const MOST_RECORDS_OF_ONE: usize = 16;
const LONGEST_RECORD: usize = 64;
/// A record that nobody holds is forgotten after so long.
const FORGET_AFTER_US: i64 = 30 * 86_400_000_000;

/// The detector of trouble codes.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes {
    memory: Memory,
    /// Decided, and told at the next step.
    due: Vec<Due>,
    /// Rises with every change of what is shown.
    revision: u64,
    written: Written,
    /// Codes listed for which there was no room, each time.
    left_out: u64,
    /// Events that were not told when they could have been.
    held_back: u64,
}

/// What it remembers within a run; all of it serves a replay that goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    faults: Vec<Fault>,
    lamps: Lamps,
    readiness: Vec<Readiness>,
    #[serde(default)]
    identified: Vec<Identified>,
    /// Some ECU said what it has, or that it has nothing.
    read: bool,
    #[serde(default)]
    pace: Pace,
}

/// What each ECU says of the lamp, and what was told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lamps {
    lit: Vec<(Ecu, bool)>,
    told: bool,
}

/// Something to tell.
#[derive(Clone, Debug)]
struct Due {
    event: EventType,
    source: &'static str,
    codes: Vec<CodeRecord>,
}

/// Everything of it that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CodesNow {
    /// The lamp; `None` while nobody said.
    pub mil: Option<bool>,
    /// Every record, by ECU and code; `None` while no ECU was heard of its codes.
    pub records: Option<Vec<CodeRecord>>,
    /// The self-tests of each ECU that told of them.
    pub readiness: Vec<Readiness>,
    /// What ECUs have under the identifiers of the profile.
    pub identified: Vec<Identified>,
}

impl Codes {
    /// What diagnosis heard.
    pub(super) fn hear(&mut self, now: Stamp, heard: &Heard) {
        match heard {
            Heard::Codes(reading) => self.read(now, reading),
            Heard::Lamp(lamp) => self.lamp(now.boot, lamp.ecu, lamp.on),
            Heard::Readiness(readiness) => self.readiness(readiness),
            Heard::Identified(identified) => self.identified(identified),
            Heard::Freeze(frame) => self.freeze(frame),
            Heard::Extended(extended) => self.extend(extended),
            Heard::Cleared(ecu) => self.cleared(now.boot, *ecu),
            // Of the vehicle's state, and of the daemon's health.
            Heard::Measured(..) | Heard::Vin(_) | Heard::Answering { .. } => {}
        }
    }

    fn read(&mut self, Stamp { boot, wall: now, .. }: Stamp, reading: &CodeReading) {
        let CodeReading { protocol, covers, lists } = reading;
        self.revision += u64::from(!self.memory.read && !lists.is_empty());
        self.memory.read |= !lists.is_empty();
        let answered = |fault: &&mut Fault| lists.iter().any(|(ecu, _)| *ecu == fault.ecu());
        self.memory.faults.iter_mut().filter(answered).for_each(|fault| fault.begin(*protocol));
        for (ecu, list) in lists {
            for listed in list.iter().filter(|listed| listed.classes.any(*covers)) {
                self.specify(*ecu, listed.code);
                if self.has_room(*ecu, listed.code, now) {
                    self.list(*ecu, listed, *protocol, now);
                } else {
                    self.left_out += 1;
                }
            }
        }
        self.memory.faults.sort_by_key(Fault::key);
        for fault in self.memory.faults.iter_mut().filter(answered) {
            self.revision += u64::from(fault.end(*protocol, *covers));
        }
        self.tell_turns(boot, protocol.source(), |fault| lists.iter().any(|(ecu, _)| *ecu == fault.ecu()));
    }

    /// Tells what is set and what is gone, of those ECUs that were not told of too often.
    fn tell_turns(&mut self, now: Boot, source: &'static str, of: impl Fn(&Fault) -> bool) {
        let (mut set, mut gone) = (Vec::new(), Vec::new());
        let Memory { faults, pace, .. } = &mut self.memory;
        let mut asked: Vec<(Ecu, bool)> = Vec::new();
        for fault in faults.iter_mut().filter(|fault| of(fault) && fault.turns()) {
            let ecu = fault.ecu();
            let known = asked.iter().find(|(other, _)| *other == ecu).map(|(_, allowed)| *allowed);
            let allowed = known.unwrap_or_else(|| {
                let allowed = pace.allows(now, Some(ecu));
                asked.push((ecu, allowed));
                self.held_back += u64::from(!allowed);
                allowed
            });
            match allowed.then(|| fault.turn()) {
                Some(true) => set.push(fault.record()),
                Some(false) => gone.push(fault.end_of()),
                None => {}
            }
        }
        faults.retain(|fault| !fault.is_over());
        self.tell(EventType::DtcSet, source, set);
        self.tell(EventType::DtcCleared, source, gone);
    }

    /// Each fault that is meant is listed; a new one where none is. Of several with one code those are meant that another
    /// protocol holds: what is left of them would keep the others from being gone.
    fn list(&mut self, ecu: Ecu, listed: &Listed, protocol: Protocol, now: Wall) {
        let mut known = false;
        let is_held = |fault: &Fault| fault.is(ecu, listed.code) && fault.is_held_besides(protocol);
        let some_held = self.memory.faults.iter().any(is_held);
        let is_meant = |fault: &&mut Fault| fault.is(ecu, listed.code) && (!some_held || fault.is_held_besides(protocol));
        for fault in self.memory.faults.iter_mut().filter(is_meant) {
            known = true;
            self.revision += u64::from(fault.list(now, protocol, listed));
        }
        if !known {
            self.memory.faults.push(Fault::new(ecu, listed, protocol, now));
            self.revision += 1;
        }
    }

    /// A fault that was first heard without its failure type gets it.
    fn specify(&mut self, ecu: Ecu, code: Code) {
        let Code::Iso { base, failure: Some(_) } = code else { return };
        let faults = &mut self.memory.faults;
        if faults.iter().any(|fault| fault.key() == (ecu, code)) {
            return;
        }
        let bare = Code::Iso { base, failure: None };
        if let Some(fault) = faults.iter_mut().find(|fault| fault.key() == (ecu, bare)) {
            fault.specify(code);
            self.revision += 1;
        }
    }

    /// Whether there is room for a record of this code. What nobody holds makes room, listed longest ago first, and what is
    /// long gone; what is held stays, or it would be told as new again with each reading.
    fn has_room(&mut self, ecu: Ecu, code: Code, now: Wall) -> bool {
        let faults = &mut self.memory.faults;
        if faults.iter().any(|fault| fault.is(ecu, code)) {
            return true;
        }
        let long_ago = |fault: &Fault| now.micros().saturating_sub(fault.last_seen().micros()) > FORGET_AFTER_US;
        faults.retain(|fault| fault.is_held() || fault.turns() || !long_ago(fault));
        if faults.len() >= MOST_RECORDS {
            let gone = faults.iter().enumerate().filter(|(_, fault)| !(fault.is_held() || fault.turns()));
            if let Some((at, _)) = gone.min_by_key(|(_, fault)| fault.last_seen()) {
                faults.remove(at);
            }
        }
        faults.len() < MOST_RECORDS
    }

    fn cleared(&mut self, now: Boot, ecu: Ecu) {
        let of = |fault: &Fault| fault.ecu() == ecu;
        let sources = self.memory.faults.iter().filter(|fault| of(fault) && fault.is_held());
        let source = sources.filter_map(|fault| fault.protocols().first().copied()).min().unwrap_or(Protocol::Obd);
        self.memory.faults.iter_mut().filter(|fault| of(fault)).for_each(Fault::clear);
        self.revision += 1;
        self.tell_turns(now, source.source(), of);
        // Whoever clears its codes turns its lamp off (SAE J1979, mode 04; ISO 14229-1, 0x14).
        if self.memory.lamps.lit.iter().any(|(other, _)| *other == ecu) {
            self.lamp(now, ecu, false);
        }
    }

    fn lamp(&mut self, now: Boot, ecu: Ecu, on: bool) {
        let Memory { lamps: Lamps { lit, told }, pace, .. } = &mut self.memory;
        let is_full = lit.len() >= MOST_ECUS;
        match lit.iter_mut().find(|(other, _)| *other == ecu) {
            Some((_, last)) if *last == on => {}
            Some((_, last)) => {
                *last = on;
                self.revision += 1;
            }
            None if is_full => return,
            None => {
                lit.push((ecu, on));
                self.revision += 1;
            }
        }
        let any = lit.iter().any(|(_, on)| *on);
        if *told == any {
            return;
        }
        if !pace.allows(now, None) {
            self.held_back += 1;
            return;
        }
        *told = any;
        let source = match ecu {
            Ecu::J1939(_) => Protocol::J1939,
            Ecu::Normal(_) | Ecu::Fixed(_) => Protocol::Obd,
        };
        let event = if any { EventType::MilOn } else { EventType::MilOff };
        self.due.push(Due { event, source: source.source(), codes: Vec::new() });
    }

    fn readiness(&mut self, readiness: &Readiness) {
        let known = &mut self.memory.readiness;
        let is_full = known.len() >= MOST_ECUS;
        match known.iter_mut().find(|known| known.ecu == readiness.ecu) {
            Some(known) if known == readiness => return,
            Some(known) => known.clone_from(readiness),
            None if is_full => return,
            None => known.push(readiness.clone()),
        }
        self.revision += 1;
    }

    fn identified(&mut self, identified: &Identified) {
        let known = &mut self.memory.identified;
        let is_full = known.len() >= MOST_ECUS;
        match known.iter_mut().find(|known| (known.ecu, &known.name) == (identified.ecu, &identified.name)) {
            Some(known) if known == identified => return,
            Some(known) => known.clone_from(identified),
            None if is_full => return,
            None => known.push(identified.clone()),
        }
        self.revision += 1;
    }

    fn freeze(&mut self, frame: &FreezeFrame) {
        for fault in self.memory.faults.iter_mut().filter(|fault| fault.is(frame.ecu, frame.code)) {
            self.revision += u64::from(fault.freeze(&frame.values));
        }
    }

    fn extend(&mut self, Extended { ecu, code, number, bytes }: &Extended) {
        for fault in self.memory.faults.iter_mut().filter(|fault| fault.is(*ecu, *code)) {
            self.revision += u64::from(fault.extend(*number, bytes));
        }
    }

    fn tell(&mut self, event: EventType, source: &'static str, codes: Vec<CodeRecord>) {
        if !codes.is_empty() {
            self.due.push(Due { event, source, codes });
        }
    }

    /// Tells what was decided.
    pub(super) fn step(&mut self, out: &mut Outbox) {
        for Due { event, source, codes } in self.due.drain(..) {
            let severity = match event {
                EventType::DtcSet => Severity::Advisory,
                EventType::MilOn => Severity::Warning,
                _ => Severity::Info,
            };
            out.tell(event, severity, Details::Diagnosis(Diagnosis { source: source.to_owned(), codes, ..Diagnosis::default() }));
        }
    }

    /// Rises whenever [`Codes::now`] changes.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// How often a code was listed for which there was no room.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How often something was not told because too much was told before.
    pub(super) fn held_back(&self) -> u64 {
        self.held_back
    }

    /// Everything that is shown.
    pub(super) fn now(&self) -> CodesNow {
        let Memory { faults, lamps, readiness, identified, read, .. } = &self.memory;
        CodesNow {
            mil: (!lamps.lit.is_empty()).then(|| lamps.lit.iter().any(|(_, on)| *on)),
            records: (*read || !faults.is_empty()).then(|| faults.iter().map(Fault::record).collect()),
            readiness: readiness.clone(),
            identified: identified.clone(),
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn recall(&mut self, memory: Memory) {
        self.memory = memory;
        self.revision += 1;
    }
}
