//! Joining several tensors into one, splitting one into several, and padding with a constant.

use crate::layout::{Cursor, Shape};
use crate::machine::{Shared, moves, ranges};
use crate::shapes::{self, OrPanic};
use crate::tensor::Element;
use crate::tensor::Operand;
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::slice::from_raw_parts_mut;

/// Reads a tensor in row-major order, piece by piece.
pub(crate) struct Reader<'a, T: Element> {
    tensor: &'a Tensor<T>,
    cursor: Cursor,
    left: usize,
}

impl<'a, T: Element> Reader<'a, T> {
    pub fn new(tensor: &'a Tensor<T>) -> Self {
        Reader { tensor, cursor: Cursor::new(tensor.collapsed(), 0), left: tensor.numel() }
    }

    /// Fills `out` with the next elements.
    #[inline]
    pub fn read(&mut self, out: &mut [T]) {
        assert!(out.len() <= self.left, "no more elements to read");
        self.left -= out.len();
        // SAFETY: the layout is the tensor's, and at least `out.len()` elements are left.
        unsafe { self.cursor.read(self.tensor.ptr(), out) }
    }
}

impl<T: Element> Tensor<T> {
    /// Joins tensors along an existing axis. The sizes of all other axes must be equal.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (x, y) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0, 4.0]]));
    /// assert_eq!(Tensor::concat(&[&x, &y], 0).shape(), [2, 2]);
    /// assert_eq!(Tensor::concat(&[x, y], 1).to_vec(), [1.0, 2.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If `tensors` is empty, the tensors have no such axis, or their sizes differ along another axis.
    #[track_caller]
    pub fn concat<B: Borrow<Self>>(tensors: &[B], axis: isize) -> Self {
        let (at, shape) = shapes::concat(&shapes_of(tensors), axis).or_panic();
        Self::joined(tensors, shape, at)
    }

    /// Joins tensors of the same shape along a new axis, which becomes axis `axis` of the result. -1 makes it
    /// the last axis.
    ///
    /// # Panics
    /// If `tensors` is empty, the shapes differ, or the result has no such axis.
    #[track_caller]
    pub fn stack<B: Borrow<Self>>(tensors: &[B], axis: isize) -> Self {
        let (at, shape) = shapes::stack(&shapes_of(tensors), axis).or_panic();
        Self::joined(tensors, shape, at)
    }

    /// Copies one row of each tensor in turn. A row consists of the elements with the same indices before
    /// `axis`.
    fn joined<B: Borrow<Self>>(tensors: &[B], shape: Shape, axis: usize) -> Self {
        let [outer, ..] = shape.around(axis);
        let mut out = Self::empty(shape);
        if out.numel() == 0 {
            return out;
        }
        let row = out.numel() / outer;
        let numbers = Shared(out.fresh_ptr());
        let mut at = 0;
        for tensor in tensors {
            let tensor = tensor.borrow();
            let (n, width) = (tensor.numel(), tensor.numel() / outer);
            let (layout, elements) = (tensor.collapsed(), Shared(tensor.ptr().cast_mut()));
            let in_order = tensor.is_contiguous();
            ranges(n, moves::<T>(n), 1, |range| {
                if width == 1 && in_order {
                    for line in range {
                        // SAFETY: as below.
                        unsafe { *numbers.get().add(line * row + at) = *elements.get().add(line) };
                    }
                    return;
                }
                let mut cursor = Cursor::new(layout, range.start);
                let mut done = range.start;
                while done < range.end {
                    let (line, within) = (done / width, done % width);
                    let n = (width - within).min(range.end - done);
                    // SAFETY: the part of the line lies within the result, and no other thread writes it. The
                    // layout is the tensor's, and has the elements of the range.
                    unsafe {
                        let to = numbers.get().add(line * row + at + within);
                        let from = elements.get().cast_const();
                        cursor.read(from, from_raw_parts_mut(to, n));
                    }
                    done += n;
                }
            });
            at += width;
        }
        out
    }

    /// Splits an axis into parts of these sizes. The parts are views.
    ///
    /// # Panics
    /// If the tensor has no such axis, or the sum of the sizes is not the size of the axis.
    #[track_caller]
    pub fn split(&self, axis: isize, sizes: &[usize]) -> Vec<Self> {
        let at = shapes::split(&self.shape(), axis, sizes).or_panic();
        let mut start = 0;
        let cut = |&size: &usize| {
            start += size;
            self.narrow(at as isize, start - size, size)
        };
        sizes.iter().map(cut).collect()
    }

