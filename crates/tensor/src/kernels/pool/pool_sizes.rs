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
    /// Returns whether the windows are two by two with stride 2, none extends beyond the image, and a row has enough of
    /// them for a vector: the windows for which `max_pool` needs no positions.
    pub fn is_two_by_two(&self) -> bool {
        let pairs =
            |side: usize| self.windows[side].is_pair() && 2 * self.to[side] <= self.from[side];
        self.to[1] >= 4 && self.from[0] * self.from[1] < LARGE && pairs(0) && pairs(1)
    }
}
