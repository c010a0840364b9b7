//! The rows of the table, in its order.

use crate::detect::testcar::*;

#[test]
fn a_child_brought_in_by_a_rear_door_is_reminded_of_and_left_behind_ten_seconds_after_locking() {
    let mut car = Car::new(Plan::doors_only());
    car.leave_child_by_doors();
    let locked = car.seconds();
    car.wait(60.0);
    assert_eq!(
        car.child_story(),
        [
            format!("{:.1} CHILD_SEAT_REMINDER inferred advisory", locked - 4.0),
            format!("{:.1} CHILD_LEFT_BEHIND initial inferred warning", locked + 10.0)
        ]
    );
}
