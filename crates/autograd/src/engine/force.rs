//! Computes values: every value is read through [`Tape::force`]. Nothing recurses, however long a chain
//! is. `engine/mod.rs` lists the invariants: *Pending*, *Pure operations*, *No borrow*.

mod batch_norm;

use crate::graph::{
    Arena, Cause, MaxPool, Op, PENDING, Policy, RELEASED, RETAINED, Ran, Reduce, RunKind, SAVED,
    TINY, Tape,
};
use crate::rules::compare;
use batch_norm::is_batch_norm;
use smallvec::{SmallVec, smallvec};
use wengert_tensor::{
    Float, Instant, Instruction, Opcode, Program, Shape, Tensor, copied_in_order, per_type,
};

/// A chain of pending pointwise nodes of this length is computed. Programs thereby stay short, and a
/// value that several pointwise programs share is not computed many times.
const LONG: u16 = 32;

/// A single pointwise operation on at least this many elements is computed in the memory of an operand, if nothing else
/// reads the operand.
const LARGE: usize = if cfg!(test) { 64 } else { 1 << 17 };

/// The work that is needed to compute a node.
enum Plan<T: Float> {
    Done,
    /// Compute these nodes first.
    After(SmallVec<[u32; 4]>),
    /// One pointwise operation whose operands are computed.
    Step(Opcode, Inputs<T>),
    /// Several pointwise operations in one pass.
    Program(Program, Inputs<T>, Shape),
    /// A pointwise program over the first shape, followed by a sum to the second shape.
    Sum(Program, Inputs<T>, Shape, Shape),
    /// The same where the results of the program are read later: they are stored as the value of this node.
    KeptSum(Program, Inputs<T>, Shape, Shape, u32),
    /// A batch normalisation with its ε, a summand, and whether a rectifier follows.
    Normalized(Inputs<T>, f64, Option<Tensor<T>>, bool),
    /// The gradient of a batch normalisation, with the node of its first output and its ε, where gy has passed back
    /// through a rectifier with this result. gy in front of the rectifier is stored as the value of a node, if it is
    /// read later.
    Rectified(u32, Inputs<T>, f64, Tensor<T>, Option<u32>),
    /// Any other operation, with the node of its first output.
    Op(u32, Op, Inputs<T>, Shape),
}
type Inputs<T> = SmallVec<[Tensor<T>; 3]>;
/// The results of an operation.
enum Made<T: Float> {
    /// The value of an operation with one output, as most have.
    One(Tensor<T>),
    /// The values of further kinds of outputs: numbers, and integers with their place.
    Outputs(SmallVec<[Tensor<T>; 1]>, Option<(u32, Tensor<i64>)>),
}
type Ids = SmallVec<[u32; 4]>;

