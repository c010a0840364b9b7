//! Which way somebody else than the owner of the site's file may move a number of the child watch: so that the first alert
//! of a stop comes no later than with the site's numbers, and an alert that runs is told again no later and no less often.
//!
//! | number | the other one may be | because |
//! |---|---|---|
//! | `locked_s`, `unlocked_s`, `covered_s` | less | the alert comes so long after the car was left |
//! | `escalate_s`, `repeat_s`, `late_repeat_s`, `again_s` | less | it is told again after so long |
//! | `snooze_most_s` | less | it is silent for so long |
//! | `hot_celsius`, `limit_celsius` | less | it is critical from there on, and a snooze ends before it |
//! | `hot_minutes` | more | the same, so long before |
//! | `repeat_for_s`, `repeat_at_most_s` | more | it is told again for so long |
//! | `before_drive_s` | more | what happened in that time is evidence |
//! | `rear_used_s` | the same | a door that counts sooner is evidence during the drive, and takes it away after the stop |
//! | `sensor_yes_s`, `sensor_of_s` | the same | who is believed to be seen sooner is believed to be gone sooner than one of whom only a door speaks |
//! | `sensor_clear_s`, `expire_s` | the same | less ends an alert; more keeps one, perhaps snoozed, in the place of a new one |
//! | `returned_kmh`, `returned_s` | the same | less ends an alert; more keeps that of the stop before in the place of a new one |
//! | `snooze_least_s` | the same | less allows a snooze that was refused; more makes the shortest longer |

use std::fmt;

use super::ChildSettings;

/// How a number may differ from the site's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    BeLess,
    BeMore,
    NotDiffer,
}

/// A number by which an alert could come later. Shown with what it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Later {
    /// Its key.
    pub key: &'static str,
    /// What it is.
    pub value: f64,
    /// The site's.
    pub site: f64,
    may: May,
}

impl Later {
    /// What would be right.
    pub fn cure(&self) -> String {
        match self.may {
            May::BeLess => format!("the site's file has {}: give that or less, so that no alert comes later", self.site),
            May::BeMore => {
                format!("the site's file has {}: give that or more, so that no alert comes later or less often", self.site)
            }
            May::NotDiffer => {
                format!("the site's file has {}, and either way an alert could come later: leave it out", self.site)
            }
        }
    }
}

impl fmt::Display for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}; {}", self.key, self.value, self.cure())
    }
}

impl ChildSettings {
    /// Holds these numbers against those of the site's file.
    ///
    /// # Errors
    /// Each number by which an alert could come later, not at all, or less often.
    pub fn is_no_later_than(&self, site: &ChildSettings) -> Result<(), Vec<Later>> {
        let pairs = table(self).into_iter().zip(table(site));
        let later: Vec<Later> = pairs
            .filter(|((_, may, value), (.., site))| match may {
                May::BeLess => value > site,
                May::BeMore => value < site,
                May::NotDiffer => value != site,
            })
            .map(|((key, may, value), (.., site))| Later { key, value, site, may })
            .collect();
        if later.is_empty() { Ok(()) } else { Err(later) }
    }
}

/// Every number; one that is added has to be put here.
fn table(settings: &ChildSettings) -> [(&'static str, May, f64); 22] {
    let ChildSettings {
        locked_s,
        unlocked_s,
        escalate_s,
        repeat_s,
        repeat_for_s,
        late_repeat_s,
        repeat_at_most_s,
        expire_s,
        again_s,
        snooze_least_s,
        snooze_most_s,
        rear_used_s,
        before_drive_s,
        sensor_yes_s,
        sensor_of_s,
        sensor_clear_s,
        covered_s,
        returned_kmh,
        returned_s,
        hot_celsius,
        limit_celsius,
        hot_minutes,
    } = *settings;
    [
        ("locked_s", May::BeLess, locked_s.into()),
        ("unlocked_s", May::BeLess, unlocked_s.into()),
        ("escalate_s", May::BeLess, escalate_s.into()),
        ("repeat_s", May::BeLess, repeat_s.into()),
        ("repeat_for_s", May::BeMore, repeat_for_s.into()),
        ("late_repeat_s", May::BeLess, late_repeat_s.into()),
        ("repeat_at_most_s", May::BeMore, repeat_at_most_s.into()),
        ("expire_s", May::NotDiffer, expire_s.into()),
        ("again_s", May::BeLess, again_s.into()),
        ("snooze_least_s", May::NotDiffer, snooze_least_s.into()),
        ("snooze_most_s", May::BeLess, snooze_most_s.into()),
        ("rear_used_s", May::NotDiffer, rear_used_s.into()),
        ("before_drive_s", May::BeMore, before_drive_s.into()),
        ("sensor_yes_s", May::NotDiffer, sensor_yes_s.into()),
        ("sensor_of_s", May::NotDiffer, sensor_of_s.into()),
        ("sensor_clear_s", May::NotDiffer, sensor_clear_s.into()),
        ("covered_s", May::BeLess, covered_s.into()),
        ("returned_kmh", May::NotDiffer, returned_kmh),
        ("returned_s", May::NotDiffer, returned_s.into()),
        ("hot_celsius", May::BeLess, hot_celsius),
        ("limit_celsius", May::BeLess, limit_celsius),
        ("hot_minutes", May::BeMore, hot_minutes),
    ]
}
