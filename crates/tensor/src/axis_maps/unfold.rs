//! `unfold` and `fold`: a map of the rows, a map of the columns, and a permutation of the axes.

use crate::geometry::{AxisMap, AxisMaps, Conv};
use crate::layout::Shape;
use crate::shapes::{self, ShapeResult};
use smallvec::SmallVec;

/// The maps, shapes and permutation that `unfold` and `fold` consist of, for the tape.
#[doc(hidden)]
pub struct UnfoldMaps {
    /// The maps from height to kh·H' and from width to kw·W'.
    pub maps: AxisMaps,
    /// The shape of the images after the maps: `[…, C, kh·H', kw·W']`.
    pub mapped: SmallVec<[isize; 8]>,
    /// The same with separate axes for the taps: `[…, C, kh, H', kw, W']`.
    pub apart: SmallVec<[isize; 8]>,
    /// The permutation to `[…, C, kh, kw, H', W']`. It is its own inverse.
    pub order: SmallVec<[isize; 8]>,
    /// The shape after the permutation: `[…, C, kh, kw, H', W']`.
    pub ordered: SmallVec<[isize; 8]>,
    /// The shape of the result: `[…, C·kh·kw, H'·W']` of `unfold`, `[…, C, H, W]` of `fold`.
    pub out: SmallVec<[isize; 8]>,
}

fn signed(sizes: &[usize]) -> SmallVec<[isize; 8]> {
    sizes.iter().map(|&n| n as isize).collect()
}

impl UnfoldMaps {
    fn new(size: [usize; 2], apart: Shape, out: Shape, conv: &Conv) -> Self {
        let channel = apart.rank() - 5;
        let map = |side: usize| {
            let (n, around) = (size[side], conv.padding[side].0 as isize);
            let [taps, places] = [apart[channel + 1 + 2 * side], apart[channel + 2 + 2 * side]];
            // The input index that row tap·places + place of the map reads.
            let place = move |row: usize| {
                let (tap, place) = (row / places, row % places);
                (place * conv.stride[side] + tap * conv.dilation[side]) as isize - around
            };
            let inside = move |at: &isize| (0..n as isize).contains(at);
            let row = move |o| Some(place(o)).filter(inside).map(|at| (at as usize, 1.0));
            ((channel + 1 + side) as isize, AxisMap::new(n, (0..taps * places).map(row)))
        };
        let [.., kh, h, kw, w] = *apart else { unreachable!("five axes at least") };
        let lead = &apart[..=channel];
        let mut order: SmallVec<[isize; 8]> = (0..apart.rank() as isize).collect();
        order.swap(channel + 2, channel + 3);
        UnfoldMaps {
            maps: [map(0), map(1)].into_iter().collect(),
            mapped: signed(&[lead, &[kh * h, kw * w]].concat()),
            apart: signed(&apart),
            order,
            ordered: signed(&[lead, &[kh, kw, h, w]].concat()),
            out: signed(&out),
        }
    }

    /// Returns the parts of `unfold`.
    #[allow(clippy::missing_errors_doc)] // a shape rule
    pub fn of_unfold(shape: &[usize], kernel: [usize; 2], conv: &Conv) -> ShapeResult<Self> {
        let (apart, out) = shapes::unfold(shape, kernel, conv)?;
        let size = [shape[shape.len() - 2], shape[shape.len() - 1]];
        Ok(Self::new(size, apart, out, conv))
    }

    /// Returns the parts of `fold`.
    #[allow(clippy::missing_errors_doc)] // a shape rule
    pub fn of_fold(
        shape: &[usize],
        size: [usize; 2],
        kernel: [usize; 2],
        conv: &Conv,
    ) -> ShapeResult<Self> {
        let (apart, out) = shapes::fold(shape, size, kernel, conv)?;
        Ok(Self::new(size, apart, out, conv))
    }
}
