//! Where phones find the page: what the link of a pairing begins with.
//!
//! Over TLS where there is any, with its pin. By the first of `http.names`; else by the name that discovery tells; else by
//! the first address that is listened at; where that is every address, by one that phones can reach: of any interface with
//! TLS, of a trusted one without. Looked up when it is asked for, since an access point comes and goes.

use std::net::{IpAddr, SocketAddr};

use super::discovery::Discovery;
use super::interfaces::Trusted;
use super::tls::Tls;

/// The way in, for who opens pairing.
#[derive(Clone, Debug)]
pub struct Entrance {
    pub(super) address: Option<SocketAddr>,
    pub(super) name: Option<String>,
    pub(super) trusted: Trusted,
    pub(super) tls: Option<Tls>,
    pub(super) discovery: Option<Discovery>,
}

impl Entrance {
    /// The page's address, `https://HOST:PORT/`, or `http` where there is no TLS.
    pub fn url(&self) -> String {
        let (scheme, reach) = match &self.tls {
            Some(_) => ("https", Trusted::everything()),
            None => ("http", self.trusted.clone()),
        };
        // A name by multicast is for phones; who has no TLS has no certificate that would have to bear it.
        let told = self.tls.as_ref().and(self.discovery.as_ref()).and_then(Discovery::name_in_use);
        url(scheme, self.address, self.name.as_deref().or(told.as_deref()), || reach.reachable())
    }

    /// The SHA-256 of the public key that TLS shows, in hex.
    pub fn pin(&self) -> Option<String> {
        self.tls.as_ref().map(Tls::pin)
    }
}

fn url(scheme: &str, address: Option<SocketAddr>, name: Option<&str>, reachable: impl FnOnce() -> Option<IpAddr>) -> String {
    let port = address.map_or(0, |address| address.port());
    match (name, address) {
        (Some(name), _) => format!("{scheme}://{name}:{port}/"),
        (None, Some(address)) if !address.ip().is_unspecified() => format!("{scheme}://{address}/"),
        _ => match reachable() {
            Some(ip) => format!("{scheme}://{}/", SocketAddr::new(ip, port)),
            None => format!("{scheme}://localhost:{port}/"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_before_an_address_and_one_that_phones_reach_before_localhost() {
        let any = "[::]:8080".parse().ok();
        let (access_point, six) = ("192.168.4.1".parse().ok(), "fd00::1".parse().ok());
        assert_eq!(url("https", any, Some("car.local"), || access_point), "https://car.local:8080/");
        assert_eq!(url("http", "10.0.0.7:80".parse().ok(), None, || access_point), "http://10.0.0.7:80/");
        assert_eq!(url("http", any, None, || access_point), "http://192.168.4.1:8080/");
        assert_eq!(url("http", any, None, || six), "http://[fd00::1]:8080/");
        assert_eq!(url("http", any, None, || None), "http://localhost:8080/");
    }
}
