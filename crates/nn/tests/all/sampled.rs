//! Compares new activations, losses and layers with plain loops, with the definition of a probability,
//! and with finite differences; and the messages for wrong shapes.

use crate::common::panic_of;
use wengert_autograd::{Function, Gradcheck, Mode, Param, Tape, Var};
use wengert_nn::functional as f;
use wengert_nn::{
    AlphaDropout, Bilinear, BinaryStep, Conv1d, ConvTranspose1d, ConvTranspose2d, CrossEntropy,
    Ctc, Dice, DropPath, Dropout1d, Dropout3d, Embedding, EmbeddingBag, FeatureAlphaDropout, Focal,
    Gelu, GroupNorm, GumbelSoftmax, Lambda, Layer, LayerNorm, Linear, Maxout, PRelu, PixelShuffle,
    RRelu, Reduction, Residual, RmsNorm, SmoothL1, Surrogate, ZeroPad1d, ZeroPad3d, bce,
    cosine_embedding, cross_entropy, ctc_with, gaussian_nll, hinge, hinge_with, info_nce, l1,
    multilabel_margin, sequential, soft_cross_entropy, soft_margin_with, squared_hinge_with,
    triplet_margin,
};
use wengert_tensor::{Conv, Philox, Tensor};

fn numbers(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::uniform_of(shape, -2.0, 2.0, &mut Philox::new(seed))
}

#[track_caller]
fn check(f: impl Function, inputs: &[Tensor<f64>]) {
    if let Err(error) = Gradcheck::new().order(2).run(f, inputs) {
        panic!("{error}")
    }
}

#[track_caller]
fn close(got: &Tensor<f64>, wanted: &[f64]) {
    let got = got.to_vec();
    assert_eq!(got.len(), wanted.len());
    for (i, (a, b)) in got.iter().zip(wanted).enumerate() {
        assert!((a - b).abs() <= 1e-13 * b.abs().max(1.0), "element {i}: {a} for {b}");
    }
}

/// The PyTorch page checks values; here every activation is differentiated twice by differences, at
/// points between the kinks.
#[test]
fn gradients_of_activations_agree_with_differences() {
    let far: Vec<f64> = (0..40).map(|i| -4.93 + 0.25 * f64::from(i)).collect();
    let x = &[Tensor::from_vec(far, &[20, 2])];
    check(|x| f::relu6(x[0]), x);
    check(|x| f::hardtanh(x[0], -1.0, 1.5), x);
    check(|x| f::threshold(x[0], 0.5, -2.0), x);
    check(|x| f::leaky_relu(x[0], 0.1), x);
    check(|x| f::elu(x[0], 1.5), x);
    check(|x| f::celu(x[0], 0.5), x);
    check(|x| f::selu(x[0]), x);
    check(|x| f::softplus(x[0]), x);
    check(|x| f::scaled_softplus(x[0], 2.0, 5.0), &[numbers(&[5], 1)]);
    check(|x| f::softsign(x[0]), x);
    check(|x| f::softshrink(x[0], 0.5), x);
    check(|x| f::hardshrink(x[0], 0.5), x);
    check(|x| f::tanhshrink(x[0]), x);
    check(|x| f::gelu(x[0]), x);
    check(|x| f::gelu_tanh(x[0]), x);
    check(|x| f::silu(x[0]), x);
    check(|x| f::mish(x[0]), x);
    check(|x| f::hardswish(x[0]), x);
    check(|x| f::hardsigmoid(x[0]), x);
    check(|x| f::log_sigmoid(x[0]), x);
    check(|x| f::softmin(x[0], 0), x);
    check(|x| f::maxout(x[0], 2), x);
    for gate in [f::glu, f::geglu, f::swiglu, f::reglu] {
        check(|x| gate(x[0], -1), x);
        check(|x| gate(x[0], 0), x);
    }
    check(|x| f::prelu(x[0], x[1]), &[x[0].clone(), numbers(&[2], 3)]);
}

