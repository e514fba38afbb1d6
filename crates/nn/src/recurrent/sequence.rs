//! Runs cells over sequences: layers, directions, steps.

use super::RecurrentCell;
use wengert_autograd::{Mask, Var};
use wengert_tensor::Float;

/// The options with which a layer runs its cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct SequenceOptions {
    pub bidirectional: bool,
    pub batch_first: bool,
    pub dropout: f64,
}

impl SequenceOptions {
    pub fn directions(self) -> usize {
        1 + usize::from(self.bidirectional)
    }
}

/// The valid steps of the sequences.
#[derive(Clone, Copy)]
pub(super) enum Valid<'a, 't, T: Float> {
    All,
    Lengths(&'a [usize]),
    Mask(Mask<'t, T>),
}

/// Returns the outputs of the last layer at all steps, and the last states of all cells. The cells
/// are in the order of their layers, with the reverse direction after the forward direction.
#[track_caller]
pub(super) fn run<'t, T: Float, const S: usize, C: RecurrentCell<T, S>>(
    cells: &[C],
    options: SequenceOptions,
    x: Var<'t, T>,
    valid: Valid<'_, 't, T>,
    start: Option<[Var<'t, T>; S]>,
) -> (Var<'t, T>, [Var<'t, T>; S]) {
    let (tape, layer, shape) = (x.tape(), C::LAYER, x.shape());
    let inputs = cells[0].inputs();
    if !matches!(shape.rank(), 2 | 3) || shape.last() != Some(&inputs) {
        let axes = if options.batch_first { "N, T" } else { "T, N" };
        tape.shape_error(format!(
            "{layer}: expected [{axes}, {inputs}], or [T, {inputs}] for one sequence, got {shape}"
        ))
    }
    let one = shape.rank() == 2;
    // From here on, the axes are [T, N, inputs].
    let mut x = match (one, options.batch_first) {
        (true, _) => x.unsqueeze(1),
        (false, true) => x.transpose(0, 1),
        (false, false) => x,
    };
    let (steps, n) = (x.size(0), x.size(1));
    if steps == 0 {
        tape.shape_error(format!("{layer}: the sequence must have at least one step, got {shape}"))
    }
    let mask = match valid {
        Valid::All => None,
        Valid::Lengths(lengths) => {
            if lengths.len() != n || lengths.iter().any(|&length| length > steps) {
                tape.shape_error(format!(
                    "{layer}: expected {n} lengths from 0 to {steps} for an input {shape}, got \
                     {lengths:?}"
                ))
            }
            let holds = (0..steps).flat_map(|t| lengths.iter().map(move |&length| t < length));
            let mask = wengert_tensor::Tensor::from_vec(holds.collect(), &[steps, n, 1]);
            (lengths.iter().any(|&length| length < steps)).then(|| tape.mask(mask))
        }
        Valid::Mask(mask) => {
            let expected = &shape[..shape.rank() - 1];
            if mask.shape() != *expected {
                tape.shape_error(format!(
                    "{layer}: for an input {shape}, expected a mask {}, got {}",
                    wengert_tensor::Shape::new(expected),
                    mask.shape()
                ))
            }
            let by_time = if options.batch_first && !one { mask.t() } else { mask };
            Some(by_time.reshape([steps, n, 1]))
        }
    };
    if let Some(mask) = mask {
        // A derivative at NaN or infinity would be NaN, although its cotangent is 0.
        x = Var::where_(mask, x, 0);
    }
    let directions = options.directions();
    let sizes = cells[0].sizes();
    let mut given = [x; S];
    for (i, size) in sizes.into_iter().enumerate() {
        let (all, one_sample) = ([cells.len(), n, size], [cells.len(), size]);
        let expected = if one { &one_sample[..] } else { &all };
        given[i] = match start {
            Some(states) if states[i].shape() == *expected => states[i].reshape(all),
            Some(states) => tape.shape_error(format!(
                "{layer}: for an input {shape}, expected a state {} {}, got {}",
                C::STATES[i],
                wengert_tensor::Shape::new(expected),
                states[i].shape()
            )),
            None => tape.zeros(all),
        };
    }
    let mut last: Vec<[Var<'t, T>; S]> = Vec::with_capacity(cells.len());
    let layers = cells.len() / directions;
    for (depth, cells) in cells.chunks(directions).enumerate() {
        let is_last = depth + 1 == layers;
        let mut outputs = Vec::with_capacity(directions);
        for (direction, cell) in cells.iter().enumerate() {
            let states = given.map(|all| all.narrow(0, last.len(), 1).squeeze(0));
            let (parts, states) = direction_of(cell, x, mask, direction == 1, states);
            // The last layer stacks its outputs in the order of axes that the caller wants.
            outputs.push(Var::stack(&parts, isize::from(is_last && options.batch_first)));
            last.push(states);
        }
        x = if let [only] = outputs[..] { only } else { Var::concat(&outputs, -1) };
        if !is_last && options.dropout > 0.0 {
            x = x.dropout(options.dropout);
        }
    }
    let mut states = [x; S];
    for (i, state) in states.iter_mut().enumerate() {
        let parts: Vec<_> = last.iter().map(|states| states[i]).collect();
        *state = Var::stack(&parts, 0);
        if one {
            *state = state.squeeze(1);
        }
    }
    if one {
        x = x.squeeze(isize::from(!options.batch_first));
    }
    (x, states)
}

/// Runs a cell over all steps in one direction. Returns the outputs in the order of time, and the
/// last states. Where a step is not valid, the output is 0 and the states stay. The reverse
/// direction therefore begins at the last valid step.
fn direction_of<'t, T: Float, const S: usize, C: RecurrentCell<T, S>>(
    cell: &C,
    x: Var<'t, T>,
    mask: Option<Mask<'t, T>>,
    reverse: bool,
    mut states: [Var<'t, T>; S],
) -> (Vec<Var<'t, T>>, [Var<'t, T>; S]) {
    let (steps, n) = (x.size(0), x.size(1));
    let weights = cell.bind(x.tape());
    let gates = weights.gates(x);
    let mut outputs = Vec::with_capacity(steps);
    for i in 0..steps {
        let t = if reverse { steps - 1 - i } else { i };
        let mut new = cell.step(&weights, gates.narrow(0, t, 1).squeeze(0), states);
        let mut output = new[0];
        if let Some(mask) = mask {
            let mask = mask.narrow(0, t, 1).reshape([n, 1]);
            output = Var::where_(mask, output, 0);
            for (new, old) in new.iter_mut().zip(states) {
                *new = Var::where_(mask, *new, old);
            }
        }
        states = new;
        outputs.push(output);
    }
    if reverse {
        outputs.reverse();
    }
    (outputs, states)
}
