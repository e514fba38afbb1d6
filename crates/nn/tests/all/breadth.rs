//! Compares activations, losses and layers with PyTorch in `f64`: values, gradients, and products of the
//! Hessian with a direction. `tests/reference/breadth.py` describes the file.

use crate::reference_file::ReferenceFile;
use wengert_autograd::{Param, Tape, Var};
use wengert_nn::{
    Bag, BatchNorm3d, Bce, BceWithLogits, Bilinear, CircularPad1d, CircularPad2d, CircularPad3d,
    ConstantPad1d, ConstantPad2d, ConstantPad3d, ConvTranspose1d, CosineEmbedding, CrossEntropy,
    Ctc, Dice, Embedding, EmbeddingBag, Focal, GaussianNll, HingeEmbedding, Huber, InfoNce,
    InstanceNorm3d, KlDiv, Layer, Linear, MarginRanking, Module, MultiMargin, MultilabelSoftMargin,
    Nll, PRelu, PixelShuffle, PixelUnshuffle, PoissonNll, Reduction, ReflectionPad1d,
    ReflectionPad2d, ReflectionPad3d, ReplicationPad1d, ReplicationPad2d, ReplicationPad3d,
    SmoothL1, SpectralNorm, TripletMargin, WeightNorm, ZeroPad1d, ZeroPad2d, ZeroPad3d, bce_with,
    bce_with_logits_with, cosine_embedding_with, cross_entropy_with, ctc_with, focal,
    functional as f, gaussian_nll, gaussian_nll_with, hinge_embedding_with, huber_with, info_nce,
    kl_div_with, l1_with, margin_ranking_with, mse_with, multi_margin, multi_margin_with,
    multilabel_margin, multilabel_margin_with, multilabel_soft_margin_with, poisson_nll,
    smooth_l1_with, soft_cross_entropy_with, soft_margin_with, triplet_margin_with,
};
use wengert_tensor::{Conv, Philox, Tensor, VolumeConv, VolumePool};

#[test]
fn activations_losses_and_layers_agree_with_pytorch() {
    let file = ReferenceFile::load("breadth");
    activations(&file);
    losses_of_numbers(&file);
    losses_of_classes(&file);
    losses_of_pairs_and_sequences(&file);
    layers(&file);
    volumes(&file);
    lengths_of_a_vector(&file);
    rows_with_a_maximal_norm(&file);
    file.finish();
}

const REDUCTIONS: [(&str, Reduction); 3] =
    [("mean", Reduction::Mean), ("sum", Reduction::Sum), ("none", Reduction::None)];

type Activation = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;

fn activations(file: &ReferenceFile) {
    let all: [(&str, Activation); 23] = [
        ("relu6", |x| f::relu6(x)),
        ("hardtanh", |x| f::hardtanh(x, -1.0, 1.0)),
        ("hardtanh_of", |x| f::hardtanh(x, -0.5, 3.0)),
        ("threshold", |x| f::threshold(x, 0.5, -2.0)),
        ("leaky_relu", |x| f::leaky_relu(x, 0.1)),
        ("rrelu", |x| f::rrelu(x, 0.125, 1.0 / 3.0)),
        ("elu", |x| f::elu(x, 1.0)),
        ("elu_of", |x| f::elu(x, 2.5)),
        ("celu", |x| f::celu(x, 1.0)),
        ("celu_of", |x| f::celu(x, 0.5)),
        ("selu", |x| f::selu(x)),
        ("scaled_softplus", |x| f::scaled_softplus(x, 0.5, 3.0)),
        ("softsign", |x| f::softsign(x)),
        ("softshrink", |x| f::softshrink(x, 0.5)),
        ("hardshrink", |x| f::hardshrink(x, 0.5)),
        ("tanhshrink", |x| f::tanhshrink(x)),
        ("gelu", |x| f::gelu(x)),
        ("gelu_tanh", |x| f::gelu_tanh(x)),
        ("silu", |x| f::silu(x)),
        ("mish", |x| f::mish(x)),
        ("hardswish", |x| f::hardswish(x)),
        ("hardsigmoid", |x| f::hardsigmoid(x)),
        ("log_sigmoid", |x| f::log_sigmoid(x)),
    ];
    for (name, activation) in all {
        file.compare_function(name, |x| activation(x[0]));
        file.compare_function(&format!("{name}/kinks"), |x| activation(x[0]));
    }
    file.compare_function("mish_near", |x| f::mish(x[0]));
    file.compare_function("glu", |x| f::glu(x[0], 1));
    file.compare_function("glu_last", |x| f::glu(x[0], -1));
    file.compare_function("softmin", |x| f::softmin(x[0], 1));
    file.compare_function("prelu", |x| f::prelu(x[0], x[1]));
    file.compare_function("prelu_one", |x| f::prelu(x[0], x[1]));
    let layer = PRelu::from_tensors(file.get::<f64>("prelu/x1"));
    file.compare("prelu", "value", &layer.predict(&file.get("prelu/x0")));
}

