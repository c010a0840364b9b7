//! What holds for every sequence of inputs.

use std::time::Duration;

use proptest::prelude::*;

use super::stories::{Drive, SEOUL, circle, off, zone};
use super::{Geofences, Memory, Settings};
use crate::event::{Details, Event, GeofenceTransition};
use crate::geo::{Fence, FenceSource, Schedule, Shape, distance};

/// One input.
#[derive(Clone, Debug)]
enum Input {
    /// A second later, so many metres from the last one, with this accuracy.
    Fix(f64, f64, f64),
    /// Parked, or no longer.
    Parked(bool),
    /// Nothing for so many seconds.
    Wait(f64),
    /// km/h.
    Speed(Option<f64>),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let accuracy = || prop_oneof![8 => 3.0..20.0_f64, 1 => 20.0..100.0_f64, 1 => 100.1..500.0_f64];
    let fix = |most: f64| (-most..most, -most..most, accuracy()).prop_map(|(x, y, accuracy)| Input::Fix(x, y, accuracy));
    let input = prop_oneof![
        30 => fix(60.0),
        10 => fix(8.0),
        3 => fix(400.0),
        1 => any::<bool>().prop_map(Input::Parked),
        1 => (0.1..90.0_f64).prop_map(Input::Wait),
        2 => proptest::option::of(0.0..60.0_f64).prop_map(Input::Speed),
    ];
    proptest::collection::vec(input, 1..250)
}

fn fences() -> Vec<Fence> {
    let ring = |half: f64| {
        let corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)];
        corners.map(|(x, y)| off(SEOUL, x, y)).map(|point| [point.longitude, point.latitude]).to_vec()
    };
    let line = [(-300.0, 20.0), (0.0, -20.0), (300.0, 30.0)].map(|(x, y)| off(SEOUL, x, y));
    let corridor = Shape::corridor(vec![line.map(|point| [point.longitude, point.latitude]).to_vec()], 40.0);
    let hollow = Shape::area(vec![vec![ring(250.0), ring(120.0)]]);
    let minute = Schedule::new([], "00:01", "00:03", "UTC").expect("a schedule");
    vec![
        Fence { dwell: Some(Duration::from_secs(20)), speed_limit: Some(30.0), ..zone() },
        Fence::new("hollow", FenceSource::File, hollow.expect("an area")),
        Fence::new("corridor", FenceSource::File, corridor.expect("a corridor")),
        Fence { schedule: Some(minute), tell_at_start: true, ..circle("scheduled", off(SEOUL, 50.0, 50.0), 80.0) },
        circle("small", off(SEOUL, 30.0, 0.0), 12.0),
    ]
}

/// Where the last fix was, m.
type Place = (f64, f64);

fn feed(drive: &mut Drive, place: &mut Place, input: &Input) {
    match *input {
        Input::Fix(east, north, accuracy) => {
            *place = ((place.0 + east).clamp(-500.0, 500.0), (place.1 + north).clamp(-500.0, 500.0));
            drive.accuracy = accuracy;
            drive.at(place.0, place.1);
        }
        Input::Parked(parked) => drive.parked = parked,
        Input::Wait(seconds) => drop(drive.wait(seconds)),
        Input::Speed(speed) => {
            drive.speed = speed;
            drive.step();
        }
    }
}

fn run(mut drive: Drive, inputs: &[Input]) -> Drive {
    let mut place = (-200.0, 0.0);
    inputs.iter().for_each(|input| feed(&mut drive, &mut place, input));
    drive
}

