//! Rules with the hyperparameters of groups.

use crate::group::{Group, Groups, Rate};
use crate::setting::Setting;
use crate::update_rule::{InvalidHyperparameter, UpdateRule};
use std::ops::{Deref, DerefMut};
use wengert_tensor::Float;

impl Groups {
    /// Returns the rule with one set of hyperparameters applied, until the result is dropped.
    pub fn applied<'r, T: Float, R: UpdateRule<T>>(
        &self,
        rule: &'r mut R,
        combination: usize,
    ) -> Applied<'r, T, R> {
        let groups = self.combinations.get(combination).map_or(&[][..], Vec::as_slice);
        apply(rule, groups.iter().map(|&group| &self.all[group]))
    }
}

/// A rule with the hyperparameters of some groups applied. `drop` restores the rule's own.
pub(crate) struct Applied<'r, T: Float, R: UpdateRule<T>> {
    rule: &'r mut R,
    before: Option<(f64, Vec<(&'static str, Setting)>)>,
    _type: std::marker::PhantomData<T>,
}

fn apply<'r, 'g, T: Float, R: UpdateRule<T>>(
    rule: &'r mut R,
    groups: impl Iterator<Item = &'g Group>,
) -> Applied<'r, T, R> {
    let base = rule.base().learning_rate;
    let mut before = None;
    for group in groups {
        before.get_or_insert_with(|| (base, rule.settings()));
        if let Some(rate) = group.rate(base) {
            rule.base_mut().learning_rate = rate;
        }
        group.settings.iter().for_each(|(name, value)| rule.set(name, *value));
    }
    Applied { rule, before, _type: std::marker::PhantomData }
}

impl<T: Float, R: UpdateRule<T>> Deref for Applied<'_, T, R> {
    type Target = R;
    fn deref(&self) -> &R {
        self.rule
    }
}
impl<T: Float, R: UpdateRule<T>> DerefMut for Applied<'_, T, R> {
    fn deref_mut(&mut self) -> &mut R {
        self.rule
    }
}
impl<T: Float, R: UpdateRule<T>> Drop for Applied<'_, T, R> {
    fn drop(&mut self) {
        if let Some((rate, settings)) = self.before.take() {
            self.rule.base_mut().learning_rate = rate;
            for (name, value) in settings {
                self.rule.set(name, value);
            }
        }
    }
}

/// Adds a group to a rule, after checking the group's settings.
#[track_caller]
pub(crate) fn add<T: Float, R: UpdateRule<T>>(rule: &mut R, mut group: Group) {
    let base = rule.base().learning_rate;
    if let Some(Rate::Rate { of, .. }) = &mut group.rate {
        assert!(
            base > 0.0,
            "{}: the group {} sets a learning rate, but the optimizer's learning rate is 0, so that the \
             ratio of the two is undefined; use `learning_rate_scale`",
            rule.name(),
            group.who()
        );
        *of = Some(base);
    }
    let known = rule.settings();
    for (name, value) in &group.settings {
        let same = known.iter().find(|(known, _)| known == name);
        let fits = same
            .is_some_and(|(_, kind)| std::mem::discriminant(kind) == std::mem::discriminant(value));
        assert!(
            fits,
            "{}: the group {} sets {name} to {value}, but a group can only set: {}",
            rule.name(),
            group.who(),
            known
                .iter()
                .map(|(name, value)| format!("{name} ({value})"))
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    let message = {
        let applied = apply(rule, std::iter::once(&group));
        // Only the settings of this group are checked. A conflict with another setting is found by the step.
        let own = |name| group.settings.iter().any(|(set, _)| set == name);
        let invalid = InvalidHyperparameter::of(&*applied).filter(|invalid| own(invalid.name));
        invalid.map(|invalid| invalid.message(&*applied))
    };
    if let Some(message) = message {
        panic!("{message} in the group {}", group.who())
    }
    rule.base_mut().groups.push(group);
}
