//! Tensors and tuples of tensors as data sets, with any number of inputs of any element types.

use crate::dataset::Dataset;
use wengert_tensor::{Element, Tensor};

/// Converts indices of examples to a tensor for `index_select`.
fn at(indices: &[usize]) -> Tensor<i64> {
    Tensor::from_fn(&[indices.len()], |i| indices[i] as i64)
}

#[track_caller]
fn examples<E: Element>(of: &Tensor<E>) -> usize {
    let shape = of.shape();
    match shape.first() {
        Some(&examples) => examples,
        None => panic!(
            "a data set of tensors: each tensor must have an axis 0, which counts the examples, \
             got shape {shape}"
        ),
    }
}

#[track_caller]
fn rows<E: Element>(of: &Tensor<E>, indices: &[usize]) -> Tensor<E> {
    let n = examples(of);
    if let Some(index) = indices.iter().find(|&&index| index >= n) {
        panic!("batch: index {index} is out of range for a data set of {n} examples");
    }
    of.index_select(0, &at(indices))
}

/// A data set of the rows of a tensor, without targets.
impl<E: Element> Dataset for Tensor<E> {
    type Batch = Tensor<E>;

    #[track_caller]
    fn len(&self) -> usize {
        examples(self)
    }

    #[track_caller]
    fn batch(&self, indices: &[usize]) -> Self::Batch {
        rows(self, indices)
    }
}

macro_rules! tuples {
    ($(($($E:ident $x:ident),*);)*) => {
        /// A data set of tensors of the same length: example `i` is row `i` of each tensor. Elements are
        /// not converted; use [`TensorDataset`](crate::TensorDataset) to scale bytes to 0..=1.
        $(impl<$($E: Element),*> Dataset for ($(Tensor<$E>,)*) {
            type Batch = ($(Tensor<$E>,)*);

            /// # Panics
            /// If a tensor has no axis, or the first axes of the tensors differ in length.
            #[track_caller]
            fn len(&self) -> usize {
                let ($($x,)*) = self;
                let lengths = [$(examples($x)),*];
                assert!(
                    lengths.iter().all(|length| *length == lengths[0]),
                    "a data set of tensors: the tensors must have the same size along axis 0, one \
                     index per example, got the sizes {lengths:?}"
                );
                lengths[0]
            }

            #[track_caller]
            fn batch(&self, indices: &[usize]) -> Self::Batch {
                let ($($x,)*) = self;
                ($(rows($x, indices),)*)
            }
        })*
    };
}
tuples! {
    (A a, B b);
    (A a, B b, C c);
    (A a, B b, C c, D d);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataLoader;

    #[test]
    fn a_batch_of_a_tuple_has_the_rows_of_each_tensor() {
        let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let y = Tensor::from([7i64, 8, 9]);
        let z = Tensor::from([true, false, true]);
        assert_eq!(y.batch(&[2, 0, 2]).to_vec(), [9, 7, 9]);
        // A view that is not contiguous works too.
        let set = (x.t().t(), y.clone(), z);
        let (a, b, c) = set.batch(&[2, 1]);
        assert_eq!((a.to_vec(), a.shape().to_vec()), (vec![5.0, 6.0, 3.0, 4.0], vec![2, 2]));
        assert_eq!((b.to_vec(), c.to_vec()), (vec![9, 8], vec![true, false]));
        let loader = DataLoader::new((y.clone(), y), 2);
        let seen: Vec<_> = loader.iter().map(|(a, _)| a.to_vec()).collect();
        assert_eq!(seen, [vec![7, 8], vec![9]]);
    }

    #[test]
    #[should_panic(
        expected = "the tensors must have the same size along axis 0, one index per example, got the \
             sizes [2, 3]"
    )]
    fn a_tuple_of_tensors_of_different_lengths_panics() {
        let _ = (Tensor::zeros(&[2]), Tensor::zeros(&[3])).len();
    }

    #[test]
    #[should_panic(expected = "batch: index 3 is out of range for a data set of 3 examples")]
    fn an_index_out_of_range_panics() {
        let _ = Tensor::zeros(&[3, 2]).batch(&[3]);
    }

    #[test]
    #[should_panic(
        expected = "each tensor must have an axis 0, which counts the examples, got shape []"
    )]
    fn a_scalar_as_data_set_panics() {
        let _ = Tensor::scalar(1.0).len();
    }
}
