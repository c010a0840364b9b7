//! The numbers of the detectors. Each has a default and a range that `check` holds; seconds end in `_s`.

use serde::{Deserialize, Serialize};

use super::geofence;
use crate::vehicle::{StateSettings, within};

/// Every number of the engine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How values age, how the ignition is told.
    pub state: StateSettings,
    /// The child watch.
    pub child: ChildSettings,
    /// The fences.
    pub geofence: geofence::Settings,
    /// Trips.
    pub trip: TripSettings,
    /// The condition of the car and of the unit.
    pub diagnosis: DiagnosisSettings,
}

impl Settings {
    /// Holds every number against its range.
    ///
    /// # Errors
    /// A sentence that names section and key and what would be right.
    pub fn check(&self) -> Result<(), String> {
        self.state.check().map_err(|wrong| format!("state: {wrong}"))?;
        self.child.check().map_err(|wrong| format!("child: {wrong}"))?;
        self.geofence.check().map_err(|wrong| format!("geofence: {wrong}"))?;
        self.trip.check().map_err(|wrong| format!("trip: {wrong}"))?;
        self.diagnosis.check().map_err(|wrong| format!("diagnosis: {wrong}"))
    }
}

/// The child watch. The ranges keep to the timings that Euro NCAP rates by, as secondary sources give them: locked, a
/// warning within 15 s; unlocked, within 10 min of the doors closing; escalation by 90 s; then at least every minute for
/// 20 min; one snooze of 10 min at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChildSettings {
    /// Closed, left and locked for so long: the alert.
    pub locked_s: u32,
    /// Closed, left and not locked for so long: the alert.
    pub unlocked_s: u32,
    /// From the alert to its escalation.
    pub escalate_s: u32,
    /// Between repeats at first.
    pub repeat_s: u32,
    /// For so long repeats come that often.
    pub repeat_for_s: u32,
    /// Between repeats then.
    pub late_repeat_s: u32,
    /// No repeats so long after the alert began.
    pub repeat_at_most_s: u32,
    /// An alert that rests on doors only ends after this.
    pub expire_s: u32,
    /// An answered alert with direct evidence is told again after this, once.
    pub again_s: u32,
    /// The shortest snooze.
    pub snooze_least_s: u32,
    /// The longest snooze, and that of who names none.
    pub snooze_most_s: u32,
    /// A rear door open for so long was used; less is a bounce.
    pub rear_used_s: u32,
    /// What happened so long before the ignition came on belongs to the drive.
    pub before_drive_s: u32,
    /// A sensor that said yes for so long …
    pub sensor_yes_s: u32,
    /// … of the last so many seconds is direct evidence.
    pub sensor_of_s: u32,
    /// A sensor that said no for so long without a break ends an alert that rested on it.
    pub sensor_clear_s: u32,
    /// Beside a healthy sensor that covers the rear, doors alone alert only so long after they closed.
    pub covered_s: u32,
    /// Faster than this, km/h …
    pub returned_kmh: f64,
    /// … for so long, and the driver is back.
    pub returned_s: u32,
    /// It is hot from here on, °C.
    pub hot_celsius: f64,
    /// The temperature that must not be reached, °C.
    pub limit_celsius: f64,
    /// So many minutes before that it is hot too.
    pub hot_minutes: f64,
}

impl Default for ChildSettings {
    fn default() -> ChildSettings {
        ChildSettings {
            locked_s: 10,
            unlocked_s: 300,
            escalate_s: 60,
            repeat_s: 45,
            repeat_for_s: 1500,
            late_repeat_s: 600,
            repeat_at_most_s: 86_400,
            expire_s: 1500,
            again_s: 1800,
            snooze_least_s: 60,
            snooze_most_s: 600,
            rear_used_s: 2,
            before_drive_s: 600,
            sensor_yes_s: 5,
            sensor_of_s: 15,
            sensor_clear_s: 120,
            covered_s: 60,
            returned_kmh: 20.0,
            returned_s: 10,
            hot_celsius: 30.0,
            limit_celsius: 35.0,
            hot_minutes: 10.0,
        }
    }
}

