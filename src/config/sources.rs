//! Buses, receivers and units: what there is to read, and that no two of them are the same thing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::fault::{Findings, Place};
use super::paths;
use super::site::{self, Entry, UnitEntry};
use super::typed::fields;
use crate::can::profile::nearest;
use crate::gnss;

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
/// may name buses that this vehicle does not have; a site, whose file begins at `root`, may not.
pub fn buses(wanted: &[Wanted], site: &BTreeMap<String, Entry<site::Bus>>, root: &Place, findings: &mut Findings) -> Vec<Bus> {
    let stray = |(name, entry): &(&String, &Entry<site::Bus>)| {
        entry.node.place.file == root.file && wanted.iter().all(|bus| bus.name != **name)
    };
    let strays: Vec<_> = site.iter().filter(stray).collect();
    for (name, entry) in &strays {
        let cure = match nearest(name, wanted.iter().map(|bus| bus.name.as_str())) {
            Some(near) => format!("the nearest one that it has is `{near}`"),
            None if wanted.is_empty() => "name a vehicle.profile that reads it, or take it out".to_owned(),
            None => format!("it has {}", wanted.iter().map(|bus| bus.name.as_str()).collect::<Vec<_>>().join(", ")),
        };
        findings.fault(&entry.node.place, format!("bus.{name}"), "is no bus of the vehicle profile", cure);
    }
    let mut buses: Vec<Bus> = Vec::new();
    for Wanted { name, interface: suggested, place } in wanted {
        let entry = site.get(name);
        let says = entry.map(|entry| entry.says.clone()).unwrap_or_default();
        let at = |key: &str| entry.filter(|entry| entry.node.find(key).is_some()).map_or(place, |entry| entry.place(key));
        let key = |key: &str| format!("bus.{name}.{key}");
        let candump = says.candump.map(|given| paths::recording(at("candump"), &key("candump"), &given, findings));
        // Site over vehicle over board.
        let of_site = at("interface").file == root.file;
        let (interface, place) = match (says.interface, suggested.clone()) {
            (Some(_), Some(suggested)) if !of_site => (Some(suggested), place),
            (says, suggested) => (says.or(suggested), at("interface")),
        };
        let Some(interface) = interface else {
            // A misspelt name is told already, and what it would have said is not missed as well.
            if entry.map_or(strays.is_empty(), is_spelt) {
                let message = if candump.is_some() { "is absent: which lines of the log?" } else { "is absent" };
                let (place, cure) = match entry {
                    Some(entry) => (&entry.node.place, "add interface = \"can0\"".to_owned()),
                    None => (place, format!("add interface = \"can0\" here, or below [bus.{name}] in {}", root.file.display())),
                };
                findings.fault(place, key("interface"), message, cure);
            }
            continue;
        };
        paths::interface(place, &key("interface"), &interface, candump.is_none(), findings);
        if let Some(other) = buses.iter().find(|other| other.candump == candump && other.interface == interface) {
            let message = format!("is {interface}, which bus.{} reads already", other.name);
            findings.fault(place, key("interface"), message, "give each bus an interface of its own");
        }
        buses.push(Bus { name: name.clone(), interface, candump, listen_only: says.listen_only.unwrap_or(true) });
    }
    buses
}

fn is_spelt(entry: &Entry<site::Bus>) -> bool {
    entry.node.table().into_iter().flatten().all(|(key, _)| fields::<site::Bus>().contains(&key.as_str()))
}

/// Notes each value of `key` that an entry before it has already, with `same` to tell what is the same.
pub fn distinct<T>(
    entries: &[Entry<T>],
    section: &str,
    key: &str,
    cure: &str,
    same: impl Fn(&Entry<T>) -> Option<String>,
    findings: &mut Findings,
) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        let Some(value) = same(entry) else { continue };
        let place = entry.place(key);
        if let Some(line) = seen.get(&value) {
            let message = format!("is {value}, which stands in line {line} already");
            findings.fault(place, format!("{section}.{key}"), message, cure);
        }
        seen.entry(value).or_insert(place.line);
    }
}

