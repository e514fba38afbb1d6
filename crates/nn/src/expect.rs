//! Checks of a layer's input, made before its first operation runs.

use wengert_autograd::Var;
use wengert_tensor::Float;

/// Reports a shape error if the axes or the channels of the input do not fit the layer. `axes`
/// holds the names of the axes; the channels are the second.
#[track_caller]
pub(crate) fn check_channels<T: Float>(op: &str, axes: &str, x: Var<'_, T>, channels: usize) {
    let (shape, rank) = (x.shape(), axes.split(", ").count());
    if shape.rank() == rank && shape[1] == channels {
        return;
    }
    let mend = match *shape {
        [c, ..] if shape.rank() == rank - 1 && c == channels => {
            " (one sample becomes a batch with unsqueeze(0))"
        }
        [..] if shape.rank() == rank - 1 && channels == 1 => {
            " (the one channel is an axis with unsqueeze(1))"
        }
        [.., c] if shape.rank() == rank && c == channels => {
            " (the channels stand last: move them to axis 1 with permute first)"
        }
        [_, n] if n > 0 && n.is_multiple_of(channels) && rank > 2 => {
            " (flat samples: reshape them first)"
        }
        _ => "",
    };
    let wanted = axes.replacen('C', &channels.to_string(), 1);
    x.tape().shape_error(format!("{op}: expected [{wanted}], got {shape}{mend}"))
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
