//! Layers by their formulas in plain loops, and dicts that lack one entry or have one too many.

use wengert_autograd::Tape;
use wengert_nn::{
    Dropout2d, Layer, Linear, Rbf, ScaledTanh, Subsampling, load_state_dict, state_dict,
};
use wengert_tensor::{Philox, Tensor};

#[test]
fn the_scaled_tanh_of_one_is_nearly_one() {
    let x = [-2.0f32, -1.0, 0.0, 0.5, 1.0];
    let tape = Tape::inference();
    let y = Layer::<f32>::forward(&ScaledTanh, tape.constant(Tensor::from(x))).value().to_vec();
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
fn sub_sampling_weighs_the_sum_of_four() {
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

#[test]
fn channel_dropout_drops_channels_and_not_samples() {
    let tape = Tape::train(&mut Philox::new(3));
    let x = tape.constant(Tensor::<f32>::ones(&[8, 16, 2, 3]));
    let y = Layer::<f32>::forward(&Dropout2d::new(0.5), x).value().to_vec();
    for sample in y.chunks(16 * 6) {
        let channels: Vec<f32> = sample.chunks(6).map(|channel| channel[0]).collect();
        for (channel, first) in sample.chunks(6).zip(&channels) {
            assert!(channel.iter().all(|x| x == first));
        }
        // All alike: once in 2¹⁵.
        assert!(channels.contains(&0.0) && channels.contains(&2.0), "{channels:?}");
    }
}

#[test]
fn one_entry_less_or_more_is_refused() {
    let mut rng = Philox::new(0);
    let mut model = Linear::new(3, 2, &mut rng);
    let before = model.weight.value().to_vec();
    let other = Linear::new(3, 2, &mut rng);

    let without_bias = state_dict(&other.clone().without_bias());
    let error = load_state_dict(&mut model, &without_bias).unwrap_err();
    assert!(error.to_string().contains("missing: bias"), "{error}");

    let mut with_more = state_dict(&other);
    with_more.insert("scale", Tensor::<f32>::ones(&[2]));
    let error = load_state_dict(&mut model, &with_more).unwrap_err();
    assert!(error.to_string().contains("unexpected: scale"), "{error}");
    assert_eq!(model.weight.value().to_vec(), before);
    load_state_dict(&mut model, &state_dict(&other)).unwrap();
    assert_eq!(model.weight.value().to_vec(), other.weight.value().to_vec());
}
