//! Detection of NaN and infinities: the error names the operation that produced the first one, with its
//! scope and line, in the forward pass and in the backward pass.
#![allow(clippy::type_complexity)]

use crate::common::panic_of;
use std::cell::RefCell;
use std::sync::Arc;
use wengert_autograd::transforms::jvp;
use wengert_autograd::{
    Anomalies, Anomaly, AnomalyPlace, Call, Cause, Cotangents, CustomOp, Outputs, Param, Policy,
    Tape, Var,
};
use wengert_tensor::{Conv, Philox, Pool, Shape, Tensor};

fn detecting() -> Tape {
    Tape::new().detecting_anomalies(Anomalies::All)
}

/// Returns the line of an expression, and its value.
macro_rules! here {
    ($e:expr) => {
        (line!(), $e)
    };
}

/// Returns the anomaly that `body` must cause.
#[track_caller]
fn anomaly_of<R>(tape: &Tape, body: impl FnOnce() -> R) -> Anomaly {
    let error = tape.catch(body).err().expect("an anomaly");
    assert_eq!(error.cause, Cause::NotFinite, "{error}");
    let anomaly = tape.anomaly().expect("its parts");
    assert_eq!((&error.path, &error.message), (&anomaly.scope, &anomaly.to_string()));
    anomaly
}

fn line_of(anomaly: &Anomaly) -> u32 {
    let location = anomaly.location.expect("a line");
    assert_eq!(location.file(), file!());
    location.line()
}

/// The identity, with a wrong derivative: the rule adds a number to the cotangent.
struct Spoil(f64);
impl CustomOp<f32> for Spoil {
    fn name(&self) -> &'static str {
        "spoil"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor]) -> Outputs<Tensor> {
        [x[0].clone()].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f32>) -> Cotangents<'t, f32> {
        [Some(c.gy() + c.tape().full(c.x_shape(0), self.0))].into_iter().collect()
    }
}

/// Returns ones, except for its first element, which is the given number.
struct Poison(f32);
impl CustomOp<f32> for Poison {
    fn name(&self) -> &'static str {
        "poison"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor]) -> Outputs<Tensor> {
        [Tensor::from_fn(&x[0].shape(), |i| if i == 0 { self.0 } else { 1.0 })].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f32>) -> Cotangents<'t, f32> {
        [Some(c.gy())].into_iter().collect()
    }
}

/// Applies an operation that fails on finite operands. Returns its name, its line and its result.
type Fault = for<'t> fn(Var<'t>) -> (&'static str, u32, Var<'t>);

fn fault<'t>(op: &'static str, (line, y): (u32, Var<'t>)) -> (&'static str, u32, Var<'t>) {
    (op, line, y)
}

/// Faults in the forward pass. `tanh` limits the range of the operands.
const FORWARD: [Fault; 10] = [
    |x| fault("ln", here!((x.tanh().abs() - 2.0).ln())),
    |x| fault("sqrt", here!((x.tanh() - 2.0).sqrt())),
    |x| fault("exp", here!((x.tanh() + 90.0).exp())),
    |x| fault("recip", here!((0.0 * x.tanh()).recip())),
    |x| fault("div", here!(x.tanh() / (0.0 * x.tanh()))),
    |x| fault("powi", here!((x.tanh() + 1e30).square())),
    |x| fault("mul", here!((x.tanh() + 1e30) * (x.tanh() - 1e30))),
    |x| fault("sum", here!((0.0 * x.tanh() + 3e38).broadcast_to(twice(x)).sum_to(x.shape()))),
    |x| fault("poison", here!(x.tape().custom(Arc::new(Poison(f32::NAN)), &[x])[0])),
    |x| fault("poison", here!(x.tape().custom(Arc::new(Poison(f32::NEG_INFINITY)), &[x])[0])),
];

/// Returns the shape with an additional first axis of size 2.
fn twice(x: Var<'_>) -> Vec<usize> {
    [&[2], &x.shape()[..]].concat()
}

