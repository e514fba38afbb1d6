//! Parameters with hyperparameters of their own.

use crate::rule::{Invalid, Rule, Setting};
use crate::{Adadelta, Adagrad, Adam, AdamW, Sgd};
use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use wengert_autograd::{Module, Param, ParamId, Path};
use wengert_tensor::Float;

/// Some parameters of a model, chosen by name or by rank, and the hyperparameters that are theirs.
/// Added to an optimizer with its method `group`; the optimizer's own hyperparameters are those of all
/// other parameters.
///
/// No weight decay on biases and on the scales and shifts of norms, and a smaller learning rate for the
/// body of a model whose head is new:
///
/// ```
/// use wengert_optim::{AdamW, Group};
/// let optimizer = AdamW::new(1e-3)
///     .weight_decay(0.05)
///     .group(Group::biases_and_norms().weight_decay(0.0))
///     .group(Group::matching("body.*").learning_rate(1e-4));
/// ```
///
/// # Which parameters
/// A name is that of [`Module::named_parameters`], of the model that is passed to the step. In a
/// pattern `*` stands for any number of characters, dots included, and `?` for one; all others stand for
/// themselves. `*.bias` matches `fc1.bias` and `block.0.norm.bias`.
///
/// A parameter may be in several groups. It takes what each of them sets; if two set the same, the
/// later one counts. Above, `body.fc1.bias` has a rate of 1e-4 and no decay.
///
/// # Learning rates
/// A schedule sets the optimizer's rate. The rate of a group keeps its proportion to it: with
/// [`learning_rate`](Group::learning_rate), the proportion that it has to the optimizer's rate when the
/// group is added; with [`learning_rate_scale`](Group::learning_rate_scale), this factor.
///
/// # Panics
/// A step panics if no parameter of the model is in a group: the pattern has a mistake, and what it
/// sets would be lost.
///
/// # In checkpoints
/// Groups are saved with the optimizer's state. A state whose groups differ is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    members: Vec<Members>,
    rate: Option<Rate>,
    settings: Vec<(String, Setting)>,
}

/// What chooses parameters.
#[derive(Clone, Debug, PartialEq)]
enum Members {
    Named(String),
    /// Of at most so many axes.
    Rank(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rate {
    Scale(f64),
    /// This rate while the optimizer's is `of`; `None` until the group is added.
    Rate {
        rate: f64,
        of: Option<f64>,
    },
}

impl Group {
    fn of(members: Members) -> Self {
        Group { members: vec![members], rate: None, settings: Vec::new() }
    }

    /// The parameters whose name matches this pattern.
    pub fn matching(pattern: impl Into<String>) -> Self {
        Self::of(Members::Named(pattern.into()))
    }

    /// The parameters of at most one axis: biases, and the scales and shifts of norms. Weights of
    /// layers have two axes or more.
    pub fn biases_and_norms() -> Self {
        Self::up_to_rank(1)
    }

    /// The parameters of at most so many axes.
    pub fn up_to_rank(rank: usize) -> Self {
        Self::of(Members::Rank(rank))
    }

    /// Adds the parameters whose name matches this pattern.
    pub fn or_matching(mut self, pattern: impl Into<String>) -> Self {
        self.members.push(Members::Named(pattern.into()));
        self
    }

    /// Sets the learning rate of these parameters, while the optimizer has the rate that it has now.
    ///
    /// # Panics
    /// If it is negative or not finite. When the group is added, if the optimizer's rate is 0: no
    /// proportion to it is known then, so give [`learning_rate_scale`](Group::learning_rate_scale).
    #[track_caller]
    pub fn learning_rate(self, rate: f64) -> Self {
        check("learning_rate", rate);
        Group { rate: Some(Rate::Rate { rate, of: None }), ..self }
    }

    /// Sets what the optimizer's learning rate is multiplied with for these parameters.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn learning_rate_scale(self, scale: f64) -> Self {
        check("learning_rate_scale", scale);
        Group { rate: Some(Rate::Scale(scale)), ..self }
    }

    /// Sets the weight decay of these parameters.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        self.set("weight_decay", Setting::Number(weight_decay))
    }

    /// Sets the momentum of these parameters, for optimizers that call it so. A schedule that cycles the
    /// momentum leaves theirs as it is.
    pub fn momentum(self, momentum: f64) -> Self {
        self.set("momentum", Setting::Number(momentum))
    }