fn losses_of_numbers(file: &ReferenceFile) {
    let signs = Tensor::from([
        [1.0, -1.0, 1.0, 1.0, -1.0],
        [1.0, -1.0, 1.0, 1.0, -1.0],
        [-1.0, -1.0, 1.0, -1.0, 1.0],
        [-1.0, -1.0, 1.0, -1.0, 1.0],
    ]);
    for (r, by) in REDUCTIONS {
        let case = |name: &str| format!("{name}/{r}");
        file.compare_function(&case("mse"), |x| mse_with(x[0], x[1], by));
        file.compare_function(&case("l1"), |x| l1_with(x[0], x[1], by));
        file.compare_function(&case("smooth_l1"), |x| smooth_l1_with(x[0], x[1], by));
        file.compare_function(&case("huber"), |x| huber_with(x[0], x[1], by));
        file.compare_function(&case("hinge_embedding"), |x| hinge_embedding_with(x[0], &signs, by));
        file.compare_function(&case("soft_margin"), |x| soft_margin_with(x[0], &signs, by));
        file.compare_function(&case("margin_ranking"), |x| {
            margin_ranking_with(x[0], x[1], &signs, by)
        });
        file.compare_function(&case("bce"), |x| bce_with(x[0], x[1], by));
        file.compare_function(&case("bce_with_logits"), |x| bce_with_logits_with(x[0], x[1], by));
        file.compare_function(&case("kl_div"), |x| kl_div_with(x[0], x[1], by));
        let kl = KlDiv::new().log_target(true).reduction(by);
        file.compare_function(&case("kl_div_log"), |x| kl.loss(x[0], x[1]));
        let name = case("multilabel_soft_margin");
        file.compare_function(&name, |x| multilabel_soft_margin_with(x[0], x[1], by));
        file.compare_function(&case("gaussian_nll"), |x| gaussian_nll_with(x[0], x[1], x[2], by));
    }
    file.compare_function("smooth_l1_of", |x| SmoothL1::new().beta(0.5).loss(x[0], x[1]));
    file.compare_function("smooth_l1_zero", |x| SmoothL1::new().beta(0.0).loss(x[0], x[1]));
    file.compare_function("huber_of", |x| Huber::new().delta(2.5).loss(x[0], x[1]));
    file.compare_function("hinge_embedding_of", |x| {
        HingeEmbedding::new().margin(0.5).loss(x[0], &signs)
    });
    file.compare_function("margin_ranking_of", |x| {
        MarginRanking::new().margin(0.5).loss(x[0], x[1], &signs)
    });
    let (w, w5) = (file.get::<f64>("weights_of_all"), file.get::<f64>("weights"));
    file.compare_function("bce_of", |x| Bce::new().weights(w.clone()).loss(x[0], x[1]));
    let targets = Tensor::from([1.0, 0.0, 1.0, 1.0, 0.0]);
    file.compare_function("bce_ends", |x| Bce::new().loss(x[0], &targets));
    let options = BceWithLogits::new().weights(w.clone()).pos_weight(w5.clone());
    file.compare_function("bce_with_logits_of", |x| options.loss(x[0], x[1]));
    let options = MultilabelSoftMargin::new().weights(w5.clone());
    file.compare_function("multilabel_soft_margin_of", |x| options.loss(x[0], x[1]));
    file.compare_function("poisson_nll", |x| poisson_nll(x[0], x[1]));
    let counts = file.get::<f64>("poisson_nll/x1");
    file.compare_function("poisson_nll_full", |x| PoissonNll::new().full(true).loss(x[0], &counts));
    let options = PoissonNll::new().full(true).log_input(false).eps(1e-3);
    file.compare_function("poisson_nll_rates", |x| options.loss(x[0], &counts));
    let options = GaussianNll::new().full(true).eps(1e-2);
    file.compare_function("gaussian_nll_full", |x| options.loss(x[0], x[1], x[2]));
    file.compare_function("gaussian_nll_one", |x| gaussian_nll(x[0], x[1], x[2]));
    file.compare_function("gaussian_nll_lacks", |x| gaussian_nll(x[0], x[1], x[2]));
    file.compare_function("focal", |x| focal(x[0], x[1]));
    file.compare_function("focal_of", |x| Focal::new().alpha(None).gamma(3.0).loss(x[0], x[1]));
    file.compare_function("dice", |x| Dice::new().smooth(0.5).loss(x[0], x[1]));
}

