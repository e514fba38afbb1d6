//! Convolution. It is the trilinear form ⟨conv(x, w), gy⟩ of image, weight and cotangent. The operations
//! of this family are its three partial derivatives, and the rule of each operation uses the other two.
//! Convolutions of volumes are convolutions of images, between linear maps along the depth.

use crate::graph::{Call, ConvOp, Cotangents, Op, Reads, Tape, Var, place_in, two};
use ConvOp::{Forward, Input, Weight};
use smallvec::{SmallVec, smallvec};
use wengert_tensor::axis_maps::VolumeImages;
use wengert_tensor::{Conv, Float, Shape, Tensor, VolumeConv, shapes};

impl ConvOp {
    pub fn place(self) -> u32 {
        let (Forward(place) | Input(place) | Weight(place)) = self;
        place
    }

    pub fn eval<T: Float>(self, x: &[Tensor<T>], conv: &Conv, shape: Shape) -> Tensor<T> {
        match self {
            Forward(_) => x[0].conv2d(&x[1], x.get(2), conv),
            Input(_) => x[0].conv2d_input(&x[1], [shape[2], shape[3]], conv),
            Weight(_) => x[0].conv2d_weight(&x[1], [shape[2], shape[3]], conv),
        }
    }

    pub fn reads(arg: usize) -> Reads {
        match arg {
            0 => Reads::X1,
            1 => Reads::X0,
            _ => Reads::NOTHING, // the bias
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let (g, a, b) = (c.gy(), c.x(0), c.x(1));
        let apply = |op, left: Var<'t, T>, right, like| {
            left.tape.apply(Op::Conv(op), &[left, right], c.x_shape(like))
        };
        match self {
            Forward(place) => Cotangents(smallvec![
                c.wants(0).then(|| apply(Input(place), g, b, 0)),
                c.wants(1).then(|| apply(Weight(place), a, g, 1)),
                (c.arity() > 2 && c.wants(2)).then(|| g.sum(&[0, 2, 3], false)),
            ]),
            Input(place) => two(
                c.wants(0).then(|| apply(Forward(place), g, b, 0)),
                c.wants(1).then(|| apply(Weight(place), g, a, 1)),
            ),
            Weight(place) => two(
                c.wants(0).then(|| apply(Input(place), b, g, 0)),
                c.wants(1).then(|| apply(Forward(place), a, g, 1)),
            ),
        }
    }
}

impl<T: Float> Tape<T> {
    /// Returns the place of the geometry in the table. Equal geometries share one place.
    pub(super) fn geometry(&self, conv: &Conv) -> u32 {
        place_in(&mut self.arena.borrow_mut().convs, *conv)
    }
}

/// Convolution: in fact cross-correlation, as in PyTorch.
impl<'t, T: Float> Var<'t, T> {
    /// Returns the convolution of images [N, C, H, W] with a weight [O, C / groups, kh, kw]. The
    /// optional bias \[O\] is added to each pixel of its channel. The result is [N, O, H′, W′] with
    ///
    /// y\[n, o, i, j\] = bias\[o\] + Σ w\[o, c, k, l\] · x\[n, c, i·stride + k·dilation − padding, …\]
    ///
    /// where the sum is over the channels c of o's group and the kernel positions k, l, and x is zero
    /// outside the image. H′ = ⌊(H + padding before and after − dilation·(kh − 1) − 1) / stride⌋ + 1.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Conv, Tensor};
    /// let tape = Tape::new();
    /// let images = tape.constant(Tensor::ones(&[8, 3, 17, 32]));
    /// let weight = tape.watch(Tensor::ones(&[6, 3, 5, 3]));
    /// let y = images.conv2d(weight, None, &Conv::new());
    /// assert_eq!(y.shape(), [8, 6, 13, 30]);
    /// assert_eq!(y.value().at(&[0, 0, 0, 0]), 45.0);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, the channels do not fit, or the kernel is larger than the padded
    /// image.
    #[track_caller]
    pub fn conv2d(self, weight: Self, bias: Option<Self>, conv: &Conv) -> Self {
        let tape = self.tape;
        tape.same_tape("conv2d", weight.tape);
        let mut operands: SmallVec<[Self; 3]> = smallvec![self, weight];
        if let Some(bias) = bias {
            tape.same_tape("conv2d", bias.tape);
            operands.push(bias);
        }
        let bias = bias.map(Self::shape);
        let shape = shapes::conv2d(&self.shape(), &weight.shape(), bias.as_deref(), conv);
        let shape = self.fits(shape);
        tape.apply(Op::Conv(Forward(tape.geometry(conv))), &operands, shape)
    }

