//! Checks which values a tape computes and keeps, through internals of the tape.

use super::{POLICIES, any};
use crate::graph::{Call, Cotangents, CustomOp, Op, Outputs, Policy, Reads, Tape, Var};
use crate::module::Param;
use std::sync::{Arc, Mutex};
use wengert_tensor::{Shape, Tensor};

impl<T: wengert_tensor::Float> Tape<T> {
    fn has(&self, x: Var<'_, T>) -> bool {
        self.arena.borrow().values[x.id as usize].is_some()
    }

    fn held(&self) -> usize {
        self.arena.borrow().values.iter().flatten().count()
    }

    fn count(&self, from: usize, counts: impl Fn(Op) -> bool) -> usize {
        self.arena.borrow().nodes[from..].iter().filter(|node| counts(node.op)).count()
    }
}

#[test]
fn a_pointwise_operation_stays_pending_until_its_value_is_read() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let x = tape.watch(any(&[4, 5], 1));
        let y = (2.0 * x + 1.0).tanh();
        assert_eq!(tape.has(y), policy == Policy::Eager);
        y.shape();
        assert_eq!(
            tape.has(y),
            policy == Policy::Eager,
            "reading a shape must not compute a value"
        );
        y.value();
        assert!(tape.has(y));
        let between = Var { id: y.id - 1, ..y };
        assert_eq!(tape.has(between), policy == Policy::Eager, "one pass stores only its result");
    }
}

type OfTwo = for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>;

/// The functions of a batch normalisation y and a residual x for which one pass computes both.
const BEHIND_BATCH_NORM: [OfTwo; 5] =
    [|y, _| y.relu(), |y, x| y + x, |y, x| x + y, |y, x| (y + x).relu(), |y, x| (x + y).relu()];

#[test]
fn a_batch_norm_is_computed_together_with_what_follows() {
    for (policy, read) in POLICIES.into_iter().flat_map(|policy| [(policy, false), (policy, true)])
    {
        for f in BEHIND_BATCH_NORM {
            let tape = Tape::<f64>::new().with_policy(policy);
            let x = tape.watch(any(&[4, 3, 5], 1));
            let [y, ..] = x.batch_norm([None, None], 1e-2);
            assert_eq!(tape.has(y), policy == Policy::Eager);
            let z = f(y, x.tanh());
            let other = read.then(|| y.sin());
            z.value();
            // A pending reader needs y on its own.
            let stored = policy == Policy::Eager || read;
            assert!(tape.has(z) && tape.has(y) == stored, "{policy:?}, {read}");
            assert!(other.is_none_or(|other| other.value().to_vec() == y.value().sin().to_vec()));
        }
    }
}

#[test]
fn gradients_behind_a_batch_norm_have_the_same_bits_under_both_policies() {
    for f in BEHIND_BATCH_NORM {
        for shared in [false, true] {
            let results = POLICIES.map(|policy| {
                let run = |walk: bool| {
                    let tape = Tape::<f64>::new().with_policy(policy);
                    let [x, residual] = [1, 2].map(|seed| tape.watch(any(&[4, 3, 5], seed)));
                    let [w, b] = [3, 4].map(|seed| tape.watch(any(&[3], seed)));
                    let [y, ..] = x.batch_norm([Some(w), Some(b)], 1e-2);
                    let z = f(y, residual);
                    let loss = if shared { z * y.tanh() } else { z.tanh() * residual };
                    let of = [x, residual, w, b];
                    if walk {
                        let gradients = loss.sum_all().backward();
                        let values = |x| gradients.wrt(x).map(Tensor::to_vec).unwrap_or_default();
                        return of.map(values).to_vec();
                    }
                    let first = loss.sum_all().grad_or_zero(&of);
                    let second = first.iter().map(|g| (*g * *g).sum_all()).reduce(|a, b| a + b);
                    let second = second.unwrap().grad_or_zero(&of);
                    let all = first.into_iter().chain(second).chain([z, loss]);
                    all.map(|x| x.value().to_vec()).collect()
                };
                [run(true), run(false)].concat()
            });
            for ((a, b), what) in results[0].iter().zip(&results[1]).zip(0..) {
                assert!(a == b, "{what}: {a:?}\n{b:?}");
            }
        }
    }
}

