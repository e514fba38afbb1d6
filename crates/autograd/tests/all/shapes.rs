//! Errors of operands whose shapes do not fit. The panic points at the line of the call, and its message
//! begins with the path of the scopes. `Tape::check` returns the same message.

use crate::common::panic_of;
use wengert_autograd::{Tape, Var};
use wengert_tensor::{
    AxisMap, Conv, Interpolate, PadMode, Pool, ScatterReduce, Tensor, VolumeConv, VolumePool,
};

struct Case {
    run: fn(&Tape),
    parts: &'static [&'static str],
}

macro_rules! cases {
    ($(|$tape:ident| $call:expr => $($part:literal),+;)*) => {
        &[$(Case { run: |$tape: &Tape| { let _ = $call; }, parts: &[$($part),+] }),*]
    };
}
fn v<'t>(tape: &'t Tape, shape: &[usize]) -> Var<'t> {
    if tape.is_shape_only() { tape.input(shape) } else { tape.watch(Tensor::ones(shape)) }
}

fn int<const N: usize>(numbers: [i64; N]) -> Tensor<i64> {
    Tensor::from(numbers)
}

const BINARY: &[Case] = cases! {
    |t| v(t, &[2, 3]) + v(t, &[2, 4]) => "add: ", "[2, 3]", "[2, 4]", "do not broadcast", "axis -1", "3 and 4";
    |t| v(t, &[2, 3]) - v(t, &[2]) => "sub: ", "[2, 3]", "[2]", "to align with axis 0, reshape to [2, 1]";
    |t| v(t, &[2, 3]) * v(t, &[4, 3]) => "mul: ", "axis -2", "2 and 4";
    |t| v(t, &[2, 3]) / v(t, &[4]) => "div: ", "do not broadcast";
    |t| v(t, &[2, 3]).pow(v(t, &[4])) => "pow: ", "do not broadcast";
    |t| v(t, &[2, 3]).maximum(v(t, &[4])) => "maximum: ", "do not broadcast";
    |t| v(t, &[2, 3]).minimum(v(t, &[4])) => "minimum: ", "do not broadcast";
    |t| v(t, &[2, 3]).lerp(v(t, &[4]), 0.5) => "lerp: ", "[2, 3]", "[4]", "do not broadcast";
    |t| v(t, &[2, 3]).lerp(1.0, v(t, &[4])) => "lerp: ", "[2, 3]", "[4]", "do not broadcast";
    |t| v(t, &[2, 3]).gt(v(t, &[4])) => "gt: ", "do not broadcast";
    |t| v(t, &[2, 3]).eq(v(t, &[4])) => "eq: ", "do not broadcast";
    |t| Var::where_(v(t, &[2, 3]).gt(0), v(t, &[4]), v(t, &[3])) => "where_: ", "[4]", "[3]";
    |t| Var::where_(v(t, &[2]).gt(0), v(t, &[3]), v(t, &[3])) => "where_: ", "[3]", "[2]";
    |t| v(t, &[2, 3]).masked_fill(v(t, &[4]).gt(0), 0.0) => "masked_fill: ", "[4]", "[2, 3]";
};

