//! What a module holds, seen without its element type.

use super::outline::Outline;
use super::param::{Buffer, Param, StateId};
use std::any::Any;
use std::fmt;
use wengert_tensor::{AnyTensor, Dtype, Element, Float, Shape};

mod sealed {
    pub trait Sealed {}
}

/// Which of the two kinds of state it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Trained, unless it is frozen: a [`Param`].
    Param,
    /// Saved, not trained: a [`Buffer`].
    Buffer,
}

/// A [`Param`] or [`Buffer`] of any element type: what
/// [`Module::visit`](crate::Module::visit) shows. Code that knows the type gets at the original by
/// `state.downcast_ref::<Param<f32>>()`.
pub trait State: Any + Send + Sync + sealed::Sealed {
    /// Parameter or buffer.
    fn kind(&self) -> Kind;

    /// Its identity: kept when it moves, another one in a clone.
    fn id(&self) -> StateId;

    /// The type of its elements.
    fn dtype(&self) -> Dtype;

    /// The sizes of its axes.
    fn shape(&self) -> Shape;

    /// The numbers, in the storage they have.
    fn value(&self) -> AnyTensor;

    /// Replaces the numbers. An `f32` state takes `f64` numbers and the other way round; apart
    /// from that element type and shape must be its own.
    ///
    /// # Errors
    /// If they are not. Nothing has changed then.
    fn set(&mut self, value: &AnyTensor) -> Result<(), Misfit>;

    /// Whether [`State::set`] would take this value.
    ///
    /// # Errors
    /// What [`State::set`] would say.
    fn fits(&self, value: &AnyTensor) -> Result<(), Misfit> {
        let float = |dtype| matches!(dtype, Dtype::F32 | Dtype::F64);
        let types = (self.dtype(), value.dtype());
        let shapes = (self.shape(), value.shape());
        if (types.0 == types.1 || float(types.0) && float(types.1)) && shapes.0 == shapes.1 {
            return Ok(());
        }
        Err(Misfit { wanted: (types.0, shapes.0.to_vec()), found: (types.1, shapes.1.to_vec()) })
    }

    /// Whether it is a parameter that training leaves alone.
    fn frozen(&self) -> bool;

    /// Freezes or unfreezes a parameter; for a buffer there is nothing to do.
    fn set_frozen(&mut self, frozen: bool);
}

impl dyn State {
    /// The `Param<T>` or `Buffer<T>` itself, if that is what it is.
    pub fn downcast_ref<S: State>(&self) -> Option<&S> {
        (self as &dyn Any).downcast_ref()
    }

    /// The `Param<T>` or `Buffer<T>` itself, if that is what it is.
    pub fn downcast_mut<S: State>(&mut self) -> Option<&mut S> {
        (self as &mut dyn Any).downcast_mut()
    }

    /// Whether it is a parameter that is not frozen.
    pub fn trainable(&self) -> bool {
        self.kind() == Kind::Param && !self.frozen()
    }

    /// How [`Outline`] shows it: its shape.
    pub(crate) fn outline(&self) -> Outline {
        let frozen = if self.frozen() { " frozen" } else { "" };
        Outline::value(format_args!("{}{frozen}", self.shape()))
    }
}

/// Why a tensor cannot become the value of a parameter or buffer.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("wanted {} {:?}, found {} {:?}", wanted.0, wanted.1, found.0, found.1)]
pub struct Misfit {
    /// What the model has.
    pub wanted: (Dtype, Vec<usize>),
    /// What was offered.
    pub found: (Dtype, Vec<usize>),
}

wengert_tensor::debug_is_display!(Misfit);

impl<T: Float> sealed::Sealed for Param<T> {}
impl<T: Float> State for Param<T> {
    fn kind(&self) -> Kind {
        Kind::Param
    }
    fn id(&self) -> StateId {
        Param::id(self).into()
    }
    fn dtype(&self) -> Dtype {
        T::DTYPE
    }
    fn shape(&self) -> Shape {
        self.value().shape()
    }
    fn value(&self) -> AnyTensor {
        Param::value(self).clone().into()
    }
    fn set(&mut self, value: &AnyTensor) -> Result<(), Misfit> {
        self.fits(value)?;
        Param::set(self, value.cast());
        Ok(())
    }
    fn frozen(&self) -> bool {
        Param::frozen(self)
    }
    fn set_frozen(&mut self, frozen: bool) {
        if frozen { self.freeze() } else { self.unfreeze() }
    }
}

impl<T: Element> sealed::Sealed for Buffer<T> {}
impl<T: Element> State for Buffer<T> {
    fn kind(&self) -> Kind {
        Kind::Buffer
    }
    fn id(&self) -> StateId {
        Buffer::id(self).into()
    }
    fn dtype(&self) -> Dtype {
        T::DTYPE
    }
    fn shape(&self) -> Shape {
        self.value().shape()
    }
    fn value(&self) -> AnyTensor {
        Buffer::value(self).clone().into()
    }
    fn set(&mut self, value: &AnyTensor) -> Result<(), Misfit> {
        self.fits(value)?;
        Buffer::set(self, value.cast());
        Ok(())
    }
    fn frozen(&self) -> bool {
        false
    }
    fn set_frozen(&mut self, _: bool) {}
}

impl fmt::Debug for dyn State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} {})", self.kind(), self.dtype(), self.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tensor::Tensor;

    #[test]
    fn floats_of_either_width_are_taken() {
        let mut param = Param::new(Tensor::zeros(&[2]));
        let state: &mut dyn State = &mut param;
        assert_eq!(state.set(&Tensor::from([1.5f64, 2.5]).into()), Ok(()));
        let param = state.downcast_ref::<Param>().unwrap();
        assert_eq!(param.value().to_vec(), [1.5, 2.5]);
        assert_eq!(param.version(), 1);
        assert!(state.downcast_ref::<Param<f64>>().is_none());
    }

    #[test]
    fn a_misfit_says_both_sides_and_changes_nothing() {
        let mut param = Param::new(Tensor::ones(&[2, 3]));
        let wrong = State::set(&mut param, &Tensor::<f64>::zeros_of(&[3, 2]).into()).unwrap_err();
        assert_eq!(wrong.to_string(), "wanted f32 [2, 3], found f64 [3, 2]");
        assert_eq!((param.version(), param.value().at(&[0, 0])), (0, 1.0));

        let mut steps = Buffer::new(Tensor::scalar_of(3i64));
        let wrong = State::set(&mut steps, &Tensor::scalar_of(3.0f32).into()).unwrap_err();
        assert_eq!(wrong.to_string(), "wanted i64 [], found f32 []");
    }

    #[test]
    fn kinds_and_freezing() {
        let (mut param, mut buffer) =
            (Param::new(Tensor::zeros(&[2])), Buffer::new(Tensor::zeros(&[2])));
        let states: [&mut dyn State; 2] = [&mut param, &mut buffer];
        for state in states {
            assert_eq!(state.trainable(), state.kind() == Kind::Param);
            state.set_frozen(true);
            assert!(!state.trainable());
        }
        assert!(param.frozen());
    }
}
