//! To a broker: MQTT 5 (OASIS, 2019), and 3.1.1 (OASIS, 2014; ISO/IEC 20922) where it speaks no other.
//!
//! What it promises:
//!
//! - **QoS 1, in order, sixteen on their way at most.** Only a PUBACK that takes a message is an acknowledgement. On MQTT 5
//!   one with a reason of 0x80 or more is not: it is told as [`Trouble`] with its cure, and so is a DISCONNECT. 0x10, nobody
//!   subscribes, is one: the broker has it. On 3.1.1 a PUBACK has no reason, and a broker whose list of rights or sizes forbids
//!   a message may acknowledge and drop it (mosquitto does): there only the broker's own log tells.
//! - **Each connection begins anew**: clean session, a fresh client, no packet of an older one. The journal is the truth, so
//!   what was not acknowledged is sent again by whoever called, and twins have the same `id`. A send that was dropped takes
//!   its connection with it. When a broker of MQTT 5 refuses one message with a reason of its own, those behind it in the
//!   window may have been taken before it is sent again: the one case in which a subscriber sees a kind out of order.
//! - **In touch while nothing is sent**: a task drives the connection, so keep-alive (30 s), the retained status with its
//!   last will and what the fleet wants go on. Dropped or [left](Fleet::leave), it says `{"state":"offline"}` and DISCONNECT,
//!   within 1 s. A broker that is mute is given up without a word, so that the will speaks.
//! - **It gives up in time**: 15 s for name, TCP, TLS and CONNACK together, 30 s without an acknowledgement while one is due
//!   (120 s of a status or an answer, which may wait behind messages); while nothing is due, two keep-alives without an answer.
//! - **A document that is too long** (257 KiB with its topic) does no harm. A broker of MQTT 5 is told the limit and keeps it
//!   back; one of 3.1.1 sends it, and the connection has to be closed over it: the next one does not ask for documents, for
//!   an hour. Events go on, and it is counted and told.
//! - **A connection that was made before the clock was known** is made anew when it is: what a certificate's dates are worth
//!   is judged then ([`tls`](super::tls)).
//!
//! | what comes instead of CONNACK | is |
//! |---|---|
//! | no name, no route, no TLS, no answer | [`Trouble::Unreachable`] that says which |
//! | bytes that are no MQTT | `Unreachable`: a captive portal, or another service |
//! | a return code for credentials, certificate, client id | [`Trouble::Refused`] |
//! | 3 of 3.1.1; 0x88, 0x89, 0x97, 0x9F | [`Trouble::Busy`] |
//! | "no such version", nothing at all, or no MQTT, to a CONNECT of MQTT 5 | 3.1.1 is tried at once, and kept to for an hour where it is welcomed |
//!
//! | what a PUBACK or DISCONNECT of MQTT 5 says | is |
//! |---|---|
//! | 0x00, 0x10 (PUBACK) | an acknowledgement |
//! | 0x87, 0x90: not authorized; 0x8E: somebody else has our client id; 0x9A to 0x9D | `Refused` |
//! | 0x89, 0x96, 0x97, 0x9F; 0x80, 0x83 (PUBACK: the broker's own trouble, its disk perhaps) | `Busy`, 30 s, and the message stays |
//! | 0x99, or any reason that is none of PUBACK's (mosquitto: 0x95) | [`Trouble::Rejected`], if that message and nothing else was on its way; else `Unreachable`, and then one at a time until it is known which |
//! | all others | `Unreachable` |

mod client;
mod dial;
mod fault;
mod link;
mod topics;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use self::client::{Opening, Outgoing, WINDOW};
use self::dial::Dialer;
use self::fault::{Fault, Hint};
use self::link::{Errands, Link, OFFLINE};
use self::topics::Topics;
use super::desired::Desired;
use super::dial::Dialler;
use super::settings::{Protocol, Settings};
use super::tls::Tls;
use super::{Fleet, Message, Sent, Trouble};
use crate::feed::Pending;
use crate::metrics::Counter;
use crate::vehicle::Vin;

/// A connection over which nothing is acknowledged for so long, while something is due, is given up.
const ACKNOWLEDGEMENT: Duration = Duration::from_secs(30);
/// What was found to speak 3.1.1 only is asked for 5 again after so long: it may have been a broker that was just ending, and
/// on 3.1.1 it could not say what it does not take.
const OLDER: Duration = Duration::from_secs(3600);
/// After a document that was too long, none is asked for so long where asking for it ends the connection.
const DEAF: Duration = Duration::from_secs(3600);

/// The most that a field of CONNECT has (MQTT 5.0, 1.5.6).
const LONGEST_PASSWORD: usize = 65_535;

/// What stands in a file, as far as it is of any use.
async fn secret(file: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let most = LONGEST_PASSWORD as u64 + 64;
    tokio::fs::File::open(file).await?.take(most).read_to_end(&mut text).await?;
    Ok(text)
}

