//! The state of a model as named tensors, in memory and in files.
//!
//! Names and layouts are PyTorch's (`fc1.weight` of shape `[out, in]`) and the files are safetensors,
//! so that models go both ways. In Python:
//!
//! ```python
//! from safetensors.torch import load_file, save_file
//! save_file(model.state_dict(), "model.safetensors")
//! model.load_state_dict(load_file("model.safetensors"))
//! ```

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use wengert_autograd::{Misfit, Module, Path as Place};
use wengert_tensor::{FileError, NamedTensors};

/// The parameters and buffers of a model by name, in visiting order.
pub type StateDict = NamedTensors;

/// All parameters and buffers of a model, as they are now: training it further does not change them.
/// They share storage with the model until then.
///
/// # Panics
/// If two have one name, which `#[module(rename = "…")]` can do.
///
/// ```
/// use wengert_autograd::Param;
/// use wengert_nn::{load_state_dict, state_dict};
/// use wengert_tensor::Tensor;
///
/// let trained = vec![Param::new(Tensor::ones(&[2, 3])), Param::new(Tensor::ones(&[2]))];
/// let dict = state_dict(&trained);
/// assert_eq!(dict.names().collect::<Vec<_>>(), ["0", "1"]);
///
/// let mut fresh = vec![Param::new(Tensor::zeros(&[2, 3])), Param::new(Tensor::zeros(&[2]))];
/// load_state_dict(&mut fresh, &dict)?;
/// assert_eq!(fresh[1].value().to_vec(), [1.0, 1.0]);
/// # Ok::<(), wengert_nn::LoadError>(())
/// ```
#[track_caller]
pub fn state_dict<M: Module + ?Sized>(model: &M) -> StateDict {
    let mut dict = StateDict::new();
    for (name, state) in model.named_state() {
        assert!(
            dict.get(&name).is_none(),
            "state_dict: two parameters or buffers are named `{name}`"
        );
        dict.insert(name, state.value());
    }
    // What Python's libraries expect of a file of PyTorch's names and layouts.
    dict.metadata.insert("format".into(), "pt".into());
    dict
}

/// Replaces all parameters and buffers of a model. Floats are converted to the model's width.
///
/// # Errors
/// If anything is missing, unexpected or of another shape; all of it is reported at once, and the model
/// is as it was. [`LoadOptions`] can be more lenient.
pub fn load_state_dict<M: Module + ?Sized>(
    model: &mut M,
    dict: &StateDict,
) -> Result<(), LoadError> {
    LoadOptions::new().load_state_dict(model, dict).map(drop)
}

/// Saves all parameters and buffers of a model. The file is replaced in one step: whoever reads it
/// finds the old model or the new one, even if the machine stops halfway.
///
/// # Errors
/// If the system refuses.
///
/// # Panics
/// If two parameters or buffers have one name.
#[track_caller]
pub fn save<M: Module + ?Sized>(model: &M, path: impl AsRef<Path>) -> Result<(), FileError> {
    state_dict(model).save(path)
}

/// Loads all parameters and buffers of a model from a file, of ours or of PyTorch's.
///
/// # Errors
/// If the file cannot be read, or does not fit the model as for [`load_state_dict`].
pub fn load<M: Module + ?Sized>(model: &mut M, path: impl AsRef<Path>) -> Result<(), LoadError> {
    LoadOptions::new().load(model, path).map(drop)
}

/// How strict loading is: all differences between model and file are errors unless allowed.
///
/// ```no_run
/// # let mut model = wengert_autograd::Param::new(wengert_tensor::Tensor::zeros(&[2]));
/// use wengert_nn::LoadOptions;
/// // Pretrained features under a new head.
/// let passed_over = LoadOptions::new().allow_missing().load(&mut model, "features.safetensors")?;
/// println!("kept as initialised: {:?}", passed_over.missing);
/// # Ok::<(), wengert_nn::LoadError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct LoadOptions {
    missing: bool,
    unexpected: bool,
    misfits: bool,
}

impl LoadOptions {
    /// Nothing is allowed.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the model has and the file lacks stays as it is.
    pub fn allow_missing(mut self) -> Self {
        self.missing = true;
        self
    }

    /// What the file has and the model lacks is ignored.
    pub fn allow_unexpected(mut self) -> Self {
        self.unexpected = true;
        self
    }

