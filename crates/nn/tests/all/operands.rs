//! Tests that a layer's output is a new variable, even if the layer has nothing to compute.

use std::collections::HashSet;
use wengert_autograd::{Param, Path, See, SeeMut, Tape, Var};
use wengert_nn::{
    ActivationCheckpoint, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d,
    AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d, AlphaDropout, Arctan, AvgPool1d,
    AvgPool2d, AvgPool3d, BatchNorm1d, BatchNorm2d, BatchNorm3d, BinaryStep, Celu, CircularPad1d,
    CircularPad2d, CircularPad3d, ConstantPad1d, ConstantPad2d, ConstantPad3d, Conv1d, Conv2d,
    Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, DropPath, Dropout, Dropout1d,
    Dropout2d, Dropout3d, Elu, FeatureAlphaDropout, Flatten, Fold, Geglu, Gelu, GeluTanh, Glu,
    GroupNorm, Gru, GumbelSoftmax, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, Identity,
    InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, Lambda, Layer, LayerNorm, LeakyRelu,
    LearnedPositions, Linear, LocalResponseNorm, LogSigmoid, LogSoftmax, Lstm, MaxPool1d,
    MaxPool2d, MaxPool3d, Maxout, Mish, Module, MultiHeadAttention, PRelu, PixelShuffle,
    PixelUnshuffle, RRelu, ReflectionPad1d, ReflectionPad2d, ReflectionPad3d, Reglu, Relu, Relu6,
    ReplicationPad1d, ReplicationPad2d, ReplicationPad3d, Residual, RmsNorm, Rnn, RotaryPositions,
    ScaledSoftplus, Selu, Sequential, Sigmoid, Silu, SinusoidalPositions, Softmax, Softmin,
    Softplus, Softshrink, Softsign, SpectralNorm, Surrogate, Swiglu, Tanh, Tanhshrink, Threshold,
    TransformerEncoder, TransformerEncoderLayer, Unfold, Upsample, WeightNorm, ZeroPad1d,
    ZeroPad2d, ZeroPad3d, load_state_dict, sequential, state_dict,
};
use wengert_tensor::{AnyTensor, Philox, Tensor};

