//! The sizes of a pool.

use crate::geometry::Windows;

/// Images of at least this many elements have positions that are not the bits of a finite `f32`.
pub const LARGE: usize = 1 << 30;

/// The windows along the two axes of images, and the sizes of the images and the results.
#[derive(Clone, Copy)]
pub struct PoolSizes {
    pub(crate) windows: [Windows; 2],
    pub(crate) from: [usize; 2],
    pub(crate) to: [usize; 2],
}

impl PoolSizes {
    /// Returns whether the windows are two by two with stride 2, and none extends beyond the image.
    pub fn is_two_by_two(&self) -> bool {
        (0..2).all(|side| self.windows[side].is_pair() && 2 * self.to[side] <= self.from[side])
    }
}
