//! Compares derivatives of layers with respect to the input and all parameters together with finite
//! differences: the gradient with differences of the loss, and the Hessian times a direction with
//! differences of the gradient.

use crate::operands::{WITH_OTHER_INPUTS, layers};
use wengert_autograd::{Gradcheck, Mode, Param, Path, Policy, Tape, Var};
use wengert_nn::{
    ActivationCheckpoint, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, Attention, Bag,
    BatchNorm1d, BatchNorm2d, BatchNorm3d, Bilinear, Conv1d, Conv2d, Conv3d, ConvTranspose1d,
    ConvTranspose2d, ConvTranspose3d, Dropout2d, Embedding, EmbeddingBag, GroupNorm, Gru, GruCell,
    Hardsigmoid, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, Layer, LayerNorm, LeakyRelu,
    LearnedPositions, Linear, LocalResponseNorm, Lstm, LstmCell, Maxout, Module,
    MultiHeadAttention, PRelu, Residual, RmsNorm, Rnn, RnnCell, RotaryPositions, Sequential, Silu,
    SpectralNorm, Tanh, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder,
    TransformerEncoderLayer, WeightNorm, sequential,
};
use wengert_tensor::{Conv, Padding, Philox, Tensor, VolumePadding};

fn numbers(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::uniform_of(shape, -2.0, 2.0, &mut Philox::new(seed))
}

/// Returns a scalar that weights every element of the output differently. It is not linear, so that
/// the second derivatives of linear layers are not zero.
fn loss<'t>(layer: &dyn Layer<f64>, x: Var<'t, f64>) -> Var<'t, f64> {
    let y = layer.forward(x);
    let weights = numbers(&y.shape(), 5);
    ((0.3 * y).tanh() * y.tape().constant(weights)).sum_all()
}

/// Returns a random direction for each variable of each case. Variable 0 is the input; the
/// parameters follow.
fn direction(case: &str, variable: usize, shape: &[usize]) -> Tensor<f64> {
    // The hash function FNV-1a.
    let seed = case.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut rng = Philox::with_stream(seed, variable as u64);
    Tensor::uniform_of(shape, -2.0, 2.0, &mut rng)
}

/// Moves the input and the parameters by `step` times the direction.
fn moved<L: Layer<f64> + Clone>(
    case: &str,
    layer: &L,
    x: &Tensor<f64>,
    step: f64,
) -> (L, Tensor<f64>) {
    let (mut layer, mut variable) = (layer.clone(), 0);
    layer.visit_mut(&Path::root(), &mut |_, state| {
        if let Some(param) = state.downcast_mut::<Param<f64>>().filter(|param| !param.frozen()) {
            variable += 1;
            let by = direction(case, variable, &param.shape()) * step;
            param.update(|value| *value += &by);
        }
    });
    let by = direction(case, 0, &x.shape()) * step;
    (layer, x + &by)
}

struct Derivatives {
    loss: f64,
    gradient: Vec<f64>,
    /// The gradient times the direction. `curvature` is the Hessian times the direction.
    slope: f64,
    curvature: Vec<f64>,
}

