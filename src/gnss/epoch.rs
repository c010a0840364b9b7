//! Epochs: the sentences of one time of day are one fix.
//!
//! A receiver tells one moment in several sentences, in an order of its own. An epoch begins with the first sentence of a
//! new time of day. It ends
//!
//! - when the sentence comes that ends the receiver's cycle, so that the fix leaves at once: which one that is, is
//!   learned from the epochs before;
//! - else when a sentence of another time comes;
//! - else [`PAUSE`] after its last sentence.
//!
//! Of what sentences say twice the last word counts: it is what receivers that disagree with themselves by a digit mean,
//! and what gpsd reports. Once it is known which sentence gives a cycle's last position, no other one's counts after it.
//! A warning (RMC or GLL with status `V`) voids the epoch. What comes after the fix has left is not lost where it lasts
//! longer than a moment (2D or 3D, HDOP, speed): the next epoch falls back on it.
//!
//! The date comes from RMC or ZDA and is carried to epochs without one, over midnight too. It is taken as sent.

use std::time::Duration;

use super::field::{DAY_US, Day, TimeOfDay};
use super::sentence::{Claim, Kind, Message};
use crate::clock::{Boot, Wall};
use crate::geo::Point;
use crate::vehicle::{Fix, Mode};

/// An epoch of which nothing more came for so long has ended. Longer than a pause inside a burst of sentences, shorter
/// than the one between two bursts at 1 Hz.
pub const PAUSE: Duration = Duration::from_millis(400);

/// No fix is believed to be better than this, m.
const BEST_ACCURACY: f64 = 3.0;
/// Accuracy where the receiver says nothing of it, m.
const UNKNOWN_ACCURACY: f64 = 50.0;
/// A fix with so many satellites has a height.
const SATELLITES_3D: u8 = 4;
/// The end of a cycle is settled after so many epochs that ended with it.
const SETTLED: u8 = 3;
/// For so many epochs a stream may seem to begin with what ended it before, until that is believed.
const OUT_OF_STEP: u8 = 60;

/// The sentence that ends a cycle: the `nth` of its kind in the epoch (GSA comes once for each system), and the last that
/// gave a position up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ender {
    kind: Kind,
    nth: u8,
    position: Kind,
}

/// What a receiver says that lasts longer than a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Lasting {
    speed: Option<f64>,
    track: Option<f64>,
    hdop: Option<f64>,
    mode: Option<Mode>,
}

/// An epoch while its sentences come.
#[derive(Clone, Debug)]
struct Epoch {
    at: Boot,
    time: TimeOfDay,
    last_at: Boot,
    point: Option<Point>,
    altitude: Option<f64>,
    satellites: Option<u8>,
    lasting: Lasting,
    /// What came between the fix before and this epoch.
    before: Lasting,
    warned: bool,
    counts: [u8; 8],
    last: Ender,
    /// The position that ends the cycle has come: those of other sentences are late.
    settled: bool,
    /// The fix has left.
    told: bool,
    /// A position came too late.
    told_early: bool,
}

/// Makes fixes out of messages. Memory: one epoch.
#[derive(Clone, Debug)]
pub struct Epochs {
    uere: f64,
    epoch: Option<Epoch>,
    /// The time of the epoch that a pause ended: a straggler of it begins no new one.
    paused: Option<TimeOfDay>,
    /// What came after the last fix had left.
    late: Lasting,
    /// The last standard deviation, and the time it is of.
    noise: Option<(TimeOfDay, f64)>,
    /// A date, and a time of that day.
    calendar: Option<(Day, TimeOfDay)>,
    ender: Option<Ender>,
    candidate: Option<Ender>,
    confirmed: u8,
    out_of_step: u8,
}

impl Epochs {
    /// For a receiver of which one unit of HDOP is `uere` metres of error.
    pub fn new(uere: f64) -> Epochs {
        Epochs {
            uere,
            epoch: None,
            paused: None,
            late: Lasting::default(),
            noise: None,
            calendar: None,
            ender: None,
            candidate: None,
            confirmed: 0,
            out_of_step: 0,
        }
    }

