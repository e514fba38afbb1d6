use super::*;
use crate::testing::{EDGES, bits, naive, panics_here};

/// Returns unordered numbers, many of them equal.
fn image(shape: &[usize], distinct: usize) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| ((i * 7919 + i / 3) % distinct) as f64 - distinct as f64 / 2.0)
}

/// Returns pools with several kernels, strides, paddings and dilations, for every combination of the two
/// flags.
fn pools() -> Vec<Pool> {
    let table = [
        ([2, 2], [2, 2], [0, 0], [1, 1]),
        ([2, 2], [1, 1], [0, 0], [1, 1]),
        ([2, 2], [1, 2], [1, 0], [1, 1]),
        ([3, 3], [2, 2], [1, 1], [1, 1]),
        ([3, 3], [1, 1], [1, 1], [1, 1]),
        ([3, 2], [2, 3], [1, 1], [1, 1]),
        ([3, 3], [3, 2], [0, 1], [2, 1]),
        ([2, 3], [1, 3], [1, 1], [3, 2]),
        ([4, 5], [3, 4], [2, 2], [1, 1]),
        ([1, 1], [2, 3], [0, 0], [1, 1]),
        ([1, 4], [1, 1], [0, 2], [1, 1]),
        ([5, 1], [7, 1], [2, 0], [1, 1]),
    ];
    let modes = [(false, true), (true, true), (true, false), (false, false)];
    let uneven: [[(usize, usize); 2]; 3] = [[(1, 0), (0, 1)], [(0, 0), (1, 0)], [(0, 1), (0, 0)]];
    let each = |&(kernel, stride, padding, dilation)| {
        modes.map(|(ceil_mode, count_include_pad)| {
            let pool = Pool::new(kernel).stride(stride).padding(padding).dilation(dilation);
            pool.ceil_mode(ceil_mode).count_include_pad(count_include_pad)
        })
    };
    let all: Vec<Pool> = table.iter().flat_map(each).collect();
    let wide = all.iter().filter(|pool| pool.kernel.iter().all(|&kernel| kernel > 1));
    let uneven = wide.flat_map(|&pool| uneven.map(|padding| pool.padding_each(padding)));
    let uneven: Vec<Pool> = uneven.collect();
    [all, uneven].concat()
}

const SIZES: [[usize; 2]; 7] = [[7, 10], [10, 7], [6, 8], [5, 9], [9, 23], [12, 40], [5, 71]];

/// Returns every position of a window along one axis by the definition, including padding. Positions count
/// from the start of the image.
fn places(pool: &Pool, side: usize, o: usize) -> Vec<isize> {
    let start = (o * pool.stride[side]) as isize - pool.padding[side].0 as isize;
    (0..pool.kernel[side]).map(|k| start + (k * pool.dilation[side]) as isize).collect()
}

/// Counts the windows by trial. Each window must end within the padded axis. In ceil mode it must start
/// before the padding after the image, and the window before it must not have reached the end.
fn count(pool: &Pool, side: usize, n: usize) -> usize {
    let (n, padding) = (n as isize, pool.padding[side].0 as isize);
    let after = pool.padding[side].1 as isize;
    let span = (pool.dilation[side] * (pool.kernel[side] - 1)) as isize;
    let start = |o: usize| (o * pool.stride[side]) as isize - padding;
    let mut o = 0;
    while start(o) + span < n + after {
        o += 1;
    }
    let reached = o > 0 && start(o - 1) + span == n + after - 1;
    let stride = pool.stride[side] as isize;
    let hangs =
        pool.ceil_mode && !reached && start(o) < n && start(o) + span < n + after - 1 + stride;
    o + usize::from(hangs)
}

