//! What the watch remembers.

use serde::{Deserialize, Serialize};

use super::alert::Alert;
use super::answer::Accepted;
use super::doors::Doors;
use super::evidence::Marks;
use super::sensor::{Sensor, Window};
use crate::clock::Boot;

/// What outlives a power cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::detect) struct Memory {
    /// Where in the table; `None` before the first step.
    pub(super) since: Option<Boot>,
    pub(super) phase: Phase,
    pub(super) stop: Stop,
    pub(super) doors: Doors,
    pub(super) marks: Marks,
    pub(super) sensor: Sensor,
    /// During an alert: since when the car drives.
    pub(super) fast: Option<Boot>,
    pub(super) answers: Vec<Accepted>,
}

/// The states of the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Phase {
    Driving,
    #[default]
    Parked,
    Alert(Alert),
    Snoozed {
        until: Boot,
        alert: Alert,
    },
    Answered,
}

/// What is remembered of one stop: from ignition off to ignition on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// When it began.
    pub(super) at: Boot,
    /// When that was told.
    pub(super) known: Boot,
    /// When the driver's door was used.
    pub(super) driver_used: Option<Boot>,
    /// A rear door was used.
    pub(super) rear_used: bool,
    /// The reminder was told.
    pub(super) reminded: bool,
    /// An alert was snoozed.
    pub(super) snoozed: bool,
    /// An answered alert was told again.
    pub(super) again: bool,
    /// When a sensor's clearing ended an alert: what it said before that is no word against its no.
    pub(super) cleared: Option<Boot>,
    /// The temperature outside when it began, °C.
    pub(super) outside: Option<f64>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::begin(Boot::from_micros(i64::MIN), Boot::from_micros(i64::MIN))
    }
}

impl Stop {
    pub(super) fn begin(at: Boot, known: Boot) -> Stop {
        Stop {
            at,
            known,
            driver_used: None,
            rear_used: false,
            reminded: false,
            snoozed: false,
            again: false,
            cleared: None,
            outside: None,
        }
    }
}

/// Everything, for a replay that goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::detect) struct Saved {
    pub(super) memory: Memory,
    pub(super) window: Window,
    pub(super) restarted: bool,
}

impl Memory {
    /// The same on a time scale that is `micros` further on.
    pub(in crate::detect) fn shift(&mut self, micros: i64) {
        let Memory { since, phase, stop, doors, marks, sensor, fast, answers: _ } = self;
        match phase {
            Phase::Driving | Phase::Parked | Phase::Answered => {}
            Phase::Alert(alert) => alert.shift(micros),
            Phase::Snoozed { until, alert } => {
                *until = until.shifted(micros);
                alert.shift(micros);
            }
        }
        let Stop { at, known, driver_used, cleared, .. } = stop;
        for time in [at, known] {
            *time = time.shifted(micros);
        }
        for time in [since, driver_used, cleared, fast].into_iter().flatten() {
            *time = time.shifted(micros);
        }
        doors.shift(micros);
        marks.shift(micros);
        sensor.shift(micros);
    }
}
