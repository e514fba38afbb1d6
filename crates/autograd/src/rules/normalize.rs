//! Mean and variance in one pass, layer and batch normalisation, and their gradients.
//!
//! The rule of a normalisation is one operation, whose kernel reads x and gy twice while they are in the cache. The
//! rule of that operation is a formula of ordinary operations: so derivatives of every order are right.

use crate::graph::{Call, Cotangents, Normalize, Op, PackedF64, Reads, Var, one};
use smallvec::{SmallVec, smallvec};
use wengert_tensor::{Float, Shape, Tensor, shapes};

impl Normalize {
    pub fn eval<T: Float>(self, x: &[Tensor<T>]) -> SmallVec<[Tensor<T>; 1]> {
        match self {
            Normalize::Moments { axes, correction } => {
                let axes: SmallVec<[isize; 6]> =
                    (0..x[0].rank() as isize).filter(|axis| axes >> axis & 1 == 1).collect();
                let (variance, mean) = x[0].var_mean(&axes, true, correction as usize);
                smallvec![mean, variance]
            }
            Normalize::Layer { axes, eps } => x[0]
                .layer_norm_with_statistics(axes as usize, [x.get(1), x.get(2)], eps.get())
                .into_iter()
                .collect(),
            Normalize::LayerGradient { axes } => {
                let of = [&x[1], &x[2], &x[3]];
                let (gx, affine) = x[0].layer_norm_gradient(axes as usize, of, x.get(4));
                [gx].into_iter().chain(affine.into_iter().flatten()).collect()
            }
            Normalize::Batch { eps } => {
                let affine = [x.get(3), x.get(4)];
                smallvec![x[0].batch_norm([&x[1], &x[2]], affine, eps.get(), None, false)]
            }
            Normalize::BatchGradient { eps } => {
                let of = [&x[1], &x[2], &x[3]];
                let (all, _) = x[0].batch_norm_gradient(of, x.get(4), eps.get(), None, false);
                all.into_iter().collect()
            }
        }
    }