fn losses_of_classes(file: &ReferenceFile) {
    let (w5, w4) = (file.get::<f64>("weights"), file.get::<f64>("weights_of_four"));
    let classes = Tensor::from([2i64, 4, 0, 1]);
    let ignoring = Tensor::from([2i64, -100, 0, 1]);
    let pixels = Tensor::from([[1i64, 0], [2, 2], [0, 3]]);
    let lists =
        Tensor::from([[3i64, 0, -1, 1, 2], [1, -1, -1, -1, 0], [0, 1, 2, 3, 4], [-1, 2, 3, 0, 1]]);
    for (r, by) in REDUCTIONS {
        let case = |name: &str| format!("{name}/{r}");
        let new = || CrossEntropy::new().reduction(by);
        file.compare_function(&case("cross_entropy"), |x| cross_entropy_with(x[0], &classes, by));
        let options = new().weights(w5.clone()).ignore_index(-100).label_smoothing(0.1);
        file.compare_function(&case("cross_entropy_of"), |x| options.loss(x[0], &ignoring));
        let options = new().ignore_index(-100);
        file.compare_function(&case("cross_entropy_ignore"), |x| options.loss(x[0], &ignoring));
        let options = new().weights(w5.clone());
        file.compare_function(&case("cross_entropy_weights"), |x| options.loss(x[0], &classes));
        let options = new().label_smoothing(0.25);
        file.compare_function(&case("cross_entropy_smooth"), |x| options.loss(x[0], &classes));
        let options = new().weights(w4.clone()).ignore_index(2).label_smoothing(0.1);
        file.compare_function(&case("cross_entropy_pixels"), |x| options.loss(x[0], &pixels));
        file.compare_function(&case("soft_cross_entropy"), |x| {
            soft_cross_entropy_with(x[0], x[1], by)
        });
        let options = new().weights(w5.clone()).label_smoothing(0.1);
        let name = case("soft_cross_entropy_of");
        file.compare_function(&name, |x| options.loss_of_probabilities(x[0], x[1]));
        let options = new().weights(w4.clone());
        let name = case("soft_cross_entropy_pixels");
        file.compare_function(&name, |x| options.loss_of_probabilities(x[0], x[1]));
        let options = Nll::new().weights(w5.clone()).ignore_index(-100).reduction(by);
        file.compare_function(&case("nll_of"), |x| options.loss(x[0], &ignoring));
        let options = Nll::new().ignore_index(3).reduction(by);
        file.compare_function(&case("nll_pixels"), |x| options.loss(x[0], &pixels));
        file.compare_function(&case("multi_margin"), |x| multi_margin_with(x[0], &classes, by));
        let options = MultiMargin::new().p(2).margin(1.5).weights(w5.clone()).reduction(by);
        file.compare_function(&case("multi_margin_of"), |x| options.loss(x[0], &classes));
        file.compare_function(&case("multilabel_margin"), |x| {
            multilabel_margin_with(x[0], &lists, by)
        });
    }
    let first = lists.narrow(0, 0, 1).squeeze(0);
    file.compare_function("multilabel_margin_one", |x| multilabel_margin(x[0], &first));
    let class = Tensor::scalar_of(3i64);
    let options = CrossEntropy::new().label_smoothing(0.1);
    file.compare_function("cross_entropy_one", |x| options.loss(x[0], &class));
    file.compare_function("multi_margin_one", |x| multi_margin(x[0], &class));
}