#[test]
fn max_pool_and_its_positions_agree_with_loops() {
    for pool in pools() {
        for size in SIZES {
            for distinct in [5, 9973] {
                let x = image(&[2, 3, size[0], size[1]], distinct);
                let shape = [2, 3, count(&pool, 0, size[0]), count(&pool, 1, size[1])];
                let expected = naive(&shape, |at| {
                    let mut best = (f64::NEG_INFINITY, -1);
                    for y in places(&pool, 0, at[2]) {
                        for z in places(&pool, 1, at[3]) {
                            if y < 0 || z < 0 || y >= size[0] as isize || z >= size[1] as isize {
                                continue;
                            }
                            let v = x.at(&[at[0], at[1], y as usize, z as usize]);
                            if v > best.0 {
                                best = (v, y * size[1] as isize + z);
                            }
                        }
                    }
                    best
                });
                let (values, positions) = x.max_pool2d_with_indices(&pool);
                assert_eq!(values.shape(), shape, "{pool:?} {size:?}");
                let found: Vec<_> = values
                    .to_vec()
                    .into_iter()
                    .zip(positions.to_vec().into_iter().map(|i| i as isize))
                    .collect();
                assert_eq!(found, expected, "{pool:?} {size:?}");
                assert_eq!(x.pick2d(&positions), values);
                let single = x.cast::<f32>().max_pool2d(&pool).cast();
                assert_eq!(single, values, "{pool:?} {size:?}");
            }
        }
    }
}

#[test]
fn avg_pool_agrees_with_loops() {
    for pool in pools().into_iter().filter(|pool| pool.dilation == [1, 1]) {
        for size in SIZES {
            let x = image(&[2, 3, size[0], size[1]], 9973);
            let shape = [2, 3, count(&pool, 0, size[0]), count(&pool, 1, size[1])];
            let expected = naive(&shape, |at| {
                let (mut sum, mut counted) = (0.0, 0);
                for y in places(&pool, 0, at[2]) {
                    for z in places(&pool, 1, at[3]) {
                        let inside = |i: isize, side: usize, border: (usize, usize)| {
                            i >= -(border.0 as isize) && i < (size[side] + border.1) as isize
                        };
                        if inside(y, 0, (0, 0)) && inside(z, 1, (0, 0)) {
                            sum += x.at(&[at[0], at[1], y as usize, z as usize]);
                        }
                        let border =
                            if pool.count_include_pad { pool.padding } else { [(0, 0); 2] };
                        counted += i32::from(inside(y, 0, border[0]) && inside(z, 1, border[1]));
                    }
                }
                sum / f64::from(counted)
            });
            let means = x.avg_pool2d(&pool);
            assert_eq!(means.shape(), shape, "{pool:?} {size:?}");
            for (a, b) in means.to_vec().into_iter().zip(expected) {
                assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{pool:?} {size:?}: {a} {b}");
            }
        }
    }
}

#[test]
fn windows_of_adaptive_pools_cover_the_image() {
    for [h, w] in [[5, 7], [6, 4], [1, 9], [10, 3]] {
        let x = image(&[3, h, w], 9973);
        for to in [[1, 1], [2, 3], [3, 2], [5, 7], [8, 9], [4, 0]] {
            let range = |n: usize, m: usize, o: usize| o * n / m..((o + 1) * n).div_ceil(m);
            let shape = [3, to[0], to[1]];
            let window = |at: &[usize]| -> Vec<f64> {
                let columns = || range(w, to[1], at[2]);
                let row = |y| columns().map(move |z| (y, z));
                let both = range(h, to[0], at[1]).flat_map(row);
                both.map(|(y, z)| x.at(&[at[0], y, z])).collect()
            };
            let greatest =
                naive(&shape, |at| window(at).into_iter().fold(f64::NEG_INFINITY, f64::max));
            let (values, positions) = x.adaptive_max_pool2d_with_indices(to);
            assert_eq!((values.shape(), values.to_vec()), (shape.into(), greatest));
            assert_eq!(x.pick2d(&positions), values);
            let means =
                naive(&shape, |at| window(at).iter().sum::<f64>() / window(at).len() as f64);
            let found = x.adaptive_avg_pool2d(to);
            assert_eq!(found.shape(), shape);
            for (a, b) in found.to_vec().into_iter().zip(means) {
                assert!((a - b).abs() < 1e-10, "{to:?}: {a} {b}");
            }
        }
    }
}

