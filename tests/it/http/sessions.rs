//! Sessions: what a login gives, where it is good, how it ends.

use serde_json::json;
use telltale::clock::{Clock, Wall};
use telltale::feed::{Feed, Scope};
use telltale::http::{Invitation, Label, RealTime, hash_token};

use super::client::EventStream;
use super::door::Door;

const CHILD: &str = "/api/v1/childcare/vehicles/self/child-alert/events";

fn login(member: &str, token: &str) -> String {
    json!({"username": member, "password": token}).to_string()
}

fn bearer(session: &str) -> String {
    format!("Authorization: Bearer {session}")
}

fn cookie(session: &str) -> String {
    format!("Cookie: telltale={session}")
}

#[tokio::test]
async fn a_login_gives_a_session_three_ways_that_is_good_for_the_devices_scopes() {
    let door = Door::open().await;
    for path in ["/api/v1/auth/login", "/api/v1/login"] {
        let answer = door.ask("POST", path, &["Content-Type: application/json"], &login("mum", "read")).await;
        assert_eq!((answer.status(), answer.header("cache-control")), (200, Some("no-store")));
        let session = answer.json()["data"]["token"].as_str().unwrap().to_owned();
        assert_eq!(answer.json(), json!({"data": {"token": session}}));
        assert!(session.len() == 64 && session != "read", "256 bits of its own");
        assert_eq!(answer.header("authorization"), Some(format!("bearer {session}").as_str()));
        let set = format!("telltale={session}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict");
        assert_eq!(answer.header("set-cookie"), Some(set.as_str()));

        for header in [bearer(&session), format!("authorization: bearer {session}"), cookie(&session)] {
            for path in [CHILD, "/api/v1/events", "/api/v1/devices", "/metrics"] {
                assert_eq!(door.status(path, &[&header]).await, 200, "{path} with {header}");
            }
            let again = door.ask("GET", "/api/v1/auth/token", &[&header], "").await;
            assert_eq!(again.json(), json!({"data": {"token": session}}), "it is given again");
            assert_eq!(door.ask("DELETE", "/api/v1/geofences/home", &[&header], "").await.status(), 403, "it only reads");
        }
        for header in
            [format!("X-Api-Key: {session}"), format!("Cookie: __Host-telltale={session}"), "Cookie: telltale=read".into()]
        {
            assert_eq!(door.status("/api/v1/events", &[&header]).await, 401, "{header}");
        }
        for name in ["token", "session", "sessionid"] {
            assert_eq!(door.status(&format!("{CHILD}?{name}={session}"), &[]).await, 401, "no session in an address");
        }
    }
    let session = door.log_in("control").await;
    let answer = door.ask("DELETE", "/api/v1/geofences/home", &[&bearer(&session)], "").await;
    assert_eq!(answer.status(), 204);
    assert_eq!(door.status("/api/v1/auth/token?token=read", &[]).await, 401, "not from the query");
}

#[tokio::test]
async fn nobody_logs_in_with_what_is_not_theirs() {
    let door = Door::open().await;
    for (body, status, field) in [
        (login("mum", "wrong"), 401, None),
        (login("dad", "read"), 401, None),
        (login("MUM", "read"), 401, None),
        (json!({"username": "mum"}).to_string(), 422, Some("password")),
        (json!({"password": "read"}).to_string(), 422, Some("username")),
        (json!({"username": 1, "password": "read"}).to_string(), 422, Some("username")),
        ("[]".to_owned(), 400, None),
        ("username=mum&password=read".to_owned(), 400, None),
    ] {
        let answer = door.ask("POST", "/api/v1/auth/login", &[], &body).await;
        assert_eq!((answer.status(), answer.json()["field"].as_str()), (status, field), "{body}");
        assert_eq!((answer.header("set-cookie"), answer.header("authorization")), (None, None), "{body}");
        answer.problem();
    }
    let session = door.log_in("read").await;
    let answer = door.ask("POST", "/api/v1/auth/login", &[], &login("mum", &session)).await;
    assert_eq!(answer.status(), 401, "a session is no device's token");
    assert_eq!(door.ask("POST", "/api/v1/login?token=read", &[], "").await.status(), 400);
}

#[tokio::test(start_paused = true)]
async fn who_guesses_is_closed_out_and_who_knows_is_not() {
    let door = Door::open().await;
    for n in 0..10 {
        let answer = door.ask("POST", "/api/v1/auth/login", &[], &login("mum", &format!("guess {n}"))).await;
        assert_eq!(answer.status(), 401);
    }
    for (path, headers, body) in [
        ("/api/v1/auth/login", &[][..], login("mum", "guess")),
        ("/api/v1/pair", &[], "{}".to_owned()),
        ("/api/v1/auth/logout", &["Cookie: telltale=guess"], String::new()),
    ] {
        assert_eq!(door.ask("POST", path, headers, &body).await.status(), 429, "{path}");
    }
    let session = door.log_in("read").await;
    assert_eq!(door.status("/api/v1/events", &[&cookie(&session)]).await, 200);
}

