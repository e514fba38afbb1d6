//! Cells: one step of a recurrent layer.

use super::{BoundWeights, RecurrentCell};
use rand::Rng;
use wengert_autograd::{Outline, Param, Tape, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

/// Defines a cell with `$gates` blocks of rows in its weights.
macro_rules! cell {
    (
        $(#[$doc:meta])*
        $Cell:ident, $gates:literal, $rows:literal
        $(, $(#[$field_doc:meta])* $field:ident: $Field:ty = $default:expr)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Module)]
        #[module(crate = "wengert_autograd")]
        pub struct $Cell<T: Float = f32> {
            #[doc = concat!("The weight of the inputs: [", $rows, ", inputs].")]
            pub weight_ih: Param<T>,
            #[doc = concat!("The weight of the states: [", $rows, ", hidden].")]
            pub weight_hh: Param<T>,
            #[doc = concat!("The bias of the inputs: \\[", $rows, "\\].")]
            pub bias_ih: Option<Param<T>>,
            #[doc = concat!("The bias of the states: \\[", $rows, "\\].")]
            pub bias_hh: Option<Param<T>>,
            $($(#[$field_doc])* $field: $Field,)?
        }

        impl $Cell {
            /// Creates a cell of `f32`. Weights and biases are drawn uniformly from ±1/√hidden,
            /// PyTorch's default.
            ///
            /// # Panics
            /// If `inputs` or `hidden` is 0.
            #[track_caller]
            pub fn new(inputs: usize, hidden: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
                Self::of(inputs, hidden, rng)
            }
        }

        impl<T: Float> $Cell<T> {
            #[doc = concat!(
                "Creates a cell of any element type, as [`", stringify!($Cell), "::new`] does for \
                 `f32`: `", stringify!($Cell), "::<f64>::of(…)`."
            )]
            ///
            /// # Panics
            /// If `inputs` or `hidden` is 0.
            #[track_caller]
            pub fn of(inputs: usize, hidden: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
                Self::drawn(inputs, hidden, hidden, true, rng)
            }

            /// Draws a cell whose states have the size `outputs` in the product with `weight_hh`.
            #[track_caller]
            pub(super) fn drawn(
                inputs: usize,
                hidden: usize,
                outputs: usize,
                bias: bool,
                rng: &mut (impl Rng + ?Sized),
            ) -> Self {
                assert!(
                    inputs > 0 && hidden > 0,
                    concat!(
                        stringify!($Cell),
                        ": inputs and hidden must be at least 1, got {} and {}"
                    ),
                    inputs, hidden
                );
                let bound = 1.0 / (hidden as f64).sqrt();
                let rows = $gates * hidden;
                let mut draw = |shape: &[usize]| Tensor::uniform_of(shape, -bound, bound, rng);
                let (weight_ih, weight_hh) = (draw(&[rows, inputs]), draw(&[rows, outputs]));
                let biases = bias.then(|| [draw(&[rows]), draw(&[rows])]);
                Self::with(weight_ih, weight_hh, biases)
            }

            /// Creates a cell from its weights and biases (of the inputs, then of the states).
            ///
            /// # Panics
            /// If a tensor has another shape.
            #[track_caller]
            pub fn from_tensors(
                weight_ih: Tensor<T>,
                weight_hh: Tensor<T>,
                biases: Option<[Tensor<T>; 2]>,
            ) -> Self {
                let (ih, hh) = (weight_ih.shape(), weight_hh.shape());
                assert!(
                    ih.rank() == 2 && hh.rank() == 2 && hh[0] == $gates * hh[1] && ih[0] == hh[0],
                    concat!(
                        stringify!($Cell), ": expected the weights [", $rows, ", inputs] and [",
                        $rows, ", hidden], got {} and {}"
                    ),
                    ih, hh
                );
                for bias in biases.iter().flatten() {
                    assert!(
                        *bias.shape() == ih[..1],
                        concat!(
                            stringify!($Cell),
                            ": a weight {} requires biases [{}], got {}"
                        ),
                        ih, ih[0], bias.shape()
                    );
                }
                Self::with(weight_ih, weight_hh, biases)
            }

            fn with(
                weight_ih: Tensor<T>,
                weight_hh: Tensor<T>,
                biases: Option<[Tensor<T>; 2]>,
            ) -> Self {
                let [bias_ih, bias_hh] =
                    biases.map_or([None, None], |biases| biases.map(|bias| Some(bias.into())));
                $Cell {
                    weight_ih: weight_ih.into(),
                    weight_hh: weight_hh.into(),
                    bias_ih,
                    bias_hh,
                    $($field: $default,)?
                }
            }

            /// Removes the biases.
            #[must_use]
            pub fn without_bias(self) -> Self {
                $Cell { bias_ih: None, bias_hh: None, ..self }
            }

            /// Returns the size of the inputs.
            pub fn inputs(&self) -> usize {
                self.weight_ih.shape()[1]
            }

            /// Returns the size of the hidden state.
            pub fn hidden(&self) -> usize {
                self.weight_ih.shape()[0] / $gates
            }
        }
    };
}

cell! {
    /// A step of a plain recurrent network: `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or with the
    /// rectifier instead of tanh. (Elman, "Finding structure in time", 1990.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::RnnCell;
    /// use wengert::tensor::{Philox, Tensor};
    /// let cell = RnnCell::new(3, 4, &mut Philox::new(0));
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones(&[2, 3]));
    /// let h = cell.forward(x, None);
    /// assert_eq!(cell.forward(x, h).shape(), [2, 4]);
    /// ```
    RnnCell, 1, "hidden",
    #[module(print_with = print_nonlinearity)]
    relu: bool = false
}

cell! {
    /// A step of a long short-term memory:
    ///
    /// - `i = σ(W_ii x + b_ii + W_hi h + b_hi)`, and likewise f and o;
    /// - `g = tanh(W_ig x + b_ig + W_hg h + b_hg)`;
    /// - `c' = f · c + i · g` and `h' = o · tanh c'`.
    ///
    /// The blocks of rows of weights and biases are in the order i, f, g, o, as in PyTorch. The
    /// cell of an [`Lstm`](crate::Lstm) with a projection has a further weight, and `h' = W_hr (o ·
    /// tanh c')`. (Hochreiter, Schmidhuber, "Long short-term memory", 1997; with forget gates:
    /// Gers, Schmidhuber, Cummins, "Learning to forget", 2000.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::LstmCell;
    /// use wengert::tensor::{Philox, Tensor};
    /// let cell = LstmCell::new(3, 4, &mut Philox::new(0));
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones(&[2, 3]));
    /// let mut state = None;
    /// for _ in 0..5 {
    ///     state = Some(cell.forward(x, state));
    /// }
    /// let (h, c) = state.unwrap();
    /// assert_eq!((h.shape(), c.shape()), ([2, 4].into(), [2, 4].into()));
    /// ```
    LstmCell, 4, "4 · hidden",
    /// The weight of the projection: [projection, hidden].
    weight_hr: Option<Param<T>> = None
}

cell! {
    /// A step of a gated recurrent unit:
    ///
    /// - `r = σ(W_ir x + b_ir + W_hr h + b_hr)`, and likewise z;
    /// - `n = tanh(W_in x + b_in + r · (W_hn h + b_hn))`;
    /// - `h' = (1 − z) · n + z · h`.
    ///
    /// The blocks of rows of weights and biases are in the order r, z, n, as in PyTorch. (Cho, van
    /// Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk, Bengio, "Learning phrase representations
    /// using RNN encoder-decoder", 2014.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::GruCell;
    /// use wengert::tensor::{Philox, Tensor};
    /// let cell = GruCell::new(3, 4, &mut Philox::new(0));
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones(&[2, 3]));
    /// let h = cell.forward(x, None);
    /// assert_eq!(cell.forward(x, h).shape(), [2, 4]);
    /// ```
    GruCell, 3, "3 · hidden"
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the derive macro calls it so
fn print_nonlinearity(relu: &bool, outline: Outline) -> Outline {
    if *relu { outline.with("nonlinearity", Outline::value("relu")) } else { outline }
}

impl<T: Float> RnnCell<T> {
    /// Replaces tanh by the rectifier: `h' = max(W_ih x + b_ih + W_hh h + b_hh, 0)`.
    #[must_use]
    pub fn relu(self) -> Self {
        RnnCell { relu: true, ..self }
    }

    /// Returns the state after a step: x \[N, inputs\] and h \[N, hidden\] give \[N, hidden\].
    /// `None` is a state of zeros. Without the axis N, the step is that of one sample.
    ///
    /// # Panics
    /// If a shape does not fit.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t, T>, h: impl Into<Option<Var<'t, T>>>) -> Var<'t, T> {
        let [h] = one_step(self, x, h.into().map(|h| [h]));
        h
    }
}

impl<T: Float> GruCell<T> {
    /// Returns the state after a step: x \[N, inputs\] and h \[N, hidden\] give \[N, hidden\].
    /// `None` is a state of zeros. Without the axis N, the step is that of one sample.
    ///
    /// # Panics
    /// If a shape does not fit.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t, T>, h: impl Into<Option<Var<'t, T>>>) -> Var<'t, T> {
        let [h] = one_step(self, x, h.into().map(|h| [h]));
        h
    }
}