impl<T: Float> Tape<T> {
    /// Returns the value of a node, and computes it if necessary.
    #[track_caller]
    pub(crate) fn force(&self, id: u32) -> Tensor<T> {
        let tape = self;
        per_type!(<'a> Tape::force_here as (tape: &'a Tape<T>, id: u32) -> Tensor<T>)
    }

    #[track_caller]
    fn force_here(&self, id: u32) -> Tensor<T> {
        if self.run_kind == RunKind::ShapeOnly {
            self.refuse(
                "a shape-only run has no values: compute values on a tape of Tape::new()".into(),
                Cause::Number,
            )
        }
        if let Some(value) = &self.arena.borrow().values[id as usize] {
            return value.clone();
        }
        self.compute(id);
        self.arena.borrow().values[id as usize].clone().expect("computed above")
    }

    /// Leaves a new node pending, or computes it now.
    #[inline]
    #[track_caller]
    pub(crate) fn compute_or_defer(&self, id: u32) {
        if self.run_kind == RunKind::ShapeOnly || self.defer(id) {
            return;
        }
        self.compute(id);
    }

    /// Makes a new node pending, if that is permitted. Returns whether it is pending.
    fn defer(&self, id: u32) -> bool {
        let arena = &mut *self.arena.borrow_mut();
        let op = arena.nodes[id as usize].op;
        if op.opcode().is_none() {
            if !is_batch_norm(op) {
                return false;
            }
            arena.has_batch_norm = true;
        }
        if self.policy == Policy::Eager || arena.shape(id).numel() <= TINY {
            return false;
        }
        let parents = arena.parent_list(id);
        let mut pending = 1;
        for &p in &parents {
            if arena.values[p as usize].is_none() {
                pending += arena.nodes[p as usize].program_len;
            }
        }
        arena.nodes[id as usize].program_len = pending;
        if pending >= LONG {
            return false;
        }
        for &p in &parents {
            arena.nodes[p as usize].readers += 1;
        }
        arena.nodes[id as usize].flags |= PENDING;
        true
    }

    #[track_caller]
    pub(crate) fn compute(&self, target: u32) {
        let tape = self;
        per_type!(<'a> Tape::compute_here as (tape: &'a Tape<T>, target: u32) -> ());
    }

    #[track_caller]
    fn compute_here(&self, target: u32) {
        let mut todo: SmallVec<[u32; 8]> = smallvec![target];
        while let Some(&id) = todo.last() {
            let plan = self.plan(id);
            let begun = self.observer.as_deref().map(|observer| (observer, Instant::now()));
            let (first, inputs, made): (u32, Inputs<T>, Made<T>) = match plan {
                Plan::Done => {
                    todo.pop();
                    continue;
                }
                Plan::After(inputs) => {
                    todo.extend(inputs);
                    continue;
                }
                Plan::Step(op, x) => {
                    let large = self.observer.is_none() && x[0].numel() >= LARGE;
                    if large {
                        self.arena.borrow_mut().clear_pending(id);
                    }
                    if large && x.iter().any(Tensor::is_owned) {
                        (id, Inputs::new(), Made::One(in_memory_of_operand(op, x)))
                    } else {
                        let y = match &x[..] {
                            [a] => Tensor::pointwise(op, [a], &a.shape()),
                            [a, b] => Tensor::pointwise(op, [a, b], &a.shape()),
                            [a, b, c] => Tensor::pointwise(op, [a, b, c], &a.shape()),
                            _ => unreachable!("opcodes have one to three operands"),
                        };
                        (id, x, Made::One(y))
                    }
                }
                Plan::Program(program, x, shape) if self.observer.is_none() => {
                    // Operands that no other node reads are released before, so that the result can take the memory
                    // of one of them.
                    self.arena.borrow_mut().clear_pending(id);
                    (id, Inputs::new(), Made::One(program.map_owned(x, &shape)))
                }
                Plan::Program(program, x, shape) => {
                    let y = program.map(&x.iter().collect::<SmallVec<[_; 4]>>(), &shape);
                    (id, x, Made::One(y))
                }
                Plan::Sum(program, x, over, shape) => {
                    let y = program.sum_to(&x.iter().collect::<SmallVec<[_; 4]>>(), &over, &shape);
                    (id, x, Made::One(y))
                }
                Plan::KeptSum(program, x, over, shape, kept) => {
                    let [numbers, sum] = {
                        let operands = x.iter().collect::<SmallVec<[_; 4]>>();
                        program.map_and_sum_to(&operands, &over, &shape)
                    };
                    let arena = &mut *self.arena.borrow_mut();
                    arena.finish(kept, numbers);
                    (id, x, Made::One(sum))
                }
                Plan::Normalized(x, eps, residual, relu) => {
                    let affine = [x.get(3), x.get(4)];
                    let y = x[0].batch_norm([&x[1], &x[2]], affine, eps, residual.as_ref(), relu);
                    (id, x, Made::One(y))
                }
                Plan::Rectified(first, x, eps, y, kept) => {
                    let made = self.rectified(&x, eps, &y, kept);
                    (first, x, made)
                }
                Plan::Op(first, op, x, shape) => {
                    let mut made = self.evaluate(op, first, id, &x, shape);
                    if let (Op::View(_) | Op::Detach, Made::One(y)) = (op, &mut made)
                        && shape.numel() <= TINY
                        && x[0].numel() > TINY
                    {
                        // A tiny value is retained, so it must not share the memory of a large operand.
                        *y = copied_in_order(y);
                    }
                    (first, x, made)
                }
            };
            if let Some((observer, begun)) = begun {
                let ended = Instant::now();
                let (values, integers) = match &made {
                    Made::One(value) => (std::slice::from_ref(value), None),
                    Made::Outputs(values, integers) => {
                        (&**values, integers.as_ref().map(|(_, integers)| integers))
                    }
                };
                let inputs = &*inputs;
                self.observe(observer, &Ran { begun, ended, id, first, inputs, values, integers });
            }
            drop(inputs);
            todo.pop();
            self.arena.borrow_mut().store_made(first, id, made);
        }
    }

    /// Computes the operation whose first output is the node `first`. The requested node is `id`.
    #[track_caller]
    fn evaluate(&self, op: Op, first: u32, id: u32, x: &[Tensor<T>], shape: Shape) -> Made<T> {
        match op {
            Op::Integer { op, place } => {
                let integers = op.eval(self, x, &self.integers_of(first), shape);
                return Made::Outputs(smallvec![], Some((place, integers)));
            }
            Op::MaxPool(op) => {
                let (windows, wanted) = {
                    let arena = self.arena.borrow();
                    let positions = &arena.nodes[first as usize + 1];
                    let wanted =
                        id > first || positions.has(SAVED | RETAINED) || positions.readers > 0;
                    (arena.pools[op.windows as usize], wanted)
                };
                let (values, positions) = MaxPool::eval(&x[0], windows, shape, wanted);
                return Made::Outputs(smallvec![values], positions.map(|at| (op.positions, at)));
            }
            _ => {}
        }
        Made::One(match op {
            Op::Custom(place) => {
                return Made::Outputs(self.run_custom(place, first, id, x), None);
            }
            Op::Index(op) => {
                let index = &self.integers_of(first)[0];
                op.check(self, &x[0].shape(), index, &shape);
                op.eval(&x[0], index, shape)
            }
            Op::MapAxis(op) => {
                let map = self.arena.borrow().maps[op.map as usize].clone();
                op.eval(&x[0], &map)
            }
            Op::Compare(op) => {
                let sides = self.integers_of(first);
                compare(op, &sides[0], &sides[1], shape)
            }
            Op::View(view) => view.eval(x, shape),
            Op::Assemble(op) => op.eval(x, shape, self),
            Op::Reduce(reduce) => reduce.eval(&x[0], shape),
            Op::Softmax(op) => op.eval(x),
            Op::Normalize(op) => return Made::Outputs(op.eval(x), None),
            Op::Lstm(op) => return Made::Outputs(op.eval(x), None),
            Op::Scan(op) => op.eval(x),
            Op::Conv(op) => {
                let conv = self.arena.borrow().convs[op.place() as usize];
                op.eval(x, &conv, shape)
            }
            Op::MatMul(matmul) => matmul.eval(&x[0], &x[1]),
            Op::Random(random) => random.eval(&x[0], self.key()),
            Op::Draw(draw) => draw.eval(&shape, self.key()),
            Op::Detach => x[0].clone(),
            _ => unreachable!(
                "pointwise operations, given values and further outputs are handled elsewhere"
            ),
        })
    }

    /// Plans the computation of a node. Pending pointwise operands join the pointwise program of the node that
    /// reads them.
    #[track_caller]
    fn plan(&self, id: u32) -> Plan<T> {
        let arena = self.arena.borrow();
        if arena.is_computed(id) {
            return Plan::Done;
        }
        let node = arena.nodes[id as usize];
        if node.op.is_given() || id < arena.ended {
            drop(arena);
            self.freed(id)
        }
        let parents = arena.parents(id);
        if let Op::Reduce(Reduce::Sum) = node.op {
            // The sum of a pending expression that nothing else reads is computed without
            // storing the expression.
            let x = parents[0];
            let below = arena.nodes[x as usize];
            let kept = below.readers > 0 || below.has(SAVED);
            // An observer sees the two operations one by one.
            let joins = arena.joins(x) && (!kept || self.observer.is_none());
            if joins && arena.shape(x).numel() > TINY {
                return match arena.program(x) {
                    Ok((program, inputs)) => {
                        let inputs = arena.computed(&inputs);
                        let (over, shape) = (*arena.shape(x), *arena.shape(id));
                        if kept {
                            Plan::KeptSum(program, inputs, over, shape, x)
                        } else {
                            Plan::Sum(program, inputs, over, shape)
                        }
                    }
                    Err(missing) => Plan::After(missing),
                };
            }
        }
        // An observer sees the operations one by one.
        let after_batch_norm = arena.has_batch_norm && self.observer.is_none();
        if after_batch_norm && let Some(plan) = arena.behind_batch_norm(id) {
            return plan;
        }
        let Some(opcode) = node.op.opcode() else {
            let first = arena.first_output(id);
            let parents = arena.parents(first);
            if after_batch_norm && let Some(plan) = arena.gradient_of_rectified(first) {
                return plan;
            }
            if !parents.iter().all(|&p| arena.is_computed(p)) {
                let missing = parents.iter().copied().filter(|&p| !arena.is_computed(p));
                return Plan::After(missing.collect());
            }
            let op = arena.nodes[first as usize].op;
            return Plan::Op(first, op, arena.computed(parents), *arena.shape(first));
        };
        if parents.iter().all(|&p| arena.values[p as usize].is_some()) {
            return Plan::Step(opcode, arena.computed(parents));
        }
        match arena.program(id) {
            Ok((program, inputs)) => {
                Plan::Program(program, arena.computed(&inputs), *arena.shape(id))
            }
            Err(missing) => Plan::After(missing),
        }
    }
}

