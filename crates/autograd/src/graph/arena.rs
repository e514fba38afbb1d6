//! The arena: the nodes of a tape, their values, and tables for larger payloads.

use super::custom::CustomCall;
use super::op::{Op, Part, PoolWindows};
use super::slices::SlotParts;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_tensor::{AxisMap, Conv, Float, Shape, Tensor};

/// A node without its value. It is small, so that the arrays of a long tape fit the caches.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub op: Op,
    /// The parents, if there are at most two; otherwise the start of the parents in `Arena::more`.
    pub parents: [u32; 2],
    pub arity: u32,
    /// The index of the shape in `Arena::shapes`.
    pub shape: u32,
    /// Reference count: the pending nodes, and the slots of a walk, that will read this value.
    pub readers: u32,
    /// An upper bound of the length of the pointwise program that would compute this pending node. It may be out
    /// of date.
    pub program_len: u16,
    pub flags: u8,
}
const _: () = assert!(size_of::<Node>() == 40);

/// The number of elements up to which a value is tiny. A tiny value is computed at once, because a
/// pending node would cost more, and it is retained.
pub(crate) const TINY: usize = 8;

/// The node depends on a leaf, and history is kept.
pub(crate) const ACTIVE: u8 = 1;
/// A rule that may run has declared to read the value.
pub(crate) const SAVED: u8 = 2;
/// The value must not be dropped: the user requested it, or it is tiny.
pub(crate) const RETAINED: u8 = 4;
/// No new reader is expected: its scope has ended, the user released it, or `backward` has begun.
pub(crate) const CLOSED: u8 = 8;
/// The node is not computed yet. It counts as a reader of its operands.
pub(crate) const PENDING: u8 = 16;
/// The value was dropped after it was computed. When it is computed again, it is stored and not fused
/// into a reader's pointwise program.
pub(crate) const RELEASED: u8 = 32;
/// Temporary constant of a walk. Unlike a user's constant, it may be dropped.
pub(crate) const TEMPORARY: u8 = 64;
/// The values are booleans. Comparisons are masks without this flag, because their operation tells it.
pub(crate) const MASK: u8 = 128;

impl Node {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

pub(crate) struct Arena<T: Float> {
    /// `None` if the node is pending or released.
    pub values: Vec<Option<Tensor<T>>>,
    pub nodes: Vec<Node>,
    /// A node mostly shares the entry of a parent with an equal shape.
    pub shapes: Vec<Shape>,
    /// Parents of nodes that have more than two.
    pub more: Vec<u32>,
    /// Integers, in the order of the nodes that hold them.
    pub integers: Vec<Option<Tensor<i64>>>,
    /// The names of losses with their numbers of classes and the class number that they ignore, without
    /// duplicates.
    pub classes: Vec<(&'static str, u32, Option<i64>)>,
    /// The factors and summands of indices of slices.
    pub affine: Vec<(i64, i64)>,
    /// The windows of pools, without duplicates.
    pub pools: Vec<PoolWindows>,
    /// The geometries of convolutions, without duplicates.
    pub convs: Vec<Conv>,
    pub maps: Vec<AxisMap>,
    pub customs: Vec<CustomCall<T>>,
    /// The positions of the operands of `Assemble`.
    pub parts: Vec<Arc<[Part]>>,
    /// The nodes that the rules of a walk recorded: first node, end, and the node of the rule.
    pub rules: Vec<(u32, u32, u32)>,
    /// Activation checkpoints. `spans` holds the nodes that are computed while one is open, in ascending
    /// order.
    pub regions: Vec<Region>,
    pub spans: Vec<RegionSpan>,
    /// Whether there may be batch normalisations.
    pub has_batch_norm: bool,
    /// The nodes that `grad` returned as gradients, each with the node of which it is the gradient.
    pub gradients: Vec<(u32, u32)>,
    /// The number of nodes when `backward` ended the history; 0 before.
    pub ended: u32,
    /// The cotangents of a walk, one for each node. Empty between walks.
    pub slots: Vec<Slot<T>>,
}

impl<T: Float> Default for Arena<T> {
    fn default() -> Self {
        Arena {
            values: Vec::new(),
            nodes: Vec::new(),
            shapes: Vec::new(),
            more: Vec::new(),
            integers: Vec::new(),
            classes: Vec::new(),
            affine: Vec::new(),
            pools: Vec::new(),
            convs: Vec::new(),
            maps: Vec::new(),
            customs: Vec::new(),
            parts: Vec::new(),
            rules: Vec::new(),
            regions: Vec::new(),
            spans: Vec::new(),
            has_batch_norm: false,
            gradients: Vec::new(),
            ended: 0,
            slots: Vec::new(),
        }
    }
}

impl<T: Float> Arena<T> {
    #[inline]
    pub fn parents(&self, id: u32) -> &[u32] {
        let node = &self.nodes[id as usize];
        let n = node.arity as usize;
        if n <= 2 { &node.parents[..n] } else { &self.more[node.parents[0] as usize..][..n] }
    }

