//! Tables of vectors, looked up by number.

use rand::Rng;
use wengert_autograd::{Index, IntoIndex, Param, Tape, Var};
use wengert_nn_derive::Module;
use wengert_tensor::{Float, Tensor};

/// Looks up vectors by number: integers […] → […, features].
///
/// The rule of a lookup adds to the rows that were looked up. The first lookup of a tape fills a
/// gradient of the size of the table, further ones do not.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::Embedding;
/// use wengert::tensor::{Philox, Tensor};
/// let embedding = Embedding::new(1000, 16, &mut Philox::new(0)).padding_index(0);
/// let tape = Tape::new();
/// let words = Tensor::from([[7i64, 3, 0], [42, 0, 0]]);
/// assert_eq!(embedding.forward(&tape, &words).shape(), [2, 3, 16]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct Embedding<T: Float = f32> {
    /// The table: [count, features].
    pub weight: Param<T>,
    padding_index: Option<i64>,
}

impl Embedding {
    /// Creates a table of `f32` with `count` vectors of `features` numbers. They are drawn from the
    /// standard normal distribution, PyTorch's default.
    pub fn new(count: usize, features: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(count, features, rng)
    }
}

impl<T: Float> Embedding<T> {
    /// Creates a table of any element type, as [`Embedding::new`] does for `f32`:
    /// `Embedding::<f64>::of(…)`.
    pub fn of(count: usize, features: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::from_tensors(Tensor::normal_of(&[count, features], 0.0, 1.0, rng))
    }

    /// Creates a layer from its table [count, features]. PyTorch: `Embedding.from_pretrained`, which
    /// also freezes the table.
    ///
    /// # Panics
    /// If the table does not have two axes.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>) -> Self {
        check_table("Embedding::from_tensors", &weight);
        Embedding { weight: weight.into(), padding_index: None }
    }

    /// Sets the number of a vector that stands for padding: its row becomes 0 and gets no gradient.
    ///
    /// # Panics
    /// If the number is not below the number of vectors.
    #[must_use]
    #[track_caller]
    pub fn padding_index(mut self, number: usize) -> Self {
        self.padding_index = Some(pad("Embedding", &mut self.weight, number));
        self
    }

    /// Scales the vectors with these numbers down to the p-norm `max_norm`, if their norm is larger. Call it
    /// before [`forward`](Embedding::forward) with the same numbers: together they are PyTorch's
    /// `Embedding(max_norm=…, norm_type=p)`, which modifies the table in each forward pass. The gradient is the
    /// one at the scaled vectors.
    ///
    /// ```
    /// use wengert::nn::Embedding;
    /// use wengert::tensor::Tensor;
    /// let mut embedding = Embedding::from_tensors(Tensor::from([[3.0, 4.0], [6.0, 8.0], [0.1, 0.1]]));
    /// embedding.renormalize(&Tensor::from([1i64, 2]), 5.0, 2.0);
    /// let lengths = embedding.weight.value().norm(2.0, &[1], false);
    /// assert!((lengths - Tensor::from([5.0, 5.0, 0.1414])).abs().max(&[], false).item() < 1e-3);
    /// ```
    ///
    /// # Panics
    /// If a number is not below the number of vectors, or `max_norm` is negative.
    #[track_caller]
    pub fn renormalize(&mut self, numbers: &Tensor<i64>, max_norm: f64, p: f64) {
        renormalize("Embedding", &mut self.weight, numbers, max_norm, p);
    }

    /// Returns the vectors with these numbers.
    ///
    /// # Panics
    /// If a number is not below the number of vectors.
    #[track_caller]
    pub fn forward<'t>(&self, tape: &'t Tape<T>, numbers: impl IntoIndex<'t, T>) -> Var<'t, T> {
        let scope = tape.open(self);
        scope.close(rows(tape.param(&self.weight), numbers.into_index(tape), self.padding_index))
    }
}

/// Returns one row of the table for each number. Rows of padding get no gradient.
#[track_caller]
fn rows<'t, T: Float>(
    table: Var<'t, T>,
    numbers: Index<'t, T>,
    padding: Option<i64>,
) -> Var<'t, T> {
    let rows = if numbers.shape().rank() == 0 {
        table.index_select(0, numbers.reshape(1)).squeeze(0)
    } else {
        table.index_select(0, numbers)
    };
    match padding {
        Some(padding) => Var::where_(numbers.eq(padding).unsqueeze(-1), rows.detach(), rows),
        None => rows,
    }
}

#[track_caller]
fn check_table<T: Float>(op: &str, weight: &Tensor<T>) {
    let shape = weight.shape();
    assert!(shape.rank() == 2, "{op}: expected a table [count, features], got {shape}");
}

