//! Variables: `Copy` handles to nodes of a tape.

use super::arena::{ACTIVE, RETAINED};
use super::op::Op;
use super::tape::Tape;
use std::fmt;
use wengert_tensor::{Dtype, Float, Shape, Sizes, Tensor, shapes};

/// A value on a [`Tape`]. Compute with it as with a number: operators, methods, `f64` scalars; no
/// `clone()`, no `?`. Shapes broadcast as in NumPy.
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
    /// The tape it lies on.
    pub fn tape(self) -> &'t Tape<T> {
        self.tape
    }

    /// The sizes of the axes. Never computes anything.
    #[inline]
    pub fn shape(self) -> Shape {
        *self.tape.arena.borrow().shape(self.id)
    }

    /// How many axes it has. Computes nothing.
    pub fn rank(self) -> usize {
        self.shape().rank()
    }

    /// The size of one axis, which may count from the end. Computes nothing.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn size(self, axis: isize) -> usize {
        let shape = self.shape();
        shape[self.fits(shapes::axis("size", axis, &shape))]
    }

    /// How many elements it has. Computes nothing.
    pub fn numel(self) -> usize {
        self.shape().numel()
    }

    /// The type of its elements, that of the tape. Computes nothing.
    pub fn dtype(self) -> Dtype {
        T::DTYPE
    }

    /// The numbers.
    ///
    /// After [`backward`](Var::backward) these can be read: the loss, constants and watched variables,
    /// every variable of at most eight elements, and every variable whose value was asked for before.
    /// A parameter, or a view of one, is read from the model.
    ///
    /// # Panics
    /// On an abstract run, and if `backward` has freed the numbers.
    #[track_caller]
    pub fn value(self) -> Tensor<T> {
        self.tape.note_read();
        self.retained_value()
    }

    /// The numbers, which stay readable. What the engine itself reads is no reading of the program.
    #[track_caller]
    pub(crate) fn retained_value(self) -> Tensor<T> {
        let value = self.tape.force(self.id);
        self.tape.arena.borrow_mut().nodes[self.id as usize].flags |= RETAINED;
        value
    }

    /// The number of a variable that has just one.
    ///
    /// # Panics
    /// If it has several; else as [`value`](Var::value).
    #[track_caller]
    pub fn item(self) -> f64 {
        let shape = self.shape();
        if shape.numel() != 1 {
            self.tape.fail(format!("item: one element wanted, this has shape {shape}"))
        }
        self.value().item().to()
    }

    /// The same value, through which no gradient flows: a constant to derivatives, though it is computed
    /// from others.
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

    /// Whether gradients flow through it: it depends on a watched value or a trainable parameter.
    pub fn is_active(self) -> bool {
        self.tape.arena.borrow().nodes[self.id as usize].has(ACTIVE)
    }

    /// Whether the two are one node of one tape; says nothing about their numbers.
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
    /// A constant with all elements equal; one number in memory, whatever the shape.
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

    /// A constant of zeros.
    #[track_caller]
    pub fn zeros(&self, shape: impl Sizes) -> Var<'_, T> {
        self.filled("zeros", shape, 0.0)
    }

    /// A constant of ones.
    #[track_caller]
    pub fn ones(&self, shape: impl Sizes) -> Var<'_, T> {
        self.filled("ones", shape, 1.0)
    }
}

impl<T: Float> fmt::Debug for Var<'_, T> {
    /// Op, shape, and the value if it is there: printing computes nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({:?}, {}", self.op(), self.shape())?;
        match &self.tape.arena.borrow().values[self.id as usize] {
            Some(value) => write!(f, ", {value})"),
            None => f.write_str(", pending)"),
        }
    }
}
