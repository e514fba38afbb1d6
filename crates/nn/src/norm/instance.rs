//! Instance normalisation.

use super::Normalizer;
use super::channel::channel_norm;
use super::running::RunningStatistics;
use wengert_autograd::{Buffer, Mode, Param, Var};
use wengert_tensor::{Float, Tensor};

macro_rules! instance_norm {
    ($(#[$doc:meta])* $Layer:ident: $op:literal, |$x:ident| $axes:expr) => {
        channel_norm! {
            $(#[$doc])*
            ///
            /// By default the layer has no weight, bias or running statistics, as in PyTorch, and
            /// does the same in training and evaluation. [`affine`](Self::affine) and
            /// [`running_statistics`](Self::running_statistics) add them. With running statistics,
            /// `forward` panics on a tape without a mode. (Ulyanov, Vedaldi, Lempitsky, "Instance
            /// normalization: the missing ingredient for fast stylization", 2016.)
            $Layer: $op, |$x| $axes, "instance_norm", of_each_sample;
            /// Always 0: PyTorch saves this buffer but does not count batches in it.
            num_batches_tracked
        }

        impl<T: Float> $Layer<T> {
            #[doc = concat!(
                "Creates a layer of any element type, as [`", stringify!($Layer), "::new`] does for \
                 `f32`: `", stringify!($Layer), "::<f64>::of(…)`."
            )]
            pub fn of(channels: usize) -> Self {
                Self::plain(channels)
            }

            /// Adds a weight (starting at 1) and a bias (starting at 0) per channel. A weight or
            /// bias that the layer already has is kept.
            #[must_use]
            pub fn affine(self) -> Self {
                self.with_affine()
            }

            /// Adds running statistics, which evaluation uses in place of the statistics of each
            /// sample.
            ///
            /// Each training batch contributes the means, over its samples, of the samples'
            /// statistics. `momentum` is the weight of the batch in the update; PyTorch's default
            /// is 0.1. Statistics that the layer already has are kept.
            #[must_use]
            pub fn running_statistics(self, momentum: f64) -> Self {
                $Layer { momentum: Some(momentum), ..self.with_running_statistics() }
            }
        }
    };
}

/// Normalises each channel of each sample over the positions. Records the means of the statistics over
/// the samples.
#[track_caller]
fn of_each_sample<'t, T: Float>(
    x: Var<'t, T>,
    running: Option<RunningStatistics<'_, T>>,
    eps: f64,
    affine: [Option<&Param<T>>; 2],
) -> Var<'t, T> {
    let shape = x.shape();
    let n: usize = shape[2..].iter().product();
    if n == 1 {
        x.tape().shape_error(format!(
            "instance_norm: the variance of one value per channel of each sample is undefined, got \
             {shape}: use inputs with at least 2 positions"
        ))
    }
    let axes: Vec<isize> = (2..shape.rank() as isize).collect();
    let normalizer = Normalizer::over(x, &axes);
    if let Some(running) = running.filter(|_| n > 1 && shape[0] > 0) {
        let [mean, variance] =
            [normalizer.mean, normalizer.variance].map(|each| each.detach().mean(&[0], true));
        running.record(mean, variance, n);
    }
    normalizer.scaled(eps, affine)
}

instance_norm! {
    /// Normalises each channel of each signal of [N, C, L] to mean 0 and variance 1 over its
    /// positions.
    ///
    /// ```
    /// use wengert::nn::{InstanceNorm1d, Layer};
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [-5.0, 5.0]]).reshape(&[1, 2, 2]);
    /// let y = InstanceNorm1d::new(2).eps(0.0).predict(&x);
    /// assert_eq!(y.to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    InstanceNorm1d: "instance_norm1d", |x| "N, C, L"
}

instance_norm! {
    /// Normalises each channel of each image of [N, C, H, W] to mean 0 and variance 1 over its
    /// pixels.
    ///
    /// ```
    /// use wengert::nn::{InstanceNorm2d, Layer};
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::arange(0.0, 24.0, 1.0).reshape(&[1, 3, 2, 4]);
    /// let y = InstanceNorm2d::new(3).affine().predict(&x);
    /// assert!(y.mean(&[2, 3], false).to_vec().iter().all(|mean| mean.abs() < 1e-6));
    /// ```
    InstanceNorm2d: "instance_norm2d", |x| "N, C, H, W"
}

instance_norm! {
    /// Normalises each channel of each volume of [N, C, D, H, W] to mean 0 and variance 1 over its
    /// positions.
    InstanceNorm3d: "instance_norm3d", |x| "N, C, D, H, W"
}