fn losses_of_pairs_and_sequences(file: &ReferenceFile) {
    let signs = Tensor::from([1.0, -1.0, 1.0, -1.0]);
    let labels = Tensor::from([[1i64, 1, 2, 4], [3, 0, 0, 0], [4, 3, 4, 3], [0, 0, 0, 0]]);
    for (r, by) in REDUCTIONS {
        let name = format!("cosine_embedding/{r}");
        file.compare_function(&name, |x| cosine_embedding_with(x[0], x[1], &signs, by));
        let name = format!("triplet_margin/{r}");
        file.compare_function(&name, |x| triplet_margin_with(x[0], x[1], x[2], by));
        file.compare_function(&format!("ctc/{r}"), |x| {
            ctc_with(x[0].log_softmax(-1), &labels, &[9, 7, 8, 5], &[4, 1, 4, 0], by)
        });
    }
    let signs = Tensor::from([1.0, -1.0, -1.0, -1.0]);
    let options = CosineEmbedding::new().margin(-0.5);
    file.compare_function("cosine_embedding_of", |x| options.loss(x[0], x[1], &signs));
    let options = TripletMargin::new().margin(2.5).p(3.0).eps(1e-3).swap(true);
    file.compare_function("triplet_margin_of", |x| options.loss(x[0], x[1], x[2]));
    file.compare_function("triplet_margin_p1", |x| {
        TripletMargin::new().p(1.0).loss(x[0], x[1], x[2])
    });
    let options = TripletMargin::new().p(f64::INFINITY).swap(true);
    file.compare_function("triplet_margin_max", |x| options.loss(x[0], x[1], x[2]));
    file.compare_function("triplet_margin_distance", |x| {
        TripletMargin::new()
            .margin(3.0)
            .loss_with_distance(x[0], x[1], x[2], |a, b| (a - b).powi(4).sum(&[-1], false))
    });
    file.compare_function("info_nce", |x| info_nce(x[0], x[1]));
    let options = InfoNce::new().temperature(0.5).symmetric(true);
    file.compare_function("info_nce_of", |x| options.loss(x[0], x[1]));
    let labels = Tensor::from([[1i64, 1, 2, 2], [3, 0, 0, 0], [2, 3, 2, 3], [1, 1, 1, 1]]);
    let options = Ctc::new().blank(4).zero_infinity(true);
    file.compare_function("ctc_of", |x| {
        options.loss(x[0].log_softmax(-1), &labels, &[9, 7, 8, 5], &[4, 1, 4, 4])
    });
}

/// Runs a layer with variables in place of its parameters, which follow the input.
fn with<'t, L: Layer<f64>>(layer: &L, x: &[Var<'t, f64>]) -> Var<'t, f64> {
    x[0].tape().with_params(layer, &x[1..], || layer.forward(x[0]))
}

