//! The other end of a connection, said word for word: packets of MQTT made and read by hand (MQTT 3.1.1 and 5.0, chapters 2
//! and 3), so that nothing of the crate under test judges itself.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// So long anything that has to come may take, on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// What a CONNECT said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// 4 or 5.
    pub level: u8,
    pub clean: bool,
    pub keep_alive: u16,
    pub client_id: String,
    /// Topic, payload, QoS, retain.
    pub will: Option<(String, String, u8, bool)>,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// What a PUBLISH said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    pub topic: String,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
    pub id: u16,
    pub properties: Vec<u8>,
    pub payload: String,
}

/// One packet, its type and flags first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub first: u8,
    pub body: Vec<u8>,
}

/// A broker that listens and does nothing by itself.
pub struct Script {
    listener: TcpListener,
    pub port: u16,
}

/// One connection to it.
pub struct Peer {
    tcp: TcpStream,
    pub connect: Connect,
    /// All that came.
    pub bytes: u64,
}

impl Script {
    pub async fn new() -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Script { listener, port }
    }

    /// The next connection, whose CONNECT was read and not answered.
    pub async fn accept(&self) -> Peer {
        let (tcp, _) = timeout(PATIENCE, self.listener.accept()).await.expect("nobody connects").unwrap();
        let mut peer = Peer { tcp, connect: Connect::default(), bytes: 0 };
        let packet = peer.packet().await.expect("a CONNECT");
        assert_eq!(packet.first, 0x10, "{packet:?}");
        peer.connect = connect(&packet.body);
        peer
    }

    /// The next connection, welcomed.
    pub async fn welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.connack(0, &[]).await;
        peer
    }
}

impl Peer {
    pub async fn say(&mut self, bytes: &[u8]) {
        // It may have gone already; what follows shows.
        let _ = self.tcp.write_all(bytes).await;
    }

    /// CONNACK, with properties where it is MQTT 5.
    pub async fn connack(&mut self, code: u8, properties: &[u8]) {
        let mut body = vec![0, code];
        if self.connect.level == 5 {
            body.push(properties.len() as u8);
            body.extend_from_slice(properties);
        }
        self.say(&packet(0x20, &body)).await;
    }

    pub async fn puback(&mut self, id: u16) {
        self.say(&packet(0x40, &id.to_be_bytes())).await;
    }

    /// PUBACK of MQTT 5 with a reason.
    pub async fn puback_with(&mut self, id: u16, reason: u8) {
        let [high, low] = id.to_be_bytes();
        self.say(&packet(0x40, &[high, low, reason])).await;
    }

    /// DISCONNECT of MQTT 5.
    pub async fn disconnect(&mut self, reason: u8) {
        self.say(&packet(0xE0, &[reason])).await;
    }

    /// A retained message, QoS 1.
    pub async fn publish(&mut self, topic: &str, payload: &[u8]) {
        let mut body = (topic.len() as u16).to_be_bytes().to_vec();
        body.extend_from_slice(topic.as_bytes());
        body.extend_from_slice(&[0, 1]);
        if self.connect.level == 5 {
            body.push(0);
        }
        body.extend_from_slice(payload);
        self.say(&packet(0x33, &body)).await;
    }

    /// The next packet; `None` where the other end has closed.
    pub async fn packet(&mut self) -> Option<Packet> {
        timeout(PATIENCE, self.read()).await.expect("nothing comes")
    }

    /// Whether nothing comes of itself for a moment.
    pub async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(50), self.tcp.peek(&mut [0])).await.is_err()
    }

    async fn read(&mut self) -> Option<Packet> {
        let first = self.tcp.read_u8().await.ok()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.tcp.read_u8().await.ok()?;
            self.bytes += 1;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.tcp.read_exact(&mut body).await.ok()?;
        self.bytes += 1 + length as u64;
        Some(Packet { first, body })
    }

    pub fn read_publish(&self, packet: &Packet) -> Publish {
        publish(packet, self.connect.level)
    }

    /// The next PUBLISH that is none of the status, which is acknowledged.
    pub async fn message(&mut self) -> Publish {
        loop {
            let publish = self.any_publish().await.expect("a PUBLISH, and the connection is closed");
            if !publish.topic.ends_with("/status") {
                return publish;
            }
            self.puback(publish.id).await;
        }
    }

    /// The next PUBLISH; `None` where the other end has closed.
    pub async fn any_publish(&mut self) -> Option<Publish> {
        loop {
            let packet = self.packet().await?;
            if packet.first >> 4 == 3 {
                return Some(publish(&packet, self.connect.level));
            }
            // SUBSCRIBE: granted.
            if packet.first >> 4 == 8 {
                let mut body = packet.body[..2].to_vec();
                body.extend_from_slice(if self.connect.level == 5 { &[0, 1] } else { &[1] });
                self.say(&self::packet(0x90, &body)).await;
            }
        }
    }
}

/// A packet of these.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let byte = (left % 128) as u8;
        left /= 128;
        bytes.push(if left > 0 { byte | 0x80 } else { byte });
        if left == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// What is read of a body.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.number());
        String::from_utf8(self.take(length).to_vec()).unwrap()
    }

    /// Properties of MQTT 5, all shorter than 128 bytes here.
    fn properties(&mut self, level: u8) -> Vec<u8> {
        if level < 5 {
            return Vec::new();
        }
        let length = usize::from(self.byte());
        assert!(length < 128);
        self.take(length).to_vec()
    }
}

fn connect(body: &[u8]) -> Connect {
    let mut rest = Rest(body);
    assert_eq!(rest.text(), "MQTT");
    let (level, flags, keep_alive) = (rest.byte(), rest.byte(), rest.number());
    rest.properties(level);
    let client_id = rest.text();
    let will = (flags & 0x04 != 0).then(|| {
        rest.properties(level);
        (rest.text(), rest.text(), flags >> 3 & 3, flags & 0x20 != 0)
    });
    let username = (flags & 0x80 != 0).then(|| rest.text());
    let password = (flags & 0x40 != 0).then(|| rest.text());
    assert!(rest.0.is_empty());
    Connect { level, clean: flags & 0x02 != 0, keep_alive, client_id, will, username, password }
}

fn publish(packet: &Packet, level: u8) -> Publish {
    let mut rest = Rest(&packet.body);
    let topic = rest.text();
    let (qos, retain, dup) = (packet.first >> 1 & 3, packet.first & 1 != 0, packet.first & 8 != 0);
    let id = if qos > 0 { rest.number() } else { 0 };
    let properties = rest.properties(level);
    Publish { topic, qos, retain, dup, id, properties, payload: String::from_utf8(rest.0.to_vec()).unwrap() }
}
