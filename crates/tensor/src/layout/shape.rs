//! Shapes and strides, and the only definitions of "these shapes broadcast" and "this layout is
//! contiguous".

use std::fmt;
use std::ops::{Deref, DerefMut};

/// The largest number of axes of a tensor.
pub const MAX_RANK: usize = 8;

/// The largest size of an axis.
pub(crate) const MAX_SIZE: usize = u32::MAX as usize;

/// The largest number of elements of a tensor. At eight bytes each they fill half of `isize::MAX` bytes. So
/// numbers of elements, offsets in bytes and strides can be multiplied by the size of an element, added and
/// negated without overflow.
pub(crate) const MAX_NUMEL: usize = isize::MAX as usize / 16;

/// Returns the product of these sizes, or `None` if the product of the sizes other than 0 exceeds
/// [`MAX_NUMEL`]. Sizes of 0 are left out of this check because a stride, the product of the later sizes,
/// must not overflow either.
///
/// Use this function (or [`count`](crate::shapes::count) in a rule) to multiply sizes that do not come from
/// an existing tensor.
#[inline]
pub(crate) fn product(sizes: &[usize]) -> Option<usize> {
    let (mut all, mut others) = (1usize, 1usize);
    for &size in sizes {
        others = others.checked_mul(size.max(1))?;
        all = all.wrapping_mul(size);
    }
    // Without a size of 0, `all` equals `others`; else `all` is 0.
    (others <= MAX_NUMEL).then_some(all)
}

/// The sizes of the axes of a tensor. A shape is `Copy`, needs no heap memory, and dereferences to a slice.
///
/// ```
/// use wengert::tensor::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!(shape.numel(), 6);
/// assert_eq!(shape, [2, 3]);
/// ```
#[derive(Clone, Copy)]
pub struct Shape {
    rank: u32,
    sizes: [usize; MAX_RANK],
}

/// The result of a shape rule, or a text that says what does not fit and how to correct it.
pub type ShapeResult<R = Shape> = Result<R, String>;

/// The strides of a tensor: the distance in elements from one index to the next along each axis. A stride
/// may be zero or negative.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Strides {
    rank: u32,
    steps: [isize; MAX_RANK],
}

impl Shape {
    /// The shape of a scalar: no axes, one element.
    pub const SCALAR: Shape = Shape { rank: 0, sizes: [0; MAX_RANK] };

    /// Returns a shape with these sizes.
    ///
    /// # Panics
    /// If there are more than [`MAX_RANK`] sizes.
    #[inline]
    #[track_caller]
    pub fn new(sizes: &[usize]) -> Self {
        if sizes.len() > MAX_RANK {
            too_many_axes(sizes)
        }
        let mut shape = Shape { rank: sizes.len() as u32, sizes: [0; MAX_RANK] };
        // A plain loop, because a call of memcpy costs more than copying at most 8 numbers.
        for (to, &from) in shape.sizes.iter_mut().zip(sizes) {
            *to = from;
        }
        shape
    }

    /// Returns a shape from the 32-bit sizes that tensors store.
    #[inline]
    pub(crate) fn from_narrow(sizes: &[u32]) -> Self {
        let mut shape = Shape { rank: sizes.len() as u32, sizes: [0; MAX_RANK] };
        for (to, &from) in shape.sizes.iter_mut().zip(sizes) {
            *to = from as usize;
        }
        shape
    }

    /// Returns whether the shape equals these 32-bit sizes that tensors store.
    #[inline(always)]
    pub(crate) fn is_narrow(&self, rank: usize, sizes: &[u32; MAX_RANK]) -> bool {
        // `min` shows the compiler that no index is out of bounds.
        rank == self.rank()
            && (0..rank.min(MAX_RANK)).all(|axis| sizes[axis] as usize == self.sizes[axis])
    }

    /// Returns the number of elements of a tensor of this shape.
    ///
    /// # Panics
    /// If the number overflows `usize`. A shape may have sizes that no tensor can have.
    #[inline]
    #[track_caller]
    pub fn numel(&self) -> usize {
        let mut product = 1usize;
        for &size in self.iter() {
            match product.checked_mul(size) {
                Some(more) => product = more,
                None if self.contains(&0) => return 0,
                None => too_many_elements(self),
            }
        }
        product
    }