const MATMUL: &[Case] = cases! {
    |t| v(t, &[64, 784]).matmul(v(t, &[800, 10])) =>
        "matmul: inner dimensions differ: [64, 784] · [800, 10] (784 ≠ 800)";
    |t| v(t, &[64, 784]).matmul(v(t, &[10, 784])) => "matmul", "(784 ≠ 10)", "did you mean b.t()?";
    |t| v(t, &[5, 3]).matmul(v(t, &[5, 4])) => "matmul", "(3 ≠ 5)", "did you mean a.t()?";
    |t| v(t, &[5, 3]).matmul(v(t, &[4, 5])) => "matmul", "(3 ≠ 4)", "the product in the other order?";
    |t| v(t, &[2, 3]).matmul_t(v(t, &[2, 3]), true, true) => "matmul", "[2, 3]ᵀ · [2, 3]ᵀ", "not transposed?";
    |t| v(t, &[7, 2, 3]).matmul(v(t, &[6, 3, 4])) => "matmul: shapes [7] and [6] do not broadcast", "[7, 2, 3] and [6, 3, 4]";
    |t| v(t, &[]).matmul(v(t, &[3, 4])) => "matmul: a scalar has no matrix product", "did you mean `*`?";
    |t| Var::einsum("ij,jk->ik", &[v(t, &[2, 3]), v(t, &[4, 5])]) =>
        "einsum: \"ij,jk->ik\": index j has size 3 in operand 0 of shape [2, 3] and size 4 in operand 1 of shape [4, 5]";
    |t| Var::einsum("ij->i%", &[v(t, &[2, 3])]) => "einsum: \"ij->i%\": ", "'%'";
    |t| v(t, &[2, 3]).tensordot(v(t, &[4, 5]), &[1], &[0]) => "tensordot: axis 1 of shape [2, 3] has size 3";
    |t| v(t, &[2, 3]).dot(v(t, &[3])) => "dot: expected two vectors", "[2, 3] and [3]";
    |t| v(t, &[2, 3]).outer(v(t, &[3])) => "outer: expected two vectors";
    |t| v(t, &[2, 3]).mv(v(t, &[2])) => "mv: inner dimensions differ: [2, 3] · [2]";
    |t| v(t, &[2, 3, 4]).bmm(v(t, &[1, 4, 5])) => "bmm: the batches of [2, 3, 4] and [1, 4, 5] differ";
    |t| v(t, &[3]).addmm(v(t, &[2, 3]), v(t, &[3, 4]), 1.0, 1.0) => "addmm: shape [3]", "[2, 4] of the product";
    |t| v(t, &[3]).addmm(v(t, &[2, 3]), v(t, &[3, 4]), 1.0, 0.0) => "addmm: shape [3]", "[2, 4] of the product";
    |t| v(t, &[3]).baddbmm(v(t, &[2, 3]), v(t, &[3, 4]), 1.0, 1.0) => "baddbmm: expected two batches";
    |t| v(t, &[3]).trace() => "trace: expected a matrix", "[3]";
    |t| v(t, &[3]).matmul(v(t, &[4])) => "matmul: inner dimensions differ: [3] · [4]";
    |t| v(t, &[3]).matmul(v(t, &[4, 5])) => "matmul: inner dimensions differ: [3] · [4, 5]";
};

