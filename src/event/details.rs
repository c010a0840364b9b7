//! What is particular to each kind of event. Units: m, km/h, s, °, °C, V.

use serde::{Deserialize, Serialize};

use super::{Alert, EventId};
use crate::vehicle::trouble::CodeRecord;
use crate::vehicle::{Signal, Value};

use super::Location;

/// How far an alert has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChildStage {
    /// The first warning.
    Initial,
    /// Nobody came.
    Escalated,
    /// Still nobody came.
    Repeated,
}

/// What an alert rests on, strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A rear door was used before or during the drive.
    Inferred,
    /// A rear seat or belt changed.
    Occupancy,
    /// A sensor sees somebody.
    Direct,
}

/// Why an alert ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A rear door was used.
    RearDoorOpened,
    /// The driver came back.
    DriverReturned,
    /// The sensor has seen nobody for two minutes.
    SensorClear,
    /// An alert that rested on doors only, told for long enough.
    Expired,
}

/// What happened during an alert without changing anything about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meanwhile {
    /// The car was unlocked, and no door was opened.
    Unlocked,
    /// The ignition came on, and the driver's door was not opened: a remote start.
    IgnitionOn,
    /// The car moved with its ignition off.
    Towed,
}

impl Meanwhile {
    /// Everything that may have happened.
    pub const ALL: [Meanwhile; 3] = [Meanwhile::Unlocked, Meanwhile::IgnitionOn, Meanwhile::Towed];
}

/// One signal that the alert rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which.
    pub signal: Signal,
    /// What it said.
    pub value: Value,
    /// How long ago, s.
    pub age: f64,
}

/// How warm it is where the child would be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cabin {
    /// °C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// °C per minute, over the last 120 s; absent before 60 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<f64>,
    /// Minutes until 35 °C; absent when it does not rise, 0 when it is there.
    #[serde(skip_serializing_if = "Option::is_none", rename = "minutesTo35")]
    pub minutes_to_35: Option<f64>,
    /// Not measured: estimated from the outside temperature at the stop.
    pub estimated: bool,
}

/// Under `child`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Child {
    /// Of a `CHILD_LEFT_BEHIND`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<ChildStage>,
    /// What it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// Seconds since the car was locked; absent while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_locked: Option<f64>,
    /// Seconds since the last door closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_closed: Option<f64>,
    /// The signals behind it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// The heat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cabin: Option<Cabin>,
    /// Something it rests on is kept from before a fault.
    #[serde(skip_serializing_if = "is_false")]
    pub degraded: bool,
    /// Of a repeat: how many there were, this one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The first one told after a restart within an alert.
    #[serde(skip_serializing_if = "is_false")]
    pub resumed: bool,
    /// Why it was cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Verdict>,
    /// What happened since the alert's last event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub meanwhile: Vec<Meanwhile>,
    /// Which member answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Of a snooze: for how many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// The alert it belongs to; for the journal.
    #[serde(skip)]
    pub alert: Option<Alert>,
    /// Of an answer: the event that was answered; for the journal.
    #[serde(skip)]
    pub answers: Option<EventId>,
}

/// How a fence was crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeofenceTransition {
    /// Into it.
    Enter,
    /// Out of it.
    Exit,
    /// Stayed in it.
    Dwell,
    /// Too fast in it.
    Overspeed,
}

/// Under `geofence`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Geofence {
    /// The fence's id.
    pub id: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What happened.
    pub transition: GeofenceTransition,
    /// Whether the vehicle is inside now.
    pub inside: bool,
    /// How long the state before this one held, s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_for: Option<f64>,
    /// Both borders lay between two fixes; times are interpolated.
    #[serde(skip_serializing_if = "is_false")]
    pub crossed: bool,
    /// Of an overspeed: the speed, km/h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Of an overspeed: the fence's limit, km/h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

/// Under `diagnosis`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// What it is about: a bus, a message, a receiver, the journal.
    pub source: String,
    /// One word, `snake_case`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The measured value, in the signal's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The limit it went past, in the same unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Of trouble codes: each fault that is new or gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<CodeRecord>,
}

/// Under `trip`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trip {
    /// m.
    pub distance: Option<f64>,
    /// s.
    pub duration: Option<f64>,
    /// km/h.
    pub top_speed: Option<f64>,
    /// Where it began.
    pub start: Option<Location>,
    /// Where it ended.
    pub end: Option<Location>,
}

/// Under `body`: what somebody published to a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// `[A-Z][A-Z0-9_]{0,63}`, none of Telltale's own.
    pub event_type: String,
    /// For whom; not part of the JSON.
    pub member: String,
    /// As it came.
    pub body: serde_json::Map<String, serde_json::Value>,
}

fn is_false(value: &bool) -> bool {
    !*value
}
