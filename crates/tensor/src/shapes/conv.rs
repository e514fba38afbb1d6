//! Convolutions of images: the shapes of images, weights and gradients that fit together.

use super::{Rule, ensure, product, shape_of, too_many};
use crate::geometry::Conv;
use std::ops::Range;

/// The kind of data over which the kernel moves; messages name it.
#[derive(Clone, Copy)]
pub(super) struct Space {
    op: &'static str,
    thing: &'static str,
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

    /// Returns the positions of the axes in the pairs of a [`Conv`]. Signals use the second.
    fn sides(self) -> Range<usize> {
        2 - self.axes.len()..2
    }

    fn axis(self, side: usize) -> &'static str {
        self.axes[self.axes.len() + side - 2]
    }

    /// Returns the position of the axis in a shape.
    fn at(self, side: usize) -> usize {
        self.axes.len() + side
    }
}

/// Returns the shape `[N, O, H', W']` of the convolution of a batch of images `[N, C, H, W]` with a weight
/// `[O, C/groups, kh, kw]` and an optional bias `[O]`. Along each axis
/// `H' = ⌊(H + before + after - dilation·(kh - 1) - 1) / stride⌋ + 1`.
///
/// ```
/// use wengert::tensor::{Conv, shapes::conv2d};
/// let same = Conv { padding: [(2, 2); 2], ..Conv::default() };
/// assert_eq!(conv2d(&[64, 1, 28, 28], &[6, 1, 5, 5], Some(&[6]), &same).unwrap(), [64, 6, 28, 28]);
/// let why = conv2d(&[64, 3, 28, 28], &[6, 1, 5, 5], None, &same).unwrap_err();
/// assert!(why.contains("input [64, 3, 28, 28] has 3 channels"));
/// ```
///
/// # Errors
/// If an operand has a wrong number of axes, the channels differ or are not divisible by the number of
/// groups, a stride, dilation, kernel size or the number of groups is zero, or the padded image is smaller
/// than the kernel.
pub fn conv2d(x: &[usize], weight: &[usize], bias: Option<&[usize]>, conv: &Conv) -> Rule {
    convolution(Space::images("conv2d"), x, weight, bias, conv)
}

pub(super) fn convolution(
    space: Space,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &Conv,
) -> Rule {
    let op = space.op;
    let [_, c] = batch(space, "input", x)?;
    let [o, per_group] = kernels(space, "channels", weight, conv)?;
    let groups = conv.groups;
    ensure(per_group.checked_mul(groups) == Some(c), || {
        let wanted = per_group.saturating_mul(groups);
        let mend = if per_group > 0
            && c.is_multiple_of(per_group)
            && o.is_multiple_of(c / per_group)
            && c > 0
        {
            format!("; did you mean groups {}?", c / per_group)
        } else if c.is_multiple_of(groups) {
            let mut fitting = weight.to_vec();
            fitting[1] = c / groups;
            format!("; a weight {fitting:?} would fit")
        } else {
            String::new()
        };
        format!(
            "{op}: input {x:?} has {c} channels, weight {weight:?} with groups {groups} expects {wanted}{mend}"
        )
    })?;
    check_bias(op, weight, bias, o)?;
    let mut out = shape_of(op, x)?;
    out[1] = o;
    // The kernels store padded images in buffers: some images as they are, or one image by the phases of the
    // stride (`kernels/conv/planes.rs`).
    let mut images = out;
    images[1] = o.max(c);
    let mut planes = images;
    planes[0] = 1;
    for side in space.sides() {
        let at = space.at(side);
        out[at] = windows(space, x, x[at], weight[at], side, conv)?;
        images[at] = padded(op, x[at], side, conv)?;
        let (stride, dilation) = (conv.stride[side], conv.dilation[side]);
        planes[at] = plane(x[at], images[at], weight[at], stride, dilation);
    }
    ensure(product(&images).is_some() && product(&planes).is_some(), || {
        format!(
            "{op}: input {x:?} with padding {:?} is too large: as {:?} it has more elements than a tensor can have",
            &conv.padding[space.sides()],
            &images[2..],
        )
    })?;
    shape_of(op, &out)
}