#[test]
fn max_pool_passes_nan_and_minus_infinity() {
    let (nan, low) = (f64::NAN, f64::NEG_INFINITY);
    let x = Tensor::from([[1.0, nan, low, low], [nan, 2.0, low, low], [3.0, 4.0, 5.0, nan]]);
    let x = x.unsqueeze(0);
    for pool in [
        Pool::new(2),
        Pool::new(2).ceil_mode(true),
        Pool::new(2).stride([2, 3]).padding(1),
        Pool::new(2).stride(2).padding(1),
        Pool::new(2).stride(1),
    ] {
        let (values, positions) = x.max_pool2d_with_indices(&pool);
        let picked = x.pick2d(&positions);
        let bits =
            |x: &Tensor<f64>| -> Vec<u64> { x.to_vec().iter().map(|v| v.to_bits()).collect() };
        assert_eq!(bits(&values), bits(&picked), "{pool:?}");
    }
    let (values, positions) = x.max_pool2d_with_indices(&Pool::new(2));
    assert!(values.to_vec()[0].is_nan() && values.to_vec()[1] == low);
    assert_eq!(positions.to_vec(), [1, 2], "the first of equal ones");
}

fn singles(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&x| x as f32).collect()
}

#[test]
fn max_unpool_puts_elements_back_at_their_positions() {
    for [h, w] in [[6, 9], [7, 40], [6, 35]] {
        let x = image(&[2, 3, h, w], 9973);
        for pool in pools() {
            let (values, positions) = x.max_pool2d_with_indices(&pool);
            let back = values.max_unpool2d(&positions, [h, w]);
            let mut expected = vec![0.0; x.numel()];
            let area = values.numel() / 6;
            for (k, (v, i)) in values.to_vec().into_iter().zip(positions.to_vec()).enumerate() {
                expected[k / area * h * w + i as usize] += v;
            }
            assert_eq!(back.to_vec(), expected);
            let single = values.cast::<f32>().max_unpool2d(&positions, [h, w]);
            assert_eq!(single.to_vec(), singles(&expected));
        }
    }
}

/// Positions outside the windows that belong to the elements, where the image has the size of windows of two by two.
#[test]
fn max_unpool_adds_at_positions_anywhere() {
    let x = Tensor::<f32>::from_fn(&[2, 2, 3, 5], |i| if i == 7 { -0.0 } else { i as f32 });
    for step in [1, 7, 13] {
        let positions = Tensor::from_fn(&[2, 2, 3, 5], |i| ((i * step + i / 15) % 77) as i64);
        let found = x.max_unpool2d(&positions, [7, 11]);
        let mut expected = vec![0.0f32; 4 * 77];
        for (i, (v, at)) in x.to_vec().into_iter().zip(positions.to_vec()).enumerate() {
            expected[i / 15 * 77 + at as usize] += v;
        }
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.to_vec()), bits(&expected), "{step}");
    }
    // One position of many is a column too far.
    for at in 0..60 {
        let own = |i: usize| (i % 15 / 5 * 22 + i % 5 * 2 + i % 2 + i % 3 / 2 * 11) as i64;
        let positions = Tensor::from_fn(&[2, 2, 3, 5], |i| own(i) + if i == at { 2 } else { 0 });
        let found = x.max_unpool2d(&positions, [7, 11]).to_vec();
        let mut expected = vec![0.0f32; 4 * 77];
        for (i, (v, at)) in x.to_vec().into_iter().zip(positions.to_vec()).enumerate() {
            expected[i / 15 * 77 + at as usize] += v;
        }
        assert_eq!(found, expected, "{at}");
    }
}

/// Runs tests in separate processes with smaller instruction sets than the machine has.
#[test]
fn pools_with_other_instruction_sets_agree_with_loops() {
    let this = std::env::current_exe().unwrap();
    for isa in ["avx2", "baseline"] {
        for test in [
            "max_pool_and_its_positions_agree_with_loops",
            "max_pool_passes_nan_and_minus_infinity",
            "max_unpool_puts_elements_back_at_their_positions",
            "max_unpool_adds_at_positions_anywhere",
            "avg_pool_agrees_with_loops",
        ] {
            let mut run = std::process::Command::new(&this);
            let test = format!("tensor::pool::tests::{test}");
            let out = run.args(["--exact", &test]).env("WENGERT_ISA", isa).output().unwrap();
            let text = String::from_utf8_lossy(&out.stdout);
            assert!(out.status.success() && text.contains("1 passed"), "{isa} {test}: {text}");
        }
    }
}

