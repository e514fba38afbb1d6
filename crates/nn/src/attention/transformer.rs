//! Transformer layers.

use super::cache::KvCache;
use super::multi_head::MultiHeadAttention;
use super::product::Attention;
use crate::activation::gelu;
use crate::layer::Layer;
use crate::linear::Linear;
use crate::norm::LayerNorm;
use crate::print::changed;
use rand::Rng;
use wengert_autograd::{Outline, Var};
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// The options of a transformer layer.
#[derive(Clone, Copy, Debug)]
struct PartOptions {
    dropout: f64,
    norm_first: bool,
    gelu: bool,
}

impl PartOptions {
    const DEFAULT: PartOptions = PartOptions { dropout: 0.1, norm_first: false, gelu: false };

    #[track_caller]
    fn drop<T: Float>(self, x: Var<'_, T>) -> Var<'_, T> {
        if self.dropout > 0.0 { x.dropout(self.dropout) } else { x }
    }

    /// Returns max(x, 0), or x · Φ(x) with the distribution function Φ of the normal distribution.
    fn activate<T: Float>(self, x: Var<'_, T>) -> Var<'_, T> {
        if self.gelu { gelu(x) } else { x.relu() }
    }

    /// Returns the input of a part: x, or norm(x).
    #[track_caller]
    fn before<'t, T: Float>(self, x: Var<'t, T>, norm: &LayerNorm<T>) -> Var<'t, T> {
        if self.norm_first { norm.forward(x) } else { x }
    }

    /// Returns the sum of x and the result of a part, or the norm of this sum.
    #[track_caller]
    fn after<'t, T: Float>(
        self,
        x: Var<'t, T>,
        of_part: Var<'t, T>,
        norm: &LayerNorm<T>,
    ) -> Var<'t, T> {
        let sum = x + self.drop(of_part);
        if self.norm_first { sum } else { norm.forward(sum) }
    }
}

fn print(options: &PartOptions, outline: Outline) -> Outline {
    let PartOptions { dropout, norm_first, gelu } = options;
    let options = [
        ("dropout", format!("{dropout:?}"), "0.1"),
        ("norm_first", norm_first.to_string(), "false"),
        ("activation", if *gelu { "gelu" } else { "relu" }.into(), "relu"),
    ];
    changed(outline, &options)
}

/// The constructors and options of a transformer layer with these attentions and norms.
macro_rules! transformer_layer {
    ($Layer:ident, [$($attention:ident)+], [$($norm:ident)+]) => {
        impl $Layer {
            /// Creates a layer of `f32`: `size` is the size of the elements, and `feedforward` the
            /// size between the two linear layers (2048 in PyTorch, if it is not given). The
            /// probability of dropout is 0.1, as in PyTorch.
            ///
            /// # Panics
            /// If `size` is 0, or is not a multiple of `heads`, or `feedforward` is 0.
            #[track_caller]
            pub fn new(
                size: usize,
                heads: usize,
                feedforward: usize,
                rng: &mut (impl Rng + ?Sized),
            ) -> Self {
                Self::of(size, heads, feedforward, rng)
            }
        }

        impl<T: Float> $Layer<T> {
            #[doc = concat!(
                "Creates a layer of any element type, as [`", stringify!($Layer), "::new`] does for \
                 `f32`: `", stringify!($Layer), "::<f64>::of(…)`."
            )]
            ///
            /// # Panics
            /// If `size` is 0, or is not a multiple of `heads`, or `feedforward` is 0.
            #[track_caller]
            pub fn of(
                size: usize,
                heads: usize,
                feedforward: usize,
                rng: &mut (impl Rng + ?Sized),
            ) -> Self {
                let layer = $Layer {
                    $($attention: MultiHeadAttention::of(size, heads, rng),)+
                    linear1: Linear::of(size, feedforward, rng),
                    linear2: Linear::of(feedforward, size, rng),
                    $($norm: LayerNorm::of(&[size]),)+
                    options: PartOptions::DEFAULT,
                };
                layer.dropout(PartOptions::DEFAULT.dropout)
            }

            /// Sets the probability of dropout, in the attention, between the linear layers and
            /// after each part. The default is 0.1. If it is not 0, the tape must have a mode.
            ///
            /// # Panics
            /// If `p` is not from 0 to 1.
            #[must_use]
            #[track_caller]
            pub fn dropout(mut self, p: f64) -> Self {
                $(self.$attention = self.$attention.dropout(p);)+
                self.options.dropout = p;
                self
            }

            /// Normalises the input of each part instead of its sum with the result: x + f(norm(x))
            /// instead of norm(x + f(x)). (Xiong et al., "On layer normalization in the transformer
            /// architecture", 2020.)
            #[must_use]
            pub fn norm_first(mut self) -> Self {
                self.options.norm_first = true;
                self
            }

            /// Replaces the rectifier between the linear layers by x · Φ(x), where Φ is the
            /// distribution function of the normal distribution. (Hendrycks, Gimpel, "Gaussian
            /// error linear units", 2016.)
            #[must_use]
            pub fn gelu(mut self) -> Self {
                self.options.gelu = true;
                self
            }

            /// Makes the batch the first axis: [N, L, size] instead of [L, N, size].
            #[must_use]
            pub fn batch_first(mut self) -> Self {
                $(self.$attention = self.$attention.batch_first();)+
                self
            }

            /// Returns the result of the last part, the two linear layers.
            #[track_caller]
            fn fed<'t>(&self, x: Var<'t, T>, norm: &LayerNorm<T>) -> Var<'t, T> {
                let options = self.options;
                let hidden = self.linear1.forward(options.before(x, norm));
                let hidden = options.drop(options.activate(hidden));
                options.after(x, self.linear2.forward(hidden), norm)
            }
        }
    };
}

