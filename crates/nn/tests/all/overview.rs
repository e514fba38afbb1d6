//! The overview tables of the crate's page list every public item once.

use std::collections::BTreeMap;

/// Returns the identifiers and keywords in the code.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The public items of the crate's root: what `pub use` exports, except for hidden items.
fn exports(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().filter(|line| !line.starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("pub use ") {
        if code[..at].trim_end().ends_with("#[doc(hidden)]") {
            continue;
        }
        let path = code[at + "pub use ".len()..].split(';').next().unwrap();
        let names = path.rsplit_once("::").map_or(path, |(_, names)| names);
        let names = path.split_once('{').map_or(names, |(_, names)| names);
        found.extend(words(names).map(String::from));
    }
    found
}

/// The public items of `init.rs`, by path.
fn initialisers(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    for line in code.lines() {
        let module = if line.starts_with("    pub ") { "init::gain::" } else { "init::" };
        let mut words = words(line).skip_while(|&word| word != "pub").skip(1);
        if let (true, Some("fn" | "enum" | "const"), Some(name)) =
            (line.trim_start().starts_with("pub "), words.next(), words.next())
        {
            found.push(format!("{module}{name}"));
        }
    }
    found
}

#[test]
fn the_tables_list_every_public_item_once() {
    let source = include_str!("../../src/lib.rs");
    let mut listed = BTreeMap::new();
    for line in source.lines() {
        if let Some(row) = line.strip_prefix("//! | [`") {
            let name = row.split('`').next().unwrap().trim_end_matches(['!', '(', ')']);
            *listed.entry(name.to_string()).or_insert(0) += 1;
            assert_eq!(line.matches('|').count(), 4, "three columns: {line}");
        }
    }
    let mut public = exports(source);
    public.push("sequential".into()); // `#[macro_export]`
    public.extend(initialisers(include_str!("../../src/init.rs")));
    public.sort();
    public.dedup(); // `Module` is a trait and a macro
    assert!(public.len() > 70, "{public:?}");
    for name in &public {
        assert_eq!(listed.remove(name), Some(1), "{name}");
    }
    assert!(listed.is_empty(), "listed, but not public: {listed:?}");
}
