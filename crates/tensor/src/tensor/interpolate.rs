//! Images in another size, by the nearest pixel or by straight lines between pixels: linear maps of
//! rows and columns.

use crate::kernels::axis_map::{AxisMap, AxisMaps, cheapest_first};
use crate::kernels::conv::Pair;
use crate::shapes::{self, OrPanic, Rule};
use crate::tensor::Float;
use crate::tensor::Tensor;

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

    /// The map from an axis of size `n` to one of size `m`, along height (0) or width (1).
    fn map(&self, n: usize, m: usize, side: usize) -> AxisMap {
        let step = match self.to {
            InterpolateSize::To(_) => n as f64 / m as f64,
            InterpolateSize::By(scale) => 1.0 / scale[side],
        };
        // Whatever the scale, an axis that keeps its size keeps its pixels.
        let whole = |i: usize| [(i, 1.0), (i, 0.0)];
        let between = |at: f64| {
            let i = (at as usize).min(n - 1);
            let part = (at - i as f64).min(1.0);
            [(i, 1.0 - part), ((i + 1).min(n - 1), part)]
        };
        let row = |o: usize| match self.mode {
            _ if n == m => whole(o),
            // In 32 bits, as PyTorch: where o·n/m is a whole number this decides which pixel it is.
            InterpolateMode::Nearest => whole(((o as f32 * step as f32) as usize).min(n - 1)),
            InterpolateMode::Bilinear { align_corners: true } => {
                between(if m > 1 { o as f64 * ((n - 1) as f64 / (m - 1) as f64) } else { 0.0 })
            }
            InterpolateMode::Bilinear { align_corners: false } => {
                between(((o as f64 + 0.5) * step - 0.5).max(0.0))
            }
        };
        AxisMap::new(n, (0..m).map(|o| row(o).into_iter().filter(|&(_, weight)| weight != 0.0)))
    }
}

/// The maps of `interpolate`, for the tape.
#[doc(hidden)]
pub fn interpolation_maps(shape: &[usize], how: &Interpolate) -> Rule<AxisMaps> {
    let out = shapes::interpolate(shape, how)?;
    let map = |side: usize| {
        let axis = shape.len() - 2 + side;
        (axis as isize, how.map(shape[axis], out[axis], side))
    };
    Ok(cheapest_first([map(0), map(1)]))
}

impl<T: Float> Tensor<T> {
    /// Images `[…, C, H, W]` in another size: see [`Interpolate`].
    ///
    /// # Panics
    /// With fewer than three axes, if height or width is 0 or would be.
    #[track_caller]
    pub fn interpolate(&self, how: &Interpolate) -> Self {
        self.map_axes(&interpolation_maps(&self.shape(), how).or_panic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{naive, panics_here};

    #[test]
    fn the_nearest_pixel_repeats_or_skips() {
        let x = Tensor::<f64>::from_fn(&[2, 3, 4, 6], |i| i as f64);
        let y = x.interpolate(&Interpolate::scales([3.0, 0.5]));
        let expected = naive(&[2, 3, 12, 3], |at| x.at(&[at[0], at[1], at[2] / 3, 2 * at[3]]));
        assert_eq!((y.shape(), y.to_vec()), ([2, 3, 12, 3].into(), expected));
        // 23·14/46 is 7, but not in 32 bits.
        let line = Tensor::arange(0.0, 14.0, 1.0).reshape(&[1, 1, 14]);
        let pixels = line.interpolate(&Interpolate::size([1, 46])).to_vec();
        assert_eq!((pixels[22], pixels[23], pixels[45]), (6.0, 6.0, 13.0));
    }

    /// Straight lines stay what they are, within the image.
    #[test]
    fn lines_stay_lines() {
        let x = Tensor::<f64>::from_fn(&[1, 5, 7], |i| 2.0 * (i / 7) as f64 - 0.5 * (i % 7) as f64);
        for (to, aligned) in [([9, 4], false), ([3, 20], false), ([9, 4], true), ([1, 13], true)] {
            let y = x.interpolate(&Interpolate::size(to).align_corners(aligned));
            let place = |o: usize, n: usize, m: usize| {
                let (o, n, m) = (o as f64, n as f64, m as f64);
                let at = if aligned {
                    o * (n - 1.0) / (m - 1.0).max(1.0)
                } else {
                    (o + 0.5) * n / m - 0.5
                };
                at.clamp(0.0, n - 1.0)
            };
            let line = |at: &[usize]| 2.0 * place(at[1], 5, to[0]) - 0.5 * place(at[2], 7, to[1]);
            for (a, b) in y.to_vec().into_iter().zip(naive(&[1, to[0], to[1]], line)) {
                assert!((a - b).abs() < 1e-12, "{to:?} {aligned}: {a} {b}");
            }
        }
    }

    #[test]
    fn what_keeps_its_size_keeps_its_pixels() {
        let x = Tensor::<f64>::from_fn(&[2, 3, 5], |i| (i * i) as f64);
        let same = Interpolate::scale(1.1);
        for how in [same, same.bilinear(), same.align_corners(true), Interpolate::size([3, 5])] {
            assert_eq!(x.interpolate(&how), x);
        }
    }

    #[test]
    fn nothing_has_no_pixels() {
        let x = Tensor::zeros(&[2, 3, 5]);
        panics_here(
            "interpolate: nothing would be left of axis 1 of shape [2, 3, 5]: By([0.3, 0.3])",
            || {
                drop(x.interpolate(&Interpolate::scale(0.3)));
            },
        );
        panics_here(
            "interpolate: axis 1 of shape [2, 0, 5] is empty, a window has nothing to look at",
            || drop(Tensor::zeros(&[2, 0, 5]).interpolate(&Interpolate::size(2))),
        );
        assert!(shapes::interpolate(&[2, 3, 5], &Interpolate::scale(f64::NAN)).is_err());
        assert!(shapes::interpolate(&[2, 3, 5], &Interpolate::scale(f64::INFINITY)).is_err());
    }
}
