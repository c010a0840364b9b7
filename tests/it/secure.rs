//! TLS of a running unit: its pin over pulled plugs, the owner's certificate over a reload, curl as a phone.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::http::secure::App;
use crate::phone::{GENEROUS, until};
use crate::unit::telltale;

/// A unit with nothing but a receiver that is not there.
struct Unit {
    process: Child,
    address: SocketAddr,
    pin: String,
}

impl Unit {
    fn start(folder: &Path, more: &str) -> Unit {
        let site = format!(
            "[vehicle]\nvin = 'TELLTALESAMPLE001'\n[[gnss]]\ndevice = '/dev/no-receiver'\n[journal]\ndir = 'journal'\n\
             [http]\nlisten = '127.0.0.1:0'\ntls = '127.0.0.1:0'\ndiscovery = false\n{more}"
        );
        std::fs::write(folder.join("telltale.toml"), site).unwrap();
        let mut daemon = telltale();
        daemon.env("RUNTIME_DIRECTORY", folder).args(["run", "--config"]).arg(folder.join("telltale.toml"));
        let process = daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let link = until("a link", || {
            let output = telltale().env("RUNTIME_DIRECTORY", folder).arg("pair").output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            output.status.success().then(|| shown.lines().find(|line| line.starts_with("https://")).unwrap().to_owned())
        });
        let (address, fragment) = link.trim_start_matches("https://").split_once("/#pair=").unwrap();
        let (code, pin) = fragment.split_once("&pin=").unwrap();
        assert_eq!((code.len(), pin.len()), (32, 64), "{link}");
        Unit { process, address: address.parse().unwrap(), pin: pin.to_owned() }
    }

    /// Whether an app with this pin comes in, and is answered.
    fn answers(&self, pin: &str) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let app = App { name: "127.0.0.1", ..App::new(pin) };
            let connection = tokio::time::timeout(GENEROUS, app.connect(self.address)).await.unwrap();
            connection.is_ok()
        })
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An owner's certificate and key, in `folder`.
fn owners(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join("owner.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("owner.key"), key.serialize_pem()).unwrap();
}

#[test]
fn the_pin_outlives_a_pulled_plug_and_curl_believes_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = Unit::start(folder.path(), "").pin.clone();
    let unit = Unit::start(folder.path(), "");
    assert_eq!(unit.pin, first);
    assert!(unit.answers(&first));
    let bytes: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&first[at..at + 2], 16).unwrap()).collect();
    let pinned = format!("sha256//{}", base64(&bytes));
    for (pin, version, works) in
        [(pinned.as_str(), "--http2", true), (&pinned, "--http1.1", true), ("sha256//AAAA", "--http1.1", false)]
    {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--insecure", version, "--pinnedpubkey", pin]).arg(format!("https://{}/healthz", unit.address));
        let Ok(output) = curl.output() else {
            println!("passed over: there is no curl here");
            return;
        };
        assert_eq!(output.status.success(), works, "{pin} {version}: {output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().contains("\"parts\""), works);
    }
}

#[test]
fn a_reload_shows_the_owners_new_certificate_and_check_names_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    owners(folder.path());
    let unit = Unit::start(folder.path(), "certificate = 'owner.pem'\nkey = 'owner.key'\n");
    assert!(unit.answers(&unit.pin));
    let reload = || kill(Pid::from_raw(unit.process.id() as i32), Signal::SIGHUP).unwrap();
    owners(folder.path());
    reload();
    until("the new one is shown", || (!unit.answers(&unit.pin)).then_some(()));

    std::fs::write(folder.path().join("owner.key"), "none").unwrap();
    let told = telltale().args(["check", "--config"]).arg(folder.path().join("telltale.toml")).output().unwrap();
    assert_eq!(told.status.code(), Some(78));
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("http.key: ") && told.contains("owner.key holds no private key in PEM"), "{told}");
}

/// RFC 4648, 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let is_there = digit <= three.len();
            text.push(if is_there { DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char } else { '=' });
        }
    }
    text
}
