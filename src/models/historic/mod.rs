//! Networks as they were published, and the layers that only these networks use.

mod lenet5;
mod rbf;
mod scaled_tanh;
mod subsampling;
mod table_conv;
mod zipcode;

pub use lenet5::{LeNet5, map_loss};
pub use rbf::Rbf;
pub use scaled_tanh::ScaledTanh;
pub use subsampling::Subsampling;
pub use table_conv::TableConv2d;
pub use zipcode::ZipcodeNet;
