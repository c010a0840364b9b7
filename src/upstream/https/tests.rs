//! Collectors of every kind, each a script of what is answered to which request.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::event::Kind;
use crate::upstream::Topic;
use crate::upstream::tls::authority::{ALWAYS, Authority, file};

/// As it came.
#[derive(Clone, Debug)]
struct Asked {
    /// Of which connection, from 0 on.
    connection: usize,
    head: String,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&prefix))
    }

    /// The ids of the events in it.
    fn ids(&self) -> Vec<String> {
        let lines = serde_json::Deserializer::from_slice(&self.body).into_iter::<Value>();
        lines.map(|line| line.unwrap()["event"]["body"]["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// What a collector does with a request.
enum Reply {
    /// It answers this and waits for the next.
    Say(String),
    /// It answers this and closes.
    Last(String),
    /// It says this, and no more.
    Stop(&'static str),
    /// It answers this, and repeats the second part for ever.
    Endless(&'static str, &'static str),
}

fn say(status: &str, body: &str) -> Reply {
    Reply::Say(response(status, body))
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

type Asks = Arc<Mutex<Vec<Asked>>>;

/// A collector that answers by a script, on a port of its own.
struct Server {
    port: u16,
    asked: Asks,
    /// Connections that were closed from the other side, or by it.
    closed: tokio::sync::watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let mut asked = Asked { connection, head, body: bytes[at + 4..].to_vec() };
            let length: usize = asked.header("content-length").unwrap().parse().unwrap();
            while asked.body.len() < length {
                if stream.read_buf(&mut asked.body).await.ok()? == 0 {
                    return None;
                }
            }
            return Some(asked);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    asks: &Asks,
    script: &(dyn Fn(&Asked) -> Reply + Send + Sync),
) {
    while let Some(asked) = read_request(&mut stream, connection).await {
        let reply = script(&asked);
        asks.lock().unwrap().push(asked);
        let (text, is_last) = match reply {
            Reply::Say(text) => (text, false),
            Reply::Last(text) => (text, true),
            Reply::Stop(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                while stream.read_u8().await.is_ok() {}
                return;
            }
            Reply::Endless(start, part) => {
                let mut written = stream.write_all(start.as_bytes()).await;
                while written.is_ok() {
                    written = stream.write_all(part.as_bytes()).await;
                }
                return;
            }
        };
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        if is_last {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

impl Server {
    async fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
        Server::over(None, script).await
    }

    async fn over(tls: Option<Arc<ServerConfig>>, script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, script) = (Asks::default(), Arc::new(script));
        let (close, closed) = tokio::sync::watch::channel(0);
        let mut tasks = JoinSet::new();
        let asks = asked.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                let (tls, asks, script, close) = (tls.clone(), asks.clone(), script.clone(), close.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(tcp, connection, &asks, &*script).await,
                        Some(config) => {
                            if let Ok(stream) = TlsAcceptor::from(config).accept(tcp).await {
                                serve(stream, connection, &asks, &*script).await;
                            }
                        }
                    }
                    close.send_modify(|closed| *closed += 1);
                });
            }
        });
        Server { port, asked, closed, _tasks: tasks }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn message(id: u64) -> Message {
    let json = format!(r#"{{"specversion":"1.0","id":"{id}","type":"FENCE_ENTERED","data":{{}}}}"#);
    Message { topic: Topic::Event(Kind::Geofence), id: id.to_string(), event_type: "FENCE_ENTERED".into(), json: json.into() }
}

fn messages(ids: std::ops::Range<u64>) -> Vec<Message> {
    ids.map(message).collect()
}

fn clock() -> Clock {
    Clock::scaled(Wall::from_micros(Wall::build().micros() + 1), 1.0)
}

fn to(url: String) -> Settings {
    let settings = Settings { url: url.parse().unwrap(), ..Settings::default() };
    settings.check().unwrap();
    settings
}

/// Times that no slow machine exceeds.
fn patient() -> Limits {
    let long = Duration::from_secs(300);
    Limits { name: long, address: long, tls: long, answer: long, singles: long, idle: long }
}

fn collector(settings: &Settings, limits: Limits) -> Collector {
    let vin = Vin::try_from("KMHSH81C7LU123456".to_owned()).unwrap();
    Collector::within(settings, &vin, Tls::new(settings, clock()), clock(), limits)
}

fn for_server(server: &Server) -> Collector {
    collector(&to(format!("http://127.0.0.1:{}", server.port)), patient())
}

/// How many are the collector's, and what came in the way.
async fn send(collector: &mut Collector, messages: &[Message]) -> (usize, Option<Trouble>) {
    let Sent { acknowledged, trouble, .. } = collector.send(messages).await;
    (acknowledged, trouble)
}

/// What an answer makes of three messages.
async fn three(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (usize, Option<Trouble>) {
    let server = Server::start(move |_| reply()).await;
    send(&mut for_server(&server), &messages(1..4)).await
}

/// The sentence of an [`Trouble::Unreachable`] that came before anything was acknowledged.
fn unreachable(sent: (usize, Option<Trouble>)) -> String {
    match sent {
        (0, Some(Trouble::Unreachable(told))) => told,
        sent => panic!("{sent:?}"),
    }
}

#[tokio::test]
async fn a_request_is_as_it_is_promised_and_its_bytes_are_counted() {
    let server = Server::start(|_| say("201 Created", "{\"id\":1}")).await;
    let folder = tempfile::tempdir().unwrap();
    let token_file = Some(file(folder.path(), "token", "abc.def\n"));
    let settings = Settings { token_file, ..to(format!("http://127.0.0.1:{}/in?x=1", server.port)) };
    let mut collector = collector(&settings, patient());
    let one = collector.send(&messages(7..8)).await;
    assert_eq!((one.acknowledged, one.trouble), (1, None));
    assert_eq!(send(&mut collector, &messages(8..11)).await, (3, None));
    let [single, batch] = &server.asked()[..] else { panic!() };
    assert!(single.head.starts_with("POST /in?x=1 HTTP/1.1\r\n"), "{}", single.head);
    assert_eq!(one.bytes as usize, single.head.len() + 4 + single.body.len());
    let body = r#"{"event":{"type":"FENCE_ENTERED","body":{"specversion":"1.0","id":"7","type":"FENCE_ENTERED","data":{}}}}"#;
    assert_eq!(single.body, body.as_bytes());
    for (name, value) in [
        ("host", format!("127.0.0.1:{}", server.port)),
        ("content-type", "application/json".to_owned()),
        ("member-id", "KMHSH81C7LU123456".to_owned()),
        ("authorization", "Bearer abc.def".to_owned()),
        ("user-agent", format!("telltale/{}", env!("CARGO_PKG_VERSION"))),
        ("idempotency-key", Sha256::digest(body).iter().take(16).map(|byte| format!("{byte:02x}")).collect()),
    ] {
        assert_eq!(single.header(name), Some(value.as_str()), "{name}");
    }
    assert_eq!(batch.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(
        (batch.ids(), batch.body.iter().filter(|byte| **byte == b'\n').count()),
        (vec!["8".into(), "9".into(), "10".into()], 3)
    );
    assert_eq!(batch.connection, 0, "one connection is kept");
}

#[tokio::test]
async fn the_url_without_a_path_gets_one_and_the_member_may_be_another() {
    let server = Server::start(|_| say("204 No Content", "")).await;
    let settings = Settings { member: Some("fleet-7".to_owned()), ..to(format!("http://127.0.0.1:{}/", server.port)) };
    assert_eq!(send(&mut collector(&settings, patient()), &messages(1..2)).await, (1, None));
    let asked = server.asked();
    assert!(asked[0].head.starts_with("POST /events HTTP/1.1\r\n"));
    assert_eq!((asked[0].header("member-id"), asked[0].header("authorization")), (Some("fleet-7"), None));
}

#[tokio::test]
async fn the_same_body_has_the_same_key_and_another_has_another() {
    let server = Server::start(|asked| match asked.connection {
        0 => Reply::Last(String::new()),
        _ => say("202 Accepted", ""),
    })
    .await;
    let mut collector = for_server(&server);
    assert!(unreachable(send(&mut collector, &messages(1..4)).await).contains("ended the connection without an answer"));
    assert_eq!(send(&mut collector, &messages(1..4)).await, (3, None), "again, as the loop does");
    assert_eq!(send(&mut collector, &messages(4..5)).await, (1, None));
    let asked = server.asked();
    let keys: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert_eq!((keys[0], keys[0].len()), (keys[1], 32));
    assert_ne!(keys[1], keys[2]);
}

#[tokio::test]
async fn captive_portals_are_no_receipt() {
    let redirect =
        || Reply::Last("HTTP/1.1 302 Found\r\nLocation: http://portal.hotel/in\r\nContent-Length: 0\r\n\r\n".to_owned());
    assert!(unreachable(three(redirect).await).contains("sends us on to portal.hotel: a captive portal"));
    assert!(unreachable(three(|| say("200 OK", "<html>Welcome</html>")).await).contains("a captive portal"));
    assert!(unreachable(three(|| say("511 Network Authentication Required", "")).await).contains("a captive portal"));
    assert_eq!(three(|| say("200 OK", "{}")).await, (3, None));
}

#[tokio::test]
async fn what_is_cut_or_does_not_end_is_bounded() {
    let cut = || Reply::Last("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":".to_owned());
    assert!(unreachable(three(cut).await).contains("in place of a receipt"));
    let half_a_head = || Reply::Last("HTTP/1.1 201 Created\r\nContent-Le".to_owned());
    assert!(unreachable(three(half_a_head).await).contains("without an answer"));
    let created = || Reply::Last("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{".to_owned());
    assert_eq!(three(created).await, (3, None), "it has said that it took them");
    assert!(
        unreachable(three(|| Reply::Endless("HTTP/1.1 201 Created\r\nX: ", "aaaaaaaa")).await).contains("longer than 16 KiB")
    );
    assert!(unreachable(three(|| Reply::Endless("HTTP/1.1 200 OK\r\n\r\n[", "1,")).await).contains("in place of a receipt"));
    assert_eq!(three(|| Reply::Endless("HTTP/1.1 201 Created\r\n\r\n", "1,")).await, (3, None));
    assert!(
        unreachable(three(|| Reply::Last("SSH-2.0-OpenSSH_9.2\r\n".to_owned())).await).contains("does not answer in HTTP/1.1")
    );
}

#[tokio::test]
async fn who_gives_no_answer_is_waited_for_so_long_and_no_longer() {
    let brief = Limits { answer: Duration::from_millis(200), tls: Duration::from_millis(200), ..patient() };
    let server = Server::start(|_| Reply::Stop("")).await;
    let mut plain = collector(&to(format!("http://127.0.0.1:{}", server.port)), brief);
    assert!(unreachable(send(&mut plain, &messages(1..4)).await).contains("gave no answer within"));
    let halves = Server::start(|_| Reply::Stop("HTTP/1.1 201 Created\r\n")).await;
    let mut halved = collector(&to(format!("http://127.0.0.1:{}", halves.port)), brief);
    assert!(unreachable(send(&mut halved, &messages(1..4)).await).contains("gave no answer within"));
    let folder = tempfile::tempdir().unwrap();
    let ca = Some(file(folder.path(), "ca.pem", &Authority::new("Root").pem()));
    let mut secure = collector(&Settings { ca, ..to(format!("https://127.0.0.1:{}", server.port)) }, brief);
    assert!(unreachable(send(&mut secure, &messages(1..4)).await).contains("did not answer in TLS within"));
}

#[tokio::test]
async fn one_that_asks_for_patience_or_refuses_is_told_from_one_that_is_away() {
    let busy = || Reply::Last("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".to_owned());
    assert_eq!(three(busy).await, (0, Some(Trouble::Busy(Duration::from_secs(7)))));
    assert!(matches!(three(|| say("401 Unauthorized", "")).await, (0, Some(Trouble::Refused(_)))));
    assert!(unreachable(three(|| say("500 Oh", "")).await).contains("cannot take it now"));
}

/// A service of seed 004 as it stands: one event a request, as JSON.
fn takes_single_events(asked: &Asked) -> Reply {
    if asked.header("content-type") != Some("application/json") {
        return say("415 Unsupported Media Type", "");
    }
    match serde_json::from_slice::<Value>(&asked.body) {
        Ok(body) if body["event"]["type"].is_string() && body["event"]["body"].is_object() => match asked.ids()[0].as_str() {
            "13" => say("422 Unprocessable Content", ""),
            _ => say("201 Created", ""),
        },
        _ => say("400 Bad Request", ""),
    }
}

#[tokio::test]
async fn a_service_that_takes_single_events_gets_single_events_from_the_second_batch_on() {
    let server = Server::start(takes_single_events).await;
    let mut collector = for_server(&server);
    assert_eq!(send(&mut collector, &messages(1..4)).await, (3, None));
    assert_eq!(send(&mut collector, &messages(4..6)).await, (2, None));
    let (acknowledged, trouble) = send(&mut collector, &messages(11..15)).await;
    assert_eq!(acknowledged, 2);
    let Some(Trouble::Rejected(told)) = trouble else { panic!("{trouble:?}") };
    assert!(told.contains("answers 422 Unprocessable Entity to FENCE_ENTERED 13"), "{told}");
    assert_eq!(send(&mut collector, &messages(14..15)).await, (1, None));
    let ids: Vec<_> = server.asked().iter().map(|asked| asked.ids().join(" ")).collect();
    assert_eq!(ids, ["1 2 3", "1", "2", "3", "4", "5", "11", "12", "13", "14"]);
}

#[tokio::test]
async fn after_an_hour_a_batch_is_tried_again() {
    let server = Server::start(|_| say("201 Created", "")).await;
    let mut collector = for_server(&server);
    collector.one_at_a_time_until = Some(Instant::now() + ONE_AT_A_TIME);
    assert_eq!(send(&mut collector, &messages(1..3)).await, (2, None));
    collector.one_at_a_time_until = Some(Instant::now());
    assert_eq!(send(&mut collector, &messages(3..5)).await, (2, None));
    let ids: Vec<_> = server.asked().iter().map(|asked| asked.ids().join(" ")).collect();
    assert_eq!((ids, collector.one_at_a_time_until), (["1", "2", "3 4"].map(str::to_owned).into(), None));
}

#[tokio::test]
async fn of_those_that_go_one_at_a_time_an_alert_waits_for_one() {
    let server = Server::start(|_| say("201 Created", "")).await;
    let mut collector = for_server(&server);
    collector.receiver.limits.singles = Duration::ZERO;
    collector.one_at_a_time_until = Some(Instant::now() + ONE_AT_A_TIME);
    assert_eq!(send(&mut collector, &messages(1..4)).await, (1, None), "whatever comes next is decided anew");
}

#[tokio::test]
async fn what_was_acknowledged_before_the_cut_stays_acknowledged() {
    let server = Server::start(|asked| match (asked.header("content-type"), asked.ids()[0].as_str()) {
        (Some("application/x-ndjson"), _) => say("400 Bad Request", ""),
        (_, "3") if asked.connection == 0 => Reply::Last(String::new()),
        _ => say("201 Created", ""),
    })
    .await;
    let mut collector = for_server(&server);
    let (acknowledged, trouble) = send(&mut collector, &messages(1..5)).await;
    assert_eq!(acknowledged, 2);
    assert!(matches!(trouble, Some(Trouble::Unreachable(_))), "{trouble:?}");
    assert_eq!(send(&mut collector, &messages(3..5)).await, (2, None));
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_no_trouble_and_nothing_is_sent_twice() {
    let server = Server::start(|_| Reply::Last(response("201 Created", ""))).await;
    let mut collector = for_server(&server);
    for round in 0..20 {
        assert_eq!(send(&mut collector, &messages(round..round + 1)).await, (1, None));
        let mut closed = server.closed.clone();
        within(closed.wait_for(|closed| *closed > round as usize)).await.unwrap();
    }
    let asked = server.asked();
    assert_eq!(asked.iter().flat_map(Asked::ids).collect::<Vec<_>>(), (0..20).map(|id| id.to_string()).collect::<Vec<_>>());
    assert_eq!(asked.last().unwrap().connection, 19);
}

#[tokio::test]
async fn a_connection_that_was_idle_for_too_long_is_not_used_again() {
    let server = Server::start(|_| say("201 Created", "")).await;
    let limits = Limits { idle: Duration::ZERO, ..patient() };
    let mut collector = collector(&to(format!("http://127.0.0.1:{}", server.port)), limits);
    for round in 0..3 {
        assert_eq!(send(&mut collector, &messages(round..round + 1)).await, (1, None));
    }
    assert_eq!(server.asked().iter().map(|asked| asked.connection).collect::<Vec<_>>(), [0, 1, 2]);
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(300), future).await.unwrap()
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_leaves_no_answer_for_the_next() {
    let server = Server::start(|asked| match asked.ids()[0].as_str() {
        "1" => Reply::Stop(""),
        _ => say("503 Service Unavailable", ""),
    })
    .await;
    let mut collector = for_server(&server);
    let first = messages(1..4);
    let asked = server.asked.clone();
    tokio::select! {
        sent = collector.send(&first) => panic!("{sent:?}"),
        () = within(async { while asked.lock().unwrap().is_empty() { tokio::task::yield_now().await } }) => {}
    }
    let mut closed = server.closed.clone();
    within(closed.wait_for(|closed| *closed == 1)).await.unwrap();
    assert_eq!(send(&mut collector, &messages(4..6)).await, (0, Some(Trouble::Busy(Duration::from_secs(30)))));
    assert_eq!(server.asked().last().unwrap().connection, 1);
}

#[tokio::test]
async fn with_nothing_to_send_it_is_seen_once_whether_the_collector_is_there() {
    let server = Server::start(|_| say("201 Created", "")).await;
    let mut collector = for_server(&server);
    for _ in 0..3 {
        assert_eq!(send(&mut collector, &[]).await, (0, None));
    }
    assert_eq!(send(&mut collector, &messages(1..2)).await, (1, None));
    assert_eq!(server.asked()[0].connection, 0);
    let port = server.port;
    drop(server);
    let told = unreachable(send(&mut collector, &messages(2..3)).await);
    assert!(told.contains("nobody listens") || told.contains("without an answer"), "{told}");
    assert!(unreachable(send(&mut collector, &[]).await).contains(&format!("{port} is there, and nobody listens")));
}

#[tokio::test]
async fn a_rotated_token_is_taken_up_when_the_old_one_is_refused() {
    let server = Server::start(|asked| match asked.header("authorization") {
        Some("Bearer new") => say("201 Created", ""),
        _ => say("401 Unauthorized", ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "token", "old");
    let settings = Settings { token_file: Some(path.clone()), ..to(format!("http://127.0.0.1:{}", server.port)) };
    let mut collector = collector(&settings, patient());
    let (_, trouble) = send(&mut collector, &messages(1..2)).await;
    assert!(matches!(&trouble, Some(Trouble::Refused(told)) if told.contains("token_file")), "{trouble:?}");
    for broken in ["", "two words", "\u{e9}"] {
        std::fs::write(&path, broken).unwrap();
        assert!(unreachable(send(&mut collector, &messages(1..2)).await).contains("holds no token; put one line"), "{broken}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(unreachable(send(&mut collector, &messages(1..2)).await).contains("let the daemon read the token there"));
    std::fs::write(&path, "new\n").unwrap();
    assert_eq!(send(&mut collector, &messages(1..2)).await, (1, None));
}

#[tokio::test]
async fn over_tls_a_name_server_that_lies_gets_nothing_and_the_right_one_all() {
    let folder = tempfile::tempdir().unwrap();
    let (root, other) = (Authority::new("Root"), Authority::new("Portal"));
    let ca = file(folder.path(), "ca.pem", &root.pem());
    for (config, wanted) in [
        (root.server("localhost", ALWAYS).serve(&[], None), None),
        (root.server("portal.hotel", ALWAYS).serve(&[], None), Some("is for portal.hotel, not for localhost")),
        (other.server("localhost", ALWAYS).serve(&[], None), Some("an authority that is not in ca")),
    ] {
        let server = Server::over(Some(config), |_| say("201 Created", "")).await;
        let settings = Settings { ca: Some(ca.clone()), ..to(format!("https://localhost:{}", server.port)) };
        let sent = send(&mut collector(&settings, patient()), &messages(1..4)).await;
        match wanted {
            None => assert_eq!(sent, (3, None)),
            Some(wanted) => {
                let told = unreachable(sent);
                assert!(told.contains(wanted) && told.contains("a name server that lies"), "{told}");
                assert!(server.asked().is_empty(), "not a byte");
            }
        }
    }
    let plain = Server::start(|_| say("201 Created", "")).await;
    let settings = Settings { ca: Some(ca), ..to(format!("https://localhost:{}", plain.port)) };
    let brief = Limits { tls: Duration::from_millis(200), ..patient() };
    unreachable(send(&mut collector(&settings, brief), &messages(1..2)).await);
}

#[tokio::test]
async fn a_collector_that_asks_who_we_are_refuses_who_does_not_say() {
    let folder = tempfile::tempdir().unwrap();
    let (root, other) = (Authority::new("Root"), Authority::new("Other"));
    let ca = Some(file(folder.path(), "ca.pem", &root.pem()));
    let config = root.server("localhost", ALWAYS).serve(&[], Some(&root));
    let server = Server::over(Some(config), |_| say("201 Created", "")).await;
    let settings = |own: Option<&Authority>| {
        let pair = own.map(|authority| authority.client(ALWAYS));
        let certificate = pair.as_ref().map(|pair| file(folder.path(), "own.pem", &pair.certificate.pem()));
        let key = pair.map(|pair| file(folder.path(), "own.key", &pair.key.serialize_pem()));
        Settings { ca: ca.clone(), certificate, key, ..to(format!("https://localhost:{}", server.port)) }
    };
    assert_eq!(send(&mut collector(&settings(Some(&root)), patient()), &messages(1..4)).await, (3, None));
    for own in [None, Some(&other)] {
        let (acknowledged, trouble) = send(&mut collector(&settings(own), patient()), &messages(1..4)).await;
        assert!(matches!(&trouble, Some(Trouble::Refused(told)) if told.contains("certificate")), "{trouble:?}");
        assert_eq!(acknowledged, 0);
    }
}

#[tokio::test]
async fn a_connection_that_was_judged_without_the_date_is_made_anew_when_the_date_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::new("Root");
    let server = Server::over(Some(root.server("localhost", ALWAYS).serve(&[], None)), |_| say("201 Created", "")).await;
    let ca = Some(file(folder.path(), "ca.pem", &root.pem()));
    let settings = Settings { ca, ..to(format!("https://localhost:{}", server.port)) };
    let clock = Clock::scaled(Wall::from_micros(0), 1.0);
    let vin = Vin::unnamed();
    let mut collector = Collector::within(&settings, &vin, Tls::new(&settings, clock.clone()), clock.clone(), patient());
    for round in 0..4 {
        assert_eq!(send(&mut collector, &messages(round..round + 1)).await, (1, None));
        if round == 1 {
            clock.vouch(clock.now(), Wall::from_micros(Wall::build().micros() + 1));
        }
    }
    assert_eq!(server.asked().iter().map(|asked| asked.connection).collect::<Vec<_>>(), [0, 0, 1, 1]);
}
