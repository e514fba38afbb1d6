//! Tables in text files: comma-separated values.

use crate::dataset::TensorDataset;
use crate::error::DataError;
use crate::problem::CellProblem;
use crate::unpack::Unpacked;
use std::path::{Path, PathBuf};
use wengert_tensor::Tensor;

mod column;
mod read;
pub use column::{ColumnKey, TableColumn};

/// What to do with a missing value of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Missing {
    /// It is an error, which names the line and the column.
    Error,
    /// The line is omitted.
    DropLine,
    /// A missing number becomes this number. A missing category becomes a category of its own, with an empty name.
    Fill(f64),
    /// A missing number becomes the mean of the column, or of the column of the table that
    /// [`Csv::like`] names. A missing category becomes a category of its own, with an empty name.
    FillMean,
}

/// Reads tables from text files, with one example per line.
///
/// A column whose first value is a number has numbers, and another value in it is an error. Other columns have
/// categories, which are numbered in alphabetical order. [`category`](Csv::category) and
/// [`number`](Csv::number) decide otherwise.
///
/// ```
/// use wengert::data::{Csv, Dataset, Missing};
///
/// const TEXT: &str = "length,colour,species
/// 1.5,red,setosa
/// 4.5,\"dark blue\",virginica
/// ,red,setosa
/// ";
///
/// fn main() -> Result<(), wengert::data::DataError> {
///     let table = Csv::new().missing(Missing::FillMean).parse(TEXT.as_bytes(), "flowers.csv")?;
///     assert_eq!(table.names(), ["length", "colour", "species"]);
///     assert_eq!(table.column("species")?.categories(), ["setosa", "virginica"]);
///
///     // A column of categories becomes a column of 0 and 1 for each category.
///     let set = table.classification("species")?;
///     let (inputs, classes) = set.batch(&[1, 2]);
///     assert_eq!(inputs.to_vec(), [4.5, 1.0, 0.0, 3.0, 0.0, 1.0]);
///     assert_eq!(classes.to_vec(), [1, 0]);
///
///     let error = Csv::new().parse(TEXT.as_bytes(), "flowers.csv").unwrap_err().to_string();
///     assert!(error.starts_with("flowers.csv: line 4, column 1 (\"length\"): the value is missing"));
///     Ok(())
/// }
/// ```
///
/// Lines may end as on Windows. A cell may be in quotes: then it can contain delimiters, line ends, and quotes, which
/// are doubled. The text is UTF-8, with or without a byte-order mark, and may be compressed with gzip. Blanks
/// around a cell are ignored. For any input, reading returns a table or a [`DataError`].
#[derive(Clone, Debug)]
pub struct Csv {
    delimiter: u8,
    headers: bool,
    missing: Missing,
    missing_words: Vec<String>,
    categories: Vec<ColumnKey>,
    numbers: Vec<ColumnKey>,
    like: Option<Vec<TableColumn>>,
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// Creates a reader of tables with commas and a line of headers, in which a missing value is an error.
    pub fn new() -> Self {
        let words = ["", "NA", "N/A", "na", "n/a", "NaN", "nan", "NULL", "null", "None", "?"];
        Csv {
            delimiter: b',',
            headers: true,
            missing: Missing::Error,
            missing_words: words.map(String::from).to_vec(),
            categories: Vec::new(),
            numbers: Vec::new(),
            like: None,
        }
    }

    /// Sets the character between two cells, such as `b';'` or `b'\t'`.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Sets whether the first line has the names of the columns. The default is `true`. Else the names are their
    /// indices.
    pub fn headers(mut self, headers: bool) -> Self {
        self.headers = headers;
        self
    }

