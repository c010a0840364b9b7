//! What would run, in a few lines for people.

use std::fmt::Write;

use super::Config;

impl Config {
    /// A line for each thing that a daemon with this configuration would do.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}: fine. It would", self.file.display())?;
        match &self.vin {
            Some(vin) => write!(out, "  watch   {vin}")?,
            None => write!(out, "  watch   the car, by the number that it tells")?,
        }
        match &self.board {
            Some(board) => writeln!(out, " on the board {}", board.name)?,
            None => writeln!(out)?,
        }
        for bus in &self.buses {
            let how = if bus.listen_only { ", listening only" } else { "" };
            match &bus.candump {
                Some(log) => {
                    writeln!(out, "  read    bus {} from the lines of {} in {}", bus.name, bus.interface, log.display())?
                }
                None => writeln!(out, "  read    bus {} from {}{how}", bus.name, bus.interface)?,
            }
        }
        if let Some(profile) = &self.profile {
            writeln!(out, "  know    {}", count(profile.layout.sources.len(), "source of signals", "sources of signals"))?;
        }
        let asked = self.profile.iter().flat_map(|profile| [profile.diagnosis.obd, profile.diagnosis.j1939]).flatten();
        let mut asked: Vec<_> = asked.filter_map(|id| self.buses.get(usize::from(id.0))).map(|bus| bus.name.as_str()).collect();
        asked.dedup();
        if !asked.is_empty() {
            let what = if self.diagnostics.transmit { "ask     the ECUs on" } else { "hear    what ECUs tell unasked on" };
            writeln!(out, "  {what} {}", asked.join(", "))?;
        }
        for receiver in &self.receivers {
            write!(out, "  read    receiver {} from {}", receiver.name, receiver.device.display())?;
            // Files have no speed.
            if receiver.device.starts_with("/dev") {
                write!(out, " at {} baud", receiver.baud)?;
            }
            writeln!(out)?;
        }
        if !self.fences.is_empty() {
            writeln!(out, "  know    {}", count(self.fences.len(), "fence", "fences"))?;
        }
        if let Some(places) = &self.places {
            writeln!(out, "  know    {}: {}", count(places.count() as usize, "place", "places"), places.attribution())?;
        }
        let mib = self.journal.max_bytes >> 20;
        writeln!(out, "  keep    {} days in {}, {mib} MiB at most", self.journal.max_days, self.journal.dir.display())?;
        for address in &self.http.listen {
            write!(out, "  answer  http://{address} to those who come over {}", self.http.trusted.join(", "))?;
            let others = match (self.http.tls.is_empty(), address.ip().is_unspecified()) {
                (false, _) => ", and send others to https",
                (true, true) => ", and close on others unread: there is no http.tls",
                (true, false) => "",
            };
            writeln!(out, "{others}")?;
        }
        for address in &self.http.tls {
            let whose = if self.http.given.is_some() { "the owner's" } else { "the unit's own" };
            writeln!(out, "  answer  https://{address} with {whose} certificate")?;
        }
        for upstream in &self.upstreams {
            let kinds = upstream.kinds.iter().map(|kind| kind.name()).chain(upstream.track.then_some("the track"));
            let what = kinds.collect::<Vec<_>>().join(", ");
            writeln!(out, "  send    {what} to {} as {}", upstream.url, upstream.name)?;
            if upstream.desired {
                writeln!(out, "  take    fences and numbers from {}", upstream.name)?;
            }
        }
        if let Some(address) = self.metrics {
            writeln!(out, "  answer  http://{address}/metrics")?;
        }
        Ok(())
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
