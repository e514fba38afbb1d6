//! The IDX file format of MNIST and similar data sets: dense arrays with a short header.
//!
//! ```text
//! 00 00        always
//! 08           element type: 08 u8, 09 i8, 0b i16, 0c i32, 0d f32, 0e f64
//! 03           number of axes, here 3
//! 0000ea60     size of each axis, big-endian u32, here 60000
//! 0000001c     28
//! 0000001c     28
//! …            the elements, row-major, big-endian
//! ```
//!
//! (Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.)
//!
//! Files may be compressed with gzip, which is detected from their first bytes. For any input, reading
//! returns an array or a [`DataError`]. Memory use is bounded by the actual data, not by the sizes that the
//! header claims.
//!
//! ```
//! use wengert::data::idx::{self, IdxArray};
//! use wengert::tensor::Tensor;
//!
//! let x = Tensor::from_vec(vec![1.0f32, -2.5, 1e-3], &[3]);
//! let bytes = IdxArray::from(&x).to_bytes();
//! let array = idx::parse(&bytes, "an example").unwrap();
//! assert_eq!(array.shape(), [3]);
//! assert_eq!(array.into_tensor::<f32>().unwrap(), x);
//! assert!(idx::parse(&bytes[..9], "an example").is_err());
//! ```

use crate::error::DataError;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;
use wengert_tensor::{Element, Shape, Tensor, shapes, write_atomically};

mod read;
pub use crate::idx_types::{IdxData, IdxType};
pub use read::{parse, read, read_tensor};

/// The content of an IDX file: a shape, and elements of the file's element type.
#[derive(Debug, Clone, PartialEq)]
pub struct IdxArray {
    shape: Shape,
    data: IdxData,
}

impl IdxArray {
    /// Creates an array with these elements in row-major order.
    ///
    /// # Panics
    /// If the number of elements does not match the shape, if a tensor cannot have the shape, or if a size
    /// does not fit in 32 bits.
    #[track_caller]
    pub fn new(data: IdxData, shape: &[usize]) -> Self {
        assert!(
            shape.iter().all(|&size| u32::try_from(size).is_ok()),
            "IdxArray::new: each size must be below 2³², the limit of an IDX file, got {shape:?}"
        );
        let shape = match shapes::shape_of("IdxArray::new", shape) {
            Ok(shape) => shape,
            Err(why) => panic!("{why}"),
        };
        let (have, want) = (data.len(), shape.numel());
        assert!(have == want, "IdxArray::new: shape {shape} requires {want} elements, got {have}");
        IdxArray { shape, data }
    }

    /// Returns the sizes of the axes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the type of the elements.
    pub fn element(&self) -> IdxType {
        self.data.element()
    }

    /// Returns the elements in row-major order.
    pub fn data(&self) -> &IdxData {
        &self.data
    }

    /// Converts the array to a tensor, or returns `None` if `T` cannot represent every value of the element
    /// type exactly; see [`FromIdx`].
    pub fn into_tensor<T: FromIdx>(self) -> Option<Tensor<T>> {
        T::from_idx(self.data).map(|elements| Tensor::from_vec(elements, &self.shape))
    }

    /// Returns the bytes of an uncompressed IDX file with this array.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0, 0, self.element().code(), self.shape.len() as u8];
        bytes.extend(self.shape.iter().flat_map(|&size| (size as u32).to_be_bytes()));
        self.data.encode(&mut bytes);
        bytes
    }
}

/// Element types of tensors to which an IDX array can be converted exactly.
///
/// | tensor | IDX |
/// |---|---|
/// | `u8` | `u8` |
/// | `i64` | `u8 i8 i16 i32` |
/// | `f32` | `u8 i8 i16 f32` |
/// | `f64` | all |
#[diagnostic::on_unimplemented(
    message = "an IDX file cannot be read as a tensor of `{Self}`",
    label = "expected `u8`, `i64`, `f32` or `f64`"
)]
pub trait FromIdx: Element + sealed::Sealed {
    /// Returns the name of the type, for messages.
    #[doc(hidden)]
    const NAME: &'static str;
    /// Converts the elements to this type, or returns `None` if the conversion would not be exact.
    #[doc(hidden)]
    fn from_idx(data: IdxData) -> Option<Vec<Self>>;
}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for u8 {}
impl FromIdx for u8 {
    const NAME: &'static str = "u8";
    fn from_idx(data: IdxData) -> Option<Vec<u8>> {
        match data {
            IdxData::U8(elements) => Some(elements),
            _ => None,
        }
    }
}

/// Implements the exact conversions. These are the conversions for which `From` is implemented.
macro_rules! from_idx {
    ($type:ident: $($variant:ident)*) => {
        impl sealed::Sealed for $type {}
        impl FromIdx for $type {
            const NAME: &'static str = stringify!($type);
            fn from_idx(data: IdxData) -> Option<Vec<$type>> {
                match data {
                    $(IdxData::$variant(elements) => Some(elements.into_iter().map($type::from).collect()),)*
                    #[allow(unreachable_patterns)] // f64 can represent all element types
                    _ => None,
                }
            }
        }
    };
}
from_idx!(i64: U8 I8 I16 I32);
from_idx!(f32: U8 I8 I16 F32);
from_idx!(f64: U8 I8 I16 I32 F32 F64);

macro_rules! to_idx {
    ($($type:ident $variant:ident),*) => {
        $(impl From<&Tensor<$type>> for IdxArray {
            #[track_caller]
            fn from(tensor: &Tensor<$type>) -> Self {
                IdxArray::new(IdxData::$variant(tensor.to_vec()), &tensor.shape())
            }
        })*
    };
}
to_idx!(u8 U8, f32 F32, f64 F64);

/// Writes an IDX file atomically (see [`write_atomically`]), compressed if its name ends in `.gz`.
///
/// # Errors
/// If the file cannot be written. An existing file is then unchanged.
pub fn write(path: impl AsRef<Path>, array: &IdxArray) -> Result<(), DataError> {
    let path = path.as_ref();
    let bytes = array.to_bytes();
    let written = write_atomically(path, |out| {
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut encoder = GzEncoder::new(out, Compression::default());
            encoder.write_all(&bytes)?;
            encoder.finish().map(drop)
        } else {
            out.write_all(&bytes)
        }
    });
    written.map_err(|source| DataError::Io { path: path.into(), source })
}
