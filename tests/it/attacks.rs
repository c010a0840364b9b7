//! Attacks on a running unit: a flood of strangers, readers that never read, and what its log gives away.
//!
//! Memory is measured in a build for tests; what a unit has in the release build is in the figures of `tests/run`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::phone::{GENEROUS, Phone, Seen, Stream, history, request, until};
use crate::unit::{Daemon, errors, figure, telltale};

const MIB: f64 = (1 << 20) as f64;

/// How many sockets this process may hold beside what other tests need: as many as the system lets it.
fn room_for_sockets() -> usize {
    let limit = |column: usize| {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        line.split_whitespace().nth(column).and_then(|limit| limit.parse::<usize>().ok()).unwrap_or(1 << 16)
    };
    let wanted = limit(4).min(16_384);
    if wanted > limit(3) {
        let args = ["--pid", &std::process::id().to_string(), &format!("--nofile={wanted}:")];
        // Where it may not, or is not there, it is rounds of fewer.
        let _ = Command::new("prlimit").args(args).status();
    }
    limit(3).saturating_sub(640).max(128)
}

/// A stranger, in one of the ways to be a nuisance.
fn stranger(address: SocketAddr, at: usize) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    let said = match at % 4 {
        0 => String::new(),
        1 => "GET /api/my-events HTTP/1.1\r\nHost: local".to_owned(),
        2 => format!("GET /api/my-events?token={at:032x} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        _ => "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
    };
    // Whoever was closed already is none the less one.
    let _ = socket.write_all(said.as_bytes());
    if at % 16 == 15 {
        // Waits for its answer, or its end, so that the flood does not outrun the server into the kernel's own limit.
        socket.set_read_timeout(Some(GENEROUS)).unwrap();
        let _ = socket.read(&mut [0; 64]);
    }
    socket
}

#[test]
fn ten_thousand_strangers_cost_little_and_phones_feel_nothing() {
    const ALL: usize = 10_000;
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &["--speed", "8"]);
    let address = daemon.address.parse().unwrap();
    let flooding = AtomicBool::new(true);
    let mut phones: [Phone; 3] = Default::default();
    for phone in &mut phones {
        assert!(phone.connect(&daemon));
        phone.until("a trip", |event| event["eventType"] == "TRIP_START");
    }
    let mut returning = Phone::default();
    returning.connect(&daemon);
    let (before, begun) = (daemon.peak(), Instant::now());
    std::thread::scope(|threads| {
        let reading: Vec<_> = phones
            .iter_mut()
            .map(|phone| {
                let flooding = &flooding;
                threads.spawn(move || {
                    while flooding.load(Ordering::Relaxed) {
                        assert!(phone.next().is_some(), "a phone that has signed in was cut off");
                    }
                })
            })
            .collect();
        let at_once = room_for_sockets().min(ALL);
        let mut held = Vec::new();
        for at in 0..ALL {
            if held.len() == at_once {
                held.clear();
            }
            held.push(stranger(address, at));
            if at % 1_000 == 999 {
                until("a phone comes back in the flood", || returning.connect(&daemon).then_some(()));
                assert!(returning.next().is_some());
                let open = daemon.get("/metrics").body;
                let open = open.lines().find_map(|line| line.strip_prefix("telltale_http_connections ")).unwrap().to_owned();
                assert!(open.parse::<f64>().unwrap() <= 256.0, "{open} connections");
            }
        }
        figure("strangers_held_at_once", held.len() as f64);
        flooding.store(false, Ordering::Relaxed);
        for phone in reading {
            phone.join().unwrap();
        }
    });
    figure("flood_seconds", begun.elapsed().as_secs_f64());
    figure("flood_peak_mib", daemon.peak() as f64 / MIB);
    figure("flood_growth_mib", (daemon.peak() - before) as f64 / MIB);
    // Without optimisation and with symbols the program alone takes more than in the release build.
    assert!(daemon.peak() < 64 << 20, "{} bytes", daemon.peak());
    assert!(daemon.peak() - before < 16 << 20, "from {before} to {}", daemon.peak());
    let newest = history(&daemon).last().unwrap()["eventId"].as_u64();
    for phone in phones.iter_mut().chain([&mut returning]) {
        if phone.told.last().and_then(|event| event["eventId"].as_u64()) < newest {
            phone.until("what was told in the flood", |event| event["eventId"].as_u64() >= newest);
        }
        phone.agrees_with_history(&daemon);
    }
}

