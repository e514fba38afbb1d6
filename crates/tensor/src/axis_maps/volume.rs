//! Convolutions of volumes as convolutions of images: the depths of a window become channels, and the positions of
//! the window along the depth become images.

use crate::geometry::{AxisMap, Conv, VolumeConv};
use crate::shapes::{self, ShapeResult};

/// The map along the depth and the shapes of which `conv3d` and `conv_transpose3d` consist, for the tape.
#[doc(hidden)]
pub struct VolumeImages {
    /// The map from the depth D of volumes `[N, D, C, H, W]` to D'·kd: the kd depths of the window at each of D'
    /// positions. `None` if it would change nothing.
    pub map: Option<AxisMap>,
    /// The weight with its taps along the depth as channels: `[O, kd·C/groups, kh, kw]`.
    pub weight: [isize; 4],
    /// The images after the map, with the groups apart: `[N, D', kd, groups, C/groups·H·W]`. If kd and groups are
    /// exchanged, the elements have the order of `images`.
    pub apart: [isize; 5],
    /// The images with the depths of a window as channels: `[N·D', C·kd, H, W]`.
    pub images: [isize; 4],
    /// The other operand of the map: the result `[N, D', O, H', W']` of `conv3d`, the input of the map of
    /// `conv_transpose3d`, `[N, D'·kd, O, H', W']`.
    pub result: [isize; 5],
    /// The options along the height and the width.
    pub conv: Conv,
}

/// Returns the map from `deep` depths to the `taps` depths of the window at each of `places` positions.
fn windows(deep: usize, places: usize, taps: usize, conv: &VolumeConv) -> Option<AxisMap> {
    let (stride, before) = (conv.stride[0], conv.padding[0].0 as isize);
    let at = |row: usize| {
        let (place, tap) = (row / taps, row % taps);
        (place * stride + tap * conv.dilation[0]) as isize - before
    };
    let rows = places * taps;
    if rows == deep && (0..rows).all(|row| at(row) == row as isize) {
        return None;
    }
    let inside = |at: &isize| (0..deep as isize).contains(at);
    Some(AxisMap::new(
        deep,
        (0..rows).map(|row| Some(at(row)).filter(inside).map(|i| (i as usize, 1.0))),
    ))
}

impl VolumeImages {
    /// Returns the parts of `conv3d`.
    #[allow(clippy::missing_errors_doc)] // a shape rule
    pub fn of_conv(
        x: &[usize],
        weight: &[usize],
        bias: Option<&[usize]>,
        conv: &VolumeConv,
    ) -> ShapeResult<Self> {
        let out = shapes::conv3d(x, weight, bias, conv)?;
        let (places, kd, groups) = (out[2], weight[2], conv.groups);
        let inner = x[1] / groups * x[3] * x[4];
        Ok(VolumeImages {
            map: windows(x[2], places, kd, conv),
            weight: signed([weight[0], kd * weight[1], weight[3], weight[4]]),
            apart: signed([x[0], places, kd, groups, inner]),
            images: signed([x[0] * places, x[1] * kd, x[3], x[4]]),
            result: signed([out[0], places, out[1], out[3], out[4]]),
            conv: conv.of_images(),
        })
    }

    /// Returns the parts of `conv_transpose3d`. The map is that of the convolution whose adjoint it is, from the
    /// depth of the result to that of `x`. `images` are those of `x`, and `apart` is the result of their
    /// transposed convolution: `[N, D, groups, kd, O/groups·H'·W']`.
    #[allow(clippy::missing_errors_doc)] // a shape rule
    pub fn of_transposed(
        x: &[usize],
        weight: &[usize],
        bias: Option<&[usize]>,
        conv: &VolumeConv,
        output_padding: [usize; 3],
    ) -> ShapeResult<Self> {
        let out = shapes::conv_transpose3d(x, weight, bias, conv, output_padding)?;
        let (kd, groups) = (weight[2], conv.groups);
        Ok(VolumeImages {
            map: windows(out[2], x[2], kd, conv),
            weight: signed([weight[0], kd * weight[1], weight[3], weight[4]]),
            apart: signed([x[0], x[2], groups, kd, weight[1] * out[3] * out[4]]),
            images: signed([x[0] * x[2], x[1], x[3], x[4]]),
            result: signed([out[0], x[2] * kd, out[1], out[3], out[4]]),
            conv: conv.of_images(),
        })
    }
}

fn signed<const N: usize>(sizes: [usize; N]) -> [isize; N] {
    sizes.map(|n| n as isize)
}
