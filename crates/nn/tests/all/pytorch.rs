//! Compares layers with PyTorch's: names and shapes of the state dict, outputs, gradients,
//! parameters and running statistics after three training steps, and the evaluation after them.

use crate::reference_file::{ReferenceFile, compare_derivatives};
use wengert_autograd::{Param, Path, Tape, Var};
use wengert_nn::{
    BatchNorm1d, BatchNorm2d, BatchNorm3d, Conv1d, Conv2d, Conv3d, ConvTranspose2d,
    ConvTranspose3d, GroupNorm, InstanceNorm1d, InstanceNorm2d, Layer, LayerNorm, LeakyRelu,
    LocalResponseNorm, Module, RmsNorm, Silu, StateDict, load_state_dict, state_dict,
};
use wengert_tensor::{
    AnyTensor, Float, NamedTensors, PadMode, Padding, Philox, Tensor, VolumePadding,
};

/// Compares a layer with PyTorch. Returns the tensors for the opposite comparison in PyTorch: the
/// state dict after training, and the evaluation.
fn compare<T: Float>(
    file: &ReferenceFile,
    case: &str,
    mut layer: impl Layer<T>,
) -> Vec<(String, AnyTensor)> {
    let dict: StateDict = file.group(&format!("{case}/init"));
    load_state_dict(&mut layer, &dict).unwrap_or_else(|error| panic!("{case}: {error}"));
    let get = |key: &str| file.get::<T>(&format!("{case}/{key}"));
    let (batches, weights) = (get("x"), get("weights"));
    for step in 0..3 {
        let tape = Tape::train(&mut Philox::new(0));
        let x = tape.watch(batches.narrow(0, step, 1).squeeze(0));
        let y = layer.forward(x);
        let loss = (y * tape.constant(weights.clone())).sum_all();
        if step == 0 {
            file.compare(case, "y", &y.value());
            compare_derivatives(file, case, loss, vec![("x".to_string(), x)], &layer);
        }
        let gradients = loss.backward();
        drop(tape);
        gradients.apply_updates(&mut layer);
        layer.visit_mut(&Path::root(), &mut |_, state| {
            let Some(param) = state.downcast_mut::<Param<T>>() else { return };
            let gradient = gradients.get(param).unwrap();
            param.update(|value| *value += &(gradient * -0.1));
        });
    }
    let (after, ours) = (file.group(&format!("{case}/after")), state_dict(&layer));
    assert_eq!(ours.len(), after.len(), "{case}: state dict");
    for (key, tensor) in ours.iter() {
        let wanted = after.get(key).unwrap_or_else(|| panic!("{case}: {key}"));
        if let Some(count) = tensor.get::<i64>() {
            assert_eq!(Some(count), wanted.get::<i64>(), "{case}: {key}");
        } else {
            file.compare::<T>(case, &format!("after/{key}"), &tensor.cast());
        }
    }
    let x = batches.narrow(0, 0, 1).squeeze(0);
    let eval = layer.predict(&x);
    file.compare(case, "eval", &eval);
    let after = ours.iter().map(|(key, tensor)| (format!("{case}/after/{key}"), tensor.clone()));
    after.chain([(format!("{case}/eval"), eval.into())]).collect()
}

