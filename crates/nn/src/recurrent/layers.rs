//! Layers of recurrent cells.

use super::RecurrentCell;
use super::cells::{GruCell, LstmCell, RnnCell};
use super::sequence::{self, SequenceOptions, Valid};
use crate::layer::Layer;
use rand::Rng;
use std::fmt;
use wengert_autograd::{FirstState, IntoMask, Module, Outline, Path, See, SeeMut, Var};
use wengert_tensor::Float;

/// Defines a layer. `$State` is the type of its states for users, `$from` and `$to` convert it from
/// and to an array of variables.
macro_rules! recurrent {
    (
        $(#[$doc:meta])*
        $Layer:ident of $Cell:ident, $State:ty, |$given:ident| $from:expr, |$array:pat_param| $to:expr
    ) => {
        $(#[$doc])*
        ///
        /// # Shapes
        /// The input is [T, N, inputs]: T steps of N sequences, or [N, T, inputs] with
        /// [`batch_first`](Self::batch_first), or [T, inputs] for one sequence. The output has the
        /// same axes, and the size of the hidden state in place of `inputs` (twice the size with
        /// two directions). A state is [layers · directions, N, hidden], or [layers · directions,
        /// hidden] for one sequence. It contains the forward direction of the first layer, its
        /// reverse direction, the forward direction of the second layer, and so on.
        ///
        /// # Parameters
        /// Names, shapes and the order of the gates are those of PyTorch: `weight_ih_l0`,
        /// `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`; `_l1` is the second layer, and the suffix
        /// `_reverse` is the reverse direction.
        #[derive(Clone, Debug)]
        pub struct $Layer<T: Float = f32> {
            /// The cells: the forward direction of the first layer, its reverse direction, the
            /// forward direction of the second layer, and so on.
            pub cells: Vec<$Cell<T>>,
            options: SequenceOptions,
        }

        impl $Layer {
            /// Creates one layer of `f32` with one direction. Weights and biases are drawn
            /// uniformly from ±1/√hidden, PyTorch's default.
            ///
            /// # Panics
            /// If `inputs` or `hidden` is 0.
            #[track_caller]
            pub fn new(inputs: usize, hidden: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
                Self::of(inputs, hidden, rng)
            }
        }

        impl<T: Float> $Layer<T> {
            #[doc = concat!(
                "Creates a layer of any element type, as [`", stringify!($Layer), "::new`] does for \
                 `f32`: `", stringify!($Layer), "::<f64>::of(…)`."
            )]
            ///
            /// # Panics
            /// If `inputs` or `hidden` is 0.
            #[track_caller]
            pub fn of(inputs: usize, hidden: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
                Self::from_cells(vec![$Cell::of(inputs, hidden, rng)], false)
            }

            /// Creates a layer from its cells, in the order of [`cells`](Self::cells).
            ///
            /// # Panics
            /// If `cells` is empty, if the number of cells is odd in a bidirectional layer, or if
            /// the sizes of the cells do not fit each other.
            #[track_caller]
            pub fn from_cells(cells: Vec<$Cell<T>>, bidirectional: bool) -> Self {
                let options = SequenceOptions { bidirectional, batch_first: false, dropout: 0.0 };
                let directions = options.directions();
                assert!(
                    !cells.is_empty() && cells.len().is_multiple_of(directions),
                    concat!(
                        stringify!($Layer),
                        ": expected at least one cell, and two for each bidirectional layer, got {}"
                    ),
                    cells.len()
                );
                let (inputs, sizes) = (cells[0].inputs(), cells[0].sizes());
                for (i, cell) in cells.iter().enumerate() {
                    let expected = if i < directions { inputs } else { directions * sizes[0] };
                    assert!(
                        cell.inputs() == expected && cell.sizes() == sizes,
                        concat!(
                            stringify!($Layer),
                            ": cell {} must have the sizes of inputs and states {} and {:?}, got {} \
                             and {:?}"
                        ),
                        i, expected, sizes, cell.inputs(), cell.sizes()
                    );
                }
                $Layer { cells, options }
            }

            /// Draws the weights of `layers` layers; each further layer reads the outputs of the
            /// one before. Call it on a fresh layer: the weights are drawn again.
            ///
            /// # Panics
            /// If `layers` is 0.
            #[must_use]
            #[track_caller]
            pub fn layers(self, layers: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
                assert!(layers > 0, concat!(stringify!($Layer), ": layers must be at least 1"));
                self.drawn(layers, self.options.bidirectional, rng)
            }

            /// Adds the reverse direction: further cells read the sequence from its end. The output
            /// contains the states of both directions, the forward direction first. Call it on a
            /// fresh layer: the weights are drawn again.
            #[must_use]
            pub fn bidirectional(self, rng: &mut (impl Rng + ?Sized)) -> Self {
                self.drawn(self.cells.len() / self.options.directions(), true, rng)
            }

            fn drawn(
                &self,
                layers: usize,
                bidirectional: bool,
                rng: &mut (impl Rng + ?Sized),
            ) -> Self {
                let options = SequenceOptions { bidirectional, ..self.options };
                let (first, directions) = (&self.cells[0], options.directions());
                let cells = (0..layers * directions).map(|i| {
                    let inputs =
                        if i < directions { first.inputs() } else { directions * first.sizes()[0] };
                    first.redrawn(inputs, rng)
                });
                $Layer { cells: cells.collect(), options }
            }

            /// Sets elements of the output of each layer except the last one to zero, with this
            /// probability, in training. The tape must then have a mode.
            ///
            /// # Panics
            /// If `p` is not from 0 to 1.
            #[must_use]
            #[track_caller]
            pub fn dropout(mut self, p: f64) -> Self {
                assert!(
                    (0.0..=1.0).contains(&p),
                    concat!(stringify!($Layer), ": p must be from 0 to 1, got {}"),
                    p
                );
                self.options.dropout = p;
                self
            }

            /// Makes the batch the first axis of inputs and outputs: [N, T, …] instead of [T, N,
            /// …]. The states are not affected.
            #[must_use]
            pub fn batch_first(mut self) -> Self {
                self.options.batch_first = true;
                self
            }

            /// Removes the biases.
            #[must_use]
            pub fn without_bias(self) -> Self {
                let cells = self.cells.into_iter().map($Cell::without_bias).collect();
                $Layer { cells, ..self }
            }

            /// Returns the size of the inputs.
            pub fn inputs(&self) -> usize {
                self.cells[0].inputs()
            }

            /// Returns the size of the hidden state.
            pub fn hidden(&self) -> usize {
                self.cells[0].hidden()
            }

            /// Returns the outputs of the last layer at all steps, and the states after the last
            /// step. `start` is the state before the first step; `None` stands for zeros.
            ///
            /// # Panics
            /// If a shape does not fit, or the sequence has no steps.
            #[track_caller]
            pub fn run<'t>(
                &self,
                x: Var<'t, T>,
                start: impl Into<Option<$State>>,
            ) -> (Var<'t, T>, $State) {
                let scope = x.tape().open(self);
                let start = start.into().map(|$given| $from);
                let (y, $array) = sequence::run(&self.cells, self.options, x, Valid::All, start);
                scope.close((y, $to))
            }

            /// Runs sequences of different lengths: sequence n has the steps before `lengths[n]`,
            /// and the rest of the input is padding. Outputs at padding are 0. The last state is
            /// that of the last step of each sequence, and the reverse direction begins there.
            /// (PyTorch does this with packed sequences.)
            ///
            /// # Panics
            /// If a shape does not fit, the sequence has no steps, or there is not one length for
            /// each sequence.
            #[track_caller]
            pub fn run_lengths<'t>(
                &self,
                x: Var<'t, T>,
                lengths: &[usize],
                start: impl Into<Option<$State>>,
            ) -> (Var<'t, T>, $State) {
                let scope = x.tape().open(self);
                let start = start.into().map(|$given| $from);
                let valid = Valid::Lengths(lengths);
                let (y, $array) = sequence::run(&self.cells, self.options, x, valid, start);
                scope.close((y, $to))
            }

            /// Runs the steps for which `mask` is true; its axes are the first axes of the input,
            /// such as [T, N]. At other steps the states do not change and the outputs are 0, as
            /// with [`run_lengths`](Self::run_lengths).
            ///
            /// # Panics
            /// If a shape does not fit, or the sequence has no steps.
            #[track_caller]
            pub fn run_masked<'t>(
                &self,
                x: Var<'t, T>,
                mask: impl IntoMask<'t, T>,
                start: impl Into<Option<$State>>,
            ) -> (Var<'t, T>, $State) {
                let scope = x.tape().open(self);
                let start = start.into().map(|$given| $from);
                let valid = Valid::Mask(mask.into_mask(x.tape()));
                let (y, $array) = sequence::run(&self.cells, self.options, x, valid, start);
                scope.close((y, $to))
            }

            /// Returns the suffix of the names of a cell's parameters.
            fn suffix(&self, cell: usize) -> String {
                let directions = self.options.directions();
                let reverse = if cell % directions == 1 { "_reverse" } else { "" };
                format!("_l{}{reverse}", cell / directions)
            }
        }

        /// The parameters are named after the layer and the direction, as in PyTorch.
        impl<T: Float> Module for $Layer<T> {
            fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
                for (i, cell) in self.cells.iter().enumerate() {
                    for (name, param) in cell.params() {
                        let name = name.to_string() + &self.suffix(i);
                        if let Some(param) = param {
                            param.visit(&path.child(&name), see);
                        }
                    }
                }
            }
            fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
                let suffixes: Vec<_> = (0..self.cells.len()).map(|i| self.suffix(i)).collect();
                for (cell, suffix) in self.cells.iter_mut().zip(suffixes) {
                    for (name, param) in cell.params_mut() {
                        if let Some(param) = param {
                            param.visit_mut(&path.child(&(name.to_string() + &suffix)), see);
                        }
                    }
                }
            }
            fn first_state(&self) -> Option<FirstState> {
                self.cells.first()?.weight_ih.first_state().map(FirstState::below)
            }
            fn outline(&self) -> Outline {
                let mut outline = Outline::new(stringify!($Layer));
                for (i, cell) in self.cells.iter().enumerate() {
                    for (name, param) in cell.params() {
                        if let Some(param) = param {
                            outline = outline.field(name.to_string() + &self.suffix(i), param);
                        }
                    }
                }
                let SequenceOptions { bidirectional: _, batch_first, dropout } = self.options;
                let options = [
                    ("dropout", format!("{dropout:?}"), "0.0"),
                    ("batch_first", batch_first.to_string(), "false"),
                ];
                crate::print::changed(self.cells[0].print_options(outline), &options)
            }
        }

        impl<T: Float> fmt::Display for $Layer<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.outline().fmt(f)
            }
        }

        /// Returns the outputs of all steps, beginning with states of zeros.
        impl<T: Float> Layer<T> for $Layer<T> {
            #[track_caller]
            fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                sequence::run(&self.cells, self.options, x, Valid::All, None).0
            }
        }
    };
}

