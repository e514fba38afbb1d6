//! What holds for every program.

use crate::plan::values;
use crate::value::{Binary, Change, Inst, Value, run};
use wengert_autograd::{Policy, Tape, Var};
use wengert_tensor::Tensor;

/// What was compared.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub programs: usize,
    pub values: usize,
    /// Variables by which a gradient was compared with differences.
    pub cuts: usize,
    /// Differences that say nothing, since a kink is near.
    pub at_kinks: usize,
    pub second_orders: usize,
    pub second_at_kinks: usize,
    /// Programs for which `grad` and `backward` differ in the last bits.
    pub grad_differs_in_last_bits: usize,
    pub worst_relative_difference: f64,
}

type Check = Result<(), String>;

/// Steps of the differences.
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

/// Weights that differ, so that sums hide nothing.
fn weights(shape: &[usize], seed: usize) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| 0.4 + ((i * 5 + seed * 3 + 1) % 11) as f64 / 13.0)
}

fn direction(shape: &[usize], seed: usize) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| ((i * 7 + seed * 5 + 3) % 13) as f64 / 6.5 - 0.93)
}

/// How many values the instructions read of each.
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

/// Σ weights · value over the values that nothing reads, and over some others.
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

/// A number and its derivative along a direction, by differences; `None` near a kink.
fn slope(mut f: impl FnMut(f64) -> f64) -> Option<f64> {
    let at = f(0.0);
    let [far, near] = [2.0 * H, H].map(|h| (f(h), f(-h)));
    let central = |(plus, minus): (f64, f64), h: f64| (plus - minus) / (2.0 * h);
    let bend = |(plus, minus): (f64, f64), h: f64| (plus - 2.0 * at + minus) / h;
    let (far_slope, near_slope) = (central(far, 2.0 * H), central(near, H));
    let slope = (4.0 * near_slope - far_slope) / 3.0;
    // A kink within reach: the slope jumps, whatever the step.
    let jump = 2.0 * bend(near, H) - bend(far, 2.0 * H);
    let size = slope.abs().max(1.0);
    let smooth = (far_slope - near_slope).abs() <= 1e-5 * size && jump.abs() <= 1e-5 * size;
    smooth.then_some(slope)
}

struct Program<'a> {
    program: &'a [Inst],
    used: Vec<bool>,
    base: Vec<Tensor<f64>>,
}

impl Program<'_> {
    fn on<'t>(&self, tape: &'t Tape<f64>, change: Change<'_>) -> (Vec<Var<'t, f64>>, Var<'t, f64>) {
        let values = run::<Var<'t, f64>>(tape, self.program, change);
        let loss = loss(tape, &values, &self.used);
        (values, loss)
    }

    fn number(&self, change: Change<'_>) -> f64 {
        let values = run::<Tensor<f64>>((), self.program, change);
        loss((), &values, &self.used).item()
    }
}

/// The places of leaves whose gradients are wanted.
fn leaves(program: &[Inst], at: &mut usize, base: &[Tensor<f64>], found: &mut Vec<usize>) {
    for inst in program {
        match inst {
            Inst::Watch(_) | Inst::Param(_, false) => found.push(*at),
            Inst::Scope(body, _) => {
                leaves(body, at, base, found);
                continue;
            }
            _ => {}
        }
        *at += inst.made();
    }
}

pub fn check(program: &[Inst], totals: &mut Totals) -> Check {
    let base = values(program);
    let mut count = vec![0; base.len()];
    readers(program, &mut count);
    let used = (0..base.len()).map(|i| count[i] == 0 || i % 5 == 2).collect();
    let mut found = vec![];
    let mut at = 0;
    leaves(program, &mut at, &base, &mut found);
    assert_eq!(at, base.len());
    let p = Program { program, used, base };
    agrees_with_tensors(&p, totals)?;
    let gradients = one_gradient_three_ways(&p, &found, totals)?;
    cut_everywhere(&p, totals)?;
    second_order(&p, &found, &gradients, totals)?;
    totals.programs += 1;
    Ok(())
}

