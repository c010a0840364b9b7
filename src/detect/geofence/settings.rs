//! The numbers of the fence table. Each has a default and a range.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `geofence.*` of the site's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A fix worse than this changes nothing, m.
    pub worst_accuracy_m: f64,
    /// Faster than this, beyond both accuracies, is a jump, m/s.
    pub jump_m_s: f64,
    /// Three fixes so near to one another make a jump believed, m.
    pub agree_m: f64,
    /// A fix older than this is no fix before: one fix then suffices, and 60 s of fixes begin anew, s.
    pub gap_s: f64,
    /// Inside by this share of the inner radius is inside enough, however inaccurate the fix.
    pub enter_share: f64,
    /// Outside by this is outside enough, or by the accuracy, where that is more, m.
    pub exit_m: f64,
    /// Parked, beyond the border by this is beyond enough, m …
    pub parked_m: f64,
    /// … or by so many accuracies, where that is more …
    pub parked_accuracies: f64,
    /// … when fixes say so for so long, s.
    pub parked_s: f64,
    /// Two fixes no further apart than this have a straight line between them, s …
    pub through_s: f64,
    /// … which runs through a fence when so many accuracies of it lie inside.
    pub through_accuracies: f64,
    /// Over the limit for so long is too fast, s; under it for so long, and it may be told again.
    pub overspeed_s: f64,
    /// Under it means by so much, km/h.
    pub overspeed_below_kmh: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            worst_accuracy_m: 100.0,
            jump_m_s: 100.0,
            agree_m: 100.0,
            gap_s: 10.0,
            enter_share: 0.25,
            exit_m: 15.0,
            parked_m: 50.0,
            parked_accuracies: 3.0,
            parked_s: 60.0,
            through_s: 30.0,
            through_accuracies: 2.0,
            overspeed_s: 5.0,
            overspeed_below_kmh: 5.0,
        }
    }
}

impl Settings {
    /// Holds every number against its range.
    ///
    /// # Errors
    /// A sentence that names the key and its range.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("worst_accuracy_m", self.worst_accuracy_m, 20.0, 1000.0),
            ("jump_m_s", self.jump_m_s, 60.0, 1000.0),
            ("agree_m", self.agree_m, 20.0, 1000.0),
            ("gap_s", self.gap_s, 2.0, 60.0),
            ("enter_share", self.enter_share, 0.0, 0.9),
            ("exit_m", self.exit_m, 0.0, 200.0),
            ("parked_m", self.parked_m, 10.0, 1000.0),
            ("parked_accuracies", self.parked_accuracies, 1.0, 10.0),
            ("parked_s", self.parked_s, 10.0, 600.0),
            ("through_s", self.through_s, 0.0, 120.0),
            ("through_accuracies", self.through_accuracies, 0.5, 10.0),
            ("overspeed_s", self.overspeed_s, 0.0, 60.0),
            ("overspeed_below_kmh", self.overspeed_below_kmh, 0.0, 50.0),
        ];
        match ranges.iter().find(|(_, value, low, high)| !(low..=high).contains(&value)) {
            Some((key, value, low, high)) => Err(format!("`{key}` is {value}; it may be {low} to {high}")),
            None => Ok(()),
        }
    }
}

/// Seconds as a duration; nothing where there is none.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_their_ranges_and_what_is_not_is_named() {
        assert_eq!(Settings::default().check(), Ok(()));
        let wrong = Settings { exit_m: f64::NAN, ..Settings::default() };
        assert_eq!(wrong.check(), Err("`exit_m` is NaN; it may be 0 to 200".to_owned()));
    }
}
