//! The [`Upsample`] layer, which resizes images.

use crate::layer::Layer;
use wengert_autograd::{Outline, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Interpolate, InterpolateMode, InterpolateSize, Pair};

/// Resizes images [N, C, H, W] (or [C, H, W]) to a given size or by a given factor.
///
/// The default takes the nearest pixel; [`bilinear`](Upsample::bilinear) interpolates.
/// [`Interpolate`] defines the coordinates.
///
/// ```
/// use wengert::nn::{Layer, Upsample};
/// use wengert::tensor::Tensor;
/// let images = Tensor::zeros(&[8, 3, 7, 5]);
/// let layer = Upsample::scale(2.0);
/// assert_eq!(layer.predict(&images).shape(), [8, 3, 14, 10]);
/// assert_eq!(layer.to_string(), "Upsample(scale: 2, mode: nearest)");
///
/// let layer = Upsample::size([9, 9]).bilinear().align_corners(true);
/// assert_eq!(layer.predict(&images).shape(), [8, 3, 9, 9]);
/// assert_eq!(layer.to_string(), "Upsample(size: [9, 9], mode: bilinear, align_corners: true)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Module)]
#[module(crate = "wengert_autograd")]
pub struct Upsample {
    #[module(print_with = print)]
    how: Interpolate,
}

impl Upsample {
    /// Creates a layer with this output height and width: `14`, or `[14, 20]`.
    pub fn size(size: impl Into<Pair>) -> Self {
        Upsample { how: Interpolate::size(size) }
    }

    /// Creates a layer that multiplies height and width by `scale`.
    pub fn scale(scale: f64) -> Self {
        Upsample { how: Interpolate::scale(scale) }
    }

    /// Creates a layer that multiplies the height and the width by one factor each.
    pub fn scales(scales: [f64; 2]) -> Self {
        Upsample { how: Interpolate::scales(scales) }
    }

    /// Selects bilinear interpolation.
    #[must_use]
    pub fn bilinear(self) -> Self {
        Upsample { how: self.how.bilinear() }
    }

    /// Selects bilinear interpolation, and sets whether the centres of the corner pixels of input
    /// and output coincide. The default is `false`: the outer edges coincide.
    #[must_use]
    pub fn align_corners(self, align_corners: bool) -> Self {
        Upsample { how: self.how.align_corners(align_corners) }
    }
}

fn print(how: &Interpolate, outline: Outline) -> Outline {
    let outline = match how.to {
        InterpolateSize::To(size) => outline.with("size", Outline::value(format_args!("{size:?}"))),
        InterpolateSize::By([h, w]) if h == w => outline.with("scale", Outline::value(h)),
        InterpolateSize::By(scales) => {
            outline.with("scales", Outline::value(format_args!("{scales:?}")))
        }
    };
    match how.mode {
        InterpolateMode::Nearest => outline.with("mode", Outline::value("nearest")),
        InterpolateMode::Bilinear { align_corners } => {
            let outline = outline.with("mode", Outline::value("bilinear"));
            if align_corners { outline.field("align_corners", &true) } else { outline }
        }
        mode => outline.with("mode", Outline::value(format_args!("{mode:?}"))),
    }
}

impl<T: Float> Layer<T> for Upsample {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.interpolate(&self.how)
    }
}