impl ChildSettings {
    /// Holds every number against its range.
    ///
    /// # Errors
    /// A sentence that names the key and its range.
    pub fn check(&self) -> Result<(), String> {
        within("locked_s", self.locked_s, 2..=15)?;
        within("unlocked_s", self.unlocked_s, 15..=600)?;
        within("escalate_s", self.escalate_s, 10..=75)?;
        within("repeat_s", self.repeat_s, 15..=60)?;
        within("repeat_for_s", self.repeat_for_s, 1200..=7200)?;
        within("late_repeat_s", self.late_repeat_s, 60..=3600)?;
        within("repeat_at_most_s", self.repeat_at_most_s, 7200..=259_200)?;
        within("expire_s", self.expire_s, 600..=7200)?;
        within("again_s", self.again_s, 600..=7200)?;
        within("snooze_least_s", self.snooze_least_s, 30..=120)?;
        within("snooze_most_s", self.snooze_most_s, 120..=600)?;
        within("rear_used_s", self.rear_used_s, 1..=10)?;
        within("before_drive_s", self.before_drive_s, 60..=1800)?;
        within("sensor_yes_s", self.sensor_yes_s, 1..=10)?;
        within("sensor_of_s", self.sensor_of_s, 10..=60)?;
        within("sensor_clear_s", self.sensor_clear_s, 30..=600)?;
        within("covered_s", self.covered_s, 15..=300)?;
        within("returned_kmh", self.returned_kmh, 10.0..=50.0)?;
        within("returned_s", self.returned_s, 3..=60)?;
        within("hot_celsius", self.hot_celsius, 20.0..=35.0)?;
        within("limit_celsius", self.limit_celsius, 30.0..=40.0)?;
        within("hot_minutes", self.hot_minutes, 5.0..=30.0)?;
        if self.hot_celsius > self.limit_celsius {
            return Err("`hot_celsius` must not be above `limit_celsius`".to_owned());
        }
        Ok(())
    }
}

/// Trips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TripSettings {
    /// Over this, km/h …
    pub start_kmh: f64,
    /// … for so long with the ignition on, and a trip has begun.
    pub start_s: u32,
    /// Standing for so long ends it.
    pub standing_s: u32,
}

impl Default for TripSettings {
    fn default() -> TripSettings {
        TripSettings { start_kmh: 5.0, start_s: 3, standing_s: 300 }
    }
}

impl TripSettings {
    /// Holds every number against its range.
    ///
    /// # Errors
    /// A sentence that names the key and its range.
    pub fn check(&self) -> Result<(), String> {
        within("start_kmh", self.start_kmh, 3.0..=30.0)?;
        within("start_s", self.start_s, 1..=60)?;
        within("standing_s", self.standing_s, 60..=3600)
    }
}

/// The condition of the car and of the unit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiagnosisSettings {
    /// The battery is low under this, V of a 12 V system (it doubles with `state.nominal_v`).
    pub battery_low_v: f64,
    /// For so much seen time.
    pub battery_low_s: u32,
    /// The coolant is too hot over this, °C …
    pub coolant_hot_celsius: f64,
    /// … for so long.
    pub coolant_hot_s: u32,
    /// And normal again under this, °C …
    pub coolant_normal_celsius: f64,
    /// … for so long.
    pub coolant_normal_s: u32,
    /// An error-passive controller, and a bus that is silent while the ignition is on elsewhere, is a fault after this.
    pub bus_fault_s: u32,
    /// No fix for so long with the ignition on: the receiver is lost.
    pub gnss_lost_s: u32,
    /// A message silent or invalid for so long with the ignition on is stale.
    pub sensor_stale_s: u32,
}

impl Default for DiagnosisSettings {
    fn default() -> DiagnosisSettings {
        DiagnosisSettings {
            battery_low_v: 11.8,
            battery_low_s: 30,
            coolant_hot_celsius: 115.0,
            coolant_hot_s: 10,
            coolant_normal_celsius: 110.0,
            coolant_normal_s: 60,
            bus_fault_s: 10,
            gnss_lost_s: 60,
            sensor_stale_s: 10,
        }
    }
}

impl DiagnosisSettings {
    /// Holds every number against its range.
    ///
    /// # Errors
    /// A sentence that names the key and its range.
    pub fn check(&self) -> Result<(), String> {
        within("battery_low_v", self.battery_low_v, 10.0..=12.5)?;
        within("battery_low_s", self.battery_low_s, 5..=600)?;
        within("coolant_hot_celsius", self.coolant_hot_celsius, 90.0..=140.0)?;
        within("coolant_hot_s", self.coolant_hot_s, 1..=300)?;
        within("coolant_normal_celsius", self.coolant_normal_celsius, 80.0..=135.0)?;
        within("coolant_normal_s", self.coolant_normal_s, 1..=600)?;
        within("bus_fault_s", self.bus_fault_s, 2..=300)?;
        within("gnss_lost_s", self.gnss_lost_s, 10..=3600)?;
        within("sensor_stale_s", self.sensor_stale_s, 2..=600)?;
        if self.coolant_normal_celsius > self.coolant_hot_celsius {
            return Err("`coolant_normal_celsius` must not be above `coolant_hot_celsius`".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_their_ranges_and_what_is_outside_is_named_with_its_cure() {
        assert_eq!(Settings::default().check(), Ok(()));
        let mut wrong = Settings::default();
        wrong.child.locked_s = 60;
        assert_eq!(wrong.check().unwrap_err(), "child: `locked_s` is 60; it must lie between 2 and 15");
        let read: Result<Settings, _> = toml::from_str("[child]\nlocked_secs = 10\n");
        assert!(read.unwrap_err().to_string().contains("locked_secs"), "a misspelt key is named");
        let read: Settings = toml::from_str("[child]\nlocked_s = 12\n").unwrap();
        assert_eq!((read.child.locked_s, read.child.escalate_s), (12, 60));
    }
}