    /// Takes what a sentence read at `at` said; calls `tell` with each fix that is complete by it.
    pub fn push(&mut self, at: Boot, said: &Message, mut tell: impl FnMut(Fix)) {
        self.expire(at, &mut tell);
        if let (Kind::Zda, Some(day), Some(time)) = (said.kind, said.day, said.time) {
            self.calendar = Some((day, time));
        }
        if let (Some(time), Some(sigma)) = (said.time, said.sigma) {
            self.noise = Some((time, sigma));
        }
        let position = matches!(said.kind, Kind::Rmc | Kind::Gga | Kind::Gns | Kind::Gll);
        match (said.time, &self.epoch) {
            (Some(time), Some(epoch)) if time != epoch.time => {
                if !position {
                    return;
                }
                self.close(Some(said.kind), &mut tell);
                self.open(at, time, said.kind);
            }
            (Some(time), None) => {
                if !position || self.paused == Some(time) {
                    return;
                }
                self.open(at, time, said.kind);
            }
            (None, _) if position && said.claim != Claim::Warning => return,
            _ => {}
        }
        self.take(at, said, position, &mut tell);
    }

    /// Ends the epoch of which nothing came for [`PAUSE`].
    pub fn expire(&mut self, now: Boot, mut tell: impl FnMut(Fix)) {
        let over = self.epoch.as_ref().filter(|epoch| now.since(epoch.last_at) >= PAUSE);
        if let Some(time) = over.map(|epoch| epoch.time) {
            self.paused = Some(time);
            self.close(None, &mut tell);
        }
    }

    /// When [`Epochs::expire`] is due.
    pub fn deadline(&self) -> Option<Boot> {
        self.epoch.as_ref().map(|epoch| epoch.last_at + PAUSE)
    }

    /// The stream has ended, and with it the epoch.
    pub fn finish(&mut self, mut tell: impl FnMut(Fix)) {
        self.close(None, &mut tell);
    }

    fn open(&mut self, at: Boot, time: TimeOfDay, opener: Kind) {
        self.paused = None;
        self.epoch = Some(Epoch {
            at,
            time,
            last_at: at,
            point: None,
            altitude: None,
            satellites: None,
            lasting: Lasting::default(),
            before: std::mem::take(&mut self.late),
            warned: false,
            counts: [0; 8],
            last: Ender { kind: opener, nth: 0, position: opener },
            settled: false,
            told: false,
            told_early: false,
        });
    }

    /// A sentence of the epoch that stands, or one without a time.
    fn take(&mut self, at: Boot, said: &Message, position: bool, tell: &mut impl FnMut(Fix)) {
        let Some(epoch) = &mut self.epoch else {
            self.late.take(said);
            return;
        };
        epoch.last_at = at;
        epoch.count(said.kind, position);
        if let (Kind::Rmc, Some(day)) = (said.kind, said.day) {
            self.calendar = Some((day, epoch.time));
        }
        let ender = self.ender.filter(|_| self.confirmed > 0);
        let after_the_end = epoch.settled && ender.is_some_and(|ender| ender.position != said.kind);
        if epoch.told || position && after_the_end {
            epoch.told_early |= position;
            self.late.take(said);
            return;
        }
        epoch.take(said);
        epoch.settled |= epoch.point.is_some() && ender.is_some_and(|ender| ender.position == said.kind);
        if ender.is_some_and(|ender| ender.kind == epoch.last.kind && epoch.last.nth >= ender.nth) {
            self.tell(tell);
        }
    }

    fn close(&mut self, opener: Option<Kind>, tell: &mut impl FnMut(Fix)) {
        self.tell(tell);
        if let Some(epoch) = self.epoch.take() {
            self.learn(epoch.last, epoch.told_early, opener);
        }
    }

