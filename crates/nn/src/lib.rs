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
//!
//! ## Linear layers
//! | | | PyTorch |
//! |---|---|---|
//! | [`Linear`] | y = x Wᵀ + b along the last axis | |
//!
//! ## Convolution
//! | | | PyTorch |
//! |---|---|---|
//! | [`Conv1d`] | convolution of signals [N, C, L] | |
//! | [`Conv2d`] | convolution of images [N, C, H, W] | |
//! | [`ConvTranspose2d`] | transposed convolution of images | |
//! | [`Unfold`] | extracts the windows of images as columns | |
//! | [`Fold`] | sums windows into images | |
//!
//! ## Pooling
//! | | | PyTorch |
//! |---|---|---|
//! | [`MaxPool1d`] | largest element of each window of signals | |
//! | [`MaxPool2d`] | largest element of each window of images | |
//! | [`AvgPool1d`] | mean of each window of signals | |
//! | [`AvgPool2d`] | mean of each window of images | |
//! | [`AdaptiveMaxPool1d`] | maxima of signals, with a given output length | |
//! | [`AdaptiveMaxPool2d`] | maxima of images, with a given output size | |
//! | [`AdaptiveAvgPool1d`] | means of signals, with a given output length | |
//! | [`AdaptiveAvgPool2d`] | means of images, with a given output size | |
//!
//! ## Padding and shape
//! | | | PyTorch |
//! |---|---|---|
//! | [`ZeroPad2d`] | pads images with zeros | |
//! | [`ReflectionPad2d`] | pads images by mirroring them | |
//! | [`ReplicationPad2d`] | pads images by repeating their border pixels | |
//! | [`CircularPad2d`] | pads images by continuing them as on a circle | |
//! | [`Upsample`] | resizes images: nearest pixel or bilinear | |
//! | [`Flatten`] | merges axes into one | |
//!
//! ## Normalisation
//! | | statistics over | PyTorch |
//! |---|---|---|
//! | [`BatchNorm1d`] | batch (and positions), for each channel | |
//! | [`BatchNorm2d`] | batch and pixels, for each channel | |
//! | [`InstanceNorm1d`] | positions, for each channel of each sample | |
//! | [`InstanceNorm2d`] | pixels, for each channel of each sample | |
//! | [`GroupNorm`] | groups of channels of each sample | |
//! | [`LayerNorm`] | the last axes of each sample | |
//! | [`RmsNorm`] | the last axes of each sample: mean square, without the mean | `RMSNorm` |
//! | [`LocalResponseNorm`] | squares over neighbouring channels | |
//!
//! ## Activation
//! | | | PyTorch |
//! |---|---|---|
//! | [`Relu`] | max(x, 0) | `ReLU` |
//! | [`LeakyRelu`] | x where x is positive, slope · x elsewhere | `LeakyReLU` |
//! | [`Silu`] | x · σ(x) | `SiLU` |
//! | [`Softplus`] | ln(1 + eˣ) | |
//! | [`Sigmoid`] | 1 / (1 + e⁻ˣ) | |
//! | [`Hardsigmoid`] | x/6 + ½, limited to 0 and 1 | |
//! | [`Tanh`] | tanh x | |
//! | [`Softmax`] | eˣ / Σ eˣ along an axis | |
//! | [`LogSoftmax`] | ln(eˣ / Σ eˣ) along an axis | |
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
//! | [`Dropout2d`] | sets whole channels to zero in training | |
//!
//! ## Losses
//! Each loss is a function that returns the mean; the variant with the suffix `_with` takes a
//! [`Reduction`].
//!
//! | | | PyTorch |
//! |---|---|---|
//! | [`mse`] | mean squared error | `MSELoss` |
//! | [`mse_with`] | `mse` with another reduction | `MSELoss(reduction=…)` |
//! | [`cross_entropy`] | cross-entropy between softmax(logits) and classes | `CrossEntropyLoss` |
//! | [`cross_entropy_with`] | `cross_entropy` with another reduction | `CrossEntropyLoss(reduction=…)` |
//! | [`nll`] | negative log-likelihood of the classes | `NLLLoss` |
//! | [`nll_with`] | `nll` with another reduction | `NLLLoss(reduction=…)` |
//! | [`bce_with_logits`] | binary cross-entropy between σ(logits) and targets | `BCEWithLogitsLoss` |
//! | [`bce_with_logits_with`] | `bce_with_logits` with another reduction | `BCEWithLogitsLoss(reduction=…)` |
//! | [`poisson_nll`] | negative log-likelihood of counts under Poisson distributions | `PoissonNLLLoss` |
//! | [`poisson_nll_with`] | `poisson_nll` with another reduction | `PoissonNLLLoss(reduction=…)` |
//! | [`Reduction`] | mean, sum, or every loss by itself | `reduction="mean"` |
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
//! | [`init::fans`] | the numbers of connections into and out of a unit | |
//! | [`init::Fan`] | selects one of these two numbers | `mode="fan_in"` |
//! | [`init::gain::LINEAR`] | gain without a nonlinearity: 1 | `init.calculate_gain` |
//! | [`init::gain::TANH`] | gain for tanh: 5/3 | `init.calculate_gain` |
//! | [`init::gain::RELU`] | gain for the rectifier: √2 | `init.calculate_gain` |
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
mod check_input;
mod conv;
mod dropout;
mod flatten;
pub mod init;
mod layer;
mod linear;
mod loss;
mod norm;
mod padding;
mod pool;
mod print;
mod recurrent;
mod sequential;
mod state_dict;
mod summary;
mod unfold;
mod upsample;

pub use activation::{
    Hardsigmoid, Identity, LeakyRelu, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
pub use activation_checkpoint::ActivationCheckpoint;
pub use attention::{
    Attention, KvCache, LearnedPositions, MultiHeadAttention, RotaryPositions, SinusoidalPositions,
    TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
    scaled_dot_product_attention,
};
pub use conv::{Conv1d, Conv2d, ConvTranspose2d};
pub use dropout::{Dropout, Dropout2d};
pub use flatten::Flatten;
#[doc(hidden)]
pub use layer::CloneLayer;
pub use layer::Layer;
pub use linear::Linear;
pub use loss::{
    Reduction, bce_with_logits, bce_with_logits_with, cross_entropy, cross_entropy_with, mse,
    mse_with, nll, nll_with, poisson_nll, poisson_nll_with,
};
pub use norm::{
    BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm,
    LocalResponseNorm, RmsNorm,
};
pub use padding::{CircularPad2d, ReflectionPad2d, ReplicationPad2d, ZeroPad2d};
pub use pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d,
    AvgPool2d, MaxPool1d, MaxPool2d,
};
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, Rnn, RnnCell};
pub use sequential::Sequential;
pub use state_dict::{
    LoadError, LoadOptions, Mismatch, StateDict, load, load_state_dict, save, state_dict,
};
pub use summary::{LayerSummary, Summary};
pub use unfold::{Fold, Unfold};
pub use upsample::Upsample;
/// The trait of every type that holds parameters, and the derive macro that implements it.
pub use wengert_autograd::Module;
pub use wengert_nn_derive::Module;

/// The examples in the documentation of `#[derive(Module)]`, which are tested here.
#[cfg(doctest)]
#[doc = include_str!("../../nn-derive/src/module.md")]
struct Derive;
