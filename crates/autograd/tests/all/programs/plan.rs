//! Random programs from lists of steps. Each step chooses its operands among the values computed so far, so
//! that every list of steps, and every part of a list, is a valid program.

use super::customs;
use super::value::{Binary, Change, Inst, Reduce, Unary, run};
use std::fmt::Write;
use wengert_tensor::{Conv, Pool, Tensor, shapes};

/// A kind of instruction, and random bytes that choose its operands.
#[derive(Clone, Debug)]
pub struct Step {
    pub kind: usize,
    pub bytes: [u8; 8],
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Pointwise,
    Two,
    Alias,
    Select,
    Watch,
    Param,
    Constant,
    Reshape,
    T,
    Permute,
    One,
    Narrow,
    Slice,
    Split,
    Pad,
    Join,
    BroadcastTo,
    Reduce,
    Softmax,
    MatMul,
    Pick,
    ScatterAdd,
    MaxPool,
    Conv,
    Custom,
    Detach,
    Release,
    Scope,
}

/// The first kinds are the simplest. proptest shortens programs by replacing kinds with earlier ones.
pub const KINDS: &[Kind] = &[
    Kind::Pointwise,
    Kind::Pointwise,
    Kind::Pointwise,
    Kind::Pointwise,
    Kind::Two,
    Kind::Two,
    Kind::Two,
    Kind::Two,
    Kind::Alias,
    Kind::Watch,
    Kind::Watch,
    Kind::Param,
    Kind::Constant,
    Kind::Reshape,
    Kind::T,
    Kind::T,
    Kind::Permute,
    Kind::One,
    Kind::Narrow,
    Kind::Narrow,
    Kind::Slice,
    Kind::Split,
    Kind::Pad,
    Kind::Join,
    Kind::Join,
    Kind::BroadcastTo,
    Kind::Reduce,
    Kind::Reduce,
    Kind::Reduce,
    Kind::Softmax,
    Kind::MatMul,
    Kind::MatMul,
    Kind::Pick,
    Kind::Pick,
    Kind::ScatterAdd,
    Kind::Select,
    Kind::MaxPool,
    Kind::Conv,
    Kind::Custom,
    Kind::Custom,
    Kind::Detach,
    Kind::Release,
    Kind::Release,
    Kind::Scope,
    Kind::Scope,
];

/// Shapes with up to 8 elements, whose values are computed at once, shapes with more, and empty shapes.
const SHAPES: &[&[usize]] = &[
    &[3],
    &[2],
    &[1],
    &[],
    &[5],
    &[9],
    &[20],
    &[2, 3],
    &[3, 3],
    &[3, 5],
    &[5, 1],
    &[1, 9],
    &[4, 5],
    &[2, 1, 5],
    &[2, 3, 3],
    &[0],
    &[0, 3],
    &[2, 0, 3],
];

/// The maximum number of elements of a value. Values above `LARGE` and values that are not finite are not
/// used either.
const MOST: usize = 120;
const LARGE: f64 = 20.0;

const UNARY: &[Unary] = &[
    Unary::Sin,
    Unary::Tanh,
    Unary::Sigmoid,
    Unary::Softplus,
    Unary::Exp,
    Unary::Square,
    Unary::Cube,
    Unary::Ln,
    Unary::Sqrt,
    Unary::Recip,
    Unary::Neg,
    Unary::Scale,
    Unary::Shift,
    Unary::Less,
    Unary::Over,
    Unary::Under,
    Unary::Abs,
    Unary::Relu,
    Unary::ClampMin,
    Unary::Clamp,
    Unary::Power,
    Unary::Sign,
];
const BINARY: &[Binary] = &[
    Binary::Add,
    Binary::Mul,
    Binary::Sub,
    Binary::Div,
    Binary::Pow,
    Binary::Maximum,
    Binary::Minimum,
];
const REDUCE: &[Reduce] =
    &[Reduce::Sum, Reduce::Mean, Reduce::Max, Reduce::Min, Reduce::LogSumExp, Reduce::Var];

fn choose<T: Copy>(from: &[T], byte: u8) -> T {
    from[byte as usize % from.len()]
}

