//! Parameters, which are trained, and buffers, which are only saved.

use super::state::{Misfit, State, StateId, StateKind, sealed};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use wengert_tensor::{AnyTensor, Dtype, Element, Float, Shape, Tensor};

/// Returns a new identity: each call in a process returns another number.
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Identifies a parameter: unique within the process, kept when the parameter moves, new in a clone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ParamId(u64);

/// Identifies a buffer: unique within the process, kept when the buffer moves, new in a clone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BufferId(u64);

/// Tells whether a parameter still exists, even after it has moved. [`Param::handle`] returns it.
///
/// An optimizer, for example, can delete the state that it stores under a [`ParamId`] when the parameter
/// no longer exists.
///
/// ```
/// use wengert::autograd::Param;
/// use wengert::tensor::Tensor;
/// let weight = Param::new(Tensor::zeros(&[2]));
/// let handle = weight.handle();
/// let moved = Box::new(weight);
/// let copy = moved.clone();
/// assert!(handle.is_alive());
/// drop(moved);
/// assert!(!handle.is_alive()); // the copy is another parameter
/// assert!(copy.handle().is_alive());
/// ```
#[derive(Clone, Debug)]
pub struct ParamHandle(Weak<()>);

impl ParamHandle {
    /// Returns whether the parameter still exists.
    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// A tensor that training adjusts, such as the weight of a layer.
///
/// Gradients and the state of optimizers refer to a parameter by its [`id`](Param::id). Every change of
/// the value raises the [`version`](Param::version). A tape compares versions to detect that its
/// recorded values are out of date. A clone is another parameter with an id of its own. Two layers share
/// a weight if the model uses one field twice. Threads that run the same model share `&model`.
///
/// ```
/// use wengert::autograd::Param;
/// use wengert::tensor::Tensor;
///
/// let mut weight = Param::new(Tensor::zeros(&[2]));
/// weight.update(|w| w.make_mut().copy_from_slice(&[0.5, -0.5]));
/// assert_eq!(weight.value().to_vec(), [0.5, -0.5]);
/// assert_eq!(weight.version(), 1);
/// assert_ne!(weight.clone().id(), weight.id());
/// ```
pub struct Param<T: Float = f32> {
    id: ParamId,
    /// Never cloned: handles detect by its count whether the parameter exists.
    alive: Arc<()>,
    version: u64,
    value: Tensor<T>,
    frozen: bool,
}

impl<T: Float> Param<T> {
    /// Makes a trainable parameter with this value.
    pub fn new(value: Tensor<T>) -> Self {
        Param { id: ParamId(fresh()), alive: Arc::new(()), version: 0, value, frozen: false }
    }

    /// Returns a handle that tells later whether this parameter still exists.
    pub fn handle(&self) -> ParamHandle {
        ParamHandle(Arc::downgrade(&self.alive))
    }

