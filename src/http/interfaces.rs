//! On which network interface a connection arrived, and whether plain HTTP may carry a token there.
//!
//! Asked anew for each connection, since an access point comes and goes: an address is looked up among those the kernel
//! says the interfaces have now.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

/// The interfaces of `http.trusted`.
#[derive(Clone, Debug)]
pub(super) struct Trusted(Vec<String>);

impl Trusted {
    pub(super) fn new(names: &[String]) -> Trusted {
        Trusted(names.to_vec())
    }

    /// Whether the interface that has `local`, the unit's end of a connection, is trusted.
    pub(super) fn allows(&self, local: IpAddr) -> bool {
        self.0.iter().any(|name| name == "*") || carrying(local).is_some_and(|found| self.0.contains(&found))
    }
}

/// The interface that has this address; `None` where none has it now.
pub(super) fn carrying(address: IpAddr) -> Option<String> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return Some("lo".to_owned());
    }
    let found = getifaddrs().ok()?.find(|interface| interface.address.is_some_and(|has| ip(&has) == Some(address)));
    found.map(|interface| interface.interface_name)
}

fn ip(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_lo_in_every_spelling() {
        let trusted = Trusted::new(&["lo".to_owned()]);
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(trusted.allows(address.parse().unwrap()), "{address}");
        }
        assert!(!trusted.allows("192.0.2.1".parse().unwrap()), "no interface has it");
        assert!(!Trusted::new(&["wlan0".to_owned()]).allows("127.0.0.1".parse().unwrap()));
        assert!(Trusted::new(&["*".to_owned()]).allows("192.0.2.1".parse().unwrap()));
    }
}
