//! What the loop does now and then, whatever else goes on: the status, the metrics, the line in `/healthz`.

use std::time::Duration;

use tokio::time::Instant;

use super::{LOOK, Loop, part};
use crate::clock::{Stamp, TimeSource, Wall};
use crate::health::Condition;
use crate::upstream::counters::Of;
use crate::upstream::status::View;

/// The status is told no oftener than this.
const STATUS_EVERY: Duration = Duration::from_secs(60);

/// Without success for so long while something waits, an upstream is degraded.
const PATIENCE: Duration = Duration::from_secs(60);

impl Loop {
    /// What is done now and then, whatever else goes on: the status, the metrics, the line in `/healthz`.
    pub(super) async fn look_around(&mut self, now: Stamp) {
        self.tell_health();
        if self.looked.is_some_and(|last| last.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        self.backlog.tick(now);
        self.ledger.tick(false);
        self.count_what_waits(now).await;
        if self.budget.left() == Some(0) || self.viewed.is_some_and(|last| last.elapsed() < STATUS_EVERY) {
            return;
        }
        let view = self.view_now().await;
        if view.is_news(&self.view) {
            self.tell_status(view);
            // It goes out with the next word.
            self.touched = None;
        }
    }

    pub(super) async fn renew_status(&mut self) {
        let view = self.view_now().await;
        self.tell_status(view);
    }

    fn tell_status(&mut self, view: View) {
        let now = (self.way.now)();
        self.view = view;
        self.viewed = Some(Instant::now());
        self.way.status.send_replace(self.view.document(&self.way.vin, self.started, now));
    }

    async fn view_now(&mut self) -> View {
        let picture = self.way.feed.picture(&self.way.vin).ok();
        let location = picture.map(|picture| {
            let picture = picture.borrow();
            (picture.location.clone(), picture.stamp)
        });
        let cursors = self.way.feed.cursors(&self.ledger.reader()).into_iter();
        let forgotten = cursors.filter(|cursor| cursor.forgotten > 0).map(|cursor| (cursor.kind, cursor.forgotten)).collect();
        let oldest = self.pulse.rest(self.backlog.oldest()).await.ok().flatten();
        View { location, forgotten, oldest: None }.with_oldest(oldest.as_deref())
    }

    async fn count_what_waits(&mut self, now: Stamp) {
        let oldest = self.pulse.rest(self.backlog.oldest()).await.ok().flatten();
        // An id is the time at which it was issued, or later.
        let since = oldest.as_ref().map(|event| Wall::from_micros(i64::try_from(event.id.0).unwrap_or(i64::MAX)));
        let age = since
            .filter(|_| now.source != TimeSource::Unset)
            .map_or(0, |since| now.wall.micros().saturating_sub(since.micros()) / 1_000_000);
        let forgotten: u64 = self.way.feed.cursors(&self.ledger.reader()).iter().map(|cursor| cursor.forgotten).sum();
        // What came up in a wait, too.
        self.waiting |= oldest.is_some();
        self.count(&self.way.counters.oldest_unsent_seconds, age.max(0));
        self.count(&self.way.counters.unsent, i64::from(self.waiting));
        self.count(&self.way.counters.forgotten, i64::try_from(forgotten).unwrap_or(i64::MAX));
        if let Some(left) = self.budget.left() {
            self.count(&self.way.counters.budget_left_bytes, i64::try_from(left).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn count(&self, family: &crate::metrics::Family<Of, crate::metrics::Gauge>, value: i64) {
        family.get_or_create(&self.of).set(value);
    }

    fn tell_health(&self) {
        let complaint = (self.way.complaint)();
        let late = self.waiting && self.succeeded.elapsed() >= PATIENCE;
        let (condition, detail) = match (&self.trouble, &self.passed_over) {
            _ if self.unreadable.is_some() => {
                let why = self.unreadable.as_deref().unwrap_or_default();
                (Condition::Degraded, format!("what waits to be sent cannot be read now: {why}"))
            }
            _ if self.rejected.why().is_some() => {
                let why = self.rejected.why().unwrap_or_default();
                (Condition::Degraded, format!("it rejects everything: {why}; events wait and are sent once it takes them"))
            }
            (Some(trouble), _) if late => {
                (Condition::Degraded, format!("{trouble}; events wait and are sent once it is reached"))
            }
            _ if complaint.is_some() => (Condition::Degraded, complaint.unwrap_or_default()),
            (_, Some(last)) => (Condition::Ok, format!("{} passed over that it will never take; {last}", self.passed)),
            _ if self.budget.left() == Some(0) => {
                (Condition::Ok, "the day's budget is used up: trips and the track wait until midnight UTC".to_owned())
            }
            _ => (Condition::Ok, String::new()),
        };
        self.way.health.set(&part(&self.of.upstream), condition, detail);
    }
}