fn derivatives<L: Layer<f64>>(
    case: &str,
    layer: &L,
    x: &Tensor<f64>,
    policy: Policy,
    mode: Mode,
) -> Derivatives {
    let tape = match mode {
        Mode::Train => Tape::train(&mut Philox::new(0)),
        Mode::Eval => Tape::eval(),
    }
    .with_policy(policy);
    let mut variables = vec![tape.watch(x.clone())];
    let mut params = vec![];
    layer.visit(&Path::root(), &mut |_, state| {
        params.extend(state.downcast_ref::<Param<f64>>().filter(|param| !param.frozen()));
    });
    variables.extend(params.iter().map(|param| tape.param(param)));
    let loss = loss(layer, variables[0]);
    let gradient = loss.grad(&variables);
    let slopes = gradient.iter().enumerate().map(|(variable, g)| {
        let along = tape.constant(direction(case, variable, &g.shape()));
        (*g * along).sum_all()
    });
    let slope = slopes.reduce(|a, b| a + b).unwrap();
    let flat = |parts: &[Var<'_, f64>]| parts.iter().flat_map(|p| p.value().to_vec()).collect();
    Derivatives {
        loss: loss.item(),
        gradient: flat(&gradient),
        slope: slope.item(),
        curvature: flat(&slope.grad_or_zero(&variables)),
    }
}

fn stencil([a, b, c, d]: [f64; 4], h: f64) -> f64 {
    (8.0 * (c - b) - (d - a)) / (12.0 * h)
}

#[track_caller]
fn close(what: &str, rules: f64, differences: f64) {
    let scale = rules.abs().max(differences.abs()).max(1.0);
    // The condition is not written with `>`, so that NaN fails.
    assert!((rules - differences).abs() <= 2e-6 * scale, "{what}: {rules} {differences}");
}

#[track_caller]
fn check_in<L: Layer<f64> + Clone>(mode: Mode, layer: &L, shape: &[usize]) {
    let (x, h) = (numbers(shape, 3), 1e-3);
    let name = format!("{mode:?}: {} of {shape:?}", layer.outline());
    for policy in [Policy::Fused, Policy::Eager] {
        let here = derivatives(&name, layer, &x, policy, mode);
        let around = [-2.0, -1.0, 1.0, 2.0].map(|k| {
            let (layer, x) = moved(&name, layer, &x, k * h);
            derivatives(&name, &layer, &x, policy, mode)
        });
        let slope = stencil(around.each_ref().map(|at| at.loss), h);
        close(&format!("{name}: slope"), here.slope, slope);
        assert!(here.gradient.iter().any(|g| g.abs() > 1e-3), "{name}: flat");
        for (i, &rules) in here.curvature.iter().enumerate() {
            let differences = stencil(around.each_ref().map(|at| at.gradient[i]), h);
            close(&format!("{name}: second derivative {i}"), rules, differences);
        }
    }
}

#[track_caller]
fn check<L: Layer<f64> + Clone>(layer: &L, shape: &[usize]) {
    check_in(Mode::Eval, layer, shape);
    // Checks every element of the first and second derivatives with respect to the input.
    let x = numbers(shape, 3);
    if let Err(error) = Gradcheck::new().order(2).run(|x| layer.forward(x[0]), &[x]) {
        panic!("{}: {error}", layer.outline())
    }
}

/// Returns a copy of the layer with other weights and biases than the initial ones, so that mixing
/// them up is detected.
fn shaken<L: Layer<f64> + Clone>(layer: &L) -> L {
    moved("shaken", layer, &Tensor::zeros_of(&[1]), 0.3).0
}

#[test]
fn derivatives_of_convolutions_agree_with_differences() {
    let rng = &mut Philox::new(1);
    check(&Conv2d::of(2, 3, [3, 2], rng), &[2, 2, 4, 3]);
    check(&Conv2d::of(2, 2, [2, 3], rng).stride([2, 1]).padding([1, 2]), &[2, 2, 5, 4]);
    check(&Conv2d::of(4, 4, 2, rng).groups(2).dilation([1, 2]).without_bias(), &[1, 4, 3, 5]);
    check(&Conv2d::of(3, 6, [3, 4], rng).groups(3).padding(Padding::Same), &[1, 3, 3, 4]);
    let conv = Conv { padding: [(0, 1), (2, 0)], ..Conv::new() };
    check(&Conv2d::from_tensors(numbers(&[3, 2, 2, 2], 4), None, conv), &[1, 2, 2, 3]);
    check(&Conv1d::of(2, 3, 3, rng).stride(2).padding(1), &[2, 2, 7]);
    check(&Conv1d::of(2, 4, 2, rng).groups(2).dilation(3).padding(Padding::Same), &[2, 2, 5]);
    let transposed = ConvTranspose2d::of(2, 3, [3, 2], rng).stride([2, 3]);
    check(&transposed.padding([1, 0]).output_padding([1, 2]), &[2, 2, 3, 2]);
    check(&ConvTranspose2d::of(4, 2, 2, rng).groups(2).dilation(2), &[1, 4, 2, 3]);
    let dilated = ConvTranspose2d::of(2, 2, 2, rng).dilation([3, 2]);
    check(&dilated.output_padding([2, 1]), &[1, 2, 2, 3]);
}

#[test]
fn derivatives_of_batch_norms_agree_with_differences() {
    // Without running statistics, evaluation normalises as training does.
    let batch = || shaken(&BatchNorm2d::of(3).without_running_statistics());
    check(&batch(), &[2, 3, 3, 2]);
    check(&batch().eps(0.5).without_affine(), &[3, 3, 1, 2]);
    // With 16 positions and more, a fused kernel.
    check(&batch(), &[2, 3, 4, 4]);
    check(&batch().eps(0.5).without_affine(), &[2, 3, 3, 6]);
    check(&batch().without_bias(), &[2, 3, 1, 17]);
    check(&BatchNorm1d::of(3).without_running_statistics(), &[5, 3]);
    check(&BatchNorm1d::of(2).without_running_statistics(), &[3, 2, 4]);
    // With running statistics, the layer is an affine map in evaluation.
    let mut layer = shaken(&BatchNorm2d::of(3));
    layer.running_mean.as_mut().unwrap().set(numbers(&[3], 1));
    layer.running_var.as_mut().unwrap().set(Tensor::from([0.3, 1.0, 2.5]));
    check(&layer, &[2, 3, 3, 2]);
}

#[test]
fn derivatives_of_norms_with_running_statistics_agree_with_differences() {
    check_in(Mode::Train, &shaken(&BatchNorm2d::of(3)), &[2, 3, 3, 2]);
    check_in(Mode::Train, &BatchNorm2d::of(2).without_affine(), &[2, 2, 3, 2]);
    check_in(Mode::Train, &shaken(&BatchNorm2d::of(2)), &[2, 2, 4, 5]);
    check_in(Mode::Train, &shaken(&BatchNorm1d::of(2)).momentum(None), &[5, 2]);
    let instances = shaken(&InstanceNorm2d::of(2).affine()).running_statistics(0.1);
    check_in(Mode::Train, &instances, &[2, 2, 2, 3]);
}

#[test]
fn running_statistics_do_not_change_the_gradients_of_a_training_batch_norm() {
    let layer = shaken(&BatchNorm2d::of(3));
    let plain = layer.clone().without_running_statistics();
    let gradients = [&layer, &plain].map(|layer| {
        let tape = Tape::train(&mut Philox::new(0));
        let x = tape.watch(numbers(&[4, 3, 2, 5], 1));
        let gradients = loss(layer, x).backward();
        let of = |param: &Option<Param<f64>>| gradients.get(param.as_ref().unwrap()).cloned();
        let all = [gradients.wrt(x).cloned(), of(&layer.weight), of(&layer.bias)];
        all.map(|g| g.unwrap().to_vec())
    });
    assert_eq!(gradients[0], gradients[1]);
}

#[test]
fn derivatives_of_other_norms_agree_with_differences() {
    check(&shaken(&InstanceNorm1d::of(2).affine()), &[2, 2, 5]);
    check(&shaken(&InstanceNorm2d::of(2).affine()), &[2, 2, 3, 2]);
    check(&InstanceNorm2d::of(3), &[1, 3, 2, 3]);
    check(&InstanceNorm2d::of(2).running_statistics(0.1), &[1, 2, 2, 3]);
    check(&shaken(&LayerNorm::of(&[5])), &[3, 5]);
    check(&shaken(&LayerNorm::of(&[2, 3]).without_bias()), &[2, 2, 3]);
    check(&LayerNorm::of(&[4]).without_affine().eps(0.1), &[2, 3, 4]);
    check(&shaken(&GroupNorm::of(2, 4)), &[2, 4, 3, 2]);
    check(&GroupNorm::of(3, 12).without_affine(), &[2, 12]);
    check(&shaken(&RmsNorm::of(&[5])), &[3, 5]);
    check(&RmsNorm::of(&[2, 3]).without_affine().eps(0.1), &[2, 2, 3]);
    check(&LocalResponseNorm::new(3).alpha(0.7), &[2, 4, 2, 3]);
    check(&LocalResponseNorm::new(4).alpha(0.5).beta(0.4).k(2.0), &[2, 3]);
    check(&LocalResponseNorm::new(9).alpha(1.0), &[1, 4, 3]);
}

#[test]
fn derivatives_of_adaptive_pools_agree_with_differences() {
    check(&AdaptiveAvgPool2d::new(1), &[2, 3, 4, 3]);
    check(&AdaptiveAvgPool2d::new([3, 2]), &[1, 2, 4, 5]);
    check(&AdaptiveAvgPool1d::new(1), &[2, 3, 5]);
    check(&AdaptiveAvgPool1d::new(3), &[2, 2, 5]);
}

#[test]
fn derivatives_of_recurrent_layers_agree_with_differences() {
    let rng = &mut Philox::new(7);
    check(&Rnn::of(2, 3, rng).layers(2, rng).bidirectional(rng), &[3, 2, 2]);
    check(&Lstm::of(2, 2, rng), &[3, 2, 2]);
    let lstm = Lstm::of(2, 3, rng).layers(2, rng).bidirectional(rng);
    check(&lstm.projection(2, rng).batch_first(), &[1, 3, 2]);
    check(&Gru::of(2, 2, rng).layers(2, rng), &[3, 2, 2]);
    check(&Gru::of(2, 2, rng).bidirectional(rng).without_bias(), &[3, 2]);
}

#[test]
fn derivatives_of_attention_agree_with_differences() {
    let rng = &mut Philox::new(8);
    check(&shaken(&MultiHeadAttention::of(4, 2, rng)), &[3, 2, 4]);
    check(&MultiHeadAttention::of(4, 2, rng).batch_first().rotary(), &[2, 3, 4]);
    let layer = TransformerEncoderLayer::of(4, 2, 5, rng).dropout(0.0).gelu();
    check(&shaken(&layer), &[2, 2, 4]);
    check(&shaken(&layer.norm_first().batch_first()), &[2, 2, 4]);
    check(&LearnedPositions::of(5, 4, rng), &[2, 3, 4]);
    check(&RotaryPositions::new(4), &[2, 3, 4]);
}

/// A module whose inputs are parts of one variable, or fixed numbers.
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd", no_display)]
struct Of<M> {
    module: M,
    #[module(skip)]
    run: Run<M>,
}

type Run<M> = for<'t> fn(&M, Var<'t, f64>) -> Var<'t, f64>;

