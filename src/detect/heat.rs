//! How warm it is where a child would be, and how long until that is too much.
//!
//! *Measured*: the cabin's temperature, its trend (least squares over the last 120 s, none before 60 s) and the minutes
//! until 35 °C: none while it does not rise, 0 from 35 °C on.
//!
//! *Not measured*: `T(t) = T0 + 23 K · (1 − exp(−t / 18.6 min))` from the outside temperature at the stop, after the
//! course that McLaren, Null and Quinn (Pediatrics 116, 2005) measured in parked cars. Such a figure is marked as
//! estimated.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::ChildSettings;
use crate::clock::Boot;
use crate::event::Cabin;
use crate::vehicle::{Signal, State};

/// The trend looks back so far.
const WINDOW: Duration = Duration::from_secs(120);
/// And says nothing before so much of it is there.
const ENOUGH: Duration = Duration::from_secs(60);
/// Of a sensor that speaks more often only about one reading a second is kept.
const SPACING: Duration = Duration::from_millis(900);
/// More samples than that never lie in the window.
const SAMPLES: usize = 136;
/// Slower than this is not rising, K/min.
const LEAST_RISE: f64 = 0.005;

/// How much warmer than outside a parked car gets, K.
const RISE: f64 = 23.0;
/// The time constant of that, minutes.
const TAU: f64 = 18.6;

/// The cabin's measured temperatures of late.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Heat {
    samples: VecDeque<(Boot, f64)>,
    trend: Option<f64>,
}

/// The heat at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmth {
    /// °C.
    pub celsius: f64,
    /// K/min.
    pub trend: Option<f64>,
    /// Until the limit.
    pub minutes: Option<f64>,
    /// From the outside temperature, not measured.
    pub estimated: bool,
}

/// What an estimate starts from: the stop, and the temperature outside then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outside {
    /// When the car stopped.
    pub stop: Boot,
    /// °C.
    pub celsius: f64,
}

impl Heat {
    /// The cabin's sensor spoke; whether the trend is another one for it.
    pub fn sample(&mut self, now: Boot, celsius: f64) -> bool {
        if self.samples.back().is_some_and(|(at, _)| now < *at + SPACING) {
            return false;
        }
        let begin = now.before(WINDOW);
        while self.samples.front().is_some_and(|(at, _)| *at < begin) || self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((now, celsius));
        self.trend = slope(&self.samples);
        true
    }

    /// Forgets the trend when the sensor has fallen silent or faulty.
    pub fn settle(&mut self, now: Boot, state: &State) {
        if !self.samples.is_empty() && state.number(now, Signal::CabinHVACAmbientAirTemperature).is_none() {
            self.samples.clear();
            self.trend = None;
        }
    }

    /// How warm it is: measured, else estimated, else nobody knows.
    pub fn now(&self, now: Boot, state: &State, outside: Option<Outside>, settings: &ChildSettings) -> Option<Warmth> {
        let limit = settings.limit_celsius;
        let Some(celsius) = state.number(now, Signal::CabinHVACAmbientAirTemperature) else {
            return outside.map(|outside| outside.estimate(now, limit));
        };
        let rising = self.trend.filter(|trend| *trend >= LEAST_RISE);
        let minutes = if celsius >= limit { Some(0.0) } else { rising.map(|trend| (limit - celsius) / trend) };
        Some(Warmth { celsius, trend: self.trend, minutes, estimated: false })
    }
}

impl Outside {
    fn estimate(self, now: Boot, limit: f64) -> Warmth {
        let minutes = now.since(self.stop).as_secs_f64() / 60.0;
        let decay = (-minutes / TAU).exp();
        let celsius = self.celsius + RISE * (1.0 - decay);
        let left = if celsius >= limit { Some(0.0) } else { self.minutes_to(limit).map(|at| (at - minutes).max(0.0)) };
        Warmth { celsius, trend: Some(RISE / TAU * decay), minutes: left, estimated: true }
    }

    /// Minutes from the stop to `limit`; `None` when it is never reached.
    fn minutes_to(self, limit: f64) -> Option<f64> {
        let share = (limit - self.celsius) / RISE;
        if share <= 0.0 {
            return Some(0.0);
        }
        (share < 1.0).then(|| -TAU * (1.0 - share).ln())
    }

