//! Checks of a layer's input, made before its first operation runs.

use wengert_autograd::Var;
use wengert_tensor::{Float, Tensor};

/// Reports a shape error if the axes or the channels of the input do not fit the layer. `axes`
/// holds the names of the axes; the channels are the second.
#[track_caller]
pub(crate) fn check_channels<T: Float>(op: &str, axes: &str, x: Var<'_, T>, channels: usize) {
    let (shape, rank) = (x.shape(), axes.split(", ").count());
    if shape.rank() == rank && shape[1] == channels {
        return;
    }
    let hint = match *shape {
        [c, ..] if shape.rank() == rank - 1 && c == channels => {
            " (for one sample, add the batch axis with unsqueeze(0))"
        }
        [..] if shape.rank() == rank - 1 && channels == 1 => {
            " (for one channel, add the channel axis with unsqueeze(1))"
        }
        [.., c] if shape.rank() == rank && c == channels => {
            " (the channels are on the last axis: move them to axis 1 with permute)"
        }
        [_, n] if n > 0 && n.is_multiple_of(channels) && rank > 2 => {
            " (the samples are flat: restore their axes with reshape)"
        }
        _ => "",
    };
    let expected = axes.replacen('C', &channels.to_string(), 1);
    x.tape().shape_error(format!("{op}: expected [{expected}], got {shape}{hint}"))
}

/// Reports a shape error if the last axes of the input do not have these sizes. Returns these axes,
/// counted from the end.
#[track_caller]
pub(crate) fn check_last_axes<T: Float>(op: &str, x: Var<'_, T>, sizes: &[usize]) -> Vec<isize> {
    let shape = x.shape();
    if !shape.ends_with(sizes) {
        let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
        let sizes = sizes.join(", ");
        x.tape().shape_error(format!("{op}: expected […, {sizes}], got {shape}"))
    }
    (-(sizes.len() as isize)..0).collect()
}

/// Panics if the bias does not have one value per row of the weight.
#[track_caller]
pub(crate) fn check_bias<T: Float>(op: &str, weight: &Tensor<T>, bias: Option<&Tensor<T>>) {
    let shape = weight.shape();
    let Some(got) = bias.map(Tensor::shape).filter(|bias| **bias != shape[..1]) else { return };
    panic!("{op}: a weight {shape} requires a bias [{}], got {got}", shape[0])
}