/// The same bits on every tape as on none.
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

/// `backward`, `backward_retain` (twice) and `grad`, with both policies. What can be read afterwards.
fn one_gradient_three_ways(
    p: &Program<'_>,
    leaves: &[usize],
    totals: &mut Totals,
) -> Result<Vec<Tensor<f64>>, String> {
    let number = loss((), &p.base, &p.used);
    let mut first: Option<Vec<Tensor<f64>>> = None;
    let mut differs = false;
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
                    // Zeros have a sign, which sums of none lack.
                    same(&about("two gradients"), leaves[i], &(a + 0.0), &(b + 0.0))?;
                }
            }
            same(&about("the loss after backward"), 0, &number, &sum.value())?;
            for (i, var) in vars.iter().enumerate() {
                let stays = p.base[i].numel() <= 8;
                if stays {
                    same(&about("after backward"), i, &p.base[i], &var.value())?;
                }
            }
        }
        let tape = Tape::new().with_policy(policy);
        let (vars, sum) = p.on(&tape, Change::default());
        let targets: Vec<_> = leaves.iter().map(|&i| vars[i]).collect();
        let variables = sum.grad_or_zero(&targets);
        let first = first.as_ref().expect("both were computed above");
        for (k, (g, wanted)) in variables.iter().zip(first).enumerate() {
            let g = g.value();
            let scale = wanted.to_vec().iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
            for (a, b) in g.to_vec().into_iter().zip(wanted.to_vec()) {
                let difference = (a - b).abs() / scale;
                totals.worst_relative_difference = totals.worst_relative_difference.max(difference);
                differs |= a != b;
                if difference.is_nan() || difference > 1e-12 {
                    return Err(format!("grad and backward, {policy:?}, {}: {a} {b}", leaves[k]));
                }
            }
        }
    }
    totals.grad_differs_in_last_bits += usize::from(differs);
    first.ok_or_else(|| "no gradient".into())
}

/// The gradient by each variable is the effect of adding a small number to it.
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

/// Σ weights · gradient over the gradients by all variables, as a variable.
fn sum_of_slopes<'t>(vars: &[Var<'t, f64>], sum: Var<'t, f64>) -> Option<Var<'t, f64>> {
    let active: Vec<_> = vars.iter().copied().filter(|v| v.is_active()).collect();
    let slopes = sum.grad_or_zero(&active);
    let term = |(i, g): (usize, Var<'t, f64>)| {
        (g * g.tape().constant(weights(&g.shape(), i + 7))).sum_all()
    };
    slopes.into_iter().enumerate().map(term).reduce(|a, b| a + b)
}

/// The derivatives of the gradients against differences of them.
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
            let scale = bends[k].to_vec().iter().fold(1e-3, |m: f64, x| m.max(x.abs()));
            for (a, b) in number.to_vec().into_iter().zip(bends[k].to_vec()) {
                if (a - b).abs() > 1e-11 * scale || (a - b).is_nan() {
                    return Err(format!("second order by {i}, grad {b} and backward {a}"));
                }
            }
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
    let along: Vec<_> =
        leaves.iter().map(|&i| direction(&p.base[i].shape(), i + 3)).collect();
    let wanted = slope(|h| {
        let moved: Vec<_> =
            leaves.iter().zip(&along).map(|(&i, along)| (i, along * h)).collect();
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
    let size = |all: &[Tensor<f64>]| -> f64 {
        all.iter().flat_map(Tensor::to_vec).map(f64::abs).sum()
    };
    let scale = size(&bends).max(wanted.abs()).max(size(first)).max(1.0);
    if (got - wanted).abs() > 1e-6 * scale || got.is_nan() {
        return Err(format!("second order: {got}, by differences {wanted}"));
    }
    Ok(())
}
