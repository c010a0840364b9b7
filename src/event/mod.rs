//! What an event is, its kinds, and its JSON.
//!
//! An event is a change worth telling: durable, never dropped, never merged, with an id that rises strictly. Live
//! telemetry is none. The JSON is one object, camelCase; what is not known is absent, never `null`; what is particular
//! to a kind stands under the kind's own key.

mod details;
mod json;

pub use details::{
    Cabin, Child, ChildStage, Confidence, Diagnosis, Evidence, Geofence, GeofenceTransition, Meanwhile, Published, Trip, Verdict,
};
pub use json::{escape_line_ends, location_json};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::vehicle::{Fix, Vin};

/// An event's id, which is also a *position* in the sequence of events: every number from the pruning mark to the head
/// is a valid position, whether or not an event has it, and 0 is the beginning. Below 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub u64);

impl EventId {
    /// The largest integer that JavaScript reads exactly.
    pub const MAX: EventId = EventId((1 << 53) - 1);
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What an event is about. Streams choose by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Kind {
    /// A child left behind.
    Child,
    /// A fence crossed.
    Geofence,
    /// The condition of the car and of the unit.
    Diagnosis,
    /// Trips.
    Trip,
    /// What somebody published to a member.
    Published,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [Kind::Child, Kind::Geofence, Kind::Diagnosis, Kind::Trip, Kind::Published];

    /// Its key in the JSON, and the keyword of streams.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Child => "child",
            Kind::Geofence => "geofence",
            Kind::Diagnosis => "diagnosis",
            Kind::Trip => "trip",
            Kind::Published => "published",
        }
    }
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look.
    Advisory,
    /// Act soon.
    Warning,
    /// Act now.
    Critical,
}

macro_rules! event_types {
    ($($name:ident = $text:literal, $kind:ident;)*) => {
        /// What happened, by the name it has on the wire.
        #[allow(missing_docs, reason = "detection.md's tables say what each means; the names are theirs")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventType {
            $(#[serde(rename = $text)] $name,)*
        }

        impl EventType {
            /// Every type of Telltale's own.
            pub const ALL: &'static [EventType] = &[$(EventType::$name,)*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(EventType::$name => $text,)* }
            }

            /// The kind it belongs to.
            pub const fn kind(self) -> Kind {
                match self { $(EventType::$name => Kind::$kind,)* }
            }
        }
    };
}

event_types! {
    ChildSeatReminder = "CHILD_SEAT_REMINDER", Child;
    ChildLeftBehind = "CHILD_LEFT_BEHIND", Child;
    ChildAlertSnoozed = "CHILD_ALERT_SNOOZED", Child;
    ChildAlertAcknowledged = "CHILD_ALERT_ACKNOWLEDGED", Child;
    ChildAlertCleared = "CHILD_ALERT_CLEARED", Child;
    GeofenceEnter = "GEOFENCE_ENTER", Geofence;
    GeofenceExit = "GEOFENCE_EXIT", Geofence;
    GeofenceDwell = "GEOFENCE_DWELL", Geofence;
    GeofenceOverspeed = "GEOFENCE_OVERSPEED", Geofence;
    TripStart = "TRIP_START", Trip;
    TripEnd = "TRIP_END", Trip;
    DtcSet = "DTC_SET", Diagnosis;
    DtcCleared = "DTC_CLEARED", Diagnosis;
    MilOn = "MIL_ON", Diagnosis;
    MilOff = "MIL_OFF", Diagnosis;
    BatteryLow = "BATTERY_LOW", Diagnosis;
    BatteryRecovered = "BATTERY_RECOVERED", Diagnosis;
    CoolantOverheat = "COOLANT_OVERHEAT", Diagnosis;
    CoolantNormal = "COOLANT_NORMAL", Diagnosis;
    CanBusFault = "CAN_BUS_FAULT", Diagnosis;
    CanBusRecovered = "CAN_BUS_RECOVERED", Diagnosis;
    GnssLost = "GNSS_LOST", Diagnosis;
    GnssRecovered = "GNSS_RECOVERED", Diagnosis;
    SensorStale = "SENSOR_STALE", Diagnosis;
    SensorRecovered = "SENSOR_RECOVERED", Diagnosis;
    JournalDegraded = "JOURNAL_DEGRADED", Diagnosis;
    JournalRecovered = "JOURNAL_RECOVERED", Diagnosis;
}

/// Where the vehicle was when it happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// The last fix; `None` before the first one.
    pub fix: Option<Fix>,
    /// In words, never empty: a fence, a place, coordinates, or `position unknown`. Filled in between engine and
    /// journal, so that no detector needs to know of names.
    pub address: String,
}

impl Location {
    /// The place of `fix`, in words to be filled in later.
    pub fn of(fix: Option<Fix>) -> Location {
        let address = match fix {
            Some(Fix { point, .. }) => format!("{:.5}, {:.5}", point.latitude, point.longitude),
            None => "position unknown".to_owned(),
        };
        Location { fix, address }
    }
}

/// What is particular to an event's kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Details {
    /// Under `child`.
    Child(Child),
    /// Under `geofence`.
    Geofence(Geofence),
    /// Under `diagnosis`.
    Diagnosis(Diagnosis),
    /// Under `trip`.
    Trip(Trip),
    /// Under `body`.
    Published(Published),
}

/// One change worth telling.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// How much it matters.
    pub severity: Severity,
    /// When it was decided.
    pub stamp: Stamp,
    /// The vehicle.
    pub vin: Vin,
    /// Where the vehicle was.
    pub location: Location,
    /// The type; `None` for a published event, which brings its own.
    pub event_type: Option<EventType>,
    /// The rest.
    pub details: Details,
    /// `false` only while the journal cannot be written.
    pub durable: bool,
}

impl Event {
    /// The kind.
    pub fn kind(&self) -> Kind {
        self.event_type.map_or(Kind::Published, EventType::kind)
    }

    /// The type's name on the wire.
    pub fn type_name(&self) -> &str {
        match (&self.event_type, &self.details) {
            (Some(known), _) => known.name(),
            (None, Details::Published(published)) => &published.event_type,
            (None, _) => "UNKNOWN",
        }
    }

    /// For a child event, the first and the latest event of the alert it belongs to, where there is one.
    pub fn alert(&self) -> Option<Alert> {
        match &self.details {
            Details::Child(child) => child.alert,
            _ => None,
        }
    }
}

/// Which alert an event belongs to, for the journal: it is not part of the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The alert's `initial`.
    pub first: EventId,
    /// Whether this event ends the alert.
    pub ends: bool,
}

/// One row of what the engine would need after a power cut: bytes under a key, written by the engine and given back to it
/// as they were. An absent value takes the row away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Unique within a vehicle.
    pub key: String,
    /// What to remember.
    pub value: Option<Vec<u8>>,
}

/// Keys of what somebody made, such as a drawn fence, begin so: it is there to stay, whichever run of the engine was told of
/// it. All other rows are of the engine that wrote them.
pub const DRAWN: &str = "drawn/";

/// What one step of the engine leaves to be remembered, all of it in one transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// What was told, in order.
    pub events: Vec<Event>,
    /// What changed of its state.
    pub rows: Vec<Row>,
}