    /// Sets any other hyperparameter of the optimizer, by the name that it has in saved states: `eps`,
    /// `beta1`. When the group is added, the optimizer panics if it has none of this name.
    ///
    /// ```
    /// use wengert_optim::{Adam, Group, Setting};
    /// let embeddings = Group::matching("embedding.*").set("eps", Setting::Number(1e-6));
    /// let optimizer = Adam::new(1e-3).group(embeddings);
    /// ```
    pub fn set(mut self, name: impl Into<String>, to: Setting) -> Self {
        let name = name.into();
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, to));
        self
    }

    /// Whether a parameter is one of these.
    fn has(&self, name: &str, rank: usize) -> bool {
        self.members.iter().any(|members| match members {
            Members::Named(pattern) => matches(pattern.as_bytes(), name.as_bytes()),
            Members::Rank(most) => rank <= *most,
        })
    }

    /// Which parameters, in words.
    fn who(&self) -> String {
        let words = self.members.iter().map(|members| match members {
            Members::Named(pattern) => format!("`{pattern}`"),
            Members::Rank(rank) => format!("rank up to {rank}"),
        });
        words.collect::<Vec<_>>().join(" or ")
    }

    /// The learning rate, if it is one of the group's own.
    fn rate(&self, base: f64) -> Option<f64> {
        Some(match self.rate? {
            Rate::Scale(scale) => base * scale,
            Rate::Rate { rate, of: Some(of) } if of != base => rate * (base / of),
            Rate::Rate { rate, .. } => rate,
        })
    }
}

/// As it is saved, in one line.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.who())?;
        match self.rate {
            Some(Rate::Scale(scale)) => write!(f, " lr scaled by {scale:?}")?,
            Some(Rate::Rate { rate, of }) => {
                write!(f, " lr {rate:?}")?;
                of.map_or(Ok(()), |of| write!(f, " of {of:?}"))?;
            }
            None => {}
        }
        self.settings.iter().try_for_each(|(name, value)| write!(f, " {name} {value}"))
    }
}

#[track_caller]
fn check(name: &str, value: f64) {
    assert!(
        crate::rule::not_negative(value),
        "Group: {name} is {value:?}, it must be a number not below 0"
    );
}

/// Whether a text matches a pattern: `*` is any number of bytes, `?` is one.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // The last star, and up to where it reaches.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, reach)) => {
                    *reach += 1;
                    (p, t) = (*at + 1, *reach);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// The groups of an optimizer, and who is in which.
#[derive(Default)]
pub(crate) struct Groups {
    all: Vec<Group>,
    /// Whether a group has had a member.
    used: Vec<bool>,
    /// Sets of groups that occur together; the first is that of the parameters in none.
    kinds: Vec<Vec<usize>>,
    /// Which of the sets is a parameter's.
    kind_of: HashMap<ParamId, usize>,
}

impl Groups {
    pub fn push(&mut self, group: Group) {
        self.all.push(group);
        self.used.push(false);
        (self.kinds, self.kind_of) = (Vec::new(), HashMap::new());
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many different sets of hyperparameters there are.
    pub fn kinds(&self) -> usize {
        self.kinds.len().max(1)
    }

    /// Which of them a parameter has.
    pub fn kind_of(&self, param: ParamId) -> usize {
        self.kind_of.get(&param).copied().unwrap_or(0)
    }

    /// A line for each.
    pub fn describe(&self) -> Vec<String> {
        self.all.iter().map(Group::to_string).collect()
    }

    /// Finds out which parameters are in which groups, if one is new.
    #[track_caller]
    pub fn assign<T: Float>(&mut self, model: &dyn Module) {
        if self.all.is_empty() {
            return;
        }
        let mut new = false;
        model.visit(&Path::root(), &mut |_, state| {
            let param = state.downcast_ref::<Param<T>>();
            new |= param.is_some_and(|param| !self.kind_of.contains_key(&param.id()));
        });
        if !new && !self.kinds.is_empty() {
            return;
        }
        if self.kinds.is_empty() {
            self.kinds.push(Vec::new());
        }
        let mut names = Vec::new();
        model.visit(&Path::root(), &mut |path, state| {
            let Some(param) = state.downcast_ref::<Param<T>>() else { return };
            let name = path.to_string();
            let (all, rank) = (self.all.iter().enumerate(), param.shape().rank());
            let kind: Vec<usize> =
                all.filter(|(_, group)| group.has(&name, rank)).map(|(i, _)| i).collect();
            names.push(name);
            // A tied parameter has the groups of its first name.
            if self.kind_of.contains_key(&param.id()) {
                return;
            }
            for &group in &kind {
                self.used[group] = true;
            }
            let at = self.kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
                self.kinds.push(kind);
                self.kinds.len() - 1
            });
            self.kind_of.insert(param.id(), at);
        });
        let unused = self.all.iter().zip(&self.used).find(|(_, used)| !**used);
        if let Some((group, _)) = unused {
            let who = group.who();
            // So that the next step says it again.
            (self.kinds, self.kind_of) = (Vec::new(), HashMap::new());
            panic!(
                "step: no parameter is in the group {who}; the parameters are: {}",
                names.join(", ")
            )
        }
    }

    /// The rule with the hyperparameters of one kind, until it is dropped.
    pub fn applied<'r, T: Float, R: Rule<T>>(
        &self,
        rule: &'r mut R,
        kind: usize,
    ) -> Applied<'r, T, R> {
        let groups = self.kinds.get(kind).map_or(&[][..], Vec::as_slice);
        apply(rule, groups.iter().map(|&group| &self.all[group]))
    }
}

