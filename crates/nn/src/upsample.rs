//! Images in another size, as a layer.

use crate::layer::Layer;
use std::fmt;
use wengert_autograd::{FirstState, Module, Outline, Path, See, SeeMut, Var};
use wengert_tensor::{Float, Interpolate, InterpolateMode, InterpolateSize, Pair};

/// Images [N, C, H, W] (or [C, H, W]) in another size, by the nearest pixel if nothing else is said,
/// with the coordinates that [`Interpolate`] has.
///
/// ```
/// use wengert_nn::{Layer, Upsample};
/// use wengert_tensor::Tensor;
/// let images = Tensor::zeros(&[8, 3, 7, 5]);
/// let layer = Upsample::scale(2.0);
/// assert_eq!(layer.predict(&images).shape(), [8, 3, 14, 10]);
/// assert_eq!(layer.to_string(), "Upsample(scale: 2, mode: nearest)");
///
/// let layer = Upsample::size([9, 9]).bilinear().align_corners(true);
/// assert_eq!(layer.predict(&images).shape(), [8, 3, 9, 9]);
/// assert_eq!(layer.to_string(), "Upsample(size: [9, 9], mode: bilinear, align_corners: true)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upsample {
    how: Interpolate,
}

impl Upsample {
    /// To this height and width: `14`, or `[14, 20]`.
    pub fn size(size: impl Into<Pair>) -> Self {
        Upsample { how: Interpolate::size(size) }
    }

    /// To so many times height and width.
    pub fn scale(scale: f64) -> Self {
        Upsample { how: Interpolate::scale(scale) }
    }

    /// To so many times the height, and so many times the width.
    pub fn scales(scales: [f64; 2]) -> Self {
        Upsample { how: Interpolate::scales(scales) }
    }

    /// By straight lines between pixels.
    #[must_use]
    pub fn bilinear(self) -> Self {
        Upsample { how: self.how.bilinear() }
    }

    /// Bilinear, and whether the centres of the outer pixels stay where they are.
    #[must_use]
    pub fn align_corners(self, align_corners: bool) -> Self {
        Upsample { how: self.how.align_corners(align_corners) }
    }
}

impl Module for Upsample {
    fn visit<'m>(&'m self, _: &Path<'_>, _: &mut See<'_, 'm>) {}
    fn visit_mut<'m>(&'m mut self, _: &Path<'_>, _: &mut SeeMut<'_, 'm>) {}
    fn first_state(&self) -> Option<FirstState> {
        None
    }
    fn outline(&self) -> Outline {
        let outline = Outline::new("Upsample");
        let outline = match self.how.to {
            InterpolateSize::To(size) => {
                outline.with("size", Outline::value(format_args!("{size:?}")))
            }
            InterpolateSize::By([h, w]) if h == w => outline.with("scale", Outline::value(h)),
            InterpolateSize::By(scales) => {
                outline.with("scales", Outline::value(format_args!("{scales:?}")))
            }
        };
        match self.how.mode {
            InterpolateMode::Nearest => outline.with("mode", Outline::value("nearest")),
            InterpolateMode::Bilinear { align_corners } => {
                let outline = outline.with("mode", Outline::value("bilinear"));
                if align_corners { outline.field("align_corners", &true) } else { outline }
            }
        }
    }
}

impl fmt::Display for Upsample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outline().fmt(f)
    }
}

impl<T: Float> Layer<T> for Upsample {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.interpolate(&self.how)
    }
}
