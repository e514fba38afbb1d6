//! The workloads in wengert, with the same initial weights and data as in every other library.

use common::{Args, Extra, Params, Peer, X_SEED, measure, unsupported};
use wengert::models::{BasicBlock, LeNet, ResNet};
use wengert::nn::{AdaptiveAvgPool2d, Embedding, Lstm, LstmCell, TransformerEncoderLayer};
use wengert::prelude::*;

fn uniform(seed: u64, shape: &[usize], scale: f32) -> Tensor {
    Tensor::from_vec(common::uniform(seed, shape.iter().product(), scale), shape)
}

fn input(shape: &[usize]) -> Tensor {
    uniform(X_SEED, shape, 1.0)
}

/// Creates layers. Each layer takes the next values of the parameters, so the order of the calls matters.
#[derive(Default)]
struct Init(Params);

impl Init {
    fn tensor(&mut self, shape: &[usize], fan_in: usize) -> Tensor {
        Tensor::from_vec(self.0.take(shape.iter().product(), fan_in), shape)
    }

    fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let weight = self.tensor(&[outputs, inputs], inputs);
        Linear::from_tensors(weight, Some(self.tensor(&[outputs], inputs)))
    }

    /// Returns a convolution with a bias and `padding` on each side.
    fn conv(&mut self, inputs: usize, outputs: usize, kernel: usize, padding: usize) -> Conv2d {
        let fan_in = inputs * kernel * kernel;
        let weight = self.tensor(&[outputs, inputs, kernel, kernel], fan_in);
        let bias = self.tensor(&[outputs], fan_in);
        Conv2d::from_tensors(weight, Some(bias), Conv::default()).padding(padding)
    }

    /// Returns a convolution without a bias, for use before a normalisation. With stride 1 the padding keeps
    /// the size.
    fn plain(&mut self, inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Conv2d {
        let weight = self.tensor(&[outputs, inputs, kernel, kernel], inputs * kernel * kernel);
        Conv2d::from_tensors(weight, None, Conv::default()).padding(kernel / 2).stride(stride)
    }

    fn mlp(&mut self) -> Sequential {
        let (a, b, c) = (self.linear(784, 512), self.linear(512, 256), self.linear(256, 10));
        sequential![a, Relu, b, Relu, c]
    }

    fn tiny(&mut self) -> Tiny {
        Tiny { hidden: self.linear(784, 30), output: self.linear(30, 10) }
    }

    fn lenet(&mut self) -> LeNet {
        LeNet {
            conv1: self.conv(1, 6, 5, 2),
            conv2: self.conv(6, 16, 5, 0),
            fc1: self.linear(400, 120),
            fc2: self.linear(120, 84),
            fc3: self.linear(84, 10),
        }
    }

    /// Returns `wengert::models::Cnn` without dropout.
    fn cnn(&mut self) -> Sequential {
        let (a, b) = (self.conv(1, 32, 3, 0), self.conv(32, 64, 3, 0));
        let (c, d) = (self.linear(9216, 128), self.linear(128, 10));
        sequential![a, Relu, b, Relu, MaxPool2d::new(2), Flatten::new(), c, Relu, d]
    }

    fn resnet20(&mut self) -> ResNet {
        let conv1 = self.plain(3, 16, 3, 1);
        let mut inputs = 16;
        let mut stage = |outputs: usize, first_stride: usize| {
            (0..3)
                .map(|block| {
                    let stride = if block == 0 { first_stride } else { 1 };
                    let block = BasicBlock {
                        conv1: self.plain(inputs, outputs, 3, stride),
                        bn1: BatchNorm2d::new(outputs),
                        conv2: self.plain(outputs, outputs, 3, 1),
                        bn2: BatchNorm2d::new(outputs),
                        shortcut: (stride != 1 || inputs != outputs).then(|| {
                            let conv = self.plain(inputs, outputs, 1, stride);
                            (conv, BatchNorm2d::new(outputs))
                        }),
                    };
                    inputs = outputs;
                    block
                })
                .collect()
        };
        let stages = vec![stage(16, 1), stage(32, 2), stage(64, 2)];
        ResNet { conv1, bn1: BatchNorm2d::new(16), stages, fc: self.linear(64, 10) }
    }

    fn transformer(&mut self) -> TransformerEncoderLayer {
        let mut layer = TransformerEncoderLayer::new(128, 4, 512, &mut Philox::new(0))
            .dropout(0.0)
            .norm_first()
            .batch_first();
        let attention = &mut layer.self_attn;
        attention.in_proj_weight = Some(self.tensor(&[384, 128], 128).into());
        attention.in_proj_bias = Some(self.tensor(&[384], 128).into());
        attention.out_proj = self.linear(128, 128);
        layer.linear1 = self.linear(128, 512);
        layer.linear2 = self.linear(512, 128);
        layer
    }

    /// Returns a convolution of each channel and one of each pixel, as in MobileNet, after a first convolution.
    fn separable(&mut self) -> Sequential {
        let first = self.plain(1, 64, 3, 1);
        let depthwise = Conv2d::from_tensors(
            self.tensor(&[64, 1, 3, 3], 9),
            None,
            Conv { groups: 64, padding: [(1, 1); 2], ..Conv::default() },
        );
        let pointwise = self.plain(64, 128, 1, 1);
        sequential![
            first,
            BatchNorm2d::new(64),
            Relu,
            depthwise,
            BatchNorm2d::new(64),
            Relu,
            pointwise,
            BatchNorm2d::new(128),
            Relu,
            AdaptiveAvgPool2d::new(1),
            Flatten::new(),
            self.linear(128, 10),
        ]
    }

    fn lstm(&mut self) -> Recurrent {
        // The order of PyTorch's parameters. As in PyTorch, the bound is 1/√128 for all four.
        let (w_ih, w_hh) = (self.tensor(&[512, 28], 128), self.tensor(&[512, 128], 128));
        let biases = [self.tensor(&[512], 128), self.tensor(&[512], 128)];
        let cell = LstmCell::from_tensors(w_ih, w_hh, Some(biases));
        Recurrent {
            lstm: Lstm::from_cells(vec![cell], false).batch_first(),
            fc: self.linear(128, 10),
        }
    }
}

