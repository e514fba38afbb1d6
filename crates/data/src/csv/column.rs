//! A column of a table.

use crate::error::DataError;
use std::fmt;
use std::path::Path;
use wengert_tensor::Tensor;

/// The name or the index of a column. `"price"` and `3` convert to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKey {
    /// The header.
    Name(String),
    /// The index, counted from 0.
    Index(usize),
}

impl From<&str> for ColumnKey {
    fn from(name: &str) -> Self {
        ColumnKey::Name(name.into())
    }
}

impl From<String> for ColumnKey {
    fn from(name: String) -> Self {
        ColumnKey::Name(name)
    }
}

impl From<usize> for ColumnKey {
    fn from(index: usize) -> Self {
        ColumnKey::Index(index)
    }
}

impl fmt::Display for ColumnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnKey::Name(name) => write!(f, "{name:?}"),
            ColumnKey::Index(index) => write!(f, "with index {index}"),
        }
    }
}

/// Finds a column.
pub(super) fn position(
    key: &ColumnKey,
    names: &[&str],
    headers: bool,
    path: &Path,
) -> Result<usize, DataError> {
    let found = match key {
        ColumnKey::Name(name) => names.iter().position(|it| it == name),
        ColumnKey::Index(index) => (*index < names.len()).then_some(*index),
    };
    found.ok_or_else(|| DataError::NoColumn {
        path: path.into(),
        column: key.to_string(),
        columns: if headers { names.join(", ") } else { format!("0 to {}", names.len() - 1) },
    })
}

/// A column of numbers or of categories.
#[derive(Clone, Debug)]
pub struct TableColumn {
    pub(super) name: String,
    /// The index of the column in the file.
    pub(super) index: usize,
    pub(super) cells: Cells,
}

#[derive(Clone, Debug)]
pub(super) enum Cells {
    /// The numbers, and the number that replaces missing ones.
    Numbers { values: Vec<f64>, fill: f64 },
    /// The categories as indices of their names.
    Categories { values: Vec<i64>, names: Vec<String> },
}

impl TableColumn {
    /// Returns the header, or the index if the table has no headers.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the numbers, or `None` if the column has categories.
    pub fn numbers(&self) -> Option<&[f64]> {
        match &self.cells {
            Cells::Numbers { values, .. } => Some(values),
            Cells::Categories { .. } => None,
        }
    }

    /// Returns the names of the categories, in the order of their numbers. The list is empty if the column has numbers.
    pub fn categories(&self) -> &[String] {
        match &self.cells {
            Cells::Numbers { .. } => &[],
            Cells::Categories { names, .. } => names,
        }
    }

    /// Returns the categories as numbers, `[n]`: indices of [`categories`](TableColumn::categories). A column of numbers
    /// gives its numbers, without their fractions.
    pub fn classes(&self) -> Tensor<i64> {
        match &self.cells {
            Cells::Numbers { values, .. } => {
                Tensor::from_fn(&[values.len()], |row| values[row] as i64)
            }
            Cells::Categories { values, .. } => values.clone().into(),
        }
    }

    pub(super) fn category_of(&self, row: usize) -> Option<&str> {
        match &self.cells {
            Cells::Numbers { .. } => None,
            Cells::Categories { values, names } => {
                names.get(*values.get(row)? as usize).map(String::as_str)
            }
        }
    }

    /// Returns the number of inputs that the column becomes.
    pub(super) fn width(&self) -> usize {
        match &self.cells {
            Cells::Numbers { .. } => 1,
            Cells::Categories { names, .. } => names.len(),
        }
    }

    /// Writes the inputs of a row.
    pub(super) fn write(&self, row: usize, to: &mut [f32]) {
        match &self.cells {
            Cells::Numbers { values, .. } => to[0] = values[row] as f32,
            Cells::Categories { values, .. } => to[values[row] as usize] = 1.0,
        }
    }

    /// Returns the name, the type, the categories and the mean.
    pub(super) fn without_values(&self) -> TableColumn {
        let cells = match &self.cells {
            Cells::Numbers { fill, .. } => Cells::Numbers { values: Vec::new(), fill: *fill },
            Cells::Categories { names, .. } => {
                Cells::Categories { values: Vec::new(), names: names.clone() }
            }
        };
        TableColumn { name: self.name.clone(), index: self.index, cells }
    }
}
