//! Test rows of convolution over a table of strides, paddings, dilations and groups, none of them
//! square. All three members are bilinear (the bias adds a linear term), so differences with a step of 1
//! are exact.

use super::{Row, any};
use crate::check::Gradcheck;
use crate::graph::{ConvOp, Op, Tape, Var};
use wengert_tensor::{Conv, Shape, Tensor, VolumeConv, shapes};

pub(super) fn after(op: ConvOp) -> Option<ConvOp> {
    match op {
        ConvOp::Forward(place) => Some(ConvOp::Input(place)),
        ConvOp::Input(place) => Some(ConvOp::Weight(place)),
        ConvOp::Weight(_) => None,
    }
}

struct Case {
    name: &'static str,
    x: [usize; 4],
    w: [usize; 4],
    conv: Conv,
}

fn case(
    name: &'static str,
    x: [usize; 4],
    w: [usize; 4],
    stride: [usize; 2],
    padding: [(usize, usize); 2],
    dilation: [usize; 2],
) -> Case {
    Case { name, x, w, conv: Conv { stride, padding, dilation, groups: x[1] / w[1] } }
}

/// Returns the cases of the table. The number of groups follows from the channels.
fn cases() -> Vec<Case> {
    let (no, once) = ([(0, 0), (0, 0)], [1, 1]);
    vec![
        case("plain", [2, 3, 5, 4], [2, 3, 3, 2], once, no, once),
        case("of one pixel", [2, 3, 1, 1], [4, 3, 1, 1], once, no, once),
        case("kernel as large as the image", [2, 2, 3, 4], [3, 2, 3, 4], once, no, once),
        case("stride", [2, 2, 6, 5], [3, 2, 2, 3], [2, 1], no, once),
        case("a stride that leaves a rest", [1, 2, 8, 7], [2, 2, 3, 2], [3, 2], no, once),
        case("a stride that jumps over pixels", [2, 2, 7, 5], [1, 2, 2, 1], [3, 4], no, once),
        case("1 × 1 with a stride", [2, 3, 5, 6], [2, 3, 1, 1], [2, 2], no, once),
        case("padding", [2, 1, 4, 5], [2, 1, 3, 5], once, [(1, 1), (2, 2)], once),
        case("uneven padding", [1, 2, 3, 5], [2, 2, 3, 2], once, [(2, 0), (0, 1)], once),
        case("more padding than kernel", [1, 2, 3, 2], [2, 2, 2, 1], once, [(3, 2), (1, 2)], once),
        case("a kernel of padding", [1, 2, 2, 3], [2, 2, 5, 4], once, [(2, 2), (1, 1)], once),
        case("dilation", [1, 2, 7, 6], [2, 2, 3, 2], once, no, [2, 3]),
        case("groups", [2, 4, 4, 3], [6, 2, 2, 3], once, no, once),
        case("depthwise", [2, 3, 4, 5], [3, 1, 3, 2], once, [(1, 1), (1, 0)], once),
        case("depthwise, two per channel", [1, 3, 5, 4], [6, 1, 2, 3], [2, 1], no, once),
        case("all", [2, 4, 7, 9], [2, 2, 2, 3], [2, 3], [(2, 1), (0, 1)], [3, 2]),
        case("signals", [2, 3, 1, 9], [2, 3, 1, 4], [1, 2], [(0, 0), (1, 2)], [1, 2]),
    ]
}

fn weight_gradient<'t>(x: Var<'t, f64>, gy: Var<'t, f64>, case: &Case) -> Var<'t, f64> {
    let op = ConvOp::Weight(x.tape().geometry(&case.conv));
    x.tape().apply(Op::Conv(op), &[x, gy], Shape::new(&case.w))
}

