use super::*;
use crate::testing::panics_here;

/// Returns integers, so that sums are exact in any order.
fn numbers<T: Float>(shape: &[usize], seed: usize) -> Tensor<T> {
    Tensor::from_fn(shape, |i| T::of(((i * 7919 + seed * 104_729) % 23) as f64 - 11.0))
}

#[test]
fn small_convolutions_have_the_values_computed_by_hand() {
    let x = Tensor::arange(0.0, 60.0, 1.0).reshape(&[1, 2, 5, 6]);
    let w = (Tensor::arange(0.0, 24.0, 1.0) - 10.0).reshape(&[4, 1, 3, 2]);
    let conv = Conv { stride: [2, 1], padding: [(1, 1), (2, 2)], dilation: [1, 3], groups: 2 };
    let y = x.conv2d(&w, Some(&Tensor::from([1.0, 2.0, 3.0, 4.0])), &conv);
    assert_eq!(y.shape(), [1, 4, 3, 7]);
    let sum: f32 = y.to_vec().iter().sum();
    let direct = {
        // The kernel elements lie at rows 2i - 1 + p and columns j - 2 + 3q.
        let mut sum = 0.0;
        for o in 0..4 {
            for (i, j) in (0..3i32).flat_map(|i| (0..7i32).map(move |j| (i, j))) {
                sum += (o + 1) as f32;
                for (p, q) in (0..3).flat_map(|p| (0..2).map(move |q| (p, q))) {
                    let (row, col) = (2 * i - 1 + p, j - 2 + 3 * q);
                    if (0..5).contains(&row) && (0..6).contains(&col) {
                        let x = (o / 2 * 30 + row * 6 + col) as f32;
                        sum += x * ((o * 6 + p * 2 + q) as f32 - 10.0);
                    }
                }
            }
        }
        sum
    };
    assert_eq!(sum, direct);
}

#[test]
fn gradients_of_convolutions_are_adjoint() {
    let conv = Conv { stride: [2, 1], padding: [(1, 0), (2, 1)], dilation: [1, 2], groups: 2 };
    let (x, w) = (numbers::<f64>(&[3, 4, 7, 9], 1), numbers::<f64>(&[6, 2, 3, 2], 2));
    let y = x.conv2d(&w, None, &conv);
    let g = numbers::<f64>(&y.shape(), 3);
    let dot = |a: &Tensor<f64>, b: &Tensor<f64>| (a * b).sum_all();
    assert_eq!(dot(&y, &g), dot(&x, &g.conv2d_input(&w, [7, 9], &conv)));
    assert_eq!(dot(&y, &g), dot(&w, &x.conv2d_weight(&g, [3, 2], &conv)));
}

#[test]
fn shapes_that_do_not_fit_panic() {
    let (x, w) = (Tensor::ones(&[1, 2, 4, 4]), Tensor::ones(&[3, 3, 2, 2]));
    panics_here(
        "conv2d: input [1, 2, 4, 4] has 2 channels, weight [3, 3, 2, 2] with groups 1 expects 3; a \
         weight [3, 2, 2, 2] would fit",
        || drop(x.conv2d(&w, None, &Conv::default())),
    );
}

