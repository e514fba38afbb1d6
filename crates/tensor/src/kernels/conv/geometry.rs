//! The sizes of a convolution, in one place.

use crate::geometry::Conv;

/// All sizes of a convolution. Arrays of two are along H and along W.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Images.
    pub n: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Channels of the input in a group.
    pub c: usize,
    /// Channels of the result in a group.
    pub o: usize,
    /// Of an input image.
    pub size: [usize; 2],
    /// Of an image of the result.
    pub out: [usize; 2],
    /// Taps.
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Zeros before and after the image.
    pub padding: [(usize, usize); 2],
}

impl Geometry {
    /// For the shapes of an input, a weight and a result that belong together.
    pub fn new(x: &[usize], w: &[usize], y: &[usize], conv: &Conv) -> Self {
        let mut this = Geometry {
            n: x[0],
            groups: conv.groups,
            c: w[1],
            o: w[0] / conv.groups,
            size: [x[2], x[3]],
            out: [y[2], y[3]],
            kernel: [w[2], w[3]],
            stride: conv.stride,
            dilation: conv.dilation,
            padding: conv.padding,
        };
        for axis in 0..2 {
            // A longer stride leads from the one window to none, too, and multiples of it could not
            // be counted.
            let (before, after) = this.padding[axis];
            this.stride[axis] = this.stride[axis].min((before + this.size[axis] + after).max(1));
        }
        if this.kernel == [1, 1] && this.stride == [1, 1] && this.padding == [(0, 0); 2] {
            // Where pixels do not meet, an image is one row of them.
            let row = [1, this.pixels()];
            (this.size, this.out) = (row, row);
        }
        this
    }

    /// Pixels of an input image.
    pub fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Pixels of an image of the result.
    pub fn out_pixels(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Taps of a kernel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}
