//! Layers, losses and initialisation for neural networks.
//!
//! Everything in this crate is built from differentiable operations, so the crate contains no
//! derivative rules of its own.
//!
//! A model is a [`Layer`]: a [`Sequential`], or a struct with `#[derive(Clone, Module)]` and a
//! `call` method. The perceptron in this example learns the sign of the sum of each random point.
//!
//! ```
//! use wengert::autograd::{Param, Path, Tape};
//! use wengert::nn::{Layer, Linear, Module, Tanh, cross_entropy, sequential};
//! use wengert::tensor::{Philox, Tensor};
//!
//! let mut rng = Philox::new(0);
//! let mut model = sequential![Linear::new(8, 16, &mut rng), Tanh, Linear::new(16, 2, &mut rng)];
//! let x = Tensor::normal(&[64, 8], 0.0, 1.0, &mut rng);
//! let classes = x.sum(&[1], false).gt(0.0).cast::<i64>();
//!
//! let mut losses = Vec::new();
//! for _step in 0..50 {
//!     let tape = Tape::train(&mut rng);
//!     let loss = cross_entropy(model.forward(tape.constant(x.clone())), &classes);
//!     losses.push(loss.item());
//!     let gradients = loss.backward();
//!     drop(tape);
//!     // An optimizer does this step for you:
//!     model.visit_mut(&Path::root(), &mut |_, state| {
//!         let param = state.downcast_mut::<Param>().unwrap();
//!         let step = gradients.get(param).unwrap() * -0.5;
//!         param.update(|w| *w += &step);
//!     });
//! }
//! assert!(losses[49] < 0.3 * losses[0]);
//! ```
//!
//! # Overview
//! The column "PyTorch" gives the name there, if it is another one.
//!
//! ## Models
//! | | | PyTorch |
//! |---|---|---|
//! | [`Layer`] | the trait of modules with one input and one output: `forward`, `predict`, `summary` | `Module` |
//! | [`Module`](trait@Module) | the trait of types that hold parameters, and its derive macro | `Module` |
//! | [`Summary`] | the layers of a model with shapes and numbers of parameters | |
//! | [`LayerSummary`] | one line of a summary | |
//!
//! ## Containers
//! | | | PyTorch |
//! |---|---|---|
//! | [`Sequential`] | layers that run one after the other | |
//! | [`sequential!`] | creates a `Sequential` of these layers | `Sequential(…)` |
//! | [`ActivationCheckpoint`] | a layer whose intermediate values are recomputed in the backward pass | `utils.checkpoint` |
//! | [`Residual`] | adds the input to the output of a layer | |
//! | [`Lambda`] | a function without parameters as a layer | |
//! | [`WeightNorm`] | trains direction and length of a layer's weight | `parametrizations.weight_norm` |
//! | [`SpectralNorm`] | divides a layer's weight by its largest singular value | `parametrizations.spectral_norm` |
//!
//! ## Linear layers
//! | | | PyTorch |
//! |---|---|---|
//! | [`Linear`] | y = x Wᵀ + b along the last axis | |
//! | [`Bilinear`] | yₖ = aᵀ Wₖ b + biasₖ of two inputs | |
//! | [`Maxout`] | the largest of several affine maps | |
//! | [`Embedding`] | vectors by number | |
//! | [`EmbeddingBag`] | sums, means or maxima of vectors by number | |
//! | [`Bag`] | selects one of these | `mode="mean"` |
//!
//! ## Convolution
//! | | | PyTorch |
//! |---|---|---|
//! | [`Conv1d`] | convolution of signals [N, C, L] | |
//! | [`Conv2d`] | convolution of images [N, C, H, W] | |
//! | [`Conv3d`] | convolution of volumes [N, C, D, H, W] | |
//! | [`ConvTranspose1d`] | transposed convolution of signals | |
//! | [`ConvTranspose2d`] | transposed convolution of images | |
//! | [`ConvTranspose3d`] | transposed convolution of volumes | |
//! | [`Unfold`] | extracts the windows of images as columns | |
//! | [`Fold`] | sums windows into images | |
//!
//! ## Pooling
//! | | | PyTorch |
//! |---|---|---|
//! | [`MaxPool1d`] | largest element of each window of signals | |
//! | [`MaxPool2d`] | largest element of each window of images | |
//! | [`MaxPool3d`] | largest element of each window of volumes | |
//! | [`MaxUnpool1d`] | partial inverse of `MaxPool1d` | |
//! | [`MaxUnpool2d`] | partial inverse of `MaxPool2d` | |
//! | [`MaxUnpool3d`] | partial inverse of `MaxPool3d` | |
//! | [`AvgPool1d`] | mean of each window of signals | |
//! | [`AvgPool2d`] | mean of each window of images | |
//! | [`AvgPool3d`] | mean of each window of volumes | |
//! | [`AdaptiveMaxPool1d`] | maxima of signals, with a given output length | |
//! | [`AdaptiveMaxPool2d`] | maxima of images, with a given output size | |
//! | [`AdaptiveMaxPool3d`] | maxima of volumes, with a given output size | |
//! | [`AdaptiveAvgPool1d`] | means of signals, with a given output length | |
//! | [`AdaptiveAvgPool2d`] | means of images, with a given output size | |
//! | [`AdaptiveAvgPool3d`] | means of volumes, with a given output size | |
//!
//! ## Padding and shape
//! | | | PyTorch |
//! |---|---|---|
//! | [`ZeroPad1d`] | pads signals with zeros | |
//! | [`ZeroPad2d`] | pads images with zeros | |
//! | [`ZeroPad3d`] | pads volumes with zeros | |
//! | [`ConstantPad1d`] | pads signals with a value | |
//! | [`ConstantPad2d`] | pads images with a value | |
//! | [`ConstantPad3d`] | pads volumes with a value | |
//! | [`ReflectionPad1d`] | pads signals by mirroring them | |
//! | [`ReflectionPad2d`] | pads images by mirroring them | |
//! | [`ReflectionPad3d`] | pads volumes by mirroring them | |
//! | [`ReplicationPad1d`] | pads signals by repeating their border | |
//! | [`ReplicationPad2d`] | pads images by repeating their border | |
//! | [`ReplicationPad3d`] | pads volumes by repeating their border | |
//! | [`CircularPad1d`] | pads signals by continuing them as on a circle | |
//! | [`CircularPad2d`] | pads images by continuing them as on a circle | |
//! | [`CircularPad3d`] | pads volumes by continuing them as on a circle | |
//! | [`PixelShuffle`] | enlarges images: channels become pixels | |
//! | [`PixelUnshuffle`] | reduces images: pixels become channels | |
//! | [`Upsample`] | resizes images: nearest pixel or bilinear | |
//! | [`Flatten`] | merges axes into one | |
//!
//! ## Normalisation
//! | | statistics over | PyTorch |
//! |---|---|---|
//! | [`BatchNorm1d`] | batch (and positions), for each channel | |
//! | [`BatchNorm2d`] | batch and pixels, for each channel | |
//! | [`BatchNorm3d`] | batch and positions of volumes, for each channel | |
//! | [`InstanceNorm1d`] | positions, for each channel of each sample | |
//! | [`InstanceNorm2d`] | pixels, for each channel of each sample | |
//! | [`InstanceNorm3d`] | positions of volumes, for each channel of each sample | |
//! | [`GroupNorm`] | groups of channels of each sample | |
//! | [`LayerNorm`] | the last axes of each sample | |
//! | [`RmsNorm`] | the last axes of each sample: mean square, without the mean | `RMSNorm` |
//! | [`LocalResponseNorm`] | squares over neighbouring channels | |
//!
//! ## Activation
//! Each is also a function in [`functional`].
//!
//! | | | PyTorch |
//! |---|---|---|
//! | [`Relu`] | max(x, 0) | `ReLU` |
//! | [`Relu6`] | max(x, 0), limited to 6 | `ReLU6` |
//! | [`Hardtanh`] | x, limited to an interval | |
//! | [`Threshold`] | x above a threshold, a value elsewhere | |
//! | [`LeakyRelu`] | x where x is positive, slope · x elsewhere | `LeakyReLU` |
//! | [`PRelu`] | the same with a trained slope | `PReLU` |
//! | [`RRelu`] | the same with a random slope in training | `RReLU` |
//! | [`Elu`] | x where x is positive, α(eˣ − 1) elsewhere | `ELU` |
//! | [`Celu`] | x where x is positive, α(exp(x/α) − 1) elsewhere | `CELU` |
//! | [`Selu`] | the scaled `Elu` that keeps mean 0 and variance 1 | `SELU` |
//! | [`Gelu`] | x · Φ(x) | `GELU` |
//! | [`GeluTanh`] | the approximation of `Gelu` with tanh | `GELU(approximate="tanh")` |
//! | [`Silu`] | x · σ(x) | `SiLU` |
//! | [`Mish`] | x · tanh(softplus(x)) | |
//! | [`Hardswish`] | a piecewise version of `Silu` | |
//! | [`Softplus`] | ln(1 + eˣ) | |
//! | [`ScaledSoftplus`] | ln(1 + exp(βx)) / β | `Softplus(beta, threshold)` |
//! | [`Softshrink`] | x moved towards 0 by λ | |
//! | [`Hardshrink`] | x where abs(x) is above λ, 0 elsewhere | |
//! | [`Tanhshrink`] | x − tanh x | |
//! | [`Sigmoid`] | 1 / (1 + e⁻ˣ) | |
//! | [`LogSigmoid`] | ln σ(x) | |
//! | [`Hardsigmoid`] | x/6 + ½, limited to 0 and 1 | |
//! | [`Tanh`] | tanh x | |
//! | [`Arctan`] | arctan x | |
//! | [`Softsign`] | x / (1 + abs(x)) | |
//! | [`Glu`] | a · σ(b) for the halves a and b of x | `GLU` |
//! | [`Geglu`] | a · gelu(b) | |
//! | [`Swiglu`] | a · silu(b) | |
//! | [`Reglu`] | a · max(b, 0) | |
//! | [`Softmax`] | eˣ / Σ eˣ along an axis | |
//! | [`LogSoftmax`] | ln(eˣ / Σ eˣ) along an axis | |
//! | [`Softmin`] | the softmax of −x | |
//! | [`GumbelSoftmax`] | samples of a categorical distribution, with a gradient | `functional.gumbel_softmax` |
//! | [`BinaryStep`] | 1 where x is at least 0, 0 elsewhere | `heaviside` |
//! | [`Surrogate`] | selects the derivative of `BinaryStep` | |
//! | [`Identity`] | the values of x in a new variable | |
//!
//! ## Recurrent layers
//! | | | PyTorch |
//! |---|---|---|
//! | [`Rnn`] | plain recurrent network, with tanh or the rectifier | `RNN` |
//! | [`Lstm`] | long short-term memory | `LSTM` |
//! | [`Gru`] | gated recurrent units | `GRU` |
//! | [`RnnCell`] | a step of an `Rnn` | `RNNCell` |
//! | [`LstmCell`] | a step of an `Lstm` | `LSTMCell` |
//! | [`GruCell`] | a step of a `Gru` | `GRUCell` |
//!
//! ## Attention
//! | | | PyTorch |
//! |---|---|---|
//! | [`scaled_dot_product_attention`] | softmax(scale · Q Kᵀ) V | `F.scaled_dot_product_attention` |
//! | [`Attention`] | the options of an attention: masks, scale, dropout | |
//! | [`MultiHeadAttention`] | projections, attention with several heads, projection | `MultiheadAttention` |
//! | [`KvCache`] | keys and values of earlier tokens, for generation | |
//! | [`TransformerEncoderLayer`] | self-attention, then two linear layers | |
//! | [`TransformerDecoderLayer`] | self-attention, attention to a memory, then two linear layers | |
//! | [`TransformerEncoder`] | encoder layers that run one after the other | |
//! | [`TransformerDecoder`] | decoder layers that run one after the other | |
//! | [`SinusoidalPositions`] | adds sines and cosines of the position | |
//! | [`LearnedPositions`] | adds a learned vector for each position | `Embedding` of positions |
//! | [`RotaryPositions`] | rotates pairs of elements by the position | |
//!
//! ## Regularisation
//! | | | PyTorch |
//! |---|---|---|
//! | [`Dropout`] | sets single elements to zero in training | |
//! | [`Dropout1d`] | sets whole channels of signals to zero in training | |
//! | [`Dropout2d`] | sets whole channels of images to zero in training | |
//! | [`Dropout3d`] | sets whole channels of volumes to zero in training | |
//! | [`AlphaDropout`] | sets single elements to a limit in training, and keeps mean and variance | |
//! | [`FeatureAlphaDropout`] | the same for whole channels | |
//! | [`DropPath`] | sets whole samples to zero in training | `torchvision.ops.StochasticDepth` |
//!
//! ## Losses
//! Each loss is a function that returns the mean; the variant with the suffix `_with` takes a
//! [`Reduction`]. A loss with more options has a type that sets them:
//! `CrossEntropy::new().label_smoothing(0.1).loss(logits, &classes)`. Targets are variables or tensors.
//!
//! | | | PyTorch |
//! |---|---|---|
//! | [`mse`] | mean squared error | `MSELoss` |
//! | [`mse_with`] | `mse` with another reduction | |
//! | [`l1`] | mean absolute error | `L1Loss` |
//! | [`l1_with`] | `l1` with another reduction | |
//! | [`smooth_l1`] | squared error near 0, absolute error elsewhere | `SmoothL1Loss` |
//! | [`smooth_l1_with`] | `smooth_l1` with another reduction | |
//! | [`SmoothL1`] | options of `smooth_l1` | |
//! | [`huber`] | the same, scaled differently | `HuberLoss` |
//! | [`huber_with`] | `huber` with another reduction | |
//! | [`Huber`] | options of `huber` | |
//! | [`bce`] | binary cross-entropy between probabilities and targets | `BCELoss` |
//! | [`bce_with`] | `bce` with another reduction | |
//! | [`Bce`] | options of `bce` | |
//! | [`bce_with_logits`] | binary cross-entropy between σ(logits) and targets | `BCEWithLogitsLoss` |
//! | [`bce_with_logits_with`] | `bce_with_logits` with another reduction | |
//! | [`BceWithLogits`] | options of `bce_with_logits` | |
//! | [`focal`] | binary cross-entropy with less weight on easy targets | `torchvision.ops.sigmoid_focal_loss` |
//! | [`focal_with`] | `focal` with another reduction | |
//! | [`Focal`] | options of `focal` | |
//! | [`dice`] | overlap of predicted and true regions | |
//! | [`dice_with`] | `dice` with another reduction | |
//! | [`Dice`] | options of `dice` | |
//! | [`cross_entropy`] | cross-entropy between softmax(logits) and classes | `CrossEntropyLoss` |
//! | [`cross_entropy_with`] | `cross_entropy` with another reduction | |
//! | [`CrossEntropy`] | options of `cross_entropy` | |
//! | [`soft_cross_entropy`] | cross-entropy between softmax(logits) and probabilities | `CrossEntropyLoss` |
//! | [`soft_cross_entropy_with`] | `soft_cross_entropy` with another reduction | |
//! | [`nll`] | negative log-likelihood of the classes | `NLLLoss` |
//! | [`nll_with`] | `nll` with another reduction | |
//! | [`Nll`] | options of `nll` | |
//! | [`kl_div`] | Kullback–Leibler divergence | `KLDivLoss` |
//! | [`kl_div_with`] | `kl_div` with another reduction | |
//! | [`KlDiv`] | options of `kl_div` | |
//! | [`poisson_nll`] | negative log-likelihood of counts under Poisson distributions | `PoissonNLLLoss` |
//! | [`poisson_nll_with`] | `poisson_nll` with another reduction | |
//! | [`PoissonNll`] | options of `poisson_nll` | |
//! | [`gaussian_nll`] | negative log-likelihood of numbers under normal distributions | `GaussianNLLLoss` |
//! | [`gaussian_nll_with`] | `gaussian_nll` with another reduction | |
//! | [`GaussianNll`] | options of `gaussian_nll` | |
//! | [`hinge`] | max(0, 1 − t · x) | |
//! | [`hinge_with`] | `hinge` with another reduction | |
//! | [`squared_hinge`] | max(0, 1 − t · x)² | |
//! | [`squared_hinge_with`] | `squared_hinge` with another reduction | |
//! | [`soft_margin`] | ln(1 + exp(−t · x)) | `SoftMarginLoss` |
//! | [`soft_margin_with`] | `soft_margin` with another reduction | |
//! | [`hinge_embedding`] | distances of pairs that are alike or different | `HingeEmbeddingLoss` |
//! | [`hinge_embedding_with`] | `hinge_embedding` with another reduction | |
//! | [`HingeEmbedding`] | options of `hinge_embedding` | |
//! | [`multi_margin`] | hinge loss of several classes | `MultiMarginLoss` |
//! | [`multi_margin_with`] | `multi_margin` with another reduction | |
//! | [`MultiMargin`] | options of `multi_margin` | |
//! | [`multilabel_margin`] | hinge loss of samples with several classes | `MultiLabelMarginLoss` |
//! | [`multilabel_margin_with`] | `multilabel_margin` with another reduction | |
//! | [`multilabel_soft_margin`] | binary cross-entropy of every class | `MultiLabelSoftMarginLoss` |
//! | [`multilabel_soft_margin_with`] | `multilabel_soft_margin` with another reduction | |
//! | [`MultilabelSoftMargin`] | options of `multilabel_soft_margin` | |
//! | [`margin_ranking`] | order of two scores | `MarginRankingLoss` |
//! | [`margin_ranking_with`] | `margin_ranking` with another reduction | |
//! | [`MarginRanking`] | options of `margin_ranking` | |
//! | [`cosine_embedding`] | cosines of pairs that are alike or different | `CosineEmbeddingLoss` |
//! | [`cosine_embedding_with`] | `cosine_embedding` with another reduction | |
//! | [`CosineEmbedding`] | options of `cosine_embedding` | |
//! | [`triplet_margin`] | an anchor nearer to its like than to another sample | `TripletMarginLoss` |
//! | [`triplet_margin_with`] | `triplet_margin` with another reduction | |
//! | [`TripletMargin`] | options of `triplet_margin` | |
//! | [`info_nce`] | each query's key among the keys of the batch | |
//! | [`info_nce_with`] | `info_nce` with another reduction | |
//! | [`InfoNce`] | options of `info_nce` | |
//! | [`ctc`] | labels without their alignment | `CTCLoss` |
//! | [`ctc_with`] | `ctc` with another reduction | |
//! | [`Ctc`] | options of `ctc` | |
//! | [`Reduction`] | mean, sum, or every loss by itself | `reduction="mean"` |
//! | [`Target`] | the trait of targets: variables and tensors | |
//!
//! ## Initial values
//! | | | PyTorch |
//! |---|---|---|
//! | [`init::zeros`] | 0 | `init.zeros_` |
//! | [`init::ones`] | 1 | `init.ones_` |
//! | [`init::constant`] | one value | `init.constant_` |
//! | [`init::uniform`] | uniform from low to high | `init.uniform_` |
//! | [`init::normal`] | normal, with mean and standard deviation | `init.normal_` |
//! | [`init::xavier_uniform`] | uniform, with variance 2 gain² / (fan in + fan out) | `init.xavier_uniform_` |
//! | [`init::xavier_normal`] | normal, with the same variance | `init.xavier_normal_` |
//! | [`init::kaiming_uniform`] | uniform, with variance gain² / fan | `init.kaiming_uniform_` |
//! | [`init::kaiming_normal`] | normal, with the same variance | `init.kaiming_normal_` |
//! | [`init::lecun_uniform`] | uniform, with variance 1 / fan in | |
//! | [`init::lecun_normal`] | normal, with the same variance | |
//! | [`init::truncated_normal`] | normal, cut off outside an interval | `init.trunc_normal_` |
//! | [`init::orthogonal`] | a random orthogonal matrix | `init.orthogonal_` |
//! | [`init::sparse`] | normal, with a part of each column 0 | `init.sparse_` |
//! | [`init::eye`] | the identity matrix | `init.eye_` |
//! | [`init::dirac`] | a convolution that passes its input through | `init.dirac_` |
//! | [`init::fans`] | the numbers of connections into and out of a unit | |
//! | [`init::Fan`] | selects one of these two numbers | `mode="fan_in"` |
//! | [`init::gain::LINEAR`] | gain without a nonlinearity: 1 | `init.calculate_gain` |
//! | [`init::gain::TANH`] | gain for tanh: 5/3 | `init.calculate_gain` |
//! | [`init::gain::RELU`] | gain for the rectifier: √2 | `init.calculate_gain` |
//! | [`init::gain::SELU`] | gain for the scaled exponential linear unit: 3/4 | `init.calculate_gain` |
//! | [`init::gain::leaky_relu`] | gain for a leaky rectifier | `init.calculate_gain` |
//!
//! ## State
//! | | | PyTorch |
//! |---|---|---|
//! | [`save`] | saves a model in a safetensors file | `save_file(model.state_dict(), …)` |
//! | [`load`] | loads a model from a safetensors file | `model.load_state_dict(load_file(…))` |
//! | [`state_dict()`] | parameters and buffers by name | `Module.state_dict` |
//! | [`load_state_dict`] | replaces parameters and buffers | `Module.load_state_dict` |
//! | [`StateDict`] | the type of parameters and buffers by name | |
//! | [`LoadOptions`] | loading that allows differences | `strict=False` |
//! | [`Mismatch`] | the differences between a model and a state dict | |
//! | [`LoadError`] | the error of loading | |
//!
//! # Element types
//! Constructors called `new` return layers of `f32`. Constructors called `of` take any element
//! type, as in `Linear::<f64>::of(…)`.