impl<T: Float> LstmCell<T> {
    /// Adds the weight of a projection of the output to `size`, drawn as the other weights.
    pub(super) fn projected(self, size: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let hidden = self.hidden();
        let bound = 1.0 / (hidden as f64).sqrt();
        let weight = Tensor::uniform_of(&[size, hidden], -bound, bound, rng);
        LstmCell { weight_hr: Some(weight.into()), ..self }
    }

    /// Returns the states (h, c) after a step: x \[N, inputs\], h and c \[N, hidden\]. `None` is a
    /// state of zeros. Without the axis N, the step is that of one sample.
    ///
    /// # Panics
    /// If a shape does not fit.
    #[track_caller]
    pub fn forward<'t>(
        &self,
        x: Var<'t, T>,
        state: impl Into<Option<(Var<'t, T>, Var<'t, T>)>>,
    ) -> (Var<'t, T>, Var<'t, T>) {
        let [h, c] = one_step(self, x, state.into().map(|(h, c)| [h, c]));
        (h, c)
    }
}

/// Checks the shapes, and runs a step in the scope of the cell.
#[track_caller]
fn one_step<'t, T: Float, const S: usize, C: RecurrentCell<T, S> + wengert_autograd::Module>(
    cell: &C,
    x: Var<'t, T>,
    states: Option<[Var<'t, T>; S]>,
) -> [Var<'t, T>; S] {
    let tape = x.tape();
    let scope = tape.open(cell);
    let (shape, inputs) = (x.shape(), cell.inputs());
    if !matches!(shape.rank(), 1 | 2) || shape.last() != Some(&inputs) {
        tape.shape_error(format!(
            "{}_cell: expected an input [N, {inputs}] or [{inputs}], got {shape}",
            C::LAYER
        ))
    }
    let batch = &shape[..shape.rank() - 1];
    let mut given = [x; S];
    for (i, size) in cell.sizes().into_iter().enumerate() {
        let expected: wengert_tensor::Shape = batch.iter().copied().chain([size]).collect();
        given[i] = match states {
            Some(states) if states[i].shape() == expected => states[i],
            Some(states) => tape.shape_error(format!(
                "{}_cell: for an input {shape}, expected a state {} {expected}, got {}",
                C::LAYER,
                C::STATES[i],
                states[i].shape()
            )),
            None => tape.zeros(expected),
        };
    }
    let weights = cell.bind(tape);
    let states = cell.step(&weights, weights.gates(x), given);
    for state in &states {
        debug_assert!(!given.iter().any(|given| given.is(*state)), "a new variable");
    }
    scope.close(states)
}

