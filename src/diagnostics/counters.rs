//! What asking counts.

use super::poller::Counts;
use crate::metrics::{Counter, Family, Gauge, Metrics, Reason};

/// `telltale_diagnostics_…`.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    requests: Counter,
    answers: Counter,
    timeouts: Counter,
    dropped: Family<Reason, Counter>,
    paused: Gauge,
    shown: Counts,
    lost: u64,
}

impl Counters {
    /// `telltale_diagnostics_requests_total`, `…_answers_total`, `…_timeouts_total`, `…_dropped_total{reason}`, `…_paused`.
    pub fn register(metrics: &Metrics) -> Counters {
        let counters = Counters::default();
        metrics.register("diagnostics", |registry| {
            registry.register("requests", "Requests sent to ECUs", counters.requests.clone());
            registry.register("answers", "Answers to them", counters.answers.clone());
            registry.register("timeouts", "Requests that nobody answered", counters.timeouts.clone());
            let help = "Answers that came twice (twice), after their request was given up (late; read all the same), or not \
                        whole (broken); what others called for beyond the bus' share (withheld)";
            registry.register("dropped", help, counters.dropped.clone());
            registry.register("paused", "Whether another tester has the bus", counters.paused.clone());
        });
        counters
    }

    /// Shows what was counted until now.
    pub(super) fn show(&mut self, counts: Counts, lost: u64, paused: bool) {
        let Counts { requests, answers, timeouts, twice, late, withheld } = self.shown;
        self.requests.inc_by(counts.requests.saturating_sub(requests));
        self.answers.inc_by(counts.answers.saturating_sub(answers));
        self.timeouts.inc_by(counts.timeouts.saturating_sub(timeouts));
        let dropped = [
            ("twice", counts.twice.saturating_sub(twice)),
            ("late", counts.late.saturating_sub(late)),
            ("withheld", counts.withheld.saturating_sub(withheld)),
            ("broken", lost.saturating_sub(self.lost)),
        ];
        for (reason, count) in dropped.into_iter().filter(|(_, count)| *count > 0) {
            self.dropped.get_or_create(&Reason { reason }).inc_by(count);
        }
        self.paused.set(i64::from(paused));
        (self.shown, self.lost) = (counts, lost);
    }
}
