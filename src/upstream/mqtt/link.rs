//! One connection to a broker, driven by a task of its own: keep-alive, the status and what the fleet wants go on while
//! nothing is sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedMutexGuard, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::client::{self, Client, Gone, Incoming, Limits, Opening, Outgoing, Pump, Receipt, Verdict};
use super::fault::Fault;
use super::topics::Topics;
use crate::upstream::Trouble;
use crate::upstream::desired::{Desired, Wish};
use crate::upstream::settings::Protocol;

/// Name, TCP, TLS, CONNECT and CONNACK have so long together.
const WELCOME: Duration = Duration::from_secs(15);
/// A status or an answer that is not acknowledged for so long tells that the broker is mute; it may wait behind a window of
/// messages, of which each has 30 s.
const KEPT: Duration = Duration::from_secs(120);
/// A farewell has so long; then the broker tells of us what the will says.
const FAREWELL: Duration = Duration::from_secs(1);
/// What is told of a vehicle that is not connected: by itself when it goes, by the broker when it is gone.
pub(super) const OFFLINE: &str = r#"{"state":"offline"}"#;

/// What a connection does beside sending.
#[derive(Clone)]
pub(super) struct Errands {
    /// The upstream's name, for the log.
    pub(super) name: Arc<str>,
    pub(super) topics: Topics,
    pub(super) status: watch::Receiver<Arc<str>>,
    /// Who deals with what the fleet wants, and from when on it is asked for.
    pub(super) desired: Option<(mpsc::Sender<Desired>, Instant)>,
}

/// Who has it publishes, and nobody else that asks for it: held until the PUBACK.
pub(super) type Turn = OwnedMutexGuard<()>;

/// A connection that the broker has welcomed.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) limits: Limits,
    ended: watch::Receiver<Option<Fault>>,
    task: AbortHandle,
    /// The status and answers ask for it; messages only where one of them ends the connection.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Dropped, it lets the task say good-bye.
    leave: DropGuard,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// Why not. Dropped half-way, nothing is left of it.
    pub(super) async fn open(protocol: Protocol, opening: Opening, errands: Errands) -> Result<Link, Fault> {
        let (client, pump) = client::open(protocol, opening);
        let (welcome, welcomed) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let leave = CancellationToken::new();
        let turn = Arc::default();
        let own = Ends { welcome, end, leave: leave.clone(), turn: Arc::clone(&turn) };
        // In a task of its own from the start, so that a fault of the crate's ends this connection and nothing else.
        let task = tokio::spawn(drive(pump, client.clone(), errands, own));
        let task = task.abort_handle();
        let leave = leave.drop_guard();
        match welcomed.await {
            Ok(Ok(limits)) => Ok(Link { client, limits, ended, task, turn, leave }),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(broken()),
        }
    }

    /// Why it is over, where it is.
    pub(super) fn ended(&self) -> Option<Fault> {
        // Asked in this order, a fault that is told meanwhile is not missed.
        let gone = self.ended.has_changed().is_err();
        self.ended.borrow().clone().or_else(|| gone.then(broken))
    }

    /// Waits for its end.
    pub(super) async fn end(&mut self) -> Fault {
        match self.ended.wait_for(Option::is_some).await {
            Ok(fault) => fault.clone().unwrap_or_else(broken),
            Err(_) => broken(),
        }
    }

    /// Hands over a message, behind those that were handed over before; `alone` it has the connection for itself.
    ///
    /// # Errors
    /// Why the connection is over.
    pub(super) async fn publish(&mut self, outgoing: Outgoing, alone: bool) -> Result<(Receipt, Option<Turn>), Fault> {
        let turn = match alone {
            false => None,
            true => tokio::select! {
                turn = self.turn.clone().lock_owned() => Some(turn),
                fault = self.end() => return Err(fault),
            },
        };
        match self.client.publish(outgoing).await {
            Ok(receipt) => Ok((receipt, turn)),
            Err(Gone) => Err(self.end().await),
        }
    }

    /// What became of a message.
    ///
    /// # Errors
    /// Why the connection is over. What was acknowledged before it ended is told first.
    pub(super) async fn verdict(&mut self, (receipt, _turn): (Receipt, Option<Turn>)) -> Result<Result<(), Trouble>, Fault> {
        // What still waits for the pump when it goes is not told so: hence the look at the end of the connection.
        let verdict = tokio::select! {
            biased;
            verdict = receipt.verdict() => verdict,
            fault = self.end() => return Err(fault),
        };
        match verdict {
            Verdict::Taken => Ok(Ok(())),
            Verdict::NotTaken(trouble) => Ok(Err(trouble)),
            Verdict::Unknown => Err(self.end().await),
        }
    }

    /// Gives up a connection that does not answer: no farewell would get through, and the will speaks.
    pub(super) fn give_up(self) {
        self.task.abort();
    }

    /// Says good-bye, and waits until that is done.
    pub(super) async fn leave(mut self) {
        drop(self.leave);
        let _ = self.ended.wait_for(Option::is_some).await;
    }
}