#[tokio::test(start_paused = true)]
async fn cookies_bearers_and_tickets_are_guessed_at_ten_times_a_minute() {
    let door = Door::open().await;
    for n in 0..10 {
        let (path, header) = match n % 3 {
            0 => (CHILD.to_owned(), format!("Cookie: telltale=guess{n}")),
            1 => (CHILD.to_owned(), bearer(&format!("guess{n}"))),
            _ => (format!("{CHILD}?token=guess{n}"), "X: y".to_owned()),
        };
        assert_eq!(door.status(&path, &[&header]).await, 401, "{path} {header}");
    }
    assert_eq!(door.status(CHILD, &["Cookie: telltale=guess"]).await, 429);
}

#[tokio::test]
async fn logging_out_ends_the_session_its_streams_and_its_tickets_and_no_other() {
    let door = Door::open().await;
    let (one, other) = (door.log_in("read").await, door.log_in("read").await);
    let ticket = door.ticket(&cookie(&one)).await;
    let by_ticket = format!("{CHILD}?token={ticket}");
    let mut ended =
        [EventStream::open(door.address, CHILD, &[&cookie(&one)]).await, EventStream::open(door.address, &by_ticket, &[]).await];
    let mut stays = EventStream::open(door.address, CHILD, &[&bearer(&other)]).await;
    for stream in ended.iter_mut().chain([&mut stays]) {
        stream.named("position").await;
    }
    let answer = door.ask("POST", "/api/v1/auth/logout", &[&bearer(&one)], "").await;
    assert_eq!((answer.status(), answer.header("set-cookie").unwrap().contains("Max-Age=0")), (204, true));
    for stream in &mut ended {
        assert_eq!(stream.next().await.unwrap().name, "revoked");
        assert_eq!(stream.next().await, None, "the end");
    }
    assert_eq!(door.status(CHILD, &[&cookie(&one)]).await, 204, "an EventSource stays away");
    assert_eq!(door.status(&by_ticket, &[]).await, 204);
    for header in [cookie(&one), bearer(&one)] {
        assert_eq!(door.status("/api/v1/events", &[&header]).await, 401);
    }
    door.feed.tell(7, telltale::event::EventType::ChildSeatReminder);
    assert_eq!(stays.named("message").await.event_id(), 7);

    assert_eq!(door.ask("POST", "/api/v1/auth/logout", &["X-Api-Key: read"], "").await.status(), 204);
    assert_eq!(stays.named("revoked").await.name, "revoked", "with the token all of its sessions end");
    assert_eq!(door.status("/api/v1/events", &["X-Api-Key: read"]).await, 200, "and not the token");
    assert!(door.feed.kept("door/").is_empty(), "nothing is left of them");
}

#[tokio::test]
async fn a_revoked_device_takes_its_sessions_and_tickets_along() {
    let door = Door::open().await;
    let session = door.log_in("read").await;
    let (of_session, of_token) = (door.ticket(&bearer(&session)).await, door.ticket("X-Api-Key: read").await);
    let mut streams = Vec::new();
    for (query, header) in [
        (String::new(), cookie(&session)),
        (format!("?token={of_session}"), "X: y".to_owned()),
        (format!("?token={of_token}"), "X: y".to_owned()),
    ] {
        let mut stream = EventStream::open(door.address, &format!("{CHILD}{query}"), &[&header]).await;
        stream.named("position").await;
        streams.push((stream, query, header));
    }
    assert_eq!(door.ask("DELETE", "/api/v1/devices/id-read", &["X-Api-Key: admin"], "").await.status(), 204);
    for (mut stream, query, header) in streams {
        assert_eq!(stream.next().await.unwrap().name, "revoked", "{query} {header}");
        assert_eq!(stream.next().await, None);
        assert_eq!(door.status(&format!("{CHILD}{query}"), &[&header]).await, 204, "{query} {header}");
    }
    assert_eq!(door.status("/api/v1/events", &[&bearer(&session)]).await, 401);
}

#[tokio::test]
async fn a_device_has_eight_and_the_one_unused_for_longest_makes_room() {
    let door = Door::open().await;
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(door.log_in("read").await);
    }
    let others = door.log_in("control").await;
    assert_eq!(door.status("/api/v1/events", &[&bearer(&sessions[0])]).await, 200, "the oldest is in use");
    let ninth = door.log_in("read").await;
    assert_eq!(door.status("/api/v1/events", &[&bearer(&sessions[1])]).await, 401);
    for session in [&sessions[0], &sessions[2], &ninth, &others] {
        assert_eq!(door.status("/api/v1/events", &[&bearer(session)]).await, 200);
    }
    assert_eq!(door.feed.kept("door/session/").len(), 9);
}