#[test]
fn pools_of_other_layouts_and_thread_numbers_have_the_same_bits() {
    let x = image(&[40, 16, 18, 31], 997).cast::<f32>();
    let turned = x.transpose(0, 1).transpose(-1, -2);
    let copied = turned.copied();
    for pool in [Pool::new(2), Pool::new(3).stride(2).padding(1)] {
        let run = |x: &Tensor, threads: usize| {
            let threads = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            threads.install(|| {
                let (values, positions) = x.max_pool2d_with_indices(&pool);
                let back = values.max_unpool2d(&positions, [31, 18]);
                (values, positions, back, x.avg_pool2d(&pool), x.adaptive_avg_pool2d([7, 5]))
            })
        };
        assert!(run(&turned, 1) == run(&copied, 3));
    }
}

#[test]
fn pools_of_empty_batches_are_empty() {
    let none = Tensor::zeros(&[0, 3, 4, 6]);
    assert_eq!(none.max_pool2d(&Pool::new(2)).shape(), [0, 3, 2, 3]);
    assert_eq!(none.avg_pool2d(&Pool::new(2)).shape(), [0, 3, 2, 3]);
    let (y, index) = none.max_pool2d_with_indices(&Pool::new(2));
    assert_eq!(y.max_unpool2d(&index, [4, 6]).shape(), [0, 3, 4, 6]);
}

#[test]
fn wrong_arguments_panic_at_the_callers_line() {
    let x = Tensor::zeros(&[2, 3, 4, 6]);
    panics_here(
        "max_pool2d: expected images [N, C, H, W] or [C, H, W], got shape [64, 784]; reshape it to [64, C, H, W]?",
        || drop(Tensor::zeros(&[64, 784]).max_pool2d(&Pool::new(2))),
    );
    panics_here(
        "max_pool2d: axis 2 of shape [2, 3, 4, 6] has size 4, too small for windows of 5 (kernel 5, \
         dilation 1, padding 0): pad it or take a smaller kernel",
        || drop(x.max_pool2d(&Pool::new(5))),
    );
    panics_here(
        "avg_pool2d: padding 2 along axis 3 of shape [2, 3, 4, 6] is more than half of kernel 3: at \
         most 1 is allowed",
        || drop(x.avg_pool2d(&Pool::new(3).padding([0, 2]))),
    );
    panics_here(
        "max_pool2d: stride must be at least 1, got 0 along axis 3 of shape [2, 3, 4, 6]",
        || {
            drop(x.max_pool2d(&Pool::new(2).stride([1, 0])));
        },
    );
    panics_here("avg_pool2d: average pooling has no dilation, got dilation [2, 2]", || {
        drop(x.avg_pool2d(&Pool::new(2).dilation(2)));
    });
    panics_here(
        "adaptive_max_pool2d: axis 1 of shape [2, 0, 6] has size 0: a window needs at least one element",
        || drop(Tensor::zeros(&[2, 0, 6]).adaptive_max_pool2d(1)),
    );
    panics_here(
        "pick2d: index 24 is out of range 0..24 of the last two axes of shape [2, 3, 4, 6], counted as one",
        || drop(x.pick2d(&Tensor::full_of(&[2, 3, 1, 1], 24))),
    );
    // 2³² + 5: its lower 32 bits are a position in the image.
    let far = Tensor::full_of(&[2, 3, 1, 1], 4_294_967_301i64);
    panics_here(
        "pick2d: index 4294967301 is out of range 0..24 of the last two axes of shape [2, 3, 4, 6], counted as one",
        || drop(x.pick2d(&far)),
    );
    panics_here(
        "max_unpool2d: index 4294967301 is out of range 0..24 of the last two axes of shape [2, 3, 4, 6], counted as one",
        || drop(Tensor::<f32>::zeros(&[2, 3, 1, 1]).max_unpool2d(&far, [4, 6])),
    );
    // No window with gaps may have all its elements in the padding.
    assert!(
        shapes::pool2d("", &[1, 9, 1], &Pool::new([1, 2]).padding([0, 1]).dilation([1, 2]))
            .is_err()
    );
}

