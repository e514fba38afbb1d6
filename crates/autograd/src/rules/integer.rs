//! Operations whose results are integers: positions, classes, and arithmetic of indices.

use crate::graph::{Index, IntegerOp, Op, Tape, Var, place_in};
use wengert_tensor::{Float, Shape, Sizes, Tensor, shapes};

impl<T: Float> Tape<T> {
    /// Adds a node of integers.
    #[track_caller]
    pub(super) fn integers(&self, op: IntegerOp, parents: &[u32], shape: Shape) -> Index<'_, T> {
        let place = {
            let integers = &mut self.arena.borrow_mut().integers;
            integers.push(None);
            integers.len() as u32 - 1
        };
        Index { tape: self, id: self.apply_nodes(Op::Integer { op, place }, parents, shape) }
    }
}

impl<'t, T: Float> Index<'t, T> {
    /// Returns these class numbers as an index along a new axis of size 1, for losses. When the integers are
    /// computed, each is checked to be at least 0 and below `count`, the number of classes. `loss` is the
    /// name of the operation in the message if one is not.
    ///
    /// # Panics
    /// If the position of the axis does not exist, or a class does not exist.
    #[track_caller]
    pub fn checked_classes(self, loss: &'static str, axis: usize, count: usize) -> Self {
        self.classes(loss, axis, count, None)
    }

    /// Returns class numbers as [`checked_classes`](Index::checked_classes) does, except for the number
    /// `ignored`: it need not be a class, and becomes class 0. The loss sets the terms of ignored
    /// samples to 0: the mask `classes.eq(ignored)` names them.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::<f32>::new();
    /// let classes = tape.index(Tensor::from([2i64, -100]));
    /// let index = classes.checked_classes_except("cross_entropy", 1, 3, -100);
    /// assert_eq!(index.shape(), [2, 1]);
    /// assert_eq!(index.value().to_vec(), [2, 0]);
    /// ```
    ///
    /// # Panics
    /// If the position of the axis does not exist, or a class that is not ignored does not exist.
    #[track_caller]
    pub fn checked_classes_except(
        self,
        loss: &'static str,
        axis: usize,
        count: usize,
        ignored: i64,
    ) -> Self {
        self.classes(loss, axis, count, Some(ignored))
    }

    #[track_caller]
    fn classes(self, loss: &'static str, axis: usize, count: usize, ignored: Option<i64>) -> Self {
        let shape = self.shape().inserted(axis, 1);
        let entry = (loss, u32::try_from(count).unwrap_or(u32::MAX), ignored);
        let of = place_in(&mut self.tape.arena.borrow_mut().classes, entry);
        self.tape.integers(IntegerOp::Classes { axis: axis as u8, of }, &[self.id], shape)
    }

    /// Returns each number multiplied by `by`, plus `add`: the positions of a slice's elements within
    /// the axis.
    pub(crate) fn affine(self, by: i64, add: i64) -> Self {
        let of = {
            let table = &mut self.tape.arena.borrow_mut().affine;
            table.push((by, add));
            table.len() as u32 - 1
        };
        self.tape.integers(IntegerOp::Affine { of }, &[self.id], self.shape())
    }

    /// Returns the same integers in another shape, which the caller has checked.
    pub(super) fn reshaped(self, shape: Shape) -> Self {
        self.tape.integers(IntegerOp::Reshape, &[self.id], shape)
    }

    /// Removes an axis of size 1.
    ///
    /// # Panics
    /// If the axis does not exist, or its size is not 1.
    #[track_caller]
    pub fn squeeze(self, axis: isize) -> Self {
        self.reshaped(self.tape.fits(shapes::squeeze(&self.shape(), axis)))
    }

    /// Inserts an axis of size 1 at this position.
    ///
    /// # Panics
    /// If the position does not exist.
    #[track_caller]
    pub fn unsqueeze(self, axis: isize) -> Self {
        let own = self.shape();
        let shape = self.tape.fits(shapes::unsqueeze(&own, axis));
        let at = if axis < 0 { axis + own.rank() as isize + 1 } else { axis };
        self.tape.integers(IntegerOp::Unsqueeze { axis: at as u8 }, &[self.id], shape)
    }

    /// Returns the integers in another shape. One size may be -1: it follows from the others.
    ///
    /// # Panics
    /// If the numbers of elements differ.
    #[track_caller]
    pub fn reshape(self, shape: impl Sizes) -> Self {
        let shape = self.tape.fits(shapes::reshape(&self.shape(), &shape.sizes()));
        self.reshaped(shape)
    }
}

/// Refuses a class that is out of range and not ignored; the message names the class and its sample.
#[track_caller]
fn check_classes<T: Float>(
    tape: &Tape<T>,
    (name, count, ignored): (&str, u32, Option<i64>),
    classes: &Tensor<i64>,
) {
    let classes = classes.contiguous();
    let all = classes.as_slice().unwrap_or_default();
    let within = |class: &i64| (0..i64::from(count)).contains(class) || ignored == Some(*class);
    if let Some((at, class)) = all.iter().enumerate().find(|(_, class)| !within(class)) {
        // The first axis counts the samples. Without axes there is one sample.
        let sample = at / (all.len() / classes.shape().first().copied().unwrap_or(1));
        tape.sample_error(
            sample,
            format!("{name}: class {class} of sample {sample} is out of range 0..{count}"),
        )
    }
}

