//! The ways to write sizes of axes in a call: `[2, 3]`, `(n, -1)`, the shape of another tensor.

use crate::layout::{MAX_RANK, Shape, ShapeResult};
use smallvec::SmallVec;
use std::ops::Deref;

/// An integer that can be the size of an axis: `usize`, `isize`, `i32`, `i64`, `u32`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the size of an axis",
    note = "sizes are integers: usize, isize, i32, i64 or u32"
)]
pub trait Size: Copy {
    /// Returns the size as `isize`. A number that does not fit gives `isize::MAX`, which is too large for any
    /// tensor.
    fn size(self) -> isize;
}

macro_rules! sizes {
    ($($t:ident)*) => { $(
        impl Size for $t {
            #[inline]
            fn size(self) -> isize {
                self.try_into().unwrap_or(isize::MAX)
            }
        }
        impl Sizes for $t {
            #[inline]
            fn sizes(&self) -> SizeList {
                SizeList::new([self.size()])
            }
        }
    )* };
}
sizes! { usize isize i32 i64 u32 }

/// The sizes of axes, in every form that a function with a shape argument accepts:
/// - arrays, slices and vectors of integers, by value or by reference: `[2, 3]`, `&[n, 3]`;
/// - tuples of integers of different types: `(n, 3, -1)` with an `n` of `usize`;
/// - a [`Shape`], by value or by reference: `x.shape()`;
/// - one integer, for one axis;
/// - `()`, for no axes: a scalar.
///
/// An empty array names no integer type, so `&[]` does not compile; write `()`.
///
/// ```
/// use wengert::tensor::Tensor;
/// let x = Tensor::zeros([4, 6]);
/// let n = x.size(0);
/// assert_eq!(x.reshape((n, 2, -1)).shape(), [4, 2, 3]);
/// assert_eq!(x.reshape([n * 2, 3]).shape(), [8, 3]);
/// assert_eq!(x.reshape(-1).shape(), [24]);
/// assert_eq!(Tensor::ones(x.shape()).shape(), [4, 6]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a shape",
    note = "write an array or a tuple of integers, such as [2, 3] or (n, 3, -1); () is the shape \
            of a scalar"
)]
pub trait Sizes {
    /// Returns the sizes in order. Negative sizes are kept: [`Tensor::reshape`](crate::Tensor::reshape)
    /// infers a size given as -1, other functions panic.
    fn sizes(&self) -> SizeList;

    /// Returns the sizes as a shape.
    ///
    /// # Errors
    /// If a size is negative. The text names `op` and the axis.
    ///
    /// # Panics
    /// If there are more than [`MAX_RANK`] sizes.
    #[track_caller]
    fn shape_for(&self, op: &str) -> ShapeResult {
        let sizes = self.sizes();
        if let Some(axis) = sizes.iter().position(|&size| size < 0) {
            return Err(format!(
                "{op}: size {} of axis {axis} in shape {:?} is negative: only reshape infers a size \
                 given as -1",
                sizes[axis], &*sizes
            ));
        }
        let sizes: SmallVec<[usize; MAX_RANK]> =
            sizes.iter().map(|size| size.unsigned_abs()).collect();
        Ok(Shape::new(&sizes))
    }
}

/// A list of sizes of axes, each of which may be negative. It dereferences to a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeList(SmallVec<[isize; MAX_RANK]>);

impl SizeList {
    /// Returns a list of these sizes.
    #[inline]
    pub fn new(sizes: impl IntoIterator<Item = isize>) -> Self {
        SizeList(sizes.into_iter().collect())
    }
}

impl Deref for SizeList {
    type Target = [isize];
    #[inline]
    fn deref(&self) -> &[isize] {
        &self.0
    }
}

impl<S: Sizes + ?Sized> Sizes for &S {
    #[inline]
    fn sizes(&self) -> SizeList {
        (**self).sizes()
    }
    #[inline]
    #[track_caller]
    fn shape_for(&self, op: &str) -> ShapeResult {
        (**self).shape_for(op)
    }
}

impl<I: Size> Sizes for [I] {
    #[inline]
    fn sizes(&self) -> SizeList {
        SizeList::new(self.iter().map(|&size| size.size()))
    }
}

impl<I: Size, const N: usize> Sizes for [I; N] {
    #[inline]
    fn sizes(&self) -> SizeList {
        self[..].sizes()
    }
}

impl<I: Size> Sizes for Vec<I> {
    #[inline]
    fn sizes(&self) -> SizeList {
        self[..].sizes()
    }
}

impl Sizes for Shape {
    #[inline]
    fn sizes(&self) -> SizeList {
        self[..].sizes()
    }
    #[inline]
    fn shape_for(&self, _: &str) -> ShapeResult {
        Ok(*self)
    }
}

impl Sizes for SizeList {
    #[inline]
    fn sizes(&self) -> SizeList {
        self.clone()
    }
}

macro_rules! tuples {
    ($(($($I:ident $at:tt)*))*) => { $(
        impl<$($I: Size),*> Sizes for ($($I,)*) {
            #[inline]
            fn sizes(&self) -> SizeList {
                SizeList::new([$(self.$at.size()),*])
            }
        }
    )* };
}
tuples! {
    ()
    (A 0)
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 E 4)
    (A 0 B 1 C 2 D 3 E 4 F 5)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
}

#[cfg(test)]
mod tests {
    use crate::tensor::Tensor;
    use crate::testing::panics_here;

