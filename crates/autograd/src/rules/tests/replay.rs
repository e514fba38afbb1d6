//! Replays of a recorded program with other values, compared with a new run of the same code.

use super::*;
use crate::check::testing::replay::{RecordedProgram, reversed};
use crate::graph::Index;

/// Returns the bits of all elements.
fn bits(x: &Tensor<f64>) -> Vec<u64> {
    x.to_vec().into_iter().map(f64::to_bits).collect()
}

#[test]
fn a_replay_of_every_operation_agrees_with_a_new_run() {
    let mut moved = 0;
    for row in every_row(|_| true) {
        let replayed = testing::check_replay(&row.inputs, row.operation());
        replayed.unwrap_or_else(|error| panic!("{}: {error}", row.name));
        let other: Vec<_> = row.inputs.iter().map(reversed).collect();
        let [numbers, others] = [&row.inputs, &other].map(|inputs| {
            let tape = Tape::train(&mut Philox::new(5));
            RecordedProgram::of(&row.operation(), &tape, inputs).numbers()
        });
        moved += usize::from(numbers != others);
    }
    assert!(moved > 150, "the numbers of {moved} rows changed");
}

/// Returns values that depend on rows selected by an index, on the positions of maxima and minima, and
/// on a detached value.
fn chosen<'t>(x: Var<'t, f64>, rows: Index<'t, f64>) -> [Var<'t, f64>; 3] {
    // The rows are read through a slice.
    let picked = x.flip(0).index_select(0, rows);
    let greatest = picked.gather(1, picked.argmax(1, true));
    let least = picked.gather(1, picked.argmin(1, true));
    let y = (greatest * least).square().sum_all() + (x * x.detach()).sum_all();
    let slope = y.grad(&[x])[0];
    [y, slope, slope.square().sum_all().grad(&[x])[0]]
}

#[test]
fn a_replay_computes_indices_again() {
    let numbers = |x: Var<'_, f64>, results: [Var<'_, f64>; 3]| {
        let mut all: Vec<_> = results.iter().map(|y| bits(&y.value())).collect();
        all.push(bits(results[0].backward().wrt(x).unwrap()));
        all
    };
    let fresh = |x: &Tensor<f64>, rows: &Tensor<i64>| {
        let tape = Tape::new();
        let x = tape.watch(x.clone());
        numbers(x, chosen(x, tape.index(rows.clone())))
    };
    let (a, rows) = (any(&[4, 3], 1), Tensor::from([3i64, 0, 3]));
    let tape = Tape::new();
    let (x, index) = (tape.watch(a.clone()), tape.index(rows.clone()));
    let results = chosen(x, index);
    assert_eq!(numbers(x, results), fresh(&a, &rows));
    for (a, rows) in [(reversed(&a), Tensor::from([1i64, 2, 0])), (a, Tensor::from([0i64, 0, 0]))] {
        let replay = tape.replay(&()).allow_reads();
        replay.set(x, a.clone()).set_index(index, rows.clone()).run();
        assert_eq!(numbers(x, results), fresh(&a, &rows));
    }
}

/// Values that scopes dropped are dropped again, so that a replay holds no more values than a new run.
#[test]
fn a_replay_drops_the_values_that_scopes_dropped() {
    let program = |tape: &Tape<f64>| {
        let mut y = tape.constant(any(&[100], 1));
        for _ in 0..20 {
            y = tape.scope("layer", || (y.sum(&[0], true) * y).log_softmax(0).sin() + 1.0);
        }
    };
    let held = |tape: &Tape<f64>| tape.arena.borrow().values.iter().flatten().count();
    for tape in [Tape::inference(), Tape::new()] {
        program(&tape);
        let before = held(&tape);
        assert!(before < tape.len() / 2, "{before} of {}", tape.len());
        tape.replay(&()).run();
        assert!(held(&tape) <= before + 1, "{} and {before}", held(&tape));
    }
}

#[test]
fn random_draws_depend_only_on_the_key_and_the_node() {
    let draw = |key| {
        let tape = Tape::<f64>::train(&mut Philox::new(key));
        [tape.rand([4000]).value(), tape.randn([4000]).value(), tape.rand([4000]).value()]
    };
    let [u, z, v] = draw(3);
    assert_eq!(draw(3), [u.clone(), z.clone(), v.clone()]);
    assert_ne!(draw(4)[0], u);
    assert_ne!(u, v);
    let mean = |x: &Tensor<f64>| x.mean_all();
    // The bound is four standard deviations of the mean of 4000 numbers.
    assert!((mean(&u) - 0.5).abs() < 4.0 * (1.0f64 / 12.0 / 4000.0).sqrt());
    assert!(mean(&z).abs() < 4.0 / 4000f64.sqrt());
    assert!((mean(&z.square()) - 1.0).abs() < 4.0 * (2.0f64 / 4000.0).sqrt());
    assert!(u.to_vec().iter().all(|u| (0.0..1.0).contains(u)));
    // On a shape-only run they have shapes.
    assert_eq!(Tape::<f64>::check(|tape| tape.randn([2, 3]).shape()).unwrap(), [2, 3]);
}
