//! The doors of a running daemon as a stranger and a phone find them; what a phone draws outlives a pulled plug.

use serde_json::{Value, json};

use crate::phone::{Stream, request, until};
use crate::unit::Daemon;

#[test]
fn strangers_are_told_what_would_be_right() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    let bearer = format!("Bearer {}", daemon.token);
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let reply = request(&daemon.address, method, path, headers, b"");
        let problem = reply.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json");
        assert_eq!(problem, reply.status >= 400, "{reply:?}");
        if problem {
            assert!(reply.json()["detail"].as_str().is_some_and(|detail| detail.contains(' ')), "{reply:?}");
        }
        reply
    };
    let signed: &[(&str, &str)] = &[("Authorization", &bearer)];
    let history = "/api/v1/events";

    let unsigned = ask("GET", history, &[]);
    assert_eq!(unsigned.status, 401);
    assert_eq!(unsigned.headers["www-authenticate"], "Bearer realm=\"telltale\"");
    assert_eq!(ask("GET", history, &[("Authorization", "Bearer nonsense")]).status, 401);
    assert_eq!(ask("GET", "/api/my-events", &[]).status, 401, "before a stream begins");
    assert_eq!(ask("GET", history, signed).status, 200);
    assert_eq!(ask("GET", history, &[("X-Api-Key", &daemon.token)]).status, 200);
    for name in ["token", "sessionid", "session"] {
        assert_eq!(ask("GET", &format!("{history}?{name}={}", daemon.token), &[]).status, 200, "{name}");
    }
    assert_eq!(ask("GET", &format!("/metrics?token={}", daemon.token), &[]).status, 401, "not in the query");
    assert_eq!(ask("DELETE", "/api/v1/devices/another", signed).status, 403, "the demo's token has not the scope admin");
    assert_eq!(ask("DELETE", "/api/v1/diagnosis/vehicles/self/auto/dtc", signed).status, 403);
    assert_eq!(ask("GET", "/api/v1/vehicles/ANOTHER/state", signed).status, 404);
    assert_eq!(ask("GET", "/nowhere", signed).status, 404);
    let wrong = ask("DELETE", history, signed);
    assert_eq!((wrong.status, wrong.headers["allow"].contains("GET")), (405, true), "{wrong:?}");
    assert_eq!(ask("GET", history, &[("Authorization", &bearer), ("Host", "evil.example")]).status, 421);
    let preflight = ask("OPTIONS", history, &[("Origin", "https://app.example")]);
    assert_eq!(preflight.status, 204);
    assert!(preflight.headers["access-control-allow-headers"].contains("Last-Event-ID"), "{preflight:?}");
}

#[test]
fn the_page_the_state_and_the_numbers_are_there() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    let open = |path: &str| request(&daemon.address, "GET", path, &[], b"");
    assert!(open("/").body.contains("<title>Telltale</title>"));
    assert_eq!(open("/page.js").status, 200);
    for part in ["can.body", "can.cabin", "gnss", "journal"] {
        daemon.until_part(part, "ok");
    }
    until("all is well", || (open("/readyz").status == 200).then_some(()));

    let mut stream = Stream::open(&daemon.address, &format!("/api/my-events?token={}", daemon.token), &[]);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store");
    while stream.event().expect("the stream goes on").name != "gps" {}
    for vin in ["self", &daemon.vin] {
        let state = daemon.get(&format!("/api/v1/vehicles/{vin}/state")).expect(200);
        assert_eq!(state["vin"], daemon.vin);
        assert!(state["location"]["latitude"].is_f64(), "{state}");
        assert_eq!(state["signals"]["Vehicle.Speed"]["unit"], "km/h", "{state}");
    }
    let metrics = daemon.get("/metrics").body;
    for name in
        ["telltale_can_frames_total{bus=\"body\"}", "telltale_gnss_sentences_total", "telltale_journal_checkpoint_seconds"]
    {
        let value = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {metrics}"));
        let value: f64 = value.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(value > 0.0 || !name.ends_with("total"), "{name} counts: {metrics}");
    }
}

#[test]
fn a_fence_that_a_phone_drew_outlives_a_pulled_plug() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    let circle = |radius: u32| {
        json!({ "type": "Feature", "geometry": { "type": "Point", "coordinates": [127.05, 37.54] },
            "properties": { "name": "grandma", "type": "Circle", "radius": radius, "radius_units": "m" } })
    };
    let path = "/api/v1/geofences/grandma";
    assert_eq!(daemon.send("PUT", path, &circle(80)).status, 201);
    assert_eq!(daemon.send("PUT", path, &circle(90)).status, 200);
    assert_eq!(daemon.send("PUT", "/api/v1/geofences/other", &circle(70)).status, 201);
    assert_eq!(daemon.send("DELETE", "/api/v1/geofences/other", &Value::Null).status, 204);
    assert_eq!(daemon.send("DELETE", "/api/v1/geofences/other", &Value::Null).status, 404);
    assert_eq!(daemon.send("PUT", "/api/v1/geofences/home", &circle(80)).status, 409, "a fence of the file");
    assert_eq!(daemon.send("DELETE", "/api/v1/geofences/home", &Value::Null).status, 409);
    let swapped = json!({ "type": "Feature", "geometry": { "type": "Point", "coordinates": [37.54, 127.05] },
        "properties": { "type": "Circle", "radius": 80, "radius_units": "m" } });
    daemon.send("PUT", path, &swapped).expect(422);
    assert_eq!(daemon.send("PUT", path, &json!([])).status / 100, 4);
    let drawn = daemon.get(path).expect(200);
    assert_eq!((&drawn["properties"]["radius"], &drawn["properties"]["source"]), (&json!(90.0), &json!("phone")), "{drawn}");
    daemon.kill();

    let daemon = Daemon::demo(data.path(), &[]);
    assert_eq!(daemon.get(path).expect(200), drawn);
    let all = daemon.get("/api/v1/geofences").expect(200);
    let mut ids: Vec<&str> = all["features"].as_array().unwrap().iter().map(|fence| fence["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["grandma", "home", "office", "school"]);
    assert_eq!(daemon.send("DELETE", path, &Value::Null).status, 204);
    daemon.kill();
    assert_eq!(Daemon::demo(data.path(), &[]).get(path).status, 404);
}
