//! Programs that end in a sum. The numbers are added while they are in the cache; the tensor that
//! would hold them is never allocated.

use super::program::Program;
use super::step::Pointwise;
use crate::kernels::blocks::NumberSource;
use crate::kernels::reduce::{Cut, cut, sum_middle};
use crate::kernels::scratch::Scratch;
use crate::machine::{Shared, cost, join};

impl Program {
    /// Sums the program's result along the middle axis. The sums have shape [outer, inner]. The numbers are written to
    /// `kept`, if it is given. [`FloatKernels`](crate::kernels::FloatKernels) instantiates it for each type.
    ///
    /// # Safety
    /// There is a source for each input, and its layout has the numbers of the split. The program has a
    /// result. `sums` has the length that [`Split::sums`] gives. `kept` has room for the numbers of the split, which
    /// overlap no source, and no other code uses them.
    pub(crate) unsafe fn sum_here<T: Pointwise>(
        &self,
        sources: &[NumberSource<T>],
        split: Split,
        kept: Option<Shared<T>>,
        sums: &mut [T],
    ) {
        let Split { outer, n, inner, .. } = split;
        // SAFETY: by the contract.
        unsafe { self.add_up(sources, 0, [outer, n, inner], kept, sums) };
    }

    /// Evaluates the numbers from `start` on and sums them. The work is divided as in the reduction
    /// of stored numbers, so the bits are the same, on any number of threads. The numbers of one
    /// piece stay in the second-level cache.
    ///
    /// # Safety
    /// As [`Program::sum_here`]; the numbers from `start` on are within the split.
    unsafe fn add_up<T: Pointwise>(
        &self,
        sources: &[NumberSource<T>],
        start: usize,
        [outer, n, inner]: [usize; 3],
        kept: Option<Shared<T>>,
        out: &mut [T],
    ) {
        let numbers = outer * n * inner;
        let cost = cost(&[numbers, self.len() + 1]);
        match cut([outer, n, inner]) {
            Cut::Uncut => {
                let mut made;
                // SAFETY: by the contract.
                let place = if let Some(kept) = kept {
                    unsafe { kept.get().add(start) }
                } else {
                    made = Scratch::<T>::new(numbers);
                    made.numbers().as_mut_ptr()
                };
                let target = Shared(place);
                // SAFETY: by the contract; the place has room for these numbers and is this call's.
                let numbers = unsafe {
                    self.block_range(sources, &[target], start..start + numbers, start, None);
                    std::slice::from_raw_parts(place, numbers)
                };
                sum_middle(numbers, [outer, n, inner], out);
            }
            Cut::Outer(half) => {
                let (out1, out2) = out.split_at_mut(half * inner);
                let second = start + half * n * inner;
                // SAFETY: both are parts of what the caller has promised.
                join(
                    cost,
                    &mut || unsafe { self.add_up(sources, start, [half, n, inner], kept, out1) },
                    &mut || unsafe {
                        self.add_up(sources, second, [outer - half, n, inner], kept, out2);
                    },
                );
            }
            Cut::Middle(half) => {
                let mut rest = Scratch::<T>::new(inner);
                let rest = rest.numbers();
                let second = start + half * inner;
                // SAFETY: both are parts of what the caller has promised.
                join(
                    cost,
                    &mut || unsafe { self.add_up(sources, start, [1, half, inner], kept, out) },
                    &mut || unsafe {
                        self.add_up(sources, second, [1, n - half, inner], kept, rest);
                    },
                );
                for (sum, &more) in out.iter_mut().zip(rest.iter()) {
                    *sum = *sum + more;
                }
            }
        }
    }
}

/// The innermost summed axes as the middle of three axes: `[outer, n, inner]`.
#[derive(Clone, Copy)]
pub struct Split {
    outer: usize,
    n: usize,
    inner: usize,
    /// The range of axes that the middle axis consists of.
    axes: (usize, usize),
}

impl Split {
    pub(crate) fn of(over: &[usize], shape: &[usize]) -> Self {
        let lead = over.len() - shape.len().min(over.len());
        let summed = |axis: usize| axis < lead || over[axis] != shape[axis - lead];
        // Axes of one element belong to either neighbour.
        let end = (0..over.len()).rfind(|&axis| summed(axis) && over[axis] != 1);
        let end = end.map_or(over.len(), |axis| axis + 1);
        let start = (0..end).rfind(|&axis| !summed(axis) && over[axis] != 1);
        let start = start.map_or(0, |axis| axis + 1);
        let product = |sizes: &[usize]| sizes.iter().product();
        Split {
            outer: product(&over[..start]),
            n: product(&over[start..end]),
            inner: product(&over[end..]),
            axes: (start, end),
        }
    }

    /// Returns the number of terms of each sum.
    pub(crate) fn terms(self) -> usize {
        self.n
    }

    /// Returns the numbers of outer and inner sums.
    pub(crate) fn sums(self) -> [usize; 2] {
        [self.outer, self.inner]
    }

    /// Returns the shape of the sums: the middle axes have one element each.
    pub(crate) fn shape(self, over: &[usize]) -> Vec<isize> {
        let (start, end) = self.axes;
        let mut sizes: Vec<isize> = over.iter().map(|&n| n as isize).collect();
        sizes[start..end].fill(1);
        sizes
    }
}
