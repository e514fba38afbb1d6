use crate::Tensor;
use crate::testing::panics_here;

fn numbers(shape: &[usize], seed: usize) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| ((i * 37 + seed * 11) % 101) as f64 / 25.0 - 2.0)
}

/// The formulas of the definition, one number at a time: h', c' and the gates.
fn plain(x: &[f64], r: &[f64], c: &[f64], n: usize) -> [Vec<f64>; 3] {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let mut results = [vec![0.0; c.len()], vec![0.0; c.len()], vec![0.0; x.len()]];
    for at in 0..c.len() {
        let (row, j) = (at / n, at % n);
        let places = [0, 1, 2, 3].map(|block| (4 * row + block) * n + j);
        let [i, f, g, o] = places.map(|place| x[place] + r[place]);
        let [i, f, g, o] = [sigmoid(i), sigmoid(f), g.tanh(), sigmoid(o)];
        results[1][at] = f * c[at] + i * g;
        results[0][at] = o * results[1][at].tanh();
        for (place, gate) in places.into_iter().zip([i, f, g, o]) {
            results[2][place] = gate;
        }
    }
    results
}

fn close(got: &Tensor<f64>, wanted: &[f64], tolerance: f64) {
    assert_eq!(got.numel(), wanted.len());
    for (got, &wanted) in got.to_vec().into_iter().zip(wanted) {
        let equal = got.is_nan() && wanted.is_nan() || got == wanted;
        assert!(
            equal || (got - wanted).abs() <= tolerance * wanted.abs().max(1.0),
            "{got} {wanted}"
        );
    }
}

const SHAPES: [(&[usize], usize); 8] =
    [(&[], 1), (&[], 33), (&[1], 5), (&[3], 16), (&[0], 4), (&[2, 3], 7), (&[65], 64), (&[9], 300)];

fn with(batch: &[usize], n: usize) -> Vec<usize> {
    [batch, &[n]].concat()
}

#[test]
fn a_step_agrees_with_plain_formulas() {
    for (batch, n) in SHAPES {
        let (x, r) = (numbers(&with(batch, 4 * n), 1), numbers(&with(batch, 4 * n), 2));
        let c = numbers(&with(batch, n), 3);
        let wanted = plain(&x.to_vec(), &r.to_vec(), &c.to_vec(), n);
        for (got, wanted) in x.lstm_step(&r, &c).iter().zip(&wanted) {
            close(got, wanted, 1e-14);
        }
        let [x, r, c] = [&x, &r, &c].map(Tensor::cast::<f32>);
        for (got, wanted) in x.lstm_step(&r, &c).iter().zip(&wanted) {
            close(&got.cast::<f64>(), wanted, 3e-6);
        }
    }
}

/// Central differences of Σ gh · h' + gc · c'.
#[test]
fn a_gradient_agrees_with_differences() {
    for (batch, n) in SHAPES.into_iter().filter(|(batch, n)| batch.len() + n < 40) {
        let (x, r) = (numbers(&with(batch, 4 * n), 1), numbers(&with(batch, 4 * n), 2));
        let [c, gh, gc] = [3, 4, 5].map(|seed| numbers(&with(batch, n), seed));
        let [_, new, gates] = x.lstm_step(&r, &c);
        let [by_gates, by_c] = gates.lstm_step_gradient([&c, &new, &gh, &gc]);
        let (x, r, c) = (x.to_vec(), r.to_vec(), c.to_vec());
        let loss = |x: &[f64], c: &[f64]| {
            let [h, new, _] = plain(x, &r, c, n);
            let dot = |a: &[f64], b: &Tensor<f64>| {
                a.iter().zip(b.to_vec()).map(|(a, b)| a * b).sum::<f64>()
            };
            dot(&h, &gh) + dot(&new, &gc)
        };
        let differences = |x: &[f64], f: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
            let shifted = |i: usize, by: f64| {
                let mut x = x.to_vec();
                x[i] += by;
                f(&x)
            };
            (0..x.len()).map(|i| (shifted(i, 1e-5) - shifted(i, -1e-5)) / 2e-5).collect()
        };
        close(&by_gates, &differences(&x, &|x| loss(x, &c)), 1e-7);
        close(&by_c, &differences(&c, &|c| loss(&x, c)), 1e-7);
    }
}

