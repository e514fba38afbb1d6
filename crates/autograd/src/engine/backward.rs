//! The gradients of a variable: as tensors, or as variables of the same tape.

use super::gradients::{Gradients, NotFinite};
use super::hooks::Hooks;
use super::walk::{Aim, Walk};
use crate::graph::{ACTIVE, NodeSet, Op, RETAINED, RunKind, TINY, Tape, Var};
use crate::module::{Module, ParamId, each_param, is_finite};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use wengert_tensor::{Float, Shape, Tensor, per_type};

impl<'t, T: Float> Var<'t, T> {
    /// Returns the gradients of this scalar as tensors. Ends the tape's history: values that were not
    /// requested with [`value`](Var::value) are dropped, and parameters can be updated in place.
    ///
    /// # Panics
    /// If this variable is not a scalar (use [`backward_from`](Var::backward_from) with a seed), depends
    /// on no watched variable or trainable parameter, or the history has ended already.
    #[track_caller]
    pub fn backward(self) -> Gradients<T> {
        self.check_scalar("backward");
        self.gradients("backward", None, false)
    }

    /// Computes gradients as [`backward`](Var::backward), and returns an error if one is not finite. The
    /// loss may be finite even then, and the check keeps such gradients away from the weights. Each
    /// gradient is checked when it is complete, while it is still in the CPU cache.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let w = Param::new(Tensor::from([0.0f32, 4.0]));
    /// let tape = Tape::new();
    /// let loss = tape.param(&w).sqrt().sum_all();
    /// assert_eq!(loss.item(), 2.0);
    /// // The slope of the root is infinite at 0.
    /// assert_eq!(loss.backward_checked().err().unwrap().params, [w.id()]);
    /// ```
    ///
    /// # Errors
    /// If the gradient of a parameter or of a watched variable contains a NaN or an infinity.
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_checked(self) -> Result<Gradients<T>, NotFinite> {
        self.checked(None)
    }

    #[track_caller]
    pub(crate) fn checked(
        self,
        hooks: Option<&mut Hooks<'_, 't, T>>,
    ) -> Result<Gradients<T>, NotFinite> {
        self.check_scalar("backward_checked");
        let mut bad = Vec::new();
        let gradients =
            self.gradients_with("backward_checked", None, false, None, hooks, &mut |id, g| {
                if !is_finite(g) {
                    bad.push(id);
                }
            });
        if bad.is_empty() {
            return Ok(gradients);
        }
        let bound = self.tape.params.borrow();
        let params = bad.iter().filter_map(|&node| bound.at(node)?.param());
        let mut params: Vec<_> = params.collect();
        params.sort_unstable();
        let watched = bad.len() - params.len();
        Err(NotFinite { params, watched })
    }