fn all<T: Float>(file: &ReferenceFile) -> NamedTensors {
    let rng = &mut Philox::new(0);
    let mut ours = NamedTensors::new();
    macro_rules! compare {
        ($($name:ident: $layer:expr;)*) => { $(
            ours.extend(compare::<T>(file, stringify!($name), $layer));
        )* };
    }
    compare! {
        conv1d: Conv1d::of(4, 6, 3, rng).stride(2).padding(1).dilation(2).groups(2);
        conv1d_same: Conv1d::of(2, 3, 4, rng).padding(Padding::Same).dilation(3).without_bias();
        conv2d: Conv2d::of(2, 3, [3, 2], rng).stride([2, 1]).padding([1, 2]);
        conv2d_same: Conv2d::of(2, 2, [4, 3], rng).padding(Padding::Same).dilation([1, 2]);
        conv2d_valid: Conv2d::of(1, 4, [2, 5], rng).padding(Padding::Valid);
        conv2d_depthwise: Conv2d::of(3, 6, 3, rng).padding(1).groups(3).without_bias();
        conv2d_reflect: Conv2d::of(1, 2, 3, rng).padding([2, 1]).padding_mode(PadMode::Reflect);
        conv2d_replicate: Conv2d::of(1, 2, [2, 4], rng)
            .padding(Padding::Same).padding_mode(PadMode::Replicate);
        conv2d_circular: Conv2d::of(1, 2, 3, rng)
            .stride(2).padding([1, 2]).padding_mode(PadMode::Circular);
        conv_transpose2d: ConvTranspose2d::of(4, 2, [3, 2], rng)
            .stride([2, 3]).padding([1, 0]).output_padding([1, 2]).groups(2);
        conv_transpose2d_dilated: ConvTranspose2d::of(2, 3, 2, rng).dilation([1, 2]).without_bias();
        batch_norm1d: BatchNorm1d::of(3);
        batch_norm1d_signals: BatchNorm1d::of(2).eps(0.01).momentum(0.3);
        batch_norm2d: BatchNorm2d::of(3);
        batch_norm2d_cumulative: BatchNorm2d::of(2).momentum(None);
        batch_norm2d_plain: BatchNorm2d::of(2).without_affine();
        batch_norm2d_untracked: BatchNorm2d::of(2).without_running_statistics();
        instance_norm1d: InstanceNorm1d::of(2);
        instance_norm2d: InstanceNorm2d::of(2).affine();
        instance_norm2d_tracked: InstanceNorm2d::of(2).affine().running_statistics(0.1);
        layer_norm: LayerNorm::of(&[3, 4]);
        layer_norm_unbiased: LayerNorm::of(&[5]).eps(0.1).without_bias();
        layer_norm_plain: LayerNorm::of(&[5]).without_affine();
        group_norm: GroupNorm::of(2, 6);
        group_norm_plain: GroupNorm::of(2, 4).without_affine().eps(0.1);
        rms_norm: RmsNorm::of(&[5]);
        rms_norm_eps: RmsNorm::of(&[2, 3]).eps(0.1);
        local_response_norm: LocalResponseNorm::new(3);
        local_response_norm_even: LocalResponseNorm::new(4).alpha(0.6).beta(0.4).k(2.0);
        silu: Silu;
        leaky_relu: LeakyRelu(0.2);
        conv3d: Conv3d::of(2, 3, [2, 3, 2], rng).stride([2, 1, 1]).padding([1, 0, 2]);
        conv3d_groups: Conv3d::of(4, 6, [3, 2, 1], rng).dilation([1, 2, 1]).groups(2).without_bias();
        conv3d_same: Conv3d::of(2, 2, [4, 3, 2], rng)
            .padding(VolumePadding::Same).dilation([1, 1, 2]);
        conv3d_reflect: Conv3d::of(1, 2, [3, 1, 2], rng)
            .stride(2).padding([2, 1, 1]).padding_mode(PadMode::Reflect);
        conv3d_circular: Conv3d::of(1, 2, 2, rng)
            .padding([1, 0, 2]).padding_mode(PadMode::Circular);
        conv_transpose3d: ConvTranspose3d::of(4, 2, [3, 2, 1], rng)
            .stride([2, 1, 3]).padding([1, 0, 0]).output_padding([1, 0, 2]).groups(2);
        conv_transpose3d_dilated: ConvTranspose3d::of(2, 3, 2, rng)
            .dilation([3, 1, 2]).output_padding([2, 0, 1]).without_bias();
        batch_norm3d: BatchNorm3d::of(3);
    }
    ours
}

