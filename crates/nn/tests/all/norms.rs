//! Tests the builder methods and accessors that the normalising layers share.

use wengert_autograd::{Mode, Tape};
use wengert_nn::{
    BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d, Layer, LayerNorm, RmsNorm,
    state_dict,
};
use wengert_tensor::{Philox, Tensor};

/// Without a bias, the result is smaller by the bias, and the state of the layer has no bias.
#[test]
fn a_layer_without_bias_adds_nothing() {
    macro_rules! check {
        ($layer:expr, $shape:expr, $at:expr) => {{
            let mut layer = $layer;
            let bias = layer.bias.as_mut().unwrap();
            bias.set(Tensor::from([10.0, 20.0, 30.0, 40.0]));
            let without = layer.clone().without_bias();
            assert!(state_dict(&layer).get("bias").is_some());
            assert!(state_dict(&without).get("bias").is_none());
            assert!(state_dict(&without).get("weight").is_some());
            let rng = &mut Philox::new(1);
            let tape = Tape::eval();
            assert_eq!(tape.mode(), Some(Mode::Eval));
            let x = tape.constant(Tensor::normal($shape, 1.0, 2.0, rng));
            let difference = (layer.forward(x) - without.forward(x)).value();
            let at = $at;
            for i in 0..difference.numel() {
                let got = difference.to_vec()[i];
                let wanted = 10.0 * (at(i) + 1) as f32;
                assert!((got - wanted).abs() < 1e-4, "{layer}: {got}, {wanted}");
            }
        }};
    }
    // The shapes have 4 channels, and 5 or 6 positions per channel.
    check!(BatchNorm1d::new(4), &[2, 4, 5], |i: usize| i / 5 % 4);
    check!(BatchNorm2d::new(4), &[2, 4, 2, 3], |i: usize| i / 6 % 4);
    check!(InstanceNorm1d::new(4).affine(), &[2, 4, 5], |i: usize| i / 5 % 4);
    check!(InstanceNorm2d::new(4).affine(), &[2, 4, 2, 3], |i: usize| i / 6 % 4);
    check!(GroupNorm::new(2, 4), &[2, 4, 5], |i: usize| i / 5 % 4);
    check!(LayerNorm::new(&[4]), &[3, 4], |i: usize| i % 4);
}

#[test]
fn layers_return_the_sizes_that_they_were_created_with() {
    let layer = GroupNorm::new(2, 6).without_affine();
    assert_eq!((layer.channels(), layer.groups()), (6, 2));
    assert_eq!(BatchNorm1d::new(6).without_affine().channels(), 6);
    assert_eq!(InstanceNorm2d::new(6).channels(), 6);
    assert_eq!(LayerNorm::new(&[3, 5]).without_affine().normalized_shape(), [3, 5]);
    assert_eq!(RmsNorm::new(&[4]).without_affine().normalized_shape(), [4]);
}
