//! Configurations that are wrong in one place each, and what has to be said of them: file, line, key and cure.

use std::fs;
use std::path::Path;

use super::{LoadError, load};

const SITE: &str = r#"board = "sim"

[vehicle]
vin = "KMHSH81C7LU123456"
profile = "car/car.toml"

[bus.body]
interface = "lo"

[bus.cabin]
interface = "can1"
candump = "cabin.log"

[[gnss]]
name = "roof"
device = "roof.nmea"
baud = 9600

[[gnss]]
name = "trailer"
device = "/dev/null"

[[units]]
id = 1
name = "car"
gnss = "roof"

[[units]]
id = 2
gnss = "trailer"

[geofences]
file = "fences.geojson"

[journal]
dir = "journal"
max_bytes = 67108864
max_days = 30

[http]
listen = "127.0.0.1:8080"
trusted = ["lo"]
names = ["car.local"]
origins = ["https://app.example"]

[metrics]
listen = "127.0.0.1:9090"

[diagnostics]
transmit = false
"#;

const PROFILE: &str = r#"[bus.body]
dbc = ["body.dbc"]

[bus.cabin]
dbc = ["cabin.dbc"]
interface = "can1"

[[signals."Vehicle.LowVoltageSystemState"]]
bus = "body"
message = "GATEWAY"
signal = "Ignition"
values = { 0 = "OFF", 1 = "ON" }

[[signals."Vehicle.Speed"]]
bus = "body"
message = "WHEELS"
signal = "FrontLeft"

[[signals."Vehicle.Cabin.RearOccupant.IsDetected"]]
bus = "cabin"
message = "PRESENCE"
signal = "Detected"
values = { 0 = false, 1 = true }
valid = { signal = "Fault", equals = 0 }
covers = "rear"
stale_after = 2.5
"#;

const BODY: &str = "VERSION \"\"\n\nBU_: GW\n\n\
    BO_ 256 GATEWAY: 8 GW\n SG_ Ignition : 0|2@1+ (1,0) [0|3] \"\" GW\n SG_ DriverDoor : 2|1@1+ (1,0) [0|1] \"\" GW\n\n\
    BO_ 512 WHEELS: 8 GW\n SG_ FrontLeft : 0|16@1+ (0.01,0) [0|300] \"km/h\" GW\n";

const CABIN: &str = "VERSION \"\"\n\nBU_: RS\n\n\
    BO_ 768 PRESENCE: 4 RS\n SG_ Detected : 0|1@1+ (1,0) [0|1] \"\" RS\n SG_ Fault : 1|1@1+ (1,0) [0|1] \"\" RS\n";

const FENCES: &str = r#"{"type": "FeatureCollection", "features": [
 {"type": "Feature", "id": "home", "properties": {"name": "Home", "type": "Circle", "radius": 100, "radius_units": "m"},
  "geometry": {"type": "Point", "coordinates": [127.0557, 37.5446]}},
 {"type": "Feature", "id": "school", "properties": {"name": "School"},
  "geometry": {"type": "Polygon", "coordinates": [[
    [127.0812, 37.5362],
    [127.0836, 37.5362],
    [127.0836, 37.5380],
    [127.0812, 37.5380],
    [127.0812, 37.5362]]]}}
]}
"#;

/// The files of a whole site in a folder of its own.
fn lay_out(folder: &Path) {
    fs::create_dir(folder.join("car")).unwrap();
    for (file, text) in [
        ("telltale.toml", SITE),
        ("car/car.toml", PROFILE),
        ("car/body.dbc", BODY),
        ("car/cabin.dbc", CABIN),
        ("fences.geojson", FENCES),
        ("cabin.log", ""),
        ("roof.nmea", ""),
        ("a-file", ""),
    ] {
        fs::write(folder.join(file), text).unwrap();
    }
}

/// What is told of the site after `from` became `to` in `file`, one fault a line, the folder's own path left out.
fn told(file: &str, from: &str, to: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path());
    let text = fs::read_to_string(folder.path().join(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    let broken = text.replacen(from, to, 1);
    fs::write(folder.path().join(file), &broken).unwrap();
    let told = match load(&folder.path().join("telltale.toml")) {
        Ok(_) => String::new(),
        Err(LoadError::Wrong(findings)) => findings.faults.iter().map(|fault| format!("{fault}\n")).collect(),
        Err(LoadError::Absent { .. }) => "absent".to_owned(),
    };
    (broken, told.replace(&format!("{}/", folder.path().display()), ""))
}

/// A mistake: in `file`, `from` written as `to`; what is said stands at the line of `at` in `where_told`, names `key` and
/// contains `says`.
struct Mistake {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    at: (&'static str, &'static str),
    key: &'static str,
    says: &'static str,
}

const T: &str = "telltale.toml";
const P: &str = "car/car.toml";
const F: &str = "fences.geojson";

/// A mistake that is told where it was made.
const fn here(file: &'static str, from: &'static str, to: &'static str, at: &'static str, key: &'static str, says: &'static str) -> Mistake {
    Mistake { file, from, to, at: (file, at), key, says }
}
