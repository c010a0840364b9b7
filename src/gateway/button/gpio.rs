//! A line of a GPIO character device (linux/gpio.h, version 2, Linux 5.10 and later), asked for its edges.

use std::io;
use std::path::Path;
use std::time::Duration;

use gpiocdev::line::{EdgeDetection, Value};
use gpiocdev::tokio::AsyncRequest;
use gpiocdev::{Chip, Request};

use super::Input;
use crate::config::Line;
use crate::config::hardware::image::BUTTON;

/// The kernel passes over what is shorter, so that a line that nobody holds does not keep the unit busy.
const GLITCH: Duration = Duration::from_millis(5);

/// The line, for as long as it is asked for.
pub(super) struct Gpio {
    request: AsyncRequest,
    line: u32,
}

impl Gpio {
    /// Asks for a line of the chip that an image's rules call [`BUTTON`].
    pub(super) fn open(line: &Line) -> io::Result<Gpio> {
        can_be_had(line)?;
        let mut wanted = Request::builder();
        wanted.on_chip(BUTTON).with_consumer("telltale").with_line(line.line).as_input();
        if line.active_low {
            wanted.as_active_low();
        }
        wanted.with_edge_detection(EdgeDetection::BothEdges).with_debounce_period(GLITCH);
        let request = wanted.request().map_err(io::Error::other)?;
        Ok(Gpio { request: AsyncRequest::new(request), line: line.line })
    }
}

/// Whether it can, else a sentence that says what would be right: the kernel's own answers are `EINVAL` and `EBUSY`.
fn can_be_had(line: &Line) -> io::Result<()> {
    if !Path::new(BUTTON).exists() {
        let cure = "put the rules of `telltale boards NAME --image DIR` into /etc/udev/rules.d, and name the chip's device";
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no {BUTTON}; {cure}")));
    }
    let chip = Chip::from_path(BUTTON).map_err(|error| io::Error::other(format!("{BUTTON} cannot be opened: {error}")))?;
    let lines = chip.info().map_err(io::Error::other)?.num_lines;
    if line.line >= lines {
        return Err(io::Error::other(format!("the chip has no such line, but {lines}, counted from 0")));
    }
    let info = chip.line_info(line.line).map_err(io::Error::other)?;
    if info.used {
        let cure = "take it away from that one (a driver that the device tree gives it to, say), or name the button's own line";
        return Err(io::Error::other(format!("it is taken by {:?}; {cure}", info.consumer)));
    }
    Ok(())
}

impl Input for Gpio {
    fn is_active(&self) -> io::Result<bool> {
        let level = self.request.as_ref().value(self.line).map_err(io::Error::other)?;
        Ok(level == Value::Active)
    }

    /// Each edge wakes once; what counts is the level then. When there are more than the kernel keeps (16), it is the first
    /// of them that are lost, and the level after the last is seen all the same.
    async fn changed(&mut self) -> io::Result<()> {
        self.request.read_edge_event().await.map(drop).map_err(io::Error::other)
    }
}
