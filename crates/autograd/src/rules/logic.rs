//! Operations on masks, and choices by them: each is recorded as operations on the numbers 1 and 0.

use crate::graph::{Given, IntoIndex, IntoMask, Mask, Op, Operand, Var};
use smallvec::SmallVec;
use std::ops;
use wengert_tensor::{Binary, Float, Opcode, Shape, Sizes, Unary, shapes};

impl<'t, T: Float> Var<'t, T> {
    /// `a` where the condition holds, else `b`, each a variable or a number; the three broadcast. No
    /// gradient reaches the condition. The side that was not chosen gets the gradient 0, even where the
    /// result's is infinite.
    ///
    /// ```
    /// use wengert_autograd::{Tape, Var};
    /// use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([-1.0, 4.0]));
    /// let y = Var::where_(x.gt(0), x.square(), 0);
    /// assert_eq!(y.value().to_vec(), [0.0, 16.0]);
    /// assert_eq!(y.sum_all().grad(&[x])[0].value().to_vec(), [0.0, 8.0]);
    /// ```
    ///
    /// Both sides are computed everywhere. A function whose derivative is infinite where it is not chosen
    /// makes 0 · ∞ = NaN of that gradient 0, so choose its operand, too:
    ///
    /// ```
    /// # use wengert_autograd::{Tape, Var};
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([0.0, 4.0]));
    /// let positive = x.gt(0);
    /// let root = Var::where_(positive, Var::where_(positive, x, 1).sqrt(), 0);
    /// assert_eq!(root.sum_all().grad(&[x])[0].value().to_vec(), [0.0, 0.25]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the variables are of two tapes, or the condition is a tensor and
    /// both sides are numbers, so that nothing is on a tape.
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
                "where_: a tensor and two numbers are on no tape: put the condition on one with \
                 tape.mask(condition)"
            )
        };
        let condition = tape.mask_for("where_", condition);
        let (a, b) = (tape.operand("where_", sides[0]), tape.operand("where_", sides[1]));
        condition.choose("where_", a, b)
    }

    /// `value`, a number or a variable, where the mask holds, `self` elsewhere. All broadcast.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let scores = tape.watch(Tensor::from([[1.0, 1.0, 5.0]]));
    /// let padding = Tensor::from([false, false, true]);
    /// let weights = scores.masked_fill(&padding, f64::NEG_INFINITY).softmax(1);
    /// assert_eq!(weights.value().to_vec(), [0.5, 0.5, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the variables are of two tapes.
    #[track_caller]
    pub fn masked_fill(self, mask: impl IntoMask<'t, T>, value: impl Operand<'t, T>) -> Self {
        let mask = self.tape.mask_for("masked_fill", mask);
        let value = self.tape.operand("masked_fill", value.operand());
        self.fits(shapes::broadcast("masked_fill", &mask.shape(), &self.shape()));
        mask.choose("masked_fill", value, self)
    }
}

/// For rules.
impl<'t, T: Float> Mask<'t, T> {
    /// `gy` where the mask does not hold, else 0 whatever `gy` is: how rules close a gate. A product
    /// with 0 would make NaN of an infinite cotangent.
    #[inline]
    #[track_caller]
    pub(crate) fn gate(self, gy: Var<'t, T>) -> Var<'t, T> {
        self.numbers().binary(Binary::Gate, gy)
    }

    /// `a` where the mask holds, else `b`, on one tape.
    #[track_caller]
    pub(crate) fn choose(self, op: &str, a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
        let tape = self.tape;
        let rule = shapes::select(op, &self.shape(), &a.shape(), &b.shape());
        let shape = a.fits(rule);
        let condition = self.broadcast_shape(shape);
        let operands = [condition.id, a.broadcast_shape(shape).id, b.broadcast_shape(shape).id];
        Var { tape, id: tape.pointwise(Op::Select, Opcode::Select, operands) }
    }

    /// Holds where this one does and the other does not, of one shape: one step.
    #[inline]
    #[track_caller]
    pub(crate) fn and_not(self, other: Self) -> Self {
        self.numbers().binary(Binary::Gt, other.numbers()).compared()
    }

    /// Repeated to a larger shape that fits; itself if the shape is its own. For operands.
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

/// Logic, with broadcasting. The operators `!`, `&`, `|` and `^` do the same.
#[allow(clippy::should_implement_trait)] // they are implemented, too
impl<'t, T: Float> Mask<'t, T> {
    /// Holds where both do. The other is a mask or a tensor of booleans.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the masks are of two tapes.
    #[track_caller]
    pub fn and(self, other: impl IntoMask<'t, T>) -> Self {
        self.logic("and", Binary::Mul, other)
    }

    /// Holds where at least one of the two does. The other is a mask or a tensor of booleans.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the masks are of two tapes.
    #[track_caller]
    pub fn or(self, other: impl IntoMask<'t, T>) -> Self {
        self.logic("or", Binary::Maximum, other)
    }

    /// Holds where just one of the two does. The other is a mask or a tensor of booleans.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the masks are of two tapes.
    #[track_caller]
    pub fn xor(self, other: impl IntoMask<'t, T>) -> Self {
        self.logic("xor", Binary::Ne, other)
    }

    /// Holds where `self` does not.
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

/// Reductions, and the mask as numbers.
impl<'t, T: Float> Mask<'t, T> {
    /// Whether at least one element over these axes holds; all axes if none is named. Of nothing:
    /// false.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, -1.0], [2.0, 3.0]]));
    /// assert_eq!(x.gt(0).any(&[1], false).value().to_vec(), [true, true]);
    /// assert_eq!(x.gt(0).all(&[1], false).value().to_vec(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    #[track_caller]
    pub fn any(self, axes: &[isize], keepdim: bool) -> Self {
        self.tally("any", axes);
        self.numbers().sum(axes, keepdim).ne(0)
    }

    /// Whether every element over these axes holds; all axes if none is named. Of nothing: true.
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    #[track_caller]
    pub fn all(self, axes: &[isize], keepdim: bool) -> Self {
        self.tally("all", axes);
        // A sum of ones and zeros is 0 only if all are, however it is rounded.
        self.not().numbers().sum(axes, keepdim).eq(0)
    }

    /// Refuses axes that are not there, in the name of the method.
    #[track_caller]
    fn tally(self, name: &str, axes: &[isize]) {
        self.numbers().fits(shapes::reduce(name, &self.shape(), axes));
    }

    /// The numbers 1, where the mask holds, and 0, as a variable. Its derivative is zero.
    ///
    /// To leave elements out, do not multiply by it (0 · ∞ is NaN): choose by the mask, with
    /// [`Var::where_`] or [`Var::masked_fill`].
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, -1.0], [2.0, 3.0]]));
    /// assert_eq!(x.gt(0).cast().sum(&[1], false).value().to_vec(), [1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn cast(self) -> Var<'t, T> {
        // A node of its own, which is a number, and a step of a fused program.
        self.numbers().unary(Unary::Shift(0.0))
    }
}

