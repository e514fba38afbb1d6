//! The state of a model as named tensors, in memory and in files.
//!
//! Names and layouts are those of PyTorch (`fc1.weight` with shape `[out, in]`) and the files are
//! safetensors files, so models can be exchanged with PyTorch in both directions. In Python:
//!
//! ```python
//! from safetensors.torch import load_file, save_file
//! save_file(model.state_dict(), "model.safetensors")
//! model.load_state_dict(load_file("model.safetensors"))
//! ```

use std::collections::HashSet;
use std::fmt;
use std::path::{self, PathBuf};
use wengert_autograd::{Misfit, Module, Path};
use wengert_tensor::{AnyTensor, FileError, NamedTensors};

/// The parameters and buffers of a model by name, in the order in which the model visits them.
pub type StateDict = NamedTensors;

/// Returns the current values of all parameters and buffers of a model, by name.
///
/// Later training does not change the returned tensors. They share storage with the model until the
/// model's values change.
///
/// # Panics
/// If two parameters or buffers have the same name, which `#[module(rename = "…")]` can cause.
///
/// ```
/// use wengert::autograd::Param;
/// use wengert::nn::{load_state_dict, state_dict};
/// use wengert::tensor::Tensor;
///
/// let trained = vec![Param::new(Tensor::ones(&[2, 3])), Param::new(Tensor::ones(&[2]))];
/// let dict = state_dict(&trained);
/// assert_eq!(dict.names().collect::<Vec<_>>(), ["0", "1"]);
///
/// let mut fresh = vec![Param::new(Tensor::zeros(&[2, 3])), Param::new(Tensor::zeros(&[2]))];
/// load_state_dict(&mut fresh, &dict).unwrap();
/// assert_eq!(fresh[1].value().to_vec(), [1.0, 1.0]);
/// ```
#[track_caller]
pub fn state_dict<M: Module + ?Sized>(model: &M) -> StateDict {
    let mut dict = StateDict::new();
    for (name, state) in model.named_state() {
        assert!(
            dict.get(&name).is_none(),
            "state_dict: two parameters or buffers are named `{name}`: give one of them another name with \
             `#[module(rename = \"…\")]`"
        );
        dict.insert(name, state.value());
    }
    // Python libraries expect this entry in files with PyTorch's names and layouts.
    dict.metadata.insert("format".into(), "pt".into());
    dict
}

/// Replaces the values of all parameters and buffers of a model. Floating-point values are
/// converted to the model's element type.
///
/// # Errors
/// If a name is missing or unexpected, or a shape or element type differs. The error lists all
/// differences, and the model is unchanged. [`LoadOptions`] can allow differences.
pub fn load_state_dict<M: Module + ?Sized>(
    model: &mut M,
    dict: &StateDict,
) -> Result<(), LoadError> {
    LoadOptions::new().load_state_dict(model, dict).map(drop)
}

/// Saves all parameters and buffers of a model in a safetensors file.
///
/// The file is replaced atomically: a reader finds the old model or the new one, even if the
/// machine stops during the write.
///
/// # Errors
/// If the file cannot be written.
///
/// # Panics
/// If two parameters or buffers have the same name.
#[track_caller]
pub fn save<M: Module + ?Sized>(model: &M, path: impl AsRef<path::Path>) -> Result<(), FileError> {
    state_dict(model).save(path)
}

/// Loads all parameters and buffers of a model from a safetensors file, written by this library or
/// by PyTorch.
///
/// # Errors
/// If the file cannot be read, or if it does not fit the model, as in [`load_state_dict`].
pub fn load<M: Module + ?Sized>(
    model: &mut M,
    path: impl AsRef<path::Path>,
) -> Result<(), LoadError> {
    LoadOptions::new().load(model, path).map(drop)
}

/// Options for loading: which differences between the model and the file are allowed. By
/// default, no difference is allowed.
///
/// ```no_run
/// use wengert::nn::{Linear, LoadOptions};
/// use wengert::tensor::Philox;
/// let mut model = Linear::new(2, 1, &mut Philox::new(0));
/// // Pretrained features, with a new head.
/// let passed_over = LoadOptions::new().allow_missing().load(&mut model, "features.safetensors").unwrap();
/// println!("kept as initialised: {:?}", passed_over.missing);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct LoadOptions {
    missing: bool,
    unexpected: bool,
    misfits: bool,
}

