//! `telltale`: see `telltale --help`.

fn main() {}
