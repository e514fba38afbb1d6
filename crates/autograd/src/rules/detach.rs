//! The operation through which no gradient flows.

use crate::graph::{Op, Var};
use wengert_tensor::Float;

impl<T: Float> Var<'_, T> {
    /// Returns a variable with the same value through which no gradient flows. Derivatives treat it as a
    /// constant, although it may be computed from other variables.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([3.0f32]));
    /// let slope = (x * x.detach()).sum_all().grad(&[x])[0];
    /// assert_eq!(slope.value().to_vec(), [3.0]); // not 6
    /// ```
    #[track_caller]
    pub fn detach(self) -> Self {
        self.tape.apply(Op::Detach, &[self], self.shape())
    }
}