/// Returns a new tensor. No element is at a kink of an operation or occurs twice.
fn numbers(shape: &[usize], seed: usize) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| {
        let k = (i * 7919 + seed * 104_729 + 13) % 10_007;
        (k as f64 + 0.3137) / 2501.7 - 2.0
    })
}

struct Planner {
    values: Vec<Tensor<f64>>,
    seed: usize,
    /// Whether an operation of the program is at a kink. Only one is allowed, because the choices of two
    /// rules may be inconsistent: max(min(a, b), b) is b, but at a = b each rule passes a half, and the
    /// gradient of b is ¾.
    tied: bool,
}

/// Returns the instructions of these steps.
pub fn plan(steps: &[Step]) -> Vec<Inst> {
    let mut planner = Planner { values: vec![], seed: 0, tied: false };
    let mut program = vec![];
    planner.add(&mut program, Inst::Watch(numbers(&[2, 3], 0)));
    planner.all(&mut program, steps, 0);
    program
}

impl Planner {
    fn all(&mut self, program: &mut Vec<Inst>, steps: &[Step], depth: usize) {
        let mut rest = steps;
        while let [step, after @ ..] = rest {
            rest = after;
            let byte = |i: usize| step.bytes[i];
            if KINDS[step.kind] == Kind::Scope {
                let len = (2 + byte(0) as usize % 8).min(rest.len());
                if depth == 3 || len == 0 {
                    continue;
                }
                let first = self.values.len();
                let mut body = vec![];
                self.all(&mut body, &rest[..len], depth + 1);
                rest = &rest[len..];
                let made = self.values.len() - first;
                // The scope returns none of its values, the last one, or several.
                let results = match byte(1) % 4 {
                    _ if made == 0 => vec![],
                    0 => vec![],
                    1 | 2 => vec![made - 1],
                    _ => (0..made).filter(|i| byte(2) >> (i % 8) & 1 == 1).collect(),
                };
                program.push(Inst::Scope(body, results));
                continue;
            }
            let inst = self.resolve(KINDS[step.kind], step.bytes);
            if let Some(inst) = inst
                && !self.add(program, inst)
            {
                // The instruction is replaced by one whose result is always small.
                let a = self.operand(byte(0));
                self.add(program, Inst::Unary(Unary::Sin, a));
            }
        }
    }

    /// Adds an instruction and its values to the program if its results are valid operands for later
    /// instructions. Returns whether it was added.
    fn add(&mut self, program: &mut Vec<Inst>, inst: Inst) -> bool {
        let before = self.values.len();
        // Only the new instruction is computed, from the existing values.
        let made = super::value::next(&self.values, &inst);
        let fit = |x: &Tensor<f64>| {
            x.numel() <= MOST && x.rank() <= 4 && x.to_vec().iter().all(|x| x.abs() <= LARGE)
        };
        if let Inst::Select(condition, ..) = inst
            && self.values[condition].to_vec().into_iter().any(|x| x.abs() < 1e-6)
        {
            return false; // for v² at v = 0, differences see one operand only
        }
        let tied = self.at_kink(&inst);
        if !made.iter().all(fit) || (tied && self.tied) {
            return false;
        }
        self.tied |= tied;
        self.values.extend(made);
        debug_assert!(self.values.len() >= before);
        program.push(inst);
        true
    }

