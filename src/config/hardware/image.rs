//! The files that an image of a unit needs beside Telltale itself, made from what the unit is: `telltale boards NAME
//! --image DIR` writes them.
//!
//! | file | what |
//! |---|---|
//! | `etc/systemd/network/80-telltale-NAME.network` | brings a CAN interface up, listening only unless the site says `listen_only = false` (systemd.network(5), as of 252) |
//! | `etc/systemd/network/80-telltale-NAME.netdev` | makes a virtual one |
//! | `etc/udev/rules.d/80-telltale.rules` | names interfaces, the receiver's port and inputs; gives the last two to the group `telltale` |
//! | `etc/systemd/system/telltale.service.d/board.conf` | lets the service open those, and nothing else |
//! | `etc/modules-load.d/telltale.conf` | the kernel modules |
//! | `etc/systemd/system.conf.d/telltale-watchdog.conf` | has systemd feed the hardware watchdog |
//!
//! The service is allowed a port of the unit by its name. One on USB has a new number whenever it comes back, so there the
//! whole class is allowed, and its driver loaded beforehand: systemd looks the class up when the service starts, and one
//! that no driver has registered by then would stay forbidden. So would a GPIO chip by a name that udev has yet to give: of
//! those the class is allowed too, which the kernel itself registers, and the group opens the one chip.

use super::{Can, Hardware, Line, Port};

/// What the receiver's port is called on every unit.
pub const GNSS: &str = "/dev/telltale-gnss";

/// What the chip of the button's line is called.
pub const BUTTON: &str = "/dev/telltale-button";

/// The group that the daemon runs in.
const GROUP: &str = "telltale";

/// One file of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it belongs, from the root of the image.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Every file for a unit of this hardware, which is called `board`.
pub fn files(board: &str, hardware: &Hardware) -> Vec<File> {
    let mut files = Vec::new();
    for (name, can) in &hardware.can {
        if can.is_virtual() {
            // 72 bytes are one frame of CAN FD (CANFD_MTU of linux/can.h).
            let text = format!("[NetDev]\nName={name}\nKind=vcan\nMTUBytes=72\n");
            files.push((format!("etc/systemd/network/80-telltale-{name}.netdev"), text));
        }
        files.push((format!("etc/systemd/network/80-telltale-{name}.network"), network(name, can)));
    }
    files.push(("etc/udev/rules.d/80-telltale.rules".to_owned(), rules(hardware)));
    files.push(("etc/systemd/system/telltale.service.d/board.conf".to_owned(), service(hardware)));
    files.push(("etc/modules-load.d/telltale.conf".to_owned(), modules(hardware)));
    if let Some(watchdog) = &hardware.watchdog {
        let text = format!("[Manager]\nRuntimeWatchdogSec={}s\nWatchdogDevice={}\n", watchdog.timeout_s, watchdog.device);
        files.push(("etc/systemd/system.conf.d/telltale-watchdog.conf".to_owned(), text));
    }
    let head = format!(
        "# Written by `telltale boards {board} --image`. To change it, say in [hardware] of telltale.toml what differs, and\n\
         # write it again.\n\n"
    );
    files.into_iter().map(|(path, text)| File { path, text: head.clone() + &text }).collect()
}

fn network(name: &str, can: &Can) -> String {
    // A silent bus is no reason to hold up the boot.
    let mut text = format!("[Match]\nName={name}\n\n[Link]\nRequiredForOnline=no\n");
    if can.is_virtual() {
        return text;
    }
    text.push_str("\n[CAN]\n");
    let mut key = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("{key}={value}\n"));
        }
    };
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    key("BitRate", can.bitrate.map(|rate| rate.to_string()));
    key("SamplePoint", can.sample_point.map(percent));
    key("DataBitRate", can.data_bitrate.map(|rate| rate.to_string()));
    key("DataSamplePoint", can.data_sample_point.map(percent));
    key("FDMode", can.data_bitrate.map(|_| "yes".to_owned()));
    key("ListenOnly", Some(if can.listen_only == Some(false) { "no" } else { "yes" }.to_owned()));
    key("RestartSec", can.restart_ms.map(|ms| format!("{ms}ms")));
    text
}

