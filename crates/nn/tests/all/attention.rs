//! Compares attention and transformer layers with PyTorch: state dicts, results, weights and gradients; and
//! tests blocks, caches, positions and messages.

use crate::common::panics;
use crate::reference_file::{ReferenceFile, compare_derivatives};
use wengert_autograd::{Mask, Tape, Var};
use wengert_nn::{
    Attention, KvCache, Layer, LayerNorm, LearnedPositions, Module, MultiHeadAttention,
    RotaryPositions, SinusoidalPositions, StateDict, TransformerDecoder, TransformerDecoderLayer,
    TransformerEncoder, TransformerEncoderLayer, load_state_dict, scaled_dot_product_attention,
};
use wengert_tensor::{Float, Philox, Tensor};

/// The inputs of a case on a tape.
struct Inputs<'t, T: Float> {
    q: Var<'t, T>,
    k: Option<Var<'t, T>>,
    v: Option<Var<'t, T>>,
    bias: Option<Var<'t, T>>,
    mask: Option<Mask<'t, T>>,
    padding: Option<Mask<'t, T>>,
}

impl<'t, T: Float> Inputs<'t, T> {
    fn qkv(&self) -> (Var<'t, T>, Var<'t, T>, Var<'t, T>) {
        let k = self.k.unwrap_or(self.q);
        (self.q, k, self.v.unwrap_or(k))
    }
}

/// Compares the result of `run`, the weights if it returns them, and all derivatives.
fn compare<T: Float, M: Module>(
    file: &ReferenceFile,
    case: &str,
    mut layer: M,
    run: impl for<'t> Fn(&M, Inputs<'t, T>) -> Vec<Var<'t, T>>,
) {
    let dict: StateDict = file.group(&format!("{case}/init"));
    load_state_dict(&mut layer, &dict).unwrap_or_else(|e| panic!("{case}: {e}"));
    let find = |key: &str| file.find::<T>(&format!("{case}/{key}"));
    let tape = Tape::new();
    let [q, k, v, bias] = ["q", "k", "v", "bias"].map(|key| find(key).map(|x| tape.watch(x)));
    let [mask, padding] = ["mask", "padding"].map(|key| find(key).map(|x| tape.mask(x.gt(0.5))));
    let results = run(&layer, Inputs { q: q.unwrap(), k, v, bias, mask, padding });
    file.compare(case, "y", &results[0].value());
    if let Some(weights) = results.get(1) {
        file.compare(case, "weights", &weights.value());
    }
    let loss = (results[0] * tape.constant(find("seed").unwrap())).sum_all();
    let inputs = [("q", q), ("k", k), ("v", v), ("bias", bias)];
    let inputs = inputs.into_iter().filter_map(|(key, input)| Some((key.to_string(), input?)));
    compare_derivatives(file, case, loss, inputs.collect(), &layer);
}

