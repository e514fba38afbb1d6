//! Operators with integers: `&x * 2` is `&x * 2.0`.
//!
//! The operators exist for `i32` only, the default type of an integer literal. With a second integer type,
//! the type of the literal in `x * 2` would be ambiguous.

use crate::tensor::Number;
use crate::tensor::Tensor;
use std::ops;

macro_rules! operators {
    ($($Trait:ident $method:ident)*) => { $(
        impl<T: Number> ops::$Trait<i32> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, c: i32) -> Tensor<T> {
                self.$method(f64::from(c))
            }
        }
        impl<T: Number> ops::$Trait<i32> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, c: i32) -> Tensor<T> {
                (&self).$method(f64::from(c))
            }
        }
        impl<T: Number> ops::$Trait<&Tensor<T>> for i32 {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, x: &Tensor<T>) -> Tensor<T> {
                f64::from(self).$method(x)
            }
        }
        impl<T: Number> ops::$Trait<Tensor<T>> for i32 {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, x: Tensor<T>) -> Tensor<T> {
                f64::from(self).$method(&x)
            }
        }
    )* };
}
operators! { Add add Sub sub Mul mul Div div }
