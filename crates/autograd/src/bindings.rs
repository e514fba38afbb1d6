//! The parameters and buffers on a tape.

use crate::param::{BufferId, ParamId};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Spreads the identities of parameters and buffers, which count up: the usual hash, which withstands
/// chosen keys, costs more than the rest of a binding.
#[derive(Default)]
pub(crate) struct OfIdentity(u64);

impl Hasher for OfIdentity {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }
    #[inline]
    fn write_u64(&mut self, n: u64) {
        // 2⁶⁴ divided by the golden ratio: neighbours end far apart.
        self.0 = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    fn finish(&self) -> u64 {
        // The table takes its place from the low bits.
        self.0.rotate_left(32)
    }
}

type ById<K, V> = HashMap<K, V, BuildHasherDefault<OfIdentity>>;

/// A parameter on a tape.
#[derive(Clone, Copy)]
pub(crate) struct Binding {
    pub param: ParamId,
    pub node: u32,
    pub version: u64,
    pub frozen: bool,
}

/// A buffer on a tape.
#[derive(Clone, Copy)]
pub(crate) struct BoundBuffer {
    pub buffer: BufferId,
    pub node: u32,
    pub version: u64,
}

/// The parameters and the buffers on a tape, in the order of their nodes.
#[derive(Default)]
pub(crate) struct Bindings {
    list: Vec<Binding>,
    buffers: Vec<BoundBuffer>,
    buffer_places: ById<BufferId, u32>,
    places: ById<ParamId, u32>,
    /// Nodes in place of parameters, while `with_params` runs.
    substitutes: HashMap<ParamId, u32>,
}

impl Bindings {
    /// Adds a parameter whose node is the last on the tape.
    pub fn push(&mut self, binding: Binding) {
        if self.list.is_empty() {
            // Small models need no more.
            self.list.reserve(16);
            self.places.reserve(16);
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
        while let Some(last) = self.buffers.last()
            && last.node as usize >= nodes
        {
            self.buffer_places.remove(&last.buffer);
            self.buffers.pop();
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

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Binding> {
        self.list.iter_mut()
    }

    /// Adds a buffer whose node is the last on the tape.
    pub fn push_buffer(&mut self, bound: BoundBuffer) {
        self.buffer_places.insert(bound.buffer, self.buffers.len() as u32);
        self.buffers.push(bound);
    }

    pub fn of_buffer(&self, buffer: BufferId) -> Option<BoundBuffer> {
        self.buffer_places.get(&buffer).map(|&place| self.buffers[place as usize])
    }

    /// The buffer whose node this is.
    pub fn buffer_at(&self, node: u32) -> Option<BoundBuffer> {
        let place = self.buffers.binary_search_by_key(&node, |bound| bound.node).ok()?;
        Some(self.buffers[place])
    }

    pub fn buffers(&self) -> &[BoundBuffer] {
        &self.buffers
    }

    pub fn buffers_mut(&mut self) -> &mut [BoundBuffer] {
        &mut self.buffers
    }

    /// Whether other nodes stand for parameters at present.
    pub fn substitutes(&self) -> bool {
        !self.substitutes.is_empty()
    }
}
