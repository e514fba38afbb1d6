//! Padding with elements of the image itself, as a linear map along each axis.

use crate::axis_maps::border_maps;
use crate::geometry::PadMode;
use crate::shapes::OrPanic;
use crate::tensor::{Float, Tensor};

impl<T: Float> Tensor<T> {
    /// Extends each axis by (before, after) elements. `mode` says from where in the axis they are taken.
    ///
    /// ```
    /// use wengert::tensor::{PadMode, Tensor};
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// let with = |mode| x.pad_mode(&[(2, 1)], mode).to_vec();
    /// assert_eq!(with(PadMode::Reflect), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    /// assert_eq!(with(PadMode::Replicate), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
    /// assert_eq!(with(PadMode::Circular), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
    /// assert_eq!(with(PadMode::Zeros), [0.0, 0.0, 1.0, 2.0, 3.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If `padding` does not have one pair per axis, or an axis has too few elements. On each side
    /// `Reflect` adds at most the size of the axis minus one, and `Circular` at most the size of the axis.
    /// `Replicate` needs at least one element.
    #[track_caller]
    pub fn pad_mode(&self, padding: &[(usize, usize)], mode: PadMode) -> Self {
        if mode == PadMode::Zeros {
            return self.padded(padding, T::default());
        }
        self.map_axes(&border_maps(&self.shape(), padding, mode).or_panic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{layouts, naive, panics_here};

    const MODES: [PadMode; 4] =
        [PadMode::Zeros, PadMode::Reflect, PadMode::Replicate, PadMode::Circular];

    /// Lists the indices of the extended axis, adding one element per side and step. `None` is a zero.
    fn extended(n: usize, before: usize, after: usize, mode: PadMode) -> Vec<Option<usize>> {
        let mut places: Vec<_> = (0..n).map(Some).collect();
        for k in 0..before.max(after) {
            let (front, back) = match mode {
                PadMode::Zeros => (None, None),
                PadMode::Reflect => (Some(k + 1), Some(n - 2 - k)),
                PadMode::Replicate => (Some(0), Some(n - 1)),
                PadMode::Circular => (Some(n - 1 - k), Some(k)),
            };
            if k < before {
                places.insert(0, front);
            }
            if k < after {
                places.push(back);
            }
        }
        places
    }

    #[test]
    fn borders_of_every_mode_agree_with_lists_of_indices() {
        for (name, x) in layouts() {
            for mode in MODES {
                let own = x.shape();
                let most = |n: usize| match mode {
                    PadMode::Reflect => n.saturating_sub(1),
                    PadMode::Circular => n,
                    _ => 3 * n,
                };
                let around: Vec<_> =
                    own.iter().enumerate().map(|(d, &n)| (most(n) / (1 + d), most(n))).collect();
                let lists: Vec<_> =
                    own.iter().zip(&around).map(|(&n, &(a, b))| extended(n, a, b, mode)).collect();
                let shape: Vec<_> = lists.iter().map(Vec::len).collect();
                let expected = naive(&shape, |at| {
                    let from = at.iter().zip(&lists).map(|(&i, list)| list[i]);
                    from.collect::<Option<Vec<_>>>().map_or(0.0, |from| x.at(&from))
                });
                let y = x.pad_mode(&around, mode);
                assert_eq!((&*y.shape(), y.to_vec()), (&*shape, expected), "{name} {mode:?}");
            }
        }
    }

    #[test]
    fn borders_wider_than_the_mode_allows_panic() {
        let x = Tensor::zeros(&[2, 3]);
        panics_here(
            "pad_mode: axis 1 of shape [2, 3] has size 3: reflection adds at most 2 elements on \
             each side, got (0, 3)",
            || drop(x.pad_mode(&[(0, 0), (0, 3)], PadMode::Reflect)),
        );
        panics_here(
            "pad_mode: axis 1 of shape [2, 3] has size 3: circular padding adds at most 3 \
             elements on each side, got (4, 0)",
            || drop(x.pad_mode(&[(0, 0), (4, 0)], PadMode::Circular)),
        );
        panics_here(
            "pad_mode: axis 0 of shape [0] has size 0: replication adds at most 0 elements on \
             each side, got (1, 0)",
            || drop(Tensor::zeros(&[0]).pad_mode(&[(1, 0)], PadMode::Replicate)),
        );
    }
}
