//! A reader of Python pickles that contain numbers, texts, lists, dictionaries and arrays of bytes of NumPy, as the
//! data set CIFAR does. It executes nothing: an instruction that would import or call something else is an
//! error.
//!
//! (Python's module `pickletools` describes the format; PEP 307 and PEP 3154.)

use crate::problem::PickleProblem::{self, Damaged, Instruction, Object, Short};
use std::collections::HashMap;

/// The maximum number of values. CIFAR has 150,000 in a file.
const MOST: usize = 4_000_000;

/// The position of a value in [`Pickle::values`].
type Id = usize;

/// A value. Parts are referred to by their positions, so that a value that is used twice is stored once: the
/// number of values is at most the number of bytes of the pickle.
#[derive(Debug)]
pub(crate) enum PickleValue {
    /// `None`, a float or another value without a part in a data set.
    Nothing,
    Int(i64),
    /// A text or bytes.
    Bytes(std::ops::Range<usize>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// The name of a class or function.
    Global(Name),
    /// An array of bytes of NumPy, before and after its state is known.
    Array(Option<Array>),
    /// An element type of NumPy. `true` stands for `uint8`.
    Type(bool),
}

/// The classes and functions that may occur.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Name {
    Reconstruct,
    NdArray,
    Dtype,
    /// `_codecs.encode`, with which Python 3 writes bytes in protocol 2.
    Encode,
}

/// A two-dimensional array of bytes.
#[derive(Debug)]
pub(crate) struct Array {
    pub shape: [usize; 2],
    bytes: Id,
    fortran_order: bool,
}

/// The content of a pickle.
pub(crate) struct Pickle<'a> {
    source: &'a [u8],
    values: Vec<PickleValue>,
    top: Id,
    /// Texts that encode bytes as characters up to U+00FF.
    decoded: HashMap<Id, Vec<u8>>,
}

impl<'a> Pickle<'a> {
    pub fn parse(source: &'a [u8]) -> Result<Self, PickleProblem> {
        Machine {
            source,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            converted: 0,
            pickle: Pickle { source, values: Vec::new(), top: 0, decoded: HashMap::new() },
        }
        .run()
    }

    /// Returns the value of a key of the dictionary that the pickle contains.
    pub fn get(&self, key: &str) -> Option<&PickleValue> {
        let PickleValue::Dict(entries) = &self.values[self.top] else { return None };
        let found =
            entries.iter().rev().find(|(name, _)| self.bytes(*name) == Some(key.as_bytes()));
        found.map(|&(_, value)| &self.values[value])
    }

    /// Returns the numbers of a list.
    pub fn numbers(&self, of: &PickleValue) -> Option<Vec<i64>> {
        let PickleValue::List(items) = of else { return None };
        let number = |&id: &Id| match self.values[id] {
            PickleValue::Int(number) => Some(number),
            _ => None,
        };
        items.iter().map(number).collect()
    }

    /// Returns the shape and the bytes of an array in C order.
    pub fn array(&self, of: &PickleValue) -> Option<([usize; 2], &[u8])> {
        let PickleValue::Array(Some(array)) = of else { return None };
        let bytes = self.bytes(array.bytes)?;
        let [rows, columns] = array.shape;
        let fits = rows.checked_mul(columns) == Some(bytes.len());
        (fits && !array.fortran_order).then_some((array.shape, bytes))
    }

    fn bytes(&self, id: Id) -> Option<&[u8]> {
        if let Some(decoded) = self.decoded.get(&id) {
            return Some(decoded);
        }
        match &self.values[id] {
            PickleValue::Bytes(range) => Some(&self.source[range.clone()]),
            _ => None,
        }
    }
}

/// The machine whose instructions a pickle consists of.
struct Machine<'a> {
    source: &'a [u8],
    at: usize,
    stack: Vec<Id>,
    /// The lengths of the stack at which marks were set.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// The number of bytes that were converted from texts.
    converted: usize,
    pickle: Pickle<'a>,
}