impl<M: Module + Clone + Send + Sync + 'static> Layer<f64> for Of<M> {
    fn call<'t>(&self, x: Var<'t, f64>) -> Var<'t, f64> {
        (self.run)(&self.module, x)
    }
}

#[test]
fn derivatives_of_linear_layers_agree_with_differences() {
    let rng = &mut Philox::new(2);
    check(&Linear::of(3, 2, rng), &[2, 3]);
    check(&Linear::of(3, 2, rng).without_bias(), &[2, 2, 3]);
    check(&Maxout::of(3, 2, 3, rng), &[4, 3]);
    check(&PRelu::of(1), &[2, 3]);
    check(&shaken(&PRelu::of(3)), &[2, 3, 4]);
    check(&Residual::new(Linear::of(3, 3, rng)), &[2, 3]);
    check(&Residual::new(Linear::of(3, 2, rng)).shortcut(Linear::of(3, 2, rng)), &[2, 3]);
    let layers: Sequential<f64> = sequential![Linear::of(2, 3, rng), Tanh, Linear::of(3, 2, rng)];
    check(&layers, &[3, 2]);
    check(&ActivationCheckpoint(layers), &[3, 2]);
    let bilinear = Bilinear::of(2, 3, 2, rng);
    let run: Run<Bilinear<f64>> = |m, x| m.forward(x.narrow(-1, 0, 2), x.narrow(-1, 2, 3));
    check(&Of { module: bilinear, run }, &[2, 5]);
}

