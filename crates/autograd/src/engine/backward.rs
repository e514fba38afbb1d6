//! Gradients as tensors: `backward` and its variants. They differ in a [`BackwardCall`].
//! `grad.rs` has gradients as variables.

use super::gradients::{Gradients, NotFinite};
use super::hooks::Hooks;
use super::walk::{Aim, Walk};
use crate::graph::{ACTIVE, Op, Var};
use crate::module::{Module, each_param, is_finite};
use smallvec::SmallVec;
use wengert_tensor::{Float, Shape, Tensor, per_type};

/// A function that gets the node of a leaf and its gradient.
type OnGradient<'a, T> = &'a mut dyn FnMut(u32, &Tensor<T>);

/// The arguments of [`Var::run_backward`].
pub(crate) struct BackwardCall<'a, 'h, 't, T: Float> {
    /// The method that the user called, for messages.
    pub op: &'static str,
    /// The initial cotangent. The default is 1, for a scalar.
    pub seed: Option<Tensor<T>>,
    /// Whether the history is kept.
    pub retain: bool,
    /// The leaves whose gradients are computed, in ascending order. The default is all leaves.
    pub only: Option<&'a [u32]>,
    pub hooks: Option<&'a mut Hooks<'h, 't, T>>,
    /// Called with each gradient as soon as it is complete.
    pub see: Option<OnGradient<'a, T>>,
}

impl<T: Float> BackwardCall<'_, '_, '_, T> {
    pub(crate) fn new(op: &'static str) -> Self {
        BackwardCall { op, seed: None, retain: false, only: None, hooks: None, see: None }
    }
}

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
        self.run_backward(BackwardCall::new("backward"))
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
        let mut see = |id, g: &Tensor<T>| {
            if !is_finite(g) {
                bad.push(id);
            }
        };
        let see = Some(&mut see as OnGradient<'_, T>);
        let gradients =
            self.run_backward(BackwardCall { hooks, see, ..BackwardCall::new("backward_checked") });
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
        self.run_backward(BackwardCall { retain: true, ..BackwardCall::new("backward_retain") })
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
        let only = Some(&*targets);
        self.run_backward(BackwardCall { only, hooks, ..BackwardCall::new("backward_for") })
    }

    /// Returns the gradients of Σ seed · self, for a variable of any shape. They are the vector-Jacobian
    /// product.
    ///
    /// # Panics
    /// If the shape of the seed differs, or under the conditions of [`backward`](Var::backward).
    #[track_caller]
    pub fn backward_from(self, seed: Tensor<T>) -> Gradients<T> {
        self.check_seed("backward_from", seed.shape());
        self.run_backward(BackwardCall { seed: Some(seed), ..BackwardCall::new("backward_from") })
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
    pub(crate) fn check_scalar(self, op: &str) {
        let shape = self.shape();
        if shape.numel() != 1 {
            self.tape.fail(format!(
                "{op}: the value must have one element, got shape {shape}: reduce it with \
                 sum_all() or mean_all(), or pass a seed to backward_from()"
            ))
        }
    }

    /// Returns the gradients with respect to leaves, as tensors.
    #[track_caller]
    pub(crate) fn run_backward(self, call: BackwardCall<'_, '_, 't, T>) -> Gradients<T> {
        let y = self;
        per_type!(
            <'t: 'a, 'h: 'a, 'a> Var::run_backward_here as (y: Var<'t, T>, call: BackwardCall<'a, 'h, 't, T>) -> Gradients<T>
        )
    }

    #[track_caller]
    fn run_backward_here(self, call: BackwardCall<'_, '_, 't, T>) -> Gradients<T> {
        let BackwardCall { op, seed, retain, only, hooks, mut see } = call;
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
        let aim = if retain { Aim::RetainingNumbers } else { Aim::Numbers };
        let mut walk = Walk::new(tape, aim, SmallVec::new(), self.id);
        if let Some(hooks) = &hooks {
            walk.hook(&hooks.nodes(self.id));
        }
        walk.seed(self.id, seed);
        // The walk reaches the leaves from the last to the first.
        let mut leaves = Vec::new();
        let mut leaf = |id, g: Var<'t, T>| {
            let g = tape.force(g.id);
            if let Some(see) = &mut see {
                see(id, &g);
            }
            leaves.push((id, g));
        };
        walk.run(
            |arena, id| match &between {
                None => arena.nodes[id as usize].has(ACTIVE),
                Some(between) => between.contains(id),
            },
            hooks,
            #[inline(always)] // it is called for every node
            |id, op, g| {
                if matches!(op, Op::Leaf) {
                    leaf(id, g);
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
}

fn depends_on_nothing(op: &str) -> String {
    format!(
        "{op}: this value depends on no trainable parameter and on no watched variable: unfreeze \
         a parameter, or create an input with watch()"
    )
}
