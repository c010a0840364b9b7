//! When a fence tells: windows of local time.
//!
//! A window belongs to the day it begins on; where it ends not after it begins, it ends on the next day. Local times are
//! those of an IANA zone: one that a change to summer time leaves out counts as the same time after the change, one that
//! comes twice counts as the first.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Days, a time to begin, a time to end and a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Monday first.
    days: [bool; 7],
    from: Time,
    to: Time,
    zone: TimeZone,
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl Schedule {
    /// `days` by their English names (`mon` is enough), by their ISO 8601 numbers or from one to another (`mon-fri`), every
    /// day when there are none; `from` and `to` as `22:00`; `zone` as `Asia/Seoul`.
    ///
    /// # Errors
    /// The key that is wrong, and what would be right.
    pub fn new<'a>(
        days: impl IntoIterator<Item = &'a str>,
        from: &str,
        to: &str,
        zone: &str,
    ) -> Result<Schedule, (&'static str, String)> {
        let mut some = [false; 7];
        for day in days {
            let (first, last) = span(day)
                .ok_or_else(|| ("days", format!("`{day}` is no day; write mon, tue, wed, thu, fri, sat, sun or mon-fri")))?;
            for at in first..=first + (last + 7 - first) % 7 {
                if let Some(wanted) = some.get_mut(at % 7) {
                    *wanted = true;
                }
            }
        }
        let time = |key, text: &str| {
            clock_time(text)
                .ok_or_else(|| (key, format!("`{text}` is no time of day; write hours and minutes as 07:30, 00:00 to 24:00")))
        };
        let zone = TimeZone::get(zone).map_err(|_| {
            ("zone", format!("`{zone}` is no IANA time zone known here; write one such as Europe/Berlin or Asia/Seoul"))
        })?;
        let days = if some.contains(&true) { some } else { [true; 7] };
        Ok(Schedule { days, from: time("from", from)?, to: time("to", to)?, zone })
    }

    /// Whether it tells at this moment.
    pub fn open(&self, at: Timestamp) -> bool {
        let today = self.zone.to_datetime(at).date();
        let days = [today.yesterday().ok(), Some(today)];
        days.into_iter().flatten().filter_map(|day| self.window(day)).any(|(from, to)| from <= at && at < to)
    }

    /// When it next begins to tell, after this moment.
    pub fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        let today = self.zone.to_datetime(after).date();
        let days = (-1..=8).filter_map(|days| today.checked_add(Span::new().days(days)).ok());
        days.filter_map(|day| self.window(day)).map(|(from, _)| from).filter(|from| *from > after).min()
    }

    /// The window that begins on this day.
    fn window(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !*self.days.get(weekday)? {
            return None;
        }
        let end = if self.to > self.from { day } else { day.tomorrow().ok()? };
        Some((self.moment(day, self.from)?, self.moment(end, self.to)?))
    }

    fn moment(&self, day: Date, time: Time) -> Option<Timestamp> {
        self.zone.to_ambiguous_timestamp(day.to_datetime(time)).compatible().ok()
    }
}

/// `mon`, or `mon-fri`: the first and the last day, 0 is Monday.
fn span(text: &str) -> Option<(usize, usize)> {
    match text.split_once('-') {
        Some((first, last)) => Some((weekday(first)?, weekday(last)?)),
        None => weekday(text).map(|day| (day, day)),
    }
}

/// A name from its second letter on, or a number from 1 (Monday, ISO 8601) to 7.
fn weekday(text: &str) -> Option<usize> {
    let small = text.trim().to_ascii_lowercase();
    match small.as_bytes() {
        [digit @ b'1'..=b'7'] => Some(usize::from(digit - b'1')),
        [_, _, ..] => DAYS.iter().position(|day| day.starts_with(&small)),
        _ => None,
    }
}

/// `7:30`, `07:30`, `07:30:00`; `24:00` is the midnight that ends the day.
fn clock_time(text: &str) -> Option<Time> {
    let mut parts = text.trim().split(':');
    let mut number = |whole: bool| match parts.next() {
        Some(digits) if (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse::<i8>().ok()
        }
        None if !whole => Some(0),
        _ => None,
    };
    let (hour, minute, second) = (number(true)?, number(true)?, number(false)?);
    if parts.next().is_some() {
        None
    } else if (hour, minute, second) == (24, 0, 0) {
        Some(Time::midnight())
    } else {
        Time::new(hour, minute, second, 0).ok()
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let days: Vec<&str> = DAYS.iter().zip(self.days).filter(|(_, on)| *on).filter_map(|(day, _)| day.get(..3)).collect();
        let mut map = serializer.serialize_struct("schedule", 4)?;
        map.serialize_field("days", &days)?;
        map.serialize_field("from", &Clock(self.from))?;
        map.serialize_field("to", &Clock(self.to))?;
        map.serialize_field("zone", self.zone.iana_name().unwrap_or("UTC"))?;
        map.end()
    }
}

/// A time of day as `07:30`, with seconds only where there are some.
struct Clock(Time);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())?;
        if self.0.second() != 0 { write!(f, ":{:02}", self.0.second()) } else { Ok(()) }
    }
}

