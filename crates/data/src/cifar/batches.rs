//! The Python form: a pickle of a dictionary with an array of pixels and lists of labels.

use super::{Examples, Labels, PIXELS};
use crate::error::DataError;
use crate::pickle::Pickle;
use crate::problem::PickleProblem;
use crate::unpack::Unpacked;
use std::path::Path;
use wengert_tensor::FileKind;

/// Appends the images of a file to `examples`.
pub(super) fn read<const L: usize>(
    path: &Path,
    labels: &Labels<L>,
    examples: &mut Examples<L>,
) -> Result<(), DataError> {
    let bytes = Unpacked::open(path)?.read_all()?;
    match FileKind::of(&bytes) {
        None | Some(FileKind::Pickle | FileKind::Zeros) => {}
        Some(kind) => {
            let expected = "a Python pickle";
            return Err(DataError::Kind { path: path.into(), expected, kind });
        }
    }
    let failed = |problem| DataError::Pickle { path: path.into(), problem };
    let pickle = Pickle::parse(&bytes).map_err(failed)?;
    let missing = |what| failed(PickleProblem::Content(what));
    let array = pickle.get("data").and_then(|data| pickle.array(data));
    let ([n, columns], pixels) =
        array.ok_or_else(|| missing("the key `data` with an array of bytes [n, 3072]"))?;
    if columns != PIXELS {
        return Err(DataError::WrongShape {
            path: path.into(),
            expected: "an array of bytes [n, 3072]",
            found: vec![n, columns],
        });
    }
    if n == 0 {
        return Err(DataError::Empty { path: path.into() });
    }
    for ((list, &classes), key) in examples.labels.iter_mut().zip(&labels.classes).zip(labels.keys)
    {
        let numbers = pickle.get(key).and_then(|labels| pickle.numbers(labels));
        let numbers = numbers.filter(|numbers| numbers.len() == n);
        let numbers = numbers.ok_or_else(|| missing("a list of as many labels as images"))?;
        let wrong = numbers.iter().position(|&label| !(0..classes as i64).contains(&label));
        if let Some(position) = wrong {
            return Err(match u8::try_from(numbers[position]) {
                Ok(label) => {
                    DataError::LabelOutOfRange { path: path.into(), position, label, classes }
                }
                Err(_) => missing("labels from 0 to 255"),
            });
        }
        list.extend(numbers);
    }
    examples.pixels.extend_from_slice(pixels);
    Ok(())
}
