//! What a stranger, or a client gone wrong, can do to the port: nothing.

use std::time::Duration;

use telltale::event::EventType;
use tokio::time::Instant;

use super::client::{Client, EventStream, Still, request};
use super::door::Door;

const CHILD: &str = "/api/v1/childcare/vehicles/self/child-alert/events";

fn read(path: &str) -> String {
    request("GET", path, &["Authorization: Bearer read"], "")
}

#[tokio::test(start_paused = true)]
async fn a_stranger_has_five_seconds_for_a_head_however_it_trickles() {
    let door = Door::open().await;
    let begun = Instant::now();
    let silent = door.client().await;
    let mut slow = door.client().await;
    for byte in b"GET / HTTP/1.1\r\nHost" {
        slow.send([*byte]).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(slow.until_closed().await, b"");
    assert_eq!(silent.until_closed().await, b"");
    assert_eq!(door.metric("telltale_http_dropped_total{reason=\"slow_head\"}"), 2.0);
    assert!(begun.elapsed() < Duration::from_secs(9));
}

#[tokio::test(start_paused = true)]
async fn a_stranger_may_not_linger_and_a_signed_in_client_for_a_minute() {
    let door = Door::open().await;
    let (mut stranger, mut phone, mut page) = (door.client().await, door.client().await, door.client().await);
    let login = r#"{"username": "mum", "password": "control"}"#;
    assert_eq!(page.ask("POST", "/api/v1/auth/login", &["Content-Type: application/json"], login).await.status(), 200);
    let begun = Instant::now();
    assert_eq!(stranger.ask("GET", "/healthz", &[], "").await.status(), 200);
    assert_eq!(phone.ask("GET", "/api/v1/events", &["X-Api-Key: read"], "").await.status(), 200);
    assert_eq!(stranger.until_closed().await, b"");
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(page.until_closed().await, b"");
    assert!(begun.elapsed().as_secs() >= 59, "who has just signed in is no stranger");
    assert_eq!(phone.until_closed().await, b"");
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn the_oldest_stranger_is_closed_for_the_newest_and_nobody_who_signed_in() {
    let door = Door::with(|settings| settings.limits.strangers = 3).await;
    let mut phone = door.client().await;
    phone.send(read("/api/v1/events")).await;
    assert_eq!(phone.answer(false).await.unwrap().status(), 200);
    let mut strangers = Vec::new();
    for _ in 0..10 {
        let mut stranger = door.client().await;
        assert_eq!(stranger.ask("GET", "/healthz", &[], "").await.status(), 200, "the newest is served");
        strangers.push(stranger);
    }
    door.until("telltale_http_connections", 4.0).await;
    assert_eq!(door.metric("telltale_http_dropped_total{reason=\"stranger\"}"), 7.0);
    for stranger in strangers.drain(..7) {
        assert_eq!(stranger.until_closed().await, b"");
    }
    phone.send(read("/api/v1/events")).await;
    assert_eq!(phone.answer(false).await.unwrap().status(), 200);
}

#[tokio::test]
async fn in_a_flood_of_strangers_a_phone_is_heard() {
    use std::io::Write;
    let door = Door::with(|settings| settings.limits.strangers = 4).await;
    // All of it waits in the kernel before the server gets to run.
    let mut phone = std::net::TcpStream::connect(door.address).unwrap();
    phone.write_all(read("/api/v1/events").as_bytes()).unwrap();
    let flood: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(door.address).unwrap()).collect();
    phone.set_nonblocking(true).unwrap();
    let mut phone = Client::of(tokio::net::TcpStream::from_std(phone).unwrap());
    assert_eq!(phone.answer(false).await.map(|answer| answer.status()), Some(200));
    drop(flood);
}

#[tokio::test]
async fn when_all_places_stream_the_newcomer_is_closed() {
    let limits = |settings: &mut telltale::http::Settings| {
        settings.limits.connections = 2;
        settings.limits.strangers = 1;
        settings.limits.streams = 2;
        settings.limits.streams_per_token = 2;
    };
    let door = Door::with(limits).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = door.stream(CHILD, &[]).await;
        stream.named("position").await;
        streams.push(stream);
    }
    assert_eq!(door.client().await.until_closed().await, b"");
    assert_eq!(door.metric("telltale_http_dropped_total{reason=\"connections\"}"), 1.0);
    door.feed.tell(9, EventType::ChildSeatReminder);
    assert_eq!(streams[0].named("message").await.event_id(), 9);
}

