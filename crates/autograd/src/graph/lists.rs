//! The lists that a custom operation returns: outputs, and cotangents of inputs.

use super::var::Var;
use smallvec::SmallVec;
use std::ops::Deref;
use wengert_tensor::Float;

/// The outputs of an operation, or their shapes. The list is made from an array or an iterator and
/// dereferences to a slice ([`Deref`]). `[y].into()` is one output, `[y, z].into()` are two.
///
/// ```
/// use wengert::autograd::Outputs;
/// let outputs: Outputs<i32> = [3, 4].into();
/// assert_eq!(outputs[1], 4);
/// assert_eq!(outputs, (3..5).collect());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs<X>(pub(crate) SmallVec<[X; 1]>);

/// The cotangents that a rule returns: one per input, and `None` for inputs that are not wanted
/// ([`Call::wants`](crate::Call::wants)). If a wanted cotangent is zero, return a variable of zeros. The
/// list is made from an array or an iterator, as [`Outputs`] is: `[Some(a), None].into()`.
#[derive(Clone)]
pub struct Cotangents<'t, T: Float>(pub(crate) SmallVec<[Option<Var<'t, T>>; 2]>);

macro_rules! list {
    ([$($generics:tt)*] [$($iteration:tt)*] $list:ty, $item:ty, $store:ty) => {
        impl<$($generics)* const N: usize> From<[$item; N]> for $list {
            fn from(items: [$item; N]) -> Self {
                items.into_iter().collect()
            }
        }
        impl<$($generics)*> FromIterator<$item> for $list {
            fn from_iter<I: IntoIterator<Item = $item>>(items: I) -> Self {
                Self(items.into_iter().collect())
            }
        }
        impl<$($generics)*> Deref for $list {
            type Target = [$item];
            #[inline]
            fn deref(&self) -> &[$item] {
                &self.0
            }
        }
        impl<$($generics)*> IntoIterator for $list {
            type Item = $item;
            type IntoIter = smallvec::IntoIter<$store>;
            fn into_iter(self) -> Self::IntoIter {
                self.0.into_iter()
            }
        }
        impl<'list, $($iteration)*> IntoIterator for &'list $list {
            type Item = &'list $item;
            type IntoIter = std::slice::Iter<'list, $item>;
            fn into_iter(self) -> Self::IntoIter {
                self.0.iter()
            }
        }
    };
}
list! { [X,] [X] Outputs<X>, X, [X; 1] }
list! { ['t, T: Float,] ['t, T: Float] Cotangents<'t, T>, Option<Var<'t, T>>, [Option<Var<'t, T>>; 2] }

/// Returns the cotangent of the only argument.
#[inline]
pub(crate) fn one<'t, T: Float>(g: Var<'t, T>) -> Cotangents<'t, T> {
    Cotangents(SmallVec::from_buf_and_len([Some(g), None], 1))
}

/// Returns the cotangents of two arguments.
#[inline]
pub(crate) fn two<'t, T: Float>(a: Option<Var<'t, T>>, b: Option<Var<'t, T>>) -> Cotangents<'t, T> {
    Cotangents(SmallVec::from_buf([a, b]))
}
