//! The data that all optimizers have in common.

use crate::group::{Group, Groups};
use smallvec::SmallVec;
use std::collections::HashMap;
use wengert_autograd::{Param, ParamHandle, ParamId};
use wengert_tensor::{Float, Tensor};

/// The part that all optimizers share: the learning rate, whether gradients may be missing, the parameter
/// groups, and the state of each parameter.
pub struct Base<T: Float = f32> {
    pub(crate) learning_rate: f64,
    pub(crate) allow_missing: bool,
    pub(crate) states: HashMap<ParamId, ParamState<T>>,
    pub(crate) groups: Groups,
}

/// The optimizer state of one parameter.
#[derive(Clone)]
pub(crate) struct ParamState<T: Float> {
    /// The number of updates of the parameter.
    pub steps: u64,
    /// The state tensors: one for each of the rule's slots, up to the last slot that an update has used.
    pub slots: SmallVec<[Tensor<T>; 3]>,
    /// Tells whether the parameter still exists. When it is dropped, the next step removes its state.
    pub param: ParamHandle,
}

impl<T: Float> ParamState<T> {
    pub fn new(param: &Param<T>) -> Self {
        ParamState { steps: 0, slots: SmallVec::new(), param: param.handle() }
    }
}

impl<T: Float> Base<T> {
    /// Creates the base with this learning rate, no groups and no state. Every trainable parameter must have
    /// a gradient; [`allow_missing`](Base::allow_missing) changes that.
    pub fn new(learning_rate: f64) -> Self {
        let (states, groups) = (HashMap::new(), Groups::default());
        Base { learning_rate, allow_missing: false, states, groups }
    }

    /// Returns the learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Sets different hyperparameters for some parameters. The next step checks the values that the group
    /// sets.
    pub fn group(&mut self, group: Group) {
        self.groups.push(group);
    }

    /// Makes steps skip trainable parameters that have no gradient.
    pub fn allow_missing(&mut self) {
        self.allow_missing = true;
    }
}
