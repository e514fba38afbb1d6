//! Convolutions of batches of signals, images and volumes, and their adjoints.

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

use crate::axis_maps::VolumeImages;
use crate::geometry::{Conv, VolumeConv};
use crate::kernels::conv::ConvSizes;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};

impl<T: Float> Tensor<T> {
    /// Computes a convolution over a batch of images. Like other deep-learning libraries, it computes the
    /// cross-correlation: the kernel is not flipped.
    ///
    /// `y[n, o, i, j] = bias[o] + Σ_{c, p, q} x[n, c, i·stride + p·dilation - before, …]·weight[o, c, p, q]`,
    ///
    /// where pixels outside the image count as zero and c runs over the channels of the group of o.
    ///
    /// Shapes: images `[N, C, H, W]`, weight `[O, C/groups, kh, kw]`, bias `[O]`, result `[N, O, H', W']`.
    /// Along each axis `H' = ⌊(H + before + after - dilation·(kh - 1) - 1) / stride⌋ + 1`, where `before` and
    /// `after` are the padding.
    ///
    /// Many 3×3 convolutions of `f32` with stride 1, and their adjoints, are computed by Winograd's method, with about the
    /// rounding error of a sum of products. But the error of a result is relative to the largest of the 4×4 pixels around
    /// it, not only to those of its window: beside a pixel that is 10⁶ times as large as the others it is large. Use `f64` for such images.
    ///
    /// ```
    /// use wengert::tensor::{Conv, Tensor};
    /// let x = Tensor::arange(0.0, 9.0, 1.0).reshape(&[1, 1, 3, 3]);
    /// let y = x.conv2d(&Tensor::ones(&[1, 1, 2, 2]), None, &Conv::default());
    /// assert_eq!(y.to_vec(), [8.0, 12.0, 20.0, 24.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: see [`shapes::conv2d`].
    #[track_caller]
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, conv: &Conv) -> Self {
        let (x, w) = (self.shape(), weight.shape());
        let bias_shape = bias.map(Tensor::shape);
        let shape = shapes::conv2d(&x, &w, bias_shape.as_deref(), conv).or_panic();
        let sizes = ConvSizes::new(&x, &w, &shape, conv);
        let mut out = Self::empty(shape);
        let (x, w, bias) = (self.contiguous(), weight.contiguous(), bias.map(Tensor::contiguous));
        let bias = bias.as_ref().map(slice);
        // SAFETY: the shapes fit, and the sizes were computed from them.
        unsafe { T::conv2d(&sizes, slice(&x), slice(&w), bias, out.fresh_mut()) }
        out
    }

    /// Computes a convolution over a batch of signals, as [`conv2d`](Tensor::conv2d) does over images. It
    /// uses the second number of each pair of `conv`.
    ///
    /// Shapes: signals `[N, C, L]`, weight `[O, C/groups, k]`, bias `[O]`, result `[N, O, L']`.
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

    /// Computes a convolution over a batch of volumes, as [`conv2d`](Tensor::conv2d) does over images.
    ///
    /// `y[n, o, i, j, k] = bias[o] + Σ_{c, p, q, r} x[n, c, i·stride + p·dilation - before, …]·weight[o, c, p, q, r]`
    ///
    /// Shapes: volumes `[N, C, D, H, W]`, weight `[O, C/groups, kd, kh, kw]`, bias `[O]`, result
    /// `[N, O, D', H', W']`. The result is a permuted view: its depth lies before its channels in memory.
    ///
    /// It is one convolution of images: the kd depths of a window are copied side by side as channels. So it needs kd
    /// times the memory of its input, or of 1/stride of it.
    ///
    /// ```
    /// use wengert::tensor::{Tensor, VolumeConv};
    /// let x = Tensor::arange(0.0, 12.0, 1.0).reshape([1, 1, 3, 2, 2]);
    /// let y = x.conv3d(&Tensor::ones([1, 1, 2, 2, 2]), None, &VolumeConv::new());
    /// assert_eq!((y.shape(), y.to_vec()), ([1, 1, 2, 1, 1].into(), vec![28.0, 60.0]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: see [`shapes::conv3d`].
    #[track_caller]
    pub fn conv3d(&self, weight: &Self, bias: Option<&Self>, conv: &VolumeConv) -> Self {
        let (x, w, bias_shape) = (self.shape(), weight.shape(), bias.map(Tensor::shape));
        let parts = VolumeImages::of_conv(&x, &w, bias_shape.as_deref(), conv).or_panic();
        let x = self.permute(&[0, 2, 1, 3, 4]);
        let x = parts.map.iter().fold(x, |x, map| x.map_axis(1, map));
        let x = x.reshape(parts.apart).permute(&[0, 1, 3, 2, 4]).reshape(parts.images);
        let weight = weight.permute(&[0, 2, 1, 3, 4]).reshape(parts.weight);
        let y = x.conv2d(&weight, bias, &parts.conv);
        y.reshape(parts.result).permute(&[0, 2, 1, 3, 4])
    }

    /// Computes a transposed convolution of volumes, as [`conv_transpose2d`](Tensor::conv_transpose2d) does of
    /// images: the adjoint of [`conv3d`](Tensor::conv3d) with respect to its volumes.
    ///
    /// Shapes: volumes `[N, C, D, H, W]`, weight `[C, O/groups, kd, kh, kw]`, bias `[O]`, result
    /// `[N, O, D', H', W']`.
    ///
    /// ```
    /// use wengert::tensor::{Tensor, VolumeConv};
    /// let x = Tensor::from([1.0, 2.0]).reshape([1, 1, 2, 1, 1]);
    /// let w = Tensor::from([1.0, 10.0]).reshape([1, 1, 2, 1, 1]);
    /// let y = x.conv_transpose3d(&w, None, &VolumeConv::new(), [0; 3]);
    /// assert_eq!(y.to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: see [`shapes::conv_transpose3d`].
    #[track_caller]
    pub fn conv_transpose3d(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        conv: &VolumeConv,
        output_padding: [usize; 3],
    ) -> Self {
        let (x, w, bias_shape) = (self.shape(), weight.shape(), bias.map(Tensor::shape));
        let bias_shape = bias_shape.as_deref();
        let parts =
            VolumeImages::of_transposed(&x, &w, bias_shape, conv, output_padding).or_panic();
        let [_, above, beside] = output_padding;
        let x = self.permute(&[0, 2, 1, 3, 4]).reshape(parts.images);
        let weight = weight.permute(&[0, 2, 1, 3, 4]).reshape(parts.weight);
        let y = x.conv_transpose2d(&weight, None, &parts.conv, [above, beside]);
        let y = y.reshape(parts.apart).permute(&[0, 1, 3, 2, 4]).reshape(parts.result);
        let y = parts.map.iter().fold(y, |y, map| y.map_axis_transposed(1, map));
        let y = y.permute(&[0, 2, 1, 3, 4]);
        match bias {
            Some(bias) => y + bias.reshape([-1, 1, 1, 1]),
            None => y,
        }
    }

    /// Computes a transposed convolution: the adjoint of [`conv2d`](Tensor::conv2d) with respect to its
    /// images.
    ///
    /// Shapes: images `[N, C, H, W]`, weight `[C, O/groups, kh, kw]`, bias `[O]`, result `[N, O, H', W']`
    /// with `H' = (H - 1)·stride - before - after + dilation·(kh - 1) + output_padding + 1`.
    ///
    /// With a stride above 1, convolutions of images of several sizes H' have the same size H. The output
    /// padding chooses one of these sizes. It must be smaller than the stride or than the dilation, as in
    /// PyTorch.
    ///
    /// ```
    /// use wengert::tensor::{Conv, Tensor};
    /// let x = Tensor::from([[1.0, 2.0]]).reshape([1, 1, 1, 2]);
    /// let w = Tensor::from([[1.0, 10.0]]).reshape([1, 1, 1, 2]);
    /// let y = x.conv_transpose2d(&w, None, &Conv::new(), [0, 0]);
    /// assert_eq!(y.to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: see [`shapes::conv_transpose2d`].
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
        // The adjoint needs `output_padding < stride`. Whole strides of output padding are appended
        // to the images as rows and columns of zeros. The tape's function does the same.
        let [h, w] = [0, 1].map(|side| (0, output_padding[side] / conv.stride[side]));
        let x = self.pad(&[(0, 0), (0, 0), h, w], 0);
        let y = x.conv2d_input(weight, [shape[2], shape[3]], conv);
        match bias {
            Some(bias) => y + bias.reshape([-1, 1, 1]),
            None => y,
        }
    }

    /// Computes a transposed convolution of signals, as [`conv_transpose2d`](Tensor::conv_transpose2d) does
    /// of images. It uses the second number of each pair of `conv`.
    ///
    /// Shapes: signals `[N, C, L]`, weight `[C, O/groups, k]`, bias `[O]`, result `[N, O, L']`.
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

    /// Computes the gradient of [`conv2d`](Tensor::conv2d) with respect to its images: from a gradient
    /// `[N, O, H', W']` of the result, the gradient `[N, C, H, W]` of the images. `size` is H and W.
    ///
    /// It is also the transposed convolution without bias, if `size` is that of
    /// [`shapes::conv_transpose2d`] with an output padding below the stride.
    ///
    /// ```
    /// use wengert::tensor::{Conv, Tensor};
    /// let gy = Tensor::from([[1.0, 2.0]]).reshape(&[1, 1, 1, 2]);
    /// let w = Tensor::from([[1.0, 10.0]]).reshape(&[1, 1, 1, 2]);
    /// assert_eq!(gy.conv2d_input(&w, [1, 3], &Conv::default()).to_vec(), [1.0, 12.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: see [`shapes::conv2d_input`].
    #[doc(hidden)]
    #[track_caller]
    pub fn conv2d_input(&self, weight: &Self, size: [usize; 2], conv: &Conv) -> Self {
        let (gy, w) = (self.shape(), weight.shape());
        let shape = shapes::conv2d_input(&gy, &w, size, conv).or_panic();
        let sizes = ConvSizes::new(&shape, &w, &gy, conv);
        let mut out = Self::empty(shape);
        let (gy, w) = (self.contiguous(), weight.contiguous());
        // SAFETY: the shapes fit, and the sizes were computed from them.
        unsafe { T::conv2d_input(&sizes, slice(&gy), slice(&w), out.fresh_mut()) }
        out
    }

    /// Computes the gradient of [`conv2d`](Tensor::conv2d) with respect to its weight: from the images
    /// `[N, C, H, W]` and a gradient `[N, O, H', W']` of the result, the gradient `[O, C/groups, kh, kw]` of
    /// the weight. `kernel` is kh and kw.
    ///
    /// ```
    /// use wengert::tensor::{Conv, Tensor};
    /// let x = Tensor::from([[1.0, 2.0, 3.0]]).reshape(&[1, 1, 1, 3]);
    /// let gy = Tensor::from([[1.0, 10.0]]).reshape(&[1, 1, 1, 2]);
    /// assert_eq!(x.conv2d_weight(&gy, [1, 2], &Conv::default()).to_vec(), [21.0, 32.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit: see [`shapes::conv2d_weight`].
    #[doc(hidden)]
    #[track_caller]
    pub fn conv2d_weight(&self, gy: &Self, kernel: [usize; 2], conv: &Conv) -> Self {
        let (x, gy_shape) = (self.shape(), gy.shape());
        let shape = shapes::conv2d_weight(&x, &gy_shape, kernel, conv).or_panic();
        let sizes = ConvSizes::new(&x, &shape, &gy_shape, conv);
        let mut out = Self::empty(shape);
        let (x, gy) = (self.contiguous(), gy.contiguous());
        // SAFETY: the shapes fit, and the sizes were computed from them.
        unsafe { T::conv2d_weight(&sizes, slice(&x), slice(&gy), out.fresh_mut()) }
        out
    }
}

/// Returns the elements of a contiguous tensor.
fn slice<T: Float>(x: &Tensor<T>) -> &[T] {
    x.as_slice().unwrap_or_default()
}
