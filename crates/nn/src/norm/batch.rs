//! Batch normalisation.

use super::running::Running;
use super::{Normal, per_channel};
use crate::expect::check_channels;
use crate::layer::Layer;
use wengert_autograd::{Buffer, Mode, Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

macro_rules! batch_norm {
    ($(#[$doc:meta])* $Layer:ident) => {
        $(#[$doc])*
        ///
        /// In training, mean and variance are those of the batch (the variance with 1 / n). The
        /// layer also records updates of its running statistics: running mean ← (1 −
        /// momentum)·running mean + momentum·mean of the batch, and likewise for the variance (with
        /// 1 / (n − 1)). The optimizer's step applies these updates once; without an optimizer,
        /// [`Tape::apply_updates`](wengert_autograd::Tape::apply_updates) does. In evaluation, the
        /// layer normalises with the running statistics. A layer without running statistics uses
        /// those of the batch in both modes. (Ioffe, Szegedy, "Batch normalization: accelerating
        /// deep network training by reducing internal covariate shift", 2015.)
        ///
        /// The weights start at 1 and the biases at 0. By default ε is 1e-5 and the momentum is
        /// 0.1, as in PyTorch.
        ///
        /// The mode is that of the tape. `forward` panics on a tape without a mode, unless the
        /// layer has no running statistics. It also panics if it would have to normalise with the
        /// statistics of one value per channel.
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
            /// The number of batches recorded in the running statistics.
            pub num_batches_tracked: Option<Buffer<i64>>,
            eps: f64,
            momentum: Option<f64>,
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
                    weight: Some(Tensor::ones_of(&[channels]).into()),
                    bias: Some(Tensor::zeros_of(&[channels]).into()),
                    running_mean: Some(Tensor::zeros_of(&[channels]).into()),
                    running_var: Some(Tensor::ones_of(&[channels]).into()),
                    num_batches_tracked: Some(Tensor::scalar_of(0).into()),
                    eps: 1e-5,
                    momentum: Some(0.1),
                    channels,
                }
            }

            /// Sets ε, which is added to the variance. The default is 1e-5.
            #[must_use]
            pub fn eps(self, eps: f64) -> Self {
                $Layer { eps, ..self }
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

            /// Returns the number of channels.
            pub fn channels(&self) -> usize {
                self.channels
            }

            fn running(&self) -> Option<Running<'_, T>> {
                Some(Running {
                    mean: self.running_mean.as_ref()?,
                    variance: self.running_var.as_ref()?,
                    batches: self.num_batches_tracked.as_ref()?,
                    momentum: self.momentum,
                })
            }

            #[track_caller]
            fn normalised<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                let (tape, shape) = (x.tape(), x.shape());
                let normal = match self.running() {
                    Some(running) if tape.expect_mode("batch_norm") == Mode::Eval => running.normal(x),
                    running => {
                        let n = shape.numel() / self.channels.max(1);
                        if n == 1 {
                            let purpose = if running.is_some() {
                                " to train with"
                            } else {
                                ", and the layer has no running statistics"
                            };
                            tape.shape_error(format!(
                                "batch_norm: one value per channel in {shape} has no variance{purpose}: \
                                 take batches of two samples at least"
                            ))
                        }
                        let axes: Vec<isize> =
                            (0..shape.rank() as isize).filter(|&axis| axis != 1).collect();
                        let normal = Normal::over(x, &axes);
                        if let Some(running) = running.filter(|_| n > 1) {
                            running.record(normal.mean, normal.variance, n);
                            tape.count_buffer(running.batches, 1);
                        }
                        normal
                    }
                };
                let rank = shape.rank();
                let (weight, bias) =
                    (per_channel(self.weight.as_ref(), x, rank), per_channel(self.bias.as_ref(), x, rank));
                normal.scaled(self.eps, weight, bias)
            }
        }
    };
}

batch_norm! {
    /// Normalises each feature of [N, C], or each channel of signals [N, C, L], to mean 0 and
    /// variance 1 over the batch (and the positions), then scales and shifts it by its own weight
    /// and bias:
    ///
    /// y = (x − mean) / √(variance + ε) · weight + bias
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{BatchNorm1d, Layer};
    /// use wengert_tensor::{Philox, Tensor};
    /// let layer = BatchNorm1d::new(1).eps(0.0);
    /// let tape = Tape::train(&mut Philox::new(0));
    /// let x = tape.constant(Tensor::from([[1.0], [3.0], [5.0], [3.0]]));
    /// let y = layer.forward(x).value();
    /// assert!((y.at(&[2, 0]) - 2f32.sqrt()).abs() < 1e-6);
    /// ```
    BatchNorm1d
}

batch_norm! {
    /// Normalises each channel of images [N, C, H, W] to mean 0 and variance 1 over the batch and
    /// the pixels, then scales and shifts it by its own weight and bias:
    ///
    /// y = (x − mean) / √(variance + ε) · weight + bias
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_nn::{BatchNorm2d, Layer};
    /// use wengert_tensor::{Philox, Tensor};
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
    BatchNorm2d
}

impl<T: Float> Layer<T> for BatchNorm1d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let axes = if x.shape().rank() == 2 { "N, C" } else { "N, C, L" };
        check_channels("batch_norm1d", axes, x, self.channels);
        self.normalised(x)
    }
}

impl<T: Float> Layer<T> for BatchNorm2d<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_channels("batch_norm2d", "N, C, H, W", x, self.channels);
        self.normalised(x)
    }
}
