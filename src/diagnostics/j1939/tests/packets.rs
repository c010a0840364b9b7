//! Messages of several packets.

use super::*;

const US: Option<Own> = Some(Own::TOOL);

fn hear(transport: &mut Transport, at: i64, us: Option<Own>, id: u32, data: &[u8], out: &mut Vec<Emission>) -> Option<Vec<u8>> {
    transport.hear(ms(at), us, Id::from_raw(id), data, out).map(|message| message.data.to_vec())
}

const PAYLOAD: [u8; 20] = [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6];

/// python-can-j1939, test_ecu: test_broadcast_receive_long.
#[test]
fn a_broadcast_is_put_together() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    let mut hear = |at, data: &[u8], id| hear(&mut transport, at, None, id, data, &mut out);
    assert_eq!(hear(0, &[32, 20, 0, 3, 255, 0xB0, 0xFE, 0], 0x00EC_FF01), None);
    assert_eq!(hear(50, &[1, 1, 2, 3, 4, 5, 6, 7], 0x00EB_FF01), None);
    assert_eq!(hear(100, &[2, 1, 2, 3, 4, 5, 6, 7], 0x00EB_FF01), None);
    assert_eq!(hear(150, &[3, 1, 2, 3, 4, 5, 6, 255], 0x00EB_FF01), Some(PAYLOAD.to_vec()));
    assert_eq!((transport.open(), out), (0, vec![]));
}

/// python-can-j1939, test_ecu: test_peer_to_peer_receive_long, with a limit of one packet.
#[test]
fn who_sends_to_us_is_cleared_packet_by_packet() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    let mut sent = |at, data: &[u8], id| {
        out.clear();
        let whole = hear(&mut transport, at, US, id, data, &mut out);
        (whole, out.iter().map(|emission| emission.encode()).map(|of| (of.id, of.data.to_vec())).collect::<Vec<_>>())
    };
    let ours = 0x1CEC_01F9;
    let cts = |next| (None, vec![(ours, vec![17, 1, next, 255, 255, 176, 254, 0])]);
    assert_eq!(sent(0, &[16, 20, 0, 3, 1, 176, 254, 0], 0x00EC_F901), cts(1));
    assert_eq!(sent(9, &[1, 1, 2, 3, 4, 5, 6, 7], 0x00EB_F901), cts(2));
    assert_eq!(sent(18, &[2, 1, 2, 3, 4, 5, 6, 7], 0x00EB_F901), cts(3));
    let end = (Some(PAYLOAD.to_vec()), vec![(ours, vec![19, 20, 0, 3, 255, 176, 254, 0])]);
    assert_eq!(sent(27, &[3, 1, 2, 3, 4, 5, 6, 255], 0x00EB_F901), end);
}

#[test]
fn what_others_exchange_is_heard_without_a_word() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    let mut hear = |at, us, data: &[u8], id| hear(&mut transport, at, us, id, data, &mut out);
    hear(0, US, &[16, 20, 0, 3, 255, 203, 254, 0], 0x18EC_2100);
    hear(5, US, &[17, 3, 1, 255, 255, 203, 254, 0], 0x18EC_0021);
    hear(1200, US, &[1, 1, 2, 3, 4, 5, 6, 7], 0x18EB_2100);
    hear(1210, US, &[3, 1, 2, 3, 4, 5, 6, 255], 0x18EB_2100);
    assert_eq!(hear(1220, US, &[2, 1, 2, 3, 4, 5, 6, 7], 0x18EB_2100), Some(PAYLOAD.to_vec()), "asked for again");
    assert_eq!(out, []);
}

#[test]
fn a_lost_packet_is_asked_for_again_and_not_for_ever() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    let rts = [16, 20, 0, 3, 255, 203, 254, 0];
    hear(&mut transport, 0, US, 0x18EC_F900, &rts, &mut out);
    hear(&mut transport, 10, US, 0x18EB_F900, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
    hear(&mut transport, 20, US, 0x18EB_F900, &[3, 1, 2, 3, 4, 5, 6, 255], &mut out);
    let cts = |packets, next| Emission::ClearToSend { from: Own::TOOL, to: 0, packets, next, pgn: pgn::DM2 };
    assert_eq!(out, [cts(3, 1), cts(1, 2)]);
    let mut other = transport.clone();
    let whole = hear(&mut other, 30, US, 0x18EB_F900, &[2, 1, 2, 3, 4, 5, 6, 7], &mut out);
    assert_eq!(whole, Some(PAYLOAD.to_vec()));
    out.clear();
    assert_eq!(transport.deadline(), Some(ms(20 + 1250)), "T2 after a CTS");
    transport.pass(ms(1269), US, &mut out);
    assert_eq!(out, []);
    transport.pass(ms(1270), US, &mut out);
    assert_eq!(out, [Emission::Abort { from: Own::TOOL, to: 0, reason: Reason::Timeout, pgn: pgn::DM2 }]);
    assert_eq!((transport.open(), transport.counts().timed_out), (0, 1));
}