/// A unit whose only events are published ones, and phones of one member.
struct Crowd {
    _folder: TempDir,
    daemon: Daemon,
    tokens: Vec<String>,
    published: usize,
    begun: Instant,
}

/// What an event is filled up with: near the 16 KiB that may be published.
const FILLER: usize = 15_000;

impl Crowd {
    fn new() -> Crowd {
        let folder = tempfile::tempdir().unwrap();
        let daemon = site(folder.path(), "[http.limits]\nstalled_s = 3600\n", telltale());
        let tokens = (0..8).map(|_| pair(folder.path(), &daemon, "read,publish")["token"].as_str().unwrap().to_owned()).collect();
        Crowd { _folder: folder, daemon, tokens, published: 0, begun: Instant::now() }
    }

    /// Publishes so many, each of which says when.
    fn publish(&mut self, count: usize) {
        for _ in 0..count {
            let body = json!({"number": self.published, "at": self.begun.elapsed().as_secs_f64(), "filler": "x".repeat(FILLER)});
            let document = json!({"event": {"type": "CROWD", "body": body}}).to_string();
            let key = [("X-Api-Key", self.tokens[self.published % 8].as_str()), ("Content-Type", "application/json")];
            let publish = || request(&self.daemon.address, "POST", "/events", &key, document.as_bytes()).status;
            until("it is taken", || (publish() == 201).then_some(()));
            self.published += 1;
        }
    }

    /// While `count` events are published, 50 read them all; seconds from publishing to reading, in order.
    fn latencies(&mut self, streams: &mut [Stream], count: usize) -> Vec<f64> {
        let (first, begun) = (self.published, self.begun);
        let mut all: Vec<f64> = std::thread::scope(|threads| {
            let read = |stream: &mut Stream| {
                let mut taken = Vec::new();
                for number in first..first + count {
                    let event = std::iter::from_fn(|| stream.event()).find(|event| event.name == "CROWD").expect("a stream");
                    let event = event.json();
                    assert_eq!(event["body"]["number"], number, "every event, in order, once");
                    taken.push(begun.elapsed().as_secs_f64() - event["body"]["at"].as_f64().unwrap());
                }
                taken
            };
            let reading: Vec<_> = streams.iter_mut().map(|stream| threads.spawn(move || read(stream))).collect();
            self.publish(count);
            reading.into_iter().flat_map(|reading| reading.join().unwrap()).collect()
        });
        all.sort_by(f64::total_cmp);
        all
    }

    /// A phone that asks for everything from the beginning and reads no more than the answer's first bytes.
    fn stalled(&self, at: usize) -> Socket {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.set_read_timeout(Some(GENEROUS)).unwrap();
        socket.connect(&self.daemon.address.parse::<SocketAddr>().unwrap().into()).unwrap();
        let head =
            format!("GET /events HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nLast-Event-ID: 0\r\n\r\n", self.tokens[at % 8]);
        (&socket).write_all(head.as_bytes()).unwrap();
        let mut begin = [0; 12];
        (&socket).read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
        socket
    }

    /// Bytes that the server's kernel keeps for this client.
    fn queued(&self, client: &Socket) -> u64 {
        let port = |address: SocketAddr| format!(":{:04X}", address.port());
        let (server, client) =
            (port(self.daemon.address.parse().unwrap()), port(client.local_addr().unwrap().as_socket().unwrap()));
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row[1].ends_with(&server) && row[2].ends_with(&client)).expect("the connection");
        u64::from_str_radix(row[4].split(':').next().unwrap(), 16).unwrap()
    }
}