type Named = (Box<dyn Layer<f64>>, &'static [usize]);

fn boxed(layer: impl Layer<f64> + 'static, shape: &'static [usize]) -> Named {
    (Box::new(layer), shape)
}

/// Modules with parameters that are not layers, because their input is not one variable.
pub const WITH_OTHER_INPUTS: [&str; 8] = [
    "Bilinear",
    "Embedding",
    "EmbeddingBag",
    "GruCell", // the cells take states
    "LstmCell",
    "RnnCell",
    "TransformerDecoder", // takes two inputs, and so does its layer
    "TransformerDecoderLayer",
];

/// Returns every layer, in the configuration that computes least, with an input shape.
#[allow(clippy::too_many_lines)] // a list
pub fn layers() -> Vec<Named> {
    let rng = &mut Philox::new(0);
    let (flat, signals, images): (_, _, &'static [usize]) =
        (&[4, 3][..], &[4, 3, 5][..], &[4, 3, 4, 6]);
    let volumes: &'static [usize] = &[2, 3, 2, 3, 2];
    vec![
        boxed(Relu, flat),
        boxed(Tanh, flat),
        boxed(Sigmoid, flat),
        boxed(Softplus, flat),
        boxed(Silu, flat),
        boxed(Hardsigmoid, flat),
        boxed(Identity, flat),
        boxed(Identity, &[]),
        boxed(Identity, &[0, 3]),
        boxed(LeakyRelu(1.0), flat),
        boxed(Relu6, flat),
        boxed(Hardtanh(-1.0, 1.0), flat),
        boxed(Threshold(0.1, -1.0), flat),
        boxed(RRelu(1.0, 1.0), flat),
        boxed(RRelu(0.125, 0.5), flat),
        boxed(PRelu::of(1), flat),
        boxed(PRelu::of(3), images),
        boxed(Elu(1.0), flat),
        boxed(Celu(1.0), flat),
        boxed(Selu, flat),
        boxed(Gelu, flat),
        boxed(GeluTanh, flat),
        boxed(Mish, flat),
        boxed(Hardswish, flat),
        boxed(ScaledSoftplus(2.0, 20.0), flat),
        boxed(Softshrink(0.0), flat),
        boxed(Softshrink(0.5), flat),
        boxed(Hardshrink(0.0), flat),
        boxed(Tanhshrink, flat),
        boxed(LogSigmoid, flat),
        boxed(Softsign, flat),
        boxed(Glu(0), flat),
        boxed(Geglu(0), flat),
        boxed(Swiglu(0), flat),
        boxed(Reglu(0), flat),
        boxed(Softmin(-1), &[4, 1]),
        boxed(GumbelSoftmax(1.0, false, -1), flat),
        boxed(GumbelSoftmax(0.5, true, 0), flat),
        boxed(BinaryStep(Surrogate::None), flat),
        boxed(BinaryStep(Surrogate::StraightThrough), flat),
        boxed(BinaryStep(Surrogate::Sigmoid(2.0)), flat),
        boxed(BinaryStep(Surrogate::Arctan(2.0)), flat),
        boxed(Arctan, flat),
        boxed(Softmax(-1), &[4, 1]),
        boxed(LogSoftmax(-1), &[4, 1]),
        boxed(Linear::of(3, 3, rng), flat),
        boxed(Linear::of(3, 3, rng).without_bias(), flat),
        boxed(Conv1d::of(3, 3, 1, rng).without_bias(), signals),
        boxed(Conv2d::of(3, 3, 1, rng).without_bias(), images),
        boxed(ConvTranspose2d::of(3, 3, 1, rng).without_bias(), images),
        boxed(Conv3d::of(3, 3, 1, rng).without_bias(), volumes),
        boxed(Conv3d::of(3, 2, 2, rng).padding(1), volumes),
        boxed(ConvTranspose3d::of(3, 3, 1, rng).without_bias(), volumes),
        boxed(Dropout::new(0.0), flat),
        boxed(Dropout::new(0.5), flat),
        boxed(Dropout::new(1.0), flat),
        boxed(Dropout2d::new(0.0), images),
        boxed(Dropout2d::new(0.5), images),
        boxed(Dropout2d::new(1.0), images),
        boxed(Flatten::new(), flat),
        boxed(Flatten::axes(1, 1), images),
        boxed(ZeroPad2d::new(0), images),
        boxed(ReflectionPad2d::new(0), images),
        boxed(ReplicationPad2d::new(0), images),
        boxed(CircularPad2d::new(0), images),
        boxed(ZeroPad1d::new(0), signals),
        boxed(ZeroPad3d::new(0), volumes),
        boxed(ConstantPad1d::new(0, 1.0), signals),
        boxed(ConstantPad2d::new(0, 1.0), images),
        boxed(ConstantPad3d::new(0, 1.0), volumes),
        boxed(ReflectionPad1d::new(0), signals),
        boxed(ReflectionPad3d::new(0), volumes),
        boxed(ReplicationPad1d::new(0), signals),
        boxed(ReplicationPad3d::new(0), volumes),
        boxed(CircularPad1d::new(0), signals),
        boxed(CircularPad3d::new(0), volumes),
        boxed(PixelShuffle(1), images),
        boxed(PixelUnshuffle(1), images),
        boxed(PixelUnshuffle(2), images),
        boxed(ConvTranspose1d::of(3, 3, 1, rng).without_bias(), signals),
        boxed(Dropout1d::new(0.0), signals),
        boxed(Dropout1d::new(0.5), signals),
        boxed(Dropout3d::new(0.5), volumes),
        boxed(AlphaDropout::new(0.0), flat),
        boxed(AlphaDropout::new(0.5), flat),
        boxed(AlphaDropout::new(1.0), flat),
        boxed(FeatureAlphaDropout::new(0.0), flat),
        boxed(FeatureAlphaDropout::new(0.5), images),
        boxed(FeatureAlphaDropout::new(1.0), flat),
        boxed(DropPath::new(0.0), flat),
        boxed(DropPath::new(0.5), images),
        boxed(BatchNorm3d::of(3).without_affine(), volumes),
        boxed(InstanceNorm3d::of(3), volumes),
        boxed(Maxout::of(3, 2, 1, rng), flat),
        boxed(Residual::new(Linear::of(3, 3, rng)), flat),
        boxed(Residual::new(Linear::of(3, 2, rng)).shortcut(Linear::of(3, 2, rng)), flat),
        boxed(Lambda::new(|x: Var<'_, f64>| x), flat),
        boxed(Lambda::new(|x: Var<'_, f64>| x.exp()), flat),
        boxed(WeightNorm::new(Linear::of(3, 2, rng)), flat),
        boxed(SpectralNorm::new(Conv1d::of(3, 2, 2, rng), rng), signals),
        boxed(MaxPool1d::new(1), signals),
        boxed(MaxPool2d::new(1), images),
        boxed(MaxPool3d::new(1), volumes),
        boxed(AvgPool3d::new(1), volumes),
        boxed(AdaptiveAvgPool3d::new([2, 3, 2]), volumes),
        boxed(AdaptiveAvgPool3d::new(1), volumes),
        boxed(AdaptiveMaxPool3d::new([2, 3, 2]), volumes),
        boxed(AvgPool1d::new(1), signals),
        boxed(AvgPool2d::new(1), images),
        boxed(AdaptiveAvgPool1d::new(5), signals),
        boxed(AdaptiveAvgPool2d::new([4, 6]), images),
        boxed(AdaptiveMaxPool1d::new(5), signals),
        boxed(AdaptiveMaxPool2d::new([4, 6]), images),
        boxed(Upsample::scale(1.0), images),
        boxed(Upsample::size([4, 6]), images),
        boxed(Upsample::scale(1.0).bilinear(), images),
        boxed(Upsample::size([4, 6]).align_corners(true), images),
        boxed(Unfold::new(1), &[4, 3, 1, 5]),
        boxed(Unfold::new([2, 1]), &[4, 3, 2, 1]),
        boxed(Fold::new([1, 1], 1), &[4, 3, 1]),
        boxed(Fold::new([2, 2], [1, 2]), &[4, 6, 2]),
        boxed(BatchNorm1d::of(3), flat),
        boxed(BatchNorm1d::of(3).without_affine(), flat),
        boxed(BatchNorm2d::of(3).without_affine(), images),
        boxed(InstanceNorm1d::of(3), signals),
        boxed(InstanceNorm2d::of(3).running_statistics(0.1), images),
        boxed(GroupNorm::of(1, 3).without_affine(), flat),
        boxed(LayerNorm::of(&[3]).without_affine(), flat),
        boxed(RmsNorm::of(&[3]).without_affine(), flat),
        boxed(LocalResponseNorm::new(1).alpha(0.0).beta(0.0), flat),
        boxed(BatchNorm3d::of(3), volumes),
        boxed(InstanceNorm1d::of(3).affine(), signals),
        boxed(InstanceNorm2d::of(3).affine(), images),
        boxed(InstanceNorm3d::of(3).affine(), volumes),
        boxed(GroupNorm::of(1, 3), flat),
        boxed(LayerNorm::of(&[3]), flat),
        boxed(RmsNorm::of(&[3]), flat),
        boxed(Rnn::of(3, 3, rng).without_bias(), &[1, 1, 3]),
        boxed(Rnn::of(3, 3, rng).relu(), flat),
        boxed(Lstm::of(3, 3, rng).projection(1, rng), &[1, 1, 3]),
        boxed(Lstm::of(3, 2, rng).layers(2, rng).bidirectional(rng), flat),
        boxed(Gru::of(3, 3, rng).batch_first().without_bias(), &[1, 1, 3]),
        boxed(Gru::of(3, 3, rng), &[2, 4, 3]),
        boxed(MultiHeadAttention::of(3, 1, rng).without_bias(), &[1, 3]),
        boxed(MultiHeadAttention::of(4, 2, rng).dropout(0.5).batch_first().rotary(), &[2, 3, 4]),
        boxed(TransformerEncoderLayer::of(4, 2, 8, rng), &[3, 2, 4]),
        boxed(TransformerEncoder::new(vec![TransformerEncoderLayer::of(4, 2, 8, rng)]), &[3, 2, 4]),
        boxed(SinusoidalPositions::new(4), &[2, 3, 4]),
        boxed(LearnedPositions::of(5, 4, rng), &[2, 3, 4]),
        boxed(RotaryPositions::new(4), &[2, 1, 4]),
        boxed(Sequential::of(), flat),
        boxed(sequential![Sequential::of(), Identity, Sequential::of()], flat),
        boxed(sequential![Returns], flat),
        boxed(sequential![Sequential::of().add(Returns), Returns], flat),
        boxed(Box::new(Identity) as Box<dyn Layer<f64>>, flat),
        boxed(ActivationCheckpoint(sequential![Linear::of(3, 3, rng), Dropout::new(0.5)]), flat),
        boxed(ActivationCheckpoint(BatchNorm2d::of(3)), images),
    ]
}

/// A user's layer that returns its input.
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Returns;

impl Layer<f64> for Returns {
    fn call<'t>(&self, x: Var<'t, f64>) -> Var<'t, f64> {
        x
    }
}

/// The derivative of Σy² with respect to y is 2y, whatever else uses x.
#[test]
fn no_layer_returns_its_operand() {
    for (layer, shape) in layers() {
        let name = layer.to_string();
        let value = Tensor::normal_of(shape, 0.0, 1.0, &mut Philox::new(1));
        for tape in [Tape::eval(), Tape::train(&mut Philox::new(2))] {
            let x = tape.watch(value.clone());
            let y = layer.forward(x);
            assert!(!y.is(x), "{name} returns its operand, {:?}", tape.mode());
            let by_y = (y.square().sum_all() + x.square().sum_all()).grad(&[y])[0];
            assert_eq!(by_y.value(), y.value() * 2.0, "{name}, {:?}", tape.mode());
            // The same holds inside a model.
            let y = layer.forward(x);
            assert!(!y.is(x), "{name}");
        }
    }
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([1.0, 2.0]));
    assert_eq!(Identity.forward(x).value(), x.value());
    assert_eq!(Sequential::of().forward(x).value(), x.value());
}

/// `first_state` is the first state that a walk visits, and a copy has its own identities.
#[test]
fn a_copy_of_a_layer_has_new_ids_and_the_same_first_state() {
    struct Walked<'a>(&'a dyn Module);
    impl Module for Walked<'_> {
        fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
            self.0.visit(path, see);
        }
        fn visit_mut<'m>(&'m mut self, _: &Path<'_>, _: &mut SeeMut<'_, 'm>) {}
    }
    for (mut layer, _) in layers() {
        assert_eq!(layer.first_state(), Walked(&layer).first_state(), "{layer}");
        layer.freeze();
        let copy = layer.clone();
        assert_eq!(copy.to_string(), layer.to_string());
        assert_eq!(copy.type_name(), layer.type_name());
        let (ours, theirs) = (layer.named_state(), copy.named_state());
        assert_eq!(ours.len(), theirs.len());
        for ((name, ours), (of_copy, theirs)) in ours.into_iter().zip(theirs) {
            assert_eq!(name, of_copy);
            assert_ne!(ours.id(), theirs.id(), "{layer}: {name}");
            assert_eq!(ours.value(), theirs.value());
            assert_eq!(ours.frozen(), theirs.frozen());
        }
    }
}

