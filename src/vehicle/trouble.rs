//! Trouble codes: what ECUs say is wrong with the car, from whichever protocol they say it in.
//!
//! A *reading* is what the ECUs answered to one question, or what one of them said unasked: per ECU the whole list of the
//! codes in the classes that the question was for. A code that such a list does not hold is not there.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Signal;

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

impl Classes {
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
    pub values: Vec<(String, super::Value)>,
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
    /// A freeze frame.
    Freeze(FreezeFrame),
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
