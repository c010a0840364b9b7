//! `telltale run` over a site's file, fed by a drive at real speed through FIFOs and a PTY; plugs are pulled.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use telltale::clock::Wall;
use telltale::event::{ChildStage, EventType};
use telltale::sim::{Telling, VIN};
use tempfile::TempDir;

use crate::drives::seconds;
use crate::feeder::{APART, Feeder, TOGETHER, Wire, meanwhile};
use crate::phone::Phone;
use crate::unit::{Daemon, project};

/// How long nobody listens to the car: long enough to be told from what a busy machine is late by.
const DARK: Duration = Duration::from_secs(30);

/// The folder of a site, and the car beside it.
struct Site {
    folder: TempDir,
    feeder: Feeder,
}

impl Site {
    fn new(wires: [Wire; 2], ahead: f64, of: impl Fn(Telling) -> bool) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let feeder = Feeder::start(folder.path(), wires, ahead, of);
        let (profile, fences) = (project("src/sim/car.toml"), project("src/sim/fences.geojson"));
        let bus = |(name, interface, fifo): Wire| format!("[bus.{name}]\ninterface = \"{interface}\"\ncandump = \"{fifo}\"\n");
        let buses: String = wires.into_iter().map(bus).collect();
        let text = format!(
            "[vehicle]\nvin = \"{VIN}\"\nprofile = {profile:?}\n\
             {buses}\
             [[gnss]]\ndevice = \"receiver\"\nbaud = 115200\n\
             [geofences]\nfile = {fences:?}\n\
             [journal]\ndir = \"journal\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\n"
        );
        std::fs::write(folder.path().join("telltale.toml"), text).unwrap();
        Site { folder, feeder }
    }

    fn daemon(&self, token: Option<&str>) -> Daemon {
        let runtime: PathBuf = self.folder.path().join("runtime");
        Daemon::site(&self.folder.path().join("telltale.toml"), &runtime, token)
    }
}

fn is_stage(event: &Value, stage: &str) -> bool {
    event["eventType"] == "CHILD_LEFT_BEHIND" && event["child"]["stage"] == stage
}

#[test]
fn killed_in_an_alert_while_the_car_goes_on_sending_the_daemon_goes_on_in_its_own_time() {
    // From the last metres of the drive on: stop, out, locked, and ten seconds later the alert.
    let site = Site::new(TOGETHER, 30.0, |telling| matches!(telling, Telling::Left(ChildStage::Initial, _)));
    let daemon = site.daemon(None);
    let mut phone = Phone::default();
    phone.connect(&daemon);
    let initial = phone.until("an alert", |event| is_stage(event, "initial"));
    assert_eq!((&initial["child"]["confidence"], &initial["vin"]), (&json!("direct"), &json!(VIN)), "{initial}");
    assert_eq!(initial["timeSource"], "gnss", "{initial}");
    let token = daemon.token.clone();
    daemon.kill();
    phone.drain();

    // The car sends on while nobody listens; none of it may be taken for news later.
    meanwhile(DARK);
    let restarted = Wall::system();
    let daemon = site.daemon(Some(&token));
    phone.connect(&daemon);
    // Until the receiver is heard, the place is the last known one, as old as it says.
    let fix = loop {
        let seen = phone.next().expect("the stream goes on");
        let Some(position) = (seen.name == "gps").then(|| seen.json()) else { continue };
        let location = &position["lastLocation"];
        if location["timestamp"].is_string() && location["age"].as_f64().is_some_and(|age| age < 8.0) {
            break position;
        }
    };
    let read: jiff::Timestamp = fix["lastLocation"]["timestamp"].as_str().unwrap().parse().unwrap();
    let old = (restarted.micros() - read.as_microsecond()) as f64 / 1e6;
    assert!(old < 8.0, "a fix from before the restart, {old} s old, is taken for news: {fix}");
    let resumed = phone.told.iter().find(|event| event["child"]["resumed"] == true).cloned();
    let resumed = resumed.unwrap_or_else(|| phone.until("the alert going on", |event| event["child"]["resumed"] == true));
    assert_eq!(resumed["child"]["stage"], "repeated", "{resumed}");
    let escalated = phone.until("its escalation", |event| is_stage(event, "escalated"));
    let passed = seconds(&escalated) - seconds(&initial);
    assert!((59.0..60.0 + DARK.as_secs_f64()).contains(&passed), "a minute after the beginning, restart or not: {passed} s");
    let token = daemon.token.clone();
    daemon.kill();
    phone.drain();

    let daemon = site.daemon(Some(&token));
    phone.connect(&daemon);
    let end = phone.until("its end", |event| event["eventType"] == "CHILD_ALERT_CLEARED");
    assert_eq!(end["child"]["reason"], "rear_door_opened", "{end}");
    let count = |stage: &str| phone.told.iter().filter(|event| is_stage(event, stage)).count();
    assert_eq!((count("initial"), count("escalated")), (1, 1), "{:#?}", phone.summary());
    phone.agrees_with_history(&daemon);
}

#[test]
fn a_receiver_unplugged_and_a_bus_without_a_writer_are_told_of_and_taken_up_again() {
    let site = Site::new(APART, 5.0, |telling| telling == Telling::Plain(EventType::TripStart));
    let daemon = site.daemon(None);
    for part in ["can.body", "can.cabin", "gnss"] {
        daemon.until_part(part, "ok");
    }
    let mut phone = Phone::default();
    phone.connect(&daemon);
    phone.until("a trip", |event| event["eventType"] == "TRIP_START");

    site.feeder.unplug_receiver();
    let told = daemon.until_part("gnss", "absent");
    assert!(told.contains("plug the receiver in"), "{told}");
    site.feeder.plug_receiver();
    daemon.until_part("gnss", "ok");

    site.feeder.cut();
    let told = daemon.until_part("can.body", "degraded");
    assert!(told.contains("nobody writes to") && told.contains("body.fifo"), "{told}");
    daemon.until_part("can.cabin", "degraded");
    site.feeder.join();
    daemon.until_part("can.body", "ok");
    daemon.until_part("can.cabin", "ok");
    let speed = || daemon.get("/api/v1/vehicles/self/state").expect(200)["signals"]["Vehicle.Speed"]["age"].as_f64();
    crate::phone::until("fresh signals", || speed().filter(|age| *age < 1.0));
    phone.agrees_with_history(&daemon);
}