impl LoadOptions {
    /// Creates options that allow no difference.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows names that are missing in the file. The model keeps its values for these names.
    pub fn allow_missing(mut self) -> Self {
        self.missing = true;
        self
    }

    /// Allows names that the model does not have. They are ignored.
    pub fn allow_unexpected(mut self) -> Self {
        self.unexpected = true;
        self
    }

    /// Allows tensors with another shape or element type. The model keeps its values for these
    /// names.
    pub fn allow_misfits(mut self) -> Self {
        self.misfits = true;
        self
    }

    /// Replaces the values of a model as [`load_state_dict`] does, and returns the differences that
    /// were allowed.
    ///
    /// # Errors
    /// If there are differences that are not allowed. The model is then unchanged.
    pub fn load_state_dict<M: Module + ?Sized>(
        self,
        model: &mut M,
        dict: &StateDict,
    ) -> Result<Mismatch, LoadError> {
        let mismatch = Mismatch::between(model, dict);
        let allowed = (self.missing || mismatch.missing.is_empty())
            && (self.unexpected || mismatch.unexpected.is_empty())
            && (self.misfits || mismatch.misfits.is_empty());
        if !allowed {
            return Err(LoadError::Mismatch { path: None, mismatch });
        }
        model.visit_mut(&Path::root(), &mut |path, state| {
            if let Some((_, value)) = find(dict, &path.to_string()) {
                // A misfit is allowed at this point. `set` then returns an error and changes
                // nothing.
                let _ = state.set(value);
            }
        });
        Ok(mismatch)
    }

    /// Loads a model as [`load`] does, and returns the differences that were allowed.
    ///
    /// # Errors
    /// If the file cannot be read, or if there are differences that are not allowed.
    pub fn load<M: Module + ?Sized>(
        self,
        model: &mut M,
        path: impl AsRef<path::Path>,
    ) -> Result<Mismatch, LoadError> {
        let path = path.as_ref();
        let dict = StateDict::load(path)?;
        self.load_state_dict(model, &dict).map_err(|error| match error {
            LoadError::Mismatch { mismatch, .. } => {
                LoadError::Mismatch { path: Some(path.into()), mismatch }
            }
            LoadError::File(error) => LoadError::File(error),
        })
    }
}

/// The error of loading a model.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file or the state dict does not fit the model.
    #[error("{} does not fit the model:{mismatch}", Origin(path.as_deref()))]
    Mismatch {
        /// The file; `None` for a state dict in memory.
        path: Option<PathBuf>,
        /// The differences.
        mismatch: Mismatch,
    },
}

wengert_tensor::debug_is_display!(LoadError);

/// The differences between a model and a state dict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// Names in the model that the state dict does not have.
    pub missing: Vec<String>,
    /// Names in the state dict that the model does not have.
    pub unexpected: Vec<String>,
    /// Names in both the model and the state dict, with different shapes or element types.
    pub misfits: Vec<(String, Misfit)>,
}

impl Mismatch {
    /// Compares a model with a state dict.
    pub fn between<M: Module + ?Sized>(model: &M, dict: &StateDict) -> Self {
        let mut mismatch = Mismatch::default();
        let mut known = HashSet::new();
        for (name, state) in model.named_state() {
            let found = find(dict, &name);
            match found.as_ref().map(|(_, value)| state.fits(value)) {
                Some(Ok(())) => {}
                Some(Err(misfit)) => mismatch.misfits.push((name.clone(), misfit)),
                None => mismatch.missing.push(name.clone()),
            }
            known.insert(found.map_or(name, |(name, _)| name));
        }
        mismatch.unexpected =
            dict.names().filter(|name| !known.contains(*name)).map(String::from).collect();
        mismatch
    }

