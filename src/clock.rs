//! Two kinds of time, and where the second comes from.
//!
//! *Logic* runs on boot time ([`Boot`], `CLOCK_BOOTTIME`: it counts while the unit is suspended, and nothing sets it).
//! *Stamps* carry wall time ([`Wall`]) and say who vouches for it ([`TimeSource`]). A step of the wall clock therefore
//! changes what is written on an event and never whether there is one. The daemon never sets the system's clock.
//!
//! While nobody vouches for the time, stamps count from the time of the build, and say so.
//!
//! A [`Clock`] may run faster than the world and start elsewhere: the simulated car's does. What belongs to HTTP
//! (keep-alives, time-outs, limits) never uses it.

use std::fmt;
use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds of boot time. Signed, because what happened before this boot is kept as a time before zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Boot(i64);

impl Boot {
    /// The moment `micros` µs after boot.
    pub const fn from_micros(micros: i64) -> Boot {
        Boot(micros)
    }

    /// µs after boot.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds after boot.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Boot) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same moment on a scale that is `micros` µs further on.
    #[must_use]
    pub const fn shifted(self, micros: i64) -> Boot {
        Boot(self.0.saturating_add(micros))
    }

    /// `duration` before this.
    #[must_use]
    pub fn before(self, duration: Duration) -> Boot {
        Boot(self.0.saturating_sub(micros_of(duration)))
    }
}

impl Add<Duration> for Boot {
    type Output = Boot;

    fn add(self, duration: Duration) -> Boot {
        Boot(self.0.saturating_add(micros_of(duration)))
    }
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Microseconds of UTC since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(i64);

impl Wall {
    /// The moment `micros` µs after 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Wall {
        Wall(micros)
    }

    /// µs since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The time of this build: what a unit without a clock counts from.
    pub fn build() -> Wall {
        Wall(env!("TELLTALE_BUILD_EPOCH").parse::<i64>().unwrap_or(0).saturating_mul(1_000_000))
    }

    /// What the operating system says.
    pub fn system() -> Wall {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Wall(since.map(micros_of).unwrap_or(0))
    }
}

impl fmt::Display for Wall {
    /// ISO 8601 with milliseconds: `2026-02-20T00:06:47.213Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0.div_euclid(1000).saturating_mul(1000)) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}", jiff::Timestamp::UNIX_EPOCH),
        }
    }
}

/// Who vouches for a wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeSource {
    /// A satellite receiver with a fix, of this boot.
    Gnss,
    /// The system's clock, not before the time of this build.
    Rtc,
    /// Nobody: counted from the time of the build.
    #[default]
    Unset,
}

/// One moment on both scales. Decisions compare `boot`; `wall` is for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// For logic.
    pub boot: Boot,
    /// For people.
    pub wall: Wall,
    /// Who vouches for `wall`.
    pub source: TimeSource,
}

/// A clock that can be read from anywhere. Cheap to clone; clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    scale: Scale,
    wall: Arc<Mutex<Offset>>,
}

/// `boot` of the car = `boot + (real − real_origin) × speed`.
#[derive(Clone, Copy, Debug)]
struct Scale {
    real_origin: Boot,
    origin: Boot,
    speed: f64,
}

/// `wall = boot + micros`.
#[derive(Clone, Copy, Debug)]
struct Offset {
    micros: i64,
    source: TimeSource,
}

/// Receivers stamp a fix up to this much later than it was; nearer than this the clock is not set anew at each fix.
const GNSS_JITTER_US: i64 = 500_000;

/// Wall time is taken only from fixes dated 2020-01-01 to 2079-12-31: outside lie the week-rollover faults.
const GNSS_BELIEVED_US: std::ops::Range<i64> = 1_577_836_800_000_000..3_471_292_800_000_000;

impl Clock {
    /// The world's clock: boot time as the kernel has it, wall time as the system has it where it can be right.
    pub fn system() -> Clock {
        let now = boot_now();
        Clock::at(Scale { real_origin: now, origin: now, speed: 1.0 }, Wall::system())
    }

