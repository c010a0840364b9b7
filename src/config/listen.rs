//! Whether anybody could reach what is listened on.
//!
//! Plain HTTP is spoken only with those who come over a trusted interface, and sends others to TLS; without TLS an address
//! of another interface would be heard by nobody. Which interface has an address is asked of the kernel; one that none has now may come up later.

use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;

use super::fault::{Findings, Place};
use crate::http;

/// Judges the address `listen` of the doors for phones.
pub fn reachable(place: &Place, listen: SocketAddr, settings: &http::Settings, findings: &mut Findings) {
    let (ip, trusted) = (listen.ip().to_canonical(), &settings.trusted);
    if ip.is_unspecified() || trusted.iter().any(|name| name == "*") {
        return;
    }
    match carrying(ip) {
        Some(interface) if !trusted.contains(&interface) && settings.tls.is_empty() => {
            let message = format!("{listen} is on {interface}, which http.trusted does not name: nobody could sign in there");
            let cure = format!(
                "add \"{interface}\" to http.trusted if everybody on it may listen in, or tls = \"[::]:8443\", or give an address of {}",
                trusted.join(" or ")
            );
            findings.fault(place, "http.listen", message, cure);
        }
        Some(_) => {}
        None => {
            let message = format!("no interface has the address {ip} now");
            findings.warn(place, "http.listen", message, "give an address of this unit, or [::] for all of them");
        }
    }
}

/// Whether two listeners would take one port from each other.
pub fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    one.port() == other.port() && one.port() != 0 && (a == b || a.is_unspecified() || b.is_unspecified())
}

fn carrying(ip: IpAddr) -> Option<String> {
    if ip.is_loopback() {
        return Some("lo".to_owned());
    }
    let has = |address: &nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip()))) == Some(ip)
    };
    getifaddrs().ok()?.find(|interface| interface.address.as_ref().is_some_and(has)).map(|interface| interface.interface_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_an_interface_that_is_not_trusted_is_told() {
        for (listen, trusted, wanted) in [
            ("[::]:8080", "lo", ""),
            ("127.0.0.1:8080", "lo", ""),
            ("[::ffff:127.0.0.1]:8080", "lo", ""),
            ("127.0.0.1:8080", "wlan0", "t:1: http.listen: 127.0.0.1:8080 is on lo, which http.trusted does not name"),
            ("127.0.0.1:8080", "*", ""),
            ("192.0.2.1:8080", "lo", "warning: t:1: http.listen: no interface has the address 192.0.2.1 now"),
        ] {
            let mut findings = Findings::default();
            let mut settings = http::Settings { trusted: vec![trusted.to_owned()], ..http::Settings::default() };
            reachable(&Place::new("t", 1), listen.parse().unwrap(), &settings, &mut findings);
            let told = findings.to_string();
            assert!(told.starts_with(wanted) && told.is_empty() == wanted.is_empty(), "{listen} {trusted}: {told}");
            settings.tls = vec![http::TLS_PORT];
            let mut findings = Findings::default();
            reachable(&Place::new("t", 1), listen.parse().unwrap(), &settings, &mut findings);
            assert!(findings.faults.is_empty(), "with TLS it leads there: {findings}");
        }
    }

    #[test]
    fn a_wildcard_takes_the_port_of_every_address() {
        for (one, other, wanted) in [
            ("[::]:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "[::1]:80", false),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("[::]:0", "[::]:0", false),
        ] {
            assert_eq!(collide(one.parse().unwrap(), other.parse().unwrap()), wanted, "{one} {other}");
        }
    }
}
