//! Attacks on the port that are made of bytes: two requests in one, paths that pretend, hosts and events that are forged,
//! everything too large. What takes time or places is in `limits`, what is guessed at in `sign_in` and `sessions`.

use telltale::event::EventType;
use telltale::feed::Scope;

use super::client::{Client, request};
use super::door::Door;

/// What an attacker wants to be answered as a second request: nobody else in a test asks for this.
const SMUGGLED: &str = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn smuggled(door: &Door) -> f64 {
    door.metric("telltale_http_requests_total{route=\"/readyz\"")
}

/// Sends it all; the statuses of all answers until the server closes.
async fn statuses(door: &Door, bytes: impl AsRef<[u8]>) -> Vec<u16> {
    let mut client = door.client().await;
    client.send(bytes).await;
    let mut all = Vec::new();
    while let Some(answer) = client.answer(false).await {
        all.push(answer.status());
    }
    all
}

/// A request with these lines after its `Host`, and what follows its head.
fn post(lines: &str, rest: &str) -> String {
    format!("POST /api/v1/pair HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n\r\n{rest}")
}

#[tokio::test]
async fn a_head_that_two_readers_read_differently_is_refused_and_nothing_comes_out_of_it() {
    let door = Door::open().await;
    assert_eq!(statuses(&door, post("Content-Length: 0", SMUGGLED)).await.len(), 2, "two honest ones are answered");
    let honest = smuggled(&door);
    assert_eq!(honest, 1.0);
    let long = format!("Content-Length: {}", SMUGGLED.len());
    let heads = [
        "Content-Length: 0\r\nContent-Length: 5".to_owned(),
        "Content-Length: 0, 5".to_owned(),
        "Content-Length: +0".to_owned(),
        "Content-Length: -1".to_owned(),
        "Content-Length: 0x0".to_owned(),
        "Content-Length: 99999999999999999999999".to_owned(),
        "Content-Length:".to_owned(),
        "Content-Length : 0".to_owned(),
        "Content-Length\t: 0".to_owned(),
        " Content-Length: 0".to_owned(),
        "X: y\r\n Content-Length: 0".to_owned(),
        "X: y\r\n\tz".to_owned(),
        "Transfer-Encoding:\r\n chunked".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: identity".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity".to_owned(),
        "Transfer-Encoding: \x0bchunked".to_owned(),
        "X: a\0b\r\nContent-Length: 0".to_owned(),
        "X: a\rContent-Length: 0".to_owned(),
        "X\0: a".to_owned(),
        "X(y): a".to_owned(),
        "no colon".to_owned(),
        ": no name".to_owned(),
        format!("{long}\r\nContent-Length: 0"),
    ];
    for head in heads {
        let answered = statuses(&door, post(&head, SMUGGLED)).await;
        assert!(matches!(answered[..], [] | [400]), "{head:?}: {answered:?}");
    }
    let version = statuses(&door, format!("POST /api/v1/pair HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{SMUGGLED}")).await;
    assert!(matches!(version[..], [] | [400]), "{version:?}");
    assert_eq!(smuggled(&door), honest);
}

#[tokio::test]
async fn a_body_that_two_readers_end_differently_is_the_connections_last() {
    let door = Door::open().await;
    let behind = format!("0\r\n\r\n{SMUGGLED}");
    let length = behind.len();
    for head in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nContent-Length: 5".to_owned(),
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        "Content-Length: 5\r\nTransfer-Encoding: CHUNKED\r\nConnection: keep-alive".to_owned(),
        "Content-Length: 5\r\nTransfer-Encoding: gzip, chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nConnection: keep-alive, Content-Length".to_owned(),
    ] {
        let answered = statuses(&door, post(&head, &behind)).await;
        assert!(answered.len() <= 1 && answered.iter().all(|status| (400..500).contains(status)), "{head:?}: {answered:?}");
    }
    assert_eq!(smuggled(&door), 0.0);
    let both = "Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked";
    let ignored = statuses(&door, format!("GET /healthz HTTP/1.1\r\n{both}\r\n\r\n{behind}"));
    assert_eq!(ignored.await, [200], "also where nobody reads a body");
    assert_eq!(smuggled(&door), 0.0);
}

