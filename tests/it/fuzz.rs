//! The fuzz targets on a stable compiler: the corpus, then random changes to it for as long as there is time.
//!
//! `TELLTALE_FUZZ_SECONDS` says for how long in all (6 by default, 60 by `tests/run`), `TELLTALE_FUZZ_ONLY` names targets where
//! not all are meant (`obd,uds`). Millions want an optimised build: `CARGO_PROFILE_DEV_OPT_LEVEL=2`. What breaks a promise is shown as a byte string that goes
//! into the corpus once it is mended.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use targets::{TARGETS, Target};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

fn try_one((name, target): &Target, bytes: &[u8]) {
    assert!(catch_unwind(|| target(bytes)).is_ok(), "{name} broke a promise on b\"{}\"", bytes.escape_ascii());
}

/// xorshift64*: which numbers come is of no importance, that they come again is.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % most.max(1)
    }

    /// A few changes to one of `seeds`: bytes replaced, removed, doubled, taken from another seed, or turned into a number
    /// at the edge of what is usual.
    fn change(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        const EDGES: [&str; 12] = ["", "0", "-1", "1e400", "nan", "18446744073709551616", "\"", "[", "{", "\n", "\0", "\u{2028}"];
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(6) {
            let from = self.below(bytes.len() + 1);
            let to = (from + self.below(12)).min(bytes.len());
            let other = &seeds[self.below(seeds.len())];
            let start = self.below(other.len() + 1);
            let part = match self.below(5) {
                0 => Vec::new(),
                1 => vec![self.below(256) as u8],
                2 => bytes[from..to].repeat(2 + self.below(3)),
                3 => other[start..(start + self.below(40)).min(other.len())].to_vec(),
                _ => EDGES[self.below(EDGES.len())].as_bytes().to_vec(),
            };
            bytes.splice(from..to, part);
            bytes.truncate(1 << 16);
        }
        bytes
    }
}

#[test]
fn no_target_breaks_a_promise_on_its_corpus() {
    for target in &TARGETS {
        let seeds = corpus(target.0);
        assert!(seeds.len() > 1, "{} has a corpus", target.0);
        seeds.iter().for_each(|bytes| try_one(target, bytes));
    }
}

#[test]
fn no_target_breaks_a_promise_on_random_changes() {
    let seconds = std::env::var("TELLTALE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6.0);
    let only = std::env::var("TELLTALE_FUZZ_ONLY").unwrap_or_default();
    let meant = |target: &&Target| only.is_empty() || only.split(',').any(|name| name == target.0);
    let targets: Vec<&Target> = TARGETS.iter().filter(meant).collect();
    let each = Duration::from_secs_f64(seconds / targets.len().max(1) as f64);
    for target in targets {
        let seeds = corpus(target.0);
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let (begun, mut tried) = (Instant::now(), 0_u64);
        while begun.elapsed() < each {
            try_one(target, &dice.change(&seeds));
            tried += 1;
        }
        println!("{}: {tried} inputs", target.0);
    }
}
