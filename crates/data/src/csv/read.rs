//! Reading a table line by line.

use super::column::{Cells, position};
use super::{Csv, Missing, Table, TableColumn};
use crate::error::DataError;
use crate::problem::CellProblem;
use csv::{ErrorKind, Position, ReaderBuilder, StringRecord};
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// A column while it is read.
enum Growing {
    /// No value was found yet. The number of missing ones.
    Undecided(usize),
    /// Missing numbers are NaN.
    Numbers { values: Vec<f64>, fill: Option<f64> },
    /// The categories in the order of their first occurrence. A missing one has an empty name.
    Categories { values: Vec<i64>, ids: HashMap<String, i64>, fixed: bool },
}

/// The byte-order mark that editors on Windows write at the start of UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn table(options: &Csv, bytes: &[u8], path: &Path) -> Result<Table, DataError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = ReaderBuilder::new()
        .delimiter(options.delimiter)
        .has_headers(options.headers)
        .from_reader(bytes);
    let mut record = StringRecord::new();
    let failed = |error: csv::Error| convert(error, bytes, path);
    let mut names: Option<Vec<String>> = None;
    if options.headers {
        let headers = reader.headers().map_err(failed)?;
        names = Some(headers.iter().map(|name| name.trim().to_string()).collect());
    }
    let mut columns: Vec<Growing> = Vec::new();
    let mut lines = Vec::new();
    loop {
        let more = reader.read_record(&mut record).map_err(failed)?;
        let names =
            names.get_or_insert_with(|| (0..record.len()).map(|index| index.to_string()).collect());
        if columns.is_empty() {
            columns = begin(options, names, path)?;
        }
        if !more {
            break;
        }
        let line = record.position().map_or(0, |position| line_of(position, bytes));
        let missing = |cell: &str| options.missing_words.iter().any(|word| word == cell);
        let some_missing = record.iter().any(|cell| missing(cell.trim()));
        if some_missing && options.missing == Missing::DropLine {
            continue;
        }
        for (index, (cell, column)) in record.iter().zip(&mut columns).enumerate() {
            let cell = cell.trim();
            let value = Some(cell).filter(|cell| !missing(cell));
            column.add(value, options.missing).map_err(|problem| DataError::Cell {
                path: path.into(),
                line,
                column: index + 1,
                header: options.headers.then(|| names[index].clone()),
                problem,
            })?;
        }
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(DataError::Empty { path: path.into() });
    }
    let names = names.unwrap_or_default();
    let columns = names.into_iter().zip(columns);
    let columns =
        columns.map(|(name, column)| TableColumn { name, cells: column.finish(options.missing) });
    Ok(Table { path: path.into(), columns: columns.collect(), lines, headers: options.headers })
}

/// Returns the empty columns, with the types that the options give them.
fn begin(options: &Csv, names: &[String], path: &Path) -> Result<Vec<Growing>, DataError> {
    let shown: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut columns: Vec<Growing> = names.iter().map(|_| Growing::Undecided(0)).collect();
    for known in options.like.iter().flatten() {
        let Some(index) = shown.iter().position(|name| *name == known.name) else { continue };
        columns[index] = match &known.cells {
            Cells::Numbers { fill, .. } => {
                Growing::Numbers { values: Vec::new(), fill: Some(*fill) }
            }
            Cells::Categories { names, .. } => Growing::Categories {
                values: Vec::new(),
                ids: names.iter().cloned().zip(0..).collect(),
                fixed: true,
            },
        };
    }
    for key in &options.categories {
        columns[position(key, &shown, options.headers, path)?] = Growing::categories(0);
    }
    for key in &options.numbers {
        columns[position(key, &shown, options.headers, path)?] = Growing::numbers(0);
    }
    Ok(columns)
}

impl Growing {
    fn numbers(missing: usize) -> Self {
        Growing::Numbers { values: vec![f64::NAN; missing], fill: None }
    }

