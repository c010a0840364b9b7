//! What a site says of a receiver.

use std::path::PathBuf;

use serde::Deserialize;

/// One `[[gnss]]` of the site's file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What `/healthz` and `[[units]]` call it.
    pub name: String,
    /// A serial port or PTY, a FIFO, or a recording, which is then played at its own speed.
    pub device: PathBuf,
    /// Baud rate of a serial port.
    pub baud: u32,
    /// Metres of horizontal error (68 %) for one unit of HDOP: the user equivalent range error.
    pub uere: f64,
    /// Without a sentence for so long the receiver counts as silent, s.
    pub silent_after_s: f64,
    /// Sentences sent to the receiver when its port has been opened, without `*` and checksum.
    pub init: Vec<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { name: "gnss".to_owned(), device: PathBuf::new(), baud: 9600, uere: 5.0, silent_after_s: 5.0, init: Vec::new() }
    }
}

impl Settings {
    /// Whether every number is one that can work: else which key is wrong, and what would be right.
    pub fn check(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("gnss.name is empty: leave it out, or name the receiver".to_owned());
        }
        if self.device.as_os_str().is_empty() {
            return Err("gnss.device is missing: name a serial port such as \"/dev/ttyS1\", a FIFO or a recording".to_owned());
        }
        if !(1_200..=4_000_000).contains(&self.baud) {
            return Err(format!(
                "gnss.baud is {}: must lie between 1200 and 4000000; most receivers speak 9600, 38400 or 115200",
                self.baud
            ));
        }
        if !(0.5..=100.0).contains(&self.uere) {
            return Err(format!("gnss.uere is {}: must lie between 0.5 and 100 m", self.uere));
        }
        if !(1.0..=3600.0).contains(&self.silent_after_s) {
            return Err(format!("gnss.silent_after_s is {}: must lie between 1 and 3600 s", self.silent_after_s));
        }
        match self.init.iter().find(|sentence| !sendable(sentence)) {
            Some(wrong) => Err(format!(
                "gnss.init has `{}`: a sentence begins with `$`, is printable ASCII of at most 250 characters, and has no `*`: \
                 the checksum is added",
                wrong.escape_debug()
            )),
            None => Ok(()),
        }
    }
}

fn sendable(sentence: &str) -> bool {
    let Some(body) = sentence.strip_prefix('$') else { return false };
    !body.is_empty() && body.len() < 250 && body.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'$' && b != b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_needs_a_device_and_a_baud_rate_that_exists() {
        let good = Settings { device: "/dev/ttyS1".into(), ..Settings::default() };
        assert_eq!(good.check(), Ok(()));
        let wrong = |settings: Settings, key: &str| {
            let error = settings.check().unwrap_err();
            assert!(error.starts_with(key), "{error}");
        };
        wrong(Settings::default(), "gnss.device");
        wrong(Settings { name: String::new(), ..good.clone() }, "gnss.name");
        wrong(Settings { baud: 0, ..good.clone() }, "gnss.baud is 0");
        wrong(Settings { uere: f64::NAN, ..good.clone() }, "gnss.uere");
        wrong(Settings { silent_after_s: 0.0, ..good.clone() }, "gnss.silent_after_s");
        for init in ["PMTK314", "$PMTK314,0*28", "$", "$\n"] {
            wrong(Settings { init: vec![init.to_owned()], ..good.clone() }, "gnss.init");
        }
        assert_eq!(Settings { init: vec!["$PMTK314,0,1".to_owned()], ..good }.check(), Ok(()));
    }
}