/// Tests the largest options, with which only the first window has elements in the image.
#[test]
fn windows_with_the_largest_options_do_not_overflow() {
    let x = Tensor::from([[1.0, 7.0, 3.0], [4.0, 5.0, 6.0], [9.0, 8.0, 2.0]]).unsqueeze(0);
    let (most, half) = (usize::MAX, usize::MAX / 2);
    let max = |pool: Pool| {
        let (values, positions) = x.max_pool2d_with_indices(&pool);
        (values.to_vec(), positions.to_vec())
    };
    assert_eq!(max(Pool::new(2).stride(most).padding(1)), (vec![1.0], vec![0]));
    assert_eq!(max(Pool::new(2).stride(most).padding(1).ceil_mode(true)), (vec![1.0], vec![0]));
    assert_eq!(max(Pool::new(3).stride(most).dilation(half).ceil_mode(true)), (vec![1.0], vec![0]));
    assert_eq!(max(Pool::new(most >> 24).ceil_mode(true)), (vec![9.0], vec![6]));
    let mean: f64 = x.avg_pool2d(&Pool::new(most >> 24).ceil_mode(true)).item();
    assert!((mean - 5.0).abs() < 1e-14, "{mean}");
    #[cfg(target_pointer_width = "64")]
    panics_here(
        "max_pool2d: axis 1 of shape [1, 3, 3] with padding 9223372036854775807 on both sides is too \
         large: no axis has more than 4294967295 indices",
        || drop(x.max_pool2d(&Pool::new(most).padding(half))),
    );
    #[cfg(target_pointer_width = "64")]
    panics_here(
        "avg_pool2d: axis 1 of shape [1, 3, 3] with padding 4294967296 on both sides is too large: no \
         axis has more than 4294967295 indices",
        || drop(x.avg_pool2d(&Pool::new(1 << 34).padding(1 << 32))),
    );
}

/// The product of the two sizes does not fit addresses of 32 bits.
#[test]
fn adaptive_windows_of_long_axes_do_not_overflow() {
    let n = 1 << 17;
    let x = Tensor::<f64>::from_fn(&[1, 1, n], |i| i as f64);
    let pairs = x.adaptive_avg_pool2d([1, n / 2]).to_vec();
    assert!(pairs.iter().enumerate().all(|(o, &mean)| mean == 2.0 * o as f64 + 0.5));
    // ⌊o·n/m⌋ ≤ i < ⌈(o + 1)·n/m⌉ holds if o·n < (i + 1)·m and i·m < (o + 1)·n.
    let m = 99_991;
    let largest = x.adaptive_max_pool2d([1, m]).to_vec();
    let [n, m] = [n, m].map(|size| size as u64);
    let mut last = 0;
    for (o, &largest) in (0..).zip(&largest) {
        while (last + 1) * m < (o + 1) * n {
            last += 1;
        }
        assert_eq!(largest, last as f64, "{o}");
    }
    assert_eq!((largest.len() as u64, last), (m, n - 1));
}

/// Pools of volumes, each of which occurs in a pool of images along two of its axes.
fn volume_pools() -> Vec<VolumePool> {
    let mut all = vec![
        VolumePool::new(2),
        VolumePool::new([1, 2, 2]),
        VolumePool::new([3, 1, 1]).stride(1),
        VolumePool::new([2, 3, 2]).stride([1, 2, 3]).padding([1, 1, 0]),
        VolumePool::new(3).stride([2, 1, 4]).padding_each([(1, 0), (0, 1), (1, 1)]),
        VolumePool::new([2, 1, 3]).dilation([2, 1, 2]).stride([1, 3, 1]).padding([1, 0, 1]),
        VolumePool::new([5, 4, 6]).padding([2, 2, 3]).stride([3, 7, 2]),
        VolumePool::new([1, 1, 1]).stride([9, 2, 3]),
    ];
    all.extend(all.clone().into_iter().map(|pool| pool.ceil_mode(true)));
    all
}