/// Sets the row of the padding to 0, and returns its number.
#[track_caller]
fn pad<T: Float>(layer: &str, weight: &mut Param<T>, number: usize) -> i64 {
    let [count, features] = [0, 1].map(|axis| weight.shape()[axis]);
    assert!(
        number < count,
        "{layer}::padding_index: the number must be below the number of vectors, {count}, got {number}"
    );
    weight.update(|table| {
        table.make_mut()[number * features..(number + 1) * features].fill(T::of(0.0));
    });
    number as i64
}

/// Scales rows of a table down to a norm.
#[track_caller]
fn renormalize<T: Float>(
    layer: &str,
    weight: &mut Param<T>,
    numbers: &Tensor<i64>,
    max_norm: f64,
    p: f64,
) {
    assert!(max_norm >= 0.0, "{layer}::renormalize: max_norm must not be negative, got {max_norm}");
    let [count, features] = [0, 1].map(|axis| weight.shape()[axis]);
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    for &number in &numbers {
        assert!(
            usize::try_from(number).is_ok_and(|number| number < count),
            "{layer}::renormalize: number {number} is out of range 0..{count}"
        );
    }
    let rows = weight.value().index_select(0, &Tensor::from_slice(&numbers, [numbers.len()]));
    let norms = rows.norm(p, &[1], false).to_vec();
    // PyTorch divides by this much more, too. In `f32` a norm of 1 or more does not change by it.
    let scales = norms
        .iter()
        .map(|norm| norm.to())
        .map(|norm| (norm > max_norm).then(|| T::of(max_norm / (norm + 1e-7))));
    let long: Vec<(i64, T)> =
        numbers.iter().zip(scales).filter_map(|(&number, scale)| Some((number, scale?))).collect();
    if long.is_empty() {
        return;
    }
    weight.update(|table| {
        let table = table.make_mut();
        for (number, scale) in long {
            for x in &mut table[number as usize * features..][..features] {
                *x = *x * scale;
            }
        }
    });
}

/// Selects how an [`EmbeddingBag`] combines the vectors of a bag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Module)]
#[module(crate = "wengert_autograd")]
#[non_exhaustive]
pub enum Bag {
    /// The sum of the vectors.
    Sum,
    /// The mean of the vectors. This is the default, as in PyTorch.
    #[default]
    Mean,
    /// The largest element of the vectors, for each feature. Equal elements get equal shares of the
    /// gradient.
    Max,
}

/// Looks up the vectors of bags of numbers, and combines each bag into one vector: integers [N, L] →
/// [N, features]. An empty bag gives 0.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::nn::{Bag, EmbeddingBag};
/// use wengert::tensor::Tensor;
/// let table = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// let layer = EmbeddingBag::from_tensors(table).bag(Bag::Sum);
/// let tape = Tape::new();
/// let y = layer.forward(&tape, &Tensor::from([[0i64, 2], [1, 1]]));
/// assert_eq!(y.value().to_vec(), [6.0, 8.0, 6.0, 8.0]);
/// // Bags of any size, as positions of their first numbers: {0, 2}, {} and {1}.
/// let y = layer.forward_bags(&tape, &Tensor::from([0i64, 2, 1]), &[0, 2, 2]);
/// assert_eq!(y.value().to_vec(), [6.0, 8.0, 0.0, 0.0, 3.0, 4.0]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = "wengert_autograd")]
pub struct EmbeddingBag<T: Float = f32> {
    /// The table: [count, features].
    pub weight: Param<T>,
    bag: Bag,
    padding_index: Option<i64>,
}

impl EmbeddingBag {
    /// Creates a table of `f32` with `count` vectors of `features` numbers, drawn from the standard
    /// normal distribution. The bags are means.
    pub fn new(count: usize, features: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::of(count, features, rng)
    }
}

impl<T: Float> EmbeddingBag<T> {
    /// Creates a table of any element type, as [`EmbeddingBag::new`] does for `f32`:
    /// `EmbeddingBag::<f64>::of(…)`.
    pub fn of(count: usize, features: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        Self::from_tensors(Tensor::normal_of(&[count, features], 0.0, 1.0, rng))
    }

    /// Creates a layer from its table [count, features].
    ///
    /// # Panics
    /// If the table does not have two axes.
    #[track_caller]
    pub fn from_tensors(weight: Tensor<T>) -> Self {
        check_table("EmbeddingBag::from_tensors", &weight);
        EmbeddingBag { weight: weight.into(), bag: Bag::Mean, padding_index: None }
    }