    #[test]
    fn sizes_can_be_written_as_number_tuple_array_or_slice() {
        let x = Tensor::<f64>::from_fn([2, 3, 4], |i| i as f64);
        let (n, l) = (x.size(0), x.size(1));
        let s = x.shape();
        let wanted = [2, 3, 4];
        assert_eq!(x.reshape((n, l, -1)).shape(), wanted);
        assert_eq!(x.reshape([s[0], s[1], 4]).shape(), wanted);
        assert_eq!(x.reshape(&[s[0], s[1], s[2]]).shape(), wanted);
        assert_eq!(x.reshape(&[2, -1, 4]).shape(), wanted);
        assert_eq!(x.reshape([2, -1, 4]).shape(), wanted);
        assert_eq!(x.reshape([2isize, 3, -1]).shape(), wanted);
        assert_eq!(x.reshape(&[2isize, 3, -1][..]).shape(), wanted);
        assert_eq!(x.reshape(&[2usize, 3, 4][..]).shape(), wanted);
        assert_eq!(x.reshape([2i64, 3, -1]).shape(), wanted);
        assert_eq!(x.reshape([2u32, 3, 4]).shape(), wanted);
        assert_eq!(x.reshape(vec![2usize, 3, 4]).shape(), wanted);
        assert_eq!(x.reshape(&vec![2i32, 3, -1]).shape(), wanted);
        assert_eq!(x.reshape(s).shape(), wanted);
        assert_eq!(x.reshape(&s).shape(), wanted);
        assert_eq!(x.reshape((2i64, l, -1isize)).shape(), wanted);
        assert_eq!(x.reshape(&(n, l, 4u32)).shape(), wanted);
        assert_eq!(x.reshape(-1).shape(), [24]);
        assert_eq!(x.reshape(s.numel()).shape(), [24]);
        assert_eq!(x.reshape((s.numel(),)).shape(), [24]);
        assert_eq!(x.reshape((1, n, 1, l, 1, 2, 1, -1)).shape(), [1, 2, 1, 3, 1, 2, 1, 2]);
        for shape in &[&[24, 1][..], &[1, 24]] {
            assert_eq!(x.reshape(shape).shape(), **shape);
        }
    }

    #[test]
    fn tuples_of_every_length() {
        let x = Tensor::scalar(3.0);
        assert_eq!(x.reshape(()).shape(), []);
        assert_eq!(x.reshape((1,)).rank(), 1);
        assert_eq!(x.reshape((1, -1)).rank(), 2);
        assert_eq!(x.reshape((1, 1, -1)).rank(), 3);
        assert_eq!(x.reshape((1, 1, 1, -1)).rank(), 4);
        assert_eq!(x.reshape((1, 1, 1, 1, -1)).rank(), 5);
        assert_eq!(x.reshape((1, 1, 1, 1, 1, -1)).rank(), 6);
        assert_eq!(x.reshape((1, 1, 1, 1, 1, 1, -1)).rank(), 7);
        assert_eq!(x.reshape((1, 1, 1, 1, 1, 1, 1, -1)).rank(), 8);
    }

    #[test]
    fn constructors_accept_every_form_of_sizes() {
        let n = 2usize;
        assert_eq!(Tensor::zeros((n, 3)).shape(), [2, 3]);
        assert_eq!(Tensor::ones([n, 3]).sum_all(), 6.0);
        assert_eq!(Tensor::full((), 2.5).item(), 2.5);
        assert_eq!(Tensor::full(3, 2.5).to_vec(), [2.5; 3]);
        assert_eq!(Tensor::<i64>::zeros_of((n, 1)).to_vec(), [0, 0]);
        assert_eq!(Tensor::<u8>::ones_of(vec![n]).to_vec(), [1, 1]);
        assert_eq!(Tensor::full_of((1, n), true).to_vec(), [true, true]);
        assert_eq!(Tensor::from_fn((n, 2), |i| i as i64).to_vec(), [0, 1, 2, 3]);
        assert_eq!(Tensor::from_vec(vec![1.0f32, 2.0], (1, n)).shape(), [1, 2]);
        assert_eq!(Tensor::from_slice(&[1u8, 2], [n]).shape(), [2]);
        let row = Tensor::from([1.0f32, 2.0]);
        assert_eq!(row.broadcast_to((3, n)).shape(), [3, 2]);
        assert_eq!(row.broadcast_to((3, n)).sum_to((1, n)).to_vec(), [3.0, 6.0]);
        assert_eq!(row.broadcast_to(Tensor::zeros((4, n)).shape()).shape(), [4, 2]);
    }

    #[test]
    fn wrong_sizes_panic() {
        let x = Tensor::zeros([2, 3]);
        panics_here(
            "zeros: size -1 of axis 1 in shape [2, -1] is negative: only reshape infers a size given as -1",
            || drop(Tensor::zeros([2, -1])),
        );
        panics_here(
            "broadcast_to: size -3 of axis 0 in shape [-3, 2, 3] is negative: only reshape infers a size given as -1",
            || drop(x.broadcast_to((-3, 2, 3))),
        );
        panics_here("reshape: only one size may be -1, [-1, -1] has 2", || {
            drop(x.reshape((-1, -1)));
        });
        panics_here("reshape: 6 elements of shape [2, 3] do not fit [4, -1]", || {
            drop(x.reshape((4, -1)));
        });
        panics_here("reshape: 6 elements of shape [2, 3] do not fit [-2, 3]", || {
            drop(x.reshape((-2, 3)));
        });
        panics_here(
            "reshape: shape [1, 1, 1, 1, 1, 1, 1, 2, 3] has 9 axes, a tensor has at most 8",
            || drop(x.reshape([1, 1, 1, 1, 1, 1, 1, 2, 3])),
        );
        let message =
            format!("reshape: shape [{}] has more elements than a tensor can have", isize::MAX);
        panics_here(&message, || drop(x.reshape(usize::MAX)));
    }
}
