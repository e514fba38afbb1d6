//! Scaled dot-product attention.

use wengert_autograd::{Mask, Tape, Var};
use wengert_tensor::{Float, Shape, Tensor, broadcast_shapes};

/// Blocks of scores have at most this number of elements. More scores are not held at once.
const BLOCK: usize = 1 << 20;

/// Weights with at most this many times the elements of the queries are kept for the backward pass: a layer keeps
/// about as many other values. To compute them again would cost one product in seven, and softmax.
const KEPT: usize = 8;

/// The options of an attention: which query may attend to which key, and how the scores are scaled.
///
/// All options can be combined. A query that may attend to no key gets the result 0.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{Attention, scaled_dot_product_attention};
/// use wengert::tensor::{Philox, Tensor};
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::normal(&[2, 5, 8], 0.0, 1.0, &mut Philox::new(0)));
/// let causal = Attention::new().causal();
/// let y = scaled_dot_product_attention(x, x, x, &causal);
/// assert_eq!(y.shape(), [2, 5, 8]);
/// // The first query attends to the first key only.
/// assert_eq!(y.narrow(1, 0, 1).value(), x.narrow(1, 0, 1).value());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Attention<'t, T: Float = f32> {
    /// Masks that are true where a query must not attend to a key.
    blocked: Vec<Mask<'t, T>>,
    /// The mask of keys that are padding: [N, S].
    pub(super) padding: Option<Mask<'t, T>>,
    bias: Option<Var<'t, T>>,
    /// The position of the first query among the keys, if the attention is causal.
    causal: Option<usize>,
    dropout: f64,
    scale: Option<f64>,
}

impl<'t, T: Float> Attention<'t, T> {
    /// Creates options without a mask, with the scale 1/√E and without dropout.
    pub fn new() -> Self {
        Attention {
            blocked: Vec::new(),
            padding: None,
            bias: None,
            causal: None,
            dropout: 0.0,
            scale: None,
        }
    }

    /// Lets a query attend to a key only where the mask is true, as a boolean `attn_mask` of
    /// PyTorch's `scaled_dot_product_attention`. The mask broadcasts to \[…, L, S\].
    pub fn allow(mut self, mask: Mask<'t, T>) -> Self {
        self.blocked.push(mask.not());
        self
    }

    /// Forbids a query to attend to a key where the mask is true, as a boolean `attn_mask` of
    /// PyTorch's `nn.MultiheadAttention`. The mask broadcasts to \[…, L, S\].
    pub fn block(mut self, mask: Mask<'t, T>) -> Self {
        self.blocked.push(mask);
        self
    }

    /// Ignores the keys for which the mask [N, S] is true: the `key_padding_mask` of PyTorch. N is
    /// the first axis of the keys; for one sequence, the mask is \[S\].
    pub fn padding(mut self, mask: Mask<'t, T>) -> Self {
        self.padding = Some(mask);
        self
    }

    /// Adds these numbers to the scores. They broadcast to \[…, L, S\]; -∞ forbids a query to
    /// attend to a key.
    pub fn bias(mut self, bias: Var<'t, T>) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Lets query i attend to the keys j ≤ i only.
    pub fn causal(self) -> Self {
        self.causal_after(0)
    }

    /// Lets query i attend to the keys j ≤ i + `past` only, for queries that come after `past`
    /// keys.
    pub fn causal_after(mut self, past: usize) -> Self {
        self.causal = Some(past);
        self
    }

    /// Sets weights to zero with this probability in training, and divides the others by 1 - p. The
    /// tape must then have a mode.
    ///
    /// # Panics
    /// If `p` is not from 0 to 1.
    #[track_caller]
    pub fn dropout(mut self, p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "Attention: p must be from 0 to 1, got {p}");
        self.dropout = p;
        self
    }

