//! Tensors with names: the state of a model or an optimizer, and the content of a file.

use crate::tensor::AnyTensor;
use std::collections::{BTreeMap, HashMap};

/// The key of the notes in the header of a file. No tensor can have this name.
pub(super) const METADATA: &str = "__metadata__";

/// A list of tensors with names, and notes: the content of a safetensors file.
///
/// The tensors are in the order in which they were inserted. A file orders them by element type, the widest
/// type first, then by name.
///
/// ```
/// use wengert::tensor::{NamedTensors, Tensor};
///
/// let mut tensors = NamedTensors::new();
/// tensors.insert("weight", Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]));
/// tensors.insert("steps", Tensor::scalar_of(7i64));
/// tensors.metadata.insert("made by".into(), "wengert".into());
///
/// let bytes = tensors.to_bytes();
/// assert_eq!(NamedTensors::from_bytes(&bytes).unwrap(), tensors);
/// assert!(NamedTensors::from_bytes(&bytes[1..]).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct NamedTensors {
    tensors: Vec<(String, AnyTensor)>,
    /// The position of each name in `tensors`.
    index: HashMap<String, usize>,
    /// Notes, stored together with the tensors.
    pub metadata: BTreeMap<String, String>,
}

impl NamedTensors {
    /// Returns an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor, or replaces the tensor with this name.
    ///
    /// # Panics
    /// If the name is `__metadata__`, which the format reserves.
    #[track_caller]
    pub fn insert(
        &mut self,
        name: impl Into<String>,
        tensor: impl Into<AnyTensor>,
    ) -> Option<AnyTensor> {
        let (name, tensor) = (name.into(), tensor.into());
        assert!(
            name != METADATA,
            "insert: the name `{name}` is reserved by the safetensors format"
        );
        if let Some(&i) = self.index.get(&name) {
            return Some(std::mem::replace(&mut self.tensors[i].1, tensor));
        }
        self.index.insert(name.clone(), self.tensors.len());
        self.tensors.push((name, tensor));
        None
    }

    /// Returns the tensor with this name.
    pub fn get(&self, name: &str) -> Option<&AnyTensor> {
        self.index.get(name).map(|&i| &self.tensors[i].1)
    }

    /// Returns the number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Returns whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Returns the tensors with their names, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &AnyTensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Returns the names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Removes a prefix from every name that begins with it, such as the `module.` of PyTorch's parallel
    /// models. Other names stay as they are.
    ///
    /// # Panics
    /// If two names would become equal.
    #[track_caller]
    pub fn strip_prefix(self, prefix: &str) -> Self {
        let mut out = NamedTensors { metadata: self.metadata, ..Self::new() };
        for (name, tensor) in self.tensors {
            let short = name.strip_prefix(prefix).unwrap_or(&name);
            let taken = out.insert(short, tensor).is_some();
            assert!(!taken, "strip_prefix: without `{prefix}`, two tensors are named `{short}`");
        }
        out
    }

    /// Returns the tensors and notes whose names begin with this prefix, with the prefix removed. The model
    /// of a training checkpoint is its part `model.`.
    ///
    /// ```
    /// use wengert::tensor::{NamedTensors, Tensor};
    /// let all: NamedTensors =
    ///     [("model.weight", Tensor::scalar(1.0)), ("best.weight", Tensor::scalar(2.0))]
    ///         .into_iter()
    ///         .collect();
    /// let best = all.part("best.");
    /// assert_eq!(best.get("weight"), all.get("best.weight"));
    /// assert_eq!(best.len(), 1);
    /// ```
    pub fn part(&self, prefix: &str) -> Self {
        let short = |name: &str| name.strip_prefix(prefix).map(String::from);
        let tensors = self.iter();
        let mut part: Self =
            tensors.filter_map(|(name, tensor)| Some((short(name)?, tensor.clone()))).collect();
        let notes = self.metadata.iter();
        part.metadata = notes.filter_map(|(key, note)| Some((short(key)?, note.clone()))).collect();
        part
    }
}

/// Two lists are equal if their names, tensors and notes are equal. The order does not matter.
impl PartialEq for NamedTensors {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.metadata == other.metadata
            && self.iter().all(|(name, tensor)| other.get(name) == Some(tensor))
    }
}

impl<S: Into<String>, T: Into<AnyTensor>> Extend<(S, T)> for NamedTensors {
    fn extend<I: IntoIterator<Item = (S, T)>>(&mut self, tensors: I) {
        for (name, tensor) in tensors {
            self.insert(name, tensor);
        }
    }
}

impl<S: Into<String>, T: Into<AnyTensor>> FromIterator<(S, T)> for NamedTensors {
    fn from_iter<I: IntoIterator<Item = (S, T)>>(tensors: I) -> Self {
        let mut out = Self::new();
        out.extend(tensors);
        out
    }
}

impl IntoIterator for NamedTensors {
    type Item = (String, AnyTensor);
    type IntoIter = std::vec::IntoIter<Self::Item>;
    fn into_iter(self) -> Self::IntoIter {
        self.tensors.into_iter()
    }
}
