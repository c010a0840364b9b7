//! Bodies: those that go out whole, those that are told bit by bit, and those that come in.
//!
//! What is told has no queue: the teller's code runs only when the connection can take more, and rests on the piece that
//! it has not taken yet. A client that stops reading so stops its teller, and nobody else.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use serde::Serialize;

use super::connection::Answering;
use super::problem::Problem;
use super::{flow, locked};

/// The body of an answer. It holds the connection in the state of answering until it is gone.
pub(super) struct Body {
    kind: Kind,
    answering: Option<Answering>,
}

enum Kind {
    Whole(Bytes),
    Told(Told),
}

/// What is whole goes out in pieces of this, so that a stream of HTTP/2 whose client takes none of it holds no more.
const PIECE: usize = 16 * 1024;

impl Body {
    pub(super) fn empty() -> Body {
        Body::whole(Bytes::new())
    }

    pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
        Body { kind: Kind::Whole(bytes.into()), answering: None }
    }

    /// The body that `tell` tells. An error cuts it off, so that the client knows that it is not all.
    pub(super) fn told<F: Future<Output = io::Result<()>> + Send + 'static>(tell: impl FnOnce(Teller) -> F) -> Body {
        let slot = Teller::default();
        let future: Telling = Box::pin(tell(slot.clone()));
        Body { kind: Kind::Told(Told { future: Some(future), slot }), answering: None }
    }

    /// Whether it is told rather than whole.
    pub(super) fn is_told(&self) -> bool {
        matches!(self.kind, Kind::Told(_))
    }

    /// Keeps the connection answering until this body is gone.
    pub(super) fn hold(&mut self, answering: Answering) {
        self.answering = Some(answering);
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        flow::asked();
        let piece = match &mut self.kind {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes.split_to(bytes.len().min(PIECE)))))),
            Kind::Told(told) => told.poll(cx),
        };
        if let Poll::Ready(Some(Ok(_))) = piece {
            flow::handed();
        }
        piece
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.kind, Kind::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Told(_) => SizeHint::default(),
        }
    }
}

type Telling = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

struct Told {
    future: Option<Telling>,
    slot: Teller,
}

impl Told {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(piece) = locked(&self.slot.0).take() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let Some(future) = &mut self.future else { return Poll::Ready(None) };
            match future.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => self.future = None,
                Poll::Ready(Err(error)) => {
                    self.future = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Pending if locked(&self.slot.0).is_none() => return Poll::Pending,
                Poll::Pending => {}
            }
        }
    }
}

/// The teller's side of a body: room for one piece.
#[derive(Clone, Default)]
pub(super) struct Teller(Arc<Mutex<Option<Bytes>>>);

impl Teller {
    /// Tells one piece; resolves once the connection has taken it.
    ///
    /// No waker is kept: the only one who ever polls this is the body, and it does so again after each piece it hands on.
    pub(super) async fn tell(&self, piece: impl Into<Bytes>) {
        let mut piece = Some(piece.into()).filter(|piece| !piece.is_empty());
        poll_fn(|_| {
            let mut slot = locked(&self.0);
            match (slot.is_some(), piece.take()) {
                (false, None) => Poll::Ready(()),
                (false, some) => {
                    *slot = some;
                    Poll::Pending
                }
                (true, kept) => {
                    piece = kept;
                    Poll::Pending
                }
            }
        })
        .await;
    }
}

/// A value as JSON. What is serialised here are strings, numbers and maps of them, which cannot fail.
pub(super) fn json_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// Reads a request's body: `most` bytes in `within`, else 413 or 408.
pub(super) async fn read(body: &mut Incoming, most: usize, within: Duration) -> Result<Bytes, Problem> {
    let too_long = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body of at most {most} bytes would be right here"));
    if HttpBody::size_hint(body).lower() > most as u64 {
        return Err(too_long());
    }
    let reading = async {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let broken =
                |_| Problem::new(StatusCode::BAD_REQUEST, "the body ended before its length, or its chunks are malformed");
            let Ok(piece) = frame.map_err(broken)?.into_data() else { continue };
            if whole.len() + piece.len() > most {
                return Err(too_long());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    };
    let late =
        |_| Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body must be complete within {} s", within.as_secs_f64()));
    tokio::time::timeout(within, reading).await.map_err(late)?
}

/// How much of a body that nobody wants is read all the same, so that its sender gets to read the answer.
const UNWANTED: usize = 256 * 1024;

/// Reads on and forgets, within bounds: closing on a sender makes its kernel throw the answer away.
pub(super) async fn discard(body: &mut Incoming) {
    let reading = async {
        let mut read = 0;
        while let (true, Some(Ok(frame))) = (read < UNWANTED, body.frame().await) {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_arrives_piece_by_piece_and_in_order() {
        let body = Body::told(|teller| async move {
            for piece in ["a", "", "b"] {
                teller.tell(piece).await;
            }
            teller.tell("c").await;
            Ok(())
        });
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn a_teller_rests_until_its_piece_is_taken_and_an_error_cuts_off() {
        let told = Arc::new(Mutex::new(0));
        let count = told.clone();
        let mut body = Body::told(|teller| async move {
            for _ in 0..2 {
                teller.tell("x").await;
                *count.lock().unwrap() += 1;
            }
            Err(io::Error::other("the journal went away"))
        });
        assert_eq!(*told.lock().unwrap(), 0, "nothing runs before it is asked for");
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(*told.lock().unwrap(), 0, "the first piece is out and the second not begun");
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }
}
