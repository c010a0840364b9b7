//! An ECU's fault memory: which codes it has, in which lists, and what it measured when the first was set.

use super::{Fault, Live};

/// Codes kept: as many as an answer of 4,095 bytes can list by UDS.
const MOST: usize = 1000;
/// A permanent code goes by itself once the car was driven so far without its fault, km.
const HEALS: f64 = 2.0;
/// The self-tests are complete once the car was driven so far since they were cleared, km.
const COMPLETE: f64 = 5.0;

/// A code in the memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) fault: Fault,
    /// Fails now.
    pub(super) failing: bool,
    /// Stored, not only pending.
    pub(super) confirmed: bool,
    /// How often it began to fail.
    pub(super) occurrences: u8,
    /// What was measured when it was set.
    pub(super) set: Live,
}

/// A code that a tester cannot clear.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Permanent {
    code: u16,
    /// Where the fault went away, km.
    healed: Option<f64>,
}

/// The memory.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Memory {
    entries: Vec<Entry>,
    permanent: Vec<Permanent>,
    /// Where it was last cleared, km.
    cleared: f64,
}

impl Memory {
    /// An empty one, last cleared at `odometer`.
    pub(super) const fn new(odometer: f64) -> Memory {
        Memory { entries: Vec::new(), permanent: Vec::new(), cleared: odometer }
    }

    /// `fault` begins.
    pub(super) fn set(&mut self, fault: Fault, live: &Live) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.fault.code == fault.code) {
            let again = u8::from(!entry.failing);
            entry.occurrences = entry.occurrences.saturating_add(again);
            (entry.failing, entry.confirmed) = (true, entry.confirmed || fault.confirmed);
        } else if self.entries.len() < MOST {
            self.entries.push(Entry { fault, failing: true, confirmed: fault.confirmed, occurrences: 1, set: *live });
        }
        if fault.confirmed && fault.lamp {
            self.permanent.retain(|permanent| permanent.code != fault.code);
            if self.permanent.len() < MOST {
                self.permanent.push(Permanent { code: fault.code, healed: None });
            }
        }
    }

    /// `fault` is mended. What was stored or pending stays so.
    pub(super) fn mend(&mut self, fault: Fault, live: &Live) {
        self.entries.iter_mut().filter(|entry| entry.fault.code == fault.code).for_each(|entry| entry.failing = false);
        self.permanent
            .iter_mut()
            .filter(|permanent| permanent.code == fault.code)
            .for_each(|permanent| permanent.healed = Some(live.odometer));
    }

    /// A tester clears everything, or what has this code. What still fails is noticed anew at once, as pending.
    pub(super) fn clear(&mut self, only: Option<u16>, live: &Live) {
        let meant = |entry: &Entry| only.is_none_or(|code| code == entry.fault.code);
        self.entries.retain(|entry| entry.failing || !meant(entry));
        for entry in self.entries.iter_mut().filter(|entry| meant(entry)) {
            (entry.confirmed, entry.occurrences, entry.set) = (false, 1, *live);
        }
        if only.is_none() {
            self.cleared = live.odometer;
        }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn stored(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().filter(|entry| entry.confirmed).map(|entry| entry.fault.code)
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().filter(|entry| entry.pending()).map(|entry| entry.fault.code)
    }

    pub(super) fn permanent(&self, live: &Live) -> impl Iterator<Item = u16> {
        let odometer = live.odometer;
        let stays = move |permanent: &&Permanent| permanent.healed.is_none_or(|healed| odometer < healed + HEALS);
        self.permanent.iter().filter(stays).map(|permanent| permanent.code)
    }

    /// Whether the lamp is lit.
    pub(super) fn lamp(&self) -> bool {
        self.entries.iter().any(Entry::lamp)
    }

    /// Driven with the lamp lit, km.
    pub(super) fn with_lamp(&self, live: &Live) -> f64 {
        let since = self.entries.iter().filter(|entry| entry.lamp()).map(|entry| entry.set.odometer);
        since.fold(0.0, |most, since| f64::max(most, live.odometer - since))
    }

    /// Driven since it was cleared, km.
    pub(super) fn since_cleared(&self, live: &Live) -> f64 {
        (live.odometer - self.cleared).max(0.0)
    }

    /// Whether the self-tests are complete.
    pub(super) fn complete(&self, live: &Live) -> bool {
        self.since_cleared(live) >= COMPLETE
    }

    /// The one freeze frame: of the code that was stored first.
    pub(super) fn freeze(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.confirmed)
    }
}

impl Entry {
    /// Whether it lights the lamp.
    pub(super) fn lamp(&self) -> bool {
        self.confirmed && self.fault.lamp
    }

    /// Fails now, or did without that having been confirmed.
    pub(super) fn pending(&self) -> bool {
        self.failing || !self.confirmed
    }

    /// ISO 14229-1, annex D.2.
    pub(super) fn status(&self) -> u8 {
        let bits =
            [(self.failing, 0x01 | 0x02), (self.pending(), 0x04), (self.confirmed, 0x08), (true, 0x20), (self.lamp(), 0x80)];
        bits.iter().filter(|(set, _)| *set).fold(0, |status, (_, bit)| status | bit)
    }
}
