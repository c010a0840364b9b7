//! An open door for one test.

use std::net::SocketAddr;
use std::sync::Arc;

use telltale::health::Health;
use telltale::http::{Certificates, Entrance, Pairing, Server, Settings};
use telltale::metrics::Metrics;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Answer, Client, EventStream};
use super::feed::MemoryFeed;

pub struct Door {
    pub address: SocketAddr,
    pub addresses: Vec<SocketAddr>,
    pub feed: Arc<MemoryFeed>,
    pub health: Health,
    pub metrics: Metrics,
    pub pairing: Pairing,
    pub entrance: Entrance,
    pub certificates: Certificates,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<()>,
}

impl Door {
    pub async fn open() -> Door {
        Door::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Door {
        Door::over(MemoryFeed::new(), change).await
    }

    /// Over a feed that has been there before: after a restart.
    pub async fn over(feed: Arc<MemoryFeed>, change: impl FnOnce(&mut Settings)) -> Door {
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let mut settings = Settings { listen, discovery: false, ..Settings::default() };
        change(&mut settings);
        let (health, metrics, shutdown) = (Health::default(), Metrics::default(), CancellationToken::new());
        let server = Server::bind(settings, feed.clone(), health.clone(), &metrics, shutdown.clone()).unwrap();
        let (addresses, pairing) = (server.addresses().to_vec(), server.pairing());
        let (entrance, certificates) = (server.entrance(), server.certificates());
        let address = addresses[0];
        let serving = tokio::spawn(server.run());
        Door { address, addresses, feed, health, metrics, pairing, entrance, certificates, shutdown, serving }
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut client = self.client().await;
        client.ask(method, path, headers, body).await
    }

    /// `GET` with a device's token.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &["Authorization: Bearer read"], "").await
    }

    /// A session of the device whose token is its name.
    pub async fn log_in(&self, token: &str) -> String {
        let body = serde_json::json!({"username": "mum", "password": token}).to_string();
        let answer = self.ask("POST", "/api/v1/auth/login", &[], &body).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.json()["data"]["token"].as_str().unwrap().to_owned()
    }

    /// A ticket of whoever these headers sign in.
    pub async fn ticket(&self, header: &str) -> String {
        let answer = self.ask("GET", "/ActiveSession/AboutMe", &[header], "").await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.json()["data"]["UrlToken"].as_str().unwrap().to_owned()
    }

    /// Only the status of an answer, also where it is a stream.
    pub async fn status(&self, path: &str, headers: &[&str]) -> u16 {
        EventStream::open(self.address, path, headers).await.head.status
    }

    /// A stream, with the token of the device `read`.
    pub async fn stream(&self, path: &str, headers: &[&str]) -> EventStream {
        let headers = [&["Authorization: Bearer read"], headers].concat();
        EventStream::open(self.address, path, &headers).await
    }

    /// The value of a metric, by the line's beginning.
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.metrics.encode();
        let line = page.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
    }

    /// Waits until a metric has a value, which some task is about to give it.
    pub async fn until(&self, name: &str, value: f64) {
        while self.metric(name) != value {
            tokio::task::yield_now().await;
        }
    }

    /// The same where it takes time: under a paused clock that is no time at all.
    pub async fn until_later(&self, name: &str, value: f64) {
        while self.metric(name) != value {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}
