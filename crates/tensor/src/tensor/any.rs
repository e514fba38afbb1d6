//! A tensor whose element type is known only at run time.

use crate::layout::Shape;
use crate::number::Dtype;
use crate::tensor::Element;
use crate::tensor::Tensor;
use std::any::Any;
use std::fmt;

/// A tensor whose element type is known only at run time. Files and the state of models hold such tensors.
///
/// ```
/// use wengert::tensor::{AnyTensor, Dtype, Tensor};
/// let any = AnyTensor::from(Tensor::from([1.5f64, 2.5]));
/// assert_eq!(any.dtype(), Dtype::F64);
/// assert_eq!(any.cast::<f32>().to_vec(), [1.5f32, 2.5]);
/// assert!(any.get::<i64>().is_none());
/// ```
#[derive(Clone, PartialEq)]
#[allow(missing_docs)] // the names say it
#[non_exhaustive]
pub enum AnyTensor {
    F32(Tensor<f32>),
    F64(Tensor<f64>),
    I64(Tensor<i64>),
    U32(Tensor<u32>),
    U8(Tensor<u8>),
    Bool(Tensor<bool>),
}

/// Evaluates the same expression for each element type.
macro_rules! each {
    ($any:expr, $tensor:ident => $result:expr) => {
        match $any {
            AnyTensor::F32($tensor) => $result,
            AnyTensor::F64($tensor) => $result,
            AnyTensor::I64($tensor) => $result,
            AnyTensor::U32($tensor) => $result,
            AnyTensor::U8($tensor) => $result,
            AnyTensor::Bool($tensor) => $result,
        }
    };
}

impl AnyTensor {
    /// Returns the sizes of the axes.
    pub fn shape(&self) -> Shape {
        each!(self, tensor => tensor.shape())
    }

    /// Returns the type of the elements.
    pub fn dtype(&self) -> Dtype {
        each!(self, tensor => tensor.dtype())
    }

    /// Returns the number of elements.
    pub fn numel(&self) -> usize {
        self.shape().numel()
    }

    /// Returns the tensor if its elements are of type `T`, else `None`.
    pub fn get<T: Element>(&self) -> Option<&Tensor<T>> {
        each!(self, tensor => (tensor as &dyn Any).downcast_ref())
    }

    /// Returns the tensor with elements of type `T`. If they have this type already, the result shares the
    /// memory. Else each element is converted as by [`Tensor::cast`].
    pub fn cast<T: Element>(&self) -> Tensor<T> {
        self.get().cloned().unwrap_or_else(|| each!(self, tensor => tensor.cast()))
    }
}

impl<T: Element> From<Tensor<T>> for AnyTensor {
    fn from(tensor: Tensor<T>) -> Self {
        fn same<T: Element, U: Element>(tensor: Tensor<T>) -> Tensor<U> {
            (&mut Some(tensor) as &mut dyn Any)
                .downcast_mut::<Option<Tensor<U>>>()
                .and_then(Option::take)
                .expect("types with equal `DTYPE` are one type")
        }
        match T::DTYPE {
            Dtype::F32 => AnyTensor::F32(same(tensor)),
            Dtype::F64 => AnyTensor::F64(same(tensor)),
            Dtype::I64 => AnyTensor::I64(same(tensor)),
            Dtype::U32 => AnyTensor::U32(same(tensor)),
            Dtype::U8 => AnyTensor::U8(same(tensor)),
            Dtype::Bool => AnyTensor::Bool(same(tensor)),
        }
    }
}

/// Prints the element type and the shape, such as `AnyTensor(f32 [2, 3])`.
impl fmt::Debug for AnyTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyTensor({} {})", self.dtype(), self.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<T: Element>(elements: [T; 2]) {
        let tensor = Tensor::from(elements);
        let any = AnyTensor::from(tensor.clone());
        assert_eq!(any.dtype(), T::DTYPE);
        assert_eq!(any.shape(), [2]);
        assert_eq!(any.get::<T>(), Some(&tensor));
        assert!(any.cast::<T>().shares_storage(&tensor));
        assert_eq!(any, AnyTensor::from(any.cast::<T>()));
    }

    #[test]
    fn any_tensor_returns_the_tensor_of_every_type() {
        there_and_back([1.5f32, -2.0]);
        there_and_back([1.5f64, -2.0]);
        there_and_back([i64::MAX, i64::MIN]);
        there_and_back([u32::MAX, 0]);
        there_and_back([7u8, 255]);
        there_and_back([true, false]);
    }

    #[test]
    fn any_tensor_casts_to_other_types() {
        let any = AnyTensor::from(Tensor::from([1.75f64, -2.0]));
        assert_eq!(any.cast::<f32>().to_vec(), [1.75, -2.0]);
        assert_eq!(any.cast::<i64>().to_vec(), [1, -2]);
        assert!(any.get::<f32>().is_none());
        assert_eq!(format!("{any:?}"), "AnyTensor(f64 [2])");
    }
}