    /// Returns the number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// Returns the shape with one more axis of this size, which becomes axis `axis`.
    ///
    /// # Panics
    /// If `axis` is greater than the number of axes, or the shape has [`MAX_RANK`] axes already.
    #[track_caller]
    pub fn inserted(&self, axis: usize, size: usize) -> Self {
        let rank = self.rank();
        assert!(
            axis <= rank,
            "inserted: position {axis} is out of range for shape {self}: allowed are 0..={rank}"
        );
        let mut sizes: smallvec::SmallVec<[usize; MAX_RANK + 1]> = (**self).into();
        sizes.insert(axis, size);
        Shape::new(&sizes)
    }

    /// Returns the shape without this axis.
    ///
    /// # Panics
    /// If the shape has no such axis.
    #[track_caller]
    pub fn removed(&self, axis: usize) -> Self {
        let rank = self.rank();
        assert!(
            axis < rank,
            "removed: axis {axis} is out of range for shape {self}: allowed are 0..{rank}"
        );
        let mut shape = *self;
        shape.sizes.copy_within(axis + 1.., axis);
        shape.rank -= 1;
        shape
    }

    /// Returns the number of elements along the axes before an axis, its size, and the number along the axes after it.
    pub(crate) fn around(&self, axis: usize) -> [usize; 3] {
        let product = |sizes: &[usize]| sizes.iter().product();
        [product(&self[..axis]), self[axis], product(&self[axis + 1..])]
    }

    /// Returns the shape with another size along one axis.
    ///
    /// # Panics
    /// If the shape has no such axis.
    #[track_caller]
    pub fn with(&self, axis: usize, size: usize) -> Self {
        let rank = self.rank();
        assert!(
            axis < rank,
            "with: axis {axis} is out of range for shape {self}: allowed are 0..{rank}"
        );
        let mut shape = *self;
        shape[axis] = size;
        shape
    }
}

#[cold]
#[track_caller]
fn too_many_axes(sizes: &[usize]) -> ! {
    panic!("a tensor has at most {MAX_RANK} axes, {sizes:?} has {}", sizes.len())
}

#[cold]
#[track_caller]
fn too_many_elements(shape: &Shape) -> ! {
    panic!("numel: shape {shape} has more elements than a tensor can have")
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank as usize]
    }
}
impl DerefMut for Shape {
    #[inline]
    fn deref_mut(&mut self) -> &mut [usize] {
        &mut self.sizes[..self.rank as usize]
    }
}
impl From<&[usize]> for Shape {
    #[track_caller]
    fn from(sizes: &[usize]) -> Self {
        Shape::new(sizes)
    }
}
impl<const N: usize> From<[usize; N]> for Shape {
    #[track_caller]
    fn from(sizes: [usize; N]) -> Self {
        Shape::new(&sizes)
    }
}
impl<const N: usize> From<&[usize; N]> for Shape {
    #[track_caller]
    fn from(sizes: &[usize; N]) -> Self {
        Shape::new(sizes)
    }
}
impl FromIterator<usize> for Shape {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Self {
        Shape::new(&sizes.into_iter().collect::<smallvec::SmallVec<[usize; MAX_RANK]>>())
    }
}
impl PartialEq for Shape {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // A plain loop, because a call of memcmp costs more than comparing at most 8 numbers.
        self.rank == other.rank
            && (0..self.rank()).all(|axis| self.sizes[axis] == other.sizes[axis])
    }
}
impl Eq for Shape {}
impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        **self == *other
    }
}
impl PartialEq<&[usize]> for Shape {
    fn eq(&self, other: &&[usize]) -> bool {
        **self == **other
    }
}
impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        **self == *other
    }
}
impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Strides {
    pub fn new(steps: &[isize]) -> Self {
        let mut strides = Strides { rank: steps.len() as u32, steps: [0; MAX_RANK] };
        strides.steps[..steps.len()].copy_from_slice(steps);
        strides
    }

    /// Returns the strides of a contiguous tensor: the last axis has stride 1, and the stride of each other
    /// axis is the product of the sizes after it.
    pub fn row_major(shape: &[usize]) -> Self {
        let mut strides = Strides { rank: shape.len() as u32, steps: [0; MAX_RANK] };
        let mut step = 1;
        for axis in (0..shape.len()).rev() {
            strides.steps[axis] = step;
            step *= shape[axis] as isize;
        }
        strides
    }

    /// Returns whether elements that follow each other in row-major order are neighbours in memory. The
    /// stride of an axis of size 1 does not matter. A tensor without elements is always contiguous.
    pub fn is_row_major(&self, shape: &[usize]) -> bool {
        let mut step = 1;
        for axis in (0..shape.len()).rev() {
            if shape[axis] != 1 && self.steps[axis] != step {
                return shape.contains(&0);
            }
            step *= shape[axis] as isize;
        }
        true
    }
}

