//! What a browser makes of an event stream: WHATWG HTML, 9.2.6, from its text, byte by byte as it comes.

/// A dispatched event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub name: String,
    pub data: String,
    /// The last event id after it.
    pub id: String,
}

impl Told {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap_or_else(|_| panic!("not JSON: {}", self.data))
    }

    /// The `eventId` of its data.
    pub fn event_id(&self) -> u64 {
        self.json()["eventId"].as_u64().unwrap_or_else(|| panic!("no eventId: {}", self.data))
    }
}

/// The parser, between two bytes.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    line: Vec<u8>,
    after_cr: bool,
    name: String,
    data: String,
    id_buffer: String,
    pub last_id: String,
    pub retry: Option<u64>,
    pub comments: usize,
}

impl Browser {
    /// What these bytes dispatch.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<Told> {
        let mut told = Vec::new();
        for byte in bytes {
            let ends = *byte == b'\r' || (*byte == b'\n' && !self.after_cr);
            let skip = *byte == b'\n' && self.after_cr;
            self.after_cr = *byte == b'\r';
            if ends {
                let line = String::from_utf8(std::mem::take(&mut self.line)).expect("a stream is UTF-8");
                told.extend(self.line(&line));
            } else if !skip {
                self.line.push(*byte);
            }
        }
        told
    }

    fn line(&mut self, line: &str) -> Option<Told> {
        if line.is_empty() {
            self.last_id.clone_from(&self.id_buffer);
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            let data = data.strip_suffix('\n')?.to_owned();
            let name = if name.is_empty() { "message".to_owned() } else { name };
            return Some(Told { name, data, id: self.last_id.clone() });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments += 1,
            "event" => self.name = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id_buffer = value.to_owned(),
            "retry" => self.retry = value.parse().ok().or(self.retry),
            _ => {}
        }
        None
    }
}
