//! To a collector over HTTPS: `POST` of what the service *server-sent-events* takes (one event), or of many as lines.
//!
//! | | |
//! |---|---|
//! | one event | `{"event":{"type":"<eventType>","body":{the CloudEvent}}}` as `application/json` |
//! | several | one such object a line, as `application/x-ndjson` |
//! | `Idempotency-Key` | the first 32 hexadecimal digits of the body's SHA-256: the same whenever the same body is sent again |
//! | `Member-ID` | the site's `member`, else the VIN |
//! | `Authorization` | `Bearer` and what `token_file` holds, read at each connect |
//!
//! What an answer means stands in `answer`. Of a batch all is taken or nothing; a collector that refuses a batch gets one
//! event at a time for an hour, and then a batch again: it may have been one event in it, or the collector of that day. A
//! call that sends one at a time begins none after 5 s, so that an alert waits for one of them and not for all.
//!
//! **Bounds**: 10 s for a name, 5 s for each of four addresses, 10 s for TLS, 30 s from a request to the end of its answer;
//! of an answer 16 KiB of head and 64 KiB of body. One connection (HTTP/1.1), kept while it is used every 90 s; without
//! anything to send none is made, since a link that is paid by the byte would pay for it. A redirect is never followed.
//!
//! **At least once**: a request that was sent and not answered is trouble, and its messages come again from the journal.
//! Only where nothing of it was sent, because the collector had closed the idle connection, it goes out once more on a new one.

mod answer;
mod connection;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hyper::header::HeaderValue;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use self::answer::{Answer, Verdict};
use self::connection::{Asked, Connection, Limits, Receiver};
use super::settings::Settings;
use super::tls::Tls;
use super::{Fleet, Message, Sent, Trouble};
use crate::clock::{Clock, TimeSource, Wall};
use crate::feed::Pending;
use crate::vehicle::Vin;

/// Where a collector takes events when the URL says nothing else.
const PATH: &str = "/events";

/// A collector that refused a batch gets none for so long.
const ONE_AT_A_TIME: Duration = Duration::from_secs(3600);

/// A way to the fleet by way of a collector.
pub struct Collector {
    receiver: Receiver,
    clock: Clock,
    /// Open, and with nothing on its way.
    kept: Option<Box<Connection>>,
    /// Bytes written so far.
    written: Arc<AtomicU64>,
    /// It was there when it was last asked for something.
    is_there: bool,
    /// It refused a batch, and gets none before.
    one_at_a_time_until: Option<Instant>,
}

/// What is posted.
#[derive(Clone)]
struct Letter {
    body: Bytes,
    content_type: &'static str,
    key: HeaderValue,
}

impl Letter {
    /// Of one message, or of several.
    fn of(messages: &[Message]) -> Letter {
        let mut body = BytesMut::new();
        for Message { event_type, json, .. } in messages {
            body.put_slice(b"{\"event\":{\"type\":");
            body.put_slice(serde_json::Value::from(&**event_type).to_string().as_bytes());
            body.put_slice(b",\"body\":");
            body.put_slice(json);
            body.put_slice(b"}}");
            if messages.len() > 1 {
                body.put_u8(b'\n');
            }
        }
        let body = body.freeze();
        let hash = Sha256::digest(&body);
        let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let key = HeaderValue::from_str(&digits).unwrap_or(HeaderValue::from_static("0"));
        let content_type = if messages.len() > 1 { "application/x-ndjson" } else { "application/json" };
        Letter { body, content_type, key }
    }
}

impl Collector {
    /// The collector of these settings, which are checked. `tls` is of the same.
    pub fn new(settings: &Settings, vin: &Vin, tls: Tls, clock: Clock) -> Collector {
        Collector::within(settings, vin, tls, clock, Limits::default())
    }

