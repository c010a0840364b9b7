//! Why a connection did not come about, or ended, in one language for both versions of MQTT.
//!
//! What a broker says (reason codes: MQTT 5.0 clause 2.4; return codes: MQTT 3.1.1 table 3.1) becomes a [`Trouble`] with
//! its cure. Nothing of what was sent stands in it.

use std::io;
use std::time::Duration;

use rumqttc_v4 as v4;
use rumqttc_v5 as v5;

use crate::upstream::Trouble;
use crate::upstream::tls::Tls;

/// A broker that is busy is left alone for so long: MQTT lets it name no time of its own.
const BUSY: Duration = Duration::from_secs(30);

/// What follows from a fault beside waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Nothing.
    None,
    /// What answered a CONNECT of MQTT 5 may speak 3.1.1 only.
    Older,
    /// It came of a message that was on its way.
    Message,
    /// A message to us was longer than we take.
    Oversize,
}

/// Why a connection did not come about, or ended.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) trouble: Trouble,
    pub(super) hint: Hint,
}

impl Fault {
    pub(super) fn unreachable(why: String) -> Fault {
        Fault { trouble: Trouble::Unreachable(why), hint: Hint::None }
    }

    fn refused(why: String) -> Fault {
        Fault { trouble: Trouble::Refused(why), hint: Hint::None }
    }

    fn busy() -> Fault {
        Fault { trouble: Trouble::Busy(BUSY), hint: Hint::None }
    }

    fn hinting(mut self, hint: Hint) -> Fault {
        self.hint = hint;
        self
    }
}

/// How far a connection was, and with whom.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    /// Its URL.
    pub(super) broker: &'a str,
    /// What knows of TLS, where that is spoken.
    pub(super) tls: Option<&'a Tls>,
    /// Whether it has welcomed us: CONNACK came.
    pub(super) welcomed: bool,
    /// What the last bytes before the end say, if they are a DISCONNECT with a reason and nothing else.
    pub(super) farewell: Option<u8>,
}

impl Stage<'_> {
    /// It closed the connection, and said nothing.
    fn closed(self) -> Fault {
        let broker = self.broker;
        match self.welcomed {
            true => {
                // The crate leaves a DISCONNECT without properties unread, which mosquitto sends.
                let reason = self.farewell.and_then(|reason| v5::DisconnectReasonCode::try_from(reason).ok());
                let closed = || Fault::unreachable(format!("{broker} closed the connection"));
                reason.map_or_else(closed, |reason| disconnected(reason, self))
            }
            false => Fault::unreachable(format!("{broker} closed the connection before it answered")).hinting(Hint::Older),
        }
    }

    /// It said what is not MQTT.
    fn babble(self, what: &dyn std::fmt::Display) -> Fault {
        let broker = self.broker;
        match self.welcomed {
            true => Fault::unreachable(format!("{broker} said what MQTT does not know: {what}")),
            false => {
                Fault::unreachable(format!("what answers at {broker} speaks no MQTT: a captive portal, or another service?"))
                    .hinting(Hint::Older)
            }
        }
    }

    pub(super) fn timed_out(self) -> Fault {
        let broker = self.broker;
        match self.welcomed {
            true => Fault::unreachable(format!("{broker} does not answer any more")),
            false => Fault::unreachable(format!("{broker} did not answer in time: a captive portal, or no way there?")),
        }
    }

    fn io(self, error: &io::Error) -> Fault {
        // What the dialer has found out.
        if let Some(trouble) = error.get_ref().and_then(|inner| inner.downcast_ref::<Trouble>()) {
            return Fault { trouble: trouble.clone(), hint: Hint::None };
        }
        // An alert about our certificate comes after the handshake (RFC 8446, 4.4.2.4).
        if let Some(trouble) = self.tls.and_then(|tls| tls.explain(error)) {
            return Fault { trouble, hint: Hint::None };
        }
        let broker = self.broker;
        match error.kind() {
            // The framing's own: the connection ended inside what would be a packet.
            io::ErrorKind::Other if error.get_ref().is_some() => self.babble(error),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => self.closed(),
            _ => Fault::unreachable(format!("{broker}: {error}")),
        }
    }

    fn oversize(self) -> Fault {
        let broker = self.broker;
        match self.welcomed {
            true => Fault::unreachable(format!("{broker} sent more than a vehicle takes")).hinting(Hint::Oversize),
            false => self.babble(&"too long"),
        }
    }

    fn no_version(self) -> Fault {
        Fault::refused(format!("{} does not speak this version of MQTT; leave upstream.protocol out", self.broker))
            .hinting(Hint::Older)
    }

    fn no_client_id(self) -> Fault {
        Fault::refused(format!("{} does not take this vehicle's client id, telltale- and its VIN; let it in there", self.broker))
    }

    fn no_sign_in(self) -> Fault {
        let cure = "see upstream.username and what stands in upstream.password_file";
        Fault::refused(format!("{} does not take the username and password; {cure}", self.broker))
    }

    fn no_entry(self) -> Fault {
        let cure = "see upstream.username, upstream.certificate, and the broker's list of who may come";
        Fault::refused(format!("{} does not let this vehicle in; {cure}", self.broker))
    }

    fn no_retain(self) -> Fault {
        Fault::refused(format!("{} keeps no retained messages or takes no QoS 1, and both are needed", self.broker))
    }

    fn moved(self) -> Fault {
        Fault::refused(format!("{} says that it has moved; change upstream.url", self.broker))
    }
}

