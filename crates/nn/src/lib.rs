//! Layers, losses and initialisation for neural networks.
//!
//! Everything in this crate is built from differentiable operations, so the crate contains no
//! derivative rules of its own.
//!
//! A model is a [`Layer`]: a [`Sequential`], or a struct with `#[derive(Clone, Module)]` and a
//! `call` method. The perceptron in this example learns the sign of the sum of each random point.
//!
//! ```
//! use wengert_autograd::{Param, Path, Tape};
//! use wengert_nn::{Layer, Linear, Module, Tanh, cross_entropy, sequential};
//! use wengert_tensor::{Philox, Tensor};
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
//! Constructors called `new` return layers of `f32`. Constructors called `of` take any element
//! type, as in `Linear::<f64>::of(…)`.

mod activation;
mod checkpoint;
mod conv;
mod dropout;
mod expect;
mod flatten;
pub mod init;
mod layer;
mod linear;
mod loss;
mod norm;
mod padding;
mod pool;
mod print;
mod sequential;
mod state_dict;
mod summary;
mod unfold;
mod upsample;

pub use activation::{
    Identity, LeakyRelu, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
pub use checkpoint::Checkpoint;
pub use conv::{Conv1d, Conv2d, ConvTranspose2d};
pub use dropout::{Dropout, Dropout2d};
pub use flatten::Flatten;
#[doc(hidden)]
pub use layer::CloneLayer;
pub use layer::Layer;
pub use linear::Linear;
pub use loss::{
    Reduction, bce_with_logits, bce_with_logits_with, cross_entropy, cross_entropy_with, mse,
    mse_with, nll, nll_with,
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
