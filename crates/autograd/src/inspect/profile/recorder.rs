//! Records the kernels of a run.

use super::{Charged, ProfileRow};
use crate::graph::{Arena, Op, RELEASED, Ran, Reduce, Tape};
use crate::inspect::notes::Notes;
use std::time::Duration;
use wengert_tensor::{Float, Instant, Tensor};

/// Collects the rows of the profile while a tape runs.
pub(in crate::inspect) struct Recorder {
    pub(super) rows: Vec<ProfileRow>,
    pub(super) origin: Instant,
    pub(super) own: Duration,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Recorder { rows: Vec::new(), origin: Instant::now(), own: Duration::ZERO }
    }

    /// Records a kernel that has run.
    pub fn kernel<T: Float>(&mut self, tape: &Tape<T>, notes: &Notes, ran: &Ran<'_, T>) {
        let arena = tape.arena.borrow();
        let outputs = if ran.values.is_empty() {
            0
        } else {
            ran.values.len() + usize::from(ran.integers.is_some())
        };
        let nodes = arena.computed_with(ran.id, ran.first, outputs as u32);
        let firsts = nodes.iter().filter(|&&id| arena.first_output(id) == id || id == ran.first);
        let ops = firsts.map(|&id| arena.op_name(id)).collect();
        let bytes = |elements: usize, size: usize| elements as u64 * size as u64;
        let all =
            |x: &[Tensor<T>]| -> u64 { x.iter().map(|x| bytes(x.numel(), size_of::<T>())).sum() };
        let indices =
            arena.parents(ran.first).iter().filter(|&&p| arena.place_of_integers(p).is_some());
        let indices: usize = indices.map(|&p| arena.shape(p).numel()).sum();
        let mut read = all(ran.inputs) + bytes(indices, size_of::<i64>());
        let mut written = all(ran.values)
            + ran.integers.map_or(0, |integers| bytes(integers.numel(), size_of::<i64>()));
        if let [y] = ran.values
            && ran.inputs.iter().any(|x| x.storage_id() == y.storage_id())
        {
            (read, written) = (0, 0);
        }
        let last = ran.id;
        let charged_to = notes.note_of(last).rule_of();
        let row = ProfileRow {
            ops,
            scope: notes.path_of(last),
            charged_to: charged_to
                .map(|node| Charged { node: node as usize, op: arena.op_name(node) }),
            start: ran.begun - self.origin,
            time: ran.ended - ran.begun,
            read,
            written,
            again: nodes.iter().any(|&id| arena.nodes[id as usize].has(RELEASED)),
            accumulates: false,
            nodes: nodes.into_iter().map(|id| id as usize).collect(),
        };
        self.push(row, ran.ended);
    }

    /// Records the addition of a cotangent in place: two numbers are read for each number that is
    /// written.
    pub fn addition<T: Float>(
        &mut self,
        tape: &Tape<T>,
        notes: &Notes,
        to: u32,
        begun: Instant,
        bytes: u64,
    ) {
        let ended = Instant::now();
        let node = notes.current_rule().unwrap_or(to);
        let op = tape.arena.borrow().op_name(node);
        let row = ProfileRow {
            nodes: vec![],
            ops: vec!["add".into()],
            scope: notes.path_of(node),
            charged_to: Some(Charged { node: node as usize, op }),
            start: begun - self.origin,
            time: ended - begun,
            read: 2 * bytes,
            written: bytes,
            again: false,
            accumulates: true,
        };
        self.push(row, ended);
    }

    fn push(&mut self, row: ProfileRow, ended: Instant) {
        self.rows.push(row);
        self.own += ended.elapsed();
    }
}

impl<T: Float> Arena<T> {
    /// Returns the nodes that a kernel computes, which is about to give these nodes their values. Nodes
    /// that are fused with them are included.
    fn computed_with(&self, id: u32, first: u32, outputs: u32) -> Vec<u32> {
        let mut nodes: Vec<u32> =
            if outputs > 0 { (first..first + outputs).collect() } else { vec![id] };
        let op = self.nodes[id as usize].op;
        let mut look = vec![];
        if op.opcode().is_some() || op == Op::Reduce(Reduce::Sum) {
            look.extend_from_slice(self.parents(id));
        }
        while let Some(p) = look.pop() {
            let of = self.nodes[p as usize].op;
            if !self.is_computed(p) && of.opcode().is_some() && !nodes.contains(&p) {
                nodes.push(p);
                look.extend_from_slice(self.parents(p));
            }
        }
        nodes.sort_unstable();
        nodes
    }
}
