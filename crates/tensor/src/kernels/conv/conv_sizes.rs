//! The sizes of a convolution.

use crate::geometry::Conv;

/// All sizes of a convolution. Arrays of two elements are along H and along W.
#[derive(Clone, Copy, Debug)]
pub struct ConvSizes {
    /// Number of images.
    pub n: usize,
    /// Number of groups of channels.
    pub groups: usize,
    /// Channels of the input in each group.
    pub c: usize,
    /// Channels of the result in each group.
    pub o: usize,
    /// Size of an input image.
    pub size: [usize; 2],
    /// Size of an image of the result.
    pub out: [usize; 2],
    /// Size of the kernel in taps.
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Rows and columns of zeros before and after the image.
    pub padding: [(usize, usize); 2],
}

impl ConvSizes {
    /// Returns the sizes for the shapes of an input, a weight and a result that belong together.
    pub fn new(x: &[usize], w: &[usize], y: &[usize], conv: &Conv) -> Self {
        let mut this = ConvSizes {
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
            // A stride longer than the padded image gives one window, as a stride of its length
            // does. The stride is limited to this length, because multiples of a longer one could
            // overflow.
            let (before, after) = this.padding[axis];
            this.stride[axis] = this.stride[axis].min((before + this.size[axis] + after).max(1));
        }
        if this.kernel == [1, 1] && this.stride == [1, 1] && this.padding == [(0, 0); 2] {
            // A 1×1 kernel combines no neighbouring pixels, so an image is treated as one row of
            // pixels.
            let row = [1, this.pixels()];
            (this.size, this.out) = (row, row);
        }
        this
    }

    /// Returns the number of pixels of an input image.
    pub fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Returns the number of pixels of an image of the result.
    pub fn out_pixels(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Returns the number of taps of a kernel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}