impl<T: Float> Tape<T> {
    /// Fails with the reason why a value cannot be read any more.
    #[cold]
    #[track_caller]
    fn freed(&self, id: u32) -> ! {
        let is_state = self.params.borrow().at(id).is_some();
        self.fail(if is_state {
            "backward() released the parameters and buffers of this tape: read the value from the \
             model, or use backward_retain()"
                .into()
        } else {
            "backward() freed this value: call value() before backward() to keep it, or use \
             backward_retain()"
                .into()
        })
    }
}

/// Computes one operation as a program, whose result takes the memory of an operand.
fn in_memory_of_operand<T: Float>(op: Opcode, x: Inputs<T>) -> Tensor<T> {
    let (step, shape) = (Instruction { op, args: [0, 1, 2] }, x[0].shape());
    Program::assemble(x.len(), smallvec![step], smallvec![x.len() as u8]).map_owned(x, &shape)
}

impl<T: Float> Arena<T> {
    /// Stores the results of the operation whose first output is the node `first`. The requested node is `id`.
    #[inline(always)]
    fn store_made(&mut self, first: u32, id: u32, made: Made<T>) {
        match made {
            Made::One(value) => self.finish(first, value),
            Made::Outputs(values, integers) => {
                let ids = first..first + values.len() as u32;
                for (id, value) in ids.clone().zip(values) {
                    self.store(id, value);
                }
                if let Some((place, integers)) = integers {
                    self.integers[place as usize] = Some(integers);
                    self.nodes[id as usize].flags &= !RELEASED;
                }
                for id in ids {
                    self.clear_pending(id);
                }
            }
        }
    }