/// Convolutions of every kind: images, channels per group (input, result), size, kernel, and options.
fn cases() -> Vec<([usize; 7], Conv)> {
    let conv = |stride, padding, dilation, groups| Conv { stride, padding, dilation, groups };
    let plain = Conv::default();
    let same = |p| Conv { padding: [(p, p); 2], ..plain };
    vec![
        ([3, 1, 6, 28, 28, 5, 5], same(2)),
        ([2, 6, 16, 14, 14, 5, 5], plain),
        ([2, 1, 32, 9, 28, 3, 3], plain),
        ([1, 32, 7, 11, 26, 3, 3], plain),
        ([2, 3, 16, 13, 32, 3, 3], same(1)),
        ([3, 16, 13, 16, 16, 3, 3], same(1)),
        ([5, 24, 24, 8, 8, 3, 3], same(1)),
        ([2, 16, 32, 17, 16, 3, 3], conv([2, 2], [(1, 1); 2], [1, 1], 1)),
        ([2, 5, 9, 16, 17, 1, 1], conv([2, 2], [(0, 0); 2], [1, 1], 1)),
        ([2, 5, 9, 7, 11, 1, 1], plain),
        ([3, 4, 10, 5, 7, 5, 7], plain),
        ([1, 2, 3, 1, 1, 1, 1], plain),
        ([2, 2, 3, 4, 6, 3, 2], conv([1, 1], [(0, 3), (2, 1)], [1, 1], 1)),
        ([2, 2, 3, 4, 3, 3, 2], same(1)),
        ([3, 2, 2, 7, 9, 3, 2], conv([2, 1], [(1, 0), (2, 1)], [1, 2], 3)),
        ([2, 3, 2, 19, 23, 3, 4], conv([3, 2], [(2, 0), (0, 5)], [2, 3], 2)),
        ([1, 2, 2, 10, 12, 2, 3], conv([2, 2], [(0, 0), (0, 0)], [2, 2], 1)),
        ([1, 2, 3, 7, 9, 2, 2], conv([4, 5], [(0, 0), (1, 1)], [1, 1], 1)),
        ([1, 1, 1, 20, 33, 3, 3], conv([1, 1], [(1, 1), (1, 1)], [1, 1], 5)),
        // Depthwise: every kernel, rows shorter and longer than a vector, and more padding than the kernel.
        ([2, 1, 1, 7, 7, 3, 3], conv([1, 1], [(1, 1), (1, 1)], [1, 1], 3)),
        ([2, 1, 1, 37, 52, 3, 3], conv([2, 2], [(1, 0), (0, 1)], [1, 1], 2)),
        ([1, 1, 2, 3, 2, 3, 3], conv([2, 2], [(1, 1), (1, 1)], [1, 1], 2)),
        ([2, 1, 2, 18, 35, 5, 5], conv([1, 1], [(2, 2), (2, 2)], [1, 1], 2)),
        ([2, 1, 1, 18, 35, 5, 5], conv([2, 2], [(2, 1), (1, 2)], [1, 1], 2)),
        ([2, 1, 1, 9, 33, 7, 7], conv([1, 1], [(3, 3), (3, 3)], [1, 1], 2)),
        ([2, 1, 1, 20, 18, 7, 7], conv([2, 2], [(3, 3), (3, 3)], [1, 1], 2)),
        ([2, 1, 1, 5, 17, 2, 3], conv([1, 1], [(4, 5), (7, 3)], [1, 1], 3)),
        ([2, 1, 1, 11, 40, 4, 3], conv([1, 1], [(2, 2), (2, 2)], [2, 1], 2)),
        ([2, 1, 1, 12, 20, 3, 5], conv([2, 2], [(0, 3), (1, 0)], [3, 1], 2)),
        ([1, 1, 1, 9, 40, 3, 3], conv([1, 1], [(2, 2), (2, 2)], [2, 2], 3)),
        ([2, 1, 1, 9, 40, 6, 9], conv([2, 2], [(2, 2), (4, 4)], [1, 1], 3)),
        ([2, 1, 1, 1, 50, 1, 4], conv([1, 1], [(0, 0), (2, 1)], [1, 1], 4)),
        ([2, 1, 2, 12, 9, 3, 5], conv([2, 2], [(1, 1), (2, 2)], [1, 1], 4)),
        ([1, 1, 1, 2, 2, 3, 3], conv([1, 1], [(4, 4), (5, 3)], [1, 1], 2)),
        ([1, 3, 2, 3, 3, 3, 3], same(3)),
        ([1, 2, 1, 5, 6, 1, 1], conv([1, 1], [(2, 0), (1, 3)], [1, 1], 1)),
        ([0, 2, 3, 5, 6, 3, 3], plain),
        ([2, 0, 3, 5, 6, 3, 3], plain),
        ([2, 3, 0, 5, 6, 3, 3], plain),
        ([1, 150, 9, 5, 6, 3, 3], same(1)),
    ]
}

/// Returns x, weight, bias and a gradient for a case.
fn operands<T: Float>(case: &([usize; 7], Conv)) -> [Tensor<T>; 4] {
    let ([n, c, o, h, w, kh, kw], conv) = *case;
    let (c_all, o_all) = (c * conv.groups, o * conv.groups);
    let x = numbers(&[n, c_all, h, w], 1);
    let weight = numbers::<T>(&[o_all, c, kh, kw], 2);
    let shape = shapes::conv2d(&x.shape(), &weight.shape(), None, &conv).unwrap();
    [x, weight, numbers(&[o_all], 3), numbers(&shape, 4)]
}