/// Writes the file for the opposite direction: `python layers.py FILE` loads these state dicts into
/// PyTorch's layers.
#[test]
#[ignore = "writes a file for PyTorch"]
fn writes_a_file_for_pytorch() {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/layers.safetensors");
    all::<f64>(&ReferenceFile::load("layers")).save(path).unwrap();
    println!("{path}");
}

#[test]
fn layers_agree_with_pytorch() {
    let file = ReferenceFile::load("layers");
    all::<f64>(&file);
    file.finish();
}

#[test]
fn layers_in_f32_agree_with_pytorch() {
    all::<f32>(&ReferenceFile::with_bounds("layers", [2e-5, 2e-5, 1e-4]));
}

/// Initial values have PyTorch's distribution: uniform, with the bound 1/√(number of connections).
#[test]
fn initial_values_have_the_range_of_pytorch() {
    fn assert_bound(name: &str, param: &Param<f64>, connections: f64) {
        let (bound, numbers) = (1.0 / connections.sqrt(), param.value().to_vec());
        let largest = numbers.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        assert!(largest <= bound * (1.0 + 1e-12) && largest > 0.9 * bound, "{name}: {largest}");
    }
    let rng = &mut Philox::new(0);
    let conv = Conv2d::<f64>::of(8, 64, [3, 2], rng);
    assert_bound("conv2d", &conv.weight, 48.0);
    assert_bound("conv2d bias", conv.bias.as_ref().unwrap(), 48.0);
    let grouped = conv.groups(4);
    assert_eq!(grouped.weight.shape(), [64, 2, 3, 2]);
    assert_bound("groups", &grouped.weight, 12.0);
    assert_bound("groups bias", grouped.bias.as_ref().unwrap(), 12.0);
    let transposed = ConvTranspose2d::<f64>::of(64, 8, [3, 2], rng).groups(2);
    assert_eq!((transposed.weight.shape()[1], transposed.outputs()), (4, 8));
    assert_bound("transposed", &transposed.weight, 24.0);
    assert_bound("conv1d", &Conv1d::<f64>::of(8, 64, 5, rng).weight, 40.0);
    assert_bound("conv3d", &Conv3d::<f64>::of(8, 64, [1, 2, 3], rng).weight, 48.0);
}

fn error_of(layer: &dyn Layer, shape: &[usize]) -> String {
    let error = layer.summary(shape).unwrap_err().to_string();
    // The panic of a forward pass has the same text.
    let run = || layer.predict(&Tensor::zeros(shape));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>(), Some(&error));
    error
}

#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Residual {
    conv: Vec<Conv2d>,
    norm: (BatchNorm2d, BatchNorm2d),
    shortcut: Option<Conv2d>,
    branches: Vec<Box<dyn Layer>>,
}

/// Adds the outputs of two branches and joins those of two others, in ordinary Rust code.
impl Layer for Residual {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let y = self.norm.0.forward(self.conv[0].forward(x)).relu();
        let y = self.norm.1.forward(self.conv[1].forward(y));
        let way = self.shortcut.as_ref().map_or(x, |layer| layer.forward(x));
        let y = (y + way).relu();
        let branches: Vec<_> = self.branches.iter().map(|branch| branch.forward(y)).collect();
        Var::concat(&branches, 1)
    }
}

