//! Saving and loading the state of an optimizer as named tensors.

use crate::base::ParamState;
use crate::setting::Setting;
use crate::update_rule::{InvalidHyperparameter, UpdateRule};
use std::collections::HashSet;
use std::fmt;
use wengert_autograd::{Misfit, Module, Param, ParamId, State};
use wengert_tensor::{Dtype, Float, NamedTensors, Tensor};

/// The prefix of the names of the numbers of steps.
const STEP: &str = "step";
/// The key of the optimizer's name in the metadata.
const OPTIMIZER: &str = "optimizer";
/// The key of the learning rate in the metadata.
const LR: &str = "lr";
/// The key in the metadata of the names, one per line, of the state tensors that the hyperparameters
/// require but no step has used yet. Only a state that was saved between a change of the hyperparameters
/// and the next step has such tensors.
const UNUSED: &str = "unused";
/// The key in the metadata of the groups, one per line.
const GROUPS: &str = "groups";

/// The error for a saved state that could not be loaded. It lists all problems.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the saved state does not fit this {optimizer} optimizer and its model:{}",
    ProblemList(problems)
)]
#[non_exhaustive]
pub struct StateError {
    /// The name of the optimizer that should load the state.
    pub optimizer: &'static str,
    /// The problems; at least one.
    pub problems: Vec<StateProblem>,
}

/// A problem of a saved state.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateProblem {
    /// The state belongs to another optimizer, or is not the state of an optimizer.
    #[error("it was saved by {}", found.as_deref().unwrap_or("something that is not an optimizer"))]
    Optimizer {
        /// The name of the optimizer that saved the state, if there is one.
        found: Option<String>,
    },
    /// A hyperparameter is missing.
    #[error("hyperparameter {name}: missing in the metadata")]
    NoSetting {
        /// The name of the hyperparameter.
        name: &'static str,
    },
    /// A hyperparameter has an invalid value.
    #[error("hyperparameter {name}: must be {must}, found {found:?}")]
    Setting {
        /// The name of the hyperparameter.
        name: &'static str,
        /// The value, as written in the metadata.
        found: String,
        /// The condition that the value must meet.
        must: &'static str,
    },
    /// A tensor is missing.
    #[error("missing tensor: {name}")]
    Missing {
        /// The name of the tensor.
        name: String,
    },
    /// A tensor belongs to no parameter of the model.
    #[error("unexpected tensor: {name}")]
    Unexpected {
        /// The name of the tensor.
        name: String,
    },
    /// A tensor has the wrong shape or element type.
    #[error("{name}: {misfit}")]
    Misfit {
        /// The name of the tensor.
        name: String,
        /// The expected and the actual shape and element type.
        misfit: Misfit,
    },
    /// The state belongs to an optimizer with other groups of parameters.
    #[error(
        "it has the groups: {}; this optimizer has the groups: {}",
        listed(saved),
        listed(found)
    )]
    Groups {
        /// The groups of the saved state, one line each.
        saved: Vec<String>,
        /// The groups of the optimizer, one line each.
        found: Vec<String>,
    },
    /// A number of steps is negative.
    #[error("{name}: the number of steps must be at least 0, found {found}")]
    Steps {
        /// The name of the tensor.
        name: String,
        /// The number of steps in the state.
        found: i64,
    },
}

wengert_tensor::debug_is_display!(StateError, StateProblem);

struct ProblemList<'a>(&'a [StateProblem]);
impl fmt::Display for ProblemList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

fn listed(groups: &[String]) -> String {
    if groups.is_empty() { "none".into() } else { groups.join("; ") }
}

/// Returns the name of a tensor, such as `exp_avg.fc1.weight`. `path` is empty if the model is itself a
/// parameter.
fn join(slot: &str, path: &str) -> String {
    if path.is_empty() { slot.into() } else { format!("{slot}.{path}") }
}

/// Returns the name of a parameter for messages.
fn called(path: &str) -> String {
    if path.is_empty() { "the model itself".into() } else { format!("`{path}`") }
}

/// Returns every parameter once, with the first of its names. Frozen parameters are included, because they
/// may have been trained before.
fn parameters<T: Float>(model: &dyn Module) -> Vec<(String, &Param<T>)> {
    let mut seen = HashSet::new();
    let all = model.named_state().into_iter();
    all.filter_map(|(name, state)| Some((name, state.downcast_ref::<Param<T>>()?)))
        .filter(|(_, param)| seen.insert(param.id()))
        .collect()
}

#[track_caller]
pub(crate) fn save<T: Float, R: UpdateRule<T>>(rule: &R, model: &dyn Module) -> NamedTensors {
    let (base, mut out) = (rule.base(), NamedTensors::new());
    let mut unused = Vec::new();
    for (path, param) in parameters::<T>(model) {
        let own = base.states.get(&param.id());
        let steps = own.map_or(0, |own| own.steps);
        let taken = out.insert(join(STEP, &path), Tensor::scalar_of(steps as i64)).is_some();
        assert!(
            !taken,
            "state_dict: two parameters have the same name: {}; names must be unique",
            called(&path)
        );
        for (i, slot) in rule.slots().iter().enumerate() {
            let name = join(slot, &path);
            match own.and_then(|own| own.slots.get(i)) {
                Some(tensor) => drop(out.insert(name, tensor.clone())),
                None if steps > 0 && i < rule.slots_in_use() => unused.push(name),
                None => {}
            }
        }
    }
    if !unused.is_empty() {
        out.metadata.insert(UNUSED.into(), unused.join("\n"));
    }
    if !base.groups.is_empty() {
        out.metadata.insert(GROUPS.into(), base.groups.describe().join("\n"));
    }
    let lr = (LR, Setting::Number(base.learning_rate));
    let settings = std::iter::once(lr).chain(rule.settings());
    out.metadata.extend(settings.map(|(name, value)| (name.into(), value.to_string())));
    out.metadata.insert(OPTIMIZER.into(), rule.name().into());
    out
}

