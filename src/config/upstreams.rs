//! The ways to the fleet: `[[upstream]]`.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fault::{Findings, Place};
use super::paths;
use super::site::{Entry, list_checked};
use super::tree::Node;
use crate::clock::Clock;
use crate::upstream::Settings;
use crate::upstream::settings::{MOST, SHAPE};
use crate::upstream::tls::Tls;

/// The upstreams, each with a name; what is wrong with them is noted.
pub fn read(tree: &Node, findings: &mut Findings) -> Vec<Settings> {
    // A url that was refused is told of already.
    let check = |settings: &Settings| if settings.url.host.is_empty() { Ok(()) } else { settings.check() };
    let entries = list_checked(tree, "upstream", check, findings);
    for entry in entries.iter().filter(|entry| entry.node.find("url").is_none()) {
        findings.fault(&entry.node.place, "upstream.url", "is absent", SHAPE);
    }
    if let Some(entry) = entries.get(MOST) {
        findings.fault(entry.place("url"), "upstream", format!("is the fifth; there may be {MOST}"), "leave one out");
    }
    let mut names = BTreeSet::new();
    let mut desired = false;
    let mut found: Vec<Settings> = Vec::new();
    // What was refused has no host left.
    for Entry { says, node } in entries.into_iter().filter(|entry| !entry.says.url.host.is_empty()) {
        let entry = Entry { says: says.named(), node };
        if !names.insert(entry.says.name.clone()) {
            let message = format!("`{}` is another one's too", entry.says.name);
            findings.fault(
                entry.place("name"),
                "upstream.name",
                message,
                "give each of them a name of its own: name = \"fleet\"",
            );
        }
        if entry.says.desired && std::mem::replace(&mut desired, true) {
            let cure = "leave it to one of them: two fleets would take turns at the same settings";
            findings.fault(entry.place("desired"), "upstream.desired", "is true for another one too", cure);
        }
        // To a broker a vehicle has one name, and of two connections by one name it ends the first.
        let is_same = |other: &&Settings| other.url.scheme.is_mqtt() && other.url == entry.says.url;
        if let Some(other) = found.iter().find(is_same) {
            let message = format!("is the broker of `{}` too, where a vehicle has one place", other.name);
            findings.fault(entry.place("url"), "upstream.url", message, "make one of the two");
        }
        found.push(with_files(entry, findings));
    }
    found
}

/// The same with the places of its files, which are looked into.
fn with_files(entry: Entry<Settings>, findings: &mut Findings) -> Settings {
    let faults = findings.faults.len();
    let mut find = |key: &str, given: &Option<PathBuf>, is_secret: bool| {
        let (place, name) = (entry.place(key), format!("upstream.{key}"));
        let path = paths::file(place, &name, given.as_deref()?, findings);
        if is_secret {
            guarded(place, &name, &path, findings);
        }
        Some(path)
    };
    let says = &entry.says;
    let settings = Settings {
        ca: find("ca", &says.ca, false),
        certificate: find("certificate", &says.certificate, false),
        key: find("key", &says.key, true),
        password_file: find("password_file", &says.password_file, true),
        token_file: find("token_file", &says.token_file, true),
        ..says.clone()
    };
    if findings.faults.len() == faults && settings.url.scheme.is_tls() {
        if let Err(fault) = Tls::new(&settings, Clock::system()).read() {
            findings.fault(entry.place(fault.key), format!("upstream.{}", fault.key), fault.what, fault.cure);
        }
    }
    settings
}