#[test]
fn a_value_that_no_rule_reads_is_dropped_when_its_scope_ends() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let (x, mut inside) = (tape.watch(any(&[4, 4], 1)), vec![]);
        let bent = tape.scope("block", || {
            let product = x.matmul(x);
            let shifted = product + 1.0;
            inside = vec![product, shifted];
            shifted.tanh()
        });
        let loss = bent.matmul(x).sum_all();
        loss.value();
        let [product, shifted] = inside[..] else { unreachable!() };
        assert!(!tape.has(product) && !tape.has(shifted), "{policy:?}");
        let alone = Tape::<f64>::new();
        let x_alone = alone.watch(any(&[4, 4], 1));
        let expected = x_alone.matmul(x_alone).value() + &Tensor::scalar_of(1.0);
        assert_eq!(shifted.value(), expected, "a released value must be computed again on request");
        loss.backward_retain();
        assert!(tape.has(bent), "the rule of tanh reads its output");
        assert_eq!(shifted.value(), expected);
    }
}

#[test]
fn release_drops_a_value_unless_it_was_requested_or_a_rule_reads_it() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let x = tape.watch(any(&[4, 4], 1));
        let y = x.matmul(x);
        let z = y + 1.0;
        z.value();
        assert!(tape.has(y));
        y.release();
        assert!(!tape.has(y) && tape.has(z));
        let kept = x.matmul(x);
        kept.value();
        kept.release();
        assert!(tape.has(kept), "a requested value must be kept");
        let read = x.matmul(x);
        let loss = (read * read).sum_all();
        loss.value();
        read.release();
        assert!(tape.has(read), "a value that a rule reads must be kept");
        loss.backward();
        assert!(!tape.has(read));
    }
}

#[test]
fn backward_keeps_given_and_requested_values_only() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let (x, w) = (tape.constant(any(&[3, 4], 1)), Param::new(any(&[4, 5], 2)));
        let asked = x.matmul(tape.param(&w)).tanh();
        asked.value();
        let loss = asked.sin().sum_all();
        loss.backward();
        assert!(tape.has(x) && tape.has(asked) && tape.has(loss));
        assert_eq!(tape.held(), 3, "{policy:?}");
    }
}

/// The identity. Its rule stores how many values the tape holds during the backward walk.
#[derive(Default)]
struct Probe(Mutex<Vec<usize>>);
impl CustomOp<f64> for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }
    fn shapes(&self, inputs: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok(inputs.iter().copied().collect())
    }
    fn forward(&self, inputs: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        inputs.iter().cloned().collect()
    }
    fn vjp<'t>(&self, call: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        self.0.lock().unwrap().push(call.tape().held());
        [Some(call.gy())].into()
    }
    fn reads(&self, _arg: usize) -> Reads {
        Reads::NOTHING
    }
}

#[test]
fn a_cotangent_is_dropped_when_no_pending_node_reads_it() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let w = Param::new(any(&[4, 4], 1));
        let probe = Arc::new(Probe::default());
        let (mut before, mut x) = (tape.constant(any(&[4, 4], 2)), tape.constant(any(&[4, 4], 3)));
        for _ in 0..12 {
            // Each layer has a shortcut. The cotangent of the shortcut is still pending when the walk
            // reaches the layer.
            let bent = tape.custom(probe.clone(), &[x.matmul(tape.param(&w))])[0];
            (before, x) = (x, (0.5 * before + bent).relu());
        }
        let loss = x.sum_all();
        loss.value();
        loss.backward();
        // In the first block the tape holds given values, the loss, and the values that this block
        // needs.
        let held = probe.0.lock().unwrap();
        assert!(*held.last().unwrap() <= 8, "{policy:?}: {held:?}");
    }
}

