//! What the fleet wants of the vehicle: fences and settings.
//!
//! - A document is the whole of what the fleet wants: fences that are no more in it go, numbers that are no more in it are
//!   the site's again, and an empty document takes all of it back. It is done as a whole or not at all.
//! - It is checked as the site's files are ([`crate::geo`], and the numbers by whoever holds the site's file), and every
//!   fault is told with its place and cure. Fences have 256 KiB of GeoJSON, settings 16 KiB of JSON.
//! - The answer leaves once the decision is durable. It says which document it is the answer to, by its SHA-256, and what
//!   of the fleet's is in force now:
//!
//! ```json
//! {"accepted": false, "document": "9f86d0…", "settings": {"child": {"locked_s": 8}},
//!  "faults": [{"at": "child.locked_s", "message": "is 99", "cure": "it must lie between 2 and 15"}]}
//! ```
//!
//! - The same document again is the same answer, and changes nothing: a broker gives what it retains at each connect.
//! - After 32 documents one is dealt with a minute, whoever sends how many: of each sort the latest waits, and a broker that
//!   means harm wears out no flash.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::feed::{FLEET_SETTINGS, Failure, Feed};
use crate::geo::{self, Fence, FenceSource};
use crate::request::{Refusal, Request, Wrong};
use crate::vehicle::Vin;

/// The most that a document of fences has, in bytes.
const FENCES: usize = 256 << 10;

/// The same of settings.
const SETTINGS: usize = 16 << 10;

/// So many documents are dealt with at once,
const AT_ONCE: u32 = 32;

/// and then one in this time.
const ONE_IN: Duration = Duration::from_secs(60);

/// What the fleet may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Its fences: all that have `source: fleet`.
    Fences,
    /// Numbers of the detectors.
    Settings,
}

/// A document that the fleet set.
#[derive(Debug)]
pub struct Desired {
    /// What it is of.
    pub what: Wish,
    /// As it came; empty where the fleet took it away.
    pub document: Bytes,
    /// Takes what is reported on it.
    pub reply: oneshot::Sender<Bytes>,
}

/// The answer to a document.
#[derive(Debug, PartialEq, Serialize)]
struct Report {
    accepted: bool,
    /// The SHA-256 of the document, in hex.
    document: String,
    /// The ids of the fleet's fences that are in force, where it was of fences.
    #[serde(skip_serializing_if = "Option::is_none")]
    fences: Option<Vec<String>>,
    /// The fleet's settings that are in force, where it was of settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Map<String, Value>>,
    faults: Vec<Wrong>,
}

/// Does what the fleet wants of `vin`, one document after the other, until there is nobody who could bring one.
pub async fn obey(feed: Arc<dyn Feed>, vin: Vin, mut wishes: mpsc::Receiver<Desired>) {
    let mut pace = Pace::new();
    while let Some(Desired { what, document, reply }) = wishes.recv().await {
        pace.keep().await;
        let report = answer(&*feed, &vin, what, document).await;
        if !report.accepted {
            // Where, and not what: the sentence may have a coordinate in it, and the fleet has it.
            let at = report.faults.iter().map(|fault| fault.at.as_str()).collect::<Vec<_>>().join("; ");
            tracing::warn!(?what, faults = report.faults.len(), at, "what the fleet wants is refused; it was told why");
        }
        // The connection on which it came may be gone; the document comes again with the next.
        let _ = reply.send(serde_json::to_vec(&report).unwrap_or_default().into());
    }
}

/// When the next document may be dealt with.
struct Pace {
    /// From here on [`AT_ONCE`] may be again; each puts it off.
    full: Instant,
}

impl Pace {
    fn new() -> Pace {
        Pace { full: Instant::now() }
    }

    /// Waits until it may be.
    async fn keep(&mut self) {
        let ahead = ONE_IN * (AT_ONCE - 1);
        let now = Instant::now();
        self.full = self.full.max(now);
        sleep(self.full.duration_since(now).saturating_sub(ahead)).await;
        self.full += ONE_IN;
    }
}

async fn answer(feed: &dyn Feed, vin: &Vin, what: Wish, document: Bytes) -> Report {
    // Thousands of fences take longer to read than anything on the runtime may.
    let read = tokio::task::spawn_blocking(move || (hash_of(&document), read(what, &document))).await;
    let fault = |error: tokio::task::JoinError| vec![Wrong::new("", error.to_string(), "this is a fault in telltale")];
    let (hash, read) = read.unwrap_or_else(|error| (String::new(), Err(fault(error))));
    let faults = match read {
        Ok(request) => feed.submit(vin, request).await.err().map(faults_of).unwrap_or_default(),
        Err(faults) => faults,
    };
    let (fences, settings) = match what {
        Wish::Fences => (Some(fences_of(feed, vin)), None),
        Wish::Settings => (None, Some(settings_of(feed))),
    };
    Report { accepted: faults.is_empty(), document: hash, fences, settings, faults }
}