#[tokio::test]
async fn malformed_chunks_end_the_connection() {
    let door = Door::open().await;
    let extension = format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(100_000));
    let trailers = format!("0\r\n{}\r\n", "X: y\r\n".repeat(10_000));
    for body in [
        "FFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n",
        "10000000000000001\r\nx\r\n0\r\n\r\n",
        "-1\r\nx\r\n0\r\n\r\n",
        "0x1\r\nx\r\n0\r\n\r\n",
        "1_0\r\nx\r\n0\r\n\r\n",
        "\r\nx\r\n0\r\n\r\n",
        "1\nx\r\n0\r\n\r\n",
        "1;a\nb\r\nx\r\n0\r\n\r\n",
        "1;a=\"\n\"\r\nx\r\n0\r\n\r\n",
        "1\r\nxyz\r\n0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "0\r\nX\r\n\r\n",
        "0\n\n",
        &extension,
        &trailers,
    ] {
        let answered = statuses(&door, post("Transfer-Encoding: chunked", &format!("{body}{SMUGGLED}"))).await;
        let shown = body.get(..40).unwrap_or(body);
        assert!(answered.len() <= 1 && answered.iter().all(|status| (400..500).contains(status)), "{shown:?}: {answered:?}");
    }
    assert_eq!(smuggled(&door), 0.0);
    assert_eq!(door.ask("GET", "/healthz", &[], "").await.status(), 200);
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_past_the_sign_in() {
    let door = Door::open().await;
    let long = format!("/{}", "a/".repeat(4000));
    let authority = format!("localhost:{}", door.address.port());
    for path in [
        "/api/v1/%65vents",
        "/%61pi/v1/events",
        "//api/v1/events",
        "/api//v1/events",
        "/api/v1//events",
        "/api/v1/./events",
        "/api/v1/x/../events",
        "/healthz/../api/v1/events",
        "/healthz/%2e%2e/api/v1/events",
        "/healthz%2f..%2fapi/v1/events",
        "/healthz/..;/api/v1/events",
        "/api/v1/events/",
        "/api/v1/events%00",
        "/api/v1/events%2f",
        "/api/v1/events;x=/healthz",
        "/api/v1/events%3ftoken=read",
        "/api/v1/events#/healthz",
        "/API/V1/EVENTS",
        "/api/v1/%c0%ae%c0%ae/events",
        "/api/v1/%252e%252e/events",
        "/api/v1/devices%20",
        "/page.js/../api/v1/devices",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "\\api\\v1\\events",
        "/\\localhost/api/v1/events",
        "api/v1/events",
        "*",
        "?",
        "http://localhost/api/v1/events",
        "http://localhost//api/v1/events",
        "http://read@localhost/api/v1/events",
        "http:///api/v1/events",
        "https://localhost/healthz/../api/v1/devices",
        "file:///etc/passwd",
        "//localhost/api/v1/events",
        &authority,
        &long,
    ] {
        let answered = statuses(&door, request("GET", path, &["Connection: close"], "")).await;
        let shown = path.get(..40).unwrap_or(path);
        assert!(matches!(answered[..], [status] if (400..500).contains(&status)), "{shown}: {answered:?}");
    }
    let connect = statuses(&door, request("CONNECT", "localhost:22", &["Connection: close"], SMUGGLED)).await;
    assert!(connect.iter().all(|status| (400..500).contains(status)), "it is no proxy: {connect:?}");
}

#[tokio::test]
async fn no_spelling_of_a_path_gives_a_device_what_it_was_not_paired_for() {
    let door = Door::open().await;
    for path in ["/api/v1/events", "/api/v1/%65vents", "/api/v1/events?scope=read", "http://localhost/api/v1/events"] {
        let answered = statuses(&door, request("GET", path, &["X-Api-Key: blind", "Connection: close"], "")).await;
        assert!(matches!(answered[..], [403 | 404]), "{path}: {answered:?}");
    }
    for header in ["X-HTTP-Method-Override: DELETE", "X-Original-URL: /api/v1/devices", "X-Rewrite-URL: /api/v1/devices"] {
        let answer = door.ask("GET", "/api/v1/geofences/home", &["X-Api-Key: read", header], "").await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some("application/geo+json")), "{header}");
    }
    assert!(door.feed.asked().is_empty());
}

#[tokio::test]
async fn a_page_under_a_rebound_name_is_told_nothing_even_with_a_credential() {
    let door = Door::open().await;
    let session = door.log_in("read").await;
    let (ticket, cookie) = (door.ticket("X-Api-Key: read").await, format!("Cookie: telltale={session}"));
    let port = door.address.port();
    for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example", "localhost.evil.example", "0x7f.1"] {
        let host = format!("Host: {host}");
        for path in ["/", "/healthz", "/api/v1/events", "/api/my-events", &format!("/api/my-events?token={ticket}"), "/nowhere"] {
            for credential in ["X-Api-Key: read", &cookie, "X-Forwarded-Host: localhost", "Forwarded: host=localhost"] {
                let answer = door.ask("GET", path, &[&host, credential], "").await;
                assert_eq!(answer.status(), 421, "{host} {path}");
                assert!(!answer.text().contains(super::feed::VIN) && answer.header("set-cookie").is_none());
            }
        }
        let login = r#"{"username": "mum", "password": "read"}"#;
        assert_eq!(door.ask("POST", "/api/v1/auth/login", &[&host], login).await.status(), 421);
    }
}