fn agrees_with_the_definition<T: Float>() {
    for case in &cases() {
        let [x, w, bias, gy] = operands::<T>(case);
        let conv = &case.1;
        let (h, kernel) = (x.shape(), w.shape());
        let g = ConvSizes::new(&h, &kernel, &gy.shape(), conv);
        let mut y = Tensor::zeros_of(&gy.shape());
        naive::forward(&g, slice(&x), slice(&w), None, y.fresh_mut());
        assert!(x.conv2d(&w, None, conv) == y, "forward {case:?}");
        naive::forward(&g, slice(&x), slice(&w), Some(slice(&bias)), y.fresh_mut());
        assert!(x.conv2d(&w, Some(&bias), conv) == y, "forward with bias {case:?}");
        let mut gx = Tensor::zeros_of(&h);
        naive::input(&g, slice(&gy), slice(&w), gx.fresh_mut());
        assert!(gy.conv2d_input(&w, [h[2], h[3]], conv) == gx, "input {case:?}");
        let mut gw = Tensor::zeros_of(&kernel);
        naive::weight(&g, slice(&x), slice(&gy), gw.fresh_mut());
        assert!(x.conv2d_weight(&gy, [kernel[2], kernel[3]], conv) == gw, "weight {case:?}");
    }
}

/// Sums of integers are exact in any order.
#[test]
fn kernels_agree_with_the_definition() {
    agrees_with_the_definition::<f32>();
    agrees_with_the_definition::<f64>();
}

/// Runs the test above in separate processes with smaller instruction sets than the machine has.
#[test]
fn kernels_of_other_instruction_sets_agree() {
    let this = std::env::current_exe().unwrap();
    for isa in ["avx2", "baseline"] {
        let test = "tensor::conv::tests::kernels_agree_with_the_definition";
        let mut run = std::process::Command::new(&this);
        let out = run.args(["--exact", test]).env("WENGERT_ISA", isa).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.contains("1 passed"), "{isa}: {text}");
    }
}

/// A pixel that no window covers has no influence, whatever it is; the kernels load vectors that contain such pixels.
#[test]
fn pixels_outside_all_windows_have_no_influence() {
    for (stride, groups, kernel) in [(1, 3, 3), (2, 3, 3), (2, 3, 5), (1, 3, 7), (2, 1, 3)] {
        let conv = Conv { stride: [stride; 2], groups, ..Conv::default() };
        // Windows cover 9 rows and 19 columns.
        let windows = [(9 - kernel) / stride + 1, (19 - kernel) / stride + 1];
        let (covered_rows, covered) =
            ((windows[0] - 1) * stride + kernel, (windows[1] - 1) * stride + kernel);
        let gy = numbers::<f32>(&[2, 3, windows[0], windows[1]], 3);
        let at = |i: usize| (i / 19 % 9, i % 19);
        let x = numbers::<f32>(&[2, groups, 9, 19], 1);
        let plain = x.to_vec();
        let other = |i: usize| {
            let (row, col) = at(i);
            if row < covered_rows && col < covered { plain[i] } else { f32::NAN }
        };
        let marked = Tensor::from_fn(&[2, groups, 9, 19], other);
        let weight = |x: &Tensor| x.conv2d_weight(&gy, [kernel; 2], &conv);
        assert!(weight(&marked) == weight(&x), "{stride} {groups} {kernel}");
        let w = numbers::<f32>(&[3, 1, kernel, kernel], 2);
        let y = |x: &Tensor| x.conv2d(&w, None, &conv);
        assert!(y(&marked) == y(&x), "{stride} {groups} {kernel}");
    }
    // The last row and column of the image are read by no window with stride 2.
    let conv = Conv { stride: [2, 2], groups: 2, ..Conv::default() };
    let x = Tensor::from_fn(&[1, 2, 6, 20], |i| {
        if i / 20 % 6 == 5 || i % 20 == 19 { f32::INFINITY } else { (i % 7) as f32 }
    });
    let gy = numbers::<f32>(&[1, 2, 2, 9], 1);
    assert!(x.conv2d_weight(&gy, [3, 3], &conv).to_vec().iter().all(|w| w.is_finite()));
}