/// The gradient of many rows is computed in parts. Each row has the bits of its own gradient.
#[test]
fn a_gradient_of_many_rows_is_that_of_each_row() {
    for (rows, n) in [(65, 64), (9, 300), (2, 2049)] {
        let gates = numbers(&[rows, 4 * n], 1);
        let of = [2, 3, 4, 5].map(|seed| numbers(&[rows, n], seed));
        let whole = gates.lstm_step_gradient(of.each_ref());
        for row in 0..rows {
            let alone = |x: &Tensor<f64>| x.narrow(0, row, 1);
            let [c, new, gh, gc] = of.each_ref().map(alone);
            let own = alone(&gates).lstm_step_gradient([&c, &new, &gh, &gc]);
            assert_eq!(whole.each_ref().map(alone), own, "row {row} of {rows}");
        }
    }
}

/// Every layout of an operand gives the bits of its contiguous copy.
#[test]
fn layouts_do_not_matter() {
    let (n, rows) = (5, 6);
    let layouts = |shape: [usize; 2], seed| {
        let [rows, columns] = shape;
        let wide = numbers(&[rows + 2, columns + 3], seed);
        [
            numbers(&shape, seed),
            numbers(&[columns, rows], seed).t(),
            numbers(&[1, columns], seed).broadcast_to(&shape),
            numbers(&[rows, 1], seed).broadcast_to(&shape),
            wide.narrow(0, 1, rows).narrow(1, 2, columns),
            numbers(&shape, seed).flip(&[0, 1]),
        ]
    };
    for (x, (r, c)) in layouts([rows, 4 * n], 1)
        .iter()
        .zip(layouts([rows, 4 * n], 2).iter().zip(layouts([rows, n], 3)))
    {
        let copy = |x: &Tensor<f64>| Tensor::from_vec(x.to_vec(), &x.shape());
        let results = x.lstm_step(r, &c);
        assert_eq!(results, copy(x).lstm_step(&copy(r), &copy(&c)));
        let [_, new, gates] = &results;
        let gradient = x.lstm_step_gradient([&c, new, &c, new]);
        assert_eq!(gradient, copy(x).lstm_step_gradient([&copy(&c), new, &copy(&c), new]));
        drop(gates.clone());
    }
}

#[test]
fn a_nan_stays_in_its_column_and_infinities_saturate() {
    let n = 17;
    let mut x = vec![0.0; 4 * n];
    (x[3], x[n + 4], x[2 * n + 5], x[3 * n + 6]) =
        (f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300);
    let x = Tensor::from_vec(x, &[1, 4 * n]);
    let (r, c) = (Tensor::zeros_of(&[1, 4 * n]), Tensor::ones_of(&[1, n]));
    let [h, new, gates] = x.lstm_step(&r, &c);
    for j in 0..n {
        assert_eq!(h.at(&[0, j]).is_nan(), j == 3, "{j}");
    }
    assert_eq!((new.at(&[0, 4]), new.at(&[0, 5]), h.at(&[0, 6])), (1.0, 0.5 - 0.5, 0.0));
    assert_eq!((gates.at(&[0, n + 4]), gates.at(&[0, 2 * n + 5])), (1.0, -1.0));
}

/// A state without numbers, with and without rows.
#[test]
fn a_state_may_be_empty() {
    for shape in [[0, 0], [0, 3], [2, 0]] {
        let [batch, n] = shape;
        let (gates, state) = (Tensor::<f32>::zeros(&[batch, 4 * n]), Tensor::zeros(&shape));
        let [h, new, activated] = gates.lstm_step(&gates, &state);
        let [by_gates, by_c] = activated.lstm_step_gradient([&state, &new, &h, &h]);
        for (result, wanted) in
            [(h, &state), (new, &state), (activated, &gates), (by_gates, &gates), (by_c, &state)]
        {
            assert_eq!(result, *wanted);
        }
    }
}

#[test]
fn shapes_must_agree() {
    let x = |shape: &[usize]| Tensor::zeros(shape);
    panics_here(
        "lstm_step: expected gates [2, 12] for a state [2, 3], got [2, 8] and [2, 12]",
        || {
            drop(x(&[2, 8]).lstm_step(&x(&[2, 12]), &x(&[2, 3])));
        },
    );
    panics_here(
        "lstm_step: expected gates [2, 12] for a state [2, 3], got [2, 12] and [12]",
        || {
            drop(x(&[2, 12]).lstm_step(&x(&[12]), &x(&[2, 3])));
        },
    );
    panics_here("lstm_step: expected a state with an axis, got []", || {
        drop(x(&[]).lstm_step(&x(&[]), &x(&[])));
    });
}
