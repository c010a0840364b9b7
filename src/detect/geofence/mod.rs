//! Fences: who goes in, out, through, stays, or drives too fast inside.
//!
//! | change | while moving | while parked |
//! |---|---|---|
//! | to inside | two consecutive fixes inside by `min(accuracy, a quarter of the inner radius)`, or one when the fix before is over 10 s old | 60 s of fixes without a break beyond the border by `max(50 m, 3 × accuracy)` |
//! | to outside | the same, outside by `max(15 m, accuracy)` | the same (towing) |
//! | through | the straight line between two believed fixes at most 30 s apart runs inside for twice the accuracy or more: enter and exit, times interpolated, `crossed: true` | |
//!
//! How that reads here, where it could be read in more than one way:
//!
//! - The *fix before* is the believed one before. A fix that is not believed, too inaccurate or without a date is as if it
//!   had not come. A break is a believed fix that is not beyond by enough, or more than 10 s without one.
//! - *Through* needs both fixes outside. Fixes in between that lie inside but were not enough to enter do not hinder it:
//!   the line then runs from the last fix outside. Accuracy is that of the worse of the two. A jump, even once believed,
//!   is no way that was driven.
//! - The first state is the side of the first believed fix. One that comes from before a restart is told where that side
//!   is the other one.
//! - A visit dwells from its beginning, also without fixes; a first state inside begins one.
//! - Speed inside counts by CAN, else by the last believed fix of the last 3 s.
//! - While a schedule does not tell, everything goes on untold. With `tell_at_start`, its start tells that the vehicle is
//!   inside, or that it left while nothing was told. A time that nobody vouches for is within every schedule.

mod drawing;
mod keep;
mod register;
mod settings;
mod speeding;
mod standing;
mod telling;
mod track;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod stories;

pub use keep::{Memory, Unreadable};
pub use settings::Settings;

use std::collections::BTreeSet;
use std::sync::Arc;

use self::register::{Id, Register, Slot};
use self::standing::{Change, Side, Since, between, milliseconds, moment};
use self::track::{Sight, Track};
use super::Outbox;
use crate::clock::{Boot, Stamp, TimeSource, Wall};
use crate::event::GeofenceTransition;
use crate::feed::FenceNow;
use crate::geo::{Fence, Point, Vantage};
use crate::vehicle::{Fix, State};

/// Everything about fences: what they are, how the vehicle stands to each.
#[derive(Clone, Debug)]
pub struct Geofences {
    settings: Settings,
    register: Register,
    track: Track,
    /// The last step.
    last: Stamp,
    /// Fences that every fix is judged against: new ones, those the vehicle is in or may be about to enter.
    watched: Vec<Id>,
    /// Fences with a speed limit that the vehicle is in.
    limited: BTreeSet<Id>,
    /// When which visit has lasted long enough to be told.
    dwelling: BTreeSet<(Boot, Id)>,
    /// When which schedule starts that is told of; of no use while the clock is unset.
    starts: BTreeSet<(Wall, Id)>,
    news: keep::News,
    /// How often the picture changed.
    revision: u64,
    /// Room for the fences of one fix and for what they tell.
    candidates: Vec<Id>,
    tellings: Vec<Telling>,
    pass: u64,
}

/// What is read of the vehicle.
#[derive(Clone, Copy, Debug)]
struct Motion {
    /// The last fix.
    fix: Option<Fix>,
    /// Ignition off, or speed 0 by CAN for 60 s, or without CAN GNSS speed under 3 km/h for 60 s.
    parked: bool,
    /// Speed by CAN, km/h; `None` while unknown.
    can_speed: Option<f64>,
}

impl Motion {
    fn of(state: &State, now: Boot) -> Motion {
        Motion { fix: state.fix().copied(), parked: state.parked(now), can_speed: state.can_speed(now) }
    }
}

/// An event about to be told.
#[derive(Clone, Debug)]
struct Telling {
    id: Id,
    transition: GeofenceTransition,
    held_for: Option<f64>,
    at: Stamp,
    /// Where, if between two fixes.
    crossed: Option<Fix>,
}

