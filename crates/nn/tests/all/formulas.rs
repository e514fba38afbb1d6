//! Layers by their formulas in plain loops, and dicts that lack one entry or have one too many.

use wengert_autograd::Tape;
use wengert_nn::{Dropout2d, Layer, Linear, load_state_dict, state_dict};
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
