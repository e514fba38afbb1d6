//! The options of convolutions and pools over volumes: those of images, with the depth as a third axis.

use super::conv::same;
use super::{Conv, Padding, Pair, Pool};
use crate::layout::ShapeResult;
use std::fmt;

/// One number for each of the axes D, H and W of a volume: `2` is 2 along all three, `[1, 2, 2]` is 1 along D.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Triple(pub [usize; 3]);

impl From<usize> for Triple {
    fn from(all: usize) -> Self {
        Triple([all; 3])
    }
}
impl From<[usize; 3]> for Triple {
    fn from(each: [usize; 3]) -> Self {
        Triple(each)
    }
}

/// The options of a convolution over volumes: stride, padding, dilation and groups. [`Conv`] holds those of
/// images and signals.
///
/// ```
/// use wengert::tensor::VolumeConv;
/// let conv = VolumeConv::new().stride([1, 2, 2]).padding(1);
/// assert_eq!((conv.stride, conv.padding), ([1, 2, 2], [(1, 1); 3]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VolumeConv {
    /// The stride: the distance between neighbouring windows, along D, H and W.
    pub stride: [usize; 3],
    /// The padding: the number of zeros (before, after) the volume, along D, H and W.
    pub padding: [(usize, usize); 3],
    /// The dilation: the distance between neighbouring kernel elements, along D, H and W.
    pub dilation: [usize; 3],
    /// The number of groups of channels. Each output channel sees only the input channels of its group.
    pub groups: usize,
}

impl Default for VolumeConv {
    /// Returns stride 1, no padding, dilation 1 and one group.
    fn default() -> Self {
        VolumeConv { stride: [1; 3], padding: [(0, 0); 3], dilation: [1; 3], groups: 1 }
    }
}

/// The options of images, for volumes of depth 1.
impl From<Conv> for VolumeConv {
    fn from(conv: Conv) -> Self {
        let ([sh, sw], [h, w], [dh, dw]) = (conv.stride, conv.padding, conv.dilation);
        VolumeConv {
            stride: [1, sh, sw],
            padding: [(0, 0), h, w],
            dilation: [1, dh, dw],
            groups: conv.groups,
        }
    }
}

impl VolumeConv {
    /// Returns the default options: stride 1, no padding, dilation 1, one group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the stride: the distance between neighbouring windows.
    #[must_use]
    pub fn stride(self, stride: impl Into<Triple>) -> Self {
        VolumeConv { stride: stride.into().0, ..self }
    }

    /// Sets the padding: the number of zeros both before and after the volume.
    #[must_use]
    pub fn padding(self, padding: impl Into<Triple>) -> Self {
        self.padding_each(padding.into().0.map(|n| (n, n)))
    }

    /// Sets the padding before and after the volume, along D, H and W.
    #[must_use]
    pub fn padding_each(self, padding: [(usize, usize); 3]) -> Self {
        VolumeConv { padding, ..self }
    }

    /// Sets the dilation: the distance between neighbouring kernel elements.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Triple>) -> Self {
        VolumeConv { dilation: dilation.into().0, ..self }
    }

    /// Sets the number of groups. Each output channel sees only the input channels of its group.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        VolumeConv { groups, ..self }
    }

    /// Returns the options along the height and the width, as those of images.
    ///
    /// ```
    /// use wengert::tensor::{Conv, VolumeConv};
    /// let conv = VolumeConv::new().stride([3, 2, 1]).groups(2);
    /// assert_eq!(conv.of_images(), Conv::new().stride([2, 1]).groups(2));
    /// ```
    pub fn of_images(&self) -> Conv {
        let ([_, sh, sw], [_, h, w], [_, dh, dw]) = (self.stride, self.padding, self.dilation);
        Conv { stride: [sh, sw], padding: [h, w], dilation: [dh, dw], groups: self.groups }
    }
}

/// The padding around the volumes of a convolution, as the user writes it. [`Padding`] is that of images.
///
/// ```
/// use wengert::tensor::VolumePadding;
/// assert_eq!(VolumePadding::from(2), VolumePadding::Each([(2, 2); 3]));
/// assert_eq!(VolumePadding::from([0, 1, 1]), VolumePadding::Each([(0, 0), (1, 1), (1, 1)]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum VolumePadding {
    /// No padding: every window lies within the volume.
    #[default]
    Valid,
    /// As much padding as keeps the size of the volume. If the number is odd, the larger half comes after the
    /// volume. The stride must be 1.
    Same,
    /// The number of zeros (before, after) the volume, along D, H and W.
    Each([(usize, usize); 3]),
}

impl From<usize> for VolumePadding {
    fn from(all: usize) -> Self {
        VolumePadding::Each([(all, all); 3])
    }
}
impl From<[usize; 3]> for VolumePadding {
    fn from(each: [usize; 3]) -> Self {
        VolumePadding::Each(each.map(|n| (n, n)))
    }
}
impl From<[(usize, usize); 3]> for VolumePadding {
    fn from(each: [(usize, usize); 3]) -> Self {
        VolumePadding::Each(each)
    }
}

/// The padding of images, for volumes of depth 1.
impl From<Padding> for VolumePadding {
    fn from(padding: Padding) -> Self {
        match padding {
            Padding::Valid => VolumePadding::Valid,
            Padding::Same => VolumePadding::Same,
            Padding::Each([h, w]) => VolumePadding::Each([(0, 0), h, w]),
        }
    }
}