mod activation;
mod activation_checkpoint;
mod attention;
mod bilinear;
mod check_input;
mod conv;
mod dropout;
mod embedding;
mod flatten;
pub mod functional;
pub mod init;
mod lambda;
mod layer;
mod linear;
mod loss;
mod norm;
mod padding;
mod pool;
mod print;
mod recurrent;
mod sequential;
mod shuffle;
mod state_dict;
mod summary;
mod unfold;
mod upsample;
mod weight_norm;

pub use activation::{
    Arctan, BinaryStep, Celu, Elu, Geglu, Gelu, GeluTanh, Glu, GumbelSoftmax, Hardshrink,
    Hardsigmoid, Hardswish, Hardtanh, Identity, LeakyRelu, LogSigmoid, LogSoftmax, Mish, PRelu,
    RRelu, Reglu, Relu, Relu6, ScaledSoftplus, Selu, Sigmoid, Silu, Softmax, Softmin, Softplus,
    Softshrink, Softsign, Surrogate, Swiglu, Tanh, Tanhshrink, Threshold,
};
pub use activation_checkpoint::ActivationCheckpoint;
pub use attention::{
    Attention, KvCache, LearnedPositions, MultiHeadAttention, RotaryPositions, SinusoidalPositions,
    TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
    scaled_dot_product_attention,
};
pub use bilinear::{Bilinear, Maxout};
pub use conv::{Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use dropout::{
    AlphaDropout, DropPath, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout,
};
pub use embedding::{Bag, Embedding, EmbeddingBag};
pub use flatten::Flatten;
pub use lambda::{Lambda, Residual};
#[doc(hidden)]
pub use layer::CloneLayer;
pub use layer::Layer;
pub use linear::Linear;
pub use loss::{
    Bce, BceWithLogits, CosineEmbedding, CrossEntropy, Ctc, Dice, Focal, GaussianNll,
    HingeEmbedding, Huber, InfoNce, KlDiv, MarginRanking, MultiMargin, MultilabelSoftMargin, Nll,
    PoissonNll, Reduction, SmoothL1, Target, TripletMargin, bce, bce_with, bce_with_logits,
    bce_with_logits_with, cosine_embedding, cosine_embedding_with, cross_entropy,
    cross_entropy_with, ctc, ctc_with, dice, dice_with, focal, focal_with, gaussian_nll,
    gaussian_nll_with, hinge, hinge_embedding, hinge_embedding_with, hinge_with, huber, huber_with,
    info_nce, info_nce_with, kl_div, kl_div_with, l1, l1_with, margin_ranking, margin_ranking_with,
    mse, mse_with, multi_margin, multi_margin_with, multilabel_margin, multilabel_margin_with,
    multilabel_soft_margin, multilabel_soft_margin_with, nll, nll_with, poisson_nll,
    poisson_nll_with, smooth_l1, smooth_l1_with, soft_cross_entropy, soft_cross_entropy_with,
    soft_margin, soft_margin_with, squared_hinge, squared_hinge_with, triplet_margin,
    triplet_margin_with,
};
pub use norm::{
    BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, InstanceNorm1d, InstanceNorm2d,
    InstanceNorm3d, LayerNorm, LocalResponseNorm, RmsNorm,
};
pub use padding::{
    CircularPad1d, CircularPad2d, CircularPad3d, ConstantPad1d, ConstantPad2d, ConstantPad3d,
    ReflectionPad1d, ReflectionPad2d, ReflectionPad3d, ReplicationPad1d, ReplicationPad2d,
    ReplicationPad3d, ZeroPad1d, ZeroPad2d, ZeroPad3d,
};
pub use pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d,
    MaxUnpool1d, MaxUnpool2d, MaxUnpool3d,
};
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, Rnn, RnnCell};
pub use sequential::Sequential;
pub use shuffle::{PixelShuffle, PixelUnshuffle};
pub use state_dict::{
    LoadError, LoadOptions, Mismatch, StateDict, load, load_state_dict, save, state_dict,
};
pub use summary::{LayerSummary, Summary};
pub use unfold::{Fold, Unfold};
pub use upsample::Upsample;
pub use weight_norm::{SpectralNorm, WeightNorm};
/// The trait of every type that holds parameters, and the derive macro that implements it.
pub use wengert_autograd::Module;
pub use wengert_nn_derive::Module;

/// The examples in the documentation of `#[derive(Module)]`, which are tested here.
#[cfg(doctest)]
#[doc = include_str!("../../nn-derive/src/module.md")]
struct Derive;
