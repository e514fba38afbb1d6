//! How images get another size.

use super::Pair;

/// How large an image becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InterpolateSize {
    /// Height and width.
    To([usize; 2]),
    /// So many times its height and width, rounded down.
    By([f64; 2]),
}

/// Between which pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterpolateMode {
    /// The nearest pixel.
    Nearest,
    /// Straight lines between pixels, along one axis and then the other.
    Bilinear {
        /// Whether the centres of the outer pixels stay where they are; without, the edges do.
        align_corners: bool,
    },
}

/// How images get another size, with PyTorch's coordinates. By the nearest pixel if nothing else is
/// said.
///
/// Of m pixels of the result along an axis of n, number o lies at o·n/m (nearest, rounded down), at
/// (o + ½)·n/m - ½ (bilinear), or at o·(n - 1)/(m - 1) (bilinear with aligned corners). If a scale s
/// is given, 1/s stands for n/m, which differs where n·s is no whole number.
///
/// ```
/// use wengert_tensor::{Interpolate, Tensor};
/// let x = Tensor::from([[1.0, 3.0]]).unsqueeze(0);
/// assert_eq!(x.interpolate(&Interpolate::scale(2.0)).narrow(1, 0, 1).to_vec(), [1.0, 1.0, 3.0, 3.0]);
/// let wide = Interpolate::size([1, 4]).bilinear();
/// assert_eq!(x.interpolate(&wide).to_vec(), [1.0, 1.5, 2.5, 3.0]);
/// let wide = Interpolate::size([1, 3]).bilinear().align_corners(true);
/// assert_eq!(x.interpolate(&wide).to_vec(), [1.0, 2.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interpolate {
    /// How large.
    pub to: InterpolateSize,
    /// Between which pixels.
    pub mode: InterpolateMode,
}

impl Interpolate {
    /// To this height and width: `14`, or `[14, 20]`.
    pub fn size(size: impl Into<Pair>) -> Self {
        Interpolate { to: InterpolateSize::To(size.into().0), mode: InterpolateMode::Nearest }
    }

    /// To so many times height and width.
    pub fn scale(scale: f64) -> Self {
        Self::scales([scale; 2])
    }

    /// To so many times the height, and so many times the width.
    pub fn scales(scales: [f64; 2]) -> Self {
        Interpolate { to: InterpolateSize::By(scales), mode: InterpolateMode::Nearest }
    }

    /// By straight lines between pixels.
    #[must_use]
    pub fn bilinear(self) -> Self {
        Interpolate { mode: InterpolateMode::Bilinear { align_corners: false }, ..self }
    }

    /// Bilinear, and whether the centres of the outer pixels stay where they are.
    #[must_use]
    pub fn align_corners(self, align_corners: bool) -> Self {
        Interpolate { mode: InterpolateMode::Bilinear { align_corners }, ..self }
    }
}