    /// Returns the convolution of signals [N, C, L] with a weight [O, C / groups, k]: [N, O, L′]. It is
    /// [`conv2d`](Var::conv2d) with the second number of each pair of `conv`.
    ///
    /// # Panics
    /// Under the conditions of [`conv2d`](Var::conv2d), with three axes.
    #[track_caller]
    pub fn conv1d(self, weight: Self, bias: Option<Self>, conv: &Conv) -> Self {
        let shape = bias.map(Self::shape);
        self.fits(shapes::conv1d(&self.shape(), &weight.shape(), shape.as_deref(), conv));
        let y = self.unsqueeze(2).conv2d(weight.unsqueeze(2), bias, &conv.of_signals());
        y.squeeze(2)
    }

    /// Returns the convolution of volumes [N, C, D, H, W] with a weight [O, C / groups, kd, kh, kw]:
    /// [N, O, D′, H′, W′]. It is [`conv2d`](Var::conv2d) with a third axis.
    ///
    /// It is computed as one convolution of images: the kd depths of a window are copied side by side as channels. The
    /// copy, kd times as large as the volumes divided by the stride of the depth, is kept for the gradient of the
    /// weight.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Tensor, VolumeConv};
    /// let tape = Tape::new();
    /// let volumes = tape.constant(Tensor::ones(&[2, 3, 8, 17, 32]));
    /// let weight = tape.watch(Tensor::ones(&[6, 3, 2, 5, 3]));
    /// let y = volumes.conv3d(weight, None, &VolumeConv::new().stride([2, 1, 1]));
    /// assert_eq!(y.shape(), [2, 6, 4, 13, 30]);
    /// assert_eq!(y.value().at(&[0, 0, 0, 0, 0]), 90.0);
    /// ```
    ///
    /// # Panics
    /// If there are not five axes, the channels do not fit, or the kernel is larger than the padded
    /// volume.
    #[track_caller]
    pub fn conv3d(self, weight: Self, bias: Option<Self>, conv: &VolumeConv) -> Self {
        let tape = self.tape;
        tape.same_tape("conv3d", weight.tape);
        if let Some(bias) = bias {
            tape.same_tape("conv3d", bias.tape);
        }
        let (x, w, bias_shape) = (self.shape(), weight.shape(), bias.map(Self::shape));
        let parts = self.fits(VolumeImages::of_conv(&x, &w, bias_shape.as_deref(), conv));
        let x = self.permute(&[0, 2, 1, 3, 4]);
        let x = parts.map.iter().fold(x, |x, map| x.map_axis(1, map));
        let x = x.reshape(parts.apart).permute(&[0, 1, 3, 2, 4]).reshape(parts.images);
        let weight = weight.permute(&[0, 2, 1, 3, 4]).reshape(parts.weight);
        let y = x.conv2d(weight, bias, &parts.conv);
        y.reshape(parts.result).permute(&[0, 2, 1, 3, 4])
    }

    /// Returns the transposed convolution of volumes [N, C, D, H, W] with a weight
    /// [C, O / groups, kd, kh, kw]: [N, O, D′, H′, W′]. It is [`conv_transpose2d`](Var::conv_transpose2d) with a
    /// third axis, and the adjoint of [`conv3d`](Var::conv3d) with respect to its volumes.
    ///
    /// # Panics
    /// If there are not five axes, the channels do not fit, the output padding is too large, or the
    /// result would have an empty axis.
    #[track_caller]
    pub fn conv_transpose3d(
        self,
        weight: Self,
        bias: Option<Self>,
        conv: &VolumeConv,
        output_padding: [usize; 3],
    ) -> Self {
        let (op, tape) = ("conv_transpose3d", self.tape);
        tape.same_tape(op, weight.tape);
        let (x, w, bias_shape) = (self.shape(), weight.shape(), bias.map(Self::shape));
        let bias_shape = bias_shape.as_deref();
        let parts = VolumeImages::of_transposed(&x, &w, bias_shape, conv, output_padding);
        let parts = self.fits(parts);
        let [_, above, beside] = output_padding;
        let x = self.permute(&[0, 2, 1, 3, 4]).reshape(parts.images);
        let weight = weight.permute(&[0, 2, 1, 3, 4]).reshape(parts.weight);
        let y = x.conv_transpose2d(weight, None, &parts.conv, [above, beside]);
        let y = y.reshape(parts.apart).permute(&[0, 1, 3, 2, 4]).reshape(parts.result);
        let y = parts.map.iter().fold(y, |y, map| y.map_axis_transposed(1, map));
        let y = y.permute(&[0, 2, 1, 3, 4]);
        let Some(bias) = bias else { return y };
        tape.same_tape(op, bias.tape);
        y + bias.reshape(&[-1, 1, 1, 1])
    }