/// Faults in the backward pass: the values are finite, but the derivative of the operation is not.
const BACKWARD: [Fault; 6] = [
    |x| fault("sqrt", here!((0.0 * x).sqrt())),
    |x| fault("powf", here!((0.0 * x).powf(0.25))),
    |x| fault("spoil", here!(x.tape().custom(Arc::new(Spoil(f64::NAN)), &[x])[0])),
    |x| fault("spoil", here!(x.tape().custom(Arc::new(Spoil(f64::INFINITY)), &[x])[0])),
    |x| fault("spoil", here!(x.tape().custom(Arc::new(Spoil(f64::NEG_INFINITY)), &[x])[0])),
    |x| fault("pow", here!((0.0 * x).pow(0.0 * x + 0.5))),
];

/// Derivatives that overflow where the cotangent is large.
const STEEP: [Fault; 3] = [
    |x| fault("div", here!(x.tape().full(x.shape(), 1e-30) / (0.0 * x + 1e-30))),
    |x| fault("recip", here!((0.0 * x + 1e-30).recip() * 1e-30)),
    |x| fault("ln", here!((0.0 * x + 1e-37).ln())),
];

/// The fault to insert in a run of a model, and the number of the operation after which it is inserted.
struct Plan {
    site: usize,
    fault: Option<Fault>,
    /// The number of operations so far, and the inserted fault: operation, line, scope.
    seen: RefCell<(usize, Option<(&'static str, u32, String)>)>,
}

impl Plan {
    fn new(site: usize, fault: Option<Fault>) -> Self {
        Plan { site, fault, seen: RefCell::default() }
    }

    /// Returns the result of an operation. After the chosen operation, the fault is applied to it.
    fn at<'t>(&self, y: Var<'t>) -> Var<'t> {
        let site = self.seen.borrow().0;
        self.seen.borrow_mut().0 += 1;
        let Some(fault) = self.fault.filter(|_| site == self.site) else { return y };
        let scope = y.tape().path();
        // The fault is recorded before it runs on this tape, which may refuse it.
        let table = Tape::new();
        let (op, line, _) = fault(table.watch(Tensor::full(&[1], 0.5)));
        self.seen.borrow_mut().1 = Some((op, line, scope));
        y + 1e-3 * fault(y).2
    }
}

fn random(shape: &[usize], rng: &mut Philox) -> Tensor {
    Tensor::normal(shape, 0.0, 0.5, rng)
}

fn mlp<'t>(tape: &'t Tape, p: &Plan) -> Var<'t> {
    let mut rng = Philox::new(1);
    let mut x = tape.constant(random(&[8, 5], &mut rng));
    for (i, pair) in [5, 12, 12, 4].windows(2).enumerate() {
        x = tape.scope(&format!("fc{i}"), || {
            let w = tape.watch(random(pair, &mut rng));
            let b = tape.watch(random(&pair[1..], &mut rng));
            let y = p.at(x.matmul(w));
            let y = p.at(y + b);
            p.at(y.tanh())
        });
    }
    let error = p.at(x - tape.constant(random(&[8, 4], &mut rng)));
    p.at(p.at(error.square()).mean_all())
}

fn conv_net<'t>(tape: &'t Tape, p: &Plan) -> Var<'t> {
    let mut rng = Philox::new(2);
    let mut x = tape.constant(random(&[4, 2, 12, 12], &mut rng));
    for (name, channels, inputs) in [("conv1", 3, 2), ("conv2", 4, 3)] {
        x = tape.scope(name, || {
            let weight = tape.watch(random(&[channels, inputs, 3, 3], &mut rng));
            let bias = tape.watch(random(&[channels], &mut rng));
            let y = p.at(x.conv2d(weight, Some(bias), &Conv::new().padding(1)));
            let y = tape.scope("norm", || {
                let axes = [0, 2, 3];
                let centred = p.at(y - y.mean(&axes, true));
                let var = p.at(y.var(&axes, true, 0));
                p.at(centred / (var + 1e-5).sqrt())
            });
            let y = p.at(y.tanh());
            p.at(y.max_pool2d(&Pool::new(2)))
        });
    }
    let flat = p.at(x.flatten(1, -1));
    let w = tape.watch(random(&[flat.shape()[1], 3], &mut rng));
    let scores = p.at(flat.matmul(w));
    let logs = p.at(scores.log_softmax(1));
    -p.at(logs.pick(&Tensor::from([0i64, 2, 1, 0]))).mean_all()
}