/// A layer of a transformer's encoder: self-attention, then two linear layers, each with a residual
/// sum and layer normalisation. (Vaswani et al., "Attention is all you need", 2017.)
///
/// As a [`Layer`], it attends without a mask; [`run`](TransformerEncoderLayer::run) takes
/// [options](Attention). With a causal attention, it is the layer of a language model. Names of
/// parameters are those of PyTorch.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{Attention, TransformerEncoderLayer};
/// use wengert::tensor::{Philox, Tensor};
/// let rng = &mut Philox::new(0);
/// let layer = TransformerEncoderLayer::new(16, 4, 32, rng).norm_first().gelu().batch_first();
/// let tape = Tape::train(rng);
/// let x = tape.constant(Tensor::ones(&[2, 5, 16]));
/// assert_eq!(layer.run(x, &Attention::new().causal()).shape(), [2, 5, 16]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct TransformerEncoderLayer<T: Float = f32> {
    /// The self-attention.
    pub self_attn: MultiHeadAttention<T>,
    /// The first linear layer.
    pub linear1: Linear<T>,
    /// The second linear layer.
    pub linear2: Linear<T>,
    /// The normalisation of the self-attention.
    pub norm1: LayerNorm<T>,
    /// The normalisation of the linear layers.
    pub norm2: LayerNorm<T>,
    #[module(print_with = print)]
    options: PartOptions,
}

transformer_layer! { TransformerEncoderLayer, [self_attn], [norm1 norm2] }

impl<T: Float> TransformerEncoderLayer<T> {
    /// Returns the result for [L, N, size], or for [N, L, size] with
    /// [`batch_first`](TransformerEncoderLayer::batch_first), or for one sequence [L, size].
    ///
    /// # Panics
    /// If a shape does not fit.
    #[track_caller]
    pub fn run<'t>(&self, x: Var<'t, T>, how: &Attention<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open(self);
        let read = self.options.before(x, &self.norm1);
        let y = self.self_attn.run(read, read, read, how);
        scope.close(self.rest(x, y))
    }

    /// Returns the result for further tokens of a causal sequence, as
    /// [`MultiHeadAttention::run_cached`].
    ///
    /// # Panics
    /// If a shape does not fit, or the cache is of another number of sequences.
    #[track_caller]
    pub fn run_cached<'t>(&self, x: Var<'t, T>, cache: &mut KvCache<T>) -> Var<'t, T> {
        let scope = x.tape().open(self);
        let read = self.options.before(x, &self.norm1);
        let y = self.self_attn.run_cached(read, cache);
        scope.close(self.rest(x, y))
    }

    /// Returns the result for the input and the result of the self-attention.
    #[track_caller]
    fn rest<'t>(&self, x: Var<'t, T>, attended: Var<'t, T>) -> Var<'t, T> {
        self.fed(self.options.after(x, attended, &self.norm1), &self.norm2)
    }
}