/// A rule with other hyperparameters; with its own again when dropped.
pub(crate) struct Applied<'r, T: Float, R: Rule<T>> {
    rule: &'r mut R,
    before: Option<(f64, Vec<(&'static str, Setting)>)>,
    _type: std::marker::PhantomData<T>,
}

fn apply<'r, 'g, T: Float, R: Rule<T>>(
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

impl<T: Float, R: Rule<T>> Deref for Applied<'_, T, R> {
    type Target = R;
    fn deref(&self) -> &R {
        self.rule
    }
}
impl<T: Float, R: Rule<T>> DerefMut for Applied<'_, T, R> {
    fn deref_mut(&mut self) -> &mut R {
        self.rule
    }
}
impl<T: Float, R: Rule<T>> Drop for Applied<'_, T, R> {
    fn drop(&mut self) {
        if let Some((rate, settings)) = self.before.take() {
            self.rule.base_mut().learning_rate = rate;
            for (name, value) in settings {
                self.rule.set(name, value);
            }
        }
    }
}

/// Adds a group to a rule, after looking at what it sets.
#[track_caller]
fn add<T: Float, R: Rule<T>>(rule: &mut R, mut group: Group) {
    let base = rule.base().learning_rate;
    if let Some(Rate::Rate { of, .. }) = &mut group.rate {
        assert!(
            base > 0.0,
            "{}: the group {} has a learning rate, and the optimizer's is 0, so that their proportion is \
             unknown: give learning_rate_scale",
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
            "{}: the group {} sets {name} to {value}; what a group can set: {}",
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
        // What needs another setting is looked at in the step, as with the optimizer's own.
        let own = |name| group.settings.iter().any(|(set, _)| set == name);
        let invalid = Invalid::of(&*applied).filter(|invalid| own(invalid.name));
        invalid.map(|invalid| invalid.message(&*applied))
    };
    if let Some(message) = message {
        panic!("{message} (group {})", group.who())
    }
    rule.base_mut().groups.push(group);
}

macro_rules! grouped {
    ($($Rule:ident),*) => {
        $(impl<T: Float> $Rule<T> {
            /// Gives some parameters hyperparameters of their own; see [`Group`].
            ///
            /// # Panics
            /// If the group sets a hyperparameter that there is not, or one that is out of range.
            #[track_caller]
            pub fn group(mut self, group: Group) -> Self {
                add(&mut self, group);
                self
            }
        })*
    };
}
grouped!(Sgd, Adadelta, Adagrad, Adam, AdamW);

#[cfg(test)]
mod tests {
    use super::*;

    /// By trying all ways: what a star takes is any number of characters.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|n| slowly(rest, &text[n..])),
            ([b'?', p @ ..], [_, t @ ..]) => slowly(p, t),
            ([a, p @ ..], [b, t @ ..]) => a == b && slowly(p, t),
            _ => false,
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, wanted) in [
            ("*.bias", "fc1.bias", true),
            ("*.bias", "bias", false),
            ("*bias", "bias", true),
            ("body.*", "body.0.weight", true),
            ("body.*", "bodybuilder", false),
            ("block.?.weight", "block.3.weight", true),
            ("block.?.weight", "block.13.weight", false),
            ("fc1.weight", "fc1.weight", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), wanted, "{pattern} {text}");
        }
        // All short patterns and texts of two letters.
        let words = |letters: &'static [u8], n: usize| {
            let count = (letters.len() as u32).pow(n as u32);
            (0..count).map(move |mut i| {
                let letter = |_| {
                    let letter = letters[i as usize % letters.len()];
                    i /= letters.len() as u32;
                    letter
                };
                (0..n).map(letter).collect::<Vec<u8>>()
            })
        };
        for pattern in (0..5).flat_map(|n| words(b"ab*?", n)) {
            for text in (0..5).flat_map(|n| words(b"ab", n)) {
                assert_eq!(
                    matches(&pattern, &text),
                    slowly(&pattern, &text),
                    "{pattern:?} {text:?}"
                );
            }
        }
    }
}
