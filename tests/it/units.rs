//! ACM Destiny against real daemons: what the guide's page does, with the plug pulled; and a trailer with a receiver of its
//! own.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use nix::sys::stat::Mode;
use serde_json::Value;
use telltale::sim::VIN;

use crate::phone::{Stream, until};
use crate::unit::{Daemon, figure};

/// The guide's page: its stream, and the last event id.
struct Page {
    stream: Stream,
    stream_id: String,
    last: String,
}

impl Page {
    fn open(daemon: &Daemon, last: &str) -> Page {
        let path = format!("/sse/telemetry/connect?token={}", daemon.token);
        let stream = Stream::open(&daemon.address, &path, &[("Last-Event-ID", last)]);
        assert_eq!(stream.status, 200);
        let mut page = Page { stream, stream_id: String::new(), last: String::new() };
        let first = page.next("stream_id");
        page.stream_id = first["stream_id"].as_str().unwrap().to_owned();
        page
    }

    /// The next message of this type.
    fn next(&mut self, wanted: &str) -> Value {
        loop {
            let seen = self.stream.event().expect("the stream goes on");
            assert_eq!(seen.name, "message", "{seen:?}");
            self.last = seen.id_text.clone().unwrap_or(std::mem::take(&mut self.last));
            if seen.json()["type"] == wanted {
                return seen.json();
            }
        }
    }

    /// The next position of a unit.
    fn position(&mut self, unit: u32) -> Value {
        loop {
            let told = self.next("gps");
            if told["unit_id"] == unit && told["message_type"] == "gps" {
                return told["telemetry"]["gps"].clone();
            }
        }
    }

    fn subscribe(&self, daemon: &Daemon, path: &str) {
        let token = daemon.get(&format!("/api/v1/monitoring/{path}")).expect(200)["data"]["token"].clone();
        let subscribe = format!("/sse/telemetry/subscribe/{}/{}", self.stream_id, token.as_str().unwrap());
        assert_eq!(daemon.send("POST", &subscribe, &Value::Null).status, 204);
    }
}

#[test]
fn after_a_pulled_plug_the_page_has_its_stream_its_subscription_and_a_position_at_once() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    let mut page = Page::open(&daemon, "");
    let begun = Instant::now();
    page.subscribe(&daemon, &format!("vehicle/{}/primary", daemon.vin));
    let position = page.position(1);
    figure("seconds_to_position", begun.elapsed().as_secs_f64());
    assert!(position["latitude"].is_number() && position["longitude"].is_number(), "{position}");
    let pong = format!("/sse/telemetry/pong/{}", page.stream_id);
    assert_eq!(daemon.send("POST", &pong, &Value::Null).status, 204);
    daemon.kill();
    let (last, id) = (page.last, page.stream_id);
    for _ in 0..2 {
        let daemon = Daemon::demo(data.path(), &[]);
        let begun = Instant::now();
        let mut page = Page::open(&daemon, &last);
        assert_eq!(page.stream_id, id);
        page.position(1);
        figure("seconds_to_position_again", begun.elapsed().as_secs_f64());
        daemon.kill();
    }
}

/// One epoch of a receiver, so many seconds from now, at so many degrees and minutes north and 127° 3' east.
fn epoch(ahead: i64, degrees: u32, minutes: u32) -> Vec<u8> {
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead);
    let (time, date) = (now.strftime("%H%M%S.00"), now.strftime("%d%m%y"));
    let place = format!("{degrees:02}{minutes:02}.00000,N,12703.00000,E");
    let bodies =
        [format!("GNRMC,{time},A,{place},0.00,182.0,{date},,,A,V"), format!("GNGGA,{time},{place},1,11,0.80,38.4,M,18.5,M,,")];
    let sentence = |body: &String| {
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{sum:02X}\r\n")
    };
    bodies.iter().map(sentence).collect::<String>().into_bytes()
}

/// A receiver that says this, once.
fn say(fifo: &Path, sentences: &[u8]) {
    OpenOptions::new().write(true).open(fifo).unwrap().write_all(sentences).unwrap();
}

#[test]
fn a_trailers_receiver_is_shown_as_its_unit_and_decides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (car, trailer) = (folder.path().join("car.fifo"), folder.path().join("trailer.fifo"));
    for fifo in [&car, &trailer] {
        nix::unistd::mkfifo(fifo, Mode::S_IRWXU).unwrap();
    }
    let config = folder.path().join("telltale.toml");
    let text = format!(
        "[vehicle]\nvin = \"{VIN}\"\n\
         [[gnss]]\nname = \"roof\"\ndevice = \"car.fifo\"\n\
         [[gnss]]\nname = \"trailer\"\ndevice = \"trailer.fifo\"\nsilent_after_s = 3600\n\
         [[units]]\nid = 7\n\
         [[units]]\nid = 40\nname = \"trailer\"\ngnss = \"trailer\"\n\
         [journal]\ndir = \"journal\"\n[http]\nlisten = \"127.0.0.1:0\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let daemon = Daemon::site(&config, folder.path(), None);
    let mut page = Page::open(&daemon, "");
    page.subscribe(&daemon, "unit/40");
    say(&trailer, &epoch(0, 48, 30));
    assert_eq!(page.position(40)["latitude"], 48.5);
    daemon.until_part("trailer", "ok");
    let state = || daemon.get("/api/v1/vehicles/self/state").expect(200);
    assert_eq!(state()["location"]["address"], "position unknown", "the car has not told where it is");

    page.subscribe(&daemon, "unit/7");
    say(&car, &epoch(1, 37, 30));
    assert_eq!(page.position(7)["latitude"], 37.5);
    say(&trailer, &epoch(2, 48, 45));
    assert_eq!(page.position(40)["latitude"], 48.75);
    assert_eq!(state()["location"]["latitude"], 37.5);
    let token = daemon.token.clone();
    let way = || daemon.get("/api/v1/telemetry/history?unit=7").expect(200)["data"].as_array().cloned();
    let points = until("a point of the way", || way().filter(|points| !points.is_empty()));
    assert_eq!(points[0]["telemetry"]["gps"]["latitude"], 37.5);
    assert_eq!(daemon.get("/api/v1/telemetry/history?unit=40").status, 404);
    daemon.stop();

    let daemon = Daemon::site(&config, folder.path(), Some(&token));
    let mut again = Page::open(&daemon, &page.last);
    assert_eq!(again.stream_id, page.stream_id);
    assert_eq!(again.position(7)["latitude"], 37.5, "at once, before the receiver says anything");
    say(&trailer, &epoch(4, 48, 0));
    assert_eq!(again.position(40)["latitude"], 48.0, "subscribed as before");
    say(&car, &epoch(4, 37, 45));
    assert_eq!(again.position(7)["latitude"], 37.75);
}
