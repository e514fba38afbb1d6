//! Instructions of random programs, executed on tensors and on variables.

use super::customs;
use wengert_autograd::{Param, Tape, Var};
use wengert_tensor::{Conv, Pool, Tensor};

/// An instruction. Its operands are positions in the list of values.
#[derive(Clone, Debug)]
pub enum Inst {
    Watch(Tensor<f64>),
    Param(Tensor<f64>, Frozen),
    Constant(Tensor<f64>),
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
    /// Selects the second value where the first is positive, else the third.
    Select(usize, usize, usize),
    Reshape(usize, Vec<isize>),
    T(usize),
    Permute(usize, Vec<isize>),
    Squeeze(usize, isize),
    Unsqueeze(usize, isize),
    Narrow(usize, isize, usize, usize),
    Slice(usize, isize, Option<isize>, Option<isize>, isize),
    Split(usize, isize, Vec<usize>),
    Pad(usize, Vec<(usize, usize)>, f64),
    Concat(Vec<usize>, isize),
    Stack(Vec<usize>, isize),
    BroadcastTo(usize, Vec<usize>),
    Reduce(Reduce, usize, Vec<isize>, bool),
    LogSoftmax(usize, isize),
    Softmax(usize, isize),
    MatMul(usize, usize, bool, bool),
    IndexSelect(usize, isize, Tensor<i64>),
    Gather(usize, isize, Tensor<i64>),
    ScatterAdd(usize, isize, Tensor<i64>, usize),
    /// Pools a matrix as an image of one channel.
    MaxPool(usize, Pool),
    Conv(usize, usize, Conv),
    Custom(u8, Vec<usize>),
    Detach(usize),
    /// Calls `release` on the value. Later instructions may read the value nevertheless.
    Release(usize),
    /// Runs the instructions in a scope. The scope returns the values at these positions, counted from its
    /// first value.
    Scope(Vec<Inst>, Vec<usize>),
}

pub type Frozen = bool;

