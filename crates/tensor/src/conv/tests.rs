use super::*;
use crate::testing::panics_here;

/// Whole numbers, so that sums are exact in any order.
fn numbers<T: Float>(shape: &[usize], seed: usize) -> Tensor<T> {
    Tensor::from_fn(shape, |i| T::of(((i * 7919 + seed * 104_729) % 23) as f64 - 11.0))
}

#[test]
fn by_hand() {
    let x = Tensor::arange(0.0, 60.0, 1.0).reshape(&[1, 2, 5, 6]);
    let w = (Tensor::arange(0.0, 24.0, 1.0) - 10.0).reshape(&[4, 1, 3, 2]);
    let conv = Conv { stride: [2, 1], padding: [(1, 1), (2, 2)], dilation: [1, 3], groups: 2 };
    let y = x.conv2d(&w, Some(&Tensor::from([1.0, 2.0, 3.0, 4.0])), &conv);
    assert_eq!(y.shape(), [1, 4, 3, 7]);
    let sum: f32 = y.to_vec().iter().sum();
    let direct = {
        // Taps at rows 2i - 1 + p, columns j - 2 + 3q.
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
fn adjoints() {
    let conv = Conv { stride: [2, 1], padding: [(1, 0), (2, 1)], dilation: [1, 2], groups: 2 };
    let (x, w) = (numbers::<f64>(&[3, 4, 7, 9], 1), numbers::<f64>(&[6, 2, 3, 2], 2));
    let y = x.conv2d(&w, None, &conv);
    let g = numbers::<f64>(&y.shape(), 3);
    let dot = |a: &Tensor<f64>, b: &Tensor<f64>| (a * b).sum_all();
    assert_eq!(dot(&y, &g), dot(&x, &g.conv2d_input(&w, [7, 9], &conv)));
    assert_eq!(dot(&y, &g), dot(&w, &x.conv2d_weight(&g, [3, 2], &conv)));
}

#[test]
fn shapes_that_do_not_fit() {
    let (x, w) = (Tensor::ones(&[1, 2, 4, 4]), Tensor::ones(&[3, 3, 2, 2]));
    panics_here(
        "conv2d: input [1, 2, 4, 4] has 2 channels, weight [3, 3, 2, 2] with groups 1 wants 3; a \
         weight [3, 2, 2, 2] would fit",
        || drop(x.conv2d(&w, None, &Conv::default())),
    );
}