fn all<T: Float>(file: &ReferenceFile) {
    let function = |name, run: for<'t> fn(Inputs<'t, T>) -> Attention<'t, T>| {
        compare(file, name, (), |(), inputs| {
            let (q, k, v) = inputs.qkv();
            vec![scaled_dot_product_attention(q, k, v, &run(inputs))]
        });
    };
    function("plain", |_| Attention::new());
    function("matrices", |_| Attention::new());
    function("scaled", |_| Attention::new().scale(0.7));
    function("causal", |_| Attention::new().causal());
    function("allowed", |inputs| Attention::new().allow(inputs.mask.unwrap()));
    function("shut", |inputs| Attention::new().allow(inputs.mask.unwrap()));
    function("biased", |inputs| Attention::new().bias(inputs.bias.unwrap()));

    let rng = &mut Philox::new(0);
    let heads = |name, layer: MultiHeadAttention<T>, weights: Option<bool>| {
        compare(file, name, layer, |layer, inputs| {
            let (q, k, v) = inputs.qkv();
            let mut how = Attention::new();
            if let Some(mask) = inputs.mask {
                how = how.block(mask);
            }
            if let Some(padding) = inputs.padding {
                how = how.padding(padding);
            }
            match weights {
                Some(average) => {
                    let (y, weights) = layer.run_with_weights(q, k, v, &how, average);
                    // The function without weights gives the same result.
                    let same = layer.run(q, k, v, &how).value() - y.value();
                    assert!(same.to_vec().iter().all(|d| d.to().abs() < 1e-6));
                    vec![y, weights]
                }
                None => vec![layer.run(q, k, v, &how)],
            }
        });
    };
    heads("heads", MultiHeadAttention::of(6, 3, rng), Some(true));
    heads("heads_first", MultiHeadAttention::of(6, 3, rng).batch_first(), None);
    heads("heads_one", MultiHeadAttention::of(6, 2, rng), Some(true));
    heads("heads_memory", MultiHeadAttention::of(6, 3, rng).batch_first(), Some(false));
    let sizes = MultiHeadAttention::of(6, 3, rng).key_value_sizes(5, 4, rng).batch_first();
    heads("heads_sizes", sizes, Some(true));
    heads("heads_plain", MultiHeadAttention::of(6, 3, rng).without_bias(), None);

    let encoder = || TransformerEncoderLayer::<T>::of(6, 3, 7, &mut Philox::new(1)).dropout(0.0);
    let decoder = || TransformerDecoderLayer::<T>::of(6, 3, 7, &mut Philox::new(2)).dropout(0.0);
    let norm = || LayerNorm::<T>::of(&[6]);
    compare(file, "encoder", encoder(), |layer, inputs| {
        vec![layer.run(inputs.q, &Attention::new().causal())]
    });
    let first = encoder().norm_first().gelu().batch_first();
    compare(file, "encoder_first", first, |layer, inputs| {
        vec![layer.run(inputs.q, &Attention::new().padding(inputs.padding.unwrap()))]
    });
    compare(file, "decoder", decoder(), |layer, inputs| {
        let (how, memory) = (Attention::new().causal(), inputs.k.unwrap());
        vec![layer.run(inputs.q, memory, &how, &Attention::new())]
    });
    let first = decoder().norm_first().gelu().batch_first();
    compare(file, "decoder_first", first, |layer, inputs| {
        let (memory, padding) =
            (inputs.k.unwrap(), Attention::new().padding(inputs.padding.unwrap()));
        vec![layer.run(inputs.q, memory, &Attention::new(), &padding)]
    });
    let stack = TransformerEncoder::new(vec![encoder(), encoder()]).norm(norm());
    compare(file, "encoder_stack", stack, |layer, inputs| vec![layer.forward(inputs.q)]);
    let stack = TransformerDecoder::new(vec![decoder(), decoder()]).norm(norm());
    compare(file, "decoder_stack", stack, |layer, inputs| {
        vec![layer.run(inputs.q, inputs.k.unwrap(), &Attention::new(), &Attention::new())]
    });
}

#[test]
fn attention_agrees_with_pytorch() {
    let file = ReferenceFile::load("attention");
    all::<f64>(&file);
    file.finish();
}

#[test]
fn attention_in_f32_agrees_with_pytorch_to_6_digits() {
    all::<f32>(&ReferenceFile::with_bounds("attention", [3e-6, 5e-6, 5e-5]));
}

fn masked<'t>(padding: Mask<'t, f64>, block: Mask<'t, f64>, causal: bool) -> Attention<'t, f64> {
    let how = Attention::new().padding(padding).block(block);
    if causal { how.causal_after(100) } else { how }
}

fn normal(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::normal_of(shape, 0.0, 1.0, &mut Philox::new(seed))
}

#[track_caller]
fn near(a: &Tensor<f64>, b: &Tensor<f64>, tolerance: f64) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in a.to_vec().into_iter().zip(b.to_vec()) {
        assert!((a - b).abs() <= tolerance, "{a} and {b}");
    }
}

