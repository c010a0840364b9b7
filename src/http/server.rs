//! The listeners: bound before anything is served, so that the caller can say where; each connection a task of its own.
//!
//! An address that no interface has yet (an access point that comes up later) is tried again every 5 s. Running out of
//! file descriptors pauses accepting for a moment. Both show in `/healthz`, neither stops the rest. At shutdown the
//! listeners close, streams end, answers on their way are finished for up to 5 s.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt::TcpUserTimeout};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::{Connections, Place};
use super::counters::Counters;
use super::entrance::Entrance;
use super::gate::Gate;
use super::interfaces::{Trusted, carrying};
use super::origin::Names;
use super::overload::StreamPlaces;
use super::pairing::Pairing;
use super::settings::Settings;
use super::sign_in::SignIns;
use super::socket::{MAX_HEAD, Socket};
use super::{Shared, service};
use crate::feed::Feed;
use crate::health::{Condition, Health};
use crate::metrics::Metrics;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;
/// What the kernel keeps of what a client has not read yet, in bytes (it takes twice that).
const SEND_BUFFER: u32 = 64 * 1024;
const BIND_AGAIN: Duration = Duration::from_secs(5);
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);

/// What the acceptor waits for.
enum News {
    Shutdown,
    Ended,
    Accepted(io::Result<(Door, TcpStream, SocketAddr)>),
    BindAgain,
}

/// What is behind a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// Everything.
    Phones,
    /// `/metrics` without a sign-in, and the probes.
    Metrics,
}

impl Door {
    /// The key of the settings that opens it.
    fn key(self) -> &'static str {
        match self {
            Door::Phones => "http.listen",
            Door::Metrics => "metrics.listen",
        }
    }
}

/// The doors, bound and not yet served.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<(Door, TcpListener)>,
    addresses: Vec<SocketAddr>,
    absent: Vec<(Door, SocketAddr)>,
    connections: Connections,
    trusted: Trusted,
}

impl Server {
    /// Binds every address of `settings.listen`. To be called within a tokio runtime.
    ///
    /// `shutdown` ends [`Server::run`] and every stream.
    ///
    /// # Errors
    /// When the settings are wrong, an address is taken or not ours to take, is on an interface that is not trusted with
    /// plain HTTP, or when none of them is there.
    pub fn bind(
        settings: Settings,
        feed: Arc<dyn Feed>,
        health: Health,
        metrics: &Metrics,
        shutdown: CancellationToken,
    ) -> io::Result<Server> {
        settings.check().map_err(|sentence| io::Error::new(io::ErrorKind::InvalidInput, sentence))?;
        let trusted = Trusted::new(&settings.trusted);
        let (mut listeners, mut absent) = (Vec::new(), Vec::new());
        let phones = settings.listen.iter().map(|address| (Door::Phones, *address));
        for (door, address) in phones.chain(settings.metrics.iter().map(|address| (Door::Metrics, *address))) {
            match listen(door, address, &trusted) {
                Ok(listener) => listeners.push((door, listener)),
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => absent.push((door, address)),
                Err(error) => return Err(io::Error::new(error.kind(), format!("{} {address}: {error}", door.key()))),
            }
        }
        if let (true, Some((door, address))) = (listeners.is_empty(), absent.first()) {
            let sentence = format!("{} {address}: no interface of this unit has that address", door.key());
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, sentence));
        }
        let addresses = listeners.iter().map(|(_, listener)| listener.local_addr()).collect::<io::Result<_>>()?;
        let own_name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let counters = Counters::register(metrics);
        let limits = &settings.limits;
        let shared = Shared {
            names: Names::new(own_name.as_deref(), &settings.names),
            streams: StreamPlaces::new(limits.streams, limits.streams_per_token, counters.streams.clone()),
            gate: Gate::new(settings.guests.clone(), SignIns::new(feed.clone(), settings.clock.0.clone())),
            pairing: Pairing::default(),
            metrics: metrics.clone(),
            settings: settings.clone(),
            feed,
            health,
            counters,
            shutdown,
        };
        let connections = Connections::new(settings.limits);
        let server = Server { shared: Arc::new(shared), listeners, addresses, absent, connections, trusted };
        server.tell_health();
        Ok(server)
    }

    /// Where it listens, in the order of the settings, metrics last; ports that were 0 are the real ones.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The handle by which pairing is opened from inside.
    pub fn pairing(&self) -> Pairing {
        self.shared.pairing.clone()
    }

    /// Where phones find the page.
    pub fn entrance(&self) -> Entrance {
        let name = self.shared.settings.names.first().cloned();
        Entrance { address: self.addresses.first().copied(), name, trusted: self.trusted.clone() }
    }

    /// Serves until the shutdown.
    pub async fn run(mut self) {
        for address in &self.addresses {
            tracing::info!(%address, "listening");
        }
        let mut tasks = JoinSet::new();
        let mut again = interval(BIND_AGAIN);
        let shutdown = self.shared.shutdown.clone();
        let pulse = self.shared.health.pulse("http");
        loop {
            let news = pulse.rest(async {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => News::Shutdown,
                    Some(_) = tasks.join_next(), if !tasks.is_empty() => News::Ended,
                    accepted = accept(&self.listeners) => News::Accepted(accepted),
                    _ = again.tick(), if !self.absent.is_empty() => News::BindAgain,
                }
            });
            match news.await {
                News::Shutdown => break,
                News::Ended => {}
                News::Accepted(Ok((door, stream, peer))) => {
                    self.admit(door, stream, peer, &mut tasks);
                    // In a flood of newcomers each gets its turn before the next is let in and may take its place.
                    yield_now().await;
                }
                News::Accepted(Err(error)) => self.rest(&error).await,
                News::BindAgain => self.bind_absent(),
            }
        }
        self.listeners.clear();
        let _ = timeout(SHUTDOWN_WITHIN, async { while tasks.join_next().await.is_some() {} }).await;
    }

    fn admit(&self, door: Door, stream: TcpStream, peer: SocketAddr, tasks: &mut JoinSet<()>) {
        let counters = &self.shared.counters;
        let is_trusted = || stream.local_addr().is_ok_and(|local| self.trusted.allows_between(local.ip(), peer));
        if door == Door::Phones && !is_trusted() {
            counters.dropped("untrusted");
            return;
        }
        let (place, evicted) = self.connections.admit();
        if let Some(why) = evicted {
            counters.dropped(why);
        }
        if let Some(place) = place {
            tasks.spawn(serve(self.shared.clone(), door, stream, peer.ip(), place));
        }
    }

    /// After an error of `accept`: those of one connection are nobody's concern, those of the system want a pause.
    async fn rest(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return;
        }
        self.shared.counters.dropped("accept");
        self.shared.health.set("http", Condition::Degraded, format!("new connections cannot be taken now: {error}"));
        sleep(ACCEPT_AGAIN).await;
        self.tell_health();
    }

    fn bind_absent(&mut self) {
        let (listeners, trusted) = (&mut self.listeners, &self.trusted);
        self.absent.retain(|(door, address)| match listen(*door, *address, trusted) {
            Ok(listener) => {
                tracing::info!(%address, "listening now");
                listeners.push((*door, listener));
                false
            }
            Err(_) => true,
        });
        self.tell_health();
    }

    fn tell_health(&self) {
        match self.absent.first() {
            None => self.shared.health.set("http", Condition::Ok, ""),
            Some((_, address)) => {
                let sentence = format!("no interface has {address} yet; it is tried again every 5 s");
                self.shared.health.set("http", Condition::Degraded, sentence);
            }
        }
    }
}