    /// When the estimate comes to be `hot_minutes` from the limit.
    pub fn hot_at(self, settings: &ChildSettings) -> Option<Boot> {
        let minutes = (self.minutes_to(settings.limit_celsius)? - settings.hot_minutes).max(0.0);
        // One microsecond later, lest rounding leave it a hair's breadth short.
        Some(self.stop + Duration::from_secs_f64(minutes * 60.0) + Duration::from_micros(1))
    }
}

impl Warmth {
    /// Whether the limit is near: no time for a snooze.
    pub fn near(&self, settings: &ChildSettings) -> bool {
        self.minutes.is_some_and(|minutes| minutes <= settings.hot_minutes)
    }

    /// Whether it is hot, or soon too hot.
    pub fn hot(&self, settings: &ChildSettings) -> bool {
        self.celsius >= settings.hot_celsius || self.near(settings)
    }

    /// For an event.
    pub fn cabin(&self) -> Cabin {
        Cabin {
            temperature: Some(rounded(self.celsius, 10.0)),
            trend: self.trend.map(|trend| rounded(trend, 100.0)),
            minutes_to_35: self.minutes.map(|minutes| rounded(minutes, 10.0)),
            estimated: self.estimated,
        }
    }
}

/// K/min, of the straight line with the least squares; `None` before 60 s.
fn slope(samples: &VecDeque<(Boot, f64)>) -> Option<f64> {
    let ((first, _), (last, _)) = (samples.front()?, samples.back()?);
    if last.since(*first) < ENOUGH {
        return None;
    }
    let minutes = |at: &Boot| at.since(*first).as_secs_f64() / 60.0;
    let count = samples.len() as f64;
    let (sum_t, sum_c) = samples.iter().fold((0.0, 0.0), |(t, c), (at, celsius)| (t + minutes(at), c + celsius));
    let (mean_t, mean_c) = (sum_t / count, sum_c / count);
    let (over, under) = samples.iter().fold((0.0, 0.0), |(over, under), (at, celsius)| {
        let t = minutes(at) - mean_t;
        (over + t * (celsius - mean_c), under + t * t)
    });
    (under > 0.0).then(|| over / under)
}

/// To one part in `per_unit`, and never minus zero.
pub(super) fn rounded(value: f64, per_unit: f64) -> f64 {
    (value * per_unit).round() / per_unit + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: f64) -> Boot {
        Boot::from_micros((seconds * 1e6) as i64)
    }

    #[test]
    fn the_trend_is_that_of_the_last_two_minutes_and_absent_in_the_first() {
        let mut heat = Heat::default();
        for tick in 0..119 {
            heat.sample(after(f64::from(tick) * 0.5), 20.0 + f64::from(tick) * 0.5 / 60.0);
        }
        assert_eq!(heat.trend, None, "59 s of readings");
        for tick in 119..=600 {
            heat.sample(after(f64::from(tick) * 0.5), 20.0 + f64::from(tick) * 0.5 / 60.0);
        }
        assert!((heat.trend.unwrap() - 1.0).abs() < 1e-9, "1 K a minute, not {:?}", heat.trend);
        assert!(heat.samples.len() <= 121, "two readings a second, one kept");
    }

    #[test]
    fn the_estimate_follows_the_published_course() {
        let outside = Outside { stop: after(0.0), celsius: 22.0 };
        let at = |minutes: f64| outside.estimate(after(minutes * 60.0), 35.0);
        assert_eq!(at(0.0).celsius, 22.0);
        assert!((at(18.6).celsius - (22.0 + 23.0 * (1.0 - (-1.0_f64).exp()))).abs() < 1e-9);
        let reaches = at(0.0).minutes.unwrap();
        assert!((at(reaches).celsius - 35.0).abs() < 1e-4, "35 °C after {reaches} minutes");
        let settings = ChildSettings::default();
        let hot = outside.hot_at(&settings).unwrap();
        assert!(outside.estimate(hot, 35.0).near(&settings) && !outside.estimate(hot.shifted(-2), 35.0).near(&settings));
        assert_eq!(Outside { celsius: 11.9, ..outside }.hot_at(&settings), None, "it never gets there");
        assert_eq!(Outside { celsius: 36.0, ..outside }.estimate(after(1.0), 35.0).minutes, Some(0.0));
    }
}
