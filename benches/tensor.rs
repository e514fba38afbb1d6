//! Benchmarks of the kernels: `cargo bench --bench tensor`.

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use wengert::prelude::*;
use wengert::tensor::Interpolate;

fn normal(shape: &[usize]) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Philox::new(1))
}

/// Numbers of elements, from a size that fits the first cache to a size that fits no cache.
const SIZES: [usize; 3] = [1 << 10, 1 << 16, 1 << 22];

fn pointwise(c: &mut Criterion) {
    let mut group = c.benchmark_group("pointwise");
    for n in SIZES {
        let (x, y) = (normal(&[n]), normal(&[n]));
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("add", n), |b| b.iter(|| &x + &y));
        group.bench_function(BenchmarkId::new("exp", n), |b| b.iter(|| x.exp()));
        group.bench_function(BenchmarkId::new("tanh", n), |b| b.iter(|| x.tanh()));
        group.bench_function(BenchmarkId::new("erf", n), |b| b.iter(|| x.erf()));
        group.bench_function(BenchmarkId::new("ndtr", n), |b| b.iter(|| x.ndtr()));
    }
    // Adding a bias must be as fast as adding two tensors of the same shape.
    let (x, bias) = (normal(&[512, 512]), normal(&[512]));
    group.throughput(Throughput::Elements(512 * 512));
    group.bench_function("add a bias, 512×512", |b| b.iter(|| &x + &bias));
    group.finish();
}

fn reduce(c: &mut Criterion) {
    let mut group = c.benchmark_group("reduce");
    for n in SIZES {
        let x = normal(&[n]);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("sum", n), |b| b.iter(|| x.sum_all()));
    }
    let x = normal(&[1024, 1024]);
    group.throughput(Throughput::Elements(1 << 20));
    for axis in [0, 1] {
        let name = format!("1024×1024 over axis {axis}");
        group.bench_function(format!("sum, {name}"), |b| b.iter(|| x.sum(&[axis], false)));
        group.bench_function(format!("max, {name}"), |b| b.iter(|| x.max(&[axis], false)));
    }
    group.finish();
}

/// Softmax and its gradient, layer normalisation and its gradient, mean and variance.
fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("rows");
    for shape in [[128, 10], [256, 1000], [4096, 1000]] {
        let (x, gy) = (normal(&shape), normal(&shape));
        let name = format!("{}×{}", shape[0], shape[1]);
        group.throughput(Throughput::Elements(x.numel() as u64));
        group.bench_function(format!("softmax, {name}"), |b| b.iter(|| x.softmax(-1)));
        group.bench_function(format!("log-softmax, {name}"), |b| b.iter(|| x.log_softmax(-1)));
        let tape = Tape::new();
        let variable = tape.watch(x);
        let y = variable.softmax(-1);
        y.value();
        group.bench_function(format!("softmax, gradient, {name}"), |b| {
            b.iter(|| (y * tape.constant(gy.clone())).sum_all().grad(&[variable])[0].value());
        });
    }
    let x = normal(&[4096, 1024]);
    let (weight, bias) = (normal(&[1024]), normal(&[1024]));
    group.throughput(Throughput::Elements(4096 * 1024));
    group.bench_function("layer norm, 4096×1024", |b| {
        b.iter(|| x.layer_norm(1, Some(&weight), Some(&bias), 1e-5));
    });
    let (gy, layer) = (normal(&[4096, 1024]), LayerNorm::new(&[1024]));
    group.bench_function("layer norm with backward, 4096×1024", |b| {
        b.iter(|| {
            let tape = Tape::new();
            layer.forward(tape.watch(x.clone())).backward_from(gy.clone())
        });
    });
    for shape in [[64, 16, 32, 32], [64, 64, 8, 8]] {
        let x = normal(&shape);
        group.throughput(Throughput::Elements(x.numel() as u64));
        group.bench_function(format!("mean and variance of channels, {shape:?}"), |b| {
            b.iter(|| x.var_mean(&[0, 2, 3], true, 0));
        });
    }
    group.finish();
}

fn matmul(c: &mut Criterion) {
    let mut group = c.benchmark_group("matmul");
    // (m, k, n): square matrices, two products of a perceptron's first layer, and the product for one image.
    let products = [
        (64, 64, 64),
        (256, 256, 256),
        (1024, 1024, 1024),
        (128, 784, 512),
        (512, 128, 784),
        (1, 784, 512),
    ];
    for (m, k, n) in products {
        let (x, y) = (normal(&[m, k]), normal(&[k, n]));
        group.throughput(Throughput::Elements(2 * (m * k * n) as u64)); // additions and products
        let name = format!("{m}×{k}×{n}");
        group.bench_function(&name, |b| b.iter(|| x.matmul(&y)));
        let w = normal(&[n, k]);
        let name = format!("{name}, second transposed");
        group.bench_function(name, |b| b.iter(|| x.matmul_t(&w, false, true)));
    }
    group.finish();
}

