//! The cotangents of the slices of one value, until all are there: the gates of a recurrent cell, for example.
//! They are joined at the end. Added one by one to zeros, each element would be written twice and read once more.

use super::op::Part;
use wengert_tensor::{Float, Shape, Tensor};

/// A slice is kept if the whole has at most this many times its elements. So the slices are few.
const MOST: usize = 64;
/// Minimum number of elements of a slice that is kept. Smaller ones are added faster than remembered.
const LEAST: usize = 64;

/// Slices along one axis that have no index in common.
#[derive(Clone)]
pub(crate) struct Slices<T: Float> {
    axis: u8,
    /// The first index and the elements of each slice, from the last to the first: the order in which a backward walk
    /// meets the slices that a program has cut one after the other.
    slices: Vec<(usize, Tensor<T>)>,
}

impl<T: Float> Slices<T> {
    /// Returns an empty list for slices along the axis of this part, if it is a slice.
    pub fn for_part(part: Part) -> Option<Self> {
        let Part::Slice { axis, .. } = part else { return None };
        Some(Slices { axis, slices: Vec::new() })
    }

    /// Returns whether a part of this shape, of a value of the shape `whole`, can be kept with the others.
    pub fn fits(&self, part: Part, shape: &Shape, whole: &Shape) -> bool {
        let Part::Slice { axis, start, step: 1 } = part else { return false };
        let (start, size) = (start as usize, shape[axis as usize]);
        let size_of = |slice: &Tensor<T>| slice.shape()[axis as usize];
        let n = shape.numel();
        let large = n >= LEAST && n.saturating_mul(MOST) >= whole.numel();
        let (above, below) = self.slices.split_at(self.place_from(start));
        axis == self.axis
            && large
            && above.last().is_none_or(|&(other, _)| start + size <= other)
            && below.first().is_none_or(|(other, slice)| other + size_of(slice) <= start)
    }

    /// Keeps a slice for which [`fits`](Self::fits) has returned true.
    pub fn keep(&mut self, part: Part, g: &Tensor<T>) {
        let Part::Slice { start, .. } = part else { unreachable!("only slices fit") };
        let place = self.place_from(start as usize);
        self.slices.insert(place, (start as usize, g.clone()));
    }

    /// Returns the place in the list of a slice that begins at this index.
    fn place_from(&self, start: usize) -> usize {
        self.slices.partition_point(|&(other, _)| other > start)
    }

    /// Returns the value of this shape that has these slices, and zeros elsewhere.
    pub fn join(mut self, whole: &Shape) -> Tensor<T> {
        let axis = self.axis as usize;
        self.slices.reverse();
        let zero = Tensor::<T>::zeros_of(());
        let zeros = |len: usize| zero.broadcast_to(&whole.with(axis, len));
        let (mut pieces, mut end) = (Vec::with_capacity(self.slices.len()), 0);
        for (start, slice) in self.slices {
            if end < start {
                pieces.push(zeros(start - end));
            }
            end = start + slice.shape()[axis];
            pieces.push(slice);
        }
        if end < whole[axis] {
            pieces.push(zeros(whole[axis] - end));
        }
        Tensor::concat(&pieces, axis as isize)
    }
}

/// Cotangents of parts of a value.
#[derive(Clone)]
pub(crate) enum SlotParts<T: Float> {
    /// Recorded nodes (in walks for variables).
    Nodes(Vec<(Part, u32)>),
    /// Tensors (in walks for numbers).
    Slices(Slices<T>),
}

impl<T: Float> SlotParts<T> {
    /// Returns the value that has these slices. A walk for numbers keeps no nodes of parts.
    pub fn join(self, whole: &Shape) -> Tensor<T> {
        match self {
            SlotParts::Slices(slices) => slices.join(whole),
            SlotParts::Nodes(_) => unreachable!("in walks for variables"),
        }
    }
}
