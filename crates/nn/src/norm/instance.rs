//! Instance normalisation.

use super::running::Running;
use super::{Normal, per_channel};
use crate::expect::check_channels;
use crate::layer::Layer;
use wengert_autograd::{Buffer, Mode, Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

macro_rules! instance_norm {
    ($(#[$doc:meta])* $Layer:ident) => {
        $(#[$doc])*
        ///
        /// By default the layer has no weight, bias or running statistics, as in PyTorch, and does
        /// the same in training and evaluation. [`affine`](Self::affine) and
        /// [`running_statistics`](Self::running_statistics) add them. With running statistics,
        /// `forward` panics on a tape without a mode. (Ulyanov, Vedaldi, Lempitsky, "Instance
        /// normalization: the missing ingredient for fast stylization", 2016.)
        #[derive(Clone, Debug, Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Layer<T: Float = f32> {
            /// The weight γ: \[channels\].
            pub weight: Option<Param<T>>,
            /// The bias β: \[channels\].
            pub bias: Option<Param<T>>,
            /// The running mean: \[channels\].
            pub running_mean: Option<Buffer<T>>,
            /// The running variance: \[channels\].
            pub running_var: Option<Buffer<T>>,
            /// Always 0: PyTorch saves this buffer but does not count batches in it.
            pub num_batches_tracked: Option<Buffer<i64>>,
            eps: f64,
            momentum: f64,
            #[module(skip)]
            channels: usize,
        }

        impl $Layer {
            /// Creates a layer of `f32` for this number of channels.
            pub fn new(channels: usize) -> Self {
                Self::of(channels)
            }
        }

        impl<T: Float> $Layer<T> {
            #[doc = concat!(
                "Creates a layer of any element type, as [`", stringify!($Layer), "::new`] does for \
                 `f32`: `", stringify!($Layer), "::<f64>::of(…)`."
            )]
            pub fn of(channels: usize) -> Self {
                $Layer {
                    weight: None,
                    bias: None,
                    running_mean: None,
                    running_var: None,
                    num_batches_tracked: None,
                    eps: 1e-5,
                    momentum: 0.1,
                    channels,
                }
            }

            /// Sets ε, which is added to the variance. The default is 1e-5.
            #[must_use]
            pub fn eps(self, eps: f64) -> Self {
                $Layer { eps, ..self }
            }

            /// Adds a weight (starting at 1) and a bias (starting at 0) per channel. A weight or
            /// bias that the layer already has is kept.
            #[must_use]
            pub fn affine(self) -> Self {
                let channels = [self.channels];
                $Layer {
                    weight: self.weight.or_else(|| Some(Tensor::ones_of(&channels).into())),
                    bias: self.bias.or_else(|| Some(Tensor::zeros_of(&channels).into())),
                    ..self
                }
            }

            /// Adds running statistics, which evaluation uses in place of the statistics of each
            /// sample.
            ///
            /// Each training batch contributes the means, over its samples, of the samples'
            /// statistics. `momentum` is the weight of the batch in the update; PyTorch's default
            /// is 0.1. Statistics that the layer already has are kept.
            #[must_use]
            pub fn running_statistics(self, momentum: f64) -> Self {
                let channels = [self.channels];
                let (mean, variance) = (self.running_mean, self.running_var);
                let tracked = self.num_batches_tracked;
                $Layer {
                    running_mean: mean.or_else(|| Some(Tensor::zeros_of(&channels).into())),
                    running_var: variance.or_else(|| Some(Tensor::ones_of(&channels).into())),
                    num_batches_tracked: tracked.or_else(|| Some(Tensor::scalar_of(0).into())),
                    momentum,
                    ..self
                }
            }

            /// Returns the number of channels.
            pub fn channels(&self) -> usize {
                self.channels
            }

            fn running(&self) -> Option<Running<'_, T>> {
                Some(Running {
                    mean: self.running_mean.as_ref()?,
                    variance: self.running_var.as_ref()?,
                    batches: self.num_batches_tracked.as_ref()?,
                    momentum: Some(self.momentum),
                })
            }

            #[track_caller]
            fn normalised<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let (tape, shape) = (x.tape(), x.shape());
                let rank = shape.rank();
                let normal = match self.running() {
                    Some(running) if tape.expect_mode("instance_norm") == Mode::Eval => {
                        running.normal(x)
                    }
                    running => {
                        let n: usize = shape[2..].iter().product();
                        if n == 1 {
                            tape.shape_error(format!(
                                "instance_norm: one value per channel of each sample in {shape} has no \
                                 variance: two positions at least are wanted"
                            ))
                        }
                        let axes: Vec<isize> = (2..rank as isize).collect();
                        let normal = Normal::over(x, &axes);
                        if let Some(running) = running.filter(|_| n > 1 && shape[0] > 0) {
                            let [mean, variance] = [normal.mean, normal.variance]
                                .map(|each| each.detach().mean(&[0], true));
                            running.record(mean, variance, n);
                        }
                        normal
                    }
                };
                let (weight, bias) =
                    (per_channel(self.weight.as_ref(), x, rank), per_channel(self.bias.as_ref(), x, rank));
                normal.scaled(self.eps, weight, bias)
            }
        }
    };
}

instance_norm! {
    /// Normalises each channel of each signal of [N, C, L] to mean 0 and variance 1 over its
    /// positions.
    ///
    /// ```
    /// use wengert_nn::{InstanceNorm1d, Layer};
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [-5.0, 5.0]]).reshape(&[1, 2, 2]);
    /// let y = InstanceNorm1d::new(2).eps(0.0).predict(&x);
    /// assert_eq!(y.to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    InstanceNorm1d
}

instance_norm! {
    /// Normalises each channel of each image of [N, C, H, W] to mean 0 and variance 1 over its
    /// pixels.
    ///
    /// ```
    /// use wengert_nn::{InstanceNorm2d, Layer};
    /// use wengert_tensor::Tensor;
    /// let x = Tensor::arange(0.0, 24.0, 1.0).reshape(&[1, 3, 2, 4]);
    /// let y = InstanceNorm2d::new(3).affine().predict(&x);
    /// assert!(y.mean(&[2, 3], false).to_vec().iter().all(|mean| mean.abs() < 1e-6));
    /// ```
    InstanceNorm2d
}

impl<T: Float> Layer<T> for InstanceNorm1d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("instance_norm1d", "N, C, L", x, self.channels);
        self.normalised(x)
    }
}

impl<T: Float> Layer<T> for InstanceNorm2d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("instance_norm2d", "N, C, H, W", x, self.channels);
        self.normalised(x)
    }
}
