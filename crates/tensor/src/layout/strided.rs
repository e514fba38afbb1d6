//! Reading of tensors that are not contiguous. Axes are merged as far as the layout allows. The merged
//! layout is read in inner runs of elements with a constant stride.

use super::MAX_RANK;
use std::borrow::Borrow;

/// The layout of an operand with neighbouring axes merged where possible, so that the inner run is as long
/// as possible.
#[derive(Clone, Copy)]
pub struct Collapsed {
    rank: usize,
    sizes: [usize; MAX_RANK],
    steps: [isize; MAX_RANK],
}

impl Collapsed {
    pub fn new(shape: &[usize], strides: &[isize]) -> Self {
        let mut out = Collapsed { rank: 0, sizes: [1; MAX_RANK], steps: [0; MAX_RANK] };
        for (&size, &step) in shape.iter().zip(strides) {
            if size == 1 {
                continue;
            }
            if out.rank > 0 && out.steps[out.rank - 1] == step * size as isize {
                out.sizes[out.rank - 1] *= size;
                out.steps[out.rank - 1] = step;
            } else {
                out.sizes[out.rank] = size;
                out.steps[out.rank] = step;
                out.rank += 1;
            }
        }
        if out.rank == 0 {
            out.rank = 1;
        }
        out
    }

    /// Returns the size and the stride of each merged axis.
    pub fn axes(&self) -> impl DoubleEndedIterator<Item = (usize, isize)> {
        self.sizes.into_iter().zip(self.steps).take(self.rank)
    }

    pub fn numel(&self) -> usize {
        self.sizes[..self.rank].iter().product()
    }

    /// Returns the size and the stride of the innermost axis.
    pub fn inner(&self) -> (usize, isize) {
        (self.sizes[self.rank - 1], self.steps[self.rank - 1])
    }

    /// Returns whether the elements of the innermost axis are apart, and those of another axis are neighbours.
    pub fn is_transposed(&self) -> bool {
        let (len, step) = self.inner();
        len > 1 && step != 0 && step != 1 && self.axes().any(|(_, step)| step == 1)
    }

    /// Returns the layout without the innermost axis; `None` if it is the only one.
    pub fn outer(&self) -> Option<Self> {
        (self.rank > 1).then(|| Collapsed { rank: self.rank - 1, ..*self })
    }
}

/// Reads the elements of one operand in row-major order. It has the layout of the operand, or a reference to it, which
/// costs less where it is made for each small tensor.
pub(crate) struct Cursor<L = Collapsed> {
    layout: L,
    /// The index along each axis.
    index: [usize; MAX_RANK],
    /// The offset of the start of the current inner run.
    start: isize,
}

impl<L: Borrow<Collapsed>> Cursor<L> {
    /// Returns a cursor at the element with this position in row-major order.
    pub fn new(layout: L, mut position: usize) -> Self {
        let mut cursor = Cursor { layout, index: [0; MAX_RANK], start: 0 };
        let layout = cursor.layout.borrow();
        for axis in (0..layout.rank).rev() {
            cursor.index[axis] = position % layout.sizes[axis].max(1);
            position /= layout.sizes[axis].max(1);
            if axis + 1 < layout.rank {
                cursor.start += cursor.index[axis] as isize * layout.steps[axis];
            }
        }
        cursor
    }

    /// Returns the next run of at most `most` elements with a constant stride: the offset of the first
    /// element, the stride, and the number of elements.
    #[inline]
    pub fn next_run(&mut self, most: usize) -> (isize, isize, usize) {
        let layout = self.layout.borrow();
        let last = layout.rank - 1;
        let (len, step) = layout.inner();
        let at = self.index[last];
        let n = most.min(len - at);
        let offset = self.start + at as isize * step;
        self.index[last] += n;
        if self.index[last] == len {
            self.index[last] = 0;
            self.carry();
        }
        (offset, step, n)
    }

    #[inline]
    fn carry(&mut self) {
        let layout = self.layout.borrow();
        for axis in (0..layout.rank - 1).rev() {
            self.index[axis] += 1;
            self.start += layout.steps[axis];
            if self.index[axis] < layout.sizes[axis] {
                return;
            }
            self.start -= layout.sizes[axis] as isize * layout.steps[axis];
            self.index[axis] = 0;
        }
    }

    /// Returns the offset of the next element if the next `n` elements are neighbours in memory.
    #[inline]
    pub fn adjacent(&self, n: usize) -> Option<isize> {
        let layout = self.layout.borrow();
        let (len, step) = layout.inner();
        let at = self.index[layout.rank - 1];
        (step == 1 && at + n <= len).then(|| self.start + at as isize)
    }

    /// Returns the offset of the next element if the next `n` elements are the same element in memory.
    #[inline]
    pub fn repeated(&self, n: usize) -> Option<isize> {
        let layout = self.layout.borrow();
        let (len, step) = layout.inner();
        (step == 0 && self.index[layout.rank - 1] + n <= len).then_some(self.start)
    }

    /// Writes the next `out.len()` elements to `out`.
    ///
    /// # Safety
    /// `base` must point to the first element of a tensor with this layout, which must have at least
    /// `out.len()` more elements.
    #[inline]
    pub unsafe fn read<T: Copy>(&mut self, base: *const T, out: &mut [T]) {
        let mut done = 0;
        while done < out.len() {
            let (offset, step, n) = self.next_run(out.len() - done);
            let to = &mut out[done..done + n];
            // SAFETY: the cursor stays within the layout, whose elements exist by the contract of this
            // function.
            unsafe {
                let from = base.offset(offset);
                match step {
                    1 => std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), n),
                    0 => to.fill(*from),
                    _ => {
                        for (i, x) in to.iter_mut().enumerate() {
                            *x = *from.offset(i as isize * step);
                        }
                    }
                }
            }
            done += n;
        }
    }
}