#[test]
fn ten_that_never_read_cost_fifty_that_do_nothing_and_hold_little() {
    const EVENTS: usize = 80;
    let mut crowd = Crowd::new();
    let mut good: Vec<Stream> = (0..50)
        .map(|at| Stream::open(&crowd.daemon.address, "/events", &[("X-Api-Key", crowd.tokens[at % 8].as_str())]))
        .collect();
    for stream in &mut good {
        assert_eq!(stream.event().expect("a stream").name, "position");
    }
    // What is kept for all grows first.
    crowd.latencies(&mut good, EVENTS);
    let without = crowd.latencies(&mut good, EVENTS);
    for at in 4..8 {
        // Nor is it theirs what the daemon keeps of its file for whoever reads there.
        let key = [("X-Api-Key", crowd.tokens[at].as_str()), ("Last-Event-ID", "0")];
        let mut stream = Stream::open(&crowd.daemon.address, "/events", &key);
        let last = crowd.published - 1;
        let is_last = |event: Seen| event.name == "CROWD" && event.json()["body"]["number"] == last;
        while !is_last(stream.event().expect("a stream")) {}
    }
    let before = crowd.daemon.resident();
    // Not with the two tokens that have seven streams already.
    let stalled: Vec<Socket> = (2..12).map(|at| crowd.stalled(at)).collect();
    let queues = |crowd: &Crowd| stalled.iter().map(|client| crowd.queued(client)).collect::<Vec<_>>();
    until("all of them are stalled", || queues(&crowd).iter().all(|queued| *queued > 64 << 10).then_some(()));
    let memory = crowd.daemon.resident().saturating_sub(before) / 10;
    let with = crowd.latencies(&mut good, EVENTS);
    let queued = queues(&crowd);
    for (name, all) in [("without_stalled", &without), ("with_stalled", &with)] {
        assert_eq!(all.len(), 50 * EVENTS);
        figure(&format!("latency_{name}_p50_ms"), all[all.len() / 2] * 1e3);
        figure(&format!("latency_{name}_p99_ms"), all[all.len() * 99 / 100] * 1e3);
    }
    let most = *queued.iter().max().unwrap();
    figure("stalled_queued_kib", most as f64 / 1024.0);
    figure("stalled_memory_kib", memory as f64 / 1024.0);
    assert!(queued.iter().all(|queued| *queued > 0), "they are stalled, and still there: {queued:?}");
    assert!(most + memory <= 256 << 10, "{queued:?} in the kernel and {memory} in the process");
}

/// A unit with nothing but a receiver that is not there.
fn site(folder: &Path, more: &str, command: Command) -> Daemon {
    let text = format!(
        "[vehicle]\nvin = 'TELLTALESAMPLE001'\n[[gnss]]\ndevice = '/dev/telltale-absent'\n[journal]\ndir = 'journal'\n\
         [http]\nlisten = '127.0.0.1:0'\ndiscovery = false\n{more}"
    );
    std::fs::write(folder.join("telltale.toml"), text).unwrap();
    Daemon::site_by(command, &folder.join("telltale.toml"), &folder.join("runtime"), None)
}

