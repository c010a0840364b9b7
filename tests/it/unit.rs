//! A running `telltale`: real processes, real sockets, port 0.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::phone::{Reply, request, until};

/// The program under test.
pub fn telltale() -> Command {
    Command::new(env!("CARGO_BIN_EXE_telltale"))
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    telltale().args(args).stdin(Stdio::null()).output().expect("telltale starts")
}

/// A file of this project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Data of the project's neighbourhood; `None`, said loudly, where it is absent.
pub fn shared_data() -> Option<PathBuf> {
    let folder = project("../shared/data");
    if folder.is_dir() {
        Some(folder)
    } else {
        println!("passed over: {} is not there", folder.display());
        None
    }
}

/// A folder in memory, where there is such a thing: how long a disk takes is no concern of the test's, and nobody cuts the
/// power of this machine.
pub fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A measured number, for the report of `tests/run`.
pub fn figure(name: &str, value: f64) {
    println!("figure: {}", json!({ name: (value * 1e3).round() / 1e3 }));
}

/// A daemon, killed with -9 when it goes out of scope.
pub struct Daemon {
    child: Child,
    log: Log,
    /// Host and port.
    pub address: String,
    /// A device token.
    pub token: String,
    /// The vehicle.
    pub vin: String,
}

impl Daemon {
    /// `telltale demo --json ARGS`, once it listens. Its token has the scopes read, control and publish.
    pub fn demo(data: &Path, args: &[&str]) -> Daemon {
        Daemon::demo_by(telltale(), data, args)
    }

    /// The same by a command that comes to be `telltale`.
    pub fn demo_by(mut command: Command, data: &Path, args: &[&str]) -> Daemon {
        command.args(["demo", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(args);
        let (mut child, log) = spawn(&mut command);
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line of JSON");
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"));
        let text = |key: &str| told[key].as_str().unwrap_or_else(|| panic!("no {key} in {told}")).to_owned();
        let address = text("url").trim_start_matches("http://").trim_end_matches('/').to_owned();
        Daemon { child, log, address, token: text("token"), vin: text("vin") }
    }

    /// `telltale run` over a site's file, with its control socket in `runtime`. Without a token nobody has paired yet.
    pub fn site(config: &Path, runtime: &Path, token: Option<&str>) -> Daemon {
        Daemon::site_by(telltale(), config, runtime, token)
    }

    /// The same by a command with an environment of its own.
    pub fn site_by(mut command: Command, config: &Path, runtime: &Path, token: Option<&str>) -> Daemon {
        let (mut child, log) = spawn(command.env("RUNTIME_DIRECTORY", runtime).arg("run").arg("--config").arg(config));
        let (address, code) = until("pairing is open", || {
            assert_eq!(child.try_wait().expect("its state"), None, "the daemon has ended");
            invite(runtime)
        });
        let mut daemon = Daemon { child, log, address, token: String::new(), vin: "self".to_owned() };
        daemon.token = match token {
            Some(token) => token.to_owned(),
            None => {
                let body = json!({ "code": code, "device": "phone of the tests" }).to_string();
                let headers = [("Content-Type", "application/json")];
                let paired = request(&daemon.address, "POST", "/api/v1/pair", &headers, body.as_bytes()).expect(201);
                paired["token"].as_str().expect("a token").to_owned()
            }
        };
        daemon
    }

    /// The plug is pulled.
    pub fn kill(mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
    }

    /// It is told to stop, and does.
    pub fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        self.child.wait().expect("its end");
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("a signal");
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory resident now.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most bytes of memory that were ever resident.
    pub fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find(|line| line.starts_with(key)).expect("a key of proc(5)");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    /// One request with the token in the header.
    pub fn get(&self, path: &str) -> Reply {
        request(&self.address, "GET", path, &[("Authorization", &format!("Bearer {}", self.token))], b"")
    }

    /// One request with the token in the header and a JSON body.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(&self.address, method, path, &headers, body.as_bytes())
    }

    /// Waits until `/healthz` says that `part` is `condition`; what it says besides.
    pub fn until_part(&self, part: &str, condition: &str) -> String {
        until(&format!("{part} is {condition}"), || {
            let health = request(&self.address, "GET", "/healthz", &[], b"").expect(200);
            let found = &health["parts"][part];
            (found["condition"] == condition).then(|| found["detail"].as_str().unwrap_or_default().to_owned())
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Whatever a test was about. One that has failed has said so already.
        if !std::thread::panicking() && !self.token.is_empty() {
            let log = self.log();
            let secrets = [&self.token, &self.vin].into_iter().filter(|secret| *secret != "self");
            let found = secrets.filter(|secret| log.contains(secret.as_str())).count();
            assert_eq!(found, 0, "the log has a token or a vehicle's number");
        }
    }
}

/// Lines on standard error so far.
type Log = Arc<Mutex<Vec<String>>>;

/// Starts it, and shows with the test what it logs.
fn spawn(command: &mut Command) -> (Child, Log) {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("it starts");
    let errors = child.stderr.take().expect("its errors");
    let (log, lines) = (Log::default(), BufReader::new(errors).lines());
    let kept = log.clone();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            println!("daemon: {line}");
            kept.lock().unwrap().push(line);
        }
    });
    (child, log)
}

/// Opens pairing through the control socket: the daemon's address, and the code; `None` while no daemon answers there.
fn invite(runtime: &Path) -> Option<(String, String)> {
    let mut pair = telltale();
    let output = pair.env("RUNTIME_DIRECTORY", runtime).args(["pair", "--member", "anna"]).output().expect("it starts");
    match output.status.code() {
        Some(0) => {}
        Some(69) => return None,
        _ => panic!("{}", errors(&output)),
    }
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    let link = shown.lines().find(|line| line.starts_with("http://")).expect("a link");
    let (url, code) = link.split_once("#pair=").expect("a code");
    Some((url.trim_start_matches("http://").trim_end_matches('/').to_owned(), code.to_owned()))
}

/// All of a command's output that is not its result.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
