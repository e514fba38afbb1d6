//! Writing at positions that are data. A result consists of elements of the operand and of the source: a tensor of
//! integers says which, so that the same integers serve the derivatives. Of several elements for one position
//! the last is written.

use super::{Element, Float, Number, Tensor};
use crate::kernels::index;
use crate::layout::{Shape, Strides};
use crate::machine::{Shared, ranges};
use crate::shapes::{self, OrPanic, ShapeResult};
use smallvec::SmallVec;
use std::borrow::Borrow;

/// How [`scatter_reduce`](Tensor::scatter_reduce) combines the elements for one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScatterReduce {
    /// Their sum.
    Sum,
    /// Their product.
    Product,
    /// Their mean.
    Mean,
    /// The largest. It is NaN if one is NaN.
    Max,
    /// The smallest. It is NaN if one is NaN.
    Min,
}

/// Integers that follow from the positions of n elements among `size` places. The places come first as
/// entries 0 to `size` - 1, each at its own position, then the n elements.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// For each place, the last entry at its position.
    Writers,
    /// For each entry, its position.
    Targets,
    /// The entries, ordered by position.
    Order,
    /// For each place, where in that order its last entry is.
    Ends,
}

impl Tensor<i64> {
    /// Returns the flat position in a tensor of this shape for each number of an index along an axis.
    #[doc(hidden)]
    pub fn flat_positions(&self, op: &str, axis: usize, shape: &[usize]) -> ShapeResult<Self> {
        let own = self.contiguous();
        let numbers = own.as_slice().unwrap_or_default();
        shapes::index_range(op, numbers, axis as isize, shape)?;
        let mut flat = Vec::with_capacity(numbers.len());
        let strides = Strides::row_major(shape);
        let place = |place: usize, _: i64| flat.push(place as i64);
        index::each_place(self.shape(), axis, &strides, numbers, numbers, place);
        Ok(Tensor::from(flat))
    }

    /// Returns `self`, or the positions that `before` and `self` name together: along earlier axes, and
    /// along this axis of the shape.
    #[doc(hidden)]
    pub fn mixed_positions(
        &self,
        before: Option<&Self>,
        axis: usize,
        shape: &[usize],
    ) -> ShapeResult<Self> {
        let own = self.contiguous();
        shapes::index_range("index_put", own.as_slice().unwrap_or_default(), axis as isize, shape)?;
        Ok(match before {
            None => own,
            Some(before) => before * &Tensor::scalar_of(shape[axis] as i64) + &own,
        })
    }

    /// Returns integers about these positions, which are below `size`.
    #[doc(hidden)]
    pub fn grouped(&self, wanted: Grouping, size: usize) -> Self {
        let at = self.contiguous();
        let at = at.as_slice().unwrap_or_default();
        let targets = (0..size as i64).chain(at.iter().copied());
        match wanted {
            Grouping::Targets => Tensor::from(targets.collect::<Vec<_>>()),
            Grouping::Writers => {
                let mut last: Vec<i64> = (0..size as i64).collect();
                targets.zip(0..).for_each(|(place, entry)| last[place as usize] = entry);
                Tensor::from(last)
            }
            Grouping::Order | Grouping::Ends => {
                let mut ends = vec![0i64; size];
                targets.clone().for_each(|place| ends[place as usize] += 1);
                let mut sum = 0;
                for end in &mut ends {
                    sum += *end;
                    *end = sum - 1;
                }
                if wanted == Grouping::Ends {
                    return Tensor::from(ends);
                }
                let all: Vec<i64> = targets.collect();
                let mut order = vec![0; all.len()];
                for (entry, place) in all.iter().enumerate().rev() {
                    let end = &mut ends[*place as usize];
                    order[*end as usize] = entry as i64;
                    *end -= 1;
                }
                Tensor::from(order)
            }
        }
    }
}

impl<T: Element> Tensor<T> {
    /// Returns for each of `size` places the entry with the largest or smallest element. The first NaN wins.
    #[doc(hidden)]
    pub fn winners(&self, targets: &Tensor<i64>, size: usize, largest: bool) -> Tensor<i64> {
        let mut best: Vec<Option<(u64, i64)>> = vec![None; size];
        let numbers = self.to_vec();
        for ((place, x), entry) in targets.to_vec().into_iter().zip(numbers).zip(0..) {
            let key = if largest || x.is_nan_() { x.key() } else { !x.key() };
            let best = &mut best[place as usize];
            if best.is_none_or(|(known, _)| key > known) {
                *best = Some((key, entry));
            }
        }
        Tensor::from(best.into_iter().map(|best| best.map_or(0, |it| it.1)).collect::<Vec<_>>())
    }

