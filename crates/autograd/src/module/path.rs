//! The paths of parameters and buffers, and the functions that a visit calls with them.

use super::state::State;
use std::fmt::{self, Write};

/// The path of a parameter or buffer in a model. It is a linked chain on the stack of the visit, and
/// becomes a string such as `conv1.weight` only when it is formatted.
///
/// ```
/// use wengert::autograd::Path;
/// let root = Path::root();
/// let layers = root.child("layers");
/// assert_eq!(layers.index(3).child("weight").to_string(), "layers.3.weight");
/// ```
#[derive(Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    part: PathPart<'a>,
}

#[derive(Clone, Copy)]
enum PathPart<'a> {
    Root,
    Child(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// Returns the path of the model itself. Its name is empty.
    pub const fn root() -> Self {
        Path { parent: None, part: PathPart::Root }
    }

    /// Returns the path of a field.
    pub fn child(&'a self, name: &'a str) -> Self {
        Path { parent: Some(self), part: PathPart::Child(name) }
    }

    /// Returns the path of an element of a list.
    pub fn index(&'a self, index: usize) -> Self {
        Path { parent: Some(self), part: PathPart::Index(index) }
    }
}

impl Path<'_> {
    /// Returns the name, for messages. The model itself has no name; its path returns `whole`.
    ///
    /// ```
    /// use wengert::autograd::Path;
    /// let root = Path::root();
    /// assert_eq!(root.child("weight").name_or("the parameter itself"), "weight");
    /// assert_eq!(root.name_or("the parameter itself"), "the parameter itself");
    /// ```
    pub fn name_or(&self, whole: &str) -> String {
        if self.parent.is_none() { whole.into() } else { self.to_string() }
    }
}

impl Path<'_> {
    /// Returns the number of steps from the model to this path.
    pub(super) fn steps(&self) -> u32 {
        self.parent.map_or(0, |parent| parent.steps() + 1)
    }

    /// Appends the path to `text`, and the end of each step to `ends`.
    pub(crate) fn write_to(&self, text: &mut String, ends: &mut Vec<u32>) {
        let Some(parent) = self.parent else { return };
        parent.write_to(text, ends);
        if parent.parent.is_some() {
            text.push('.');
        }
        match self.part {
            PathPart::Root => {}
            PathPart::Child(name) => text.push_str(name),
            PathPart::Index(index) if index < 10 => text.push((b'0' + index as u8) as char),
            PathPart::Index(index) => _ = write!(text, "{index}"),
        }
        ends.push(text.len() as u32);
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            if parent.parent.is_some() {
                f.write_str(".")?;
            }
        }
        match self.part {
            PathPart::Root => Ok(()),
            PathPart::Child(name) => f.write_str(name),
            PathPart::Index(index) => write!(f, "{index}"),
        }
    }
}

/// The function that [`Module::visit`](crate::Module::visit) calls with every parameter and buffer, and its path.
pub type See<'s, 'm> = dyn FnMut(&Path<'_>, &'m dyn State) + 's;

/// The function that [`Module::visit_mut`](crate::Module::visit_mut) calls with every parameter and buffer, and its path.
pub type SeeMut<'s, 'm> = dyn FnMut(&Path<'_>, &'m mut dyn State) + 's;

/// `Module::visit` and `Module::visit_mut` of one module. The functions behind the default methods take
/// them, so that these functions are compiled once and not again for each type of module.
pub(super) type Visit<'v, 'm> = &'v mut dyn FnMut(&mut See<'_, 'm>);
pub(super) type VisitMut<'v> = &'v mut dyn FnMut(&mut dyn FnMut(&Path<'_>, &mut dyn State));