    /// Sets the factor of the scores. The default is 1/√E.
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = Some(scale);
        self
    }

    /// Returns these options with the masks and the bias in the form that broadcasts to the scores
    /// of [N, heads, L, S]. A mask with three axes must have N · heads of the first, or 1: whether another size
    /// is that of the sequences or of the heads would depend on the sizes.
    #[track_caller]
    pub(super) fn for_heads(&self, n: usize, heads: usize, tape: &'t Tape<T>) -> Self {
        let shapes = self.blocked.iter().map(|mask| mask.shape());
        for shape in shapes.chain(self.bias.map(Var::shape)) {
            if let [own, l, s] = *shape
                && own != 1
                && own != n * heads
            {
                tape.shape_error(format!(
                    "multi_head_attention: expected a mask or bias [L, S], [{}, L, S] for {n} sequences and \
                     {heads} heads, or one that broadcasts to [{n}, {heads}, L, S], got {shape} (reshape it to \
                     [{n}, 1, {l}, {s}] if it is that of the sequences)",
                    n * heads
                ))
            }
        }
        let split = |shape: Shape| match *shape {
            [own, l, s] if own == n * heads => Some([n, heads, l, s]),
            _ => None,
        };
        let mut new = self.clone();
        for mask in &mut new.blocked {
            if let Some(shape) = split(mask.shape()) {
                *mask = mask.reshape(shape);
            }
        }
        new.bias = self.bias.map(|bias| split(bias.shape()).map_or(bias, |s| bias.reshape(s)));
        new
    }
}

impl<T: Float> Default for Attention<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns softmax(scale · Q Kᵀ) V: each query gets the mean of the values, weighted by the
/// similarity of the query with the keys. Q is \[…, L, E\], K is \[…, S, E\], V is \[…, S, D\], and
/// the result is \[…, L, D\]. The axes before the last two broadcast. (Vaswani, Shazeer, Parmar,
/// Uszkoreit, Jones, Gomez, Kaiser, Polosukhin, "Attention is all you need", 2017.)
///
/// The scores of all heads have … · L · S elements. If they are more than about a million, the
/// function computes them in blocks of batch elements, heads and queries. If S is more than 8 E, each block is an
/// [activation checkpoint](wengert_autograd::Tape::checkpoint): only the scores of one block exist at a time,
/// in the forward and in the backward pass. (Inside an activation checkpoint of the caller, the backward pass
/// holds the blocks of that activation checkpoint at the same time.) Of shorter sequences, the weights of all blocks
/// are kept for the backward pass. The memory is in both cases proportional to L.
///
/// A query that may attend to no key gets the result 0 and the gradient 0.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{Attention, scaled_dot_product_attention};
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let q = tape.constant(Tensor::from([[0.0, 0.0]]));
/// let k = tape.constant(Tensor::from([[1.0, 0.0], [0.0, 1.0]]));
/// let v = tape.constant(Tensor::from([[2.0], [4.0]]));
/// let y = scaled_dot_product_attention(q, k, v, &Attention::new());
/// assert_eq!(y.value().to_vec(), [3.0]); // both keys are equally similar
/// ```
///
/// # Panics
/// If the shapes do not fit, or the variables are on different tapes.
#[track_caller]
pub fn scaled_dot_product_attention<'t, T: Float>(
    q: Var<'t, T>,
    k: Var<'t, T>,
    v: Var<'t, T>,
    how: &Attention<'t, T>,
) -> Var<'t, T> {
    let tape = q.tape();
    let (mut parts, batch) = AttentionBlock::new(q, k, v, how);
    let shape = |x: Var<'t, T>| -> Shape {
        batch.iter().chain(&x.shape()[x.rank() - 2..]).copied().collect()
    };
    [parts.q, parts.k, parts.v] = [q, k, v].map(|x| {
        let shape = shape(x);
        if x.shape() == shape { x } else { x.broadcast_to(shape) }
    });
    tape.scope("attention", || parts.attend(0))
}

