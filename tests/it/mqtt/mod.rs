//! The way to a broker, against brokers that misbehave word for word, and against those that fleets run.

mod hostile;
mod real;
mod script;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use telltale::clock::Clock;
use telltale::event::Kind;
use telltale::metrics::Counter;
use telltale::upstream::desired::Desired;
use telltale::upstream::mqtt::Broker;
use telltale::upstream::settings::{Protocol, Settings};
use telltale::upstream::tls::Tls;
use telltale::upstream::{Fleet, Message, Sent, Topic, Trouble};
use telltale::vehicle::Vin;
use tokio::sync::{mpsc, watch};

const VIN: &str = "KMHSH81C7LU123456";

/// A way to a broker, with all that hangs on it.
struct Way {
    broker: Broker,
    status: watch::Sender<Arc<str>>,
    desired: Option<mpsc::Receiver<Desired>>,
    too_long: Counter,
}

fn to(url: &str) -> Settings {
    Settings { url: url.parse().unwrap(), ..Settings::default() }.named()
}

fn here(port: u16) -> Settings {
    to(&format!("mqtt://127.0.0.1:{port}"))
}

fn older(port: u16) -> Settings {
    Settings { protocol: Some(Protocol::V311), ..here(port) }
}

fn way(settings: Settings) -> Way {
    let tls = Tls::new(&settings, Clock::system());
    let (status, watched) = watch::channel(Arc::from(r#"{"state":"online"}"#));
    let (wanted, desired) = mpsc::channel(1);
    let vin = Vin::try_from(VIN.to_owned()).unwrap();
    let too_long = Counter::default();
    let (wanted, desired) = if settings.desired { (Some(wanted), Some(desired)) } else { (None, None) };
    let broker = Broker::new(settings, tls, vin, watched, wanted, too_long.clone());
    Way { broker, status, desired, too_long }
}

fn message(n: usize) -> Message {
    Message {
        topic: Topic::Event(Kind::Child),
        id: n.to_string(),
        event_type: "CHILD_LEFT_BEHIND".into(),
        json: Bytes::from(format!(r#"{{"id":"{n}"}}"#)),
    }
}

fn messages(range: std::ops::Range<usize>) -> Vec<Message> {
    range.map(message).collect()
}

#[track_caller]
fn unreachable(sent: &Sent, wanted: &str) {
    match &sent.trouble {
        Some(Trouble::Unreachable(why)) if why.contains(wanted) => {}
        other => panic!("{other:?} is not Unreachable with `{wanted}`"),
    }
}

#[track_caller]
fn refused(sent: &Sent, wanted: &str) {
    match &sent.trouble {
        Some(Trouble::Refused(why)) if why.contains(wanted) => {}
        other => panic!("{other:?} is not Refused with `{wanted}`"),
    }
}

/// A file of a test.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}
