//! Test rows of normalisations.

use super::{Row, any};
use crate::graph::{Normalize, Op, PackedF64, Var};

/// Any operation of this family.
pub(super) fn first() -> Normalize {
    Normalize::Moments { axes: 1, correction: 0 }
}

fn after(op: Normalize) -> Option<Normalize> {
    match op {
        Normalize::Moments { .. } => Some(Normalize::Layer { axes: 1, eps: PackedF64::new(1e-5) }),
        Normalize::Layer { .. } => Some(Normalize::LayerGradient { axes: 1 }),
        Normalize::LayerGradient { .. } => Some(Normalize::Batch { eps: PackedF64::new(1e-2) }),
        Normalize::Batch { eps } => Some(Normalize::BatchGradient { eps }),
        Normalize::BatchGradient { .. } => None,
    }
}

pub(super) fn all() -> Vec<Row> {
    std::iter::successors(Some(first()), |&op| after(op)).flat_map(rows).collect()
}

/// The outputs of an operation, recorded as rules do.
fn outputs<'t>(op: Normalize, x: &[Var<'t, f64>], shapes: &[&[usize]]) -> Vec<Var<'t, f64>> {
    let tape = x[0].tape();
    let shapes: Vec<_> = shapes.iter().map(|shape| wengert_tensor::Shape::new(shape)).collect();
    let first = tape.apply_outputs(Op::Normalize(op), x, &shapes, shapes.len() as u32);
    (first..).take(shapes.len()).map(|id| Var { tape, id }).collect()
}

fn rows(op: Normalize) -> Vec<Row> {
    let kind = op;
    let op = Op::Normalize(op);
    match kind {
        Normalize::Moments { .. } => vec![
            Row::new(op, "variance", vec![any(&[3, 5], 1)], |x| x[0].var_mean(&[1], true, 1).0),
            Row::new(op, "mean", vec![any(&[3, 5], 1)], |x| x[0].var_mean(&[1], false, 0).1)
                .linear(),
            Row::new(op, "both, long segments", vec![any(&[2, 3, 17], 1)], |x| {
                let (variance, mean) = x[0].var_mean(&[0, 2], true, 0);
                variance.sqrt() * mean.exp()
            }),
            Row::new(op, "both, of columns", vec![any(&[4, 3], 1)], |x| {
                let (variance, mean) = x[0].var_mean(&[0], true, 1);
                (x[0] - mean) / variance.sqrt()
            }),
            Row::new(op, "tiny", vec![any(&[2, 3], 1)], |x| x[0].var_mean(&[1], true, 0).0)
                .order(3),
        ],
        Normalize::Layer { eps, .. } => rows_of_layer(op, eps),
        Normalize::LayerGradient { .. } => {
            let of = |shape: &[usize]| {
                let rows = [shape[0], 1];
                vec![any(shape, 1), any(&rows, 2), any(&rows, 3), any(shape, 4)]
            };
            let mut rows = vec![
                Row::new(op, "plain", of(&[3, 5]), |x| {
                    outputs(Normalize::LayerGradient { axes: 1 }, x, &[&[3, 5]])[0]
                }),
                Row::new(op, "tiny", of(&[2, 3]), |x| {
                    outputs(Normalize::LayerGradient { axes: 1 }, x, &[&[2, 3]])[0]
                }),
            ];
            for i in 0..3 {
                let mut inputs = of(&[3, 5]);
                inputs.push(any(&[5], 5));
                rows.push(Row::new(op, &format!("output {i}"), inputs, move |x| {
                    let y =
                        outputs(Normalize::LayerGradient { axes: 1 }, x, &[&[3, 5], &[5], &[5]]);
                    // Each input has a gradient, also where the output does not depend on it.
                    y[i] + x.iter().fold(x[4] * 0.3, |sum, &x| sum + x.sum_all())
                }));
            }
            rows
        }
        Normalize::Batch { .. } => rows_of_batch(op),
        Normalize::BatchGradient { eps } => {
            let mut rows = vec![Row::new(op, "tiny", vec![any(&[3, 2], 1), any(&[3, 2], 4)], {
                move |x| batch_gradient(eps, x[0], x[1], None)[0]
            })];
            for i in 0..3 {
                for scaled in [false, true] {
                    let mut inputs = vec![any(&[3, 2, 4], 1), any(&[3, 2, 4], 4)];
                    inputs.extend(scaled.then(|| any(&[2], 5)));
                    rows.push(Row::new(op, &format!("output {i}"), inputs, move |x| {
                        let y = batch_gradient(eps, x[0], x[1], x.get(2).copied())[i];
                        // Each input has a gradient, also where the output does not depend on it.
                        y + x.iter().fold(x[0].sum_all() * 0.3, |sum, &x| sum + x.sum_all())
                    }));
                }
            }
            rows
        }
    }
}

