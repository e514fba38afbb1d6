//! Replays: runs a recorded program again with other values.

use crate::graph::{
    ACTIVE, Arena, Bound, CLOSED, Declaration, Declared, Index, IntegerOp, MASK, Mask, Op,
    RETAINED, RunKind, TEMPORARY, Tape, Var,
};
use crate::module::{Buffer, BufferId, Change, Module, Param, ParamId, Path, StateId, Updates};
use smallvec::SmallVec;
use std::collections::HashMap;
use wengert_tensor::{Element, Float, Shape, Tensor, per_type};

/// A replay of a recorded program with other values. [`Tape::replay`] makes it, and [`run`](Replay::run)
/// starts it.
#[must_use = "a replay computes nothing until run() is called"]
pub struct Replay<'t, T: Float> {
    tape: &'t Tape<T>,
    states: States<'t, T>,
    numbers: Vec<(u32, Tensor<T>)>,
    integers: Vec<(u32, Tensor<i64>)>,
    key: Option<u64>,
    allow_reads: bool,
}

impl<T: Float> Tape<T> {
    /// Returns a replay of the recorded program. It reads the present parameters and buffers of the
    /// model, and accepts new inputs ([`set`](Replay::set), [`set_index`](Replay::set_index),
    /// [`set_mask`](Replay::set_mask)) and new random numbers ([`rng`](Replay::rng)). Inputs and random
    /// numbers that are not set remain as they were.
    ///
    /// Values, gradients and updates of buffers have the same bits as those of a new run of the same
    /// code, if that run would record the same operations. The tape cannot check this completely. It
    /// refuses a replay if the program read a value ([`value`](Var::value), [`item`](Var::item)) and
    /// recorded operations afterwards: the code may have branched on that value, or put it on the tape
    /// as a constant. The tape does not notice values that were read from the model itself, from
    /// [`Gradients`](crate::Gradients), or from tensors before they were put on the tape.
    ///
    /// The variables of the recorded run remain valid, including gradients that [`grad`](Var::grad)
    /// recorded. If [`backward`](Var::backward) has ended the history, the replay starts it again.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let mut w = Param::new(Tensor::from([1.0f32, 2.0]));
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([3.0, 4.0]));
    /// let loss = (tape.param(&w) * x).sum_all();
    /// assert_eq!(loss.item(), 11.0);
    ///
    /// w.set(Tensor::from([10.0, 1.0]));
    /// tape.replay(&w).set(x, Tensor::from([1.0, 5.0])).run();
    /// assert_eq!(loss.item(), 15.0);
    /// assert_eq!(loss.backward().get(&w).unwrap().to_vec(), [1.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// On a shape-only run, which has no values, and within the rule of an operation.
    #[track_caller]
    pub fn replay<'t>(&'t self, model: &'t dyn Module) -> Replay<'t, T> {
        if self.run_kind == RunKind::ShapeOnly {
            self.fail(
                "replay: a shape-only run has no values: record the program on a tape of \
                 Tape::new()"
                    .into(),
            )
        }
        if self.walks.get() > 0 || self.params.borrow().substitutes() {
            self.fail(
                "replay: a derivative rule or with_params() is running on this tape: call \
                 replay() after it"
                    .into(),
            )
        }
        let states = States::of(model);
        let (numbers, integers) = (Vec::new(), Vec::new());
        Replay { tape: self, states, numbers, integers, key: None, allow_reads: false }
    }
}

impl<'t, T: Float> Replay<'t, T> {
    /// Sets another value for a constant or a watched variable.
    ///
    /// # Panics
    /// If the variable is on another tape, was computed, is a parameter or buffer (these are read from
    /// the model), or has another shape.
    #[track_caller]
    pub fn set(mut self, x: Var<'t, T>, value: Tensor<T>) -> Self {
        let tape = self.tape;
        tape.same_tape("replay", x.tape);
        let from_model = tape.params.borrow().at(x.id).is_some();
        if from_model {
            tape.fail(
                "replay: the variable is a parameter or a buffer, and a replay reads its value \
                 from the model: change the value in the model"
                    .into(),
            )
        }
        let given = matches!(x.op(), Op::Constant | Op::Leaf);
        self.check_leaf(given, x.shape(), value.shape());
        self.numbers.push((x.id, value));
        self
    }

    /// Sets other values for an index that was given.
    ///
    /// # Panics
    /// If the index is on another tape, was computed, or has another shape.
    #[track_caller]
    pub fn set_index(mut self, index: Index<'t, T>, value: Tensor<i64>) -> Self {
        let tape = self.tape;
        tape.same_tape("replay", index.tape);
        let op = tape.arena.borrow().nodes[index.id as usize].op;
        let given = matches!(op, Op::Integer { op: IntegerOp::Given, .. });
        self.check_leaf(given, index.shape(), value.shape());
        self.integers.push((index.id, value));
        self
    }