/// Returns the largest number of pixels that the kernels store for an axis of one image, all phases of the
/// stride together. `padded` is at least 1, and the dilated kernel fits.
///
/// The convolution reads min(stride, kernel) phases or fewer. With `H'` windows, a phase has
/// `H' + ⌊dilation·(kernel - 1)/stride⌋` pixels, which is at most `⌊(padded - 1)/stride⌋ + 1`. The gradient with
/// respect to the input has one phase, as long as a phase of the input, `⌈size/stride⌉`, and the distance between
/// the furthest taps, `⌈dilation·(kernel - 1)/stride⌉`.
fn plane(size: usize, padded: usize, kernel: usize, stride: usize, dilation: usize) -> usize {
    // No overflow: `padded` is at most `isize::MAX`, and not smaller than `reach + 1`, `kernel` and `size`.
    let reach = dilation * (kernel - 1);
    let phases = stride.min(kernel) * ((padded - 1) / stride + 1);
    phases.max(size.div_ceil(stride) + reach.div_ceil(stride))
}

/// Returns the shape `[N, O, H', W']` of the transposed convolution of `[N, I, H, W]` with a weight
/// `[I, O/groups, kh, kw]` and an optional bias `[O]`. Along each axis
/// `H' = (H - 1)·stride - before - after + dilation·(kh - 1) + output_padding + 1`.
///
/// ```
/// use wengert::tensor::{Conv, shapes::conv_transpose2d};
/// let conv = Conv { stride: [2, 2], padding: [(1, 1); 2], ..Conv::default() };
/// let shape = conv_transpose2d(&[8, 16, 7, 7], &[16, 4, 3, 3], None, &conv, [1, 1]);
/// assert_eq!(shape.unwrap(), [8, 4, 14, 14]);
/// ```
///
/// # Errors
/// If an operand has a wrong number of axes, the channels differ or are not divisible by the number of
/// groups, a stride, dilation, kernel size or the number of groups is zero, the output padding is neither
/// smaller than the stride nor smaller than the dilation, or the result would have no pixels.
pub fn conv_transpose2d(
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &Conv,
    output_padding: [usize; 2],
) -> Rule {
    transposed(Space::images("conv_transpose2d"), x, weight, bias, conv, output_padding)
}

pub(super) fn transposed(
    space: Space,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
    conv: &Conv,
    output_padding: [usize; 2],
) -> Rule {
    let op = space.op;
    let [_, c] = batch(space, "input", x)?;
    let [i, per_group] = kernels(space, "channels of the input", weight, conv)?;
    ensure(c == i, || {
        let mend = if per_group.checked_mul(conv.groups) == Some(c) {
            "; did you mean the weight with its first two axes exchanged?"
        } else {
            ""
        };
        format!("{op}: input {x:?} has {c} channels, weight {weight:?} expects {i}{mend}")
    })?;
    let o = per_group.checked_mul(conv.groups).ok_or_else(|| too_many(op, weight))?;
    check_bias(op, weight, bias, o)?;
    let mut out = shape_of(op, x)?;
    out[1] = o;
    for side in space.sides() {
        let (stride, dilation) = (conv.stride[side], conv.dilation[side]);
        let more = output_padding[side];
        ensure(more < stride.max(dilation), || {
            format!(
                "{op}: output padding {more} of the {} must be smaller than the stride {stride} or the \
                 dilation {dilation}",
                space.axis(side)
            )
        })?;
        let at = space.at(side);
        out[at] = spread(space, x, x[at], weight[at], side, conv, more)?;
    }
    shape_of(op, &out)
}

