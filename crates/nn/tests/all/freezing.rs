//! Tests that frozen parameters remain frozen when builder methods change the layer.

use wengert_autograd::{Module, Param, Tape};
use wengert_nn::{
    Conv1d, Conv2d, ConvTranspose2d, InstanceNorm1d, InstanceNorm2d, Layer, LayerNorm, Linear,
    init, load_state_dict, state_dict,
};
use wengert_tensor::{PadMode, Philox, Tensor};

/// Returns the names of the trainable parameters.
fn trainable(model: &dyn Module) -> Vec<String> {
    let all = model.named_parameters().into_iter();
    all.filter(|(_, state)| state.trainable()).map(|(name, _)| name).collect()
}

fn frozen<M: Module>(mut layer: M) -> M {
    layer.freeze();
    layer
}

#[test]
fn groups_of_a_frozen_layer_stay_frozen() {
    let rng = &mut Philox::new(0);
    let conv = Conv2d::new(4, 6, 3, rng);
    let groups = conv.clone().groups(2);
    assert_eq!(trainable(&groups), ["weight", "bias"]);
    let still = frozen(conv).groups(2);
    assert!(trainable(&still).is_empty());
    assert_eq!(still.weight.value().to_vec(), groups.weight.value().to_vec());
    assert_eq!(still.weight.shape(), [6, 2, 3, 3]);
    // Freezes only the bias, then only the weight.
    let mut half = Conv2d::new(4, 6, 3, rng);
    half.freeze_under("bias");
    assert_eq!(trainable(&half.groups(2)), ["weight"]);
    let mut half = Conv2d::new(4, 6, 3, rng);
    half.freeze_under("weight");
    assert_eq!(trainable(&half.groups(2)), ["bias"]);

    assert!(trainable(&frozen(Conv1d::new(4, 6, 3, rng)).groups(2)).is_empty());
    assert!(trainable(&frozen(ConvTranspose2d::new(4, 6, 3, rng)).groups(2)).is_empty());

    // Frozen parameters are constants on a tape.
    let tape = Tape::new();
    let x = tape.watch(Tensor::ones(&[1, 4, 3, 3]));
    let gradients = still.forward(x).sum_all().backward();
    assert!(gradients.is_empty() && gradients.wrt(x).is_some());
}

#[test]
fn other_builder_methods_keep_a_frozen_layer_frozen() {
    let rng = &mut Philox::new(0);
    let conv = frozen(Conv2d::new(4, 6, 3, rng)).stride(2).padding(1).dilation(2);
    assert!(trainable(&conv.padding_mode(PadMode::Circular).without_bias()).is_empty());
    let conv = frozen(Conv1d::new(4, 6, 3, rng)).stride(2).padding(1).dilation(2);
    assert!(trainable(&conv.without_bias()).is_empty());
    let conv = frozen(ConvTranspose2d::new(4, 6, 3, rng)).stride(2).padding(1).output_padding(1);
    assert!(trainable(&conv.without_bias()).is_empty());
    assert!(trainable(&frozen(Linear::new(4, 6, rng)).without_bias()).is_empty());
    assert!(trainable(&frozen(LayerNorm::new(&[4])).eps(0.1)).is_empty());
    let norm = frozen(InstanceNorm2d::new(4).affine());
    assert!(trainable(&norm.eps(0.1).running_statistics(0.2).affine()).is_empty());
    assert!(trainable(&frozen(InstanceNorm1d::new(4).affine()).affine()).is_empty());
}

#[test]
fn builder_methods_of_a_norm_keep_existing_parameters() {
    let mut norm = InstanceNorm2d::new(2).affine().running_statistics(0.1);
    norm.weight.as_mut().unwrap().set(Tensor::from([3.0, 4.0]));
    norm.running_mean.as_mut().unwrap().set(Tensor::from([5.0, 6.0]));
    let norm = norm.affine().running_statistics(0.5);
    assert_eq!(norm.weight.unwrap().value().to_vec(), [3.0, 4.0]);
    assert_eq!(norm.running_mean.unwrap().value().to_vec(), [5.0, 6.0]);
}

#[test]
fn new_values_keep_a_layer_frozen() {
    let rng = &mut Philox::new(0);
    let mut layer = frozen(Linear::new(4, 6, rng));
    init::xavier_normal(&mut layer.weight, 1.0, rng);
    let other = Linear::new(4, 6, rng);
    load_state_dict(&mut layer, &state_dict(&other)).unwrap();
    assert!(trainable(&layer).is_empty());
    assert!(trainable(&layer.clone()).is_empty());
    let param: &Param = &layer.weight;
    assert_eq!(param.value().to_vec(), other.weight.value().to_vec());
}