#[test]
fn branching_models_are_plain_structs() {
    let rng = &mut Philox::new(0);
    let mut model = Residual {
        conv: vec![
            Conv2d::new(3, 8, 3, rng).stride(2).padding(1).without_bias(),
            Conv2d::new(8, 8, 3, rng).padding(1).without_bias(),
        ],
        norm: (BatchNorm2d::new(8), BatchNorm2d::new(8)),
        shortcut: Some(Conv2d::new(3, 8, 1, rng).stride(2)),
        branches: vec![
            Box::new(Conv2d::new(8, 2, 1, rng)),
            Box::new(Conv2d::new(8, 5, 3, rng).padding(1)),
        ],
    };
    let names: Vec<_> = state_dict(&model).names().map(String::from).collect();
    assert_eq!(names[..4], ["conv.0.weight", "conv.1.weight", "norm.0.weight", "norm.0.bias"]);
    assert_eq!(names[names.len() - 2..], ["branches.1.weight", "branches.1.bias"]);
    assert_eq!(model.summary(&[4, 3, 17, 12]).unwrap().output, [4, 7, 9, 6]);

    let tape = Tape::train(rng);
    let x = tape.constant(Tensor::normal(&[4, 3, 17, 12], 0.0, 1.0, rng));
    let gradients = model.forward(x).square().mean_all().backward();
    assert_eq!(gradients.len(), model.named_parameters().len());
    drop(tape);
    gradients.apply_updates(&mut model);
    let count = |norm: &BatchNorm2d| norm.num_batches_tracked.as_ref().unwrap().value().item();
    assert_eq!((count(&model.norm.0), count(&model.norm.1)), (1, 1));

    assert_eq!(
        error_of(&model, &[4, 1, 17, 12]),
        "conv.0: conv2d: expected [N, 3, H, W], got [4, 1, 17, 12]"
    );
}

#[test]
fn messages_name_the_expected_and_the_given_shape() {
    let rng = &mut Philox::new(0);
    let conv = Conv2d::new(1, 6, 5, rng);
    let texts = [
        (
            &[64, 28, 28][..],
            "expected [N, 1, H, W], got [64, 28, 28] (for one channel, add the channel axis with unsqueeze(1))",
        ),
        (
            &[1, 28, 28],
            "expected [N, 1, H, W], got [1, 28, 28] (for one sample, add the batch axis with unsqueeze(0))",
        ),
        (
            &[64, 28, 28, 1],
            "expected [N, 1, H, W], got [64, 28, 28, 1] (the channels are on the last axis: move them to axis 1 with permute)",
        ),
        (
            &[64, 784],
            "expected [N, 1, H, W], got [64, 784] (the samples are flat: restore their axes with reshape)",
        ),
        (
            &[64, 1, 28, 4],
            "input [64, 1, 28, 4] has width 4, a kernel of 5 does not fit; pad the image by 1 more in all, or take a smaller kernel",
        ),
    ];
    for (shape, text) in texts {
        assert_eq!(error_of(&conv, shape), format!("conv2d: {text}"));
    }
    let strided = Conv2d::new(1, 6, 5, rng).padding(Padding::Same).stride([1, 2]);
    assert_eq!(
        error_of(&strided, &[1, 1, 8, 8]),
        "conv2d: `Padding::Same` requires stride 1, got stride [1, 2]: give the padding in numbers"
    );
    let conv = Conv1d::new(2, 6, 5, rng);
    assert_eq!(
        error_of(&conv, &[8, 2, 3]),
        "conv1d: input [8, 2, 3] has length 3, a kernel of 5 does not fit; pad the signal by 2 more \
         in all, or take a smaller kernel"
    );
    assert_eq!(
        error_of(&conv.padding(Padding::Same).stride(2), &[8, 2, 9]),
        "conv1d: `Padding::Same` requires stride 1, got stride 2: give the padding in numbers"
    );
    let norms: [(&dyn Layer, &[usize], &str); 5] = [
        (&BatchNorm1d::new(3), &[5, 4], "batch_norm1d: expected [N, 3], got [5, 4]"),
        (&BatchNorm1d::new(3), &[5, 4, 2], "batch_norm1d: expected [N, 3, L], got [5, 4, 2]"),
        (&GroupNorm::new(2, 6), &[5], "group_norm: expected [N, 6, …], got [5]"),
        (&LayerNorm::new(&[2, 6]), &[2, 3, 6], "layer_norm: expected […, 2, 6], got [2, 3, 6]"),
        (&RmsNorm::new(&[6]), &[6, 2], "rms_norm: expected […, 6], got [6, 2]"),
    ];
    for (layer, shape, text) in norms {
        assert_eq!(error_of(layer, shape), text);
    }
    assert_eq!(
        error_of(&BatchNorm2d::new(3).without_running_statistics(), &[1, 3, 1, 1]),
        "batch_norm: the variance of one value per channel is undefined, got [1, 3, 1, 1]: without \
         running statistics, the layer needs at least 2 values per channel"
    );
    assert_eq!(BatchNorm2d::new(3).summary(&[1, 3, 1, 1]).unwrap().output, [1, 3, 1, 1]);
    assert_eq!(
        error_of(&InstanceNorm1d::new(3), &[4, 3, 1]),
        "instance_norm: the variance of one value per channel of each sample is undefined, got \
         [4, 3, 1]: use inputs with at least 2 positions"
    );
    let tracked = InstanceNorm1d::new(3).running_statistics(0.1);
    assert_eq!(tracked.summary(&[4, 3, 1]).unwrap().output, [4, 3, 1]);
    let tape = Tape::train(rng);
    let one = tape.constant(Tensor::zeros(&[1, 3]));
    let train = || BatchNorm1d::new(3).forward(one);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(train)).err().unwrap();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        "batch_norm: the variance of one value per channel is undefined, got [1, 3]: to train, use a \
         batch of at least 2 samples"
    );
}