fn rules(hardware: &Hardware) -> String {
    let owner = format!("GROUP=\"{GROUP}\", MODE=\"0660\"");
    let mut text = String::new();
    for (name, can) in &hardware.can {
        if let Some(device) = &can.device {
            text.push_str(&format!(
                "ACTION==\"add\", SUBSYSTEM==\"net\", KERNEL==\"can*\", KERNELS==\"{device}\", NAME=\"{name}\"\n"
            ));
        }
    }
    if let Some(port) = &hardware.gnss {
        // ModemManager would talk to what it takes for a modem.
        text.push_str(&format!(
            "SUBSYSTEM==\"tty\", {}, {owner}, SYMLINK+=\"{}\", ENV{{ID_MM_PORT_IGNORE}}=\"1\"\n",
            matching(port),
            GNSS.trim_start_matches("/dev/")
        ));
    }
    for (name, Line { chip, .. }) in lines(hardware) {
        text.push_str(&format!(
            "SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip*\", KERNELS==\"{chip}\", {owner}, SYMLINK+=\"telltale-{name}\"\n"
        ));
    }
    text
}

fn matching(port: &Port) -> String {
    let Port { tty, usb_vendor, usb_product, usb_interface } = port;
    let Some(vendor) = usb_vendor else { return format!("KERNEL==\"{tty}\"") };
    let mut text = format!("KERNEL==\"{tty}*\", ENV{{ID_VENDOR_ID}}==\"{vendor}\"");
    if let Some(product) = usb_product {
        text.push_str(&format!(", ENV{{ID_MODEL_ID}}==\"{product}\""));
    }
    if let Some(number) = usb_interface {
        text.push_str(&format!(", ENV{{ID_USB_INTERFACE_NUM}}==\"{number:02x}\""));
    }
    text
}

fn lines(hardware: &Hardware) -> impl Iterator<Item = (&'static str, &Line)> {
    let lines = [("ignition", &hardware.ignition), ("button", &hardware.button)];
    lines.into_iter().filter_map(|(name, line)| Some((name, line.as_ref()?)))
}

fn service(hardware: &Hardware) -> String {
    let mut text = "[Service]\n".to_owned();
    if let Some(port) = &hardware.gnss {
        let node = if port.is_usb() { format!("char-{}", port.tty) } else { format!("/dev/{}", port.tty) };
        text.push_str(&format!("DeviceAllow={node} rw\n"));
    }
    if lines(hardware).next().is_some() {
        text.push_str("DeviceAllow=char-gpiochip rw\n");
    }
    text
}

