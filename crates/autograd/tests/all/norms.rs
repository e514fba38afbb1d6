//! Norms, clipping and means of the gradients of all parameters, and gradients for a part of the parameters.

use crate::common::panics;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wengert_autograd::{Gradients, Param, Tape};
use wengert_tensor::{Float, Philox, Tensor};

type Model = (Param, (Param, Param));

fn model() -> Model {
    let mut rng = Philox::new(3);
    let mut param = |shape: &[usize]| Param::new(Tensor::normal(shape, 0.0, 0.5, &mut rng));
    (param(&[6, 5]), (param(&[5]), param(&[5, 3])))
}

fn run(model: &Model, x: &Tensor) -> Gradients {
    let tape = Tape::new();
    let h = tape.constant(x.clone()).matmul(tape.param(&model.0));
    let h = (h + tape.param(&model.1.0)).tanh();
    h.matmul(tape.param(&model.1.1)).logsumexp(&[1], false).mean_all().backward()
}

/// Returns the elements of all gradients, in the order of the model.
fn numbers(gradients: &Gradients, model: &Model) -> Vec<f64> {
    let all = gradients.of(model).into_iter().flat_map(|(_, _, g)| g.to_vec());
    all.map(f64::from).collect()
}

#[test]
fn clip_norm_scales_all_gradients_to_the_largest_norm() {
    let model = model();
    let x = Tensor::normal(&[7, 6], 0.0, 1.0, &mut Philox::new(1));
    let whole = run(&model, &x);
    let names: Vec<_> = whole.of(&model).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["0", "1.0", "1.1"]);
    let before = numbers(&whole, &model);
    let norm = before.iter().map(|g| g * g).sum::<f64>().sqrt();
    assert!((whole.norm() - norm).abs() < 1e-12 * norm);
    for max in [norm / 2.0, norm * 2.0, 0.0] {
        let mut clipped = whole.clone();
        assert!((clipped.clip_norm(max) - norm).abs() < 1e-12 * norm);
        let factor = (max / (norm + 1e-6)).min(1.0);
        for (g, before) in numbers(&clipped, &model).into_iter().zip(&before) {
            assert!((g - before * factor).abs() <= 1e-6 * before.abs(), "{g} {before}");
        }
        assert!(clipped.norm() <= max.min(norm) * (1.0 + 1e-6));
    }
    let mut clipped = whole.clone();
    clipped.clip_value(0.01);
    for (g, before) in numbers(&clipped, &model).into_iter().zip(&before) {
        assert!((g - before.clamp(-0.01, 0.01)).abs() < 1e-9);
    }
    let mut broken = whole.clone();
    broken.get_mut(&model.1.0).unwrap().make_mut()[2] = f32::NAN;
    assert!(broken.clone().clip_norm(1.0).is_nan());
    broken.clip_value(1.0);
    assert!(broken.get(&model.1.0).unwrap().to_vec()[2].is_nan());
    // The squares of these elements exceed f32.
    let mut large = whole.clone();
    large.scale(1e30);
    assert!((large.norm() / (norm * 1e30) - 1.0).abs() < 1e-6);
    panics!(large.clip_norm(-1.0), "clip_norm: max_norm must be at least 0, got -1");
    panics!(large.clip_value(f64::NAN), "clip_value: max must be at least 0, got");
}

/// Returns a parameter and gradients in which its gradient has these elements.
fn gradients_of<T: Float>(numbers: &[T]) -> (Param<T>, Gradients<T>) {
    let w = Param::new(Tensor::from(numbers.to_vec()));
    let mut gradients = Tape::new().param(&w).sum_all().backward();
    *gradients.get_mut(&w).unwrap() = w.value().clone();
    (w, gradients)
}

/// The factor of the clipping is far below the smallest f32, but the clipped gradients are not.
#[test]
fn huge_gradients_can_be_clipped_to_a_tiny_norm() {
    for max in [1e-8, 1e-6, 1e-3, 1.0, 1e-30] {
        // The norm is 5 · 2¹²⁵, so the clipped gradients are 0.6 · max and -0.8 · max.
        let unit = 2f32.powi(125);
        let (w, mut gradients) = gradients_of(&[3.0 * unit, -4.0 * unit, 0.0]);
        assert_eq!(gradients.clip_norm(max), 5.0 * f64::from(unit));
        let clipped = gradients.get(&w).unwrap().to_vec();
        for (g, wanted) in clipped.into_iter().zip([0.6 * max, -0.8 * max, 0.0]) {
            assert!((f64::from(g) - wanted).abs() <= 1.2e-7 * max, "{g} {wanted}");
        }
    }
    let (w, mut gradients) = gradients_of(&[f32::MAX; 4]);
    gradients.clip_norm(1e-8);
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [0.5e-8f32; 4]);
    // In f64 the factor underflows, and in the first case the norm overflows, too.
    let unit = 1.75 * 2f64.powi(1021);
    for max in [1e-20, 1e-3, 1e3] {
        let (w, mut gradients) = gradients_of(&[3.0 * unit, -4.0 * unit]);
        assert_eq!(gradients.clip_norm(max), f64::INFINITY); // 5 · 1.75 · 2¹⁰²¹ > f64::MAX
        for (g, wanted) in gradients.get(&w).unwrap().to_vec().into_iter().zip([0.6, -0.8]) {
            assert!((g - wanted * max).abs() <= 4e-16 * max, "{g} {wanted}");
        }
        let (w, mut gradients) = gradients_of(&[3.0 * unit / 2.0, -2.0 * unit]);
        assert_eq!(gradients.clip_norm(max), 2.5 * unit);
        for (g, wanted) in gradients.get(&w).unwrap().to_vec().into_iter().zip([0.6, -0.8]) {
            assert!((g - wanted * max).abs() <= 4e-16 * max, "{g} {wanted}");
        }
    }
    // A maximal norm of 0 is allowed. Infinite gradients are not hidden.
    let (w, mut gradients) = gradients_of(&[f32::MAX, 1.0]);
    gradients.clip_norm(0.0);
    assert_eq!(gradients.get(&w).unwrap().to_vec(), [0.0, 0.0]);
    let (w, mut gradients) = gradients_of(&[f32::INFINITY, 1.0]);
    assert_eq!(gradients.clip_norm(1e-8), f64::INFINITY);
    assert!(gradients.get(&w).unwrap().to_vec()[0].is_nan());
}

