//! Reductions.

use super::{assert_same, twins};
use wengert_autograd::{Policy, Tape};
use wengert_tensor::{Pool, Tensor};

const LINES: &[&[&[usize]]] = &[
    &[&[1]],
    &[&[7]],
    &[&[300]],
    &[&[1, 1]],
    &[&[3, 5]],
    &[&[1, 90]],
    &[&[90, 1]],
    &[&[40, 33]],
    &[&[2, 3, 4]],
    &[&[5, 1, 40]],
    &[&[35, 6, 40]],
    &[&[70_001]],
    &[&[300, 120]],
    &[&[1200, 33]],
    &[&[3, 70, 180]],
];

twins! { reductions on LINES, 1:
    sum_all |x| x.sum(&[], false);
    sum_first |x| x.sum(&[0], false);
    sum_first_kept |x| x.sum(&[0], true);
    sum_last |x| x.sum(&[-1], true);
    sum_to |x| x.sum_to(&[1]);
    mean_of_all |x| x.mean(&[], true);
    mean_first |x| x.mean(&[0], false);
    mean_last |x| x.mean(&[-1], true);
    max_first |x| x.max(&[0], true);
    max_last |x| x.max(&[-1], false);
    max_of_all |x| x.max(&[], false);
    min_first |x| x.min(&[0], false);
    min_last |x| x.min(&[-1], true);
    min_of_all |x| x.min(&[], true);
    logsumexp_first |x| x.logsumexp(&[0], true);
    logsumexp_last |x| x.logsumexp(&[-1], false);
    logsumexp_of_all |x| x.logsumexp(&[], false);
    log_softmax_first |x| x.log_softmax(0);
    log_softmax_last |x| x.log_softmax(-1);
    softmax_first |x| x.softmax(0);
    softmax_last |x| x.softmax(-1);
    sum_of_products |x| (x * 0.3 + 1.7).sum(&[0], false);
    mean_of_products |x| (x * 0.3 + 1.7).mean(&[-1], true);
    sum_of_sines |x| (x * 0.3).sin().sum(&[], false);
    prod_of_all |x| x.prod(&[], false);
    prod_first |x| (x * 0.1).prod(&[0], true);
    std_last |x| x.std(&[-1], false, 1);
    std_of_all |x| x.std(&[], false, 0);
    layer_norm_last |x| x.layer_norm(1, None, None, 1e-3);
    softmax_last |x| x.softmax(-1);
    variances |x| x.var_mean(&[0], true, 1).0;
    means |x| x.var_mean(&[0], true, 1).1;
    norm_0 |x| x.norm(0.0, &[-1], false);
    norm_1 |x| x.norm(1.0, &[0], false);
    norm_2 |x| x.norm(2.0, &[-1], true);
    norm_3 |x| x.norm(3.0, &[], false);
    norm_half |x| x.norm(0.5, &[0], false);
    norm_negative |x| x.norm(-1.5, &[0], false);
    norm_infinite |x| x.norm(f64::INFINITY, &[-1], false);
    norm_smallest |x| x.norm(f64::NEG_INFINITY, &[0], true);
    cumsum_first |x| x.cumsum(0);
    cumsum_last |x| x.cumsum(-1);
    cumprod |x| (x * 0.1).cumprod(-1);
    logcumsumexp |x| x.logcumsumexp(0);
    sort |x| x.sort(0, false).0;
    sort_down |x| x.sort(-1, true).0;
    topk |x| x.topk(-1, 1, true).0;
    lowk |x| x.topk(0, 1, false).0;
    kthvalue |x| x.kthvalue(-1, 1, false).0;
    median |x| x.median(0, false).0;
    mode |x| x.mode(-1, true).0;
    quantile |x| x.quantile(-1, 0.3, false);
    quantiles |x| x.quantiles(-1, &[0.3, 1.0, 0.5], true);
    quantile_high |x| x.quantile(0, 0.9, true);
    cummax |x| x.cummax(0).0;
    cummin |x| x.cummin(-1).0;
    max_with_indices |x| x.max_with_indices(-1, false).0;
    min_with_indices |x| x.min_with_indices(0, true).0;
}

/// Shapes with three axes, for reductions over two of them.
const BLOCKS: &[&[&[usize]]] = &[
    &[&[2, 3, 4]],
    &[&[1, 3, 1]],
    &[&[35, 6, 40]],
    &[&[0, 3, 2]],
    &[&[2, 0, 3]],
    &[&[3, 70, 180]],
];

twins! { reductions_over_two_axes on BLOCKS, 1:
    sum_outer |x| x.sum(&[0, 2], false);
    sum_inner |x| x.sum(&[1, 2], true);
    sum_to |x| x.sum_to(&[x.shape()[1], 1]);
    mean |x| x.mean(&[0, -1], true);
    mean_first |x| x.mean(&[0], true);
    mean_middle |x| x.mean(&[1], false);
    log_softmax |x| x.log_softmax(1);
    sum_of_products |x| (x * 0.3 - 1.7).sum(&[0, 2], true);
}

#[test]
fn the_mean_of_ones_is_one() {
    for n in 1..400 {
        for policy in [Policy::Eager, Policy::Fused] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let ones = tape.watch(Tensor::ones_of(&[n]));
            assert_eq!(ones.mean_all().item(), 1.0, "{n}");
            assert_eq!(ones.mean(&[0], false).item(), 1.0, "{n}");
            assert_eq!((2.0 * ones).mean_all().item(), 2.0, "{n}");
            let single = Tape::<f32>::new().with_policy(policy);
            assert_eq!(single.ones(&[n, 2]).mean(&[0], false).value().to_vec(), [1.0; 2], "{n}");
        }
        if n > 100 {
            continue;
        }
        // The means of pooling windows are 1, too, along both axes.
        for x in [Tensor::<f32>::ones_of(&[1, 2, 2 * n]), Tensor::ones_of(&[1, 3, n + 1])] {
            let pool = Pool::new([1, n]).stride(1);
            assert!(x.avg_pool2d(&pool).to_vec().iter().all(|&y| y == 1.0), "{n}");
            let pool = Pool::new([n, 1]).stride(1);
            assert!(x.t().avg_pool2d(&pool).to_vec().iter().all(|&y| y == 1.0), "{n}");
            assert_eq!(x.adaptive_avg_pool2d([1, 2]).to_vec(), [1.0; 2], "{n}");
            let x = x.cast::<f64>();
            assert!(x.avg_pool2d(&Pool::new([1, n]).stride(1)).to_vec().iter().all(|&y| y == 1.0));
        }
    }
}

/// A view of few elements of a large value is copied in the order of the memory. Its sums therefore have the
/// rounding errors of the tensor's sums.
#[test]
fn sums_of_few_elements_of_a_large_value_agree_with_tensors() {
    let x = Tensor::<f64>::from_fn(&[3, 4], |i| (i as f64 * 1.7 + 0.3).sin() / 3.0);
    let mut compared = 0;
    for start in 0..3 {
        for policy in [Policy::Eager, Policy::Fused] {
            let tape = Tape::<f64>::new().with_policy(policy);
            let v = tape.watch(x.clone());
            let part = x.t().narrow(0, start, 2);
            let of_v = v.t().narrow(0, start, 2);
            assert_same("sum", "few", &part.sum(&[], false), &of_v.sum_all().value());
            assert_same("mean", "few", &part.mean(&[], false), &of_v.mean_all().value());
            let flipped = part.slice(0, None, None, -1).logsumexp(&[], false);
            let of_v = of_v.slice(0, None, None, -1).logsumexp(&[], false);
            assert_same("logsumexp", "few", &flipped, &of_v.value());
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}
