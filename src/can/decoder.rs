//! From a frame to what the mapped signals in it say: the path that every frame takes.
//!
//! Everything is worked out when the profile is read: where the bits stand, what selects them, what each raw value means.
//! A frame costs one look-up of its id and, for each mapped signal, a load of eight bytes, a shift and a mask. Nothing is
//! allocated.

use crate::vehicle::{BusId, Frame, FrameKind, Reading, SourceId, Value};

use super::dbc::{Place, Selector};

/// Decodes the frames of all buses of a profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoder {
    buses: Vec<Bus>,
}

/// An arbitration id as a kernel filter wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArbitrationId {
    /// 11 or 29 bits.
    pub id: u32,
    /// Whether it has 29.
    pub extended: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No signal of its message is mapped, or it is no data frame.
    Unmapped,
    /// It was read.
    Mapped {
        /// How many mapped signals it was too short to carry. They said nothing.
        short: usize,
    },
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Bus {
    /// For each 11-bit id one more than the place in `messages`, or 0.
    standard: Vec<u16>,
    /// 29-bit ids, sorted, with the place in `messages`.
    extended: Vec<(u32, u16)>,
    messages: Vec<(ArbitrationId, Vec<Mapped>)>,
}

/// A mapped signal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mapped {
    pub(super) source: SourceId,
    pub(super) place: Place,
    /// The multiplexers that must select it.
    pub(super) selected_by: Vec<(Place, Selector)>,
    /// The signal that says whether it is valid, and the raw value with which it says so.
    pub(super) valid: Option<(Place, u64)>,
    pub(super) meaning: Meaning,
}

/// What the raw value means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// `(raw × factor + offset) × scale + shift`, in that order.
    Number { factor: f64, offset: f64, scale: f64, shift: f64 },
    /// By a list whose place is the raw value.
    Dense(Vec<Reading>),
    /// By a list sorted by raw value.
    Sparse(Vec<(u64, Reading)>),
}

impl Meaning {
    /// What `entries` say: each raw value with its reading, sorted.
    pub(super) fn listed(entries: Vec<(u64, Reading)>) -> Meaning {
        const DENSE: u64 = 256;
        match entries.last() {
            Some((last, _)) if *last < DENSE => {
                let mut dense = vec![Reading::Unlisted; *last as usize + 1];
                for (raw, reading) in entries {
                    if let Some(place) = dense.get_mut(raw as usize) {
                        *place = reading;
                    }
                }
                Meaning::Dense(dense)
            }
            _ => Meaning::Sparse(entries),
        }
    }

    #[inline]
    fn read(&self, place: &Place, data: &[u8]) -> Option<Reading> {
        Some(match self {
            Meaning::Number { factor, offset, scale, shift } => {
                let value = (place.number(data)? * factor + offset) * scale + shift;
                if value.is_finite() { Reading::Value(Value::Number(value)) } else { Reading::Invalid }
            }
            Meaning::Dense(readings) => {
                let at = usize::try_from(place.raw(data)?).unwrap_or(usize::MAX);
                readings.get(at).cloned().unwrap_or(Reading::Unlisted)
            }
            Meaning::Sparse(entries) => {
                let raw = place.raw(data)?;
                let found = entries.binary_search_by_key(&raw, |(raw, _)| *raw).ok();
                found.and_then(|at| entries.get(at)).map_or(Reading::Unlisted, |(_, reading)| reading.clone())
            }
        })
    }
}

impl Mapped {
    /// What `data` says: `Err` where it is too short to say it, `Ok(None)` where it carries another signal in its place.
    #[inline]
    fn read(&self, data: &[u8]) -> Result<Option<Reading>, ()> {
        for (by, selector) in &self.selected_by {
            if !selector.selects(by.encoding(), by.raw(data).ok_or(())?) {
                return Ok(None);
            }
        }
        if let Some((place, equals)) = &self.valid {
            if place.raw(data).ok_or(())? != *equals {
                return if data.len() < self.place.needs() { Err(()) } else { Ok(Some(Reading::Invalid)) };
            }
        }
        self.meaning.read(&self.place, data).map(Some).ok_or(())
    }
}

impl Decoder {
    /// Of the mapped signals of each bus.
    pub(super) fn new(buses: Vec<Vec<(ArbitrationId, Mapped)>>) -> Decoder {
        Decoder { buses: buses.into_iter().map(Bus::new).collect() }
    }

    /// Tells `out` what `frame`, which was on `bus`, says of each mapped signal that it carries.
    #[inline]
    pub fn decode(&self, bus: BusId, frame: &Frame, mut out: impl FnMut(SourceId, Reading)) -> Outcome {
        if !matches!(frame.kind, FrameKind::Classical | FrameKind::Fd) {
            return Outcome::Unmapped;
        }
        let signals = self.buses.get(usize::from(bus.0)).and_then(|bus| bus.signals(frame.id, frame.extended));
        let Some(signals) = signals else { return Outcome::Unmapped };
        let mut short = 0;
        for signal in signals {
            match signal.read(&frame.data) {
                Ok(Some(reading)) => out(signal.source, reading),
                Ok(None) => {}
                Err(()) => short += 1,
            }
        }
        Outcome::Mapped { short }
    }

    /// Exactly the mapped ids of `bus`, sorted: what a kernel filter lets through.
    pub fn ids(&self, bus: BusId) -> Vec<ArbitrationId> {
        let messages = self.buses.get(usize::from(bus.0)).map(|bus| bus.messages.as_slice()).unwrap_or_default();
        messages.iter().map(|(id, _)| *id).collect()
    }
}

impl Bus {
    fn new(mut mapped: Vec<(ArbitrationId, Mapped)>) -> Bus {
        const STANDARD_IDS: usize = 0x800;
        let mut bus = Bus { standard: vec![0; STANDARD_IDS], ..Bus::default() };
        mapped.sort_by_key(|(id, _)| *id);
        for (id, signal) in mapped {
            match bus.messages.last_mut() {
                Some((last, signals)) if *last == id => signals.push(signal),
                _ => bus.messages.push((id, vec![signal])),
            }
        }
        // A profile has at most 65,535 sources, so there are no more messages.
        for ((id, _), at) in bus.messages.iter().zip(0_u16..) {
            match bus.standard.get_mut(id.id as usize).filter(|_| !id.extended) {
                Some(place) => *place = at + 1,
                None => bus.extended.push((id.id, at)),
            }
        }
        bus.extended.sort_unstable();
        bus
    }

    #[inline]
    fn signals(&self, id: u32, extended: bool) -> Option<&[Mapped]> {
        let at = if extended {
            let at = self.extended.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            self.extended.get(at)?.1
        } else {
            self.standard.get(id as usize)?.checked_sub(1)?
        };
        self.messages.get(usize::from(at)).map(|(_, signals)| signals.as_slice())
    }
}
