//! What a fleet wants of a vehicle, from its document to the report, through the engine and the journal.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use telltale::clock::{Clock, Wall};
use telltale::detect::{Engine, Outbox, Settings};
use telltale::feed::{Failure, Feed};
use telltale::gateway::{Core, Late, Vehicle};
use telltale::geo::{Fence, FenceSource, Point, Shape};
use telltale::health::Health;
use telltale::journal::{self, Journal};
use telltale::metrics::Metrics;
use telltale::request::{Refusal, Request};
use telltale::upstream::desired::{Desired, Wish, obey};
use telltale::vehicle::{Layout, Vin};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::http::feed::MemoryFeed;

const VIN: &str = "KMHSH81C7LU123456";

/// A vehicle with a journal, whose site has one fence, and somebody who brings what the fleet wants.
struct Unit {
    vin: Vin,
    vehicle: Vehicle,
    journal: Arc<Journal>,
    health: Health,
    wishes: mpsc::Sender<Desired>,
}

fn circle(id: &str, source: FenceSource) -> Fence {
    let centre = Point { latitude: 37.5, longitude: 127.1 };
    Fence::new(id, source, Shape::circle(centre, 100.0).unwrap())
}

impl Unit {
    /// To be called on a runtime.
    fn start(dir: &Path) -> Unit {
        let vin = Vin::try_from(VIN.to_owned()).unwrap();
        let clock = Clock::scaled(Wall::build().max(Wall::from_micros(1_771_546_007_000_000)), 1.0);
        let settings = journal::Settings { dir: dir.to_owned(), stall_seconds: 60.0, ..journal::Settings::default() };
        let (health, counters) = (Health::default(), journal::Counters::register(&Metrics::default()));
        let opened = Journal::open(settings, vin.clone(), clock.clone(), health.clone(), counters).unwrap();
        let journal::Opened { journal, rows, last, mut inbox, .. } = opened;
        let site = vec![circle("school", FenceSource::File)];
        let mut engine = Engine::new(Settings::default(), vin.clone(), Layout::default(), site);
        engine.restore(&rows, clock.stamp(clock.now()), "boot");
        let mut outbox = Outbox::new(vin.clone(), last);
        outbox.reserve(journal.reserved());
        let core = Core::new(engine, outbox, Late::Never);
        let vehicle = Vehicle::new(vin.clone(), core, clock, health.clone(), journal.clone());
        vehicle.show_fences();
        let answers = vehicle.clone();
        tokio::spawn(async move {
            while let Some(asked) = inbox.recv().await {
                answers.answer(asked);
            }
        });
        let (wishes, wanted) = mpsc::channel(4);
        tokio::spawn(obey(journal.clone(), vin.clone(), wanted));
        Unit { vin, vehicle, journal, health, wishes }
    }

    async fn want(&self, what: Wish, document: impl Into<Bytes>) -> Value {
        let (reply, report) = oneshot::channel();
        self.wishes.send(Desired { what, document: document.into(), reply }).await.unwrap();
        serde_json::from_slice(&report.await.unwrap()).unwrap()
    }

    /// The fences in force, by whom.
    fn fences(&self) -> Vec<(String, FenceSource)> {
        let fences = self.journal.fences(&self.vin).unwrap().borrow().clone();
        let mut all: Vec<_> = fences.iter().map(|fence| (fence.id.clone(), fence.source)).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }

    fn rows(&self) -> usize {
        self.journal.kept("").len()
    }

    async fn ask(&self, request: Request) -> Result<(), Failure> {
        self.journal.submit(&self.vin, request).await.map(drop)
    }

    fn stop(self) {
        assert!(self.journal.close(std::time::Duration::from_secs(300)));
    }
}

fn features(ids: &[&str]) -> String {
    let feature = |id: &&str| {
        json!({"type": "Feature", "id": id, "properties": {"type": "Circle", "radius": 150, "radius_units": "m"},
            "geometry": {"type": "Point", "coordinates": [127.1, 37.5]}})
    };
    json!({"type": "FeatureCollection", "features": ids.iter().map(feature).collect::<Vec<_>>()}).to_string()
}

#[tokio::test]
async fn the_fleets_fences_are_all_it_has_drawn_and_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let unit = Unit::start(dir.path());
    unit.ask(Request::PutFence(Box::new(circle("home", FenceSource::Phone)))).await.unwrap();
    let report = unit.want(Wish::Fences, features(&["depot", "yard"])).await;
    assert_eq!(
        (&report["accepted"], &report["fences"], &report["faults"]),
        (&json!(true), &json!(["depot", "yard"]), &json!([]))
    );
    assert_eq!(report["document"].as_str().unwrap().len(), 64);
    let [file, phone, fleet] = [FenceSource::File, FenceSource::Phone, FenceSource::Fleet];
    let owned = |all: &[(&str, FenceSource)]| all.iter().map(|(id, by)| ((*id).to_owned(), *by)).collect::<Vec<_>>();
    assert_eq!(unit.fences(), owned(&[("depot", fleet), ("home", phone), ("school", file), ("yard", fleet)]));

    // A phone leaves them alone.
    let put = unit.ask(Request::PutFence(Box::new(circle("depot", phone)))).await.unwrap_err();
    let delete = unit.ask(Request::DeleteFence("yard".to_owned())).await.unwrap_err();
    for refused in [put, delete] {
        assert!(
            matches!(&refused, Failure::Refused(Refusal::Conflict { reason, .. }) if reason.contains("by the fleet")),
            "{refused}"
        );
    }

    // A clash is told with its owner, and nothing of that document is done.
    let report = unit.want(Wish::Fences, features(&["mine", "home", "school"])).await;
    assert_eq!((&report["accepted"], &report["fences"]), (&json!(false), &json!(["depot", "yard"])));
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults[0], json!({"at": "fence `home`", "message": "was made by a phone", "cure": "give yours another id"}));
    assert_eq!(faults[1]["message"], "was made in the unit's own file");
    assert_eq!(unit.fences().len(), 4);

    // What is no more in it goes, and what is stays, over a restart too.
    let report = unit.want(Wish::Fences, features(&["yard", "port"])).await;
    assert_eq!(report["fences"].as_array().unwrap().len(), 2);
    unit.stop();
    let unit = Unit::start(dir.path());
    let there = owned(&[("home", phone), ("port", fleet), ("school", file), ("yard", fleet)]);
    assert_eq!(unit.fences(), there);
    let before = unit.rows();
    assert_eq!(unit.want(Wish::Fences, features(&["yard", "port"])).await["accepted"], true);
    assert_eq!((unit.fences(), unit.rows()), (there, before), "the same document is no change");
    assert_eq!(unit.want(Wish::Fences, "").await["fences"], json!([]));
    assert_eq!(unit.fences(), owned(&[("home", phone), ("school", file)]));
    unit.stop();
}

