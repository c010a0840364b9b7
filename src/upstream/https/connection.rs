//! One connection to a collector, and one request at a time on it.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::http::Uri;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::answer::Answer;
use super::{Letter, PATH, Settings, Tls, Trouble, Vin};
use crate::upstream::dial::{Counted, Dialler, Stream};

/// Of a head.
const LONGEST_HEAD: usize = 16 << 10;
/// Of a body.
const LONGEST_BODY: usize = 64 << 10;
/// Of a file with a token.
const LONGEST_TOKEN: u64 = 8 << 10;

/// How long each step may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) name: Duration,
    /// For each address.
    pub(super) address: Duration,
    pub(super) tls: Duration,
    /// From the request to the end of its answer.
    pub(super) answer: Duration,
    /// Of those that go one at a time none is begun after this.
    pub(super) singles: Duration,
    /// A connection that was idle for longer is not used again: routers on the way have forgotten it, and an alert would
    /// wait for that to show.
    pub(super) idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let [name, address, tls, answer, singles, idle] = [10, 5, 10, 30, 5, 90].map(Duration::from_secs);
        Limits { name, address, tls, answer, singles, idle }
    }
}

/// Who is posted to.
pub(super) struct Receiver {
    pub(super) host: String,
    is_tls: bool,
    uri: Uri,
    /// Those that are the same in every request.
    headers: HeaderMap,
    token_file: Option<PathBuf>,
    tls: Tls,
    dialler: Dialler,
    pub(super) limits: Limits,
    written: Arc<AtomicU64>,
}

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves its bytes, and ends with it.
    driver: JoinSet<hyper::Result<()>>,
    bearer: Option<HeaderValue>,
    was_clock_known: bool,
    used: Instant,
}

/// What became of a request.
pub(super) enum Asked {
    /// It was answered, and if the connection can go on, here it is.
    Answered(Answer, Option<Box<Connection>>),
    /// The connection was closed before anything of it was sent.
    Unsent(Trouble),
}

impl Connection {
    /// Whether a request may be tried on it.
    pub(super) fn is_usable(&self, receiver: &Receiver) -> bool {
        let was_judged_enough = self.was_clock_known || !receiver.tls.is_clock_known();
        !self.sender.is_closed() && was_judged_enough && self.used.elapsed() < receiver.limits.idle
    }
}

impl Receiver {
    pub(super) fn new(settings: &Settings, vin: &Vin, tls: Tls, limits: Limits, written: Arc<AtomicU64>) -> Receiver {
        let url = &settings.url;
        let path = if url.path.is_empty() { PATH } else { &url.path };
        let is_tls = url.scheme.is_tls();
        let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
        let authority = match (is_tls, url.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        };
        let member = settings.member.as_deref().unwrap_or(vin.as_str());
        let agent = concat!("telltale/", env!("CARGO_PKG_VERSION"));
        let mut headers = HeaderMap::new();
        for (name, value) in [(HOST, &*authority), (USER_AGENT, agent), (HeaderName::from_static("member-id"), member)] {
            headers.extend(HeaderValue::from_str(value).map(|value| (name, value)));
        }
        Receiver {
            host: url.host.clone(),
            is_tls,
            uri: path.parse().unwrap_or(Uri::from_static(PATH)),
            headers,
            token_file: settings.token_file.clone(),
            tls,
            dialler: Dialler::new(url.host.clone(), url.port),
            limits,
            written,
        }
    }

    /// A new connection.
    pub(super) async fn connect(&mut self) -> Result<Box<Connection>, Trouble> {
        let bearer = self.bearer().await?;
        let tcp = self.dialler.dial(self.limits.name, self.limits.address).await?;
        let was_clock_known = !self.is_tls || self.tls.is_clock_known();
        let stream: Box<dyn Stream> = match self.is_tls {
            true => Box::new(self.shake_hands(tcp).await?),
            false => Box::new(tcp),
        };
        let stream = TokioIo::new(Counted { stream, written: self.written.clone() });
        let made = http1::Builder::new().max_buf_size(LONGEST_HEAD).handshake(stream).await;
        let (sender, connection) = made.map_err(|error| self.trouble(&error))?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        Ok(Box::new(Connection { sender, driver, bearer, was_clock_known, used: Instant::now() }))
    }

