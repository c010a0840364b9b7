//! ACM Destiny: units of the vehicle by number, and the way that they have gone.
//!
//! Units are the numbers of `[[units]]`: the car's own receiver, and those of trailers.

mod message;
mod track;

pub(super) use track::{history, is_well_formed};

use super::problem::Problem;
use super::settings::Unit;

/// The path or the query names a unit that is none of this vehicle's.
fn no_unit(units: &[Unit]) -> Problem {
    let numbers = units.iter().map(|unit| unit.id.to_string()).collect::<Vec<_>>().join(", ");
    Problem::not_found(format!("there is no such unit; this vehicle has {numbers}"))
}
