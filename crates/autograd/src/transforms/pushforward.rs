//! Forward mode, derived from the rules of reverse mode.
//!
//! - Elementwise operations have a diagonal Jacobian, which is its own transpose. Their derivative along
//!   a tangent is the rule applied to the tangent, summed over the operands.
//! - For operations that are linear in an operand (views, sums, products, convolutions, look-ups,
//!   dropout), the derivative is the operation itself, with the tangent in place of the operand.
//! - For all other operations, the rule is differentiated with respect to the cotangent, in which it is
//!   linear.

use crate::graph::{
    ById, Call, ConvOp, Derivative, Index, MaxPool, NodeSet, Op, Reduce, ScanAlong, Tape, Var, View,
};
use crate::rules;
use smallvec::SmallVec;
use wengert_tensor::{Float, Scan, Unary};

/// The recorded evaluation of a function, through which tangents are pushed forward.
pub(super) struct Pushforward<'t, T: Float> {
    tape: &'t Tape<T>,
    results: Vec<Var<'t, T>>,
    /// The operations of the evaluation that the results depend on.
    needed: NodeSet,
}

type Tangents<'t, T> = ById<u32, Var<'t, T>>;

impl<'t, T: Float> Pushforward<'t, T> {
    /// Makes the pushforward of the evaluation that begins with node `first`.
    pub fn new(tape: &'t Tape<T>, first: u32, results: &[Var<'t, T>]) -> Self {
        let arena = tape.arena.borrow();
        let last = results.iter().map(|y| y.id).max().unwrap_or(0);
        let mut needed = NodeSet::up_to(last);
        for y in results.iter().filter(|y| y.id >= first) {
            needed.insert(y.id);
        }
        let mut end = last + 1;
        while let Some(id) = needed.last_before(end) {
            let op = arena.first_output(id);
            needed.insert(op);
            arena.parents(op).iter().filter(|&&p| p >= first).for_each(|&p| needed.insert(p));
            end = id;
        }
        Pushforward { tape, results: results.to_vec(), needed }
    }

    /// Returns the derivatives of the results along these directions of `x`.
    #[track_caller]
    pub fn along(&self, x: &[Var<'t, T>], directions: &[Var<'t, T>]) -> Vec<Var<'t, T>> {
        let mut tangents: Tangents<'t, T> =
            x.iter().zip(directions).map(|(x, &t)| (x.id, t)).collect();
        for id in self.needed.ascending() {
            if !tangents.contains_key(&id) {
                let rule = self.tape.running_rule(id);
                self.push(id, &mut tangents);
                self.tape.report_complete(id, Derivative::Tangent, tangents.get(&id).copied());
                drop(rule);
            }
        }
        self.tape.check_walk();
        let of = |y: &Var<'t, T>| match tangents.get(&y.id) {
            Some(&t) => t,
            None => self.tape.zeros(&y.shape()),
        };
        self.results.iter().map(of).collect()
    }

    /// Computes the tangent of a node from those of its operands. An operand without a tangent is
    /// constant.
    #[track_caller]
    fn push(&self, id: u32, tangents: &mut Tangents<'t, T>) {
        let tape = self.tape;
        let (op, parents, shape) = {
            let arena = tape.arena.borrow();
            let op = arena.nodes[id as usize].op;
            (op, SmallVec::<[u32; 4]>::from(arena.parents(id)), *arena.shape(id))
        };
        let of: SmallVec<[Option<Var<'t, T>>; 4]> =
            parents.iter().map(|p| tangents.get(p).copied()).collect();
        if !op.is_differentiable() || of.iter().all(Option::is_none) {
            return;
        }
        let var = |p: u32| Var { tape, id: p };
        // The sum, over the operands with a tangent, of the operation with the tangent in place of that
        // operand.
        let multilinear = |arity: usize| {
            let term = |arg: usize| {
                let mut operands: SmallVec<[Var<'t, T>; 4]> =
                    parents[..arity].iter().map(|&p| var(p)).collect();
                operands[arg] = of[arg]?;
                Some(tape.apply(op, &operands, shape))
            };
            (0..arity).filter_map(term).reduce(|a, b| a + b)
        };
        let tangent = match op {
            Op::Unary(Unary::Powi(0) | Unary::Powf(0.0)) => None,
            Op::Unary(_) | Op::Binary(_) | Op::Select => self.diagonal(op, id, &parents, &of),
            Op::View(View::Concat { .. }) => {
                let part = |(t, &p): (&Option<Var<'t, T>>, &u32)| {
                    t.unwrap_or_else(|| tape.zeros(&var(p).shape()))
                };
                let parts: SmallVec<[Var<'t, T>; 4]> = of.iter().zip(&parents).map(part).collect();
                Some(tape.apply(op, &parts, shape))
            }
            Op::Assemble(sum) => {
                let parts = tape.arena.borrow().parts[sum.0 as usize].clone();
                let moving = parts.iter().zip(&of).filter_map(|(&part, t)| Some((part, (*t)?.id)));
                Some(tape.assemble(&moving.collect::<Vec<_>>(), shape))
            }
            Op::MaxPool(_) => of[0].map(|t| MaxPool::jvp(t, Index { tape, id: id + 1 })),
            Op::View(_)
            | Op::Scan(ScanAlong { op: Scan::Sum, .. })
            | Op::Reduce(Reduce::Sum)
            | Op::Index(_)
            | Op::MapAxis(_)
            | Op::Random(_)
            | Op::MatMul(_) => multilinear(parents.len()),
            Op::Conv(conv) => {
                let product = multilinear(2);
                let bias = of.get(2).copied().flatten().map(|t| {
                    debug_assert!(matches!(conv, ConvOp::Forward(_)));
                    let per_channel = (2..shape.rank()).fold(t, |t, _| t.unsqueeze(-1));
                    per_channel.broadcast_shape(shape)
                });
                [product, bias].into_iter().flatten().reduce(|a, b| a + b)
            }
            Op::Reduce(Reduce::Max | Reduce::Min | Reduce::LogSumExp)
            | Op::Softmax(_)
            | Op::Normalize(_)
            | Op::Lstm(_)
            | Op::Scan(_)
            | Op::Custom(_) => return self.by_the_rule(op, id, &parents, &of, tangents),
            Op::Constant | Op::Leaf | Op::Fill(_) | Op::Draw(_) => None,
            Op::Detach | Op::Integer { .. } | Op::Compare(_) => None,
            Op::Output(_) => return, // the operation itself has set it
        };
        if let Some(t) = tangent {
            tangents.insert(id, t);
        }
    }

    /// Computes the tangent of an elementwise operation: the sum of the cotangents that its rule returns
    /// for the tangent.
    fn diagonal(
        &self,
        op: Op,
        id: u32,
        parents: &[u32],
        of: &[Option<Var<'t, T>>],
    ) -> Option<Var<'t, T>> {
        let term = |arg: usize| {
            // The condition of a selection or of a gate has no derivative.
            let chooses = matches!(op, Op::Select | Op::Binary(wengert_tensor::Binary::Gate));
            if arg == 0 && chooses {
                return None;
            }
            let mut wanted = [false; 3];
            wanted[arg] = true;
            let gy = [Some(of[arg]?)];
            let wanted = &wanted[..parents.len()];
            let call = Call { tape: self.tape, id, parents, wanted, gy: &gy, inputs: None };
            rules::vjp(op, &call)[arg]
        };
        (0..parents.len()).filter_map(term).reduce(|a, b| a + b)
    }

    /// The rule returns the cotangents of the operands as a linear function of the result's cotangent u.
    /// The sum of their products with the tangents is uᵀ·J·t, and its derivative with respect to u is
    /// J·t.
    #[track_caller]
    fn by_the_rule(
        &self,
        op: Op,
        id: u32,
        parents: &[u32],
        of: &[Option<Var<'t, T>>],
        tangents: &mut Tangents<'t, T>,
    ) {
        let tape = self.tape;
        let outputs = {
            let arena = tape.arena.borrow();
            match op {
                Op::Custom(place) => arena.customs[place as usize].numbers,
                op if op.has_outputs() => arena.outputs(id) as u32,
                _ => 1,
            }
        };
        let u: SmallVec<[Var<'t, T>; 4]> = (id..id + outputs)
            .map(|output| {
                let zeros = tape.zeros(&Var { tape, id: output }.shape());
                Var { tape, id: tape.alias(zeros.id, true) }
            })
            .collect();
        let wanted: SmallVec<[bool; 4]> = of.iter().map(Option::is_some).collect();
        let gy: SmallVec<[Option<Var<'t, T>>; 4]> = u.iter().copied().map(Some).collect();
        let call = Call { tape, id, parents, wanted: &wanted, gy: &gy, inputs: None };
        let cotangents = match op {
            Op::Custom(_) => tape.custom_vjp(op, &call),
            op => rules::vjp(op, &call),
        };
        let moving = cotangents.iter().zip(of).filter_map(|(g, t)| Some((*g)? * (*t)?));
        let product = moving.map(Var::sum_all).reduce(|a, b| a + b);
        if let Some(product) = product.filter(|product| product.is_active()) {
            let along = Var::grad_of(&[product], &[tape.ones(())], &u);
            for (output, t) in (id..).zip(along) {
                if let Some(t) = t {
                    tangents.insert(output, t);
                }
            }
        }
    }
}