#[test]
#[allow(clippy::type_complexity)] // units with their gates
fn gated_units_agree_with_loops() {
    let x = numbers(&[2, 6, 3], 1);
    let erf = |x: f64| Tensor::from([x]).erf().to_vec()[0];
    let gates: [(fn(Var<'_, f64>, isize) -> Var<'_, f64>, fn(f64) -> f64); 3] = [
        (f::glu, |b| 1.0 / (1.0 + (-b).exp())),
        (f::swiglu, |b| b / (1.0 + (-b).exp())),
        (f::reglu, |b| b.max(0.0)),
    ];
    let loops = |gate: &dyn Fn(f64) -> f64| {
        let mut wanted = vec![];
        for n in 0..2 {
            for c in 0..3 {
                for i in 0..3 {
                    wanted.push(x.at(&[n, c, i]) * gate(x.at(&[n, c + 3, i])));
                }
            }
        }
        wanted
    };
    let tape = Tape::new();
    let var = tape.constant(x.clone());
    for (unit, gate) in gates {
        close(&unit(var, 1).value(), &loops(&gate));
        assert_eq!(unit(var, -2).value(), unit(var, 1).value());
    }
    let gelu = |b: f64| 0.5 * b * (1.0 + erf(b / 2f64.sqrt()));
    close(&f::geglu(var, 1).value(), &loops(&gelu));
}

/// Values of mpmath with 60 digits. In the left tail, 1 + erf would be 0.
#[test]
fn gelu_is_precise_in_its_tails() {
    let table = [
        (-38.0, -1.096462777e-314),
        (-30.0, -1.472014178144456e-196),
        (-25.5, -2.5133403123358017e-142),
        (-20.0, -5.507248237212468e-88),
        (-15.25, -1.255327584306041e-51),
        (-12.5, -4.665705373597142e-35),
        (-10.0, -7.619853024160526e-23),
        (-8.0, -4.976768459417427e-15),
        (-6.0, -5.9195258702261885e-09),
        (-5.0, -1.4332578593959695e-06),
        (-4.0, -0.0001266849673324797),
        (-3.3, -0.0015952996698664658),
        (-2.0, -0.04550026389635842),
        (-1.0, -0.15865525393145705),
        (-0.75, -0.16997051428265114),
        (-0.1, -0.0460172162722971),
        (-1e-08, -4.999999960105772e-09),
        (0.0, 0.0),
        (1e-08, 5.000000039894228e-09),
        (0.3, 0.1853734266566858),
        (1.0, 0.8413447460685429),
        (2.5, 2.4844758366855597),
        (5.0, 4.999998566742141),
        (8.3, 8.3),
        (20.0, 20.0),
        (30.0, 30.0),
    ];
    for (x, wanted) in table {
        let y: f64 = Gelu.predict(&Tensor::scalar_of(x)).item();
        let most = 4.0 * f64::EPSILON * f64::abs(wanted) + f64::from_bits(100);
        assert!((y - wanted).abs() <= most, "{x}: {y:e}, {wanted:e}");
        // In f32, Φ is subnormal below -12.8.
        let (x, wanted) = (x as f32, wanted as f32);
        if x > -12.8 && x.fract() % 0.25 == 0.0 {
            let y: f32 = Gelu.predict(&Tensor::scalar_of(x)).item();
            assert!((y - wanted).abs() <= 3.0 * f32::EPSILON * wanted.abs(), "{x}: {y:e}");
        }
    }
}

#[test]
fn derivatives_of_a_step_are_those_of_its_surrogate() {
    let x = [-1.5, -0.25, -0.0, 0.0, 0.5, 3.0];
    for surrogate in [
        Surrogate::None,
        Surrogate::StraightThrough,
        Surrogate::Sigmoid(3.0),
        Surrogate::Arctan(3.0),
    ] {
        let tape = Tape::new();
        let input = tape.watch(Tensor::from(x));
        let y = BinaryStep(surrogate).forward(input);
        assert_eq!(y.value().to_vec(), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        let first = y.sum_all().grad(&[input])[0];
        let second = first.sum_all().grad_or_zero(&[input])[0];
        let sigmoid = |x: f64| 1.0 / (1.0 + (-3.0 * x).exp());
        let exact = x.map(|x| {
            let s = sigmoid(x);
            match surrogate {
                Surrogate::None => [0.0, 0.0],
                Surrogate::StraightThrough => [1.0, 0.0],
                Surrogate::Arctan(_) => {
                    // k/2 / (1 + (½πkx)²), k = 3
                    let scaled = 1.5 * std::f64::consts::PI * x;
                    let slope = 1.5 / (1.0 + scaled * scaled);
                    [slope, -2.0 * scaled * 1.5 * std::f64::consts::PI * slope * slope / 1.5]
                }
                _ => [3.0 * s * (1.0 - s), 9.0 * s * (1.0 - s) * (1.0 - 2.0 * s)],
            }
        });
        close(&first.value(), &exact.map(|d| d[0]));
        close(&second.value(), &exact.map(|d| d[1]));
    }
}

#[test]
fn random_slopes_lie_between_the_bounds_and_are_their_mean_in_evaluation() {
    let tape = Tape::train(&mut Philox::new(1));
    let x = tape.watch(Tensor::full_of(&[500], -2.0f64));
    let y = RRelu(0.1, 0.4).forward(x);
    let slopes: Vec<f64> = y.value().to_vec().into_iter().map(|y| y / -2.0).collect();
    assert!(slopes.iter().all(|slope| (0.1..0.4).contains(slope)));
    let mean = slopes.iter().sum::<f64>() / 500.0;
    assert!((mean - 0.25).abs() < 5.0 * 0.3 / 12f64.sqrt() / 500f64.sqrt(), "{mean}");
    close(&y.sum_all().grad(&[x])[0].value(), &slopes);
    assert_eq!(RRelu(0.1, 0.4).predict(&Tensor::from([-2.0f64, 3.0])).to_vec(), [-0.5, 3.0]);
}

/// A hard sample has the frequencies of the softmax, and the derivative of the soft sample.
#[test]
fn gumbel_samples_have_the_probabilities_of_the_softmax() {
    let n = 20_000;
    let logits = Tensor::from([1.0f64, 0.0, -1.0, 0.5]);
    let tape = Tape::train(&mut Philox::new(4));
    let x = tape.watch(logits.broadcast_to(&[n, 4]).contiguous());
    let hard = f::gumbel_softmax(x, 0.7, true, -1);
    let values = hard.value().to_vec();
    assert!(values.iter().all(|&y| y == 0.0 || y == 1.0));
    let probabilities = logits.softmax(0).to_vec();
    for (i, p) in probabilities.iter().enumerate() {
        let share = values.iter().skip(i).step_by(4).sum::<f64>() / n as f64;
        assert!(
            (share - p).abs() < 5.0 * (p * (1.0 - p) / n as f64).sqrt(),
            "{i}: {share} for {p}"
        );
    }
    // Two tapes with the same generator draw the same noise.
    let gradient = |hard: bool| {
        let tape = Tape::train(&mut Philox::new(5));
        let x = tape.watch(numbers(&[3, 4], 1));
        let y = f::gumbel_softmax(x, 0.7, hard, 0);
        (y * tape.constant(numbers(&[3, 4], 2))).sum_all().grad(&[x])[0].value().to_vec()
    };
    assert_eq!(gradient(true), gradient(false));
    let x = numbers(&[3, 4], 1);
    let eval = GumbelSoftmax(0.5, false, 1).predict(&x);
    close(&eval, &(x.clone() * 2.0).softmax(1).to_vec());
    let hard = GumbelSoftmax(0.5, true, 1).predict(&x);
    assert_eq!(hard.argmax(1, false), x.argmax(1, false));
    assert_eq!(hard.sum(&[1], false).to_vec(), [1.0; 3]);
}

#[test]
fn hinge_losses_agree_with_loops_and_have_slope_0_at_the_kink() {
    let x: [f64; 7] = [-3.0, 0.5, 1.0, 2.0, 1e4, -1e4, -1.0];
    let t = [1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0];
    let tape = Tape::new();
    let (input, target) = (tape.watch(Tensor::from(x)), Tensor::from(t));
    let margins: Vec<f64> = x.iter().zip(t).map(|(x, t)| (1.0 - t * x).max(0.0)).collect();
    let none = Reduction::None;
    close(&hinge_with(input, &target, none).value(), &margins);
    let squares: Vec<f64> = margins.iter().map(|m| m * m).collect();
    close(&squared_hinge_with(input, &target, none).value(), &squares);
    let mean = margins.iter().sum::<f64>() / 7.0;
    close(&hinge(input, &target).value(), &[mean]);
    let slopes = hinge_with(input, &target, Reduction::Sum).grad(&[input])[0].value();
    let exact: Vec<f64> =
        margins.iter().zip(t).map(|(&m, t)| if m > 0.0 { -t } else { 0.0 }).collect();
    assert_eq!(slopes.to_vec(), exact);
}

/// In `f32`, too, losses of numbers at ±10⁴ are finite and near their limits, and so are their slopes.
#[test]
fn losses_are_stable_at_ten_thousand() {
    let tape = Tape::<f32>::new();
    let x = tape.watch(Tensor::from([1e4, -1e4, 1e4, -1e4]));
    let signs = Tensor::from([1.0, 1.0, -1.0, -1.0]);
    let losses = soft_margin_with(x, &signs, Reduction::None);
    assert_eq!(losses.value().to_vec(), [0.0, 1e4, 1e4, 0.0]);
    assert_eq!(losses.sum_all().grad(&[x])[0].value().to_vec(), [0.0, -1.0, 1.0, 0.0]);
    let yes = Tensor::from([1.0, 1.0, 0.0, 0.0]);
    for gamma in [0.0, 0.5, 1.0, 2.0] {
        let losses = Focal::new().gamma(gamma).reduction(Reduction::None).loss(x, &yes);
        assert_eq!(losses.value().to_vec(), [0.0, 2.5e3, 7.5e3, 0.0], "gamma {gamma}");
        let slopes = losses.sum_all().grad(&[x])[0].value().to_vec();
        assert_eq!(slopes, [0.0, -0.25, 0.75, 0.0], "gamma {gamma}");
    }
    let rows = tape.watch(Tensor::from([[1e4, -1e4], [-1e4, 1e4]]));
    let smooth = CrossEntropy::new().label_smoothing(0.5).reduction(Reduction::None);
    let losses = smooth.loss(rows, &Tensor::from([0i64, 0]));
    assert_eq!(losses.value().to_vec(), [5e3, 1.5e4]);
    assert!(losses.sum_all().grad(&[rows])[0].value().to_vec().iter().all(|g| g.is_finite()));
    let loss = info_nce(rows, rows);
    assert!(loss.item() < 1e-6);
    assert!(loss.grad(&[rows])[0].value().to_vec().iter().all(|g| g.is_finite()));
}

/// Sums the probabilities of all sequences that spell the labels.
fn enumerated(probs: &[Vec<f64>], labels: &[usize], blank: usize) -> f64 {
    let (times, classes) = (probs.len(), probs[0].len());
    let mut sum = 0.0;
    for code in 0..classes.pow(times as u32) {
        let path: Vec<usize> = (0..times).map(|t| code / classes.pow(t as u32) % classes).collect();
        let mut spelt: Vec<usize> = path.clone();
        spelt.dedup();
        spelt.retain(|&class| class != blank);
        if spelt == labels {
            sum += path.iter().zip(probs).map(|(&class, probs)| probs[class]).product::<f64>();
        }
    }
    sum
}

#[test]
fn ctc_agrees_with_the_sum_over_all_sequences() {
    let (times, classes) = (5, 3);
    let logits = numbers(&[times, 4, classes], 3);
    let log_probs = logits.log_softmax(2);
    for (blank, one, two) in [(0, 1, 2), (2, 0, 1)] {
        let lists: [Vec<usize>; 4] = [vec![one, one], vec![two], vec![], vec![one, two]];
        let lengths = [5, 3, 4, 5];
        let mut labels = vec![];
        for list in &lists {
            let mut row: Vec<i64> = list.iter().map(|&label| label as i64).collect();
            row.resize(3, 77); // is not read
            labels.extend(row);
        }
        let exact: Vec<f64> = (0..4)
            .map(|n| {
                let row = |t| (0..classes).map(|c| log_probs.at(&[t, n, c]).exp()).collect();
                let probs: Vec<Vec<f64>> = (0..lengths[n]).map(row).collect();
                -enumerated(&probs, &lists[n], blank).ln()
            })
            .collect();
        let tape = Tape::new();
        let x = tape.watch(log_probs.clone());
        let labels = Tensor::from_vec(labels, &[4, 3]);
        let counts = lists.each_ref().map(Vec::len);
        let options = Ctc::new().blank(blank).reduction(Reduction::None);
        close(&options.loss(x, &labels, &lengths, &counts).value(), &exact);
        let options = Ctc::new().blank(blank);
        check(
            |x| options.loss(x[0].log_softmax(2), &labels, &lengths, &counts),
            std::slice::from_ref(&logits),
        );
    }
}

/// Two equal labels need a blank between them, so two steps do not suffice.
#[test]
fn ctc_without_an_alignment_is_infinite_or_0() {
    let labels = Tensor::from([[1i64, 1], [1, 2]]);
    let tape = Tape::<f64>::new();
    let x = tape.watch(numbers(&[2, 2, 3], 1).log_softmax(2));
    let losses = ctc_with(x, &labels, &[2, 2], &[2, 2], Reduction::None).value().to_vec();
    assert!(losses[0] == f64::INFINITY && losses[1].is_finite());
    let options = Ctc::new().zero_infinity(true).reduction(Reduction::Sum);
    let loss = options.loss(x, &labels, &[2, 2], &[2, 2]);
    assert!((loss.item() - losses[1]).abs() < 1e-12);
    let gradient = loss.grad(&[x])[0].value();
    assert!(gradient.narrow(1, 0, 1).to_vec().iter().all(|&g| g == 0.0));
    assert!(gradient.to_vec().iter().all(|g| g.is_finite()));
    // A probability of 0 closes paths and gives no NaN.
    let x = tape.watch(Tensor::from([[0.0, f64::NEG_INFINITY], [-0.5, -1.0]]).unsqueeze(1));
    let loss = ctc_with(x, &Tensor::from([[1i64]]), &[2], &[1], Reduction::Sum);
    assert!((loss.item() - 1.0).abs() < 1e-12);
    assert_eq!(loss.grad(&[x])[0].value().to_vec(), [-1.0, 0.0, 0.0, -1.0]);
    // No steps spell the empty sequence only, as in PyTorch.
    let x = tape.watch(numbers(&[2, 3, 3], 1).log_softmax(2));
    let labels = Tensor::from([[1i64], [1], [1]]);
    let losses = ctc_with(x, &labels, &[0, 0, 2], &[0, 1, 1], Reduction::None);
    let alone = ctc_with(x.narrow(1, 2, 1), &Tensor::from([[1i64]]), &[2], &[1], Reduction::Sum);
    assert_eq!(losses.value().to_vec(), [0.0, f64::INFINITY, alone.item()]);
    let gradient = losses.narrow(0, 2, 1).sum_all().grad(&[x])[0].value();
    assert!(gradient.narrow(1, 0, 2).to_vec().iter().all(|&g| g == 0.0));
}

/// Infinite inputs have the derivatives of the straight ends.
#[test]
fn hardswish_at_infinity() {
    let tape = Tape::<f64>::new();
    let x = tape.watch(Tensor::from([f64::INFINITY, f64::NEG_INFINITY, 3.0, -3.0, 1.0]));
    let y = wengert_nn::functional::hardswish(x);
    assert_eq!(y.value().to_vec(), [f64::INFINITY, 0.0, 3.0, 0.0, 4.0 / 6.0]);
    let slopes = y.sum_all().grad(&[x])[0].value().to_vec();
    assert_eq!(slopes[..4], [1.0, 0.0, 1.0, 0.0]);
    assert!((slopes[4] - 5.0 / 6.0).abs() < 1e-15);
}

#[test]
fn gradients_of_losses_agree_with_differences() {
    let (a, b) = (numbers(&[3, 4], 1), numbers(&[3, 4], 2));
    let p = Tensor::<f64>::uniform_of(&[3, 4], 0.1, 0.9, &mut Philox::new(3));
    let classes = Tensor::from([1i64, -100, 3]);
    let weights = Tensor::from([0.5, 1.0, 2.0, 0.25]);
    for r in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        let options = CrossEntropy::new().weights(weights.clone()).ignore_index(-100);
        let options = options.label_smoothing(0.2).reduction(r);
        check(|x| options.loss(x[0], &classes), std::slice::from_ref(&a));
        check(|x| options.loss_of_probabilities(x[0], x[1]), &[a.clone(), p.clone()]);
        let options = SmoothL1::new().beta(0.3).reduction(r);
        check(|x| options.loss(x[0], x[1]), &[a.clone(), b.clone()]);
        let options = Dice::new().reduction(r);
        check(|x| options.loss(x[0], x[1]), &[p.clone(), p.clone() * 0.5]);
        let options = Focal::new().gamma(1.5).reduction(r);
        check(|x| options.loss(x[0], x[1]), &[a.clone(), p.clone()]);
    }
    check(|x| l1(x[0], x[1]), &[a.clone(), b.clone()]);
    check(|x| bce(x[0], x[1]), &[p.clone(), p.clone() * 0.5]);
    check(|x| soft_cross_entropy(x[0], x[1]), &[a.clone(), p.clone()]);
    check(|x| gaussian_nll(x[0], x[1], x[2]), &[a.clone(), b.clone(), p.clone()]);
    let signs = Tensor::from([1.0, -1.0, 1.0]);
    check(|x| cosine_embedding(x[0], x[1], &signs), &[a.clone(), b.clone()]);
    check(|x| triplet_margin(x[0], x[1], x[2]), &[a.clone(), b.clone(), p]);
    check(|x| info_nce(x[0], x[1]), &[a, b]);
}

#[test]
fn drops_of_channels_and_samples_are_whole() {
    let x = Tensor::<f64>::from_fn(&[6, 5, 2, 3, 2], |i| i as f64 + 1.0);
    let parts = |layer: &dyn Layer<f64>, x: &Tensor<f64>, size: usize| {
        let tape = Tape::train(&mut Philox::new(2));
        let input = tape.watch(x.clone());
        let y = layer.forward(input);
        let slopes = y.sum_all().grad(&[input])[0].value().to_vec();
        let values = y.value().to_vec();
        let mut kept = 0;
        for (part, (slope, given)) in
            values.chunks(size).zip(slopes.chunks(size).zip(x.to_vec().chunks(size)))
        {
            let keeps = part[0] != 0.0;
            kept += usize::from(keeps);
            for ((y, s), x) in part.iter().zip(slope).zip(given) {
                assert_eq!((*y, *s), if keeps { (x * 2.0, 2.0) } else { (0.0, 0.0) });
            }
        }
        kept
    };
    assert!((5..25).contains(&parts(&Dropout3d::new(0.5), &x, 12)));
    let signals = x.reshape(&[6, 5, 12]);
    assert!((5..25).contains(&parts(&Dropout1d::new(0.5), &signals, 12)));
    let samples = x.reshape(&[30, 12]);
    assert!((5..25).contains(&parts(&DropPath::new(0.5), &samples, 12)));
}

#[test]
fn alpha_dropout_is_the_affine_map_of_its_formula() {
    let limit = 1.758_099_340_847_376_6_f64;
    for p in [0.1, 0.5, 0.9] {
        let tape = Tape::train(&mut Philox::new(3));
        let x = numbers(&[4000], 1);
        let y = AlphaDropout::new(p).forward(tape.constant(x.clone())).value().to_vec();
        let a = ((1.0 - p) + limit * limit * (1.0 - p) * p).powf(-0.5);
        let b = a * p * limit;
        let mut dropped = 0;
        for (x, y) in x.to_vec().into_iter().zip(y) {
            if (y - (b - a * limit)).abs() < 1e-12 {
                dropped += 1;
            } else {
                assert!((y - (a * x + b)).abs() < 1e-12, "{x}: {y}");
            }
        }
        let share = f64::from(dropped) / 4000.0;
        assert!((share - p).abs() < 5.0 * (p * (1.0 - p) / 4000.0).sqrt(), "{share} for {p}");
    }
}

/// Every channel of a sample is the affine image of its elements, or the limit as a whole.
#[test]
fn alpha_dropout_of_channels_drops_whole_channels() {
    let limit = 1.758_099_340_847_376_6_f64;
    let (p, shape) = (0.3, [50, 20, 2, 3]);
    let tape = Tape::train(&mut Philox::new(4));
    let x = numbers(&shape, 1);
    let y = FeatureAlphaDropout::new(p).forward(tape.constant(x.clone())).value().to_vec();
    let a = ((1.0 - p) + limit * limit * (1.0 - p) * p).powf(-0.5);
    let b = a * p * limit;
    let mut dropped = vec![];
    for (x, y) in x.to_vec().chunks(6).zip(y.chunks(6)) {
        let gone = (y[0] - (b - a * limit)).abs() < 1e-12;
        for (x, y) in x.iter().zip(y) {
            let wanted = if gone { b - a * limit } else { a * x + b };
            assert!((y - wanted).abs() < 1e-12, "{x}: {y}");
        }
        dropped.push(gone);
    }
    let share = dropped.iter().filter(|&&gone| gone).count() as f64 / 1000.0;
    assert!((share - p).abs() < 5.0 * (p * (1.0 - p) / 1000.0).sqrt(), "{share}");
    // Neither a sample nor a channel number is dropped as a whole.
    assert!(dropped.chunks(20).all(|sample| sample.contains(&true) && sample.contains(&false)));
    assert!((0..20).all(|c| dropped.iter().skip(c).step_by(20).any(|&gone| gone)));
    let error = Tape::<f64>::check_in(Mode::Train, |tape| {
        FeatureAlphaDropout::new(0.5).forward(tape.input(&[3]));
    });
    assert_eq!(error.unwrap_err().message, "feature_alpha_dropout: expected [N, C, …], got [3]");
    let text = panic_of(|| _ = FeatureAlphaDropout::new(1.5)).0;
    assert_eq!(text, "FeatureAlphaDropout: p must be from 0 to 1, got 1.5");
}

#[test]
fn containers_and_maxout_agree_with_loops() {
    let rng = &mut Philox::new(1);
    let x = numbers(&[3, 4], 2);
    let layer = Maxout::<f64>::of(4, 2, 3, rng);
    let linear = layer.linear.predict(&x).to_vec();
    let exact: Vec<f64> =
        linear.chunks(3).map(|m| m.iter().copied().fold(f64::MIN, f64::max)).collect();
    close(&layer.predict(&x), &exact);
    let inner = Linear::<f64>::of(4, 4, rng);
    let sum = inner.predict(&x) + &x;
    let model = sequential![Residual::new(inner), Lambda::new(|x| 2.0 * x)];
    close(&model.predict(&x), &(sum * 2.0).to_vec());
    assert_eq!(
        model.to_string(),
        "Sequential(\n  (0): Residual(\n    (layer): Linear(weight: [4, 4], bias: [4])\n    (shortcut): Identity\n  \
         )\n  (1): Lambda\n)"
    );
    let names: Vec<String> =
        wengert_nn::Module::named_parameters(&model).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["0.layer.weight", "0.layer.bias"]);
    check(|x| layer.forward(x[0]), &[x]);
}