/// The derivatives by the tables. The input is added, so that there is one.
#[test]
fn derivatives_of_embeddings_agree_with_differences() {
    let rng = &mut Philox::new(3);
    let run: Run<Embedding<f64>> =
        |m, x| x * m.forward(x.tape(), &Tensor::from([[0i64, 2], [2, 1]]));
    check(&Of { module: Embedding::of(4, 3, rng), run }, &[2, 2, 3]);
    let run: Run<EmbeddingBag<f64>> =
        |m, x| x * m.forward(x.tape(), &Tensor::from([[0i64, 2], [2, 1]]));
    for bag in [Bag::Sum, Bag::Mean, Bag::Max] {
        check(&Of { module: EmbeddingBag::of(4, 3, rng).bag(bag), run }, &[2, 3]);
    }
}

#[test]
fn derivatives_of_recurrent_cells_agree_with_differences() {
    let rng = &mut Philox::new(4);
    let run: Run<RnnCell<f64>> = |m, x| m.forward(x.narrow(1, 0, 2), Some(x.narrow(1, 2, 3)));
    check(&Of { module: RnnCell::of(2, 3, rng), run }, &[2, 5]);
    let run: Run<GruCell<f64>> = |m, x| m.forward(x.narrow(1, 0, 2), Some(x.narrow(1, 2, 3)));
    check(&Of { module: GruCell::of(2, 3, rng), run }, &[2, 5]);
    let run: Run<LstmCell<f64>> = |m, x| {
        let (h, c) = m.forward(x.narrow(1, 0, 2), Some((x.narrow(1, 2, 2), x.narrow(1, 4, 2))));
        Var::concat(&[h, c], 1)
    };
    check(&Of { module: LstmCell::of(2, 2, rng), run }, &[2, 6]);
}