/// Batches of small products, with a loop of their own up to a width of 8.
fn small_products(c: &mut Criterion) {
    let mut group = c.benchmark_group("small products");
    for size in [4, 8, 16] {
        let [x, y] = [normal(&[4096, size, size]), normal(&[4096, size, size])];
        group.throughput(Throughput::Elements(2 * 4096 * (size * size * size) as u64));
        group.bench_function(format!("4096 of {size}×{size}"), |b| b.iter(|| x.matmul(&y)));
    }
    group.finish();
}

fn random(c: &mut Criterion) {
    let mut group = c.benchmark_group("random numbers");
    let rng = &mut Philox::new(1);
    group.throughput(Throughput::Elements(1 << 20));
    group.bench_function("normal", |b| b.iter(|| Tensor::normal([1 << 20], 0.0, 1.0, rng)));
    group.bench_function("uniform", |b| b.iter(|| Tensor::uniform([1 << 20], 0.0, 1.0, rng)));
    group.finish();
}

fn contraction(c: &mut Criterion) {
    let mut group = c.benchmark_group("einsum");
    let (x, y) = (normal(&[256, 256]), normal(&[256, 256]));
    group.bench_function("ij,kj->ik, 256", |b| b.iter(|| Tensor::einsum("ij,kj->ik", &[&x, &y])));
    group.bench_function("ij,kj->ik, 256, by hand", |b| b.iter(|| x.matmul_t(&y, false, true)));
    // Small operands show the time for the equation.
    let (x, y) = (normal(&[8, 8]), normal(&[8, 8]));
    group.bench_function("ij,jk->ik, 8", |b| b.iter(|| Tensor::einsum("ij,jk->ik", &[&x, &y])));
    group.bench_function("ij,jk->ik, 8, by hand", |b| b.iter(|| x.matmul(&y)));
    let (q, k) = (normal(&[8, 128, 4, 32]), normal(&[8, 128, 4, 32]));
    group.bench_function("scores of attention", |b| {
        b.iter(|| Tensor::einsum("bihd,bjhd->bhij", &[&q, &k]));
    });
    group.bench_function("scores of attention, by hand", |b| {
        b.iter(|| q.transpose(1, 2).matmul_t(&k.transpose(1, 2), false, true));
    });
    let (x, y) = (normal(&[512, 64]), normal(&[512, 64]));
    group.bench_function("products of rows", |b| b.iter(|| Tensor::einsum("bi,bi->b", &[&x, &y])));
    group.bench_function("products of rows, by hand", |b| b.iter(|| (&x * &y).sum(&[1], false)));
    let parts = [normal(&[64, 64]), normal(&[64, 64]), normal(&[64, 64]), normal(&[64])];
    group.bench_function("a chain of four", |b| b.iter(|| Tensor::einsum("ij,jk,kl,l->i", &parts)));
    group.finish();
}

fn indexing(c: &mut Criterion) {
    let mut group = c.benchmark_group("indexing");
    for [n, width] in [[1 << 20, 1], [1 << 14, 64]] {
        let x = normal(&[n, width]);
        let rows = Tensor::from_fn([n], |i| (i * 7919 % n) as i64);
        let index = rows.unsqueeze(1).broadcast_to([n, width]).contiguous();
        let name = format!("{n}×{width}");
        group.throughput(Throughput::Elements((n * width) as u64));
        group.bench_function(BenchmarkId::new("index_select", &name), |b| {
            b.iter(|| x.index_select(0, &rows));
        });
        group.bench_function(BenchmarkId::new("index_add", &name), |b| {
            b.iter(|| x.index_add(0, &rows, &x));
        });
        group.bench_function(BenchmarkId::new("gather", &name), |b| b.iter(|| x.gather(0, &index)));
        group.bench_function(BenchmarkId::new("scatter", &name), |b| {
            b.iter(|| x.scatter(0, &index, &x));
        });
        group.bench_function(BenchmarkId::new("scatter_add", &name), |b| {
            b.iter(|| x.scatter_add(0, &index, &x));
        });
        group.bench_function(BenchmarkId::new("cumsum", &name), |b| b.iter(|| x.cumsum(0)));
    }
    group.finish();
}

