//! Who gets in: where a credential may stand, scopes, wrong ones, revoked ones, pairing.

use std::time::Duration;

use serde_json::json;
use telltale::clock::{TimeSource, Wall};
use telltale::event::EventType;
use telltale::feed::Scope;
use telltale::http::Invitation;

use super::client::{EventStream, Still, request};
use super::door::Door;
use super::feed::{VIN, stamp};

const CHILD: &str = "/api/v1/childcare/vehicles/self/child-alert/events";

/// Every path that needs a sign-in, and whether its `GET` takes the token from the query.
const GUARDED: [(&str, bool); 16] = [
    (CHILD, true),
    ("/api/v1/childcare/vehicles/self/geofence/events", true),
    ("/diagnosis/auto/events", true),
    ("/api/my-events", true),
    ("/api/heartbeat", true),
    ("/api/v1/events", true),
    ("/api/v1/childcare/vehicles/self/child-alert", true),
    ("/api/v1/childcare/vehicles/self/geofence", true),
    ("/api/v1/diagnosis/vehicles/self/auto/dtc", true),
    ("/api/v1/diagnosis/codes", true),
    ("/api/v1/vehicles/self/state", true),
    ("/api/v1/geofences", true),
    ("/api/v1/geofences/home", true),
    ("/api/v1/devices", false),
    ("/metrics", false),
    ("/metrics?names=x", false),
];

async fn status(door: &Door, path: &str, headers: &[&str]) -> u16 {
    EventStream::open(door.address, path, headers).await.head.status
}

#[tokio::test]
async fn a_token_counts_where_the_table_says() {
    let door = Door::open().await;
    for (path, in_query) in GUARDED {
        for header in ["Authorization: Bearer read", "authorization: bEARER read", "X-Api-Key: read", "x-api-key: read"] {
            assert_eq!(status(&door, path, &[header]).await, 200, "{path} with {header}");
        }
        for name in ["token", "sessionid", "session"] {
            let separator = if path.contains('?') { '&' } else { '?' };
            let query = format!("{path}{separator}{name}=read");
            assert_eq!(status(&door, &query, &[]).await, if in_query { 200 } else { 401 }, "{query}");
        }
    }
}

#[tokio::test]
async fn a_header_goes_before_the_query_also_when_it_is_wrong() {
    let door = Door::open().await;
    assert_eq!(status(&door, "/api/v1/events?token=read", &["Authorization: Bearer wrong"]).await, 401);
    assert_eq!(status(&door, "/api/v1/events?token=wrong", &["X-Api-Key: read"]).await, 200);
    assert_eq!(
        status(&door, "/api/v1/events?token=read", &["Authorization: Basic cmVhZA=="]).await,
        200,
        "no credential of ours"
    );
}

