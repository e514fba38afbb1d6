use super::*;
use crate::testing::{layouts, naive, panics_here};

fn count(shape: &[usize]) -> Tensor<i64> {
    Tensor::from_fn(shape, |i| i as i64)
}

#[test]
fn slices_agree_with_loops() {
    for (name, x) in layouts() {
        for axis in 0..x.rank() {
            for (start, step, len) in [(0, 1, 1), (1, 1, 1), (0, 2, 1), (1, -1, 2), (0, 1, 0)] {
                if shapes::slice_steps(&x.shape(), axis as isize, start, step, len).is_err() {
                    continue;
                }
                let y = x.slice_steps(axis as isize, start, step, len);
                let expected = naive(&x.shape().with(axis, len), |index| {
                    let mut from = index.to_vec();
                    from[axis] = (start as isize + index[axis] as isize * step) as usize;
                    x.at(&from)
                });
                assert_eq!(y.to_vec(), expected, "{name}");
                assert!(y.shares_storage(&x));
            }
            let flipped = naive(&x.shape(), |index| {
                let mut from = index.to_vec();
                from[axis] = x.shape()[axis] - 1 - index[axis];
                x.at(&from)
            });
            assert_eq!(x.flip(axis as isize).to_vec(), flipped, "{name}");
        }
    }
    let x = count(&[2, 5]);
    assert_eq!(x.slice(1, -1, 0, -2).to_vec(), [4, 2, 9, 7]);
    assert_eq!(x.slice(-1, 1, 3, 1).to_vec(), [1, 2, 6, 7]);
    assert_eq!(x.narrow(0, 1, 1).to_vec(), [5, 6, 7, 8, 9]);
    assert_eq!(x.narrow(1, 5, 0).shape(), [2, 0]);
    assert_eq!(x.slice(1, 7, None, 1).shape(), [2, 0]);
}

#[test]
fn permutations_agree_with_loops() {
    for (name, x) in layouts() {
        let rank = x.rank();
        for shift in 0..rank {
            let axes: Vec<isize> = (0..rank).map(|axis| ((axis + shift) % rank) as isize).collect();
            let shape: Shape = axes.iter().map(|&axis| x.shape()[axis as usize]).collect();
            let expected = naive(&shape, |index| {
                let mut from = vec![0; rank];
                for (&axis, &i) in axes.iter().zip(index) {
                    from[axis as usize] = i;
                }
                x.at(&from)
            });
            let y = x.permute(&axes);
            assert_eq!((y.shape(), y.to_vec()), (shape, expected), "{name}");
        }
        if rank >= 2 {
            assert_eq!(x.t(), x.transpose(-1, -2), "{name}");
            assert_eq!(x.t().t(), x, "{name}");
            assert!(x.t().t().is_contiguous() == x.is_contiguous());
        }
    }
    assert_eq!(count(&[2, 3]).t().to_vec(), [0, 3, 1, 4, 2, 5]);
    assert_eq!(count(&[2, 3, 4]).permute(&[2, 0, -2]).at(&[3, 1, 2]), 12 + 8 + 3);
}

#[test]
fn reshape_keeps_the_order_of_elements() {
    for (name, x) in layouts() {
        let flat = x.reshape(&[-1].map(|n: isize| if x.numel() == 0 { 0 } else { n }));
        assert_eq!(flat.to_vec(), x.to_vec(), "{name}");
        let sizes: Vec<isize> = x.shape().iter().map(|&n| n as isize).collect();
        assert_eq!(flat.reshape(&sizes), x, "{name}");
        assert_eq!(x.reshape(&sizes), x, "{name}");
        assert_eq!(x.unsqueeze(-1).squeeze(-1), x, "{name}");
        assert_eq!(x.unsqueeze(0).shape()[1..], x.shape()[..], "{name}");
        assert!(x.unsqueeze(0).shares_storage(&x), "{name}");
        assert_eq!(x.flatten(0, -1), flat, "{name}");
    }
}

#[test]
fn reshape_of_mergeable_axes_shares_memory() {
    let x = count(&[4, 6, 5]);
    let cases: [(Tensor<i64>, &[isize], bool); 9] = [
        (x.clone(), &[8, 15], true),
        (x.slice(2, 0, 3, 1), &[2, 2, 6, 3], true), // splits the first axis, keeps the others
        (x.slice(2, 0, 3, 1), &[24, 3], true),      // merges two axes with matching strides
        (x.slice(2, 0, 3, 1), &[4, 18], false),     // the strides do not match
        (x.slice(0, None, None, 2), &[2, 30], true),
        (x.slice(0, None, None, -2), &[2, 3, 1, 10], true),
        (x.t(), &[4, 5, 2, 3], true), // splits a transposed axis
        (x.t(), &[4, 30], false),
        (x.narrow(0, 0, 1).broadcast_to(&[3, 6, 5]), &[3, 30], true),
    ];
    for (y, shape, shares) in cases {
        let z = y.reshape(shape);
        assert_eq!(z.to_vec(), y.to_vec(), "{shape:?}");
        assert_eq!(z.shares_storage(&x), shares, "{:?} -> {shape:?}", y.shape());
    }
    let repeated = Tensor::scalar_of(7i64).broadcast_to(&[4, 6]);
    assert!(repeated.reshape(&[2, 12]).shares_storage(&repeated));
    assert_eq!(Tensor::scalar_of(7i64).flatten(0, -1).shape(), [1]);
}