    /// Returns whether the parameter is frozen, so that training does not change it.
    #[inline]
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    /// Freezes the parameter: in the forward pass it is a constant, without gradient and update.
    pub fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Makes the parameter trainable.
    pub fn unfreeze(&mut self) {
        self.frozen = false;
    }
}

/// A tensor that is part of a model's state but is not trained by gradients, such as a running mean. It
/// is saved and loaded with the parameters.
///
/// ```
/// use wengert::autograd::Buffer;
/// use wengert::tensor::Tensor;
///
/// let steps: Buffer<i64> = Buffer::new(Tensor::scalar_of(0));
/// assert_eq!(steps.value().item(), 0);
/// ```
pub struct Buffer<T: Element = f32> {
    id: BufferId,
    version: u64,
    value: Tensor<T>,
    /// The number of applied updates of [`Tape::average_buffer`](crate::Tape::average_buffer).
    pub(crate) averaged: u64,
}

impl<T: Element> Buffer<T> {
    /// Makes a buffer with this value.
    pub fn new(value: Tensor<T>) -> Self {
        Buffer { id: BufferId(fresh()), version: 0, value, averaged: 0 }
    }
}

/// Writes what parameters and buffers have in common. `$name` is the word for one of them. `$lost` replaces
/// the elements if a change of the shape has destroyed the old value.
macro_rules! state {
    ($State:ident<T: $Element:ident>, $Id:ident, $name:literal, $lost:expr) => {
        impl From<$Id> for StateId {
            fn from(id: $Id) -> Self {
                StateId(id.0)
            }
        }

        impl<T: $Element> $State<T> {
            #[doc = concat!("Returns the identity of this ", $name, ".")]
            #[inline]
            pub fn id(&self) -> $Id {
                self.id
            }

            /// Returns the number of changes of the value.
            #[inline]
            pub fn version(&self) -> u64 {
                self.version
            }

            /// Returns the value.
            #[inline]
            pub fn value(&self) -> &Tensor<T> {
                &self.value
            }

            /// Returns the sizes of the axes. They never change.
            #[inline]
            pub fn shape(&self) -> Shape {
                self.value.shape()
            }

            /// Changes the value. This is the only way to change it, together with
            #[doc = concat!("[`set`](", stringify!($State), "::set), which calls it.")]
            /// If another tensor shares the memory, [`Tensor::make_mut`] copies it before `change` writes to
            /// it. Otherwise the value changes in place.
            ///
            /// # Panics
            /// If `change` changes the shape. The old value is then lost: a parameter becomes NaN, a buffer 0.
            #[track_caller]
            pub fn update<R>(&mut self, change: impl FnOnce(&mut Tensor<T>) -> R) -> R {
                // The version is raised first: a panic in `change` then cannot leave a new value with an
                // old version.
                self.version += 1;
                update(&mut self.value, stringify!($State), $lost, change)
            }

            /// Replaces the value.
            ///
            /// # Panics
            /// If the shape differs. The value is then as before.
            #[track_caller]
            pub fn set(&mut self, value: Tensor<T>) {
                check_shape(stringify!($State), value.shape(), self.shape());
                self.update(|old| *old = value);
            }
        }

        impl<T: $Element> From<Tensor<T>> for $State<T> {
            fn from(value: Tensor<T>) -> Self {
                $State::new(value)
            }
        }

        /// Writes element type and shape, such as `Param(f32 [512, 784])`.
        #[doc = concat!("[`", stringify!($State), "::value`] returns the values.")]
        impl<T: $Element> fmt::Display for $State<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self as &dyn State, f)
            }
        }

        /// Writes the same as `Display`, which is short enough for the `Debug` of a whole model.
        impl<T: $Element> fmt::Debug for $State<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self as &dyn State, f)
            }
        }
    };
}

state! { Param<T: Float>, ParamId, "parameter", T::of(f64::NAN) }
state! { Buffer<T: Element>, BufferId, "buffer", T::default() }

/// Implements [`State`] by the methods of the same names. The block contains the methods that differ.
macro_rules! impl_state {
    ($State:ident<T: $Element:ident> { $($own:item)* }) => {
        impl<T: $Element> sealed::Sealed for $State<T> {}
        impl<T: $Element> State for $State<T> {
            fn kind(&self) -> StateKind {
                StateKind::$State
            }
            fn id(&self) -> StateId {
                $State::id(self).into()
            }
            fn dtype(&self) -> Dtype {
                T::DTYPE
            }
            fn shape(&self) -> Shape {
                $State::shape(self)
            }
            fn value(&self) -> AnyTensor {
                $State::value(self).clone().into()
            }
            fn set(&mut self, value: &AnyTensor) -> Result<(), Misfit> {
                self.fits(value)?;
                $State::set(self, value.cast());
                Ok(())
            }
            $($own)*
        }
    };
}

impl_state! { Param<T: Float> {
    fn frozen(&self) -> bool {
        Param::frozen(self)
    }
    fn set_frozen(&mut self, frozen: bool) {
        if frozen { self.freeze() } else { self.unfreeze() }
    }
} }

impl_state! { Buffer<T: Element> {
    fn frozen(&self) -> bool {
        false
    }
    fn set_frozen(&mut self, _: bool) {}
} }

