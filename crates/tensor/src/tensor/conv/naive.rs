//! The definitions of convolutions as plain loops. They are slow, and the tests compare the kernels with
//! them.

use super::ConvSizes;
use crate::tensor::Float;

/// Calls `f` for every product of the convolution with its positions in x, w and y.
fn products(g: &ConvSizes, mut f: impl FnMut(usize, usize, usize)) {
    let [kh, kw] = g.kernel;
    let [out_h, out_w] = g.out;
    for image in 0..g.n {
        for o in 0..g.groups * g.o {
            let group = o / g.o;
            for c in 0..g.c {
                for (i, j) in (0..out_h).flat_map(|i| (0..out_w).map(move |j| (i, j))) {
                    for (p, q) in (0..kh).flat_map(|p| (0..kw).map(move |q| (p, q))) {
                        let row = (i * g.stride[0] + p * g.dilation[0]).checked_sub(g.padding[0].0);
                        let col = (j * g.stride[1] + q * g.dilation[1]).checked_sub(g.padding[1].0);
                        let (Some(row), Some(col)) = (row, col) else { continue };
                        if row < g.size[0] && col < g.size[1] {
                            let channel = image * g.groups * g.c + group * g.c + c;
                            let map = image * g.groups * g.o + o;
                            f(
                                (channel * g.size[0] + row) * g.size[1] + col,
                                ((o * g.c + c) * kh + p) * kw + q,
                                (map * out_h + i) * out_w + j,
                            );
                        }
                    }
                }
            }
        }
    }
}

pub fn forward<T: Float>(g: &ConvSizes, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let (pixels, maps) = (g.out_pixels(), g.groups * g.o);
    for (i, y) in y.iter_mut().enumerate() {
        *y = bias.map_or(T::default(), |bias| bias[i / pixels % maps]);
    }
    products(g, |from, tap, to| y[to] = y[to] + x[from] * w[tap]);
}

pub fn input<T: Float>(g: &ConvSizes, gy: &[T], w: &[T], gx: &mut [T]) {
    gx.fill(T::default());
    products(g, |from, tap, to| gx[from] = gx[from] + gy[to] * w[tap]);
}

pub fn weight<T: Float>(g: &ConvSizes, x: &[T], gy: &[T], gw: &mut [T]) {
    gw.fill(T::default());
    products(g, |from, tap, to| gw[tap] = gw[tap] + x[from] * gy[to]);
}
