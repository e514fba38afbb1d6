//! The tables on the page of `wengert::models` list every public item once.

use std::collections::BTreeMap;

/// Returns the names that the module exports.
fn exports(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    for rest in code.split("pub use ").skip(1) {
        let path = rest.split(';').next().unwrap();
        let (_, names) = path.split_once("::").unwrap();
        let names = names.split(|c: char| !c.is_alphanumeric() && c != '_');
        found.extend(names.filter(|name| !name.is_empty()));
    }
    found
}

/// Returns the number of rows of each item in the tables.
fn listed(source: &str) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for row in source.lines().filter_map(|line| line.strip_prefix("//! | [`")) {
        *counts.entry(row.split('`').next().unwrap()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn the_tables_list_every_model_once() {
    let source = include_str!("../../src/models/mod.rs");
    let public = exports(source);
    assert!(public.len() > 14, "{public:?}");
    assert_eq!(listed(source), public.into_iter().map(|name| (name, 1)).collect());
}

/// The types of public fields are exported, so that they have a page.
#[test]
fn the_types_of_public_fields_are_exported() {
    let public = exports(include_str!("../../src/models/mod.rs"));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/models");
    let mut files = Vec::new();
    for folder in [folder, concat!(env!("CARGO_MANIFEST_DIR"), "/src/models/historic")] {
        files.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    let mut count = 0;
    for file in files.iter().filter(|file| file.extension().is_some_and(|it| it == "rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("pub struct ")) {
            let name = line.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            assert!(public.contains(&name), "{}: {name} is not exported", file.display());
            count += 1;
        }
    }
    assert!(count > 12, "{count}");
}
