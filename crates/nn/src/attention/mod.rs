//! Attention: the function, the layer with several heads, positions, and transformer layers.

mod cache;
mod multi_head;
mod positions;
mod product;
mod stack;
mod transformer;

pub use cache::KvCache;
pub use multi_head::MultiHeadAttention;
pub use positions::{LearnedPositions, RotaryPositions, SinusoidalPositions};
pub use product::{Attention, scaled_dot_product_attention};
pub use stack::{TransformerDecoder, TransformerEncoder};
pub use transformer::{TransformerDecoderLayer, TransformerEncoderLayer};