    /// Sets other values for a mask that was given.
    ///
    /// # Panics
    /// If the mask is on another tape, was computed, or has another shape.
    #[allow(clippy::needless_pass_by_value)] // as `set` and `set_index`
    #[track_caller]
    pub fn set_mask(self, mask: Mask<'t, T>, value: Tensor<bool>) -> Self {
        self.set(mask.numbers(), value.cast())
    }

    #[track_caller]
    fn check_leaf(&self, given: bool, has: Shape, gets: Shape) {
        if !given {
            self.tape.fail(
                "replay: the value was computed from others: set only values that were given with \
                 constant(), watch(), index() or mask()"
                    .into(),
            )
        }
        if has != gets {
            self.tape.fail(format!(
                "replay: the new value must have the recorded shape {has}, got {gets}: record the \
                 program again for other shapes"
            ))
        }
    }

    /// Sets another key for random numbers, so that dropout drops other elements.
    pub fn rng(self, rng: &mut impl rand::Rng) -> Self {
        Replay { key: Some(rng.next_u64()), ..self }
    }

    /// Permits a replay although the program read a value and recorded operations afterwards. Call it
    /// only if that value did not influence what was recorded.
    pub fn allow_reads(self) -> Self {
        Replay { allow_reads: true, ..self }
    }

    /// Computes the program again. If an operation refuses the new values, gradients are refused until a
    /// replay has been completed.
    ///
    /// # Panics
    /// If a parameter or buffer of the recorded run is not in the model, or was frozen or unfrozen
    /// since; if the program read a value before its end (see [`Tape::replay`]); or if an operation
    /// refuses the new values (for example an index that is out of range).
    #[track_caller]
    pub fn run(self) {
        let replay = self;
        per_type!(<'t> Replay::run_here as (replay: Replay<'t, T>) -> ());
    }

    #[track_caller]
    fn run_here(self) {
        let tape = self.tape;
        if !self.allow_reads {
            self.check_reads();
        }
        self.bind();
        tape.replay_incomplete.set(true);
        {
            let arena = &mut *tape.arena.borrow_mut();
            for (id, value) in self.numbers {
                arena.values[id as usize] = Some(value);
            }
            for (id, value) in self.integers {
                let place = arena.place_of_integers(id).expect("an index");
                arena.integers[place as usize] = Some(value);
            }
            if let Some(key) = self.key {
                tape.key.set(Some(key));
            }
            arena.begin_again();
        }
        tape.check_all_given();
        *tape.buffers.borrow_mut() = Updates::default();
        let declared = tape.declared.borrow().clone();
        let mut declared = declared.iter().peekable();
        let lasts = tape.arena.borrow().last_readers();
        let spans = tape.arena.borrow().spans.clone();
        let mut spans = spans.iter().peekable();
        for id in 0..tape.len() as u32 {
            if let Some(span) = spans.peek().filter(|span| span.first == id) {
                tape.begin_span(span);
            }
            while let Some(declaration) = declared.next_if(|declaration| declaration.at <= id) {
                tape.declare_again(declaration, &self.states);
            }
            let op = tape.arena.borrow().nodes[id as usize].op;
            if !op.is_given() && !matches!(op, Op::Output(_)) {
                tape.compute_or_defer(id);
            }
            tape.arena.borrow_mut().close_read(id, &lasts);
            if let Some(span) = spans.next_if(|span| span.end == id + 1) {
                tape.end_span(span);
            }
        }
        for declaration in declared {
            tape.declare_again(declaration, &self.states);
        }
        tape.replay_incomplete.set(false);
        tape.arena.borrow().check_invariants(false);
    }

    #[track_caller]
    fn check_reads(&self) {
        let (read, nodes) = (self.tape.first_read.get(), self.tape.len());
        if (read as usize) < nodes {
            self.tape.fail(format!(
                "replay: the program read a value (value() or item()) when it had recorded {read} \
                 of its {nodes} operations, so that the later operations may depend on this value: \
                 read values after the last operation, or call allow_reads() if no operation \
                 depends on them"
            ))
        }
    }

    /// Sets the nodes of parameters and buffers to the values of the model.
    #[track_caller]
    fn bind(&self) {
        let tape = self.tape;
        let mut bound = tape.params.borrow_mut();
        let mut found = Vec::new();
        for binding in bound.iter() {
            let (version, value) = match binding.of {
                Bound::Param { id, frozen } => {
                    let param = self.states.param(tape, id, binding.node);
                    if param.frozen() != frozen {
                        let what = if frozen { "unfrozen" } else { "frozen" };
                        tape.fail(format!(
                            "replay: a parameter of shape {}{} was {what} after the program was \
                             recorded: record the program again",
                            param.shape(),
                            called(tape, id)
                        ))
                    }
                    (param.version(), param.value())
                }
                Bound::Buffer(id) => {
                    let buffer = self.states.buffer(tape, id);
                    (buffer.version(), buffer.value())
                }
            };
            found.push((version, value.clone()));
        }
        // All states are looked up before anything changes.
        let arena = &mut *tape.arena.borrow_mut();
        for (binding, (version, value)) in bound.iter_mut().zip(found) {
            binding.version = version;
            arena.values[binding.node as usize] = Some(value);
        }
    }
}