#[test]
fn derivatives_of_transformers_agree_with_differences() {
    let rng = &mut Philox::new(5);
    let layer = TransformerEncoderLayer::of(4, 2, 3, rng).dropout(0.0).gelu();
    check(&shaken(&TransformerEncoder::new(vec![layer])), &[2, 1, 4]);
    let layer = TransformerDecoderLayer::of(4, 2, 3, rng).dropout(0.0).gelu();
    let run: Run<TransformerDecoderLayer<f64>> =
        |m, x| m.run(x.narrow(0, 0, 2), x.narrow(0, 2, 2), &Attention::new(), &Attention::new());
    check(&shaken(&Of { module: layer.clone(), run }), &[4, 1, 4]);
    let run: Run<TransformerDecoder<f64>> =
        |m, x| m.run(x.narrow(0, 0, 2), x.narrow(0, 2, 2), &Attention::new(), &Attention::new());
    check(&shaken(&Of { module: TransformerDecoder::new(vec![layer]), run }), &[4, 1, 4]);
}

#[test]
fn derivatives_of_weight_wrappers_agree_with_differences() {
    let rng = &mut Philox::new(6);
    check(&shaken(&WeightNorm::new(Linear::of(3, 2, rng))), &[2, 3]);
    check(&shaken(&WeightNorm::along(ConvTranspose1d::of(2, 2, 2, rng), 1)), &[1, 2, 3]);
    check(&shaken(&WeightNorm::new(LayerNorm::of(&[3]))), &[2, 3]);
    check(&SpectralNorm::new(Linear::of(3, 2, rng), rng), &[2, 3]);
    check(&SpectralNorm::along(Conv1d::of(2, 2, 2, rng), 1, rng), &[1, 2, 3]);
}

