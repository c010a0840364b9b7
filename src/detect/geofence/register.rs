//! Which fences there are, and which of them a place may concern: an R-tree over their bounds.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use super::standing::Standing;
use crate::geo::{Fence, Point};

/// A fence by its place in the register.
pub(super) type Id = u32;

/// A fence, and how the vehicle stands to it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Shared with whoever looks: there may be 10,000.
    pub(super) fence: Arc<Fence>,
    pub(super) standing: Standing,
    /// It is among those that every fix is judged against.
    pub(super) watched: bool,
    /// Its row is to be written.
    pub(super) changed: bool,
    /// The fix for which it was last judged, so that it is judged once.
    pub(super) pass: u64,
}

type Bounds = GeomWithData<Rectangle<[f64; 2]>, Id>;

/// All fences.
#[derive(Clone, Debug, Default)]
pub(super) struct Register {
    slots: Vec<Option<Slot>>,
    free: Vec<Id>,
    by_name: HashMap<String, Id>,
    tree: RTree<Bounds>,
    vertices: usize,
}

impl Register {
    /// Of these fences; of two with one id, the first.
    pub(super) fn new(fences: Vec<Fence>) -> Register {
        let mut register = Register::default();
        let mut bounds = Vec::with_capacity(fences.len());
        for fence in fences {
            if !register.by_name.contains_key(&fence.id) {
                let shape = fence.shape.clone();
                let id = register.place(fence);
                bounds.extend(rectangles(shape.bounds(), id));
            }
        }
        register.tree = RTree::bulk_load(bounds);
        register
    }

    /// Adds a fence whose id is not there yet.
    pub(super) fn add(&mut self, fence: Fence) -> Id {
        let bounds = fence.shape.bounds();
        let id = self.place(fence);
        for rectangle in rectangles(bounds, id) {
            self.tree.insert(rectangle);
        }
        id
    }

    fn place(&mut self, fence: Fence) -> Id {
        self.vertices += fence.shape.vertices();
        let id = self.free.pop().unwrap_or(self.slots.len() as Id);
        self.by_name.insert(fence.id.clone(), id);
        let slot = Some(Slot { fence: Arc::new(fence), standing: Standing::new(), watched: false, changed: false, pass: 0 });
        match self.slots.get_mut(id as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        id
    }

    /// Takes a fence away.
    pub(super) fn remove(&mut self, id: Id) -> Option<Slot> {
        let slot = self.slots.get_mut(id as usize)?.take()?;
        self.vertices -= slot.fence.shape.vertices();
        self.by_name.remove(&slot.fence.id);
        for rectangle in rectangles(slot.fence.shape.bounds(), id) {
            self.tree.remove(&rectangle);
        }
        self.free.push(id);
        Some(slot)
    }

    pub(super) fn find(&self, name: &str) -> Option<Id> {
        self.by_name.get(name).copied()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Slot> {
        self.slots.get(id as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Slot> {
        self.slots.get_mut(id as usize)?.as_mut()
    }

    /// All, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Slot)> {
        let each = self.slots.iter().enumerate();
        each.filter_map(|(id, slot)| slot.as_ref().map(|slot| (id as Id, slot)))
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn vertices(&self) -> usize {
        self.vertices
    }

    /// Calls `with` for each fence that the straight way between two points may concern, perhaps more than once.
    pub(super) fn along(&self, from: Point, to: Point, mut with: impl FnMut(Id)) {
        let mut look = |west: f64, east: f64| {
            let (low, high) = (from.latitude.min(to.latitude), from.latitude.max(to.latitude));
            let envelope = AABB::from_corners([west, low], [east, high]);
            let _ = self.tree.locate_in_envelope_intersecting_int(&envelope, |found| {
                with(found.data);
                ControlFlow::<()>::Continue(())
            });
        };
        let (west, east) = (from.longitude.min(to.longitude), from.longitude.max(to.longitude));
        if east - west > 180.0 {
            // The short way crosses the antimeridian.
            look(east, 180.0);
            look(-180.0, west);
        } else {
            look(west, east);
        }
    }
}

/// The bounds of a shape for every longitude from −180 to 180 by which a point in it may go.
fn rectangles([west, south, east, north]: [f64; 4], id: Id) -> impl Iterator<Item = Bounds> {
    let turns = [(0.0, true), (-360.0, east >= 180.0), (360.0, west <= -180.0)];
    turns
        .into_iter()
        .filter(|(_, needed)| *needed)
        .map(move |(shift, _)| GeomWithData::new(Rectangle::from_corners([west + shift, south], [east + shift, north]), id))
}
