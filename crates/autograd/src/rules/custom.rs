//! Custom operations: a forward computation on tensors and a derivative rule on variables.

use super::call::{Call, Reads};
use super::lists::{Cotangents, Outputs};
use crate::graph::{ACTIVE, Index, Op, RELEASED, RETAINED, SAVED, TINY, Tape, Var};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::Arc;
use wengert_tensor::{Float, Shape, Tensor};

/// A custom operation: a forward computation on tensors, and a rule for its derivatives. An
/// implementation for `T: Float` works for `f32` and `f64`, and can be tested with the functions of
/// [`testing`](crate::testing), which compute in `f64`.
///
/// If the rule reads a value that depends smoothly on the inputs, make that value an output. If the
/// operation stored it internally, second derivatives would be wrong without an error.
///
/// ```
/// use std::sync::Arc;
/// use wengert::autograd::{Call, Cotangents, CustomOp, Outputs, Tape};
/// use wengert::tensor::{Float, Shape, Tensor};
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
///         [Some(3.0 * c.gy() * x * x)].into()
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
/// use wengert::autograd::testing::{check_op, spread};
/// use wengert::autograd::{Call, Cotangents, CustomOp, Outputs, Reads, Var};
/// use wengert::tensor::{Element, Float, Shape, Tensor};
///
/// struct Polar;
/// impl<T: Float> CustomOp<T> for Polar {
///     fn name(&self) -> &str {
///         "polar"
///     }
///     fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
///         match x {
///             [x, y] if x == y => Ok([*x, *x].into()),
///             x => Err(format!("expected two values of one shape, got {x:?}")),
///         }
///     }
///     fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
///         let (first, second) = (x[0].to_vec(), x[1].to_vec());
///         // Functions of the standard library are applied to f64: `to` and `of` convert.
///         let angle = |i: usize| T::of(second[i].to().atan2(first[i].to()));
///         let radius = (x[0].square() + x[1].square()).sqrt();
///         [radius, Tensor::from_fn(&x[0].shape(), angle)].into()
///     }
///     // ∂r/∂x = x/r, ∂r/∂y = y/r, ∂θ/∂x = -y/r², ∂θ/∂y = x/r².
///     fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
///         let (x, y, r) = (c.x(0), c.x(1), c.y(0));
///         let sum = |parts: [Option<Var<'t, T>>; 2]| parts.into_iter().flatten().reduce(|a, b| a + b);
///         let (by_r, by_angle) = (c.gy_of(0).map(|g| g / r), c.gy_of(1).map(|g| g / r.square()));
///         let by_x = sum([by_r.map(|g| g * x), by_angle.map(|g| -g * y)]);
///         let by_y = sum([by_r.map(|g| g * y), by_angle.map(|g| g * x)]);
///         [by_x, by_y].into()
///     }
///     fn reads(&self, _arg: usize) -> Reads {
///         Reads::X0.and(Reads::X1).and(Reads::Y0) // the angle is not read
///     }
/// }
///
/// let [x, y] = [1, 2].map(|seed| spread(&[3, 4], &[(0.5, 2.0), (-2.0, -0.5)], seed));
/// check_op("polar", &[x, y], |x| x[0].tape().custom(Arc::new(Polar), x).to_vec()).unwrap();
/// ```
///
/// The last example has an output of integers. It returns the sorted vector and, for each of its
/// elements, the position in the input. An output of integers is an [`Index`]. It has no derivative, and
/// the rule reads it with [`Call::y_index`].
///
/// ```
/// use std::sync::Arc;
/// use wengert::autograd::{Call, Cotangents, CustomOp, Outputs, Reads, Tape};
/// use wengert::tensor::{Float, Shape, Tensor};
///
/// fn positions<T: Float>(x: &Tensor<T>) -> Tensor<i64> {
///     let x = x.to_vec();
///     let mut order: Vec<usize> = (0..x.len()).collect();
///     order.sort_by(|&a, &b| x[a].to().total_cmp(&x[b].to()));
///     Tensor::from_fn(&[x.len()], |i| order[i] as i64)
/// }
///
/// struct Sort;
/// impl<T: Float> CustomOp<T> for Sort {
///     fn name(&self) -> &str {
///         "sort"
///     }
///     fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
///         match x {
///             [x] if x.rank() == 1 => Ok([*x].into()),
///             x => Err(format!("expected one vector, got {x:?}")),
///         }
///     }
///     fn forward(&self, x: &[Tensor<T>]) -> Outputs<Tensor<T>> {
///         [x[0].index_select(0, &positions(&x[0]))].into()
///     }
///     fn index_shapes(&self, x: &[Shape]) -> Outputs<Shape> {
///         [x[0]].into()
///     }
///     fn forward_with_indices(&self, x: &[Tensor<T>]) -> (Outputs<Tensor<T>>, Outputs<Tensor<i64>>) {
///         (self.forward(x), [positions(&x[0])].into())
///     }
///     fn vjp<'t>(&self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
///         // Each cotangent goes back to the position from which its element came.
///         [Some(c.tape().zeros(&c.x_shape(0)).scatter_add(0, c.y_index(0), c.gy()))].into()
///     }
///     fn reads(&self, _arg: usize) -> Reads {
///         Reads::Y1 // the index outputs follow the others
///     }
/// }
///
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([3.0, 1.0, 2.0]));
/// let (sorted, order) = tape.custom_with_indices(Arc::new(Sort), &[x]);
/// assert_eq!(order[0].value().to_vec(), [1, 2, 0]);
/// let loss = (sorted[0] * tape.constant(Tensor::from([10.0, 20.0, 30.0]))).sum_all();
/// assert_eq!(loss.backward().wrt(x).unwrap().to_vec(), [30.0, 10.0, 20.0]);
/// ```
pub trait CustomOp<T: Float>: Send + Sync {
    /// Returns the name of the operation, for messages.
    fn name(&self) -> &str;