/// Returns the shape `[N, C, H, W]` of the gradient of a convolution with respect to its input, for a
/// gradient `[N, O, H', W']` of its result and a weight `[O, C/groups, kh, kw]`. `size` is H and W.
///
/// # Errors
/// As [`conv2d`], or if `gy` does not have the shape of the convolution of such images.
pub fn conv2d_input(gy: &[usize], weight: &[usize], size: [usize; 2], conv: &Conv) -> Rule {
    let op = "conv2d_input";
    let [n, o] = batch(Space::images(op), "gradient", gy)?;
    let [_, per_group] = kernels(Space::images(op), "channels", weight, conv)?;
    ensure(o == weight[0], || {
        format!("{op}: gradient {gy:?} has {o} channels, weight {weight:?} expects {}", weight[0])
    })?;
    let c = per_group.checked_mul(conv.groups).ok_or_else(|| too_many(op, weight))?;
    let x = shape_of(op, &[n, c, size[0], size[1]])?;
    check_result(op, gy, &x, weight, conv)?;
    Ok(x)
}

/// Returns the shape `[O, C/groups, kh, kw]` of the gradient of a convolution with respect to its weight,
/// for an input `[N, C, H, W]` and a gradient `[N, O, H', W']` of its result. `kernel` is kh and kw.
///
/// # Errors
/// As [`conv2d`], or if `gy` does not have the shape of the convolution with such a weight.
pub fn conv2d_weight(x: &[usize], gy: &[usize], kernel: [usize; 2], conv: &Conv) -> Rule {
    let op = "conv2d_weight";
    let [_, c] = batch(Space::images(op), "input", x)?;
    let [_, o] = batch(Space::images(op), "gradient", gy)?;
    let groups = conv.groups;
    ensure(groups > 0, || format!("{op}: groups must be at least 1, got 0"))?;
    ensure(c.is_multiple_of(groups), || {
        format!("{op}: the {c} channels of input {x:?} do not divide into {groups} groups")
    })?;
    let weight = shape_of(op, &[o, c / groups, kernel[0], kernel[1]])?;
    kernels(Space::images(op), "channels", &weight, conv)?;
    check_result(op, gy, x, &weight, conv)?;
    Ok(weight)
}

/// Checks that `gy` has the shape of the result.
fn check_result(op: &str, gy: &[usize], x: &[usize], weight: &[usize], conv: &Conv) -> Rule<()> {
    let result = conv2d(x, weight, None, conv).map_err(|why| format!("{op}: {why}"))?;
    ensure(*result == *gy, || {
        format!(
            "{op}: gradient {gy:?} does not belong to input {x:?} and weight {weight:?}, whose \
             result has shape {result}"
        )
    })
}

/// Returns the number of samples and of channels of a batch.
fn batch(space: Space, what: &str, shape: &[usize]) -> Rule<[usize; 2]> {
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
        _ => "",
    };
    Err(format!("{op}: {what} {shape:?} has {} axes, expected {}{mend}", shape.len(), space.batch))
}

