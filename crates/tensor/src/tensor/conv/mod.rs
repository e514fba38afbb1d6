//! Convolutions of batches of images and signals, and their adjoints.

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

use crate::geometry::Conv;
use crate::kernels::conv::Geometry;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};

impl<T: Float> Tensor<T> {
    /// The convolution (as everywhere in this field: the cross-correlation) of a batch of images
    /// `[N, C, H, W]` with a weight `[O, C/groups, kh, kw]`, plus a bias `[O]`: `[N, O, H', W']`,
    ///
    /// `y[n, o, i, j] = bias[o] + Σ_{c, p, q} x[n, c, i·stride + p·dilation - before, …]·weight[o, c, p, q]`,
    ///
    /// where pixels outside the image count as zero and c runs over the channels of o's group.
    /// Along each axis `H' = ⌊(H + before + after - dilation·(kh - 1) - 1) / stride⌋ + 1`.
    ///
    /// ```
    /// use wengert_tensor::{Conv, Tensor};
    /// let x = Tensor::arange(0.0, 9.0, 1.0).reshape(&[1, 1, 3, 3]);
    /// let y = x.conv2d(&Tensor::ones(&[1, 1, 2, 2]), None, &Conv::default());
    /// assert_eq!(y.to_vec(), [8.0, 12.0, 20.0, 24.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: [`shapes::conv2d`].
    #[track_caller]
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, conv: &Conv) -> Self {
        let (x, w) = (self.shape(), weight.shape());
        let bias_shape = bias.map(Tensor::shape);
        let shape = shapes::conv2d(&x, &w, bias_shape.as_deref(), conv).or_panic();
        let geometry = Geometry::new(&x, &w, &shape, conv);
        let mut out = Self::empty(shape);
        let (x, w, bias) = (self.contiguous(), weight.contiguous(), bias.map(Tensor::contiguous));
        let bias = bias.as_ref().map(slice);
        // SAFETY: the shapes fit, and the geometry is theirs.
        unsafe { T::conv2d(&geometry, slice(&x), slice(&w), bias, out.fresh_mut()) }
        out
    }

    /// [`conv2d`](Tensor::conv2d) of signals `[N, C, L]` with a weight `[O, C/groups, k]`:
    /// `[N, O, L']`. Of `conv`'s pairs the second counts.
    ///
    /// # Panics
    /// As [`conv2d`](Tensor::conv2d), with three axes.
    #[track_caller]
    pub fn conv1d(&self, weight: &Self, bias: Option<&Self>, conv: &Conv) -> Self {
        let bias_shape = bias.map(Tensor::shape);
        shapes::conv1d(&self.shape(), &weight.shape(), bias_shape.as_deref(), conv).or_panic();
        let (x, weight) = (self.unsqueeze(2), weight.unsqueeze(2));
        x.conv2d(&weight, bias, &conv.of_signals()).squeeze(2)
    }

    /// The transposed convolution, the adjoint of [`conv2d`](Tensor::conv2d) in its image: from
    /// `[N, C, H, W]`, a weight `[C, O/groups, kh, kw]` and perhaps a bias `[O]` to
    /// `[N, O, H', W']` with `H' = (H - 1)·stride - before - after + dilation·(kh - 1) +
    /// output_padding + 1`.
    ///
    /// Several sizes have a convolution of size H; the output padding chooses among them. It is
    /// below the stride or below the dilation, as in PyTorch.
    ///
    /// ```
    /// use wengert_tensor::{Conv, Tensor};
    /// let x = Tensor::from([[1.0, 2.0]]).reshape([1, 1, 1, 2]);
    /// let w = Tensor::from([[1.0, 10.0]]).reshape([1, 1, 1, 2]);
    /// let y = x.conv_transpose2d(&w, None, &Conv::new(), [0, 0]);
    /// assert_eq!(y.to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: [`shapes::conv_transpose2d`].
    #[track_caller]
    pub fn conv_transpose2d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        conv: &Conv,
        output_padding: [usize; 2],
    ) -> Self {
        let (x, w, bias_shape) = (self.shape(), weight.shape(), bias.map(Tensor::shape));
        let rule = shapes::conv_transpose2d(&x, &w, bias_shape.as_deref(), conv, output_padding);
        let shape = rule.or_panic();
        // Whole strides of output padding are zeros behind the result: see the tape's function.
        let [h, w] = [0, 1].map(|side| (0, output_padding[side] / conv.stride[side]));
        let x = self.pad(&[(0, 0), (0, 0), h, w], 0);
        let y = x.conv2d_input(weight, [shape[2], shape[3]], conv);
        match bias {
            Some(bias) => y + bias.reshape([-1, 1, 1]),
            None => y,
        }
    }

    /// [`conv_transpose2d`](Tensor::conv_transpose2d) of signals `[N, C, L]` with a weight
    /// `[C, O/groups, k]`: `[N, O, L']`. Of `conv`'s pairs the second counts.
    ///
    /// # Panics
    /// As [`conv_transpose2d`](Tensor::conv_transpose2d), with three axes.
    #[track_caller]
    pub fn conv_transpose1d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        conv: &Conv,
        output_padding: usize,
    ) -> Self {
        let (x, w, bias_shape) = (self.shape(), weight.shape(), bias.map(Tensor::shape));
        let rule = shapes::conv_transpose1d(&x, &w, bias_shape.as_deref(), conv, output_padding);
        rule.or_panic();
        let (x, weight, conv) = (self.unsqueeze(2), weight.unsqueeze(2), conv.of_signals());
        x.conv_transpose2d(&weight, bias, &conv, [0, output_padding]).squeeze(2)
    }

    /// The adjoint of [`conv2d`](Tensor::conv2d) in its input: for a gradient `[N, O, H', W']` of
    /// the result, the gradient `[N, C, H, W]` of the images, whose `size` is H and W. It is also
    /// the transposed convolution, of `size` [`shapes::conv_transpose2d`] with an output padding below
    /// the stride.
    ///
    /// ```
    /// use wengert_tensor::{Conv, Tensor};
    /// let gy = Tensor::from([[1.0, 2.0]]).reshape(&[1, 1, 1, 2]);
    /// let w = Tensor::from([[1.0, 10.0]]).reshape(&[1, 1, 1, 2]);
    /// assert_eq!(gy.conv2d_input(&w, [1, 3], &Conv::default()).to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: [`shapes::conv2d_input`].
    #[doc(hidden)]
    #[track_caller]
    pub fn conv2d_input(&self, weight: &Self, size: [usize; 2], conv: &Conv) -> Self {
        let (gy, w) = (self.shape(), weight.shape());
        let shape = shapes::conv2d_input(&gy, &w, size, conv).or_panic();
        let geometry = Geometry::new(&shape, &w, &gy, conv);
        let mut out = Self::empty(shape);
        let (gy, w) = (self.contiguous(), weight.contiguous());
        // SAFETY: the shapes fit, and the geometry is theirs.
        unsafe { T::conv2d_input(&geometry, slice(&gy), slice(&w), out.fresh_mut()) }
        out
    }

    /// The adjoint of [`conv2d`](Tensor::conv2d) in its weight: for the images `[N, C, H, W]` and a
    /// gradient `[N, O, H', W']` of the result, the gradient `[O, C/groups, kh, kw]` of the weight,
    /// whose `kernel` is kh and kw.
    ///
    /// ```
    /// use wengert_tensor::{Conv, Tensor};
    /// let x = Tensor::from([[1.0, 2.0, 3.0]]).reshape(&[1, 1, 1, 3]);
    /// let gy = Tensor::from([[1.0, 10.0]]).reshape(&[1, 1, 1, 2]);
    /// assert_eq!(x.conv2d_weight(&gy, [1, 2], &Conv::default()).to_vec(), [21.0, 32.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: [`shapes::conv2d_weight`].
    #[doc(hidden)]
    #[track_caller]
    pub fn conv2d_weight(&self, gy: &Self, kernel: [usize; 2], conv: &Conv) -> Self {
        let (x, gy_shape) = (self.shape(), gy.shape());
        let shape = shapes::conv2d_weight(&x, &gy_shape, kernel, conv).or_panic();
        let geometry = Geometry::new(&x, &shape, &gy_shape, conv);
        let mut out = Self::empty(shape);
        let (x, gy) = (self.contiguous(), gy.contiguous());
        // SAFETY: the shapes fit, and the geometry is theirs.
        unsafe { T::conv2d_weight(&geometry, slice(&x), slice(&gy), out.fresh_mut()) }
        out
    }
}

/// The numbers of a contiguous tensor.
fn slice<T: Float>(x: &Tensor<T>) -> &[T] {
    x.as_slice().unwrap_or_default()
}
