//! Wrappers that compute the weight of a layer from other parameters.

use crate::layer::Layer;
use std::fmt;
use wengert_autograd::{
    Buffer, FirstState, Mode, Module, Outline, Param, Path, See, SeeMut, Tape, Var,
};
use wengert_tensor::{Float, Tensor};

/// Returns the parameter `weight` of a layer.
#[track_caller]
fn weight_of<'a, T: Float>(wrapper: &str, layer: &'a impl Module) -> &'a Param<T> {
    let mut found = None;
    layer.visit(&Path::root(), &mut |path, state| {
        if path.to_string() == "weight" {
            found = state.downcast_ref::<Param<T>>();
        }
    });
    let Some(weight) = found else {
        panic!("{wrapper}: the layer must have a parameter named `weight`, got {}", layer.outline())
    };
    weight
}

/// Returns the axes of the weight other than `axis`.
fn others(rank: usize, axis: usize) -> Vec<isize> {
    (0..rank).filter(|&other| other != axis).map(|other| other as isize).collect()
}

#[track_caller]
fn check_axis(wrapper: &str, shape: &[usize], axis: usize) {
    assert!(axis < shape.len(), "{wrapper}: the weight {shape:?} has no axis {axis}");
}

/// Implements `Module` and `Display` for a wrapper. Its own values and the weight of its layer have names of
/// their own, and the other parameters of the layer keep theirs: the names of PyTorch's parametrizations. The
/// arguments are the own values with their names, and the name of the weight.
macro_rules! renamed {
    ($Wrapper:ident { $($own:ident: $name:literal),+ }, $weight:literal) => {
        impl<L: Module, T: Float> Module for $Wrapper<L, T> {
            fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
                let weight = path.child("weight").to_string();
                self.layer.visit(path, &mut |at, state| {
                    if at.to_string() == weight { see(&path.child($weight), state) } else { see(at, state) }
                });
                $(self.$own.visit(&path.child($name), see);)+
            }
            fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
                let weight = path.child("weight").to_string();
                self.layer.visit_mut(path, &mut |at, state| {
                    if at.to_string() == weight { see(&path.child($weight), state) } else { see(at, state) }
                });
                $(self.$own.visit_mut(&path.child($name), see);)+
            }
            fn first_state(&self) -> Option<FirstState> {
                self.layer.first_state() // the layer lies at the same path
            }
            fn outline(&self) -> Outline {
                let outline = Outline::new(stringify!($Wrapper)).field("layer", &self.layer);
                let outline = outline$(.field(stringify!($own), &self.$own))+;
                crate::print::changed(outline, &[("axis", self.axis.to_string(), "0")])
            }
        }

        impl<L: Module, T: Float> fmt::Display for $Wrapper<L, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.outline().fmt(f)
            }
        }
    };
}
renamed! {
    WeightNorm { weight_g: "parametrizations.weight.original0" }, "parametrizations.weight.original1"
}
renamed! {
    SpectralNorm {
        weight_u: "parametrizations.weight.0._u", weight_v: "parametrizations.weight.0._v"
    },
    "parametrizations.weight.original"
}

/// Returns the lengths of a weight along one axis.
fn lengths<'t, T: Float>(v: Var<'t, T>, axis: usize) -> Var<'t, T> {
    match &*others(v.rank(), axis) {
        [] => v.abs(), // of a vector: the lengths of its elements
        others => v.norm(2.0, others, true),
    }
}

