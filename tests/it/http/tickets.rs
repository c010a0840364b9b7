//! Tickets: what a page that can set no header puts behind `?token=`.

use telltale::clock::{Clock, Wall};
use telltale::feed::Feed;
use telltale::http::{RealTime, Settings};

use super::client::EventStream;
use super::door::Door;

const ALL: &str = "/api/my-events";
const CHILD: &str = "/api/v1/childcare/vehicles/self/child-alert/events";

/// `days` after the beginning, and at `speed`.
fn at(days: f64, speed: f64) -> impl FnOnce(&mut Settings) {
    let wall = Wall::from_micros(Wall::build().micros() + (days * 86_400e6) as i64);
    move |settings| settings.clock = RealTime(Clock::scaled(wall, speed))
}

#[tokio::test]
async fn a_ticket_is_asked_for_under_every_name_of_that_vendor() {
    let door = Door::open().await;
    for prefix in ["", "/OpenApi", "/OpenApi2", "/OpenApi_1_2_3_4", "/OpenApi2_77"] {
        let path = format!("{prefix}/ActiveSession/AboutMe");
        let answer = door.ask("GET", &path, &["X-Api-Key: read"], "").await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.json()["data"]["UrlToken"].as_str().map(str::len), Some(64));
        assert_eq!(door.status(&format!("{path}?token=read"), &[]).await, 401, "not by what is in an address");
        assert_eq!(door.status(&path, &["X-Api-Key: blind"]).await, 403, "it would not read");
    }
}

#[tokio::test]
async fn a_ticket_opens_one_stream_as_token_and_that_one_again() {
    let door = Door::open().await;
    let ticket = door.ticket("X-Api-Key: read").await;
    for place in [format!("Authorization: Bearer {ticket}"), format!("X-Api-Key: {ticket}"), format!("Cookie: telltale={ticket}")]
    {
        assert_eq!(door.status(ALL, &[&place]).await, 401, "{place}");
    }
    let opens = async |path: &str, query: &str| door.status(&format!("{path}?{query}"), &[]).await;
    for name in ["session", "sessionid"] {
        assert_eq!(opens(ALL, &format!("{name}={ticket}")).await, 401, "{name}");
    }
    let token = format!("token={ticket}");
    for path in ["/api/v1/events", "/api/v1/geofences", "/api/v1/vehicles/self/state", "/api/v1/devices", "/metrics"] {
        assert_eq!(opens(path, &token).await, 401, "{path} is no stream");
    }
    let change = door.ask("POST", &format!("/api/v1/childcare/vehicles/self/child-alert/safe?{token}"), &[], "{}").await;
    assert_eq!(change.status(), 401);
    assert!(door.feed.kept("door/").is_empty(), "nothing has been opened");
    assert_eq!(opens(ALL, &format!("{token}&want=child,trip&names=child")).await, 200);
    for (path, query, status) in [
        (ALL, "want=child,trip&rve=0", 200),
        (ALL, "want=trip", 200),
        (ALL, "names=trip", 200),
        (ALL, "names=nonsense", 400),
        (ALL, "want=child,gps", 401),
        (CHILD, "want=child,trip", 401),
        ("/diagnosis/auto/events", "", 401),
    ] {
        assert_eq!(opens(path, &format!("{token}&{query}")).await, status, "{path} {query}");
    }
    assert_eq!(door.feed.kept("door/ticket/").len(), 1);
}

