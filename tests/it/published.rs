//! What is published through a daemon, and where its devices are, over a pulled plug.

use serde_json::{Value, json};

use crate::phone::{Reply, Stream, history, request};
use crate::unit::Daemon;

fn publish(daemon: &Daemon, key: &str, text: &str) -> Reply {
    let bearer = format!("Bearer {}", daemon.token);
    let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key)];
    let body = json!({"event": {"type": "NOTE", "body": {"text": text}}}).to_string();
    request(&daemon.address, "POST", "/events", &headers, body.as_bytes())
}

fn id(reply: Reply) -> u64 {
    reply.expect(201)["id"].as_u64().expect("an id")
}

fn device(daemon: &Daemon, last: Option<u64>) -> Stream {
    let (bearer, last) = (format!("Bearer {}", daemon.token), last.map(|id| id.to_string()));
    let mut headers = vec![("Authorization", bearer.as_str()), ("Device-Id", "phone")];
    headers.extend(last.as_deref().map(|last| ("Last-Event-ID", last)));
    let stream = Stream::open(&daemon.address, "/events", &headers);
    assert_eq!(stream.status, 200);
    stream
}

/// Texts of the notes up to the one with this id.
fn notes_to(stream: &mut Stream, last: u64) -> Vec<String> {
    let mut notes = Vec::new();
    loop {
        let seen = stream.event().expect("the stream goes on");
        assert_ne!(seen.name, "gap");
        if seen.name == "NOTE" {
            let note = seen.json();
            assert_eq!(note["text"], note["body"]["text"]);
            notes.push(note["text"].as_str().expect("a text").to_owned());
            if seen.id == Some(last) {
                return notes;
            }
        }
    }
}

#[test]
fn a_publisher_that_asks_again_after_a_pulled_plug_has_published_once() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    let first = id(publish(&daemon, "one", "a"));
    daemon.kill();
    let daemon = Daemon::demo(data.path(), &[]);
    assert_eq!(id(publish(&daemon, "one", "a")), first, "the same again");
    publish(&daemon, "one", "b").expect(422);
    let second = id(publish(&daemon, "two", "b"));
    assert!(second > first);
    let notes: Vec<Value> = history(&daemon).into_iter().filter(|event| event["eventType"] == "NOTE").collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert_eq!(
        (&notes[0]["eventId"], &notes[0]["body"]["text"], &notes[0]["vin"]),
        (&json!(first), &json!("a"), &json!(daemon.vin))
    );
}

#[test]
fn a_device_that_comes_back_by_name_after_a_pulled_plug_misses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let daemon = Daemon::demo(data.path(), &[]);
    let mut stream = device(&daemon, None);
    while stream.event().expect("the stream goes on").name != "position" {}
    let first = id(publish(&daemon, "one", "a"));
    assert_eq!(notes_to(&mut stream, first), ["a"]);
    daemon.kill();

    let daemon = Daemon::demo(data.path(), &[]);
    let second = id(publish(&daemon, "two", "b"));
    let notes = notes_to(&mut device(&daemon, None), second);
    assert!(notes.ends_with(&["b".to_owned()]), "what was on its way may come again: {notes:?}");
    // From here on it says what it has, once.
    assert_eq!(notes_to(&mut device(&daemon, Some(first)), second), ["b"]);
    // What is durable by the time that something later is, is what it said.
    id(publish(&daemon, "three", "c"));
    daemon.kill();

    let daemon = Daemon::demo(data.path(), &[]);
    let last = id(publish(&daemon, "four", "d"));
    let notes = notes_to(&mut device(&daemon, None), last);
    assert!(["b", "c", "d"].ends_with(&notes.iter().map(String::as_str).collect::<Vec<_>>()[..]), "{notes:?}");
    assert!(notes.len() >= 2, "c was published when nobody listened: {notes:?}");
}