/// Wraps a layer with a weight W, and trains its direction and its lengths instead: W = g · v / ‖v‖,
/// with one length g for each output. v is the parameter `weight` of the layer.
///
/// The norm is taken over all axes of the weight but one: axis 0, or the axis that
/// [`along`](WeightNorm::along) sets (1 for transposed convolutions). A new wrapper does not change the
/// output of the layer. Zero rows of v give NaN, as in PyTorch. The lengths of a weight with one axis, such as
/// that of a normalisation, are those of its elements.
///
/// The names of the parameters are those of PyTorch's `parametrizations.weight_norm`:
/// `parametrizations.weight.original0` (g) and `….original1` (v); the others keep the names that they have in
/// the layer. Files with the names of `nn.utils.weight_norm` can be loaded, too. (Salimans, Kingma, "Weight
/// normalization: a simple reparameterization to accelerate training of deep neural networks", 2016.)
///
/// ```
/// use wengert::nn::{Layer, Linear, WeightNorm};
/// use wengert::tensor::Tensor;
/// let weight = Tensor::from([[3.0, 4.0]]);
/// let mut layer = WeightNorm::new(Linear::from_tensors(weight, None));
/// assert_eq!(layer.weight_g.value().to_vec(), [5.0]);
/// layer.weight_g.set(Tensor::from([[10.0]]));
/// assert_eq!(layer.predict(&Tensor::from([1.0, 1.0])).to_vec(), [14.0]);
/// ```
#[derive(Clone, Debug)]
pub struct WeightNorm<L, T: Float = f32> {
    /// The layer. Its `weight` is v.
    pub layer: L,
    /// The lengths g: the shape of the weight, with the size 1 on all axes but one.
    pub weight_g: Param<T>,
    axis: usize,
}

impl<L: Layer<T>, T: Float> WeightNorm<L, T> {
    /// Wraps a layer. The lengths are those of its weight, along axis 0.
    ///
    /// # Panics
    /// If the layer has no parameter named `weight`.
    #[track_caller]
    pub fn new(layer: L) -> Self {
        Self::along(layer, 0)
    }

    /// Wraps a layer. The lengths are those of its weight along this axis, one for each position.
    ///
    /// # Panics
    /// If the layer has no parameter named `weight`, or the weight does not have this axis.
    #[track_caller]
    pub fn along(layer: L, axis: usize) -> Self {
        let weight = weight_of::<T>("WeightNorm", &layer).value();
        check_axis("WeightNorm", &weight.shape(), axis);
        let lengths = lengths(Tape::inference().constant(weight.clone()), axis).value();
        WeightNorm { layer, weight_g: lengths.into(), axis }
    }
}

impl<L: Layer<T> + Clone, T: Float> Layer<T> for WeightNorm<L, T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (tape, param) = (x.tape(), weight_of::<T>("WeightNorm", &self.layer));
        let v = tape.param(param);
        let weight = v * (tape.param(&self.weight_g) / lengths(v, self.axis));
        tape.with_param(param, weight, || self.layer.forward(x))
    }
}

/// Wraps a layer with a weight W, and divides the weight by its largest singular value σ, so that the
/// layer stretches no vector.
///
/// σ = uᵀ W v is estimated by power iteration: in training, each forward pass makes one step from the
/// stored vectors u and v, and the step of the optimizer stores the new ones (without an optimizer,
/// [`Tape::apply_updates`](wengert_autograd::Tape::apply_updates) does). Evaluation uses the stored
/// vectors. The derivative of σ takes u and v as constants. W is a matrix of one axis, axis 0 or that of
/// [`along`](SpectralNorm::along), and all others.
///
/// The names are those of PyTorch's `parametrizations.spectral_norm`: `parametrizations.weight.original` (W),
/// `….0._u` and `….0._v`; the other parameters keep the names that they have in the layer. Files with the names
/// of `nn.utils.spectral_norm` can be loaded, too. (Miyato, Kataoka, Koyama, Yoshida, "Spectral
/// normalization for generative adversarial networks", 2018.)
///
/// ```
/// use wengert::nn::{Layer, Linear, SpectralNorm};
/// use wengert::tensor::{Philox, Tensor};
/// let weight = Tensor::from([[3.0f32, 0.0], [0.0, 2.0]]);
/// let layer = SpectralNorm::new(Linear::from_tensors(weight, None), &mut Philox::new(0));
/// let y = layer.predict(&Tensor::from([3.0, 3.0]));
/// assert!((y.at(&[0]) - 3.0).abs() < 1e-3 && (y.at(&[1]) - 2.0).abs() < 1e-3);
/// ```
#[derive(Clone, Debug)]
pub struct SpectralNorm<L, T: Float = f32> {
    /// The layer.
    pub layer: L,
    /// The estimate of the first left singular vector u.
    pub weight_u: Buffer<T>,
    /// The estimate of the first right singular vector v.
    pub weight_v: Buffer<T>,
    axis: usize,
}

