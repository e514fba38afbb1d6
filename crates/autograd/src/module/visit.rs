//! Modules: types that hold named parameters and buffers.

use super::copies;
use super::first_state::FirstState;
use super::outline::Outline;
use super::param::Param;
use super::path::{Path, See, SeeMut, Visit, VisitMut};
use super::state::{State, StateKind};
use std::collections::HashSet;
use std::fmt;
use wengert_tensor::Float;

/// A type that holds parameters and buffers: a [`Param`](crate::Param), a layer, a list of layers, a
/// whole model.
///
/// `#[derive(Module)]` writes [`visit`](Module::visit), [`visit_mut`](Module::visit_mut),
/// [`first_state`](Module::first_state) and [`outline`](Module::outline) from the fields. The other
/// methods have default implementations that use these. Numbers, strings and similar types are modules
/// without parameters, so that configuration fields may stand beside parameters. `Option`, `Box`, `Vec`,
/// arrays, tuples and `BTreeMap`s of modules are modules. `HashMap` is not a module, because two visits
/// must see its elements in the same order.
///
/// Names are those of PyTorch: the name of a field, the number of an element of a list or tuple, joined
/// by dots.
///
/// An implementation by hand:
///
/// ```
/// use wengert::autograd::{Module, Param, Path, See, SeeMut};
/// use wengert::tensor::Tensor;
///
/// struct Linear {
///     weight: Param,
///     bias: Option<Param>,
/// }
///
/// impl Module for Linear {
///     fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
///         self.weight.visit(&path.child("weight"), see);
///         self.bias.visit(&path.child("bias"), see);
///     }
///     fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
///         self.weight.visit_mut(&path.child("weight"), see);
///         self.bias.visit_mut(&path.child("bias"), see);
///     }
/// }
///
/// let layer = |inputs, outputs| Linear {
///     weight: Tensor::zeros(&[outputs, inputs]).into(),
///     bias: Some(Tensor::zeros(&[outputs]).into()),
/// };
/// let model = vec![layer(784, 512), layer(512, 10)];
/// assert_eq!(model.parameter_count(), 407_050);
/// assert_eq!(model.named_parameters()[2].0, "1.weight");
/// assert_eq!(model[0].outline().to_string(), "Linear(weight: [512, 784], bias: [512])");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Module`, so its parameters would be neither trained nor saved",
    label = "not a module",
    note = "derive it for a type with parameters: `#[derive(Module)]`",
    note = "put a tensor into a `Param` (trained and saved) or a `Buffer` (only saved)",
    note = "mark a field that has nothing to train or save with `#[module(skip)]`"
)]
pub trait Module {
    /// Calls `see` with every parameter and buffer and its path under `path`, always in the same order.
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>);

    /// Calls `see` as [`visit`](Module::visit) does, with mutable references.
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>);

    /// Returns the first parameter or buffer that [`visit`](Module::visit) shows, and its depth below
    /// this module. A run uses it to find the path of a module that it enters
    /// ([`Tape::enter`](crate::Tape::enter)). It is called whenever the module runs. The default
    /// implementation visits the whole module.
    ///
    /// An implementation by hand asks the fields in the order of `visit`, and adds a step where `visit`
    /// adds one:
    ///
    /// ```
    /// use wengert::autograd::{FirstState, Module, Param, Path, See, SeeMut};
    /// use wengert::tensor::Tensor;
    /// struct Linear {
    ///     weight: Param,
    /// }
    ///
    /// impl Module for Linear {
    ///     fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
    ///         self.weight.visit(&path.child("weight"), see);
    ///     }
    ///     fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
    ///         self.weight.visit_mut(&path.child("weight"), see);
    ///     }
    ///     fn first_state(&self) -> Option<FirstState> {
    ///         self.weight.first_state().map(FirstState::below)
    ///     }
    /// }
    ///
    /// let layer = Linear { weight: Tensor::zeros(&[2]).into() };
    /// assert_eq!(layer.first_state(), Some(FirstState::of(&layer.weight).below()));
    /// ```
    fn first_state(&self) -> Option<FirstState> {
        first(&mut |see| self.visit(&Path::root(), see))
    }

    /// Returns the name of the type without its path and its type parameters, such as `Linear`.
    fn type_name(&self) -> &'static str {
        short(std::any::type_name::<Self>())
    }

    /// Returns what `Display` shows. The default is the name of the type with its parameters and
    /// buffers.
    fn outline(&self) -> Outline {
        outline(self.type_name(), self.named_state())
    }

    /// Copies the values of another model of the same structure, such as a clone, a snapshot or a
    /// network that is being trained. The ids of the parameters do not change, so optimizers keep their
    /// state for them. Frozen parameters are copied and remain frozen.
    ///
    /// ```
    /// use wengert::autograd::{Module, Param};
    /// use wengert::tensor::Tensor;
    ///
    /// let mut model = (Param::new(Tensor::zeros(&[2])), Param::new(Tensor::ones(&[3])));
    /// // Take a snapshot and restore it.
    /// let best = model.clone();
    /// model.0.set(Tensor::full(&[2], 7.0));
    /// model.copy_from(&best);
    /// assert_eq!(model.0.value().to_vec(), [0.0, 0.0]);
    ///
    /// // A target network holds the values of an earlier step.
    /// let mut target = model.clone();
    /// for step in 1..=25 {
    ///     model.0.update(|w| *w += 1.0);
    ///     if step % 10 == 0 {
    ///         target.copy_from(&model);
    ///     }
    /// }
    /// assert_eq!(target.0.value().to_vec(), [20.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If one of the models has a parameter or buffer that the other lacks, or one of another kind,
    /// element type or shape. The message lists all of them. In that case nothing is changed.
    #[track_caller]
    fn copy_from(&mut self, other: &dyn Module) {
        let states = copies::matched("copy_from", &self.named_state(), &other.named_state());
        copies::copy(&states, &mut |see| {
            self.visit_mut(&Path::root(), &mut |path, state| see(path, state));
        });
    }

    /// Moves the values towards those of another model of the same structure: θ ← θ + t · (θ′ − θ), for
    /// parameters and buffers of floating point numbers. `t` = 0 changes nothing, and `t` = 1 is
    /// [`copy_from`](Module::copy_from). Other buffers, such as counters, are copied if `t` > 0. Ids do
    /// not change, and frozen parameters remain frozen.
    ///
    /// Running statistics are interpolated together with the parameters, so that they belong to the same
    /// average of models (PyTorch: `AveragedModel(…, use_buffers=True)`).
    ///
    /// ```
    /// use wengert::autograd::{Module, Param};
    /// use wengert::tensor::Tensor;
    ///
    /// let mut model = Param::new(Tensor::zeros(&[1]));
    /// // The exponential moving average of a model: decay 0.75.
    /// let mut average = model.clone();
    /// for _step in 0..2 {
    ///     model.update(|w| *w += 8.0);
    ///     average.lerp_from(&model, 0.25);
    /// }
    /// assert_eq!(average.value().to_vec(), [5.5]); // 2 after one step, 2 + ¼ · (16 − 2) after two
    /// ```
    ///
    /// # Panics
    /// Under the conditions of [`copy_from`](Module::copy_from), or if `t` is not between 0 and 1.
    #[track_caller]
    fn lerp_from(&mut self, other: &dyn Module, t: f64) {
        copies::check_share(t);
        let states = copies::matched("lerp_from", &self.named_state(), &other.named_state());
        copies::lerp(&states, t, &mut |see| {
            self.visit_mut(&Path::root(), &mut |path, state| see(path, state));
        });
    }

    /// Returns every parameter and buffer with its name: the content of a state dict.
    fn named_state(&self) -> Vec<(String, &dyn State)> {
        named(&mut |see| self.visit(&Path::root(), see))
    }

    /// Returns every parameter with its name.
    fn named_parameters(&self) -> Vec<(String, &dyn State)> {
        parameters(self.named_state())
    }

    /// Returns the total number of elements of the parameters.
    fn parameter_count(&self) -> usize {
        count(&mut |see| self.visit(&Path::root(), see), |state| state.kind() == StateKind::Param)
    }

    /// Returns the total number of elements of the parameters that are not frozen.
    fn trainable_count(&self) -> usize {
        count(&mut |see| self.visit(&Path::root(), see), <dyn State>::trainable)
    }

    /// Freezes every parameter: training treats it as a constant.
    fn freeze(&mut self) {
        set_frozen(None, true, &mut |see| {
            self.visit_mut(&Path::root(), &mut |path, state| see(path, state));
        });
    }

    /// Makes every parameter trainable.
    fn unfreeze(&mut self) {
        set_frozen(None, false, &mut |see| {
            self.visit_mut(&Path::root(), &mut |path, state| see(path, state));
        });
    }

    /// Freezes the parameters under a name, such as `conv1` (but not `conv10`) or `conv1.weight`.
    ///
    /// # Panics
    /// If there is no parameter under the name.
    #[track_caller]
    fn freeze_under(&mut self, name: &str) {
        if !set_frozen(Some(name), true, &mut |see| {
            self.visit_mut(&Path::root(), &mut |path, state| see(path, state));
        }) {
            nothing_under(&self.named_parameters(), name, "freeze_under")
        }
    }

    /// Makes the parameters under a name trainable.
    ///
    /// # Panics
    /// If there is no parameter under the name.
    #[track_caller]
    fn unfreeze_under(&mut self, name: &str) {
        if !set_frozen(Some(name), false, &mut |see| {
            self.visit_mut(&Path::root(), &mut |path, state| see(path, state));
        }) {
            nothing_under(&self.named_parameters(), name, "unfreeze_under")
        }
    }
}