#[test]
fn after_two_retransmissions_the_connection_is_given_up() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    hear(&mut transport, 0, US, 0x18EC_F900, &[16, 20, 0, 3, 255, 203, 254, 0], &mut out);
    let mut at = 0;
    for _ in 0..3 {
        hear(&mut transport, at + 10, US, 0x18EB_F900, &[3, 1, 2, 3, 4, 5, 6, 255], &mut out);
        hear(&mut transport, at + 20, US, 0x18EB_F900, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
        at += 1000;
        transport.pass(ms(at), US, &mut out);
    }
    at += 5000;
    transport.pass(ms(at), US, &mut out);
    assert!(matches!(out.last(), Some(Emission::Abort { .. })), "{out:?}");
    assert_eq!(transport.open(), 0);
}

#[test]
fn a_broadcast_with_a_gap_or_a_pause_is_none() {
    for (second, at) in [(3, 100), (2, 900)] {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        hear(&mut transport, 0, None, 0x00EC_FF01, &[32, 20, 0, 3, 255, 0xCA, 0xFE, 0], &mut out);
        hear(&mut transport, 100, None, 0x00EB_FF01, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
        let at = at + 50;
        assert_eq!(hear(&mut transport, at, None, 0x00EB_FF01, &[second, 1, 2, 3, 4, 5, 6, 7], &mut out), None);
        assert_eq!((transport.open(), transport.counts().completed), (0, 0));
    }
}

#[test]
fn a_packet_twice_is_taken_once_and_twice_different_ends_it() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    hear(&mut transport, 0, None, 0x00EC_FF01, &[32, 9, 0, 2, 255, 0xCA, 0xFE, 0], &mut out);
    for _ in 0..2 {
        hear(&mut transport, 1, None, 0x00EB_FF01, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
    }
    assert_eq!(transport.open(), 1);
    hear(&mut transport, 2, None, 0x00EB_FF01, &[1, 9, 2, 3, 4, 5, 6, 7], &mut out);
    assert_eq!((transport.open(), transport.counts().wrong), (0, 1));
}

#[test]
fn announcements_that_cannot_be_open_nothing() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    for (size, packets, group) in [(8_u16, 2, 0xFECA_u32), (20, 2, 0xFECA), (1786, 255, 0xFECA), (20, 3, 0xEC00), (20, 3, 0xEB00)]
    {
        let ([low, high], [a, b, c, _]) = (size.to_le_bytes(), group.to_le_bytes());
        hear(&mut transport, 0, US, 0x18EC_FF01, &[32, low, high, packets, 255, a, b, c], &mut out);
        hear(&mut transport, 0, US, 0x18EC_F901, &[16, low, high, packets, 255, a, b, c], &mut out);
    }
    assert_eq!((transport.open(), transport.counts().wrong, out.len()), (0, 10, 5));
    assert!(out.iter().all(|emission| matches!(emission, Emission::Abort { reason: Reason::Other, .. })));
}

/// SAE J1939-21, 5.10.3.1: the same group again begins again; another one has to wait.
#[test]
fn a_second_rts_begins_again_or_is_told_that_we_are_busy() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    hear(&mut transport, 0, US, 0x18EC_F900, &[16, 20, 0, 3, 255, 203, 254, 0], &mut out);
    hear(&mut transport, 1, US, 0x18EC_F900, &[16, 9, 0, 2, 255, 203, 254, 0], &mut out);
    hear(&mut transport, 2, US, 0x18EC_F900, &[16, 30, 0, 5, 255, 202, 254, 0], &mut out);
    assert_eq!(out[2..], [Emission::Abort { from: Own::TOOL, to: 0, reason: Reason::Busy, pgn: pgn::DM1 }]);
    hear(&mut transport, 3, US, 0x18EB_F900, &[1, 1, 2, 3, 4, 5, 6, 7], &mut out);
    let whole = hear(&mut transport, 4, US, 0x18EB_F900, &[2, 8, 9, 255, 255, 255, 255, 255], &mut out);
    assert_eq!(whole, Some((1..=9).collect()));
}

