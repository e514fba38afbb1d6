//! Pooling: windows that slide over images, and linear maps along an axis.

use super::{ShapeResult, axis, ensure, shape_of};
use crate::geometry::{Pool, VolumePool};
use crate::layout::{MAX_SIZE, Shape};

/// Returns the shape of the result of pooling over the last two axes of images `[…, C, H, W]`.
///
/// ```
/// use wengert::tensor::{Pool, shapes::pool2d};
/// let pool = Pool::new([3, 2]).stride(2).padding([1, 0]);
/// assert_eq!(pool2d("max_pool2d", &[8, 6, 28, 27], &pool).unwrap(), [8, 6, 14, 13]);
/// let why = pool2d("max_pool2d", &[8, 6, 4, 1], &Pool::new(2)).unwrap_err();
/// assert!(why.contains("axis 3 of shape [8, 6, 4, 1] has size 1"));
/// ```
pub fn pool2d(op: &str, shape: &[usize], pool: &Pool) -> ShapeResult {
    slid(op, images(op, shape)?, shape, &(*pool).into())
}

/// Returns the shape of the result of pooling over the last three axes of volumes `[…, C, D, H, W]`.
///
/// ```
/// use wengert::tensor::{VolumePool, shapes::pool3d};
/// let pool = VolumePool::new([3, 2, 2]).stride(2).padding([1, 0, 0]);
/// assert_eq!(pool3d("max_pool3d", &[8, 6, 9, 28, 27], &pool).unwrap(), [8, 6, 5, 14, 13]);
/// ```
pub fn pool3d(op: &str, shape: &[usize], pool: &VolumePool) -> ShapeResult {
    slid(op, volumes(op, shape)?, shape, pool)
}

/// Returns the shape of the result of pooling over the last axis of signals `[…, C, L]`. It uses the second
/// number of each pair of the pool.
pub fn pool1d(op: &str, shape: &[usize], pool: &Pool) -> ShapeResult {
    slid(op, signals(op, shape)?, shape, &(*pool).into())
}

/// Returns the shape of the result of pooling over the axes from `at` on, which are the last of D, H and W.
fn slid(op: &str, at: usize, shape: &[usize], pool: &VolumePool) -> ShapeResult {
    let mut out = shape_of(op, shape)?;
    for axis in at..shape.len() {
        out[axis] = windows(op, shape, axis, pool, axis + 3 - shape.len())?;
    }
    shape_of(op, &out)
}

/// Checks that a pool has no dilation, which average pooling does not support.
pub fn no_dilation(op: &str, dilation: &[usize]) -> ShapeResult<()> {
    ensure(dilation.iter().all(|&step| step == 1), || {
        format!("{op}: average pooling has no dilation, got dilation {dilation:?}")
    })
}

/// Returns the shape of the result of pooling to a given number of windows over the last two axes.
pub fn adaptive_pool2d(op: &str, shape: &[usize], size: [usize; 2]) -> ShapeResult {
    covered(op, images(op, shape)?, shape, &size)
}

/// Returns the shape of the result of pooling to a given number of windows over the last three axes.
pub fn adaptive_pool3d(op: &str, shape: &[usize], size: [usize; 3]) -> ShapeResult {
    covered(op, volumes(op, shape)?, shape, &size)
}

/// Returns the shape of the result of pooling to a given number of windows over the last axis.
pub fn adaptive_pool1d(op: &str, shape: &[usize], size: usize) -> ShapeResult {
    covered(op, signals(op, shape)?, shape, &[size])
}

/// Returns the shape of the result of pooling to these numbers of windows over the axes from `at` on.
fn covered(op: &str, at: usize, shape: &[usize], size: &[usize]) -> ShapeResult {
    for axis in at..shape.len() {
        not_empty(op, shape, axis)?;
    }
    let mut out = shape_of(op, shape)?;
    out[at..].copy_from_slice(size);
    shape_of(op, &out)
}

/// Returns the shape of the result of reading one element of an image per index. The last two axes count
/// as one.
pub fn pick2d(op: &str, shape: &[usize], index: &[usize]) -> ShapeResult {
    let at = images(op, shape)?;
    ensure(index.len() == shape.len() && index[..at] == shape[..at], || {
        format!(
            "{op}: an index of shape {index:?} does not fit shape {shape:?}: all axes but the last \
             two must be equal"
        )
    })?;
    shape_of(op, index)
}

/// Returns the shape of images of this size to which elements are added at indices.
pub fn max_unpool2d(shape: &[usize], index: &[usize], size: [usize; 2]) -> ShapeResult {
    unpooled("max_unpool2d", images("max_unpool2d", shape)?, shape, index, &size)
}

/// Returns the shape of signals of this size to which elements are added at indices.
pub fn max_unpool1d(shape: &[usize], index: &[usize], size: usize) -> ShapeResult {
    unpooled("max_unpool1d", signals("max_unpool1d", shape)?, shape, index, &[size])
}

/// Returns the shape of volumes of this size to which elements are added at indices.
pub fn max_unpool3d(shape: &[usize], index: &[usize], size: [usize; 3]) -> ShapeResult {
    unpooled("max_unpool3d", volumes("max_unpool3d", shape)?, shape, index, &size)
}

fn unpooled(op: &str, at: usize, shape: &[usize], index: &[usize], size: &[usize]) -> ShapeResult {
    ensure(index == shape, || {
        format!(
            "{op}: the index and the elements must have the same shape, got {index:?} and {shape:?}"
        )
    })?;
    let mut out = shape_of(op, shape)?;
    out[at..].copy_from_slice(size);
    shape_of(op, &out)
}

