//! Stamps the binary with the time of its build, which is what a unit without any clock counts from.
//!
//! `SOURCE_DATE_EPOCH` (reproducible-builds.org) wins, so that a distribution can build the same bytes twice.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=Cargo.toml");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|age| age.as_secs()).unwrap_or_default();
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.trim().parse().ok()).unwrap_or(now);
    println!("cargo:rustc-env=TELLTALE_BUILD_EPOCH={epoch}");
}
