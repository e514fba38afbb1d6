//! Programs that end in a sum: the numbers are added up while they are in the cache, and the
//! tensor that would hold them is never made.

use super::program::{BLOCK, Program, Source, sources};
use crate::element::Float;
use crate::parallel::{Shared, cost, ranges};
use crate::reduce::sum_middle;
use crate::shape::Shape;
use crate::shapes::{self, OrPanic};
use crate::tensor::Tensor;

/// Numbers that are evaluated before they are added up: they stay in the second cache. Fixed, so
/// that the result does not depend on the number of threads.
const PIECE: usize = 32 * BLOCK;

impl Program {
    /// The sum of the first result over all elements of `shape`, without storing them.
    ///
    /// # Panics
    /// As [`Program::map`].
    #[track_caller]
    pub fn sum<T: Float>(&self, inputs: &[&Tensor<T>], shape: &[usize]) -> T {
        self.sum_to(inputs, shape, &[]).item()
    }

    /// The first result over inputs that broadcast to `over`, summed to a smaller `shape` as
    /// [`Tensor::sum_to`] does, without storing it.
    ///
    /// ```
    /// use wengert_tensor::{Program, Tensor};
    /// let product = Program::new(|[x, y]| [x * y]);
    /// let (x, y) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([10.0, 1.0]));
    /// assert_eq!(product.sum_to(&[&x, &y], &[2, 2], &[2, 1]).to_vec(), [12.0, 34.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Program::map`], or if `shape` does not broadcast to `over`.
    #[track_caller]
    pub fn sum_to<T: Float>(
        &self,
        inputs: &[&Tensor<T>],
        over: &[usize],
        shape: &[usize],
    ) -> Tensor<T> {
        let over = shapes::shape_of("program", over).or_panic();
        shapes::reduce_to("sum_to", &over, shape).or_panic();
        let split = Split::of(&over, shape);
        // Where the pieces would be parts of a row there is nothing to gain; nor with nothing.
        if split.inner > PIECE || over.contains(&0) {
            return self.map(inputs, &over).sum_to(shape);
        }
        self.check_inputs(inputs.len());
        self.check_result();
        let sources = sources(inputs, over);
        // SAFETY: a source for each input, read with the shape that was split.
        let partial = unsafe { T::program_sum(self, &sources, split) };
        partial.reshape(&split.shape(&over)).sum_to(shape)
    }

    /// For each type behind [`FloatKernels`](crate::compiled::FloatKernels): sums of runs along
    /// the middle axis, [outer, runs, inner].
    ///
    /// # Safety
    /// There is a source for each input, with the numbers of the split in its layout, and a result.
    pub(crate) unsafe fn sum_here<T: Float>(
        &self,
        sources: &[Source<T>],
        split: Split,
    ) -> Tensor<T> {
        let Split { outer, n, inner, .. } = split;
        let (row, runs, rows) = (inner, split.runs(), split.rows());
        let mut partial = Tensor::<T>::empty(Shape::new(&[outer, runs, inner]));
        let to = Shared(partial.fresh_mut().as_mut_ptr());
        // A piece is one run, or, where a run is the whole axis, that of several outer indices.
        let (pieces, together) = if runs > 1 {
            (outer * runs, 1)
        } else {
            (outer.div_ceil(split.outers()), split.outers())
        };
        ranges(pieces, cost(&[outer, n, inner, self.len() + 1]), 1, |range| {
            let most = rows * row * together;
            let mut piece = Tensor::<T>::empty(Shape::new(&[most]));
            let target = Shared(piece.fresh_mut().as_mut_ptr());
            for at in range {
                let (start, sizes) = if runs > 1 {
                    let (o, run) = (at / runs, at % runs);
                    let first = run * rows;
                    ((o * n + first) * row, [1, rows.min(n - first), inner])
                } else {
                    let first = at * together;
                    (first * n * row, [together.min(outer - first), n, inner])
                };
                let len = sizes.iter().product::<usize>();
                // SAFETY: the caller's contract; `piece` has room for `most` numbers, which is `len`
                // or more, and belongs to this call.
                unsafe { self.block_range(sources, &[target], start..start + len, start) };
                let sums = sizes[0] * inner;
                // SAFETY: each piece has a place of its own: `inner` sums for each of its outer
                // indices or its run.
                let out = unsafe {
                    std::slice::from_raw_parts_mut(to.get().add(at * together * inner), sums)
                };
                sum_middle(&piece.fresh_mut()[..len], sizes, out);
            }
        });
        partial
    }
}

/// The innermost axes that are summed, as the middle of three: `[outer, n, inner]`.
#[derive(Clone, Copy)]
pub struct Split {
    outer: usize,
    n: usize,
    inner: usize,
    /// Which axes the middle is.
    axes: (usize, usize),
}

impl Split {
    fn of(over: &[usize], shape: &[usize]) -> Self {
        let lead = over.len() - shape.len().min(over.len());
        let summed = |axis: usize| axis < lead || over[axis] != shape[axis - lead];
        // Axes of one element belong to whatever is beside them.
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

    /// Rows of `inner` numbers in a run.
    fn rows(self) -> usize {
        (PIECE / self.inner.max(1)).clamp(1, self.n.max(1))
    }

    /// Runs along the middle axis.
    fn runs(self) -> usize {
        self.n.div_ceil(self.rows())
    }

    /// How many outer indices make a piece where the middle axis is one run.
    fn outers(self) -> usize {
        (PIECE / (self.n * self.inner).max(1)).max(1)
    }

    /// The shape of the partial sums: the runs in place of the first axis of the middle.
    fn shape(self, over: &[usize]) -> Vec<isize> {
        let (start, end) = self.axes;
        let mut sizes: Vec<isize> = over.iter().map(|&n| n as isize).collect();
        if start < end {
            sizes[start..end].fill(1);
            sizes[start] = self.runs() as isize;
        }
        sizes
    }
}
