//! The operands of a convolution: batches, weights and biases of images or signals, and their axes.

use crate::geometry::VolumeConv;
use crate::shapes::{ShapeResult, ensure, shape_of};
use std::ops::Range;

/// The kind of data over which the kernel moves; messages name it. Options are given as those of volumes, of which
/// images use the last two axes, and signals the last.
#[derive(Clone, Copy)]
pub struct Space {
    pub op: &'static str,
    pub thing: &'static str,
    axes: &'static [&'static str],
    batch: &'static str,
    kernel: &'static str,
}

impl Space {
    pub fn images(op: &'static str) -> Self {
        let (thing, axes) = ("image", &["height", "width"]);
        Space { op, thing, axes, batch: "[N, C, H, W]", kernel: "kh, kw" }
    }

    pub fn signals(op: &'static str) -> Self {
        Space { op, thing: "signal", axes: &["length"], batch: "[N, C, L]", kernel: "k" }
    }

    pub fn volumes(op: &'static str) -> Self {
        let (thing, axes) = ("volume", &["depth", "height", "width"]);
        Space { op, thing, axes, batch: "[N, C, D, H, W]", kernel: "kd, kh, kw" }
    }

    /// Returns the positions of the axes in the arrays of a [`VolumeConv`].
    pub fn sides(self) -> Range<usize> {
        3 - self.axes.len()..3
    }

    pub fn axis(self, side: usize) -> &'static str {
        self.axes[self.axes.len() + side - 3]
    }

    /// Returns the position of the axis in a shape.
    pub fn at(self, side: usize) -> usize {
        self.axes.len() + side - 1
    }
}

/// Returns the number of samples and of channels of a batch.
pub fn batch(space: Space, what: &str, shape: &[usize]) -> ShapeResult<[usize; 2]> {
    let op = space.op;
    if let &[n, c, ..] = shape
        && shape.len() == 2 + space.axes.len()
    {
        shape_of(op, shape)?;
        return Ok([n, c]);
    }
    let mend = match (space.thing, shape.len()) {
        ("image", 3) => "; one image becomes a batch with unsqueeze(0)",
        ("image", 2) => "; one grey image becomes a batch with unsqueeze(0).unsqueeze(0)",
        ("signal", 1) => "; a signal becomes a batch with unsqueeze(0).unsqueeze(0)",
        ("signal", 2) => {
            "; one signal becomes a batch with unsqueeze(0), channels with unsqueeze(1)"
        }
        ("signal", 4) => "; images go to conv2d",
        ("volume", 4) => {
            "; one volume becomes a batch with unsqueeze(0), one channel with unsqueeze(1)"
        }
        _ => "",
    };
    Err(format!("{op}: {what} {shape:?} has {} axes, expected {}{mend}", shape.len(), space.batch))
}

/// Returns the first two sizes of a weight: its channels, and its channels per group. Checks that `conv` has
/// valid options for it.
pub fn kernels(
    space: Space,
    first: &str,
    weight: &[usize],
    conv: &VolumeConv,
) -> ShapeResult<[usize; 2]> {
    let (op, sides) = (space.op, space.sides());
    let (&[o, per_group, ref kernel @ ..], true) = (weight, weight.len() == 2 + sides.len()) else {
        return Err(format!(
            "{op}: weight {weight:?} has {} axes, expected {}: {first}, channels of a group, {}",
            weight.len(),
            2 + sides.len(),
            space.kernel
        ));
    };
    shape_of(op, weight)?;
    let (stride, dilation) = (&conv.stride[sides.clone()], &conv.dilation[sides]);
    for (name, numbers) in [("stride", stride), ("dilation", dilation), ("kernel", kernel)] {
        ensure(!numbers.contains(&0), || match numbers {
            [number] => format!("{op}: {name} must be at least 1, got {number}"),
            _ => format!("{op}: {name} must be at least 1, got {numbers:?}"),
        })?;
    }
    let groups = conv.groups;
    ensure(groups > 0, || format!("{op}: groups must be at least 1, got 0"))?;
    ensure(o.is_multiple_of(groups), || {
        format!("{op}: the {o} channels of weight {weight:?} do not divide into {groups} groups")
    })?;
    Ok([o, per_group])
}

pub fn check_bias(
    op: &str,
    weight: &[usize],
    bias: Option<&[usize]>,
    channels: usize,
) -> ShapeResult<()> {
    ensure(bias.is_none_or(|bias| bias == [channels]), || {
        format!(
            "{op}: bias {:?} does not fit weight {weight:?}: expected [{channels}]",
            bias.unwrap_or_default()
        )
    })
}
