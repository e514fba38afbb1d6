//! Selects elements by index, and adds elements at indices. The second operand is the index: it holds
//! integers and has no cotangent. The family is closed under vjp: `index_select` ↔ `index_add`, `gather`
//! ↔ `scatter_add`, pick ↔ unpool.

use crate::graph::{Call, Index, IndexOp, IntoIndex, Op, Part, Reads, Tape, Var};
use IndexOp::{Gather, IndexAdd, IndexSelect, Pick, ScatterAdd, Unpool};
use wengert_tensor::{Float, Shape, Tensor, shapes};

impl IndexOp {
    /// The rule reads the index.
    pub const READS: Reads = Reads::X1;

    pub fn eval<T: Float>(self, x: &Tensor<T>, index: &Tensor<i64>, shape: Shape) -> Tensor<T> {
        match self {
            IndexSelect { axis } => x.index_select(axis as isize, index),
            IndexAdd { axis } => x.index_add_zeros(axis as isize, index, shape[axis as usize]),
            Gather { axis } => x.gather(axis as isize, index),
            ScatterAdd { axis } => Tensor::zeros_of(&shape).scatter_add(axis as isize, index, x),
            Pick => x.pick2d(index),
            Unpool => x.max_unpool2d(index, [shape[shape.rank() - 2], shape[shape.rank() - 1]]),
        }
    }

    /// Checks that every index is within its axis.
    #[track_caller]
    pub fn check<T: Float>(self, tape: &Tape<T>, x: &[usize], index: &Tensor<i64>, y: &[usize]) {
        let index = index.contiguous();
        let numbers = index.as_slice().unwrap_or_default();
        let rule = match self {
            IndexSelect { axis } => shapes::index_range("index_select", numbers, axis as isize, x),
            Gather { axis } => shapes::index_range("gather", numbers, axis as isize, x),
            IndexAdd { axis } => shapes::index_range("index_add", numbers, axis as isize, y),
            ScatterAdd { axis } => shapes::index_range("scatter_add", numbers, axis as isize, y),
            Pick => shapes::pick2d_range("pick2d", numbers, x),
            Unpool => shapes::pick2d_range("max_unpool2d", numbers, y),
        };
        if let Err(why) = rule {
            tape.fail(why)
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Var<'t, T> {
        let (gy, shape) = (c.gy(), c.x_shape(0));
        let adjoint = match self {
            IndexSelect { axis } => IndexAdd { axis },
            IndexAdd { axis } => IndexSelect { axis },
            Gather { axis } => ScatterAdd { axis },
            ScatterAdd { axis } => Gather { axis },
            Pick => Unpool,
            Unpool => Pick,
        };
        gy.indexed(adjoint, c.x_index(1), shape)
    }
}

/// Selection by index. Indices count from 0.
impl<'t, T: Float> Var<'t, T> {
    #[track_caller]
    pub(crate) fn indexed(self, op: IndexOp, index: Index<'t, T>, shape: Shape) -> Self {
        let index = Var { tape: self.tape, id: index.id };
        self.tape.apply(Op::Index(op), &[self, index], shape)
    }

    /// Returns the slices of an axis at these indices, in the order of `index`:
    /// `y[…, i, …] = x[…, index[i], …]`. If `index` has several axes, they replace the axis:
    /// `y[…, i, j, …] = x[…, index[i, j], …]`.
    ///
    /// # Panics
    /// If `index` has no axes, or an index is out of range.
    #[track_caller]
    pub fn index_select(self, axis: isize, index: impl IntoIndex<'t, T>) -> Self {
        let (shape, index) = (self.shape(), index.into_index(self.tape));
        let (at, out) = self.fits(shapes::index_select(&shape, axis, &index.shape()));
        self.indexed(IndexSelect { axis: at as u8 }, index, out)
    }

    /// Returns one element along an axis for each entry of `index`:
    /// `y[…, i, …] = x[…, index[…, i, …], …]`. `index` has the rank of `self`, and its other axes are no
    /// larger than those of `self`.
    ///
    /// # Panics
    /// If the shapes do not fit, or an index is out of range.
    #[track_caller]
    pub fn gather(self, axis: isize, index: impl IntoIndex<'t, T>) -> Self {
        let (shape, index) = (self.shape(), index.into_index(self.tape));
        let (at, out) = self.fits(shapes::gather(&shape, axis, &index.shape()));
        self.indexed(Gather { axis: at as u8 }, index, out)
    }

    /// Returns `self` with the elements of `source` added at these indices along an axis:
    /// `y[…, index[…, i, …], …] += source[…, i, …]`. Where an index occurs several times, all its
    /// elements are added.
    ///
    /// # Panics
    /// If the shapes do not fit, or an index is out of range.
    #[track_caller]
    pub fn scatter_add(self, axis: isize, index: impl IntoIndex<'t, T>, source: Self) -> Self {
        self.tape.same_tape("scatter_add", source.tape);
        let (shape, index) = (self.shape(), index.into_index(self.tape));
        let rule = shapes::scatter_add(&shape, axis, &index.shape(), &source.shape());
        let at = self.fits(rule);
        let mut source = source;
        for (axis, &size) in index.shape().iter().enumerate() {
            if source.shape()[axis] != size {
                source = source.narrow(axis as isize, 0, size);
            }
        }
        let elements = Part::Elements { axis: at as u8, index: index.id };
        self.tape.assemble(&[(Part::Whole, self.id), (elements, source.id)], shape)
    }
}