const CONVOLUTIONS: &[Case] = cases! {
    |t| v(t, &[64, 3, 28, 28]).conv2d(v(t, &[6, 1, 5, 5]), None, &Conv::new()) =>
        "conv2d: input [64, 3, 28, 28] has 3 channels", "[6, 1, 5, 5] with groups 1 expects 1";
    |t| v(t, &[3, 28, 28]).conv2d(v(t, &[6, 3, 5, 5]), None, &Conv::new()) =>
        "conv2d: ", "[3, 28, 28]", "[N, C, H, W]", "unsqueeze(0)";
    |t| v(t, &[1, 3, 28, 4]).conv2d(v(t, &[6, 3, 5, 5]), None, &Conv::new()) =>
        "conv2d: ", "width 4, a kernel of 5 does not fit";
    |t| v(t, &[1, 3, 8, 9]).conv2d(v(t, &[6, 3, 5, 5]), Some(v(t, &[5])), &Conv::new()) =>
        "conv2d: bias [5]", "expected [6]";
    |t| v(t, &[1, 3, 8, 9]).conv2d(v(t, &[6, 3, 5, 5]), None, &Conv::new().stride([1, 0])) =>
        "conv2d: stride must be at least 1, got [1, 0]";
    |t| v(t, &[8, 3, 9, 9, 4]).conv3d(v(t, &[6, 3, 1, 1, 5]), None, &VolumeConv::new()) =>
        "conv3d: ", "width 4, a kernel of 5 does not fit; pad the volume";
    |t| v(t, &[3, 9, 9, 4]).conv3d(v(t, &[6, 3, 1, 1, 5]), None, &VolumeConv::new()) =>
        "conv3d: ", "[N, C, D, H, W]", "unsqueeze(0)";
    |t| v(t, &[1, 4, 5, 5, 6]).conv_transpose3d(v(t, &[3, 4, 2, 2, 2]), None, &VolumeConv::new(), [0; 3]) =>
        "conv_transpose3d: ", "4 channels", "first two axes exchanged?";
    |t| v(t, &[8, 3, 99]).conv1d(v(t, &[6, 2, 5]), None, &Conv::new()) =>
        "conv1d: input [8, 3, 99] has 3 channels", "[6, 2, 5] with groups 1 expects 2";
    |t| v(t, &[8, 3, 4]).conv1d(v(t, &[6, 3, 5]), None, &Conv::new()) =>
        "conv1d: ", "length 4, a kernel of 5 does not fit; pad the signal";
    |t| v(t, &[8, 99]).conv1d(v(t, &[6, 2, 5]), None, &Conv::new()) => "conv1d: ", "[N, C, L]";
    |t| v(t, &[1, 4, 5, 6]).conv_transpose2d(v(t, &[3, 4, 2, 2]), None, &Conv::new(), [0, 0]) =>
        "conv_transpose2d: ", "4 channels", "first two axes exchanged?";
    |t| v(t, &[1, 4, 5, 6]).conv_transpose2d(v(t, &[4, 3, 2, 2]), None, &Conv::new(), [1, 0]) =>
        "conv_transpose2d: output padding 1", "smaller than the stride 1 or the dilation 1";
    |t| v(t, &[1, 4, 5]).conv_transpose1d(v(t, &[3, 4, 2]), None, &Conv::new(), 0) =>
        "conv_transpose1d: input [1, 4, 5] has 4 channels", "expects 3";
    |t| v(t, &[1, 3, 2]).conv_transpose1d(v(t, &[3, 4, 2]), None, &Conv::new().padding(2), 0) =>
        "conv_transpose1d: the result is empty: its length is 3";
};