trait Pick {
    fn pick(self, classes: &Tensor<i64>) -> Self;
}
impl Pick for Var<'_> {
    /// Selects one element of each row.
    fn pick(self, classes: &Tensor<i64>) -> Self {
        self.gather(1, &classes.unsqueeze(1))
    }
}

/// Attention of each step to itself and the steps before it, then a recurrence over the steps.
fn recurrent<'t>(tape: &'t Tape, p: &Plan) -> Var<'t> {
    let mut rng = Philox::new(3);
    let (steps, width) = (4, 6);
    let x = tape.constant(random(&[steps, width], &mut rng));
    let mut matrix = || tape.watch(random(&[width, width], &mut rng));
    let attended = tape.scope("attention", || {
        let (q, k) = (p.at(x.matmul(matrix())), p.at(x.matmul(matrix())));
        let v = p.at(x.matmul(matrix()));
        let scores = p.at(q.matmul(k.t()) / (width as f64).sqrt());
        let later =
            Tensor::from_fn(&[steps, steps], |i| f32::from(u8::from(i % steps > i / steps)));
        let masked = p.at(scores.masked_fill(tape.constant(later).ne(0), -1e9));
        p.at(p.at(masked.softmax(1)).matmul(v))
    });
    let (w, u) = (matrix(), matrix());
    let mut state = tape.zeros([1, width]);
    for step in 0..steps {
        state = tape.scope(&format!("step{step}"), || {
            let input = attended.narrow(0, step, 1);
            let sum = p.at(input.matmul(w) + state.matmul(u));
            p.at(sum.sigmoid())
        });
    }
    p.at(state.square().sum_all())
}

type Model = for<'t> fn(&'t Tape, &Plan) -> Var<'t>;
const MODELS: [Model; 3] = [mlp, conv_net, recurrent];

#[test]
fn models_without_faults_pass() {
    for model in MODELS {
        let (tape, plan) = (detecting(), Plan::new(usize::MAX, None));
        let loss = model(&tape, &plan);
        loss.backward_retain();
        assert!(tape.anomaly().is_none());
        let sites = plan.seen.borrow().0;
        assert!(sites >= 10, "{sites} operations");
    }
}

/// Inserts faults at ten random operations in each model.
fn planted(faults: &[Fault], check: impl Fn(&Anomaly)) {
    let mut rng = Philox::new(17);
    let mut draw = |n: usize| {
        use rand::Rng as _;
        rng.next_u32() as usize % n
    };
    for (number, model) in MODELS.into_iter().enumerate() {
        let sites = {
            let plan = Plan::new(usize::MAX, None);
            model(&Tape::new(), &plan);
            plan.seen.borrow().0
        };
        for turn in 0..10 {
            let (site, kind) = (draw(sites), draw(faults.len()));
            let plan = Plan::new(site, Some(faults[kind]));
            let tape = detecting();
            let anomaly = anomaly_of(&tape, || model(&tape, &plan).backward());
            let (op, line, scope) = plan.seen.borrow().1.clone().expect("planted");
            let found = (anomaly.op.as_str(), line_of(&anomaly), anomaly.scope.clone());
            assert_eq!(found, (op, line, scope), "model {number}, turn {turn}: {anomaly}");
            assert!(
                anomaly.operands.iter().all(wengert_autograd::ValueSummary::is_finite),
                "{anomaly}"
            );
            check(&anomaly);
        }
    }
}

#[test]
fn what_is_planted_in_the_forward_pass_is_named() {
    planted(&FORWARD, |anomaly| assert_eq!(anomaly.place, AnomalyPlace::Output(0)));
}