    /// What has another shape or element type in the file stays as it is.
    pub fn allow_misfits(mut self) -> Self {
        self.misfits = true;
        self
    }

    /// As [`load_state_dict`], and says what was passed over.
    ///
    /// # Errors
    /// If there are differences that are not allowed; the model is then as it was.
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
        model.visit_mut(&Place::root(), &mut |path, state| {
            if let Some(value) = dict.get(&path.to_string()) {
                // A misfit is allowed if we come here, and changes nothing.
                let _ = state.set(value);
            }
        });
        Ok(mismatch)
    }

    /// As [`load`], and says what was passed over.
    ///
    /// # Errors
    /// If the file cannot be read, or there are differences that are not allowed.
    pub fn load<M: Module + ?Sized>(
        self,
        model: &mut M,
        path: impl AsRef<Path>,
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

/// Why a model could not be loaded.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file, or the state dict, belongs to another model.
    #[error("{} does not fit the model:{mismatch}", Source(path.as_deref()))]
    Mismatch {
        /// The file, if there is one.
        path: Option<PathBuf>,
        /// All that differs.
        mismatch: Mismatch,
    },
}

wengert_tensor::debug_is_display!(LoadError);

/// All that differs between a model and a state dict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// The model has it, the state dict does not.
    pub missing: Vec<String>,
    /// The state dict has it, the model does not.
    pub unexpected: Vec<String>,
    /// Both have it, with other shapes or element types.
    pub misfits: Vec<(String, Misfit)>,
}

impl Mismatch {
    /// Compares them.
    pub fn between<M: Module + ?Sized>(model: &M, dict: &StateDict) -> Self {
        let mut mismatch = Mismatch::default();
        let mut known = HashSet::new();
        for (name, state) in model.named_state() {
            match dict.get(&name).map(|value| state.fits(value)) {
                Some(Ok(())) => {}
                Some(Err(misfit)) => mismatch.misfits.push((name.clone(), misfit)),
                None => mismatch.missing.push(name.clone()),
            }
            known.insert(name);
        }
        mismatch.unexpected =
            dict.names().filter(|name| !known.contains(*name)).map(String::from).collect();
        mismatch
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misfits.is_empty()
    }

    /// What the names tell about a dict that has all that the model has, under other names.
    fn advice(&self) -> Option<String> {
        let first = self.missing.first()?;
        let unexpected: HashSet<_> = self.unexpected.iter().map(String::as_str).collect();
        let under = |prefix: &str| {
            self.missing.iter().all(|name| unexpected.contains(format!("{prefix}{name}").as_str()))
        };
        if unexpected.contains("history.losses") && self.has_prefix("model.") {
            let best = if self.has_prefix("best.") { "; `best.` is the best epoch's" } else { "" };
            return Some(format!(
                "this is a checkpoint of a training run. Its model has `model.` in front of each name: \
                 load_state_dict(&mut model, &StateDict::load(path)?.part(\"model.\")){best}"
            ));
        }
        if under("step.") {
            return Some(
                "this is the state of an optimizer: `Optimizer::load_state_dict` takes it".into(),
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
                    "all that is unexpected is in the model with `{prefix}` in front of its name: load it into \
                     that part of the model"
                )
            }),
            [prefix] if self.unexpected.iter().all(|name| name.starts_with(prefix)) => {
                Some(format!(
                    "all that is missing is there with `{prefix}` in front of its name: \
                     `StateDict::strip_prefix` removes it"
                ))
            }
            [prefix] => Some(format!(
                "all that is missing is there with `{prefix}` in front of its name: \
                 `StateDict::part(\"{prefix}\")` takes it out"
            )),
            _ => Some(format!(
                "all that is missing is there under each of `{}`: `StateDict::part` takes one out",
                prefixes.join("`, `")
            )),
        }
    }

    fn has_prefix(&self, prefix: &str) -> bool {
        self.unexpected.iter().any(|name| name.starts_with(prefix))
    }

    /// What every unexpected name lacks in front to be a missing one.
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

/// Where the tensors come from.
struct Source<'a>(Option<&'a Path>);
impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => path.display().fmt(f),
            None => f.write_str("the state dict"),
        }
    }
}

#[cfg(test)]
mod tests;
