//! Reading a table line by line.

use super::column::{Cells, position};
use super::{Csv, Missing, Table, TableColumn};
use crate::error::DataError;
use crate::problem::CellProblem;
use csv::{ErrorKind, Position, ReaderBuilder, StringRecord};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use wengert_tensor::FileKind;

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
    text(bytes, path)?;
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
    let mut last = Position::new();
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
        if let Some(position) = record.position() {
            last = position.clone();
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
    let rest = &bytes[bytes.len().min(last.byte() as usize)..];
    if open_quote(rest, options.delimiter) {
        return Err(DataError::OpenQuote { path: path.into(), line: line_of(&last, bytes) });
    }
    if lines.is_empty() {
        return Err(DataError::Empty { path: path.into() });
    }
    let names = names.unwrap_or_default();
    let columns = names.into_iter().zip(columns).enumerate();
    let columns = columns.map(|(index, (name, column))| {
        let cells = column.finish(options.missing);
        TableColumn { name, index, cells }
    });
    let mut columns: Vec<TableColumn> = columns.collect();
    if let Some(known) = &options.like {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let mut to = vec![usize::MAX; columns.len()];
        for (place, index) in same_names(known, &names).into_iter().enumerate() {
            if let Some(index) = index {
                to[index] = place;
            }
        }
        columns.sort_by_key(|column| to[column.index]);
    }
    Ok(Table { path: path.into(), columns, lines, headers: options.headers })
}

/// Returns an error if the bytes are clearly not a table: a web page, say, or an archive.
fn text(bytes: &[u8], path: &Path) -> Result<(), DataError> {
    let kind = FileKind::of(bytes);
    let is_text = matches!(
        kind,
        None | Some(FileKind::Empty | FileKind::Text | FileKind::Json | FileKind::Xml)
    );
    // A table whose first header happens to begin like another kind of file is a table.
    let is_page = matches!(kind, Some(FileKind::Html | FileKind::GitLfs | FileKind::Zeros));
    match kind.filter(|_| !is_text && (is_page || std::str::from_utf8(bytes).is_err())) {
        Some(kind) => {
            Err(DataError::Kind { path: path.into(), expected: "a table (text in UTF-8)", kind })
        }
        // Text in UTF-16 without a byte-order mark has zeros, and is UTF-8.
        None => match bytes.iter().position(|&byte| byte == 0) {
            Some(at) => {
                let line = bytes[..at].split(|&byte| byte == b'\n').count() as u64;
                Err(DataError::NotUtf8 { path: path.into(), line })
            }
            None => Ok(()),
        },
    }
}

/// Returns, for each column of another table, the index of the one with the same name. The second of two columns with
/// one name is the second here, too.
fn same_names(known: &[TableColumn], names: &[&str]) -> Vec<Option<usize>> {
    let mut free = vec![true; names.len()];
    let mut find = |known: &TableColumn| {
        let index = (0..names.len()).find(|&index| free[index] && names[index] == known.name)?;
        free[index] = false;
        Some(index)
    };
    known.iter().map(&mut find).collect()
}

/// Returns whether a text that begins with a line ends inside a quoted cell.
fn open_quote(text: &[u8], delimiter: u8) -> bool {
    let (mut quoted, mut begins) = (false, true);
    for &byte in text {
        // A doubled quote closes the cell and opens it again.
        quoted ^= byte == b'"' && (quoted || begins);
        begins = !quoted && (byte == delimiter || matches!(byte, b'\n' | b'\r' | b'"'));
    }
    quoted
}

/// Returns the empty columns, with the types that the options give them.
fn begin(options: &Csv, names: &[String], path: &Path) -> Result<Vec<Growing>, DataError> {
    let shown: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut columns: Vec<Growing> = names.iter().map(|_| Growing::Undecided(0)).collect();
    let known = options.like.as_deref().unwrap_or_default();
    for (known, index) in known.iter().zip(same_names(known, &shown)) {
        let Some(index) = index else { continue };
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
