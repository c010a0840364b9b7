//! x
mod budget;
pub use budget::{Budget, MOST_BITS, bits};