    /// Returns the shapes of the outputs. At least one is needed.
    ///
    /// # Errors
    /// If the operation does not accept these shapes. The message should name the shapes and say how to fix
    /// them.
    fn shapes(&self, inputs: &[Shape]) -> Result<Outputs<Shape>, String>;

    /// Computes the outputs. They must depend on the inputs only. The inputs may have any memory
    /// layout ([`Tensor::is_contiguous`]). [`Tensor::to_vec`] returns the elements in row-major order.
    /// [`Element::to`](wengert_tensor::Element::to) converts an element of the generic type to `f64`,
    /// and [`of`](wengert_tensor::Element::of) converts back.
    fn forward(&self, inputs: &[Tensor<T>]) -> Outputs<Tensor<T>>;

    /// Returns the shapes of the index outputs: integers without a derivative, such as positions. The
    /// index outputs follow the outputs of [`shapes`](CustomOp::shapes). This method is called after
    /// `shapes` has accepted the inputs. Default: no index outputs.
    fn index_shapes(&self, _inputs: &[Shape]) -> Outputs<Shape> {
        [].into()
    }

    /// Computes the outputs together with the index outputs. This method is called instead of
    /// [`forward`](CustomOp::forward) when an index output is needed. An operation with index outputs
    /// must implement it.
    fn forward_with_indices(
        &self,
        inputs: &[Tensor<T>],
    ) -> (Outputs<Tensor<T>>, Outputs<Tensor<i64>>) {
        (self.forward(inputs), [].into())
    }

    /// Computes the cotangents of the wanted inputs from variables. The rule must be a pure function.
    /// Each derivative that passes the operation calls the rule once. The rule may call
    /// [`grad`](Var::grad) and read parameters. Random numbers are refused. Only the forward pass changes
    /// buffers: changes in a rule have no effect. If the rule requests values (`value()`, `item()`), its
    /// result is valid for these values only: the derivative of the rule may be wrong, and a
    /// [replay](Tape::replay) is refused.
    fn vjp<'t>(&self, call: &Call<'_, 't, T>) -> Cotangents<'t, T>;

    /// Returns the values that [`vjp`](CustomOp::vjp) reads for the gradient of this input. Default: all
    /// inputs and outputs. A value that no rule reads is released early.
    fn reads(&self, _arg: usize) -> Reads {
        Reads::ALL
    }
}

/// A custom operation that was applied: an entry in the tape's table.
pub(crate) struct CustomCall<T: Float> {
    pub op: Arc<dyn CustomOp<T>>,
    /// The number of outputs that are not indices. The index outputs follow them.
    pub numbers: u32,
    /// The place of the first index output in the column of integers.
    pub first_whole: u32,
    /// The line that applied the operation, for messages.
    applied_at: &'static Location<'static>,
}

