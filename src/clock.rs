//! Two kinds of time, and where the second comes from.
//!
//! *Logic* runs on boot time ([`Boot`], `CLOCK_BOOTTIME`: it counts while the unit is suspended, and nothing sets it).
//! *Stamps* carry wall time ([`Wall`]) and say who vouches for it ([`TimeSource`]). A step of the wall clock therefore
//! changes what is written on an event and never whether there is one. The daemon never sets the system's clock.
//!
//! While nobody vouches for the time, stamps count from the time of the build, and say so. The system's clock, once it shows
//! a time that can be, ends that, and the first dated fix ends both. From then on a fix that differs by more than an hour
//! is doubted: only ten in a row over 5 s at least, which agree with one another and with boot time, are followed, forwards as
//! backwards. What cannot be undone (events that go because they are old) waits until the time is *settled*: known from
//! the system and confirmed by a receiver within an hour, or known for an hour without a step.
//!
//! A [`Clock`] may run faster than the world and start elsewhere: the simulated car's does. What belongs to HTTP
//! (keep-alives, time-outs, limits) never uses it.

use std::fmt;
use std::ops::Add;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// The system's clock, not before the time of this build. It is followed while no receiver has a fix.
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
    /// The system's clock is this one's, and may be set while we run.
    is_system: bool,
    wall: Arc<Mutex<Known>>,
}

/// `boot` of the car = `boot + (real − real_origin) × speed`.
#[derive(Clone, Copy, Debug)]
struct Scale {
    real_origin: Boot,
    origin: Boot,
    speed: f64,
}

/// What is known of wall time.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// `wall = boot + micros`.
    micros: i64,
    source: TimeSource,
    /// Since when, without a step of more than an hour.
    since: Boot,
    /// By the system's clock and by a receiver's.
    confirmed: bool,
    doubt: Option<Doubt>,
}

/// Fixes in a row that contradict the clock and agree with one another.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    micros: i64,
    since: Boot,
    fixes: u32,
}

/// Receivers stamp a fix up to this much later than it was; nearer than this the clock is not set anew at each fix.
const GNSS_JITTER_US: i64 = 500_000;

/// A date that is farther than this from what the clock knew is doubted.
const DOUBTED_US: u64 = 3_600_000_000;

/// So many doubted fixes in a row are believed,
const AGREEING: u32 = 10;

/// when the last comes so long after the first.
const AGREEING_FOR: Duration = Duration::from_secs(5);

/// A time that only one source knows is settled when it has been known for so long.
const SETTLED: Duration = Duration::from_secs(3600);

/// Wall time is taken only from fixes dated 2020-01-01 to 2079-12-31: outside lie the week-rollover faults.
const GNSS_BELIEVED_US: std::ops::Range<i64> = 1_577_836_800_000_000..3_471_292_800_000_000;

impl Clock {
    /// The world's clock: boot time as the kernel has it, wall time as the system has it where it can be right.
    pub fn system() -> Clock {
        let now = boot_now();
        Clock { is_system: true, ..Clock::at(Scale { real_origin: now, origin: now, speed: 1.0 }, Wall::system()) }
    }

    /// A car's own clock, which shows `start` now and runs `speed` times as fast as the world.
    pub fn scaled(start: Wall, speed: f64) -> Clock {
        let now = boot_now();
        Clock::at(Scale { real_origin: now, origin: now, speed }, start)
    }

    fn at(scale: Scale, wall: Wall) -> Clock {
        let mut known =
            Known { micros: Wall::build().0, source: TimeSource::Unset, since: scale.origin, confirmed: false, doubt: None };
        known.consult(scale.origin, wall);
        Clock { scale, is_system: false, wall: Arc::new(Mutex::new(known)) }
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
        let known = *self.known();
        Stamp { boot: moment, wall: Wall(moment.0.saturating_add(known.micros)), source: known.source }
    }

    /// Whether the time has been known for so long, or from so many, that what it decides need never be undone.
    pub fn is_settled(&self, now: Boot) -> bool {
        let known = self.known();
        known.source != TimeSource::Unset && (known.confirmed || now.since(known.since) >= SETTLED)
    }

    /// A satellite receiver said at `read` that it was `utc`. Implausible dates are passed over, and those that differ
    /// much from what was known wait until others agree.
    ///
    /// Of many such pairs the one with the least delay is the truest, so a later clock is taken at once and an earlier
    /// one only when it is off by more than half a second.
    pub fn vouch(&self, read: Boot, utc: Wall) {
        if GNSS_BELIEVED_US.contains(&utc.0) {
            self.known().hear(read, utc);
        }
    }

