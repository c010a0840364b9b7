//! What is told, and when: crossings, visits that last, speed, schedules that start.

use super::register::{Id, Slot};
use super::standing::Side;
use super::{Geofences, Telling, dwells_at};
use crate::clock::{Stamp, TimeSource, Wall};
use crate::detect::Outbox;
use crate::detect::heat::rounded;
use crate::event::{Details, EventType, Geofence, GeofenceTransition, Severity};
use crate::geo::Fence;

/// A clock that goes back by more than this has been set; schedules are looked at anew.
const CLOCK_FELL_BACK_US: i64 = 60_000_000;

impl Geofences {
    /// Tells what the last fix changed, in the order in which it happened.
    pub(super) fn tell_crossings(&mut self, out: &mut Outbox) {
        let mut tellings = std::mem::take(&mut self.tellings);
        let name = |id: Id| self.register.get(id).map(|slot| slot.fence.id.as_str());
        tellings.sort_by(|a, b| (a.at.boot, name(a.id)).cmp(&(b.at.boot, name(b.id))));
        for telling in tellings.drain(..) {
            self.tell_crossing(&telling, out);
        }
        self.tellings = tellings;
    }

    fn tell_crossing(&mut self, telling: &Telling, out: &mut Outbox) {
        let Telling { id, transition, held_for, at, crossed } = *telling;
        let Some(Slot { fence, standing, .. }) = self.register.get_mut(id) else { return };
        if !tells(fence, at) {
            if let (Side::Outside { withheld, .. }, GeofenceTransition::Exit, None) = (&mut standing.side, transition, crossed) {
                *withheld = fence.tell_at_start;
            }
            return;
        }
        let inside = transition == GeofenceTransition::Enter;
        let geofence = Geofence { inside, held_for, crossed: crossed.is_some(), ..details(fence, transition) };
        let kind = if inside { EventType::GeofenceEnter } else { EventType::GeofenceExit };
        match crossed {
            Some(fix) => out.tell_at(at, Some(fix), kind, Severity::Info, Details::Geofence(geofence)),
            None => out.tell(kind, Severity::Info, Details::Geofence(geofence)),
        };
    }

    /// Tells the visits that have lasted long enough; each is looked at once.
    pub(super) fn tell_dwelling(&mut self, now: Stamp, out: &mut Outbox) {
        while let Some((due, id)) = self.dwelling.first().copied() {
            if due > now.boot {
                return;
            }
            self.dwelling.remove(&(due, id));
            let Some(slot) = self.register.get_mut(id) else { continue };
            let Side::Inside { since, dwelled, .. } = &mut slot.standing.side else { continue };
            if *dwelled || dwells_at(&slot.fence, since) != Some(due) {
                continue;
            }
            *dwelled = true;
            if tells(&slot.fence, now) {
                let held_for = since.held(now.boot);
                let geofence = Geofence { held_for, ..details(&slot.fence, GeofenceTransition::Dwell) };
                out.tell(EventType::GeofenceDwell, Severity::Info, Details::Geofence(geofence));
            }
            self.renew(id);
        }
    }

    /// Holds the speed against the limits of the fences that the vehicle is in.
    pub(super) fn tell_speeding(&mut self, now: Stamp, speed: Option<f64>, out: &mut Outbox) {
        let mut limited = std::mem::take(&mut self.limited);
        limited.retain(|id| self.judge_speed(*id, now, speed, out));
        self.limited = limited;
    }

    /// Whether the fence still has a limit and the vehicle in it.
    fn judge_speed(&mut self, id: Id, now: Stamp, speed: Option<f64>, out: &mut Outbox) -> bool {
        let Some(Slot { fence, standing, .. }) = self.register.get_mut(id) else { return false };
        let (Side::Inside { since, speeding, .. }, Some(limit)) = (&mut standing.side, fence.speed_limit) else { return false };
        let before = *speeding;
        let (next, tell) = before.next(now.boot, speed, limit, &self.settings);
        *speeding = next;
        if tell && tells(fence, now) {
            let details = details(fence, GeofenceTransition::Overspeed);
            let speed = speed.map(|speed| rounded(speed, 100.0));
            let geofence = Geofence { held_for: since.held(now.boot), speed, limit: Some(limit), ..details };
            out.tell(EventType::GeofenceOverspeed, Severity::Advisory, Details::Geofence(geofence));
        }
        if before.told() != next.told() {
            self.renew(id);
        }
        true
    }

    /// Tells of the fences whose schedule has started since the last step.
    pub(super) fn start_schedules(&mut self, now: Stamp, out: &mut Outbox) {
        if now.source == TimeSource::Unset {
            return;
        }
        let fell_back = now.wall.micros() < self.last.wall.micros().saturating_sub(CLOCK_FELL_BACK_US);
        if self.last.source == TimeSource::Unset || fell_back {
            self.plan_starts(now.wall);
        }
        while let Some((start, id)) = self.starts.first().copied() {
            if start > now.wall {
                return;
            }
            self.starts.remove(&(start, id));
            self.tell_start(id, now, out);
            self.plan_start(id, now.wall);
        }
    }

    fn tell_start(&mut self, id: Id, now: Stamp, out: &mut Outbox) {
        let Some(Slot { fence, standing, .. }) = self.register.get_mut(id) else { return };
        if !tells(fence, now) {
            return;
        }
        let (transition, kind, held_for) = match &mut standing.side {
            Side::Inside { since, .. } => (GeofenceTransition::Enter, EventType::GeofenceEnter, since.held(now.boot)),
            Side::Outside { since, withheld, .. } if *withheld => {
                *withheld = false;
                (GeofenceTransition::Exit, EventType::GeofenceExit, since.held(now.boot))
            }
            Side::Outside { .. } | Side::Unknown => return,
        };
        let inside = transition == GeofenceTransition::Enter;
        let geofence = Geofence { inside, held_for, ..details(fence, transition) };
        out.tell(kind, Severity::Info, Details::Geofence(geofence));
        self.renew(id);
    }

    pub(super) fn plan_starts(&mut self, after: Wall) {
        self.starts.clear();
        let planned = |(id, slot): (Id, &Slot)| slot.fence.tell_at_start.then_some(id);
        let all: Vec<Id> = self.register.iter().filter_map(planned).collect();
        all.into_iter().for_each(|id| self.plan_start(id, after));
    }

    pub(super) fn plan_start(&mut self, id: Id, after: Wall) {
        let Some(Slot { fence, .. }) = self.register.get(id).filter(|slot| slot.fence.tell_at_start) else { return };
        let start = fence.schedule.as_ref().zip(time(after)).and_then(|(schedule, after)| schedule.next_start(after));
        if let Some(start) = start {
            self.starts.insert((Wall::from_micros(start.as_microsecond()), id));
        }
    }
}

/// Whether the fence's schedule tells at this moment.
fn tells(fence: &Fence, at: Stamp) -> bool {
    let known = fence.schedule.as_ref().zip(time(at.wall)).filter(|_| at.source != TimeSource::Unset);
    known.is_none_or(|(schedule, time)| schedule.open(time))
}

fn time(wall: Wall) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(wall.micros()).ok()
}

/// What every event of a fence says; inside, until somebody says otherwise.
fn details(fence: &Fence, transition: GeofenceTransition) -> Geofence {
    Geofence {
        id: fence.id.clone(),
        name: fence.name.clone(),
        transition,
        inside: true,
        held_for: None,
        crossed: false,
        speed: None,
        limit: None,
    }
}
