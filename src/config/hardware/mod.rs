//! What a unit is made of: `[hardware]` of a board's file, and what a site says differs on its own.
//!
//! The words are Linux' own, those of `ip link set … type can` and systemd.network(5), so that whoever knows one knows the
//! others. Bit rates are in bit/s, sample points a share of the bit's time, frequencies in Hz.
//!
//! | key below `[hardware]` | what |
//! |---|---|
//! | `target` | Rust's name of what the unit runs, one of [`TARGETS`] |
//! | `can.NAME` | a CAN interface, under the kernel's name of it ([`Can`]) |
//! | `gnss` | the serial port that the receiver is on, which becomes `/dev/telltale-gnss` ([`Port`]) |
//! | `ignition`, `button` | a GPIO line: the ignition, the button that opens pairing ([`Line`]) |
//! | `supply` | the ADC channel that measures the car's battery ([`Channel`]) |
//! | `watchdog` | the hardware watchdog that restarts a hung unit ([`Watchdog`]) |
//! | `image` | kernel modules and lines of the boot configuration ([`Image`]) |
//!
//! What a unit does not have is absent. The speed and the first sentences of the receiver are no matter of the port but of
//! the receiver: they stand in `[[gnss]]`. A car's bit rate is the car's: what a board says is where to begin, and a site
//! says `[hardware.can.can0] bitrate = 250000`. [`image`] makes of all this what an image of the unit needs.

pub mod image;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::vehicle::within;

/// What Telltale is built for: glibc and musl on 64-bit and 32-bit ARM, and a computer to try it on.
pub const TARGETS: &[&str] = &[
    "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "armv7-unknown-linux-gnueabihf",
    "armv7-unknown-linux-musleabihf",
    "x86_64-unknown-linux-gnu",
];

/// A unit's hardware.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hardware {
    /// Rust's name of what it runs.
    pub target: String,
    /// Its CAN interfaces, by the kernel's name.
    pub can: BTreeMap<String, Can>,
    /// The port of its satellite receiver.
    pub gnss: Option<Port>,
    /// The line that is active while the ignition is on.
    pub ignition: Option<Line>,
    /// What measures the car's battery.
    pub supply: Option<Channel>,
    /// The button that opens pairing.
    pub button: Option<Line>,
    /// What restarts the unit when it hangs.
    pub watchdog: Option<Watchdog>,
    /// What its image needs besides.
    pub image: Image,
}

/// A CAN interface. Always brought up listen-only; `vcan` has neither bit rate nor that mode.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Can {
    /// The kernel's driver, or `vcan`.
    pub driver: String,
    /// The controller, for people.
    pub controller: String,
    /// The device it is on, such as `spi0.0`, where the kernel may find several controllers in any order. The interface is
    /// then named by it, and cannot be called `canN`: of two that the kernel named the other way round neither could get
    /// the name that the other has.
    pub device: Option<String>,
    /// Of the arbitration phase, bit/s: 5,000 to 1,000,000 (ISO 11898-2).
    pub bitrate: Option<u32>,
    /// Where in the bit its value is read: 0.5 to 0.9.
    pub sample_point: Option<f64>,
    /// Of the data phase, bit/s, to 8,000,000; present where the controller knows CAN FD.
    pub data_bitrate: Option<u32>,
    /// Where in the data phase's bit its value is read.
    pub data_sample_point: Option<f64>,
    /// What clocks the controller, Hz, where that is not the processor: the device tree has to say the same.
    pub oscillator: Option<u32>,
    /// After a bus-off the controller is started again, ms later; 0 leaves it off.
    pub restart_ms: Option<u32>,
    /// `false` lets the controller take full part in its bus, as `diagnostics.transmit` needs it to; it listens only where
    /// this is absent.
    pub listen_only: Option<bool>,
}

/// A serial port: one of the unit (`tty` alone), or one of something on its USB.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Port {
    /// The kernel's name of it, `ttyS4`; on USB, where numbers change, what its names begin with: `ttyUSB`, `ttyACM`.
    pub tty: String,
    /// The maker, as `lsusb` shows it before the colon: four hexadecimal digits.
    pub usb_vendor: Option<String>,
    /// The product, behind the colon; any of that maker where absent.
    pub usb_product: Option<String>,
    /// Which of its interfaces, where it has several.
    pub usb_interface: Option<u8>,
}

