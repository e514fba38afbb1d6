//! The options of a convolution: stride, padding, dilation, groups.

use crate::layout::ShapeResult;
use std::fmt;

/// The options of a convolution: stride, padding, dilation and groups.
///
/// ```
/// use wengert::tensor::Conv;
/// let same = Conv { padding: [(1, 1), (1, 1)], ..Conv::default() };
/// assert_eq!(same.stride, [1, 1]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Conv {
    /// The stride: the distance between neighbouring windows in pixels, along H and along W.
    pub stride: [usize; 2],
    /// The padding: the number of zeros (before, after) the image, along H and along W.
    pub padding: [(usize, usize); 2],
    /// The dilation: the distance between neighbouring kernel elements in pixels, along H and along W.
    pub dilation: [usize; 2],
    /// The number of groups. Channels are split into groups; each output channel sees only the input
    /// channels of its group.
    pub groups: usize,
}

impl Default for Conv {
    /// Returns stride 1, no padding, dilation 1 and one group.
    fn default() -> Self {
        Conv { stride: [1; 2], padding: [(0, 0); 2], dilation: [1; 2], groups: 1 }
    }
}

/// One number for each of the axes H and W: `2` is 2 along both, `[2, 1]` is 2 along H and 1 along W.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Pair([both; 2])
    }
}
impl From<[usize; 2]> for Pair {
    fn from(each: [usize; 2]) -> Self {
        Pair(each)
    }
}

/// The padding around the images of a convolution, as the user writes it.
///
/// ```
/// use wengert::tensor::Padding;
/// assert_eq!(Padding::from(2), Padding::Each([(2, 2), (2, 2)]));
/// assert_eq!(Padding::from([0, 1]), Padding::Each([(0, 0), (1, 1)]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Padding {
    /// No padding: every window lies within the image.
    #[default]
    Valid,
    /// As much padding as keeps the size of the image. If the number is odd, the larger half comes after
    /// the image. The stride must be 1.
    Same,
    /// The number of zeros (before, after) the image, along H and along W.
    Each([(usize, usize); 2]),
}

impl From<usize> for Padding {
    fn from(all: usize) -> Self {
        Padding::Each([(all, all); 2])
    }
}
impl From<[usize; 2]> for Padding {
    fn from(each: [usize; 2]) -> Self {
        Padding::Each(each.map(|n| (n, n)))
    }
}
impl From<[(usize, usize); 2]> for Padding {
    fn from(each: [(usize, usize); 2]) -> Self {
        Padding::Each(each)
    }
}

/// Prints the padding as the user writes it: `same`, `2`, `[2, 1]`, `[(2, 1), (0, 0)]`.
impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Padding::Valid => f.write_str("valid"),
            Padding::Same => f.write_str("same"),
            Padding::Each([(a, b), (c, d)]) if a == b && b == c && c == d => write!(f, "{a}"),
            Padding::Each([(a, b), (c, d)]) if a == b && c == d => write!(f, "[{a}, {c}]"),
            Padding::Each(each) => write!(f, "{each:?}"),
        }
    }
}

impl Padding {
    /// Returns the padding in numbers for a kernel of this size and the stride and dilation of `conv`:
    /// (before, after) the image, along H and along W.
    ///
    /// ```
    /// use wengert::tensor::{Conv, Padding};
    /// let (same, conv) = (Padding::Same, Conv::new().dilation([1, 2]));
    /// assert_eq!(same.around([5, 4], &conv).unwrap(), [(2, 2), (3, 3)]);
    /// assert_eq!(same.around([4, 1], &conv).unwrap(), [(1, 2), (0, 0)]);
    /// assert!(same.around([5, 4], &conv.stride(2)).is_err());
    /// ```
    ///
    /// # Errors
    /// If the padding is `Same` and the stride is not 1.
    pub fn around(self, kernel: [usize; 2], conv: &Conv) -> ShapeResult<[(usize, usize); 2]> {
        match self {
            Padding::Valid => Ok([(0, 0); 2]),
            Padding::Each(each) => Ok(each),
            Padding::Same => same(kernel, conv.stride, conv.dilation),
        }
    }
}

/// Returns the padding that keeps the size along each axis.
pub(super) fn same<const N: usize>(
    kernel: [usize; N],
    stride: [usize; N],
    dilation: [usize; N],
) -> ShapeResult<[(usize, usize); N]> {
    if stride != [1; N] {
        return Err(format!(
            "padding: `Same` needs stride 1, got stride {stride:?}; give the padding in numbers"
        ));
    }
    Ok(std::array::from_fn(|axis| {
        let all = dilation[axis].saturating_mul(kernel[axis].saturating_sub(1));
        (all / 2, all - all / 2)
    }))
}

impl Conv {
    /// Returns the default options: stride 1, no padding, dilation 1, one group.
    ///
    /// ```
    /// use wengert::tensor::Conv;
    /// let conv = Conv::new().stride(2).padding([1, 0]).groups(4);
    /// assert_eq!(conv, Conv { stride: [2, 2], padding: [(1, 1), (0, 0)], dilation: [1, 1], groups: 4 });
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the stride: the distance between neighbouring windows in pixels.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        Conv { stride: stride.into().0, ..self }
    }

    /// Sets the padding: the number of zeros both before and after the image.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        Conv { padding: padding.into().0.map(|n| (n, n)), ..self }
    }

    /// Sets the dilation: the distance between neighbouring kernel elements in pixels.
    #[must_use]
    pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
        Conv { dilation: dilation.into().0, ..self }
    }

    /// Sets the number of groups. Each output channel sees only the input channels of its group.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Conv { groups, ..self }
    }

    /// Returns the options for signals, treated as images of height 1: the options along H are set to
    /// stride 1, no padding and dilation 1.
    #[must_use]
    pub fn of_signals(self) -> Self {
        let [_, padding] = self.padding;
        Conv {
            stride: [1, self.stride[1]],
            padding: [(0, 0), padding],
            dilation: [1, self.dilation[1]],
            ..self
        }
    }
}