/// Prints the padding as the user writes it: `same`, `2`, `[2, 1, 0]`, `[(2, 1), (0, 0), (0, 0)]`.
impl fmt::Display for VolumePadding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VolumePadding::Valid => f.write_str("valid"),
            VolumePadding::Same => f.write_str("same"),
            VolumePadding::Each(each) if each.iter().any(|(a, b)| a != b) => write!(f, "{each:?}"),
            VolumePadding::Each([(d, _), (h, _), (w, _)]) if d == h && h == w => write!(f, "{d}"),
            VolumePadding::Each(each) => write!(f, "{:?}", each.map(|(n, _)| n)),
        }
    }
}

impl VolumePadding {
    /// Returns the padding in numbers for a kernel of this size and the stride and dilation of `conv`:
    /// (before, after) the volume, along D, H and W.
    ///
    /// ```
    /// use wengert::tensor::{VolumeConv, VolumePadding};
    /// let conv = VolumeConv::new().dilation([1, 1, 2]);
    /// assert_eq!(VolumePadding::Same.around([3, 2, 4], &conv).unwrap(), [(1, 1), (0, 1), (3, 3)]);
    /// assert!(VolumePadding::Same.around([3, 2, 4], &conv.stride(2)).is_err());
    /// ```
    ///
    /// # Errors
    /// If the padding is `Same` and the stride is not 1.
    pub fn around(self, kernel: [usize; 3], conv: &VolumeConv) -> ShapeResult<[(usize, usize); 3]> {
        match self {
            VolumePadding::Valid => Ok([(0, 0); 3]),
            VolumePadding::Each(each) => Ok(each),
            VolumePadding::Same => same(kernel, conv.stride, conv.dilation),
        }
    }
}

/// The options of pooling over volumes: the size and the positions of its windows, as (depth, height, width).
/// The number of windows along an axis is that of [`Pool`], which holds the options of images and signals.
///
/// ```
/// use wengert::tensor::{Tensor, VolumePool};
/// let volume = Tensor::arange(0.0, 16.0, 1.0).reshape(&[1, 1, 2, 2, 4]);
/// assert_eq!(volume.max_pool3d(&VolumePool::new(2)).to_vec(), [13.0, 15.0]);
/// let flat = VolumePool::new([1, 2, 2]).stride([1, 2, 1]);
/// assert_eq!(volume.max_pool3d(&flat).shape(), [1, 1, 2, 1, 3]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VolumePool {
    /// The size of a window.
    pub kernel: [usize; 3],
    /// The distance from one window to the next. The default is the size of a window.
    pub stride: [usize; 3],
    /// The padding before and after each axis: of -∞ for the maximum, of 0 for the average.
    pub padding: [(usize, usize); 3],
    /// The distance from one element of a window to the next. Average pooling requires 1.
    pub dilation: [usize; 3],
    /// Whether a last window may reach beyond the end of the padded axis.
    pub ceil_mode: bool,
    /// Whether the padding counts as elements of an average. Positions beyond the padding never count.
    pub count_include_pad: bool,
}

/// The options of images, for volumes of depth 1.
impl From<Pool> for VolumePool {
    fn from(pool: Pool) -> Self {
        let [h, w] = pool.padding;
        let deep = |[h, w]: [usize; 2]| [1, h, w];
        VolumePool {
            kernel: deep(pool.kernel),
            stride: deep(pool.stride),
            padding: [(0, 0), h, w],
            dilation: deep(pool.dilation),
            ceil_mode: pool.ceil_mode,
            count_include_pad: pool.count_include_pad,
        }
    }
}

impl VolumePool {
    /// Returns a pool with windows of this size side by side: the stride is the size of a window, without
    /// padding, dilation or `ceil_mode`, and averages count padding.
    pub fn new(kernel: impl Into<Triple>) -> Self {
        let kernel = kernel.into().0;
        VolumePool {
            kernel,
            stride: kernel,
            padding: [(0, 0); 3],
            dilation: [1; 3],
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// Sets the stride: the distance from one window to the next.
    #[must_use]
    pub fn stride(self, stride: impl Into<Triple>) -> Self {
        VolumePool { stride: stride.into().0, ..self }
    }

    /// Sets the padding on both sides of an axis.
    #[must_use]
    pub fn padding(self, padding: impl Into<Triple>) -> Self {
        self.padding_each(padding.into().0.map(|n| (n, n)))
    }

    /// Sets the padding before and after each axis: D, H and W.
    #[must_use]
    pub fn padding_each(self, padding: [(usize, usize); 3]) -> Self {
        VolumePool { padding, ..self }
    }

    /// Sets the dilation: the distance from one element of a window to the next.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Triple>) -> Self {
        VolumePool { dilation: dilation.into().0, ..self }
    }

    /// Sets whether a last window may reach beyond the end of the padded axis.
    #[must_use]
    pub fn ceil_mode(self, ceil_mode: bool) -> Self {
        VolumePool { ceil_mode, ..self }
    }

    /// Sets whether the padding counts as elements of an average.
    #[must_use]
    pub fn count_include_pad(self, count_include_pad: bool) -> Self {
        VolumePool { count_include_pad, ..self }
    }
}

/// The size along the last axes of images, as that of volumes of depth 1.
impl From<Pair> for Triple {
    fn from(Pair([h, w]): Pair) -> Self {
        Triple([1, h, w])
    }
}
