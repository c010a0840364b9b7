//! A running `telltale`, and a phone that talks to it: real processes, real sockets, port 0.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Long enough for a shared, noisy machine; nothing waits this long when all is well.
pub const GENEROUS: Duration = Duration::from_secs(120);

/// The program under test.
pub fn telltale() -> Command {
    Command::new(env!("CARGO_BIN_EXE_telltale"))
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    telltale().args(args).stdin(Stdio::null()).output().expect("telltale starts")
}

/// Data of the project's neighbourhood; `None`, said loudly, where it is absent.
pub fn shared_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        Some(folder)
    } else {
        println!("passed over: {} is not there", folder.display());
        None
    }
}

/// A daemon, killed with -9 when it goes out of scope.
pub struct Daemon {
    child: Child,
    /// Host and port.
    pub address: String,
    /// A device token with the scopes read, control and publish.
    pub token: String,
    /// The vehicle.
    pub vin: String,
}

impl Daemon {
    /// `telltale demo --json ARGS`, once it listens.
    pub fn demo(data: &Path, args: &[&str]) -> Daemon {
        let mut command = telltale();
        command.arg("demo").arg("--json").arg("--data").arg(data).args(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line of JSON");
        let errors = child.stderr.take().expect("its errors");
        std::thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).for_each(|line| println!("daemon: {line}"))
        });
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"));
        let text = |key: &str| told[key].as_str().unwrap_or_else(|| panic!("no {key} in {told}")).to_owned();
        let address = text("url").trim_start_matches("http://").trim_end_matches('/').to_owned();
        Daemon { child, address, token: text("token"), vin: text("vin") }
    }

    /// The plug is pulled.
    pub fn kill(mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
    }

    /// Bytes of memory resident now.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    /// One request with the token in the header.
    pub fn get(&self, path: &str) -> Reply {
        request(&self.address, "GET", path, &[("Authorization", &format!("Bearer {}", self.token))], b"")
    }

    /// One request with a JSON body.
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Reply {
        let headers = [("Authorization", format!("Bearer {}", self.token)), ("Content-Type", "application/json".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(&self.address, method, path, &headers, body.to_string().as_bytes())
    }

    /// A stream with the token in the query, from `last` on.
    pub fn stream(&self, path: &str, last: Option<u64>) -> Stream {
        let separator = if path.contains('?') { '&' } else { '?' };
        let last = last.map(|id| id.to_string());
        let headers: Vec<(&str, &str)> = last.iter().map(|id| ("Last-Event-ID", id.as_str())).collect();
        Stream::open(&self.address, &format!("{path}{separator}token={}", self.token), &headers)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer to a request.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

/// One request on a connection of its own.
pub fn request(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut socket = BufReader::new(ask(address, method, path, headers, body, "close"));
    let (status, headers) = read_head(&mut socket);
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        while let Some(chunk) = read_chunk(&mut socket) {
            body.extend(chunk);
        }
    } else {
        socket.read_to_end(&mut body).expect("a body");
    }
    Reply { status, headers, body: String::from_utf8(body).expect("UTF-8") }
}

fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8], connection: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(GENEROUS)).expect("a deadline");
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: {connection}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    socket.write_all(head.as_bytes()).expect("the head is sent");
    socket.write_all(body).expect("the body is sent");
    socket
}

fn read_head(socket: &mut impl BufRead) -> (u16, BTreeMap<String, String>) {
    let mut line = String::new();
    socket.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status: {line:?}"));
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        socket.read_line(&mut line).expect("a header");
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => return (status, headers),
        };
    }
}

fn read_chunk(socket: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    socket.read_line(&mut line).ok()?;
    let length = usize::from_str_radix(line.trim_end(), 16).ok()?;
    let mut chunk = vec![0; length + 2];
    socket.read_exact(&mut chunk).ok()?;
    chunk.truncate(length);
    (length > 0).then_some(chunk)
}

/// One event as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// `message` where the stream did not name it.
    pub name: String,
    pub data: String,
    pub id: Option<u64>,
}

impl Seen {
    /// The data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|_| panic!("not JSON: {}", self.data))
    }
}

/// An event stream, read by the rules of the WHATWG's text (9.2.6).
pub struct Stream {
    socket: BufReader<TcpStream>,
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pending: Vec<u8>,
    /// The last event id, as an `EventSource` would send it on return.
    pub last: Option<u64>,
}

impl Stream {
    /// Opens it and reads the head.
    pub fn open(address: &str, path: &str, headers: &[(&str, &str)]) -> Stream {
        let mut all = vec![("Accept", "text/event-stream")];
        all.extend_from_slice(headers);
        let mut socket = BufReader::new(ask(address, "GET", path, &all, b"", "keep-alive"));
        let (status, headers) = read_head(&mut socket);
        Stream { socket, status, headers, pending: Vec::new(), last: None }
    }

    /// The next event; `None` at the stream's end or when it was cut.
    pub fn event(&mut self) -> Option<Seen> {
        let mut event = Seen { name: "message".to_owned(), data: String::new(), id: None };
        let mut has_data = false;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                if let Some(id) = event.id {
                    self.last = Some(id);
                }
                if has_data {
                    return Some(event);
                }
                event.name = "message".to_owned();
                continue;
            }
            let (field, value) = line.split_once(':').map_or((line.as_str(), ""), |(f, v)| (f, v.strip_prefix(' ').unwrap_or(v)));
            match field {
                "event" => event.name = value.to_owned(),
                "data" => {
                    if has_data {
                        event.data.push('\n');
                    }
                    has_data = true;
                    event.data.push_str(value);
                }
                "id" => event.id = value.parse().ok(),
                _ => {}
            }
        }
    }

    /// The first event that `wanted` takes, and all before it; fails loudly when the stream ends or time is up.
    pub fn until(&mut self, wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let deadline = Instant::now() + GENEROUS;
        let mut all = Vec::new();
        while Instant::now() < deadline {
            match self.event() {
                Some(event) => {
                    let found = wanted(&event);
                    all.push(event);
                    if found {
                        return all;
                    }
                }
                None => break,
            }
        }
        panic!("the stream ended or time was up without what was wanted; seen: {all:#?}");
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line[..end]).trim_end_matches('\r').to_owned());
            }
            self.pending.extend(read_chunk(&mut self.socket)?);
        }
    }
}
