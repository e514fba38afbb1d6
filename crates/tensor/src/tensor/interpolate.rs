//! Resizing images, by the nearest pixel or by bilinear interpolation, as linear maps along rows and
//! columns.

use crate::axis_maps::interpolation_maps;
use crate::geometry::Interpolate;
use crate::shapes::OrPanic;
use crate::tensor::{Float, Tensor};

impl<T: Float> Tensor<T> {
    /// Resizes images `[…, C, H, W]` to `[…, C, H', W']`. [`Interpolate`] gives the size and the mode.
    ///
    /// # Panics
    /// If the tensor has fewer than three axes, or a height or width is 0, before or after resizing.
    #[track_caller]
    pub fn interpolate(&self, how: &Interpolate) -> Self {
        self.map_axes(&interpolation_maps(&self.shape(), how).or_panic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes;
    use crate::testing::{naive, panics_here};

    #[test]
    fn nearest_interpolation_repeats_or_skips_pixels() {
        let x = Tensor::<f64>::from_fn(&[2, 3, 4, 6], |i| i as f64);
        let y = x.interpolate(&Interpolate::scales([3.0, 0.5]));
        let expected = naive(&[2, 3, 12, 3], |at| x.at(&[at[0], at[1], at[2] / 3, 2 * at[3]]));
        assert_eq!((y.shape(), y.to_vec()), ([2, 3, 12, 3].into(), expected));
        // 23·14/46 is 7. In 32 bits it rounds to less, so pixel 23 reads pixel 6.
        let line = Tensor::arange(0.0, 14.0, 1.0).reshape(&[1, 1, 14]);
        let pixels = line.interpolate(&Interpolate::size([1, 46])).to_vec();
        assert_eq!((pixels[22], pixels[23], pixels[45]), (6.0, 6.0, 13.0));
    }

    /// Bilinear interpolation reproduces a linear function inside the image.
    #[test]
    fn bilinear_interpolation_reproduces_linear_functions() {
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
    fn interpolation_to_the_same_size_keeps_the_pixels() {
        let x = Tensor::<f64>::from_fn(&[2, 3, 5], |i| (i * i) as f64);
        let same = Interpolate::scale(1.1);
        for how in [same, same.bilinear(), same.align_corners(true), Interpolate::size([3, 5])] {
            assert_eq!(x.interpolate(&how), x);
        }
    }

    #[test]
    fn interpolation_to_an_empty_image_panics() {
        let x = Tensor::zeros(&[2, 3, 5]);
        panics_here(
            "interpolate: the result would be empty along axis 1 of shape [2, 3, 5]: By([0.3, 0.3])",
            || {
                drop(x.interpolate(&Interpolate::scale(0.3)));
            },
        );
        panics_here(
            "interpolate: axis 1 of shape [2, 0, 5] has size 0: a window needs at least one element",
            || drop(Tensor::zeros(&[2, 0, 5]).interpolate(&Interpolate::size(2))),
        );
        assert!(shapes::interpolate(&[2, 3, 5], &Interpolate::scale(f64::NAN)).is_err());
        assert!(shapes::interpolate(&[2, 3, 5], &Interpolate::scale(f64::INFINITY)).is_err());
    }
}
