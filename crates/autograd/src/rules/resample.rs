//! Padding modes, interpolation, and windows as columns. All are composed of linear maps along axes and
//! views, so no derivative rules are needed here.

use crate::graph::Var;
use wengert_tensor::axis_maps::{UnfoldMaps, border_maps, interpolation_maps};
use wengert_tensor::{Conv, Float, Interpolate, PadMode, Pair};

/// Padding, interpolation, and windows as columns.
impl<T: Float> Var<'_, T> {
    /// Pads each axis with `(before, after)` elements, which `mode` takes from the axis itself.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{PadMode, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.pad_mode(&[(2, 1)], PadMode::Reflect);
    /// assert_eq!(y.value().to_vec(), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    /// assert_eq!(y.sum_all().backward().wrt(x).unwrap().to_vec(), [1.0, 3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there is not one pair per axis, or an axis has too few elements. Reflection can add at most
    /// one element less than the size of the axis, circular padding at most the size, and replication
    /// cannot extend an empty axis.
    #[track_caller]
    pub fn pad_mode(self, padding: &[(usize, usize)], mode: PadMode) -> Self {
        match mode {
            PadMode::Zeros => self.pad(padding, 0.0),
            _ => self.map_axes(&self.fits(border_maps(&self.shape(), padding, mode))),
        }
    }

    /// Resizes images `[…, C, H, W]`, by nearest-neighbour or linear interpolation: see [`Interpolate`].
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Interpolate, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([[1.0, 3.0]]).unsqueeze(0));
    /// let y = x.interpolate(&Interpolate::size([1, 4]).bilinear());
    /// assert_eq!(y.value().to_vec(), [1.0, 1.5, 2.5, 3.0]);
    /// assert_eq!(x.interpolate(&Interpolate::scale(2.0)).shape(), [1, 2, 4]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than three axes, or if height or width is 0 before or after resizing.
    #[track_caller]
    pub fn interpolate(self, how: &Interpolate) -> Self {
        self.map_axes(&self.fits(interpolation_maps(&self.shape(), how)))
    }

    /// Returns the windows of images `[…, C, H, W]` as columns ("im2col"): `[…, C·kh·kw, H'·W']`, with a
    /// row for each channel and kernel position, and a column for each window. Elements outside the
    /// image are zero. The adjoint is [`fold`](Var::fold).
    ///
    /// A convolution is a matrix product with this matrix, but [`conv2d`](Var::conv2d) needs less
    /// memory:
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Conv, Philox, Tensor};
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
    /// If there are fewer than three or more than six axes, if `conv` has groups, or if the windows do
    /// not fit.
    #[track_caller]
    pub fn unfold(self, kernel: impl Into<Pair>, conv: &Conv) -> Self {
        let windows = self.fits(UnfoldMaps::of_unfold(&self.shape(), kernel.into().0, conv));
        let apart = self.map_axes(&windows.maps).reshape(&windows.apart[..]);
        apart.permute(&windows.order).reshape(&windows.out[..])
    }

    /// Returns images of this size as sums of windows. Each element of `[…, C·kh·kw, H'·W']` is added at
    /// the pixel from which [`unfold`](Var::unfold) reads it. Elements outside the image are dropped.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{Conv, Tensor};
    /// let tape = Tape::new();
    /// let columns = tape.watch(Tensor::ones(&[4, 2]));
    /// let counts = columns.fold([2, 3], 2, &Conv::new());
    /// assert_eq!(counts.value().to_vec(), [1.0, 2.0, 1.0, 1.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shape is not that of windows of images of this size.
    #[track_caller]
    pub fn fold(self, size: impl Into<Pair>, kernel: impl Into<Pair>, conv: &Conv) -> Self {
        let (size, kernel) = (size.into().0, kernel.into().0);
        let windows = self.fits(UnfoldMaps::of_fold(&self.shape(), size, kernel, conv));
        let apart = self.reshape(&windows.ordered[..]).permute(&windows.order);
        let mut image = apart.reshape(&windows.mapped[..]);
        for (axis, map) in windows.maps.iter().rev() {
            image = image.map_axis_transposed(*axis, map);
        }
        image
    }
}
