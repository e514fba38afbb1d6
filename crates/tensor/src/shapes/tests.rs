use super::*;
use crate::geometry::Conv;
use crate::geometry::Interpolate;
use crate::geometry::PadMode;
use crate::geometry::Pool;

/// Compares all slices of axes up to size 5, with bounds and steps up to 7, with a loop by Python's rule.
#[test]
fn ranges_agree_with_python() {
    let bounds: Vec<Option<isize>> = (-7..=7).map(Some).chain([None]).collect();
    for size in 0..=5isize {
        for (step, &start, &end) in (-3..=3isize)
            .filter(|&step| step != 0)
            .flat_map(|step| bounds.iter().flat_map(move |s| [(step, s)]))
            .flat_map(|(step, s)| bounds.iter().map(move |e| (step, s, e)))
        {
            // The rule of the Python reference (3.3.1.1 "sequence types", slicing): an index i
            // is in the slice if i = start + k·step lies between start and end.
            let clamp = |bound: Option<isize>, missing: isize| {
                let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
                bound.map_or(missing, |b| (if b < 0 { b + size } else { b }).max(low).min(high))
            };
            let mut i = clamp(start, if step > 0 { 0 } else { size - 1 });
            let end_at = clamp(end, if step > 0 { size } else { -1 });
            let mut expected = Vec::new();
            while if step > 0 { i < end_at } else { i > end_at } {
                expected.push(i);
                i += step;
            }
            let (first, by, len) = slice_range(size as usize, start, end, step).unwrap();
            let got: Vec<isize> = (0..len as isize).map(|k| first as isize + k * by).collect();
            assert_eq!(got, expected, "[{start:?}:{end:?}:{step}] of {size}");
        }
    }
    let (min, max) = (Some(isize::MIN), Some(isize::MAX));
    assert_eq!(slice_range(5, min, max, isize::MAX), Ok((0, isize::MAX, 1)));
    assert_eq!(slice_range(5, min, max, isize::MIN), Ok((0, isize::MIN, 0)));
    assert_eq!(slice_range(5, max, min, isize::MIN), Ok((4, isize::MIN, 1)));
}

#[test]
fn reshape_rules_infer_one_size_and_refuse_others() {
    assert_eq!(reshape(&[2, 6], &[-1, 4]).unwrap(), [3, 4]);
    assert_eq!(reshape(&[0, 6], &[0, 5]).unwrap(), [0, 5]);
    assert_eq!(reshape(&[0, 6], &[-1, 6]).unwrap(), [0, 6]);
    assert_eq!(flatten(&[2, 3, 4, 5], 1, 2).unwrap(), [2, 12, 5]);
    let why = "reshape: the size -1 in [0, -1] is ambiguous, because another size is 0 (shape [0, 6]): give all sizes";
    assert_eq!(reshape(&[0, 6], &[0, -1]), Err(why.into()));
    let why = "reshape: 6 elements of shape [2, 3] do not fit [-2, 3]";
    assert_eq!(reshape(&[2, 3], &[-2, 3]), Err(why.into()));
}

#[test]
fn extremes_over_an_empty_axis_are_refused() {
    assert!(extreme("max", &[0, 3], &[0]).is_err());
    assert!(extreme("max", &[0, 3], &[]).is_err());
    assert_eq!(extreme("max", &[0, 3], &[1]).unwrap().dropped, [0]);
    assert_eq!(extreme("max", &[0, 0], &[1]).unwrap().kept, [0, 1]);
    assert_eq!(extreme_to("max_to", &[0, 3], &[0, 1]).unwrap(), [0, 1]);
    assert_eq!(reduce("sum", &[0, 3], &[0]).unwrap().dropped, [3]);
}

