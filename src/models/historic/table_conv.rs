//! A convolution with a connection table.

use crate::models::check_images::check_images;
use crate::prelude::*;
use rand::Rng;

/// A convolution with a connection table: \[N, C, H, W\] → \[N, O, H', W'\].
///
/// Output map o reads only the input maps in `table[o]`. Only these connections have weights.
///
/// The weights are stored per connection, \[connections, kh, kw\]. `call` expands them, with zeros
/// for missing connections, before the convolution.
///
/// ```
/// use wengert::models::TableConv2d;
/// use wengert::prelude::*;
/// let table = [vec![0, 1], vec![1, 2], vec![2]];
/// let conv = TableConv2d::new(3, &table, 5, &mut Philox::new(0));
/// assert_eq!(conv.parameter_count(), 5 * 25 + 3);
/// assert_eq!(conv.predict(&Tensor::zeros(&[2, 3, 14, 14])).shape(), [2, 3, 10, 10]);
/// ```
#[derive(Debug, Clone, Module)]
#[module(crate = "wengert_autograd")]
pub struct TableConv2d<T: Float = f32> {
    /// One kernel per connection: \[connections, kh, kw\].
    pub weight: Param<T>,
    /// One bias per output map: \[O\].
    pub bias: Option<Param<T>>,
    /// For each output map and each input map, the index of their kernel. A missing connection has
    /// the index one past the last kernel.
    #[module(skip)]
    kernels: Tensor<i64>,
    #[module(skip)]
    maps: [usize; 2],
    #[module(skip)]
    conv: Conv,
}

impl TableConv2d {
    /// Creates a convolution of `f32` over `inputs` maps with square kernels.
    ///
    /// The weights are drawn uniformly from ±2.4/F, as in LeCun et al., 1998, appendix A, and the
    /// biases are 0. F is the number of inputs of a unit of the output map, its bias included:
    /// kernel² for each map that it reads, plus 1.
    ///
    /// # Panics
    /// If a row of the table is empty, contains an index that is not below `inputs`, or contains an
    /// index twice.
    #[track_caller]
    pub fn new(
        inputs: usize,
        table: &[Vec<usize>],
        kernel: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        Self::of(inputs, table, kernel, rng)
    }
}

impl<T: Float> TableConv2d<T> {
    /// Creates a convolution of any element type, as [`TableConv2d::new`] does for `f32`:
    /// `TableConv2d::<f64>::of(…)`.
    ///
    /// # Panics
    /// If a row of the table is empty, contains an index that is not below `inputs`, or contains an
    /// index twice.
    #[track_caller]
    pub fn of(
        inputs: usize,
        table: &[Vec<usize>],
        kernel: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let mut weights = vec![];
        let mut connections = 0;
        let none = table.iter().map(Vec::len).sum::<usize>() as i64;
        let mut kernels = vec![none; table.len() * inputs];
        for (output, read) in table.iter().enumerate() {
            assert!(
                !read.is_empty() && read.iter().all(|&map| map < inputs),
                "TableConv2d: row {output} of the table must contain at least one input map below \
                 {inputs} and no other numbers, got {read:?}"
            );
            if let Some(twice) = (1..read.len()).find(|&i| read[..i].contains(&read[i])) {
                panic!(
                    "TableConv2d: row {output} of the table must contain each input map once, got \
                     {read:?} with map {} twice",
                    read[twice]
                )
            }
            let bound = 2.4 / (read.len() * kernel * kernel + 1) as f64;
            for &map in read {
                weights.push(Tensor::uniform_of(&[kernel, kernel], -bound, bound, rng));
                kernels[output * inputs + map] = connections;
                connections += 1;
            }
        }
        TableConv2d {
            weight: Tensor::stack(&weights, 0).into(),
            bias: Some(Tensor::zeros_of(&[table.len()]).into()),
            kernels: Tensor::from_vec(kernels, &[table.len() * inputs]),
            maps: [table.len(), inputs],
            conv: Conv::default(),
        }
    }

    /// Sets the stride: the distance between neighbouring windows. The default is 1.
    pub fn stride(self, stride: usize) -> Self {
        TableConv2d { conv: self.conv.stride(stride), ..self }
    }

    /// Removes the biases.
    pub fn without_bias(self) -> Self {
        TableConv2d { bias: None, ..self }
    }
}

impl<T: Float> Layer<T> for TableConv2d<T> {
    fn call<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        check_images("TableConv2d", x, self.maps[1], None);
        let (tape, kernel) = (x.tape(), self.weight.shape()[1] as isize);
        let [outputs, inputs] = self.maps.map(|n| n as isize);
        let dense = tape
            .param(&self.weight)
            .pad(&[(0, 1), (0, 0), (0, 0)], 0.0)
            .index_select(0, &self.kernels)
            .reshape(&[outputs, inputs, kernel, kernel]);
        x.conv2d(dense, self.bias.as_ref().map(|bias| tape.param(bias)), &self.conv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv(table: &[Vec<usize>]) -> TableConv2d {
        TableConv2d::new(3, table, 5, &mut Philox::new(0))
    }

    #[test]
    fn inputs_with_another_number_of_channels_panic() {
        let conv = conv(&[vec![0, 1], vec![2]]);
        for (shape, text) in [
            (&[2, 4, 8, 8][..], "[2, 4, 8, 8]"),
            (
                &[2, 8, 8, 3],
                "[2, 8, 8, 3] (the channels are on the last axis: move them to axis 1 with permute)",
            ),
            (&[3, 8, 8], "[3, 8, 8] (for one sample, add the batch axis with unsqueeze(0))"),
            (&[2, 192], "[2, 192]"),
        ] {
            let error = conv.summary(shape).unwrap_err();
            assert_eq!(error.message, format!("TableConv2d: expected [N, 3, H, W], got {text}"));
        }
    }

    #[test]
    fn initial_values_have_the_range_of_the_paper() {
        let conv = conv(&[vec![0, 1], vec![2]]);
        let largest = |first, n| conv.weight.value().narrow(0, first, n).abs().to_vec();
        let largest = |first, n| largest(first, n).into_iter().fold(0.0f32, f32::max);
        for (found, bound) in [(largest(0, 2), 2.4 / 51.0), (largest(2, 1), 2.4 / 26.0)] {
            assert!(found <= bound && found > 0.8 * bound, "{found} {bound}");
        }
        assert_eq!(conv.bias.unwrap().value().to_vec(), [0.0, 0.0]);
    }

    #[test]
    #[should_panic(
        expected = "row 1 of the table must contain each input map once, got [2, 0, 2] with map 2 twice"
    )]
    fn a_map_named_twice_panics() {
        conv(&[vec![0, 1], vec![2, 0, 2]]);
    }

    #[test]
    #[should_panic(
        expected = "row 1 of the table must contain at least one input map below 3 and no other numbers, got [3]"
    )]
    fn a_map_that_does_not_exist_panics() {
        conv(&[vec![0, 1], vec![3]]);
    }
}