/// The receivers, each with a device and a name of its own, and their paths made whole. The first is the car's.
pub fn receivers(mut entries: Vec<Entry<gnss::Settings>>, buses: &[Bus], findings: &mut Findings) -> Vec<gnss::Settings> {
    shared(&entries, buses, findings);
    for (at, Entry { says, node }) in entries.iter_mut().enumerate() {
        if at > 0 && node.find("name").is_none() {
            says.name = format!("{}{}", gnss::Settings::default().name, at + 1);
        }
    }
    let cure = "one receiver has one [[gnss]]: give another device, or take one of the two out";
    distinct(&entries, "gnss", "device", cure, device, findings);
    distinct(&entries, "gnss", "name", "give each receiver a name of its own", |entry| Some(entry.says.name.clone()), findings);
    if let Some(surplus) = entries.get(MAX_UNITS) {
        findings.fault(&surplus.node.place, "gnss", format!("are {}", entries.len()), format!("name at most {MAX_UNITS}"));
    }
    let whole = |entry: Entry<gnss::Settings>| {
        let device = paths::port(entry.place("device"), "gnss.device", &entry.says.device, findings);
        gnss::Settings { device, ..entry.says }
    };
    entries.into_iter().filter(|entry| !entry.says.device.as_os_str().is_empty()).map(whole).collect()
}

/// Notes a receiver that is read as a bus as well: lines of a FIFO go to one of its readers.
fn shared(entries: &[Entry<gnss::Settings>], buses: &[Bus], findings: &mut Findings) {
    for entry in entries {
        let found = buses.iter().find(|bus| bus.candump.is_some() && bus.candump.as_deref().map(identity) == device(entry));
        if let Some(bus) = found {
            let message = format!("is bus.{}.candump too", bus.name);
            findings.fault(entry.place("device"), "gnss.device", message, "give the receiver a port or log of its own");
        }
    }
}

fn device(entry: &Entry<gnss::Settings>) -> Option<String> {
    let given = &entry.says.device;
    (!given.as_os_str().is_empty()).then(|| identity(&paths::resolve(entry.place("device"), given)))
}

/// Two names of one file are one: what a link leads to, where that can be told.
fn identity(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// A unit of the fleet's interface: the car's receiver, or a trailer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Positive.
    pub id: u32,
    /// For people.
    pub name: Option<String>,
    /// Its receiver, by name; `None` on a unit without any.
    pub gnss: Option<String>,
}

/// As many as one vehicle has at most.
const MAX_UNITS: usize = 8;

