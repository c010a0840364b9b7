//! The way to a broker: name, TCP, TLS, each with its own sentence when it fails.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use crate::upstream::Trouble;
use crate::upstream::dial::{Counted, Dialler, Stream};
use crate::upstream::settings::Url;
use crate::upstream::tls::Tls;

/// A name server has so long to answer,
const NAME: Duration = Duration::from_secs(10);
/// and one of a name's addresses, so that the others get their turn.
const ONE_ADDRESS: Duration = Duration::from_secs(5);

/// Where to, and how.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) url: Url,
    /// The same for all connections, so that lookups which hang do not pile up.
    pub(super) dialler: Arc<Mutex<Dialler>>,
    /// Present where the URL says TLS.
    pub(super) tls: Option<(Tls, Arc<rustls::ClientConfig>)>,
    /// Counts the bytes that MQTT wrote.
    pub(super) written: Arc<AtomicU64>,
    /// Takes the reason of a DISCONNECT that has no more than that, when it is the last that came.
    pub(super) farewell: Arc<AtomicU8>,
}

impl Dialer {
    /// An open way.
    ///
    /// # Errors
    /// A sentence that says how far it came.
    pub(super) async fn dial(&self) -> Result<Wire, Trouble> {
        let tcp = self.dialler.lock().await.dial(NAME, ONE_ADDRESS).await?;
        let socket = tcp.as_fd().try_clone_to_owned().ok();
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some((tls, config)) => {
                let Url { host, .. } = &self.url;
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Trouble::Unreachable(format!("{host} is no name that a certificate could have")))?;
                let shaken = TlsConnector::from(config.clone()).connect(name, tcp).await;
                Box::new(shaken.map_err(|error| {
                    tls.explain(&error).unwrap_or_else(|| Trouble::Unreachable(format!("no TLS with {}: {error}", self.url)))
                })?)
            }
        };
        let inner = Counted { stream, written: self.written.clone() };
        Ok(Wire { inner, socket, last: [0; 3], farewell: self.farewell.clone() })
    }
}

/// An open way, which keeps the last that came.
pub(super) struct Wire {
    inner: Counted,
    /// The same TCP, whatever lies over it.
    socket: Option<OwnedFd>,
    last: [u8; 3],
    farewell: Arc<AtomicU8>,
}

impl Wire {
    /// Lets the kernel acknowledge what came at once. A broker that sends each PUBACK by itself and lets Nagle's algorithm wait
    /// (mosquitto does) holds all but the first of a window until then, and the kernel would let it wait for 40 ms. It is for speed
    /// only: without it all works. The kernel does not keep to it for long (tcp(7), TCP_QUICKACK).
    fn acknowledge(&self) {
        if let Some(socket) = &self.socket {
            let _ = SockRef::from(socket).set_quickack(true);
        }
    }

    /// Nothing came: that is the end.
    fn keep(&mut self, came: &[u8]) {
        for byte in came.iter().skip(came.len().saturating_sub(self.last.len())) {
            let [_, second, third] = self.last;
            self.last = [second, third, *byte];
        }
        if let ([], [0xE0, 1, reason]) = (came, self.last) {
            self.farewell.store(reason, Ordering::Relaxed);
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        self.keep(buf.filled().get(before..).unwrap_or_default());
        self.acknowledge();
        Poll::Ready(read)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
