//! The longest that the runtime's one thread is busy without a break: nothing on it may take more than 1 ms.
//!
//! The daemon runs here as it does in `telltale demo`: frames and fixes of the simulated car (twenty times as fast as the
//! world), the engine among 10 and among nearly 10,000 fences, the journal, the doors. One load after the other is put on it. What
//! is measured is every stretch between the thread's waking and its next waiting, which holds one poll of a task or several:
//! no poll is longer than its stretch. Beside the time by the wall stands the thread's own (`CLOCK_THREAD_CPUTIME_ID`):
//! what others on a busy machine take away is in the first and not in the second, and a task that waits (for a lock, for
//! the disk) shows in the first alone.
//!
//! `cargo bench --bench polls` prints a line for each load. Built with `RUSTFLAGS="--cfg tokio_unstable"` it measures each
//! poll by itself.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, mpsc};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use telltale::clock::{Clock, Wall};
use telltale::feed::{Device, Scope, TokenHash};
use telltale::gateway::{self, Open, Setup, Sources};
use telltale::geo::{Fence, FenceSource, Point, Shape, read};
use telltale::sim::{self, Car, Files, Place, SCENARIOS};
use telltale::vehicle::Vin;
use telltale::{detect, diagnostics, http, journal};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "bench";
const SPEED: f64 = 20.0;
/// As many fences as there may be, but for those that are drawn.
const LARGEST: usize = 10_000 - DRAWN;
const DRAWN: usize = 8;
/// How long each load is put on.
const EACH: Duration = Duration::from_secs(5);
/// Between two requests: a phone may make 100 a second.
const PAUSE: Duration = Duration::from_millis(20);

type Load = fn(SocketAddr, usize);

const LOADS: [(&str, Load); 7] = [
    ("frames and fixes", |_, _| {}),
    ("/metrics", |at, _| ask(at, "GET", "/metrics", "")),
    ("the vehicle's state", |at, _| ask(at, "GET", &format!("/api/v1/vehicles/{}/state", sim::VIN), "")),
    ("history, all of it", |at, _| ask(at, "GET", "/api/v1/events", "")),
    ("all the fences", |at, _| ask(at, "GET", "/api/v1/geofences", "")),
    ("a fence drawn", |at, n| {
        let side = 0.001;
        let (west, south) = (8.5 + side * (n % 100) as f64, 49.4);
        let (east, north) = (west + side, south + side);
        let ring = format!("[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]");
        let geometry = format!("{{\"type\":\"Polygon\",\"coordinates\":[{ring}]}}");
        let body = format!("{{\"type\":\"Feature\",\"properties\":{{\"name\":\"Drawn\"}},\"geometry\":{geometry}}}");
        ask(at, "PUT", &format!("/api/v1/geofences/drawn-{}", n % DRAWN), &body);
    }),
    ("streams that come and go", |at, n| {
        let path = ["/api/my-events", "/api/v1/diagnosis/auto/events"][n % 2];
        let mut socket = request(at, "GET", path, "");
        let mut some = [0; 256];
        socket.read_exact(&mut some).unwrap();
    }),
];

fn main() {
    // `cargo test` builds and runs benches that have no harness with this; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") || !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!(
        "measured: {}",
        if cfg!(tokio_unstable) { "each poll" } else { "stretches between two waits, of one poll or several" }
    );
    for count in [10, LARGEST] {
        println!("among {count} fences");
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (setup, shutdown) = (setup(folder.path(), count), CancellationToken::new());
        let (opened, open) = mpsc::channel();
        let stop = shutdown.clone();
        scope(|scope| {
            scope.spawn(move || daemon(setup, stop, opened));
            // Also when a load fails: the daemon would go on for ever.
            let _stopped = shutdown.drop_guard();
            let address = open.recv().unwrap();
            sleep(Duration::from_secs(2));
            show("start, and the first fix");
            for _ in 0..4 {
                scope.spawn(move || follow(address));
            }
            for (name, load) in LOADS {
                let begun = Instant::now();
                let mut times = 0;
                while begun.elapsed() < EACH {
                    load(address, times);
                    times += 1;
                    sleep(PAUSE);
                }
                show(&format!("{name} ({times} times)"));
            }
        });
        RECORD.lock().unwrap().taken.clear();
    }
}

