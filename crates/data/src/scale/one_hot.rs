//! Columns of 0 and 1 in place of numbers of categories.

use super::list;
use crate::stored::{Stored, stored};
use wengert_tensor::Tensor;

/// Replaces each column of categories by a column of 0 and 1 for each category that the training examples have.
///
/// Categories are numbers `i64`, `[n]` or `[n, columns]`, such as `TableColumn::classes`
/// gives. The categories of a column are in ascending order.
///
/// ```
/// use wengert::data::OneHot;
/// use wengert::tensor::Tensor;
/// let colours = Tensor::from([3i64, 7, 3]);
/// let code = OneHot::fit(&colours);
/// let codes = code.transform(&colours);
/// assert_eq!(codes, Tensor::from([[1.0f32, 0.0], [0.0, 1.0], [1.0, 0.0]]));
/// assert_eq!(code.inverse(&codes).to_vec(), [3, 7, 3]);
/// ```
///
/// It is a module: as a field of a model, its state is saved and loaded with the model, under the names
/// `categories` and `counts`. [`OneHot::new`] creates one to load into.
#[derive(Debug, Clone)]
pub struct OneHot {
    /// The categories of all columns, one column after the other.
    categories: Stored<i64>,
    /// The number of categories of each column.
    counts: Stored<i64>,
    unknown_as_zeros: bool,
}
stored!(OneHot: categories, counts);

impl OneHot {
    /// Collects the categories of each column of the training examples, `[n]` or `[n, columns]`.
    ///
    /// # Panics
    /// If there are no examples, or `train` has another number of axes.
    #[track_caller]
    pub fn fit(train: &Tensor<i64>) -> Self {
        let [n, width] = rows("OneHot::fit", train);
        assert!(n > 0, "OneHot::fit: there must be at least one example, got none");
        let values = train.to_vec();
        let columns = (0..width).map(|column| {
            let mut found: Vec<i64> = values.iter().skip(column).step_by(width).copied().collect();
            found.sort_unstable();
            found.dedup();
            found
        });
        Self::of(&columns.collect::<Vec<_>>())
    }

    /// Creates the code of the categories 0, 1, … of each column, `counts` of them: to use without fitting, or
    /// to load a saved state into.
    pub fn new(counts: &[usize]) -> Self {
        let columns = counts.iter().map(|&count| (0..count as i64).collect());
        Self::of(&columns.collect::<Vec<_>>())
    }

    fn of(columns: &[Vec<i64>]) -> Self {
        let counts: Vec<i64> = columns.iter().map(|column| column.len() as i64).collect();
        OneHot {
            categories: Stored::new(columns.concat().into()),
            counts: Stored::new(counts.into()),
            unknown_as_zeros: false,
        }
    }

    /// Sets whether a category that the training examples do not have becomes zeros in all columns of the code.
    /// The default is `false`: it is an error of the program.
    pub fn unknown_as_zeros(mut self, zeros: bool) -> Self {
        self.unknown_as_zeros = zeros;
        self
    }

    /// Returns the categories of each column.
    ///
    /// # Panics
    /// If a state was loaded whose counts do not match its categories.
    #[track_caller]
    pub fn categories(&self) -> Vec<Vec<i64>> {
        let (all, counts) = (list(self.categories.value()), list(self.counts.value()));
        let (all, counts) = (all.unwrap_or_default(), counts.unwrap_or_default());
        let mut rest = all.as_slice();
        let columns = counts.iter().map(|&count| {
            let (column, after) = rest.split_at_checked(usize::try_from(count).ok()?)?;
            rest = after;
            Some(column.to_vec())
        });
        let columns: Option<Vec<_>> = columns.collect();
        match columns.filter(|_| rest.is_empty()) {
            Some(columns) => columns,
            None => panic!(
                "OneHot: the counts {counts:?} must add up to the number of categories, got {}",
                all.len()
            ),
        }
    }

    /// Returns the code, `[n, categories]`: for `[n]` or `[n, columns]`, each row has a 1 for the category of each
    /// column, and else 0.
    ///
    /// # Panics
    /// If the number of columns is not that of the training examples. If a category is not among theirs, unless
    /// [`unknown_as_zeros`](OneHot::unknown_as_zeros) is set.
    #[track_caller]
    pub fn transform(&self, categories: &Tensor<i64>) -> Tensor {
        let columns = self.categories();
        let [n, width] = rows("OneHot::transform", categories);
        assert!(
            width == columns.len(),
            "OneHot::transform: expected {} columns of categories, got {}",
            columns.len(),
            categories.shape()
        );
        let all: usize = columns.iter().map(Vec::len).sum();
        let values = categories.to_vec();
        let mut code = vec![0.0f32; n * all];
        for (row, values) in values.chunks(width.max(1)).enumerate() {
            let mut start = row * all;
            for (column, (known, value)) in columns.iter().zip(values).enumerate() {
                match known.binary_search(value) {
                    Ok(at) => code[start + at] = 1.0,
                    Err(_) => assert!(
                        self.unknown_as_zeros,
                        "OneHot::transform: category {value} in column {column} of row {row} is not \
                         among the {} of the training examples: call unknown_as_zeros(true) to code \
                         it as zeros",
                        known.len()
                    ),
                }
                start += known.len();
            }
        }
        Tensor::from_vec(code, &[n, all])
    }

    /// Returns the categories with the largest values of a code `[n, categories]`: `[n]` for one column, else
    /// `[n, columns]`. The first of equal values counts.
    ///
    /// # Panics
    /// If the code has another number of columns than [`transform`](OneHot::transform) gives, or a column has no
    /// categories.
    #[track_caller]
    pub fn inverse(&self, code: &Tensor) -> Tensor<i64> {
        let columns = self.categories();
        let (all, shape) = (columns.iter().map(Vec::len).sum::<usize>(), code.shape());
        assert!(
            shape.len() == 2 && shape[1] == all,
            "OneHot::inverse: expected a code [n, {all}], got {shape}"
        );
        let mut values = Vec::with_capacity(shape[0] * columns.len());
        for row in code.to_vec().chunks(all.max(1)) {
            let mut rest = row;
            for column in &columns {
                let (own, after) = rest.split_at(column.len());
                rest = after;
                let best =
                    (1..own.len()).fold(0, |best, at| if own[at] > own[best] { at } else { best });
                assert!(!column.is_empty(), "OneHot::inverse: a column has no categories");
                values.push(column[best]);
            }
        }
        match columns.len() {
            1 => Tensor::from_vec(values, &[shape[0]]),
            width => Tensor::from_vec(values, &[shape[0], width]),
        }
    }
}

/// Returns the numbers of rows and columns.
#[track_caller]
fn rows(what: &str, categories: &Tensor<i64>) -> [usize; 2] {
    let shape = categories.shape();
    match *shape {
        [n] => [n, 1],
        [n, width] => [n, width],
        _ => panic!("{what}: expected categories [n] or [n, columns], got {shape}"),
    }
}
