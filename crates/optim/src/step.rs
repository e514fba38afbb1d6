//! The step of all optimizers: a walk over the parameters and buffers of a model.

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
    // Parameters with the same number of steps and the same hyperparameters share a program.
    let mut kinds: SmallVec<[KindOfStep<T>; 2]> = SmallVec::new();
    for kind in 0..groups.kinds() {
        let rule = groups.applied(&mut **rule, kind);
        if let Some(invalid) = Invalid::of(&*rule) {
            invalid.panic(&*rule)
        }
        let (in_use, initial) = (rule.slots_in_use(), T::of(rule.initial()));
        kinds.push(KindOfStep { in_use, initial, program: None });
    }
    let mut updated = 0;
    // Each parameter is visited once: the `&mut` references of the walk cannot alias.
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
        let memory = memories.entry(param.id()).or_insert_with(|| Memory::new(param));
        memory.steps += 1;
        updated += 1;
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
    // The other entries belong to parameters of another module, to frozen parameters, or to dropped ones.
    if memories.len() > updated {
        memories.retain(|_, memory| memory.param.is_alive());
    }
}

/// The values that a step needs for one set of hyperparameters.
struct KindOfStep<T: Float> {
    in_use: usize,
    initial: T,
    /// The last program with its key: the number of steps, and whether state tensors are used for the first
    /// time.
    program: Option<((u64, bool), Program)>,
}

/// The state and the groups of a rule, moved out so that the rule can be borrowed while they are mutated.
/// `drop` moves them back, also during a panic.
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

/// Returns the name of a parameter for messages.
fn name(path: &Path<'_>) -> String {
    path.name_or("the parameter itself")
}

/// Panics if a gradient does not fit its parameter, or if a counter would overflow. Nothing has been
/// modified yet.
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

#[cfg(test)]
mod tests {
    use crate::{Adam, Optimizer, Rule, Sgd};
    use wengert_autograd::{Module, Param, Tape};
    use wengert_tensor::Tensor;

    fn param(values: [f32; 2]) -> Param {
        Param::new(Tensor::from(values))
    }

    /// Takes a step with gradients that are all 1.
    #[allow(clippy::ptr_arg)] // a slice is no `dyn Module`
    fn step(optimizer: &mut dyn Optimizer, model: &mut Vec<Param>) {
        let tape = Tape::new();
        let sums = model.iter().map(|param| tape.param(param).sum_all());
        let gradients = sums.reduce(|sum, next| sum + next).unwrap().backward();
        optimizer.step(model, &gradients);
    }

    /// Returns the number of updates of each parameter.
    #[allow(clippy::ptr_arg)] // likewise
    fn steps(optimizer: &dyn Optimizer, model: &Vec<Param>) -> Vec<i64> {
        let state = optimizer.state_dict(model);
        let steps = (0..model.len()).map(|i| state.get(&format!("step.{i}")).unwrap());
        steps.map(|steps| steps.cast::<i64>().item()).collect()
    }

    #[test]
    fn what_is_remembered_goes_with_its_parameter() {
        let mut model = vec![param([1.0, 2.0]), param([3.0, 4.0]), param([5.0, 6.0])];
        let mut sgd = Sgd::new(1.0).momentum(0.5);
        step(&mut sgd, &mut model);
        step(&mut sgd, &mut model);
        assert_eq!(model[1].value().to_vec(), [0.5, 1.5]); // 1, then 1.5
        assert_eq!(sgd.base().memories.len(), 3);

        // The state survives moving a parameter and setting its value.
        model.swap(0, 2);
        model[1].set(Tensor::zeros(&[2]));
        step(&mut sgd, &mut model);
        assert_eq!(model[1].value().to_vec(), [-1.75, -1.75]);
        assert_eq!(sgd.base().memories.len(), 3);

        // A parameter that replaces another starts with a new momentum buffer.
        model[1] = param([0.0, 0.0]);
        step(&mut sgd, &mut model);
        assert_eq!(model[1].value().to_vec(), [-1.0, -1.0]);
        assert_eq!(sgd.base().memories.len(), 3);
        assert_eq!(steps(&sgd, &model), [4, 1, 4]);

        // The next step removes the state of a removed parameter.
        model.truncate(1);
        assert_eq!(sgd.base().memories.len(), 3);
        step(&mut sgd, &mut model);
        assert_eq!(sgd.base().memories.len(), 1);
        // A clone is another parameter, with new state.
        model = model.clone();
        step(&mut sgd, &mut model);
        assert_eq!(sgd.base().memories.len(), 1);
        assert_eq!(steps(&sgd, &model), [1]);
    }

    #[test]
    fn a_step_of_one_model_keeps_what_is_remembered_of_others() {
        let (mut a, mut b) = (vec![param([0.0, 0.0])], vec![param([0.0, 0.0]), param([0.0, 0.0])]);
        let mut sgd = Sgd::new(1.0).momentum(0.5);
        step(&mut sgd, &mut b);
        for _ in 0..3 {
            step(&mut sgd, &mut a);
        }
        step(&mut sgd, &mut b);
        assert_eq!(b[0].value().to_vec(), [-2.5, -2.5]); // 1, then 1.5
        assert_eq!(sgd.base().memories.len(), 3);
        // The state survives while a parameter is outside of its model, and while one is frozen.
        let aside = b.pop().unwrap();
        b[0].freeze();
        step(&mut sgd, &mut a);
        b.push(aside);
        b[0].unfreeze();
        step(&mut sgd, &mut b);
        assert_eq!(b[1].value().to_vec(), [-4.25, -4.25]); // then 1.75
        drop(b);
        step(&mut sgd, &mut a);
        assert_eq!(sgd.base().memories.len(), 1);
    }

    /// θ ← θ + t (θ' − θ) keeps the identities of the parameters: restoring a snapshot keeps the momentum.
    #[test]
    fn copies_between_models_leave_what_is_remembered() {
        let mut model = vec![param([0.0, 0.0])];
        let mut sgd = Sgd::new(1.0).momentum(0.5);
        let best = model.clone();
        step(&mut sgd, &mut model);
        model.copy_from(&best);
        step(&mut sgd, &mut model);
        assert_eq!(model[0].value().to_vec(), [-1.5, -1.5]);
        model.lerp_from(&best, 0.5);
        step(&mut sgd, &mut model);
        assert_eq!(model[0].value().to_vec(), [-2.5, -2.5]); // -0.75, less 1.75
        assert_eq!(sgd.base().memories.len(), 1);
    }

    #[test]
    fn a_loaded_state_goes_with_its_parameters_too() {
        let mut model = vec![param([0.0, 0.0]), param([0.0, 0.0])];
        let mut adam = Adam::new(0.1);
        step(&mut adam, &mut model);
        let state = adam.state_dict(&model);
        let mut other = Adam::new(0.5);
        other.load_state_dict(&model, &state).unwrap();
        assert_eq!(other.base().memories.len(), 2);
        model.pop();
        step(&mut other, &mut model);
        assert_eq!(other.base().memories.len(), 1);
        assert_eq!(steps(&other, &model), [2]);
    }
}