const VIEWS: &[Case] = cases! {
    |t| v(t, &[2, 3]).broadcast_to(&[3, 2]) => "broadcast_to: ", "[2, 3]", "[3, 2]";
    |t| v(t, &[2, 3]).sum_to(&[2, 2]) => "sum_to: ", "[2, 2]", "[2, 3]";
    |t| v(t, &[2, 3]).reshape(&[4, 2]) => "reshape: ", "6 elements", "[2, 3]", "[4, 2]";
    |t| v(t, &[2, 3]).reshape(&[-1, 4]) => "reshape: ", "[-1, 4]";
    |t| v(t, &[2, 3]).reshape(&[-1, -1]) => "reshape: ", "only one size may be -1";
    |t| v(t, &[2, 3]).flatten(1, 0) => "flatten: ", "axis 0", "axis 1", "[2, 3]";
    |t| v(t, &[2, 3]).flatten(0, 2) => "flatten: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).permute(&[0]) => "permute: ", "got 1 axes", "[2, 3]";
    |t| v(t, &[2, 3]).permute(&[1, 1]) => "permute: ", "axis 1", "twice", "[2, 3]";
    |t| v(t, &[2, 3]).permute(&[0, 2]) => "permute: ", "axis 2", "-2..2";
    |t| v(t, &[2, 3]).transpose(0, 2) => "transpose: ", "axis 2", "[2, 3]", "-2..2";
    |t| v(t, &[3]).t() => "t: ", "two axes", "[3]", "unsqueeze(0)";
    |t| v(t, &[2, 3]).squeeze(0) => "squeeze: ", "axis 0", "[2, 3]", "size 2, not 1";
    |t| v(t, &[2, 3]).squeeze(-3) => "squeeze: ", "axis -3", "[2, 3]";
    |t| v(t, &[2, 3]).unsqueeze(3) => "unsqueeze: ", "position 3", "[2, 3]";
    |t| v(t, &[1; 8]).unsqueeze(0) => "unsqueeze: ", "8 axes already";
    |t| v(t, &[2, 3]).narrow(1, 2, 2) => "narrow: ", "from 2 on", "axis 1", "[2, 3]", "3";
    |t| v(t, &[2, 3]).narrow(2, 0, 1) => "narrow: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).slice(1, None, None, 0) => "slice: ", "step", "0";
    |t| v(t, &[2, 3]).slice(-3, None, None, 1) => "slice: ", "axis -3", "[2, 3]";
    |t| v(t, &[2, 3]).pad(&[(1, 1)], 0.0) => "pad: ", "got 1 pairs", "[2, 3]", "needs 2";
    |t| Var::concat(&[v(t, &[2, 3]), v(t, &[3, 2])], 0) => "concat: ", "tensor 1", "[3, 2]", "[2, 3]", "axis 0";
    |t| Var::concat(&[v(t, &[2, 3])], 2) => "concat: ", "axis 2", "[2, 3]";
    |t| Var::stack(&[v(t, &[2, 3]), v(t, &[2, 4])], 0) => "stack: ", "tensor 1", "[2, 4]", "[2, 3]";
    |t| Var::stack(&[v(t, &[2, 3])], 4) => "stack: ", "position 4", "[2, 3]";
    |t| v(t, &[2, 3]).split(1, &[1, 1]) => "split: ", "sizes [1, 1] must add up to 3", "axis 1", "[2, 3]", "they add up to 2";
    |t| v(t, &[2, 3]).split(2, &[1, 1]) => "split: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).flip([0, -2]) => "flip: ", "axis -2", "twice", "[2, 3]";
    |t| v(t, &[2, 3]).flip(2) => "flip: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).select(1, 3) => "select: ", "index 3", "axis 1", "[2, 3]", "-3..3";
    |t| v(t, &[2, 3]).select(1, -4) => "select: ", "index -4", "axis 1";
    |t| v(t, &[2, 3]).unbind(2) => "unbind: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).roll([0, 1], 1) => "roll: axes [0, 1] and shifts [1] must be pairs", "[2, 3]";
    |t| v(t, &[2, 3]).roll(2, 1) => "roll: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).repeat(2) => "repeat: ", "at least 2 numbers", "[2, 3]", "[2]";
    |t| v(t, &[2, 3]).tile([1, -1]) => "tile: ", "negative", "[2, 3]", "[1, -1]";
    |t| v(t, &[2, 3]).repeat([1; 9]) => "repeat: ", "9 numbers", "at most 8";
    |t| v(t, &[2, 1]).expand([3, -1]) => "expand: ", "[2, 1]", "[3, -1]";
    |t| v(t, &[2, 1]).expand([-1, 2, 4]) => "expand: ", "[2, 1]", "[-1, 2, 4]";
    |t| Var::meshgrid(&[v(t, &[2]), v(t, &[2, 3])]) => "meshgrid: ", "vectors", "operand 1", "[2, 3]";
    |t| v(t, &[3]).tril(0) => "tril: ", "a matrix", "[3]";
    |t| v(t, &[]).triu(0) => "triu: ", "a matrix", "[]";
    |t| v(t, &[2, 3]).diagonal(0, 1, -1) => "diagonal: ", "axes 1 and -1", "[2, 3]", "the same";
    |t| v(t, &[2, 3]).diagonal(0, 0, 2) => "diagonal: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3, 4]).diag(0) => "diag: ", "a vector or a matrix", "[2, 3, 4]";
    |t| v(t, &[1; 5]).kron(v(t, &[2])) => "kron: ", "at most 4 axes", "[1, 1, 1, 1, 1]", "[2]";
};

