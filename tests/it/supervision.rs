//! The daemon as the service manager has it: what it tells, how it is reloaded, what becomes of a task that hangs.
//!
//! The manager is a datagram socket of the test's.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::phone::{GENEROUS, Phone, until};
use crate::unit::{Daemon, errors, project, telltale};

/// What is told at once: `READY=1` is `("READY", "1")`.
type Told = BTreeMap<String, String>;

/// The folder of a site, and what was told at the manager's end of `NOTIFY_SOCKET`.
struct Site {
    folder: TempDir,
    told: Receiver<Told>,
}

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        manager.set_read_timeout(Some(GENEROUS)).unwrap();
        let (tell, told) = channel();
        // As a manager does, at once: the kernel holds ten of them, and a daemon that finds no room tells nothing.
        std::thread::spawn(move || hear(&manager, &tell));
        Site { folder, told }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The site's file, with a receiver, which may be silent for long, and what else there is to say.
    fn configure(&self, receiver: &str, more: &str) {
        let text = format!(
            "[vehicle]\nvin = 'TELLTALESAMPLE001'\n[[gnss]]\ndevice = '{receiver}'\nsilent_after_s = 3600\n\
             [http]\nlisten = '127.0.0.1:0'\n{more}"
        );
        std::fs::write(self.path("telltale.toml"), text).unwrap();
    }

    fn daemon(&self, environment: &[(&str, &str)]) -> Daemon {
        let mut command = telltale();
        command.env("NOTIFY_SOCKET", self.path("notify")).envs(environment.iter().copied());
        Daemon::site_by(command, &self.path("telltale.toml"), &self.path("runtime"), None)
    }

    /// What is told up to and with the first that `wanted` takes, and that one.
    fn until(&self, mut wanted: impl FnMut(&Told) -> bool) -> Told {
        loop {
            let told = self.told.recv_timeout(GENEROUS).expect("the daemon tells something");
            println!("told: {told:?}");
            if wanted(&told) {
                return told;
            }
        }
    }

    /// SIGHUP, and the end of the reload.
    fn reload(&self, daemon: &Daemon) {
        daemon.signal(Signal::SIGHUP);
        let told = self.until(|told| told.contains_key("RELOADING"));
        let since_boot: u64 = told["MONOTONIC_USEC"].parse().expect("microseconds, in the same datagram");
        assert!(since_boot > 0);
        self.until(|told| told.contains_key("READY"));
    }
}

/// Passes on what comes, until nobody hears it.
fn hear(manager: &UnixDatagram, tell: &Sender<Told>) {
    let mut buffer = [0; 8192];
    loop {
        let length = match manager.recv(&mut buffer) {
            // A child of the test that ended, and nothing told.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return,
            Ok(length) => length,
        };
        let lines = std::str::from_utf8(&buffer[..length]).unwrap().lines().map(|line| line.split_once('=').expect(line));
        if tell.send(lines.map(|(key, value)| (key.into(), value.into())).collect()).is_err() {
            return;
        }
    }
}

fn journal(folder: &Path) -> String {
    format!("[journal]\ndir = '{}'\n", folder.join("journal").display())
}

/// Two epochs of a receiver that stands in the yard.
fn sentences() -> String {
    let body = |second: u32| {
        [
            format!("GPRMC,1200{second:02}.00,A,3730.0000,N,12706.0000,E,0.0,0.0,200226,,,A"),
            format!("GPGGA,1200{second:02}.00,3730.0000,N,12706.0000,E,1,10,0.8,40.0,M,20.0,M,,"),
        ]
    };
    let line = |body: String| format!("${body}*{:02X}\r\n", body.bytes().fold(0, |sum, byte| sum ^ byte));
    (0..2).flat_map(body).map(line).collect()
}

const YARD: &str = r#"{"type": "FeatureCollection", "features": [{"type": "Feature", "id": "yard", "properties": {"name": "Yard"},
    "geometry": {"type": "Polygon", "coordinates": [[[127.0, 37.4], [127.2, 37.4], [127.2, 37.6], [127.0, 37.6], [127.0, 37.4]]]}}]}"#;

