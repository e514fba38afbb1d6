//! The list of mutants, and the functions that apply one or several of them to a file.

use std::fs;
use std::path::Path;

/// A mutant: one fault in one file.
#[derive(Clone, Debug)]
pub struct Mutant {
    pub id: String,
    /// The name of the list, which is the name of the crate: `autograd`, `nn`, ….
    pub area: String,
    /// Whether the mutant was written from the sources alone, before its author read the tests.
    pub blind: bool,
    /// The path of the file, relative to the root of the repository.
    pub path: String,
    /// The text to find. It must occur once, or at least `ordinal` times if `ordinal` is given.
    search: String,
    ordinal: Option<usize>,
    /// The range in bytes of the expression in `search` that is replaced. `None` replaces the whole
    /// text. That text is not an expression, so a switch cannot choose between it and the replacement.
    marked: Option<(usize, usize)>,
    pub replacement: String,
}

impl Mutant {
    /// Returns whether a switch can turn this mutant on, so that many mutants share one compilation.
    pub fn switchable(&self) -> bool {
        self.marked.is_some()
    }

    /// Returns the range in bytes of the text that the mutant replaces in the file.
    pub fn place(&self, text: &str) -> Result<(usize, usize), String> {
        let found: Vec<usize> = text.match_indices(&self.search).map(|(at, _)| at).collect();
        let at = match self.ordinal {
            None if found.len() == 1 => found[0],
            Some(n) if n >= 1 && n <= found.len() && found.len() > 1 => found[n - 1],
            _ => {
                return Err(format!(
                    "{}: its text occurs {} times in {}",
                    self.id,
                    found.len(),
                    self.path
                ));
            }
        };
        let (from, to) = self.marked.unwrap_or((0, self.search.len()));
        Ok((at + from, at + to))
    }

    /// Returns the file with this fault.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        let (from, to) = self.place(text)?;
        let new = if self.switchable() {
            format!("({})", self.replacement)
        } else {
            self.replacement.clone()
        };
        Ok(format!("{}{new}{}", &text[..from], &text[to..]))
    }

    /// Returns the changed lines as a diff.
    pub fn diff(&self, text: &str) -> Result<String, String> {
        let (from, to) = self.place(text)?;
        let start = text[..from].rfind('\n').map_or(0, |at| at + 1);
        let end = text[to..].find('\n').map_or(text.len(), |at| to + at);
        let line = text[..from].matches('\n').count() + 1;
        let old = &text[start..end];
        let new = format!("{}{}{}", &text[start..from], self.replacement, &text[to..end]);
        let with = |sign: &str, text: &str| {
            text.lines().map(|line| format!("{sign}{line}\n")).collect::<String>()
        };
        Ok(format!("{}:{line}\n{}{}", self.path, with("-", old), with("+", &new)))
    }
}

/// Reads all lists in a folder.
pub fn read(folder: &Path) -> Result<Vec<Mutant>, String> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let area = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).map_err(|error| format!("{area}: {error}"))?;
        all.extend(parse(&area, &text)?);
    }
    let mut ids: Vec<&str> = all.iter().map(|mutant: &Mutant| &*mutant.id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{}: two mutants have this name", pair[0])),
        None => Ok(all),
    }
}

fn parse(area: &str, text: &str) -> Result<Vec<Mutant>, String> {
    let (mut all, mut path) = (Vec::new(), String::new());
    for block in text.split("\n\n").map(str::trim_end).filter(|block| !block.is_empty()) {
        let block = block.trim_start_matches('\n');
        if block.starts_with('#') {
            continue;
        }
        if let Some(new) = block.strip_prefix("@ ") {
            path = new.trim().to_string();
            continue;
        }
        let wrong = |what: &str| format!("{area}: {what} in this entry:\n{block}");
        let (head, body) =
            block.split_once("\n- ").ok_or_else(|| wrong("no text to search for"))?;
        let (old, new) = body.split_once("\n+ ").ok_or_else(|| wrong("no replacement"))?;
        let mut words = head.split_whitespace();
        let id = words.next().ok_or_else(|| wrong("no name"))?.to_string();
        let (mut blind, mut ordinal) = (false, None);
        for word in words {
            match word.strip_prefix('#').map(str::parse) {
                Some(Ok(n)) => ordinal = Some(n),
                _ if word == "blind" => blind = true,
                _ => return Err(wrong("an unknown word")),
            }
        }
        let marked = match (old.find('«'), old.find('»')) {
            (None, None) => None,
            (Some(from), Some(to)) if from < to => Some((from, to - '«'.len_utf8())),
            _ => return Err(wrong("one « without its »")),
        };
        let search = old.replace(['«', '»'], "");
        let (path, area, replacement) = (path.clone(), area.to_string(), new.to_string());
        all.push(Mutant { id, area, blind, path, search, ordinal, marked, replacement });
    }
    Ok(all)
}

