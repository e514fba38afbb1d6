//! Functions that normalise lines or channels: softmax, layer and batch normalisation, and the gradients that their
//! rules need.

#[cfg(test)]
mod tests;

use super::{Float, Tensor};
use crate::kernels::batch_norm::{BatchNormGradient, BatchNormOperands};
use crate::kernels::rows::{LONGEST, LayerNormGradient};
use crate::layout::Shape;
use crate::shapes::{self, OrPanic};

fn slice<T: Float>(contiguous: &Tensor<T>) -> &[T] {
    contiguous.as_slice().expect("made contiguous before")
}

/// Softmax.
impl<T: Float> Tensor<T> {
    /// Computes ln (eˣ / Σ eˣ) along an axis. The maximum is subtracted first, so that small differences
    /// between large numbers keep their precision.
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn log_softmax(&self, axis: isize) -> Self {
        let at = shapes::axis("log_softmax", axis, &self.shape()).or_panic();
        if self.shape()[at] <= LONGEST || self.numel() == 0 {
            return self.along(true, at);
        }
        let shifted = self - self.max(&[axis], true);
        let norm = shifted.logsumexp(&[axis], true);
        shifted - norm
    }

    /// Computes eˣ / Σ eˣ along an axis: numbers from 0 to 1 whose sum along the axis is 1.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1e4, 1e4]);
    /// assert_eq!(x.softmax(0).to_vec(), [0.5, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn softmax(&self, axis: isize) -> Self {
        let at = shapes::axis("softmax", axis, &self.shape()).or_panic();
        if self.shape()[at] <= LONGEST || self.numel() == 0 {
            return self.along(false, at);
        }
        let e = (self - self.max(&[axis], true)).exp();
        let sum = e.sum(&[axis], true);
        e / sum
    }

    fn along(&self, log: bool, axis: usize) -> Self {
        let (shape, x) = (self.shape(), self.contiguous());
        let mut y = Tensor::empty(shape);
        T::softmax(log, slice(&x), shape.around(axis), y.fresh_mut());
        y
    }

    /// Returns the gradient of softmax along an axis, y ⊙ (gy − Σ gy ⊙ y), or of its logarithm, gy − eʸ Σ gy, where
    /// `self` is the result y. `gy` has its shape.
    #[doc(hidden)]
    #[track_caller]
    pub fn softmax_gradient(&self, gy: &Self, log: bool, axis: usize) -> Self {
        let (shape, y) = (self.shape(), self);
        assert!(gy.shape() == shape && axis < shape.rank(), "softmax_gradient: wrong shapes");
        if shape[axis] <= LONGEST || self.numel() == 0 {
            let (gy, y) = (gy.contiguous(), y.contiguous());
            let mut gx = Tensor::empty(shape);
            T::softmax_gradient(log, slice(&gy), slice(&y), shape.around(axis), gx.fresh_mut());
            return gx;
        }
        let sum = |x: &Self| x.sum(&[axis as isize], true);
        if log { gy - y.exp() * sum(gy) } else { y * (gy - sum(&(gy * y))) }
    }
}

/// Layer normalisation.
impl<T: Float> Tensor<T> {
    /// Normalises over the last axes, `axes` in number, to mean 0 and variance 1, then scales and shifts:
    ///
    /// y = (x − mean) / √(variance + ε) · weight + bias
    ///
    /// The variance has the factor 1 / n. Weight and bias have the sizes of the normalised axes.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[1.0, 3.0], [-5.0, 5.0]]);
    /// assert_eq!(x.layer_norm(1, None, None, 0.0).to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If `axes` is 0 or greater than the number of axes, weight or bias have another shape, or there is a bias
    /// without a weight.
    #[track_caller]
    pub fn layer_norm(
        &self,
        axes: usize,
        weight: Option<&Self>,
        bias: Option<&Self>,
        eps: f64,
    ) -> Self {
        let [y, ..] = self.layer_norm_with_statistics(axes, [weight, bias], eps);
        y
    }

