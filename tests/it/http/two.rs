//! HTTP/2, by a client of another make than the server's tests: hyper's.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use telltale::event::EventType;
use telltale::http::Settings;

use super::door::Door;
use super::judge::{Browser, Told};
use super::secure::App;

/// A connection by ALPN.
struct Two {
    sender: SendRequest<Empty<Bytes>>,
}

impl Two {
    async fn connect(door: &Door, window: Option<u32>) -> Two {
        let app = App { alpn: &["h2", "http/1.1"], ..App::new(&door.entrance.pin().unwrap()) };
        let (stream, _) = app.connect(door.addresses[1]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut builder = http2::Builder::new(TokioExecutor::new());
        if let Some(window) = window {
            builder.initial_stream_window_size(window);
        }
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Two { sender }
    }

    async fn ask(&mut self, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
        let mut request = Request::get(format!("https://localhost{path}")).version(Version::HTTP_2).header("x-api-key", "read");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await.unwrap();
        self.sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap()
    }

    async fn stream(&mut self, path: &str, headers: &[(&str, &str)]) -> Events {
        let response = self.ask(path, headers).await;
        assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
        Events { body: response.into_body(), browser: Browser::default(), told: Vec::new() }
    }
}

struct Events {
    body: Incoming,
    browser: Browser,
    told: Vec<Told>,
}

impl Events {
    /// Reads until an event of this name; `Ok(None)` at the proper end.
    async fn named(&mut self, name: &str) -> Result<Option<Told>, hyper::Error> {
        loop {
            while !self.told.is_empty() {
                let told = self.told.remove(0);
                if told.name == name {
                    return Ok(Some(told));
                }
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(piece) = frame?.into_data() {
                self.told.extend(self.browser.hear(&piece));
            }
        }
    }

    async fn id(&mut self) -> u64 {
        self.named("message").await.unwrap().expect("the stream goes on").event_id()
    }
}

async fn door(change: impl FnOnce(&mut Settings)) -> Door {
    Door::with(|settings| {
        settings.tls = vec!["127.0.0.1:0".parse().unwrap()];
        change(settings);
    })
    .await
}

#[tokio::test]
async fn several_streams_share_a_connection_and_resume_and_end_as_they_should() {
    let door = door(|_| {}).await;
    for id in [10, 20] {
        door.feed.tell(id, EventType::ChildSeatReminder);
    }
    let mut two = Two::connect(&door, None).await;
    let mut first = two.stream("/api/my-events", &[("last-event-id", "0")]).await;
    let mut second = two.stream("/api/v1/childcare/vehicles/self/child-alert/events", &[("last-event-id", "10")]).await;
    door.feed.tell(30, EventType::ChildSeatReminder);
    assert_eq!([first.id().await, first.id().await, first.id().await], [10, 20, 30]);
    assert_eq!([second.id().await, second.id().await], [20, 30]);
    let health = two.ask("/healthz", &[]).await;
    assert_eq!(health.status(), StatusCode::OK, "beside them");
    assert_eq!(health.headers()["referrer-policy"], "no-referrer");
    assert_eq!(two.ask("/healthz", &[("host", "elsewhere")]).await.status(), StatusCode::BAD_REQUEST, "two names");
    assert_eq!(two.ask("/nowhere", &[]).await.status(), StatusCode::NOT_FOUND);
    let page = two.ask("/page.js", &[]).await.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(page, include_str!("../../../src/http/page/page.js"), "in pieces");

    let id = "id-read";
    assert!(telltale::feed::Feed::revoke_device(&*door.feed, id).await.unwrap());
    assert!(first.named("revoked").await.unwrap().is_some());
    assert!(first.named("message").await.unwrap().is_none() && second.named("message").await.unwrap().is_none());
    assert_eq!(two.ask("/api/my-events", &[]).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_shutdown_ends_streams_properly() {
    let door = door(|_| {}).await;
    let mut two = Two::connect(&door, None).await;
    let mut events = two.stream("/api/my-events", &[]).await;
    events.named("position").await.unwrap().unwrap();
    door.shutdown.cancel();
    assert!(events.named("message").await.unwrap().is_none());
    door.serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_window_stays_shut_is_reset_and_its_neighbours_feel_nothing() {
    let door = door(|_| {}).await;
    for id in 1..=2_000 {
        door.feed.tell(id, EventType::ChildSeatReminder);
    }
    let mut two = Two::connect(&door, Some(4096)).await;
    let mut shut = two.stream("/api/my-events", &[("last-event-id", "0")]).await;
    let mut good = two.stream("/api/my-events", &[]).await;
    good.named("position").await.unwrap().unwrap();
    let mut id = 2_000;
    while door.metric("telltale_http_dropped_total{reason=\"shut_window\"}") == 0.0 {
        id += 1;
        door.feed.tell(id, EventType::ChildSeatReminder);
        assert_eq!(good.id().await, id);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let reset = loop {
        match shut.named("message").await {
            Ok(Some(_)) => {}
            other => break other.map(|_| ()),
        }
    };
    assert!(reset.is_err(), "it was no proper end");
    door.until("telltale_http_streams", 1.0).await;
    door.feed.tell(id + 1, EventType::ChildSeatReminder);
    assert_eq!(good.id().await, id + 1);
    assert_eq!(door.metric("telltale_http_connections"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_lasts_while_a_stranger_has_five_seconds_between_requests() {
    let door = door(|_| {}).await;
    let mut two = Two::connect(&door, None).await;
    let mut quiet = two.stream("/api/v1/childcare/vehicles/self/child-alert/events", &[]).await;
    quiet.named("position").await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    door.feed.tell(10, EventType::ChildSeatReminder);
    assert_eq!(quiet.id().await, 10);

    let mut stranger = Two::connect(&door, None).await;
    let request = Request::get("https://localhost/healthz").body(Empty::new()).unwrap();
    let answer = stranger.sender.send_request(request).await.unwrap();
    answer.into_body().collect().await.unwrap();
    door.until_later("telltale_http_dropped_total{reason=\"slow_head\"}", 1.0).await;
    door.until_later("telltale_http_connections", 1.0).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_the_connection_goes_on() {
    let door = door(|_| {}).await;
    let mut two = Two::connect(&door, None).await;
    let long = "x".repeat(20_000);
    assert_eq!(two.ask("/healthz", &[("x-long", &long)]).await.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(two.ask("/healthz", &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_leave_nothing_behind_and_hurt_nobody() {
    let door = door(|_| {}).await;
    let mut good = Two::connect(&door, None).await;
    let mut events = good.stream("/api/my-events", &[]).await;
    let mut hasty = Two::connect(&door, None).await;
    for _ in 0..1_000 {
        if hasty.sender.ready().await.is_err() {
            break;
        }
        let request = Request::get("https://localhost/api/my-events").header("x-api-key", "read").body(Empty::new());
        let asked = hasty.sender.send_request(request.unwrap());
        tokio::select! {
            biased;
            _ = asked => {}
            () = tokio::task::yield_now() => {}
        }
    }
    drop(hasty);
    door.until("telltale_http_streams", 1.0).await;
    door.until("telltale_http_connections", 1.0).await;
    door.feed.tell(10, EventType::ChildSeatReminder);
    assert_eq!(events.id().await, 10);
}
