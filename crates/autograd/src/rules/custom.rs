//! Custom operations: a forward computation on tensors and a derivative rule on variables.

use super::call::{Call, Cotangents, Reads};
use crate::graph::{ACTIVE, Op, RETAINED, TINY, Tape, Var};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use wengert_tensor::{Float, Shape, Tensor};

/// The results of an operation. For one result write `[y].into()`, for several
/// `[y, z].into_iter().collect()`.
pub type Outputs<X> = SmallVec<[X; 1]>;

/// A custom operation. An implementation for `T: Float` serves `f32` and `f64`, and can be tested by the
/// functions of [`testing`](crate::testing), which run in `f64`.
///
/// If the rule reads a value that depends smoothly on the inputs, make that value an output. If the
/// operation stored it internally, second derivatives would be wrong without an error.
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
/// assert_eq!(dy.grad(&[x])[0].item(), 12.0); // the second derivative needs no further rule
/// ```
///
/// The next example has two outputs: polar coordinates. The rule of an operation with several outputs
/// calls [`Call::gy_of`] for the cotangent of each output. It is `None` if the output is not used.
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
    /// Returns the name of the operation, for messages.
    fn name(&self) -> &str;

    /// Returns the shapes of the outputs.
    ///
    /// # Errors
    /// If the inputs do not fit. Name the shapes and how to fix them.
    fn shapes(&self, inputs: &[Shape]) -> Result<Outputs<Shape>, String>;

    /// Computes the outputs. This must be a pure function of the inputs. The inputs may have any memory
    /// layout ([`Tensor::is_contiguous`]). [`Tensor::to_vec`] returns the elements in row-major order.
    /// [`Element::to`](wengert_tensor::Element::to) converts an element of the generic type to `f64`,
    /// and [`of`](wengert_tensor::Element::of) converts back.
    fn forward(&self, inputs: &[Tensor<T>]) -> Outputs<Tensor<T>>;

    /// Computes the cotangents of the wanted inputs from variables. This must be a pure function; each
    /// derivative that passes the operation calls it once. It may call [`grad`](Var::grad) and read
    /// parameters. Random numbers are refused. Buffers are changed by the forward pass only: changes in
    /// a rule have no effect. If the rule requests values (`value()`, `item()`), its result is valid for
    /// these values only: the derivative of the rule may be wrong, and a [replay](Tape::replay) is
    /// refused.
    fn vjp<'t>(&self, call: &Call<'_, 't, T>) -> Cotangents<'t, T>;

    /// Returns the values that [`vjp`](CustomOp::vjp) reads for the gradient of this input. Default: all
    /// inputs and outputs. A value that no rule reads is released early.
    fn reads(&self, _arg: usize) -> Reads {
        Reads::ALL
    }
}

/// Counts a running rule among the walks until it is dropped, also by a panic.
struct Running<'a>(&'a Cell<u32>);
impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<T: Float> Tape<T> {
    /// Applies a custom operation and returns its outputs.
    ///
    /// # Panics
    /// If the operation's shape rule refuses the inputs, or the inputs are on different tapes.
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

    /// Calls the rule of a custom operation. The rule may call `grad` on values that it computes from
    /// its cotangents. The cotangents are therefore passed as separate, active variables, until the
    /// caller deactivates them.
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

    /// Checks the result of a custom rule: a cotangent for each wanted input, with its shape and on this
    /// tape.
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
                // A variable of another tape has a node number that is invalid here.
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

    /// Checks the result of a custom kernel: one tensor per declared output, with its shape.
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

    /// Records a node for each output, one after the other.
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
                // Positions are integers: they are not differentiated, and computed only on demand.
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