#[tokio::test]
async fn a_document_of_many_fences_is_kept_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let unit = Unit::start(dir.path());
    let ids: Vec<String> = (0..900).map(|at| format!("f{at}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let report = unit.want(Wish::Fences, features(&ids)).await;
    assert_eq!(report["fences"].as_array().unwrap().len(), 900, "{}", report["faults"]);
    let drawn = unit.journal.kept("drawn/").len();
    assert_eq!(drawn, 900, "with the answer, all of them");
    unit.stop();
    assert_eq!(Unit::start(dir.path()).fences().len(), 901);
}

#[tokio::test]
async fn the_fleets_numbers_go_over_the_sites_as_far_as_the_site_allows() {
    let dir = tempfile::tempdir().unwrap();
    let unit = Unit::start(dir.path());
    let wanted = r#"{"child": {"locked_s": 8}, "trip": {"standing_s": 600}}"#;
    let report = unit.want(Wish::Settings, wanted).await;
    assert_eq!((&report["accepted"], &report["faults"]), (&json!(true), &json!([])));
    assert_eq!(report["settings"], serde_json::from_str::<Value>(wanted).unwrap());
    let again = unit.want(Wish::Settings, wanted).await;
    assert_eq!(again, report, "the same document, the same answer");

    let later = r#"{"child": {"locked_s": 15}, "diagnostics": {"transmit": true}}"#;
    let report = unit.want(Wish::Settings, later).await;
    assert_eq!((&report["accepted"], &report["settings"]["child"]["locked_s"]), (&json!(false), &json!(8)));
    assert_eq!(report["faults"][0]["at"], "diagnostics");
    let report = unit.want(Wish::Settings, r#"{"child": {"locked_s": 15}}"#).await;
    assert_eq!(report["faults"][0]["at"], "child.locked_s");
    assert!(report["faults"][0]["cure"].as_str().unwrap().contains("the site's file has 10"));

    // The site's file is read again and allows less.
    let mut site = Settings::default();
    site.child.locked_s = 9;
    unit.vehicle.renew(site.clone(), vec![circle("school", FenceSource::File)]);
    assert!(!unit.health.parts().contains_key("fleet.settings"), "8 is still no later");
    site.child.locked_s = 5;
    unit.vehicle.renew(site.clone(), vec![circle("school", FenceSource::File)]);
    let told = unit.health.parts()["fleet.settings"].detail.clone();
    assert!(told.contains("child.locked_s: is 8; the site's file has 5"), "{told}");
    assert!(unit.journal.kept("door/fleet/").is_empty(), "and it does not come back with the next start");
    let report = unit.want(Wish::Settings, r#"{"child": {"locked_s": 5}}"#).await;
    assert_eq!(report["accepted"], true);
    assert!(!unit.health.parts().contains_key("fleet.settings"));
    assert_eq!(unit.want(Wish::Settings, "").await["settings"], json!({}));
    unit.stop();
}

#[tokio::test]
async fn a_vehicle_that_cannot_answer_asks_to_send_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let unit = Unit::start(dir.path());
    let (wishes, wanted) = mpsc::channel(1);
    tokio::spawn(obey(unit.journal.clone(), Vin::try_from("OTHER".to_owned()).unwrap(), wanted));
    let (reply, report) = oneshot::channel();
    wishes.send(Desired { what: Wish::Fences, document: Bytes::new(), reply }).await.unwrap();
    let report: Value = serde_json::from_slice(&report.await.unwrap()).unwrap();
    assert_eq!((&report["accepted"], &report["faults"][0]["cure"]), (&json!(false), &json!("send it again in a while")));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_sends_document_after_document_is_answered_one_a_minute() {
    let (wishes, wanted) = mpsc::channel(1);
    tokio::spawn(obey(MemoryFeed::new(), Vin::try_from(VIN.to_owned()).unwrap(), wanted));
    let begun = Instant::now();
    let mut waited = Vec::new();
    for _ in 0..34 {
        let (reply, report) = oneshot::channel();
        let document = Bytes::from_static(b"nonsense");
        wishes.send(Desired { what: Wish::Settings, document, reply }).await.unwrap();
        report.await.unwrap();
        waited.push(begun.elapsed().as_secs());
    }
    assert_eq!((waited[31], waited[32], waited[33]), (0, 60, 120));
}