#[test]
fn what_is_planted_in_the_walk_back_is_named() {
    planted(&BACKWARD, |anomaly| {
        assert!(matches!(anomaly.place, AnomalyPlace::Cotangent(_)), "{anomaly}");
        let given = anomaly.cotangents[0].expect("a cotangent");
        assert!(given.is_finite(), "its own cotangent was fine: {anomaly}");
    });
}

#[test]
fn every_fault_is_found_by_itself() {
    for (i, fault) in FORWARD.into_iter().enumerate() {
        let tape = detecting();
        let x = tape.watch(Tensor::from([0.5, 0.25]));
        let anomaly = anomaly_of(&tape, || fault(x));
        let (op, line, _) = fault(Tape::new().watch(Tensor::from([0.5, 0.25])));
        assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), (op, line), "{i}");
    }
    for (i, fault) in BACKWARD.into_iter().chain(STEEP).enumerate() {
        let tape = detecting();
        let x = tape.watch(Tensor::from([0.5, 0.25]));
        let (op, line, y) = fault(x);
        let loss = (1e10 * y).sum_all();
        let anomaly = anomaly_of(&tape, || loss.backward());
        assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), (op, line), "{i}");
    }
}

#[test]
fn the_root_at_zero() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0, 9.0]));
    let (line, y) = here!(tape.scope("norm", || x.sqrt()));
    let loss = y.sum_all();
    let anomaly = anomaly_of(&tape, || loss.backward());
    assert_eq!((anomaly.op.as_str(), anomaly.scope.as_str()), ("sqrt", "norm"));
    assert_eq!(line_of(&anomaly), line);
    assert_eq!(anomaly.place, AnomalyPlace::Cotangent(0));
    assert_eq!((anomaly.found.positive_infinite, anomaly.found.nan), (1, 0));
    assert_eq!((anomaly.found.min, anomaly.found.max), (Some(f64::from(0.5f32 / 3.0)), Some(0.25)));
    assert_eq!((anomaly.operands[0].min, anomaly.operands[0].max), (Some(0.0), Some(9.0)));
    assert_eq!(anomaly.cotangents[0].unwrap().max, Some(1.0));
}

#[test]
fn the_logarithm_of_minus_one() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([1.0, -1.0]));
    let anomaly = anomaly_of(&tape, || x.ln());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("ln", line!() - 1));
    assert_eq!((anomaly.found.nan, anomaly.found.min), (1, Some(0.0)));
    assert_eq!(anomaly.operands[0].min, Some(-1.0));
    assert_eq!(anomaly.place, AnomalyPlace::Output(0));
}

#[test]
fn zero_by_zero() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([[1.0, 0.0], [2.0, 0.0]]));
    let anomaly = anomaly_of(&tape, || x / tape.constant(Tensor::from([1.0, 0.0])));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("div", line!() - 1));
    assert_eq!((anomaly.found.nan, anomaly.found.infinite()), (2, 0));
    assert_eq!(anomaly.operands.len(), 2);
    assert_eq!(
        anomaly.to_string().lines().skip(2).collect::<Vec<_>>(),
        [
            "  operand 0: shape [2, 2], minimum 0.0, maximum 2.0, all finite",
            "  operand 1: shape [2, 2], minimum 0.0, maximum 1.0, all finite",
        ]
    );
}

#[test]
fn an_exponential_that_overflows() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([88.0, 89.0]));
    let anomaly = anomaly_of(&tape, || x.exp());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("exp", line!() - 1));
    assert_eq!(anomaly.found.positive_infinite, 1);
    let wide = Tape::<f64>::new().detecting_anomalies(Anomalies::All);
    assert!(wide.watch(Tensor::from([88.0, 89.0])).exp().value().at(&[1]) > 1e38);
}