    /// Returns the parents as a list of their own, so that the arena can be changed meanwhile.
    #[inline]
    pub fn parent_list(&self, id: u32) -> SmallVec<[u32; 4]> {
        let node = &self.nodes[id as usize];
        match node.arity {
            // At most two parents need no loop.
            n @ 0..=2 => {
                let [a, b] = node.parents;
                SmallVec::from_buf_and_len([a, b, 0, 0], n as usize)
            }
            _ => SmallVec::from_slice(self.parents(id)),
        }
    }

    #[inline]
    pub fn shape(&self, id: u32) -> &Shape {
        &self.shapes[self.nodes[id as usize].shape as usize]
    }

    /// Returns the first output of the operation that has `id` as an output.
    #[inline]
    pub fn first_output(&self, id: u32) -> u32 {
        match self.nodes[id as usize].op {
            Op::Output(back) => id - back,
            _ => id,
        }
    }

    /// Returns the number of outputs of the operation at `id`.
    #[inline]
    pub fn outputs(&self, id: u32) -> usize {
        let further = &self.nodes[id as usize + 1..];
        1 + further.iter().take_while(|node| matches!(node.op, Op::Output(_))).count()
    }

    pub fn len(&self) -> u32 {
        self.nodes.len() as u32
    }

    /// Returns the place of a node's value in the column of integers, if it holds integers.
    #[inline]
    pub fn place_of_integers(&self, id: u32) -> Option<u32> {
        match self.nodes[id as usize].op {
            Op::Integer { place, .. } => Some(place),
            Op::Output(back) => match self.nodes[(id - back) as usize].op {
                Op::MaxPool(pool) => Some(pool.positions),
                Op::Custom(place) => {
                    let custom = &self.customs[place as usize];
                    back.checked_sub(custom.numbers).map(|at| custom.first_integer + at)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns whether the value of a node is computed.
    #[inline]
    pub fn is_computed(&self, id: u32) -> bool {
        self.values[id as usize].is_some()
            || !self.integers.is_empty()
                && self
                    .place_of_integers(id)
                    .is_some_and(|place| self.integers[place as usize].is_some())
    }

    pub fn mark(&self) -> Mark {
        let [nodes, shapes] = [self.nodes.len(), self.shapes.len()];
        let tables = [
            self.more.len(),
            self.integers.len(),
            self.maps.len(),
            self.customs.len(),
            self.parts.len(),
            self.affine.len(),
        ];
        Mark { nodes, shapes, tables, entries: self.entries() }
    }

    /// Returns the number of entries of all tables that [`truncate`](Arena::truncate) shortens. They only grow
    /// after a mark, so that an equal number means that each table has its old length.
    #[inline(always)]
    fn entries(&self) -> usize {
        let payloads = self.integers.len() + self.maps.len() + self.customs.len();
        self.shapes.len() + self.more.len() + payloads + self.parts.len() + self.affine.len()
    }

    /// Removes all nodes and table entries that were added after the mark.
    #[inline(always)]
    pub fn truncate(&mut self, mark: &Mark) {
        self.values.truncate(mark.nodes);
        self.nodes.truncate(mark.nodes);
        // Most rules make no entry in a table.
        if self.entries() != mark.entries {
            self.truncate_tables(mark);
        }
    }

    #[inline(never)]
    fn truncate_tables(&mut self, mark: &Mark) {
        let [more, integers, maps, customs, parts, affine] = mark.tables;
        self.shapes.truncate(mark.shapes);
        self.more.truncate(more);
        self.integers.truncate(integers);
        self.maps.truncate(maps);
        self.customs.truncate(customs);
        self.parts.truncate(parts);
        self.affine.truncate(affine);
    }

    pub fn clear(&mut self) {
        self.truncate(&Mark { nodes: 0, shapes: 0, tables: [0; 6], entries: 0 });
        self.convs.clear();
        self.pools.clear();
        self.classes.clear();
        self.rules.clear();
        self.regions.clear();
        self.spans.clear();
        self.gradients.clear();
        self.ended = 0;
        self.slots.clear();
    }
}

/// Returns the place of a value in a table without duplicates. Adds the value if it is new.
pub(crate) fn place_in<V: PartialEq>(table: &mut Vec<V>, value: V) -> u32 {
    let known = table.iter().position(|known| *known == value);
    known.unwrap_or_else(|| {
        table.push(value);
        table.len() - 1
    }) as u32
}

/// The lengths of the arena's arrays at one moment.
pub(crate) struct Mark {
    pub nodes: usize,
    shapes: usize,
    /// The lengths of the table of parents, of the column of integers and of the tables of maps, custom operations,
    /// parts and affine maps of indices.
    tables: [usize; 6],
    /// The number of entries of all tables.
    entries: usize,
}

/// The cotangent accumulated so far for a node.
#[derive(Clone, Default)]
pub(crate) enum Slot<T: Float> {
    #[default]
    Empty,
    /// A tensor that the slot owns: cotangents are added to it in place.
    Value(Tensor<T>),
    /// A recorded variable (in walks for variables) or a pending node (in walks for numbers).
    Node(u32),
    /// Cotangents of parts of the value. In a box, so that a slot stays small and is dropped by few instructions.
    Parts(Box<SlotParts<T>>),
}

/// An activation checkpoint: nodes whose values are dropped when the region ends.
#[derive(Clone)]
pub(crate) struct Region {
    pub first: u32,
    pub end: u32,
    /// The nodes of the region whose values are kept.
    pub results: SmallVec<[u32; 4]>,
    /// The number of walks that are in the region.
    pub active_walks: u32,
}

/// Nodes that are computed while a region is open: the region itself, or nodes that rules recorded for
/// it.
#[derive(Clone, Copy)]
pub(crate) struct RegionSpan {
    pub first: u32,
    pub end: u32,
    pub region: u32,
}

impl<T: Float> Arena<T> {
    #[inline(always)]
    pub fn push(
        &mut self,
        op: Op,
        parents: &[u32],
        shape: u32,
        flags: u8,
        value: Option<Tensor<T>>,
    ) -> u32 {
        let id = self.nodes.len() as u32;
        let inline = match *parents {
            [] => [0, 0],
            [a] => [a, 0],
            [a, b] => [a, b],
            _ => {
                self.more.extend_from_slice(parents);
                [(self.more.len() - parents.len()) as u32, 0]
            }
        };
        let arity = parents.len() as u32;
        self.nodes.push(Node {
            op,
            parents: inline,
            arity,
            shape,
            readers: 0,
            program_len: 0,
            flags,
        });
        self.values.push(value);
        id
    }

    /// Adds a node without parents.
    #[inline]
    pub fn push_shaped(
        &mut self,
        op: Op,
        shape: Shape,
        flags: u8,
        value: Option<Tensor<T>>,
    ) -> u32 {
        if self.shapes.last() != Some(&shape) {
            self.shapes.push(shape);
        }
        self.push(op, &[], self.shapes.len() as u32 - 1, flags, value)
    }
}