fn layers(file: &ReferenceFile) {
    let get = |name: &str| file.get::<f64>(name);

    let layer = Bilinear::from_tensors(get("bilinear/x2"), Some(get("bilinear/x3")));
    file.compare_function("bilinear", |x| {
        x[0].tape().with_params(&layer, &x[2..], || layer.forward(x[0], x[1]))
    });

    let numbers = Tensor::from([[1i64, 0, 4], [2, 2, 0]]);
    let lookup = |layer: Embedding<f64>, case: &str| {
        file.compare_function(case, |x| {
            x[0].tape().with_params(&layer, x, || layer.forward(x[0].tape(), &numbers))
        });
    };
    lookup(Embedding::from_tensors(get("embedding/x0")), "embedding");
    lookup(Embedding::from_tensors(get("embedding/x0")).padding_index(2), "embedding_padding");
    for (mode, bag) in [("sum", Bag::Sum), ("mean", Bag::Mean), ("max", Bag::Max)] {
        let layer = EmbeddingBag::from_tensors(get("embedding/x0")).bag(bag);
        file.compare_function(&format!("embedding_bag/{mode}"), |x| {
            x[0].tape().with_params(&layer, x, || layer.forward(x[0].tape(), &numbers))
        });
        let bags = Tensor::from([1i64, 0, 4, 4, 2]);
        file.compare_function(&format!("embedding_bags/{mode}"), |x| {
            let tape = x[0].tape();
            tape.with_params(&layer, x, || layer.forward_bags(tape, &bags, &[0, 3, 3]))
        });
        let layer = layer.padding_index(2);
        file.compare_function(&format!("embedding_bag_padding/{mode}"), |x| {
            x[0].tape().with_params(&layer, x, || layer.forward(x[0].tape(), &numbers))
        });
    }

    file.compare_function("pixel_shuffle", |x| PixelShuffle(2).forward(x[0]));
    file.compare_function("pixel_shuffle_one", |x| PixelShuffle(3).forward(x[0]));
    file.compare_function("pixel_unshuffle", |x| PixelUnshuffle(2).forward(x[0]));

    // PyTorch's list begins with the last axis.
    file.compare_function("pad1/reflect", |x| ReflectionPad1d::around([(1, 2)]).forward(x[0]));
    file.compare_function("pad1/replicate", |x| ReplicationPad1d::around([(1, 2)]).forward(x[0]));
    file.compare_function("pad1/circular", |x| CircularPad1d::around([(1, 2)]).forward(x[0]));
    file.compare_function("pad1/zeros", |x| ZeroPad1d::around([(1, 2)]).forward(x[0]));
    file.compare_function("pad1/constant", |x| ConstantPad1d::around([(1, 2)], -1.5).forward(x[0]));
    let two = [(0, 1), (1, 2)];
    file.compare_function("pad2/reflect", |x| ReflectionPad2d::around(two).forward(x[0]));
    file.compare_function("pad2/replicate", |x| ReplicationPad2d::around(two).forward(x[0]));
    file.compare_function("pad2/circular", |x| CircularPad2d::around(two).forward(x[0]));
    file.compare_function("pad2/zeros", |x| ZeroPad2d::around(two).forward(x[0]));
    file.compare_function("pad2/constant", |x| ConstantPad2d::around(two, -1.5).forward(x[0]));
    let three = [(2, 1), (0, 1), (1, 2)];
    file.compare_function("pad3/reflect", |x| ReflectionPad3d::around(three).forward(x[0]));
    file.compare_function("pad3/replicate", |x| ReplicationPad3d::around(three).forward(x[0]));
    file.compare_function("pad3/circular", |x| CircularPad3d::around(three).forward(x[0]));
    file.compare_function("pad3/zeros", |x| ZeroPad3d::around(three).forward(x[0]));
    file.compare_function("pad3/constant", |x| ConstantPad3d::around(three, -1.5).forward(x[0]));

    let (w, b) = (get("conv_transpose1d/x1"), get("conv_transpose1d/x2"));
    let conv = Conv { padding: [(0, 0), (1, 1)], ..Conv::new().stride(3).dilation(2).groups(2) };
    let layer = ConvTranspose1d::from_tensors(w, Some(b), conv).output_padding(2);
    file.compare_function("conv_transpose1d", |x| with(&layer, x));
    let (w, b) = (get("batch_norm3d/x1"), get("batch_norm3d/x2"));
    let layer = BatchNorm3d::from_tensors(w, Some(b), None);
    file.compare_function("batch_norm3d", |x| with(&layer, x));
    file.compare_function("instance_norm3d", |x| InstanceNorm3d::of(2).forward(x[0]));

    let linear = || Linear::from_tensors(get("weight_norm/x1"), None);
    let layer = WeightNorm::new(linear());
    file.compare_function("weight_norm", |x| with(&layer, x));
    let layer = WeightNorm::along(linear(), 1);
    file.compare_function("weight_norm_along", |x| with(&layer, x));

    let linear = Linear::from_tensors(get("spectral_norm/x1"), None);
    let mut layer = SpectralNorm::new(linear, &mut Philox::new(0));
    layer.weight_u.set(get("spectral_u"));
    layer.weight_v.set(get("spectral_v"));
    let tape = Tape::train(&mut Philox::new(0));
    let xs = ["spectral_norm/x0", "spectral_norm/x1"].map(|name| tape.watch(get(name)));
    layer.forward(xs[0]);
    file.compare_products("spectral_norm", with(&layer, &xs), &xs);
    tape.apply_updates(&mut layer);
    for (buffer, name) in
        [(&layer.weight_u, "spectral_u_after"), (&layer.weight_v, "spectral_v_after")]
    {
        file.compare_with("spectral_norm", "buffer", buffer.value(), &get(name));
    }
    layer.weight_u.set(get("spectral_u"));
    layer.weight_v.set(get("spectral_v"));
    file.compare_function("spectral_norm_eval", |x| with(&layer, x));
}

