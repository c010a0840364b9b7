//! What may be set, its defaults, and what is refused before anything listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::origin::is_origin;
use super::pairing::Label;
use super::tls::Given;
use crate::clock::Clock;
use crate::feed::{Device, TokenHash};

/// `http.*` of the site's file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to listen: one address or a list of them. Port 0 picks a free one.
    #[serde(deserialize_with = "one_or_many")]
    pub listen: Vec<SocketAddr>,
    /// Where to speak TLS, on whatever interface: one address or a list of them. A site's file that names neither this nor
    /// `listen` has `[::]:8443`; none is no TLS.
    #[serde(deserialize_with = "one_or_many")]
    pub tls: Vec<SocketAddr>,
    /// The owner's own certificate, with those between it and its authority, in PEM; without one the unit makes its own,
    /// and keeps its key. Read again at a reload.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    pub key: Option<PathBuf>,
    /// The file with the code on the unit's label, which is for nobody else's eyes: who presses the button (`[hardware.button]`)
    /// and has this code pairs a phone.
    pub label_code_file: Option<PathBuf>,
    /// Interfaces (`lo`, `wlan0`) on which plain HTTP may carry a token; `*` is all of them. A board adds the one of its
    /// access point. Over other interfaces, at either end of a connection, plain HTTP is sent to TLS (307), but for
    /// `/healthz` and `/readyz`; without TLS such connections are closed unread.
    pub trusted: Vec<String>,
    /// Whether phones find this unit by multicast DNS (RFC 6762, 6763), on interfaces that are trusted or have TLS.
    pub discovery: bool,
    /// Names by which `Host` may call this unit, beside IP addresses, `localhost` and the host's own name.
    pub names: Vec<String>,
    /// Origins (`https://app.example`) whose pages may use a cookie.
    pub origins: Vec<String>,
    /// How much a client may take.
    pub limits: Limits,
    /// `metrics.listen`: where `/metrics`, `/healthz` and `/readyz`, and nothing else, are answered without a sign-in, on
    /// whatever interface.
    #[serde(skip)]
    pub metrics: Vec<SocketAddr>,
    /// The number of the car's own unit (`[[units]]`), for phones that pair.
    #[serde(skip)]
    pub unit: u32,
    /// The units, each with a number of its own; the first is the car's own.
    #[serde(skip)]
    pub units: Vec<Unit>,
    /// Who comes in without having been paired, as long as the daemon runs: the demo's own phone.
    #[serde(skip)]
    pub guests: Vec<(TokenHash, Device)>,
    /// What sign-ins count by.
    #[serde(skip)]
    pub clock: RealTime,
    /// What `certificate` and `key` hold.
    #[serde(skip)]
    pub given: Option<Given>,
    /// What `label_code_file` holds.
    #[serde(skip)]
    pub label: Option<Label>,
    /// The folder in which the unit's own key and certificate are kept; `None` is for this run only.
    #[serde(skip)]
    pub state: Option<PathBuf>,
}

/// The world's clock: sign-ins count by it, also where the car's own runs faster. It is no setting, so all are equal.
#[derive(Clone, Debug)]
pub struct RealTime(pub Clock);

impl Default for RealTime {
    fn default() -> RealTime {
        RealTime(Clock::system())
    }
}

impl PartialEq for RealTime {
    fn eq(&self, _: &RealTime) -> bool {
        true
    }
}

/// A unit of the vehicle: the car's receiver, or a trailer's, under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Positive.
    pub id: u32,
    /// For people.
    pub name: Option<String>,
    /// Its receiver, by the place of its `[[gnss]]`: the car's own is 0. `None` on a unit without any.
    pub receiver: Option<usize>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: vec![SocketAddr::from(([0u16; 8], 8080))],
            tls: Vec::new(),
            certificate: None,
            key: None,
            label_code_file: None,
            trusted: vec!["lo".to_owned()],
            discovery: true,
            names: Vec::new(),
            origins: Vec::new(),
            limits: Limits::default(),
            metrics: Vec::new(),
            unit: 1,
            units: vec![Unit { id: 1, name: None, receiver: Some(0) }],
            guests: Vec::new(),
            clock: RealTime::default(),
            given: None,
            label: None,
            state: None,
        }
    }
}

