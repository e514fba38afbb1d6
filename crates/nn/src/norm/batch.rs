//! Batch normalisation.

use super::Normalizer;
use super::channel::channel_norm;
use super::running::RunningStatistics;
use wengert_autograd::{Buffer, Mode, Param, Var};
use wengert_tensor::{Float, Tensor};

macro_rules! batch_norm {
    ($(#[$doc:meta])* $Layer:ident: $op:literal, |$x:ident| $axes:expr) => {
        channel_norm! {
            $(#[$doc])*
            ///
            /// In training, mean and variance are those of the batch (the variance with 1 / n). The
            /// layer also records updates of its running statistics: running mean ← (1 −
            /// momentum)·running mean + momentum·mean of the batch, and likewise for the variance
            /// (with 1 / (n − 1)). The optimizer's step applies these updates once; without an
            /// optimizer, [`Tape::apply_updates`](wengert_autograd::Tape::apply_updates) does. In
            /// evaluation, the layer normalises with the running statistics. A layer without running
            /// statistics uses those of the batch in both modes. (Ioffe, Szegedy, "Batch
            /// normalization: accelerating deep network training by reducing internal covariate
            /// shift", 2015.)
            ///
            /// The weights start at 1 and the biases at 0. By default ε is 1e-5 and the momentum is
            /// 0.1, as in PyTorch.
            ///
            /// The mode is that of the tape. `forward` panics on a tape without a mode, unless the
            /// layer has no running statistics. It also panics if it would have to normalise with
            /// the statistics of one value per channel.
            $Layer: $op, |$x| $axes, "batch_norm", of_the_batch;
            /// The number of batches recorded in the running statistics.
            num_batches_tracked
        }

        impl<T: Float> $Layer<T> {
            #[doc = concat!(
                "Creates a layer of any element type, as [`", stringify!($Layer), "::new`] does for \
                 `f32`: `", stringify!($Layer), "::<f64>::of(…)`."
            )]
            pub fn of(channels: usize) -> Self {
                Self::plain(channels).with_affine().with_running_statistics()
            }

            /// Sets the momentum: the weight of a batch's statistics in the update of the running
            /// statistics. `None` makes the running statistics the mean over all batches. The
            /// default is 0.1.
            #[must_use]
            pub fn momentum(self, momentum: impl Into<Option<f64>>) -> Self {
                $Layer { momentum: momentum.into(), ..self }
            }

            /// Removes weight and bias.
            #[must_use]
            pub fn without_affine(self) -> Self {
                $Layer { weight: None, bias: None, ..self }
            }

            /// Removes the running statistics. Evaluation then uses the statistics of the batch,
            /// too, and needs at least two values per channel.
            #[must_use]
            pub fn without_running_statistics(self) -> Self {
                $Layer { running_mean: None, running_var: None, num_batches_tracked: None, ..self }
            }
        }
    };
}

/// The least number of positions in a channel of a sample for which the fused kernel is used: its vectors lie along
/// the positions.
const POSITIONS: usize = 16;

/// Normalises each channel over the batch and the positions, and records the statistics.
#[track_caller]
fn of_the_batch<'t, T: Float>(
    x: Var<'t, T>,
    running: Option<RunningStatistics<'_, T>>,
    eps: f64,
    affine: [Option<&Param<T>>; 2],
) -> Var<'t, T> {
    let (tape, shape) = (x.tape(), x.shape());
    let n = shape.numel() / shape[1].max(1);
    if n == 1 {
        let remedy = if running.is_some() {
            "to train, use a batch of at least 2 samples"
        } else {
            "without running statistics, the layer needs at least 2 values per channel"
        };
        tape.shape_error(format!(
            "batch_norm: the variance of one value per channel is undefined, got {shape}: {remedy}"
        ))
    }
    let record = |mean, variance| {
        if let Some(running) = running.filter(|_| n > 1) {
            running.record(mean, variance, n);
            tape.count_buffer(running.batches, 1);
        }
    };
    let positions: usize = shape[2..].iter().product();
    if positions >= POSITIONS && (affine[0].is_some() || affine[1].is_none()) {
        let affine = affine.map(|param| param.map(|param| tape.param(param)));
        let [y, mean, variance] = x.batch_norm(affine, eps);
        record(mean, variance);
        return y;
    }
    let axes: Vec<isize> = (0..shape.rank() as isize).filter(|&axis| axis != 1).collect();
    let normalizer = Normalizer::over(x, &axes);
    record(normalizer.mean, normalizer.variance);
    normalizer.scaled(eps, affine)
}

batch_norm! {
    /// Normalises each feature of [N, C], or each channel of signals [N, C, L], to mean 0 and
    /// variance 1 over the batch (and the positions), then scales and shifts it by its own weight
    /// and bias:
    ///
    /// y = (x − mean) / √(variance + ε) · weight + bias
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{BatchNorm1d, Layer};
    /// use wengert::tensor::{Philox, Tensor};
    /// let layer = BatchNorm1d::new(1).eps(0.0);
    /// let tape = Tape::train(&mut Philox::new(0));
    /// let x = tape.constant(Tensor::from([[1.0], [3.0], [5.0], [3.0]]));
    /// let y = layer.forward(x).value();
    /// assert!((y.at(&[2, 0]) - 2f32.sqrt()).abs() < 1e-6);
    /// ```
    BatchNorm1d: "batch_norm1d", |x| if x.shape().rank() == 2 { "N, C" } else { "N, C, L" }
}

batch_norm! {
    /// Normalises each channel of images [N, C, H, W] to mean 0 and variance 1 over the batch and
    /// the pixels, then scales and shifts it by its own weight and bias:
    ///
    /// y = (x − mean) / √(variance + ε) · weight + bias
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{BatchNorm2d, Layer};
    /// use wengert::tensor::{Philox, Tensor};
    /// let (mut rng, mut layer) = (Philox::new(0), BatchNorm2d::new(3));
    /// let images = Tensor::normal(&[8, 3, 5, 7], 10.0, 2.0, &mut rng);
    ///
    /// let tape = Tape::train(&mut rng);
    /// let y = layer.forward(tape.constant(images.clone()));
    /// assert!(y.mean_all().item().abs() < 1e-5);
    /// y.square().sum_all().backward().apply_updates(&mut layer); // what an optimizer's step does
    /// assert_eq!(layer.num_batches_tracked.as_ref().unwrap().value().item(), 1);
    ///
    /// // After one batch, the running mean is a tenth of the batch's mean.
    /// assert!((layer.running_mean.as_ref().unwrap().value().at(&[0]) - 1.0).abs() < 0.1);
    /// assert_eq!(layer.predict(&images).shape(), [8, 3, 5, 7]);
    /// ```
    BatchNorm2d: "batch_norm2d", |x| "N, C, H, W"
}

batch_norm! {
    /// Normalises each channel of volumes [N, C, D, H, W] to mean 0 and variance 1 over the batch and
    /// the positions, then scales and shifts it by its own weight and bias:
    ///
    /// y = (x − mean) / √(variance + ε) · weight + bias
    BatchNorm3d: "batch_norm3d", |x| "N, C, D, H, W"
}