const INDICES: &[Case] = cases! {
    |t| v(t, &[2, 3]).index_select(2, int([0])) => "index_select: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).index_select(0, Tensor::from([0i64]).reshape(())) => "index_select: ", "shape is []", "reshape it to [1]";
    |t| v(t, &[5, 4]).index_add(1, Tensor::from([[0i64, 1, 2]; 2]), v(t, &[2, 3])) => "index_add: ", "axes [2, 3]", "got [2, 3]", "axis 1";
    |t| v(t, &[4, 3]).index_add(-1, Tensor::from([[0i64; 3]; 2]), v(t, &[4, 2, 5])) => "index_add: ", "axes [2, 3]", "got [4, 2, 5]", "axis -1";
    |t| v(t, &[4]).index_add(0, Tensor::from([[0i64; 3]; 2]), v(t, &[4])) => "index_add: ", "[2, 3]", "[4]";
    |t| v(t, &[2, 3]).gather(0, int([0])) => "gather: ", "[1]", "[2, 3]", "axis 0";
    |t| v(t, &[2, 3]).gather(2, Tensor::from([[0i64]])) => "gather: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).scatter_add(0, int([0]), v(t, &[2, 3])) => "scatter_add: ", "[1]", "[2, 3]";
    |t| v(t, &[2, 3]).scatter_add(0, Tensor::from([[0i64, 1]]), v(t, &[1, 1])) => "scatter_add: ", "[1, 2]", "[1, 1]";
    |t| v(t, &[2, 3]).scatter_add(3, Tensor::from([[0i64]]), v(t, &[1, 1])) => "scatter_add: ", "axis 3", "[2, 3]";
    |t| v(t, &[2, 3]).scatter(0, int([0]), v(t, &[2, 3])) => "scatter: ", "[1]", "[2, 3]";
    |t| v(t, &[2, 3]).scatter(2, Tensor::from([[0i64]]), v(t, &[1, 1])) => "scatter: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).scatter_reduce(0, Tensor::from([[0i64, 1]]), v(t, &[1, 1]), ScatterReduce::Sum, true) => "scatter_reduce: ", "[1, 2]", "[1, 1]";
    |t| v(t, &[2, 3]).index_add(2, int([0]), v(t, &[1, 3])) => "index_add: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).index_add(0, int([0]), v(t, &[1, 4])) => "index_add: ", "[1, 4]", "[2, 3]";
    |t| v(t, &[2, 3]).index_put(&[int([0]), int([0]), int([0])], v(t, &[1]), true) => "index_put: ", "1 to 2 indices", "[2, 3]", "got 3";
    |t| v(t, &[2, 3]).index_put(&[Tensor::from([0i64, 1]), Tensor::from([0i64, 1, 2])], v(t, &[1]), true) => "index_put: ", "[2]", "[3]", "do not broadcast";
    |t| v(t, &[2, 3]).index_put(&[int([0])], v(t, &[2]), false) => "index_put: ", "values of shape [2]", "[1, 3]";
    |t| v(t, &[2, 3]).argmax(2, false) => "argmax: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 0]).argmin(1, false) => "argmin: ", "axis 1", "[2, 0]", "size 0";
};

