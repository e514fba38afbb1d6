//! The positions of the windows of a pool along one axis.

use super::VolumePool;

/// The windows along one axis. Their number was checked by a shape rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Windows {
    /// Window o begins `padding` before `o·stride`. `after` is the padding behind the axis.
    Sliding {
        kernel: usize,
        stride: usize,
        padding: usize,
        after: usize,
        dilation: usize,
        count_pad: bool,
    },
    /// Window o of m goes from ⌊o·n/m⌋ to before ⌈(o + 1)·n/m⌉. Together the windows cover the axis.
    Adaptive,
}

impl Windows {
    /// One element for each window: the windows of an axis that is not pooled.
    pub const ELEMENTS: Self = Windows::Sliding {
        kernel: 1,
        stride: 1,
        padding: 0,
        after: 0,
        dilation: 1,
        count_pad: true,
    };

    /// Returns the windows of a pool along depth, height and width.
    pub fn sliding(pool: impl Into<VolumePool>) -> [Self; 3] {
        let pool = pool.into();
        [0, 1, 2].map(|side| Self::along(&pool, side))
    }

    fn along(pool: &VolumePool, side: usize) -> Self {
        Windows::Sliding {
            kernel: pool.kernel[side],
            stride: pool.stride[side],
            padding: pool.padding[side].0,
            after: pool.padding[side].1,
            dilation: pool.dilation[side],
            count_pad: pool.count_include_pad,
        }
    }

    /// Returns whether the windows have two elements each and stand side by side.
    #[inline]
    pub fn is_pair(self) -> bool {
        matches!(self, Windows::Sliding { kernel: 2, stride: 2, padding: 0, dilation: 1, .. })
    }

    /// Returns the elements of window `o` of `m` on an axis of size `n`, without padding: the index of the
    /// first, their number, and the distance between them.
    pub fn span(self, n: usize, m: usize, o: usize) -> (usize, usize, usize) {
        match self {
            Windows::Sliding { kernel, stride, padding, dilation, .. } => {
                // Elements in the padding before the axis are skipped, and those after its end are cut off.
                let skipped = padding.saturating_sub(o * stride).div_ceil(dilation).min(kernel);
                let first = o * stride + skipped * dilation - padding;
                let fit = n.saturating_sub(first).div_ceil(dilation);
                (first, fit.min(kernel - skipped), dilation)
            }
            Windows::Adaptive => {
                // In 64 bits, because the product of two sizes can overflow an address of 32 bits.
                let [n, m, o] = [n, m, o].map(|size| size as u64);
                let (first, end) = (o * n / m, ((o + 1) * n).div_ceil(m));
                (first as usize, (end - first) as usize, 1)
            }
        }
    }

    /// Returns the number by which the sum over window `o` is divided for an average.
    pub fn divisor(self, n: usize, m: usize, o: usize) -> usize {
        match self {
            Windows::Sliding { kernel, stride, padding, after, count_pad: true, .. } => {
                kernel.min(n + padding + after - o * stride)
            }
            _ => self.span(n, m, o).1,
        }
    }
}
