//! Functions that normalise lines: softmax and layer normalisation, and the gradients that their rules need.

#[cfg(test)]
mod tests;

use super::{Float, Tensor};
use crate::kernels::reduce::ReducedSizes;
use crate::kernels::rows::{LONGEST, LayerNormGradient};
use crate::layout::Shape;
use crate::shapes::{self, OrPanic};

/// Returns the sizes before, along and after an axis.
fn around(shape: &[usize], axis: usize) -> ReducedSizes {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

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
        T::softmax(log, slice(&x), around(&shape, axis), y.fresh_mut());
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
            T::softmax_gradient(log, slice(&gy), slice(&y), around(&shape, axis), gx.fresh_mut());
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
        let [of_weight, of_bias] = [weight, bias].map(|x| x.map(Tensor::shape));
        shapes::layer_norm(&self.shape(), axes, [of_weight.as_ref(), of_bias.as_ref()]).or_panic();
        self.layer_norm_with_statistics(axes, [weight, bias], eps)[0].clone()
    }

    /// Returns the result of [`layer_norm`](Tensor::layer_norm), whose shapes the caller has checked, and the mean and
    /// the inverse deviation 1 / √(variance + ε), which keep the normalised axes with size 1.
    #[doc(hidden)]
    pub fn layer_norm_with_statistics(
        &self,
        axes: usize,
        affine: [Option<&Self>; 2],
        eps: f64,
    ) -> [Self; 3] {
        let shape = self.shape();
        let (kept, n) = without_last(&shape, axes);
        let x = self.contiguous();
        let [weight, bias] = affine.map(|x| x.map(Tensor::contiguous));
        if x.numel() == 0 {
            let nothing = Tensor::full_of(&kept, T::of(f64::NAN));
            return [x, nothing.clone(), nothing];
        }
        let mut y = Tensor::empty(shape);
        let (mut mean, mut inv) = (Tensor::empty(kept), Tensor::empty(kept));
        let affine = [&weight, &bias].map(|x| x.as_ref().map_or(&[][..], slice));
        assert!(affine.iter().all(|x| x.is_empty() || x.len() == n), "layer_norm: wrong shapes");
        let statistics = [mean.fresh_mut(), inv.fresh_mut()];
        T::layer_norm(slice(&x), n, affine, T::of(eps), y.fresh_mut(), statistics);
        [y, mean, inv]
    }

    /// Returns the gradient of [`layer_norm`](Tensor::layer_norm) by x, which is `self`, from the mean, the inverse
    /// deviation and the gradient of the result; with a weight also the gradients of weight and bias.
    #[doc(hidden)]
    pub fn layer_norm_gradient(
        &self,
        axes: usize,
        [mean, inv, gy]: [&Self; 3],
        weight: Option<&Self>,
    ) -> (Self, Option<[Self; 2]>) {
        let shape = self.shape();
        let (kept, n) = without_last(&shape, axes);
        let fits = mean.shape() == kept && inv.shape() == kept && gy.shape() == shape;
        assert!(fits && weight.is_none_or(|w| w.numel() == n), "layer_norm_gradient: wrong shapes");
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

/// Returns the shape with the last axes, `axes` in number, of size 1, and the number of elements of these axes.
fn without_last(shape: &Shape, axes: usize) -> (Shape, usize) {
    let lead = shape.rank() - axes;
    let kept = shape.iter().enumerate().map(|(i, &size)| if i < lead { size } else { 1 }).collect();
    (kept, shape[lead..].iter().product())
}