/// Repeated and padded numbers, in two lookups of one tape.
#[test]
fn gradients_of_an_embedding_add_up_per_row() {
    let layer = Embedding::<f64>::of(6, 2, &mut Philox::new(1)).padding_index(3);
    assert_eq!(layer.weight.value().narrow(0, 3, 1).to_vec(), [0.0, 0.0]);
    let tape = Tape::new();
    let first = layer.forward(&tape, &Tensor::from([[1i64, 3], [1, 0]]));
    let second = layer.forward(&tape, tape.index(Tensor::from([1i64, 3, 5])));
    let loss = first.sum_all() + 10.0 * second.sum_all();
    let gradient = loss.backward().get(&layer.weight).unwrap().to_vec();
    assert_eq!(gradient, [1.0, 1.0, 12.0, 12.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0, 10.0]);
}

#[test]
fn layers_from_given_weights_compute_with_them() {
    let rng = &mut Philox::new(1);
    let conv = Conv { padding: [(9, 9), (1, 2)], ..Conv::new().stride(2).groups(2) };
    let like = Conv1d::<f64>::of(4, 6, 3, rng).stride(2).padding([(0, 0), (1, 2)]).groups(2);
    let (w, b) = (like.weight.value(), like.bias.as_ref().unwrap().value());
    let layer = Conv1d::from_tensors(w.clone(), Some(b.clone()), conv);
    assert_eq!(layer.to_string(), like.to_string());
    assert_eq!(layer.predict(&numbers(&[2, 4, 9], 1)), like.predict(&numbers(&[2, 4, 9], 1)));

    let like = ConvTranspose2d::<f64>::of(2, 3, [3, 2], rng).stride(2).padding(1);
    let (w, b) = (like.weight.value(), like.bias.as_ref().unwrap().value());
    let conv = Conv { padding: [(1, 1), (1, 1)], ..Conv::new().stride(2) };
    let layer = ConvTranspose2d::from_tensors(w.clone(), Some(b.clone()), conv);
    assert_eq!(layer.to_string(), like.to_string());
    assert_eq!(layer.predict(&numbers(&[1, 2, 4, 3], 1)), like.predict(&numbers(&[1, 2, 4, 3], 1)));

    let x = numbers(&[3, 4], 5);
    let (w, b) = (numbers(&[4], 6), numbers(&[4], 7));
    let plain = LayerNorm::of(&[4]).without_affine().predict(&x);
    let layer = LayerNorm::from_tensors(w.clone(), Some(b.clone()));
    close(&layer.predict(&x), &(&plain * &w + &b).to_vec());
    let plain = RmsNorm::of(&[4]).without_affine().predict(&x);
    close(&RmsNorm::from_tensors(w.clone()).predict(&x), &(&plain * &w).to_vec());
    let plain = GroupNorm::of(2, 4).without_affine().predict(&x);
    let layer = GroupNorm::from_tensors(2, w.clone(), Some(b.clone()));
    close(&layer.predict(&x), &(&plain * &w + &b).to_vec());
    let running = [numbers(&[4], 8), Tensor::from([0.5, 1.0, 2.0, 4.0])];
    let layer =
        wengert_nn::BatchNorm1d::from_tensors(w.clone(), Some(b.clone()), Some(running.clone()));
    let exact = (&x - &running[0]) / (&running[1] + 1e-5).sqrt() * &w + &b;
    close(&layer.predict(&x), &exact.to_vec());
}

