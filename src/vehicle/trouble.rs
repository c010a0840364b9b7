//! Trouble codes: what ECUs say is wrong with the car, from whichever protocol they say it in.
//!
//! A *reading* is what the ECUs answered to one question, or what one of them said unasked: per ECU the whole list of the
//! codes in the classes that the question was for. A code that such a list does not hold is not there.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::{Signal, Value};
use crate::clock::Wall;

/// The way in which an ECU was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// On-board diagnostics (SAE J1979, ISO 15031-5).
    #[serde(rename = "OBD-II")]
    Obd,
    /// Unified diagnostic services (ISO 14229-1), OBDonUDS (SAE J1979-2) included.
    #[serde(rename = "UDS")]
    Uds,
    /// Trucks and machines (SAE J1939-73).
    J1939,
}

/// An ECU, by how it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ecu {
    /// By the 11 bit id of its answers (ISO 15765-4: `7E8` to `7EF`).
    Normal(u16),
    /// By the 29 bit id of its answers (ISO 15765-4: `18DAF1xx`).
    Fixed(u32),
    /// By its source address (SAE J1939-81).
    J1939(u8),
}

impl Ecu {
    /// The id under which it is asked alone: 8 below that of its answers, or `18DAxxF1`. `None` where a question would not be
    /// one: outside of `700` to `7F7` other messages of the car live, `7DF` is for all, and under `7E8` to `7EF` ECUs answer.
    pub fn asked_at(self) -> Option<u32> {
        match self {
            Ecu::Normal(id @ (0x708..=0x7DE | 0x7E8..=0x7EF | 0x7F8..=0x7FF)) => Some(u32::from(id) - 8),
            Ecu::Fixed(id) if id >> 8 == 0x0018_DAF1 && id & 0xFF < 0xF0 => Some(0x18DA_00F1 | (id & 0xFF) << 8),
            Ecu::Normal(_) | Ecu::Fixed(_) | Ecu::J1939(_) => None,
        }
    }
}

/// As people write it: `7E8`, `18DAF110`, `SA 0`.
impl fmt::Display for Ecu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ecu::Normal(id) => write!(f, "{id:03X}"),
            Ecu::Fixed(id) => write!(f, "{id:08X}"),
            Ecu::J1939(address) => write!(f, "SA {address}"),
        }
    }
}

/// A trouble code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Code {
    /// Of SAE J2012 (ISO 15031-6): the two bytes of `P0301`, and the failure type of UDS's third byte where it was told.
    Iso {
        /// The two bytes: letter and digits.
        base: u16,
        /// The failure type byte (SAE J2012-DA); `None` where the protocol has none.
        failure: Option<u8>,
    },
    /// Of SAE J1939-73: suspect parameter and failure mode.
    J1939 {
        /// 19 bits.
        spn: u32,
        /// 5 bits.
        fmi: u8,
    },
}

/// As people write it, without the failure type: `P0301`, `SPN 110 FMI 0`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Iso { base, .. } => {
                let letter = ["P", "C", "B", "U"].get(usize::from(base >> 14)).copied().unwrap_or_default();
                write!(f, "{letter}{:04X}", base & 0x3FFF)
            }
            Code::J1939 { spn, fmi } => write!(f, "SPN {spn} FMI {fmi}"),
        }
    }
}

/// In which lists of an ECU a code stands: a set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Classes(pub u8);

impl Protocol {
    /// What a source of codes is called in events and in the status.
    pub const fn source(self) -> &'static str {
        match self {
            Protocol::Obd => "obd",
            Protocol::Uds => "uds",
            Protocol::J1939 => "j1939",
        }
    }
}

impl Classes {
    /// Those of which one is enough for a fault to be there: an ECU that lists a code in none of them has cleared it.
    /// Permanent and previously active ones are of a fault that is gone.
    pub const HELD: Classes = Classes::STORED.and(Classes::PENDING).and(Classes::ACTIVE);
    /// None.
    pub const NONE: Classes = Classes(0);
    /// Confirmed and stored: OBD-II mode 03; UDS status bit 3.
    pub const STORED: Classes = Classes(1);
    /// Seen, not yet confirmed: mode 07; UDS status bit 2.
    pub const PENDING: Classes = Classes(2);
    /// Cannot be cleared by a tester: mode 0A.
    pub const PERMANENT: Classes = Classes(4);
    /// Failing now: UDS status bit 0; J1939 DM1.
    pub const ACTIVE: Classes = Classes(8);
    /// Was active before: J1939 DM2.
    pub const PREVIOUSLY_ACTIVE: Classes = Classes(16);

