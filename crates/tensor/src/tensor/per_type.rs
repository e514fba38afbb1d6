//! Functions that a crate compiles itself, once for each float type.
//!
//! A generic function is compiled again in every crate that calls it, in every example and in every test.
//! A method of an implementation for a concrete type is compiled once, in the crate that contains the
//! implementation. [`PerType`] is such a method for any function, and the macro `per_type!` writes the
//! implementation.

use super::element::Float;

/// A function that is compiled once for `f32` and once for `f64`. `per_type!` implements it.
#[doc(hidden)]
pub trait PerType {
    /// The arguments, as a tuple.
    type Args<T: Float>;
    type Output<T: Float>;
    fn f32(args: Self::Args<f32>) -> Self::Output<f32>;
    fn f64(args: Self::Args<f64>) -> Self::Output<f64>;
}

/// Calls a generic function of a float type `T` that the calling crate compiles once for each type:
/// `per_type!(<'a> function as (x: &'a Tensor<T>) -> Tensor<T>)` is `function(x)`, where `x` is a variable of
/// the caller. The types of the arguments and of the result are given, and before the function the lifetimes
/// that they contain. The type parameter of the caller must be called `T`.
#[doc(hidden)]
#[macro_export]
macro_rules! per_type {
    (
        $(<$($a:lifetime $(: $b:lifetime)?),+>)?
        $function:path as ($($arg:ident: $type:ty),+ $(,)?) -> $output:ty
    ) => {{
        #[allow(dead_code)] // the lifetimes
        struct Here$(<$($a $(: $b)?),+>($(::std::marker::PhantomData<&$a ()>),+))?;
        impl$(<$($a $(: $b)?),+>)? $crate::PerType for Here$(<$($a),+>)? {
            type Args<T: $crate::Float> = ($($type,)+);
            type Output<T: $crate::Float> = $output;
            #[track_caller]
            fn f32(($($arg,)+): Self::Args<f32>) -> Self::Output<f32> {
                $function($($arg),+)
            }
            #[track_caller]
            fn f64(($($arg,)+): Self::Args<f64>) -> Self::Output<f64> {
                $function($($arg),+)
            }
        }
        T::per_type::<Here>(($($arg,)+))
    }};
}
