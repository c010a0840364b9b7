//! From the site's file to a [`Config`], or to everything that is wrong with it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::fault::{Fault, Findings, Place};
use super::site::{
    self, FileOf, MetricsSettings, UnitEntry, Vehicle, list, list_checked, named, place_of, section, section_checked,
};
use super::sources::{self, Unit};
use super::tree::{Node, Value};
use super::typed::{checked, fields, suggest};
use super::vehicle::{self, Known};
use super::{BOARDS, Board, Config, Hardware, ReplaySite, asking, fences, listen, paths, places, upstreams};
use crate::clock::Wall;
use crate::{detect, diagnostics, gnss, http, journal, upstream};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The site's file cannot be read.
    #[error("{} cannot be read: {error}; name the site's file with --config, or start one from `telltale boards`", file.display())]
    Absent {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It can, and this is wrong.
    #[error("the configuration is wrong:\n{0}")]
    Wrong(Findings),
}

/// Reads the site's file and everything it leads to.
///
/// # Errors
/// When the file cannot be read, or anything is wrong; all of it is told.
pub fn load(file: &Path) -> Result<Config, LoadError> {
    let (config, warnings) = read(file, assemble)?;
    Ok(Config { warnings, ..config })
}

/// Reads of the site's file what a recording is judged by. The unit that it is written for need not be here: its profile,
/// its sources, its journal and its doors are not looked for.
///
/// # Errors
/// When the file cannot be read, or any of that is wrong; all of it is told.
pub fn load_for_replay(file: &Path) -> Result<ReplaySite, LoadError> {
    read(file, |site, findings| {
        let Top { tree, .. } = top(site, findings);
        let Vehicle { vin, .. } = section(&tree, "vehicle", findings);
        let buses = named::<site::Bus>(&tree, "bus", findings).into_iter();
        let receiver = list_checked(&tree, "gnss", gnss::Settings::check, findings).into_iter().next();
        Some(ReplaySite {
            vin,
            interfaces: buses.filter_map(|(name, bus)| Some((name, bus.says.interface?))).collect(),
            uere: receiver.map_or(gnss::Settings::default().uere, |first| first.says.uere),
            fences: fences::read(&tree, findings),
            places: places::read(&tree, findings),
            detect: numbers(&tree, findings),
        })
    })
    .map(|(site, _)| site)
}