/// Measures what is bound by memory: copies in another order, choices, integers.
fn memory(c: &mut Criterion) {
    let mut group = c.benchmark_group("memory");
    let n = 1 << 22;
    let (x, y) = (normal(&[2048, 2048]), normal(&[2048, 2048]));
    let images = normal(&[64, 64, 28, 28]);
    group.throughput(Throughput::Elements(n));
    group.bench_function("transpose", |b| b.iter(|| x.t().contiguous()));
    group.bench_function("add a transposed matrix", |b| b.iter(|| &x + &y.t()));
    group.bench_function("greater", |b| b.iter(|| x.gt(&y)));
    let mask = x.gt(&y);
    group.bench_function("where", |b| b.iter(|| Tensor::where_(&mask, &x, &y)));
    let (whole, other) = ((&x * 1e3).cast::<i64>(), (&y * 1e3).cast::<i64>());
    group.bench_function("add i64", |b| b.iter(|| &whole + &other));
    let (bytes, ones) = (whole.remainder(100).cast::<u8>(), Tensor::<u8>::ones_of(&[2048, 2048]));
    group.bench_function("add u8", |b| b.iter(|| &bytes + &ones));
    group.bench_function("cast u8 to f32", |b| b.iter(|| bytes.cast::<f32>()));
    group.throughput(Throughput::Elements(images.numel() as u64));
    let permuted = images.permute(&[0, 2, 3, 1]);
    group.bench_function("NCHW to NHWC", |b| b.iter(|| permuted.contiguous()));
    let pixels = bytes.narrow(0, 0, 1536).reshape(&[1024, 3, 32, 32]);
    group.throughput(Throughput::Elements(pixels.numel() as u64));
    let permuted = pixels.permute(&[0, 2, 3, 1]);
    group.bench_function("NCHW to NHWC, 3 channels of u8", |b| b.iter(|| permuted.contiguous()));
    group.throughput(Throughput::Elements(n));
    group.bench_function("transpose u8", |b| b.iter(|| bytes.t().contiguous()));
    group.bench_function("divide i64 by 7", |b| b.iter(|| &whole / 7));
    group.bench_function("remainder of i64 by 7", |b| b.iter(|| whole.remainder(7)));
    let large = normal(&[1 << 24]);
    group.throughput(Throughput::Elements(1 << 24));
    group.bench_function("add 16 M", |b| b.iter(|| &large + &large));
    group.bench_function("sum 16 M", |b| b.iter(|| large.sum_all()));
    let scores = normal(&[100_000, 10]);
    group.throughput(Throughput::Elements(1_000_000));
    group.bench_function("argmax of rows of 10", |b| b.iter(|| scores.argmax(-1, false)));
    group.bench_function("sum of rows of 10", |b| b.iter(|| scores.sum(&[-1], false)));
    group.bench_function("variance of rows of 10", |b| b.iter(|| scores.var(&[-1], false, 0)));
    let scores = scores.reshape(&[25_000, 40]);
    group.bench_function("maximum of rows of 40", |b| b.iter(|| scores.max(&[-1], false)));
    let columns = Tensor::from_fn([40], |i| (i * 7 % 40) as i64);
    group
        .bench_function("index_select of columns", |b| b.iter(|| scores.index_select(1, &columns)));
    group.bench_function("index_add of columns", |b| {
        b.iter(|| scores.index_add(1, &columns, &scores));
    });
    group.finish();
}

/// Measures a convolution y of x and w, and its gradients with respect to the input and to the weight.
fn three_directions(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    [x, w, y]: [&Tensor; 3],
    [size, kernel]: [usize; 2],
    conv: &Conv,
) {
    group.bench_function(format!("{name}, forward"), |b| b.iter(|| x.conv2d(w, None, conv)));
    group.bench_function(format!("{name}, by input"), |b| {
        b.iter(|| y.conv2d_input(w, [size; 2], conv));
    });
    group.bench_function(format!("{name}, by weight"), |b| {
        b.iter(|| x.conv2d_weight(y, [kernel; 2], conv));
    });
}

