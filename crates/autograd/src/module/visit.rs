//! Modules: whatever holds parameters and buffers, by name.

use super::names::FirstState;
use super::outline::Outline;
use super::param::Param;
use super::state::{Kind, State};
use super::{copies, names};
use std::collections::HashSet;
use std::fmt::{self, Write};
use wengert_tensor::Float;

/// A place in a model, as a chain on the stack of the walk: it becomes a string such as
/// `conv1.weight` only when somebody asks for it.
///
/// ```
/// use wengert_autograd::Path;
/// let root = Path::root();
/// let layers = root.child("layers");
/// assert_eq!(layers.index(3).child("weight").to_string(), "layers.3.weight");
/// ```
#[derive(Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Child(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The place of the model itself. Its name is empty.
    pub const fn root() -> Self {
        Path { parent: None, step: Step::Root }
    }

    /// The place of a field.
    pub fn child(&'a self, name: &'a str) -> Self {
        Path { parent: Some(self), step: Step::Child(name) }
    }

    /// The place of an element of a list.
    pub fn index(&'a self, index: usize) -> Self {
        Path { parent: Some(self), step: Step::Index(index) }
    }
}

impl Path<'_> {
    /// The name, or other words at the place of the model itself, which has none: in messages.
    ///
    /// ```
    /// use wengert_autograd::Path;
    /// let root = Path::root();
    /// assert_eq!(root.child("weight").name_or("the parameter itself"), "weight");
    /// assert_eq!(root.name_or("the parameter itself"), "the parameter itself");
    /// ```
    pub fn name_or(&self, whole: &str) -> String {
        if self.parent.is_none() { whole.into() } else { self.to_string() }
    }
}

impl Path<'_> {
    /// How many steps lead here from the model.
    fn steps(&self) -> u32 {
        self.parent.map_or(0, |parent| parent.steps() + 1)
    }

    /// Writes it behind other paths, and where each step ends.
    pub(crate) fn write_to(&self, text: &mut String, ends: &mut Vec<u32>) {
        let Some(parent) = self.parent else { return };
        parent.write_to(text, ends);
        if parent.parent.is_some() {
            text.push('.');
        }
        match self.step {
            Step::Root => {}
            Step::Child(name) => text.push_str(name),
            Step::Index(index) if index < 10 => text.push((b'0' + index as u8) as char),
            Step::Index(index) => _ = write!(text, "{index}"),
        }
        ends.push(text.len() as u32);
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            if parent.parent.is_some() {
                f.write_str(".")?;
            }
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Child(name) => f.write_str(name),
            Step::Index(index) => write!(f, "{index}"),
        }
    }
}

/// What [`Module::visit`] calls with every parameter and buffer, and where it stands.
pub type See<'s, 'm> = dyn FnMut(&Path<'_>, &'m dyn State) + 's;

/// What [`Module::visit_mut`] calls with every parameter and buffer, and where it stands.
pub type SeeMut<'s, 'm> = dyn FnMut(&Path<'_>, &'m mut dyn State) + 's;

