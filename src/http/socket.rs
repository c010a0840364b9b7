//! The socket as the connection's judges see it: who sends, who does not read, and what was said to one whose request was
//! no HTTP.
//!
//! hyper answers a malformed head by itself, with a status and nothing else. That bare answer is replaced here by one with
//! a sentence; ours are told from it by a header that all of ours carry.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::connection::Watch;
use super::problem::Problem;

/// A connection's socket, as TCP has it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    watch: Arc<Watch>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, watch: Arc<Watch>) -> Wire {
        Wire { stream, watch }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.watch.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        match &written {
            Poll::Pending => self.watch.stalled(),
            Poll::Ready(_) => self.watch.flowing(),
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What hyper speaks HTTP/1.1 through, plain or within TLS.
#[derive(Debug)]
pub(super) struct Socket<S> {
    stream: S,
    /// What goes out in place of what hyper wrote, and how much it believes to have written.
    instead: Option<(Bytes, usize)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) fn new(stream: S) -> Socket<S> {
        Socket { stream, instead: None }
    }

    /// Says that this was all, and lets the client read it: closing on one that still sends makes its kernel throw the
    /// last answer away.
    pub(super) async fn close(mut self) {
        let closing = async {
            let _ = self.stream.shutdown().await;
            let mut room = [0; 2048];
            for _ in 0..64 {
                if !matches!(self.stream.read(&mut room).await, Ok(read) if read > 0) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let me = &mut *self;
        if me.instead.is_none() {
            me.instead = in_place_of(buf).map(|problem| (problem.into_wire().into(), buf.len()));
        }
        let Some((rest, length)) = &mut me.instead else {
            return Pin::new(&mut me.stream).poll_write(cx, buf);
        };
        while !rest.is_empty() {
            match ready!(Pin::new(&mut me.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                some => rest.advance(some),
            }
        }
        let length = *length;
        me.instead = None;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What to say in place of an answer of hyper's own; `None` for everything else.
fn in_place_of(wire: &[u8]) -> Option<Problem> {
    let status = wire.strip_prefix(b"HTTP/1.1 4")?.get(..2)?;
    let head = wire.strip_suffix(b"\r\n\r\n")?;
    if head.windows(7).any(|window| window == b"nosniff") {
        return None;
    }
    match status {
        b"00" => Some(Problem::new(StatusCode::BAD_REQUEST, "that is no HTTP/1.1 request (RFC 9112)")),
        b"14" => Some(uri_too_long()),
        b"31" => Some(head_too_large()),
        _ => None,
    }
}

/// Longest target of a request, in bytes.
pub(super) const MAX_TARGET: usize = 8 * 1024;

/// Longest head of a request, in bytes. hyper's own limit is twice that, so that most heads that are too long still meet
/// the router and its sentence.
pub(super) const MAX_HEAD: usize = 16 * 1024;

pub(super) fn uri_too_long() -> Problem {
    Problem::new(StatusCode::URI_TOO_LONG, format!("a target of at most {MAX_TARGET} bytes would be right"))
}

pub(super) fn head_too_large() -> Problem {
    let sentence = format!("a head of at most {MAX_HEAD} bytes and 64 fields would be right");
    Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_answers_are_replaced() {
        assert!(in_place_of(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").is_some());
        assert!(in_place_of(b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n").is_some());
        let ours = b"HTTP/1.1 400 Bad Request\r\nx-content-type-options: nosniff\r\ncontent-length: 0\r\n\r\n";
        assert!(in_place_of(ours).is_none());
        assert!(in_place_of(b"HTTP/1.1 200 OK\r\n\r\n").is_none());
        assert!(in_place_of(b"data: HTTP/1.1 400\r\n\r\n").is_none());
    }
}
