//! The check of the input of a model of images.

use crate::prelude::*;

/// Reports a shape error if the input is not a batch of images with this number of channels and
/// this height and width; `None` allows any size. The check runs before anything is computed.
/// Without the check, strides and pooling would silently drop the last row of a larger image, and
/// the output would describe only a part of it.
#[track_caller]
pub(in crate::models) fn check_images<T: Float>(
    model: &str,
    x: Var<'_, T>,
    channels: usize,
    side: Option<usize>,
) {
    let fits = |size: usize| side.is_none_or(|side| size == side);
    let shape = x.shape();
    let hint = match *shape {
        [_, c, h, w] if c == channels && fits(h) && fits(w) => return,
        [_, c, _, _] if c == channels => " (resize, pad or crop the images first)",
        [_, h, w, c] if c == channels && fits(h) && fits(w) => {
            " (the channels are on the last axis: move them to axis 1 with permute)"
        }
        [c, h, w] if c == channels && fits(h) && fits(w) => {
            " (for one sample, add the batch axis with unsqueeze(0))"
        }
        [_, h, w] if channels == 1 && fits(h) && fits(w) => {
            " (for one channel, add the channel axis with unsqueeze(1))"
        }
        [_, n] if side.is_some_and(|side| n == channels * side * side) => {
            " (the samples are flat: restore their axes with reshape)"
        }
        _ => "",
    };
    let size = side.map_or("H, W".into(), |side| format!("{side}, {side}"));
    x.tape().shape_error(format!("{model}: expected [N, {channels}, {size}], got {shape}{hint}"))
}
