//! One row per operation: its test points and checks. The rows of every family come from a `match`
//! without a wildcard, and each member of a family leads to the next. A new operation therefore does not
//! compile before it has a row.

mod adjoint;
mod aliases;
mod assemble;
mod conv;
mod cut;
mod forward;
mod gates;
mod hessians;
mod index;
mod kinks;
mod lstm;
mod masks;
mod matmul;
mod memory;
mod normalize;
mod others;
mod pointwise;
mod pool;
mod reduce;
mod replay;
mod scan;
mod view;

use crate::check::testing::{self, spread};
use crate::check::{Function, Gradcheck, POLICIES};
use crate::graph::{
    Assemble, ConvOp, Distribution, Draw, IndexOp, IntegerOp, Lstm, MapAxis, MatMul, MaxPool, Op,
    PackedF64, Random, Reduce, Softmax, Tape, Var, View,
};
use std::iter::successors;
use wengert_tensor::{Binary, Philox, Scan, Tensor, Unary};

/// The form of a function. It determines for which steps differences are exact.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Curved,
    /// A polynomial of low degree: any step is exact.
    Bilinear,
    /// Linear in all inputs together.
    Linear,
}

/// A function of one operation and a point to check it at.
struct Row {
    /// The operation. The function must record a node of this kind.
    op: Op,
    name: String,
    inputs: Vec<Tensor<f64>>,
    f: Box<dyn Function>,
    order: usize,
    form: Form,
}

impl Row {
    fn new<F>(op: Op, name: &str, inputs: Vec<Tensor<f64>>, f: F) -> Row
    where
        F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64> + 'static,
    {
        let shapes: Vec<_> = inputs.iter().map(Tensor::shape).collect();
        let name = format!("{op:?} {name} {shapes:?}");
        Row { op, name, inputs, f: Box::new(f), order: 2, form: Form::Curved }
    }

    fn order(mut self, order: usize) -> Row {
        self.order = order;
        self
    }

    fn bilinear(mut self) -> Row {
        self.form = Form::Bilinear;
        self
    }

    fn linear(mut self) -> Row {
        self.form = Form::Linear;
        self
    }

    fn check(&self) {
        self.is_there();
        self.is_steep();
        self.agrees_with_differences();
        if self.form == Form::Linear {
            self.is_adjoint();
        }
        let read = testing::check_reads(&self.inputs, self.operation());
        read.unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    fn run<'t>(&self, x: &[Var<'t, f64>]) -> Var<'t, f64> {
        (*self.f)(x)
    }

    /// Returns the function as an operation with one result.
    fn operation(&self) -> impl testing::Operation {
        operation(|x| vec![self.run(x)])
    }

    fn place<'t>(&self, tape: &'t Tape<f64>, watched: &[bool]) -> Vec<Var<'t, f64>> {
        let put = |(x, &watched): (&Tensor<f64>, _)| {
            if watched { tape.watch(x.clone()) } else { tape.constant(x.clone()) }
        };
        self.inputs.iter().zip(watched).map(put).collect()
    }

    fn is_there(&self) {
        let tape = Tape::new();
        self.run(&self.place(&tape, &vec![true; self.inputs.len()]));
        let arena = tape.arena.borrow();
        let there = arena.nodes.iter().any(|node| kind(node.op) == kind(self.op));
        assert!(there, "{}: the function does not use the operation", self.name);
    }

    /// Checks that the gradient with respect to each input is not close to zero, so that a rule that returns
    /// zero fails.
    fn is_steep(&self) {
        let tape = Tape::new();
        let x = self.place(&tape, &vec![true; self.inputs.len()]);
        let gradients = weighted(self.run(&x)).backward();
        for (i, &x) in x.iter().enumerate() {
            let slope = gradients
                .wrt(x)
                .unwrap_or_else(|| panic!("{}: input {i} has no gradient", self.name));
            let largest = slope.to_vec().iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            assert!(
                largest > 0.05,
                "{}: the derivative by input {i} is too small to be tested: {slope}",
                self.name
            );
        }
    }

    fn agrees_with_differences(&self) {
        let check = match self.form {
            Form::Curved => Gradcheck::new(),
            Form::Bilinear | Form::Linear => Gradcheck::new().step(1.0).tolerance(1e-10),
        };
        if let Err(error) = check.order(self.order).run(&*self.f, &self.inputs) {
            panic!("{}: {error}", self.name)
        }
    }

    /// Checks ⟨A x, y⟩ = ⟨x, Aᵀ y⟩.
    fn is_adjoint(&self) {
        for policy in POLICIES {
            let tape = Tape::new().with_policy(policy);
            let x = self.place(&tape, &vec![true; self.inputs.len()]);
            let ax = self.run(&x);
            let y = spread(&ax.shape(), &[(-2.0, 2.0)], 77);
            let left = dot(&ax.value(), &y);
            let aty = ax.backward_from(y);
            let right: f64 =
                x.iter().zip(&self.inputs).map(|(&x, v)| dot(v, aty.wrt(x).unwrap())).sum();
            assert!(
                (left - right).abs() <= 1e-12 * left.abs().max(1.0),
                "{}: {left} {right}",
                self.name
            );
        }
    }
}