/// A listener on an address that plain HTTP may use.
fn listen(door: Door, address: SocketAddr, trusted: &Trusted) -> io::Result<TcpListener> {
    let carries_tokens = door == Door::Phones && !address.ip().is_unspecified();
    let interface = if carries_tokens { carrying(address.ip()) } else { None };
    if interface.is_some() && !trusted.allows(address.ip()) {
        let name = interface.unwrap_or_default();
        let sentence = format!("without TLS this unit does not listen on {name}, which is not in http.trusted");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, sentence));
    }
    let (socket, address) = socket_for(address)?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket of the address's family. Where the kernel has no IPv6, its wildcard means that of IPv4.
fn socket_for(address: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    if address.is_ipv4() {
        return Ok((TcpSocket::new_v4()?, address));
    }
    match TcpSocket::new_v6() {
        Err(error) if error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32) && address.ip().is_unspecified() => {
            Ok((TcpSocket::new_v4()?, SocketAddr::from(([0; 4], address.port()))))
        }
        socket => Ok((socket?, address)),
    }
}

/// The next connection of any listener.
async fn accept(listeners: &[(Door, TcpListener)]) -> io::Result<(Door, TcpStream, SocketAddr)> {
    poll_fn(|cx| {
        for (door, listener) in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(accepted.map(|(stream, peer)| (*door, stream, peer)));
            }
        }
        Poll::Pending
    })
    .await
}

/// One connection, from its first byte to its last.
async fn serve(shared: Arc<Shared>, door: Door, stream: TcpStream, peer: IpAddr, place: Place) {
    let _counted = Counted::new(&shared);
    let _ = stream.set_nodelay(true);
    // A peer that is gone, or keeps its window shut, is no more the kernel's concern than ours.
    let stalled = u32::try_from(shared.settings.limits.stalled().as_millis()).unwrap_or(u32::MAX);
    let _ = setsockopt(&stream, TcpUserTimeout, &stalled);
    let watch = place.watch.clone();
    let io = TokioIo::new(Socket::new(stream, watch.clone()));
    let service = service_fn(|request| {
        let answering = service::answer(shared.clone(), door, watch.clone(), peer, request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(2 * MAX_HEAD)
        .max_headers(128)
        .serve_connection(io, service);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            _ = &mut connection => break,
            why = watch.overdue() => return shared.counters.dropped(why),
            () = watch.evicted() => return,
            () = shared.shutdown.cancelled(), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    connection.into_parts().io.into_inner().close().await;
}

/// Counts a connection for as long as it is open.
struct Counted<'a>(&'a Shared);

impl<'a> Counted<'a> {
    fn new(shared: &'a Shared) -> Counted<'a> {
        shared.counters.connections.inc();
        Counted(shared)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.counters.connections.dec();
    }
}
