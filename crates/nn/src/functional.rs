//! The activations as functions of a variable, as in PyTorch's `nn.functional`. The layer of the same
//! name has the formula.
//!
//! ```
//! use wengert::autograd::Tape;
//! use wengert::nn::functional::{elu, gelu};
//! use wengert::tensor::Tensor;
//! let tape = Tape::new();
//! let x = tape.watch(Tensor::from([-1e4, 0.0, 2.0]));
//! let y = elu(gelu(x), 1.0);
//! assert_eq!(y.value().at(&[0]), 0.0);
//! ```

pub use crate::activation::{
    arctan, binary_step, celu, elu, geglu, gelu, gelu_tanh, glu, gumbel_softmax, hardshrink,
    hardsigmoid, hardswish, hardtanh, identity, leaky_relu, log_sigmoid, log_softmax, maxout, mish,
    prelu, reglu, relu, relu6, rrelu, scaled_softplus, selu, sigmoid, silu, softmax, softmin,
    softplus, softshrink, softsign, swiglu, tanh, tanhshrink, threshold,
};
