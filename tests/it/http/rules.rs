//! The rules that hold for every path: hosts, origins, methods, errors, headers.

use telltale::health::Condition;

use super::client::request;
use super::door::Door;

const CHILD: &str = "/api/v1/childcare/vehicles/self/child-alert/events";

#[tokio::test]
async fn a_host_that_is_not_ours_is_misdirected() {
    let door = Door::with(|settings| settings.names = vec!["car.example".to_owned()]).await;
    let port = door.address.port();
    for host in ["127.0.0.1", &format!("127.0.0.1:{port}"), "[::1]:1", "localhost", "CAR.example:80", "192.168.4.1"] {
        assert_eq!(door.ask("GET", "/healthz", &[&format!("Host: {host}")], "").await.status(), 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "", "localhost:8080:1", "user@localhost"] {
        let answer = door.ask("GET", "/healthz", &[&format!("Host: {host}")], "").await;
        assert_eq!(answer.status(), 421, "{host}");
        assert!(answer.problem().contains("http.names"));
    }
    let two = door.ask("GET", "/healthz", &["Host: localhost", "Host: localhost"], "").await;
    assert_eq!(two.status(), 400);
    two.problem();
    let mut client = door.client().await;
    client.send("GET /healthz HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.answer(false).await.unwrap().status(), 400, "none at all");
    let rebound = door.ask("GET", "http://evil.example/healthz", &["Host: localhost"], "").await;
    assert_eq!(rebound.status(), 421, "the target's own authority goes before");
    assert_eq!(door.ask("GET", "http://localhost/healthz", &["Host: evil.example"], "").await.status(), 200);
}

#[tokio::test]
async fn a_preflight_is_let_through_without_a_sign_in() {
    let door = Door::open().await;
    let headers =
        ["Origin: https://app.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization"];
    for path in [CHILD, "/api/v1/childcare/vehicles/self/child-alert/safe", "/api/v1/pair", "/api/v1/geofences/x", "/metrics"] {
        let answer = door.ask("OPTIONS", path, &headers, "").await;
        assert_eq!((answer.status(), answer.body.len()), (204, 0), "{path}");
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE"),
            (
                "access-control-allow-headers",
                "Authorization, X-Api-Key, Content-Type, Cache-Control, Last-Event-ID, Member-ID, MemberId, Device-Id, Idempotency-Key",
            ),
            ("access-control-max-age", "600"),
            ("access-control-expose-headers", "Authorization"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    assert_eq!(
        door.ask("OPTIONS", "/api/v1/geofences/x", &[], "").await.header("allow"),
        Some("GET, PUT, DELETE, HEAD, OPTIONS")
    );
    assert_eq!(door.ask("OPTIONS", "*", &[], "").await.status(), 204);
}

#[tokio::test]
async fn pages_of_other_sites_read_only_what_they_bring_a_token_for() {
    let door = Door::with(|settings| settings.origins = vec!["https://app.example".to_owned()]).await;
    let cases = [
        // origin, headers beside, path, allow-origin, allow-credentials
        ("https://evil.example", "X: y", "/healthz", None, None),
        ("null", "X: y", "/healthz", None, None),
        ("https://evil.example", "X-Api-Key: read", "/api/v1/events", Some("*"), None),
        ("null", "Authorization: Bearer read", "/api/v1/events", Some("*"), None),
        ("https://evil.example", "X: y", "/api/v1/events?token=read", Some("*"), None),
        ("https://evil.example", "X-Api-Key: guess", "/api/v1/events", Some("*"), None),
        ("https://app.example", "X: y", "/healthz", Some("https://app.example"), Some("true")),
        ("https://app.example", "X-Api-Key: read", "/api/v1/events", Some("*"), None),
        ("https://app.example.evil", "X: y", "/healthz", None, None),
    ];
    for (origin, header, path, allow, credentials) in cases {
        let answer = door.ask("GET", path, &[&format!("Origin: {origin}"), header], "").await;
        assert_eq!(answer.header("access-control-allow-origin"), allow, "{origin} {path}");
        assert_eq!(answer.header("access-control-allow-credentials"), credentials, "{origin} {path}");
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    let preflight = door.ask("OPTIONS", "/api/v1/events", &["Origin: https://app.example"], "").await;
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://app.example"));
}

#[tokio::test]
async fn a_wrong_method_is_told_with_the_right_ones() {
    let door = Door::open().await;
    for (method, path, allow) in [
        ("POST", CHILD, "GET, HEAD, OPTIONS"),
        ("DELETE", "/", "GET, HEAD, OPTIONS"),
        ("GET", "/api/v1/pair", "POST, OPTIONS"),
        ("GET", "/api/v1/childcare/vehicles/self/child-alert/safe", "POST, OPTIONS"),
        ("PATCH", "/api/v1/geofences/x", "GET, PUT, DELETE, HEAD, OPTIONS"),
        ("BREW", "/api/v1/devices/x", "GET, DELETE, HEAD, OPTIONS"),
        ("TRACE", "/healthz", "GET, HEAD, OPTIONS"),
    ] {
        let answer = door.ask(method, path, &[], "").await;
        assert_eq!((answer.status(), answer.header("allow")), (405, Some(allow)), "{method} {path}");
        assert!(answer.problem().contains(allow.split(',').next().unwrap()));
    }
    let mut client = door.client().await;
    client.send("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(client.answer(false).await.unwrap().status(), 404);
}

#[tokio::test]
async fn paths_that_lead_nowhere_say_so_and_repeat_nothing() {
    let door = Door::open().await;
    for path in ["/nowhere", "/api/v2/events", "/api/v1/geofences/", "/%ff", "/..%2fetc/passwd", "/../etc/passwd"] {
        let answer = door.ask("GET", path, &["X-Api-Key: read"], "").await;
        assert_eq!(answer.status(), 404, "{path}");
        answer.problem();
        assert!(!answer.text().contains("passwd") && !answer.text().contains("nowhere"));
    }
    for path in [
        "/api/v1/vehicles/WRONG/state",
        "/childcare/vehicles/WRONG/child-alert/events",
        "/api/v1/childcare/vehicles/kmhsh81c7lu123456/geofence",
    ] {
        let answer = door.ask("GET", path, &["X-Api-Key: read"], "").await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(answer.problem().contains("self"));
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let door = Door::open().await;
    for path in ["/", "/healthz", "/api/v1/vehicles/self/state", "/api/v1/childcare/vehicles/self/child-alert", "/nowhere"] {
        let get = door.get(path).await;
        let mut client = door.client().await;
        let head = client.ask("HEAD", path, &["X-Api-Key: read"], "").await;
        assert_eq!((head.status(), head.body.len()), (get.status(), 0));
        for name in ["content-type", "content-length", "content-security-policy"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
        let next = client.ask("GET", "/healthz", &[], "").await;
        assert_eq!(next.status(), 200, "no body was in the way");
    }
    let mut client = door.client().await;
    let head = client.ask("HEAD", CHILD, &["X-Api-Key: read"], "").await;
    assert_eq!((head.status(), head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(client.ask("GET", "/healthz", &[], "").await.status(), 200, "it opened no stream");
    assert_eq!(door.metric("telltale_http_streams"), 0.0);
}

#[tokio::test]
async fn every_answer_is_safe_to_hold_in_a_browser() {
    let door = Door::open().await;
    for path in ["/", "/page.js", "/healthz", "/api/v1/events", "/nowhere", CHILD] {
        let mut client = door.client().await;
        client.send(request("GET", path, &["X-Api-Key: read"], "")).await;
        let head = client.head().await.unwrap();
        assert_eq!(head.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(head.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(head.header("cache-control"), Some("no-store"), "{path}");
        let policy = head.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe") && head.header("server").is_none());
    }
}

#[tokio::test]
async fn the_page_holds_no_data_and_nothing_of_anybody_else() {
    let door = Door::open().await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = door.ask("GET", path, &[], "").await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some(content_type)));
        let text = answer.text().replace("http://www.w3.org/2000/svg", "");
        assert!(!text.is_empty() && !text.contains("://") && !text.contains(super::feed::VIN), "{path}");
        for inline in ["<style", "onclick=", "style=\"", "javascript:", "eval(", "innerHTML"] {
            assert!(!text.contains(inline), "{path} has {inline}");
        }
    }
}

#[tokio::test]
async fn health_is_told_to_everybody_and_ready_only_when_all_is_well() {
    let door = Door::open().await;
    door.health.set("can0", Condition::Ok, "");
    let health = door.ask("GET", "/healthz", &[], "").await;
    assert_eq!(
        health.json(),
        serde_json::json!({"status": "ok", "parts": {"can0": {"condition": "ok"}, "http": {"condition": "ok"}}})
    );
    assert_eq!(door.ask("GET", "/readyz", &[], "").await.status(), 200);
    door.health.set("can0", Condition::Absent, "interface can0 is down; bring it up");
    let health = door.ask("GET", "/healthz", &[], "").await;
    assert_eq!((health.status(), &health.json()["status"]), (200, &"degraded".into()));
    let ready = door.ask("GET", "/readyz", &[], "").await;
    assert_eq!(ready.status(), 503);
    assert!(ready.problem().contains("can0"));
    assert_eq!(ready.json()["parts"]["can0"]["detail"], "interface can0 is down; bring it up");
}

#[tokio::test]
async fn metrics_count_by_pattern_and_never_by_path() {
    let door = Door::open().await;
    door.get("/api/v1/vehicles/SECRETVIN/state?token=secret").await;
    door.ask("GET", "/secret/path", &[], "").await;
    let page = door.get("/metrics").await;
    assert_eq!(page.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = page.text();
    assert!(text.contains("telltale_http_requests_total{route=\"/api/v1/vehicles/{vin}/state\",status=\"404\"} 1"), "{text}");
    assert!(text.contains("telltale_http_requests_total{route=\"unknown\",status=\"404\"} 1") && text.ends_with("# EOF\n"));
    assert!(!text.to_lowercase().contains("secret"));
}

#[tokio::test]
async fn metrics_may_have_a_door_of_their_own() {
    let door = Door::with(|settings| {
        settings.metrics = vec!["127.0.0.1:0".parse().unwrap()];
        settings.trusted = vec!["*".to_owned()];
    })
    .await;
    let mut client = super::client::Client::connect(door.addresses[1]).await;
    for (path, status) in [("/metrics", 200), ("/readyz", 200), ("/healthz", 200), ("/", 404), ("/api/v1/events", 404)] {
        assert_eq!(client.ask("GET", path, &["X-Api-Key: read"], "").await.status(), status, "{path}");
    }
    assert_eq!(door.ask("GET", "/metrics", &[], "").await.status(), 401, "not at the other door");
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_has_the_pattern_and_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // Where there is one subscriber only, a line that another test's thread comes to first is asked about there, and is then
    // off for all; where there are two, all are asked.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let guard = tracing::subscriber::set_default(subscriber);
    let door = Door::open().await;
    door.ask("GET", "/api/v1/vehicles/SECRET/state?token=secret", &["Authorization: Bearer secret", "X-Api-Key: secret"], "")
        .await;
    door.ask("POST", "/api/v1/pair?secret", &["Cookie: secret=secret"], "{\"code\": \"secret\", \"device\": \"secret\"}").await;
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("/api/v1/vehicles/{vin}/state") && text.contains("/api/v1/pair"), "{text}");
    assert!(!text.to_lowercase().contains("secret"), "{text}");
}

#[tokio::test]
async fn an_http_library_is_happy_too() {
    use http_body_util::{BodyExt, Empty};
    let door = Door::open().await;
    let socket = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(socket);
    let (mut sender, connection) = hyper::client::conn::http1::handshake::<_, Empty<bytes::Bytes>>(io).await.unwrap();
    tokio::spawn(connection);
    let ask = |path: &str| {
        hyper::Request::get(path).header("host", "localhost").header("x-api-key", "read").body(Empty::new()).unwrap()
    };
    for (path, key) in
        [("/api/v1/vehicles/self/state", "signals"), ("/api/v1/events", "events"), ("/api/v1/geofences", "features")]
    {
        sender.ready().await.unwrap();
        let answer = sender.send_request(ask(path)).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(body.get(key).is_some(), "{body}");
    }
    sender.ready().await.unwrap();
    let mut stream = sender.send_request(ask(CHILD)).await.unwrap().into_body();
    let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "retry: 2000\n:\n");
}
