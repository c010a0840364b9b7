//! The listeners: bound before anything is served, so that the caller can say where; each connection a task of its own.
//!
//! An address that no interface has yet (an access point that comes up later) is tried again every 5 s. Running out of
//! file descriptors pauses accepting for a moment. Both show in `/healthz`, neither stops the rest. At shutdown the
//! listeners close, streams end, answers on their way are finished for up to 5 s.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::connection::Connections;
use super::counters::Counters;
use super::destiny::Destiny;
use super::discovery::Discovery;
use super::entrance::Entrance;
use super::gate::{Gate, wall_now};
use super::interfaces::{Trusted, carrying};
use super::origin::Names;
use super::overload::StreamPlaces;
use super::pairing::Pairing;
use super::serve::serve;
use super::settings::Settings;
use super::sign_in::SignIns;
use super::tls::{Certificates, Tls};
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
    /// Everything, in plain HTTP.
    Phones,
    /// Everything, within TLS.
    Secure,
    /// The probes, and the way to this port of TLS: plain HTTP where it is not trusted.
    Elsewhere(u16),
    /// `/metrics` without a sign-in, and the probes.
    Metrics,
}

impl Door {
    /// The key of the settings that opens it.
    fn key(self) -> &'static str {
        match self {
            Door::Phones | Door::Elsewhere(_) => "http.listen",
            Door::Secure => "http.tls",
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
    /// Where there is TLS: what is bound, and what will be.
    secure: Vec<SocketAddr>,
    discovery: Option<Discovery>,
}

impl Server {
    /// Binds every address of `settings.listen` and `settings.tls`. To be called within a tokio runtime.
    ///
    /// `shutdown` ends [`Server::run`] and every stream.
    ///
    /// # Errors
    /// When the settings are wrong, an address is taken or not ours to take, is on an interface that is not trusted with
    /// plain HTTP while there is no TLS, or when none of them is there.
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
        let doors = [(Door::Phones, &settings.listen), (Door::Secure, &settings.tls), (Door::Metrics, &settings.metrics)];
        for (door, address) in doors.into_iter().flat_map(|(door, all)| all.iter().map(move |address| (door, *address))) {
            match listen(door, address, &trusted, !settings.tls.is_empty()) {
                Ok(listener) => listeners.push((door, listener)),
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => absent.push((door, address)),
                Err(error) => return Err(io::Error::new(error.kind(), format!("{} {address}: {error}", door.key()))),
            }
        }
        if let (true, Some((door, address))) = (listeners.is_empty(), absent.first()) {
            let sentence = format!("{} {address}: no interface of this unit has that address", door.key());
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, sentence));
        }
        let addresses = listeners.iter().map(|(_, listener)| listener.local_addr()).collect::<io::Result<Vec<_>>>()?;
        let secure = of_door(Door::Secure, &listeners, &absent);
        let own_name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let discovery = settings.discovery.then(|| Discovery::new(settings.state.as_deref()));
        let more: Vec<String> = settings.names.iter().cloned().chain(discovery.as_ref().map(Discovery::name)).collect();
        let names = Names::new(own_name.as_deref(), &more);
        let tls = match settings.tls.is_empty() {
            true => None,
            false => Some(Tls::new(settings.given.clone(), settings.state.clone(), names.all().to_vec(), wall_now(&*feed))?),
        };
        let counters = Counters::register(metrics);
        let limits = &settings.limits;
        let shared = Shared {
            names,
            tls,
            streams: StreamPlaces::new(limits.streams, limits.streams_per_token, counters.streams.clone()),
            gate: Gate::new(settings.guests.clone(), SignIns::new(feed.clone(), settings.clock.0.clone())),
            pairing: Pairing::default(),
            destiny: Destiny::new(&feed),
            metrics: metrics.clone(),
            settings: settings.clone(),
            feed,
            health,
            counters,
            shutdown,
        };
        let connections = Connections::new(settings.limits);
        let shared = Arc::new(shared);
        let server = Server { shared, listeners, addresses, absent, connections, trusted, secure, discovery };
        server.tell_health();
        Ok(server)
    }

    /// Where it listens, in the order of the settings: plain HTTP, TLS, metrics; ports that were 0 are the real ones.
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
        let address = self.secure.first().or(self.addresses.first()).copied();
        let (tls, discovery) = (self.shared.tls.clone(), self.discovery.clone());
        Entrance { address, name, trusted: self.trusted.clone(), tls, discovery }
    }

    /// The handle by which the owner's certificate is shown anew.
    pub fn certificates(&self) -> Certificates {
        Certificates(self.shared.tls.clone())
    }

    /// Serves until the shutdown.
    pub async fn run(mut self) {
        for address in &self.addresses {
            tracing::info!(%address, "listening");
        }
        let mut tasks = JoinSet::new();
        let mut beside = JoinSet::new();
        if let Some(tls) = self.shared.tls.clone() {
            beside.spawn(tls.keep(self.shared.feed.clone(), self.shared.health.clone()));
        }
        let goodbye = self.discovery.clone().map(|discovery| {
            let plain = of_door(Door::Phones, &self.listeners, &self.absent);
            let pin = self.shared.tls.as_ref().map(Tls::pin);
            let signs = discovery.signs(&plain, &self.secure, pin.as_deref(), &self.shared.settings.trusted);
            tokio::spawn(discovery.run(signs, self.shared.shutdown.clone()))
        });
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
        let ending = async {
            while tasks.join_next().await.is_some() {}
            if let Some(goodbye) = goodbye {
                let _ = goodbye.await;
            }
        };
        let _ = timeout(SHUTDOWN_WITHIN, ending).await;
    }

    fn admit(&self, door: Door, stream: TcpStream, peer: SocketAddr, tasks: &mut JoinSet<()>) {
        let counters = &self.shared.counters;
        let Some(door) = self.door_for(door, &stream, peer) else {
            counters.dropped("untrusted");
            return;
        };
        let (place, evicted) = self.connections.admit();
        if let Some(why) = evicted {
            counters.dropped(why);
        }
        if let Some(place) = place {
            tasks.spawn(serve(self.shared.clone(), door, stream, peer.ip(), place));
        }
    }

    /// What is behind a listener for this peer: where plain HTTP is not trusted, the way to TLS, or nothing.
    fn door_for(&self, door: Door, stream: &TcpStream, peer: SocketAddr) -> Option<Door> {
        if door != Door::Phones {
            return Some(door);
        }
        let local = stream.local_addr().ok()?.ip();
        if self.trusted.allows_between(local, peer) {
            return Some(door);
        }
        let reaches = |secure: &&SocketAddr| secure.ip().is_unspecified() || secure.ip() == local.to_canonical();
        self.secure.iter().find(reaches).map(|secure| Door::Elsewhere(secure.port()))
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
        let (listeners, trusted, has_tls) = (&mut self.listeners, &self.trusted, self.shared.tls.is_some());
        self.absent.retain(|(door, address)| match listen(*door, *address, trusted, has_tls) {
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

/// The addresses behind which this is: those bound, and those that will be.
fn of_door(wanted: Door, listeners: &[(Door, TcpListener)], absent: &[(Door, SocketAddr)]) -> Vec<SocketAddr> {
    let bound = listeners.iter().filter(|(door, _)| *door == wanted).filter_map(|(_, listener)| listener.local_addr().ok());
    bound.chain(absent.iter().filter(|(door, _)| *door == wanted).map(|(_, address)| *address)).collect()
}

/// A listener on an address that the door may have: plain HTTP where it is trusted, or can lead to TLS.
fn listen(door: Door, address: SocketAddr, trusted: &Trusted, has_tls: bool) -> io::Result<TcpListener> {
    let carries_tokens = door == Door::Phones && !has_tls && !address.ip().is_unspecified();
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
