//! Masks: tensors of booleans on the tape. They select elements and are never differentiated.
//!
//! A mask is a node whose values are 1 and 0. Comparisons, logic and the selected values can therefore
//! be steps of one pointwise program. The type of the handle distinguishes masks from variables. A node
//! whose operation does not tell that it is a mask has the flag `MASK`.

use super::arena::{Arena, MASK};
use super::op::Op;
use super::scope::ScopeResult;
use super::tape::Tape;
use super::var::Var;
use std::fmt;
use wengert_tensor::{Binary, Dtype, Float, Shape, Tensor, Unary};

/// A tensor of booleans on a [`Tape`]. It is the result of a comparison ([`Var::gt`]) or is given
/// ([`Tape::mask`]). [`Var::where_`] and [`Var::masked_fill`] select elements by a mask. No gradient
/// flows through a mask.
///
/// A variable and a mask cannot be multiplied, because 0 · ∞ is NaN, in values and in gradients.
/// `where_` and `masked_fill` replace the elements that are not selected by 0 or another number, even
/// where they are ∞. [`cast`](Mask::cast) returns the numbers 1 and 0, for counting.
///
/// ```
/// use wengert::autograd::{Tape, Var};
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([-2.0, 0.5, 3.0]));
/// let inside = x.ge(-1) & !x.gt(1);
/// assert_eq!(inside.value().to_vec(), [false, true, false]);
/// let y = Var::where_(inside, x.square(), x.abs());
/// assert_eq!(y.value().to_vec(), [2.0, 0.25, 3.0]);
/// assert_eq!(y.sum_all().grad(&[x])[0].value().to_vec(), [-1.0, 1.0, 1.0]);
/// ```
pub struct Mask<'t, T: Float = f32> {
    pub(crate) tape: &'t Tape<T>,
    pub(crate) id: u32,
}
impl<T: Float> Clone for Mask<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Float> Copy for Mask<'_, T> {}

/// A value that can serve as a mask: a [`Mask`], or a tensor of booleans.
///
/// ```
/// use wengert::autograd::{IntoMask, Tape, Var};
/// use wengert::tensor::Tensor;
/// /// Returns the attention weights of the positions that `seen` allows.
/// fn attend<'t>(scores: Var<'t>, seen: impl IntoMask<'t, f32>) -> Var<'t> {
///     let seen = seen.into_mask(scores.tape());
///     scores.masked_fill(!seen, f64::NEG_INFINITY).softmax(-1)
/// }
/// let tape = Tape::new();
/// let scores = tape.watch(Tensor::zeros(&[2, 2]));
/// let weights = attend(scores, Tensor::from([[true, false], [true, true]]));
/// assert_eq!(weights.value(), Tensor::from([[1.0, 0.0], [0.5, 0.5]]));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a condition or a mask",
    label = "expected `Mask`, `&Tensor<bool>` or `Tensor<bool>`",
    note = "convert numbers to a mask with a comparison: `x.ne(0)` is true where x is not zero"
)]
pub trait IntoMask<'t, T: Float> {
    /// Returns the mask on this tape.
    ///
    /// # Panics
    /// If the mask is on another tape.
    fn into_mask(self, tape: &'t Tape<T>) -> Mask<'t, T>;

    /// Returns the tape of the mask, if it is on one.
    #[doc(hidden)]
    fn home(&self) -> Option<&'t Tape<T>> {
        None
    }
}
impl<'t, T: Float> IntoMask<'t, T> for Mask<'t, T> {
    #[track_caller]
    fn into_mask(self, tape: &'t Tape<T>) -> Mask<'t, T> {
        tape.same_tape("mask", self.tape);
        self
    }
    fn home(&self) -> Option<&'t Tape<T>> {
        Some(self.tape)
    }
}
impl<'t, T: Float> IntoMask<'t, T> for &Tensor<bool> {
    fn into_mask(self, tape: &'t Tape<T>) -> Mask<'t, T> {
        tape.mask(self.clone())
    }
}
impl<'t, T: Float> IntoMask<'t, T> for Tensor<bool> {
    fn into_mask(self, tape: &'t Tape<T>) -> Mask<'t, T> {
        tape.mask(self)
    }
}

/// The kind of the value of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// Numbers of the tape's type.
    Number,
    /// Integers, stored in a separate column of the arena.
    Integer,
    /// Numbers of the tape's type, each 1 or 0, that stand for booleans.
    Mask,
}

impl Op {
    /// Returns whether the result is a mask, whatever the operands are.
    pub fn is_comparison(self) -> bool {
        use Binary as B;
        use Unary as U;
        match self {
            Op::Unary(op) => {
                matches!(op, U::Gt(_) | U::Ge(_) | U::Lt(_) | U::Le(_) | U::Eq(_) | U::Ne(_))
            }
            Op::Compare(_) => true,
            Op::Binary(op) => matches!(op, B::Gt | B::Ge | B::Lt | B::Le | B::Eq | B::Ne),
            _ => false,
        }
    }
}

impl<T: Float> Arena<T> {
    /// Returns the kind of the value of this node.
    pub fn kind(&self, id: u32) -> ValueKind {
        let node = &self.nodes[id as usize];
        if node.has(MASK) || node.op.is_comparison() {
            ValueKind::Mask
        } else if self.place_of_integers(id).is_some() {
            ValueKind::Integer
        } else {
            ValueKind::Number
        }
    }
}

impl<T: Float> Tape<T> {
    /// Puts a mask on the tape.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::<f32>::new();
    /// let padding = tape.mask(Tensor::from([false, false, true]));
    /// assert_eq!(padding.not().count(), 2);
    /// ```
    #[allow(clippy::needless_pass_by_value)] // as `index` and `constant`
    pub fn mask(&self, holds: Tensor<bool>) -> Mask<'_, T> {
        self.constant(holds.cast()).marked()
    }