    /// Each class with the word for it in JSON.
    pub const NAMES: [(Classes, &'static str); 5] = [
        (Classes::STORED, "stored"),
        (Classes::PENDING, "pending"),
        (Classes::PERMANENT, "permanent"),
        (Classes::ACTIVE, "active"),
        (Classes::PREVIOUSLY_ACTIVE, "previouslyActive"),
    ];

    /// These and those.
    pub const fn and(self, those: Classes) -> Classes {
        Classes(self.0 | those.0)
    }

    /// These but those.
    pub const fn without(self, those: Classes) -> Classes {
        Classes(self.0 & !those.0)
    }

    /// What is in both.
    pub const fn both(self, those: Classes) -> Classes {
        Classes(self.0 & those.0)
    }

    /// Whether some of `those` are among these.
    pub const fn any(self, those: Classes) -> bool {
        self.0 & those.0 != 0
    }

    /// The words, in the order of [`Classes::NAMES`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Classes::NAMES.into_iter().filter(move |(class, _)| self.any(*class)).map(|(_, name)| name)
    }
}

/// A code in an ECU's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Which.
    pub code: Code,
    /// In which of the classes of the reading it stands.
    pub classes: Classes,
    /// Whether it asks for the malfunction indicator lamp (UDS status bit 7, the lamp of a J1939 record); `None` where the
    /// protocol does not say it of single codes.
    pub mil: Option<bool>,
    /// How often it occurred, where told (J1939: 1 to 126).
    pub occurrences: Option<u8>,
}

/// What ECUs said of their codes, of one question or unasked: one reading.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeReading {
    /// How they were heard.
    pub protocol: Protocol,
    /// Of which classes the lists are whole.
    pub covers: Classes,
    /// Each ECU that answered, with its list. One that did not answer is absent: silence clears nothing.
    pub lists: Vec<(Ecu, Vec<Listed>)>,
}

/// The malfunction indicator lamp as one ECU has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lamp {
    /// Whose word it is.
    pub ecu: Ecu,
    /// Lit, flashing included.
    pub on: bool,
    /// How many confirmed codes it says it has (mode 01 PID 01), where told.
    pub count: Option<u8>,
}

/// The self-tests of one ECU (SAE J1979, mode 01 PID 01 and 41).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whose.
    pub ecu: Ecu,
    /// Each monitor that it has, by its name in camelCase (`misfire`, `catalyst`), and whether it is complete.
    pub monitors: Vec<(String, bool)>,
}

/// What was measured when a code was set: the freeze frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreezeFrame {
    /// Whose.
    pub ecu: Ecu,
    /// The code it belongs to.
    pub code: Code,
    /// Values by VSS 5 path (`Vehicle.OBD.CoolantTemperature`), in that path's unit; of what has no path, by PID or
    /// identifier with its bytes: `PID 5C`: `"7B"`.
    pub values: Vec<(String, Value)>,
}

/// What an ECU keeps of a code besides its status and its freeze frame: how often it occurred, how it ages, and the like (UDS
/// 19 06).
///
/// ISO 14229-1 (`DTCExtDataRecordNumber`) says which numbers records have, 01 to 8F the maker's and 90 to EF those of
/// emissions, and of none what is in it: so they are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    /// Whose.
    pub ecu: Ecu,
    /// The code it belongs to.
    pub code: Code,
    /// The record's number; [`Extended::ALL`] where there are several and nobody can tell where one ends.
    pub number: u8,
    /// What it holds; of all of them each with its number before it.
    pub bytes: Vec<u8>,
}

impl Extended {
    /// All records one after the other.
    pub const ALL: u8 = 0xFF;
}

/// One fault: what is known of one code of one ECU.
///
/// As JSON `{"code", "text", "protocols", "ecu", "status", "spn", "fmi", "occurrences", "failureType", "mil", "firstSeen",
/// "lastSeen", "freezeFrame", "extendedData"}`; absent is what nobody told. `failureType` is the byte in hexadecimal, as SAE
/// J2012-DA names it; `freezeFrame` is an object of [`FreezeFrame::values`], `extendedData` one of [`Extended`]: number and
/// bytes in hexadecimal.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeRecord {
    /// Whose.
    pub ecu: Ecu,
    /// Which.
    pub code: Code,
    /// What it means, in a few words; the engine does not know it.
    pub text: Option<String>,
    /// How it was heard; each once, in order.
    pub protocols: Vec<Protocol>,
    /// In which lists it stands.
    pub classes: Classes,
    /// How often it occurred.
    pub occurrences: Option<u8>,
    /// Whether it asks for the malfunction indicator lamp.
    pub mil: Option<bool>,
    /// When it was first listed.
    pub first_seen: Wall,
    /// When it was last listed.
    pub last_seen: Wall,
    /// What was measured when it was set.
    pub freeze_frame: Vec<(String, Value)>,
    /// What its ECU keeps of it besides, by record number: bytes in hexadecimal.
    pub extended: Vec<(u8, String)>,
}

