//! Methods with the same name whose operands have other types, and dropout.

use super::{assert_same, layouts_of};
use wengert_autograd::{Policy, Tape, Var};
use wengert_tensor::{Float, Tensor};

/// Asserts that sum and mean of all elements have the same bits.
fn assert_same_totals<T: Float>(about: &str, x: &Tensor<T>, v: Var<'_, T>) {
    assert_same("sum_all", about, &Tensor::scalar_of(x.sum_all()), &v.sum_all().value());
    let mean = Tensor::scalar_of(T::of(x.mean_all()));
    assert_same("mean_all", about, &mean, &v.mean_all().value());
}

/// Methods with the same name whose operands have other types, such as numbers, masks or indices.
#[test]
#[allow(clippy::too_many_lines)] // a table
fn methods_with_other_kinds_of_operands_agree_with_tensors() {
    fn run<T: Float>() {
        for policy in [Policy::Eager, Policy::Fused] {
            for (about, x) in layouts_of::<T>(&[4, 6], 0) {
                let tape = Tape::<T>::new().with_policy(policy);
                let v = tape.watch(x.clone());
                for value in [0.0, -0.0, 7.25, 0.1, 1e9, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]
                {
                    for around in [[(0, 0), (1, 2)], [(2, 0), (0, 1)], [(0, 0), (0, 0)]] {
                        let wanted = x.pad(&around, value);
                        assert_same("pad", about, &wanted, &v.pad(&around, value).value());
                    }
                    let flags = Tensor::from_fn(&[4, 6], |i| i % 3 == 1);
                    let mask = tape.mask(flags.clone());
                    let wanted = x.masked_fill(&flags, value);
                    assert_same("masked_fill", about, &wanted, &v.masked_fill(mask, value).value());
                }
                let flags = Tensor::from_fn(&[4, 6], |i| i % 3 == 1);
                let mask = tape.mask(flags.clone());
                let wanted = Tensor::where_(&flags, &x, &(&x * 2.0));
                assert_same("where_", about, &wanted, &Var::where_(mask, v, v * 2.0).value());
                for axes in [&[][..], &[0], &[-1], &[0, 1]] {
                    for c in [0, 1, 5] {
                        let wanted = x.var(axes, false, c);
                        assert_same("var", about, &wanted, &v.var(axes, false, c).value());
                    }
                }
                assert_same_totals(about, &x, v);
                let index = Tensor::from([2i64, 0, 2]);
                let wanted = x.index_select(1, &index);
                assert_same("index_select", about, &wanted, &v.index_select(1, &index).value());
                let places = Tensor::from_fn(&[4, 2], |i| (i * 5 % 6) as i64);
                assert_same("gather", about, &x.gather(1, &places), &v.gather(1, &places).value());
                let source = &x.narrow(1, 1, 2);
                let wanted = x.scatter_add(1, &places, source);
                let got = v.scatter_add(1, &places, v.narrow(1, 1, 2));
                assert_same("scatter_add", about, &wanted, &got.value());
                let joined = Tensor::concat(&[&x, &x], 1);
                assert_same("concat", about, &joined, &Var::concat(&[v, v], 1).value());
                assert_same("concat of one", about, &x, &Var::concat(&[v], 0).value());
                let stacked = Tensor::stack(&[&x, &x], 1);
                assert_same("stack", about, &stacked, &Var::stack(&[v, v], 1).value());
                for (a, b) in x.split(1, &[1, 3, 2]).iter().zip(v.split(1, &[1, 3, 2])) {
                    assert_same("split", about, a, &b.value());
                }
                for (c, flags) in [(0.1, x.gt(0.1)), (1.0, x.gt(1.0))] {
                    assert_eq!(flags, v.gt(c).value(), "gt, {about}");
                }
                assert_eq!(x.le(0.1), v.le(0.1).value(), "le, {about}");
                assert_eq!(x.eq(1.0), v.eq(1.0).value(), "eq, {about}");
                assert_eq!(x.ge(1), v.ge(1).value(), "ge, {about}");
                assert_eq!(x.lt(0), v.lt(0).value(), "lt, {about}");
                assert_eq!(x.ne(-1), v.ne(-1).value(), "ne, {about}");
                let (y, u) = (x.flip(1), v.flip(1));
                for (name, a, b) in [
                    ("gt", x.gt(&y), v.gt(u)),
                    ("ge", x.ge(&y), v.ge(u)),
                    ("lt", x.lt(&y), v.lt(u)),
                    ("le", x.le(&y), v.le(u)),
                    ("eq", x.eq(&y), v.eq(u)),
                    ("ne", x.ne(&y), v.ne(u)),
                ] {
                    assert_eq!(a, b.value(), "{name}, {about}");
                    assert_same(name, about, &a.cast(), &b.cast().value());
                }
                let wanted = Tensor::where_(&flags, 0.1, &x);
                assert_same("where_", about, &wanted, &Var::where_(mask, 0.1, v).value());
                let wanted = x.masked_fill(&flags, &y);
                assert_same("masked_fill", about, &wanted, &v.masked_fill(mask, u).value());
                let wanted = x.pad(&[(1, 0), (0, 2)], Tensor::scalar_of(T::of(0.1)));
                let value = tape.full((), 0.1);
                assert_same("pad", about, &wanted, &v.pad(&[(1, 0), (0, 2)], value).value());
                assert_eq!((x.rank(), x.size(-1), x.numel()), (v.rank(), v.size(-1), v.numel()));
                assert_eq!(x.dtype(), v.dtype());
                assert_eq!(x.mean_all().to_bits(), v.mean_all().item().to_bits(), "{about}");
            }
            for (about, x) in layouts_of::<T>(&[4, 6], 3) {
                let tape = Tape::<T>::new().with_policy(policy);
                let v = tape.watch(x.clone());
                let (y, u) = (x.narrow(0, 1, 2), v.narrow(0, 1, 2));
                assert_same("kron", about, &x.kron(&y), &v.kron(u).value());
                let lines = [x.reshape(-1), y.select(0, 1)];
                let of_v = Var::meshgrid(&[v.reshape(-1), u.select(0, 1)]);
                for (a, b) in Tensor::meshgrid(&lines).iter().zip(of_v) {
                    assert_same("meshgrid", about, a, &b.value());
                }
                let (sorted, of_v) = (x.sort(1, false).0, v.sort(1, false).0);
                for (name, a, b) in [
                    ("sort", x.sort(0, true).1, v.sort(0, true).1),
                    ("argsort", x.argsort(1, false), v.argsort(1, false)),
                    ("topk", x.topk(-1, 3, true).1, v.topk(-1, 3, true).1),
                    ("kthvalue", x.kthvalue(0, 2, false).1, v.kthvalue(0, 2, false).1),
                    ("median", x.median(1, true).1, v.median(1, true).1),
                    ("mode", x.mode(1, false).1, v.mode(1, false).1),
                    ("cummax", x.cummax(1).1, v.cummax(1).1),
                    ("cummin", x.cummin(0).1, v.cummin(0).1),
                    ("max", x.max_with_indices(0, false).1, v.max_with_indices(0, false).1),
                    ("min", x.min_with_indices(1, true).1, v.min_with_indices(1, true).1),
                    ("searchsorted", sorted.searchsorted(&x, true), of_v.searchsorted(v, true)),
                    ("count_nonzero", x.count_nonzero(&[1], true), v.count_nonzero(&[1], true)),
                    ("of all", x.count_nonzero(&[], false), v.count_nonzero(&[], false)),
                ] {
                    assert_eq!(a, b.value(), "{name}, {about}");
                }
                assert_eq!(x.any(&[0], false), v.any(&[0], false).value(), "any, {about}");
                assert_eq!(x.all(&[], true), v.all(&[], true).value(), "all, {about}");
            }
            for (about, x) in layouts_of::<T>(&[35, 6, 40], 5) {
                let tape = Tape::<T>::new().with_policy(policy);
                let v = tape.constant(x.clone());
                for axes in [&[][..], &[0], &[-1], &[1], &[0, 2], &[1, 2]] {
                    let wanted = x.var(axes, true, 1);
                    assert_same("var", about, &wanted, &v.var(axes, true, 1).value());
                }
                assert_same_totals(about, &x, v);
            }
        }
    }
    run::<f32>();
    run::<f64>();
}

/// Dropout multiplies by 1/(1 - p) with p in f64, not rounded to f32.
#[test]
fn dropout_scales_by_p_in_f64() {
    for p in [0.1, 0.3, 0.5, 0.9, 1e-12] {
        let mut rng = wengert_tensor::Philox::new(4);
        let tape = Tape::<f64>::train(&mut rng);
        let x = tape.watch(Tensor::full_of(&[4000], 3.0));
        let y = x.dropout(p);
        let kept = y.value().to_vec().into_iter().filter(|&y| y != 0.0).collect::<Vec<_>>();
        assert!(!kept.is_empty() && kept.iter().all(|&y| y == 3.0 / (1.0 - p)), "{p}");
        let slope = y.sum_all().grad(&[x])[0].value().to_vec();
        assert!(slope.iter().all(|&g| g == 0.0 || g == 1.0 / (1.0 - p)), "{p}");
    }
}