    /// Returns `self`, seen as `size` rows, with rows replaced: `rows` are written at the positions `at`.
    fn with_rows_at(&self, at: &Tensor<i64>, rows: &Self, [size, inner]: [usize; 2]) -> Self {
        let parts = [self.reshape([size, inner]), rows.reshape([at.numel(), inner])];
        let from = at.grouped(Grouping::Writers, size);
        Tensor::concat(&parts, 0).index_select(0, &from).with_shape(self.shape())
    }

    /// Returns `self` with one element of `source` written for each number of `index`, which gives the
    /// position along `axis`. The positions along the other axes are those of the number itself: for three
    /// axes and axis 1, `out[i, index[i, j, k], k] = source[i, j, k]`. If an index names a position twice, the
    /// last element is written.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0, 3.0]);
    /// let y = x.scatter(0, &Tensor::from([2i64, 0]), &Tensor::from([7.0, 8.0]));
    /// assert_eq!(y.to_vec(), [8.0, 2.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis, the numbers of axes differ, `index` is longer than `source` along any
    /// axis or longer than `self` along another axis than `axis`, or a number in `index` is negative or not
    /// below the size of the axis.
    #[track_caller]
    pub fn scatter(&self, axis: isize, index: &Tensor<i64>, source: &Self) -> Self {
        let (shape, of_index) = (self.shape(), index.shape());
        let axis = shapes::scatter("scatter", &shape, axis, &of_index, &source.shape()).or_panic();
        let index = index.contiguous();
        let numbers = index.as_slice().unwrap_or_default();
        shapes::index_range("scatter", numbers, axis as isize, &shape).or_panic();
        let part = source.cut_to(&of_index).contiguous();
        let (mut out, from) = (self.copied(), part.as_slice().unwrap_or_default());
        let (size, to) = (shape.numel(), Shared(out.make_mut().as_mut_ptr()));
        let write = move |place: usize, x: T| {
            debug_assert!(place < size);
            // SAFETY: the index was checked, and one thread at a time has this place.
            unsafe { *to.get().add(place) = x }
        };
        let strides = Strides::row_major(&shape);
        index::each_place_in_parallel(size, of_index, axis, &strides, numbers, from, write);
        out
    }

    /// Returns the elements with indices within this shape, which is not longer along any axis.
    fn cut_to(&self, shape: &[usize]) -> Self {
        let cut = |x: Self, (axis, &size): (usize, &usize)| x.narrow(axis as isize, 0, size);
        shape.iter().enumerate().fold(self.clone(), cut)
    }
}

impl<T: Number> Tensor<T> {
    /// Returns `self` with values written at positions: `out[i, j, …] = values`, where `indices` are the
    /// positions i, j, … along the first axes. The indices broadcast, and the values broadcast to the shape
    /// of the indices, followed by the other axes. With `accumulate` the values are added, else the last value
    /// for a position is written.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::zeros(&[2, 2]);
    /// let diagonal = [Tensor::from([0i64, 1]), Tensor::from([0i64, 1])];
    /// let y = x.index_put(&diagonal, &Tensor::from([5.0, 6.0]), false);
    /// assert_eq!(y.to_vec(), [5.0, 0.0, 0.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no index or more than axes, the shapes do not broadcast, a position is negative or not
    /// below the size of its axis, or a sum of integers does not fit the type.
    #[track_caller]
    pub fn index_put<B: Borrow<Tensor<i64>>>(
        &self,
        indices: &[B],
        values: &Self,
        accumulate: bool,
    ) -> Self {
        let shape = self.shape();
        let of_indices: SmallVec<[Shape; 4]> = indices.iter().map(|i| i.borrow().shape()).collect();
        let put = shapes::index_put(&shape, &of_indices, &values.shape()).or_panic();
        let mut at: Option<Tensor<i64>> = None;
        for (axis, index) in indices.iter().enumerate() {
            at = Some(index.borrow().mixed_positions(at.as_ref(), axis, &shape).or_panic());
        }
        let at = at.expect("the rule requires an index").broadcast_to(&put.index).reshape(-1);
        let rows = values.broadcast_to(&put.values).reshape([at.numel(), put.size[1]]);
        if accumulate {
            return self.reshape(put.size).index_add(0, &at, &rows).with_shape(shape);
        }
        self.with_rows_at(&at, &rows, put.size)
    }
}

