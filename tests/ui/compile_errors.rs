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

/// The page names every tested program and quotes the first error of rustc. Names in backquotes may differ.
#[test]
fn the_page_of_errors_explains_every_mistake() {
    let page = include_str!("../../docs/what-rustc-says.md");
    let mut cases = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/cases")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        cases += 1;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path.with_extension("stderr")).unwrap();
        let first = text.lines().find(|line| line.starts_with("error")).unwrap();
        assert!(page.contains(&format!("tests/ui/cases/{name}.rs")), "{name} is not on the page");
        let quoted = page.lines().any(|line| without_names(line) == without_names(first));
        assert!(quoted, "the page does not quote {name}: {first}");
    }
    assert_eq!(cases, 14);
}

/// Returns a message without the text between backquotes.
fn without_names(message: &str) -> String {
    message.split('`').step_by(2).collect::<Vec<_>>().join("`")
}
