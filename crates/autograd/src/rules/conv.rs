//! Convolution. It is one trilinear form in image, weight and cotangent, ⟨conv(x, w), gy⟩: its three
//! partial derivatives are the members of this family, and the rule of each is the other two.

use super::call::{Call, Cotangents, Reads};
use crate::graph::{Op, Tape, Var, place_in};
use ConvOp::{Forward, Input, Weight};
use smallvec::{SmallVec, smallvec};
use wengert_tensor::{Conv, Float, Shape, Tensor, shapes};

/// Each with its geometry's place in a table of the tape. The size of the image and that of the
/// kernel are read from the node's own shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ConvOp {
    /// The image from x, w and, if there is a third operand, a bias per output channel.
    Forward(u32),
    /// The cotangent of x from gy and w: also the transposed convolution.
    Input(u32),
    /// The cotangent of w from x and gy.
    Weight(u32),
}

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
            Forward(place) => smallvec![
                c.wants(0).then(|| apply(Input(place), g, b, 0)),
                c.wants(1).then(|| apply(Weight(place), a, g, 1)),
                (c.arity() > 2 && c.wants(2)).then(|| g.sum(&[0, 2, 3], false)),
            ],
            Input(place) => smallvec![
                c.wants(0).then(|| apply(Forward(place), g, b, 0)),
                c.wants(1).then(|| apply(Weight(place), g, a, 1)),
            ],
            Weight(place) => smallvec![
                c.wants(0).then(|| apply(Input(place), b, g, 0)),
                c.wants(1).then(|| apply(Forward(place), a, g, 1)),
            ],
        }
    }
}

impl<T: Float> Tape<T> {
    /// The geometry's place in the table, which holds each once.
    pub(super) fn geometry(&self, conv: &Conv) -> u32 {
        place_in(&mut self.arena.borrow_mut().convs, *conv)
    }
}

/// Convolution, as it is called: cross-correlation in fact, as in PyTorch.
impl<'t, T: Float> Var<'t, T> {
    /// The convolution of images [N, C, H, W] with a weight [O, C / groups, kh, kw] and, if there is
    /// one, a bias \[O\] added to each pixel of its channel: [N, O, H′, W′] with
    ///
    /// y\[n, o, i, j\] = bias\[o\] + Σ w\[o, c, k, l\] · x\[n, c, i·stride + k·dilation − padding, …\]
    ///
    /// over the channels c of o's group and the places k, l of the kernel; outside x is zero.
    /// H′ = ⌊(H + padding before and after − dilation·(kh − 1) − 1) / stride⌋ + 1.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::{Conv, Tensor};
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

    /// [`conv2d`](Var::conv2d) of signals [N, C, L] with a weight [O, C / groups, k]: [N, O, L′].
    /// Of `conv`'s pairs the second counts.
    ///
    /// # Panics
    /// As [`conv2d`](Var::conv2d), with three axes.
    #[track_caller]
    pub fn conv1d(self, weight: Self, bias: Option<Self>, conv: &Conv) -> Self {
        let shape = bias.map(Self::shape);
        self.fits(shapes::conv1d(&self.shape(), &weight.shape(), shape.as_deref(), conv));
        let y = self.unsqueeze(2).conv2d(weight.unsqueeze(2), bias, &conv.of_signals());
        y.squeeze(2)
    }

    /// The transposed convolution, the adjoint of [`conv2d`](Var::conv2d) in its image: from
    /// [N, C, H, W], a weight [C, O / groups, kh, kw] and perhaps a bias \[O\] to [N, O, H′, W′] with
    /// H′ = (H − 1)·stride − padding before and after + dilation·(kh − 1) + output padding + 1.
    ///
    /// With a stride it enlarges images. Several sizes then have a convolution of size H; the output
    /// padding chooses among them: it is added to the size at the end. It is below the stride or
    /// below the dilation, as in PyTorch.
    ///
    /// ```
    /// # use wengert_autograd::Tape;
    /// # use wengert_tensor::{Conv, Tensor};
    /// let tape = Tape::new();
    /// let small = tape.constant(Tensor::ones(&[1, 4, 5, 7]));
    /// let weight = tape.watch(Tensor::ones(&[4, 2, 2, 2]));
    /// let conv = Conv::new().stride(2);
    /// assert_eq!(small.conv_transpose2d(weight, None, &conv, [0, 0]).shape(), [1, 2, 10, 14]);
    /// assert_eq!(small.conv_transpose2d(weight, None, &conv, [0, 1]).shape(), [1, 2, 10, 15]);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, the channels do not fit, the output padding is too large, or
    /// nothing would be left.
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
        // Only of a rest below the stride is the convolution of the result as large as the image: whole
        // strides are zeros behind it.
        let [h, w] = [0, 1].map(|side| (0, output_padding[side] / conv.stride[side]));
        let operands = [self.pad(&[(0, 0), (0, 0), h, w], 0.0), weight];
        let y = tape.apply(Op::Conv(Input(tape.geometry(conv))), &operands, shape);
        let Some(bias) = bias else { return y };
        tape.same_tape("conv_transpose2d", bias.tape);
        y + bias.reshape(&[-1, 1, 1])
    }

    /// [`conv_transpose2d`](Var::conv_transpose2d) of signals [N, C, L] with a weight
    /// [C, O / groups, k]: [N, O, L′]. Of `conv`'s pairs the second counts.
    ///
    /// # Panics
    /// As [`conv_transpose2d`](Var::conv_transpose2d), with three axes.
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