/// `layers` contains every layer that the crate exports.
#[test]
fn the_list_of_layers_is_complete() {
    let tested: HashSet<String> =
        layers().iter().map(|(layer, _)| layer.outline().name().to_string()).collect();
    // Exports that begin with a capital letter and are not layers.
    let others = [
        "Attention",
        "CloneLayer",
        "ActivationCheckpoint", // has the name of the layer that it wraps
        "KvCache",
        "Layer",
        "LayerSummary",
        "LoadError",
        "LoadOptions",
        "Mismatch",
        "Module",
        "Reduction",
        "StateDict",
        "Summary",
        "Surrogate",
        "Target",
        "Bag",
        // Modules without parameters that take a variable and its positions.
        "MaxUnpool1d",
        "MaxUnpool2d",
        "MaxUnpool3d",
        // Options of losses.
        "Bce",
        "BceWithLogits",
        "CosineEmbedding",
        "CrossEntropy",
        "Ctc",
        "Dice",
        "Focal",
        "GaussianNll",
        "HingeEmbedding",
        "Huber",
        "InfoNce",
        "KlDiv",
        "MarginRanking",
        "MultiMargin",
        "MultilabelSoftMargin",
        "Nll",
        "PoissonNll",
        "SmoothL1",
        "TripletMargin",
    ];
    let source = include_str!("../../src/lib.rs");
    let exports = source.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let names = exports.flat_map(|export| export.split(|c: char| !c.is_alphanumeric()));
    let mut found = 0;
    for name in names.filter(|name| name.starts_with(char::is_uppercase)) {
        let other = others.contains(&name) || WITH_OTHER_INPUTS.contains(&name);
        assert!(tested.contains(name) || other, "{name} is in none of the lists");
        found += 1;
    }
    assert!(found > 50, "{found} names");
}