/// Checks that every index lies within an image of this shape, whose last two axes count as one.
pub fn pick2d_range(op: &str, index: &[i64], shape: &[usize]) -> ShapeResult<()> {
    images(op, shape)?;
    unpool_range(op, index, shape, 2)
}

/// Checks that every index lies within a signal, image or volume of this shape, whose last `axes` axes count as
/// one.
pub(crate) fn unpool_range(
    op: &str,
    index: &[i64],
    shape: &[usize],
    axes: usize,
) -> ShapeResult<()> {
    let last = &shape[shape.len() - axes..];
    let size = last.iter().fold(1usize, |n, &size| n.saturating_mul(size));
    let place = match axes {
        1 => "the last axis",
        2 => "the last two axes",
        _ => "the last three axes",
    };
    let as_one = if axes > 1 { ", counted as one" } else { "" };
    // A negative number is out of range too: as `u64` it is a large number.
    match index.iter().find(|&&i| i as u64 >= size as u64) {
        None => Ok(()),
        Some(i) => Err(format!(
            "{op}: index {i} is out of range 0..{size} of {place} of shape {shape:?}{as_one}"
        )),
    }
}

/// Returns the axis to which a linear map between these sizes is applied, and the shape of the result.
pub fn map_axis(
    op: &str,
    shape: &[usize],
    named: isize,
    inputs: usize,
    outputs: usize,
) -> ShapeResult<(usize, Shape)> {
    let at = axis(op, named, shape)?;
    ensure(shape[at] == inputs, || {
        format!(
            "{op}: axis {named} of shape {shape:?} has size {}, but the map requires {inputs}",
            shape[at]
        )
    })?;
    let mut out = shape_of(op, shape)?;
    out[at] = outputs;
    Ok((at, shape_of(op, &out)?))
}

/// Returns the axis of the rows of images, the second to last.
pub(super) fn images(op: &str, shape: &[usize]) -> ShapeResult<usize> {
    ensure(shape.len() >= 3, || {
        let mend = match shape {
            [n, _] => format!("; reshape it to [{n}, C, H, W]?"),
            _ => String::new(),
        };
        format!("{op}: expected images [N, C, H, W] or [C, H, W], got shape {shape:?}{mend}")
    })?;
    Ok(shape.len() - 2)
}

/// Returns the axis of the depth of volumes, the third to last.
pub(super) fn volumes(op: &str, shape: &[usize]) -> ShapeResult<usize> {
    ensure(shape.len() >= 4, || {
        format!("{op}: expected volumes [N, C, D, H, W] or [C, D, H, W], got shape {shape:?}")
    })?;
    Ok(shape.len() - 3)
}

/// Returns the axis of signals, the last.
pub(super) fn signals(op: &str, shape: &[usize]) -> ShapeResult<usize> {
    ensure(shape.len() >= 2, || {
        format!("{op}: expected signals [N, C, L] or [C, L], got shape {shape:?}")
    })?;
    Ok(shape.len() - 1)
}

pub(super) fn not_empty(op: &str, shape: &[usize], axis: usize) -> ShapeResult<()> {
    ensure(shape[axis] > 0, || {
        format!(
            "{op}: axis {axis} of shape {shape:?} has size 0: a window needs at least one element"
        )
    })
}

/// Returns the number of windows along an axis.
fn windows(
    op: &str,
    shape: &[usize],
    axis: usize,
    pool: &VolumePool,
    side: usize,
) -> ShapeResult<usize> {
    let (n, kernel, stride) = (shape[axis], pool.kernel[side], pool.stride[side]);
    let ((before, after), dilation) = (pool.padding[side], pool.dilation[side]);
    let padding =
        if before == after { before.to_string() } else { format!("{before} and {after}") };
    for (name, number) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
        ensure(number > 0, || {
            format!("{op}: {name} must be at least 1, got 0 along axis {axis} of shape {shape:?}")
        })?;
    }
    ensure(before.max(after) <= kernel / 2, || {
        format!(
            "{op}: padding {padding} along axis {axis} of shape {shape:?} is more than half of kernel \
             {kernel}: at most {} is allowed",
            kernel / 2
        )
    })?;
    not_empty(op, shape, axis)?;
    let padded = before.checked_add(after).and_then(|border| border.checked_add(n));
    ensure(padded.is_some_and(|padded| padded <= MAX_SIZE), || {
        format!(
            "{op}: axis {axis} of shape {shape:?} with padding {padding} on both sides is too large: \
             no axis has more than {MAX_SIZE} indices"
        )
    })?;
    // In `i128`, because the options may be as large as `usize::MAX`.
    let [n, kernel, stride, before, after, dilation] =
        [n, kernel, stride, before, after, dilation].map(|x| x as i128);
    let span = dilation.saturating_mul(kernel - 1).saturating_add(1);
    let room = n + before + after - span;
    let up = if pool.ceil_mode { stride - 1 } else { 0 };
    let mut count = (room + up).div_euclid(stride) + 1;
    if pool.ceil_mode && (count - 1) * stride >= n + before {
        count -= 1;
    }
    // The first element that is not padding. It lies beyond the axis only if there is one window.
    let first = (dilation - before % dilation) % dilation;
    ensure(count > 0 && first < n, || {
        format!(
            "{op}: axis {axis} of shape {shape:?} has size {n}, too small for windows of {span} \
             (kernel {kernel}, dilation {dilation}, padding {padding}): pad it or take a smaller kernel"
        )
    })?;
    usize::try_from(count).map_err(|_| super::too_many(op, &shape))
}