/// Of MQTT 5.
pub(super) fn of_v5(error: v5::ConnectionError, stage: Stage<'_>) -> Fault {
    use v5::mqttbytes::Error as Wrong;
    use v5::{ConnectionError as E, StateError as S};
    match error {
        E::Timeout(_) => stage.timed_out(),
        E::Io(error) | E::MqttState(S::Io(error) | S::Deserialization(Wrong::Io(error))) => stage.io(&error),
        E::ConnectionRefused(code) | E::MqttState(S::ConnFail { reason: code }) => refused_v5(code, stage),
        E::MqttState(S::ConnectionAborted) => stage.closed(),
        E::MqttState(S::ServerDisconnect { reason_code, .. }) => disconnected(reason_code, stage),
        E::MqttState(S::Deserialization(Wrong::PayloadSizeLimitExceeded { .. }) | S::IncomingPacketTooLarge { .. }) => {
            stage.oversize()
        }
        E::MqttState(S::AwaitPingResp | S::CollisionTimeout) => stage.timed_out(),
        // A PUBACK with a reason that is none of PUBACK's: mosquitto, of a message longer than its `message_size_limit`.
        E::MqttState(S::Deserialization(Wrong::InvalidConnectReturnCode(reason))) if stage.welcomed => {
            stage.babble(&format!("reason {reason:#x}")).hinting(Hint::Message)
        }
        E::MqttState(error @ (S::Unsolicited(_) | S::WrongPacket | S::Deserialization(_))) => stage.babble(&error),
        E::NotConnAck(_) => stage.babble(&"no CONNACK"),
        other => Fault::unreachable(format!("{}: {other}", stage.broker)),
    }
}

/// Of MQTT 3.1.1.
pub(super) fn of_v4(error: v4::ConnectionError, stage: Stage<'_>) -> Fault {
    use v4::mqttbytes::Error as Wrong;
    use v4::{ConnectReturnCode as C, ConnectionError as E, StateError as S};
    match error {
        E::NetworkTimeout | E::FlushTimeout => stage.timed_out(),
        E::Io(error) | E::MqttState(S::Io(error) | S::Deserialization(Wrong::Io(error))) => stage.io(&error),
        E::ConnectionRefused(code) => match code {
            C::RefusedProtocolVersion => stage.no_version(),
            C::BadClientId => stage.no_client_id(),
            C::ServiceUnavailable => Fault::busy(),
            C::BadUserNamePassword => stage.no_sign_in(),
            C::Success | C::NotAuthorized => stage.no_entry(),
        },
        E::MqttState(S::ConnectionAborted) => stage.closed(),
        E::MqttState(S::Deserialization(Wrong::PayloadSizeLimitExceeded(_))) => stage.oversize(),
        E::MqttState(S::AwaitPingResp | S::CollisionTimeout) => stage.timed_out(),
        E::MqttState(error @ (S::Unsolicited(_) | S::WrongPacket | S::Deserialization(_))) => stage.babble(&error),
        E::NotConnAck(_) => stage.babble(&"no CONNACK"),
        other => Fault::unreachable(format!("{}: {other}", stage.broker)),
    }
}

