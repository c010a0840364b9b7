//! Numbers that somebody else may set over the site's: the watch tells of a child no later with them.

use proptest::prelude::*;

use super::property::{Act, acts, perform};
use crate::detect::testcar::*;
use crate::detect::{ChildSettings, Settings};
use crate::event::EventType;

/// Every number that may be moved, anywhere in its range.
fn numbers() -> impl Strategy<Value = ChildSettings> {
    let waits = (2_u32..=15, 15_u32..=600, 15_u32..=300, 60_u32..=1800);
    let tells = (10_u32..=75, 15_u32..=60, 1200_u32..=7200, 60_u32..=3600);
    let rest = (7200_u32..=259_200, 600_u32..=7200, 120_u32..=600);
    let heat = (20.0..=30.0_f64, 30.0..=40.0_f64, 5.0..=30.0_f64);
    (waits, tells, rest, heat).prop_map(|(waits, tells, rest, heat)| ChildSettings {
        locked_s: waits.0,
        unlocked_s: waits.1,
        covered_s: waits.2,
        before_drive_s: waits.3,
        escalate_s: tells.0,
        repeat_s: tells.1,
        repeat_for_s: tells.2,
        late_repeat_s: tells.3,
        repeat_at_most_s: rest.0,
        again_s: rest.1,
        snooze_most_s: rest.2,
        hot_celsius: heat.0,
        limit_celsius: heat.1,
        hot_minutes: heat.2,
        ..ChildSettings::default()
    })
}

/// `one`, with each number of `other` that may stand over it.
fn as_far_as_may_be(site: &ChildSettings, other: &ChildSettings) -> ChildSettings {
    let mut taken = serde_json::to_value(site).unwrap();
    for (key, value) in serde_json::to_value(other).unwrap().as_object().unwrap() {
        let mut tried = taken.clone();
        tried[key] = value.clone();
        let settings: ChildSettings = serde_json::from_value(tried.clone()).unwrap();
        if settings.check().is_ok() && settings.is_no_later_than(site).is_ok() {
            taken = tried;
        }
    }
    serde_json::from_value(taken).unwrap()
}

/// When a child left behind is told of first, µs.
fn first_alert(plan: Plan, child: &ChildSettings, story: &[Act]) -> Option<i64> {
    let mut car = Car::parked(plan, Settings { child: child.clone(), ..Settings::default() });
    story.iter().for_each(|act| perform(&mut car, act));
    // Whatever is still to come, if nobody does anything any more.
    car.wait(700.0);
    let alert = car.told.iter().find(|event| event.event_type == Some(EventType::ChildLeftBehind));
    alert.map(|event| event.stamp.wall.micros())
}

/// `PROPTEST_CASES` says how many where there is time.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(12), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_child_is_told_of_no_later(site in numbers(), other in numbers(), story in acts(), sensor in any::<bool>()) {
        let plan = || if sensor { Plan::sensor() } else { Plan::doors_only() };
        let fleet = as_far_as_may_be(&site, &other);
        prop_assert!(fleet.is_no_later_than(&site).is_ok());
        // People answer what they are told, when they are told.
        let story: Vec<Act> = story.into_iter().filter(|act| !matches!(act, Act::Snooze(_) | Act::Safe)).collect();
        let (of_site, of_fleet) = (first_alert(plan(), &site, &story), first_alert(plan(), &fleet, &story));
        if let Some(of_site) = of_site {
            prop_assert!(of_fleet.is_some_and(|told| told <= of_site), "site {of_site}, fleet {of_fleet:?}: {fleet:?}");
        }
    }
}

#[test]
fn each_number_by_itself_is_held_to_its_direction() {
    let site = ChildSettings::default();
    let document = serde_json::to_value(&site).unwrap();
    let may_be = |key: &str, value: f64| {
        let mut changed = document.clone();
        let whole = changed[key].is_u64();
        changed[key] = if whole { (value as u64).into() } else { value.into() };
        serde_json::from_value::<ChildSettings>(changed).unwrap().is_no_later_than(&site).is_ok()
    };
    for (key, value) in document.as_object().unwrap() {
        let value = value.as_f64().unwrap();
        let allowed = (may_be(key, value - 1.0), may_be(key, value + 1.0));
        let right = match key.as_str() {
            "repeat_for_s" | "repeat_at_most_s" | "before_drive_s" | "hot_minutes" => (false, true),
            "rear_used_s" | "sensor_yes_s" | "sensor_of_s" | "sensor_clear_s" | "expire_s" => (false, false),
            "returned_kmh" | "returned_s" | "snooze_least_s" => (false, false),
            _ => (true, false),
        };
        assert_eq!((allowed, may_be(key, value)), (right, true), "{key}");
    }
}