/// Binds weights whose biases are added before the nonlinearity.
fn bind<'t, T: Float>(
    tape: &'t Tape<T>,
    [weight_ih, weight_hh]: [&Param<T>; 2],
    [bias_ih, bias_hh]: [&Option<Param<T>>; 2],
) -> BoundWeights<'t, T> {
    let param = |param: &Option<Param<T>>| param.as_ref().map(|param| tape.param(param));
    let bias = match (param(bias_ih), param(bias_hh)) {
        (Some(ih), Some(hh)) => Some(ih + hh),
        (ih, hh) => ih.or(hh),
    };
    BoundWeights {
        weight_ih: tape.param(weight_ih),
        weight_hh: tape.param(weight_hh),
        bias,
        bias_h: None,
        weight_hr: None,
    }
}

/// Returns one of `count` blocks of the last axis.
fn block_of<T: Float>(gates: Var<'_, T>, block: usize, count: usize) -> Var<'_, T> {
    let size = gates.size(-1) / count;
    gates.narrow(-1, block * size, size)
}

/// Returns x as a variable whose value is stored. A pointwise operation is otherwise computed as a
/// part of each operation that reads it: the derivative rules would compute each gate several
/// times, and each step would compute the states of earlier steps again. A view is not pointwise,
/// so it needs a stored operand.
fn stored<T: Float>(x: Var<'_, T>) -> Var<'_, T> {
    x.reshape(x.shape())
}

/// The parameters of a cell with their names.
macro_rules! params {
    ($($hr:ident)?) => {
        fn params(&self) -> [(&'static str, Option<&Param<T>>); 5] {
            [
                ("weight_ih", Some(&self.weight_ih)),
                ("weight_hh", Some(&self.weight_hh)),
                ("bias_ih", self.bias_ih.as_ref()),
                ("bias_hh", self.bias_hh.as_ref()),
                ("weight_hr", None$(.or(self.$hr.as_ref()))?),
            ]
        }
        fn params_mut(&mut self) -> [(&'static str, Option<&mut Param<T>>); 5] {
            [
                ("weight_ih", Some(&mut self.weight_ih)),
                ("weight_hh", Some(&mut self.weight_hh)),
                ("bias_ih", self.bias_ih.as_mut()),
                ("bias_hh", self.bias_hh.as_mut()),
                ("weight_hr", None$(.or(self.$hr.as_mut()))?),
            ]
        }
        fn inputs(&self) -> usize {
            self.inputs()
        }
    };
}

impl<T: Float> RecurrentCell<T, 1> for RnnCell<T> {
    const LAYER: &'static str = "rnn";
    const STATES: [&'static str; 1] = ["h"];

    params!();

    fn sizes(&self) -> [usize; 1] {
        [self.hidden()]
    }

    fn redrawn(&self, inputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let (hidden, bias) = (self.hidden(), self.bias_ih.is_some());
        RnnCell { relu: self.relu, ..Self::drawn(inputs, hidden, hidden, bias, rng) }
    }

    fn print_options(&self, outline: Outline) -> Outline {
        print_nonlinearity(&self.relu, outline)
    }

    fn bind<'t>(&self, tape: &'t Tape<T>) -> BoundWeights<'t, T> {
        bind(tape, [&self.weight_ih, &self.weight_hh], [&self.bias_ih, &self.bias_hh])
    }

    fn step<'t>(
        &self,
        weights: &BoundWeights<'t, T>,
        x: Var<'t, T>,
        [h]: [Var<'t, T>; 1],
    ) -> [Var<'t, T>; 1] {
        let sum = x + h.matmul_t(weights.weight_hh, false, true);
        [if self.relu { sum.relu() } else { sum.tanh() }]
    }
}

impl<T: Float> RecurrentCell<T, 2> for LstmCell<T> {
    const LAYER: &'static str = "lstm";
    const STATES: [&'static str; 2] = ["h", "c"];

    params!(weight_hr);

    fn sizes(&self) -> [usize; 2] {
        let hidden = self.hidden();
        [self.weight_hr.as_ref().map_or(hidden, |weight| weight.shape()[0]), hidden]
    }

    fn redrawn(&self, inputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let [output, hidden] = self.sizes();
        let cell = Self::drawn(inputs, hidden, output, self.bias_ih.is_some(), rng);
        if self.weight_hr.is_some() { cell.projected(output, rng) } else { cell }
    }

    fn bind<'t>(&self, tape: &'t Tape<T>) -> BoundWeights<'t, T> {
        let weights =
            bind(tape, [&self.weight_ih, &self.weight_hh], [&self.bias_ih, &self.bias_hh]);
        BoundWeights {
            weight_hr: self.weight_hr.as_ref().map(|weight| tape.param(weight)),
            ..weights
        }
    }

    fn step<'t>(
        &self,
        weights: &BoundWeights<'t, T>,
        x: Var<'t, T>,
        [h, c]: [Var<'t, T>; 2],
    ) -> [Var<'t, T>; 2] {
        let of_h = h.matmul_t(weights.weight_hh, false, true);
        let [h, c] = x.lstm_step(of_h, c);
        of_h.release();
        [weights.weight_hr.map_or(h, |weight| h.matmul_t(weight, false, true)), c]
    }
}

impl<T: Float> RecurrentCell<T, 1> for GruCell<T> {
    const LAYER: &'static str = "gru";
    const STATES: [&'static str; 1] = ["h"];

    params!();

    fn sizes(&self) -> [usize; 1] {
        [self.hidden()]
    }

    fn redrawn(&self, inputs: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let hidden = self.hidden();
        Self::drawn(inputs, hidden, hidden, self.bias_ih.is_some(), rng)
    }

    /// The bias `b_hn` is multiplied by r, so that it is not a part of the bias of the inputs.
    fn bind<'t>(&self, tape: &'t Tape<T>) -> BoundWeights<'t, T> {
        let weights = bind(tape, [&self.weight_ih, &self.weight_hh], [&self.bias_ih, &None]);
        let Some(bias_hh) = &self.bias_hh else { return weights };
        let (hidden, bias_hh) = (self.hidden(), tape.param(bias_hh));
        let of_gates = bias_hh.narrow(0, 0, 2 * hidden).pad(&[(0, hidden)], 0);
        BoundWeights {
            bias: Some(weights.bias.map_or(of_gates, |bias| bias + of_gates)),
            bias_h: Some(bias_hh.narrow(0, 2 * hidden, hidden)),
            ..weights
        }
    }

    fn step<'t>(
        &self,
        weights: &BoundWeights<'t, T>,
        x: Var<'t, T>,
        [h]: [Var<'t, T>; 1],
    ) -> [Var<'t, T>; 1] {
        let of_h = h.matmul_t(weights.weight_hh, false, true);
        let gate = |block: usize| block_of(x, block, 3) + block_of(of_h, block, 3);
        let [r, z] = [0, 1].map(|block| stored(gate(block).sigmoid()));
        let of_n = block_of(of_h, 2, 3);
        let of_n = weights.bias_h.map_or(of_n, |bias| of_n + bias);
        let n = stored((block_of(x, 2, 3) + r * of_n).tanh());
        [n + z * (h - n)]
    }
}