#[test]
fn batch_norm_of_a_constant_without_epsilon() {
    let tape = detecting();
    let x = tape.watch(Tensor::from_fn(&[8, 2], |i| if i % 2 == 0 { i as f32 } else { 3.0 }));
    let (mean, var) = (x.mean(&[0], true), x.var(&[0], true, 0));
    let anomaly = anomaly_of(&tape, || {
        let std = var.sqrt();
        (x - mean) / std
    });
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("div", line!() - 2));
    assert_eq!((anomaly.found.nan, anomaly.operands[1].min), (8, Some(0.0)));
    // All values are finite, so the derivative of the root is the first infinity.
    let tape = detecting();
    let x = tape.watch(Tensor::full(&[8, 2], 3.0));
    let var = x.var(&[0], true, 0);
    let (line, std) = here!(var.sqrt());
    let anomaly = anomaly_of(&tape, || std.sum_all().backward());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line));
}

#[test]
fn the_softmax_of_nothing_but_minus_infinity() {
    let tape = Tape::new().detecting_anomalies(Anomalies::NewInfinities);
    let mask = Tensor::from_fn(&[2, 3], |i| if i < 3 { f32::NEG_INFINITY } else { 0.0 });
    let scores = tape.watch(Tensor::ones(&[2, 3])) + tape.constant(mask);
    let anomaly = anomaly_of(&tape, || scores.softmax(1));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("log_softmax", line!() - 1));
    assert_eq!((anomaly.found.nan, anomaly.operands[0].negative_infinite), (3, 3));
}

#[test]
fn a_division_in_a_branch_that_is_not_taken() {
    // The quotient is the first value that is not finite in the forward pass.
    let run = |tape: &Tape| {
        let x = tape.watch(Tensor::from([2.0, 0.0]));
        let y = tape.constant(Tensor::from([1.0, 0.0]));
        let quotient = y / x;
        Var::where_(x.ne(0), quotient, 0).sum_all().backward().wrt(x).cloned()
    };
    let line = line!() - 3;
    for which in [Anomalies::All, Anomalies::NewInfinities, Anomalies::NanOnly] {
        let tape = Tape::new().detecting_anomalies(which);
        let anomaly = anomaly_of(&tape, || run(&tape));
        assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("div", line), "{which:?}");
    }
    // The selected values are finite. 1/0 is not selected, but its derivative turns a cotangent of 0
    // into NaN.
    let tape = Tape::new().detecting_anomalies(Anomalies::NanOnly);
    let x = tape.watch(Tensor::from([2.0, 0.0]));
    let quotient = tape.ones([2]) / x;
    let line = line!() - 1;
    let loss = Var::where_(x.ne(0), quotient, 0).sum_all();
    assert_eq!(loss.item(), 0.5);
    let anomaly = anomaly_of(&tape, || loss.backward());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("div", line));
    assert_eq!(anomaly.place, AnomalyPlace::Cotangent(1));
    assert_eq!(anomaly.found.nan, 1);
    assert!(anomaly.cotangents[0].unwrap().is_finite());
    // The same holds for a root: its derivative at 0 is infinite, and 0 times it is NaN.
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0]));
    let root = x.sqrt();
    let line = line!() - 1;
    let loss = Var::where_(x.gt(0), root, 0).sum_all();
    let anomaly = anomaly_of(&tape, || loss.backward());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line));
    assert_eq!(anomaly.found.nan, 1);
}

#[test]
fn values_that_are_given_are_refused_where_they_are_put_on_the_tape() {
    let nan = || Tensor::from([1.0, f32::NAN]);
    let tape = detecting();
    let anomaly = anomaly_of(&tape, || tape.constant(nan()));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("constant", line!() - 1));
    assert_eq!(anomaly.place, AnomalyPlace::Given);
    let anomaly = anomaly_of(&tape, || tape.scope("input", || tape.watch(nan())));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("watch", line!() - 1));
    let anomaly = anomaly_of(&tape, || tape.full([2], f64::NEG_INFINITY));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("full", line!() - 1));
    assert_eq!(anomaly.found.negative_infinite, 2);
    let layers = vec![Param::new(Tensor::from([1.0f32])), Param::new(nan())];
    let tape = detecting();
    let anomaly = anomaly_of(&tape, || tape.enter(&layers, || tape.param(&layers[1])));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("param", line!() - 1));
    assert_eq!(anomaly.name.as_deref(), Some("1"));
    assert!(
        anomaly
            .to_string()
            .starts_with("param `1`: the given value contains 1 NaN among 2 numbers")
    );
    let buffer = wengert_autograd::Buffer::new(nan());
    let anomaly = anomaly_of(&tape, || tape.buffer(&buffer));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("buffer", line!() - 1));
    // The infinity is an argument of an operation.
    let x = tape.constant(Tensor::from([1.0, 2.0]));
    let anomaly = anomaly_of(&tape, || x.masked_fill(x.gt(1.5), f64::NEG_INFINITY));
    assert_eq!(line_of(&anomaly), line!() - 1);
    assert!(anomaly.to_string().contains("Anomalies::NewInfinities"), "{anomaly}");
}