    async fn shake_hands(&self, tcp: tokio::net::TcpStream) -> Result<impl Stream + use<>, Trouble> {
        let config = self.tls.config().await.map_err(|fault| Trouble::Unreachable(fault.to_string()))?;
        let host = &self.host;
        let name = ServerName::try_from(host.clone());
        let name =
            name.map_err(|_| Trouble::Unreachable(format!("{host} is no name that a certificate can be for; look at url")))?;
        match timeout(self.limits.tls, TlsConnector::from(config).connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.tls.explain(&error).unwrap_or_else(|| {
                Trouble::Unreachable(format!(
                    "{host} ended the connection before there was TLS ({error}); look at the port in url"
                ))
            })),
            Err(_) => Err(Trouble::Unreachable(format!("{host} did not answer in TLS within {} s", self.limits.tls.as_secs()))),
        }
    }

    /// What `token_file` holds now.
    async fn bearer(&self) -> Result<Option<HeaderValue>, Trouble> {
        let Some(path) = self.token_file.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || token(&path)).await;
        let token = read.unwrap_or_else(|error| Err(error.to_string()));
        token.map(Some).map_err(|why| Trouble::Unreachable(format!("upstream.token_file: {why}")))
    }

    /// Sends a letter on `connection` and reads the answer.
    pub(super) async fn ask(&self, mut connection: Box<Connection>, letter: &Letter) -> Result<Asked, Trouble> {
        let deadline = Instant::now() + self.limits.answer;
        let sent = connection.sender.try_send_request(self.request(letter, connection.bearer.clone()));
        let late = |_| Trouble::Unreachable(format!("{} gave no answer within {} s", self.host, self.limits.answer.as_secs()));
        match timeout_at(deadline, sent).await.map_err(late)? {
            Ok(response) => {
                let answer = read(response, deadline).await;
                connection.used = Instant::now();
                let goes_on = answer.body.is_some();
                Ok(Asked::Answered(answer, goes_on.then_some(connection)))
            }
            Err(error) if error.message().is_some() => {
                // Why it was closed only the driver knows, which ends with it.
                let ended = timeout_at(deadline, connection.driver.join_next()).await.map_err(late)?;
                let cause = ended.and_then(Result::ok).and_then(hyper::Result::err).unwrap_or(error.into_error());
                Ok(Asked::Unsent(self.trouble(&cause)))
            }
            Err(error) => Err(self.trouble(error.error())),
        }
    }

    fn request(&self, letter: &Letter, bearer: Option<HeaderValue>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(letter.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(letter.content_type));
        headers.insert(HeaderName::from_static("idempotency-key"), letter.key.clone());
        headers.extend(bearer.map(|bearer| (AUTHORIZATION, bearer)));
        request
    }

    fn trouble(&self, error: &hyper::Error) -> Trouble {
        let host = &self.host;
        if let Some(trouble) = self.tls.explain(error) {
            return trouble;
        }
        Trouble::Unreachable(match error {
            error if error.is_parse_too_large() => {
                format!("{host} answers with a head longer than 16 KiB; look at the port in url")
            }
            error if error.is_parse() => format!("{host} does not answer in HTTP/1.1; look at the port in url"),
            error => {
                let cause = error.source().map_or_else(String::new, |cause| format!(" ({cause})"));
                format!("{host} ended the connection without an answer{cause}")
            }
        })
    }
}

/// Reads an answer whose head is there. The head may be enough, so that a body that does not end is no trouble here.
async fn read(response: Response<Incoming>, deadline: Instant) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    let is_whole = loop {
        match timeout_at(deadline, body.frame()).await {
            Ok(None) => break true,
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                if bytes.len().saturating_add(data.len()) > LONGEST_BODY {
                    break false;
                }
                bytes.extend_from_slice(&data);
            }
            Ok(Some(Err(_))) | Err(_) => break false,
        }
    };
    Answer { status: head.status, headers: head.headers, body: is_whole.then(|| bytes.freeze()) }
}

/// The `Authorization` of a file with a token.
fn token(path: &Path) -> Result<HeaderValue, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}; let the daemon read the token there", path.display());
    let mut text = String::new();
    File::open(path).map_err(unreadable)?.take(LONGEST_TOKEN).read_to_string(&mut text).map_err(unreadable)?;
    let token = text.trim();
    let value = HeaderValue::from_str(&format!("Bearer {token}")).ok();
    let mut value = value
        .filter(|_| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or_else(|| format!("{} holds no token; put one line of printable ASCII without spaces into it", path.display()))?;
    value.set_sensitive(true);
    Ok(value)
}
