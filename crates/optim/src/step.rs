//! The walk over a model that all optimizers share.

use crate::base::Memory;
use crate::group::Groups;
use crate::rule::{Invalid, Rule};
use smallvec::SmallVec;
use std::collections::HashMap;
use wengert_autograd::{Buffer, Gradients, Kind, Module, Param, ParamId, Path};
use wengert_tensor::{Float, Program, Tensor};

#[track_caller]
pub(crate) fn step<T: Float, R: Rule<T>>(
    rule: &mut R,
    model: &mut dyn Module,
    gradients: &Gradients<T>,
) {
    check(model, gradients, rule.base().allow_missing);
    let mut lent = Lent::from(rule);
    lent.groups.assign::<T>(model);
    let Lent { rule, memories, groups } = &mut lent;
    // Parameters of one age with the same hyperparameters share a program.
    let mut kinds: SmallVec<[KindOfStep<T>; 2]> = SmallVec::new();
    for kind in 0..groups.kinds() {
        let rule = groups.applied(&mut **rule, kind);
        if let Some(invalid) = Invalid::of(&*rule) {
            invalid.panic(&*rule)
        }
        let (in_use, initial) = (rule.slots_in_use(), T::of(rule.initial()));
        kinds.push(KindOfStep { in_use, initial, program: None });
    }
    // Each is met once: the walk hands out `&mut` for as long as it lasts.
    model.visit_mut(&Path::root(), &mut |_, state| {
        if let Some(buffer) = state.downcast_mut::<Buffer<T>>() {
            gradients.apply_to(buffer);
            return;
        }
        if let Some(counter) = state.downcast_mut::<Buffer<i64>>() {
            gradients.apply_to_counter(counter);
            return;
        }
        let Some(param) = state.downcast_mut::<Param<T>>().filter(|param| !param.frozen()) else {
            return;
        };
        let Some(gradient) = gradients.get(param) else { return };
        let kind = groups.kind_of(param.id());
        let KindOfStep { in_use, initial, program } = &mut kinds[kind];
        let in_use = *in_use;
        let memory = memories.entry(param.id()).or_insert_with(Memory::new);
        memory.steps += 1;
        let (shape, t) = (param.shape(), memory.steps);
        let first = memory.slots.len() < in_use;
        if first {
            memory.slots.resize_with(in_use, || Tensor::full_of(&shape, *initial));
        }
        let (_, program) = match program {
            Some(known) if known.0 == (t, first) => known,
            other => {
                let rule = groups.applied(&mut **rule, kind);
                let program = if first { rule.first_program(t) } else { rule.program(t) };
                other.insert(((t, first), program))
            }
        };
        param.update(|value| {
            let mut targets: SmallVec<[&mut Tensor<T>; 4]> = SmallVec::new();
            targets.push(value);
            targets.extend(&mut memory.slots[..in_use]);
            program.update(&mut targets, &[gradient]);
        });
    });
}

/// What a step needs of one set of hyperparameters.
struct KindOfStep<T: Float> {
    in_use: usize,
    initial: T,
    /// The last program, and for which age of a parameter.
    program: Option<((u64, bool), Program)>,
}

/// What a rule remembers, out of it while its programs are asked for; back in it at the end, also when a
/// panic passes through.
struct Lent<'r, T: Float, R: Rule<T>> {
    rule: &'r mut R,
    memories: HashMap<ParamId, Memory<T>>,
    groups: Groups,
}

impl<'r, T: Float, R: Rule<T>> From<&'r mut R> for Lent<'r, T, R> {
    fn from(rule: &'r mut R) -> Self {
        let memories = std::mem::take(&mut rule.base_mut().memories);
        let groups = std::mem::take(&mut rule.base_mut().groups);
        Lent { rule, memories, groups }
    }
}

impl<T: Float, R: Rule<T>> Drop for Lent<'_, T, R> {
    fn drop(&mut self) {
        let base = self.rule.base_mut();
        base.memories = std::mem::take(&mut self.memories);
        base.groups = std::mem::take(&mut self.groups);
    }
}

/// What a message calls a parameter.
fn name(path: &Path<'_>) -> String {
    path.name_or("the parameter itself")
}

/// Panics if a gradient does not fit its parameter, or a count its counter, before anything has changed.
#[track_caller]
fn check<T: Float>(model: &dyn Module, gradients: &Gradients<T>, allow_missing: bool) {
    let (mut foreign, mut missing, mut misshaped) = (Vec::new(), Vec::new(), Vec::new());
    let (mut stale, mut were_frozen) = (Vec::new(), Vec::new());
    let mut found = 0;
    model.visit(&Path::root(), &mut |path, state| {
        if state.kind() != Kind::Param || state.frozen() {
            return;
        }
        let Some(param) = state.downcast_ref::<Param<T>>() else {
            return foreign.push(format!("{} ({})", name(path), state.dtype()));
        };
        match gradients.get(param) {
            None if allow_missing => {}
            None if gradients.was_frozen(param) => were_frozen.push(name(path)),
            None => missing.push(name(path)),
            Some(gradient) => {
                found += 1;
                let (wanted, has) = (param.shape(), gradient.shape());
                if wanted != has {
                    misshaped.push(format!("{} ({has} instead of {wanted})", name(path)));
                }
                if gradients.is_stale(param) && !gradients.allows_stale() {
                    stale.push(name(path));
                }
            }
        }
    });
    assert!(
        foreign.is_empty(),
        "step: the gradients are of type {}, these parameters are not: {}; model, tape and optimizer \
         must be of one type (`Sgd::<f64>::of(0.1)`)",
        T::DTYPE,
        foreign.join(", ")
    );
    assert!(
        misshaped.is_empty(),
        "step: gradients of the wrong shape: {}; what changes a gradient must keep its shape",
        misshaped.join(", ")
    );
    assert!(
        stale.is_empty(),
        "step: these gradients are stale, {} changed since they were computed (by another step, say): \
         run forward and backward again, or mark them with `.allow_stale()` if the algorithm means it",
        stale.join(", ")
    );
    assert!(
        were_frozen.is_empty(),
        "step: no gradient for {}: they were frozen when the gradients were computed; run forward and \
         backward again, or make the optimizer with `.allow_missing()`",
        were_frozen.join(", ")
    );
    if let Some(full) = gradients.full_counter(model) {
        panic!("step: {full}")
    }
    if missing.is_empty() {
        return;
    }
    let names = missing.join(", ");
    assert!(
        found > 0 || gradients.is_empty(),
        "step: these gradients are of another model, nothing is known of {names}; a clone has \
         parameters of its own"
    );
    panic!(
        "step: no gradient for {names}: the loss does not depend on them; freeze what is not to be \
         trained, or make the optimizer with `.allow_missing()`"
    )
}
