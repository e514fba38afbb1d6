//! The binary form: rows of the labels, one byte each, and the pixels.

use super::{Examples, Labels, PIXELS};
use crate::error::DataError;
use crate::unpack::{Unpacked, kind};
use std::path::Path;

/// The number of rows that are read at a time.
const ROWS: usize = 256;

/// Appends the rows of a file to `examples`.
pub(super) fn read<const L: usize>(
    path: &Path,
    labels: &Labels<L>,
    examples: &mut Examples<L>,
) -> Result<(), DataError> {
    // If the file is of another kind, report the kind and not the invalid labels or rows.
    let expected = match L {
        1 => "rows of a label and 3,072 pixels",
        _ => "rows of two labels and 3,072 pixels",
    };
    let wrong = |error| match kind(path) {
        Some(kind) => DataError::Kind { path: path.into(), expected, kind },
        None => error,
    };
    let row_length = L + PIXELS;
    let mut unpacked = Unpacked::open(path)?;
    let before = examples.labels[0].len();
    let mut rows = Vec::with_capacity(ROWS * row_length);
    while unpacked.read_up_to(ROWS * row_length, &mut rows)? > 0 {
        let whole = rows.chunks_exact(row_length);
        if !whole.remainder().is_empty() {
            let found = (examples.labels[0].len() - before) * row_length + rows.len();
            let error = DataError::Rows { path: path.into(), row: row_length, found };
            return Err(wrong(error));
        }
        for row in whole {
            let position = examples.labels[0].len() - before;
            for (index, (list, &classes)) in
                examples.labels.iter_mut().zip(&labels.classes).enumerate()
            {
                let label = row[index];
                if usize::from(label) >= classes {
                    let path = path.into();
                    let error = DataError::LabelOutOfRange { path, position, label, classes };
                    return Err(wrong(error));
                }
                list.push(i64::from(label));
            }
            examples.pixels.extend_from_slice(&row[L..]);
        }
        rows.clear();
    }
    if examples.labels[0].len() == before {
        return Err(DataError::Empty { path: path.into() });
    }
    Ok(())
}
