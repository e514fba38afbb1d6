//! Linear maps along one axis. The operation holds the place of the map in a table of the tape. Its
//! adjoint is the same operation with `transposed` set.

use crate::graph::{Call, MapAxis, Op, Var};
use wengert_tensor::{AxisMap, Float, Shape, Tensor, shapes};

impl MapAxis {
    pub fn eval<T: Float>(self, x: &Tensor<T>, map: &AxisMap) -> Tensor<T> {
        if self.transposed {
            x.map_axis_transposed(self.axis as isize, map)
        } else {
            x.map_axis(self.axis as isize, map)
        }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Var<'t, T> {
        let adjoint = MapAxis { transposed: !self.transposed, ..self };
        c.gy().tape.apply(Op::MapAxis(adjoint), &[c.gy()], c.x_shape(0))
    }
}

impl<T: Float> Var<'_, T> {
    /// Applies a linear map along one axis: `y[…, o, …] = Σ weight·self[…, i, …]` over the entries (i,
    /// weight) of row o of the map.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::{AxisMap, Tensor};
    /// let differences = AxisMap::new(3, (0..2).map(|o| [(o, -1.0), (o + 1, 1.0)]));
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([1.0, 4.0, 9.0]));
    /// let y = x.map_axis(0, &differences);
    /// assert_eq!(y.value().to_vec(), [3.0, 5.0]);
    /// assert_eq!(y.sum_all().backward().wrt(x).unwrap().to_vec(), [-1.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist, or its size is not the input size of the map.
    #[track_caller]
    pub fn map_axis(self, axis: isize, map: &AxisMap) -> Self {
        let rule = shapes::map_axis("map_axis", &self.shape(), axis, map.inputs(), map.outputs());
        let (axis, shape) = self.fits(rule);
        self.mapped(axis, false, map, shape)
    }

    /// Applies the adjoint of [`map_axis`](Var::map_axis), from the output size of the map to its input
    /// size: `y[…, i, …] += weight·self[…, o, …]` for every entry.
    ///
    /// # Panics
    /// If the axis does not exist, or its size is not the output size of the map.
    #[track_caller]
    pub fn map_axis_transposed(self, axis: isize, map: &AxisMap) -> Self {
        let rule = shapes::map_axis(
            "map_axis_transposed",
            &self.shape(),
            axis,
            map.outputs(),
            map.inputs(),
        );
        let (axis, shape) = self.fits(rule);
        self.mapped(axis, true, map, shape)
    }

    /// Applies the maps one after the other.
    #[track_caller]
    pub(super) fn map_axes(self, maps: &[(isize, AxisMap)]) -> Self {
        let mut x = self;
        for (axis, map) in maps {
            x = x.map_axis(*axis, map);
        }
        x.apart_from(self)
    }

    #[track_caller]
    fn mapped(self, axis: usize, transposed: bool, map: &AxisMap, shape: Shape) -> Self {
        let place = {
            let maps = &mut self.tape.arena.borrow_mut().maps;
            maps.push(map.clone());
            maps.len() as u32 - 1
        };
        let op = MapAxis { axis: axis as u8, transposed, map: place };
        self.tape.apply(Op::MapAxis(op), &[self], shape)
    }
}
