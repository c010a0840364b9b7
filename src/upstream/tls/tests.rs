//! Handshakes between a vehicle and servers of every kind, in memory.

use rcgen::ExtendedKeyUsagePurpose;
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::authority::{ALWAYS, Authority, Pair, Years, file};
use super::*;
use crate::clock::Wall;

const HOST: &str = "broker.fleet.example";

/// The year of the build, near enough.
fn built() -> i32 {
    1970 + i32::try_from(Wall::build().micros() / 31_556_952_000_000).unwrap()
}

fn known() -> Clock {
    Clock::scaled(Wall::from_micros(Wall::build().micros() + 1), 1.0)
}

fn unknown() -> Clock {
    Clock::scaled(Wall::from_micros(0), 1.0)
}

fn settings(ca: Option<PathBuf>, own: Option<(PathBuf, PathBuf)>) -> Settings {
    let (certificate, key) = own.unzip();
    Settings { url: format!("mqtts://{HOST}").parse().unwrap(), ca, certificate, key, ..Settings::default() }
}

/// A byte there and back: what a server of TLS 1.3 has against a client comes after the handshake.
async fn meet(tls: &Tls, server: Arc<ServerConfig>) -> Result<(), Trouble> {
    let (ours, theirs) = tokio::io::duplex(1 << 14);
    let serve = async move {
        let mut stream = TlsAcceptor::from(server).accept(theirs).await?;
        let byte = stream.read_u8().await?;
        stream.write_u8(byte).await?;
        stream.flush().await
    };
    let config = tls.config().await.unwrap();
    let connect = async {
        let name = ServerName::try_from(HOST).unwrap();
        let mut stream = TlsConnector::from(config).connect(name, ours).await?;
        stream.write_u8(7).await?;
        stream.read_u8().await.map(drop)
    };
    let (_, met) = tokio::join!(serve, connect);
    met.map_err(|error| tls.explain(&error).unwrap_or_else(|| panic!("{error}")))
}

/// Of a vehicle that trusts `authority`.
fn trusting(folder: &Path, authority: &Authority, clock: Clock) -> Tls {
    Tls::new(&settings(Some(file(folder, "ca.pem", &authority.pem())), None), clock)
}

#[tokio::test]
async fn a_receiver_is_taken_for_what_it_proves_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (Authority::new("Ours"), Authority::new("Others"));
    let namesake = Authority::new("Ours");
    let for_clients = ours.issue(&[HOST], ALWAYS, ExtendedKeyUsagePurpose::ClientAuth);
    let cases = [
        (ours.server(HOST, ALWAYS), None),
        (ours.server("*.fleet.example", ALWAYS), None),
        (ours.server("portal.hotel", ALWAYS), Some("the certificate is for portal.hotel, not for broker.fleet.example")),
        (others.server(HOST, ALWAYS), Some("is signed by an authority that is not in ca")),
        (namesake.server(HOST, ALWAYS), Some("is not signed by the authority that it names")),
        (for_clients, Some("is not one for a server")),
    ];
    for clock in [known(), unknown()] {
        let tls = trusting(folder.path(), &ours, clock);
        for (pair, wanted) in &cases {
            match (meet(&tls, pair.serve(&[], None)).await, wanted) {
                (Ok(()), None) => {}
                (Err(Trouble::Unreachable(told)), Some(wanted)) => assert!(told.contains(wanted), "{told}"),
                (met, wanted) => panic!("{wanted:?} {met:?}"),
            }
        }
    }
}

/// What a receiver whose certificate, and the one above it, are good in these years is to vehicles with these clocks.
async fn judged(clock: Clock, own: Years, above: Years) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::new("Root");
    let middle = root.below("Middle", above);
    let tls = trusting(folder.path(), &root, clock);
    let met = meet(&tls, middle.server(HOST, own).serve(&[&middle], None)).await;
    met.map_err(|trouble| trouble.to_string())
}

#[tokio::test]
async fn a_known_clock_is_strict() {
    let year = built();
    assert_eq!(judged(known(), (year - 1, year + 2), ALWAYS).await, Ok(()));
    let (over, early) = ((year - 5, year - 2), (year + 2, year + 5));
    for (own, above, wanted) in [
        (over, ALWAYS, format!("expired on {}-01-01 00:00Z (here it is {year}-", year - 2)),
        (ALWAYS, over, "renew it there".to_owned()),
        (early, ALWAYS, format!("is not good before {}-01-01 00:00Z (here it is {year}-", year + 2)),
        (ALWAYS, early, "set the clock that is wrong".to_owned()),
    ] {
        let told = judged(known(), own, above).await.unwrap_err();
        assert!(told.contains(&wanted), "{told}");
    }
}

#[tokio::test]
async fn without_the_date_all_but_the_date_is_judged_and_what_was_over_at_the_build_is_over() {
    let year = built();
    let early = (year + 2, year + 5);
    assert_eq!(judged(unknown(), early, ALWAYS).await, Ok(()), "the car was built before its collector's certificate");
    assert_eq!(judged(unknown(), (year + 2, year + 9), (year + 4, year + 5)).await, Ok(()));
    let told = judged(unknown(), (year - 5, year - 2), ALWAYS).await.unwrap_err();
    assert!(told.contains("expired on"), "{told}");
    let told = judged(unknown(), (year + 2, year + 3), (year + 4, year + 5)).await.unwrap_err();
    assert!(told.contains("expired on") || told.contains("is not good before"), "never both at once: {told}");
}

