//! The parameters on a tape.

use crate::param::ParamId;
use std::collections::HashMap;

/// A parameter on a tape.
#[derive(Clone, Copy)]
pub(crate) struct Binding {
    pub param: ParamId,
    pub node: u32,
    pub version: u64,
    pub frozen: bool,
}

/// The parameters on a tape, in the order of their nodes.
#[derive(Default)]
pub(crate) struct Bindings {
    list: Vec<Binding>,
    places: HashMap<ParamId, u32>,
    /// Nodes in place of parameters, while `with_params` runs.
    substitutes: HashMap<ParamId, u32>,
}

impl Bindings {
    /// Adds a parameter whose node is the last on the tape.
    pub fn push(&mut self, binding: Binding) {
        if self.list.is_empty() {
            self.list.reserve(16); // small models need no more
        }
        self.places.insert(binding.param, self.list.len() as u32);
        self.list.push(binding);
    }

    /// Forgets those whose nodes are gone: the nodes from this one on.
    #[inline]
    pub fn truncate(&mut self, nodes: usize) {
        while let Some(last) = self.list.last()
            && last.node as usize >= nodes
        {
            self.places.remove(&last.param);
            self.list.pop();
        }
    }

    pub fn of(&self, param: ParamId) -> Option<Binding> {
        self.places.get(&param).map(|&place| self.list[place as usize])
    }

    /// The binding whose node this is.
    pub fn at(&self, node: u32) -> Option<Binding> {
        let place = self.list.binary_search_by_key(&node, |binding| binding.node).ok()?;
        Some(self.list[place])
    }

    /// The node that stands for a parameter at present, if it is not the parameter itself.
    pub fn substitute_of(&self, param: ParamId) -> Option<u32> {
        self.substitutes.get(&param).copied()
    }

    /// From now on these nodes stand for these parameters, too. What did before, to be put back.
    pub fn substitute(
        &mut self,
        pairs: impl Iterator<Item = (ParamId, u32)>,
    ) -> HashMap<ParamId, u32> {
        let before = self.substitutes.clone();
        self.substitutes.extend(pairs);
        before
    }

    pub fn end_substitution(&mut self, before: HashMap<ParamId, u32>) {
        self.substitutes = before;
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Binding> {
        self.list.iter()
    }
}
