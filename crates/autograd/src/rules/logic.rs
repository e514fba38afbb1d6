//! Operations on masks, and selection by masks. Each is recorded as operations on the numbers 1 and 0.

use crate::graph::{Given, IntoIndex, IntoMask, Mask, Operand, Var};
use smallvec::SmallVec;
use std::ops;
use wengert_tensor::{Binary, Float, Shape, Sizes, Unary, shapes};

impl<'t, T: Float> Var<'t, T> {
    /// Returns `a` where the condition holds, else `b`. Each is a variable or a number, and the three
    /// broadcast. No gradient flows into the condition. The side that was not selected gets the gradient
    /// 0, even where the gradient of the result is infinite.
    ///
    /// ```
    /// use wengert::autograd::{Tape, Var};
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([-1.0, 4.0]));
    /// let y = Var::where_(x.gt(0), x.square(), 0);
    /// assert_eq!(y.value().to_vec(), [0.0, 16.0]);
    /// assert_eq!(y.sum_all().grad(&[x])[0].value().to_vec(), [0.0, 8.0]);
    /// ```
    ///
    /// Both sides are computed everywhere. If a side is a function whose derivative is infinite at an
    /// element that is not selected, the gradient 0 becomes 0 · ∞ = NaN. Select its operand as well:
    ///
    /// ```
    /// use wengert::autograd::{Tape, Var};
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([0.0, 4.0]));
    /// let positive = x.gt(0);
    /// let root = Var::where_(positive, Var::where_(positive, x, 1).sqrt(), 0);
    /// assert_eq!(root.sum_all().grad(&[x])[0].value().to_vec(), [0.0, 0.25]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the variables are on different tapes, or the condition is a
    /// tensor and both sides are numbers, so that there is no tape.
    #[track_caller]
    pub fn where_(
        condition: impl IntoMask<'t, T>,
        a: impl Operand<'t, T>,
        b: impl Operand<'t, T>,
    ) -> Self {
        let sides = [a.operand(), b.operand()];
        let of = |side: &Given<'t, T>| match side {
            Given::Var(x) => Some(x.tape),
            Given::Number(_) => None,
        };
        let Some(tape) = condition.home().or_else(|| sides.iter().find_map(of)) else {
            panic!(
                "where_: no operand is on a tape: put the condition on a tape with \
                 tape.mask(condition)"
            )
        };
        let condition = tape.mask_for("where_", condition);
        let (a, b) = (tape.operand("where_", sides[0]), tape.operand("where_", sides[1]));
        condition.choose("where_", a, b)
    }

    /// Returns `value` where the mask is true, and `self` elsewhere. `value` is a number or a variable.
    /// All broadcast.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let scores = tape.watch(Tensor::from([[1.0, 1.0, 5.0]]));
    /// let padding = Tensor::from([false, false, true]);
    /// let weights = scores.masked_fill(&padding, f64::NEG_INFINITY).softmax(1);
    /// assert_eq!(weights.value().to_vec(), [0.5, 0.5, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the variables are on different tapes.
    #[track_caller]
    pub fn masked_fill(self, mask: impl IntoMask<'t, T>, value: impl Operand<'t, T>) -> Self {
        let mask = self.tape.mask_for("masked_fill", mask);
        let value = self.tape.operand("masked_fill", value.operand());
        self.fits(shapes::broadcast("masked_fill", &mask.shape(), &self.shape()));
        mask.choose("masked_fill", value, self)
    }

    /// Returns whether at least one element is not zero, over axes or, if `axes` is empty, over all. NaN is
    /// not zero.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn any(self, axes: &[isize], keepdim: bool) -> Mask<'t, T> {
        self.ne(0).any(axes, keepdim)
    }

    /// Returns whether no element is zero, over axes or, if `axes` is empty, over all. NaN is not zero.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn all(self, axes: &[isize], keepdim: bool) -> Mask<'t, T> {
        self.ne(0).all(axes, keepdim)
    }
}