#[test]
fn infinities_that_are_meant_are_allowed() {
    for which in [Anomalies::NewInfinities, Anomalies::NanOnly] {
        let tape = Tape::new().detecting_anomalies(which);
        let x = tape.watch(Tensor::from_fn(&[3, 3], |i| 0.1 * i as f32));
        let later = Tensor::from_fn(&[3, 3], |i| f32::from(u8::from(i % 3 > i / 3)));
        let masked = x.masked_fill(tape.constant(later.clone()).ne(0), f64::NEG_INFINITY);
        let weights = masked.softmax(1);
        assert_eq!(weights.value().at(&[0, 0]), 1.0);
        assert!(masked.logsumexp(&[1], false).value().at(&[0]) == 0.0);
        let added = x + tape.constant(later.map_mask());
        let gradients = (weights * weights + added.softmax(1)).sum_all().backward();
        assert!(gradients.wrt(x).unwrap().to_vec().iter().all(|g| g.is_finite()));
    }
    // An infinity computed from finite numbers is refused by `NewInfinities`, but not by `NanOnly`.
    let tape = Tape::new().detecting_anomalies(Anomalies::NewInfinities);
    let x = tape.watch(Tensor::from([100.0]));
    assert_eq!(anomaly_of(&tape, || x.exp()).op, "exp");
    let tape = Tape::new().detecting_anomalies(Anomalies::NanOnly);
    let y = tape.watch(Tensor::from([100.0])).exp();
    assert_eq!(y.value().to_vec(), [f32::INFINITY]);
    assert_eq!(anomaly_of(&tape, || y - y).op, "sub");
}

trait Mask {
    fn map_mask(&self) -> Tensor;
}
impl Mask for Tensor {
    /// Returns -∞ for 1 and 0 for 0.
    fn map_mask(&self) -> Tensor {
        let numbers = self.to_vec();
        Tensor::from_fn(&self.shape(), |i| if numbers[i] > 0.0 { f32::NEG_INFINITY } else { 0.0 })
    }
}

#[test]
fn sums_of_cotangents_that_overflow_are_named() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = x.tanh();
    let line = line!() - 1;
    let loss = (2e38 * y - 2e38 * y.detach()).sum_all() + (2e38 * y - 2e38 * y.detach()).sum_all();
    let anomaly = anomaly_of(&tape, || loss.backward());
    assert_eq!((anomaly.place, anomaly.op.as_str()), (AnomalyPlace::Sum, "tanh"));
    assert_eq!((line_of(&anomaly), anomaly.found.positive_infinite), (line, 2));
}

#[test]
fn seeds_are_looked_at() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = x.exp();
    let anomaly = anomaly_of(&tape, || y.backward_from(Tensor::from([1.0, f32::NAN])));
    assert_eq!((anomaly.place, anomaly.op.as_str()), (AnomalyPlace::Sum, "exp"));
}

