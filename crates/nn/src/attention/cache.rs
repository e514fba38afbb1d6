//! The keys and values of earlier tokens, for generation.

use wengert_tensor::{Float, Tensor};

/// The keys and values of the tokens that an attention layer has seen, for generating a sequence
/// token by token. Each step then computes keys and values of the new tokens only.
///
/// [`MultiHeadAttention::run_cached`](crate::MultiHeadAttention::run_cached) has an example.
#[derive(Clone, Debug, Default)]
pub struct KvCache<T: Float = f32> {
    /// Keys and values: [N, heads, S, size of a head].
    pub(super) state: Option<(Tensor<T>, Tensor<T>)>,
}

impl<T: Float> KvCache<T> {
    /// Creates an empty cache.
    pub fn new() -> Self {
        KvCache { state: None }
    }

    /// Returns the number of tokens in the cache.
    pub fn len(&self) -> usize {
        self.state.as_ref().map_or(0, |(keys, _)| keys.size(2))
    }

    /// Returns whether the cache has no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all tokens.
    pub fn clear(&mut self) {
        self.state = None;
    }
}
