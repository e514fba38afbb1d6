//! Values that are put on a tape: constants, watched values, parameters and buffers.

use super::arena::{ACTIVE, TEMPORARY};
use super::bindings::{Binding, Bound};
use super::mode::RunKind;
use super::op::Op;
use super::tape::Tape;
use super::var::Var;
use crate::module::{Buffer, Param};
use wengert_tensor::{Float, Shape, Sizes, Tensor, per_type};

impl<T: Float> Tape<T> {
    /// Puts a value on the tape that is not differentiated, such as data or targets.
    #[inline]
    #[track_caller]
    pub fn constant(&self, value: Tensor<T>) -> Var<'_, T> {
        let x = self.given(Op::Constant, value);
        self.check_given(x.id, "constant", None);
        x
    }

    /// Puts a value on the tape whose gradient can be computed.
    #[inline]
    #[track_caller]
    pub fn watch(&self, value: Tensor<T>) -> Var<'_, T> {
        let x = self.given(Op::Leaf, value);
        self.check_given(x.id, "watch", None);
        x
    }

    /// Returns an operand of a shape-only run: a variable of this shape without a value.
    ///
    /// # Panics
    /// If the tape computes values.
    #[track_caller]
    pub fn input(&self, shape: impl Sizes) -> Var<'_, T> {
        assert!(
            self.is_shape_only(),
            "input: this tape computes values, and an input has only a shape: use constant()"
        );
        let shape = self.fits(shape.shape_for("input"));
        let id = self.arena.borrow_mut().push_shaped(Op::Constant, shape, 0, None);
        Var { tape: self, id }
    }

    /// Returns a temporary constant of the shape of node `like`: dropped as soon as nothing reads it.
    #[inline(always)]
    pub(crate) fn constant_like(&self, value: Tensor<T>, like: u32) -> Var<'_, T> {
        let arena = &mut *self.arena.borrow_mut();
        let shape = arena.nodes[like as usize].shape;
        let id = arena.push(Op::Constant, &[], shape, TEMPORARY, Some(value));
        self.note_own(id);
        Var { tape: self, id }
    }

    #[inline]
    #[track_caller]
    fn given(&self, op: Op, value: Tensor<T>) -> Var<'_, T> {
        let tape = self;
        per_type!(<'t> Tape::given_here as (tape: &'t Tape<T>, op: Op, value: Tensor<T>) -> Var<'t, T>)
    }

    #[track_caller]
    fn given_here(&self, op: Op, value: Tensor<T>) -> Var<'_, T> {
        let mut arena = self.arena.borrow_mut();
        let shape = value.shape();
        let active = op == Op::Leaf && self.recording.get();
        let value = (self.run_kind != RunKind::ShapeOnly).then_some(value);
        let id = arena.push_shaped(op, shape, if active { ACTIVE } else { 0 }, value);
        drop(arena);
        self.note(id);
        Var { tape: self, id }
    }

    /// Returns a constant of this shape with all elements equal to `x`. It stores one number, whatever
    /// the shape.
    #[track_caller]
    pub fn full(&self, shape: impl Sizes, x: f64) -> Var<'_, T> {
        self.filled("full", shape, x)
    }

    #[track_caller]
    fn filled(&self, op: &str, shape: impl Sizes, x: f64) -> Var<'_, T> {
        let shape = self.fits(shape.shape_for(op));
        let value =
            (!self.is_shape_only()).then(|| Tensor::scalar_of(T::of(x)).broadcast_to(shape));
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

/// Parameters and buffers.
impl<T: Float> Tape<T> {
    /// Returns a parameter as a variable. A tape binds each parameter once, so tied weights and unrolled
    /// loops share one leaf. A frozen parameter is a constant: `backward` does no work for it.
    ///
    /// # Panics
    /// If the parameter changed, was frozen or was unfrozen since this tape bound it: the values
    /// computed so far would mix old and new.
    #[track_caller]
    pub fn param(&self, param: &Param<T>) -> Var<'_, T> {
        let tape = self;
        per_type!(<'t, 'a> Tape::param_here as (tape: &'t Tape<T>, param: &'a Param<T>) -> Var<'t, T>)
    }

    #[track_caller]
    fn param_here(&self, param: &Param<T>) -> Var<'_, T> {
        if let Some(node) = self.params.borrow().substitute_of(param.id()) {
            return Var { tape: self, id: node };
        }
        let bound = self.params.borrow().of(param.id());
        let (id, version, frozen) = (param.id(), param.version(), param.frozen());
        if let Some(bound) = bound {
            if (bound.version, bound.is_frozen()) != (version, frozen) {
                let what = match frozen {
                    _ if bound.version != version => "changed",
                    true => "was frozen",
                    false => "was unfrozen",
                };
                self.out_of_date("parameter", param.shape(), what)
            }
            return Var { tape: self, id: bound.node };
        }
        let op = if frozen { Op::Constant } else { Op::Leaf };
        self.bind("param", Bound::Param { id, frozen }, op, param.value(), version)
    }

    /// Returns a buffer as a constant variable. A tape binds each buffer once.
    ///
    /// ```
    /// use wengert::autograd::{Buffer, Tape};
    /// use wengert::tensor::Tensor;
    /// let mean = Buffer::new(Tensor::from([1.0f32, 2.0]));
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([4.0, 4.0]));
    /// assert_eq!((x - tape.buffer(&mean)).value().to_vec(), [3.0, 2.0]);
    /// assert!(tape.buffer(&mean).is(tape.buffer(&mean)));
    /// ```
    ///
    /// # Panics
    /// If the buffer changed since this tape bound it: the values computed so far would mix old and
    /// new.
    #[track_caller]
    pub fn buffer(&self, buffer: &Buffer<T>) -> Var<'_, T> {
        let tape = self;
        per_type!(<'t, 'a> Tape::buffer_here as (tape: &'t Tape<T>, buffer: &'a Buffer<T>) -> Var<'t, T>)
    }

    #[track_caller]
    fn buffer_here(&self, buffer: &Buffer<T>) -> Var<'_, T> {
        let bound = self.params.borrow().of(buffer.id());
        let version = buffer.version();
        let Some(bound) = bound else {
            let of = Bound::Buffer(buffer.id());
            return self.bind("buffer", of, Op::Constant, buffer.value(), version);
        };
        if bound.version != version {
            self.out_of_date("buffer", buffer.shape(), "changed")
        }
        Var { tape: self, id: bound.node }
    }

    /// Puts the value of a parameter or buffer on the tape, when the tape first uses it.
    #[inline]
    #[track_caller]
    fn bind(&self, what: &str, of: Bound, op: Op, value: &Tensor<T>, version: u64) -> Var<'_, T> {
        let var = self.given(op, value.clone());
        self.check_given(var.id, what, Some(of.state()));
        self.params.borrow_mut().push(Binding { of, node: var.id, version });
        var
    }

    #[cold]
    #[track_caller]
    fn out_of_date(&self, kind: &str, shape: Shape, what: &str) -> ! {
        self.fail(format!(
            "a {kind} of shape {shape} {what} after this tape bound it: create a new tape for \
             each step"
        ))
    }
}