#[allow(clippy::too_many_lines)] // a list
pub(super) fn rows(op: ConvOp) -> Vec<Row> {
    let kind = Op::Conv(op);
    let mut rows = vec![];
    for case in cases() {
        let Case { name, x, w, conv } = case;
        let y = shapes::conv2d(&x, &w, None, &conv).unwrap();
        match op {
            ConvOp::Forward(_) => {
                let inputs = vec![any(&x, 1), any(&w, 2)];
                let row = Row::new(kind, name, inputs, move |v| v[0].conv2d(v[1], None, &conv));
                rows.push(row.bilinear());
                let inputs = vec![any(&x, 1), any(&w, 2), any(&w[..1], 3)];
                let row = Row::new(kind, &format!("{name}, bias"), inputs, move |v| {
                    v[0].conv2d(v[1], Some(v[2]), &conv)
                });
                rows.push(row.bilinear());
            }
            ConvOp::Input(_) => {
                // In the transposed convolution y is the smaller image. Its result may be smaller than
                // x.
                let least = shapes::conv_transpose2d(&y, &w, None, &conv, [0, 0]).unwrap();
                let output_padding = [x[2] - least[2], x[3] - least[3]];
                let inputs = vec![any(&y, 1), any(&w, 2)];
                let row = Row::new(kind, name, inputs, move |v| {
                    v[0].conv_transpose2d(v[1], None, &conv, output_padding)
                });
                rows.push(row.bilinear());
                let inputs = vec![any(&y, 1), any(&w, 2), any(&x[1..2], 3)];
                let row = Row::new(kind, &format!("{name}, bias"), inputs, move |v| {
                    v[0].conv_transpose2d(v[1], Some(v[2]), &conv, output_padding)
                });
                rows.push(row.bilinear());
            }
            ConvOp::Weight(_) => {
                let inputs = vec![any(&x, 1), any(&y, 2)];
                let row = Row::new(kind, name, inputs, move |v| weight_gradient(v[0], v[1], &case));
                rows.push(row.bilinear());
            }
        }
    }
    let (x, w) = (|| any(&[2, 2, 4, 5], 1), || any(&[2, 2, 3, 2], 2));
    match op {
        ConvOp::Forward(_) => {
            rows.push(Row::new(kind, "curved", vec![x(), w()], |v| {
                let conv = Conv { padding: [(1, 1), (1, 0)], ..Conv::default() };
                (0.2 * v[0]).conv2d(v[1], None, &conv).tanh().conv2d(v[1], None, &conv)
            }));
            for (about, conv) in volume_convs() {
                let groups = conv.groups;
                let inputs =
                    vec![any(&[2, 4, 3, 3, 4], 1), any(&[2, 4 / groups, 2, 1, 3], 2), any(&[2], 3)];
                rows.push(
                    Row::new(kind, about, inputs, move |v| v[0].conv3d(v[1], Some(v[2]), &conv))
                        .bilinear(),
                );
            }
            rows.push(Row::new(
                kind,
                "curved volumes",
                vec![any(&[1, 1, 3, 2, 2], 1), any(&[1, 1, 2, 2, 1], 2)],
                |v| {
                    let conv = VolumeConv::new().padding([1, 0, 1]);
                    v[0].conv3d(v[1], None, &conv).tanh().conv3d(
                        v[1],
                        None,
                        &conv.padding([0, 1, 0]),
                    )
                },
            ));
            let signals = vec![any(&[2, 4, 7], 1), any(&[6, 2, 3], 2), any(&[6], 3)];
            rows.push(
                Row::new(kind, "conv1d", signals, |v| {
                    let conv = Conv {
                        stride: [5, 2],
                        padding: [(9, 9), (2, 1)],
                        dilation: [7, 2],
                        groups: 2,
                    };
                    v[0].conv1d(v[1], Some(v[2]), &conv)
                })
                .bilinear(),
            );
        }
        ConvOp::Input(_) => {
            for (about, conv) in volume_convs() {
                let inputs = vec![
                    any(&[2, 4, 2, 3, 2], 1),
                    any(&[4, 3, 2, 1, 3], 2),
                    any(&[3 * conv.groups], 3),
                ];
                rows.push(
                    Row::new(kind, about, inputs, move |v| {
                        v[0].conv_transpose3d(v[1], Some(v[2]), &conv, [1, 0, 0])
                    })
                    .bilinear(),
                );
            }
            let signals = vec![any(&[2, 4, 3], 1), any(&[4, 3, 3], 2), any(&[6], 3)];
            rows.push(
                Row::new(kind, "conv_transpose1d", signals, |v| {
                    let conv = Conv::new().stride([5, 3]).groups(2);
                    v[0].conv_transpose1d(v[1], Some(v[2]), &conv, 2)
                })
                .bilinear(),
            );
            let inputs = vec![any(&[2, 4, 3, 4], 1), any(&[4, 3, 2, 2], 2), any(&[6], 3)];
            rows.push(
                Row::new(kind, "output padding above the stride", inputs, |v| {
                    let conv = Conv { padding: [(1, 1), (0, 2)], ..Conv::new() };
                    let conv = conv.stride([1, 2]).dilation([3, 4]).groups(2);
                    v[0].conv_transpose2d(v[1], Some(v[2]), &conv, [2, 3])
                })
                .bilinear(),
            );
        }
        ConvOp::Weight(_) => {}
    }
    rows
}