    /// Computes gradients as [`backward`](Var::backward), and keeps the history, so that gradients can
    /// be computed again.
    ///
    /// # Panics
    /// Under the conditions of [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_retain(self) -> Gradients<T> {
        self.check_scalar("backward_retain");
        self.gradients("backward_retain", None, true)
    }

    /// Computes gradients as [`backward`](Var::backward), for the parameters of one model only.
    /// Gradients of other parameters and of watched variables are not computed. For example, the
    /// training step of a generator passes through the discriminator and does not need the gradients of
    /// its weights.
    ///
    /// ```
    /// use wengert::autograd::{Param, Tape};
    /// use wengert::tensor::Tensor;
    /// let (generator, critic) = (Param::new(Tensor::scalar(2.0)), Param::new(Tensor::scalar(3.0)));
    /// let tape = Tape::<f32>::new();
    /// let loss = (tape.param(&generator) * tape.param(&critic)).square();
    /// let gradients = loss.backward_for(&generator);
    /// assert_eq!(gradients.get(&generator).unwrap().item(), 36.0);
    /// assert!(gradients.get(&critic).is_none());
    /// ```
    ///
    /// # Panics
    /// If this variable depends on no trainable parameter of the model, or under the conditions of
    /// [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_for(self, model: &dyn Module) -> Gradients<T> {
        self.for_model(model, None)
    }

    #[track_caller]
    pub(crate) fn for_model(
        self,
        model: &dyn Module,
        hooks: Option<&mut Hooks<'_, 't, T>>,
    ) -> Gradients<T> {
        self.check_scalar("backward_for");
        let mut targets = Vec::new();
        let bound = self.tape.params.borrow();
        each_param::<T>(model, |_, param| targets.extend(bound.of(param.id())));
        drop(bound);
        let mut targets: Vec<u32> = targets
            .into_iter()
            .filter(|b| !b.is_frozen() && b.node <= self.id)
            .map(|b| b.node)
            .collect();
        targets.sort_unstable();
        self.gradients_with("backward_for", None, false, Some(&targets), hooks, &mut |_, _| ())
    }

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

    /// Returns the gradients of Σ seed · self, for a variable of any shape. They are the vector-Jacobian
    /// product.
    ///
    /// # Panics
    /// If the shape of the seed differs, or under the conditions of [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_from(self, seed: Tensor<T>) -> Gradients<T> {
        self.check_seed("backward_from", seed.shape());
        self.gradients("backward_from", Some(seed), false)
    }

    /// Returns the gradients of this scalar with respect to some variables, as variables of the same
    /// tape. They can be differentiated again, to any order. Computes only what these gradients need.
    ///
    /// # Panics
    /// If this variable is not a scalar, or does not depend on one of `wrt`.
    #[track_caller]
    pub fn grad(self, wrt: &[Self]) -> Vec<Self> {
        self.all_found(self.scalar_grad(wrt, None))
    }

    /// Returns the gradients of Σ seed · self as [`grad`](Var::grad) does, for a variable of any shape.
    /// The seed is also a variable. [`transforms::vjp`](crate::transforms::vjp) takes several values.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([1.0f64, 2.0]));
    /// let seed = tape.watch(Tensor::from([1.0f64, 10.0]));
    /// let slope = x.square().grad_from(seed, &[x])[0]; // 2·x·seed
    /// assert_eq!(slope.value().to_vec(), [2.0, 40.0]);
    /// assert_eq!(slope.sum_all().grad(&[seed])[0].value().to_vec(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the shape of the seed differs, or this variable does not depend on one of `wrt`.
    #[track_caller]
    pub fn grad_from(self, seed: Self, wrt: &[Self]) -> Vec<Self> {
        self.tape.same_tape("grad_from", seed.tape);
        self.check_seed("grad_from", seed.shape());
        self.all_found(Var::grad_of(&[self], &[seed], wrt))
    }

    /// Returns gradients as [`grad`](Var::grad), and zeros with respect to variables that this scalar
    /// does not depend on.
    ///
    /// # Panics
    /// If this variable is not a scalar, or was computed from one of `wrt` that is a constant.
    #[track_caller]
    pub fn grad_or_zero(self, wrt: &[Self]) -> Vec<Self> {
        self.or_zero(self.scalar_grad(wrt, None), wrt)
    }

    #[track_caller]
    pub(crate) fn check_seed(self, op: &str, given: Shape) {
        let shape = self.shape();
        if shape != given {
            self.tape.fail(format!(
                "{op}: the seed and the value must have the same shape, got {given} and {shape}"
            ))
        }
    }

    #[track_caller]
    pub(crate) fn or_zero(self, found: Vec<Option<Self>>, wrt: &[Self]) -> Vec<Self> {
        let mut all = Vec::with_capacity(wrt.len());
        let mut sources = None;
        for (i, (g, x)) in found.into_iter().zip(wrt).enumerate() {
            let mut is_source = || {
                let sources = sources.get_or_insert_with(|| self.tape.sources(self.id));
                x.id <= self.id && sources.contains(x.id)
            };
            if g.is_none() && !x.is_active() && is_source() {
                self.tape.fail(format!(
                    "grad_or_zero: this value was computed from variable {i} of {}, which is a \
                     constant, so that its gradient is unknown: create the variable with watch()",
                    wrt.len()
                ))
            }
            all.push(g.unwrap_or_else(|| self.tape.zeros(&x.shape())));
        }
        all
    }

    #[track_caller]
    pub(crate) fn check_scalar(self, op: &str) {
        let shape = self.shape();
        if shape.numel() != 1 {
            self.tape.fail(format!(
                "{op}: the value must have one element, got shape {shape}: reduce it with \
                 sum_all() or mean_all(), or pass a seed to backward_from()"
            ))
        }
    }

    /// Returns the gradients with respect to all leaves as tensors.
    #[track_caller]
    fn gradients(self, op: &str, seed: Option<Tensor<T>>, retain: bool) -> Gradients<T> {
        self.gradients_with(op, seed, retain, None, None, &mut |_, _| ())
    }

    /// Returns the gradients with respect to all leaves, or to the given ones, which are in ascending
    /// order. Calls `see` with each gradient as soon as it is complete.
    #[track_caller]
    pub(crate) fn gradients_with(
        self,
        op: &str,
        seed: Option<Tensor<T>>,
        retain: bool,
        only: Option<&[u32]>,
        hooks: Option<&mut Hooks<'_, 't, T>>,
        see: &mut dyn FnMut(u32, &Tensor<T>),
    ) -> Gradients<T> {
        let y = self;
        per_type!(
            <'t: 'a, 'h: 'a, 'a> Var::gradients_with_here as (
                y: Var<'t, T>,
                op: &'a str,
                seed: Option<Tensor<T>>,
                retain: bool,
                only: Option<&'a [u32]>,
                hooks: Option<&'a mut Hooks<'h, 't, T>>,
                see: &'a mut (dyn FnMut(u32, &Tensor<T>) + 'a),
            ) -> Gradients<T>
        )
    }

    #[track_caller]
    fn gradients_with_here(
        self,
        op: &str,
        seed: Option<Tensor<T>>,
        retain: bool,
        only: Option<&[u32]>,
        hooks: Option<&mut Hooks<'_, 't, T>>,
        see: &mut dyn FnMut(u32, &Tensor<T>),
    ) -> Gradients<T> {
        let tape = self.tape;
        tape.check_history(op);
        // With `only`, the walk visits the nodes between these leaves and the loss.
        let between = match only {
            None => None,
            Some([]) => tape.fail(depends_on_nothing(op)),
            Some(targets) => Some(tape.depends(targets, [self.id].into_iter(), self.id)),
        };
        if !self.is_active() {
            tape.fail(depends_on_nothing(op))
        }
        if let Some(hooks) = &hooks {
            hooks.check_reached(op, self.id, between.as_ref());
        }
        if retain {
            drop(tape.force(self.id));
        } else {
            if tape.walks.get() > 0 {
                let (caller, instead) = if tape.in_hook.get() {
                    ("a hook", "grad()")
                } else {
                    ("a derivative rule", "grad() or backward_retain()")
                };
                tape.fail(format!(
                    "{op}: {caller} called {op}(), which would end the history that the running \
                     gradient computation needs: call {instead} instead"
                ))
            }
            drop(self.retained_value());
            tape.arena.borrow_mut().close_since(0);
        }
        let seed = seed.unwrap_or_else(|| Tensor::full_of(&self.shape(), T::of(1.0)));
        let mut walk = Walk::new(tape, Aim::Numbers { retain }, SmallVec::new(), self.id);
        if let Some(hooks) = &hooks {
            walk.hook(&hooks.nodes(self.id));
        }
        walk.seed(self.id, seed);
        let mut leaves = HashMap::new();
        walk.run(
            |arena, id| match &between {
                None => arena.nodes[id as usize].has(ACTIVE),
                Some(between) => between.contains(id),
            },
            hooks,
            |id, op, g| {
                if matches!(op, Op::Leaf) {
                    let g = tape.force(g.id);
                    see(id, &g);
                    leaves.insert(id, g);
                }
            },
        );
        drop(walk);
        tape.check_walk();
        if leaves.is_empty() {
            tape.fail(depends_on_nothing(op));
        }
        if !retain {
            tape.end_history();
        }
        tape.arena.borrow().check_invariants(tape.walks.get() > 0);
        Gradients::new(tape, leaves, only.is_some())
    }

    /// Returns one gradient for each variable, or fails if one is missing.
    #[track_caller]
    pub(crate) fn all_found(self, found: Vec<Option<Self>>) -> Vec<Self> {
        if let Some(i) = found.iter().position(Option::is_none) {
            self.tape.fail(format!(
                "grad: this value does not depend on variable {i} of {}: if the variable is a \
                 constant or a detached value, create it with watch(); grad_or_zero() returns \
                 zeros",
                found.len()
            ))
        }
        found.into_iter().flatten().collect()
    }

    /// Returns the gradients of this scalar as variables; `None` for a variable on which it does not depend.
    #[track_caller]
    pub(crate) fn scalar_grad(
        self,
        wrt: &[Self],
        hooks: Option<&mut Hooks<'_, 't, T>>,
    ) -> Vec<Option<Self>> {
        self.check_scalar("grad");
        self.tape.check_history("grad"); // must run before the seed is recorded
        Var::grad_through(&[self], &[self.tape.ones(&self.shape())], wrt, hooks)
    }

    /// Returns the gradients of Σ seed · result over several results of any shape; `None` for a variable
    /// on which no result depends.
    #[track_caller]
    pub(crate) fn grad_of(results: &[Self], seeds: &[Self], wrt: &[Self]) -> Vec<Option<Self>> {
        Var::grad_through(results, seeds, wrt, None)
    }

    #[track_caller]
    pub(crate) fn grad_through(
        results: &[Self],
        seeds: &[Self],
        wrt: &[Self],
        hooks: Option<&mut Hooks<'_, 't, T>>,
    ) -> Vec<Option<Self>> {
        per_type!(
            <'t: 'a, 'h: 'a, 'a> Var::grad_through_here as (
                results: &'a [Var<'t, T>],
                seeds: &'a [Var<'t, T>],
                wrt: &'a [Var<'t, T>],
                hooks: Option<&'a mut Hooks<'h, 't, T>>,
            ) -> Vec<Option<Var<'t, T>>>
        )
    }

    #[track_caller]
    fn grad_through_here(
        results: &[Self],
        seeds: &[Self],
        wrt: &[Self],
        hooks: Option<&mut Hooks<'_, 't, T>>,
    ) -> Vec<Option<Self>> {
        let mut found = vec![None; wrt.len()];
        let Some(tape) = results.first().map(|y| y.tape) else { return found };
        tape.check_history("grad");
        for x in wrt {
            tape.same_tape("grad", x.tape);
        }
        let active = |(y, _): &(&Self, &Self)| y.is_active();
        let seeded: Vec<_> = results.iter().zip(seeds).filter(active).collect();
        let top = seeded.iter().map(|(y, _)| y.id).max();
        let within = |id: &u32| top.is_some_and(|top| *id <= top);
        let mut targets: SmallVec<[u32; 8]> = wrt.iter().map(|x| x.id).filter(within).collect();
        targets.sort_unstable();
        targets.dedup();
        let (Some(top), false) = (top, targets.is_empty()) else {
            if let Some(hooks) = &hooks {
                hooks.check_reached("grad", 0, Some(&NodeSet::up_to(0)));
            }
            return found;
        };
        let mut gradients = vec![None; targets.len()];
        let sought = targets.clone();
        let place = |id: u32| sought.binary_search(&id).ok();
        let depends = tape.depends(&targets, seeded.iter().map(|(y, _)| y.id), top);
        if let Some(hooks) = &hooks {
            hooks.check_reached("grad", top, Some(&depends));
        }
        let mut walk = Walk::new(tape, Aim::Variables, targets, top);
        if let Some(hooks) = &hooks {
            walk.hook(&hooks.nodes(top));
        }
        for (y, seed) in seeded {
            if depends.contains(y.id) {
                walk.seed_variable(y.id, *seed);
            }
        }
        walk.run(
            |_, id| depends.contains(id),
            hooks,
            |id, _, g| {
                if let Some(place) = place(id) {
                    gradients[place] = Some(g);
                }
            },
        );
        drop(walk);
        tape.check_walk();
        for (found, x) in found.iter_mut().zip(wrt) {
            *found = place(x.id).and_then(|place| gradients[place]);
        }
        if tape.walks.get() == 0 {
            let given = gradients.iter().zip(&sought);
            let given = given.filter_map(|(gradient, &of)| Some((gradient.as_ref()?.id, of)));
            tape.arena.borrow_mut().gradients.extend(given);
        }
        tape.arena.borrow().check_invariants(tape.walks.get() > 0);
        found
    }
}