/// An input on a GPIO character device.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    /// The device of the chip, such as `481ac000.gpio` or `fe200000.gpio`: numbers of `/dev/gpiochipN` change with kernels.
    pub chip: String,
    /// The line on that chip.
    pub line: u32,
    /// Whether low is active.
    pub active_low: bool,
}

/// A channel of the Industrial I/O subsystem.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Channel {
    /// What `/sys/bus/iio/devices/iio:deviceN/name` says.
    pub device: String,
    /// The channel, `in_voltage0`.
    pub channel: String,
    /// Volts of the car for one volt at the channel: 1 to 100.
    pub divider: f64,
}

/// A hardware watchdog, fed by systemd.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watchdog {
    /// `/dev/watchdog0`.
    pub device: String,
    /// The kernel's driver.
    pub driver: String,
    /// Not fed for so long it restarts the unit, s: 5 to 600, and no more than the hardware can count.
    pub timeout_s: u32,
}

/// What an image needs that no file of `/etc` can give it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Image {
    /// Kernel modules to load at boot.
    pub modules: Vec<String>,
    /// Where the boot loader is told of overlays.
    pub boot_file: Option<String>,
    /// What has to stand there.
    pub boot_lines: Vec<String>,
}

impl Hardware {
    /// Whether this can be a unit.
    ///
    /// # Errors
    /// A sentence that names the key below `[hardware]` and says what would be right.
    pub fn check(&self) -> Result<(), String> {
        if self.target.is_empty() {
            return Err(format!("target is absent; name the unit with `board`, or give one of {}", TARGETS.join(", ")));
        }
        if !TARGETS.contains(&self.target.as_str()) {
            return Err(format!("target is {:?}; give one of {}", self.target, TARGETS.join(", ")));
        }
        for (name, can) in &self.can {
            can.check(name).map_err(|wrong| format!("can.{name}.{wrong}"))?;
        }
        let lines = [("ignition", &self.ignition), ("button", &self.button)];
        for (key, line) in lines.iter().filter_map(|(key, line)| Some((key, line.as_ref()?))) {
            line.check().map_err(|wrong| format!("{key}.{wrong}"))?;
        }
        let parts = [
            ("gnss", self.gnss.as_ref().map(Port::check)),
            ("supply", self.supply.as_ref().map(Channel::check)),
            ("watchdog", self.watchdog.as_ref().map(Watchdog::check)),
            ("image", Some(self.image.check())),
        ];
        for (key, checked) in parts {
            checked.unwrap_or(Ok(())).map_err(|wrong| format!("{key}.{wrong}"))?;
        }
        Ok(())
    }
}

impl Can {
    /// Whether it exists only in the kernel.
    pub fn is_virtual(&self) -> bool {
        self.driver == "vcan"
    }

    fn check(&self, name: &str) -> Result<(), String> {
        word("driver", &self.driver, "the kernel's driver, such as \"mcp251x\"")?;
        // IFNAMSIZ of linux/if.h, and what may stand in the name of a file.
        if name.len() > 15 || !is_word(name) {
            return Err(format!(
                "driver: `{}` cannot be the name of an interface; write [hardware.can.can0]",
                name.escape_debug()
            ));
        }
        if let Some(device) = &self.device {
            // Those of PCI have colons: 0000:00:01.0.
            word("device", &device.replace(':', "."), "the kernel's device, such as \"spi0.0\"")?;
            if name.strip_prefix("can").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())) {
                return Err(format!("device needs a name that the kernel does not give itself; call it other than {name}"));
            }
        }
        let timing = [self.bitrate, self.data_bitrate, self.restart_ms, self.oscillator];
        if self.is_virtual() {
            let points = [self.sample_point, self.data_sample_point];
            return match timing.iter().all(Option::is_none) && points.iter().all(Option::is_none) {
                true => Ok(()),
                false => Err("bitrate makes no sense on vcan; take it out, and all other timing".to_owned()),
            }
            .and_then(|()| match self.listen_only {
                None => Ok(()),
                Some(_) => Err("listen_only makes no sense on vcan, which has no such mode; take it out".to_owned()),
            });
        }
        let Some(bitrate) = self.bitrate else { return Err("bitrate is absent; give the bus's, such as 500000".to_owned()) };
        within("bitrate", bitrate, 5_000..=1_000_000)?;
        let Some(point) = self.sample_point else { return Err("sample_point is absent; 0.875 is usual".to_owned()) };
        within("sample_point", point, 0.5..=0.9)?;
        match (self.data_bitrate, self.data_sample_point) {
            (None, None) => {}
            (None, Some(_)) => {
                return Err("data_sample_point needs a data_bitrate; take it out where there is no CAN FD".to_owned());
            }
            (Some(data), point) => {
                within("data_bitrate", data, bitrate..=8_000_000)?;
                point.map_or(Ok(()), |point| within("data_sample_point", point, 0.5..=0.9))?;
            }
        }
        self.oscillator.map_or(Ok(()), |hz| within("oscillator", hz, 1_000_000..=160_000_000))?;
        self.restart_ms.map_or(Ok(()), |ms| within("restart_ms", ms, 0..=60_000))
    }
}

