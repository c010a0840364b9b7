//! Which fixes are believed.
//!
//! A fix worse than 100 m, or without a date, changes nothing. A jump, by more than 100 m/s beyond both accuracies, is
//! not believed until three fixes within 100 m of one another agree.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Settings;
use super::settings::seconds;
use crate::clock::{Boot, Wall};
use crate::geo::{Vantage, distance};
use crate::vehicle::Fix;

/// For so long a fix tells the speed.
const SPEED_HOLDS: Duration = Duration::from_secs(3);

/// The last believed fix, and those that are not believed yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    /// Which fix was looked at last, believed or not.
    looked: Option<(Boot, Option<Wall>)>,
    believed: Option<Fix>,
    doubted: heapless::Vec<Fix, 2>,
}

/// A believed fix.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// The fix.
    pub(super) fix: Fix,
    /// Its place.
    pub(super) here: Vantage,
    /// The believed fix before it, where the vehicle may have come from there in a straight line.
    pub(super) before: Option<Before>,
    /// Whether the fix before is too old to count.
    pub(super) alone: bool,
    /// Whether the vehicle is parked.
    pub(super) parked: bool,
}

/// A believed fix before another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    pub(super) fix: Fix,
    pub(super) here: Vantage,
}

impl Before {
    pub(super) fn new(fix: Fix) -> Before {
        Before { fix, here: Vantage::new(fix.point) }
    }
}

impl Track {
    /// The sight that this fix gives, when it is new and believed.
    pub(super) fn follow(&mut self, fix: &Fix, parked: bool, settings: &Settings) -> Option<Sight> {
        let name = Some((fix.at, fix.time));
        let usable = fix.time.is_some() && fix.accuracy <= settings.worst_accuracy_m && fix.point.is_sound();
        if self.looked == name || !usable {
            return None;
        }
        self.looked = name;
        let jump = self.believed.is_some_and(|last| is_jump(&last, fix, settings));
        if jump && !self.agreed(fix, settings) {
            return None;
        }
        self.doubted.clear();
        let last = self.believed.replace(*fix);
        let alone = last.is_none_or(|last| fix.at.since(last.at) > seconds(settings.gap_s));
        let before = last.filter(|_| !jump).map(Before::new);
        Some(Sight { fix: *fix, here: Vantage::new(fix.point), before, alone, parked })
    }

    /// This fix is known from before a restart: it is no news, and may be older than what the fences know.
    pub(super) fn pass_over(&mut self, fix: &Fix) {
        self.looked = Some((fix.at, fix.time));
    }

    /// Speed by GNSS, km/h, as far as it is believed and not old.
    pub(super) fn speed(&self, now: Boot) -> Option<f64> {
        self.believed.filter(|fix| now.since(fix.at) <= SPEED_HOLDS).and_then(|fix| fix.speed)
    }

    /// When that fix is too old for it.
    pub(super) fn speed_ends(&self) -> Option<Boot> {
        self.believed.map(|fix| (fix.at + SPEED_HOLDS).shifted(1))
    }

    /// Whether this is the third fix of three that are near to one another; remembered, if not.
    fn agreed(&mut self, fix: &Fix, settings: &Settings) -> bool {
        let near = |a: &Fix, b: &Fix| distance(a.point, b.point) <= settings.agree_m;
        match self.doubted.as_slice() {
            [first, second] if near(first, second) && near(first, fix) && near(second, fix) => return true,
            [_, second] => self.doubted = [*second].into_iter().collect(),
            _ => {}
        }
        // There is room: at most one is left.
        let _ = self.doubted.push(*fix);
        false
    }
}

fn is_jump(last: &Fix, fix: &Fix, settings: &Settings) -> bool {
    let beyond = distance(last.point, fix.point) - last.accuracy - fix.accuracy;
    beyond > 0.0 && beyond > settings.jump_m_s * fix.at.since(last.at).as_secs_f64()
}