/// What [`Settings::tls`] is for a site that says nothing of where to listen.
pub const TLS_PORT: SocketAddr = SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), 8443);

/// `http.limits.*`: what one client, or all of them, may take of the unit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Of those, connections on which nobody has signed in yet; the oldest is closed for the newest.
    pub strangers: usize,
    /// Open streams.
    pub streams: usize,
    /// Open streams of one token.
    pub streams_per_token: usize,
    /// Seconds in which a request's head must be complete; a stranger's counts from the connection.
    pub head_s: f64,
    /// Seconds in which a request's body must be complete.
    pub body_s: f64,
    /// Seconds that a signed-in client's connection may lie idle between requests.
    pub idle_s: f64,
    /// Seconds after which a client that takes none of what is sent is closed.
    pub stalled_s: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 256,
            strangers: 64,
            streams: 64,
            streams_per_token: 8,
            head_s: 5.0,
            body_s: 10.0,
            idle_s: 60.0,
            stalled_s: 30.0,
        }
    }
}

impl Settings {
    /// Whether these can be worked with.
    ///
    /// # Errors
    /// A sentence that names the key and what would be right.
    pub fn check(&self) -> Result<(), String> {
        if self.listen.is_empty() {
            return Err("http.listen is empty: name an address such as \"[::]:8080\"".to_owned());
        }
        self.check_listen()?;
        match (&self.certificate, &self.key) {
            (Some(_), None) => return Err("http.key is absent: name the file with the key of http.certificate".to_owned()),
            (None, Some(_)) => {
                return Err("http.certificate is absent: name the file with the certificate of http.key".to_owned());
            }
            (Some(_), Some(_)) if self.tls.is_empty() => {
                return Err("http.certificate is for http.tls, which is absent: add tls = \"[::]:8443\"".to_owned());
            }
            _ => {}
        }
        for name in &self.trusted {
            if name.is_empty() || name.len() > 15 || name.contains(['/', ' ']) {
                return Err(format!("http.trusted: `{name}` is no network interface; write its name, such as \"wlan0\""));
            }
        }
        for name in &self.names {
            if !is_host_name(name) {
                return Err(format!("http.names: `{name}` is no host name; write it without scheme, port or path"));
            }
        }
        for origin in &self.origins {
            if !is_origin(origin) {
                return Err(format!(
                    "http.origins: `{origin}` is no origin; write scheme, host and port, such as \"https://app.example\""
                ));
            }
        }
        self.limits.check()
    }

    fn check_listen(&self) -> Result<(), String> {
        let all: Vec<&SocketAddr> = self.listen.iter().chain(&self.tls).chain(&self.metrics).collect();
        for (at, address) in all.iter().enumerate() {
            let others = all.iter().skip(at + 1);
            if others.clone().any(|other| other == address && address.port() != 0) {
                return Err(format!("http.listen, http.tls and metrics.listen name {address} twice; once is enough"));
            }
            // An IPv6 wildcard listens on IPv4 as well (RFC 3493, 3.7), so the two cannot share a port.
            let both = all.iter().find(|other| {
                address.ip() == IpAddr::from([0; 4]) && other.ip() == IpAddr::from([0u16; 8]) && other.port() == address.port()
            });
            if let (Some(both), true) = (both, address.port() != 0) {
                return Err(format!("http.listen: {both} listens on IPv4 as well; leave {address} out"));
            }
        }
        Ok(())
    }
}

