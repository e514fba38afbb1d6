//! Convolutions of volumes. They are computed as convolutions of images: the depth of the kernel becomes channels,
//! and the depth of the result becomes images (`axis_maps/volume.rs`).

use super::forward::{conv2d, convolution};
use super::operands::Space;
use super::transposed::{conv_transpose2d, transposed};
use crate::geometry::VolumeConv;
use crate::shapes::{ShapeResult, count, shape_of};

/// Returns the shape `[N, O, D', H', W']` of the convolution of a batch of volumes `[N, C, D, H, W]` with a weight
/// `[O, C/groups, kd, kh, kw]` and an optional bias `[O]`.
///
/// ```
/// use wengert::tensor::{VolumeConv, shapes::conv3d};
/// let conv = VolumeConv::new().stride([1, 2, 2]).padding(1);
/// let shape = conv3d(&[8, 3, 10, 28, 28], &[16, 3, 3, 3, 3], Some(&[16]), &conv);
/// assert_eq!(shape.unwrap(), [8, 16, 10, 14, 14]);
/// ```
///
/// # Errors
/// As [`conv2d`].
pub fn conv3d(
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &VolumeConv,
) -> ShapeResult {
    let op = "conv3d";
    let out = convolution(Space::volumes(op), x, weight, bias, conv)?;
    let (&[n, c, _, h, w], &[o, per_group, kd, kh, kw]) = (x, weight) else {
        unreachable!("the shapes fit")
    };
    // The images of the computation, whose channels are those of all depths of the kernel.
    let images = [count(op, &[n, out[2]])?, count(op, &[c, kd])?, h, w];
    let kernels = [o, count(op, &[per_group, kd])?, kh, kw];
    shape_of(op, &[n, count(op, &[out[2], kd])?, c, h, w])?;
    conv2d(&images, &kernels, bias, &conv.of_images()).map_err(|why| format!("{op}: {why}"))?;
    Ok(out)
}

