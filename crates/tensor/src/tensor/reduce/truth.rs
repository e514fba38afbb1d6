//! Reductions of booleans: whether any element is true, whether all are true, how many are true.

use super::ReducedAxes;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Element, Tensor};

/// Whether elements are true. A number is true if it is not zero, which NaN is not.
impl<T: Element> Tensor<T> {
    /// Returns whether at least one element over these axes is true, or over all axes if `axes` is empty.
    /// A number is true if it is not zero. The result for no elements is false. `keepdim` keeps the reduced axes with size 1.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[true, false], [false, false]]);
    /// assert_eq!(x.any(&[1], false).to_vec(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn any(&self, axes: &[isize], keepdim: bool) -> Tensor<bool> {
        self.cast().ended("any", axes, keepdim, true)
    }

    /// Returns whether every element over these axes is true, or over all axes if `axes` is empty. A number
    /// is true if it is not zero. The result for no elements is true. `keepdim` keeps the reduced axes with size 1.
    ///
    /// # Panics
    /// If the tensor has no such axis, or an axis is named twice.
    #[track_caller]
    pub fn all(&self, axes: &[isize], keepdim: bool) -> Tensor<bool> {
        self.cast().ended("all", axes, keepdim, false)
    }
}

/// Reductions of booleans. [`sum`](Tensor::sum) counts the true elements along axes.
impl Tensor<bool> {
    /// Returns whether at least one element is true.
    pub fn is_any(&self) -> bool {
        self.contiguous().as_slice().unwrap_or_default().contains(&true)
    }

    /// Returns whether every element is true.
    pub fn is_all(&self) -> bool {
        !self.contiguous().as_slice().unwrap_or_default().contains(&false)
    }

    /// Returns the number of true elements.
    pub fn count(&self) -> usize {
        self.contiguous().as_slice().unwrap_or_default().iter().filter(|&&x| x).count()
    }

    /// Reduces to `end` where an element equals `end`, else to `!end`.
    #[track_caller]
    fn ended(&self, op: &str, axes: &[isize], keepdim: bool, end: bool) -> Self {
        let reduced = shapes::reduce(op, &self.shape(), axes).or_panic();
        let reduction = ReducedAxes::new(self, &reduced, keepdim);
        if self.numel() == 0 {
            return reduction.empty(!end);
        }
        reduction.in_one_call(self, &mut |x: &[bool], [_, n, inner], out: &mut [bool]| {
            out.fill(!end);
            for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
                for row in x.chunks_exact(inner) {
                    for (out, &x) in out.iter_mut().zip(row) {
                        *out = if x == end { end } else { *out };
                    }
                }
            }
        })
    }
}