/// Reads what a unit of this board is made of: the board's word, and over it that of the site's file, where there is one.
///
/// # Errors
/// When that file is of another board, or anything it says of the hardware is wrong; all of it is told.
pub fn load_hardware(board: Board, file: &Path) -> Result<Hardware, LoadError> {
    let over_board = |site: Node, findings: &mut Findings| {
        let Top { board: named, tree, .. } = top(site, findings);
        if named != Some(board) {
            let cure = format!("write board = \"{}\", or make the image of the board that it names", board.name);
            findings.fault(place_of(&tree, "board"), "board", "is another one than this image is made for", cure);
        }
        Some(section_checked(&tree, "hardware", Hardware::check, findings))
    };
    match read(file, over_board) {
        Err(LoadError::Absent { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            let mut findings = Findings::default();
            let tree = board.read(&mut findings);
            let hardware = tree.map(|tree| section_checked(&tree, "hardware", Hardware::check, &mut findings));
            hardware.ok_or(LoadError::Wrong(findings))
        }
        read => read.map(|(hardware, _)| hardware),
    }
}

/// Reads a site's file and makes of it whatever `make` makes, with the warnings, unless anything is wrong.
fn read<T>(file: &Path, make: impl FnOnce(Node, &mut Findings) -> Option<T>) -> Result<(T, Vec<Fault>), LoadError> {
    let bytes = paths::read_bytes(file, paths::MAX_TOML).map_err(|error| LoadError::Absent { file: file.to_owned(), error })?;
    let mut findings = Findings::default();
    let made = match String::from_utf8(bytes) {
        Ok(text) => Node::parse(file, &text, &mut findings).and_then(|site| make(site, &mut findings)),
        Err(error) => {
            let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
            let line = 1 + good.filter(|byte| **byte == b'\n').count();
            findings.fault(&Place::new(file, line), "telltale.toml", "is no text in UTF-8", "save the file as UTF-8");
            None
        }
    };
    let findings = findings.sorted();
    match made {
        Some(made) if findings.faults.is_empty() => Ok((made, findings.warnings)),
        _ => Err(LoadError::Wrong(findings)),
    }
}

/// A site laid over its board.
struct Top {
    /// Where the site's file begins.
    root: Place,
    board: Option<Board>,
    tree: Node,
}

fn top(site: Node, findings: &mut Findings) -> Top {
    let root = site.place.clone();
    let board = board(&site, findings);
    let below = board.and_then(|board| board.read(findings));
    let tree = match below {
        Some(below) => site.over(below),
        None => site,
    };
    site::unknown_sections(&tree, &sections(), findings);
    Top { root, board, tree }
}

/// Every table and list a site may have, with the keys in it.
fn sections() -> Vec<(&'static str, &'static [&'static str])> {
    let mut all: Vec<(&str, &[&str])> = vec![
        ("board", &[]),
        ("vehicle", fields::<Vehicle>()),
        ("bus", fields::<site::Bus>()),
        ("gnss", fields::<gnss::Settings>()),
        ("geofences", fields::<FileOf>()),
        ("places", &[]),
        ("journal", fields::<journal::Settings>()),
        ("http", fields::<http::Settings>()),
        ("metrics", &[]),
        ("diagnostics", fields::<diagnostics::Settings>()),
        ("units", &[]),
        ("upstream", fields::<upstream::Settings>()),
        ("hardware", fields::<Hardware>()),
    ];
    all.extend(fields::<detect::Settings>().iter().map(|section| (*section, &[] as &[&str])));
    all
}

/// Whether a site's file has a table or list of this name.
pub(super) fn is_section(name: &str) -> bool {
    sections().iter().any(|(known, _)| *known == name)
}

/// Puts it all together; `None` when there is no vehicle to put it together for.
fn assemble(site: Node, findings: &mut Findings) -> Option<Config> {
    let Top { root, board, tree } = top(site, findings);
    let diagnostics = asking::read(&tree, findings);
    let Known { vin, profile, buses: wanted } = vehicle::read(&tree, &diagnostics, findings);
    let connected = named(&tree, "bus", findings);
    let mut buses = wanted.map(|wanted| sources::buses(&wanted, &connected, &root, findings)).unwrap_or_default();
    asking::settle(&tree, &diagnostics, profile.as_ref(), &connected, &mut buses, findings);
    let so_far = findings.faults.len();
    let receivers = list_checked(&tree, "gnss", gnss::Settings::check, findings);
    if tree.find("vehicle.profile").is_none() && receivers.is_empty() {
        let cure = "add [vehicle] profile = \"FILE\" for the car's buses, or a [[gnss]] with its device";
        findings.fault(
            place_of(&tree, "vehicle.profile"),
            "vehicle.profile",
            "is absent, and so is [[gnss]]: nothing would be read",
            cure,
        );
    }
    let receivers = sources::receivers(receivers, &buses, findings);
    // A unit's receiver can be missed only among receivers that are all right.
    let known = (findings.faults.len() == so_far).then_some(receivers.as_slice());
    let units = sources::units(&list::<UnitEntry>(&tree, "units", findings), known, findings);
    let journal = journal(&tree, findings);
    reserved(&tree, findings);
    let _: Hardware = section_checked(&tree, "hardware", Hardware::check, findings);
    Some(Config {
        file: root.file.to_path_buf(),
        board,
        vin,
        profile,
        buses,
        fences: fences::read(&tree, findings),
        places: places::read(&tree, findings),
        detect: numbers(&tree, findings),
        metrics: metrics(&tree, findings),
        http: doors(&tree, &units, &receivers, &journal.dir, findings),
        upstreams: upstreams::read(&tree, findings),
        journal,
        diagnostics,
        receivers,
        units,
        warnings: Vec::new(),
    })
}

fn board(site: &Node, findings: &mut Findings) -> Option<Board> {
    let node = site.find("board")?;
    let Value::Text(name) = &node.value else {
        findings.fault(
            &node.place,
            "board",
            format!("is {}", node.kind()),
            "give the name of a board, as `telltale boards` lists them",
        );
        return None;
    };
    let board = Board::named(name);
    if board.is_none() {
        let cure = suggest(name, BOARDS.iter().map(|board| board.name));
        findings.fault(&node.place, "board", format!("there is no board `{}`", name.escape_debug()), cure);
    }
    board
}

/// The detectors' numbers, each under its own section at the top.
fn numbers(tree: &Node, findings: &mut Findings) -> detect::Settings {
    let mut sections = Node::empty(tree.place.clone());
    for section in fields::<detect::Settings>() {
        if let Some(node) = tree.find(section) {
            sections.graft(&[(*section).to_owned()], node.clone());
        }
    }
    checked(&sections, "", detect::Settings::check, findings)
}

fn journal(tree: &Node, findings: &mut Findings) -> journal::Settings {
    let settings: journal::Settings = section_checked(tree, "journal", journal::Settings::check, findings);
    let dir = paths::folder(place_of(tree, "journal.dir"), "journal.dir", &settings.dir, findings);
    journal::Settings { dir, ..settings }
}

fn metrics(tree: &Node, findings: &mut Findings) -> Option<SocketAddr> {
    section::<MetricsSettings>(tree, "metrics", findings).listen
}

/// What is listened on. A site that says nothing of it has TLS too.
fn doors(tree: &Node, units: &[Unit], receivers: &[gnss::Settings], state: &Path, findings: &mut Findings) -> http::Settings {
    let mut settings: http::Settings = section_checked(tree, "http", http::Settings::check, findings);
    if tree.find("http.tls").is_none() && tree.find("http.listen").is_none() {
        settings.tls = vec![http::TLS_PORT];
    }
    settings.given = given(tree, &settings, findings);
    settings.state = Some(state.join("http"));
    let place = place_of(tree, "http.listen");
    let metrics = tree.find("metrics.listen").and_then(|_| metrics(tree, &mut Findings::default()));
    let trusted = place_of(tree, "http.trusted");
    if settings.trusted.is_empty() {
        findings.fault(trusted, "http.trusted", "is empty: nobody could sign in", "name interfaces, such as \"lo\" or \"wlan0\"");
    }
    for name in settings.trusted.iter().filter(|name| *name != "*") {
        paths::interface(trusted, "http.trusted", name, true, findings);
    }
    for address in &settings.listen {
        listen::reachable(place, *address, &settings, findings);
        if let Some(tls) = settings.tls.iter().find(|tls| listen::collide(*address, **tls)) {
            let message = format!("takes the port of http.listen, {tls}");
            findings.fault(place_of(tree, "http.tls"), "http.tls", message, "give it a port of its own");
        }
    }
    for address in settings.listen.iter().chain(&settings.tls) {
        if metrics.is_some_and(|metrics| listen::collide(*address, metrics)) {
            let message = format!("takes the port of http.listen or http.tls, {address}");
            findings.fault(place_of(tree, "metrics.listen"), "metrics.listen", message, "give it a port of its own");
        }
    }
    let unit = units.first().map_or(1, |unit| unit.id);
    let place = |name: &String| receivers.iter().position(|receiver| receiver.name == *name);
    let known = |unit: &Unit| {
        let Unit { id, name, gnss } = unit.clone();
        http::Unit { id, name, receiver: gnss.as_ref().and_then(place) }
    };
    let units = units.iter().map(known).collect();
    http::Settings { unit, units, metrics: metrics.into_iter().collect(), ..settings }
}

/// What the owner's certificate and its key hold.
fn given(tree: &Node, settings: &http::Settings, findings: &mut Findings) -> Option<http::Given> {
    let (certificate, key) = (settings.certificate.as_ref()?, settings.key.as_ref()?);
    let (of_certificate, of_key) = (place_of(tree, "http.certificate"), place_of(tree, "http.key"));
    let certificate = paths::text(of_certificate, "http.certificate", certificate, paths::MAX_TOML, findings);
    let key = paths::text(of_key, "http.key", key, paths::MAX_TOML, findings);
    let ((certificate_file, certificate), (key_file, key)) = (certificate?, key?);
    match http::Given::read(certificate.as_bytes(), key.as_bytes()) {
        Ok(given) => {
            // A clock from before this program was made is not right.
            let now = Some(Wall::system()).filter(|now| *now >= Wall::build());
            if let Some(fault) = now.and_then(|now| given.untimely(now)) {
                let message = format!("{} {fault}", certificate_file.display());
                findings.warn(of_certificate, "http.certificate", message, fault.cure());
            }
            Some(given)
        }
        Err(fault) => {
            let (place, name, file) = match fault.is_of_key() {
                true => (of_key, "http.key", key_file),
                false => (of_certificate, "http.certificate", certificate_file),
            };
            findings.fault(place, name, format!("{} {fault}", file.display()), fault.cure());
            None
        }
    }
}

/// Keys of later versions: checked like any other, so that they are right when their time comes, and said to do nothing.
fn reserved(tree: &Node, findings: &mut Findings) {
    for (input, cure) in [
        ("hardware.ignition", "the ignition is read from frames: map Vehicle.LowVoltageSystemState in the profile"),
        ("hardware.supply", "the voltage is read from frames: map Vehicle.LowVoltageBattery.CurrentVoltage in the profile"),
        ("hardware.button", "pairing is opened by `telltale pair`"),
    ] {
        if tree.find(input).is_some() {
            findings.warn(place_of(tree, input), input, "this version does not read inputs of the unit yet", cure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn a_replay_needs_neither_car_nor_unit_and_still_knows_every_key() {
        let site = load_for_replay(file(b"[child]\nlocked_s = 12\n[bus.body]\ninterface = 'can7'").path()).unwrap();
        assert_eq!((site.detect.child.locked_s, site.vin, site.uere), (12, None, 5.0));
        assert_eq!(site.interfaces.get("body").map(String::as_str), Some("can7"));
        let wrong = load_for_replay(file(b"[child]\nlocked_s = 99\n[chlid]\n").path()).unwrap_err().to_string();
        assert!(wrong.contains(":2: child.locked_s: ") && wrong.contains(":3: chlid: "), "{wrong}");
    }

    #[test]
    fn what_is_no_file_or_no_text_is_told_apart() {
        assert!(matches!(load(Path::new("/nowhere/telltale.toml")), Err(LoadError::Absent { .. })));
        let wrong = load(file(b"board = 'sim'\n# \xFF\n").path()).unwrap_err();
        assert!(matches!(&wrong, LoadError::Wrong(findings) if findings.faults[0].place.line == 2), "{wrong}");
    }
}
