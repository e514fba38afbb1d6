//! Temporary memory for the numbers of one call, recycled like the memory of tensors.

use crate::layout::Shape;
use crate::machine::Block;
use crate::number::Numeric;
use std::marker::PhantomData;

/// A temporary array of numbers. Its initial contents are unspecified.
pub(super) struct Scratch<T> {
    block: Block,
    numbers: PhantomData<T>,
}

impl<T: Numeric> Scratch<T> {
    #[inline]
    pub fn new(n: usize) -> Self {
        Scratch { block: Block::new(&Shape::new(&[n]), size_of::<T>()), numbers: PhantomData }
    }

    #[inline]
    pub fn numbers(&mut self) -> &mut [T] {
        // SAFETY: no other code has the block, it has room for that many numbers, every byte in it was
        // written before, and every pattern of bits is a number.
        unsafe { std::slice::from_raw_parts_mut(self.block.data().cast(), self.block.numel()) }
    }
}
