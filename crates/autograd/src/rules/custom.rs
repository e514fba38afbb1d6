//! Operations of users: a forward computation on tensors and a rule on variables.

use super::call::{Call, Cotangents, Reads};
use crate::graph::{ACTIVE, Op, RETAINED, TINY, Tape, Var};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use wengert_tensor::{Float, Shape, Tensor};

/// What an operation returns: mostly one, `[y].into()`; several are `[y, z].into_iter().collect()`.
pub type Outputs<X> = SmallVec<[X; 1]>;

/// An operation that this crate does not have. Written for `T: Float`, it serves `f32` and `f64`, and the
/// tests of [`testing`](crate::testing), which run in `f64`.
///
/// A value that depends smoothly on the inputs and that the rule reads must be an output: hidden in the
/// operation it would make second derivatives silently wrong.
///
/// ```
/// use std::sync::Arc;
/// use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Tape};
/// use wengert_tensor::{Float, Shape, Tensor};
///
/// struct Cube;
/// impl<T: Float> CustomOp<T> for Cube {
///     fn name(&self) -> &str {
///         "cube"
///     }
///     fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
///         Ok([x[0]].into())
///     }
///     fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
///         [x[0].powi(3)].into()
///     }
///     fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
///         let x = c.x(0);
///         [Some(3.0 * c.gy() * x * x)].into_iter().collect()
///     }
/// }
///
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::scalar(2.0));
/// let y = tape.custom(Arc::new(Cube), &[x])[0];
/// let dy = y.grad(&[x])[0];
/// assert_eq!(dy.item(), 12.0);
/// assert_eq!(dy.grad(&[x])[0].item(), 12.0); // the second derivative is free
/// ```
///
/// With two outputs: polar coordinates. A rule of an operation with several outputs asks for the cotangent
/// of each ([`Call::gy_of`]), which is `None` where nobody uses the output.
///
/// ```
/// use std::sync::Arc;
/// use wengert_autograd::testing::{check_op, spread};
/// use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Reads, Var};
/// use wengert_tensor::{Element, Float, Shape, Tensor};
///
/// struct Polar;
/// impl<T: Float> CustomOp<T> for Polar {
///     fn name(&self) -> &str {
///         "polar"
///     }
///     fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
///         match x {
///             [x, y] if x == y => Ok([*x, *x].into_iter().collect()),
///             x => Err(format!("two values of one shape wanted, got {x:?}")),
///         }
///     }
///     fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
///         let (first, second) = (x[0].to_vec(), x[1].to_vec());
///         // Functions of the standard library are applied to f64: `to` and `of` convert.
///         let angle = |i: usize| T::of(second[i].to().atan2(first[i].to()));
///         let radius = (x[0].square() + x[1].square()).sqrt();
///         [radius, Tensor::from_fn(&x[0].shape(), angle)].into_iter().collect()
///     }
///     // ∂r/∂x = x/r, ∂r/∂y = y/r, ∂θ/∂x = -y/r², ∂θ/∂y = x/r².
///     fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
///         let (x, y, r) = (c.x(0), c.x(1), c.y(0));
///         let sum = |parts: [Option<Var<'t, T>>; 2]| parts.into_iter().flatten().reduce(|a, b| a + b);
///         let (by_r, by_angle) = (c.gy_of(0).map(|g| g / r), c.gy_of(1).map(|g| g / r.square()));
///         let by_x = sum([by_r.map(|g| g * x), by_angle.map(|g| -g * y)]);
///         let by_y = sum([by_r.map(|g| g * y), by_angle.map(|g| g * x)]);
///         [by_x, by_y].into_iter().collect()
///     }
///     fn reads(&self, _arg: usize) -> Reads {
///         Reads::X0.and(Reads::X1).and(Reads::Y0) // the angle is not read
///     }
/// }
///
/// let [x, y] = [1, 2].map(|seed| spread(&[3, 4], &[(0.5, 2.0), (-2.0, -0.5)], seed));
/// check_op("polar", &[x, y], |x| x[0].tape().custom(Arc::new(Polar), x).to_vec()).unwrap();
/// ```
pub trait CustomOp<T: Float>: Send + Sync {
    /// For messages.
    fn name(&self) -> &str;

    /// The shapes of the outputs.
    ///
    /// # Errors
    /// What does not fit, with the shapes and what would mend it.
    fn shapes(&self, inputs: &[Shape]) -> Result<Outputs<Shape>, String>;

    /// The outputs: a pure function of the inputs. The inputs may lie in memory in any way
    /// ([`Tensor::is_contiguous`]); [`Tensor::to_vec`] gives their numbers row by row, and
    /// [`Element::to`](wengert_tensor::Element::to) and [`of`](wengert_tensor::Element::of) convert a number
    /// of the generic type to `f64` and back.
    fn forward(&self, inputs: &[Tensor<T>]) -> Outputs<Tensor<T>>;

    /// The cotangents of the wanted inputs, written in variables: a pure function, called once by each
    /// derivative that passes the operation. It may call [`grad`](Var::grad), and read parameters. Random
    /// numbers are refused; changes of buffers are those of the forward pass, and not made again. A rule
    /// that asks for numbers (`value()`, `item()`) writes what fits these numbers alone: its derivative may
    /// be wrong, and a [replay](Tape::replay) of it is refused.
    fn vjp<'t>(&self, call: &Call<'_, 't, T>) -> Cotangents<'t, T>;

    /// Returns what [`vjp`](CustomOp::vjp) reads for the gradient of this input; default: everything. A
    /// value that no rule reads is released early.
    fn reads(&self, _arg: usize) -> Reads {
        Reads::ALL
    }
}

