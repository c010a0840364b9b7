//! Configuration.
#![allow(missing_docs)]
pub mod fault;
pub mod nearest;
pub mod tree;
pub mod typed;
