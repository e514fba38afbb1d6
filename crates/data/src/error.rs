//! Errors of reading data sets.

use crate::idx_types::IdxType;
use crate::problem::{ArchiveProblem, CellProblem, NpyProblem, PickleProblem};
use std::fmt;
use std::io;
use std::path::PathBuf;
use wengert_tensor::FileKind;

/// The error for a data set that could not be read. The message names the file and what was expected.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system reported an error.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The gzip stream is damaged or truncated.
    #[error("{}: the gzip stream is damaged after {read} good bytes ({source}); fetch the file again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// The number of bytes that were decompressed before the damage.
        read: usize,
        /// The error of the decompressor.
        source: io::Error,
    },
    /// The file is of another kind.
    #[error("{}: expected {expected}, found {kind}{}", path.display(), advice(*.kind))]
    Kind {
        /// The file.
        path: PathBuf,
        /// The expected kind.
        expected: &'static str,
        /// The kind of the file.
        kind: FileKind,
    },
    /// The file does not begin with the bytes of an IDX file.
    #[error(
        "{}: not an IDX file: expected two zero bytes, the code of the element type and the \
         number of axes (in a gzip stream or not), found {found:02x?}",
        path.display()
    )]
    NotIdx {
        /// The file.
        path: PathBuf,
        /// The first four bytes of the file.
        found: [u8; 4],
    },
    /// The header names an element type that IDX does not have.
    #[error(
        "{}: unknown element type {code:#04x}: IDX has 08 (u8), 09 (i8), 0b (i16), 0c (i32), 0d (f32), 0e (f64)",
        path.display()
    )]
    UnknownType {
        /// The file.
        path: PathBuf,
        /// The third byte of the file.
        code: u8,
    },
    /// The header claims more axes than a tensor can have.
    #[error("{}: expected at most {max} axes, found {rank}", path.display())]
    TooManyAxes {
        /// The file.
        path: PathBuf,
        /// The fourth byte of the file.
        rank: usize,
        /// The maximum number of axes of a tensor.
        max: usize,
    },
    /// The header claims more elements than fit in memory. The other sizes count even if one axis is empty.
    #[error("{}: the header claims shape {shape:?} of {element}, which is larger than the address space", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The claimed sizes.
        shape: Vec<usize>,
        /// The claimed element type.
        element: IdxType,
    },
    /// The file ends inside its header.
    #[error("{}: the file is cut short: expected a header of {expected} bytes, found {found}; fetch \
         the file again", path.display())]
    ShortHeader {
        /// The file.
        path: PathBuf,
        /// The length of the header, as far as it is known from the bytes that were read.
        expected: usize,
        /// The number of bytes in the file.
        found: usize,
    },
    /// The file has fewer elements than the header claims.
    #[error(
        "{}: the file is cut short: shape {shape:?} of {element} requires {expected} bytes after \
         the header, found {found}; fetch the file again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The claimed sizes.
        shape: Vec<usize>,
        /// The claimed element type.
        element: IdxType,
        /// The number of bytes of elements that the header claims.
        expected: usize,
        /// The number of bytes of elements in the file.
        found: usize,
    },
    /// The file has more bytes than the header claims.
    #[error(
        "{}: the file is too long: shape {shape:?} of {element} requires {expected} bytes after \
         the header, found more",
        path.display()
    )]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// The claimed sizes.
        shape: Vec<usize>,
        /// The claimed element type.
        element: IdxType,
        /// The number of bytes of elements that the header claims.
        expected: usize,
    },
    /// The requested type cannot represent the elements of the file exactly.
    #[error("{}: the elements are {found}, which {wanted} cannot represent exactly", path.display())]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The requested type.
        wanted: &'static str,
        /// The type in the file.
        found: IdxType,
    },
    /// The array has another shape than the data set requires.
    #[error("{}: expected {expected}, found shape {found:?}", path.display())]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// The expected shape.
        expected: &'static str,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A label is not a class.
    #[error("{}: label {label} at position {position} is out of range: the labels are from 0 to {}", path.display(), classes - 1)]
    LabelOutOfRange {
        /// The file.
        path: PathBuf,
        /// The index of the label, counted from 0.
        position: usize,
        /// The value of the label.
        label: u8,
        /// The number of classes.
        classes: usize,
    },
    /// The numbers of labels and images differ.
    #[error("{}: expected one label for each of the {images} images in {}, found {labels} labels", path.display(), images_path.display())]
    CountMismatch {
        /// The file with the labels.
        path: PathBuf,
        /// The number of labels.
        labels: usize,
        /// The file with the images.
        images_path: PathBuf,
        /// The number of images.
        images: usize,
    },
    /// A line of a text file is invalid.
    #[error("{}: line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, counted from 1.
        line: usize,
        /// The problem of the line.
        problem: LineProblem,
    },
    /// The length of the file is not a multiple of the length of a row.
    #[error(
        "{}: expected rows of {row} bytes, found {found} bytes: the file is cut short, or is of \
         another kind",
        path.display()
    )]
    Rows {
        /// The file.
        path: PathBuf,
        /// The number of bytes of a row.
        row: usize,
        /// The number of bytes that were read, up to the end of the incomplete row.
        found: usize,
    },
    /// The file has no examples.
    #[error("{}: the file has no examples; fetch it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// An array of NumPy is invalid.
    #[error("{}: {problem}", path.display())]
    Npy {
        /// The file. For an array in an archive, the path of the archive and the name of the array.
        path: PathBuf,
        /// The problem of the array.
        problem: NpyProblem,
    },
    /// An archive is invalid.
    #[error("{}: {problem}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// The problem of the archive.
        problem: ArchiveProblem,
    },
    /// A Python pickle is invalid.
    #[error("{}: {problem}", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// The problem of the pickle.
        problem: PickleProblem,
    },
    /// A cell of a table is invalid.
    #[error("{}: line {line}, column {column}{}: {problem}", path.display(), in_quotes(.header.as_ref()))]
    Cell {
        /// The file.
        path: PathBuf,
        /// The number of the line in the file, counted from 1.
        line: u64,
        /// The number of the column, counted from 1.
        column: usize,
        /// The header of the column, if the table has headers.
        header: Option<String>,
        /// The problem of the cell.
        problem: CellProblem,
    },
    /// A line of a table has another number of cells than the lines before it.
    #[error("{}: line {line}: expected {expected} cells, found {found}; check the delimiter and the quotes", path.display())]
    Cells {
        /// The file.
        path: PathBuf,
        /// The number of the line in the file, counted from 1.
        line: u64,
        /// The number of columns.
        expected: usize,
        /// The number of cells of the line.
        found: usize,
    },
    /// A quote is not closed, so that the rest of the table is one cell.
    #[error("{}: line {line}: a quote is opened and not closed before the end of the file", path.display())]
    OpenQuote {
        /// The file.
        path: PathBuf,
        /// The number of the line in the file, counted from 1.
        line: u64,
    },
    /// A line of a text is not UTF-8.
    #[error("{}: line {line}: the text is not UTF-8; save the file as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The number of the line, counted from 1.
        line: u64,
    },
    /// A table does not have a column.
    #[error("{}: no column {column}; the columns are {columns}", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The name or the index of the column.
        column: String,
        /// The headers of the columns, or their number.
        columns: String,
    },
    /// A picture cannot be decoded.
    #[error("{}: {source}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The error of the decoder.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A folder of pictures has another layout than expected.
    #[error("{}: {expected}", path.display())]
    Layout {
        /// The folder or file.
        path: PathBuf,
        /// The expected layout, and the layout that was found.
        expected: String,
    },
    /// A data set could not be fetched from any of its sources.
    #[cfg(feature = "download")]
    #[error(transparent)]
    Download(#[from] crate::fetch_error::DownloadError),
    /// The data set was found in none of the folders that were searched.
    #[error("{set} not found. Looked in:\n{}{advice}", list(looked))]
    NotFound {
        /// The name of the data set.
        set: &'static str,
        /// The searched folders, in the order of the search.
        looked: Vec<SearchedFolder>,
        /// Advice on what to do.
        advice: String,
    },
}