    /// Sets what to do with missing values. The default is [`Missing::Error`].
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// Sets the cells that mean a missing value. The default is an empty cell, `NA`, `N/A`, `NaN`, `NULL`, also in
    /// small letters, `None`, and `?`.
    pub fn missing_words<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.missing_words = words.into_iter().map(Into::into).collect();
        self
    }

    /// Declares that a column has categories, although its values look like numbers: a code, such as a zip code.
    pub fn category(mut self, column: impl Into<ColumnKey>) -> Self {
        self.categories.push(column.into());
        self
    }

    /// Declares that a column has numbers. A value that is not a number is then an error, also the first one.
    pub fn number(mut self, column: impl Into<ColumnKey>) -> Self {
        self.numbers.push(column.into());
        self
    }

    /// Reads columns as those of the same name in another table, or of the same index without headers: with the same
    /// type, the same categories in the same order, and the same means for missing numbers. A new category is an
    /// error. The columns have the order of the other table, whatever their order in the file, so that the inputs of a model
    /// keep their places. Columns that the other table lacks follow; columns that the file lacks are absent.
    ///
    /// ```
    /// use wengert::data::Csv;
    /// let train = Csv::new().parse(b"size,rooms,price\nsmall,1,3\nlarge,4,9\n", "train").unwrap();
    /// let test = Csv::new().like(&train).parse(b"rooms,size\n2,small\n", "test").unwrap();
    /// assert_eq!(test.inputs().to_vec(), [0.0, 1.0, 2.0]); // large, small, rooms
    /// assert!(Csv::new().like(&train).parse(b"size\nhuge\n", "test").is_err());
    /// ```
    pub fn like(mut self, table: &Table) -> Self {
        self.like = Some(table.columns.iter().map(TableColumn::without_values).collect());
        self
    }

    /// Reads a table from a file.
    ///
    /// # Errors
    /// If the file cannot be read or is of another kind, a line has another number of cells than the first, a quote is not
    /// closed, a value is not of the type of its column, or a value is missing and [`Missing::Error`] is set.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Table, DataError> {
        let path = path.as_ref();
        read::table(self, &Unpacked::open(path)?.read_all()?, path)
    }

    /// Parses the bytes of a table, which are not compressed. Errors use `name` as the path.
    ///
    /// # Errors
    /// As [`read`](Csv::read).
    pub fn parse(&self, bytes: &[u8], name: impl AsRef<Path>) -> Result<Table, DataError> {
        read::table(self, bytes, name.as_ref())
    }
}

/// The maximum number of inputs of a table.
const MOST: usize = 1 << 28;

/// A table that [`Csv`] has read.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    columns: Vec<TableColumn>,
    /// The numbers of the lines in the file.
    lines: Vec<u64>,
    headers: bool,
}