impl IntegerOp {
    /// Computes the integers, from a tensor of numbers or from another index.
    #[track_caller]
    pub fn eval<T: Float>(
        self,
        tape: &Tape<T>,
        x: &[Tensor<T>],
        index: &[Tensor<i64>],
        shape: Shape,
    ) -> Tensor<i64> {
        let keepdim = |x: &Tensor<T>| x.shape().rank() == shape.rank();
        match (self, x, index) {
            (IntegerOp::ArgMax { axis }, [x], _) => x.argmax(axis as isize, keepdim(x)),
            (IntegerOp::ArgMin { axis }, [x], _) => x.argmin(axis as isize, keepdim(x)),
            (IntegerOp::Positions { axis, by, k }, [x], _) => {
                x.positions(by, axis as usize, k as usize)
            }
            (IntegerOp::CountNonzero { axes }, [x], _) => {
                let axes: Vec<isize> = (0..8).filter(|axis| axes >> axis & 1 == 1).collect();
                x.count_nonzero(&axes, keepdim(x))
            }
            (IntegerOp::SearchSorted { right }, [sorted, values], _) => {
                sorted.searchsorted(values, right)
            }
            (IntegerOp::Reshape, _, [index]) => index.reshape(shape),
            (IntegerOp::Flat { axis, reduce, of }, _, [index]) => {
                let name = if reduce { "scatter_reduce" } else { "scatter" };
                let of = tape.arena.borrow().shapes[of as usize];
                tape.fits(index.flat_positions(name, axis as usize, &of))
            }
            (IntegerOp::Mixed { axis, of }, _, [before @ .., index]) => {
                let of = tape.arena.borrow().shapes[of as usize];
                tape.fits(index.mixed_positions(before.first(), axis as usize, &of))
            }
            (IntegerOp::Group { part, size }, _, [at]) => at.grouped(part, size as usize),
            (IntegerOp::Winner { largest }, [x], [targets]) => {
                x.winners(targets, shape.numel(), largest)
            }
            (IntegerOp::Unsqueeze { axis }, _, [index]) => index.unsqueeze(axis as isize),
            (IntegerOp::Classes { axis, of }, _, [classes]) => {
                let of = tape.arena.borrow().classes[of as usize];
                check_classes(tape, of, classes);
                let classes = classes.unsqueeze(axis as isize);
                match of.2 {
                    Some(ignored) => classes.masked_fill(&classes.eq(ignored), 0),
                    None => classes,
                }
            }
            (IntegerOp::Affine { of }, _, [index]) => {
                let (by, add) = tape.arena.borrow().affine[of as usize];
                index * &Tensor::scalar_of(by) + &Tensor::scalar_of(add)
            }
            _ => unreachable!("given, or of another kind"),
        }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Returns the position of the maximum along an axis. Of equal maxima, the first counts.
    ///
    /// # Panics
    /// If the axis does not exist or is empty.
    #[track_caller]
    pub fn argmax(self, axis: isize, keepdim: bool) -> Index<'t, T> {
        self.position("argmax", axis, keepdim, |axis| IntegerOp::ArgMax { axis })
    }

    /// Returns the position of the minimum along an axis. Of equal minima, the first counts.
    ///
    /// # Panics
    /// If the axis does not exist or is empty.
    #[track_caller]
    pub fn argmin(self, axis: isize, keepdim: bool) -> Index<'t, T> {
        self.position("argmin", axis, keepdim, |axis| IntegerOp::ArgMin { axis })
    }

    /// Returns the number of elements that are not zero, over axes. NaN is not zero.
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn count_nonzero(self, axes: &[isize], keepdim: bool) -> Index<'t, T> {
        let reduced = self.fits(shapes::reduce("count_nonzero", &self.shape(), axes));
        let shape = if keepdim { reduced.kept } else { reduced.dropped };
        let bits = (0..8).map(|axis| u8::from(reduced.chosen[axis]) << axis).sum();
        self.tape.integers(IntegerOp::CountNonzero { axes: bits }, &[self.id], shape)
    }

    #[track_caller]
    fn position(
        self,
        op: &str,
        axis: isize,
        keepdim: bool,
        of: impl FnOnce(u8) -> IntegerOp,
    ) -> Index<'t, T> {
        let shape = self.shape();
        let reduced = self.fits(shapes::extreme(op, &shape, &[axis]));
        let at = self.fits(shapes::axis(op, axis, &shape));
        let shape = if keepdim { reduced.kept } else { reduced.dropped };
        self.tape.integers(of(at as u8), &[self.id], shape)
    }
}