fn modules(hardware: &Hardware) -> String {
    let usb = match &hardware.gnss {
        Some(port) if port.is_usb() && port.tty == "ttyACM" => Some("cdc-acm"),
        Some(port) if port.is_usb() => Some("usbserial"),
        _ => None,
    };
    let mut names: Vec<&str> = hardware.image.modules.iter().map(String::as_str).chain(usb).collect();
    names.dedup();
    names.iter().map(|name| format!("{name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(hardware: &str) -> impl Fn(&str) -> String {
        let hardware: Hardware = toml::from_str(&format!("target = 'aarch64-unknown-linux-gnu'\n{hardware}")).unwrap();
        assert_eq!(hardware.check(), Ok(()));
        let files = files("mine", &hardware);
        move |path: &str| {
            let text = files.iter().find(|file| file.path == path).map(|file| file.text.clone()).unwrap_or_default();
            text.split_once("\n\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
        }
    }

    #[test]
    fn an_interface_comes_up_listening_only() {
        let file = written(
            "[can.can0]\ndriver = 'flexcan'\nbitrate = 250000\nsample_point = 0.875\nrestart_ms = 100\n\
             [can.fd]\ndriver = 'm_can'\nbitrate = 500000\nsample_point = 0.8\ndata_bitrate = 2000000\ndata_sample_point = 0.75\n\
             [can.ask]\ndriver = 'm_can'\nbitrate = 500000\nsample_point = 0.8\nlisten_only = false\n\
             [can.vcan0]\ndriver = 'vcan'\n",
        );
        assert_eq!(
            file("etc/systemd/network/80-telltale-can0.network"),
            "[Match]\nName=can0\n\n[Link]\nRequiredForOnline=no\n\n\
             [CAN]\nBitRate=250000\nSamplePoint=87.5%\nListenOnly=yes\nRestartSec=100ms\n"
        );
        assert!(file("etc/systemd/network/80-telltale-fd.network").ends_with(
            "[CAN]\nBitRate=500000\nSamplePoint=80.0%\nDataBitRate=2000000\nDataSamplePoint=75.0%\nFDMode=yes\nListenOnly=yes\n"
        ));
        let asking = file("etc/systemd/network/80-telltale-ask.network");
        assert!(asking.ends_with("ListenOnly=no\n"), "the owner's word: {asking}");
        assert!(!file("etc/systemd/network/80-telltale-vcan0.network").contains("[CAN]"));
        assert_eq!(file("etc/systemd/network/80-telltale-vcan0.netdev"), "[NetDev]\nName=vcan0\nKind=vcan\nMTUBytes=72\n");
    }

    #[test]
    fn a_port_of_the_unit_is_named_and_allowed_alone() {
        let file = written("[gnss]\ntty = 'ttyS4'\n");
        assert_eq!(
            file("etc/udev/rules.d/80-telltale.rules"),
            "SUBSYSTEM==\"tty\", KERNEL==\"ttyS4\", GROUP=\"telltale\", MODE=\"0660\", SYMLINK+=\"telltale-gnss\", \
             ENV{ID_MM_PORT_IGNORE}=\"1\"\n"
        );
        assert_eq!(file("etc/systemd/system/telltale.service.d/board.conf"), "[Service]\nDeviceAllow=/dev/ttyS4 rw\n");
        assert_eq!(file("etc/modules-load.d/telltale.conf"), "");
        assert_eq!(file("etc/systemd/system.conf.d/telltale-watchdog.conf"), "");
    }

    #[test]
    fn a_receiver_on_usb_is_told_by_what_it_is_and_its_class_is_loaded_before_it_is_allowed() {
        let file = written(
            "[gnss]\ntty = 'ttyUSB'\nusb_vendor = '2c7c'\nusb_product = '0125'\nusb_interface = 1\n\
             [watchdog]\ndevice = '/dev/watchdog0'\ndriver = 'w'\ntimeout_s = 15\n[image]\nmodules = ['can-raw']\n",
        );
        assert!(file("etc/udev/rules.d/80-telltale.rules").contains(
            "KERNEL==\"ttyUSB*\", ENV{ID_VENDOR_ID}==\"2c7c\", ENV{ID_MODEL_ID}==\"0125\", \
             ENV{ID_USB_INTERFACE_NUM}==\"01\", GROUP="
        ));
        assert_eq!(file("etc/systemd/system/telltale.service.d/board.conf"), "[Service]\nDeviceAllow=char-ttyUSB rw\n");
        assert_eq!(file("etc/modules-load.d/telltale.conf"), "can-raw\nusbserial\n");
        assert_eq!(
            file("etc/systemd/system.conf.d/telltale-watchdog.conf"),
            "[Manager]\nRuntimeWatchdogSec=15s\nWatchdogDevice=/dev/watchdog0\n"
        );
    }

    #[test]
    fn inputs_and_interfaces_are_told_by_their_devices() {
        let file = written(
            "[can.canspi1]\ndriver = 'mcp251x'\ndevice = 'spi0.1'\nbitrate = 500000\nsample_point = 0.875\n\
             [ignition]\nchip = 'fe200000.gpio'\nline = 17\n[button]\nchip = 'fe200000.gpio'\nline = 4\n",
        );
        assert_eq!(
            file("etc/udev/rules.d/80-telltale.rules"),
            "ACTION==\"add\", SUBSYSTEM==\"net\", KERNEL==\"can*\", KERNELS==\"spi0.1\", NAME=\"canspi1\"\n\
             SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip*\", KERNELS==\"fe200000.gpio\", GROUP=\"telltale\", MODE=\"0660\", \
             SYMLINK+=\"telltale-ignition\"\n\
             SUBSYSTEM==\"gpio\", KERNEL==\"gpiochip*\", KERNELS==\"fe200000.gpio\", GROUP=\"telltale\", MODE=\"0660\", \
             SYMLINK+=\"telltale-button\"\n"
        );
        assert_eq!(file("etc/systemd/system/telltale.service.d/board.conf"), "[Service]\nDeviceAllow=char-gpiochip rw\n");
    }
}
