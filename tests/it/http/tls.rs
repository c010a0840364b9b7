//! TLS: pins, versions, renewals, and plain HTTP where it may not be.

use std::net::SocketAddr;

use rustls::version::{TLS12, TLS13};
use telltale::clock::Wall;
use telltale::event::EventType;
use telltale::http::{Given, Settings};
use tokio::io::AsyncReadExt;

use super::client::{Client, EventStream, request};
use super::door::Door;
use super::secure::App;

/// A door with TLS as its second address.
async fn door() -> (Door, SocketAddr) {
    let door = Door::with(with_tls).await;
    let secure = door.addresses[1];
    (door, secure)
}

fn with_tls(settings: &mut Settings) {
    settings.tls = vec!["127.0.0.1:0".parse().unwrap()];
}

/// An owner's certificate.
fn owners() -> Given {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Given::read(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn an_app_with_the_pin_comes_in_by_both_versions_and_one_with_another_does_not() {
    let (door, secure) = door().await;
    let pin = door.entrance.pin().unwrap();
    assert_eq!((door.entrance.url(), pin.len()), (format!("https://{secure}/"), 64));
    for (version, name) in [(&TLS12, "localhost"), (&TLS13, "localhost"), (&TLS13, "127.0.0.1")] {
        let versions: &'static [_] = Box::leak(Box::new([version]));
        let (stream, _) = App { versions, name, ..App::new(&pin) }.connect(secure).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let answer = Client::of(stream).ask("GET", "/api/v1/events", &["X-Api-Key: read"], "").await;
        assert_eq!(answer.status(), 200, "{version:?}");
        let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert!(header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(answer.header("strict-transport-security"), None, "it would lock a browser out");
    }
    assert!(App::new(&"0".repeat(64)).connect(secure).await.is_err(), "another pin");
    assert!(App { name: "evil.example", ..App::new(&pin) }.connect(secure).await.is_err(), "another name");
    door.until("telltale_http_dropped_total{reason=\"handshake\"}", 2.0).await;
}

#[tokio::test]
async fn a_stream_over_tls_resumes_and_ends_properly_at_the_shutdown() {
    let (door, secure) = door().await;
    for id in [10, 20, 30] {
        door.feed.tell(id, EventType::ChildSeatReminder);
    }
    let (stream, _) = App::new(&door.entrance.pin().unwrap()).connect(secure).await.unwrap();
    let headers = ["X-Api-Key: read", "Last-Event-ID: 10"];
    let mut events = EventStream::over(Client::of(stream), "/api/my-events", &headers).await;
    assert_eq!(events.ids_to(30).await, [20, 30]);
    door.shutdown.cancel();
    events.rest().await;
    door.serving.await.unwrap();
}

#[tokio::test]
async fn a_page_within_tls_has_a_cookie_that_only_tls_carries_and_is_told_from_one_without() {
    let (door, secure) = door().await;
    let (stream, _) = App::new(&door.entrance.pin().unwrap()).connect(secure).await.unwrap();
    let mut page = Client::of(stream);
    let body = r#"{"username": "mum", "password": "control"}"#;
    let signed_in = page.ask("POST", "/api/v1/auth/login", &["Content-Type: application/json"], body).await;
    let cookie = signed_in.header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-telltale=") && cookie.contains("; Secure"), "{cookie}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let mut draw = async |origin: &str| {
        let headers = [cookie.as_str(), origin, "Content-Type: application/json"];
        page.ask("DELETE", "/api/v1/geofences/home", &headers, "").await.status()
    };
    assert_eq!(draw("Origin: http://localhost").await, 401, "the page of plain HTTP is another one");
    assert_eq!(draw("Origin: https://localhost").await / 100, 2);
    let plain = door.ask("GET", "/api/v1/events", &[&cookie], "").await;
    assert_eq!(plain.status(), 401, "it counts within TLS only");
}

#[tokio::test]
async fn plain_http_at_the_port_of_tls_is_shown_the_way() {
    let (door, secure) = door().await;
    let mut client = Client::connect(secure).await;
    let answer = client.ask("GET", "/api/my-events?token=x", &[], "").await;
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.header("location"), Some(format!("https://localhost:{}/api/my-events?token=x", secure.port()).as_str()));
    assert!(answer.problem().contains("over https at port"));
    assert_eq!(client.ask("GET", "/healthz", &[], "").await.status(), 200);
    let mut noise = Client::connect(secure).await;
    noise.send([0; 64]).await;
    noise.until_closed().await;
    door.until("telltale_http_dropped_total{reason=\"handshake\"}", 1.0).await;
}

#[tokio::test]
async fn where_plain_http_is_not_trusted_all_but_the_probes_is_sent_to_tls() {
    let door = Door::with(|settings| {
        settings.listen = vec!["127.0.0.1:0".parse().unwrap()];
        settings.trusted = vec!["wlan0".to_owned()];
        with_tls(settings);
    })
    .await;
    let port = door.addresses[1].port();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(door.get(path).await.status(), 200, "{path}");
    }
    for (method, path) in
        [("GET", "/"), ("GET", "/api/my-events?rve=7"), ("POST", "/api/v1/pair"), ("GET", "/metrics"), ("GET", "//x/..")]
    {
        let answer = door.ask(method, path, &["Host: 127.0.0.1:80", "X-Api-Key: read"], "").await;
        assert_eq!(answer.status(), 307, "{path}");
        assert_eq!(answer.header("location"), Some(format!("https://127.0.0.1:{port}{path}").as_str()));
    }
    assert_eq!(door.ask("GET", "/", &["Host: evil.example"], "").await.status(), 421);
    let mut old = door.client().await;
    old.send("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.answer(false).await.unwrap().status(), 400, "nobody knows where to");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_begin_or_finish_a_handshake_is_closed_as_for_a_slow_head() {
    let (door, secure) = door().await;
    let silent = Client::connect(secure).await;
    let mut slow = Client::connect(secure).await;
    slow.send([0x16, 3, 1, 1, 0]).await;
    assert_eq!((silent.until_closed().await, slow.until_closed().await), (vec![], vec![]));
    door.until_later("telltale_http_dropped_total{reason=\"slow_head\"}", 2.0).await;
    door.until_later("telltale_http_connections", 0.0).await;
}

#[tokio::test(start_paused = true)]
async fn the_certificate_is_made_anew_when_its_time_has_come_and_the_pin_outlives_it_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || {
        let door = Door::with(|settings| {
            with_tls(settings);
            settings.state = Some(folder.path().to_owned());
        })
        .await;
        let app = App::new(&door.entrance.pin().unwrap());
        (door, app)
    };
    let (door, app) = open().await;
    let (stream, first) = app.connect(door.addresses[1]).await.unwrap();
    let mut events = EventStream::over(Client::of(stream), "/api/my-events", &["X-Api-Key: read"]).await;
    door.feed.change_picture(|picture| {
        // Two thirds of 397 days lie before that.
        picture.stamp.wall = Wall::from_micros(picture.stamp.wall.micros() + 265 * 86_400_000_000);
    });
    let renewed = loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let (_, seen) = app.connect(door.addresses[1]).await.unwrap();
        if seen != first {
            break seen;
        }
    };
    door.feed.tell(10, EventType::ChildSeatReminder);
    assert_eq!(events.ids_to(10).await, [10], "a stream from before goes on");
    assert_eq!(door.get("/healthz").await.json()["parts"]["tls"]["condition"], "ok");
    door.shutdown.cancel();
    door.serving.await.unwrap();

    let (door, again) = open().await;
    assert_eq!(again.pin, app.pin);
    assert_ne!(again.connect(door.addresses[1]).await.unwrap().1, renewed, "by this clock it is not good yet");
}