/// A CONNACK of MQTT 5 that refuses (clause 3.2.2.2).
fn refused_v5(code: v5::ConnectReturnCode, stage: Stage<'_>) -> Fault {
    use v5::ConnectReturnCode as C;
    match code {
        C::RefusedProtocolVersion | C::UnsupportedProtocolVersion => stage.no_version(),
        C::BadClientId | C::ClientIdentifierNotValid => stage.no_client_id(),
        C::BadUserNamePassword => stage.no_sign_in(),
        C::NotAuthorized | C::Banned | C::BadAuthenticationMethod | C::TopicNameInvalid => stage.no_entry(),
        C::RetainNotSupported | C::QoSNotSupported => stage.no_retain(),
        C::UseAnotherServer | C::ServerMoved => stage.moved(),
        C::ServiceUnavailable | C::ServerUnavailable | C::ServerBusy | C::QuotaExceeded | C::ConnectionRateExceeded => {
            Fault::busy()
        }
        C::Success
        | C::UnspecifiedError
        | C::MalformedPacket
        | C::ProtocolError
        | C::ImplementationSpecificError
        | C::PacketTooLarge
        | C::PayloadFormatInvalid => Fault::unreachable(format!("{} refuses: {code:?}", stage.broker)),
    }
}

/// A DISCONNECT of the broker's (MQTT 5.0 clause 3.14.2.1).
fn disconnected(code: v5::DisconnectReasonCode, stage: Stage<'_>) -> Fault {
    use v5::DisconnectReasonCode as D;
    let broker = stage.broker;
    match code {
        D::NotAuthorized | D::TopicNameInvalid => stage.no_entry(),
        D::RetainNotSupported | D::QoSNotSupported => stage.no_retain(),
        D::UseAnotherServer | D::ServerMoved => stage.moved(),
        D::ServerBusy | D::MessageRateTooHigh | D::QuotaExceeded | D::ConnectionRateExceeded => Fault::busy(),
        D::PacketTooLarge | D::PayloadFormatInvalid => {
            Fault::unreachable(format!("{broker} closed the connection over a message: {code:?}")).hinting(Hint::Message)
        }
        // Ours are closed before another is opened, so it is somebody else.
        D::SessionTakenOver => Fault::refused(format!(
            "another client took this vehicle's place at {broker}: two units have the same VIN; correct vehicle.vin of one"
        )),
        other => Fault::unreachable(format!("{broker} closed the connection: {other:?}")),
    }
}

/// What a PUBACK says that is not an acknowledgement (MQTT 5.0 clause 3.4.2.1).
///
/// A broker that has no reason, or one of its own, may have a full disk: the message is kept and the broker left alone.
/// Only what it says of the message itself is a rejection.
pub(super) fn not_taken(error: &v5::PublishNoticeError) -> Option<Trouble> {
    use v5::{PubAckReason as P, PublishNoticeError as E};
    let E::V5PubAck(reason) = error else { return None };
    Some(match reason {
        P::Success | P::NoMatchingSubscribers => return None,
        P::NotAuthorized | P::TopicNameInvalid => Trouble::Refused(
            "the broker does not let this vehicle publish on its topics; let it write below telltale/ and its VIN".to_owned(),
        ),
        P::QuotaExceeded | P::UnspecifiedError | P::ImplementationSpecificError => Trouble::Busy(BUSY),
        P::PacketIdentifierInUse => Trouble::Unreachable("the broker mixes up packet identifiers".to_owned()),
        P::PayloadFormatInvalid => Trouble::Rejected("the broker says that the message is malformed".to_owned()),
    })
}
