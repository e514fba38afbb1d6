//! Names from identities: where in its model a module lies that a run enters.

use super::param::StateId;
use super::state::State;
use super::visit::{Module, Path};

/// The first parameter or buffer of a module, and how many steps below the module it lies: what
/// [`Module::first_state`] returns.
///
/// It says which module it is without its address: `conv1.weight` less one step is `conv1`.
///
/// ```
/// use wengert_autograd::{FirstState, Module, Param};
/// use wengert_tensor::Tensor;
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
    /// The first state of a parameter or buffer: itself.
    #[inline]
    pub fn of(state: &dyn State) -> Self {
        Self::at(state.id(), 0)
    }

    #[inline]
    pub(crate) fn at(id: StateId, depth: u32) -> Self {
        FirstState { id, depth }
    }

    /// The first state of a module that holds it under a name or a position: one step deeper.
    #[inline]
    #[must_use]
    pub fn below(self) -> Self {
        FirstState { depth: self.depth + 1, ..self }
    }
}

/// The paths of the parameters and buffers of the models that a run has entered.
#[derive(Default)]
pub(crate) struct Register {
    /// The paths, one behind the other.
    text: String,
    /// Where each of their steps ends in `text`: a step itself may contain a dot.
    ends: Vec<u32>,
    /// Sorted by identity, each identity once.
    entries: Vec<Entry>,
    /// The names of the models, as ranges of `text`.
    models: Vec<(u32, u32)>,
}

#[derive(Clone, Copy)]
struct Entry {
    id: StateId,
    model: u32,
    start: u32,
    /// The first of its steps in `ends`.
    first: u32,
    steps: u32,
}

/// The place of a module in a registered model.
#[derive(Clone, Copy)]
pub(crate) struct ModelPath {
    pub model: u32,
    /// Its path in the model, a range of `Register::text`.
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

    /// The place of the module with this first state, if it lies in a registered model.
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

    /// Registers what a module holds. Its place, and an earlier model that is a part of it.
    pub fn add<M: Module + ?Sized>(&mut self, module: &M) -> (ModelPath, Option<u32>) {
        let Register { text, ends, entries, models } = self;
        let model = models.len() as u32;
        let mut sorted = true;
        let start = text.len() as u32;
        module.visit(&Path::root(), &mut |path, state| {
            let (start, first, id) = (text.len() as u32, ends.len() as u32, state.id());
            path.write_to(text, ends);
            sorted &= entries.last().is_none_or(|last| last.id < id);
            entries.push(Entry { id, model, start, first, steps: ends.len() as u32 - first });
        });
        models.push((start, start));
        let mut part = None;
        if !sorted {
            // The latest model that holds a state counts, and in it the first of its paths.
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

    /// Names a model, which has no name at first.
    pub fn name(&mut self, model: u32, name: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(name);
        self.models[model as usize] = (start, self.text.len() as u32);
    }

    /// Gives a model the name of another one.
    pub fn name_as(&mut self, model: u32, other: u32) {
        self.models[model as usize] = self.models[other as usize];
    }

    pub fn name_of(&self, model: u32) -> &str {
        let (start, end) = self.models[model as usize];
        &self.text[start as usize..end as usize]
    }

    /// The path of a module in its model.
    #[inline]
    pub fn path(&self, place: ModelPath) -> &str {
        &self.text[place.start as usize..place.end as usize]
    }

    /// The path that leads from one module to another that lies in it; empty if they are the same.
    #[inline]
    pub fn relative(&self, outer: ModelPath, inner: ModelPath) -> Option<&str> {
        if outer.model != inner.model || outer.steps > inner.steps {
            return None;
        }
        let rest = self.path(inner).strip_prefix(self.path(outer))?;
        if outer.steps == 0 || rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
    }
}

/// The name of a type without its module and its parameters.
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
    fn short_names_of_types() {
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
