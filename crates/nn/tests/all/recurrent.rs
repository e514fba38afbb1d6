//! Compares recurrent layers and cells with PyTorch: state dicts, outputs, last states and gradients; and
//! tests how sequences of different lengths, states and pieces of sequences relate to each other.

use crate::common::panics;
use crate::reference_file::{ReferenceFile, compare_derivatives, error_of};
use wengert_autograd::{Param, Path, Tape, Var};
use wengert_nn::{
    Gru, GruCell, Layer, Lstm, LstmCell, Module, Rnn, RnnCell, StateDict, load_state_dict,
    sequential, state_dict,
};
use wengert_tensor::{Float, Philox, Tensor};

/// The inputs of a case on a tape.
struct Inputs<'t, T: Float> {
    x: Var<'t, T>,
    h: Option<Var<'t, T>>,
    c: Option<Var<'t, T>>,
    lengths: Option<Vec<usize>>,
}

#[track_caller]
fn close(what: &str, got: &Tensor<f64>, wanted: &Tensor<f64>, tolerance: f64) {
    assert_eq!(got.shape(), wanted.shape(), "{what}");
    for (i, (a, b)) in got.to_vec().into_iter().zip(wanted.to_vec()).enumerate() {
        assert!(error_of(a, b) <= tolerance, "{what}: element {i} is {a}, expected {b}");
    }
}

/// Loads the weights of a case, and compares the results of `run` and all derivatives.
fn compare<T: Float, M: Module>(
    file: &ReferenceFile,
    case: &str,
    mut layer: M,
    run: impl for<'t> Fn(&M, Inputs<'t, T>) -> Vec<(&'static str, Var<'t, T>)>,
) {
    let dict: StateDict = file.group(&format!("{case}/init"));
    load_state_dict(&mut layer, &dict).unwrap_or_else(|e| panic!("{case}: {e}"));
    let mut ours: Vec<String> = state_dict(&layer).names().map(String::from).collect();
    ours.sort();
    let mut theirs: Vec<String> = dict.names().map(String::from).collect();
    theirs.sort();
    assert_eq!(ours, theirs, "{case}");

    let find = |key: &str| file.find::<T>(&format!("{case}/{key}"));
    let tape = Tape::new();
    let x = tape.watch(find("x").unwrap());
    let [h, c] = ["h0", "c0"].map(|key| find(key).map(|start| tape.watch(start)));
    let lengths = file.find::<f64>(&format!("{case}/lengths"));
    let lengths = lengths.map(|list| list.to_vec().into_iter().map(|n| n as usize).collect());
    let results = run(&layer, Inputs { x, h, c, lengths });
    let mut loss = tape.zeros(());
    for (key, value) in results {
        file.compare(case, key, &value.value());
        loss = loss + (value * tape.constant(find(&format!("weights/{key}")).unwrap())).sum_all();
    }
    let inputs = [("x", Some(x)), ("h0", h), ("c0", c)];
    let inputs = inputs.into_iter().filter_map(|(key, input)| Some((key.to_string(), input?)));
    compare_derivatives(file, case, loss, inputs.collect(), &layer);
}

macro_rules! run {
    ($layer:ident, $in:ident, $start:expr) => {
        match &$in.lengths {
            Some(lengths) => $layer.run_lengths($in.x, lengths, $start),
            None => $layer.run($in.x, $start),
        }
    };
}

