//! Brokers that go, refuse, mix up, babble and stay silent.

use std::time::Duration;

use proptest::prelude::*;
use telltale::upstream::desired::Wish;
use tokio::join;

use super::script::{PATIENCE, Peer, Script};
use super::*;

/// Reads so many messages, acknowledges none.
async fn read(peer: &mut Peer, count: usize) -> Vec<u16> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(peer.message().await.id);
    }
    ids
}

/// Reads so many messages, and acknowledges each; their payloads.
async fn take(peer: &mut Peer, count: usize) -> Vec<String> {
    let mut payloads = Vec::new();
    for _ in 0..count {
        let message = peer.message().await;
        peer.puback(message.id).await;
        payloads.push(message.payload);
    }
    payloads
}

/// The status comes, and is acknowledged.
async fn told(peer: &mut Peer, wanted: &str) {
    let publish = peer.any_publish().await.unwrap();
    assert_eq!((publish.topic.as_str(), publish.payload.as_str()), ("telltale/KMHSH81C7LU123456/status", wanted));
    assert_eq!((publish.qos, publish.retain), (1, true));
    peer.puback(publish.id).await;
}

fn payloads(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!(r#"{{"id":"{n}"}}"#)).collect()
}

#[tokio::test]
async fn a_batch_goes_out_in_order_with_all_that_belongs_to_it() {
    for level in [5, 4] {
        let script = Script::new().await;
        let folder = tempfile::tempdir().unwrap();
        let mut settings = if level == 5 { here(script.port) } else { older(script.port) };
        settings.username = Some("car".to_owned());
        settings.password_file = Some(file(&folder, "password", "secret\n"));
        let mut way = way(settings);
        let batch = messages(0..3);
        let (sent, peer) = join!(way.broker.send(&batch), async {
            let mut peer = script.welcome().await;
            for n in 0..3 {
                let message = peer.message().await;
                assert_eq!(message.topic, "telltale/KMHSH81C7LU123456/events/child");
                assert_eq!(message.payload, format!(r#"{{"id":"{n}"}}"#));
                assert_eq!((message.qos, message.retain, message.dup), (1, false, false));
                let content_type = b"\x03\x00\x1capplication/cloudevents+json".as_slice();
                assert_eq!(message.properties, if level == 5 { content_type } else { b"" });
                peer.puback(message.id).await;
            }
            peer
        });
        assert_eq!((sent.acknowledged, &sent.trouble), (3, &None));
        assert!(sent.bytes >= 3 * 60 && sent.bytes <= peer.bytes, "{} of {}", sent.bytes, peer.bytes);
        let connect = &peer.connect;
        assert_eq!((connect.level, connect.clean, connect.keep_alive), (level, true, 30));
        assert_eq!(connect.client_id, "telltale-KMHSH81C7LU123456");
        let will = ("telltale/KMHSH81C7LU123456/status".to_owned(), r#"{"state":"offline"}"#.to_owned(), 1, true);
        assert_eq!(connect.will, Some(will));
        assert_eq!((connect.username.as_deref(), connect.password.as_deref()), (Some("car"), Some("secret")));
    }
}

#[tokio::test]
async fn acknowledgements_in_any_order_are_all_counted() {
    for protocol in [Protocol::V5, Protocol::V311] {
        let script = Script::new().await;
        let mut way = way(Settings { protocol: Some(protocol), ..here(script.port) });
        let batch = messages(0..16);
        let (sent, ()) = join!(way.broker.send(&batch), async {
            let mut peer = script.welcome().await;
            // All sixteen may be on their way beside the status, which is one of the window.
            let status = peer.any_publish().await.unwrap();
            assert!(status.topic.ends_with("/status") && status.retain);
            peer.puback(status.id).await;
            for id in read(&mut peer, 16).await.into_iter().rev() {
                peer.puback(id).await;
            }
            std::mem::forget(peer);
        });
        assert_eq!((sent.acknowledged, sent.trouble), (16, None));
    }
}

#[tokio::test]
async fn what_was_on_its_way_when_the_broker_went_is_not_acknowledged_and_not_sent_by_itself() {
    for protocol in [Protocol::V5, Protocol::V311] {
        let script = Script::new().await;
        let mut way = way(Settings { protocol: Some(protocol), ..here(script.port) });
        let batch = messages(0..4);
        let (sent, ()) = join!(way.broker.send(&batch), async {
            let mut peer = script.welcome().await;
            let ids = read(&mut peer, 4).await;
            // The first, and one further on, whose predecessors nobody vouches for.
            peer.puback(ids[0]).await;
            peer.puback(ids[2]).await;
        });
        assert_eq!(sent.acknowledged, 1);
        unreachable(&sent, "closed the connection");
        let (sent, ()) = join!(way.broker.send(&batch[1..]), async {
            let mut peer = script.welcome().await;
            assert!(peer.connect.clean);
            for n in 1..4 {
                let message = peer.message().await;
                assert_eq!((message.payload, message.dup), (format!(r#"{{"id":"{n}"}}"#), false));
                peer.puback(message.id).await;
            }
            std::mem::forget(peer);
        });
        assert_eq!((sent.acknowledged, sent.trouble), (3, None));
    }
}

#[tokio::test]
async fn a_send_that_is_dropped_leaves_nothing_that_is_taken_for_an_acknowledgement() {
    let script = Script::new().await;
    let mut way = way(here(script.port));
    let (_, mut peer) = join!(way.broker.send(&[]), script.welcome());
    let batch = messages(0..2);
    let dropped = tokio::select! {
        _ = way.broker.send(&batch) => unreachable!("nobody acknowledges"),
        ids = read(&mut peer, 2) => ids,
    };
    // The late acknowledgements come to a connection that nobody listens to any more, with the will left in force.
    let batch = messages(7..9);
    let (sent, _peers) = join!(way.broker.send(&batch), async {
        for id in dropped {
            peer.puback(id).await;
        }
        let mut next = script.welcome().await;
        assert_eq!(take(&mut next, 1).await, payloads(7..8));
        read(&mut next, 1).await;
        drop(next);
        while let Some(packet) = peer.packet().await {
            assert_ne!(packet.first, 0xE0, "a DISCONNECT");
        }
        peer
    });
    assert_eq!(sent.acknowledged, 1);
    unreachable(&sent, "closed the connection");
    // Left after such a one, it says good-bye.
    let (_, mut peer) = join!(way.broker.send(&[]), script.welcome());
    tokio::select! {
        _ = way.broker.send(&batch) => unreachable!("nobody acknowledges"),
        _ = read(&mut peer, 2) => {}
    }
    join!(way.broker.leave(), async { while peer.packet().await.unwrap().first != 0xE0 {} });
}

#[tokio::test]
async fn what_speaks_no_mqtt_is_called_so() {
    let html: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\nContent-Length: 0\r\n\r\n";
    for answer in [html, b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail.example ESMTP\r\n", &[0xFF; 40], &[0x30, 2, 0, 0]] {
        let script = Script::new().await;
        let mut way = way(here(script.port));
        let (sent, ()) = join!(way.broker.send(&[]), async {
            // Once for each version.
            for _ in 0..2 {
                script.accept().await.say(answer).await;
            }
        });
        unreachable(&sent, "speaks no MQTT: a captive portal");
    }
}

#[tokio::test]
async fn a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1_from_then_on() {
    // As NATS says it; as MQTT 5 says it; not at all.
    for answer in [b"\x20\x02\x00\x01".as_slice(), b"\x20\x03\x00\x84\x00", b""] {
        let script = Script::new().await;
        let mut way = way(here(script.port));
        let (sent, ()) = join!(way.broker.send(&[]), async {
            let mut peer = script.accept().await;
            assert_eq!(peer.connect.level, 5);
            peer.say(answer).await;
            drop(peer);
            assert_eq!(script.welcome().await.connect.level, 4);
        });
        assert_eq!(sent.trouble, None);
        let batch = messages(0..1);
        let (_, level) = join!(way.broker.send(&batch), async { script.accept().await.connect.level });
        assert_eq!(level, 4);
    }
}

#[tokio::test]
async fn a_version_that_the_site_names_is_the_only_one_tried() {
    let script = Script::new().await;
    let mut way = way(Settings { protocol: Some(Protocol::V5), ..here(script.port) });
    let (sent, ()) = join!(way.broker.send(&[]), async { script.accept().await.connack(0x84, &[]).await });
    refused(&sent, "leave upstream.protocol out");
}

#[tokio::test]
async fn refusals_have_a_cure() {
    for (protocol, code, wanted) in [
        (Protocol::V311, 2, Some("client id")),
        (Protocol::V311, 3, None),
        (Protocol::V311, 4, Some("username and password")),
        (Protocol::V311, 5, Some("does not let this vehicle in")),
        (Protocol::V5, 0x85, Some("client id")),
        (Protocol::V5, 0x86, Some("username and password")),
        (Protocol::V5, 0x87, Some("does not let this vehicle in")),
        (Protocol::V5, 0x88, None),
        (Protocol::V5, 0x89, None),
        (Protocol::V5, 0x8A, Some("does not let this vehicle in")),
        (Protocol::V5, 0x97, None),
        (Protocol::V5, 0x9A, Some("retained")),
        (Protocol::V5, 0x9D, Some("change upstream.url")),
        (Protocol::V5, 0x9F, None),
    ] {
        let script = Script::new().await;
        let mut way = way(Settings { protocol: Some(protocol), ..here(script.port) });
        let (sent, ()) = join!(way.broker.send(&[]), async { script.accept().await.connack(code, &[]).await });
        match wanted {
            Some(wanted) => refused(&sent, wanted),
            None => assert_eq!(sent.trouble, Some(Trouble::Busy(Duration::from_secs(30))), "{code:#x}"),
        }
    }
}

#[tokio::test]
async fn a_broker_without_what_is_needed_is_refused() {
    // Maximum QoS 0; Retain Available 0.
    for properties in [[0x24, 0], [0x25, 0]] {
        let script = Script::new().await;
        let mut way = way(here(script.port));
        let (sent, ()) = join!(way.broker.send(&[]), async { script.accept().await.connack(0, &properties).await });
        refused(&sent, "keeps no retained messages");
    }
}

#[tokio::test]
async fn a_puback_that_takes_nothing_is_no_acknowledgement() {
    let busy = Trouble::Busy(Duration::from_secs(30));
    for (reason, wanted) in [
        (0x00, None),
        (0x10, None),
        (0x80, Some(busy.clone())),
        (0x83, Some(busy.clone())),
        (0x87, Some(Trouble::Refused(String::new()))),
        (0x90, Some(Trouble::Refused(String::new()))),
        (0x97, Some(busy)),
        (0x99, Some(Trouble::Rejected(String::new()))),
    ] {
        let script = Script::new().await;
        let mut way = way(here(script.port));
        let batch = messages(0..3);
        let (sent, _peer) = join!(way.broker.send(&batch), async {
            let mut peer = script.welcome().await;
            for (n, id) in read(&mut peer, 3).await.into_iter().enumerate() {
                peer.puback_with(id, if n == 1 { reason } else { 0 }).await;
            }
            peer
        });
        match (&sent.trouble, &wanted) {
            (None, None) => assert_eq!(sent.acknowledged, 3),
            (Some(Trouble::Refused(_)), Some(Trouble::Refused(_))) | (Some(Trouble::Rejected(_)), Some(Trouble::Rejected(_))) => {
                assert_eq!(sent.acknowledged, 1, "{reason:#x}");
            }
            (got, wanted) => assert_eq!((got, sent.acknowledged), (wanted, 1), "{reason:#x}"),
        }
    }
}

#[tokio::test]
async fn a_message_longer_than_the_broker_takes_is_rejected_unsent_and_those_before_it_are_not() {
    let script = Script::new().await;
    let mut way = way(here(script.port));
    let mut batch = messages(0..3);
    batch[2].json = Bytes::from(vec![b' '; 300]);
    let (sent, _peer) = join!(way.broker.send(&batch), async {
        let mut peer = script.accept().await;
        // Maximum Packet Size 300.
        peer.connack(0, &[0x27, 0, 0, 1, 44]).await;
        assert_eq!(take(&mut peer, 2).await, payloads(0..2));
        peer
    });
    assert_eq!(sent.acknowledged, 2);
    assert!(matches!(&sent.trouble, Some(Trouble::Rejected(why)) if why.contains("takes 300")), "{:?}", sent.trouble);
}

#[tokio::test]
async fn no_more_are_on_their_way_than_the_broker_takes() {
    let script = Script::new().await;
    let mut way = way(here(script.port));
    let batch = messages(0..6);
    let (sent, _peer) = join!(way.broker.send(&batch), async {
        let mut peer = script.accept().await;
        // Receive Maximum 2.
        peer.connack(0, &[0x21, 0, 2]).await;
        // Six, and the status.
        for due in [2, 2, 2, 1] {
            let mut ids = Vec::new();
            for _ in 0..due {
                ids.push(peer.any_publish().await.unwrap().id);
            }
            assert!(peer.is_silent().await);
            for id in ids {
                peer.puback(id).await;
            }
        }
        peer
    });
    assert_eq!((sent.acknowledged, sent.trouble), (6, None));
}

#[tokio::test]
async fn a_message_over_which_the_broker_ends_the_connection_is_found() {
    let script = Script::new().await;
    let mut way = way(here(script.port));
    let batch = messages(0..3);
    let (sent, ()) = join!(way.broker.send(&batch), async {
        let mut peer = script.welcome().await;
        read(&mut peer, 3).await;
        // Packet too large: which of the three is not said.
        peer.disconnect(0x95).await;
    });
    assert_eq!(sent.acknowledged, 0);
    unreachable(&sent, "PacketTooLarge");
    // One at a time, it is the second.
    let (sent, ()) = join!(way.broker.send(&batch), async {
        let mut peer = script.welcome().await;
        assert_eq!(take(&mut peer, 1).await, payloads(0..1));
        read(&mut peer, 1).await;
        peer.disconnect(0x95).await;
    });
    assert_eq!(sent.acknowledged, 1);
    assert!(matches!(sent.trouble, Some(Trouble::Rejected(_))), "{:?}", sent.trouble);
}

#[tokio::test]
async fn no_message_is_blamed_for_the_status() {
    let script = Script::new().await;
    let mut way = way(here(script.port));
    let batch = messages(0..1);
    for _ in 0..4 {
        let (sent, ()) = join!(way.broker.send(&batch), async {
            let mut peer = script.welcome().await;
            while let Some(publish) = peer.any_publish().await {
                // Packet too large is no reason of a PUBACK; mosquitto says it all the same.
                let reason = if publish.topic.ends_with("/status") { 0x95 } else { 0 };
                peer.puback_with(publish.id, reason).await;
                if reason != 0 {
                    break;
                }
            }
        });
        assert!(matches!(sent.trouble, None | Some(Trouble::Unreachable(_))), "{:?}", sent.trouble);
    }
}

#[tokio::test]
async fn a_broker_that_says_good_bye_is_heard() {
    // With properties (of length 0), and without, as mosquitto says it.
    for body in [[0x8B, 0].as_slice(), &[0x8B], &[0x98], &[0x89], &[0x8E]] {
        let script = Script::new().await;
        let mut way = way(here(script.port));
        let batch = messages(0..2);
        let (sent, ()) = join!(way.broker.send(&batch), async {
            let mut peer = script.welcome().await;
            let ids = read(&mut peer, 2).await;
            peer.puback(ids[0]).await;
            peer.say(&super::script::packet(0xE0, body)).await;
        });
        assert_eq!(sent.acknowledged, 1);
        match body[0] {
            0x8B => unreachable(&sent, "ServerShuttingDown"),
            0x98 => unreachable(&sent, "AdministrativeAction"),
            0x89 => assert_eq!(sent.trouble, Some(Trouble::Busy(Duration::from_secs(30)))),
            _ => refused(&sent, "two units have the same VIN"),
        }
    }
}

#[tokio::test]
async fn a_good_bye_while_nothing_is_sent_is_told_at_the_next_send_and_a_mere_loss_is_mended() {
    for (reason, told) in [(0x89, true), (0x8B, false)] {
        let script = Script::new().await;
        let mut way = way(here(script.port));
        let (_, mut peer) = join!(way.broker.send(&[]), script.welcome());
        peer.say(&super::script::packet(0xE0, &[reason, 0])).await;
        // It closes when it has understood.
        while peer.packet().await.is_some() {}
        let batch = messages(0..1);
        if told {
            assert_eq!(way.broker.send(&batch).await.trouble, Some(Trouble::Busy(Duration::from_secs(30))));
        } else {
            let (sent, _peer) = join!(way.broker.send(&batch), async {
                let mut peer = script.welcome().await;
                take(&mut peer, 1).await;
                peer
            });
            assert_eq!((sent.acknowledged, sent.trouble), (1, None));
        }
    }
}

#[tokio::test]
async fn a_send_that_is_dropped_before_the_welcome_leaves_no_connection() {
    let script = Script::new().await;
    let mut way = way(here(script.port));
    let mut peer = tokio::select! {
        _ = way.broker.send(&[]) => unreachable!("nobody welcomes"),
        peer = script.accept() => peer,
    };
    assert_eq!(peer.packet().await, None);
}

#[tokio::test]
async fn a_broker_that_acknowledges_nothing_is_given_up() {
    for protocol in [Protocol::V5, Protocol::V311] {
        let script = Script::new().await;
        let mut way = way(Settings { protocol: Some(protocol), ..here(script.port) });
        let (_, mut peer) = join!(way.broker.send(&[]), script.welcome());
        let status = peer.any_publish().await.unwrap();
        peer.puback(status.id).await;
        // The thirty seconds pass as soon as nothing else is to be done.
        tokio::time::pause();
        let sent = way.broker.send(&messages(0..2)).await;
        tokio::time::resume();
        assert_eq!(sent.acknowledged, 0);
        unreachable(&sent, "did not acknowledge within 30 s");
        // Without a word, so that the will speaks.
        while let Some(packet) = peer.packet().await {
            assert_ne!(packet.first, 0xE0, "a DISCONNECT");
        }
    }
}

#[tokio::test]
async fn the_status_is_kept_by_the_broker_and_follows_its_changes() {
    let script = Script::new().await;
    let mut way = way(here(script.port));
    let (_, mut peer) = join!(way.broker.send(&[]), script.welcome());
    told(&mut peer, r#"{"state":"online"}"#).await;
    way.status.send_replace("1".into());
    told(&mut peer, "1").await;
    way.status.send_replace("2".into());
    told(&mut peer, "2").await;
    // Left, it says so.
    let ((), ()) = join!(way.broker.leave(), async {
        told(&mut peer, r#"{"state":"offline"}"#).await;
        assert_eq!(peer.packet().await.unwrap().first, 0xE0);
    });
}

#[tokio::test]
async fn dropped_it_says_good_bye() {
    for protocol in [Protocol::V5, Protocol::V311] {
        let script = Script::new().await;
        let mut way = way(Settings { protocol: Some(protocol), ..here(script.port) });
        let (_, mut peer) = join!(way.broker.send(&[]), script.welcome());
        drop(way);
        let mut told = Vec::new();
        while let Some(packet) = peer.packet().await {
            if packet.first >> 4 == 3 {
                told.push(packet);
                let id = told.len() as u16;
                peer.puback(id).await;
            } else {
                assert_eq!(packet.first, 0xE0);
                break;
            }
        }
        let last = told.last().expect("a PUBLISH before DISCONNECT");
        assert!(last.body.ends_with(br#"{"state":"offline"}"#));
    }
}

#[tokio::test]
async fn what_the_fleet_wants_comes_in_and_is_answered() {
    for protocol in [Protocol::V5, Protocol::V311] {
        let script = Script::new().await;
        let mut way = way(Settings { protocol: Some(protocol), desired: true, ..here(script.port) });
        let (_, mut peer) = join!(way.broker.send(&[]), script.welcome());
        let subscribe = loop {
            let packet = peer.packet().await.unwrap();
            if packet.first == 0x82 {
                break packet;
            }
            let status = peer.read_publish(&packet).id;
            peer.puback(status).await;
        };
        let filter = b"\x00\x24telltale/KMHSH81C7LU123456/desired/+\x01";
        assert!(subscribe.body.ends_with(filter), "{subscribe:?}");
        let granted = if protocol == Protocol::V5 {
            vec![subscribe.body[0], subscribe.body[1], 0, 1]
        } else {
            vec![subscribe.body[0], subscribe.body[1], 1]
        };
        peer.say(&super::script::packet(0x90, &granted)).await;
        // What nobody understands is passed over.
        peer.publish("telltale/KMHSH81C7LU123456/desired/doors", b"open").await;
        peer.publish("telltale/KMHSH81C7LU123456/desired/fences", b"{}").await;
        let desired = way.desired.as_mut().unwrap();
        let wanted = tokio::time::timeout(PATIENCE, desired.recv()).await.unwrap().unwrap();
        assert_eq!((wanted.what, wanted.document.as_ref()), (Wish::Fences, b"{}".as_slice()));
        wanted.reply.send(Bytes::from_static(b"taken")).unwrap();
        let answer = peer.message().await;
        assert_eq!((answer.topic.as_str(), answer.payload.as_str()), ("telltale/KMHSH81C7LU123456/reported/fences", "taken"));
        assert_eq!((answer.qos, answer.retain), (1, true));
    }
}

#[tokio::test]
async fn a_document_that_is_too_long_wrecks_nothing_for_good() {
    let script = Script::new().await;
    let mut way = way(Settings { desired: true, ..older(script.port) });
    let (_, mut peer) = join!(way.broker.send(&[]), script.welcome());
    while peer.packet().await.unwrap().first != 0x82 {}
    peer.publish("telltale/KMHSH81C7LU123456/desired/fences", &vec![b' '; 300 * 1024]).await;
    while peer.packet().await.is_some() {}
    // The next connection does not ask for documents, and sends as ever.
    let batch = messages(0..2);
    let (sent, mut peer) = join!(way.broker.send(&batch), async {
        let mut peer = script.welcome().await;
        assert_eq!(take(&mut peer, 2).await, payloads(0..2));
        peer
    });
    assert_eq!((sent.acknowledged, sent.trouble), (2, None));
    assert_eq!(way.too_long.get(), 1);
    drop(way);
    while let Some(packet) = peer.packet().await {
        assert_ne!(packet.first, 0x82, "a SUBSCRIBE");
    }
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_by_how_far_it_came() {
    // Bound, so that nobody else can listen there.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = nobody.local_addr().unwrap().port();
    unreachable(&way(here(port)).broker.send(&messages(0..1)).await, "nobody listens on that port");
    let nowhere = Settings { clear_text: true, ..to("mqtt://broker.invalid") };
    unreachable(&way(nowhere).broker.send(&[]).await, "no name server tells where broker.invalid is");
    let script = Script::new().await;
    let settings = Settings { username: Some("car".to_owned()), password_file: Some("/nonexistent".into()), ..here(script.port) };
    refused(&way(settings).broker.send(&[]).await, "upstream.password_file /nonexistent cannot be read");
    let endless = Settings { username: Some("car".to_owned()), password_file: Some("/dev/zero".into()), ..here(script.port) };
    refused(&way(endless).broker.send(&[]).await, "upstream.password_file /dev/zero holds more than a password may have");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever a broker says before or after its welcome but a PUBACK, nothing is acknowledged, and it ends.
    #[test]
    fn nothing_else_is_an_acknowledgement(
        five: bool,
        welcome: bool,
        answer in proptest::collection::vec(any::<u8>(), 0..64),
        first in proptest::sample::select(vec![0x20_u8, 0x30, 0x32, 0x34, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0, 0xF0]),
    ) {
        // That would be a welcome.
        prop_assume!(welcome || first != 0x20);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sent = runtime.block_on(async {
            let script = Script::new().await;
            let protocol = if five { Protocol::V5 } else { Protocol::V311 };
            let mut way = way(Settings { protocol: Some(protocol), ..here(script.port) });
            let batch = messages(0..2);
            let (sent, ()) = join!(way.broker.send(&batch), async {
                let mut peer = script.accept().await;
                if welcome {
                    peer.connack(0, &[]).await;
                    read(&mut peer, 2).await;
                }
                peer.say(&super::script::packet(first, &answer)).await;
            });
            sent
        });
        // PUBREC with PUBCOMP is more than a PUBACK, and no such pair comes here.
        prop_assert_eq!(sent.acknowledged, 0);
        prop_assert!(sent.trouble.is_some());
    }
}