impl<T: Float> Clone for CustomCall<T> {
    fn clone(&self) -> Self {
        CustomCall { op: self.op.clone(), ..*self }
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
    /// Applies a custom operation and returns its outputs, without index outputs.
    ///
    /// # Panics
    /// If the operation's shape rule refuses the inputs, the inputs are on different tapes, or the
    /// results of the operation do not have the declared shapes.
    #[track_caller]
    pub fn custom<'t>(&'t self, op: Arc<dyn CustomOp<T>>, x: &[Var<'t, T>]) -> Outputs<Var<'t, T>> {
        self.custom_with_indices(op, x).0
    }

    /// Applies a custom operation and returns its outputs and its
    /// [index outputs](CustomOp::index_shapes).
    ///
    /// # Panics
    /// Under the conditions of [`custom`](Tape::custom).
    #[track_caller]
    pub fn custom_with_indices<'t>(
        &'t self,
        op: Arc<dyn CustomOp<T>>,
        x: &[Var<'t, T>],
    ) -> (Outputs<Var<'t, T>>, Outputs<Index<'t, T>>) {
        for v in x {
            self.same_tape(op.name(), v.tape);
        }
        let inputs: SmallVec<[Shape; 4]> = x.iter().map(|v| v.shape()).collect();
        let mut shapes = match op.shapes(&inputs) {
            Ok(shapes) if shapes.is_empty() => self.fail(format!(
                "{}: `shapes` returned no outputs: an operation needs at least one output that is not \
                 an index",
                op.name()
            )),
            Ok(shapes) => shapes.0,
            Err(why) => self.fail(format!("{}: {why}", op.name())),
        };
        let numbers = shapes.len() as u32;
        shapes.extend(op.index_shapes(&inputs));
        let (all, applied_at) = (shapes.len() as u32, Location::caller());
        let place = {
            let arena = &mut *self.arena.borrow_mut();
            let first_whole = arena.wholes.len() as u32;
            arena.wholes.extend((numbers..all).map(|_| None));
            arena.customs.push(CustomCall { op, numbers, first_whole, applied_at });
            arena.customs.len() as u32 - 1
        };
        let first = self.apply_outputs(Op::Custom(place), x, &shapes, numbers);
        let outputs = (first..first + numbers).map(|id| Var { tape: self, id });
        let indices = (first + numbers..first + all).map(|id| Index { tape: self, id });
        (outputs.collect(), indices.collect())
    }

    /// Computes the outputs of a custom operation whose first output is the node `first`, and stores its
    /// index outputs if one of them is needed. The requested node is `id`.
    #[track_caller]
    pub(crate) fn run_custom(
        &self,
        place: u32,
        first: u32,
        id: u32,
        x: &[Tensor<T>],
    ) -> SmallVec<[Tensor<T>; 1]> {
        let custom = self.custom_at(place);
        let (declared, first_index, wanted) = {
            let arena = self.arena.borrow();
            let ids = first..first + arena.outputs(first) as u32;
            let mut indices = first + custom.numbers..ids.end;
            let needed = |index: u32| {
                let node = &arena.nodes[index as usize];
                index == id || node.has(SAVED | RETAINED) || node.readers > 0
            };
            let declared: SmallVec<[Shape; 4]> = ids.map(|id| *arena.shape(id)).collect();
            (declared, indices.start as usize, indices.any(needed))
        };
        let (declared, of_indices) = declared.split_at(custom.numbers as usize);
        let (computed_by, (values, wholes)) = if wanted {
            ("forward_with_indices", custom.op.forward_with_indices(x))
        } else {
            ("forward", (custom.op.forward(x), [].into()))
        };
        let shapes: Outputs<Shape> = values.iter().map(Tensor::shape).collect();
        self.check_outputs(&custom, computed_by, "shapes", [&shapes, declared]);
        if wanted {
            let shapes: Outputs<Shape> = wholes.iter().map(Tensor::shape).collect();
            self.check_outputs(&custom, computed_by, "index_shapes", [&shapes, of_indices]);
            let arena = &mut *self.arena.borrow_mut();
            for (i, whole) in wholes.into_iter().enumerate() {
                arena.wholes[custom.first_whole as usize + i] = Some(whole);
                arena.nodes[first_index + i].flags &= !RELEASED;
            }
        }
        values.0
    }

    /// Checks the result of a custom kernel: one tensor per declared output, with its shape.
    #[track_caller]
    fn check_outputs(
        &self,
        custom: &CustomCall<T>,
        computed_by: &str,
        declared_by: &str,
        [given, declared]: [&[Shape]; 2],
    ) {
        if declared != given {
            self.fail(format!(
                "{}: `{computed_by}` returned tensors of shapes {given:?}, but `{declared_by}` declared \
                 {declared:?}: the two must agree",
                custom.op.name()
            ))
        }
    }

    /// Calls the rule of a custom operation. The rule may call `grad` on values that it computes from
    /// its cotangents. The cotangents are therefore passed as separate, active variables, until the
    /// caller deactivates them.
    #[track_caller]
    pub(crate) fn custom_vjp<'t>(&'t self, op: Op, call: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let Op::Custom(place) = op else { unreachable!("a user's operation") };
        let custom = self.custom_at(place);
        let alias =
            |g: &Option<Var<'t, T>>| g.map(|g| Var { tape: self, id: self.alias(g.id, true) });
        // Index outputs have no cotangents.
        let gy = &call.gy[..custom.numbers as usize];
        let gy: SmallVec<[Option<Var<'t, T>>; 4]> = gy.iter().map(alias).collect();
        self.walks.set(self.walks.get() + 1);
        let _running = Running(&self.walks);
        let inputs = RefCell::new(SmallVec::from_elem(None, call.parents.len()));
        let cotangents = custom.op.vjp(&Call { gy: &gy, inputs: Some(&inputs), ..*call });
        self.check_cotangents(&custom, call.parents, call.wanted, &cotangents);
        cotangents
    }

    /// Checks the result of a custom rule: a cotangent for each wanted input, with its shape and on this
    /// tape.
    #[track_caller]
    fn check_cotangents(
        &self,
        custom: &CustomCall<T>,
        parents: &[u32],
        wanted: &[bool],
        cotangents: &[Option<Var<'_, T>>],
    ) {
        let (name, applied_at) = (custom.op.name(), custom.applied_at);
        if cotangents.len() > parents.len() {
            self.fail(format!(
                "{name}: `vjp` returned {} cotangents for {} inputs: return one for each input (the \
                 operation was applied at {applied_at})",
                cotangents.len(),
                parents.len(),
            ))
        }
        for (arg, &p) in parents.iter().enumerate().filter(|&(arg, _)| wanted[arg]) {
            let wanted = *self.arena.borrow().shape(p);
            let given = cotangents.get(arg).copied().flatten();
            if let Some(given) = given {
                // A variable of another tape has a node number that is invalid here.
                self.same_tape(name, given.tape);
            }
            let given = given.map(Var::shape);
            if given != Some(wanted) {
                let given = given
                    .map_or("no cotangent".into(), |shape| format!("a cotangent of shape {shape}"));
                self.fail(format!(
                    "{name}: `vjp` returned {given} for input {arg} of shape {wanted}: return one of \
                     that shape (the operation was applied at {applied_at})"
                ))
            }
        }
    }

    fn custom_at(&self, place: u32) -> CustomCall<T> {
        self.arena.borrow().customs[place as usize].clone()
    }

    /// Records a node for each output, one after the other, and returns the first. The outputs after the
    /// first `numbers` are integers.
    #[track_caller]
    pub(crate) fn apply_outputs<'t>(
        &'t self,
        op: Op,
        x: &[Var<'t, T>],
        shapes: &[Shape],
        numbers: u32,
    ) -> u32 {
        let parents: SmallVec<[u32; 4]> = x.iter().map(|v| v.id).collect();
        let first = self.record(op, &parents, shapes[0]);
        {
            let arena = &mut *self.arena.borrow_mut();
            let active = arena.nodes[first as usize].flags & ACTIVE;
            for (i, &shape) in shapes.iter().enumerate().skip(1) {
                arena.shapes.push(shape);
                let shape = arena.shapes.len() as u32 - 1;
                let tiny = arena.shapes[shape as usize].numel() <= TINY;
                // Integers are not differentiated, and computed only on demand.
                let whole = i >= numbers as usize;
                let own = if whole { 0 } else { active | if tiny { RETAINED } else { 0 } };
                arena.push(Op::Output(i as u32), &[first], shape, own, None);
            }
            if active != 0 {
                arena.mark_output_reads(op, first);
            }
        }
        if shapes.len() > 1 {
            self.note(first + shapes.len() as u32 - 1);
        }
        self.compute_or_defer(first);
        first
    }
}
