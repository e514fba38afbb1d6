//! Finds the nodes that lie between given variables and results. A walk visits only these nodes.

use crate::graph::{ACTIVE, NodeSet, Tape, Var};
use crate::module::{Module, ParamId, each_param};
use wengert_tensor::Float;

impl<T: Float> Var<'_, T> {
    /// Returns the trainable parameters of a model on which this variable does not depend, in visiting order:
    /// [`backward`](Var::backward) finds no gradient for them. Computes nothing, so that it can be called on a
    /// shape-only tape.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let model = (Param::new(Tensor::scalar(2.0)), Param::new(Tensor::scalar(3.0)));
    /// let tape = Tape::<f32>::new();
    /// let loss = tape.param(&model.0).square() + tape.param(&model.1).detach();
    /// assert_eq!(loss.independent_of(&model), [model.1.id()]);
    /// ```
    pub fn independent_of(self, model: &dyn Module) -> Vec<ParamId> {
        let bound = self.tape.params.borrow();
        let mut all = Vec::new();
        each_param::<T>(model, |_, param| {
            if !param.frozen() {
                let node = bound.of(param.id()).filter(|b| !b.is_frozen()).map(|b| b.node);
                all.push((param.id(), node.filter(|&node| node <= self.id)));
            }
        });
        let mut targets: Vec<u32> = all.iter().filter_map(|(_, node)| *node).collect();
        targets.sort_unstable();
        if !targets.is_empty() {
            let depends = self.tape.depends(&targets, [self.id].into_iter(), self.id);
            all.retain(|(_, node)| !node.is_some_and(|node| depends.contains(node)));
        }
        all.into_iter().map(|(id, _)| id).collect()
    }
}

impl<T: Float> Tape<T> {
    /// Returns the nodes that the results depend on and that depend on a target themselves, including
    /// the targets. The targets are in ascending order. `top` is the last of the results.
    pub(crate) fn depends(
        &self,
        targets: &[u32],
        results: impl Iterator<Item = u32>,
        top: u32,
    ) -> NodeSet {
        let arena = self.arena.borrow();
        let floor = targets[0];
        // Only active nodes keep history: nothing depends on a constant.
        let within = |&p: &u32| p >= floor && arena.nodes[p as usize].has(ACTIVE);
        // An output depends on the operands of its operation, not on the first output.
        let operands = |id: u32| arena.parents(arena.first_output(id)).iter().copied();
        let mut below = NodeSet::up_to(top);
        results.for_each(|y| below.insert(y));
        let mut end = top + 1;
        while let Some(id) = below.last_before(end) {
            operands(id).filter(within).for_each(|p| below.insert(p));
            end = id;
        }
        let mut depends = NodeSet::up_to(top);
        for id in below.ascending() {
            let is_target = targets.binary_search(&id).is_ok();
            if is_target || operands(id).filter(within).any(|p| depends.contains(p)) {
                depends.insert(id);
            }
        }
        depends
    }

    /// Returns the nodes from which the value of node `top` was computed, including those that the
    /// history does not record.
    pub(crate) fn sources(&self, top: u32) -> NodeSet {
        let arena = self.arena.borrow();
        let mut sources = NodeSet::up_to(top);
        sources.insert(top);
        let mut end = top + 1;
        while let Some(id) = sources.last_before(end) {
            if arena.nodes[id as usize].op.is_differentiable() {
                for &p in arena.parents(arena.first_output(id)) {
                    sources.insert(p);
                }
            }
            end = id;
        }
        sources
    }
}