/// Options of convolutions of volumes, whose stride or dilation along the depth is above 1.
fn volume_convs() -> [(&'static str, VolumeConv); 3] {
    let conv = VolumeConv::new();
    [
        ("volumes, stride", conv.stride([2, 1, 2]).padding([0, 0, 1])),
        (
            "volumes, groups",
            conv.padding_each([(2, 1), (0, 0), (0, 1)]).dilation([2, 3, 1]).groups(2),
        ),
        (
            "volumes, stride and dilation",
            conv.stride([3, 1, 1]).dilation([2, 1, 1]).padding([1, 0, 0]),
        ),
    ]
}

/// Adds the kernel to the result for each pixel of the image; `size` is the size of the result.
fn transposed(
    x: &Tensor<f64>,
    w: &Tensor<f64>,
    bias: &Tensor<f64>,
    conv: &Conv,
    size: [usize; 2],
) -> Vec<f64> {
    let ([n, c, h, wide], [_, per_group, kh, kw]) = (sizes(x), sizes(w));
    let o = per_group * conv.groups;
    let mut y: Vec<f64> = Tensor::zeros_of(&[n, o, size[0], size[1]]).to_vec();
    let place = |i: usize, k: usize, side: usize| {
        let at = i * conv.stride[side] + k * conv.dilation[side];
        at.checked_sub(conv.padding[side].0).filter(|&at| at < size[side])
    };
    for (sample, from, to) in all([n, c, per_group]) {
        let channel = from / (c / conv.groups) * per_group + to;
        for (i, k, j) in all([h, kh, wide]) {
            for l in 0..kw {
                if let (Some(row), Some(column)) = (place(i, k, 0), place(j, l, 1)) {
                    y[((sample * o + channel) * size[0] + row) * size[1] + column] +=
                        x.at(&[sample, from, i, j]) * w.at(&[from, to, k, l]);
                }
            }
        }
    }
    let of_channel = size[0] * size[1];
    y.iter().enumerate().map(|(i, y)| y + bias.at(&[i / of_channel % o])).collect()
}

fn sizes(x: &Tensor<f64>) -> [usize; 4] {
    (*x.shape()).try_into().unwrap()
}

fn all([a, b, c]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a * b * c).map(move |i| (i / c / b, i / c % b, i % c))
}