#[tokio::test]
async fn a_request_that_opens_nothing_uses_no_ticket_up() {
    let door = Door::with(|settings| settings.limits.streams_per_token = 1).await;
    let ticket = door.ticket("X-Api-Key: read").await;
    let path = |path: &str| format!("{path}{}token={ticket}", if path.contains('?') { "&" } else { "?" });
    for (other, status) in [
        ("/api/my-events?names=nonsense", 400),
        ("/eventsource?want=nonsense", 400),
        ("/api/v1/childcare/vehicles/ANOTHER/child-alert/events", 404),
        ("/api/v1/events", 401),
        ("/nowhere", 404),
    ] {
        assert_eq!(door.status(&path(other), &[]).await, status, "{other}");
    }
    // Nor one for which there is no place now.
    let busy = door.stream(ALL, &[]).await;
    assert_eq!(door.status(&path(ALL), &[]).await, 200);
    assert!(door.feed.kept("door/ticket/").is_empty());
    drop(busy);
    door.until("telltale_http_streams", 0.0).await;
    let mut stream = EventStream::open(door.address, &path(CHILD), &[]).await;
    stream.named("position").await;
    assert_eq!(door.feed.kept("door/ticket/").len(), 1);
    drop(stream);
    door.until("telltale_http_streams", 0.0).await;
    assert_eq!(door.status(&path(ALL), &[]).await, 401, "and now it is");
}

#[tokio::test]
async fn a_ticket_is_late_after_ten_minutes() {
    let door = Door::with(at(0.0, 1e9)).await;
    let ticket = door.ticket("X-Api-Key: read").await;
    let answer = door.ask("GET", &format!("{ALL}?token={ticket}"), &[], "").await;
    assert_eq!(answer.status(), 401);
    answer.problem();
}

#[tokio::test]
async fn an_opened_one_outlives_restarts_for_seven_days_between_two_uses() {
    let door = Door::with(at(0.0, 1.0)).await;
    let session = door.log_in("read").await;
    let ticket = door.ticket(&format!("Cookie: telltale={session}")).await;
    let path = format!("{CHILD}?token={ticket}");
    let over = async |days: f64| Door::over(door.feed.clone(), at(days, 1.0)).await.status(&path, &[]).await;
    assert_eq!(over(0.001).await, 401, "not opened yet, a restart ends it");
    assert_eq!(door.status(&path, &[]).await, 200);
    assert_eq!((over(6.9).await, over(13.8).await), (200, 200));
    assert_eq!(over(20.9).await, 401, "more than seven days");
}

#[tokio::test]
async fn a_ticket_ends_with_its_session_over_a_restart_too() {
    let door = Door::open().await;
    let session = door.log_in("read").await;
    let ticket = door.ticket(&format!("Cookie: telltale={session}")).await;
    let path = format!("{CHILD}?token={ticket}");
    assert_eq!(door.status(&path, &[]).await, 200);
    let next = Door::over(door.feed.clone(), |_| {}).await;
    assert_eq!(next.status(&path, &[]).await, 200);
    assert_eq!(next.ask("POST", "/api/v1/auth/logout", &[&format!("Authorization: Bearer {session}")], "").await.status(), 204);
    assert_eq!(Door::over(door.feed.clone(), |_| {}).await.status(&path, &[]).await, 401);
}

#[tokio::test]
async fn a_sign_in_has_sixteen() {
    let door = Door::open().await;
    let mut tickets = Vec::new();
    for _ in 0..16 {
        tickets.push(door.ticket("X-Api-Key: read").await);
    }
    let path = |ticket: &str| format!("{CHILD}?token={ticket}");
    let mut first = EventStream::open(door.address, &path(&tickets[0]), &[]).await;
    first.named("position").await;
    let of_another = door.ticket("X-Api-Key: control").await;
    let next = door.ticket("X-Api-Key: read").await;
    assert_eq!(door.status(&path(&tickets[1]), &[]).await, 401, "the one unused for longest");
    for ticket in [&tickets[0], &tickets[2], &next, &of_another] {
        assert_eq!(door.status(&path(ticket), &[]).await, 200);
    }
}

#[tokio::test]
async fn a_stale_ticket_falls_back_to_a_cookie_and_a_stale_cookie_to_a_ticket() {
    let door = Door::open().await;
    let cookie = format!("Cookie: telltale={}", door.log_in("read").await);
    assert_eq!(door.status(&format!("{CHILD}?token=stale"), &[&cookie]).await, 200);
    let path = format!("{CHILD}?token={}", door.ticket("X-Api-Key: read").await);
    assert_eq!(door.status(&path, &["Cookie: telltale=stale"]).await, 200);
    assert_eq!(door.status(&path, &["Authorization: Bearer stale", &cookie]).await, 401, "a header goes before");
}