    /// Returns whether there are no differences.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misfits.is_empty()
    }

    /// Returns a hint for the message, if the state dict contains all names of the model under
    /// other names.
    fn advice(&self) -> Option<String> {
        let first = self.missing.first()?;
        let unexpected: HashSet<_> = self.unexpected.iter().map(String::as_str).collect();
        let under = |prefix: &str| {
            self.missing.iter().all(|name| unexpected.contains(format!("{prefix}{name}").as_str()))
        };
        if unexpected.contains("history.losses") && self.has_prefix("model.") {
            let best = if self.has_prefix("best.") {
                "; use `best.` for the model of the best epoch"
            } else {
                ""
            };
            return Some(format!(
                "hint: the file is a checkpoint of a training run, in which the names of the model start \
                 with `model.`: load_state_dict(&mut model, &StateDict::load(path)?.part(\"model.\")){best}"
            ));
        }
        if under("step.") {
            return Some(
                "hint: the tensors are the state of an optimizer: load them with \
                 `Optimizer::load_state_dict`"
                    .into(),
            );
        }
        let mut prefixes: Vec<_> = self
            .unexpected
            .iter()
            .filter_map(|name| name.strip_suffix(first.as_str()))
            .filter(|prefix| prefix.ends_with('.') && under(prefix))
            .collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        match prefixes[..] {
            [] => self.inner().map(|prefix| {
                format!(
                    "hint: the model has each unexpected name with the prefix `{prefix}`: load the tensors into \
                     that part of the model"
                )
            }),
            [prefix] if self.unexpected.iter().all(|name| name.starts_with(prefix)) => {
                Some(format!(
                    "hint: each missing name exists with the prefix `{prefix}`: remove the prefix with \
                     `StateDict::strip_prefix`"
                ))
            }
            [prefix] => Some(format!(
                "hint: each missing name exists with the prefix `{prefix}`: select these tensors with \
                 `StateDict::part(\"{prefix}\")`"
            )),
            _ => Some(format!(
                "hint: each missing name exists with each of the prefixes `{}`: select one of them with \
                 `StateDict::part`",
                prefixes.join("`, `")
            )),
        }
    }

    fn has_prefix(&self, prefix: &str) -> bool {
        self.unexpected.iter().any(|name| name.starts_with(prefix))
    }

    /// Returns the prefix that turns every unexpected name into a missing one, if there is such a
    /// prefix.
    fn inner(&self) -> Option<&str> {
        let first = self.unexpected.first()?;
        let missing: HashSet<_> = self.missing.iter().map(String::as_str).collect();
        let mut prefixes = self.missing.iter().filter_map(|name| name.strip_suffix(first.as_str()));
        prefixes.find(|prefix| {
            prefix.ends_with('.')
                && self
                    .unexpected
                    .iter()
                    .all(|name| missing.contains(format!("{prefix}{name}").as_str()))
        })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.missing.is_empty() {
            write!(f, "\n  missing: {}", self.missing.join(", "))?;
        }
        if !self.unexpected.is_empty() {
            write!(f, "\n  unexpected: {}", self.unexpected.join(", "))?;
        }
        for (name, misfit) in &self.misfits {
            write!(f, "\n  {name}: {misfit}")?;
        }
        if let Some(advice) = self.advice() {
            write!(f, "\n  {advice}")?;
        }
        Ok(())
    }
}

/// Endings of names in files of PyTorch's older functions `nn.utils.weight_norm` and `nn.utils.spectral_norm`,
/// each after the name of today.
const OLDER: [(&str, &str); 5] = [
    ("parametrizations.weight.original0", "weight_g"),
    ("parametrizations.weight.original1", "weight_v"),
    ("parametrizations.weight.original", "weight_orig"),
    ("parametrizations.weight.0._u", "weight_u"),
    ("parametrizations.weight.0._v", "weight_v"),
];

/// Returns the tensor with this name, and the name that it has in the state dict: this name, or an older one.
fn find<'a>(dict: &'a StateDict, name: &str) -> Option<(String, &'a AnyTensor)> {
    if let Some(value) = dict.get(name) {
        return Some((name.into(), value));
    }
    let (part, (_, old)) = OLDER.iter().find_map(|row| Some((name.strip_suffix(row.0)?, *row)))?;
    if !part.is_empty() && !part.ends_with('.') {
        return None;
    }
    let old = format!("{part}{old}");
    dict.get(&old).map(|value| (old, value))
}

/// The origin of the tensors, for messages: a file or a state dict.
struct Origin<'a>(Option<&'a path::Path>);
impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => path.display().fmt(f),
            None => f.write_str("the state dict"),
        }
    }
}

#[cfg(test)]
mod tests;
