//! The engine through the public interface: derivatives of several orders, long chains, work that must not
//! be done, and combinations of features.

use std::sync::Arc;
use wengert_autograd::{
    Buffer, Call, Cotangents, CustomOp, Gradients, Outputs, Param, Policy, Reads, Tape, Var,
    value_and_grad, value_and_grad_with,
};
use wengert_tensor::{Philox, Shape, Tensor};

const POLICIES: [Policy; 2] = [Policy::Eager, Policy::Fused];

fn f64s(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::uniform_of(shape, -1.0, 1.0, &mut Philox::new(seed))
}

#[track_caller]
fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance), "{a:?}\n{b:?}");
}

#[test]
fn three_derivatives_have_their_closed_form() {
    for (policy, n) in POLICIES.into_iter().flat_map(|policy| [(policy, 3), (policy, 100)]) {
        let xs = f64s(&[n], 1);
        let tape = Tape::new().with_policy(policy);
        let x = tape.watch(xs.clone());
        let y = (x.tanh() * x).sum_all();
        let first = y.grad(&[x])[0];
        let second = first.sum_all().grad(&[x])[0];
        let third = second.sum_all().grad(&[x])[0];
        let of = |f: fn(f64, f64, f64) -> f64| -> Vec<f64> {
            xs.to_vec().iter().map(|&x| f(x, x.tanh(), 1.0 - x.tanh().powi(2))).collect()
        };
        let wanted = of(|x, t, s| t + x * s);
        close(&first.value().to_vec(), &wanted, 1e-12);
        close(&second.value().to_vec(), &of(|x, t, s| 2.0 * s - 2.0 * x * t * s), 1e-12);
        let closed = of(|x, t, s| -6.0 * t * s - 2.0 * x * s * s + 4.0 * x * t * t * s);
        close(&third.value().to_vec(), &closed, 1e-12);
        let numbers = third.sum_all().backward_retain();
        assert!(numbers.wrt(x).is_some());
        close(y.backward().wrt(x).unwrap().as_slice().unwrap(), &wanted, 1e-12);
    }
}

/// ½ xᵀ A x has the gradient ½ (A + Aᵀ) x and the Hessian ½ (A + Aᵀ).
#[test]
fn second_derivatives_of_matrix_products_are_right() {
    for policy in POLICIES {
        let tape = Tape::new().with_policy(policy);
        let (a, x) = (f64s(&[4, 4], 1), tape.watch(f64s(&[4, 1], 2)));
        let matrix = tape.constant(a.clone());
        let y = 0.5 * x.t().matmul(matrix).matmul(x).sum_all();
        let first = y.grad(&[x])[0];
        let symmetric = (&a + &a.t()) * 0.5;
        close(&first.value().to_vec(), &symmetric.matmul(&x.value()).to_vec(), 1e-14);
        for i in 0..4 {
            let row = first.narrow(0, i, 1).sum_all().backward_retain();
            close(&row.wrt(x).unwrap().to_vec(), &symmetric.narrow(0, i, 1).to_vec(), 1e-14);
        }
    }
}

fn chain(policy: Policy, numbers: usize, ops: usize) -> (f64, Vec<f64>) {
    let tape = Tape::<f64>::new().with_policy(policy);
    let x = tape.watch(Tensor::full_of(&[numbers], 0.5));
    let mut y = x;
    for _ in 0..ops / 4 {
        y = (0.9 * y + 0.1).tanh() + 0.05 * x;
    }
    let loss = y.sum_all();
    (loss.item(), loss.backward().wrt(x).unwrap().to_vec())
}

#[test]
fn a_chain_of_100_000_operations_has_the_right_gradient() {
    for numbers in [1, 16] {
        let [eager, fused] = POLICIES.map(|policy| chain(policy, numbers, 100_000));
        close(&[eager.0], &[fused.0], 1e-12);
        close(&eager.1, &fused.1, 1e-12);
        let step = |y: f64| (0.9 * y + 0.1).tanh() + 0.025;
        let y = (0..25_000).fold(0.5, |y, _| step(y));
        close(&[fused.0], &[y * numbers as f64], 1e-9);
    }
}

