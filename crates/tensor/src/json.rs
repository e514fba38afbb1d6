//! As much of JSON (RFC 8259) as the header of a safetensors file needs.

use crate::file::FileProblem;
use std::borrow::Cow;

type Result<T> = std::result::Result<T, FileProblem>;

/// Values inside values inside values: no header needs more, and the stack must bear it.
const MAX_DEPTH: usize = 16;

/// Reads a text from its start, value by value.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where the text begins in the file, for messages.
    start: usize,
}

impl<'a> Reader<'a> {
    /// Reads a text that begins at byte `start` of its file.
    pub fn new(text: &'a str, start: usize) -> Self {
        Reader { text, at: 0, start }
    }

    pub fn fail<T>(&self, expected: &'static str) -> Result<T> {
        Err(FileProblem::Header { at: self.start + self.at, expected })
    }

    /// The next byte, past white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let space =
            rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += space;
        rest.get(space).copied()
    }

    /// Whether this byte comes next; if so, it is read.
    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// An object: `entry` is called with each key and reads the value.
    pub fn object(&mut self, mut entry: impl FnMut(&mut Self, String) -> Result<()>) -> Result<()> {
        if !self.take(b'{') {
            return self.fail("`{`");
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            if !self.take(b':') {
                return self.fail("`:`");
            }
            entry(self, key)?;
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return self.fail("`,` or `}`");
            }
        }
    }

    /// An array: `element` is called to read each.
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if !self.take(b'[') {
            return self.fail("`[`");
        }
        if self.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return self.fail("`,` or `]`");
            }
        }
    }

    /// A whole number without a sign.
    pub fn number(&mut self) -> Result<u64> {
        self.peek();
        let rest = &self.text[self.at..];
        let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        match digits.parse() {
            Ok(number) if !leading_zero => {
                self.at += digits.len();
                Ok(number)
            }
            _ => self.fail("a whole number"),
        }
    }

    /// An array of whole numbers.
    pub fn numbers(&mut self) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        self.array(|this| {
            numbers.push(this.number()?);
            Ok(())
        })?;
        Ok(numbers)
    }

    /// A string, its escapes resolved.
    pub fn string(&mut self) -> Result<String> {
        if !self.take(b'"') {
            return self.fail("a string");
        }
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .bytes()
                .take_while(|&byte| byte >= b' ' && byte != b'"' && byte != b'\\')
                .count();
            out.push_str(&rest[..plain]);
            self.at += plain;
            match rest.as_bytes().get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return self.fail("the rest of a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let letter = self.text.as_bytes().get(self.at + 1);
        let plain = match letter {
            Some(&letter @ (b'"' | b'\\' | b'/')) => letter as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                // Beyond the first plane, JSON writes the two halves of UTF-16.
                let first = self.unit()?;
                let units = if (0xd800..0xdc00).contains(&first) {
                    [first, self.unit()?]
                } else {
                    [first, 0]
                };
                let mut decoded = char::decode_utf16(units);
                return match decoded.next() {
                    Some(Ok(letter)) => Ok(letter),
                    _ => self.fail("a pair of UTF-16 surrogates"),
                };
            }
            _ => return self.fail("an escape"),
        };
        self.at += 2;
        Ok(plain)
    }

    /// `\u` and four hexadecimal digits.
    fn unit(&mut self) -> Result<u16> {
        let digits =
            self.text.get(self.at..self.at + 6).and_then(|escape| escape.strip_prefix("\\u"));
        match digits.filter(|d| d.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(digits) => {
                self.at += 6;
                Ok(u16::from_str_radix(digits, 16).unwrap_or_default())
            }
            None => self.fail("`\\u` and four hexadecimal digits"),
        }
    }

    /// Any value, unread.
    pub fn skip(&mut self) -> Result<()> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Result<()> {
        if depth == MAX_DEPTH {
            return self.fail("a value that is not nested so deep");
        }
        match self.peek() {
            Some(b'{') => self.object(|this, _| this.skip_at(depth + 1)),
            Some(b'[') => self.array(|this| this.skip_at(depth + 1)),
            Some(b'"') => self.string().map(drop),
            _ => {
                let rest = &self.text[self.at..];
                let word = rest
                    .bytes()
                    .take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
                    .count();
                let word = &rest[..word];
                let known = matches!(word, "true" | "false" | "null");
                let number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                if !(known || number && word.parse::<f64>().is_ok()) {
                    return self.fail("a value");
                }
                self.at += word.len();
                Ok(())
            }
        }
    }

    /// Nothing but white space is left.
    pub fn end(&mut self) -> Result<()> {
        if self.peek().is_some() { self.fail("the end of the header") } else { Ok(()) }
    }
}

/// A string as JSON, in quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        let escaped: Cow<'_, str> = match letter {
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            control if control < ' ' => format!("\\u{:04x}", control as u32).into(),
            _ => {
                out.push(letter);
                continue;
            }
        };
        out.push_str(&escaped);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        let read = |text: &str| Reader::new(text, 0).string().ok();
        assert_eq!(
            read(r#""a\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00😀""#).unwrap(),
            "a\"\\/\u{8}\u{c}\n\r\téé😀😀"
        );
        for wrong in [
            "",
            "\"",
            "\"a",
            "a\"",
            r#""\x""#,
            r#""\u12"#,
            r#""\u12é4""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            "\"\n\"",
            r#""\"#,
            r#""\u+123""#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        for text in ["", "plain", "\"\\\u{0}\u{1f}\n é 😀"] {
            assert_eq!(read(&quoted(text)).unwrap(), text);
        }
    }

    #[test]
    fn values() {
        let skip = |text: &str| {
            let mut reader = Reader::new(text, 0);
            reader.skip().is_ok() && reader.end().is_ok()
        };
        for good in [
            "{}",
            " [ ] ",
            "[1, -2.5e+3, true, false, null, \"\", {\"a\": [{}]}]",
            "{\"a\":1,\"b\":2}",
        ] {
            assert!(skip(good), "{good}");
        }
        for wrong in [
            "", "{", "}", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{a:1}", "[1 2]", "nul", "inf",
            "1 1", "--1", "é",
        ] {
            assert!(!skip(wrong), "{wrong}");
        }
        assert!(!skip(&"[".repeat(100_000)), "no stack is deep enough for everything");
    }

    #[test]
    fn numbers() {
        let read = |text: &str| Reader::new(text, 0).number().ok();
        assert_eq!(read(" 18446744073709551615"), Some(u64::MAX));
        assert_eq!(read("0"), Some(0));
        for wrong in ["18446744073709551616", "-1", "01", "", "x", "+1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn messages_say_where() {
        let wrong = Reader::new("{\"a\" 1}", 8).skip().unwrap_err();
        assert!(wrong.to_string().ends_with("byte 13 should be `:`"), "{wrong}");
    }
}