impl Inst {
    /// Returns the number of values that the instruction adds to the list. Not for scopes.
    pub fn made(&self) -> usize {
        match self {
            Inst::Split(_, _, sizes) => sizes.len(),
            Inst::Release(_) => 0,
            Inst::Custom(which, _) => customs::outputs(*which),
            _ => 1,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Unary {
    Sin,
    Tanh,
    Sigmoid,
    Softplus,
    Exp,
    Square,
    Cube,
    /// ln(x² + ½)
    Ln,
    /// √(x² + ¼)
    Sqrt,
    /// 1 / (x² + 1)
    Recip,
    Neg,
    Scale,
    Shift,
    Less,
    Over,
    Under,
    Abs,
    Relu,
    ClampMin,
    Clamp,
    Power,
    Sign,
}

#[derive(Clone, Copy, Debug)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    /// a / (b² + 1)
    Div,
    /// (a² + ½)ᵇ
    Pow,
    Maximum,
    Minimum,
}

#[derive(Clone, Copy, Debug)]
pub enum Reduce {
    Sum,
    Mean,
    Max,
    Min,
    LogSumExp,
    Var,
}

/// The common interface of tensors and variables.
pub trait Value: Clone {
    /// The tape of a variable; `()` for tensors.
    type Home: Copy;
    fn place(home: Self::Home, inst: &Inst, moved: Option<&Tensor<f64>>) -> Self;
    fn constant(home: Self::Home, value: &Tensor<f64>) -> Self;
    fn shape(&self) -> Vec<usize>;
    fn unary(&self, op: Unary) -> Self;
    fn binary(&self, op: Binary, other: &Self) -> Self;
    fn select(&self, a: &Self, b: &Self) -> Self;
    fn reduce(&self, op: Reduce, axes: &[isize], keepdim: bool) -> Self;
    fn view(&self, inst: &Inst) -> Self;
    fn split(&self, axis: isize, sizes: &[usize]) -> Vec<Self>;
    fn join(parts: &[Self], axis: isize, stack: bool) -> Self;
    fn matmul(&self, other: &Self, ta: bool, tb: bool) -> Self;
    fn conv(&self, weight: &Self, conv: &Conv) -> Self;
    fn scatter_add(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Self;
    fn custom(home: Self::Home, which: u8, x: &[Self]) -> Vec<Self>;
    fn detach(&self, base: Option<&Tensor<f64>>) -> Self;
    fn release(&self);
    /// Runs the body, for variables in a scope.
    fn scope(home: Self::Home, body: impl FnOnce() -> Vec<Self>) -> Vec<Self>;
    fn sum_all(&self) -> Self;
}

/// Implements the methods with the same code for tensors, which are borrowed, and for variables, which are
/// copied.
macro_rules! shared {
    ($x:ident => $this:expr, $o:ident => $other:expr) => {
        fn shape(&self) -> Vec<usize> {
            let $x = self;
            $this.shape().to_vec()
        }
        fn unary(&self, op: Unary) -> Self {
            let $x = self;
            let x = $this;
            match op {
                Unary::Sin => x.sin(),
                Unary::Tanh => x.tanh(),
                Unary::Sigmoid => x.sigmoid(),
                Unary::Softplus => x.softplus(),
                Unary::Exp => x.exp(),
                Unary::Square => x.powi(2),
                Unary::Cube => x.powi(3),
                Unary::Ln => (x.powi(2) + 0.5).ln(),
                Unary::Sqrt => (x.powi(2) + 0.25).sqrt(),
                Unary::Recip => (x.powi(2) + 1.0).recip(),
                Unary::Neg => -x,
                Unary::Scale => x * 0.7,
                Unary::Shift => x + 0.3,
                Unary::Less => 0.4 - x,
                Unary::Over => x / 3.0,
                Unary::Under => 0.3 / (x.powi(2) + 0.6),
                Unary::Abs => x.abs(),
                Unary::Relu => x.relu(),
                Unary::ClampMin => x.clamp_min(-0.37),
                Unary::Clamp => x.clamp(-1.13, 0.91),
                Unary::Power => (x.powi(2) + 0.5).powf(0.7),
                Unary::Sign => x.sign(),
            }
        }
        fn binary(&self, op: Binary, other: &Self) -> Self {
            let ($x, $o) = (self, other);
            let (a, b) = ($this, $other);
            match op {
                Binary::Add => a + b,
                Binary::Sub => a - b,
                Binary::Mul => a * b,
                Binary::Div => {
                    let $o = &(b.powi(2) + 1.0);
                    a / $other
                }
                Binary::Pow => (a.powi(2) + 0.5).pow(b),
                Binary::Maximum => a.maximum(b),
                Binary::Minimum => a.minimum(b),
            }
        }
        fn reduce(&self, op: Reduce, axes: &[isize], keepdim: bool) -> Self {
            let $x = self;
            let x = $this;
            match op {
                Reduce::Sum => x.sum(axes, keepdim),
                Reduce::Mean => x.mean(axes, keepdim),
                Reduce::Max => x.max(axes, keepdim),
                Reduce::Min => x.min(axes, keepdim),
                Reduce::LogSumExp => x.logsumexp(axes, keepdim),
                Reduce::Var => Self::variance(x, axes, keepdim),
            }
        }
        fn view(&self, inst: &Inst) -> Self {
            let $x = self;
            let x = $this;
            match inst {
                Inst::Reshape(_, shape) => x.reshape(&shape[..]),
                Inst::T(_) => x.t(),
                Inst::Permute(_, axes) => x.permute(axes),
                Inst::Squeeze(_, axis) => x.squeeze(*axis),
                Inst::Unsqueeze(_, axis) => x.unsqueeze(*axis),
                Inst::Narrow(_, axis, start, len) => x.narrow(*axis, *start, *len),
                Inst::Slice(_, axis, start, end, step) => x.slice(*axis, *start, *end, *step),
                Inst::Pad(_, around, value) => x.pad(around, *value),
                Inst::BroadcastTo(_, shape) => x.broadcast_to(&shape[..]),
                Inst::LogSoftmax(_, axis) => x.log_softmax(*axis),
                Inst::Softmax(_, axis) => x.log_softmax(*axis).exp(),
                Inst::IndexSelect(_, axis, index) => x.index_select(*axis, index),
                Inst::Gather(_, axis, index) => x.gather(*axis, index),
                Inst::MaxPool(_, pool) => x.unsqueeze(0).max_pool2d(pool).squeeze(0),
                _ => unreachable!("{inst:?} is no view"),
            }
        }
        fn split(&self, axis: isize, sizes: &[usize]) -> Vec<Self> {
            let $x = self;
            $this.split(axis, sizes)
        }
        fn matmul(&self, other: &Self, ta: bool, tb: bool) -> Self {
            let ($x, $o) = (self, other);
            $this.matmul_t($other, ta, tb)
        }
        fn conv(&self, weight: &Self, conv: &Conv) -> Self {
            let ($x, $o) = (self, weight);
            $this.conv2d($other, None, conv)
        }
        fn scatter_add(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Self {
            let ($x, $o) = (self, source);
            $this.scatter_add(axis, index, $other)
        }
    };
}

impl Value for Tensor<f64> {
    type Home = ();
    shared!(x => x, o => o);
    fn place((): (), inst: &Inst, moved: Option<&Tensor<f64>>) -> Self {
        let (Inst::Watch(x) | Inst::Param(x, _) | Inst::Constant(x)) = inst else {
            unreachable!("{inst:?} has operands")
        };
        moved.map_or_else(|| x.clone(), |by| x + by)
    }
    fn constant((): (), value: &Tensor<f64>) -> Self {
        value.clone()
    }
    fn select(&self, a: &Self, b: &Self) -> Self {
        Tensor::where_(&self.gt(0.0), a, b)
    }
    fn join(parts: &[Self], axis: isize, stack: bool) -> Self {
        if stack { Tensor::stack(parts, axis) } else { Tensor::concat(parts, axis) }
    }
    fn custom((): (), which: u8, x: &[Self]) -> Vec<Self> {
        customs::custom(which).forward(x).to_vec()
    }
    fn detach(&self, base: Option<&Tensor<f64>>) -> Self {
        base.unwrap_or(self).clone()
    }
    fn release(&self) {}
    fn scope((): (), body: impl FnOnce() -> Vec<Self>) -> Vec<Self> {
        body()
    }
    fn sum_all(&self) -> Self {
        Tensor::scalar_of(Tensor::sum_all(self))
    }
}

impl<'t> Value for Var<'t, f64> {
    type Home = &'t Tape<f64>;
    shared!(x => *x, o => *o);
    fn place(tape: &'t Tape<f64>, inst: &Inst, moved: Option<&Tensor<f64>>) -> Self {
        let value = <Tensor<f64> as Value>::place((), inst, moved);
        match inst {
            Inst::Watch(_) => tape.watch(value),
            Inst::Param(_, frozen) => {
                let mut param = Param::new(value);
                if *frozen {
                    param.freeze();
                }
                tape.param(&param)
            }
            _ => tape.constant(value),
        }
    }
    fn constant(tape: &'t Tape<f64>, value: &Tensor<f64>) -> Self {
        tape.constant(value.clone())
    }
    fn select(&self, a: &Self, b: &Self) -> Self {
        Var::where_((*self).gt(0.0), *a, *b)
    }
    fn join(parts: &[Self], axis: isize, stack: bool) -> Self {
        if stack { Var::stack(parts, axis) } else { Var::concat(parts, axis) }
    }
    fn custom(tape: &'t Tape<f64>, which: u8, x: &[Self]) -> Vec<Self> {
        tape.custom(customs::custom(which), x).to_vec()
    }
    fn detach(&self, base: Option<&Tensor<f64>>) -> Self {
        match base {
            Some(base) => self.tape().constant(base.clone()),
            None => Var::detach(*self),
        }
    }
    fn release(&self) {
        Var::release(*self);
    }
    fn scope(tape: &'t Tape<f64>, body: impl FnOnce() -> Vec<Self>) -> Vec<Self> {
        tape.scope("part", body)
    }
    fn sum_all(&self) -> Self {
        Var::sum_all(*self)
    }
}

/// The variance with correction 0, of tensors and of variables.
trait Variance: Sized {
    type This<'a>
    where
        Self: 'a;
    fn variance(x: Self::This<'_>, axes: &[isize], keepdim: bool) -> Self;
}
impl Variance for Tensor<f64> {
    type This<'a> = &'a Tensor<f64>;
    fn variance(x: &Self, axes: &[isize], keepdim: bool) -> Self {
        x.var(axes, keepdim, 0)
    }
}
impl<'t> Variance for Var<'t, f64> {
    type This<'a>
        = Var<'t, f64>
    where
        Self: 'a;
    fn variance(x: Self, axes: &[isize], keepdim: bool) -> Self {
        x.var(axes, keepdim, 0)
    }
}

/// Changes to the values of a program in a run.
#[derive(Clone, Copy, Default)]
pub struct Change<'a> {
    /// Adds a tensor to the value with this number, before later instructions read it.
    pub nudge: Option<(usize, &'a Tensor<f64>)>,
    /// Adds tensors to the leaves with these numbers.
    pub leaves: &'a [(usize, Tensor<f64>)],
    /// The values from which detached values are taken. They stay constant when other values change.
    pub base: Option<&'a [Tensor<f64>]>,
}

/// Returns the values of a program, in order.
pub fn run<V: Value>(home: V::Home, program: &[Inst], change: Change<'_>) -> Vec<V> {
    let mut values = vec![];
    go(home, program, change, &mut values);
    values
}

/// Returns the new values of one more instruction after these values.
pub fn next(values: &[Tensor<f64>], inst: &Inst) -> Vec<Tensor<f64>> {
    let mut all = values.to_vec();
    go((), std::slice::from_ref(inst), Change::default(), &mut all);
    all.split_off(values.len())
}

fn go<V: Value>(home: V::Home, program: &[Inst], change: Change<'_>, values: &mut Vec<V>) {
    for inst in program {
        let at = |i: usize| &values[i];
        let made = match inst {
            Inst::Watch(_) | Inst::Param(..) | Inst::Constant(_) => {
                let moved = change.leaves.iter().find(|(i, _)| *i == values.len());
                vec![V::place(home, inst, moved.map(|(_, by)| by))]
            }
            Inst::Unary(op, a) => vec![at(*a).unary(*op)],
            Inst::Binary(op, a, b) => vec![at(*a).binary(*op, at(*b))],
            Inst::Select(c, a, b) => vec![at(*c).select(at(*a), at(*b))],
            Inst::Reduce(op, a, axes, keepdim) => vec![at(*a).reduce(*op, axes, *keepdim)],
            Inst::Split(a, axis, sizes) => at(*a).split(*axis, sizes),
            Inst::Concat(parts, axis) | Inst::Stack(parts, axis) => {
                let parts: Vec<_> = parts.iter().map(|&i| at(i).clone()).collect();
                vec![V::join(&parts, *axis, matches!(inst, Inst::Stack(..)))]
            }
            Inst::MatMul(a, b, ta, tb) => vec![at(*a).matmul(at(*b), *ta, *tb)],
            Inst::Conv(x, w, conv) => vec![at(*x).conv(at(*w), conv)],
            Inst::ScatterAdd(a, axis, index, source) => {
                vec![at(*a).scatter_add(*axis, index, at(*source))]
            }
            Inst::Custom(which, x) => {
                let x: Vec<_> = x.iter().map(|&i| at(i).clone()).collect();
                V::custom(home, *which, &x)
            }
            Inst::Detach(a) => vec![at(*a).detach(change.base.map(|base| &base[*a]))],
            Inst::Release(a) => {
                at(*a).release();
                vec![]
            }
            Inst::Scope(body, results) => {
                V::scope(home, || {
                    let first = values.len();
                    go(home, body, change, values);
                    results.iter().map(|&i| values[first + i].clone()).collect()
                });
                vec![]
            }
            Inst::Reshape(a, _)
            | Inst::T(a)
            | Inst::Permute(a, _)
            | Inst::Squeeze(a, _)
            | Inst::Unsqueeze(a, _)
            | Inst::Narrow(a, ..)
            | Inst::Slice(a, ..)
            | Inst::Pad(a, ..)
            | Inst::BroadcastTo(a, _)
            | Inst::LogSoftmax(a, _)
            | Inst::Softmax(a, _)
            | Inst::IndexSelect(a, ..)
            | Inst::Gather(a, ..)
            | Inst::MaxPool(a, _) => vec![at(*a).view(inst)],
        };
        for value in made {
            let value = match change.nudge {
                Some((i, by)) if i == values.len() => {
                    value.binary(Binary::Add, &V::constant(home, by))
                }
                _ => value,
            };
            values.push(value);
        }
    }
}