fn all<T: Float>(file: &ReferenceFile) {
    let rng = &mut Philox::new(0);
    let rnn = |name, layer: Rnn<T>| {
        compare(file, name, layer, |layer, inputs| {
            let (y, h) = run!(layer, inputs, inputs.h);
            vec![("y", y), ("h", h)]
        });
    };
    rnn("rnn_tanh", Rnn::of(4, 3, rng));
    rnn("rnn_relu", Rnn::of(4, 3, rng).layers(2, rng).relu().bidirectional(rng));
    rnn("rnn_plain", Rnn::of(4, 3, rng).without_bias().batch_first());
    let lstm = |name, layer: Lstm<T>| {
        compare(file, name, layer, |layer, inputs| {
            let (y, (h, c)) = run!(layer, inputs, inputs.h.zip(inputs.c));
            vec![("y", y), ("h", h), ("c", c)]
        });
    };
    lstm("lstm", Lstm::of(4, 3, rng));
    lstm("lstm_deep", Lstm::of(4, 3, rng).layers(2, rng).bidirectional(rng));
    lstm("lstm_lengths", Lstm::of(4, 3, rng).bidirectional(rng).layers(2, rng));
    lstm("lstm_projected", Lstm::of(4, 3, rng).layers(2, rng).projection(2, rng).batch_first());
    lstm(
        "lstm_projected_both",
        Lstm::of(4, 3, rng).projection(2, rng).bidirectional(rng).layers(2, rng),
    );
    lstm("lstm_plain", Lstm::of(4, 3, rng).without_bias().batch_first().bidirectional(rng));
    let gru = |name, layer: Gru<T>| {
        compare(file, name, layer, |layer, inputs| {
            let (y, h) = run!(layer, inputs, inputs.h);
            vec![("y", y), ("h", h)]
        });
    };
    gru("gru", Gru::of(4, 3, rng));
    gru("gru_deep", Gru::of(4, 3, rng).layers(3, rng).bidirectional(rng).batch_first());
    gru("gru_lengths", Gru::of(4, 3, rng).layers(2, rng).bidirectional(rng));
    gru("gru_plain", Gru::of(4, 3, rng).without_bias());
    for (name, cell) in
        [("rnn_cell", RnnCell::of(4, 3, rng)), ("rnn_cell_relu", RnnCell::of(4, 3, rng).relu())]
    {
        compare(file, name, cell, |cell: &RnnCell<T>, inputs| {
            vec![("h", cell.forward(inputs.x, inputs.h))]
        });
    }
    for (name, cell) in [
        ("lstm_cell", LstmCell::of(4, 3, rng)),
        ("lstm_cell_plain", LstmCell::of(4, 3, rng).without_bias()),
    ] {
        compare(file, name, cell, |cell: &LstmCell<T>, inputs| {
            let (h, c) = cell.forward(inputs.x, inputs.h.zip(inputs.c));
            vec![("h", h), ("c", c)]
        });
    }
    compare(file, "gru_cell", GruCell::of(4, 3, rng), |cell: &GruCell<T>, inputs| {
        vec![("h", cell.forward(inputs.x, inputs.h))]
    });
}

#[test]
fn recurrent_layers_agree_with_pytorch() {
    let file = ReferenceFile::load("recurrent");
    all::<f64>(&file);
    file.finish();
}

#[test]
fn recurrent_layers_in_f32_agree_with_pytorch_to_6_digits() {
    all::<f32>(&ReferenceFile::with_bounds("recurrent", [1e-6, 5e-6, 2e-5]));
}

fn uniform(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::uniform_of(shape, -1.0, 1.0, &mut Philox::new(seed))
}

/// PyTorch's names, in PyTorch's order.
#[test]
fn names_and_printed_form() {
    let rng = &mut Philox::new(0);
    let layer = Lstm::new(4, 3, rng).layers(2, rng).bidirectional(rng).projection(2, rng);
    let names: Vec<_> = layer.named_state().into_iter().map(|(name, _)| name).collect();
    let mut expected = Vec::new();
    for layer in ["_l0", "_l0_reverse", "_l1", "_l1_reverse"] {
        for name in ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"] {
            expected.push(format!("{name}{layer}"));
        }
    }
    assert_eq!(names, expected);
    let layer = Rnn::new(4, 3, rng).relu().without_bias().batch_first().dropout(0.5);
    assert_eq!(
        layer.to_string(),
        "Rnn(weight_ih_l0: [3, 4], weight_hh_l0: [3, 3], nonlinearity: relu, dropout: 0.5, batch_first: \
         true)"
    );
    let cell = RnnCell::new(4, 3, rng).relu().without_bias();
    assert_eq!(
        cell.to_string(),
        "RnnCell(weight_ih: [3, 4], weight_hh: [3, 3], bias_ih: None, bias_hh: None, nonlinearity: relu)"
    );
    let model = sequential![Gru::new(4, 3, rng), Gru::new(3, 2, rng)];
    let names: Vec<_> = state_dict(&model).names().map(String::from).collect();
    assert_eq!(names[..2], ["0.weight_ih_l0", "0.weight_hh_l0"]);
    let error = model.try_predict(&Tensor::zeros(&[5, 2, 3])).unwrap_err();
    assert_eq!(error.path, "0");
}