impl Outline {
    /// Adds a field with the outline of this module.
    #[must_use]
    pub fn field(self, name: impl fmt::Display, module: &(impl Module + ?Sized)) -> Self {
        self.with(name, module.outline())
    }
}

/// Calls `see` with each parameter of element type `T`, once, in the order of the model.
pub(crate) fn each_param<'m, T: Float>(
    model: &'m dyn Module,
    mut see: impl FnMut(&Path<'_>, &'m Param<T>),
) {
    let mut seen = HashSet::new();
    model.visit(&Path::root(), &mut |path, state| {
        if let Some(param) = state.downcast_ref::<Param<T>>()
            && seen.insert(param.id())
        {
            see(path, param);
        }
    });
}

/// Returns the name of a type without its path and its type parameters.
fn short(name: &str) -> &str {
    let end = name.bytes().position(|byte| matches!(byte, b'<' | b'(' | b'['));
    let name = &name[..end.unwrap_or(name.len())];
    let start = name.bytes().rposition(|byte| byte == b':').map_or(0, |colon| colon + 1);
    match &name[start..] {
        "" => "module",
        name => name,
    }
}

fn first(visit: Visit<'_, '_>) -> Option<FirstState> {
    let mut first = None;
    visit(&mut |path, state| {
        first.get_or_insert_with(|| FirstState::at(state.id(), path.steps()));
    });
    first
}