#[test]
fn the_manager_hears_of_readiness_reloads_and_the_end_and_no_stream_ends_before() {
    let site = Site::new();
    let kept = journal(site.folder.path());
    site.configure("/dev/telltale-absent", &kept);
    let daemon = site.daemon(&[]);
    site.until(|told| told.contains_key("READY"));
    site.until(|told| told.get("STATUS").is_some_and(|status| status.contains("gnss: ") && status.contains("telltale-absent")));
    let mut phone = Phone::default();
    phone.connect(&daemon);

    // Another receiver, a fence, a number: all of it counts at once.
    nix::unistd::mkfifo(&site.path("fifo"), Mode::S_IRWXU).unwrap();
    std::fs::write(site.path("fences.geojson"), YARD).unwrap();
    site.configure("fifo", &format!("{kept}[geofences]\nfile = 'fences.geojson'\n[trip]\nstanding_s = 200\n"));
    site.reload(&daemon);
    daemon.until_part("configuration", "ok");
    assert_eq!(daemon.get("/api/v1/geofences").expect(200)["features"][0]["id"], "yard");
    let writer = || OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(site.path("fifo")).ok();
    let mut receiver = until("the new receiver is read", writer);
    receiver.write_all(sentences().as_bytes()).unwrap();
    let address = loop {
        let seen = phone.next().expect("the stream goes on over the reload");
        if seen.name == "gps" && seen.json()["lastLocation"]["latitude"].is_number() {
            break seen.json()["lastLocation"]["address"].clone();
        }
    };
    assert_eq!(address, "Yard");
    daemon.until_part("gnss", "ok");

    // What needs a restart says so, and the rest of it counts: the fence is gone.
    site.configure("fifo", &format!("{kept}max_days = 7\n"));
    site.reload(&daemon);
    let told = daemon.until_part("configuration", "degraded");
    assert!(told.contains("journal changed too") && told.contains("systemctl restart telltale"), "{told}");
    assert_eq!(daemon.get("/api/v1/geofences").expect(200)["features"], json!([]));

    // What is wrong is refused in the words of `telltale check`, and nothing changes.
    site.configure("/dev/telltale-absent", &format!("{kept}max_dasy = 7\n[geofences]\nfile = 'none.geojson'\n"));
    site.reload(&daemon);
    let refused = |parts: &Value| parts["configuration"]["detail"].as_str().is_some_and(|told| told.contains("refused"));
    let parts = until("it is told", || Some(daemon.get("/healthz").json()["parts"].clone()).filter(refused));
    let told = parts["configuration"]["detail"].as_str().unwrap();
    assert!(told.contains("telltale.toml:") && told.contains(" and 1 more"), "{told}");
    site.until(|told| told.get("STATUS").is_some_and(|status| status.contains("configuration: ") && status.contains("refused")));
    let checked = telltale().arg("check").arg("--config").arg(site.path("telltale.toml")).output().unwrap();
    assert_eq!(checked.status.code(), Some(78), "{}", errors(&checked));
    for line in String::from_utf8(checked.stdout).unwrap().lines() {
        let line = line.trim_start_matches("warning: ");
        assert!(daemon.log().contains(line), "{line}");
    }
    assert_eq!(parts["gnss"]["condition"], "ok", "the receiver of before");

    // Put right, it is in force again.
    site.configure("fifo", &kept);
    site.reload(&daemon);
    daemon.until_part("configuration", "ok");

    daemon.signal(Signal::SIGTERM);
    site.until(|told| told.contains_key("STOPPING"));
    phone.drain();
}