/// The sums of these numbers depend on the order, so equal bits mean an equal order.
#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let pools = [1, 2, 3].map(pool);
    let plain = Conv::default();
    let same = Conv { padding: [(1, 1); 2], ..plain };
    let half = Conv { stride: [2, 2], ..same };
    for (case, conv) in [
        ([7, 20, 30, 17, 19, 3, 3], same),
        ([1, 20, 30, 33, 19, 3, 3], same),
        ([9, 20, 30, 17, 19, 3, 3], half),
        ([1, 70, 70, 17, 19, 3, 3], half),
        ([5, 40, 64, 16, 15, 1, 1], plain),
        ([1, 1, 1, 64, 65, 3, 3], Conv { groups: 64, ..same }),
        ([3, 1, 1, 64, 65, 3, 3], Conv { groups: 17, ..half }),
        ([3, 1, 1, 64, 65, 5, 5], Conv { groups: 17, ..same }),
        ([3, 1, 2, 64, 65, 3, 5], Conv { groups: 17, ..same }),
    ] {
        let [x, w, bias, gy] = operands::<f32>(&(case, conv)).map(|x| (&x * 0.37).sin());
        let size = x.shape();
        let all = || {
            let forward = x.conv2d(&w, Some(&bias), &conv);
            let input = gy.conv2d_input(&w, [size[2], size[3]], &conv);
            [forward, input, x.conv2d_weight(&gy, [case[5], case[6]], &conv)]
        };
        let [one, two, three] = [0, 1, 2].map(|i| pools[i].install(all));
        assert!(one == two && one == three, "{case:?}");
    }
}

/// Operands that are not contiguous give the same results as contiguous ones.
#[test]
fn operands_that_are_not_contiguous_give_the_same_results() {
    let (x, w) = (numbers::<f32>(&[6, 7, 2, 3], 1), numbers::<f32>(&[3, 2, 4, 3], 2));
    let (x, w) = (x.permute(&[2, 3, 1, 0]), w.permute(&[2, 0, 3, 1]));
    let (dense_x, dense_w) = (x.copied(), w.copied());
    let conv = Conv::default();
    let y = x.conv2d(&w, None, &conv);
    assert!(y == dense_x.conv2d(&dense_w, None, &conv));
    let gy = y.permute(&[1, 0, 2, 3]).copied().permute(&[1, 0, 2, 3]);
    assert!(gy.conv2d_input(&w, [7, 6], &conv) == y.conv2d_input(&dense_w, [7, 6], &conv));
    assert!(x.conv2d_weight(&gy, [3, 2], &conv) == dense_x.conv2d_weight(&y, [3, 2], &conv));
}

