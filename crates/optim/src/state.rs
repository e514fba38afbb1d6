//! What an optimizer remembers, as named tensors and back.

use crate::base::Memory;
use crate::rule::{Invalid, Rule, Setting};
use std::collections::HashSet;
use std::fmt;
use wengert_autograd::{Misfit, Module, Param, ParamId, State};
use wengert_tensor::{Dtype, Float, NamedTensors, Tensor};

/// The name before the number of steps of a parameter.
const STEP: &str = "step";
/// The key of the optimizer's name in the metadata.
const OPTIMIZER: &str = "optimizer";
/// The key of the learning rate in the metadata.
const LR: &str = "lr";
/// The key in the metadata of the tensors that the hyperparameters ask for and no step has used yet:
/// their names, a line each. Only a state that was saved between a change of the hyperparameters and
/// the next step has some.
const UNUSED: &str = "unused";
/// The key in the metadata of the groups, a line each.
const GROUPS: &str = "groups";

/// Why a saved state could not be taken over: all that is wrong with it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state does not fit this {optimizer} and its model:{}", Lines(problems))]
pub struct StateError {
    /// The optimizer that should have taken it.
    pub optimizer: &'static str,
    /// At least one.
    pub problems: Vec<StateProblem>,
}

/// One thing that is wrong with a saved state.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateProblem {
    /// It is of another optimizer, or of none.
    #[error("it is the state of {}", found.as_deref().unwrap_or("no optimizer"))]
    Optimizer {
        /// Whose it is.
        found: Option<String>,
    },
    /// A hyperparameter is not there.
    #[error("the metadata lacks {name}")]
    NoSetting {
        /// Which one.
        name: &'static str,
    },
    /// A hyperparameter has a value that it cannot have.
    #[error("{name} is {found:?}, it must be {must}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// The value, as it stands in the metadata.
        found: String,
        /// What it must be.
        must: &'static str,
    },
    /// A tensor is not there.
    #[error("missing: {name}")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor belongs to no parameter of the model.
    #[error("unexpected: {name}")]
    Unexpected {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape or element type than it should.
    #[error("{name}: {misfit}")]
    Misfit {
        /// Its name.
        name: String,
        /// Both sides.
        misfit: Misfit,
    },
    /// It is of an optimizer with other groups of parameters.
    #[error("its groups are: {}; those of this optimizer are: {}", listed(saved), listed(found))]
    Groups {
        /// Those of the state, a line each.
        saved: Vec<String>,
        /// Those of the optimizer.
        found: Vec<String>,
    },
    /// A number of steps below zero.
    #[error("{name} counts {found} steps")]
    Steps {
        /// Its name.
        name: String,
        /// The number.
        found: i64,
    },
}

wengert_tensor::debug_is_display!(StateError, StateProblem);

struct Lines<'a>(&'a [StateProblem]);
impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

fn listed(groups: &[String]) -> String {
    if groups.is_empty() { "none".into() } else { groups.join("; ") }
}

/// `exp_avg.fc1.weight`; a model that is a parameter itself has no name.
fn join(slot: &str, path: &str) -> String {
    if path.is_empty() { slot.into() } else { format!("{slot}.{path}") }
}

/// What a message calls a parameter.
fn called(path: &str) -> String {
    if path.is_empty() { "the model itself".into() } else { format!("`{path}`") }
}

/// Every parameter once, by the first of its names. Frozen ones count: they may have been trained.
fn parameters<T: Float>(model: &dyn Module) -> Vec<(String, &Param<T>)> {
    let mut seen = HashSet::new();
    let all = model.named_state().into_iter();
    all.filter_map(|(name, state)| Some((name, state.downcast_ref::<Param<T>>()?)))
        .filter(|(_, param)| seen.insert(param.id()))
        .collect()
}

#[track_caller]
pub(crate) fn save<T: Float, R: Rule<T>>(rule: &R, model: &dyn Module) -> NamedTensors {
    let (base, mut out) = (rule.base(), NamedTensors::new());
    let mut unused = Vec::new();
    for (path, param) in parameters::<T>(model) {
        let memory = base.memories.get(&param.id());
        let steps = memory.map_or(0, |memory| memory.steps);
        let taken = out.insert(join(STEP, &path), Tensor::scalar_of(steps as i64)).is_some();
        assert!(!taken, "state_dict: two parameters have one name: {}", called(&path));
        for (i, slot) in rule.slots().iter().enumerate() {
            let name = join(slot, &path);
            match memory.and_then(|memory| memory.slots.get(i)) {
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

pub(crate) fn load<T: Float, R: Rule<T>>(
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
    // The hyperparameters come first, since what is remembered depends on them.
    let before = (rule.base().learning_rate, rule.settings());
    load_settings(rule, state, &mut problems);
    let saved = state.metadata.get(GROUPS).map_or("", String::as_str);
    let (saved, found) = (saved.lines().map(String::from).collect(), rule.base().groups.describe());
    if saved != found {
        problems.push(StateProblem::Groups { saved, found });
    }
    let memories = load_memories(rule, model, state, &mut problems);
    if problems.is_empty() {
        rule.base_mut().memories.extend(memories);
        return Ok(());
    }
    rule.base_mut().learning_rate = before.0;
    before.1.into_iter().for_each(|(name, value)| rule.set(name, value));
    Err(StateError { optimizer, problems })
}

fn load_settings<T: Float, R: Rule<T>>(
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
    if let (true, Some(Invalid { name, must })) = (problems.len() == known, Invalid::of(rule)) {
        let found = state.metadata.get(name).cloned().unwrap_or_default();
        problems.push(StateProblem::Setting { name, found, must });
    }
}

fn load_memories<T: Float, R: Rule<T>>(
    rule: &R,
    model: &dyn Module,
    state: &NamedTensors,
    problems: &mut Vec<StateProblem>,
) -> Vec<(ParamId, Memory<T>)> {
    let unused: HashSet<&str> =
        state.metadata.get(UNUSED).map_or("", String::as_str).lines().collect();
    let in_use = rule.slots_in_use();
    let mut known = HashSet::new();
    let mut out = Vec::new();
    for (path, param) in parameters::<T>(model) {
        let name = join(STEP, &path);
        let steps = read_steps(&name, state).map_err(|problem| problems.push(problem)).ok();
        known.insert(name);
        let mut memory = Memory { steps: steps.unwrap_or(0), ..Memory::new(param) };
        // State tensors are allocated by the first step that uses them: in the order of the slots.
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
                Ok(()) => memory.slots.push(tensor.cast()),
                Err(misfit) => problems.push(StateProblem::Misfit { name: name.clone(), misfit }),
            }
            known.insert(name);
        }
        out.push((param.id(), memory));
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
