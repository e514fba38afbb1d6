//! Methods over axes: views, padding, pools and sums into places.

use super::{other, twins};
use wengert_autograd::Tape;
use wengert_tensor::{
    AxisMap, Conv, Interpolate, PadMode, Pool, ScatterReduce, Tensor, VolumePool,
};

twins! { sums_into_places on &[&[&[3, 5], &[3, 5]], &[&[2, 90], &[2, 90]]], 2:
    scatter |x, y| x.scatter(1, &Tensor::from_fn(&[2, 5], |i| (i * i % 3) as i64), other(&y));
    index_add |x, y| x.index_add(0, &Tensor::from([1i64, 0]), other(&y.narrow(0, 0, 2)));
    index_put |x, y| x.index_put(&[Tensor::from([1i64, 0, 1])], other(&y.narrow(0, 0, 1)), false);
    index_put_added |x, y| x.index_put(&[Tensor::from([1i64, 0, 1])], other(&y.narrow(0, 0, 1)), true);
    scatter_sum |x, y| x.scatter_reduce(1, &Tensor::from_fn(&[2, 5], |i| (i * i % 3) as i64), other(&y), ScatterReduce::Sum, false);
    scatter_mean |x, y| x.scatter_reduce(1, &Tensor::from_fn(&[2, 5], |i| (i * i % 3) as i64), other(&y), ScatterReduce::Mean, false);
    scatter_product |x, y| x.scatter_reduce(1, &Tensor::from_fn(&[2, 5], |i| (i * i % 3) as i64), other(&y), ScatterReduce::Product, true);
    scatter_max |x, y| (x + 0.0).scatter_reduce(1, &Tensor::from_fn(&[2, 5], |i| (i * i % 3) as i64), other(&(y + 0.0)), ScatterReduce::Max, false);
    scatter_min |x, y| (x + 0.0).scatter_reduce(1, &Tensor::from_fn(&[2, 5], |i| (i * i % 3) as i64), other(&(y + 0.0)), ScatterReduce::Min, true);
    scatter_add |x, y| x.scatter_add(1, &Tensor::from_fn(&[2, 5], |i| (i * i % 3) as i64), other(&y));
}

const IMAGES: &[&[&[usize]]] = &[&[&[2, 4, 6]], &[&[1, 3, 5, 7]], &[&[2, 3, 9, 4]]];