fn transition(event: &Event) -> (&str, GeofenceTransition, bool) {
    let Details::Geofence(geofence) = &event.details else { panic!("{event:?}") };
    (&geofence.id, geofence.transition, geofence.inside)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn in_and_out_alternate_ids_rise_and_a_visit_dwells_once(inputs in inputs()) {
        let drive = run(Drive::new(fences()), &inputs);
        prop_assert!(drive.events.windows(2).all(|pair| pair[0].id < pair[1].id));
        for fence in drive.fences.now().iter().filter(|fence| fence.fence.id != "scheduled") {
            let mut inside = None;
            let mut dwelled = false;
            for event in drive.events.iter().filter(|event| transition(event).0 == fence.fence.id) {
                match transition(event).1 {
                    GeofenceTransition::Enter => {
                        prop_assert_ne!(inside, Some(true), "{:?}", event);
                        (inside, dwelled) = (Some(true), false);
                    }
                    GeofenceTransition::Exit => {
                        prop_assert_ne!(inside, Some(false), "{:?}", event);
                        (inside, dwelled) = (Some(false), false);
                    }
                    GeofenceTransition::Dwell => {
                        prop_assert!(inside != Some(false) && !dwelled, "{:?}", event);
                        dwelled = true;
                    }
                    GeofenceTransition::Overspeed => prop_assert_ne!(inside, Some(false), "{:?}", event),
                }
                let (_, transition, now) = transition(event);
                prop_assert_eq!(now, transition != GeofenceTransition::Exit);
            }
            if let Some(told) = inside {
                prop_assert_eq!(fence.inside, Some(told), "what was told last is what is");
            }
        }
    }

    #[test]
    fn what_is_told_of_a_fence_does_not_depend_on_the_others(inputs in inputs()) {
        let all = run(Drive::new(fences()), &inputs);
        for fence in fences() {
            let id = fence.id.clone();
            let alone = run(Drive::new(vec![fence]), &inputs);
            let of_all: Vec<&Event> = all.events.iter().filter(|event| transition(event).0 == id).collect();
            prop_assert_eq!(of_all.len(), alone.events.len());
            for (a, b) in of_all.into_iter().zip(&alone.events) {
                prop_assert_eq!((&a.details, a.stamp), (&b.details, b.stamp));
            }
        }
    }

    #[test]
    fn fixes_worse_than_100_m_change_nothing(inputs in inputs(), worse in 100.1..1000.0_f64) {
        let inputs: Vec<Input> = inputs.into_iter().filter_map(|input| match input {
            Input::Fix(east, north, _) => Some(Input::Fix(east, north, worse)),
            Input::Speed(_) => None,
            other => Some(other),
        }).collect();
        let drive = run(Drive::new(fences()), &inputs);
        prop_assert!(drive.events.is_empty(), "{:?}", drive.events);
        prop_assert!(drive.fences.now().iter().all(|fence| fence.inside.is_none()));
    }

    #[test]
    fn entering_takes_a_fix_inside_and_leaving_one_outside(inputs in inputs()) {
        let inputs: Vec<Input> = inputs.into_iter().filter(|input| !matches!(input, Input::Speed(_))).collect();
        let mut drive = Drive::new(vec![circle("zone", SEOUL, 100.0)]);
        let mut place = (-200.0, 0.0);
        for input in &inputs {
            let told = drive.events.len();
            feed(&mut drive, &mut place, input);
            for event in drive.events.iter().skip(told) {
                let from_centre = distance(SEOUL, off(SEOUL, place.0, place.1));
                let Details::Geofence(geofence) = &event.details else { continue };
                prop_assert!(matches!(input, Input::Fix(_, _, accuracy) if *accuracy <= 100.0), "{:?}", input);
                match (geofence.crossed, geofence.inside) {
                    (true, _) => prop_assert!(from_centre > 100.0),
                    (false, true) => prop_assert!(from_centre <= 97.0),
                    (false, false) => prop_assert!(from_centre >= 115.0),
                }
            }
        }
    }

    #[test]
    fn cut_anywhere_it_goes_on_as_if_uncut(inputs in inputs(), cut in any::<proptest::sample::Index>()) {
        let uncut = run(Drive::new(fences()), &inputs);
        let mut place = (-200.0, 0.0);
        let (first, second) = inputs.split_at(cut.index(inputs.len()));
        let mut drive = Drive::new(fences());
        first.iter().for_each(|input| feed(&mut drive, &mut place, input));
        let saved = serde_json::to_string(&drive.fences.memory()).expect("json");
        let memory: Memory = serde_json::from_str(&saved).expect("its own");
        drive.fences = Geofences::new(Settings::default(), fences());
        drive.fences.recall(memory);
        second.iter().for_each(|input| feed(&mut drive, &mut place, input));
        prop_assert_eq!(drive.events, uncut.events);
        prop_assert_eq!(drive.fences.deadline(), uncut.fences.deadline());
        prop_assert_eq!(drive.fences.now(), uncut.fences.now());
    }
}
