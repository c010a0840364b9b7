//! How long a stream of HTTP/2 may be shut.
//!
//! hyper asks a body for its next piece once the client's window (RFC 9113, 5.2) has room for some of the one before. So a
//! body that has handed a piece over and is not asked again waits for the client; one that was asked and had nothing to say
//! does not, or no longer than until its next piece: a comment line comes every 15 s.
//! Each stream is a task, whose body notes here which of the two it is. A stream that waits for its client for 30 s is
//! dropped, which resets it (RST_STREAM); the others of its connection go on.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::counters::Counters;
use super::locked;

tokio::task_local! {
    /// Since when the stream of this task waits for its client; `None` while it does not.
    static SHUT_SINCE: Arc<Mutex<Option<Instant>>>;
}

/// A body was asked for its next piece. Means nothing outside a stream of HTTP/2.
pub(super) fn asked() {
    let _ = SHUT_SINCE.try_with(|since| *locked(since) = None);
}

/// A body has handed a piece over.
pub(super) fn handed() {
    let _ = SHUT_SINCE.try_with(|since| *locked(since) = Some(Instant::now()));
}

/// Drives `stream` to its end, or until its client has kept it shut for so long; whether it was the end.
async fn watched(stream: impl Future<Output = ()>, shut_for: Duration) -> bool {
    let since = Arc::default();
    let mut stream = pin!(SHUT_SINCE.scope(Arc::clone(&since), stream));
    let mut shut = pin!(sleep(shut_for));
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        let Some(since) = *locked(&since) else { return Poll::Pending };
        if shut.deadline() != since + shut_for {
            shut.as_mut().reset(since + shut_for);
        }
        shut.as_mut().poll(cx).map(|()| false)
    })
    .await
}

/// The streams of one connection, each a task; those that are left end with the last clone of this. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    tasks: Arc<Mutex<JoinSet<()>>>,
    shut_for: Duration,
    counters: Counters,
}

impl Streams {
    pub(super) fn new(shut_for: Duration, counters: Counters) -> Streams {
        Streams { tasks: Arc::default(), shut_for, counters }
    }

    /// Ends those that are left.
    pub(super) fn end(&self) {
        locked(&self.tasks).abort_all();
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (shut_for, counters) = (self.shut_for, self.counters.clone());
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            if !watched(stream, shut_for).await {
                counters.dropped("shut_window");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHUT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn only_a_stream_that_waits_for_its_client_is_dropped() {
        let quiet = async {
            handed();
            asked();
            sleep(SHUT * 9).await;
        };
        assert!(watched(quiet, SHUT).await, "it had nothing to say");
        let started = Instant::now();
        let shut = async {
            sleep(SHUT).await;
            handed();
            sleep(SHUT / 2).await;
            asked();
            handed();
            std::future::pending().await
        };
        assert!(!watched(shut, SHUT).await);
        assert_eq!(started.elapsed(), SHUT * 5 / 2, "counted from the last piece");
        handed();
    }
}