/// Methods for derivative rules.
impl<'t, T: Float> Mask<'t, T> {
    /// Returns `gy` where the mask is false, and 0 where it is true, even if `gy` is infinite. Rules use
    /// it to close gates. A product with 0 would turn an infinite cotangent into NaN.
    #[inline]
    #[track_caller]
    pub(crate) fn gate(self, gy: Var<'t, T>) -> Var<'t, T> {
        self.numbers().binary(Binary::Gate, gy)
    }

    /// Returns `a` where the mask is true, else `b`. All are on one tape.
    #[track_caller]
    pub(crate) fn choose(self, op: &str, a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
        let tape = self.tape;
        let rule = shapes::select(op, &self.shape(), &a.shape(), &b.shape());
        let shape = a.fits(rule);
        let condition = self.broadcast_shape(shape);
        let operands = [condition.id, a.broadcast_shape(shape).id, b.broadcast_shape(shape).id];
        Var { tape, id: tape.select(operands) }
    }

    /// Returns true where `self` is true and `other` is false, in one operation. The shapes are equal.
    #[inline]
    #[track_caller]
    pub(crate) fn and_not(self, other: Self) -> Self {
        self.numbers().binary(Binary::Gt, other.numbers()).compared()
    }

    /// Broadcasts to a larger shape, which the caller has checked. Returns the mask itself if the shapes
    /// are equal. For operands.
    #[inline]
    fn broadcast_shape(self, shape: Shape) -> Self {
        if self.shape() == shape { self } else { self.numbers().broadcast_shape(shape).marked() }
    }

    #[track_caller]
    fn logic(self, name: &str, op: Binary, other: impl IntoMask<'t, T>) -> Self {
        let (mut a, mut b) = (self, self.tape.mask_for(name, other));
        if a.shape() != b.shape() {
            let rule = shapes::broadcast(name, &a.shape(), &b.shape());
            let shape = a.numbers().fits(rule);
            (a, b) = (a.broadcast_shape(shape), b.broadcast_shape(shape));
        }
        a.numbers().binary(op, b.numbers()).marked()
    }
}

/// Logic, with broadcasting. The operators `!`, `&`, `|` and `^` are equivalent.
#[allow(clippy::should_implement_trait)] // they are implemented, too
impl<'t, T: Float> Mask<'t, T> {
    /// Returns true where both are true. `other` is a mask or a tensor of booleans.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the masks are on different tapes.
    #[track_caller]
    pub fn and(self, other: impl IntoMask<'t, T>) -> Self {
        self.logic("and", Binary::Mul, other)
    }

    /// Returns true where at least one of the two is true. `other` is a mask or a tensor of booleans.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the masks are on different tapes.
    #[track_caller]
    pub fn or(self, other: impl IntoMask<'t, T>) -> Self {
        self.logic("or", Binary::Maximum, other)
    }

    /// Returns true where exactly one of the two is true. `other` is a mask or a tensor of booleans.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the masks are on different tapes.
    #[track_caller]
    pub fn xor(self, other: impl IntoMask<'t, T>) -> Self {
        self.logic("xor", Binary::Ne, other)
    }

    /// Returns true where `self` is false.
    #[inline]
    #[track_caller]
    pub fn not(self) -> Self {
        self.numbers().unary(Unary::Eq(0.0)).compared()
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident as $name:ident;)*) => { $(
        impl<'t, T: Float, M: IntoMask<'t, T>> ops::$Trait<M> for Mask<'t, T> {
            type Output = Mask<'t, T>;
            #[track_caller]
            fn $method(self, other: M) -> Self {
                self.$name(other)
            }
        }
    )* };
}
operators! {
    BitAnd bitand as and;
    BitOr bitor as or;
    BitXor bitxor as xor;
}
impl<'t, T: Float> ops::Not for Mask<'t, T> {
    type Output = Mask<'t, T>;
    #[track_caller]
    fn not(self) -> Self {
        Mask::not(self)
    }
}

/// Reductions, and conversion to numbers.
impl<'t, T: Float> Mask<'t, T> {
    /// Returns whether at least one element is true, over these axes or, if `axes` is empty, over all.
    /// The result is false for an empty axis.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, -1.0], [2.0, 3.0]]));
    /// assert_eq!(x.gt(0).any(&[1], false).value().to_vec(), [true, true]);
    /// assert_eq!(x.gt(0).all(&[1], false).value().to_vec(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn any(self, axes: &[isize], keepdim: bool) -> Self {
        self.tally("any", axes);
        self.numbers().sum(axes, keepdim).ne(0)
    }

    /// Returns whether every element is true, over these axes or, if `axes` is empty, over all. The
    /// result is true for an empty axis.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn all(self, axes: &[isize], keepdim: bool) -> Self {
        self.tally("all", axes);
        // A sum of ones and zeros is 0 only if all terms are 0, whatever the rounding.
        self.not().numbers().sum(axes, keepdim).eq(0)
    }

    /// Refuses axes that do not exist, with the name of the method in the message.
    #[track_caller]
    fn tally(self, name: &str, axes: &[isize]) {
        self.numbers().fits(shapes::reduce(name, &self.shape(), axes));
    }

    /// Returns a variable that is 1 where the mask is true and 0 elsewhere. Its derivative is zero.
    ///
    /// To leave elements out, do not multiply by this variable (0 · ∞ is NaN): select with
    /// [`Var::where_`] or [`Var::masked_fill`].
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, -1.0], [2.0, 3.0]]));
    /// assert_eq!(x.gt(0).cast().sum(&[1], false).value().to_vec(), [1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn cast(self) -> Var<'t, T> {
        // The result needs a node without the flag `MASK`. A shift by 0 can be fused.
        self.numbers().unary(Unary::Shift(0.0))
    }
}

