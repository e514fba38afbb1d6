//! Attention with several heads.

use super::cache::KvCache;
use super::positions::RotaryPositions;
use super::product::{Attention, scaled_dot_product_attention, with_weights};
use crate::init;
use crate::layer::Layer;
use crate::linear::Linear;
use crate::print::changed;
use rand::Rng;
use wengert_autograd::{Outline, Param, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

/// Attention with several heads: queries, keys and values are projected, each head attends with its
/// part of the projections, and the results of all heads are projected again:
///
/// `head = attention(q W_qᵀ + b_q, k W_kᵀ + b_k, v W_vᵀ + b_v)`, `y = (all heads) W_oᵀ + b_o`
///
/// The attention is that of [`scaled_dot_product_attention`].
///
/// As a [`Layer`], it is self-attention without a mask: queries, keys and values are the input.
/// [`run`](MultiHeadAttention::run) takes them and [options](Attention) such as masks. (Vaswani et
/// al., "Attention is all you need", 2017.)
///
/// # Shapes
/// Queries are [L, N, size], keys [S, N, size of keys], values [S, N, size of values], and the
/// result is [L, N, size]; with [`batch_first`](MultiHeadAttention::batch_first), N is the first
/// axis. Without the axis N, they are one sequence. Masks broadcast to [N, heads, L, S]; as in
/// PyTorch, a mask may also be [N · heads, L, S]. Another mask of three axes is refused, unless its first size is 1.
///
/// # Parameters
/// Names and shapes are those of PyTorch: `in_proj_weight` contains the projections of queries,
/// keys and values, one below the other. If keys or values have another size, there are three
/// weights: `q_proj_weight`, `k_proj_weight` and `v_proj_weight`. They are drawn as by
/// [`xavier_uniform`](init::xavier_uniform), and the weight of `out_proj` as that of a [`Linear`].
/// The biases start at 0.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{Attention, MultiHeadAttention};
/// use wengert::tensor::{Philox, Tensor};
/// let layer = MultiHeadAttention::new(8, 2, &mut Philox::new(0)).batch_first();
/// let tape = Tape::new();
/// let x = tape.constant(Tensor::ones(&[3, 5, 8]));
/// let padding = tape.mask(Tensor::full(&[3, 5], 0.0).gt(0.0));
/// let how = Attention::new().causal().padding(padding);
/// assert_eq!(layer.run(x, x, x, &how).shape(), [3, 5, 8]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct MultiHeadAttention<T: Float = f32> {
    /// The projections of queries, keys and values: [3 · size, size].
    pub in_proj_weight: Option<Param<T>>,
    /// The projection of queries, if there is no `in_proj_weight`: [size, size].
    pub q_proj_weight: Option<Param<T>>,
    /// The projection of keys, if there is no `in_proj_weight`: [size, size of keys].
    pub k_proj_weight: Option<Param<T>>,
    /// The projection of values, if there is no `in_proj_weight`: [size, size of values].
    pub v_proj_weight: Option<Param<T>>,
    /// The biases of the three projections: \[3 · size\].
    pub in_proj_bias: Option<Param<T>>,
    /// The projection of the result.
    pub out_proj: Linear<T>,
    heads: usize,
    #[module(print_with = print)]
    options: HeadOptions,
}

#[derive(Clone, Copy, Debug)]
struct HeadOptions {
    dropout: f64,
    batch_first: bool,
    rotary: Option<RotaryPositions>,
}

fn print(options: &HeadOptions, outline: Outline) -> Outline {
    let HeadOptions { dropout, batch_first, rotary } = options;
    let rotary = rotary.map_or_else(String::new, |rotary| rotary.to_string());
    let options = [
        ("dropout", format!("{dropout:?}"), "0.0"),
        ("batch_first", batch_first.to_string(), "false"),
        ("rotary", rotary, ""),
    ];
    changed(outline, &options)
}

/// Returns a parameter drawn by `xavier_uniform`.
fn drawn<T: Float>(shape: &[usize], rng: &mut (impl Rng + ?Sized)) -> Param<T> {
    let mut param = Param::new(Tensor::zeros_of(shape));
    init::xavier_uniform(&mut param, 1.0, rng);
    param
}

impl MultiHeadAttention {
    /// Creates a layer of `f32` with this number of heads, each of which has size / heads elements.
    ///
    /// # Panics
    /// If `size` is 0, or is not a multiple of `heads`.
    #[track_caller]
    pub fn new(size: usize, heads: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(size, heads, rng)
    }
}