    /// Which sentence ends the cycle: the last of two epochs running, or at once when a position came too late.
    ///
    /// No cycle begins with the position that it ends with. When it seems to, two talkers are out of step with one
    /// another, and nothing can be learned from the order in which they speak.
    fn learn(&mut self, last: Ender, told_early: bool, opener: Option<Kind>) {
        if let (Some(ender), Some(opener)) = (self.ender, opener) {
            let begins_with_its_end = opener == ender.position && last.position != ender.position;
            if begins_with_its_end && self.confirmed >= SETTLED && self.out_of_step < OUT_OF_STEP {
                self.out_of_step += 1;
                return;
            }
        }
        self.out_of_step = 0;
        if self.ender == Some(last) {
            self.confirmed = self.confirmed.saturating_add(1);
            self.candidate = None;
        } else if self.ender.is_none() || told_early || self.candidate == Some(last) {
            self.ender = Some(last);
            self.candidate = None;
            self.confirmed = 0;
        } else {
            self.candidate = Some(last);
        }
    }

    /// The fix of the epoch that stands, if it is one and has not left.
    fn tell(&mut self, tell: &mut impl FnMut(Fix)) {
        let Some(epoch) = &mut self.epoch else { return };
        let Some(point) = epoch.point.filter(|_| !epoch.told && !epoch.warned) else { return };
        epoch.told = true;
        let (now, before) = (epoch.lasting, epoch.before);
        let hdop = now.hdop.or(before.hdop);
        let noise = self.noise.take_if(|(time, _)| *time == epoch.time).map(|(_, sigma)| sigma);
        let accuracy = noise.or_else(|| hdop.map(|hdop| hdop * self.uere)).unwrap_or(UNKNOWN_ACCURACY);
        let high = epoch.altitude.is_some() && epoch.satellites.is_none_or(|count| count >= SATELLITES_3D);
        let day = self.calendar.map(|calendar| day_of(calendar, epoch.time));
        self.calendar = day.map(|day| (day, epoch.time));
        tell(Fix {
            at: epoch.at,
            time: day.map(|day| Wall::from_micros(day.saturating_mul(DAY_US).saturating_add(epoch.time))),
            mode: now.mode.or(before.mode).unwrap_or(if high { Mode::ThreeD } else { Mode::TwoD }),
            point,
            accuracy: accuracy.max(BEST_ACCURACY),
            altitude: epoch.altitude,
            speed: now.speed.or(before.speed),
            heading: now.track.or(before.track),
            satellites: epoch.satellites,
            hdop,
        });
    }
}

impl Epoch {
    /// A sentence of `kind` came, the last so far.
    fn count(&mut self, kind: Kind, position: bool) {
        let Some(count) = self.counts.get_mut(kind as usize) else { return };
        *count = count.saturating_add(1);
        self.last = Ender { kind, nth: *count, position: if position { kind } else { self.last.position } };
    }

    /// The same moment in other words: the last word counts.
    fn take(&mut self, said: &Message) {
        if said.claim == Claim::Fix && said.point.is_some() {
            self.point = said.point;
            self.altitude = said.altitude.or(self.altitude);
        }
        self.warned |= said.claim == Claim::Warning;
        self.satellites = said.satellites.max(self.satellites);
        self.lasting.take(said);
    }
}

impl Lasting {
    fn take(&mut self, said: &Message) {
        // VTG says no more than RMC does, and GSA no more of HDOP than GGA; neither has a time to show that it belongs
        // here.
        if matches!(said.kind, Kind::Vtg | Kind::Gsa) {
            self.speed = self.speed.or(said.speed);
            self.track = self.track.or(said.track);
            self.hdop = self.hdop.or(said.hdop);
        } else {
            self.speed = said.speed.or(self.speed);
            self.track = said.track.or(self.track);
            self.hdop = said.hdop.or(self.hdop);
        }
        // One GSA for each system: the fix is that of the best.
        self.mode = match (self.mode, said.mode) {
            (Some(Mode::ThreeD), _) | (_, Some(Mode::ThreeD)) => Some(Mode::ThreeD),
            (mode, said) => said.or(mode),
        };
    }
}

/// The day of `time`, which is less than half a day from the moment that the calendar shows.
fn day_of((day, shown): (Day, TimeOfDay), time: TimeOfDay) -> Day {
    if time.saturating_sub(shown) > DAY_US / 2 {
        day.saturating_sub(1)
    } else if shown.saturating_sub(time) > DAY_US / 2 {
        day.saturating_add(1)
    } else {
        day
    }
}
