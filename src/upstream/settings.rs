//! What a site may set of one way to its fleet, and what is refused before anything is sent.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use hyper::http::Uri;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::event::Kind;

/// So many upstreams a site may have.
pub const MOST: usize = 4;

/// One `[[upstream]]` of the site's file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Names its cursors, its metrics and its line in `/healthz`: `[a-z0-9-]`, 32 at most. Left out it is made of the host
    /// ([`Settings::named`]); another name is another receiver, to whom everything is sent anew.
    pub name: String,
    /// The broker or the collector.
    pub url: Url,
    /// Which events go up; what is published to members never does.
    pub kinds: Vec<Kind>,
    /// Whether the track goes up.
    pub track: bool,
    /// The authorities that the receiver's certificate may come from, PEM; without it those of the system.
    pub ca: Option<PathBuf>,
    /// The vehicle's own certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// MQTT: who signs in.
    pub username: Option<String>,
    /// MQTT: the file that holds the password.
    pub password_file: Option<PathBuf>,
    /// HTTPS: the file that holds the bearer token.
    pub token_file: Option<PathBuf>,
    /// HTTPS: the `Member-ID` header; without it the VIN.
    pub member: Option<String>,
    /// MQTT: the version spoken. Without it 5, and 3.1.1 where the broker does not speak that.
    pub protocol: Option<Protocol>,
    /// Of a metered link: bytes a day, by the UTC date. Child, geofence and diagnosis events count, and never wait for it.
    pub budget_bytes: Option<u64>,
    /// MQTT: whether the fleet may set fences and settings here.
    pub desired: bool,
    /// Whether `http://` and `mqtt://` may lead out of this unit.
    pub clear_text: bool,
    /// This message, counted from 1, is taken for acknowledged without being sent, so that a test can prove that its count
    /// catches a lost one; 0 is none. Debug builds only.
    #[cfg(debug_assertions)]
    pub drop_event: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: String::new(),
            url: Url::default(),
            kinds: vec![Kind::Child, Kind::Geofence, Kind::Diagnosis, Kind::Trip],
            track: true,
            ca: None,
            certificate: None,
            key: None,
            username: None,
            password_file: None,
            token_file: None,
            member: None,
            protocol: None,
            budget_bytes: None,
            desired: false,
            clear_text: false,
            #[cfg(debug_assertions)]
            drop_event: 0,
        }
    }
}

/// How the receiver is spoken with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// MQTT in clear text; port 1883.
    Mqtt,
    /// MQTT over TLS; port 8883.
    #[default]
    Mqtts,
    /// HTTP in clear text; port 80.
    Http,
    /// HTTPS; port 443.
    Https,
}

impl Scheme {
    const ALL: [Scheme; 4] = [Scheme::Mqtt, Scheme::Mqtts, Scheme::Http, Scheme::Https];

    /// As it stands in a URL.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Mqtt => "mqtt",
            Scheme::Mqtts => "mqtts",
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Scheme::Mqtt => 1883,
            Scheme::Mqtts => 8883,
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    /// Whether it is one of MQTT.
    pub const fn is_mqtt(self) -> bool {
        matches!(self, Scheme::Mqtt | Scheme::Mqtts)
    }

    /// Whether it is over TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Scheme::Mqtts | Scheme::Https)
    }
}

/// Where the receiver is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// How it is spoken with.
    pub scheme: Scheme,
    /// A name, or an address without brackets.
    pub host: String,
    /// The port, the scheme's own where the URL has none.
    pub port: u16,
    /// Path and query; empty where there is none.
    pub path: String,
}

impl Url {
    /// Whether what is sent there does not leave this unit.
    pub fn is_loopback(&self) -> bool {
        let name = self.host.eq_ignore_ascii_case("localhost");
        name || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Url { scheme, host, port, path } = self;
        match host.contains(':') {
            true => write!(f, "{}://[{host}]:{port}{path}", scheme.name()),
            false => write!(f, "{}://{host}:{port}{path}", scheme.name()),
        }
    }
}

/// What a URL has to look like.
pub const SHAPE: &str = "give scheme and host, such as \"mqtts://broker.example:8883\" or \"https://fleet.example/events\"";

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Url, String> {
        let shapeless = || format!("is no address of a broker or collector; {SHAPE}");
        let uri: Uri = text.parse().map_err(|_| shapeless())?;
        let scheme = Scheme::ALL.into_iter().find(|scheme| uri.scheme_str() == Some(scheme.name())).ok_or_else(shapeless)?;
        let authority = uri.authority().ok_or_else(shapeless)?;
        if authority.as_str().contains('@') {
            return Err("holds a sign-in; put it into files of its own: username and password_file, or token_file".to_owned());
        }
        let host = host_of(authority.host()).ok_or_else(shapeless)?.to_owned();
        let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let port = match rest.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|port| *port != 0).ok_or_else(shapeless)?,
            None => scheme.port(),
        };
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let path = if path == "/" { String::new() } else { path.to_owned() };
        if !rest.is_empty() && !rest.starts_with(':') {
            return Err(shapeless());
        }
        if scheme.is_mqtt() && !path.is_empty() {
            return Err(format!("leads to {path}, and a broker has no such paths; leave it out: topics begin with telltale/"));
        }
        Ok(Url { scheme, host, port, path })
    }
}