/// What is told when the crate itself fails.
fn broken() -> Fault {
    Fault::unreachable("the MQTT client failed; please report it with the lines before in the log".to_owned())
}

/// The task's ends of what it shares with its [`Link`].
struct Ends {
    welcome: oneshot::Sender<Result<Limits, Fault>>,
    end: watch::Sender<Option<Fault>>,
    leave: CancellationToken,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A connection from its first byte to its last.
async fn drive(mut pump: Pump, client: Client, errands: Errands, ends: Ends) {
    let Ends { welcome, end, leave, turn } = ends;
    let limits = tokio::select! {
        () = leave.cancelled() => return,
        limits = welcomed(&mut pump) => limits,
    };
    let limits = match limits {
        Ok(limits) => limits,
        Err(fault) => return drop(welcome.send(Err(fault))),
    };
    let wishes = Wishes::default();
    if welcome.send(Ok(limits)).is_err() {
        return;
    }
    // Side by side until the connection is over: neither is ever dropped half-way to go on without it.
    let fault = tokio::select! {
        fault = carry(&mut pump, &wishes, &errands.topics) => fault,
        fault = attend(Keeper::new(&client, limits, &errands, turn), &errands, &wishes, &leave) => fault,
    };
    end.send_replace(Some(fault));
}

async fn welcomed(pump: &mut Pump) -> Result<Limits, Fault> {
    let welcome = async {
        loop {
            if let Incoming::Welcome(limits) = pump.next().await? {
                return Ok(limits);
            }
        }
    };
    match timeout(WELCOME, welcome).await {
        Ok(welcomed) => welcomed,
        Err(_) => Err(pump.timed_out()),
    }
}

/// Moves the connection's bytes until it ends.
async fn carry(pump: &mut Pump, wishes: &Wishes, topics: &Topics) -> Fault {
    loop {
        match pump.next().await {
            Ok(Incoming::Publish(topic, document)) => {
                if let Some(what) = topics.wish(&topic) {
                    wishes.put(what, document);
                }
            }
            Ok(Incoming::Welcome(_) | Incoming::Other) => {}
            Err(fault) => return fault,
        }
    }
}

/// Runs the errands until the connection ends or is to be left.
async fn attend(keeper: Keeper<'_>, errands: &Errands, wishes: &Wishes, leave: &CancellationToken) -> Fault {
    let client = keeper.client;
    let offline = Outgoing { topic: errands.topics.status(), payload: Bytes::from_static(OFFLINE.as_bytes()), retain: true };
    tokio::select! {
        () = leave.cancelled() => {
            let farewell = async {
                // A broker deals with one after the other. What is left is the pump's: it ends when the broker has closed.
                if client.publish(offline).await.is_ok() && client.disconnect().await.is_ok() {
                    std::future::pending::<()>().await;
                }
            };
            let _ = timeout(FAREWELL, farewell).await;
            Fault::unreachable("left".to_owned())
        }
        mute = keeper.tell(errands.status.clone()) => mute,
        mute = keeper.ask(errands.desired.clone(), wishes) => mute,
    }
}

/// Publishes what the broker keeps.
struct Keeper<'a> {
    client: &'a Client,
    limits: Limits,
    name: &'a str,
    topics: &'a Topics,
    /// Whether it was told that something is not taken: once a connection is enough.
    told: AtomicBool,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<'a> Keeper<'a> {
    fn new(client: &'a Client, limits: Limits, errands: &'a Errands, turn: Arc<tokio::sync::Mutex<()>>) -> Keeper<'a> {
        Keeper { client, limits, name: &errands.name, topics: &errands.topics, told: AtomicBool::new(false), turn }
    }

