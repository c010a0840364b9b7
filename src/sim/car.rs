//! The car: everything it sends, in the order in which it sends it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::noise::Noise;
use super::receiver::{self, FixRate};
use super::story::Scenario;
use super::timeline::Timeline;
use super::truth::Truth;
use super::wires::{SENDERS, Says, Sender};
use crate::can::dbc::{Database, Message};
use crate::clock::{Boot, Wall};
use crate::vehicle::{Frame, FrameKind, Sentence, Vin};

/// Where a car is in its story, and what its clock shows there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// How often the story has been told.
    pub loops: u64,
    /// How far into this loop, µs.
    pub within_us: u64,
    /// The car's time there.
    pub wall: Wall,
}

impl Place {
    /// The beginning of the story, at `wall`.
    pub const fn beginning(wall: Wall) -> Place {
        Place { loops: 0, within_us: 0, wall }
    }
}

/// What the car sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A frame on a bus. Its `at` counts from the car's start.
    Frame {
        /// The bus, by the name it has in [`super::PROFILE`].
        bus: &'static str,
        /// The frame.
        frame: Frame,
    },
    /// A sentence of the receiver, without its line end.
    Sentence(Sentence),
}

/// `car.dbc` lacks what the car is to send: a mistake in this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated car's database has no {0}")]
pub struct Unknown(String);

/// A car that lives through a scenario, from a place in it on, for ever.
///
/// What it sends is a pure function of scenario, seed and moment: a car that starts in the middle sends what one that
/// has come from the beginning sends there.
#[derive(Debug)]
pub struct Car {
    timeline: Timeline,
    noise: Noise,
    start: Place,
    /// µs of the whole story at `start`.
    origin: i64,
    wires: Vec<Wire>,
    rate: FixRate,
    /// Another number than [`super::VIN`].
    vin: Option<Vin>,
    /// µs of the whole story at the next fix.
    next_fix: i64,
    /// What of the last fix is still to be sent, the next one last.
    pending: heapless::Vec<(i64, Sentence), { receiver::EPOCH }>,
}

/// A message on its way to its next frame.
#[derive(Debug)]
struct Wire {
    sender: &'static Sender,
    message: Message,
    /// The message's signals, by their places in it, and what they say.
    says: Vec<(usize, Says)>,
    period: i64,
    /// Its slot: when within a period it is due, µs.
    slot: i64,
    channel: u64,
    nth: i64,
    due: i64,
}

/// Jitter of a period, µs.
const JITTER: f64 = 1000.0;
/// Distance of two messages' slots, µs. Six of them fit into the shortest step that all periods share, 10 ms.
const SLOT: i64 = 1600;
/// First channel of chance of the wires.
const WIRES: u64 = 40;

impl Car {
    /// The car of `scenario`, from `start` on.
    pub fn new(scenario: &Scenario, seed: u64, start: Place) -> Result<Car, Unknown> {
        let database = Database::parse(super::DBC.as_bytes());
        let timeline = Timeline::new(scenario, seed);
        let noise = Noise::new(seed);
        let origin = micros_of(timeline.length()).saturating_mul(start.loops as i64).saturating_add(start.within_us as i64);
        let wires =
            SENDERS.iter().zip(0..).map(|(sender, nth)| Wire::new(sender, nth, &database)).collect::<Result<Vec<_>, _>>()?;
        let mut car = Car {
            timeline,
            noise,
            start,
            origin,
            wires,
            rate: FixRate::Hz1,
            vin: None,
            next_fix: 0,
            pending: heapless::Vec::new(),
        };
        car.set_out(origin);
        Ok(car)
    }

    /// The same car with a receiver of this rate.
    #[must_use]
    pub fn with_fix_rate(mut self, rate: FixRate) -> Car {
        self.rate = rate;
        self.set_out(self.origin);
        self
    }

    /// The same car under another number.
    #[must_use]
    pub fn numbered(self, vin: Vin) -> Car {
        Car { vin: Some(vin), ..self }
    }

    /// Its number, where it is another one than [`super::VIN`].
    pub fn vin(&self) -> Option<&Vin> {
        self.vin.as_ref()
    }

    /// Where it started.
    pub fn start(&self) -> Place {
        self.start
    }

    /// Where it is `after` its start.
    pub fn place(&self, after: Duration) -> Place {
        let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
        let total = self.origin.saturating_add(after);
        let length = micros_of(self.timeline.length()).max(1);
        let wall = Wall::from_micros(self.start.wall.micros().saturating_add(after));
        Place { loops: (total / length) as u64, within_us: (total % length) as u64, wall }
    }

    /// What is true of it `after` its start.
    pub fn truth(&self, after: Duration) -> Truth {
        self.timeline.at(self.seconds(after))
    }

    /// Its story.
    pub(super) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Seconds of the whole story `after` its start.
    pub(super) fn seconds(&self, after: Duration) -> f64 {
        (self.origin as f64 + after.as_micros() as f64) / 1e6
    }

