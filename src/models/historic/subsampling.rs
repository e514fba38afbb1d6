//! Sub-sampling as it was before pooling: with a trained coefficient and bias.

use crate::models::check_images;
use crate::prelude::*;
use rand::Rng;

/// Halves the maps of [N, C, H, W]: the sum over windows of 2×2 that do not overlap, times
/// a coefficient of the map, plus a bias of the map. H and W are even.
///
/// y\[c, i, j\] = weight\[c\] · (x\[c, 2i, 2j\] + x\[c, 2i, 2j+1\] + x\[c, 2i+1, 2j\] + x\[c, 2i+1, 2j+1\]) + bias\[c\]
///
/// These are the layers S2 and S4 of LeNet-5 (12 and 32 parameters), in front of their squashing
/// function. (LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
/// recognition", 1998.)
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
    /// \[channels\].
    pub weight: Param<T>,
    /// \[channels\].
    pub bias: Param<T>,
}

impl Subsampling {
    /// A layer of `f32` for so many maps. Coefficients and biases are uniform in ±2.4/4, as the
    /// paper draws those of a unit with four inputs.
    pub fn new(channels: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(channels, rng)
    }
}

impl<T: Float> Subsampling<T> {
    /// [`Subsampling::new`] for any element type.
    pub fn of(channels: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut draw = || Tensor::uniform_of(&[channels], -0.6, 0.6, rng).into();
        Subsampling { weight: draw(), bias: draw() }
    }

    /// How many maps there are.
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
                "Subsampling: windows of 2×2 do not fill images of odd size: {shape}; pad or crop \
                 them first"
            ))
        }
        let [weight, bias] =
            [&self.weight, &self.bias].map(|param| tape.param(param).reshape(&[-1, 1, 1]));
        // The sum of four is four times their mean.
        x.avg_pool2d(&Pool::new(2)) * (4.0 * weight) + bias
    }
}
