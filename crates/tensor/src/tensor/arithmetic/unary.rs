//! Methods of one operand. The macro makes one method for each row of the table of operations.

use crate::kernels::Unary;
use crate::kernels::pointwise::unary_operations;
use crate::tensor::{Float, Tensor};

/// Makes the method of a tensor. A row marked `in programs` gets no method, because operators compute it.
macro_rules! method {
    ([programs] $($row:tt)*) => {};
    ([$($marker:ident)?] $(#[$doc:meta])* $method:ident $(($c:ident: $C:ty))? $Op:ident) => {
        $(#[$doc])*
        #[inline]
        pub fn $method(&self $(, $c: $C)?) -> Self {
            self.unary(Unary::$Op $(($c))?)
        }
    };
}

macro_rules! methods {
    ($($(#[$doc:meta])* $Op:ident $(($c:ident: $C:ty = $example:expr))? as $method:ident $(in $marker:ident)?: |$x:ident| $y:expr;)*) => {
        impl<T: Float> Tensor<T> {
            $(method! { [$($marker)?] $(#[$doc])* $method $(($c: $C))? $Op })*
        }
    };
}
unary_operations! { methods }
