//! Tensors as data sets by themselves: any number of inputs, of any element types.

use crate::dataset::Dataset;
use wengert_tensor::{Element, Tensor};

/// The numbers of examples as an index.
fn at(indices: &[usize]) -> Tensor<i64> {
    Tensor::from_fn(&[indices.len()], |i| indices[i] as i64)
}

#[track_caller]
fn examples<E: Element>(of: &Tensor<E>) -> usize {
    let shape = of.shape();
    match shape.first() {
        Some(&examples) => examples,
        None => panic!(
            "a data set of tensors: the first axis counts the examples, this has shape {shape}"
        ),
    }
}

#[track_caller]
fn rows<E: Element>(of: &Tensor<E>, indices: &[usize]) -> Tensor<E> {
    let n = examples(of);
    if let Some(index) = indices.iter().find(|&&index| index >= n) {
        panic!("batch: no example {index} in a set of {n}");
    }
    of.index_select(0, &at(indices))
}

/// The rows of a tensor: examples without a target.
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
        /// Tensors of one length: example `i` is the row `i` of each. Nothing is converted; bytes that are
        /// to become numbers from 0 to 1 are kept by a [`TensorDataset`](crate::TensorDataset).
        $(impl<$($E: Element),*> Dataset for ($(Tensor<$E>,)*) {
            type Batch = ($(Tensor<$E>,)*);

            /// # Panics
            /// If a tensor has no axis, or their first axes differ.
            #[track_caller]
            fn len(&self) -> usize {
                let ($($x,)*) = self;
                let lengths = [$(examples($x)),*];
                assert!(
                    lengths.iter().all(|length| *length == lengths[0]),
                    "a data set of tensors: the first axes have the sizes {lengths:?}, they must be the \
                     same: one index per example"
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
    fn rows_of_each() {
        let x = Tensor::from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let y = Tensor::from([7i64, 8, 9]);
        let z = Tensor::from([true, false, true]);
        assert_eq!(y.batch(&[2, 0, 2]).to_vec(), [9, 7, 9]);
        // Also of a view that is not contiguous.
        let set = (x.t().t(), y.clone(), z);
        let (a, b, c) = set.batch(&[2, 1]);
        assert_eq!((a.to_vec(), a.shape().to_vec()), (vec![5.0, 6.0, 3.0, 4.0], vec![2, 2]));
        assert_eq!((b.to_vec(), c.to_vec()), (vec![9, 8], vec![true, false]));
        let loader = DataLoader::new((y.clone(), y), 2);
        let seen: Vec<_> = loader.iter().map(|(a, _)| a.to_vec()).collect();
        assert_eq!(seen, [vec![7, 8], vec![9]]);
    }

    #[test]
    #[should_panic(expected = "the first axes have the sizes [2, 3], they must be the same")]
    fn tensors_of_other_lengths() {
        let _ = (Tensor::zeros(&[2]), Tensor::zeros(&[3])).len();
    }

    #[test]
    #[should_panic(expected = "batch: no example 3 in a set of 3")]
    fn no_such_example() {
        let _ = Tensor::zeros(&[3, 2]).batch(&[3]);
    }

    #[test]
    #[should_panic(expected = "the first axis counts the examples, this has shape []")]
    fn a_number_is_no_set() {
        let _ = Tensor::scalar(1.0).len();
    }
}