/// Pairs one more phone: what it is told, and the code.
fn pair(folder: &Path, daemon: &Daemon, scopes: &str) -> Value {
    let mut command = telltale();
    let args = ["pair", "--member", "anna", "--scopes", scopes];
    let output = command.env("RUNTIME_DIRECTORY", folder.join("runtime")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    let (_, code) = shown.lines().find_map(|line| line.split_once("#pair=")).unwrap();
    let body = json!({"code": code, "device": "a phone of the crowd"}).to_string();
    let paired = request(&daemon.address, "POST", "/api/v1/pair", &[("Content-Type", "application/json")], body.as_bytes());
    let mut told = paired.expect(201);
    told["code"] = code.into();
    told
}

/// Does with a unit whatever phones do, right and wrong; what no log may show.
fn live(daemon: &Daemon, member: &str) -> Vec<String> {
    const JSON: (&str, &str) = ("Content-Type", "application/json");
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(&daemon.address, method, path, headers, body.as_bytes())
    };
    let login = ask("POST", "/api/v1/auth/login", &[JSON], &json!({"username": member, "password": daemon.token}));
    let cookie = login.headers["set-cookie"].split(';').next().unwrap().to_owned();
    let session = cookie.split_once('=').unwrap().1.to_owned();
    let about = ask("GET", "/ActiveSession/AboutMe", &[("Cookie", &cookie)], &Value::Null).expect(200);
    let ticket = about["data"]["UrlToken"].as_str().unwrap().to_owned();
    for path in ["/api/my-events", "/api/v1/childcare/vehicles/self/child-alert/events", "/events"] {
        for credential in [&ticket, &daemon.token] {
            let mut stream = Stream::open(&daemon.address, &format!("{path}?token={credential}"), &[("Last-Event-ID", "0")]);
            assert!(stream.status != 200 || stream.event().is_some());
        }
    }
    let fence = json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [127.0512345, 37.5412345]},
        "properties": {"name": "SECRETNAME", "type": "Circle", "radius": 80, "radius_units": "m"}});
    let place = "/api/v1/geofences/SECRETPLACE";
    daemon.send("PUT", place, &fence);
    daemon.send("PUT", place, &json!({"type": "SECRETTYPE"}));
    daemon.send("DELETE", place, &Value::Null);
    let safe = "/api/v1/childcare/vehicles/self/child-alert/safe";
    daemon.send("POST", safe, &json!({"eventId": 1, "SECRETKEY": "SECRETVALUE"}));
    daemon.send("POST", "/events", &json!({"event": {"type": "NOTE", "body": {"text": "SECRETTEXT"}}}));
    for path in ["/api/v1/events", "/api/v1/vehicles/self/state", "/api/v1/devices", "/SECRETPATH?SECRETQUERY=1", "/metrics"] {
        daemon.get(path);
        ask("GET", &format!("{path}?token=SECRETGUESS"), &[("Cookie", "telltale=SECRETCOOKIE")], &Value::Null);
    }
    ask("POST", "/api/v1/pair", &[JSON], &json!({"code": "SECRETCODE", "device": "SECRETDEVICE"}));
    ask("POST", "/api/v1/auth/login", &[JSON], &json!({"username": "SECRETMEMBER", "password": "SECRETPASSWORD"}));
    ask("GET", "/api/v1/events", &[("Host", "SECRETHOST.example"), ("X-Api-Key", "SECRETAPIKEY")], &Value::Null);
    ask("POST", "/api/v1/auth/logout", &[("Cookie", &cookie), ("Origin", &format!("http://{}", daemon.address))], &Value::Null);
    let own = [daemon.token.clone(), session, ticket, "secret".to_owned()];
    let coordinates = ["127.05", "37.54"].map(str::to_owned);
    own.into_iter().chain(coordinates).collect()
}

/// The log without each line's time, in small letters.
fn words(log: &str) -> String {
    let lines = log.lines().map(|line| line.split_once(' ').map_or(line, |(_, said)| said));
    lines.collect::<Vec<_>>().join("\n").to_lowercase()
}

fn gives_away_nothing(log: &str, secrets: &[String]) {
    let log = words(log);
    assert!(log.contains("answered"), "it says what there is to say: {log}");
    for secret in secrets {
        assert!(!log.contains(&secret.to_lowercase()), "{secret} is in the log: {log}");
    }
}

#[test]
fn the_log_of_a_whole_run_gives_away_no_secret_no_vehicle_and_no_place() {
    let loud = || {
        let mut command = telltale();
        command.env("TELLTALE_LOG", "trace");
        command
    };
    let folder = tempfile::tempdir().unwrap();
    let unit = site(folder.path(), "", loud());
    let paired = pair(folder.path(), &unit, "read");
    let mut secrets = live(&unit, "anna");
    secrets.extend(["token", "code"].map(|key| paired[key].as_str().unwrap().to_owned()));
    secrets.push("TELLTALESAMPLE001".to_owned());
    gives_away_nothing(&unit.log(), &secrets);

    let data = tempfile::tempdir().unwrap();
    let demo = Daemon::demo_by(loud(), data.path(), &["--speed", "8"]);
    let mut phone = Phone::default();
    phone.connect(&demo);
    phone.until("an alert", |event| event["eventType"] == "CHILD_LEFT_BEHIND");
    let mut secrets = live(&demo, "demo");
    let state = demo.get("/api/v1/vehicles/self/state").expect(200);
    for key in ["latitude", "longitude"] {
        // To a hundred metres.
        let degrees = state["location"][key].as_f64().unwrap();
        secrets.push(format!("{:.3}", (degrees * 1e3).trunc() / 1e3));
        // As a receiver says it.
        secrets.push(format!("{:02}{:02}.", degrees.trunc(), (degrees.fract() * 60.0).trunc()));
    }
    secrets.push(demo.vin.clone());
    gives_away_nothing(&demo.log(), &secrets);
}