/// The units, each with an id of its own and a receiver that there is, where those are known. Where no unit is named there
/// is one, number 1.
pub fn units(entries: &[Entry<UnitEntry>], receivers: Option<&[gnss::Settings]>, findings: &mut Findings) -> Vec<Unit> {
    if let Some(surplus) = entries.get(MAX_UNITS) {
        findings.fault(&surplus.node.place, "units", format!("are {}", entries.len()), format!("name at most {MAX_UNITS}"));
    }
    let cure = "give each unit a number of its own";
    distinct(entries, "units", "id", cure, |unit| unit.says.id.map(|id| id.to_string()), findings);
    let names = || receivers.into_iter().flatten().map(|receiver| receiver.name.as_str());
    let first = names().next().map(str::to_owned);
    let mut units = Vec::new();
    for entry in entries {
        let UnitEntry { id, name, gnss } = entry.says.clone();
        if let Some(unknown) = gnss.as_deref().filter(|gnss| receivers.is_some() && names().all(|name| name != *gnss)) {
            let cure = match nearest(unknown, names()) {
                Some(near) => format!("the nearest name of a [[gnss]] is `{near}`"),
                None => format!("add a [[gnss]] with name = \"{unknown}\", or take this out for the first receiver"),
            };
            findings.fault(entry.place("gnss"), "units.gnss", format!("there is no receiver `{unknown}`"), cure);
        }
        match id {
            Some(0) => findings.fault(entry.place("id"), "units.id", "is 0", "number units from 1"),
            Some(id) => units.push(Unit { id, name, gnss: gnss.or_else(|| first.clone()) }),
            None if entry.node.find("id").is_none() => {
                findings.fault(&entry.node.place, "units.id", "is absent", "number units from 1");
            }
            None => {}
        }
    }
    if entries.is_empty() {
        units.push(Unit { id: 1, name: None, gnss: first });
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::Node;

    fn connected(site: &str, suggested: Option<&str>) -> (Vec<Bus>, String) {
        let mut findings = Findings::default();
        let board = Node::parse(Path::new("board"), "[bus.body]\ninterface = 'lo'\n[bus.other]\n", &mut findings).unwrap();
        let site = Node::parse(Path::new("site"), site, &mut findings).unwrap();
        let root = site.place.clone();
        let interface = suggested.map(str::to_owned);
        let wanted = [Wanted { name: "body".to_owned(), interface, place: Place::new("profile", 9) }];
        let entries = site::named(&site.over(board), "bus", &mut findings);
        (buses(&wanted, &entries, &root, &mut findings), findings.to_string())
    }

    fn read(site: &str) -> (Vec<gnss::Settings>, Vec<Unit>, String) {
        let mut findings = Findings::default();
        let site = Node::parse(Path::new("site"), site, &mut findings).unwrap();
        let entries = site::list::<gnss::Settings>(&site, "gnss", &mut findings);
        let receivers = receivers(entries, &[], &mut findings);
        let units = units(&site::list(&site, "units", &mut findings), Some(&receivers), &mut findings);
        (receivers, units, findings.faults.iter().map(|fault| format!("{fault}\n")).collect())
    }

    #[test]
    fn receivers_without_a_name_are_numbered_and_a_unit_without_one_has_the_first() {
        let two = "[[gnss]]\ndevice = '/dev/null'\n[[gnss]]\ndevice = '/dev/zero'\n";
        let (receivers, units, told) = read(&format!("{two}[[units]]\nid = 4\n[[units]]\nid = 5\ngnss = 'gnss2'"));
        assert_eq!((told.as_str(), receivers[0].name.as_str(), receivers[1].name.as_str()), ("", "gnss", "gnss2"));
        let units: Vec<_> = units.iter().map(|unit| (unit.id, unit.gnss.as_deref())).collect();
        assert_eq!(units, [(4, Some("gnss")), (5, Some("gnss2"))]);
    }

    #[test]
    fn a_vehicle_has_eight_units_at_most() {
        let units = |most: usize| (1..=most).map(|id| format!("[[units]]\nid = {id}\n")).collect::<String>();
        assert_eq!(read(&units(8)).2, "");
        assert_eq!(read(&units(9)).2, "site:17: units: are 9; name at most 8\n");
    }

    #[test]
    fn and_eight_receivers() {
        let receivers = |most: usize| (0..most).map(|n| format!("[[gnss]]\ndevice = '/dev/ttyS{n}'\n")).collect::<String>();
        assert_eq!(read(&receivers(8)).2, "");
        assert_eq!(read(&receivers(9)).2, "site:17: gnss: are 9; name at most 8\n");
    }

    #[test]
    fn the_site_counts_before_the_vehicle_and_that_before_the_board() {
        let interface = |site, suggested| connected(site, suggested).0[0].interface.clone();
        assert_eq!(interface("[bus.body]\ninterface = 'can3'", Some("can2")), "can3");
        assert_eq!(interface("", Some("can2")), "can2");
        assert_eq!(interface("", None), "lo");
    }

    #[test]
    fn each_is_told_where_it_stands() {
        assert!(connected("", Some("a/b")).1.starts_with("profile:9: bus.body.interface: "));
        assert!(connected("[bus.body]\ninterface = 'a/b'", Some("can2")).1.starts_with("site:2: bus.body.interface: "));
        let (buses, told) = connected("[bus.odd]\ninterface = 'can3'", None);
        assert_eq!((buses.len(), told.as_str()), (1, "site:1: bus.odd: is no bus of the vehicle profile; it has body\n"));
    }
}
