//! `eventsource-client` as its README shows it, for the client matrix: one JSON line for everything that it tells.
//!
//! usage: telltale-client-matrix '[{"run": …, "client": …, "url": …, "token": …, "names": […]}, …]'

use std::error::Error;
use std::time::Duration;

use eventsource_client::{Client, ClientBuilder, Error as StreamError, SSE};
use futures::future::join_all;
use futures::StreamExt;
use launchdarkly_sdk_transport::HyperTransport;
use serde_json::{json, Value};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let jobs = std::env::args().nth(1).ok_or("the argument is a list of what to read, as JSON")?;
    let jobs: Vec<Value> = serde_json::from_str(&jobs)?;
    for ended in join_all(jobs.iter().map(follow)).await {
        ended?;
    }
    Ok(())
}

async fn follow(job: &Value) -> Result<(), Box<dyn Error>> {
    let text = |key: &str| job[key].as_str().unwrap_or_default();
    let transport =
        HyperTransport::builder().connect_timeout(Duration::from_secs(10)).read_timeout(Duration::from_secs(30)).build_http()?;
    let client = ClientBuilder::for_url(text("url"))?
        .header("Authorization", &format!("Bearer {}", text("token")))?
        .build_with_transport(transport);
    let mut stream = client.stream();
    while let Some(told) = stream.next().await {
        match told {
            Ok(SSE::Event(event)) if job["names"].as_array().is_some_and(|names| names.iter().any(|name| *name == *event.event_type)) => {
                let data: Value = serde_json::from_str(&event.data)?;
                // Fieldpine's stands in an array under its keyword.
                let inside = data.as_object().and_then(|told| told.values().next()).map(|list| &list[0]["eventId"]);
                let id = data.get("eventId").or(inside);
                println!("{}", json!({"run": job["run"], "id": id}));
            }
            Ok(SSE::Event(event)) if event.event_type == "revoked" => println!("{}", json!({"run": job["run"], "revoked": true})),
            Ok(_) => {}
            // Its documentation: errors are not terminal, keep polling.
            Err(StreamError::Eof | StreamError::UnexpectedEof | StreamError::Transport(_)) => {}
            Err(error) => eprintln!("{}: {error}", text("run")),
        }
    }
    println!("{}", json!({"run": job["run"], "ended": true}));
    Ok(())
}