/// Returns the shape `[N, O, D', H', W']` of the transposed convolution of `[N, I, D, H, W]` with a weight
/// `[I, O/groups, kd, kh, kw]` and an optional bias `[O]`.
///
/// ```
/// use wengert::tensor::{VolumeConv, shapes::conv_transpose3d};
/// let conv = VolumeConv::new().stride(2).padding(1);
/// let shape = conv_transpose3d(&[8, 16, 3, 7, 7], &[16, 4, 3, 3, 3], None, &conv, [1, 1, 0]);
/// assert_eq!(shape.unwrap(), [8, 4, 6, 14, 13]);
/// ```
///
/// # Errors
/// As [`conv_transpose2d`].
pub fn conv_transpose3d(
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &VolumeConv,
    output_padding: [usize; 3],
) -> ShapeResult {
    let op = "conv_transpose3d";
    let out = transposed(Space::volumes(op), x, weight, bias, conv, output_padding)?;
    let (&[n, c, d, h, w], &[i, per_group, kd, kh, kw]) = (x, weight) else {
        unreachable!("the shapes fit")
    };
    let images = [count(op, &[n, d])?, c, h, w];
    let kernels = [i, count(op, &[per_group, kd])?, kh, kw];
    let ([_, above, beside], conv) = (output_padding, conv.of_images());
    conv_transpose2d(&images, &kernels, None, &conv, [above, beside])
        .map_err(|why| format!("{op}: {why}"))?;
    shape_of(op, &[n, out[1], count(op, &[d, kd])?, out[3], out[4]])?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_axis_of_volumes() {
        let conv = VolumeConv::new();
        let why =
            |x: &[usize], w: &[usize], conv: &VolumeConv| conv3d(x, w, None, conv).unwrap_err();
        assert_eq!(
            why(&[2, 3, 2, 9, 9], &[4, 3, 3, 3, 3], &conv),
            "conv3d: input [2, 3, 2, 9, 9] has depth 2, a kernel of 3 does not fit; pad the volume by 1 more in \
             all, or take a smaller kernel"
        );
        assert_eq!(
            why(&[2, 3, 9, 9, 1], &[4, 3, 3, 3, 2], &conv.dilation([1, 1, 3]).padding([0, 0, 1])),
            "conv3d: input [2, 3, 9, 9, 1] has width 1, padded 3, a kernel of 2 with dilation 3 spans 4 does not \
             fit; pad the volume by 1 more in all, or take a smaller kernel"
        );
        assert_eq!(
            why(&[3, 9, 9, 9], &[4, 3, 3, 3, 3], &conv),
            "conv3d: input [3, 9, 9, 9] has 4 axes, expected [N, C, D, H, W]; one volume becomes a batch with \
             unsqueeze(0), one channel with unsqueeze(1)"
        );
        assert_eq!(
            why(&[2, 3, 9, 9, 9], &[4, 3, 3, 3], &conv),
            "conv3d: weight [4, 3, 3, 3] has 4 axes, expected 5: channels, channels of a group, kd, kh, kw"
        );
        assert_eq!(
            why(&[2, 6, 9, 9, 9], &[4, 3, 3, 3, 3], &conv),
            "conv3d: input [2, 6, 9, 9, 9] has 6 channels, weight [4, 3, 3, 3, 3] with groups 1 expects 3; did \
             you mean groups 2?"
        );
        assert_eq!(
            why(&[2, 3, 9, 9, 9], &[4, 3, 3, 3, 3], &conv.stride([2, 0, 1])),
            "conv3d: stride must be at least 1, got [2, 0, 1]"
        );
        assert_eq!(
            conv3d(&[2, 3, 9, 9, 9], &[4, 3, 3, 3, 3], Some(&[3]), &conv).unwrap_err(),
            "conv3d: bias [3] does not fit weight [4, 3, 3, 3, 3]: expected [4]"
        );
        let back = |x: &[usize], w: &[usize], conv: &VolumeConv, more| {
            conv_transpose3d(x, w, None, conv, more).unwrap_err()
        };
        assert_eq!(
            back(&[2, 3, 4, 4, 4], &[3, 2, 2, 2, 2], &conv, [1, 0, 0]),
            "conv_transpose3d: output padding 1 of the depth must be smaller than the stride 1 or the dilation 1"
        );
        assert_eq!(
            back(&[2, 4, 4, 4, 4], &[3, 4, 2, 2, 2], &conv, [0; 3]),
            "conv_transpose3d: input [2, 4, 4, 4, 4] has 4 channels, weight [3, 4, 2, 2, 2] expects 3; did you \
             mean the weight with its first two axes exchanged?"
        );
        assert_eq!(
            back(&[2, 3, 1, 4, 4], &[3, 2, 2, 2, 2], &conv.padding([1, 0, 0]), [0; 3]),
            "conv_transpose3d: the result is empty: its depth is 2 before padding (1, 1) crops 2"
        );
    }

    /// No rule panics, and no intermediate shape is larger than a tensor can be.
    #[test]
    fn sizes_that_cannot_be_counted_are_refused() {
        let sizes = [0, 1, 2, 3, 7, 1 << 31, usize::MAX / 2, usize::MAX];
        for a in sizes {
            for b in sizes {
                for (x, w) in
                    [([2, 1, a, b, 3], [1, 1, 2, 2, 2]), ([b, 2, 4, 4, 4], [2, 2, a, 2, 2])]
                {
                    for conv in [
                        VolumeConv::new(),
                        VolumeConv::new().stride([b, 1, a]).padding([a, b, 1]),
                        VolumeConv::new().dilation([a, 1, b]).padding([b, a, 0]),
                    ] {
                        drop(conv3d(&x, &w, None, &conv));
                        drop(conv_transpose3d(&x, &w, None, &conv, [0, a, b]));
                        drop(conv_transpose3d(&x, &w, None, &conv, [0; 3]));
                    }
                }
            }
        }
    }
}