    /// Returns this mask on this tape; `op` is the operation in the message of a refusal.
    #[track_caller]
    pub(crate) fn mask_for<'t>(&'t self, op: &str, mask: impl IntoMask<'t, T>) -> Mask<'t, T> {
        if let Some(home) = mask.home() {
            self.same_tape(op, home);
        }
        mask.into_mask(self)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Returns the result of a comparison as a mask.
    #[inline]
    pub(crate) fn compared(self) -> Mask<'t, T> {
        debug_assert!(self.op().is_comparison(), "{self:?}");
        Mask { tape: self.tape, id: self.id }
    }

    /// Marks a new node of ones and zeros as a mask.
    pub(crate) fn marked(self) -> Mask<'t, T> {
        self.tape.arena.borrow_mut().nodes[self.id as usize].flags |= MASK;
        Mask { tape: self.tape, id: self.id }
    }
}

/// Tape, shape and value.
impl<'t, T: Float> Mask<'t, T> {
    /// Returns the tape of this mask.
    pub fn tape(self) -> &'t Tape<T> {
        self.tape
    }

    /// Returns the sizes of the axes. Computes nothing.
    #[inline]
    pub fn shape(self) -> Shape {
        self.numbers().shape()
    }

    /// Returns the number of axes. Computes nothing.
    pub fn rank(self) -> usize {
        self.shape().rank()
    }

    /// Returns the size of one axis. A negative `axis` counts from the end. Computes nothing.
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn size(self, axis: isize) -> usize {
        self.numbers().size(axis)
    }

    /// Returns the number of elements. Computes nothing.
    pub fn numel(self) -> usize {
        self.shape().numel()
    }

    /// Returns the type of the elements, [`Dtype::Bool`]. Computes nothing.
    pub fn dtype(self) -> Dtype {
        Dtype::Bool
    }

    /// Returns the booleans, and computes them if necessary.
    ///
    /// # Panics
    /// On a shape-only run, or if `backward` has dropped them, as for [`Var::value`].
    #[track_caller]
    pub fn value(self) -> Tensor<bool> {
        self.numbers().value().cast()
    }

    /// Returns the boolean of a mask of one element.
    ///
    /// # Panics
    /// If the mask has several elements, or under the conditions of [`value`](Mask::value).
    #[track_caller]
    pub fn item(self) -> bool {
        self.numbers().item() != 0.0
    }

    /// Returns whether at least one element is true.
    ///
    /// # Panics
    /// Under the conditions of [`value`](Mask::value).
    #[track_caller]
    pub fn is_any(self) -> bool {
        self.value().is_any()
    }

    /// Returns whether every element is true.
    ///
    /// # Panics
    /// Under the conditions of [`value`](Mask::value).
    #[track_caller]
    pub fn is_all(self) -> bool {
        self.value().is_all()
    }

    /// Returns the number of true elements. To count along axes, or on the tape, use
    /// [`cast`](Mask::cast) and [`Var::sum`].
    ///
    /// # Panics
    /// Under the conditions of [`value`](Mask::value).
    #[track_caller]
    pub fn count(self) -> usize {
        self.value().count()
    }

    /// Returns the same node as a variable. Only operations use it: a user must hold a node either
    /// as a mask or as a variable.
    #[inline]
    pub(crate) fn numbers(self) -> Var<'t, T> {
        Var { tape: self.tape, id: self.id }
    }
}

impl<'t, T: Float> ScopeResult<'t, T> for Mask<'t, T> {
    fn each(&self, see: &mut dyn FnMut(Var<'t, T>)) {
        see(self.numbers());
    }
}

impl<T: Float> fmt::Debug for Mask<'_, T> {
    /// Writes the operation, the shape, and the value if it is computed. Computes nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({:?}, {}", self.numbers().op(), self.shape())?;
        match &self.tape.arena.borrow().values[self.id as usize] {
            Some(value) => write!(f, ", {})", value.cast::<bool>()),
            None => f.write_str(", pending)"),
        }
    }
}
