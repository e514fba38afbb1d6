//! Programs that end in a sum: the numbers are added up while they are in the cache, and the
//! tensor that would hold them is never made.

use super::program::{Program, Source, sources};
use crate::kernels::reduce::{Cut, cut, join, sum_middle};
use crate::layout::Shape;
use crate::machine::{Shared, cost};
use crate::shapes::{self, OrPanic};
use crate::tensor::Float;
use crate::tensor::Tensor;

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
    /// [`Tensor::sum_to`] does, without storing it: bit for bit the sum of the stored result.
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
        // With nothing to add, or one number alone, there is nothing to gain.
        if split.n == 1 || over.contains(&0) {
            return self.map(inputs, &over).sum_to(shape);
        }
        self.check_inputs(inputs.len());
        self.check_result();
        let sources = sources(inputs, over);
        // SAFETY: a source for each input, read with the shape that was split.
        let partial = unsafe { T::program_sum(self, &sources, split) };
        partial.reshape(&split.shape(&over)).sum_to(shape)
    }

    /// For each type behind [`FloatKernels`](crate::kernels::compiled::FloatKernels): sums along the middle
    /// axis, [outer, inner].
    ///
    /// # Safety
    /// There is a source for each input, with the numbers of the split in its layout, and a result.
    pub(crate) unsafe fn sum_here<T: Float>(
        &self,
        sources: &[Source<T>],
        split: Split,
    ) -> Tensor<T> {
        let Split { outer, n, inner, .. } = split;
        let mut sums = Tensor::<T>::empty(Shape::new(&[outer, inner]));
        // SAFETY: by the contract.
        unsafe { self.add_up(sources, 0, [outer, n, inner], sums.fresh_mut()) };
        sums
    }

    /// Makes the numbers from `start` on and sums them, divided as the reduction of stored numbers
    /// divides them: so the bits are the same, on any number of threads. What is made at once stays
    /// in the second cache.
    ///
    /// # Safety
    /// As [`Program::sum_here`]; the numbers from `start` on are within the split.
    unsafe fn add_up<T: Float>(
        &self,
        sources: &[Source<T>],
        start: usize,
        [outer, n, inner]: [usize; 3],
        out: &mut [T],
    ) {
        let numbers = outer * n * inner;
        let cost = cost(&[numbers, self.len() + 1]);
        match cut([outer, n, inner]) {
            Cut::Whole => {
                let mut made = Tensor::<T>::empty(Shape::new(&[numbers]));
                let made = made.fresh_mut();
                let target = Shared(made.as_mut_ptr());
                // SAFETY: by the contract; `made` has room for these numbers and is this call's.
                unsafe { self.block_range(sources, &[target], start..start + numbers, start) };
                sum_middle(made, [outer, n, inner], out);
            }
            Cut::Outer(half) => {
                let (out1, out2) = out.split_at_mut(half * inner);
                let second = start + half * n * inner;
                // SAFETY: both are parts of what the caller has promised.
                join(
                    cost,
                    || unsafe { self.add_up(sources, start, [half, n, inner], out1) },
                    || unsafe { self.add_up(sources, second, [outer - half, n, inner], out2) },
                );
            }
            Cut::Middle(half) => {
                let mut rest = Tensor::<T>::empty(Shape::new(&[inner]));
                let rest = rest.fresh_mut();
                let second = start + half * inner;
                // SAFETY: both are parts of what the caller has promised.
                join(
                    cost,
                    || unsafe { self.add_up(sources, start, [1, half, inner], out) },
                    || unsafe { self.add_up(sources, second, [1, n - half, inner], rest) },
                );
                for (sum, &more) in out.iter_mut().zip(rest.iter()) {
                    *sum = *sum + more;
                }
            }
        }
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

    /// The shape of the sums: the middle axes have one element each.
    fn shape(self, over: &[usize]) -> Vec<isize> {
        let (start, end) = self.axes;
        let mut sizes: Vec<isize> = over.iter().map(|&n| n as isize).collect();
        sizes[start..end].fill(1);
        sizes
    }
}