/// Measures layers of the networks in `examples` with batches of 64: the forward pass and the gradients with
/// respect to the input and to the weight.
fn convolution(c: &mut Criterion) {
    let mut group = c.benchmark_group("convolution");
    // Input channels, output channels, size of the image, kernel, stride, padding.
    let layers = [
        ("LeNet's first", [1, 6, 28, 5, 1, 2]),
        ("LeNet's second", [6, 16, 14, 5, 1, 0]),
        ("CNN's first", [1, 32, 28, 3, 1, 0]),
        ("CNN's second", [32, 64, 26, 3, 1, 0]),
        ("ResNet's 16", [16, 16, 32, 3, 1, 1]),
        ("ResNet's 64", [64, 64, 8, 3, 1, 1]),
        ("ResNet's 16 to 32", [16, 32, 32, 3, 2, 1]),
        ("ResNet's short cut", [16, 32, 32, 1, 2, 0]),
    ];
    for (name, [channels, maps, size, kernel, stride, padding]) in layers {
        let conv =
            Conv { stride: [stride; 2], padding: [(padding, padding); 2], ..Conv::default() };
        let x = normal(&[64, channels, size, size]);
        let w = normal(&[maps, channels, kernel, kernel]);
        let y = x.conv2d(&w, None, &conv);
        // Additions and products, including those with zeros of the padding.
        let operations = 2 * y.numel() * channels * kernel * kernel;
        group.throughput(Throughput::Elements(operations as u64));
        three_directions(&mut group, name, [&x, &w, &y], [size, kernel], &conv);
    }
    group.finish();
}

/// Measures depthwise convolutions, as in `MobileNet` and `ConvNeXt`. The speed is that of the elements read and written.
fn depthwise(c: &mut Criterion) {
    let mut group = c.benchmark_group("depthwise");
    // Channels, size of the image, kernel, stride.
    for [channels, size, kernel, stride] in [
        [128, 56, 3, 1],
        [128, 56, 3, 2],
        [512, 14, 3, 1],
        [1024, 7, 3, 1],
        [128, 28, 5, 1],
        [128, 28, 7, 1],
    ] {
        let conv = Conv {
            stride: [stride; 2],
            padding: [(kernel / 2, kernel / 2); 2],
            groups: channels,
            ..Conv::default()
        };
        let x = normal(&[8, channels, size, size]);
        let w = normal(&[channels, 1, kernel, kernel]);
        let y = x.conv2d(&w, None, &conv);
        let name = format!("{channels} channels of {size}², {kernel}×{kernel}, stride {stride}");
        group.throughput(Throughput::Elements((x.numel() + y.numel()) as u64));
        three_directions(&mut group, &name, [&x, &w, &y], [size, kernel], &conv);
    }
    group.finish();
}

/// Measures pools and interpolation. The speed is that of the elements read and written, of which a position counts
/// twice.
fn pooling(c: &mut Criterion) {
    let mut group = c.benchmark_group("pooling");
    // Images, channels, size of the image, kernel, stride, padding.
    let pools = [
        ("LeNet's first", [64, 6, 28, 2, 2, 0]),
        ("LeNet's second", [64, 16, 10, 2, 2, 0]),
        ("VGG's", [8, 64, 112, 2, 2, 0]),
        ("ResNet's", [8, 64, 112, 3, 2, 1]),
        ("Inception's", [16, 192, 28, 3, 1, 1]),
        ("stride 3", [16, 64, 57, 3, 3, 0]),
    ];
    for (name, [n, channels, size, kernel, stride, padding]) in pools {
        let pool = Pool::new(kernel).stride(stride).padding(padding);
        let x = normal(&[n, channels, size, size]);
        let (y, positions) = x.max_pool2d_with_indices(&pool);
        group.throughput(Throughput::Elements((x.numel() + 3 * y.numel()) as u64));
        group.bench_function(format!("{name}, maximum"), |b| {
            b.iter(|| x.max_pool2d_with_indices(&pool));
        });
        group.bench_function(format!("{name}, adjoint of the maximum"), |b| {
            b.iter(|| y.max_unpool2d(&positions, [size; 2]));
        });
        group.throughput(Throughput::Elements((x.numel() + y.numel()) as u64));
        group.bench_function(format!("{name}, mean"), |b| b.iter(|| x.avg_pool2d(&pool)));
    }
    let x = normal(&[16, 128, 14, 14]);
    group.throughput(Throughput::Elements(5 * x.numel() as u64));
    for (name, how) in
        [("nearest", Interpolate::scale(2.0)), ("bilinear", Interpolate::scale(2.0).bilinear())]
    {
        group.bench_function(format!("twice as large, {name}"), |b| b.iter(|| x.interpolate(&how)));
    }
    group.finish();
}

criterion_group!(
    benches,
    pointwise,
    reduce,
    rows,
    matmul,
    small_products,
    random,
    contraction,
    indexing,
    memory,
    convolution,
    depthwise,
    pooling
);
criterion_main!(benches);
