//! Each row and each rule of the child table as a story.

mod rows;