#[tokio::test]
async fn changes_never_take_a_token_from_the_query() {
    let door = Door::open().await;
    for (method, path) in [
        ("POST", "/api/v1/childcare/vehicles/self/child-alert/safe"),
        ("POST", "/api/v1/childcare/vehicles/self/child-alert/snooze"),
        ("DELETE", "/api/v1/diagnosis/vehicles/self/auto/dtc"),
        ("PUT", "/api/v1/geofences/x"),
        ("DELETE", "/api/v1/geofences/home"),
        ("DELETE", "/api/v1/devices/id-read"),
    ] {
        let answer = door.ask(method, &format!("{path}?token=admin"), &[], "{}").await;
        assert_eq!(answer.status(), 401, "{method} {path}");
        assert!(answer.problem().contains("none from the query"));
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_credential_and_streams_say_so_before_they_begin() {
    let door = Door::open().await;
    for (path, _) in GUARDED {
        let answer = door.ask("GET", path, &[], "").await;
        assert_eq!((answer.status(), answer.header("www-authenticate")), (401, Some("Bearer realm=\"telltale\"")), "{path}");
        assert!(answer.problem().contains("Authorization: Bearer"));
    }
    for path in ["/", "/page.js", "/page.css", "/icon.svg", "/healthz", "/readyz"] {
        assert_eq!(door.ask("GET", path, &[], "").await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn scopes_say_what_a_device_may_do() {
    let door = Door::open().await;
    let safe = "/api/v1/childcare/vehicles/self/child-alert/safe";
    let answer = door.ask("POST", safe, &["X-Api-Key: read"], "{\"eventId\":1}").await;
    assert_eq!((answer.status(), &answer.json()["scope"]), (403, &json!("control")));
    answer.problem();
    assert_eq!(door.ask("GET", CHILD, &["X-Api-Key: blind"], "").await.status(), 403, "control does not read");
    assert_eq!(door.ask("POST", safe, &["X-Api-Key: control"], "{\"eventId\":1}").await.status(), 409);
}

#[tokio::test(start_paused = true)]
async fn ten_wrong_ones_a_minute_and_only_those_without_a_right_one_wait() {
    let door = Door::open().await;
    for n in 0..10 {
        assert_eq!(door.ask("GET", CHILD, &[&format!("X-Api-Key: guess {n}")], "").await.status(), 401);
    }
    for (headers, status) in [(&["X-Api-Key: guess"][..], 429), (&[][..], 429), (&["X-Api-Key: read"][..], 200)] {
        assert_eq!(door.ask("GET", "/api/v1/events", headers, "").await.status(), status, "{headers:?}");
    }
    let refused = door.ask("GET", "/api/v1/events?token=guess", &[], "").await;
    refused.problem();
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(door.ask("POST", "/api/v1/pair", &[], "{}").await.status(), 429, "nor is a code believed");
    assert_eq!(door.ask("GET", "/healthz", &[], "").await.status(), 200);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(door.ask("GET", CHILD, &["X-Api-Key: guess"], "").await.status(), 401);
}

#[tokio::test]
async fn a_phone_whose_token_has_ended_closes_out_nobody_at_its_address() {
    let door = Door::open().await;
    for _ in 0..50 {
        assert_eq!(door.ask("GET", CHILD, &["X-Api-Key: dead"], "").await.status(), 401);
    }
    let code = door.pairing.open(invitation(), 2).unwrap();
    let body = json!({"code": code, "device": "phone"}).to_string();
    assert_eq!(door.ask("POST", "/api/v1/pair", &[], &body).await.status(), 201);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_signed_in_asks_for_what_is_not_there_as_seldom_as_for_what_is() {
    // All at once on one connection: the hundred a second that come back must not keep pace, however slow the machine.
    let (door, _still) = (Door::open().await, Still::now());
    let all: String = (0..600)
        .map(|n| match n % 4 {
            0 => request("GET", "/nothing", &[], ""),
            1 => request("DELETE", "/healthz", &[], ""),
            2 => request("GET", "/healthz", &["Host: elsewhere.example"], ""),
            _ => request("GET", CHILD, &[], ""),
        })
        .collect();
    let mut client = door.client().await;
    client.send(all).await;
    let mut refused = 0;
    for _ in 0..600 {
        refused += u32::from(client.answer(false).await.unwrap().status() == 429);
    }
    assert!(refused > 0, "more than 400 at once");
    assert_eq!(door.ask("GET", "/api/v1/events", &["X-Api-Key: read"], "").await.status(), 200, "who has signed in may");
}

#[tokio::test]
async fn a_pairing_that_was_cut_off_has_used_nothing_up() {
    let door = Door::open().await;
    let code = door.pairing.open(invitation(), 2).unwrap();
    let body = json!({"code": code, "device": "phone"}).to_string();
    let asking = async {
        let _ = door.ask("POST", "/api/v1/pair", &[], &body).await;
    };
    tokio::select! {
        () = asking => panic!("it is answered"),
        () = door.feed.hold_devices() => {}
    }
    door.feed.let_devices_go().await;
    assert_eq!(door.ask("POST", "/api/v1/pair", &[], &body).await.status(), 201);
}

#[tokio::test]
async fn a_missing_credential_is_no_wrong_one() {
    let door = Door::open().await;
    for _ in 0..20 {
        assert_eq!(door.ask("GET", CHILD, &[], "").await.status(), 401);
    }
}

#[tokio::test]
async fn a_revoked_device_is_told_once_and_its_stream_stays_away() {
    let door = Door::open().await;
    let mut own = door.stream(CHILD, &[]).await;
    let mut other = EventStream::open(door.address, CHILD, &["X-Api-Key: control"]).await;
    own.named("position").await;
    other.named("position").await;
    let answer = door.ask("DELETE", "/api/v1/devices/id-read", &["X-Api-Key: admin"], "").await;
    assert_eq!(answer.status(), 204);
    let revoked = own.next().await.unwrap();
    assert_eq!(revoked.name, "revoked");
    assert!(!revoked.data.is_empty(), "or a browser would not dispatch it");
    assert_eq!(own.next().await, None, "the end");
    for _ in 0..20 {
        let again = door.ask("GET", CHILD, &["Last-Event-ID: 0", "X-Api-Key: read"], "").await;
        assert_eq!((again.status(), again.body.len()), (204, 0), "an EventSource stops at 204, and it is no wrong credential");
    }
    assert_eq!(door.ask("GET", "/api/v1/events", &["X-Api-Key: read"], "").await.status(), 401);
    door.feed.tell(7, EventType::ChildSeatReminder);
    assert_eq!(other.named("message").await.event_id(), 7, "the other stream goes on");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_ends_its_streams_while_the_clock_is_known() {
    let door = Door::open().await;
    let ends = Wall::from_micros(stamp(100).wall.micros());
    door.feed.set_expiry("read", Some(ends));
    let mut stream = door.stream(CHILD, &[]).await;
    stream.named("position").await;
    door.feed.change_picture(|picture| {
        picture.stamp = stamp(100);
        picture.stamp.source = TimeSource::Unset;
    });
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(door.get("/api/v1/events").await.status(), 200, "nobody vouches for that time");
    door.feed.change_picture(|picture| picture.stamp = stamp(100));
    assert_eq!(stream.next().await.unwrap().name, "revoked");
    assert_eq!(door.get("/api/v1/events").await.status(), 401);
}

#[tokio::test]
async fn devices_are_listed_and_revoked_by_those_who_may() {
    let door = Door::open().await;
    let list = door.get("/api/v1/devices").await.json();
    let own = &list["devices"].as_array().unwrap().iter().find(|device| device["current"] == true).unwrap().clone();
    assert_eq!(
        *own,
        json!({"id": "id-read", "name": "read", "member": "mum", "scopes": ["read"], "paired": "2026-02-20T00:06:47.213Z", "current": true})
    );
    assert!(!list.to_string().contains("hash"));
    assert_eq!(door.get("/api/v1/devices/id-read").await.json(), *own);
    assert_eq!(door.get("/api/v1/devices/id-none").await.status(), 404);
    let ask = |token: &str, id: &str| {
        let (header, path) = (format!("X-Api-Key: {token}"), format!("/api/v1/devices/{id}"));
        let door = &door;
        async move { door.ask("DELETE", &path, &[&header], "").await }
    };
    assert_eq!(ask("control", "id-read").await.status(), 403, "another's takes admin");
    assert_eq!(ask("control", "id-control").await.status(), 204, "its own does not");
    assert_eq!(ask("control", "id-control").await.status(), 401);
    assert_eq!(ask("admin", "id-control").await.status(), 404);
    assert_eq!(ask("admin", "id-read").await.status(), 204);
}

fn invitation() -> Invitation {
    Invitation { member: "dad".to_owned(), scopes: vec![Scope::Read, Scope::Control], days: None }
}

#[tokio::test]
async fn a_phone_pairs_with_the_code_that_the_unit_shows() {
    let door = Door::open().await;
    let closed = door.ask("POST", "/api/v1/pair", &[], r#"{"code": "x", "device": "phone"}"#).await;
    assert_eq!(closed.status(), 410);
    assert!(closed.problem().contains("telltale pair"));

    let code = door.pairing.open(invitation(), 2).unwrap();
    let wrong = door.ask("POST", "/api/v1/pair", &[], r#"{"code": "x", "device": "phone"}"#).await;
    assert_eq!(wrong.status(), 403);
    wrong.problem();

    let body = json!({"code": code, "device": "dad's phone"}).to_string();
    let paired = door.ask("POST", "/api/v1/pair", &["Content-Type: application/json"], &body).await;
    assert_eq!(paired.status(), 201);
    let token = paired.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 64, "256 bits");
    assert_eq!(paired.json(), json!({"token": token, "member": "dad", "scopes": ["read", "control"], "vin": VIN, "unit": 1}));
    assert_eq!(door.ask("POST", "/api/v1/pair", &[], &body).await.status(), 410, "for one phone");
    let devices = door.ask("GET", "/api/v1/devices", &[&format!("Authorization: Bearer {token}")], "").await;
    assert_eq!(devices.json()["devices"][0]["name"], "dad's phone");
    assert_eq!(devices.json()["devices"].as_array().unwrap().len(), 1, "those of its member only");
}

#[tokio::test(start_paused = true)]
async fn who_guesses_at_the_code_is_closed_out_for_a_minute() {
    let door = Door::open().await;
    let code = door.pairing.open(invitation(), 2).unwrap();
    for _ in 0..10 {
        assert_eq!(door.ask("POST", "/api/v1/pair", &[], r#"{"code": "x", "device": "phone"}"#).await.status(), 403);
    }
    let body = json!({"code": code, "device": "phone"}).to_string();
    assert_eq!(door.ask("POST", "/api/v1/pair", &[], &body).await.status(), 429, "even with the right one");
}

#[tokio::test]
async fn what_is_wrong_with_a_pairing_is_named() {
    let door = Door::open().await;
    let code = door.pairing.open(invitation(), 2).unwrap();
    for (body, status, field) in [
        ("", 400, None),
        ("[]", 400, None),
        ("{\"code\": ", 400, None),
        ("{\"device\": \"x\"}", 422, Some("code")),
        ("{\"code\": 7, \"device\": \"x\"}", 422, Some("code")),
        ("{\"code\": \"x\"}", 422, Some("device")),
        ("{\"code\": \"x\", \"device\": \"\"}", 422, Some("device")),
        ("{\"code\": \"x\", \"device\": \"a\\nb\"}", 422, Some("device")),
    ] {
        let answer = door.ask("POST", "/api/v1/pair", &[], body).await;
        assert_eq!((answer.status(), answer.json()["field"].as_str()), (status, field), "{body}");
        answer.problem();
    }
    door.feed.set_broken(true);
    let body = json!({"code": code, "device": "phone"}).to_string();
    assert_eq!(door.ask("POST", "/api/v1/pair", &[], &body).await.status(), 503);
    door.feed.set_broken(false);
    assert_eq!(door.ask("POST", "/api/v1/pair", &[], &body).await.status(), 201, "the code was not used up");
}

#[tokio::test]
async fn days_count_from_a_clock_that_is_known() {
    let door = Door::open().await;
    let code = door.pairing.open(Invitation { days: Some(7), ..invitation() }, 2).unwrap();
    let body = json!({"code": code, "device": "guest"}).to_string();
    door.feed.change_picture(|picture| picture.stamp.source = TimeSource::Unset);
    let answer = door.ask("POST", "/api/v1/pair", &[], &body).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.problem().contains("time"));
    door.feed.change_picture(|picture| picture.stamp = stamp(0));
    let token = door.ask("POST", "/api/v1/pair", &[], &body).await.json()["token"].as_str().unwrap().to_owned();
    let devices = door.ask("GET", "/api/v1/devices", &[&format!("X-Api-Key: {token}")], "").await.json();
    assert_eq!(devices["devices"][0]["expires"], "2026-02-27T00:06:47.213Z");
}
