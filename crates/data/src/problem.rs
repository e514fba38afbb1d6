//! The problems of files that have structure: arrays of NumPy, archives, pickles and tables. An error names
//! the file and contains one of these.

use std::io;
use wengert_tensor::Dtype;

/// A problem of an array of NumPy.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NpyProblem {
    /// The file does not begin with the bytes of a `.npy` file.
    #[error(
        "not an array of NumPy: expected the bytes \\x93NUMPY at the start, found {found:02x?}"
    )]
    NotNpy {
        /// The first bytes of the file.
        found: Vec<u8>,
    },
    /// The version of the format is unknown.
    #[error("unknown version {major}.{minor} of the npy format: versions 1 to 3 can be read")]
    Version {
        /// The first number.
        major: u8,
        /// The second number.
        minor: u8,
    },
    /// The header is not a dictionary with the keys `descr`, `fortran_order` and `shape`.
    #[error("the header is damaged: expected {expected}, found {found:?}")]
    Header {
        /// The expected content.
        expected: &'static str,
        /// The beginning of the content.
        found: String,
    },
    /// The element type cannot be read.
    #[error(
        "elements of type {descr} cannot be read: expected bool, a float of 2, 4 or 8 bytes, or an \
         integer of up to 8 bytes (uint64 excepted); convert the array with astype"
    )]
    Type {
        /// The type, as the header describes it.
        descr: String,
    },
    /// A tensor cannot have the shape.
    #[error("the header claims shape {shape:?}, which a tensor cannot have")]
    Shape {
        /// The claimed sizes.
        shape: Vec<u64>,
    },
    /// The file ends inside its header.
    #[error("the file is cut short: expected a header of {expected} bytes, found {found}")]
    ShortHeader {
        /// The length of the header, as far as it is known.
        expected: usize,
        /// The number of bytes in the file.
        found: usize,
    },
    /// The number of bytes of elements is not the number that the header claims.
    #[error(
        "shape {shape:?} requires {expected} bytes after the header, found {}{found}",
        if found > expected { "at least " } else { "" }
    )]
    Length {
        /// The claimed sizes.
        shape: Vec<usize>,
        /// The number of bytes of elements that the header claims.
        expected: usize,
        /// The number of bytes of elements that were read.
        found: usize,
    },
    /// The elements are of another type than requested.
    #[error(
        "the elements are {found}, expected {wanted}: read the array with npy::read and cast it"
    )]
    Mismatch {
        /// The requested type.
        wanted: Dtype,
        /// The type of the elements.
        found: Dtype,
    },
}

/// A problem of a zip or tar archive.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveProblem {
    /// The file is not an archive of this format.
    #[error("not a {0} archive, or its end is missing; fetch the file again")]
    Format(&'static str),
    /// A number in the archive contradicts the length of the file.
    #[error(
        "the {format} archive is damaged: {part} does not fit into the file; fetch the file again"
    )]
    Bounds {
        /// The format of the archive.
        format: &'static str,
        /// The part of the archive.
        part: &'static str,
    },
    /// The archive has a property that cannot be read.
    #[error("`{entry}` in the archive is {property}, which cannot be read")]
    Unsupported {
        /// The name of the entry.
        entry: String,
        /// The property.
        property: &'static str,
    },
    /// The archive lacks a file.
    #[error("the archive does not contain {0}")]
    Missing(String),
    /// Two files of the archive have the same name, or the name is reserved.
    #[error("the name `{0}` occurs twice in the archive, or is reserved")]
    Name(String),
    /// A file of the archive is damaged.
    #[error("`{entry}` in the archive is damaged: {source}")]
    Damaged {
        /// The name of the entry.
        entry: String,
        /// The error of the decompressor, or the failed comparison of checksums.
        source: io::Error,
    },
}

/// A problem of a Python pickle. The reader knows the instructions by which Python and NumPy write numbers,
/// texts, lists, dictionaries and arrays. It executes nothing.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleProblem {
    /// The pickle ends before its last instruction.
    #[error("the pickle is cut short; fetch the file again")]
    Short,
    /// The pickle has an instruction that the reader does not know.
    #[error("the pickle has the instruction {code:#04x} at byte {at}, which data sets do not need")]
    Instruction {
        /// The code of the instruction.
        code: u8,
        /// The position of the instruction.
        at: usize,
    },
    /// The pickle contains an object that the reader does not know. Python would import a module for it.
    #[error(
        "the pickle contains an object of type {0}, which is not read: only arrays of NumPy are"
    )]
    Object(String),
    /// An instruction has operands of the wrong type.
    #[error("the pickle is damaged at byte {at}: expected {expected}; fetch the file again")]
    Damaged {
        /// The position of the instruction.
        at: usize,
        /// The expected operand.
        expected: &'static str,
    },
    /// The pickle is sound, but contains other things than the data set.
    #[error("the pickle does not contain {0}")]
    Content(&'static str),
}

/// A problem of a cell of a table.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CellProblem {
    /// The text is not a number.
    #[error(
        "expected a number, found {0:?}; if the column has categories, declare it with Csv::category"
    )]
    NotANumber(String),
    /// The number is not finite.
    #[error("expected a finite number, found {0:?}")]
    NotFinite(String),
    /// The cell is empty, or contains a word that means a missing value.
    #[error(
        "the value is missing; choose what to do with missing values: drop the line, or fill them"
    )]
    Missing,
    /// The number is not a class.
    #[error(
        "expected a whole number from 0 as a class, found {0}; is the target of a regression meant?"
    )]
    NotAClass(String),
    /// The column has so many categories that columns of 0 and 1 for them would fill the memory.
    #[error(
        "the column has {0} categories, too many for a column of 0 and 1 each: remove it with \
         Table::without, or declare it as numbers"
    )]
    TooManyCategories(usize),
    /// The text is not one of the categories.
    #[error(
        "{found:?} is not one of the {count} categories of the column in the table that Csv::like names"
    )]
    Category {
        /// The text.
        found: String,
        /// The number of categories.
        count: usize,
    },
}

wengert_tensor::debug_is_display!(NpyProblem, ArchiveProblem, PickleProblem, CellProblem);