impl<'a> Machine<'a> {
    #[allow(clippy::too_many_lines)] // a case for each instruction
    fn run(mut self) -> Result<Pickle<'a>, PickleProblem> {
        loop {
            let at = self.at;
            let [code] = self.take()?;
            let damaged = |expected| Damaged { at, expected };
            if self.pickle.values.len() > MOST {
                return Err(damaged("at most four million values"));
            }
            match code {
                // PROTO and FRAME: the version of the format, and the length of a part.
                0x80 => _ = self.take::<1>()?,
                0x95 => _ = self.take::<8>()?,
                b'.' => {
                    let top = self.stack.pop();
                    self.pickle.top = top.ok_or_else(|| damaged("a value at the end"))?;
                    return Ok(self.pickle);
                }
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(PickleValue::Nothing),
                0x88 | 0x89 => self.push(PickleValue::Int(i64::from(code == 0x88))),
                b'K' => {
                    let [number] = self.take()?;
                    self.push(PickleValue::Int(i64::from(number)));
                }
                b'M' => {
                    let number = u16::from_le_bytes(self.take()?);
                    self.push(PickleValue::Int(i64::from(number)));
                }
                b'J' => {
                    let number = i32::from_le_bytes(self.take()?);
                    self.push(PickleValue::Int(i64::from(number)));
                }
                b'I' => {
                    let line = self.line()?;
                    let number = std::str::from_utf8(line).ok().and_then(|line| line.parse().ok());
                    self.push(PickleValue::Int(number.ok_or_else(|| damaged("a number"))?));
                }
                b'G' => {
                    self.take::<8>()?;
                    self.push(PickleValue::Nothing);
                }
                // Texts and bytes, with the length in 1, 4 or 8 bytes.
                b'U' | b'C' | 0x8c => {
                    let [length] = self.take()?;
                    self.bytes(u64::from(length))?;
                }
                b'T' | b'B' | b'X' => {
                    let length = u32::from_le_bytes(self.take()?);
                    self.bytes(u64::from(length))?;
                }
                0x8d | 0x8e => {
                    let length = u64::from_le_bytes(self.take()?);
                    self.bytes(length)?;
                }
                b']' => self.push(PickleValue::List(Vec::new())),
                b'}' => self.push(PickleValue::Dict(Vec::new())),
                b')' => self.push(PickleValue::Tuple(Vec::new())),
                b't' | b'l' => {
                    let parts = self.marked(at)?;
                    self.push(if code == b't' {
                        PickleValue::Tuple(parts)
                    } else {
                        PickleValue::List(parts)
                    });
                }
                0x85..=0x87 => {
                    let count = usize::from(code - 0x84);
                    let parts = self.pop(count, at)?;
                    self.push(PickleValue::Tuple(parts));
                }
                b'a' | b'e' => {
                    let items = if code == b'e' { self.marked(at)? } else { self.pop(1, at)? };
                    match self.top(at)? {
                        PickleValue::List(list) => list.extend(items),
                        _ => return Err(damaged("a list")),
                    }
                }
                b's' | b'u' => {
                    let items = if code == b'u' { self.marked(at)? } else { self.pop(2, at)? };
                    let (pairs, rest) = items.as_chunks::<2>();
                    match self.top(at)? {
                        PickleValue::Dict(dict) if rest.is_empty() => {
                            dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
                        }
                        _ => return Err(damaged("a dictionary, and keys with values")),
                    }
                }
                // The memo: values that are used again.
                b'q' => {
                    let [index] = self.take()?;
                    self.store(u32::from(index), at)?;
                }
                b'r' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.store(index, at)?;
                }
                0x94 => self.store(self.memo.len() as u32, at)?,
                b'p' => {
                    let index = number(self.line()?).ok_or_else(|| damaged("a number"))?;
                    self.store(index, at)?;
                }
                b'h' | b'j' | b'g' => {
                    let index = match code {
                        b'h' => u32::from(self.take::<1>()?[0]),
                        b'j' => u32::from_le_bytes(self.take()?),
                        _ => number(self.line()?).ok_or_else(|| damaged("a number"))?,
                    };
                    let stored = self.memo.get(&index).copied();
                    self.stack.push(stored.ok_or_else(|| damaged("a stored value"))?);
                }
                b'0' => _ = self.pop(1, at)?,
                // The classes and functions of NumPy that make an array.
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(module, name)?;
                }
                0x93 => {
                    let parts = self.pop(2, at)?;
                    let text = |id: Id| self.pickle.bytes(id).map(<[u8]>::to_vec);
                    let (Some(module), Some(name)) = (text(parts[0]), text(parts[1])) else {
                        return Err(damaged("the name of a class"));
                    };
                    self.global(&module, &name)?;
                }
                b'R' => self.call(at)?,
                b'b' => self.build(at)?,
                _ => return Err(Instruction { code, at }),
            }
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleProblem> {
        let bytes = self.source[self.at..].first_chunk().ok_or(Short)?;
        self.at += N;
        Ok(*bytes)
    }

    fn line(&mut self) -> Result<&'a [u8], PickleProblem> {
        let rest = &self.source[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or(Short)?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn bytes(&mut self, length: u64) -> Result<(), PickleProblem> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let end = end.filter(|&end| end <= self.source.len()).ok_or(Short)?;
        self.push(PickleValue::Bytes(self.at..end));
        self.at = end;
        Ok(())
    }

    fn push(&mut self, value: PickleValue) {
        self.stack.push(self.pickle.values.len());
        self.pickle.values.push(value);
    }

    /// Takes values from the stack, which must not reach below the last mark.
    fn pop(&mut self, count: usize, at: usize) -> Result<Vec<Id>, PickleProblem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(start) if start >= floor => Ok(self.stack.split_off(start)),
            _ => Err(Damaged { at, expected: "a value on the stack" }),
        }
    }

    fn marked(&mut self, at: usize) -> Result<Vec<Id>, PickleProblem> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => Err(Damaged { at, expected: "a mark on the stack" }),
        }
    }

    fn top(&mut self, at: usize) -> Result<&mut PickleValue, PickleProblem> {
        match self.stack.last() {
            Some(&id) => Ok(&mut self.pickle.values[id]),
            None => Err(Damaged { at, expected: "a value on the stack" }),
        }
    }

    fn store(&mut self, index: u32, at: usize) -> Result<(), PickleProblem> {
        let top = self.stack.last().copied();
        self.memo.insert(index, top.ok_or(Damaged { at, expected: "a value on the stack" })?);
        Ok(())
    }

    fn global(&mut self, module: &[u8], name: &[u8]) -> Result<(), PickleProblem> {
        let known = match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => {
                Name::Reconstruct
            }
            (b"numpy", b"ndarray") => Name::NdArray,
            (b"numpy", b"dtype") => Name::Dtype,
            (b"_codecs", b"encode") => Name::Encode,
            _ => {
                let shown = [module, b".", name].concat();
                return Err(Object(String::from_utf8_lossy(&shown).chars().take(80).collect()));
            }
        };
        self.push(PickleValue::Global(known));
        Ok(())
    }

    /// Makes the object that the call of a known function returns.
    fn call(&mut self, at: usize) -> Result<(), PickleProblem> {
        let operands = self.pop(2, at)?;
        let values = &self.pickle.values;
        let (PickleValue::Global(name), PickleValue::Tuple(arguments)) =
            (&values[operands[0]], &values[operands[1]])
        else {
            return Err(Damaged { at, expected: "a function and its arguments" });
        };
        let argument = |index: usize| arguments.get(index).copied();
        let object = match name {
            Name::Reconstruct => PickleValue::Array(None),
            Name::Dtype => {
                let code = argument(0).and_then(|id| self.pickle.bytes(id));
                PickleValue::Type(matches!(code, Some(b"u1" | b"|u1" | b"B")))
            }
            Name::Encode => {
                let text = argument(0).and_then(|id| self.pickle.bytes(id));
                let text = text.and_then(|text| std::str::from_utf8(text).ok());
                let bytes: Option<Vec<u8>> =
                    text.and_then(|text| text.chars().map(|c| u8::try_from(c).ok()).collect());
                let expected = "a text in Latin-1";
                let bytes = bytes.ok_or(Damaged { at, expected })?;
                // The same text may be converted many times.
                self.converted += bytes.len();
                if self.converted > self.source.len() {
                    return Err(Damaged { at, expected: "less text than the file has bytes" });
                }
                self.pickle.decoded.insert(self.pickle.values.len(), bytes);
                PickleValue::Nothing
            }
            Name::NdArray => return Err(Object("numpy.ndarray(…)".into())),
        };
        self.push(object);
        Ok(())
    }

    /// Gives the object on the stack its state.
    fn build(&mut self, at: usize) -> Result<(), PickleProblem> {
        let damaged = |expected| Damaged { at, expected };
        let state = self.pop(1, at)?[0];
        let Some(&object) = self.stack.last() else { return Err(damaged("an object")) };
        let values = &self.pickle.values;
        match &values[object] {
            // The state of an element type is its byte order, which one byte does not have.
            PickleValue::Type(_) => Ok(()),
            PickleValue::Array(_) => {
                let PickleValue::Tuple(parts) = &values[state] else {
                    return Err(damaged("the state of an array"));
                };
                let part = |index: usize| parts.get(index).map(|&id| &values[id]);
                let size = |&id: &Id| match values[id] {
                    PickleValue::Int(size) => usize::try_from(size).ok(),
                    _ => None,
                };
                let Some(PickleValue::Tuple(sizes)) = part(1) else {
                    return Err(damaged("a shape"));
                };
                let shape: Option<Vec<usize>> = sizes.iter().map(size).collect();
                let shape = shape.and_then(|shape| <[usize; 2]>::try_from(shape).ok());
                let (Some(shape), Some(PickleValue::Type(true))) = (shape, part(2)) else {
                    return Err(damaged("an array of bytes with two axes"));
                };
                let fortran_order = matches!(part(3), Some(PickleValue::Int(1)));
                let bytes = *parts.get(4).ok_or(damaged("the bytes of an array"))?;
                self.pickle.values[object] =
                    PickleValue::Array(Some(Array { shape, bytes, fortran_order }));
                Ok(())
            }
            _ => Err(damaged("an array")),
        }
    }
}

fn number(line: &[u8]) -> Option<u32> {
    std::str::from_utf8(line).ok()?.parse().ok()
}