    pub fn reads(self, arg: usize) -> Reads {
        match (self, arg) {
            (Normalize::Moments { .. }, _) => Reads::X0.and(Reads::Y0),
            // The bias is a summand.
            (Normalize::Layer { .. }, 2) | (Normalize::Batch { .. }, 4) => Reads::NOTHING,
            (Normalize::Layer { .. }, _) => Reads::X0.and(Reads::X1).and(Reads::Y1).and(Reads::Y2),
            (Normalize::Batch { .. }, _) => Reads::X0.and(Reads::X1).and(Reads::X2).and(Reads::X3),
            (Normalize::LayerGradient { .. } | Normalize::BatchGradient { .. }, _) => Reads::ALL,
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        match self {
            Normalize::Moments { axes, correction } => one(moments(c, axes, correction)),
            Normalize::Layer { axes, .. } => layer(c, axes),
            Normalize::LayerGradient { axes } => layer_gradient(c, axes),
            Normalize::Batch { eps } => batch(c, eps),
            Normalize::BatchGradient { eps } => batch_gradient(c, eps.get()),
        }
    }
}

/// mean = Σ x / n, variance = Σ (x - mean)² / (n - correction). The derivative of the variance by the mean is 0.
fn moments<'t, T: Float>(c: &Call<'_, 't, T>, axes: u8, correction: u32) -> Var<'t, T> {
    let shape = c.x_shape(0);
    let n: usize = (0..shape.rank()).filter(|i| axes >> i & 1 == 1).map(|i| shape[i]).product();
    let by_mean = c.gy_of(0).map(|g| (g / n as f64).broadcast_shape(shape));
    let by_variance = c.gy_of(1).map(|g| {
        let scale = 2.0 * g / n.saturating_sub(correction as usize) as f64;
        scale * (c.x(0) - c.y(0))
    });
    plus(by_mean, by_variance).unwrap_or_else(|| c.tape().zeros(&shape))
}

/// y = (x - mean) · inv ⊙ w + b with inv = 1 / √(variance + ε), whose derivative by x is -inv³ (x - mean) / n.
fn layer<'t, T: Float>(c: &Call<'_, 't, T>, axes: u8) -> Cotangents<'t, T> {
    let (tape, shape) = (c.tape(), c.x_shape(0));
    let n = shape[shape.rank() - axes as usize..].iter().product::<usize>() as f64;
    let wants = |arg| arg < c.arity() && c.wants(arg);
    let mut list: SmallVec<[Option<Var<'t, T>>; 2]> = smallvec![None; c.arity()];
    if let Some(gy) = c.gy_of(0) {
        if wants(0) || wants(1) {
            let op = Op::Normalize(Normalize::LayerGradient { axes });
            let mut operands: SmallVec<[Var<'t, T>; 5]> = smallvec![c.x(0), c.y(1), c.y(2), gy];
            let mut shapes: SmallVec<[Shape; 3]> = smallvec![shape];
            if c.arity() > 1 {
                operands.push(c.x(1));
                shapes.extend([c.x_shape(1); 2]);
            }
            let first = tape.apply_outputs(op, &operands, &shapes, shapes.len() as u32);
            for (g, id) in list.iter_mut().zip(first..) {
                *g = Some(Var { tape, id });
            }
        } else {
            list[2] = Some(gy.sum_shape(c.x_shape(2)));
        }
    }
    if wants(0) {
        let by_mean = c.gy_of(1).map(|g| (g / n).broadcast_shape(shape));
        let by_inv = c.gy_of(2).map(|g| -g * c.y(2).powi(3) / n * (c.x(0) - c.y(1)));
        list[0] = plus(list[0], plus(by_mean, by_inv));
    }
    for (arg, g) in list.iter_mut().enumerate() {
        *g = g.or_else(|| wants(arg).then(|| tape.zeros(&c.x_shape(arg))));
    }
    Cotangents(list)
}

/// The operands are x, mean, inv, gy and perhaps w. See [`NormGradient`].
fn layer_gradient<'t, T: Float>(c: &Call<'_, 't, T>, axes: u8) -> Cotangents<'t, T> {
    let shape = c.x_shape(0);
    let n = shape[shape.rank() - axes as usize..].iter().product::<usize>() as f64;
    let w = (c.arity() > 4).then(|| c.x(4));
    let output = |i| if w.is_some() || i == 0 { c.gy_of(i) } else { None };
    let of = NormGradient { x: c.x(0), mean: c.x(1), inv: c.x(2), gy: c.x(3), w, n };
    of.cotangents([output(0), output(1), output(2)]).wanted(c)
}

/// y = (x - mean) · inv ⊙ w + b with inv = 1 / √(variance + ε), where mean and variance are functions of x.
fn batch<'t, T: Float>(c: &Call<'_, 't, T>, eps: PackedF64) -> Cotangents<'t, T> {
    let (tape, shape) = (c.tape(), c.x_shape(0));
    let (gy, channels) = (c.gy(), Shape::new(&shape[1..2]));
    let wants = |arg| arg < c.arity() && c.wants(arg);
    let mut list: SmallVec<[Option<Var<'t, T>>; 2]> = smallvec![None; c.arity()];
    if wants(0) || wants(3) {
        let op = Op::Normalize(Normalize::BatchGradient { eps });
        let mut operands: SmallVec<[Var<'t, T>; 5]> = smallvec![c.x(0), c.x(1), c.x(2), gy];
        if c.arity() > 3 {
            operands.push(c.x(3));
        }
        let first = tape.apply_outputs(op, &operands, &[shape, channels, channels], 3);
        for (arg, id) in [0, 3, 4].into_iter().zip(first..).filter(|&(arg, _)| wants(arg)) {
            list[arg] = Some(Var { tape, id });
        }
    } else if wants(4) {
        list[4] = Some(gy.sum(&all_but_channels(shape), false));
    }
    Cotangents(list)
}

/// Returns the axes of [N, C, …] except axis 1.
fn all_but_channels(shape: Shape) -> SmallVec<[isize; 6]> {
    (0..shape.rank() as isize).filter(|&axis| axis != 1).collect()
}

/// The operands are x, its mean and variance, gy and perhaps w. See [`NormGradient`]. Mean and variance are computed
/// again, as functions of x.
fn batch_gradient<'t, T: Float>(c: &Call<'_, 't, T>, eps: f64) -> Cotangents<'t, T> {
    let (x, shape, kept) = (c.x(0), c.x_shape(0), c.x_shape(1));
    let per_channel = |x: Var<'t, T>| x.reshape(kept);
    let w = if c.arity() > 4 { c.x(4) } else { c.tape().ones(&kept[1..2]) };
    let (variance, mean) = x.var_mean(&all_but_channels(shape), true, 0);
    let inv = (variance + eps).rsqrt();
    let n = shape.numel() as f64 / kept[1] as f64;
    let of = NormGradient { x, mean, inv, gy: c.x(3), w: Some(per_channel(w)), n };
    let [h, hw, hb] = [0, 1, 2].map(|i| c.gy_of(i));
    let OfNormGradient([by_x, by_mean, by_inv, by_gy, by_w]) =
        of.cotangents([h, hw.map(per_channel), hb.map(per_channel)]);
    // The derivative of inv by x is -inv³ (x - mean) / n.
    let by_inv = by_inv.map(|g| -g * inv.powi(3) / n * (x - mean));
    let by_mean = by_mean.map(|g| (g / n).broadcast_shape(shape));
    let by_x = plus(by_x, plus(by_mean, by_inv));
    let by_w = by_w.map(|g| g.reshape(&kept[1..2]));
    OfNormGradient([by_x, None, None, by_gy, by_w]).wanted(c)
}

/// The gradient of a normalisation, as a function of its operands. With x̂ = (x - mean) · inv, t = gy ⊙ w and means ⟨…⟩
/// over the `n` numbers that share a mean,
///
/// gx = inv (t - ⟨t⟩ - x̂ ⟨t ⊙ x̂⟩), gw = Σ gy ⊙ x̂, gb = Σ gy.
struct NormGradient<'t, T: Float> {
    x: Var<'t, T>,
    mean: Var<'t, T>,
    inv: Var<'t, T>,
    gy: Var<'t, T>,
    w: Option<Var<'t, T>>,
    n: f64,
}

/// The cotangents of x, mean, inv, gy and w.
struct OfNormGradient<'t, T: Float>([Option<Var<'t, T>>; 5]);

impl<'t, T: Float> NormGradient<'t, T> {
    /// Returns the cotangents for those of gx, gw and gb. As a function of t, gx is its own adjoint.
    fn cotangents(self, [h, hw, hb]: [Option<Var<'t, T>>; 3]) -> OfNormGradient<'t, T> {
        let NormGradient { x, mean, inv, gy, w, n } = self;
        let (shape, rows) = (x.shape(), mean.shape());
        let row_sum = |x: Var<'t, T>| x.sum_shape(rows);
        let row_mean = |x: Var<'t, T>| row_sum(x) / n;
        let normal = (x - mean) * inv;
        let t = w.map_or(gy, |w| gy * w);

        let by_t = h.map(|h| inv * (h - row_mean(h) - normal * row_mean(h * normal)));
        let by_normal = plus(
            h.map(|h| -inv * (h * row_mean(t * normal) + t * row_mean(h * normal))),
            hw.map(|hw| hw * gy),
        );
        let by_inv = plus(
            h.map(|h| row_sum(h * (t - row_mean(t) - normal * row_mean(t * normal)))),
            by_normal.map(|g| row_sum(g * (x - mean))),
        );
        let by_x = by_normal.map(|g| g * inv);
        let by_mean = by_x.map(|g| -row_sum(g));
        let by_gy = plus(
            by_t.map(|g| w.map_or(g, |w| g * w)),
            plus(hw.map(|hw| hw * normal), hb.map(|hb| hb.broadcast_shape(shape))),
        );
        let by_w = w.and_then(|w| by_t.map(|g| (g * gy).sum_shape(w.shape())));
        OfNormGradient([by_x, by_mean, by_inv, by_gy, by_w])
    }
}

impl<'t, T: Float> OfNormGradient<'t, T> {
    /// Returns those that the call wants. A missing one is 0.
    fn wanted(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let all = self.0.into_iter().take(c.arity()).enumerate();
        let wanted = |(arg, g): (usize, Option<Var<'t, T>>)| {
            c.wants(arg).then(|| g.unwrap_or_else(|| c.tape().zeros(&c.x_shape(arg))))
        };
        Cotangents(all.map(wanted).collect())
    }
}

fn plus<'t, T: Float>(a: Option<Var<'t, T>>, b: Option<Var<'t, T>>) -> Option<Var<'t, T>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

impl<T: Float> Var<'_, T> {
    /// Normalises over the last axes, `axes` in number, to mean 0 and variance 1, then scales and shifts:
    ///
    /// y = (x − mean) / √(variance + ε) · weight + bias
    ///
    /// The variance has the factor 1 / n. Weight and bias have the sizes of the normalised axes.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.constant(Tensor::from([[1.0, 3.0], [-5.0, 5.0]]));
    /// let y = x.layer_norm(1, None, None, 0.0);
    /// assert_eq!(y.value().to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If `axes` is 0 or greater than the number of axes, weight or bias have another shape, or there is a bias
    /// without a weight.
    #[track_caller]
    pub fn layer_norm(
        self,
        axes: usize,
        weight: Option<Self>,
        bias: Option<Self>,
        eps: f64,
    ) -> Self {
        let (tape, shape) = (self.tape, self.shape());
        for affine in [weight, bias].into_iter().flatten() {
            tape.same_tape("layer_norm", affine.tape);
        }
        let [of_weight, of_bias] = [weight, bias].map(|x| x.map(Var::shape));
        let rule = shapes::layer_norm(&shape, axes, [of_weight.as_ref(), of_bias.as_ref()]);
        let kept = self.fits(rule);
        let op = Normalize::Layer { axes: axes as u8, eps: PackedF64::new(eps) };
        let operands: SmallVec<[Self; 3]> =
            [Some(self), weight, bias].into_iter().flatten().collect();
        let id = tape.apply_outputs(Op::Normalize(op), &operands, &[shape, kept, kept], 3);
        Var { tape, id }
    }

    /// Normalises each channel of [N, C, …] to mean 0 and variance 1 over all other axes, then scales and shifts it by
    /// its numbers of weight and bias \[C\]:
    ///
    /// y = (x − mean) / √(variance + ε) · weight + bias
    ///
    /// Returns y, and the mean and the variance (with 1 / n), which are detached and keep the other axes with size 1.
    ///
    /// # Panics
    /// If there are fewer than two axes, weight or bias have another shape, or there is a bias without a weight.
    #[doc(hidden)]
    #[track_caller]
    pub fn batch_norm(self, [weight, bias]: [Option<Self>; 2], eps: f64) -> [Self; 3] {
        let (tape, shape) = (self.tape, self.shape());
        for affine in [weight, bias].into_iter().flatten() {
            tape.same_tape("batch_norm", affine.tape);
        }
        let [of_weight, of_bias] = [weight, bias].map(|x| x.map(Var::shape));
        self.fits(shapes::batch_norm(&shape, [of_weight.as_ref(), of_bias.as_ref()]));
        let (variance, mean) = self.detach().var_mean(&all_but_channels(shape), true, 0);
        let op = Op::Normalize(Normalize::Batch { eps: PackedF64::new(eps) });
        let operands = [Some(self), Some(mean), Some(variance), weight, bias];
        let operands: SmallVec<[Self; 5]> = operands.into_iter().flatten().collect();
        [tape.apply(op, &operands, shape), mean, variance]
    }

    /// Returns the variance and the mean over axes. See [`var`](Var::var) for `correction`.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn var_mean(self, axes: &[isize], keepdim: bool, correction: usize) -> (Self, Self) {
        let tape = self.tape;
        let reduced = self.fits(shapes::reduce("var_mean", &self.shape(), axes));
        let chosen = reduced.chosen.iter().enumerate();
        let axes = chosen.fold(0, |axes, (i, &chosen)| axes | u8::from(chosen) << i);
        let correction = u32::try_from(correction).unwrap_or(u32::MAX);
        let op = Op::Normalize(Normalize::Moments { axes, correction });
        let kept = reduced.kept;
        let mean = tape.apply_outputs(op, &[self], &[kept, kept], 2);
        let result = |id| {
            let kept = Var { tape, id };
            if keepdim || reduced.kept == reduced.dropped {
                kept
            } else {
                kept.reshape(reduced.dropped)
            }
        };
        (result(mean + 1), result(mean))
    }
}