impl Table {
    /// Returns the number of examples: lines that were not omitted.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Returns whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Returns the names of the columns: the headers, or else the indices.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(TableColumn::name).collect()
    }

    /// Returns the columns.
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Returns a column, by its name or its index. Of several columns with the name, the first.
    ///
    /// # Errors
    /// If there is no such column. The error lists the names.
    pub fn column(&self, key: impl Into<ColumnKey>) -> Result<&TableColumn, DataError> {
        Ok(&self.columns[self.position(&key.into())?])
    }

    /// Returns the table without a column, such as the number of the example.
    ///
    /// # Errors
    /// If there is no such column. The error lists the names.
    pub fn without(mut self, key: impl Into<ColumnKey>) -> Result<Self, DataError> {
        let position = self.position(&key.into())?;
        self.columns.remove(position);
        Ok(self)
    }

    /// Returns all columns as inputs, `[n, features]`: a column of numbers as it is, a column of categories as a
    /// column of 0 and 1 for each category.
    ///
    /// # Panics
    /// If there would be more than 2²⁸ numbers, because a column has very many categories.
    #[track_caller]
    pub fn inputs(&self) -> Tensor {
        if let Err(error) = self.check_width() {
            panic!("Table::inputs: {error}");
        }
        let (n, width) = (self.len(), self.columns.iter().map(TableColumn::width).sum());
        let mut rows = vec![0.0; n * width];
        let mut start = 0;
        for column in &self.columns {
            for (row, target) in rows.chunks_mut(width).enumerate() {
                column.write(row, &mut target[start..start + column.width()]);
            }
            start += column.width();
        }
        Tensor::from_vec(rows, &[n, width])
    }

    /// Returns the names of the columns of [`inputs`](Table::inputs), such as `length` and `colour=red`.
    pub fn input_names(&self) -> Vec<String> {
        let names = self.columns.iter().map(|column| match column.categories() {
            [] => vec![column.name().to_string()],
            categories => {
                let name = |category| format!("{}={category}", column.name());
                categories.iter().map(name).collect()
            }
        });
        names.flatten().collect()
    }

    /// Returns the data set whose targets are the classes of a column, and whose inputs are the other columns; see
    /// [`inputs`](Table::inputs). The numbers of a column of numbers are the classes.
    ///
    /// # Errors
    /// If there is no such column, or it has numbers that are negative or not whole. If another column has so many
    /// categories that there would be more than 2²⁸ inputs.
    pub fn classification(
        &self,
        target: impl Into<ColumnKey>,
    ) -> Result<TensorDataset<f32, i64>, DataError> {
        let position = self.position(&target.into())?;
        let classes = match self.columns[position].numbers() {
            None => self.columns[position].classes(),
            Some(numbers) => {
                let wrong = numbers.iter().position(|&x| x < 0.0 || x.fract() != 0.0 || x >= 2e9);
                if let Some(row) = wrong {
                    let problem = CellProblem::NotAClass(numbers[row].to_string());
                    return Err(self.cell(row, position, problem));
                }
                Tensor::from_fn(&[numbers.len()], |row| numbers[row] as i64)
            }
        };
        let inputs = self.clone().without(position)?;
        inputs.check_width()?;
        Ok(TensorDataset::new(inputs.inputs(), classes))
    }

    /// Returns the data set whose targets are the numbers of a column, `[n, 1]`, and whose inputs are the other
    /// columns; see [`inputs`](Table::inputs).
    ///
    /// # Errors
    /// If there is no such column, or it has categories. If another column has so many categories that there would be
    /// more than 2²⁸ inputs.
    pub fn regression(
        &self,
        target: impl Into<ColumnKey>,
    ) -> Result<TensorDataset<f32, f32>, DataError> {
        let position = self.position(&target.into())?;
        let Some(numbers) = self.columns[position].numbers() else {
            let first = self.columns[position].category_of(0).unwrap_or_default();
            return Err(self.cell(0, position, CellProblem::NotANumber(first.into())));
        };
        let targets = Tensor::from_fn(&[numbers.len(), 1], |row| numbers[row] as f32);
        let inputs = self.clone().without(position)?;
        inputs.check_width()?;
        Ok(TensorDataset::new(inputs.inputs(), targets))
    }

    /// Returns an error if there are too many inputs. It names the column with the most categories.
    fn check_width(&self) -> Result<(), DataError> {
        let width: usize = self.columns.iter().map(TableColumn::width).sum();
        let widest = (0..self.columns.len()).max_by_key(|&column| self.columns[column].width());
        match widest.filter(|_| self.len().saturating_mul(width) > MOST) {
            Some(column) => {
                let count = self.columns[column].width();
                Err(self.cell(0, column, CellProblem::TooManyCategories(count)))
            }
            None => Ok(()),
        }
    }

    fn cell(&self, row: usize, column: usize, problem: CellProblem) -> DataError {
        let name = self.columns[column].name().to_string();
        DataError::Cell {
            path: self.path.clone(),
            line: self.lines.get(row).copied().unwrap_or(0),
            column: self.columns[column].index + 1,
            header: self.headers.then_some(name),
            problem,
        }
    }

    fn position(&self, key: &ColumnKey) -> Result<usize, DataError> {
        column::position(key, &self.names(), self.headers, &self.path)
    }
}