/// Returns the family and the member, without their constants.
fn kind(op: Op) -> Vec<String> {
    let text = format!("{op:?}");
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    words.take(2).map(str::to_string).collect()
}

/// Returns a scalar to which every element contributes differently.
fn weighted(y: Var<'_, f64>) -> Var<'_, f64> {
    testing::weighted(&[y])
}

/// Returns the closure itself. The bound makes its type serve every lifetime.
fn operation<F: for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>>>(f: F) -> F {
    f
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.to_vec().iter().zip(b.to_vec()).map(|(a, b)| a * b).sum()
}

fn any(shape: &[usize], seed: u64) -> Tensor<f64> {
    spread(shape, &[(-2.0, 2.0)], seed)
}

/// Returns the rows of an operation's family.
fn rows(family: Op) -> Vec<Row> {
    match family {
        // These have no derivative.
        Op::Constant | Op::Leaf | Op::Fill(_) | Op::Draw(_) => vec![],
        Op::Detach | Op::Integer { .. } => vec![],
        Op::Compare(_) => others::comparisons(),
        Op::Output(_) => others::outputs(),
        Op::Unary(_) => Unary::ALL.iter().flat_map(|&op| pointwise::unary(op)).collect(),
        Op::Binary(_) => Binary::ALL.iter().flat_map(|&op| pointwise::binary(op)).collect(),
        Op::Select => pointwise::select(),
        Op::View(first) => {
            successors(Some(first), |&op| view::after(op)).flat_map(view::rows).collect()
        }
        Op::Assemble(op) => assemble::rows(op),
        Op::Reduce(first) => {
            successors(Some(first), |&op| reduce::after(op)).flat_map(reduce::rows).collect()
        }
        Op::Softmax(_) => reduce::softmax(),
        Op::Normalize(_) => normalize::all(),
        Op::Lstm(_) => lstm::rows(),
        Op::Scan(_) => scan::rows(),
        Op::MatMul(op) => matmul::rows(op),
        Op::Conv(first) => {
            successors(Some(first), |&op| conv::after(op)).flat_map(conv::rows).collect()
        }
        Op::Index(first) => {
            successors(Some(first), |&op| index::after(op)).flat_map(index::rows).collect()
        }
        Op::MaxPool(_) => pool::maxima(family),
        Op::MapAxis(_) => pool::maps(),
        Op::Random(op) => others::random(op),
        Op::Custom(_) => others::custom(),
    }
}

/// Returns the first member of the next family.
fn after(family: Op) -> Option<Op> {
    match family {
        Op::Constant => Some(Op::Leaf),
        Op::Leaf => Some(Op::Fill(0.0)),
        Op::Fill(_) => Some(Op::Detach),
        Op::Detach => Some(Op::Draw(Draw { from: Distribution::Normal, stream: 0 })),
        Op::Draw(_) => Some(Op::Integer { op: IntegerOp::Given, place: 0 }),
        Op::Integer { .. } => Some(Op::Compare(Binary::Gt)),
        Op::Compare(_) => Some(Op::Output(1)),
        Op::Output(_) => Some(Op::Unary(Unary::ALL[0])),
        Op::Unary(_) => Some(Op::Binary(Binary::ALL[0])),
        Op::Binary(_) => Some(Op::Select),
        Op::Select => Some(Op::View(View::BroadcastTo)),
        Op::View(_) => Some(Op::Assemble(Assemble(0))),
        Op::Assemble(_) => Some(Op::Reduce(Reduce::Sum)),
        Op::Reduce(_) => Some(Op::Softmax(Softmax::Forward { axis: 0, log: false })),
        Op::Softmax(_) => Some(Op::Normalize(normalize::first())),
        Op::Normalize(_) => Some(Op::Lstm(Lstm::Step)),
        Op::Lstm(_) => Some(Op::Scan(scan::along(Scan::Sum, 0, false))),
        Op::Scan(_) => Some(Op::MatMul(matmul::any())),
        Op::MatMul(MatMul { .. }) => Some(Op::Conv(ConvOp::Forward(0))),
        Op::Conv(_) => Some(Op::Index(IndexOp::IndexSelect { axis: 0 })),
        Op::Index(_) => Some(Op::MaxPool(MaxPool { windows: 0, positions: 0 })),
        Op::MaxPool(_) => Some(Op::MapAxis(MapAxis { axis: 0, transposed: false, map: 0 })),
        Op::MapAxis(_) => Some(Op::Random(Random::Dropout { p: PackedF64::new(0.4), stream: 3 })),
        Op::Random(_) => Some(Op::Custom(0)),
        Op::Custom(_) => None,
    }
}

/// Returns the rows of these families.
fn every_row(wanted: impl Fn(Op) -> bool) -> Vec<Row> {
    let families = successors(Some(Op::Constant), |&op| after(op)).filter(|&op| wanted(op));
    families.flat_map(rows).collect()
}

/// Checks all rows of these families. Each family has a test of its own, so that a failure names it.
fn check(wanted: impl Fn(Op) -> bool) {
    let rows = every_row(wanted);
    assert!(!rows.is_empty());
    rows.iter().for_each(Row::check);
}

#[test]
fn derivatives_of_pointwise_operations_agree_with_differences() {
    check(|op| matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select));
}

