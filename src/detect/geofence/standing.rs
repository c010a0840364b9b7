//! How the vehicle stands to one fence: the fence table as a state machine.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Settings;
use super::settings::seconds;
use super::speeding::Speeding;
use super::track::{Before, Sight};
use crate::clock::{Boot, Stamp};
use crate::geo::{Crossing, Shape};
use crate::vehicle::Fix;

/// How the vehicle stands to one fence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// The side of the next believed fix decides, without a margin: the fence is new, or its side comes from before a
    /// restart.
    pub(super) first: bool,
    pub(super) side: Side,
}

/// Which side of the border, and what goes with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Side {
    /// No believed fix since the fence was made.
    Unknown,
    /// Outside.
    Outside {
        since: Since,
        /// What speaks for being inside by now.
        toward: Toward,
        /// The last believed fix outside, once fixes lie inside that are not yet enough to enter.
        last: Option<Fix>,
        /// The vehicle left while the fence's schedule did not tell.
        withheld: bool,
    },
    /// Inside: a visit.
    Inside {
        since: Since,
        /// What speaks for being outside by now.
        toward: Toward,
        /// The visit's dwelling has been told, or would have been but for the schedule.
        dwelled: bool,
        /// Its speed.
        speeding: Speeding,
    },
}

/// Since when a side holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Since {
    /// When it began.
    pub(super) stamp: Stamp,
    /// Nobody knows how long ago that was: the unit was without power and without a clock. What waits has waited enough.
    pub(super) long_ago: bool,
}

/// What speaks for the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Toward {
    /// Nothing.
    #[default]
    Nothing,
    /// So many consecutive fixes, moving.
    Moving(u8),
    /// All fixes since then, parked.
    Parked(Boot),
}

/// What a sight changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// The side is known now; nothing to tell.
    Known,
    /// Into the fence, after so many seconds outside, where that is known.
    Entered(Option<f64>),
    /// Out of it, after so many seconds inside, where that is known.
    Left(Option<f64>),
    /// Through it, on the way from this fix, after so many seconds outside.
    Through(Fix, Crossing, Option<f64>),
}

impl Since {
    pub(super) fn now(stamp: Stamp) -> Since {
        Since { stamp, long_ago: false }
    }

    /// For how many seconds, at `now`.
    pub(super) fn held(&self, now: Boot) -> Option<f64> {
        (!self.long_ago).then(|| milliseconds(now.since(self.stamp.boot)))
    }
}

impl Toward {
    /// Counts a fix that is beyond the border by enough; whether that decides.
    fn count(&mut self, sight: &Sight, settings: &Settings) -> bool {
        let at = sight.fix.at;
        match (sight.parked, *self) {
            (false, Toward::Moving(fixes)) => *self = Toward::Moving(fixes.saturating_add(1)),
            (false, _) => *self = Toward::Moving(1),
            (true, Toward::Parked(_)) if !sight.alone => {}
            (true, _) => *self = Toward::Parked(at),
        }
        match *self {
            Toward::Nothing => false,
            Toward::Moving(fixes) => fixes >= 2 || sight.alone,
            Toward::Parked(since) => at.since(since) >= seconds(settings.parked_s),
        }
    }
}

impl Side {
    pub(super) fn outside(since: Stamp) -> Side {
        Side::Outside { since: Since::now(since), toward: Toward::Nothing, last: None, withheld: false }
    }

    pub(super) fn inside(since: Stamp) -> Side {
        Side::Inside { since: Since::now(since), toward: Toward::Nothing, dwelled: false, speeding: Speeding::No }
    }

    fn of(inside: bool, since: Stamp) -> Side {
        if inside { Side::inside(since) } else { Side::outside(since) }
    }

    pub(super) fn since(&self) -> Option<&Since> {
        match self {
            Side::Unknown => None,
            Side::Outside { since, .. } | Side::Inside { since, .. } => Some(since),
        }
    }

    pub(super) fn is_inside(&self) -> Option<bool> {
        match self {
            Side::Unknown => None,
            Side::Outside { .. } => Some(false),
            Side::Inside { .. } => Some(true),
        }
    }

    /// The vehicle is on the other side.
    fn cross(&mut self, now: Stamp) -> Change {
        let held = self.since().and_then(|since| since.held(now.boot));
        let inside = self.is_inside() != Some(true);
        *self = Side::of(inside, now);
        if inside { Change::Entered(held) } else { Change::Left(held) }
    }
}

impl Standing {
    /// To a fence that is new.
    pub(super) fn new() -> Standing {
        Standing { first: true, side: Side::Unknown }
    }