/// A problem of a line of numbers.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// The line has too few or too many numbers.
    #[error("expected {expected} numbers, found {found}")]
    Count {
        /// The number of numbers in the line.
        found: usize,
        /// The expected number of numbers.
        expected: usize,
    },
    /// A word is not a number.
    #[error("expected a number as word {position}, found {text:?}")]
    NotANumber {
        /// The index of the word, counted from 1.
        position: usize,
        /// The beginning of the word.
        text: String,
    },
    /// A number is out of range.
    #[error("expected a number from {low} to {high} as word {position}, found {text}")]
    OutOfRange {
        /// The index of the word, counted from 1.
        position: usize,
        /// The beginning of the word.
        text: String,
        /// The smallest valid value.
        low: f32,
        /// The largest valid value.
        high: f32,
    },
    /// A label is not a class.
    #[error("expected an integer from 0 to {} as the label, found {text}", classes - 1)]
    Label {
        /// The beginning of the word.
        text: String,
        /// The number of classes.
        classes: usize,
    },
    /// The line is too long.
    #[error("the line is longer than {limit} bytes: the file is of another kind")]
    TooLong {
        /// The maximum number of bytes of a line.
        limit: usize,
    },
}

wengert_tensor::debug_is_display!(DataError, LineProblem);

/// A folder that was searched without success.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchedFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The names of the files that it lacks. The list is empty if the folder does not exist.
    pub missing: Vec<String>,
}

impl fmt::Display for SearchedFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.folder.display())?;
        if self.missing.is_empty() {
            write!(f, "no such folder")
        } else {
            write!(f, "lacks {}", self.missing.join(", "))
        }
    }
}

fn in_quotes(header: Option<&String>) -> String {
    header.map_or_else(String::new, |header| format!(" ({header:?})"))
}

fn advice(kind: FileKind) -> String {
    let remedy = kind.remedy();
    if remedy.is_empty() { String::new() } else { format!("; {remedy}") }
}

fn list(places: &[SearchedFolder]) -> String {
    let mut lines = String::new();
    for place in places {
        lines.push_str("  ");
        lines.push_str(&place.to_string());
        lines.push('\n');
    }
    lines
}
