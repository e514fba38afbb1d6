//! The leaky rectifier with a trained slope.

use crate::layer::Layer;
use wengert_autograd::{Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

/// Computes x where x is positive, and a · x elsewhere, with a trained slope a: one for all channels,
/// or one per channel.
///
/// The channels are on axis 1 of the input, or on axis 0 if it has one axis. The slopes start at
/// 0.25, PyTorch's default. At 0 the derivative is a. (He, Zhang, Ren, Sun, "Delving deep into
/// rectifiers", 2015.)
///
/// ```
/// use wengert::nn::{Layer, PRelu};
/// use wengert::tensor::Tensor;
/// let layer = PRelu::from_tensors(Tensor::from([0.5, 0.0]));
/// assert_eq!(layer.predict(&Tensor::from([[-2.0, -2.0], [3.0, 3.0]])).to_vec(), [-1.0, 0.0, 3.0, 3.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct PRelu<T: Float = f32> {
    /// The slopes a: \[1\] or \[channels\].
    pub weight: Param<T>,
}

impl PRelu {
    /// Creates a layer of `f32` with one slope (`channels` is 1), or one slope per channel.
    ///
    /// # Panics
    /// If `channels` is 0.
    #[track_caller]
    pub fn new(channels: usize) -> Self {
        Self::of(channels)
    }
}

impl<T: Float> PRelu<T> {
    /// Creates a layer of any element type, as [`PRelu::new`] does for `f32`: `PRelu::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `channels` is 0.
    #[track_caller]
    pub fn of(channels: usize) -> Self {
        assert!(channels > 0, "PRelu: channels must be at least 1, got 0");
        PRelu { weight: Tensor::full_of(&[channels], T::of(0.25)).into() }
    }

    /// Creates a layer from its slopes: \[1\] or \[channels\].
    ///
    /// # Panics
    /// If the weight does not have one axis, or is empty.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>) -> Self {
        let shape = weight.shape();
        assert!(
            shape.rank() == 1 && shape[0] > 0,
            "PRelu::from_tensors: expected a weight [1] or [channels], got {shape}"
        );
        PRelu { weight: weight.into() }
    }
}

impl<T: Float> Layer<T> for PRelu<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        prelu(x, x.tape().param(&self.weight))
    }
}

/// Computes x where x is positive, and weight · x elsewhere. The weight is \[1\] or \[channels\], and
/// the channels are on axis 1 of x, or on axis 0 if x has one axis. The layer [`PRelu`] trains the
/// weight.
///
/// # Panics
/// If the weight has another shape.
#[track_caller]
pub fn prelu<'t, T: Float>(x: Var<'t, T>, weight: Var<'t, T>) -> Var<'t, T> {
    let (shape, slopes) = (x.shape(), weight.shape());
    let axis = usize::from(shape.rank() > 1);
    if slopes.rank() != 1 || slopes[0] != 1 && shape.get(axis) != Some(&slopes[0]) {
        x.tape().shape_error(format!(
            "prelu: expected one slope, or one for each channel on axis {axis} of {shape}, got {slopes}"
        ))
    }
    let mut per_channel = vec![1; shape.rank()];
    if let Some(size) = per_channel.get_mut(axis) {
        *size = slopes[0];
    }
    Var::where_(x.gt(0), x, weight.reshape(&per_channel) * x)
}
