//! The rows of the table, in its order; answers, heat and restarts have files of their own.

mod ends;
mod parked;
mod running;

use crate::detect::testcar::*;
use crate::event::{Details, EventType};

/// An alert at second 0 that rests on doors only.
fn inferred_alert() -> (Car, f64) {
    let mut car = Car::new(Plan::doors_only());
    car.leave_child_by_doors();
    car.wait(10.0);
    let began = car.seconds();
    assert_eq!(car.child_story(began).last().unwrap(), "0.0 CHILD_LEFT_BEHIND initial inferred warning");
    (car, began)
}

/// An alert at second 0 that rests on a sensor.
fn direct_alert(plan: Plan) -> (Car, f64) {
    let mut car = Car::new(plan);
    car.leave_child_seen();
    car.wait(10.0);
    let began = car.seconds();
    assert_eq!(car.child_story(began).last().unwrap(), "0.0 CHILD_LEFT_BEHIND initial direct warning");
    (car, began)
}
