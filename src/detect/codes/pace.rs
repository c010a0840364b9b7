//! How often is told what flickers: an ECU that lists other codes each second, or a lamp that goes on and off.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Boot;
use crate::vehicle::trouble::Ecu;

/// Within so long.
const WINDOW: Duration = Duration::from_secs(60);
/// Of one ECU, or of the lamp.
const MOST_OF_ONE: usize = 10;
/// Of all together.
const MOST: usize = 60;

/// What was told within the last minute: of an ECU's codes, or (`None`) of the lamp.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pace(VecDeque<(Boot, Option<Ecu>)>);

impl Pace {
    /// Whether there is room to tell this now; then it counts as told.
    pub(super) fn allows(&mut self, now: Boot, of: Option<Ecu>) -> bool {
        self.0.retain(|(then, _)| now.since(*then) < WINDOW);
        let of_one = self.0.iter().filter(|(_, whose)| *whose == of).count();
        // The lamp is one thing of the car: it has its own share.
        let allowed = of_one < MOST_OF_ONE && (of.is_none() || self.0.len() < MOST);
        if allowed {
            self.0.push_back((now, of));
        }
        allowed
    }
}