#[test]
fn a_chain_of_a_million_operations_has_the_right_gradient() {
    let tape = Tape::<f32>::new();
    let x = tape.watch(Tensor::scalar(0.5));
    let y = (0..500_000).fold(x, |y, _| 0.999999 * y + 1e-6);
    assert_eq!(tape.len(), 1_000_001);
    let slope = y.backward().wrt(x).unwrap().item();
    assert!((f64::from(slope) - 0.999999f64.powi(500_000)).abs() < 1e-2, "{slope}");
}

#[test]
fn backward_from_is_the_gradient_of_the_weighted_sum() {
    for (policy, n) in POLICIES.into_iter().flat_map(|policy| [(policy, 3), (policy, 30)]) {
        let (xs, seed) = (f64s(&[2, n], 1), f64s(&[2, n], 2));
        let tape = Tape::new().with_policy(policy);
        let x = tape.watch(xs.clone());
        let product =
            (x.square().sin() * tape.constant(seed.clone())).sum_all().grad(&[x])[0].value();
        let seeded = x.square().sin().backward_from(seed);
        close(&seeded.wrt(x).unwrap().to_vec(), &product.to_vec(), 1e-15);
    }
}

#[test]
fn a_second_backward_over_a_retained_history_has_the_same_bits() {
    for policy in POLICIES {
        let w = Param::new(f64s(&[5, 4], 1));
        let tape = Tape::new().with_policy(policy);
        let x = tape.watch(f64s(&[3, 5], 2));
        let loss = x.matmul(tape.param(&w)).tanh().logsumexp(&[1], false).sum_all();
        let all =
            |g: &Gradients<f64>| [g.wrt(x).unwrap().to_vec(), g.get(&w).unwrap().to_vec()].concat();
        let first = all(&loss.backward_retain());
        assert_eq!(all(&loss.backward_retain()), first);
        let by_grad = loss.grad(&[x, tape.param(&w)]);
        let by_grad = [by_grad[0].value().to_vec(), by_grad[1].value().to_vec()].concat();
        close(&by_grad, &first, 1e-15);
        assert_eq!(all(&loss.backward()), first);
    }
}

/// The identity, with a rule that must not run.
struct Costly;
impl CustomOp<f32> for Costly {
    fn name(&self) -> &'static str {
        "costly"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor]) -> Outputs<Tensor> {
        [x[0].clone()].into()
    }
    fn vjp<'t>(&self, _: &Call<'_, 't, f32>) -> Cotangents<'t, f32> {
        panic!("the rule was called for a gradient that was not requested")
    }
}

#[test]
fn no_rule_is_called_for_frozen_and_detached_parts() {
    let (mut frozen, trained) =
        (Param::new(Tensor::full(&[3, 3], 2.0)), Param::new(Tensor::ones(&[3])));
    frozen.freeze();
    let tape = Tape::new();
    let features = tape.custom(Arc::new(Costly), &[tape.param(&frozen).tanh()])[0];
    let gradients = (features * tape.param(&trained)).sum_all().backward();
    assert!(gradients.get(&frozen).is_none());
    assert_eq!(gradients.get(&trained).unwrap().shape(), [3]);
    assert_eq!(gradients.len(), 1);

    let tape = Tape::new();
    let x = tape.watch(Tensor::full(&[3], 2.0));
    let y = tape.custom(Arc::new(Costly), &[x])[0];
    assert_eq!((y.detach() * x).sum_all().backward().wrt(x).unwrap().to_vec(), [2.0; 3]);

    // `grad` computes only what its targets need.
    let tape = Tape::new();
    let (x, z) = (tape.watch(Tensor::full(&[3], 2.0)), tape.watch(Tensor::ones(&[3])));
    let y = tape.custom(Arc::new(Costly), &[x])[0];
    assert_eq!((y * z).sum_all().grad(&[z])[0].value().to_vec(), [2.0; 3]);
}

#[test]
fn value_and_grad_and_value_and_grad_with_agree() {
    let (w, mut rng) = (Param::new(Tensor::from([1.0f32, -2.0])), Philox::new(1));
    let (loss, gradients) = value_and_grad(&mut rng, |tape| tape.param(&w).powi(3).sum_all());
    assert_eq!((loss, gradients.get(&w).unwrap().to_vec()), (-7.0, vec![3.0, 12.0]));
    let (loss, squares, gradients) = value_and_grad_with(&mut rng, |tape| {
        let squares = tape.param(&w).square();
        (squares.sum_all(), squares.value().to_vec())
    });
    assert_eq!((loss, squares), (5.0, vec![1.0, 4.0]));
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [2.0, -4.0]);
}