impl Geofences {
    /// Fences of which nothing is known yet. Of two with one id the first counts.
    pub fn new(settings: Settings, fences: Vec<Fence>) -> Geofences {
        let register = Register::new(fences);
        let mut geofences = Geofences {
            settings,
            register,
            track: Track::default(),
            last: Stamp::default(),
            watched: Vec::new(),
            limited: BTreeSet::new(),
            dwelling: BTreeSet::new(),
            starts: BTreeSet::new(),
            news: keep::News::default(),
            revision: 0,
            candidates: Vec::new(),
            tellings: Vec::new(),
            pass: 0,
        };
        geofences.enlist_all();
        geofences
    }

    /// Goes on with other numbers.
    pub(super) fn retune(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The state's fix comes from before a restart, and is not to be judged.
    pub(super) fn pass_over(&mut self, fix: &Fix) {
        self.track.pass_over(fix);
    }

    /// Judges what is new.
    pub fn step(&mut self, now: Stamp, state: &State, out: &mut Outbox) {
        self.judge(now, &Motion::of(state, now.boot), out);
    }

    /// When something is due without any input: a visit that has lasted, a schedule that starts, a speed that has lasted
    /// or is known no longer.
    pub fn deadline(&self) -> Option<Boot> {
        let dwelled = self.dwelling.first().map(|(due, _)| *due);
        let start = self.starts.first().filter(|_| self.last.source != TimeSource::Unset);
        let start = start.map(|(wall, _)| self.last.boot.shifted(wall.micros().saturating_sub(self.last.wall.micros())));
        [dwelled, start, self.speed_due()].into_iter().flatten().min()
    }

    /// When next a speed inside has lasted for long enough, or that of a fix is known no longer.
    fn speed_due(&self) -> Option<Boot> {
        let speeding = self.limited.iter().filter_map(|id| match &self.register.get(*id)?.standing.side {
            Side::Inside { speeding, .. } => speeding.due(&self.settings),
            Side::Outside { .. } | Side::Unknown => None,
        });
        let lasted = speeding.min()?;
        let due = [Some(lasted), self.track.speed_ends()].into_iter().flatten();
        due.filter(|due| *due > self.last.boot).min()
    }

    /// The speeds, km/h, that count in the fences that the vehicle is in.
    pub(super) fn speed_marks(&self) -> impl Iterator<Item = f64> {
        let limits = self.limited.iter().filter_map(|id| self.register.get(*id)?.fence.speed_limit);
        limits.flat_map(|limit| speeding::marks(limit, &self.settings))
    }

    fn judge(&mut self, now: Stamp, motion: &Motion, out: &mut Outbox) {
        self.start_schedules(now, out);
        self.tell_dwelling(now, out);
        let sight = motion.fix.and_then(|fix| self.track.follow(&fix, motion.parked, &self.settings));
        if let Some(sight) = sight {
            self.see(now, &sight);
            self.tell_crossings(out);
        }
        let speed = motion.can_speed.or_else(|| self.track.speed(now.boot));
        self.tell_speeding(now, speed, out);
        self.last = now;
    }

    /// Judges a believed fix against every fence that it may concern.
    fn see(&mut self, now: Stamp, sight: &Sight) {
        self.pass += 1;
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.append(&mut self.watched);
        let from = sight.before.map_or(sight.fix.point, |before| before.fix.point);
        self.register.along(from, sight.fix.point, |id| candidates.push(id));
        for id in candidates.drain(..) {
            let Some(slot) = self.register.get_mut(id) else { continue };
            if std::mem::replace(&mut slot.pass, self.pass) == self.pass {
                continue;
            }
            slot.watched = false;
            let change = slot.standing.see(now, &slot.fence.shape, sight, &self.settings);
            if let Some(change) = change {
                self.take_in(id, now, sight, change);
            }
            self.enlist(id);
        }
        self.candidates = candidates;
    }

    /// A fence's standing has changed.
    fn take_in(&mut self, id: Id, now: Stamp, sight: &Sight, change: Change) {
        let mut tell = |transition, held_for, at, crossed| {
            self.tellings.push(Telling { id, transition, held_for, at, crossed });
        };
        match change {
            Change::Known => {}
            Change::Entered(held) => tell(GeofenceTransition::Enter, held, now, None),
            Change::Left(held) => {
                tell(GeofenceTransition::Exit, held, now, None);
                self.dwelling.retain(|(_, dwelling)| *dwelling != id);
            }
            Change::Through(from, crossing, held) => {
                let at = |share| moment(now, between(&from, &sight.fix, share));
                let (enter, exit) = (at(crossing.enter), at(crossing.exit));
                let inside = milliseconds(exit.boot.since(enter.boot));
                let on_the_way = |share| Some(on_the_way(&from, sight, share));
                tell(GeofenceTransition::Enter, held, enter, on_the_way(crossing.enter));
                tell(GeofenceTransition::Exit, Some(inside), exit, on_the_way(crossing.exit));
            }
        }
        self.renew(id);
    }

    /// Notes that a fence's standing is another one.
    fn renew(&mut self, id: Id) {
        self.revision += 1;
        if let Some(slot) = self.register.get_mut(id) {
            self.news.changed(id, slot);
        }
    }

    /// Puts a fence on the lists it belongs on.
    fn enlist(&mut self, id: Id) {
        let Some(slot) = self.register.get_mut(id) else { return };
        if !slot.watched && !slot.standing.at_rest() {
            slot.watched = true;
            self.watched.push(id);
        }
        if let Side::Inside { since, dwelled, .. } = &slot.standing.side {
            if slot.fence.speed_limit.is_some() {
                self.limited.insert(id);
            }
            if let (Some(due), false) = (dwells_at(&slot.fence, since), *dwelled) {
                self.dwelling.insert((due, id));
            }
        }
    }

    fn enlist_all(&mut self) {
        let all: Vec<Id> = self.register.iter().map(|(id, _)| id).collect();
        all.into_iter().for_each(|id| self.enlist(id));
    }

    /// The fences in force, in the order in which they came.
    pub fn fences(&self) -> impl Iterator<Item = &Arc<Fence>> {
        self.register.iter().map(|(_, slot)| &slot.fence)
    }

    /// The fence with this id.
    pub fn fence(&self, id: &str) -> Option<&Fence> {
        self.register.get(self.register.find(id)?).map(|slot| &*slot.fence)
    }

    /// The smallest fence that this point is in: where somebody is, in one word.
    pub fn around(&self, point: Point) -> Option<&Fence> {
        self.smallest(point, None, |_| true)
    }

    /// The same for a point on the border of a fence, of which its coordinates say this side as well as that one: just
    /// entered, it is in that fence; just left, it is not.
    pub fn around_border(&self, point: Point, border: &str, entered: bool) -> Option<&Fence> {
        let entered = self.fence(border).filter(|_| entered);
        self.smallest(point, entered, |fence| fence.id != border)
    }

    /// The smallest of `first` and those around this point that `counts` lets through.
    fn smallest<'a>(&'a self, point: Point, first: Option<&'a Fence>, counts: impl Fn(&Fence) -> bool) -> Option<&'a Fence> {
        let here = Vantage::new(point);
        let mut smallest = first;
        self.register.along(point, point, |id| {
            let Some(Slot { fence, .. }) = self.register.get(id) else { return };
            let smaller = smallest.is_none_or(|other| fence.shape.inner_radius() < other.shape.inner_radius());
            if smaller && counts(fence) && fence.shape.contains(&here) {
                smallest = Some(fence);
            }
        });
        smallest
    }

    /// How the vehicle stands to each fence.
    pub fn now(&self) -> Vec<FenceNow> {
        let each = self.register.iter().map(|(_, Slot { fence, standing, .. })| FenceNow {
            fence: fence.clone(),
            inside: standing.side.is_inside(),
            since: standing.side.since().map(|since| since.stamp.wall),
        });
        each.collect()
    }

    /// Changes whenever [`Geofences::now`] or [`Geofences::fences`] would say something else.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}

/// When a visit has lasted long enough to be told.
fn dwells_at(fence: &Fence, since: &Since) -> Option<Boot> {
    fence.dwell.map(|dwell| if since.long_ago { Boot::from_micros(i64::MIN) } else { since.stamp.boot + dwell })
}

/// Where the vehicle was between two fixes, at the share `t` of the way.
fn on_the_way(from: &Fix, sight: &Sight, t: f64) -> Fix {
    let fix = sight.fix;
    let at = between(from, &fix, t);
    let ago = i64::try_from(fix.at.since(at).as_micros()).unwrap_or(0);
    Fix {
        at,
        time: fix.time.map(|time| Wall::from_micros(time.micros().saturating_sub(ago))),
        point: Vantage::new(from.point).toward(&sight.here, t),
        accuracy: from.accuracy.max(fix.accuracy),
        ..fix
    }
}
