//! Properties that must hold for every program.

use super::plan::values;
use super::value::{Binary, Change, Inst, Value, run};
use wengert_autograd::{Policy, Tape, Var};
use wengert_tensor::Tensor;

/// The numbers of comparisons.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub programs: usize,
    pub values: usize,
    /// Variables for which the gradient was compared with differences.
    pub cuts: usize,
    /// Differences that were ignored because of a kink near the point.
    pub at_kinks: usize,
    pub second_orders: usize,
    pub second_at_kinks: usize,
    /// Pairs of gradients where the first was differentiated with respect to the second.
    pub pairs: usize,
}

type Check = Result<(), String>;

/// The step of the finite differences.
const H: f64 = 1e-4;

fn bits(x: &Tensor<f64>) -> Vec<u64> {
    x.to_vec().into_iter().map(f64::to_bits).collect()
}

fn same(what: &str, at: usize, a: &Tensor<f64>, b: &Tensor<f64>) -> Check {
    if a.shape() == b.shape() && bits(a) == bits(b) {
        return Ok(());
    }
    Err(format!("{what}, value {at}: {a} and {b}"))
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    a.to_vec().into_iter().zip(b.to_vec()).map(|(a, b)| a * b).sum()
}

/// Returns weights that differ, so that errors in a sum do not cancel.
fn weights(shape: &[usize], seed: usize) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| 0.4 + ((i * 5 + seed * 3 + 1) % 11) as f64 / 13.0)
}

/// Returns a direction whose elements differ, so that kinks of several elements do not cancel.
fn direction(shape: &[usize], seed: usize) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| (1.3 * i as f64 + 2.1 * seed as f64 + 0.4).sin())
}

/// Counts how many operands of the instructions are each value.
fn readers(program: &[Inst], count: &mut Vec<usize>) {
    let text = |inst: &Inst| -> Vec<usize> {
        match inst {
            Inst::Watch(_) | Inst::Param(..) | Inst::Constant(_) | Inst::Release(_) => vec![],
            Inst::Binary(_, a, b)
            | Inst::MatMul(a, b, ..)
            | Inst::Conv(a, b, _)
            | Inst::ScatterAdd(a, .., b) => vec![*a, *b],
            Inst::Select(a, b, c) => vec![*a, *b, *c],
            Inst::Concat(parts, _) | Inst::Stack(parts, _) | Inst::Custom(_, parts) => {
                parts.clone()
            }
            Inst::Unary(_, a)
            | Inst::Reshape(a, _)
            | Inst::T(a)
            | Inst::Permute(a, _)
            | Inst::Squeeze(a, _)
            | Inst::Unsqueeze(a, _)
            | Inst::Narrow(a, ..)
            | Inst::Slice(a, ..)
            | Inst::Split(a, ..)
            | Inst::Pad(a, ..)
            | Inst::BroadcastTo(a, _)
            | Inst::Reduce(_, a, ..)
            | Inst::LogSoftmax(a, _)
            | Inst::Softmax(a, _)
            | Inst::IndexSelect(a, ..)
            | Inst::Gather(a, ..)
            | Inst::MaxPool(a, _)
            | Inst::Detach(a) => vec![*a],
            Inst::Scope(..) => vec![],
        }
    };
    for inst in program {
        if let Inst::Scope(body, _) = inst {
            readers(body, count);
        }
        for i in text(inst) {
            count[i] += 1;
        }
    }
}

/// Returns Σ weights · value over the used values: those without a reader, and some others.
fn loss<V: Value>(home: V::Home, values: &[V], used: &[bool]) -> V {
    let mut sum: Option<V> = None;
    for (i, value) in values.iter().enumerate().filter(|&(i, _)| used[i]) {
        let weights = V::constant(home, &weights(&value.shape(), i));
        let term = value.binary(Binary::Mul, &weights).sum_all();
        sum = Some(match sum {
            Some(sum) => sum.binary(Binary::Add, &term),
            None => term,
        });
    }
    sum.expect("the last value has no reader")
}