/// Returns the value, slope and gradients with respect to the input and the parameters, as bits,
/// and the state of the layer after the updates of the tape. Then restores the state of the layer.
fn results(
    layer: &mut Box<dyn Layer<f64>>,
    [x, y, loss, slope]: [Var<'_, f64>; 4],
) -> (Vec<Vec<u64>>, Vec<Vec<f64>>) {
    let mut all: Vec<Tensor<f64>> = [y, slope].iter().map(|y| y.value()).collect();
    let gradients = loss.backward();
    all.extend(gradients.wrt(x).cloned());
    layer.visit(&Path::root(), &mut |_, state| {
        if let Some(param) = state.downcast_ref::<Param<f64>>() {
            all.extend(gradients.get(param).cloned());
        }
    });
    let bits = |x: Tensor<f64>| x.to_vec().into_iter().map(f64::to_bits).collect();
    let before = state_dict(&*layer);
    gradients.apply_updates(layer);
    let after = layer.named_state().iter().map(|(_, state)| numbers(state.value())).collect();
    load_state_dict(layer, &before).unwrap();
    (all.into_iter().map(bits).collect(), after)
}

fn numbers(value: AnyTensor) -> Vec<f64> {
    match value {
        AnyTensor::F64(value) => value.to_vec(),
        AnyTensor::I64(value) => value.cast::<f64>().to_vec(),
        other => panic!("{other:?}"),
    }
}

/// After a change of inputs, parameters, buffers and random numbers, replaying a layer gives the
/// same bits as a new forward pass: values, gradients and buffer updates.
#[test]
fn every_layer_can_be_replayed() {
    for (mut layer, shape) in layers() {
        let name = layer.to_string();
        for training in [false, true] {
            let tape_of = |seed: u64| {
                if training { Tape::train(&mut Philox::new(seed)) } else { Tape::<f64>::eval() }
            };
            let input = |seed| Tensor::normal_of(shape, 0.0, 1.0, &mut Philox::new(seed));
            let record = |layer: &dyn Layer<f64>, tape| {
                let x = Tape::watch(tape, input(2));
                let y = layer.forward(x);
                let loss = y.powi(3).sum_all();
                [x, y, loss, loss.grad(&[x])[0]]
            };
            let tape = tape_of(1);
            let recorded = record(&*layer, &tape);
            drop(recorded[2].backward());
            for seed in 3..5 {
                layer.visit_mut(&Path::root(), &mut |_, state| {
                    let value = match state.value() {
                        AnyTensor::F64(value) => AnyTensor::F64(value * 0.75 + 0.5),
                        AnyTensor::I64(value) => AnyTensor::I64(value + 3),
                        other => other,
                    };
                    state.set(&value).unwrap();
                });
                let rng = &mut Philox::new(seed);
                tape.replay(&layer).set(recorded[0], input(seed)).rng(rng).run();
                let replayed = results(&mut layer, recorded);
                let fresh = tape_of(seed);
                let x = fresh.watch(input(seed));
                let y = layer.forward(x);
                let loss = y.powi(3).sum_all();
                let anew = results(&mut layer, [x, y, loss, loss.grad(&[x])[0]]);
                assert!(replayed == anew, "{name}, training: {training}");
            }
        }
    }
}