/// Warns of a secret that every user of the unit may read.
fn guarded(place: &Place, key: &str, path: &Path, findings: &mut Findings) {
    if std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0) {
        let message = format!("{} may be read by every user of this unit", path.display());
        findings.warn(place, key, message, format!("chmod o-r {}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &Path, text: &str) -> (Vec<Settings>, String) {
        let mut findings = Findings::default();
        let tree = Node::parse(&folder.join("t.toml"), text, &mut findings).unwrap();
        let settings = read(&tree, &mut findings);
        (settings, findings.sorted().to_string().replace(&format!("{}/", folder.display()), ""))
    }

    fn file(folder: &Path, name: &str, mode: u32) {
        std::fs::write(folder.join(name), "secret").unwrap();
        std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn each_has_a_name_and_the_places_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "password", 0o600);
        file(folder.path(), "token", 0o644);
        let text = "[[upstream]]\nurl = 'mqtt://localhost'\nusername = 'car'\npassword_file = 'password'\nkinds = ['child']\n\
                    [[upstream]]\nname = 'log'\nurl = 'http://127.0.0.1:9000'\ntoken_file = 'token'\n";
        let (settings, told) = found(folder.path(), text);
        assert_eq!(settings.iter().map(|settings| settings.name.as_str()).collect::<Vec<_>>(), ["localhost", "log"]);
        assert_eq!(settings[0].password_file, Some(folder.path().join("password")));
        let warning = "warning: t.toml:9: upstream.token_file: token may be read by every user of this unit; chmod o-r token\n";
        assert_eq!(told, warning);
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "junk", 0o600);
        for (text, wanted) in [
            ("[[upstream]]\ntrack = false\n", "t.toml:1: upstream.url: is absent; give scheme and host"),
            ("[[upstream]]\nurl = 'ftp://b'\n", "t.toml:2: upstream.url: is no address of a broker or collector; give"),
            ("[[upstream]]\nurl = 'mqtt://b'\n", "t.toml:2: upstream.url: is mqtt:// and leads out of this unit"),
            ("[[upstream]]\nurl = 'mqtt://::1'\n", "t.toml:2: upstream.url: is no address"),
            ("[[upstream]]\nurl = 'mqtt://localhost'\nkinds = ['chidl']\n", "t.toml:3: upstream.kinds: is `chidl`; give `child`"),
            (
                "[[upstream]]\nurl = 'mqtt://localhost'\nprotocol = '4'\n",
                "t.toml:3: upstream.protocol: is `4`; give `5` or `3.1.1`",
            ),
            (
                "[[upstream]]\nurl = 'mqtt://localhost'\ntoken_fiel = '4'\n",
                "t.toml:3: upstream.token_fiel: is no known key; the nearest known one is `token_file`",
            ),
            ("[[upstream]]\nurl = 'mqtts://localhost'\nca = 'gone'\n", "t.toml:3: upstream.ca: there is no gone"),
            ("[[upstream]]\nurl = 'mqtts://localhost'\nca = 'junk'\n", "t.toml:3: upstream.ca: "),
            (
                "[[upstream]]\nurl = 'mqtt://localhost'\n[[upstream]]\nurl = 'http://localhost'\n",
                "t.toml:3: upstream.name: `localhost` is another one's too; give",
            ),
            (
                "[[upstream]]\nurl = 'mqtt://localhost'\ndesired = true\n[[upstream]]\nname = 'b'\nurl = 'mqtt://127.0.0.1'\ndesired = true\n",
                "t.toml:7: upstream.desired: is true for another one too",
            ),
            (
                "[[upstream]]\nurl = 'mqtt://localhost'\nkinds = ['child']\n[[upstream]]\nname = 'b'\nurl = 'mqtt://localhost:1883'\n",
                "t.toml:6: upstream.url: is the broker of `localhost` too, where a vehicle has one place; make one of the two",
            ),
        ] {
            let (_, told) = found(folder.path(), text);
            assert!(told.starts_with(wanted) && told.lines().count() == 1, "{text}\n{told}");
        }
        let five: String = (0..5).map(|n| format!("[[upstream]]\nname = 'n{n}'\nurl = 'http://localhost'\n")).collect();
        let (_, told) = found(folder.path(), &five);
        assert_eq!(told, "t.toml:15: upstream: is the fifth; there may be 4; leave one out\n");
    }
}