const POOLS: &[Case] = cases! {
    |t| v(t, &[64, 784]).max_pool2d(&Pool::new(2)) => "max_pool2d: expected images [N, C, H, W]", "[64, 784]", "reshape it to [64, C, H, W]?";
    |t| v(t, &[2, 3, 4, 1]).max_pool2d(&Pool::new(2)) => "max_pool2d: ", "axis 3", "[2, 3, 4, 1]", "windows of 2";
    |t| v(t, &[2, 3, 4, 6]).max_pool2d(&Pool::new(2).padding(2)) => "max_pool2d: ", "padding 2", "axis 2", "half of kernel 2";
    |t| v(t, &[3, 4, 6]).max_pool2d(&Pool::new(2).stride(0)) => "max_pool2d: ", "stride must be at least 1", "axis 1", "[3, 4, 6]";
    |t| v(t, &[2, 3, 4]).max_pool1d(&Pool::new(5)) => "max_pool1d: ", "axis 2", "[2, 3, 4]", "kernel 5";
    |t| v(t, &[4]).max_pool1d(&Pool::new(2)) => "max_pool1d: ", "signals", "[4]";
    |t| v(t, &[2, 3, 4, 6]).avg_pool2d(&Pool::new([5, 2])) => "avg_pool2d: ", "axis 2", "kernel 5";
    |t| v(t, &[2, 3, 4, 6]).avg_pool2d(&Pool::new(2).dilation(2)) => "avg_pool2d: ", "dilation [2, 2]";
    |t| v(t, &[2, 3, 4]).avg_pool1d(&Pool::new(5)) => "avg_pool1d: ", "axis 2", "[2, 3, 4]";
    |t| v(t, &[2, 0, 4]).adaptive_avg_pool2d(1) => "adaptive_avg_pool2d: ", "axis 1", "[2, 0, 4]", "size 0";
    |t| v(t, &[2, 3, 0]).adaptive_max_pool2d(1) => "adaptive_max_pool2d: ", "axis 2", "[2, 3, 0]";
    |t| v(t, &[2, 0]).adaptive_avg_pool1d(1) => "adaptive_avg_pool1d: ", "axis 1", "[2, 0]";
    |t| v(t, &[2, 0]).adaptive_max_pool1d(1) => "adaptive_max_pool1d: ", "axis 1", "[2, 0]";
    |t| v(t, &[2, 4, 4]).max_pool3d(&VolumePool::new(2)) => "max_pool3d: ", "volumes [N, C, D, H, W]", "[2, 4, 4]";
    |t| v(t, &[2, 1, 4, 4]).max_pool3d(&VolumePool::new(2)) => "max_pool3d: ", "axis 1", "[2, 1, 4, 4]", "windows of 2";
    |t| v(t, &[2, 4, 4, 4]).avg_pool3d(&VolumePool::new(2).dilation(2)) => "avg_pool3d: ", "dilation [2, 2, 2]";
    |t| v(t, &[2, 0, 4, 4]).adaptive_avg_pool3d(1) => "adaptive_avg_pool3d: ", "axis 1", "size 0";
    |t| v(t, &[2, 4, 0, 4]).adaptive_max_pool3d(1) => "adaptive_max_pool3d: ", "axis 2", "size 0";
    |t| v(t, &[1, 2]).max_unpool1d(int([0]), 4) => "max_unpool1d: ", "[1]", "[1, 2]";
    |t| v(t, &[1, 2, 2, 2]).max_unpool3d(int([0]), 4) => "max_unpool3d: ", "[1]", "[1, 2, 2, 2]";
    |t| v(t, &[1, 2, 2]).max_unpool2d(int([0]), 4) => "max_unpool2d: ", "[1]", "[1, 2, 2]";
    |t| v(t, &[2, 4]).map_axis(-1, &AxisMap::new(3, [[(0, 1.0)]])) => "map_axis: ", "axis -1", "[2, 4]", "the map requires 3";
    |t| v(t, &[2, 4]).map_axis_transposed(1, &AxisMap::new(3, [[(0, 1.0)]])) => "map_axis_transposed: ", "axis 1", "[2, 4]", "the map requires 1";
    |t| v(t, &[2, 3]).pad_mode(&[(0, 0), (3, 0)], PadMode::Reflect) => "pad_mode: ", "axis 1", "[2, 3]", "at most 2", "(3, 0)";
    |t| v(t, &[2, 3]).pad_mode(&[(1, 1)], PadMode::Circular) => "pad_mode: ", "1 pairs", "[2, 3]";
    |t| v(t, &[2, 3]).interpolate(&Interpolate::scale(2.0)) => "interpolate: ", "images", "[2, 3]";
    |t| v(t, &[2, 3, 4]).interpolate(&Interpolate::size([0, 3])) => "interpolate: ", "axis 1", "[2, 3, 4]", "To([0, 3])";
    |t| v(t, &[2, 3, 4, 6]).unfold(5, &Conv::new()) => "unfold: ", "[2, 3, 4, 6]", "kernel of 5";
    |t| v(t, &[2, 12, 8]).fold(4, 2, &Conv::new()) => "fold: ", "axis 2", "8 windows", "3 × 3";
};

