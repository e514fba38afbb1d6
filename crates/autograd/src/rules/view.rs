//! Views: other arrangements of the same elements, and their adjoints. All are linear, and their rules
//! read only shapes. The family is closed under vjp, except that the adjoint of a broadcast is a sum:
//! slice ↔ unslice, concat ↔ slice.

use crate::graph::{Call, Cotangents, Given, Op, Operand, Order, Var, View, one};
use smallvec::SmallVec;
use wengert_tensor::{Float, Shape, Sizes, Tensor, shapes};

impl View {
    pub fn eval<T: Float>(self, x: &[Tensor<T>], shape: Shape) -> Tensor<T> {
        match self {
            View::BroadcastTo => x[0].broadcast_to(&shape),
            View::Reshape if x[0].shape() == shape => x[0].clone(),
            View::Reshape => x[0].reshape(shape),
            View::Permute(order) => x[0].permute(&order.axes(shape.rank())),
            View::Slice { axis, start, step } => {
                x[0].slice_steps(axis as isize, start as usize, step as isize, shape[axis as usize])
            }
            View::Unslice { axis, start, step } => {
                x[0].unslice(axis as isize, start as usize, step as isize, shape[axis as usize])
            }
            View::Concat { axis } => Tensor::concat(x, axis as isize),
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let (gy, shape) = (c.gy(), c.x_shape(0));
        let viewed = |view| one(gy.view(view, shape));
        match self {
            View::BroadcastTo => one(gy.sum_shape(shape)),
            View::Reshape if gy.shape() == shape => one(gy),
            View::Reshape => viewed(View::Reshape),
            View::Permute(order) => viewed(View::Permute(order.inverse(shape.rank()))),
            View::Slice { axis, start, step } => viewed(View::Unslice { axis, start, step }),
            View::Unslice { axis, start, step } => viewed(View::Slice { axis, start, step }),
            View::Concat { axis } => {
                let mut start = 0;
                let part = |arg: usize| {
                    let size = c.x_shape(arg)[axis as usize];
                    start += size;
                    c.wants(arg).then(|| gy.narrow(axis as isize, start - size, size))
                };
                (0..c.arity()).map(part).collect()
            }
        }
    }
}

/// Axes and layouts. Negative axes count from the end.
impl<'t, T: Float> Var<'t, T> {
    #[inline]
    #[track_caller]
    pub(crate) fn view(self, view: View, shape: Shape) -> Self {
        self.tape.apply(Op::View(view), &[self], shape)
    }

    /// Returns a new node with the same value and shared memory. Operations that do nothing record such
    /// a node. If they returned the operand, two of the user's variables would be one node, and the
    /// gradients by both would be added.
    #[inline]
    pub(crate) fn same(self) -> Self {
        self.view(View::Reshape, self.shape())
    }

    /// Returns this result, or a new node if the result is the operand itself.
    #[inline]
    pub(crate) fn apart_from(self, operand: Self) -> Self {
        if self.is(operand) { self.same() } else { self }
    }

    /// Broadcasts to a larger shape, which the caller has checked. Returns the operand itself if the
    /// shapes are equal. For rules and operands, not for results.
    #[inline]
    pub(crate) fn broadcast_shape(self, shape: Shape) -> Self {
        if self.shape() == shape { self } else { self.view(View::BroadcastTo, shape) }
    }

    /// Broadcasts to a larger shape, by repeating elements.
    ///
    /// # Panics
    /// If the shape of this variable does not broadcast to `shape`.
    #[inline]
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Sizes) -> Self {
        let shape = self.fits(shape.shape_for("broadcast_to"));
        let shape = self.fits(shapes::broadcast_to(&self.shape(), &shape));
        self.broadcast_shape(shape).apart_from(self)
    }

    /// Returns the same elements in another shape. One size may be -1 and is inferred.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::zeros([4, 3, 5]));
    /// let (n, l) = (x.size(0), x.size(1));
    /// assert_eq!(x.reshape((n, l, -1)).shape(), [4, 3, 5]);
    /// assert_eq!(x.reshape([n * l, 5]).shape(), [12, 5]);
    /// assert_eq!(x.reshape(-1).shape(), [60]);
    /// ```
    ///
    /// # Panics
    /// If the numbers of elements differ.
    #[track_caller]
    pub fn reshape(self, shape: impl Sizes) -> Self {
        let shape = self.fits(shapes::reshape(&self.shape(), &shape.sizes()));
        self.view(View::Reshape, shape)
    }

    /// Merges the axes from `start` to `end`, both included, into one axis.
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn flatten(self, start: isize, end: isize) -> Self {
        let shape = self.fits(shapes::flatten(&self.shape(), start, end));
        self.view(View::Reshape, shape)
    }