impl Serialize for Clock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    fn open(schedule: &Schedule, times: &[(&str, bool)]) {
        for (time, open) in times {
            assert_eq!(schedule.open(at(time)), *open, "{time}");
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
        let friday_night = Schedule::new(["Fri"], "22:00", "06:00", "Asia/Seoul").expect("good");
        // 2026-02-20 is a Friday; Seoul is nine hours ahead.
        open(
            &friday_night,
            &[
                ("2026-02-19T22:00:00+09:00", false),
                ("2026-02-20T05:59:59+09:00", false),
                ("2026-02-20T21:59:59+09:00", false),
                ("2026-02-20T22:00:00+09:00", true),
                ("2026-02-21T05:59:59+09:00", true),
                ("2026-02-21T06:00:00+09:00", false),
                ("2026-02-21T22:00:00+09:00", false),
            ],
        );
        assert_eq!(friday_night.next_start(at("2026-02-20T22:00:00+09:00")), Some(at("2026-02-27T22:00:00+09:00")));
        assert_eq!(friday_night.next_start(at("2026-02-20T21:59:59+09:00")), Some(at("2026-02-20T22:00:00+09:00")));
    }

    #[test]
    fn without_days_it_is_every_day_and_24_00_ends_one() {
        let day = Schedule::new([], "00:00", "24:00", "UTC").expect("good");
        open(&day, &[("2026-02-20T00:00:00Z", true), ("2026-02-20T23:59:59Z", true)]);
        let morning = Schedule::new(["mo", "tuesday"], "7:00", "9:30", "UTC").expect("good");
        open(
            &morning,
            &[
                ("2026-02-23T07:00:00Z", true),
                ("2026-02-24T09:29:59Z", true),
                ("2026-02-24T09:30:00Z", false),
                ("2026-02-25T08:00:00Z", false),
            ],
        );
    }

    #[test]
    fn days_have_names_numbers_and_spans() {
        let days = |days: &[&str]| Schedule::new(days.iter().copied(), "1:00", "2:00", "UTC").map(|schedule| schedule.days);
        let some = |which: [usize; 3]| Ok(std::array::from_fn(|day| which.contains(&day)));
        assert_eq!(days(&["Monday", "we", "7"]), some([0, 2, 6]));
        assert_eq!(days(&["sat-mon"]), some([5, 6, 0]));
        assert_eq!(days(&["2-4"]), some([1, 2, 3]));
    }

    #[test]
    fn local_time_follows_the_zone_through_both_changes() {
        let night = Schedule::new([], "01:00", "05:00", "Europe/Berlin").expect("good");
        // On 2026-03-29 clocks go from 02:00 to 03:00, on 2026-10-25 from 03:00 back to 02:00.
        open(
            &night,
            &[
                ("2026-03-28T23:59:59Z", false),
                ("2026-03-29T00:00:00Z", true),
                ("2026-03-29T02:59:59Z", true),
                ("2026-03-29T03:00:00Z", false),
                ("2026-10-24T22:59:59Z", false),
                ("2026-10-24T23:00:00Z", true),
                ("2026-10-25T03:59:59Z", true),
                ("2026-10-25T04:00:00Z", false),
            ],
        );
        let skipped = Schedule::new([], "02:30", "04:00", "Europe/Berlin").expect("good");
        open(&skipped, &[("2026-03-29T01:00:00Z", false), ("2026-03-29T01:30:00Z", true), ("2026-03-29T02:00:00Z", false)]);
        let twice = Schedule::new([], "02:30", "02:45", "Europe/Berlin").expect("good");
        open(&twice, &[("2026-10-25T00:30:00Z", true), ("2026-10-25T01:30:00Z", false)]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_key() {
        let key = |days: &[&str], from, to, zone| Schedule::new(days.iter().copied(), from, to, zone).map_err(|(key, _)| key);
        assert_eq!(key(&["someday"], "1:00", "2:00", "UTC"), Err("days"));
        assert_eq!(key(&["t"], "1:00", "2:00", "UTC"), Err("days"));
        assert_eq!(key(&["8"], "1:00", "2:00", "UTC"), Err("days"));
        assert_eq!(key(&["mon-"], "1:00", "2:00", "UTC"), Err("days"));
        assert_eq!(key(&[], "25:00", "2:00", "UTC"), Err("from"));
        assert_eq!(key(&[], "1:00", "2", "UTC"), Err("to"));
        assert_eq!(key(&[], "1:00", "2:60", "UTC"), Err("to"));
        assert_eq!(key(&[], "1:00", "2:00", "Mars/Olympus"), Err("zone"));
        assert!(key(&[], "1:00", "2:00:30", "utc").is_ok());
    }

    #[test]
    fn it_is_written_as_it_can_be_read() {
        let schedule = Schedule::new(["sun", "mon"], "22:00", "06:00:30", "Asia/Seoul").expect("good");
        assert_eq!(
            serde_json::to_string(&schedule).expect("json"),
            r#"{"days":["mon","sun"],"from":"22:00","to":"06:00:30","zone":"Asia/Seoul"}"#
        );
    }
}
