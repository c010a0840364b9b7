//! Sentences a second: this crate from bytes to fixes, its decoder alone, and the `nmea` crate alone, over the same
//! sentences in the same run.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use telltale::clock::Boot;
use telltale::gnss::{Heard, Reader, decode};

fn main() {
    divan::main();
}

/// A minute of a receiver of four systems at 10 Hz, as u-blox sends it but for the satellites in view.
fn minute() -> Vec<String> {
    let sentence = |body: String| format!("${body}*{:02X}", body.bytes().fold(0, |sum, byte| sum ^ byte));
    (0..600_u32)
        .flat_map(|tenth| {
            let time = format!("1203{:02}.{}0", tenth / 10, tenth % 10);
            let place = format!("3732.{:05},N,12703.{:05},E", 67_606 + tenth, 34_216 + 7 * tenth);
            [
                format!("GNRMC,{time},A,{place},31.06,182.04,200226,,,A,V"),
                "GNVTG,182.04,T,,M,31.06,N,57.52,K,A".to_owned(),
                format!("GNGGA,{time},{place},1,12,0.62,38.4,M,18.5,M,,"),
                "GNGSA,A,3,02,05,07,13,15,21,30,,,,,,1.13,0.62,0.94,1".to_owned(),
                "GNGSA,A,3,66,67,76,77,82,,,,,,,,1.13,0.62,0.94,2".to_owned(),
                "GNGSA,A,3,04,06,09,11,36,,,,,,,,1.13,0.62,0.94,3".to_owned(),
                "GNGSA,A,3,19,22,35,44,,,,,,,,,1.13,0.62,0.94,4".to_owned(),
                format!("GNGLL,{place},{time},A,A"),
                format!("GNGST,{time},21,1.2,0.9,31,1.1,1.0,2.1"),
            ]
            .map(sentence)
        })
        .collect()
}

#[divan::bench]
fn from_bytes_to_fixes(bencher: Bencher) {
    let sentences = minute();
    let wire = sentences.join("\r\n").into_bytes();
    bencher.counter(ItemsCount::new(sentences.len())).bench_local(|| {
        let (mut reader, mut fixes) = (Reader::new(5.0), 0);
        for piece in black_box(&wire).chunks(1024) {
            reader.take(Boot::default(), piece, |heard| fixes += u32::from(matches!(heard, Heard::Fix(_))));
        }
        fixes
    });
}

#[divan::bench]
fn decoder_alone(bencher: Bencher) {
    let sentences = minute();
    bencher
        .counter(ItemsCount::new(sentences.len()))
        .bench_local(|| black_box(&sentences).iter().filter(|sentence| decode(sentence.as_bytes()).is_ok()).count());
}

#[divan::bench]
fn nmea_crate_alone(bencher: Bencher) {
    let sentences = minute();
    bencher
        .counter(ItemsCount::new(sentences.len()))
        .bench_local(|| black_box(&sentences).iter().filter(|sentence| nmea::parse_str(sentence).is_ok()).count());
}