/// Runs every rule on the largest and smallest sizes and numbers of their types. An overflow panics in
/// tests.
#[test]
#[allow(clippy::too_many_lines)] // a line for each rule
fn shape_rules_return_errors_at_extreme_sizes() {
    let (most, huge) = (usize::MAX, isize::MAX as usize);
    let shapes: [&[usize]; 9] =
        [&[], &[0], &[2, 3], &[most], &[most, most, 0], &[huge, 2], &[1; 8], &[1; 9], &[2; 70]];
    let axes = [isize::MIN, -9, -1, 0, 1, 8, isize::MAX];
    let sizes = [0, 1, 2, huge, most];
    let steps = [isize::MIN, -1, 0, 1, isize::MAX];
    for a in shapes {
        let signed: Vec<isize> = a.iter().map(|&n| n as isize).collect();
        for b in shapes {
            let signed: Vec<isize> = b.iter().map(|&n| n as isize).collect();
            drop((broadcast("op", a, b), broadcast_to(a, b), in_place("op", a, b)));
            drop((select("op", a, b, &[3]), reduce_to("op", a, b), extreme_to("op", a, b)));
            drop((reshape(a, &signed), permutation(a, &signed), reduce("op", a, &signed)));
            drop([(false, false), (true, false), (false, true)].map(|(x, y)| matmul(a, b, x, y)));
            let padding: Vec<(usize, usize)> = b.iter().map(|&n| (n, n)).collect();
            drop((pad(a, &padding), split(a, 0, b)));
            for mode in [PadMode::Zeros, PadMode::Reflect, PadMode::Replicate, PadMode::Circular] {
                drop(pad_mode(a, &padding, mode));
            }
            drop((repeat("repeat", a, &signed), repeat("tile", a, &signed), expand(a, &signed)));
            drop((kron(a, b), searchsorted(a, b), flip(a, &signed)));
            drop((dot(a, b), outer(a, b), mv(a, b), bmm(a, b), trace(a)));
            drop(shapes.map(|c| (addmm(c, a, b), baddbmm(c, a, b))));
            drop(axes.map(|axis| tensordot(a, b, [&signed, &[axis]])));
            drop(axes.map(|axis| tensordot(a, b, [&[axis], &[0]])));
            for named in axes {
                drop((index_select(a, named, b), gather(a, named, b)));
                for other in axes {
                    drop((select_index(a, named, other), roll(a, &[named, 0], &[other, other])));
                    drop(axes.map(|third| diagonal("diagonal", a, named, [other, third])));
                }
                drop((
                    diagonal_matrix(a, named),
                    quantile(a, named, 0.5),
                    quantiles(a, named, &[0.5], true),
                    one_along("op", a, named),
                ));
                drop(sizes.map(|k| (topk(a, named, k), kthvalue(a, named, k))));
                drop(sizes.map(|len| index_add(a, named, b, len)));
                drop(shapes.map(|source| scatter_add(a, named, b, source)));
            }
        }
        drop((t(a), extreme("op", a, &signed), extreme("op", a, &[])));
        for named in axes {
            drop((axis("op", named, a), new_axis("op", named, a)));
            drop((squeeze(a, named), unsqueeze(a, named)));
            drop(axes.map(|end| flatten(a, named, end)));
            drop(index_range("op", &[i64::MIN, 0, i64::MAX], named, a));
            for n in sizes {
                drop((chunk(a, named, n), sizes.map(|len| narrow(a, named, n, len))));
                for step in steps {
                    drop(sizes.map(|len| slice_steps(a, named, n, step, len)));
                    drop(sizes.map(|size| unslice(a, named, n, step, size)));
                }
            }
        }
        let Ok(shape) = shape_of("op", a) else {
            continue;
        };
        for equation in ["...,...,...", "...->...", "a...,a...,...b->b", "ab,bc,cd->ad", "ii,jj,kk"]
        {
            drop((einsum(equation, &[shape; 3]), einsum(equation, &[shape])));
        }
        drop((meshgrid(&[shape; 3]), shapes.map(|values| index_put(a, &[shape; 2], values))));
        for named in axes {
            drop((concat(&[shape; 3], named), stack(&[shape; 3], named)));
            drop(concat(&[shape, Shape::SCALAR], named));
        }
    }
    for a in shapes {
        let axes = || sizes.iter().flat_map(|&x| sizes.map(|y| [x, y]));
        for kernel in axes() {
            drop((adaptive_pool2d("op", a, kernel), adaptive_pool1d("op", a, kernel[0])));
            let scales = kernel.map(|n| n as f64 - 0.5);
            drop(interpolate(a, &Interpolate::size(kernel)));
            drop(
                [scales, [f64::NAN, f64::INFINITY]]
                    .map(|s| interpolate(a, &Interpolate::scales(s))),
            );
            drop((max_unpool2d(a, a, kernel), map_axis("op", a, -1, kernel[0], kernel[1])));
            for other in axes() {
                let pool = Pool::new(kernel).stride(other).dilation(other);
                for pool in [pool, pool.padding(1), pool.padding(other), Pool::new(kernel)] {
                    for pool in [pool, pool.ceil_mode(true)] {
                        drop((pool2d("op", a, &pool), pool1d("op", a, &pool)));
                    }
                }
                for conv in [Conv::new().stride(other), Conv::new().padding(other)] {
                    drop((unfold(a, kernel, &conv), fold(a, kernel, other, &conv)));
                    drop(unfold(a, kernel, &conv.dilation(other)));
                }
            }
        }
        drop(shapes.map(|b| (pick2d("op", a, b), pick2d_range("op", &[i64::MIN, i64::MAX], a))));
    }
    drop((concat(&[], 0), stack(&[], 0), concat(&[Shape::new(&[most]); 2], 0)));
    for (size, step) in sizes.iter().flat_map(|&n| steps.map(|step| (n, step))) {
        for (start, end) in axes.iter().flat_map(|&a| axes.map(|b| (Some(a), Some(b)))) {
            drop((slice_range(size, start, end, step), slice_range(size, None, end, step)));
        }
    }
}
