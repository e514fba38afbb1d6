//! Memory for the numbers of one call, recycled as that of tensors is.

use crate::layout::Shape;
use crate::machine::Block;
use crate::number::Numeric;
use std::marker::PhantomData;

/// Room for some numbers; what they are at first is not specified.
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
        // SAFETY: nobody else has the block, it has room for that many numbers, every byte in it was
        // written before, and every pattern of bits is a number.
        unsafe { std::slice::from_raw_parts_mut(self.block.data().cast(), self.block.numel()) }
    }
}
