//! Faults planted at random places in models, in the forward and in the backward pass.

use super::{anomaly_of, detecting, here, line_of};
use std::cell::RefCell;
use std::sync::Arc;
use wengert_autograd::{
    Anomaly, AnomalyPlace, Call, Cotangents, CustomOp, Outputs, Policy, Tape, Var,
};
use wengert_tensor::{Conv, Philox, Pool, Shape, Tensor};

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
fn models_without_a_planted_fault_pass() {
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
fn a_fault_planted_in_the_forward_pass_is_named() {
    planted(&FORWARD, |anomaly| assert_eq!(anomaly.place, AnomalyPlace::Output(0)));
}

#[test]
fn a_fault_planted_in_the_backward_pass_is_named() {
    planted(&BACKWARD, |anomaly| {
        assert!(matches!(anomaly.place, AnomalyPlace::Cotangent(_)), "{anomaly}");
        let given = anomaly.cotangents[0].expect("a cotangent");
        assert!(given.is_finite(), "the cotangent of the node itself must be finite: {anomaly}");
    });
}

#[test]
fn every_kind_of_planted_fault_is_found_alone() {
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
fn a_detecting_tape_has_the_values_of_an_eager_tape() {
    let run = |tape: Tape| {
        let plan = Plan::new(usize::MAX, None);
        let loss = mlp(&tape, &plan);
        (loss.item(), tape.len())
    };
    let eager = run(Tape::new().with_policy(Policy::Eager));
    assert_eq!(run(detecting()), eager);
    assert_eq!(run(detecting().with_policy(Policy::Fused)), eager);
}
