//! Where phones find the page: what the link of a pairing begins with.
//!
//! By the first of `http.names`; else by the first address that is listened at; where that is every address, by one of a
//! trusted interface that phones can reach. Looked up when it is asked for, since an access point comes and goes.

use std::net::{IpAddr, SocketAddr};

use super::interfaces::Trusted;

/// The way in, for who opens pairing.
#[derive(Clone, Debug)]
pub struct Entrance {
    pub(super) address: Option<SocketAddr>,
    pub(super) name: Option<String>,
    pub(super) trusted: Trusted,
}

impl Entrance {
    /// The page's address, `http://HOST:PORT/`.
    pub fn url(&self) -> String {
        url(self.address, self.name.as_deref(), || self.trusted.reachable())
    }
}

fn url(address: Option<SocketAddr>, name: Option<&str>, reachable: impl FnOnce() -> Option<IpAddr>) -> String {
    let port = address.map_or(0, |address| address.port());
    match (name, address) {
        (Some(name), _) => format!("http://{name}:{port}/"),
        (None, Some(address)) if !address.ip().is_unspecified() => format!("http://{address}/"),
        _ => match reachable() {
            Some(ip) => format!("http://{}/", SocketAddr::new(ip, port)),
            None => format!("http://localhost:{port}/"),
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
        assert_eq!(url(any, Some("car.local"), || access_point), "http://car.local:8080/");
        assert_eq!(url("10.0.0.7:80".parse().ok(), None, || access_point), "http://10.0.0.7:80/");
        assert_eq!(url(any, None, || access_point), "http://192.168.4.1:8080/");
        assert_eq!(url(any, None, || six), "http://[fd00::1]:8080/");
        assert_eq!(url(any, None, || None), "http://localhost:8080/");
    }
}
