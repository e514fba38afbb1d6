//! The parameters and buffers on a tape, and the changes of buffers that its program declares.

use crate::module::{BufferId, ParamId, StateId};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A hash for the identities of parameters and buffers, and for nodes: consecutive numbers. The standard
/// hash, which resists chosen keys, would cost more than the rest of a binding.
#[derive(Default)]
pub(crate) struct OfIdentity(u64);

impl Hasher for OfIdentity {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }
    #[inline]
    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }
    #[inline]
    fn write_u64(&mut self, n: u64) {
        // 2⁶⁴ divided by the golden ratio: consecutive numbers get distant hashes.
        self.0 = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    fn finish(&self) -> u64 {
        // The hash table uses the low bits.
        self.0.rotate_left(32)
    }
}

/// A map with such keys.
pub(crate) type ById<K, V> = HashMap<K, V, BuildHasherDefault<OfIdentity>>;

/// A parameter or buffer on a tape, with its node.
#[derive(Clone, Copy)]
pub(crate) struct Binding {
    pub of: Bound,
    pub node: u32,
    pub version: u64,
}

/// The parameter or buffer of a node.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    Param { id: ParamId, frozen: bool },
    Buffer(BufferId),
}

impl Bound {
    pub fn state(self) -> StateId {
        match self {
            Bound::Param { id, .. } => id.into(),
            Bound::Buffer(id) => id.into(),
        }
    }
}

impl Binding {
    /// Returns the id of the parameter; `None` for a buffer.
    pub fn param(&self) -> Option<ParamId> {
        match self.of {
            Bound::Param { id, .. } => Some(id),
            Bound::Buffer(_) => None,
        }
    }

    /// Returns whether this is a frozen parameter: a constant of the run.
    pub fn is_frozen(&self) -> bool {
        matches!(self.of, Bound::Param { frozen: true, .. })
    }
}

/// The parameters and buffers on a tape, in the order of their nodes.
#[derive(Default)]
pub(crate) struct Bindings {
    list: Vec<Binding>,
    places: ById<StateId, u32>,
    /// The nodes that replace parameters while `with_params` runs.
    substitutes: ById<ParamId, u32>,
}

impl Bindings {
    /// Adds a binding whose node is the last on the tape.
    pub fn push(&mut self, binding: Binding) {
        if self.list.is_empty() {
            // This is enough for small models.
            self.list.reserve(16);
            self.places.reserve(16);
        }
        self.places.insert(binding.of.state(), self.list.len() as u32);
        self.list.push(binding);
    }

    /// Removes the bindings of truncated nodes, from this node on.
    #[inline]
    pub fn truncate(&mut self, nodes: usize) {
        while let Some(last) = self.list.last()
            && last.node as usize >= nodes
        {
            self.places.remove(&last.of.state());
            self.list.pop();
        }
    }

    pub fn of(&self, state: impl Into<StateId>) -> Option<Binding> {
        self.places.get(&state.into()).map(|&place| self.list[place as usize])
    }

    /// Returns the binding of this node.
    pub fn at(&self, node: u32) -> Option<Binding> {
        let place = self.list.binary_search_by_key(&node, |binding| binding.node).ok()?;
        Some(self.list[place])
    }

    /// Returns the node that replaces a parameter at present, if there is one.
    pub fn substitute_of(&self, param: ParamId) -> Option<u32> {
        self.substitutes.get(&param).copied()
    }

    /// Replaces these parameters by these nodes. Returns the previous substitutes, to be restored.
    pub fn substitute(
        &mut self,
        pairs: impl Iterator<Item = (ParamId, u32)>,
    ) -> ById<ParamId, u32> {
        let before = self.substitutes.clone();
        self.substitutes.extend(pairs);
        before
    }

    pub fn end_substitution(&mut self, before: ById<ParamId, u32>) {
        self.substitutes = before;
    }

    /// Returns whether any parameter is replaced at present.
    pub fn substitutes(&self) -> bool {
        !self.substitutes.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Binding> {
        self.list.iter()
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Binding> {
        self.list.iter_mut()
    }
}

/// A change of a buffer in the program, with the nodes from which it is computed.
#[derive(Clone, Copy)]
pub(crate) enum Declared {
    Blend { keep: f64, change: u32 },
    Average { seen: BufferId, value: u32 },
    Count(i64),
}

/// The declaration of a change of a buffer, at its position in the program: before the node `at`.
#[derive(Clone, Copy)]
pub(crate) struct Declaration {
    pub at: u32,
    pub buffer: BufferId,
    pub what: Declared,
}
