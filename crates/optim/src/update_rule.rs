//! Update rules. Optimizers differ only in their rule.

use crate::base::Base;
use crate::setting::{Bounds, Setting};
use wengert_tensor::{Expr, Float, Program};

/// An update rule with its hyperparameters. Every type that implements it is an
/// [`Optimizer`](crate::Optimizer).
///
/// An optimizer of your own needs a formula and a few names:
///
/// ```
/// use wengert::autograd::{Param, Tape};
/// use wengert::optim::{Base, Optimizer, UpdateRule};
/// use wengert::tensor::{Float, Program, Tensor};
///
/// /// p ← p - lr · sign(g)
/// struct SignSgd<T: Float = f32>(Base<T>);
///
/// impl<T: Float> UpdateRule<T> for SignSgd<T> {
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
pub trait UpdateRule<T: Float> {
    /// Returns the name of the optimizer in messages and saved states.
    fn name(&self) -> &'static str;

    /// Returns the learning rate and the state.
    fn base(&self) -> &Base<T>;

    /// Returns the learning rate and the state, mutably.
    fn base_mut(&mut self) -> &mut Base<T>;

    /// Returns the names of the state tensors that a parameter may have. The default is none. Each has the shape
    /// of its parameter. The names do not depend on the hyperparameters.
    fn slots(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns how many of the [`slots`](UpdateRule::slots), counted from the first, an update uses with the
    /// present hyperparameters. The default is all slots. The state tensors of the other slots do not change.
    fn slots_in_use(&self) -> usize {
        self.slots().len()
    }

    /// Returns the initial value of the elements of state tensors. The default is 0.
    fn initial(&self) -> f64 {
        0.0
    }

    /// Returns the program of the `t`-th update of a parameter; `t` counts from 1.
    ///
    /// The inputs are the parameter, the state tensors in use in the order of [`slots`](UpdateRule::slots), and the
    /// gradient. The outputs are the new parameter and the new state tensors in the same order.
    fn program(&self, t: u64) -> Program;

    /// Returns the program of an update that uses a state tensor for the first time. The default is
    /// [`program`](UpdateRule::program).
    ///
    /// Such an update is the first one of a parameter, and the first one after a change of hyperparameters
    /// that brought a slot into use.
    fn first_program(&self, t: u64) -> Program {
        self.program(t)
    }

    /// Returns the hyperparameters without the learning rate. They are saved with the state.
    fn settings(&self) -> Vec<(&'static str, Setting)> {
        Vec::new()
    }

    /// Sets the hyperparameter with this name.
    fn set(&mut self, _name: &str, _to: Setting) {}

    /// Returns the name of the hyperparameter that
    /// [`Optimizer::set_momentum`](crate::Optimizer::set_momentum) sets. The default is `None`.
    fn momentum_setting(&self) -> Option<&'static str> {
        None
    }

    /// Returns the first hyperparameter that is out of range, or `None`.
    fn invalid(&self) -> Option<InvalidHyperparameter> {
        None
    }
}

/// A hyperparameter that is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidHyperparameter {
    /// The name of the hyperparameter.
    pub name: &'static str,
    /// The condition that its value must meet.
    pub must: &'static str,
}

impl InvalidHyperparameter {
    /// Returns the first entry (name, condition, description of the condition) whose condition is false.
    pub fn first<const N: usize>(of: [(&'static str, bool, &'static str); N]) -> Option<Self> {
        let (name, _, must) = of.into_iter().find(|(_, holds, _)| !holds)?;
        Some(InvalidHyperparameter { name, must })
    }

    /// Returns the first hyperparameter of a rule that is out of range, the learning rate included.
    pub(crate) fn of<T: Float, R: UpdateRule<T>>(rule: &R) -> Option<Self> {
        let rate = rule.base().learning_rate;
        let range = Bounds::NOT_NEGATIVE;
        Self::first([("lr", (range.contains)(rate), range.must)]).or_else(|| rule.invalid())
    }

    /// Returns the error message.
    pub(crate) fn message<T: Float, R: UpdateRule<T>>(self, rule: &R) -> String {
        let (optimizer, lr) = (rule.name(), Setting::Number(rule.base().learning_rate));
        let found = rule.settings().into_iter().find(|(name, _)| *name == self.name);
        let found = found.map_or(lr, |(_, value)| value);
        format!("{optimizer}: {} must be {}, got {found}", self.name, self.must)
    }

    #[cold]
    #[track_caller]
    pub(crate) fn panic<T: Float, R: UpdateRule<T>>(self, rule: &R) -> ! {
        panic!("{}", self.message(rule))
    }
}

/// Returns the gradient `g` with that of an L2 penalty ½ `weight_decay` ‖p‖² added.
pub(crate) fn penalized<'b>(g: Expr<'b>, p: Expr<'b>, weight_decay: f64) -> Expr<'b> {
    if weight_decay == 0.0 { g } else { g + weight_decay * p }
}