/// Returns the first two sizes of a weight: its channels, and its channels per group. Checks that `conv` has
/// valid options for it.
fn kernels(space: Space, first: &str, weight: &[usize], conv: &Conv) -> Rule<[usize; 2]> {
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

fn check_bias(op: &str, weight: &[usize], bias: Option<&[usize]>, channels: usize) -> Rule<()> {
    ensure(bias.is_none_or(|bias| bias == [channels]), || {
        format!(
            "{op}: bias {:?} does not fit weight {weight:?}: expected [{channels}]",
            bias.unwrap_or_default()
        )
    })
}

/// Returns the number of positions of a window along an axis.
pub(super) fn windows(
    space: Space,
    x: &[usize],
    size: usize,
    kernel: usize,
    side: usize,
    conv: &Conv,
) -> Rule<usize> {
    let op = space.op;
    let ((before, after), dilation) = (conv.padding[side], conv.dilation[side]);
    let span = span(op, kernel, dilation)?;
    let padded = padded(op, size, side, conv)?;
    ensure(padded >= span, || {
        let border = if before + after > 0 { format!(", padded {padded}") } else { String::new() };
        let dilated = if dilation > 1 {
            format!(" with dilation {dilation} spans {span}")
        } else {
            String::new()
        };
        format!(
            "{op}: input {x:?} has {} {size}{border}, a kernel of {kernel}{dilated} does not fit; \
             pad the {} by {} more in all, or take a smaller kernel",
            space.axis(side),
            space.thing,
            span - padded
        )
    })?;
    Ok((padded - span) / conv.stride[side] + 1)
}

/// Returns the size of an axis with its padding.
fn padded(op: &str, size: usize, side: usize, conv: &Conv) -> Rule<usize> {
    let (before, after) = conv.padding[side];
    before
        .checked_add(after)
        .and_then(|border| border.checked_add(size))
        .filter(|&padded| isize::try_from(padded).is_ok())
        .ok_or_else(|| format!("{op}: padding {:?} is too large", conv.padding[side]))
}

/// Returns the size of the result of a transposed convolution along an axis on which the input has `size`
/// elements.
fn spread(
    space: Space,
    x: &[usize],
    size: usize,
    kernel: usize,
    side: usize,
    conv: &Conv,
    more: usize,
) -> Rule<usize> {
    let (op, axis) = (space.op, space.axis(side));
    let (before, after) = conv.padding[side];
    let span = span(op, kernel, conv.dilation[side])?;
    ensure(size > 0, || format!("{op}: input {x:?} has no {axis}"))?;
    let counted = || {
        let steps = (size - 1).checked_mul(conv.stride[side])?;
        let full = steps.checked_add(span)?.checked_add(more)?;
        Some((full, before.checked_add(after)?))
    };
    let (full, border) = counted().ok_or_else(|| too_many(op, x))?;
    ensure(full > border, || {
        format!(
            "{op}: the result is empty: its {axis} is {full} before padding {:?} crops {border}",
            conv.padding[side]
        )
    })?;
    Ok(full - border)
}

/// Returns the extent of a kernel with dilation: the distance from its first to its last element, plus 1.
fn span(op: &str, kernel: usize, dilation: usize) -> Rule<usize> {
    (kernel - 1)
        .checked_mul(dilation)
        .and_then(|reach| reach.checked_add(1))
        .filter(|&span| isize::try_from(span).is_ok())
        .ok_or_else(|| format!("{op}: a kernel of {kernel} with dilation {dilation} is too large"))
}

#[cfg(test)]
mod tests {
    use super::super::{conv_transpose1d, conv1d};
    use super::*;

    fn why<R: std::fmt::Debug>(rule: Rule<R>) -> String {
        rule.unwrap_err()
    }

    #[test]
    fn output_sizes_agree_with_pytorch() {
        let conv = |stride, padding: (usize, usize), dilation| Conv {
            stride: [stride, 1],
            padding: [padding, (0, 0)],
            dilation: [dilation, 1],
            groups: 1,
        };
        // size, kernel, stride, padding, dilation: as torch.nn.functional.conv2d.
        for (size, kernel, stride, padding, dilation, out) in [
            (28, 5, 1, (2, 2), 1, 28),
            (32, 3, 2, (1, 1), 1, 16),
            (7, 3, 2, (0, 0), 1, 3),
            (8, 3, 2, (0, 0), 1, 3),
            (8, 1, 2, (0, 0), 1, 4),
            (9, 3, 1, (0, 1), 4, 2),
            (1, 3, 5, (1, 1), 1, 1),
        ] {
            let conv = conv(stride, padding, dilation);
            let shape = conv2d(&[2, 3, size, 4], &[5, 3, kernel, 4], Some(&[5]), &conv).unwrap();
            assert_eq!(shape, [2, 5, out, 1], "{size} {kernel} {conv:?}");
            assert_eq!(
                conv2d_input(&shape, &[5, 3, kernel, 4], [size, 4], &conv).unwrap(),
                [2, 3, size, 4]
            );
            assert_eq!(
                conv2d_weight(&[2, 3, size, 4], &shape, [kernel, 4], &conv).unwrap(),
                [5, 3, kernel, 4]
            );
        }
        let conv = Conv { stride: [2, 3], padding: [(1, 1), (0, 1)], ..Conv::default() };
        let shape = conv_transpose2d(&[1, 4, 5, 7], &[4, 6, 3, 2], None, &conv, [1, 0]);
        assert_eq!(shape.unwrap(), [1, 6, 10, 19]);
        let conv = Conv { dilation: [3, 2], ..Conv::default() };
        let shape = conv_transpose2d(&[1, 4, 5, 7], &[4, 6, 3, 2], None, &conv, [2, 1]);
        assert_eq!(shape.unwrap(), [1, 6, 13, 10]);
    }

    #[test]
    fn messages_name_the_argument_that_does_not_fit() {
        let one = Conv::default();
        let x = [64, 3, 28, 28];
        assert_eq!(
            why(conv2d(&x, &[6, 1, 5, 5], None, &one)),
            "conv2d: input [64, 3, 28, 28] has 3 channels, weight [6, 1, 5, 5] with groups 1 expects 1; did you mean groups 3?"
        );
        assert_eq!(
            why(conv2d(&x, &[8, 1, 5, 5], None, &one)),
            "conv2d: input [64, 3, 28, 28] has 3 channels, weight [8, 1, 5, 5] with groups 1 expects 1; a weight [8, 3, 5, 5] would fit"
        );
        assert_eq!(
            why(conv2d(&[3, 28, 28], &[6, 3, 5, 5], None, &one)),
            "conv2d: input [3, 28, 28] has 3 axes, expected [N, C, H, W]; one image becomes a \
             batch with unsqueeze(0)"
        );
        assert_eq!(
            why(conv2d(&[1, 3, 4, 28], &[6, 3, 5, 5], None, &one)),
            "conv2d: input [1, 3, 4, 28] has height 4, a kernel of 5 does not fit; pad the image by \
             1 more in all, or take a smaller kernel"
        );
        let wide = Conv { dilation: [1, 20], padding: [(1, 1); 2], ..one };
        assert_eq!(
            why(conv2d(&x, &[6, 3, 3, 3], None, &wide)),
            "conv2d: input [64, 3, 28, 28] has width 28, padded 30, a kernel of 3 with dilation 20 \
             spans 41 does not fit; pad the image by 11 more in all, or take a smaller kernel"
        );
        assert_eq!(
            why(conv2d(&x, &[6, 3, 3, 3], Some(&[1, 6]), &one)),
            "conv2d: bias [1, 6] does not fit weight [6, 3, 3, 3]: expected [6]"
        );
        assert_eq!(
            why(conv2d(&x, &[6, 3, 3, 3], None, &Conv { stride: [0, 1], ..one })),
            "conv2d: stride must be at least 1, got [0, 1]"
        );
        assert_eq!(
            why(conv2d(&x, &[5, 1, 3, 3], None, &Conv { groups: 3, ..one })),
            "conv2d: the 5 channels of weight [5, 1, 3, 3] do not divide into 3 groups"
        );
        assert_eq!(
            why(conv_transpose2d(&[1, 4, 5, 5], &[3, 4, 2, 2], None, &one, [0, 0])),
            "conv_transpose2d: input [1, 4, 5, 5] has 4 channels, weight [3, 4, 2, 2] expects 3; did \
             you mean the weight with its first two axes exchanged?"
        );
        assert_eq!(
            why(conv_transpose2d(&[1, 4, 5, 5], &[4, 4, 2, 2], None, &one, [0, 1])),
            "conv_transpose2d: output padding 1 of the width must be smaller than the stride 1 or the \
             dilation 1"
        );
        assert_eq!(
            why(conv2d_input(&[1, 6, 5, 5], &[6, 3, 3, 3], [8, 7], &one)),
            "conv2d_input: gradient [1, 6, 5, 5] does not belong to input [1, 3, 8, 7] and weight \
             [6, 3, 3, 3], whose result has shape [1, 6, 6, 5]"
        );
    }

    /// Guards against a former fault: the buffer of one image was bounded by 36 batches, so with addresses of 32
    /// bits batches of more than 15 MB were refused.
    #[test]
    fn a_padded_batch_that_fills_the_address_space_is_permitted() {
        let images = 20_000;
        let x = [images, 6, 28, 28];
        let same = Conv::new().padding(2);
        assert_eq!(conv2d(&x, &[6, 6, 5, 5], None, &same).unwrap(), x);
        let stride = same.stride(2);
        assert_eq!(conv2d(&x, &[6, 6, 5, 5], None, &stride).unwrap(), [images, 6, 14, 14]);
    }

    /// Compares the bound with the lengths by their definitions: the phases of the convolution and the furthest
    /// shift in one, and the phases of the input with the distances of their taps in the gradient.
    #[test]
    fn bounds_of_planes_are_at_least_their_lengths() {
        let mut tight = 0;
        for (size, before, after) in [(1, 0, 0), (1, 3, 2), (7, 0, 0), (8, 2, 1), (13, 1, 4)] {
            for (kernel, dilation) in
                [(1, 1), (1, 9), (2, 1), (2, 5), (3, 1), (3, 2), (5, 1), (4, 3)]
            {
                for stride in [1, 2, 3, 4, 7, 40] {
                    let (padded, reach) = (before + size + after, dilation * (kernel - 1));
                    if reach >= padded {
                        continue;
                    }
                    let windows = (padded - reach - 1) / stride + 1;
                    let taps = || (0..kernel).map(|tap| tap * dilation);
                    let mut phases: Vec<_> = taps().map(|at| at % stride).collect();
                    phases.sort_unstable();
                    phases.dedup();
                    let furthest = taps().map(|at| at / stride).max().unwrap();
                    let forward = phases.len() * (windows + furthest);

                    // Input pixel `first + i·stride` is read through this tap by window `i + distance`.
                    let distances = |first: usize| {
                        taps().filter_map(move |at| {
                            let window = (first + before) as isize - at as isize;
                            let stride = stride as isize;
                            (window.rem_euclid(stride) == 0).then(|| window.div_euclid(stride))
                        })
                    };
                    let firsts = || 0..stride.min(size);
                    let least = firsts().flat_map(distances).min().unwrap_or(0);
                    let input = firsts().flat_map(|first| {
                        let pixels = (size - first).div_ceil(stride);
                        distances(first).map(move |distance| pixels + (distance - least) as usize)
                    });
                    let longest = forward.max(input.max().unwrap_or(0));
                    let bound = plane(size, padded, kernel, stride, dilation);
                    assert!(
                        bound >= longest,
                        "{bound} {longest}: {size} {before} {after} {kernel} {dilation} {stride}"
                    );
                    tight += usize::from(bound == longest);
                }
            }
        }
        assert!(tight > 50, "{tight}");
    }

    /// Tests the largest and smallest numbers of their types. An overflow panics in tests.
    #[test]
    fn shape_rules_of_convolutions_return_errors_at_extreme_sizes() {
        let sizes = [0, 1, 2, isize::MAX as usize, usize::MAX];
        let shapes: [&[usize]; 10] = [
            &[],
            &[3],
            &[2, 4, 5],
            &[4, 2, 3],
            &[4, 2, usize::MAX],
            &[2, 4, 5, 5],
            &[0, 4, 5, 5],
            &[2, 4, usize::MAX, 1],
            &[4, 2, 3, 3],
            &[4, 2, 1, usize::MAX],
        ];
        for a in sizes {
            for b in sizes {
                let convs = [
                    Conv { stride: [a, b], ..Conv::default() },
                    Conv { padding: [(a, b), (b, a)], ..Conv::default() },
                    Conv { dilation: [a, b], groups: a, ..Conv::default() },
                    Conv { padding: [(0, a); 2], dilation: [b, b], groups: 2, stride: [2, 2] },
                ];
                for conv in &convs {
                    for x in shapes {
                        for w in shapes {
                            drop((conv2d(x, w, Some(x), conv), conv2d(x, w, None, conv)));
                            drop(conv_transpose2d(x, w, None, conv, [a, b]));
                            drop(conv_transpose2d(x, w, None, conv, [0, 0]));
                            drop((conv1d(x, w, None, conv), conv_transpose1d(x, w, None, conv, a)));
                            drop(conv2d_input(x, w, [a, b], conv));
                            drop(conv2d_weight(x, w, [a, b], conv));
                        }
                    }
                }
            }
        }
    }
}