/// A broker, as a way to the fleet.
pub struct Broker {
    settings: Settings,
    tls: Tls,
    topics: Topics,
    status: watch::Receiver<Arc<str>>,
    desired: Option<mpsc::Sender<Desired>>,
    /// Documents that were too long.
    too_long: Counter,
    link: Option<Link>,
    /// Whether the time was known when the connection was made, and with it what a certificate's dates are worth.
    clock_known: bool,
    /// It speaks 3.1.1 and no more, which was found out; until then it is taken for so.
    older_until: Option<Instant>,
    /// A broker ended the connection over a message: one at a time, until it is known which.
    singly: bool,
    dialler: Arc<Mutex<Dialler>>,
    /// No document is asked for before.
    hears_from: Instant,
    /// A send is going on; one that was dropped leaves this behind.
    sending: bool,
    /// Bytes written ever, and those that [`Sent`] has told of.
    written: Arc<AtomicU64>,
    told: u64,
}

impl Broker {
    /// The broker of these settings, for this vehicle; nothing is done before the first [`send`](Fleet::send).
    ///
    /// `tls` is asked only where the URL says TLS. `status` is published retained at each connect and whenever it changes.
    /// Where `desired` is given, the fleet's documents go there; `too_long` counts those that were too long.
    pub fn new(
        settings: Settings,
        tls: Tls,
        vin: Vin,
        status: watch::Receiver<Arc<str>>,
        desired: Option<mpsc::Sender<Desired>>,
        too_long: Counter,
    ) -> Broker {
        Broker {
            dialler: Arc::new(Mutex::new(Dialler::new(settings.url.host.clone(), settings.url.port))),
            settings,
            tls,
            topics: Topics::new(vin),
            status,
            desired,
            too_long,
            link: None,
            clock_known: true,
            older_until: None,
            singly: false,
            hears_from: Instant::now(),
            sending: false,
            written: Arc::default(),
            told: 0,
        }
    }

    /// Makes the connection anew where it is gone, or no longer good.
    async fn link(&mut self) -> Result<(), Trouble> {
        // What a send that was dropped has left on its way would go before everything now.
        if let Some(link) = self.link.take_if(|_| self.sending) {
            link.give_up();
        }
        self.sending = false;
        if let Some(fault) = self.link.as_ref().and_then(Link::ended) {
            // What only waiting or a person mends is told; a connection that merely went is made anew at once.
            match self.lost(fault, false) {
                Trouble::Unreachable(_) => {}
                trouble => return Err(trouble),
            }
        }
        if !self.clock_known && self.tls.is_clock_known() {
            self.leave().await;
        }
        if self.link.is_none() {
            self.link = Some(self.welcomed().await?);
        }
        Ok(())
    }

    async fn welcomed(&mut self) -> Result<Link, Trouble> {
        let link = self.connect().await?;
        if !link.limits.enough {
            let why = format!("{} keeps no retained messages or takes no QoS 1, and both are needed", self.settings.url);
            return Err(Trouble::Refused(why));
        }
        info!(upstream = %self.settings.name, "connected with {}, MQTT {}", self.settings.url, link.client.version());
        Ok(link)
    }

    /// With MQTT 5 where the broker may speak it, else 3.1.1.
    async fn connect(&mut self) -> Result<Link, Trouble> {
        self.clock_known = !self.settings.url.scheme.is_tls() || self.tls.is_clock_known();
        self.older_until.take_if(|until| *until <= Instant::now());
        let found = if self.older_until.is_some() { Protocol::V311 } else { Protocol::V5 };
        let protocol = self.settings.protocol.unwrap_or(found);
        let first = match Link::open(protocol, self.opening().await?, self.errands()).await {
            Ok(link) => return Ok(link),
            Err(fault) => fault,
        };
        if first.hint != Hint::Older || protocol == Protocol::V311 || self.settings.protocol.is_some() {
            return Err(first.trouble);
        }
        let link = Link::open(Protocol::V311, self.opening().await?, self.errands()).await.map_err(|fault| fault.trouble)?;
        self.older_until = Some(Instant::now() + OLDER);
        Ok(link)
    }

    /// Files are read for each connection, so that one that was swapped is taken up.
    async fn opening(&self) -> Result<Opening, Trouble> {
        let Settings { url, username, password_file, .. } = &self.settings;
        let password = match password_file {
            None => None,
            Some(file) => {
                let told = |why: &str| Trouble::Refused(format!("upstream.password_file {} {why}", file.display()));
                let read = secret(file).await;
                let text = read.map_err(|error| told(&format!("cannot be read: {error}")))?;
                let password = text.trim_ascii_end();
                if password.len() > LONGEST_PASSWORD {
                    return Err(told("holds more than a password may have: give 65535 bytes at most"));
                }
                Some(Bytes::copy_from_slice(password))
            }
        };
        let tls = match url.scheme.is_tls() {
            false => None,
            true => {
                let config = self.tls.config().await.map_err(|fault| Trouble::Unreachable(fault.to_string()))?;
                Some((self.tls.clone(), config))
            }
        };
        let dialer = Dialer {
            url: url.clone(),
            dialler: self.dialler.clone(),
            tls,
            written: self.written.clone(),
            farewell: Arc::default(),
        };
        Ok(Opening {
            client_id: self.topics.client_id(),
            will_topic: self.topics.status(),
            will: OFFLINE,
            username: username.clone(),
            password,
            dialer,
        })
    }

