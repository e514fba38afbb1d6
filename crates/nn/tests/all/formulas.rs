//! Compares layers with their formulas in plain loops, and loads state dicts with a missing or an
//! additional entry.

use wengert_autograd::{Tape, Var};
use wengert_nn::{
    Conv1d, Dropout2d, Hardsigmoid, Layer, Linear, Reduction, load_state_dict, poisson_nll,
    poisson_nll_with, state_dict,
};
use wengert_tensor::{Philox, Tensor};

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
        // The probability that all channels are equal is 1 in 2¹⁵.
        assert!(channels.contains(&0.0) && channels.contains(&2.0), "{channels:?}");
    }
}

#[test]
fn conv1d_pads_before_and_after_the_signal() {
    let (before, after, dilation) = (2, 1, 2);
    let layer = Conv1d::<f64>::of(1, 1, 3, &mut Philox::new(0))
        .padding([(7, 7), (before, after)])
        .dilation(dilation);
    let x: Vec<f64> = (0..6).map(|i| f64::from(i * i + 1)).collect();
    let y = layer.predict(&Tensor::from_slice(&x, &[1, 1, 6])).to_vec();
    let (w, b) = (layer.weight.value().to_vec(), layer.bias.as_ref().unwrap().value().to_vec());
    let padded = [vec![0.0; before], x, vec![0.0; after]].concat();
    assert_eq!(y.len(), padded.len() - 2 * dilation);
    for (i, y) in y.into_iter().enumerate() {
        let sum = b[0] + (0..3).map(|j| w[j] * padded[i + j * dilation]).sum::<f64>();
        assert!((y - sum).abs() < 1e-12, "{i}: {y} for {sum}");
    }
}

#[test]
fn loading_a_state_with_a_missing_or_an_extra_entry_is_refused() {
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

/// Values and slopes, with both kinks, their neighbours, infinities and NaN. PyTorch's slope at a kink is 0.
#[test]
fn hardsigmoid_is_linear_between_its_kinks() {
    let (below, above) = (3f64.next_down(), 3f64.next_up());
    let inf = f64::INFINITY;
    let x = [-inf, -1e300, -above, -3.0, -below, -1.5, -0.0, 1.0, below, 3.0, above, 1e300, inf];
    let tape = Tape::new();
    let input = tape.watch(Tensor::from(x));
    let y = Hardsigmoid.forward(input);
    let values = y.value().to_vec();
    let slopes = y.sum_all().backward();
    let slopes = slopes.wrt(input).unwrap().to_vec();
    for ((x, y), slope) in x.into_iter().zip(values).zip(slopes) {
        let exact = ((x.clamp(-3.0, 3.0) + 3.0) / 6.0).clamp(0.0, 1.0);
        assert!((y - exact).abs() <= 1e-16 && (0.0..=1.0).contains(&y), "{x}: {y} for {exact}");
        assert_eq!(slope, if -3.0 < x && x < 3.0 { 1.0 / 6.0 } else { 0.0 }, "{x}");
    }
    assert!(Hardsigmoid.predict(&Tensor::scalar(f64::NAN)).item().is_nan());
}

/// The loss and its slope in plain numbers, with a rate of 0, whose logarithm is -∞.
#[test]
fn poisson_loss_agrees_with_its_formula() {
    let log_rates: [f64; 5] = [0.0, 1.25, -30.0, 5.0, 0.5];
    let counts = [3.0, 0.0, 2.0, 140.0, 2.5];
    let pairs = || log_rates.into_iter().zip(counts);
    let losses: Vec<f64> = pairs().map(|(x, n)| x.exp() - n * x).collect();
    let tape = Tape::new();
    let (x, n) = (tape.watch(Tensor::from(log_rates)), tape.constant(Tensor::from(counts)));
    let close = |got: Var<'_, f64>, exact: f64| {
        assert!((got.item() - exact).abs() <= 1e-15 * exact.abs(), "{} for {exact}", got.item());
    };
    let each = poisson_nll_with(x, n, Reduction::None);
    for (i, &loss) in losses.iter().enumerate() {
        close(each.narrow(0, i, 1), loss);
    }
    let sum = losses.iter().sum::<f64>();
    close(poisson_nll_with(x, n, Reduction::Sum), sum);
    close(poisson_nll(x, n), sum / 5.0);
    let slopes = poisson_nll_with(x, n, Reduction::Sum).backward();
    for ((x, n), slope) in pairs().zip(slopes.wrt(x).unwrap().to_vec()) {
        assert!((slope - (x.exp() - n)).abs() <= 1e-14 * n.max(1.0), "at {x}: {slope}");
    }
    let zero_rate = tape.constant(Tensor::from([f64::NEG_INFINITY, f64::NEG_INFINITY]));
    let counts = tape.constant(Tensor::from([2.0, 0.0]));
    let losses = poisson_nll_with(zero_rate, counts, Reduction::None).value().to_vec();
    assert!(losses[0] == f64::INFINITY && losses[1].is_nan(), "{losses:?}");
}

#[test]
#[should_panic(
    expected = "poisson_nll: input and target must have the same shape, got [2] and [2, 1]"
)]
fn poisson_loss_refuses_shapes_that_differ() {
    let tape = Tape::<f32>::new();
    let _ = poisson_nll(tape.zeros(&[2]), tape.zeros(&[2, 1]));
}