/// The mean of the vectors of some words, and a linear layer.
#[derive(Clone, Module)]
struct Words {
    table: Embedding,
    fc: Linear,
}

/// A 784-30-10 perceptron with sigmoids.
#[derive(Clone, Module)]
struct Tiny {
    hidden: Linear,
    output: Linear,
}

impl Layer for Tiny {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.output.forward(self.hidden.forward(x).sigmoid()).sigmoid()
    }
}

/// An LSTM with 128 states, and a linear layer on the last state. It maps \[N, 28, 28\] to \[N, 10\].
#[derive(Clone, Module)]
struct Recurrent {
    lstm: Lstm,
    fc: Linear,
}

impl Layer for Recurrent {
    fn call<'t>(&self, x: Var<'t>) -> Var<'t> {
        let (_, (h, _)) = self.lstm.run(x, None);
        self.fc.forward(h.squeeze(0))
    }
}

fn labels(n: usize) -> Tensor<i64> {
    let classes = common::labels(n).into_iter().map(i64::from).collect();
    Tensor::from_vec(classes, &[n])
}

fn one_hot(n: usize) -> Tensor {
    Tensor::from_vec(common::one_hot(&common::labels(n)), &[n, 10])
}

/// Measures training steps: forward pass, loss, backward pass, SGD.
fn steps<M: Module>(
    p: &Peer,
    a: &Args,
    mut model: M,
    mut optimizer: Sgd,
    loss: impl for<'t> Fn(&M, &'t Tape) -> Var<'t>,
) {
    let mut rng = Philox::new(0);
    measure(p, a, Extra::none(), || {
        let (loss, gradients) = value_and_grad(&mut rng, |tape| loss(&model, tape));
        optimizer.step(&mut model, &gradients);
        loss
    });
}

