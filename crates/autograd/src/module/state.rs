//! Parameters and buffers without their element type.

use super::outline::Outline;
use std::any::Any;
use std::fmt;
use wengert_tensor::{AnyTensor, Dtype, Shape};

pub(super) mod sealed {
    pub trait Sealed {}
}

/// Identifies a parameter or a buffer: unique among both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StateId(pub(super) u64);

/// The two kinds of state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StateKind {
    /// A [`Param`](crate::Param): trained, unless it is frozen.
    Param,
    /// A [`Buffer`](crate::Buffer): saved, but not trained.
    Buffer,
}

/// A [`Param`](crate::Param) or [`Buffer`](crate::Buffer) of any element type, as [`Module::visit`](crate::Module::visit) shows it.
/// Code that knows the type calls `state.downcast_ref::<Param<f32>>()` to get the original.
pub trait State: Any + Send + Sync + sealed::Sealed {
    /// Returns whether it is a parameter or a buffer.
    fn kind(&self) -> StateKind;

    /// Returns its identity: kept when it moves, new in a clone.
    fn id(&self) -> StateId;

    /// Returns the type of the elements.
    fn dtype(&self) -> Dtype;

    /// Returns the sizes of the axes.
    fn shape(&self) -> Shape;

    /// Returns the value. It shares memory with this state.
    fn value(&self) -> AnyTensor;

    /// Replaces the value. An `f32` state accepts `f64` values, and the reverse. Otherwise the element
    /// type must match, and the shape always must.
    ///
    /// # Errors
    /// If element type or shape do not match. In that case nothing is changed.
    fn set(&mut self, value: &AnyTensor) -> Result<(), Misfit>;

    /// Checks whether [`State::set`] would accept this value.
    ///
    /// # Errors
    /// Under the conditions of [`State::set`].
    fn fits(&self, value: &AnyTensor) -> Result<(), Misfit> {
        let float = |dtype| matches!(dtype, Dtype::F32 | Dtype::F64);
        let types = (self.dtype(), value.dtype());
        let shapes = (self.shape(), value.shape());
        if (types.0 == types.1 || float(types.0) && float(types.1)) && shapes.0 == shapes.1 {
            return Ok(());
        }
        Err(Misfit { wanted: (types.0, shapes.0.to_vec()), found: (types.1, shapes.1.to_vec()) })
    }

    /// Returns whether it is a frozen parameter.
    fn frozen(&self) -> bool;

    /// Freezes or unfreezes a parameter. Does nothing to a buffer.
    fn set_frozen(&mut self, frozen: bool);
}

impl dyn State {
    /// Returns the `Param<T>` or `Buffer<T>` if this is of type `S`.
    pub fn downcast_ref<S: State>(&self) -> Option<&S> {
        (self as &dyn Any).downcast_ref()
    }

    /// Returns the `Param<T>` or `Buffer<T>` if this is of type `S`.
    pub fn downcast_mut<S: State>(&mut self) -> Option<&mut S> {
        (self as &mut dyn Any).downcast_mut()
    }

    /// Returns whether it is a parameter that is not frozen.
    pub fn trainable(&self) -> bool {
        self.kind() == StateKind::Param && !self.frozen()
    }

    /// Returns its entry in an [`Outline`]: the shape.
    pub(crate) fn outline(&self) -> Outline {
        let frozen = if self.frozen() { " frozen" } else { "" };
        Outline::value(format_args!("{}{frozen}", self.shape()))
    }
}

/// The error for a tensor that cannot become the value of a parameter or buffer.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {} {:?}, found {} {:?}", wanted.0, wanted.1, found.0, found.1)]
pub struct Misfit {
    /// Element type and shape of the parameter or buffer.
    pub wanted: (Dtype, Vec<usize>),
    /// Element type and shape of the given tensor.
    pub found: (Dtype, Vec<usize>),
}

wengert_tensor::debug_is_display!(Misfit);

/// Writes kind, element type and shape, such as `Param(f32 [512, 784])`, and whether it is frozen.
impl fmt::Debug for dyn State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frozen = if self.frozen() { ", frozen" } else { "" };
        write!(f, "{:?}({} {}{frozen})", self.kind(), self.dtype(), self.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::{Buffer, Param};
    use wengert_tensor::Tensor;

    #[test]
    fn set_accepts_f32_and_f64_values() {
        let mut param = Param::new(Tensor::zeros(&[2]));
        let state: &mut dyn State = &mut param;
        assert_eq!(state.set(&Tensor::from([1.5f64, 2.5]).into()), Ok(()));
        let param = state.downcast_ref::<Param>().unwrap();
        assert_eq!(param.value().to_vec(), [1.5, 2.5]);
        assert_eq!(param.version(), 1);
        assert!(state.downcast_ref::<Param<f64>>().is_none());
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused_and_changes_nothing() {
        let mut param = Param::new(Tensor::ones(&[2, 3]));
        let wrong = State::set(&mut param, &Tensor::<f64>::zeros_of(&[3, 2]).into()).unwrap_err();
        assert_eq!(wrong.to_string(), "expected f32 [2, 3], found f64 [3, 2]");
        assert_eq!((param.version(), param.value().at(&[0, 0])), (0, 1.0));

        let mut steps = Buffer::new(Tensor::scalar_of(3i64));
        let wrong = State::set(&mut steps, &Tensor::scalar_of(3.0f32).into()).unwrap_err();
        assert_eq!(wrong.to_string(), "expected i64 [], found f32 []");
    }

    #[test]
    fn only_parameters_are_trainable_and_can_be_frozen() {
        let (mut param, mut buffer) =
            (Param::new(Tensor::zeros(&[2])), Buffer::new(Tensor::zeros(&[2])));
        let states: [&mut dyn State; 2] = [&mut param, &mut buffer];
        for state in states {
            assert_eq!(state.trainable(), state.kind() == StateKind::Param);
            state.set_frozen(true);
            assert!(!state.trainable());
        }
        assert!(param.frozen());
    }
}
