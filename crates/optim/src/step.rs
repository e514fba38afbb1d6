//! The step of all optimizers: a walk over the parameters and buffers of a model.

use crate::base::ParamState;
use crate::group::Groups;
use crate::update_error::UpdateError;
use crate::update_rule::{InvalidHyperparameter, UpdateRule};
use smallvec::SmallVec;
use std::collections::HashMap;
use wengert_autograd::{Buffer, Gradients, Module, Param, ParamId, Path, StateKind};
use wengert_tensor::{Float, Program, Tensor};

#[track_caller]
pub(crate) fn step<T: Float, R: UpdateRule<T>>(
    rule: &mut R,
    model: &mut dyn Module,
    gradients: &Gradients<T>,
) -> Result<(), UpdateError> {
    check(model, gradients, rule.base().allow_missing)?;
    let mut moved = MovedOut::from(rule);
    moved.groups.assign::<T>(model);
    let MovedOut { rule, states, groups } = &mut moved;
    // Parameters with the same number of steps and the same hyperparameters share a program.
    let mut plans: SmallVec<[StepPlan<T>; 2]> = SmallVec::new();
    for combination in 0..groups.combinations() {
        let rule = groups.applied(&mut **rule, combination);
        if let Some(invalid) = InvalidHyperparameter::of(&*rule) {
            invalid.panic(&*rule)
        }
        let (in_use, initial) = (rule.slots_in_use(), T::of(rule.initial()));
        plans.push(StepPlan { in_use, initial, program: None });
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
        let combination = groups.combination_of(param.id());
        let StepPlan { in_use, initial, program } = &mut plans[combination];
        let in_use = *in_use;
        let own = states.entry(param.id()).or_insert_with(|| ParamState::new(param));
        own.steps += 1;
        updated += 1;
        let (shape, t) = (param.shape(), own.steps);
        let first = own.slots.len() < in_use;
        if first {
            own.slots.resize_with(in_use, || Tensor::full_of(&shape, *initial));
        }
        let (_, program) = match program {
            Some(known) if known.0 == (t, first) => known,
            other => {
                let rule = groups.applied(&mut **rule, combination);
                let program = if first { rule.first_program(t) } else { rule.program(t) };
                other.insert(((t, first), program))
            }
        };
        param.update(|value| {
            let mut targets: SmallVec<[&mut Tensor<T>; 4]> = SmallVec::new();
            targets.push(value);
            targets.extend(&mut own.slots[..in_use]);
            program.update(&mut targets, &[gradient]);
        });
    });
    // The other entries belong to parameters of another module, to frozen parameters, or to dropped ones.
    if states.len() > updated {
        states.retain(|_, own| own.param.is_alive());
    }
    Ok(())
}

/// The values that a step needs for one set of hyperparameters.
struct StepPlan<T: Float> {
    in_use: usize,
    initial: T,
    /// The last program with its key: the number of steps, and whether state tensors are used for the first
    /// time.
    program: Option<((u64, bool), Program)>,
}

/// The state and the groups of a rule, moved out so that the rule can be borrowed while they are mutated.
/// `drop` moves them back, also during a panic.
struct MovedOut<'r, T: Float, R: UpdateRule<T>> {
    rule: &'r mut R,
    states: HashMap<ParamId, ParamState<T>>,
    groups: Groups,
}

impl<'r, T: Float, R: UpdateRule<T>> From<&'r mut R> for MovedOut<'r, T, R> {
    fn from(rule: &'r mut R) -> Self {
        let states = std::mem::take(&mut rule.base_mut().states);
        let groups = std::mem::take(&mut rule.base_mut().groups);
        MovedOut { rule, states, groups }
    }
}

impl<T: Float, R: UpdateRule<T>> Drop for MovedOut<'_, T, R> {
    fn drop(&mut self) {
        let base = self.rule.base_mut();
        base.states = std::mem::take(&mut self.states);
        base.groups = std::mem::take(&mut self.groups);
    }
}

/// Returns the name of a parameter for messages.
fn name(path: &Path<'_>) -> String {
    path.name_or("the parameter itself")
}