impl Limits {
    fn check(&self) -> Result<(), String> {
        let counts = [
            ("connections", self.connections, 1, 4096),
            ("strangers", self.strangers, 1, self.connections),
            ("streams", self.streams, 1, self.connections),
            ("streams_per_token", self.streams_per_token, 1, self.streams),
        ];
        for (key, value, least, most) in counts {
            if !(least..=most).contains(&value) {
                return Err(format!("http.limits.{key} is {value}; from {least} to {most} would be right"));
            }
        }
        let times = [("head_s", self.head_s), ("body_s", self.body_s), ("idle_s", self.idle_s), ("stalled_s", self.stalled_s)];
        for (key, value) in times {
            if !(0.1..=3600.0).contains(&value) {
                return Err(format!("http.limits.{key} is {value}; from 0.1 to 3600 seconds would be right"));
            }
        }
        Ok(())
    }

    pub(super) fn head(&self) -> Duration {
        seconds(self.head_s)
    }

    pub(super) fn body(&self) -> Duration {
        seconds(self.body_s)
    }

    pub(super) fn idle(&self) -> Duration {
        seconds(self.idle_s)
    }

    pub(super) fn stalled(&self) -> Duration {
        seconds(self.stalled_s)
    }
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    name.len() <= 253 && name.split('.').all(label)
}

/// `listen = "…"` or `listen = ["…", "…"]`.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    struct Addresses;

    impl<'de> Visitor<'de> for Addresses {
        type Value = Vec<SocketAddr>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address and port such as \"[::]:8080\" or \"127.0.0.1:8080\", or a list of them")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<SocketAddr>, E> {
            let address = text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
            Ok(vec![address])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<SocketAddr>, A::Error> {
            let mut addresses = Vec::new();
            while let Some(address) = list.next_element()? {
                addresses.push(address);
            }
            Ok(addresses)
        }
    }

    deserializer.deserialize_any(Addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let settings: Settings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn defaults_are_those_of_the_book() {
        let Settings { listen, trusted, limits, .. } = read("").unwrap();
        assert_eq!((listen[0].to_string().as_str(), trusted), ("[::]:8080", vec!["lo".to_owned()]));
        assert_eq!((limits.connections, limits.strangers, limits.streams, limits.streams_per_token), (256, 64, 64, 8));
    }

    #[test]
    fn one_address_or_several() {
        assert_eq!(read("listen = '127.0.0.1:0'").unwrap().listen.len(), 1);
        assert_eq!(read("listen = ['127.0.0.1:0', '[::1]:0']").unwrap().listen.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_cure() {
        let cases = [
            ("listen = []", "http.listen is empty"),
            ("listen = 'localhost:80'", "an address and port"),
            ("listen = ['0.0.0.0:80', '[::]:80']", "leave 0.0.0.0:80 out"),
            ("listen = ['[::1]:80', '[::1]:80']", "twice"),
            ("listen = '[::1]:80'\ntls = '[::1]:80'", "twice"),
            ("tls = 'here'", "an address and port"),
            ("tls = '[::]:8443'\ncertificate = 'x'", "http.key is absent"),
            ("tls = '[::]:8443'\nkey = 'x'", "http.certificate is absent"),
            ("certificate = 'x'\nkey = 'x'", "add tls"),
            ("trusted = ['wlan0/24']", "no network interface"),
            ("names = ['http://car.local']", "without scheme"),
            ("origins = ['null']", "no origin"),
            ("origins = ['https://app.example/']", "no origin"),
            ("limits.connections = 0", "http.limits.connections is 0; from 1 to 4096"),
            ("limits.strangers = 300", "from 1 to 256"),
            ("limits.head_s = 0", "from 0.1 to 3600"),
            ("limits.idle_s = nan", "from 0.1 to 3600"),
            ("lisen = '[::]:1'", "unknown field `lisen`"),
        ];
        for (text, sentence) in cases {
            let error = read(text).unwrap_err();
            assert!(error.contains(sentence), "{text}: {error}");
        }
    }
}
