//! Signing in at a running daemon, and after its plug was pulled: sessions, tickets, the short code.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::phone::{Reply, Stream, request, until};
use crate::unit::{Daemon, errors, telltale};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const STREAM: &str = "/api/my-events";

fn site(folder: &Path, token: Option<&str>) -> Daemon {
    site_with(folder, token, "")
}

/// The same with more at its end, which is of `[http]`.
fn site_with(folder: &Path, token: Option<&str>, more: &str) -> Daemon {
    let text = "[vehicle]\nvin = 'TELLTALESAMPLE001'\n[[gnss]]\ndevice = '/dev/telltale-absent'\n[journal]\ndir = 'journal'\n\
                [http]\nlisten = '127.0.0.1:0'\n";
    std::fs::write(folder.join("telltale.toml"), format!("{text}{more}")).unwrap();
    Daemon::site(&folder.join("telltale.toml"), &folder.join("runtime"), token)
}

fn post(daemon: &Daemon, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    request(&daemon.address, "POST", path, headers, body.to_string().as_bytes())
}

/// The status of a read by this cookie.
fn reads(daemon: &Daemon, cookie: &str) -> u16 {
    request(&daemon.address, "GET", "/api/v1/events", &[("Cookie", cookie)], b"").status
}

/// Whether the ticket opens the stream.
fn opens(daemon: &Daemon, ticket: &str) -> bool {
    let mut stream = Stream::open(&daemon.address, &format!("{STREAM}?token={ticket}&rve=0"), &[]);
    stream.headers["content-type"] == "text/event-stream" && stream.event().is_some_and(|first| first.name == "heartbeat")
}

/// `name=value` of the cookie that an answer sets.
fn cookie(headers: &BTreeMap<String, String>) -> String {
    headers["set-cookie"].split(';').next().unwrap().to_owned()
}

#[test]
fn who_has_signed_in_stays_so_over_a_pulled_plug_until_logged_out() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = site(folder.path(), None);
    let token = daemon.token.clone();
    let login = post(&daemon, "/api/v1/auth/login", &[JSON], &json!({"username": "anna", "password": token}));
    let session = cookie(&login.headers);
    assert_eq!(login.headers["authorization"], session.replace("telltale=", "bearer "));
    let about = request(&daemon.address, "GET", "/OpenApi_1_2/ActiveSession/AboutMe", &[("Cookie", &session)], b"");
    let ticket = about.expect(200)["data"]["UrlToken"].as_str().unwrap().to_owned();
    assert!(opens(&daemon, &ticket));
    daemon.kill();

    let daemon = site(folder.path(), Some(&token));
    assert_eq!(reads(&daemon, &session), 200);
    assert!(opens(&daemon, &ticket), "the stream that it opened");
    let other = request(&daemon.address, "GET", &format!("/api/heartbeat?token={ticket}"), &[], b"");
    assert_eq!(other.status, 401, "{other:?}");
    let own = format!("http://{}", daemon.address);
    let headers = [("Cookie", session.as_str()), ("Origin", own.as_str())];
    let logout = request(&daemon.address, "POST", "/api/v1/auth/logout", &headers, b"");
    assert_eq!(logout.status, 204, "{logout:?}");
    daemon.kill();

    let daemon = site(folder.path(), Some(&token));
    assert_eq!(reads(&daemon, &session), 401);
    assert_eq!(request(&daemon.address, "GET", &format!("{STREAM}?token={ticket}"), &[], b"").status, 401);
    assert_eq!(daemon.get("/api/v1/events").status, 200, "the device's token is another thing");
    let log = daemon.log();
    for secret in [&session["telltale=".len()..], &ticket, &token] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_short_code_is_shown_when_asked_for_and_pairs_one_phone() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = site(folder.path(), None);
    let pair = |args: &[&str]| {
        let mut command = telltale();
        let output = command.env("RUNTIME_DIRECTORY", folder.path().join("runtime")).arg("pair").args(args).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!pair(&[]).contains("type in"));
    let shown = pair(&["--short-code", "--member", "bo", "--scopes", "read"]);
    let line = shown.lines().find(|line| line.contains("type in")).unwrap();
    let code = line.rsplit(' ').next().unwrap();
    let body = json!({"code": code, "device": "old phone"});
    let paired = post(&daemon, "/api/v1/pair", &[JSON], &body);
    let session = cookie(&paired.headers);
    assert_eq!(paired.expect(201)["member"], "bo");
    assert_eq!(reads(&daemon, &session), 200, "it has signed in with that");
    assert_eq!(post(&daemon, "/api/v1/pair", &[JSON], &body).status, 410);
}

#[test]
fn a_button_that_cannot_be_had_is_told_and_the_label_alone_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("label"), "4711-0815\n").unwrap();
    let daemon = site_with(
        folder.path(),
        None,
        "label_code_file = 'label'\n[hardware]\ntarget = 'x86_64-unknown-linux-gnu'\n\
         [hardware.button]\nchip = 'no-such.gpio'\nline = 3\n",
    );
    let button = until("the button is told of", || {
        let health = daemon.get("/healthz").json();
        health["parts"].get("button").cloned()
    });
    assert_eq!(button["condition"], "degraded");
    assert!(button["detail"].as_str().unwrap().starts_with("line 3 of no-such.gpio: "), "{button}");
    let body = json!({"code": "4711-0815", "device": "phone"});
    assert_eq!(post(&daemon, "/api/v1/pair", &[JSON], &body).status, 410);
}
