//! The parameters of a model as the point at which functions are differentiated.

use crate::graph::{ById, Tape, Var};
use crate::module::{Module, Param, ParamId, each_param};
use wengert_tensor::Float;

/// Returns the parameters of a model that are not frozen, each once, in the order of the model.
fn trainable<T: Float>(model: &dyn Module) -> Vec<&Param<T>> {
    let mut found = Vec::new();
    each_param(model, |_, param| {
        if !param.frozen() {
            found.push(param);
        }
    });
    found
}

/// Restores the earlier substitutes, also when the body panics.
struct EndSubstitution<'a, T: Float>(&'a Tape<T>, ById<ParamId, u32>);
impl<T: Float> Drop for EndSubstitution<'_, T> {
    fn drop(&mut self) {
        let before = std::mem::take(&mut self.1);
        self.0.params.borrow_mut().end_substitution(before);
    }
}

impl<T: Float> Tape<T> {
    /// Returns the parameters of a model that are not frozen as variables, each once, in the order of
    /// the model.
    ///
    /// # Panics
    /// Under the conditions of [`param`](Tape::param).
    #[track_caller]
    pub fn params(&self, model: &dyn Module) -> Vec<Var<'_, T>> {
        let mut vars = Vec::new();
        for param in trainable(model) {
            vars.push(self.param(param));
        }
        vars
    }

    /// Runs `body` with these variables in place of the parameters that [`params`](Tape::params)
    /// returns. Wherever `body` uses one of these parameters, it gets the variable. A model thereby
    /// becomes a function of its parameters.
    ///
    /// ```
    /// use wengert::autograd::transforms::hvp;
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let model = (Param::new(Tensor::from([1.0f64, 2.0])), Param::new(Tensor::scalar_of(3.0)));
    /// let tape = Tape::new();
    /// // b·Σ a²
    /// let loss = || (tape.param(&model.0).square().sum_all() * tape.param(&model.1));
    /// let v = vec![tape.constant(Tensor::from([1.0, 0.0])), tape.full((), 1.0)];
    /// let product = hvp(|w| tape.with_params(&model, &w, loss), tape.params(&model), v);
    /// // ∂²/∂a₀∂a = (2·b, 0), ∂²/∂a∂b = 2·a
    /// assert_eq!(product[0].value().to_vec(), [8.0, 4.0]);
    /// assert_eq!(product[1].item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If the number of variables differs from the number of parameters, or a shape differs.
    #[track_caller]
    pub fn with_params<'t, R>(
        &'t self,
        model: &dyn Module,
        values: &[Var<'t, T>],
        body: impl FnOnce() -> R,
    ) -> R {
        let params = trainable::<T>(model);
        if params.len() != values.len() {
            self.fail(format!(
                "with_params: expected one variable for each parameter that is not frozen, got {} \
                 variables and {} parameters",
                values.len(),
                params.len()
            ))
        }
        for (i, (param, value)) in params.iter().zip(values).enumerate() {
            self.same_tape("with_params", value.tape);
            let (has, gets) = (param.shape(), value.shape());
            if has != gets {
                self.fail(format!(
                    "with_params: variable {i} and its parameter must have the same shape, got \
                     {gets} and {has}"
                ))
            }
        }
        let pairs = params.iter().zip(values).map(|(param, value)| (param.id(), value.id));
        let before = self.params.borrow_mut().substitute(pairs);
        let _restore = EndSubstitution(self, before);
        body()
    }

    /// Runs `body` with a variable in place of one parameter, frozen or not. A layer can thereby
    /// compute a weight of a layer inside it, for example from a direction and a length.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let weight = Param::new(Tensor::from([3.0f32, 4.0]));
    /// let tape = Tape::new();
    /// let v = tape.param(&weight);
    /// let unit = v / v.square().sum_all().sqrt();
    /// let y = tape.with_param(&weight, unit, || tape.param(&weight) * 2.0);
    /// assert!((y.value().at(&[0]) - 1.2).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn with_param<'t, R>(
        &'t self,
        param: &Param<T>,
        value: Var<'t, T>,
        body: impl FnOnce() -> R,
    ) -> R {
        self.same_tape("with_param", value.tape);
        let (has, gets) = (param.shape(), value.shape());
        if has != gets {
            self.fail(format!(
                "with_param: the variable and the parameter must have the same shape, got {gets} and {has}"
            ))
        }
        let pair = std::iter::once((param.id(), value.id));
        let before = self.params.borrow_mut().substitute(pair);
        let _restore = EndSubstitution(self, before);
        body()
    }
}
