//! What inputs can be kept as, and how they become `f32`.

use std::fmt::Debug;
use std::sync::Arc;
use wengert_tensor::Element;

/// Types that inputs can be kept as: `f32` and `u8`. Batches are `f32` in either case.
#[diagnostic::on_unimplemented(
    message = "inputs of a data set are `f32` or `u8`, not `{Self}`",
    label = "not `f32` or `u8`",
    note = "`cast` changes the type: `inputs.cast::<f32>()`"
)]
pub trait Feature: Element + sealed::Sealed {
    /// What is prepared once to convert the values of a channel.
    #[doc(hidden)]
    type Channel: Clone + Debug + Send + Sync;
    /// Prepares `(x - mean) / std`.
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
    /// `None` leaves the bits alone.
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
    /// What each of the 256 bytes becomes: two divisions per byte value instead of per pixel, and
    /// so the same bits as dividing, at the speed of a look-up.
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

/// How the inputs of a set become those of its batches: the same way for all values, or each
/// channel in its own.
#[derive(Debug, Clone)]
pub(crate) struct Normalization<X: Feature> {
    /// Mean and standard deviation: of one channel, for all, or of each.
    numbers: Vec<(f32, f32)>,
    prepared: Vec<X::Channel>,
}

impl<X: Feature> Normalization<X> {
    pub fn new(numbers: Vec<(f32, f32)>) -> Self {
        let prepared = numbers.iter().map(|&(mean, std)| X::channel(mean, std)).collect();
        Normalization { numbers, prepared }
    }

    /// How many channels there must be, if it matters.
    pub fn channels(&self) -> Option<usize> {
        (self.numbers.len() > 1).then_some(self.numbers.len())
    }

    /// What a value of a channel becomes.
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
