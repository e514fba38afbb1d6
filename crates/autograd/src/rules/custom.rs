//! Custom operations: a forward computation on tensors and a derivative rule on variables.

use crate::graph::{
    Call, Cotangents, CustomCall, CustomOp, Index, Op, Outputs, RELEASED, RETAINED, SAVED, Tape,
    Var,
};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::Arc;
use wengert_tensor::{Float, Shape, Tensor};

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
            let first_integer = arena.integers.len() as u32;
            arena.integers.extend((numbers..all).map(|_| None));
            arena.customs.push(CustomCall { op, numbers, first_integer, applied_at });
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
        let (computed_by, (values, integers)) = if wanted {
            ("forward_with_indices", custom.op.forward_with_indices(x))
        } else {
            ("forward", (custom.op.forward(x), [].into()))
        };
        let shapes: Outputs<Shape> = values.iter().map(Tensor::shape).collect();
        self.check_outputs(&custom, computed_by, "shapes", [&shapes, declared]);
        if wanted {
            let shapes: Outputs<Shape> = integers.iter().map(Tensor::shape).collect();
            self.check_outputs(&custom, computed_by, "index_shapes", [&shapes, of_indices]);
            let arena = &mut *self.arena.borrow_mut();
            for (i, tensor) in integers.into_iter().enumerate() {
                arena.integers[custom.first_integer as usize + i] = Some(tensor);
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
}
