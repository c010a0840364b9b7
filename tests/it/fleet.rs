//! The way to the fleet, by the real program over its real journal: what a collector gets when the disk goes away or a file is
//! wrecked under a cursor, and when a reload brings other upstreams.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use serde_json::Value;
use tempfile::TempDir;

use crate::phone::{request, until};
use crate::unit::{Daemon, project};

/// A collector that takes everything, or asks to be left alone for a second. Lives as long as the test.
struct Collector {
    port: u16,
    shut: Arc<AtomicBool>,
    /// CloudEvents that were taken, twins included.
    taken: Arc<Mutex<Vec<Value>>>,
    /// Requests that were answered in any way.
    asked: Arc<Mutex<u64>>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = Collector { port, shut: Arc::default(), taken: Arc::default(), asked: Arc::default() };
        let (shut, taken, asked) = (collector.shut.clone(), collector.taken.clone(), collector.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shut, taken, asked) = (shut.clone(), taken.clone(), asked.clone());
                std::thread::spawn(move || serve(stream, &shut, &taken, &asked));
            }
        });
        collector
    }

    fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
    }

    /// Waits until it was asked once more.
    fn until_asked(&self) {
        let asked = || *self.asked.lock().unwrap();
        let before = asked();
        until("the collector is asked", || (asked() > before).then_some(()));
    }

    /// What is said of this upstream in the site's file.
    fn upstream(&self, name: &str) -> String {
        format!("[[upstream]]\nname = '{name}'\nurl = 'http://127.0.0.1:{}'\nkinds = ['diagnosis']\ntrack = false\n", self.port)
    }

    /// The ids of the events, twins dropped.
    fn ids(&self) -> Vec<u64> {
        let mut known = HashSet::new();
        let ids = self.taken().into_iter().filter_map(|event| event["id"].as_str()?.parse().ok());
        ids.filter(|id| known.insert(*id)).collect()
    }

    fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }

    /// Waits until it has exactly these, of which there may be more in the meantime.
    fn until_has(&self, wanted: impl Fn() -> Vec<u64>) -> Vec<u64> {
        until("the collector has what it is to get", || Some(self.ids()).filter(|ids| *ids == wanted()))
    }
}