    /// How long after its start so many seconds of the whole story have passed.
    pub(super) fn after(&self, seconds: f64) -> Duration {
        self.since_start(micros_of(seconds))
    }

    /// Leaves out everything before `after` its start.
    pub fn skip_to(&mut self, after: Duration) {
        self.set_out(self.origin.saturating_add(i64::try_from(after.as_micros()).unwrap_or(i64::MAX)));
    }

    /// Makes ready what is due from `moment` on.
    fn set_out(&mut self, moment: i64) {
        for wire in &mut self.wires {
            wire.set_out(moment, self.noise);
        }
        let (period, zero) = (self.rate.period_us(), self.zero());
        let before = zero.saturating_add(moment).saturating_sub(receiver::LATEST_US);
        self.next_fix = before.div_euclid(period).saturating_mul(period).saturating_sub(zero);
        self.pending.clear();
        while self.pending.is_empty() {
            self.fix();
            self.pending.retain(|(due, _)| *due >= moment);
        }
    }

    /// The car's time when its story began, µs since the Unix epoch.
    fn zero(&self) -> i64 {
        self.start.wall.micros().saturating_sub(self.origin)
    }

    /// Has the receiver take its next fix.
    fn fix(&mut self) {
        let (at, seconds) = (self.next_fix, self.next_fix as f64 / 1e6);
        let wall = Wall::from_micros(self.zero().saturating_add(at));
        let sentences = receiver::epoch(self.noise, &self.timeline.at(seconds), seconds, wall);
        self.pending = sentences.into_iter().map(|(after, sentence)| (at.saturating_add(after), sentence)).collect();
        self.pending.reverse();
        self.next_fix = at.saturating_add(self.rate.period_us());
    }

    fn since_start(&self, moment: i64) -> Duration {
        Duration::from_micros(u64::try_from(moment.saturating_sub(self.origin)).unwrap_or(0))
    }
}

impl Iterator for Car {
    type Item = (Duration, Output);

    /// The next thing it sends, and when, counted from its start. It never ends.
    fn next(&mut self) -> Option<(Duration, Output)> {
        loop {
            let sentence = self.pending.last().map_or(i64::MAX, |(due, _)| *due);
            let wire = self.wires.iter_mut().min_by_key(|wire| wire.due)?;
            if sentence <= wire.due {
                let (due, sentence) = self.pending.pop()?;
                if self.pending.is_empty() {
                    self.fix();
                }
                return Some((self.since_start(due), Output::Sentence(sentence)));
            }
            let truth = self.timeline.at(wire.due as f64 / 1e6);
            let frame = wire.sender.when.holds(&truth).then(|| wire.frame(&truth));
            let (due, bus) = (wire.due, wire.sender.bus);
            wire.turn(self.noise);
            if let Some(mut frame) = frame {
                let after = self.since_start(due);
                frame.at = Boot::default() + after;
                return Some((after, Output::Frame { bus, frame }));
            }
        }
    }
}

impl Wire {
    fn new(sender: &'static Sender, nth: u64, database: &Database) -> Result<Wire, Unknown> {
        let unknown = |what: &str| Unknown(format!("{}: {what}", sender.message));
        let message = database.named(sender.message).ok_or_else(|| unknown("message"))?.clone();
        let period = message.period.ok_or_else(|| unknown("period"))?;
        let place = |name: &str| message.signals.iter().position(|signal| signal.is_called(name)).ok_or_else(|| unknown(name));
        let says = sender.says.iter().map(|(name, says)| Ok((place(name)?, *says))).collect::<Result<Vec<_>, Unknown>>()?;
        Ok(Wire {
            sender,
            says,
            period: i64::try_from(period.as_micros()).unwrap_or(i64::MAX),
            slot: SLOT * i64::try_from(nth % 6).unwrap_or(0),
            message,
            channel: WIRES + nth,
            nth: 0,
            due: 0,
        })
    }

    /// To its first frame from `moment` on.
    fn set_out(&mut self, moment: i64, noise: Noise) {
        self.nth = moment.saturating_sub(self.slot).div_euclid(self.period).saturating_sub(2).max(-1);
        self.turn(noise);
        while self.due < moment {
            self.turn(noise);
        }
    }

    /// To its next frame.
    fn turn(&mut self, noise: Noise) {
        self.nth = self.nth.saturating_add(1);
        let jitter = (JITTER * noise.unit(self.channel, self.nth as u64)) as i64;
        self.due = self.nth.saturating_mul(self.period).saturating_add(self.slot).saturating_add(jitter);
    }

    fn frame(&self, truth: &Truth) -> Frame {
        let mut data = self.message.blank();
        for (at, says) in &self.says {
            let Some(signal) = self.message.signals.get(*at) else { continue };
            if self.message.carries(signal, &data) {
                // What a control unit says is within its signal's range; a test goes through every story and holds it.
                let _ = signal.put(&mut data, says(truth, self.nth as u64));
            }
        }
        let Message { id, extended, .. } = self.message;
        Frame { at: Boot::default(), kind: FrameKind::Classical, id, extended, data }
    }
}

fn micros_of(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}
