//! What stands in a site's file, key by key, before it is known whether it makes sense together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::{Findings, Place};
use super::tree::{Node, Value};
use super::typed::{checked, join, settings, suggest};
use crate::vehicle::Vin;

/// `[vehicle]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vehicle {
    /// Under which the car goes everywhere.
    pub vin: Option<Vin>,
    /// The vehicle profile.
    pub profile: Option<PathBuf>,
}

/// `[bus.NAME]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bus {
    /// The network interface; with `candump` the one whose lines are kept.
    pub interface: Option<String>,
    /// A log or FIFO in the place of a network interface.
    pub candump: Option<PathBuf>,
    /// Whether the controller has to be unable to send; `None`: unless ECUs are asked on this bus.
    pub listen_only: Option<bool>,
}

/// `[geofences]` and `[places]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileOf {
    /// The file.
    pub file: Option<PathBuf>,
}

/// `[metrics]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// Where `/metrics` is served without sign-in, apart from everything else.
    pub listen: Option<SocketAddr>,
}

/// `[[units]]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnitEntry {
    /// Positive.
    pub id: Option<u32>,
    /// For people.
    pub name: Option<String>,
    /// The `name` of its `[[gnss]]`; the first receiver where it says nothing.
    pub gnss: Option<String>,
}

/// A list's entry or a named table, and the tree it was read from.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// What it says.
    pub says: T,
    /// Where it says it.
    pub node: Node,
}

impl<T> Entry<T> {
    /// Where `key` of it stands; where it begins, when it has none.
    pub fn place(&self, key: &str) -> &Place {
        &self.node.find(key).unwrap_or(&self.node).place
    }
}

/// The settings under the top-level `key`.
pub fn section<T: DeserializeOwned + Default>(tree: &Node, key: &str, findings: &mut Findings) -> T {
    tree.find(key).map(|node| settings(node, key, findings)).unwrap_or_default()
}

/// The same for a type that can say what is out of range.
pub fn section_checked<T: DeserializeOwned + Default>(
    tree: &Node,
    key: &str,
    check: impl Fn(&T) -> Result<(), String>,
    findings: &mut Findings,
) -> T {
    tree.find(key).map(|node| checked(node, key, check, findings)).unwrap_or_default()
}

/// The tables of `[[key]]`.
pub fn list<T: DeserializeOwned + Default>(tree: &Node, key: &str, findings: &mut Findings) -> Vec<Entry<T>> {
    list_checked(tree, key, |_| Ok(()), findings)
}

/// The same for a type that can say what is out of range.
pub fn list_checked<T: DeserializeOwned + Default>(
    tree: &Node,
    key: &str,
    check: impl Fn(&T) -> Result<(), String>,
    findings: &mut Findings,
) -> Vec<Entry<T>> {
    let Some(node) = tree.find(key) else { return Vec::new() };
    let Value::List(items) = &node.value else {
        let message = format!("is {} and has to be a list of tables", node.kind());
        findings.fault(&node.place, key, message, format!("write [[{key}]] with two brackets on each side"));
        return Vec::new();
    };
    items.iter().map(|node| Entry { says: checked(node, key, &check, findings), node: node.clone() }).collect()
}

/// The tables of `[key.NAME]`.
pub fn named<T: DeserializeOwned + Default>(tree: &Node, key: &str, findings: &mut Findings) -> BTreeMap<String, Entry<T>> {
    let Some(node) = tree.find(key) else { return BTreeMap::new() };
    let Some(table) = node.table() else {
        let message = format!("is {} and has to be a table of tables", node.kind());
        findings.fault(&node.place, key, message, format!("write [{key}.NAME] and the keys of each below"));
        return BTreeMap::new();
    };
    let entry = |(name, node): (&String, &Node)| {
        (name.clone(), Entry { says: settings(node, &join(key, name), findings), node: node.clone() })
    };
    table.iter().map(entry).collect()
}

/// Where the dotted `path` stands, or the table in which it would.
pub fn place_of<'t>(tree: &'t Node, path: &str) -> &'t Place {
    let mut at = tree;
    for key in path.split('.') {
        match at.table().and_then(|table| table.get(key)) {
            Some(below) => at = below,
            None => break,
        }
    }
    &at.place
}

/// Notes every top-level key that is none. `sections` are those there are, each with the keys in it, so that a key that
/// stands outside its table is sent home.
pub fn unknown_sections(tree: &Node, sections: &[(&str, &[&str])], findings: &mut Findings) {
    for (key, node) in tree.table().into_iter().flatten() {
        if sections.iter().any(|(name, _)| name == key) {
            continue;
        }
        let home = sections.iter().find(|(_, keys)| keys.contains(&key.as_str()));
        let cure = match home {
            Some((section, _)) if node.table().is_none() => {
                format!("the nearest known one is `{section}.{key}`: put it below [{section}]")
            }
            _ => suggest(key, sections.iter().map(|(name, _)| *name)),
        };
        findings.fault(&node.place, key, "is no known key", cure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn tree(text: &str) -> Node {
        Node::parse(Path::new("t"), text, &mut Findings::default()).unwrap()
    }

    #[test]
    fn lists_and_named_tables_are_read_entry_by_entry() {
        let mut findings = Findings::default();
        let tree =
            tree("[bus.body]\ninterface = 'can0'\n[bus.cabin]\ninterfaec = 'can1'\n[[units]]\nid = 1\n[[units]]\nid = 'x'\n");
        let buses = named::<Bus>(&tree, "bus", &mut findings);
        assert_eq!(buses["body"].says.interface.as_deref(), Some("can0"));
        let units = list::<UnitEntry>(&tree, "units", &mut findings);
        assert_eq!((units[0].says.id, units[1].says.id, units[1].place("id").line), (Some(1), None, 8));
        assert_eq!(
            findings.to_string(),
            "t:4: bus.cabin.interfaec: is no known key; the nearest known one is `interface`\n\
             t:8: units.id: is the text \"x\"; give a whole number from 0 to 4294967295\n"
        );
    }

    #[test]
    fn wrong_brackets_are_told() {
        let mut findings = Findings::default();
        let tree = tree("bus = 'can0'\n[units]\nid = 1\n");
        assert!(named::<Bus>(&tree, "bus", &mut findings).is_empty());
        assert!(list::<UnitEntry>(&tree, "units", &mut findings).is_empty());
        let told = findings.to_string();
        assert!(told.contains("t:1: bus: is a text") && told.contains("t:2: units: is a table"), "{told}");
        assert!(told.contains("write [bus.NAME]") && told.contains("write [[units]]"), "{told}");
    }

    #[test]
    fn a_key_outside_its_table_is_sent_home() {
        let mut findings = Findings::default();
        unknown_sections(&tree("vin = 'A'\njuornal = 1\n"), &[("journal", &["dir"]), ("vehicle", &["vin"])], &mut findings);
        assert_eq!(
            findings.sorted().to_string(),
            "t:1: vin: is no known key; the nearest known one is `vehicle.vin`: put it below [vehicle]\n\
             t:2: juornal: is no known key; the nearest known one is `journal`\n"
        );
    }

    #[test]
    fn what_is_absent_is_looked_for_where_it_would_stand() {
        let tree = tree("\n[vehicle]\nvin = 'A'\n");
        assert_eq!((place_of(&tree, "vehicle.profile").line, place_of(&tree, "http.listen").line), (2, 1));
    }
}
