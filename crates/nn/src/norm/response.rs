//! Local response normalisation.

use crate::layer::Layer;
use wengert_autograd::Var;
use wengert_nn_derive::Module;
use wengert_tensor::Float;

/// Divides each element of [N, C, …] by a power of the sum of squares over neighbouring channels:
///
/// y\[c\] = x\[c\] / (k + α / size · Σ x\[c′\]²)^β
///
/// The sum runs over `size` channels c′ around c, of which ⌊size / 2⌋ lie before c. Channels
/// outside the input count as zero. α is divided by `size`, as in PyTorch. (Krizhevsky, Sutskever,
/// Hinton, "`ImageNet` classification with deep convolutional neural networks", 2012.)
///
/// ```
/// use wengert::nn::{Layer, LocalResponseNorm};
/// use wengert::tensor::Tensor;
/// let x = Tensor::from([[1.0, 2.0, 3.0]]);
/// let y = LocalResponseNorm::new(2).alpha(2.0).beta(1.0).k(0.0).predict(&x);
/// assert_eq!(y.to_vec(), [1.0, 2.0 / 5.0, 3.0 / 13.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct LocalResponseNorm {
    size: usize,
    alpha: f64,
    beta: f64,
    k: f64,
}

impl LocalResponseNorm {
    /// Creates a layer that sums over `size` channels, with α = 1e-4, β = 0.75 and k = 1.
    ///
    /// # Panics
    /// If `size` is 0.
    #[track_caller]
    pub fn new(size: usize) -> Self {
        assert!(size > 0, "LocalResponseNorm: size must be at least 1, got {size}");
        LocalResponseNorm { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }

    /// Sets α, the factor of the sum of squares. The default is 1e-4.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Self {
        LocalResponseNorm { alpha, ..self }
    }

    /// Sets β, the exponent. The default is 0.75.
    #[must_use]
    pub fn beta(self, beta: f64) -> Self {
        LocalResponseNorm { beta, ..self }
    }

    /// Sets k, which is added to the scaled sum of squares. The default is 1.
    #[must_use]
    pub fn k(self, k: f64) -> Self {
        LocalResponseNorm { k, ..self }
    }
}

impl<T: Float> Layer<T> for LocalResponseNorm {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (tape, shape, size) = (x.tape(), x.shape(), self.size);
        if shape.rank() < 2 {
            tape.shape_error(format!("local_response_norm: expected [N, C, …], got {shape}"))
        }
        let mut around = vec![(0, 0); shape.rank()];
        around[1] = (size / 2, (size - 1) / 2);
        let squares = x.square().pad(&around, 0.0);
        let first = squares.narrow(1, 0, shape[1]);
        let sum = (1..size).fold(first, |sum, i| sum + squares.narrow(1, i, shape[1]));
        x * (sum * (self.alpha / size as f64) + self.k).powf(-self.beta)
    }
}
