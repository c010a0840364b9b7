//! What is wrong with a GeoJSON text, where it is, and what would be right.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use super::{Flaw, MAX_FENCES, MAX_VERTICES_IN_ALL};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Fault {
    /// The line in the text, from 1.
    pub line: usize,
    /// The feature, from 0; `None` where it is about the text as a whole.
    pub feature: Option<usize>,
    /// The feature's id, where it has one.
    pub id: Option<String>,
    /// The key, from the top: `features[3].geometry.coordinates[0][5]`.
    pub key: String,
    /// The position in its ring or line, from 0, where it is about one.
    pub vertex: Option<usize>,
    /// What is wrong with it.
    pub wrong: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(id) = &self.id {
            write!(f, ", fence `{}`", id.escape_debug())?;
        }
        if !self.key.is_empty() {
            write!(f, ", {}", self.key)?;
        }
        write!(f, ": {}", self.wrong)
    }
}

/// What can be wrong, with what would be right.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// Not JSON, or a member of the wrong type.
    #[error("{0}")]
    Json(String),
    /// Something else was expected.
    #[error("{found} stands where {wanted} belongs")]
    Type {
        /// What belongs there.
        wanted: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// Something is not there.
    #[error("there is none; give {0}")]
    Missing(&'static str),
    /// A number out of its range.
    #[error("{found} is not over 0 and at most {most} ({unit})")]
    Range {
        /// As it came.
        found: f64,
        /// At most.
        most: f64,
        /// The unit.
        unit: &'static str,
    },
    /// An id that cannot be one.
    #[error("an id is a number or a string of 1 to 128 characters without control characters")]
    Id,
    /// Within `properties` instead of beside it.
    #[error("the id belongs beside `type`, not within `properties` (RFC 7946, 3.2); move it there")]
    IdInProperties,
    /// The id of another feature.
    #[error("feature {0} has the same id; every fence needs its own")]
    DuplicateId(usize),
    /// Another id than the one in the address.
    #[error("the fence is addressed as `{0}`; write that id or none")]
    OtherId(String),
    /// A word that is none of those known.
    #[error("`{found}` is not known here; write {wanted}")]
    Word {
        /// As it came.
        found: String,
        /// What can be written.
        wanted: &'static str,
    },
    /// Too many.
    #[error("{0} fences are too many; {MAX_FENCES} may be in force at once")]
    TooManyFences(usize),
    /// Too many.
    #[error("{0} vertices are too many; all fences together may have {MAX_VERTICES_IN_ALL}; simplify them")]
    TooManyVertices(usize),
    /// An unsound outline.
    #[error(transparent)]
    Outline(#[from] Flaw),
    /// A schedule that cannot be kept.
    #[error("{0}")]
    Schedule(String),
}

/// A step down into a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Key(&'static str),
    Index(usize),
}

impl From<&'static str> for Step {
    fn from(key: &'static str) -> Step {
        Step::Key(key)
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Step {
        Step::Index(index)
    }
}

/// What is wrong, and the way to it from the feature down, innermost step first.
#[derive(Debug)]
pub(crate) struct At {
    pub(crate) steps: Vec<Step>,
    pub(crate) vertex: Option<usize>,
    pub(crate) wrong: Wrong,
}

impl From<Wrong> for At {
    fn from(wrong: Wrong) -> At {
        At { steps: Vec::new(), vertex: None, wrong }
    }
}

/// Says under which key or index it was.
pub(crate) trait Under {
    fn under(self, step: impl Into<Step>) -> Self;
}

impl Under for At {
    fn under(mut self, step: impl Into<Step>) -> At {
        self.steps.push(step.into());
        self
    }
}

impl<T> Under for Result<T, At> {
    fn under(self, step: impl Into<Step>) -> Result<T, At> {
        self.map_err(|at| at.under(step))
    }
}

impl At {
    /// The fault, found in `text`.
    pub(crate) fn fault(self, text: &str, feature: Option<usize>, id: Option<String>) -> Fault {
        let At { mut steps, vertex, wrong } = self;
        steps.reverse();
        Fault { line: line(text, &steps), feature, id, key: key(&steps), vertex, wrong }
    }
}

/// `features[3].geometry.coordinates[0][5]`.
fn key(steps: &[Step]) -> String {
    steps.iter().fold(String::new(), |key, step| match step {
        Step::Key(name) if key.is_empty() => (*name).to_owned(),
        Step::Key(name) => format!("{key}.{name}"),
        Step::Index(index) => format!("{key}[{index}]"),
    })
}

/// The line on which that stands to which the steps lead; as far as they lead.
fn line(text: &str, steps: &[Step]) -> usize {
    let Ok(mut here) = serde_json::from_str::<&RawValue>(text) else { return 1 };
    for step in steps {
        let Some(next) = child(here, step) else { break };
        here = next;
    }
    let offset = (here.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn child<'a>(of: &'a RawValue, step: &Step) -> Option<&'a RawValue> {
    match step {
        Step::Key(name) => {
            serde_json::from_str::<BTreeMap<std::borrow::Cow<'a, str>, &'a RawValue>>(of.get()).ok()?.get(*name).copied()
        }
        Step::Index(index) => serde_json::from_str::<Vec<&'a RawValue>>(of.get()).ok()?.get(*index).copied(),
    }
}