/// Returns the result and the weights \[…, L, S\], which are all held at once.
#[track_caller]
pub(super) fn with_weights<'t, T: Float>(
    q: Var<'t, T>,
    k: Var<'t, T>,
    v: Var<'t, T>,
    how: &Attention<'t, T>,
) -> (Var<'t, T>, Var<'t, T>) {
    let (parts, _) = AttentionBlock::new(q, k, v, how);
    let weights = parts.weights();
    (weights.matmul(v), weights)
}

/// A block of an attention.
struct AttentionBlock<'t, T: Float> {
    q: Var<'t, T>,
    k: Var<'t, T>,
    v: Var<'t, T>,
    how: Attention<'t, T>,
}

impl<'t, T: Float> AttentionBlock<'t, T> {
    /// Checks the shapes. Returns the attention as one block, and the shape of its batch axes.
    #[track_caller]
    fn new(q: Var<'t, T>, k: Var<'t, T>, v: Var<'t, T>, how: &Attention<'t, T>) -> (Self, Shape) {
        let tape = q.tape();
        let [sq, sk, sv] = [q, k, v].map(Var::shape);
        let fits = [&sq, &sk, &sv].iter().all(|s| s.rank() >= 2)
            && q.size(-1) == k.size(-1)
            && k.size(-2) == v.size(-2);
        let batch = |s: &Shape| Shape::new(&s[..s.rank().saturating_sub(2)]);
        let common = broadcast_shapes(&batch(&sq), &batch(&sk))
            .and_then(|both| broadcast_shapes(&both, &batch(&sv)));
        let (true, Some(batch)) = (fits, common) else {
            tape.shape_error(format!(
                "attention: expected queries […, L, E], keys […, S, E] and values […, S, D], got {sq}, {sk} \
                 and {sv}"
            ))
        };
        let scores: Shape = batch.iter().copied().chain([q.size(-2), k.size(-2)]).collect();
        let mut how = how.clone();
        let masks = how.blocked.iter().map(|mask| ("mask", mask.shape()));
        for (what, shape) in masks.chain(how.bias.map(|bias| ("bias", bias.shape()))) {
            if broadcast_shapes(&shape, &scores) != Some(scores) {
                tape.shape_error(format!(
                    "attention: the {what} {shape} does not broadcast to the scores {scores} of queries {sq} \
                     and keys {sk}"
                ))
            }
        }
        if let Some(padding) = how.padding.take() {
            let s = k.size(-2);
            let expected = if batch.rank() == 0 { vec![s] } else { vec![batch[0], s] };
            if padding.shape() != expected[..] {
                tape.shape_error(format!(
                    "attention: for keys {sk}, expected the mask of padding {}, got {}",
                    Shape::new(&expected),
                    padding.shape()
                ))
            }
            // [N, 1, …, 1, S]
            let mut shape = vec![1; scores.rank()];
            shape[scores.rank() - 1] = s;
            if batch.rank() > 0 {
                shape[0] = batch[0];
            }
            how.blocked.push(padding.reshape(&shape));
        }
        (AttentionBlock { q, k, v, how }, batch)
    }