/// Something with parameters and buffers in it: a [`Param`](crate::Param), a layer, a list of
/// layers, a whole model.
///
/// `#[derive(Module)]` writes [`visit`](Module::visit), [`visit_mut`](Module::visit_mut) and
/// [`first_state`](Module::first_state) and [`outline`](Module::outline) from the fields; the other methods stand on these. Numbers, strings
/// and the like are modules with nothing in them, so that configuration can stand beside
/// parameters. `Option`, `Box`, `Vec`, arrays, tuples and `BTreeMap`s of modules are modules.
/// `HashMap` is not, because two walks must meet everything in the same order.
///
/// Names follow PyTorch: fields by name, elements of lists and tuples by number, joined by dots.
///
/// Written by hand, it looks like this:
///
/// ```
/// use wengert_autograd::{Module, Param, Path, See, SeeMut};
/// use wengert_tensor::Tensor;
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
    message = "`{Self}` is not a `Module`, so parameters in it would be lost in silence",
    label = "not a module",
    note = "a type that holds parameters derives it: `#[derive(Module)]`",
    note = "a bare tensor goes into a `Param` (trained) or a `Buffer` (only saved)",
    note = "a field with nothing in it to train or save says so: `#[module(skip)]`"
)]
pub trait Module {
    /// Shows every parameter and buffer, always in the same order, with its place under `path`.
    fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>);

    /// The same walk, with leave to change them.
    fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>);

    /// The first parameter or buffer that [`visit`](Module::visit) shows, and how deep it lies:
    /// by it a run knows where in its model a module lies that it enters
    /// ([`Tape::enter`](crate::Tape::enter)). It is asked for whenever the module runs. If not written
    /// or derived, it costs a whole walk.
    ///
    /// Written by hand, it asks the fields in the order of `visit`, and adds a step where `visit`
    /// does:
    ///
    /// ```
    /// # use wengert_autograd::{FirstState, Module, Param, Path, See, SeeMut};
    /// # use wengert_tensor::Tensor;
    /// struct Linear {
    ///     weight: Param,
    /// }
    ///
    /// impl Module for Linear {
    ///     fn visit<'m>(&'m self, path: &Path<'_>, see: &mut See<'_, 'm>) {
    ///         self.weight.visit(&path.child("weight"), see);
    ///     }
    /// #   fn visit_mut<'m>(&'m mut self, path: &Path<'_>, see: &mut SeeMut<'_, 'm>) {
    /// #       self.weight.visit_mut(&path.child("weight"), see);
    /// #   }
    ///     // …
    ///     fn first_state(&self) -> Option<FirstState> {
    ///         self.weight.first_state().map(FirstState::below)
    ///     }
    /// }
    /// # let layer = Linear { weight: Tensor::zeros(&[2]).into() };
    /// # assert_eq!(layer.first_state(), Some(FirstState::of(&layer.weight).below()));
    /// ```
    fn first_state(&self) -> Option<FirstState> {
        let mut first = None;
        self.visit(&Path::root(), &mut |path, state| {
            first.get_or_insert_with(|| FirstState::at(state.id(), path.steps()));
        });
        first
    }

    /// The name of the type, such as `Linear`: without its module and its parameters.
    fn type_name(&self) -> &'static str {
        names::short(std::any::type_name::<Self>())
    }

    /// What `Display` shows. If not written or derived: the type's name and all that it holds.
    fn outline(&self) -> Outline {
        let mut outline = Outline::new(self.type_name());
        self.visit(&Path::root(), &mut |path, state| {
            outline.push(path.to_string(), state.outline());
        });
        outline
    }

    /// Takes over the numbers of another model of the same structure: of a copy, a snapshot, a network
    /// that is trained. Identities stay, so that optimizers go on with what they remember of these
    /// parameters, and so does what is frozen.
    ///
    /// ```
    /// use wengert_autograd::{Module, Param};
    /// use wengert_tensor::Tensor;
    ///
    /// let mut model = (Param::new(Tensor::zeros(&[2])), Param::new(Tensor::ones(&[3])));
    /// // A snapshot, and the way back.
    /// let best = model.clone();
    /// model.0.set(Tensor::full(&[2], 7.0));
    /// model.copy_from(&best);
    /// assert_eq!(model.0.value().to_vec(), [0.0, 0.0]);
    ///
    /// // A target network: the values of some steps ago.
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
    /// If one of the models has a parameter or buffer that the other has not, or one of another kind,
    /// element type or shape. All are listed, and nothing has changed.
    #[track_caller]
    fn copy_from(&mut self, other: &dyn Module) {
        copies::copy(self, other);
    }

    /// Moves the numbers a share of the way to those of another model of the same structure:
    /// θ ← θ + t · (θ′ − θ), for parameters and buffers of floating point numbers. `t` = 0 changes
    /// nothing, `t` = 1 is [`copy_from`](Module::copy_from). Other buffers, such as counters, are copied
    /// if `t` > 0. Identities stay, and so does what is frozen.
    ///
    /// Running statistics move with the parameters, so that they belong to the same average of models
    /// (PyTorch: `AveragedModel(…, use_buffers=True)`).
    ///
    /// ```
    /// use wengert_autograd::{Module, Param};
    /// use wengert_tensor::Tensor;
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
    /// As [`copy_from`](Module::copy_from), and if `t` is not within 0 to 1.
    #[track_caller]
    fn lerp_from(&mut self, other: &dyn Module, t: f64) {
        copies::lerp(self, other, t);
    }

    /// Every parameter and buffer with its name: what a state dict holds.
    fn named_state(&self) -> Vec<(String, &dyn State)> {
        let mut all = Vec::new();
        self.visit(&Path::root(), &mut |path, state| all.push((path.to_string(), state)));
        all
    }

    /// Every parameter with its name.
    fn named_parameters(&self) -> Vec<(String, &dyn State)> {
        let mut all = self.named_state();
        all.retain(|(_, state)| state.kind() == Kind::Param);
        all
    }

    /// How many numbers the parameters hold together.
    fn parameter_count(&self) -> usize {
        count(self, |state| state.kind() == Kind::Param)
    }

    /// How many numbers the parameters that are not frozen hold together.
    fn trainable_count(&self) -> usize {
        count(self, <dyn State>::trainable)
    }

    /// Freezes every parameter: from now on each is a constant to training.
    fn freeze(&mut self) {
        self.visit_mut(&Path::root(), &mut |_, state| state.set_frozen(true));
    }

    /// Makes every parameter trainable.
    fn unfreeze(&mut self) {
        self.visit_mut(&Path::root(), &mut |_, state| state.set_frozen(false));
    }

    /// Freezes the parameters under a name, such as `conv1` (which does not mean `conv10`) or
    /// `conv1.weight`.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    fn freeze_under(&mut self, name: &str) {
        if !set_frozen_under(self, name, true) {
            nothing_under(self, name, "freeze_under")
        }
    }

    /// Makes the parameters under a name trainable.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    fn unfreeze_under(&mut self, name: &str) {
        if !set_frozen_under(self, name, false) {
            nothing_under(self, name, "unfreeze_under")
        }
    }
}

