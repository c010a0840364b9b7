//! What a profile says of the car's diagnosis: on which bus its ECUs can be heard, and how they are spoken to.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::Bus;
use super::fields::{Document, Fields, whole};
use super::nearest::meant;
use crate::vehicle::BusId;
use crate::vehicle::trouble::Ecu;

/// More identifiers than this would keep a poller from everything else.
const MOST_IDENTIFIERS: usize = 64;
/// Longest name of an identifier, in bytes.
const LONGEST_NAME: usize = 64;

/// How the car can be asked what is wrong with it. Whether anything may be asked is the site's word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// The bus on which ECUs answer OBD-II and UDS.
    pub obd: Option<BusId>,
    /// How they are addressed.
    pub addressing: Addressing,
    /// The bus on which J1939 is spoken.
    pub j1939: Option<BusId>,
    /// What is read by UDS 0x22.
    pub identifiers: Vec<Identifier>,
}

/// How requests of OBD-II are addressed (ISO 15765-4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// First with 11 bits, then with 29: what answers first stays.
    #[default]
    Either,
    /// With 11 bits: `7DF`, `7E0` to `7E7`.
    Normal,
    /// With 29 bits: `18DB33F1`, `18DAxxF1`.
    Fixed,
}

/// A data identifier of one ECU (ISO 14229-1, 11.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// Who has it, by the id of its answers.
    pub ecu: Ecu,
    /// The identifier.
    pub did: u16,
    /// What people call it.
    pub name: String,
}

/// What `[diagnostics]` says, where it stands there.
pub(super) fn read(document: &Document<'_>, table: &DeTable<'_>, span: Range<usize>, buses: &[Bus]) -> Diagnosis {
    let known = ["obd", "addressing", "j1939", "identifiers"];
    let fields = Fields::new(document, table, "diagnostics", span, &known);
    let addressing = match fields.text("addressing", "11-bit") {
        None | Some(("either", _)) => Addressing::Either,
        Some(("11-bit", _)) => Addressing::Normal,
        Some(("29-bit", _)) => Addressing::Fixed,
        Some((other, span)) => {
            fields.problem(span, "addressing", format!("`{other}` is none; give `11-bit`, `29-bit` or `either`"));
            Addressing::Either
        }
    };
    let diagnosis = Diagnosis {
        obd: bus(&fields, "obd", buses),
        addressing,
        j1939: bus(&fields, "j1939", buses),
        identifiers: identifiers(document, &fields),
    };
    if fields.value("obd").is_none() && fields.value("j1939").is_none() {
        fields.problem(fields.span(), "", "no bus is named: add `obd = \"BUS\"`, `j1939 = \"BUS\"`, or both");
    }
    if fields.value("obd").is_none() && !diagnosis.identifiers.is_empty() {
        fields.problem(fields.span(), "identifiers", "identifiers are read by UDS: add `obd = \"BUS\"`");
    }
    diagnosis
}

fn bus(fields: &Fields<'_, '_>, key: &str, buses: &[Bus]) -> Option<BusId> {
    let (name, span) = fields.text(key, "powertrain")?;
    let found = (0..).zip(buses).find(|(_, bus)| bus.name == name).map(|(id, _)| BusId(id));
    if found.is_none() {
        let meant = meant(name, buses.iter().map(|bus| bus.name.as_str()));
        fields.problem(span, key, format!("there is no `[bus.{name}]`{meant}"));
    }
    found
}

fn identifiers(document: &Document<'_>, fields: &Fields<'_, '_>) -> Vec<Identifier> {
    let Some(value) = fields.value("identifiers") else { return Vec::new() };
    let example = "[{ ecu = \"7E8\", did = 0xF187, name = \"partNumber\" }]";
    let Some(entries) = value.get_ref().as_array() else {
        fields.problem(value.span(), "identifiers", format!("this is a list of tables, as in `identifiers = {example}`"));
        return Vec::new();
    };
    if entries.len() > MOST_IDENTIFIERS {
        fields.problem(
            value.span(),
            "identifiers",
            format!("there are {}, and at most {MOST_IDENTIFIERS} are read", entries.len()),
        );
    }
    let mut read: Vec<Identifier> = Vec::new();
    for entry in entries.iter() {
        let DeValue::Table(table) = entry.get_ref() else {
            fields.problem(entry.span(), "identifiers", format!("an identifier is a table, as in `identifiers = {example}`"));
            continue;
        };
        let Some(identifier) = identifier(document, table, entry.span()) else { continue };
        if read.iter().any(|other| (other.ecu, other.did) == (identifier.ecu, identifier.did)) {
            let what = format!("{:04X} of {} stands here twice; take one out", identifier.did, identifier.ecu);
            fields.problem(entry.span(), "identifiers", what);
        }
        read.push(identifier);
    }
    read
}

fn identifier(document: &Document<'_>, table: &DeTable<'_>, span: Range<usize>) -> Option<Identifier> {
    let fields = Fields::new(document, table, "diagnostics.identifiers", span, &["ecu", "did", "name"]);
    let (ecu, did) = (ecu(&fields), did(&fields));
    let (name, span) = fields.needed_text("name", "partNumber")?;
    if name.is_empty() || name.len() > LONGEST_NAME {
        fields.problem(span, "name", format!("a name has 1 to {LONGEST_NAME} bytes"));
        return None;
    }
    Some(Identifier { ecu: ecu?, did: did?, name: name.to_owned() })
}

/// An ECU by the id of its answers: 11 bits, or `18DAF1` and its address.
fn ecu(fields: &Fields<'_, '_>) -> Option<Ecu> {
    let (text, span) = fields.needed_text("ecu", "7E8")?;
    let ecu: Option<Ecu> = match (text.len(), u32::from_str_radix(text, 16)) {
        (3, Ok(id @ 0..=0x7FF)) => u16::try_from(id).ok().map(Ecu::Normal),
        (8, Ok(id)) if id >> 8 == 0x0018_DAF1 => Some(Ecu::Fixed(id)),
        _ => None,
    };
    if ecu.is_none() {
        fields.problem(span, "ecu", format!("`{text}` is no ECU; give the id of its answers, as `7E8` or `18DAF110`"));
    } else if ecu.and_then(Ecu::asked_at).is_none() {
        let what = "the question would go out under an id that is none of diagnosis; an ECU of 11 bit ids answers in 708 to 7DE, \
                    7E8 to 7EF, or 7F8 to 7FF, one of 29 bits has an address under F0";
        fields.problem(span, "ecu", format!("`{text}`: {what}"));
        return None;
    }
    ecu
}

fn did(fields: &Fields<'_, '_>) -> Option<u16> {
    let Some(value) = fields.value("did") else {
        fields.problem(fields.span(), "did", "this is missing, as in `did = 0xF187`");
        return None;
    };
    let did = whole(value.get_ref()).and_then(|did| u16::try_from(did).ok());
    if did.is_none() {
        fields.problem(value.span(), "did", "this is a whole number of two bytes, as in `did = 0xF187`");
    }
    did
}
