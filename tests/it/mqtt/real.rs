//! mosquitto and nats-server from the distribution.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tempfile::TempDir;

use super::script::PATIENCE;
use super::server::{Server, Subscriber, publish};
use super::*;

const ANYBODY: &str = "listener {port} 127.0.0.1\nallow_anonymous true\n";

/// Sends until all is acknowledged.
async fn deliver(way: &mut Way, batch: &[Message]) {
    let begun = std::time::Instant::now();
    let mut done = 0;
    while done < batch.len() {
        let sent = way.broker.send(&batch[done..]).await;
        done += sent.acknowledged;
        assert!(begun.elapsed() < PATIENCE, "{:?}", sent.trouble);
        if sent.trouble.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The next that the fleet wants, kept in touch as the loop does while it has nothing to send.
async fn wanted(way: &mut Way) -> Desired {
    let begun = std::time::Instant::now();
    loop {
        way.broker.send(&[]).await;
        let desired = way.desired.as_mut().unwrap();
        if let Ok(wanted) = tokio::time::timeout(Duration::from_millis(100), desired.recv()).await {
            return wanted.unwrap();
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is wanted");
    }
}

/// All of a vehicle: its status first, then a hundred events in order, and its farewell.
async fn story(server: &Server, version: &str) {
    let Some(mut subscriber) = Subscriber::new(server, version, "telltale/#").await else { return };
    let mut way = way(here(server.port));
    let said = |topic: &str, payload: &str| format!("0 telltale/{VIN}/{topic} {payload}");
    let sent = way.broker.send(&[]).await;
    assert_eq!(sent.trouble, None);
    assert_eq!(subscriber.next().await, said("status", r#"{"state":"online"}"#));
    for batch in messages(0..96).chunks(16) {
        deliver(&mut way, batch).await;
    }
    for n in 0..96 {
        assert_eq!(subscriber.next().await, said("events/child", &format!(r#"{{"id":"{n}"}}"#)));
    }
    way.status.send_replace(r#"{"state":"online","unsent":0}"#.into());
    assert_eq!(subscriber.next().await, said("status", r#"{"state":"online","unsent":0}"#));
    // Who comes later is told the status.
    let mut later = Subscriber::new(server, version, "telltale/+/status").await.unwrap();
    assert_eq!(later.next().await, format!("1 telltale/{VIN}/status {}", r#"{"state":"online","unsent":0}"#));
    way.broker.leave().await;
    assert_eq!(subscriber.next().await, said("status", r#"{"state":"offline"}"#));
}

#[tokio::test]
async fn mosquitto_is_told_everything_in_mqtt_5() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::mosquitto(&folder, ANYBODY) else { return };
    story(&server, "mqttv5").await;
}

#[tokio::test]
async fn nats_is_told_everything_in_3_1_1_and_refuses_5() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::nats(&folder) else { return };
    let five = Settings { protocol: Some(Protocol::V5), ..here(server.port) };
    unreachable(&way(five).broker.send(&[]).await, "before it answered");
    story(&server, "mqttv311").await;
}

#[tokio::test]
async fn what_is_wanted_is_answered_at_each_connect() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = Server::mosquitto(&folder, &format!("{ANYBODY}persistence false\n")) else { return };
    let mut way = way(Settings { desired: true, ..here(server.port) });
    for _ in 0..2 {
        publish(&server, "mqttv5", &["-r", "-t", &format!("telltale/{VIN}/desired/settings"), "-m", "{}"]);
        let Some(mut reported) = Subscriber::new(&server, "mqttv5", "telltale/+/reported/+").await else { return };
        let wanted = wanted(&mut way).await;
        assert_eq!(wanted.document.as_ref(), b"{}");
        wanted.reply.send(Bytes::from_static(b"taken")).unwrap();
        assert_eq!(reported.next().await, format!("0 telltale/{VIN}/reported/settings taken"));
        server.kill_and_start();
    }
}

#[tokio::test]
async fn a_document_that_is_too_long_is_kept_back_by_mosquitto() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::mosquitto(&folder, ANYBODY) else { return };
    let long = file(&folder, "long", &" ".repeat(300 * 1024));
    publish(&server, "mqttv5", &["-r", "-t", &format!("telltale/{VIN}/desired/fences"), "-f", long.to_str().unwrap()]);
    publish(&server, "mqttv5", &["-r", "-t", &format!("telltale/{VIN}/desired/settings"), "-m", "{}"]);
    let mut way = way(Settings { desired: true, ..here(server.port) });
    deliver(&mut way, &messages(0..16)).await;
    assert_eq!(wanted(&mut way).await.document.as_ref(), b"{}");
    assert_eq!(way.broker.send(&messages(16..17)).await.acknowledged, 1);
}

#[tokio::test]
async fn mosquitto_killed_between_two_batches_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = Server::mosquitto(&folder, ANYBODY) else { return };
    let mut way = way(here(server.port));
    deliver(&mut way, &messages(0..16)).await;
    server.kill_and_start();
    let Some(mut subscriber) = Subscriber::new(&server, "mqttv5", "telltale/+/events/#").await else { return };
    deliver(&mut way, &messages(16..32)).await;
    let mut last = String::new();
    while last != format!(r#"0 telltale/{VIN}/events/child {{"id":"31"}}"#) {
        last = subscriber.next().await;
    }
}

#[tokio::test]
async fn rights_and_sizes_that_mosquitto_denies() {
    let folder = tempfile::tempdir().unwrap();
    let acl = file(&folder, "acl", "topic write telltale/+/status\n");
    let lines = format!("{ANYBODY}acl_file {}\n", acl.display());
    let Some(server) = Server::mosquitto(&folder, &lines) else { return };
    let sent = way(here(server.port)).broker.send(&messages(0..2)).await;
    assert_eq!(sent.acknowledged, 0);
    refused(&sent, "does not let this vehicle publish on its topics");
    // Of 3.1.1 it acknowledges what it drops: only its own log tells.
    let sent = way(older(server.port)).broker.send(&messages(0..2)).await;
    assert_eq!((sent.acknowledged, sent.trouble), (2, None));

    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::mosquitto(&folder, &format!("{ANYBODY}message_size_limit 200\n")) else { return };
    let mut way = way(here(server.port));
    let mut batch = messages(0..3);
    batch[1].json = Bytes::from(vec![b' '; 300]);
    let sent = way.broker.send(&batch).await;
    assert!(matches!(sent.trouble, Some(Trouble::Unreachable(_))), "{:?}", sent.trouble);
    let sent = way.broker.send(&batch[sent.acknowledged..]).await;
    assert!(matches!(sent.trouble, Some(Trouble::Rejected(_))), "{:?}", sent.trouble);
    assert_eq!(way.broker.send(&batch[2..]).await.acknowledged, 1);
}

#[tokio::test]
async fn a_password_that_mosquitto_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let Some(hashes) = super::server::program("mosquitto_passwd") else { return };
    let passwords = file(&folder, "passwords", "");
    let done = std::process::Command::new(hashes).arg("-b").arg(&passwords).args(["car", "secret"]).status().unwrap();
    assert!(done.success());
    let lines = format!("listener {{port}} 127.0.0.1\npassword_file {}\n", passwords.display());
    let Some(server) = Server::mosquitto(&folder, &lines) else { return };
    let password = file(&folder, "password", "wrong\n");
    let settings = Settings { username: Some("car".to_owned()), password_file: Some(password), ..here(server.port) };
    let mut way = way(settings);
    refused(&way.broker.send(&messages(0..1)).await, "upstream.");
    // It is mended without a restart.
    file(&folder, "password", "secret\n");
    assert_eq!(way.broker.send(&messages(0..1)).await.acknowledged, 1);
}

/// An authority, with a server's and a client's certificate of it, as files.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, folder: &TempDir, name: &str, usage: ExtendedKeyUsagePurpose) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (file(folder, &format!("{name}.pem"), &certificate.pem()), file(folder, &format!("{name}.key"), &key.serialize_pem()))
    }
}

#[tokio::test]
async fn mosquitto_asks_for_certificates_and_a_swapped_one_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let ca = file(&folder, "ca.pem", &ours.0.pem());
    let (certificate, key) = ours.sign(&folder, "server", ExtendedKeyUsagePurpose::ServerAuth);
    let lines = format!(
        "listener {{port}} 127.0.0.1\nallow_anonymous true\nrequire_certificate true\ncafile {}\ncertfile {}\nkeyfile {}\n",
        ca.display(),
        certificate.display(),
        key.display()
    );
    let Some(server) = Server::mosquitto(&folder, &lines) else { return };
    let tls = |ca: &PathBuf| Settings { ca: Some(ca.clone()), ..to(&format!("mqtts://localhost:{}", server.port)) };
    // None; one of another authority; one of ours.
    refused(&way(tls(&ca)).broker.send(&[]).await, "certificate");
    let (certificate, key) = theirs.sign(&folder, "car", ExtendedKeyUsagePurpose::ClientAuth);
    let mut way_in = way(Settings { certificate: Some(certificate), key: Some(key), ..tls(&ca) });
    refused(&way_in.broker.send(&[]).await, "certificate");
    ours.sign(&folder, "car", ExtendedKeyUsagePurpose::ClientAuth);
    let sent = way_in.broker.send(&messages(0..16)).await;
    assert_eq!((sent.acknowledged, sent.trouble), (16, None));
    // Who shows a certificate of another authority is not the broker.
    let stranger = file(&folder, "stranger.pem", &theirs.0.pem());
    unreachable(&way(tls(&stranger)).broker.send(&[]).await, "authority");
    // A broker that speaks no TLS there.
    let plain = tempfile::tempdir().unwrap();
    let Some(server) = Server::mosquitto(&plain, ANYBODY) else { return };
    let settings = Settings { ca: Some(ca), ..to(&format!("mqtts://localhost:{}", server.port)) };
    assert!(matches!(way(settings).broker.send(&[]).await.trouble, Some(Trouble::Unreachable(_))));
}