/// Calls `see` with each parameter of these numbers, once, in the order of the model.
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

fn count<M: Module + ?Sized>(module: &M, counts: impl Fn(&dyn State) -> bool) -> usize {
    let mut total = 0;
    module.visit(&Path::root(), &mut |_, state| {
        if counts(state) {
            total += state.shape().numel();
        }
    });
    total
}

/// Whether there was anything to set.
fn set_frozen_under<M: Module + ?Sized>(module: &mut M, name: &str, frozen: bool) -> bool {
    let mut found = false;
    module.visit_mut(&Path::root(), &mut |path, state| {
        let path = path.to_string();
        let rest = path.strip_prefix(name);
        if state.kind() == Kind::Param
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        {
            state.set_frozen(frozen);
            found = true;
        }
    });
    found
}

#[cold]
#[track_caller]
fn nothing_under<M: Module + ?Sized>(module: &M, name: &str, op: &str) -> ! {
    let names: Vec<_> = module.named_parameters().into_iter().map(|(name, _)| name).collect();
    panic!("{op}: no parameter stands under `{name}`; there are: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Buffer;
    use wengert_tensor::Tensor;

    fn param(shape: &[usize]) -> Param {
        Param::new(Tensor::zeros(shape))
    }

    /// Weight and bias, as a pair.
    fn linear(inputs: usize, outputs: usize) -> (Param, Param) {
        (param(&[outputs, inputs]), param(&[outputs]))
    }

    fn names(module: &dyn Module) -> Vec<String> {
        module.named_state().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn paths() {
        let root = Path::root();
        assert_eq!(root.to_string(), "");
        assert_eq!(root.index(0).to_string(), "0");
        assert_eq!(root.child("a").child("b").index(12).child("c").to_string(), "a.b.12.c");
    }

    #[test]
    fn the_perceptron_of_the_textbooks_has_92_parameters() {
        let model = vec![linear(5, 3), linear(3, 7), linear(7, 5), linear(5, 1)];
        assert_eq!(model.parameter_count(), 92);
        assert_eq!(names(&model)[2..4], ["1.0", "1.1"]);
    }

    #[test]
    fn freezing_by_name() {
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
    fn a_prefix_ends_at_a_dot() {
        let mut model: Vec<Param> = (0..11).map(|_| param(&[1])).collect();
        model.freeze_under("1");
        assert_eq!(model.trainable_count(), 10);
    }

    #[test]
    #[should_panic(expected = "freeze_under: no parameter stands under `fc`; there are: 0, 1")]
    fn freezing_nothing_is_a_mistake() {
        linear(1, 1).freeze_under("fc");
    }

    #[test]
    fn states_can_be_kept_beyond_the_walk() {
        let model = [linear(1, 1), linear(1, 1)];
        let mut ids = Vec::new();
        model.visit(&Path::root(), &mut |_, state| {
            ids.push(state.downcast_ref::<Param>().unwrap().id());
        });
        assert_eq!(ids, [model[0].0.id(), model[0].1.id(), model[1].0.id(), model[1].1.id()]);
    }
}
