//! What the methods need of tensors and variables.

use crate::error::LinalgError;
use crate::kernels::vectors;
use crate::rules;
use wengert_autograd::{Tape, Var};
use wengert_tensor::{Float, Tensor};

mod sealed {
    pub trait Sealed {}
    impl<T: super::Float> Sealed for super::Tensor<T> {}
    impl<T: super::Float> Sealed for super::Var<'_, T> {}
}

/// A tensor or a variable. Other types cannot implement this trait.
pub trait Matrices: sealed::Sealed + Sized {
    /// The number type.
    #[doc(hidden)]
    type Number: Float;

    /// Calls a function of variables. For tensors it runs on a tape of its own.
    #[doc(hidden)]
    fn apply<const N: usize, const M: usize>(
        x: [&Self; N],
        f: impl for<'t> Fn(
            [Var<'t, Self::Number>; N],
        ) -> Result<[Var<'t, Self::Number>; M], LinalgError>,
    ) -> Result<[Self; M], LinalgError>;

    /// Returns the value.
    #[doc(hidden)]
    #[track_caller]
    fn numbers(&self) -> Tensor<Self::Number>;

    /// Panics with this error.
    #[doc(hidden)]
    #[track_caller]
    fn refuse(&self, error: &LinalgError) -> !;

    /// Returns the result, or panics with the error.
    #[doc(hidden)]
    #[track_caller]
    fn or_refuse<R>(&self, made: Result<R, LinalgError>) -> R {
        match made {
            Ok(made) => made,
            Err(error) => self.refuse(&error),
        }
    }

    /// Returns the rank of matrices with these singular values.
    #[doc(hidden)]
    #[track_caller]
    fn rank_of(&self, singular: &Self, rtol: Option<f64>) -> Tensor<i64> {
        let (s, shape) = (singular.numbers().cast::<f64>(), self.numbers().shape());
        let size = shape[shape.rank() - 2..].iter().max().copied().unwrap_or(0);
        let rtol = rtol.unwrap_or(Self::Number::EPSILON * size as f64);
        let (k, batch) = (s.size(-1), &shape[..shape.rank() - 2]);
        let s = s.to_vec();
        Tensor::from_fn(batch, |i| {
            let s = &s[i * k..(i + 1) * k];
            let limit = rtol * vectors::largest(s);
            s.iter().filter(|s| **s > limit).count() as i64
        })
    }
}

impl<T: Float> Matrices for Tensor<T> {
    type Number = T;

    fn apply<const N: usize, const M: usize>(
        x: [&Self; N],
        f: impl for<'t> Fn([Var<'t, T>; N]) -> Result<[Var<'t, T>; M], LinalgError>,
    ) -> Result<[Self; M], LinalgError> {
        let tape = Tape::new();
        Ok(f(x.map(|x| tape.constant(x.clone())))?.map(Var::value))
    }

    fn numbers(&self) -> Tensor<T> {
        self.clone()
    }

    #[track_caller]
    fn refuse(&self, error: &LinalgError) -> ! {
        panic!("{error}")
    }
}

impl<T: Float> Matrices for Var<'_, T> {
    type Number = T;

    fn apply<const N: usize, const M: usize>(
        x: [&Self; N],
        f: impl for<'t> Fn([Var<'t, T>; N]) -> Result<[Var<'t, T>; M], LinalgError>,
    ) -> Result<[Self; M], LinalgError> {
        f(x.map(|x| *x))
    }

    #[track_caller]
    fn numbers(&self) -> Tensor<T> {
        self.value()
    }

    #[track_caller]
    fn refuse(&self, error: &LinalgError) -> ! {
        rules::refuse(*self, error)
    }
}