/// Returns the derivative of `f` at 0 by finite differences; `None` near a kink.
fn slope(mut f: impl FnMut(f64) -> f64) -> Option<f64> {
    let at = f(0.0);
    let [far, near] = [2.0 * H, H].map(|h| (f(h), f(-h)));
    let central = |(plus, minus): (f64, f64), h: f64| (plus - minus) / (2.0 * h);
    let bend = |(plus, minus): (f64, f64), h: f64| (plus - 2.0 * at + minus) / h;
    let (far_slope, near_slope) = (central(far, 2.0 * H), central(near, H));
    let slope = (4.0 * near_slope - far_slope) / 3.0;
    // With a kink within the step, the slope has a jump that does not become smaller with the step.
    let jump = 2.0 * bend(near, H) - bend(far, 2.0 * H);
    let size = slope.abs().max(1.0);
    // The value at 0 itself may differ from the values on both sides, as for a comparison of two equal
    // numbers.
    let apart = bend(near, H).abs() > 0.05 * size;
    let smooth =
        !apart && (far_slope - near_slope).abs() <= 1e-6 * size && jump.abs() <= 1e-5 * size;
    smooth.then_some(slope)
}

struct Program<'a> {
    code: &'a [Inst],
    used: Vec<bool>,
    base: Vec<Tensor<f64>>,
    /// Whether each value is watched or a constant. These values stay readable after `backward`.
    given: Vec<bool>,
}

impl Program<'_> {
    fn on<'t>(&self, tape: &'t Tape<f64>, change: Change<'_>) -> (Vec<Var<'t, f64>>, Var<'t, f64>) {
        let values = run::<Var<'t, f64>>(tape, self.code, change);
        let loss = loss(tape, &values, &self.used);
        (values, loss)
    }

    fn number(&self, change: Change<'_>) -> f64 {
        let values = run::<Tensor<f64>>((), self.code, change);
        loss((), &values, &self.used).item()
    }
}

/// Lists the instruction that computes each value.
fn origins<'a>(program: &'a [Inst], found: &mut Vec<&'a Inst>) {
    for inst in program {
        match inst {
            Inst::Scope(body, _) => origins(body, found),
            inst => found.extend(std::iter::repeat_n(inst, inst.made())),
        }
    }
}

pub fn check(program: &[Inst], totals: &mut Totals) -> Check {
    let base = values(program);
    let mut count = vec![0; base.len()];
    readers(program, &mut count);
    let used = (0..base.len()).map(|i| count[i] == 0 || i % 5 == 2).collect();
    let mut from = vec![];
    origins(program, &mut from);
    assert_eq!(from.len(), base.len());
    let given =
        from.iter().map(|inst| matches!(inst, Inst::Watch(_) | Inst::Constant(_))).collect();
    // The leaves are the values whose gradients are compared.
    let leaf = |&i: &usize| matches!(from[i], Inst::Watch(_) | Inst::Param(_, false));
    let found: Vec<_> = (0..base.len()).filter(leaf).collect();
    let p = Program { code: program, used, base, given };
    agrees_with_tensors(&p, totals)?;
    let gradients = one_gradient_three_ways(&p, &found)?;
    cut_everywhere(&p, totals)?;
    gradients_by_gradients(&p, totals)?;
    second_order(&p, &found, &gradients, totals)?;
    totals.programs += 1;
    Ok(())
}

/// Checks that values on tapes have the bits of the values on tensors.
fn agrees_with_tensors(p: &Program<'_>, totals: &mut Totals) -> Check {
    let number = loss((), &p.base, &p.used);
    for policy in [Policy::Eager, Policy::Fused] {
        for (name, tape) in [("recorded", Tape::new()), ("inference", Tape::inference())] {
            let tape = tape.with_policy(policy);
            let (vars, sum) = p.on(&tape, Change::default());
            same(&format!("the loss, {name} {policy:?}"), 0, &number, &sum.value())?;
            for (i, (var, tensor)) in vars.iter().zip(&p.base).enumerate() {
                same(&format!("a tape and tensors, {name} {policy:?}"), i, &var.value(), tensor)?;
                totals.values += 1;
            }
        }
    }
    Ok(())
}

