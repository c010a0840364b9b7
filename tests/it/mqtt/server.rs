//! Brokers that fleets run, each in a folder of its own on a port of its own.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::script::PATIENCE;

/// A program of the distribution's; `None`, told, where it is not installed.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    let found = folders.map(|folder: PathBuf| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        println!("passed over: there is no {name} here");
    }
    found
}

/// A broker that runs until it is dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    command: (PathBuf, Vec<String>),
}

impl Server {
    fn start(program: PathBuf, arguments: Vec<String>, port: u16) -> Server {
        let child = spawn(&program, &arguments);
        let mut server = Server { child, port, command: (program, arguments) };
        server.wait();
        server
    }

    /// mosquitto with these lines in its configuration, `{port}` and `{folder}` filled in.
    pub fn mosquitto(folder: &TempDir, lines: &str) -> Option<Server> {
        let program = program("mosquitto")?;
        let port = free_port();
        let folder = folder.path().display().to_string();
        let user = "user root\nlog_type error\n";
        let lines = format!("{user}{lines}").replace("{port}", &port.to_string()).replace("{folder}", &folder);
        let file = format!("{folder}/mosquitto.conf");
        std::fs::write(&file, lines).unwrap();
        Some(Server::start(program, vec!["-c".to_owned(), file], port))
    }

    /// nats-server with its MQTT side.
    pub fn nats(folder: &TempDir) -> Option<Server> {
        let program = program("nats-server")?;
        let (port, own) = (free_port(), free_port());
        let store = folder.path().join("jetstream").display().to_string();
        let file = folder.path().join("nats.conf");
        let lines = format!(
            "server_name: one\nlisten: \"127.0.0.1:{own}\"\njetstream {{ store_dir: \"{store}\" }}\nmqtt {{ listen: \"127.0.0.1:{port}\" }}\n"
        );
        std::fs::write(&file, lines).unwrap();
        Some(Server::start(program, vec!["-c".to_owned(), file.display().to_string()], port))
    }

    /// Ends it by SIGKILL, and starts it again on its port.
    pub fn kill_and_start(&mut self) {
        self.end();
        self.child = spawn(&self.command.0, &self.command.1);
        self.wait();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert_eq!(self.child.try_wait().unwrap(), None, "{:?} has ended", self.command);
            assert!(begun.elapsed() < PATIENCE, "{:?} does not listen", self.command);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(program: &PathBuf, arguments: &[String]) -> Child {
    let quiet = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    quiet.unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// A port that nobody has now, nor gets by chance for a connection of its own while a broker begins, or is down.
fn free_port() -> u16 {
    loop {
        let chance = RandomState::new().build_hasher().finish() % 12_000;
        let port = 20_000 + u16::try_from(chance).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The distribution's own subscriber, which has nothing of ours: lines `TOPIC PAYLOAD`, each with QoS 1.
pub struct Subscriber {
    child: Child,
    lines: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Subscriber {
    /// Subscribed already; `None` where there is no mosquitto_sub. Its version is `mqttv5` or `mqttv311`.
    pub async fn new(server: &Server, version: &str, filter: &str) -> Option<Subscriber> {
        // Through `stdbuf`, for what it says of itself would wait in its buffer.
        let mut child = Command::new(program("stdbuf")?)
            .arg("-oL")
            .arg(program("mosquitto_sub")?)
            .args(["-h", "127.0.0.1", "-p", &server.port.to_string(), "-V", version, "-q", "1", "-d", "-t", filter])
            .args(["-F", "message %r %t %p"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while out.read_line(&mut line).is_ok_and(|read| read > 0) {
                if tell.send(line.trim_end().to_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        let mut subscriber = Subscriber { child, lines };
        subscriber.line("Subscribed (mid").await;
        Some(subscriber)
    }

    async fn line(&mut self, start: &str) -> String {
        let line = async {
            loop {
                let line = self.lines.recv().await.expect("mosquitto_sub ended");
                if let Some(rest) = line.strip_prefix(start) {
                    return rest.trim_start().to_owned();
                }
            }
        };
        let told = tokio::time::timeout(PATIENCE, line).await;
        told.unwrap_or_else(|_| panic!("mosquitto_sub tells no `{start}`"))
    }

    /// The next message: `0 TOPIC PAYLOAD`, or `1 …` where the broker had kept it.
    pub async fn next(&mut self) -> String {
        self.line("message").await
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Publishes with the distribution's own program.
pub fn publish(server: &Server, version: &str, arguments: &[&str]) {
    let Some(program) = program("mosquitto_pub") else { return };
    let port = server.port.to_string();
    let done =
        Command::new(program).args(["-h", "127.0.0.1", "-p", &port, "-V", version, "-q", "1"]).args(arguments).status().unwrap();
    assert!(done.success(), "{arguments:?}");
}
