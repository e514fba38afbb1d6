use super::*;
use crate::testing::{layouts, naive, panics_here};

/// Returns a map with rows of no, one and several entries, some of which have the same input.
fn some_map(inputs: usize) -> AxisMap {
    let row = |o: usize| {
        let entries = if inputs == 0 { 0 } else { (o * 3) % 5 };
        (0..entries).map(move |k| ((o * 2 + k * k) % inputs, 0.25 * k as f64 - 0.5 + o as f64))
    };
    AxisMap::new(inputs, (0..7).map(row))
}

fn dense(map: &AxisMap) -> Vec<Vec<f64>> {
    let rows = map.rows(false);
    let mut all = vec![vec![0.0; map.inputs()]; map.outputs()];
    for (o, row) in all.iter_mut().enumerate() {
        for k in rows.starts[o] as usize..rows.starts[o + 1] as usize {
            row[rows.inputs[k] as usize] += rows.weights[k];
        }
    }
    all
}

fn close(a: &Tensor<f64>, b: &[f64]) {
    for (a, b) in a.to_vec().iter().zip(b) {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn axis_maps_and_their_adjoints_agree_with_loops() {
    for (_, x) in layouts() {
        for axis in 0..x.rank() {
            let n = x.shape()[axis];
            let map = some_map(n);
            let matrix = dense(&map);
            let with = |at: &[usize], i: usize| {
                let mut at = at.to_vec();
                at[axis] = i;
                at
            };
            let shape = x.shape().with(axis, 7);
            let expected =
                naive(&shape, |at| (0..n).map(|i| matrix[at[axis]][i] * x.at(&with(at, i))).sum());
            let y = x.map_axis(axis as isize, &map);
            assert_eq!(y.shape(), shape);
            close(&y, &expected);
            let expected = naive(&x.shape(), |at| {
                (0..7).map(|o| matrix[o][at[axis]] * y.at(&with(at, o))).sum()
            });
            let back = y.map_axis_transposed(axis as isize, &map);
            assert_eq!(back.shape(), x.shape());
            close(&back, &expected);
        }
    }
}

#[test]
fn the_bits_of_axis_maps_do_not_depend_on_the_number_of_threads() {
    let map = some_map(60);
    let x = Tensor::from_fn(&[50, 60, 60], |i| (i as f32 * 0.7).sin());
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            (
                x.map_axis(1, &map),
                x.map_axis(2, &map),
                x.map_axis_transposed(1, &{ AxisMap::new(3, (0..60).map(|o| [(o % 3, 0.1)])) }),
            )
        })
    };
    assert!(run(1) == run(3));
}

#[test]
fn axis_maps_are_equal_if_their_entries_are() {
    assert_eq!(some_map(5), some_map(5));
    assert!(some_map(5) != some_map(6));
    assert_eq!(format!("{:?}", some_map(5)), "AxisMap(5 → 7)");
}

#[test]
fn wrong_arguments_panic_at_the_callers_line() {
    let x = Tensor::zeros(&[2, 4]);
    panics_here("map_axis: axis -1 of shape [2, 4] has size 4, but the map requires 5", || {
        drop(x.map_axis(-1, &some_map(5)));
    });
    panics_here(
        "map_axis_transposed: axis 0 of shape [2, 4] has size 2, but the map requires 7",
        || {
            drop(x.map_axis_transposed(0, &some_map(5)));
        },
    );
    panics_here(
        "AxisMap: row 1 reads input 3, but there are 3 inputs; a map has at most 2³² - 1 entries",
        || drop(AxisMap::new(3, [[(0, 1.0)], [(3, 1.0)]])),
    );
}

/// The indices of inputs are stored in 32 bits.
#[test]
#[cfg(target_pointer_width = "64")]
fn more_inputs_than_an_axis_can_have_panic() {
    panics_here(
        "AxisMap: 4294967296 inputs are too many: no axis has more than 4294967295 indices",
        || {
            drop(AxisMap::new(1 << 32, [[((1 << 32) - 1, 1.0)]]));
        },
    );
}

/// Lines along the last axis are mapped as columns: the results are those of columns, in every bit.
#[test]
fn maps_of_lines_have_the_bits_of_maps_of_columns() {
    for lines in [1, 2, 7, 8, 9, 15, 16, 17, 40] {
        for n in [0, 1, 2, 3, 7, 8, 9, 16, 21] {
            let maps = [
                some_map(n),
                AxisMap::new(n, (0..n / 2).map(|o| [(2 * o, 1.0 / 3.0), (2 * o + 1, 1.0 / 3.0)])),
                AxisMap::new(n, (0..n).map(|o| [(n - 1 - o, 1.0)])),
            ];
            for map in &maps {
                let x =
                    Tensor::<f64>::from_fn(&[lines, n], |i| ((i * 7919) % 97) as f64 * 0.37 - 9.0);
                let columns = x.t().copied().map_axis(0, map).t().copied();
                let mapped = x.map_axis(1, map);
                // With less than 8 lines, a sum begins with 0.
                assert_eq!(mapped, columns, "{lines} lines of {n}");
                let single = x.cast::<f32>();
                let columns = single.t().copied().map_axis(0, map).t().copied();
                assert_eq!(single.map_axis(1, map), columns, "{lines} lines of {n}");
            }
        }
    }
}

/// Runs tests in separate processes with smaller instruction sets than the machine has.
#[test]
fn maps_with_other_instruction_sets_agree() {
    let this = std::env::current_exe().unwrap();
    for isa in ["avx2", "baseline"] {
        let mut run = std::process::Command::new(&this);
        let test = "tensor::map_axis::tests::maps_of_lines_have_the_bits_of_maps_of_columns";
        let out = run.args(["--exact", test]).env("WENGERT_ISA", isa).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && text.contains("1 passed"), "{isa}: {text}");
    }
}
