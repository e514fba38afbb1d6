//! Comparisons of integers, exact for all of `i64`. They serve, for example, for padding tokens and
//! correct predictions.

use crate::graph::{Index, IntoIndex, Mask, Op, Tape};
use smallvec::SmallVec;
use wengert_tensor::{Binary, Float, Shape, Tensor, shapes};

mod sealed {
    pub trait Sealed {}
}

/// The other side of a comparison with an [`Index`]: an `Index`, a tensor of integers, or one integer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an index nor an integer",
    label = "expected `Index`, `&Tensor<i64>`, `Tensor<i64>` or an integer"
)]
pub trait IntegerOperand<'t, T: Float>: sealed::Sealed {
    /// Returns the operand as an index on this tape. `op` is the name of the operation in messages.
    #[doc(hidden)]
    fn index_operand(self, op: &str, tape: &'t Tape<T>) -> Index<'t, T>;
}

impl<T: Float> sealed::Sealed for Index<'_, T> {}
impl<'t, T: Float> IntegerOperand<'t, T> for Index<'t, T> {
    #[track_caller]
    fn index_operand(self, op: &str, tape: &'t Tape<T>) -> Index<'t, T> {
        tape.same_tape(op, self.tape);
        self
    }
}
impl sealed::Sealed for &Tensor<i64> {}
impl<'t, T: Float> IntegerOperand<'t, T> for &Tensor<i64> {
    fn index_operand(self, _: &str, tape: &'t Tape<T>) -> Index<'t, T> {
        self.into_index(tape)
    }
}
impl sealed::Sealed for Tensor<i64> {}
impl<'t, T: Float> IntegerOperand<'t, T> for Tensor<i64> {
    fn index_operand(self, _: &str, tape: &'t Tape<T>) -> Index<'t, T> {
        self.into_index(tape)
    }
}
macro_rules! numbers {
    ($($t:ident)*) => { $(
        impl sealed::Sealed for $t {}
        impl<'t, T: Float> IntegerOperand<'t, T> for $t {
            fn index_operand(self, _: &str, tape: &'t Tape<T>) -> Index<'t, T> {
                tape.index(Tensor::scalar_of(i64::from(self)))
            }
        }
    )* };
}
numbers! { i64 i32 u32 u8 }
impl sealed::Sealed for usize {}
impl<'t, T: Float> IntegerOperand<'t, T> for usize {
    #[track_caller]
    fn index_operand(self, op: &str, tape: &'t Tape<T>) -> Index<'t, T> {
        match i64::try_from(self) {
            Ok(number) => number.index_operand(op, tape),
            Err(_) => tape.fail(format!(
                "{op}: {self} is too large for an index: the maximum is {}",
                i64::MAX
            )),
        }
    }
}

/// Returns 1 where the comparison holds, else 0.
pub(crate) fn compare<T: Float>(
    op: Binary,
    a: &Tensor<i64>,
    b: &Tensor<i64>,
    shape: Shape,
) -> Tensor<T> {
    let holds = match op {
        Binary::Gt => a.gt(b),
        Binary::Ge => a.ge(b),
        Binary::Lt => a.lt(b),
        Binary::Le => a.le(b),
        Binary::Eq => a.eq(b),
        Binary::Ne => a.ne(b),
        _ => unreachable!("{op:?} is not a comparison"),
    };
    debug_assert_eq!(holds.shape(), shape);
    holds.cast()
}

impl<T: Float> Tape<T> {
    /// Returns the values of the operands of a node that are integers.
    pub(crate) fn integers_of(&self, id: u32) -> SmallVec<[Tensor<i64>; 2]> {
        let arena = self.arena.borrow();
        let places = arena.parents(id).iter().filter_map(|&p| arena.place_of_integers(p));
        let integers = |place| arena.integers[place as usize].clone().expect("computed before");
        places.map(integers).collect()
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $Op:ident as $method:ident;)*) => {
        /// Comparisons with an index, a tensor of integers or one integer. They return a [`Mask`] and
        /// are exact, unlike comparisons of floats that hold integers.
        ///
        /// ```
        /// use wengert::autograd::Tape;
        /// use wengert::tensor::Tensor;
        /// let tape = Tape::new();
        /// let tokens = tape.index(Tensor::from([[5i64, 7, 0, 0]]));
        /// let scores = tape.watch(Tensor::zeros(&[1, 4]));
        /// let weights = scores.masked_fill(tokens.eq(0), f64::NEG_INFINITY).softmax(1);
        /// assert_eq!(weights.value().to_vec(), [0.5, 0.5, 0.0, 0.0]);
        /// ```
        impl<'t, T: Float> Index<'t, T> { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// If the shapes do not broadcast, or the indices are on different tapes.
            #[track_caller]
            #[allow(clippy::should_implement_trait)] // element by element
            pub fn $method(self, other: impl IntegerOperand<'t, T>) -> Mask<'t, T> {
                self.compared(stringify!($method), Binary::$Op, other)
            }
        )* }
    };
}
comparisons! {
    /// Returns whether a > b, elementwise.
    Gt as gt;
    /// Returns whether a ≥ b, elementwise.
    Ge as ge;
    /// Returns whether a < b, elementwise.
    Lt as lt;
    /// Returns whether a ≤ b, elementwise.
    Le as le;
    /// Returns whether a = b, elementwise.
    Eq as eq;
    /// Returns whether a ≠ b, elementwise.
    Ne as ne;
}

impl<'t, T: Float> Index<'t, T> {
    #[track_caller]
    fn compared(self, name: &str, op: Binary, other: impl IntegerOperand<'t, T>) -> Mask<'t, T> {
        let (tape, other) = (self.tape, other.index_operand(name, self.tape));
        let shape = tape.fits(shapes::broadcast(name, &self.shape(), &other.shape()));
        Mask { tape, id: tape.apply_nodes(Op::Compare(op), &[self.id, other.id], shape) }
    }
}
