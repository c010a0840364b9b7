//! Which blocks of the file may hold the nearest place: a binary tree of boxes over the blocks, in the order of the file.
//!
//! It is made while the file is checked, of what its records say, so that nothing in a file can make it wrong: records in
//! an order without sense are found as well, only not as fast.

use super::bounds::{Bounds, Vector};

/// Most blocks, so that the index is under half a megabyte for any file.
pub(super) const MOST_BLOCKS: usize = 8192;

/// The tree and where each block begins.
pub(super) struct Index {
    /// In preorder: of a node over n blocks the left half, n / 2 blocks, comes next.
    nodes: Vec<Bounds>,
    /// Where each block begins, and where the last one ends.
    starts: Vec<u64>,
}

impl Index {
    /// The index over these blocks. `starts` has one entry more, the end.
    pub(super) fn new(blocks: &[Bounds], starts: Vec<u64>) -> Index {
        let mut nodes = Vec::with_capacity(2 * blocks.len());
        grow(&mut nodes, blocks);
        nodes.shrink_to_fit();
        Index { nodes, starts }
    }

    fn blocks(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Bytes in memory.
    pub(super) fn resident(&self) -> usize {
        self.nodes.capacity() * size_of::<Bounds>() + self.starts.capacity() * size_of::<u64>()
    }

    /// Where a block begins, and its length.
    pub(super) fn extent(&self, block: usize) -> Option<(u64, usize)> {
        let (from, to) = (*self.starts.get(block)?, *self.starts.get(block + 1)?);
        Some((from, usize::try_from(to.checked_sub(from)?).ok()?))
    }

    /// Visits the blocks that may hold something nearer to `from` than `best`, a squared chord that the visitor lowers:
    /// nearer ones first, until none can or the visitor has enough.
    pub(super) fn search<E>(
        &self,
        from: Vector,
        best: &mut f64,
        visit: &mut impl FnMut(usize, &mut f64) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.blocks() {
            0 => Ok(()),
            blocks => self.descend(0, 0, blocks, from, best, visit),
        }
    }

    /// Below `node`, over `blocks` blocks from `first`. As deep as the logarithm of the blocks.
    fn descend<E>(
        &self,
        node: usize,
        first: usize,
        blocks: usize,
        from: Vector,
        best: &mut f64,
        visit: &mut impl FnMut(usize, &mut f64) -> Result<(), E>,
    ) -> Result<(), E> {
        if blocks == 1 {
            return visit(first, best);
        }
        let half = blocks / 2;
        // A tree over n blocks has 2n - 1 nodes.
        let (left, right) = (node + 1, node + 2 * half);
        let far = |node: usize| self.nodes.get(node).map_or(f64::INFINITY, |bounds| bounds.chord_from(from));
        let mut ways = [(far(left), left, first, half), (far(right), right, first + half, blocks - half)];
        ways.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        for (away, node, first, blocks) in ways {
            if away < *best {
                self.descend(node, first, blocks, from, best, visit)?;
            }
        }
        Ok(())
    }
}

/// Appends the tree over these blocks; the box around all of them.
fn grow(nodes: &mut Vec<Bounds>, blocks: &[Bounds]) -> Bounds {
    let at = nodes.len();
    let Some((left, right)) = blocks.split_at_checked(blocks.len() / 2).filter(|(left, _)| !left.is_empty()) else {
        let only = blocks.first().copied().unwrap_or(Bounds::NONE);
        nodes.push(only);
        return only;
    };
    nodes.push(Bounds::NONE);
    let around = grow(nodes, left).and(grow(nodes, right));
    if let Some(node) = nodes.get_mut(at) {
        *node = around;
    }
    around
}
