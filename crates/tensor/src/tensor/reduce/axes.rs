//! Brings any layout and any set of reduced axes to the form that kernels read: `[outer, n, inner]`.

use crate::kernels::reduce::ReducedSizes;
use crate::kernels::reduce::plain::{self, Integer};
use crate::kernels::rows::SHORTEST;
use crate::layout::{MAX_RANK, Shape, Strides};
use crate::shapes::Reduced;
use crate::tensor::{Element, Tensor};
use smallvec::SmallVec;
use std::cmp::Reverse;

type Axes = SmallVec<[usize; MAX_RANK]>;

/// Loops over numbers of sizes `[outer, n, inner]` that write results. Taken by reference, so that the
/// functions around them are compiled once for each element type.
type Loops<'a, T, U> = dyn Fn(&[T], ReducedSizes, &mut [U]) + 'a;
type LoopsMut<'a, T, U> = dyn FnMut(&[T], ReducedSizes, &mut [U]) + 'a;

/// A reduction of some axes of a tensor: which axes are reduced, which are kept, and in which order the
/// axes are read.
pub struct ReducedAxes {
    shape: Shape,
    chosen: [bool; MAX_RANK],
    /// The shape of the result.
    out: Shape,
    /// The axes whose size is not 1, outermost first, in the order in which they are read.
    order: Axes,
}

impl ReducedAxes {
    /// Returns a reduction of the axes in `reduced`. `keepdim` keeps the reduced axes with size 1.
    pub fn new<T: Element>(x: &Tensor<T>, reduced: &Reduced, keepdim: bool) -> Self {
        let out = if keepdim { reduced.kept } else { reduced.dropped };
        Self::onto(x, reduced.chosen, out)
    }

    /// Returns a reduction of the `chosen` axes to a result of shape `out`, in which the kept axes appear
    /// in their order.
    pub fn onto<T: Element>(x: &Tensor<T>, chosen: [bool; MAX_RANK], out: Shape) -> Self {
        let order = order(&x.shape(), (!x.is_contiguous()).then(|| x.strides()));
        ReducedAxes { shape: x.shape(), chosen, out, order }
    }

    /// Returns the number of elements that are reduced to one result.
    pub fn count(&self) -> usize {
        self.shape
            .iter()
            .zip(self.chosen)
            .filter(|(_, chosen)| *chosen)
            .map(|(size, _)| size)
            .product()
    }

    /// Merges neighbouring axes that are all reduced, or all kept, into groups: the size of each group and
    /// whether it is reduced.
    fn groups(&self) -> SmallVec<[(usize, bool); MAX_RANK]> {
        let mut groups = SmallVec::<[(usize, bool); MAX_RANK]>::new();
        for &axis in &self.order {
            match groups.last_mut() {
                Some((size, chosen)) if *chosen == self.chosen[axis] => *size *= self.shape[axis],
                _ => groups.push((self.shape[axis], self.chosen[axis])),
            }
        }
        groups
    }

    /// Returns the sizes `[outer, n, inner]` of `x` around the reduced axes, if they are neighbours and all elements
    /// are contiguous. The results are in the order of the kept axes.
    pub(super) fn one_run<T: Element>(&self, x: &Tensor<T>) -> Option<ReducedSizes> {
        let groups = self.groups();
        let one = groups.iter().filter(|(_, chosen)| *chosen).count() == 1;
        (one && x.is_contiguous() && self.order.is_sorted() && x.numel() > 0)
            .then(|| last_reduced(&groups).1)
    }

    /// Returns the sizes `[outer, a, b, c]` of a contiguous tensor whose second and last group of axes are reduced, if
    /// it has this form and the last group has at least `SHORTEST` elements.
    pub(super) fn two_runs(&self) -> Option<[usize; 4]> {
        let sizes = match self.groups()[..] {
            [(c, true)] => [1, 1, 1, c],
            [(b, false), (c, true)] => [1, 1, b, c],
            [(a, true), (b, false), (c, true)] => [1, a, b, c],
            [(outer, false), (a, true), (b, false), (c, true)] => [outer, a, b, c],
            _ => return None,
        };
        let [.., c] = sizes;
        (self.order.is_sorted() && c >= SHORTEST && !sizes.contains(&0)).then_some(sizes)
    }

    /// Returns the elements of `x` as a contiguous tensor, with the axes in the order of this reduction.
    fn source<T: Element>(&self, x: &Tensor<T>) -> Tensor<T> {
        assert!(x.shape() == self.shape, "this reduction was made for another tensor");
        if x.is_contiguous() && self.order.is_sorted() {
            return x.clone();
        }
        let strides = x.strides();
        let sizes: Shape = self.order.iter().map(|&axis| self.shape[axis]).collect();
        let steps: SmallVec<[isize; MAX_RANK]> =
            self.order.iter().map(|&axis| strides[axis]).collect();
        // SAFETY: the shape was checked. The same axes in another order reach the same elements.
        // The axes that are left out have size 1 (callers treat tensors without elements before).
        unsafe { x.view(sizes, Strides::new(&steps), 0) }.contiguous()
    }