    /// Sets how the vectors of a bag are combined. The default is the mean.
    #[must_use]
    pub fn bag(self, bag: Bag) -> Self {
        EmbeddingBag { bag, ..self }
    }

    /// Sets the number of a vector that stands for padding: its row becomes 0, gets no gradient, and
    /// does not count in a bag.
    ///
    /// # Panics
    /// If the number is not below the number of vectors.
    #[must_use]
    #[track_caller]
    pub fn padding_index(mut self, number: usize) -> Self {
        self.padding_index = Some(pad("EmbeddingBag", &mut self.weight, number));
        self
    }

    /// Scales the vectors with these numbers down to the p-norm `max_norm`, as
    /// [`Embedding::renormalize`] does.
    ///
    /// # Panics
    /// If a number is not below the number of vectors, or `max_norm` is negative.
    #[track_caller]
    pub fn renormalize(&mut self, numbers: &Tensor<i64>, max_norm: f64, p: f64) {
        renormalize("EmbeddingBag", &mut self.weight, numbers, max_norm, p);
    }

    /// Returns the combined vectors of bags of the same size: [N, L] → [N, features].
    ///
    /// # Panics
    /// If the numbers do not have two axes, or a number is not below the number of vectors.
    #[track_caller]
    pub fn forward<'t>(&self, tape: &'t Tape<T>, numbers: impl IntoIndex<'t, T>) -> Var<'t, T> {
        let scope = tape.open(self);
        let numbers = numbers.into_index(tape);
        scope.close(self.combined(tape, numbers, None))
    }

    /// Returns the combined vectors of bags of any size. The bags lie one after the other in `numbers`,
    /// and bag i begins at `offsets[i]`. PyTorch: `EmbeddingBag(input, offsets)`.
    ///
    /// # Panics
    /// If the numbers do not have one axis, the offsets do not ascend from 0 to their count, or a number
    /// is not below the number of vectors.
    #[track_caller]
    pub fn forward_bags<'t>(
        &self,
        tape: &'t Tape<T>,
        numbers: &Tensor<i64>,
        offsets: &[usize],
    ) -> Var<'t, T> {
        let shape = numbers.shape();
        let ends: Vec<usize> = offsets.iter().skip(1).copied().chain([shape.numel()]).collect();
        let ascends = offsets.iter().zip(&ends).all(|(start, end)| start <= end);
        if shape.rank() != 1 || !ascends || offsets.first().is_some_and(|&first| first != 0) {
            tape.shape_error(format!(
                "embedding_bag: expected numbers [n] and offsets that ascend from 0 to n, got {shape} and \
                 {offsets:?}"
            ))
        }
        let sizes: Vec<usize> = offsets.iter().zip(&ends).map(|(start, end)| end - start).collect();
        let most = sizes.iter().copied().max().unwrap_or(0).max(1);
        let (all, n) = (numbers.to_vec(), offsets.len());
        let at = |i: usize| (i % most < sizes[i / most]).then(|| offsets[i / most] + i % most);
        // The places after the end of a bag hold a number of some bag, which the mask leaves out.
        let other = all.first().copied().unwrap_or(0);
        let padded = Tensor::from_fn(&[n, most], |i| at(i).map_or(other, |at| all[at]));
        let counts = Tensor::from_fn(&[n, most], |i| at(i).is_some());
        let scope = tape.open(self);
        scope.close(self.combined(tape, tape.index(padded), Some(counts)))
    }

    /// Combines the vectors of each row of numbers, where `counts` is true.
    #[track_caller]
    fn combined<'t>(
        &self,
        tape: &'t Tape<T>,
        numbers: Index<'t, T>,
        counts: Option<Tensor<bool>>,
    ) -> Var<'t, T> {
        let shape = numbers.shape();
        if shape.rank() != 2 {
            tape.shape_error(format!("embedding_bag: expected bags of numbers [N, L], got {shape}"))
        }
        let rows = rows(tape.param(&self.weight), numbers, None);
        let given = tape.mask(counts.unwrap_or_else(|| Tensor::from_fn(shape, |_| true)));
        let counts = match self.padding_index {
            Some(padding) => given.and(numbers.ne(padding)),
            None => given,
        }
        .unsqueeze(2);
        let sum = || Var::where_(counts, rows, 0).sum(&[1], false);
        let some = counts.any(&[1], false);
        match self.bag {
            Bag::Sum => sum(),
            Bag::Mean => sum() / counts.cast().sum(&[1], false).clamp_min(1.0),
            Bag::Max if shape[1] == 0 => sum(),
            Bag::Max => {
                let largest = Var::where_(counts, rows, f64::NEG_INFINITY).max(&[1], false);
                Var::where_(some, largest, 0)
            }
        }
    }
}
