//! Runs a [`Program`] on tensors.

use crate::kernels::NumberSource;
use crate::kernels::Program;
use crate::kernels::pointwise::Split;
use crate::layout::{Shape, broadcasts_to};
use crate::machine::Shared;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};
use smallvec::SmallVec;

/// The smallest number of bytes of a result that is copied block by block to the memory of an operand: fewer
/// stay in the second cache, where new memory costs no more.
const COPIED: usize = if cfg!(test) { 1 << 12 } else { 1 << 19 };

impl Program {
    /// Computes the first result of the program, element by element, over inputs that broadcast to `shape`.
    ///
    /// # Panics
    /// If the number of inputs is not that of the program, an input does not broadcast to `shape`, or the
    /// program has no result.
    #[track_caller]
    pub fn map<T: Float>(&self, inputs: &[&Tensor<T>], shape: &[usize]) -> Tensor<T> {
        self.check_inputs(inputs.len());
        self.check_result();
        let mut out = Tensor::empty(Shape::new(shape));
        let inputs = near(inputs);
        let sources = sources(&inputs, out.shape());
        let target = out.fresh_mut().as_mut_ptr();
        // SAFETY: a source for each input, read with `shape`; the result is new and has that shape.
        unsafe { T::evaluate(self, &sources, &[Shared(target)], out.numel()) }
        out
    }

    /// Computes the same as [`Program::map`]. If one of the inputs has the shape of the result and no other handle, the
    /// result takes its memory: a program over large tensors then reads and writes less memory.
    ///
    /// # Panics
    /// As [`Program::map`].
    #[doc(hidden)]
    #[track_caller]
    pub fn map_owned<T: Float>(
        &self,
        mut inputs: SmallVec<[Tensor<T>; 3]>,
        shape: &[usize],
    ) -> Tensor<T> {
        self.check_inputs(inputs.len());
        self.check_result();
        let shape = Shape::new(shape);
        // If the last step reads the input whose memory it writes to, each block is copied. That pays from this size on.
        let copies = shape.numel() * size_of::<T>() >= COPIED;
        let free = |&i: &usize| inputs[i].is_owned_with(&shape) && (copies || self.may_replace(i));
        let Some(place) = (0..inputs.len()).find(free) else {
            return self.map(&inputs.iter().collect::<SmallVec<[_; 4]>>(), &shape);
        };
        for (i, x) in inputs.iter_mut().enumerate() {
            if i != place {
                *x = x.near();
            }
        }
        let target = inputs[place].fresh_ptr();
        let mut sources = sources(&inputs, shape);
        sources[place] = NumberSource::new(target.cast_const(), None);
        // SAFETY: a source for each input, read with `shape`. The target has this shape, is not shared with another
        // handle, and is read only at the position that is written.
        unsafe { T::evaluate(self, &sources, &[Shared(target)], shape.numel()) }
        inputs.swap_remove(place)
    }

    /// Computes the program in place: `targets` are its first inputs, `inputs` are the further ones, and
    /// result `i` replaces target `i`. A target is copied first if it shares its elements with another
    /// tensor or is not contiguous; else no memory is allocated.
    ///
    /// # Panics
    /// If the number of inputs or results does not agree with the program, the shapes of the targets differ,
    /// or an input does not broadcast to their shape.
    #[track_caller]
    pub fn update<T: Float>(&self, targets: &mut [&mut Tensor<T>], inputs: &[&Tensor<T>]) {
        assert!(
            targets.len() + inputs.len() == self.inputs() && self.results() == targets.len(),
            "program: {} inputs and {} results do not fit {} targets and {} further inputs",
            self.inputs(),
            self.results(),
            targets.len(),
            inputs.len()
        );
        let Some(first) = targets.first() else { return };
        let inputs = near(inputs);
        let shape = first.shape();
        let outs: SmallVec<[Shared<T>; 4]> = targets
            .iter_mut()
            .map(|t| {
                assert!(
                    t.shape() == shape,
                    "program: targets must have the same shape, got {shape} and {}",
                    t.shape()
                );
                Shared(t.make_mut().as_mut_ptr())
            })
            .collect();
        let flat = outs.iter().map(|out| NumberSource::new(out.0.cast_const(), None));
        let all: SmallVec<[NumberSource<T>; 6]> = flat.chain(sources(&inputs, shape)).collect();
        // SAFETY: a source for each input, read with `shape`. Each target has this shape, is not
        // shared with another handle, and is read only at the position that is written.
        unsafe { T::evaluate(self, &all, &outs, shape.numel()) }
    }