#[tokio::test]
async fn one_stream_too_many_is_told_to_come_back_later() {
    let door = Door::open().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let mut stream = door.stream(CHILD, &[]).await;
        stream.named("position").await;
        streams.push(stream);
    }
    let mut ninth = door.client().await;
    for _ in 0..2 {
        let later = ninth.ask("GET", CHILD, &["X-Api-Key: read"], "").await;
        assert_eq!((later.status(), later.header("content-type")), (200, Some("text/event-stream")));
        let wait: u64 = later.text().lines().next().unwrap().strip_prefix("retry: ").unwrap().parse().unwrap();
        assert!((10_000..=20_000).contains(&wait), "{wait}");
    }
    let mut other = EventStream::open(door.address, CHILD, &["X-Api-Key: admin"]).await;
    other.named("position").await;
    assert_eq!(door.metric("telltale_http_streams"), 9.0);
    drop(streams);
    door.until("telltale_http_streams", 1.0).await;
    door.stream(CHILD, &[]).await.named("position").await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stops_reading_is_closed_and_nobody_else_feels_it() {
    // The kernel counts by a clock of its own, and is not to be first.
    let door = Door::with(|settings| settings.limits.stalled_s = 900.0).await;
    let mut deaf = door.stream("/api/my-events?lastEventId=0", &[]).await;
    deaf.named("position").await;
    let mut good = door.stream("/api/my-events?lastEventId=0", &[]).await;
    good.named("position").await;
    // More than the kernel keeps for one that does not read.
    for id in 1..=60_000 {
        door.feed.tell(id, EventType::ChildSeatReminder);
    }
    assert_eq!(good.ids_to(60_000).await.len(), 60_000);
    assert_eq!(door.metric("telltale_http_streams"), 2.0);
    door.until_later("telltale_http_streams", 1.0).await;
    assert_eq!(door.metric("telltale_http_dropped_total{reason=\"slow_reader\"}"), 1.0);
    door.feed.tell(60_001, EventType::ChildSeatReminder);
    assert_eq!(good.ids_to(60_001).await, [60_001]);
}

#[tokio::test(start_paused = true)]
async fn a_body_has_ten_seconds_and_a_size() {
    let door = Door::open().await;
    let safe = "/api/v1/childcare/vehicles/self/child-alert/safe";
    let mut slow = door.client().await;
    slow.send("POST /childcare/vehicles/self/child-alert/safe HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: control\r\nContent-Length: 20\r\n\r\n{").await;
    let begun = Instant::now();
    let answer = slow.answer(false).await.unwrap();
    assert_eq!(answer.status(), 408);
    assert!(answer.problem().contains("within 10 s") && begun.elapsed().as_secs() >= 10);
    assert_eq!(answer.header("connection"), Some("close"));

    let huge = " ".repeat(200_000);
    let answer = door.ask("POST", safe, &["X-Api-Key: control"], &huge).await;
    assert_eq!(answer.status(), 413);
    assert!(answer.problem().contains("4096 bytes"));
    let chunked = format!("{:x}\r\n{huge}\r\n0\r\n\r\n", huge.len());
    let mut client = door.client().await;
    client
        .send(format!(
            "POST {safe} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: control\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
        ))
        .await;
    assert_eq!(client.answer(false).await.unwrap().status(), 413, "also without a length");
    let answer = door.ask("POST", safe, &["X-Api-Key: control", "Expect: 100-continue", "Content-Length: 99999999"], "").await;
    assert_eq!(answer.status(), 413, "before it is sent at all");
}