#[test]
fn a_value_that_no_rule_reads_is_dropped_before_the_backward_pass() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let x = tape.watch(any(&[4, 4], 1));
        let probe = Arc::new(Probe::default());
        let sum = x.matmul(x) + 1.0;
        let loss = tape.custom(probe.clone(), &[sum.tanh()])[0].sum_all();
        loss.value();
        loss.backward();
        // The tape holds x, the output of tanh, the loss, and the cotangent.
        assert!(probe.0.lock().unwrap()[0] <= 4, "{policy:?}: {:?}", probe.0);
    }
}

#[test]
fn backward_leaves_no_new_nodes_on_the_tape() {
    for policy in POLICIES {
        let tape = Tape::<f64>::new().with_policy(policy);
        let x = tape.watch(any(&[4, 4], 1));
        let loss = x.matmul(x.tanh()).exp().mean(&[0], true).sum_all();
        loss.value();
        let (before, held) = (tape.len(), tape.held());
        loss.backward_retain();
        assert_eq!((tape.len(), tape.held()), (before, held));
        assert!(tape.recording.get());
        loss.backward();
        assert_eq!(tape.len(), before);
    }
}

#[test]
fn grad_computes_only_requested_gradients() {
    let tape = Tape::<f64>::new();
    let (w, v) = (Param::new(any(&[2, 8], 1)), Param::new(any(&[8, 1], 2)));
    let x = tape.watch(any(&[4, 2], 3));
    let loss = x.matmul(tape.param(&w)).tanh().matmul(tape.param(&v)).sum_all();
    let before = tape.len();
    loss.grad(&[x]);
    assert_eq!(
        tape.count(before, |op| matches!(op, Op::MatMul(_))),
        2,
        "no gradient of a weight may be computed"
    );

    let before = tape.len();
    loss.grad(&[tape.param(&v)]);
    assert_eq!(
        tape.count(before, |op| matches!(op, Op::MatMul(_))),
        1,
        "no cotangent below the last layer may be computed"
    );
}

#[test]
fn backward_computes_nothing_for_frozen_parameters() {
    let mut w = Param::new(any(&[4, 4], 1));
    w.freeze();
    let v = Param::new(any(&[4, 4], 2));
    let tape = Tape::<f64>::new();
    let hidden = tape.constant(any(&[3, 4], 3)).matmul(tape.param(&w)).tanh();
    assert!(!hidden.is_active());
    let loss = hidden.matmul(tape.param(&v)).sum_all();
    let before = tape.len();
    loss.grad(&[tape.param(&v)]);
    assert_eq!(tape.count(before, |op| matches!(op, Op::MatMul(_))), 1);
    let gradients = loss.backward();
    assert!(gradients.get(&w).is_none() && gradients.get(&v).is_some());
}

fn step<'t>(h: Var<'t, f64>, w: Var<'t, f64>) -> Var<'t, f64> {
    (h.matmul(w) * 0.3 + 0.1).tanh()
}

/// A loop on a tape for inference holds only the values of its last steps.
#[test]
fn an_inference_tape_keeps_only_the_values_of_the_last_steps() {
    let start = Tensor::<f64>::from_fn(&[4, 4], |i| 0.1 + i as f64 / 16.0);
    let recording = Tape::<f64>::new();
    let (mut h, w) = (recording.constant(start.clone()), recording.constant(start.clone()));
    let wanted: Vec<_> = (0..500)
        .map(|_| {
            h = step(h, w.t());
            h.value().to_vec()
        })
        .collect();
    let tape = Tape::<f64>::inference();
    let (mut h, w) = (tape.constant(start.clone()), tape.constant(start.clone()).t());
    let mut states = vec![];
    for _ in 0..500 {
        h = step(h, w);
        states.push(h);
    }
    assert!(tape.held() < 200, "{} values", tape.held());
    // Dropped values are computed again.
    for at in [499, 3, 250, 0, 499] {
        assert_eq!(states[at].value().to_vec(), wanted[at], "step {at}");
    }
}

