//! Shapes, axes, and the two questions asked everywhere: do these shapes broadcast, and is this
//! layout contiguous? Each has one answer, here.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// The most axes a tensor can have.
pub const MAX_RANK: usize = 8;

/// The largest size of an axis.
pub(crate) const MAX_SIZE: usize = u32::MAX as usize;

/// The most elements that a tensor can have: their bytes, eight each, fill half the address space. So
/// numbers of elements, offsets in bytes and steps from element to element can be multiplied, added
/// and negated.
pub(crate) const MAX_NUMEL: usize = isize::MAX as usize / 16;

/// The product of these sizes, if it is at most [`MAX_NUMEL`]. A size of 0 makes the product 0 and
/// hides nothing: strides are products of the sizes behind it.
///
/// Whoever multiplies sizes that no tensor has already asks this function (or, for a rule,
/// [`count`](crate::shapes::count)).
#[inline]
pub(crate) fn product(sizes: &[usize]) -> Option<usize> {
    let (mut all, mut others) = (1usize, 1usize);
    for &size in sizes {
        others = others.checked_mul(size.max(1))?;
        all = all.wrapping_mul(size);
    }
    // Without a zero `all` is `others`; with one it is zero.
    (others <= MAX_NUMEL).then_some(all)
}

/// The sizes of a tensor's axes. `Copy`, inline, read as a slice.
///
/// ```
/// use wengert_tensor::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!(shape.numel(), 6);
/// assert_eq!(shape, [2, 3]);
/// ```
#[derive(Clone, Copy)]
pub struct Shape {
    rank: u32,
    sizes: [usize; MAX_RANK],
}

/// Steps in elements from one index to the next along each axis; they may be zero or negative.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Strides {
    rank: u32,
    steps: [isize; MAX_RANK],
}

impl Shape {
    /// The shape of a scalar: no axes, one element.
    pub const SCALAR: Shape = Shape { rank: 0, sizes: [0; MAX_RANK] };

    /// A shape with these sizes.
    ///
    /// # Panics
    /// With more than [`MAX_RANK`] axes.
    #[inline]
    #[track_caller]
    pub fn new(sizes: &[usize]) -> Self {
        if sizes.len() > MAX_RANK {
            too_many_axes(sizes)
        }
        let mut shape = Shape { rank: sizes.len() as u32, sizes: [0; MAX_RANK] };
        // A plain loop: a call of memcpy costs more than it moves.
        for (to, &from) in shape.sizes.iter_mut().zip(sizes) {
            *to = from;
        }
        shape
    }

    /// A shape from sizes as tensors keep them.
    #[inline]
    pub(crate) fn from_narrow(sizes: &[u32]) -> Self {
        let mut shape = Shape { rank: sizes.len() as u32, sizes: [0; MAX_RANK] };
        for (to, &from) in shape.sizes.iter_mut().zip(sizes) {
            *to = from as usize;
        }
        shape
    }

    /// Whether these are the sizes, as tensors keep them.
    #[inline(always)]
    pub(crate) fn is_narrow(&self, rank: usize, sizes: &[u32; MAX_RANK]) -> bool {
        // Counted to 8 at most, which spares the checks of the indices.
        rank == self.rank()
            && (0..rank.min(MAX_RANK)).all(|axis| sizes[axis] as usize == self.sizes[axis])
    }

    /// How many elements a tensor of this shape has.
    ///
    /// # Panics
    /// If they cannot be counted: a shape may name sizes that no tensor has.
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

    /// How many axes there are.
    #[inline]
    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The same with one more axis of this size in front of position `axis`.
    ///
    /// # Panics
    /// If there is no such position, or there are [`MAX_RANK`] axes already.
    #[track_caller]
    pub fn inserted(&self, axis: usize, size: usize) -> Self {
        let rank = self.rank();
        assert!(
            axis <= rank,
            "inserted: no place {axis} in shape {self}: it has places 0..={rank}"
        );
        let mut sizes: smallvec::SmallVec<[usize; MAX_RANK + 1]> = (**self).into();
        sizes.insert(axis, size);
        Shape::new(&sizes)
    }

