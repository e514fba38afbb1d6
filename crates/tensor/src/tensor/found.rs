//! Results whose shapes depend on the elements. Variables do not have these methods, because the shapes of a
//! tape are known before the values.

use super::{Element, Tensor};
use crate::kernels::LinePick;
use crate::shapes::{self, OrPanic};

impl<T: Element> Tensor<T> {
    /// Returns the elements where the mask is true, as a vector, in row-major order. The mask and `self`
    /// broadcast.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([3.0, -1.0, 2.0]);
    /// assert_eq!(x.masked_select(&x.gt(0)).to_vec(), [3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor<bool>) -> Self {
        let shape = shapes::broadcast("masked_select", &self.shape(), &mask.shape()).or_panic();
        let (x, mask) = (self.broadcast_to(&shape).to_vec(), mask.broadcast_to(&shape).to_vec());
        let found = x.into_iter().zip(mask).filter(|&(_, wanted)| wanted);
        Tensor::from(found.map(|(x, _)| x).collect::<Vec<_>>())
    }

    /// Returns the indices of the elements that are not zero, in row-major order: one row for each element,
    /// with one number for each axis. NaN is not zero.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[0.0, 5.0], [7.0, 0.0]]);
    /// assert_eq!(x.nonzero(), Tensor::from([[0, 1], [1, 0]]));
    /// ```
    pub fn nonzero(&self) -> Tensor<i64> {
        let (shape, flags) = (self.shape(), self.cast::<bool>().to_vec());
        let mut rows = Vec::new();
        for (at, _) in flags.iter().enumerate().filter(|&(_, &flag)| flag) {
            let mut inner = flags.len();
            rows.extend(shape.iter().map(|size| {
                let outer = inner;
                inner /= size;
                (at % outer / inner) as i64
            }));
        }
        let count = flags.iter().filter(|&&flag| flag).count();
        Tensor::from_vec(rows, &[count, shape.rank()])
    }

    /// Returns the distinct elements in ascending order, for each element of `self` the position of its equal
    /// among them, and how often each occurs. All axes count as one. NaN comes last, and each NaN is distinct,
    /// as in PyTorch.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (values, inverse, counts) = Tensor::from([3i64, 1, 3]).unique();
    /// assert_eq!(values.to_vec(), [1, 3]);
    /// assert_eq!(inverse.to_vec(), [1, 0, 1]);
    /// assert_eq!(counts.to_vec(), [1, 2]);
    /// ```
    pub fn unique(&self) -> (Self, Tensor<i64>, Tensor<i64>) {
        let flat = self.reshape(-1);
        let (x, n) = (flat.to_vec(), flat.numel());
        let order = flat.positions(LinePick::Ascending, 0, n).to_vec();
        let (mut values, mut counts, mut inverse) = (vec![], vec![], vec![0; n]);
        for at in order {
            let element = x[at as usize];
            if values.last() != Some(&element) {
                values.push(element);
                counts.push(0);
            }
            *counts.last_mut().expect("pushed with the first element") += 1;
            inverse[at as usize] = values.len() as i64 - 1;
        }
        (values.into(), Tensor::from_vec(inverse, self.shape()), counts.into())
    }
}