impl Deref for Strides {
    type Target = [isize];
    fn deref(&self) -> &[isize] {
        &self.steps[..self.rank as usize]
    }
}
impl DerefMut for Strides {
    fn deref_mut(&mut self) -> &mut [isize] {
        &mut self.steps[..self.rank as usize]
    }
}

/// Returns the shape to which two shapes broadcast, or `None` if they do not. Axes are matched from the
/// last. The two sizes of a pair must be equal, or one of them must be 1 or missing.
pub fn broadcast_shapes(a: &[usize], b: &[usize]) -> Option<Shape> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut out = Shape::new(long);
    let lead = long.len() - short.len();
    for (o, &s) in out[lead..].iter_mut().zip(short) {
        match (*o, s) {
            (x, y) if x == y => {}
            (1, y) => *o = y,
            (_, 1) => {}
            _ => return None,
        }
    }
    Some(out)
}

/// Returns whether a tensor of shape `small` can be repeated to shape `large`.
pub fn broadcasts_to(small: &[usize], large: &[usize]) -> bool {
    small.len() <= large.len()
        && small.iter().rev().zip(large.iter().rev()).all(|(&s, &l)| s == l || s == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::panics_here;

    #[test]
    fn shapes_broadcast_like_numpy() {
        assert_eq!(broadcast_shapes(&[4, 1], &[3]).unwrap(), [4, 3]);
        assert_eq!(broadcast_shapes(&[], &[2, 0]).unwrap(), [2, 0]);
        assert_eq!(broadcast_shapes(&[1], &[0]).unwrap(), [0]);
        assert!(broadcast_shapes(&[2], &[3]).is_none());
        assert!(broadcasts_to(&[1, 3], &[5, 2, 3]) && !broadcasts_to(&[2], &[1]));
    }

    #[test]
    fn a_product_of_sizes_that_is_too_large_is_none() {
        assert_eq!(product(&[]), Some(1));
        assert_eq!(product(&[3, 0, 5]), Some(0));
        assert_eq!(product(&[MAX_NUMEL]), Some(MAX_NUMEL));
        assert_eq!(product(&[MAX_NUMEL / 2 + 1, 2]), None);
        // 2³² if addresses have 64 bits, 2¹⁶ if they have 32. The product of two does not fit `usize`.
        let half = 1usize << (usize::BITS / 2);
        assert_eq!(product(&[half, 0, half]), None);
        assert_eq!(product(&[0, usize::MAX]), None);
        assert_eq!(Shape::from([usize::MAX, 2, 0]).numel(), 0);
        let why = format!("numel: shape [{half}, {half}] has more elements than a tensor can have");
        panics_here(&why, || {
            Shape::from([half, half]).numel();
        });
    }

    /// Removing an axis of a scalar once made the rank negative.
    #[test]
    fn removing_an_axis_out_of_range_panics() {
        panics_here("removed: axis 0 is out of range for shape []: allowed are 0..0", || {
            let _ = Shape::SCALAR.removed(0);
        });
        panics_here("removed: axis 2 is out of range for shape [3, 4]: allowed are 0..2", || {
            let _ = Shape::from([3, 4]).removed(2);
        });
        assert_eq!(Shape::from([3]).removed(0), Shape::SCALAR);
        panics_here("inserted: position 1 is out of range for shape []: allowed are 0..=0", || {
            let _ = Shape::SCALAR.inserted(1, 5);
        });
        panics_here("with: axis 0 is out of range for shape []: allowed are 0..0", || {
            let _ = Shape::SCALAR.with(0, 5);
        });
    }

    #[test]
    fn row_major_strides_are_recognised() {
        assert!(Strides::row_major(&[2, 3]).is_row_major(&[2, 3]));
        assert!(Strides::new(&[7, 1]).is_row_major(&[1, 3]));
        assert!(!Strides::new(&[1, 2]).is_row_major(&[2, 3]));
        assert!(Strides::new(&[5, 9]).is_row_major(&[0, 3]));
    }
}
