//! Compares the layers of the historic networks with their formulas in plain loops, and their
//! derivatives with finite differences.

use wengert::autograd::Gradcheck;
use wengert::models::{Rbf, ScaledTanh, Subsampling};
use wengert::prelude::*;

#[test]
fn the_scaled_tanh_of_one_is_nearly_one() {
    let x = [-2.0f32, -1.0, 0.0, 0.5, 1.0];
    let tape = Tape::inference();
    let y = ScaledTanh.forward(tape.constant(Tensor::from(x))).value().to_vec();
    for (x, y) in x.into_iter().zip(y) {
        let wanted = 1.7159 * (2.0 / 3.0 * f64::from(x)).tanh();
        assert!((f64::from(y) - wanted).abs() < 1e-5, "{x}: {y}");
    }
}

#[test]
fn radial_units_are_squared_distances() {
    let centres = [[1.0f32, -1.0], [0.5, 2.0], [0.0, 3.0]];
    let x = [[0.25f32, 1.0], [-1.0, 0.0]];
    let tape = Tape::inference();
    let y = Rbf::from_centres(Tensor::from(centres)).forward(tape.constant(Tensor::from(x)));
    assert_eq!(y.shape(), [2, 3]);
    for (i, x) in x.iter().enumerate() {
        for (j, c) in centres.iter().enumerate() {
            let wanted = (x[0] - c[0]).powi(2) + (x[1] - c[1]).powi(2);
            assert_eq!(y.value().at(&[i, j]), wanted);
        }
    }
}

#[test]
fn sub_sampling_scales_the_sum_of_four_pixels() {
    let mut layer = Subsampling::new(2, &mut Philox::new(0));
    layer.weight.set(Tensor::from([0.5f32, -2.0]));
    layer.bias.set(Tensor::from([1.0f32, 0.25]));
    let x = Tensor::arange(0.0, 16.0, 1.0).reshape(&[1, 2, 2, 4]);
    let tape = Tape::inference();
    let y = layer.forward(tape.constant(x.clone())).value();
    assert_eq!(y.shape(), [1, 2, 1, 2]);
    for (c, (w, b)) in [(0.5, 1.0), (-2.0, 0.25)].into_iter().enumerate() {
        for j in 0..2 {
            let four = [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[k, l]| x.at(&[0, c, k, 2 * j + l]));
            assert_eq!(y.at(&[0, c, 0, j]), w * four.iter().sum::<f32>() + b);
        }
    }
}

/// Checks the first and second derivatives with respect to the input and the parameters together.
fn check(layer: &dyn Layer<f64>, shape: &[usize]) {
    let rng = &mut Philox::new(3);
    let mut inputs = vec![Tensor::uniform_of(shape, -2.0, 2.0, rng)];
    for param in trainable(layer) {
        inputs.push(Tensor::uniform_of(&param, -2.0, 2.0, rng));
    }
    let check = Gradcheck::new().named(layer.to_string()).order(2);
    check
        .run(|x| x[0].tape().with_params(layer, &x[1..], || layer.forward(x[0])), &inputs)
        .unwrap();
}

/// Returns the shapes of the trainable parameters.
fn trainable(layer: &dyn Layer<f64>) -> Vec<Shape> {
    let tape = Tape::<f64>::new();
    tape.params(layer).iter().map(|param| param.shape()).collect()
}

#[test]
fn derivatives_of_historic_layers_agree_with_differences() {
    let rng = &mut Philox::new(1);
    check(&ScaledTanh, &[2, 3]);
    check(&Rbf::of(4, 3, rng), &[2, 4]);
    check(&Rbf::of(3, 2, rng), &[2, 2, 3]);
    check(&Rbf::of(4, 3, rng), &[4]);
    check(&Rbf::of(4, 3, rng).fixed(), &[2, 4]);
    check(&Subsampling::of(3, rng), &[2, 3, 4, 2]);
}

#[test]
fn fixed_centres_have_no_gradient() {
    let layer = Rbf::<f64>::of(4, 3, &mut Philox::new(1)).fixed();
    let tape = Tape::new();
    let x = tape.watch(Tensor::uniform_of(&[2, 4], -1.0, 1.0, &mut Philox::new(2)));
    let gradients = layer.forward(x).sum_all().backward();
    assert!(gradients.get(&layer.weight).is_none());
    assert!(gradients.wrt(x).is_some());
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let rng = &mut Philox::new(1);
    let refusal = |layer: &dyn Layer, shape: &[usize]| layer.summary(shape).unwrap_err().message;
    assert_eq!(refusal(&Rbf::new(4, 3, rng), &[2, 5]), "Rbf: expected […, 4], got [2, 5]");
    assert_eq!(refusal(&Rbf::new(4, 3, rng), &[]), "Rbf: expected […, 4], got []");
    let layer = Subsampling::new(3, rng);
    assert_eq!(
        refusal(&layer, &[3, 4, 4]),
        "Subsampling: expected [N, 3, H, W], got [3, 4, 4] (for one sample, add the batch axis with \
         unsqueeze(0))"
    );
    assert_eq!(
        refusal(&layer, &[1, 3, 5, 4]),
        "Subsampling: height and width must be even, got [1, 3, 5, 4]: pad or crop the images first"
    );
}
