//! Checks derivatives against finite differences. The check is public, for your functions and
//! [`CustomOp`](crate::CustomOp)s.

mod differences;
mod directions;
mod entries;
mod error;
mod order;
mod settings;
#[cfg(test)]
mod tests;

pub use error::{GradcheckError, GradcheckPlace};
use order::OrderCheck;
pub use settings::{Function, Gradcheck};
use wengert_tensor::{Float, Philox, Tensor};

/// Checks the first derivatives of `f` at these inputs, with the default settings of [`Gradcheck`].
///
/// ```
/// use wengert::autograd::{Gradcheck, gradcheck};
/// use wengert::tensor::Tensor;
/// let x = Tensor::from([0.3, -0.7, 1.2]);
/// gradcheck(|x| x[0].tanh() * x[0], &[x.clone()]).unwrap();
/// // First and second derivatives:
/// Gradcheck::new().order(2).run(|x| x[0].sigmoid(), &[x]).unwrap();
/// ```
///
/// # Errors
/// If a derivative differs from the finite difference. The error is that of the first such derivative.
pub fn gradcheck<T: Float>(
    f: impl Function<T>,
    inputs: &[Tensor<T>],
) -> Result<(), GradcheckError> {
    Gradcheck::new().run(f, inputs)
}

impl Gradcheck {
    /// Checks `f` at these inputs.
    ///
    /// # Errors
    /// If a derivative differs from the finite difference. The error is that of the first such
    /// derivative.
    pub fn run<T: Float>(
        &self,
        f: impl Function<T>,
        inputs: &[Tensor<T>],
    ) -> Result<(), GradcheckError> {
        let (step, tolerance) = if T::EPSILON > 1e-10 { (0.04, 1.6e-3) } else { (1e-3, 1e-6) };
        let first = OrderCheck {
            set: self,
            f: &f,
            inputs,
            order: 1,
            arity: inputs.len(),
            step: self.step.unwrap_or(step),
            tolerance: self.tolerance.unwrap_or(tolerance),
        };
        first.check(&mut Philox::new(self.seed))
    }
}
