//! The room as a whole, by sentences written here: an encoder of its own, so that no mistake of the decoder is its twin.

use proptest::prelude::*;

use super::*;
use crate::clock::Boot;
use crate::vehicle::{Fix, Mode};

/// A sentence with its checksum.
pub fn summed(body: &str) -> String {
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n")
}

/// What the pieces hold, read at one moment.
fn heard(pieces: &[&[u8]]) -> Vec<Heard> {
    let mut found = Vec::new();
    let mut reader = Reader::new(5.0);
    for piece in pieces {
        reader.take(Boot::default(), piece, |heard| found.push(heard));
    }
    reader.finish(Boot::default(), |heard| found.push(heard));
    found
}

fn fixes(text: &str) -> Vec<Fix> {
    let fix = |heard| if let Heard::Fix(fix) = heard { Some(fix) } else { None };
    heard(&[text.as_bytes()]).into_iter().filter_map(fix).collect()
}

fn only(text: &str) -> Fix {
    let found = fixes(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found[0]
}

const PLACE: &str = "4807.038,N,01131.324,E";

#[test]
fn the_sentences_of_one_moment_are_one_fix() {
    let fix = only(
        &[
            "GNRMC,093000.25,A,4807.038,N,01131.324,E,10.0,84.4,200226,,,A,V",
            "GNVTG,99.9,T,,M,99.9,N,185.0,K,A",
            "GNGGA,093000.25,4807.038,N,01131.325,E,1,09,1.2,545.4,M,46.9,M,,",
            "GNGSA,A,3,01,02,03,04,,,,,,,,,2.0,9.9,1.0,1",
            "GNGST,093000.250,1.0,,,,3.0,4.0,9.0",
            "GNGLL,4807.0381,N,01131.324,E,093000.25,A,A",
        ]
        .map(summed)
        .concat(),
    );
    assert_eq!(fix.time.map(|time| time.to_string()).as_deref(), Some("2026-02-20T09:30:00.250Z"));
    assert!((fix.point.latitude - (48.0 + 7.0381 / 60.0)).abs() < 1e-12, "the last word counts");
    assert!((fix.speed.unwrap() - 18.52).abs() < 1e-9, "RMC's before VTG's");
    assert_eq!((fix.heading, fix.altitude, fix.satellites), (Some(84.4), Some(545.4), Some(9)));
    assert_eq!((fix.hdop, fix.accuracy, fix.mode), (Some(1.2), 5.0, Mode::ThreeD));
}

#[test]
fn accuracy_is_gst_else_hdop_else_unknown_and_never_too_good() {
    let gga = |hdop| summed(&format!("GPGGA,093000,{PLACE},1,09,{hdop},,M,,M,,"));
    assert_eq!(only(&gga("2.5")).accuracy, 12.5);
    assert_eq!(only(&gga("0.4")).accuracy, 3.0);
    assert_eq!(only(&gga("99.99")).accuracy, 499.95, "the worst there is, not the unknown");
    assert_eq!(only(&gga("0.0")).accuracy, 50.0);
    let of_another_moment = summed("GPGST,092959,,,,,30,40,");
    assert_eq!(only(&(of_another_moment + &gga("2.5"))).accuracy, 12.5);
    let before = summed("GPGST,093000,,,,,30,40,");
    assert_eq!(only(&(before + &gga("2.5"))).accuracy, 50.0);
}

#[test]
fn what_nmea_refuses_is_read() {
    let at = |body: &str| {
        let sentence = summed(body);
        assert!(nmea::parse_str(sentence.trim_end()).is_err(), "{body}");
        only(&sentence)
    };
    at(&format!("GNGNS,093000,{PLACE},AANN,12,0.9,545.4,46.9,,,V"));
    at(&format!("GNGNS,093000,{PLACE},NDD,12,0.9,545.4,46.9,,,V"));
    at(&format!("GPGGA,093000,{PLACE},9,09,0.9,545.4,M,46.9,M,,"));
    at(&format!("GPGGA,235960,{PLACE},1,09,0.9,545.4,M,46.9,M,,"));
    at(&format!("GPRMC,093000,A,{PLACE},0.5,54.7,20022-,,,A"));
    at(&format!("GPGLL,{PLACE},093000,A"));
    let many = summed("GPGSA,A,3,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,9.2,7.2,5.7");
    let gga = summed(&format!("GPGGA,093000,{PLACE},1,03,,545.4,M,46.9,M,,"));
    assert_eq!(only(&(gga + &many)).mode, Mode::ThreeD, "`nmea` panics on more than eighteen satellites");
}

#[test]
fn a_leap_second_is_a_second_of_its_day() {
    let rmc = |time: &str, date: &str| summed(&format!("GPRMC,{time},A,{PLACE},,,{date},,,A"));
    let found = fixes(&(rmc("235959", "311216") + &rmc("235960", "311216") + &rmc("000000", "010117")));
    let seconds: Vec<i64> = found.iter().map(|fix| fix.time.unwrap().micros() / 1_000_000).collect();
    assert_eq!(seconds, [1_483_228_799, 1_483_228_800, 1_483_228_800]);
}

#[test]
fn what_a_receiver_warns_of_is_no_fix() {
    for void in [
        format!("GPRMC,093000,V,{PLACE},,,200226,,,E"),
        format!("GPRMC,093000,A,{PLACE},,,200226,,,N"),
        format!("GPGLL,{PLACE},093000,V,A"),
    ] {
        let gga = summed(&format!("GPGGA,093000,{PLACE},6,09,0.9,545.4,M,46.9,M,,"));
        assert_eq!(fixes(&(summed(&void) + &gga)), [], "{void}");
        assert_eq!(fixes(&(gga + &summed(&void))), [], "{void}");
    }
    for none in [
        format!("GPGGA,093000,{PLACE},0,09,0.9,545.4,M,46.9,M,,"),
        format!("GPGGA,093000,{PLACE},1,02,0.9,545.4,M,46.9,M,,"),
        format!("GNGNS,093000,{PLACE},NNNN,12,0.9,545.4,46.9,,,V"),
        "GPGGA,093000,9007.038,N,01131.324,E,1,09,0.9,545.4,M,46.9,M,,".to_owned(),
        "GPGGA,,,,,,0,,,,,,,,".to_owned(),
    ] {
        assert_eq!(fixes(&summed(&none)), [], "{none}");
    }
}

#[test]
fn talkers_are_those_of_satellite_receivers() {
    for talker in ["GP", "GN", "GL", "GA", "GB", "BD", "QZ", "GQ", "PQ", "GI", "IN"] {
        only(&summed(&format!("{talker}GLL,{PLACE},093000,A,A")));
    }
    assert_eq!(fixes(&summed(&format!("ECGLL,{PLACE},093000,A,A"))), [], "a chart plotter repeats what it heard");
}

/// A receiver's cycle: RMC, GGA and GSA at `second` of 2026-02-20.
fn cycle(second: u32) -> [String; 3] {
    let time = format!("{:02}{:02}{:02}.00", second / 3600, second / 60 % 60, second % 60);
    [
        summed(&format!("GNRMC,{time},A,{PLACE},10.0,84.4,200226,,,A,V")),
        summed(&format!("GNGGA,{time},{PLACE},1,09,1.2,545.4,M,46.9,M,,")),
        summed("GNGSA,A,3,01,02,03,04,,,,,,,,,2.0,9.9,1.0,1"),
    ]
}

/// Reads each text at its millisecond; the millisecond in which each fix left.
fn left_at(script: &[(i64, &str)]) -> Vec<i64> {
    let mut reader = Reader::new(5.0);
    let mut left = Vec::new();
    for (millis, text) in script {
        let now = Boot::from_micros(millis * 1000);
        let mut tell = |heard| {
            if matches!(heard, Heard::Fix(_)) {
                left.push(*millis);
            }
        };
        reader.expire(now, &mut tell);
        reader.take(now, text.as_bytes(), &mut tell);
    }
    left
}

#[test]
fn a_fix_leaves_with_the_last_sentence_of_its_epoch_once_the_cycle_is_known() {
    let cycles: Vec<[String; 3]> = (0..4).map(cycle).collect();
    let mut script = Vec::new();
    for (second, sentences) in (0..).zip(&cycles) {
        for (nth, sentence) in (0..).zip(sentences) {
            script.push((second * 1000 + nth * 100, sentence.as_str()));
        }
    }
    script.push((3900, ""));
    assert_eq!(left_at(&script), [1000, 2000, 2200, 3200], "the first two wait for the next epoch");
    let tight: Vec<(i64, &str)> = script.iter().map(|(at, text)| (at / 1000 * 1000 + at % 1000 / 10, *text)).collect();
    let mut paused = tight.clone();
    paused.extend((0..4).map(|second| (second * 1000 + 500, "")));
    paused.sort_by_key(|(at, _)| *at);
    assert_eq!(left_at(&paused), [500, 1500, 2020, 3020], "a pause ends an epoch too");
}

#[test]
fn a_cycle_that_changes_is_learned_anew() {
    let mut script: Vec<(i64, String)> = Vec::new();
    for second in 0..6_u32 {
        let [rmc, gga, gsa] = cycle(second);
        let sentences = if second < 3 { vec![rmc, gga] } else { vec![gga, gsa, rmc] };
        script.extend((0..).zip(sentences).map(|(nth, text)| (i64::from(second) * 1000 + nth, text)));
    }
    let script: Vec<(i64, &str)> = script.iter().map(|(at, text)| (*at, text.as_str())).collect();
    // At 3 s GGA is believed to be the end, and RMC after it shows that it is no more.
    assert_eq!(left_at(&script), [1000, 2000, 2001, 3000, 5000, 5002]);
}

#[test]
fn talkers_out_of_step_teach_nothing() {
    // A plotter that sends RMC and GGA of one second beside the GLL of the next, as some do for minutes.
    let at = |second: u32, minute: &str| {
        [
            summed(&format!("GPRMC,0930{second:02},A,4807.0{minute},N,01131.324,E,,,200226,,,A")),
            summed(&format!("GPGGA,0930{second:02},4807.1{minute},N,01131.324,E,1,09,0.9,545.4,M,46.9,M,,")),
            summed(&format!("GPGLL,4807.2{minute},N,01131.324,E,0930{second:02},A,A")),
        ]
    };
    let mut text = String::new();
    for second in 0..6 {
        text += &at(second, "00").concat();
    }
    for second in 6..12 {
        let [rmc, gga, gll] = at(second, "11");
        text += &(gll + &rmc + &gga);
    }
    let found = fixes(&text);
    assert_eq!(found.len(), 12);
    for fix in found {
        let minutes = fix.point.latitude.fract() * 60.0;
        assert!((minutes - 7.2).abs() < 0.02, "{minutes} is not GLL's");
    }
}

#[test]
fn a_late_or_repeated_moment_is_no_new_fix() {
    let [rmc, gga, _] = cycle(1);
    assert_eq!(left_at(&[(0, &rmc), (500, ""), (600, &gga), (5000, &rmc), (9000, &rmc)]), [500]);
}

/// One moment as the encoder is given it.
#[derive(Clone, Debug)]
struct Truth {
    /// 1e-7 minutes of arc.
    latitude: i64,
    longitude: i64,
    millis: u32,
    day: i64,
    decimetres: i32,
    centiknots: u32,
    satellites: u8,
}

fn truth() -> impl Strategy<Value = Truth> {
    let (latitude, longitude) = (90 * 60 * 10_i64.pow(7), 180 * 60 * 10_i64.pow(7));
    // 1980-01-01 to 2079-12-31: the years that two digits can tell.
    let day = 3652_i64..40_177;
    let place = (-latitude..=latitude, -longitude..=longitude, 0_u32..86_400_000, day);
    (place, -5000_i32..90_000, 0_u32..50_000, 4_u8..40).prop_map(
        |((latitude, longitude, millis, day), decimetres, centiknots, satellites)| Truth {
            latitude,
            longitude,
            millis,
            day,
            decimetres,
            centiknots,
            satellites,
        },
    )
}

fn angle(tenmillionths: i64, digits: usize, letters: [char; 2]) -> String {
    let [positive, negative] = letters;
    let (unit, size) = (10_i64.pow(7), tenmillionths.abs());
    let (degrees, minutes, rest) = (size / (60 * unit), size / unit % 60, size % unit);
    let letter = if tenmillionths < 0 { negative } else { positive };
    format!("{degrees:0digits$}{minutes:02}.{rest:07},{letter}")
}

fn encoded(truth: &Truth) -> String {
    let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(truth.day)).unwrap();
    let date = format!("{:02}{:02}{:02}", date.day(), date.month(), date.year() % 100);
    let seconds = truth.millis / 1000;
    let time = format!("{:02}{:02}{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, truth.millis % 1000);
    let place = angle(truth.latitude, 2, ['N', 'S']) + "," + &angle(truth.longitude, 3, ['E', 'W']);
    let speed = format!("{}.{:02}", truth.centiknots / 100, truth.centiknots % 100);
    let altitude = f64::from(truth.decimetres) / 10.0;
    summed(&format!("GNRMC,{time},A,{place},{speed},,{date},,,A,V"))
        + &summed(&format!("GNGGA,{time},{place},1,{:02},1.0,{altitude:.1},M,0.0,M,,", truth.satellites))
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(truth in truth()) {
        let fix = only(&encoded(&truth));
        prop_assert!((fix.point.latitude - truth.latitude as f64 / 6e8).abs() < 1e-12);
        prop_assert!((fix.point.longitude - truth.longitude as f64 / 6e8).abs() < 1e-12);
        prop_assert_eq!(fix.time.unwrap().micros(), (truth.day * 86_400_000 + i64::from(truth.millis)) * 1000);
        prop_assert_eq!(fix.altitude, Some(f64::from(truth.decimetres) / 10.0));
        prop_assert!((fix.speed.unwrap() - f64::from(truth.centiknots) * 0.01852).abs() < 1e-9);
        prop_assert_eq!((fix.satellites, fix.mode), (Some(truth.satellites), Mode::ThreeD));
    }

    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz_line(&bytes);
    }

    #[test]
    fn damaged_sentences_are_survived(
        truth in truth(),
        damage in prop::collection::vec((0_usize..200, any::<u8>()), 0..8),
        resum in any::<bool>(),
    ) {
        let mut text = encoded(&truth).into_bytes();
        for (at, byte) in damage {
            let at = at % text.len();
            text[at] = byte;
        }
        if resum {
            // The damage happened inside the receiver: its checksum is right.
            let lossy = String::from_utf8_lossy(&text).into_owned();
            let body = lossy.trim_start_matches('$').split('*').next().unwrap_or_default();
            text = summed(body).into_bytes();
        }
        fuzz_line(&text);
    }

    #[test]
    fn however_the_stream_is_cut_the_fixes_are_the_same(
        truths in prop::collection::vec(truth(), 1..6),
        cuts in prop::collection::vec(0_usize..2000, 0..8),
    ) {
        let text: String = truths.iter().map(encoded).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(text.len())).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
        prop_assert_eq!(heard(&pieces), heard(&[text.as_bytes()]));
    }

    #[test]
    fn every_sentence_that_nmea_reads_says_the_same_here(truth in truth()) {
        for sentence in encoded(&truth).lines() {
            let said = decode(sentence.as_bytes()).unwrap().unwrap();
            let (latitude, longitude) = match nmea::parse_str(sentence).unwrap() {
                nmea::ParseResult::RMC(rmc) => (rmc.lat, rmc.lon),
                nmea::ParseResult::GGA(gga) => (gga.latitude, gga.longitude),
                other => panic!("{other:?}"),
            };
            let point = said.point.unwrap();
            prop_assert!((point.latitude - latitude.unwrap()).abs() < 1e-9);
            prop_assert!((point.longitude - longitude.unwrap()).abs() < 1e-9);
        }
    }
}
