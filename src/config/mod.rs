//! Configuration.
#![allow(missing_docs)]
pub mod board;
pub mod fault;
pub mod nearest;
pub mod paths;
pub mod site;
pub mod tree;
pub mod typed;