#[tokio::test]
async fn once_the_date_is_known_the_same_vehicle_is_strict() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::new("Root");
    let clock = unknown();
    let tls = trusting(folder.path(), &root, clock.clone());
    let server = root.server(HOST, (built() + 2, built() + 5)).serve(&[], None);
    assert_eq!(meet(&tls, server.clone()).await, Ok(()));
    assert!(!tls.is_clock_known());
    clock.vouch(clock.now(), Wall::from_micros(Wall::build().micros() + 1));
    assert!(tls.is_clock_known());
    let told = meet(&tls, server).await.unwrap_err().to_string();
    assert!(told.contains("is not good before"), "and no session of before is resumed: {told}");
}

fn own(folder: &Path, pair: &Pair) -> (PathBuf, PathBuf) {
    (file(folder, "own.pem", &pair.certificate.pem()), file(folder, "own.key", &pair.key.serialize_pem()))
}

#[tokio::test]
async fn a_receiver_that_wants_to_know_who_we_are_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (root, others) = (Authority::new("Root"), Authority::new("Others"));
    let ca = file(folder.path(), "ca.pem", &root.pem());
    let server = root.server(HOST, ALWAYS).serve(&[], Some(&root));
    for (pair, wanted) in [
        (Some(root.client(ALWAYS)), None),
        (Some(others.client(ALWAYS)), Some("does not")),
        (Some(root.client((2001, 2002))), Some("has expired; renew it")),
        (None, Some("set certificate and key")),
    ] {
        let tls = Tls::new(&settings(Some(ca.clone()), pair.map(|pair| own(folder.path(), &pair))), known());
        match (meet(&tls, server.clone()).await, wanted) {
            (Ok(()), None) => {}
            (Err(Trouble::Refused(told)), Some(wanted)) => assert!(told.contains(wanted), "{told}"),
            (met, wanted) => panic!("{wanted:?} {met:?}"),
        }
    }
}

#[tokio::test]
async fn a_changed_file_counts_from_the_next_connect_and_a_broken_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::new("Root");
    let ca = file(folder.path(), "ca.pem", &root.pem());
    let (before, after) = (root.client((2001, 2002)), root.client(ALWAYS));
    let tls = Tls::new(&settings(Some(ca.clone()), Some(own(folder.path(), &before))), known());
    let server = root.server(HOST, ALWAYS).serve(&[], Some(&root));
    assert!(meet(&tls, server.clone()).await.is_err(), "expired");
    assert!(Arc::ptr_eq(&tls.read().unwrap(), &tls.read().unwrap()), "nothing changed");

    file(folder.path(), "own.pem", &after.certificate.pem());
    assert!(meet(&tls, server.clone()).await.is_err(), "half swapped: the old pair goes on");
    let told = tls.complaint().unwrap().to_string();
    assert_eq!(told, "upstream.key: is the key of another certificate; give the key with which the certificate was asked for");
    file(folder.path(), "own.key", &after.key.serialize_pem());
    assert_eq!(meet(&tls, server.clone()).await, Ok(()));
    assert_eq!(tls.complaint(), None);

    for broken in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&ca, broken).unwrap();
        assert_eq!(meet(&tls, server.clone()).await, Ok(()));
        assert_eq!(tls.complaint().unwrap().key, "ca");
    }
    std::fs::remove_file(&ca).unwrap();
    assert_eq!(meet(&tls, server.clone()).await, Ok(()));
    std::fs::write(&ca, Authority::new("Another").pem()).unwrap();
    assert!(meet(&tls, server).await.is_err());
    assert_eq!(tls.complaint(), None);
}

#[test]
fn keys_are_taken_as_tools_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::new("Root");
    let ca = file(folder.path(), "ca.pem", &root.pem());
    let pair = root.client(ALWAYS);
    let (certificate, pkcs8) = own(folder.path(), &pair);
    // PKCS#8 of a P-256 key ends in the key as SEC1 has it, of 109 bytes (RFC 5958, 2; RFC 5915, 3).
    let der = pair.key.serialize_der();
    let sec1 = pem("EC PRIVATE KEY", &der[der.len() - 109..]);
    let sec1 = file(folder.path(), "sec1.key", &sec1);
    for key in [pkcs8, sec1] {
        let tls = Tls::new(&settings(Some(ca.clone()), Some((certificate.clone(), key))), known());
        tls.read().unwrap();
    }
    let told = |certificate: &Path, key: &Path| {
        let settings = settings(Some(ca.clone()), Some((certificate.to_owned(), key.to_owned())));
        let fault = Tls::new(&settings, known()).read().unwrap_err();
        (fault.key, fault.to_string())
    };
    let locked = file(folder.path(), "locked.key", &pem("ENCRYPTED PRIVATE KEY", &[1, 2, 3]));
    assert!(told(&certificate, &locked).1.contains("without a passphrase"));
    let odd = file(folder.path(), "odd.key", &pem("PRIVATE KEY", &[1, 2, 3]));
    assert!(told(&certificate, &odd).1.contains("ECDSA P-256"));
    assert_eq!(told(&locked, &odd).0, "certificate");
    assert!(told(&certificate, &folder.path().join("none")).1.contains("none: No such file"));
    let long = file(folder.path(), "long", &"-".repeat((1 << 20) + 1));
    assert!(told(&certificate, &long).1.contains("longer than 1 MiB"));
}

fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        (0..4).for_each(|at| {
            text.push(match at <= chunk.len() {
                true => char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]),
                false => '=',
            })
        });
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn faults_are_found_however_they_are_wrapped() {
    let tls = Tls::new(&settings(None, None), known());
    let inside = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
    let wrapped = std::io::Error::other(std::io::Error::new(std::io::ErrorKind::InvalidData, inside));
    let Some(Trouble::Unreachable(told)) = tls.explain(&wrapped) else { panic!() };
    assert!(told.contains("does not speak TLS on this port"), "{told}");
    assert_eq!(tls.explain(&std::io::Error::other("no TLS in it")), None);
}
