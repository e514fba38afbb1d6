//! The scaled hyperbolic tangent.

use crate::prelude::*;

/// Computes 1.7159 · tanh(2x/3), which maps ±1 to ±1 (to within 3e-6). (LeCun, Bottou, Bengio,
/// Haffner, "Gradient-based learning applied to document recognition", 1998, appendix A.)
///
/// ```
/// use wengert::models::ScaledTanh;
/// use wengert::prelude::*;
/// let y = ScaledTanh.predict(&Tensor::from([-1.0f32, 0.0, 1.0])).to_vec();
/// assert!((y[0] + 1.0).abs() < 1e-5 && y[1] == 0.0 && (y[2] - 1.0).abs() < 1e-5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
pub struct ScaledTanh;

impl<T: Float> Layer<T> for ScaledTanh {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        1.7159 * (x * (2.0 / 3.0)).tanh()
    }
}