#[tokio::test]
async fn the_owners_certificate_is_swapped_while_streams_go_on() {
    let (first, second) = (owners(), owners());
    let door = Door::with(|settings| {
        with_tls(settings);
        settings.given = Some(first);
    })
    .await;
    let secure = door.addresses[1];
    let before = App::new(&door.entrance.pin().unwrap());
    let (stream, _) = before.connect(secure).await.unwrap();
    let mut events = EventStream::over(Client::of(stream), "/api/my-events", &["X-Api-Key: read"]).await;
    events.named("position").await;
    door.certificates.swap(&second);
    assert!(before.connect(secure).await.is_err(), "the pin is that of another key now");
    assert!(App::new(&door.entrance.pin().unwrap()).connect(secure).await.is_ok());
    door.feed.tell(10, EventType::ChildSeatReminder);
    assert_eq!(events.ids_to(10).await, [10]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_over_tls_that_stops_reading_is_closed() {
    // The kernel counts by a clock of its own, and is not to be first.
    let door = Door::with(|settings| {
        with_tls(settings);
        settings.limits.stalled_s = 900.0;
    })
    .await;
    for id in 1..=60_000 {
        door.feed.tell(id, EventType::ChildSeatReminder);
    }
    let (mut deaf, _) = App::new(&door.entrance.pin().unwrap()).connect(door.addresses[1]).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(
        &mut deaf,
        request("GET", "/api/my-events?lastEventId=0", &["X-Api-Key: read"], "").as_bytes(),
    )
    .await
    .unwrap();
    let mut some = [0; 100];
    deaf.read_exact(&mut some).await.unwrap();
    door.until_later("telltale_http_dropped_total{reason=\"slow_reader\"}", 1.0).await;
    door.until_later("telltale_http_connections", 0.0).await;
}