    /// Returns the result of [`layer_norm`](Tensor::layer_norm), and the mean and the inverse deviation
    /// 1 / √(variance + ε), which keep the normalised axes with size 1.
    #[doc(hidden)]
    #[track_caller]
    pub fn layer_norm_with_statistics(
        &self,
        axes: usize,
        affine: [Option<&Self>; 2],
        eps: f64,
    ) -> [Self; 3] {
        let shape = self.shape();
        let [weight_shape, bias_shape] = affine.map(|x| x.map(Tensor::shape));
        let affine_shapes = [weight_shape.as_ref(), bias_shape.as_ref()];
        let kept = shapes::layer_norm(&shape, axes, affine_shapes).or_panic();
        let n = count(&shape, axes);
        let x = self.contiguous();
        let [weight, bias] = affine.map(|x| x.map(Tensor::contiguous));
        if x.numel() == 0 {
            let nothing = Tensor::full_of(&kept, T::of(f64::NAN));
            return [x, nothing.clone(), nothing];
        }
        let mut y = Tensor::empty(shape);
        let (mut mean, mut inv) = (Tensor::empty(kept), Tensor::empty(kept));
        let affine = [&weight, &bias].map(|x| x.as_ref().map_or(&[][..], slice));
        let statistics = [mean.fresh_mut(), inv.fresh_mut()];
        T::layer_norm(slice(&x), n, affine, T::of(eps), y.fresh_mut(), statistics);
        [y, mean, inv]
    }

    /// Returns the gradient of [`layer_norm`](Tensor::layer_norm) by x, which is `self`, from the mean, the inverse
    /// deviation and the gradient of the result; with a weight also the gradients of weight and bias.
    #[doc(hidden)]
    #[track_caller]
    pub fn layer_norm_gradient(
        &self,
        axes: usize,
        [mean, inv, gy]: [&Self; 3],
        weight: Option<&Self>,
    ) -> (Self, Option<[Self; 2]>) {
        let shape = self.shape();
        let of_weight = weight.map(Tensor::shape);
        let kept = shapes::layer_norm(&shape, axes, [of_weight.as_ref(), None]).or_panic();
        let n = count(&shape, axes);
        let fits = mean.shape() == kept && inv.shape() == kept && gy.shape() == shape;
        assert!(fits, "layer_norm_gradient: wrong shapes");
        let [x, mean, inv, gy] = [self, mean, inv, gy].map(Tensor::contiguous);
        let weight = weight.map(Tensor::contiguous);
        let mut affine = weight.as_ref().map(|w| [(); 2].map(|()| Tensor::empty(w.shape())));
        let mut gx = Tensor::empty(shape);
        if shape.numel() == 0 {
            for g in affine.iter_mut().flatten() {
                g.fresh_mut().fill(T::of(0.0));
            }
            return (gx, affine);
        }
        let of = LayerNormGradient {
            x: slice(&x),
            mean: slice(&mean),
            inv: slice(&inv),
            gy: slice(&gy),
            weight: weight.as_ref().map_or(&[], slice),
        };
        let sums = match &mut affine {
            Some([gw, gb]) => [gw.fresh_mut(), gb.fresh_mut()],
            None => [&mut [][..], &mut []],
        };
        T::layer_norm_gradient(of, n, gx.fresh_mut(), sums);
        (gx, affine)
    }
}

