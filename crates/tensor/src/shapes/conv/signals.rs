//! Convolutions of signals. The rules are those of images with one axis less.

use super::forward::convolution;
use super::operands::Space;
use super::transposed::transposed;
use crate::geometry::Conv;
use crate::shapes::ShapeResult;

/// Returns the shape `[N, O, L']` of the convolution of a batch of signals `[N, C, L]` with a weight
/// `[O, C/groups, k]` and an optional bias `[O]`. It uses the second number of each pair of `conv`.
///
/// ```
/// use wengert::tensor::{Conv, shapes::conv1d};
/// let shape = conv1d(&[8, 3, 100], &[16, 3, 9], Some(&[16]), &Conv::new().stride(2));
/// assert_eq!(shape.unwrap(), [8, 16, 46]);
/// ```
///
/// # Errors
/// As [`conv2d`](super::conv2d).
pub fn conv1d(x: &[usize], weight: &[usize], bias: Option<&[usize]>, conv: &Conv) -> ShapeResult {
    convolution(Space::signals("conv1d"), x, weight, bias, &(*conv).into())
}

/// Returns the shape `[N, O, L']` of the transposed convolution of `[N, I, L]` with a weight
/// `[I, O/groups, k]` and an optional bias `[O]`. It uses the second number of each pair of `conv`.
///
/// ```
/// use wengert::tensor::{Conv, shapes::conv_transpose1d};
/// let shape = conv_transpose1d(&[8, 16, 50], &[16, 3, 4], None, &Conv::new().stride(2), 1);
/// assert_eq!(shape.unwrap(), [8, 3, 103]);
/// ```
///
/// # Errors
/// As [`conv_transpose2d`](super::conv_transpose2d).
pub fn conv_transpose1d(
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &Conv,
    output_padding: usize,
) -> ShapeResult {
    let space = Space::signals("conv_transpose1d");
    transposed(space, x, weight, bias, &(*conv).into(), [0, 0, output_padding])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_argument_that_does_not_fit() {
        let conv = Conv::default();
        assert_eq!(
            conv1d(&[8, 3, 100], &[16, 4, 9], None, &conv).unwrap_err(),
            "conv1d: input [8, 3, 100] has 3 channels, weight [16, 4, 9] with groups 1 expects 4; a \
             weight [16, 3, 9] would fit"
        );
        assert_eq!(
            conv1d(&[8, 4, 3], &[16, 4, 5], None, &conv).unwrap_err(),
            "conv1d: input [8, 4, 3] has length 3, a kernel of 5 does not fit; pad the signal by 2 \
             more in all, or take a smaller kernel"
        );
        let wide = Conv::new().padding([9, 1]).dilation([9, 3]);
        assert_eq!(
            conv1d(&[8, 4, 7], &[16, 4, 4], None, &wide).unwrap_err(),
            "conv1d: input [8, 4, 7] has length 7, padded 9, a kernel of 4 with dilation 3 spans 10 \
             does not fit; pad the signal by 1 more in all, or take a smaller kernel"
        );
        assert_eq!(
            conv1d(&[8, 4, 7], &[16, 4, 4], None, &conv.stride([1, 0])).unwrap_err(),
            "conv1d: stride must be at least 1, got 0"
        );
        assert_eq!(
            conv1d(&[8, 100], &[16, 8, 9], None, &conv).unwrap_err(),
            "conv1d: input [8, 100] has 2 axes, expected [N, C, L]; one signal becomes a batch \
             with unsqueeze(0), channels with unsqueeze(1)"
        );
        assert_eq!(
            conv_transpose1d(&[8, 3, 100], &[3, 4], None, &conv, 0).unwrap_err(),
            "conv_transpose1d: weight [3, 4] has 2 axes, expected 3: channels of the input, \
             channels of a group, k"
        );
        assert_eq!(
            conv_transpose1d(&[8, 4, 9], &[4, 3, 2], None, &conv.stride([9, 2]), 2).unwrap_err(),
            "conv_transpose1d: output padding 2 of the length must be smaller than the stride 2 or \
             the dilation 1"
        );
        assert_eq!(
            conv_transpose1d(&[8, 4, 2], &[4, 3, 2], None, &conv.padding(2), 0).unwrap_err(),
            "conv_transpose1d: the result is empty: its length is 3 before padding (2, 2) crops 4"
        );
        assert_eq!(
            conv_transpose1d(&[8, 4, 0], &[4, 3, 2], None, &conv, 0).unwrap_err(),
            "conv_transpose1d: input [8, 4, 0] has no length"
        );
        let huge = conv1d(&[2, 2, usize::MAX], &[2, 2, 1], None, &conv);
        assert!(huge.unwrap_err().contains("a tensor can have"));
    }
}
