//! Radial basis function units.

use crate::prelude::*;
use rand::Rng;

/// Computes the squared distance to each of several centres, along the last axis: \[…, inputs\] →
/// \[…, outputs\] with
///
/// y\[j\] = Σ (x\[i\] − w\[j, i\])²
///
/// The sum runs over the inputs i. The differences are computed and squared directly, and summed
/// without being stored. The formula |x|² − 2·x·w + |w|² would lose digits of small distances, and
/// small distances decide the class.
///
/// In the output layer of LeNet-5, the centres are bitmaps of the ten digits, and the nearest
/// bitmap is the answer. (LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to
/// document recognition", 1998.)
///
/// ```
/// use wengert::models::Rbf;
/// use wengert::prelude::*;
/// let layer = Rbf::from_centres(Tensor::from([[1.0, 1.0], [-1.0, 1.0], [0.0, 3.0]])).fixed();
/// assert_eq!(layer.predict(&Tensor::from([1.0, 2.0])).to_vec(), [1.0, 5.0, 2.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Rbf<T: Float = f32> {
    /// The centres w: [outputs, inputs].
    pub weight: Param<T>,
}

impl Rbf {
    /// Creates a layer of `f32` whose centres are random corners of a cube: each component is −1
    /// or 1.
    pub fn new(inputs: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(inputs, outputs, rng)
    }
}

impl<T: Float> Rbf<T> {
    /// Creates a layer of any element type, as [`Rbf::new`] does for `f32`:
    /// `Rbf::<f64>::of(…)`.
    pub fn of(inputs: usize, outputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut sign = || if rng.next_u32() & 1 == 0 { -1.0 } else { 1.0 };
        Self::from_centres(Tensor::from_fn(&[outputs, inputs], |_| T::of(sign())))
    }

    /// Creates a layer from its centres [outputs, inputs].
    ///
    /// # Panics
    /// If `centres` does not have two axes.
    #[track_caller]
    pub fn from_centres(centres: Tensor<T>) -> Self {
        let shape = centres.shape();
        assert!(shape.rank() == 2, "Rbf: expected centres [outputs, inputs], got {shape}");
        Rbf { weight: centres.into() }
    }

    /// Freezes the centres, so that training does not change them.
    #[must_use]
    pub fn fixed(mut self) -> Self {
        self.weight.freeze();
        self
    }
}

impl<T: Float> Layer<T> for Rbf<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (shape, inputs) = (x.shape(), self.weight.shape()[1]);
        if shape.last() != Some(&inputs) {
            x.tape().shape_error(format!("Rbf: expected […, {inputs}], got {shape}"))
        }
        let differences = x.unsqueeze(-2) - x.tape().param(&self.weight);
        differences.square().sum(&[-1], false)
    }
}