    /// Looks once more at the system's clock, which may have been set (from the network, from an RTC whose driver came
    /// late). To be called now and then.
    pub fn look_again(&self) {
        if self.is_system {
            let now = self.now();
            self.known().consult(now, Wall::system());
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// A receiver says that it was `utc` at `read`.
    fn hear(&mut self, read: Boot, utc: Wall) {
        let micros = utc.0.saturating_sub(read.0);
        let gain = micros.saturating_sub(self.micros);
        let near = gain.unsigned_abs() <= DOUBTED_US;
        match self.source {
            TimeSource::Gnss if near => {
                if !(-GNSS_JITTER_US..=0).contains(&gain) {
                    self.micros = micros;
                }
                self.doubt = None;
            }
            TimeSource::Rtc if near => (self.micros, self.source, self.confirmed) = (micros, TimeSource::Gnss, true),
            TimeSource::Gnss => {
                if self.believes(read, micros) {
                    self.step(read, micros, TimeSource::Gnss);
                }
            }
            TimeSource::Rtc | TimeSource::Unset => self.step(read, micros, TimeSource::Gnss),
        }
    }

    /// One more fix that contradicts the clock: whether there are enough of them.
    fn believes(&mut self, read: Boot, micros: i64) -> bool {
        let agrees = |doubt: &Doubt| read >= doubt.since && doubt.micros.abs_diff(micros) <= GNSS_JITTER_US.unsigned_abs();
        let first = Doubt { micros, since: read, fixes: 0 };
        let doubt = self.doubt.filter(agrees).unwrap_or(first);
        let fixes = doubt.fixes.saturating_add(1);
        self.doubt = Some(Doubt { fixes, ..doubt });
        fixes >= AGREEING && read.since(doubt.since) >= AGREEING_FOR
    }

    /// The system says that it is `wall`, at `now`. It counts while no receiver has said anything.
    fn consult(&mut self, now: Boot, wall: Wall) {
        if self.source == TimeSource::Gnss || wall < Wall::build() {
            return;
        }
        let micros = wall.0.saturating_sub(now.0);
        if self.source == TimeSource::Unset || self.micros.abs_diff(micros) > DOUBTED_US {
            self.step(now, micros, TimeSource::Rtc);
        }
        self.micros = micros;
    }

    fn step(&mut self, now: Boot, micros: i64, source: TimeSource) {
        *self = Known { micros, source, since: now, confirmed: false, doubt: None };
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
    use proptest::prelude::*;

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

    const HOUR: i64 = 3_600_000_000;
    const START: i64 = 1_771_546_007_000_000;

    /// A clock that shows [`START`] at boot, as `source` says.
    fn known(source: TimeSource) -> Known {
        Known { micros: START, source, since: Boot::default(), confirmed: false, doubt: None }
    }

    /// Ten fixes a second, of which each is `off` from [`START`].
    fn hear(known: &mut Known, tenths: std::ops::Range<i64>, off: i64) {
        for at in tenths.map(|tenth| tenth * 100_000) {
            known.hear(Boot(at), Wall(START + at + off));
        }
    }

    #[test]
    fn a_date_far_from_what_was_known_is_followed_when_fixes_have_agreed_on_it_for_5_s() {
        for off in [86_400_000_000 * 365, -86_400_000_000 * 365] {
            let mut clock = known(TimeSource::Gnss);
            hear(&mut clock, 0..50, off);
            assert_eq!((clock.micros, clock.source), (START, TimeSource::Gnss), "not yet");
            hear(&mut clock, 50..51, off);
            assert_eq!((clock.micros, clock.source, clock.since), (START + off, TimeSource::Gnss, Boot(5_000_000)));
            let mut system = known(TimeSource::Rtc);
            hear(&mut system, 3..4, off);
            let stepped = (system.micros, system.source, system.since, system.confirmed);
            assert_eq!(stepped, (START + off, TimeSource::Gnss, Boot(300_000), false), "a receiver knows better than an RTC");
        }
        let mut slow = known(TimeSource::Gnss);
        (0..9).for_each(|second| hear(&mut slow, second * 10..second * 10 + 1, 2 * HOUR));
        assert_eq!(slow.micros, START, "nine are not enough");
        let mut near = known(TimeSource::Rtc);
        hear(&mut near, 0..1, HOUR);
        assert_eq!((near.micros, near.source), (START + HOUR, TimeSource::Gnss), "an hour off is a clock that was set badly");
    }

    #[test]
    fn time_is_settled_when_two_agree_on_it_or_when_it_has_been_known_for_an_hour() {
        let clock = |known| Clock { wall: Arc::new(Mutex::new(known)), ..Clock::scaled(Wall(0), 1.0) };
        let settled = |known: Known| {
            let clock = clock(known);
            [0, HOUR - 1, HOUR].map(|at| clock.is_settled(Boot(at)))
        };
        assert_eq!(settled(known(TimeSource::Unset)), [false; 3]);
        assert_eq!(settled(known(TimeSource::Rtc)), [false, false, true]);
        let mut confirmed = known(TimeSource::Rtc);
        hear(&mut confirmed, 0..1, 1_000_000);
        assert_eq!(settled(confirmed), [true; 3]);
        hear(&mut confirmed, 0..51, 48 * HOUR);
        assert_eq!(settled(confirmed), [false; 3], "a step begins anew");
    }

    #[test]
    fn the_systems_clock_counts_once_it_can_be_right_and_until_a_receiver_says_better() {
        let mut clock = Known { micros: Wall::build().0, ..known(TimeSource::Unset) };
        clock.consult(Boot(5), Wall(1_000_000));
        assert_eq!(clock.source, TimeSource::Unset, "1970");
        let later = Wall(Wall::build().0 + 100 * HOUR);
        clock.consult(Boot(5), later);
        assert_eq!((clock.micros, clock.source, clock.since), (later.0 - 5, TimeSource::Rtc, Boot(5)));
        clock.consult(Boot(7), Wall(later.0 + 3_000_000));
        assert_eq!((clock.micros, clock.since), (later.0 + 3_000_000 - 7, Boot(5)), "set by the network");
        clock.hear(Boot(8), later);
        clock.consult(Boot(9), Wall(later.0 + 50 * HOUR));
        assert_eq!((clock.micros, clock.source), (later.0 - 8, TimeSource::Gnss));
        let simulated = Clock::scaled(Wall(0), 1.0);
        simulated.look_again();
        assert_eq!(simulated.stamp(Boot(0)).source, TimeSource::Unset, "another clock than the system's");
    }

    proptest! {
        #[test]
        fn fewer_than_ten_wrong_dates_in_a_row_move_no_clock_by_more_than_the_right_ones(
            bursts in prop::collection::vec((prop::collection::vec(any::<i64>(), 1..10), -400_000_i64..400_000), 1..40),
        ) {
            let mut clock = known(TimeSource::Gnss);
            let mut at = 0;
            for (wrong, right) in bursts {
                for utc in wrong.into_iter().filter(|utc| utc.abs_diff(START) > DOUBTED_US * 2) {
                    at += 1_000_000;
                    clock.hear(Boot(at), Wall(utc));
                    prop_assert!(clock.micros.abs_diff(START) <= 400_000);
                }
                at += 1_000_000;
                clock.hear(Boot(at), Wall(START + at + right));
                prop_assert!(clock.micros.abs_diff(START) <= 400_000 && clock.since == Boot(0));
            }
        }

        #[test]
        fn whatever_comes_a_known_clock_stays_known_and_the_last_that_agree_win(
            heard in prop::collection::vec((any::<i64>(), any::<i64>(), any::<bool>()), 0..50),
            off in -30 * 365 * 24 * HOUR..30 * 365 * 24 * HOUR,
        ) {
            let mut clock = known(TimeSource::Rtc);
            for (at, utc, of_system) in heard {
                if of_system { clock.consult(Boot(at), Wall(utc)) } else { clock.hear(Boot(at), Wall(utc)) }
                prop_assert!(clock.source != TimeSource::Unset);
            }
            hear(&mut clock, 0..52, off);
            prop_assert_eq!(clock.source, TimeSource::Gnss);
            prop_assert!((clock.micros - START - off).abs() <= GNSS_JITTER_US);
        }
    }

    #[test]
    fn boot_time_before_this_boot_is_negative_and_durations_never_are() {
        let early = Boot::from_micros(1).before(Duration::from_secs(1));
        assert_eq!(early.micros(), -999_999);
        assert_eq!(early.since(Boot::from_micros(5)), Duration::ZERO);
    }
}