    /// Sums the first result over all elements of `shape` without storing the result.
    ///
    /// # Panics
    /// As [`Program::map`].
    #[track_caller]
    pub fn sum<T: Float>(&self, inputs: &[&Tensor<T>], shape: &[usize]) -> T {
        self.sum_to(inputs, shape, &[]).item()
    }

    /// Computes the first result over inputs that broadcast to `over` and sums it to a smaller `shape`, as
    /// [`Tensor::sum_to`] does. The result before summation is not stored; the sum has the same bits as if
    /// it were.
    ///
    /// ```
    /// use wengert::tensor::{Program, Tensor};
    /// let product = Program::new(|[x, y]| [x * y]);
    /// let (x, y) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([10.0, 1.0]));
    /// assert_eq!(product.sum_to(&[&x, &y], &[2, 2], &[2, 1]).to_vec(), [12.0, 34.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Program::map`], or if `shape` does not broadcast to `over`.
    #[track_caller]
    pub fn sum_to<T: Float>(
        &self,
        inputs: &[&Tensor<T>],
        over: &[usize],
        shape: &[usize],
    ) -> Tensor<T> {
        let over = shapes::shape_of("program", over).or_panic();
        shapes::reduce_to("sum_to", &over, shape).or_panic();
        let split = Split::of(&over, shape);
        // Without at least two numbers to add, summing on the fly saves nothing.
        if split.terms() == 1 || over.contains(&0) {
            return self.map(inputs, &over).sum_to(shape);
        }
        self.sums(inputs, over, split, None).sum_to(shape)
    }

    /// Computes the first result over inputs that broadcast to `over`, and its sum to a smaller `shape`, in one
    /// pass. Both have the same bits as those of [`Program::map`] and [`Program::sum_to`].
    ///
    /// # Panics
    /// As [`Program::sum_to`].
    #[doc(hidden)]
    #[track_caller]
    pub fn map_and_sum_to<T: Float>(
        &self,
        inputs: &[&Tensor<T>],
        over: &[usize],
        shape: &[usize],
    ) -> [Tensor<T>; 2] {
        let over = shapes::shape_of("program", over).or_panic();
        shapes::reduce_to("sum_to", &over, shape).or_panic();
        let split = Split::of(&over, shape);
        if split.terms() == 1 || over.contains(&0) {
            let numbers = self.map(inputs, &over);
            let sum = numbers.sum_to(shape);
            return [numbers, sum];
        }
        let mut numbers = Tensor::empty(over);
        let sum = self.sums(inputs, over, split, Some(numbers.fresh_mut())).sum_to(shape);
        [numbers, sum]
    }

    /// Computes the sums of a split, and writes the numbers to `kept`, if it is given.
    #[track_caller]
    fn sums<T: Float>(
        &self,
        inputs: &[&Tensor<T>],
        over: Shape,
        split: Split,
        kept: Option<&mut [T]>,
    ) -> Tensor<T> {
        self.check_inputs(inputs.len());
        self.check_result();
        let inputs = near(inputs);
        let sources = sources(&inputs, over);
        let mut partial = Tensor::empty(Shape::new(&split.sums()));
        debug_assert!(kept.as_ref().is_none_or(|kept| kept.len() == over.numel()));
        let kept = kept.map(|kept| Shared(kept.as_mut_ptr()));
        // SAFETY: a source for each input, read with the shape that was split; `partial` has room
        // for the sums, and `kept` for all numbers.
        unsafe { T::program_sum(self, &sources, split, kept, partial.fresh_mut()) };
        partial.reshape(&split.shape(&over))
    }
}

/// Returns the inputs in an order in which blocks of them are read fast.
fn near<T: Float>(inputs: &[&Tensor<T>]) -> SmallVec<[Tensor<T>; 6]> {
    inputs.iter().map(|x| x.near()).collect()
}

#[track_caller]
fn sources<T: Float>(inputs: &[Tensor<T>], shape: Shape) -> SmallVec<[NumberSource<T>; 6]> {
    let mut sources = SmallVec::new();
    for x in inputs {
        let own = x.shape();
        assert!(
            own == shape || broadcasts_to(&own, &shape),
            "program: an input of shape {own} does not broadcast to {shape}"
        );
        sources.push(x.source(&shape));
    }
    sources
}

#[cfg(test)]
mod tests;