    /// Returns the result. Batch axes before `axis` are not split any more.
    fn attend(&self, axis: usize) -> Var<'t, T> {
        let (shape, keys) = (self.q.shape(), self.k.size(-2));
        let rank = shape.rank();
        let scores = shape[..rank - 1].iter().product::<usize>().saturating_mul(keys);
        if scores <= BLOCK || axis + 1 == rank {
            return self.weights().matmul(self.v);
        }
        let size = shape[axis];
        if size <= 1 {
            return self.attend(axis + 1);
        }
        // The number of indices of this axis whose scores fit into a block.
        let width = (BLOCK / (scores / size).max(1)).clamp(1, size);
        let mut parts = Vec::with_capacity(size.div_ceil(width));
        for start in (0..size).step_by(width) {
            let part = self.narrow(axis, start, width.min(size - start));
            let whole = scores / size * width <= BLOCK || axis == rank - 2;
            let run = || part.weights().matmul(part.v);
            parts.push(if whole && keys <= KEPT * self.q.size(-1) {
                run()
            } else if whole {
                self.q.tape().checkpoint(run)
            } else {
                part.attend(axis + 1)
            });
        }
        Var::concat(&parts, axis as isize)
    }

    /// Returns the part of these batch elements, or of these queries.
    fn narrow(&self, axis: usize, start: usize, len: usize) -> Self {
        let rank = self.q.rank();
        let queries = axis == rank - 2;
        // Axes of masks are counted from the end; those of size 1 broadcast.
        let from_end = rank - axis;
        let own = |shape: Shape| {
            let axis = shape.rank().checked_sub(from_end)?;
            (shape[axis] > 1).then_some(axis as isize)
        };
        let mut how = self.how.clone();
        for mask in &mut how.blocked {
            if let Some(axis) = own(mask.shape()) {
                *mask = mask.narrow(axis, start, len);
            }
        }
        how.bias = how.bias.map(|bias| match own(bias.shape()) {
            Some(axis) => bias.narrow(axis, start, len),
            None => bias,
        });
        let axis = axis as isize;
        let q = self.q.narrow(axis, start, len);
        let [mut k, mut v] = [self.k, self.v];
        if queries {
            if let Some(past) = &mut how.causal {
                *past = past.saturating_add(start);
                // Later keys have the weight 0.
                let keys = k.size(-2).min(past.saturating_add(len));
                [k, v] = [k, v].map(|x| x.narrow(-2, 0, keys));
                let has_keys = |shape: Shape| shape.last().is_some_and(|&size| size > 1);
                for mask in &mut how.blocked {
                    if has_keys(mask.shape()) {
                        *mask = mask.narrow(-1, 0, keys);
                    }
                }
                how.bias = how.bias.map(|bias| {
                    if has_keys(bias.shape()) { bias.narrow(-1, 0, keys) } else { bias }
                });
            }
        } else {
            [k, v] = [k, v].map(|x| x.narrow(axis, start, len));
        }
        AttentionBlock { q, k, v, how }
    }

    /// Returns the weights \[…, L, S\] of this block.
    fn weights(&self) -> Var<'t, T> {
        let Attention { blocked, bias, causal, dropout, scale, .. } = &self.how;
        let tape = self.q.tape();
        let scale = scale.unwrap_or_else(|| 1.0 / (self.q.size(-1) as f64).sqrt());
        let mut scores = (self.q * scale).matmul_t(self.k, false, true);
        let (queries, keys) = (self.q.size(-2), self.k.size(-2));
        let mut mask = blocked.iter().copied().reduce(Mask::or);
        let mut some_may_be_empty = mask.is_some();
        if let Some(bias) = *bias {
            scores = scores + bias;
            let out = bias.eq(f64::NEG_INFINITY);
            mask = Some(mask.map_or(out, |mask| mask.or(out)));
            some_may_be_empty = true;
        }
        if let Some(past) = *causal
            && past < keys.saturating_sub(1)
        {
            // Comparing positions is a part of the pointwise program: no mask is stored.
            let at = |from: usize, n: usize| {
                tape.constant(Tensor::from_vec(
                    (from..from + n).map(|i| T::of(i as f64)).collect(),
                    &[n],
                ))
            };
            let later = at(0, keys).gt(at(past, queries).unsqueeze(1));
            mask = Some(mask.map_or(later, |mask| mask.or(later)));
        }
        let weights = match mask {
            None => scores.softmax(-1),
            Some(mask) if some_may_be_empty => {
                // A row of -∞ would give NaN. Its weights are set to 0 afterwards.
                let empty = if mask.rank() == 0 { mask } else { mask.all(&[-1], true) };
                let scores = scores.masked_fill(mask, f64::NEG_INFINITY).masked_fill(empty, 0);
                scores.softmax(-1).masked_fill(empty, 0)
            }
            // With a causal mask alone, each query may attend to the first key.
            Some(mask) => scores.masked_fill(mask, f64::NEG_INFINITY).softmax(-1),
        };
        if *dropout > 0.0 { weights.dropout(*dropout) } else { weights }
    }
}
