//! Trainable sub-sampling, the predecessor of pooling.

use crate::models::check_images::check_images;
use crate::prelude::*;
use rand::Rng;

/// Halves the height and width of maps [N, C, H, W], with a trained coefficient and a trained bias
/// per map. H and W must be even.
///
/// Each output is the sum over a 2×2 window, times the coefficient of the map, plus the bias of the
/// map. The windows do not overlap:
///
/// y\[c, i, j\] = weight\[c\] · (x\[c, 2i, 2j\] + x\[c, 2i, 2j+1\] + x\[c, 2i+1, 2j\] + x\[c, 2i+1, 2j+1\]) + bias\[c\]
///
/// S2 and S4 of LeNet-5 are layers of this type, with 12 and 32 parameters; their squashing
/// function is not part of the layer. (LeCun, Bottou, Bengio, Haffner, "Gradient-based learning
/// applied to document recognition", 1998.)
///
/// ```
/// use wengert::models::Subsampling;
/// use wengert::prelude::*;
/// let mut layer = Subsampling::new(6, &mut Philox::new(0));
/// assert_eq!(layer.parameter_count(), 12);
/// assert_eq!(layer.predict(&Tensor::ones(&[8, 6, 28, 20])).shape(), [8, 6, 14, 10]);
///
/// layer.weight.set(Tensor::full(&[6], 0.25)); // the mean
/// let y = layer.predict(&Tensor::ones(&[1, 6, 2, 4])) - layer.bias.value().reshape(&[6, 1, 1]);
/// assert_eq!(y.to_vec(), [1.0; 12]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Subsampling<T: Float = f32> {
    /// One value per map: \[channels\].
    pub weight: Param<T>,
    /// One value per map: \[channels\].
    pub bias: Param<T>,
}

impl Subsampling {
    /// Creates a layer of `f32` for `channels` maps. Coefficients and biases are drawn uniformly
    /// from ±2.4/4, the range of the paper for a unit with four inputs.
    pub fn new(channels: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(channels, rng)
    }
}

impl<T: Float> Subsampling<T> {
    /// Creates a layer of any element type, as [`Subsampling::new`] does for `f32`:
    /// `Subsampling::<f64>::of(…)`.
    pub fn of(channels: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut draw = || Tensor::uniform_of(&[channels], -0.6, 0.6, rng).into();
        Subsampling { weight: draw(), bias: draw() }
    }

    /// Returns the number of maps.
    pub fn channels(&self) -> usize {
        self.weight.shape()[0]
    }
}

impl<T: Float> Layer<T> for Subsampling<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (tape, shape) = (x.tape(), x.shape());
        check_images("Subsampling", x, self.channels(), None);
        if !(shape[2].is_multiple_of(2) && shape[3].is_multiple_of(2)) {
            tape.shape_error(format!(
                "Subsampling: height and width must be even, got {shape}: pad or crop the images first"
            ))
        }
        let [weight, bias] =
            [&self.weight, &self.bias].map(|param| tape.param(param).reshape(&[-1, 1, 1]));
        // The sum of four is four times their mean.
        x.avg_pool2d(&Pool::new(2)) * (4.0 * weight) + bias
    }
}
