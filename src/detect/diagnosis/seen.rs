//! For how long something was seen to be so.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Boot;

/// Seen time: it stands still while nobody knows, and begins anew when it is known not to be so.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Up to `since`.
    before: Duration,
    /// Since when it is seen.
    since: Option<Boot>,
}

impl Seen {
    /// Takes in whether it is so now; `None` when nobody knows.
    pub(super) fn see(&mut self, now: Boot, so: Option<bool>) {
        match (so, self.since) {
            (Some(true), None) => self.since = Some(now),
            (None, Some(since)) => *self = Seen { before: self.before + now.since(since), since: None },
            (Some(false), _) => *self = Seen::default(),
            (Some(true), Some(_)) | (None, None) => {}
        }
    }

    /// When it will have been seen for `long` if it goes on.
    pub(super) fn due(&self, long: Duration) -> Option<Boot> {
        self.since.map(|since| since + long.saturating_sub(self.before))
    }

    /// Whether it has been seen for `long`.
    pub(super) fn lasted(&self, now: Boot, long: Duration) -> bool {
        self.due(long).is_some_and(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_nobody_knows_is_left_out() {
        let at = |second: i64| Boot::from_micros(second * 1_000_000);
        let long = Duration::from_secs(30);
        let mut seen = Seen::default();
        seen.see(at(0), Some(true));
        seen.see(at(20), None);
        assert_eq!((seen.due(long), seen.lasted(at(90), long)), (None, false));
        seen.see(at(100), Some(true));
        assert_eq!(seen.due(long), Some(at(110)));
        assert!(seen.lasted(at(110), long) && !seen.lasted(at(109), long));
        seen.see(at(110), Some(false));
        seen.see(at(111), Some(true));
        assert_eq!(seen.due(long), Some(at(141)));
    }
}