/// Checks that `backward`, `backward_retain` (twice) and `grad` return the same gradients with both policies,
/// and which values can be read afterwards. Returns the gradients.
fn one_gradient_three_ways(p: &Program<'_>, leaves: &[usize]) -> Result<Vec<Tensor<f64>>, String> {
    let number = loss((), &p.base, &p.used);
    let mut first: Option<Vec<Tensor<f64>>> = None;
    for policy in [Policy::Eager, Policy::Fused] {
        for retain in [false, true] {
            let tape = Tape::new().with_policy(policy);
            let (vars, sum) = p.on(&tape, Change::default());
            if !sum.is_active() {
                return Ok(leaves.iter().map(|&i| p.base[i].clone() * 0.0).collect());
            }
            let about = |what: &str| format!("{what}, {policy:?}, retain {retain}");
            let nodes = tape.len();
            let mut all = vec![];
            if retain {
                all.push(sum.backward_retain());
                all.push(sum.backward_retain());
            }
            all.push(sum.backward());
            if tape.len() > nodes {
                return Err(about(&format!("backward left {} of {nodes} nodes", tape.len())));
            }
            for gradients in &all {
                let of = |&i: &usize| {
                    gradients.wrt(vars[i]).cloned().unwrap_or_else(|| &p.base[i] * 0.0)
                };
                let found: Vec<_> = leaves.iter().map(of).collect();
                let wanted = first.get_or_insert_with(|| found.clone());
                for (i, (a, b)) in wanted.iter().zip(&found).enumerate() {
                    // Adding 0 turns -0 into 0: an empty sum has no negative zero.
                    same(&about("two gradients"), leaves[i], &(a + 0.0), &(b + 0.0))?;
                }
            }
            same(&about("the loss after backward"), 0, &number, &sum.value())?;
            for (i, var) in vars.iter().enumerate() {
                if p.base[i].numel() <= 8 || p.given[i] {
                    same(&about("after backward"), i, &p.base[i], &var.value())?;
                }
            }
        }
        let tape = Tape::new().with_policy(policy);
        let (vars, sum) = p.on(&tape, Change::default());
        let targets: Vec<_> = leaves.iter().map(|&i| vars[i]).collect();
        let variables = sum.grad_or_zero(&targets);
        let first = first.as_ref().expect("the loop above computed the gradients");
        for (k, (g, wanted)) in variables.iter().zip(first).enumerate() {
            let g = g.value();
            same(
                &format!("grad and backward, {policy:?}"),
                leaves[k],
                &(g + 0.0),
                &(wanted + 0.0),
            )?;
        }
    }
    first.ok_or_else(|| "no gradient".into())
}

/// Checks that the gradient with respect to each variable is the effect of adding a small number to it.
fn cut_everywhere(p: &Program<'_>, totals: &mut Totals) -> Check {
    let tape = Tape::new();
    let (vars, sum) = p.on(&tape, Change::default());
    let active: Vec<usize> = (0..vars.len()).filter(|&i| vars[i].is_active()).collect();
    let targets: Vec<_> = active.iter().map(|&i| vars[i]).collect();
    let slopes = sum.grad_or_zero(&targets);
    for (k, (&i, g)) in active.iter().zip(&slopes).enumerate() {
        if slopes[..k].iter().any(|other| other.is(*g)) {
            return Err(format!("the gradient by value {i} is also another one"));
        }
        let (g, along) = (g.value(), direction(&p.base[i].shape(), i));
        let wanted = slope(|h| {
            let by = &along * h;
            let change = Change { nudge: Some((i, &by)), base: Some(&p.base), leaves: &[] };
            p.number(change)
        });
        let Some(wanted) = wanted else {
            totals.at_kinks += 1;
            continue;
        };
        totals.cuts += 1;
        let got = dot(&g, &along);
        let scale: f64 = g.to_vec().iter().map(|g| g.abs()).sum();
        if (got - wanted).abs() > 1e-6 * scale.max(wanted.abs()).max(1.0) || got.is_nan() {
            return Err(format!("cut at value {i}: {got}, by differences {wanted}"));
        }
    }
    Ok(())
}