#[test]
fn one_too_many_ends_the_oldest() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    for source in 0..40 {
        hear(&mut transport, i64::from(source), None, 0x18EC_FF00 | source, &[32, 20, 0, 3, 255, 0xCA, 0xFE, 0], &mut out);
    }
    assert_eq!((transport.open(), transport.counts().crowded_out), (MOST_SESSIONS, 8));
}

#[test]
fn an_address_that_is_lost_ends_what_came_to_it_without_a_word() {
    let (mut transport, mut out) = (Transport::default(), Vec::new());
    hear(&mut transport, 0, US, 0x18EC_F900, &[16, 20, 0, 3, 255, 203, 254, 0], &mut out);
    out.clear();
    transport.pass(ms(1), None, &mut out);
    assert_eq!((transport.open(), out), (0, vec![]));
}

/// Somebody else's segmentation: what a sender makes of each message, by the clause.
#[derive(Clone, Debug)]
struct Sender {
    source: u8,
    to: u8,
    payload: Vec<u8>,
}

impl Sender {
    fn frames(&self) -> Vec<(u32, [u8; 8])> {
        let [low, high] = (self.payload.len() as u16).to_le_bytes();
        let packets = self.payload.len().div_ceil(7) as u8;
        let control = if self.to == GLOBAL { 32 } else { 16 };
        let ends = u32::from(self.to) << 8 | u32::from(self.source);
        let opening = (0x18EC_0000 | ends, [control, low, high, packets, 255, 0xCA, 0xFE, 0]);
        let data = self.payload.chunks(7).zip(1_u8..=255).map(|(chunk, sequence)| {
            let mut packet = [255; 8];
            packet[0] = sequence;
            packet[1..=chunk.len()].copy_from_slice(chunk);
            (0x18EB_0000 | ends, packet)
        });
        std::iter::once(opening).chain(data).collect()
    }
}

fn sender() -> impl Strategy<Value = Sender> {
    let to = prop_oneof![Just(GLOBAL), Just(249), 10_u8..14];
    (0_u8..6, to, prop::collection::vec(any::<u8>(), 9..=300)).prop_map(|(source, to, payload)| Sender { source, to, payload })
}

proptest! {
    #[test]
    fn what_was_sent_whole_comes_out_whole(payload in prop::collection::vec(any::<u8>(), 9..=1785), to in prop_oneof![Just(255_u8), Just(249), Just(3)]) {
        let (mut transport, mut out) = (Transport::default(), Vec::new());
        let sender = Sender { source: 1, to, payload };
        let mut whole = Vec::new();
        for (id, data) in sender.frames() {
            whole.extend(hear(&mut transport, 0, US, id, &data, &mut out));
        }
        prop_assert_eq!(whole, vec![sender.payload]);
        prop_assert_eq!(out.is_empty(), to != 249);
    }

    /// Frames of several senders in any mixture, some of them lost, some twice, with pauses: what comes out is one that
    /// was sent, or nothing. A pair of addresses sends one message here, as packets bear no name of theirs.
    #[test]
    fn what_comes_out_was_sent(
        senders in prop::collection::vec(sender(), 1..6),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..20, 0_i64..40), 0..300),
    ) {
        let mut seen = std::collections::BTreeSet::new();
        let senders: Vec<_> = senders.into_iter().filter(|of| seen.insert((of.source, of.to))).collect();
        let mut rest: Vec<_> = senders.iter().map(|of| of.frames().into_iter()).collect();
        let (mut transport, mut out, mut now) = (Transport::default(), Vec::new(), 0);
        for (which, fate, pause) in order {
            let at = which.index(rest.len());
            let Some((id, data)) = rest[at].next() else { continue };
            now += pause;
            for _ in 0..match fate { 0 => 0, 1 => 2, _ => 1 } {
                if let Some(message) = transport.hear(ms(now), US, Id::from_raw(id), &data, &mut out) {
                    let from = (message.id.source, message.id.destination);
                    let sent = senders.iter().find(|of| (of.source, of.to) == from).unwrap();
                    prop_assert_eq!(&sent.payload[..], message.data);
                }
            }
        }
    }
}