/// The gradients of the parts of a sequence are one node of the full size, for any number of parts.
#[test]
fn gradients_of_all_parts_of_a_value_are_one_node() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::ones_of(&[200, 10]));
    let table = tape.watch(Tensor::ones_of(&[300, 10]));
    let mut h = tape.zeros(&[1, 10]);
    for (t, part) in x.split(0, &[1; 200]).into_iter().enumerate() {
        let index = Tensor::from([t as i64 % 7]);
        // The same holds if each step reads a part of a new view.
        let viewed =
            x.t().narrow(1, t, 1).t() + table.unsqueeze(0).index_select(1, &index).squeeze(0);
        let flipped = x.flip(0).index_select(0, &index) + x.narrow(1, 0, 10).narrow(0, t, 1);
        let joined = x.flatten(0, -1).narrow(0, 10 * t, 10).unsqueeze(0);
        let cut = table.reshape([100, 3, 10]).narrow(0, t / 2, 1).sum(&[1], false);
        let spread = table.broadcast_to([2, 300, 10]).narrow(1, t, 1).sum(&[0], false);
        let viewed = viewed + flipped + joined + cut + spread;
        h = (h + part + table.index_select(0, &index) + x.narrow(0, t, 1) + viewed).tanh();
    }
    // Each step cuts one element off the rest.
    let mut rest = x;
    for t in 0..199 {
        h = (h + rest.narrow(0, 0, 1)).tanh();
        rest = rest.narrow(0, 1, 199 - t);
    }
    let from = tape.len();
    let slopes = h.sum_all().grad(&[x, table]);
    let whole = |size: usize| {
        let arena = tape.arena.borrow();
        (from as u32..arena.len()).filter(|&id| arena.shape(id).numel() == size).count()
    };
    assert_eq!((whole(2000), whole(3000)), (1, 1));
    // The same holds for second derivatives.
    let from = tape.len();
    let loss = slopes[0].square().sum_all() + slopes[1].square().sum_all();
    loss.grad(&[x, table]);
    let arena = tape.arena.borrow();
    let whole = |id: &u32| [2000, 3000].contains(&arena.shape(*id).numel());
    assert!((from as u32..arena.len()).filter(whole).count() < 20);
}

/// The derivative of tanh is computed from the result, which nothing reads afterwards.
#[test]
fn a_cotangent_takes_the_memory_of_the_last_value_that_its_program_reads() {
    for held in [false, true] {
        let tape = Tape::<f64>::new();
        let x = tape.watch(any(&[20, 5], 1));
        let y = (x * 1.5 + 0.25).tanh();
        let loss = y.sum_all();
        loss.value();
        let storage = tape.arena.borrow().values[y.id as usize].as_ref().map(Tensor::storage_id);
        let value = held.then(|| y.value());
        let before = value.as_ref().map(Tensor::copied);
        let gradients = loss.backward();
        let g = gradients.wrt(x).expect("x is watched");
        assert_eq!(storage == Some(g.storage_id()), !held);
        assert_eq!(value, before);
        let plain = |x: &f64| 1.5 * (1.0 - (1.5 * x + 0.25).tanh().powi(2));
        let inputs = any(&[20, 5], 1).to_vec();
        assert!(g.to_vec().iter().zip(&inputs).all(|(g, x)| (g - plain(x)).abs() < 1e-14));
    }
}

/// A single operation on many elements is computed in the memory of an operand, too.
#[test]
fn a_large_operation_takes_the_memory_of_an_operand() {
    let tape = Tape::<f64>::new();
    let (x, w) = (tape.watch(any(&[40, 5], 1)), tape.watch(any(&[5, 40], 2)));
    let product = x.matmul(w);
    let y = product.relu();
    let loss = (y * y).sum_all();
    let gradients = loss.backward();
    let (a, b) = (any(&[40, 5], 1), any(&[5, 40], 2));
    let relu = a.matmul(&b).relu();
    let expected = (&relu + &relu).matmul(&b.t());
    let got = gradients.wrt(x).expect("x is watched");
    assert!(got.to_vec().iter().zip(expected.to_vec()).all(|(g, e)| (g - e).abs() < 1e-12));
}