/// A loss does not depend on parameters that are unused, used elsewhere, detached, or recorded later.
#[test]
fn independent_of_lists_the_parameters_without_a_gradient() {
    let model = model();
    for shape_only in [false, true] {
        let tape = if shape_only { Tape::shapes_only(None) } else { Tape::new() };
        let [a, b] = [&model.0, &model.1.0].map(|param| tape.param(param));
        let [first, second, third] = [&model.0, &model.1.0, &model.1.1].map(Param::id);
        assert_eq!(a.sum_all().independent_of(&model), [second, third]);
        assert_eq!((a.detach().sum_all() + b.sum_all()).independent_of(&model), [first, third]);
        assert_eq!((a.sum_all() + b.sum_all()).independent_of(&model.1), [third]);
        let constant = tape.constant(Tensor::scalar(1.0));
        assert_eq!(constant.independent_of(&model), [first, second, third]);
        let c = tape.param(&model.1.1);
        assert!((a.sum_all() + b.sum_all() + c.sum_all()).independent_of(&model).is_empty());
    }
}

/// Gradients of the parts of a batch are computed on threads. Their mean has the same bits for any number of
/// threads, and is the gradient of the whole batch.
#[test]
fn the_mean_of_gradients_has_the_same_bits_for_any_number_of_threads() {
    let model = model();
    let x = Tensor::normal(&[23, 6], 0.0, 1.0, &mut Philox::new(2));
    let parts: Vec<Tensor> =
        (0..6).map(|i| x.narrow(0, 4 * i, if i == 5 { 3 } else { 4 }).contiguous()).collect();
    let on = |threads: usize| {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(vec![None; parts.len()]));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(part) = parts.get(i) else { break };
                        let gradients = run(&model, part);
                        done.lock().unwrap()[i] = Some((gradients, part.shape()[0] as f64));
                    }
                });
            }
        });
        Gradients::mean(done.into_inner().unwrap().into_iter().flatten()).unwrap()
    };
    let first = numbers(&on(1), &model);
    for threads in [2, 3, 6] {
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&numbers(&on(threads), &model)), bits(&first), "{threads} threads");
    }
    for (mean, whole) in first.iter().zip(numbers(&run(&model, &x), &model)) {
        assert!((mean - whole).abs() < 1e-6, "{mean} {whole}");
    }
    let runs = || parts.iter().map(|part| run(&model, part));
    assert!(Gradients::<f32>::mean([]).is_none());
    panics!(
        Gradients::mean(runs().map(|g| (g, -1.0))),
        "mean: a weight must be finite and at least 0, got"
    );
    panics!(Gradients::mean(runs().map(|g| (g, 0.0))), "mean: at least one weight must be above 0");
}

/// `backward_for` computes the gradients of a part of the parameters, and no others.
#[test]
fn backward_for_computes_only_the_gradients_of_the_given_parameters() {
    let model = model();
    let x = Tensor::normal(&[7, 6], 0.0, 1.0, &mut Philox::new(1));
    let whole = run(&model, &x);
    let tape = Tape::new();
    let watched = tape.watch(x.clone());
    let h = watched.matmul(tape.param(&model.0));
    let h = (h + tape.param(&model.1.0)).tanh();
    let loss = h.matmul(tape.param(&model.1.1)).logsumexp(&[1], false).mean_all();
    let other = Param::new(Tensor::ones(&[2]));
    panics!(loss.backward_for(&other), "depends on no trainable parameter");
    let gradients = loss.backward_for(&model.1);
    assert_eq!(gradients.len(), 2);
    for param in [&model.1.0, &model.1.1] {
        assert_eq!(gradients.get(param).unwrap().to_vec(), whole.get(param).unwrap().to_vec());
    }
    assert!(gradients.get(&model.0).is_none());
    panics!(gradients.wrt(watched), "the watched variable of shape [7, 6] has none");
    panics!(loss.backward_for(&model.1), "backward() ended the history of this tape");
}

/// Means of gradients whose products with the weights overflow or vanish.
#[test]
fn means_of_huge_and_tiny_gradients_are_finite() {
    let w = Param::new(Tensor::from([1.0f32]));
    let of = |slope: f32| {
        let tape = Tape::new();
        (tape.constant(Tensor::scalar_of(slope)) * tape.param(&w)).sum_all().backward()
    };
    for (slope, weight) in [(2e38f32, 4.0), (1e-37, 1e-3), (3e38, 1e300), (1.0, f64::MAX)] {
        let mean = Gradients::mean([(of(slope), weight), (of(slope), weight)]).unwrap();
        assert_eq!(mean.get(&w).unwrap().to_vec(), [slope], "{weight}");
    }
    let mean = Gradients::mean([(of(1.0), 3.0), (of(5.0), 1.0), (of(9.0), 0.0)]).unwrap();
    assert_eq!(mean.get(&w).unwrap().to_vec(), [2.0]);
}