#[test]
fn derivatives_of_views_agree_with_differences() {
    check(|op| matches!(op, Op::View(_) | Op::Assemble(_)));
}

#[test]
fn derivatives_of_reductions_agree_with_differences() {
    check(|op| matches!(op, Op::Reduce(_) | Op::Softmax(_) | Op::Normalize(_)));
}

#[test]
fn derivatives_of_recurrent_steps_agree_with_differences() {
    check(|op| matches!(op, Op::Lstm(_)));
}

#[test]
fn derivatives_of_matrix_products_agree_with_differences() {
    check(|op| matches!(op, Op::MatMul(_)));
}

#[test]
fn derivatives_of_convolutions_agree_with_differences() {
    check(|op| matches!(op, Op::Conv(_)));
}

#[test]
fn derivatives_of_index_operations_and_pools_agree_with_differences() {
    check(|op| matches!(op, Op::Index(_) | Op::MaxPool(_) | Op::MapAxis(_)));
}

#[test]
fn derivatives_of_all_other_operations_agree_with_differences() {
    let elsewhere = |op: &Op| {
        matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select)
            || matches!(op, Op::View(_) | Op::Assemble(_) | Op::Reduce(_))
            || matches!(op, Op::Softmax(_) | Op::Normalize(_))
            || matches!(op, Op::MatMul(_) | Op::Conv(_) | Op::Index(_) | Op::MapAxis(_))
            || matches!(op, Op::Lstm(_))
            || matches!(op, Op::MaxPool(_))
    };
    check(|op| !elsewhere(&op));
}