fn volumes(file: &ReferenceFile) {
    let conv = VolumeConv::new();
    let strided = conv.stride([2, 1, 3]).padding([1, 0, 2]).dilation([1, 2, 1]).groups(2);
    file.compare_function("conv3d", |x| x[0].conv3d(x[1], Some(x[2]), &strided));
    file.compare_function("conv3d_plain", |x| x[0].conv3d(x[1], None, &conv));
    file.compare_function("conv3d_point", |x| x[0].conv3d(x[1], Some(x[2]), &conv));
    file.compare_function("conv3d_apart", |x| x[0].conv3d(x[1], None, &conv.stride([4, 3, 2])));
    file.compare_function("conv3d_flat", |x| {
        x[0].conv3d(x[1], Some(x[2]), &conv.padding([2, 1, 1]))
    });
    let strided = conv.stride([3, 1, 2]).padding([1, 0, 1]).dilation([2, 1, 1]).groups(2);
    file.compare_function("conv_transpose3d", |x| {
        x[0].conv_transpose3d(x[1], Some(x[2]), &strided, [2, 0, 1])
    });
    let dilated = conv.dilation([3, 1, 2]);
    file.compare_function("conv_transpose3d_wide", |x| {
        x[0].conv_transpose3d(x[1], None, &dilated, [2, 0, 1])
    });
    file.compare_function("max_pool3d", |x| {
        x[0].square().max_pool3d(&VolumePool::new(2).stride(1).padding(1))
    });
    file.compare_function("avg_pool3d", |x| {
        x[0].square().avg_pool3d(&VolumePool::new([2, 3, 1]).padding([1, 1, 0]))
    });
}

/// A layer whose weight has one axis.
#[derive(Clone, Module)]
#[module(crate = "wengert_autograd")]
struct Gain {
    weight: Param<f64>,
}

impl Layer<f64> for Gain {
    fn call<'t>(&self, x: Var<'t, f64>) -> Var<'t, f64> {
        x * x.tape().param(&self.weight)
    }
}