/// Returns the reason why a step is not possible: a gradient that does not fit its parameter, or a counter
/// that would overflow.
fn check<T: Float>(
    model: &dyn Module,
    gradients: &Gradients<T>,
    allow_missing: bool,
) -> Result<(), UpdateError> {
    let (mut foreign, mut missing, mut misshaped) = (Vec::new(), Vec::new(), Vec::new());
    let (mut stale, mut were_frozen) = (Vec::new(), Vec::new());
    let mut found = 0;
    model.visit(&Path::root(), &mut |path, state| {
        if state.kind() != StateKind::Param || state.frozen() {
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
                    misshaped.push(format!("{} (gradient {has}, parameter {wanted})", name(path)));
                }
                if gradients.is_stale(param) && !gradients.allows_stale() {
                    stale.push(name(path));
                }
            }
        }
    });
    if !foreign.is_empty() {
        return Err(UpdateError::ElementType { gradients: T::DTYPE, parameters: foreign });
    }
    if !misshaped.is_empty() {
        return Err(UpdateError::Shape { parameters: misshaped });
    }
    if !stale.is_empty() {
        return Err(UpdateError::Stale { parameters: stale });
    }
    if !were_frozen.is_empty() {
        return Err(UpdateError::WasFrozen { parameters: were_frozen });
    }
    if let Some(counter) = gradients.full_counter(model) {
        return Err(UpdateError::Counter { counter });
    }
    let parameters = missing;
    if parameters.is_empty() {
        Ok(())
    } else if found > 0 || gradients.is_empty() {
        Err(UpdateError::Missing { parameters })
    } else {
        Err(UpdateError::OtherModel { parameters })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Adam, Optimizer, Sgd, UpdateRule};
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
    fn the_state_of_a_parameter_follows_it_within_the_model() {
        let mut model = vec![param([1.0, 2.0]), param([3.0, 4.0]), param([5.0, 6.0])];
        let mut sgd = Sgd::new(1.0).momentum(0.5);
        step(&mut sgd, &mut model);
        step(&mut sgd, &mut model);
        assert_eq!(model[1].value().to_vec(), [0.5, 1.5]); // 1, then 1.5
        assert_eq!(sgd.base().states.len(), 3);

        // The state survives moving a parameter and setting its value.
        model.swap(0, 2);
        model[1].set(Tensor::zeros(&[2]));
        step(&mut sgd, &mut model);
        assert_eq!(model[1].value().to_vec(), [-1.75, -1.75]);
        assert_eq!(sgd.base().states.len(), 3);

        // A parameter that replaces another starts with a new momentum buffer.
        model[1] = param([0.0, 0.0]);
        step(&mut sgd, &mut model);
        assert_eq!(model[1].value().to_vec(), [-1.0, -1.0]);
        assert_eq!(sgd.base().states.len(), 3);
        assert_eq!(steps(&sgd, &model), [4, 1, 4]);

        // The next step removes the state of a removed parameter.
        model.truncate(1);
        assert_eq!(sgd.base().states.len(), 3);
        step(&mut sgd, &mut model);
        assert_eq!(sgd.base().states.len(), 1);
        // A clone is another parameter, with new state.
        model = model.clone();
        step(&mut sgd, &mut model);
        assert_eq!(sgd.base().states.len(), 1);
        assert_eq!(steps(&sgd, &model), [1]);
    }

    #[test]
    fn a_step_of_one_model_keeps_the_state_of_other_models() {
        let (mut a, mut b) = (vec![param([0.0, 0.0])], vec![param([0.0, 0.0]), param([0.0, 0.0])]);
        let mut sgd = Sgd::new(1.0).momentum(0.5);
        step(&mut sgd, &mut b);
        for _ in 0..3 {
            step(&mut sgd, &mut a);
        }
        step(&mut sgd, &mut b);
        assert_eq!(b[0].value().to_vec(), [-2.5, -2.5]); // 1, then 1.5
        assert_eq!(sgd.base().states.len(), 3);
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
        assert_eq!(sgd.base().states.len(), 1);
    }

    /// θ ← θ + t (θ' − θ) keeps the identities of the parameters: restoring a snapshot keeps the momentum.
    #[test]
    fn copying_values_into_a_model_keeps_its_state() {
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
        assert_eq!(sgd.base().states.len(), 1);
    }

    #[test]
    fn a_loaded_state_follows_its_parameters() {
        let mut model = vec![param([0.0, 0.0]), param([0.0, 0.0])];
        let mut adam = Adam::new(0.1);
        step(&mut adam, &mut model);
        let state = adam.state_dict(&model);
        let mut other = Adam::new(0.5);
        other.load_state_dict(&model, &state).unwrap();
        assert_eq!(other.base().states.len(), 2);
        model.pop();
        step(&mut other, &mut model);
        assert_eq!(other.base().states.len(), 1);
        assert_eq!(steps(&other, &model), [2]);
    }
}