#[test]
fn accumulated_micro_batches_have_the_gradients_of_the_batch() {
    let (w, v) = (Param::new(Tensor::from([1.0f32, 2.0])), Param::new(Tensor::from([3.0f32])));
    let mut mean = Buffer::new(Tensor::from([10.0f32]));
    let mut rng = Philox::new(1);
    let mut part = |x: f32| {
        let run = value_and_grad(&mut rng, |tape| {
            let x = tape.constant(Tensor::from([x]));
            tape.update_buffer(&mean, 0.5, 0.5 * x);
            let y = (x * tape.param(&w)).sum_all();
            if y.item() > 5.0 { y + (x * tape.param(&v)).sum_all() } else { y }
        });
        run.1
    };
    let (mut sum, second) = (part(1.0), part(4.0));
    sum.accumulate(second);
    sum.scale(0.5);
    assert_eq!(sum.get(&w).unwrap().to_vec(), [2.5, 2.5]);
    assert_eq!(sum.get(&v).unwrap().to_vec(), [2.0], "of one part only");
    assert!(sum.apply_to(&mut mean));
    assert_eq!(mean.value().to_vec(), [0.5 * (0.5 * 10.0 + 0.5) + 2.0], "one after the other");
    assert!(!sum.apply_to(&mut Buffer::new(Tensor::from([1.0f32]))), "an update is for one buffer");
}

#[test]
fn parameters_are_updated_in_place_while_the_tape_lives() {
    for policy in POLICIES {
        let mut w = Param::new(f64s(&[8, 8], 1));
        let tape = Tape::new().with_policy(policy);
        tape.param(&w).reshape(&[-1]).value(); // a view whose value was requested
        let x = tape.constant(f64s(&[4, 8], 2));
        let loss =
            (x.matmul(tape.param(&w)) + tape.param(&w).t().narrow(0, 0, 4)).square().sum_all();
        let gradients = loss.backward();
        let (before, g) = (w.value().as_slice().unwrap().as_ptr(), gradients.get(&w).unwrap());
        w.update(|w| *w -= g);
        assert_eq!(w.value().as_slice().unwrap().as_ptr(), before, "{policy:?}");
        assert!(loss.item() > 0.0);
    }
}

#[test]
fn training_twice_with_one_seed_gives_the_same_bits() {
    let train = || {
        let mut rng = Philox::new(11);
        let x = Tensor::<f32>::normal(&[16, 12], 0.0, 1.0, &mut rng);
        let mut w = Param::new(Tensor::normal(&[12, 7], 0.0, 0.5, &mut rng));
        let mut losses = vec![];
        for _ in 0..20 {
            let (loss, gradients) = value_and_grad(&mut rng, |tape| {
                let y = tape.constant(x.clone()).matmul(tape.param(&w)).dropout(0.3);
                (y.tanh() - 0.1).square().mean_all()
            });
            let g = gradients.get(&w).unwrap().clone();
            w.update(|w| *w -= &(g * 0.5));
            losses.push(loss.to_bits());
        }
        (losses, w.value().to_vec().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    let first = train();
    assert_eq!(train(), first);
    assert_eq!(std::thread::spawn(train).join().unwrap(), first);
}

#[test]
fn gradients_can_be_sent_between_threads() {
    fn is_send<S: Send + 'static>(it: S) -> S {
        it
    }
    let w = Param::new(Tensor::from([1.0f32, 2.0]));
    let part = |k: f64| {
        let w = &w;
        move || value_and_grad(&mut Philox::new(0), |tape| (k * tape.param(w)).sum_all()).1
    };
    // Threads share the model and sum their gradients.
    let mut sum = std::thread::scope(|scope| {
        let parts = [scope.spawn(part(1.0)), scope.spawn(part(2.0))];
        parts.map(|part| part.join().unwrap()).into_iter().reduce(|mut a, b| {
            a.accumulate(b);
            a
        })
    })
    .map(is_send)
    .unwrap();
    sum.scale(2.0);
    assert_eq!(sum.get(&w).unwrap().to_vec(), [6.0; 2]);
}

/// r = √(a² + b²) and the angle of (a, b): two outputs of two inputs.
struct Polar;
impl CustomOp<f64> for Polar {
    fn name(&self) -> &'static str {
        "polar"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0], x[0]].into_iter().collect())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        let both = x[0].to_vec().into_iter().zip(x[1].to_vec());
        let of = |f: fn((f64, f64)) -> f64| {
            Tensor::from_vec(both.clone().map(f).collect(), &x[0].shape())
        };
        [of(|(a, b)| a.hypot(b)), of(|(a, b)| b.atan2(a))].into_iter().collect()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let (a, b, r) = (c.x(0), c.x(1), c.y(0));
        let sum = |by_r: Option<Var<'t, f64>>, by_angle: Option<Var<'t, f64>>| {
            by_r.into_iter().chain(by_angle).reduce(|x, y| x + y)
        };
        let (gr, ga) = (c.gy_of(0).map(|g| g / r), c.gy_of(1).map(|g| g / (r * r)));
        [sum(gr.map(|g| g * a), ga.map(|g| -g * b)), sum(gr.map(|g| g * b), ga.map(|g| g * a))]
            .into_iter()
            .collect()
    }
    fn reads(&self, _: usize) -> Reads {
        Reads::X0.and(Reads::X1).and(Reads::Y0)
    }
}
fn polar<'t>(x: &[Var<'t, f64>]) -> (Var<'t, f64>, Var<'t, f64>) {
    let y = x[0].tape().custom(Arc::new(Polar), x);
    (y[0], y[1])
}

