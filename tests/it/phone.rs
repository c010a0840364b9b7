//! A phone: one request at a time, or a stream that is taken up again wherever it was cut.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::unit::Daemon;

/// Long enough for a shared, noisy machine; nothing waits this long when all is well.
pub const GENEROUS: Duration = Duration::from_secs(300);

/// Asks again and again until `condition` gives something; fails loudly when time is up.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + GENEROUS;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "time is up: {what}");
        std::thread::sleep(Duration::from_millis(50));
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

    /// The body, of an answer with this status.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }
}

/// One request on a connection of its own.
pub fn request(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let socket = ask(address, method, path, headers, body, "close").expect("a connection");
    let mut socket = BufReader::new(socket);
    let (status, headers) = read_head(&mut socket).expect("an answer");
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

fn ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    connection: &str,
) -> std::io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(GENEROUS))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: {connection}\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += &format!("Host: {address}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    socket.write_all(head.as_bytes())?;
    socket.write_all(body)?;
    Ok(socket)
}

fn read_head(socket: &mut impl BufRead) -> Option<(u16, BTreeMap<String, String>)> {
    let mut line = String::new();
    socket.read_line(&mut line).ok()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        socket.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
            None => return Some((status, headers)),
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
    /// The id as it came, for those that are no number.
    pub id_text: Option<String>,
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
}

impl Stream {
    /// Opens it and reads the head; `None` when the connection was cut before that.
    pub fn try_open(address: &str, path: &str, headers: &[(&str, &str)]) -> Option<Stream> {
        let mut all = vec![("Accept", "text/event-stream")];
        all.extend_from_slice(headers);
        let mut socket = BufReader::new(ask(address, "GET", path, &all, b"", "keep-alive").ok()?);
        let (status, headers) = read_head(&mut socket)?;
        Some(Stream { socket, status, headers, pending: Vec::new() })
    }

    /// The same where nobody pulls plugs.
    pub fn open(address: &str, path: &str, headers: &[(&str, &str)]) -> Stream {
        Stream::try_open(address, path, headers).expect("a stream")
    }

    /// The next event; `None` at the stream's end or when it was cut. Fails loudly when nothing comes for too long.
    pub fn event(&mut self) -> Option<Seen> {
        let deadline = Instant::now() + GENEROUS;
        let mut event = Seen { name: "message".to_owned(), data: String::new(), id: None, id_text: None };
        let mut has_data = false;
        loop {
            assert!(Instant::now() < deadline, "no event came");
            let line = self.line()?;
            if line.is_empty() {
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
                "id" => (event.id, event.id_text) = (value.parse().ok(), Some(value.to_owned())),
                _ => {}
            }
        }
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

/// What a journal adds to an event, or takes from it, when it is told again.
fn as_first_told(mut event: Value) -> Value {
    if let Some(keys) = event.as_object_mut() {
        keys.remove("ended");
        keys.remove("durable");
    }
    event
}

/// The events of a unit as somebody sees them who follows it over all restarts, from position 0 on. It insists that ids
/// rise strictly and that nothing is missing by the unit's own word.
#[derive(Default)]
pub struct Phone {
    stream: Option<Stream>,
    /// The last event id, as an `EventSource` would send it on return.
    last: u64,
    /// Every event, in the order in which it came.
    pub told: Vec<Value>,
}

impl Phone {
    /// Takes the stream up where it was; `false` when the unit was gone before it answered.
    pub fn connect(&mut self, daemon: &Daemon) -> bool {
        let last = self.last.to_string();
        let path = format!("/api/my-events?token={}", daemon.token);
        self.stream = Stream::try_open(&daemon.address, &path, &[("Last-Event-ID", &last)]);
        if let Some(stream) = &self.stream {
            assert_eq!(stream.status, 200);
        }
        self.stream.is_some()
    }

    /// The next thing told, telemetry too; `None` when the stream was cut.
    pub fn next(&mut self) -> Option<Seen> {
        let seen = self.stream.as_mut()?.event()?;
        assert_ne!(seen.name, "gap", "the unit admits a gap: {seen:?}");
        if let Some(id) = seen.id {
            assert!(id >= self.last, "back from {} to {seen:?}", self.last);
            if seen.name == "message" {
                assert!(id > self.last, "twice, or before its time (at {}): {seen:?}", self.last);
                assert_eq!(seen.json()["eventId"], id);
                self.told.push(seen.json());
            }
            self.last = id;
        }
        Some(seen)
    }

    /// The first event from here on that `wanted` takes.
    pub fn until(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + GENEROUS;
        while Instant::now() < deadline {
            let Some(seen) = self.next() else { break };
            if seen.name == "message" && wanted(&seen.json()) {
                return seen.json();
            }
        }
        panic!("the stream ended or time was up without {what}; told: {:#?}", self.summary());
    }

    /// Reads what a unit that is gone had still sent.
    pub fn drain(&mut self) {
        while self.next().is_some() {}
        self.stream = None;
    }

    /// Types and ids.
    pub fn summary(&self) -> Vec<String> {
        self.told.iter().map(|event| format!("{} {} {}", event["eventId"], event["eventType"], event["child"]["stage"])).collect()
    }

    /// Insists that the unit's history, up to where this phone is, is exactly what it was told.
    pub fn agrees_with_history(&self, daemon: &Daemon) {
        let mut remembered = history(daemon);
        remembered.retain(|event| event["eventId"].as_u64().is_some_and(|id| id <= self.last));
        let remembered: Vec<Value> = remembered.into_iter().map(as_first_told).collect();
        let told: Vec<Value> = self.told.iter().cloned().map(as_first_told).collect();
        for (at, (remembered, told)) in remembered.iter().zip(&told).enumerate() {
            assert_eq!(remembered, told, "event {at} of history; told: {:#?}", self.summary());
        }
        assert_eq!(remembered.len(), told.len(), "told: {:#?}", self.summary());
    }
}

/// All events that the unit remembers.
pub fn history(daemon: &Daemon) -> Vec<Value> {
    let (mut all, mut since) = (Vec::new(), 0);
    loop {
        let page = daemon.get(&format!("/api/v1/events?since={since}&limit=7")).expect(200);
        let events = page["events"].as_array().expect("events").clone();
        since = page["next"].as_u64().expect("the next position");
        if events.is_empty() {
            return all;
        }
        all.extend(events);
    }
}
