//! The adjoint of pools of two by two elements: each window of the image has one element at most, so that the image
//! is written row by row, without adding to zeros.

use super::pick::LARGE;
use crate::kernels::lanes::{Bits, Lanes, for_vectors};
use crate::kernels::scratch::Scratch;
use std::cell::Cell;

/// Images of windows of two by two elements, perhaps with a column or a row more.
pub(super) struct Pairs<T> {
    /// Width of the maxima and of the images.
    widths: [usize; 2],
    /// The position of the first element of each window.
    firsts: Vec<i64>,
    /// Room for the place of each maximum.
    places: Scratch<T>,
}

/// One image.
pub struct Windows<'a, T> {
    x: &'a [T],
    index: &'a [i64],
    firsts: &'a [i64],
    /// For each window, the distance of its element from the first of the window, in the bits of a number.
    places: *mut T,
    out: *mut T,
    size: usize,
    widths: [usize; 2],
    /// Whether all positions are in their windows.
    inside: Cell<bool>,
}

for_vectors! {
    /// Images of windows, compiled for the instruction sets.
    Spread: windows(Windows) = windows
}

impl<T: Spread> Pairs<T> {
    /// Returns the windows for maxima of the size `from` in images of the size `to`, if each window has two by two
    /// elements.
    pub fn new(from: [usize; 2], to: [usize; 2]) -> Option<Self> {
        if (0..2).any(|side| to[side] / 2 != from[side]) || to[0] * to[1] >= LARGE {
            return None;
        }
        let rows = (0..from[0]).map(|y| 2 * y * to[1]);
        let firsts = rows.flat_map(|row| (0..from[1]).map(move |x| (row + 2 * x) as i64));
        let places = Scratch::new(from[0] * from[1]);
        Some(Pairs { widths: [from[1], to[1]], firsts: firsts.collect(), places })
    }

    /// Writes each element of `x` at its position in `index`, and zeros elsewhere, if all positions are in their windows.
    /// Returns whether they are.
    pub fn spread(&mut self, x: &[T], index: &[i64], out: &mut [T]) -> bool {
        let [narrow, wide] = self.widths;
        let (firsts, places) = (&self.firsts[..], self.places.numbers());
        assert!(x.len() == index.len() && x.len() == firsts.len() && x.len() == places.len());
        assert!(wide / 2 == narrow && x.len() / narrow == out.len() / wide / 2);
        let (size, widths, places) = (out.len(), self.widths, places.as_mut_ptr());
        let inside = Cell::new(true);
        let job = Windows { x, index, firsts, places, out: out.as_mut_ptr(), size, widths, inside };
        // SAFETY: the sizes fit together.
        unsafe { T::windows(&job) };
        job.inside.get()
    }
}

/// # Safety
/// The sizes fit together, and the processor has the instructions.
#[inline(always)]
unsafe fn windows<V: Lanes>(job: &Windows<V::Scalar>)
where
    V::Scalar: Bits,
{
    let [narrow, wide] = job.widths;
    let rows = job.x.len() / narrow;
    let right = wide as i64;
    // SAFETY: the caller promises the sizes and the instructions.
    unsafe {
        let places = std::slice::from_raw_parts_mut(job.places, job.x.len());
        let mut outside = 0;
        for ((&at, &first), place) in job.index.iter().zip(job.firsts).zip(places) {
            let place_in = at.wrapping_sub(first);
            // 0, 1, `wide` and `wide + 1` are inside.
            let column = if place_in >= right { place_in - right } else { place_in };
            outside |= column & !1;
            *place = V::Scalar::of_bits(place_in as u32);
        }
        if outside != 0 {
            return job.inside.set(false);
        }
        let zero = V::zero();
        let mut distances = [zero; 4];
        for (i, at) in [0, 1, wide, wide + 1].into_iter().enumerate() {
            distances[i] = V::splat(&V::Scalar::of_bits(at as u32));
        }
        for row in 0..rows {
            let mut o = 0;
            while o < narrow {
                let used = V::range(0, V::LANES.min(narrow - o));
                let at = row * narrow + o;
                // 0 + x, as a sum that starts from zero: it is +0 if x is -0.
                let x = zero.plus(V::load_masked(job.x.as_ptr().wrapping_add(at), used, zero));
                let place = V::load_masked(job.places.wrapping_add(at).cast_const(), used, zero);
                for i in 0..2 {
                    let even = x.or(place.same_bits(distances[2 * i]), zero);
                    let odd = x.or(place.same_bits(distances[2 * i + 1]), zero);
                    let (low, high) = V::paired(even, odd);
                    let rest = wide - 2 * o;
                    let to = job.out.wrapping_add((2 * row + i) * wide + 2 * o);
                    low.store_masked(to, V::range(0, V::LANES.min(rest)));
                    let rest = V::LANES.min(rest.saturating_sub(V::LANES));
                    high.store_masked(to.wrapping_add(V::LANES), V::range(0, rest));
                }
                o += V::LANES;
            }
            if wide > 2 * narrow {
                for i in 0..2 {
                    *job.out.wrapping_add((2 * row + i) * wide + wide - 1) = V::Scalar::default();
                }
            }
        }
        let written = 2 * rows * wide;
        std::slice::from_raw_parts_mut(job.out.wrapping_add(written), job.size - written)
            .fill(V::Scalar::default());
    }
}