/// Returns the file with all these mutants. Each is off unless the environment variable `MUTANT` names it.
pub fn switched(text: &str, mutants: &[&Mutant]) -> Result<String, String> {
    let mut edits = Vec::new();
    for mutant in mutants {
        let (from, to) = mutant.place(text)?;
        edits.push((from, to, *mutant));
    }
    // An edit that contains another edit comes before it.
    edits.sort_by_key(|&(from, to, _)| (from, std::cmp::Reverse(to)));
    render(text, 0, text.len(), &edits)
}

fn render(
    text: &str,
    from: usize,
    to: usize,
    edits: &[(usize, usize, &Mutant)],
) -> Result<String, String> {
    let (mut out, mut at, mut rest) = (String::new(), from, edits);
    while let Some(&(start, end, first)) = rest.first() {
        if end > to {
            return Err(format!("{}: it overlaps with another", first.id));
        }
        let same = rest.iter().take_while(|edit| (edit.0, edit.1) == (start, end)).count();
        let inner = rest[same..].iter().take_while(|edit| edit.0 < end).count();
        out += &text[at..start];
        out += "(";
        for (.., mutant) in &rest[..same] {
            out += &format!(
                "if {{ static M: ::std::sync::LazyLock<bool> = ::std::sync::LazyLock::new(|| \
                 ::std::env::var(\"MUTANT\").is_ok_and(|m| m == \"{}\")); *M }} {{ {} }} else ",
                mutant.id, mutant.replacement
            );
        }
        out += &format!("{{ {} }})", render(text, start, end, &rest[same..same + inner])?);
        (at, rest) = (end, &rest[same + inner..]);
    }
    Ok(out + &text[at..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# About it.\n\n@ a.rs\n\none blind\n- x = «a + b»;\n+ a - b\n\ntwo #2\n- «b»\n+ c\n\nthree\n- x = a\n+ y = a\n";

    #[test]
    fn the_marked_part_is_replaced() {
        let list = parse("area", LIST).unwrap();
        let text = "x = a + b; // b\n";
        assert_eq!(list.len(), 3);
        assert!(list[0].blind && !list[1].blind && !list[2].switchable());
        assert_eq!(list[0].apply(text).unwrap(), "x = (a - b); // b\n");
        assert_eq!(list[1].apply(text).unwrap(), "x = a + b; // (c)\n");
        assert_eq!(list[2].apply(text).unwrap(), "y = a + b; // b\n");
        assert_eq!(list[0].diff(text).unwrap(), "a.rs:1\n-x = a + b; // b\n+x = a - b; // b\n");
    }

    #[test]
    fn a_text_that_occurs_twice_needs_an_ordinal() {
        let list = parse("area", LIST).unwrap();
        assert!(list[0].place("x = a + b; x = a + b;").is_err());
        assert!(list[0].place("").is_err());
        assert!(list[1].place("b").is_err());
    }

    #[test]
    fn switches_can_be_nested() {
        let list = parse("area", "@ a\n\none\n- «a + b»\n+ 1\n\ntwo\n- a + «b»\n+ 2\n").unwrap();
        let both = switched("(a + b)", &list.iter().collect::<Vec<_>>()).unwrap();
        let (outer, inner) = (both.find("\"one\"").unwrap(), both.find("\"two\"").unwrap());
        assert!(outer < inner);
        assert!(both.contains("{ a + (if {"), "{both}");
        assert!(both.ends_with("{ b }) }))"), "{both}");
    }
}
