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
device = "trailer.nmea"

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

[child]
locked_s = 10

[trip]
start_kmh = 5.0
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
        ("trailer.nmea", ""),
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

/// A mistake: in `file`, `from` written as `to`. What is said stands at the line of `at` in that file, names `key` and
/// contains `says`.
struct Mistake {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    at: &'static str,
    key: &'static str,
    says: &'static str,
}

const T: &str = "telltale.toml";
const P: &str = "car/car.toml";
const F: &str = "fences.geojson";

macro_rules! mistakes {
    ($($file:ident: $from:literal => $to:literal, at $at:literal, $key:literal, $says:literal;)*) => {
        &[$(Mistake { file: $file, from: $from, to: $to, at: $at, key: $key, says: $says },)*]
    };
}

const MISTAKES: &[Mistake] = mistakes! {
    // TOML itself.
    T: "baud = 9600" => "baud = ", at "baud =", "gnss.baud", "mend the TOML";
    T: "board = \"sim\"" => "board = \"sim", at "board =", "board", "mend the TOML";
    T: "[http]" => "[http", at "[http", "http", "mend the TOML";
    T: "trusted = [\"lo\"]" => "listen = \"[::1]:1\"", at "listen = \"[::1]", "http.listen", "keep one of the two";
    T: "[metrics]" => "[http]\n[metrics]", at "[http]\n[metrics]", "http", "keep one of the two";
    T: "max_days = 30" => "max_days = 99999999999999999999", at "max_days", "journal.max_days", "below 2^63";
    // Keys.
    T: "baud = 9600" => "buad = 9600", at "buad", "gnss.buad", "the nearest known one is `baud`";
    T: "[journal]" => "[juornal]", at "[juornal]", "juornal", "the nearest known one is `journal`";
    T: "interface = \"lo\"" => "interfase = \"lo\"", at "interfase", "bus.body.interfase", "`interface`";
    T: "board = \"sim\"" => "vin = \"A\"", at "vin = \"A\"", "vin", "the nearest known one is `vehicle.vin`";
    T: "locked_s = 10" => "locked_secs = 10", at "locked_secs", "child.locked_secs", "locked_s";
    T: "transmit = false" => "transmits = true", at "transmits", "diagnostics.transmits", "`transmit`";
    T: "max_days = 30" => "colour = 30", at "colour", "journal.colour", "known here: dir, max_bytes";
    // Values of the wrong kind.
    T: "transmit = false" => "transmit = \"no\"", at "transmit", "diagnostics.transmit", "give true or false";
    T: "baud = 9600" => "baud = \"9600\"", at "baud", "gnss.baud", "such as 9600";
    T: "baud = 9600" => "baud = -1", at "baud", "gnss.baud", "is -1; give the receiver's bits a second";
    T: "names = [\"car.local\"]" => "names = \"car.local\"", at "names", "http.names", "a list of host names";
    T: "[[gnss]]" => "[gnss]", at "[[gnss]]", "gnss", "keep one of the two";
    T: "locked_s = 10" => "locked_s = 2020-01-01", at "locked_s", "child.locked_s", "is a date";
    T: "start_kmh = 5.0" => "start_kmh = inf", at "start_kmh", "trip.start_kmh", "give a finite number";
    T: "[bus.body]\ninterface" => "[bus]\nbody", at "body = ", "bus.body", "has to be a table; write [bus.body]";
    // Numbers out of range.
    T: "baud = 9600" => "baud = 0", at "baud", "gnss.baud", "is 0: must lie between 1200 and 4000000; most receivers";
    T: "max_bytes = 67108864" => "max_bytes = 1000", at "max_bytes", "journal.max_bytes", "16777216";
    T: "max_days = 30" => "max_days = 0", at "max_days", "journal.max_days", "1 to 3650";
    T: "locked_s = 10" => "locked_s = 100", at "locked_s", "child.locked_s", "is 100; it must lie between 2 and 15";
    T: "start_kmh = 5.0" => "start_kmh = 500.0", at "start_kmh", "trip.start_kmh", "it must lie between 3 and 30";
    T: "start_kmh = 5.0" => "start_kmh = 5.0\n[geofence]\nexit_m = 500.0", at "exit_m", "geofence.exit_m", "is 500; it may be 0 to 200";
    // The vehicle.
    T: "vin = \"KMHSH81C7LU123456\"" => "", at "[vehicle]", "vehicle.vin", "is absent; add [vehicle] vin =";
    T: "KMHSH81C7LU123456" => "kmhsh81c7lu123456", at "vin", "vehicle.vin", "A to Z";
    T: "KMHSH81C7LU123456" => "KMHSH81C7LU1234567", at "vin", "vehicle.vin", "1 to 17 characters";
    T: "car/car.toml" => "car/cra.toml", at "profile", "vehicle.profile", "there is no car/cra.toml; correct the path";
    T: "car/car.toml" => "car", at "profile", "vehicle.profile", "car is a folder; name a file in it";
    T: "\"sim\"" => "\"simm\"", at "simm", "board", "there is no board `simm`; the nearest known one is `sim`";
    // Buses.
    T: "interface = \"lo\"" => "", at "[bus.body]", "bus.body.interface", "is absent; add interface =";
    P: "dbc = [\"cabin.dbc\"]\ninterface = \"can1\"" => "dbc = [\"cabin.dbc\"]\n[bus.third]\ndbc = [\"body.dbc\"]", at "[bus.third]", "bus.third.interface", "in telltale.toml";
    T: "trailer.nmea" => "cabin.log", at "device = \"cabin.log\"", "gnss.device", "is bus.cabin.candump too; give the receiver a port";
    T: "interface = \"lo\"" => "interface = \"can-behind-the-dashboard\"", at "can-behind", "bus.body.interface", "Linux allows 15";
    T: "interface = \"lo\"" => "interface = \"can1\"\ncandump = \"cabin.log\"", at "interface = \"can1\"\ncandump = \"cabin.log\"\n\n[[gnss]]", "bus.cabin.interface", "bus.body reads already";
    T: "[bus.body]" => "[bus.bdoy]", at "[bus.bdoy]", "bus.bdoy", "is no bus of the vehicle profile; the nearest one that it has is `body`";
    T: "cabin.log" => "cabn.log", at "candump", "bus.cabin.candump", "mkfifo cabn.log";
    // Receivers and units.
    T: "trailer.nmea" => "roof.nmea", at "device = \"roof.nmea\"\n\n[[units]]", "gnss.device", "stands in line 16 already; one receiver has one";
    T: "trailer.nmea" => "./roof.nmea", at "./roof", "gnss.device", "stands in line 16 already";
    T: "name = \"trailer\"" => "name = \"roof\"", at "name = \"roof\"\ndevice = \"trailer", "gnss.name", "a name of its own";
    T: "device = \"trailer.nmea\"" => "", at "[[gnss]]\nname = \"trailer\"", "gnss.device", "name a serial port";
    T: "roof.nmea" => "rof.nmea", at "device = \"rof", "gnss.device", "there is no rof.nmea; correct the path";
    T: "roof.nmea" => "journal/..", at "journal/..", "gnss.device", "";
    T: "id = 2" => "id = 1", at "id = 1\ngnss", "units.id", "a number of its own";
    T: "id = 2" => "id = 0", at "id = 0", "units.id", "number units from 1";
    T: "gnss = \"trailer\"" => "gnss = \"trialer\"", at "trialer", "units.gnss", "`trailer`";
    // What is remembered, and who may ask.
    T: "dir = \"journal\"" => "dir = \"a-file\"", at "dir", "journal.dir", "a-file is a file; name a folder";
    T: "listen = \"127.0.0.1:8080\"" => "listen = \"localhost:8080\"", at "listen", "http.listen", "such as \"127.0.0.1:8080\"";
    T: "listen = \"127.0.0.1:8080\"" => "listen = 8080", at "listen", "http.listen", "such as \"127.0.0.1:8080\"";
    T: "trusted = [\"lo\"]" => "trusted = [\"wlan0\"]", at "listen", "http.listen", "add \"lo\" to http.trusted";
    T: "trusted = [\"lo\"]" => "trusted = []", at "trusted", "http.trusted", "nobody could sign in";
    T: "car.local" => "http://car.local/", at "names", "http.names", "without scheme";
    T: "https://app.example" => "app.example", at "origins", "http.origins", "write scheme, host";
    T: "127.0.0.1:9090" => "127.0.0.1:8080", at "listen = \"127.0.0.1:8080\"\n\n[diag", "metrics.listen", "give it a port of its own";
    T: "trusted = [\"lo\"]" => "trusted = [\"lo\"]\ntls = \"8443\"", at "tls", "http.tls", "such as \"[::]:8080\"";
    T: "trusted = [\"lo\"]" => "trusted = [\"lo\"]\ntls = \"[::]:8080\"", at "tls", "http.tls", "give it a port of its own";
    T: "trusted = [\"lo\"]" => "trusted = [\"lo\"]\ntls = \"[::]:8443\"\nkey = \"fences.geojson\"", at "[http]", "http.certificate", "is absent; name the file";
    T: "trusted = [\"lo\"]" => "trusted = [\"lo\"]\ntls = \"[::]:8443\"\nkey = \"x\"\ncertificate = \"gone\"", at "certificate", "http.certificate", "there is no gone";
    T: "trusted = [\"lo\"]" => "trusted = [\"lo\"]\ntls = \"[::]:8443\"\nkey = \"fences.geojson\"\ncertificate = \"fences.geojson\"", at "certificate", "http.certificate", "holds no certificate";
    T: "[diagnostics]" => "[[upstream]]\nurl = \"broker.example\"\n[diagnostics]", at "url", "upstream.url", "mqtts://";
    T: "[diagnostics]" => "[[upstream]]\nurl = \"mqtt://broker.example\"\n[diagnostics]", at "url", "upstream.url", "clear_text = true";
    T: "[diagnostics]" => "[[upstream]]\nurl = \"mqtts://broker.example\"\nca = \"gone\"\n[diagnostics]", at "ca =", "upstream.ca", "there is no gone";
    T: "[diagnostics]" => "[places]\nfile = \"gone\"\n[diagnostics]", at "file = \"gone\"", "places.file", "there is no gone";
    T: "[diagnostics]" => "[places]\nfile = \"fences.geojson\"\n[diagnostics]", at "file = \"fences.geojson\"\n[diag", "places.file", "is no places file; make one with `telltale places build";
    // The profile and its databases.
    P: "body.dbc" => "bdy.dbc", at "bdy.dbc", "bus.body.dbc", "car/bdy.dbc";
    P: "signal = \"Ignition\"" => "signal = \"Igniton\"", at "Igniton", "signal", "Ignition";
    P: "message = \"WHEELS\"" => "message = \"WHELS\"", at "WHELS", "message", "WHEELS";
    P: "[[signals.\"Vehicle.Speed\"]]" => "[[signals.\"Vehicle.Sped\"]]", at "Vehicle.Sped", "Vehicle.Sped", "Vehicle.Speed";
    P: "values = { 0 = false, 1 = true }" => "values = { 0 = \"no\", 1 = \"yes\" }", at "values = { 0 = \"no\"", "values", "";
    P: "values = { 0 = \"OFF\", 1 = \"ON\" }" => "values = { off = \"OFF\" }", at "values = { off", "values", "";
    P: "values = { 0 = \"OFF\", 1 = \"ON\" }" => "values = { 0 = false, 1 = true }", at "values = { 0 = false, 1 = true }\n\n[[signals.\"Vehicle.Speed", "values", "";
    P: "signal = \"FrontLeft\"" => "signal = \"FrontLeft\"\nvalues = { 0 = true }", at "values = { 0 = true", "values", "";
    P: "signal = \"Fault\"" => "signal = \"Falt\"", at "Falt", "valid", "Fault";
    P: "stale_after = 2.5" => "stale_after = 0", at "stale_after", "stale_after", "";
    P: "covers = \"rear\"" => "covers = \"raer\"", at "covers", "covers", "rear";
    P: "bus = \"cabin\"" => "bus = \"cabn\"", at "cabn", "bus", "cabin";
    P: "covers = \"rear\"" => "cover = \"rear\"", at "cover", "cover", "covers";
    P: "stale_after = 2.5" => "latched = \"yes\"", at "latched", "latched", "true";
    P: "bus = \"cabin\"" => "bus = \"cabin", at "bus = \"cabin", "signals.\"Vehicle.Cabin.RearOccupant.IsDetected\".bus", "mend the TOML";
    P: "interface = \"can1\"" => "interface = 1", at "interface", "bus.cabin.interface", "can0";
    // The fences.
    T: "fences.geojson" => "fence.geojson", at "file = \"fence.geo", "geofences.file", "there is no fence.geojson";
    F: "\"id\": \"home\", " => "", at "\"Feature\", \"properties\": {\"name\": \"Home", "id", "";
    F: "\"id\": \"school\"" => "\"id\": \"home\"", at "\"id\": \"home\", \"properties\": {\"name\": \"School", "fence \"home\"", "needs its own";
    F: "127.0836, 37.5362" => "127.0830, 37.5390", at "[127.0836, 37.5380]", "fence \"school\"", "crosses";
    F: "[127.0812, 37.5362]]]" => "[127.0813, 37.5362]]]", at "[127.0813, 37.5362]", "fence \"school\"", "repeat its first position";
    F: "[127.0836, 37.5380]" => "[37.5380, 127.0836]", at "[37.5380, 127.0836]", "fence \"school\"", "look swapped";
    F: "\"radius\": 100" => "\"radius\": -100", at "\"radius\": -100", "fence \"home\"", "";
    F: "\"coordinates\": [127.0557, 37.5446]" => "\"coordinates\": [127.0557, \"37.5446\"]", at "\"37.5446\"", "fence \"home\"", "";
    F: "\"radius_units\": \"m\"" => "\"radius_units\": \"miles\"", at "miles", "fence \"home\"", "";
    F: "\"features\": [" => "\"features\": [,", at "[,", "geofences.file", "not the JSON it should be";
};