    fn categories(missing: usize) -> Self {
        let mut ids = HashMap::new();
        if missing > 0 {
            ids.insert(String::new(), 0);
        }
        Growing::Categories { values: vec![0; missing], ids, fixed: false }
    }

    /// Adds a value. `None` is a missing one.
    fn add(&mut self, value: Option<&str>, policy: Missing) -> Result<(), CellProblem> {
        if value.is_none() && policy == Missing::Error {
            return Err(CellProblem::Missing);
        }
        if let (Growing::Undecided(missing), Some(value)) = (&*self, value) {
            *self = match value.parse::<f64>() {
                Ok(_) => Self::numbers(*missing),
                Err(_) => Self::categories(*missing),
            };
        }
        match self {
            Growing::Undecided(missing) => *missing += 1,
            Growing::Numbers { values, .. } => values.push(match value {
                Some(value) => number(value)?,
                None => f64::NAN,
            }),
            Growing::Categories { values, ids, fixed } => {
                let name = value.unwrap_or_default();
                let id = match ids.get(name) {
                    Some(&id) => id,
                    None if *fixed => {
                        let found = short(name);
                        return Err(CellProblem::Category { found, count: ids.len() });
                    }
                    None => {
                        let id = ids.len() as i64;
                        ids.insert(name.to_string(), id);
                        id
                    }
                };
                values.push(id);
            }
        }
        Ok(())
    }

    /// Fills missing numbers and sorts categories.
    fn finish(self, policy: Missing) -> Cells {
        match self {
            Growing::Undecided(missing) => Self::categories(missing).finish(policy),
            Growing::Numbers { mut values, fill } => {
                let known = values.iter().filter(|x| !x.is_nan());
                let (sum, count) = known.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
                let mean = fill.unwrap_or(if count > 0.0 { sum / count } else { 0.0 });
                let by = if let Missing::Fill(number) = policy { number } else { mean };
                values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = by);
                Cells::Numbers { values, fill: mean }
            }
            Growing::Categories { mut values, ids, fixed } => {
                let mut names: Vec<(String, i64)> = ids.into_iter().collect();
                if fixed {
                    names.sort_unstable_by_key(|(_, id)| *id);
                } else {
                    names.sort_unstable();
                }
                let mut to = vec![0; names.len()];
                for (new, (_, old)) in (0..).zip(&names) {
                    to[*old as usize] = new;
                }
                for id in &mut values {
                    *id = to[*id as usize];
                }
                let names = names.into_iter().map(|(name, _)| name).collect();
                Cells::Categories { values, names }
            }
        }
    }
}

fn number(text: &str) -> Result<f64, CellProblem> {
    match text.parse::<f64>() {
        // Inputs are stored as `f32`.
        Ok(x) if (x as f32).is_finite() => Ok(x),
        Ok(_) => Err(CellProblem::NotFinite(short(text))),
        Err(_) => Err(CellProblem::NotANumber(short(text))),
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Returns the number of the line on which a record begins. The position of a record is that before the blank lines
/// in front of it.
fn line_of(position: &Position, bytes: &[u8]) -> u64 {
    let before = bytes.get(position.byte() as usize..).unwrap_or_default();
    let blank = before.iter().take_while(|&&byte| byte == b'\n' || byte == b'\r');
    position.line() + blank.filter(|&&byte| byte == b'\n').count() as u64
}

fn convert(error: csv::Error, bytes: &[u8], path: &Path) -> DataError {
    let path = path.to_path_buf();
    let line = error.position().map_or(1, |position| line_of(position, bytes));
    match error.into_kind() {
        ErrorKind::Io(source) => DataError::Io { path, source },
        ErrorKind::Utf8 { .. } => DataError::NotUtf8 { path, line },
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            DataError::Cells { path, line, expected: expected_len as usize, found: len as usize }
        }
        other => DataError::Io { path, source: io::Error::other(format!("{other:?}")) },
    }
}