#[test]
fn gradients_that_are_variables_are_looked_at_too() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0]));
    let (line, y) = here!(x.sqrt());
    let anomaly = anomaly_of(&tape, || y.sum_all().grad(&[x]));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line));
    // x^1.5: the first derivative at 0 is 0, the second is infinite.
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0]));
    let (line, y) = here!(x.powf(1.5));
    let slope = y.sum_all().grad(&[x])[0];
    assert_eq!(slope.value().to_vec(), [3.0, 0.0]);
    let anomaly = anomaly_of(&tape, || slope.sum_all().grad(&[x]));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("powf", line));
    assert_eq!(anomaly.rule_of.as_deref(), Some("powf"));
    // Forward mode is checked, too.
    let tape = detecting();
    let x = tape.constant(Tensor::from([4.0, 0.0]));
    let t = tape.ones([2]);
    let anomaly = anomaly_of(&tape, || jvp(|x: Var<'_>| x.sqrt(), x, t));
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line!() - 1));
    assert_eq!(anomaly.place, AnomalyPlace::Tangent);
}

#[test]
fn steps_within_a_rule_may_be_infinite() {
    // The rule of aᵇ at a = b = 0 masks an infinite power. |x| at 0 and the maximum of equal numbers
    // have kinks.
    let tape = detecting();
    let x = tape.watch(Tensor::from([0.0, 1.0]));
    let b = tape.watch(Tensor::from([0.0, 2.0]));
    let y = x.pow(b) + x.abs() + x.maximum(x.detach()) + x.relu();
    let gradients = y.sum_all().backward();
    assert!(gradients.wrt(x).unwrap().to_vec().iter().all(|g| g.is_finite()));
    assert!(tape.anomaly().is_none());
}

#[test]
fn a_refusal_without_catch_panics_at_the_callers_line() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([0.0]));
    let (message, file, line) = panic_of(|| drop(tape.scope("fc1", || x.ln()).value()));
    assert_eq!((file.as_str(), line), (file!(), line!() - 1));
    assert!(message.starts_with("fc1: ln: the result contains 1 -∞ among 1 numbers"), "{message}");
    let loss = x.sqrt().sum_all();
    let (message, file, line) = panic_of(|| drop(loss.backward()));
    assert_eq!((file.as_str(), line), (file!(), line!() - 1));
    assert!(message.contains(&format!("recorded at {}:{}", file!(), line - 1)), "{message}");
    assert!(message.contains("cotangent of the result: shape [1], minimum 1.0"), "{message}");
}

#[test]
fn a_tape_goes_on_after_a_refusal() {
    let tape = detecting();
    let x = tape.watch(Tensor::from([4.0, 0.0]));
    let root = x.sqrt();
    anomaly_of(&tape, || root.sum_all().backward_retain());
    let gradients = (x * x).sum_all().backward();
    assert_eq!(gradients.wrt(x).unwrap().to_vec(), [8.0, 0.0]);
}

#[test]
fn such_a_tape_is_eager_and_has_the_same_numbers() {
    let run = |tape: Tape| {
        let plan = Plan::new(usize::MAX, None);
        let loss = mlp(&tape, &plan);
        (loss.item(), tape.len())
    };
    let eager = run(Tape::new().with_policy(Policy::Eager));
    assert_eq!(run(detecting()), eager);
    assert_eq!(run(detecting().with_policy(Policy::Fused)), eager);
}

#[test]
fn a_replay_with_other_numbers_is_looked_at() {
    let w = Param::new(Tensor::from([1.0f32, 2.0]));
    let tape = detecting();
    let x = tape.constant(Tensor::from([3.0, 4.0]));
    let y = tape.scope("log", || (tape.param(&w) * x).ln());
    let line = line!() - 1;
    let _ = y.sum_all();
    let anomaly = anomaly_of(&tape, || tape.replay(&w).set(x, Tensor::from([1.0, -5.0])).run());
    assert_eq!((anomaly.op.as_str(), anomaly.scope.as_str()), ("ln", "log"));
    assert_eq!(line_of(&anomaly), line);
    let anomaly = anomaly_of(&tape, || tape.replay(&w).set(x, Tensor::from([1.0, f32::NAN])).run());
    assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("constant", line - 1));
}