#[test]
fn max_pools_of_volumes_agree_with_loops() {
    for pool in volume_pools() {
        for (size, distinct) in [([4, 5, 6], 5), ([5, 4, 7], 9973), ([3, 2, 3], 3)] {
            let x = image(&[&[2, 2], &size[..]].concat(), distinct);
            // The number of windows is that of images.
            let Ok(shape) = shapes::pool3d("", &x.shape(), &pool) else { continue };
            let places = |side: usize, o: usize| {
                let start = (o * pool.stride[side]) as isize - pool.padding[side].0 as isize;
                let at = move |k: usize| start + (k * pool.dilation[side]) as isize;
                let n = size[side] as isize;
                (0..pool.kernel[side]).map(at).filter(move |at| (0..n).contains(at))
            };
            let expected = naive(&shape, |at| {
                let mut best = (f64::NEG_INFINITY, -1);
                for i in places(0, at[2]) {
                    for j in places(1, at[3]) {
                        for k in places(2, at[4]) {
                            let v = x.at(&[at[0], at[1], i as usize, j as usize, k as usize]);
                            if v > best.0 {
                                let flat = (i * size[1] as isize + j) * size[2] as isize + k;
                                best = (v, flat as i64);
                            }
                        }
                    }
                }
                best
            });
            let (values, positions) = x.max_pool3d_with_indices(&pool);
            let got: Vec<_> = values.to_vec().into_iter().zip(positions.to_vec()).collect();
            assert_eq!((got, values.shape()), (expected, shape), "{pool:?} {size:?}");
            assert_eq!(x.max_pool3d(&pool), values);
            // Unpooling puts the elements back.
            let back = values.max_unpool3d(&positions, size);
            let area: usize = shape[2..].iter().product();
            let mut expected = vec![0.0; x.numel()];
            let whole: usize = size.iter().product();
            for (k, (v, i)) in values.to_vec().into_iter().zip(positions.to_vec()).enumerate() {
                expected[k / area * whole + i as usize] += v;
            }
            assert_eq!(back.to_vec(), expected);
        }
    }
}

#[test]
fn average_pools_of_volumes_are_products_of_averages_along_axes() {
    for pool in volume_pools().into_iter().filter(|pool| pool.dilation == [1; 3]) {
        for pool in [pool, pool.count_include_pad(false)] {
            let x = image(&[2, 3, 6, 7, 8], 9973);
            let Ok(shape) = shapes::pool3d("", &x.shape(), &pool) else { continue };
            let y = x.avg_pool3d(&pool);
            assert_eq!(y.shape(), shape);
            // Along the depth as along the height of images, then along the height and the width.
            let deep = Pool {
                kernel: [pool.kernel[0], 1],
                stride: [pool.stride[0], 1],
                padding: [pool.padding[0], (0, 0)],
                ..Pool::new(1)
            };
            let flat = Pool {
                kernel: [pool.kernel[1], pool.kernel[2]],
                stride: [pool.stride[1], pool.stride[2]],
                padding: [pool.padding[1], pool.padding[2]],
                ..Pool::new(1)
            };
            let set =
                |one: Pool| one.ceil_mode(pool.ceil_mode).count_include_pad(pool.count_include_pad);
            let wanted = x.reshape([2, 3, 6, 56]).avg_pool2d(&set(deep));
            let wanted = wanted.reshape([2, 3, -1, 7, 8]).avg_pool2d(&set(flat));
            for (a, b) in y.to_vec().into_iter().zip(wanted.to_vec()) {
                assert!((a - b).abs() < 1e-9, "{pool:?}: {a} {b}");
            }
        }
    }
    let x = Tensor::<f64>::ones_of(&[1, 1, 3, 3, 3]);
    let pool = VolumePool::new(3).stride(1).padding(1);
    assert_eq!(x.avg_pool3d(&pool).at(&[0, 0, 0, 0, 0]), 8.0 / 27.0);
    assert_eq!(x.avg_pool3d(&pool.count_include_pad(false)).at(&[0, 0, 0, 0, 0]), 1.0);
}

