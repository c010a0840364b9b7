//! The unit's button: who holds it for 50 ms opens pairing for 2 minutes, for one phone that also has the code on the unit's
//! label ([`Pairing::press`]).
//!
//! - The unit at hand *and* its label open it: who passes by with a photo of the label cannot, nor can who borrows the car.
//! - A press counts once, when the line has been active for 50 ms without a break; the next one after it was inactive for as
//!   long. A line that is active at the start counts when it has been let go: one that is stuck opens nothing.
//! - A line that cannot be had, or no more, is tried again every 10 s, and `/healthz` says so as `button`.

mod gpio;

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use self::gpio::Gpio;
use crate::config::Line;
use crate::health::{Condition, Health, Pulse};
use crate::http::{Label, Pairing};

/// A level counts when it has lasted so long.
const STEADY: Duration = Duration::from_millis(50);
const TRY_AGAIN: Duration = Duration::from_secs(10);
const PART: &str = "button";

/// The button, and the code that belongs to it.
#[derive(Clone, Debug)]
pub struct Button {
    line: Line,
    label: Label,
}

/// A line whose level can be seen.
trait Input {
    /// Whether it is active now.
    fn is_active(&self) -> io::Result<bool>;

    /// Resolves when that may have changed since the last look.
    async fn changed(&mut self) -> io::Result<()>;
}

impl Button {
    /// A button on this line; `label` is what the unit's label says.
    pub fn new(line: Line, label: Label) -> Button {
        Button { line, label }
    }

    /// Opens `pairing` whenever it is pressed. Never ends.
    pub(super) async fn watch(self, pairing: Pairing, health: Health) {
        let pulse = health.pulse("button");
        loop {
            let error = match Gpio::open(&self.line) {
                Ok(mut line) => {
                    health.set(PART, Condition::Ok, "");
                    let Err(error) = presses(&mut line, &pulse, || open(&pairing, &self.label)).await;
                    error
                }
                Err(error) => error,
            };
            let chip = &self.line.chip;
            let detail = format!("line {} of {chip}: {error}; till then pairing is opened by `telltale pair`", self.line.line);
            health.set(PART, Condition::Degraded, detail);
            pulse.rest(tokio::time::sleep(TRY_AGAIN)).await;
        }
    }
}

fn open(pairing: &Pairing, label: &Label) {
    match pairing.press(label) {
        Ok(true) => tracing::info!("the button opens pairing for 2 minutes, for one phone that has the code on the label"),
        Ok(false) => tracing::info!("the button was pressed; pairing is open already, by its own code"),
        Err(error) => tracing::warn!(%error, "the button opens nothing"),
    }
}

/// Tells each press until the line fails.
async fn presses(line: &mut impl Input, pulse: &Pulse, mut pressed: impl FnMut()) -> Result<std::convert::Infallible, io::Error> {
    let mut press = Press::default();
    loop {
        let now = Instant::now();
        if press.see(line.is_active()?, now) {
            pressed();
        }
        let due = press.due();
        let steady = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        pulse
            .rest(async {
                tokio::select! {
                    changed = line.changed() => changed,
                    () = steady => Ok(()),
                }
            })
            .await?;
    }
}

/// How far a press is.
///
/// | is | sees | becomes |
/// |---|---|---|
/// | down | inactive | letting go |
/// | letting go | active | down |
/// | letting go | 50 ms inactive | up |
/// | up | active | pressing |
/// | pressing | inactive | up |
/// | pressing | 50 ms active | down, and that was a press |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Press {
    #[default]
    Down,
    LettingGo(Instant),
    Up,
    Pressing(Instant),
}

impl Press {
    /// The line is so now; whether that makes a press.
    fn see(&mut self, is_active: bool, now: Instant) -> bool {
        let before = *self;
        *self = match (before, is_active) {
            (Press::Down, false) => Press::LettingGo(now),
            (Press::Up, true) => Press::Pressing(now),
            (Press::LettingGo(since), false) if now >= since + STEADY => Press::Up,
            (Press::Pressing(since), true) if now >= since + STEADY => Press::Down,
            (Press::LettingGo(_), true) => Press::Down,
            (Press::Pressing(_), false) => Press::Up,
            (same, _) => same,
        };
        matches!((before, *self), (Press::Pressing(_), Press::Down))
    }

    /// When it is to be looked at again though nothing changes.
    fn due(self) -> Option<Instant> {
        match self {
            Press::LettingGo(since) | Press::Pressing(since) => Some(since + STEADY),
            Press::Down | Press::Up => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;

    /// A wire that a test pulls.
    struct Wire(watch::Receiver<bool>);

    impl Input for Wire {
        fn is_active(&self) -> io::Result<bool> {
            Ok(*self.0.borrow())
        }

        async fn changed(&mut self) -> io::Result<()> {
            self.0.changed().await.map_err(|_| io::Error::other("the wire is cut"))
        }
    }

    /// How many presses there are in levels that each last so many milliseconds.
    async fn count(begins: bool, levels: &[(bool, u64)]) -> usize {
        let (hand, wire) = watch::channel(begins);
        let counting = tokio::spawn(async move {
            let mut count = 0;
            let pulse = Health::default().pulse("button");
            let Err(error) = presses(&mut Wire(wire), &pulse, || count += 1).await;
            assert_eq!(error.to_string(), "the wire is cut");
            count
        });
        for (level, lasts) in levels {
            // Seen as it was before; only then does it change.
            tokio::task::yield_now().await;
            hand.send_replace(*level);
            tokio::time::sleep(Duration::from_millis(*lasts)).await;
        }
        drop(hand);
        counting.await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_for_fifty_milliseconds_is_a_press_however_it_bounces() {
        let (up, down) = (|lasts| (false, lasts), |lasts| (true, lasts));
        for (begins, levels, presses) in [
            (false, vec![up(60), down(60), up(60)], 1),
            (false, vec![up(60), down(10), up(1), down(10), up(1), down(60), up(3), down(3), up(200)], 1),
            (false, vec![up(60), down(40), up(60), down(49), up(60)], 0),
            (false, vec![up(60), down(5000), up(60), down(60), up(60)], 2),
            (false, vec![up(60), down(5000), up(20), down(5000), up(60)], 1),
            (false, vec![down(60), up(60)], 0),
            (true, vec![down(60_000)], 0),
            (true, vec![down(60_000), up(60), down(60)], 1),
        ] {
            assert_eq!(count(begins, &levels).await, presses, "{levels:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_cannot_be_had_is_told_with_what_would_be_right() {
        let health = Health::default();
        let line = Line { chip: "no-such.gpio".to_owned(), line: 4, active_low: true };
        let button = Button::new(line, Label::read("12345678").unwrap());
        let mut watch = health.watch();
        tokio::select! {
            () = button.watch(Pairing::default(), health.clone()) => {}
            changed = watch.changed() => changed.unwrap(),
        }
        let part = health.parts().remove(PART).unwrap();
        assert_eq!(part.condition, Condition::Degraded);
        assert!(part.detail.starts_with("line 4 of no-such.gpio: ") && part.detail.contains("telltale pair"), "{}", part.detail);
    }
}
