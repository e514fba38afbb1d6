//! Compares first and second derivatives of layers and losses with finite differences.

use wengert_autograd::{Function, Gradcheck, Param, Tape, Var};
use wengert_nn::{
    Ctc, Dropout, Flatten, Identity, Layer, Linear, LogSoftmax, MultiMargin, Reduction, Relu,
    Sequential, Sigmoid, Softmax, Softplus, Tanh, bce_with_logits_with, cross_entropy_with,
    mse_with, multilabel_margin_with, nll_with, poisson_nll_with, sequential,
};
use wengert_tensor::{Philox, Tensor};

const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::None];

/// Returns an input without elements within 0.1 of the point where relu is not differentiable.
fn input(shape: &[usize]) -> Tensor<f64> {
    let x = Tensor::<f64>::uniform_of(shape, -2.0, 2.0, &mut Philox::new(3));
    let kept = x.to_vec().into_iter().map(|x| if x.abs() < 0.1 { x + 0.3 } else { x }).collect();
    Tensor::from_vec(kept, shape)
}

#[track_caller]
fn check(f: impl Function, inputs: &[Tensor<f64>]) {
    if let Err(error) = Gradcheck::new().order(2).run(f, inputs) {
        panic!("{error}")
    }
}

#[track_caller]
fn check_layer(layer: &impl Layer<f64>, shape: &[usize]) {
    check(|x| layer.forward(x[0]), &[input(shape)]);
}

#[test]
fn gradients_of_activations_agree_with_differences() {
    check_layer(&Relu, &[2, 3]);
    check_layer(&Tanh, &[2, 3]);
    check_layer(&Sigmoid, &[2, 3]);
    check_layer(&Softplus, &[2, 3]);
    check_layer(&Identity, &[2, 3]);
    for axis in [0, 1, -1] {
        check_layer(&Softmax(axis), &[2, 3, 2]);
        check_layer(&LogSoftmax(axis), &[2, 3, 2]);
    }
}

#[test]
fn gradients_of_flatten_agree_with_differences() {
    check_layer(&Flatten::new(), &[2, 3, 2]);
    check_layer(&Flatten::axes(0, 1), &[2, 3, 2]);
}

#[test]
fn gradients_of_linear_by_input_weight_and_bias_agree_with_differences() {
    // The checker differentiates with respect to inputs, not parameters, so parameters are inputs here.
    fn by_hand<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
        x[0].matmul_t(x[1], false, true) + x[2]
    }
    let (x, w, b) = (input(&[2, 4, 3]), input(&[5, 3]), input(&[5]));
    check(by_hand, &[x.clone(), w.clone(), b.clone()]);

    let layer = Linear::from_tensors(w.clone(), Some(b.clone()));
    check(|x| layer.forward(x[0]), std::slice::from_ref(&x));
    check(|x| layer.clone().without_bias().forward(x[0]), std::slice::from_ref(&x));

    let tape = Tape::new();
    let y = layer.forward(tape.constant(x.clone())).tanh().sum_all();
    let gradients = y.backward();
    let tape = Tape::new();
    let [x, w, b] = [x, w, b].map(|v| tape.watch(v));
    let same = by_hand(&[x, w, b]).tanh().sum_all().backward();
    let of = |param: &Param<f64>| gradients.get(param).unwrap().to_vec();
    assert_eq!(of(&layer.weight), same.wrt(w).unwrap().to_vec());
    assert_eq!(of(layer.bias.as_ref().unwrap()), same.wrt(b).unwrap().to_vec());
}

#[test]
fn second_derivatives_of_a_sequential_agree_with_differences() {
    let mut rng = Philox::new(1);
    let model: Sequential<f64> = sequential![
        Flatten::new(),
        Linear::of(4, 3, &mut rng),
        Tanh,
        Identity,
        sequential![Linear::of(3, 3, &mut rng), Softplus],
        LogSoftmax(-1),
    ];
    check_layer(&model, &[3, 2, 2]);
}

#[test]
fn gradients_of_losses_of_classes_agree_with_differences() {
    for reduction in REDUCTIONS {
        let classes = Tensor::from([2i64, 0, 1, 2]);
        check(|x| cross_entropy_with(x[0], &classes, reduction), &[input(&[4, 3])]);
        check(|x| nll_with(x[0], &classes, reduction), &[input(&[4, 3])]);
        check(|x| nll_with(LogSoftmax(1).forward(x[0]), &classes, reduction), &[input(&[4, 3])]);
        let pixels = Tensor::from([[2i64, 0], [1, 2]]);
        check(|x| cross_entropy_with(x[0], &pixels, reduction), &[input(&[2, 3, 2])]);
        check(|x| nll_with(x[0], &pixels, reduction), &[input(&[2, 3, 2])]);
        let single = Tensor::scalar_of(1i64);
        check(|x| cross_entropy_with(x[0], &single, reduction), &[input(&[3])]);
    }
}

/// PyTorch has no second derivative of these losses.
#[test]
fn second_derivatives_of_ctc_and_margins_agree_with_differences() {
    for reduction in REDUCTIONS {
        let labels = Tensor::from([[1i64, 1, 2], [2, 0, 0]]);
        let ctc = Ctc::new().reduction(reduction);
        let scores = [input(&[6, 2, 3])];
        check(|x| ctc.loss(LogSoftmax(-1).forward(x[0]), &labels, &[6, 4], &[3, 1]), &scores);
        check(|x| ctc.loss(x[0] - 2.0, &labels, &[5, 6], &[2, 0]), &scores);
        let classes = Tensor::from([2i64, 0, 1]);
        // With the exponent 2 the loss is curved. No margin is reached exactly.
        for p in [1, 2] {
            let margins = MultiMargin::new().p(p).margin(0.7).reduction(reduction);
            check(|x| margins.loss(x[0], &classes), &[input(&[3, 4])]);
        }
        let lists = Tensor::from([[2i64, 0, -1, 1], [1, -1, 0, 0]]);
        check(|x| multilabel_margin_with(x[0].tanh(), &lists, reduction), &[input(&[2, 4])]);
    }
}

#[test]
fn gradients_of_losses_by_both_arguments_agree_with_differences() {
    let targets = Tensor::<f64>::uniform_of(&[2, 3], 0.05, 0.95, &mut Philox::new(8));
    for reduction in REDUCTIONS {
        check(|x| mse_with(x[0], x[1], reduction), &[input(&[2, 3]), targets.clone()]);
        check(|x| bce_with_logits_with(x[0], x[1], reduction), &[input(&[2, 3]), targets.clone()]);
        check(|x| poisson_nll_with(x[0], x[1], reduction), &[input(&[2, 3]), targets.clone()]);
    }
}

#[test]
fn dropout_is_linear_with_its_own_mask() {
    // The checker creates many tapes, and each would have its own dropout mask.
    let tape = Tape::train(&mut Philox::new(0));
    let x = tape.watch(Tensor::<f64>::ones_of(&[50]));
    let y = Dropout::new(0.5).forward(x);
    let mask = y.value();
    let gradients = y.sum_all().backward();
    assert_eq!(gradients.wrt(x).unwrap().to_vec(), mask.to_vec());
    assert!(mask.to_vec().iter().all(|&m| m == 0.0 || m == 2.0));
}