pub(crate) fn load<T: Float, R: UpdateRule<T>>(
    rule: &mut R,
    model: &dyn Module,
    state: &NamedTensors,
) -> Result<(), StateError> {
    let optimizer = rule.name();
    let found = state.metadata.get(OPTIMIZER);
    if found.is_none_or(|found| found != optimizer) {
        let problems = vec![StateProblem::Optimizer { found: found.cloned() }];
        return Err(StateError { optimizer, problems });
    }
    let mut problems = Vec::new();
    // Load the hyperparameters first: the state tensors in use depend on them.
    let before = (rule.base().learning_rate, rule.settings());
    load_settings(rule, state, &mut problems);
    let saved = state.metadata.get(GROUPS).map_or("", String::as_str);
    let (saved, found) = (saved.lines().map(String::from).collect(), rule.base().groups.describe());
    if saved != found {
        problems.push(StateProblem::Groups { saved, found });
    }
    let states = load_states(rule, model, state, &mut problems);
    if problems.is_empty() {
        rule.base_mut().states.extend(states);
        return Ok(());
    }
    rule.base_mut().learning_rate = before.0;
    before.1.into_iter().for_each(|(name, value)| rule.set(name, value));
    Err(StateError { optimizer, problems })
}

fn load_settings<T: Float, R: UpdateRule<T>>(
    rule: &mut R,
    state: &NamedTensors,
    problems: &mut Vec<StateProblem>,
) {
    let known = problems.len();
    let mut read = |name, kind: Setting| {
        let Some(text) = state.metadata.get(name) else {
            problems.push(StateProblem::NoSetting { name });
            return None;
        };
        let value = kind.parse(text);
        if value.is_none() {
            let must =
                if matches!(kind, Setting::Number(_)) { "a number" } else { "true or false" };
            problems.push(StateProblem::Setting { name, found: text.clone(), must });
        }
        value
    };
    if let Some(Setting::Number(lr)) = read(LR, Setting::Number(0.0)) {
        rule.base_mut().learning_rate = lr;
    }
    for (name, kind) in rule.settings() {
        if let Some(value) = read(name, kind) {
            rule.set(name, value);
        }
    }
    if let (true, Some(InvalidHyperparameter { name, must })) =
        (problems.len() == known, InvalidHyperparameter::of(rule))
    {
        let found = state.metadata.get(name).cloned().unwrap_or_default();
        problems.push(StateProblem::Setting { name, found, must });
    }
}

fn load_states<T: Float, R: UpdateRule<T>>(
    rule: &R,
    model: &dyn Module,
    state: &NamedTensors,
    problems: &mut Vec<StateProblem>,
) -> Vec<(ParamId, ParamState<T>)> {
    let unused: HashSet<&str> =
        state.metadata.get(UNUSED).map_or("", String::as_str).lines().collect();
    let in_use = rule.slots_in_use();
    let mut known = HashSet::new();
    let mut out = Vec::new();
    for (path, param) in parameters::<T>(model) {
        let name = join(STEP, &path);
        let steps = read_steps(&name, state).map_err(|problem| problems.push(problem)).ok();
        known.insert(name);
        let mut own = ParamState { steps: steps.unwrap_or(0), ..ParamState::new(param) };
        // The first step that uses a state tensor allocates it, so that slots are filled in order.
        let slots = if steps == Some(0) { &[] } else { rule.slots() };
        for (i, slot) in slots.iter().enumerate() {
            let name = join(slot, &path);
            let Some(tensor) = state.get(&name) else {
                if unused.contains(&*name) || i >= in_use {
                    break;
                }
                problems.push(StateProblem::Missing { name });
                continue;
            };
            match param.fits(tensor) {
                Ok(()) => own.slots.push(tensor.cast()),
                Err(misfit) => problems.push(StateProblem::Misfit { name: name.clone(), misfit }),
            }
            known.insert(name);
        }
        out.push((param.id(), own));
    }
    let strange = state.names().filter(|name| !known.contains(*name));
    problems.extend(strange.map(|name| StateProblem::Unexpected { name: name.into() }));
    out
}

fn read_steps(name: &str, state: &NamedTensors) -> Result<u64, StateProblem> {
    let name = name.to_owned();
    let Some(tensor) = state.get(&name) else { return Err(StateProblem::Missing { name }) };
    let Some(steps) = tensor.get::<i64>().filter(|steps| steps.rank() == 0) else {
        let found = (tensor.dtype(), tensor.shape().to_vec());
        let misfit = Misfit { wanted: (Dtype::I64, Vec::new()), found };
        return Err(StateProblem::Misfit { name, misfit });
    };
    let found = steps.item();
    u64::try_from(found).map_err(|_| StateProblem::Steps { name, found })
}