#[test]
fn every_mistake_is_told_with_file_line_key_and_cure() {
    let mut missed = Vec::new();
    for Mistake { file, from, to, at, key, says } in MISTAKES {
        let (text, told) = told(file, from, to);
        let Some(offset) = text.find(at) else { panic!("{file}: no {at:?} after {to:?}") };
        let line = text[..offset].lines().count().max(1) + usize::from(text[..offset].ends_with('\n'));
        let place = format!("{file}:{line}: ");
        let right = told.lines().any(|line| line.starts_with(&place) && line.contains(key) && line.contains(says));
        if !right {
            missed.push(format!("{from:?} => {to:?}\n  wanted {place}{key}: {says}\n  told   {told}"));
        }
    }
    assert!(missed.is_empty(), "{} of {} missed:\n{}", missed.len(), MISTAKES.len(), missed.join("\n"));
}

#[test]
fn what_this_version_does_not_do_is_said_and_hinders_nothing() {
    for (from, to, key, says) in [
        ("transmit = false", "transmit = true", "diagnostics.transmit", "asks nobody"),
        (
            "[diagnostics]\n",
            "[hardware.button]\nchip = \"fe200000.gpio\"\nline = 4\n[diagnostics]\n",
            "hardware.button",
            "does not read inputs of the unit yet",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        lay_out(folder.path());
        let file = folder.path().join(T);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "no {from:?}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let config = load(&file).unwrap_or_else(|error| panic!("{key}: {error}"));
        let told = config.warnings.iter().any(|warning| warning.key == key && warning.to_string().contains(says));
        assert!(told, "{key}: {:?}", config.warnings);
    }
}

#[test]
fn the_whole_site_is_fine_and_says_what_would_run() {
    let folder = tempfile::tempdir().unwrap();
    lay_out(folder.path());
    let config = load(&folder.path().join(T)).unwrap();
    assert_eq!(config.warnings, []);
    let receivers: Vec<_> = config.http.units.iter().map(|unit| (unit.id, unit.receiver)).collect();
    assert_eq!(receivers, [(1, Some(0)), (2, Some(1))]);
    let summary = config.summary().replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        summary,
        "telltale.toml: fine. It would\n\
         \x20 watch   KMHSH81C7LU123456 on the board sim\n\
         \x20 read    bus body from lo, listening only\n\
         \x20 read    bus cabin from the lines of can1 in cabin.log\n\
         \x20 know    3 sources of signals\n\
         \x20 read    receiver roof from roof.nmea\n\
         \x20 read    receiver trailer from trailer.nmea\n\
         \x20 know    2 fences\n\
         \x20 keep    30 days in journal, 64 MiB at most\n\
         \x20 answer  http://127.0.0.1:8080 to those who come over lo\n\
         \x20 answer  http://127.0.0.1:9090/metrics\n"
    );
}