/// Batch normalisation.
impl<T: Float> Tensor<T> {
    /// Normalises each channel of [N, C, …] by its mean and its variance over all other axes, then scales and shifts it
    /// by its numbers of weight and bias \[C\]. Then adds the residual, if there is one, and replaces negative
    /// numbers by 0, if `relu`. Mean and variance keep the other axes with size 1.
    ///
    /// # Panics
    /// If there are fewer than two axes, an operand has another shape, or there is a bias without a weight.
    #[doc(hidden)]
    #[track_caller]
    pub fn batch_norm(
        &self,
        [mean, variance]: [&Self; 2],
        affine: [Option<&Self>; 2],
        eps: f64,
        residual: Option<&Self>,
        relu: bool,
    ) -> Self {
        let shape = self.shape();
        let [weight_shape, bias_shape] = affine.map(|x| x.map(Tensor::shape));
        let affine_shapes = [weight_shape.as_ref(), bias_shape.as_ref()];
        let kept = shapes::batch_norm(&shape, affine_shapes).or_panic();
        let fits = mean.shape() == kept && variance.shape() == kept;
        let fits = fits && residual.is_none_or(|x| x.shape() == shape);
        assert!(fits, "batch_norm: wrong shapes");
        let [x, mean, variance] = [self, mean, variance].map(Tensor::contiguous);
        let [weight, bias, residual] =
            [affine[0], affine[1], residual].map(|x| x.map(Tensor::contiguous));
        let of = BatchNormOperands {
            x: slice(&x),
            mean: slice(&mean),
            variance: slice(&variance),
            weight: weight.as_ref().map_or(&[], slice),
            bias: bias.as_ref().map_or(&[], slice),
            residual: residual.as_ref().map_or(&[], slice),
            relu,
        };
        let mut y = Tensor::empty(shape);
        T::batch_norm(of, shape.around(1), eps, y.fresh_mut());
        y
    }

    /// Returns the gradients of [`batch_norm`](Tensor::batch_norm) of x by its own mean and variance, by x, which is
    /// `self`, by weight and by bias, from the mean, the variance and the gradient of the result. `rectified` is the
    /// result behind a rectifier: the gradient in front of it is 0 where the result is 0. It is the fourth result, if
    /// `keep`.
    #[doc(hidden)]
    #[track_caller]
    pub fn batch_norm_gradient(
        &self,
        [mean, variance, gy]: [&Self; 3],
        weight: Option<&Self>,
        eps: f64,
        rectified: Option<&Self>,
        keep: bool,
    ) -> ([Self; 3], Option<Self>) {
        let shape = self.shape();
        let of_weight = weight.map(Tensor::shape);
        let kept = shapes::batch_norm(&shape, [of_weight.as_ref(), None]).or_panic();
        let fits = mean.shape() == kept && variance.shape() == kept && gy.shape() == shape;
        let fits = fits && rectified.is_none_or(|y| y.shape() == shape);
        assert!(fits && (rectified.is_some() || !keep), "batch_norm_gradient: wrong shapes");
        let [x, mean, variance, gy] = [self, mean, variance, gy].map(Tensor::contiguous);
        let [weight, rectified] = [weight, rectified].map(|x| x.map(Tensor::contiguous));
        let of = BatchNormGradient {
            x: slice(&x),
            mean: slice(&mean),
            variance: slice(&variance),
            gy: slice(&gy),
            rectified: rectified.as_ref().map_or(&[], slice),
            weight: weight.as_ref().map_or(&[], slice),
        };
        let mut gx = Tensor::empty(shape);
        let mut passed = keep.then(|| Tensor::empty(shape));
        let [mut gw, mut gb] = [(); 2].map(|()| Tensor::empty(Shape::new(&shape[1..2])));
        let affine = [gw.fresh_mut(), gb.fresh_mut()];
        if shape.numel() == 0 {
            for g in affine {
                g.fill(T::of(0.0));
            }
        } else {
            let passed = passed.as_mut().map(Tensor::fresh_mut);
            T::batch_norm_gradient(of, shape.around(1), eps, passed, gx.fresh_mut(), affine);
        }
        ([gx, gw, gb], passed)
    }
}

/// Returns the number of elements along the last axes, `axes` in number.
fn count(shape: &Shape, axes: usize) -> usize {
    shape[shape.rank() - axes..].iter().product()
}