/// Answers the requests of one connection.
fn serve(stream: TcpStream, shut: &AtomicBool, taken: &Mutex<Vec<Value>>, asked: &Mutex<u64>) {
    let (mut reads, mut writes) = (BufReader::new(stream.try_clone().unwrap()), stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if reads.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let header = line.to_ascii_lowercase();
            length = header.strip_prefix("content-length: ").map_or(length, |length| length.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        if reads.read_exact(&mut body).is_err() {
            return;
        }
        let answer = if shut.load(Ordering::SeqCst) {
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
        } else {
            let lines = serde_json::Deserializer::from_slice(&body).into_iter::<Value>();
            taken.lock().unwrap().extend(lines.map(|line| line.unwrap()["event"]["body"].clone()));
            "HTTP/1.1 204 No Content\r\n\r\n"
        };
        *asked.lock().unwrap() += 1;
        if writes.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The folder of a site with a bus that goes off and comes back: each time an event. Its journal is on a disk that can be
/// taken away.
struct Site {
    folder: TempDir,
    is_off: bool,
    token: Option<String>,
}

impl Site {
    fn new() -> Site {
        let site = Site { folder: tempfile::tempdir().unwrap(), is_off: false, token: None };
        nix::unistd::mkfifo(&site.path("can.fifo"), Mode::S_IRWXU).unwrap();
        std::fs::create_dir(site.path("disk")).unwrap();
        site.bring_disk();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, upstreams: &[String]) {
        let text = format!(
            "[vehicle]\nvin = 'TELLTALESAMPLE001'\nprofile = {:?}\n\
             [bus.body]\ninterface = 'can0'\ncandump = 'can.fifo'\n[bus.cabin]\ninterface = 'can1'\ncandump = 'can.fifo'\n\
             [journal]\ndir = 'journal/of-the-car'\nretry_seconds = 0.64\n[http]\nlisten = '127.0.0.1:0'\n{}",
            project("src/sim/car.toml"),
            upstreams.concat()
        );
        std::fs::write(self.path("telltale.toml"), text).unwrap();
    }

    fn daemon(&mut self) -> Daemon {
        let daemon = Daemon::site(&self.path("telltale.toml"), &self.path("runtime"), self.token.as_deref());
        self.token = Some(daemon.token.clone());
        daemon
    }

    fn take_disk(&self) {
        std::fs::remove_file(self.path("journal")).unwrap();
        std::fs::write(self.path("journal"), "no directory").unwrap();
    }

    fn bring_disk(&self) {
        let _ = std::fs::remove_file(self.path("journal"));
        symlink(self.path("disk"), self.path("journal")).unwrap();
    }

    /// The journal's file, as a tool sees it.
    fn file(&self) -> rusqlite::Connection {
        let file = rusqlite::Connection::open(self.path("disk/of-the-car/journal.db")).unwrap();
        file.busy_timeout(crate::phone::GENEROUS).unwrap();
        file
    }

    /// Waits until the journal has it that the upstream `name` is at `position` or beyond.
    fn until_cursor(&self, name: &str, position: u64) {
        let sql = "SELECT position FROM cursors WHERE reader = ?1 AND kind = 2";
        let at = || self.file().query_row(sql, [format!("upstream/{name}")], |row| row.get::<_, i64>(0)).ok();
        until("the cursor is durable", || at().filter(|at| *at >= position as i64));
    }

    /// The bus goes off, or comes back, and that is told.
    fn turn(&mut self, daemon: &Daemon) {
        let before = told(daemon, 0).last().copied().unwrap_or(0);
        self.switch();
        until("it is told", || told(daemon, before).first().copied());
    }

    /// The bus goes off, or comes back.
    fn switch(&mut self) {
        self.is_off = !self.is_off;
        let line = if self.is_off { "(1.0) can0 20000040#0000000000000000\n" } else { "(1.0) can0 20000100#0000000000000000\n" };
        let mut options = OpenOptions::new();
        let options = options.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let mut wire = until("the bus is read", || options.open(self.path("can.fifo")).ok());
        wire.write_all(line.as_bytes()).unwrap();
    }
}

/// The ids of the events of diagnosis above `since`.
fn told(daemon: &Daemon, since: u64) -> Vec<u64> {
    let page = daemon.get(&format!("/api/v1/events?types=diagnosis&since={since}&limit=1000")).expect(200);
    page["events"].as_array().unwrap().iter().map(|event| event["eventId"].as_u64().unwrap()).collect()
}

#[test]
fn a_cursor_at_the_beginning_passes_over_nothing_that_is_on_a_disk_that_has_gone() {
    let (mut site, collector) = (Site::new(), Collector::start());
    collector.shut(true);
    site.configure(&[collector.upstream("fleet")]);
    let daemon = site.daemon();
    for _ in 0..2 {
        site.turn(&daemon);
    }
    site.until_cursor("fleet", 0);
    daemon.stop();
    // From here on what was told before is on the disk alone.
    let daemon = site.daemon();
    collector.until_asked();
    site.take_disk();
    site.switch();
    daemon.until_part("journal", "degraded");
    collector.shut(false);
    let why = daemon.until_part("upstream.fleet", "degraded");
    assert!(why.contains("cannot be read"), "{why}");
    assert!(collector.taken().is_empty(), "what memory has would lead past what the disk has");
    site.bring_disk();
    daemon.until_part("journal", "ok");
    site.turn(&daemon);
    collector.until_has(|| told(&daemon, 0));
}

#[test]
fn what_went_with_a_wrecked_file_is_told_to_who_waited_for_it() {
    let (mut site, collector) = (Site::new(), Collector::start());
    site.configure(&[collector.upstream("fleet")]);
    let daemon = site.daemon();
    site.turn(&daemon);
    let before = collector.until_has(|| told(&daemon, 0));
    site.until_cursor("fleet", before[before.len() - 1]);
    collector.shut(true);
    for _ in 0..3 {
        site.turn(&daemon);
    }
    let lost = told(&daemon, before[before.len() - 1]);
    daemon.stop();
    // The first page of the events; whatever else is in the file can be read.
    let file = site.file();
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'events'";
    let page: u32 = file.query_row(page, [], |row| row.get(0)).unwrap();
    file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(file);
    let mut file = OpenOptions::new().write(true).open(site.path("disk/of-the-car/journal.db")).unwrap();
    file.seek(SeekFrom::Start(u64::from(page - 1) * 4096)).unwrap();
    file.write_all(&[0xA5; 4096]).unwrap();
    drop(file);
    collector.shut(false);
    let daemon = site.daemon();
    site.turn(&daemon);
    let gap = || collector.taken().into_iter().find(|event| event["type"] == "GAP");
    let gap = until("the gap is told", gap);
    assert_eq!((gap["subject"].as_str(), gap["data"]["kind"].as_str()), (Some("diagnosis"), Some("diagnosis")), "{gap}");
    assert!(gap["data"]["upTo"].as_u64() >= lost.last().copied(), "{gap}, without {lost:?}");
    collector.until_has(|| [&before[..], &told(&daemon, 0)].concat());
}

/// Takes up what the site's file says now.
fn reload(site: &Site, daemon: &Daemon, upstreams: &[String]) {
    site.configure(upstreams);
    daemon.signal(Signal::SIGHUP);
}

fn is_known(daemon: &Daemon, name: &str) -> bool {
    let health = request(&daemon.address, "GET", "/healthz", &[], b"").expect(200);
    health["parts"][format!("upstream.{name}")].is_object()
}

#[test]
fn a_reload_adds_changes_and_removes_upstreams_and_each_goes_on_where_it_was() {
    let (mut site, collectors) = (Site::new(), [Collector::start(), Collector::start(), Collector::start()]);
    let [first, second, other] = &collectors;
    site.configure(&[first.upstream("a")]);
    let daemon = site.daemon();
    site.turn(&daemon);
    first.until_has(|| told(&daemon, 0));

    // `a` leads elsewhere and goes on where it was; `b` is new and begins at the beginning.
    reload(&site, &daemon, &[second.upstream("a"), other.upstream("b")]);
    other.until_has(|| told(&daemon, 0));
    let to_first = first.ids();
    site.turn(&daemon);
    second.until_has(|| told(&daemon, to_first[to_first.len() - 1]));
    assert!(daemon.get("/metrics").body.contains("{upstream=\"a\"}"));

    // `a` is gone, and `b`, which is as it was, does not notice.
    reload(&site, &daemon, &[other.upstream("b")]);
    until("the line in /healthz goes", || (!is_known(&daemon, "a")).then_some(()));
    assert!(is_known(&daemon, "b"));
    assert!(!daemon.get("/metrics").body.contains("{upstream=\"a\"}"));
    let to_second = second.ids();
    site.turn(&daemon);
    other.until_has(|| told(&daemon, 0));

    // Named again it goes on where it was.
    reload(&site, &daemon, &[first.upstream("a"), other.upstream("b")]);
    first.until_has(|| [&to_first[..], &told(&daemon, to_second[to_second.len() - 1])].concat());
    assert_eq!(second.ids(), to_second);
    for (collector, what) in [(first, "in turn"), (second, "of one address"), (other, "all of it")] {
        assert_eq!(collector.taken().len(), collector.ids().len(), "{what}: nothing was sent twice");
    }
}