#[test]
fn broadcasts_agree_with_loops() {
    for (name, x) in layouts() {
        let mut shape = vec![2];
        shape.extend_from_slice(&x.shape());
        let y = x.broadcast_to(&shape);
        assert_eq!(y.to_vec(), [x.to_vec(), x.to_vec()].concat(), "{name}");
        assert!(y.shares_storage(&x));
    }
    let x = count(&[2, 1]);
    assert_eq!(x.broadcast_to(&[2, 3]).to_vec(), [0, 0, 0, 1, 1, 1]);
    assert_eq!(x.broadcast_to(&[2, 0]).numel(), 0);
}

#[test]
fn writing_to_a_view_does_not_change_its_owner() {
    let x = count(&[2, 3]);
    let mut y = x.t();
    y.make_mut()[0] = 9;
    assert_eq!((x.at(&[0, 0]), y.at(&[0, 0])), (0, 9));
}

#[test]
fn panics_name_operation_shape_and_caller() {
    let x = count(&[2, 3]);
    let v = count(&[3]);
    panics_here("reshape: 6 elements of shape [2, 3] do not fit [4, -1]", || {
        drop(x.reshape(&[4, -1]));
    });
    panics_here("reshape: only one size may be -1, [-1, -1] has 2", || {
        drop(x.reshape(&[-1, -1]));
    });
    panics_here("flatten: axis 0 comes before axis 1 in shape [2, 3]", || drop(x.flatten(1, 0)));
    panics_here("flatten: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.flatten(0, 2));
    });
    panics_here("permute: got 1 axes, but a tensor of shape [2, 3] has 2", || {
        drop(x.permute(&[0]));
    });
    panics_here("permute: axis -2 is named twice in [0, -2] (shape [2, 3])", || {
        drop(x.permute(&[0, -2]));
    });
    panics_here("permute: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.permute(&[0, 2]));
    });
    panics_here("transpose: axis -3 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.transpose(0, -3));
    });
    panics_here(
        "t: expected two axes, shape [3] has 1; a vector becomes a column with unsqueeze(-1), a row with unsqueeze(0)",
        || drop(v.t()),
    );
    panics_here("squeeze: axis -1 of shape [2, 3] has size 3, not 1", || {
        drop(x.squeeze(-1));
    });
    panics_here("squeeze: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.squeeze(2));
    });
    panics_here(
        "unsqueeze: position 3 of a new axis is out of range for shape [2, 3]: allowed are -3..3",
        || drop(x.unsqueeze(3)),
    );
    panics_here(
        "narrow: 2 indices from 2 on do not lie within axis 1 of size 3 (shape [2, 3])",
        || drop(x.narrow(1, 2, 2)),
    );
    panics_here("narrow: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.narrow(2, 0, 1));
    });
    panics_here("slice: the step must not be 0", || {
        drop(x.slice(0, None, None, 0));
    });
    panics_here("slice: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.slice(2, None, None, 1));
    });
    panics_here(
        "slice_steps: 2 indices from 0 in steps of -1 do not lie within axis 0 of size 2 (shape [2, 3])",
        || drop(x.slice_steps(0, 0, -1, 2)),
    );
    panics_here(
        "broadcast_to: shape [2, 3] cannot be repeated to [3, 2]: axes are matched from the last, and only size 1 repeats",
        || drop(x.broadcast_to(&[3, 2])),
    );
    panics_here("flip: axis 2 is out of range for shape [2, 3]: allowed are -2..2", || {
        drop(x.flip(2));
    });
    panics_here(
        "unsqueeze: shape [1, 1, 1, 1, 1, 1, 1, 1] has 8 axes already, the maximum",
        || drop(count(&[1; 8]).unsqueeze(0)),
    );
    panics_here(
        "reshape: shape [1, 1, 1, 1, 1, 1, 1, 1, -1] has 9 axes, a tensor has at most 8",
        || drop(x.reshape(&[1, 1, 1, 1, 1, 1, 1, 1, -1])),
    );
    let most = isize::MAX;
    let why = format!("reshape: shape [{most}, 3] has more elements than a tensor can have");
    panics_here(&why, || drop(x.reshape(&[most, 3])));
    let long = [most >> 12, most >> 12, 1];
    let why = format!("broadcast_to: shape {long:?} has more elements than a tensor can have");
    panics_here(&why, || drop(count(&[1]).broadcast_to(&long)));
}

#[test]
fn a_copy_in_order_has_the_same_elements_and_the_same_order_in_memory() {
    for (name, x) in layouts() {
        let y = copied_in_order(&x);
        assert_eq!(y.to_vec(), x.to_vec(), "{name}");
        assert_eq!(y.shape(), x.shape(), "{name}");
        assert!(!y.shares_storage(&x), "{name}");
    }
    let x = Tensor::<f64>::from_fn(&[2, 3, 4], |i| i as f64).permute(&[2, 0, 1]);
    let y = copied_in_order(&x);
    assert_eq!(y.strides()[..], x.strides()[..]);
}