    /// Splits an axis into `count` parts of ⌈size / count⌉ indices. The parts are views. As in PyTorch, the
    /// last part may be shorter, and there may be fewer than `count` parts.
    ///
    /// # Panics
    /// If the tensor has no such axis, or `count` is zero.
    #[track_caller]
    pub fn chunk(&self, axis: isize, count: usize) -> Vec<Self> {
        let shape = self.shape();
        let (at, width) = shapes::chunk(&shape, axis, count).or_panic();
        let starts = (0..shape[at].max(1)).step_by(width);
        starts.map(|start| self.narrow(at as isize, start, width.min(shape[at] - start))).collect()
    }

    /// Pads each axis with elements equal to `value`: `padding[i]` is the number of indices added before and
    /// after axis `i`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1i64, 2]]).pad(&[(0, 1), (1, 0)], 9);
    /// assert_eq!(x, Tensor::from([[9, 1, 2], [9, 9, 9]]));
    /// ```
    ///
    /// # Panics
    /// If `padding` does not have one pair per axis, or `value` does not fit the integer type, or `value` is
    /// a tensor that does not have exactly one element.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // numbers and sums are written in place
    pub fn pad(&self, padding: &[(usize, usize)], value: impl Operand<T>) -> Self {
        let value = value.operand().tensor("pad");
        let shape = value.shape();
        assert!(shape.numel() == 1, "pad: the value must have one element, got shape {shape}");
        self.padded(padding, value.item())
    }

    #[track_caller]
    pub(crate) fn padded(&self, padding: &[(usize, usize)], value: T) -> Self {
        let shape = self.shape();
        let mut out = Self::empty(shapes::pad(&shape, padding).or_panic());
        if !out.shape().contains(&0) {
            pad_axis(out.fresh_mut(), &shape, padding, value, &mut Reader::new(self));
        }
        out
    }
}

fn shapes_of<T: Element, B: Borrow<Tensor<T>>>(tensors: &[B]) -> SmallVec<[Shape; 4]> {
    tensors.iter().map(|tensor| tensor.borrow().shape()).collect()
}

