//! Names from identities: finds the path of an entered module in its model.

use super::param::StateId;
use super::state::State;
use super::visit::{Module, Path, See};

/// The first parameter or buffer of a module, and its depth below the module. [`Module::first_state`]
/// returns it.
///
/// It identifies the module without its address: `conv1.weight` without its last step is `conv1`.
///
/// ```
/// use wengert::autograd::{FirstState, Module, Param};
/// use wengert::tensor::Tensor;
/// let layer: (Param, Param) = (Tensor::zeros(&[2, 3]).into(), Tensor::zeros(&[2]).into());
/// assert_eq!(layer.first_state(), Some(FirstState::of(&layer.0).below()));
/// assert_eq!((1.5, "configuration").first_state(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstState {
    id: StateId,
    depth: u32,
}

impl FirstState {
    /// Returns the first state of a parameter or buffer: itself, at depth 0.
    #[inline]
    pub fn of(state: &dyn State) -> Self {
        Self::at(state.id(), 0)
    }

    #[inline]
    pub(crate) fn at(id: StateId, depth: u32) -> Self {
        FirstState { id, depth }
    }

    /// Returns the first state of a module that contains this one under a name or a position: one step
    /// deeper.
    #[inline]
    #[must_use]
    pub fn below(self) -> Self {
        FirstState { depth: self.depth + 1, ..self }
    }
}

/// The properties of a module that name its scope. Functions that take it are compiled once, and not
/// again for each type of module.
pub(crate) trait Entered {
    fn first_state(&self) -> Option<FirstState>;
    fn type_name(&self) -> &'static str;
    fn visit<'m>(&'m self, see: &mut See<'_, 'm>);
}

impl<M: Module + ?Sized> Entered for &M {
    #[inline]
    fn first_state(&self) -> Option<FirstState> {
        (**self).first_state()
    }
    fn type_name(&self) -> &'static str {
        (**self).type_name()
    }
    fn visit<'m>(&'m self, see: &mut See<'_, 'm>) {
        (**self).visit(&Path::root(), see);
    }
}

/// The paths of all parameters and buffers of the models that a run has entered.
#[derive(Default)]
pub(crate) struct Register {
    /// The concatenated paths.
    text: String,
    /// The end of each step in `text`. A step may contain a dot, so dots do not separate steps.
    ends: Vec<u32>,
    /// Sorted by identity, with one entry per identity.
    entries: Vec<Entry>,
    /// The names of the models, as ranges of `text`.
    models: Vec<(u32, u32)>,
}

#[derive(Clone, Copy)]
struct Entry {
    id: StateId,
    model: u32,
    start: u32,
    /// The index of its first step in `ends`.
    first: u32,
    steps: u32,
}

/// The path of a module in a registered model.
#[derive(Clone, Copy)]
pub(crate) struct ModelPath {
    pub model: u32,
    /// The path in the model, as a range of `Register::text`.
    start: u32,
    end: u32,
    steps: u32,
}

impl Register {
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.entries.clear();
        self.models.clear();
    }

    /// Returns the path of the module with this first state, if it is in a registered model.
    pub fn find(&self, first: FirstState) -> Option<ModelPath> {
        let found = self.entries.binary_search_by_key(&first.id, |entry| entry.id).ok()?;
        let Entry { model, start, first: ends, steps, .. } = self.entries[found];
        let steps = steps.checked_sub(first.depth)?;
        let end = match steps {
            0 => start,
            _ => self.ends[(ends + steps) as usize - 1],
        };
        Some(ModelPath { model, start, end, steps })
    }

    /// Registers the parameters and buffers of a module. Returns its path, and an earlier model that is
    /// a part of it.
    pub fn add(&mut self, module: &dyn Entered) -> (ModelPath, Option<u32>) {
        let Register { text, ends, entries, models } = self;
        let model = models.len() as u32;
        let mut sorted = true;
        let start = text.len() as u32;
        module.visit(&mut |path, state| {
            let (start, first, id) = (text.len() as u32, ends.len() as u32, state.id());
            path.write_to(text, ends);
            sorted &= entries.last().is_none_or(|last| last.id < id);
            entries.push(Entry { id, model, start, first, steps: ends.len() as u32 - first });
        });
        models.push((start, start));
        let mut part = None;
        if !sorted {
            // If several models contain a state, the latest model counts, with the first of its paths.
            entries.sort_by_key(|entry| (entry.id, std::cmp::Reverse(entry.model)));
            entries.dedup_by(|later, first| {
                let same = later.id == first.id;
                if same && later.model != first.model {
                    part = Some(later.model);
                }
                same
            });
        }
        (ModelPath { model, start, end: start, steps: 0 }, part)
    }

    /// Names a model. A new model has no name.
    pub fn name(&mut self, model: u32, name: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(name);
        self.models[model as usize] = (start, self.text.len() as u32);
    }

    /// Gives a model the name of another model.
    pub fn name_as(&mut self, model: u32, other: u32) {
        self.models[model as usize] = self.models[other as usize];
    }

    pub fn name_of(&self, model: u32) -> &str {
        let (start, end) = self.models[model as usize];
        &self.text[start as usize..end as usize]
    }

    /// Returns the path of a module in its model.
    #[inline]
    pub fn path(&self, place: ModelPath) -> &str {
        &self.text[place.start as usize..place.end as usize]
    }

    /// Returns the path from a module to a module in it; empty if they are the same.
    #[inline]
    pub fn relative(&self, outer: ModelPath, inner: ModelPath) -> Option<&str> {
        if outer.model != inner.model || outer.steps > inner.steps {
            return None;
        }
        let rest = self.path(inner).strip_prefix(self.path(outer))?;
        if outer.steps == 0 || rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
    }
}

/// Returns the name of a type without its path and its type parameters.
pub(crate) fn short(name: &str) -> &str {
    let end = name.bytes().position(|byte| matches!(byte, b'<' | b'(' | b'['));
    let name = &name[..end.unwrap_or(name.len())];
    let start = name.bytes().rposition(|byte| byte == b':').map_or(0, |colon| colon + 1);
    match &name[start..] {
        "" => "module",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn type_names_are_shortened_to_their_last_segment() {
        for (name, expected) in [
            ("wengert_nn::linear::Linear<f32>", "Linear"),
            ("alloc::vec::Vec<wengert_nn::linear::Linear<f32>>", "Vec"),
            ("Relu", "Relu"),
            ("a::Größe", "Größe"),
            ("(a::B, c::D<e::F>)", "module"),
            ("[a::B; 3]", "module"),
        ] {
            assert_eq!(super::short(name), expected);
        }
    }
}