impl<T: Float> Layer<T> for TransformerEncoderLayer<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let read = self.options.before(x, &self.norm1);
        self.rest(x, self.self_attn.forward(read))
    }
}

/// A layer of a transformer's decoder: self-attention, attention to the result of the encoder (the
/// memory), then two linear layers, each with a residual sum and layer normalisation. (Vaswani et
/// al., "Attention is all you need", 2017.) Names of parameters are those of PyTorch.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{Attention, TransformerDecoderLayer};
/// use wengert::tensor::{Philox, Tensor};
/// let rng = &mut Philox::new(0);
/// let layer = TransformerDecoderLayer::new(16, 4, 32, rng).batch_first();
/// let tape = Tape::train(rng);
/// let memory = tape.constant(Tensor::ones(&[2, 7, 16]));
/// let x = tape.constant(Tensor::ones(&[2, 5, 16]));
/// let y = layer.run(x, memory, &Attention::new().causal(), &Attention::new());
/// assert_eq!(y.shape(), [2, 5, 16]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct TransformerDecoderLayer<T: Float = f32> {
    /// The self-attention.
    pub self_attn: MultiHeadAttention<T>,
    /// The attention to the memory.
    pub multihead_attn: MultiHeadAttention<T>,
    /// The first linear layer.
    pub linear1: Linear<T>,
    /// The second linear layer.
    pub linear2: Linear<T>,
    /// The normalisation of the self-attention.
    pub norm1: LayerNorm<T>,
    /// The normalisation of the attention to the memory.
    pub norm2: LayerNorm<T>,
    /// The normalisation of the linear layers.
    pub norm3: LayerNorm<T>,
    #[module(print_with = print)]
    options: PartOptions,
}

transformer_layer! { TransformerDecoderLayer, [self_attn multihead_attn], [norm1 norm2 norm3] }

impl<T: Float> TransformerDecoderLayer<T> {
    /// Returns the result for [L, N, size] and a memory [S, N, size], or for [N, L, size] and [N,
    /// S, size] with [`batch_first`](TransformerDecoderLayer::batch_first). `how` are the options
    /// of the self-attention, `how_memory` those of the attention to the memory.
    ///
    /// # Panics
    /// If a shape does not fit.
    #[track_caller]
    pub fn run<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        how: &Attention<'t, T>,
        how_memory: &Attention<'t, T>,
    ) -> Var<'t, T> {
        let scope = x.tape().open(self);
        let read = self.options.before(x, &self.norm1);
        let y = self.self_attn.run(read, read, read, how);
        scope.close(self.rest(x, y, memory, how_memory))
    }

    /// Returns the result for further tokens of a causal sequence, as
    /// [`MultiHeadAttention::run_cached`].
    ///
    /// # Panics
    /// If a shape does not fit, or the cache is of another number of sequences.
    #[track_caller]
    pub fn run_cached<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        cache: &mut KvCache<T>,
        how_memory: &Attention<'t, T>,
    ) -> Var<'t, T> {
        let scope = x.tape().open(self);
        let read = self.options.before(x, &self.norm1);
        let y = self.self_attn.run_cached(read, cache);
        scope.close(self.rest(x, y, memory, how_memory))
    }

    /// Returns the result for the input and the result of the self-attention.
    #[track_caller]
    fn rest<'t>(
        &self,
        x: Var<'t, T>,
        attended: Var<'t, T>,
        memory: Var<'t, T>,
        how_memory: &Attention<'t, T>,
    ) -> Var<'t, T> {
        let options = self.options;
        let x = options.after(x, attended, &self.norm1);
        let read = options.before(x, &self.norm2);
        let y = self.multihead_attn.run(read, memory, memory, how_memory);
        self.fed(options.after(x, y, &self.norm2), &self.norm3)
    }
}