/// Axes and layouts, as of variables ([`Var`]). Axes may count from the end.
impl<'t, T: Float> Mask<'t, T> {
    /// Repeated to a larger shape.
    ///
    /// # Panics
    /// If the shape does not broadcast to the other.
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Sizes) -> Self {
        self.numbers().broadcast_to(shape).marked()
    }

    /// The same elements under another shape; one size may be -1 and is inferred.
    ///
    /// # Panics
    /// If the numbers of elements differ.
    #[track_caller]
    pub fn reshape(self, shape: impl Sizes) -> Self {
        self.numbers().reshape(shape).marked()
    }

    /// The axes from `start` to `end`, both included, as one.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn flatten(self, start: isize, end: isize) -> Self {
        self.numbers().flatten(start, end).marked()
    }

    /// The axes in another order: position i of the result is axis `axes[i]`.
    ///
    /// # Panics
    /// If `axes` does not name every axis once.
    #[track_caller]
    pub fn permute(self, axes: &[isize]) -> Self {
        self.numbers().permute(axes).marked()
    }

    /// Two axes change places.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn transpose(self, a: isize, b: isize) -> Self {
        self.numbers().transpose(a, b).marked()
    }

    /// The last two axes change places.
    ///
    /// # Panics
    /// With fewer than two axes.
    #[track_caller]
    pub fn t(self) -> Self {
        self.numbers().t().marked()
    }

    /// Without this axis of size 1.
    ///
    /// # Panics
    /// If its size is not 1.
    #[track_caller]
    pub fn squeeze(self, axis: isize) -> Self {
        self.numbers().squeeze(axis).marked()
    }

    /// With a new axis of size 1 at this position.
    ///
    /// # Panics
    /// If there is no such position.
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Self {
        self.numbers().unsqueeze(axis).marked()
    }

    /// `len` elements from `start` on along an axis.
    ///
    /// # Panics
    /// If they lie outside.
    #[track_caller]
    pub fn narrow(self, axis: isize, start: usize, len: usize) -> Self {
        self.numbers().narrow(axis, start, len).marked()
    }

    /// Elements along an axis as Python's `[start:end:step]`, as [`Var::slice`].
    ///
    /// # Panics
    /// If there is no such axis, or the step is 0.
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

    /// The order along one axis reversed.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn flip(self, axis: isize) -> Self {
        self.numbers().flip(axis).marked()
    }

    /// Several masks joined along an axis.
    ///
    /// # Panics
    /// If there is none, they differ along another axis, or are of two tapes.
    #[track_caller]
    pub fn concat(parts: &[Self], axis: isize) -> Self {
        let parts: SmallVec<[Var<'t, T>; 4]> = parts.iter().map(|part| part.numbers()).collect();
        Var::concat(&parts, axis).marked()
    }

    /// Several masks of equal shape along a new axis.
    ///
    /// # Panics
    /// If there is none, their shapes differ, or they are of two tapes.
    #[track_caller]
    pub fn stack(parts: &[Self], axis: isize) -> Self {
        let shapes: SmallVec<[Shape; 4]> = parts.iter().map(|part| part.shape()).collect();
        if let Some(first) = parts.first() {
            first.numbers().fits(shapes::stack(&shapes, axis));
        }
        let parts: SmallVec<[Self; 4]> = parts.iter().map(|part| part.unsqueeze(axis)).collect();
        Mask::concat(&parts, axis)
    }

    /// The slices of an axis at these positions, in their order: `y[…, i, …] = x[…, index[i], …]`.
    ///
    /// # Panics
    /// If `index` is no vector, or leads outside.
    #[track_caller]
    pub fn index_select(self, axis: isize, index: impl IntoIndex<'t, T>) -> Self {
        self.numbers().index_select(axis, index).marked()
    }

    /// One element per entry of `index`, chosen along an axis, as [`Var::gather`].
    ///
    /// # Panics
    /// If the shapes do not fit, or an index leads outside.
    #[track_caller]
    pub fn gather(self, axis: isize, index: impl IntoIndex<'t, T>) -> Self {
        self.numbers().gather(axis, index).marked()
    }
}
