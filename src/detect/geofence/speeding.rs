//! Too fast inside a fence: over its limit for 5 s; told again after 5 s below the limit − 5 km/h.

use serde::{Deserialize, Serialize};

use super::Settings;
use super::settings::seconds;
use crate::clock::Boot;

/// How a visit stands to the speed limit. An unknown speed ends what is being waited for, and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Speeding {
    /// Not too fast, or not yet told.
    #[default]
    No,
    /// Over the limit since.
    Over(Boot),
    /// Told.
    Told,
    /// Told, and slow since.
    Slow(Boot),
}

impl Speeding {
    /// What comes next at `now`, and whether it is to be told.
    pub(super) fn next(self, now: Boot, speed: Option<f64>, limit: f64, settings: &Settings) -> (Speeding, bool) {
        let long = |since: Boot| now.since(since) >= seconds(settings.overspeed_s);
        let [_, slow] = marks(limit, settings);
        match (self, speed) {
            (Speeding::No | Speeding::Over(_), None) => (Speeding::No, false),
            (Speeding::No, Some(speed)) if speed > limit => (Speeding::Over(now), false),
            (Speeding::Over(since), Some(speed)) if speed > limit && long(since) => (Speeding::Told, true),
            (Speeding::Over(since), Some(speed)) if speed > limit => (Speeding::Over(since), false),
            (Speeding::No | Speeding::Over(_), Some(_)) => (Speeding::No, false),
            (Speeding::Told, Some(speed)) if speed < slow => (Speeding::Slow(now), false),
            (Speeding::Slow(since), Some(speed)) if speed < slow && long(since) => (Speeding::No, false),
            (Speeding::Slow(since), Some(speed)) if speed < slow => (Speeding::Slow(since), false),
            (Speeding::Told | Speeding::Slow(_), _) => (Speeding::Told, false),
        }
    }

    /// When next it has been so for long enough, should the speed stay where it is.
    pub(super) fn due(self, settings: &Settings) -> Option<Boot> {
        match self {
            Speeding::Over(since) | Speeding::Slow(since) => Some(since + seconds(settings.overspeed_s)),
            Speeding::No | Speeding::Told => None,
        }
    }

    /// Whether it was told, and would be twice after a power cut that forgot it.
    pub(super) fn told(self) -> bool {
        matches!(self, Speeding::Told | Speeding::Slow(_))
    }
}

/// The speeds, km/h, over which it is too fast and under which it is slow again.
pub(super) fn marks(limit: f64, settings: &Settings) -> [f64; 2] {
    // Standing is slow, even where the limit is hardly more.
    [limit, (limit - settings.overspeed_below_kmh).max(0.5)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One speed a second; the seconds at which it was told.
    fn told(limit: f64, speeds: &[(usize, Option<f64>)]) -> Vec<usize> {
        let each = speeds.iter().flat_map(|(times, speed)| std::iter::repeat_n(*speed, *times));
        let mut state = Speeding::No;
        let mut told = Vec::new();
        for (second, speed) in each.enumerate() {
            let (next, tell) = state.next(Boot::from_micros(second as i64 * 1_000_000), speed, limit, &Settings::default());
            state = next;
            told.extend(tell.then_some(second));
        }
        told
    }

    #[test]
    fn five_seconds_over_and_again_after_five_seconds_well_below() {
        assert_eq!(told(30.0, &[(20, Some(31.0))]), [5]);
        assert_eq!(told(30.0, &[(5, Some(31.0)), (1, Some(30.0)), (6, Some(31.0))]), [11]);
        assert_eq!(told(30.0, &[(6, Some(31.0)), (20, Some(26.0)), (20, Some(31.0))]), [5]);
        assert_eq!(told(30.0, &[(6, Some(31.0)), (5, Some(24.0)), (1, Some(26.0)), (20, Some(31.0))]), [5]);
        assert_eq!(told(30.0, &[(6, Some(31.0)), (6, Some(24.0)), (20, Some(31.0))]), [5, 17]);
        assert_eq!(told(5.0, &[(6, Some(8.0)), (6, Some(0.0)), (6, Some(8.0))]), [5, 17]);
    }

    #[test]
    fn an_unknown_speed_is_neither_fast_nor_slow() {
        assert_eq!(told(30.0, &[(5, Some(40.0)), (1, None), (6, Some(40.0))]), [11]);
        assert_eq!(told(30.0, &[(6, Some(40.0)), (4, Some(0.0)), (9, None), (3, Some(0.0)), (9, Some(40.0))]), [5]);
    }
}
