//! Tests of the shapes of convolutions, with their messages.

use super::extent::plane;
use super::*;
use crate::geometry::Conv;
use crate::shapes::ShapeResult;

fn why<R: std::fmt::Debug>(rule: ShapeResult<R>) -> String {
    rule.unwrap_err()
}

#[test]
fn output_sizes_agree_with_pytorch() {
    let conv = |stride, padding: (usize, usize), dilation| Conv {
        stride: [stride, 1],
        padding: [padding, (0, 0)],
        dilation: [dilation, 1],
        groups: 1,
    };
    // size, kernel, stride, padding, dilation: as torch.nn.functional.conv2d.
    for (size, kernel, stride, padding, dilation, out) in [
        (28, 5, 1, (2, 2), 1, 28),
        (32, 3, 2, (1, 1), 1, 16),
        (7, 3, 2, (0, 0), 1, 3),
        (8, 3, 2, (0, 0), 1, 3),
        (8, 1, 2, (0, 0), 1, 4),
        (9, 3, 1, (0, 1), 4, 2),
        (1, 3, 5, (1, 1), 1, 1),
    ] {
        let conv = conv(stride, padding, dilation);
        let shape = conv2d(&[2, 3, size, 4], &[5, 3, kernel, 4], Some(&[5]), &conv).unwrap();
        assert_eq!(shape, [2, 5, out, 1], "{size} {kernel} {conv:?}");
        assert_eq!(
            conv2d_input(&shape, &[5, 3, kernel, 4], [size, 4], &conv).unwrap(),
            [2, 3, size, 4]
        );
        assert_eq!(
            conv2d_weight(&[2, 3, size, 4], &shape, [kernel, 4], &conv).unwrap(),
            [5, 3, kernel, 4]
        );
    }
    let conv = Conv { stride: [2, 3], padding: [(1, 1), (0, 1)], ..Conv::default() };
    let shape = conv_transpose2d(&[1, 4, 5, 7], &[4, 6, 3, 2], None, &conv, [1, 0]);
    assert_eq!(shape.unwrap(), [1, 6, 10, 19]);
    let conv = Conv { dilation: [3, 2], ..Conv::default() };
    let shape = conv_transpose2d(&[1, 4, 5, 7], &[4, 6, 3, 2], None, &conv, [2, 1]);
    assert_eq!(shape.unwrap(), [1, 6, 13, 10]);
}

#[test]
fn messages_name_the_argument_that_does_not_fit() {
    let one = Conv::default();
    let x = [64, 3, 28, 28];
    assert_eq!(
        why(conv2d(&x, &[6, 1, 5, 5], None, &one)),
        "conv2d: input [64, 3, 28, 28] has 3 channels, weight [6, 1, 5, 5] with groups 1 expects 1; did you mean groups 3?"
    );
    assert_eq!(
        why(conv2d(&x, &[8, 1, 5, 5], None, &one)),
        "conv2d: input [64, 3, 28, 28] has 3 channels, weight [8, 1, 5, 5] with groups 1 expects 1; a weight [8, 3, 5, 5] would fit"
    );
    assert_eq!(
        why(conv2d(&[3, 28, 28], &[6, 3, 5, 5], None, &one)),
        "conv2d: input [3, 28, 28] has 3 axes, expected [N, C, H, W]; one image becomes a \
         batch with unsqueeze(0)"
    );
    assert_eq!(
        why(conv2d(&[1, 3, 4, 28], &[6, 3, 5, 5], None, &one)),
        "conv2d: input [1, 3, 4, 28] has height 4, a kernel of 5 does not fit; pad the image by \
         1 more in all, or take a smaller kernel"
    );
    let wide = Conv { dilation: [1, 20], padding: [(1, 1); 2], ..one };
    assert_eq!(
        why(conv2d(&x, &[6, 3, 3, 3], None, &wide)),
        "conv2d: input [64, 3, 28, 28] has width 28, padded 30, a kernel of 3 with dilation 20 \
         spans 41 does not fit; pad the image by 11 more in all, or take a smaller kernel"
    );
    assert_eq!(
        why(conv2d(&x, &[6, 3, 3, 3], Some(&[1, 6]), &one)),
        "conv2d: bias [1, 6] does not fit weight [6, 3, 3, 3]: expected [6]"
    );
    assert_eq!(
        why(conv2d(&x, &[6, 3, 3, 3], None, &Conv { stride: [0, 1], ..one })),
        "conv2d: stride must be at least 1, got [0, 1]"
    );
    assert_eq!(
        why(conv2d(&x, &[5, 1, 3, 3], None, &Conv { groups: 3, ..one })),
        "conv2d: the 5 channels of weight [5, 1, 3, 3] do not divide into 3 groups"
    );
    assert_eq!(
        why(conv_transpose2d(&[1, 4, 5, 5], &[3, 4, 2, 2], None, &one, [0, 0])),
        "conv_transpose2d: input [1, 4, 5, 5] has 4 channels, weight [3, 4, 2, 2] expects 3; did \
         you mean the weight with its first two axes exchanged?"
    );
    assert_eq!(
        why(conv_transpose2d(&[1, 4, 5, 5], &[4, 4, 2, 2], None, &one, [0, 1])),
        "conv_transpose2d: output padding 1 of the width must be smaller than the stride 1 or the \
         dilation 1"
    );
    assert_eq!(
        why(conv2d_input(&[1, 6, 5, 5], &[6, 3, 3, 3], [8, 7], &one)),
        "conv2d_input: gradient [1, 6, 5, 5] does not belong to input [1, 3, 8, 7] and weight \
         [6, 3, 3, 3], whose result has shape [1, 6, 6, 5]"
    );
}

