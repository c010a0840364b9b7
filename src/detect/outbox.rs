//! Where detectors put what they tell, and where ids come from.

use crate::clock::{Stamp, TimeSource, Wall};
use crate::event::{Details, Event, EventId, EventType, Location, Published, Severity};
use crate::vehicle::{Fix, Vin};

/// The events of one step, each with its id already.
///
/// An id is the greater of the last id + 1 and the wall clock's milliseconds × 1000, so ids rise strictly, over a
/// renewed journal too. While the clock is unset the build's time stands for the clock's; while the journal cannot be
/// written it is the last id + 1, which stays inside the bound that the journal reserved. The clock's lead is followed
/// inside that bound only: after it was set, or after a sleep, the first ids are last + 1 until the journal has raised it.
#[derive(Clone, Debug)]
pub struct Outbox {
    vin: Vin,
    last: EventId,
    reserved: EventId,
    durable: bool,
    stamp: Stamp,
    fix: Option<Fix>,
    events: Vec<Event>,
}

impl Outbox {
    /// For `vin`, after `last`: the highest id that may have been told.
    pub fn new(vin: Vin, last: EventId) -> Outbox {
        Outbox { vin, last, reserved: EventId::MAX, durable: true, stamp: Stamp::default(), fix: None, events: Vec::new() }
    }

    /// Whether the journal can be written: while it cannot, events say so and ids stay inside the bound it reserved.
    pub fn set_durable(&mut self, durable: bool) {
        self.durable = durable;
    }

    /// Whether the journal can be written.
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    /// The journal has reserved ids up to `bound`, over a power cut too.
    pub fn reserve(&mut self, bound: EventId) {
        self.reserved = bound;
    }

    /// Begins a step: what is told from here on happened `now`, where the vehicle last had a `fix`.
    pub fn begin(&mut self, now: Stamp, fix: Option<Fix>) {
        self.stamp = now;
        self.fix = fix;
    }

    /// Tells an event; its id.
    pub fn tell(&mut self, event_type: EventType, severity: Severity, details: Details) -> EventId {
        self.tell_at(self.stamp, self.fix, event_type, severity, details)
    }

    /// Tells an event whose details name its own id; its id.
    pub fn tell_own(&mut self, event_type: EventType, severity: Severity, details: impl FnOnce(EventId) -> Details) -> EventId {
        let id = self.issue();
        self.put(id, (self.stamp, self.fix), Some(event_type), severity, details(id));
        id
    }

    /// Tells a member what somebody published; its id.
    pub fn publish(&mut self, published: Published) -> EventId {
        let id = self.issue();
        self.put(id, (self.stamp, self.fix), None, Severity::Info, Details::Published(published));
        id
    }

    /// Tells an event of another moment and place than this step's (an interpolated crossing); its id.
    pub fn tell_at(
        &mut self,
        stamp: Stamp,
        fix: Option<Fix>,
        event_type: EventType,
        severity: Severity,
        details: Details,
    ) -> EventId {
        let id = self.issue();
        self.put(id, (stamp, fix), Some(event_type), severity, details);
        id
    }

    fn put(
        &mut self,
        id: EventId,
        (stamp, fix): (Stamp, Option<Fix>),
        event_type: Option<EventType>,
        severity: Severity,
        details: Details,
    ) {
        self.events.push(Event {
            id,
            severity,
            stamp,
            vin: self.vin.clone(),
            location: Location::of(fix),
            event_type,
            details,
            durable: self.durable,
        });
    }

    /// What was told since the last call, in order.
    pub fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The last id issued.
    pub fn last(&self) -> EventId {
        self.last
    }

    fn issue(&mut self) -> EventId {
        let next = EventId(self.last.0.saturating_add(1));
        let clock = if self.stamp.source == TimeSource::Unset { Wall::build() } else { self.stamp.wall };
        let clock = EventId(millis_of(clock));
        let room = self.reserved.0.saturating_sub(clock.0) >= KEPT_FREE || self.reserved == EventId::MAX;
        let floor = if self.durable && room { clock } else { EventId(0) };
        self.last = next.max(floor).min(EventId::MAX);
        self.last
    }
}

/// So many reserved ids are left for the time in which the journal cannot be written.
const KEPT_FREE: u64 = 1_000_000;

/// Wall-clock milliseconds × 1000.
fn millis_of(wall: Wall) -> u64 {
    u64::try_from(wall.micros().div_euclid(1000).saturating_mul(1000)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Boot;
    use crate::event::Diagnosis;

    fn tell(outbox: &mut Outbox, micros: i64, source: TimeSource) -> u64 {
        outbox.begin(Stamp { boot: Boot::from_micros(0), wall: Wall::from_micros(micros), source }, None);
        outbox.tell(EventType::GnssLost, Severity::Advisory, Details::Diagnosis(Diagnosis::default())).0
    }

    #[test]
    fn ids_follow_the_wall_clock_and_never_fall_behind() -> Result<(), String> {
        let build = Wall::build().micros() / 1000 * 1000;
        let far = build + 86_400_000_000;
        let mut outbox = Outbox::new(Vin::try_from("V1".to_owned())?, EventId(5));
        assert_eq!(tell(&mut outbox, 0, TimeSource::Unset), build as u64);
        assert_eq!(tell(&mut outbox, far + 213_999, TimeSource::Rtc), far as u64 + 213_000);
        assert_eq!(tell(&mut outbox, far + 213_999, TimeSource::Rtc), far as u64 + 213_001);
        assert_eq!(tell(&mut outbox, far, TimeSource::Gnss), far as u64 + 213_002, "the clock stepped back");
        assert_eq!(tell(&mut outbox, far + 900_000_000, TimeSource::Unset), far as u64 + 213_003);
        outbox.set_durable(false);
        assert_eq!(tell(&mut outbox, far + 900_000_000, TimeSource::Rtc), far as u64 + 213_004, "inside the bound");
        let told = outbox.take();
        assert_eq!((told.len(), told[5].durable), (6, false));
        Ok(())
    }

    #[test]
    fn the_clock_is_followed_only_inside_what_the_journal_reserved() -> Result<(), String> {
        let day = Wall::build().micros() as u64 / 1000 * 1000 + 86_400_000_000;
        let mut outbox = Outbox::new(Vin::try_from("V1".to_owned())?, EventId(day - 10));
        outbox.reserve(EventId(day + KEPT_FREE));
        assert_eq!(tell(&mut outbox, day as i64, TimeSource::Gnss), day);
        assert_eq!(tell(&mut outbox, day as i64 + 5_000, TimeSource::Gnss), day + 1, "too near the bound");
        outbox.reserve(EventId(day + 5_000 + KEPT_FREE));
        assert_eq!(tell(&mut outbox, day as i64 + 5_000, TimeSource::Gnss), day + 5_000);
        Ok(())
    }
}