#[test]
fn derivatives_of_layers_of_volumes_agree_with_differences() {
    let rng = &mut Philox::new(9);
    check(&Conv3d::of(2, 2, [2, 1, 2], rng).padding([1, 0, 0]), &[1, 2, 2, 2, 3]);
    let strided = Conv3d::of(2, 4, [2, 2, 1], rng).groups(2).stride([2, 1, 2]).dilation([2, 1, 1]);
    check(&strided.without_bias(), &[1, 2, 5, 2, 3]);
    check(&Conv3d::of(1, 2, [3, 2, 1], rng).padding(VolumePadding::Same), &[1, 1, 2, 2, 2]);
    let transposed = ConvTranspose3d::of(2, 2, [2, 1, 2], rng).stride([2, 1, 3]).groups(2);
    check(&transposed.padding([1, 0, 0]).output_padding([1, 0, 2]), &[1, 2, 2, 2, 2]);
    check(&ConvTranspose1d::of(2, 3, 3, rng).stride(2).padding(1), &[2, 2, 3]);
    check(&shaken(&BatchNorm3d::of(2).without_running_statistics()), &[2, 2, 2, 1, 2]);
    check_in(Mode::Train, &shaken(&BatchNorm3d::of(2)), &[2, 2, 2, 1, 2]);
    check(&shaken(&InstanceNorm3d::of(2).affine()), &[1, 2, 2, 2, 2]);
    check(&AdaptiveAvgPool3d::new([2, 1, 2]), &[1, 2, 3, 2, 3]);
}

/// Every layer and module with parameters occurs in a test of this file.
#[test]
fn the_list_of_layers_with_parameters_is_complete() {
    let source = include_str!("derivatives.rs");
    let tests = source.split_once("\n#[test]").unwrap().1;
    let with_parameters = layers().into_iter().filter(|(layer, _)| {
        layer.named_state().iter().any(|(_, state)| state.downcast_ref::<Param<f64>>().is_some())
    });
    let mut names: Vec<String> =
        with_parameters.map(|(layer, _)| layer.outline().name().to_string()).collect();
    names.extend(WITH_OTHER_INPUTS.map(String::from));
    names.sort();
    names.dedup();
    assert!(names.len() > 35, "{names:?}");
    for name in names {
        let made = ["of", "new", "from_tensors"].map(|new| format!("{name}::{new}("));
        let made = made.iter().any(|call| tests.contains(call.as_str()));
        assert!(made || name == "Sequential", "{name} has parameters, and no test here");
    }
}

#[test]
fn derivatives_of_activations_agree_with_differences() {
    check(&Silu, &[2, 3]);
    check(&Hardsigmoid, &[2, 3]);
    check(&LeakyRelu(0.1), &[2, 3]);
    check(&LeakyRelu(-0.5), &[2, 3]);
}

#[test]
fn channel_dropout_is_linear_with_its_own_mask() {
    let tape = Tape::train(&mut Philox::new(0));
    let x = tape.watch(Tensor::<f64>::ones_of(&[5, 4, 2, 3]));
    let y = Dropout2d::new(0.5).forward(x);
    let mask = y.value();
    let gradients = y.sum_all().backward();
    assert_eq!(gradients.wrt(x).unwrap().to_vec(), mask.to_vec());
    let channels = mask.reshape(&[20, 6]);
    for i in 0..20 {
        let channel = channels.narrow(0, i, 1).to_vec();
        assert!(channel == [0.0; 6] || channel == [2.0; 6]);
    }
    assert!(mask.to_vec().contains(&0.0) && mask.to_vec().contains(&2.0));
}
