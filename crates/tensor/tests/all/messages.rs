//! Tests that an operation panics under its own name, also where it is computed by another operation.

use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_tensor::{AxisMap, Conv, Interpolate, PadMode, Philox, Pool, Program, Tensor};

/// Endings of names that mark a variant of an operation. A variant may use the name of the operation in its
/// messages: `zeros_of` is `zeros` for another type.
const VARIANTS: [&str; 5] = ["_of", "_t", "_with_indices", "_in_place", "_zeros"];

fn message_of(f: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(f)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

/// Returns what is wrong with the message of a call that must panic.
fn fault(call: &str, name: &str, f: impl FnOnce()) -> Option<String> {
    let Some(message) = message_of(f) else { return Some(format!("{call} does not panic")) };
    let said = message.split(':').next().unwrap();
    let stem = VARIANTS.iter().find_map(|ending| name.strip_suffix(ending));
    let own = said == name || Some(said) == stem;
    (!own).then(|| format!("{call} panics with: {message}"))
}

macro_rules! faults {
    ($faults:ident: $($x:ident . $name:ident ($($args:expr),*);)*) => { $(
        let call = stringify!($x.$name($($args),*));
        $faults.extend(fault(call, stringify!($name), || {
            let _ = $x.clone().$name($($args),*);
        }));
    )* };
}

macro_rules! faults_of_functions {
    ($faults:ident: $($T:ty: $name:ident ($($args:expr),*);)*) => { $(
        let call = stringify!($name($($args),*));
        $faults.extend(fault(call, stringify!($name), || drop(<$T>::$name($($args),*))));
    )* };
}

#[test]
fn operations_panic_under_their_own_names() {
    let mut faults = Vec::new();
    let rng = || Philox::new(1);
    let x = Tensor::<f32>::zeros(&[2, 3]);
    let images = Tensor::<f32>::zeros(&[1, 2, 4, 4]);
    let weight = Tensor::<f32>::zeros(&[2, 2, 3, 3]);
    let signals = Tensor::<f32>::zeros(&[1, 2, 4]);
    let other = Tensor::<f32>::zeros(&[4, 5]);
    let mask = Tensor::from([[true, false, true], [true, true, true]]);
    let mask_of_four = Tensor::from([true; 4]);
    let index = Tensor::from([[0i64, 9, 0], [0, 0, 0]]);
    let row = Tensor::from([9i64]);
    let line = Tensor::<f32>::zeros(&[3]);
    let bytes = Tensor::from([[1u8, 2, 3], [4, 5, 6]]);
    let none: [Tensor<f32>; 0] = [];
    let map = AxisMap::new(5, [[(0, 1.0)]]);
    let pool = Pool::new(9);
    let dilated = Pool::new(1).dilation(2);
    let conv = Conv::new();
    let (most, far) = (usize::MAX, 7isize);
    faults! { faults:
        // Axes and positions that do not exist.
        x.sum(&[far], false); x.mean(&[far], true); x.max(&[far], false); x.min(&[far], false);
        x.var(&[far], false, 0); x.logsumexp(&[far], false); x.softmax(far); x.log_softmax(far);
        x.layer_norm(7, None, None, 1.0); x.layer_norm(1, Some(&x), None, 1.0); x.var_mean(&[far], false, 0);
        x.argmax(far, false); x.argmin(far, false); mask.all(&[far], false); mask.any(&[far], false);
        x.size(far); x.at(&[0, 9]); x.at(&[0]); x.flatten(far, far); x.flatten(1, 0); x.flip(far);
        x.permute(&[0, 7]); x.permute(&[0]); x.transpose(0, far); x.transpose(far, 0); row.t();
        x.squeeze(far); x.squeeze(0); x.unsqueeze(far); x.narrow(far, 0, 1); x.narrow(0, 1, 2);
        x.narrow(0, most, most); x.slice(far, 0, 1, 1); x.slice(0, 0, 1, 0); x.split(far, &[1]);
        x.split(0, &[1]); x.chunk(far, 1); x.chunk(0, 0); x.gather(far, &index); x.gather(1, &index);
        x.gather(1, &row); x.index_select(far, &row); x.index_select(0, &row); x.index_select(0, &index);
        x.scatter_add(far, &index, &x); x.scatter_add(1, &index, &x); x.scatter_add(1, &row, &x);
        x.map_axis(far, &map); x.map_axis(0, &map); x.map_axis_transposed(far, &map);
        x.map_axis_transposed(0, &map); x.index_add_zeros(far, &row, 1); x.index_add_zeros(0, &row, 1);
        x.unslice(far, 0, 1, 9); x.unslice(0, 0, 1, 1); x.slice_steps(far, 0, 1, 1);
        x.slice_steps(0, 0, 1, 9); x.pick2d(&index); x.scatter_add_zeros(1, &index, &[2, 3]);
        // Shapes that do not fit.
        x.reshape(&[5]); x.reshape([-1, -1]); x.broadcast_to(&[5]); x.sum_to(&[5]); x.max_to(&[5]);
        x.min_to(&[5]); x.logsumexp_to(&[5]); x.pad(&[(0, 0)], 0.0); x.pad(&[(most, 1), (0, 0)], 0.0);
        x.pad_mode(&[(0, 0)], PadMode::Reflect); x.pad_mode(&[(9, 9), (0, 0)], PadMode::Reflect);
        x.maximum(&other); x.minimum(&other); x.pow(&other); x.matmul(&other); x.matmul_t(&other, true, false);
        x.gt(&other); x.ge(&other); x.lt(&other); x.le(&other); x.eq(&other); x.ne(&other);
        x.masked_fill(&mask_of_four, 0.0); x.masked_fill(&mask, &other);
        mask.and(&mask_of_four); mask.or(&mask_of_four); mask.xor(&mask_of_four);
        x.item(); x.clamp(1.0, 0.0);
        // Images and signals.
        images.conv2d(&weight, Some(&x), &conv); images.conv2d(&x, None, &conv); x.conv2d(&weight, None, &conv);
        images.conv_transpose2d(&x, None, &conv, [0, 0]); images.conv_transpose2d(&weight, None, &conv, [9, 9]);
        signals.conv1d(&x, None, &conv); x.conv1d(&signals, None, &conv);
        signals.conv_transpose1d(&x, None, &conv, 0); x.conv_transpose1d(&signals, None, &conv, 0);
        images.max_pool2d(&pool); images.avg_pool2d(&pool); images.avg_pool2d(&dilated);
        images.max_pool2d_with_indices(&pool); line.max_pool2d(&pool); line.avg_pool2d(&pool);
        signals.max_pool1d(&pool); signals.avg_pool1d(&pool); signals.avg_pool1d(&dilated);
        images.adaptive_avg_pool2d([most, 1]); images.adaptive_max_pool2d([1, most]);
        images.adaptive_max_pool2d_with_indices(most);
        signals.adaptive_avg_pool1d(most); signals.adaptive_max_pool1d(most);
        x.max_unpool2d(&index, 1); line.interpolate(&Interpolate::size(2)); images.interpolate(&Interpolate::size(0));
        images.unfold(9, &conv); images.fold(4, 3, &conv); line.unfold(1, &conv); line.fold(1, 1, &conv);
        // Integers.
        bytes.maximum(0.5); bytes.minimum(0.5); bytes.pow(-1); bytes.pow(0.5);
        bytes.masked_fill(&mask, 0.5); bytes.pad(&[(1, 0), (0, 0)], 0.5);
    }
    faults_of_functions! { faults:
        Tensor<f32>: concat(&none, 0); Tensor<f32>: stack(&none, 0); Tensor<f32>: concat(&[&x, &other], 0);
        Tensor<f32>: stack(&[&x, &other], 0); Tensor<f32>: concat(&[&x], far); Tensor<f32>: stack(&[&x], far);
        Tensor<f32>: zeros([-1]); Tensor<f32>: ones([-1]); Tensor<f32>: full([-1], 1.0);
        Tensor<f32>: from_vec(vec![1.0], &[2]); Tensor<f32>: from_slice(&[1.0], &[2]);
        Tensor<f32>: from_fn([-1], |_| 0.0); Tensor<f32>: arange(0.0, 1.0, 0.0);
        Tensor<f64>: zeros_of([-1]); Tensor<f64>: ones_of([-1]); Tensor<f64>: full_of([-1], 1.0);
        Tensor<u8>: arange_of(0.0, 999.0, 1.0); Tensor<f32>: uniform([-1], 0.0, 1.0, &mut rng());
        Tensor<f32>: normal([-1], 0.0, 1.0, &mut rng()); Tensor<f32>: uniform(&[1], 1.0, 0.0, &mut rng());
        Tensor<f32>: normal(&[1], 0.0, -1.0, &mut rng());
        Tensor<f32>: where_(&mask_of_four, &x, 0.0); Tensor<f32>: where_(&mask, &other, 0.0);
        Tensor<u8>: where_(&mask, &bytes, 0.5);
    }
    let mut y = x.clone();
    let mut in_place = |call: &str, f: &mut dyn FnMut(&mut Tensor)| {
        faults.extend(fault(call, call, || f(&mut y)));
    };
    in_place("add", &mut |y| *y += &other);
    in_place("sub", &mut |y| *y -= &other);
    in_place("mul", &mut |y| *y *= &other);
    in_place("div", &mut |y| *y /= &other);
    in_place("add", &mut |y| drop(&*y + &other));
    in_place("sub", &mut |y| drop(&*y - &other));
    in_place("mul", &mut |y| drop(&*y * &other));
    in_place("div", &mut |y| drop(&*y / &other));
    in_place("index_add_in_place", &mut |y| y.index_add_in_place(0, &row, &x));
    in_place("index_add_in_place", &mut |y| y.index_add_in_place(7, &row, &x));
    in_place("slice_add_in_place", &mut |y| y.slice_add_in_place(0, 1, 1, &x));
    in_place("slice_add_in_place", &mut |y| y.slice_add_in_place(0, 0, 1, &other));
    in_place("slice_add_in_place", &mut |y| y.slice_add_in_place(7, 0, 1, &x));
    in_place("scatter_add_in_place", &mut |y| y.scatter_add_in_place(1, &index, &x));
    let sum = Program::new(|[a, b]| [a + b]);
    in_place("program", &mut |y| sum.update(&mut [y], &[]));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