/// A phone that follows until the daemon ends.
fn follow(address: SocketAddr) {
    let mut socket = request(address, "GET", "/api/my-events", "");
    let mut some = [0; 4096];
    while socket.read(&mut some).is_ok_and(|count| count > 0) {}
}

fn ask(address: SocketAddr, method: &str, path: &str, body: &str) {
    let mut answer = Vec::new();
    request(address, method, path, body).read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 20"), "{path}: {}", String::from_utf8_lossy(&answer));
}

fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/geo+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    socket
}

fn daemon(setup: Setup, shutdown: CancellationToken, opened: mpsc::Sender<SocketAddr>) {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    #[cfg(tokio_unstable)]
    builder.on_before_task_poll(|_| begin()).on_after_task_poll(|_| end());
    #[cfg(not(tokio_unstable))]
    builder.on_thread_unpark(begin).on_thread_park(end);
    let runtime = builder.build().unwrap();
    let ready = async |open: Open| opened.send(open.addresses[0]).unwrap();
    runtime.block_on(gateway::run(setup, shutdown, ready)).unwrap();
}

/// Who may ask.
fn guest() -> (TokenHash, Device) {
    let device = Device {
        id: "bench".to_owned(),
        name: "bench".to_owned(),
        member: "bench".to_owned(),
        scopes: vec![Scope::Read, Scope::Control],
        paired: Wall::system(),
        expires: None,
    };
    (http::hash_token(TOKEN), device)
}

fn setup(folder: &std::path::Path, count: usize) -> Setup {
    let mut fences = read(sim::FENCES, FenceSource::File).unwrap();
    fences.extend(strewn(count - fences.len()));
    let start = Wall::system();
    Setup {
        vin: Vin::try_from(sim::VIN.to_owned()).unwrap(),
        clock: Clock::scaled(start, SPEED),
        boot_id: "bench".to_owned(),
        sources: Sources::Simulated {
            profile: sim::profile().unwrap(),
            car: Box::new(Car::new(&SCENARIOS[0], 1, Place::beginning(start)).unwrap()),
            files: Files::default(),
        },
        diagnostics: diagnostics::Settings::default(),
        detect: detect::Settings::default(),
        fences,
        places: None,
        journal: journal::Settings { dir: folder.join("journal"), ..journal::Settings::default() },
        http: http::Settings {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            guests: vec![guest()],
            ..http::Settings::default()
        },
        upstreams: Vec::new(),
        control: None,
        changes: tokio::sync::mpsc::channel(1).1,
    }
}

/// Circles on a grid around the car's town, 200 m from each other.
fn strewn(count: usize) -> impl Iterator<Item = Fence> {
    (0..count).map(|n| {
        let (row, column) = ((n / 100) as f64, (n % 100) as f64);
        let point = Point { latitude: 49.393 + 0.0018 * row, longitude: 8.36 + 0.0025 * column };
        Fence::new(format!("fence {n}"), FenceSource::File, Shape::circle(point, 80.0).unwrap())
    })
}

/// What the runtime's thread took, by the wall and by itself.
struct Record {
    begun: Option<(Instant, Duration)>,
    taken: Vec<(Duration, Duration)>,
}

static RECORD: Mutex<Record> = Mutex::new(Record { begun: None, taken: Vec::new() });

fn begin() {
    RECORD.lock().unwrap().begun = Some((Instant::now(), own_time()));
}

fn end() {
    let (wall, own) = (Instant::now(), own_time());
    let mut record = RECORD.lock().unwrap();
    if let Some((began, owned)) = record.begun.take() {
        record.taken.push((wall - began, own.saturating_sub(owned)));
    }
}

fn own_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn show(what: &str) {
    let taken = std::mem::take(&mut RECORD.lock().unwrap().taken);
    let figures = |mut times: Vec<Duration>| {
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        format!("p99.9 {:.3}, longest {:.3} ms", at(0.999), at(1.0))
    };
    let (wall, own): (Vec<_>, Vec<_>) = taken.iter().copied().unzip();
    println!("  {what}: own time {}; by the wall {} ({} of them)", figures(own), figures(wall), taken.len());
}
