//! One face for the two versions of MQTT: everything that differs between them stands in this file.
//!
//! A [`Client`] says what is to be sent, its [`Pump`] moves the bytes of one connection. Both are made afresh for each
//! connection: what the crate would send again by itself after a new connection is never asked of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use rumqttc_v4 as v4;
use rumqttc_v5 as v5;

use super::dial::Dialer;
use super::fault::{self, Fault, Stage};
use crate::upstream::Trouble;
use crate::upstream::settings::Protocol;
use crate::upstream::tls::Tls;

/// The longest packet that is taken from a broker: a document of 256 KiB with its topic and properties.
const INCOMING: u32 = (256 + 1) * 1024;
/// The longest packet that is sent, where the broker names no limit: the most that MQTT knows.
const OUTGOING: usize = 268_435_455;
/// So many messages are on their way at once; an older one is sent again after a cut at most so many.
pub(super) const WINDOW: u16 = 16;
/// Requests that wait for the pump: a window of messages with a status, an answer, a subscription and a farewell.
const REQUESTS: usize = WINDOW as usize + 8;
const KEEP_ALIVE: u16 = 30;
/// The crate's own limit of a connection and a flush; ours for a connection is shorter.
const CRATE_TIMEOUT: u64 = 30;
/// What a message is, for a reader of MQTT 5.
const CLOUD_EVENT: &str = "application/cloudevents+json";
const JSON: &str = "application/json";

/// What a connection is opened with.
pub(super) struct Opening {
    pub(super) client_id: String,
    pub(super) will_topic: String,
    pub(super) will: &'static str,
    pub(super) username: Option<String>,
    pub(super) password: Option<Bytes>,
    pub(super) dialer: Dialer,
}

/// What a broker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// The longest packet.
    pub(super) packet: Option<u32>,
    /// Whether it keeps retained messages and takes QoS 1.
    pub(super) enough: bool,
}

/// What came from a broker.
pub(super) enum Incoming {
    /// CONNACK: it lets us in.
    Welcome(Limits),
    /// PUBLISH: topic and payload.
    Publish(Bytes, Bytes),
    /// What the crate deals with.
    Other,
}

/// A message that is to be published.
pub(super) struct Outgoing {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    /// A status or an answer, which the broker keeps; else an event.
    pub(super) retain: bool,
}

impl Outgoing {
    const fn content_type(&self) -> &'static str {
        if self.retain { JSON } else { CLOUD_EVENT }
    }
}

/// Says what is to be sent.
#[derive(Clone)]
pub(super) enum Client {
    V5(v5::AsyncClient),
    V4(v4::AsyncClient),
}

/// Moves the bytes of one connection.
pub(super) struct Pump {
    version: Version,
    broker: String,
    tls: Option<Tls>,
    farewell: Arc<AtomicU8>,
    welcomed: bool,
}

enum Version {
    V5(Box<v5::EventLoop>),
    V4(Box<v4::EventLoop>),
}

/// The pump is gone, and why it went is known there.
#[derive(Debug)]
pub(super) struct Gone;

/// What becomes of a published message.
pub(super) enum Receipt {
    V5(v5::PublishNotice),
    V4(v4::PublishNotice),
}

/// A client and its pump; nothing is done before the pump is asked for [`Pump::next`].
pub(super) fn open(protocol: Protocol, opening: Opening) -> (Client, Pump) {
    let broker = opening.dialer.url.to_string();
    let tls = opening.dialer.tls.as_ref().map(|(tls, _)| tls.clone());
    let farewell = opening.dialer.farewell.clone();
    let (client, version) = match protocol {
        Protocol::V5 => {
            let (client, pump) = v5::AsyncClient::new(options_v5(opening), REQUESTS);
            (Client::V5(client), Version::V5(Box::new(pump)))
        }
        Protocol::V311 => {
            let (client, mut pump) = v4::AsyncClient::new(options_v4(opening), REQUESTS);
            pump.network_options.set_connection_timeout(CRATE_TIMEOUT);
            (Client::V4(client), Version::V4(Box::new(pump)))
        }
    };
    (client, Pump { version, broker, tls, farewell, welcomed: false })
}