/// Measures training steps of a classifier, with momentum.
fn train(p: &Peer, a: &Args, shape: &[usize], model: impl Layer) {
    let (x, classes) = (input(shape), labels(shape[0]));
    steps(p, a, model, Sgd::new(0.01).momentum(0.9), |model, tape| {
        cross_entropy(model.forward(tape.constant(x.clone())), &classes)
    });
}

/// Measures training steps of a model that predicts numbers.
fn regress(p: &Peer, a: &Args, [x, y]: [Tensor; 2], model: impl Layer, optimizer: Sgd) {
    steps(p, a, model, optimizer, |model, tape| {
        mse(model.forward(tape.constant(x.clone())), tape.constant(y.clone()))
    });
}

fn first(x: &Tensor) -> f64 {
    f64::from(x.at(&[0; 8][..x.shape().rank()]))
}

fn main() {
    let a = common::init();
    let p = Peer {
        framework: "wengert",
        version: env!("CARGO_PKG_VERSION"),
        build: option_env!("BENCH_BUILD").unwrap_or("default"),
    };
    let mut init = Init::default();
    let w = a.workload.as_str();
    match w {
        "mlp_train" => train(&p, &a, &[128, 784], init.mlp()),
        "lenet_train" => train(&p, &a, &[64, 1, 28, 28], init.lenet()),
        "cnn_train" => train(&p, &a, &[64, 1, 28, 28], init.cnn()),
        "resnet20_train" => train(&p, &a, &[64, 3, 32, 32], init.resnet20()),
        "lstm_train" => train(&p, &a, &[64, 28, 28], init.lstm()),
        "transformer_train" => {
            let shape = [16, 256, 128];
            let data = [input(&shape), uniform(8, &shape, 1.0)];
            regress(&p, &a, data, init.transformer(), Sgd::new(0.01).momentum(0.9));
        }
        "embedding_train" => {
            let table = Embedding::from_tensors(init.tensor(&[10_000, 128], 1));
            let model = Words { table, fc: init.linear(128, 10) };
            let words = common::words(64 * 128).into_iter().map(i64::from).collect();
            let (words, classes) = (Tensor::from_vec(words, &[64, 128]), labels(64));
            steps(&p, &a, model, Sgd::new(0.5), |model, tape| {
                let mean = model.table.forward(tape, words.clone()).mean(&[1], false);
                cross_entropy(model.fc.forward(mean), &classes)
            });
        }
        "separable_train" => train(&p, &a, &[32, 1, 56, 56], init.separable()),
        "mlp_tiny_train" => {
            regress(&p, &a, [input(&[10, 784]), one_hot(10)], init.tiny(), Sgd::new(0.5));
        }
        "lenet_infer1" => {
            let (model, x) = (init.lenet(), input(&[1, 1, 28, 28]));
            measure(&p, &a, Extra::none(), || first(&model.predict(&x)));
        }
        "hvp_mlp" => {
            let (model, x, y) = (init.tiny(), input(&[10, 784]), one_hot(10));
            let shapes: [&[usize]; 4] = [&[30, 784], &[30], &[10, 30], &[10]];
            let mut seeds = 2001..;
            let vector = shapes.map(|shape| uniform(seeds.next().unwrap(), shape, 1.0));
            measure(&p, &a, Extra::none(), || {
                let tape = Tape::new();
                let parameters = [&model.hidden, &model.output].map(|layer| {
                    [tape.param(&layer.weight), tape.param(layer.bias.as_ref().unwrap())]
                });
                let parameters = parameters.as_flattened();
                let loss = mse(model.forward(tape.constant(x.clone())), tape.constant(y.clone()));
                let product = loss
                    .grad(parameters)
                    .into_iter()
                    .zip(&vector)
                    .map(|(g, v)| (g * tape.constant(v.clone())).sum_all())
                    .reduce(|sum, part| sum + part)
                    .unwrap();
                // Computes all four products, as the other libraries do.
                let products: Vec<Tensor> =
                    product.grad(parameters).into_iter().map(Var::value).collect();
                first(&products[3])
            });
        }
        "conv3x3" | "conv3x3_bwd" => {
            let shape = [32, 64, 56, 56];
            let (x, kernel) = (input(&shape), uniform(8, &[64, 64, 3, 3], 1.0 / 24.0));
            let conv = Conv { padding: [(1, 1); 2], ..Conv::default() };
            let flops = 2.0 * 32.0 * 64.0 * 64.0 * 9.0 * 56.0 * 56.0;
            if w == "conv3x3" {
                measure(&p, &a, Extra::flops(flops), || first(&x.conv2d(&kernel, None, &conv)));
            } else {
                let g = uniform(9, &shape, 1.0);
                measure(&p, &a, Extra::flops(3.0 * flops), || {
                    let tape = Tape::new();
                    let (x, kernel) = (tape.watch(x.clone()), tape.watch(kernel.clone()));
                    let gradients = x.conv2d(kernel, None, &conv).backward_from(g.clone());
                    assert!(gradients.wrt(x).is_some());
                    first(gradients.wrt(kernel).unwrap())
                });
            }
        }
        "elementwise" => {
            let x = input(&[4 << 20]);
            measure(&p, &a, Extra::none(), || {
                let tape = Tape::new();
                let x = tape.watch(x.clone());
                let y = (x * 1.5 + 0.25).tanh().sum_all();
                let value = y.item();
                assert!(y.backward().wrt(x).is_some());
                value
            });
        }
        "exp_16m" | "add_16m" | "sum_16m" => {
            let n = [16 << 20];
            let (x, y) = (input(&n), uniform(8, &n, 1.0));
            match w {
                "exp_16m" => measure(&p, &a, Extra::none(), || first(&x.exp())),
                "add_16m" => measure(&p, &a, Extra::none(), || first(&(&x + &y))),
                _ => measure(&p, &a, Extra::none(), || f64::from(x.sum_all())),
            }
        }
        "softmax_4096x1000" => {
            let x = input(&[4096, 1000]);
            measure(&p, &a, Extra::none(), || {
                let tape = Tape::inference();
                first(&tape.constant(x.clone()).softmax(-1).value())
            });
        }
        "layernorm_4096x1024" => {
            let shape = [4096, 1024];
            let (x, g, layer) = (input(&shape), uniform(9, &shape, 1.0), LayerNorm::new(&[1024]));
            measure(&p, &a, Extra::none(), || {
                let tape = Tape::new();
                let x = tape.watch(x.clone());
                let gradients = layer.forward(x).backward_from(g.clone());
                assert!(gradients.wrt(x).is_some());
                assert!(gradients.get(layer.bias.as_ref().unwrap()).is_some());
                first(gradients.get(layer.weight.as_ref().unwrap()).unwrap())
            });
        }
        "chain_10k" => {
            let x0 = Tensor::from([0.5f32]);
            measure(&p, &a, Extra::ops(10_000.0), || {
                let tape = Tape::new();
                let x = tape.watch(x0.clone());
                let y = (0..5000).fold(x, |y, _| y * 1.0001 + 0.0001);
                first(y.sum_all().backward().wrt(x).unwrap())
            });
        }
        _ if w.starts_with("matmul_") => {
            let n: usize = w["matmul_".len()..].parse().unwrap();
            let (x, y) = (input(&[n, n]), uniform(8, &[n, n], 1.0));
            measure(&p, &a, Extra::flops(2.0 * (n as f64).powi(3)), || first(&x.matmul(&y)));
        }
        _ => unsupported(&p, &a, "unknown workload"),
    }
}