const REDUCTIONS: &[Case] = cases! {
    |t| v(t, &[2, 3]).sum(&[2], false) => "sum: ", "axis 2", "[2, 3]", "-2..2";
    |t| v(t, &[2, 3]).sum(&[1, -1], false) => "sum: ", "axis -1", "twice", "[2, 3]";
    |t| v(t, &[2, 3]).mean(&[-3], false) => "mean: ", "axis -3", "[2, 3]";
    |t| v(t, &[2, 3]).max(&[2], false) => "max: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 0]).max(&[1], false) => "max: ", "axis 1", "[2, 0]", "size 0";
    |t| v(t, &[2, 3]).min(&[2], false) => "min: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).var(&[2], false, 1) => "var: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).logsumexp(&[2], false) => "logsumexp: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).softmax(2) => "softmax: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).layer_norm(3, None, None, 1.0) => "layer_norm: ", "1 to 2 axes", "[2, 3]";
    |t| v(t, &[2, 3]).layer_norm(1, Some(v(t, &[2])), None, 1.0) => "layer_norm: ", "weight [3]", "got [2]";
    |t| v(t, &[2, 3]).log_softmax(2) => "log_softmax: ", "axis 2", "[2, 3]";
    |t| v(t, &[]).sum(&[0], false) => "sum: ", "axis 0", "scalar";
    |t| v(t, &[2, 3]).prod(&[2], false) => "prod: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).std(&[2], false, 1) => "std: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).var_mean(&[2], false, 1) => "var_mean: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).norm(2.0, &[2], false) => "norm: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).norm(f64::NAN, &[1], false) => "norm: ", "NaN", "[2, 3]";
    |t| v(t, &[2, 0]).norm(f64::INFINITY, &[1], false) => "norm: ", "axis 1", "[2, 0]", "size 0";
    |t| v(t, &[2, 3]).count_nonzero(&[2], false) => "count_nonzero: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).any(&[2], false) => "any: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).all(&[2], false) => "all: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).cumsum(2) => "cumsum: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).cumprod(2) => "cumprod: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).logcumsumexp(2) => "logcumsumexp: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).cummax(2) => "cummax: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).cummin(2) => "cummin: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).sort(2, false) => "sort: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).argsort(2, false) => "argsort: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).topk(2, 1, true) => "topk: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 3]).topk(1, 4, true) => "topk: ", "axis 1", "[2, 3]", "3 elements, 4";
    |t| v(t, &[2, 3]).kthvalue(1, 0, false) => "kthvalue: ", "k is 0", "axis 1", "1 to 3";
    |t| v(t, &[2, 3]).kthvalue(1, 4, false) => "kthvalue: ", "k is 4", "axis 1", "1 to 3";
    |t| v(t, &[2, 0]).median(1, false) => "median: ", "axis 1", "[2, 0]", "size 0";
    |t| v(t, &[2, 0]).mode(1, false) => "mode: ", "axis 1", "[2, 0]", "size 0";
    |t| v(t, &[2, 3]).quantile(1, 1.5, false) => "quantile: ", "from 0 to 1", "1.5";
    |t| v(t, &[2, 3]).quantiles(1, &[0.5, -0.5], false) => "quantiles: each q must be from 0 to 1", "[0.5, -0.5]";
    |t| v(t, &[2, 3]).quantiles(1, &[], false) => "quantiles: expected at least one q";
    |t| v(t, &[1; 8]).quantiles(1, &[0.5], true) => "quantiles: ", "8 axes";
    |t| v(t, &[2, 3]).quantile(2, 0.5, false) => "quantile: ", "axis 2", "[2, 3]";
    |t| v(t, &[2, 0]).max_with_indices(1, false) => "max_with_indices: ", "axis 1", "[2, 0]";
    |t| v(t, &[2, 0]).min_with_indices(1, false) => "min_with_indices: ", "axis 1", "[2, 0]";
    |t| v(t, &[2, 3]).searchsorted(v(t, &[3, 3]), false) => "searchsorted: ", "[3, 3]", "[2, 3]";
    |t| v(t, &[]).softmax(0) => "softmax: ", "axis 0", "scalar";
};