fn hash_of(document: &[u8]) -> String {
    Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a document asks for, or everything that is wrong with it.
fn read(what: Wish, document: &[u8]) -> Result<Request, Vec<Wrong>> {
    let most = if what == Wish::Fences { FENCES } else { SETTINGS };
    if document.len() > most {
        return Err(vec![Wrong::new("", format!("it has {} bytes", document.len()), format!("give {most} at most"))]);
    }
    let text = std::str::from_utf8(document).map_err(|error| vec![Wrong::new("", error.to_string(), "send it in UTF-8")])?;
    let is_empty = text.trim().is_empty();
    match what {
        Wish::Fences if is_empty => Ok(Request::FleetFences(Vec::new())),
        Wish::Fences => fences(text).map(Request::FleetFences),
        Wish::Settings if is_empty => Ok(Request::FleetSettings(Map::new())),
        Wish::Settings => serde_json::from_str(text).map(Request::FleetSettings).map_err(|error| {
            vec![Wrong::new("", error.to_string(), "send one JSON object, such as {\"child\": {\"locked_s\": 8}}")]
        }),
    }
}

fn fences(text: &str) -> Result<Vec<Fence>, Vec<Wrong>> {
    let told = |fault: geo::Fault| {
        let line = format!("line {}", fault.line);
        let id = fault.id.as_ref().map(|id| format!("fence `{}`", id.escape_debug()));
        let key = Some(fault.key.clone()).filter(|key| !key.is_empty());
        let at = [Some(line), id, key].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let sentence = fault.wrong.to_string();
        let (message, cure) = sentence.split_once("; ").unwrap_or((&sentence, ""));
        Wrong::new(at, message, cure)
    };
    geo::read(text, FenceSource::Fleet).map_err(|faults| faults.into_iter().map(told).collect())
}

/// Why nothing was done.
fn faults_of(failure: Failure) -> Vec<Wrong> {
    match failure {
        Failure::Refused(Refusal::Wrong(faults)) => faults,
        Failure::Refused(refusal) => vec![Wrong::new("", refusal.to_string(), "")],
        Failure::Unavailable(why) => vec![Wrong::new("", why.to_string(), "send it again in a while")],
    }
}

fn fences_of(feed: &dyn Feed, vin: &Vin) -> Vec<String> {
    let Ok(fences) = feed.fences(vin) else { return Vec::new() };
    let fences = fences.borrow().clone();
    fences.iter().filter(|fence| fence.source == FenceSource::Fleet).map(|fence| fence.id.clone()).collect()
}

fn settings_of(feed: &dyn Feed) -> Map<String, Value> {
    let kept = feed.kept(FLEET_SETTINGS);
    kept.first().and_then(|(_, row)| serde_json::from_slice(row).ok()).unwrap_or_default()
}

/// Reads what may be anything, as either document: what is refused is refused with a reason, and fences that are taken read
/// the same when they are written and read again. For tests and for a fuzzer.
///
/// # Errors
/// Which promise was broken.
pub fn survives(bytes: &[u8]) -> Result<(), String> {
    for what in [Wish::Fences, Wish::Settings] {
        match read(what, bytes) {
            Ok(Request::FleetFences(taken)) => {
                if taken.iter().any(|fence| fence.source != FenceSource::Fleet) {
                    return Err("a fence is not the fleet's".to_owned());
                }
                let written = geo::write(&taken);
                let again = fences(&written).map_err(|faults| format!("{written}: {faults:?}"))?;
                if geo::write(&again) != written {
                    return Err(format!("{written} came back as {}", geo::write(&again)));
                }
            }
            Ok(Request::FleetSettings(_)) => {}
            Ok(other) => return Err(format!("asked for {other:?}")),
            Err(faults) if faults.is_empty() || faults.iter().any(|fault| fault.message.is_empty()) => {
                return Err(format!("refused without a reason: {faults:?}"));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(what: Wish, document: &str) -> String {
        read(what, document.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn nothing_at_all_takes_all_of_it_back() {
        for empty in ["", " \n"] {
            assert_eq!(read(Wish::Fences, empty.as_bytes()), Ok(Request::FleetFences(Vec::new())));
            assert_eq!(read(Wish::Settings, empty.as_bytes()), Ok(Request::FleetSettings(Map::new())));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_cure() {
        assert_eq!(wrong(Wish::Settings, &" ".repeat(SETTINGS + 1)), "it has 16385 bytes; give 16384 at most");
        assert!(wrong(Wish::Fences, &" ".repeat(FENCES + 1)).contains("give 262144 at most"));
        assert!(wrong(Wish::Settings, "[1]").contains("one JSON object"));
        let no_radius = r#"{"type": "Feature", "id": "depot", "properties": {"type": "Circle", "radius_units": "m"},
            "geometry": {"type": "Point", "coordinates": [127.1, 37.5]}}"#;
        let told = wrong(Wish::Fences, no_radius);
        assert!(told.starts_with("line 1, fence `depot`, properties.radius: there is none; give "), "{told}");
        assert!(read(Wish::Fences, b"\xFF").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn after_so_many_documents_one_is_dealt_with_a_minute() {
        let mut pace = Pace::new();
        let begun = Instant::now();
        for _ in 0..AT_ONCE {
            pace.keep().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        pace.keep().await;
        pace.keep().await;
        assert!((ONE_IN * 2..ONE_IN * 2 + Duration::from_secs(1)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        tokio::time::advance(ONE_IN * (2 * AT_ONCE)).await;
        let later = Instant::now();
        for _ in 0..AT_ONCE {
            pace.keep().await;
        }
        assert_eq!(later.elapsed(), Duration::ZERO);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_refused_or_taken_for_what_it_says(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            survives(&bytes).unwrap();
        }
    }
}