impl<T: Float> Tensor<T> {
    /// Combines one element of `source` for each number of `index` with the element at its position, as
    /// [`scatter_add`](Tensor::scatter_add) does for sums. Without `include_self`, elements of `self` that get
    /// others do not take part. Elements that get none stay as they are.
    ///
    /// ```
    /// use wengert::tensor::{ScatterReduce, Tensor};
    /// let (x, index) = (Tensor::from([1.0, 2.0]), Tensor::from([0i64, 0]));
    /// let source = Tensor::from([5.0, 3.0]);
    /// let y = x.scatter_reduce(0, &index, &source, ScatterReduce::Mean, true);
    /// assert_eq!(y.to_vec(), [3.0, 2.0]);
    /// let y = x.scatter_reduce(0, &index, &source, ScatterReduce::Min, false);
    /// assert_eq!(y.to_vec(), [3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// As [`scatter_add`](Tensor::scatter_add).
    #[track_caller]
    pub fn scatter_reduce(
        &self,
        axis: isize,
        index: &Tensor<i64>,
        source: &Self,
        how: ScatterReduce,
        include_self: bool,
    ) -> Self {
        let (shape, of_index) = (self.shape(), index.shape());
        let rule = shapes::scatter("scatter_reduce", &shape, axis, &of_index, &source.shape());
        let axis = rule.or_panic();
        let at = index.flat_positions("scatter_reduce", axis, &shape).or_panic();
        let (at, numbers) = (at.to_vec(), source.cut_to(&of_index).to_vec());
        let mut counts = vec![usize::from(include_self); shape.numel()];
        let mut out = self.copied();
        let to = out.make_mut();
        // Products are not rounded to the type before the last factor.
        let products = (how == ScatterReduce::Product).then(|| to.iter().map(|x| x.to()).collect());
        let mut products: Vec<f64> = products.unwrap_or_default();
        let nothing = match how {
            ScatterReduce::Sum | ScatterReduce::Mean => T::of(0.0),
            ScatterReduce::Product => T::of(1.0),
            ScatterReduce::Max => T::NEG_INFINITY,
            ScatterReduce::Min => T::INFINITY,
        };
        let has_products = !products.is_empty();
        let shared =
            (Shared(to.as_mut_ptr()), Shared(counts.as_mut_ptr()), Shared(products.as_mut_ptr()));
        // Each thread reads all positions, and combines the elements for places of its own.
        ranges(shape.numel(), at.len(), 1, |own| {
            let n = own.len();
            // SAFETY: the threads have different places. Without products the slice is empty.
            let (to, counts, products) = unsafe {
                let products = if has_products {
                    std::slice::from_raw_parts_mut(shared.2.get().add(own.start), n)
                } else {
                    &mut []
                };
                (
                    std::slice::from_raw_parts_mut(shared.0.get().add(own.start), n),
                    std::slice::from_raw_parts_mut(shared.1.get().add(own.start), n),
                    products,
                )
            };
            for (&place, &x) in at.iter().zip(&numbers) {
                if !own.contains(&(place as usize)) {
                    continue;
                }
                let place = place as usize - own.start;
                if counts[place] == 0 {
                    to[place] = nothing;
                    products.get_mut(place).into_iter().for_each(|it| *it = nothing.to());
                }
                counts[place] += 1;
                let y = &mut to[place];
                *y = match how {
                    ScatterReduce::Sum | ScatterReduce::Mean => *y + x,
                    ScatterReduce::Product => {
                        products[place] *= x.to();
                        T::of(products[place])
                    }
                    ScatterReduce::Max if x > *y || x.is_nan_() => x,
                    ScatterReduce::Min if x < *y || x.is_nan_() => x,
                    ScatterReduce::Max | ScatterReduce::Min => *y,
                };
            }
        });
        if how == ScatterReduce::Mean {
            for (y, &count) in to.iter_mut().zip(&counts) {
                *y = *y / T::of(count.max(1) as f64);
            }
        }
        out
    }
}
