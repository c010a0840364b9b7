//! The rear-occupant sensor as the watch hears it: what it says, what it said of late, and whose word it keeps.
//!
//! It *says* somebody is there when it said yes for 5 s of the last 15 s. One that falls silent or faulty while it said
//! yes keeps its word, and goes on saying yes, until it speaks again or is released. It may be released before anybody
//! knows that it has fallen silent: a yes from before the release is not kept.

use serde::{Deserialize, Serialize};

use super::sight::Sight;
use crate::clock::Boot;
use crate::detect::settings::ChildSettings;
use crate::vehicle::seconds;

/// The sensor's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sensor {
    /// What it says, or said when it fell silent with a yes.
    pub(super) word: Option<bool>,
    /// Since when.
    pub(super) since: Boot,
    /// Whether the word is kept from before a fault.
    pub(super) kept: bool,
    /// When it was released, until it has said yes since.
    #[serde(default)]
    released: Option<Boot>,
}

impl Default for Sensor {
    fn default() -> Sensor {
        Sensor { word: None, since: Boot::from_micros(i64::MIN), kept: false, released: None }
    }
}

impl Sensor {
    /// What the sensor of `sight` says now.
    pub(super) fn hear(&mut self, sight: &Sight, window: &mut Window, settings: &ChildSettings) {
        let now = sight.now;
        self.released = self.released.filter(|released| sight.sensor_yes.is_none_or(|yes| yes <= *released));
        let silent = sight.sensor.is_none() && self.word == Some(true);
        if silent && self.released.is_some() {
            self.forget(now, window);
            return;
        }
        self.kept = silent;
        let word = if silent { Some(true) } else { sight.sensor };
        if word != self.word {
            (self.word, self.since) = (word, now);
            window.set(now, word == Some(true), settings);
        }
    }

    /// Nobody needs to trust a kept word any longer.
    pub(super) fn release(&mut self, now: Boot, window: &mut Window) {
        self.released = Some(now);
        if self.kept {
            self.forget(now, window);
        }
    }

    fn forget(&mut self, now: Boot, window: &mut Window) {
        (self.word, self.since, self.kept) = (None, now, false);
        *window = Window::default();
    }

    /// Whether the next yes counts: it was released, and has not said yes since.
    pub(super) fn awaits_yes(&self) -> bool {
        self.released.is_some()
    }

    /// Since when it has said no without a break.
    pub(super) fn clear_since(&self) -> Option<Boot> {
        (self.word == Some(false)).then_some(self.since)
    }

    /// The window as far as it follows from the word: what a power cut leaves of it.
    pub(super) fn window(&self) -> Window {
        Window { open: (self.word == Some(true)).then_some(self.since), spans: heapless::Vec::new() }
    }

    pub(super) fn shift(&mut self, micros: i64) {
        self.since = self.since.shifted(micros);
        self.released = self.released.map(|released| released.shifted(micros));
    }
}

/// More turns of mind than that within 15 s are run together, as if it had said yes between them.
const SPANS: usize = 16;

/// When the sensor said yes within the last 15 s.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    /// Since when it says yes.
    open: Option<Boot>,
    /// When it did before, oldest first.
    spans: heapless::Vec<(Boot, Boot), SPANS>,
}

impl Window {
    fn set(&mut self, now: Boot, yes: bool, settings: &ChildSettings) {
        let begin = now.before(seconds(settings.sensor_of_s));
        self.spans.retain(|(_, until)| *until > begin);
        match self.open.take() {
            None if yes => self.open = Some(now),
            Some(since) if !yes => self.close(since, now),
            open => self.open = open,
        }
    }

    fn close(&mut self, since: Boot, now: Boot) {
        if self.spans.is_full() {
            let (first, _) = self.spans.remove(0);
            if let Some(next) = self.spans.first_mut() {
                next.0 = first;
            }
        }
        // There is room: one was just taken out of a full list.
        let _ = self.spans.push((since, now));
    }

    /// µs of yes within the last 15 s.
    fn total(&self, now: Boot, settings: &ChildSettings) -> i64 {
        let begin = now.before(seconds(settings.sensor_of_s));
        let open = self.open.map(|since| (since, now));
        let spans = self.spans.iter().copied().chain(open);
        spans.map(|(since, until)| (until.micros().saturating_sub(since.max(begin).micros())).max(0)).sum()
    }

