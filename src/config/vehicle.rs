//! The vehicle: its number, and what its frames mean.

use std::path::PathBuf;

use super::asking;
use super::fault::{Fault, Findings, Place};
use super::paths;
use super::site::{Vehicle, place_of, section};
use super::sources::Wanted;
use super::tree::{Node, Value};
use crate::can::dbc::Database;
use crate::can::profile::{Problem, Profile};
use crate::diagnostics::Settings;
use crate::vehicle::Vin;

/// What could be read of a vehicle.
#[derive(Debug, Default)]
pub struct Known {
    /// Its number, where the file gives it.
    pub vin: Option<Vin>,
    /// Its profile, where it is whole.
    pub profile: Option<Profile>,
    /// The buses of its profile, whole or not; `None` where that could not be read at all.
    pub buses: Option<Vec<Wanted>>,
}

/// Reads `vehicle.vin` and what `vehicle.profile` leads to.
pub fn read(tree: &Node, diagnostics: &Settings, findings: &mut Findings) -> Known {
    let Vehicle { vin, profile } = section(tree, "vehicle", findings);
    if let Some(vin) = &vin {
        doubt(vin, place_of(tree, "vehicle.vin"), findings);
    }
    let known = known(tree, vin, profile, findings);
    if tree.find("vehicle.vin").is_none() && !asking::can_tell_its_number(diagnostics, known.profile.as_ref()) {
        let cure =
            "add [vehicle] vin = \"…\": the 17 characters of the registration papers, or a name of up to 17 capitals and digits";
        findings.fault(place_of(tree, "vehicle.vin"), "vehicle.vin", "is absent", cure);
    }
    known
}

fn known(tree: &Node, vin: Option<Vin>, profile: Option<PathBuf>, findings: &mut Findings) -> Known {
    let Some(given) = profile else {
        let buses = tree.find("vehicle.profile").is_none().then(Vec::new);
        return Known { vin, profile: None, buses };
    };
    let place = place_of(tree, "vehicle.profile");
    let Some((file, text)) = paths::text(place, "vehicle.profile", &given, paths::MAX_TOML, findings) else {
        return Known { vin, ..Known::default() };
    };
    let Some(tree) = Node::parse(&file, &text, findings) else { return Known { vin, ..Known::default() } };
    match Profile::parse(&file, &text, Database::read) {
        Ok(profile) => {
            findings.warnings.extend(profile.warnings.iter().map(fault));
            let buses = profile.layout.buses.iter().map(|name| wanted(&tree, name)).collect();
            Known { vin, profile: Some(profile), buses: Some(buses) }
        }
        Err(problems) => {
            findings.faults.extend(problems.iter().map(fault));
            let names = tree.find("bus").and_then(Node::table);
            let buses = names.map(|names| names.keys().map(|name| wanted(&tree, name)).collect());
            Known { vin, profile: None, buses }
        }
    }
}

/// What can stand for a VIN need not be one; what nearly is one probably should be.
fn doubt(vin: &Vin, place: &Place, findings: &mut Findings) {
    let text = vin.as_str();
    let cure = "compare it with the registration papers";
    if text.len() == 17 && text.contains(['I', 'O', 'Q']) {
        findings.warn(place, "vehicle.vin", "has an I, O or Q, which no VIN has (ISO 3779, 4.2)", cure);
    } else if (14..17).contains(&text.len()) {
        findings.warn(place, "vehicle.vin", format!("has {} characters, and a VIN has 17", text.len()), cure);
    }
}

/// The bus `name` of a profile, with the line on which its interface stands.
fn wanted(tree: &Node, name: &str) -> Wanted {
    let path = ["bus", name, "interface"].map(str::to_owned);
    let interface = tree.get(&path).and_then(|node| if let Value::Text(name) = &node.value { Some(name.clone()) } else { None });
    let place = path.iter().enumerate().rev().find_map(|(to, _)| Some(tree.get(path.get(..=to)?)?.place.clone()));
    Wanted { name: name.to_owned(), interface, place: place.unwrap_or_else(|| tree.place.clone()) }
}

fn fault(problem: &Problem) -> Fault {
    let Problem { file, line, key, what } = problem;
    let (message, cure) = what.split_once("; ").or_else(|| what.split_once(": ")).unwrap_or((what, ""));
    Fault::new(&Place::new(file, line.unwrap_or(1)), key, message, cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nearly_is_a_vin_is_doubted() {
        for (vin, doubted) in
            [("KMHSH81C7LU123456", false), ("KMHSH81C7LUI23456", true), ("KMHSH81C7LU12345", true), ("TRAILER7", false)]
        {
            let mut findings = Findings::default();
            doubt(&Vin::try_from(vin.to_owned()).unwrap(), &Place::new("t", 1), &mut findings);
            assert_eq!(!findings.warnings.is_empty(), doubted, "{vin}");
        }
    }
}