#[test]
fn adaptive_pools_of_volumes_agree_with_loops() {
    for size in [[3, 2, 4], [1, 1, 1], [7, 5, 2], [1, 9, 1]] {
        let x = image(&[2, 3, 5, 4, 6], 13);
        let window = |n: usize, m: usize, o: usize| o * n / m..((o + 1) * n).div_ceil(m);
        let shape = [2, 3, size[0], size[1], size[2]];
        let cells = |at: &[usize]| {
            let mut all = vec![];
            for i in window(5, size[0], at[2]) {
                for j in window(4, size[1], at[3]) {
                    for k in window(6, size[2], at[4]) {
                        all.push((x.at(&[at[0], at[1], i, j, k]), (i * 4 + j) * 6 + k));
                    }
                }
            }
            all
        };
        let first = |at: &[usize]| {
            let mut best = (f64::NEG_INFINITY, 0);
            for cell in cells(at) {
                if cell.0 > best.0 {
                    best = cell;
                }
            }
            (best.0, best.1 as i64)
        };
        let (values, at) = x.adaptive_max_pool3d_with_indices(size);
        let got: Vec<_> = values.to_vec().into_iter().zip(at.to_vec()).collect();
        assert_eq!(got, naive(&shape, first));
        assert_eq!(x.adaptive_max_pool3d(size), values);
        let means = naive(&shape, |at| {
            let cells = cells(at);
            cells.iter().map(|cell| cell.0).sum::<f64>() / cells.len() as f64
        });
        for (a, b) in x.adaptive_avg_pool3d(size).to_vec().into_iter().zip(means) {
            assert!((a - b).abs() < 1e-12, "{size:?}: {a} {b}");
        }
    }
}

#[test]
fn pools_with_indices_of_signals_are_those_of_rows() {
    let x = image(&[2, 3, 11], 7);
    for pool in [Pool::new(3), Pool::new(4).stride(3).padding(2).ceil_mode(true)] {
        let (y, at) = x.max_pool1d_with_indices(&pool);
        assert_eq!(y, x.max_pool1d(&pool));
        assert_eq!(y, x.gather(-1, &at));
        let back = y.max_unpool1d(&at, 11);
        assert_eq!(back, Tensor::zeros_of(&[2, 3, 11]).scatter_add(-1, &at, &y));
    }
    let (y, at) = x.adaptive_max_pool1d_with_indices(4);
    assert_eq!((&y, &y), (&x.adaptive_max_pool1d(4), &x.gather(-1, &at)));
}

#[test]
fn pools_of_volumes_take_the_first_nan_and_the_first_of_equal_ones() {
    let mut x = Tensor::<f64>::zeros_of(&[1, 1, 2, 2, 2]);
    let (y, at) = x.max_pool3d_with_indices(&VolumePool::new(2));
    assert_eq!((y.to_vec(), at.to_vec()), (vec![0.0], vec![0]));
    x.make_mut()[3] = f64::NAN;
    x.make_mut()[6] = f64::NAN;
    let (y, at) = x.max_pool3d_with_indices(&VolumePool::new(2));
    assert!(y.to_vec()[0].is_nan() && at.to_vec() == [3]);
    let low = Tensor::<f64>::full_of(&[1, 2, 2, 2], f64::NEG_INFINITY);
    let (y, at) = low.max_pool3d_with_indices(&VolumePool::new(2).padding(1));
    assert!(y.to_vec().iter().all(|&y| y == f64::NEG_INFINITY));
    assert_eq!(at.to_vec(), [0, 1, 2, 3, 4, 5, 6, 7]);
    for shape in [[0, 2, 4, 4, 4], [2, 0, 4, 4, 4]] {
        let x = Tensor::zeros(&shape);
        let (y, at) = x.max_pool3d_with_indices(&VolumePool::new(2));
        assert_eq!((y.shape(), at.shape()), ([shape[0], shape[1], 2, 2, 2].into(), y.shape()));
        assert_eq!(y.max_unpool3d(&at, 4).shape(), shape);
        assert_eq!(x.avg_pool3d(&VolumePool::new(2)).shape(), y.shape());
        assert_eq!(x.adaptive_max_pool3d(2).shape(), y.shape());
    }
    assert_eq!(Tensor::ones(&[1, 2, 2, 2]).adaptive_max_pool3d([0, 1, 1]).shape(), [1, 0, 1, 1]);
}