/// A rule is running: counted among the walks, and taken off also when it panics.
struct Running<'a>(&'a Cell<u32>);
impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<T: Float> Tape<T> {
    /// Applies an operation of the user's; returns its outputs.
    ///
    /// # Panics
    /// If its shape rule refuses the operands, or they are of two tapes.
    #[track_caller]
    pub fn custom<'t>(&'t self, op: Arc<dyn CustomOp<T>>, x: &[Var<'t, T>]) -> Outputs<Var<'t, T>> {
        for v in x {
            self.same_tape(op.name(), v.tape);
        }
        let inputs: SmallVec<[Shape; 4]> = x.iter().map(|v| v.shape()).collect();
        let shapes = match op.shapes(&inputs) {
            Ok(shapes) if shapes.is_empty() => {
                self.fail(format!("{}: an op has one output at least", op.name()))
            }
            Ok(shapes) => shapes,
            Err(why) => self.fail(format!("{}: {why}", op.name())),
        };
        let place = {
            let customs = &mut self.arena.borrow_mut().customs;
            customs.push(op);
            customs.len() as u32 - 1
        };
        self.apply_outputs(Op::Custom(place), x, &shapes)
    }

    /// Calls a user's rule. It may differentiate what it computes: the cotangents that it is given are
    /// active variables of their own until the caller ends that.
    #[track_caller]
    pub(crate) fn custom_vjp<'t>(&'t self, op: Op, call: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let Op::Custom(place) = op else { unreachable!("a user's operation") };
        let rule = self.arena.borrow().customs[place as usize].clone();
        let alias =
            |g: &Option<Var<'t, T>>| g.map(|g| Var { tape: self, id: self.alias(g.id, true) });
        let gy: SmallVec<[Option<Var<'t, T>>; 4]> = call.gy.iter().map(alias).collect();
        self.walks.set(self.walks.get() + 1);
        let _running = Running(&self.walks);
        let inputs = RefCell::new(SmallVec::from_elem(None, call.parents.len()));
        let cotangents = rule.vjp(&Call { gy: &gy, inputs: Some(&inputs), ..*call });
        self.check_cotangents(op, call.parents, call.wanted, &cotangents);
        cotangents
    }

    /// A user's rule is not trusted: one cotangent per input, of its shape and on this tape if it is wanted.
    pub(crate) fn check_cotangents(
        &self,
        op: Op,
        parents: &[u32],
        wanted: &[bool],
        cotangents: &[Option<Var<'_, T>>],
    ) {
        if cotangents.len() > parents.len() {
            self.fail(format!(
                "{}: its rule must return a cotangent for each of its {} inputs, it returned {}",
                self.custom_name(op),
                parents.len(),
                cotangents.len()
            ))
        }
        for (arg, &p) in parents.iter().enumerate().filter(|&(arg, _)| wanted[arg]) {
            let wanted = *self.arena.borrow().shape(p);
            let given = cotangents.get(arg).copied().flatten();
            if let Some(given) = given {
                // On another tape its number would name another node, or none.
                self.same_tape(&self.custom_name(op), given.tape);
            }
            let given = given.map(Var::shape);
            if given != Some(wanted) {
                let given = given.map_or("none".into(), |shape| format!("one of shape {shape}"));
                self.fail(format!(
                    "{}: its rule must return a cotangent of shape {wanted} for input {arg}, it returned {given}",
                    self.custom_name(op)
                ))
            }
        }
    }

    /// A user's kernel is not trusted either: one tensor per declared output, of its shape.
    pub(crate) fn check_outputs(&self, op: Op, first: u32, values: &[Tensor<T>]) {
        let declared: Outputs<Shape> = {
            let arena = self.arena.borrow();
            (first..first + arena.outputs(first) as u32).map(|id| *arena.shape(id)).collect()
        };
        let given: Outputs<Shape> = values.iter().map(Tensor::shape).collect();
        if declared != given {
            self.fail(format!(
                "{}: forward returned shapes {given:?}, its shape rule promised {declared:?}",
                self.custom_name(op)
            ))
        }
    }

    fn custom_name(&self, op: Op) -> String {
        match op {
            Op::Custom(i) => self.arena.borrow().customs[i as usize].name().to_string(),
            op => format!("{op:?}"),
        }
    }

    /// A node for each output, side by side.
    #[track_caller]
    pub(crate) fn apply_outputs<'t>(
        &'t self,
        op: Op,
        x: &[Var<'t, T>],
        shapes: &[Shape],
    ) -> Outputs<Var<'t, T>> {
        let parents: SmallVec<[u32; 4]> = x.iter().map(|v| v.id).collect();
        let first = self.record(op, &parents, shapes[0]);
        {
            let arena = &mut *self.arena.borrow_mut();
            let active = arena.nodes[first as usize].flags & ACTIVE;
            for (i, &shape) in shapes.iter().enumerate().skip(1) {
                arena.shapes.push(shape);
                let shape = arena.shapes.len() as u32 - 1;
                let tiny = arena.shapes[shape as usize].numel() <= TINY;
                // Positions are whole numbers: they are not differentiated, and not computed unasked.
                let whole = matches!(op, Op::MaxPool(_));
                let own = if whole { 0 } else { active | if tiny { RETAINED } else { 0 } };
                arena.push(Op::Output(i as u32), &[first], shape, own, None);
            }
            if active != 0 {
                arena.declare_outputs(op, first);
            }
        }
        if shapes.len() > 1 {
            self.note(first + shapes.len() as u32 - 1);
        }
        self.compute_or_defer(first);
        (0..shapes.len() as u32).map(|i| Var { tape: self, id: first + i }).collect()
    }
}
