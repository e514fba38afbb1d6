//! Transformers: layers that run one after the other.

use super::cache::KvCache;
#[allow(unused_imports)] // for the documentation
use super::multi_head::MultiHeadAttention;
use super::product::Attention;
use super::transformer::{TransformerDecoderLayer, TransformerEncoderLayer};
use crate::layer::Layer;
use crate::norm::LayerNorm;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// What an encoder and a decoder have in common. `$op` is the name in messages.
macro_rules! transformer_stack {
    ($Stack:ident of $Layer:ident, $op:literal) => {
        impl<T: Float> $Stack<T> {
            /// Creates a stack of these layers.
            ///
            /// # Panics
            /// If there are no layers.
            #[track_caller]
            pub fn new(layers: Vec<$Layer<T>>) -> Self {
                assert!(!layers.is_empty(), "{}: expected at least one layer", stringify!($Stack));
                $Stack { layers, norm: None }
            }

            /// Normalises the result.
            #[must_use]
            pub fn norm(self, norm: LayerNorm<T>) -> Self {
                $Stack { norm: Some(norm), ..self }
            }

            #[track_caller]
            fn normed<'t>(&self, y: Var<'t, T>) -> Var<'t, T> {
                match &self.norm {
                    Some(norm) => norm.forward(y),
                    None => y,
                }
            }

            #[track_caller]
            fn check_caches(&self, x: Var<'_, T>, caches: &[KvCache<T>]) {
                let layers = self.layers.len();
                if caches.len() != layers {
                    x.tape().shape_error(format!(
                        "{}: expected {layers} caches, one for each layer, got {}",
                        $op,
                        caches.len()
                    ))
                }
            }
        }
    };
}

/// A transformer's encoder: layers that run one after the other, and a normalisation of the result.
/// Names of parameters are those of PyTorch (`layers.0.self_attn.in_proj_weight`).
///
/// ```
/// use wengert::nn::{Layer, LayerNorm, TransformerEncoder, TransformerEncoderLayer};
/// use wengert::tensor::{Philox, Tensor};
/// let rng = &mut Philox::new(0);
/// let layers = (0..3).map(|_| TransformerEncoderLayer::new(16, 4, 32, rng).batch_first());
/// let encoder = TransformerEncoder::new(layers.collect()).norm(LayerNorm::new(&[16]));
/// assert_eq!(encoder.predict(&Tensor::ones(&[2, 5, 16])).shape(), [2, 5, 16]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct TransformerEncoder<T: Float = f32> {
    /// The layers, in order.
    pub layers: Vec<TransformerEncoderLayer<T>>,
    /// The normalisation of the result.
    pub norm: Option<LayerNorm<T>>,
}

transformer_stack! { TransformerEncoder of TransformerEncoderLayer, "transformer_encoder" }

impl<T: Float> TransformerEncoder<T> {
    /// Returns the result of the last layer. All layers attend with these options.
    ///
    /// # Panics
    /// If a shape does not fit.
    #[track_caller]
    pub fn run<'t>(&self, x: Var<'t, T>, how: &Attention<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open(self);
        let mut y = x;
        for layer in &self.layers {
            y = layer.run(y, how);
        }
        scope.close(self.normed(y))
    }

    /// Returns the result for further tokens of a causal sequence, as
    /// [`MultiHeadAttention::run_cached`]. Each layer has a cache of its own.
    ///
    /// # Panics
    /// If a shape does not fit, or there is not one cache for each layer.
    #[track_caller]
    pub fn run_cached<'t>(&self, x: Var<'t, T>, caches: &mut [KvCache<T>]) -> Var<'t, T> {
        let scope = x.tape().open(self);
        self.check_caches(x, caches);
        let mut y = x;
        for (layer, cache) in self.layers.iter().zip(caches) {
            y = layer.run_cached(y, cache);
        }
        scope.close(self.normed(y))
    }
}

impl<T: Float> Layer<T> for TransformerEncoder<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let mut y = x;
        for layer in &self.layers {
            y = layer.forward(y);
        }
        self.normed(y)
    }
}

/// A transformer's decoder: layers that run one after the other, and a normalisation of the result.
/// All layers attend to the same memory. Names of parameters are those of PyTorch.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{Attention, TransformerDecoder, TransformerDecoderLayer};
/// use wengert::tensor::{Philox, Tensor};
/// let rng = &mut Philox::new(0);
/// let layers = (0..3).map(|_| TransformerDecoderLayer::new(16, 4, 32, rng));
/// let decoder = TransformerDecoder::new(layers.collect());
/// let tape = Tape::inference();
/// let (x, memory) = (tape.constant(Tensor::ones(&[5, 2, 16])), tape.constant(Tensor::ones(&[7, 2, 16])));
/// let y = decoder.run(x, memory, &Attention::new().causal(), &Attention::new());
/// assert_eq!(y.shape(), [5, 2, 16]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct TransformerDecoder<T: Float = f32> {
    /// The layers, in order.
    pub layers: Vec<TransformerDecoderLayer<T>>,
    /// The normalisation of the result.
    pub norm: Option<LayerNorm<T>>,
}

transformer_stack! { TransformerDecoder of TransformerDecoderLayer, "transformer_decoder" }

impl<T: Float> TransformerDecoder<T> {
    /// Returns the result of the last layer, as [`TransformerDecoderLayer::run`] does for one
    /// layer.
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
        let mut y = x;
        for layer in &self.layers {
            y = layer.run(y, memory, how, how_memory);
        }
        scope.close(self.normed(y))
    }

    /// Returns the result for further tokens of a causal sequence, as
    /// [`MultiHeadAttention::run_cached`]. Each layer has a cache of its own.
    ///
    /// # Panics
    /// If a shape does not fit, or there is not one cache for each layer.
    #[track_caller]
    pub fn run_cached<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        caches: &mut [KvCache<T>],
        how_memory: &Attention<'t, T>,
    ) -> Var<'t, T> {
        let scope = x.tape().open(self);
        self.check_caches(x, caches);
        let mut y = x;
        for (layer, cache) in self.layers.iter().zip(caches) {
            y = layer.run_cached(y, memory, cache, how_memory);
        }
        scope.close(self.normed(y))
    }
}
