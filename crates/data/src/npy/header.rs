//! The header of a `.npy` file: a dictionary in the syntax of Python.

use super::npy_type::NpyType;
use super::{LONGEST, MAGIC, fill_from, not_npy};
use crate::error::DataError;
use crate::problem::NpyProblem;
use std::io::Read;
use std::path::Path;

pub(super) struct NpyHeader {
    pub kind: NpyType,
    pub big_endian: bool,
    pub fortran_order: bool,
    pub shape: Vec<u64>,
}

impl NpyHeader {
    pub fn read(source: &mut impl Read, path: &Path) -> Result<Self, DataError> {
        let failed = |problem| DataError::Npy { path: path.into(), problem };
        let short = |expected, found| failed(NpyProblem::ShortHeader { expected, found });
        let mut start = [0; 8];
        let found = fill_from(source, &mut start, path)?;
        if start[..MAGIC.len()] != *MAGIC {
            return Err(not_npy(start[..found].to_vec(), source, path));
        }
        if found < start.len() {
            return Err(short(start.len(), found));
        }
        let [.., major, minor] = start;
        let width = match major {
            1 => 2,
            2 | 3 => 4,
            _ => return Err(failed(NpyProblem::Version { major, minor })),
        };
        let mut length = [0; 4];
        let found = fill_from(source, &mut length[..width], path)?;
        if found < width {
            return Err(short(start.len() + width, start.len() + found));
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > LONGEST {
            return Err(failed(NpyProblem::Header {
                expected: "a header of at most 65,536 bytes",
                found: format!("a header of {length} bytes"),
            }));
        }
        let mut text = vec![0; length];
        let found = fill_from(source, &mut text, path)?;
        if found < length {
            let before = start.len() + width;
            return Err(short(before + length, before + found));
        }
        parse(&String::from_utf8_lossy(&text)).map_err(failed)
    }
}

/// Returns sizes as a Python tuple: `()`, `(3,)` or `(3, 4)`.
pub(super) fn tuple(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    match sizes.as_slice() {
        [one] => format!("({one},)"),
        sizes => format!("({})", sizes.join(", ")),
    }
}

fn parse(text: &str) -> Result<NpyHeader, NpyProblem> {
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = Rest(text.trim_start());
    rest.expect("{", "a dictionary that begins with {")?;
    while !rest.skip("}") {
        let key = rest.string("the name of a key in quotes")?;
        rest.expect(":", "a colon after the name of the key")?;
        match key {
            "descr" => descr = Some(rest.descr()?),
            "fortran_order" => {
                fortran_order = Some(match () {
                    () if rest.skip("True") => true,
                    () if rest.skip("False") => false,
                    () => return Err(rest.problem("True or False as fortran_order")),
                });
            }
            "shape" => shape = Some(rest.sizes()?),
            _ => return Err(rest.problem("no keys but descr, fortran_order and shape")),
        }
        if !rest.skip(",") {
            rest.expect("}", "a brace at the end of the dictionary")?;
            break;
        }
    }
    if !rest.0.trim().is_empty() {
        return Err(rest.problem("the end of the header"));
    }
    let (Some((kind, big_endian)), Some(fortran_order), Some(shape)) =
        (descr, fortran_order, shape)
    else {
        return Err(Rest(text).problem("the keys descr, fortran_order and shape"));
    };
    Ok(NpyHeader { kind, big_endian, fortran_order, shape })
}

/// The part of the header that is not parsed yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Skips a token and the blanks behind it, if the token is next.
    fn skip(&mut self, token: &str) -> bool {
        let rest = self.0.strip_prefix(token);
        self.0 = rest.map_or(self.0, str::trim_start);
        rest.is_some()
    }

    fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), NpyProblem> {
        if self.skip(token) { Ok(()) } else { Err(self.problem(expected)) }
    }

    fn problem(&self, expected: &'static str) -> NpyProblem {
        NpyProblem::Header { expected, found: self.0.chars().take(40).collect() }
    }

    fn string(&mut self, expected: &'static str) -> Result<&'a str, NpyProblem> {
        let quote = if self.0.starts_with('"') { '"' } else { '\'' };
        let inside = self.0.strip_prefix(quote).and_then(|rest| rest.split_once(quote));
        let Some((string, rest)) = inside else { return Err(self.problem(expected)) };
        self.0 = rest.trim_start();
        Ok(string)
    }

    /// Parses an element type such as `'<f8'`. A list is the type of a record.
    fn descr(&mut self) -> Result<(NpyType, bool), NpyProblem> {
        if self.0.starts_with('[') {
            return Err(NpyProblem::Type { descr: "record".into() });
        }
        let descr = self.string("the element type in quotes")?;
        let unknown = || NpyProblem::Type { descr: descr.chars().take(40).collect() };
        let big = match descr.as_bytes().first() {
            Some(b'>') => true,
            Some(b'<' | b'|') => false,
            // The byte order of the machine that wrote the file; nearly all are little-endian.
            Some(b'=') => false,
            _ => return Err(unknown()),
        };
        Ok((NpyType::of(&descr[1..]).ok_or_else(unknown)?, big))
    }

    fn sizes(&mut self) -> Result<Vec<u64>, NpyProblem> {
        self.expect("(", "the shape as a tuple")?;
        let mut sizes = Vec::new();
        while !self.skip(")") {
            let digits =
                self.0.len() - self.0.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let size = self.0[..digits].parse::<u64>();
            let Ok(size) = size else {
                return Err(self.problem("sizes below 2⁶⁴ in the shape"));
            };
            sizes.push(size);
            self.0 = self.0[digits..].trim_start();
            // Python 2 wrote long integers as 3L.
            self.skip("L");
            if !self.skip(",") {
                self.expect(")", "a parenthesis at the end of the shape")?;
                break;
            }
        }
        Ok(sizes)
    }
}
