//! Group normalisation.

use super::Normalizer;
use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

/// Divides the channels of [N, C, …] into groups and normalises each group of each sample to mean 0
/// and variance 1, then scales and shifts each channel by its own weight and bias:
///
/// y = (x − mean) / √(variance + ε) · weight + bias
///
/// The layer does the same in training and evaluation, and accepts batches of one sample. The
/// weights start at 1 and the biases at 0. By default ε is 1e-5, as in PyTorch. (Wu, He, "Group
/// normalization", 2018.)
///
/// ```
/// use wengert::nn::{GroupNorm, Layer};
/// use wengert::tensor::Tensor;
/// let x = Tensor::arange(0.0, 24.0, 1.0).reshape(&[1, 6, 4]);
/// let y = GroupNorm::new(2, 6).predict(&x).reshape(&[2, 12]);
/// assert!(y.mean(&[1], false).to_vec().iter().all(|mean| mean.abs() < 1e-6));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct GroupNorm<T: Float = f32> {
    /// The weight γ: \[channels\].
    pub weight: Option<Param<T>>,
    /// The bias β: \[channels\].
    pub bias: Option<Param<T>>,
    groups: usize,
    channels: usize,
    eps: f64,
}

impl GroupNorm {
    /// Creates a layer of `f32` for `channels` channels in `groups` groups.
    ///
    /// # Panics
    /// If `channels` is not a multiple of `groups`.
    #[track_caller]
    pub fn new(groups: usize, channels: usize) -> Self {
        Self::of(groups, channels)
    }
}

impl<T: Float> GroupNorm<T> {
    /// Creates a layer of any element type, as [`GroupNorm::new`] does for `f32`:
    /// `GroupNorm::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `channels` is not a multiple of `groups`.
    #[track_caller]
    pub fn of(groups: usize, channels: usize) -> Self {
        assert!(
            groups > 0 && channels.is_multiple_of(groups),
            "GroupNorm: the number of channels must be a multiple of groups, got {channels} channels and \
             {groups} groups"
        );
        GroupNorm {
            weight: Some(Tensor::ones_of(&[channels]).into()),
            bias: Some(Tensor::zeros_of(&[channels]).into()),
            groups,
            channels,
            eps: 1e-5,
        }
    }

    /// Creates a layer from the number of groups, a weight \[channels\] and a bias \[channels\].
    ///
    /// # Panics
    /// If the weight does not have one axis, the bias has another shape, or the number of channels is
    /// not a multiple of `groups`.
    #[track_caller]
    pub fn from_tensors(groups: usize, weight: Tensor<T>, bias: Option<Tensor<T>>) -> Self {
        let shape = weight.shape();
        assert!(
            shape.rank() == 1,
            "GroupNorm::from_tensors: expected a weight [channels], got {shape}"
        );
        crate::check_input::check_bias("GroupNorm::from_tensors", &weight, bias.as_ref());
        let (weight, bias) = (Some(weight.into()), bias.map(Into::into));
        GroupNorm { weight, bias, ..Self::of(groups, shape[0]) }
    }

    /// Sets ε, which is added to the variance. The default is 1e-5.
    #[must_use]
    pub fn eps(self, eps: f64) -> Self {
        GroupNorm { eps, ..self }
    }

    /// Removes weight and bias.
    #[must_use]
    pub fn without_affine(self) -> Self {
        GroupNorm { weight: None, bias: None, ..self }
    }

    /// Removes the bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        GroupNorm { bias: None, ..self }
    }

    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the number of groups.
    pub fn groups(&self) -> usize {
        self.groups
    }
}

impl<T: Float> Layer<T> for GroupNorm<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (tape, shape) = (x.tape(), x.shape());
        let (rank, channels) = (shape.rank(), self.channels);
        if rank < 2 || shape[1] != channels {
            tape.shape_error(format!("group_norm: expected [N, {channels}, …], got {shape}"))
        }
        let (n, groups, each) = (shape[0], self.groups, channels / self.groups);
        let rest: usize = shape[2..].iter().product();
        let grouped = x.reshape(&[n, groups, each * rest].map(|size| size as isize));
        let normal = Normalizer::over(grouped, &[2]);
        // Repeats the statistics of a group for each of its channels, so that x is read once, in
        // its own shape.
        let mut axes = vec![1; rank];
        (axes[0], axes[1]) = (n as isize, channels as isize);
        let spread =
            |of_group: Var<'t, T>| of_group.broadcast_to(&[n, groups, each]).reshape(&axes);
        let [c, mean, variance] = [normal.c, normal.mean, normal.variance].map(spread);
        let affine = [self.weight.as_ref(), self.bias.as_ref()];
        Normalizer { x: x - c, c, mean, variance }.scaled(self.eps, affine)
    }
}