    /// The same without this axis.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn removed(&self, axis: usize) -> Self {
        let rank = self.rank();
        assert!(axis < rank, "removed: no axis {axis} in shape {self}: it has axes 0..{rank}");
        let mut shape = *self;
        shape.sizes.copy_within(axis + 1.., axis);
        shape.rank -= 1;
        shape
    }

    /// The same with another size along one axis.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn with(&self, axis: usize, size: usize) -> Self {
        let rank = self.rank();
        assert!(axis < rank, "with: no axis {axis} in shape {self}: it has axes 0..{rank}");
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
    panic!("numel: shape {shape} has more elements than can be counted")
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
        // A plain loop: a call of memcmp costs more than it compares.
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

    /// The last axis runs through neighbours, each axis before it steps over all that follow.
    pub fn row_major(shape: &[usize]) -> Self {
        let mut strides = Strides { rank: shape.len() as u32, steps: [0; MAX_RANK] };
        let mut step = 1;
        for axis in (0..shape.len()).rev() {
            strides.steps[axis] = step;
            step *= shape[axis] as isize;
        }
        strides
    }

    /// Whether elements in reading order are neighbours in memory: axes of size one may step as
    /// they like, and nothing at all is always in order.
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

/// The shape that both broadcast to: axes are matched from the last; each pair is equal, or one of
/// the two is 1 or absent. `None` where they do not fit.
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

/// Whether a tensor of shape `small` can be repeated to shape `large`.
pub fn broadcasts_to(small: &[usize], large: &[usize]) -> bool {
    small.len() <= large.len()
        && small.iter().rev().zip(large.iter().rev()).all(|(&s, &l)| s == l || s == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::panics_here;

    #[test]
    fn broadcasting() {
        assert_eq!(broadcast_shapes(&[4, 1], &[3]).unwrap(), [4, 3]);
        assert_eq!(broadcast_shapes(&[], &[2, 0]).unwrap(), [2, 0]);
        assert_eq!(broadcast_shapes(&[1], &[0]).unwrap(), [0]);
        assert!(broadcast_shapes(&[2], &[3]).is_none());
        assert!(broadcasts_to(&[1, 3], &[5, 2, 3]) && !broadcasts_to(&[2], &[1]));
    }

    #[test]
    fn products_are_counted_or_refused() {
        assert_eq!(product(&[]), Some(1));
        assert_eq!(product(&[3, 0, 5]), Some(0));
        assert_eq!(product(&[MAX_NUMEL]), Some(MAX_NUMEL));
        assert_eq!(product(&[MAX_NUMEL / 2 + 1, 2]), None);
        assert_eq!(product(&[1 << 32, 0, 1 << 32]), None);
        assert_eq!(product(&[0, usize::MAX]), None);
        assert_eq!(Shape::from([usize::MAX, 2, 0]).numel(), 0);
        panics_here(
            "numel: shape [4294967296, 4294967296] has more elements than can be counted",
            || {
                Shape::from([1 << 32, 1 << 32]).numel();
            },
        );
    }

    /// The rank of a scalar went below zero.
    #[test]
    fn what_is_not_there_is_not_removed() {
        panics_here("removed: no axis 0 in shape []: it has axes 0..0", || {
            let _ = Shape::SCALAR.removed(0);
        });
        panics_here("removed: no axis 2 in shape [3, 4]: it has axes 0..2", || {
            let _ = Shape::from([3, 4]).removed(2);
        });
        assert_eq!(Shape::from([3]).removed(0), Shape::SCALAR);
        panics_here("inserted: no place 1 in shape []: it has places 0..=0", || {
            let _ = Shape::SCALAR.inserted(1, 5);
        });
        panics_here("with: no axis 0 in shape []: it has axes 0..0", || {
            let _ = Shape::SCALAR.with(0, 5);
        });
    }

    #[test]
    fn layouts() {
        assert!(Strides::row_major(&[2, 3]).is_row_major(&[2, 3]));
        assert!(Strides::new(&[7, 1]).is_row_major(&[1, 3]));
        assert!(!Strides::new(&[1, 2]).is_row_major(&[2, 3]));
        assert!(Strides::new(&[5, 9]).is_row_major(&[0, 3]));
    }
}
