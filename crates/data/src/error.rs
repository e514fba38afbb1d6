//! What can be wrong with data from outside.

use crate::idx::IdxType;
use std::fmt;
use std::io;
use std::path::PathBuf;
use wengert_tensor::FileKind;

/// Why a data set could not be read. Every variant names the file and what was expected of it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The gzip stream is damaged or cut short.
    #[error("{}: the gzip stream is damaged after {read} good bytes ({source}); fetch the file again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// How many bytes came out before the damage.
        read: usize,
        /// What the decompressor says.
        source: io::Error,
    },
    /// The file is of another kind.
    #[error("{}: expected {expected}, found {kind}{}", path.display(), advice(*.kind))]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        kind: FileKind,
    },
    /// The file does not begin as an IDX file does.
    #[error(
        "{}: not an IDX file: expected two zero bytes, the code of the element type and the number of axes \
         (in a gzip stream or not), it begins with {found:02x?}",
        path.display()
    )]
    NotIdx {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
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
    /// The header claims more axes than a tensor has.
    #[error("{}: {rank} axes, expected at most {max}", path.display())]
    TooManyAxes {
        /// The file.
        path: PathBuf,
        /// The fourth byte of the file.
        rank: usize,
        /// The most axes of a tensor.
        max: usize,
    },
    /// The header claims more elements than any memory holds; an empty axis hides no other sizes.
    #[error("{}: the header claims shape {shape:?} of {element}, which no memory holds", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The claimed sizes.
        shape: Vec<usize>,
        /// The claimed element type.
        element: IdxType,
    },
    /// The file ends inside its header.
    #[error("{}: cut short: expected a header of {expected} bytes, it has {found}", path.display())]
    ShortHeader {
        /// The file.
        path: PathBuf,
        /// The length of the header, as far as it is known.
        expected: usize,
        /// How many bytes there are.
        found: usize,
    },
    /// Fewer elements than the header claims.
    #[error(
        "{}: cut short: shape {shape:?} of {element} takes {expected} bytes after the header, it has {found}",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The claimed sizes.
        shape: Vec<usize>,
        /// The claimed element type.
        element: IdxType,
        /// How many bytes of elements the header claims.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// More bytes than the header claims.
    #[error(
        "{}: too long: shape {shape:?} of {element} takes {expected} bytes after the header, and more follow",
        path.display()
    )]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// The claimed sizes.
        shape: Vec<usize>,
        /// The claimed element type.
        element: IdxType,
        /// How many bytes of elements the header claims.
        expected: usize,
    },
    /// The elements are of a type that the wanted one does not hold exactly.
    #[error("{}: the elements are {found}, which {wanted} does not hold exactly", path.display())]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The type asked for.
        wanted: &'static str,
        /// The type in the file.
        found: IdxType,
    },
    /// A valid array of another shape than the data set has.
    #[error("{}: expected {expected}, found shape {found:?}", path.display())]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// What the data set has.
        expected: &'static str,
        /// What is in the file.
        found: Vec<usize>,
    },
    /// A label that is no class.
    #[error("{}: label {label} at position {position}, expected 0 to {}", path.display(), classes - 1)]
    LabelOutOfRange {
        /// The file.
        path: PathBuf,
        /// Which label, counted from 0.
        position: usize,
        /// Its value.
        label: u8,
        /// How many classes there are.
        classes: usize,
    },
    /// Not as many labels as images.
    #[error("{}: {labels} labels, expected one for each of the {images} images in {}", path.display(), images_path.display())]
    CountMismatch {
        /// The file with the labels.
        path: PathBuf,
        /// How many labels it has.
        labels: usize,
        /// The file with the images.
        images_path: PathBuf,
        /// How many images it has.
        images: usize,
    },
    /// A line of a text file is not as it should be.
    #[error("{}: line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// The length of the file is no multiple of the length of a row.
    #[error(
        "{}: {found} bytes, expected rows of {row}; the file was cut short, or is of another kind",
        path.display()
    )]
    Rows {
        /// The file.
        path: PathBuf,
        /// How many bytes a row has.
        row: usize,
        /// How many bytes were read, up to the place where a row is not whole.
        found: usize,
    },
    /// There is nothing in the file.
    #[error("{}: no example in it; fetch the file again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The data set is in none of the places where it may be.
    #[error("{set} not found. Looked in:\n{}{advice}", list(looked))]
    NotFound {
        /// The name of the data set.
        set: &'static str,
        /// Every place, in the order of the search.
        looked: Vec<Place>,
        /// What to do.
        advice: String,
    },
}

/// What can be wrong with a line of numbers.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// Too few numbers, or too many.
    #[error("{found} numbers, expected {expected}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A word that is no number.
    #[error("word {position} is {text:?}, expected a number")]
    NotANumber {
        /// Which word, counted from 1.
        position: usize,
        /// Its beginning.
        text: String,
    },
    /// A number that is too small or too large.
    #[error("word {position} is {text}, expected a number from {low} to {high}")]
    OutOfRange {
        /// Which word, counted from 1.
        position: usize,
        /// Its beginning.
        text: String,
        /// The least value.
        low: f32,
        /// The greatest value.
        high: f32,
    },
    /// A label that is no class.
    #[error("the label is {text}, expected a whole number from 0 to {}", classes - 1)]
    Label {
        /// Its beginning.
        text: String,
        /// How many classes there are.
        classes: usize,
    },
    /// A line that goes on and on.
    #[error("longer than {limit} bytes; the file is no text of this kind")]
    TooLong {
        /// The most that a line may have.
        limit: usize,
    },
}

wengert_tensor::debug_is_display!(DataError, LineProblem);

/// A place that was searched in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder.
    pub folder: PathBuf,
    /// Which files of the set it lacks; empty if there is no such folder.
    pub missing: Vec<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.folder.display())?;
        if self.missing.is_empty() {
            write!(f, "no such folder")
        } else {
            write!(f, "lacks {}", self.missing.join(", "))
        }
    }
}

fn advice(kind: FileKind) -> String {
    let remedy = kind.remedy();
    if remedy.is_empty() { String::new() } else { format!("; {remedy}") }
}

fn list(places: &[Place]) -> String {
    let mut lines = String::new();
    for place in places {
        lines.push_str("  ");
        lines.push_str(&place.to_string());
        lines.push('\n');
    }
    lines
}