#[tokio::test]
async fn only_hashes_are_kept_and_a_restart_finds_them() {
    let start = Wall::build();
    let at = |days: i64| {
        let wall = Wall::from_micros(start.micros() + days * 86_400_000_000 + 3_600_000_000);
        move |settings: &mut telltale::http::Settings| settings.clock = RealTime(Clock::scaled(wall, 1.0))
    };
    let door = Door::with(at(0)).await;
    let session = door.log_in("read").await;
    let rows = door.feed.kept("door/");
    let text: String = rows.iter().map(|(key, value)| format!("{key} {}", String::from_utf8_lossy(value))).collect();
    assert!(!text.contains(&session) && text.contains("used"), "{text}");
    let own: String = hash_token(&session).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(text.contains(&own), "{text}");

    let uses = async |door: &Door| door.status("/api/v1/events", &[&cookie(&session)]).await;
    assert_eq!(uses(&Door::over(door.feed.clone(), at(29)).await).await, 200);
    assert_eq!(uses(&Door::over(door.feed.clone(), at(58)).await).await, 200, "a use counts anew, over restarts too");
    let unset = |settings: &mut telltale::http::Settings| settings.clock = RealTime(Clock::scaled(Wall::default(), 1.0));
    assert_eq!(uses(&Door::over(door.feed.clone(), unset).await).await, 200, "nobody knows how long ago that was");
    assert_eq!(uses(&Door::over(door.feed.clone(), at(89)).await).await, 401, "30 days since its last use");
}

#[tokio::test]
async fn a_phone_that_pairs_gets_a_session_too() {
    let door = Door::open().await;
    let invitation = || Invitation { member: "dad".to_owned(), scopes: vec![Scope::Read], days: None };
    let pair = async |code: &str, headers: &[&str]| {
        let body = json!({"code": code, "device": "phone"}).to_string();
        door.ask("POST", "/api/v1/pair", headers, &body).await
    };
    let (_, short) = door.pairing.open_with_short_code(invitation(), 2).unwrap();
    let paired = pair(&short, &[]).await;
    assert_eq!(paired.status(), 201);
    let set = paired.header("set-cookie").unwrap();
    let session = set.split(['=', ';']).nth(1).unwrap().to_owned();
    assert_ne!(paired.json()["token"], json!(session));
    let devices = door.ask("GET", "/api/v1/devices", &[&cookie(&session)], "").await;
    assert_eq!(devices.json()["devices"][0]["member"], "dad");
    let id = devices.json()["devices"][0]["id"].as_str().unwrap().to_owned();
    let revoke = ["Content-Type: application/json", "Sec-Fetch-Site: same-origin", &cookie(&session)];
    assert_eq!(door.ask("DELETE", &format!("/api/v1/devices/{id}"), &revoke, "").await.status(), 204, "it signs itself out");

    let code = door.pairing.open(invitation(), 2).unwrap();
    let elsewhere = pair(&code, &["Origin: http://localhost:9000"]).await;
    assert_eq!((elsewhere.status(), elsewhere.header("set-cookie")), (201, None), "another page's phone has no cookie of ours");
}

#[tokio::test]
async fn who_presses_the_button_and_has_the_label_pairs_one_phone() {
    let door = Door::open().await;
    let label = Label::read("4711-0815\n").unwrap();
    let pair = async |code: &str| {
        let body = json!({"code": code, "device": "phone"}).to_string();
        door.ask("POST", "/api/v1/pair", &[], &body).await
    };
    assert_eq!(pair("4711-0815").await.status(), 410, "nobody has pressed it");
    assert_eq!(door.pairing.press(&label), Ok(true));
    let wrong = pair("4711-0816").await;
    assert_eq!(wrong.status(), 403);
    assert!(wrong.problem().contains("label"));
    let paired = pair("4711-0815").await;
    assert_eq!(paired.status(), 201);
    assert_eq!(paired.json()["member"], "owner");
    assert_eq!(paired.json()["scopes"], json!(["read", "control"]));
    assert_eq!(pair("4711-0815").await.status(), 410, "one phone");

    door.pairing.press(&label).unwrap();
    for n in 0..5 {
        assert_eq!(pair(&format!("guess-{n}")).await.status(), 403);
    }
    assert_eq!(pair("4711-0815").await.status(), 410, "five tries a press");
}

#[tokio::test]
async fn while_the_journal_cannot_be_written_signing_in_works() {
    let door = Door::open().await;
    door.feed.set_broken(true);
    let session = door.log_in("read").await;
    assert_eq!(door.status("/api/v1/devices", &[&cookie(&session)]).await, 200);
    assert_eq!(door.ask("POST", "/api/v1/auth/logout", &[&bearer(&session)], "").await.status(), 204);
    assert_eq!(door.status("/api/v1/devices", &[&cookie(&session)]).await, 401);
}