    /// Returns the transposed convolution, the adjoint of [`conv2d`](Var::conv2d) with respect to its
    /// image. It maps [N, C, H, W], with a weight [C, O / groups, kh, kw] and an optional bias \[O\], to
    /// [N, O, H′, W′] with H′ = (H − 1)·stride − padding before and after + dilation·(kh − 1) + output
    /// padding + 1.
    ///
    /// A stride above 1 enlarges images. Several image sizes then have a convolution of size H. The
    /// output padding selects one of them: it is added to the size at the end. It must be less than the
    /// stride or less than the dilation, as in PyTorch.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Conv, Tensor};
    /// let tape = Tape::new();
    /// let small = tape.constant(Tensor::ones(&[1, 4, 5, 7]));
    /// let weight = tape.watch(Tensor::ones(&[4, 2, 2, 2]));
    /// let conv = Conv::new().stride(2);
    /// assert_eq!(small.conv_transpose2d(weight, None, &conv, [0, 0]).shape(), [1, 2, 10, 14]);
    /// assert_eq!(small.conv_transpose2d(weight, None, &conv, [0, 1]).shape(), [1, 2, 10, 15]);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, the channels do not fit, the output padding is too large, or the
    /// result would have an empty axis.
    #[track_caller]
    pub fn conv_transpose2d(
        self,
        weight: Self,
        bias: Option<Self>,
        conv: &Conv,
        output_padding: [usize; 2],
    ) -> Self {
        let tape = self.tape;
        tape.same_tape("conv_transpose2d", weight.tape);
        let bias_shape = bias.map(Self::shape);
        let shape = self.fits(shapes::conv_transpose2d(
            &self.shape(),
            &weight.shape(),
            bias_shape.as_deref(),
            conv,
            output_padding,
        ));
        // The adjoint needs `output_padding < stride`. Larger paddings are appended to the input as
        // whole rows of zeros.
        let [h, w] = [0, 1].map(|side| (0, output_padding[side] / conv.stride[side]));
        let operands = [self.pad(&[(0, 0), (0, 0), h, w], 0.0), weight];
        let y = tape.apply(Op::Conv(Input(tape.geometry(conv))), &operands, shape);
        let Some(bias) = bias else { return y };
        tape.same_tape("conv_transpose2d", bias.tape);
        y + bias.reshape(&[-1, 1, 1])
    }

    /// Returns the transposed convolution of signals [N, C, L] with a weight [C, O / groups, k]: [N, O,
    /// L′]. It is [`conv_transpose2d`](Var::conv_transpose2d) with the second number of each pair of
    /// `conv`.
    ///
    /// # Panics
    /// Under the conditions of [`conv_transpose2d`](Var::conv_transpose2d), with three axes.
    #[track_caller]
    pub fn conv_transpose1d(
        self,
        weight: Self,
        bias: Option<Self>,
        conv: &Conv,
        output_padding: usize,
    ) -> Self {
        let shape = bias.map(Self::shape);
        let rule = shapes::conv_transpose1d(
            &self.shape(),
            &weight.shape(),
            shape.as_deref(),
            conv,
            output_padding,
        );
        self.fits(rule);
        let (x, weight, conv) = (self.unsqueeze(2), weight.unsqueeze(2), conv.of_signals());
        x.conv_transpose2d(weight, bias, &conv, [0, output_padding]).squeeze(2)
    }
}
