//! The text of a source file: code without comments, and the names in it.

use std::collections::BTreeSet;

/// Returns the code with each comment, string and character literal replaced by a space.
pub fn code_of(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'{'") || rest.starts_with("'}'") {
            3
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        // Keep the line breaks, so that line numbers stay correct.
        out.extend(rest[..skipped].chars().filter(|&c| c == '\n'));
        out.push(' ');
        rest = &rest[skipped..];
    }
    out
}

/// Returns the code without its test modules, and the names of the test modules in separate files.
pub(super) fn without_tests(code: &str) -> (String, BTreeSet<String>) {
    let (mut out, mut files) = (String::new(), BTreeSet::new());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(") {
        let end = at + rest[at..].find(']').unwrap() + 1;
        let of_tests =
            ["#[cfg(test)]", "#[cfg(all(test"].iter().any(|cfg| rest[at..].starts_with(cfg));
        if !of_tests {
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        out.push_str(&rest[..at]);
        rest = &rest[end..];
        let end = rest.find([';', '{']).unwrap_or(rest.len());
        let item: Vec<&str> = rest[..end].split_whitespace().collect();
        if let Some(i) = item.iter().position(|&word| word == "mod")
            && rest[end..].starts_with(';')
        {
            files.insert(item[i + 1].to_owned());
        }
        rest = if rest[end..].starts_with('{') {
            &rest[end + block(&rest[end..])..]
        } else {
            &rest[(end + 1).min(rest.len())..]
        };
    }
    out.push_str(rest);
    (out, files)
}

/// Returns the length of the block in braces at the start of the code.
pub fn block(code: &str) -> usize {
    let mut depth = 0;
    let close = code.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    });
    close.map_or(code.len(), |close| close + 1)
}

/// Returns the names after `::`: one name, or the first name of each path in braces.
pub fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(inside) = rest.trim_start().strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut heads, mut start) = (0, vec![], 0);
    for (i, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(name(&inside[start..i]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(name(&inside[start..i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// Returns the paths at the start of the code, each as a list of names: one path, or each path in braces.
pub(super) fn paths(rest: &str) -> Vec<Vec<String>> {
    fn read(rest: &mut &str, found: &mut Vec<Vec<String>>, before: &[String]) {
        *rest = rest.trim_start();
        if let Some(inside) = rest.strip_prefix('{') {
            *rest = inside;
            while !rest.is_empty() && !rest.starts_with('}') {
                read(rest, found, before);
                // What follows a path up to the comma is another name of it: `as name`.
                *rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
                *rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
            *rest = rest.strip_prefix('}').unwrap_or(rest);
            return;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let mut path = before.to_vec();
        path.extend((end > 0).then(|| rest[..end].to_owned()));
        *rest = &rest[end..];
        match rest.strip_prefix("::").filter(|_| end > 0) {
            Some(more) => {
                *rest = more;
                read(rest, found, &path);
            }
            None => found.push(path),
        }
    }
    let (mut rest, mut found) = (rest, vec![]);
    read(&mut rest, &mut found, &[]);
    found.retain(|path| !path.is_empty());
    found
}

/// Returns the position of `word` in the text, outside of brackets of any kind.
pub(super) fn find_outside(text: &str, word: &str) -> Option<usize> {
    let (mut depth, mut before) = (0, ' ');
    for (at, c) in text.char_indices() {
        if depth == 0 && text[at..].starts_with(word) {
            return Some(at);
        }
        depth += i32::from(matches!(c, '<' | '(' | '['));
        depth -= i32::from(matches!(c, ')' | ']') || c == '>' && before != '-');
        before = c;
    }
    None
}

/// Returns the names after each `word` in the code.
pub(super) fn names_after(code: &str, word: &str) -> Vec<String> {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .filter(|(at, _)| !(word.starts_with(of_name) && code[..*at].ends_with(of_name)))
        .map(|(at, _)| code[at + word.len()..].chars().take_while(|&c| of_name(c)).collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}