    /// A car's own clock, which shows `start` now and runs `speed` times as fast as the world.
    pub fn scaled(start: Wall, speed: f64) -> Clock {
        let now = boot_now();
        Clock::at(Scale { real_origin: now, origin: now, speed }, start)
    }

    fn at(scale: Scale, wall: Wall) -> Clock {
        let offset = if wall >= Wall::build() {
            Offset { micros: wall.0.saturating_sub(scale.origin.0), source: TimeSource::Rtc }
        } else {
            Offset { micros: Wall::build().0, source: TimeSource::Unset }
        };
        Clock { scale, wall: Arc::new(Mutex::new(offset)) }
    }

    /// Boot time now.
    pub fn now(&self) -> Boot {
        let Scale { real_origin, origin, speed } = self.scale;
        let real = boot_now().0.saturating_sub(real_origin.0);
        if speed == 1.0 {
            Boot(origin.0.saturating_add(real))
        } else {
            Boot(origin.0.saturating_add((real as f64 * speed) as i64))
        }
    }

    /// How long the world has to wait until this clock shows `moment`; zero when it has.
    pub fn wait(&self, moment: Boot) -> Duration {
        moment.since(self.now()).div_f64(self.scale.speed.max(f64::MIN_POSITIVE))
    }

    /// `moment` on both scales.
    pub fn stamp(&self, moment: Boot) -> Stamp {
        let offset = *self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        Stamp { boot: moment, wall: Wall(moment.0.saturating_add(offset.micros)), source: offset.source }
    }

    /// A satellite receiver said at `read` that it was `utc`. Implausible dates are passed over.
    ///
    /// Of many such pairs the one with the least delay is the truest, so a later clock is taken at once and an earlier
    /// one only when it is off by more than half a second.
    pub fn vouch(&self, read: Boot, utc: Wall) {
        if !GNSS_BELIEVED_US.contains(&utc.0) {
            return;
        }
        let micros = utc.0.saturating_sub(read.0);
        let mut offset = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        let gain = micros.saturating_sub(offset.micros);
        if offset.source != TimeSource::Gnss || !(-GNSS_JITTER_US..=0).contains(&gain) {
            *offset = Offset { micros, source: TimeSource::Gnss };
        }
    }
}

/// The kernel's boot time, suspended time included.
fn boot_now() -> Boot {
    match nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME) {
        Ok(time) => Boot(micros_of(Duration::from(time))),
        Err(_) => Boot(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_reads_as_iso_8601_with_milliseconds() {
        assert_eq!(Wall::from_micros(1_771_546_007_213_900).to_string(), "2026-02-20T00:06:47.213Z");
        assert_eq!(Wall::from_micros(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Wall::from_micros(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_clock_at_1970_counts_from_the_build_until_a_receiver_vouches() {
        let clock = Clock::scaled(Wall::from_micros(0), 1.0);
        let now = clock.now();
        let before = clock.stamp(now);
        assert_eq!((before.source, before.wall.micros()), (TimeSource::Unset, Wall::build().micros() + now.micros()));
        clock.vouch(now, Wall::from_micros(315_964_800_000_000));
        assert_eq!(clock.stamp(now).source, TimeSource::Unset, "1980 is a cold receiver");
        clock.vouch(now, Wall::from_micros(1_771_546_007_000_000));
        assert_eq!(clock.stamp(now).wall, Wall::from_micros(1_771_546_007_000_000));
        clock.vouch(now, Wall::from_micros(1_771_546_006_900_000));
        assert_eq!(clock.stamp(now).wall, Wall::from_micros(1_771_546_007_000_000), "a late sentence is jitter");
        clock.vouch(now, Wall::from_micros(1_771_546_000_000_000));
        assert_eq!(clock.stamp(now).wall, Wall::from_micros(1_771_546_000_000_000), "a step is a step");
    }

    #[test]
    fn boot_time_before_this_boot_is_negative_and_durations_never_are() {
        let early = Boot::from_micros(1).before(Duration::from_secs(1));
        assert_eq!(early.micros(), -999_999);
        assert_eq!(early.since(Boot::from_micros(5)), Duration::ZERO);
    }
}