    fn kept(&self) -> impl Iterator<Item = usize> + '_ {
        self.order.iter().copied().filter(|&axis| !self.chosen[axis])
    }

    /// Allocates the result and lets `fill` write it with the kept axes in the order in which they are read.
    fn result<U: Element>(&self, fill: &mut dyn FnMut(&mut [U])) -> Tensor<U> {
        if self.kept().is_sorted() {
            let mut out = Tensor::empty(self.out);
            fill(out.fresh_mut());
            return out;
        }
        let read: Axes = self.kept().collect();
        let mut out = Tensor::empty(read.iter().map(|&axis| self.shape[axis]).collect());
        fill(out.fresh_mut());
        assert_eq!(out.numel(), self.out.numel());
        let steps = self.ascending(&read, &out.strides());
        // SAFETY: a permutation of the axes of `out`, with axes of size 1 inserted.
        unsafe { out.view(self.out, steps, 0) }.contiguous()
    }

    /// Puts the kept axes, which were read in the order `read` and have the strides `packed`, back in
    /// ascending order. Axes of size 1 get stride 0.
    fn ascending(&self, read: &Axes, packed: &Strides) -> Strides {
        let mut ascending = read.clone();
        ascending.sort_unstable();
        let mut kept = ascending.iter().map(|axis| {
            packed[read.iter().position(|other| other == axis).expect("sorted from the same axes")]
        });
        let steps: SmallVec<[isize; MAX_RANK]> = self
            .out
            .iter()
            .map(|&size| if size == 1 { 0 } else { kept.next().unwrap_or(0) })
            .collect();
        Strides::new(&steps)
    }

    /// Returns `x` in the shape of the result if every result is made of a single number. The number keeps
    /// its bits, also if it is -0.
    pub(super) fn of_single_numbers<T: Element>(&self, x: &Tensor<T>) -> Option<Tensor<T>> {
        let single = self.order.iter().all(|&axis| !self.chosen[axis]);
        single.then(|| x.with_shape(self.out))
    }

    /// Reduces one group of axes after the other, the innermost first.
    ///
    /// `of_nothing` is the result for no elements. `fold` reduces the middle axis; its arguments are the
    /// numbers, the sizes `[outer, n, inner]` and the results.
    pub(crate) fn staged<T: Element>(
        self,
        x: &Tensor<T>,
        of_nothing: T,
        fold: &Loops<'_, T, T>,
    ) -> Tensor<T> {
        if x.numel() == 0 {
            return self.empty(of_nothing);
        }
        let mut groups = self.groups();
        if let Some(alone) = self.of_single_numbers(x) {
            return alone;
        }
        let mut stage = self.source(x);
        self.result(&mut |out| {
            loop {
                let (at, sizes) = last_reduced(&groups);
                let more = groups[..at].iter().any(|&(_, chosen)| chosen);
                let numbers = stage.as_slice().expect("a source is contiguous");
                if !more {
                    return fold(numbers, sizes, out);
                }
                let mut next = Tensor::empty(Shape::new(&[sizes[0] * sizes[2]]));
                fold(numbers, sizes, next.fresh_mut());
                groups.remove(at);
                stage = next;
            }
        })
    }

    /// Orders the axes so that the reduced ones form one group, and returns the sizes around it.
    fn gather(&mut self) -> ReducedSizes {
        if self.groups().iter().filter(|(_, chosen)| *chosen).count() > 1 {
            // The sort is stable: kept axes stay in their order, and so do reduced axes.
            let chosen = self.chosen;
            self.order.sort_by_key(|&axis| chosen[axis]);
        }
        last_reduced(&self.groups()).1
    }

    /// Reduces all groups of axes in one call of `fill`, whose arguments are the numbers, the sizes
    /// `[outer, n, inner]` and the results.
    pub(super) fn in_one_call<T: Element, U: Element>(
        mut self,
        x: &Tensor<T>,
        fill: &mut LoopsMut<'_, T, U>,
    ) -> Tensor<U> {
        let sizes = self.gather();
        let source = self.source(x);
        let numbers = source.as_slice().expect("a source is contiguous");
        self.result(&mut |out| fill(numbers, sizes, out))
    }

    /// Sums in `i64`; `None` if a sum does not fit.
    pub(crate) fn integer_sums<T: Element + Integer>(self, x: &Tensor<T>) -> Option<Tensor<i64>> {
        if x.numel() == 0 {
            return Some(self.empty(0));
        }
        let mut fit = true;
        let sums = self.in_one_call(x, &mut |x, sizes, out| fit = plain::sums(x, sizes, out));
        fit.then_some(sums)
    }

    /// Returns the result for a tensor without elements, filled with `of_nothing`.
    pub fn empty<U: Element>(&self, of_nothing: U) -> Tensor<U> {
        Tensor::full_of(&self.out, of_nothing)
    }
}

/// Returns the axes whose size is not 1, in the order in which they are read: that of memory if strides are
/// given, so that a transposed tensor needs no copy.
fn order(shape: &Shape, strides: Option<Strides>) -> Axes {
    let mut order: Axes = (0..shape.rank()).filter(|&axis| shape[axis] != 1).collect();
    if let Some(strides) = strides {
        order.sort_by_key(|&axis| Reverse(strides[axis].unsigned_abs()));
    }
    order
}

/// Returns the position of the innermost reduced group and the sizes `[outer, n, inner]` around it. If no
/// group is reduced, `n` is 1.
fn last_reduced(groups: &[(usize, bool)]) -> (usize, ReducedSizes) {
    let product = |groups: &[(usize, bool)]| groups.iter().map(|(size, _)| size).product::<usize>();
    match groups.iter().rposition(|&(_, chosen)| chosen) {
        Some(at) => (at, [product(&groups[..at]), groups[at].0, product(&groups[at + 1..])]),
        None => (0, [product(groups), 1, 1]),
    }
}
