//! What a scenario is: a story told as a list of steps, and what a gateway must make of it.

use super::ecus::{Fault, Script};
use super::route::Route;
use crate::event::{ChildStage, Confidence, EventType, Verdict};

/// A story that the car lives through again and again. It ends as it begins: at home, locked, nobody inside.
#[derive(Debug)]
pub struct Scenario {
    /// What `--scenario` calls it.
    pub name: &'static str,
    /// In one line.
    pub about: &'static str,
    /// The weather, and what the air conditioning makes of it.
    pub(super) climate: Climate,
    /// Whether the cabin sensor works; one that does not reports itself faulty.
    pub(super) sensor_works: bool,
    /// The steps, in chapters.
    pub(super) story: &'static [&'static [Step]],
    /// What may be told besides what the steps tell.
    pub may: &'static [Telling],
}

/// °C.
#[derive(Clone, Copy, Debug)]
pub(super) struct Climate {
    /// In the shade.
    pub(super) outside: f64,
    /// What the cabin tends to while the engine runs.
    pub(super) cooled: f64,
}

/// Something happens, and then it stays so for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) act: Act,
    /// s; of a drive how long the car stands after it.
    pub(super) lasts: f64,
    /// What a gateway tells before the next step, each once.
    pub(super) tells: &'static [Telling],
    /// What befalls the ECUs meanwhile, in order.
    pub(super) incidents: &'static [Incident],
}

/// Something befalls the ECUs. Nothing that the car sends of itself changes by it, only what ECUs answer.
#[derive(Debug)]
pub(super) struct Incident {
    /// Since the step began, s; within it.
    pub(super) after: f64,
    pub(super) what: Ordeal,
    /// What a gateway that asks the ECUs tells by and by, each once.
    pub(super) tells: &'static [Telling],
}

/// What can befall them.
#[derive(Debug)]
pub(super) enum Ordeal {
    Break(Fault),
    Mend(Fault),
    /// Somebody plugs in a tester, which does what this says.
    Tester(&'static Script),
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Nothing.
    Wait,
    /// All doors.
    Unlock,
    /// All doors.
    Lock,
    Open(Door),
    Close(Door),
    /// Somebody sits down. On a rear seat it is the child, which the cabin sensor sees.
    Sit(Seat),
    /// And gets out.
    Leave(Seat),
    /// The child is in the rear footwell, where only the cabin sensor sees it.
    CreepIn,
    /// And out of it.
    CreepOut,
    Buckle(Seat),
    Unbuckle(Seat),
    /// The key. After `Start` the engine runs until `Off`.
    Turn(Key),
    /// Everything electric, with the engine off.
    LightsOn,
    LightsOff,
    Drive(&'static Route),
    /// On a tow truck: the wheels do not turn and the ignition is off.
    Tow(&'static Route),
}

/// The ignition's positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `OFF`
    Off,
    /// `ACC`
    Accessory,
    /// `ON`
    On,
    /// `START`: the starter turns.
    Start,
}

/// The car's doors. The driver sits on the left.
#[allow(missing_docs, reason = "the name says it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Driver,
    Passenger,
    RearLeft,
    RearRight,
    Trunk,
}

/// The car's seats.
#[allow(missing_docs, reason = "the name says it")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    Driver,
    Passenger,
    RearLeft,
    RearMiddle,
    RearRight,
}

/// An event that a gateway tells, by what it is known by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Telling {
    /// `GEOFENCE_ENTER` of the fence with this id.
    Enter(&'static str),
    /// `GEOFENCE_EXIT`.
    Exit(&'static str),
    /// `CHILD_LEFT_BEHIND`.
    Left(ChildStage, Confidence),
    /// The same, critical at once for the heat.
    LeftInHeat(Confidence),
    /// `CHILD_ALERT_CLEARED`.
    Cleared(Verdict),
    /// An event that its type is enough to know by.
    Plain(EventType),
}

/// When a [`Telling`] is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// What.
    pub telling: Telling,
    /// Seconds into the loop.
    pub earliest: f64,
    /// Seconds into the loop.
    pub latest: f64,
}

impl Telling {
    /// The event's type.
    pub fn event_type(self) -> EventType {
        match self {
            Telling::Enter(_) => EventType::GeofenceEnter,
            Telling::Exit(_) => EventType::GeofenceExit,
            Telling::Left(..) | Telling::LeftInHeat(_) => EventType::ChildLeftBehind,
            Telling::Cleared(_) => EventType::ChildAlertCleared,
            Telling::Plain(event_type) => event_type,
        }
    }
}

impl Step {
    pub(super) const fn tells(self, tells: &'static [Telling]) -> Step {
        Step { tells, ..self }
    }

    pub(super) const fn with(self, incidents: &'static [Incident]) -> Step {
        Step { incidents, ..self }
    }
}

/// `act`, and then `lasts` seconds of it.
pub(super) const fn step(act: Act, lasts: f64) -> Step {
    Step { act, lasts, tells: &[], incidents: &[] }
}
