//! Variables: `Copy` handles to nodes of a tape.

use super::arena::{ACTIVE, RETAINED};
use super::op::Op;
use super::tape::Tape;
use std::fmt;
use wengert_tensor::{Dtype, Float, Shape, Sizes, Tensor, shapes};

/// A value on a [`Tape`]. Compute with it as with a number: with operators, methods and `f64` scalars. A
/// `Var` is `Copy`, so no `clone()` is needed, and operations return no `Result`. Shapes broadcast as in
/// NumPy.
///
/// ```
/// # use wengert_autograd::Tape;
/// # use wengert_tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([0.5, -1.0]));
/// let y = (2.0 * x + 1.0).tanh() * x;
/// assert_eq!(y.shape(), [2]);
/// ```
pub struct Var<'t, T: Float = f32> {
    pub(crate) tape: &'t Tape<T>,
    pub(crate) id: u32,
}

impl<T: Float> Clone for Var<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Float> Copy for Var<'_, T> {}

impl<'t, T: Float> Var<'t, T> {
    /// Returns the tape of this variable.
    pub fn tape(self) -> &'t Tape<T> {
        self.tape
    }

    /// Returns the sizes of the axes. Computes nothing.
    #[inline]
    pub fn shape(self) -> Shape {
        *self.tape.arena.borrow().shape(self.id)
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
        let shape = self.shape();
        shape[self.fits(shapes::axis("size", axis, &shape))]
    }

    /// Returns the number of elements. Computes nothing.
    pub fn numel(self) -> usize {
        self.shape().numel()
    }

    /// Returns the type of the elements, which is that of the tape. Computes nothing.
    pub fn dtype(self) -> Dtype {
        T::DTYPE
    }

    /// Returns the value as a tensor, and computes it if necessary.
    ///
    /// After [`backward`](Var::backward) the following values can still be read: the loss, constants and
    /// watched variables, every variable of at most eight elements, and every variable whose value was
    /// requested before. Read a parameter, or a view of one, from the model.
    ///
    /// # Panics
    /// On a shape-only run, or if `backward` has dropped the value.
    #[track_caller]
    pub fn value(self) -> Tensor<T> {
        self.tape.note_read();
        self.retained_value()
    }

    /// Returns the value and keeps it readable. Does not count as a read by the program: the engine uses
    /// it.
    #[track_caller]
    pub(crate) fn retained_value(self) -> Tensor<T> {
        let value = self.tape.force(self.id);
        self.tape.arena.borrow_mut().nodes[self.id as usize].flags |= RETAINED;
        value
    }

    /// Returns the number in a variable of one element.
    ///
    /// # Panics
    /// If the variable has several elements, or under the conditions of [`value`](Var::value).
    #[track_caller]
    pub fn item(self) -> f64 {
        let shape = self.shape();
        if shape.numel() != 1 {
            self.tape.fail(format!("item: the tensor must have one element, it has shape {shape}"))
        }
        self.value().item().to()
    }

    /// Returns a variable with the same value through which no gradient flows. Derivatives treat it as a
    /// constant, although it may be computed from other variables.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([3.0f32]));
    /// let slope = (x * x.detach()).sum_all().grad(&[x])[0];
    /// assert_eq!(slope.value().to_vec(), [3.0]); // not 6
    /// ```
    #[track_caller]
    pub fn detach(self) -> Self {
        self.tape.apply(Op::Detach, &[self], self.shape())
    }

    /// Returns whether gradients flow through this variable: it depends on a watched value or a
    /// trainable parameter.
    pub fn is_active(self) -> bool {
        self.tape.arena.borrow().nodes[self.id as usize].has(ACTIVE)
    }

    /// Returns whether the two are the same node of the same tape. Does not compare values.
    pub fn is(self, other: Self) -> bool {
        std::ptr::eq(self.tape, other.tape) && self.id == other.id
    }

    /// Releases the value: it is dropped as soon as no pending operation reads it, unless a derivative rule reads it
    /// or it was requested with [`value`](Var::value). If something new reads it, it is computed again.
    pub fn release(self) {
        self.tape.arena.borrow_mut().close(self.id);
    }

    pub(crate) fn op(self) -> Op {
        self.tape.arena.borrow().nodes[self.id as usize].op
    }
}

impl<T: Float> Tape<T> {
    /// Returns a constant of this shape with all elements equal to `x`. It stores one number, whatever
    /// the shape.
    #[track_caller]
    pub fn full(&self, shape: impl Sizes, x: f64) -> Var<'_, T> {
        self.filled("full", shape, x)
    }

    #[track_caller]
    fn filled(&self, op: &str, shape: impl Sizes, x: f64) -> Var<'_, T> {
        let shape = self.fits(shape.shape_for(op));
        let value = (!self.is_abstract()).then(|| Tensor::scalar_of(T::of(x)).broadcast_to(shape));
        let id = self.arena.borrow_mut().push_shaped(Op::Fill(x), shape, 0, value);
        self.note(id);
        self.check_given(id, op, None);
        Var { tape: self, id }
    }

    /// Returns a constant of zeros.
    #[track_caller]
    pub fn zeros(&self, shape: impl Sizes) -> Var<'_, T> {
        self.filled("zeros", shape, 0.0)
    }

    /// Returns a constant of ones.
    #[track_caller]
    pub fn ones(&self, shape: impl Sizes) -> Var<'_, T> {
        self.filled("ones", shape, 1.0)
    }
}

impl<T: Float> fmt::Debug for Var<'_, T> {
    /// Writes the operation, the shape, and the value if it is computed. Computes nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({:?}, {}", self.op(), self.shape())?;
        match &self.tape.arena.borrow().values[self.id as usize] {
            Some(value) => write!(f, ", {value})"),
            None => f.write_str(", pending)"),
        }
    }
}
