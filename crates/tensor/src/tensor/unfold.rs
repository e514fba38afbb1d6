//! Windows of images as columns of a matrix (im2col), and images as sums of such windows (col2im). Both are
//! a linear map along the rows, one along the columns, and a permutation of axes.

use crate::axis_maps::UnfoldMaps;
use crate::geometry::{Conv, Pair};
use crate::shapes::OrPanic;
use crate::tensor::{Float, Tensor};

impl<T: Float> Tensor<T> {
    /// Returns the windows of images as columns of a matrix (im2col):
    /// `[…, C, H, W]` → `[…, C·kh·kw, H'·W']`.
    ///
    /// The result has one row for each channel and position in the window, and one column for each window. A
    /// convolution is the product of its weight and this matrix. Pixels outside the image are zeros. The
    /// adjoint is [`Tensor::fold`].
    ///
    /// ```
    /// use wengert::tensor::{Conv, Tensor};
    /// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).unsqueeze(0);
    /// let columns = x.unfold([2, 2], &Conv::new());
    /// assert_eq!(columns.shape(), [4, 2]);
    /// assert_eq!(columns.to_vec(), [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than three axes or more than six, `conv` has groups, or the windows do not
    /// fit.
    #[track_caller]
    pub fn unfold(&self, kernel: impl Into<Pair>, conv: &Conv) -> Self {
        let windows = UnfoldMaps::of_unfold(&self.shape(), kernel.into().0, conv).or_panic();
        let mapped = self.map_axes(&windows.maps);
        mapped.reshape(&windows.apart[..]).permute(&windows.order).reshape(&windows.out[..])
    }

    /// Returns images as sums of windows (col2im): `[…, C·kh·kw, H'·W']` → `[…, C, H, W]`. It is the adjoint
    /// of [`Tensor::unfold`].
    ///
    /// Each element is added to the pixel from which [`Tensor::unfold`] would read it. Elements outside the
    /// image are dropped.
    ///
    /// ```
    /// use wengert::tensor::{Conv, Tensor};
    /// let columns = Tensor::ones(&[4, 2]);
    /// let counts = columns.fold([2, 3], [2, 2], &Conv::new());
    /// assert_eq!(counts.to_vec(), [1.0, 2.0, 1.0, 1.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the shape of `self` is not that of the windows of images of this size.
    #[track_caller]
    pub fn fold(&self, size: impl Into<Pair>, kernel: impl Into<Pair>, conv: &Conv) -> Self {
        let (size, kernel) = (size.into().0, kernel.into().0);
        let windows = UnfoldMaps::of_fold(&self.shape(), size, kernel, conv).or_panic();
        let apart = self.reshape(&windows.ordered[..]).permute(&windows.order);
        let maps = windows.maps.iter().rev();
        maps.fold(apart.reshape(&windows.mapped[..]), |x, (axis, map)| {
            x.map_axis_transposed(*axis, map)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes;
    use crate::testing::{naive, panics_here};

    fn table() -> Vec<([usize; 2], Conv)> {
        vec![
            ([2, 3], Conv::new()),
            ([3, 3], Conv::new().padding(1)),
            ([3, 2], Conv::new().stride([2, 3]).padding([2, 1])),
            ([2, 2], Conv::new().dilation([3, 2]).padding([0, 1])),
            ([1, 4], Conv::new().stride([3, 1]).padding([1, 0])),
            ([3, 1], Conv { padding: [(2, 0), (0, 3)], ..Conv::new() }),
        ]
    }

    #[test]
    fn unfold_and_fold_agree_with_loops() {
        for ((kernel, conv), lead) in table().into_iter().flat_map(|row| [(row, 1), (row, 0)]) {
            let shape = [&[2usize][..lead], &[3, 6, 7]].concat();
            let x = Tensor::<f64>::from_fn(&shape, |i| (i * 7919 % 101) as f64);
            let y = x.unfold(kernel, &conv);
            let count = |side: usize| {
                let padded = [6, 7][side] + conv.padding[side].0 + conv.padding[side].1;
                (padded - conv.dilation[side] * (kernel[side] - 1) - 1) / conv.stride[side] + 1
            };
            let [h, w] = [count(0), count(1)];
            let area = kernel[0] * kernel[1];
            // Returns the index in the images of element `at` of the result; `None` in the padding.
            let place = |at: &[usize]| -> Option<Vec<usize>> {
                let (row, column) = (at[lead], at[lead + 1]);
                let along = |side: usize, o: usize, k: usize, n: usize| {
                    let at = o * conv.stride[side] + k * conv.dilation[side];
                    at.checked_sub(conv.padding[side].0).filter(|&at| at < n)
                };
                let y = along(0, column / w, row % area / kernel[1], 6)?;
                let x = along(1, column % w, row % kernel[1], 7)?;
                Some([&at[..lead], &[row / area, y, x]].concat())
            };
            let out = [&[2usize][..lead], &[3 * area, h * w]].concat();
            let expected = naive(&out, |at| place(at).map_or(0.0, |from| x.at(&from)));
            assert_eq!((&*y.shape(), y.to_vec()), (&*out, expected), "{kernel:?} {conv:?}");

            let mut sums = Tensor::<f64>::zeros_of(&shape);
            for (from, value) in naive(&out, |at| (place(at), y.at(at))) {
                if let Some(from) = from {
                    let flat = from.iter().zip(&shape).fold(0, |flat, (&i, &n)| flat * n + i);
                    sums.make_mut()[flat] += value;
                }
            }
            assert_eq!(y.fold([6, 7], kernel, &conv), sums, "{kernel:?} {conv:?}");
        }
    }

    #[test]
    fn wrong_arguments_panic_at_the_callers_line() {
        let x = Tensor::zeros(&[2, 3, 4, 6]);
        panics_here("unfold: windows have no groups: groups must be 1, got 3", || {
            drop(x.unfold(2, &Conv::new().groups(3)));
        });
        panics_here("unfold: stride must be at least 1, got [0, 0]", || {
            drop(x.unfold(2, &Conv::new().stride(0)));
        });
        panics_here(
            "fold: axis 1 of shape [2, 10, 9] has size 10, which does not divide into windows of 2 × 2 \
             elements",
            || drop(Tensor::zeros(&[2, 10, 9]).fold(4, 2, &Conv::new())),
        );
        panics_here(
            "fold: axis 2 of shape [2, 12, 8] has 8 windows, images of 4 × 4 have 3 × 3",
            || drop(Tensor::zeros(&[2, 12, 8]).fold(4, 2, &Conv::new())),
        );
        panics_here("fold: expected windows [N, C·kh·kw, L], got shape [12]", || {
            drop(Tensor::zeros(&[12]).fold(4, 2, &Conv::new()));
        });
        assert!(
            shapes::unfold(&[2, 3, 4, 6], [5, 2], &Conv::new()).unwrap_err().contains("height 4")
        );
    }
}