/// Checks derivatives of gradients with respect to gradients. The gradient ∇x with respect to x is computed
/// from the gradient ∇y with respect to y by the derivative of y: ∂⟨w, ∇x⟩ / ∂∇y = ∂y/∂x · w. This must hold
/// for each pair, whichever other gradients are requested.
fn gradients_by_gradients(p: &Program<'_>, totals: &mut Totals) -> Check {
    let policy = if p.code.len().is_multiple_of(2) { Policy::Eager } else { Policy::Fused };
    let tape = Tape::new().with_policy(policy);
    let (vars, sum) = p.on(&tape, Change::default());
    // The watched factor makes every gradient active.
    let loss = sum * tape.watch(Tensor::scalar_of(1.0));
    let active: Vec<usize> = (0..vars.len()).filter(|&i| vars[i].is_active()).collect();
    let targets: Vec<_> = active.iter().map(|&i| vars[i]).collect();
    let all = loss.grad_or_zero(&targets);
    let n = active.len();
    // The pairs are a value and itself, its neighbours, and a distant value.
    for k in (0..n).step_by(1 + n / 6) {
        for l in [k, (k + 1) % n, (k + n - 1) % n, (k * 7 + 3) % n] {
            let (x, y) = (active[k], active[l]);
            let (w, u) = (weights(&p.base[x].shape(), x), direction(&p.base[y].shape(), y));
            let by_y = |by_x: Var<'_, f64>, by_y: Var<'_, f64>| {
                if !by_x.is_active() || !by_y.is_active() {
                    return 0.0;
                }
                let along = (by_x * by_x.tape().constant(w.clone())).sum_all();
                dot(&along.grad_or_zero(&[by_y])[0].value(), &u)
            };
            let got = by_y(all[k], all[l]);
            let pair = loss.grad_or_zero(&[vars[x], vars[y]]);
            let alone = by_y(pair[0], pair[1]);
            if !all[k].is_active() || !all[l].is_active() {
                continue;
            }
            let wanted = slope(|h| {
                let by = &w * h;
                let change = Change { nudge: Some((x, &by)), base: Some(&p.base), leaves: &[] };
                dot(&run::<Tensor<f64>>((), p.code, change)[y], &u)
            });
            let Some(wanted) = wanted else { continue };
            totals.pairs += 1;
            for (asked, got) in [("among all", got), ("alone", alone)] {
                if (got - wanted).abs() > 1e-6 * wanted.abs().max(1.0) || got.is_nan() {
                    return Err(format!(
                        "{asked}, the gradient by value {x} by that by value {y}: {got}, value {y} by \
                         value {x}: {wanted}"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Returns Σ weights · gradient over the gradients with respect to all active variables.
fn sum_of_slopes<'t>(vars: &[Var<'t, f64>], sum: Var<'t, f64>) -> Option<Var<'t, f64>> {
    let active: Vec<_> = vars.iter().copied().filter(|v| v.is_active()).collect();
    let slopes = sum.grad_or_zero(&active);
    let term = |(i, g): (usize, Var<'t, f64>)| {
        (g * g.tape().constant(weights(&g.shape(), i + 7))).sum_all()
    };
    slopes.into_iter().enumerate().map(term).reduce(|a, b| a + b)
}

/// Compares second derivatives with differences of the gradients.
fn second_order(
    p: &Program<'_>,
    leaves: &[usize],
    first: &[Tensor<f64>],
    totals: &mut Totals,
) -> Check {
    let mut seen: Option<Vec<Tensor<f64>>> = None;
    for policy in [Policy::Fused, Policy::Eager] {
        let tape = Tape::new().with_policy(policy);
        let (vars, sum) = p.on(&tape, Change::default());
        let Some(slopes) = sum_of_slopes(&vars, sum).filter(|s| s.is_active()) else {
            return Ok(());
        };
        let targets: Vec<_> = leaves.iter().map(|&i| vars[i]).collect();
        let bends: Vec<_> =
            slopes.grad_or_zero(&targets).into_iter().map(|g| g.value() + 0.0).collect();
        let gradients = slopes.backward();
        for (k, &i) in leaves.iter().enumerate() {
            let zero = || &p.base[i] * 0.0;
            let number = gradients.wrt(vars[i]).cloned().unwrap_or_else(zero);
            same("second order, grad and backward", i, &bends[k], &(number + 0.0))?;
        }
        match &seen {
            None => seen = Some(bends),
            Some(seen) => {
                for (k, (a, b)) in seen.iter().zip(&bends).enumerate() {
                    same("second order, fused and eager", leaves[k], a, b)?;
                }
            }
        }
    }
    let bends = seen.expect("computed above");
    let along: Vec<_> = leaves.iter().map(|&i| direction(&p.base[i].shape(), i + 3)).collect();
    let wanted = slope(|h| {
        let moved: Vec<_> = leaves.iter().zip(&along).map(|(&i, along)| (i, along * h)).collect();
        let tape = Tape::new();
        let change = Change { leaves: &moved, base: Some(&p.base), nudge: None };
        let (vars, sum) = p.on(&tape, change);
        sum_of_slopes(&vars, sum).map_or(0.0, Var::item)
    });
    let Some(wanted) = wanted else {
        totals.second_at_kinks += 1;
        return Ok(());
    };
    totals.second_orders += 1;
    let got: f64 = bends.iter().zip(&along).map(|(g, along)| dot(g, along)).sum();
    let size =
        |all: &[Tensor<f64>]| -> f64 { all.iter().flat_map(Tensor::to_vec).map(f64::abs).sum() };
    let scale = size(&bends).max(wanted.abs()).max(size(first)).max(1.0);
    if (got - wanted).abs() > 1e-6 * scale || got.is_nan() {
        return Err(format!("second order: {got}, by differences {wanted}"));
    }
    Ok(())
}
