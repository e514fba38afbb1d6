//! Gradients as variables of the same tape, which can be differentiated again: `grad` and its variants.
//! `backward.rs` has gradients as tensors.

use super::hooks::Hooks;
use super::walk::{Aim, Walk};
use crate::graph::{NodeSet, Var};
use smallvec::SmallVec;
use wengert_tensor::{Float, per_type};

/// The arguments of [`Var::run_grad`].
pub(crate) struct GradCall<'a, 'h, 't, T: Float> {
    pub results: &'a [Var<'t, T>],
    /// A seed for each result, of the same shape.
    pub seeds: &'a [Var<'t, T>],
    pub wrt: &'a [Var<'t, T>],
    pub hooks: Option<&'a mut Hooks<'h, 't, T>>,
}

impl<'t, T: Float> Var<'t, T> {
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
        let seeds = &[self.tape.ones(&self.shape())];
        Var::run_grad(GradCall { results: &[self], seeds, wrt, hooks })
    }

    /// Returns the gradients of Σ seed · result over several results of any shape; `None` for a variable
    /// on which no result depends.
    #[track_caller]
    pub(crate) fn grad_of(results: &[Self], seeds: &[Self], wrt: &[Self]) -> Vec<Option<Self>> {
        Var::run_grad(GradCall { results, seeds, wrt, hooks: None })
    }

    /// Returns gradients as [`grad_of`](Var::grad_of), with hooks.
    #[track_caller]
    pub(crate) fn run_grad(call: GradCall<'_, '_, 't, T>) -> Vec<Option<Self>> {
        per_type!(<'t: 'a, 'h: 'a, 'a> Var::run_grad_here as (call: GradCall<'a, 'h, 't, T>) -> Vec<Option<Var<'t, T>>>)
    }

    #[track_caller]
    fn run_grad_here(call: GradCall<'_, '_, 't, T>) -> Vec<Option<Self>> {
        let GradCall { results, seeds, wrt, hooks } = call;
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
