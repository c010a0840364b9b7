//! From a name to a connection, bounded at each step, and what was written on it counted: for brokers and collectors.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Trouble;

/// Of each family so many addresses are tried, so that a family that leads nowhere hides no other.
const OF_A_FAMILY: usize = 2;

/// A connection on which nothing was acknowledged for so long is dead: the link is another one, or gone.
const DEAD_AFTER: Duration = Duration::from_secs(15);

type Found = io::Result<Vec<SocketAddr>>;

/// Finds where a name leads and connects there.
pub(super) struct Dialler {
    host: String,
    port: u16,
    /// The system's resolver cannot be called off: one that still waits for a name server is waited for, not doubled.
    asking: Option<JoinHandle<Found>>,
}

impl Dialler {
    pub(super) fn new(host: String, port: u16) -> Dialler {
        Dialler { host, port, asking: None }
    }

    async fn addresses(&mut self) -> Found {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        self.asking.take_if(|asking| asking.is_finished());
        let asking = self.asking.get_or_insert_with(|| {
            let name = (self.host.clone(), self.port);
            tokio::task::spawn_blocking(move || name.to_socket_addrs().map(Iterator::collect))
        });
        let found = asking.await;
        self.asking = None;
        found.map_err(io::Error::other)?
    }

    /// A connection to the first address that answers.
    pub(super) async fn dial(&mut self, for_name: Duration, for_address: Duration) -> Result<TcpStream, Trouble> {
        let found = timeout(for_name, self.addresses()).await;
        let (host, port) = (&self.host, self.port);
        let nameless = |why: String| {
            Trouble::Unreachable(format!("no name server tells where {host} is{why}; look at the link, the name servers and url"))
        };
        let found = match found {
            Ok(Ok(found)) if !found.is_empty() => found,
            Ok(Ok(_)) => return Err(nameless(String::new())),
            Ok(Err(error)) => return Err(nameless(format!(" ({error})"))),
            Err(_) => return Err(nameless(format!(" within {} s", for_name.as_secs()))),
        };
        let mut why = String::new();
        for address in chosen(&found) {
            match timeout(for_address, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    settle(&stream);
                    return Ok(stream);
                }
                Ok(Err(error)) => why = of(&error),
                Err(_) => why = format!("gives no answer within {} s", for_address.as_secs()),
            }
        }
        Err(Trouble::Unreachable(format!("{host}:{port} {why}; look at the link and at url")))
    }
}

fn of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "is there, and nobody listens on that port".to_owned(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "has no route to it".to_owned(),
        _ => format!("cannot be reached: {error}"),
    }
}

/// The first few of each family in the order in which the system gave them (RFC 6724), the families in turn (RFC 8305,
/// section 4): one that leads nowhere costs one try before the other has its own.
fn chosen(found: &[SocketAddr]) -> impl Iterator<Item = SocketAddr> {
    let is_first = |address: &SocketAddr| found.first().is_some_and(|first| first.is_ipv6() == address.is_ipv6());
    let few = |of_first: bool| found.iter().copied().filter(move |address| is_first(address) == of_first).take(OF_A_FAMILY);
    let mut other = few(false);
    let mut turns: Vec<SocketAddr> = few(true).flat_map(|address| [Some(address), other.next()]).flatten().collect();
    turns.extend(other);
    turns.into_iter()
}

/// Both are for speed only: without them it works.
fn settle(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let millis = u32::try_from(DEAD_AFTER.as_millis()).unwrap_or(0);
    let _ = setsockopt(stream, sockopt::TcpUserTimeout, &millis);
}

/// What a connection runs over: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// A stream whose written bytes are counted.
pub(super) struct Counted {
    pub(super) stream: Box<dyn Stream>,
    pub(super) written: Arc<AtomicU64>,
}

impl Counted {
    fn count(&self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = polled {
            self.written.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.count(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No slow machine exceeds that.
    const PATIENT: Duration = Duration::from_secs(300);

    #[test]
    fn no_family_hides_the_other() {
        let found: Vec<SocketAddr> = ["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "[::4]:1", "10.0.0.2:1", "10.0.0.3:1"]
            .map(|a| a.parse().unwrap())
            .into();
        let chosen: Vec<String> = chosen(&found).map(|address| address.to_string()).collect();
        assert_eq!(chosen, ["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1"]);
    }

    #[tokio::test]
    async fn a_lookup_that_still_waits_is_not_doubled() {
        let mut dialler = Dialler::new("fleet.example".to_owned(), 443);
        let (answer, asked) = std::sync::mpsc::channel();
        dialler.asking = Some(tokio::task::spawn_blocking(move || asked.recv().unwrap()));
        let told = dialler.dial(Duration::from_millis(1), PATIENT).await.unwrap_err().to_string();
        assert!(told.contains("no name server tells where fleet.example is within"), "{told}");
        assert!(dialler.asking.is_some(), "it is still asked");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        answer.send(Ok(vec![address])).unwrap();
        // Whether it has ended by now or not: where it has, its answer may be of another network, and is not taken.
        if !dialler.asking.as_ref().unwrap().is_finished() {
            let stream = dialler.dial(PATIENT, PATIENT).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
        }
    }

    #[tokio::test]
    async fn nobody_there_is_told_as_such() {
        // Bound, so that nobody else can listen there.
        let nobody = tokio::net::TcpSocket::new_v4().unwrap();
        nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut dialler = Dialler::new("127.0.0.1".to_owned(), nobody.local_addr().unwrap().port());
        let told = dialler.dial(PATIENT, PATIENT).await.unwrap_err().to_string();
        assert!(told.contains("nobody listens on that port"), "{told}");
    }
}