#[test]
fn volumes_and_positions_that_do_not_fit_panic() {
    let x = Tensor::ones(&[2, 3, 4, 4, 4]);
    panics_here(
        "max_pool3d: axis 2 of shape [2, 3, 4, 4, 4] has size 4, too small for windows of 5 (kernel 5, \
         dilation 1, padding 0): pad it or take a smaller kernel",
        || drop(x.max_pool3d(&VolumePool::new([5, 1, 1]))),
    );
    panics_here("avg_pool3d: average pooling has no dilation, got dilation [1, 2, 1]", || {
        drop(x.avg_pool3d(&VolumePool::new(2).dilation([1, 2, 1])));
    });
    panics_here(
        "adaptive_max_pool3d: expected volumes [N, C, D, H, W] or [C, D, H, W], got shape [2, 3, 4]",
        || drop(Tensor::ones(&[2, 3, 4]).adaptive_max_pool3d(1)),
    );
    let at = Tensor::<i64>::full_of(&[1, 2, 1, 1], 8);
    panics_here(
        "max_unpool3d: index 8 is out of range 0..8 of the last three axes of shape [1, 2, 2, 2], counted as one",
        || drop(Tensor::ones(&[1, 2, 1, 1]).max_unpool3d(&at, 2)),
    );
    panics_here(
        "max_unpool3d: the index and the elements must have the same shape, got [1, 2, 1, 1] and [1, 2, 1, 2]",
        || drop(Tensor::ones(&[1, 2, 1, 2]).max_unpool3d(&at, 2)),
    );
    let at = Tensor::from([[-1i64]]);
    panics_here(
        "max_unpool1d: index -1 is out of range 0..2 of the last axis of shape [1, 2]",
        || {
            drop(Tensor::from([[1.0]]).max_unpool1d(&at, 2));
        },
    );
    panics_here("max_unpool1d: expected signals [N, C, L] or [C, L], got shape [2]", || {
        drop(Tensor::ones(&[2]).max_unpool1d(&Tensor::from([0i64, 1]), 2));
    });
}

fn pairs_agree_with_loops<T: Float>() {
    for [height, width] in [2, 3, 6, 7].iter().flat_map(|&h| (2..40).map(move |w| [h, w])) {
        // The period is odd, so that windows of many rows differ. NaN and both zeros are among the numbers.
        let x =
            Tensor::<T>::from_fn(&[3, height, width], |i| T::of(EDGES[i * 5 % 14 * (i % 3) % 14]));
        let shape = [3, height / 2, width / 2];
        let expected = naive(&shape, |at| {
            let mut best = (x.at(&[at[0], 2 * at[1], 2 * at[2]]), 2 * (at[1] * width + at[2]));
            for (down, right) in [(0, 1), (1, 0), (1, 1)] {
                let [row, column] = [2 * at[1] + down, 2 * at[2] + right];
                let v = x.at(&[at[0], row, column]);
                if v > best.0 || v.is_nan_() && !best.0.is_nan_() {
                    best = (v, row * width + column);
                }
            }
            (bits(best.0), best.1 as i64)
        });
        let (values, positions) = x.max_pool2d_with_indices(&Pool::new(2));
        let bits_of = |x: &Tensor<T>| x.to_vec().into_iter().map(bits).collect::<Vec<_>>();
        let found: Vec<_> = bits_of(&values).into_iter().zip(positions.to_vec()).collect();
        assert_eq!(found, expected, "{height} by {width}");
        let alone = x.max_pool2d(&Pool::new(2));
        assert_eq!((alone.shape(), bits_of(&alone)), (values.shape(), bits_of(&values)));
    }
}

#[test]
fn maxima_of_two_by_two_windows_agree_with_loops_with_and_without_positions() {
    pairs_agree_with_loops::<f32>();
    pairs_agree_with_loops::<f64>();
}
