//! Each row and each rule of the child table as a story. Seconds in the stories count from the moment that matters: the
//! locking, the closing of the doors, the alert.

mod agreement;
mod answers;
mod evidence;
mod heat;
mod later;
mod model;
mod property;
mod restart;
mod rows;
mod stops;