fn rows_of_layer(op: Op, eps: PackedF64) -> Vec<Row> {
    let with_statistics = move |uses: [bool; 3]| {
        Row::new(
            op,
            &format!("outputs {uses:?}"),
            vec![any(&[3, 5], 1), any(&[5], 2), any(&[5], 3)],
            move |x| {
                let op = Normalize::Layer { axes: 1, eps };
                let y = outputs(op, x, &[&[3, 5], &[3, 1], &[3, 1]]);
                // The statistics do not depend on weight and bias. So that these have a gradient, too, their
                // product is added.
                let used = y.into_iter().zip(uses).filter_map(|(y, used)| used.then_some(y));
                used.fold(x[1] * x[2], |sum, y| sum + y.square())
            },
        )
    };
    let affine = |shape: &[usize]| vec![any(shape, 1), any(&[5], 2), any(&[5], 3)];
    let mut rows = vec![
        Row::new(op, "plain", vec![any(&[3, 5], 1)], |x| x[0].layer_norm(1, None, None, 1e-2)),
        Row::new(op, "scaled", vec![any(&[3, 5], 1), any(&[5], 2)], |x| {
            x[0].layer_norm(1, Some(x[1]), None, 1e-2)
        }),
        Row::new(op, "scaled and shifted", affine(&[3, 5]), |x| {
            x[0].layer_norm(1, Some(x[1]), Some(x[2]), 1e-2)
        }),
        Row::new(op, "more rows", affine(&[2, 3, 5]), |x| {
            x[0].layer_norm(1, Some(x[1]), Some(x[2]), 1e-2)
        }),
        Row::new(op, "two axes", vec![any(&[2, 3, 5], 1), any(&[3, 5], 2)], |x| {
            x[0].layer_norm(2, Some(x[1]), None, 1e-2)
        }),
        Row::new(op, "tiny", vec![any(&[2, 3], 1)], |x| x[0].layer_norm(1, None, None, 1e-2))
            .order(3),
    ];
    rows.extend(
        [[false, true, false], [false, false, true], [true, true, true]].map(with_statistics),
    );
    rows
}

fn rows_of_batch(op: Op) -> Vec<Row> {
    let affine = |shape: &[usize]| vec![any(shape, 1), any(&shape[1..2], 2), any(&shape[1..2], 3)];
    vec![
        Row::new(op, "plain", vec![any(&[3, 2, 4], 1)], |x| x[0].batch_norm([None, None], 1e-2)[0]),
        Row::new(op, "scaled", vec![any(&[3, 2, 4], 1), any(&[2], 2)], |x| {
            x[0].batch_norm([Some(x[1]), None], 1e-2)[0]
        }),
        Row::new(op, "scaled and shifted", affine(&[2, 3, 2, 3]), |x| {
            x[0].batch_norm([Some(x[1]), Some(x[2])], 1e-2)[0]
        }),
        Row::new(op, "of a constant", vec![any(&[2], 2), any(&[2], 3)], |w| {
            let x = w[0].tape().constant(any(&[3, 2, 4], 1));
            x.batch_norm([Some(w[0]), Some(w[1])], 1e-2)[0].square()
        }),
        Row::new(op, "of a constant with a constant weight", vec![any(&[2], 3)], |b| {
            let [x, w] = [any(&[3, 2, 4], 1), any(&[2], 2)].map(|x| b[0].tape().constant(x));
            x.batch_norm([Some(w), Some(b[0])], 1e-2)[0].square()
        }),
        Row::new(op, "before a rectifier", affine(&[5, 2, 3]), |x| {
            (x[0].batch_norm([Some(x[1]), Some(x[2])], 1e-2)[0] + 9.0).relu().square()
        }),
        Row::new(op, "rectified", affine(&[5, 2, 3]), |x| {
            x[0].batch_norm([Some(x[1]), Some(x[2])], 1e-2)[0].relu().square()
        }),
        Row::new(
            op,
            "added and rectified",
            vec![any(&[3, 2, 4], 1), any(&[2], 2), any(&[3, 2, 4], 3)],
            |x| {
                let y = x[0].batch_norm([Some(x[1]), None], 1e-2)[0];
                (y + x[2]).relu().square()
            },
        ),
        Row::new(op, "tiny", vec![any(&[3, 2], 1)], |x| x[0].batch_norm([None, None], 1e-2)[0])
            .order(3),
    ]
}

/// The gradient of batch normalisation by x, weight and bias, with the statistics of x.
fn batch_gradient<'t>(
    eps: PackedF64,
    x: Var<'t, f64>,
    gy: Var<'t, f64>,
    weight: Option<Var<'t, f64>>,
) -> Vec<Var<'t, f64>> {
    let shape = x.shape();
    let axes: Vec<isize> = (0..shape.rank() as isize).filter(|&axis| axis != 1).collect();
    let (variance, mean) = x.detach().var_mean(&axes, true, 0);
    let operands: Vec<_> = [x, mean, variance, gy].into_iter().chain(weight).collect();
    let channels = &shape[1..2];
    outputs(Normalize::BatchGradient { eps }, &operands, &[&shape, channels, channels])
}