/// Weights and biases are spread over ±1/√hidden.
#[test]
fn initial_values() {
    let rng = &mut Philox::new(0);
    let layer = Lstm::<f64>::of(40, 25, rng).layers(2, rng).projection(20, rng);
    layer.visit(&Path::root(), &mut |path, state| {
        let numbers = state.downcast_ref::<Param<f64>>().unwrap().value().to_vec();
        let largest = numbers.iter().fold(0f64, |most, x| x.abs().max(most));
        assert!(largest <= 0.2 && largest > 0.19, "{path}: {largest}");
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        assert!(mean.abs() < 0.05, "{path}: {mean}");
    });
}

/// A layer runs its cell step by step, with plain arithmetic as the reference for an LSTM.
#[test]
fn an_lstm_by_plain_loops() {
    let rng = &mut Philox::new(1);
    let layer = Lstm::of(2, 3, rng);
    let cell = &layer.cells[0];
    let weight = |param: &Param<f64>, row: usize, column: usize| param.value().at(&[row, column]);
    let bias = |row: usize| {
        [&cell.bias_ih, &cell.bias_hh]
            .iter()
            .map(|b| b.as_ref().unwrap().value().at(&[row]))
            .sum::<f64>()
    };
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let x = uniform(&[4, 2], 2);
    let (mut h, mut c) = ([0.0; 3], [0.0; 3]);
    let tape = Tape::new();
    let (y, (last_h, last_c)) = layer.run(tape.constant(x.clone()), None);
    let (y, last_h, last_c) = (y.value(), last_h.value(), last_c.value());
    assert_eq!((&y.shape()[..], &last_h.shape()[..]), (&[4, 3][..], &[1, 3][..]));
    for t in 0..4 {
        let gate = |block: usize, unit: usize| {
            let row = 3 * block + unit;
            bias(row)
                + (0..2).map(|j| weight(&cell.weight_ih, row, j) * x.at(&[t, j])).sum::<f64>()
                + (0..3).map(|j| weight(&cell.weight_hh, row, j) * h[j]).sum::<f64>()
        };
        let gates: Vec<[f64; 4]> = (0..3).map(|unit| [0, 1, 2, 3].map(|b| gate(b, unit))).collect();
        for (unit, [i, f, g, o]) in gates.into_iter().enumerate() {
            c[unit] = sigmoid(f) * c[unit] + sigmoid(i) * g.tanh();
            h[unit] = sigmoid(o) * c[unit].tanh();
            assert!((y.at(&[t, unit]) - h[unit]).abs() < 1e-15);
        }
    }
    for unit in 0..3 {
        assert!((last_h.at(&[0, unit]) - h[unit]).abs() < 1e-15);
        assert!((last_c.at(&[0, unit]) - c[unit]).abs() < 1e-15);
    }
}