impl<T: Float> Tape<T> {
    /// Declares a change of a buffer again, with the values of the replay.
    #[track_caller]
    fn declare_again(&self, declaration: &Declaration, states: &States<'_, T>) {
        let change = match declaration.what {
            Declared::Blend { keep, change } => Change::Blend { keep, change: self.force(change) },
            Declared::Average { seen, value } => {
                let buffer = states.buffer(self, declaration.buffer);
                Change::average(buffer, states.counter(self, seen), self.force(value))
            }
            Declared::Count(n) => Change::Count(n),
        };
        self.push_update(declaration.buffer, change);
    }
}

/// The parameters and buffers of a model, by identity.
struct States<'m, T: Float> {
    params: HashMap<ParamId, &'m Param<T>>,
    buffers: HashMap<BufferId, &'m Buffer<T>>,
    counters: HashMap<BufferId, &'m Buffer<i64>>,
}

impl<'m, T: Float> States<'m, T> {
    fn of(model: &'m dyn Module) -> Self {
        let mut all =
            States { params: HashMap::new(), buffers: HashMap::new(), counters: HashMap::new() };
        model.visit(&Path::root(), &mut |_, state| {
            if let Some(param) = state.downcast_ref::<Param<T>>() {
                all.params.insert(param.id(), param);
            } else if let Some(buffer) = state.downcast_ref::<Buffer<T>>() {
                all.buffers.insert(buffer.id(), buffer);
            } else if let Some(counter) = state.downcast_ref::<Buffer<i64>>() {
                all.counters.insert(counter.id(), counter);
            }
        });
        all
    }

    #[track_caller]
    fn param(&self, tape: &Tape<T>, id: ParamId, node: u32) -> &'m Param<T> {
        let Some(param) = self.params.get(&id) else {
            let shape = *tape.arena.borrow().shape(node);
            tape.fail(missing(&format!("a parameter of shape {shape}{}", called(tape, id))))
        };
        param
    }

    #[track_caller]
    fn buffer(&self, tape: &Tape<T>, id: BufferId) -> &'m Buffer<T> {
        found(tape, &self.buffers, id)
    }

    #[track_caller]
    fn counter(&self, tape: &Tape<T>, id: BufferId) -> &'m Buffer<i64> {
        found(tape, &self.counters, id)
    }
}

#[track_caller]
fn found<'m, T: Float, E: Element>(
    tape: &Tape<T>,
    all: &HashMap<BufferId, &'m Buffer<E>>,
    id: BufferId,
) -> &'m Buffer<E> {
    match all.get(&id) {
        Some(buffer) => buffer,
        None => tape.fail(missing(&format!("a buffer of {}{}", E::DTYPE, called(tape, id)))),
    }
}

/// Returns the name of a parameter or buffer in brackets, if the run entered its model.
fn called<T: Float>(tape: &Tape<T>, id: impl Into<StateId>) -> String {
    tape.scopes.name_of(id.into()).map_or(String::new(), |name| format!(" (`{name}`)"))
}

fn missing(what: &str) -> String {
    format!(
        "replay: the model does not contain {what} of the recorded run: replay with the model \
         that was recorded"
    )
}

impl<T: Float> Arena<T> {
    /// Drops all computed values, clears the reference counts, and marks again the values that rules
    /// read.
    fn begin_again(&mut self) {
        self.ended = 0;
        // A replay that was refused halfway may have left regions active.
        self.regions.iter_mut().for_each(|region| region.active_walks = 0);
        for id in 0..self.nodes.len() {
            let node = &mut self.nodes[id];
            node.flags &= ACTIVE | RETAINED | CLOSED | TEMPORARY | MASK;
            (node.readers, node.program_len) = (0, 0);
            if !node.op.is_given() {
                self.values[id] = None;
                if let Some(place) = self.place_of_integers(id as u32) {
                    self.integers[place as usize] = None;
                }
            }
        }
        for id in 0..self.nodes.len() as u32 {
            let (op, active) = (self.nodes[id as usize].op, self.nodes[id as usize].has(ACTIVE));
            if active && !matches!(op, Op::Output(_)) && !op.is_given() {
                let parents: SmallVec<[u32; 4]> = self.parents(id).into();
                self.mark_reads(op, id, &parents);
                self.mark_output_reads(op, id);
            }
        }
    }

    /// Returns for each node the last node that has it as an operand; the node itself if there is none.
    fn last_readers(&self) -> Vec<u32> {
        let mut lasts: Vec<u32> = (0..self.len()).collect();
        for id in 0..self.len() {
            for &p in self.parents(id) {
                lasts[p as usize] = id;
            }
        }
        lasts
    }

    /// Drops the values of node `id` and its operands that are closed and that no later node reads.
    fn close_read(&mut self, id: u32, lasts: &[u32]) {
        let parents: SmallVec<[u32; 4]> = self.parents(id).into();
        for p in parents.into_iter().chain([id]) {
            if lasts[p as usize] == id && self.nodes[p as usize].has(CLOSED) {
                self.drop_unused(p);
            }
        }
    }
}
