//! Tests the messages of rustc for common mistakes. `tests/ui/cases` has a program for each mistake, and the
//! expected message beside it.
//!
//! `docs/what-rustc-says.md` explains the messages. They belong to one version of rustc
//! (`tests/ui/rustc-version`). With another version, nothing is compared. To write the messages again:
//!
//! ```sh
//! rustc --version > tests/ui/rustc-version
//! TRYBUILD=overwrite cargo test -p wengert-ui-tests -- --ignored
//! ```

use std::collections::BTreeSet;
use std::process::Command;

/// Compiles the library again, into a separate folder. `.ci/run` runs this test.
#[test]
#[ignore = "checks the library a second time: half a minute of a processor"]
fn mistakes_do_not_compile_with_the_recorded_messages() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    let (found, recorded) = (String::from_utf8(version).unwrap(), include_str!("rustc-version"));
    if found != recorded {
        println!("not compared: the texts are of {recorded}, this is {found}");
        return;
    }
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}

/// The page names every tested program, and each section quotes the errors of its programs exactly: the first error of
/// each, and below it any part of a further line. The programs of a reader are in `src/main.rs`.
#[test]
fn the_page_of_errors_quotes_every_recorded_message() {
    let page = include_str!("../../docs/what-rustc-says.md");
    let mut named = BTreeSet::new();
    for section in page.split("\n## ").skip(1) {
        let cases: Vec<(&str, String)> = section
            .split("`tests/ui/cases/")
            .skip(1)
            .map(|rest| {
                let name = rest.split(".rs`").next().unwrap();
                (name, recorded(name))
            })
            .collect();
        named.extend(cases.iter().map(|(name, _)| (*name).to_string()));
        if cases.is_empty() {
            continue; // a message without a tested program
        }
        let title = section.lines().next().unwrap();
        let block = section.split("```text\n").nth(1).expect(title).split("\n```").next().unwrap();
        let (errors, details): (Vec<&str>, Vec<&str>) =
            block.lines().partition(|line| line.starts_with("error"));
        let firsts: Vec<&str> = cases
            .iter()
            .map(|(_, text)| text.lines().find(|line| line.starts_with("error")).unwrap())
            .collect();
        assert_eq!(errors, firsts, "the errors in the section {title:?}");
        for detail in details {
            let found = cases.iter().any(|(_, text)| text.contains(detail.trim()));
            assert!(found, "{title:?} quotes a line that rustc does not print: {detail}");
        }
    }
    let cases: BTreeSet<String> = std::fs::read_dir(CASES)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .collect();
    assert_eq!(named, cases, "the programs on the page are those of tests/ui/cases");
    assert_eq!(cases.len(), 14);
}

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");

/// Returns the recorded message for a program, with the path of the program in a project of its own.
fn recorded(name: &str) -> String {
    let text = std::fs::read_to_string(format!("{CASES}/{name}.stderr")).unwrap();
    text.replace(&format!("$DIR/cases/{name}.rs"), "src/main.rs")
}
