//! Configuration.
#![allow(missing_docs)]
pub mod board;
pub mod fault;
pub mod nearest;
pub mod paths;
pub mod site;
pub mod sources;
pub mod tree;
pub mod typed;
pub use board::{BOARDS, Board};
pub use nearest::nearest;