impl<T: Float> MultiHeadAttention<T> {
    /// Creates a layer of any element type, as [`MultiHeadAttention::new`] does for `f32`:
    /// `MultiHeadAttention::<f64>::of(…)`.
    ///
    /// # Panics
    /// If `size` is 0, or is not a multiple of `heads`.
    #[track_caller]
    pub fn of(size: usize, heads: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        assert!(
            size > 0 && heads > 0 && size.is_multiple_of(heads),
            "MultiHeadAttention: size must be a multiple of heads, got {size} and {heads}"
        );
        let mut out_proj = Linear::of(size, size, rng);
        out_proj.bias = Some(Tensor::zeros_of(&[size]).into());
        MultiHeadAttention {
            in_proj_weight: Some(drawn(&[3 * size, size], rng)),
            q_proj_weight: None,
            k_proj_weight: None,
            v_proj_weight: None,
            in_proj_bias: Some(Tensor::zeros_of(&[3 * size]).into()),
            out_proj,
            heads,
            options: HeadOptions { dropout: 0.0, batch_first: false, rotary: None },
        }
    }

    /// Sets the sizes of keys and values. Call it on a fresh layer: the weights are drawn again, as
    /// three parameters.
    #[must_use]
    pub fn key_value_sizes(
        self,
        keys: usize,
        values: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let size = self.size();
        MultiHeadAttention {
            in_proj_weight: None,
            q_proj_weight: Some(drawn(&[size, size], rng)),
            k_proj_weight: Some(drawn(&[size, keys], rng)),
            v_proj_weight: Some(drawn(&[size, values], rng)),
            ..self
        }
    }

    /// Removes the biases of all projections.
    #[must_use]
    pub fn without_bias(self) -> Self {
        MultiHeadAttention { in_proj_bias: None, out_proj: self.out_proj.without_bias(), ..self }
    }

