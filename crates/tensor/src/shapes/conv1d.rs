//! Convolution of signals: that of images of height 1.

use super::{Rule, ensure, shape_of};
use crate::conv::Conv;
use crate::shape::Shape;

/// The shape of the convolution of a batch of signals `[N, C, L]` with a weight `[O, C/groups, k]` and
/// perhaps a bias `[O]`: `[N, O, L']`. Of `conv`'s pairs the second counts.
///
/// ```
/// use wengert_tensor::{Conv, shapes::conv1d};
/// let shape = conv1d(&[8, 3, 100], &[16, 3, 9], Some(&[16]), &Conv::new().stride(2));
/// assert_eq!(shape.unwrap(), [8, 16, 46]);
/// ```
///
/// # Errors
/// As [`conv2d`](super::conv2d).
pub fn conv1d(x: &[usize], weight: &[usize], bias: Option<&[usize]>, conv: &Conv) -> Rule {
    let [x, weight] = as_images("conv1d", x, weight, "channels, channels of a group, k")?;
    of_images("conv1d", super::conv2d(&x, &weight, bias, &conv.of_signals()))
}

/// The shape of the transposed convolution of `[N, I, L]` with a weight `[I, O/groups, k]` and
/// perhaps a bias `[O]`: `[N, O, L']`. Of `conv`'s pairs the second counts.
///
/// ```
/// use wengert_tensor::{Conv, shapes::conv_transpose1d};
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
) -> Rule {
    let op = "conv_transpose1d";
    let [x, weight] = as_images(op, x, weight, "channels of the input, channels of a group, k")?;
    let conv = conv.of_signals();
    of_images(op, super::conv_transpose2d(&x, &weight, bias, &conv, [0, output_padding]))
}

fn as_images(op: &str, x: &[usize], weight: &[usize], axes: &str) -> Rule<[Shape; 2]> {
    ensure(x.len() == 3, || {
        let mend = match x.len() {
            1 => "; a signal becomes a batch with unsqueeze(0).unsqueeze(0)",
            2 => "; one signal becomes a batch with unsqueeze(0), channels with unsqueeze(1)",
            4 => "; images go to conv2d",
            _ => "",
        };
        format!("{op}: input {x:?} has {} axes, wanted are [N, C, L]{mend}", x.len())
    })?;
    ensure(weight.len() == 3, || {
        format!("{op}: weight {weight:?} has {} axes, wanted are 3: {axes}", weight.len())
    })?;
    let high = |shape: &[usize]| Ok::<_, String>(shape_of(op, shape)?.inserted(2, 1));
    Ok([high(x)?, high(weight)?])
}

fn of_images(op: &str, rule: Rule) -> Rule {
    let shape = rule.map_err(|why| format!("{op}: as images of height 1: {why}"))?;
    Ok(shape.removed(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_what_does_not_fit() {
        let conv = Conv::default();
        assert_eq!(
            conv1d(&[8, 3, 100], &[16, 4, 9], None, &conv).unwrap_err(),
            "conv1d: as images of height 1: conv2d: input [8, 3, 1, 100] has 3 channels, weight \
             [16, 4, 1, 9] with groups 1 wants 4; a weight [16, 3, 1, 9] would fit"
        );
        assert_eq!(
            conv1d(&[8, 100], &[16, 8, 9], None, &conv).unwrap_err(),
            "conv1d: input [8, 100] has 2 axes, wanted are [N, C, L]; one signal becomes a batch \
             with unsqueeze(0), channels with unsqueeze(1)"
        );
        assert_eq!(
            conv_transpose1d(&[8, 3, 100], &[3, 4], None, &conv, 0).unwrap_err(),
            "conv_transpose1d: weight [3, 4] has 2 axes, wanted are 3: channels of the input, \
             channels of a group, k"
        );
        let huge = conv1d(&[2, 2, usize::MAX], &[2, 2, 1], None, &conv);
        assert!(huge.unwrap_err().contains("can be counted"));
    }
}
