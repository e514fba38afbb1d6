//! The element types in which inputs can be stored, and their conversion to `f32`.

use std::fmt::Debug;
use std::sync::Arc;
use wengert_tensor::Element;

/// Element types in which inputs can be stored: `f32` and `u8`. Batches are `f32` in both cases.
#[diagnostic::on_unimplemented(
    message = "inputs of a data set are `f32` or `u8`, not `{Self}`",
    label = "not `f32` or `u8`",
    note = "convert the inputs with `inputs.cast::<f32>()`"
)]
pub trait Feature: Element + sealed::Sealed {
    /// The conversion of the values of a channel, with numbers that are computed once.
    #[doc(hidden)]
    type Conversion: Clone + Debug + Send + Sync;
    /// Prepares the conversion of `x` to `(x - mean) / std`.
    #[doc(hidden)]
    fn conversion(mean: f32, std: f32) -> Self::Conversion;
    /// Converts the values of a channel.
    #[doc(hidden)]
    fn convert(from: &[Self], to: &mut [f32], conversion: &Self::Conversion);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for u8 {}
}

impl Feature for f32 {
    /// Mean and standard deviation. `None` copies the values unchanged.
    type Conversion = Option<(f32, f32)>;

    fn conversion(mean: f32, std: f32) -> Self::Conversion {
        ((mean, std) != (0.0, 1.0)).then_some((mean, std))
    }

    fn convert(from: &[f32], to: &mut [f32], conversion: &Self::Conversion) {
        match *conversion {
            None => to.copy_from_slice(from),
            Some((mean, std)) => {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = (from - mean) / std;
                }
            }
        }
    }
}

impl Feature for u8 {
    /// A table of the converted values of all 256 bytes. It takes two divisions per byte value instead of two
    /// per pixel, and gives the same bits.
    type Conversion = Arc<[f32; 256]>;

    fn conversion(mean: f32, std: f32) -> Self::Conversion {
        Arc::new(std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std))
    }

    fn convert(from: &[u8], to: &mut [f32], table: &Self::Conversion) {
        let table: &[f32; 256] = table;
        for (to, &from) in to.iter_mut().zip(from) {
            *to = table[usize::from(from)];
        }
    }
}

/// The normalisation of inputs: the same for all values, or different for each channel.
#[derive(Debug, Clone)]
pub(crate) struct Normalization<X: Feature> {
    /// Mean and standard deviation: one pair for all values, or one pair per channel.
    means_stds: Vec<(f32, f32)>,
    conversions: Vec<X::Conversion>,
}

impl<X: Feature> Normalization<X> {
    pub fn new(means_stds: Vec<(f32, f32)>) -> Self {
        let conversions = means_stds.iter().map(|&(mean, std)| X::conversion(mean, std)).collect();
        Normalization { means_stds, conversions }
    }

    /// Returns the required number of channels, or `None` if any number is accepted.
    pub fn channels(&self) -> Option<usize> {
        (self.means_stds.len() > 1).then_some(self.means_stds.len())
    }

    /// Returns the normalised value of a value of a channel.
    pub fn normalize(&self, value: f32, channel: usize) -> f32 {
        let (mean, std) = self.means_stds[channel.min(self.means_stds.len() - 1)];
        (value - mean) / std
    }

    /// Converts one example, channel by channel.
    pub fn convert(&self, from: &[X], to: &mut [f32]) {
        let size = (from.len() / self.conversions.len()).max(1);
        let parts = from.chunks_exact(size).zip(to.chunks_exact_mut(size));
        for ((from, to), conversion) in parts.zip(&self.conversions) {
            X::convert(from, to, conversion);
        }
    }
}