/// Each sequence of a batch with different lengths gives the same as the sequence alone, also with the
/// reverse direction; a mask gives the same as lengths.
#[test]
fn lengths_are_those_of_single_sequences() {
    let rng = &mut Philox::new(3);
    let layer = Gru::of(2, 3, rng).layers(2, rng).bidirectional(rng);
    let lengths = [3, 5, 0, 1];
    let x = uniform(&[5, 4, 2], 4);
    let tape = Tape::new();
    let batch = tape.constant(x.clone());
    let (y, h) = layer.run_lengths(batch, &lengths, None);
    let mask =
        Tensor::from_vec((0..5).flat_map(|t| lengths.map(|length| t < length)).collect(), &[5, 4]);
    let (masked, masked_h) = layer.run_masked(batch, &mask, None);
    assert_eq!((y.value(), h.value()), (masked.value(), masked_h.value()));
    for (n, length) in lengths.into_iter().enumerate() {
        let of_sequence = |all: &Tensor<f64>| all.narrow(1, n, 1).squeeze(1);
        let (y, h) = (of_sequence(&y.value()), of_sequence(&h.value()));
        assert!(y.narrow(0, length, 5 - length).to_vec().iter().all(|&y| y == 0.0));
        if length == 0 {
            assert!(h.to_vec().iter().all(|&h| h == 0.0));
            continue;
        }
        let alone = tape.constant(of_sequence(&x).narrow(0, 0, length));
        let (y_alone, h_alone) = layer.run(alone, None);
        close("y", &y.narrow(0, 0, length), &y_alone.value(), 1e-15);
        close("h", &h, &h_alone.value(), 1e-15);
    }
    // Padding has no influence, not even if it is not a number.
    let padded = Tensor::from_vec(
        x.to_vec()
            .into_iter()
            .enumerate()
            .map(|(i, x)| if mask.to_vec()[i / 2] { x } else { f64::NAN })
            .collect(),
        &[5, 4, 2],
    );
    let padded = tape.watch(padded);
    let (same, _) = layer.run_lengths(padded, &lengths, None);
    assert_eq!(same.value(), y.value());
    let batch = tape.watch(x);
    let [mut all, mut same] = [batch, padded].map(|x| {
        let gradients = layer.run_lengths(x, &lengths, None).0.square().sum_all().backward_retain();
        let mut list = vec![gradients.wrt(x).unwrap().clone()];
        layer.visit(&Path::root(), &mut |_, state| {
            list.push(gradients.get(state.downcast_ref::<Param<f64>>().unwrap()).unwrap().clone());
        });
        list
    });
    assert_eq!(all.len(), 17);
    assert_eq!(all.pop(), same.pop());
    assert_eq!(all, same);
}

/// Two pieces with the state carried between them give the same as the whole sequence, and the gradient
/// of the second piece does not reach the first one through a detached state.
#[test]
fn pieces_of_a_sequence() {
    let rng = &mut Philox::new(5);
    let layer = Lstm::of(2, 3, rng).layers(2, rng).batch_first();
    let tape = Tape::new();
    let x = tape.watch(uniform(&[2, 6, 2], 6));
    let (whole, (h, c)) = layer.run(x, None);
    let (first, state) = layer.run(x.narrow(1, 0, 4), None);
    let (second, (h2, c2)) = layer.run(x.narrow(1, 4, 2), state);
    close("y", &Var::concat(&[first, second], 1).value(), &whole.value(), 1e-15);
    close("h", &h2.value(), &h.value(), 1e-15);
    close("c", &c2.value(), &c.value(), 1e-15);
    let detached = (state.0.detach(), state.1.detach());
    let (cut, _) = layer.run(x.narrow(1, 4, 2), detached);
    assert_eq!(cut.value(), second.value());
    let slopes = [second, cut].map(|y| y.square().sum_all().grad(&[x])[0].value());
    let [through, cut] = slopes.map(|slope| slope.narrow(1, 0, 4).square().sum_all());
    assert!(through > 0.0 && cut == 0.0, "{through} and {cut}");
}

/// In training, dropout between layers zeroes inputs of the second layer; in evaluation it does nothing.
#[test]
fn dropout_between_layers() {
    let rng = &mut Philox::new(7);
    let layer = Rnn::of(2, 3, rng).layers(2, rng);
    let dropped = layer.clone().dropout(1.0);
    let x = uniform(&[4, 2, 2], 8);
    assert_eq!(layer.predict(&x), dropped.predict(&x));
    let tape = Tape::train(rng);
    let y = dropped.forward(tape.constant(x.clone())).value();
    // The second layer reads zeros, so that its output does not depend on the input.
    let other = dropped.forward(tape.constant(x * 2.0)).value();
    assert_eq!(y, other);
    assert!(y.to_vec().iter().any(|&y| y != 0.0));
}

/// A hidden state without numbers gives an output without numbers, and gradients of zero.
#[test]
fn a_hidden_state_may_be_empty() {
    let zeros = |shape: &[usize]| Tensor::<f64>::zeros_of(shape);
    let tape = Tape::new();
    let x = tape.watch(Tensor::ones_of(&[2, 3]));
    let lstm = LstmCell::from_tensors(zeros(&[0, 3]), zeros(&[0, 0]), None);
    let gru = GruCell::from_tensors(zeros(&[0, 3]), zeros(&[0, 0]), None);
    let rnn = RnnCell::from_tensors(zeros(&[0, 3]), zeros(&[0, 0]), None);
    let (h, c) = lstm.forward(x, None);
    let results = [h, c, gru.forward(x, None), rnn.forward(x, None)];
    for result in results {
        assert_eq!(result.shape(), [2, 0]);
        assert_eq!(result.sum_all().grad(&[x])[0].value(), zeros(&[2, 3]));
    }
}

