//! The pointwise part of a step of a long short-term memory. The products of a step are ordinary products.
//!
//! The rule of a step is one operation, with a kernel of its own. The rule of that operation is a formula of ordinary
//! operations: so derivatives of every order are right.

use crate::graph::{Call, Cotangents, Lstm, Op, Reads, Var};
use smallvec::SmallVec;
use wengert_tensor::{Float, Tensor, shapes};

impl Lstm {
    pub fn eval<T: Float>(self, x: &[Tensor<T>]) -> SmallVec<[Tensor<T>; 1]> {
        match self {
            Lstm::Step => x[0].lstm_step(&x[1], &x[2]).into_iter().collect(),
            Lstm::Gradient => {
                x[0].lstm_step_gradient([&x[1], &x[2], &x[3], &x[4]]).into_iter().collect()
            }
        }
    }

    pub fn reads(self) -> Reads {
        match self {
            Lstm::Step => Reads::X2.and(Reads::Y1).and(Reads::Y2),
            Lstm::Gradient => Reads::ALL,
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        match self {
            Lstm::Step => step(c),
            Lstm::Gradient => gradient(c),
        }
    }
}

/// Returns the blocks i, f, g, o of a row of gates.
fn blocks<T: Float>(gates: Var<'_, T>) -> [Var<'_, T>; 4] {
    let n = gates.size(-1) / 4;
    [0, 1, 2, 3].map(|block| gates.narrow(-1, block * n, n))
}

/// The operands are x, r and c, the outputs h', c' and the activated gates. Both contributions to the gates have the same
/// gradient.
fn step<'t, T: Float>(c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
    let (tape, shape) = (c.tape(), c.x_shape(2));
    let mut by_gates = None;
    let mut by_c = None;
    if c.gy_of(0).is_some() || c.gy_of(1).is_some() {
        let [gh, gc] = [0, 1].map(|output| c.gy_of(output).unwrap_or_else(|| tape.zeros(&shape)));
        let operands = [c.y(2), c.x(2), c.y(1), gh, gc];
        let shapes = [c.x_shape(0), shape];
        let first = tape.apply_outputs(Op::Lstm(Lstm::Gradient), &operands, &shapes, 2);
        by_gates = Some(Var { tape, id: first });
        by_c = Some(Var { tape, id: first + 1 });
    }
    if let Some(ga) = c.gy_of(2) {
        // The gates themselves: σ' = σ (1 - σ), tanh' = 1 - tanh².
        let [i, f, g, o] = blocks(c.y(2));
        let [of_i, of_f, of_g, of_o] = blocks(ga);
        let by_sigmoid = |of: Var<'t, T>, y: Var<'t, T>| of * (y * (1 - y));
        let parts =
            [by_sigmoid(of_i, i), by_sigmoid(of_f, f), of_g * (1 - g * g), by_sigmoid(of_o, o)];
        let through_gates = Var::concat(&parts, -1);
        by_gates = Some(by_gates.map_or(through_gates, |g| g + through_gates));
    }
    let zeros = |arg: usize| tape.zeros(&c.x_shape(arg));
    let given = [by_gates, by_gates, by_c].into_iter().enumerate();
    let wanted = |(arg, g): (usize, Option<Var<'t, T>>)| {
        c.wants(arg).then(|| g.unwrap_or_else(|| zeros(arg)))
    };
    Cotangents(given.map(wanted).collect())
}

/// The operands are the gates i, f, g, o, then c, c', and the gradients gh and gc of h' and c'. With t = tanh c' and
/// s = gc + gh · o · (1 - t²), the whole gradient of c', the outputs are
///
/// - s · g · i (1 - i), s · c · f (1 - f), s · i · (1 - g²) and gh · t · o (1 - o), one block after the other;
/// - s · f.
fn gradient<'t, T: Float>(call: &Call<'_, 't, T>) -> Cotangents<'t, T> {
    let [i, f, g, o] = blocks(call.x(0));
    let [c, new, gh, gc] = [1, 2, 3, 4].map(|arg| call.x(arg));
    let tape = call.tape();
    let h = call.gy_of(0).unwrap_or_else(|| tape.zeros(&call.x_shape(0)));
    let hc = call.gy_of(1).unwrap_or_else(|| tape.zeros(&call.x_shape(1)));
    let [hi, hf, hg, ho] = blocks(h);
    let t = new.tanh();
    let of_t = 1 - t * t;
    let [of_i, of_f, of_g, of_o] = [i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)];
    let s = gc + gh * o * of_t;

    let by_s = hi * g * of_i + hf * c * of_f + hg * i * of_g + hc * f;
    let by_t = ho * gh * of_o - 2 * by_s * gh * o * t;
    let by_gates = [
        s * (hi * g * (1 - 2 * i) + hg * of_g),
        s * (hf * c * (1 - 2 * f) + hc),
        s * (hi * of_i - 2 * hg * i * g),
        gh * (ho * t * (1 - 2 * o) + by_s * of_t),
    ];
    let by_gh = by_s * o * of_t + ho * t * of_o;
    let all = [Var::concat(&by_gates, -1), hf * s * of_f, by_t * of_t, by_gh, by_s];
    let wanted = all.into_iter().enumerate().map(|(arg, by)| call.wants(arg).then_some(by));
    Cotangents(wanted.collect())
}

impl<'t, T: Float> Var<'t, T> {
    /// Computes the pointwise part of a step of a long short-term memory from two contributions to the gates [… , 4 · n],
    /// `self` and `r`, and the state c [… , n]. The blocks of the gates are in the order i, f, g, o:
    ///
    /// - i, f and o are the sigmoid of the sum of both contributions, g is its tanh;
    /// - c' = f · c + i · g, and h' = o · tanh c'.
    ///
    /// Returns h' and c'.
    ///
    /// # Panics
    /// If the shapes do not agree, or the variables are on different tapes.
    #[doc(hidden)]
    #[track_caller]
    pub fn lstm_step(self, r: Self, c: Self) -> [Self; 2] {
        let tape = self.tape;
        for operand in [r, c] {
            tape.same_tape("lstm_step", operand.tape);
        }
        let (gates, state) = (self.shape(), c.shape());
        self.fits(shapes::lstm_step(&gates, &r.shape(), &state));
        let operands = [self, r, c];
        let h = tape.apply_outputs(Op::Lstm(Lstm::Step), &operands, &[state, state, gates], 3);
        [h, h + 1].map(|id| Var { tape, id })
    }
}