fn lengths_of_a_vector(file: &ReferenceFile) {
    let layer = WeightNorm::new(Gain { weight: file.get("weight_norm_vector/x1").into() });
    assert_eq!(layer.weight_g.shape(), [5]);
    file.compare_function("weight_norm_vector", |x| with(&layer, x));
}

#[test]
fn the_spectral_norm_of_a_vector_is_refused() {
    let (text, ..) = crate::common::panic_of(|| {
        let layer = Gain { weight: Tensor::ones_of(&[3]).into() };
        drop(SpectralNorm::new(layer, &mut Philox::new(0)));
    });
    assert_eq!(
        text,
        "SpectralNorm: the weight [3] is a vector and has no singular values: wrap a layer whose weight is a \
         matrix or a kernel"
    );
}

fn rows_with_a_maximal_norm(file: &ReferenceFile) {
    let numbers = Tensor::from([[1i64, 0, 4], [2, 2, 0]]);
    for (name, p) in [("two", 2.0), ("one", 1.0), ("most", f64::INFINITY)] {
        let before = file.get::<f64>(&format!("max_norm_{name}"));
        let after = format!("max_norm_{name}_after");
        let mut layer = Embedding::from_tensors(before.clone());
        layer.renormalize(&numbers, 1.5, p);
        assert_ne!(*layer.weight.value(), before);
        let wanted = file.get(&format!("{after}/x0"));
        file.compare_with(&after, "table", layer.weight.value(), &wanted);
        file.compare_function(&after, |x| {
            let tape = x[0].tape();
            tape.with_param(&layer.weight, x[0], || layer.forward(tape, &numbers))
        });
        let mut bags = EmbeddingBag::from_tensors(before);
        bags.renormalize(&numbers, 1.5, p);
        assert_eq!(bags.weight.value(), layer.weight.value());
        // Short rows and other rows do not change.
        layer.renormalize(&numbers, 1.5 + 1e-6, p);
        assert_eq!(bags.weight.value(), layer.weight.value());
    }
}

#[test]
fn a_maximal_norm_and_its_rows_are_checked() {
    let mut layer = Embedding::from_tensors(Tensor::ones(&[2, 3]));
    layer.renormalize(&Tensor::zeros_of(&[0]), 0.0, 2.0);
    assert_eq!(*layer.weight.value(), Tensor::ones(&[2, 3]));
    for (number, max_norm, text) in [
        (2i64, 1.0, "Embedding::renormalize: number 2 is out of range 0..2"),
        (-1, 1.0, "Embedding::renormalize: number -1 is out of range 0..2"),
        (0, -1.0, "Embedding::renormalize: max_norm must not be negative, got -1"),
        (0, f64::NAN, "Embedding::renormalize: max_norm must not be negative, got NaN"),
    ] {
        let mut layer = layer.clone();
        let (got, ..) = crate::common::panic_of(|| {
            layer.renormalize(&Tensor::from([number]), max_norm, 2.0);
        });
        assert_eq!(got, text);
    }
}

/// A frozen weight can be normalised, and only the lengths are trained.
#[test]
fn wrappers_accept_frozen_weights_and_name_a_layer_without_a_weight() {
    let mut layer = WeightNorm::new(Linear::<f64>::of(3, 2, &mut Philox::new(0)));
    layer.layer.freeze();
    let tape = Tape::new();
    let gradients = layer.forward(tape.constant(Tensor::ones_of(&[1, 3]))).sum_all().backward();
    let reached = |param: &Param<f64>| gradients.get(param).is_some();
    assert!(reached(&layer.weight_g) && !reached(&layer.layer.weight));
    let (text, ..) = crate::common::panic_of(|| {
        drop(WeightNorm::<_, f64>::new(PixelShuffle(2)));
    });
    assert_eq!(
        text,
        "WeightNorm: the layer must have a parameter named `weight`, got PixelShuffle(2)"
    );
}