recurrent! {
    /// A plain recurrent network: each step computes `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or
    /// with the rectifier instead of tanh. [`RnnCell`] computes single steps.
    ///
    /// As a [`Layer`], it returns the outputs of all steps, beginning with states of zeros.
    /// [`run`](Rnn::run) takes and returns states.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::Rnn;
    /// use wengert::tensor::{Philox, Tensor};
    /// let layer = Rnn::new(3, 4, &mut Philox::new(0)).relu();
    /// let tape = Tape::new();
    /// let (y, h) = layer.run(tape.constant(Tensor::ones(&[7, 2, 3])), None);
    /// assert_eq!((y.shape(), h.shape()), ([7, 2, 4].into(), [1, 2, 4].into()));
    /// ```
    Rnn of RnnCell, Var<'t, T>, |h| [h], |[h]| h
}

recurrent! {
    /// A long short-term memory. [`LstmCell`] has the formulas of a step, and computes single
    /// steps.
    ///
    /// As a [`Layer`], it returns the outputs of all steps, beginning with states of zeros.
    /// [`run`](Lstm::run) takes and returns the states (h, c).
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::Lstm;
    /// use wengert::tensor::{Philox, Tensor};
    /// let rng = &mut Philox::new(0);
    /// let layer = Lstm::new(3, 4, rng).layers(2, rng).bidirectional(rng).batch_first();
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::ones(&[2, 7, 3]));
    /// let (y, (h, c)) = layer.run_lengths(x, &[7, 5], None);
    /// assert_eq!(y.shape(), [2, 7, 8]);
    /// assert_eq!((h.shape(), c.shape()), ([4, 2, 4].into(), [4, 2, 4].into()));
    /// ```
    ///
    /// # Truncated back-propagation through time
    /// A long sequence is trained in pieces, each on a tape of its own. The states at the end of a
    /// piece go to the next tape as tensors, through which no gradient flows. (Within one tape,
    /// [`detach`](Var::detach) does the same.)
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{Lstm, mse};
    /// use wengert::tensor::{Philox, Tensor};
    /// let mut rng = Philox::new(0);
    /// let layer = Lstm::new(1, 1, &mut rng);
    /// let x = Tensor::uniform(&[60, 1, 1], -1.0, 1.0, &mut rng);
    ///
    /// let mut state: Option<(Tensor, Tensor)> = None;
    /// for piece in x.split(0, &[20; 3]) {
    ///     let tape = Tape::train(&mut rng);
    ///     let start = state.map(|(h, c)| (tape.constant(h), tape.constant(c)));
    ///     let x = tape.constant(piece);
    ///     let (y, (h, c)) = layer.run(x, start);
    ///     state = Some((h.value(), c.value()));
    ///     let gradients = mse(y, x).backward(); // through the 20 steps of this piece
    ///     assert_eq!(gradients.len(), 4);
    /// }
    /// ```
    Lstm of LstmCell, (Var<'t, T>, Var<'t, T>), |state| [state.0, state.1], |[h, c]| (h, c)
}

