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
    /// The data, computed once, for the conversion of the values of a channel.
    #[doc(hidden)]
    type Channel: Clone + Debug + Send + Sync;
    /// Prepares the conversion of `x` to `(x - mean) / std`.
    #[doc(hidden)]
    fn channel(mean: f32, std: f32) -> Self::Channel;
    /// Converts values of a channel.
    #[doc(hidden)]
    fn convert(from: &[Self], to: &mut [f32], channel: &Self::Channel);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for u8 {}
}

impl Feature for f32 {
    /// Mean and standard deviation. `None` copies the values unchanged.
    type Channel = Option<(f32, f32)>;

    fn channel(mean: f32, std: f32) -> Self::Channel {
        ((mean, std) != (0.0, 1.0)).then_some((mean, std))
    }

    fn convert(from: &[f32], to: &mut [f32], channel: &Self::Channel) {
        match *channel {
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
    type Channel = Arc<[f32; 256]>;

    fn channel(mean: f32, std: f32) -> Self::Channel {
        Arc::new(std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std))
    }

    fn convert(from: &[u8], to: &mut [f32], table: &Self::Channel) {
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
    numbers: Vec<(f32, f32)>,
    prepared: Vec<X::Channel>,
}

impl<X: Feature> Normalization<X> {
    pub fn new(numbers: Vec<(f32, f32)>) -> Self {
        let prepared = numbers.iter().map(|&(mean, std)| X::channel(mean, std)).collect();
        Normalization { numbers, prepared }
    }

    /// Returns the required number of channels, or `None` if any number is accepted.
    pub fn channels(&self) -> Option<usize> {
        (self.numbers.len() > 1).then_some(self.numbers.len())
    }

    /// Returns the normalised value of a value of a channel.
    pub fn of(&self, value: f32, channel: usize) -> f32 {
        let (mean, std) = self.numbers[channel.min(self.numbers.len() - 1)];
        (value - mean) / std
    }

    /// Converts one example, channel by channel.
    pub fn convert(&self, from: &[X], to: &mut [f32]) {
        let size = (from.len() / self.prepared.len()).max(1);
        let parts = from.chunks_exact(size).zip(to.chunks_exact_mut(size));
        for ((from, to), channel) in parts.zip(&self.prepared) {
            X::convert(from, to, channel);
        }
    }
}
