//! The common parts of batch and instance normalisation: one weight, bias, running mean and running
//! variance per channel.

/// Defines a layer that normalises channels: its type, constructor, shared builder methods and
/// `Layer`.
///
/// The arguments are: the documentation and the name of the layer; the name of the operation and the
/// axes of an input, for messages; the name of the group of layers; the function that computes the
/// statistics of the input and records them; and the documentation of `num_batches_tracked`.
macro_rules! channel_norm {
    (
        $(#[$doc:meta])*
        $Layer:ident: $op:literal, |$x:ident| $axes:expr, $group:literal, $statistics:ident;
        $(#[$tracked:meta])*
        num_batches_tracked
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, wengert_nn_derive::Module)]
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
            $(#[$tracked])*
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
            /// Creates a layer without weight, bias and running statistics.
            fn plain(channels: usize) -> Self {
                $Layer {
                    weight: None,
                    bias: None,
                    running_mean: None,
                    running_var: None,
                    num_batches_tracked: None,
                    eps: 1e-5,
                    momentum: Some(0.1),
                    channels,
                }
            }

            /// Creates a layer from a weight \[channels\], a bias \[channels\], and the running mean
            /// and variance \[channels\]. Without these, it has no running statistics.
            ///
            /// # Panics
            /// If the weight does not have one axis, or another shape differs from that of the weight.
            #[track_caller]
            pub fn from_tensors(
                weight: Tensor<T>,
                bias: Option<Tensor<T>>,
                running: Option<[Tensor<T>; 2]>,
            ) -> Self {
                let name = concat!(stringify!($Layer), "::from_tensors");
                let shape = weight.shape();
                assert!(shape.rank() == 1, "{name}: expected a weight [channels], got {shape}");
                crate::check_input::check_bias(name, &weight, bias.as_ref());
                let mut layer = Self::plain(shape[0]);
                (layer.weight, layer.bias) = (Some(weight.into()), bias.map(Into::into));
                let Some([mean, variance]) = running else { return layer };
                for got in [mean.shape(), variance.shape()] {
                    assert!(
                        got == shape,
                        "{name}: a weight {shape} requires running statistics {shape}, got {got}"
                    );
                }
                $Layer {
                    running_mean: Some(mean.into()),
                    running_var: Some(variance.into()),
                    num_batches_tracked: Some(Tensor::scalar_of(0).into()),
                    ..layer
                }
            }

            /// Adds the weight and the bias that the layer does not have.
            fn with_affine(self) -> Self {
                let channels = [self.channels];
                $Layer {
                    weight: self.weight.or_else(|| Some(Tensor::ones_of(&channels).into())),
                    bias: self.bias.or_else(|| Some(Tensor::zeros_of(&channels).into())),
                    ..self
                }
            }

            /// Adds the running statistics that the layer does not have.
            fn with_running_statistics(self) -> Self {
                let channels = [self.channels];
                let (mean, variance) = (self.running_mean, self.running_var);
                let tracked = self.num_batches_tracked;
                $Layer {
                    running_mean: mean.or_else(|| Some(Tensor::zeros_of(&channels).into())),
                    running_var: variance.or_else(|| Some(Tensor::ones_of(&channels).into())),
                    num_batches_tracked: tracked.or_else(|| Some(Tensor::scalar_of(0).into())),
                    ..self
                }
            }

            /// Sets ε, which is added to the variance. The default is 1e-5.
            #[must_use]
            pub fn eps(self, eps: f64) -> Self {
                $Layer { eps, ..self }
            }

            /// Removes the bias.
            #[must_use]
            pub fn without_bias(self) -> Self {
                $Layer { bias: None, ..self }
            }

            /// Returns the number of channels.
            pub fn channels(&self) -> usize {
                self.channels
            }

            fn running(&self) -> Option<super::running::RunningStatistics<'_, T>> {
                Some(super::running::RunningStatistics {
                    mean: self.running_mean.as_ref()?,
                    variance: self.running_var.as_ref()?,
                    batches: self.num_batches_tracked.as_ref()?,
                    momentum: self.momentum,
                })
            }
        }

        impl<T: Float> crate::layer::Layer<T> for $Layer<T> {
            #[track_caller]
            fn call<'t>(&self, $x: Var<'t, T>) -> Var<'t, T> {
                crate::check_input::check_channels($op, $axes, $x, self.channels);
                let affine = [self.weight.as_ref(), self.bias.as_ref()];
                match self.running() {
                    Some(running) if $x.tape().expect_mode($group) == Mode::Eval => {
                        running.normalizer($x).scaled(self.eps, affine)
                    }
                    running => $statistics($x, running, self.eps, affine),
                }
            }
        }
    };
}
pub(super) use channel_norm;
