//! Messages and signals: from a payload to physical values, and back.

use std::time::Duration;

use super::place::{Encoding, Place};

/// A payload of up to 64 bytes.
pub type Payload = heapless::Vec<u8, 64>;

/// A message of a database.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The arbitration id.
    pub id: u32,
    /// Whether `id` has 29 bits.
    pub extended: bool,
    /// Its name in the file's grammar.
    pub name: String,
    /// Its long name (`SystemMessageLongSymbol`), where the grammar's 32 characters were too few.
    pub long_name: Option<String>,
    /// Bytes of its payload.
    pub length: usize,
    /// How often it is sent (`GenMsgCycleTime`), where the file says so.
    pub period: Option<Duration>,
    /// Its signals, in the file's order.
    pub signals: Vec<Signal>,
    /// The line on which it begins.
    pub line: u32,
}

/// A signal of a message. Physical value = raw × factor + offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its name in the file's grammar.
    pub name: String,
    /// Its long name (`SystemSignalLongSymbol`).
    pub long_name: Option<String>,
    /// Where its bits stand.
    pub place: Place,
    /// Physical units in one of the raw value.
    pub factor: f64,
    /// Physical value of raw 0.
    pub offset: f64,
    /// Physical unit, as the file spells it.
    pub unit: String,
    /// When a frame carries it; `None`: always.
    pub selector: Option<Selector>,
    /// The line on which it stands.
    pub line: u32,
}

/// What selects a multiplexed signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The multiplexer, by its place in [`Message::signals`].
    pub by: usize,
    /// Its raw values at which the signal is there, each range with both ends. None: it is never there.
    pub ranges: Vec<(u64, u64)>,
}

/// A value that a signal cannot carry.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Beyond what its bits can say.
    #[error("{name} cannot be {value}: it takes {least} to {most}")]
    Range {
        /// The signal.
        name: String,
        /// The value asked for.
        value: f64,
        /// The smallest physical value it can carry.
        least: f64,
        /// The largest one.
        most: f64,
    },
    /// The payload ends before the signal.
    #[error("{name} needs a payload of {needs} bytes")]
    Short {
        /// The signal.
        name: String,
        /// Bytes it needs.
        needs: usize,
    },
    /// No signal of that name.
    #[error("message {message} has no signal {name}")]
    Unknown {
        /// The message.
        message: String,
        /// What was asked for.
        name: String,
    },
}

impl Message {
    /// The long name where there is one, else the short.
    pub fn name(&self) -> &str {
        self.long_name.as_deref().unwrap_or(&self.name)
    }

    /// The signal of this name, long or short.
    pub fn signal(&self, name: &str) -> Option<&Signal> {
        self.signals.iter().find(|signal| signal.is_called(name))
    }

    /// What selects `signal`, one of this message: its own selector first and the outermost last, each with the multiplexer
    /// that it asks.
    pub fn selectors<'a>(&'a self, signal: &'a Signal) -> impl Iterator<Item = (&'a Signal, &'a Selector)> {
        let outer = |signal: &'a Signal| {
            let selector = signal.selector.as_ref()?;
            Some((self.signals.get(selector.by)?, selector))
        };
        // More would be a circle, in which at least one selects nothing.
        std::iter::successors(outer(signal), move |(by, _)| outer(by)).take(self.signals.len())
    }

    /// Whether a frame with this payload carries `signal`, which is one of this message: all its bits are there, and the
    /// multiplexers select it.
    pub fn carries(&self, signal: &Signal, data: &[u8]) -> bool {
        let mut selectors = self.selectors(signal);
        data.len() >= signal.place.needs()
            && selectors.all(|(by, selector)| by.place.raw(data).is_some_and(|raw| selector.selects(by.place.encoding(), raw)))
    }

    /// Each signal that this payload carries, with its physical value.
    pub fn decode<'a>(&'a self, data: &'a [u8]) -> impl Iterator<Item = (&'a Signal, f64)> {
        let carried = self.signals.iter().filter(|signal| self.carries(signal, data));
        carried.filter_map(|signal| signal.physical(data).map(|value| (signal, value)))
    }

    /// A payload of the message's length, all zero.
    pub fn blank(&self) -> Payload {
        let mut data = Payload::new();
        // A longer message than a frame can hold is sent in pieces by a transport protocol; a frame carries the first.
        let _ = data.resize_default(self.length.min(64));
        data
    }

    /// Puts physical values into a blank payload. Multiplexers are signals like others: name them, too.
    pub fn encode(&self, values: &[(&str, f64)]) -> Result<Payload, Unfit> {
        let mut data = self.blank();
        for (name, value) in values {
            let unknown = || Unfit::Unknown { message: self.name().to_owned(), name: (*name).to_owned() };
            self.signal(name).ok_or_else(unknown)?.put(&mut data, *value)?;
        }
        Ok(data)
    }
}

impl Signal {
    /// The long name where there is one, else the short.
    pub fn name(&self) -> &str {
        self.long_name.as_deref().unwrap_or(&self.name)
    }

    /// Whether this is its name, long or short.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.long_name.as_deref() == Some(name)
    }

    /// The physical value in `data`, whether or not it is selected; `None` where its bits are not all there.
    pub fn physical(&self, data: &[u8]) -> Option<f64> {
        Some(self.place.number(data)? * self.factor + self.offset)
    }

    /// Puts the nearest raw value to `physical` into `data`.
    pub fn put(&self, data: &mut [u8], physical: f64) -> Result<(), Unfit> {
        let (least, most) = self.span();
        let raw = (physical - self.offset) / self.factor;
        let raw = match self.place.encoding() {
            Encoding::Float32 => (raw as f32).to_bits().into(),
            Encoding::Float64 => raw.to_bits(),
            // The border is the physical one, half a step wide: 12.80 must not fail where 0.1 does not divide it.
            Encoding::Unsigned | Encoding::Signed if !(least - 0.5..=most + 0.5).contains(&raw) => {
                let ends = [least * self.factor + self.offset, most * self.factor + self.offset];
                let (least, most) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
                return Err(Unfit::Range { name: self.name().to_owned(), value: physical, least, most });
            }
            Encoding::Unsigned => raw.round() as u64,
            Encoding::Signed => raw.round() as i64 as u64,
        };
        let short = || Unfit::Short { name: self.name().to_owned(), needs: self.place.needs() };
        self.place.put(data, raw).then_some(()).ok_or_else(short)
    }

    /// The smallest and largest raw value.
    pub fn span(&self) -> (f64, f64) {
        let bits = i32::from(self.place.bits());
        match self.place.encoding() {
            Encoding::Unsigned => (0.0, 2_f64.powi(bits) - 1.0),
            Encoding::Signed => (-(2_f64.powi(bits - 1)), 2_f64.powi(bits - 1) - 1.0),
            Encoding::Float32 => (f64::from(f32::MIN), f64::from(f32::MAX)),
            Encoding::Float64 => (f64::MIN, f64::MAX),
        }
    }
}

impl Selector {
    /// Whether a multiplexer of this encoding with this raw value selects the signal. Files know no negative selection.
    #[inline]
    pub fn selects(&self, encoding: Encoding, raw: u64) -> bool {
        let negative = encoding == Encoding::Signed && (raw as i64) < 0;
        !negative && self.ranges.iter().any(|(least, most)| (*least..=*most).contains(&raw))
    }
}
