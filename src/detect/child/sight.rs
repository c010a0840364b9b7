//! What the child watch sees of the vehicle at one moment.

use crate::clock::Boot;
use crate::detect::heat::{Heat, Outside, Warmth};
use crate::detect::settings::ChildSettings;
use crate::vehicle::cabin::{DRIVER_DOOR, REAR_BELTS, REAR_DOORS, REAR_SEATS};
use crate::vehicle::{Signal, State, Value};

/// The vehicle as it matters here. `None` is unknown.
pub(in crate::detect) struct Sight<'a> {
    pub(super) now: Boot,
    pub(super) state: &'a State,
    pub(super) heat: &'a Heat,
    /// Ignition on or off.
    pub(super) ignition: Option<bool>,
    /// Concluded from silence.
    pub(super) ignition_degraded: bool,
    /// The driver's door is open.
    pub(super) driver: Option<bool>,
    /// Rear doors are open; an unknown one counts as closed.
    pub(super) rear: [bool; REAR_DOORS.len()],
    /// Some door is open.
    pub(super) open: bool,
    /// Locked; an unknown lock counts as not locked.
    pub(super) lock: Option<bool>,
    /// The rear-occupant sensor says yes or no; silent or faulty is unknown.
    pub(super) sensor: Option<bool>,
    /// When it last said yes.
    pub(super) sensor_yes: Option<Boot>,
    /// A healthy one of those sees every rear seat.
    pub(super) covered: bool,
    /// Rear seats are occupied.
    pub(super) seats: [Option<bool>; REAR_SEATS.len()],
    /// Rear belts are closed, as last known ever.
    pub(super) belts: [Option<bool>; REAR_BELTS.len()],
}

impl<'a> Sight<'a> {
    pub(in crate::detect) fn of(now: Boot, state: &'a State, heat: &'a Heat) -> Sight<'a> {
        let flag = |signal| state.flag(now, signal);
        Sight {
            now,
            state,
            heat,
            ignition: state.ignition().on,
            ignition_degraded: state.ignition().degraded,
            driver: flag(DRIVER_DOOR),
            rear: REAR_DOORS.map(|door| flag(door) == Some(true)),
            open: state.any_door_open(now),
            lock: state.locked(now),
            sensor: rear_occupant(state, now),
            sensor_yes: last_yes(state),
            covered: state.rear_covered(now),
            seats: REAR_SEATS.map(flag),
            belts: REAR_BELTS.map(|belt| state.ever(belt).and_then(|(value, ..)| value.as_bool())),
        }
    }

    /// Speed by CAN, else by GNSS, km/h.
    pub(super) fn speed(&self) -> Option<f64> {
        self.state.speed(self.now)
    }

    /// How warm it is.
    pub(super) fn warmth(&self, outside: Option<Outside>, settings: &ChildSettings) -> Option<Warmth> {
        self.heat.now(self.now, self.state, outside, settings)
    }

    /// What `signal` last said and how long ago, s.
    pub(super) fn said(&self, signal: Signal) -> Option<(Value, f64)> {
        self.state.ever(signal).map(|(value, at, _)| (value.clone(), self.seconds_since(at)))
    }

    pub(super) fn seconds_since(&self, at: Boot) -> f64 {
        (self.now.since(at).as_secs_f64() * 10.0).round() / 10.0
    }
}

/// When somebody was last said to be detected or moving.
fn last_yes(state: &State) -> Option<Boot> {
    let both = [Signal::CabinRearOccupantIsDetected, Signal::CabinRearOccupantIsMoving];
    let said = both.into_iter().filter_map(|signal| state.ever(signal));
    said.filter(|(value, ..)| value.as_bool() == Some(true)).map(|(_, at, _)| at).max()
}

/// Somebody detected or somebody moving is a yes; only a sensor that would detect can say no while another is silent.
fn rear_occupant(state: &State, now: Boot) -> Option<bool> {
    let detected = state.flag(now, Signal::CabinRearOccupantIsDetected);
    let moving = state.flag(now, Signal::CabinRearOccupantIsMoving);
    if detected == Some(true) || moving == Some(true) {
        return Some(true);
    }
    if state.maps(Signal::CabinRearOccupantIsDetected) { detected } else { moving }
}