    fn within(settings: &Settings, vin: &Vin, tls: Tls, clock: Clock, limits: Limits) -> Collector {
        let written = Arc::new(AtomicU64::new(0));
        let receiver = Receiver::new(settings, vin, tls, limits, written.clone());
        Collector { receiver, clock, kept: None, written, is_there: false, one_at_a_time_until: None }
    }

    /// A collector says nothing unasked, so that being in touch is to have been there the last time.
    async fn stay_in_touch(&mut self) -> Result<(), Trouble> {
        if !self.is_there {
            self.kept = Some(self.receiver.connect().await?);
            self.is_there = true;
        }
        Ok(())
    }

    async fn deliver(&mut self, messages: &[Message], acknowledged: &mut usize) -> Result<(), Trouble> {
        let begun = Instant::now();
        self.one_at_a_time_until.take_if(|until| *until <= begun);
        if messages.len() > 1 && self.one_at_a_time_until.is_none() {
            match self.post(messages).await? {
                Verdict::Taken => {
                    *acknowledged = messages.len();
                    return Ok(());
                }
                Verdict::NotLikeThis(status) => {
                    tracing::info!(%status, "the collector does not take a batch; it gets one event at a time for an hour");
                    self.one_at_a_time_until = Some(begun + ONE_AT_A_TIME);
                }
                Verdict::Trouble(trouble) => return Err(trouble),
            }
        }
        for message in messages {
            if *acknowledged > 0 && begun.elapsed() >= self.receiver.limits.singles {
                break;
            }
            match self.post(std::slice::from_ref(message)).await? {
                Verdict::Taken => *acknowledged += 1,
                Verdict::NotLikeThis(status) => return Err(self.rejects(message, status)),
                Verdict::Trouble(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    fn rejects(&self, message: &Message, status: hyper::StatusCode) -> Trouble {
        let host = &self.receiver.host;
        Trouble::Rejected(format!(
            "{host} answers {status} to {} {}: it does not take such an event; look into its log",
            message.event_type, message.id
        ))
    }

    async fn post(&mut self, messages: &[Message]) -> Result<Verdict, Trouble> {
        let answer = self.exchange(&Letter::of(messages)).await?;
        let stamp = self.clock.stamp(self.clock.now());
        let now = (stamp.source != TimeSource::Unset).then_some(stamp.wall);
        Ok(answer.verdict(&self.receiver.host, now))
    }

    /// Sends a letter and has its answer. The connection is out of its place meanwhile, so that a call that is dropped
    /// half-way takes it along.
    async fn exchange(&mut self, letter: &Letter) -> Result<Answer, Trouble> {
        // The runtime looks at its sockets once, and so sees a connection that was closed while idle.
        tokio::task::yield_now().await;
        if let Some(kept) = self.kept.take().filter(|kept| kept.is_usable(&self.receiver)) {
            match self.receiver.ask(kept, letter).await? {
                Asked::Answered(answer, connection) => {
                    self.kept = connection;
                    return Ok(answer);
                }
                Asked::Unsent(_) => {}
            }
        }
        let fresh = self.receiver.connect().await?;
        match self.receiver.ask(fresh, letter).await? {
            Asked::Answered(answer, connection) => {
                self.kept = connection;
                Ok(answer)
            }
            Asked::Unsent(trouble) => Err(trouble),
        }
    }
}

impl Fleet for Collector {
    fn send<'a>(&'a mut self, messages: &'a [Message]) -> Pending<'a, Sent> {
        Box::pin(async move {
            let before = self.written.load(Ordering::Relaxed);
            let mut acknowledged = 0;
            let done = match messages.is_empty() {
                true => self.stay_in_touch().await,
                false => self.deliver(messages, &mut acknowledged).await,
            };
            // What was refused was answered, but not on a connection to go on with: the token is read at the next connect.
            self.is_there = done.is_ok();
            if done.is_err() {
                self.kept = None;
            }
            let bytes = self.written.load(Ordering::Relaxed).wrapping_sub(before);
            Sent { acknowledged, bytes, trouble: done.err() }
        })
    }
}
