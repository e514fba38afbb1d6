//! Linear maps applied along the axes of a tensor.

#[cfg(test)]
mod tests;

use crate::geometry::{AxisMap, SparseRows};
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};

impl<T: Float> Tensor<T> {
    #[track_caller]
    pub(crate) fn map_axes(&self, maps: &[(isize, AxisMap)]) -> Self {
        maps.iter().fold(self.clone(), |x, (axis, map)| x.map_axis(*axis, map))
    }

    /// Applies a linear map along one axis: `y[…, o, …] = Σ weight·self[…, i, …]` over the entries
    /// (i, weight) of row o of the map.
    ///
    /// # Panics
    /// If the tensor has no such axis, or the size of the axis is not [`AxisMap::inputs`].
    #[track_caller]
    pub fn map_axis(&self, axis: isize, map: &AxisMap) -> Self {
        let rule = shapes::map_axis("map_axis", &self.shape(), axis, map.inputs(), map.outputs());
        let (axis, _) = rule.or_panic();
        self.mapped(axis, map.rows(false))
    }

    /// Applies the transpose of a linear map along one axis: `y[…, i, …] += weight·self[…, o, …]` for every
    /// entry (i, weight) of every row o. It is the adjoint of [`Tensor::map_axis`].
    ///
    /// # Panics
    /// If the tensor has no such axis, or the size of the axis is not [`AxisMap::outputs`].
    #[track_caller]
    pub fn map_axis_transposed(&self, axis: isize, map: &AxisMap) -> Self {
        let rule = shapes::map_axis(
            "map_axis_transposed",
            &self.shape(),
            axis,
            map.outputs(),
            map.inputs(),
        );
        let (axis, _) = rule.or_panic();
        self.mapped(axis, map.rows(true))
    }

    fn mapped(&self, axis: usize, rows: &SparseRows) -> Self {
        let shape = self.shape();
        let mut out = Self::empty(shape.with(axis, rows.len()));
        if out.numel() == 0 {
            return out;
        }
        let x = self.contiguous();
        let inner = shape[axis + 1..].iter().product();
        T::map_axis(x.as_slice().unwrap_or_default(), shape[axis], inner, rows, out.fresh_mut());
        out
    }
}
