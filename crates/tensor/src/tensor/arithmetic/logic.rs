//! Logic of booleans: not, and, or, exclusive or.

use super::{common, each};
use crate::layout::Shape;
use crate::machine::{each_part, moves};
use crate::tensor::Tensor;
use std::ops;

/// Applies `f` to each pair of elements of two operands, both broadcast to `shape`.
fn join(
    a: &Tensor<bool>,
    b: &Tensor<bool>,
    shape: Shape,
    f: impl Fn(bool, bool) -> bool + Sync,
) -> Tensor<bool> {
    let [a, b] = [a, b].map(|x| x.broadcast_to(&shape).contiguous());
    let (a, b) = (a.as_slice().unwrap_or_default(), b.as_slice().unwrap_or_default());
    let mut out = Tensor::<bool>::empty(shape);
    each_part(out.fresh_mut(), 1, moves::<bool>(a.len()), 64, |range, to| {
        for ((to, &a), &b) in to.iter_mut().zip(&a[range.clone()]).zip(&b[range]) {
            *to = f(a, b);
        }
    });
    out
}

macro_rules! logic {
    ($($(#[$doc:meta])* $Trait:ident as $name:ident: $method:ident $op:tt;)*) => {
        /// Logic of booleans, with broadcasting. The operators `!`, `&`, `|` and `^` do the same.
        impl Tensor<bool> { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            #[track_caller]
            #[must_use]
            pub fn $name(&self, other: &Self) -> Self {
                join(self, other, common(stringify!($name), self, other), |a, b| a $op b)
            }
        )* }
        $(
            impl ops::$Trait<&Tensor<bool>> for &Tensor<bool> {
                type Output = Tensor<bool>;
                #[track_caller]
                fn $method(self, other: &Tensor<bool>) -> Tensor<bool> {
                    self.$name(other)
                }
            }
            impl ops::$Trait<Tensor<bool>> for &Tensor<bool> {
                type Output = Tensor<bool>;
                #[track_caller]
                fn $method(self, other: Tensor<bool>) -> Tensor<bool> {
                    self.$name(&other)
                }
            }
            impl ops::$Trait<&Tensor<bool>> for Tensor<bool> {
                type Output = Tensor<bool>;
                #[track_caller]
                fn $method(self, other: &Tensor<bool>) -> Tensor<bool> {
                    self.$name(other)
                }
            }
            impl ops::$Trait<Tensor<bool>> for Tensor<bool> {
                type Output = Tensor<bool>;
                #[track_caller]
                fn $method(self, other: Tensor<bool>) -> Tensor<bool> {
                    self.$name(&other)
                }
            }
        )*
    };
}
logic! {
    /// Returns true where both elements are true.
    BitAnd as and: bitand &;
    /// Returns true where at least one of the two elements is true.
    BitOr as or: bitor |;
    /// Returns true where exactly one of the two elements is true.
    BitXor as xor: bitxor ^;
}

impl Tensor<bool> {
    /// Returns true where `self` is false.
    #[must_use]
    pub fn not(&self) -> Self {
        each(self, |x| !x)
    }
}

impl ops::Not for &Tensor<bool> {
    type Output = Tensor<bool>;
    fn not(self) -> Tensor<bool> {
        Tensor::not(self)
    }
}
impl ops::Not for Tensor<bool> {
    type Output = Tensor<bool>;
    fn not(self) -> Tensor<bool> {
        Tensor::not(&self)
    }
}