#[test]
fn wrong_shapes_are_refused_at_the_line_of_the_call() {
    let rng = &mut Philox::new(0);
    let layer = Lstm::new(4, 3, rng);
    let tape = Tape::new();
    let x = tape.constant(Tensor::zeros(&[5, 2, 4]));
    let start = tape.zeros(&[1, 2, 4]);
    panics!(
        layer.run(x, (start, start)),
        "lstm: for an input [5, 2, 4], expected a state h [1, 2, 3], got [1, 2, 4]"
    );
    panics!(
        layer.forward(tape.zeros(&[5, 2, 3])),
        "lstm: expected [T, N, 4], or [T, 4] for one sequence, got [5, 2, 3]"
    );
    let by_batch = layer.clone().batch_first();
    panics!(by_batch.forward(tape.zeros(&[4])), "lstm: expected [N, T, 4], or [T, 4]");
    panics!(
        layer.forward(tape.zeros(&[0, 2, 4])),
        "the sequence must have at least one step, got [0, 2, 4]"
    );
    panics!(
        layer.run_lengths(x, &[5, 6], None),
        "lstm: expected 2 lengths from 0 to 5 for an input [5, 2, 4], got [5, 6]"
    );
    let mask = Tensor::<f32>::zeros(&[2, 5]).eq(0.0);
    panics!(
        layer.run_masked(x, &mask, None),
        "lstm: for an input [5, 2, 4], expected a mask [5, 2], got [2, 5]"
    );
    let cell = GruCell::new(4, 3, rng);
    panics!(
        cell.forward(tape.zeros(&[2, 3]), None),
        "gru_cell: expected an input [N, 4] or [4], got [2, 3]"
    );
    panics!(
        cell.forward(tape.zeros(&[2, 4]), tape.zeros(&[3, 3])),
        "gru_cell: for an input [2, 4], expected a state h [2, 3], got [3, 3]"
    );
    panics!(Gru::new(0, 3, rng), "inputs and hidden must be at least 1, got 0 and 3");
    panics!(layer.clone().projection(3, rng), "the projection must be from 1 to 2, got 3");
    panics!(layer.clone().dropout(1.5), "Lstm: p must be from 0 to 1, got 1.5");
    panics!(layer.clone().layers(0, rng), "Lstm: layers must be at least 1");
    panics!(Lstm::<f32>::from_cells(vec![], false), "Lstm: expected at least one cell");
    let [wide, narrow] = [3, 2].map(|hidden| GruCell::new(4, hidden, rng));
    panics!(
        Gru::from_cells(vec![wide.clone(), narrow], false),
        "Gru: cell 1 must have the sizes of inputs and states 3 and [3], got 4 and [2]"
    );
    let [weight, short] = [9, 6].map(|rows| Tensor::<f32>::zeros(&[rows, 3]));
    panics!(
        GruCell::from_tensors(weight.clone(), short, None),
        "GruCell: expected the weights [3 · hidden, inputs] and [3 · hidden, hidden], got [9, 3] and [6, 3]"
    );
    let bias = Tensor::zeros(&[8]);
    panics!(
        GruCell::from_tensors(weight.clone(), weight, Some([bias.clone(), bias])),
        "GruCell: a weight [9, 3] requires biases [9], got [8]"
    );
}

/// Slices of a sequence cost linear time: a backward pass adds each step's cotangent once. The number
/// of elements that the kernels read and write grows with the length, not with its square.
#[test]
fn the_cost_is_linear_in_the_length() {
    let rng = &mut Philox::new(0);
    let layer = Lstm::new(2, 8, rng);
    let traffic = |steps: usize| {
        let tape = Tape::new().profiled();
        let x = tape.watch(Tensor::ones(&[steps, 2, 2]));
        layer.forward(x).sum_all().backward();
        tape.profile().rows().iter().map(|row| row.read + row.written).sum::<u64>() as f64
    };
    let ratio = traffic(400) / traffic(100);
    assert!((3.5..4.5).contains(&ratio), "{ratio}");
}