    /// Whether it said yes for 5 s of the last 15 s.
    pub(super) fn says_yes(&self, now: Boot, settings: &ChildSettings) -> bool {
        self.total(now, settings) >= needed(settings)
    }

    /// When that changes next, should the sensor not change its mind.
    pub(super) fn next_change(&self, now: Boot, settings: &ChildSettings) -> Option<Boot> {
        let says = self.says_yes(now, settings);
        // Yes for longer than needed does not end while it goes on, and no does not begin without a word.
        if (says && self.open.is_some()) || (!says && self.open.is_none()) {
            return None;
        }
        let of = seconds(settings.sensor_of_s);
        let edges = self.spans.iter().flat_map(|(since, until)| [*since + of, *until + of]);
        let edges = edges.chain(self.open.map(|since| since + of)).filter(|edge| *edge > now);
        let mut from = now;
        // Between edges the total goes straight up, straight down, or not at all. Spans are in order, so edges are.
        for until in edges.chain([Boot::from_micros(i64::MAX)]) {
            let old = from.before(of);
            let leaving = self.spans.iter().any(|(since, until)| *since <= old && old < *until);
            let total = self.total(from, settings);
            let crossing = match (self.open.is_some(), leaving) {
                (true, false) if !says => Some(needed(settings) - total),
                (false, true) if says => Some(total - needed(settings) + 1),
                _ => None,
            };
            match crossing.map(|micros| from.shifted(micros)) {
                Some(at) if at <= until => return Some(at),
                _ => from = until,
            }
        }
        None
    }
}

fn needed(settings: &ChildSettings) -> i64 {
    i64::from(settings.sensor_yes_s) * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Boot {
        Boot::from_micros((seconds * 1e6) as i64)
    }

    fn said(turns: &[(f64, bool)]) -> Window {
        let mut window = Window::default();
        for (second, yes) in turns {
            window.set(at(*second), *yes, &ChildSettings::default());
        }
        window
    }

    #[test]
    fn five_seconds_of_the_last_fifteen_count_however_they_lie() {
        let settings = ChildSettings::default();
        let window = said(&[(100.0, true), (102.0, false), (104.0, true), (106.0, false), (110.0, true)]);
        assert!(!window.says_yes(at(110.9), &settings));
        assert_eq!(window.next_change(at(110.5), &settings), Some(at(111.0)));
        assert!(window.says_yes(at(111.0), &settings));
        let window = said(&[(100.0, true), (106.0, false)]);
        assert!(window.says_yes(at(106.0), &settings));
        let end = window.next_change(at(106.0), &settings).unwrap();
        assert_eq!(end, at(116.0).shifted(1), "from 101 to 106 are five seconds, just");
        assert!(window.says_yes(end.shifted(-1), &settings) && !window.says_yes(end, &settings));
        assert_eq!(window.next_change(end, &settings), None);
    }

    #[test]
    fn a_flickering_sensor_is_taken_for_more_rather_than_less() {
        let turns: Vec<(f64, bool)> = (0..100).map(|n| (100.0 + f64::from(n) * 0.1, n % 2 == 0)).collect();
        let window = said(&turns);
        assert!(window.spans.len() <= SPANS);
        assert!(window.says_yes(at(110.0), &ChildSettings::default()));
    }

    #[test]
    fn the_next_change_is_where_stepping_finds_it() {
        let settings = ChildSettings::default();
        let mut seed = 7_u64;
        for _ in 0..200 {
            let mut turns = Vec::new();
            let mut time = 100.0;
            for n in 0..6 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                time += ((seed >> 33) % 60) as f64 / 10.0;
                turns.push((time, n % 2 == 0));
            }
            turns.truncate(3 + (seed >> 40) as usize % 4);
            let window = said(&turns);
            let from = at(turns.last().unwrap().0);
            let steps = (1..=200).map(|tenth| from.shifted(tenth * 100_000));
            let found = steps.clone().find(|then| window.says_yes(*then, &settings) != window.says_yes(from, &settings));
            let told = window.next_change(from, &settings);
            match (found, told) {
                (None, None) => {}
                (Some(found), Some(told)) => assert!(told <= found && found.micros() - told.micros() <= 100_000),
                other => panic!("{turns:?}: {other:?}"),
            }
        }
    }
}
