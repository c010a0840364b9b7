//! One connection, from its first byte to its last: the handshake, then HTTP/1.1 or HTTP/2.
//!
//! A stranger's first head has to be complete 5 s after the connection, the handshake included. Who speaks plain HTTP at a
//! port of TLS is sent to `https` as on an interface that is not trusted.
//!
//! HTTP/2 (RFC 9113): 16 streams, 64 KiB of what is sent in memory a stream, heads of 16 KiB; a ping every 20 s, whose
//! answer has 10 s. Rapid resets (CVE-2023-44487) end the connection, after hyper's own count of 20 that wait.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt::TcpUserTimeout};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::connection::{Place, Watch};
use super::flow::Streams;
use super::server::Door;
use super::socket::{MAX_HEAD, Socket, Wire};
use super::{Shared, service};

/// Encrypted, and not yet taken by the kernel.
const TLS_BUFFER: usize = 16 * 1024;

const STREAMS: u32 = 16;
const SEND_BUFFER: usize = 64 * 1024;
/// Bodies of requests: what one stream, and all of a connection, may have on the way.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// Who is at the other end, and what it may take.
struct Guest {
    shared: Arc<Shared>,
    watch: Arc<Watch>,
    door: Door,
    peer: IpAddr,
}

/// Serves one connection.
pub(super) async fn serve(shared: Arc<Shared>, door: Door, stream: TcpStream, peer: IpAddr, place: Place) {
    let _counted = Counted::new(&shared);
    let _ = stream.set_nodelay(true);
    // A peer that is gone, or keeps its window shut, is no more the kernel's concern than ours.
    let stalled = u32::try_from(shared.settings.limits.stalled().as_millis()).unwrap_or(u32::MAX);
    let _ = setsockopt(&stream, TcpUserTimeout, &stalled);
    let tls = shared.tls.clone().filter(|_| door == Door::Secure);
    let guest = Guest { shared, watch: place.watch.clone(), door, peer };
    let Some(tls) = tls else { return guest.http1(Wire::new(stream, guest.watch.clone())).await };
    match guest.within(speaks_plainly(&stream)).await {
        Some(Ok(false)) => {}
        Some(Ok(true)) => {
            let door = Door::Elsewhere(stream.local_addr().map_or(0, |local| local.port()));
            let guest = Guest { door, ..guest };
            return guest.http1(Wire::new(stream, guest.watch.clone())).await;
        }
        Some(Err(_)) => return guest.shared.counters.dropped("handshake"),
        None => return,
    }
    let shaking = TlsAcceptor::from(tls.config()).accept(Wire::new(stream, guest.watch.clone()));
    let mut stream = match guest.within(shaking).await {
        Some(Ok(stream)) => stream,
        Some(Err(_)) => return guest.shared.counters.dropped("handshake"),
        None => return,
    };
    let (_, session) = stream.get_mut();
    session.set_buffer_limit(Some(TLS_BUFFER));
    if session.alpn_protocol() == Some(b"h2") {
        guest.http2(stream).await;
    } else {
        guest.http1(stream).await;
    }
}

/// Whether the first byte begins the name of a method, where a handshake has 0x16 (RFC 8446, 5.1).
async fn speaks_plainly(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first.iter().all(u8::is_ascii_uppercase)),
    }
}

impl Guest {
    /// What comes of it, unless it takes too long, or the place or the daemon goes.
    async fn within<T>(&self, doing: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = doing => Some(done),
            why = self.watch.overdue() => {
                self.shared.counters.dropped(why);
                None
            }
            () = self.watch.evicted() => None,
            () = self.shared.shutdown.cancelled() => None,
        }
    }

    async fn http1(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request| self.answer(request));
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(2 * MAX_HEAD)
            .max_headers(128)
            .serve_connection(TokioIo::new(Socket::new(stream)), service);
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                _ = &mut connection => break,
                why = self.watch.overdue() => return self.shared.counters.dropped(why),
                () = self.watch.evicted() => return,
                () = self.shared.shutdown.cancelled(), if !stopping => {
                    stopping = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
        connection.into_parts().io.into_inner().close().await;
    }

    async fn http2(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        self.watch.multiplexed();
        let service = service_fn(|request| {
            let working = self.watch.working();
            let answering = self.answer(request);
            async move {
                let answer = answering.await;
                drop(working);
                answer
            }
        });
        let streams = Streams::new(self.shared.settings.limits.stalled(), self.shared.counters.clone());
        let mut connection = pin!(
            http2::Builder::new(streams.clone())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_send_buf_size(SEND_BUFFER)
                .max_header_list_size(MAX_HEAD as u32)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PONG_WITHIN)
                .serve_connection(TokioIo::new(stream), service)
        );
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                _ = &mut connection => break,
                why = self.watch.overdue() => {
                    self.shared.counters.dropped(why);
                    break;
                }
                () = self.watch.evicted() => break,
                () = self.shared.shutdown.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
        streams.end();
    }

    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<hyper::Response<super::body::Body>, Infallible>> + use<> {
        let answering = service::answer(self.shared.clone(), self.door, self.watch.clone(), self.peer, request);
        async move { Ok(answering.await) }
    }
}

/// Counts a connection for as long as it is open.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Counted {
        shared.counters.connections.inc();
        Counted(shared.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counters.connections.dec();
    }
}