#[tokio::test]
async fn an_event_of_the_vehicle_cannot_be_forged() {
    let door = Door::open().await;
    let mut stream = door.stream("/events", &[]).await;
    stream.named("position").await;
    let publish = async |name: &str, body: serde_json::Value, key: &str| {
        let document = serde_json::json!({"event": {"type": name, "body": body}}).to_string();
        door.ask("POST", "/events", &[key], &document).await.status()
    };
    let own = EventType::ALL.iter().map(|own| own.name()).chain(["VEHICLE_STATUS", "GPS"]);
    let disguised = [
        "child_left_behind",
        " CHILD_LEFT_BEHIND",
        "CHILD_LEFT_BEHIND ",
        "CHILD_LEFT_BEHIND\0",
        "X\nevent: CHILD_LEFT_BEHIND",
        "X\r\n\r\nevent: CHILD_LEFT_BEHIND\ndata: {}",
        "CHILD_LEFT_BEHIND\u{2028}",
        "\u{421}HILD_LEFT_BEHIND",
        "message",
        "position",
        "gap",
        "revoked",
        "",
    ];
    // Ten a second a token: each has a publisher of its own.
    for (at, name) in own.chain(disguised).enumerate() {
        let publisher = format!("publisher-{at}");
        door.feed.pair(&publisher, vec![Scope::Publish]);
        assert_eq!(publish(name, serde_json::json!({}), &format!("X-Api-Key: {publisher}")).await, 422, "{name:?}");
    }
    for key in ["X-Api-Key: read", "X-Api-Key: control", "X-Api-Key: admin"] {
        assert_eq!(publish("ICE_CREAM", serde_json::json!({}), key).await, 403, "{key}");
    }
    assert!(door.feed.asked().is_empty());
    let forged = serde_json::json!({"kind": "child", "severity": "critical", "child": {"stage": "initial"}, "x": "\n\nevent: gap\ndata: 1"});
    assert_eq!(publish("ICE_CREAM", forged, "X-Api-Key: publish").await, 201);
    let told = stream.next().await.unwrap();
    assert_eq!(told.name, "ICE_CREAM");
    let active = door.get("/api/v1/childcare/vehicles/self/child-alert").await;
    assert_ne!(active.json()["data"]["state"], "alert", "{}", active.text());
}

#[tokio::test]
async fn a_fence_whose_name_is_a_script_is_data_and_stays_so() {
    let door = Door::open().await;
    let name = "<script>alert(1)</script>\"'\u{2028}\n\ndata: x";
    let fence = serde_json::json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [127.05, 37.54]},
        "properties": {"name": name, "type": "Circle", "radius": 80, "radius_units": "m"}});
    let path = "/api/v1/geofences/%3Cscript%3E..%2f";
    let answer = door.ask("PUT", path, &["X-Api-Key: control"], &fence.to_string()).await;
    if answer.status() / 100 == 2 {
        assert_eq!(answer.header("content-type"), Some("application/geo+json"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    } else {
        assert_eq!(answer.status(), 422);
        assert!(!answer.problem().contains("<script>"));
    }
}

#[tokio::test]
async fn whatever_is_too_large_or_too_deep_is_refused_and_leaves_nothing() {
    let door = Door::open().await;
    let open: [(&str, &str, &str); 6] = [
        ("POST", "/api/v1/pair", "X: y"),
        ("POST", "/api/v1/auth/login", "X: y"),
        ("POST", "/api/v1/childcare/vehicles/self/child-alert/safe", "X-Api-Key: control"),
        ("POST", "/api/v1/childcare/vehicles/self/child-alert/snooze", "X-Api-Key: control"),
        ("PUT", "/api/v1/geofences/x", "X-Api-Key: control"),
        ("POST", "/events", "X-Api-Key: publish"),
    ];
    let deep = ["[", "{\"a\":"].map(|open| open.repeat(2_500));
    for (method, path, key) in open {
        let huge = door.ask(method, path, &[key, "Content-Length: 9223372036854775807", "Expect: 100-continue"], "").await;
        assert_eq!(huge.status(), 413, "{path}");
        huge.problem();
        for deep in &deep {
            let answer = door.ask(method, path, &[key], deep).await;
            assert!(matches!(answer.status(), 400 | 413 | 422), "{path}: {}", answer.status());
            answer.problem();
        }
    }
    let long = "x".repeat(14_000);
    for header in [
        "Authorization: Bearer ",
        "X-Api-Key: ",
        "Cookie: telltale=",
        "Cookie: a=b; ",
        "Idempotency-Key: ",
        "Member-ID: ",
        "Device-Id: ",
    ] {
        let answered = statuses(&door, request("GET", "/events", &["Connection: close", &format!("{header}{long}")], "")).await;
        assert_eq!(answered, [401], "{header}");
    }
    let named = ["Device-Id: ", "Member-ID: "].map(|header| format!("{header}{long}"));
    for header in &named {
        let answer = door.ask("GET", "/events", &["X-Api-Key: read", header], "").await;
        assert!(matches!(answer.status(), 400 | 403), "{}", answer.status());
    }
    let digits = "9".repeat(7_000);
    for query in [format!("since={digits}"), format!("limit={digits}")] {
        let answer = door.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!(answer.status(), 400, "{}", &query[..20]);
        answer.problem();
    }
    let mut stream = door.stream("/api/my-events", &[&format!("Last-Event-ID: {digits}")]).await;
    assert_eq!(stream.named("gap").await.json()["reason"], "unknown");
    drop(stream);
    assert!(door.feed.asked().is_empty());
    let mut last = Client::connect(door.address).await;
    assert_eq!(last.ask("GET", "/healthz", &[], "").await.status(), 200);
    drop(last);
    door.until("telltale_http_connections", 0.0).await;
}
