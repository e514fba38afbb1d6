//! Reading tensors whose elements do not lie in order: axes are collapsed as far as the layout
//! allows, and what remains is walked in inner runs of one step.

use super::MAX_RANK;

/// One operand's layout with its axes merged where one continues the other, so that
/// the inner run is as long as it can be.
#[derive(Clone, Copy)]
pub(crate) struct Collapsed {
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

    /// Size and step of each merged axis.
    pub fn axes(&self) -> impl DoubleEndedIterator<Item = (usize, isize)> {
        self.sizes.into_iter().zip(self.steps).take(self.rank)
    }

    pub fn numel(&self) -> usize {
        self.sizes[..self.rank].iter().product()
    }

    /// Length and step of the innermost axis.
    pub fn inner(&self) -> (usize, isize) {
        (self.sizes[self.rank - 1], self.steps[self.rank - 1])
    }

    /// The same without the innermost axis.
    pub fn outer(&self) -> Option<Self> {
        (self.rank > 1).then(|| Collapsed { rank: self.rank - 1, ..*self })
    }
}

/// Walks the elements of one operand in reading order.
pub(crate) struct Cursor {
    layout: Collapsed,
    /// Position on each axis.
    index: [usize; MAX_RANK],
    /// Where the current inner run starts.
    start: isize,
}

impl Cursor {
    /// Starts at the element that is `position`-th in reading order.
    pub fn new(layout: Collapsed, mut position: usize) -> Self {
        let mut cursor = Cursor { layout, index: [0; MAX_RANK], start: 0 };
        for axis in (0..layout.rank).rev() {
            cursor.index[axis] = position % layout.sizes[axis].max(1);
            position /= layout.sizes[axis].max(1);
            if axis + 1 < layout.rank {
                cursor.start += cursor.index[axis] as isize * layout.steps[axis];
            }
        }
        cursor
    }

    /// The next piece of at most `most` elements that lie at one step: offset of the first, step,
    /// and how many.
    #[inline]
    pub fn next_run(&mut self, most: usize) -> (isize, isize, usize) {
        let last = self.layout.rank - 1;
        let (len, step) = self.layout.inner();
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
        for axis in (0..self.layout.rank - 1).rev() {
            self.index[axis] += 1;
            self.start += self.layout.steps[axis];
            if self.index[axis] < self.layout.sizes[axis] {
                return;
            }
            self.start -= self.layout.sizes[axis] as isize * self.layout.steps[axis];
            self.index[axis] = 0;
        }
    }

    /// Whether the next `n` elements are neighbours in memory; then the offset of the first.
    #[inline]
    pub fn adjacent(&self, n: usize) -> Option<isize> {
        let (len, step) = self.layout.inner();
        let at = self.index[self.layout.rank - 1];
        (step == 1 && at + n <= len).then(|| self.start + at as isize)
    }

    /// Whether the next `n` elements are one and the same; then its offset.
    #[inline]
    pub fn repeated(&self, n: usize) -> Option<isize> {
        let (len, step) = self.layout.inner();
        (step == 0 && self.index[self.layout.rank - 1] + n <= len).then_some(self.start)
    }

    /// Writes the next `out.len()` elements to `out`.
    ///
    /// # Safety
    /// `base` is the first element of the tensor this layout belongs to, which holds at least that
    /// many more elements.
    #[inline]
    pub unsafe fn read<T: Copy>(&mut self, base: *const T, out: &mut [T]) {
        let mut done = 0;
        while done < out.len() {
            let (offset, step, n) = self.next_run(out.len() - done);
            let to = &mut out[done..done + n];
            // SAFETY: the cursor stays within the layout, whose elements exist by the contract.
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
