//! Gradients of each sample of a batch, computed in one pass with expanded parameters, and compared with
//! one pass per sample.

use wengert_autograd::{Param, Tape, Var};
use wengert_tensor::{Conv, Philox, Tensor};

fn numbers(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::<f32>::normal(shape, 0.0, 0.5, &mut Philox::new(seed)).cast()
}

const N: usize = 5;

/// Returns the parameters of a model: a convolution from 2 channels to 3 with a bias, tanh, and a linear
/// layer from 3·4·4 to 2.
fn model() -> [Param<f64>; 4] {
    [(&[3, 2, 3, 3][..], 1), (&[3], 2), (&[48, 2], 3), (&[2], 4)]
        .map(|(shape, seed)| Param::new(numbers(shape, seed)))
}

/// Returns the sum of the losses of samples of shape [n, 2, 6, 6].
fn loss<'t>(x: Var<'t, f64>, w: &[Var<'t, f64>]) -> Var<'t, f64> {
    let h = x.conv2d(w[0], Some(w[1]), &Conv::new()).tanh().flatten(1, -1);
    (h.matmul(w[2]) + w[3]).logsumexp(&[1], false).sum_all()
}

/// Returns the same sum with parameters for each sample, of shape [n, …].
fn expanded_loss<'t>(x: Var<'t, f64>, w: &[Var<'t, f64>]) -> Var<'t, f64> {
    let n = x.size(0);
    // The samples become groups of channels of one image.
    let image = x.reshape(&[1, -1, 6, 6]);
    let weight = w[0].flatten(0, 1);
    let h = image.conv2d(weight, Some(w[1].flatten(0, 1)), &Conv::new().groups(n)).tanh();
    // There is one matrix product for each sample.
    let h = h.reshape(&[n as isize, 1, -1]);
    (h.matmul(w[2]) + w[3].unsqueeze(1)).logsumexp(&[2], false).sum_all()
}

fn near(a: &Tensor<f64>, b: &Tensor<f64>) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in a.to_vec().into_iter().zip(b.to_vec()) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
}

#[test]
fn expanded_parameters_give_the_gradients_of_each_sample() {
    let (model, x) = (model(), numbers(&[N, 2, 6, 6], 9));
    let expanded: Vec<Tensor<f64>> = {
        let tape = Tape::new();
        let expand = |p: &Param<f64>| {
            let mut shape = vec![N];
            shape.extend_from_slice(&p.shape());
            tape.param(p).unsqueeze(0).broadcast_to(shape)
        };
        let w: Vec<_> = model.iter().map(expand).collect();
        let loss = expanded_loss(tape.constant(x.clone()), &w);
        loss.grad(&w).iter().map(|g| g.value()).collect()
    };
    let mut sum: Vec<Tensor<f64>> = model.iter().map(|p| Tensor::zeros_of(&p.shape())).collect();
    for i in 0..N {
        let tape = Tape::new();
        let w: Vec<_> = model.iter().map(|p| tape.param(p)).collect();
        let one = tape.constant(x.narrow(0, i, 1));
        let gradients = loss(one, &w).backward();
        for ((p, all), sum) in model.iter().zip(&expanded).zip(&mut sum) {
            let g = gradients.get(p).unwrap();
            near(&all.narrow(0, i, 1).squeeze(0), g);
            *sum += g;
        }
    }
    // The sum over the samples is the gradient of the batch.
    let tape = Tape::new();
    let w: Vec<_> = model.iter().map(|p| tape.param(p)).collect();
    let whole = loss(tape.constant(x), &w).backward();
    for (p, sum) in model.iter().zip(&sum) {
        near(whole.get(p).unwrap(), sum);
    }
}

/// The norms of the gradients of samples can be differentiated again, as in a penalty on the gradients.
#[test]
fn norms_of_gradients_of_each_sample_are_right() {
    let w = Param::new(numbers(&[4, 1], 3));
    let x = numbers(&[N, 4], 5);
    let tape = Tape::new();
    let at = tape.param(&w);
    let expanded = at.unsqueeze(0).broadcast_to([N, 4, 1]);
    let y = tape.constant(x.clone()).unsqueeze(1).matmul(expanded).sigmoid();
    let g = y.sum_all().grad(&[expanded])[0];
    let penalty = g.square().sum_all();
    let slope = penalty.backward().get(&w).unwrap().clone();
    // The penalty is Σᵢ |xᵢ|²·s'(xᵢ·w)². Its derivative is computed by hand.
    let (rows, at) = (x.to_vec(), w.value().to_vec());
    let mut wanted = vec![0.0; 4];
    for row in rows.chunks(4) {
        let z: f64 = row.iter().zip(&at).map(|(x, w)| x * w).sum();
        let s = 1.0 / (1.0 + (-z).exp());
        let d = s * (1.0 - s);
        let norm: f64 = row.iter().map(|x| x * x).sum();
        for (wanted, x) in wanted.iter_mut().zip(row) {
            *wanted += norm * 2.0 * d * d * (1.0 - 2.0 * s) * x;
        }
    }
    near(&slope, &Tensor::from_vec(wanted, &[4, 1]));
}