fn options_v5(opening: Opening) -> v5::MqttOptions {
    let Opening { client_id, will_topic, will, username, password, dialer } = opening;
    let broker = v5::Broker::tcp(dialer.url.host.clone(), dialer.url.port);
    let mut options = v5::MqttOptions::new(client_id, broker);
    options
        .set_clean_start(true)
        .set_keep_alive(KEEP_ALIVE)
        .set_connect_timeout(std::time::Duration::from_secs(CRATE_TIMEOUT))
        .set_max_packet_size(Some(INCOMING))
        .set_outgoing_inflight_upper_limit(WINDOW)
        .set_last_will(v5::LastWill::new(will_topic, will, v5::QoS::AtLeastOnce, true, None));
    match (username, password) {
        (Some(username), Some(password)) => drop(options.set_credentials(username, password)),
        (Some(username), None) => drop(options.set_username(username)),
        (None, _) => {}
    }
    let dialer = Arc::new(dialer);
    options.set_socket_connector(move |_, _| {
        let dialer = dialer.clone();
        async move { dialer.dial().await.map_err(io::Error::other) }
    });
    options
}

fn options_v4(opening: Opening) -> v4::MqttOptions {
    let Opening { client_id, will_topic, will, username, password, dialer } = opening;
    let broker = v4::Broker::tcp(dialer.url.host.clone(), dialer.url.port);
    let mut options = v4::MqttOptions::new(client_id, broker);
    options
        .set_clean_session(true)
        .set_keep_alive(KEEP_ALIVE)
        .set_max_packet_size(INCOMING as usize, OUTGOING)
        .set_inflight(WINDOW)
        .set_last_will(v4::LastWill::new(will_topic, will, v4::QoS::AtLeastOnce, true));
    match (username, password) {
        (Some(username), Some(password)) => drop(options.set_credentials(username, password)),
        (Some(username), None) => drop(options.set_username(username)),
        (None, _) => {}
    }
    let dialer = Arc::new(dialer);
    options.set_socket_connector(move |_, _| {
        let dialer = dialer.clone();
        async move { dialer.dial().await.map_err(io::Error::other) }
    });
    options
}

impl Pump {
    /// Moves bytes until something came. Not to be dropped half-way, but with everything else of its connection.
    ///
    /// # Errors
    /// The connection did not come about, or is over.
    pub(super) async fn next(&mut self) -> Result<Incoming, Fault> {
        let incoming = match &mut self.version {
            Version::V5(pump) => pump.poll().await.map(of_v5).map_err(|error| fault::of_v5(error, self.stage())),
            Version::V4(pump) => pump.poll().await.map(of_v4).map_err(|error| fault::of_v4(error, self.stage())),
        }?;
        self.welcomed |= matches!(incoming, Incoming::Welcome(_));
        Ok(incoming)
    }

    /// What is told of a broker that does not answer.
    pub(super) fn timed_out(&self) -> Fault {
        self.stage().timed_out()
    }

    fn stage(&self) -> Stage<'_> {
        let reason = self.farewell.load(Ordering::Relaxed);
        // Only a broker of MQTT 5 says DISCONNECT.
        let farewell = (matches!(self.version, Version::V5(_)) && reason != 0).then_some(reason);
        Stage { broker: &self.broker, tls: self.tls.as_ref(), welcomed: self.welcomed, farewell }
    }
}

fn of_v5(event: v5::Event) -> Incoming {
    match event {
        v5::Event::Incoming(v5::Packet::ConnAck(connack)) => {
            let properties = connack.properties.as_ref();
            let enough = properties.is_none_or(|p| p.max_qos != Some(0) && p.retain_available != Some(0));
            Incoming::Welcome(Limits { packet: properties.and_then(|p| p.max_packet_size), enough })
        }
        v5::Event::Incoming(v5::Packet::Publish(publish)) => Incoming::Publish(publish.topic, publish.payload),
        _ => Incoming::Other,
    }
}

fn of_v4(event: v4::Event) -> Incoming {
    match event {
        v4::Event::Incoming(v4::Packet::ConnAck(_)) => Incoming::Welcome(Limits { packet: None, enough: true }),
        v4::Event::Incoming(v4::Packet::Publish(publish)) => Incoming::Publish(publish.topic, publish.payload),
        _ => Incoming::Other,
    }
}

