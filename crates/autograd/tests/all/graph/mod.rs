//! Graphs: the recorded program as data, as a picture and as JSON.

mod dot;
mod json;
mod nodes;

use wengert_autograd::{Buffer, Graph, Param, Tape, Var};
use wengert_tensor::{Conv, Philox, Pool, Tensor};

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape)
}

/// Two linear layers without biases, with tanh between them. The input has 5 rows of 3 numbers.
struct Mlp {
    layers: (Param, Param),
}

impl Mlp {
    fn new() -> Self {
        let rng = &mut Philox::new(0);
        let mut weight = |shape: &[usize]| Tensor::normal(shape, 0.0, 1.0, rng).into();
        Mlp { layers: (weight(&[3, 4]), weight(&[4, 6])) }
    }

    /// Records the model and returns the parameters and the loss.
    fn run<'t>(&self, tape: &'t Tape) -> ([Var<'t>; 2], Var<'t>) {
        let x = tape.constant(ones(&[5, 3]));
        let w1 = tape.param(&self.layers.0);
        let h = x.matmul(w1).tanh();
        let w2 = tape.param(&self.layers.1);
        ([w1, w2], h.matmul(w2).sum_all())
    }
}

/// Returns graphs of many kinds, to be drawn and exported.
fn programs() -> Vec<(&'static str, Graph)> {
    let mut all = vec![];
    let mut add = |name, tape: &Tape| all.push((name, tape.graph()));
    add("empty", &Tape::new());

    let tape = Tape::new();
    let (w, loss) = Mlp::new().run(&tape);
    add("mlp", &tape);
    let slopes = loss.grad(&w);
    add("mlp, gradients", &tape);
    // A penalty on the gradient is differentiated again.
    let penalty = slopes[0].square().sum_all() + loss;
    penalty.grad(&w);
    add("mlp, gradients of a penalty on gradients", &tape);
    let rows = slopes[1].square().sum(&[1], false);
    rows.sum_all().grad(&[w[0]])[0].square().sum_all().grad(&[w[0]]);
    add("mlp, third derivatives", &tape);

    let tape = Tape::train(&mut Philox::new(0));
    let x = tape.watch(Tensor::normal(&[2, 3, 8, 8], 0.0, 1.0, &mut Philox::new(1)));
    let k = tape.watch(ones(&[4, 3, 3, 3]));
    let y = tape.scope("block", || {
        let y = tape.scope("conv", || x.conv2d(k, None, &Conv::default().stride(2).padding(1)));
        tape.scope("pool", || y.max_pool2d(&Pool::new(2))).dropout(0.5)
    });
    let class = y.flatten(1, -1).argmax(1, true);
    let loss = y.flatten(1, -1).gather(1, class).sum_all();
    loss.grad(&[x, k]);
    add("convolution, pooling, an index", &tape);

    let tape = Tape::new();
    let x = tape.watch(Tensor::from([1.0, 2.0, 3.0]));
    let buffer = Buffer::new(ones(&[3]));
    tape.scope("a \"quoted\\ \n{name}\" <b>&", || {
        let y = x.clamp_min(f64::NEG_INFINITY) + tape.full(&[3], f64::INFINITY);
        y * tape.full(&[3], f64::NAN) * 0.1 + 1e-5 + tape.buffer(&buffer).detach()
    });
    add("names and numbers that need care", &tape);
    all
}