    /// Permutes the axes: axis i of the result is axis `axes[i]`.
    ///
    /// # Panics
    /// If `axes` does not name every axis once.
    #[track_caller]
    pub fn permute(self, axes: &[isize]) -> Self {
        let shape = self.shape();
        let order = self.fits(shapes::permutation(&shape, axes));
        let permuted = order[..shape.rank()].iter().map(|&axis| shape[axis]).collect();
        self.view(View::Permute(Order(order.map(|axis| axis as u8))), permuted)
    }

    /// Exchanges two axes.
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn transpose(self, a: isize, b: isize) -> Self {
        let shape = self.shape();
        let a = self.fits(shapes::axis("transpose", a, &shape));
        let b = self.fits(shapes::axis("transpose", b, &shape));
        let mut axes: SmallVec<[isize; 8]> = (0..shape.rank() as isize).collect();
        axes.swap(a, b);
        self.permute(&axes)
    }

    /// Exchanges the last two axes: transposes a matrix.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn t(self) -> Self {
        self.fits(shapes::t(&self.shape()));
        self.transpose(-2, -1)
    }

    /// Removes an axis of size 1.
    ///
    /// # Panics
    /// If the axis does not exist, or its size is not 1.
    #[track_caller]
    pub fn squeeze(self, axis: isize) -> Self {
        let shape = self.fits(shapes::squeeze(&self.shape(), axis));
        self.view(View::Reshape, shape)
    }

    /// Inserts an axis of size 1 at this position.
    ///
    /// # Panics
    /// If the position does not exist.
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Self {
        let shape = self.fits(shapes::unsqueeze(&self.shape(), axis));
        self.view(View::Reshape, shape)
    }

    /// Returns the `len` elements from index `start` along an axis.
    ///
    /// # Panics
    /// If the axis does not exist, or the range is not within it.
    #[track_caller]
    pub fn narrow(self, axis: isize, start: usize, len: usize) -> Self {
        let (axis, shape) = self.fits(shapes::narrow(&self.shape(), axis, start, len));
        self.steps("narrow", axis, start, 1, shape)
    }

    /// Returns elements along an axis, as Python's `[start:end:step]`. Negative bounds count from the
    /// end. Bounds outside the axis are moved to its nearest end. `None` is the end of the axis. A
    /// negative step reverses the order.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::arange(0.0, 6.0, 1.0));
    /// assert_eq!(x.slice(0, 1, -1, 2).value().to_vec(), [1.0, 3.0]);
    /// assert_eq!(x.slice(0, None, None, -2).value().to_vec(), [5.0, 3.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist, or the step is 0.
    #[track_caller]
    pub fn slice(
        self,
        axis: isize,
        start: impl Into<Option<isize>>,
        end: impl Into<Option<isize>>,
        step: isize,
    ) -> Self {
        let shape = self.shape();
        let axis = self.fits(shapes::axis("slice", axis, &shape));
        let range = shapes::slice_range(shape[axis], start.into(), end.into(), step);
        let (start, step, len) = self.fits(range);
        self.steps("slice", axis, start, step, shape.with(axis, len))
    }

    /// Returns the elements at `start`, `start + step`, … along an axis. `shape` is the shape of the
    /// result.
    #[track_caller]
    pub(super) fn steps(
        self,
        op: &str,
        axis: usize,
        start: usize,
        step: isize,
        shape: Shape,
    ) -> Self {
        // With at most one element the step is not used. It is set to 1, because it may be too large for
        // 32 bits.
        let (start, step) = match shape[axis] {
            0 => (0, 1),
            1 => (start, 1),
            _ => (start, step),
        };
        let (Ok(start), Ok(step)) = (u32::try_from(start), i32::try_from(step)) else {
            self.tape.fail(format!(
                "{op}: start {start} or step {step} along axis {axis} of shape {} is too large: a \
                 tape stores both in 32 bits",
                self.shape()
            ))
        };
        self.view(View::Slice { axis: axis as u8, start, step }, shape)
    }

    /// Returns zeros of size `size` along an axis, with the elements of this variable from index
    /// `start`.
    #[track_caller]
    fn unslice(self, op: &str, axis: usize, start: usize, size: usize) -> Self {
        let shape = self.shape().with(axis, size);
        let Ok(start) = u32::try_from(start) else {
            self.tape.fail(format!(
                "{op}: {start} elements before axis {axis} of shape {} are too many: a tape \
                 stores their number in 32 bits",
                self.shape()
            ))
        };
        self.view(View::Unslice { axis: axis as u8, start, step: 1 }, shape)
    }

    /// Reverses the order along these axes: `flip(0)`, `flip([0, -1])`.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn flip(self, axes: impl Sizes) -> Self {
        let shape = self.shape();
        let axes = self.fits(shapes::flip(&shape, &axes.sizes()));
        let mut x = self;
        for &axis in &axes {
            x = x.steps("flip", axis, shape[axis].saturating_sub(1), -1, shape);
        }
        x.apart_from(self)
    }

    /// Pads each axis with `(before, after)` elements of a value. The value is a number or a variable of
    /// one element.
    ///
    /// # Panics
    /// If there is not one pair per axis, or if the value has several elements or is on another tape.
    #[track_caller]
    pub fn pad(self, padding: &[(usize, usize)], value: impl Operand<'t, T>) -> Self {
        let shape = self.shape();
        self.fits(shapes::pad(&shape, padding));
        let (number, variable) = match value.operand() {
            Given::Number(c) => (Some(c.nearest::<T>()), None),
            Given::Var(x) => {
                self.tape.same_tape("pad", x.tape);
                let shape = x.shape();
                if shape.numel() != 1 {
                    self.tape
                        .fail(format!("pad: the value must have one element, got shape {shape}"))
                }
                (None, Some(x.reshape(())))
            }
        };
        let mut x = self;
        for (axis, &(before, after)) in padding.iter().enumerate() {
            if (before, after) == (0, 0) {
                continue;
            }
            // `unslice` pads with 0 (but not -0). Other values are concatenated.
            x = if number.is_some_and(|c| c.to_bits() == 0) {
                x.unslice("pad", axis, before, before + shape[axis] + after)
            } else {
                let around = |n: usize| {
                    let shape = x.shape().with(axis, n);
                    match variable {
                        Some(value) => value.broadcast_shape(shape),
                        None => self.tape.full(shape, number.unwrap_or_default()),
                    }
                };
                let parts = [around(before), x, around(after)];
                Var::concat(
                    &parts[usize::from(before == 0)..3 - usize::from(after == 0)],
                    axis as isize,
                )
            };
        }
        x.apart_from(self)
    }

    /// Joins several variables along an axis.
    ///
    /// # Panics
    /// If `parts` is empty, the shapes differ along another axis, or the variables are on different
    /// tapes.
    #[track_caller]
    pub fn concat(parts: &[Self], axis: isize) -> Self {
        let first = parts.first().expect("concat: expected at least one variable, got none");
        for part in parts {
            first.tape.same_tape("concat", part.tape);
        }
        let sizes: SmallVec<[Shape; 4]> = parts.iter().map(|v| v.shape()).collect();
        let (axis, shape) = first.fits(shapes::concat(&sizes, axis));
        first.tape.apply(Op::View(View::Concat { axis: axis as u8 }), parts, shape)
    }

    /// Joins several variables of equal shape along a new axis.
    ///
    /// # Panics
    /// If `parts` is empty, the shapes differ, or the variables are on different tapes.
    #[track_caller]
    pub fn stack(parts: &[Self], axis: isize) -> Self {
        let first = parts.first().expect("stack: expected at least one variable, got none");
        for part in parts {
            first.tape.same_tape("stack", part.tape);
        }
        let sizes: SmallVec<[Shape; 4]> = parts.iter().map(|v| v.shape()).collect();
        first.fits(shapes::stack(&sizes, axis));
        let parts: SmallVec<[Self; 4]> = parts.iter().map(|v| v.unsqueeze(axis)).collect();
        Var::concat(&parts, axis)
    }

    /// Splits an axis into consecutive parts of these sizes.
    ///
    /// # Panics
    /// If the sizes do not add up to the size of the axis.
    #[track_caller]
    pub fn split(self, axis: isize, sizes: &[usize]) -> Vec<Self> {
        let shape = self.shape();
        let axis = self.fits(shapes::split(&shape, axis, sizes));
        let mut start = 0;
        let mut parts = Vec::with_capacity(sizes.len());
        // A loop instead of a closure: a panic then reports the caller's line.
        for &size in sizes {
            parts.push(self.steps("split", axis, start, 1, shape.with(axis, size)));
            start += size;
        }
        parts
    }

    /// Splits an axis into parts of ⌈size / count⌉ indices. The last part may be smaller, and there may
    /// be fewer than `count` parts, as in PyTorch.
    ///
    /// # Panics
    /// If the axis does not exist, or `count` is zero.
    #[track_caller]
    pub fn chunk(self, axis: isize, count: usize) -> Vec<Self> {
        let shape = self.shape();
        let (axis, width) = self.fits(shapes::chunk(&shape, axis, count));
        let mut parts = Vec::new();
        for start in (0..shape[axis].max(1)).step_by(width) {
            let size = width.min(shape[axis] - start);
            parts.push(self.steps("chunk", axis, start, 1, shape.with(axis, size)));
        }
        parts
    }
}