twins! { axes_and_layouts on IMAGES, 1:
    broadcast_to |x| x.unsqueeze(0).broadcast_to(&[&[2], &x.shape()[..]].concat());
    its_own_shape |x| x.broadcast_to(&x.shape());
    reshape |x| x.reshape(&[-1]);
    flatten |x| x.flatten(-2, -1);
    transpose |x| x.transpose(0, -1);
    t |x| x.t();
    squeeze |x| x.unsqueeze(1).squeeze(1);
    narrow |x| x.narrow(-1, 1, 3);
    flip |x| x.flip(-1);
    flip_two |x| x.flip([0, -1]);
    select |x| x.select(1, -1);
    unbind |x| x.unbind(-1).swap_remove(1);
    roll |x| x.roll(-1, 2);
    roll_back |x| x.roll(0, -3);
    roll_two |x| x.roll([0, -1], [1, -2]);
    trace |x| x.trace();
    repeat |x| x.repeat([&[2, 1][..], &vec![2; x.shape().len() - 1]].concat());
    tile |x| x.tile([3, 2]);
    expand |x| x.unsqueeze(0).expand([&[3][..], &vec![-1; x.shape().len()]].concat());
    tril |x| x.tril(-1);
    triu |x| x.triu(1);
    diagonal |x| x.diagonal(1, 0, -1);
    diagonal_below |x| x.diagonal(-1, 0, 1);
    diag |x| x.narrow(1, 0, 2).reshape(-1).narrow(0, 0, 3).diag(-2);
    diag_of |x| x.select(0, 0).flatten(0, -2).diag(1);
    first_chunk |x| x.chunk(-1, 3).swap_remove(0);
    last_chunk |x| x.chunk(1, 2).swap_remove(1);
    slice |x| x.slice(-1, None, None, -2);
    pad_mode |x| x.pad_mode(&padding(x.shape().len()), PadMode::Reflect);
    pad_zeros |x| x.pad_mode(&padding(x.shape().len()), PadMode::Zeros);
    pad_around |x| x.pad_mode(&padding(x.shape().len()), PadMode::Circular);
    interpolate |x| x.interpolate(&Interpolate::size([7, 5]).bilinear());
    interpolate_nothing |x| x.interpolate(&Interpolate::scale(1.0));
    interpolate_nearest |x| x.interpolate(&Interpolate::scales([0.7, 1.5]));
    unfold |x| x.unfold(2, &Conv::new().padding(1));
    fold |x| x.unfold(2, &Conv::new()).fold([x.shape()[x.shape().len() - 2], x.shape()[x.shape().len() - 1]], 2, &Conv::new());
    map_axis |x| x.map_axis(-1, &AxisMap::new(x.shape()[x.shape().len() - 1], [vec![(0, 0.3), (1, -1.1)], vec![]]));
    max_pool |x| x.max_pool2d(&Pool::new(2));
    max_pool_with_indices |x| x.max_pool2d_with_indices(&Pool::new(2).stride(1)).0;
    avg_pool |x| x.avg_pool2d(&Pool::new([2, 3]).padding([1, 0]));
    max_pool1d |x| x.max_pool1d(&Pool::new(2));
    avg_pool1d |x| x.avg_pool1d(&Pool::new(2).stride(1));
    max_pool1d_with_indices |x| x.max_pool1d_with_indices(&Pool::new(2)).0;
    adaptive_max1d_with_indices |x| x.adaptive_max_pool1d_with_indices(2).0;
    max_pool3d |x| x.unsqueeze(0).max_pool3d(&VolumePool::new([1, 2, 2]));
    max_pool3d_with_indices |x| x.unsqueeze(0).max_pool3d_with_indices(&VolumePool::new([1, 2, 2]).stride(1)).0;
    adaptive_max3d |x| x.unsqueeze(0).adaptive_max_pool3d([2, 2, 3]);
    adaptive_max3d_with_indices |x| x.unsqueeze(0).adaptive_max_pool3d_with_indices([1, 3, 2]).0;
    avg_pool3d |x| x.unsqueeze(0).avg_pool3d(&VolumePool::new([1, 2, 3]).padding([0, 1, 0]));
    adaptive_avg3d |x| x.unsqueeze(0).adaptive_avg_pool3d([2, 3, 2]);
    global_average3d |x| x.unsqueeze(0).adaptive_avg_pool3d(1);
    adaptive_max1d |x| x.adaptive_max_pool1d(3);
    adaptive_avg1d |x| x.adaptive_avg_pool1d(3);
    adaptive_max_with_indices |x| x.adaptive_max_pool2d_with_indices([2, 3]).0;
    adaptive_max |x| x.adaptive_max_pool2d([2, 3]);
    adaptive_avg |x| x.adaptive_avg_pool2d([2, 3]);
    global_average |x| x.adaptive_avg_pool2d(1);
    own_average |x| x.adaptive_avg_pool2d([x.shape()[x.shape().len() - 2], x.shape()[x.shape().len() - 1]]);
}

fn padding(rank: usize) -> Vec<(usize, usize)> {
    let mut around = vec![(0, 0); rank];
    around[rank - 1] = (2, 1);
    around[rank - 2] = (0, 3);
    around
}

#[test]
fn padding_with_huge_and_infinite_numbers_keeps_the_elements() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([0.1, 0.2]));
    assert_eq!(x.pad(&[(0, 1)], 1e9).value().to_vec(), [0.1, 0.2, 1e9]);
    let endless = x.pad(&[(1, 1)], f64::NEG_INFINITY);
    assert_eq!(endless.value().to_vec(), [f64::NEG_INFINITY, 0.1, 0.2, f64::NEG_INFINITY]);
    let w = tape.constant(Tensor::from([1.0, 2.0, 3.0, 4.0]));
    assert_eq!((endless.exp() * w).sum_all().grad(&[endless])[0].value().to_vec()[0], 0.0);
    let slope = (x.pad(&[(1, 1)], 1e9) * w).sum_all().grad(&[x])[0];
    assert_eq!(slope.value().to_vec(), [2.0, 3.0]);
}
