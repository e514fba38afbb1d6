//! The element types of IDX files.

use std::fmt;

/// Defines the enums for the six element types, and all functions that match on them, from one list.
macro_rules! element_types {
    ($($variant:ident $type:ty = $code:literal),*) => {
        /// The type of the elements of an IDX file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum IdxType {
            $(#[doc = concat!("Code `", stringify!($code), "`: `", stringify!($type), "`.")] $variant),*
        }

        /// The elements of an IDX file, in row-major order.
        #[derive(Debug, Clone, PartialEq)]
        pub enum IdxData {
            $(#[doc = concat!("Elements of type `", stringify!($type), "`.")] $variant(Vec<$type>)),*
        }

        impl IdxType {
            pub(crate) fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(IdxType::$variant),)*
                    _ => None,
                }
            }

            pub(crate) fn code(self) -> u8 {
                match self { $(IdxType::$variant => $code),* }
            }

            /// Returns the number of bytes of an element.
            pub fn size(self) -> usize {
                match self { $(IdxType::$variant => size_of::<$type>()),* }
            }

            /// Decodes big-endian elements. The length of `bytes` is a multiple of the element size.
            pub(crate) fn decode(self, bytes: Vec<u8>) -> IdxData {
                if self == IdxType::U8 {
                    return IdxData::U8(bytes); // as they are: no copy
                }
                match self {
                    $(IdxType::$variant => {
                        let (elements, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                        IdxData::$variant(elements.iter().map(|b| <$type>::from_be_bytes(*b)).collect())
                    })*
                }
            }
        }

        impl fmt::Display for IdxType {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(IdxType::$variant => stringify!($type)),* })
            }
        }

        impl IdxData {
            /// Returns the type of the elements.
            pub fn element(&self) -> IdxType {
                match self { $(IdxData::$variant(_) => IdxType::$variant),* }
            }

            /// Returns the number of elements.
            pub fn len(&self) -> usize {
                match self { $(IdxData::$variant(elements) => elements.len()),* }
            }

            pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
                match self {
                    $(IdxData::$variant(elements) => bytes.extend(elements.iter().flat_map(|x| x.to_be_bytes()))),*
                }
            }
        }
    };
}
element_types!(U8 u8 = 0x08, I8 i8 = 0x09, I16 i16 = 0x0b, I32 i32 = 0x0c, F32 f32 = 0x0d, F64 f64 = 0x0e);

impl IdxData {
    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