    /// Sets weights of the attention to zero with this probability in training. The tape must then
    /// have a mode. A probability above 0 replaces that of the [options](Attention::dropout).
    ///
    /// # Panics
    /// If `p` is not from 0 to 1.
    #[must_use]
    #[track_caller]
    pub fn dropout(mut self, p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "MultiHeadAttention: p must be from 0 to 1, got {p}");
        self.options.dropout = p;
        self
    }

    /// Makes the batch the first axis: [N, L, size] instead of [L, N, size].
    #[must_use]
    pub fn batch_first(mut self) -> Self {
        self.options.batch_first = true;
        self
    }

    /// Rotates the queries and keys of each head by their positions.
    ///
    /// # Panics
    /// If the size of a head is odd.
    #[must_use]
    #[track_caller]
    pub fn rotary(self) -> Self {
        let rotary = RotaryPositions::new(self.size() / self.heads);
        self.rotated_by(rotary)
    }

    /// Rotates the queries and keys of each head by these rotations, whose size must be that of a
    /// head.
    #[must_use]
    pub fn rotated_by(mut self, rotary: RotaryPositions) -> Self {
        self.options.rotary = Some(rotary);
        self
    }

    /// Returns the size of the queries and of the result.
    pub fn size(&self) -> usize {
        self.out_proj.weight.shape()[0]
    }

    /// Returns the number of heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Returns the result for these queries, keys and values.
    ///
    /// # Panics
    /// If a shape does not fit.
    #[track_caller]
    pub fn run<'t>(
        &self,
        q: Var<'t, T>,
        k: Var<'t, T>,
        v: Var<'t, T>,
        how: &Attention<'t, T>,
    ) -> Var<'t, T> {
        let scope = q.tape().open(self);
        scope.close(self.attend(q, k, v, how))
    }

    /// Returns the result and the weights of the attention. The weights are the mean over the
    /// heads, [N, L, S], or those of each head, [N, heads, L, S], if `average` is false (without
    /// the axis N for one sequence). All weights are held at once.
    ///
    /// # Panics
    /// If a shape does not fit.
    #[track_caller]
    pub fn run_with_weights<'t>(
        &self,
        q: Var<'t, T>,
        k: Var<'t, T>,
        v: Var<'t, T>,
        how: &Attention<'t, T>,
        average: bool,
    ) -> (Var<'t, T>, Var<'t, T>) {
        let scope = q.tape().open(self);
        let [qs, ks, vs] = self.projected(q, k, v, 0);
        let (y, mut weights) = with_weights(qs, ks, vs, &self.options_of(how, qs, q));
        if average {
            weights = weights.mean(&[1], false);
        }
        if q.rank() == 2 {
            weights = weights.squeeze(0);
        }
        scope.close((self.merged(y, q.rank()), weights))
    }

    /// Returns the result of causal self-attention for further tokens `x`, which come after those
    /// in the cache, and adds their keys and values to the cache. The results are those that a call
    /// with all tokens would give for these tokens. No gradient flows through the cache.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::nn::{Attention, KvCache, MultiHeadAttention};
    /// use wengert::tensor::{Philox, Tensor};
    /// let mut rng = Philox::new(0);
    /// let layer = MultiHeadAttention::new(8, 2, &mut rng).batch_first().rotary();
    /// let tokens = Tensor::normal(&[1, 5, 8], 0.0, 1.0, &mut rng);
    ///
    /// let tape = Tape::inference();
    /// let all = tape.constant(tokens.clone());
    /// let all = layer.run(all, all, all, &Attention::new().causal()).value();
    ///
    /// let mut cache = KvCache::new();
    /// for (i, token) in tokens.split(1, &[1; 5]).into_iter().enumerate() {
    ///     let tape = Tape::inference();
    ///     let y = layer.run_cached(tape.constant(token), &mut cache).value();
    ///     let difference = (y - all.narrow(1, i, 1)).abs();
    ///     assert!(difference.to_vec().iter().all(|&d| d < 1e-6));
    /// }
    /// assert_eq!(cache.len(), 5);
    /// ```
    ///
    /// # Panics
    /// If a shape does not fit, or the cache is of another number of sequences.
    #[track_caller]
    pub fn run_cached<'t>(&self, x: Var<'t, T>, cache: &mut KvCache<T>) -> Var<'t, T> {
        let scope = x.tape().open(self);
        scope.close(self.attend_cached(x, cache))
    }

    #[track_caller]
    fn attend_cached<'t>(&self, x: Var<'t, T>, cache: &mut KvCache<T>) -> Var<'t, T> {
        let (tape, past) = (x.tape(), cache.len());
        let [q, mut k, mut v] = self.projected(x, x, x, past);
        if !tape.is_shape_only() {
            let (mut keys, mut values) = (k.value(), v.value());
            if let Some((old_keys, old_values)) = &cache.state {
                let [n, heads, _, size] = *keys.shape() else { unreachable!() };
                let [of_n, of_heads, _, of_size] = *old_keys.shape() else { unreachable!() };
                if [n, heads, size] != [of_n, of_heads, of_size] {
                    tape.shape_error(format!(
                        "multi_head_attention: the cache is of {of_n} sequences with {of_heads} heads of size \
                         {of_size}, got an input {} and {heads} heads of size {size}",
                        x.shape()
                    ))
                }
                keys = Tensor::concat(&[old_keys.clone(), keys], 2);
                values = Tensor::concat(&[old_values.clone(), values], 2);
            }
            [k, v] = [keys.clone(), values.clone()].map(|all| tape.constant(all));
            cache.state = Some((keys, values));
        }
        let how = self.options_of(&Attention::new().causal_after(past), q, x);
        self.merged(scaled_dot_product_attention(q, k, v, &how), x.rank())
    }

    #[track_caller]
    fn attend<'t>(
        &self,
        q: Var<'t, T>,
        k: Var<'t, T>,
        v: Var<'t, T>,
        how: &Attention<'t, T>,
    ) -> Var<'t, T> {
        let [qs, ks, vs] = self.projected(q, k, v, 0);
        let y = scaled_dot_product_attention(qs, ks, vs, &self.options_of(how, qs, q));
        self.merged(y, q.rank())
    }

    /// Returns the options for the heads [N, heads, L, S].
    #[track_caller]
    fn options_of<'t>(
        &self,
        how: &Attention<'t, T>,
        heads: Var<'t, T>,
        q: Var<'t, T>,
    ) -> Attention<'t, T> {
        let mut new = how.for_heads(heads.size(0), self.heads, q.tape());
        if let Some(padding) = new.padding
            && q.rank() == 2
            && padding.rank() == 1
        {
            new.padding = Some(padding.unsqueeze(0));
        }
        if self.options.dropout > 0.0 { new.dropout(self.options.dropout) } else { new }
    }

    /// Returns the projections of queries, keys and values as [N, heads, L or S, size of a head].
    /// The position of the first query and key is `start`.
    #[track_caller]
    fn projected<'t>(
        &self,
        q: Var<'t, T>,
        k: Var<'t, T>,
        v: Var<'t, T>,
        start: usize,
    ) -> [Var<'t, T>; 3] {
        let (tape, size) = (q.tape(), self.size());
        let param = |param: &Option<Param<T>>| param.as_ref().map(|param| tape.param(param));
        let (all, bias) = (param(&self.in_proj_weight), param(&self.in_proj_bias));
        let own = [&self.q_proj_weight, &self.k_proj_weight, &self.v_proj_weight].map(param);
        let of_block = |block: usize| match (all, own[block]) {
            (_, Some(weight)) => weight,
            (Some(all), None) => all.narrow(0, block * size, size),
            (None, None) => tape.shape_error(
                "multi_head_attention: the layer needs `in_proj_weight`, or `q_proj_weight`, \
                 `k_proj_weight` and `v_proj_weight`",
            ),
        };
        for (block, (name, x)) in
            [("queries", q), ("keys", k), ("values", v)].into_iter().enumerate()
        {
            let expected = match (&self.in_proj_weight, block) {
                (Some(_), _) => size,
                _ => of_block(block).size(1),
            };
            let shape = x.shape();
            if !matches!(shape.rank(), 2 | 3)
                || shape.rank() != q.rank()
                || shape.last() != Some(&expected)
            {
                let axes = if self.options.batch_first { "N, L" } else { "L, N" };
                tape.shape_error(format!(
                    "multi_head_attention: expected {name} [{axes}, {expected}], or [L, {expected}] for one \
                     sequence, got {shape}"
                ))
            }
        }
        let with_bias = |y: Var<'t, T>, first: usize, blocks: usize| match bias {
            Some(bias) if blocks == 3 => y + bias,
            Some(bias) => y + bias.narrow(0, first * size, blocks * size),
            None => y,
        };
        let alone = |x: Var<'t, T>, block: usize| {
            with_bias(x.matmul_t(of_block(block), false, true), block, 1)
        };
        let block_of = |y: Var<'t, T>, block: usize| y.narrow(-1, block * size, size);
        // One product for equal operands.
        let projected = match all {
            Some(all) if k.is(v) && q.is(k) => {
                let y = with_bias(q.matmul_t(all, false, true), 0, 3);
                [0, 1, 2].map(|block| block_of(y, block))
            }
            Some(all) if k.is(v) => {
                let of_both = all.narrow(0, size, 2 * size);
                let y = with_bias(k.matmul_t(of_both, false, true), 1, 2);
                [alone(q, 0), block_of(y, 0), block_of(y, 1)]
            }
            _ => [alone(q, 0), alone(k, 1), alone(v, 2)],
        };
        let [q, k, v] = projected.map(|x| self.split(x));
        match self.options.rotary {
            Some(rotary) => [rotary.from(q, start), rotary.from(k, start), v],
            None => [q, k, v],
        }
    }

    /// Splits the last axis into heads: [N, heads, L, size of a head].
    fn split<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (shape, size) = (x.shape(), self.size() / self.heads);
        match *shape {
            [l, _] => x.reshape([l, self.heads, size]).permute(&[1, 0, 2]).unsqueeze(0),
            [a, b, _] => {
                let x = x.reshape([a, b, self.heads, size]);
                x.permute(if self.options.batch_first { &[0, 2, 1, 3] } else { &[1, 2, 0, 3] })
            }
            _ => unreachable!("`projected` has checked it"),
        }
    }

    /// Joins the results of the heads, and projects them. `rank` is that of the queries.
    #[track_caller]
    fn merged<'t>(&self, y: Var<'t, T>, rank: usize) -> Var<'t, T> {
        let [n, _, l, _] = *y.shape() else { unreachable!() };
        let size = self.size();
        let y = match (rank, self.options.batch_first) {
            (2, _) => y.squeeze(0).permute(&[1, 0, 2]).reshape([l, size]),
            (_, true) => y.permute(&[0, 2, 1, 3]).reshape([n, l, size]),
            (_, false) => y.permute(&[2, 0, 1, 3]).reshape([l, n, size]),
        };
        self.out_proj.forward(y)
    }
}

/// Self-attention without a mask.
impl<T: Float> Layer<T> for MultiHeadAttention<T> {
    #[track_caller]
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.attend(x, x, x, &Attention::new())
    }
}