#[test]
fn layers_print_options_that_are_not_the_default() {
    let rng = &mut Philox::new(0);
    let layers: [(&dyn Layer, &str); 9] = [
        (
            &Conv2d::new(4, 6, 3, rng).stride(2).groups(2),
            "Conv2d(weight: [6, 2, 3, 3], bias: [6], stride: 2, groups: 2)",
        ),
        (
            &Conv2d::new(1, 6, 3, rng).padding([1, 0]).dilation([1, 2]),
            "Conv2d(weight: [6, 1, 3, 3], bias: [6], padding: [1, 0], dilation: [1, 2])",
        ),
        (
            &Conv1d::new(1, 2, 3, rng).padding(Padding::Same).without_bias(),
            "Conv1d(weight: [2, 1, 3], bias: None, padding: same)",
        ),
        (
            &Conv1d::new(1, 2, 3, rng).padding(4).stride(2),
            "Conv1d(weight: [2, 1, 3], bias: [2], stride: 2, padding: 4)",
        ),
        (
            &Conv1d::new(1, 2, 3, rng).dilation(2).padding([(9, 8), (2, 1)]),
            "Conv1d(weight: [2, 1, 3], bias: [2], padding: (2, 1), dilation: 2)",
        ),
        (
            &Conv1d::new(2, 2, 3, rng).groups(2).padding(1).padding_mode(PadMode::Circular),
            "Conv1d(weight: [2, 1, 3], bias: [2], padding: 1, groups: 2, padding_mode: Circular)",
        ),
        (
            &Conv2d::new(1, 2, 3, rng).padding([(2, 1), (0, 0)]),
            "Conv2d(weight: [2, 1, 3, 3], bias: [2], padding: [(2, 1), (0, 0)])",
        ),
        (
            &ConvTranspose2d::new(1, 2, 3, rng).padding([0, 1]).dilation(2),
            "ConvTranspose2d(weight: [1, 2, 3, 3], bias: [2], padding: [0, 1], dilation: 2)",
        ),
        (
            &ConvTranspose2d::new(1, 2, 3, rng).stride(2).output_padding([0, 1]),
            "ConvTranspose2d(weight: [1, 2, 3, 3], bias: [2], stride: 2, output_padding: [0, 1])",
        ),
    ];
    for (layer, text) in layers {
        assert_eq!(layer.to_string(), text);
    }
}
