//! Buses, receivers and units: what there is to read, and that no two of them are the same thing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fault::{Findings, Place};
use super::nearest::nearest;
use super::paths;
use super::site::{self, Entry, UnitEntry};

/// Where the frames of a bus come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bus {
    /// Its name in the profile.
    pub name: String,
    /// The network interface; with `candump` the one whose lines are kept.
    pub interface: String,
    /// A log or FIFO in the place of the network interface. Several buses may share one.
    pub candump: Option<PathBuf>,
    /// Whether the controller has to be unable to send.
    pub listen_only: bool,
}

/// A bus as a profile names it, with the interface that it suggests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// What the profile says.
    pub interface: Option<String>,
    /// Where it says it.
    pub place: Place,
}

/// Joins what the profile reads with what the site connects: one entry for each bus of the profile, in its order. A board
/// may name buses that this vehicle does not have; a site may not. What is absent is absent at the site's `root`.
pub fn buses(wanted: &[Wanted], site: &BTreeMap<String, Entry<site::Bus>>, root: &Place, findings: &mut Findings) -> Vec<Bus> {
    for (name, entry) in site {
        if !wanted.iter().any(|bus| bus.name == *name) && entry.node.place.file == root.file {
            let cure = match nearest(name, wanted.iter().map(|bus| bus.name.as_str())) {
                Some(near) => format!("the nearest one that it has is `{near}`"),
                None => "name a vehicle.profile that reads it, or take it out".to_owned(),
            };
            findings.fault(&entry.node.place, format!("bus.{name}"), "is no bus of the vehicle profile", cure);
        }
    }
    let mut taken: Vec<(Option<PathBuf>, String, String)> = Vec::new();
    let mut buses = Vec::new();
    for Wanted { name, interface: suggested, place } in wanted {
        let entry = site.get(name);
        let says = entry.map(|entry| entry.says.clone()).unwrap_or_default();
        let at = |key: &str| entry.filter(|entry| entry.node.find(key).is_some()).map_or(place, |entry| entry.place(key));
        let key = |key: &str| format!("bus.{name}.{key}");
        let candump = says.candump.map(|given| paths::recording(at("candump"), &key("candump"), &given, findings));
        let Some(interface) = says.interface.or_else(|| suggested.clone()) else {
            let place = entry.map_or(root, |entry| &entry.node.place);
            let message = if candump.is_some() { "says not which lines of the log to keep" } else { "has no interface" };
            findings.fault(place, key("interface"), message, format!("add [bus.{name}] interface = \"can0\""));
            continue;
        };
        paths::interface(at("interface"), &key("interface"), &interface, candump.is_none(), findings);
        let same = |other: &&(Option<PathBuf>, String, String)| other.0 == candump && other.1 == interface;
        if let Some((.., other)) = taken.iter().find(same) {
            let message = format!("is {interface}, which bus.{other} reads already");
            findings.fault(at("interface"), key("interface"), message, "give each bus an interface of its own");
        }
        taken.push((candump.clone(), interface.clone(), name.clone()));
        buses.push(Bus { name: name.clone(), interface, candump, listen_only: says.listen_only.unwrap_or(true) });
    }
    buses
}

/// Notes each value of `key` that an entry before it has already, with `same` to tell what is the same.
pub fn distinct<T>(
    entries: &[Entry<T>],
    section: &str,
    key: &str,
    cure: &str,
    same: impl Fn(&T) -> Option<String>,
    findings: &mut Findings,
) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        let Some(value) = same(&entry.says) else { continue };
        let place = entry.place(key);
        if let Some(line) = seen.get(&value) {
            let message = format!("is {value}, which stands in line {line} already");
            findings.fault(place, format!("{section}.{key}"), message, cure);
        }
        seen.entry(value).or_insert(place.line);
    }
}

/// Two names of one thing: what a link leads to, where that can be told.
pub fn identity(place: &Place, path: &Path) -> String {
    let path = paths::resolve(place, path);
    path.canonicalize().unwrap_or(path).display().to_string()
}

/// A unit of the fleet's interface: the car's receiver, or a trailer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Positive.
    pub id: u64,
    /// For people.
    pub name: Option<String>,
    /// Its receiver, by name.
    pub gnss: Option<String>,
}

/// As many as one vehicle has at most.
const MAX_UNITS: usize = 8;

/// The units, each with an id of its own and a receiver that there is.
pub fn units(entries: &[Entry<UnitEntry>], receivers: &[String], findings: &mut Findings) -> Vec<Unit> {
    if let Some(surplus) = entries.get(MAX_UNITS) {
        findings.fault(&surplus.node.place, "units", format!("are {}", entries.len()), format!("name at most {MAX_UNITS}"));
    }
    let cure = "give each unit a number of its own";
    distinct(entries, "units", "id", cure, |unit| unit.id.map(|id| id.to_string()), findings);
    let mut units = Vec::new();
    for entry in entries {
        let UnitEntry { id, name, gnss } = entry.says.clone();
        if let Some(unknown) = gnss.as_ref().filter(|gnss| !receivers.contains(gnss)) {
            let cure = match nearest(unknown, receivers.iter().map(String::as_str)) {
                Some(near) => format!("the nearest name of a [[gnss]] is `{near}`"),
                None => "add a [[gnss]] with this name".to_owned(),
            };
            findings.fault(entry.place("gnss"), "units.gnss", format!("there is no receiver `{unknown}`"), cure);
        }
        match id.map(u64::try_from) {
            Some(Ok(id)) if id > 0 => units.push(Unit { id, name, gnss }),
            Some(_) => findings.fault(entry.place("id"), "units.id", "is not positive", "number units from 1"),
            None if entry.node.find("id").is_none() => {
                findings.fault(&entry.node.place, "units.id", "is absent", "number units from 1");
            }
            None => {}
        }
    }
    units
}