#[test]
fn a_bus_that_is_read_from_elsewhere_after_a_reload_leaves_the_others_alone() {
    let site = Site::new();
    for fifo in ["body", "cabin", "other"] {
        nix::unistd::mkfifo(&site.path(fifo), Mode::S_IRWXU).unwrap();
    }
    let configure = |body: &str| {
        let profile = project("src/sim/car.toml");
        let text = format!(
            "[vehicle]\nvin = 'TELLTALESAMPLE001'\nprofile = {profile:?}\n[bus.body]\ninterface = 'can0'\ncandump = '{body}'\n\
             [bus.cabin]\ninterface = 'can1'\ncandump = 'cabin'\n[http]\nlisten = '127.0.0.1:0'\n{}",
            journal(site.folder.path())
        );
        std::fs::write(site.path("telltale.toml"), text).unwrap();
    };
    configure("body");
    let daemon = site.daemon(&[]);
    let open = |fifo: &str| {
        let mut options = OpenOptions::new();
        let options = options.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        until(fifo, || options.open(site.path(fifo)).ok())
    };
    // The first line of a writer that stays tells that the bus is well.
    let (mut body, mut cabin) = (open("body"), open("cabin"));
    body.write_all(b"(1.0) can0 3B0#0000000000000000\n").unwrap();
    cabin.write_all(b"(1.0) can1 7FF#00\n").unwrap();
    daemon.until_part("can.body", "ok");
    daemon.until_part("can.cabin", "ok");

    configure("other");
    site.until(|told| told.contains_key("READY"));
    site.reload(&daemon);
    let mut other = open("other");
    other.write_all(b"(1.0) can0 3B0#0000000000000000\n").unwrap();
    daemon.until_part("can.body", "ok");
    let gone = until("the old FIFO has no reader", || body.write_all(b"\n").err());
    assert_eq!(gone.kind(), std::io::ErrorKind::BrokenPipe);
    cabin.write_all(b"(2.0) can1 7FF#00\n").expect("the cabin's is read all along");
    daemon.until_part("can.cabin", "ok");
}

/// An order that `telltale` itself knows only in builds with debug assertions.
fn hang(site: &Site, task: &str) -> bool {
    let mut command: Command = telltale();
    let done = command.env("RUNTIME_DIRECTORY", site.path("runtime")).args(["hang", task]).output().unwrap();
    println!("{}", errors(&done));
    done.status.success()
}

#[cfg(debug_assertions)]
#[test]
fn a_task_that_hangs_is_named_and_the_watchdog_fed_no_more() {
    // One for each way in which tasks wait: by a clock, for a peer, for the disk's thread, for a device.
    for task in ["clockwork", "http", "journal-writer", "gnss"] {
        let site = Site::new();
        site.configure("/dev/telltale-absent", &journal(site.folder.path()));
        let daemon = site.daemon(&[("WATCHDOG_USEC", "2000000")]);
        for _ in 0..3 {
            site.until(|told| told.contains_key("WATCHDOG"));
        }
        assert!(!hang(&site, "nobody") && hang(&site, task));
        // Something to do for everybody: it hangs when it goes on, and then there is no answer.
        let fence: Value = serde_json::from_str::<Value>(YARD).unwrap()["features"][0].clone();
        let (address, token) = (daemon.address.clone(), daemon.token.clone());
        std::thread::spawn(move || {
            let headers = [("Authorization", format!("Bearer {token}")), ("Content-Type", "application/json".to_owned())];
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            crate::phone::request(&address, "PUT", "/api/v1/geofences/yard", &headers, fence.to_string().as_bytes());
        });
        let named = |told: &Told, times: u32| {
            let status = told.get("STATUS");
            status.is_some_and(|status| status.contains(&format!("task {task} ")) && status.contains(&format!("{times} times")))
        };
        // Three turns after the first, a time within which a watchdog of its own would have bitten, there was still no food. A
        // task that a busy machine let wait may have been named before, and gone on.
        let mut fed = true;
        site.until(|told| {
            fed = (fed || told.contains_key("WATCHDOG")) && !named(told, 1);
            named(told, 4) && !fed
        });
        assert!(daemon.log().contains(&format!("the task {task} does not go on")), "{}", daemon.log());
    }
}

#[test]
fn the_command_that_lets_tasks_hang_is_in_debug_builds_only() {
    let help = telltale().args(["hang", "--help"]).output().unwrap();
    assert_eq!(help.status.success(), cfg!(debug_assertions), "{}", errors(&help));
    let program = std::fs::read(env!("CARGO_BIN_EXE_telltale")).unwrap();
    let words = b"a test of the watchdog";
    assert_eq!(program.windows(words.len()).any(|window| window == words), cfg!(debug_assertions));
}
