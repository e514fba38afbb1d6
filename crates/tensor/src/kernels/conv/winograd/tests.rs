//! Winograd's convolution against plain loops in `f64`.

use super::super::{ConvSizes, forward, input};
use super::{applies, correlate, pays, weight};

/// Returns numbers below 12, so that sums are exact in any order.
fn integers(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729) % 23) as f32 - 11.0).collect()
}

/// Returns numbers between -1 and 1 that follow no pattern, whose sums are not exact.
fn fractions(n: usize, seed: usize) -> Vec<f32> {
    let mut state = seed as u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    (0..n).map(|_| next() as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// Calls `f` with the places in x, w and y of each product.
fn products(g: &ConvSizes, mut f: impl FnMut(usize, usize, usize)) {
    for image in 0..g.n {
        for map in 0..g.groups * g.o {
            for pixel in 0..g.out_pixels() {
                let y = (image * g.groups * g.o + map) * g.out_pixels() + pixel;
                let [i, j] = [pixel / g.out[1], pixel % g.out[1]];
                for c in 0..g.c {
                    let plane = (image * g.groups + map / g.o) * g.c + c;
                    for tap in 0..9 {
                        let row = (i + tap / 3).wrapping_sub(g.padding[0].0);
                        let col = (j + tap % 3).wrapping_sub(g.padding[1].0);
                        if row < g.size[0] && col < g.size[1] {
                            let x = plane * g.pixels() + row * g.size[1] + col;
                            f(x, (map * g.c + c) * 9 + tap, y);
                        }
                    }
                }
            }
        }
    }
}

fn sizes(
    [n, groups, c, o]: [usize; 4],
    out: [usize; 2],
    padding: [(usize, usize); 2],
) -> ConvSizes {
    let size = [0, 1].map(|axis| out[axis] + 2 - padding[axis].0 - padding[axis].1);
    ConvSizes {
        n,
        groups,
        c,
        o,
        size,
        out,
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        padding,
    }
}

/// Returns y, gx and gw by Winograd's method.
fn all(g: &ConvSizes, [x, w, gy]: [&[f32]; 3], bias: Option<&[f32]>) -> [(Vec<f32>, bool); 3] {
    let [mut y, mut gx, mut gw] = [gy, x, w].map(|of| vec![f32::NAN; of.len()]);
    // SAFETY: the lengths are those of `g`.
    let finite = unsafe {
        [
            correlate::forward(g, x, w, bias, &mut y),
            correlate::input(g, gy, w, &mut gx),
            weight::run(g, x, gy, &mut gw),
        ]
    };
    [(y, finite[0]), (gx, finite[1]), (gw, finite[2])]
}

fn operands(g: &ConvSizes, of: fn(usize, usize) -> Vec<f32>) -> [Vec<f32>; 3] {
    let x = of(g.n * g.groups * g.c * g.pixels(), 1);
    [x, of(g.groups * g.o * g.c * 9, 2), of(g.n * g.groups * g.o * g.out_pixels(), 3)]
}

/// Every size of a result up to 5 by 7, all paddings, channels that fill vectors and that do not, blocks of several images,
/// of rows and of columns.
#[test]
fn all_geometries_agree_with_loops() {
    let paddings: Vec<_> = (0..3).flat_map(|a| (0..3).map(move |b| (a, b))).collect();
    let mut cases = Vec::new();
    for (i, &down) in paddings.iter().enumerate() {
        for height in 1..=5 {
            for width in 1..=7 {
                let number = cases.len();
                let across = paddings[(i * 5 + height * 7 + width) % 9];
                let counts = [1 + number % 3, 1 + number % 2, 1 + number % 19, 1 + number % 18];
                let fits = |len: usize, (a, b): (usize, usize)| len + 2 > a + b;
                if fits(height, down) && fits(width, across) {
                    cases.push(sizes(counts, [height, width], [down, across]));
                }
            }
        }
    }
    let one = [(1, 1); 2];
    cases.extend([
        sizes([2, 1, 33, 40], [17, 19], one),
        sizes([70, 1, 16, 16], [4, 3], one),
        sizes([3, 1, 9, 130], [13, 26], [(0, 0); 2]),
        sizes([1, 2, 130, 9], [26, 14], [(2, 2); 2]),
        sizes([1, 1, 8, 8], [3, 600], one),
    ]);
    for g in &cases {
        assert!(applies::<f32>(g), "{g:?}");
        let [x, w, gy] = operands(g, integers);
        let bias = integers(g.groups * g.o, 4);
        let area = g.out_pixels();
        let mut y: Vec<f32> = (0..gy.len()).map(|i| bias[i / area % bias.len()]).collect();
        let (mut gx, mut gw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
        products(g, |i, tap, k| {
            y[k] += x[i] * w[tap];
            gx[i] += gy[k] * w[tap];
            gw[tap] += x[i] * gy[k];
        });
        let results = all(g, [&x, &w, &gy], Some(&bias));
        for ((result, finite), wanted) in results.into_iter().zip([y, gx, gw]) {
            assert!(finite && result == wanted, "{g:?}");
        }
    }
    assert_eq!(cases.len(), 274);
}

/// Panics unless each error is at most a small multiple of ε times its bound.
fn assert_within(result: &[f32], exact: &[f64], bounds: &[f64], what: &str) {
    assert!(result.len() == exact.len() && result.len() == bounds.len());
    for ((&y, exact), bound) in result.iter().zip(exact).zip(bounds) {
        let limit = 8.0 * f64::from(f32::EPSILON) * bound;
        assert!((f64::from(y) - exact).abs() <= limit, "{what}: {y:e} {exact:e}");
    }
}

/// The largest error of each result stays below the bound that the module states, and the mean error is about that of
/// the plain kernels.
#[test]
fn errors_are_those_of_sums_of_products() {
    for (counts, out) in
        [([2, 1, 16, 16], [32, 32]), ([4, 1, 64, 64], [8, 8]), ([1, 1, 256, 32], [6, 7])]
    {
        let g = &sizes(counts, out, [(1, 1); 2]);
        let [x, w, gy] = operands(g, fractions);
        let mut exact = [gy.len(), x.len(), w.len()].map(|n| vec![0.0f64; n]);
        // Sums of |w| and of |gy|: no pixel is larger than 1.
        let mut bounds = exact.clone();
        products(g, |i, tap, k| {
            for (place, (at, a, b)) in
                [(k, x[i], w[tap]), (i, gy[k], w[tap]), (tap, x[i], gy[k])].into_iter().enumerate()
            {
                exact[place][at] += f64::from(a) * f64::from(b);
                bounds[place][at] += f64::from(b.abs());
            }
        });
        let mut plain = exact.each_ref().map(|of| vec![0.0f32; of.len()]);
        let [y, gx, gw] = &mut plain;
        // SAFETY: the lengths are those of `g`.
        unsafe {
            forward::run(g, &x, &w, None, y);
            input::run(g, &gy, &w, gx);
            super::super::weight::run(g, &x, &gy, gw);
        }
        let mean = |of: &[f32], exact: &[f64]| {
            let squares = of.iter().zip(exact).map(|(&y, exact)| (f64::from(y) - exact).powi(2));
            (squares.sum::<f64>() / of.len() as f64).sqrt()
        };
        for (place, (result, finite)) in all(g, [&x, &w, &gy], None).into_iter().enumerate() {
            assert!(finite);
            let (here, there) = (mean(&result, &exact[place]), mean(&plain[place], &exact[place]));
            println!(
                "{counts:?} {place}: mean error {here:.2e}, plain {there:.2e}, ratio {:.2}",
                here / there
            );
            assert!(here < 1.25 * there, "{counts:?} {place}: {here:e} {there:e}");
            assert_within(&result, &exact[place], &bounds[place], &format!("{counts:?} {place}"));
        }
    }
}

/// The error is relative to the weights also where they are subnormal.
#[test]
fn subnormal_weights_keep_their_bits() {
    let g = &sizes([1, 1, 16, 16], [8, 8], [(1, 1); 2]);
    let [mut x, mut w, mut gy] = operands(g, fractions);
    for w in &mut w {
        *w *= 1e-41;
    }
    for x in x.iter_mut().chain(&mut gy) {
        *x *= 1e30;
    }
    let mut exact = [gy.len(), x.len()].map(|n| vec![0.0f64; n]);
    let mut bounds = exact.clone();
    products(g, |i, tap, k| {
        for (place, at, a) in [(0, k, x[i]), (1, i, gy[k])] {
            exact[place][at] += f64::from(a) * f64::from(w[tap]);
            bounds[place][at] += 1e30 * f64::from(w[tap].abs());
        }
    });
    let [y, gx, _] = all(g, [&x, &w, &gy], None);
    for (place, (result, finite)) in [y, gx].into_iter().enumerate() {
        assert!(finite);
        assert_within(&result, &exact[place], &bounds[place], &place.to_string());
    }
}

/// Sums of integers and of a bias far above them are exact.
#[test]
fn a_large_bias_is_added_to_exact_sums() {
    let g = &sizes([2, 2, 16, 16], [8, 7], [(1, 1); 2]);
    let [x, w, gy] = operands(g, integers);
    let bias: Vec<f32> = integers(g.groups * g.o, 4).iter().map(|b| b + (1 << 23) as f32).collect();
    let area = g.out_pixels();
    let mut y: Vec<f64> = (0..gy.len()).map(|i| f64::from(bias[i / area % bias.len()])).collect();
    products(g, |i, tap, k| y[k] += f64::from(x[i]) * f64::from(w[tap]));
    let [(result, finite), ..] = all(g, [&x, &w, &gy], Some(&bias));
    let wanted: Vec<f32> = y.iter().map(|&y| y as f32).collect();
    assert!(finite && result == wanted);
}

/// Where a number is not finite, or a sum in between overflows, the method says so.
#[test]
fn results_that_are_not_finite_are_reported() {
    let g = &sizes([3, 1, 9, 17], [7, 6], [(1, 1); 2]);
    let operands = operands(g, fractions);
    let finite = |operands: &[Vec<f32>; 3]| {
        all(g, [&operands[0], &operands[1], &operands[2]], None).map(|(_, finite)| finite)
    };
    assert_eq!(finite(&operands), [true; 3]);
    for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        for (changed, wanted) in
            [(0, [false, true, false]), (1, [false, false, true]), (2, [true, false, false])]
        {
            for place in [0, operands[changed].len() / 2, operands[changed].len() - 1] {
                let mut operands = operands.clone();
                operands[changed][place] = special;
                // The sums of the largest number and of small ones need not overflow.
                if special.is_finite() {
                    operands[changed].iter_mut().for_each(|x| *x = x.signum() * special);
                }
                assert_eq!(finite(&operands), wanted, "{special} {changed} {place}");
            }
        }
    }
}

/// Without padding, a corner of an image is a part of one pixel of the result alone.
#[test]
fn a_corner_that_is_not_finite_is_reported() {
    let g = &sizes([1, 1, 8, 8], [6, 6], [(0, 0); 2]);
    let [x, w, gy] = operands(g, fractions);
    for corner in [0, 7, 56, 63] {
        for special in [f32::NAN, f32::INFINITY] {
            let mut x = x.clone();
            x[64 * 3 + corner] = special;
            let finite = all(g, [&x, &w, &gy], None).map(|(_, finite)| finite);
            assert_eq!(finite, [false, true, false], "{corner} {special}");
        }
    }
}

/// The adjoint in the weight is cut into chunks, which are added in one order.
#[test]
fn the_weight_has_the_same_bits_on_any_number_of_threads() {
    let g = &sizes([16, 1, 32, 32], [16, 16], [(1, 1); 2]);
    let operands = operands(g, fractions);
    let [one, three] = [1, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| all(g, [&operands[0], &operands[1], &operands[2]], None))
    });
    assert!(one == three);
}

/// The method is used for the layers that it was made for, and not for small ones.
#[test]
fn the_method_is_used_where_it_pays() {
    let used = |counts, out| pays::<f32>(&sizes(counts, out, [(1, 1); 2]));
    for (channels, side) in [(16, 32), (32, 16), (64, 8), (64, 56), (128, 28), (512, 7)] {
        assert!(used([64, 1, channels, channels], [side, side]), "{channels} {side}");
    }
    assert!(!used([64, 1, 3, 64], [32, 32]));
    assert!(!used([1, 1, 512, 512], [2, 2]));
    assert!(!applies::<f64>(&sizes([64, 1, 64, 64], [8, 8], [(1, 1); 2])));
}