#[test]
fn operations_with_two_outputs_have_the_right_second_derivatives() {
    use wengert_autograd::Gradcheck;
    for shape in [&[3, 5][..], &[2]] {
        let apart = |seed| Tensor::uniform_of(shape, 0.5, 1.5, &mut Philox::new(seed));
        let (inputs, check) = (vec![apart(1), apart(2)], Gradcheck::new().order(2));
        check.run(|x| polar(x).0, &inputs).unwrap();
        check.run(|x| polar(x).1, &inputs).unwrap();
        check.run(|x| polar(x).0.sin() * polar(x).1, &inputs).unwrap();
        check
            .run(
                |x| {
                    let (r, angle) = polar(x);
                    r.square() * angle.tanh() + angle
                },
                &inputs,
            )
            .unwrap();
    }
}

/// a · b. Its rule computes a value from the cotangent and then reads the cotangent again.
struct Product;
impl CustomOp<f64> for Product {
    fn name(&self) -> &'static str {
        "product"
    }
    fn shapes(&self, x: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok([x[0]].into())
    }
    fn forward(&self, x: &[Tensor<f64>]) -> Outputs<Tensor<f64>> {
        [&x[0] * &x[1]].into()
    }
    fn vjp<'t>(&self, c: &Call<'_, 't, f64>) -> Cotangents<'t, f64> {
        let (g, a, b) = (c.gy(), c.x(0), c.x(1));
        let turned = (g * b).transpose(0, 1).transpose(0, 1);
        [Some(turned), Some(g * a)].into_iter().collect()
    }
    fn reads(&self, _: usize) -> Reads {
        Reads::X0.and(Reads::X1)
    }
}

fn product<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
    x[0].tape().custom(Arc::new(Product), x)[0]
}

#[test]
fn a_rule_can_use_its_cotangent_twice() {
    let any = |seed| Tensor::uniform_of(&[4, 5], 0.5, 1.5, &mut Philox::new(seed));
    let inputs = vec![any(1), any(2)];
    wengert_autograd::Gradcheck::new()
        .order(2)
        .run(|x| (0.5 * product(x).tanh()) * product(&[x[1], x[0]]).sin(), &inputs)
        .unwrap();
    for retain in [false, true] {
        let gradients = |f: for<'t> fn(&[Var<'t, f64>]) -> Var<'t, f64>| {
            let tape = Tape::new();
            let x = [0, 1].map(|i| tape.watch(inputs[i].clone()));
            let y = f(&x).tanh().sum_all();
            let gradients = if retain { y.backward_retain() } else { y.backward() };
            x.map(|x| gradients.wrt(x).unwrap().to_vec()).concat()
        };
        close(&gradients(product), &gradients(|x| x[0] * x[1]), 1e-15);
    }
}
