//! Where the log goes: to standard error, for people with the time, for the journal of systemd with a priority a line.
//!
//! `sd-daemon(3)`: a line that begins with `<N>` has the priority N of `syslog(3)`. The journal knows the time and who
//! speaks, so neither is said again. That standard error leads there is told by `JOURNAL_STREAM` (`systemd.exec(5)`): the
//! device and inode of that stream.

use std::fmt;
use std::io;

use nix::sys::stat::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Begins the log: what `TELLTALE_LOG` says (`debug`, or `info,telltale::http=debug`), else `info` and above.
pub(super) fn begin() {
    let wanted = std::env::var("TELLTALE_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    // A second call would change nothing.
    let _ = if to_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()) {
        registry.with(layer.event_format(Prefixed)).try_init()
    } else {
        registry.with(layer).try_init()
    };
}

fn to_journal(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else { return false };
    fstat(io::stderr()).is_ok_and(|is| is.st_dev.to_string() == device && is.st_ino.to_string() == inode)
}

/// `<N>module: what happened, and its fields`, on one line.
struct Prefixed;

impl<S, N> FormatEvent<S, N> for Prefixed
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut said = String::new();
        context.field_format().format_fields(Writer::new(&mut said), event)?;
        let metadata = event.metadata();
        // A second line would be an entry of its own, without a priority.
        writeln!(writer, "<{}>{}: {}", priority(*metadata.level()), metadata.target(), said.replace('\n', "\\n"))
    }
}

/// `LOG_ERR`, `LOG_WARNING`, `LOG_INFO`, `LOG_DEBUG`.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_has_its_priority_and_there_is_one_an_event() {
        let page = Page::default();
        let writer = page.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(Prefixed).with_ansi(false).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::error!(target: "t", "a\nb");
            tracing::warn!(target: "t", count = 3, "some");
            tracing::info!(target: "t", "done");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "<3>t: a\\nb\n<4>t: some count=3\n<6>t: done\n");
    }

    #[test]
    fn another_stream_is_not_the_journal() {
        for stream in [None, Some(""), Some("1"), Some("0:0"), Some("x:y")] {
            assert!(!to_journal(stream), "{stream:?}");
        }
        let is = fstat(io::stderr()).unwrap();
        assert!(to_journal(Some(&format!("{}:{}", is.st_dev, is.st_ino))));
    }
}
