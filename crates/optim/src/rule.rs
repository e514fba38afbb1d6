//! Update rules: what distinguishes one optimizer from another.

use crate::base::Base;
use std::fmt;
use wengert_tensor::{Float, Program};

/// An update rule with its hyperparameters. Whoever has one is an [`Optimizer`](crate::Optimizer).
///
/// Your own takes a formula and a few names:
///
/// ```
/// use wengert_autograd::{Param, Tape};
/// use wengert_optim::{Base, Optimizer, Rule};
/// use wengert_tensor::{Float, Program, Tensor};
///
/// /// p ← p - lr · sign(g)
/// struct SignSgd<T: Float = f32>(Base<T>);
///
/// impl<T: Float> Rule<T> for SignSgd<T> {
///     fn name(&self) -> &'static str {
///         "SignSgd"
///     }
///     fn base(&self) -> &Base<T> {
///         &self.0
///     }
///     fn base_mut(&mut self) -> &mut Base<T> {
///         &mut self.0
///     }
///     fn program(&self, _t: u64) -> Program {
///         Program::new(|[p, g]| [p - self.0.learning_rate() * g.sign()])
///     }
/// }
///
/// let mut w = Param::new(Tensor::from([2.0f32, -3.0]));
/// let gradients = Tape::new().param(&w).square().sum_all().backward();
/// SignSgd(Base::new(0.5)).step(&mut w, &gradients);
/// assert_eq!(w.value().to_vec(), [1.5, -2.5]);
/// ```
pub trait Rule<T: Float> {
    /// What the optimizer is called, in messages and saved states.
    fn name(&self) -> &'static str;

    /// Learning rate and memory.
    fn base(&self) -> &Base<T>;

    /// Learning rate and memory, to change them.
    fn base_mut(&mut self) -> &mut Base<T>;

    /// The names of the tensors that may be remembered for each parameter, all of its shape. They
    /// do not depend on the hyperparameters.
    fn slots(&self) -> &'static [&'static str] {
        &[]
    }

    /// How many of the [`slots`](Rule::slots), counted from the first, an update uses with the
    /// present hyperparameters. Tensors of the others keep their numbers; default: all slots are
    /// used.
    fn slots_in_use(&self) -> usize {
        self.slots().len()
    }

    /// What a remembered tensor is filled with before its first use.
    fn initial(&self) -> f64 {
        0.0
    }

    /// The `t`-th update of a parameter, `t` counting from 1: from the parameter, the remembered
    /// tensors in use in order, and the gradient, to the new parameter and the new remembered
    /// tensors.
    fn program(&self, t: u64) -> Program;

    /// As [`program`](Rule::program), for an update that uses a remembered tensor for the first
    /// time: the first update of a parameter, and the first one after a hyperparameter brought a
    /// slot into use. Default: no difference.
    fn first_program(&self, t: u64) -> Program {
        self.program(t)
    }

    /// The hyperparameters but for the learning rate, as they are saved with the state.
    fn settings(&self) -> Vec<(&'static str, Setting)> {
        Vec::new()
    }

    /// Sets one of them.
    fn set(&mut self, _name: &str, _to: Setting) {}

    /// Which of them is the momentum: what
    /// [`Optimizer::set_momentum`](crate::Optimizer::set_momentum) sets.
    fn momentum_setting(&self) -> Option<&'static str> {
        None
    }

    /// The first hyperparameter that is out of range.
    fn invalid(&self) -> Option<Invalid> {
        None
    }
}

/// The value of a hyperparameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting {
    /// A number.
    Number(f64),
    /// On or off.
    Switch(bool),
}

impl Setting {
    /// A value of this kind from its text.
    pub(crate) fn parse(self, text: &str) -> Option<Self> {
        match self {
            Setting::Number(_) => text.parse().ok().map(Setting::Number),
            Setting::Switch(_) => text.parse().ok().map(Setting::Switch),
        }
    }
}

/// The shortest text that gives the same number again.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Number(x) => write!(f, "{x:?}"),
            Setting::Switch(x) => write!(f, "{x}"),
        }
    }
}

/// A hyperparameter that is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Which one.
    pub name: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl Invalid {
    /// The first of these for which the condition does not hold.
    pub fn first<const N: usize>(of: [(&'static str, bool, &'static str); N]) -> Option<Self> {
        let (name, _, must) = of.into_iter().find(|(_, holds, _)| !holds)?;
        Some(Invalid { name, must })
    }

    /// What is out of range in a rule, the learning rate included.
    pub(crate) fn of<T: Float, R: Rule<T>>(rule: &R) -> Option<Self> {
        let rate = rule.base().learning_rate;
        Self::first([("lr", not_negative(rate), "a number not below 0")]).or_else(|| rule.invalid())
    }

    /// What is said of it.
    pub(crate) fn message<T: Float, R: Rule<T>>(self, rule: &R) -> String {
        let (optimizer, lr) = (rule.name(), Setting::Number(rule.base().learning_rate));
        let found = rule.settings().into_iter().find(|(name, _)| *name == self.name);
        let found = found.map_or(lr, |(_, value)| value);
        format!("{optimizer}: {} is {found}, it must be {}", self.name, self.must)
    }

    #[cold]
    #[track_caller]
    pub(crate) fn panic<T: Float, R: Rule<T>>(self, rule: &R) -> ! {
        panic!("{}", self.message(rule))
    }
}

/// Whether a hyperparameter that must not be negative is a finite number and not negative.
pub(crate) fn not_negative(x: f64) -> bool {
    x >= 0.0 && x.is_finite()
}

/// Hands a rule on if the hyperparameter that was just set is in range.
#[track_caller]
pub(crate) fn checked<T: Float, R: Rule<T>>(rule: R, name: &str) -> R {
    match Invalid::of(&rule) {
        Some(invalid) if invalid.name == name => invalid.panic(&rule),
        _ => rule,
    }
}

/// `settings` and `set` of fields by name.
macro_rules! settings {
    ($($name:ident: $Kind:ident),*) => {
        fn settings(&self) -> Vec<(&'static str, crate::Setting)> {
            vec![$((stringify!($name), crate::Setting::$Kind(self.$name))),*]
        }
        fn set(&mut self, name: &str, to: crate::Setting) {
            match (name, to) {
                $((stringify!($name), crate::Setting::$Kind(value)) => self.$name = value,)*
                _ => {}
            }
        }
    };
}
pub(crate) use settings;