#[test]
fn every_kind_of_operation_knows_its_line() {
    let tape = detecting();
    let x = tape.watch(Tensor::full(&[1, 1, 4, 4], 3e38));
    let w = tape.watch(Tensor::full(&[1, 1, 3, 3], 2.0));
    let m = x.reshape([4, 4]);
    let line = line!();
    let found: [Anomaly; 9] = [
        anomaly_of(&tape, || m.matmul(m)),
        anomaly_of(&tape, || m.t().matmul(m)),
        anomaly_of(&tape, || x.conv2d(w, None, &Conv::new())),
        anomaly_of(&tape, || x.sum_all()),
        anomaly_of(&tape, || m.sum(&[0], false)),
        anomaly_of(&tape, || m.square()),
        anomaly_of(&tape, || m + m),
        anomaly_of(&tape, || m * 2.0),
        anomaly_of(&tape, || m.mean_all()),
    ];
    for (i, anomaly) in (1..).zip(&found) {
        assert_eq!(line_of(anomaly), line + 1 + i, "{anomaly}");
    }
}

/// `NewInfinities` refuses infinities in sums of cotangents and in tangents, unless an infinity was given
/// before.
#[test]
fn infinities_of_sums_and_tangents_are_new() {
    let tape = Tape::new().detecting_anomalies(Anomalies::NewInfinities);
    let v = tape.watch(Tensor::zeros(&[1]));
    let loss = (v * 3e38).sum_all() + (v * 3e38).sum_all();
    assert_eq!(anomaly_of(&tape, || loss.backward_retain()).place, AnomalyPlace::Sum);
    let x = tape.watch(Tensor::zeros(&[1]));
    let root = |x: Var<'_>| jvp(|x: Var<'_>| x.sqrt(), x, x.tape().full([1], 1.0)).1.value();
    let anomaly = anomaly_of(&tape, || root(x));
    assert_eq!((anomaly.op.as_str(), anomaly.place), ("sqrt", AnomalyPlace::Tangent));
    // A mask of -∞ was given, so any infinity may come from the mask.
    let tape = Tape::new().detecting_anomalies(Anomalies::NewInfinities);
    let mask = tape.constant(Tensor::from([0.0, f32::NEG_INFINITY]));
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    let y = (x + mask).sum_all();
    assert_eq!(tape.catch(|| y.backward().wrt(x).unwrap().to_vec()), Ok(vec![1.0, 1.0]));
}

/// A replay checks the cotangents that `grad` has recorded.
#[test]
fn a_replay_looks_at_gradients() {
    for after in [false, true] {
        let tape = detecting();
        let x = tape.watch(Tensor::from([4.0, 1.0]));
        let (line, y) = here!(x.sqrt());
        let g = y.sum_all().grad(&[x])[0];
        if after {
            let _ = (g * 2.0).sum_all();
        }
        tape.replay(&()).set(x, Tensor::from([9.0, 4.0])).run();
        let replay = || tape.replay(&()).set(x, Tensor::from([9.0, 0.0])).run();
        let anomaly = anomaly_of(&tape, replay);
        assert_eq!((anomaly.op.as_str(), line_of(&anomaly)), ("sqrt", line));
        assert_eq!(anomaly.place, AnomalyPlace::Cotangent(0));
        assert_eq!(anomaly.found.infinite(), 1);
    }
}

/// The result of a hook is checked, and the error names the hook.
#[test]
fn hooks_that_return_no_numbers_are_named() {
    for leaf in [true, false] {
        for retain in [true, false] {
            let tape = detecting();
            let x = tape.watch(Tensor::from([4.0, 1.0]));
            let y = x * 3.0;
            let loss = y.square().sum_all();
            let seen = if leaf { x } else { y };
            let hooked = loss.hooks().replace(seen, |g, _| g * f64::NAN);
            let anomaly = anomaly_of(&tape, || {
                if retain { hooked.backward_retain() } else { hooked.backward() }
            });
            assert_eq!(anomaly.place, AnomalyPlace::Hook, "{anomaly}");
            assert!(anomaly.to_string().contains("a hook replaced the cotangent"), "{anomaly}");
        }
    }
}