fn depends_on_nothing(op: &str) -> String {
    format!(
        "{op}: this value depends on no trainable parameter and on no watched variable: unfreeze \
         a parameter, or create an input with watch()"
    )
}

impl<T: Float> Tape<T> {
    #[track_caller]
    pub(crate) fn check_history(&self, op: &str) {
        if self.in_hook.get() && !self.recording.get() {
            self.fail(format!(
                "{op}: a hook of backward() called {op}(), but backward() records no history: \
                 call {op}() before backward(), or compute the gradients with hooks().grad()"
            ))
        }
        if self.replay_incomplete.get() {
            self.fail(format!(
                "{op}: the last replay failed, so that some values are new and others are \
                 missing: call replay() again with valid values"
            ))
        }
        if self.arena.borrow().ended > 0 {
            self.fail(format!(
                "{op}: an earlier backward() ended the history of this tape: use \
                 backward_retain() for the earlier call"
            ))
        }
        if self.run_kind == RunKind::Inference {
            self.fail(format!(
                "{op}: this tape records no history: create the tape with Tape::new(), \
                 Tape::eval() or Tape::train()"
            ))
        }
    }

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
    fn sources(&self, top: u32) -> NodeSet {
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

    /// Drops every value except given, requested and tiny values. Parameters, buffers and large views of
    /// them are read from the model: no remaining value shares their memory, unless the user gave it to
    /// the tape. The optimizer can therefore update them in place while the tape is alive.
    fn end_history(&self) {
        let arena = &mut *self.arena.borrow_mut();
        arena.ended = arena.len();
        let mut memory = HashSet::new();
        let bound = self.params.borrow();
        for binding in bound.iter() {
            let value = &mut arena.values[binding.node as usize];
            if let Some(x) = value.take() {
                memory.insert(x.storage_id());
                *value = (x.numel() <= TINY).then(|| x.copied());
            }
        }
        if !arena.wholes.is_empty() {
            for (id, node) in arena.nodes.iter().enumerate() {
                if let Some(place) = arena.place_of_whole(id as u32)
                    && !node.op.is_given()
                    && !node.has(RETAINED)
                {
                    arena.wholes[place as usize] = None;
                }
            }
        }
        for (node, value) in arena.nodes.iter().zip(&mut arena.values) {
            let Some(x) = value else { continue };
            if node.op.is_given() {
                continue;
            }
            if !node.has(RETAINED) {
                *value = None;
            } else if memory.contains(&x.storage_id()) {
                *value = (x.numel() <= TINY).then(|| x.copied());
            }
        }
    }
}