/// A name, or an address: one of IPv6 in brackets, which are taken off.
fn host_of(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = inner {
        return address.parse::<Ipv6Addr>().is_ok().then_some(address);
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (!text.is_empty() && text.bytes().all(fits)).then_some(text)
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    /// MQTT 5.0.
    #[serde(rename = "5")]
    V5,
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
}

impl Settings {
    /// Whether it makes sense together.
    ///
    /// # Errors
    /// A sentence that names the key and says what would be right.
    pub fn check(&self) -> Result<(), String> {
        let Settings { name, url, kinds, .. } = self;
        if url.host.is_empty() {
            return Err(format!("upstream.url is absent; {SHAPE}"));
        }
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.len() > LONGEST_NAME || !name.bytes().all(fits) {
            return Err("upstream.name has to be up to 32 of a to z, 0 to 9 and -; such as \"fleet\"".to_owned());
        }
        if kinds.contains(&Kind::Published) {
            return Err(
                "upstream.kinds: published events are between members and stay here; name child, geofence, diagnosis, trip"
                    .to_owned(),
            );
        }
        if kinds.is_empty() && !self.track {
            return Err("upstream.kinds is empty and track is false: nothing would be sent".to_owned());
        }
        if !url.scheme.is_tls() && !url.is_loopback() && !self.clear_text {
            let (own, tls) = (url.scheme.name(), if url.scheme.is_mqtt() { "mqtts" } else { "https" });
            return Err(format!(
                "upstream.url is {own}:// and leads out of this unit: everybody on the way could read where the car is; \
                 write {tls}://, or set clear_text = true"
            ));
        }
        self.check_tls()?;
        self.check_scheme()
    }

    fn check_tls(&self) -> Result<(), String> {
        let files = [("ca", &self.ca), ("certificate", &self.certificate), ("key", &self.key)];
        if let Some((key, _)) = files.iter().find(|(_, file)| file.is_some() && !self.url.scheme.is_tls()) {
            return Err(format!("upstream.{key} is for TLS, which this url does not speak; write mqtts:// or https://"));
        }
        match (&self.certificate, &self.key) {
            (Some(_), None) => Err("upstream.certificate stands alone; add the file of its key: key = \"FILE\"".to_owned()),
            (None, Some(_)) => Err("upstream.key stands alone; add its certificate = \"FILE\"".to_owned()),
            _ => Ok(()),
        }
    }

    /// Each way has keys of its own.
    fn check_scheme(&self) -> Result<(), String> {
        let of_mqtt = [
            ("username", self.username.is_some()),
            ("password_file", self.password_file.is_some()),
            ("protocol", self.protocol.is_some()),
            ("desired", self.desired),
        ];
        let of_http = [("token_file", self.token_file.is_some()), ("member", self.member.is_some())];
        let (wrong, own, cure) = match self.url.scheme.is_mqtt() {
            true => (of_http.as_slice(), "HTTP", "a broker takes username and password_file, or a certificate"),
            false => (of_mqtt.as_slice(), "MQTT", "a collector takes token_file, or a certificate"),
        };
        if let Some((key, _)) = wrong.iter().find(|(_, set)| *set) {
            return Err(format!("upstream.{key} is of {own}, which this url does not speak; {cure}"));
        }
        if self.password_file.is_some() && self.username.is_none() {
            return Err("upstream.password_file stands alone; add the username that it is for".to_owned());
        }
        let header =
            |member: &String| !member.is_empty() && member.len() <= 64 && member.bytes().all(|byte| byte.is_ascii_graphic());
        match &self.member {
            Some(member) if !header(member) => {
                Err("upstream.member has to be 1 to 64 printable characters of ASCII without spaces".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The same with a name, made of the host where it has none: `broker.example` is `broker-example`.
    #[must_use]
    pub fn named(mut self) -> Settings {
        if self.name.is_empty() {
            let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
            self.name = self.url.host.chars().map(fit).take(LONGEST_NAME).collect();
        }
        self
    }

    /// Whether this message, counted from 1, is taken for acknowledged unsent: never in a release build.
    pub(super) fn drops(&self, message: u64) -> bool {
        #[cfg(debug_assertions)]
        let drops = self.drop_event == message && message != 0;
        #[cfg(not(debug_assertions))]
        let drops = {
            let _ = message;
            false
        };
        drops
    }
}

const LONGEST_NAME: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to(url: &str) -> Settings {
        Settings { url: url.parse().unwrap(), ..Settings::default() }
    }

    #[test]
    fn addresses_of_brokers_and_collectors() {
        for (text, wanted) in [
            ("mqtts://broker.example:8884", Some("mqtts://broker.example:8884")),
            ("mqtt://127.0.0.1", Some("mqtt://127.0.0.1:1883")),
            ("mqtts://[2001:db8::1]", Some("mqtts://[2001:db8::1]:8883")),
            ("https://fleet.example/events?x=1", Some("https://fleet.example:443/events?x=1")),
            ("http://localhost:9000/", Some("http://localhost:9000")),
            ("ftp://fleet.example", None),
            ("https:///events", None),
            ("https://fleet.example:0", None),
            ("https://fleet.example:70000", None),
            ("https://fleet.example:", None),
            ("broker.example", None),
            ("broker.example:8883", None),
            ("mqtt://a b", None),
            ("mqtt://a[]", None),
            ("mqtt://[fleet]", None),
            ("mqtt://me:secret@broker.example", None),
            ("mqtt://broker.example/topic", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Url>().ok().map(|url| url.to_string()).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_key_and_its_cure() {
        let file = || Some(PathBuf::from("f"));
        for (settings, wanted) in [
            (Settings::default(), "upstream.url is absent; give"),
            (to("mqtt://broker.example"), "upstream.url is mqtt:// and leads out of this unit"),
            (Settings { name: "Fleet".to_owned(), ..to("mqtts://b") }, "upstream.name has to be"),
            (Settings { kinds: vec![Kind::Published], ..to("mqtts://b") }, "upstream.kinds: published events"),
            (Settings { kinds: vec![], track: false, ..to("mqtts://b") }, "upstream.kinds is empty"),
            (Settings { ca: file(), ..to("mqtt://localhost") }, "upstream.ca is for TLS"),
            (Settings { certificate: file(), ..to("mqtts://b") }, "upstream.certificate stands alone; add"),
            (Settings { key: file(), ..to("mqtts://b") }, "upstream.key stands alone; add"),
            (Settings { token_file: file(), ..to("mqtts://b") }, "upstream.token_file is of HTTP"),
            (Settings { desired: true, ..to("https://b") }, "upstream.desired is of MQTT"),
            (Settings { password_file: file(), ..to("mqtts://b") }, "upstream.password_file stands alone"),
            (Settings { member: Some("a b".to_owned()), ..to("https://b") }, "upstream.member has to be"),
        ] {
            let told = settings.check().unwrap_err();
            assert!(told.starts_with(wanted), "{told}");
        }
        for settings in [
            to("mqtt://localhost:1883"),
            to("http://[::1]:8080"),
            Settings { clear_text: true, ..to("mqtt://broker.example") },
            Settings { ca: file(), certificate: file(), key: file(), desired: true, ..to("mqtts://b") },
            Settings { kinds: vec![], ..to("https://b") },
        ] {
            assert_eq!(settings.check(), Ok(()));
        }
    }

    #[test]
    fn a_name_is_made_of_the_host() {
        assert_eq!(to("mqtts://Broker.Example").named().name, "broker-example");
        assert_eq!(to("mqtts://[::1]").named().name, "--1");
        assert_eq!(Settings { name: "fleet".to_owned(), ..to("mqtts://b") }.named().name, "fleet");
    }

    #[test]
    fn the_versions_of_mqtt_are_called_by_their_names() {
        assert_eq!(serde_json::from_str::<Protocol>("\"3.1.1\"").ok(), Some(Protocol::V311));
        assert_eq!(serde_json::from_str::<Protocol>("\"5\"").ok(), Some(Protocol::V5));
    }

    proptest! {
        #[test]
        fn a_url_reads_back_as_it_is_shown(text in "(mqtts?|https?|x)://[a-z.\\[\\]:@0-9]{0,12}(:[0-9]{0,6})?(/[a-z?/]{0,6})?") {
            if let Ok(url) = text.parse::<Url>() {
                prop_assert_eq!(url.to_string().parse::<Url>(), Ok(url.clone()), "{}", url);
                prop_assert!(!url.host.is_empty() && url.port != 0);
                let named = Settings { url, ..Settings::default() }.named();
                prop_assert!(named.check().is_ok() || !named.url.scheme.is_tls());
            }
        }
    }
}