    /// Returns whether the derivative of an instruction does not exist at its operands or near them.
    fn at_kink(&self, inst: &Inst) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        let any = |a: usize, f: &dyn Fn(f64) -> bool| self.values[a].to_vec().into_iter().any(f);
        match inst {
            Inst::Unary(Unary::Abs | Unary::Relu | Unary::Sign, a) => any(*a, &|x| near(x, 0.0)),
            Inst::Unary(Unary::ClampMin, a) => any(*a, &|x| near(x, -0.37)),
            Inst::Unary(Unary::Clamp, a) => any(*a, &|x| near(x, -1.13) || near(x, 0.91)),
            Inst::Binary(Binary::Maximum | Binary::Minimum, a, b) => {
                let apart = &self.values[*a] - &self.values[*b];
                apart.to_vec().into_iter().any(|x| near(x, 0.0))
            }
            Inst::Reduce(Reduce::Max | Reduce::Min, a, ..) | Inst::MaxPool(a, _) => {
                let mut all = self.values[*a].to_vec();
                all.sort_by(f64::total_cmp);
                all.windows(2).any(|pair| near(pair[0], pair[1]))
            }
            _ => false,
        }
    }

    /// Returns the position of a value, often one of the last four.
    fn operand(&self, byte: u8) -> usize {
        let (n, back) = (self.values.len(), byte as usize);
        if back < 160 { n - 1 - back % n.min(4) } else { back % n }
    }

    /// Returns the position of the first value for which `right` is true. The search goes down from `from`
    /// and continues at the end.
    fn search(&self, from: usize, right: impl Fn(&Tensor<f64>) -> bool) -> Option<usize> {
        let n = self.values.len();
        (0..n).map(|back| (from + n - back) % n).find(|&i| right(&self.values[i]))
    }

    fn numbers(&mut self, byte: u8) -> Tensor<f64> {
        self.seed += 1;
        numbers(choose(SHAPES, byte), self.seed)
    }

    /// Returns an instruction of this kind; `None` if it cannot be applied to any value.
    #[allow(clippy::too_many_lines)] // an arm for each kind
    fn resolve(&mut self, kind: Kind, bytes: [u8; 8]) -> Option<Inst> {
        let byte = |i: usize| bytes[i] as usize;
        let a = self.operand(bytes[0]);
        let shape = self.values[a].shape().to_vec();
        let rank = shape.len();
        let axis = if rank == 0 { 0 } else { byte(1) % rank };
        let named = axis as isize - if byte(7) % 2 == 1 { rank as isize } else { 0 };
        let needs_axis = |inst: Inst| (rank > 0).then_some(inst);
        let fits = |b: &Tensor<f64>| {
            shapes::broadcast("", &shape, &b.shape())
                .is_ok_and(|shape| shape.iter().product::<usize>() <= MOST)
        };
        match kind {
            Kind::Pointwise => Some(Inst::Unary(choose(UNARY, bytes[1]), a)),
            Kind::Two => {
                let b = self.search(self.operand(bytes[1]), fits)?;
                Some(Inst::Binary(choose(BINARY, bytes[2]), a, b))
            }
            Kind::Alias => Some(Inst::Binary(choose(BINARY, bytes[1]), a, a)),
            Kind::Select => {
                let b = self.search(self.operand(bytes[1]), fits)?;
                let both = shapes::broadcast("", &shape, &self.values[b].shape()).ok()?;
                let c = self.search(self.operand(bytes[2]), |c| {
                    shapes::broadcast("", &both, &c.shape()).is_ok()
                })?;
                Some(Inst::Select(c, a, b))
            }
            Kind::Watch => Some(Inst::Watch(self.numbers(bytes[1]))),
            Kind::Param => Some(Inst::Param(self.numbers(bytes[1]), byte(2) % 3 == 2)),
            Kind::Constant => Some(Inst::Constant(self.numbers(bytes[1]))),
            Kind::Reshape => {
                let n = self.values[a].numel();
                let to: Vec<isize> = match byte(1) % 4 {
                    0 => vec![n as isize],
                    1 => shape.iter().map(|&n| n as isize).collect(),
                    2 => vec![1, n as isize],
                    _ => {
                        let rows = (2..=5).find(|&rows| n.is_multiple_of(rows)).unwrap_or(1);
                        vec![rows as isize, (n / rows) as isize]
                    }
                };
                Some(Inst::Reshape(a, to))
            }
            Kind::T => {
                let a = self.search(a, |x| x.rank() >= 2)?;
                Some(Inst::T(a))
            }
            Kind::Permute => {
                let mut axes: Vec<isize> = (0..rank as isize).collect();
                axes.rotate_left(if rank == 0 { 0 } else { byte(1) % rank });
                if rank > 1 && byte(2) % 2 == 1 {
                    axes.swap(0, 1);
                }
                Some(Inst::Permute(a, axes))
            }
            Kind::One => match shape.iter().position(|&n| n == 1) {
                Some(axis) if byte(1) % 2 == 1 => Some(Inst::Squeeze(a, axis as isize)),
                _ => Some(Inst::Unsqueeze(a, (byte(2) % (rank + 1)) as isize)),
            },
            Kind::Narrow => {
                let n = *shape.get(axis)?;
                let start = byte(2) % (n + 1);
                Some(Inst::Narrow(a, named, start, byte(3) % (n - start + 1)))
            }
            Kind::Slice => {
                let bound = |i: usize| (byte(i) % 3 > 0).then(|| byte(i) as isize % 11 - 5);
                let step = [1, 2, -1, -2, 3, -3][byte(4) % 6];
                needs_axis(Inst::Slice(a, named, bound(2), bound(3), step))
            }
            Kind::Split => {
                let n = *shape.get(axis)?;
                let first = byte(2) % (n + 1);
                let second = byte(3) % (n - first + 1);
                Some(Inst::Split(a, named, vec![first, second, n - first - second]))
            }
            Kind::Pad => {
                let mut around = vec![(0, 0); rank];
                if rank > 0 {
                    around[axis] = (byte(2) % 3, byte(3) % 3);
                    around[rank - 1].1 += byte(4) % 2;
                }
                Some(Inst::Pad(a, around, if byte(5) % 2 == 0 { 0.0 } else { 0.37 }))
            }
            Kind::Join => {
                let equal = |x: &Tensor<f64>| *x.shape() == shape[..];
                if byte(2) % 2 == 0 {
                    let b = self.search(self.operand(bytes[3]), equal)?;
                    let mut parts = vec![a, b];
                    if byte(4) % 2 == 1 {
                        parts.push(a);
                    }
                    return Some(Inst::Stack(parts, (byte(1) % (rank + 1)) as isize));
                }
                let beside = |x: &Tensor<f64>| {
                    x.rank() == rank && (0..rank).all(|i| i == axis || x.shape()[i] == shape[i])
                };
                let b = self.search(self.operand(bytes[3]), beside)?;
                let c = self.search(self.operand(bytes[4]), beside)?;
                needs_axis(Inst::Concat([a, b, c][..=byte(5) % 3].to_vec(), named))
            }
            Kind::BroadcastTo => {
                let mut to: Vec<usize> =
                    shape.iter().map(|&n| if n == 1 { 1 + byte(1) % 4 } else { n }).collect();
                if byte(2) % 2 == 1 {
                    to.insert(0, 1 + byte(3) % 3);
                }
                Some(Inst::BroadcastTo(a, to))
            }
            Kind::Reduce => {
                let op = choose(REDUCE, bytes[2]);
                let axes: Vec<isize> = match byte(3) % 3 {
                    0 => vec![],
                    1 if rank > 0 => vec![named],
                    _ => (0..rank as isize).skip(1).collect(),
                };
                let none = self.values[a].numel() == 0;
                let op = if none { Reduce::Sum } else { op };
                Some(Inst::Reduce(op, a, axes, byte(4) % 2 == 1))
            }
            Kind::Softmax if byte(2) % 2 == 0 => needs_axis(Inst::LogSoftmax(a, named)),
            Kind::Softmax => needs_axis(Inst::Softmax(a, named)),
            Kind::MatMul => {
                let (ta, tb) = (byte(2) % 2 == 1 && rank > 1, byte(3) % 2 == 1);
                let right = |b: &Tensor<f64>| {
                    !(tb && b.rank() < 2)
                        && shapes::matmul(&shape, &b.shape(), ta, tb)
                            .is_ok_and(|y| y.iter().product::<usize>() <= MOST)
                };
                let b = self.search(self.operand(bytes[1]), right)?;
                Some(Inst::MatMul(a, b, ta, tb))
            }
            Kind::Pick => {
                let n = *shape.get(axis)?;
                let rows = if n == 0 { 0 } else { 1 + byte(2) % 4 };
                let index = |i: usize| ((byte(3) + i * (1 + byte(4) % 3)) % n) as i64;
                if byte(5) % 2 == 0 {
                    return Some(Inst::IndexSelect(a, named, Tensor::from_fn([rows], index)));
                }
                let mut sizes = shape.clone();
                sizes[axis] = rows;
                Some(Inst::Gather(a, named, Tensor::from_fn(&sizes[..], index)))
            }
            Kind::ScatterAdd => {
                let n = *shape.get(axis)?;
                let source = self.search(self.operand(bytes[2]), |x| {
                    x.rank() == rank
                        && (0..rank).all(|i| i == axis || x.shape()[i] <= shape[i])
                        && (n > 0 || x.numel() == 0)
                })?;
                let mut sizes = self.values[source].shape().to_vec();
                sizes[axis] = sizes[axis].min(1 + byte(3) % 4);
                let index = |i: usize| ((byte(4) + i * (1 + byte(5) % 3)) % n.max(1)) as i64;
                Some(Inst::ScatterAdd(a, named, Tensor::from_fn(&sizes[..], index), source))
            }
            Kind::MaxPool => {
                let a = self.search(a, |x| x.rank() == 2 && x.shape().iter().all(|&n| n > 1))?;
                let pool = Pool::new(2).stride(1 + byte(1) % 2).ceil_mode(byte(2) % 2 == 1);
                Some(Inst::MaxPool(a, pool))
            }
            Kind::Conv => {
                let image = |x: &Tensor<f64>| x.rank() == 4;
                let conv = Conv::new().stride(1 + byte(2) % 2).padding(byte(3) % 2);
                let right = |x: usize| {
                    let shape = self.values[x].shape();
                    let right = |w: &Tensor<f64>| {
                        shapes::conv2d(&shape, &w.shape(), None, &conv)
                            .is_ok_and(|y| y.iter().product::<usize>() <= MOST)
                    };
                    self.search(self.operand(bytes[1]), right).map(|w| (x, w))
                };
                if let Some((x, w)) = self.search(a, image).and_then(right) {
                    return Some(Inst::Conv(x, w, conv));
                }
                // There is no image to convolve: the instruction makes one for later steps.
                let to = match shape.len() {
                    2 => vec![1, 1, shape[0] as isize, shape[1] as isize],
                    _ => vec![1, 1, 1, -1],
                };
                (self.values[a].numel() > 0).then_some(Inst::Reshape(a, to))
            }
            Kind::Custom => {
                let equal = |x: &Tensor<f64>| *x.shape() == shape[..];
                let operands = (1..customs::arity(bytes[1]))
                    .map(|i| self.search(self.operand(bytes[1 + i]), equal));
                let operands = std::iter::once(Some(a)).chain(operands);
                Some(Inst::Custom(bytes[1], operands.collect::<Option<_>>()?))
            }
            Kind::Detach => Some(Inst::Detach(a)),
            Kind::Release => Some(Inst::Release(a)),
            Kind::Scope => unreachable!("has steps of its own"),
        }
    }
}

/// Returns the values of a program.
pub fn values(program: &[Inst]) -> Vec<Tensor<f64>> {
    run::<Tensor<f64>>((), program, Change::default())
}

/// Returns a line for each instruction, with the position of its first value and the shapes of all values.
pub fn listing(program: &[Inst]) -> String {
    let (all, mut at, mut text) = (values(program), 0, String::new());
    list(program, &all, &mut at, 0, &mut text);
    text
}

fn list(program: &[Inst], all: &[Tensor<f64>], at: &mut usize, depth: usize, text: &mut String) {
    for inst in program {
        let indent = "  ".repeat(depth);
        if let Inst::Scope(body, results) = inst {
            let _ = writeln!(text, "{indent}scope, returns {results:?} of");
            list(body, all, at, depth + 1, text);
            continue;
        }
        let made = inst.made();
        let shapes: Vec<_> = all[*at..*at + made].iter().map(Tensor::shape).collect();
        let _ = writeln!(text, "{indent}{at}: {inst:?} {shapes:?}");
        *at += made;
    }
}
