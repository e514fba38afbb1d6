//! Groups of parameters with different hyperparameters.

use crate::setting::{Bounds, Setting};
use std::collections::HashMap;
use std::fmt;
use wengert_autograd::{Module, Param, ParamId, Path};
use wengert_tensor::Float;

/// A group of parameters, chosen by name or by rank, with hyperparameters that apply to this group only.
///
/// Add a group to an optimizer with the optimizer's method `group`. All other parameters use the
/// optimizer's own hyperparameters.
///
/// This example applies no weight decay to biases and to the scales and shifts of norms, and uses a smaller
/// learning rate for the body of a model whose head is new:
///
/// ```
/// use wengert::optim::{Adam, Group};
/// let optimizer = Adam::adamw(1e-3)
///     .weight_decay(0.05)
///     .group(Group::biases_and_norms().weight_decay(0.0))
///     .group(Group::matching("body.*").learning_rate(1e-4));
/// ```
///
/// # Which parameters
/// The names are those of [`Module::named_parameters`] of the model that is passed to `step`. In a pattern,
/// `*` matches any number of characters, dots included, and `?` matches one character. All other characters
/// match themselves. `*.bias` matches `fc1.bias` and `block.0.norm.bias`.
///
/// A parameter may be in several groups. The settings of all its groups apply to it; if two groups set the
/// same hyperparameter, the group that was added later wins. In the example, `body.fc1.bias` has a learning
/// rate of 1e-4 and no weight decay.
///
/// # Learning rates
/// A schedule sets the optimizer's learning rate. The learning rate of a group is proportional to it. With
/// [`learning_rate`](Group::learning_rate), the factor is the ratio of the two rates when the group is
/// added. With [`learning_rate_scale`](Group::learning_rate_scale), the factor is given.
///
/// # Panics
/// A step panics if a group contains no parameter of the model: its pattern is probably misspelled, and
/// its settings would have no effect.
///
/// # In checkpoints
/// Groups are saved with the optimizer's state. Loading a state with different groups returns an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    members: Vec<Members>,
    pub(crate) rate: Option<Rate>,
    pub(crate) settings: Vec<(String, Setting)>,
}

/// A condition that selects parameters.
#[derive(Clone, Debug, PartialEq)]
enum Members {
    Named(String),
    /// Parameters with at most this number of axes.
    Rank(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rate {
    Scale(f64),
    /// The learning rate is `rate` when the optimizer's is `of`. `of` is `None` until the group is added.
    Rate {
        rate: f64,
        of: Option<f64>,
    },
}

impl Group {
    fn of(members: Members) -> Self {
        Group { members: vec![members], rate: None, settings: Vec::new() }
    }

    /// Creates a group of the parameters whose name matches this pattern.
    pub fn matching(pattern: impl Into<String>) -> Self {
        Self::of(Members::Named(pattern.into()))
    }

    /// Creates a group of the parameters with at most one axis: biases, and the scales and shifts of norms.
    /// Weights of layers have two axes or more.
    pub fn biases_and_norms() -> Self {
        Self::up_to_rank(1)
    }

    /// Creates a group of the parameters with at most `rank` axes.
    pub fn up_to_rank(rank: usize) -> Self {
        Self::of(Members::Rank(rank))
    }

    /// Adds the parameters whose name matches this pattern to the group.
    pub fn or_matching(mut self, pattern: impl Into<String>) -> Self {
        self.members.push(Members::Named(pattern.into()));
        self
    }

    /// Sets the learning rate of these parameters. When the optimizer's learning rate changes after the group
    /// was added, this learning rate changes by the same factor.
    ///
    /// # Panics
    /// If `rate` is negative or not finite. The optimizer's method `group` panics if the optimizer's learning
    /// rate is 0, because the ratio of the two rates is then undefined; use
    /// [`learning_rate_scale`](Group::learning_rate_scale) in this case.
    #[track_caller]
    pub fn learning_rate(self, rate: f64) -> Self {
        check("learning_rate", rate);
        Group { rate: Some(Rate::Rate { rate, of: None }), ..self }
    }

    /// Sets the factor by which the optimizer's learning rate is multiplied for these parameters.
    ///
    /// # Panics
    /// If `scale` is negative or not finite.
    #[track_caller]
    pub fn learning_rate_scale(self, scale: f64) -> Self {
        check("learning_rate_scale", scale);
        Group { rate: Some(Rate::Scale(scale)), ..self }
    }

    /// Sets the weight decay of these parameters.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        self.set("weight_decay", weight_decay)
    }

    /// Sets the momentum of these parameters, for optimizers that have a hyperparameter `momentum`. Schedules
    /// that change the optimizer's momentum do not change the momentum of the group.
    pub fn momentum(self, momentum: f64) -> Self {
        self.set("momentum", momentum)
    }

    /// Sets any other hyperparameter of the optimizer by its name in saved states, such as `eps` or `beta1`.
    /// The optimizer's method `group` panics if the optimizer has no hyperparameter of this name.
    ///
    /// ```
    /// use wengert::optim::{Adam, Group};
    /// let embeddings = Group::matching("embedding.*").set("eps", 1e-6);
    /// let optimizer = Adam::new(1e-3).group(embeddings);
    /// ```
    pub fn set(mut self, name: impl Into<String>, to: impl Into<Setting>) -> Self {
        let (name, to) = (name.into(), to.into());
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, to));
        self
    }

    /// Returns whether the group contains a parameter with this name and rank.
    fn has(&self, name: &str, rank: usize) -> bool {
        self.members.iter().any(|members| match members {
            Members::Named(pattern) => matches(pattern.as_bytes(), name.as_bytes()),
            Members::Rank(most) => rank <= *most,
        })
    }

    /// Describes the parameters of the group in words, for messages.
    pub(crate) fn who(&self) -> String {
        let words = self.members.iter().map(|members| match members {
            Members::Named(pattern) => format!("`{pattern}`"),
            Members::Rank(rank) => format!("rank up to {rank}"),
        });
        words.collect::<Vec<_>>().join(" or ")
    }

    /// Returns the group's learning rate when the optimizer's is `base`, or `None` if the group sets none.
    pub(crate) fn rate(&self, base: f64) -> Option<f64> {
        Some(match self.rate? {
            Rate::Scale(scale) => base * scale,
            Rate::Rate { rate, of: Some(of) } if of != base => rate * (base / of),
            Rate::Rate { rate, .. } => rate,
        })
    }
}