impl Client {
    /// Hands a message with QoS 1 to the pump, behind those that were handed to it before.
    ///
    /// # Errors
    /// The pump is gone.
    pub(super) async fn publish(&self, outgoing: Outgoing) -> Result<Receipt, Gone> {
        match self {
            Client::V5(client) => {
                let properties = properties_v5(&outgoing);
                let Outgoing { topic, payload, retain } = outgoing;
                let sent = client.publish_with_properties_tracked(topic, v5::QoS::AtLeastOnce, retain, payload, properties);
                sent.await.map(Receipt::V5).map_err(|_| Gone)
            }
            Client::V4(client) => {
                let Outgoing { topic, payload, retain } = outgoing;
                let sent = client.publish_bytes_tracked(topic, v4::QoS::AtLeastOnce, retain, payload);
                sent.await.map(Receipt::V4).map_err(|_| Gone)
            }
        }
    }

    /// Asks for the messages of a filter with QoS 1; whether the broker lets us have them.
    ///
    /// # Errors
    /// The connection went before it answered.
    pub(super) async fn subscribe(&self, filter: String) -> Result<bool, Gone> {
        match self {
            Client::V5(client) => {
                let notice = client.subscribe_tracked(filter, v5::QoS::AtLeastOnce).await.map_err(|_| Gone)?;
                match notice.wait_async().await {
                    Ok(()) => Ok(true),
                    Err(v5::RequestNoticeError::V5SubAckFailure(_)) => Ok(false),
                    Err(_) => Err(Gone),
                }
            }
            Client::V4(client) => {
                let notice = client.subscribe_tracked(filter, v4::QoS::AtLeastOnce).await.map_err(|_| Gone)?;
                match notice.wait_async().await {
                    Ok(()) => Ok(true),
                    Err(v4::RequestNoticeError::V4SubAckFailure(_)) => Ok(false),
                    Err(_) => Err(Gone),
                }
            }
        }
    }

    /// DISCONNECT: the broker forgets the will.
    pub(super) async fn disconnect(&self) -> Result<(), Gone> {
        match self {
            Client::V5(client) => client.disconnect().await.map_err(|_| Gone),
            Client::V4(client) => client.disconnect().await.map_err(|_| Gone),
        }
    }

    /// How long a message is as a packet, where a broker may name a limit.
    pub(super) fn packet_size(&self, outgoing: &Outgoing) -> usize {
        match self {
            Client::V5(_) => {
                let Outgoing { topic, payload, .. } = outgoing;
                let properties = Some(properties_v5(outgoing));
                let mut packet = v5::Publish::new(topic.clone(), v5::QoS::AtLeastOnce, payload.clone(), properties);
                packet.pkid = 1;
                packet.size()
            }
            // No broker of 3.1.1 names one.
            Client::V4(_) => 0,
        }
    }

    /// As people call it.
    pub(super) const fn version(&self) -> &'static str {
        match self {
            Client::V5(_) => "5",
            Client::V4(_) => "3.1.1",
        }
    }
}

fn properties_v5(outgoing: &Outgoing) -> v5::PublishProperties {
    v5::PublishProperties { content_type: Some(outgoing.content_type().to_owned()), ..v5::PublishProperties::default() }
}

/// What a broker said of one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// PUBACK: it is the broker's.
    Taken,
    /// PUBACK with a reason that is none.
    NotTaken(Trouble),
    /// Nothing, and the connection is gone.
    Unknown,
}

impl Receipt {
    /// Waits for the PUBACK.
    pub(super) async fn verdict(self) -> Verdict {
        match self {
            Receipt::V5(notice) => match notice.wait_async().await {
                Ok(()) => Verdict::Taken,
                Err(error) => fault::not_taken(&error).map_or(Verdict::Unknown, Verdict::NotTaken),
            },
            // PUBACK of 3.1.1 has no reason.
            Receipt::V4(notice) => notice.wait_async().await.map_or(Verdict::Unknown, |()| Verdict::Taken),
        }
    }
}
