//! Images with borders of their own, in another size, or as columns of windows. All of them are
//! linear maps along axes and other orders of the numbers, so there is no rule here.

use crate::graph::Var;
use wengert_tensor::maps::{Windows, border_maps, interpolation_maps};
use wengert_tensor::{Conv, Float, Interpolate, PadMode, Pair};

/// Images in another size.
impl<T: Float> Var<'_, T> {
    /// Each axis extended by (before, after) elements, which `mode` takes from the axis itself.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::{PadMode, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.pad_mode(&[(2, 1)], PadMode::Reflect);
    /// assert_eq!(y.value().to_vec(), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    /// assert_eq!(y.sum_all().backward().wrt(x).unwrap().to_vec(), [1.0, 3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there is not one pair per axis, or an axis has not enough elements: reflection gives at
    /// most one less than its size, a circle its size, replication of nothing nothing.
    #[track_caller]
    pub fn pad_mode(self, padding: &[(usize, usize)], mode: PadMode) -> Self {
        match mode {
            PadMode::Zeros => self.pad(padding, 0.0),
            _ => self.map_axes(&self.fits(border_maps(&self.shape(), padding, mode))),
        }
    }

    /// Images `[…, C, H, W]` in another size, by the nearest pixel or by straight lines between
    /// pixels: see [`Interpolate`].
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::{Interpolate, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, 3.0]]).unsqueeze(0));
    /// let y = x.interpolate(&Interpolate::size([1, 4]).bilinear());
    /// assert_eq!(y.value().to_vec(), [1.0, 1.5, 2.5, 3.0]);
    /// assert_eq!(x.interpolate(&Interpolate::scale(2.0)).shape(), [1, 2, 4]);
    /// ```
    ///
    /// # Panics
    /// With fewer than three axes, if height or width is 0 or would be.
    #[track_caller]
    pub fn interpolate(self, how: &Interpolate) -> Self {
        self.map_axes(&self.fits(interpolation_maps(&self.shape(), how)))
    }

    /// The windows of images `[…, C, H, W]` as columns ("im2col"): `[…, C·kh·kw, H'·W']`, with a
    /// row for each channel and place of the window, a column for each window. Beyond the image are
    /// zeros. The adjoint is [`fold`](Var::fold).
    ///
    /// A convolution is a matrix product with it (but needs less memory when asked for as such):
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::{Conv, Philox, Tensor};
    /// let (tape, mut rng) = (Tape::new(), Philox::new(0));
    /// let x = tape.constant(Tensor::normal(&[2, 3, 6, 5], 0.0, 1.0, &mut rng));
    /// let w = tape.constant(Tensor::normal(&[4, 3, 3, 3], 0.0, 1.0, &mut rng));
    /// let conv = Conv::new().padding(1);
    /// let product = w.flatten(1, -1).matmul(x.unfold(3, &conv)).reshape(&[2, 4, 6, 5]);
    /// let difference = (product - x.conv2d(w, None, &conv)).abs().max(&[], false);
    /// assert!(difference.item() < 1e-5);
    /// ```
    ///
    /// # Panics
    /// With fewer than three axes, more than six, with groups, or if the windows do not fit.
    #[track_caller]
    pub fn unfold(self, kernel: impl Into<Pair>, conv: &Conv) -> Self {
        let windows = self.fits(Windows::of_unfold(&self.shape(), kernel.into().0, conv));
        let apart = self.map_axes(&windows.maps).reshape(&windows.apart[..]);
        apart.permute(&windows.order).reshape(&windows.out[..])
    }

    /// Images of this size as sums of windows: each element of `[…, C·kh·kw, H'·W']` is added where
    /// [`unfold`](Var::unfold) would have taken it from, and what lies beyond the image is dropped.
    ///
    /// ```
    /// use wengert_autograd::Tape;
    /// use wengert_tensor::{Conv, Tensor};
    /// let tape = Tape::new();
    /// let columns = tape.watch(Tensor::ones(&[4, 2]));
    /// let counts = columns.fold([2, 3], 2, &Conv::new());
    /// assert_eq!(counts.value().to_vec(), [1.0, 2.0, 1.0, 1.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If these are not the windows of images of this size.
    #[track_caller]
    pub fn fold(self, size: impl Into<Pair>, kernel: impl Into<Pair>, conv: &Conv) -> Self {
        let (size, kernel) = (size.into().0, kernel.into().0);
        let windows = self.fits(Windows::of_fold(&self.shape(), size, kernel, conv));
        let apart = self.reshape(&windows.ordered[..]).permute(&windows.order);
        let mut image = apart.reshape(&windows.mapped[..]);
        for (axis, map) in windows.maps.iter().rev() {
            image = image.map_axis_transposed(*axis, map);
        }
        image
    }
}
