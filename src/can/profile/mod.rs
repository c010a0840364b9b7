//! A vehicle profile: which signal of which database on which bus feeds which path of VSS.
//!
//! ```toml
//! [bus.body]
//! dbc = ["car.dbc"]                    # relative to this file
//! interface = "can0"                   # a site may name another one
//!
//! [[signals."Vehicle.Speed"]]          # a path may have several sources; the newest counts
//! bus = "body"
//! message = "WHL_SPD11"                # long names or short ones
//! signal = "WHL_SPD_FL"
//! scale = 1.609344                     # on top of the database's factor and offset: value × scale + offset
//! stale_after = 5                      # seconds; otherwise by the message's period
//!
//! [[signals."Vehicle.Cabin.IsLocked"]]
//! bus = "body"
//! message = "CGW1"
//! signal = "CF_Gway_RKECmd"
//! values = { 1 = true, 2 = false }     # raw to VSS; a raw value that is not listed changes nothing
//! latched = true                       # the car sends only commands: the value holds until the next
//!
//! [[signals."Vehicle.Cabin.RearOccupant.IsDetected"]]
//! bus = "cabin"
//! message = "CABIN_PRESENCE"
//! signal = "RearOccupantDetected"
//! values = { 0 = false, 1 = true }
//! valid = { signal = "SensorFault", equals = 0 }   # a signal of the same message and its raw value; else unknown
//! covers = "rear"                      # sees every rear seat
//! always = true                        # its silence is a fault with the ignition off too
//!
//! [diagnostics]                        # where the car's ECUs say what is wrong with it
//! obd = "body"                         # the bus with the ECUs of OBD-II and UDS; one that only serves this needs no dbc
//! addressing = "11-bit"                # or "29-bit"; without it both are tried
//! j1939 = "truck"                      # the bus on which J1939 is spoken
//! identifiers = [{ ecu = "7E8", did = 0xF187, name = "partNumber" }]   # read by UDS 0x22
//! ```
//!
//! Every mistake is told, not the first only, each with file, line and key, and what would be right.

mod diagnosis;
mod fields;
mod nearest;
mod source;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::dbc::{Database, Fault, Loss};
use super::decoder::Decoder;
use crate::vehicle::{Layout, Signal, SourceId};
use fields::{Document, Fields};
use nearest::meant;
use source::Source;

pub use diagnosis::{Addressing, Diagnosis, Identifier};
pub use fields::Problem;
pub use nearest::nearest;

/// A profile, resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Which sources feed which signals.
    pub layout: Layout,
    /// Frames to readings.
    pub decoder: Decoder,
    /// What it says of each bus of the layout.
    pub buses: Vec<ProfileBus>,
    /// Where and how ECUs can be asked what is wrong with the car.
    pub diagnosis: Diagnosis,
    /// What the databases hold that was passed over.
    pub warnings: Vec<Problem>,
}

/// What a profile says of a bus, beside its databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileBus {
    /// Its interface, where the site names no other.
    pub interface: Option<String>,
    /// The line of the profile on which it begins.
    pub line: usize,
}

/// A bus, with its databases.
struct Bus {
    name: String,
    said: ProfileBus,
    databases: Vec<(PathBuf, Database)>,
    /// Whether all its databases were read: otherwise nothing can be said about what they lack.
    whole: bool,
}

impl Bus {
    fn faults(&self) -> impl Iterator<Item = (&Path, &Fault)> {
        self.databases.iter().flat_map(|(file, database)| database.faults().iter().map(|fault| (file.as_path(), fault)))
    }
}

impl Profile {
    /// Reads a profile and its databases.
    pub fn read(file: &Path) -> Result<Profile, Vec<Problem>> {
        let text = fs::read_to_string(file).map_err(|error| {
            let what = format!("the profile cannot be read: {error}");
            vec![Problem { file: file.to_owned(), line: None, key: String::new(), what }]
        })?;
        Profile::parse(file, &text, Database::read)
    }

    /// Reads the profile `text` that stands in `file`; `open` reads a database.
    pub fn parse(file: &Path, text: &str, open: impl FnMut(&Path) -> io::Result<Database>) -> Result<Profile, Vec<Problem>> {
        let document = Document::new(file, text);
        let profile = match DeTable::parse(text) {
            Ok(table) => read(&document, file, table.get_ref(), open),
            Err(error) => {
                document.problem(error.span().unwrap_or_default(), "", format!("this is no TOML: {}", error.message()));
                Profile::default()
            }
        };
        let problems = document.into_problems();
        if problems.is_empty() { Ok(profile) } else { Err(problems) }
    }
}