impl Port {
    /// Whether it comes and goes, and its number with it.
    pub fn is_usb(&self) -> bool {
        self.usb_vendor.is_some()
    }

    fn check(&self) -> Result<(), String> {
        word("tty", &self.tty, "the kernel's name, such as \"ttyS4\"")?;
        let digits = |id: &str| id.len() == 4 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        for (key, id) in [("usb_vendor", &self.usb_vendor), ("usb_product", &self.usb_product)] {
            if let Some(wrong) = id.as_deref().filter(|id| !digits(id)) {
                return Err(format!("{key} is {wrong:?}; give four hexadecimal digits, as lsusb shows them"));
            }
        }
        let numbered = self.tty.ends_with(|c: char| c.is_ascii_digit());
        match (self.is_usb(), numbered) {
            (true, true) => Err(format!("tty is {:?}, whose number changes on USB; give \"ttyUSB\" or \"ttyACM\"", self.tty)),
            (false, false) => Err(format!("tty is {:?}; give the port's number with it, or its usb_vendor", self.tty)),
            (false, true) if self.usb_product.is_some() || self.usb_interface.is_some() => {
                Err("usb_product needs a usb_vendor; take both out for a port of the unit itself".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl Line {
    fn check(&self) -> Result<(), String> {
        word("chip", &self.chip, "the chip's device, such as \"481ac000.gpio\"")?;
        within("line", self.line, 0..=511)
    }
}

impl Channel {
    fn check(&self) -> Result<(), String> {
        word("device", &self.device, "what the channel's name file says, such as \"ads1015\"")?;
        word("channel", &self.channel, "a channel, such as \"in_voltage0\"")?;
        within("divider", self.divider, 1.0..=100.0)
    }
}

impl Watchdog {
    fn check(&self) -> Result<(), String> {
        let number = self.device.strip_prefix("/dev/watchdog");
        if !number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())) {
            return Err(format!("device is {:?}; give one such as \"/dev/watchdog0\"", self.device));
        }
        word("driver", &self.driver, "the kernel's driver, such as \"imx2_wdt\"")?;
        within("timeout_s", self.timeout_s, 5..=600)
    }
}

impl Image {
    fn check(&self) -> Result<(), String> {
        for module in &self.modules {
            word("modules", module, "names of kernel modules, such as \"can-raw\"")?;
        }
        match self.boot_lines.iter().find(|line| line.is_empty() || line.contains(char::is_control)) {
            Some(wrong) => Err(format!("boot_lines has {wrong:?}; give each line as a text of its own")),
            None if self.boot_lines.is_empty() != self.boot_file.is_none() => {
                Err("boot_file and boot_lines go together; give both or neither".to_owned())
            }
            None => Ok(()),
        }
    }
}

/// What may stand in a rule of udev or the name of a file without quotes.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn word(key: &str, text: &str, right: &str) -> Result<(), String> {
    match text {
        "" => Err(format!("{key} is absent; give {right}")),
        text if !is_word(text) => Err(format!("{key} is {text:?}; give {right}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = r#"
target = "aarch64-unknown-linux-gnu"
[can.spi0]
driver = "mcp251xfd"
controller = "MCP2518FD"
device = "spi0.0"
bitrate = 500000
sample_point = 0.8
data_bitrate = 2000000
data_sample_point = 0.75
oscillator = 40000000
restart_ms = 100
[can.vcan0]
driver = "vcan"
[gnss]
tty = "ttyUSB"
usb_vendor = "2c7c"
usb_product = "0125"
usb_interface = 1
[ignition]
chip = "fe200000.gpio"
line = 17
[supply]
device = "ads1015"
channel = "in_voltage0"
divider = 11
[button]
chip = "fe200000.gpio"
line = 4
active_low = true
[watchdog]
device = "/dev/watchdog0"
driver = "bcm2835_wdt"
timeout_s = 15
[image]
modules = ["can-raw"]
boot_file = "/boot/config.txt"
boot_lines = ["dtparam=spi=on"]
"#;

    #[test]
    fn a_whole_unit_fits() {
        let unit: Hardware = toml::from_str(UNIT).unwrap();
        assert_eq!(unit.check(), Ok(()));
        assert_eq!(unit.button, Some(Line { chip: "fe200000.gpio".to_owned(), line: 4, active_low: true }));
    }

    /// Each in its place is wrong, and the sentence begins with the key.
    #[test]
    fn what_cannot_be_is_named() {
        for (right, wrong, told) in [
            ("aarch64-unknown", "riscv64-unknown", "target is"),
            ("target = \"aarch64-unknown-linux-gnu\"\n", "", "target is absent; name the unit with `board`"),
            ("can.spi0]", "can.\"a/b\"]", "can.a/b.driver: `a/b` cannot be the name"),
            ("can.spi0]", "can.a-name-of-sixteen]", "can.a-name-of-sixteen.driver"),
            ("driver = \"mcp251xfd\"\n", "", "can.spi0.driver is absent"),
            ("bitrate = 500000", "bitrate = 5000000", "can.spi0.`bitrate` is 5000000; it must lie between 5000 and 1000000"),
            ("bitrate = 500000\nsample", "sample", "can.spi0.bitrate is absent"),
            ("\nsample_point = 0.8", "", "can.spi0.sample_point is absent"),
            ("point = 0.8", "point = 87.5", "can.spi0.`sample_point` is 87.5"),
            ("data_bitrate = 2000000\n", "", "can.spi0.data_sample_point needs a data_bitrate"),
            ("data_bitrate = 2000000", "data_bitrate = 250000", "can.spi0.`data_bitrate` is 250000"),
            ("point = 0.75", "point = 0.3", "can.spi0.`data_sample_point` is 0.3"),
            ("40000000", "40", "can.spi0.`oscillator` is 40"),
            ("\"spi0.0\"", "\"spi0 0\"", "can.spi0.device is"),
            ("can.spi0]", "can.can0]", "can.can0.device needs a name"),
            ("driver = \"vcan\"", "driver = \"vcan\"\nbitrate = 500000", "can.vcan0.bitrate makes no sense"),
            ("ttyUSB", "ttyUSB1", "gnss.tty is \"ttyUSB1\", whose number changes"),
            ("usb_vendor = \"2c7c\"\n", "", "gnss.tty is \"ttyUSB\"; give the port's number"),
            ("tty = \"ttyUSB\"\nusb_vendor = \"2c7c\"\n", "tty = \"ttyS1\"\n", "gnss.usb_product needs a usb_vendor"),
            ("2c7c", "2C7C", "gnss.usb_vendor is \"2C7C\""),
            ("\"fe200000.gpio\"\nline = 17", "\"a\\\"b\"\nline = 17", "ignition.chip is"),
            ("line = 4", "line = 4000", "button.`line` is 4000"),
            ("divider = 11", "divider = 0.1", "supply.`divider` is 0.1"),
            ("in_voltage0", "in voltage", "supply.channel is"),
            ("/dev/watchdog0", "/dev/sda", "watchdog.device is"),
            ("timeout_s = 15", "timeout_s = 1", "watchdog.`timeout_s` is 1"),
            ("can-raw", "can raw", "image.modules is"),
            ("boot_file = \"/boot/config.txt\"\n", "", "image.boot_file and boot_lines go together"),
            ("spi=on", "spi=on\\n", "image.boot_lines has"),
        ] {
            let text = UNIT.replacen(right, wrong, 1);
            assert_ne!(text, UNIT, "{right}");
            let unit: Hardware = toml::from_str(&text).unwrap();
            let sentence = unit.check().unwrap_err();
            assert!(sentence.starts_with(told), "{right} -> {wrong}: {sentence}");
        }
        assert!(toml::from_str::<Hardware>("[can.can0]\nbit_rate = 1").is_err());
    }
}
