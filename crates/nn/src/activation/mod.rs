//! Nonlinear functions, each as a function of a variable and as a layer.
//!
//! One row of `activations!` makes both: the struct with its `call`, and the function, which
//! [`functional`](crate::functional) exports. The fields of the struct are the arguments of the
//! function after x. At kinks the derivative is PyTorch's.

mod gated;
mod prelu;
mod rectifier;
mod sigmoid;
mod simple;
mod softmax;
mod step;

pub use gated::{Geglu, Glu, Reglu, Swiglu, geglu, glu, maxout, reglu, swiglu};
pub use prelu::{PRelu, prelu};
pub use rectifier::{
    Celu, Elu, Gelu, GeluTanh, Hardshrink, Hardswish, Hardtanh, LeakyRelu, Mish, RRelu, Relu,
    Relu6, ScaledSoftplus, Selu, Silu, Softplus, Softshrink, Threshold, celu, elu, gelu, gelu_tanh,
    hardshrink, hardswish, hardtanh, leaky_relu, mish, relu, relu6, rrelu, scaled_softplus, selu,
    silu, softplus, softshrink, threshold,
};
pub use sigmoid::{
    Arctan, Hardsigmoid, LogSigmoid, Sigmoid, Softsign, Tanh, Tanhshrink, arctan, hardsigmoid,
    log_sigmoid, sigmoid, softsign, tanh, tanhshrink,
};
pub use simple::{Identity, identity};
pub use softmax::{
    GumbelSoftmax, LogSoftmax, Softmax, Softmin, gumbel_softmax, log_softmax, softmax, softmin,
};
pub use step::{BinaryStep, Surrogate, binary_step};

/// Defines activations. A row holds the documentation, the name of the layer with its fields, the
/// name of the function, and the formula in x and the fields.
macro_rules! activations {
    ($(
        $(#[$doc:meta])*
        $Name:ident $(($($field:ident: $F:ty),+))? as $function:ident: |$x:ident| $y:expr;
    )*) => { $(
        activations!(struct $(#[$doc])* $Name $(($($F),+))?);

        impl<T: wengert_tensor::Float> crate::layer::Layer<T> for $Name {
            #[track_caller]
            fn call<'t>(&self, x: wengert_autograd::Var<'t, T>) -> wengert_autograd::Var<'t, T> {
                let $Name $(($($field),+))? = *self;
                $function(x $($(, $field)+)?)
            }
        }

        #[doc = concat!(
            "Computes the function of the layer [`", stringify!($Name), "`](crate::",
            stringify!($Name), "), whose page has the formula.", $(
                " The arguments after x are its fields", $(", `", stringify!($field), "`",)+ ".",
            )?
        )]
        #[track_caller]
        pub fn $function<'t, T: wengert_tensor::Float>(
            $x: wengert_autograd::Var<'t, T>,
            $($($field: $F,)+)?
        ) -> wengert_autograd::Var<'t, T> {
            $y
        }
    )* };
    (struct $(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, wengert_nn_derive::Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Name;
    };
    (struct $(#[$doc:meta])* $Name:ident ($($F:ty),+)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, wengert_nn_derive::Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Name($(pub $F),+);
    };
}
use activations;
