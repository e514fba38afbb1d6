//! What all optimizers have.

use crate::group::{Group, Groups};
use smallvec::SmallVec;
use std::collections::HashMap;
use wengert_autograd::{Param, ParamHandle, ParamId};
use wengert_tensor::{Float, Tensor};

/// The part that all optimizers share: the learning rate, whether gradients may be missing, and what
/// is remembered of each parameter.
pub struct Base<T: Float = f32> {
    pub(crate) learning_rate: f64,
    pub(crate) allow_missing: bool,
    pub(crate) memories: HashMap<ParamId, Memory<T>>,
    pub(crate) groups: Groups,
}

/// What is remembered of one parameter.
#[derive(Clone)]
pub(crate) struct Memory<T: Float> {
    /// How often it was updated.
    pub steps: u64,
    /// One tensor for each of the rule's slots that was in use at one of these updates or before a
    /// slot that was.
    pub slots: SmallVec<[Tensor<T>; 3]>,
    /// What is remembered goes with the parameter.
    pub param: ParamHandle,
}

impl<T: Float> Memory<T> {
    pub fn new(param: &Param<T>) -> Self {
        Memory { steps: 0, slots: SmallVec::new(), param: param.handle() }
    }
}

impl<T: Float> Base<T> {
    /// A learning rate; every trainable parameter must have a gradient; nothing remembered yet.
    pub fn new(learning_rate: f64) -> Self {
        let (memories, groups) = (HashMap::new(), Groups::default());
        Base { learning_rate, allow_missing: false, memories, groups }
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Gives some parameters hyperparameters of their own. What the group sets is looked at in the next
    /// step.
    pub fn group(&mut self, group: Group) {
        self.groups.push(group);
    }

    /// From now on a step passes over trainable parameters that got no gradient.
    pub fn allow_missing(&mut self) {
        self.allow_missing = true;
    }
}