    /// The status now, and whenever it changes; never a queue of them.
    async fn tell(&self, mut status: watch::Receiver<Arc<str>>) -> Fault {
        loop {
            let now = status.borrow_and_update().clone();
            let payload = Bytes::copy_from_slice(now.as_bytes());
            if let Err(mute) = self.keep("status", Outgoing { topic: self.topics.status(), payload, retain: true }).await {
                return mute;
            }
            if status.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// What the fleet wants, to whom it concerns, and the answer.
    async fn ask(&self, desired: Option<(mpsc::Sender<Desired>, Instant)>, wishes: &Wishes) -> Fault {
        let Some((to, from)) = desired else { return std::future::pending().await };
        sleep_until(from).await;
        match self.client.subscribe(self.topics.desired()).await {
            Ok(true) => {}
            Ok(false) => warn!(upstream = %self.name, "the broker does not let this vehicle read what is desired of it"),
            Err(Gone) => return std::future::pending().await,
        }
        loop {
            let (what, document) = wishes.next().await;
            let (reply, answer) = oneshot::channel();
            if to.send(Desired { what, document, reply }).await.is_err() {
                return std::future::pending().await;
            }
            let Ok(payload) = answer.await else { continue };
            if let Err(mute) = self.keep("answer", Outgoing { topic: self.topics.reported(what), payload, retain: true }).await {
                return mute;
            }
        }
    }

    /// Publishes what the broker keeps, and waits until it does.
    ///
    /// # Errors
    /// The broker is mute.
    async fn keep(&self, what: &'static str, outgoing: Outgoing) -> Result<(), Fault> {
        let size = self.client.packet_size(&outgoing);
        if self.limits.packet.is_some_and(|most| size > most as usize) {
            self.complain(format_args!("the {what} is longer than the broker takes, and is not sent"));
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        let kept = async { Some(self.client.publish(outgoing).await.ok()?.verdict().await) };
        match timeout(KEPT, kept).await {
            Ok(Some(Verdict::NotTaken(trouble))) => self.complain(format_args!("the broker does not take the {what}: {trouble}")),
            Ok(_) => {}
            Err(_) => {
                let why = format!("the broker did not acknowledge the {what} within {} s", KEPT.as_secs());
                return Err(Fault::unreachable(why));
            }
        }
        Ok(())
    }

    fn complain(&self, what: std::fmt::Arguments<'_>) {
        if !self.told.swap(true, Ordering::Relaxed) {
            warn!(upstream = %self.name, "{what}");
        }
    }
}

/// What the fleet wants and nobody has dealt with yet: of each sort the latest, so that it is bounded and nothing is lost.
#[derive(Default)]
struct Wishes {
    waiting: Mutex<Vec<(Wish, Bytes)>>,
    some: Notify,
}

impl Wishes {
    fn put(&self, what: Wish, document: Bytes) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(other, _)| *other != what);
        waiting.push((what, document));
        drop(waiting);
        self.some.notify_one();
    }

    async fn next(&self) -> (Wish, Bytes) {
        loop {
            let some = self.some.notified();
            let first = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                (!waiting.is_empty()).then(|| waiting.remove(0))
            };
            match first {
                Some(wish) => return wish,
                None => some.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_each_sort_the_latest_wish_waits() {
        let wishes = Wishes::default();
        for (what, document) in [(Wish::Fences, "1"), (Wish::Settings, "2"), (Wish::Fences, "3")] {
            wishes.put(what, Bytes::from_static(document.as_bytes()));
        }
        assert_eq!(wishes.next().await, (Wish::Settings, Bytes::from_static(b"2")));
        assert_eq!(wishes.next().await, (Wish::Fences, Bytes::from_static(b"3")));
        assert!(wishes.waiting.lock().unwrap().is_empty());
    }
}
