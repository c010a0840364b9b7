//! What a fuzzer calls: one plain function for each kind of bytes that comes from outside. Each takes anything at all and
//! panics only when a promise is broken. `cargo +nightly fuzz run --sanitizer none NAME` drives them with coverage (a
//! sanitizer has no unsafe code of ours to watch, and takes a table of SQLite's for a fault unless told
//! `ASAN_OPTIONS=detect_odr_violation=0`); `tests/it/fuzz.rs` feeds the same functions on a stable compiler, with the
//! corpus and with random changes to it.

use std::path::Path;

use telltale::can::candump::Line;
use telltale::can::dbc::Database;
use telltale::can::profile::Profile;
use telltale::diagnostics::j1939 as trucks;
use telltale::diagnostics::{isotp, show, survives};
use telltale::upstream::{desired as wanted, route};
use telltale::{config, geo, gnss, http, places as named};

/// A target: its name, which is its corpus' too, and the function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 15] = [
    ("nmea_line", nmea_line),
    ("candump_line", candump_line),
    ("dbc", dbc),
    ("profile", profile),
    ("http_target", http_target),
    ("geojson", geojson),
    ("isotp", isotp),
    ("j1939", j1939),
    ("obd", obd),
    ("publication", publication),
    ("uds", uds),
    ("ecus", ecus),
    ("places", places),
    ("netlink", netlink),
    ("desired", desired),
];

/// What a receiver may send: every fix keeps its promises.
pub fn nmea_line(bytes: &[u8]) {
    gnss::fuzz_line(bytes);
}

/// A line of a log: what is taken reads the same when it is written and read again.
pub fn candump_line(bytes: &[u8]) {
    let Ok(line) = Line::parse(bytes) else { return };
    let written = line.to_string();
    let again = Line::parse(written.as_bytes()).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!(again, line, "{written}");
}

/// A database: no signal of it may panic on any payload, and what it encodes it decodes.
pub fn dbc(bytes: &[u8]) {
    let database = Database::parse(bytes);
    for message in database.messages() {
        for payload in [&[0xFF_u8; 64][..], &[0x00; 8], &[0xA5; 3], &[]] {
            for (signal, _) in message.decode(payload) {
                assert!(message.carries(signal, payload), "{}", signal.name());
            }
        }
        let blank = message.blank();
        message.decode(&blank).for_each(drop);
    }
}

/// A vehicle profile: every mistake has a line, and what has none can be decoded with.
pub fn profile(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let database = |_: &Path| Ok(Database::parse(include_bytes!("../corpus/dbc/car.dbc")));
    match Profile::parse(Path::new("car.toml"), text, database) {
        Ok(profile) => assert_eq!(profile.layout.buses.len(), profile.buses.len()),
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| problem.line.is_some() && !problem.what.is_empty()), "{problems:?}");
        }
    }
}

/// What a stranger writes into a request line.
pub fn http_target(bytes: &[u8]) {
    http::survives(bytes);
}

/// Fences: what is taken is sound, and reads the same when it is written and read again.
pub fn geojson(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(difference) = geo::survives(text) {
        panic!("{difference}");
    }
}

/// Frames of testers and ECUs: no message comes out that nobody said, and to listen sends nothing.
pub fn isotp(bytes: &[u8]) {
    if let Err(difference) = isotp::survives(bytes) {
        panic!("{difference}");
    }
}

/// A bus of a truck: frames in any order, at any time. No message comes out that nobody said.
pub fn j1939(bytes: &[u8]) {
    if let Err(difference) = trucks::survives(bytes) {
        panic!("{difference}");
    }
}

/// An answer of OBD-II: whatever it says, all of it is kept, and told in JSON.
pub fn obd(bytes: &[u8]) {
    if let Err(difference) = show::survives(bytes, &[0x41, 0x42, 0x43, 0x44, 0x47, 0x49, 0x4A, 0x7F]) {
        panic!("{difference}");
    }
}

/// The same of UDS and OBDonUDS.
pub fn uds(bytes: &[u8]) {
    if let Err(difference) = show::survives(bytes, &[0x54, 0x59, 0x62, 0x59, 0x62, 0x7F]) {
        panic!("{difference}");
    }
}

/// Frames of a hostile bus, while its ECUs are asked: only what reads is asked, gently, and nothing grows.
pub fn ecus(bytes: &[u8]) {
    if let Err(difference) = survives(bytes) {
        panic!("{difference}");
    }
}

/// What somebody publishes: it is refused, or told on streams as it is, on one line.
pub fn publication(bytes: &[u8]) {
    if let Err(difference) = http::publication_survives(bytes) {
        panic!("{difference}");
    }
}

/// A file of places, or a table that one is built of: what is taken answers every question, what is built can be read.
pub fn places(bytes: &[u8]) {
    if let Err(difference) = named::survives(bytes) {
        panic!("{difference}");
    }
}

/// What a kernel says of links, addresses and routes.
pub fn netlink(bytes: &[u8]) {
    route::survives(bytes);
}

/// What a fleet sets, fences or numbers: it is refused with a reason, or it is in order and no child's alert comes later.
pub fn desired(bytes: &[u8]) {
    if let Err(broken) = wanted::survives(bytes).and_then(|()| config::fleet_survives(bytes)) {
        panic!("{broken}");
    }
}
