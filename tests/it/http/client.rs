//! A client that speaks HTTP/1.1 in raw bytes, so that what is on the wire is what is judged.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::judge::{Browser, Told};

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.status
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.text()))
    }

    /// Insists that this is a problem with a sentence; the sentence.
    pub fn problem(&self) -> String {
        let document = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{document}");
        assert_eq!(document["status"], self.status(), "{document}");
        assert_eq!(document["type"], "about:blank", "{document}");
        assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()), "{document}");
        let detail = document["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(' '), "a sentence: {detail}");
        detail
    }
}

/// While this lives a paused clock stands: it goes on by itself when all wait, and does not know that some wait for what the
/// kernel brings in its own time, as an acknowledgement that a reader owes or a softirq that another processor is late with.
pub struct Still {
    _lives: Sender<()>,
}

impl Still {
    pub fn now() -> Still {
        let (_lives, until_it_ends) = channel::<()>();
        tokio::task::spawn_blocking(move || until_it_ends.recv());
        Still { _lives }
    }
}

/// TCP, or TLS over it.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

pub struct Client {
    stream: Box<dyn Duplex>,
    heard: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Client {
        Client::of(TcpStream::connect(address).await.unwrap())
    }

    pub fn of(stream: impl Duplex + 'static) -> Client {
        Client { stream: Box::new(stream), heard: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has closed is seen by reading.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    pub async fn ask(&mut self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let _still = Still::now();
        self.send(request(method, path, headers, body)).await;
        self.answer(method == "HEAD").await.expect("an answer")
    }

    /// The next answer; `None` where the server closed instead.
    pub async fn answer(&mut self, is_head: bool) -> Option<Answer> {
        let head = self.head().await?;
        let length = head.header("content-length").map(|length| length.parse::<usize>().unwrap());
        let mut body = Vec::new();
        if is_head || matches!(head.status, 204 | 304) {
        } else if head.header("transfer-encoding") == Some("chunked") {
            while let Some(piece) = self.chunk().await {
                body.extend(piece);
            }
        } else if let Some(length) = length {
            body = self.exactly(length).await?;
        } else {
            while self.hear().await {}
            body = std::mem::take(&mut self.heard);
        }
        Some(Answer { head, body })
    }

    pub async fn head(&mut self) -> Option<Head> {
        let end = loop {
            if let Some(at) = self.heard.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.hear().await {
                return None;
            }
        };
        let text = String::from_utf8(self.heard.drain(..end).collect()).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Some(Head { status, headers: lines.filter_map(header).collect() })
    }

    /// The next chunk of a chunked body; `None` at its proper end. A torn one panics.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        self.try_chunk().await.expect("the body was torn off")
    }

    /// The same, and `Err` where the connection ended before the body.
    pub async fn try_chunk(&mut self) -> Result<Option<Vec<u8>>, ()> {
        let end = loop {
            if let Some(at) = self.heard.windows(2).position(|window| window == b"\r\n") {
                break at;
            }
            if !self.hear().await {
                return Err(());
            }
        };
        let line = String::from_utf8(self.heard.drain(..end + 2).collect()).unwrap();
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        let mut piece = self.exactly(length + 2).await.ok_or(())?;
        piece.truncate(length);
        Ok((length > 0).then_some(piece))
    }

    async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.heard.len() < length {
            if !self.hear().await {
                return None;
            }
        }
        Some(self.heard.drain(..length).collect())
    }

    /// Reads on; whether there was anything.
    async fn hear(&mut self) -> bool {
        let mut room = [0; 8192];
        match self.stream.read(&mut room).await {
            Ok(read) => {
                self.heard.extend(&room[..read]);
                read > 0
            }
            Err(_) => false,
        }
    }

    /// Says that nothing more will be sent.
    pub async fn hang_up(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Waits for the end; what came before it.
    pub async fn until_closed(mut self) -> Vec<u8> {
        while self.hear().await {}
        self.heard
    }
}

pub fn request(method: &str, path: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:")) {
        text.push_str("Host: localhost\r\n");
    }
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{text}\r\n{body}")
}

/// A stream as a browser has it.
pub struct EventStream {
    pub head: Head,
    pub client: Client,
    pub browser: Browser,
    /// The stream's bytes so far, as pieces of the transfer coding.
    pub pieces: Vec<Vec<u8>>,
    told: VecDeque<Told>,
}

impl EventStream {
    pub async fn open(address: SocketAddr, path: &str, headers: &[&str]) -> EventStream {
        EventStream::over(Client::connect(address).await, path, headers).await
    }

    pub async fn over(mut client: Client, path: &str, headers: &[&str]) -> EventStream {
        let _still = Still::now();
        client.send(request("GET", path, headers, "")).await;
        let head = client.head().await.expect("an answer");
        EventStream { head, client, browser: Browser::default(), pieces: Vec::new(), told: VecDeque::new() }
    }

    /// The next event; `None` at the stream's proper end.
    pub async fn next(&mut self) -> Option<Told> {
        while self.told.is_empty() {
            let piece = self.client.chunk().await?;
            self.told.extend(self.browser.hear(&piece));
            self.pieces.push(piece);
        }
        self.told.pop_front()
    }

    /// The next event that has this name.
    pub async fn named(&mut self, name: &str) -> Told {
        loop {
            let told = self.next().await.expect("the stream goes on");
            if told.name == name {
                return told;
            }
        }
    }

    /// The ids of the default events up to and with this one, which was told already.
    pub async fn ids_to(&mut self, last: u64) -> Vec<u64> {
        let _still = Still::now();
        let mut ids = Vec::new();
        while ids.last() != Some(&last) {
            ids.push(self.named("message").await.event_id());
        }
        ids
    }

    /// Reads to the end; what came.
    pub async fn rest(mut self) -> Vec<Told> {
        let mut all = Vec::new();
        while let Some(told) = self.next().await {
            all.push(told);
        }
        all
    }
}