/// Attention by plain loops: the result for one head of q [L, E], k [S, E], v [S, D], and `seen(i, j)`.
fn by_loops(
    [q, k, v]: [&Tensor<f64>; 3],
    scale: f64,
    seen: impl Fn(usize, usize) -> bool,
) -> Vec<f64> {
    let (l, s, e, d) = (q.size(0), k.size(0), q.size(1), v.size(1));
    let mut all = Vec::new();
    for i in 0..l {
        let weights: Vec<f64> = (0..s)
            .map(|j| {
                let score: f64 = (0..e).map(|x| q.at(&[i, x]) * k.at(&[j, x])).sum();
                if seen(i, j) { (scale * score).exp() } else { 0.0 }
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        for x in 0..d {
            let total: f64 = (0..s).map(|j| weights[j] * v.at(&[j, x])).sum();
            all.push(if sum > 0.0 { total / sum } else { 0.0 });
        }
    }
    all
}

#[test]
fn attention_by_plain_loops() {
    let (q, k, v) = (normal(&[4, 3], 1), normal(&[6, 3], 2), normal(&[6, 2], 3));
    let tape = Tape::new();
    let [qv, kv, vv] = [&q, &k, &v].map(|x| tape.constant(x.clone()));
    let compare = |how: Attention<'_, f64>, scale: f64, seen: &dyn Fn(usize, usize) -> bool| {
        let y = scaled_dot_product_attention(qv, kv, vv, &how).value();
        near(&y, &Tensor::from_vec(by_loops([&q, &k, &v], scale, seen), &[4, 2]), 1e-14);
    };
    let scale = 1.0 / 3f64.sqrt();
    compare(Attention::new(), scale, &|_, _| true);
    compare(Attention::default().scale(-2.0), -2.0, &|_, _| true);
    compare(Attention::new().causal(), scale, &|i, j| j <= i);
    compare(Attention::new().causal_after(3), scale, &|i, j| j <= i + 3);
    let odd = tape.mask(Tensor::from_fn(&[4, 6], |at| at % 2 == 1));
    compare(Attention::new().allow(odd), scale, &|_, j| j % 2 == 1);
    compare(Attention::new().block(odd).causal(), scale, &|i, j| j % 2 == 0 && j <= i);
    let padding = tape.mask(Tensor::from_fn(&[6], |at| at < 2));
    compare(Attention::new().padding(padding), scale, &|_, j| j >= 2);
    // The first two queries see no key at all.
    compare(Attention::new().padding(padding).causal(), scale, &|i, j| j >= 2 && j <= i);
    let bias = Tensor::from_fn(&[1, 6], |at| if at == 4 { f64::NEG_INFINITY } else { 0.0 });
    compare(Attention::new().bias(tape.constant(bias)), scale, &|_, j| j != 4);
}

/// A query that sees nothing has the result 0 and the gradient 0; no gradient is NaN.
#[test]
fn a_query_without_keys() {
    let tape = Tape::new();
    let [q, k, v] = [4, 5, 6].map(|seed| tape.watch(normal(&[3, 2], seed)));
    let shut = tape.mask(Tensor::from_fn(&[3, 3], |at| at < 3));
    let minus = Tensor::from_fn(&[3, 3], |at| if at < 3 { f64::NEG_INFINITY } else { 0.0 });
    for how in [Attention::new().block(shut), Attention::new().bias(tape.constant(minus))] {
        let y = scaled_dot_product_attention(q, k, v, &how);
        assert_eq!(y.value().to_vec()[..2], [0.0, 0.0]);
        let gradients = y.square().sum_all().grad(&[q, k, v]);
        assert_eq!(gradients[0].value().to_vec()[..2], [0.0, 0.0]);
        for gradient in gradients {
            assert!(gradient.value().to_vec().iter().all(|g| g.is_finite()));
        }
    }
}

/// More than a million scores are computed in blocks: with the results and gradients of each head alone,
/// and without computing all scores at once.
#[test]
fn blocks_of_scores() {
    // Blocks of which the backward pass computes the weights again, and of which it keeps them.
    for features in [4, 80] {
        blocks_of_scores_with(features);
    }
}

fn blocks_of_scores_with(features: usize) {
    let (n, heads, l, s) = (2, 3, 400, 600); // 1.44 million scores
    let values = [l, s, s].map(|len| (len, normal(&[n, heads, len, features], len as u64)));
    let padding = Tensor::from_fn(&[n, s], |at| at % 7 == 3);
    let block = Tensor::from_fn(&[heads, l, s], |at| at % 5 == 1);
    let run = |causal: bool, split: bool| {
        let tape = Tape::new().profiled();
        let [q, k, v] = values.each_ref().map(|(_, x)| tape.watch(x.clone()));
        let (padding, block) = (tape.mask(padding.clone()), tape.mask(block.clone()));
        let y = if split {
            // One call for each batch element and head: these are never divided.
            let parts: Vec<_> = (0..n)
                .map(|i| {
                    let heads: Vec<_> = (0..heads)
                        .map(|h| {
                            let [q, k, v] =
                                [q, k, v].map(|x| x.narrow(0, i, 1).narrow(1, h, 1).squeeze(0));
                            let how =
                                masked(padding.narrow(0, i, 1), block.narrow(0, h, 1), causal);
                            scaled_dot_product_attention(q, k, v, &how)
                        })
                        .collect();
                    Var::stack(&heads, 1)
                })
                .collect();
            Var::concat(&parts, 0)
        } else {
            scaled_dot_product_attention(q, k, v, &masked(padding, block, causal))
        };
        let value = y.value();
        let gradients = y.powi(3).sum_all().backward();
        let largest = tape.profile().rows().iter().map(|row| row.written / 8).max().unwrap();
        ([q, k, v].map(|x| gradients.wrt(x).unwrap().clone()), value, largest)
    };
    for causal in [false, true] {
        let (gradients, y, largest) = run(causal, false);
        let (expected, of_parts, _) = run(causal, true);
        near(&y, &of_parts, 1e-13);
        for (gradient, expected) in gradients.iter().zip(&expected) {
            near(gradient, expected, 1e-12);
        }
        assert!(largest <= 1 << 20, "a kernel wrote {largest} numbers");
    }
}

/// One head with more than a million scores is divided by queries; the causal attention then leaves out the
/// keys that come later.
#[test]
fn blocks_of_queries() {
    let (l, s) = (700, 1600);
    let [q, k, v] = [(l, 7), (s, 8), (s, 9)].map(|(len, seed)| normal(&[1, len, 2], seed));
    let bias = normal(&[l, s], 10);
    for (how, past) in [(0, 0), (1, 0), (2, 900)] {
        let tape = Tape::new().profiled();
        let [qv, kv, vv] = [&q, &k, &v].map(|x| tape.watch(x.clone()));
        let bias = tape.constant(bias.clone());
        let options = Attention::new().bias(bias);
        let options = if how == 0 { options } else { options.causal_after(past) };
        let y = scaled_dot_product_attention(qv, kv, vv, &options);
        // The last queries alone.
        let rows = 20;
        let last = qv.narrow(1, l - rows, rows);
        let options = Attention::new().bias(bias.narrow(0, l - rows, rows));
        let options = if how == 0 { options } else { options.causal_after(past + l - rows) };
        let alone = scaled_dot_product_attention(last, kv, vv, &options);
        let in_all = y.narrow(1, l - rows, rows);
        near(&in_all.value(), &alone.value(), 1e-13);
        let slopes = [in_all, alone].map(|y| y.powi(3).sum_all().grad(&[qv, kv, vv]));
        for (a, b) in slopes[0].iter().zip(&slopes[1]) {
            near(&a.value(), &b.value(), 1e-12);
        }
        let largest = tape.profile().rows().iter().map(|row| row.written / 8).max().unwrap();
        assert!(largest <= 1 << 20, "a kernel wrote {largest} numbers");
    }
}

/// Dropout on the weights is that of the tape: nothing in evaluation, and in training results whose mean is
/// the result without dropout.
#[test]
fn dropout_of_weights() {
    let layer = MultiHeadAttention::<f64>::of(4, 2, &mut Philox::new(0)).batch_first();
    let dropped = layer.clone().dropout(0.5);
    let x = normal(&[1, 5, 4], 1);
    assert_eq!(layer.predict(&x), dropped.predict(&x));
    let tape = Tape::train(&mut Philox::new(2));
    let many = tape.constant(x.broadcast_to(&[20_000, 5, 4]));
    let mean = dropped.forward(many).mean(&[0], true).value();
    near(&mean, &layer.predict(&x), 0.01);
    let one = dropped.forward(tape.constant(x.clone())).value();
    assert!((one - layer.predict(&x)).abs().sum_all() > 1e-3);
}

/// Generation with a cache gives the same as the full computation, for pieces of any size.
#[test]
fn caches() {
    let rng = &mut Philox::new(11);
    let layers = (0..3).map(|i| {
        let layer = TransformerEncoderLayer::<f32>::of(8, 2, 16, rng).norm_first().batch_first();
        let mut layer = if i == 2 { layer.gelu() } else { layer };
        layer.self_attn = layer.self_attn.rotary();
        layer
    });
    let model = TransformerEncoder::new(layers.collect()).norm(LayerNorm::of(&[8]));
    let x = Tensor::normal(&[2, 9, 8], 0.0, 1.0, rng);
    let tape = Tape::inference();
    let all = model.run(tape.constant(x.clone()), &Attention::new().causal()).value();
    let mut caches = vec![KvCache::new(); 3];
    let mut start = 0;
    for len in [3, 1, 1, 4] {
        let tape = Tape::inference();
        let piece = tape.constant(x.narrow(1, start, len));
        let y = model.run_cached(piece, &mut caches).value();
        near(&y.cast(), &all.narrow(1, start, len).cast(), 1e-6);
        start += len;
        assert!(caches.iter().all(|cache| cache.len() == start));
    }
    caches[0].clear();
    assert!(caches[0].is_empty());

    let decoder = TransformerDecoder::new(vec![TransformerDecoderLayer::<f32>::of(8, 2, 16, rng)]);
    let x = Tensor::normal(&[5, 2, 8], 0.0, 1.0, rng);
    let memory = Tensor::normal(&[4, 2, 8], 0.0, 1.0, rng);
    let tape = Tape::inference().evaluating();
    let memory = tape.constant(memory);
    let (how, of_memory) = (Attention::new().causal(), Attention::new());
    let all = decoder.run(tape.constant(x.clone()), memory, &how, &of_memory).value();
    let mut caches = vec![KvCache::new()];
    for i in 0..5 {
        let token = tape.constant(x.narrow(0, i, 1));
        let y = decoder.run_cached(token, memory, &mut caches, &of_memory).value();
        near(&y.cast(), &all.narrow(0, i, 1).cast(), 1e-6);
    }
}

/// A cache that does not fit stays as it was.
#[test]
fn a_refused_call_leaves_the_cache() {
    let layer = MultiHeadAttention::<f64>::of(4, 2, &mut Philox::new(1)).batch_first();
    let mut cache = KvCache::new();
    let tape = Tape::inference();
    layer.run_cached(tape.constant(normal(&[2, 3, 4], 1)), &mut cache);
    let refused = tape.catch(|| layer.run_cached(tape.constant(normal(&[1, 3, 4], 1)), &mut cache));
    assert!(refused.is_err());
    assert_eq!(cache.len(), 3);
}

/// A masked key has no weight, however small the scores of the other keys are: also that of a bias of the
/// lowest number, and that of a product.
#[test]
fn scores_of_any_size_beside_masked_keys() {
    let tape = Tape::<f32>::new();
    let q = tape.watch(Tensor::from([[1e17f32, 0.0]]));
    let k = tape.watch(Tensor::from([[-1e17f32, 0.0], [1.0, 0.0]]));
    let v = tape.watch(Tensor::from([[1.0f32], [2.0]]));
    let how = Attention::new().block(tape.mask(Tensor::from([[false, true]])));
    let y = scaled_dot_product_attention(q, k, v, &how);
    assert_eq!(y.value().to_vec(), [1.0]);
    assert!(y.grad(&[q])[0].value().to_vec().iter().all(|&g| g == 0.0));
    let x = tape.watch(normal(&[3, 2], 1).cast());
    let lowest = tape.constant(Tensor::full(&[3], f64::from(f32::MIN)));
    let y = scaled_dot_product_attention(x, x, x, &Attention::new().bias(lowest).causal());
    let mean = x.value().mean(&[0], false);
    near(&y.value().select(0, 0).cast(), &x.value().select(0, 0).cast(), 0.0);
    near(&y.value().select(0, 2).cast(), &mean.cast(), 1e-6);
    assert!(y.sum_all().grad(&[x])[0].value().to_vec().iter().all(|g| g.is_finite()));
}

/// Masks and biases of any rank, in blocks of queries, too.
#[test]
fn masks_and_biases_without_axes() {
    for len in [3, 1100] {
        let tape = Tape::<f64>::new();
        let x = tape.watch(normal(&[len, 2], 1));
        let plain = scaled_dot_product_attention(x, x, x, &Attention::new().causal()).value();
        let none = tape.mask(Tensor::scalar_of(false));
        let bias = tape.constant(Tensor::scalar_of(0.5));
        for how in [Attention::new().causal().block(none), Attention::new().bias(bias).causal()] {
            near(&scaled_dot_product_attention(x, x, x, &how).value(), &plain, 1e-13);
        }
    }
    let tape = Tape::<f64>::new();
    let x = tape.watch(normal(&[3, 2], 1));
    let all = scaled_dot_product_attention(x, x, x, &Attention::new()).value();
    let how = Attention::new().causal_after(usize::MAX);
    assert_eq!(scaled_dot_product_attention(x, x, x, &how).value(), all);
}

/// The positions by their formulas.
#[test]
fn positions() {
    let angle = |p: usize, i: usize| p as f64 / 10000f64.powf(2.0 * i as f64 / 6.0);
    let x = normal(&[2, 5, 6], 1);
    let sines = SinusoidalPositions::new(6);
    let rotary = RotaryPositions::new(6);
    let (added, rotated) = (sines.predict(&x), rotary.predict(&x));
    let halves = rotary.halves().predict(&x);
    for (n, p, i) in (0..2).flat_map(|n| (0..5).flat_map(move |p| (0..3).map(move |i| (n, p, i)))) {
        let (sin, cos) = angle(p, i).sin_cos();
        let at = |of: &Tensor<f64>, i: usize| of.at(&[n, p, i]);
        let (a, b) = (at(&x, 2 * i), at(&x, 2 * i + 1));
        let pairs = [
            (at(&added, 2 * i), a + sin),
            (at(&added, 2 * i + 1), b + cos),
            (at(&rotated, 2 * i), a * cos - b * sin),
            (at(&rotated, 2 * i + 1), a * sin + b * cos),
        ];
        let (a, b) = (at(&x, i), at(&x, i + 3));
        let of_halves =
            [(at(&halves, i), a * cos - b * sin), (at(&halves, i + 3), a * sin + b * cos)];
        for (got, wanted) in pairs.into_iter().chain(of_halves) {
            assert!((got - wanted).abs() < 1e-14, "{n} {p} {i}: {got} for {wanted}");
        }
    }
    // The product of a query and a key depends on the difference of their positions.
    let tape = Tape::new();
    let [q, k] = [2, 3].map(|seed| tape.constant(normal(&[1, 6], seed)));
    let score = |i: usize, j: usize| (rotary.from(q, i) * rotary.from(k, j)).sum_all().item();
    assert!((score(3, 7) - score(103, 107)).abs() < 1e-12);
    assert!((score(3, 7) - score(3, 8)).abs() > 1e-3);

    let learned = LearnedPositions::<f64>::of(7, 6, &mut Philox::new(4));
    let table = learned.weight.value();
    let x = tape.constant(x);
    let y = learned.from(x, 2).value() - x.value();
    near(&y.narrow(0, 1, 1).squeeze(0), &table.narrow(0, 2, 5), 1e-15);
    let by_time = x.transpose(0, 1);
    for (a, b) in [
        (learned.forward(x), learned.clone().sequence_first().forward(by_time)),
        (sines.from(x, 3), sines.sequence_first().from(by_time, 3)),
    ] {
        assert_eq!(a.transpose(0, 1).value(), b.value());
    }
}

#[test]
fn initial_values_and_printed_form() {
    let rng = &mut Philox::new(0);
    let layer = MultiHeadAttention::<f64>::of(30, 3, rng);
    let numbers = layer.in_proj_weight.as_ref().unwrap().value().to_vec();
    let largest = numbers.iter().fold(0f64, |most, x| x.abs().max(most));
    let bound = (6f64 / 120.0).sqrt(); // fan in 30, fan out 90
    assert!(largest <= bound && largest > 0.99 * bound, "{largest}");
    for bias in [&layer.in_proj_bias, &layer.out_proj.bias] {
        assert!(bias.as_ref().unwrap().value().to_vec().iter().all(|&b| b == 0.0));
    }
    let layer = MultiHeadAttention::new(4, 2, rng).dropout(0.5).batch_first().rotary();
    assert_eq!(
        layer.to_string(),
        "\
MultiHeadAttention(
  (in_proj_weight): [12, 4]
  (q_proj_weight): None
  (k_proj_weight): None
  (v_proj_weight): None
  (in_proj_bias): [12]
  (out_proj): Linear(weight: [4, 4], bias: [4])
  (heads): 2
  (dropout): 0.5
  (batch_first): true
  (rotary): RotaryPositions(size: 2)
)"
    );
}

