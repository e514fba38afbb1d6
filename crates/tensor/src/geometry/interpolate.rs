//! The options of resizing images: the new size and the interpolation mode.

use super::Pair;

/// The size of an image after interpolation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InterpolateSize {
    /// The new height and width.
    To([usize; 2]),
    /// Factors of the height and of the width. The new sizes are rounded down.
    By([f64; 2]),
}

/// The interpolation mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterpolateMode {
    /// The nearest pixel.
    Nearest,
    /// Linear interpolation between neighbouring pixels, along one axis and then the other.
    Bilinear {
        /// If true, the centres of the corner pixels of both images coincide; if false, the edges of the
        /// images coincide.
        align_corners: bool,
    },
}

/// The options of resizing images: the new size and the interpolation mode. The mode is
/// [`InterpolateMode::Nearest`] unless another is set.
///
/// Coordinates are those of PyTorch. Along an axis that is resized from n to m pixels, pixel o of the
/// result lies at o·n/m (nearest, rounded down), at (o + ½)·n/m - ½ (bilinear), or at
/// o·(n - 1)/(m - 1) (bilinear with aligned corners). If a scale factor s is given, 1/s replaces n/m. The
/// two differ where n·s is not an integer.
///
/// ```
/// use wengert::tensor::{Interpolate, Tensor};
/// let x = Tensor::from([[1.0, 3.0]]).unsqueeze(0);
/// assert_eq!(x.interpolate(&Interpolate::scale(2.0)).narrow(1, 0, 1).to_vec(), [1.0, 1.0, 3.0, 3.0]);
/// let wide = Interpolate::size([1, 4]).bilinear();
/// assert_eq!(x.interpolate(&wide).to_vec(), [1.0, 1.5, 2.5, 3.0]);
/// let wide = Interpolate::size([1, 3]).bilinear().align_corners(true);
/// assert_eq!(x.interpolate(&wide).to_vec(), [1.0, 2.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interpolate {
    /// The new size.
    pub to: InterpolateSize,
    /// The interpolation mode.
    pub mode: InterpolateMode,
}

impl Interpolate {
    /// Resizes to this height and width: `14` for both, or `[14, 20]`.
    pub fn size(size: impl Into<Pair>) -> Self {
        Interpolate { to: InterpolateSize::To(size.into().0), mode: InterpolateMode::Nearest }
    }

    /// Resizes height and width by this factor.
    pub fn scale(scale: f64) -> Self {
        Self::scales([scale; 2])
    }

    /// Resizes by these factors of the height and of the width.
    pub fn scales(scales: [f64; 2]) -> Self {
        Interpolate { to: InterpolateSize::By(scales), mode: InterpolateMode::Nearest }
    }

    /// Sets the mode to bilinear interpolation, without aligned corners.
    #[must_use]
    pub fn bilinear(self) -> Self {
        Interpolate { mode: InterpolateMode::Bilinear { align_corners: false }, ..self }
    }

    /// Sets the mode to bilinear interpolation. If `align_corners` is true, the centres of the corner pixels
    /// of both images coincide.
    #[must_use]
    pub fn align_corners(self, align_corners: bool) -> Self {
        Interpolate { mode: InterpolateMode::Bilinear { align_corners }, ..self }
    }
}
