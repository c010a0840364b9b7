//! From a frame on the input to the event's bytes at a client: the running daemon, measured from outside.
//!
//! A candump FIFO is the bus, a TCP stream is the phone. Each error frame that changes the controller's condition makes
//! one durable event (`CAN_BUS_FAULT`, `CAN_BUS_RECOVERED`), so the time measured holds reading, deciding, `fsync`, and
//! writing to the phone. Events come in rounds of 50. In some rounds the journal's log grows to the 4 MiB at which it is
//! taken into the file (a checkpoint), in most it does not: the two are told apart. Between the rounds, and so in the same
//! weather and on the same file system, their physical limits are measured: one bare `fdatasync` of a 4 KiB append, and one
//! write over loopback.
//!
//! Also: start to first byte, resident memory of the demo after 30 s, size of the binary.
//!
//! `cargo bench --bench latency`; prints one line a figure.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const TELLTALE: &str = env!("CARGO_BIN_EXE_telltale");
const ROUNDS: usize = 60;
/// Events of a round; bare writes after it.
const EVENTS: usize = 50;
/// So that each finds the daemon at rest, as frames that matter do.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the demo runs before its memory is looked at.
const DEMO: Duration = Duration::from_secs(30);

fn main() {
    // `cargo test` builds and runs benches that have no harness with this; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") || !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let site = site(folder.path());
    let begun = Instant::now();
    let daemon = Daemon::start(folder.path(), &site);
    println!("start to first byte (answer of /healthz): {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    let token = daemon.pair();
    let mut phone = daemon.stream(&token);
    let mut bus = OpenOptions::new().write(true).open(folder.path().join("bus.fifo")).unwrap();
    let mut bare = File::create(folder.path().join("bare")).unwrap();
    let mut near = Loopback::new();

    let (mut with, mut without, mut synced, mut written) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut checkpoints = daemon.checkpoints(&token);
    let before = checkpoints;
    for _ in 0..ROUNDS {
        let round: Vec<Duration> = (0..EVENTS).map(|number| event(number, &mut bus, &mut phone)).collect();
        let now = daemon.checkpoints(&token);
        if now == checkpoints {
            without.extend(round)
        } else {
            with.extend(round)
        }
        checkpoints = now;
        synced.extend((0..EVENTS).map(|_| fdatasync(&mut bare)));
        written.extend((0..EVENTS).map(|_| near.write()));
    }
    println!("from a frame on the input to the event's bytes at a client; {} checkpoints", checkpoints - before);
    show("rounds without a checkpoint", &mut without);
    show("rounds with a checkpoint", &mut with);
    show("bare: one fdatasync of a 4 KiB append", &mut synced);
    show("bare: one write over loopback", &mut written);
    drop(daemon);
    println!("size of the binary: {:.2} MB", fs::metadata(TELLTALE).unwrap().len() as f64 / 1e6);
    demo(folder.path());
}

/// A frame that makes an event, until the event is at the phone.
fn event(number: usize, bus: &mut File, phone: &mut BufReader<TcpStream>) -> Duration {
    let frame = if number % 2 == 0 { "20000040#0000000000000000" } else { "20000100#0000000000000000" };
    let wanted = if number % 2 == 0 { "CAN_BUS_FAULT" } else { "CAN_BUS_RECOVERED" };
    let mut line = String::new();
    std::thread::sleep(PAUSE);
    let sent = Instant::now();
    bus.write_all(format!("(1771545600.000000) can0 {frame}\n").as_bytes()).unwrap();
    while !(line.starts_with("data:") && line.contains(wanted)) {
        line.clear();
        assert!(phone.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
    sent.elapsed()
}

/// The demo, for half a minute.
fn demo(folder: &Path) {
    let begun = Instant::now();
    let command = ["demo", "--json", "--listen", "127.0.0.1:0", "--data"];
    let mut child = Command::new(TELLTALE)
        .args(command)
        .arg(folder.join("demo"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    println!("start of the demo until it listens: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    std::thread::sleep(DEMO);
    let [now, most] = ["VmRSS:", "VmHWM:"].map(|name| memory(child.id(), name));
    println!("resident memory of the demo after {} s: {now:.1} MiB, at most {most:.1} MiB", DEMO.as_secs());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A line of the kernel's account of a process, in MiB.
fn memory(process: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("{what}: p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms ({} times)", at(0.5), at(0.99), at(1.0), times.len());
}

/// A site with one bus, fed by a FIFO.
fn site(folder: &Path) -> std::path::PathBuf {
    let made = Command::new("mkfifo").arg(folder.join("bus.fifo")).status().unwrap();
    assert!(made.success());
    let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sim/car.toml");
    let text = format!(
        "[vehicle]\nvin = \"BENCH\"\nprofile = {profile:?}\n[bus.body]\ninterface = \"can0\"\ncandump = \"bus.fifo\"\n\
         [bus.cabin]\ninterface = \"can1\"\ncandump = \"bus.fifo\"\n\
         [journal]\ndir = \"journal\"\n[http]\nlisten = \"127.0.0.1:0\"\n"
    );
    let site = folder.join("telltale.toml");
    fs::write(&site, text).unwrap();
    site
}

struct Daemon {
    child: Child,
    address: String,
    run: std::path::PathBuf,
}

impl Daemon {
    fn start(folder: &Path, site: &Path) -> Daemon {
        let run = folder.join("run");
        let mut child = Command::new(TELLTALE)
            .args(["run", "--config"])
            .arg(site)
            .env("RUNTIME_DIRECTORY", &run)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(errors.read_line(&mut line).unwrap() > 0, "the daemon ended");
            if let Some((_, rest)) = line.split_once("addresses=[") {
                break rest.split(']').next().unwrap().to_owned();
            }
        };
        std::thread::spawn(move || errors.lines().map_while(Result::ok).for_each(drop));
        let daemon = Daemon { child, address, run };
        assert!(daemon.ask("GET", "/healthz", "", None).starts_with("HTTP/1.1 200"));
        daemon
    }

    fn ask(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> String {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut socket = TcpStream::connect(&self.address).unwrap();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    fn pair(&self) -> String {
        let out = Command::new(TELLTALE)
            .args(["pair", "--scopes", "read,control"])
            .env("RUNTIME_DIRECTORY", &self.run)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let code = text.split("#pair=").nth(1).unwrap().split_whitespace().next().unwrap();
        let answer = self.ask("POST", "/api/v1/pair", "", Some(&json!({ "code": code, "device": "bench" })));
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        body["token"].as_str().unwrap().to_owned()
    }

    fn stream(&self, token: &str) -> BufReader<TcpStream> {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        write!(socket, "GET /api/my-events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n", self.address).unwrap();
        BufReader::new(socket)
    }

    fn checkpoints(&self, token: &str) -> u64 {
        let page = self.ask("GET", "/metrics", token, None);
        let line = page.lines().find_map(|line| line.strip_prefix("telltale_journal_checkpoint_seconds_count "));
        line.unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fdatasync(file: &mut File) -> Duration {
    std::thread::sleep(PAUSE);
    let begun = Instant::now();
    file.write_all(&[7; 4096]).unwrap();
    file.sync_data().unwrap();
    begun.elapsed()
}

/// A connection to a thread that reads.
struct Loopback {
    near: TcpStream,
    arrived: mpsc::Receiver<Instant>,
}

impl Loopback {
    fn new() -> Loopback {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.set_nodelay(true).unwrap();
        let (arrives, arrived) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 700];
            while far.read_exact(&mut buffer).is_ok() && arrives.send(Instant::now()).is_ok() {}
        });
        Loopback { near, arrived }
    }

    /// One write, until it is read.
    fn write(&mut self) -> Duration {
        std::thread::sleep(PAUSE);
        let begun = Instant::now();
        self.near.write_all(&[7; 700]).unwrap();
        self.arrived.recv().unwrap().duration_since(begun)
    }
}