    /// Whether only a fix near the fence can change anything: outside, and nothing speaks for being inside.
    pub(super) fn at_rest(&self) -> bool {
        let quiet = matches!(self.side, Side::Outside { toward: Toward::Nothing, last: None, .. });
        quiet && !self.first
    }

    /// Judges a believed fix.
    pub(super) fn see(&mut self, now: Stamp, shape: &Shape, sight: &Sight, settings: &Settings) -> Option<Change> {
        let inside = shape.contains(&sight.here);
        if self.first {
            return self.see_first(now, inside);
        }
        let crossed = match &mut self.side {
            Side::Unknown => false,
            Side::Inside { toward, .. } if inside => {
                *toward = Toward::Nothing;
                false
            }
            Side::Outside { toward, last, since, .. } if !inside => {
                *toward = Toward::Nothing;
                let from = last.take().map(Before::new).or(sight.before);
                let (from, crossing) = through(shape, from.filter(|_| sight.before.is_some())?, sight, settings)?;
                let held = since.held(between(&from, &sight.fix, crossing.enter));
                let left = between(&from, &sight.fix, crossing.exit);
                *since = Since::now(moment(now, left));
                return Some(Change::Through(from, crossing, held));
            }
            Side::Inside { toward, .. } => {
                beyond(toward, shape.offset(&sight.here), outside_by(sight, settings), sight, settings)
            }
            Side::Outside { toward, last, .. } => {
                keep_last(last, sight);
                let margin = inside_by(shape, sight, settings);
                beyond(toward, -shape.offset(&sight.here), margin, sight, settings)
            }
        };
        crossed.then(|| self.side.cross(now))
    }

    fn see_first(&mut self, now: Stamp, inside: bool) -> Option<Change> {
        self.first = false;
        match self.side.is_inside() {
            None => {
                self.side = Side::of(inside, now);
                Some(Change::Known)
            }
            Some(stored) => (stored != inside).then(|| self.side.cross(now)),
        }
    }
}

/// Whether a fix `off` m beyond the border, with others, decides.
fn beyond(toward: &mut Toward, off: f64, margin: f64, sight: &Sight, settings: &Settings) -> bool {
    if off >= margin {
        return toward.count(sight, settings);
    }
    *toward = Toward::Nothing;
    false
}

/// By how many metres a fix must be inside to speak for it.
fn inside_by(shape: &Shape, sight: &Sight, settings: &Settings) -> f64 {
    let accuracy = sight.fix.accuracy;
    if sight.parked { parked_by(accuracy, settings) } else { accuracy.min(settings.enter_share * shape.inner_radius()) }
}

/// By how many metres a fix must be outside to speak for it.
fn outside_by(sight: &Sight, settings: &Settings) -> f64 {
    let accuracy = sight.fix.accuracy;
    if sight.parked { parked_by(accuracy, settings) } else { accuracy.max(settings.exit_m) }
}

fn parked_by(accuracy: f64, settings: &Settings) -> f64 {
    settings.parked_m.max(settings.parked_accuracies * accuracy)
}

/// Remembers where the vehicle came from, when the first fix inside is not enough to enter.
fn keep_last(last: &mut Option<Fix>, sight: &Sight) {
    match sight.before {
        Some(before) if !sight.parked => {
            last.get_or_insert(before.fix);
        }
        _ => *last = None,
    }
}

/// Whether the vehicle went through on the straight line from the last fix outside to this one, outside again.
fn through(shape: &Shape, from: Before, sight: &Sight, settings: &Settings) -> Option<(Fix, Crossing)> {
    let near = sight.fix.at.since(from.fix.at) <= seconds(settings.through_s);
    if sight.parked || !near || shape.contains(&from.here) {
        return None;
    }
    let crossing = shape.crossing(&from.here, &sight.here)?;
    let enough = settings.through_accuracies * from.fix.accuracy.max(sight.fix.accuracy);
    (crossing.inside >= enough).then_some((from.fix, crossing))
}

/// A duration in seconds, of which nobody needs to know the microseconds.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

/// When the vehicle had gone the share `t` of the way from one fix to the other.
pub(super) fn between(from: &Fix, to: &Fix, t: f64) -> Boot {
    from.at + to.at.since(from.at).mul_f64(t.clamp(0.0, 1.0))
}

/// The stamp of a moment not long before `now`.
pub(super) fn moment(now: Stamp, boot: Boot) -> Stamp {
    let ago = now.boot.micros().saturating_sub(boot.micros());
    Stamp { boot, wall: crate::clock::Wall::from_micros(now.wall.micros().saturating_sub(ago)), source: now.source }
}