/// Guards against a former fault: the buffer of one image was bounded by 36 batches, so with addresses of 32
/// bits batches of more than 15 MB were refused.
#[test]
fn a_padded_batch_that_fills_the_address_space_is_permitted() {
    let images = 20_000;
    let x = [images, 6, 28, 28];
    let same = Conv::new().padding(2);
    assert_eq!(conv2d(&x, &[6, 6, 5, 5], None, &same).unwrap(), x);
    let stride = same.stride(2);
    assert_eq!(conv2d(&x, &[6, 6, 5, 5], None, &stride).unwrap(), [images, 6, 14, 14]);
}

/// Compares the bound with the lengths by their definitions: the phases of the convolution and the furthest
/// shift in one, and the phases of the input with the distances of their taps in the gradient.
#[test]
fn bounds_of_planes_are_at_least_their_lengths() {
    let mut tight = 0;
    for (size, before, after) in [(1, 0, 0), (1, 3, 2), (7, 0, 0), (8, 2, 1), (13, 1, 4)] {
        for (kernel, dilation) in [(1, 1), (1, 9), (2, 1), (2, 5), (3, 1), (3, 2), (5, 1), (4, 3)] {
            for stride in [1, 2, 3, 4, 7, 40] {
                let (padded, reach) = (before + size + after, dilation * (kernel - 1));
                if reach >= padded {
                    continue;
                }
                let windows = (padded - reach - 1) / stride + 1;
                let taps = || (0..kernel).map(|tap| tap * dilation);
                let mut phases: Vec<_> = taps().map(|at| at % stride).collect();
                phases.sort_unstable();
                phases.dedup();
                let furthest = taps().map(|at| at / stride).max().unwrap();
                let forward = phases.len() * (windows + furthest);

                // Input pixel `first + i·stride` is read through this tap by window `i + distance`.
                let distances = |first: usize| {
                    taps().filter_map(move |at| {
                        let window = (first + before) as isize - at as isize;
                        let stride = stride as isize;
                        (window.rem_euclid(stride) == 0).then(|| window.div_euclid(stride))
                    })
                };
                let firsts = || 0..stride.min(size);
                let least = firsts().flat_map(distances).min().unwrap_or(0);
                let input = firsts().flat_map(|first| {
                    let pixels = (size - first).div_ceil(stride);
                    distances(first).map(move |distance| pixels + (distance - least) as usize)
                });
                let longest = forward.max(input.max().unwrap_or(0));
                let bound = plane(size, padded, kernel, stride, dilation);
                assert!(
                    bound >= longest,
                    "{bound} {longest}: {size} {before} {after} {kernel} {dilation} {stride}"
                );
                tight += usize::from(bound == longest);
            }
        }
    }
    assert!(tight > 50, "{tight}");
}

/// Tests the largest and smallest numbers of their types. An overflow panics in tests.
#[test]
fn shape_rules_of_convolutions_return_errors_at_extreme_sizes() {
    let sizes = [0, 1, 2, isize::MAX as usize, usize::MAX];
    let shapes: [&[usize]; 10] = [
        &[],
        &[3],
        &[2, 4, 5],
        &[4, 2, 3],
        &[4, 2, usize::MAX],
        &[2, 4, 5, 5],
        &[0, 4, 5, 5],
        &[2, 4, usize::MAX, 1],
        &[4, 2, 3, 3],
        &[4, 2, 1, usize::MAX],
    ];
    for a in sizes {
        for b in sizes {
            let convs = [
                Conv { stride: [a, b], ..Conv::default() },
                Conv { padding: [(a, b), (b, a)], ..Conv::default() },
                Conv { dilation: [a, b], groups: a, ..Conv::default() },
                Conv { padding: [(0, a); 2], dilation: [b, b], groups: 2, stride: [2, 2] },
            ];
            for conv in &convs {
                for x in shapes {
                    for w in shapes {
                        drop((conv2d(x, w, Some(x), conv), conv2d(x, w, None, conv)));
                        drop(conv_transpose2d(x, w, None, conv, [a, b]));
                        drop(conv_transpose2d(x, w, None, conv, [0, 0]));
                        drop((conv1d(x, w, None, conv), conv_transpose1d(x, w, None, conv, a)));
                        drop(conv2d_input(x, w, [a, b], conv));
                        drop(conv2d_weight(x, w, [a, b], conv));
                    }
                }
            }
        }
    }
}
