//! The numbers by which values age and the ignition is told.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::period::Period;

/// How values age and how the ignition is told. Each number has a default and a range that [`check`](Self::check) holds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSettings {
    /// A value is stale after this many periods of its message.
    pub stale_periods: u32,
    /// And never before this many seconds.
    pub stale_floor_s: u32,
    /// While the period is not known: after this many seconds.
    pub stale_unknown_s: u32,
    /// The electrical system's nominal voltage: 12 or 24. Voltages below are for 12 and double with it.
    pub nominal_v: u32,
    /// At this many volts or more the engine runs.
    pub running_v: f64,
    /// At this many km/h or more somebody drives.
    pub driving_kmh: f64,
    /// Without an ignition signal: under `running_v` for this many seconds says off.
    pub off_voltage_s: u32,
    /// Under this many km/h by GNSS the car stands.
    pub standing_kmh: f64,
    /// Without an ignition signal and a voltage: standing for this many seconds says off.
    pub off_standing_s: u32,
    /// The bus of the ignition signal has been silent for this many seconds: the ignition is off.
    pub silent_s: u32,
    /// Standing for this many seconds is parked, whatever the ignition says.
    pub parked_s: u32,
}

impl Default for StateSettings {
    fn default() -> StateSettings {
        StateSettings {
            stale_periods: 3,
            stale_floor_s: 2,
            stale_unknown_s: 5,
            nominal_v: 12,
            running_v: 13.2,
            driving_kmh: 20.0,
            off_voltage_s: 60,
            standing_kmh: 3.0,
            off_standing_s: 300,
            silent_s: 30,
            parked_s: 60,
        }
    }
}

impl StateSettings {
    /// Holds every number against its range.
    ///
    /// # Errors
    /// A sentence that names the key and what would be right.
    pub fn check(&self) -> Result<(), String> {
        within("stale_periods", self.stale_periods, 2..=20)?;
        within("stale_floor_s", self.stale_floor_s, 1..=30)?;
        within("stale_unknown_s", self.stale_unknown_s, 1..=60)?;
        if ![12, 24].contains(&self.nominal_v) {
            return Err(format!("`nominal_v` is 12 or 24, not {}", self.nominal_v));
        }
        within("running_v", self.running_v, 12.5..=14.5)?;
        within("driving_kmh", self.driving_kmh, 5.0..=50.0)?;
        within("off_voltage_s", self.off_voltage_s, 10..=600)?;
        within("standing_kmh", self.standing_kmh, 0.5..=5.0)?;
        within("off_standing_s", self.off_standing_s, 60..=1800)?;
        within("silent_s", self.silent_s, 5..=300)?;
        within("parked_s", self.parked_s, 10..=600)
    }

    /// What `volts` of a 12 V system are in this one.
    pub fn volts(&self, volts: f64) -> f64 {
        volts * (f64::from(self.nominal_v) / 12.0)
    }

    /// The least age at which a value is stale.
    pub(super) fn floor(&self) -> Duration {
        seconds(self.stale_floor_s)
    }

    /// The age at which a value is stale whose message has this period.
    pub(super) fn stale_after(&self, period: Option<Duration>) -> Duration {
        match period {
            Some(period) => period.saturating_mul(self.stale_periods).max(self.floor()),
            None => seconds(self.stale_unknown_s),
        }
    }

    /// The same where the period is learnt.
    pub(super) fn stale_after_learnt(&self, period: &Period) -> Duration {
        if period.within(self.floor() / self.stale_periods.max(1)) {
            return self.floor();
        }
        self.stale_after(period.median())
    }
}

/// `count` seconds.
pub fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// Holds a setting against its range.
///
/// # Errors
/// A sentence that names the key and its range.
pub fn within<N: PartialOrd + std::fmt::Display>(key: &str, value: N, range: RangeInclusive<N>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!("`{key}` is {value}; it must lie between {} and {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_their_ranges_and_a_number_outside_is_named() {
        assert_eq!(StateSettings::default().check(), Ok(()));
        let wrong = StateSettings { silent_s: 3, ..StateSettings::default() };
        assert_eq!(wrong.check().unwrap_err(), "`silent_s` is 3; it must lie between 5 and 300");
        let lorry = StateSettings { nominal_v: 24, ..StateSettings::default() };
        assert_eq!((lorry.check(), lorry.volts(11.8)), (Ok(()), 23.6));
        assert!(StateSettings { running_v: f64::NAN, ..StateSettings::default() }.check().is_err());
    }
}