#[test]
fn wrong_shapes_are_refused_at_the_line_of_the_call() {
    let rng = &mut Philox::new(0);
    let tape = Tape::<f32>::new();
    let x = |shape: &[usize]| tape.zeros(shape);
    let how = Attention::new();
    panics!(
        scaled_dot_product_attention(x(&[2, 3]), x(&[5, 4]), x(&[5, 4]), &how),
        "attention: expected queries […, L, E], keys […, S, E] and values […, S, D], got [2, 3], [5, 4] and \
         [5, 4]"
    );
    let mask = tape.mask(Tensor::from_fn(&[3, 2], |_| true));
    let masked = Attention::new().block(mask);
    panics!(
        scaled_dot_product_attention(x(&[2, 3]), x(&[5, 3]), x(&[5, 4]), &masked),
        "attention: the mask [3, 2] does not broadcast to the scores [2, 5] of queries [2, 3] and keys [5, 3]"
    );
    let padded = Attention::new().padding(mask);
    panics!(
        scaled_dot_product_attention(x(&[2, 2, 3]), x(&[2, 5, 3]), x(&[2, 5, 4]), &padded),
        "attention: for keys [2, 5, 3], expected the mask of padding [2, 5], got [3, 2]"
    );
    let layer = MultiHeadAttention::new(4, 2, rng);
    panics!(
        layer.forward(x(&[5, 2, 3])),
        "multi_head_attention: expected queries [L, N, 4], or [L, 4] for one sequence, got [5, 2, 3]"
    );
    panics!(
        layer.run(x(&[5, 2, 4]), x(&[5, 2, 3]), x(&[5, 2, 3]), &how),
        "multi_head_attention: expected keys [L, N, 4]"
    );
    let encoder = TransformerEncoderLayer::new(4, 2, 8, rng).dropout(0.0);
    panics!(encoder.run(x(&[4]), &how), "multi_head_attention: expected queries [L, N, 4]");
    panics!(encoder.clone().norm_first().run(x(&[2, 3]), &how), "layer_norm: expected […, 4]");
    panics!(
        TransformerEncoder::new(vec![encoder]).run_cached(x(&[5, 2, 4]), &mut []),
        "transformer_encoder: expected 1 caches, one for each layer, got 0"
    );
    let mut cache = KvCache::new();
    layer.run_cached(x(&[1, 2, 4]), &mut cache);
    panics!(
        layer.run_cached(x(&[1, 3, 4]), &mut cache),
        "multi_head_attention: the cache is of 2 sequences with 2 heads of size 2, got an input [1, 3, 4]"
    );
    // Three sequences, or three heads? This must not depend on the sizes.
    for n in [2, 3] {
        let x = x(&[5, n, 4]);
        let mask = tape.mask(Tensor::from_fn(&[n, 5, 5], |_| false));
        let layer = MultiHeadAttention::new(4, 2, rng);
        panics!(
            layer.run(x, x, x, &Attention::new().block(mask)),
            &format!(
                "or one that broadcasts to [{n}, 2, L, S], got [{n}, 5, 5] (reshape it to [{n}, 1, 5, 5] if"
            )
        );
    }
    let learned = LearnedPositions::new(3, 4, rng);
    panics!(
        learned.from(x(&[2, 4]), usize::MAX),
        "learned_positions: expected at most 3 positions"
    );
    panics!(
        learned.from(x(&[2, 4]), 2),
        "learned_positions: expected at most 3 positions, got 2 after 2 in an input [2, 4]"
    );
    let sines = SinusoidalPositions::new(4);
    panics!(sines.from(x(&[4]), 0), "sinusoidal_positions: expected […, L, 4], got [4]");
    panics!(
        sines.sequence_first().from(x(&[5, 3]), 0),
        "sinusoidal_positions: expected [L, …, 4], got [5, 3]"
    );
    panics!(RotaryPositions::new(3), "RotaryPositions: size must be even, got 3");
    panics!(MultiHeadAttention::new(5, 2, rng), "size must be a multiple of heads, got 5 and 2");
    panics!(layer.clone().dropout(2.0), "MultiHeadAttention: p must be from 0 to 1, got 2");
    panics!(Attention::<f32>::new().dropout(-1.0), "Attention: p must be from 0 to 1, got -1");
}