    /// Stores the value of a node that may be pending. It is no longer pending.
    #[inline(always)]
    fn finish(&mut self, id: u32, value: Tensor<T>) {
        self.store(id, value);
        self.clear_pending(id);
    }

    /// Stores the value of a node.
    #[inline]
    fn store(&mut self, id: u32, value: Tensor<T>) {
        debug_assert_eq!(value.shape(), *self.shape(id), "{:?}", self.nodes[id as usize].op);
        self.values[id as usize] = Some(value);
        self.nodes[id as usize].flags &= !RELEASED;
    }

    /// Returns whether a node is computed inside the pointwise program of its reader.
    fn joins(&self, id: u32) -> bool {
        let node = &self.nodes[id as usize];
        id >= self.ended
            && self.values[id as usize].is_none()
            && !node.has(RELEASED)
            && node.op.opcode().is_some()
    }

    /// Returns the values of the nodes that have one. A loop: an iterator with a filter has no known length, and
    /// its collection would cost more than the clones.
    fn computed(&self, ids: &[u32]) -> Inputs<T> {
        let mut values = Inputs::new();
        for &id in ids {
            if let Some(value) = &self.values[id as usize] {
                values.push(value.clone());
            }
        }
        values
    }

    /// Returns the pointwise program that computes a node together with the pending nodes that it reads,
    /// or the nodes that must be computed before.
    fn program(&self, id: u32) -> Result<(Program, Ids), Ids> {
        let (mut inputs, mut missing) = (Ids::new(), Ids::new());
        // The nodes that become steps. It is also the list of nodes whose operands are still to be looked at.
        let mut joined: SmallVec<[u32; 8]> = smallvec![id];
        let mut next = 0;
        while let Some(&step) = joined.get(next) {
            next += 1;
            for &p in self.parents(step) {
                if inputs.contains(&p) || joined.contains(&p) {
                    continue;
                }
                if self.joins(p) {
                    joined.push(p);
                } else {
                    inputs.push(p);
                    if self.values[p as usize].is_none() {
                        missing.push(p);
                    }
                }
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        joined.sort_unstable(); // parents precede children
        let mut steps = SmallVec::new();
        for &step in &joined {
            let node = &self.nodes[step as usize];
            let op = node.op.opcode().expect("only pointwise operations are joined");
            let mut args = [0; 3];
            for (arg, p) in args.iter_mut().zip(self.parents(step)) {
                let place = match inputs.iter().position(|input| input == p) {
                    Some(input) => input,
                    None => inputs.len() + joined.partition_point(|step| step < p),
                };
                *arg = place as u8;
            }
            steps.push(Instruction { op, args });
        }
        let last = (inputs.len() + joined.len() - 1) as u8;
        Ok((Program::assemble(inputs.len(), steps, smallvec![last]), inputs))
    }
}
