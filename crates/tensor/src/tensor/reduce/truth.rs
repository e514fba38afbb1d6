//! Reductions of booleans: whether any is true, whether all are, how many.

use super::Reduction;
use crate::shapes::{self, OrPanic};
use crate::tensor::Tensor;

/// Reductions of booleans; [`sum`](Tensor::sum) counts along axes.
impl Tensor<bool> {
    /// Whether at least one element over these axes is true; all axes if none is named. Of nothing:
    /// false.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::from([[true, false], [false, false]]);
    /// assert_eq!(x.any(&[1], false).to_vec(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    #[track_caller]
    pub fn any(&self, axes: &[isize], keepdim: bool) -> Self {
        self.ended("any", axes, keepdim, true)
    }

    /// Whether every element over these axes is true; all axes if none is named. Of nothing: true.
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    #[track_caller]
    pub fn all(&self, axes: &[isize], keepdim: bool) -> Self {
        self.ended("all", axes, keepdim, false)
    }

    /// Whether at least one element is true.
    pub fn is_any(&self) -> bool {
        self.contiguous().as_slice().unwrap_or_default().contains(&true)
    }

    /// Whether every element is true.
    pub fn is_all(&self) -> bool {
        !self.contiguous().as_slice().unwrap_or_default().contains(&false)
    }

    /// How many elements are true.
    pub fn count(&self) -> usize {
        self.contiguous().as_slice().unwrap_or_default().iter().filter(|&&x| x).count()
    }

    /// `end` where an element equals it, else the contrary.
    #[track_caller]
    fn ended(&self, op: &str, axes: &[isize], keepdim: bool, end: bool) -> Self {
        let reduced = shapes::reduce(op, &self.shape(), axes).or_panic();
        let reduction = Reduction::new(self, &reduced, keepdim);
        if self.numel() == 0 {
            return reduction.empty(!end);
        }
        reduction.whole(self, |x, [_, n, inner], out: &mut [bool]| {
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