impl<L: Layer<T>, T: Float> SpectralNorm<L, T> {
    /// Wraps a layer. The vectors are drawn from a normal distribution and improved by 15 steps of the
    /// power iteration, as in PyTorch.
    ///
    /// # Panics
    /// If the layer has no parameter named `weight`, or the weight is empty or has one axis only.
    #[track_caller]
    pub fn new(layer: L, rng: &mut (impl rand::Rng + ?Sized)) -> Self {
        Self::along(layer, 0, rng)
    }

    /// Wraps a layer, with this axis of the weight as the rows of the matrix: 1 for transposed
    /// convolutions.
    ///
    /// # Panics
    /// If the layer has no parameter named `weight`, or the weight is empty, has one axis only, or does not have
    /// this axis.
    #[track_caller]
    pub fn along(layer: L, axis: usize, rng: &mut (impl rand::Rng + ?Sized)) -> Self {
        let weight = weight_of::<T>("SpectralNorm", &layer).value();
        let shape = weight.shape();
        check_axis("SpectralNorm", &shape, axis);
        assert!(
            shape.rank() > 1,
            "SpectralNorm: the weight {shape} is a vector and has no singular values: wrap a layer whose weight \
             is a matrix or a kernel"
        );
        assert!(shape.numel() > 0, "SpectralNorm: the weight {shape} has no elements");
        let mut order = vec![axis as isize];
        order.extend(others(shape.rank(), axis));
        let matrix = weight.permute(&order).reshape(&[shape[axis] as isize, -1]);
        let unit = |x: Tensor<T>| {
            let length = x.square().sum_all().to().sqrt().max(EPS);
            x / length
        };
        let mut u = unit(Tensor::normal_of(&[matrix.shape()[0], 1], 0.0, 1.0, rng));
        let mut v = unit(matrix.matmul_t(&u, true, false));
        for _ in 0..15 {
            u = unit(matrix.matmul(&v));
            v = unit(matrix.matmul_t(&u, true, false));
        }
        let [weight_u, weight_v] = [u, v].map(|x| x.squeeze(1).into());
        SpectralNorm { layer, weight_u, weight_v, axis }
    }
}

/// The smallest length by which a vector of the power iteration is divided.
const EPS: f64 = 1e-12;

impl<L: Layer<T> + Clone, T: Float> Layer<T> for SpectralNorm<L, T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (tape, param) = (x.tape(), weight_of::<T>("SpectralNorm", &self.layer));
        let weight = tape.param(param);
        let mut order = vec![self.axis as isize];
        order.extend(others(weight.rank(), self.axis));
        let rows = weight.size(self.axis as isize) as isize;
        let matrix = weight.permute(&order).reshape(&[rows, -1]);
        let [mut u, mut v] =
            [&self.weight_u, &self.weight_v].map(|buffer| tape.buffer(buffer).unsqueeze(1));
        if tape.expect_mode("spectral_norm") == Mode::Train {
            let unit = |x: Var<'t, T>| x / x.square().sum_all().sqrt().clamp_min(EPS);
            let constant = matrix.detach();
            u = unit(constant.matmul(v));
            v = unit(constant.matmul_t(u, true, false));
            for (buffer, new) in [(&self.weight_u, u), (&self.weight_v, v)] {
                tape.update_buffer(buffer, 0.0, new.squeeze(1));
            }
        }
        let sigma = u.matmul_t(matrix.matmul(v), true, false).reshape(&[] as &[usize]);
        tape.with_param(param, weight / sigma, || self.layer.forward(x))
    }
}