fn read(
    document: &Document<'_>,
    file: &Path,
    table: &DeTable<'_>,
    mut open: impl FnMut(&Path) -> io::Result<Database>,
) -> Profile {
    let fields = Fields::new(document, table, "", 0..0, &["bus", "signals", "diagnostics"]);
    let diagnosed = fields.table("diagnostics", "…");
    let needs_no_database = |name: &str| {
        let named = |key| diagnosed.as_ref().and_then(|(table, _)| table.get(key)?.get_ref().as_str());
        named("obd") == Some(name) || named("j1939") == Some(name)
    };
    let mut buses = Vec::new();
    for (name, value) in in_order(fields.table("bus", "…").map(|(table, _)| table)) {
        let key = format!("bus.{name}");
        match value.get_ref().as_table() {
            Some(table) => buses.push(bus(document, file, (name, needs_no_database(name)), table, value.span(), &mut open)),
            None => document.problem(value.span(), &key, format!("a bus is a table, `[bus.{name}]`")),
        }
    }
    if buses.len() > usize::from(u8::MAX) {
        document.problem(0..0, "bus", "there are at most 255 buses");
        return Profile::default();
    }
    let mut sources = Vec::new();
    for (path, value) in in_order(fields.table("signals", "…").map(|(table, _)| table)) {
        let key = format!("signals.\"{path}\"");
        if value.get_ref().is_table() && !path.contains('.') {
            document.problem(value.span(), &key, "a path stands in quotes, `[[signals.\"Vehicle.Speed\"]]`");
            continue;
        }
        let Some(signal) = Signal::from_any_path(path) else {
            let meant = meant(path, Signal::ALL.iter().map(|signal| signal.path()));
            document.problem(value.span(), &key, format!("there is no such signal in VSS 5 or its overlay{meant}"));
            continue;
        };
        let Some(array) = value.get_ref().as_array() else {
            let what = format!("sources are tables in double brackets, `[[{key}]]`");
            document.problem(value.span(), &key, what);
            continue;
        };
        for entry in array.iter() {
            match entry.get_ref() {
                DeValue::Table(table) => sources.extend(source::read(document, table, entry.span(), path, signal, &buses)),
                _ => document.problem(entry.span(), &key, format!("a source is a table, `[[{key}]]`")),
            }
        }
    }
    if sources.len() > usize::from(u16::MAX) {
        document.problem(0..0, "signals", "there are at most 65,535 sources");
        return Profile::default();
    }
    let diagnosis = diagnosed.map(|(table, span)| diagnosis::read(document, table, span, &buses)).unwrap_or_default();
    Profile { diagnosis, ..put_together(buses, sources) }
}

/// The entries of a table in the order of the file.
fn in_order<'t, 'i>(table: Option<&'t DeTable<'i>>) -> Vec<(&'t str, &'t toml::Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.into_iter().flat_map(|table| table.iter()).collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter().map(|(key, value)| (key.get_ref().as_ref(), value)).collect()
}

fn bus(
    document: &Document<'_>,
    file: &Path,
    (name, needs_no_database): (&str, bool),
    table: &DeTable<'_>,
    span: std::ops::Range<usize>,
    open: &mut impl FnMut(&Path) -> io::Result<Database>,
) -> Bus {
    let fields = Fields::new(document, table, format!("bus.{name}"), span.clone(), &["dbc", "interface"]);
    let interface = fields.text("interface", "can0").map(|(interface, _)| interface.to_owned());
    let said = ProfileBus { interface, line: document.line(span.start) };
    let mut bus = Bus { name: name.to_owned(), said, databases: Vec::new(), whole: true };
    let example = "this is a list of files, as in `dbc = [\"car.dbc\"]`";
    let Some(value) = fields.value("dbc") else {
        if needs_no_database {
            return bus;
        }
        fields.problem(span, "dbc", format!("this is missing: {example}"));
        bus.whole = false;
        return bus;
    };
    let names: Vec<_> = match value.get_ref() {
        DeValue::Array(array) => array.iter().map(|entry| (entry.get_ref().as_str(), entry.span())).collect(),
        other => vec![(other.as_str(), value.span())],
    };
    if names.is_empty() {
        fields.problem(value.span(), "dbc", format!("this is empty: {example}"));
    }
    for (name, span) in names {
        let Some(name) = name else {
            fields.problem(span, "dbc", example);
            bus.whole = false;
            continue;
        };
        let path = file.parent().unwrap_or(Path::new("")).join(name);
        match open(&path) {
            Ok(database) => bus.databases.push((path, database)),
            Err(error) => {
                let what = format!("{} cannot be read: {error}; paths are relative to the profile", path.display());
                fields.problem(span, "dbc", what);
                bus.whole = false;
            }
        }
    }
    bus
}

fn put_together(buses: Vec<Bus>, sources: Vec<Source>) -> Profile {
    let mut mapped: Vec<Vec<_>> = buses.iter().map(|_| Vec::new()).collect();
    let mut layout = Layout { buses: buses.iter().map(|bus| bus.name.clone()).collect(), sources: Vec::new() };
    for (source, id) in sources.into_iter().zip(0_u16..) {
        let Source { spec, bus, id: arbitration_id, mapped: signal } = source;
        layout.sources.push(spec);
        if let Some(mapped) = mapped.get_mut(usize::from(bus.0)) {
            mapped.push((arbitration_id, super::decoder::Mapped { source: SourceId(id), ..signal }));
        }
    }
    let warning = |file: &Path, fault: &Fault| {
        let what = match fault.loss {
            Loss::Nothing => format!("passed over: {}", fault.what),
            Loss::Message(_) | Loss::Signal(..) | Loss::Unknown => format!("passed over, as nothing maps it: {}", fault.what),
        };
        Problem { file: file.to_owned(), line: Some(fault.line as usize), key: String::new(), what }
    };
    Profile {
        layout,
        decoder: Decoder::new(mapped),
        warnings: buses.iter().flat_map(Bus::faults).map(|(file, fault)| warning(file, fault)).collect(),
        buses: buses.into_iter().map(|bus| bus.said).collect(),
        diagnosis: Diagnosis::default(),
    }
}

#[cfg(test)]
mod tests;