#[test]
fn every_output_padding_has_the_values_of_plain_loops() {
    let uneven = Conv { padding: [(0, 2), (2, 0)], ..Conv::new() };
    let mut compared = 0;
    for (conv, groups) in [
        (Conv::new().dilation(3), 1),
        (Conv::new().dilation([3, 4]).padding([1, 2]), 2),
        (Conv::new().stride([2, 1]).dilation([5, 3]).padding([0, 1]), 1),
        (uneven.stride([3, 2]).dilation([2, 5]), 2),
        (Conv::new().stride(3), 1),
    ] {
        let conv = conv.groups(groups);
        let (x, w) = (any(&[2, 4, 3, 2], 1), any(&[4, 3, 2, 3], 2));
        let bias = any(&[3 * groups], 3);
        let most = [0, 1].map(|side| conv.stride[side].max(conv.dilation[side]));
        for (more_h, more_w, _) in all([most[0], most[1], 1]) {
            let tape = Tape::new();
            let [vx, vw, vb] = [&x, &w, &bias].map(|value| tape.watch(value.clone()));
            let y = vx.conv_transpose2d(vw, Some(vb), &conv, [more_h, more_w]);
            let size = [y.shape()[2], y.shape()[3]];
            let plain = transposed(&x, &w, &bias, &conv, size);
            for (i, (a, b)) in y.value().to_vec().into_iter().zip(plain).enumerate() {
                let what = format!("{conv:?}, output padding [{more_h}, {more_w}], element {i}");
                assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{what}: {a} {b}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 9 + 12 + 15 + 15 + 9);
}

/// Convolutions and transposed convolutions whose image is also the weight.
#[test]
fn derivatives_are_right_if_the_image_is_also_the_weight() {
    fn with_itself<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
        let conv = Conv { padding: [(1, 1), (2, 1)], ..Conv::default() };
        x[0].conv2d(x[0], None, &conv)
    }
    fn transposed<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
        x[0].conv_transpose2d(x[0], None, &Conv::default(), [0, 0])
    }
    for x in [any(&[2, 2, 3, 2], 1), any(&[3, 3, 1, 2], 1)] {
        for f in [with_itself, transposed] {
            Gradcheck::new().order(2).run(f, std::slice::from_ref(&x)).unwrap();
        }
    }
}

/// Third derivatives exist, because the derivatives of the trilinear form are operations of the same family.
#[test]
fn third_derivatives_agree_with_differences() {
    fn f<'t>(x: &[Var<'t, f64>]) -> Var<'t, f64> {
        x[0].conv2d(x[1], None, &Conv::default()).square()
    }
    let inputs = [any(&[1, 2, 3, 2], 1), any(&[2, 2, 2, 1], 2)];
    Gradcheck::new().order(3).run(f, &inputs).unwrap();
}

/// A geometry is stored once, and the rules use that of their forward convolution.
#[test]
fn rules_reuse_the_geometry_of_the_forward_convolution() {
    let tape = Tape::<f64>::new();
    let (x, w) = (tape.watch(any(&[1, 2, 4, 3], 1)), tape.watch(any(&[2, 2, 3, 3], 2)));
    let conv = Conv { padding: [(1, 1), (1, 1)], ..Conv::default() };
    let y = (0..5).fold(x, |x, _| x.conv2d(w, None, &conv).tanh());
    let slope = y.sum_all().grad(&[w])[0];
    slope.square().sum_all().backward();
    assert_eq!(tape.arena.borrow().convs, [conv]);
}

/// Only requested gradients are computed.
#[test]
fn the_gradient_of_a_weight_does_not_compute_that_of_the_image() {
    let tape = Tape::<f64>::new();
    let (x, w) = (tape.constant(any(&[1, 2, 4, 3], 1)), tape.watch(any(&[2, 2, 3, 3], 2)));
    let y = x.conv2d(w, None, &Conv::default()).sum_all();
    let before = tape.len();
    y.grad(&[w]);
    let arena = tape.arena.borrow();
    let inputs = arena.nodes[before..].iter();
    assert_eq!(inputs.filter(|node| matches!(node.op, Op::Conv(ConvOp::Input(_)))).count(), 0);
}

#[test]
fn small_convolutions_have_the_values_computed_by_hand() {
    let tape = Tape::<f64>::new();
    let x = tape.constant(Tensor::from_fn(&[1, 1, 2, 3], |i| i as f64));
    let w = tape.constant(Tensor::from_fn(&[1, 1, 1, 2], |i| [1.0, 10.0][i]));
    let b = tape.constant(Tensor::from_fn(&[1], |_| 0.5));
    let y = x.conv2d(w, Some(b), &Conv::default());
    assert_eq!(y.value().to_vec(), [10.5, 21.5, 43.5, 54.5]);
    let back = y.conv_transpose2d(w, None, &Conv::default(), [0, 0]);
    assert_eq!(back.value().to_vec(), [10.5, 126.5, 215.0, 43.5, 489.5, 545.0]);
}
