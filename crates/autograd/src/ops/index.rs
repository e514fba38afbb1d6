//! Picking elements by index, and adding them back. The indices are no operands that could be
//! differentiated: they lie in a table of the tape, and the op carries their place in it.
//! The family is closed under vjp: `index_select` ↔ `index_add`, gather ↔ `scatter_add`, pick ↔
//! place.

use crate::index::IntoIndex;
use crate::op::{Call, Op};
use crate::ops::Part;
use crate::var::Var;
use wengert_tensor::shapes;
use wengert_tensor::{Float, Shape, Tensor};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum IndexOp {
    /// y[…, i, …] = x[…, index[i], …]
    IndexSelect { axis: u8, index: u32 },
    /// y[…, index[i], …] += x[…, i, …], from zero
    IndexAdd { axis: u8, index: u32 },
    /// y[…, i, …] = x[…, index[…, i, …], …]
    Gather { axis: u8, index: u32 },
    /// y[…, index[…, i, …], …] += x[…, i, …], from zero
    ScatterAdd { axis: u8, index: u32 },
    /// y[…, o] = x[…, index[…, o]], the last two axes of each counted as one
    Pick { index: u32 },
    /// y[…, index[…, o]] += x[…, o], from zero, the last two axes of each counted as one
    Place { index: u32 },
}
use IndexOp::{Gather, IndexAdd, IndexSelect, Pick, Place, ScatterAdd};

impl IndexOp {
    pub fn index(self) -> u32 {
        match self {
            IndexSelect { index, .. }
            | IndexAdd { index, .. }
            | Gather { index, .. }
            | ScatterAdd { index, .. }
            | Pick { index }
            | Place { index } => index,
        }
    }

    pub fn eval<T: Float>(self, x: &Tensor<T>, index: &Tensor<i64>, shape: Shape) -> Tensor<T> {
        match self {
            IndexSelect { axis, .. } => x.index_select(axis as isize, index),
            IndexAdd { axis, .. } => x.index_add(axis as isize, index, shape[axis as usize]),
            Gather { axis, .. } => x.gather(axis as isize, index),
            ScatterAdd { axis, .. } => {
                Tensor::zeros_of(&shape).scatter_add(axis as isize, index, x)
            }
            Pick { .. } => x.pick2d(index),
            Place { .. } => {
                x.max_unpool2d(index, [shape[shape.rank() - 2], shape[shape.rank() - 1]])
            }
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Var<'t, T> {
        let (gy, shape) = (c.gy(), c.x_shape(0));
        let adjoint = match self {
            IndexSelect { axis, index } => IndexAdd { axis, index },
            IndexAdd { axis, index } => IndexSelect { axis, index },
            Gather { axis, index } => ScatterAdd { axis, index },
            ScatterAdd { axis, index } => Gather { axis, index },
            Pick { index } => Place { index },
            Place { index } => Pick { index },
        };
        gy.tape.apply(Op::Index(adjoint), &[gy], shape)
    }
}

/// Elements by index. Indices count from 0; an index outside panics.
impl<'t, T: Float> Var<'t, T> {
    pub(super) fn indexed(self, op: IndexOp, shape: Shape) -> Self {
        self.tape.apply(Op::Index(op), &[self], shape)
    }

    /// The slices of an axis at these positions, in their order: `y[…, i, …] = x[…, index[i], …]`.
    ///
    /// # Panics
    /// If `index` is no vector, or leads outside.
    #[track_caller]
    pub fn index_select(self, axis: isize, index: impl IntoIndex<'t, T>) -> Self {
        let (shape, index) = (self.shape(), index.into_index(self.tape));
        let (at, out) = self.fits(shapes::index_select(&shape, axis, &index.shape()));
        self.fits(index.check_range("index_select", axis, &shape));
        self.indexed(IndexSelect { axis: at as u8, index: index.place() }, out)
    }

    /// One element per entry of `index`, chosen along an axis:
    /// `y[…, i, …] = x[…, index[…, i, …], …]`. `index` has the rank of `self` and is no larger along
    /// the other axes.
    ///
    /// # Panics
    /// If the shapes do not fit, or an index leads outside.
    #[track_caller]
    pub fn gather(self, axis: isize, index: impl IntoIndex<'t, T>) -> Self {
        let (shape, index) = (self.shape(), index.into_index(self.tape));
        let (at, out) = self.fits(shapes::gather(&shape, axis, &index.shape()));
        self.fits(index.check_range("gather", axis, &shape));
        self.indexed(Gather { axis: at as u8, index: index.place() }, out)
    }

    /// `self` with the elements of `source` added at the places that `index` names along an axis:
    /// `y[…, index[…, i, …], …] += source[…, i, …]`. Places named twice get both.
    ///
    /// # Panics
    /// If the shapes do not fit, or an index leads outside.
    #[track_caller]
    pub fn scatter_add(self, axis: isize, index: impl IntoIndex<'t, T>, source: Self) -> Self {
        self.tape.same_tape("scatter_add", source.tape);
        let (shape, index) = (self.shape(), index.into_index(self.tape));
        let rule = shapes::scatter_add(&shape, axis, &index.shape(), &source.shape());
        let at = self.fits(rule);
        self.fits(index.check_range("scatter_add", axis, &shape));
        let mut source = source;
        for (axis, &size) in index.shape().iter().enumerate() {
            if source.shape()[axis] != size {
                source = source.narrow(axis as isize, 0, size);
            }
        }
        let elements = Part::Elements { axis: at as u8, index: index.place() };
        self.tape.assemble(&[(Part::Whole, self.id), (elements, source.id)], shape)
    }
}