/// Calls `change` with the value, whose shape must stay. If it does not, also after a panic in `change`,
/// the value becomes `lost` in the old shape: the old value no longer exists.
#[track_caller]
fn update<T: Element, R>(
    value: &mut Tensor<T>,
    owner: &str,
    lost: T,
    change: impl FnOnce(&mut Tensor<T>) -> R,
) -> R {
    struct RestoreValue<'v, T: Element> {
        value: &'v mut Tensor<T>,
        shape: Shape,
        lost: T,
    }
    impl<T: Element> Drop for RestoreValue<'_, T> {
        fn drop(&mut self) {
            if self.value.shape() != self.shape {
                let lost = self.lost;
                *self.value = Tensor::from_fn(&self.shape, |_| lost);
            }
        }
    }
    let shape = value.shape();
    let guard = RestoreValue { value, shape, lost };
    let result = change(guard.value);
    check_shape(owner, guard.value.shape(), shape);
    result
}

#[track_caller]
fn check_shape(owner: &str, after: Shape, before: Shape) {
    assert!(
        before == after,
        "{owner}: the new value has shape {after}, the old one {before}; a shape stays for life, \
         so reshape the new value or make a new {owner}"
    );
}

/// Makes another parameter with the same value and a new id. The memory is shared until one of the two
/// changes.
impl<T: Float> Clone for Param<T> {
    fn clone(&self) -> Self {
        let mut copy = Param::new(self.value.clone());
        copy.frozen = self.frozen;
        copy
    }
}

/// Makes another buffer with the same value and a new id. The memory is shared until one of the two
/// changes.
impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Buffer::new(self.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_a_separate_parameter() {
        let mut original = Param::new(Tensor::ones(&[2]));
        original.freeze();
        let mut copy = original.clone();
        assert_ne!(copy.id(), original.id());
        assert!(copy.frozen());
        copy.set(Tensor::zeros(&[2]));
        assert_eq!(original.value().to_vec(), [1.0, 1.0]);
        assert_eq!((original.version(), copy.version()), (0, 1));

        let buffer = Buffer::new(Tensor::ones(&[2]));
        assert_ne!(buffer.clone().id(), buffer.id());
    }

    #[test]
    fn ids_do_not_collide_across_threads() {
        let make = || (0..500).map(|_| Param::new(Tensor::scalar(0.0)).id()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let mut ids: Vec<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2000);
    }

    #[test]
    fn an_update_of_an_unshared_value_writes_in_place() {
        let mut param = Param::new(Tensor::zeros(&[1000]));
        let before = param.value().as_slice().unwrap().as_ptr();
        param.update(|w| w.make_mut().fill(2.0));
        assert_eq!(param.value().as_slice().unwrap().as_ptr(), before);

        let seen_elsewhere = param.value().clone();
        param.update(|w| w.make_mut().fill(3.0));
        assert_ne!(param.value().as_slice().unwrap().as_ptr(), before);
        assert_eq!(seen_elsewhere.to_vec(), [2.0; 1000]);
        assert_eq!(param.version(), 2);
    }

    #[test]
    #[should_panic(expected = "Param: the new value has shape [3], the old one [2]")]
    fn a_new_value_of_another_shape_is_refused() {
        Param::new(Tensor::zeros(&[2])).set(Tensor::zeros(&[3]));
    }

    #[test]
    fn a_panic_inside_an_update_still_counts_as_a_change() {
        let mut param = Param::new(Tensor::zeros(&[1]));
        let update = std::panic::AssertUnwindSafe(|| param.update(|_| panic!("halfway")));
        assert!(std::panic::catch_unwind(update).is_err());
        assert_eq!(param.version(), 1);
    }

    #[test]
    fn debug_is_short() {
        let mut param = Param::<f64>::new(Tensor::zeros_of(&[2, 3]));
        assert_eq!(format!("{param:?}"), "Param(f64 [2, 3])");
        param.freeze();
        assert_eq!(format!("{param:?}"), "Param(f64 [2, 3], frozen)");
        assert_eq!(format!("{:?}", Buffer::new(Tensor::scalar_of(true))), "Buffer(bool [])");
    }
}
