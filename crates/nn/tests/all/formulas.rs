//! Compares layers with their formulas in plain loops, and loads state dicts with a missing or an
//! additional entry.

use wengert_autograd::Tape;
use wengert_nn::{Conv1d, Dropout2d, Layer, Linear, load_state_dict, state_dict};
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
fn signals_are_padded_before_and_after() {
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