recurrent! {
    /// A network of gated recurrent units. [`GruCell`] has the formulas of a step, and computes
    /// single steps.
    ///
    /// As a [`Layer`], it returns the outputs of all steps, beginning with states of zeros.
    /// [`run`](Gru::run) takes and returns states.
    ///
    /// ```
    /// use wengert::nn::{Gru, Layer};
    /// use wengert::tensor::{Philox, Tensor};
    /// let layer = Gru::new(3, 4, &mut Philox::new(0)).batch_first();
    /// assert_eq!(layer.predict(&Tensor::ones(&[2, 7, 3])).shape(), [2, 7, 4]);
    /// ```
    Gru of GruCell, Var<'t, T>, |h| [h], |[h]| h
}

impl<T: Float> Rnn<T> {
    /// Replaces tanh by the rectifier.
    #[must_use]
    pub fn relu(self) -> Self {
        let cells = self.cells.into_iter().map(RnnCell::relu).collect();
        Rnn { cells, ..self }
    }
}

impl<T: Float> Lstm<T> {
    /// Projects the output of each step to a smaller size: `h' = W_hr (o · tanh c')`. The state h
    /// and the output have this size; c keeps its size. The weights are called `weight_hr_l0`, and
    /// so on. Call it on a fresh layer: the weights are drawn again. (Sak, Senior, Beaufays, "Long
    /// short-term memory recurrent neural network architectures for large scale acoustic modeling",
    /// 2014.)
    ///
    /// # Panics
    /// If `size` is not from 1 to the size of the hidden state minus 1.
    #[must_use]
    #[track_caller]
    pub fn projection(mut self, size: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let hidden = self.hidden();
        assert!(
            (1..hidden).contains(&size),
            "Lstm: the size of the projection must be from 1 to {}, got {size}",
            hidden - 1
        );
        let first = self.cells.remove(0).projected(size, rng);
        let layers = (self.cells.len() + 1) / self.options.directions();
        let bidirectional = self.options.bidirectional;
        self.cells = vec![first];
        self.drawn(layers, bidirectional, rng)
    }
}