    fn errands(&self) -> Errands {
        Errands {
            name: self.settings.name.as_str().into(),
            topics: self.topics.clone(),
            status: self.status.clone(),
            desired: self.desired.clone().map(|to| (to, self.hears_from)),
        }
    }

    /// The connection ended; `alone` if one message and nothing else was on its way over it.
    fn lost(&mut self, fault: Fault, alone: bool) -> Trouble {
        self.link = None;
        let Fault { trouble, hint } = fault;
        match hint {
            Hint::Message if alone => Trouble::Rejected(trouble.to_string()),
            Hint::Message => {
                self.singly = true;
                trouble
            }
            Hint::Oversize => {
                self.too_long.inc();
                self.hears_from = Instant::now() + DEAF;
                warn!(upstream = %self.settings.name, "a desired document was longer than 256 KiB; none is asked for, for an hour");
                trouble
            }
            Hint::None | Hint::Older => trouble,
        }
    }

    /// A broker that does not answer any more.
    fn mute(&mut self) -> Trouble {
        if let Some(link) = self.link.take() {
            link.give_up();
        }
        let why = format!("{} did not acknowledge within {} s", self.settings.url, ACKNOWLEDGEMENT.as_secs());
        Trouble::Unreachable(why)
    }

    /// Bytes written since this was asked last.
    fn spent(&mut self) -> u64 {
        let written = self.written.load(Ordering::Relaxed);
        let spent = written.saturating_sub(self.told);
        self.told = written;
        spent
    }
}

/// What is left of a connection after a batch.
enum Over {
    /// It stands; and why not all of the batch was taken.
    Not(Option<Trouble>),
    /// It ended, and whether one message and nothing else was on its way.
    Lost(Fault, bool),
    /// It acknowledges no more.
    Mute,
}

/// Sends a batch over a connection, `singly` or as many at once as fit; how many were acknowledged, from the first on.
async fn deliver(link: &mut Link, topics: &Topics, messages: &[Message], singly: bool) -> (usize, Over) {
    let window = if singly { 1 } else { usize::from(WINDOW) };
    let mut waiting = VecDeque::with_capacity(window);
    let mut unsent = messages.iter();
    let mut acknowledged = 0;
    // Why no more is sent, told when what is on its way is acknowledged.
    let mut last = None;
    loop {
        while waiting.len() < window && last.is_none() {
            let Some(message) = unsent.next() else { break };
            let outgoing = Outgoing { topic: topics.message(message.topic), payload: message.json.clone(), retain: false };
            let size = link.client.packet_size(&outgoing);
            if let Some(most) = link.limits.packet.filter(|most| size > *most as usize) {
                last = Some(Trouble::Rejected(format!("the message has {size} bytes, and the broker takes {most} at most")));
                break;
            }
            match timeout(ACKNOWLEDGEMENT, link.publish(outgoing, singly)).await {
                Ok(Ok(receipt)) => waiting.push_back(receipt),
                Ok(Err(fault)) => return (acknowledged, Over::Lost(fault, false)),
                Err(_) => return (acknowledged, Over::Mute),
            }
        }
        let Some(receipt) = waiting.pop_front() else { return (acknowledged, Over::Not(last)) };
        match timeout(ACKNOWLEDGEMENT, link.verdict(receipt)).await {
            Ok(Ok(Ok(()))) => acknowledged += 1,
            Ok(Ok(Err(trouble))) => return (acknowledged, Over::Not(Some(trouble))),
            Ok(Err(fault)) => return (acknowledged, Over::Lost(fault, singly)),
            Err(_) => return (acknowledged, Over::Mute),
        }
    }
}

impl Fleet for Broker {
    fn send<'a>(&'a mut self, messages: &'a [Message]) -> Pending<'a, Sent> {
        Box::pin(async move {
            let linked = self.link().await;
            let (acknowledged, trouble) = match (linked, self.link.as_mut()) {
                (Ok(()), Some(link)) => {
                    self.sending = true;
                    let (acknowledged, over) = deliver(link, &self.topics, messages, self.singly).await;
                    self.sending = false;
                    self.singly &= messages.is_empty() || acknowledged < messages.len();
                    let trouble = match over {
                        Over::Not(trouble) => trouble,
                        Over::Lost(fault, alone) => Some(self.lost(fault, alone)),
                        Over::Mute => Some(self.mute()),
                    };
                    (acknowledged, trouble)
                }
                (linked, _) => (0, linked.err()),
            };
            Sent { acknowledged, bytes: self.spent(), trouble }
        })
    }

    fn leave(&mut self) -> Pending<'_, ()> {
        Box::pin(async move {
            if let Some(link) = self.link.take() {
                link.leave().await;
            }
        })
    }
}