/// Writes the line that describes the group in saved states.
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
    Bounds::NOT_NEGATIVE.check("Group", name, value);
}

/// Returns whether a text matches a pattern: `*` matches any number of bytes, `?` matches one byte.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // The position of the last star in the pattern, and the end of the text that it matches.
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

/// The groups of an optimizer, and the groups of each parameter.
#[derive(Default)]
pub(crate) struct Groups {
    pub(crate) all: Vec<Group>,
    /// For each group, whether a parameter was ever assigned to it.
    used: Vec<bool>,
    /// The distinct sets of groups that parameters have, as indices into `all`. The first set is empty.
    pub(crate) combinations: Vec<Vec<usize>>,
    /// The index into `combinations` for each parameter.
    combination_of: HashMap<ParamId, usize>,
}

impl Groups {
    pub fn push(&mut self, group: Group) {
        self.all.push(group);
        self.used.push(false);
        (self.combinations, self.combination_of) = (Vec::new(), HashMap::new());
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the number of different sets of hyperparameters.
    pub fn combinations(&self) -> usize {
        self.combinations.len().max(1)
    }

    /// Returns the index of the set of hyperparameters that a parameter uses.
    pub fn combination_of(&self, param: ParamId) -> usize {
        self.combination_of.get(&param).copied().unwrap_or(0)
    }

    /// Returns one line for each group.
    pub fn describe(&self) -> Vec<String> {
        self.all.iter().map(Group::to_string).collect()
    }

    /// Assigns the parameters of the model to groups, if a parameter or a group is new.
    #[track_caller]
    pub fn assign<T: Float>(&mut self, model: &dyn Module) {
        if self.all.is_empty() {
            return;
        }
        let mut new = false;
        model.visit(&Path::root(), &mut |_, state| {
            let param = state.downcast_ref::<Param<T>>();
            new |= param.is_some_and(|param| !self.combination_of.contains_key(&param.id()));
        });
        if !new && !self.combinations.is_empty() {
            return;
        }
        if self.combinations.is_empty() {
            self.combinations.push(Vec::new());
        }
        let mut names = Vec::new();
        model.visit(&Path::root(), &mut |path, state| {
            let Some(param) = state.downcast_ref::<Param<T>>() else { return };
            let name = path.to_string();
            let (all, rank) = (self.all.iter().enumerate(), param.shape().rank());
            let combination: Vec<usize> =
                all.filter(|(_, group)| group.has(&name, rank)).map(|(i, _)| i).collect();
            names.push(name);
            // A tied parameter belongs to the groups that match its first name.
            if self.combination_of.contains_key(&param.id()) {
                return;
            }
            for &group in &combination {
                self.used[group] = true;
            }
            let at =
                self.combinations.iter().position(|known| *known == combination).unwrap_or_else(
                    || {
                        self.combinations.push(combination);
                        self.combinations.len() - 1
                    },
                );
            self.combination_of.insert(param.id(), at);
        });
        let unused = self.all.iter().zip(&self.used).find(|(_, used)| !**used);
        if let Some((group, _)) = unused {
            let who = group.who();
            // Assign again in the next step, so that it panics too.
            (self.combinations, self.combination_of) = (Vec::new(), HashMap::new());
            panic!(
                "step: the group {who} contains no parameter of the model; the parameters are: {}",
                names.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Matches by the definition: tries every number of characters for each star.
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
    fn patterns_match_names_of_parameters() {
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
        // All short patterns and texts that consist of two letters.
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