/// With a single window the stride may be so large that multiplying it would overflow.
#[test]
fn a_stride_beyond_the_image_does_not_overflow() {
    let x = Tensor::arange(1.0, 10.0, 1.0).reshape(&[1, 1, 3, 3]);
    let w = Tensor::from([[2.0, 3.0], [5.0, 7.0]]).reshape(&[1, 1, 2, 2]);
    for stride in [5, 1 << 31, u32::MAX as usize / 3, isize::MAX as usize, usize::MAX] {
        let conv = Conv { stride: [stride; 2], padding: [(1, 0), (0, 1)], ..Conv::default() };
        // The window begins above the image. Its lower row sees 1 and 2.
        let y = x.conv2d(&w, None, &conv);
        assert_eq!((y.shape(), y.to_vec()), ([1, 1, 1, 1].into(), vec![19.0]), "{stride}");
        let gy = Tensor::full(&[1, 1, 1, 1], 10.0);
        let gx = gy.conv2d_input(&w, [3, 3], &conv).to_vec();
        assert_eq!(gx, [50.0, 70.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "{stride}");
        let gw = x.conv2d_weight(&gy, [2, 2], &conv).to_vec();
        assert_eq!(gw, [0.0, 0.0, 10.0, 20.0], "{stride}");
    }
}

/// Guards against a former fault: the number of bytes of the planes overflowed, and the planes were written
/// to an empty buffer.
#[test]
fn planes_that_cannot_be_counted_are_refused() {
    let one = Tensor::ones(&[1, 1, 1, 1]);
    let too_large = |op: &str, (before, after): (usize, usize)| {
        let (pair, size) = ((before, after), before + 1 + after);
        format!(
            "{op}: input [1, 1, 1, 1] with padding [{pair:?}, {pair:?}] is too large: as [{size}, \
             {size}] it has more elements than a tensor can have"
        )
    };
    // 2³⁰ if addresses have 64 bits, 2¹⁴ if they have 32.
    let quarter = 1usize << (usize::BITS / 2 - 2);
    let padding = (quarter, quarter - 1);
    let conv = Conv { dilation: [2 * quarter - 1; 2], padding: [padding; 2], ..Conv::default() };
    let w = Tensor::ones(&[1, 1, 2, 2]);
    panics_here(&too_large("conv2d", padding), || drop(one.conv2d(&w, None, &conv)));
    panics_here(&too_large("conv2d_input: conv2d", padding), || {
        drop(one.conv2d_input(&w, [1, 1], &conv));
    });
    let padding = (2 * quarter, 2 * quarter - 1);
    let stride = (4 * quarter - 1) / 3;
    let conv = Conv { stride: [stride; 2], padding: [padding; 2], ..Conv::default() };
    panics_here(&too_large("conv2d_weight: conv2d", padding), || {
        drop(one.conv2d_weight(&Tensor::ones(&[1, 1, 4, 4]), [1, 1], &conv));
    });
}

/// Some phases of the stride have no kernel element. Their maps are wider than the planes.
#[test]
fn kernels_of_size_1_with_stride_2_agree_with_the_definition() {
    for size in 1..=7usize {
        let conv = Conv { stride: [2, 2], padding: [(1, 1); 2], ..Conv::default() };
        let side = size.div_ceil(2) + 1;
        let gy = numbers::<f32>(&[2, 3, side, side], 1);
        let w = numbers::<f32>(&[3, 4, 1, 1], 2);
        let gx = gy.conv2d_input(&w, [size, size], &conv);
        for index in [[0, 0], [1, 1], [0, 1], [size - 1, size - 1]] {
            let [i, j] = index.map(|i: usize| i.min(size - 1));
            for (n, c) in [(0, 0), (1, 3)] {
                let meets = i % 2 == 1 && j % 2 == 1;
                let product =
                    |o| gy.at(&[n, o, i.div_ceil(2), j.div_ceil(2)]) * w.at(&[o, c, 0, 0]);
                let wanted = if meets { (0..3).map(product).sum() } else { 0.0 };
                assert_eq!(gx.at(&[n, c, i, j]), wanted, "{size}: {n} {c} {i} {j}");
            }
        }
    }
}

/// Without channels the result is the bias, however large the kernel is.
#[test]
fn a_convolution_without_input_channels_is_the_bias() {
    // 2²¹ if addresses have 64 bits, 2¹⁰ if they have 32.
    let size = 1usize << (usize::BITS / 3);
    let conv = Conv::default().padding(size / 2);
    let (x, w) = (Tensor::zeros(&[2, 0, 3, 3]), Tensor::zeros(&[2, 0, size, size]));
    let y = x.conv2d(&w, Some(&Tensor::from([1.5, -2.0])), &conv);
    assert_eq!(y.shape(), [2, 2, 4, 4]);
    assert_eq!((y.at(&[1, 0, 3, 2]), y.at(&[0, 1, 0, 0])), (1.5, -2.0));
    assert_eq!(y.conv2d_input(&w, [3, 3], &conv).shape(), [2, 0, 3, 3]);
    assert_eq!(x.conv2d_weight(&y, [size, size], &conv).shape(), w.shape());
}

/// Convolutions of volumes: batch, channels and maps per group, size, kernel, and options.
fn volumes() -> Vec<([usize; 9], VolumeConv)> {
    let plain = VolumeConv::new();
    vec![
        ([2, 3, 4, 5, 6, 7, 3, 3, 3], plain),
        ([2, 3, 4, 4, 5, 6, 3, 2, 1], plain.padding([1, 0, 2])),
        ([1, 2, 3, 9, 6, 7, 3, 2, 3], plain.stride([2, 1, 3]).padding(1)),
        ([2, 2, 3, 7, 5, 6, 2, 3, 2], plain.dilation([3, 2, 1]).groups(2)),
        ([2, 1, 2, 6, 5, 4, 2, 2, 2], plain.stride([3, 2, 2]).groups(3).padding([0, 1, 0])),
        // Depth 1, a kernel larger than the volume, and windows that lie in the padding alone.
        ([2, 3, 2, 1, 5, 5, 1, 3, 3], plain.padding([0, 1, 1])),
        ([1, 2, 2, 2, 3, 2, 5, 4, 3], plain.padding_each([(2, 3), (1, 1), (0, 4)])),
        (
            [1, 1, 2, 2, 3, 3, 2, 1, 1],
            plain.padding_each([(4, 5), (0, 0), (2, 0)]).dilation([2, 1, 1]),
        ),
        // A stride above the kernel and above the volume.
        ([2, 2, 3, 7, 3, 4, 1, 1, 1], plain.stride([4, 5, 9])),
        ([2, 2, 3, 4, 3, 4, 1, 1, 1], plain),
        ([1, 2, 3, 4, 3, 4, 1, 2, 2], plain.groups(2).padding([0, 1, 0])),
        // Nothing to compute.
        ([0, 2, 3, 4, 3, 4, 2, 2, 2], plain),
        ([2, 0, 3, 4, 3, 4, 2, 2, 2], plain),
        ([2, 2, 0, 4, 3, 4, 2, 2, 2], plain),
    ]
}

/// Calls `f` for every product of a convolution of volumes, with its indices in x, w and y.
fn products_of_volumes(
    x: &[usize],
    w: &[usize],
    y: &[usize],
    conv: &VolumeConv,
    mut f: impl FnMut([usize; 5], [usize; 5], [usize; 5]),
) {
    let maps = w[0] / conv.groups;
    for at in crate::testing::naive(y, |at| <[usize; 5]>::try_from(at).unwrap()) {
        for tap in crate::testing::naive(&w[1..], |tap| <[usize; 4]>::try_from(tap).unwrap()) {
            let mut from = [at[0], at[1] / maps * w[1] + tap[0], 0, 0, 0];
            let inside = (0..3).all(|side| {
                let i = at[2 + side] * conv.stride[side] + tap[1 + side] * conv.dilation[side];
                let i = i.checked_sub(conv.padding[side].0).filter(|&i| i < x[2 + side]);
                i.map(|i| from[2 + side] = i).is_some()
            });
            if inside {
                f(from, [at[1], tap[0], tap[1], tap[2], tap[3]], at);
            }
        }
    }
}

#[test]
fn convolutions_of_volumes_agree_with_plain_loops() {
    for ([n, c, o, d, h, w, kd, kh, kw], conv) in volumes() {
        let (all_c, all_o) = (c * conv.groups, o * conv.groups);
        let x = numbers::<f64>(&[n, all_c, d, h, w], 1);
        let weight = numbers::<f64>(&[all_o, c, kd, kh, kw], 2);
        let bias = numbers::<f64>(&[all_o], 3);
        let plain = x.conv3d(&weight, None, &conv);
        let y = x.conv3d(&weight, Some(&bias), &conv);
        let mut wanted = Tensor::<f64>::zeros_of(&y.shape());
        let gy = numbers::<f64>(&y.shape(), 4);
        let mut back = Tensor::<f64>::zeros_of(&x.shape());
        let (xs, ys) = (x.shape(), y.shape());
        let flat = |shape: &[usize], at: [usize; 5]| {
            at.iter().zip(shape).fold(0, |flat, (i, size)| flat * size + i)
        };
        products_of_volumes(&xs, &weight.shape(), &ys, &conv, |from, tap, to| {
            wanted.make_mut()[flat(&ys, to)] += x.at(&from) * weight.at(&tap);
            back.make_mut()[flat(&xs, from)] += gy.at(&to) * weight.at(&tap);
        });
        assert_eq!(plain.to_vec(), wanted.to_vec(), "{conv:?}");
        let biased = wanted + bias.reshape([-1, 1, 1, 1]);
        assert_eq!(y.to_vec(), biased.to_vec(), "{conv:?}, bias");
        if gy.numel() == 0 || d == 0 || c == 0 {
            continue;
        }
        // The transposed convolution. Where it cannot have the size of the volume, rows remain that no window saw.
        let least = shapes::conv_transpose3d(&ys, &weight.shape(), None, &conv, [0; 3]);
        let Ok(least) = least else { continue };
        let more = [0, 1, 2].map(|side| xs[2 + side].wrapping_sub(least[2 + side]));
        if (0..3).any(|side| more[side] >= conv.stride[side].max(conv.dilation[side])) {
            continue;
        }
        let bias = numbers::<f64>(&[all_c], 5);
        let got = gy.conv_transpose3d(&weight, None, &conv, more);
        assert_eq!((got.shape(), got.to_vec()), (xs, back.to_vec()), "transposed {conv:?}");
        let got = gy.conv_transpose3d(&weight, Some(&bias), &conv, more);
        assert_eq!(got.to_vec(), (back + bias.reshape([-1, 1, 1, 1])).to_vec(), "{conv:?}");
    }
}

/// Output paddings that are not below the stride, and a stride above the kernel.
#[test]
fn output_paddings_of_volumes_add_rows_of_zeros() {
    let conv = VolumeConv::new().stride([1, 3, 2]).dilation([3, 1, 1]).padding([1, 0, 0]);
    let (x, w) = (numbers::<f64>(&[2, 4, 3, 2, 2], 1), numbers::<f64>(&[4, 3, 2, 2, 1], 2));
    let small = x.conv_transpose3d(&w, None, &conv, [0; 3]);
    let large = x.conv_transpose3d(&w, None, &conv, [2, 2, 1]);
    assert_eq!(small.shape(), [2, 3, 4, 5, 3]);
    assert_eq!(large.shape(), [2, 3, 6, 7, 4]);
    let (rows, zeros) = (large.narrow(3, 5, 2), large.narrow(4, 3, 1));
    assert!(rows.to_vec().iter().chain(&zeros.to_vec()).all(|&x| x == 0.0));
    // Along the depth the crop hid a window.
    let cut = large.narrow(2, 0, 4).narrow(3, 0, 5).narrow(4, 0, 3);
    assert_eq!(cut.to_vec(), small.to_vec());
    assert!(large.narrow(2, 4, 1).to_vec().iter().any(|&x| x != 0.0));
}

#[test]
fn volumes_of_other_layouts_and_thread_numbers_have_the_same_bits() {
    let (x, w) = (numbers::<f32>(&[5, 9, 8, 4, 3], 1), numbers::<f32>(&[3, 2, 4, 2, 3], 2));
    let (x, w) =
        ((&x * 0.37).sin().permute(&[3, 4, 1, 2, 0]), (&w * 0.37).sin().permute(&[2, 0, 4, 1, 3]));
    let conv = VolumeConv::new().padding(1).stride([2, 1, 1]);
    let wanted = x.copied().conv3d(&w.copied(), None, &conv);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| x.conv3d(&w, None, &conv)) == wanted);
    }
}