impl Serialize for CodeRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &self.code.to_string())?;
        if let Some(text) = &self.text {
            map.serialize_entry("text", text)?;
        }
        map.serialize_entry("protocols", &self.protocols)?;
        map.serialize_entry("ecu", &self.ecu.to_string())?;
        map.serialize_entry("status", &self.classes.names().collect::<Vec<_>>())?;
        match self.code {
            Code::Iso { failure: Some(failure), .. } => map.serialize_entry("failureType", &format!("{failure:02X}"))?,
            Code::Iso { failure: None, .. } => {}
            Code::J1939 { spn, fmi } => {
                map.serialize_entry("spn", &spn)?;
                map.serialize_entry("fmi", &fmi)?;
            }
        }
        if let Some(occurrences) = self.occurrences {
            map.serialize_entry("occurrences", &occurrences)?;
        }
        if let Some(mil) = self.mil {
            map.serialize_entry("mil", &mil)?;
        }
        map.serialize_entry("firstSeen", &self.first_seen.to_string())?;
        map.serialize_entry("lastSeen", &self.last_seen.to_string())?;
        if !self.freeze_frame.is_empty() {
            map.serialize_entry("freezeFrame", &Object(&self.freeze_frame))?;
        }
        if !self.extended.is_empty() {
            map.serialize_entry("extendedData", &Records(&self.extended))?;
        }
        map.end()
    }
}

/// Names and values as an object.
struct Object<'a>(&'a [(String, Value)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Numbers and bytes as an object.
struct Records<'a>(&'a [(u8, String)]);

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(number, bytes)| (format!("{number:02X}"), bytes)))
    }
}

/// What an ECU has under an identifier that the profile names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identified {
    /// Whose.
    pub ecu: Ecu,
    /// What the profile calls it.
    pub name: String,
    /// As text, or its bytes in hexadecimal where it is none.
    pub value: String,
}

/// What diagnosis heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Codes, of one question.
    Codes(CodeReading),
    /// A lamp.
    Lamp(Lamp),
    /// Self-tests.
    Readiness(Readiness),
    /// An identifier.
    Identified(Identified),
    /// A freeze frame.
    Freeze(FreezeFrame),
    /// A record that an ECU keeps of a code.
    Extended(Extended),
    /// Somebody's tester was told by this ECU that its codes are cleared.
    Cleared(Ecu),
    /// A value that an ECU measures, in the signal's unit; of a signal that the profile does not map.
    Measured(Signal, f64),
    /// The number that the car has, told twice alike.
    Vin(super::Vin),
    /// Whether the ECUs of `source` answer (`obd`, `uds`, `j1939`).
    Answering {
        /// Which protocol.
        protocol: Protocol,
        /// Whether.
        yes: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ecu_is_asked_under_an_id_that_may_be_another_message_of_the_car() {
        let normal = |id| Ecu::Normal(id).asked_at();
        assert_eq!([normal(0x7E8), normal(0x7EF), normal(0x72E), normal(0x7FF)], [0x7E0, 0x7E7, 0x726, 0x7F7].map(Some));
        for id in [0, 8, 0x0A8, 0x6FF, 0x707, 0x7DF, 0x7E7, 0x7F0, 0x7F7, 0x800] {
            assert_eq!(normal(id), None, "{id:X}");
        }
        let fixed = |id| Ecu::Fixed(id).asked_at();
        assert_eq!([fixed(0x18DA_F110), fixed(0x18DA_F1F1), fixed(0x18FE_CA00)], [Some(0x18DA_10F1), None, None]);
        assert_eq!(Ecu::J1939(0).asked_at(), None);
    }

    #[test]
    fn codes_and_ecus_are_written_as_people_write_them() {
        let iso = |base| Code::Iso { base, failure: Some(0x1A) }.to_string();
        assert_eq!(
            [iso(0x0301), iso(0x4035), iso(0x9234), iso(0xC100), iso(0x3FFF)],
            ["P0301", "C0035", "B1234", "U0100", "P3FFF"]
        );
        assert_eq!(Code::J1939 { spn: 110, fmi: 0 }.to_string(), "SPN 110 FMI 0");
        assert_eq!(
            [Ecu::Normal(0x7E8), Ecu::Fixed(0x18DA_F110), Ecu::J1939(0)].map(|ecu| ecu.to_string()),
            ["7E8", "18DAF110", "SA 0"]
        );
        assert_eq!(Classes::STORED.and(Classes::ACTIVE).names().collect::<Vec<_>>(), ["stored", "active"]);
    }
}