fn check(cases: &[Case]) {
    let mut wrong = vec![];
    for (i, case) in cases.iter().enumerate() {
        let in_model = |tape: &Tape| {
            let run = || {
                (case.run)(tape);
                Vec::<Var>::new()
            };
            tape.scope("a", || tape.scope("fc1", run));
        };
        let result = std::panic::catch_unwind(|| panic_of(|| in_model(&Tape::new())));
        let Ok((text, file, line)) = result else {
            wrong.push(format!("case {i}, {:?}: no panic", case.parts));
            continue;
        };
        if !text.starts_with(&format!("a.fc1: {}", case.parts[0])) {
            wrong
                .push(format!("case {i}: {text:?} does not begin with a.fc1: {:?}", case.parts[0]));
        }
        for part in case.parts.iter().filter(|&&part| !text.contains(part)) {
            wrong.push(format!("case {i}: {part:?} is not in {text:?}"));
        }
        if file != file!() {
            wrong.push(format!("case {i}: {text:?} points at {file}:{line}"));
        }
        match Tape::check(in_model) {
            Ok(()) => wrong.push(format!("case {i}: {text:?} is not found by Tape::check")),
            Err(error) if error.path != "a.fc1" || error.to_string() != text => {
                wrong.push(format!("case {i}: Tape::check says {error}, the panic {text}"));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn wrong_shapes_of_two_operands_panic_at_the_callers_line() {
    check(BINARY);
}

#[test]
fn wrong_shapes_of_matrix_products_panic_at_the_callers_line() {
    check(MATMUL);
}

#[test]
fn wrong_shapes_of_convolutions_panic_at_the_callers_line() {
    check(CONVOLUTIONS);
}

#[test]
fn wrong_arguments_of_views_panic_at_the_callers_line() {
    check(VIEWS);
}

#[test]
fn wrong_shapes_of_index_operations_panic_at_the_callers_line() {
    check(INDICES);
}

#[test]
fn wrong_shapes_of_pools_panic_at_the_callers_line() {
    check(POOLS);
}

#[test]
fn wrong_axes_of_reductions_panic_at_the_callers_line() {
    check(REDUCTIONS);
}

/// Indices out of range are found when values are computed, not in a shape-only run.
#[test]
fn indices_out_of_range_panic_at_the_callers_line() {
    let outside: &[Case] = cases! {
        |t| v(t, &[2, 3]).index_select(1, int([0, 3])) => "index_select: ", "index 3", "axis 1", "[2, 3]", "0..3";
        |t| v(t, &[2, 3]).gather(0, Tensor::from([[-1i64]])) => "gather: ", "index -1", "axis 0", "[2, 3]";
        |t| v(t, &[2, 3]).scatter_add(0, Tensor::from([[2i64]]), v(t, &[1, 1])) => "scatter_add: ", "index 2";
        |t| v(t, &[2, 3]).scatter(0, Tensor::from([[2i64]]), v(t, &[1, 1])) => "scatter: ", "index 2", "axis 0", "[2, 3]";
        |t| v(t, &[2, 3]).scatter_reduce(0, Tensor::from([[-1i64]]), v(t, &[1, 1]), ScatterReduce::Max, true) => "scatter_reduce: ", "index -1", "axis 0";
        |t| v(t, &[2, 3]).index_add(1, int([0, 3]), v(t, &[2, 2])) => "index_add: ", "index 3", "axis 1";
        |t| v(t, &[2, 3]).index_put(&[int([0]), int([-1])], v(t, &[1]), false) => "index_put: ", "index -1", "axis 1", "[2, 3]";
        |t| t.index(int([3])).one_hot(3) => "one_hot: ", "class 3", "0..3";
        |t| v(t, &[1, 1, 1]).max_unpool2d(Tensor::from([[4i64]]).unsqueeze(0), 2) => "max_unpool2d: ", "index 4", "0..4", "[1, 2, 2]";
    };
    for case in outside {
        let (text, file, _) = panic_of(|| (case.run)(&Tape::new()));
        assert!(case.parts.iter().all(|part| text.contains(part)), "{text}");
        assert_eq!(file, file!(), "{text}");
        Tape::check(case.run).unwrap();
    }
}

#[test]
fn concat_and_stack_of_no_variables_panic() {
    let none: &[Case] = cases! {
        |_t| Var::<f32>::concat(&[], 0) => "concat: ";
        |_t| Var::<f32>::stack(&[], 0) => "stack: ";
    };
    for case in none {
        let (text, file, _) = panic_of(|| (case.run)(&Tape::new()));
        assert!(text.contains(case.parts[0]), "{text}");
        assert_eq!(file, file!(), "{text}");
    }
}