#[test]
#[allow(clippy::too_many_lines, clippy::type_complexity)] // a list
#[allow(clippy::semicolon_if_nothing_returned)]
fn wrong_shapes_are_refused_in_words() {
    let tape = Tape::<f32>::eval();
    let zeros = |shape: &[usize]| tape.zeros(shape);
    let rng = &mut Philox::new(0);
    let (bilinear, embeddings) = (Bilinear::new(2, 3, 1, rng), EmbeddingBag::new(4, 2, rng));
    let residual = Residual::new(Linear::new(3, 2, rng));
    let ids = |shape: &[usize]| Tensor::<i64>::zeros_of(shape);
    let cases: Vec<(Box<dyn Fn() + '_>, &str)> = vec![
        (
            Box::new(|| _ = f::glu(zeros(&[2, 3]), 1).shape()),
            "glu: the size of axis 1 must be even, because one half is the gate of the other, got [2, 3]",
        ),
        (
            Box::new(|| _ = f::maxout(zeros(&[2, 3]), 2).shape()),
            "maxout: the size of the last axis must be a multiple of the number of pieces, got [2, 3] and 2 pieces",
        ),
        (
            Box::new(|| _ = PRelu::new(4).forward(zeros(&[2, 3])).shape()),
            "prelu: expected one slope, or one for each channel on axis 1 of [2, 3], got [4]",
        ),
        (
            Box::new(|| _ = PixelShuffle(2).forward(zeros(&[2, 3, 2, 2])).shape()),
            "pixel_shuffle: expected [N, C, H, W] or [C, H, W] with a multiple of 2² channels, got [2, 3, 2, 2]",
        ),
        (
            Box::new(|| _ = ZeroPad1d::new(1).forward(zeros(&[2])).shape()),
            "zero_pad1d: expected signals [N, C, L] or [C, L], got shape [2]",
        ),
        (
            Box::new(|| _ = ZeroPad3d::new(1).forward(zeros(&[2, 2, 2])).shape()),
            "zero_pad3d: expected volumes [N, C, D, H, W] or [C, D, H, W], got shape [2, 2, 2]",
        ),
        (
            Box::new(|| _ = Dropout1d::new(0.5).forward(zeros(&[2, 2])).shape()),
            "dropout1d: expected [N, C, L], got [2, 2]",
        ),
        (
            Box::new(|| _ = bilinear.forward(zeros(&[5, 2]), zeros(&[4, 3])).shape()),
            "bilinear: expected […, 2] and […, 3], got [5, 2] and [4, 3]",
        ),
        (
            Box::new(|| _ = embeddings.forward(&tape, &ids(&[3])).shape()),
            "embedding_bag: expected bags of numbers [N, L], got [3]",
        ),
        (
            Box::new(|| _ = embeddings.forward_bags(&tape, &ids(&[3]), &[1]).shape()),
            "embedding_bag: expected numbers [n] and offsets that ascend from 0 to n, got [3] and [1]",
        ),
        (
            Box::new(|| _ = residual.forward(zeros(&[5, 3])).shape()),
            "residual: the layer and its bypass must have outputs of the same shape, got [5, 2] and [5, 3] (use shortcut for a layer that changes the shape)",
        ),
        (
            Box::new(|| _ = l1(zeros(&[2]), zeros(&[2, 1])).shape()),
            "l1: input and target must have the same shape, got [2] and [2, 1] (reshape one of them)",
        ),
        (
            Box::new(|| {
                _ = CrossEntropy::new()
                    .weights(Tensor::ones(&[2]))
                    .loss(zeros(&[4, 3]), &ids(&[4]))
                    .shape()
            }),
            "cross_entropy: scores [4, 3] with classes on axis 1 require one weight per class, [3], got [2]",
        ),
        (
            Box::new(|| _ = cross_entropy(zeros(&[4, 3]), &ids(&[3])).shape()),
            "cross_entropy: scores [4, 3] with classes on axis 1 require class numbers [4], got [3]",
        ),
        (
            Box::new(|| _ = multilabel_margin(zeros(&[4, 3]), &ids(&[4])).shape()),
            "multilabel_margin: expected scores [N, C] or [C] and targets of the same shape, got [4, 3] and [4]",
        ),
        (
            Box::new(|| _ = gaussian_nll(zeros(&[4, 3]), zeros(&[4, 3]), zeros(&[3])).shape()),
            "gaussian_nll: means [4, 3] require variances of this shape, or with the size 1 on the last axis, got [3]",
        ),
        (
            Box::new(|| _ = cosine_embedding(zeros(&[4, 3]), zeros(&[4, 3]), zeros(&[3])).shape()),
            "cosine_embedding: vectors [4, 3] require targets [4], one for each pair, got [3]",
        ),
        (
            Box::new(|| _ = triplet_margin(zeros(&[4, 3]), zeros(&[4, 3]), zeros(&[3])).shape()),
            "triplet_margin: expected vectors […, D] of the same shape, got [4, 3] and [4, 3] and [3]",
        ),
        (
            Box::new(|| _ = info_nce(zeros(&[4, 3]), zeros(&[3, 3])).shape()),
            "info_nce: expected queries and keys [N, D], one key for each query, got [4, 3] and [3, 3]",
        ),
        (
            Box::new(|| _ = Dice::new().loss(zeros(&[4]), zeros(&[4])).shape()),
            "dice: expected [N, …], got [4] (for one sample, add the batch axis with unsqueeze(0))",
        ),
        (
            Box::new(|| {
                _ = ctc_with(zeros(&[5, 2, 3]), &ids(&[3, 2]), &[5, 5], &[1, 1], Reduction::Sum)
                    .shape()
            }),
            "ctc: log-probabilities [5, 2, 3] require labels [2, S] and 2 lengths of inputs and of labels, got [3, 2], 2 and 2",
        ),
        (
            Box::new(|| {
                _ = ctc_with(zeros(&[5, 1, 3]), &ids(&[1, 2]), &[6], &[1], Reduction::Sum).shape()
            }),
            "ctc: sample 0 has input length 6 and label length 1: expected 0 to 5 and 0 to 2",
        ),
        (
            Box::new(|| {
                _ = ctc_with(zeros(&[0, 0, 3]), &ids(&[0, 2]), &[], &[], Reduction::Sum).shape()
            }),
            "ctc: expected log-probabilities [T, N, C] of at least one time step, got [0, 0, 3]",
        ),
        (
            Box::new(|| {
                _ = multilabel_margin(zeros(&[1, 3]), &Tensor::from([[2i64, -1, 7]])).shape()
            }),
            "multilabel_margin: class 7 of sample 0 is out of range 0..3",
        ),
        (
            Box::new(|| {
                _ = ctc_with(zeros(&[5, 1, 3]), &ids(&[1, 2]), &[5], &[1], Reduction::Sum).shape()
            }),
            "ctc: label 0 of sample 0 must be from 0 to 2 and not the blank, 0",
        ),
        (
            Box::new(|| {
                drop(ConvTranspose1d::from_tensors(
                    Tensor::ones(&[4, 3, 2]),
                    Some(Tensor::ones(&[3])),
                    Conv::new().groups(2),
                ))
            }),
            "ConvTranspose1d::from_tensors: a weight [4, 3, 2] requires a bias [6], got [3]",
        ),
        (
            Box::new(|| drop(Conv1d::from_tensors(Tensor::ones(&[4, 3]), None, Conv::new()))),
            "Conv1d::from_tensors: expected a weight [outputs, inputs / groups, k] with outputs a multiple of groups, got [4, 3] and 1 groups",
        ),
        (
            Box::new(|| {
                drop(LayerNorm::from_tensors(Tensor::ones(&[4]), Some(Tensor::ones(&[3]))))
            }),
            "LayerNorm::from_tensors: a weight [4] requires a bias [4], got [3]",
        ),
        (
            Box::new(|| drop(Embedding::from_tensors(Tensor::ones(&[4])))),
            "Embedding::from_tensors: expected a table [count, features], got [4]",
        ),
        (
            Box::new(|| drop(Embedding::new(4, 2, &mut Philox::new(0)).padding_index(4))),
            "Embedding::padding_index: the number must be below the number of vectors, 4, got 4",
        ),
    ];
    for (run, text) in cases {
        let (got, file, _) = panic_of(run);
        assert!(file.ends_with("sampled.rs"), "{got}: {file}");
        assert!(got.contains(text), "{got}\nfor: {text}");
    }
    // A class that is neither ignored nor below the number of classes.
    let options = CrossEntropy::new().ignore_index(-1);
    let (text, ..) =
        panic_of(|| drop(options.loss(zeros(&[2, 3]), &Tensor::from([-1i64, 3])).value()));
    assert!(text.contains("class 3 of sample 1 is out of range 0..3"), "{text}");
    assert_eq!(
        Tape::<f32>::check_in(Mode::Eval, |tape| _ = f::glu(tape.input([2, 3]), 1).shape())
            .unwrap_err()
            .message,
        "glu: the size of axis 1 must be even, because one half is the gate of the other, got [2, 3]"
    );
    let _: &Param<f32> = &embeddings.weight;
}