/// Axes and layouts, as for variables ([`Var`]). Negative axes count from the end.
impl<'t, T: Float> Mask<'t, T> {
    /// Broadcasts to a larger shape, by repeating elements.
    ///
    /// # Panics
    /// If the shape of this mask does not broadcast to `shape`.
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Sizes) -> Self {
        self.numbers().broadcast_to(shape).marked()
    }

    /// Returns the same elements in another shape. One size may be -1 and is inferred.
    ///
    /// # Panics
    /// If the numbers of elements differ.
    #[track_caller]
    pub fn reshape(self, shape: impl Sizes) -> Self {
        self.numbers().reshape(shape).marked()
    }

    /// Merges the axes from `start` to `end`, both included, into one axis.
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn flatten(self, start: isize, end: isize) -> Self {
        self.numbers().flatten(start, end).marked()
    }

    /// Permutes the axes: axis i of the result is axis `axes[i]`.
    ///
    /// # Panics
    /// If `axes` does not name every axis once.
    #[track_caller]
    pub fn permute(self, axes: &[isize]) -> Self {
        self.numbers().permute(axes).marked()
    }

    /// Exchanges two axes.
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn transpose(self, a: isize, b: isize) -> Self {
        self.numbers().transpose(a, b).marked()
    }

    /// Exchanges the last two axes.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn t(self) -> Self {
        self.numbers().t().marked()
    }

    /// Removes an axis of size 1.
    ///
    /// # Panics
    /// If the axis does not exist, or its size is not 1.
    #[track_caller]
    pub fn squeeze(self, axis: isize) -> Self {
        self.numbers().squeeze(axis).marked()
    }

    /// Inserts an axis of size 1 at this position.
    ///
    /// # Panics
    /// If the position does not exist.
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Self {
        self.numbers().unsqueeze(axis).marked()
    }

    /// Returns the `len` elements from index `start` along an axis.
    ///
    /// # Panics
    /// If the axis does not exist, or the range is not within it.
    #[track_caller]
    pub fn narrow(self, axis: isize, start: usize, len: usize) -> Self {
        self.numbers().narrow(axis, start, len).marked()
    }

    /// Returns elements along an axis, as Python's `[start:end:step]` and [`Var::slice`].
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
        self.numbers().slice(axis, start, end, step).marked()
    }

    /// Reverses the order along these axes: `flip(0)`, `flip([0, -1])`.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn flip(self, axes: impl Sizes) -> Self {
        self.numbers().flip(axes).marked()
    }

    /// Joins several masks along an axis.
    ///
    /// # Panics
    /// If `parts` is empty, the shapes differ along another axis, or the masks are on different tapes.
    #[track_caller]
    pub fn concat(parts: &[Self], axis: isize) -> Self {
        let parts: SmallVec<[Var<'t, T>; 4]> = parts.iter().map(|part| part.numbers()).collect();
        Var::concat(&parts, axis).marked()
    }

    /// Joins several masks of equal shape along a new axis.
    ///
    /// # Panics
    /// If `parts` is empty, the shapes differ, or the masks are on different tapes.
    #[track_caller]
    pub fn stack(parts: &[Self], axis: isize) -> Self {
        let parts: SmallVec<[Var<'t, T>; 4]> = parts.iter().map(|part| part.numbers()).collect();
        Var::stack(&parts, axis).marked()
    }

    /// Returns the slices of an axis at these indices, in the order of `index`:
    /// `y[…, i, …] = x[…, index[i], …]`. If `index` has several axes, they replace the axis.
    ///
    /// # Panics
    /// If `index` has no axes, or an index is out of range.
    #[track_caller]
    pub fn index_select(self, axis: isize, index: impl IntoIndex<'t, T>) -> Self {
        self.numbers().index_select(axis, index).marked()
    }

    /// Returns one element along an axis for each entry of `index`, as [`Var::gather`].
    ///
    /// # Panics
    /// If the shapes do not fit, or an index is out of range.
    #[track_caller]
    pub fn gather(self, axis: isize, index: impl IntoIndex<'t, T>) -> Self {
        self.numbers().gather(axis, index).marked()
    }
}