fn images_alone_agree<T: Float>() {
    for case in &cases() {
        let [x, w, bias, gy] = operands::<T>(case);
        let ([n, ..], conv) = *case;
        let size = [x.shape()[2], x.shape()[3]];
        let (y, gx) = (x.conv2d(&w, Some(&bias), &conv), gy.conv2d_input(&w, size, &conv));
        for i in 0..n {
            // The buffers of the thread hold NaN, wherever the kernels write no numbers.
            let nan = Tensor::<T>::full_of(&[1, 40, 30, 31], T::of(f64::NAN));
            let kernel = Tensor::<T>::ones_of(&[3, 40, 3, 3]);
            let padded = Conv { padding: [(1, 1); 2], ..Conv::default() };
            drop(nan.conv2d(&kernel, None, &padded));
            let strided = Conv { stride: [2, 2], ..padded };
            let nan = nan.narrow(1, 0, 3);
            drop(nan.conv2d_input(&kernel, [59, 61], &strided));
            let one = x.narrow(0, i, 1).conv2d(&w, Some(&bias), &conv);
            assert!(one == y.narrow(0, i, 1), "image {i} of {case:?}");
            let one = gy.narrow(0, i, 1).conv2d_input(&w, size, &conv);
            assert!(one == gx.narrow(0, i, 1), "gradient {i} of {case:?}");
        }
    }
}

/// A thread keeps plans and buffers from convolution to convolution. There are more cases than kept plans.
#[test]
fn an_image_alone_has_the_result_that_it_has_in_a_batch() {
    images_alone_agree::<f32>();
    images_alone_agree::<f64>();
}
