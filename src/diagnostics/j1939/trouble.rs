//! The diagnostic messages of one form (SAE J1939-73, 5.7.1): two bytes of lamps, then four bytes a code.
//!
//! **Which SPN the bytes mean.** The highest bit of the fourth byte, CM, is 0 in all that follows the standard since 1996:
//! version 4, least byte first, the three highest bits of the SPN above the FMI. Where CM is 1, it is one of the three
//! versions before, and nothing in the message says which; the maker does:
//!
//! | version | byte 1 | byte 2 | upper three bits of byte 3 |
//! |---|---|---|---|
//! | 1 | SPN bits 18 to 11 | 10 to 3 | 2 to 0 |
//! | 2 | 10 to 3 | 18 to 11 | 2 to 0 |
//! | 3, 4 | 7 to 0 | 15 to 8 | 18 to 16 |
//!
//! Taken for version 3 unless set otherwise: its bytes are those of version 4, so that an ECU that merely sets the bit is
//! read rightly, and public tools that look at CM at all (python-can-j1939, ETI's j1939-84) read them the same way. Such a
//! code is marked as ambiguous.

use super::pgn;
use crate::vehicle::trouble::{Classes, Code, Listed};

/// How the SPN is laid out where CM is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum Conversion {
    /// Version 1.
    #[serde(rename = "1")]
    One,
    /// Version 2.
    #[serde(rename = "2")]
    Two,
    /// Version 3.
    #[default]
    #[serde(rename = "3")]
    Three,
}

/// A diagnostic message of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Diagnostic {
    /// Active codes.
    Dm1,
    /// Previously active codes.
    Dm2,
    /// Pending codes.
    Dm6,
    /// Confirmed codes that concern emissions and light the lamp.
    Dm12,
    /// Previously of DM12.
    Dm23,
    /// Permanent codes.
    Dm28,
}

impl Diagnostic {
    /// By its parameter group.
    pub fn of(pgn: u32) -> Option<Diagnostic> {
        Some(match pgn {
            pgn::DM1 => Diagnostic::Dm1,
            pgn::DM2 => Diagnostic::Dm2,
            pgn::DM6 => Diagnostic::Dm6,
            pgn::DM12 => Diagnostic::Dm12,
            pgn::DM23 => Diagnostic::Dm23,
            pgn::DM28 => Diagnostic::Dm28,
            _ => return None,
        })
    }

    /// Of which class it is the whole list. DM23 is of none: it is a part of what DM2 lists.
    pub fn covers(self) -> Classes {
        match self {
            Diagnostic::Dm1 => Classes::ACTIVE,
            Diagnostic::Dm2 => Classes::PREVIOUSLY_ACTIVE,
            Diagnostic::Dm6 => Classes::PENDING,
            Diagnostic::Dm12 => Classes::STORED,
            Diagnostic::Dm23 => Classes::NONE,
            Diagnostic::Dm28 => Classes::PERMANENT,
        }
    }
}

/// What a lamp does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// Dark.
    Off,
    /// Lit.
    On,
    /// Flashes once a second.
    SlowFlash,
    /// Flashes twice a second or faster.
    FastFlash,
    /// Not told, or told in a way that the standard does not use.
    Unavailable,
}

impl Light {
    fn of(status: u8, flash: u8) -> Light {
        match (status & 3, flash & 3) {
            (0, _) => Light::Off,
            (1, 0) => Light::SlowFlash,
            (1, 1) => Light::FastFlash,
            (1, _) => Light::On,
            _ => Light::Unavailable,
        }
    }

    /// Lit, flashing included; `None` where not told.
    pub fn lit(self) -> Option<bool> {
        match self {
            Light::Off => Some(false),
            Light::On | Light::SlowFlash | Light::FastFlash => Some(true),
            Light::Unavailable => None,
        }
    }

    /// In JSON.
    pub fn word(self) -> &'static str {
        match self {
            Light::Off => "off",
            Light::On => "on",
            Light::SlowFlash => "slowFlash",
            Light::FastFlash => "fastFlash",
            Light::Unavailable => "notAvailable",
        }
    }
}

/// The four lamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lamps {
    /// Malfunction indicator: emissions.
    pub malfunction: Light,
    /// Red stop: stop the vehicle.
    pub stop: Light,
    /// Amber warning: need not stop.
    pub warning: Light,
    /// Protect: not of the electronics, coolant for one.
    pub protect: Light,
}

/// A code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Suspect parameter, 19 bits.
    pub spn: u32,
    /// Failure mode, 5 bits.
    pub fmi: u8,
    /// How often, to 126; `None` where not counted.
    pub occurrences: Option<u8>,
    /// CM is 1: the SPN is by a conversion that the message does not name.
    pub ambiguous: bool,
}

impl Record {
    /// `None` of what stands for no code: SPN 0 with FMI 0, or nothing but ones.
    pub fn read(bytes: [u8; 4], conversion: Conversion) -> Option<Record> {
        let [first, second, third, fourth] = bytes;
        let ambiguous = fourth & 0x80 != 0;
        let [low, middle, high] = [first, second, third >> 5].map(u32::from);
        let spn = match conversion {
            Conversion::One if ambiguous => (low << 11) | (middle << 3) | high,
            Conversion::Two if ambiguous => (middle << 11) | (low << 3) | high,
            Conversion::One | Conversion::Two | Conversion::Three => low | (middle << 8) | (high << 16),
        };
        let (fmi, count) = (third & 0x1F, fourth & 0x7F);
        let none = (spn == 0 && fmi == 0) || bytes == [0xFF; 4];
        (!none).then_some(Record { spn, fmi, occurrences: (count != 0x7F).then_some(count), ambiguous })
    }

    /// As the vehicle keeps it.
    pub fn listed(self, classes: Classes) -> Listed {
        let occurrences = self.occurrences.filter(|count| *count > 0);
        Listed { code: Code::J1939 { spn: self.spn, fmi: self.fmi }, classes, mil: None, occurrences }
    }
}

/// Lamps and codes, still in the bytes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// The lamps.
    pub lamps: Lamps,
    codes: &'a [u8],
}

impl<'a> Report<'a> {
    /// A message is 6 bytes, those and two of padding, or four bytes more for each further code; `None` of what is not.
    pub fn read(data: &'a [u8]) -> Option<Report<'a>> {
        let (&[status, flash], codes) = data.split_first_chunk()?;
        let codes = if codes.len() == 6 { codes.get(..4)? } else { codes };
        let light = |from: u8| Light::of(status >> from, flash >> from);
        let lamps = Lamps { malfunction: light(6), stop: light(4), warning: light(2), protect: light(0) };
        (!codes.is_empty() && codes.len() % 4 == 0).then_some(Report { lamps, codes })
    }

    /// The codes, without what stands for none.
    pub fn records(self, conversion: Conversion) -> impl Iterator<Item = Record> + 'a {
        let four = self.codes.chunks_exact(4).filter_map(|chunk| <[u8; 4]>::try_from(chunk).ok());
        four.filter_map(move |bytes| Record::read(bytes, conversion))
    }
}