#[tokio::test]
async fn heads_have_a_size() {
    let door = Door::open().await;
    let cases = [
        (414, format!("/?{}", "x".repeat(9000)), String::new()),
        (431, "/".to_owned(), "x".repeat(17_000)),
        (431, "/".to_owned(), "x".repeat(200_000)),
        (414, format!("/?{}", "x".repeat(70_000)), String::new()),
        (431, "/".to_owned(), "y\r\nX: ".repeat(100)),
        (431, "/".to_owned(), "y\r\nX: ".repeat(1000)),
    ];
    for (status, path, header) in cases {
        let mut client = door.client().await;
        client.send(request("GET", &path, &[&format!("X-Long: {header}")], "")).await;
        let answer = client.answer(false).await.unwrap();
        // hyper's buffer is full of a target before it knows that it is one.
        let fits = answer.status() == status || (path.len() > 32 * 1024 && answer.status() == 431);
        assert!(fits, "{status} for {} and {} bytes, not {}", path.len(), header.len(), answer.status());
        assert!(answer.problem().contains("bytes"));
    }
    assert_eq!(door.ask("GET", "/healthz", &[&format!("X-Long: {}", "x".repeat(15_000))], "").await.status(), 200);
}

#[tokio::test]
async fn what_is_no_http_is_told_so() {
    let door = Door::open().await;
    for garbage in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        "hello\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "GET /\u{7f}\u{0} HTTP/1.1\r\n\r\n",
    ] {
        let mut client = door.client().await;
        client.send(garbage).await;
        let answer = client.answer(false).await.expect(garbage);
        assert_eq!(answer.status(), 400);
        assert!(answer.problem().contains("RFC 9112"));
        assert_eq!(client.until_closed().await, b"");
    }
    let mut client = door.client().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.until_closed().await;
    assert_eq!(door.ask("GET", "/healthz", &[], "").await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_pipelined_requests_is_answered_in_order_and_then_refused() {
    let (door, _still) = (Door::open().await, Still::now());
    let mut client = door.client().await;
    client.send(read("/api/v1/events").repeat(600)).await;
    let mut statuses = Vec::new();
    for _ in 0..600 {
        statuses.push(client.answer(false).await.unwrap().status());
    }
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!(statuses[..400].iter().all(|status| *status == 200) && refused > 0, "{refused} refused");
    let overloaded = door.stream(CHILD, &[]).await;
    assert_eq!(overloaded.head.status, 200, "a stream is never answered 429");
    assert_eq!(door.ask("GET", "/api/v1/events", &["X-Api-Key: admin"], "").await.status(), 200, "others feel nothing");
}

#[tokio::test]
async fn requests_behind_an_open_stream_wait_and_hurt_nobody() {
    let door = Door::open().await;
    let mut client = door.client().await;
    client.send(format!("{}{}", read(CHILD), read("/api/v1/events").repeat(50))).await;
    assert_eq!(client.head().await.unwrap().status, 200);
    client.chunk().await;
    client.chunk().await;
    door.feed.tell(7, EventType::ChildSeatReminder);
    assert!(String::from_utf8(client.chunk().await.unwrap()).unwrap().contains("\"eventId\":7"));
    assert_eq!(door.metric("telltale_http_streams"), 1.0);
}

#[tokio::test]
async fn an_unread_body_does_not_cost_the_answer() {
    let door = Door::open().await;
    for (method, path, status) in [("POST", "/nowhere", 404), ("POST", "/", 405), ("PUT", "/api/v1/geofences/x", 401)] {
        let mut client = door.client().await;
        let answer = client.ask(method, path, &[], &"x".repeat(100_000)).await;
        assert_eq!(answer.status(), status);
        let next = client.ask("GET", "/healthz", &[], "").await;
        assert_eq!(next.status(), 200, "and the connection goes on");
    }
}

#[tokio::test]
async fn addresses_that_are_not_there_yet_degrade_and_others_serve() {
    let door = Door::with(|settings| settings.listen.push("192.0.2.77:0".parse().unwrap())).await;
    let health = door.ask("GET", "/healthz", &[], "").await;
    assert!(health.json()["parts"]["http"]["detail"].as_str().unwrap().contains("192.0.2.77"));
    assert_eq!(health.json()["parts"]["http"]["condition"], "degraded");
}

#[tokio::test]
async fn what_cannot_be_bound_says_why() {
    use telltale::http::{Server, Settings};
    let bind = |settings: Settings| {
        let feed = super::feed::MemoryFeed::new();
        Server::bind(settings, feed, Default::default(), &Default::default(), Default::default()).unwrap_err()
    };
    let at = |address: std::net::SocketAddr| Settings { listen: vec![address], ..Settings::default() };
    let door = Door::open().await;
    assert_eq!(bind(at(door.address)).kind(), std::io::ErrorKind::AddrInUse);
    assert!(bind(at("192.0.2.77:0".parse().unwrap())).to_string().contains("no interface"));
    let untrusted = Settings { trusted: vec!["wlan0".to_owned()], ..at("127.0.0.1:0".parse().unwrap()) };
    assert!(bind(untrusted).to_string().contains("not in http.trusted"));
    assert!(bind(Settings { listen: vec![], ..Settings::default() }).to_string().contains("http.listen is empty"));
}

#[tokio::test]
async fn connections_to_an_untrusted_interface_are_closed_unread() {
    let wildcard = |settings: &mut telltale::http::Settings| {
        settings.listen = vec!["[::]:0".parse().unwrap()];
        settings.trusted = vec!["wlan0".to_owned()];
    };
    let door = Door::with(wildcard).await;
    let address = ("127.0.0.1", door.address.port());
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut client = Client::connect(stream.peer_addr().unwrap()).await;
    client.send(request("GET", "/healthz", &[], "")).await;
    assert_eq!(client.until_closed().await, b"");
    assert_eq!(door.metric("telltale_http_dropped_total{reason=\"untrusted\"}"), 2.0);
}

#[tokio::test]
async fn one_listener_serves_both_families() {
    let door = Door::with(|settings| settings.listen = vec!["[::]:0".parse().unwrap()]).await;
    for host in ["127.0.0.1", "::1"] {
        let address = std::net::SocketAddr::new(host.parse().unwrap(), door.address.port());
        let Ok(stream) = tokio::net::TcpStream::connect(address).await else {
            eprintln!("passed over: no {host} here");
            continue;
        };
        drop(stream);
        let mut client = Client::connect(address).await;
        assert_eq!(client.ask("GET", "/readyz", &[], "").await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_does_not_hold_up_the_shutdown() {
    let door = Door::with(|settings| settings.limits.stalled_s = 900.0).await;
    for id in 1..=60_000 {
        door.feed.tell(id, EventType::ChildSeatReminder);
    }
    let mut deaf = door.stream("/api/my-events?lastEventId=0", &[]).await;
    deaf.named("message").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    door.shutdown.cancel();
    door.serving.await.unwrap();
    assert!(begun.elapsed() <= Duration::from_secs(5));
}

#[test]
fn nothing_that_is_sent_hurts() {
    use proptest::collection::vec;
    use proptest::prelude::*;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let door = runtime.block_on(Door::open());
    let valid =
        request("POST", "/api/v1/pair?x=%41", &["Transfer-Encoding: chunked", "X-Api-Key: read"], "5\r\nhello\r\n0\r\n\r\n");
    let length = valid.len();
    let noise = vec(any::<u8>(), 0..200);
    let spoilt = (vec((0..length, any::<u8>()), 0..6), 0..length).prop_map(|(changes, keep)| {
        let mut bytes = valid.clone().into_bytes();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(length - keep);
        bytes
    });
    proptest!(ProptestConfig::with_cases(300), |(bytes in prop_oneof![noise, spoilt])| {
        runtime.block_on(async {
            let mut client = door.client().await;
            client.send(bytes).await;
            client.hang_up().await;
            client.until_closed().await;
        });
    });
    runtime.block_on(async {
        assert_eq!(door.ask("GET", "/healthz", &[], "").await.status(), 200);
        door.until("telltale_http_connections", 1.0).await;
    });
}
