//! Starts of a walk with hooks: the methods of [`Hooks`] that compute gradients.

use super::backward::BackwardCall;
use super::grad::GradCall;
use super::gradients::{Gradients, NotFinite};
use super::hooks::Hooks;
use crate::graph::Var;
use crate::module::Module;
use wengert_tensor::{Float, Tensor};

impl<'t, T: Float> Hooks<'_, 't, T> {
    /// Computes gradients as [`Var::backward`], with these hooks.
    ///
    /// # Panics
    /// If the value does not depend on the variable of a hook, or on any result of its scope; if a hook
    /// returns a cotangent of another shape or tape; or under the conditions of [`Var::backward`].
    #[track_caller]
    pub fn backward(mut self) -> Gradients<T> {
        self.value.check_scalar("backward");
        let value = self.value;
        value.run_backward(BackwardCall { hooks: Some(&mut self), ..BackwardCall::new("backward") })
    }

    /// Computes gradients as [`Var::backward_retain`], with these hooks.
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Hooks::backward).
    #[track_caller]
    pub fn backward_retain(mut self) -> Gradients<T> {
        self.value.check_scalar("backward_retain");
        let value = self.value;
        let call = BackwardCall { retain: true, ..BackwardCall::new("backward_retain") };
        value.run_backward(BackwardCall { hooks: Some(&mut self), ..call })
    }

    /// Computes gradients as [`Var::backward_checked`], with these hooks. The results of hooks are
    /// checked, too.
    ///
    /// # Errors
    /// Under the conditions of [`Var::backward_checked`].
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Hooks::backward).
    #[track_caller]
    pub fn backward_checked(mut self) -> Result<Gradients<T>, NotFinite> {
        self.value.checked(Some(&mut self))
    }

    /// Computes gradients as [`Var::backward_for`], with these hooks. The backward pass reaches the
    /// variables between the value and the parameters of the model.
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Hooks::backward) and [`Var::backward_for`].
    #[track_caller]
    pub fn backward_for(mut self, model: &dyn Module) -> Gradients<T> {
        self.value.for_model(model, Some(&mut self))
    }

    /// Computes gradients as [`Var::backward_from`], with these hooks.
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Hooks::backward) and [`Var::backward_from`].
    #[track_caller]
    pub fn backward_from(mut self, seed: Tensor<T>) -> Gradients<T> {
        self.value.check_seed("backward_from", seed.shape());
        let value = self.value;
        let call = BackwardCall { seed: Some(seed), ..BackwardCall::new("backward_from") };
        value.run_backward(BackwardCall { hooks: Some(&mut self), ..call })
    }

    /// Returns gradients as [`Var::grad`], with these hooks. The results of hooks can be differentiated
    /// again. The backward pass reaches the variables between the value and `wrt`.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (x, scale) = (tape.watch(Tensor::scalar(3.0)), tape.watch(Tensor::scalar(2.0)));
    /// let y = x.square();
    /// let slope = y.square().hooks().replace(y, |g, _| scale * g).grad(&[x])[0];
    /// assert_eq!(slope.item(), 2.0 * 4.0 * 27.0); // scale · 4·x³
    /// let [by_x, by_scale] = slope.grad(&[x, scale])[..] else { unreachable!() };
    /// assert_eq!((by_x.item(), by_scale.item()), (2.0 * 12.0 * 9.0, 4.0 * 27.0));
    /// ```
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Hooks::backward) and [`Var::grad`].
    #[track_caller]
    pub fn grad(mut self, wrt: &[Var<'t, T>]) -> Vec<Var<'t, T>> {
        let value = self.value;
        value.all_found(value.scalar_grad(wrt, Some(&mut self)))
    }

    /// Returns gradients as [`Var::grad_or_zero`], with these hooks.
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Hooks::backward) and [`Var::grad_or_zero`].
    #[track_caller]
    pub fn grad_or_zero(mut self, wrt: &[Var<'t, T>]) -> Vec<Var<'t, T>> {
        let value = self.value;
        value.or_zero(value.scalar_grad(wrt, Some(&mut self)), wrt)
    }

    /// Returns gradients as [`Var::grad_from`], with these hooks.
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Hooks::backward) and [`Var::grad_from`].
    #[track_caller]
    pub fn grad_from(mut self, seed: Var<'t, T>, wrt: &[Var<'t, T>]) -> Vec<Var<'t, T>> {
        let value = self.value;
        value.tape.same_tape("grad_from", seed.tape);
        value.check_seed("grad_from", seed.shape());
        let (results, seeds) = (&[value], &[seed]);
        let hooks = Some(&mut self);
        value.all_found(Var::run_grad(GradCall { results, seeds, wrt, hooks }))
    }
}