fn named<'m>(visit: Visit<'_, 'm>) -> Vec<(String, &'m dyn State)> {
    let mut all = Vec::new();
    visit(&mut |path, state| all.push((path.to_string(), state)));
    all
}

fn parameters(mut states: Vec<(String, &dyn State)>) -> Vec<(String, &dyn State)> {
    states.retain(|(_, state)| state.kind() == StateKind::Param);
    states
}

fn outline(name: &str, states: Vec<(String, &dyn State)>) -> Outline {
    let mut outline = Outline::new(name);
    for (name, state) in states {
        outline.push(name, state.outline());
    }
    outline
}

fn count(visit: Visit<'_, '_>, counts: fn(&dyn State) -> bool) -> usize {
    let mut total = 0;
    visit(&mut |_, state| {
        if counts(state) {
            total += state.shape().numel();
        }
    });
    total
}

/// Freezes or unfreezes the parameters under a name, or all of them. Returns whether there is one.
fn set_frozen(name: Option<&str>, frozen: bool, visit: VisitMut<'_>) -> bool {
    let mut found = false;
    visit(&mut |path, state| {
        let under = name.is_none_or(|name| {
            let path = path.to_string();
            let rest = path.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        if state.kind() == StateKind::Param && under {
            state.set_frozen(frozen);
            found = true;
        }
    });
    found
}

#[cold]
#[track_caller]
fn nothing_under(parameters: &[(String, &dyn State)], name: &str, op: &str) -> ! {
    let names: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    panic!(
        "{op}: the module has no parameter under `{name}`; its parameters are: {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Buffer;
    use wengert_tensor::Tensor;

    fn param(shape: &[usize]) -> Param {
        Param::new(Tensor::zeros(shape))
    }

    /// Returns weight and bias as a pair.
    fn linear(inputs: usize, outputs: usize) -> (Param, Param) {
        (param(&[outputs, inputs]), param(&[outputs]))
    }

    fn names(module: &dyn Module) -> Vec<String> {
        module.named_state().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn paths_join_names_and_indices_by_dots() {
        let root = Path::root();
        assert_eq!(root.to_string(), "");
        assert_eq!(root.index(0).to_string(), "0");
        assert_eq!(root.child("a").child("b").index(12).child("c").to_string(), "a.b.12.c");
    }

    #[test]
    fn a_perceptron_of_widths_5_3_7_5_1_has_92_parameters() {
        let model = vec![linear(5, 3), linear(3, 7), linear(7, 5), linear(5, 1)];
        assert_eq!(model.parameter_count(), 92);
        assert_eq!(names(&model)[2..4], ["1.0", "1.1"]);
    }

    #[test]
    fn freeze_under_freezes_the_parameters_below_a_path() {
        let mut model =
            (linear(2, 3), vec![linear(3, 4), linear(4, 1)], Buffer::new(Tensor::ones(&[9])));
        assert_eq!((model.parameter_count(), model.trainable_count()), (30, 30));
        model.freeze_under("1.0");
        assert_eq!(model.trainable_count(), 14);
        model.freeze();
        assert_eq!((model.parameter_count(), model.trainable_count()), (30, 0));
        model.unfreeze_under("0.1");
        assert_eq!(model.trainable_count(), 3);
        model.unfreeze();
        assert_eq!(model.trainable_count(), 30);
    }

    #[test]
    fn freeze_under_matches_whole_segments_of_a_path() {
        let mut model: Vec<Param> = (0..11).map(|_| param(&[1])).collect();
        model.freeze_under("1");
        assert_eq!(model.trainable_count(), 10);
    }

    #[test]
    #[should_panic(
        expected = "freeze_under: the module has no parameter under `fc`; its parameters are: 0, 1"
    )]
    fn freeze_under_panics_if_no_parameter_is_below_the_path() {
        linear(1, 1).freeze_under("fc");
    }

    #[test]
    fn references_to_visited_states_outlive_the_visit() {
        let model = [linear(1, 1), linear(1, 1)];
        let mut ids = Vec::new();
        model.visit(&Path::root(), &mut |_, state| {
            ids.push(state.downcast_ref::<Param>().unwrap().id());
        });
        assert_eq!(ids, [model[0].0.id(), model[0].1.id(), model[1].0.id(), model[1].1.id()]);
    }

    #[test]
    fn short_names_of_types() {
        for (name, expected) in [
            ("wengert_nn::linear::Linear<f32>", "Linear"),
            ("alloc::vec::Vec<wengert_nn::linear::Linear<f32>>", "Vec"),
            ("Relu", "Relu"),
            ("a::Größe", "Größe"),
            ("(a::B, c::D<e::F>)", "module"),
            ("[a::B; 3]", "module"),
        ] {
            assert_eq!(short(name), expected);
        }
    }
}
