//! Programs run on tensors.

use crate::kernels::Program;
use crate::kernels::pointwise::{Source, Split};
use crate::layout::{Collapsed, Shape, broadcasts_to};
use crate::machine::Shared;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};
use smallvec::SmallVec;

impl Program {
    /// The result (the first of several) over inputs that broadcast to `shape`.
    ///
    /// # Panics
    /// If the number of inputs is another, one does not broadcast to `shape`, or there is no result.
    #[track_caller]
    pub fn map<T: Float>(&self, inputs: &[&Tensor<T>], shape: &[usize]) -> Tensor<T> {
        self.check_inputs(inputs.len());
        self.check_result();
        let mut out = Tensor::empty(Shape::new(shape));
        let sources = sources(inputs, out.shape());
        let target = out.fresh_mut().as_mut_ptr();
        // SAFETY: a source for each input, read with `shape`; the result is new and has that shape.
        unsafe { T::evaluate(self, &sources, &[Shared(target)], out.numel()) }
        out
    }

    /// Writes the results over the first inputs: `targets` are read as inputs `0..`, `inputs`
    /// follow them, and result `i` replaces target `i`. Memory is allocated only if a target
    /// shares its numbers.
    ///
    /// # Panics
    /// If numbers of inputs or results, or shapes, do not agree.
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
        let shape = first.shape();
        let outs: SmallVec<[Shared<T>; 4]> = targets
            .iter_mut()
            .map(|t| {
                assert!(t.shape() == shape, "update: targets of shapes {shape} and {}", t.shape());
                Shared(t.make_mut().as_mut_ptr())
            })
            .collect();
        let flat = outs.iter().map(|out| Source::new(out.0.cast_const(), None));
        let all: SmallVec<[Source<T>; 6]> = flat.chain(sources(inputs, shape)).collect();
        // SAFETY: a source for each input, read with `shape`; each target has this shape, belongs
        // to its handle alone, and is read at the places that are written.
        unsafe { T::evaluate(self, &all, &outs, shape.numel()) }
    }

    /// The sum of the first result over all elements of `shape`, without storing them.
    ///
    /// # Panics
    /// As [`Program::map`].
    #[track_caller]
    pub fn sum<T: Float>(&self, inputs: &[&Tensor<T>], shape: &[usize]) -> T {
        self.sum_to(inputs, shape, &[]).item()
    }

    /// The first result over inputs that broadcast to `over`, summed to a smaller `shape` as
    /// [`Tensor::sum_to`] does, without storing it: bit for bit the sum of the stored result.
    ///
    /// ```
    /// use wengert_tensor::{Program, Tensor};
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
        // With nothing to add, or one number alone, there is nothing to gain.
        if split.terms() == 1 || over.contains(&0) {
            return self.map(inputs, &over).sum_to(shape);
        }
        self.check_inputs(inputs.len());
        self.check_result();
        let sources = sources(inputs, over);
        let mut partial = Tensor::empty(Shape::new(&split.sums()));
        // SAFETY: a source for each input, read with the shape that was split; room for the sums.
        unsafe { T::program_sum(self, &sources, split, partial.fresh_mut()) };
        partial.reshape(&split.shape(&over)).sum_to(shape)
    }
}

#[track_caller]
fn sources<T: Float>(inputs: &[&Tensor<T>], shape: Shape) -> SmallVec<[Source<T>; 6]> {
    let mut sources = SmallVec::new();
    for x in inputs {
        let own = x.shape();
        let mut layout = None;
        if own != shape || !x.is_contiguous() {
            assert!(
                broadcasts_to(&own, &shape),
                "program: an input of shape {own} does not broadcast to {shape}"
            );
            layout = Some(Collapsed::new(&shape, &x.broadcast_strides(&shape)));
        }
        sources.push(Source::new(x.ptr(), layout));
    }
    sources
}