/// Fills a part of a padded tensor: the padding of the first axis of `shape`, and between it the rows,
/// each of which is filled by a recursive call for the remaining axes.
fn pad_axis<T: Element>(
    out: &mut [T],
    shape: &[usize],
    padding: &[(usize, usize)],
    value: T,
    reader: &mut Reader<'_, T>,
) {
    let Some(&(before, after)) = padding.first() else {
        return reader.read(out);
    };
    let row = out.len() / (before + shape[0] + after);
    let (front, rest) = out.split_at_mut(before * row);
    let (middle, back) = rest.split_at_mut(shape[0] * row);
    front.fill(value);
    back.fill(value);
    if padding[1..].iter().all(|&pair| pair == (0, 0)) {
        return reader.read(middle);
    }
    for row in middle.chunks_exact_mut(row) {
        pad_axis(row, &shape[1..], &padding[1..], value, reader);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{layouts, naive, panics_here};

    #[test]
    fn concat_and_stack_agree_with_loops() {
        for (name, x) in layouts() {
            let y = x.copied();
            for axis in 0..x.rank() {
                let size = x.shape()[axis];
                let shape = x.shape().with(axis, 2 * size);
                let expected = naive(&shape, |index| {
                    let mut from = index.to_vec();
                    from[axis] %= size;
                    x.at(&from)
                });
                let joined = Tensor::concat(&[&x, &y], axis as isize);
                assert_eq!((joined.shape(), joined.to_vec()), (shape, expected), "{name}");
                let back = joined.split(axis as isize, &[size, size]);
                assert!(
                    back.iter().all(|part| *part == x && part.shares_storage(&joined)),
                    "{name}"
                );
            }
            for axis in 0..=x.rank() {
                let stacked = Tensor::stack(&[&x, &y, &x], axis as isize);
                assert_eq!(stacked.shape(), x.shape().inserted(axis, 3), "{name}");
                for i in 0..3 {
                    let part = stacked.narrow(axis as isize, i, 1).squeeze(axis as isize);
                    assert_eq!(part, x, "{name}");
                }
            }
        }
    }

    #[test]
    fn concat_of_different_widths_agrees_with_loops() {
        let (x, y) = (Tensor::from([[1u8], [2]]), Tensor::from([[3u8, 4], [5, 6]]));
        assert_eq!(Tensor::concat(&[&x, &y], -1), Tensor::from([[1, 3, 4], [2, 5, 6]]));
        assert_eq!(Tensor::concat(&[&x, &y.narrow(1, 0, 0)], 1), x);
        let rows = vec![Tensor::from([true, false]), Tensor::from([false, true])];
        assert_eq!(Tensor::stack(&rows, -1), Tensor::from([[true, false], [false, true]]));
    }

    #[test]
    fn chunks_have_the_sizes_of_pytorch() {
        let sizes = |size: usize, count| -> Vec<usize> {
            Tensor::arange(0.0, size as f64, 1.0)
                .chunk(0, count)
                .iter()
                .map(Tensor::numel)
                .collect()
        };
        assert_eq!(sizes(7, 3), [3, 3, 1]);
        assert_eq!(sizes(6, 4), [2, 2, 2]);
        assert_eq!(sizes(2, 5), [1, 1]);
        assert_eq!(sizes(0, 2), [0]);
    }

    #[test]
    fn pad_agrees_with_loops() {
        for (name, x) in layouts() {
            for padding in [
                [(0, 0); 3],
                [(1, 2), (0, 0), (0, 0)],
                [(0, 1), (2, 0), (1, 1)],
                [(0, 0), (0, 3), (0, 0)],
            ] {
                let padding = &padding[..x.rank()];
                let shape = shapes::pad(&x.shape(), padding).unwrap();
                let expected = naive(&shape, |index| {
                    let from: Option<Vec<usize>> = (index.iter().zip(padding))
                        .zip(x.shape().iter())
                        .map(|((&i, &(before, _)), &n)| i.checked_sub(before).filter(|&i| i < n))
                        .collect();
                    from.map_or(-7.0, |from| x.at(&from))
                });
                let padded = x.pad(padding, -7.0);
                assert_eq!(
                    (padded.shape(), padded.to_vec()),
                    (shape, expected),
                    "{name} {padding:?}"
                );
            }
        }
    }

    #[test]
    fn panics_name_operation_shape_and_caller() {
        let (x, y) = (Tensor::zeros(&[2, 3]), Tensor::zeros(&[3, 2]));
        panics_here(
            "concat: tensor 1 has shape [3, 2], tensor 0 has [2, 3]: only axis 0 may differ",
            || {
                drop(Tensor::concat(&[&x, &y], 0));
            },
        );
        panics_here("concat: expected at least one tensor, got none", || {
            drop(Tensor::<f32>::concat::<Tensor>(&[], 0));
        });
        panics_here("concat: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
            drop(Tensor::concat(&[&x, &x], 2));
        });
        panics_here("stack: expected at least one tensor, got none", || {
            drop(Tensor::<f32>::stack::<Tensor>(&[], 0));
        });
        panics_here(
            "stack: tensor 1 has shape [3, 2], tensor 0 has [2, 3]: all must have the same shape",
            || {
                drop(Tensor::stack(&[&x, &y], 0));
            },
        );
        panics_here(
            "stack: position -4 of a new axis is out of range for shape [2, 3]: allowed are -3..3",
            || {
                drop(Tensor::stack(&[&x], -4));
            },
        );
        panics_here(
            "split: sizes [1, 1] must add up to 3, the size of axis -1 of shape [2, 3]; they add up to 2",
            || {
                drop(x.split(-1, &[1, 1]));
            },
        );
        panics_here("split: axis 5 is out of range for shape [2, 3]: allowed are -2..2", || {
            drop(x.split(5, &[2]));
        });
        panics_here(
            "chunk: the number of pieces must be at least 1 (axis 0 of shape [2, 3])",
            || drop(x.chunk(0, 0)),
        );
        panics_here("chunk: axis 5 is out of range for shape [2, 3]: allowed are -2..2", || {
            drop(x.chunk(5, 1));
        });
        panics_here(
            "pad: got 1 pairs, but a tensor of shape [2, 3] needs 2, one pair (before, after) per axis",
            || drop(x.pad(&[(1, 1)], 0.0)),
        );
    }
}
