//! Recurrent layers.
//!
//! A cell computes one step; a layer runs cells over sequences. In a layer, the inputs of all steps
//! are multiplied by `weight_ih` in one product. The steps are slices of its result, and the
//! cotangents of the slices are added in place, so both passes take time proportional to the length
//! of the sequence. What an LSTM computes besides its products is one operation for each step (`Var::lstm_step`).
//!
//! `cells.rs` holds the formulas of a step, `layers.rs` the public layers, `sequence.rs` the loop
//! over layers, directions and steps.

mod cells;
mod layers;
mod sequence;

pub use cells::{GruCell, LstmCell, RnnCell};
pub use layers::{Gru, Lstm, Rnn};

use rand::Rng;
use wengert_autograd::{Outline, Param, Tape, Var};
use wengert_tensor::Float;

/// The weights of a cell on a tape.
#[derive(Clone, Copy)]
struct BoundWeights<'t, T: Float> {
    weight_ih: Var<'t, T>,
    weight_hh: Var<'t, T>,
    /// The bias that is added to the product of the inputs.
    bias: Option<Var<'t, T>>,
    /// The bias of the states, if it cannot be added to `bias`.
    bias_h: Option<Var<'t, T>>,
    weight_hr: Option<Var<'t, T>>,
}

impl<'t, T: Float> BoundWeights<'t, T> {
    /// Returns the contribution of the inputs to the gates: `x W_ihᵀ + b`.
    fn gates(&self, x: Var<'t, T>) -> Var<'t, T> {
        let gates = x.matmul_t(self.weight_ih, false, true);
        self.bias.map_or(gates, |bias| gates + bias)
    }
}

/// The step of a recurrent layer, with `S` states.
trait RecurrentCell<T: Float, const S: usize> {
    /// The name of the layer in messages.
    const LAYER: &'static str;
    /// The names of the states in messages.
    const STATES: [&'static str; S];

    /// Returns the parameters with their names, in PyTorch's order.
    fn params(&self) -> [(&'static str, Option<&Param<T>>); 5];
    fn params_mut(&mut self) -> [(&'static str, Option<&mut Param<T>>); 5];

    /// Returns the size of the inputs.
    fn inputs(&self) -> usize;
    /// Returns the sizes of the states. The first state is the output.
    fn sizes(&self) -> [usize; S];

    /// Draws a cell of this kind for inputs of another size.
    fn redrawn(&self, inputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self;
    /// Prints the options that are common to the cells of a layer.
    fn print_options(&self, outline: Outline) -> Outline {
        outline
    }

    fn bind<'t>(&self, tape: &'t Tape<T>) -> BoundWeights<'t, T>;

    /// Returns the states after a step. `x` is the contribution of the inputs to the gates.
    fn step<'t>(
        &self,
        weights: &BoundWeights<'t, T>,
        x: Var<'t, T>,
        states: [Var<'t, T>; S],
    ) -> [Var<'t, T>; S];
}
